"""Taylor arithmetic: f along a line to any order in one pass, at a cost of O(order**2) for each operation.

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

import math
from collections.abc import Callable, Sequence
from functools import partial
from operator import mul
from typing import Any

import numpy as np

from ..core import tangents
from ..core.dual import Dual, DualArray
from ..core.elementwise import slope
from ..core.errors import NotDifferentiableError, user_line
from ..core.making import as_array, wrap
from ..core.table import ELEMENTWISE, Elementwise
from ..core.tangents import LinearMap, Structured, clear, finite, hush, scale, unhush, writable
from ..core.values import Shape, dtype_of, is_complex, plain, shape_of, size_of
from ..run.call import Call, Function, check_holomorphic, number
from ..run.checks import check_function, check_order, fitting

__all__ = ["taylor"]


class Jets:
    """What the jets of one call share: the order, and what is under way in the primitive being worked on."""

    __slots__ = ("curved", "made", "order", "series", "solving")

    def __init__(self, order: int) -> None:
        self.order = order
        self.solving = False  # whether a rule is running on jets: what it makes is computed on demand
        self.made: dict[Any, Any] = {}  # the functions it has met, so that systems close
        self.curved = [False]  # whether its linear map changes along the line
        self.series: list[Series] = []  # those computed on demand


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
        return Series(self.jets, lambda k: np.zeros(value.shape, value.dtype))

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
        values = y if isinstance(y, tuple) else (y,)
        ts = [x.tangent if isinstance(x, Dual) and x._tag == tag else None for x in operands]
        equation: list[Any] = []
        chain: list[Series] = []

        def build() -> None:
            """The right-hand side, by running the rule on the jets of the operands and of the result."""
            curved = [False]
            outer = jets.curved, jets.series
            jets.curved, jets.series = curved, []

            def given(t: Any) -> Any:
                return None if t is None else Series(jets, lambda k: t[k] * k if curved[0] else t[k])

            try:
                found = tangent(result, operands, list(map(given, ts)))
            finally:
                if len(jets.series) > LONG:
                    chain[:] = jets.series[::8]
                outer[1].extend(jets.series)
                jets.curved, jets.series = outer
            equation[:] = found if isinstance(y, tuple) else (found,), curved

        def step(i: int, k: int) -> Any:
            if not equation:
                build()
            for s in chain:  # in order, or else the recursion becomes too deep
                s.below(k)
            found, curved = equation
            if found[i] is None:
                return np.zeros(shape_of(values[i]), dtype_of(values[i]))[()]
            return found[i][k] / k if curved[0] else found[i][k]

        inside, jets.solving = jets.solving, True
        token = None if inside else hush()
        try:
            own = direct and direct(operands, [x if t is None else x.value for x, t in zip(operands, ts)], ts, y)
            series = [Series(jets, partial(step, i)) for i in range(len(values))]
            if own:
                series[0].step = partial(own, series[0])
            made = [wrap(v, s, tag) if dtype_of(v).kind in "fc" else v for v, s in zip(values, series)]
            result = _like(y, made)
            if args and None not in key:
                jets.made[key] = result, args  # whose identity is in the key
                if function is np.negative:
                    jets.made[np.negative, id(result)] = operands[0], result
            if not inside:
                for s in series:
                    s.complete()
                if equation:  # what does not depend on the variable after all
                    result = _like(y, [v if d is None else m for v, d, m in zip(values, equation[0], made)])
        except RecursionError:
            if inside:
                raise
            raise NotDifferentiableError(
                f"taylor{user_line()}: order {jets.order} is too high for {_name(function)}, whose derivatives are "
                "ever new functions"
            ) from None
        finally:
            if not inside:
                jets.solving = False
                jets.made.clear()
                for s in jets.series:
                    s.step = _nothing  # which holds the others
                jets.series.clear()
                unhush(token)
        return result


LONG, MANY = 64, 100_000  # series that a rule makes
# Functions whose slopes are, in places, truncated series or differences: the order to which errors stay below 1e-9.
LIMITS = dict.fromkeys("sinc exprel erfcx rgamma poch binom".split(), 10) | {"spence": 8, "dawsn": 20}
LIMITS |= dict.fromkeys("k0e k1e kve ive ellipk ellipe ellipkm1".split(), 6)
LIMITS |= dict.fromkeys("betainc betaincc betaincinv betainccinv".split(), 20)


def _name(function: Any) -> str:
    return getattr(function, "__name__", "a function")


def _check_order(function: Any, jets: Jets) -> None:
    order = jets.order
    if len(jets.series) > MANY:
        raise NotDifferentiableError(
            f"taylor{user_line()}: order {order} is too high for {_name(function)}, whose derivatives are made of ever "
            "more functions"
        )
    limit = LIMITS.get(_name(function), order)
    if order > limit:
        raise NotDifferentiableError(
            f"taylor{user_line()}: order {order} of {_name(function)}, whose slope is computed from truncated series "
            f"that are accurate to order {limit}"
        )


def _like(y: Any, parts: Sequence[Any]) -> Any:
    """The result, or the tuple of them that a function with several gives."""
    return parts[0] if not isinstance(y, tuple) else type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)


def _nothing(k: int) -> Any:
    raise IndexError(f"coefficient {k} is beyond the order")


def _moves(w: Any, jets: Jets) -> bool:
    """Whether w is a jet of this call, and no constant or number of another one."""
    return isinstance(w, Dual) and isinstance(w.tangent, Series) and w.tangent.jets is jets


def _array(c: Any) -> Any:
    return c if isinstance(c, np.ndarray | DualArray) else as_array(c) if isinstance(c, Dual) else np.asarray(c)


def _identity(x: Any) -> Any:
    """What makes x the operand it was before, as part of a key; None where that can't be said."""
    if isinstance(x, Dual) or (isinstance(x, np.ndarray) and x.size > 1000):
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
    base = np.asarray(plain(x0))
    if x is None:
        return None
    if q is not None:
        if not np.all((base > 0) & np.isfinite(base)):
            return None
        e = (operands[1] * np.log(operands[0])).tangent  # dy = y de for e = p log(x)
        return lambda s, k: (
            scale(e[k] * k, y) + _inner([j * c for j, c in enumerate(e.below(k), 1)], s.below(k))
        ) / k
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


