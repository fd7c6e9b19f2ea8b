"""A rule of the user's, applied: functions that take numbers with tangents, since their derivative is told."""

from __future__ import annotations

import copy
import functools
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.engine import finish
from ..core.errors import NotDifferentiableError, user_line
from ..core.making import numeric
from ..core.number import Number
from ..core.table import Plan
from ..core.values import dtype_of, is_array, is_complex, optimistic, plain, shape_of
from ..rules.products import is_sparse
from ..run.call import Function, number, own_copy


class Custom:
    """A Python function with a rule: on plain numbers the function itself, and no function that could be copied."""

    def __init__(self, function: Function, rule: Function) -> None:
        functools.update_wrapper(self, function)
        self._function, self._rule = function, rule

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if has_tangent(args) or (kwargs and has_tangent(kwargs)):
            return self._rule(*args, **kwargs)
        return whole(self._function, args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        return str(self.__qualname__)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<{self._function!r} with its own derivative>"


class Outside:
    """A function that can't be looked into, as programs call it: what it does with copies, as copies."""

    varies = True  # the shape of its result may depend on anything

    def __init__(self, function: Function) -> None:
        self.function, self.__name__ = function, str(getattr(function, "__name__", "f"))

    def __repr__(self) -> str:
        return self.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _kept(self.function(*map(number, _kept(args)), **_kept(kwargs)))


def whole(function: Function, args: Any, kwargs: Any) -> Any:
    """function(*args, **kwargs) on plain values; where these are recorded for a program, one call in that."""
    recorded = _recorded((args, kwargs))
    if recorded is None:
        return function(*args, **kwargs)
    return recorded.log.call(Outside(function), args, kwargs)


def _recorded(x: Any) -> Any:
    """The first number in x that is recorded for a program, or None."""
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, list | tuple) else ()
    return x if optimistic(x) else next((r for r in map(_recorded, parts) if r is not None), None)


def name_of(who: str, function: Any) -> str:
    if not callable(function):
        raise TypeError(f"{who}: a function is needed, got {type(function).__name__}")
    return str(getattr(function, "__name__", function))


def has_tangent(x: Any) -> bool:
    """Whether x is, or holds, a number with a tangent."""
    if isinstance(x, Number):
        return True
    if isinstance(x, list | tuple):
        return any(map(has_tangent, x))
    if isinstance(x, dict):
        return any(map(has_tangent, x.values()))
    if isinstance(x, np.ndarray):
        return x.dtype == object and any(map(has_tangent, x.ravel().tolist()))
    fields = [getattr(x, name, None) for name in getattr(type(x), "__dataclass_fields__", ())]
    return any(has_tangent(v) for v in fields if not hasattr(type(v), "__dataclass_fields__"))  # they may go in circles


def numbers_of(x: Any, what: str, tag: Any) -> Any:
    """What a user's function returned, as numbers; they may have tangents of calls outside the one of this tag."""
    x = numeric(x, what)
    if isinstance(x, Number) and x._tag >= tag:
        raise NotDifferentiableError(
            f"{what}{user_line()} has a tangent of its own, from a number that is no argument: pass it as an argument"
        )
    return x


def _kept(x: Any) -> Any:
    """A copy, down to arrays in lists, tuples and dicts; other objects are taken to be constant."""
    if is_array(x) or is_sparse(x):
        return x.copy()
    if isinstance(x, tuple):
        parts = map(_kept, x)
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    if isinstance(x, list | dict):
        x = copy.copy(x)
        for k in list(x) if isinstance(x, dict) else range(len(x)):
            x[k] = _kept(x[k])
    return x


@dataclass
class Point:
    """One application of a rule: all arguments, copied for the user's functions, which of them vary, and the result."""

    rule: Rule
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    which: list[int]
    y: Any
    tag: Any

    @property
    def varied(self) -> list[Any]:
        return [self.args[k] for k in self.which]

    @property
    def results(self) -> list[Any]:
        return list(self.y) if isinstance(self.y, tuple) else [self.y]

    def checked(self, t: Any, like: Any, what: str) -> Any:
        """A tangent or cotangent that a user's function returned for `like`: of its shape, and real if that is."""
        if t is None:
            return np.zeros(shape_of(like), dtype_of(plain(like)))
        t = numbers_of(t, what, self.tag)
        if shape_of(t) != shape_of(like):
            raise ValueError(f"{what} has shape {shape_of(t)}, but {shape_of(like)} is due")
        if is_complex(t) and not is_complex(like):
            raise TypeError(f"{what} is complex, but real is due")
        return t


class Rule:
    """Applies a rule of a user's: `tangent(point, tangents)` says what the tangent of the result is."""

    tangent: Callable[[Point, Sequence[Any]], Any]

    def __init__(self, name: str, function: Function, constants: frozenset[int] = frozenset()) -> None:
        self.name, self.function, self.constants = name, function, constants
        self.primitive: Any = function  # what takes numbers with tangents

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for k, x in [*enumerate(args), *kwargs.items()]:
            if (k in self.constants or isinstance(k, str)) and has_tangent(x):
                what = f"keyword {k}= of {self.name}" if isinstance(k, str) else f"argument {k} of {self.name}"
                raise NotDifferentiableError(
                    f"the {what} is a constant of its rule, but was given a number with a tangent{user_line()}: pass "
                    "what is differentiated by position, and dd.value(x) where the derivative may go"
                )
        which = [k for k, x in enumerate(args) if has_tangent(x)]
        if not which:  # a ufunc whose out= can hold tangents
            return self.function(*args, **kwargs)
        if kwargs and hasattr(self.function, "nout"):
            raise NotDifferentiableError(f"{self.name} with {', '.join(kwargs)}= but no out={user_line()}")
        operands = tuple(numeric(args[k], f"argument {k} of {self.name}") for k in which)
        tag = max(x._tag for x in operands)

        def fill(values: Sequence[Any]) -> tuple[Any, ...]:
            """Copies of all arguments: f may write into them, and others before a reverse pass."""
            full = list(args)
            for k, v in zip(which, values):
                full[k] = v
            return tuple(map(_kept, full))

        def value(*values: Any) -> Any:
            if has_tangent(values):  # numbers of an outer derivative
                return self(*fill(values), **kwargs)
            return self.result(whole(self.function, fill(values), kwargs), tag)

        def tangent(y: Any, values: Any, ts: Any) -> Any:
            live = [k for k, t in enumerate(ts) if t is not None]
            options = {k: _kept(v) for k, v in kwargs.items()}
            series = any(isinstance(v, Number) and v._tag >= tag for v in values)  # along which Taylor coefficients go
            point = Point(self, fill(values), options, [which[k] for k in live], y, np.inf if series else tag)
            return self.tangent(point, [ts[k] for k in live])

        return finish(Plan(operands, value, tangent), self.primitive, args, kwargs)

    def result(self, y: Any, tag: Any = 0) -> Any:
        """What the function returned, as numbers of our own."""
        if not isinstance(y, tuple):
            return own_copy(numbers_of(y, f"the result of {self.name}", tag))
        parts = [own_copy(numbers_of(v, f"a result of {self.name}", tag)) for v in y]
        return type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)
