"""scipy.linalg: by NumPy's functions where these do the same, and the functions of matrices that NumPy lacks.

The derivative of a primary function of a matrix (expm, logm, sqrtm, ...) in a direction e is a block of its value:
f([[a, e], [0, a]]) = [[f(a), L(a, e)], [0, f(a)]] (Mathias 1996; Higham, "Functions of Matrices", theorem 3.6).
Where SciPy reads one triangle of a matrix, the other has derivative zero.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.number import Number
from ..core.values import ndim, plain, shape_of
from .matrix import Matrix, adjoint, inverse_or_nan, is_complex, matrix_plan, noise, transposed
from .scipy_table import BODIES, moves, original, refuse, scipy_rule, sp


def _eye(a: Any, n: int) -> Any:
    return np.eye(n, dtype=plain(a).real.dtype)


# ---------------------------------------------------------------- equations


def _full(a: Any, lower: bool, hermitian: bool = True) -> Any:
    """The matrix that SciPy makes of one triangle."""
    one, other = (np.tril(a), np.tril(a, -1)) if lower else (np.triu(a), np.triu(a, 1))
    made = one + (adjoint(other) if hermitian else transposed(other))
    if hermitian and is_complex(a):
        made = made - 1j * np.imag(a) * _eye(a, shape_of(a)[-1])
    return made


_SHAPES = {"pos": True, "positive definite": True, "her": True, "hermitian": True, "sym": False, "symmetric": False}


@scipy_rule("linalg.solve")
def solve(a: Any, b: Any, lower: bool = False, *, assume_a: Any = None, transposed: bool = False) -> Any:
    if assume_a in _SHAPES:
        a = _full(a, lower, _SHAPES[assume_a])
    elif assume_a not in (None, "gen", "general"):
        raise refuse("linalg.solve", f"assume_a={assume_a!r} is not differentiated; leave it out")
    return np.linalg.solve(np.swapaxes(a, -1, -2) if transposed else a, b)


def _operated(a: Any, trans: Any) -> Any:
    return {0: lambda a: a, 1: transposed, 2: adjoint}[{"N": 0, "T": 1, "C": 2}.get(trans, trans)](a)


@scipy_rule("linalg.solve_triangular")
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Any:
    k = int(unit_diagonal)
    a = np.tril(a, -k) if lower else np.triu(a, k)
    return np.linalg.solve(_operated(a + _eye(a, shape_of(a)[-1]) if k else a, trans), b)


@scipy_rule("linalg.cho_factor")
def cho_factor(a: Any, lower: bool = False) -> Any:
    factor = np.linalg.cholesky(a, upper=not lower)
    if _rest_stays():  # nobody reads it
        factor = factor + (np.triu(a, 1) if lower else np.tril(a, -1))
    return factor, lower


@functools.cache
def _rest_stays() -> bool:
    """Whether this SciPy leaves in the other triangle of a factor what stood there."""
    return bool(sp("linalg.cho_factor")(np.array([[2.0, 1.0], [1.0, 2.0]]))[0][1, 0])


@scipy_rule("linalg.cho_solve")
def cho_solve(c_and_lower: Any, b: Any) -> Any:
    c, lower = c_and_lower
    once = solve_triangular(c, b, 0 if lower else 2, lower)
    return solve_triangular(c, once, 2 if lower else 0, lower)


@matrix_plan(lambda a, rows: sp("linalg.lu_factor")(a)[0])
def _lu(out: Any, a: Any, da: Matrix, rows: Any) -> Matrix:
    """l⁻¹ p da u⁻¹ = l⁻¹ dl + du u⁻¹, of which the first is strictly lower and the second upper."""
    n = a.shape[-1]
    low, upper = np.tril(out, -1) + np.eye(n), np.triu(out)
    d = np.linalg.inv(low) @ da.move(lambda x: x[..., rows, :]) @ inverse_or_nan(upper)
    return low @ (d * np.tri(n, k=-1)) + (d * np.tri(n).T) @ upper


def _rows(pivots: Any) -> Any:
    """The order of rows that the exchanges of LAPACK give."""
    rows = np.arange(len(pivots))
    for k, other in enumerate(pivots):
        rows[[k, other]] = rows[[other, k]]
    return rows


@scipy_rule("linalg.lu_factor")
def lu_factor(a: Any) -> Any:
    if ndim(a) > 2 or len(set(shape_of(a))) > 1:
        raise refuse("linalg.lu_factor", "only a single square matrix is differentiated")
    pivots = original("linalg.lu_factor")(plain(a))[1]
    plan = _lu(a, _rows(pivots))
    return (a._finish(plan) if moves([a]) else plan.value(a)), pivots


@scipy_rule("linalg.lu_solve")
def lu_solve(lu_and_piv: Any, b: Any, trans: Any = 0) -> Any:
    lu, pivots = lu_and_piv
    rows = _rows(pivots)
    if not trans:
        return solve_triangular(lu, solve_triangular(lu, b[rows], 0, True, True))
    return solve_triangular(lu, solve_triangular(lu, b, trans), trans, True, True)[np.argsort(rows)]


@scipy_rule("linalg.lu")
def lu(a: Any, permute_l: bool = False) -> Any:
    packed, pivots = lu_factor(a)
    n = shape_of(a)[-1]
    p, low = _eye(a, n)[np.argsort(_rows(pivots))], np.tril(packed, -1) + _eye(a, n)
    return (p @ low, np.triu(packed)) if permute_l else (p, low, np.triu(packed))


@scipy_rule("linalg.solve_sylvester")
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """a x + x b = q, of stacks; where there are tangents as one system of equations for all of x."""
    if not moves((a, b, q)):
        wide = np.broadcast_to(q, np.broadcast_shapes(shape_of(a)[:-2], shape_of(q)[:-2]) + shape_of(q)[-2:])
        parts = [np.broadcast_to(x, wide.shape[:-2] + x.shape[-2:]).reshape(-1, *x.shape[-2:]) for x in (a, b, wide)]
        return np.stack([original("linalg.solve_sylvester")(*p) for p in zip(*parts)]).reshape(wide.shape)
    m, n = shape_of(a)[-1], shape_of(b)[-1]
    left = a[..., :, None, :, None] * _eye(b, n)[:, None, :]
    both = left + _eye(a, m)[:, None, :, None] * transposed(b)[..., None, :, None, :]
    x = np.linalg.solve(
        np.reshape(both, (*shape_of(both)[:-4], m * n, m * n)), np.reshape(q, (*shape_of(q)[:-2], m * n, 1))
    )
    return np.reshape(x, (*shape_of(x)[:-2], m, n))


# ---------------------------------------------------------------- the same as NumPy's, by another name

BODIES["linalg.inv"] = lambda a: np.linalg.inv(a)
BODIES["linalg.det"] = lambda a: np.linalg.det(a.astype(np.result_type(a.dtype, float)))
BODIES["linalg.svdvals"] = lambda a: np.linalg.svd(a, compute_uv=False)
BODIES["linalg.cholesky"] = lambda a, lower=False: np.linalg.cholesky(a, upper=not lower)
BODIES["linalg.norm"] = lambda a, ord=None, axis=None, keepdims=False: np.linalg.norm(a, ord, axis, keepdims)
BODIES["linalg.eigvals"] = lambda a: np.linalg.eigvals(a) + 0j


@scipy_rule("linalg.lstsq")
def lstsq(a: Any, b: Any, cond: Any = None) -> Any:
    x, squares, rank, s = np.linalg.lstsq(a, b, cond)
    return x, (squares[0] if ndim(b) == 1 and shape_of(squares) == (1,) else squares), rank, s


@scipy_rule("linalg.pinv")
def pinv(a: Any, *, rtol: Any = None) -> Any:
    return np.linalg.pinv(a, rtol=max(shape_of(a)[-2:]) * np.finfo(plain(a).dtype).eps if rtol is None else rtol)


BODIES["linalg.pinvh"] = lambda a, lower=True: pinv(_full(a, lower))


def _turned(v: Any, own: Any) -> Any:
    """Vectors as columns, with the signs, or phases, that SciPy gives them."""
    turn = np.sum(np.conj(plain(v)) * own, axis=-2, keepdims=True)
    return v * (np.sign(turn) if turn.dtype.kind == "f" else turn / np.abs(turn))


@scipy_rule("linalg.eigh")
def eigh(a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False, type: int = 1) -> Any:
    """The generalised problem is a simple one in the coordinates of b's Cholesky factor."""
    if type != 1:
        raise refuse("linalg.eigh", "only type=1 is differentiated")
    if b is None:
        if eigvals_only:
            return np.linalg.eigvalsh(a, "L" if lower else "U")
        w, v = np.linalg.eigh(a, "L" if lower else "U")
    else:
        inverse = np.linalg.inv(np.linalg.cholesky(b, upper=not lower))
        inverse = inverse if lower else adjoint(inverse)
        w, v = np.linalg.eigh(inverse @ _full(a, lower) @ adjoint(inverse))
        v = adjoint(inverse) @ v
    if eigvals_only:
        return w
    if is_complex(v) and not (lower and b is None):
        raise refuse("linalg.eigh", "the phase of its complex vectors is known with lower=True and without b only")
    own = original("linalg.eigh")(plain(a), None if b is None else plain(b), lower=lower)[1]
    return w, _turned(v, own)


