"""The command line: a formula's derivatives with the table of its forward evaluation, or those of a function in a file.

A formula is parsed into a syntax tree, checked node by node against a whitelist, and then walked with `Dual` numbers;
no text is ever handed to eval or exec. Each input number is one direction, so that one pass shows every tangent.
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
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from .coverage import coverage
from .formula import (
    CONSTANTS,
    FUNCTIONS,
    CommandError,
    Result,
    Show,
    brief,
    directions,
    evaluate,
    match_names,
    near,
    places,
    read_values,
)
from .forward import value_and_jacobian
from .pytree import flatten

__all__ = ["main"]

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


def differentiate(f: Callable[..., Any], given: dict[str, Any]) -> tuple[dict[str, Any], list[Result]]:
    """The inputs in the order of f's parameters, and f's results."""
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
    call = lambda *args: f(*args[:leading], **dict(zip([*inputs][leading:], args[leading:])))
    try:
        value, jacobian = value_and_jacobian(call, argnums=tuple(range(len(inputs))))(*inputs.values())
    except Exception as exc:
        file = getattr(getattr(inspect.unwrap(f), "__code__", None), "co_filename", "")
        lines = [frame.lineno for frame in traceback.extract_tb(exc.__traceback__) if frame.filename == file]
        at = f" (at {os.path.basename(file)}:{lines[-1]})" if lines and " (at " not in str(exc) else ""
        reason = re.sub(r"^value_and_jacobian: | \(at __main__[^)]*\)", "", str(exc))
        raise CommandError(f"{name} failed: {type(exc).__name__}: {reason}{at}") from None
    values = flatten(value, lists=True)[0]
    blocks = [flatten(block)[0] if len(values) > 1 else [block] for block in jacobian]
    results = []
    for k, v in enumerate(values):
        parts = [np.reshape(b[k], (np.size(v), np.size(x))) for b, x in zip(blocks, inputs.values())]
        results.append(("f" if len(values) == 1 else f"f{k + 1}", v, np.hstack(parts) if parts else None))
    return inputs, results


# ---------------------------------------------------------------- printing


def shown(x: Any, digits: int, limit: float = math.inf) -> str:
    """A number, whole ones in full, or an array on one line; of a long axis the first three elements and the last.

    >>> shown(6.0, 6), shown(2 / 3, 3), shown([-0.0, 1e-9], 6), shown(np.arange(9.0), 6, limit=8)
    ('6', '0.667', '[0, 1e-09]', '[0, 1, 2, ..., 8]')
    """
    x = np.asarray(x)
    if x.ndim:
        cells = [shown(part, digits, limit) for part in (x if len(x) <= limit else [*x[:3], x[-1]])]
        return f"[{', '.join(cells if len(x) <= limit else [*cells[:3], '...', cells[3]])}]"
    v = x.item()
    if isinstance(v, float) and v.is_integer() and abs(v) < 1e15:
        return str(int(v))
    return str(v) if isinstance(v, bool) else f"{v:.{digits}g}"


def table(lines: list[list[str]], fixed: int, widest: float = math.inf) -> list[str]:
    """Aligned columns under a header, a bar after the first `fixed`; of too many columns the first and the last."""
    widths = [max(map(len, column)) + 2 for column in zip(*lines)]
    if sum(widths) > widest:
        keep = max(fixed + 1, sum(np.cumsum(widths) < widest - widths[-1] - 5))
        if keep < len(widths) - 2:
            return table([[*line[:keep], "...", line[-1]] for line in lines], fixed)
    rows = []
    for line in lines:
        cells = [c.ljust(w - 2) if k < min(fixed, 2) else c.rjust(w - 2) for k, (c, w) in enumerate(zip(line, widths))]
        rows.append(f"{'  '.join(cells[:fixed])} │ {'  '.join(cells[fixed:])}".rstrip())
    rows.insert(1, "".join("┼" if k == rows[0].index("│") else "─" for k in range(len(rows[0]))))
    return rows


def report(results: list[Result], inputs: dict[str, Any], show: Show) -> list[str]:
    """The values, then the gradient of a single number, or the Jacobian of anything else."""
    lines = [f"{label} = {show(value)}" for label, value, _ in results]
    if not inputs:
        return [*lines, "", "no variables, nothing to differentiate"]
    if len(results) == 1 and np.ndim(results[0][1]) == 0:
        parts = np.split(results[0][2][0], np.cumsum([np.size(x) for x in inputs.values()]))
        return [*lines, "", *[f"df/d{n} = {show(p.reshape(np.shape(x)))}" for (n, x), p in zip(inputs.items(), parts)]]
    rows = [[at, *map(show, row)] for label, v, jacobian in results for at, row in zip(places(label, v), jacobian)]
    return [*lines, "", *table([["Jacobian", *directions(inputs)], *rows], 1)]


def write(lines: Iterable[str]) -> None:
    """Print, with ASCII in the place of what stdout's encoding can't take."""
    text, encoding = "\n".join(lines), getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(str.maketrans("│─┼×", "|-+*")).encode(encoding, "backslashreplace").decode(encoding)
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
    """The options of a derivative; a subcommand would be a first word that `run` looks for before it comes here."""
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
    made.add_argument("--full", action="store_true", help="leave nothing out of wide tables and long vectors")
    return made


def run(argv: Sequence[str]) -> None:
    if list(argv) == ["coverage"]:
        print(coverage())
        return
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
    f = load(targets[0])
    if f is not None:
        return write(report(*differentiate(f, inputs)[::-1], show))
    results, rows = evaluate(targets[0], inputs, show if options.full else functools.partial(show, limit=8))
    widest = math.inf if options.full else shutil.get_terminal_size((120, 24)).columns
    write([*report(results, inputs, show), *(["", *table(rows, 3, widest)] if inputs else [])])


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
