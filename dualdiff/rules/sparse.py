"""The rule of products with SciPy's sparse matrices, which are constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.table import FOREIGN, Plan
from ..core.tangents import LinearMap, linear
from ..core.values import ndim, shape_of


def is_sparse(x: Any) -> bool:
    return hasattr(x, "tocsr") and hasattr(x, "nnz")


def product(a: Any, b: Any) -> Any:
    """a @ b, one of them sparse: along the last axis of the other."""
    if not is_sparse(a) and not is_sparse(b):
        return NotImplemented
    if is_sparse(b):
        return _along_last(b.T.tocsr(), a)
    if ndim(b) == 2:
        return np.transpose(np.transpose(b) @ a.T)
    return _along_last(a.tocsr(), b)


def _along_last(matrix: Any, x: Any) -> Plan:
    """sum_j matrix[i, j] * x[..., j]."""

    forward, backward = products(matrix)
    return Plan((x,), forward, lambda _, v, t: linear(t[0], shape_of(v[0]), forward, backward, matrix))


def products(matrix: Any) -> tuple[LinearMap, LinearMap]:
    """The product of a matrix and the last axis, and its transpose."""

    def times(m: Any, v: Any) -> Any:
        flat = v.reshape(-1, shape_of(v)[-1]) if ndim(v) > 1 else v
        result = (m @ flat.T).T if ndim(v) > 1 else m @ flat
        return result.reshape(*shape_of(v)[:-1], m.shape[0])

    return lambda v: times(matrix, v), lambda c: times(matrix.conj().T.tocsr(), c)


FOREIGN[np.matmul] = product
