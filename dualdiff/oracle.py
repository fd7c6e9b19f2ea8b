"""The oracle: exact derivatives of NumPy functions by sympy, values to 50 digits, and a check of derivatives done by hand.

It knows nothing of dualdiff's rules, so that each can be tested against the other. A function is run on symbols. What each
argument is, is said in the order of the function's parameters, or by the parameter's name (`W=(2, 3)`):

- an int or a tuple is a shape: 3 stands for x_0, x_1, x_2 and (2, 3) for W_00 ... W_12, () for one symbol;
- a string names scalar symbols, "x" or "x y"; with a shape, ("W", (2, 3)), an array of symbols;
- anything else (a float, an array) is a constant. Nothing at all: each parameter is a scalar symbol of its name.

`assume=` decides branches on symbols: a point (one value, a tuple with one for each argument, or a dict), or facts
("x_0 > 0, x_1 > x_0", or a list of sympy relations). The result's `region` says for which arguments it holds then.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["Expressions", "Report", "check", "derivative", "evaluate", "gradient", "hessian", "jacobian", "symbolic"]

if TYPE_CHECKING:
    from dualdiff import oracle_symbols as engine
else:

    class engine:  # noqa: N801
        """dualdiff.oracle_symbols, which imports sympy, on first use."""

        def __getattr__(self, name: str) -> Any:
            from dualdiff import oracle_symbols

            return getattr(oracle_symbols, name)

    engine = engine()


class Expressions(NDArrayOperatorsMixin):
    """Exact results: `expr` is a sympy expression or an object array of them; a scalar has sympy's methods itself.

    `arguments` are the symbols by argument; `region` is what f's branches were decided by: the result holds there.
    """

    def __init__(self, expr: Any, arguments: dict[str, Any], region: tuple[Any, ...] = (), along: Any = None) -> None:
        memo: dict[Any, Any] = {}
        self.arguments, self.region, self.shape = arguments, region, np.shape(expr)
        self.expr = np.frompyfunc(lambda e: engine.rebuild(e, {}, memo), 1, 1)(expr)
        if engine.sp.I in memo:
            raise ValueError("the result is complex: f, or its derivative, is not real for some real arguments")
        self._flat = list(np.asarray(self.expr, object).flat)
        self._along = list(np.broadcast_to(np.asarray(along, object), self.shape).flat)

    def at(self, *point: Any, digits: int = 50) -> Any:
        """The value at f's arguments `point` (as for `evaluate`)."""
        return evaluate(self, *point, digits=digits)

    def compile(self) -> Callable[..., Any]:
        """A NumPy function of the arguments that computes this in floats, common subexpressions once."""
        symbols = [s for a in self.arguments.values() for s in np.ravel(a)]
        modules = [{"step": lambda *d: (min(d) >= 0) / (1 + d.count(0))}, "scipy" if find_spec("scipy") else "numpy"]
        compiled = engine.sp.lambdify(symbols, self._flat, modules=modules, cse=True)

        def function(*arguments: Any) -> Any:
            with np.errstate(all="ignore"):  # branches not taken are computed too
                values = compiled(*(v for a in arguments for v in np.ravel(a)))
            return np.array(values, float).reshape(self.shape)[()]

        return function

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.expr, dtype or object)

    def __getitem__(self, key: Any) -> Any:
        return self.expr[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.expr)

    def __len__(self) -> int:
        return len(self.expr)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__dict__.get("shape", 1) != ():
            raise AttributeError(f"{name!r} (sympy's methods are those of a scalar: take an element, or .expr)")
        return getattr(self.expr, name)

    def _sympy_(self) -> Any:
        return engine.sp.Array(self._flat, self.shape) if self.shape else self.expr

    def __repr__(self) -> str:
        text = str(self.expr.tolist()) if self.shape else str(self.expr)
        return text + (f"  where {', '.join(map(str, self.region))}" if self.region else "")

    def _repr_latex_(self) -> str:
        text = engine.sp.latex(self._sympy_()) + "".join(rf",\ {engine.sp.latex(r)}" for r in self.region)
        return rf"$\displaystyle {text}$"

    def _jacobian(self, name: str) -> Expressions:
        x = np.asarray(self.arguments[name], object)
        memos: list[dict[Any, Any]] = [{} for _ in x.flat]
        slopes = [engine.differentiate(e, s, memo) for e in self._flat for s, memo in zip(x.flat, memos, strict=True)]
        along = np.broadcast_to(x, self.shape + x.shape)
        return Expressions(_shaped(slopes, along.shape), self.arguments, self.region, along)

    def _point(self, values: tuple[Any, ...]) -> dict[Any, Any]:
        """Symbol -> exact number."""
        if len(values) == 1 and isinstance(values[0], dict):
            named = {str(name): value for name, value in values[0].items()}
        elif len(values) == len(self.arguments):
            named = dict(zip(self.arguments, values, strict=True))
        else:
            raise TypeError(f"a point gives {', '.join(self.arguments)}: {len(self.arguments)} values, not {len(values)}")
        point, single = {}, {str(s): s for a in self.arguments.values() for s in np.ravel(a)}
        for name, value in named.items():
            symbols = self.arguments.get(name, single.get(name, _symbols(name, np.shape(value))))
            if np.shape(symbols) != np.shape(value):
                raise ValueError(f"{name} has shape {np.shape(symbols)}, its value at the point {np.shape(value)}")
            point |= zip(np.ravel(symbols), map(engine.exactly, np.asarray(value).flat), strict=True)
        return point


