"""The command line: a formula's derivatives with the table of its forward evaluation, or those of a function in a file.

A formula is parsed into a syntax tree, checked node by node against a whitelist, and then walked with `Dual` numbers;
no text is ever handed to eval or exec. Each input number is one direction, so that one pass shows every tangent.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import functools
import importlib
import importlib.util
import inspect
import keyword
import math
import os
import re
import sys
import textwrap
import traceback
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from .dual import Dual, relu
from .forward import value_and_jacobian
from .pytree import flatten
from .rules import ELEMENTWISE, PLAIN
from .rules import FUNCTIONS as RULES

__all__ = ["main"]

LONGEST, LARGEST = 2000, 300  # characters of a formula; numbers in its inputs, whose square no intermediate outgrows
CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}
SPELLINGS = {"^": "**", "×": "*", "·": "*", "−": "-"}
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
    ast.UAdd: ("{}", np.positive),
    ast.Lt: ("{} < {}", np.less),
    ast.LtE: ("{} <= {}", np.less_equal),
    ast.Gt: ("{} > {}", np.greater),
    ast.GtE: ("{} >= {}", np.greater_equal),
    ast.Eq: ("{} == {}", np.equal),
    ast.NotEq: ("{} != {}", np.not_equal),
}
# The functions by number of arguments; none makes an array larger than a matrix of its operands' elements.
TAKING = {
    0: "max min",  # any number: max(x) of a vector, max(x, y, ...) elementwise
    1: "sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp exp2 expm1 log log2 log10 log1p sqrt "
    "cbrt square reciprocal absolute fabs sign floor ceil trunc round degrees radians sinc erf erfc expit gammaln sum "
    "prod mean var std cumsum cumprod diff ptp median norm transpose diagonal trace det inv",
    2: "maximum minimum power hypot arctan2 copysign fmod logaddexp dot inner vdot matmul cross solve",
    3: "clip where",
}
ALIASES = {"abs": "absolute", "ln": "log", "pow": "power", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
ALIASES |= {"asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "atan2": "arctan2"}
ALONG_AXIS = set("max min sum prod mean var std cumsum cumprod diff ptp median norm".split())

_RULED = {f.__name__: f for table in (PLAIN, RULES, ELEMENTWISE) for f in table}  # names without a rule (yet) drop out
FUNCTIONS = {name: (_RULED[name], n) for n, names in TAKING.items() for name in names.split() if name in _RULED}
FUNCTIONS |= {alias: FUNCTIONS[name] for alias, name in ALIASES.items()} | {"relu": (relu, 1)}


class CommandError(Exception):
    """What is wrong with the command line, said in one line."""


class Item(NamedTuple):
    """A number in a formula: a row of the table (`text` is its name) or a constant (`text` is how it is written)."""

    text: str
    value: Any
    varies: bool


class Result(NamedTuple):
    """A result: its label, value, and Jacobian with a row for each element and a column for each direction."""

    label: str
    value: Any
    jacobian: Any


# ---------------------------------------------------------------- reading formulas and values


def parse(text: str) -> ast.expr:
    """The syntax tree of a formula in which nothing is left that the whitelist does not know.

    >>> ast.unparse(parse("2 x^2".replace(" ", "*")))
    '2 * x ** 2'
    >>> parse("x.__class__")
    Traceback (most recent call last):
    dualdiff.__main__.CommandError: 'x.__class__' can't be used in a formula
    """
    if len(text) > LONGEST:
        raise CommandError(f"the formula has {len(text)} characters, but at most {LONGEST} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on literals
            tree = ast.parse(text.strip().translate(str.maketrans(SPELLINGS)), mode="eval").body
    except SyntaxError as exc:
        hint = "; write products with *, as in 2*x" if re.search(r"\d[A-Za-z_(]|\)[\w(]|\w \w", text) else ""
        raise CommandError(f"bad formula {text.strip()!r}: {exc.msg.partition(' (')[0]}{hint}") from None
    except (ValueError, MemoryError):  # a null character; nested beyond Python's parser
        raise CommandError("bad formula: it can't be parsed") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            allowed = type(node.value) in (int, float)
        elif isinstance(node, ast.BinOp | ast.UnaryOp):
            allowed = type(node.op) in OPERATORS
        elif isinstance(node, ast.Compare):
            allowed = len(node.ops) == 1 and type(node.ops[0]) in OPERATORS
        elif isinstance(node, ast.Call):
            allowed = check_call(node)
        else:
            known = (ast.Name, ast.List, ast.Tuple, ast.IfExp, ast.Subscript, ast.Slice)
            allowed = isinstance(node, known) or not isinstance(node, ast.expr)
        if not allowed:
            raise CommandError(f"{textwrap.shorten(ast.unparse(node), 60)!r} can't be used in a formula")
    return tree


def check_call(node: ast.Call) -> bool:
    """Whether a call has a plain name and plain arguments; unknown functions and wrong counts raise."""
    if not isinstance(node.func, ast.Name):
        return False
    name, count = node.func.id, len(node.args)
    if name not in FUNCTIONS:
        raise CommandError(f"unknown function {name!r}{near(name, FUNCTIONS) or '; products are written with *'}")
    n = FUNCTIONS[name][1]
    if count != n and (n or not count):
        raise CommandError(f"{name} takes {n or 'at least 1'} argument{'s' * (n > 1)}, not {count}")
    return all(k.arg == "axis" and name in ALONG_AXIS and count == 1 for k in node.keywords)


def variables(trees: Iterable[ast.expr], given: Iterable[str]) -> None:
    """Raise unless the names used in the formulas are those given (or constants), each of them."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    calls = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    used = {node.id: None for node in nodes if isinstance(node, ast.Name) and id(node) not in calls}
    match_names(used, [name for name in used if name not in CONSTANTS], given, "the formula")


