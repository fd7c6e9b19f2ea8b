"""`y = np.zeros(n); y[i] = ...` in unmodified code: a copy of the user's function whose new arrays can hold tangents.

NumPy lets nobody else in when a number is stored into a plain float array, nor when np.array([x[0], 2.0]) makes an
array of objects, of which it can take neither sine nor mean; a few functions of SciPy do that to their arguments. When
a sweep ends in the error that comes of it, it is run once more with a copy of f that finds, under the global names,
closure cells and defaults through which it reaches NumPy, functions that make arrays with tangents. The same is done,
on the way, for the Python functions and modules that f reaches by its names, or by lists and dicts, and for objects of
the user's: they get a subclass with copies of the methods, and share what they hold. Nothing that exists is changed:
neither NumPy, nor f, nor any module, class or list, so that other threads see nothing of it. What is not reached so (a
list of lists) keeps the error.
"""

from __future__ import annotations

import builtins
import functools
import operator
import sys
import types
import weakref
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import ALLOCATE, ALLOCATE_LIKE, Copies, allocator, converter
from ..core.engine import CONVERT
from ..core.making import buffer, numeric
from ..core.number import Number
from ..core.values import plain
from ..rules import special
from ..rules.scipy_table import instance, of_numbers, stand_ins
from .spellings import spellings, vectorized
from .standard import MODULES, Float, standard

_FUNCTION = type(np.sum)  # of what asks __array_function__
_OURS = ("logsumexp", "softmax", "log_softmax", "polygamma")
FOLLOWED: weakref.WeakSet[Any] = weakref.WeakSet()  # the code of functions that were right with names followed
_MOST = 100  # of what a list may hold to be looked through
_WRITES = "append extend insert remove pop popitem clear sort reverse update setdefault "
_WRITES += "__setitem__ __delitem__ __iadd__ __imul__ __ior__"
_NOT_COPIED = {"numpy", "dualdiff", *sys.stdlib_module_names} - {"__main__", *MODULES}


def _written_to(*_: Any, **__: Any) -> Any:
    raise TypeError("a list or dict of functions is written to, which its copy can't take")


FIXED: dict[type, type] = {
    kind: type(kind.__name__, (kind,), dict.fromkeys({*_WRITES.split()} & {*dir(kind)}, _written_to))
    for kind in (list, tuple, dict)
}


def code_of(f: Any) -> Any:
    """The code that a call of f runs first, None where that is not Python's."""
    while not isinstance(f, types.FunctionType):
        inner = getattr(f, "func", None) if isinstance(f, functools.partial) else getattr(f, "__func__", None)
        f = inner or getattr(type(f).__call__, "__wrapped__", type(f).__call__)
        if not isinstance(f, types.FunctionType | types.MethodType | functools.partial):
            return None
    return f.__code__


def follow(f: Callable[..., Any], like: Number, buffers: bool = True, answers: bool = False) -> Callable[..., Any]:
    """A copy of f whose new float arrays hold tangents as `like` does; f itself where it is no Python function.

    With `answers`, its questions what a number with a tangent is are answered as for the plain one.
    """
    replaced = _with_room(like) if buffers else {}
    return (_Answering if answers else _Followed)(replaced, _copied)(f)  # type: ignore[no-any-return]


def _with_room(like: Number) -> dict[Any, Any]:
    """What stands in for NumPy's and SciPy's functions that make arrays."""

    def room(made: Any) -> Any:
        return buffer(like, made)

    replaced: dict[Any, Any] = {g: allocator(g, room) for g in (*ALLOCATE, *ALLOCATE_LIKE, np.copy)}
    converters: list[Any] = [*CONVERT, np.require]
    replaced |= {g: converter(g, room, lambda x: x) for g in converters}
    scipy = sys.modules.get("scipy.special")  # whose Python functions turn numbers with tangents into objects
    replaced |= {getattr(scipy, name): getattr(special, name) for name in _OURS if scipy}
    return replaced | spellings(room) | standard() | stand_ins()