@scipy_rule("linalg.eigvalsh")
def eigvalsh(a: Any, b: Any = None, *, lower: bool = True) -> Any:
    return eigh(a, b, lower=lower, eigvals_only=True)


@scipy_rule("linalg.eig")
def eig(a: Any) -> Any:
    w, v = np.linalg.eig(a)
    return w + 0j, v


@scipy_rule("linalg.svd")
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    return np.linalg.svd(a, full_matrices, compute_uv)


@scipy_rule("linalg.qr")
def qr(a: Any, *, mode: str = "full") -> Any:
    m, n = shape_of(a)[-2:]
    if mode not in ("full", "economic", "r"):
        raise refuse("linalg.qr", f"mode={mode!r} is LAPACK's own format")
    if mode == "r":
        r = np.linalg.qr(a, "r")
        return (np.concatenate([r, np.zeros((m - n, n), r.dtype)]) if m > n else r,)
    return np.linalg.qr(a, "complete" if mode == "full" and m > n else "reduced")


# ---------------------------------------------------------------- functions of matrices


def _of_stack(name: str, a: Any) -> Any:
    """SciPy's function of each matrix of a stack."""
    if isinstance(a, Number):
        return sp(name)(a)
    if a.ndim == 2 or not a.size:
        return original(name)(a)
    return np.stack([original(name)(x) for x in a.reshape(-1, *a.shape[-2:])]).reshape(a.shape)