def match_names(known: Iterable[str], needed: Iterable[str], given: Iterable[str], where: str) -> None:
    """Raise unless each name that is needed is given, and each given one known."""
    given, known = list(given), list(known)
    spare = [name for name in given if name not in known]
    for name in needed:
        if name not in given:
            hint = near(name, [*spare, *CONSTANTS]) or (f"; {name} is a function: {name}(...)" if name in FUNCTIONS else "")
            raise CommandError(f"no value for {name!r}: add {name}=...{hint}")
    for name in spare:
        raise CommandError(f"{name!r} is given but not used in {where}{near(name, set(known) - set(given))}")


def near(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def read_values(words: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """The words name=value as numbers and arrays, and all other words."""
    others: list[str] = []
    values: dict[str, Any] = {}
    for word in words:
        match = re.fullmatch(r"\s*(\w+)\s*=(?!=)(.*)", word, re.DOTALL)
        if match is None:
            others.append(word)
            continue
        name, text = unicodedata.normalize("NFKC", match[1]), match[2].strip()  # as Python's parser does with names
        if not name.isidentifier() or keyword.iskeyword(name):
            raise CommandError(f"{name!r} can't be the name of a variable; choose another")
        if name in values:
            raise CommandError(f"{name!r} is given twice")
        try:
            tree = parse(text)
            variables([tree], [])
            value = Evaluation({}, str).visit(tree).value
        except CommandError:
            text = textwrap.shorten(text, 40)
            raise CommandError(f"bad value {name}={text}: write {name}=1.5 or '{name}=[1, 2, 3]'") from None
        values[name] = value if np.ndim(value) else float(value)
    return others, values


# ---------------------------------------------------------------- walking a formula


class Evaluation:
    """The rows of a forward evaluation: the inputs, each with its own directions, then every operation once."""

    def __init__(self, inputs: dict[str, Any], show: Callable[[Any], str]) -> None:
        self.show = show
        self.rows: list[tuple[str, str, Any]] = []  # name, operation, value
        self.seen: dict[Any, Item] = {}
        self.inputs: dict[str, Item] = {}
        self.n = sum(np.size(v) for v in inputs.values())
        if self.n > LARGEST:
            raise CommandError(f"the inputs have {self.n} numbers, but a formula takes at most {LARGEST}")
        at, identity = 0, np.eye(self.n)
        for name, v in inputs.items():
            seed = identity[:, at : at + np.size(v)].reshape(self.n, *np.shape(v))
            self.inputs[name] = self.row(name, Dual(v, seed))
            at += np.size(v)

    def row(self, operation: str, value: Any) -> Item:
        name = f"v{len(self.rows) + 1}"
        self.rows.append((name, operation, value))
        return Item(name, value, True)

    def constant(self, value: Any) -> Item:
        return Item(self.show(value), value, False)

    def apply(self, node: ast.expr, form: str, function: Callable[..., Any], operands: Sequence[Item]) -> Item:
        """A row for function(*operands), unless there is one already or all of them are constants."""
        key = (form, *[x.text if x.varies else repr(x.value) for x in operands])
        if key not in self.seen:
            try:
                with np.errstate(all="ignore"):
                    value = function(*[x.value for x in operands])
            except Exception as exc:  # whatever NumPy says about shapes, or the rules about derivatives
                reason = re.sub(r" \(at [^)]*\)", "", str(exc))  # the line would be one of this file
                raise CommandError(f"{textwrap.shorten(ast.unparse(node), 60)}: {reason}") from None
            text = form.format(*[x.text for x in operands])
            self.seen[key] = self.row(text, value) if any(x.varies for x in operands) else self.constant(value)
        return self.seen[key]

    def visit(self, node: ast.expr) -> Item:
        """The item of a node; its operands' rows come first."""
        match node:
            case ast.Constant(value=int() | float() as number):
                try:
                    return self.constant(np.float64(number))
                except OverflowError:
                    raise CommandError(f"a number of {len(str(number))} digits is too large") from None
            case ast.Name(id=name):
                return self.inputs[name] if name in self.inputs else Item(name, np.float64(CONSTANTS[name]), False)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.visit(operand)
            case ast.UnaryOp(op=op, operand=operand):
                return self.apply(node, *OPERATORS[type(op)], [self.visit(operand)])
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                items = [self.visit(left), self.visit(right)]
                items = [x._replace(text=f"({x.text})") if x.text.startswith("-") else x for x in items]
                return self.apply(node, *OPERATORS[type(op)], items)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                item = self.visit(test)
                if np.ndim(item.value):
                    raise CommandError(f"{ast.unparse(test)}: an if needs one number; where(...) chooses for each element")
                return self.visit(body if item.value else orelse)
            case ast.Subscript(value=value, slice=key):
                item, index = self.visit(value), static(key)
                form = "{}" + ast.unparse(node)[len(ast.unparse(value)) :]
                return self.apply(node, form, lambda x: x[index], [item])
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                stack = lambda *items: np.stack(items) if items else np.zeros(0)
                return self.apply(node, f"[{blanks(len(parts))}]", stack, [self.visit(part) for part in parts])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                function, form = FUNCTIONS[name][0], f"{name}({blanks(len(args))})"
                if keywords:
                    axis = static(keywords[0].value)
                    function, form = functools.partial(function, axis=axis), form[:-1] + f", axis={axis})"
                elif name in ("max", "min") and len(args) > 1:
                    function = several(name, len(args))
                return self.apply(node, form, function, [self.visit(arg) for arg in args])
        raise CommandError(f"{ast.unparse(node)!r} can't be used here")

    def tangent(self, value: Any) -> Any:
        """The derivatives along all directions, on a leading axis; zero where nothing moves."""
        return value.tangent if isinstance(value, Dual) else np.zeros((self.n, *np.shape(value)))

    def result(self, label: str, item: Item) -> Result:
        v = item.value
        return Result(label, plain(v), np.reshape(self.tangent(v), (self.n, int(np.size(plain(v))))).T)

    def table(self, labels: dict[str, str], columns: list[str], full: bool) -> list[str]:
        """The rows as text: one column for each direction; `labels` tells which rows are results."""
        lines = [["", "operation", "value", *columns]]
        for name, operation, value in self.rows:
            cells = [self.show(x) for x in (plain(value), *self.tangent(value))]
            lines.append([name + labels.get(name, ""), operation, *cells])
        return table(lines, 3, full)


def plain(x: Any) -> Any:
    return x.value if isinstance(x, Dual) else x


def blanks(n: int) -> str:
    return ", ".join(["{}"] * n)


def several(name: str, n: int) -> Callable[..., Any]:
    """max or min of several numbers: elementwise for two, among all of them (a tie is shared by all) for more."""
    if n == 2:
        return np.maximum if name == "max" else np.minimum
    return lambda *items: getattr(np, name)(np.stack(items), axis=0)


def static(node: ast.expr | None) -> Any:
    """An index or axis: whole numbers and slices."""
    match node:
        case ast.Tuple(elts=parts):
            return tuple(static(part) for part in parts)
        case ast.Slice(lower=lower, upper=upper, step=step):
            return slice(*[None if part is None else static(part) for part in (lower, upper, step)])
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return -number
        case ast.Constant(value=int() as number):
            return number
    raise CommandError(f"{ast.unparse(node) if node else ''!r} is no index: use whole numbers, as in x[0] or x[1:3]")


# ---------------------------------------------------------------- functions in files


def load(target: str) -> Callable[..., Any] | None:
    """The function that `module:function` or `file.py:function` names; None if the text looks like neither."""
    where, colon, name = target.strip().rpartition(":")
    is_file = where.endswith(".py")
    if not colon or not name.isidentifier() or not (is_file or all(part.isidentifier() for part in where.split("."))):
        return None
    try:
        sys.path.insert(0, os.path.dirname(os.path.abspath(where)) if is_file else os.getcwd())  # as `python file.py`
        if is_file:
            spec = importlib.util.spec_from_file_location(f"file_{os.path.basename(where)[:-3]}", where)
            assert spec is not None and spec.loader is not None
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
    except Exception as exc:
        raise CommandError(f"can't import {where}: {describe(exc)}") from None
    function = getattr(module, name, None)
    if not callable(function):
        functions = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise CommandError(f"{where} has no function {name!r}{near(name, functions)}")
    return function  # type: ignore[no-any-return]


def describe(exc: BaseException, file: str = "") -> str:
    """An exception in one line, with the line of `file` that it came from."""
    lines = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == file]
    at = f" (at {os.path.basename(file)}:{lines[-1]})" if lines and " (at " not in str(exc) else ""
    return f"{type(exc).__name__}: {exc}{at}"


def differentiate(f: Callable[..., Any], given: dict[str, Any]) -> tuple[dict[str, Any], list[Result]]:
    """The inputs in the order of f's parameters, and f's results."""
    name = getattr(f, "__name__", "the function")
    try:
        named = [p for p in inspect.signature(f).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    except (TypeError, ValueError):  # some functions written in C don't tell
        raise CommandError(f"{name} has no signature; call it from a function of your own") from None
    match_names([p.name for p in named], [p.name for p in named if p.default is p.empty], given, f"{name}'s signature")
    inputs = {p.name: given[p.name] for p in named if p.name in given}
    leading = [p.name for p in named if p.kind is p.POSITIONAL_ONLY and p.name in given]

    def call(*args: Any) -> Any:
        by_name = dict(zip(inputs, args))
        return f(*[by_name.pop(p) for p in leading], **by_name)

    try:
        value, jacobian = value_and_jacobian(call, argnums=tuple(range(len(inputs))))(*inputs.values())
    except Exception as exc:
        raise CommandError(f"{name} failed: {describe(exc, getattr(inspect.unwrap(f), '__code__', None).co_filename)}") from None
    values = flatten(value, lists=True)[0]
    blocks = [flatten(block)[0] if len(values) > 1 else [block] for block in jacobian]
    results = []
    for k, v in enumerate(values):
        parts = [np.reshape(b[k], (np.size(v), np.size(x))) for b, x in zip(blocks, inputs.values())]
        label = "f" if len(values) == 1 else f"f{k + 1}"
        results.append(Result(label, v, np.hstack(parts) if parts else np.zeros((np.size(v), 0))))
    return inputs, results


# ---------------------------------------------------------------- printing


def number(x: Any, digits: int) -> str:
    """A number to so many significant digits; a whole one in full.

    >>> number(6.0, 6), number(2 / 3, 3), number(-0.0, 6), number(1234567.0, 6)
    ('6', '0.667', '0', '1234567')
    """
    if isinstance(x, bool | np.bool):
        return str(x)
    return str(int(x)) if float(x).is_integer() and abs(x) < 1e15 else f"{x:.{digits}g}"


def shown(x: Any, digits: int, limit: float = math.inf) -> str:
    """A number or array as one line; of more than `limit` elements along an axis the first three and the last."""
    x = np.asarray(x)
    if x.ndim == 0:
        return number(x[()], digits)
    cells = [shown(part, digits, limit) for part in (x if len(x) <= limit else [*x[:3], x[-1]])]
    return f"[{', '.join(cells if len(x) <= limit else [*cells[:3], '...', cells[3]])}]"


def places(label: str, shape: tuple[int, ...]) -> list[str]:
    """A label for each element.

    >>> places("x", (3,))
    ['x[0]', 'x[1]', 'x[2]']
    """
    return [label + (f"[{','.join(map(str, index))}]" if index else "") for index in np.ndindex(shape)]


def table(lines: list[list[str]], fixed: int, full: bool, limit: int = 12) -> list[str]:
    """Aligned columns under a header, with a bar after the first `fixed`; many columns lose their middle."""
    if not full and len(lines[0]) - fixed > limit:
        lines = [[*line[: fixed + limit - 2], "...", line[-1]] for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines)]
    rows = []
    for line in lines:
        cells = [c.ljust(w) if k < 2 and k < fixed else c.rjust(w) for k, (c, w) in enumerate(zip(line, widths))]
        rows.append("  ".join(cells[:fixed]) + " │ " + "  ".join(cells[fixed:]))
    bar = rows[0].index("│")
    rows.insert(1, "─" * bar + "┼" + "─" * (len(rows[0]) - bar - 1))
    return [row.rstrip() for row in rows]


def report(results: list[Result], inputs: dict[str, Any], show: Callable[[Any], str], full: bool) -> list[str]:
    """The values, and the gradient of a single number or the Jacobian of anything else."""
    lines = [f"{r.label} = {show(r.value)}" for r in results]
    if not inputs:
        return [*lines, "no variables, nothing to differentiate"]
    if len(results) == 1 and np.ndim(results[0].value) == 0:
        ends = np.cumsum([np.size(v) for v in inputs.values()])[:-1]
        parts = np.split(results[0].jacobian[0], ends)
        return [*lines, "", *[f"df/d{n} = {show(p.reshape(np.shape(v)))}" for (n, v), p in zip(inputs.items(), parts)]]
    rows = [["Jacobian", *directions(inputs)]]
    for r in results:
        rows += [[place, *map(show, row)] for place, row in zip(places(r.label, np.shape(r.value)), r.jacobian)]
    return [*lines, "", *table(rows, 1, full)]


def directions(inputs: dict[str, Any]) -> list[str]:
    return [f"d/d{place}" for name, v in inputs.items() for place in places(name, np.shape(v))]


def write(lines: Iterable[str]) -> None:
    """Print, with ASCII in the place of what stdout's encoding can't take."""
    text, encoding = "\n".join(lines), getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(str.maketrans("│─┼×", "|-+*")).encode(encoding, "backslashreplace").decode(encoding)
    print(text)


# ---------------------------------------------------------------- the command


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}; --help shows examples")


