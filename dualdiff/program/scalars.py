"""A small program in Python's numbers: arrays of few elements taken apart, and each element computed by itself.

NumPy needs half a microsecond for an array of three elements, Python thirty nanoseconds for a number. The steps run
once more on arrays of symbols: NumPy moves and adds up objects as it does numbers, and the symbols write down what
becomes of each. A weight that is 0 or 1 leaves nothing to compute, as in code written by hand.
"""

from __future__ import annotations

import math
import operator
import re
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tangents import scatter
from .optimise import Optimised, refs
from .printing import ANY, ATOM, COMPARISON, LONG, PRODUCT, SIGN, SUM, Lines, binary, bracketed, number_text
from .recording import Ref, Step, argument, decided, item, method, reduced

MOST = 64  # elements of an argument
OPERATIONS = 600


class Unsuited(Exception):
    """Something that can't be done in Python's numbers, or would take too long so."""


def calls(name: str) -> Callable[..., tuple[str, int]]:
    return lambda *xs: (f"{name}({', '.join(x[0] for x in xs)})", ATOM)


def infix(symbol: str, level: int) -> Callable[..., tuple[str, int]]:
    return lambda a, b: binary(symbol, level, a, b)


def choice(symbol: str) -> Callable[..., tuple[str, int]]:
    """The larger or smaller of two numbers; a sum where neither is, so that NaN stays NaN."""

    def text(a: tuple[str, int], b: tuple[str, int]) -> tuple[str, int]:
        x, y = a[0], b[0]
        return f"{x} if {x} {symbol}= {y} else {y} if {y} {symbol} {x} else {x} + {y}", ANY

    return text


def where(c: tuple[str, int], a: tuple[str, int], b: tuple[str, int]) -> tuple[str, int]:
    return f"{bracketed(a, COMPARISON)} if {bracketed(c, COMPARISON)} else {bracketed(b, COMPARISON)}", ANY


# What functions are in Python: expressions of their operands' texts.
MATH = "sin cos tan sinh cosh tanh exp log log10 log2 log1p expm1 sqrt hypot copysign degrees radians fabs"
TEXTS: dict[Any, Callable[..., tuple[str, int]]] = {getattr(np, n): calls(n) for n in MATH.split()}
TEXTS |= {getattr(np, f"arc{n}"): calls(f"a{n}") for n in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "tan2")}
TEXTS |= {np.add: infix("+", SUM), np.subtract: infix("-", SUM)}
TEXTS |= {np.multiply: infix("*", PRODUCT), np.true_divide: infix("/", PRODUCT)}
TEXTS |= {np.absolute: calls("abs"), np.negative: lambda x: ("-" + bracketed(x, SIGN), SIGN), np.power: calls("pow")}
TEXTS |= {np.maximum: choice(">"), np.minimum: choice("<"), np.where: where}
COMPARE = {np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">="}
COMPARE |= {np.equal: "==", np.not_equal: "!="}
TEXTS |= {f: infix(symbol, COMPARISON) for f, symbol in COMPARE.items()}
TEXTS |= {np.logical_and: infix("and", ANY), np.logical_or: infix("or", ANY)}
TEXTS |= {np.logical_not: lambda x: (f"not {bracketed(x, COMPARISON)}", ANY)}
TEXTS |= {np.bitwise_and: TEXTS[np.logical_and], np.bitwise_or: TEXTS[np.logical_or], np.invert: TEXTS[np.logical_not]}
TEXTS |= {float: calls("float")}
TEXTS |= {np.sign: lambda x: (f"(({x[0]} > 0.0) - ({x[0]} < 0.0)) + 0.0 * ({x[0]})", SUM)}
BOOLS = {*COMPARE, np.logical_and, np.logical_or, np.logical_not, np.bitwise_and, np.bitwise_or, np.invert}
NAMED = {np.absolute, np.maximum, np.minimum, np.sign}  # which need names for their operands

