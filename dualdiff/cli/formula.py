"""Formulas of the command line: read by `ast`, checked against a whitelist, made functions of numbers of any kind."""

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
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core.dual import relu
from ..core.table import ELEMENTWISE, PLAIN
from ..core.table import FUNCTIONS as RULES

LONGEST, LARGEST = 10_000, 100  # characters of a formula or value; numbers that a formula takes, a direction each
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
SPELLINGS = str.maketrans({"^": "**", "×": "*", "·": "*", "−": "-", "²": "**2", "³": "**3"})
OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.MatMult: np.matmul,
    ast.Mod: np.remainder,
    ast.FloorDiv: np.floor_divide,
    ast.USub: np.negative,
    ast.UAdd: lambda x: x,
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
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
            hint = "; write products with *" if isinstance(node, ast.Call) else ""
            raise CommandError(f"{brief(ast.unparse(node))!r} can't be used in a formula{hint}")
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


def names_in(trees: Iterable[ast.expr]) -> list[str]:
    """The variables and constants of formulas."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return [*dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called)]


def check_names(trees: Iterable[ast.expr], given: Iterable[str]) -> None:
    """Raise unless the variables of the formulas are those given."""
    used = names_in(trees)
    match_names(used, [name for name in used if name not in CONSTANTS], given, "used in the formula")


def match_names(known: Iterable[str], needed: Iterable[str], given: Iterable[str], how: str) -> None:
    """Raise unless every name that is needed is given, and every name that is given is known."""
    spare, missing = [n for n in given if n not in known], [n for n in needed if n not in given]
    for name in missing:
        hint = f"; {name}(...) is a function" if name in FUNCTIONS else run_together(name, given)
        hint = hint or near(name, [*spare, *CONSTANTS])
        raise CommandError(f"no value for {name!r}: add {name}=...{hint}")
    for name in spare:
        raise CommandError(f"{name!r} is given but not {how}{near(name, [n for n in known if n not in given])}")


def run_together(name: str, given: Iterable[str]) -> str:
    """What sinx and xy are meant to be."""
    for function in FUNCTIONS:
        if name.startswith(function) and name[len(function) :] in given:
            return f"; did you mean {function}({name[len(function) :]})?"
    return f"; did you mean {'*'.join(name)}?" if set(name) <= set(given) else ""


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
            [values[name]] = evaluate([tree], {})
        except CommandError:
            raise CommandError(f"bad value {name}={brief(text)}: write {name}=1.5 or {name}=[1,2,3]") from None
    return others, values


# ---------------------------------------------------------------- formulas as functions


def as_function(text: str, inputs: dict[str, Any], some: bool = False) -> Callable[..., Any]:
    """A formula as a function of its variables, or of `some` that it may use; of several results it returns a dict."""
    trees = [parse(part) for part in text.strip("; \n").split(";")]
    check_names(trees, [*inputs] if not some else [name for name in inputs if name in names_in(trees)])
    n = sum(np.size(v) for v in inputs.values())
    if n > LARGEST:
        raise CommandError(f"the inputs have {n} numbers, but a formula takes at most {LARGEST}")

    def f(*values: Any) -> Any:
        results = evaluate(trees, dict(zip(inputs, values)))
        return {f"f{k}": v for k, v in enumerate(results, 1)} if len(results) > 1 else results[0]

    return f


def evaluate(trees: Iterable[ast.expr], variables: dict[str, Any]) -> list[Any]:
    """The values of formulas; a term that occurs again is not computed again."""
    made: dict[Any, Any] = {}

    def once(node: ast.expr, key: Any, function: Callable[..., Any], *operands: Any) -> Any:
        key = (key, *map(id, operands))  # which stay alive in `made`
        if key not in made:
            try:
                made[key] = function(*operands)
            except Exception as exc:  # whatever NumPy says about shapes, or the rules about derivatives
                reason = re.sub(r" \(at [^)]*\)", "", str(exc))  # the line would be one of this file
                raise CommandError(f"{brief(ast.unparse(node))}: {reason}") from None
        return made[key]

    def visit(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return once(node, number, lambda: np.float64(number))
            case ast.Name(id=name):
                return variables[name] if name in variables else once(node, name, lambda: np.float64(CONSTANTS[name]))
            case ast.UnaryOp(op=op, operand=operand):
                return once(node, type(op), OPERATORS[type(op)], visit(operand))
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                return once(node, type(op), OPERATORS[type(op)], visit(left), visit(right))
            case ast.Subscript(value=array, slice=key):
                index = static(key)
                return once(node, repr(index), lambda x: x[index], visit(array))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return once(node, ast.List, lambda *xs: np.stack([*xs]) if xs else np.zeros(0), *map(visit, parts))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=options):
                function = FUNCTIONS[name][0]
                axis = static(options[0].value) if options else None
                if options:
                    function = functools.partial(function, axis=axis)
                elif FUNCTIONS[name][1] == 0 and len(args) > 1:
                    function = functools.partial(extreme, function)
                return once(node, (name, repr(axis)), function, *map(visit, args))
        raise CommandError(f"{brief(ast.unparse(node))!r} can't be used here")

    return [visit(tree) for tree in trees]


def extreme(function: Callable[..., Any], *items: Any) -> Any:
    """max or min of several numbers or arrays; a tie is shared by all of them."""
    if len(items) == 2:
        return np.maximum(*items) if function is np.max else np.minimum(*items)
    alike = items if len({np.shape(x) for x in items}) == 1 else np.broadcast_arrays(*items)
    return function(np.stack(alike), axis=0)


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


def spoken(text: str) -> dict[Any, str]:
    """The functions of a formula, each with the name that it has there; [x, y] has none."""
    return {np.stack: "", **{FUNCTIONS[name][0]: name for name in re.findall(r"\w+", text) if name in FUNCTIONS}}
