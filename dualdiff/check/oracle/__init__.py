"""The oracle: exact derivatives of NumPy functions by sympy, values to 50 digits, a check of derivatives done by hand.

It knows nothing of dualdiff's rules, so that each can be tested against the other. A function is run on symbols. What
each argument is, is said in the order of the parameters, or by a parameter's name (`W=(2, 3)`):

- an int or a tuple is a shape: 3 stands for x_0, x_1, x_2 and (2, 3) for W_00 ... W_12, () for one symbol;
- a string names scalar symbols, "x" or "x y"; with a shape, ("W", (2, 3)), an array of symbols;
- anything else (a float, an array) is a constant. Nothing at all: each parameter is a scalar symbol of its name.

`assume=` decides branches on symbols: by a point (one value, a tuple with one for each argument, or a dict), or by
linear facts ("x_0 > 0, x_1 > x_0"). The result's `region` then says for which arguments it holds.
"""

from __future__ import annotations

import inspect
import random
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["Expressions", "Report", "check", "derivative", "evaluate", "gradient", "hessian", "jacobian", "symbolic"]


# The engine imports sympy and mpmath, so it is imported on first use.
lazily = {"__getattr__": lambda _, name: getattr(import_module("dualdiff.check.oracle.symbols"), name)}
engine: Any = type("Engine", (), lazily)()


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
        result[...] = np.frompyfunc(lambda e: engine.rebuild(engine.number(e), symbols, memo), 1, 1)(np.asarray(expr))
        if engine.sp.I in memo:
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
        slopes = [engine.differentiate(e, s, memo) for e in self.flat for s, memo in zip(x.flat, memos)]
        functions = [e for _, e in self.along] if self.along else self.flat
        along = [(s, f) for f in functions for s in x.flat]
        return Expressions.of(_array(slopes, self.shape + x.shape), self.arguments, self.region, along)

    def point(self, *values: Any) -> dict[Any, Any]:
        """Symbol -> exact number, from one value for each argument, or from a dict by name."""
        by_name = len(values) == 1 and isinstance(values[0], dict)
        if not by_name and len(values) != len(self.arguments):
            raise TypeError(f"a point has a value for each of {', '.join(self.arguments)}; {len(values)} given")
        point, single = dict[Any, Any](), {str(s): s for a in self.arguments.values() for s in np.ravel(a)}
        for key, value in values[0].items() if by_name else zip(self.arguments, values):
            symbols = self.arguments.get(str(key), single.get(str(key), _symbols(str(key), np.shape(value))))
            if np.shape(symbols) != np.shape(value):
                raise ValueError(f"{key} has shape {np.shape(symbols)}, its value at the point {np.shape(value)}")
            point |= zip(np.ravel(symbols), map(engine.exactly, np.asarray(value).flat))
        if missing := {str(s) for e in self.flat for s in engine.free(e) - point.keys()}:
            raise ValueError(f"the point gives no value for {', '.join(sorted(missing))}")
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


