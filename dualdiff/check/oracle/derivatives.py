"""Functions run on symbols, their exact derivatives, and the values of these."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from .digits import shown, values
from .exact import UndefinedError, differentiate, exactly, free, number, rebuild, sp
from .symbols import Assumptions, assumed, exprs, numeric, symbols


class Expressions(np.ndarray):  # type: ignore[type-arg]
    """Exact results: an object array of sympy expressions; that of a scalar has no dimension, and has sympy's methods.

    `arguments`: f's symbols by name. `region`: what f's branches were decided by; the result holds there.
    """

    arguments: Any = None
    region: tuple[Any, ...] = ()
    along: Any = None  # for each element, the variable that it is a derivative in, and the function

    @classmethod
    def of(cls, expr: Any, arguments: dict[str, Any], region: Any = (), along: Any = None) -> Expressions:
        memo: dict[Any, Any] = {}
        symbols = {str(s): s for a in arguments.values() for s in np.ravel(a)}
        result = np.empty(np.shape(expr), object).view(cls)
        result[...] = np.frompyfunc(lambda e: rebuild(number(e), symbols, memo), 1, 1)(np.asarray(expr))
        if sp.I in memo:
            raise ValueError("the result is complex: f, or its derivative, is not real for all real arguments")
        result.arguments, result.region, result.along = arguments, tuple(region), along
        return result

    def at(self, *point: Any, digits: int = 50) -> Any:
        """The values at f's arguments `point`; see `evaluate`."""
        return evaluate(self, *point, digits=digits)

    def compile(self) -> Callable[..., Any]:
        """A NumPy function of f's arguments that computes this in floats, common subexpressions once."""
        symbols = [s for a in self.arguments.values() for s in np.ravel(a)]
        modules = [{"step": lambda *d: (min(d) >= 0) / (1 + d.count(0))}, "scipy" if find_spec("scipy") else "numpy"]
        compiled = sp.lambdify(symbols, list(self.flat), modules=modules, cse=True)

        def function(*arguments: Any) -> Any:
            with np.errstate(all="ignore"):  # branches not taken are computed too
                values = compiled(*(v for a in arguments for v in np.ravel(a)))
            return np.array(values, float).reshape(self.shape)[()]

        return function

    def jacobian(self, name: str) -> Expressions:
        """The derivatives by the argument of that name."""
        x = np.asarray(self.arguments[name], object)
        memos: list[dict[Any, Any]] = [{} for _ in range(x.size)]
        slopes = [differentiate(e, s, memo) for e in self.flat for s, memo in zip(x.flat, memos)]
        functions = [e for _, e in self.along] if self.along else self.flat
        along = [(s, f) for f in functions for s in x.flat]
        return Expressions.of(array_of(slopes, self.shape + x.shape), self.arguments, self.region, along)

    def point(self, *values: Any) -> dict[Any, Any]:
        """Symbol -> exact number, from one value for each argument, or from a dict by name."""
        by_name = len(values) == 1 and isinstance(values[0], dict)
        if not by_name and len(values) != len(self.arguments):
            raise TypeError(f"a point has a value for each of {', '.join(self.arguments)}; {len(values)} given")
        point, single = dict[Any, Any](), {str(s): s for a in self.arguments.values() for s in np.ravel(a)}
        for key, value in values[0].items() if by_name else zip(self.arguments, values):
            symbols = self.arguments.get(str(key), single.get(str(key), named_symbols(str(key), np.shape(value))))
            if np.shape(symbols) != np.shape(value):
                raise ValueError(f"{key} has shape {np.shape(symbols)}, its value at the point {np.shape(value)}")
            point |= zip(np.ravel(symbols), map(exactly, np.asarray(value).flat))
        if missing := {str(s) for e in self.flat for s in free(e) - point.keys()}:
            raise ValueError(f"the point gives no value for {', '.join(sorted(missing))}")
        return point

    def __getattr__(self, name: str) -> Any:
        if self.ndim or name.startswith("__"):
            raise AttributeError(f"an array of expressions has no {name!r}: take an element")
        return getattr(self.item(), name)

    def _sympy_(self) -> Any:
        return sp.Array(self.tolist()) if self.ndim else self.item()

    def __repr__(self) -> str:
        return str(self.tolist()) + "  where " * bool(self.region) + ", ".join(map(str, self.region))

    __str__ = __repr__

    def _repr_latex_(self) -> str:
        return r"$\displaystyle " + r",\ ".join(map(sp.latex, (self._sympy_(), *self.region))) + "$"


