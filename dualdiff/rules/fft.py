"""Rules of numpy.fft: linear maps, whose transpose is the opposite transform under the opposite normalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.table import Plan, axis_of, rule
from ..core.tangents import linear
from ..core.values import ndim, shape_of

_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _resize(x: Any, size: int, axis: int) -> Any:
    """x cut to `size` along a negative axis, or filled up with zeros: the transpose of what n= does."""
    x = x[(..., slice(size)) + (slice(None),) * (-axis - 1)]
    gap = [*x.shape]
    gap[axis] = size - x.shape[axis]
    return np.concatenate([x, np.zeros(gap, x.dtype)], axis) if gap[axis] else x


def _transform(function: Callable[..., Any], opposite: Callable[..., Any]) -> None:
    """The rule of a transform along one axis; `opposite(cotangent, n, axis, norm)` is its transpose but for n=."""

    def transform(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Plan:
        axis = axis_of(axis, ndim(a))
        size = shape_of(a)[axis]
        n = n if n is not None else 2 * (size - 1) if function is np.fft.irfft else size

        def forward(t: Any) -> Any:
            return function(t, n, axis, norm)

        def tangent(_: Any, values: Any, tangents: Any) -> Any:
            real = values[0].dtype.kind != "c"

            def transpose(c: Any) -> Any:
                back = _resize(opposite(c, n, axis, _OPPOSITE[norm]), size, axis)
                return back.real if real else back

            return linear(tangents[0], shape_of(values[0]), forward, transpose)

        return Plan((a,), forward, tangent)

    rule(function)(transform)


def _spread(c: Any, n: int, axis: int, norm: Any) -> Any:
    """The transpose of irfft: every frequency but 0 and n/2 stands for its mirror image too."""
    frequency = np.arange(n // 2 + 1)
    twice = np.where((frequency == 0) | (2 * frequency == n), 1, 2).reshape(-1, *(1,) * (-axis - 1))
    return np.fft.rfft(c, n, axis, norm) * twice


_transform(np.fft.fft, np.fft.ifft)
_transform(np.fft.ifft, np.fft.fft)
_transform(np.fft.rfft, np.fft.ifft)  # which takes the missing frequencies as zeros
_transform(np.fft.irfft, _spread)


@rule(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    return np.fft.irfft(np.conj(a), n, axis, _OPPOSITE.get(norm, norm))


@rule(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    return np.conj(np.fft.rfft(a, n, axis, _OPPOSITE.get(norm, norm)))


def _along(a: Any, s: Any, axes: Any, real_inverse: bool = False) -> list[tuple[Any, Any]]:
    """The pairs (n, axis) of a transform along several axes, read as NumPy reads s and axes."""
    shape = shape_of(a)
    if axes is None:
        axes = range(-len(shape if s is None else s), 0)
    if s is None:
        s = [shape[k] for k in axes]
        if real_inverse:
            s[-1] = 2 * (s[-1] - 1)
    if len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    return [(shape[k] if n == -1 else n, k) for n, k in zip(s, axes)]


def _several(function: Callable[..., Any], step: Callable[..., Any], last: Callable[..., Any], axes: Any) -> None:
    """The rule of a transform along several axes, one after another in NumPy's order; `last` does the last of them."""

    def transform(a: Any, s: Any = None, axes: Any = axes, norm: Any = None) -> Any:
        turns = [(step, n, k) for n, k in _along(a, s, axes, last is np.fft.irfft)]
        turns[-1:] = [(last, n, k) for _, n, k in turns[-1:]]
        for f, n, k in turns if last is np.fft.irfft else turns[::-1]:
            a = f(a, n, k, norm)
        return a

    rule(function)(transform)


for _axes, _end in (((-2, -1), "2"), (None, "n")):
    _several(getattr(np.fft, "fft" + _end), np.fft.fft, np.fft.fft, _axes)
    _several(getattr(np.fft, "ifft" + _end), np.fft.ifft, np.fft.ifft, _axes)
    _several(getattr(np.fft, "rfft" + _end), np.fft.fft, np.fft.rfft, _axes)
    _several(getattr(np.fft, "irfft" + _end), np.fft.ifft, np.fft.irfft, _axes)


def _shift(function: Callable[..., Any], sign: int) -> None:
    def shift(x: Any, axes: Any = None) -> Any:
        axes = range(ndim(x)) if axes is None else (axes,) if np.ndim(axes) == 0 else axes
        return np.roll(x, [sign * (shape_of(x)[k] // 2) for k in axes], tuple(axes))

    rule(function)(shift)


_shift(np.fft.fftshift, 1)
_shift(np.fft.ifftshift, -1)
