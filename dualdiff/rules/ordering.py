"""Rules of functions that put elements in order: sorting, quantiles, the values of sets.

Which element stands where is constant nearby, so tangents follow the elements; equal ones keep their order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tangents import combine, gather
from .table import Plan, axes_of, axis_of, ndim, plain, refuse_out, rule, shape_of


def array_of(x: Any) -> Any:
    """An array-like that may hold Duals as something that has a shape."""
    if hasattr(x, "ndim"):
        return x
    a = np.asarray(x)
    like = next((v for v in a.ravel() if hasattr(v, "_tag")), None) if a.dtype == object else None
    return a if like is None else np.asarray(a, like=like)


# ---------------------------------------------------------------- sorting


@rule(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None, **options: Any) -> Any:
    if axis is None:
        a, axis = np.ravel(a), -1
    axis = axis_of(axis, ndim(a))
    return np.take_along_axis(a, np.argsort(plain(a), axis, order=order, stable=True, **options), axis)


@rule(np.sort_complex)
def sort_complex(a: Any) -> Any:
    return np.sort(a).astype(np.sort_complex(plain(a)[..., :0]).dtype)


@rule(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    """Elements go where NumPy's own partition puts them: both arrangements are matched through the sorted one."""
    if axis is None:
        a, axis = np.ravel(a), -1
    axis, values = axis_of(axis, ndim(a)), plain(a)
    arranged = np.partition(values, kth, axis, kind, order)
    where = np.empty(values.shape, np.intp)
    ranks = [np.argsort(v, axis, stable=True) for v in (arranged, values)]
    np.put_along_axis(where, ranks[0], ranks[1], axis)
    return np.take_along_axis(a, where, axis)


# ---------------------------------------------------------------- quantiles

# How far apart neighbouring elements are in q is 1 / (n + this); in the other methods the result jumps.
_SPREAD = {
    "linear": -1.0,
    "interpolated_inverted_cdf": 0.0,
    "hazen": 0.0,
    "weibull": 1.0,
    "median_unbiased": 1 / 3,
    "normal_unbiased": 1 / 4,
}


def rows_of(a: Any, axes: Any) -> Any:
    """a with these axes (negative numbers) made into a last one."""
    n = ndim(a)
    moved = np.moveaxis(a, axes, range(-len(axes), 0))
    shape = shape_of(moved)[: n - len(axes)]
    return np.reshape(moved, (*shape, int(np.prod(shape_of(moved)[len(shape) :]))))


def _quantiles(function: Any, of_ranks: Any, a: Any, q: Any, axis: Any, keepdims: Any, scale: int, **options: Any) -> Any:
    """A mean of two neighbours in order; which, and with what weights, NumPy says when asked for that of the ranks."""
    a = array_of(a)
    axes, shape = axes_of(axis, ndim(a)), shape_of(a)
    if options.get("weights") is not None:
        weights = np.broadcast_to(fitted(plain(options["weights"]), shape, axis), shape)
        options["weights"] = rows_of(weights, axes)
    result = Plan(
        (rows_of(a, axes), 0.5 if q is None else q),
        lambda v, q: function(v, q, axis=-1, **options),
        lambda out, values, tangents: _quantile_tangent(out, values, tangents, of_ranks, scale, options),
    )
    return result, (axes if keepdims else ())


def _quantile_tangent(out: Any, values: Any, tangents: Any, of_ranks: Any, scale: int, options: Any) -> Any:
    rows, q = values
    x, lead, n, shape = plain(rows), shape_of(rows)[:-1], shape_of(rows)[-1], shape_of(out)
    order = np.argsort(x, -1, stable=True)
    ranks = np.empty(x.shape)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(n, dtype=float), x.shape), -1)
    counted = ~np.isnan(x)
    if of_ranks is np.nanquantile:  # where all are NaN so is the result, whatever is said here
        ranks[~counted & counted.any(-1, keepdims=True)] = np.nan
    at = of_ranks(ranks, np.true_divide(plain(q), x.dtype.type(scale)), axis=-1, **options)
    low = np.clip(np.floor(at).astype(np.intp), 0, max(n - 2, 0))
    high = np.minimum(low + 1, n - 1)
    valid = ~np.isnan(plain(out))

    def pick(k: Any) -> Callable[[Any], Any]:
        flat = np.moveaxis(np.reshape(k, (-1, *lead)), 0, -1)
        numbers = np.take_along_axis(order, flat, -1)
        return lambda v: np.reshape(np.moveaxis(np.take_along_axis(v, numbers, -1), -1, 0), shape)

    method = options.get("interpolation") or options.get("method", "linear")
    count = counted.sum(-1) if of_ranks is np.nanquantile else n
    slope = (count + _SPREAD.get(method, 0.0)) / scale * (method in _SPREAD)
    if method != "linear":  # beyond the outermost elements the result is constant
        slope = np.where((at <= 0) | (at >= count - 1), 0.0, slope)
    q = np.reshape(q, shape_of(q) + (1,) * len(lead)) if hasattr(q, "_tag") else q
    share = np.clip(at - low, 0, 1) + slope * (q - plain(q))
    terms: list[Any] = []
    if tangents[0] is not None:
        for k, weight in ((low, 1 - share), (high, share)):
            terms.append((gather(tangents[0], x.shape, pick(k)), shape, np.where(valid, weight, 0.0)))
    if tangents[1] is not None:  # at an element the mean of the slopes on both sides
        back = low - ((at == low) & (low > 0))
        step = (pick(high)(rows) - pick(back)(rows)) / np.maximum(high - back, 1)
        spread = gather(tangents[1], shape_of(values[1]), lambda v: np.reshape(v, shape_of(v) + (1,) * len(lead)))
        terms.append((spread, shape_of(q) + (1,) * len(lead) if not hasattr(q, "_tag") else shape_of(q), step * slope))
    return combine(terms, shape, select=True)
