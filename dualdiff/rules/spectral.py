"""Rules of numpy.linalg: eigenvalues, singular values, and the norms that go back to them.

What linalg.py says of sources, phases and repeated values holds here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import composed
from ..core.kinks import leave, lexicographic, met, watching
from ..core.number import Number
from ..core.table import Kink, Plan, axes_of, rule
from ..core.tangents import combine, total
from ..core.values import ndim, plain, shape_of
from .complex import real_part
from .matrix import Matrix, adjoint, inverse_or_nan, is_complex, matrix_plan, matrix_rule, noise, transposed

# ---------------------------------------------------------------- eigenvalues


def _turning(w: Any) -> Any:
    """1 / (w_j - w_i), 0 on the diagonal; NaN in column j if w_j is repeated, up to rounding."""
    v = plain(w)
    eye = np.eye(v.shape[-1], dtype=bool)
    close = (np.abs(v[..., None, :] - v[..., :, None]) <= noise(v)[..., None]) & ~eye
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


@matrix_rule(np.linalg.eigh)
def eigh(out: Any, a: Any, da: Matrix, UPLO: str = "L") -> Any:
    w, v = out
    _repeated(np.linalg.eigh, np.diff(plain(w)), noise(plain(w)))
    lower = UPLO.upper() == "L"
    p = adjoint(v) @ da.triangle(lower) @ v
    dv = v @ (p * _turning(w))
    if dv.complex:
        row = np.arange(a.shape[-1])[:, None] == (0 if lower else a.shape[-1] - 1)
        dv = dv - _phase(dv, v, row) * (1j * v)
    return p.diagonal.real, dv


@matrix_rule(np.linalg.eigvalsh)
def eigvalsh(w: Any, a: Any, da: Matrix, UPLO: str = "L") -> Matrix:
    _repeated(np.linalg.eigvalsh, np.diff(plain(w)), noise(plain(w)))
    v = np.linalg.eigh(a, UPLO)[1]
    return (da.triangle(UPLO.upper() == "L") @ v * np.conj(v)).down().real


def _repeated(function: Any, gaps: Any, least: Any) -> None:
    """Report equal values, up to rounding: each by itself is not smooth there, symmetric functions of all are."""
    if watching():
        why = "the tangents decide it by an eigenvalue problem of their own; step beside it, or use another function"
        met(function, np.where(np.abs(gaps) <= least, 0.0, gaps), ordered=False, why=why)


def _left(v: Any) -> Any:
    """v⁻¹, with NaN in the rows of eigenvalues so ill-conditioned that they may belong to no full set of vectors."""
    inverse = inverse_or_nan(v)
    length = np.linalg.norm(plain(inverse), axis=-1, keepdims=True)
    # Rounding splits a defective double eigenvalue by sqrt(eps), which makes it look as well conditioned as this.
    return np.where(length * np.sqrt(np.finfo(length.dtype).eps) < 1, inverse, np.nan)


@matrix_rule(np.linalg.eig)
def eig(out: Any, a: Any, da: Matrix) -> Any:
    w, v = out
    p = _left(v) @ da @ v
    dv = v @ (p * _turning(w))
    dv = dv - (dv * np.conj(v)).down(True).real * v  # the length stays 1
    if dv.complex and w.size:
        largest = (np.abs(plain(v)) * _is_real(v)).argmax(axis=-2)
        row = np.arange(a.shape[-1])[:, None] == largest[..., None, :]
        dv = dv - _phase(dv, v, row) * (1j * v)
    return p.diagonal, dv


@matrix_rule(np.linalg.eigvals)
def eigvals(w: Any, a: Any, da: Matrix) -> Matrix:
    found, v = np.linalg.eig(a)
    v = np.take_along_axis(v, _matching(plain(found), plain(w))[..., None, :], -1)
    return (da @ v * transposed(_left(v))).down()


def _matching(found: Any, w: Any) -> Any:
    """Where each of w is among the eigenvalues `found` by eig: of large matrices eigvals gives another order."""
    n = w.shape[-1]
    order = np.broadcast_to(np.arange(n), w.shape).copy()
    for k in np.ndindex(w.shape[:-1]):
        if not np.array_equal(found[k], w[k]):
            row, distance = order[k], np.abs(w[k][:, None] - found[k])
            for i in range(n):
                row[i] = distance[i].argmin()
                distance[:, row[i]] = np.inf
    return order


# ---------------------------------------------------------------- singular values


def value_tangents(factors: Any, da: Matrix) -> Matrix:
    """ds = Re diag(uᴴ da v); a value that is exactly 0 is at its kink, with slope 0."""
    u, s, vh = factors
    _repeated(np.linalg.svdvals, np.diff(-plain(s), append=0), noise(plain(s)))
    return (da @ adjoint(vh) * np.conj(u)).down().real * (plain(s) > 0)


@matrix_rule(np.linalg.svdvals)
def svdvals(s: Any, a: Any, da: Matrix) -> Matrix:
    return value_tangents(np.linalg.svd(a, full_matrices=False), da)


@rule(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        return _svd_hermitian(a, compute_uv)
    return _svd(a, full_matrices) if compute_uv else np.linalg.svdvals(a)


@matrix_plan(np.linalg.svd)
def _svd(out: Any, a: Any, da: Matrix, full_matrices: bool) -> Any:
    (u, s, vh), (m, n) = out, a.shape[-2:]
    v, k = adjoint(vh), min(m, n)
    ds = value_tangents((u[..., :k], s, vh[..., :k, :]), da)
    if m >= n:
        du, dv = _vectors(u, s, v, da)
    else:
        dv, du = _vectors(v, s, u, da.H)
    return du, ds, dv.H


def _vectors(u: Any, s: Any, v: Any, da: Matrix) -> tuple[Matrix, Matrix]:
    """The tangents of u and v for a matrix that is not wide; u may have more columns than v."""
    k = s.shape[-1]
    u, more = u[..., :k], u[..., k:]
    value = plain(s)
    zero = value <= noise(value)
    eye = np.eye(k, dtype=bool)
    inverse = 1 / np.where(zero, np.nan, s)[..., None, :]
    p = adjoint(u) @ da @ v
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
        du = du.beside(-(u @ (adjoint(more) @ du).H) * blank)
    return du, dv


def _svd_hermitian(a: Any, compute_uv: bool) -> Any:
    """From the eigenvalues, as NumPy does."""
    w, u = np.linalg.eigh(a) if compute_uv else (np.linalg.eigvalsh(a), None)
    order = np.argsort(np.abs(plain(w)), axis=-1)[..., ::-1]
    w = np.take_along_axis(w, order, -1)
    if not compute_uv:
        return np.abs(w)
    u = np.take_along_axis(u, order[..., None, :], -1)
    sign = np.copysign(1, plain(w))[..., None, :]
    return type(np.linalg.svd(np.eye(1)))(u, np.abs(w), adjoint(u * sign))


# ---------------------------------------------------------------- norms


_matrix_norm = composed(np.linalg.norm)


@rule(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    axes = axes_of(axis, ndim(x))
    if len(axes) == 2 and 0 not in shape_of(x) and (ord == "nuc" or ord in (1, -1, 2, -2, np.inf, -np.inf)):
        return _matrix_norm(x, ord, axis, keepdims)
    euclidean = ord is None or ord in ("fro", "f")
    return _norm(x, 2 if euclidean else ord, axes, lambda x: np.linalg.norm(x, ord, axis, keepdims), keepdims)


def _norm(x: Any, p: Any, axes: Any, value: Callable[[Any], Any], keepdims: bool) -> Any:
    """A vector norm over some axes: the weights are x / norm(x), or for other p than 2 what takes its place."""
    if p == 0 or 0 in shape_of(x):
        return value(plain(x))  # a count, or a constant
    operand = x
    if watching():
        if np.isinf(p) or p == 1:  # each element has its own kink
            size = np.abs(x)
            return (np.sum if p == 1 else np.max if p > 0 else np.min)(size, axis=axes, keepdims=keepdims)
        if not isinstance(x.value, Number):
            met(np.linalg.norm, value(plain(x)), value(plain(x)), ordered=p > 1, why="it has no derivative there")

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        x, shape = values[0], shape_of(values[0])
        at = leave(_zero(p, axes), (operand,), np.linalg.norm, True) if lexicographic() else None
        x = x if at is None else at[0]
        if p == 2 and _moderate(plain(out)):
            weight = x / (np.expand_dims(out, axes) if ndim(out) and not keepdims else out)
        else:
            weight = _norm_weight(x, p, axes)
        complex = is_complex(x)
        moved = combine([(tangents[0], shape, np.conj(weight) if complex else weight)], shape, select=np.isinf(p))
        return total(real_part(moved, shape) if complex else moved, shape, axes, bool(keepdims))

    return Plan((x,), value, tangent)


def _zero(p: Any, axes: Any) -> Kink:
    """The kink of a norm, whose slopes all around it are those of the norm itself."""
    return Kink(lambda x: np.broadcast_to(np.max(np.abs(x), axis=axes, keepdims=True), x.shape), curved=True)


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
    if np.any(top == 0):
        y = np.where(top == 0, np.sqrt(np.where(top == 0, y, 0)), y)  # still 0, but no slope that looks healthy
    r = np.where(top == 0, 1, np.linalg.vector_norm(y, axis=axes, keepdims=True, ord=p))
    weight = y / r if p == 2 else np.sign(y) * (np.abs(y) / r) ** (p - 1)
    return np.where(size == 0, 0, weight) if p < 1 else weight


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
            r = np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(inverse_or_nan(x), p, (-2, -1))
    bad = np.isnan(plain(r)) & ~np.isnan(plain(x)).any(axis=(-2, -1))
    if not bad.any():
        return r
    r = r + np.sum(x * np.where(bad, np.nan, 0)[..., None, None], (-2, -1))  # no derivative in any direction
    return Plan((r,), lambda r: np.where(bad, np.inf, r)[()], lambda _, v, t: t[0])