# ---------------------------------------------------------------- the transform


def taylor(f: Function, x: Any, order: int, direction: Any = None) -> Any:
    """The Taylor coefficients of f at x, f^(k)(x) / k! for k = 0, ..., order, exact to rounding, in one pass.

    Parameters
    ----------
    f : callable of one argument
    x : number, array_like or container of them
    order : int
        The highest order, at least 0. The cost of each operation in f grows as order**2.
    direction : as x, optional
        v of the same structure and shapes as x: the coefficients are those of t -> f(x + t v). Without it x moves by 1:
        a number, or each element of an array by itself, of which f must then be an elementwise function.

    Returns
    -------
    ndarray
        Of shape (order + 1,) + out.shape. For a container as result, the same container of such arrays.

    Raises
    ------
    ValueError
        If order is negative or no int, the direction does not fit, or f of an array is not elementwise and no direction
        is given.
    TypeError
        If f is no function, or not holomorphic in a complex x.

    Notes
    -----
    At a kink, and at a branch, the coefficients are those of the side on which the value is, as nesting `derivative`
    gives; at a tie in a maximum the pieces share them evenly.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.taylor(np.exp, 0.0, 4) * [1, 1, 2, 6, 24]
    array([1., 1., 1., 1., 1.])
    >>> dd.taylor(lambda x: x[0] * x[1], [2.0, 3.0], 2, direction=[1.0, 1.0])
    array([6., 5., 1.])
    """
    check_function("taylor", f, "taylor(f, x, order)")
    order = check_order("taylor", order)
    call = Call("taylor", f, 0, (x,), {})
    if direction is None:
        coefficients, rebuild = along_one(call, order)
        return rebuild(coefficients)
    line, _ = fitting("taylor", "the direction", direction, "x", x, call.leaves)
    coefficients, rebuild = series_along(call, line, order)
    return rebuild(coefficients)


