"""The rules with kinks: the centre of the subdifferential, so that a tie in a maximum shares the tangent evenly.

All of them select: a branch that was not taken contributes nothing, whatever its own derivative is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tangents import combine, total
from .elementwise import elementwise
from .table import ELEMENTWISE, REDUCE, Elementwise, Plan, axes_of, plain, refuse_out, rule


def positive_part(x: Any) -> Any:
    """max(x, 0) of plain numbers: the value of relu."""
    return np.maximum(x, 0)


# fmt: off
#                          by x                                                   by y; a NaN operand has slope 0
elementwise(np.maximum,    lambda m, x, y, z: m.where(x == y, 0.5, x > y),        lambda m, x, y, z: m.where(x == y, 0.5, y > x), select=True)
elementwise(np.minimum,    lambda m, x, y, z: m.where(x == y, 0.5, x < y),        lambda m, x, y, z: m.where(x == y, 0.5, y < x), select=True)
elementwise(np.fmax,       lambda m, x, y, z: _ignoring_nan(m, x, y, x > y),      lambda m, x, y, z: _ignoring_nan(m, y, x, y > x), select=True)
elementwise(np.fmin,       lambda m, x, y, z: _ignoring_nan(m, x, y, x < y),      lambda m, x, y, z: _ignoring_nan(m, y, x, y < x), select=True)
elementwise(np.heaviside,  0,                                                     lambda m, x, y, z: x == 0, select=True)
# fmt: on
ELEMENTWISE[positive_part] = Elementwise(
    positive_part,
    (lambda m, x, y: x > 0,),
    lambda x: x if x > 0 or x != x else 0.0,
    select=True,
)


def _ignoring_nan(m: Any, x: Any, y: Any, wins: Any) -> Any:
    return m.where(m.isnan(y), x == x, m.where(x == y, 0.5, wins))


@rule(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """NumPy's own definition, minimum(maximum(a, low), high): half a slope at a bound comes from the ties."""
    low, high = a_min if min is None else min, a_max if max is None else max
    a = a if low is None else np.maximum(a, low)
    return a if high is None else np.minimum(a, high)


def _extreme(function: Any) -> None:
    """max or min over axes: all elements that tie share the tangent equally."""
    name = function.__name__

    def extreme(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Plan:
        refuse_out(name, out)
        where = plain(options.get("where", True))

        def tangent(r: Any, values: Any, tangents: Any) -> Any:
            x = np.asarray(plain(values[0]))
            axes = axes_of(axis, x.ndim)
            r = plain(function(x, axis=axes, keepdims=True, **options))
            # With initial= larger than all elements nothing ties, and nothing is divided by zero.
            ties = (x == r) & where
            count = np.maximum(ties.sum(axis=axes, keepdims=True) + (r == options.get("initial", np.nan)), 1)
            weight = (ties / count).astype(x.dtype)
            shared = combine([(tangents[0], x.shape, weight)], x.shape, select=True)
            return total(shared, x.shape, axes, bool(keepdims))

        return Plan((a,), lambda v: function(v, axis=axis, keepdims=keepdims, **options), tangent)

    rule(function)(extreme)


for _function in (np.max, np.min, np.amax, np.amin):
    _extreme(_function)
for _ufunc, _function in ((np.maximum, np.max), (np.minimum, np.min)):
    REDUCE[_ufunc] = _function


@rule(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> Any:
    """The range, max - min."""
    refuse_out("ptp", out)
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)
