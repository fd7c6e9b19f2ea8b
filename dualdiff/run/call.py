"""Sweeps: f called on Duals, its arguments' leaves seeded with directions, and its result taken apart again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.dual import Dual, DualArray, _live, _tags
from ..core.errors import DualdiffError, LeakedDualError, StructureLostError
from ..core.kinks import lexicographic
from ..core.making import _wrap, numeric
from ..core.pytree import flatten
from ..core.table import plain, shape_of
from ..spaces.rowlocal import RowLocal, Space
from .checks import Argnums as Argnums
from .checks import is_complex as is_complex
from .checks import positions
from .executors import chunk_of, passes
from .follow import follow, lost_in_array

Function = Callable[..., Any]
SEED_BYTES = 2**28  # what the seeds of one sweep may take when the chunk size is left to us
SMALL = 128  # up to so many directions dense tangents are the fastest


# ---------------------------------------------------------------- one pass


class Call:
    """A call of f whose arguments `argnums` are to be varied: their leaves as arrays, and how to run it on Duals."""

    def __init__(self, name: str, f: Function, argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.f, self.args, self.kwargs, self.name = f, args, kwargs, name
        self.many = isinstance(argnums, tuple)
        self.argnums = positions(name, argnums, len(args))
        self.parts = [flatten(args[k]) for k in self.argnums]
        self.leaves: list[Any] = []
        for k, (leaves, _) in zip(self.argnums, self.parts):
            self.leaves += [numeric(leaf, f"{name}: argument {k}") for leaf in leaves]

    def __reduce__(self) -> Any:
        argnums = self.argnums if self.many else self.argnums[0]
        return Call, (self.name, self.f, argnums, self.args, self.kwargs)

    def run(self, seeds: Sequence[Any]) -> tuple[list[Any], list[Any], Any]:
        """Values and tangents of the leaves of f's result, and how to rebuild it; tangent None means zero.

        Where f stores into a plain array it made itself, it is run once more with arrays that can hold tangents.
        """
        try:
            return self.once(seeds)
        except (TypeError, ValueError) as error:
            if not lost_in_array(error):
                raise
            try:
                return self.once(seeds, buffers=True)
            except (TypeError, ValueError) as second:
                if not lost_in_array(second):
                    raise second from None  # f's own, from beyond the place where the first run ended
                if hasattr(error, "add_note") and not isinstance(error, DualdiffError):  # from Python 3.11 on
                    error.add_note(
                        "If np.array([...]) made this array of numbers with tangents, it is one of objects: write "
                        "np.stack([...]) or np.array([...], like=x)."
                    )
                raise error from None

    def once(self, seeds: Sequence[Any], buffers: bool = False) -> tuple[list[Any], list[Any], Any]:
        tag = next(_tags)
        _live[tag] = True
        try:
            args, at, f = list(self.args), 0, self.f
            for k, (leaves, rebuild) in zip(self.argnums, self.parts):
                stop = at + len(leaves)
                duals = [_wrap(own_copy(self.leaves[i]), seeds[i], tag) for i in range(at, stop)]
                for dual in duals:
                    if buffers and f is self.f and isinstance(dual, Dual):
                        f = follow(self.f, dual)
                args[k] = rebuild(duals)
                at = stop
            result = f(*args, **self.kwargs)
        finally:
            del _live[tag]
        leaves, rebuild = flatten(result, lists=True)
        pairs = [split(leaf, tag, self.name) for leaf in leaves]
        return [v for v, _ in pairs], [t for _, t in pairs], rebuild

    def per_argument(self, parts: Sequence[Any]) -> Any:
        """Results, one for each leaf, in the shape of the arguments: a tuple if several were asked for."""
        made, at = [], 0
        for leaves, rebuild in self.parts:
            made.append(rebuild(parts[at : at + len(leaves)]))
            at += len(leaves)
        return tuple(made) if self.many else made[0]


def own_copy(x: Any) -> Any:
    """A copy, since f may write into its argument and the caller's array must not change."""
    return x.copy() if isinstance(x, np.ndarray | DualArray) else x


