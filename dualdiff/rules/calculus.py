"""Rules of numerical calculus and signals: interpolation, differences, integrals, convolution, spaced numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..tangents import combine, contract, finite, gather, linear
from ..tangents import ndim as directions
from .ordering import array_of
from .table import Plan, axes_of, axis_of, ndim, plain, rule, shape_of

# ---------------------------------------------------------------- functions with a removable singularity


def near(u: Any, radius: float, coefficients: Any, formula: Callable[[Any], Any]) -> Any:
    """`formula(u)`, or the power series where |u| is small and the formula would cancel: right in every derivative."""
    close = np.abs(plain(u)) < radius
    series = np.polyval(coefficients[::-1], np.where(close, u, 0.0))
    return np.where(close, series, formula(np.where(close, radius, u)))[()]


_SINC = [(-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(1, 15)]


def sinc_slope(x: Any) -> Any:
    """The derivative of np.sinc, odd in x; the formula alone cancels near 0."""
    return near(x, 0.5, [c for k in _SINC for c in (0.0, k)], lambda x: (np.cos(np.pi * x) - np.sinc(x)) / x)


_ANGLES = [(k + 0.5) * math.pi / 160 for k in range(80)]


def _i1(x: Any) -> Any:
    """The Bessel function I1 by the midpoint rule, which converges exponentially and has no cancellation."""
    return sum(np.sinh(x * math.cos(a)) * (math.cos(a) / 80) for a in _ANGLES)


def _slope(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> None:
    @rule(function)
    def smooth(x: Any) -> Plan:
        return Plan((x,), function, lambda _, v, t: combine([(t[0], shape_of(v[0]), slope(v[0]))], shape_of(v[0])))


_slope(np.sinc, sinc_slope)
_slope(np.i0, _i1)


# ---------------------------------------------------------------- interpolation


@rule(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """A broken line: at a knot its slope is the mean of those on both sides."""
    x, xp, fp = array_of(x), array_of(xp), array_of(fp)
    if period is not None:
        if plain(period) == 0:
            raise ValueError("period must be a non-zero value")
        period = np.abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(plain(xp))
        xp, fp, left, right = xp[order], fp[order], None, None
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    knots, at, n = plain(xp), plain(x), shape_of(xp)[0]
    low = np.clip(np.searchsorted(knots, at, "right") - 1, 0, max(n - 2, 0))
    high = np.minimum(low + 1, n - 1)
    before, behind = at < knots[0], at > knots[-1]

    inside = (at >= knots[0]) & (at <= knots[-1])

    def tangent(y: Any, values: Any, tangents: Any) -> Any:
        (x, xp, fp), (dx, dxp, dfp, dleft, dright), shape = values[:3], tangents, shape_of(y)
        steps = np.where(np.diff(knots) == 0, 1.0, np.diff(xp))
        slopes = np.diff(fp) / steps
        if n > 1:
            share = np.where(inside, (x - np.take(xp, low)) / np.take(steps, low), behind)
            slope = np.where(inside, np.take(slopes, low), 0.0)
        else:
            share = slope = np.zeros(shape)
        for knot, other in ((low, low - 1), (high, high)):  # at a knot, the segment beside the one evaluated
            level = ((knot == 0) & (left is None)) | ((knot == n - 1) & (right is None))
            within = (knot > 0) & (knot < n - 1) & (np.take(np.diff(knots, append=np.nan), other) > 0)
            beside = np.where(within, np.take(slopes, other, mode="clip"), np.where(level, 0.0, slope)) if n > 1 else slope
            slope = np.where(at == np.take(knots, knot), (slope + beside) / 2, slope)
        keep = np.where(inside, 1 - share, before)
        given = [(dleft, before & (left is not None)), (dright, behind & (right is not None))]
        keep, share = (np.where(mask, 0.0, w) for (_, mask), w in zip(given, (keep, share)))
        terms: list[Any] = [] if dx is None else [(dx, shape_of(x), slope)]
        for t, whole, factor in ((dxp, xp, -slope), (dfp, fp, 1.0)):
            for k, weight in ((low, keep), (high, share)) if t is not None else ():
                terms.append((gather(t, shape_of(whole), _taker(k)), shape, factor * weight))
        terms += [(t, (), mask) for t, mask in given if t is not None]
        return combine(terms, shape, select=True)

    ends = [0.0 if end is None else end for end in (left, right)]

    def value(x: Any, xp: Any, fp: Any, a: Any, b: Any) -> Any:
        return np.interp(x, xp, fp, None if left is None else a, None if right is None else b)

    return Plan((x, xp, fp, *ends), value, tangent)


def _taker(k: Any) -> Callable[[Any], Any]:
    return lambda v: np.take(v, k)


# ---------------------------------------------------------------- differences and integrals


def _along(axis: int, *bounds: Any) -> Any:
    """The index of a slice along one axis, a negative number."""
    return (..., slice(*bounds), *(slice(None),) * (-axis - 1))


@rule(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = array_of(f)
    axes = axes_of(axis, ndim(f))
    steps = list(varargs) if varargs else [1.0]
    if len(steps) == 1 and ndim(steps[0]) == 0:
        steps = steps * len(axes)
    if len(steps) != len(axes):
        raise TypeError("invalid number of arguments")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    slopes = [np.moveaxis(_difference(np.moveaxis(f, k, -1), h, edge_order), -1, k) for h, k in zip(steps, axes)]
    slopes = [s.astype(f.dtype) for s in slopes] if f.dtype.kind in "fc" else slopes
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _difference(f: Any, h: Any, edge_order: int) -> Any:
    """Second-order differences along the last axis, with one-sided ones at its ends."""
    n, h = shape_of(f)[-1], array_of(h)
    if ndim(h) > 1:
        raise ValueError("distances must be either scalars or 1d")
    if ndim(h) and shape_of(h)[0] != n:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    if n <= edge_order:
        raise ValueError("Shape of array too small to calculate a numerical gradient: (edge_order + 1) are required.")
    even = ndim(h) == 0
    if not even:
        h = np.diff(h)
        if not hasattr(h, "_tag") and np.all(h == h[0]):
            even, h = True, h[0]
    a, b = (h, h) if even else (h[:-1], h[1:])  # the steps to the left and to the right
    f0, f1, f2 = f[..., :-2], f[..., 1:-1], f[..., 2:]
    if even:
        inner = (f2 - f0) / (2.0 * h)
    else:
        inner = f0 * (-b / (a * (a + b))) + f1 * ((b - a) / (a * b)) + f2 * (a / (b * (a + b)))
    if edge_order == 1:
        first, last = (f[..., 1:2] - f[..., :1]) / (h if even else h[0]), (f[..., -1:] - f[..., -2:-1]) / (h if even else h[-1])
    else:
        first = _one_sided(f[..., 0:1], f[..., 1:2], f[..., 2:3], *((h, h) if even else (h[0], h[1])))
        last = -_one_sided(f[..., -1:], f[..., -2:-1], f[..., -3:-2], *((h, h) if even else (h[-1], h[-2])))
    return np.concatenate([first, inner, last], -1)


def _one_sided(f0: Any, f1: Any, f2: Any, a: Any, b: Any) -> Any:
    """The slope at the end f0 of a parabola through three points, a and then b apart."""
    return f0 * (-(2 * a + b) / (a * (a + b))) + f1 * ((a + b) / (a * b)) - f2 * (a / (b * (a + b)))


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = array_of(y)
    axis = axis_of(axis, ndim(y))
    if x is not None:
        x = array_of(x)
        dx = np.diff(x) if ndim(x) == 1 else np.diff(x, axis=axis)
        dx = np.reshape(dx, (-1,) + (1,) * (-axis - 1)) if ndim(x) == 1 else dx
    return np.sum(dx * (y[_along(axis, 1, None)] + y[_along(axis, None, -1)]) / 2.0, axis)


rule(np.trapezoid)(trapezoid)


@rule(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    parts = [np.ravel(array_of(p)) for p in (to_begin, np.diff(np.ravel(ary)), to_end) if p is not None]
    if not all(np.can_cast(p.dtype, ary.dtype, "same_kind") for p in parts):
        raise TypeError("dtype of `to_end` and `to_begin` must be compatible with input `ary` under the `same_kind` rule.")
    return np.concatenate(parts, dtype=ary.dtype)


@rule(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """p and whole periods, whose number is piecewise constant."""
    values = plain(p)
    return p + np.rint((np.unwrap(values, discont, axis, period=plain(period)) - values) / plain(period)) * period


# ---------------------------------------------------------------- convolution


_MODES = {0: "v", 1: "s", 2: "f"}


@rule(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """Bilinear; a short constant kernel is a stencil, a sum of shifted arrays."""
    a, v = (np.atleast_1d(array_of(x)) for x in (a, v))
    if shape_of(v)[0] > shape_of(a)[0]:
        a, v = v, a
    n, k = shape_of(a)[0], shape_of(v)[0]
    np.convolve(np.zeros(min(n, 1)), np.zeros(min(k, 1)), mode)  # what NumPy says about wrong arguments
    start = {"f": 0, "s": (k - 1) // 2, "v": k - 1}[_MODES.get(mode) or mode[0]]  # of the window in the full result
    size = {"f": n + k - 1, "s": n, "v": n - k + 1}[_MODES.get(mode) or mode[0]]
    if k <= 16 and not hasattr(v, "_tag") and finite(v):
        edges = [np.zeros(max(j, 0), a.dtype) for j in (k - 1 - start, start + size - n)]
        padded = np.concatenate([edges[0], a, edges[1]])
        return sum(padded[j : j + size] * v[k - 1 - j] for j in range(k))

    def part(t: Any, x: Any, y: Any) -> Any:
        m, k = shape_of(x)[0], shape_of(y)[0]
        if not finite(y):  # strong zeros are kept by an explicit matrix
            number = np.arange(size)[:, None] + start - np.arange(m)
            matrix = np.where((number >= 0) & (number < k), np.take(y, number, mode="clip"), 0.0)
            return contract(t, (m,), "a", matrix, "ba", "b")

        def forward(t: Any) -> Any:
            return np.stack([forward(row) for row in t]) if directions(t) > 1 else np.convolve(t, y, mode)

        def backward(c: Any) -> Any:
            if directions(c) > 1:
                return np.stack([backward(row) for row in c])
            return np.correlate(c, y, "full")[k - 1 - start :][:m]

        return linear(t, (m,), forward, backward)

    def tangent(_: Any, values: Any, tangents: Any) -> Any:
        parts = [part(t, x, y) for t, x, y in zip(tangents, values, values[::-1]) if t is not None]
        return combine([(t, (size,), 1) for t in parts], (size,))

    return Plan((a, v), lambda a, v: np.convolve(a, v, mode), tangent)


@rule(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    a, v = (np.atleast_1d(array_of(x)) for x in (a, v))
    if shape_of(v)[0] > shape_of(a)[0]:  # as NumPy does, which matters for mode="same"
        return np.flip(np.conjugate(np.correlate(v, a, mode)))
    return np.convolve(a, np.conjugate(np.flip(v)), mode)


# ---------------------------------------------------------------- spaced numbers


def _spaced(start: Any, stop: Any, value: Callable[..., Any], weights: Callable[..., Any]) -> Plan:
    """Numbers from start to stop along a new first axis; `weights` are their slopes in both."""

    def tangent(y: Any, values: Any, tangents: Any) -> Any:
        pairs = zip(tangents, values, weights(y, *values))
        return combine([(t, shape_of(v), w) for t, v, w in pairs if t is not None], shape_of(y))

    return Plan((start, stop), value, tangent)


def _shares(y: Any, endpoint: bool) -> Any:
    return np.reshape(np.linspace(0.0, 1.0, shape_of(y)[0], endpoint), (-1,) + (1,) * (ndim(y) - 1))


def _arranged(y: Any, dtype: Any, axis: int) -> Any:
    return np.moveaxis(y if dtype is None else y.astype(dtype), 0, axis)


@rule(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    start, stop = array_of(start), array_of(stop)
    if dtype is not None and np.dtype(dtype).kind in "iu":  # rounded down: piecewise constant
        y: Any = np.linspace(plain(start), plain(stop), num, endpoint, dtype=dtype, axis=axis)
    elif retstep or dtype is not None or axis != 0:
        y = _arranged(np.linspace(start, stop, num, endpoint), dtype, axis)
    else:

        def weights(y: Any, *_: Any) -> Any:
            return 1 - _shares(y, endpoint), _shares(y, endpoint)

        return _spaced(start, stop, lambda a, b: np.linspace(a, b, num, endpoint), weights)
    parts = num - bool(endpoint)
    return (y, (stop - start) / parts if parts > 0 else np.nan) if retstep else y


@rule(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    start, stop, base = array_of(start), array_of(stop), array_of(base)
    if ndim(base):
        n = max(ndim(start), ndim(stop), ndim(base))
        start, stop, base = (np.reshape(x, (1,) * (n - ndim(x)) + shape_of(x)) for x in (start, stop, base))
        base = np.expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


@rule(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    start, stop = array_of(start), array_of(stop)
    if dtype is not None or axis != 0:
        return _arranged(np.geomspace(start, stop, num, endpoint), dtype, axis)

    def weights(y: Any, a: Any, b: Any) -> Any:
        return y / a * (1 - _shares(y, endpoint)), y / b * _shares(y, endpoint)

    return _spaced(start, stop, lambda a, b: np.geomspace(a, b, num, endpoint), weights)
