"""Subclasses of ndarray that NumPy asks before it asks numbers with tangents, and which may take their values only.

In `q * x` the protocols of the class on the left come first: `astropy.units.Quantity` takes `x.value` there. Where
there is such a class, and f may meet arrays of it, what its protocols make of numbers with tangents is looked at.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.composed import numbers_in
from ..core.errors import NotDifferentiableError, package_of, place
from ..core.table import PLAIN
from .reach import DATA, reaches

_PROTOCOLS = ("__array_ufunc__", "__array_function__")
_scanned: tuple[list[type], bool] = [], False  # the subclasses of ndarray, and whether one has protocols of its own


def foreign() -> bool:
    """Whether there is a subclass of ndarray with protocols of its own."""
    global _scanned
    classes = np.ndarray.__subclasses__()
    if classes != _scanned[0]:
        _scanned = classes, any(map(_asked, _below(np.ndarray)))
    return _scanned[1]


def _below(kind: type) -> Iterator[type]:
    k: type
    for k in kind.__subclasses__():
        yield k
        yield from _below(k)


def _asked(kind: type) -> bool:
    ours = kind.__module__.startswith("dualdiff.")
    return not ours and any(getattr(kind, name) is not getattr(np.ndarray, name) for name in _PROTOCOLS)


def _may_meet(x: Any, seen: set[Any]) -> bool:
    """Whether x is, or may lead to, an array of such a class; `seen` are the ids of what was looked at."""
    if isinstance(x, list | tuple | set | dict):
        if id(x) in seen:
            return False
        seen.add(id(x))
        return any(_may_meet(v, seen) for v in (x.values() if isinstance(x, dict) else x))
    if isinstance(x, types.FunctionType):
        return reaches(x, lambda code: False, lambda v: _may_meet(v, seen), seen)
    return _asked(type(x)) if isinstance(x, np.ndarray) else not isinstance(x, DATA)


def looked_at(f: Callable[..., Any], copy: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """The result of f, or of a copy of it, where there are such classes.

    Raises
    ------
    NotDifferentiableError
        If a protocol of one was given numbers with tangents, and made floats of them.
    """
    before = sys.getprofile()
    if not _may_meet([f, *args, *kwargs.values()], set()) or not isinstance(before, types.FunctionType | None):
        return copy(*args, **kwargs)
    entered, errors = [], []

    def look(frame: types.FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if code.co_name not in _PROTOCOLS or package_of(frame) in ("numpy", "dualdiff"):
            return
        if event == "call" and _moves(list(frame.f_locals.values())):
            if frame.f_locals[code.co_varnames[1]] not in PLAIN:  # the function that is called
                entered.append(frame)
        elif event == "return" and entered and entered[-1] is frame:
            entered.pop()
            if arg is not None and arg is not NotImplemented and not _moves(arg):
                errors.append(_lost(frame))

    sys.setprofile(look)
    try:
        result = copy(*args, **kwargs)
    finally:
        sys.setprofile(before)
    if errors:
        raise errors[0]
    return result


def _lost(frame: types.FrameType) -> NotDifferentiableError:
    kind, at = type(_owner(frame)), frame.f_back
    while at is not None and (package_of(at) in ("numpy", "dualdiff") or isinstance(_owner(at), kind)):
        at = at.f_back
    where = f" (at {place(at.f_code.co_filename, at.f_lineno)})" if at else ""
    return NotDifferentiableError(
        f"{kind.__name__}.{frame.f_code.co_name}{where} takes a number with a tangent for its value, so that the "
        "derivative would be lost: use np.asarray(...) of the array there"
    )


def _owner(frame: types.FrameType) -> Any:
    """The first argument of a call: in a method, what it belongs to."""
    return frame.f_locals.get(next(iter(frame.f_code.co_varnames), ""))


def _moves(x: Any) -> bool:
    return next(numbers_in(list(x.values()) if isinstance(x, dict) else x), None) is not None
