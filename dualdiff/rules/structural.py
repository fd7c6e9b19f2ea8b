"""Rules of functions that only move elements: indexing, the reshape family, joining, choosing.

Each is the function itself, applied to tangents; where a leading axis of directions can pass, the `batched` form says
how, else the element numbers tell (see `tangents.gather`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import tangent_loss, user_call
from ..core.number import Number, note
from ..core.table import Move, Plan, axes_of, axis_of, rule
from ..core.tangents import expand, join
from ..core.values import in_memory, is_array, like_key, ndim, plain, shape_of

# ---------------------------------------------------------------- one array


@rule(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    # -1 is resolved on the value, since with directions of size 0 it would be ambiguous
    shape = np.empty(shape_of(a), bool).reshape(newshape if shape is None else shape).shape
    if not shape and not is_array(a):
        return a
    if order == "F" or (order == "A" and in_memory(plain(a)) and plain(a).flags.fnc):
        return np.transpose(np.reshape(np.transpose(a), shape[::-1]))
    return Move(a, lambda v: v.reshape(shape), lambda t: t.reshape(t.shape[:1] + shape))


def strides_of(a: Any) -> Any:
    return getattr(plain(a), "strides", (0,) * ndim(a))  # which arrays of other kinds may not have


def order_of_copy(a: Any) -> list[int]:
    """The axes in the order in which they lie in memory in a copy with order="K"."""
    strides = strides_of(a)
    return sorted(range(ndim(a)), key=lambda k: -abs(strides[k]))


def memory_order(a: Any) -> list[int]:
    """The axes in the order in which NumPy goes through memory: those of stride 0, from broadcasting, stay in place."""
    strides = strides_of(a)
    inner: list[int] = []  # from the fastest on
    for k in reversed(range(ndim(a))):
        at = len(inner)
        for i in reversed(range(len(inner))):
            if strides[k] and strides[inner[i]]:
                if abs(strides[k]) >= abs(strides[inner[i]]):
                    break
                at = i
        inner.insert(at, k)
    return inner[::-1]


@rule(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """The order in memory is that of the value: tangents and element numbers may lie in another one."""
    if order in "AK" and (not ndim(a) or not in_memory(plain(a))):
        order = "C"
    if order == "K":
        return np.ravel(np.transpose(a, memory_order(a)))
    if order == "F" or (order == "A" and plain(a).flags.fnc):
        return np.ravel(np.transpose(a))
    return Move(a, np.ravel, lambda t: t.reshape(t.shape[0], math.prod(t.shape[1:])))


@rule(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    n = ndim(a)
    if not is_array(a):
        return a
    order = tuple(range(-1, -n - 1, -1)) if axes is None else tuple(axis_of(k, n) for k in axes)
    return Move(a, lambda v: np.transpose(v, order), lambda t: np.transpose(t, (0, *order)))


@rule(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Move:
    n = ndim(a)
    return _same(a, np.swapaxes, axis_of(axis1, n), axis_of(axis2, n))


def _same(a: Any, function: Callable[..., Any], *arguments: Any, **options: Any) -> Move:
    """A function whose axis arguments are negative, so that a leading axis of directions passes unseen."""

    def move(v: Any) -> Any:
        return function(v, *arguments, **options)

    return Move(a, move, move)


@rule(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    n, shape = ndim(a), shape_of(a)
    if not is_array(a) and axis is None:
        return a
    axes = tuple(k - n for k in range(n) if shape[k] == 1) if axis is None else axes_of(axis, n)
    return _same(a, np.squeeze, axis=axes)


@rule(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Move:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return Move(
        array,
        lambda v: np.broadcast_to(v, shape),
        lambda t: np.broadcast_to(expand(t, t.ndim - 1, len(shape)), t.shape[:1] + shape),
    )


@rule(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    frame = user_call()[1]
    if frame is not None and frame.f_code.co_name == "logsumexp":  # SciPy's before 1.15, which drops weights that are 0
        raise note(next(a for a in args if isinstance(a, Number)), tangent_loss("scipy.special.logsumexp of weights"))
    shape = np.broadcast_shapes(*[shape_of(a) for a in args])
    if all(isinstance(a, np.ndarray | Number) and shape_of(a) == shape for a in args):
        return args  # as NumPy does, not views of them
    return tuple(np.broadcast_to(a, shape) for a in args)


@rule(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Move:
    return _same(x, np.lib.stride_tricks.sliding_window_view, window_shape, axes_of(axis, ndim(x)), writeable=writeable)


@rule(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.roll(np.ravel(a), shift, -1).reshape(shape_of(a))
    axes = axis if isinstance(axis, tuple | list) else (axis,)  # which may name one twice
    return _same(a, np.roll, plain(shift), tuple(axis_of(k, ndim(a)) for k in axes))


@rule(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    if axis is None:
        return np.repeat(np.ravel(a), repeats, -1)
    return _same(a, np.repeat, repeats, axis_of(axis, ndim(a)))


@rule(np.take)
def take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    if axis is None:
        return np.take(np.ravel(a), indices, -1, mode=mode)
    at = plain(indices)

    def move(v: Any) -> Any:
        return np.take(like_key(v, (at,)), at, axis=k, mode=mode)

    k = axis_of(axis, ndim(a))
    return Move(a, move, move)


@rule(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Move:
    return _same(a, np.copy, order)


@rule(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Move:
    n = ndim(a)
    return _same(a, np.diagonal, offset, axis_of(axis1, n), axis_of(axis2, n))


@rule(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


def _by_numbers(*functions: Callable[..., Any]) -> None:
    """Functions of one array that move or drop elements, or fill with zeros, and need no form of their own."""

    def family(function: Callable[..., Any]) -> Callable[..., Move]:
        return lambda a, *args, **options: Move(a, lambda v: function(v, *args, **options))

    for function in functions:
        rule(function)(family(function))


_by_numbers(np.tile, np.tril, np.triu, np.diag, np.diagflat, np.resize)


def rows_along(a: Any, axes: tuple[int, ...]) -> Any:
    """The axes, negative numbers, as one, which is the last."""
    moved, lead = np.moveaxis(a, axes, range(-len(axes), 0)), ndim(a) - len(axes)
    return np.reshape(moved, (*shape_of(moved)[:lead], math.prod(shape_of(moved)[lead:])))


# ---------------------------------------------------------------- several arrays


def joined(arrays: Sequence[Any], move: Callable[[list[Any]], Any], directions: bool = False) -> Plan:
    """A function of a list of arrays that moves elements; whether a leading axis of directions passes unseen."""
    batched = move if directions else None
    return Plan(
        tuple(arrays),
        lambda *values: move(list(values)),
        lambda _, values, tangents: join(tangents, [shape_of(v) for v in values], move, batched),
    )


@rule(np.concatenate)
def concatenate(arrays: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    arrays = list(arrays)
    if axis is None:
        arrays, axis = [np.ravel(a) for a in arrays], 0
    if dtype is not None:
        return np.concatenate(arrays, axis).astype(dtype)
    axis = axis_of(axis, max(map(ndim, arrays), default=1))
    return joined(arrays, lambda parts: np.concatenate(parts, axis), directions=True)


@rule(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    arrays = list(arrays)
    if dtype is not None:
        return np.stack(arrays, axis).astype(dtype)
    axis = axis_of(axis, ndim(arrays[0]) + 1)
    return joined(arrays, lambda parts: np.stack(parts, axis), directions=True)


@rule(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """The branch not taken contributes nothing, whatever its tangent is."""
    condition = plain(condition)
    if x is None and y is None:
        return np.where(condition)

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        shapes, n = [shape_of(v) for v in values], ndim(out)

        def batched(parts: list[Any]) -> Any:
            return np.where(condition, *[expand(t, len(s), n) for t, s in zip(parts, shapes)])

        return join(tangents, shapes, lambda parts: np.where(condition, *parts), batched)

    return Plan((x, y), lambda a, b: np.where(condition, a, b), tangent)
