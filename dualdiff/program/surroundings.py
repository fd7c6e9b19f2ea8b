"""What a function reaches by name, and whether it is still the same: closure cells, globals, defaults, and these of
the functions that it calls.

Compared at each call by identity; numbers and short text by value, small arrays by content, containers and the
attributes of instances element by element. Large arrays are constants by reference.
"""

from __future__ import annotations

import builtins
import functools
import opcode
import operator
import random
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import codes, operations
from ..run.questions import own

SMALL = 1000  # elements of an array whose content is compared
SPEAKS = {"print", "input", "open"}
STORES = {opcode.opmap[name] for name in ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF", "DELETE_DEREF")}
NUMBERS = (int, float, complex, str, bytes)


class Surroundings:
    """What a function reaches, as checks for a program; `reason` says why it can't be recorded."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.reason: str | None = None
        self._names = {"__call__"}  # that the code uses, of methods and attributes
        known = 0
        while known < len(self._names):  # a name may be met after what has it
            known = len(self._names)
            self.checks: list[tuple[str, tuple[Any, ...]]] = []  # an expression with places, and what stands there
            self.shared: dict[int, Any] = {}  # large arrays
            self._seen: dict[int, Any] = {}
            self._reach(f)

    def same(self) -> bool:
        try:
            return all(holds(*check) for check in self.checks)
        except Exception:
            return False

    def _found(self, place: str, owner: Any, x: Any) -> None:
        """Something that is reached at a place of its owner, which must still be it."""
        if isinstance(x, NUMBERS):
            self.checks.append((f"({place} is {{1}} or {place} == {{1}})", (owner, x)))
        else:
            self.checks.append((f"{place} is {{1}}", (owner, x)))
            self._reach(x)

    def _reach(self, x: Any) -> None:
        if id(x) in self._seen:
            return
        self._seen[id(x)] = x
        if isinstance(x, types.FunctionType):
            self._function(x)
        elif isinstance(x, types.MethodType):
            self._reach(x.__func__)
            self._reach(x.__self__)
        elif isinstance(x, functools.partial):
            for part in (x.func, *x.args, *x.keywords.values()):
                self._reach(part)
        elif isinstance(x, np.ndarray):
            self._array(x)
        elif isinstance(x, np.random.Generator | np.random.RandomState | random.Random) or of_chance(x):
            self.reason = f"random numbers or the time are asked for ({getattr(x, '__name__', x)})"
        elif isinstance(x, list | tuple | dict | set):
            if not isinstance(x, tuple):  # which stays what it is
                self._holds("{0}", x, x.copy())
            for part in (*x.keys(), *x.values()) if isinstance(x, dict) else x:
                self._reach(part)
        elif isinstance(x, type):
            self._class(x)
        elif not isinstance(x, types.ModuleType | types.BuiltinFunctionType) and own(type(x)):
            if hasattr(x, "__dict__"):
                self._holds("{0}.__dict__", x, vars(x).copy())
                for part in vars(x).values():
                    self._reach(part)
            self._class(type(x), x)

    def _holds(self, place: str, owner: Any, held: Any) -> None:
        """A container that must hold the same things: numbers of the same value, and else the very same."""
        parts = list(held.values() if isinstance(held, dict) else held)
        numbers = [isinstance(x, NUMBERS) for x in parts]
        if all(numbers) and (place != "{0}" or type(owner) in (list, dict, set)):
            self.checks.append((f"{place} == {{1}}", (owner, held)))
        else:
            values = f"{place}.values()" if isinstance(held, dict) else place
            same = f"len({place}) == {len(held)} and all(map({{1}}, {values}, {{2}}))"
            self.checks.append((same, (owner, alike if any(numbers) else operator.is_, parts)))

    def _class(self, kind: type, x: Any = None) -> None:
        """What a class has by the names that the code uses, and its instance in slots."""
        for base in filter(own, kind.__mro__):
            for name, member in list(vars(base).items()):
                if name not in self._names:
                    continue
                if isinstance(member, types.MemberDescriptorType):
                    if hasattr(x, name):
                        self._found(f"{{0}}.{name}", x, getattr(x, name))
                    continue
                self._found(f"{{0}}[{name!r}]", vars(base), member)
                self._reach(getattr(member, "__func__", getattr(member, "fget", None)))

    def _array(self, x: Any) -> None:
        if x.size <= SMALL and x.dtype != object:
            self.checks.append(("{0}.tobytes() == {1}", (x, x.tobytes())))
        else:
            self.shared[id(x)] = x

    def _function(self, f: types.FunctionType) -> None:
        library = not own(f)
        self._names.update(name for code in codes(f.__code__) for name in code.co_names)
        cells = dict(zip(f.__code__.co_freevars, f.__closure__ or ()))
        for cell in cells.values():
            try:
                x = cell.cell_contents
                if library:
                    self._reach(x)  # closures of libraries stay as they are
                else:
                    self._found("{0}.cell_contents", cell, x)
            except ValueError:  # not filled yet
                continue
        for x in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._reach(x)
        if not library and f.__defaults__:
            self._found("{0}.__defaults__", f, f.__defaults__)
        if not library and f.__kwdefaults__:
            self._holds("{0}", f.__kwdefaults__, f.__kwdefaults__.copy())
        if library:
            return
        for code in codes(f.__code__):
            self._stores(f, code)
            for name in code.co_names:
                if name in f.__globals__:
                    x = f.__globals__[name]
                    self._found(f"{{0}}[{name!r}]", f.__globals__, x)
                    if isinstance(x, types.ModuleType):
                        self._module(x, code)
                elif name in SPEAKS and hasattr(builtins, name):
                    self.reason = f"it calls {name}()"

    def _module(self, module: types.ModuleType, code: types.CodeType) -> None:
        """What a function may use of a module: whatever has one of the names in its code."""
        library = not own(module)
        for name in code.co_names:
            x = vars(module).get(name)
            if x is not None and not library:
                self._found(f"{{0}}[{name!r}]", vars(module), x)
            elif x is not None and (x is np.random or module in (np.random, random, time) or of_chance(x)):
                self.reason = f"random numbers or the time are asked for ({module.__name__}.{name})"

    def _stores(self, f: Any, code: types.CodeType) -> None:
        for op, arg in operations(code):
            if op in STORES:
                of_global = "GLOBAL" in opcode.opname[op]
                name = code.co_names[arg] if of_global else _free(code, arg)
                if of_global or (name in code.co_freevars and name in f.__code__.co_freevars):
                    self.reason = f"it changes {name!r}, which stands outside of it"


def alike(x: Any, y: Any) -> bool:
    return x is y or (isinstance(x, NUMBERS) and type(x) is type(y) and x == y)


def holds(text: str, things: tuple[Any, ...]) -> bool:
    names = {f"x{k}": x for k, x in enumerate(things)}
    return bool(eval(text.format(*names), names))


def _free(code: types.CodeType, arg: int) -> str:
    """The name of a cell by its number, which counts local variables too from Python 3.11 on."""
    cells = (*code.co_cellvars, *code.co_freevars)
    if sys.version_info >= (3, 11):
        cells = (*code.co_varnames, *[c for c in code.co_cellvars if c not in code.co_varnames], *code.co_freevars)
    return cells[arg] if arg < len(cells) else ""


def of_chance(x: Any) -> bool:
    """Whether x is a function that gives something else each time: random numbers, the time."""
    owner = getattr(x, "__self__", None)
    return callable(x) and (
        isinstance(owner, random.Random | np.random.RandomState | np.random.Generator)
        or getattr(x, "__module__", None) in ("random", "numpy.random", "time", "secrets", "uuid")
    )
