"""The tangent of a stack of matrices, on which the rules of numpy.linalg are written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.table import Plan, rule
from ..core.tangents import combine, contract, gather, join, linear, total
from ..core.values import plain, shape_of
from .complex import real_part
from .products import LETTERS

# ---------------------------------------------------------------- tangents of matrices


class Matrix:
    """The tangent of a stack of matrices, with the maps of tangents.py as operators: rules then read as formulas."""

    __slots__ = ("complex", "shape", "t")
    __array_ufunc__ = None  # so that array @ tangent comes here

    def __init__(self, t: Any, shape: tuple[int, ...], complex: bool) -> None:
        self.t, self.shape, self.complex = t, shape, complex

    def __matmul__(self, m: Any) -> Matrix:
        return self._contract("xy", m, "yz", "xz")

    def __rmatmul__(self, m: Any) -> Matrix:
        return self._contract("yz", m, "xy", "xz")

    def dot(self, m: Any) -> Matrix:
        """The sum of all products of elements."""
        return self._contract("xy", m, "xy", "")

    def _contract(self, sub: str, m: Any, weight_sub: str, out: str) -> Matrix:
        stack = LETTERS[: len(self.shape) - 2]
        size = dict(zip(sub + weight_sub, self.shape[-2:] + m.shape[-2:]))
        t = contract(self.t, self.shape, stack + sub, m, stack + weight_sub, stack + out)
        return Matrix(t, self.shape[:-2] + tuple(size[c] for c in out), self.complex or is_complex(m))

    def __mul__(self, w: Any) -> Matrix:
        shape = np.broadcast_shapes(self.shape, shape_of(w))
        return Matrix(combine([(self.t, self.shape, w)], shape), shape, self.complex or is_complex(w))

    def __neg__(self) -> Matrix:
        return self * -1

    def __add__(self, other: Matrix | None) -> Matrix:
        if other is None:
            return self
        t = combine([(self.t, self.shape, 1), (other.t, other.shape, 1)], self.shape)
        return Matrix(t, self.shape, self.complex or other.complex)

    def __sub__(self, other: Matrix) -> Matrix:
        return self + -other

    def map(self, function: Callable[[Any], Any], transpose: Callable[[Any], Any], complex: bool) -> Matrix:
        """A linear function that keeps the shape, and its transpose."""
        back = transpose if self.complex or not complex else lambda c: transpose(c).real
        return Matrix(linear(self.t, self.shape, function, back), self.shape, complex)

    @property
    def real(self) -> Matrix:
        return Matrix(real_part(self.t, self.shape), self.shape, False) if self.complex else self

    @property
    def imag(self) -> Matrix:
        return self.map(np.imag, lambda c: 1j * np.real(c), False)

    def move(self, function: Callable[[Any], Any]) -> Matrix:
        """A function that moves elements of the last axes."""
        shape = function(np.broadcast_to(0.0, self.shape)).shape
        return Matrix(gather(self.t, self.shape, function, function), shape, self.complex)

    @property
    def H(self) -> Matrix:
        """The conjugate transpose."""
        return (self.map(np.conj, np.conj, True) if self.complex else self).move(transposed)

    @property
    def diagonal(self) -> Matrix:
        return self.move(lambda x: np.diagonal(x, 0, -2, -1))

    def down(self, keepdims: bool = False) -> Matrix:
        """The sums down the columns."""
        shape = (*self.shape[:-2], *((1,) if keepdims else ()), self.shape[-1])
        return Matrix(total(self.t, self.shape, (-2,), keepdims), shape, self.complex)

    def beside(self, other: Matrix) -> Matrix:
        """The columns of both."""

        def move(parts: list[Any]) -> Any:
            return np.concatenate(parts, -1)

        t = join([self.t, other.t], [self.shape, other.shape], move, move)
        return Matrix(t, (*self.shape[:-1], self.shape[-1] + other.shape[-1]), self.complex)

    def triangle(self, lower: bool) -> Matrix:
        """The Hermitian matrix that LAPACK makes of one triangle, and of the real part of the diagonal."""
        one = np.tri(self.shape[-1], k=-1, dtype=bool)
        one = one if lower else one.T
        eye = np.eye(self.shape[-1], dtype=bool)

        def function(t: Any) -> Any:
            return np.where(one, t, np.where(eye, np.real(t), np.conj(transposed(t))))

        def transpose(c: Any) -> Any:
            return np.where(one, c + np.conj(transposed(c)), np.where(eye, np.real(c), 0))

        return self.map(function, transpose, self.complex)


def is_complex(x: Any) -> bool:
    return isinstance(x, complex) or (getattr(x, "dtype", None) is not None and x.dtype.kind == "c")


def transposed(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def adjoint(x: Any) -> Any:
    return np.conj(transposed(x)) if is_complex(x) else transposed(x)


def tangent_of(t: Any, value: Any) -> Any:
    return None if t is None else Matrix(t, shape_of(value), is_complex(value))


def matrix_plan(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Plan]]:
    """A function of one matrix: the decorated formula(result, a, da, ...) is the result's tangent, or those of several.

    What more the function takes, the formula takes too.
    """

    def decorate(formula: Callable[..., Any]) -> Callable[..., Plan]:
        @functools.wraps(formula)
        def plan(a: Any, *args: Any, **options: Any) -> Plan:
            def tangent(out: Any, values: Any, tangents: Any) -> Any:
                made = formula(out, values[0], tangent_of(tangents[0], values[0]), *args, **options)
                return tuple(m and m.t for m in made) if isinstance(made, tuple) else made.t

            return Plan((a,), lambda a: function(a, *args, **options), tangent)

        return plan

    return decorate


def matrix_rule(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register what `matrix_plan` makes of the decorated formula."""
    return lambda formula: rule(function)(matrix_plan(function)(formula))


def inverse_or_nan(a: Any, bad: Any = False) -> Any:
    """inv, with NaN where the matrix is singular or `bad`."""
    bad = (np.linalg.slogdet(plain(a))[0] == 0) | bad
    return np.linalg.inv(a * np.where(bad, np.nan, 1)[..., None, None] if np.any(bad) else a)


def noise(x: Any) -> Any:
    """What rounding alone may differ by among the values along the last axis, which is kept."""
    return 4 * x.shape[-1] * np.finfo(x.dtype).eps * np.abs(x).max(axis=-1, keepdims=True, initial=0)