# Functions that only move elements, or add and multiply them, so that objects serve as well.
MOVE: set[Any] = {np.stack, np.concatenate, np.vstack, np.hstack, np.column_stack, np.transpose, np.swapaxes}
MOVE |= {np.reshape, np.ravel, np.broadcast_to, np.squeeze, np.expand_dims, np.take, np.diagonal, np.tile, np.repeat}
MOVE |= {np.roll, np.flip, np.trace, np.sum, np.matmul, np.dot, np.einsum, np.tensordot, np.outer, np.inner, np.diff}
MOVE |= {np.copy, np.moveaxis, np.cumsum, np.prod, np.rollaxis, np.atleast_1d, np.atleast_2d, np.kron, np.diag}
MOVE |= {np.tril, np.triu}
METHODS = {"reshape", "transpose", "copy", "ravel", "flatten", "sum", "astype", "dot", "take", "squeeze", "swapaxes"}
METHODS |= {"diagonal", "trace", "repeat", "cumsum", "prod", "item"}


class Symbol:
    """One number of the program, as an object that NumPy's arrays hold."""

    __slots__ = ("at", "numbers")
    __array_ufunc__ = None

    def __init__(self, numbers: Scalars, at: int) -> None:
        self.numbers, self.at = numbers, at

    def __add__(self, x: Any) -> Any:
        return self.numbers.apply(np.add, self, x)

    def __radd__(self, x: Any) -> Any:
        return self.numbers.apply(np.add, x, self)

    def __mul__(self, x: Any) -> Any:
        return self.numbers.apply(np.multiply, self, x)

    def __rmul__(self, x: Any) -> Any:
        return self.numbers.apply(np.multiply, x, self)

    def __sub__(self, x: Any) -> Any:
        return self.numbers.apply(np.subtract, self, x)

    def __rsub__(self, x: Any) -> Any:
        return self.numbers.apply(np.subtract, x, self)

    def __bool__(self) -> bool:
        raise Unsuited("a decision")

    __float__ = __int__ = __index__ = __bool__  # type: ignore[assignment]


