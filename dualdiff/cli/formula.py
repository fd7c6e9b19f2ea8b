"""Formulas of the command line: read by `ast`, checked against a whitelist, evaluated step by step on Duals."""

from __future__ import annotations

import ast
import difflib
import functools
import keyword
import math
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.dual import Dual, relu
from ..rules import ELEMENTWISE, PLAIN
from ..rules import FUNCTIONS as RULES
from ..show.text import element_names

LONGEST, LARGEST = 10_000, 100  # characters of a formula or value; numbers that a formula takes, a direction each
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
SPELLINGS = str.maketrans({"^": "**", "×": "*", "·": "*", "−": "-"})
OPERATORS: dict[type, tuple[str, Callable[..., Any]]] = {
    ast.Add: ("{} + {}", np.add),
    ast.Sub: ("{} - {}", np.subtract),
    ast.Mult: ("{} × {}", np.multiply),
    ast.Div: ("{} / {}", np.divide),
    ast.Pow: ("{}^{}", np.power),
    ast.MatMult: ("{} @ {}", np.matmul),
    ast.Mod: ("{} % {}", np.remainder),
    ast.FloorDiv: ("{} // {}", np.floor_divide),
    ast.USub: ("-{}", np.negative),
    ast.UAdd: ("+{}", np.positive),
    ast.Lt: ("{} < {}", np.less),
    ast.LtE: ("{} <= {}", np.less_equal),
    ast.Gt: ("{} > {}", np.greater),
    ast.GtE: ("{} >= {}", np.greater_equal),
}
# Functions by their number of arguments, 0 for any; names without a rule drop out. None of them gives more than a
# matrix of its arguments' elements.
TAKING = {
    0: "max min",
    1: "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp exp2 expm1 log log2 log10 log1p "
    "sqrt cbrt square reciprocal absolute fabs sign floor ceil trunc round degrees radians sinc sum prod mean var std "
    "cumsum cumprod diff ptp median norm transpose diagonal trace det inv erf erfc expit gammaln",
    2: "maximum minimum power hypot arctan2 copysign fmod logaddexp dot inner vdot matmul cross solve",
    3: "clip where",
}
ALIASES = {"ln": "log", "abs": "absolute", "pow": "power", "atan2": "arctan2"}
ALIASES |= {f"a{name}": f"arc{name}" for name in "sin cos tan sinh cosh tanh".split()}
ALONG_AXIS = set("max min sum prod mean var std cumsum cumprod diff ptp median norm".split())

_RULED = {getattr(f, "__name__", ""): f for table in (PLAIN, RULES, ELEMENTWISE) for f in table}
FUNCTIONS = {name: (_RULED[name], n) for n, names in TAKING.items() for name in names.split() if name in _RULED}
FUNCTIONS |= {alias: FUNCTIONS[name] for alias, name in ALIASES.items()} | {"relu": (relu, 1)}

Show = Callable[[Any], str]
Result = tuple[str, Any, Any]  # label, value, Jacobian: a row for each element, a column for each direction


class CommandError(Exception):
    """What is wrong with the command line, said in one line."""


# ---------------------------------------------------------------- reading formulas and values


def parse(text: str) -> ast.expr:
    """The syntax tree of a formula, in which nothing is left that the whitelist does not know.

    >>> parse("x.__class__")
    Traceback (most recent call last):
    dualdiff.cli.formula.CommandError: 'x.__class__' can't be used in a formula
    """
    text = " ".join(text.split())
    if not 0 < len(text) <= LONGEST:
        raise CommandError(f"a formula of {len(text)} characters, more than {LONGEST}" if text else "an empty formula")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on literals
            tree = ast.parse(text.translate(SPELLINGS), mode="eval").body
    except (SyntaxError, ValueError, MemoryError) as exc:  # a null character, or too deep for Python's parser
        hint = "; write 2*x for a product, sin(x) for a function" if re.search(r"\d[A-Za-z_(]|[\w)] \w", text) else ""
        reason = brief(getattr(exc, "msg", "")) or "it can't be parsed"
        raise CommandError(f"bad formula {brief(text)!r}: {reason}{hint}") from None
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=value):
                good = type(value) in (int, float)
            case ast.BinOp(op=op) | ast.UnaryOp(op=op) | ast.Compare(ops=[op]):
                good = type(op) in OPERATORS
            case ast.Call():
                good = check_call(node)
            case _:
                known = ast.Name, ast.List, ast.Tuple, ast.Subscript, ast.Slice
                good = isinstance(node, known) or not isinstance(node, ast.expr)
        if not good:
            raise CommandError(f"{brief(ast.unparse(node))!r} can't be used in a formula")
    return tree


