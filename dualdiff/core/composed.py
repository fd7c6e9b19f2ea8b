"""Functions that NumPy itself writes in Python: their own bodies are their rules.

`np.f.__wrapped__` is the body of `np.f`. It runs as it stands on numbers with tangents but for what asks nobody about
them: `np.asarray`, which would make arrays of objects, and `np.empty`, whose arrays hold floats only. So a copy of the
body is run that finds others under these names, and copies of NumPy's own helpers, which may use them too.

`Copies` is the machine for that. The copies of the user's functions (run/follow.py) are made by it as well.
"""

from __future__ import annotations

import builtins
import functools
import sys
import threading
import types
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from opcode import EXTENDED_ARG, opmap
from typing import Any

import numpy as np

from .engine import CONVERT, converted
from .making import as_array, make_array, zero_tangent
from .number import Link, Number
from .values import PYTHON, is_array, plain

ALLOCATE = (np.zeros, np.empty, np.ones, np.full, np.eye, np.identity)
ALLOCATE_LIKE = (np.zeros_like, np.empty_like, np.ones_like, np.full_like)

# ---------------------------------------------------------------- copies of functions

_WRITES = {opmap["STORE_GLOBAL"], opmap["DELETE_GLOBAL"]}
_NAMES = {"__globals__", "f_globals"}
_REACHED = (types.FunctionType, types.MethodType, types.ModuleType, functools.partial)


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of the functions that it makes."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def operations(code: types.CodeType) -> Iterator[tuple[int, int]]:
    """Operations of a code object with their arguments."""
    more = 0
    for op, arg in zip(code.co_code[::2], code.co_code[1::2]):
        arg |= more
        more = arg << 8 if op == EXTENDED_ARG else 0
        yield op, arg


@functools.cache
def writes_globals(code: types.CodeType) -> bool:
    """Whether a function, or one made in it, has `global` names, which a copy would write elsewhere, or holds them."""
    return any(not _NAMES.isdisjoint(c.co_names) or _WRITES & {*c.co_code[::2]} for c in codes(code))


class Copies:
    """What a function reaches by name, with some objects replaced; each thing that exists is copied once.

    Copied are Python functions and modules whose name `followed` accepts; nothing that exists is changed.
    """

    def __init__(self, replaced: dict[Any, Any], followed: Callable[[str], bool]) -> None:
        self.replaced = {id(old): new for old, new in replaced.items()}
        self.followed = followed
        self.copied: dict[int, tuple[Any, Any]] = {}

    def __call__(self, x: Any) -> Any:
        """What stands in for x: x itself where there is nothing to replace."""
        if id(x) in self.replaced:
            return self.replaced[id(x)]
        if id(x) in self.copied:
            return self.copied[id(x)][1]
        if isinstance(x, types.FunctionType):
            return x if not self.followed(x.__module__ or "") or writes_globals(x.__code__) else self.function(x)
        if isinstance(x, types.MethodType):
            return types.MethodType(self(x.__func__), x.__self__)
        if isinstance(x, functools.partial):
            return functools.partial(self(x.func), *x.args, **x.keywords)
        if isinstance(x, types.ModuleType) and (x.__name__.partition(".")[0] == "numpy" or self.followed(x.__name__)):
            return self.remember(x, self.module(x))
        return x

    @functools.cached_property
    def builtins(self) -> dict[str, Any]:
        """Python's own names, with an import that gives copies of modules; who asks for names gets the true ones."""
        imported = lambda *args, **kwargs: self(builtins.__import__(*args, **kwargs))
        looking = {"globals": lambda: _true(sys._getframe(1)), "eval": _within(eval), "exec": _within(exec)}
        return {**vars(builtins), "__import__": imported, **looking}

    def remember(self, x: Any, copy: Any) -> Any:
        self.copied[id(x)] = x, copy  # x is kept, so that its id stays its own
        return copy

    def function(self, f: types.FunctionType) -> types.FunctionType:
        old = f.__closure__ or ()
        cells = tuple(types.CellType() if self.stands_in(c) else c for c in old)
        defaults = f.__defaults__ and tuple(map(self, f.__defaults__))
        copy = types.FunctionType(f.__code__, self.globals(f), f.__name__, defaults, cells)
        copy.__kwdefaults__ = f.__kwdefaults__ and {k: self(v) for k, v in f.__kwdefaults__.items()}
        copy.__dict__.update(f.__dict__)
        self.remember(f, copy)  # before the cells are filled, through which f may reach itself
        self.remember(copy, copy)
        for new, c in zip(cells, old):
            if new is not c:
                new.cell_contents = self(c.cell_contents)
        return copy

    def stands_in(self, cell: types.CellType) -> bool:
        """Whether what a closure holds may be replaced; any other cell stays shared, as nonlocal variables are."""
        try:
            return id(cell.cell_contents) in self.replaced or isinstance(cell.cell_contents, _REACHED)
        except ValueError:  # not filled yet
            return False

    def globals(self, f: types.FunctionType) -> dict[str, Any]:
        return _Globals(f.__globals__, self)

    def module(self, module: types.ModuleType) -> types.ModuleType:
        return _Module(module, self)