def series_along(call: Call, line: Sequence[Any], order: int) -> tuple[list[Any], Callable[[Any], Any]]:
    """The coefficients of each leaf of f's result along a line, on a leading axis, and how to rebuild the result."""
    jets = Jets(order)
    seeds = [Series(jets, lambda k, v=v: v if k == 1 else v * 0) for v in line]  # type: ignore[misc]
    values, ts, rebuild = call.run(seeds)
    return [_stacked(v, t, order) for v, t in zip(values, ts)], rebuild


def _stacked(v: Any, t: Any, order: int) -> Any:
    shape = shape_of(v)
    known = [np.zeros(shape, dtype_of(v))[()]] * order if t is None else t.below(order + 1)
    if any(isinstance(c, Dual) for c in (v, *known)):
        return np.stack([c if shape_of(c) == shape else np.broadcast_to(c, shape) for c in (v, *known)])
    made = np.empty((order + 1, *shape), dtype_of(v))
    for k, c in enumerate((v, *known)):
        made[k] = c
    return made


def along_one(call: Call, order: int, one: float = 1.0) -> tuple[list[Any], Callable[[Any], Any]]:
    """The coefficients of a function of a number, or of an elementwise function of an array for each element, which
    moves by `one`, a power of two."""
    if len(call.leaves) != 1:
        raise TypeError(
            f"{call.name}: the argument is a container; use gradient or jacobian, or give taylor a direction="
        )
    (x,) = call.leaves
    line: Any = one if isinstance(x, float) else np.full(shape_of(x), one, dtype_of(x))[()]
    coefficients, rebuild = series_along(call, [line], order)
    if is_complex(x):
        for c, turned in zip(coefficients, series_along(call, [1j * line], order)[0]):
            for k in range(1, order + 1):
                check_holomorphic(call, 1j ** (k - 1) * c[k], turned[k])
    for v in probes(x, order) if shape_of(x) else ():
        powers = v ** np.arange(order + 1).reshape(-1, *(1,) * v.ndim)
        for c, scaled in zip(coefficients, series_along(call, [v * line], order)[0]):
            instead = "give taylor a direction=, or use jacobian(f) for all partial derivatives"
            check_elementwise(call, c, powers, scaled, instead)
    return coefficients, rebuild


def highest(call: Call, order: int) -> Any:
    """The derivative of that order, where nesting would cost more."""
    step = 2 ** max(round(math.log2(order / math.e)), 0)  # so that the coefficients are about the derivatives
    leaves, rebuild = along_one(call, order, float(step))
    factor = math.factorial(order) / step**order
    return rebuild([number(c[order] * factor) for c in leaves])


def probes(x: Any, order: int) -> list[Any]:
    """Directions, powers of two, in which any two elements of x differ at least once: of f elementwise they scale
    coefficient k by their k-th powers, without any rounding."""
    reach = {8: 400, 4: 60}.get(np.zeros((), dtype_of(x)).real.dtype.itemsize, 4)  # as far as exponents go, by half
    base, numbers, probes = max(2, min(64, 2 * (reach // max(order, 1)))), np.arange(size_of(x)), []
    while numbers.any():
        probes.append((2.0 ** (numbers % base - base // 2)).astype(dtype_of(x)).reshape(shape_of(x)))
        numbers = numbers // base
    return probes


def check_elementwise(call: Call, t: Any, factor: Any, scaled: Any, instead: str) -> None:
    """Raise unless derivatives `scaled`, where x moves in other directions than for t, are t times `factor`."""
    same = shape_of(t) == shape_of(factor)
    if same:
        with np.errstate(all="ignore"):
            expected, found = factor * plain(t), plain(scaled)
            rtol = 1e-6 if dtype_of(found).itemsize >= 8 else 1e-2
            near = np.isclose(expected, found, rtol=rtol, atol=0, equal_nan=True)
            same = bool(np.all(near | ((np.abs(expected) < 1e-290) & (np.abs(found) < 1e-290))))
    if not same:
        shape = shape_of(call.leaves[0])
        raise ValueError(f"{call.name}: f of an array of shape {shape} is not elementwise; {instead}")
