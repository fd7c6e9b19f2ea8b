"""Making numbers with tangents: from values and tangents, from what users pass, and arrays that can hold them.

Legend: v a value, t a tangent, p the number of directions on a leading axis of t.
"""

from __future__ import annotations

import numbers
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np

from .errors import NotDifferentiableError, user_line
from .number import ElementNumber, Link, Number, NumberArray, admit, concrete, new
from .table import Plan
from .tangents import Structured, combine, gather, join
from .values import SCALARS, Shape, dtype_of, in_memory, is_array, ndim, plain, shape_of, to_array

_FLOAT64 = np.dtype(np.float64)
_NOT_CAST = (Structured, Number)  # tangents whose type is not changed to fit the value's
NUMBERS = (Number, *SCALARS)


def make_array(v: Any, t: Any, tag: Any) -> Any:
    """An array with a tangent that fits."""
    r = new(concrete.array)
    r.value = v
    r._tangent = t
    r._tag = tag
    r._link = None
    return r


def make_scalar(v: Any, t: Any, tag: Any) -> Any:
    """A number with a tangent that fits."""
    r = new(concrete.scalar)
    r.value = v
    r.tangent = t
    r._tag = tag
    return r


def wrap(v: Any, t: Any, tag: Any) -> Any:
    """A number or array of a value and a tangent, whose shape and type are made to fit the value's."""
    if t is None:
        return v
    if type(v) is type(t) is np.ndarray and t.dtype is v.dtype and v.shape in (t.shape, t.shape[1:]):
        return make_array(v, t, tag)  # the common case
    return make_array(v, _fitted(t, v), tag) if is_array(v) else _wrap_scalar(v, t, tag)


def unpickled(v: Any, t: Any, tag: Any) -> Any:
    admit(tag)
    return wrap(v, t, tag)


def _fitted(t: Any, v: Any) -> Any:
    """The tangent of an array, broadcast to its shape and cast to its type."""
    if isinstance(t, Structured):
        return t
    if isinstance(t, Number):
        t = as_array(t)
    elif not is_array(t):
        t = np.asarray(t, like=None if isinstance(v, np.ndarray | Number) else v)
    if t.shape != v.shape and t.shape[1:] != v.shape:
        t = np.broadcast_to(t, v.shape if t.ndim <= v.ndim else t.shape[:1] + v.shape)
    return t if t.dtype == v.dtype else t.astype(v.dtype)


def _wrap_scalar(v: Any, t: Any, tag: Any) -> Any:
    kind = type(v)
    if kind is np.float64 or kind is np.complex128:
        v = v.item()
    if kind is np.float64 and type(t) is np.ndarray and t.ndim and t.dtype is _FLOAT64:
        t = t if t.base is None else t.copy()
    elif not isinstance(t, _NOT_CAST):
        if is_array(t) and t.ndim:
            dtype = dtype_of(plain(v))
            t = t.astype(dtype) if t.dtype != dtype else t if t.base is None else t.copy()
        elif not isinstance(v, Number):
            t = type(v)(t)
        elif is_array(t) or isinstance(t, np.generic):
            t = t.item()
    return make_scalar(v, t, tag)


def as_array(x: Number) -> Any:
    """x as an array: a number becomes one without axes."""
    if isinstance(x, NumberArray):
        return x
    v = as_array(x.value) if isinstance(x.value, Number) else np.asarray(x.value)
    return wrap(v, x.tangent if isinstance(x.tangent, _NOT_CAST) else np.asarray(x.tangent), x._tag)


# ---------------------------------------------------------------- what users pass


def numeric(x: Any, what: str) -> Any:
    """x as a float, complex or Dual, or an array of them, without a copy where it is one already."""
    kind = type(x)
    if kind is float or kind is complex or isinstance(x, Number):
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
    if is_array(x) and speaks_both(x):
        a = x
    elif hasattr(x, "to_numpy"):
        package = kind.__module__.partition(".")[0]
        raise TypeError(f"{what} is a {package} {kind.__name__}: pass its numbers, x.to_numpy()")
    else:
        a = to_array(x)
    if isinstance(a, np.ndarray) and type(a) is not np.ndarray:
        if computes(type(a)):
            raise NotDifferentiableError(
                f"{what} is of class {type(a).__name__}{user_line()}, a subclass of ndarray with methods of its own, "
                "which derivatives would not follow: use np.asarray(...)"
            )
        a = a.view(np.ndarray)
    if a.dtype.kind in "biu":
        a = a.astype(np.float64)
    elif a.dtype.kind == "O":
        return lift(a, what)
    elif a.dtype.kind not in "fc":
        raise TypeError(f"{what} is of type {kind.__name__} ({a.dtype}), which is not a number or an array of numbers")
    if isinstance(x, np.generic):
        return a.item() if a.dtype in (np.float64, np.complex128) else a[()]
    return a


