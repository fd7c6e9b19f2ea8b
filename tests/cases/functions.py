"""Calculus, polynomials, assembly, order and statistics, in every form NumPy lets them be called.

A case is an expression, or the last of several statements; it is differentiated by all arrays that it names.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import dualdiff as dd

from .tools import leaves

rng = np.random.default_rng(2)
VARIABLES: dict[str, Any] = {
    "c": np.array(0.8),
    "u": rng.uniform(0.5, 1.5, 3),
    "v": rng.uniform(0.5, 1.5, 3),
    "w": rng.uniform(0.5, 1.5, 4),
    "long": rng.normal(size=20),
    "A": rng.uniform(0.5, 1.5, (3, 4)),
    "B": rng.uniform(0.5, 1.5, (3, 4)),
    "S": rng.uniform(0.5, 1.5, (3, 3)),
    "T": rng.uniform(0.5, 1.5, (2, 3, 4)),
    "knots": np.array([0.1, 0.6, 0.9, 2.0]),
    "gap": np.array([1.0, np.nan, 0.3, 2.0, 1.2]),
    "Gaps": np.where(np.arange(20).reshape(4, 5) % 3 == 1, np.nan, rng.normal(size=(4, 5))),
    "z": np.array([1.0 + 2.0j, -0.5 + 0.3j, 0.2 - 1.0j]),
}
CONSTANTS: dict[str, Any] = {
    "np": np,
    "dd": dd,
    "mask": rng.uniform(size=(3, 4)) > 0.5,
    "odd": np.array([True, False, True]),
    "grid": np.array([[0, 2], [1, 1], [2, 0]]),
    "index": np.array([2, 0, 1]),
    "weights": np.array([0.2, 1.0, 0.5]),
    "K": rng.normal(size=(3, 4)),
    "ragged": np.linspace(0.0, 3.0, 7) ** 1.5,
}


class Case:
    """An expression, or the last of several statements, as a function of the arrays that it names."""

    def __init__(self, source: str, extra: dict[str, Any] | None = None) -> None:
        *statements, last = source.split("; ")
        self.body, self.last = compile("; ".join(statements), source, "exec"), compile(last, source, "eval")
        self.names = [n for n in VARIABLES if re.search(rf"(?<![\w'\"]){n}(?![\w'\"=])", source)]
        self.arrays = [VARIABLES[n] for n in self.names]
        self.directions = [np.cos(7 * x.real) + (0.3j if np.iscomplexobj(x) else 0) for x in self.arrays]
        self.directions = [np.where(np.isnan(x), 1.0, v) for x, v in zip(self.arrays, self.directions)]
        self.extra = extra or {}

    def f(self, *arrays: Any) -> Any:
        scope = {**CONSTANTS, **self.extra, **dict(zip(self.names, arrays))}
        exec(self.body, scope)
        result = eval(self.last, scope)
        return tuple(leaves(result)) if isinstance(result, list | tuple) else result

    def along(self, f: Any, h: float) -> list[Any]:
        up, down = (leaves(f(*[x + s * v for x, v in zip(self.arrays, self.directions)])) for s in (h, -h))
        return [(a - b) / (2 * h) for a, b in zip(up, down)]


CALCULUS = """
np.sinc(u)  np.sinc(c)  np.sinc(0.3 * A)  np.i0(A)  np.i0(-3 * u)  np.i0(c)
np.interp(u, knots, w)  np.interp(c, knots, w)  np.interp(A - 1, knots, w, left=2.0, right=3.0)
np.interp(A, knots, w, right=c)
np.interp([0.2, 0.7], knots, w)  np.interp(u, [0, 1, 2], [0, 1, 0])  np.interp(5 * long, knots, w, period=3.0)
np.interp(u, knots, [1.0, 2.0, 1j, 4.0])  np.interp(u, knots[::-1], w, period=c + 2)
np.gradient(w)  np.gradient(A)  np.gradient(A, axis=0)  np.gradient(T, axis=(0, -1))  np.gradient(w, 0.5)
np.gradient(w, c)  np.gradient(A, 0.5, 2.0)  np.gradient(w, [0, 1, 3, 4])  np.gradient(w, [0, 1, 2, 3])
np.gradient(w, knots)  np.gradient(w, knots, edge_order=2)  np.gradient(A, 0.5, knots)  np.gradient(w, edge_order=2)
np.gradient(A, 2.0, edge_order=2)  np.gradient(T[0], u, knots, edge_order=2)  np.gradient([1.0, 2.0, 4.0, 0.0], knots)
np.trapezoid(w)  np.trapezoid(w, knots)  np.trapezoid(A, axis=0)  np.trapezoid(A, u[:, None], axis=0)
np.trapezoid(A, dx=0.1)  np.trapezoid(A, dx=c)  np.trapezoid(T, u, axis=1)  np.trapezoid([1.0, 2.0, 0.5], u)
np.ediff1d(A)  np.ediff1d(w, to_end=[1.0, 2.0])  np.ediff1d(w, u, 3.0)
np.unwrap(long * 5)  np.unwrap(A * 9, axis=0)  np.unwrap(w * 9, period=4.0)  np.unwrap(w * 9, period=c + 3)
np.unwrap(w * 9, 4.0)
np.convolve(u, w)  np.convolve(w, u, 'same')  np.convolve(u, w, mode='valid')  np.convolve(long, [1.0, -2.0, 1.0])
np.convolve(long, [1.0, -2.0, 1.0], 'valid')  np.convolve([1.0, -2.0, 1.0, 3.0], long, 'same')  np.convolve(u, u)
np.convolve(long, np.arange(18.0), 'same')  np.convolve(np.arange(18.0), long, 'valid')  np.convolve(w, [2.0], 'same')
np.convolve(z, u)  np.convolve(z, [1j, 2.0])  np.convolve(u, z, 'same')  np.convolve(c, w)
np.correlate(u, w)  np.correlate(w, u, 'same')  np.correlate(u, w, mode='full')  np.correlate(w, long, 'same')
np.correlate(long, [1.0, -2.0, 1.0], 'full')  np.correlate(z, u, 'full')
np.correlate(w[:2], w, 'same')  np.correlate(long, np.arange(18.0), 'same')
np.linspace(c, 3.0)  np.linspace(0.0, c, 5)  np.linspace(u, v, 4)  np.linspace(u, v, 4, endpoint=False)
np.linspace(A, u[:, None], 3, axis=-1)  np.linspace(c, u, 3, retstep=True)
np.linspace(c, u, 3, dtype=float, axis=1)  np.linspace(c, 3.0, 0)
np.logspace(c, 2.0, 4)  np.logspace(0.0, c, 3, endpoint=False, base=2.0)  np.logspace(u, v, 3, base=c)
np.logspace(c, 2.0, 3, base=u)  np.logspace(u, v, 3, axis=1, dtype=float)  np.logspace(c, 2, 3, base=u, axis=-1)
np.geomspace(c, 3.0, 5)  np.geomspace(u, v, 4, endpoint=False)  np.geomspace(-c, -3.0, 4)
np.geomspace(u, 9.0, 3, axis=1)
np.geomspace(z, 1.0, 4)  np.geomspace(c, 3.0, 1)
"""

POLYNOMIALS = """
np.vander(u)  np.vander(u, 2)  np.vander(u, 4, increasing=True)
np.polyval(u, w)  np.polyval([1, 2, 3], A)  np.polyval(u, 2.0)  np.polyval(A[0], c)  np.polyval([c, 1.0], u)
np.polyadd(u, w)  np.polyadd(w, [1.0])  np.polysub(u, w)  np.polysub([2.0, 1.0], u)  np.polymul(u, w)
np.polymul(u, [2.0])
np.polydiv(long[:6], u)  np.polydiv(w, [2.0, 1.0])  np.polydiv(u[:1], w)  np.polydiv([1.0, 2.0, 3.0], u[:2])
np.polyder(w)  np.polyder(w, 2)  np.polyder(w, m=0)  np.polyint(w)  np.polyint(w, 2)  np.polyint(u, 2, c)
np.polyint(u, 2, [1.0, c])  np.polyint([1.0, 2.0], k=[c])
np.poly(u)  np.poly(z)  np.poly([c, 1.0])  np.poly(S)  np.poly([c + 1j, c - 1j])
np.roots(u)  np.roots(w)  np.roots(z)  np.roots(np.concatenate([[0.0], w, [0.0]]))  np.roots([1.0, -c, -2.0])
np.polyfit(knots, w, 1)  np.polyfit(w, long[:4], 2)  np.polyfit(knots, A.T, 1)
np.polyfit(knots, [1.0, 2.0, 0.5, 3.0], 2)
np.polyfit(knots, w, 1, w=[1.0, 2.0, 0.5, 1.5])  np.polyfit(knots, A.T, 1, w=w)  np.polyfit(knots, w, 1, cov=True)
np.polyfit(knots, A.T, 1, cov='unscaled')  np.polyfit(knots, A.T, 1, cov=True)  np.polyfit(knots, w, 2, full=True)[:2]
"""

ASSEMBLY = """
np.take_along_axis(A, grid, 1)  np.take_along_axis(A, grid[:2, :1], axis=-2)  np.take_along_axis(A, index, None)
np.take_along_axis(T, np.argsort(T, axis=1), 1)  np.take_along_axis(A, index[:, None], 1)
np.compress(odd, A, 0)  np.compress([0, 1, 1], A)  np.compress(odd, u)  np.extract(mask, A)  np.extract(u > 1, u)
np.delete(A, 1)  np.delete(A, [0, -1], 1)  np.delete(A, slice(None, None, 2), 0)  np.delete(A, odd, axis=0)
np.insert(A, 1, u, axis=1)  np.insert(u, [0, 2], w[:2])  np.insert(u, 1, 5.0)  np.insert(A, [1, 1], c)
np.insert(np.zeros(3), 1, c)  np.insert(A, slice(1, 3), 2.0, axis=0)  np.insert(A, 0, w, 0)
np.choose(index, [u, v, 1.0])  np.choose(grid % 2, [c, u[:, None]])  np.choose([3, -1, 0], [u, v], mode='wrap')
np.select([A > 1.2, A > 0.8], [A**2, 3 * A])  np.select([mask, ~mask], [A, c], 5.0)  np.select([odd], [u], v)
np.select([odd, True], [u, [1.0, 2.0, 3.0]], default=c)
np.piecewise(u, [u < 1, u >= 1], [lambda a: -a, lambda a: a**2])  np.piecewise(A, [mask], [np.sin, 3.0])
np.piecewise(A, [A > 0.7, A > 1.1], [lambda a, k: k * a, lambda a, k: c * a, 0.5], 4.0)
np.piecewise(c, c > 0, [np.exp])
np.piecewise(u, odd, [lambda a: a * 2])  np.piecewise(u, [odd, ~odd], [c, 2.0])
np.block(u)  np.block([u, w])  np.block([[A, u[:, None]], [w, c]])  np.block([[[T]], [[T * 2]]])  np.block([c, 1.0, u])
np.hsplit(w, 2)  np.hsplit(A, [1, 3])  np.vsplit(A, 3)  np.dsplit(T, [1])
np.meshgrid(u, w)  np.meshgrid(u, w, c, indexing='ij')  np.meshgrid(u, [1.0, 2.0], sparse=True)
np.meshgrid(u, copy=False)
np.ix_(u, [1.0, 2.0])  np.apply_along_axis(np.sum, 0, A)  np.apply_along_axis(lambda r: r[1:] * r[0], 1, A)
np.apply_along_axis(np.diag, -1, T)  np.apply_along_axis(lambda r, k: np.outer(r, r) * k, 1, T, c)
np.apply_along_axis(lambda r: r[0] * c, 0, [[1.0, 2.0], [3.0, 4.0]])
np.apply_over_axes(np.sum, T, [0, -1])  np.apply_over_axes(np.mean, A, 0)  np.apply_over_axes(np.cumsum, A, (0, 1))
np.pad(u, 2)  np.pad(A, 1)  np.pad(A, ((1, 0), (0, 2)), constant_values=3.0)  np.pad(A, (1, 2), constant_values=c)
np.pad(A, 1, constant_values=((c, 1.0), (2.0, u[0])))  np.pad(A, [(1, 1), (0, 2)], 'edge')
np.pad(w, (5, 7), mode='wrap')
np.pad(A, 2, 'reflect')  np.pad(w, 9, 'reflect')  np.pad(A, ((0, 2), (4, 0)), 'symmetric')
np.pad(w, (2, 3), 'reflect', reflect_type='odd')  np.pad(w, (11, 14), 'reflect', reflect_type='odd')
np.pad(w, (2, 3), 'symmetric', reflect_type='odd')  np.pad(w, (11, 14), 'symmetric', reflect_type='odd')
np.pad(A, 2, 'reflect', reflect_type='odd')  np.pad(u[:1], 2, 'reflect', reflect_type='odd')
np.pad(A, (2, 1), 'linear_ramp')  np.pad(A, 2, 'linear_ramp', end_values=(c, 1.0))
np.pad(A, 2, 'maximum')  np.pad(A, 1, 'minimum', stat_length=2)  np.pad(A, (1, 2), 'mean', stat_length=((1, 2), (3, 9)))
np.pad(A, 1, 'mean')  np.pad(A, 1, 'median')  np.pad(w, 2, 'median', stat_length=3)
np.nan_to_num(gap)  np.nan_to_num(gap, nan=c)  np.nan_to_num(np.where(mask, A, np.inf), posinf=2.0)  np.nan_to_num(z)
np.nan_to_num(np.where(odd, u, -np.inf), neginf=c)  np.real_if_close(u + 0j)  np.real_if_close(z)  np.real_if_close(A)
"""

NEWER = """
np.astype(A, float)  np.unstack(A)  np.unstack(A, axis=-1)
"""

WRITES = """
np.copyto(y, c)  np.copyto(y, w)  np.copyto(y, B, where=mask)  np.copyto(y, 3.0, where=mask)
np.put(y, [0, 5, -1], u)  np.put(y, grid, w)  np.put(y, [40, 3], c, mode='clip')  np.put(y, [40, 3], [c, 1.0], 'wrap')
np.place(y, mask, u)  np.place(y, mask, [c, 2.0])  np.putmask(y, mask, B)  np.putmask(y, mask, u)
np.putmask(y, mask, 1.0)
np.put_along_axis(y, grid, B[:, :2], 1)  np.put_along_axis(y, index[:1, None], c, axis=0)
np.put_along_axis(y, index, u, None)
np.fill_diagonal(y, c)  np.fill_diagonal(y, u)  np.fill_diagonal(y[:, :2], u, wrap=True)  np.nan_to_num(y, copy=False)
np.add.at(y, ([0, 1, 1], [2, 0, 0]), u)  np.add.at(y, slice(None), B)  np.subtract.at(y, [0, 2, 0], c)
"""

CONJUGATING = "np.correlate(u, z, 'full')  np.correlate(z[:2], z, 'same')  np.correlate(z, z)"

SORTING = """
np.sort(long)  np.sort(A)  np.sort(A, 0)  np.sort(T, axis=None)  np.sort(T, axis=-2)  np.sort(A, kind='heapsort')
np.sort(u, stable=True)  np.sort(z)  np.sort_complex(z)  np.sort_complex(long)
np.partition(long, 7)  np.partition(A, (0, 2), axis=0)  np.partition(T, 5, axis=None)  np.partition(A, -2)
np.median(long)  np.median(A)  np.median(A, 0)  np.median(T, axis=(0, -1))  np.median(A, axis=1, keepdims=True)
np.median(T, (0, 2), keepdims=True)  np.median(c)  np.median(A * 1, overwrite_input=True)
np.nanmedian(gap)  np.nanmedian(Gaps, 0)  np.nanmedian(Gaps, axis=1, keepdims=True)  np.nanmedian(long)
np.quantile(long, 0.3)  np.quantile(A, [0.1, 0.5, 0.9], axis=1)  np.quantile(T, 0.4, axis=(0, 2), keepdims=True)
np.quantile(A, [[0.2, 0.7]], axis=0, keepdims=True)  np.quantile(long, [0.0, 1.0])  np.quantile(u[:1], 0.3)
np.quantile(A, 0.37, axis=0, weights=A[::-1] > 0.9, method='inverted_cdf')  np.quantile(long, c / 2)
np.quantile(A, [0.3, c], axis=1, weights=[1.0, 2.0, 0.5, 0.7], method='inverted_cdf')  np.quantile(A, u / 2, axis=0)
np.quantile([1.0, 2.0, 4.0], c)  np.percentile(long, 30)  np.percentile(long, [25, 50, 75])
np.percentile(A, 42.0, axis=-1)
np.percentile(A, 50 * u, 1)  np.nanquantile(gap, 0.3)  np.nanquantile(Gaps, [0.2, 0.9], axis=1)
np.nanquantile(Gaps, 0.5, keepdims=True)  np.nanpercentile(Gaps, 40, axis=0)  np.nanpercentile(Gaps, 60 * c, axis=0)
"""

SETS = """
np.unique(long)  np.unique(A)  np.unique(np.concatenate([u, u]))  np.unique(A, axis=0)  np.unique(A, axis=1)
np.unique(u, return_index=True)[0]  np.unique(u, True, True, True)[0]  np.unique(A, True, axis=0)[0]
np.unique_values(u)  np.unique_all(A).values  np.unique_counts(u).values  np.unique_inverse(A).values
np.union1d(u, w)  np.setdiff1d(long, long[3:5])  np.setdiff1d(u, [1.0])  np.setxor1d(u, w)
np.trim_zeros(np.where(odd, u, 0))  np.trim_zeros(u * [0, 1, 0], 'f')  np.trim_zeros(u * [0, 1, 0], 'b')
"""

AVERAGES = """
np.average(A)  np.average(A, 0)  np.average(A, axis=(0, 1))  np.average(T, axis=(0, -1), keepdims=True)
np.average(A, weights=B)  np.average(A, 1, w)  np.average(A, axis=0, weights=u)  np.average(A, weights=weights, axis=0)
np.average([1.0, 2.0, 4.0], weights=u)  np.average(T, axis=(2, 0), weights=A[:2].T)  np.average(A, 0, returned=True)
np.average(A, axis=1, weights=w, returned=True)  np.average(A, axis=0, weights=B, keepdims=True)
np.cov(A)  np.cov(u)  np.cov(u, v)  np.cov(A, B)  np.cov(A, rowvar=False)  np.cov(A.T, w[:, None], rowvar=False)
np.cov(A, bias=True)  np.cov(A, ddof=0)  np.cov(A, fweights=[1, 2, 1, 3])  np.cov(A, aweights=w)
np.cov(A, aweights=w, ddof=0)  np.cov(A, fweights=[1, 2, 1, 3], aweights=w)  np.cov([1.0, 2.0, 4.0], u)
np.corrcoef(A)  np.corrcoef(u, v)  np.corrcoef(A, rowvar=False)  np.corrcoef(A, B)  np.corrcoef(u)
"""

SKIPPING = """
np.nansum(gap)  np.nansum(Gaps, 0)  np.nansum(Gaps, axis=(0, 1), keepdims=True)  np.nansum(Gaps, initial=2.0)
np.nansum(Gaps, axis=1, where=[[True], [False], [True], [True]])  np.nansum(A)  np.nansum(gap, dtype=float)
np.nanprod(gap)  np.nanprod(Gaps, 1)  np.nanprod(Gaps, axis=0, keepdims=True)  np.nancumsum(Gaps)  np.nancumsum(Gaps, 1)
np.nancumprod(Gaps)  np.nancumprod(Gaps, axis=0)  np.nanmean(gap)  np.nanmean(Gaps, 0)
np.nanmean(Gaps, 1, keepdims=True)
np.nanmean(Gaps, where=[[True], [False], [True], [True]])  np.nanvar(gap)  np.nanvar(Gaps, 0)
np.nanvar(Gaps, axis=1, ddof=1)
np.nanvar(Gaps, keepdims=True)  np.nanstd(gap)  np.nanstd(Gaps, 0)  np.nanstd(Gaps, axis=1, ddof=1, keepdims=True)
np.nanmax(gap)  np.nanmax(Gaps, 0)  np.nanmax(Gaps, axis=(0, 1), keepdims=True)  np.nanmax(Gaps, initial=0.2, axis=1)
np.nanmin(gap)  np.nanmin(Gaps, 1)  np.nanmin(Gaps, where=[[True], [False], [True], [True]], initial=9.0)
np.nanmin(A, -1)
"""

HISTOGRAMS = """
np.bincount([0, 2, 2], u)  np.bincount([0, 2, 2], weights=u, minlength=5)
np.histogram(long, [-1.0, 0.0, 0.5], weights=long)
np.histogram(long, 4)  np.histogram(long, 4, density=True)  np.histogram(long, 3, (-1.0, c), weights=long**2)
np.histogram(A, 3, weights=B, density=True)  np.histogram(long, 'sturges')  np.histogram([1.0, 2.0, 3.0], 2, weights=u)
np.histogram_bin_edges(long)  np.histogram_bin_edges(A, 3)  np.histogram_bin_edges(u, knots)
np.histogram_bin_edges(c, 3)
np.histogram_bin_edges(long, 'auto')
"""
TABLES = [CALCULUS, POLYNOMIALS, ASSEMBLY, CONJUGATING, SORTING, SETS, AVERAGES, SKIPPING, HISTOGRAMS]
