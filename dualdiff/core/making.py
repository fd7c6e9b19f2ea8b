"""Making Duals: from values and tangents, from what users pass, and arrays that can hold tangents."""

from __future__ import annotations

import numbers
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from . import tangents
from .dual import Dual, DualArray, Link, _new
from .table import plain, shape_of
from .tangents import Structured, gather

_ARRAYS = (np.ndarray, DualArray)
_OTHERS = (Structured, Dual)
_NUMBERS = (Dual, int, float, complex, np.number, np.bool)
_FLOAT64 = np.dtype(np.float64)


def _array(v: Any, t: Any, tag: Any) -> DualArray:
    r = _new(DualArray)
    r.value = v
    r._tangent = t
    r._tag = tag
    r._link = None
    return r


def _wrap(v: Any, t: Any, tag: Any) -> Any:
    """A Dual of a value and a tangent, whose shape and type are made to fit the value's."""
    if t is None:
        return v
    if type(v) is type(t) is np.ndarray and t.dtype is v.dtype and v.shape in (t.shape, t.shape[1:]):
        return _array(v, t, tag)  # the common case
    if isinstance(v, _ARRAYS):
        if not isinstance(t, Structured):
            if type(t) is Dual:
                t = as_array(t)
            elif isinstance(t, np.generic):
                t = np.asarray(t)
            if type(t) is float or t.ndim < v.ndim or (t.shape != v.shape and t.shape[1:] != v.shape):
                t = np.asarray(t) if type(t) is float else t
                t = np.broadcast_to(t, v.shape if t.ndim <= v.ndim else t.shape[:1] + v.shape)
            if t.dtype is not v.dtype and t.dtype != v.dtype:
                t = t.astype(v.dtype)
        return _array(v, t, tag)
    kind = type(v)
    if kind is np.float64 or kind is np.complex128:
        v = v.item()
    if kind is np.float64 and type(t) is np.ndarray and t.ndim and t.dtype is _FLOAT64:
        t = t if t.base is None else t.copy()
    elif not isinstance(t, _OTHERS):
        if isinstance(t, np.ndarray) and t.ndim:
            dtype = np.asarray(plain(v)).dtype
            t = t.astype(dtype) if t.dtype != dtype else t if t.base is None else t.copy()
        elif not isinstance(v, Dual):
            t = type(v)(t)
        elif isinstance(t, np.ndarray | np.generic):
            t = t.item()
    r = _new(Dual)
    r.value = v
    r.tangent = t
    r._tag = tag
    return r


def _rebuild(v: Any, t: Any, tag: Any) -> Any:
    return _wrap(v, t, tag)


def as_array(x: Dual) -> DualArray:
    """x as a DualArray: a scalar becomes one without axes."""
    if isinstance(x, DualArray):
        return x
    v = as_array(x.value) if isinstance(x.value, Dual) else np.asarray(x.value)
    return _wrap(v, x.tangent if isinstance(x.tangent, Structured | Dual) else np.asarray(x.tangent), x._tag)


def numeric(x: Any, what: str) -> Any:
    """x as a float, complex or Dual, or an array of them, without a copy where it is one already."""
    kind = type(x)
    if kind is float or kind is complex or isinstance(x, Dual):
        return x
    if kind is int or kind is bool:
        return float(x)
    if isinstance(x, numbers.Rational) and not isinstance(x, np.generic):
        return float(x)
    if x is None:
        raise TypeError(f"{what} is None, not a number or an array of numbers")
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array, whose mask would be lost: pass x.filled(...) or x.compressed()")
    if isinstance(x, np.matrix):
        raise TypeError(f"{what} is an np.matrix, whose * is another product: use np.asarray(...) and @")
    a = np.asarray(x)
    if a.dtype.kind in "biu":
        a = a.astype(np.float64)
    elif a.dtype.kind == "O":
        return objects.lift(a, what)
    elif a.dtype.kind not in "fc":
        raise TypeError(f"{what} is of type {kind.__name__} ({a.dtype}), which is not a number or an array of numbers")
    if isinstance(x, np.generic):
        return a.item() if a.dtype in (np.float64, np.complex128) else a[()]
    return a


@lru_cache(maxsize=16)
def element_numbers(shape: tuple[int, ...]) -> Any:
    """The flat number of each element."""
    numbers = np.arange(prod(shape)).reshape(shape)
    numbers.flags.writeable = False
    return numbers


def _fit(t: Any, have: Any, want: Any) -> Any:
    """A structured tangent broadcast as an assignment does it, which also takes leading axes of length 1."""
    if len(have) > len(want):
        short = have[len(have) - len(want) :]
        t, have = gather(t, have, lambda v: np.reshape(v, short)), short
    return t if have == want else tangents.combine([(t, have, 1)], want)


def _zeros(like: Dual, v: Any) -> Any:
    """The zero tangent for value v in the space of another number's tangents."""
    t = like.tangent
    if isinstance(t, Structured):
        return t.zeros(v)
    lead = t.shape[:1] if tangents.ndim(t) > np.ndim(plain(like)) else ()
    return np.zeros(lead + shape_of(v), v.dtype)


def buffer(like: Dual, v: Any) -> Any:
    """A constant array into which numbers with the perturbations of `like` can be stored."""
    if v.dtype.kind not in "fc":
        return v
    if isinstance(like.value, Dual):
        v = buffer(like.value, v)
    r = _array(v, _zeros(like, v), like._tag)
    r._link = Link()
    r._link.owned = True
    return r


from . import objects  # noqa: E402 - which needs the functions above