def check_call(node: ast.Call) -> bool:
    """Whether a call has a plain name and plain arguments; an unknown function or a wrong count raises."""
    if not isinstance(node.func, ast.Name):
        return False
    name, count = node.func.id, len(node.args)
    if name not in FUNCTIONS:
        hint = near(name, FUNCTIONS) or "; see --help, and write products with *"
        raise CommandError(f"unknown function {name!r}{hint}")
    n = FUNCTIONS[name][1]
    if count != (n or max(count, 1)):
        raise CommandError(f"{name} takes {n or 'at least 1'} argument{'s' * (n > 1)}, not {count}")
    return all(k.arg == "axis" and name in ALONG_AXIS and count == 1 for k in node.keywords)


def check_names(trees: Iterable[ast.expr], given: Iterable[str]) -> None:
    """Raise unless the variables of the formulas are those given."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    used = dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)
    match_names(used, [name for name in used if name not in CONSTANTS], given, "used in the formula")


def match_names(known: Iterable[str], needed: Iterable[str], given: Iterable[str], how: str) -> None:
    """Raise unless every name that is needed is given, and every name that is given is known."""
    spare, missing = [n for n in given if n not in known], [n for n in needed if n not in given]
    for name in missing:
        hint = f"; {name}(...) is a function" if name in FUNCTIONS else near(name, [*spare, *CONSTANTS])
        raise CommandError(f"no value for {name!r}: add {name}=...{hint}")
    for name in spare:
        raise CommandError(f"{name!r} is given but not {how}{near(name, [n for n in known if n not in given])}")


def near(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def brief(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def read_values(words: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """The words name=value as numbers and arrays, and all other words."""
    others: list[str] = []
    values: dict[str, Any] = {}
    for word in words:
        found = re.fullmatch(r"\s*(\w+)\s*=(?!=)(.*)", word, re.DOTALL)
        if found is None:
            others.append(word)
            continue
        name, text = unicodedata.normalize("NFKC", found[1]), found[2]  # names as Python's parser reads them
        if not name.isidentifier() or keyword.iskeyword(name):
            raise CommandError(f"{name!r} can't be the name of a variable; choose another")
        if name in values:
            raise CommandError(f"{name!r} is given twice")
        try:
            tree = parse(text)
            check_names([tree], ())
            values[name] = Evaluation({}, str).visit(tree).value
        except CommandError:
            raise CommandError(f"bad value {name}={brief(text)}: write {name}=1.5 or {name}=[1,2,3]") from None
    return others, values


# ---------------------------------------------------------------- walking a formula


class Item(NamedTuple):
    """A number in a formula: a row of the table, whose name is `text`, or a constant, written as `text`."""

    text: str
    value: Any
    varies: bool


class Evaluation:
    """The rows of a forward evaluation: the inputs, each with its own directions, then every operation once."""

    def __init__(self, inputs: dict[str, Any], show: Show) -> None:
        self.show, self.n = show, sum(np.size(v) for v in inputs.values())
        self.rows: list[tuple[str, str, Any, Any]] = []  # name, operation, value, tangents
        self.seen: dict[Any, Item] = {}
        seeds = np.split(np.eye(self.n), np.cumsum([np.size(v) for v in inputs.values()]), axis=1)
        for (name, v), seed in zip(inputs.items(), seeds):
            self.seen[name] = self.row(name, Dual(v, seed.reshape(self.n, *np.shape(v))))

    def split(self, value: Any) -> tuple[Any, Any]:
        """A value without its tangents, and these, one for each direction; zero where nothing moves."""
        if isinstance(value, Dual):
            return value.value, value.tangent
        return value, np.zeros((self.n, *np.shape(value)))

    def row(self, operation: str, value: Any) -> Item:
        self.rows.append((f"v{len(self.rows) + 1}", operation, *self.split(value)))
        return Item(self.rows[-1][0], value, True)

    def apply(self, node: ast.expr, form: str, function: Callable[..., Any], operands: Sequence[Item]) -> Item:
        """A row for function(*operands), unless there is one already or all of them are constants."""
        key = (form, *[x.text if x.varies else repr(np.asarray(x.value).tolist()) for x in operands])
        if key not in self.seen:
            try:
                with np.errstate(all="ignore"):
                    value = function(*[x.value for x in operands])
            except Exception as exc:  # whatever NumPy says about shapes, or the rules about derivatives
                reason = re.sub(r" \(at [^)]*\)", "", str(exc))  # the line would be one of this file
                raise CommandError(f"{brief(ast.unparse(node))}: {reason}") from None
            varies = any(x.varies for x in operands)
            text = form.format(*[x.text for x in operands])
            self.seen[key] = self.row(text, value) if varies else Item(self.show(value), value, False)
        return self.seen[key]

    def visit(self, node: ast.expr) -> Item:
        """The item of a node; its operands' rows come first."""
        match node:
            case ast.Constant(value=int() | float() as constant):
                try:
                    value = np.float64(constant)
                except OverflowError:
                    raise CommandError("a number in the formula is too large") from None
                return Item(self.show(value), value, False)
            case ast.Name(id=name):
                return self.seen[name] if name in self.seen else Item(name, np.float64(CONSTANTS[name]), False)
            case ast.UnaryOp(op=op, operand=operand):
                item = self.visit(operand)
                return item if isinstance(op, ast.UAdd) else self.apply(node, *OPERATORS[type(op)], [item])
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                items = [self.visit(left), self.visit(right)]
                items = [x._replace(text=f"({x.text})") if x.text.startswith("-") else x for x in items]
                return self.apply(node, *OPERATORS[type(op)], items)
            case ast.Subscript(value=array, slice=key):
                index, form = static(key), f"{{}}[{ast.unparse(key).strip('()')}]"
                return self.apply(node, form, lambda x: x[index], [self.visit(array)])
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                stack = lambda *items: np.stack(items) if items else np.zeros(0)
                return self.apply(node, f"[{blanks(parts)}]", stack, [self.visit(part) for part in parts])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=options):
                function, form = FUNCTIONS[name][0], f"{name}({blanks(args)})"
                if options:
                    axis = static(options[0].value)
                    function, form = functools.partial(function, axis=axis), f"{form[:-1]}, axis={axis})"
                elif FUNCTIONS[name][1] == 0 and len(args) > 1:
                    function = functools.partial(extreme, function)
                return self.apply(node, form, function, [self.visit(arg) for arg in args])
        raise CommandError(f"{brief(ast.unparse(node))!r} can't be used here")