def array_of(items: list[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)[()]


def named_symbols(name: str, shape: tuple[int, ...]) -> Any:
    """A real symbol, or an array of them: W_12, and W_1_12 where an index may have two digits."""
    between = "_" if max(shape, default=0) > 10 else ""
    names = [name + "_" * bool(shape) + between.join(map(str, index)) for index in np.ndindex(*shape)]
    return array_of([sp.Symbol(n, real=True) for n in names], shape)


class Call:
    """What f is called with: symbols, kept by name in `arguments`, and constants."""

    def __init__(self, f: Any, specs: tuple[Any, ...], named: dict[str, Any]) -> None:
        try:
            parameters = [p for p in inspect.signature(f).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
        except (TypeError, ValueError):  # a ufunc, a builtin
            parameters = []
        names, self.arguments = [p.name for p in parameters], dict[str, Any]()
        given = [part for s in specs for part in (s.replace(",", " ").split() if isinstance(s, str) else [s])]
        if not given and not named:
            given = [p.name for p in parameters if p.default is p.empty] or ["x"]
        while len(given) < len(names) and names[len(given)] in named:
            given.append(named.pop(names[len(given)]))
        names += [letter for letter in "xyzuvwabc" if letter not in names]
        self.positional = [self.argument(*pair) for pair in zip(names, given)]
        self.keyword = {name: self.argument(name, spec) for name, spec in named.items()}

    def argument(self, name: str, spec: Any) -> tuple[str, Any]:
        """The name of a symbolic argument, or "" and a constant."""
        if isinstance(spec, str):
            name, spec = spec, ()
        elif isinstance(spec, tuple) and spec and isinstance(spec[0], str):
            name, spec = spec
        shape = spec if isinstance(spec, tuple) else (spec,)
        if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in shape):
            return "", spec
        if name in self.arguments:
            raise ValueError(f"two arguments are called {name!r}")
        self.arguments[name] = named_symbols(name, shape)
        return name, None

    def run(self, f: Any, assume: Any = None) -> Expressions:
        """f of the symbols; run twice, since a function with side effects has no derivative."""
        results = []
        for _ in range(2):
            arguments = {name: symbols(a) for name, a in self.arguments.items()}
            positional = (arguments.get(name, constant) for name, constant in self.positional)
            keyword = {k: arguments.get(name, constant) for k, (name, constant) in self.keyword.items()}
            assumptions = self.assumptions(assume)
            token = assumed.set(assumptions)
            try:
                result = f(*positional, **keyword)
            finally:
                assumed.reset(token)
            if result is None or result is ... or isinstance(result, (dict, str)):
                what, why = type(result).__name__, "a forgotten return?"
                what, why = ("...", "still to be written?") if result is ... else (what, why)
                raise TypeError(f"{name_of(f)} returned {what}, not a number or an array: {why}")
            numbers = np.frompyfunc(lambda e: numeric(e), 1, 1)(exprs(result))
            results.append(Expressions.of(numbers, self.arguments, assumptions.region))
        if results[0].shape != results[1].shape or np.any(results[0] != results[1]):
            raise ValueError("f gave two results for the same arguments: it keeps a state or draws random numbers")
        return results[0]

    def assumptions(self, assume: Any) -> Any:
        facts = assume.split(",") if isinstance(assume, str) else assume
        facts = [] if assume is None else facts if isinstance(facts, (list, tuple)) else [facts]
        if all(isinstance(fact, (str, sp.Rel)) for fact in facts):
            return Assumptions(facts=tuple(self.formula(fact).item() for fact in facts))
        point = Expressions.of(0, self.arguments).point(*(assume if isinstance(assume, tuple) else (assume,)))
        return Assumptions(point)

    def formula(self, given: Any) -> Expressions:
        """Sympy expressions, text or numbers, in the arguments' symbols."""
        given = sp.sympify(given) if isinstance(given, str) else given
        return Expressions.of(exprs(given), self.arguments)

    def names(self, argnums: Any) -> list[str]:
        wanted = argnums if isinstance(argnums, tuple) else (argnums,)
        chosen = [self.positional[k][0] if k in range(len(self.positional)) else "" for k in wanted]
        if not all(chosen):
            raise ValueError(f"argnums={argnums!r}: f's symbolic arguments are {', '.join(self.arguments)}")
        return chosen


def name_of(f: Any) -> str:
    name = str(getattr(f, "__name__", "<lambda>"))
    return "the function" if name == "<lambda>" else name


def _transform(f: Any, specs: Any, named: Any, argnums: Any, assume: Any, slope: Callable[..., Any]) -> Any:
    call = Call(f, specs, named)
    names, result = call.names(argnums), call.run(f, assume)
    answers = tuple(slope(result, name) for name in names)
    return answers if isinstance(argnums, tuple) else answers[0]


def _scalar(result: Expressions) -> Expressions:
    if result.ndim:
        raise ValueError(f"this is for scalar functions, and f's result has shape {result.shape}: use jacobian")
    return result


def _elementwise(result: Expressions, name: str) -> Expressions:
    slopes, n = result.jacobian(name), result.size
    if slopes.ndim == result.ndim:
        return slopes
    square = slopes.reshape(n, -1)
    if slopes.shape != result.shape * 2 or any(square[i, j] != 0 for i in range(n) for j in range(n) if i != j):
        raise ValueError("derivative is for functions of a number and elementwise ones, and f is neither: use jacobian")
    diagonal = square.diagonal().reshape(result.shape)
    return Expressions.of(diagonal, result.arguments, result.region, slopes.along[:: n + 1])


def symbolic(f: Any, *shapes_or_names: Any, assume: Any = None, **named: Any) -> Expressions:
    """f of symbols.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.symbolic(lambda W, x: np.tanh(W @ x), (2, 2), 2)
    [tanh(W_00*x_0 + W_01*x_1), tanh(W_10*x_0 + W_11*x_1)]
    >>> dd.oracle.symbolic(lambda x: x * x if x > 2 else x, assume=3)
    x**2  where x > 2
    """
    return Call(f, shapes_or_names, named).run(f, assume)


def jacobian(f: Any, *shapes_or_names: Any, argnums: Any = 0, assume: Any = None, **named: Any) -> Any:
    """The exact Jacobian, of shape out.shape + in.shape; a tuple of them for a tuple of `argnums`.

    >>> import dualdiff as dd, numpy as np
    >>> J = dd.oracle.jacobian(lambda x: np.stack([x[0] * x[1], np.sin(x[0])]), 2)
    >>> J, J.at([0, 5]).astype(float).tolist()
    ([[x_1, x_0], [cos(x_0), 0]], [[5.0, 0.0], [1.0, 0.0]])
    """
    return _transform(f, shapes_or_names, named, argnums, assume, Expressions.jacobian)


def gradient(f: Any, *shapes_or_names: Any, argnums: Any = 0, assume: Any = None, **named: Any) -> Any:
    """The exact gradient, of the argument's shape; ValueError if f is not scalar.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.gradient(lambda x, y, z: (x + y) * np.maximum(y, z), argnums=(0, 1))
    (Max(y, z), (x + y)*step(y - z) + Max(y, z))
    """
    return _transform(f, shapes_or_names, named, argnums, assume, lambda r, x: _scalar(r).jacobian(x))


def hessian(f: Any, *shapes_or_names: Any, argnums: Any = 0, assume: Any = None, **named: Any) -> Any:
    """The exact second derivatives of a scalar function, of shape in.shape + in.shape.

    >>> import dualdiff as dd
    >>> dd.oracle.hessian(lambda x: x[0] ** 2 * x[1], 2)
    [[2*x_1, 2*x_0], [2*x_0, 0]]
    """
    return _transform(f, shapes_or_names, named, argnums, assume, lambda r, x: _scalar(r).jacobian(x).jacobian(x))


def derivative(f: Any, *shapes_or_names: Any, order: int = 1, argnums: Any = 0, assume: Any = None,
               **named: Any) -> Any:  # fmt: skip
    """The exact derivative by a number, of f's shape, `order=` times; at each element for an elementwise f of an array.

    >>> import dualdiff as dd, numpy as np
    >>> float(dd.oracle.derivative(lambda x: np.sin(x) / x, order=2).at(0))
    -0.3333333333333333
    """
    slope = lambda r, x: [r := _elementwise(r, x) for _ in range(order)][-1]
    return _transform(f, shapes_or_names, named, argnums, assume, slope)


def evaluate(expr: Any, *point: Any, digits: int = 50) -> Any:
    """The value of an exact result, or of sympy expressions, to that many digits: an mpmath number or an array of them.

    `point` has a value for each of f's arguments (each symbol, in alphabetical order, of bare expressions), or is a
    dict by name; floats count as the binary numbers they are. A removable singular point has its limit, a kink the
    middle of both sides. ValueError at points that are not finite, and where there is no real value.

    >>> import dualdiff as dd, sympy
    >>> x = sympy.Symbol("x")
    >>> print(dd.oracle.evaluate(x * sympy.log(x), 0), dd.oracle.evaluate(x**2, {"x": 3}))
    0.0 9.0
    """
    if not isinstance(expr, Expressions) or not expr.arguments:
        expr = exprs(expr)
        names = sorted({str(s) for e in np.ravel(expr) for s in free(e)})
        expr = Expressions.of(expr, {name: named_symbols(name, ()) for name in names})
    exact = expr.point(*point)
    try:
        numbers = values(list(expr.flat), expr.along or [None] * expr.size, exact, digits)
    except UndefinedError as error:
        raise UndefinedError(f"{error}, at {point_text(expr.arguments, exact)}") from None
    return array_of(numbers, expr.shape)


def point_text(arguments: dict[str, Any], point: dict[Any, Any]) -> str:
    """A point for people: x = [1, 2], t = 0.5."""
    numbers = {name: np.frompyfunc(lambda s: shown(point[s]), 1, 1)(a) for name, a in arguments.items()}
    return ", ".join(f"{name} = {np.asarray(v, object).tolist()}" for name, v in numbers.items()).replace("'", "")
