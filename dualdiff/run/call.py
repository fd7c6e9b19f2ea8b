"""f called on Duals, its arguments' leaves seeded with directions, and its result taken apart again.

A sweep is one run of f, whatever the number p of directions that tangents carry on a leading axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import LeakedDualError, NotDifferentiableError, StructureLostError, TangentLossError
from ..core.kinks import lexicographic
from ..core.making import numeric, wrap
from ..core.number import Number, end, leaked, start
from ..core.pytree import flatten
from ..core.values import dtype_of, is_array, is_complex, optimistic, plain, shape_of, size_of
from ..spaces.rowlocal import RowLocal
from ..spaces.selection import SHORT, Space
from .checks import Argnums, positions
from .executors import chunk_of, passes
from .failures import FINAL, OtherWay, shown
from .follow import ANSWERED, FOLLOWED, code_of, follow
from .foreign import foreign, looked_at
from .losses import strays, unsteady
from .questions import iterator, question
from .searches import search, still

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
        self._widths: list[int] | None = None
        self._searched = False  # whether it is known whether f finds its result by comparisons
        self._compared = self._strayed = False  # whether f is known to go the way of plain numbers, or another
        self._answered = False  # whether its questions are answered as for plain numbers

    def __reduce__(self) -> Any:
        argnums = self.argnums if self.many else self.argnums[0]
        return Call, (self.name, self.f, argnums, self.args, self.kwargs)

    @property
    def widths(self) -> list[int]:
        """How many directions each leaf has: a complex element two, 1 and i."""
        if self._widths is None:
            self._widths = [2 * size_of(x) if is_complex(x) else size_of(x) for x in self.leaves]
        return self._widths

    def run(self, seeds: Sequence[Any]) -> tuple[list[Any], list[Any], Any]:
        """Values and tangents of the leaves of f's result, and how to rebuild it; tangent None means zero.

        A seed is the tangent of a leaf, None for a constant. Where f fails it is run once more, with names followed,
        and in later calls at once so if that was right. Where it asks what its numbers are, and so goes another way
        than with plain ones, it is run with these questions answered as for them.
        """
        try:
            return self._run(seeds)
        except OtherWay:
            if self._answered or not self._strayed:
                raise
        self._answered = True
        return self._run(seeds)

    def _run(self, seeds: Sequence[Any]) -> tuple[list[Any], list[Any], Any]:
        code = code_of(self.f)
        followed = code in FOLLOWED
        try:
            return self.once(seeds, followed)
        except FINAL:
            raise
        except Exception as error:
            first = error
            self._check_iterators("stores numbers with tangents into an array of its own", error)
        try:
            result = self.once(seeds, not followed)
        except Exception as error:
            second = error
        else:
            if code is not None:
                (FOLLOWED.discard if followed else FOLLOWED.add)(code)
            return result
        raise shown(first, second, self.own_error)

    def own_error(self) -> Exception | None:
        """What f raises on plain numbers."""
        given = [x for leaves, _ in self.parts for x in leaves]
        own = [x if isinstance(x, np.generic) else own_copy(leaf) for x, leaf in zip(given, self.leaves)]
        try:
            self.f(*self.arguments(own), **self.kwargs)
        except Exception as error:
            return error
        return None

    def once(self, seeds: Sequence[Any], buffers: bool = False) -> tuple[list[Any], list[Any], Any]:
        tag, lost = start(), None  # the error of the first derivative that was lost
        try:
            try:
                duals = [wrap(own_copy(x), seed, tag) for x, seed in zip(self.leaves, seeds)]
                again = buffers or self._answered
                like: Any = next((x for x in duals if isinstance(x, Number)), None) if again else None
                f = self.f if like is None else follow(self.f, like, buffers, self._answered)
                args = self.arguments(duals)
                result = looked_at(self.f, f, args, self.kwargs) if foreign() else f(*args, **self.kwargs)
            finally:
                lost = end(tag)
        except (TypeError, ValueError) as error:
            if not isinstance(lost, TangentLossError) or (buffers and "setting" not in str(error)):
                raise
            raise lost from (None if lost is error else error)  # NumPy has put it into words of its own
        if lost is not None and ((isinstance(lost, TangentLossError) and not buffers) or strays(self, f, result)):
            raise lost  # f swallowed it
        if not self._compared:
            self._check_way(f, result)
        values, ts, rebuild = taken_apart(result, tag, self.name)
        if not self._searched and still(ts, seeds, buffers):
            search(self, f, result)
            self._searched = True
        return values, ts, rebuild

    def _check_way(self, f: Function, result: Any) -> None:
        """Raise if f asks about types, and goes another way than with plain numbers."""
        asked = question(self.f)[0]
        for k, x in enumerate((*self.args, *self.kwargs.values())):  # which may bring code
            if type(x) not in (np.ndarray, float) and not (k in self.argnums and type(x) in (list, dict)):
                asked = asked or question(x)[0]
        if asked:
            self._check_iterators(f"asks what its numbers are ({asked})")
            try:
                other = strays(self, f, result) and not (self._answered and asked in ANSWERED and unsteady(self))
            except Exception:  # f is made for numbers with tangents only
                other = False
            if other:
                self._strayed = True
                raise OtherWay(
                    f"{self.name}: f asks what its numbers are ({asked}), and takes another way with those that have a "
                    "tangent than with plain ones; let it ask np.ndim(x), np.iscomplexobj(x) or the like, or give it a "
                    "rule by dd.define_rule"
                )
        self._compared = True

    def _check_iterators(self, why: str, error: Exception | None = None) -> None:
        """Raise if f can't run again, since it takes from an iterator: f's own error, or that its tangents are lost."""
        if kind := iterator(self.f, *self.args, *self.kwargs.values()):
            if error is not None and not isinstance(error, TangentLossError):
                raise error
            raise NotDifferentiableError(
                f"{self.name}: f {why}, so it must run again; but it takes from {kind}, which it has used up: hand it "
                "a list, or make arrays by np.zeros_like(x) and ask nothing about types"
            ) from error

    def arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments of f, with these leaves in those that are varied."""
        args = list(self.args)
        for k, arg in zip(self.argnums, self._arranged(leaves)):
            args[k] = arg
        return args

    def per_argument(self, results: Sequence[Any]) -> Any:
        """Results, one for each leaf, in the shape of the arguments: a tuple if several were asked for."""
        made = self._arranged(results)
        return tuple(made) if self.many else made[0]

    def _arranged(self, results: Sequence[Any]) -> list[Any]:
        made, at = [], 0
        for leaves, rebuild in self.parts:
            made.append(rebuild(results[at : at + len(leaves)]))
            at += len(leaves)
        return made