def extreme(function: Callable[..., Any], *items: Any) -> Any:
    """max or min of several numbers or arrays; a tie is shared by all of them."""
    if len(items) == 2:
        return np.maximum(*items) if function is np.max else np.minimum(*items)
    alike = items if len({np.shape(x) for x in items}) == 1 else np.broadcast_arrays(*items)
    return function(np.stack(alike), axis=0)


def blanks(parts: Sequence[Any]) -> str:
    return ", ".join(["{}"] * len(parts))


def static(node: ast.expr) -> Any:
    """An index or axis: whole numbers and slices, known before anything is computed."""
    if isinstance(node, ast.Tuple):
        return tuple(map(static, node.elts))
    if isinstance(node, ast.Slice):
        return slice(*[part and static(part) for part in (node.lower, node.upper, node.step)])
    try:
        return operator.index(ast.literal_eval(node))
    except (TypeError, ValueError):
        text = brief(ast.unparse(node))
        raise CommandError(f"{text!r} is no index: use whole numbers, as in x[0] or x[1:3]") from None


def evaluate(text: str, inputs: dict[str, Any], show: Show) -> tuple[list[Result], list[list[str]]]:
    """The results of a formula, and the lines of its table: name, operation, value, tangents."""
    trees = read_formula(text, inputs)
    sheet = Evaluation(inputs, show)
    items = [sheet.visit(tree) for tree in trees]
    results, labels = [], {name: name for name, *_ in sheet.rows}
    for k, item in enumerate(items, 1):
        label = "f" if len(items) == 1 else f"f{k}"
        value, tangents = sheet.split(item.value)
        results.append((label, value, np.reshape(tangents, (sheet.n, np.size(value))).T))
        labels[item.text] = f"{labels.get(item.text)} = {label}"
    rows = [[labels[name], operation, show(v), *map(show, ts)] for name, operation, v, ts in sheet.rows]
    return results, [["", "operation", "value", *directions(inputs)], *rows]


def read_formula(text: str, inputs: dict[str, Any]) -> list[ast.expr]:
    """The syntax trees of a formula's results, once its variables are known to be those given."""
    trees = [parse(part) for part in text.strip("; \n").split(";")]
    check_names(trees, inputs)
    n = sum(np.size(v) for v in inputs.values())
    if n > LARGEST:
        raise CommandError(f"the inputs have {n} numbers, but a formula takes at most {LARGEST}")
    return trees


def as_function(text: str, inputs: dict[str, Any]) -> Callable[..., Any]:
    """A formula as a function of its variables, in the order given; of several results it returns a dict."""
    trees = read_formula(text, inputs)

    def f(*values: Any) -> Any:
        sheet = Evaluation({}, str)
        sheet.seen = {name: Item(name, x, True) for name, x in zip(inputs, values)}
        made = [sheet.visit(tree).value for tree in trees]
        return {f"f{k + 1}": v for k, v in enumerate(made)} if len(made) > 1 else made[0]

    return f


def directions(inputs: dict[str, Any]) -> list[str]:
    return [f"d/d{place}" for name, x in inputs.items() for place in element_names(name, x)]