def _shaped(items: list[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)[()]


def _symbols(name: str, shape: tuple[int, ...]) -> Any:
    """A real symbol, or an array of them: W_12, and W_1_12 where an index has two digits."""
    between = "_" if max(shape, default=0) > 10 else ""
    names = [name + "_" * bool(shape) + between.join(map(str, index)) for index in np.ndindex(*shape)]
    return _shaped([engine.sp.Symbol(n, real=True) for n in names], shape)


class _Call:
    """The arguments of f: symbols by name in `arguments`, constants beside them."""

    def __init__(self, f: Any, specs: tuple[Any, ...], named: dict[str, Any]) -> None:
        try:
            parameters = [p for p in inspect.signature(f).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
        except (TypeError, ValueError):  # a ufunc, a builtin
            parameters = []
        names = [p.name for p in parameters]
        given = [part for s in specs for part in (s.replace(",", " ").split() if isinstance(s, str) else [s])]
        if not given and not named:
            given = [p.name for p in parameters if p.default is p.empty] or ["x"]
        while names[len(given) : len(given) + 1] and names[len(given)] in named:
            given.append(named.pop(names[len(given)]))
        names += [n for n in "xyzuvwabcd" if n not in names]
        self.arguments: dict[str, Any] = {}
        self.positional = [self.argument(*pair) for pair in zip(names, given, strict=False)]
        self.keyword = {name: self.argument(name, spec) for name, spec in named.items()}

    def argument(self, name: str, spec: Any) -> tuple[str, Any]:
        if isinstance(spec, str):
            name, spec = spec, ()
        elif isinstance(spec, tuple) and spec and isinstance(spec[0], str):
            name, spec = spec
        if isinstance(spec, (int, np.integer)) and not isinstance(spec, bool):
            spec = (spec,)
        if not (isinstance(spec, tuple) and all(isinstance(n, (int, np.integer)) and n >= 0 for n in spec)):
            return "", spec  # a constant
        if name in self.arguments:
            raise ValueError(f"two arguments are called {name!r}")
        self.arguments[name] = _symbols(name, spec)
        return name, spec

    def run(self, f: Any, assume: Any = None) -> Expressions:
        """f on the symbols; twice, since a function with side effects has no derivative to speak of."""
        first, second = self.once(f, assume), self.once(f, assume)
        if first.shape != second.shape or first._flat != second._flat:
            raise ValueError("f gave two different results for the same arguments: it has side effects, or draws random numbers")
        return second

    def once(self, f: Any, assume: Any) -> Expressions:
        assumptions = self.assumptions(assume)
        take = lambda name, spec: engine.wrap(np.copy(self.arguments[name])) if name else spec  # noqa: E731
        token = engine.assumed.set(assumptions)
        try:
            result = f(*(take(*a) for a in self.positional), **{k: take(*a) for k, a in self.keyword.items()})
        finally:
            engine.assumed.reset(token)
        if result is None or isinstance(result, (dict, str)):
            raise TypeError(f"f returned {type(result).__name__}, not a number or an array: a forgotten return?")
        numbers = np.frompyfunc(engine.numeric, 1, 1)(engine.exprs(result))
        return Expressions(numbers, self.arguments, tuple(assumptions.region))

    def assumptions(self, assume: Any) -> Any:
        if assume is None:
            return engine.Assumptions()
        facts = assume.split(",") if isinstance(assume, str) else assume if isinstance(assume, (list, tuple)) else [assume]
        if all(isinstance(fact, (str, engine.sp.Rel)) for fact in facts):
            return engine.Assumptions(facts=tuple(self.sympified(fact) for fact in facts))
        return engine.Assumptions(Expressions(0, self.arguments)._point(assume if isinstance(assume, tuple) else (assume,)))

    def sympified(self, given: Any) -> Any:
        """sympy expressions, strings or numbers, with the symbols of the arguments in place of any of the same name."""
        symbols = {str(s): s for a in self.arguments.values() for s in np.ravel(a)}
        given = engine.sp.sympify(given, locals=symbols) if isinstance(given, str) else engine.exprs(given)
        return np.frompyfunc(lambda e: engine.rebuild(e, symbols, {}), 1, 1)(given)

    def names(self, argnums: int | tuple[int, ...]) -> list[str]:
        wanted = argnums if isinstance(argnums, tuple) else (argnums,)
        chosen = [self.positional[k][0] if -len(self.positional) <= k < len(self.positional) else "" for k in wanted]
        if not all(chosen):
            raise ValueError(f"argnums={argnums}: f has the arguments {', '.join(self.arguments)}")
        return chosen


def _transform(f: Any, specs: Any, named: Any, argnums: Any, assume: Any, slope: Callable[..., Any]) -> Any:
    call = _Call(f, specs, named)
    names, result = call.names(argnums), call.run(f, assume)
    answers = tuple(slope(result, name) for name in names)
    return answers if isinstance(argnums, tuple) else answers[0]


def _scalar(result: Expressions) -> Expressions:
    if result.shape:
        raise ValueError(f"this is for scalar functions, and f's result has shape {result.shape}: use jacobian")
    return result


def _elementwise(result: Expressions, name: str) -> Expressions:
    x, slopes = result.arguments[name], result._jacobian(name)
    if not np.ndim(x):
        return slopes
    square = np.reshape(slopes.expr, (np.size(result.expr), np.size(x)))
    if result.shape != x.shape or np.any(square * (1 - np.eye(np.size(x), dtype=int)) != 0):
        raise ValueError("derivative is for functions of a number, or elementwise ones, and f is neither: use jacobian")
    return Expressions(square.diagonal().reshape(x.shape), result.arguments, result.region, x)


def symbolic(f: Any, *shapes_or_names: Any, assume: Any = None, **named: Any) -> Expressions:
    """f run on symbols.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.symbolic(lambda W, x: np.tanh(W @ x), (2, 2), 2)
    [tanh(W_00*x_0 + W_01*x_1), tanh(W_10*x_0 + W_11*x_1)]
    >>> dd.oracle.symbolic(lambda x: x * x if x > 2 else x, "x", assume=3)
    x**2  where x > 2
    """
    return _Call(f, shapes_or_names, named).run(f, assume)


def jacobian(f: Any, *shapes_or_names: Any, argnums: Any = 0, assume: Any = None, **named: Any) -> Any:
    """The exact Jacobian, of shape out.shape + in.shape; a tuple of them for a tuple of `argnums`.

    >>> import dualdiff as dd, numpy as np
    >>> J = dd.oracle.jacobian(lambda x: np.stack([x[0] * x[1], np.sin(x[0])]), 2)
    >>> J
    [[x_1, x_0], [cos(x_0), 0]]
    >>> J.at([0, 5]).astype(float)
    array([[5., 0.],
           [1., 0.]])
    """
    return _transform(f, shapes_or_names, named, argnums, assume, Expressions._jacobian)


def gradient(f: Any, *shapes_or_names: Any, argnums: Any = 0, assume: Any = None, **named: Any) -> Any:
    """The exact gradient of a scalar function, of the argument's shape; ValueError for any other function.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.gradient(lambda x, y, z: (x + y) * np.maximum(y, z), "x y z", argnums=(0, 1))
    (Max(y, z), (x + y)*step(y - z) + Max(y, z))
    """
    return _transform(f, shapes_or_names, named, argnums, assume, lambda r, x: _scalar(r)._jacobian(x))


def hessian(f: Any, *shapes_or_names: Any, argnums: Any = 0, assume: Any = None, **named: Any) -> Any:
    """The exact second derivatives of a scalar function, of shape in.shape + in.shape.

    >>> import dualdiff as dd
    >>> dd.oracle.hessian(lambda x: x[0] ** 2 * x[1], 2)
    [[2*x_1, 2*x_0], [2*x_0, 0]]
    """
    return _transform(f, shapes_or_names, named, argnums, assume, lambda r, x: _scalar(r)._jacobian(x)._jacobian(x))


def derivative(f: Any, *shapes_or_names: Any, argnums: Any = 0, order: int = 1, assume: Any = None, **named: Any) -> Any:
    """The exact derivative by a number, of f's shape; for an elementwise f of an array, at each element.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.derivative(np.exp, "x", order=3)
    exp(x)
    >>> float(dd.oracle.derivative(lambda x: np.sin(x) / x, "x", order=2).at(0))
    -0.3333333333333333
    """

    def slope(result: Expressions, name: str) -> Expressions:
        for _ in range(order):
            result = _elementwise(result, name)
        return result

    return _transform(f, shapes_or_names, named, argnums, assume, slope)


def evaluate(expr: Any, *point: Any, digits: int = 50) -> Any:
    """The value of an exact result, or of any sympy expression or array of them, as mpmath numbers.

    `point` has one value for each argument of f (for a bare expression: for each symbol, in alphabetical order), or is a
    dict by name. Floats count as the binary numbers they are. Removable singular points have their limit, kinks the
    middle of both sides; ValueError where there is none, or no real number.

    >>> import dualdiff as dd, sympy
    >>> x = sympy.Symbol("x")
    >>> print(dd.oracle.evaluate(x * sympy.log(x), 0), dd.oracle.evaluate(sympy.sin(x), {"x": 1}, digits=30))
    0.0 0.841470984807897
    """
    if not isinstance(expr, Expressions):
        expr = engine.exprs(expr)
        symbols = set().union(*(e.free_symbols for e in np.ravel(expr)))
        expr = Expressions(expr, {str(s): s for s in sorted(symbols, key=str)})
    exact = expr._point(point)
    try:
        return _shaped(engine.values(expr._flat, expr._along, exact, digits), expr.shape)
    except engine.UndefinedError as error:
        raise engine.UndefinedError(f"{error}, at {_text(expr.arguments, exact)}") from None


def _text(arguments: dict[str, Any], point: dict[Any, Any]) -> str:
    """A point for people: x = [1, 2], t = 0.5."""
    show = np.frompyfunc(lambda s: engine.shown(engine.mp.mpf(point[s].p) / point[s].q), 1, 1)
    texts = ((name, np.asarray(show(symbols)).tolist()) for name, symbols in arguments.items())
    return ", ".join(f"{name} = {text}" for name, text in texts).replace("'", "")


@dataclass
class Mistake:
    """A component that is wrong: its name, both values at the report's point, both expressions."""

    name: str
    given: Any
    due: Any
    given_expr: Any
    due_expr: Any


@dataclass
class Report:
    """What `check` found: true if the derivative is right; as text, HTML, or an assertion.

    `proved`: by algebra, else `points` says at how many points both agree. `due` is the right derivative.
    """

    ok: bool
    due: Expressions
    proved: bool = False
    points: int = 0
    point: str = ""
    mistakes: list[Mistake] = field(default_factory=list)
    guess: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def assert_(self) -> None:
        if not self.ok:
            raise AssertionError(str(self))

    def lines(self, text: Callable[[Any], str] = str) -> Iterator[str]:
        if self.ok:
            how = "proved by algebra" if self.proved else f"the same to 12 digits or more at {self.points} points"
            yield f"right ({how}): {text(self.due)}"
            return
        size = int(np.prod(self.due.shape))
        yield f"wrong{f' in {len(self.mistakes)} of {size} components' if self.mistakes and size > 1 else ''}, at {self.point}"
        for m in self.mistakes[:5]:
            yield f"{m.name}: given {engine.shown(m.given)}, due {engine.shown(m.due)}"
            yield f"  given {text(m.given_expr)}"
            yield f"  due   {text(m.due_expr)}"
        if self.guess:
            yield f"perhaps {self.guess}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def latex(e: Any) -> str:
            return f"${engine.sp.latex(engine.sp.sympify(e))}$"

        return "<br>".join(line.replace("  ", "&emsp;") for line in self.lines(latex))


def check(f: Any, manual: Any, *shapes_or_names: Any, argnums: int = 0, at: Any = None, assume: Any = None,
          rtol: float = 1e-12, **named: Any) -> Report:  # fmt: skip
    """Is `manual` the derivative of f?

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.check(lambda x: np.sin(x**2), lambda x: np.cos(x**2) * 2 * x, "x")
    right (proved by algebra): 2*x*cos(x**2)
    """
    call = _Call(f, shapes_or_names, named)
    (name,) = call.names(argnums)

    def both(facts: Any) -> tuple[Expressions, Expressions, Expressions]:
        value = call.run(f, facts)
        given = call.run(manual, facts) if callable(manual) else Expressions(call.sympified(manual), call.arguments)
        return value, value._jacobian(name), given

    try:
        fixed = both(assume)
    except engine.UndecidedError:  # then each point decides for itself
        if assume is not None:
            raise
        fixed = None
    points, tried = (_points(call.arguments) if at is None else [at if isinstance(at, tuple) else (at,)]), []
    for point in points:
        value, due, given = fixed or both(point)
        exact = value._point(point)
        try:
            value.at(*point)
            right = due.at(*point)
        except engine.UndefinedError:
            continue
        if at is None and _at_edge(due, given, exact):
            continue
        tried.append(point)
        try:
            left = given.at(*point)
        except engine.UndefinedError:
            left = np.full(given.shape, engine.mp.nan)[()]
        report = Report(False, due, point=_text(call.arguments, exact))
        if given.shape != due.shape:
            report.mistakes = []
            report.guess = f"the shape: given {given.shape}, due {due.shape}, " + _shape_slip(np.asarray(left, float), np.asarray(right, float))
            return report
        for i in np.ndindex(due.shape):
            g, d = np.asarray(left, object)[i], np.asarray(right, object)[i]
            if not (g == d or abs(g - d) <= rtol * max(abs(g), abs(d))):
                entry = f"d{'[' + ', '.join(map(str, i[:len(value.shape)])) + ']' if value.shape else 'f'}/d{np.asarray(call.arguments[name], object)[i[len(value.shape):]]}"
                report.mistakes.append(Mistake(entry, g, d, np.asarray(given.expr, object)[i], np.asarray(due.expr, object)[i]))
                first = i if len(report.mistakes) == 1 else first
        if report.mistakes:
            report.guess = _slip(value, due, given, call.arguments[name], first, np.asarray(left, float), np.asarray(right, float))
            return report
        if len(tried) == 12:
            break
    if not tried:
        raise ValueError("f is not real at any of the points tried: give at= one where it is")
    proved = fixed is not None and at is None and all(_is_zero(g - d) for g, d in zip(given._flat, due._flat, strict=True))
    return Report(True, due, proved, len(tried))


def _points(arguments: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Points with short decimals, all coordinates different; within (0, 1), (-1, 1), (1, 9) as well, for arcsin and the like."""
    size = sum(np.size(a) for a in arguments.values())
    for k in range(60):
        low, high, parts = ((0, 5, 1), (0, 1, 10), (-3, 3, 2), (1, 9, 2), (-1, 1, 10))[k % 5]
        parts *= 1 + 2 * size // (high - low) // parts
        numbers = [n for n in range(low * parts + 1, high * parts) if n]
        chosen = iter(random.Random(k).sample(numbers, size))
        yield tuple(_shaped([Fraction(next(chosen), parts) for _ in np.ravel(a)], np.shape(a)) for a in arguments.values())


def _at_edge(due: Expressions, given: Expressions, point: dict[Any, Any]) -> bool:
    """At a kink or a jump, where opinions differ."""
    at = engine.Evaluator(point)
    edges = (e for e in (*due._flat, *given._flat, *due.region, *given.region))
    return any(at(a) == 0 for e in edges for s in e.atoms(engine.step, engine.sign) for a in s.args) or any(at.order(at(r.lhs), at(r.rhs)) == 0 for e in (*due._flat, *given._flat, *due.region, *given.region) for r in e.atoms(engine.sp.Rel))


def _is_zero(expr: Any) -> bool:
    """By algebra, with bounded effort."""
    expr = engine.sp.expand(expr) if expr.count_ops() < 400 else expr
    return expr == 0 or (expr.count_ops() < 60 and engine.sp.simplify(expr) == 0)


def _shape_slip(given: Any, due: Any) -> str:
    axes = range(max(given.ndim, due.ndim))
    if given.ndim == 2 and given.T.shape == due.shape and np.allclose(given.T, due):
        return "transposed"
    if given.size == due.size and np.allclose(given.ravel(), due.ravel()):
        return "a row or column where the shape convention has the argument's own shape"
    if given.ndim == 1 and due.shape == given.shape * 2 and np.allclose(np.diag(given), due):
        return "only the diagonal of the Jacobian of an elementwise function"
    for axis in axes:
        if axis < due.ndim and np.shape(due.sum(axis)) == given.shape and np.allclose(due.sum(axis), given):
            return f"summed over axis {axis}, where f keeps the components apart"
        if axis < given.ndim and np.shape(given.sum(axis)) == due.shape and np.allclose(given.sum(axis), due):
            return f"not summed over axis {axis}: what f broadcasts, its derivative sums"
    return "which no reordering or sum explains"


def _slip(value: Expressions, due: Expressions, given: Expressions, x: Any, index: Any, left: Any, right: Any) -> str:
    """A guess at the slip, from the first wrong component."""
    if left.ndim == 2 and left.shape[0] == left.shape[1] and np.allclose(left.T, right):
        return "transposed"
    if left.size > 1 and np.allclose(left, right.sum()):
        return "each component has the sum of all: keep them apart"
    f = np.asarray(value.expr, object)[index[: len(value.shape)]]
    symbol = np.asarray(x, object)[index[len(value.shape) :]]
    wrong, correct = np.asarray(given.expr, object)[index], np.asarray(due.expr, object)[index]
    samples = []
    for point in _points(value.arguments):
        try:
            exact = value._point(point)
            samples.append((exact, engine.values([wrong], [symbol], exact, 15)[0]))
        except engine.UndefinedError:
            continue
        if len(samples) == 3:
            break

    def fits(candidate: Any) -> bool:
        try:
            return all(abs(engine.values([candidate], [symbol], p, 15)[0] - v) <= 1e-9 * abs(v) for p, v in samples)
        except engine.UndefinedError:
            return False

    ratio = engine.sp.nsimplify(...)
    for node in list(engine.sp.preorder_traversal(f))[:60]:
        ...
    return ""
