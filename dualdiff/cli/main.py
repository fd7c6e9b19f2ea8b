"""The command line: a formula's derivatives with the table of its forward evaluation, or those of a function in a file.

A formula is parsed into a syntax tree, checked node by node against a whitelist, and then walked with numbers that may
hold tangents; no text is ever handed to eval or exec. Each input number is one direction: a table shows all tangents.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import inspect
import math
import os
import re
import shutil
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from ..check.coverage import coverage
from ..core.pytree import flatten
from ..program.compile import compile
from ..show.rows import Source
from ..show.text import Table, element_names, shown
from ..show.trace import Trace, source_of, traced
from ..transforms.forward import jacobian, value_and_jacobian
from .formula import (
    CONSTANTS,
    FUNCTIONS,
    CommandError,
    as_function,
    brief,
    match_names,
    names_in,
    near,
    parse,
    read_values,
    spoken,
)

Result = tuple[str, Any, Any]  # label, value, Jacobian: a row for each element, a column for each direction

# ---------------------------------------------------------------- functions in files


def load(target: str) -> Callable[..., Any] | None:
    """The function that `module:function` or `file.py:function` names; None if the text looks like neither."""
    where, _, name = target.strip().rpartition(":")
    is_file = where.endswith(".py")
    if not name.isidentifier() or not (is_file or all(part.isidentifier() for part in where.split("."))):
        return None
    sys.path.insert(0, os.path.dirname(os.path.abspath(where)) if is_file else os.getcwd())  # as `python file.py` does
    try:
        if is_file:
            spec = importlib.util.spec_from_file_location(f"file_{os.path.basename(where)[:-3]}", where)
            assert spec is not None and spec.loader is not None
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
    except Exception as exc:
        raise CommandError(f"can't import {where}: {type(exc).__name__}: {exc}") from None
    function = getattr(module, name, None)
    if not callable(function):
        others = [n for n, v in vars(module).items() if callable(v)]
        raise CommandError(f"{where} has no function {name!r}{near(name, others)}")
    return function  # type: ignore[no-any-return]


def arguments(f: Callable[..., Any], given: dict[str, Any]) -> tuple[dict[str, Any], Callable[..., Any]]:
    """The inputs in the order of f's parameters, and f as a function of these by position."""
    name = getattr(f, "__name__", "the function")
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # some functions written in C don't tell: by position, under any names
        parameters = [inspect.Parameter(key, inspect.Parameter.POSITIONAL_ONLY) for key in given]
    parameters = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in parameters if p.default is p.empty]
    match_names([p.name for p in parameters], needed, given, f"an argument of {name}")
    inputs = {p.name: given[p.name] for p in parameters if p.name in given}
    leading = sum(p.kind is p.POSITIONAL_ONLY and p.name in given for p in parameters)
    return inputs, lambda *args: f(*args[:leading], **dict(zip([*inputs][leading:], args[leading:])))


def attempt(f: Callable[..., Any], compute: Callable[..., Any], *args: Any) -> Any:
    """compute(*args), where f is called; what goes wrong there in one line, with the place in f's file."""
    name = getattr(f, "__name__", "the function")
    try:
        return compute(*args)
    except CommandError:
        raise
    except Exception as exc:
        file = getattr(getattr(inspect.unwrap(f), "__code__", None), "co_filename", "")
        lines = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == file]
        at = f" (at {os.path.basename(file)}:{lines[-1]})" if lines and " (at " not in str(exc) else ""
        reason = re.sub(r"^(value_and_jacobian|trace): | \(at __main__[^)]*\)", "", str(exc))
        raise CommandError(f"{name} failed: {type(exc).__name__}: {reason}{at}") from None


def differentiate(f: Callable[..., Any], call: Callable[..., Any], inputs: dict[str, Any], mode: str) -> list[Result]:
    """f's results, with their Jacobians."""
    transformed = value_and_jacobian(call, argnums=tuple(range(len(inputs))), mode=mode)
    value, jacobian = attempt(f, transformed, *inputs.values())
    values = flatten(value, lists=True)[0]
    blocks = [flatten(block)[0] for block in jacobian]
    results = []
    for k, v in enumerate(values):
        parts = [np.reshape(b[k], (np.size(v), np.size(x))) for b, x in zip(blocks, inputs.values())]
        results.append(("f" if len(values) == 1 else f"f{k + 1}", v, np.hstack(parts) if parts else None))
    return results


# ---------------------------------------------------------------- printing


