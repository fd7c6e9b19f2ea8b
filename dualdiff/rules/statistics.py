"""Rules of averages, covariances, histograms, and of the functions that skip NaN: all composed of others."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import composed
from ..core.number import Number
from ..core.table import Plan, rule
from ..core.tangents import scatter
from ..core.values import is_array, like_key, ndim, plain, shape_of
from .ordering import array_of
from .reductions import root

_cov = composed(np.cov)


@rule(np.cov)
def cov(m: Any, y: Any = None, *args: Any, fweights: Any = None, aweights: Any = None, **options: Any) -> Any:
    if fweights is not None and isinstance(aweights, Number):
        fweights = fweights + np.zeros_like(aweights, shape=np.shape(fweights))  # to be multiplied by them in place
    return _cov(m, y, *args, fweights=fweights, aweights=aweights, **options)


@rule(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *args: Any, dtype: Any = None, **unused: Any) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    if ndim(c) == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diag(c)))
    c = c / deviation[:, None] / deviation[None, :]
    return _rounded(np.real(c)) + 1j * _rounded(np.imag(c)) if c.dtype.kind == "c" else _rounded(c)


def _rounded(c: Any) -> Any:
    """Where rounding alone made it so, back to at most 1."""
    return np.where(np.abs(plain(c)) > 1, np.sign(plain(c)), c)


# ---------------------------------------------------------------- functions that skip NaN


def _counting(a: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options of the function that does not skip, with `where` saying which elements count."""
    return {**options, "where": ~np.isnan(plain(a)) & plain(options.get("where", True))}


def _skipping(function: Callable[..., Any], full: Callable[..., Any]) -> None:
    @rule(function)
    def skip(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, *args: Any, **options: Any) -> Any:
        return full(a, axis, dtype, None, *args, **_counting(a, options))


for _function, _full in ((np.nansum, np.sum), (np.nanprod, np.prod), (np.nanmean, np.mean)):
    _skipping(_function, _full)


@rule(np.nanvar)
def nanvar(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, **options: Any) -> Any:
    options = _counting(a, options)
    variance = np.var(a, axis, dtype, ddof=ddof, **options)
    count = np.sum(options["where"], axis, keepdims=options.get("keepdims", False))
    return np.where(count > options.get("correction", ddof), variance, np.nan)[()]


@rule(np.nanstd)
def nanstd(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, **options: Any) -> Any:
    return root(np.nanvar(a, axis, dtype, ddof=ddof, **options))


def _skipping_extreme(function: Callable[..., Any], full: Callable[..., Any], worst: float) -> None:
    @rule(function)
    def skip(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        options = _counting(a, options)
        if "initial" in options or 0 in shape_of(a):
            return full(a, axis, keepdims=keepdims, **options)
        none = ~np.any(options["where"], axis, keepdims=keepdims)
        if np.any(none):
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=2)
        return np.where(none, np.nan, full(a, axis, keepdims=keepdims, initial=worst, **options))[()]


_skipping_extreme(np.nanmax, np.max, -np.inf)
_skipping_extreme(np.nanmin, np.min, np.inf)


# ---------------------------------------------------------------- histograms


@rule(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """Linear in the weights; x itself holds integers."""
    if weights is None:
        return np.bincount(x, minlength=minlength)
    x = plain(x) if is_array(x) else np.asarray(x)
    return Plan((weights,), lambda w: np.bincount(x, w, minlength), lambda y, _, t: scatter(t[0], x + 1, shape_of(y)))


@rule(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """Evenly spaced between the smallest and the largest element, or as given."""
    edges = np.histogram_bin_edges(plain(a), plain(bins), plain(range), plain(weights))
    if ndim(bins) == 1 and not isinstance(bins, str):
        return array_of(bins)
    if range is None and not np.size(plain(a)):
        return edges
    low, high = (np.min(a), np.max(a)) if range is None else range
    if plain(low) == plain(high):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, len(edges))


@rule(np.histogram)
def histogram(a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """The counts are linear in the weights and piecewise constant in the data, whose range moves the edges."""
    edges = np.histogram_bin_edges(a, bins, range, weights)
    counts, at = np.histogram(plain(a), plain(bins), plain(range), weights=plain(weights))
    if isinstance(weights, Number):
        x = like_key(np.ravel(plain(a)), (at,))
        inside = (x >= at[0]) & (x <= at[-1])
        number = np.minimum(np.searchsorted(at, x[inside], "right") - 1, len(at) - 2)
        counts = scatter(np.ravel(weights)[inside], number + 1, (len(at) - 1,))
    return (counts / np.diff(edges) / np.sum(counts) if density else counts), edges
