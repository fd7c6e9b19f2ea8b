"""Values of the oracle's expressions to 50 digits and more, by mpmath, with limits at singular points."""

from __future__ import annotations

from typing import Any

import mpmath

from .exact import Real, UndefinedError, ceiling, floor, free, mp, rint, sign, sp, step

MPMATH = {"ceiling": "ceil", "Exp1": "e", "Pi": "pi", "Infinity": "inf", "NegativeInfinity": "ninf"}
ORDERS = {sp.Lt: (-1,), sp.Le: (-1, 0), sp.Gt: (1,), sp.Ge: (1, 0), sp.Eq: (0,), sp.Ne: (-1, 1)}
LOGIC: dict[Any, Any] = {sp.And: all, sp.Or: any, sp.Not: lambda v: not next(v), sp.Xor: lambda v: sum(v) % 2 == 1}


class Evaluator:
    """Values at a point at mpmath's current precision, shared parts computed once.

    An int is exact; an mpf 0 may be what a cancellation left. `along` is the variable that an expression is a partial
    derivative in, and the function: singular points have limits from where the function is real, along that axis first.
    """

    def __init__(self, point: dict[Any, Any], along: Any = None, limits: bool = True) -> None:
        self.point, self.along, self.limits, self.memo = point, along, limits, dict[Any, Any]()
        self.tiny = mp.mpf(10) ** (8 - mp.dps)

    def __call__(self, expr: Any) -> Any:
        if expr not in self.memo:
            try:
                value = getattr(self, f"_{expr.func.__name__}", self._other)(expr)
                if mp.isnan(value) or (isinstance(value, mpmath.mpc) and value.imag != 0):
                    args = ", ".join(shown(self(a)) for a in expr.args)
                    raise UndefinedError(f"{expr.func.__name__}({args}) is not a real number")
            except UndefinedError as error:
                value = self.limit(expr, error)
            self.memo[expr] = value.real if isinstance(value, mpmath.mpc) else value
        return self.memo[expr]

    def _other(self, expr: Any) -> Any:
        if expr.is_Rational:
            return int(expr) if expr.is_Integer else mp.mpf(int(expr.p)) / int(expr.q)
        if expr.is_Symbol:
            value = self.point[expr]
            return self(value) if isinstance(value, sp.Basic) else value
        if expr.func in LOGIC or expr in (sp.true, sp.false):
            return LOGIC[expr.func](map(self, expr.args)) if expr.args else bool(expr)
        args, name = [self(a) for a in expr.args], expr.func.__name__
        if expr.is_Relational:
            return self.order(*args) in ORDERS[expr.func]
        rule: Any = expr.func.value if isinstance(expr, Real) else getattr(mp, MPMATH.get(name, name), None)
        if isinstance(expr, (sign, floor, ceiling, rint, step)):  # what rounding moved off an integer, back to it
            value = rule(*(a if mp.isinf(a) or self.order(a, mp.nint(a)) else mp.nint(a) for a in args))
            return int(value) if value == int(value) else mp.mpf(value.numerator) / value.denominator
        try:
            return rule(*args) if args else +rule
        except (ValueError, ZeroDivisionError, TypeError):
            raise UndefinedError(f"{name} has {'a pole' if rule and args else 'no value'}") from None

    def _Add(self, expr: Any) -> Any:
        terms = [self(a) for a in expr.args]
        total, largest = sum(terms), max(map(abs, terms))
        return total if isinstance(total, int) or mp.isinf(largest) or abs(total) > self.tiny * largest else mp.zero

    def _Mul(self, expr: Any) -> Any:
        for factor, exponent in (a.as_base_exp() for a in expr.args):
            if isinstance(factor, step) and exponent.is_positive and self(factor) == 0:
                return 0  # a branch not taken, whatever the other factors are
        factors = [self(a) for a in expr.args]
        if 0 in factors and any(map(mp.isinf, factors)):
            raise UndefinedError("0 times infinity")
        return 0 if any(v == 0 and isinstance(v, int) for v in factors) else mp.fprod(factors)

    def _Pow(self, expr: Any) -> Any:
        base, exponent = map(self, expr.args)
        whole = mp.isint(exponent)
        if base == 0 and exponent < 0:
            if whole and exponent % 2:
                raise UndefinedError("division by zero")
            return mp.inf
        if base in (0, 1) and not mp.isinf(exponent):
            return base if exponent else 1
        return mp.power(base, int(exponent) if whole else exponent)

    def _Piecewise(self, expr: Any) -> Any:
        for value, claim in expr.args:
            if self(claim):
                return self(value)
        raise UndefinedError("no case holds")

    def order(self, a: Any, b: Any) -> int:
        """-1, 0, 1 as a < b, a = b, a > b; what rounding alone tells apart is equal."""
        close = a == b or (mp.isfinite(a) and mp.isfinite(b) and abs(a - b) <= self.tiny * max(abs(a), abs(b)))
        return 0 if close else 1 if a > b else -1

    def limit(self, expr: Any, error: UndefinedError) -> Any:
        """The limit along the axis, else the common one along several lines."""
        variables = sorted(free(expr) & self.point.keys(), key=str) if self.limits else []
        axis: list[Any] = [{self.along[0]: 1}] if self.along and self.along[0] in variables else []
        slants = range(min(4, len(variables) ** 2))
        slanted = [{x: mp.cos(1 + k + i * (2 * k + 1)) for i, x in enumerate(variables)} for k in slants]
        for lines in (axis, slanted):
            found = [v for line in lines if (v := self.middle(expr, line, error)) is not None]
            if any(self.order(v, found[0]) for v in found):
                raise error
            if found:
                return found[0]
        raise error

    def middle(self, expr: Any, line: dict[Any, Any], error: UndefinedError) -> Any:
        """The mean of the limits from both sides along a line; None where the function is real on neither."""
        sides = [v for sign in (1, -1) if (v := self.side(expr, line, sign)) is not None]
        if any(map(mp.isnan, sides)) or (len(set(sides)) == 2 and any(map(mp.isinf, sides))):
            raise error
        if len(sides) == 2 and self.order(sides[0], -sides[1]) == 0:
            return 0
        return mp.fsum(sides) / len(sides) if len(set(sides)) == 2 else sides[0] if sides else None

    def side(self, expr: Any, line: dict[Any, Any], sign: int) -> Any:
        """The limit from one side, by two tiny steps: None where the function is not real, nan if there is no limit."""
        digits, values = 2 * mp.dps, []
        with mpmath.workdps(10 * digits):
            for h in (mp.mpf(10) ** -digits, mp.mpf(10) ** (-2 * digits)):
                near = {x: self(self.point[x]) + sign * h * d for x, d in line.items()}
                evaluator = Evaluator(self.point | near, limits=False)
                try:
                    values.append(evaluator(expr))
                    evaluator(self.along[1] if self.along else expr)
                except UndefinedError:
                    return None
            first, second = map(abs, values)
            if second < first**1.5 < 1e-6:  # decays like a power of h
                return 0
            unbounded = mp.sign(values[1]) * mp.inf if second > 1.5 * first > 15 else mp.nan
            return values[1] if self.order(*values) == 0 else unbounded


