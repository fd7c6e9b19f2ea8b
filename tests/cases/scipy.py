"""What stands in for SciPy's functions, called directly: none where SciPy is not installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from dualdiff.rules.scipy_table import sp

from .tools import expressions


class Names:
    """What stands in for the functions of a module of SciPy's."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return sp(f"{self._module}.{name}")


NAMES = {"np": np, "linalg": Names("linalg")}


def variables(seed: int = 0) -> dict[str, Any]:
    """A: square, S: positive definite, T: tall, B: two right sides, and vectors."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.3, 1.2, (3, 3)) + np.diag([3.0, 6.0, -9.0])
    made = {"A": a, "S": a @ a.T / 20 + np.eye(3), "T": rng.uniform(-1, 1, (5, 3)), "B": rng.uniform(-1, 1, (3, 2))}
    return made | {"x": rng.uniform(0.1, 0.9, 9), "w": rng.uniform(0.5, 1.5, 3), "c": np.float64(0.7)}


LINALG = """
solve(A, B)  solve(S, w, assume_a='pos')  solve(A, B, assume_a='sym', lower=True)  solve(A, B, transposed=True)
inv(A)  det(A)  pinv(T)  pinvh(S)  lstsq(T, T[:, 0] * 2)[0]  svdvals(T)  svd(A)[0]  svd(T, full_matrices=False)[2]
cholesky(S)  cholesky(S, lower=True)  cho_factor(S)[0]  cho_solve(linalg.cho_factor(S), B)
cho_solve(linalg.cho_factor(S, True), B)  lu_factor(A)[0]  lu_solve(linalg.lu_factor(A), B)
lu_solve(linalg.lu_factor(A), B, 1)  lu(A)[1]  lu(A, True)[0]  solve_triangular(A, B)
solve_triangular(A, B, lower=True, trans='T')  solve_triangular(A, B, unit_diagonal=True)  norm(T)  norm(w, 1)
eigh(S)[0]  eigh(S)[1]  eigh(A, S)[0]  eigh(A, S)[1]  eigh(A, S, lower=False)[1]  eigvalsh(A, lower=False)
eigvals(A)  eig(A)[0]  qr(T, mode='economic')[1]  qr(A)[0]  qr(T, mode='r')[0]
expm(S)  expm(np.stack([A / 9, S]))  logm(S)  sqrtm(S)  sqrtm(-S)  sinm(S)  cosm(S)  tanm(S / 9)  sinhm(S)  coshm(S)
tanhm(S)  toeplitz(w, B[0])  toeplitz(w)  circulant(w)  hankel(w)  hankel(w, T[0])  block_diag(A, B, w)
solve_sylvester(A, S, A)
"""
EXPRESSIONS: list[str] = []
if importlib.util.find_spec("scipy"):
    EXPRESSIONS += [f"linalg.{e}" for e in expressions(LINALG)]


class Case:
    """An expression as a function of the arrays that it names."""

    def __init__(self, source: str) -> None:
        code = compile(source, source, "eval")
        values, directions = variables(), variables(1)
        names = [n for n in code.co_names if n in values]
        self.arrays, self.directions = ([d[n] for n in names] for d in (values, directions))
        self.source = f"lambda {', '.join(names)}: {source}"
        self.f = lambda *arrays: eval(code, {**NAMES, **dict(zip(names, arrays))})
