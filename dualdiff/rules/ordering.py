"""Rules of functions that put elements in order: sorting, quantiles, the values of sets.

Which element stands where is constant nearby, so tangents follow the elements; equal ones keep their order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.kinks import lexicographic, met, ranks, watching
from ..core.number import Number
from ..core.table import axes_of, axis_of, rule
from ..core.values import ndim, plain, shape_of, to_array
from .structural import order_of_copy, rows_along


def array_of(x: Any) -> Any:
    """A list that may hold Duals as an array; arrays and numbers as they are."""
    if not isinstance(x, list | tuple):
        return x
    a = to_array(x)
    like = next((v for v in a.ravel() if isinstance(v, Number)), None) if a.dtype == object else None
    return a if like is None else np.asarray(a, like=like)


# ---------------------------------------------------------------- sorting


def _by_memory(function: Any, a: Any, axis: int, *args: Any, **options: Any) -> Any:
    """A function along an axis whose result lies in memory as `a` does; None where that is C's order anyway."""
    order = order_of_copy(a) if ndim(a) > 1 else [0]
    if order == list(range(len(order))):
        return None
    moved = function(np.transpose(a, order), *args, axis=order.index(axis + len(order)), **options)
    return np.transpose(moved, np.argsort(order).tolist())


@rule(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None, **options: Any) -> Any:
    if axis is None:
        a, axis = np.ravel(a), -1
    axis = axis_of(axis, ndim(a))
    moved = _by_memory(np.sort, a, axis, kind=kind, order=order, stable=stable)
    if moved is not None:
        return moved
    _report(np.sort, a, axis)
    places = places_of(np.sort, a, axis)
    return np.take_along_axis(a, np.argsort(places, axis, order=order, stable=True, **options), axis)


def places_of(function: Any, a: Any, axis: int) -> Any:
    """What tells the order of a: its values, or in kinks("lexicographic") its ranks, where tangents decide ties."""
    places = ranks(a, axis, function) if lexicographic() else None
    return plain(a) if places is None else places


def _report(function: Any, a: Any, axis: int) -> None:
    if watching() and ndim(a):
        ordered = np.sort(plain(a), axis)
        low, high = (np.delete(ordered, k, axis) for k in (slice(-1, None), slice(1)))
        met(function, high - low, low, high)


@rule(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None) -> Any:
    """Elements go where NumPy's own partition puts them: both arrangements are matched through the sorted one."""
    if axis is None:
        a, axis = np.ravel(a), -1
    axis, values = axis_of(axis, ndim(a)), plain(a)
    moved = _by_memory(np.partition, a, axis, kth, kind=kind, order=order)
    if moved is not None:
        return moved
    _report(np.partition, a, axis)
    places = places_of(np.partition, a, axis)
    arranged = np.partition(values, kth, axis, kind, order)
    ranks = np.argsort(np.argsort(arranged, axis, stable=True), axis)
    chosen = np.take_along_axis(np.argsort(places, axis, stable=True), ranks, axis)
    return np.take_along_axis(a, chosen, axis)


# ---------------------------------------------------------------- quantiles


class _Ordered:
    """Rows of numbers along `axes`, their order, and how many of each row count."""

    def __init__(self, function: Any, a: Any, axis: Any, skip_nan: bool) -> None:
        n = ndim(a)
        self.axes = axes_of(axis, n)
        self.rows = rows_along(a, self.axes)
        self.values = plain(self.rows)
        self.order = np.argsort(places_of(function, self.rows, -1), -1, stable=True)
        self.function = function
        nan = np.isnan(self.values)
        self.bad = nan.all(-1) if skip_nan else nan.any(-1)
        self.counted = ~nan | self.bad[..., None] if skip_nan else np.ones(nan.shape, bool)
        self.count = self.counted.sum(-1)
        if skip_nan and self.bad.any():
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=2)

    def pick(self, k: Any) -> Any:
        """The element that is number k in the order of its row; k may have leading axes."""
        return self._of_rows(self.rows, self._of_rows(self.order, k))

    def _of_rows(self, rows: Any, k: Any) -> Any:
        """Number k of each of these rows."""
        numbers = np.moveaxis(np.reshape(k, (-1, *self.bad.shape)), 0, -1)
        return np.reshape(np.moveaxis(np.take_along_axis(rows, numbers, -1), -1, 0), np.shape(k))

    def report(self, low: Any, share: Any) -> None:
        """The kinks of a mean of two: where neighbours in order, of which one counts more, tie."""
        if watching():
            gaps = np.diff(np.take_along_axis(self.values, self.order, -1), prepend=-np.inf, append=np.inf)
            near = [self._of_rows(gaps, np.minimum(low + k, gaps.shape[-1] - 1)) for k in range(3)]
            counts = (share < 1, share != 0.5, share > 0)
            d = np.min(np.stack([np.where(c, d, np.inf) for c, d in zip(counts, near)]), axis=0)
            met(self.function, d, plain(self.pick(low)))

    def result(self, r: Any, keepdims: Any) -> Any:
        r = np.where(self.bad, np.nan, r)[()]
        return np.expand_dims(r, self.axes) if keepdims is True else r


