"""Rules of numerical calculus and signals: sinc and i0, interpolation, convolution, spaced numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.kinks import lexicographic, met, side, watching
from ..core.number import Number
from ..core.table import Plan, rule
from ..core.tangents import combine, contract, finite, linear
from ..core.values import is_complex, like_key, ndim, plain, shape_of
from .ordering import array_of

# ---------------------------------------------------------------- sinc and i0


def near(u: Any, radius: float, coefficients: Any, formula: Callable[[Any], Any]) -> Any:
    """`formula(u)`, or the power series where |u| is small and the formula would cancel: right in every derivative."""
    close = np.abs(plain(u)) < radius
    series = np.polyval(coefficients[::-1], np.where(close, u, 0.0))
    return np.where(close, series, formula(np.where(close, radius, u)))[()]


_SINC = [(-1) ** k * 2 * k * math.pi ** (2 * k) / math.factorial(2 * k + 1) for k in range(15)]  # of x**(2 k - 1)
_COSINES = [math.cos((k + 0.5) * math.pi / 160) for k in range(80)]


def _sinc_slope(x: Any) -> Any:
    return near(x, 0.5, [c for k in _SINC[1:] for c in (0.0, k)], lambda x: (np.cos(np.pi * x) - np.sinc(x)) / x)


def _i1(x: Any) -> Any:
    """The Bessel function I1 by the midpoint rule, which converges exponentially and does not cancel."""
    return sum(np.sinh(x * c) * (c / 80) for c in _COSINES)


def analytic(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Plan]:
    """The rule of an elementwise function, by its slope at the operand."""

    def tangent(_: Any, values: Any, tangents: Any) -> Any:
        z = np.complex128(values[0]) if type(values[0]) is complex else values[0]  # whose 1 / 0 is no exception
        return combine([(tangents[0], shape_of(z), slope(z))], shape_of(z))

    return lambda z: Plan((z,), function, tangent)


rule(np.sinc)(analytic(np.sinc, _sinc_slope))
rule(np.i0)(analytic(np.i0, _i1))


# ---------------------------------------------------------------- interpolation


@rule(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """A broken line: at a knot its slope is the mean of those on both sides."""
    x = array_of(x)
    xp, fp = (like_key(array_of(knots), (plain(x),)) for knots in (xp, fp))
    fp = fp.astype(np.result_type(fp.dtype, float))
    if period is not None:
        if plain(period) == 0:
            raise ValueError("period must be a non-zero value")
        period = np.abs(period)
        x, xp = x.astype(float) % period, xp.astype(float) % period
        fp = fp.astype(complex if is_complex(fp) else float)
        order = np.argsort(plain(xp))
        xp, fp, left, right = xp[order], fp[order], None, None
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    knots, at = plain(xp), plain(x)
    exact = np.interp(at, knots, plain(fp), plain(left), plain(right))  # and NumPy's errors
    base, gaps, level = np.clip(np.searchsorted(knots, at, "right") - 1, 0, None), np.diff(knots) == 0, np.zeros(1)
    with np.errstate(all="ignore"):
        slopes = np.diff(fp) / np.where(gaps, 1.0, np.diff(xp))
        before = np.concatenate([level, slopes])  # beyond the ends the line is level, or it jumps
        after = np.concatenate([slopes, level if right is None or len(knots) == 1 else slopes[-1:]])
        slope = np.take(after, base)
        smooth = (at == knots[base]) & ~np.concatenate([[left is not None], gaps])[base]
        mean = (np.take(before, base) + slope) / 2
        if watching():
            beyond = np.take(xp, np.minimum(base + 1, len(knots) - 1)) - x
            mean = _beside_knots(x - np.take(xp, base), beyond, np.take(before, base), slope, mean)
        slope = np.where(smooth, mean, slope)
        y = slope * (x - np.take(xp, base)) + np.take(fp, base)
        y = np.where(at < knots[0], fp[0] if left is None else left, y)
        y = np.where(at > knots[-1], fp[-1] if right is None else right, y)
    return np.where(np.isnan(plain(y)), exact, y)[()]


def _beside_knots(x: Any, beyond: Any, before: Any, after: Any, mean: Any) -> Any:
    """Report x, from a knot; in kinks("lexicographic"), the slope on the side of it that the tangents enter."""
    left = np.where(plain(before) == plain(after), np.inf, plain(x))
    met(np.interp, np.where(np.abs(left) > np.abs(plain(beyond)), -plain(beyond), left))
    if not lexicographic() or not isinstance(x, Number):
        return mean
    to = side(x, np.interp)
    return np.where(to < 0, before, np.where(to > 0, after, mean))


# ---------------------------------------------------------------- whole periods


@rule(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """p and whole periods, whose number is piecewise constant."""
    values = plain(p)
    added = np.unwrap(values, discont, axis, period=plain(period)) - values
    if ndim(period):  # one for each difference
        turns = np.rint(np.diff(added, axis=axis) / plain(period))
        first, others = np.split(p, [1], axis)
        return np.concatenate([first, others + np.cumsum(turns * period, axis)], axis)
    return p + np.rint(added / plain(period)) * period


# ---------------------------------------------------------------- convolution


@rule(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    """Bilinear; a short constant kernel is a stencil, a sum of shifted arrays."""
    a, v = (np.atleast_1d(array_of(x)) for x in (a, v))
    if shape_of(v)[0] > shape_of(a)[0]:
        a, v = v, a
    n, k = shape_of(a)[0], shape_of(v)[0]
    np.convolve(np.zeros(min(n, 1)), np.zeros(min(k, 1)), mode)  # NumPy's errors
    kind = {0: "v", 1: "s", 2: "f"}.get(mode) or mode[0]
    size = {"f": n + k - 1, "s": n, "v": n - k + 1}[kind]
    start = {"f": 0, "s": (k - 1) // 2, "v": k - 1}[kind]  # of the window in the full result
    if k <= 16 and not isinstance(v, Number) and finite(v):
        edges = [np.zeros(max(j, 0), a.dtype) for j in (k - 1 - start, start + size - n)]
        padded = np.concatenate([edges[0], a, edges[1]])
        return sum(padded[j : j + size] * v[k - 1 - j] for j in range(k))

    def part(t: Any, m: int, y: Any) -> Any:
        if not finite(y):  # the strong zeros need an explicit matrix
            number = np.arange(size)[:, None] + start - np.arange(m)
            matrix = np.where((number >= 0) & (number < len(y)), np.take(y, number, mode="clip"), 0.0)
            return contract(t, (m,), "a", matrix, "ba", "b")

        def forward(t: Any) -> Any:
            return np.stack([forward(row) for row in t]) if ndim(t) > 1 else np.convolve(t, y, mode)

        def backward(c: Any) -> Any:
            if ndim(c) > 1:
                return np.stack([backward(row) for row in c])
            return np.correlate(c, y, "full")[len(y) - 1 - start :][:m]

        return linear(t, (m,), forward, backward)

    def tangent(_: Any, values: Any, tangents: Any) -> Any:
        parts = [part(t, m, y) for t, m, y in zip(tangents, (n, k), values[::-1]) if t is not None]
        return combine([(t, (size,), 1) for t in parts], (size,))

    return Plan((a, v), lambda a, v: np.convolve(a, v, mode), tangent)


@rule(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    a, v = (np.atleast_1d(array_of(x)) for x in (a, v))
    if shape_of(v)[0] > shape_of(a)[0]:  # as NumPy does, which matters for mode="same"
        return np.flip(np.conjugate(np.correlate(v, a, mode)))
    return np.convolve(a, np.conjugate(np.flip(v)), mode)
