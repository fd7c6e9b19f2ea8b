"""`y = np.zeros(n); y[i] = ...` in unmodified code: a copy of the user's function whose new arrays can hold tangents.

NumPy lets nobody else in when a number is stored into a plain float array, nor when np.array([x[0], 2.0]) makes an
array of objects, of which it can take neither sine nor mean; a few functions of SciPy do that to their arguments. When
a sweep ends in the error that comes of it, it is run once more with a copy of f that finds, under the global names,
closure cells and defaults through which it reaches NumPy, allocating functions that make a `DualArray`. The same is
done, on the way, for the Python functions and modules that f reaches by its names. Nothing that exists is changed:
neither NumPy, nor f, nor any module, so that other threads see nothing of it. What is not reached by a name (methods of
the user's classes, imports inside a function) keeps the error.
"""

from __future__ import annotations

import builtins
import functools
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.dual import Dual
from ..core.engine import CONVERT, converted
from ..core.errors import TangentLossError
from ..core.making import buffer, numeric
from ..rules import special

_ALLOCATE = (np.zeros, np.empty, np.ones, np.full, np.eye, np.identity, np.copy)
_ALLOCATE_LIKE = (np.zeros_like, np.empty_like, np.ones_like, np.full_like)
_OF_LISTS = (np.mean, np.std, np.var, np.median, np.average)  # which make float() of the elements of a list
_OURS = ("logsumexp", "softmax", "log_softmax", "polygamma")
_FOREIGN = {"numpy", "dualdiff", *sys.stdlib_module_names} - {"__main__"}
_WRITES = {"STORE_GLOBAL", "DELETE_GLOBAL"}  # what would go to the copy's globals instead of the module's


def follow(f: Callable[..., Any], like: Dual) -> Callable[..., Any]:
    """A copy of f whose new float arrays hold tangents as `like` does; f itself where it is no Python function."""
    return _Follower(like)(f)  # type: ignore[no-any-return]


def lost_in_array(error: Exception) -> bool:
    """Whether f failed since an array it made, of floats or of objects, could not hold Duals."""
    of_objects = (
        *("loop of ufunc does not support argument", "not supported for the input types"),  # NumPy
        "object arrays are not supported",  # SciPy
        "read-only",  # what NumPy made of a number with a tangent, and f would write to
    )
    return isinstance(error, TangentLossError) or any(text in str(error) for text in of_objects)


class _Follower:
    """Replaces what a function reaches by name, once for each object."""

    def __init__(self, like: Dual) -> None:
        self.memo: dict[int, tuple[Any, Any]] = {}
        self.replaced = {id(g): functools.wraps(g)(self.allocator(g)) for g in _ALLOCATE + _ALLOCATE_LIKE}
        converters: list[Any] = [*CONVERT, np.require]
        self.replaced |= {id(g): functools.wraps(g)(self.converter(g)) for g in converters}
        self.replaced |= {id(g): functools.wraps(g)(self.of_lists(g)) for g in _OF_LISTS}
        scipy = sys.modules.get("scipy.special")  # whose Python functions turn Duals into arrays of objects
        self.replaced |= {id(getattr(scipy, name)): getattr(special, name) for name in _OURS if scipy}
        self.like = like

    def allocator(self, g: Callable[..., Any]) -> Callable[..., Any]:
        def allocate(*args: Any, **kwargs: Any) -> Any:
            made = g(*args, **kwargs)
            return buffer(self.like, made) if type(made) is np.ndarray else made

        return allocate

    def converter(self, g: Callable[..., Any]) -> Callable[..., Any]:
        def convert(a: Any, *args: Any, **kwargs: Any) -> Any:
            made = converted(g, a, *args, **kwargs)
            return buffer(self.like, made) if type(made) is np.ndarray else made

        return convert

    def of_lists(self, g: Callable[..., Any]) -> Callable[..., Any]:
        def reduce(a: Any, *args: Any, **kwargs: Any) -> Any:
            return g(numeric(a, f"np.{g.__name__}") if isinstance(a, list | tuple) else a, *args, **kwargs)

        return reduce

    def __call__(self, x: Any) -> Any:
        """What stands in for x: x itself where there is nothing to replace."""
        if id(x) in self.replaced:
            return self.replaced[id(x)]
        if id(x) in self.memo:
            return self.memo[id(x)][1]
        if isinstance(x, types.FunctionType):
            return self.function(x) if _followed(x.__module__) else x
        if isinstance(x, types.MethodType):
            return types.MethodType(self(x.__func__), x.__self__)
        if isinstance(x, functools.partial):
            return functools.partial(self(x.func), *x.args, **x.keywords)
        if isinstance(x, types.ModuleType) and (x is np or _followed(x.__name__)):
            return self.remember(x, _Module(x, self))
        return x

    def remember(self, x: Any, copy: Any) -> Any:
        self.memo[id(x)] = x, copy  # x is kept, so that its id stays its own
        return copy

    def function(self, f: types.FunctionType) -> Any:
        import dis  # a tenth of our import time, and seldom needed

        if any(i.opname in _WRITES for i in dis.get_instructions(f.__code__)):
            return f
        old = f.__closure__ or ()
        cells = tuple(types.CellType() if self.stands_in(c) else c for c in old)
        defaults = f.__defaults__ and tuple(map(self, f.__defaults__))
        copy = types.FunctionType(f.__code__, _Globals(f.__globals__, self), f.__name__, defaults, cells)
        copy.__kwdefaults__ = f.__kwdefaults__ and {k: self(v) for k, v in f.__kwdefaults__.items()}
        copy.__dict__.update(f.__dict__)
        self.remember(f, copy)  # before the cells are filled, through which f may reach itself
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


_REACHED = (types.FunctionType, types.MethodType, types.ModuleType, functools.partial)


def _followed(module: str | None) -> bool:
    return (module or "").partition(".")[0] not in _FOREIGN


class _Globals(dict[str, Any]):
    """A function's globals, seen through the follower; looked up each time, as globals are."""

    def __init__(self, names: dict[str, Any], follower: _Follower) -> None:
        super().__init__()
        self.names, self.follower = names, follower
        super().__setitem__("__builtins__", names.get("__builtins__", builtins))

    def __getitem__(self, name: str) -> Any:
        return self.follower(self.names[name])


class _Module(types.ModuleType):
    """A module, seen through the follower."""

    def __init__(self, module: types.ModuleType, follower: _Follower) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(_seen=module, _follower=follower)

    def __getattr__(self, name: str) -> Any:
        return self._follower(getattr(self._seen, name))
