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

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..errors import NotDifferentiableError, user_line
from ..tangents import combine, contract, gather, join, linear, total
from ..tangents import ndim as axes_in
from .complex import real_part
from .products import LETTERS, _bilinear
from .table import Plan, axes_of, ndim, plain, rule, shape_of

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
        return Matrix(t, self.shape[:-2] + tuple(size[c] for c in out), self.complex or _is_complex(m))

    def __mul__(self, w: Any) -> Matrix:
        shape = np.broadcast_shapes(self.shape, shape_of(w))
        return Matrix(combine([(self.t, self.shape, w)], shape), shape, self.complex or _is_complex(w))

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
        return self.map(np.imag, lambda c: 1j * c, False)

    def move(self, function: Callable[[Any], Any]) -> Matrix:
        """A function that moves elements of the last axes."""
        shape = function(np.broadcast_to(0.0, self.shape)).shape
        return Matrix(gather(self.t, self.shape, function, function), shape, self.complex)

    @property
    def H(self) -> Matrix:
        """The conjugate transpose."""
        return (self.map(np.conj, np.conj, True) if self.complex else self).move(_mt)

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
            return np.where(one, t, np.where(eye, np.real(t), np.conj(_mt(t))))

        def transpose(c: Any) -> Any:
            return np.where(one, c + np.conj(_mt(c)), np.where(eye, np.real(c), 0))

        return self.map(function, transpose, self.complex)


def _is_complex(x: Any) -> bool:
    return isinstance(x, complex) or (getattr(x, "dtype", None) is not None and x.dtype.kind == "c")


