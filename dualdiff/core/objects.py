"""Arrays of objects: what NumPy makes of `np.array([u, v])` or `np.array([x[0], 2 * x[1]])`, and the way back.

NumPy asks an array for its elements one by one. They are `Element`s, which know where they came from, so that arrays of
whole arrays are put together again from these, at the price of `np.stack`.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from . import engine, tangents
from .dual import Dual, DualArray
from .making import _NUMBERS, numeric
from .table import Plan

_new = object.__new__


class Element(Dual):
    """An element of an array, looked up when it is used as a number."""

    __slots__ = ("_array", "_at", "_found")
    _array: DualArray
    _at: int
    _found: Any

    def _find(self) -> Any:
        if self._found is None:
            self._found = self._array[self._at]
        return self._found

    value = property(lambda self: self._find().value)  # type: ignore[assignment]
    tangent = property(lambda self: self._find().tangent)  # type: ignore[assignment]


def elements(x: DualArray) -> Any:
    """An array of objects with the elements of x as they are now."""
    flat = x.ravel().copy()
    out = np.empty(len(flat), object)
    for k in range(len(flat)):
        e = out[k] = _new(Element)
        e._array, e._at, e._tag, e._found = flat, k, x._tag, None
    return out.reshape(x.shape)


def lift(a: Any, what: str) -> Any:
    """An array of objects, Duals and numbers, as one DualArray."""
    items = a.ravel().tolist()
    for v in items:
        if not isinstance(v, _NUMBERS) or (isinstance(v, DualArray) and v.ndim):
            raise TypeError(f"{what} holds objects that are no numbers ({type(v).__name__}): use an array of floats")
    if not any(isinstance(v, Dual) for v in items):
        return numeric(np.array(items), what).reshape(a.shape)
    if all(type(v) is Element for v in items):
        groups = [(x, [e._at for e in es]) for x, es in _runs(items)]
        if len(groups) < len(items):
            return np.concatenate([x if at == list(range(len(x))) else x[at] for x, at in groups]).reshape(a.shape)

    def tangent(out: Any, values: Any, ts: Any) -> Any:
        return tangents.join(ts, [()] * len(ts), _pack, lambda parts: _pack(parts).T)

    return engine.finish(Plan(tuple(items), lambda *values: _pack(values), tangent)).reshape(a.shape)


def _runs(items: list[Any]) -> Any:
    """Elements that stand together and come from one array."""
    for _, run in groupby(items, lambda e: id(e._array)):
        es = list(run)
        yield es[0]._array, es


def _pack(items: Any) -> Any:
    return np.stack(items) if any(isinstance(v, Dual) for v in items) else np.array(items)