def _median(function: Callable[..., Any], skip_nan: bool) -> None:
    def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
        if 0 in shape_of(a):
            return np.mean(a, axis, keepdims=keepdims is True)
        x = _Ordered(function, a, axis, skip_nan)
        x.report((x.count - 1) // 2, np.where(x.count % 2, 0.0, 0.5))
        return x.result(0.5 * x.pick((x.count - 1) // 2) + 0.5 * x.pick(x.count // 2), keepdims)

    rule(function)(median)


_median(np.median, False)
_median(np.nanmedian, True)

# Virtual positions move by (count + this) per unit of q; in the other methods the result is piecewise constant in q.
_GROWTH = {"linear": -1.0, "interpolated_inverted_cdf": 0.0, "hazen": 0.0, "weibull": 1.0}
_GROWTH |= {"median_unbiased": 1 / 3, "normal_unbiased": 1 / 4}


def _quantile(function: Callable[..., Any], scale: int, skip_nan: bool) -> None:
    """A weighted mean of two neighbours in order: NumPy gives the position when it is asked for that of the ranks."""
    of_ranks: Any = np.nanquantile if skip_nan else np.quantile

    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
        **options: Any,
    ) -> Any:
        a, q = array_of(a), array_of(q) if isinstance(q, list | tuple) else q
        if a.dtype.kind == "c":
            raise TypeError("a must be an array of real numbers")
        method = options.get("interpolation") or method  # its name until NumPy 2.4
        level = plain(q) / a.dtype.type(scale) if a.dtype.kind == "f" else plain(q) / scale
        given = None if weights is None else np.ones(1)
        dtype = of_ranks(np.zeros(1, a.dtype), level, method=method, weights=given).dtype  # and NumPy's errors
        x = _Ordered(function, a, axis, skip_nan)
        if weights is not None:
            weights = rows_along(np.broadcast_to(fitted(plain(weights), shape_of(a), axis), shape_of(a)), x.axes)
        lead = x.bad.shape
        ranks = np.where(x.counted, np.argsort(x.order, -1), np.nan)
        at = of_ranks(ranks, level, axis=-1, method=method, weights=weights)
        low = np.clip(np.floor(at).astype(np.intp), 0, np.maximum(x.count - 2, 0))
        high = np.minimum(low + 1, x.count - 1)
        share = np.clip(at - low, 0, 1)
        x.report(low, share)
        if not isinstance(q, Number):
            return x.result(_mean_of_two(x.pick(low), x.pick(high), share).astype(dtype), keepdims)
        between = np.where(share == 0, 0.0, 1.0) if method == "linear" else share
        along = np.reshape(level, shape_of(level) + (1,) * len(lead))
        met(function, between, along, ordered=False, why="the position is that of an element, where q has a kink")
        # At an element the slope in q is the mean of those on both sides; beyond the outermost positions it is 0.
        growth = (x.count + _GROWTH.get(method, 0.0)) / scale * (method in _GROWTH)
        flat = 0.0 if method == "linear" else (at <= 0) | (at >= x.count - 1)
        back = low - ((share == 0) & (low > 0))
        slope = growth * (1 - flat) * (x.pick(high) - x.pick(back)) / np.maximum(high - back, 1)
        moved = np.reshape(q, shape_of(along))
        result = _mean_of_two(x.pick(low), x.pick(high), share) + slope * (moved - plain(moved))
        return x.result(result.astype(dtype), keepdims)

    rule(function)(quantile)


def _mean_of_two(low: Any, high: Any, share: Any) -> Any:
    """low + (high - low) * share as NumPy rounds it; an element without a share contributes nothing."""
    low, high = np.where(share == 1, plain(low), low), np.where(share == 0, plain(high), high)
    return np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))


_quantile(np.quantile, 1, False)
_quantile(np.percentile, 100, False)
_quantile(np.nanquantile, 1, True)
_quantile(np.nanpercentile, 100, True)


def fitted(weights: Any, shape: Any, axis: Any) -> Any:
    """Weights that belong to some axes only, with length 1 along the others."""
    if shape_of(weights) == shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = [k + len(shape) for k in axes_of(axis, len(shape))]
    if shape_of(weights) != tuple(shape[k] for k in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
    ordered = np.transpose(weights, np.argsort(axes))
    return np.reshape(ordered, [s if k in axes else 1 for k, s in enumerate(shape)])


# ---------------------------------------------------------------- the values of sets


def _with_values(a: Any, values: Any) -> Any:
    """The elements of a that have these values, in their order: of equal ones the first."""
    flat = np.ravel(a)
    if watching() and flat.size:
        ordered = np.sort(plain(flat))
        why = "values that coincide are one value, but two beside that point"
        met(np.unique, np.diff(ordered), ordered[:-1], ordered[1:], kind="jump", ordered=False, why=why)
    order = np.argsort(plain(flat), stable=True)
    return flat[order[np.searchsorted(plain(flat), values, sorter=order)]]


@rule(np.unique)
def unique(ar: Any, *args: Any, **options: Any) -> Any:
    result = np.unique(plain(ar), *args, **options)
    axis = options.get("axis", args[3] if len(args) > 3 else None)
    if axis is None:
        values = _with_values(ar, result[0] if isinstance(result, tuple) else result)
    else:
        options = {k: v for k, v in options.items() if k in ("equal_nan", "sorted")}
        values = np.take(ar, np.unique(plain(ar), True, axis=axis, **options)[1], axis)
    return (values, *result[1:]) if isinstance(result, tuple) else values
