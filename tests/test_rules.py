"""Structural functions, reductions and products, in every form NumPy lets them be called.

A case is an expression; it is differentiated by all arrays that it names. The value must be NumPy's own, the tangent
that of central differences, and one direction, many directions and nested derivatives must agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.rules import FUNCTIONS

MODES = ["forward", "reverse"]
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
CASES = [
    e for table in (REDUCTIONS, MOVES, INDEXING, PRODUCTS, OTHERS) for e in re.split(r"\s{2,}|\n", table) if e
] + EINSUMS
if hasattr(np, "cumulative_sum"):  # NumPy 2.1
    CASES += [
        "np.cumulative_sum(u)",
        "np.cumulative_sum(A, axis=0)",
        "np.cumulative_sum(T, axis=1, include_initial=True)",
    ]
    CASES += ["np.cumulative_prod(u)", "np.cumulative_prod(A, axis=-1, include_initial=True)"]
    CASES += ["np.clip(A.real, min=0.8)", "np.clip(A.real, max=0.8)"]
REAL = [e for e in re.split(r"\s{2,}|\n", REAL_ONLY) if e]


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


def leaves(result: Any) -> list[Any]:
    return [x for part in result for x in leaves(part)] if isinstance(result, list | tuple) else [result]


def close(got: Any, due: Any, **tolerance: float) -> None:
    got, due = leaves(got), leaves(due)
    assert len(got) == len(due)
    for g, d in zip(got, due):
        assert np.shape(g) == np.shape(d)
        np.testing.assert_allclose(g, d, **tolerance)


def difference(f: Callable[..., Any], arrays: list[Any], directions: list[Any], h: float = 1e-5) -> list[Any]:
    """The derivative along the directions by central differences."""
    up, down = (leaves(f(*[x + s * v for x, v in zip(arrays, directions)])) for s in (h, -h))
    return [(a - b) / (2 * h) for a, b in zip(up, down)]


def test_every_rule_has_a_case() -> None:
    modules = {f"dualdiff.rules.{m}" for m in ("structural", "reductions", "products", "nonsmooth", "complex")}
    tested = {eval(n, {"np": np}) for e in CASES + REAL for n in re.findall(r"np(?:\.[a-z_0-9]+)+", e)}
    missing = {f.__name__ for f, rule in FUNCTIONS.items() if rule.__module__ in modules and f not in tested}
    assert missing == set()


COMPLEX = [e for e in CASES if not re.search("[AK] >", e)]  # complex numbers have no order


@pytest.mark.parametrize("source, dtype", [(e, float) for e in CASES + REAL] + [(e, complex) for e in COMPLEX])
def test_value_and_tangent(source: str, dtype: Any) -> None:
    """One direction: NumPy's own value and dtype, the tangent of central differences; the arrays are left alone."""
    case = Case(source, dtype)
    value, tangent = case.jvp()
    due = case.f(*case.arrays)
    close(value, due, rtol=1e-14)
    close(tangent, difference(case.f, case.arrays, case.directions), rtol=1e-8, atol=1e-9)
    for v, t, d in zip(leaves(value), leaves(tangent), leaves(due)):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype
    for x, again in zip(case.arrays, Case(source, dtype).arrays):
        np.testing.assert_array_equal(x, again)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", CASES + REAL)
