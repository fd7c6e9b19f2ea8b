"""The mathematics that the lines of the table are written in: `ARRAY` for arrays, `SCALAR` for Python floats.

Both have NumPy's names. On floats Python's own functions are several times faster than NumPy's.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .number import Number


def positive_part(x: Any) -> Any:
    """max(x, 0), the value of relu, which numbers of an outer derivative know as a function with slope 0 at 0."""
    if isinstance(x, Number):
        return x.__array_ufunc__(positive_part, "__call__", x)
    return np.maximum(x, 0)


def _root(x: Any) -> Any:
    """sqrt(1 + x**2) without overflow."""
    return np.hypot(1, x)


def _lined(formula: Callable[..., Any]) -> Callable[..., Any]:
    """A formula with a line of its own in the table, since its parts' derivatives would cancel or overflow."""

    @functools.wraps(formula)
    def function(*operands: Any) -> Any:
        for x in operands:
            if isinstance(x, Number):
                return x.__array_ufunc__(function, "__call__", *operands[:2])
        return formula(*operands)

    return function


@_lined
def gap(x: Any) -> Any:
    """1 - x**2."""
    return (1 - x) * (1 + x)


@_lined
def sech2(x: Any) -> Any:
    """1 / cosh(x)**2."""
    return np.square(np.reciprocal(np.cosh(x)))


@_lined
def cosine(x: Any, y: Any, h: Any = None) -> Any:
    """x / h for h = hypot(x, y), which a caller may know; 0 at the origin."""
    h = np.hypot(x, y) if h is None else h
    return x / (h + (h == 0))


@_lined
def angle(x: Any, y: Any) -> Any:
    """x / (x**2 + y**2), scaled so that squares neither overflow nor underflow."""
    h = np.hypot(x, y)
    return x / h / h


def _share(d: Any, exp: Callable[[Any], Any], where: Callable[..., Any]) -> Any:
    """1 / (1 + exp(d)), accurate to its smallest values."""
    e = exp(where(d > 0, -d, d))  # abs(d) would have slope 0 at 0 in a second derivative
    return where(d > 0, e / (1 + e), 1 / (1 + e))


class _ArrayMath(SimpleNamespace):
    """NumPy's functions, and the few helpers that formulas share."""

    root = staticmethod(_root)

    def share(self, d: Any) -> Any:
        return _share(d, np.exp, np.where)

    def share2(self, d: Any) -> Any:
        return _share(d, np.exp2, np.where)


# What Python's math has as well, there without the "rc" of "arc".
_BOTH = (
    "sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh exp expm1 log log2 log10 log1p "
    "sqrt hypot isnan radians degrees"
).split()
_NUMPY = _BOTH + "exp2 cbrt square reciprocal sign where copysign rint floor_divide".split()
LINED = (gap, sech2, cosine, angle)
ARRAY = _ArrayMath(**{name: getattr(np, name) for name in _NUMPY}, **{f.__name__: f for f in LINED})
SCALAR = SimpleNamespace(
    **{name: getattr(math, name.replace("arc", "a")) for name in _BOTH},
    exp2=lambda x: 2.0**x,
    square=lambda x: x * x,
    reciprocal=lambda x: 1 / x,
    absolute=abs,
    fabs=abs,
    deg2rad=math.radians,
    rad2deg=math.degrees,
    negative=lambda x: -x,
    positive=lambda x: x,
    add=lambda x, y: x + y,
    subtract=lambda x, y: x - y,
    multiply=lambda x, y: x * y,
    divide=lambda x, y: x / y,
    power=lambda x, y: x**y,
    float_power=lambda x, y: x**y,
    remainder=lambda x, y: x % y,
    floor_divide=lambda x, y: x // y,
    # maximum and minimum let a NaN through, as NumPy's do
    maximum=lambda x, y: x if x >= y or x != x else y,
    minimum=lambda x, y: x if x <= y or x != x else y,
    root=lambda x: math.hypot(1.0, x),
    gap=lambda x: (1 - x) * (1 + x),
    sech2=lambda x: (1 / math.cosh(x)) ** 2,
    cosine=lambda x, y, h=None: x / (h or math.hypot(x, y) or 1.0),
    angle=lambda x, y: x / math.hypot(x, y) / math.hypot(x, y),
    sign=lambda x: (x > 0) - (x < 0),
    where=lambda condition, x, y: x if condition else y,
    share=lambda d: _share(d, math.exp, SCALAR.where),
    share2=lambda d: _share(d, SCALAR.exp2, SCALAR.where),
)
