"""Linear algebra, for matrices and stacks of them.

A case is an expression; it is differentiated by all arrays that it names. Eigenvectors and the like are compared up to
their signs, which `signed` fixes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import dualdiff as dd

from .tools import expressions

L = np.linalg


def h(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -1, -2))


def signed(v: Any) -> Any:
    """Columns with a sign that depends on their values only."""
    return v * np.sign(np.real(dd.value(v)).sum(axis=-2, keepdims=True) + 0.0)


def variables(stack: tuple[int, ...], dtype: Any, seed: int = 0) -> dict[str, Any]:
    """A: square, S: positive definite, H: Hermitian, T: tall, W: wide, and vectors and matrices to go with them."""
    rng = np.random.default_rng([seed, len(stack)])

    def draw(*shape: int) -> Any:
        a = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
        return a + 1j * rng.uniform(-1, 1, shape) if dtype is complex else a

    a = draw(*stack, 4, 4) + 3 * np.diag([1.0, -2, 3, 4])
    made = {"A": a, "S": a @ h(a) + np.eye(4), "H": draw(*stack, 4, 4) + np.diag([1, 4, -7, 10.0])}
    made["H"] = made["H"] + h(made["H"])
    made |= {"T": draw(*stack, 5, 3), "W": draw(*stack, 3, 5), "B": draw(*stack, 4, 2), "N": draw(*stack, 4, 3)}
    made |= {"u": draw(3), "v": draw(4), "x": draw(*stack, 3), "y": draw(*stack, 3), "b": draw(5), "C": draw(5, 2)}
    made |= {"P": draw(3, 5), "Q": draw(5, 2), "R": draw(2, 4)}
    made |= {
        "X": draw(6, 4, 2, 3, 4) + 9 * np.eye(24).reshape(6, 4, 2, 3, 4),
        "Y": draw(6, 4),
        "Z": draw(4, 2, 8) + 4 * np.eye(8).reshape(4, 2, 8),
    }
    if dtype not in (float, complex):
        made = {k: m.astype(dtype) for k, m in made.items()}
    return made


STACKED = """
L.inv(A)  L.pinv(A)  L.pinv(T)  L.pinv(W)  L.pinv(H, hermitian=True)  L.pinv(T, rtol=1e-9)  L.pinv(T, 1e-9)
L.solve(A, B)  L.solve(A, v)  L.solve(A[..., :1, :1], T[..., :1, :])
L.det(A)  L.det(A[..., :1, :1])  L.slogdet(A)[1]  L.slogdet(A).logabsdet
A / np.expand_dims(L.slogdet(A)[0], (-2, -1))  L.cholesky(S)  L.cholesky(S, upper=True)
L.qr(A)[0]  L.qr(A)[1]  L.qr(T)[0]  L.qr(T)[1]  L.qr(W)[0]  L.qr(W)[1]  L.qr(T, 'r')  L.qr(W, 'complete')[0]
L.eigh(H)[0]  signed(L.eigh(H)[1])  L.eigh(H, 'U').eigenvalues  signed(L.eigh(H, UPLO='u')[1])
L.eigvalsh(H)  L.eigvalsh(H, 'U')  L.eigvalsh(A)  L.eig(A)[0]  signed(L.eig(A)[1])
L.eigvals(A)  L.svd(A)[1]  signed(L.svd(A)[0])  signed(L.svd(A)[2].mT)  L.svd(A, compute_uv=False)
L.svdvals(A)  L.svd(T)[1]  signed(L.svd(T)[2].mT)  signed(L.svd(T)[0][..., :3])
signed(L.svd(T, full_matrices=False).U)  L.svd(W)[1]  signed(L.svd(W)[0])  signed(L.svd(W)[2][..., :3, :].mT)
signed(L.svd(W, False)[2].mT)  L.svdvals(T)  L.svdvals(W)  L.svd(H, hermitian=True)[1]
signed(L.svd(H, hermitian=True)[0])  signed(L.svd(H, True, hermitian=True).Vh.mT)
L.svd(H, compute_uv=False, hermitian=True)  L.matrix_power(A, 1)  L.matrix_power(A, 2)  L.matrix_power(A, 3)
L.matrix_power(A, 4)  L.matrix_power(A, 5)  L.matrix_power(A, 6)  L.matrix_power(A, -1)  L.matrix_power(A, -3)
L.cond(A)  L.cond(T)  L.cond(A, 2)  L.cond(T, -2)  L.cond(A, 1)  L.cond(A, -1)  L.cond(A, np.inf)  L.cond(A, -np.inf)
L.cond(A, 'fro')  L.cond(A, 'nuc')  L.norm(T)  L.norm(T, axis=-1)  L.norm(T, axis=(-2, -1))
L.norm(T, 'fro', (-1, -2), True)  L.norm(x)  L.norm(T, None, 0)  L.norm(T, 1, -1)  L.norm(T, 2, -2)
L.norm(T, 3, -1, True)  L.norm(T, -1, axis=-1)  L.norm(T, 0.5, -1)  L.norm(T, -2.5, 0)  L.norm(T, np.inf, -1)
L.norm(T, -np.inf, -2)  L.norm(T, 1, (-2, -1))  L.norm(T, -1, (-1, -2))  L.norm(T, 2, (-2, -1))
L.norm(T, -2, (-2, -1), True)  L.norm(T, np.inf, (-2, -1))  L.norm(T, -np.inf, (-2, -1), True)
L.norm(T, 'nuc', (0, -1))  L.vector_norm(T)  L.vector_norm(T, ord=1)  L.vector_norm(T, ord=3, keepdims=True)
L.vector_norm(T, axis=(0, -1), ord=2.5)  L.vector_norm(T, axis=-1, ord=np.inf)  L.vector_norm(x, ord=-1)
L.vector_norm(T, axis=-1, keepdims=True)  L.matrix_norm(T)  L.matrix_norm(T, ord=2, keepdims=True)
L.matrix_norm(T, ord='nuc')  L.matrix_norm(T, ord=1)  L.cross(x, y)  L.cross(x, u)
np.cross(x, y)  np.cross(x, u, axis=-1)  L.vecdot(x, y)  L.vecdot(x, u)
np.vecdot(x, y)  L.vecdot(T, T[..., :1], axis=-2)  np.vecdot(T, T, axis=0)  np.matvec(T, x)  np.matvec(T, u)
np.vecmat(x, W)  np.vecmat(u, W)  L.diagonal(T)  L.diagonal(T, offset=-1)
L.trace(T)  L.trace(W, offset=1)  L.matrix_transpose(T)  L.matmul(T, W)
"""
SINGLE = """
L.lstsq(T, b)[0]  L.lstsq(T, C)[0]  L.lstsq(T, b)[1]  L.lstsq(T, C)[1]  L.lstsq(T, b)[3]  L.lstsq(W, u)[0]
L.lstsq(A, v)[0]  L.multi_dot([u, P, Q])  L.multi_dot([P, Q])  L.multi_dot([P, Q, R, v])  L.multi_dot([u, P, Q, R, v])
L.multi_dot([u, u])  L.tensorsolve(X, Y)  L.tensorsolve(np.moveaxis(X, (2, 3), (0, 1)), Y, (0, 1))
L.tensorinv(Z)  L.tensorinv(P[:, :3], 1)  L.outer(u, v)  L.tensordot(T, W, axes=1)
L.norm(T, 2)  L.norm(T, 1)  L.norm(u, 3)  L.norm(u, -np.inf)  L.norm(u[0])
np.cross(P, T, 0, 1, 0)  np.cross(T.T, u, axisa=0, axisc=0)  L.cross(T[:3], T[1:4], axis=0)
L.solve(A, np.stack([B, 2 * B]))  L.solve(np.stack([A, S]), B)
"""
NEW = {"np.matvec", "np.vecmat"}  # in NumPy 2.2


def sources(table: str) -> list[str]:
    return [e for e in expressions(table) if e[:9] not in NEW or hasattr(np, e[3:9])]


CASES = [(e, stack) for e in sources(STACKED) for stack in [(), (2,)]] + [(e, ()) for e in sources(SINGLE)]


class Case:
    """An expression as a function of the arrays that it names."""

    def __init__(self, source: str, stack: tuple[int, ...] = (), dtype: Any = float) -> None:
        self.code = compile(source, source, "eval")
        values, directions, others = (variables(stack, dtype, seed) for seed in range(3))
        self.names = [n for n in self.code.co_names if n in values]
        self.arrays, self.v, self.w = ([d[n] for n in self.names] for d in (values, directions, others))

    def __call__(self, *arrays: Any) -> Any:
        return eval(self.code, {"np": np, "L": L, "signed": signed, **dict(zip(self.names, arrays))})