def split(leaf: Any, tag: int, name: str) -> tuple[Any, Any]:
    """The value of a leaf of f's result, and its tangent with respect to this call."""
    if not isinstance(leaf, Dual | float) and not (type(leaf) is np.ndarray and leaf.dtype.kind in "fc"):
        if leaf is None or isinstance(leaf, str | bytes) or callable(leaf):
            what = "None (is a return missing?)" if leaf is None else repr(leaf)
            raise TypeError(f"{name}: f returned {what}, not a number or an array")
        leaf = _as_result(leaf, name)
    if not isinstance(leaf, Dual):
        return leaf, None
    v, t = (leaf.value, leaf.tangent) if leaf._tag == tag else (leaf, None)
    for x in (v, t):
        while isinstance(x, Dual):
            if int(x._tag) not in _live and x._tag >= 1:
                raise LeakedDualError(
                    f"{name}: the result of f holds a number leaked from a derivative call that has ended, kept "
                    "in a variable outside f; keep dd.value(x) instead"
                )
            x = x.value
    return v, t


def _as_result(leaf: Any, name: str) -> Any:
    if isinstance(leaf, list | tuple) and any(isinstance(x, np.ndarray | DualArray) for x in leaf):
        shapes = {shape_of(x) for x in leaf}
        if len(shapes) > 1:
            raise ValueError(
                f"{name}: f returned a list of arrays of shapes {sorted(shapes)}; return a tuple or a dict of them"
            )
        if any(isinstance(x, DualArray) for x in leaf):
            return np.stack(leaf)
    return numeric(leaf, f"{name}: the result of f")


def zero_like(v: Any) -> Any:
    """The derivative of a constant result: zeros of its shape and float type."""
    return np.zeros_like(v) if isinstance(v, np.ndarray | Dual) else type(v)(0)


# ---------------------------------------------------------------- all directions


def sweep(
    call: Call, chunk_size: int | None, executor: Any = None, progress: bool = False
) -> tuple[list[Any], list[Any], Any]:
    """Values of f's result, the derivatives of each with respect to all directions on a leading axis, and rebuild.

    The derivatives may still be row-local: `by_leaf` makes Jacobians of them. A complex leaf has two directions an
    element, 1 and i, by which `check_holomorphic` judges whether f has a slope. Where there are more than `SMALL`
    directions and the chunk size is left to us, tangents are row-local, and the sweep starts again with dense ones if
    that makes some too large.
    """
    widths = [2 * size_of(x) if is_complex(x) else size_of(x) for x in call.leaves]
    n = sum(widths)
    if chunk_size is None and n > SMALL and executor is None:
        try:
            values, ts, rebuild = local_sweep(call)
            columns = [t if isinstance(t, RowLocal) else with_directions(t, v, n, False) for t, v in zip(ts, values)]
            return values, columns, rebuild
        except StructureLostError:
            pass
    most = SEED_BYTES // (8 * max(widths, default=1) or 1)  # complex leaves count double
    chunk_size = chunk_of(call.name, n, chunk_size, most, executor)
    if lexicographic():
        chunk_size = max(n, 1)  # an early direction may decide a tie for all later ones
    if n == 0:
        values, _, rebuild = call.run([np.zeros(shape_of(x)) for x in call.leaves])
        return values, [np.zeros((0, *shape_of(v))) for v in values], rebuild
    if len(widths) == 1 and 1 < n <= chunk_size and executor is None and not progress:  # without ceremony
        values, ts, rebuild = call.run([seed(call.leaves[0], 0, n, n)])
        return values, [with_directions(t, v, n, False) for t, v in zip(ts, values)], rebuild
    chunks = [(start, min(start + chunk_size, n)) for start in range(0, n, chunk_size)]
    results, sweeps = zip(*passes(call.name, forward_pass, call, chunks, executor, progress))
    columns = [s[0] if len(s) == 1 else np.concatenate(s) for s in zip(*sweeps)]
    values, rebuild = flatten(results[-1], lists=True)
    return values, columns, rebuild


def forward_pass(call: Call, start: int, stop: int) -> tuple[Any, list[Any]]:
    """f's result, and the derivatives of its leaves in the directions start to stop, on a leading axis."""
    seeds, at = [], 0
    for x in call.leaves:
        width = 2 * size_of(x) if is_complex(x) else size_of(x)
        seeds.append(seed(x, start - at, stop - at, width))
        at += width
    single = stop - start == 1
    values, ts, rebuild = call.run([s[0] for s in seeds] if single else seeds)
    return rebuild(values), [with_directions(t, v, stop - start, single) for t, v in zip(ts, values)]


