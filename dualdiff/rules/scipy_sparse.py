"""scipy.sparse: matrices whose elements have tangents, by rows, columns and elements, and equations with them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.table import FOREIGN, Plan
from ..core.tangents import combine, linear, scatter
from ..core.values import ndim, plain, shape_of
from .matrix import is_complex
from .products import is_sparse, product
from .scipy_table import BODIES, INSTANCES, NOTES, SOLVERS, moves, original, refuse, scipy_rule


def _placed(x: Any, numbers: Any, shape: Any) -> Any:
    return scatter(x, numbers, shape).astype(x.dtype)


class Sparse:
    """Elements at rows and columns; what comes twice is added. With `array`, `*` is elementwise, as of csr_array."""

    __array_ufunc__ = None  # so that ndarray @ Sparse comes here
    ndim = 2

    def __init__(self, data: Any, rows: Any, columns: Any, shape: Any, array: bool = True) -> None:
        self.data, self.rows, self.columns, self.shape, self.array = data, rows, columns, tuple(shape), array

    @property
    def elements(self) -> Any:
        return self.data

    def like(self, data: Any) -> Sparse:
        return Sparse(data, self.rows, self.columns, self.shape, self.array)

    def plain(self) -> Any:
        """SciPy's matrix of the values."""
        return original("sparse.csc_array")((plain(self.data), (self.rows, self.columns)), self.shape)

    def toarray(self) -> Any:
        return _placed(self.data, self.rows * self.shape[1] + self.columns + 1, self.shape)

    todense = toarray

    @property
    def T(self) -> Sparse:
        return Sparse(self.data, self.columns, self.rows, self.shape[::-1], self.array)

    def transpose(self) -> Sparse:
        return self.T

    def __matmul__(self, x: Any) -> Any:
        if isinstance(x, Sparse) or is_sparse(x):
            raise refuse("sparse", "products of two sparse matrices are not differentiated; use (A @ (B @ x))")
        if ndim(x) == 1:
            return _placed(self.data * x[self.columns], self.rows + 1, self.shape[:1])
        k = shape_of(x)[1]
        return _placed(
            self.data[:, None] * x[self.columns], self.rows[:, None] * k + np.arange(k) + 1, (self.shape[0], k)
        )

    def __rmatmul__(self, x: Any) -> Any:
        return np.transpose(self.T @ np.transpose(x))

    dot = __matmul__

    def multiply(self, other: Any) -> Sparse:
        if is_sparse(other) or isinstance(other, Sparse):
            other = other.toarray()
        other = np.broadcast_to(other, self.shape)[self.rows, self.columns] if ndim(other) else other
        return self.like(self.data * other)

    def __mul__(self, other: Any) -> Any:
        return self.multiply(other) if self.array or not ndim(other) else self @ other

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Sparse:
        return self.multiply(1 / other)

    def __neg__(self) -> Sparse:
        return self.like(-self.data)

    def __add__(self, other: Any) -> Any:
        if not is_sparse(other) and not isinstance(other, Sparse):
            return self.toarray() + other
        b = of(other)
        data, rows, columns = (
            np.concatenate(pair) for pair in ((self.data, b.data), (self.rows, b.rows), (self.columns, b.columns))
        )
        return Sparse(data, rows, columns, self.shape, self.array)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def sum(self, axis: Any = None) -> Any:
        return np.sum(self.data) if axis is None else np.sum(self.toarray(), axis)

    def diagonal(self, k: int = 0) -> Any:
        return np.diagonal(self.toarray(), k)

    def _same(self, *_: Any, **__: Any) -> Sparse:
        return self

    tocsr = tocsc = tocoo = asformat = copy = _same


def of(a: Any) -> Sparse:
    """SciPy's matrix in this form."""
    if isinstance(a, Sparse):
        return a
    coo = a.tocoo()
    return Sparse(coo.data, coo.row, coo.col, coo.shape, not isinstance(a, sys.modules["scipy.sparse"].spmatrix))