class _Followed(Copies):
    """Copies that find what stands in for instances of SciPy's classes, and for `float`, too."""

    def __init__(self, replaced: dict[Any, Any], followed: Callable[[str], bool]) -> None:
        super().__init__(replaced, followed)
        self.builtins |= {"float": Float} if replaced else {}

    def __call__(self, x: Any) -> Any:
        if isinstance(x, types.MethodType):
            return types.MethodType(self(x.__func__), self(x.__self__))
        found = super().__call__(x)
        if isinstance(x, np.vectorize):
            return vectorized(x, self(x.pyfunc))
        if found is x and (isinstance(x, np.ufunc) or type(x) is _FUNCTION):
            return self.remember(x, _OfLists(x))
        if found is x and isinstance(x, type):
            return self.kind(x)
        if found is x and self.kind(type(x)) is not type(x):
            return self.object(x)
        if type(x) in (list, tuple, dict) and len(x) < _MOST:
            return self.container(x)
        return instance(x) if found is x else found

    def stands_in(self, cell: Any) -> bool:
        try:
            x = cell.cell_contents
        except ValueError:  # not filled yet
            return False
        kind = x if isinstance(x, type) else type(x)
        if kind in (list, tuple, dict):
            return self(x) is not x
        return super().stands_in(cell) or kind.__module__.startswith(("scipy.", "numpy.lib")) or self.is_plain(kind)

    def object(self, x: Any) -> Any:
        """An object of the user's with all that it has, and with copies of its methods."""
        made: Any = object.__new__(self.kind(type(x)))
        made.__dict__ = x.__dict__
        return self.remember(x, made)

    def container(self, x: Any) -> Any:
        """Functions and objects in a list or dict, in a copy that can't be written to: that would be lost."""
        held = list(x.values() if isinstance(x, dict) else x)
        copies = [self(v) if callable(v) or self.kind(type(v)) is not type(v) else v for v in held]
        if all(map(operator.is_, copies, held)):
            return x
        return self.remember(x, FIXED[type(x)](zip(x, copies) if isinstance(x, dict) else copies))

    def is_plain(self, k: type) -> bool:
        """Whether a class may be copied: a user's, of objects that are nothing but what is in their `__dict__`."""
        return (
            type(k) in (type, ABCMeta)
            and self.followed(k.__module__)
            and not k.__module__.startswith("scipy.")
            and getattr(k, "__new__") is object.__new__  # noqa: B009 - mypy
            and k.__dictoffset__ != 0
            and not issubclass(k, BaseException)
            and not any(hasattr(k, name) for name in ("__array__", "__array_ufunc__", "__array_function__"))
            and ["__init_subclass__" in vars(b) for b in k.__mro__].count(True) == 1  # that of object
        )

    def kind(self, k: type) -> type:
        """A subclass of a class whose methods are copies, and of copies of its bases, which super() finds."""
        if id(k) in self.copied:
            return self.copied[id(k)][1]  # type: ignore[no-any-return]
        if not self.is_plain(k):
            return self.remember(k, k)  # type: ignore[no-any-return]
        bases = dict.fromkeys([*[self.kind(b) for b in k.__bases__ if b is not object], k])
        meta: Any = _Seen if type(k) is type else _SeenABC
        names = {"__seen__": k, "__getattribute__": self.getter(k)}
        made = self.remember(k, meta(k.__name__, tuple(b for b in bases if b is k or b not in k.__mro__), names))
        self.remember(made, made)
        for name, v in vars(k).items():
            copy = self.attribute(v)
            if copy is not v:
                setattr(made, name, copy)
                if hasattr(copy, "__set_name__"):
                    copy.__set_name__(made, name)
        if type(k) is not type:
            made.__abstractmethods__ = k.__abstractmethods__  # type: ignore[attr-defined]
        return made  # type: ignore[no-any-return]

    def getter(self, k: type) -> Callable[[Any, str], Any]:
        """How attributes of its objects are looked up, which may be functions and objects of the user's as well."""
        get: Any = k.__getattribute__

        def getattribute(x: Any, name: str) -> Any:
            v = get(x, name)
            held = callable(v) or type(v) in (list, tuple, dict) or self.kind(type(v)) is not type(v)
            return self(v) if held and not isinstance(v, types.MethodType) else v

        return getattribute

    def attribute(self, v: Any) -> Any:
        """What stands in a class: a function, or a descriptor of one."""
        if isinstance(v, staticmethod | classmethod):
            return type(v)(self(v.__func__))
        if isinstance(v, property):
            return property(*[f and self(f) for f in (v.fget, v.fset, v.fdel)])
        if isinstance(v, functools.cached_property):
            return functools.cached_property(self(v.func))
        return self(v) if isinstance(v, types.FunctionType) else v


class _Seen(type):
    """Of copies of classes: who asks for their instances means those of the class itself."""

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, cls.__dict__["__seen__"])

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, cls.__dict__["__seen__"])


class _SeenABC(_Seen, ABCMeta):
    pass


class _Answering(_Followed):
    """Copies that find questions about types which answer for a number with a tangent as for the plain one."""

    def __init__(self, replaced: dict[Any, Any], followed: Callable[[str], bool]) -> None:
        super().__init__(replaced | _ANSWERS, followed)
        self.builtins |= {g.__name__: answer for g, answer in _ANSWERS.items() if hasattr(builtins, g.__name__)}

    def __call__(self, x: Any) -> Any:
        choose = getattr(x, "dispatch", None) if isinstance(x, types.FunctionType) else None
        if choose:  # of functools.singledispatch
            return lambda a, *args, **kwargs: self(choose(type(plain(a))))(a, *args, **kwargs)
        return super().__call__(x)


def _of_plain(g: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *args: g(plain(x) if isinstance(x, Number) else x, *args)


class _Type(type):
    """Stands for `type`."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return type(*args, **kwargs) if len(args) > 1 else _of_plain(type)(*args)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, type)


_ANSWERS: dict[Any, Any] = {g: _of_plain(g) for g in (isinstance, hasattr, np.isscalar)}
_ANSWERS |= {
    type: _Type("type", (type,), {}),
    getattr: lambda x, name, *default: getattr(x if hasattr(plain(x), name) else plain(x), name, *default),
}
ANSWERED = ("isinstance", "issubclass", "type", "hasattr", "getattr", "isscalar", "singledispatch")


class _OfLists:
    """A function of NumPy's that takes lists of numbers with tangents as arrays."""

    def __init__(self, g: Any) -> None:
        self.g = g

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.g(*map(_array, args), **{k: _array(v) for k, v in kwargs.items()} if kwargs else kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.g, name)

    def __eq__(self, other: Any) -> bool:
        return other is self.g or getattr(other, "g", None) is self.g

    def __hash__(self) -> int:
        return hash(self.g)


def _array(x: Any) -> Any:
    return numeric(x, "an argument") if type(x) in (list, tuple) and of_numbers(x) else x


def _copied(module: str) -> bool:
    return module.partition(".")[0] not in _NOT_COPIED
