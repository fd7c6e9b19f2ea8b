"""Rules of functions that put arrays together, pick from them, and write into them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.composed import composed
from ..core.errors import NotDifferentiableError, tangent_loss
from ..core.number import Number
from ..core.table import Move, Plan, rule
from ..core.values import dtype_of, is_array, like_key, ndim, plain, shape_of
from .ordering import array_of
from .structural import joined

# ---------------------------------------------------------------- picking


rule(np.compress)(lambda condition, a, axis=None, out=None: np.take(a, np.flatnonzero(plain(condition)), axis))
rule(np.delete)(lambda arr, obj, axis=None: Move(arr, lambda v: np.delete(v, plain(obj), axis)))


@rule(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Plan:
    arr, values = array_of(arr), array_of(values)
    if arr.dtype.kind not in "fc" and isinstance(values, Number):
        raise tangent_loss("np.insert into an array of integers")
    return joined((arr, values), lambda parts: np.insert(parts[0], plain(obj), parts[1], axis))


@rule(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: Any = "raise") -> Plan:
    return joined([array_of(c) for c in choices], lambda parts: np.choose(plain(a), parts, mode=mode))


@rule(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The first condition that holds decides: np.where, from the last to the first."""
    if len(condlist) != len(choicelist) or len(condlist) == 0:
        raise ValueError("select: the list of cases must be as long as that of conditions, and not empty")
    result = default
    for condition, choice in zip(reversed([plain(c) for c in condlist]), reversed(list(choicelist))):
        if dtype_of(condition if is_array(condition) else np.asarray(condition)).kind != "b":
            raise TypeError("invalid entry in condlist: should be boolean ndarray")
        result = np.where(condition, choice, result)
    return result


# ---------------------------------------------------------------- putting together


@rule(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    at = [1 - k if indexing == "xy" and k < 2 <= n else k for k in range(n)]
    grids = [np.reshape(x, (1,) * k + (-1,) + (1,) * (n - 1 - k)) for x, k in zip(xi, at)]
    if not sparse:
        grids = list(np.broadcast_arrays(*grids))
    return tuple(np.copy(g, "C") for g in grids) if copy else tuple(grids)


_pad = composed(np.pad)


@rule(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    if callable(mode):
        raise NotDifferentiableError("np.pad: a function as mode writes into plain arrays; use np.concatenate instead")
    return _pad(array, pad_width, mode, **options)


# ---------------------------------------------------------------- replacing


@rule(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """What is replaced is constant."""
    if x.dtype.kind == "c":
        real, imaginary = (np.nan_to_num(part, True, nan, posinf, neginf) for part in (np.real(x), np.imag(x)))
        y: Any = real + 1j * imaginary
    else:
        limits, v = np.finfo(x.dtype), plain(x)
        y = np.where(np.isnan(v), nan, x)
        y = np.where(np.isposinf(v), limits.max if posinf is None else posinf, y)
        y = np.where(np.isneginf(v), limits.min if neginf is None else neginf, y).astype(x.dtype)[()]
    if copy or not ndim(x):
        return y
    x[...] = y
    return x


rule(np.real_if_close)(lambda a, tol=100: a if np.iscomplexobj(np.real_if_close(plain(a), tol)) else np.real(a))
rule(np.astype)(lambda x, dtype, /, *, copy=True, device=None: x.astype(dtype, copy=copy))


# ---------------------------------------------------------------- writing


def _write(name: str, a: Any, numbers: Any, values: Any) -> None:
    """Write values where these element numbers are."""
    values = array_of(values)
    if isinstance(values, Number) and not isinstance(a, Number):
        raise tangent_loss(f"np.{name} into a plain array")
    if ndim(a):
        a[np.unravel_index(numbers, shape_of(a))] = values
    elif np.size(numbers):
        a[()] = np.ravel(values)[-1]


def _write_in_turn(name: str, a: Any, numbers: Any, values: Any) -> None:
    """The same with values that are repeated as often as needed."""
    _write(name, a, np.ravel(numbers), np.resize(array_of(values), np.size(numbers)))


def _numbers(a: Any) -> Any:
    return np.arange(math.prod(shape_of(a))).reshape(shape_of(a))


@rule(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    mask = np.broadcast_to(plain(where), shape_of(dst))
    values = array_of(src)
    values = np.reshape(values, shape_of(values)[max(ndim(values) - ndim(dst), 0) :])  # more axes have length 1
    values = np.broadcast_to(values, shape_of(dst))
    _write("copyto", dst, np.flatnonzero(mask), like_key(values, (mask,))[mask])


@rule(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    if np.any(plain(mask)) and not np.size(vals):
        raise ValueError("Cannot insert from an empty array!")
    _write_in_turn("place", arr, np.flatnonzero(plain(mask)), vals)


@rule(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    numbers = np.flatnonzero(plain(mask))
    _write("putmask", a, numbers, np.resize(array_of(values), math.prod(shape_of(a)))[numbers])


@rule(np.put)
def put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> None:
    if not is_array(a):
        raise TypeError("np.put: a number does not support item assignment")
    _write_in_turn("put", a, np.take(_numbers(a), plain(ind), mode=mode), v)


@rule(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any) -> None:
    _write("put_along_axis", arr, np.take_along_axis(_numbers(arr), plain(indices), axis), values)