def own_copy(x: Any) -> Any:
    """A copy in x's memory order, since f may write into its argument and the caller's array must not change."""
    return x.copy("K") if is_array(x) else x


def taken_apart(result: Any, tag: int, name: str) -> tuple[list[Any], list[Any], Any]:
    """Values and tangents of the leaves of f's result, and how to rebuild it; tangent None means zero."""
    leaves, rebuild = flatten(result, lists=True)
    pairs = [_split(leaf, tag, name) for leaf in leaves]
    return [v for v, _ in pairs], [t for _, t in pairs], rebuild


def _split(leaf: Any, tag: int, name: str) -> tuple[Any, Any]:
    """The value of a leaf of f's result, and its tangent with respect to this call."""
    if not isinstance(leaf, Number | float) and not (type(leaf) is np.ndarray and leaf.dtype.kind in "fc"):
        if leaf is None or isinstance(leaf, str | bytes) or callable(leaf):
            what = "None (is a return missing?)" if leaf is None else repr(leaf)
            raise TypeError(f"{name}: f returned {what}, not a number or an array")
        leaf = _as_result(leaf, name)
    if not isinstance(leaf, Number):
        return leaf, None
    v, t = (leaf.value, leaf.tangent) if leaf._tag == tag else (leaf, None)
    for x in (v, t):
        while isinstance(x, Number):
            if leaked(x._tag):
                raise LeakedDualError(
                    f"{name}: the result of f holds a number leaked from a derivative call that has ended, kept "
                    "in a variable outside f; keep dd.value(x) instead"
                )
            x = x.value
    return v, t