def _mt(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _h(x: Any) -> Any:
    return np.conj(_mt(x)) if _is_complex(x) else _mt(x)


def _tangent(t: Any, value: Any) -> Any:
    return None if t is None else Matrix(t, shape_of(value), _is_complex(value))


def _plan(a: Any, value: Callable[[Any], Any], formula: Callable[[Any, Any, Matrix], Any]) -> Plan:
    """The rule of a function of one matrix; formula(result, a, da) is the result's tangent, or those of several."""

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        made = formula(out, values[0], _tangent(tangents[0], values[0]))
        return tuple(m and m.t for m in made) if isinstance(made, tuple) else made.t

    return Plan((a,), value, tangent)


def _inverse(a: Any, bad: Any = False) -> Any:
    """inv, with NaN where the matrix is singular or `bad`."""
    bad = np.asarray((np.linalg.slogdet(plain(a))[0] == 0) | bad)
    return np.linalg.inv(a * np.where(bad, np.nan, 1)[..., None, None] if bad.any() else a)


def _noise(x: Any) -> Any:
    """What rounding alone may differ by among the values along the last axis, which is kept."""
    return 4 * x.shape[-1] * np.finfo(x.dtype).eps * np.abs(x).max(axis=-1, keepdims=True, initial=0)


# ---------------------------------------------------------------- inverses and linear equations


@rule(np.linalg.inv)
def inv(a: Any) -> Plan:
    return _plan(a, np.linalg.inv, lambda c, a, da: -(c @ da @ c))


@rule(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, **options: Any) -> Plan:
    """At constant rank; where the rank jumps, so does pinv."""

    def formula(c: Any, a: Any, da: Matrix) -> Matrix:
        h = da.triangle(True) if hermitian else da.H
        rows, columns = (np.eye(n, dtype=a.dtype) for n in a.shape[-2:])
        return -(c @ h.H @ c) + (c @ _h(c)) @ h @ (rows - a @ c) + (columns - c @ a) @ h @ (_h(c) @ c)

    return _plan(a, lambda a: np.linalg.pinv(a, rcond, hermitian, **options), formula)


def _by_columns(a: Any) -> Callable[[Any], Any]:
    """b -> solve(a, b), where a leading axis of directions becomes columns, so that `a` is factored once."""

    def solve(b: Any) -> Any:
        if axes_in(b) == a.ndim:
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
        a, da, db = values[0], *map(_tangent, tangents, values)
        right = db if da is None else -(da @ x) + db
        return right.map(_by_columns(a), _by_columns(_h(a)), right.complex or _is_complex(a)).t

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


@rule(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = shape_of(a)
    size = int(np.prod(shape[ind:]))
    return np.linalg.inv(np.reshape(a, (size, -1))).reshape(shape[ind:] + shape[:ind])


@rule(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """The solution, of a matrix of full rank; the squared residuals; the singular values of a."""
    if ndim(b) == 1:
        x, *others = np.linalg.lstsq(a, np.reshape(b, (-1, 1)), rcond)
        return (x[:, 0], *others)

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        (x, squares, rank, _), (a, b), (da, db) = out, values, map(_tangent, tangents, values)
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
            ds = _value_tangents(np.linalg.svd(a, full_matrices=False), da).t
            dx = dx + (c @ _h(c)) @ da.H @ r + (np.eye(a.shape[1]) - c @ a) @ da.H @ (_h(c) @ x)
        # r is orthogonal to the columns of a, so that the change of x does not count
        return dx.t, ((e * (2 * np.conj(r))).down().real.t if squares.size else None), None, ds

    return Plan((a, b), lambda a, b: np.linalg.lstsq(a, b, rcond), tangent)


# ---------------------------------------------------------------- determinants


def _cofactors(a: Any) -> Any:
    """The transposed adjugate: det(a) a⁻ᵀ, or, where that would cancel, by singular values or by minors."""
    v, det, inverse = plain(a), np.linalg.det(a), _inverse(a)
    n = v.shape[-1]
    size = [np.abs(x).sum(axis=-2).max(axis=-1, initial=0) for x in (v, plain(inverse))]
    limit = 1e6 if a is v or n <= 12 else 1e10  # of larger matrices minors take too long
    well = np.isfinite(plain(det)) & (plain(det) != 0) & (size[0] * size[1] < limit)
    if well.all() or not np.isfinite(v).all():
        return np.expand_dims(det, (-2, -1)) * _mt(inverse)
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


@rule(np.linalg.det)
def det(a: Any) -> Plan:
    return _plan(a, np.linalg.det, lambda r, a, da: da.dot(_cofactors(a)))


@rule(np.linalg.slogdet)
def slogdet(a: Any) -> Plan:
    """d log det a = tr(a⁻¹ da), whose imaginary part turns the sign of a complex determinant."""

    def formula(out: Any, a: Any, da: Matrix) -> Any:
        d = da.dot(_mt(_inverse(a)))
        return (d.imag * (1j * out[0]) if d.complex else None), d.real

    return _plan(a, np.linalg.slogdet, formula)


# ---------------------------------------------------------------- factorisations


@rule(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Plan:
    """l⁻¹ da l⁻ᴴ, its diagonal halved, is dl in the coordinates of l."""

    def formula(out: Any, a: Any, da: Matrix) -> Matrix:
        factor = _h(out) if upper else out
        inverse = np.linalg.inv(factor)
        n = a.shape[-1]
        half = np.tri(n) - np.eye(n) / 2
        d = factor @ (inverse @ da.triangle(not upper) @ _h(inverse) * half)
        return d.H if upper else d

    return _plan(a, lambda a: np.linalg.cholesky(a, upper=upper), formula)


@rule(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """qᴴ dq is antihermitian, and dr triangular: that splits qᴴ da r⁻¹. Of a wide matrix the first columns decide."""
    m, n = shape_of(a)[-2:]
    if mode == "r":
        return np.linalg.qr(a)[1]
    if (mode == "complete" and m > n) or mode == "raw":
        why = "is LAPACK's own format" if mode == "raw" else "chooses the last columns of q at will"
        raise NotDifferentiableError(f"np.linalg.qr{user_line()}: mode={mode!r} {why}; use mode='reduced'")

    def formula(out: Any, a: Any, da: Matrix) -> Any:
        q, r = out
        k = min(m, n)
        size = np.abs(np.diagonal(plain(r), 0, -2, -1))
        inverse = _inverse(r[..., :k], (size <= _noise(size)).any(axis=-1))

        p = _h(q) @ da
        x = p.move(lambda x: x[..., :k]) @ inverse
        low = x * np.tri(k, k=-1)
        turn = low - low.H
        if x.complex:  # the diagonal of r stays real
            turn = turn + (x * np.eye(k)).imag * 1j
        dq = q @ turn
        if m > n:
            dq = dq + (da - q @ p) @ inverse
        return dq, (p - turn @ r) * np.tri(n, k).T

    return _plan(a, lambda a: np.linalg.qr(a, mode), formula)


# ---------------------------------------------------------------- eigenvalues


def _turning(w: Any) -> Any:
    """1 / (w_j - w_i), 0 on the diagonal; NaN in column j if w_j is repeated, up to rounding."""
    v = plain(w)
    eye = np.eye(v.shape[-1], dtype=bool)
    close = (np.abs(v[..., None, :] - v[..., :, None]) <= _noise(v)[..., None]) & ~eye
    gap = np.where(close | eye, 1, w[..., None, :] - w[..., :, None])
    return np.where(eye, 0, np.where(close.any(axis=-2, keepdims=True), np.nan, 1 / gap))


def _is_real(v: Any) -> Any:
    """Which components of unit vectors are real, up to rounding, and not 0."""
    eps = 8 * np.finfo(v.dtype).eps
    return (np.abs(plain(v).imag) <= eps) & (np.abs(plain(v)) > eps)


def _phase(d: Matrix, v: Any, where: Any) -> Matrix:
    """How much each vector in v must be turned back for its component `where`, if that is real, to stay real."""
    where = where & _is_real(v)
    return (d * np.where(where, 1 / np.where(where, v.real, 1), 0)).down(True).imag


@rule(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Plan:
    def formula(out: Any, a: Any, da: Matrix) -> Any:
        w, v = out
        lower = UPLO.upper() == "L"
        p = _h(v) @ da.triangle(lower) @ v
        dv = v @ (p * _turning(w))
        if dv.complex:
            row = np.arange(a.shape[-1])[:, None] == (0 if lower else a.shape[-1] - 1)
            dv = dv - _phase(dv, v, row) * (1j * v)
        return p.diagonal.real, dv

    return _plan(a, lambda a: np.linalg.eigh(a, UPLO), formula)


@rule(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Plan:
    def formula(w: Any, a: Any, da: Matrix) -> Matrix:
        v = np.linalg.eigh(a, UPLO)[1]
        return (da.triangle(UPLO.upper() == "L") @ v * np.conj(v)).down().real

    return _plan(a, lambda a: np.linalg.eigvalsh(a, UPLO), formula)


def _left(v: Any) -> Any:
    """v⁻¹, with NaN in the rows of eigenvalues so ill-conditioned that they may belong to no full set of vectors."""
    inverse = _inverse(v)
    length = np.linalg.norm(plain(inverse), axis=-1, keepdims=True)
    # Rounding splits a defective double eigenvalue by sqrt(eps), which makes it look as well conditioned as this.
    return np.where(length * np.sqrt(np.finfo(length.dtype).eps) < 1, inverse, np.nan)


@rule(np.linalg.eig)
def eig(a: Any) -> Plan:
    def formula(out: Any, a: Any, da: Matrix) -> Any:
        w, v = out
        p = _left(v) @ da @ v
        dv = v @ (p * _turning(w))
        dv = dv - (dv * np.conj(v)).down(True).real * v  # the length stays 1
        if dv.complex and w.size:
            largest = (np.abs(plain(v)) * _is_real(v)).argmax(axis=-2)
            row = np.arange(a.shape[-1])[:, None] == largest[..., None, :]
            dv = dv - _phase(dv, v, row) * (1j * v)
        return p.diagonal, dv

    return _plan(a, np.linalg.eig, formula)


@rule(np.linalg.eigvals)
def eigvals(a: Any) -> Plan:
    def formula(w: Any, a: Any, da: Matrix) -> Matrix:
        found, v = np.linalg.eig(a)
        v = v @ _matching(plain(found), plain(w))
        return (da @ v * _mt(_left(v))).down()

    return _plan(a, np.linalg.eigvals, formula)


def _matching(found: Any, w: Any) -> Any:
    """The permutations that bring the eigenvalues `found` by eig into the order of eigvals: large ones differ."""
    n = w.shape[-1]
    order = np.broadcast_to(np.arange(n), w.shape).copy()
    for k in np.ndindex(w.shape[:-1]):
        if not np.array_equal(found[k], w[k]):
            row, distance = order[k], np.abs(w[k][:, None] - found[k])
            for i in range(n):
                row[i] = distance[i].argmin()
                distance[:, row[i]] = np.inf
    return _mt(np.eye(n, dtype=w.real.dtype)[order])


# ---------------------------------------------------------------- singular values


def _value_tangents(factors: Any, da: Matrix) -> Matrix:
    """ds = Re diag(uᴴ da v); a value that is exactly 0 is at its kink, with slope 0."""
    u, s, vh = factors
    return (da @ _h(vh) * np.conj(u)).down().real * (plain(s) > 0)


@rule(np.linalg.svdvals)
def svdvals(x: Any, /) -> Plan:
    return _plan(x, np.linalg.svdvals, lambda s, a, da: _value_tangents(np.linalg.svd(a, full_matrices=False), da))


@rule(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        return _svd_hermitian(a, compute_uv)
    if not compute_uv:
        return np.linalg.svdvals(a)

    def formula(out: Any, a: Any, da: Matrix) -> Any:
        (u, s, vh), (m, n) = out, a.shape[-2:]
        v, k = _h(vh), min(m, n)
        ds = _value_tangents((u[..., :k], s, vh[..., :k, :]), da)
        if m >= n:
            du, dv = _vectors(u, s, v, da)
        else:
            dv, du = _vectors(v, s, u, da.H)
        return du, ds, dv.H

    return _plan(a, lambda a: np.linalg.svd(a, full_matrices), formula)


def _vectors(u: Any, s: Any, v: Any, da: Matrix) -> tuple[Matrix, Matrix]:
    """The tangents of u and v for a matrix that is not wide; u may have more columns than v."""
    k = s.shape[-1]
    u, more = u[..., :k], u[..., k:]
    value = plain(s)
    zero = value <= _noise(value)
    eye = np.eye(k, dtype=bool)
    inverse = 1 / np.where(zero, np.nan, s)[..., None, :]
    p = _h(u) @ da @ v
    # The textbook's 1 / (s_j² - s_i²), split so that nothing is squared.
    even = (p + p.H) * (_turning(s) / 2)
    odd = p - p.H
    both = 1 / np.where(eye, 1, s[..., None, :] + s[..., :, None]) / 2
    du, dv = u @ (even + odd * np.where(eye, inverse / 2, both)), v @ (even - odd * np.where(eye, 0, both))
    if u.shape[-2] > k:
        du = du + (da @ v - u @ p) * inverse
    if zero.any():  # u has no direction, or only a sign, where v is mapped to 0
        du = du + u @ (p * np.where(zero, np.nan, 0)[..., None, :])
    if du.complex:
        turn = _phase(dv, v, np.arange(k)[:, None] == 0)
        du, dv = du - turn * (1j * u), dv - turn * (1j * v)
    if more.shape[-1]:  # one more real vector is determined up to its sign, others are an arbitrary basis
        blank = 1 if more.shape[-1] == 1 and not du.complex else np.nan
        du = du.beside(-(u @ (_h(more) @ du).H) * blank)
    return du, dv


def _svd_hermitian(a: Any, compute_uv: bool) -> Any:
    """From the eigenvalues, as NumPy does; the permutation that sorts them is a matrix product."""
    w, u = np.linalg.eigh(a) if compute_uv else (np.linalg.eigvalsh(a), None)
    order = np.argsort(np.abs(plain(w)), axis=-1)[..., ::-1]
    swap = _mt(np.eye(shape_of(w)[-1], dtype=w.dtype)[order])
    s = (np.abs(w)[..., None, :] @ swap)[..., 0, :]
    if not compute_uv:
        return s
    sign = np.copysign(1, plain(w))[..., None, :] @ swap
    u = u @ swap
    return type(np.linalg.svd(np.eye(1)))(u, s, _h(u * sign))


# ---------------------------------------------------------------- norms


@rule(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    axes = axes_of(axis, ndim(x))
    if len(axes) == 2 and 0 not in shape_of(x) and (ord == "nuc" or ord in (1, -1, 2, -2, np.inf, -np.inf)):
        x = np.moveaxis(x, axes, (-2, -1))
        singular = ord == "nuc" or abs(ord) == 2
        sums = np.linalg.svdvals(x) if singular else np.sum(np.abs(x), -2 if abs(ord) == 1 else -1)
        r = (np.sum if ord == "nuc" else np.max if ord > 0 else np.min)(sums, -1)
        return np.expand_dims(r, axes) if keepdims else r
    euclidean = ord is None or ord in ("fro", "f")
    return _norm(x, 2 if euclidean else ord, axes, lambda x: np.linalg.norm(x, ord, axis, keepdims), keepdims)


@rule(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    axes = axes_of(axis, ndim(x))
    return _norm(x, ord, axes, lambda x: np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord), keepdims)


def _norm(x: Any, p: Any, axes: Any, value: Callable[[Any], Any], keepdims: bool) -> Any:
    """A vector norm over some axes: the weights are x / norm(x), or for other p than 2 what takes its place."""
    if p == 0 or 0 in shape_of(x):
        return value(plain(x))  # a count, or a constant

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        x, shape = values[0], shape_of(values[0])
        if p == 2 and _moderate(plain(out)):
            weight = x / (np.expand_dims(out, axes) if ndim(out) and not keepdims else out)
        else:
            weight = _norm_weight(x, p, axes)
        complex = _is_complex(x)
        moved = combine([(tangents[0], shape, np.conj(weight) if complex else weight)], shape, select=np.isinf(p))
        return total(real_part(moved, shape) if complex else moved, shape, axes, bool(keepdims))

    return Plan((x,), value, tangent)


def _moderate(r: Any) -> bool:
    """Whether no square of these numbers overflows or underflows, by far."""
    limits = np.finfo(getattr(r, "dtype", float))
    return bool(np.all((r > limits.tiny**0.25) & (r < limits.max**0.25)))


def _norm_weight(x: Any, p: Any, axes: Any) -> Any:
    """Ties in a maximum share evenly; else x is scaled to at most 1, so that its powers do not overflow."""
    size = np.abs(plain(x))
    if np.isinf(p):
        ties = size == (np.max if p > 0 else np.min)(size, axis=axes, keepdims=True)
        return np.sign(x) * (ties / ties.sum(axis=axes, keepdims=True))
    if p == 1:
        return np.sign(x)
    top = np.max(size, axis=axes, keepdims=True)
    y = x / np.where(top == 0, 1, top)
    r = np.where(top == 0, 1, np.linalg.vector_norm(y, axis=axes, keepdims=True, ord=p))
    weight = y / r if p == 2 else np.sign(y) * (np.abs(y) / r) ** (p - 1)
    return np.where(size == 0, 0, weight) if p < 1 else weight


@rule(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


@rule(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Infinite where x is singular."""
    if 0 in shape_of(x)[-2:]:
        return np.linalg.cond(plain(x), p)  # which raises
    with np.errstate(all="ignore"):
        if p is None or p in (2, -2):
            s = np.linalg.svdvals(x)
            r = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            r = np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(_inverse(x), p, (-2, -1))
    bad = np.isnan(plain(r)) & ~np.isnan(plain(x)).any(axis=(-2, -1))
    if not bad.any():
        return r
    r = r + np.sum(x * np.where(bad, np.nan, 0)[..., None, None], (-2, -1))  # no derivative in any direction
    return Plan((r,), lambda r: np.where(bad, np.inf, r)[()], lambda _, v, t: t[0])


# ---------------------------------------------------------------- products


@rule(np.linalg.matrix_power)
def matrix_power(a: Any, n: Any) -> Any:
    """By squaring, in NumPy's own order."""
    n = operator.index(n)
    one = np.linalg.matrix_power(plain(a), 0)  # which checks the shape
    if n == 0:
        return one
    a, n = (np.linalg.inv(a), -n) if n < 0 else (a, n)
    if n == 3:
        return a @ a @ a
    result, square = (a if n % 2 else None), a
    while n := n // 2:
        square = square @ square
        if n % 2:
            result = square if result is None else result @ square
    return result


@rule(np.linalg.multi_dot)
def multi_dot(arrays: Any) -> Any:
    """Products of two in the cheapest order."""
    arrays = list(arrays)
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    ends = (0, len(arrays) - 1)
    if len(arrays) > 2 and any(ndim(a) != 2 and not (ndim(a) == 1 and i in ends) for i, a in enumerate(arrays)):
        raise np.linalg.LinAlgError("multi_dot: arrays must be two-dimensional; the first and the last may be vectors")
    sides = [(1, *shape_of(a)) if i == 0 and ndim(a) == 1 else shape_of(a) for i, a in enumerate(arrays)]
    rows, columns = [s[0] for s in sides], [s[1] if len(s) > 1 else 1 for s in sides]

    @cache
    def best(i: int, j: int) -> tuple[int, int]:
        """The cost of the product of arrays i to j, and after which of them to split it."""
        if i == j:
            return 0, i
        return min((best(i, k)[0] + best(k + 1, j)[0] + rows[i] * columns[k] * columns[j], k) for k in range(i, j))

    def product(i: int, j: int) -> Any:
        return arrays[i] if i == j else np.dot(product(i, best(i, j)[1]), product(best(i, j)[1] + 1, j))

    return product(0, len(arrays) - 1)


@rule(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if not {shape_of(a)[-1], shape_of(b)[-1]} <= {2, 3}:
        raise ValueError("incompatible dimensions for cross product\n(dimension must be 2 or 3)")
    a0, a1, a2 = (a[..., k] if k < shape_of(a)[-1] else 0.0 for k in range(3))
    b0, b1, b2 = (b[..., k] if k < shape_of(b)[-1] else 0.0 for k in range(3))
    last = a0 * b1 - a1 * b0
    if shape_of(a)[-1] == shape_of(b)[-1] == 2:
        return last
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, last], axisc)


@rule(np.linalg.cross)
def cross3(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    if not shape_of(x1)[axis] == shape_of(x2)[axis] == 3:
        raise ValueError("np.linalg.cross: both operands must be (arrays of) 3-dimensional vectors")
    return np.cross(x1, x2, axis=axis)


def _stacked(function: Callable[..., Any], left: str, right: str, out: str, conjugate: bool) -> None:
    """The rule of a product of the last axes of two stacks, an einsum of them; the first operand may be conjugated."""

    def product(x1: Any, x2: Any, /) -> Plan:
        m, n = ndim(x1) - len(left), ndim(x2) - len(right)
        stack = LETTERS[: max(m, n)]
        subs = (stack[len(stack) - m :] + left, stack[len(stack) - n :] + right, stack + out)
        if conjugate:
            return _bilinear(lambda x, y: function(np.conj(x), y), np.conj(x1), x2, *subs)
        return _bilinear(function, x1, x2, *subs)

    rule(function)(product)


_stacked(np.vecdot, "y", "y", "", True)
if hasattr(np, "matvec"):  # NumPy 2.2
    _stacked(np.matvec, "xy", "y", "x", False)
    _stacked(np.vecmat, "x", "xy", "y", True)


@rule(np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return np.vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))


@rule(np.linalg.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return np.diagonal(x, offset, -2, -1)


@rule(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return np.trace(x, offset, -2, -1, dtype)


@rule(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    return np.matrix_transpose(x)