def local_sweep(call: Call, keep: bool = False) -> tuple[list[Any], list[Any], Any]:
    """Values and row-local tangents of f's result, and rebuild; with `keep` they stay so as long as they can."""
    n = sum(2 * size_of(x) if is_complex(x) else size_of(x) for x in call.leaves)
    space = Space(n, np.result_type(np.float16, *[dtype_of(x).type(0).real.dtype for x in call.leaves]), keep)
    seeds, at = [], 0
    for x in call.leaves:
        shape, terms = shape_of(x), []
        for unit in (1, 1j) if is_complex(x) else (1,):
            terms.append((space.numbers[at : at + size_of(x)].reshape(shape), unit))
            at += size_of(x)
        seeds.append(RowLocal(space, shape, terms))
    return call.run(seeds)


def seed(x: Any, start: int, stop: int, width: int) -> Any:
    """Rows start to stop of the identity over the directions of one leaf; rows outside it are zero."""
    size, shape, dtype = size_of(x), shape_of(x), dtype_of(x)
    if start == 0 and stop == size == width:
        eye = np.zeros((size, *shape), dtype)
        eye.reshape(-1)[:: size + 1] = 1
        return eye
    if type(x) is float:
        column = np.zeros(stop - start)
        if start <= 0 < stop:
            column[-start] = 1.0
        return column
    block = np.zeros((stop - start, size), dtype)
    inside = np.arange(max(start, 0), min(stop, width))
    block[inside - start, inside % size if size else inside] = np.where(inside < size, 1, 1j) if width > size else 1
    return block.reshape(stop - start, *shape)


def with_directions(t: Any, v: Any, p: int, single: bool) -> Any:
    """A tangent with its directions on a leading axis, also where there is one or none."""
    if t is None:
        return np.zeros((p, *shape_of(v)), dtype_of(v))
    if not single:
        return t
    return t[None] if isinstance(t, np.ndarray | DualArray) else np.stack([t])


def size_of(x: Any) -> int:
    return int(x.size) if hasattr(x, "size") else 1


def dtype_of(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.dtype(type(x))


def by_leaf(call: Call, columns: Any, v: Any) -> list[Any]:
    """The Jacobian of one result with respect to each leaf, of shape out.shape + in.shape, C-contiguous."""
    blocks, at = [], 0
    if isinstance(columns, RowLocal):
        columns = columns.dense(final=True)
        columns = columns if columns.dtype == dtype_of(v) else columns.astype(dtype_of(v))
    for x in call.leaves:
        size = size_of(x)
        block = columns if size == len(columns) else columns[at : at + size]
        if is_complex(x):
            check_holomorphic(call, block, columns[at + size : at + 2 * size])
            at += size
        at += size
        shape = shape_of(v)
        if shape:
            block = block.transpose(*range(1, len(shape) + 1), 0)  # the directions last
        shape += shape_of(x)
        if isinstance(block, DualArray):
            blocks.append(np.reshape(block, shape).copy())
        elif shape:
            block = np.ascontiguousarray(block)
            block = block if block.flags.writeable else block.copy()  # it may be a matrix of the user's
            blocks.append(block if block.shape == shape else block.reshape(shape))
        else:
            blocks.append(number(block[0]))
    return blocks


def number(x: Any) -> Any:
    return x.item() if isinstance(x, np.float64 | np.complex128) else x


def check_holomorphic(call: Call, along_one: Any, along_i: Any) -> None:
    """Raise where the derivative with respect to a complex number depends on the direction (Cauchy and Riemann)."""
    a, b = 1j * np.asarray(plain(along_one)), np.asarray(plain(along_i))
    scale = np.max(np.abs(a), initial=0.0, where=np.isfinite(a))
    if not np.allclose(a, b, rtol=1e-6, atol=1e-6 * scale, equal_nan=True):
        raise TypeError(
            f"{call.name}: f is not holomorphic in its complex argument, so it has no complex derivative; differentiate"
            " with respect to the real and the imaginary part, or use jvp"
        )
