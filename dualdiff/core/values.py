"""The few questions the engine asks of a value, which may be whatever speaks NumPy's two protocols.

A value is a Python float or complex, an ndarray or NumPy scalar, a number with a tangent of an outer derivative, or an
array of another kind. What kind it is, is asked here only, to take a faster path for floats and ndarrays.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .number import Number, NumberArray

Shape = tuple[int, ...]

PYTHON = (float, int, complex)  # numbers that do not widen the arrays they meet
SCALARS = (*PYTHON, np.number, np.bool)


def plain(x: Any) -> Any:
    """x without any tangent, however deeply derivatives are nested; containers keep their type."""
    while isinstance(x, Number):
        x = x.value
    if type(x) in (list, tuple):
        return type(x)([plain(v) for v in x])
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.array([plain(v) for v in x.ravel()]).reshape(x.shape)
    return x


def shape_of(x: Any) -> Shape:
    """Shape of an array-like that may be a number with a tangent."""
    if type(x) is float:
        return ()
    try:
        return x.shape  # type: ignore[no-any-return]
    except AttributeError:
        return np.shape(x)


def ndim(x: Any) -> int:
    """Number of axes of an array-like that may be a number with a tangent."""
    if type(x) is float or type(x) is int:
        return 0
    try:
        return x.ndim  # type: ignore[no-any-return]
    except AttributeError:
        return np.ndim(x)


def size_of(x: Any) -> int:
    return x.size if type(x) is np.ndarray else prod(shape_of(x))


def dtype_of(x: Any) -> np.dtype[Any]:
    return x.dtype if hasattr(x, "dtype") else np.dtype(type(x))


def is_complex(x: Any) -> bool:
    return x.dtype.kind == "c" if hasattr(x, "dtype") else type(x) is complex


def is_array(x: Any) -> bool:
    """Whether x is an array of any kind, and no number."""
    kind = type(x)
    if kind is np.ndarray:
        return True
    if kind is float or isinstance(x, Number):
        return isinstance(x, NumberArray)
    return hasattr(kind, "__array_function__") and not isinstance(x, np.generic)


def to_array(x: Any) -> Any:
    """Arrays of any kind as they are, the rest as np.asarray makes it; lists of arrays of other kinds are stacked."""
    if is_array(x):
        return x
    return np.stack([to_array(v) for v in x]) if type(x) in (list, tuple) and _holds_others(x) else np.asarray(x)


def _holds_others(x: Any) -> bool:
    """Whether a list, or one in it, holds arrays of other kinds than NumPy's, which answer its protocols alone."""
    kinds = set(map(type, x))
    if any(hasattr(k, "__array_function__") and not issubclass(k, np.ndarray | np.generic | Number) for k in kinds):
        return True
    return not kinds.isdisjoint((list, tuple)) and any(_holds_others(v) for v in x if type(v) in (list, tuple))


def in_memory(x: Any) -> bool:
    """Whether x is a number or an array of NumPy's own, into whose memory results can be written."""
    kind = type(x)
    return kind is np.ndarray or kind is float or isinstance(x, np.ndarray | np.generic | float | int | complex)


def optimistic(x: Any) -> bool:
    """Whether x is recorded for a program, which looks at its result instead of at each weight."""
    return getattr(type(x), "optimistic", False)


def bare(x: Any) -> Any:
    """x without any tangent, and without what records it for a program."""
    x = plain(x)
    return x.value if optimistic(x) else x


def like_key(v: Any, parts: Any) -> Any:
    """An ndarray as an array of the kind that its index is of, where an ndarray can't take such an index."""
    if type(v) is np.ndarray:
        for k in parts:
            if is_array(k) and not isinstance(k, np.ndarray | Number):
                return np.asarray(v, like=k)
    return v


def is_view(y: Any, x: Any) -> bool:
    """Whether y, made of the array x by a function that moves elements, shares x's memory."""
    if y is x:
        return True
    if isinstance(y, NumberArray):
        return y._link is not None and y._link.base is not None and y.root() is x.root()
    base = getattr(y, "base", None)  # arrays of other kinds tell by the same attribute as ndarrays, or have no views
    if base is not None and not hasattr(type(base), "__array_function__"):
        base = getattr(base, "base", None)  # the memory of another array, with strides of its own
    return base is not None and (base is x or base is x.base)


def writes_through(view: Any, whole: Any) -> bool:
    """Whether what is written into the one array is seen in the other."""
    if type(view) is np.ndarray and type(whole) is np.ndarray:
        return not view.size or np.may_share_memory(view, whole)
    return isinstance(view, Number) and isinstance(whole, Number) and is_view(view, whole)