def _as_result(leaf: Any, name: str) -> Any:
    if isinstance(leaf, list | tuple) and any(map(is_array, leaf)):
        shapes = {shape_of(x) for x in leaf}
        if len(shapes) > 1:
            raise ValueError(
                f"{name}: f returned a list of arrays of shapes {sorted(shapes)}; return a tuple or a dict of them"
            )
        if not all(isinstance(x, np.ndarray) for x in leaf):
            leaf = np.stack(leaf)
    return numeric(leaf, f"{name}: the result of f")


def tangents_or_zeros(values: Sequence[Any], ts: Sequence[Any]) -> list[Any]:
    """Tangents in one direction; for None, where a result is constant, zeros of its shape and float type."""
    return [_zero(v) if t is None else t for v, t in zip(values, ts)]


def _zero(v: Any) -> Any:
    return np.zeros_like(v) if is_array(v) or isinstance(v, Number) else type(v)(0)


def zeros(shape: tuple[int, ...], like: Any) -> Any:
    """Zeros of another shape, as an array of the kind and float type of a value, which may be a number."""
    return np.zeros(shape, like.dtype) if type(like) is np.ndarray else np.zeros_like(plain(like), shape=shape)


# ---------------------------------------------------------------- all directions


def forward_columns(
    call: Call, chunk_size: int | None, executor: Any = None, progress: bool = False
) -> tuple[list[Any], list[Any], Any]:
    """Values of f's result, the derivatives of each in all directions on a leading axis, and rebuild.

    The derivatives may still be row-local: `by_leaf` makes Jacobians of them. A complex leaf has two directions an
    element, 1 and i, by which `check_holomorphic` judges whether f has a slope. Where there are more than `SMALL`
    directions and the chunk size is left to us, tangents are row-local, and f runs again with dense ones if that makes
    some too large.
    """
    n = sum(call.widths)
    recorded = any(optimistic(plain(x)) for x in call.leaves)
    most = 1 if recorded else SMALL  # what is recorded is no Python loop later
    if chunk_size is None and n > most and executor is None:
        try:
            values, ts, rebuild = local_sweep(call)
            return values, [with_directions(t, v, n) if t is None else t for t, v in zip(ts, values)], rebuild
        except StructureLostError:
            if recorded and n > SMALL:  # a program on dense ones would be slower than f itself on row-local ones
                raise
    most = SEED_BYTES // (8 * max(call.widths, default=1) or 1)  # complex leaves count double
    chunk_size = chunk_of(call.name, n, chunk_size, most, executor)
    if lexicographic():
        chunk_size = max(n, 1)  # an early direction may decide a tie for all later ones
    if n == 0 or (n <= chunk_size and executor is None and not progress):
        return forward_sweep(call, 0, n)
    chunks = [(start, min(start + chunk_size, n)) for start in range(0, n, chunk_size)]
    results, parts = zip(*passes(call.name, forward_pass, call, chunks, executor, progress))
    columns = [part[0] if len(part) == 1 else np.concatenate(part) for part in zip(*parts)]
    values, rebuild = flatten(results[-1], lists=True)
    return values, columns, rebuild


def forward_sweep(call: Call, start: int, stop: int) -> tuple[list[Any], list[Any], Any]:
    """Values of f's result, the derivatives of each in the directions start to stop on a leading axis, and rebuild."""
    seeds, at = [], 0
    for x, width in zip(call.leaves, call.widths):
        seeds.append(seed(x, start - at, stop - at, width))
        at += width
    if stop - start < 2:  # one direction needs no axis, none no tangents
        seeds = [s[0] if len(s) else None for s in seeds]
    values, ts, rebuild = call.run(seeds)
    return values, [with_directions(t, v, stop - start) for t, v in zip(ts, values)], rebuild