def _true(frame: types.FrameType) -> dict[str, Any]:
    """A frame's globals as they are, where a copy runs in it."""
    return getattr(frame.f_globals, "names", frame.f_globals)


def _within(g: Callable[..., Any]) -> Callable[..., Any]:
    """eval or exec, in the names around the call if it is given none."""

    def run(source: Any, names: Any = None, *more: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)
        return g(source, *((_true(frame), frame.f_locals) if names is None else (names,)), *more, **kwargs)

    return run


_OF_MODULES = ("__name__", "__package__", "__spec__", "__file__")


class _Globals(dict[str, Any]):
    """A function's globals, seen through copies; looked up each time, as globals are."""

    def __init__(self, names: dict[str, Any], copies: Copies) -> None:
        super().__init__()
        self.names, self.copies = names, copies
        super().update((k, names[k]) for k in _OF_MODULES if k in names)  # which imports and warnings look at
        super().__setitem__("__builtins__", copies.builtins)

    def __getitem__(self, name: str) -> Any:
        return self.copies(self.names[name])


class _Module(types.ModuleType):
    """A module, seen through copies."""

    def __init__(self, module: types.ModuleType, copies: Copies) -> None:
        super().__init__(module.__name__)
        self._seen, self._copies = module, copies

    __dict__ = property(lambda self: vars(self._seen))

    def __getattr__(self, name: str) -> Any:
        return self._copies(getattr(self._seen, name))


# ---------------------------------------------------------------- arrays that can hold tangents


def numbers_in(x: Any) -> Iterator[Number]:
    """The numbers with tangents among arguments, or in lists of them, and in the values of these."""
    while isinstance(x, Number):
        yield x
        x = x.value
    if type(x) in (list, tuple):
        for v in x:
            yield from numbers_in(v)


def allocator(g: Callable[..., Any], room: Callable[[Any], Any]) -> Callable[..., Any]:
    """np.zeros and its kin, whose arrays `room` makes such that they can hold tangents."""

    @functools.wraps(g)
    def allocate(*args: Any, **kwargs: Any) -> Any:
        made = g(*args, **kwargs)
        return room(made) if type(made) is np.ndarray else made

    return allocate


def converter(g: Callable[..., Any], room: Callable[[Any], Any], number: Callable[[Any], Any]) -> Callable[..., Any]:
    """np.array and its kin, which take numbers with tangents, and lists of them; `number` says what one becomes."""

    @functools.wraps(g)
    def convert(a: Any, *args: Any, **kwargs: Any) -> Any:
        made = converted(g, a, *args, **kwargs)
        if isinstance(made, Number):
            return number(made)
        return room(made) if type(made) is np.ndarray else made

    return convert


