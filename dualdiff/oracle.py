"""The oracle: exact derivatives of NumPy functions by sympy, values to 50 digits, and a check of derivatives done by hand.

It knows nothing of dualdiff's rules, so that each can be tested against the other. A function is run on symbols. What each
argument is, is said in the order of the parameters, or by the parameter's name (`W=(2, 3)`):

- an int or a tuple is a shape: 3 stands for x_0, x_1, x_2 and (2, 3) for W_00 ... W_12, () for one symbol;
- a string names scalar symbols, "x" or "x y"; with a shape, ("W", (2, 3)), an array of symbols;
- anything else (a float, an array) is a constant. Nothing at all: each parameter is a scalar symbol of its name.

`assume=` decides branches on symbols: by a point (one value, a tuple with one for each argument, or a dict), or by linear
facts ("x_0 > 0, x_1 > x_0"). The result's `region` then says for which arguments it holds.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

__all__ = ["Expressions", "Report", "check", "derivative", "evaluate", "gradient", "hessian", "jacobian", "symbolic"]

if TYPE_CHECKING:
    from . import oracle_symbols as engine
else:

    class engine:  # noqa: N801
        """oracle_symbols, which imports sympy, on first use."""

        def __getattr__(self, name: str) -> Any:
            from . import oracle_symbols

            return getattr(oracle_symbols, name)

    engine = engine()


class Expressions(np.ndarray):
    """Exact results: an object array of sympy expressions; without a dimension for a scalar, which has sympy's methods.

    `arguments`: f's symbols by name. `region`: what f's branches were decided by; the result holds there.
    """

    arguments: dict[str, Any] = {}
    region: tuple[Any, ...] = ()
    along: Any = None  # the variable that each element is a partial derivative in

    @classmethod
    def of(cls, expr: Any, arguments: dict[str, Any], region: Any = (), along: Any = None) -> Expressions:
        memo: dict[Any, Any] = {}
        result = np.empty(np.shape(expr), object).view(cls)
        result[...] = np.frompyfunc(lambda e: engine.rebuild(e, {}, memo), 1, 1)(np.asarray(expr))
        result.arguments, result.region, result.along = arguments, tuple(region), along
        if engine.sp.I in memo:
            raise ValueError("the result is complex: f, or its derivative, is not real for all real arguments")
        return result

    def at(self, *point: Any, digits: int = 50) -> Any:
        """The values at f's arguments `point`; see `evaluate`."""
        return evaluate(self, *point, digits=digits)

    def compile(self) -> Callable[..., Any]:
        """A NumPy function of f's arguments that computes this in floats, common subexpressions once."""
        symbols = [s for a in self.arguments.values() for s in np.ravel(a)]
        modules = [{"step": lambda *d: (min(d) >= 0) / (1 + d.count(0))}, "scipy" if find_spec("scipy") else "numpy"]
        compiled = engine.sp.lambdify(symbols, list(self.flat), modules=modules, cse=True)

        def function(*arguments: Any) -> Any:
            with np.errstate(all="ignore"):  # branches not taken are computed too
                values = compiled(*(v for a in arguments for v in np.ravel(a)))
            return np.array(values, float).reshape(self.shape)[()]

        return function

    def jacobian(self, name: str) -> Expressions:
        """The derivatives by the argument of that name."""
        x = np.asarray(self.arguments[name], object)
        memos: list[dict[Any, Any]] = [{} for _ in range(x.size)]
        slopes = [engine.differentiate(e, s, memo) for e in self.flat for s, memo in zip(x.flat, memos, strict=True)]
        along = np.broadcast_to(x, self.shape + x.shape)
        return Expressions.of(_shaped(slopes, along.shape), self.arguments, self.region, list(along.flat))

    def point(self, *values: Any) -> dict[Any, Any]:
        """Symbol -> exact number, from one value for each argument or a dict by name."""
        named = values[0] if len(values) == 1 and isinstance(values[0], dict) else dict(zip(self.arguments, values))  # noqa: B905
        if len(named) < len(values) or not isinstance(values[:1], tuple):
            raise TypeError
        point, single = {}, {str(s): s for a in self.arguments.values() for s in np.ravel(a)}
        for name, value in named.items():
            symbols = self.arguments.get(str(name), single.get(str(name), _symbols(str(name), np.shape(value))))
            if np.shape(symbols) != np.shape(value):
                raise ValueError(f"{name} has shape {np.shape(symbols)}, and its value at the point {np.shape(value)}")
            point |= zip(np.ravel(symbols), map(engine.exactly, np.asarray(value).flat), strict=True)
        missing = {str(s) for e in self.flat for s in e.free_symbols - point.keys()}
        if missing or len(values) not in (1, len(self.arguments)):
            ...
        return point

    def __getattr__(self, name: str) -> Any:
        if self.ndim or name.startswith("__"):
            raise AttributeError(f"an array of expressions has no {name!r}: take an element")
        return getattr(self.item(), name)

    def _sympy_(self) -> Any:
        return engine.sp.Array(self.tolist()) if self.ndim else self.item()

    def __repr__(self) -> str:
        return str(self.tolist()) + "  where " * bool(self.region) + ", ".join(map(str, self.region))

    __str__ = __repr__

    def _repr_latex_(self) -> str:
        return r"$\displaystyle " + r",\ ".join(map(engine.sp.latex, (self._sympy_(), *self.region))) + "$"