def test_jacobian(source: str, mode: str) -> None:
    """All directions at once, in chunks and one by one give the same matrix, which maps a direction to its tangent."""
    case = Case(source)
    argnums = tuple(range(len(case.names)))
    value, tangent = case.jvp()
    for chunk_size in (None, 1, 3):
        js = dd.jacobian(case.f, argnums, mode=mode, chunk_size=chunk_size)(*case.arrays)
        by_result = list(zip(*[leaves(j) for j in js]))
        assert len(by_result) == len(leaves(value))
        for parts, v, t in zip(by_result, leaves(value), leaves(tangent)):
            assert all(np.shape(j) == np.shape(v) + x.shape for j, x in zip(parts, case.arrays))
            along = sum(np.tensordot(j, d, d.ndim) for j, d in zip(parts, case.directions))
            np.testing.assert_allclose(along, t, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("source", CASES + REAL)
def test_second_order(source: str) -> None:
    """The derivative of the derivative along a direction; squares make what is linear interesting."""
    case = Case(source)

    def first(*arrays: Any) -> Any:
        squares = [np.square(x, out=np.zeros_like(x)) for x in arrays]  # x * x of an array without axes is a number
        return dd.jvp(case.f, squares, [2 * x * v for x, v in zip(arrays, case.directions)])[1]

    second = dd.jvp(first, case.arrays, case.directions)[1]
    close(second, difference(first, case.arrays, case.directions), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("source", CASES + REAL)
def test_float32_stays(source: str) -> None:
    case = Case(source, np.float32)
    value, tangent = case.jvp()
    for v, t, d in zip(leaves(value), leaves(tangent), leaves(case.f(*case.arrays))):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype


def test_the_check_finds_a_wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, np.ravel, lambda a, order="C": np.reshape(a.T, -1))
    with pytest.raises(AssertionError):
        test_value_and_tangent("np.ravel(A)", float)
    monkeypatch.setitem(FUNCTIONS, np.cumsum, lambda a, axis=None: dd.value(np.cumsum(dd.value(a))) + a.ravel())
    with pytest.raises(AssertionError):
        test_value_and_tangent("np.cumsum(A)", float)


# ---------------------------------------------------------------- empty arrays

EMPTY = [
    ("np.sum(x)", (0,)),
    ("np.sum(x, axis=0)", (0, 3)),
    ("np.sum(x, axis=1)", (0, 3)),
    ("np.prod(x, axis=0)", (0, 3)),
    ("np.prod(x)", (0, 3)),
    ("np.cumsum(x)", (0,)),
    ("np.cumprod(x, 1)", (2, 0)),
    ("np.diff(x)", (0,)),
    ("np.reshape(x, (0, 5))", (3, 0)),
    ("np.ravel(x)", (3, 0)),
    ("x.T", (3, 0)),
    ("np.concatenate([x, x])", (0, 2)),
    ("np.concatenate([x, [1.0]])", (0,)),
    ("np.stack([x, x], -1)", (0, 2)),
    ("np.where(x > 0, x, 1.0)", (0,)),
    ("x[1:]", (0,)),
    ("x[[]]", (2, 0)),
    ("x[x > 0]", (0, 2)),
    ("x @ np.ones((0, 2))", (3, 0)),
    ("x @ np.ones(3)", (0, 3)),
    ("np.einsum('ij,ij->', x, x)", (0, 3)),
    ("np.outer(x, x)", (0,)),
    ("np.kron(x, x)", (0,)),
    ("np.sin(x) * x", (0, 2)),
    ("np.repeat(x, 2)", (0,)),
    ("np.max(x, axis=1)", (0, 3)),
    ("np.tensordot(x, x, 2)", (0, 3)),
]


@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("source, shape", EMPTY)
def test_empty_in_empty_out(source: str, shape: tuple[int, ...], chunk_size: int | None) -> None:
    f = eval("lambda x: " + source, {"np": np})
    x = np.zeros(shape)
    value, j = dd.value_and_jacobian(f, chunk_size=chunk_size)(x)
    np.testing.assert_array_equal(value, f(x), strict=isinstance(f(x), np.ndarray))
    assert j.shape == np.shape(f(x)) + shape
    assert j.dtype == float
    np.testing.assert_array_equal(dd.jvp(f, (x,), (x,))[0], f(x))


# ---------------------------------------------------------------- views and copies

PARTS = """
y[1]  y[1:]  y[:, ::-2]  y[..., 0]  y[None]  y[:, None, 1:]  y[0:0]  y[[0, 2]]  y[mask]  y[:, [1, 1]]  y[...]  y[()]
y[::-1][1:]  y[1:][:, 2]  y[1][::-1]  y[:, 1:].T[0]  y[1:].T[::2]  y.T  y.T[1:]  np.transpose(y)
np.swapaxes(y, 0, 1)  y.mT  y.T.T[0]  np.moveaxis(y, 0, 1)  y.reshape(4, 3)  y.reshape(-1)[::5]  y.reshape(2, 6)[1]
np.ravel(y)  y.ravel()  y.T.ravel()  y.T.reshape(-1)  y[:, 1:].reshape(-1)  y[1:].reshape(-1)  y.flatten()  y.copy()
np.flip(y)  np.flip(y, 1)[0]  np.flipud(y)  np.rot90(y)  np.squeeze(y[:, :1])  np.expand_dims(y, 1)  np.atleast_3d(y)
np.split(y, 3)[1]  np.array_split(y, 2, 1)[1]  y[:2, :2].reshape(4)  np.roll(y, 1)  np.repeat(y, 2)  np.tile(y, 2)
np.concatenate([y, y])  y.real  y + 0  0 + y  +y  y - 0  np.positive(y)
np.triu(y)  y.reshape(3, 2, 2)[:, :, 1]  y.reshape(3, 2, 2).transpose(2, 0, 1)[1]  y.swapaxes(0, 1)[2:]
np.diagonal(y)  np.diag(y)  np.broadcast_to(y, (2, 3, 4))  y.astype(float)  y.take([0, 1])  np.rollaxis(y, 1)
y[0].reshape(2, 2).T[1]
"""


@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("part", re.split(r"\s{2,}|\n", PARTS.strip()))
def test_a_view_writes_through_and_a_copy_does_not(part: str, chunk_size: int | None) -> None:
    """Writing into a part changes the whole, and the other way round, exactly where it does in NumPy."""

    def f(x: Any) -> Any:
        y = x * 1
        y[0, 0] = x[2, 2]  # from here on y writes into memory of its own
        p = eval(part, {"np": np, "mask": CONSTANTS["mask"], "y": y})
        y[1, 1:3] = 3 * y[0, 2:] * x[0, 1]
        p[...] = p * p + 1
        y[2, :2] = y[0, 2:] + np.sum(p)
        p *= 2
        return np.concatenate([np.ravel(y), np.ravel(p)])

    x = VARIABLES["A"]
    try:
        due = f(x)
    except ValueError as error:  # NumPy gives a view that can't be written to
        with pytest.raises(ValueError, match="read-only"):
            dd.jacobian(f)(x)
        assert "read-only" in str(error)
        return
    value, j = dd.value_and_jacobian(f, chunk_size=chunk_size)(x)
    np.testing.assert_array_equal(value, due)
    v = VARIABLES["A"] - 1
    np.testing.assert_allclose(np.tensordot(j, v, 2), difference(f, [x], [v])[0], rtol=1e-8, atol=1e-8)
