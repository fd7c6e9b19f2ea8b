"""Functions of NumPy that ask nobody, as a function finds them that is run with names followed."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import numbers_in
from ..core.engine import create
from ..core.errors import NotDifferentiableError, user_line
from ..core.making import numeric
from ..core.number import Number
from ..core.values import plain


def _moves(*args: Any) -> bool:
    return next(numbers_in(args), None) is not None


def spellings(room: Callable[[Any], Any]) -> dict[Any, Any]:
    """What stands in for these functions; `room` makes an array such that it can hold tangents."""

    def arange(*args: Any, **kwargs: Any) -> Any:
        number = next(numbers_in([*args, *kwargs.values()]), None)
        return np.arange(*args, **kwargs) if number is None else create(number, np.arange, args, kwargs)

    @functools.wraps(np.full_like)
    def full_like(a: Any, fill_value: Any, *args: Any, **kwargs: Any) -> Any:
        made = np.full_like(a, plain(fill_value), *args, **kwargs)
        if type(made) is np.ndarray and made.dtype.kind in "fc":
            made = room(made)
            made[...] = fill_value
            return made
        return np.full_like(a, fill_value, *args, **kwargs) if isinstance(made, Number) else made

    def pad(array: Any, *args: Any, **kwargs: Any) -> Any:
        if _moves(*kwargs.values()) and not _moves(array):
            array = room(np.array(array, float))
        return np.pad(array, *args, **kwargs)

    return {np.arange: arange, np.full_like: full_like, np.pad: pad} | _ELEMENTS


def _nditer(op: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return np.nditer(op, *args, **kwargs)
    except (TypeError, ValueError) as error:
        if not _moves(op):
            raise
        raise NotDifferentiableError(
            f"np.nditer of a number with a tangent{user_line()}: it hands out memory, which holds no tangents; write "
            "NumPy's functions of whole arrays, or a loop over x.flat or np.ndindex(x.shape)"
        ) from error


def _fromiter(iterable: Any, dtype: Any, count: int = -1, **kwargs: Any) -> Any:
    items = list(iterable if count < 0 else itertools.islice(iterable, count))
    if _moves(items):
        return numeric(items, "np.fromiter").astype(dtype)
    return np.fromiter(items, dtype, count, **kwargs)


def _vectorize(pyfunc: Any = np._NoValue, otypes: Any = None, *args: Any, **kwargs: Any) -> Any:  # type: ignore[attr-defined]
    """np.vectorize, whose results are of the types that they have."""
    if pyfunc is np._NoValue:  # type: ignore[attr-defined]
        return functools.partial(_vectorize, otypes=otypes, **kwargs)
    return vectorized(np.vectorize(pyfunc, otypes, *args, **kwargs), pyfunc)


def vectorized(own: Any, pyfunc: Any) -> Callable[..., Any]:
    """What stands in for an object of np.vectorize, which calls this function."""
    free = np.vectorize(pyfunc, None, own.__doc__, own.excluded, own.cache, own.signature)

    @functools.wraps(pyfunc, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        made = free(*args, **kwargs)
        if own.otypes is None or not (isinstance(made, np.ndarray) and made.size):
            return made
        return (numeric(made, "np.vectorize") if made.dtype == object else made).astype(own.otypes[0])

    return call


_ELEMENTS = {np.nditer: _nditer, np.fromiter: _fromiter, np.vectorize: _vectorize}