def shown(value: Any) -> str:
    """A number for people: 2, 0.5, 1.71634."""
    value = mp.mpf(int(value.p)) / int(value.q) if isinstance(value, sp.Rational) else mp.mpf(value)
    return str(int(value)) if mp.isint(value) and abs(value) < 1e15 else mp.nstr(value, 6)


def values(expressions: list[Any], along: list[Any], point: dict[Any, Any], digits: int) -> list[Any]:
    """Each expression at the point to that many digits: the precision doubles until two results agree."""
    span = max((abs(int(v.p).bit_length() - int(v.q).bit_length()) for v in point.values() if v.is_Rational), default=0)
    precision, results, unsettled = digits + 15 + span * 2 // 3, dict[int, Any](), list(range(len(expressions)))
    while unsettled:
        if precision > 9000:
            raise UndefinedError(f"{precision // 2} digits are not enough, so much cancels")
        with mpmath.workdps(precision):
            evaluators = {x: Evaluator(point, x) for x in along}
            for i in unsettled[:]:
                old, new = results.get(i, mp.nan), evaluators[along[i]](expressions[i])
                close = new == old or abs(new - old) <= mp.mpf(10) ** -digits * abs(new)
                if isinstance(new, int) or (close and (new != 0 or precision > 1000)):
                    unsettled.remove(i)
                results[i] = new
        precision *= 2
    with mpmath.workdps(digits):
        return [mp.mpf(results[i]) for i in range(len(expressions))]
