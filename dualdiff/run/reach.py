"""What the code of a function reaches by its names: global ones, and those in closures."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import codes
from ..core.number import Number

_EMPTY = types.CellType()
_NUMERIC = (float, int, complex, np.generic, np.ndarray, np.ufunc, Number)
DATA = (*_NUMERIC, str, bytes, list, tuple, dict, set, type(None), types.BuiltinFunctionType)
_OWN = {"numpy", "dualdiff", *sys.stdlib_module_names} - {"__main__"}


def reaches(x: Any, code: Callable[[Any], bool], value: Callable[[Any], bool], seen: set[Any] | None = None) -> bool:
    """Whether x reaches such code or such a value: data, or what can't be looked into (modules, classes, objects)."""
    seen = set() if seen is None else seen
    if isinstance(x, types.ModuleType | type):
        module = x.__name__ if isinstance(x, types.ModuleType) else x.__module__
        return module.partition(".")[0] not in _OWN and value(x)
    if not isinstance(x, types.FunctionType):
        return value(x)
    if id(x) in seen or (module := (x.__module__ or "").partition(".")[0]) == "numpy":
        return False
    seen.add(id(x))
    own = [] if module == "dualdiff" else list(codes(x.__code__))  # what a transform of ours has in its closure is f
    if any(map(code, own)):
        return True
    names = {name for c in own for name in c.co_names} & x.__globals__.keys()
    cells = [c.cell_contents for c in x.__closure__ or () if c != _EMPTY]
    return any(reaches(v, code, value, seen) for v in (*cells, *(x.__globals__[n] for n in names)))
