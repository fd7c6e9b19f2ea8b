"""Rules of numpy.linalg: the derivatives of matrix functions, written as the formulas of the literature are.

Sources: Giles, "Collected matrix derivative results" (2008); Townsend, "Differentiating the SVD" (2016); Golub and
Pereyra (1973) for pinv and lstsq; Seeger et al., "Auto-differentiating linear algebra" (2017) for qr and cholesky.

What is differentiated is NumPy's function of all entries of its argument: cholesky, eigh and hermitian=True read one
triangle, so the other has derivative zero. Vectors of repeated eigenvalues or singular values are an arbitrary basis:
their tangents are NaN in every direction that turns them. Signs of vectors are constant. Complex vectors keep the phase
that LAPACK gives them, by which one component is real: of eig the largest, of eigh the first (with UPLO="U" the last),
of svd the first in each row of vh, or, if the matrix is wide, in each column of u; of qr the diagonal of r. Where that
component is 0 they turn as little as possible.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, user_line
from ..core.table import Plan, rule
from ..core.values import dtype_of, ndim, plain, shape_of
from .matrix import Matrix, adjoint, inverse_or_nan, is_complex, matrix_plan, matrix_rule, noise, tangent_of, transposed
from .products import LETTERS, bilinear
from .spectral import value_tangents

# ---------------------------------------------------------------- inverses and linear equations


@matrix_rule(np.linalg.inv)
def inv(c: Any, a: Any, da: Matrix) -> Matrix:
    return -(c @ da @ c)


@matrix_rule(np.linalg.pinv)
def pinv(c: Any, a: Any, da: Matrix, rcond: Any = None, hermitian: bool = False, **unused: Any) -> Matrix:
    """At constant rank; where the rank jumps, so does pinv."""
    h = da.triangle(True) if hermitian else da.H
    if hermitian:  # as LAPACK reads it
        a = np.tril(a, -1) + adjoint(np.tril(a, -1)) + np.real(a) * np.eye(a.shape[-1], dtype=a.real.dtype)
    rows, columns = (np.eye(n, dtype=a.dtype) for n in a.shape[-2:])
    return -(c @ h.H @ c) + (c @ adjoint(c)) @ h @ (rows - a @ c) + (columns - c @ a) @ h @ (adjoint(c) @ c)


def _by_columns(a: Any) -> Callable[[Any], Any]:
    """b -> solve(a, b), where a leading axis of directions becomes columns, so that `a` is factored once."""

    def solve(b: Any) -> Any:
        if dtype_of(b) == np.float16:  # which LAPACK has not
            b = b.astype(a.dtype)
        if ndim(b) == a.ndim:
            return np.linalg.solve(a, b)
        moved = np.moveaxis(b, 0, -1)
        x = np.linalg.solve(a, moved.reshape(*moved.shape[:-2], moved.shape[-2] * moved.shape[-1]))
        return np.moveaxis(x.reshape(moved.shape), -1, 0)

    return solve


@rule(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """dx = a⁻¹ (db - da x)."""
    if ndim(b) == 1:
        return np.linalg.solve(a, np.reshape(b, (-1, 1)))[..., 0]
    stack = np.broadcast_shapes(shape_of(a)[:-2], shape_of(b)[:-2])
    a, b = (x if shape_of(x)[:-2] == stack else np.broadcast_to(x, stack + shape_of(x)[-2:]) for x in (a, b))

    def tangent(x: Any, values: Any, tangents: Any) -> Any:
        a, da, db = values[0], *map(tangent_of, tangents, values)
        right = db if da is None else -(da @ x) + db
        return right.map(_by_columns(a), _by_columns(adjoint(a)), right.complex or is_complex(a)).t

    return Plan((a, b), np.linalg.solve, tangent)


@rule(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    n = ndim(a)
    if axes is not None:
        a = np.transpose(a, [k for k in range(n) if k not in axes] + list(axes))
    shape = shape_of(a)[ndim(b) :]
    size = int(np.prod(shape))
    if np.size(a) != size**2:
        raise np.linalg.LinAlgError("tensorsolve: prod(a.shape[b.ndim:]) must be prod(a.shape[:b.ndim])")
    return np.linalg.solve(np.reshape(a, (size, size)), np.ravel(b)).reshape(shape)


@rule(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The solution, of a matrix of full rank; the squared residuals; the singular values of a."""
    if ndim(b) == 1:
        x, *others = np.linalg.lstsq(a, np.reshape(b, (-1, 1)), rcond)
        return (x[:, 0], *others)

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        (x, squares, rank, _), (a, b), (da, db) = out, values, map(tangent_of, tangents, values)
        if da is not None and rank < min(a.shape):
            raise NotDifferentiableError(
                f"np.linalg.lstsq{user_line()}: the rank {rank} of the matrix of shape {a.shape} is not full, and the "
                "solution jumps where the rank changes; drop dependent columns, or add rows that regularise"
            )
        cut = np.finfo(plain(x).dtype).eps * max(a.shape) if rcond is None or rcond < 0 else rcond
        c, r = np.linalg.pinv(a, rtol=cut if da is None else 0), b - a @ x
        e = db if da is None else -(da @ x) + db
        dx, ds = c @ e, None
        if da is not None:
            ds = value_tangents(np.linalg.svd(a, full_matrices=False), da).t
            dx = dx + (c @ adjoint(c)) @ da.H @ r + (np.eye(a.shape[1]) - c @ a) @ da.H @ (adjoint(c) @ x)
        # r is orthogonal to the columns of a, so that the change of x does not count
        return dx.t, ((e * (2 * np.conj(r))).down().real.t if squares.size else None), None, ds

    return Plan((a, b), lambda a, b: np.linalg.lstsq(a, b, rcond), tangent)