EXAMPLES = """\
examples:
  python -m dualdiff "(x+y)*max(y,z)" x=1 y=2 z=0           value, gradient, and each step on the way
  python -m dualdiff "ln(x1) + x1*x2 - sin(x2)" x1=2 x2=5   the classic of the textbooks
  python -m dualdiff "r*cos(t); r*sin(t)" r=2 t=pi/3        several results: the Jacobian
  python -m dualdiff "sum(x^2)/2" "x=[1,2,3]"               a vector
  python -m dualdiff "tanh(W @ x + b)" "W=[[1,-2],[3,4]]" "x=[1,2]" b=1
  python -m dualdiff model.py:loss "w=[1,2]" b=0            a function in a file (or module:function)

how to read the table:
  Each row is one operation on rows above it: v1, v2, ... are the inputs, then the intermediates. A column d/dx holds
  each row's derivative with respect to x. It starts at 1 for x itself and 0 for the other inputs, and follows from the
  rows above by the chain rule, in the same pass as the value. This is forward mode.

formulas know:
  + - * / ** (or ^) @ % // comparisons, a if c else b, x[0], x[1:3], [x, y], ; between results
"""


def parser() -> Parser:
    """The options of a derivative; a subcommand would be a first word that `main` looks for before it comes here."""
    names = textwrap.fill(" ".join([*FUNCTIONS, *CONSTANTS]), 110, initial_indent="  ", subsequent_indent="  ")
    made = Parser(
        prog="python -m dualdiff",
        usage="%(prog)s [options] FORMULA name=value ...",
        description="Exact derivatives by dual numbers: of a formula, or of a Python function in a file.",
        epilog=EXAMPLES + names,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("words", nargs="*", metavar="FORMULA name=value", help="in quotes, to keep them from the shell")
    made.add_argument("--digits", type=int, default=6, metavar="N", help="significant digits to print (6)")
    made.add_argument("--full", action="store_true", help="leave nothing out of wide tables and long vectors")
    return made


def run(argv: Sequence[str]) -> None:
    # A leading minus is mostly that of a formula; argparse takes for an option only what has no space before it.
    words = [f" {w}" if w.startswith("-") and not re.match(r"--[a-z]|-h$", w) else w for w in argv]
    options = parser().parse_intermixed_args(words)
    if not 1 <= options.digits <= 17:
        raise CommandError(f"--digits is from 1 to 17, not {options.digits}")
    targets, given = read_values(options.words)
    if len(targets) != 1:
        few = 'no formula; for example: python -m dualdiff "x*sin(x)" x=2'
        many = f"several formulas: {', '.join(map(repr, targets))}; quote each word, and put ; between results"
        raise CommandError(many if targets else few)
    show = functools.partial(shown, digits=options.digits, limit=math.inf if options.full else 8)
    value = functools.partial(shown, digits=options.digits)
    f = load(targets[0])
    if f is not None:
        inputs, results = differentiate(f, given)
        return write(report(results, inputs, value, options.full))
    formulas = targets[0].rstrip("; ").split(";")
    trees = [parse(formula) for formula in formulas]
    variables(trees, given)
    sheet = Evaluation(given, show)
    items = [sheet.visit(tree) for tree in trees]
    names = ["f"] if len(items) == 1 else [f"f{k + 1}" for k in range(len(items))]
    labels: dict[str, str] = {}
    for name, item in zip(names, items):
        labels[item.text] = labels.get(item.text, "") + f" = {name}"
    lines = report([sheet.result(*pair) for pair in zip(names, items)], given, value, options.full)
    write([*lines, "", *sheet.table(labels, directions(given), options.full)] if given else lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; 0, or 2 after one line on stderr about what is wrong.

    >>> main(["x*y + sin(x)", "x=0", "y=2"])
    f = 0
    <BLANKLINE>
    df/dx = 3
    df/dy = 0
    <BLANKLINE>
            operation  value │ d/dx  d/dy
    ─────────────────────────┼───────────
    v1      x              0 │    1     0
    v2      y              2 │    0     1
    v3      v1 × v2        0 │    2     0
    v4      sin(v1)        0 │    1     0
    v5 = f  v3 + v4        0 │    3     0
    0
    """
    try:
        run(sys.argv[1:] if argv is None else argv)
    except (CommandError, RecursionError) as exc:
        message = "the formula is nested too deeply" if isinstance(exc, RecursionError) else " ".join(str(exc).split())
        print(f"dualdiff: {message}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
