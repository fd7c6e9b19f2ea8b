"""Sparse Jacobians: tangents of a sweep as SciPy CSR arrays, one for each argument."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from ..core.dual import Dual
from ..core.table import shape_of
from ..run.call import (
    SEED_BYTES,
    Call,
    check_holomorphic,
    dtype_of,
    is_complex,
    local_sweep,
    size_of,
    with_directions,
)
from ..spaces.csr import SparseRows
from ..spaces.rowlocal import RowLocal, _full

BLOCK = 8192  # rows that are laid out at once, so that they stay in the cache


def sparse_blocks(
    call: Call, mode: str, chunk_size: int | None, sparse: Any
) -> tuple[list[Any], list[list[Any]], Any]:
    """Values of f's result, their Jacobians as CSR arrays for each leaf of the arguments, and rebuild.

    `sparse` is True, or the pattern: an array that is nonzero where the Jacobian may be.
    """
    if find_spec("scipy") is None:
        raise ImportError(f"{call.name}: sparse= gives SciPy's arrays; install it: pip install 'dualdiff[sparse]'")
    if mode == "reverse":
        raise ValueError(f"{call.name}: sparse Jacobians are computed in forward mode, not mode='reverse'")
    if isinstance(sparse, bool | np.bool):
        if chunk_size is not None:
            raise ValueError(f"{call.name}: sparse=True is one sweep; chunk_size is for dense ones and for patterns")
        values, ts, rebuild = local_sweep(call, keep=True)
        return values, [csr_blocks(call, t, v) for t, v in zip(ts, values)], rebuild
    if not hasattr(sparse, "tocsr") and np.ndim(sparse) != 2:
        raise TypeError(
            f"{call.name}: sparse must be True, False, or an array nonzero where the Jacobian may be, not {sparse!r}"
        )
    return _with_pattern(call, chunk_size, sparse)


def csr_blocks(call: Call, t: Any, v: Any) -> list[Any]:
    """The Jacobian of one result as a CSR array (out.size, in.size) for each leaf of the arguments."""
    if isinstance(v, Dual):
        raise TypeError(
            f"{call.name}: sparse=True inside another derivative: the outer one can't follow a SciPy array; "
            "nest gradient or jacobian without sparse inside, with sparse=True outside"
        )
    made, at = [], 0
    whole = _csr(call, t, v)
    for x in call.leaves:
        size = size_of(x)
        block = whole if len(call.leaves) == 1 and not is_complex(x) else whole[:, at : at + size]
        at += size
        if is_complex(x):
            check_holomorphic(call, block.data, whole[:, at : at + size].data)
            at += size
        made.append(block)
    return made


def _csr(call: Call, t: Any, v: Any) -> Any:
    """The tangent of a value with respect to all directions as a canonical CSR array."""
    from scipy.sparse import csr_array

    m, dtype = size_of(v), dtype_of(v)
    n = sum(size_of(x) * (2 if is_complex(x) else 1) for x in call.leaves)
    if t is None:
        return csr_array((m, n), dtype=dtype)
    if isinstance(t, SparseRows):
        t.matrix.sum_duplicates()
        return t.matrix.astype(dtype)
    if not isinstance(t, RowLocal):
        return csr_array(np.asarray(t, dtype).reshape(n, m).T)
    data, indices, indptr = _compressed(t, m, dtype)
    whole = csr_array((data, indices, indptr), shape=(m, n), copy=False)
    whole.has_canonical_format = True
    return whole


def _compressed(t: RowLocal, m: int, dtype: Any) -> tuple[Any, Any, Any]:
    """Data, column indices in order and without duplicates, and row pointers, of a row-local tangent."""
    terms, space = t.terms, t.space
    k = len(terms)
    numbers = space.numbers.dtype if m * k < 2**31 else np.dtype(np.int64)
    if not k or not m:
        return np.zeros(0, dtype), np.zeros(0, numbers), np.zeros(m + 1, numbers)
    data, indices = np.empty((m, k), dtype), np.empty((m, k), numbers)
    flat = [(s.reshape(-1), _full(w, t.shape).reshape(-1) if np.ndim(w) else w) for s, w in terms]
    for start in range(0, m, BLOCK):
        rows = slice(start, start + BLOCK)
        middle = min(start + BLOCK // 2, m - 1)
        for j, (s, w) in enumerate(sorted(flat, key=lambda term: int(term[0].item(middle)))):
            np.subtract(s[rows], 1, out=indices[rows, j])
            data[rows, j] = w[rows] if np.ndim(w) else w
    regular = [space.regular(s) for s, _ in terms]
    if all(regular) and len({s.strides for s, _ in terms}) == 1:  # the same order in every row
        return data.reshape(-1), indices.reshape(-1), np.arange(0, m * k + 1, k, dtype=numbers)
    merged = _merge_alike(data, indices)
    keep = _ordered(data, indices, None if all(regular) and not merged else indices >= 0)
    if keep is None or keep.all():
        return data.reshape(-1), indices.reshape(-1), np.arange(0, m * k + 1, k, dtype=numbers)
    indptr = np.zeros(m + 1, numbers)
    np.cumsum(np.count_nonzero(keep, axis=1), out=indptr[1:])
    return data[keep], indices[keep], indptr


def _merge_alike(data: Any, indices: Any) -> bool:
    """Sum terms that select the same in many rows, as a few rows tell, so that those need no sorting."""
    m = len(indices)
    few = indices[np.linspace(0, m - 1, min(m, 16)).astype(int)]
    pairs = np.argwhere(np.triu(((few[:, :, None] == few[:, None]) & (few[:, None] >= 0)).any(0), 1))
    for i, j in pairs:
        equal = indices[:, i] == indices[:, j]
        data[:, i] += np.where(equal, data[:, j], 0)
        indices[equal, j] = -1
    return len(pairs) > 0


def _ordered(data: Any, indices: Any, keep: Any) -> Any:
    """Sort the rows that are out of order, and sum what stands in one place; what to keep, None for all."""
    m, k = indices.shape
    wrong, top = np.zeros(m, bool), indices[:, 0]
    for j in range(1, k):
        wrong |= (indices[:, j] <= top) if keep is None else (indices[:, j] <= top) & keep[:, j]
        top = indices[:, j] if keep is None else np.maximum(top, indices[:, j])
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return keep
    order = np.argsort(indices[rows], axis=1, kind="stable")
    columns = np.take_along_axis(indices[rows], order, 1)
    values = np.take_along_axis(data[rows], order, 1)
    alive = columns >= 0
    for j in range(k - 1, 0, -1):
        equal = (columns[:, j] == columns[:, j - 1]) & alive[:, j]
        if equal.any():
            values[equal, j - 1] += values[equal, j]
            alive[equal, j] = False
    data[rows], indices[rows] = values, columns
    if not alive.all():
        keep = np.ones((m, k), bool) if keep is None else keep
        keep[rows] = alive
    return keep


# ---------------------------------------------------------------- with a pattern


def _with_pattern(call: Call, chunk_size: int | None, pattern: Any) -> tuple[list[Any], list[list[Any]], Any]:
    """Columns without a common row share a direction (Curtis, Powell and Reid, 1974); one more checks the pattern."""
    from scipy.sparse import csr_array

    if any(is_complex(x) or isinstance(x, Dual) for x in call.leaves):
        raise TypeError(f"{call.name}: a sparsity pattern is for real arguments, outside other derivatives")
    pattern = csr_array(pattern)
    sizes = [size_of(x) for x in call.leaves]
    n = sum(sizes)
    if pattern.shape[1] != n:
        raise ValueError(f"{call.name}: the pattern has {pattern.shape[1]} columns, the arguments {n} elements")
    groups = group_columns(pattern)
    p = int(groups.max(initial=-1)) + 1
    test = np.random.default_rng(0).uniform(0.5, 1.5, n)
    step = chunk_size or max(1, SEED_BYTES // (8 * max(1, n)))
    parts = []
    for start in range(0, p + 1, step):
        stop = min(start + step, p + 1)
        seeds, at = [], 0
        for x, size in zip(call.leaves, sizes):
            block = np.zeros((stop - start, size), dtype_of(x))
            mine = groups[at : at + size]
            inside = np.flatnonzero((mine >= start) & (mine < stop))
            block[mine[inside] - start, inside] = 1
            if stop == p + 1:
                block[-1] = test[at : at + size]
            seeds.append(block.reshape(-1, *shape_of(x)))
            at += size
        values, ts, rebuild = call.run([s[0] for s in seeds] if stop - start == 1 else seeds)
        parts.append([with_directions(t, v, stop - start) for t, v in zip(ts, values)])
    found = np.concatenate([np.concatenate([t.reshape(len(t), -1) for t in part], axis=1) for part in parts])
    if pattern.shape[0] != found.shape[1]:
        raise ValueError(f"{call.name}: the pattern has {pattern.shape[0]} rows, the result {found.shape[1]} elements")
    rows, columns = pattern.nonzero()
    whole = csr_array((found[groups[columns], rows], (rows, columns)), shape=pattern.shape)
    size = csr_array((np.abs(whole.data), whole.indices, whole.indptr), shape=whole.shape) @ test
    if not np.allclose(whole @ test, found[-1], rtol=1e-6, atol=1e-6 * size.max(initial=0.0), equal_nan=True):
        raise ValueError(f"{call.name}: the Jacobian has nonzeros where the pattern has none")
    blocks, top = [], 0
    for v in values:
        mine, left, at = whole[top : top + size_of(v)], [], 0
        for size in sizes:
            left.append(mine[:, at : at + size])
            at += size
        blocks.append(left)
        top += size_of(v)
    return values, blocks, rebuild


def group_columns(pattern: Any) -> Any:
    """A group for each column of a CSR array, such that no two columns of a group have a row in common; greedily."""
    columns = pattern.tocsc()
    taken = [0] * pattern.shape[0]  # the groups that have an element in each row, as the bits of an int
    groups = np.zeros(pattern.shape[1], np.intp)
    for j in range(pattern.shape[1]):
        rows = columns.indices[columns.indptr[j] : columns.indptr[j + 1]].tolist()
        bits = 0
        for r in rows:
            bits |= taken[r]
        free = ~bits & (bits + 1)
        for r in rows:
            taken[r] |= free
        groups[j] = free.bit_length() - 1
    return groups