def report(results: list[Result], inputs: dict[str, Any], show: Callable[[Any], str]) -> list[str]:
    """The values, then the gradient of a single number, or the Jacobian of anything else."""
    lines = [f"{label} = {show(value)}" for label, value, _ in results]
    if not inputs:
        return [*lines, "", "no variables, nothing to differentiate"]
    if len(results) == 1 and np.ndim(results[0][1]) == 0:
        parts = np.split(results[0][2][0], np.cumsum([np.size(x) for x in inputs.values()]))
        return [*lines, "", *[f"df/d{n} = {show(p.reshape(np.shape(x)))}" for (n, x), p in zip(inputs.items(), parts)]]
    rows = [
        [at, *map(show, row)] for label, v, jacobian in results for at, row in zip(element_names(label, v), jacobian)
    ]
    columns = [f"d/d{place}" for name, x in inputs.items() for place in element_names(name, x)]
    return [*lines, "", *Table(["Jacobian", *columns], rows, "<|>").lines()]


ASCII = str.maketrans("│─┼×↓↑←→", "|-+*v^<>")


def write(lines: Iterable[str]) -> None:
    """Print, with ASCII in the place of what stdout's encoding can't take."""
    text, encoding = "\n".join(lines), getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(ASCII).encode(encoding, "backslashreplace").decode(encoding)
    print(text)


# ---------------------------------------------------------------- the command

EXAMPLES = """\
examples:
  python -m dualdiff "(x+y)*max(y,z)" x=1 y=2 z=0           value, gradient, and every step on the way
  python -m dualdiff "ln(x1) + x1*x2 - sin(x2)" x1=2 x2=5   the textbooks' example
  python -m dualdiff "r*cos(t); r*sin(t)" r=2 t=pi/3        several results: the Jacobian
  python -m dualdiff "sum(x^2)/2" "x=[1,2,3]"               a vector
  python -m dualdiff "W @ x + b" "W=[[1,2],[3,4]]" "x=[1,1]" b=0
  python -m dualdiff model.py:loss "w=[1,2]" b=0            a function in a file, or module:function
  python -m dualdiff "x*y + sin(x)" x=1 y=2 --trace --reverse   the way there and, for the adjoints, back
  python -m dualdiff "x*y + sin(x)" x=1 y=2 --graph svg > graph.svg   its computational graph, as a picture
  python -m dualdiff "x*y + sin(x)" x=1 y=2 --page out.html   a page that steps through both passes
  python -m dualdiff check "sin(x^2)" "cos(x^2)"            a derivative done by hand, the slip named (several: "y; x")
  python -m dualdiff coverage                               which functions of NumPy and SciPy are differentiable

how to read the table:
  v1, v2, ... are first the inputs, then one operation after the other on those above. A column d/dx holds their
  derivatives with respect to x: 1 for x itself, 0 for the other inputs, and then, from row to row by the chain rule,
  what follows from those above. Value and derivatives are computed in the same pass: forward mode.

formulas may use:
  + - * / ** (or ^) @ % // < <= > >=, x[0], x[1:3], [x, y], axis= in sums and the like, ; between results, and
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise CommandError(f"{message}; --help shows examples")


def parser() -> Parser:
    """The options of a derivative; `coverage` and `check` are first words that `run` looks for before it comes here."""
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
    made.add_argument("--digits", type=int, default=6, metavar="N", help="how many significant digits to print (6)")
    made.add_argument("--trace", action="store_true", help="print the evaluation trace, of functions in files too")
    made.add_argument("--reverse", action="store_true", help="reverse mode: one pass back gives a whole gradient")
    made.add_argument("--graph", choices=["mermaid", "dot", "svg"], help="print nothing but the computational graph")
    made.add_argument("--page", metavar="FILE", help="write a page (HTML) that steps through both passes")
    made.add_argument("--program", action="store_true", help="print nothing but generated code for the derivatives")
    version = importlib.import_module("dualdiff").__version__
    made.add_argument("--version", action="version", version=f"dualdiff {version}")
    made.add_argument("--full", action="store_true", help="leave nothing out of wide tables and long vectors")
    return made


def check(words: Sequence[str]) -> int:
    """Whether the second formula is the first one's derivative; several, joined by ;, are those by its variables."""
    texts, point = read_values(words)
    if len(texts) != 2:
        raise CommandError('check takes a formula and its derivative done by hand: check "x^2" "2*x"')
    names: dict[str, Any] = point or dict.fromkeys(
        name for name in names_in([parse(texts[0])]) if name not in CONSTANTS
    )
    f, by_hand = as_function(texts[0], names), as_function(texts[1], names, some=True)
    parts = texts[1].count(";") + 1
    if parts != len(names):
        raise CommandError(f"by {', '.join(names) or 'nothing'}: {len(names)} derivatives, joined by ;, not {parts}")
    manual = by_hand if parts == 1 else lambda *xs: (*by_hand(*xs).values(),)
    oracle = importlib.import_module("dualdiff.check.oracle")  # sympy takes its time
    shapes = [(name, np.shape(x) if point else ()) for name, x in names.items()]
    try:
        by = tuple(range(parts)) if parts > 1 else 0
        report = oracle.check(f, manual, *shapes, argnums=by, at=(*point.values(),) or None)
    except (TypeError, ValueError) as exc:
        raise CommandError(str(exc)) from None
    write([str(report)])
    return 0 if report else 1


