"""Tangents as sparse matrices: what row-local ones become, if they must stay sparse, where rows differ too much.

A row for each element of the value, a column for each direction: a long sum is one full row, and the others stay as
they are. Slower than a few selections, and only for plain numbers, not for those of an outer derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..core import tangents as maps
from ..core.errors import structure_lost
from ..core.tangents import LinearMap, Structured, numbered, numbered_parts, pick, scale
from ..core.values import Shape, in_memory, ndim
from .selection import counted_on

MOST = 2**25  # elements that a matrix may have


class SparseRows(Structured):
    """The tangent of a value of `shape` as a CSR array."""

    __slots__ = ("matrix", "shape", "space")

    def __init__(self, space: Any, shape: Shape, matrix: Any) -> None:
        self.space, self.shape, self.matrix = space, shape, matrix

    @classmethod
    def of_terms(cls, space: Any, shape: Shape, terms: Sequence[tuple[Any, Any]]) -> SparseRows:
        """Of row-local terms, summed over their axes behind `shape`."""
        if sum(s.size for s, _ in terms) > MOST or not all(in_memory(w) for _, w in terms):
            raise structure_lost(prod(shape), space.n)
        parts = []
        for s, w in terms:
            rows = np.arange(prod(shape)).reshape(shape + (1,) * (s.ndim - len(shape)))
            used = s > 0
            full = [np.broadcast_to(x, s.shape)[used] for x in (rows, s, w)]
            parts.append((full[0], full[1] - 1, full[2]))
        return cls(space, shape, _made(parts, prod(shape), space))

    @classmethod
    def combine(cls, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> Any:
        if not all(isinstance(t, Structured) for t, _, _ in terms):
            return maps.combine([(_dense(t), s, w) for t, s, w in terms], shape, select)
        parts = []
        for t, have, w in terms:
            t = t.rows()
            m = t.matrix if have == shape else t._picked(np.broadcast_to(numbered(have), shape))
            if not in_memory(w):
                raise structure_lost(prod(shape), t.space.n)
            rows, data = np.repeat(np.arange(prod(shape)), np.diff(m.indptr)), m.data
            if type(w) is not int or w != 1:
                w = w if type(w) is int else np.broadcast_to(t.space.weight(w), shape).ravel()[rows]
                data = scale(data, w, select)
            parts.append((rows, m.indices, data))
        return cls(t.space, shape, _made(parts, prod(shape), t.space))

    @classmethod
    def join(cls, parts: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Any:
        from scipy.sparse import vstack

        space = next(t for t in parts if t is not None).space
        numbers, ends = numbered_parts(parts, shapes)
        moved = move(numbers)
        stacked = cls(space, (ends[-1],), vstack([t.rows().matrix for t in parts if t is not None], format="csr"))
        return cls(space, moved.shape, stacked._picked(moved))

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Any:
        moved = np.asarray(move(numbered(shape)))
        return SparseRows(self.space, moved.shape, self._picked(moved))

    def total(self, shape: Shape, axes: Shape, keepdims: bool) -> Any:
        to = np.add.reduce(np.zeros(shape), axis=axes, keepdims=True).shape if axes else shape
        made = self._sent(np.broadcast_to(numbered(to), shape), to)
        made.shape = to if keepdims else tuple(d for k, d in enumerate(shape) if k - len(shape) not in axes)
        return made

    def contract(self, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Any:
        return maps.contract(self.dense(), shape, sub, weight, weight_sub, out_sub)

    def scatter(self, numbers: Any, shape: Shape) -> Any:
        lead = self.shape[: len(self.shape) - ndim(numbers)]
        return self._sent(counted_on(lead, numbers[(None,) * len(lead)], prod(shape)), lead + shape)

    def linear(self, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Any:
        if function in (np.real, np.imag, np.conjugate):
            m = self.matrix
            return SparseRows(self.space, shape, type(m)((function(m.data), m.indices, m.indptr), shape=m.shape))
        if matrix is not None and len(shape) == 1:
            return SparseRows(self.space, (matrix.shape[0],), (matrix @ self.matrix).tocsr())
        return function(self.dense())

    def put(self, shape: Shape, numbers: Any, new: Any) -> Any:
        kept, placed = numbered(shape).ravel(), np.zeros(prod(shape), int)
        kept[numbers] = 0
        parts = [(SparseRows(self.space, shape, self._picked(kept)), shape, 1)]
        if new is not None:
            placed[numbers] = numbered(np.shape(numbers))
            new = maps.gather(new, np.shape(numbers), lambda v: pick(v, ndim(numbers), placed.reshape(shape)))
            parts.append((new, shape, 1))
        return maps.combine(parts, shape)

    def zeros(self, value: Any) -> Any:
        return SparseRows(self.space, value.shape, _made([], value.size, self.space))

    def rows(self) -> SparseRows:
        return self

    def dense(self) -> Any:
        if prod(self.shape) * self.space.n > MOST:
            raise structure_lost(prod(self.shape), self.space.n)
        return self.matrix.toarray().T.reshape(-1, *self.shape)

    def _picked(self, numbers: Any) -> Any:
        """The matrix of the rows of these numbers from 1; 0 is an empty row."""
        m, numbers = self.matrix, np.ravel(numbers)
        count = np.append(0, np.diff(m.indptr))
        if count[numbers].sum() > MOST:
            raise structure_lost(numbers.size, self.space.n)
        pointers = np.concatenate([m.indptr[:1], m.indptr])
        return type(m)((m.data, m.indices, pointers), shape=(len(pointers) - 1, m.shape[1]))[numbers]

    def _sent(self, numbers: Any, shape: Shape) -> SparseRows:
        """Rows added up at these numbers from 1 of a value of `shape`; 0 is nowhere."""
        m = self.matrix
        to = np.repeat(np.ravel(numbers), np.diff(m.indptr))
        used = to > 0
        parts = [(to[used] - 1, m.indices[used], m.data[used])]
        return SparseRows(self.space, shape, _made(parts, prod(shape), self.space))


def _dense(t: Any) -> Any:
    return t.dense() if isinstance(t, Structured) else t


def _made(parts: Sequence[tuple[Any, Any, Any]], m: int, space: Any) -> Any:
    """A canonical CSR array of the sum of (rows, columns, data); zeros stay."""
    from scipy.sparse import coo_array

    rows, columns, data = (np.concatenate(x) for x in zip(*parts)) if parts else (np.zeros(0, int),) * 3
    return coo_array((data.astype(np.result_type(data, space.dtype)), (rows, columns)), shape=(m, space.n)).tocsr()