class Scalars:
    """The text of a program in Python's numbers."""

    operations = OPERATIONS
    always: frozenset[Any] = frozenset()  # functions whose results get names

    def __init__(self, program: Optimised, names: list[str]) -> None:
        self.program, self.out = program, Lines(names)
        self.weak = weakref.proxy(self)  # for symbols: arrays of objects in a circle are never let go
        self.made: list[tuple[Any, tuple[Any, ...]]] = []  # a function and its operands, or a name
        self.guards: dict[int, str] = {}  # what to write after so many of these
        self.seen: dict[Any, Symbol] = {}
        self.unpack: list[str] = []
        self.elements: dict[str, list[str]] = {}  # of arguments that are arrays: their elements' names
        self.values: list[Any] = []
        try:
            for s in program.steps:
                self.values.append(self.step(s))
        except (TypeError, ValueError, AttributeError, IndexError, OverflowError, SystemError) as error:
            # The last comes of NumPy, whose products of objects go on after an error.
            raise Unsuited(str(error)) from error
        self.results = [self.plain(x) for x in program.results]
        self.write()

    # ------------------------------------------------------------ symbols

    def symbol(self, function: Any, operands: tuple[Any, ...]) -> Symbol:
        key = function, tuple([("s", x.at) if isinstance(x, Symbol) else (type(x), repr(x)) for x in operands])
        if key not in self.seen:
            if len(self.made) > 4 * self.operations:
                raise Unsuited("too many operations")
            self.made.append((function, operands))
            self.seen[key] = Symbol(self.weak, len(self.made) - 1)
        return self.seen[key]

    def apply(self, function: Any, *xs: Any) -> Any:
        """A function of symbols and numbers, where it leaves something to compute."""
        xs = tuple([x.item() if isinstance(x, np.generic) else x for x in xs])
        if not any(isinstance(x, Symbol) for x in xs):
            made = function(*xs)
            return made.item() if isinstance(made, np.generic | np.ndarray) else made
        a, b = xs if len(xs) == 2 else (xs[0], None)
        if function is np.multiply:
            if _is(a, 0) or _is(b, 0):
                return 0.0
            if _is(a, 1) or _is(b, 1):
                return b if _is(a, 1) else a
            if _is(a, -1) or _is(b, -1):
                return self.apply(np.negative, b if _is(a, -1) else a)
            for c, x in ((a, b), (b, a)):
                k, u = self.factored(x)
                if k is not None and isinstance(c, int | float) and any(abs(math.frexp(n)[0]) == 0.5 for n in (c, k)):
                    return self.apply(np.multiply, k * c, u)  # exact: one of them is a power of two
            for x, y in ((a, b), (b, a)):
                n = self.negated(x)
                if n is not None:
                    return self.apply(np.negative, self.apply(np.multiply, *((n, y) if x is a else (y, n))))
        elif function is np.add:
            if _is(a, 0) or _is(b, 0):
                return b if _is(a, 0) else a
            if self.negated(b) is not None:
                return self.apply(np.subtract, a, self.negated(b))
            if self.negated(a) is not None:
                return self.apply(np.subtract, b, self.negated(a))
        elif function is np.subtract:
            if _is(b, 0) or _is(a, 0):
                return a if _is(b, 0) else self.apply(np.negative, b)
            if self.negated(b) is not None:
                return self.apply(np.add, a, self.negated(b))
        elif function is np.negative and self.negated(a) is not None:
            return self.negated(a)
        elif function is np.true_divide and (_is(b, 1) or _is(a, 0)):
            return a if _is(b, 1) else 0.0
        elif function in (np.square, np.reciprocal, np.positive, np.exp2):
            one = {np.square: (np.multiply, a, a), np.reciprocal: (np.true_divide, 1.0, a), np.exp2: (np.power, 2.0, a)}
            return a if function is np.positive else self.apply(*one[function])
        elif function is np.power and not isinstance(b, Symbol):
            simple: dict[Any, Callable[[], Any]] = {0: lambda: 1.0, 1: lambda: a}
            simple |= {2: lambda: self.apply(np.multiply, a, a)}
            simple |= {-1: lambda: self.apply(np.true_divide, 1.0, a), 0.5: lambda: self.apply(np.sqrt, a)}
            if b in simple:
                return simple[b]()
        elif function is np.where and not isinstance(a, Symbol):
            return xs[1] if a else xs[2]
        if function not in TEXTS:
            raise Unsuited(getattr(function, "__name__", "?"))
        return self.symbol(function, xs)

    def factored(self, x: Any) -> tuple[Any, Any]:
        """k and u where x is k * u, with a number k; else None."""
        function, operands = self.made[x.at] if isinstance(x, Symbol) else (None, ())
        first = function is np.multiply and isinstance(operands[0], int | float)
        return (operands[0], operands[1]) if first else (None, None)

    def negated(self, x: Any) -> Any:
        if not isinstance(x, Symbol):
            return -x if isinstance(x, float) and x < 0 else None
        return self.made[x.at][1][0] if self.made[x.at][0] is np.negative else None

    # ------------------------------------------------------------ steps

    def plain(self, x: Any) -> Any:
        """Operands with symbols in place of references; constant arrays as objects."""
        if isinstance(x, Ref):
            return self.values[x.step]
        if isinstance(x, np.ndarray) and x.dtype.kind in "fb":
            return x.astype(object) if x.dtype in (np.float64, np.bool) else self.unsuited(x.dtype)
        if isinstance(x, dict):
            return {k: self.plain(v) for k, v in x.items()}
        return type(x)([self.plain(v) for v in x]) if type(x) in (list, tuple) else x

    def unsuited(self, why: Any) -> Any:
        raise Unsuited(str(why))

    def step(self, s: Step) -> Any:
        function, v = s.function, s.value
        if function is argument:
            return self.argument(s.args[0], v)
        if function is decided:
            kind, x, result = s.args
            condition = self.plain(x)
            condition = condition[()] if isinstance(condition, np.ndarray) and not condition.ndim else condition
            if kind is not bool or not isinstance(condition, Symbol):
                raise Unsuited("an index")
            self.symbol((decided, result), (condition,))
            return None
        dtypes = {np.result_type(y) for y in (v if isinstance(v, tuple | list) else [v]) if y is not None}
        if not dtypes <= {np.dtype(np.float64), np.dtype(bool)}:
            raise Unsuited("other types")
        args, kwargs = self.plain(s.args), self.plain(s.kwargs)
        if function in (np.zeros_like, np.ones_like, np.empty_like):
            return np.full(v.shape, 1.0 if function is np.ones_like else 0.0, object)
        if function is operator.setitem:
            if any(self.of_bools(x) for x in refs(s.args[2])):
                raise Unsuited("truth values as numbers")
            args[0][s.args[1] if not _has_symbols(args[1]) else self.unsuited("an index")] = args[2]
            return None
        if function is operator.getitem:
            x = np.asarray(args[0], object) if not isinstance(args[0], np.ndarray) else args[0]
            return x[s.args[1]] if not _has_symbols(args[1]) else self.unsuited("an index")
        if function is item:
            return args[0][args[1]]
        if function is np.asarray:
            return np.asarray(args[0], object)
        if function is scatter:
            return self.scattered(self.as_float(args[0], s.args[0]), s.args[1], v.shape)
        if function is method and args[1] in METHODS:
            x = np.asarray(args[0], object)
            return x.copy() if args[1] == "astype" else getattr(x, args[1])(*args[2:], **kwargs)
        if function is reduced and args[0] in (np.add, np.multiply):
            return getattr(args[0], args[1])(np.asarray(args[2], object), *args[3:], **kwargs)
        if function is np.where or (isinstance(function, np.ufunc) and function is not np.matmul):
            if kwargs:
                raise Unsuited("options")
            if np.result_type(v) == np.float64 and function not in COMPARE:
                first = function is np.where  # whose first operand stays a condition
                args = (*args[:first], *[self.as_float(x, a) for x, a in zip(args[first:], s.args[first:])])
            each = np.frompyfunc(lambda *xs: self.apply(function, *xs), len(args), 1)
            return each(*[np.asarray(x, object) for x in args])
        if function in MOVE:
            if np.result_type(v) == np.float64 and any(self.of_bools(r) for r in refs((s.args, s.kwargs))):
                raise Unsuited("truth values as numbers")
            return function(*args, **kwargs)
        raise Unsuited(getattr(function, "__name__", "?"))

    def of_bools(self, x: Ref) -> bool:
        return bool(np.result_type(self.program.value(x)) == np.bool)

    def as_float(self, x: Any, operand: Any) -> Any:
        """Truth values as numbers."""
        if np.result_type(self.program.value(operand)) != np.bool:
            return x
        number = lambda b: self.symbol(float, (b,)) if isinstance(b, Symbol) else float(b)
        return np.frompyfunc(number, 1, 1)(np.asarray(x, object))

    def argument(self, name: str, v: Any) -> Any:
        if type(v) is float:
            self.made.append((name, ()))
            return Symbol(self.weak, len(self.made) - 1)
        if not isinstance(v, np.ndarray) or v.dtype != np.float64 or v.size > MOST or not v.flags.c_contiguous:
            raise Unsuited("other arguments")
        names = self.elements[name] = []
        for k in range(v.size):
            names.append(f"{name}{k}" if f"{name}{k}" not in self.out.names else self.out.new())
            self.out.names.add(names[-1])
            self.made.append((names[-1], ()))
        whole = name if v.ndim == 1 else f"{name}.ravel()"
        self.unpack.append(f"{', '.join(names)}{',' * (v.size == 1)} = {whole}.tolist()" if names else "")
        symbols = [Symbol(self.weak, len(self.made) - v.size + k) for k in range(v.size)]
        made = np.empty(v.size, object)
        made[:] = symbols
        return made.reshape(v.shape)

    def scattered(self, t: Any, numbers: Any, shape: Any) -> Any:
        t = np.asarray(t, object)
        lead = shape[: len(shape) - (len(shape) - (t.ndim - np.ndim(numbers)))]
        made = np.zeros((math.prod(lead), math.prod(shape[len(lead) :]) + 1), object)
        made[...] = 0.0
        flat = t.reshape(math.prod(lead), np.size(numbers))
        for row, source in zip(made, flat):
            for at, x in zip(np.ravel(numbers), source):
                row[at] = self.apply(np.add, row[at], x)
        return made[:, 1:].reshape(shape)

    # ------------------------------------------------------------ text

    def write(self) -> None:
        """The lines: what results and guards need, each used once within the expression that uses it."""
        uses: dict[int, int] = {}
        wanted = [x for r in self.results for x in np.ravel(np.asarray(r, object)) if isinstance(x, Symbol)]
        for x in wanted:
            uses[x.at] = uses.get(x.at, 0) + 1
        for k in range(len(self.made) - 1, -1, -1):
            function, operands = self.made[k]
            if k in uses or isinstance(function, tuple):
                for x in operands:
                    if isinstance(x, Symbol):
                        uses[x.at] = uses.get(x.at, 0) + 1 + (function in NAMED)
        self.cost = sum(1 for k in uses if self.made[k][1]) + sum(np.size(r) for r in self.results)
        if self.cost > self.operations:
            raise Unsuited("too many operations")
        self.texts: dict[int, tuple[str, int]] = {}
        self.out.lines += [line for line in self.unpack if line]
        for k, (function, operands) in enumerate(self.made):
            if not operands:
                self.texts[k] = function, ATOM
            elif isinstance(function, tuple):
                text = self.text(operands[0])
                self.out.lines.append(f"if not {bracketed(text, COMPARISON)}:" if function[1] else f"if {text[0]}:")
                self.out.lines.append("    return MISS")
            elif k in uses:
                text = TEXTS[function](*[self.text(x) for x in operands])
                if uses[k] > 1 or len(text[0]) > LONG or function in self.always:
                    name = self.out.new()
                    self.out.lines.append(f"{name} = {text[0]}")
                    text = name, ATOM
                self.texts[k] = text

    def text(self, x: Any) -> tuple[str, int]:
        return self.texts[x.at] if isinstance(x, Symbol) else number_text(x)

    def is_bool(self, x: Any) -> bool:
        return isinstance(x, bool) or (isinstance(x, Symbol) and self.made[x.at][0] in BOOLS)

    def written(self, k: int, due: Any, lines: list[str] | None = None) -> tuple[str, str | None]:
        """The text of a leaf of the result, and of a number that is finite if all its elements are.

        With lines, elements that are expressions are given names there.
        """
        elements = np.ravel(np.asarray(self.results[k], object))
        texts = [self.text(v) for v in elements]
        if np.result_type(due).kind == "f":  # a truth value that was multiplied by 1
            texts = [calls("float")(t) if self.is_bool(v) else t for t, v in zip(texts, elements)]
        if lines is not None:
            for j, (text, level) in enumerate(texts):
                if level != ATOM and isinstance(elements[j], Symbol):
                    texts[j] = self.out.new(), ATOM
                    lines.append(f"{texts[j][0]} = {text}")
        varying = any(isinstance(v, Symbol) for v in elements)
        shown = self.shown([v.at for v in elements if isinstance(v, Symbol)])
        looked = {t: None for t, v in zip(texts, elements) if isinstance(v, Symbol) and v.at not in shown}
        tested = " + ".join(bracketed(t, PRODUCT) for t in looked) if np.result_type(due).kind == "f" else ""
        if not isinstance(due, np.ndarray):
            kind = {int: "int", bool: "bool", np.float64: "np.float64", np.bool: "np.bool"}.get(type(due))
            text = texts[0][0] if varying else repr(float(elements[0]))
            return f"{kind}({text})" if kind else text, tested or None
        if not due.size:
            return f"np.zeros({due.shape}, np.{due.dtype.name})", None
        parts = iter(texts)
        nested = re.sub(r"\d+", lambda _: next(parts)[0], str(np.arange(due.size).reshape(due.shape).tolist()))
        return f"np.array({nested}, np.{due.dtype.name})" if not varying else f"np.array({nested})", tested or None

    def shown(self, numbers: list[int]) -> set[int]:
        """Numbers that are finite if these are, into which they were added or multiplied."""
        shown: set[int] = set()
        while numbers:
            function, operands = self.made[numbers.pop()]
            if function in (np.add, np.subtract, np.negative, np.multiply):
                new = {v.at for v in operands if isinstance(v, Symbol)} - shown
                shown |= new
                numbers += new
        return shown


def _is(x: Any, number: float) -> bool:
    return isinstance(x, int | float) and x == number


def _has_symbols(x: Any) -> bool:
    if isinstance(x, list | tuple):
        return any(map(_has_symbols, x))
    return isinstance(x, Symbol) or (isinstance(x, np.ndarray) and x.dtype == object)