@cache
def computes(kind: type) -> bool:
    """Whether a subclass of ndarray, or one between them, has operators, methods or protocols of its own."""
    own = [k for k in kind.__mro__ if issubclass(k, np.ndarray) and not k.__module__.startswith("numpy")]
    return any(name not in _HARMLESS and hasattr(np.ndarray, name) for k in own for name in vars(k))


_NAMES = "__array_finalize__ __array_priority__ __array_wrap__ __dict__ __module__ __setstate__"
_HARMLESS = {*vars(object), *_NAMES.split()}  # what tells nothing of how the numbers are taken


def speaks_both(x: Any) -> bool:
    """Whether an array of another kind than NumPy's answers NumPy's two protocols, so that rules can run on it."""
    return hasattr(x, "__array_ufunc__") and not isinstance(x, np.ndarray) and hasattr(x, "dtype")


def constant(x: Any) -> Any:
    """An operand without a tangent, as something NumPy computes with."""
    if type(x) is np.ndarray and x.dtype.kind in "fciub":
        return x
    if isinstance(x, SCALARS):
        return x
    if isinstance(x, list | tuple):
        x = to_array(x)
        if x.dtype.kind in "iub":  # as NumPy takes them
            return x
    if is_array(x) and speaks_both(x) and x.dtype.kind in "fciub":
        return x
    return numeric(x, "an operand")


# ---------------------------------------------------------------- arrays of objects


def lift(a: Any, what: str) -> Any:
    """An array of objects, as `np.array([u, v])` makes it of numbers with tangents, as one array with a tangent.

    NumPy asks an array for its elements one by one. These know where they came from, so that arrays of whole arrays
    are put together again from these, at the price of `np.stack`.
    """
    items = a.ravel().tolist()
    for v in items:
        if not isinstance(v, NUMBERS) or (isinstance(v, NumberArray) and v.ndim):
            raise TypeError(f"{what} holds objects that are no numbers ({type(v).__name__}): use an array of floats")
    leader = next((v for v in items if isinstance(v, Number)), None)
    if leader is None:
        return numeric(np.array(items), what).reshape(a.shape)
    if all(isinstance(v, ElementNumber) for v in items):
        runs = [list(run) for _, run in groupby(items, lambda e: id(e._array))]  # that stand together in one array
        groups = [(run[0].source(), [e._at for e in run]) for run in runs]
        if len(groups) < len(items):
            return np.concatenate([x if at == list(range(len(x))) else x[at] for x, at in groups]).reshape(a.shape)

    def tangent(y: Any, values: Any, ts: Any) -> Any:
        return join(ts, [()] * len(ts), _pack, lambda parts: _pack(parts).T)

    return leader._finish(Plan(tuple(items), lambda *values: _pack(values), tangent)).reshape(a.shape)


def _pack(items: Any) -> Any:
    """Numbers as one array."""
    return np.stack(items) if any(isinstance(v, Number) or is_array(v) for v in items) else np.array(items)


# ---------------------------------------------------------------- arrays that can hold tangents


def fit(t: Any, have: Shape, want: Shape) -> Any:
    """A structured tangent broadcast as an assignment does it, which also takes leading axes of length 1."""
    if len(have) > len(want):
        short = have[len(have) - len(want) :]
        t, have = gather(t, have, lambda v: np.reshape(v, short)), short
    return t if have == want else combine([(t, have, 1)], want)


def zero_tangent(like: Number, v: Any) -> Any:
    """The zero tangent for value v in the space of another number's tangents."""
    t = like.tangent
    if isinstance(t, Structured):
        return t.zeros(v)
    lead = t.shape[:1] if ndim(t) > ndim(plain(like)) else ()
    return np.zeros_like(plain(v), shape=lead + shape_of(v))


def buffer(like: Any, v: Any) -> Any:
    """A constant array into which numbers with the perturbations of `like` can be stored."""
    if v.dtype.kind not in "fc":
        return v
    if isinstance(like.value, Number):
        v = buffer(like.value, v)
    elif type(v) is np.ndarray and not in_memory(like.value):
        v = np.array(v, like=like.value)
    r = make_array(v, zero_tangent(like, v), like._tag)
    r._link = Link()
    r._link.owned = True
    return r
