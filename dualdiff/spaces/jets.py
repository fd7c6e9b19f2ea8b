"""Jets: values along a line with their Taylor coefficients to any order, at a cost of O(order**2) for each operation.

A *jet* is a Dual whose tangent is a `Series`, the coefficients 1, 2, ... of x(t) = x0 + x1 t + x2 t**2 + ..., and whose
value is x0. There is no table of recurrences: a rule says what the differential equation dy = F'(x, y) dx of its
function is, and its own formula, run on jets, solves it. Coefficient k of F' dx needs y to order k - 1 only, so the
coefficients come one after the other, each computed when it is first asked for, by products of power series. Of sin
the partial derivative is cos(x), a jet, that of cos is -sin(x), the jet we began with: such systems close. Others, as
gamma, psi, zeta(2, x), ..., grow by a function an order. (Newton, Method of Fluxions, 1671; Griewank and Walther,
Evaluating Derivatives, 2nd ed. 2008, chapter 13.)

In place of d/dt stands the operator t d/dt, which multiplies coefficient k by k and moves none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import mul
from typing import Any

import numpy as np

from ..core import tangents
from ..core.elementwise import slope
from ..core.errors import NotDifferentiableError, user_line
from ..core.making import as_array, wrap
from ..core.number import Number
from ..core.table import ELEMENTWISE, Elementwise
from ..core.tangents import LinearMap, Structured, clear, finite, hush, scale, unhush, writable
from ..core.values import Shape, dtype_of, is_array, plain, shape_of


class Jets:
    """What the jets of one call share: the order, and what is under way in the primitive being worked on."""

    __slots__ = ("curved", "made", "order", "series", "solving")

    def __init__(self, order: int) -> None:
        self.order = order
        self.solving = False  # whether a rule is running on jets: what it makes is computed on demand
        self.made: dict[Any, Any] = {}  # the functions it has met, so that systems close
        self.curved = [False]  # whether its linear map changes along the line
        self.series: list[Series] = []  # those computed on demand

    def finish(self) -> None:
        """Let go of what the primitive has needed."""
        self.solving = False
        self.made.clear()
        for s in self.series:
            s.step = _nothing  # which holds the others
        self.series.clear()


class Series(Structured):
    """The coefficients from 1 on, each of the value's shape; `step(k)` computes number k when those below are known.

    As tangents that a rule is given, they are those of x less its value or, where the rule's linear map turns out to
    change along the line, of t dx/dt.
    """

    __slots__ = ("jets", "known", "step")
    nonlinear = True

    def __init__(self, jets: Jets, step: Callable[[int], Any], known: Sequence[Any] = ()) -> None:
        self.jets, self.step, self.known = jets, step, list(known)
        if jets.solving:
            jets.series.append(self)
        else:
            self.complete()

    def __repr__(self) -> str:
        return f"<Taylor series to order {self.jets.order}>"

    def __getitem__(self, k: int) -> Any:
        """Coefficient k."""
        while len(self.known) < k:
            c = self.step(len(self.known) + 1)
            self.known.append(c.item() if type(c) is np.float64 or type(c) is np.complex128 else c)
        return self.known[k - 1]

    def below(self, k: int) -> list[Any]:
        """Coefficients 1 to k - 1."""
        if k > 1:
            self[k - 1]
        return self.known[: k - 1]

    def complete(self) -> None:
        """Compute all, before the user's code can change what they depend on."""
        if self.jets.order:
            self[self.jets.order]
        self.step = _nothing

    # ------------------------------------------------------------ the linear maps

    @classmethod
    def combine(cls, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> Series:
        jets = terms[0][0].jets
        fixed = [(s, have, w) for s, have, w in terms if not _moves(w, jets)]
        moving = [(s, w.value, w.tangent) for s, _, w in terms if _moves(w, jets)]
        if moving:
            jets.curved[0] = True

        def step(k: int) -> Any:
            total: Any = tangents.combine([(s[k], have, w) for s, have, w in fixed], shape, select) if fixed else 0
            for s, w0, w in moving:
                total = total + scale(s[k], w0) + _inner(s.below(k), w.below(k))
            return total if shape_of(total) == shape else np.broadcast_to(total, shape)

        return cls(jets, step)

    @classmethod
    def join(cls, series: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Series:
        def step(k: int) -> Any:
            return tangents.join([None if s is None else _array(s[k]) for s in series], shapes, move)

        return cls(next(s.jets for s in series if s is not None), step)

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Series:
        return Series(self.jets, lambda k: move(_array(self[k])))

    def total(self, shape: Shape, axes: Shape, keepdims: bool) -> Series:
        return Series(self.jets, lambda k: tangents.total(_array(self[k]), shape, axes, keepdims))

    def contract(self, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Series:
        def times(c: Any, w: Any) -> Any:
            return tangents.contract(_array(c), shape, sub, _array(w), weight_sub, out_sub)

        if not _moves(weight, self.jets):
            return Series(self.jets, lambda k: times(self[k], weight))
        self.jets.curved[0] = True
        w0, w = weight.value, weight.tangent
        return Series(self.jets, lambda k: times(self[k], w0) + sum(map(times, self.below(k), w.below(k)[::-1])))

    def scatter(self, numbers: Any, shape: Shape) -> Series:
        return Series(self.jets, lambda k: tangents.scatter(_array(self[k]), numbers, shape))

    def linear(self, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Series:
        if function in (np.conjugate, np.real, np.imag):  # the same all along, whatever is not known yet
            return self.gather(shape, function)
        start = len(self.jets.series)
        first = function(_array(self[1]))  # which shows whether the function changes along the line
        if not _moves(first, self.jets):
            return Series(self.jets, lambda k: function(_array(self[k])), [first])
        self.jets.curved[0] = True
        del self.jets.series[start:]
        made = function(wrap(_array(self[1]), Series(self.jets, lambda k: _array(self[k + 1])), first._tag))
        return Series(self.jets, lambda k: made.tangent[k - 1], [made.value])

    def put(self, shape: Shape, numbers: Any, new: Any) -> Series:
        def step(k: int) -> Any:
            c = 0.0 if new is None else new[k]
            flat = writable(np.ravel(_array(self[k])), c)
            flat[numbers] = c
            return flat.reshape(shape)

        return Series(self.jets, step)

    def zeros(self, value: Any) -> Series:
        return Series(self.jets, lambda k: np.zeros_like(plain(value)))

    # ------------------------------------------------------------ functions

    def elementwise(self, rule: Elementwise, operands: Sequence[Any], y: Any, tag: Any) -> Any:
        """An elementwise function of value y, by a recurrence of its own or by its partial derivatives."""

        def slopes(out: Any, values: Any, ts: Any) -> Any:
            partials = SLOPES.get(rule.function, rule.partials)
            terms = [
                (t, shape_of(x), w if type(w) is int else slope(w, *values, out))
                for t, x, w in zip(ts, values, partials)
                if t is not None and not (type(w) is int and w == 0)
            ]
            return Series.combine(terms, shape_of(out), rule.select) if terms else None

        return self.primitive(rule.function, slopes, operands, y, tag, operands, DIRECT.get(rule.function))

    def primitive(
        self, function: Any, tangent: Any, operands: Any, y: Any, tag: Any, args: Any = (), direct: Any = None
    ) -> Any:
        """A function of value y, by solving the differential equation that its rule `tangent` states."""
        jets = self.jets
        _check_order(function, jets)
        key = (function, *map(_identity, args))
        if key in jets.made:
            return jets.made[key][0]
        equation = Equation(jets, tangent, operands, y, tag)
        inside, jets.solving = jets.solving, True
        token = None if inside else hush()
        try:
            result = equation.started(direct)
            if args and None not in key:
                jets.made[key] = result, args  # whose identity is in the key
                if function is np.negative:
                    jets.made[np.negative, id(result)] = operands[0], result
            return result if inside else equation.completed()
        except RecursionError:
            if inside:
                raise
            raise _too_high(function, jets, "whose derivatives are ever new functions") from None
        finally:
            if not inside:
                jets.finish()
                unhush(token)


class Equation:
    """The differential equation dy = F'(x, y) dx of a function, whose right-hand side its rule `tangent` tells.

    That is found when the first coefficient is asked for, by running the rule on the jets of the operands and of the
    result. Where its linear map changes along the line, tangents stand for t dx/dt, else for x less its value.
    """

    __slots__ = ("chain", "curved", "jets", "operands", "result", "right", "series", "tag", "tangent", "tangents", "y")

    def __init__(self, jets: Jets, tangent: Any, operands: Sequence[Any], y: Any, tag: Any) -> None:
        self.jets, self.tangent, self.operands, self.y, self.tag = jets, tangent, operands, y, tag
        self.tangents = [x.tangent if isinstance(x, Number) and x._tag == tag else None for x in operands]
        self.curved = [False]  # whether the linear map changes along the line
        self.right: Any = None  # the tangent that the rule gives for each result
        self.chain: list[Series] = []  # some of the series that the rule made, in order

    def started(self, direct: Any) -> Any:
        """The result as jets whose coefficients are computed on demand, if there is one by a recurrence of its own."""
        jets, values = self.jets, self.y if isinstance(self.y, tuple) else (self.y,)
        own = None
        if direct:
            given = [x if t is None else x.value for x, t in zip(self.operands, self.tangents)]
            own = direct(self.operands, given, self.tangents, self.y)
        self.series = [Series(jets, partial(self.coefficient, i, v)) for i, v in enumerate(values)]
        if own:
            self.series[0].step = partial(own, self.series[0])
        made = [wrap(v, s, self.tag) if dtype_of(v).kind in "fc" else v for v, s in zip(values, self.series)]
        self.result = _like(self.y, made)
        return self.result

    def completed(self) -> Any:
        """The result with all coefficients; what does not depend on the variable after all is no jet."""
        for s in self.series:
            s.complete()
        if self.right is None or None not in self.right:
            return self.result
        if not isinstance(self.y, tuple):
            return self.y
        return _like(self.y, [v if t is None else jet for v, t, jet in zip(self.y, self.right, self.result)])

    def coefficient(self, i: int, value: Any, k: int) -> Any:
        """Coefficient k of the i-th result."""
        if self.right is None:
            self.build()
        for s in self.chain:  # one after the other, or else the recursion becomes too deep
            s.below(k)
        t = self.right[i]
        if t is None:
            return np.zeros(shape_of(value), dtype_of(value))[()]
        return t[k] / k if self.curved[0] else t[k]

    def build(self) -> None:
        """The right-hand side, by running the rule."""
        jets, curved = self.jets, self.curved

        def along(t: Any) -> Any:
            return None if t is None else Series(jets, lambda k: t[k] * k if curved[0] else t[k])

        outer = jets.curved, jets.series
        jets.curved, jets.series = curved, []
        try:
            found = self.tangent(self.result, self.operands, [along(t) for t in self.tangents])
        finally:
            if len(jets.series) > LONG:
                self.chain = jets.series[::8]
            outer[1].extend(jets.series)
            jets.curved, jets.series = outer
        self.right = found if isinstance(self.y, tuple) else (found,)


LONG, MANY = 64, 100_000  # series that a rule makes
# Functions whose slopes are, in places, truncated series or differences: the order to which errors stay below 1e-9.
LIMITS = dict.fromkeys("sinc exprel erfcx rgamma poch binom".split(), 10) | {"spence": 8, "dawsn": 20}
LIMITS |= dict.fromkeys("k0e k1e kve ive ellipk ellipe ellipkm1".split(), 6)
LIMITS |= dict.fromkeys("betainc betaincc betaincinv betainccinv".split(), 20)


def _name(function: Any) -> str:
    return getattr(function, "__name__", "a function")


def _check_order(function: Any, jets: Jets) -> None:
    if len(jets.series) > MANY:
        raise _too_high(function, jets, "whose derivatives are made of ever more functions")
    limit = LIMITS.get(_name(function), jets.order)
    if jets.order > limit:
        raise _too_high(function, jets, f"whose slope is computed from series that are accurate to order {limit}")


def _too_high(function: Any, jets: Jets, why: str) -> NotDifferentiableError:
    return NotDifferentiableError(f"taylor{user_line()}: order {jets.order} is too high for {_name(function)}, {why}")


def _like(y: Any, parts: Sequence[Any]) -> Any:
    """The result, or the tuple of them that a function with several gives."""
    return parts[0] if not isinstance(y, tuple) else type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)


def _nothing(k: int) -> Any:
    raise IndexError(f"coefficient {k} is beyond the order")


def _moves(w: Any, jets: Jets) -> bool:
    """Whether w is a jet of this call, and no constant or number of another one."""
    return isinstance(w, Number) and isinstance(w.tangent, Series) and w.tangent.jets is jets


def _array(c: Any) -> Any:
    return c if is_array(c) else as_array(c) if isinstance(c, Number) else np.asarray(c)


def _identity(x: Any) -> Any:
    """What makes x the operand it was before, as part of a key; None where that can't be said."""
    if isinstance(x, Number) or (isinstance(x, np.ndarray) and x.size > 1000):
        return id(x)
    if isinstance(x, np.ndarray):
        return x.shape, x.dtype.str, x.tobytes()
    return (type(x), x) if isinstance(x, int | float | complex | np.generic) else None


# ---------------------------------------------------------------- products of series


def _inner(a: Sequence[Any], b: Sequence[Any]) -> Any:
    """a[0] * b[-1] + a[1] * b[-2] + ...; a coefficient that is exactly 0 is a strong zero."""
    total = sum(map(mul, a, b[::-1]))
    if finite(total):
        return total
    return sum(clear((plain(x) == 0) | (plain(y) == 0), x * y, True) for x, y in zip(a, b[::-1]))


def _over(a: Any, b: Any) -> Any:
    """a / b, and 0 where a is: nothing moves there, even where b is 0 too."""
    if type(a) is float and (type(b) is float or type(b) is int) and b:
        return a / b
    r = np.divide(a, b)
    return r if finite(r) else clear(plain(a) == 0, r, True)


# What is shorter, or more accurate, said directly: from the operands, their values, their series and the value of the
# result, the function that finds coefficient k of its series s; None where the differential equation must do.


def _multiply(_: Any, values: Any, ts: Any, y: Any) -> Any:
    (a0, b0), (a, b) = values, ts
    if a is not None and b is not None:
        return lambda s, k: scale(a[k], b0) + scale(b[k], a0) + _inner(a.below(k), b.below(k))


def _divide(_: Any, values: Any, ts: Any, y: Any) -> Any:
    (_, b0), (a, b) = values, ts

    def step(s: Series, k: int) -> Any:
        top: Any = 0.0 if a is None else a[k]
        if b is not None:
            top = top - scale(b[k], y) - _inner(b.below(k), s.below(k))
        return _over(top, b0)

    return step


def _power(operands: Any, values: Any, ts: Any, y: Any) -> Any:
    """By products for small whole exponents; else, where x0 is not 0, by x dy = p y dx, or as exp(p log(x))."""
    (x0, p), (x, q) = values, ts
    base = plain(x0)
    if x is None:
        return None
    if q is not None:
        if not np.all((base > 0) & np.isfinite(base)):
            return None
        e = (operands[1] * np.log(operands[0])).tangent  # dy = y de for e = p log(x)
        return lambda s, k: (scale(e[k] * k, y) + _inner([j * c for j, c in enumerate(e.below(k), 1)], s.below(k))) / k
    if type(p) in (int, float) and 1 < p < 64 and p == int(p):
        return _whole_power(x0, x, int(p))
    if not np.all(np.isfinite(base) & (base != 0)):
        return None

    def step(s: Series, k: int) -> Any:
        turned = [((p + 1) * j - k) * c for j, c in enumerate(x.below(k), 1)]
        return _over(scale(x[k] * (p * k), y) + _inner(turned, s.below(k)), k * x0)

    return step


def _whole_power(x0: Any, x: Series, n: int) -> Callable[[Series, int], Any]:
    result: Any = None
    square = x0, x
    while n:
        if n % 2:
            result = square if result is None else _product(result, square)
        n //= 2
        if n:
            square = _product(square, square)
    return lambda s, k: result[1][k]


def _product(p: tuple[Any, Series], q: tuple[Any, Series]) -> tuple[Any, Series]:
    (a0, a), (b0, b) = p, q
    times = _multiply(None, (a0, b0), (a, b), None)
    return a0 * b0, Series(a.jets, lambda k: times(None, k))


def _tanh_slope(m: Any, x: Any, y: Any) -> Any:
    """1 - y**2, whose coefficients do not cancel; its value would, so that is the table's."""
    return (1 - y * y)._with_value(ELEMENTWISE[np.tanh].partials[0](m, x.value, y.value))  # type: ignore[operator]


DIRECT: dict[Any, Any] = {
    np.multiply: _multiply,
    np.divide: _divide,
    np.power: _power,
    np.float_power: _power,
    np.square: lambda x, values, ts, y: _multiply(x, values * 2, ts * 2, y),
    np.reciprocal: lambda x, values, ts, y: _divide(x, [1.0, *values], [None, *ts], y),
}
SLOPES: dict[Any, Any] = {np.tanh: (_tanh_slope,)}
