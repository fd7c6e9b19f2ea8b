"""Tangents by one linear function of all arguments that vary, laid side by side in a flat vector."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, user_line
from ..core.number import Number
from ..core.tangents import contract, gather, join, linear
from ..core.values import bare, dtype_of, is_complex, ndim, plain, shape_of, size_of
from ..run.call import Function

LARGEST = 2000  # elements of arguments (or results) up to which a map is transposed by its action on each of them


def pack(parts: Sequence[Any]) -> Any:
    return np.concatenate([np.reshape(x, -1) for x in parts])


def pack_many(parts: Sequence[Any]) -> Any:
    return np.concatenate([x.reshape(len(x), -1) for x in parts], axis=1)


class Layout:
    """Where numbers and arrays stand in the flat vector that `pack` makes of them."""

    def __init__(self, likes: Sequence[Any]) -> None:
        self.likes, self.shapes = likes, [shape_of(x) for x in likes]
        self.ends = np.cumsum([0, *map(size_of, likes)]).tolist()
        self.size = self.ends[-1]
        self.complex = any(map(is_complex, likes))

    def zeros(self) -> Any:
        return np.zeros(self.size, np.result_type(*[dtype_of(plain(x)) for x in self.likes]))

    def part(self, k: int) -> tuple[Function, Function]:
        """What takes number k out of a vector, and out of many on a leading axis."""
        start, stop, shape = self.ends[k], self.ends[k + 1], self.shapes[k]
        if not shape:
            return lambda v: v[start], lambda v: v[:, start]
        return lambda v: v[start:stop].reshape(shape), lambda v: v[:, start:stop].reshape(len(v), *shape)

    def parts(self, v: Any) -> list[Any]:
        """Tangents of all, of their shapes and types, from a vector, or from many on a leading axis."""
        return [_typed(self.part(k)[ndim(v) - 1](v), like) for k, like in enumerate(self.likes)]

    def tangents(self, ts: Sequence[Any], results: Layout, apply: Function, transpose: Function) -> list[Any]:
        """The tangents of results: `apply` takes the vector of these, with tangents ts, to theirs."""
        vector = linear(join(ts, self.shapes, pack, pack_many), (self.size,), apply, transpose)
        parts = []
        for k, y in enumerate(results.likes):
            part = gather(vector, (results.size,), *results.part(k))
            if results.complex and not is_complex(y):
                part = linear(part, results.shapes[k], np.real, lambda ct: ct)
            parts.append(part)
        return parts


def _typed(t: Any, like: Any) -> Any:
    """A tangent in the type of its primal."""
    t = t if is_complex(like) or not is_complex(t) else np.real(t)
    if isinstance(t, np.generic) and isinstance(plain(like), float | complex):
        return t.item()
    return t.astype(dtype_of(plain(like))) if hasattr(t, "astype") else t


class LinearFunction:
    """A linear function of flat vectors, by its action on one: on many, and its transpose.

    The latter takes the action on each unit vector; an error with the text `missing` says that these are too many.
    """

    def __init__(self, act: Function, layout: Layout, missing: str) -> None:
        self.act, self.size, self.complex, self.missing = act, layout.size, layout.complex, missing

    @functools.cached_property
    def images(self) -> Any:
        """Those of the unit vectors, and of i times them where vectors are complex, as rows."""
        units = np.eye(self.size)
        return np.stack([self.act(e) for e in ([*units, *(1j * units)] if self.complex else units)])

    def apply(self, v: Any) -> Any:
        if ndim(v) == 1:
            return self.act(v)
        if self.complex or len(v) < self.size:
            return np.stack([self.act(row) for row in v])
        return contract(v, (self.size,), "a", self.images, "ab", "b")

    def transpose(self, v: Any) -> Any:
        if self.size > LARGEST:
            raise NotDifferentiableError(self.missing)
        rows = self.images
        if not (self.complex or is_complex(rows) or is_complex(v)):
            return contract(v, (rows.shape[1],), "b", rows, "ab", "a")
        w = np.real(v @ np.conj(rows).T)
        return w[..., : self.size] + 1j * w[..., self.size :] if self.complex else w


def linearised(jvp: Any, vjp: Any, point: Any, ts: Sequence[Any]) -> Any:
    """The tangent of what a rule's function returns, by the user's `jvp`, `vjp`, or both, at a `Point`."""
    rule, ins, outs, several = point.rule, Layout(point.varied), Layout(point.results), isinstance(point.y, tuple)
    missing = f"{rule.name}{user_line()}: its rule has no {{}}=, which can be found only for up to {LARGEST} elements"

    def push(v: Any) -> Any:
        """The tangents of the results, as a vector, by the user's jvp."""
        if not isinstance(v, Number) and not np.any(v):
            return outs.zeros()
        tangents = [None if k in rule.constants else zero_of(x) for k, x in enumerate(point.args)]
        for k, part in zip(point.which, ins.parts(v)):
            tangents[k] = part
        made = jvp(point.args, tuple(tangents), **point.kwargs)
        made = made if several else (made,)
        count = len(outs.likes)
        if not isinstance(made, tuple | list) or len(made) != count:
            raise ValueError(f"jvp of {rule.name} must return a tuple of {count} tangents, as the function does")
        return pack([point.checked(t, y, f"jvp of {rule.name}: a tangent") for t, y in zip(made, outs.likes)])

    def pull(v: Any) -> Any:
        """The cotangents of the arguments, as a vector, by the user's vjp."""
        if not isinstance(v, Number) and not np.any(v):
            return ins.zeros()
        cts = outs.parts(v)
        made = vjp(point.args, tuple(cts) if several else cts[0], **point.kwargs)
        made = made if isinstance(made, tuple) or len(point.args) > 1 else (made,)
        if not isinstance(made, tuple) or len(made) != len(point.args):
            raise ValueError(f"vjp of {rule.name} must return a tuple of {len(point.args)} cotangents")
        what = f"vjp of {rule.name}: cotangent"
        return pack([point.checked(made[k], point.args[k], f"{what} {k}") for k in point.which])

    forward = None if jvp is None else LinearFunction(push, ins, missing.format("vjp"))
    reverse = None if vjp is None else LinearFunction(pull, outs, missing.format("jvp"))
    apply: Any = forward.apply if forward else reverse.transpose  # type: ignore[union-attr]
    transpose: Any = reverse.apply if reverse else forward.transpose  # type: ignore[union-attr]
    parts = ins.tangents(ts, outs, apply, transpose)
    return tuple(parts) if several else parts[0]


def zero_of(x: Any) -> Any:
    """The tangent of an argument that does not vary; None if it is no number."""
    if isinstance(x, int | float):
        return 0.0
    try:
        a = np.asarray(bare(x))
    except ValueError:  # a ragged list
        return None
    return np.zeros(a.shape, a.dtype if a.dtype.kind in "fc" else float)[()] if a.dtype.kind in "biufc" else None