# ---------------------------------------------------------------- determinants


def _cofactors(a: Any) -> Any:
    """The transposed adjugate: det(a) a⁻ᵀ, or, where that would cancel, by singular values or by minors."""
    v, det, inverse = plain(a), np.linalg.det(a), inverse_or_nan(a)
    n = v.shape[-1]
    size = [np.abs(x).sum(axis=-2).max(axis=-1, initial=0) for x in (v, plain(inverse))]
    limit = 1e6 if a is v or n <= 12 else 1e10  # of larger matrices minors take too long
    well = np.isfinite(plain(det)) & (plain(det) != 0) & (size[0] * size[1] < limit)
    if well.all() or not np.isfinite(v).all():
        return np.expand_dims(det, (-2, -1)) * transposed(inverse)
    if a is v:
        u, s, vh = np.linalg.svd(a)
        others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :]).prod(axis=-1)
        phase = np.linalg.det(u) * np.linalg.det(vh)
        return phase[..., None, None] * (np.conj(u) * others[..., None, :] @ np.conj(vh))
    if n > 12:
        raise NotDifferentiableError(f"np.linalg.det{user_line()}: second derivatives at a singular {n} x {n} matrix")
    rest = np.array([[j for j in range(n) if j != k] for k in range(n)], int).reshape(n, n - 1)
    minors = a[..., rest[:, None, :, None], rest[None, :, None, :]]
    sign = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return np.linalg.det(minors) * sign


@matrix_rule(np.linalg.det)
def det(_: Any, a: Any, da: Matrix) -> Matrix:
    return da.dot(_cofactors(a))


@matrix_rule(np.linalg.slogdet)
def slogdet(out: Any, a: Any, da: Matrix) -> Any:
    """d log det a = tr(a⁻¹ da), whose imaginary part turns the sign of a complex determinant."""
    d = da.dot(transposed(inverse_or_nan(a)))
    return (d.imag * (1j * out[0]) if d.complex else None), d.real


# ---------------------------------------------------------------- factorisations


@matrix_rule(np.linalg.cholesky)
def cholesky(out: Any, a: Any, da: Matrix, upper: bool = False) -> Matrix:
    """l⁻¹ da l⁻ᴴ, its diagonal halved, is dl in the coordinates of l."""
    factor = adjoint(out) if upper else out
    inverse = np.linalg.inv(factor)
    n = a.shape[-1]
    half = np.tri(n) - np.eye(n) / 2
    d = factor @ (inverse @ da.triangle(not upper) @ adjoint(inverse) * half)
    return d.H if upper else d


@rule(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    m, n = shape_of(a)[-2:]
    if mode == "r":
        return np.linalg.qr(a)[1]
    if (mode == "complete" and m > n) or mode == "raw":
        why = "is LAPACK's own format" if mode == "raw" else "chooses the last columns of q at will"
        raise NotDifferentiableError(f"np.linalg.qr{user_line()}: mode={mode!r} {why}; use mode='reduced'")
    return _qr(a, mode)


@matrix_plan(np.linalg.qr)
def _qr(out: Any, a: Any, da: Matrix, mode: str) -> Any:
    """qᴴ dq is antihermitian, and dr triangular: that splits qᴴ da r⁻¹. Of a wide matrix the first columns decide."""
    (q, r), (m, n) = out, a.shape[-2:]
    k = min(m, n)
    size = np.abs(np.diagonal(plain(r), 0, -2, -1))
    inverse = inverse_or_nan(r[..., :k], (size <= noise(size)).any(axis=-1))

    p = adjoint(q) @ da
    x = p.move(lambda x: x[..., :k]) @ inverse
    low = x * np.tri(k, k=-1)
    turn = low - low.H
    if x.complex:  # the diagonal of r stays real
        turn = turn + (x * np.eye(k)).imag * 1j
    dq = q @ turn
    if m > n:
        dq = dq + (da - q @ p) @ inverse
    return dq, (p - turn @ r) * np.tri(n, k).T


# ---------------------------------------------------------------- products


@rule(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    lengths = shape_of(a)[-1], shape_of(b)[-1]
    if lengths != (3, 3):
        np.cross(*map(np.ones, lengths))  # which raises where this NumPy wants other ones
    a0, a1, a2 = (a[..., k] if k < shape_of(a)[-1] else 0.0 for k in range(3))
    b0, b1, b2 = (b[..., k] if k < shape_of(b)[-1] else 0.0 for k in range(3))
    last = a0 * b1 - a1 * b0
    if lengths == (2, 2):
        return last
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, last], axisc)


def _stacked(function: Any, x1: Any, x2: Any, left: str, right: str, out: str, conjugate: bool = True) -> Plan:
    """A product of the last axes of two stacks, an einsum of them; the first operand may be conjugated."""
    m, n = ndim(x1) - len(left), ndim(x2) - len(right)
    stack = LETTERS[: max(m, n)]
    subs = (stack[len(stack) - m :] + left, stack[len(stack) - n :] + right, stack + out)
    if conjugate:
        return bilinear(lambda x, y: function(np.conj(x), y), np.conj(x1), x2, *subs)
    return bilinear(function, x1, x2, *subs)


@rule(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Plan:
    x1, x2 = (x if axis == -1 else np.moveaxis(x, axis, -1) for x in (x1, x2))
    return _stacked(np.vecdot, x1, x2, "y", "y", "")


if hasattr(np, "matvec"):  # NumPy 2.2
    rule(np.matvec)(lambda x1, x2, /: _stacked(np.matvec, x1, x2, "xy", "y", "x", conjugate=False))
    rule(np.vecmat)(lambda x1, x2, /: _stacked(np.vecmat, x1, x2, "x", "xy", "y"))
