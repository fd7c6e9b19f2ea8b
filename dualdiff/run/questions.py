"""What f's code reaches by name: does it ask what kind of number it is given, does it take from an iterator?

Looked through are f and the user's functions, classes and objects that it reaches by global names, closures, defaults
and attributes. What is found is kept for each function until a name it reaches is bound anew.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
import weakref
from collections.abc import Callable, Iterator
from opcode import opmap
from typing import Any

import numpy as np

from ..core.composed import codes, operations

LIBRARIES = {"numpy", "scipy", "sympy", "dualdiff", "_pytest", *sys.stdlib_module_names} - {"__main__"}
_ASKING = ("isinstance", "issubclass", "type", "hasattr", "getattr", "AttributeError")
_ASKING_TOO = ("isscalar", "singledispatch", "__class__")  # as attributes
_GLOBAL = (opmap["LOAD_GLOBAL"], opmap["LOAD_NAME"])
_SHIFT = sys.version_info >= (3, 11)  # where the lowest bit of a global's number has another meaning
_GENERATED = ("__eq__", "__repr__", "__lt__", "__le__", "__gt__", "__ge__", "__replace__")  # those of a dataclass ask
_NO_CODE = (float, int, bool, complex, str, bytes, type(None), np.ndarray, np.float64, np.ufunc, type(len))
_MOST = 5000  # objects looked at

Found = tuple[str, list[tuple[Callable[[], Any], Callable[[], Any]]]]  # the question, and the names it hangs on
_found: dict[int, tuple[Any, Found]] = {}  # by the function's id, with a reference to it


def question(f: Any) -> Found:
    """The first question about types that is asked in the code f reaches, or "", and the names it hangs on."""
    if type(f) in _NO_CODE:
        return "", []
    known = _found.get(id(f))
    if known is not None and known[0]() is f:
        for get, ref in known[1][1]:
            if get() is not ref():
                break
        else:
            return known[1]
    bound: list[Any] = []
    found = next((asked for x in _reached(f, bound) if (asked := _asked(x))), ""), bound
    if len(_found) > 1000:  # functions that hold themselves would stay
        _found.clear()
    key = id(f)
    with contextlib.suppress(TypeError):  # built in
        _found[key] = weakref.ref(f, lambda _: _found.pop(key, None)), found
    return found


def iterator(*roots: Any) -> str:
    """The type of an iterator that f or its arguments reach, from which a second run could not take the same, or ""."""
    reached = (x for root in roots for x in _reached(root, []))
    return next((type(x).__name__ for x in reached if hasattr(type(x), "__next__") and not hasattr(x, "write")), "")


def own(x: Any) -> bool:
    """Whether a function, class or module is the user's, not a library's that keeps what it is."""
    if isinstance(x, types.FunctionType):  # whose __module__ may be that of another, which it wraps
        name = x.__globals__.get("__name__", "")
    else:
        name = x.__name__ if isinstance(x, types.ModuleType) else getattr(x, "__module__", None) or ""
    return name.partition(".")[0] not in LIBRARIES


def _asked(x: Any) -> str:
    if not isinstance(x, types.FunctionType):
        return ""
    return "singledispatch" if hasattr(x, "registry") else _names(x.__code__)[0] if own(x) else ""


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> tuple[str, set[str], set[str]]:
    """The first question in a function's code and in that of functions inside it, its global names, and all it uses."""
    every, names, ops = set[str](), set[str](), set[int]()
    for c in codes(code):
        every.update(c.co_names)
        for op, arg in operations(c):
            ops.add(op)
            if op in _GLOBAL:
                names.add(c.co_names[arg >> _SHIFT if op == _GLOBAL[0] else arg])
    asked = [*(name for name in _ASKING if name in names), *(name for name in _ASKING_TOO if name in every)]
    return (*asked, "match" if opmap["MATCH_CLASS"] in ops else "")[0], names, every


def _reached(f: Any, bound: list[Any]) -> Iterator[Any]:
    """f and what it reaches; `bound` gets how to look up a name again, and a reference to what it was bound to."""
    todo, seen = [f], dict[int, Any]()
    while todo and len(seen) < _MOST:
        x = todo.pop()
        if type(x) in _NO_CODE or id(x) in seen:
            continue
        seen[id(x)] = x
        yield x
        for get, v in _next(x):
            todo.append(v)
            if get is not None and type(v) not in (*_NO_CODE, types.ModuleType):
                with contextlib.suppress(TypeError):  # a list or the like
                    bound.append((get, weakref.ref(v)))


def _next(x: Any) -> Iterator[tuple[Callable[[], Any] | None, Any]]:
    """What an object leads to, with how to look it up again where that may change."""
    module = x.__globals__.get("__name__") if isinstance(x, types.FunctionType) else type(x).__module__
    if str(module).startswith(("dualdiff.", "numba.")):  # our rules see to theirs; machine code asks none
        return
    if isinstance(x, types.FunctionType):
        yield from _of_function(x)
    elif isinstance(x, types.MethodType | staticmethod | classmethod):
        yield from ((None, x.__func__), (None, getattr(x, "__self__", None)))
    elif isinstance(x, functools.partial):
        yield from ((None, v) for v in (x.func, *x.args, *x.keywords.values()))
    elif isinstance(x, list | tuple | dict):
        yield from ((None, v) for v in (x.values() if isinstance(x, dict) else x)) if len(x) < 100 else ()
    elif isinstance(x, property):
        yield None, x.fget
    elif isinstance(x, type):
        if own(x):
            yield from ((None, v) for name, v in vars(x).items() if name not in _GENERATED)
            yield from ((None, v) for v in x.__bases__)
    elif not isinstance(x, types.ModuleType):
        mine = getattr(x, "__dict__", None)
        mine = mine if isinstance(mine, dict) else {}  # a wrapper's `__getattr__` may answer anything
        slots = [name for kind in type(x).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(x, name)]
        if own(type(x)):
            yield None, type(x)
            yield from ((None, getattr(x, name)) for name in slots)
        yield from ((functools.partial(mine.get, name), v) for name, v in mine.items() if own(type(x)) or callable(v))


def _of_function(f: types.FunctionType) -> Iterator[tuple[Callable[[], Any] | None, Any]]:
    for cell in f.__closure__ or ():
        try:
            yield functools.partial(getattr, cell, "cell_contents", None), cell.cell_contents
        except ValueError:  # not filled yet
            continue
    if not own(f):  # a decorator, maybe, that holds the user's function
        return
    _, names, attributes = _names(f.__code__)
    own_names = getattr(f.__globals__, "names", f.__globals__)  # of a copy
    owners = [own_names, sys.modules]
    for owner in owners:
        for name in (names if owner is own_names else attributes) & owner.keys():
            v = owner[name]
            if type(v) is not types.ModuleType:
                yield functools.partial(owner.get, name), v
            elif own(v) and not any(vars(v) is o for o in owners):
                owners.append(vars(v))
    yield from ((None, v) for v in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()))
