"""Sparse Jacobians: tangents of a sweep as SciPy CSR arrays, one for each argument."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from ..core.number import Number
from ..core.tangents import scatter
from ..core.values import dtype_of, in_memory, is_complex, shape_of, size_of
from ..run.call import SEED_BYTES, Call, check_holomorphic, local_sweep, with_directions
from ..spaces.csr import SparseRows
from ..spaces.rowlocal import RowLocal, full_weight

BLOCK = 8192  # rows that are laid out at once, so that they stay in the cache


def sparse_blocks(call: Call, mode: str, chunk_size: int | None, sparse: Any) -> tuple[list[Any], list[list[Any]], Any]:
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
    if isinstance(v, Number):
        raise TypeError(
            f"{call.name}: sparse=True inside another derivative: the outer one can't follow a SciPy array; "
            "nest gradient or jacobian without sparse inside, with sparse=True outside"
        )
    whole = _csr(call, t, v)
    if len(call.leaves) == 1 and not is_complex(call.leaves[0]):
        return [whole]
    made, at = [], 0
    for x, width in zip(call.leaves, call.widths):
        block = whole[:, at : at + size_of(x)]
        if is_complex(x):
            check_holomorphic(call, block.data, whole[:, at + size_of(x) : at + width].data)
        made.append(block)
        at += width
    return made


def _csr(call: Call, t: Any, v: Any) -> Any:
    """The tangent of a value with respect to all directions as a canonical CSR array."""
    from scipy.sparse import csr_array

    m, n, dtype = size_of(v), sum(call.widths), np.result_type(dtype_of(v), np.float32)  # SciPy knows no float16
    if t is None:
        return csr_array((m, n), dtype=dtype)
    if isinstance(t, SparseRows):
        t.matrix.sum_duplicates()
        return t.matrix.astype(dtype)
    if not isinstance(t, RowLocal):
        return csr_array(np.asarray(t, dtype).reshape(n, m).T)
    if not all(in_memory(w) for _, w in t.terms):
        return _placed(t, m, n, dtype)
    k, regular = len(t.terms), [t.space.regular(s) for s, _ in t.terms]
    numbers = t.space.numbers.dtype if m * k < 2**31 else np.dtype(np.int64)
    data, columns = _laid_out(t, m, dtype, numbers)
    indptr = k * np.arange(m + 1, dtype=numbers)
    if not all(regular):
        taken = columns >= 0
        if not taken.all():
            np.cumsum(np.count_nonzero(taken, axis=1), out=indptr[1:])
            data, columns = data[taken], columns[taken]
    whole = csr_array((data.reshape(-1), columns.reshape(-1), indptr), shape=(m, n), copy=False)
    if all(regular) and len({s.strides for s, _ in t.terms}) <= 1:  # the same order in every row
        whole.has_canonical_format = True
    whole.sum_duplicates()
    return whole


def _placed(t: RowLocal, m: int, n: int, dtype: Any) -> Any:
    """The same of weights of another kind: where each goes is known, so that they are put there one after another."""
    columns = np.stack([s.reshape(-1).astype(np.int64) for s, _ in t.terms])  # from 1; 0 selects nothing
    keys = np.where(columns > 0, np.arange(m) * n + columns, 0)
    used = np.unique(keys[keys > 0]) - 1
    numbers = np.where(keys > 0, np.searchsorted(used, keys - 1) + 1, 0)
    data: Any = 0.0
    for (_, w), at in zip(t.terms, numbers):
        data = data + scatter(np.reshape(full_weight(w, t.shape), (m,)), at, (len(used),))
    data = data if data.dtype == dtype else data.astype(dtype)
    kind = t.space.numbers.dtype if len(used) < 2**31 else np.dtype(np.int64)
    pointers = np.searchsorted(used, np.arange(m + 1) * n)
    return compressed(data, (used % n).astype(kind), pointers.astype(kind), (m, n))


def compressed(data: Any, indices: Any, indptr: Any, shape: tuple[int, int]) -> Any:
    """A canonical CSR array with structure of its own; of data of another kind, what its kind makes of it."""
    from scipy.sparse import csr_array

    if not in_memory(data):
        return data.__array_function__(compressed, (type(data),), (data, indices, indptr, shape), {})
    made = csr_array((data, indices.copy(), indptr.copy()), shape=shape)
    made.has_canonical_format = True
    return made


def _laid_out(t: RowLocal, m: int, dtype: Any, numbers: Any) -> tuple[Any, Any]:
    """Weights and column indices of the terms, a row for each of m elements; -1 where a term selects nothing.

    In each block of rows the terms stand in the order of their columns in the middle row: mostly in that of all.
    """
    data, columns = np.empty((m, len(t.terms)), dtype), np.empty((m, len(t.terms)), numbers)
    flat = [(s.reshape(-1), full_weight(w, t.shape).reshape(-1) if np.ndim(w) else w) for s, w in t.terms]
    for start in range(0, m, BLOCK):
        rows = slice(start, start + BLOCK)
        middle = min(start + BLOCK // 2, m - 1)
        for j, (s, w) in enumerate(sorted(flat, key=lambda term: int(term[0].item(middle)))):
            np.subtract(s[rows], 1, out=columns[rows, j])
            data[rows, j] = w[rows] if np.ndim(w) else w
    return data, columns


# ---------------------------------------------------------------- with a pattern


def _with_pattern(call: Call, chunk_size: int | None, pattern: Any) -> tuple[list[Any], list[list[Any]], Any]:
    """Columns without a common row share a direction (Curtis, Powell and Reid, 1974); one more checks the pattern."""
    from scipy.sparse import csr_array, vstack

    if any(is_complex(x) or isinstance(x, Number) for x in call.leaves):
        raise TypeError(f"{call.name}: a sparsity pattern is for real arguments, outside other derivatives")
    pattern, ends = csr_array(pattern), np.cumsum(call.widths)
    n = sum(call.widths)
    if pattern.shape[1] != n:
        raise ValueError(f"{call.name}: the pattern has {pattern.shape[1]} columns, the arguments {n} elements")
    groups = group_columns(pattern)
    p = int(groups.max(initial=-1)) + 1
    test = np.random.default_rng(0).uniform(0.5, 1.5, n)
    directions = vstack([csr_array((np.ones(n), (groups, np.arange(n))), shape=(p, n)), csr_array(test[None])]).tocsr()
    step = chunk_size or max(1, SEED_BYTES // (8 * max(1, n)))
    found = []
    for start in range(0, p + 1, step):
        block = directions[start : start + step].toarray()
        seeds = [
            part.reshape(-1, *shape_of(x)).astype(dtype_of(x))
            for part, x in zip(np.split(block, ends[:-1], axis=1), call.leaves)
        ]
        values, ts, rebuild = call.run([s[0] for s in seeds] if len(block) == 1 else seeds)
        ts = [with_directions(t, v, len(block)) for t, v in zip(ts, values)]
        found.append(np.concatenate([t.reshape(len(block), -1) for t in ts], axis=1))
    slopes = np.concatenate(found)
    if pattern.shape[0] != slopes.shape[1]:
        raise ValueError(f"{call.name}: the pattern has {pattern.shape[0]} rows, the result {slopes.shape[1]} elements")
    rows, columns = pattern.nonzero()
    whole = csr_array((slopes[groups[columns], rows], (rows, columns)), shape=pattern.shape)
    size = csr_array((np.abs(whole.data), whole.indices, whole.indptr), shape=whole.shape) @ test
    if not np.allclose(whole @ test, slopes[-1], rtol=1e-6, atol=1e-6 * size.max(initial=0.0), equal_nan=True):
        raise ValueError(f"{call.name}: the Jacobian has nonzeros where the pattern has none")
    tops = np.cumsum([size_of(v) for v in values])
    blocks = [
        [whole[top - size_of(v) : top, end - width : end] for end, width in zip(ends, call.widths)]
        for top, v in zip(tops, values)
    ]
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