def run(argv: Sequence[str]) -> int:
    if list(argv) == ["coverage"]:
        print(coverage())
        return 0
    if list(argv[:1]) == ["check"]:
        return check(argv[1:])
    # A leading minus is mostly a formula's; argparse takes nothing for an option that begins with a space.
    words = [f" {w}" if w.startswith("-") and not re.match(r"--[a-z]|-h$", w) else w for w in argv]
    options = parser().parse_intermixed_args(words)
    if not 1 <= options.digits <= 17:
        raise CommandError(f"--digits is from 1 to 17, not {options.digits}")
    targets, inputs = read_values(options.words)
    if not targets:
        raise CommandError('no formula; for example: python -m dualdiff "x*sin(x)" x=2')
    if len(targets) > 1:
        many = brief(", ".join(targets))
        raise CommandError(f"several formulas: {many}; quote a formula, join them with ; and write x=1 without spaces")
    show = functools.partial(shown, digits=options.digits)
    widest = math.inf if options.full else shutil.get_terminal_size((120, 24)).columns
    function = load(targets[0])
    f = as_function(targets[0], inputs) if function is None else function
    inputs, call = (inputs, f) if function is None else arguments(f, inputs)
    if options.graph:
        made = tracing(f, call, inputs)
        try:
            write([getattr(made, options.graph)().rstrip()])
        except ValueError as exc:  # too large a picture
            raise CommandError(str(exc)) from None
        return 0
    if options.page:
        source = Source(targets[0]) if function is None else source_of(f)
        try:
            tracing(f, call, inputs, source=source).page(options.page)
        except OSError as exc:
            raise CommandError(f"can't write {options.page}: {exc.strerror}") from None
        write([f"written: {options.page}"])
        return 0
    mode = "reverse" if options.reverse else "forward"
    if options.program:
        compiled = compile(jacobian(named(f, call, inputs), tuple(range(len(inputs))), mode))
        attempt(f, compiled, *inputs.values())
        if not compiled.source:
            raise CommandError(f"no program can be made: {compiled.report or 'the derivative is not finite here'}")
        write([compiled.source])
        return 0
    lines = report(differentiate(f, call, inputs, mode), inputs, show)
    if inputs and (options.trace or (function is None and not options.reverse)):
        names = spoken(targets[0]) if function is None else {}
        made = tracing(f, call, inputs, numbered=True, spoken=names, digits=options.digits)
        if options.trace:
            lines += ["", made.text(adjoints=options.reverse, digits=options.digits, widest=widest)]
        else:
            short = show if options.full else functools.partial(show, limit=8)
            rows = [[made.label(row), row.operation, *map(short, (row.value, *row.tangent))] for row in made.rows]
            lines += ["", *Table(["", "operation", "value", *made.directions], rows, "<<>|>").lines(widest)]
    write(lines)
    return 0


def named(f: Callable[..., Any], call: Callable[..., Any], inputs: dict[str, Any]) -> Callable[..., Any]:
    """`call` with the inputs as its parameters, under f's name."""
    made: Any = lambda *args: call(*args)
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in inputs]
    made.__signature__, made.__name__ = inspect.Signature(parameters), getattr(f, "__name__", "f")
    return made  # type: ignore[no-any-return]


def tracing(f: Callable[..., Any], call: Callable[..., Any], inputs: dict[str, Any], **options: Any) -> Trace:
    """The trace of f at the inputs, under their names and f's."""
    made = attempt(f, functools.partial(traced, **options), named(f, call, inputs), inputs.values())
    assert isinstance(made, Trace)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line: 0, or 1 if `check` finds a slip, or 2 after one line on stderr about what is wrong.

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
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", RuntimeWarning)
            status = run(sys.argv[1:] if argv is None else argv)
        for message in dict.fromkeys(str(w.message) for w in said):
            print(f"dualdiff: warning: {message}", file=sys.stderr)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever reads, as `head` does, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CommandError, RecursionError) as exc:
        message = "the formula is nested too deeply" if isinstance(exc, RecursionError) else " ".join(str(exc).split())
        print(f"dualdiff: {message}", file=sys.stderr)
        return 2
    return 0