# ---------------------------------------------------------------- NumPy's own bodies


_arguments: ContextVar[Any] = ContextVar("_arguments", default=())  # of the body that runs
_making = threading.RLock()


def composed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The rule of a function that NumPy writes in Python: its body, copied when it is first needed."""
    body: Any = None

    def rule(*args: Any, **kwargs: Any) -> Any:
        nonlocal body
        if body is None:
            with _making:
                body = _bodies(function.__wrapped__)  # type: ignore[attr-defined]
        token = _arguments.set((args, kwargs))
        try:
            return body(*args, **kwargs)
        finally:
            _arguments.reset(token)

    return rule


def _room(made: Any) -> Any:
    """An array that a body has made, as one that can hold the tangents of what the body was called with."""
    if made.dtype.kind not in "fc":
        return made
    args, kwargs = _arguments.get()
    levels = {x._tag: x for x in numbers_in([*args, *kwargs.values()])}
    innermost = plain(next(iter(levels.values()), None))
    if is_array(innermost) and not isinstance(innermost, np.ndarray):
        made = np.array(made, like=innermost)
    for tag in sorted(levels):
        made = make_array(made, zero_tangent(levels[tag], made), tag)
        made._link = Link()
        made._link.owned = True
    return made


class _Arguments:
    """Stands for NumPy's class that makes arrays of a body's arguments, and of its result what they were."""

    def __init__(self, *args: Any) -> None:
        weak = [type(plain(a)) in PYTHON for a in args]  # numbers that do not widen the arrays beside them
        self.arrays = tuple(a if k and not all(weak) else _bodies(np.asanyarray)(a) for a, k in zip(args, weak))
        self.scalar = not any(map(np.ndim, self.arrays))

    def __getitem__(self, k: int) -> Any:
        return self.arrays[k]

    def as_arrays(self, **_: Any) -> Any:
        return self.arrays

    def result_type(self, **_: Any) -> Any:
        return np.result_type(*self.arrays)

    def wrap(self, made: Any, to_scalar: Any = None) -> Any:
        return made[()] if to_scalar or (to_scalar is None and self.scalar) else made


class _Bodies(Copies):
    """Copies of NumPy's own functions, whose names never change: each is looked up once."""

    def __call__(self, x: Any) -> Any:
        return _Arguments if isinstance(x, type) and hasattr(x, "as_arrays") else super().__call__(x)

    def function(self, f: types.FunctionType) -> types.FunctionType:
        copy = super().function(f)
        reached = {name for code in codes(f.__code__) for name in code.co_names}
        copy.__globals__.update({name: self(f.__globals__[name]) for name in reached & f.__globals__.keys()})
        return copy

    def globals(self, f: types.FunctionType) -> dict[str, Any]:
        return {"__name__": "numpy", "__builtins__": builtins}

    def module(self, module: types.ModuleType) -> types.ModuleType:
        return _FixedModule(module, self)


def _with_axes(x: Any) -> Any:
    return as_array(x) if isinstance(x, Number) else x


class _FixedModule(_Module):
    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        setattr(self, name, found)
        return found


class _AnyArray(type):
    """Stands for np.ndarray in `isinstance`, for arrays of any kind."""

    def __instancecheck__(cls, x: Any) -> bool:
        return is_array(x) and not isinstance(x, Number)


_bodies = _Bodies(
    {np.ndarray: _AnyArray("ndarray", (), {})}
    | {g: allocator(g, _room) for g in ALLOCATE + ALLOCATE_LIKE}
    | {g: converter(g, lambda made: made, _with_axes) for g in CONVERT}
    | {np.concatenate.__wrapped__: np.concatenate},  # type: ignore[attr-defined]  # which np.block calls directly
    lambda module: module.partition(".")[0] == "numpy",
)