def _array(items: list[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)[()]


def _symbols(name: str, shape: tuple[int, ...]) -> Any:
    """A real symbol, or an array of them: W_12, and W_1_12 where an index may have two digits."""
    between = "_" if max(shape, default=0) > 10 else ""
    names = [name + "_" * bool(shape) + between.join(map(str, index)) for index in np.ndindex(*shape)]
    return _array([engine.sp.Symbol(n, real=True) for n in names], shape)


class _Call:
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
        self.arguments[name] = _symbols(name, shape)
        return name, None

    def run(self, f: Any, assume: Any = None) -> Expressions:
        """f of the symbols; run twice, since a function with side effects has no derivative."""
        results = []
        for _ in range(2):
            arguments = {name: engine.symbols(a) for name, a in self.arguments.items()}
            positional = (arguments.get(name, constant) for name, constant in self.positional)
            keyword = {k: arguments.get(name, constant) for k, (name, constant) in self.keyword.items()}
            assumptions = self.assumptions(assume)
            token = engine.assumed.set(assumptions)
            try:
                result = f(*positional, **keyword)
            finally:
                engine.assumed.reset(token)
            if result is None or result is ... or isinstance(result, (dict, str)):
                what, why = type(result).__name__, "a forgotten return?"
                what, why = ("...", "still to be written?") if result is ... else (what, why)
                raise TypeError(f"{_name(f)} returned {what}, not a number or an array: {why}")
            numbers = np.frompyfunc(lambda e: engine.numeric(e), 1, 1)(engine.exprs(result))
            results.append(Expressions.of(numbers, self.arguments, assumptions.region))
        if results[0].shape != results[1].shape or np.any(results[0] != results[1]):
            raise ValueError("f gave two results for the same arguments: it keeps a state or draws random numbers")
        return results[0]

    def assumptions(self, assume: Any) -> Any:
        facts = assume.split(",") if isinstance(assume, str) else assume
        facts = [] if assume is None else facts if isinstance(facts, (list, tuple)) else [facts]
        if all(isinstance(fact, (str, engine.sp.Rel)) for fact in facts):
            return engine.Assumptions(facts=tuple(self.formula(fact).item() for fact in facts))
        point = Expressions.of(0, self.arguments).point(*(assume if isinstance(assume, tuple) else (assume,)))
        return engine.Assumptions(point)

    def formula(self, given: Any) -> Expressions:
        """Sympy expressions, text or numbers, in the arguments' symbols."""
        given = engine.sp.sympify(given) if isinstance(given, str) else given
        return Expressions.of(engine.exprs(given), self.arguments)

    def names(self, argnums: Any) -> list[str]:
        wanted = argnums if isinstance(argnums, tuple) else (argnums,)
        chosen = [self.positional[k][0] if k in range(len(self.positional)) else "" for k in wanted]
        if not all(chosen):
            raise ValueError(f"argnums={argnums!r}: f's symbolic arguments are {', '.join(self.arguments)}")
        return chosen


def _name(f: Any) -> str:
    name = str(getattr(f, "__name__", "<lambda>"))
    return "the function" if name == "<lambda>" else name


def _transform(f: Any, specs: Any, named: Any, argnums: Any, assume: Any, slope: Callable[..., Any]) -> Any:
    call = _Call(f, specs, named)
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
    return _Call(f, shapes_or_names, named).run(f, assume)


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
        expr = engine.exprs(expr)
        names = sorted({str(s) for e in np.ravel(expr) for s in engine.free(e)})
        expr = Expressions.of(expr, {name: _symbols(name, ()) for name in names})
    exact = expr.point(*point)
    try:
        numbers = engine.values(list(expr.flat), expr.along or [None] * expr.size, exact, digits)
    except engine.UndefinedError as error:
        raise engine.UndefinedError(f"{error}, at {_text(expr.arguments, exact)}") from None
    return _array(numbers, expr.shape)


def _text(arguments: dict[str, Any], point: dict[Any, Any]) -> str:
    """A point for people: x = [1, 2], t = 0.5."""
    shown = {name: np.frompyfunc(lambda s: engine.shown(point[s]), 1, 1)(a) for name, a in arguments.items()}
    return ", ".join(f"{name} = {np.asarray(v, object).tolist()}" for name, v in shown.items()).replace("'", "")


# A wrong component: its name, its value as given and as due at the report's point, and both expressions.
Mistake = namedtuple("Mistake", "name given due given_expr due_expr")


@dataclass
class Report:
    """What `check` found; true if the derivative is right. `due` is the right one.

    It is proved by algebra, or right at so many points; or it has these mistakes at that point.
    """

    due: Expressions
    ok: bool = False
    proved: bool = False
    points: int = 0
    point: str = ""
    mistakes: list[Mistake] = field(default_factory=list)
    guess: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def assert_(self) -> None:
        """AssertionError with the report as its text, unless the derivative is right."""
        if not self.ok:
            raise AssertionError(str(self))

    def lines(self, show: Callable[[Any], str] = str) -> Iterator[str]:
        if self.ok:
            how = "proved by algebra" if self.proved else f"the same at {self.points} point{'s' * (self.points > 1)}"
            yield f"right ({how}): {show(self.due)}"
            return
        parts = f" in {len(self.mistakes)} of {self.due.size} components" * bool(self.mistakes and self.due.ndim)
        yield f"wrong{parts}, at {self.point}"
        for m in self.mistakes[:4]:
            yield f"{m.name}: given {engine.shown(m.given)}, due {engine.shown(m.due)}"
            yield f"    given {show(m.given_expr)}"
            yield f"    due   {show(m.due_expr)}"
        yield f"perhaps {self.guess}" if self.guess else "no usual slip explains it"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        lines = self.lines(lambda e: f"${engine.sp.latex(engine.sp.sympify(e))}$")
        return "<br>".join(escape(line).replace("    ", "&emsp;") for line in lines)


def check(f: Any, manual: Any, *shapes_or_names: Any, argnums: Any = 0, at: Any = None, assume: Any = None,
          rtol: float = 1e-12, **named: Any) -> Report:  # fmt: skip
    """Whether `manual` is the derivative of f by one argument, in its shape convention: out.shape + in.shape.

    `manual` is a function of f's arguments, or sympy expressions or text, or numbers for the point `at` (with an `rtol`
    that suits their digits). Proved by algebra if that is easy, else compared at 12 points, kinks left out.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.check(lambda x: np.sin(x**2), lambda x: np.cos(x**2), at=2)
    wrong, at x = 2
    df/dx: given -0.653644, due -2.61457
        given cos(x**2)
        due   2*x*cos(x**2)
    perhaps chain rule: the inner derivative d(x**2)/dx = 2*x is missing
    """
    function = callable(manual)
    if isinstance(argnums, tuple):

        def part(given: Any, i: int) -> Any:
            if not hasattr(given, "__len__") or len(given) != len(argnums):
                what = f"{len(given)} derivatives" if hasattr(given, "__len__") else type(given).__name__
                due = f"argnums={argnums} asks for a tuple of {len(argnums)}"
                raise TypeError(f"{_name(manual)} returned {what}; {due}")
            if given[i] is None or given[i] is ...:
                raise TypeError(f"{_name(manual)} returned {given[i]} as derivative {i + 1} of {len(argnums)}")
            return given[i]

        options = {"at": at, "assume": assume, "rtol": rtol, **named}
        for i, n in enumerate(argnums):
            one = (lambda *x, i=i, **named: part(manual(*x, **named), i)) if function else part(manual, i)
            report = check(f, one, *shapes_or_names, argnums=n, **options)
            if not report:
                break
        return report
    call = _Call(f, shapes_or_names, named)
    (name,) = call.names(argnums)

    def traced(assume: Any) -> tuple[Expressions, Expressions, Expressions]:
        value = call.run(f, assume)
        return value, value.jacobian(name), call.run(manual, assume) if function else call.formula(manual)

    try:
        fixed = traced(assume)
    except engine.UndecidedError:  # then each point decides for itself
        if assume is not None:
            raise
        fixed = None
    tried, points = 0, list(_points(call.arguments)) if at is None else [at if isinstance(at, tuple) else (at,)]
    for point in points:
        value, due, given = fixed or traced(point)
        exact = value.point(*point)
        if tried == 12 or not all(map(engine.Evaluator(exact), due.region)):
            continue
        try:
            right = (value.at(*point), np.asarray(due.at(*point), object))[1]
        except engine.UndefinedError:
            continue
        if at is None and _on_edge((*due.flat, *given.flat, *due.region), exact):
            continue
        try:
            left = np.asarray(given.at(*point), object)
        except engine.UndefinedError:
            left = np.full(given.shape, engine.mp.nan)
        tried, fits = tried + 1, left.shape == right.shape
        off = [i for i in np.ndindex(due.shape) if fits and not abs(left[i] - right[i]) <= rtol * abs(right[i])]
        wrong = [i for i in off if left[i] != right[i]]  # infinities may be equal
        if fits and not wrong:
            continue
        slips = import_module("dualdiff.check.slips")  # which imports the engine
        slip = slips.of_arrays(left.astype(float), right.astype(float))
        if not fits:
            slip = slip or "which no reordering or sum explains"
            slip = f"the shape of df/d{name}: given {left.shape}, due {right.shape}, {slip}"
        xs = [np.asarray(call.arguments[name], object)[i[value.ndim :]] for i in wrong]
        if not slip:
            i, places = wrong[0], [value.point(*p) for p in points]
            slip = slips.of_component(value[i[: value.ndim]], xs[0], given[i], due[i], places)
            ratios = {float(left[k] / right[k]) if right[k] else np.inf for k in wrong}
            if slip.startswith("a constant factor") and max(ratios) - min(ratios) > 1e-9 * abs(max(ratios)):
                slip = ""  # it fits the first component only
            elif slip.startswith("a rounded") and abs(left[i] - right[i]) > 1e-2 * abs(right[i]):
                slip = "right at other points: the slope of a kink or a branch (relu: 1 or 0) may be missing"
            if _on_edge([due[k] for k in wrong if not due[k].has(engine.sp.Piecewise)], exact):
                slip = "the tie or kink at this point: the middle of both sides is due, an equal share for all that tie"
        names = [f"df{list(i[: value.ndim]) or ''}/d{x}" for i, x in zip(wrong, xs)]
        mistakes = [Mistake(n, left[i], right[i], given[i], due[i]) for n, i in zip(names, wrong)]
        return Report(due, point=_text(call.arguments, exact), mistakes=mistakes, guess=slip)
    if not tried:
        raise ValueError("f is not real at any of the points tried, or not assumed there: give at= one that will do")
    proved = bool(fixed) and at is None and all(_is_zero(e) for e in np.ravel(given - due))
    return Report(due, True, proved, tried)


def _points(arguments: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Points with short decimals, no two coordinates equal; in (0, 1) and (-1, 1) too, for arcsin and the like."""
    size = sum(np.size(a) for a in arguments.values())
    for k in range(60):
        low, high, parts = ((0, 5, 1), (0, 1, 10), (-3, 3, 2), (1, 9, 2), (-1, 1, 10))[(k - (size > 4)) % 5]
        parts *= 1 + 2 * size // (parts * (high - low))
        numbers = random.Random(k).sample([n for n in range(low * parts + 1, high * parts) if n], size)
        chosen = iter([Fraction(n, parts) for n in numbers])
        yield tuple(_array([next(chosen) for _ in range(np.size(a))], np.shape(a)) for a in arguments.values())


def _on_edge(expressions: Any, point: dict[Any, Any]) -> bool:
    """At a kink or jump of one of them, where opinions may differ."""
    at = engine.Evaluator(point)
    atoms = {a for e in expressions for a in e.atoms(engine.step, engine.sign, engine.sp.Rel)}
    return any(at.order(at(a.args[0]), at(a.args[1]) if a.is_Relational else 0) == 0 for a in atoms)


def _is_zero(expr: Any) -> bool:
    """By algebra, with bounded effort."""
    if any(max(r.q, abs(r.p)) > 10**6 for r in expr.atoms(engine.sp.Rational)):
        return False  # floats taken exactly, which algebra would raise to powers; the points have spoken
    expr = engine.sp.expand(expr) if expr.count_ops() < 300 else expr
    return bool(expr == 0 or (expr.count_ops() < 60 and engine.sp.simplify(expr) == 0))
