"""Rules of numpy.fft: linear maps, whose transpose is the opposite transform under the opposite normalisation.

Those of several axes, and of Hermitian signals, are composed of these: see bodies.py.
"""

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

    def transform(a: Any, n: Any = None, axis: int = -1, norm: Any = None, out: Any = None) -> Plan:
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