def _primary(name: str) -> Callable[..., Any]:
    def value(a: Any) -> Any:
        return _of_stack(name, a)

    def slope(a: Any, e: Any) -> Any:
        """L(a, e); e is scaled to the size of a, which is best for the block."""
        n, shape = a.shape[-1], np.broadcast_shapes(shape_of(a), shape_of(e))
        size = np.max(np.abs(plain(e)), axis=(-2, -1), keepdims=True, initial=0)
        size = np.where(size > 0, size, 1).astype(size.dtype)
        a, e = np.broadcast_to(a, shape), np.broadcast_to(e, shape) / size
        upper = np.concatenate([a, e], axis=-1)
        block = np.concatenate([upper, np.concatenate([np.zeros_like(plain(a)), a], axis=-1)], axis=-2)
        return value(block)[..., :n, n:] * size

    def formula(out: Any, a: Any, da: Matrix) -> Matrix:
        if name == "linalg.logm" and np.any((np.imag(w := np.linalg.eigvals(plain(a))) == 0) & (np.real(w) <= 0)):
            raise refuse(name, "an eigenvalue is negative, where the logarithm jumps")
        return da.map(lambda e: slope(a, e), lambda c: slope(adjoint(a), c), is_complex(out))

    return matrix_plan(value)(formula)


for _name in "expm logm sinm cosm tanm sinhm coshm tanhm".split():
    BODIES[f"linalg.{_name}"] = (lambda plan: lambda A: plan(A))(_primary(f"linalg.{_name}"))


@matrix_plan(lambda a: _of_stack("linalg.sqrtm", a))
def _sqrtm(out: Any, a: Any, da: Matrix) -> Matrix:
    """out d + d out = da."""
    w = np.linalg.eigvals(plain(out))
    sums = np.abs(w[..., :, None] + w[..., None, :]).reshape(*w.shape[:-1], -1)
    if np.any(sums.min(axis=-1, initial=np.inf) <= noise(w)[..., 0]):
        raise refuse("linalg.sqrtm", "the matrix is singular, where its square root has no derivative")
    h = adjoint(out)
    return da.map(
        lambda e: solve_sylvester(out, out, e), lambda c: solve_sylvester(h, h, c), is_complex(out) or is_complex(a)
    )


BODIES["linalg.sqrtm"] = lambda A: _sqrtm(A)

# ---------------------------------------------------------------- special matrices


@scipy_rule("linalg.toeplitz")
def toeplitz(c: Any, r: Any = None) -> Any:
    c = np.ravel(c)
    r = np.conj(c) if r is None else np.ravel(r)
    m, n = shape_of(c)[0], shape_of(r)[0]
    return np.concatenate([c[::-1], r[1:]])[np.arange(m - 1, -1, -1)[:, None] + np.arange(n)]


@scipy_rule("linalg.circulant")
def circulant(c: Any) -> Any:
    n = np.arange(shape_of(c)[-1])
    return c[..., (n[:, None] - n) % len(n)]


@scipy_rule("linalg.hankel")
def hankel(c: Any, r: Any = None) -> Any:
    c = np.ravel(c)
    r = np.zeros_like(plain(c)) if r is None else np.ravel(r)
    return np.concatenate([c, r[1:]])[np.arange(shape_of(c)[0])[:, None] + np.arange(shape_of(r)[0])]


@scipy_rule("linalg.block_diag")
def block_diag(*arrs: Any) -> Any:
    arrs = tuple(np.atleast_2d(a) for a in arrs)
    zeros = [[np.zeros((shape_of(a)[0], shape_of(b)[1]), plain(a).dtype) for b in arrs] for a in arrs]
    return np.block([[a if j == k else zeros[j][k] for k in range(len(arrs))] for j, a in enumerate(arrs)])