def forward_pass(call: Call, start: int, stop: int) -> tuple[Any, list[Any]]:
    """The same as f's result and the derivatives of its leaves, which other processes can send."""
    values, columns, rebuild = forward_sweep(call, start, stop)
    return rebuild(values), columns


def local_sweep(call: Call, keep: bool = False) -> tuple[list[Any], list[Any], Any]:
    """Values and row-local tangents of f's result, and rebuild; with `keep` they stay so as long as they can."""
    dtype = np.result_type(np.float16, *[dtype_of(x).type(0).real.dtype for x in call.leaves])
    short = 0 if any(optimistic(plain(x)) for x in call.leaves) else SHORT
    space = Space(sum(call.widths), dtype, keep, short)
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
    if type(x) is float:
        column = np.zeros(stop - start)
        if start <= 0 < stop:
            column[-start] = 1.0
        return column
    size, shape = size_of(x), shape_of(x)
    if start == 0 and stop == size == width:
        identity = zeros((size * size,), x)
        identity[:: size + 1] = 1
        return identity.reshape(size, *shape)
    block = zeros((stop - start, size), x)
    inside = np.arange(max(start, 0), min(stop, width))
    block[inside - start, inside % max(size, 1)] = np.where(inside < size, 1, 1j) if width > size else 1
    return block.reshape(stop - start, *shape)


def with_directions(t: Any, v: Any, p: int) -> Any:
    """The tangent of a value in p directions, which stand on a leading axis, also where there is one or none."""
    if t is None:
        return zeros((p, *shape_of(v)), v)
    if p != 1:
        return t
    return t[None] if is_array(t) else np.stack([t])


def by_leaf(call: Call, columns: Any, v: Any) -> list[Any]:
    """The Jacobian of one result with respect to each leaf, of shape out.shape + in.shape, C-contiguous."""
    if isinstance(columns, RowLocal):
        columns = columns.dense(final=True)
        columns = columns if columns.dtype == dtype_of(v) else columns.astype(dtype_of(v))
    blocks, at = [], 0
    for x, width in zip(call.leaves, call.widths):
        size = size_of(x)
        block = columns if size == len(columns) else columns[at : at + size]
        if is_complex(x):
            check_holomorphic(call, block, columns[at + size : at + width])
        blocks.append(_directions_last(block, shape_of(v), shape_of(x)))
        at += width
    return blocks


def _directions_last(block: Any, out: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """Derivatives of a result in the directions of a leaf, on a leading axis, as an array or number of our own."""
    if not out + shape:
        return number(block[0])
    block = block.transpose(*range(1, len(out) + 1), 0) if out else block
    if type(block) is not np.ndarray:
        return np.reshape(block, out + shape).copy()
    block = np.ascontiguousarray(block)
    block = block if block.flags.writeable else block.copy()  # it may be a matrix of the user's
    return block if block.shape == out + shape else block.reshape(out + shape)


def number(x: Any) -> Any:
    return x.item() if isinstance(x, np.float64 | np.complex128) else x


def check_holomorphic(call: Call, along_one: Any, along_i: Any) -> None:
    """Raise where the derivative with respect to a complex number depends on the direction (Cauchy and Riemann)."""
    a, b = 1j * plain(along_one), plain(along_i)
    scale = np.max(np.abs(a), initial=0.0, where=np.isfinite(a))
    if not np.allclose(a, b, rtol=1e-6, atol=1e-6 * scale, equal_nan=True):
        raise TypeError(
            f"{call.name}: f is not holomorphic in its complex argument, so it has no complex derivative; differentiate"
            " with respect to the real and the imaginary part, or use jvp"
        )