def _product(a: Any, b: Any) -> Any:
    """a * b of a number with a tangent and one of SciPy's matrices."""
    if not is_sparse(a) and not is_sparse(b):
        return NotImplemented
    matrix, other = (a, b) if is_sparse(a) else (b, a)
    if ndim(other) and isinstance(matrix, sys.modules["scipy.sparse"].spmatrix):
        return product(a, b)
    return of(matrix) * other


FOREIGN[np.multiply] = _product
FOREIGN[np.divide] = lambda a, b: of(a) / b if is_sparse(a) else NotImplemented


def _made(name: str) -> None:
    """csr_array((data, (rows, columns)), shape) and its kin."""
    by_columns = name.startswith("csc")

    def made(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False) -> Any:
        if not isinstance(arg1, tuple):  # a dense array, whose zeros may move
            rows, columns = (k.ravel() for k in np.indices(shape_of(arg1)))
            return Sparse(np.ravel(arg1), rows, columns, shape_of(arg1), name.endswith("array"))
        data, where = arg1[0], arg1[1:]
        if len(where) == 1:
            rows, columns = map(np.asarray, where[0])
        else:
            columns, counts = np.asarray(where[0]), np.diff(where[1])
            rows = np.repeat(np.arange(len(counts)), counts)
            if by_columns:
                rows, columns = columns, rows
        shape = original(f"sparse.{name}")((plain(data), *where), shape).shape
        return Sparse(data, rows, columns, shape, name.endswith("array"))

    BODIES[f"sparse.{name}"] = made


for _name in "csr_array csc_array coo_array csr_matrix csc_matrix coo_matrix".split():
    _made(_name)


@scipy_rule("sparse.diags", "sparse.diags_array")
def diags(diagonals: Any, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None) -> Sparse:
    one = np.ndim(offsets) == 0
    parts = [diagonals] if one and not (isinstance(diagonals, list) and len(diagonals) == 1) else list(diagonals)
    offsets = [offsets] if one else list(offsets)
    m, n = shape or (max(shape_of(d)[0] + abs(k) for d, k in zip(parts, offsets)),) * 2
    rows = [np.arange(max(0, -k), min(m, n - k)) for k in offsets]
    data = [d if shape_of(d) == r.shape else np.broadcast_to(d, r.shape) for d, r in zip(parts, rows)]
    columns = np.concatenate([r + k for r, k in zip(rows, offsets)])
    return Sparse(np.concatenate(data), np.concatenate(rows), columns, (m, n), array=False)


# ---------------------------------------------------------------- equations


@scipy_rule("sparse.linalg.spsolve")
def spsolve(A: Any, b: Any) -> Any:
    if isinstance(b, Sparse) or is_sparse(b):
        raise refuse("sparse.linalg.spsolve", "of a sparse right side is not differentiated")
    a = of(A)
    return _solve(a, a.data, np.transpose(b)) if ndim(b) == 1 else np.transpose(_solve(a, a.data, np.transpose(b)))


def _solve(a: Sparse, data: Any, b: Any) -> Any:
    """x of a x = b, of right sides along the last axis: a dx = db - da x."""
    if not moves((data, b)):
        flat = b.reshape(-1, b.shape[-1])
        solve = original("sparse.linalg.splu")(a.like(data).plain().astype(np.result_type(data, b))).solve
        return solve(np.ascontiguousarray(flat.T)).T.reshape(b.shape)

    def tangent(x: Any, values: Any, tangents: Any) -> Any:
        (data, b), (da, db) = values, tangents
        terms = [] if db is None else [(db, shape_of(b), 1)]
        if da is not None:
            forward, back = (lambda d: _along(a, d, x)), (lambda c: _outer(a, c, x, data))
            terms.append((linear(da, shape_of(data), forward, back), shape_of(x), -1))
        made, shape = combine(terms, shape_of(x)), shape_of(x)
        return linear(made, shape, lambda v: _solve(a, data, v), lambda c: _solve(a.T, np.conj(data), c))

    return next(v for v in (data, b) if moves([v]))._finish(Plan((data, b), lambda d, b: _solve(a, d, b), tangent))


