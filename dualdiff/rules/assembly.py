"""Rules of functions that put arrays together, pick from them, and write into them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import NotDifferentiableError, tangent_loss
from ..tangents import join
from .ordering import array_of
from .table import Move, Plan, axis_of, ndim, plain, rule, shape_of

# ---------------------------------------------------------------- picking


@rule(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    if axis is None:
        return np.take_along_axis(np.ravel(arr), indices, -1)
    axis, indices = axis_of(axis, ndim(arr)), plain(indices)
    return Move(arr, lambda v: np.take_along_axis(v, indices, axis))


@rule(np.compress)
def compress(condition: Any, a: Any, axis: Any = None, out: Any = None) -> Any:
    return np.take(a, np.flatnonzero(plain(condition)), axis)


@rule(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    return np.take(np.ravel(arr), np.flatnonzero(plain(condition)))


@rule(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Move:
    return Move(arr, lambda v: np.delete(v, plain(obj), axis))


@rule(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Plan:
    arr, values = array_of(arr), array_of(values)
    if arr.dtype.kind not in "fc" and hasattr(values, "_tag"):
        raise tangent_loss("np.insert into an array of integers")
    return _joining((arr, values), lambda parts: np.insert(parts[0], plain(obj), parts[1], axis))


@rule(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Plan:
    return _joining(tuple(choices), lambda parts: np.choose(plain(a), parts, mode=mode))


def _joining(arrays: tuple[Any, ...], move: Callable[[list[Any]], Any]) -> Plan:
    """A function of several arrays that moves elements, and cannot pass over a leading axis of directions."""
    arrays = tuple(array_of(a) for a in arrays)
    return Plan(arrays, lambda *v: move(list(v)), lambda _, v, t: join(t, [shape_of(x) for x in v], move))


@rule(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first condition that holds decides: np.where, from the last to the first."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    result = default
    for condition, choice in zip(reversed([plain(c) for c in condlist]), reversed(list(choicelist))):
        if np.asarray(condition).dtype != bool:
            raise TypeError("invalid entry in condlist: should be boolean ndarray")
        result = np.where(condition, choice, result)
    return result


@rule(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Each function is called with the elements for which its condition holds; of several, the last one counts."""
    x, n = array_of(x), len(funclist)
    conditions: Any = plain(condlist)
    if np.isscalar(conditions) or (not isinstance(conditions[0], list | np.ndarray) and ndim(x) != 0):
        conditions = [conditions]
    conditions = np.asarray(conditions, bool)
    if len(conditions) == n - 1:
        conditions = np.concatenate([conditions, ~np.any(conditions, axis=0, keepdims=True)])
    if len(conditions) != n:
        raise ValueError(f"with {len(condlist)} condition(s), either {len(condlist)} or {len(condlist) + 1} functions are expected")
    place, parts, size = np.zeros(shape_of(x), np.intp), [np.zeros(1, x.dtype)], 1
    for condition, function in zip(conditions, funclist):
        condition = np.broadcast_to(np.reshape(condition, np.shape(condition)), shape_of(x))
        count = int(np.sum(condition))
        if count == 0:
            continue
        values = function(np.reshape(x, shape_of(x) or (1,))[condition if ndim(x) else slice(None)], *args, **kw) if callable(function) else function
        parts.append(np.ravel(np.broadcast_to(array_of(values), (count,))))
        place[condition] = size + np.arange(count)
        size += count
    return np.concatenate(parts)[place].astype(x.dtype)


# ---------------------------------------------------------------- putting together


@rule(np.block)
def block(arrays: Any) -> Any:
    """Lists are joined along the last axis, lists of them along the one before it, and so on."""
    np.block(plain(arrays))  # NumPy's errors
    depth, leaves = 0, [arrays]
    while isinstance(leaves[0], list):
        depth, leaves = depth + 1, [x for part in leaves for x in part]
    n = max(depth, *(ndim(x) for x in leaves))

    def build(part: Any, level: int) -> Any:
        if level:
            return np.concatenate([build(x, level - 1) for x in part], axis=-level)
        return np.reshape(part, (1,) * (n - ndim(part)) + shape_of(part))

    return build(arrays, depth)


def _split_along(function: Callable[..., Any], axis: Callable[[int], int], least: int) -> None:
    @rule(function)
    def split(ary: Any, indices_or_sections: Any) -> Any:
        if ndim(ary) < least:
            raise ValueError(f"{function.__name__} only works on arrays of {least} or more dimensions")
        return np.split(ary, indices_or_sections, axis(ndim(ary)))


