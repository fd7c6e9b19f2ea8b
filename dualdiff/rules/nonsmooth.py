"""The rules with kinks: the centre of the subdifferential, so that a tie in a maximum shares the tangent evenly.

All of them select: a branch that was not taken contributes nothing, whatever its own derivative is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.kinks import lexicographic, met, ranks, watching
from ..core.mathematics import positive_part
from ..core.number import Number
from ..core.table import KINKS, REDUCE, Elementwise, Kink, Plan, register, rule, ufunc_axes
from ..core.tangents import combine, total
from ..core.values import dtype_of, ndim, plain, shape_of, size_of
from .elementwise import elementwise
from .structural import rows_along

# fmt: off
#                          by x                                                   by y; a NaN operand has slope 0
elementwise(np.maximum,    lambda m, x, y, z: m.where(x == y, 0.5, x > y),        lambda m, x, y, z: m.where(x == y, 0.5, y > x), select=True)
elementwise(np.minimum,    lambda m, x, y, z: m.where(x == y, 0.5, x < y),        lambda m, x, y, z: m.where(x == y, 0.5, y < x), select=True)
elementwise(np.fmax,       lambda m, x, y, z: _ignoring_nan(m, x, y, x > y),      lambda m, x, y, z: _ignoring_nan(m, y, x, y > x), select=True)
elementwise(np.fmin,       lambda m, x, y, z: _ignoring_nan(m, x, y, x < y),      lambda m, x, y, z: _ignoring_nan(m, y, x, y < x), select=True)
elementwise(np.heaviside,  0,                                                     lambda m, x, y, z: x == 0, select=True)
# fmt: on
register(Elementwise(positive_part, (lambda m, x, y: x > 0,), lambda x: x if x > 0 or x != x else 0.0, select=True))


def _ignoring_nan(m: Any, x: Any, y: Any, wins: Any) -> Any:
    return m.where(m.isnan(y), x == x, m.where(x == y, 0.5, wins))


# ---------------------------------------------------------------- where functions are not smooth


def _gap(x: Any, y: Any) -> Any:
    return np.where(x == y, 0.0, x - y)  # two equal infinities are a tie


def _step(x: Any) -> Any:
    """From the nearest integer."""
    return x - np.rint(x)


def _half(x: Any) -> Any:
    """From the nearest number that is rounded up and down alike."""
    return x - np.floor(x) - 0.5


def _multiple(x: Any, y: Any) -> Any:
    """From the nearest multiple of y."""
    return x - np.rint(x / y) * y


def _decimal(x: Any, decimals: Any = 0) -> Any:
    return _half(x * 10.0**decimals) / 10.0**decimals


# fmt: off
KINKS.update(dict.fromkeys([np.absolute, np.fabs, np.copysign, positive_part], Kink(lambda x: x)))
KINKS.update(dict.fromkeys([np.maximum, np.minimum, np.fmax, np.fmin],         Kink(_gap)))
KINKS[np.hypot] =                                                              Kink(lambda x, y: np.hypot(x, y), curved=True)
KINKS.update(dict.fromkeys([np.sign, np.signbit, np.heaviside],                Kink(lambda x: x, "jump")))
KINKS.update(dict.fromkeys([np.floor, np.ceil],                                Kink(_step, "jump")))
KINKS.update(dict.fromkeys([np.trunc, np.fix],                                 Kink(lambda x: np.where(np.abs(x) < 0.5, np.inf, _step(x)), "jump")))
KINKS[np.arctan2] =                                                            Kink(lambda x, y: np.where(y < 0, x, np.hypot(x, y)), "jump")
KINKS[np.rint] =                                                               Kink(_half, "jump")
KINKS.update(dict.fromkeys([np.round, np.around],                              Kink(_decimal, "jump")))
KINKS.update(dict.fromkeys([np.floor_divide, np.remainder],                    Kink(_multiple, "jump")))
KINKS[np.fmod] =                                                               Kink(lambda x, y: np.where(np.abs(x) < np.abs(y) / 2, np.inf, _multiple(x, y)), "jump")
KINKS.update(dict.fromkeys([np.less, np.less_equal, np.greater, np.greater_equal], Kink(_gap, "branch")))
# fmt: on


# ---------------------------------------------------------------- clip, max, min


@rule(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """NumPy's own definition, minimum(maximum(a, low), high): half a slope at a bound comes from the ties."""
    low, high = a_min if min is None else min, a_max if max is None else max
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _extreme(function: Any) -> None:
    """max or min over axes: all elements that tie share the tangent equally."""
    sign = 1 if function in (np.max, np.amax) else -1

    def extreme(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        axes = ufunc_axes(axis, ndim(a))
        if isinstance(options.get("initial"), Number):  # one more element
            rows = rows_along(np.where(options.get("where", True), a, -sign * np.inf), axes)
            first = np.broadcast_to(options["initial"], (*shape_of(rows)[:-1], 1))
            r = function(np.concatenate([rows, first], -1), axis=-1)
            return np.expand_dims(r, axes) if keepdims else r
        where = plain(options.get("where", True))
        rank = None
        if watching():
            if not isinstance(a.value, Number):  # the value of a nested derivative comes here by itself
                _report(function, sign, a.value, axes, keepdims, **options)
            if lexicographic():
                v = plain(a)
                best = function(v, axis=axes, keepdims=True, **options)
                rank = ranks(a, axes, function, v == best)

        def tangent(r: Any, values: Any, tangents: Any) -> Any:
            x = plain(values[0])
            shape = shape_of(x)
            r = plain(function(x, axis=axes, keepdims=True, **options))
            # With initial= larger than all elements nothing ties, and nothing is divided by zero.
            ties = (x == r) & where
            if rank is not None:
                ties &= rank == function(np.where(ties, rank, -sign * size_of(x)), axis=axes, keepdims=True)
            count = np.maximum(np.sum(ties, axis=axes, keepdims=True) + (r == options.get("initial", np.nan)), 1)
            weight = (ties / count).astype(dtype_of(x))
            shared = combine([(tangents[0], shape, weight)], shape, select=True)
            return total(shared, shape, axes, bool(keepdims))

        return Plan((a,), lambda v: function(v, axis=axis, keepdims=keepdims, **options), tangent)

    rule(function)(extreme)


def _report(
    function: Any, sign: int, v: Any, axes: Any, keepdims: bool, where: Any = True, initial: Any = None
) -> None:
    """The kink is where the largest two elements tie; for the minimum, where sign is -1, the smallest two."""
    rows = sign * rows_along(np.where(plain(where), v, -sign * np.inf), axes)
    if not rows.size:
        return
    second, top = np.partition(rows, -2)[..., -2:].T if rows.shape[-1] > 1 else (-np.inf, rows[..., 0].T)
    second, top = (np.expand_dims(np.transpose(t), axes if keepdims else ()) for t in (second, top))
    gap = _gap(top, second)
    if initial is not None and np.isfinite(initial):
        start = sign * initial
        met(function, _gap(top, start), sign * top, ordered=False, why="initial= has no tangent to compare")
        gap = np.where(start > top, np.inf, gap)
    met(function, gap, sign * top, sign * second)


for _function in (np.max, np.min, np.amax, np.amin):
    _extreme(_function)
REDUCE.update({np.maximum: np.max, np.minimum: np.min})


@rule(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """The range, max - min."""
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)