def _along(a: Sparse, d: Any, x: Any) -> Any:
    """sum_j d[i, j] x[..., j], of elements d that may have leading axes."""
    lead = shape_of(x)[:-1]
    numbers = a.rows + 1 + a.shape[0] * np.arange(int(np.prod(lead))).reshape(*lead, 1)
    moved = np.reshape(d, (*shape_of(d)[:-1], *(1,) * len(lead), -1))
    return _placed(moved * x[..., a.columns], numbers.reshape(*lead, -1), lead + a.shape[:1])


def _outer(a: Sparse, c: Any, x: Any, data: Any) -> Any:
    """The transpose of the same in d."""
    made = c[..., a.rows] * np.conj(x[..., a.columns])
    made = np.sum(made, axis=tuple(range(-ndim(x), -1)))
    return made if is_complex(data) else np.real(made)


class Factors:
    """Stands for what splu gives."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        if isinstance(self._own, Sparse):
            return spsolve(self._own if trans == "N" else self._own.T, rhs)
        return np.transpose(_mapped(self._solved, np.transpose(rhs), trans, {"N": "H", "H": "N", "T": "N"}[trans]))

    def _solved(self, v: Any, trans: str) -> Any:
        return self._own.solve(np.ascontiguousarray(v.reshape(-1, v.shape[-1]).T), trans).T.reshape(v.shape)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


def _mapped(function: Callable[..., Any], v: Any, way: Any, back: Any) -> Any:
    """A linear function of the last axis, and back its transpose."""
    if not moves([v]):
        return function(v, way)

    def tangent(r: Any, values: Any, ts: Any) -> Any:
        return linear(
            ts[0],
            shape_of(values[0]),
            lambda t: _mapped(function, t, way, back),
            lambda c: _mapped(function, c, back, way),
        )

    return v._finish(Plan((v,), lambda v: _mapped(function, v, way, back), tangent))


INSTANCES["SuperLU"] = Factors
BODIES["sparse.linalg.norm"] = lambda x, ord=None, axis=None: np.linalg.norm(of(x).toarray(), ord, axis)
BODIES["sparse.linalg.splu"] = lambda A: Factors(A)


class Operator:
    """Stands for a LinearOperator, a constant."""

    __array_ufunc__ = None

    def __init__(self, own: Any) -> None:
        self._own = own

    def __matmul__(self, x: Any) -> Any:
        if not moves([x]):
            return self._own @ x
        return np.transpose(_mapped(self._times, np.transpose(x), False, True))

    __mul__ = __call__ = dot = matvec = matmat = __matmul__

    def _times(self, v: Any, adjoint: bool) -> Any:
        a = self._own.adjoint() if adjoint else self._own
        if adjoint and getattr(self._own, "_CustomLinearOperator__rmatvec_impl", True) is None:
            raise refuse("sparse.linalg.LinearOperator", "reverse mode needs its transpose; give it rmatvec=")
        return a.matmat(v.reshape(-1, v.shape[-1]).T).T.reshape(*v.shape[:-1], a.shape[0])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


INSTANCES["LinearOperator"] = Operator
SOLVERS |= dict.fromkeys(
    [f"sparse.linalg.{n}" for n in "cg gmres bicg bicgstab cgs minres lgmres qmr gcrotmk lsqr lsmr".split()],
    "its steps have no derivative; scipy.sparse.linalg.spsolve has, and dd.define_root gives that of A @ x = b",
)
SOLVERS |= dict.fromkeys(
    [f"sparse.linalg.{n}" for n in "eigs eigsh svds expm_multiply".split()],
    "its steps have no derivative; use np.linalg.eigh, np.linalg.svd or scipy.linalg.expm of the dense matrix",
)


NOTES |= dict.fromkeys(["sparse.linalg.aslinearoperator", "sparse.linalg.LinearOperator"], "of constants")


@scipy_rule("sparse.linalg.aslinearoperator", "sparse.linalg.LinearOperator")
def aslinearoperator(A: Any) -> Any:
    raise refuse("sparse.linalg.aslinearoperator", "only of constants; use the matrix itself")
