"""Structural functions, reductions and products, in every form NumPy lets them be called.

A case is an expression; it is differentiated by all arrays that it names.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import dualdiff as dd

from .tools import expressions

rng = np.random.default_rng(1)
SHAPES = {
    "c": (),
    "u": (3,),
    "v": (3,),
    "w": (4,),
    "A": (3, 4),
    "B": (4, 2),
    "S": (3, 3),
    "T": (2, 3, 4),
    "R": (2, 4, 3),
}
SHAPES |= {"one": (1,), "Row": (1, 4), "Q": (5, 1, 3, 4)}
VARIABLES = {name: rng.uniform(0.5, 1.5, shape) for name, shape in SHAPES.items()}
CONSTANTS: dict[str, Any] = {
    "np": np,
    "dd": dd,
    "mask": rng.uniform(size=(3, 4)) > 0.5,
    "odd": np.array([True, False, True]),
    "deep": rng.uniform(size=(2, 3, 4)) > 0.5,
    "K": rng.normal(size=(3, 4)),
    "grid": np.array([[0, 2], [1, 1]]),
}

REDUCTIONS = """
np.sum(A)  np.sum(A, 0)  np.sum(A, axis=-1)  np.sum(T, axis=(0, 2))  np.sum(T, (-1, 0), keepdims=True)
np.sum(T, axis=())  np.sum(A, keepdims=True)  np.sum(A, initial=2.0)  np.sum(A, where=mask)
np.sum(A, 0, where=mask, initial=1.5)  np.sum(A, axis=1, where=odd[:, None])  np.sum(c)  np.sum([u, v])
np.sum(A, axis=0, initial=c)  A.sum()  A.sum(1)  np.sum(T, None)
np.add.reduce(A)  np.add.reduce(A, axis=1)  np.add.reduce(T, axis=(0, 1), keepdims=True)
np.mean(A)  np.mean(A, 0)  np.mean(T, axis=(0, -1), keepdims=True)  np.mean(A, where=mask)
np.mean(A, 0, where=mask | True)  A.mean(axis=1)  np.mean(c)  np.mean([u, v, u], axis=0)
np.var(A)  np.var(A, 0)  np.var(T, axis=(0, 2), ddof=1)  np.var(A, 1, keepdims=True)  np.var(A, where=mask)  A.var()
np.std(A)  np.std(A, 0)  np.std(T, axis=(0, 2), ddof=1)  np.std(A, 1, keepdims=True)  np.std(A, where=mask)  A.std()
np.prod(u)  np.prod(A, 0)  np.prod(T, axis=(0, 2))  np.prod(A, axis=-1, keepdims=True)  np.prod(A, initial=2.0)
A.prod()  np.prod(T, (1, 2), keepdims=True)  np.prod(A, where=mask)  np.multiply.reduce(A)
np.prod(c)  np.prod(T, axis=())  np.cumsum(u)  np.cumsum(A)  np.cumsum(A, 0)  np.cumsum(T, axis=-2)
np.add.accumulate(A)  np.add.accumulate(A, 1)  A.cumsum(1)
np.cumprod(u)  np.cumprod(A)  np.cumprod(A, 0)  np.cumprod(T, axis=-2)  np.multiply.accumulate(A)  A.cumprod()
np.diff(u)  np.diff(A)  np.diff(A, axis=0)  np.diff(T, 2, 1)  np.diff(A, n=3)  np.diff(u, prepend=0.0)
np.diff(u, append=v)  np.diff(A, axis=0, prepend=Row, append=1.0)  np.diff(u, n=0)
np.trace(S)  np.trace(A, 1)  np.trace(T, axis1=0, axis2=2)  np.trace(T, -1, 1, 2)  S.trace()
"""
REAL_ONLY = """
np.max(A)  np.max(A, 0)  np.max(T, axis=(0, -1))  np.max(A, axis=1, keepdims=True)  np.max(A, initial=1.2)  A.max()
np.max(A, axis=0, initial=0.0, where=mask)  np.max(c)  np.maximum.reduce(A)  np.amax(A, -1)  np.max(u, initial=9.0)
np.min(A)  np.min(A, 0)  np.min(T, axis=(0, -1))  np.min(A, axis=1, keepdims=True)  np.min(A, initial=0.8)  A.min()
np.min(A, axis=0, initial=9.0, where=mask)  np.minimum.reduce(A, axis=1)  np.amin(A, 0)
np.ptp(A)  np.ptp(A, 0)  np.ptp(T, axis=(0, 1), keepdims=True)
np.clip(A, 0.8, 1.2)  np.clip(A, None, 1.0)  np.clip(A, 0.9, None)  np.clip(A, Row, 1.4)  A.clip(0.7, 1.1)
A.clip(min=0.8)  A.clip(max=1.0)  np.clip(K, -0.5, u[:, None])  np.sum(A, dtype=np.float64)
np.concatenate([u, u], dtype=np.float64)  A.astype(float)  np.divmod(A, 0.4)  divmod(A, Row)  np.modf(A)
np.lib.stride_tricks.sliding_window_view(A, (2, 2))  np.lib.stride_tricks.sliding_window_view(A, 2, axis=1)
np.lib.stride_tricks.sliding_window_view(u, 2).mean(axis=-1)  np.frexp(9 * A)[0]
np.maximum(A, Row)
"""
MOVES = """
np.reshape(A, (4, 3))  np.reshape(A, -1)  np.reshape(T, (4, -1))  A.reshape(2, 6)  A.reshape((2, -1))  A.reshape(12)
np.reshape(A, (2, 6), order='F')  np.reshape(c, (1, 1))  c.reshape(1)  np.reshape(one, ())  A.reshape(-1, order='F')
np.ravel(A)  np.ravel(A, 'F')  A.ravel()  A.flatten()  A.flatten('F')  np.ravel(A.T)  np.ravel(c)
np.transpose(T)  np.transpose(T, (1, 0, 2))  np.transpose(T, (-1, 0, 1))  T.transpose(2, 0, 1)  A.T  T.T  T.mT  u.T
np.permute_dims(T, (2, 1, 0))  np.swapaxes(T, 0, -1)  T.swapaxes(1, 2)  np.matrix_transpose(T)
np.moveaxis(T, 0, -1)  np.moveaxis(T, [0, 1], [-1, 0])  np.rollaxis(T, 2)  np.rollaxis(T, 2, 1)
np.squeeze(Q)  np.squeeze(Q, 1)  np.squeeze(one)  Q.squeeze(axis=(1,))  np.expand_dims(A, 1)  np.expand_dims(A, (0, -1))
np.broadcast_to(u, (2, 3))  np.broadcast_to(c, (2, 2))  np.broadcast_to(Row, (3, 4))  np.broadcast_to(c, 3)
np.broadcast_arrays(u, c)  np.broadcast_arrays(A, Row, 1.0)  np.atleast_1d(c)  np.atleast_1d(c, A)
np.atleast_2d(u)  np.atleast_2d(c, T)  np.atleast_3d(u)  np.atleast_3d(A)  np.atleast_3d(c, Q)
np.flip(A)  np.flip(A, 0)  np.flip(T, (0, -1))  np.fliplr(A)  np.flipud(A)  np.rot90(A)  np.rot90(T, 3, (1, 2))
np.roll(A, 2)  np.roll(A, -1, 0)  np.roll(A, (1, 2), (0, 1))  np.roll(T, (1, 1), axis=(-1, -1))
np.roll(T, 3, axis=(0, 2))
np.repeat(u, 2)  np.repeat(A, 3)  np.repeat(A, [1, 0, 2], 0)  np.repeat(A, 2, axis=-1)  A.repeat(2, 1)  np.repeat(c, 3)
np.tile(u, 2)  np.tile(A, (2, 1))  np.tile(A, (2, 1, 2))  np.resize(A, (5, 3))  np.resize(A, 3)
np.take(A, [0, 5, -1])  np.take(A, [0, 2], 0)  np.take(A, grid, axis=1)  A.take(1, axis=-1)
np.take(A, [9, -7], 1, mode='wrap')  np.take(A, [9, -7], 0, mode='clip')  np.copy(A)  A.copy()
np.diagonal(A)  np.diagonal(T, 1, 1, 2)  T.diagonal(axis1=0, axis2=2)  np.diag(u)  np.diag(A, 1)  np.diag(u, -1)
np.diagflat(A)  np.tril(A)  np.triu(T, 1)
np.concatenate([u, v])  np.concatenate([A, Row])  np.concatenate((A, K), axis=1)  np.concatenate([A, u], axis=None)
np.concatenate([u, [1.0, 2.0], v])  np.concatenate([T, T * 2], -1)
np.stack([u, v])  np.stack([u, v], axis=1)  np.stack([u, np.ones(3), v], -1)  np.stack([A, K], axis=-2)
np.hstack([u, v, c])  np.hstack([A, K])  np.vstack([u, v])  np.vstack([A, Row])  np.dstack([u, v])  np.dstack([A, K])
np.column_stack([u, S])  np.append(A, u)  np.append(A, Row, axis=0)  np.append(u, 1.0)
np.split(w, 2)  np.split(A, [1, 3], axis=1)  np.split(A, 3)  np.array_split(w, 3)  np.array_split(T, [2], -1)
np.where(mask, A, 0.0)  np.where(mask, 1.0, A)  np.where(mask, A, Row)  np.where(odd, u, c)  np.where(mask, c, K)
np.where(A > 1, A**2, Row)  np.where(True, u, v)  np.where(odd[:, None], u, c)  np.where(odd, u[:, None], v)
"""
INDEXING = """
u[0]  u[-1]  u[1:]  u[::-1]  u[::2]  u[5:]  u[...]  u[None]  u[[0, 0, 2]]  u[[]]  u[odd]  u[grid]  u[np.int64(1)]  u[()]
u[np.array(2)]  u[True]  u[False]  u[[True, False, True]]  u[-2:0:-1]  u[np.array([], int)]  u[~odd]
c[()]  c[None]  c[...]  c[..., None]  A[0]  A[0, 1]  A[-1, -1]  A[:, 1]  A[1:, ::-2]  A[..., 0]  A[None, :, None, 1:]
A[[0, 2]]  A[:, [1, 1]]  A[[0, 1], [2, 3]]  A[[0, 2], 1:]  A[0, [1, 2]]  A[grid]  A[:, grid]  A[mask]  A[odd]
A[:, [True, False, True, True]]  A[odd, 1]  A[odd, :2]  A[np.ix_([0, 2], [3, 1])]  A[([0, 1], [1, 1])]
A[[[0], [1]], [1, 2]]  A[None, mask]  A[K > 0]  A[()]  A[A > 1]
T[0]  T[1, 2, 3]  T[:, 0]  T[..., 0]  T[0, ..., 1]  T[::-1, ::2, 1:3]  T[:, None, 1]  T[[0, 1], :, [1, 3]]
T[0, :, [1, 2]]  T[..., [0, 2], 1]  T[:, [0, 1], :, None]  T[[1, 0]]  T[:, [2, 0], [3, 1]]  T[:, odd]  T[deep]
T[0, odd, 1:]  T[:, mask]  T[grid % 2, :, 0]  T[[0], [1], [2]]  T[0, [1], [2]]  T[[0, 1], None, [2, 2]]
T[np.array(1), :, np.array([0, 3])]  T[[0, 1], 1]  T[[0, 1], ..., [0, 1]]  T[np.ix_([1, 0], [0], [2, 2])]  T[1][:, 2]
T[:, ::-1][0].T[1:]  T[:, grid, 0]  Q[:, 0, [0, 1], :][0]  Q[[0, 4], :, [1, 2], 1:]
"""
PRODUCTS = """
A @ B  u @ v  A @ w  u @ A  T @ w  T @ B  A.T @ u  T @ R  u @ R.mT  u @ T  R @ u  Q @ B  T[0] @ R
np.matmul(A, B)  np.matmul(K, w)  K @ B  u @ K  K.T @ A  T @ np.ones((2, 4, 5))  S @ S  u @ u  np.ones((5, 1, 3, 4)) @ R
np.matmul(Q, R[0])  T[:, :1] @ R
np.dot(u, v)  np.dot(A, B)  np.dot(A, w)  np.dot(u, A)  np.dot(T, w)  np.dot(T, B)  np.dot(T, R)  np.dot(c, A)
np.dot(K, w)  A.dot(B)  np.dot(u, T.transpose(0, 1, 2))  np.dot(A, R)  np.dot(S, S)  np.dot(c, c)  u.dot(v)
np.vdot(A, K)  np.vdot(u, v)  np.vdot(A, A)
np.inner(u, v)  np.inner(A, w)  np.inner(T, A)  np.inner(T, T)  np.inner(c, A)  np.inner(A, K)
np.outer(u, w)  np.outer(A, u)  np.outer(u, u)  np.outer(c, K)  np.linalg.outer(u, v)
np.tensordot(A, B, 1)  np.tensordot(T, K)  np.tensordot(T, R, ([1, 2], [2, 1]))
np.tensordot(T, R, axes=((0, 1), (0, 2)))  np.tensordot(u, v, 0)  np.tensordot(T, A, (-1, 1))  np.tensordot(T, T, 3)
np.tensordot(T, R, ([-1], [-2]))  np.linalg.tensordot(A, B, axes=1)  np.linalg.matmul(A, B)
np.kron(u, w)  np.kron(A, B)  np.kron(u, A)  np.kron(T, u)  np.kron(c, A)  np.kron(A, K)  np.kron(S, S)
"""
EINSUMS = [
    "np.einsum('ij->ji', A)",
    "np.einsum('ij', A)",
    "np.einsum('ba', A)",  # implicit: the result's letters are sorted
    "np.einsum('ij->', A)",
    "np.einsum('ijk->kj', T)",
    "np.einsum('ii', S)",
    "np.einsum('ii->i', S)",
    "np.einsum('ij,jk', A, B)",
    "np.einsum('ij,jk->ki', A, B)",
    "np.einsum(' ij , jk -> ik ', A, B)",
    "np.einsum('ij,ij->ij', A, K)",
    "np.einsum('ij,ij->i', A, A)",
    "np.einsum('i,j->ij', u, w)",
    "np.einsum('i,i', u, v)",
    "np.einsum('i,ij,j', u, A, w)",
    "np.einsum('i,ij,j->ij', u, A, w)",
    "np.einsum('ij,jk,ik->', A, B, A @ B)",
    "np.einsum('i,i,i->i', u, u, u)",
    "np.einsum('i,j,k->kij', u, v, w)",
    "np.einsum('ij,kl->', A, B)",
    "np.einsum('ij,k->i', A, u)",
    "np.einsum('ii,i->i', S, u)",
    "np.einsum('ii,jj->', S, S)",
    "np.einsum('iji->j', T[:, :2, :2])",
    "np.einsum('Zi,Zj->ij', S, A)",
    "np.einsum('aZ->Za', A)",
    "np.einsum('xyZ,zyx->Z', T.T, T)",
    "np.einsum('...ij,...jk->...ik', T, R)",
    "np.einsum('...ij,jk', T, B)",
    "np.einsum('...i,...i->...', T, w)",
    "np.einsum('...i->i...', T)",
    "np.einsum('i...->...', T)",
    "np.einsum('...ij,...ij', T, A)",
    "np.einsum('...,...', T, A)",
    "np.einsum('i...j,...j', T, A)",
    "np.einsum(',i->i', c, u)",
    "np.einsum('ij,ij->ij', A, Row)",  # an axis of length 1 spreads
    "np.einsum(A, [0, 1], B, [1, 2], [2, 0])",
    "np.einsum(A, [0, 1], B, [1, 2])",
    "np.einsum(S, [0, 0])",
    "np.einsum(T, [..., 0], w, [0], [...])",
    "np.einsum(u, [5], w, [3], [3, 5])",
    "np.einsum('ij,jk,kl->il', A, B, B.T, optimize=True)",
]
OTHERS = """
np.real(A)  np.imag(A)  A.real  A.imag  np.angle(A)  np.angle(A, deg=True)  np.conj(A)  np.abs(A)
"""
CASES = [e for table in (REDUCTIONS, MOVES, INDEXING, PRODUCTS, OTHERS) for e in expressions(table)] + EINSUMS
if hasattr(np, "cumulative_sum"):  # NumPy 2.1
    CASES += [
        "np.cumulative_sum(u)",
        "np.cumulative_sum(A, axis=0)",
        "np.cumulative_sum(T, axis=1, include_initial=True)",
    ]
    CASES += ["np.cumulative_prod(u)", "np.cumulative_prod(A, axis=-1, include_initial=True)"]
    CASES += ["np.clip(A.real, min=0.8)", "np.clip(A.real, max=0.8)"]
REAL = expressions(REAL_ONLY)
COMPLEX = [e for e in CASES if not re.search("[AK] >", e)]  # complex numbers have no order


class Case:
    """An expression as a function of the arrays that it names."""

    def __init__(self, source: str, dtype: Any = float) -> None:
        code = compile(source, source, "eval")
        self.names = [n for n in code.co_names if n in VARIABLES]
        self.code = code
        self.arrays = [self.array(n, dtype) for n in self.names]
        self.directions = [self.array(n, dtype, 0.7) for n in self.names]

    def f(self, *arrays: Any) -> Any:
        result = eval(self.code, {**CONSTANTS, **dict(zip(self.names, arrays))})
        return tuple(result) if isinstance(result, list) else result  # a list of arrays would count as one array

    @staticmethod
    def array(name: str, dtype: Any, turn: float = 0.0) -> Any:
        a = VARIABLES[name] if not turn else np.cos(7 * VARIABLES[name])
        return np.asarray(a + 1j * np.sin(5 * a + turn) if dtype is complex else a, dtype)

    def jvp(self, *arrays: Any) -> tuple[Any, Any]:
        return dd.jvp(self.f, arrays or self.arrays, self.directions)