_split_along(np.hsplit, lambda n: 1 if n > 1 else 0, 1)
_split_along(np.vsplit, lambda n: 0, 2)
_split_along(np.dsplit, lambda n: 2, 3)

if hasattr(np, "unstack"):  # NumPy 2.1

    @rule(np.unstack)
    def unstack(x: Any, /, *, axis: int = 0) -> Any:
        if ndim(x) == 0:
            raise ValueError("Input array must be at least 1-d.")
        return tuple(np.moveaxis(x, axis, 0))


@rule(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    at = [1 - k if indexing == "xy" and k < 2 <= n else k for k in range(n)]
    grids = [np.reshape(x, (1,) * k + (-1,) + (1,) * (n - 1 - k)) for x, k in zip(xi, at)]
    if not sparse:
        grids = list(np.broadcast_arrays(*grids))
    return tuple(np.copy(g) for g in grids) if copy else tuple(grids)


@rule(np.ix_)
def ix_(*args: Any) -> Any:
    if any(ndim(x) != 1 for x in args):
        raise ValueError("Cross index must be 1 dimensional")
    return np.meshgrid(*args, sparse=True, indexing="ij")


@rule(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    arr = array_of(arr)
    axis = axis_of(axis, ndim(arr)) + ndim(arr)
    rows = np.moveaxis(arr, axis, -1)
    lead = shape_of(rows)[:-1]
    if 0 in lead:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = np.stack([array_of(func1d(rows[i], *args, **kwargs)) for i in np.ndindex(*lead)])
    n, k = len(lead), ndim(results) - 1
    whole = np.reshape(results, lead + shape_of(results)[1:])
    return np.moveaxis(whole, range(n, n + k), range(axis, axis + k))


@rule(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    n = ndim(a)
    for axis in np.atleast_1d(plain(axes)):
        result = func(a, int(axis) + n if axis < 0 else int(axis))
        a = result if ndim(result) == n else np.expand_dims(result, int(axis))
        if ndim(a) != n:
            raise ValueError("function is not returning an array of the correct shape")
    return a


# ---------------------------------------------------------------- padding


@rule(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """Along one axis after the other, as NumPy does: corners are padded from what was padded before."""
    a = array_of(array)
    n, shape, dtype = ndim(a), shape_of(a), a.dtype
    if callable(mode):
        raise NotDifferentiableError("np.pad: a function as mode writes into plain arrays; use np.concatenate instead")
    # NumPy's errors for each of the arguments, on nothing
    np.pad(np.zeros((0,) * n), pad_width)
    np.pad(np.zeros((1,) * n), 0, mode, **{k: plain(v) for k, v in options.items()})
    widths = _pairs(pad_width, n)
    if any(length == 0 < sum(w) and mode not in ("constant", "empty") for length, w in zip(shape, widths)):
        raise ValueError(f"can't extend an empty axis using modes other than 'constant' or 'empty', but found {mode!r}")
    given = options.pop("constant_values", options.pop("end_values", options.pop("stat_length", None)))
    if mode in ("edge", "wrap", "empty") or (given is None and options.get("reflect_type") != "odd" and mode in _MOVING):
        mode = "constant" if mode == "empty" else mode
        return Move(a, lambda v: np.pad(v, widths, mode), lambda t: np.pad(t, [(0, 0), *widths], mode))
    ends = [(None, None)] * n if given is None else np.broadcast_to(array_of(given), (n, 2))
    for k in range(n):
        a = np.moveaxis(a, k, -1)
        left, right = _SIDES[mode](a, widths[k], ends[k], mode)
        a = np.moveaxis(np.concatenate([left, a, right], -1), -1, k)
    if dtype.kind not in "fc":
        raise tangent_loss("np.pad of an array of integers with numbers that have a derivative")
    return a.astype(dtype)


_MOVING = {"constant", "reflect", "symmetric"}


def _pairs(pad_width: Any, n: int) -> list[Any]:
    if isinstance(pad_width, dict):
        whole = np.zeros((n, 2), int)
        for axis, width in pad_width.items():
            whole[axis] = width
        pad_width = whole
    return [tuple(pair) for pair in np.broadcast_to(pad_width, (n, 2)).tolist()]


def _constants(a: Any, widths: Any, ends: Any, mode: str) -> list[Any]:
    return [np.broadcast_to(end, (*shape_of(a)[:-1], w)).astype(a.dtype) for w, end in zip(widths, ends)]


def _ramps(a: Any, widths: Any, ends: Any, mode: str) -> list[Any]:
    start, stop = 0.0 if ends[0] is None else ends[0], 0.0 if ends[1] is None else ends[1]
    left = np.linspace(start, a[..., 0], widths[0], endpoint=False, axis=-1)
    return [left, np.flip(np.linspace(stop, a[..., -1], widths[1], endpoint=False, axis=-1), -1)]


def _statistics(a: Any, widths: Any, lengths: Any, mode: str) -> list[Any]:
    statistic: Any = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}[mode]
    n = shape_of(a)[-1]
    left, right = (n if k is None else min(int(k), n) for k in lengths)
    sides = [statistic(part, axis=-1, keepdims=True) for part in (a[..., :left], a[..., n - right :])]
    return [np.repeat(side, w, -1) for side, w in zip(sides, widths)]


def _odd(a: Any, widths: Any, ends: Any, mode: str) -> list[Any]:
    """Reflection about the ends as points, again and again: each turn adds a multiple of the difference of the ends."""
    n, both = shape_of(a)[-1], mode == "symmetric"
    period = n if both else n - 1
    if period == 0:
        return [np.repeat(a, w, -1) for w in widths]
    sides = []
    for places in (np.arange(-widths[0], 0), np.arange(n, n + widths[1])):
        turn, rest = np.divmod(places, period)
        odd = turn % 2
        moved = np.take(a, np.where(odd, period - both - rest, rest), -1)
        sides.append(moved * (1 - 2 * odd) + a[..., :1] * (odd - turn) + a[..., -1:] * (odd + turn))
    return sides


_SIDES: dict[str, Callable[..., Any]] = {
    "constant": _constants,
    "linear_ramp": _ramps,
    "reflect": _odd,
    "symmetric": _odd,
    **dict.fromkeys(("maximum", "minimum", "mean", "median"), _statistics),
}


# ---------------------------------------------------------------- replacing


@rule(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """What is replaced is constant."""
    if x.dtype.kind == "c":
        parts = [np.nan_to_num(part, True, nan, posinf, neginf) for part in (np.real(x), np.imag(x))]
        y: Any = parts[0] + 1j * parts[1]
    else:
        limits, v = np.finfo(x.dtype), plain(x)
        y = np.where(np.isnan(v), nan, x)
        y = np.where(np.isposinf(v), limits.max if posinf is None else posinf, y)
        y = np.where(np.isneginf(v), limits.min if neginf is None else neginf, y).astype(x.dtype)[()]
    if copy or not ndim(x):
        return y
    x[...] = y
    return x


@rule(np.astype)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    return x.astype(dtype, copy=copy)


@rule(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    return a if np.iscomplexobj(np.real_if_close(plain(a), tol)) else np.real(a)


# ---------------------------------------------------------------- writing


def _write(a: Any, at: Any, values: Any, name: str) -> None:
    """a[at] = values, for index arrays or a mask."""
    values = array_of(values)
    if hasattr(values, "_tag") and not hasattr(a, "_tag"):
        raise tangent_loss(f"np.{name} into a plain array")
    a[at] = values


def _write_numbers(a: Any, numbers: Any, values: Any, name: str) -> None:
    _write(a, np.unravel_index(numbers, shape_of(a)), values, name)


def _numbers(a: Any) -> Any:
    return np.arange(math.prod(shape_of(a))).reshape(shape_of(a))


@rule(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    where = np.broadcast_to(np.asarray(plain(where), bool), shape_of(dst))
    _write(dst, where, np.broadcast_to(array_of(src), shape_of(dst))[where], "copyto")


@rule(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    numbers = np.ravel(np.take(_numbers(a), plain(ind), mode=mode))
    _write_numbers(a, numbers, np.resize(array_of(v), numbers.shape), "put")


@rule(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    numbers = np.flatnonzero(plain(mask))
    if len(numbers) and not np.size(plain(vals)):
        raise ValueError("Cannot insert from an empty array!")
    _write_numbers(arr, numbers, np.resize(array_of(vals), numbers.shape), "place")


@rule(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    mask = np.asarray(plain(mask), bool)
    _write(a, mask, np.resize(array_of(values), shape_of(a))[mask], "putmask")


@rule(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    numbers = np.take_along_axis(_numbers(arr), plain(indices), axis)
    _write_numbers(arr, numbers, values, "put_along_axis")


@rule(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    mask = np.zeros(shape_of(a), bool)
    np.fill_diagonal(mask, True, wrap)
    _write(a, mask, np.resize(array_of(val), int(mask.sum())), "fill_diagonal")
