"""Evaluation traces: what f computes, step by step; tangents go down the rows, adjoints come back up.

f runs once on recorded tangents, whose tape notes every primitive. Forward mode is the recorded linear program applied
to seed directions, reverse mode its transpose applied to a cotangent of the result, and a local derivative the same
transpose between a row and its operands: all numbers of a trace are of one recording.
"""

from __future__ import annotations

import importlib
import inspect
import math
import operator
import os
import re
import sys
import tempfile
import textwrap
import webbrowser
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..core.number import Number
from ..core.pytree import flatten
from ..core.tangents import hush, unhush
from ..core.values import dtype_of, is_complex, plain, shape_of, size_of
from ..run.call import Call, Function, number
from ..run.checks import check_function, fitting
from ..spaces.cotangents import Cotangents, order, real
from ..spaces.recorded import Combine
from ..transforms.reverse import Record
from . import graph, page
from .rows import Row, Rows, Source, Step, Steps, constant, literal
from .text import Table, cell, element_names

MOST_SEEDS = 4  # inputs, up to which each gets a direction of its own
JACOBIAN = 36  # elements of a local Jacobian that is still computed
age = operator.attrgetter("serial")


class Trace(Rows):
    """What `trace` returns: its rows, which print as a table, and its drawings."""

    __slots__ = ()

    def text(self, tangents: bool = True, adjoints: bool = True, digits: int = 6, widest: float = math.inf) -> str:
        """The tables, of values with or without tangents, and of adjoints from the last row to the first."""
        head = ["forward ↓", "operation", *(["value", *self.directions] if tangents else ["value"])]
        rows = []
        for row in self.rows:
            ts = [cell(t, digits) for t in row.tangent] if tangents else []
            rows.append([self.label(row), row.operation, cell(row.value, digits), *ts])
        out = Table(head, rows, "<<>|>" if len(head) > 3 else "<<|>").lines(widest)
        if adjoints:
            sums = self.sums(digits)
            head = ["reverse ↑", "adjoint", "= sum over the uses: adjoint there × local derivative"]
            rows = [[self.label(row), cell(row.adjoint, digits), sums[row.name]] for row in reversed(self.rows)]
            out += ["", *Table(head, rows, "<>|<").lines()]
        return "\n".join(out)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """One table, for notebooks: values and tangents to be read downwards, adjoints upwards."""
        sums, forward = self.sums(), [f"{d} ↓" for d in self.directions]
        head = ["v", "operation", "value", *forward, "adjoint ↑", "= adjoint there × local derivative"]
        rows = [
            [self.label(row), row.operation, *map(cell, (row.value, *row.tangent, row.adjoint)), sums[row.name]]
            for row in self.rows
        ]
        return Table(head, rows, "<<>" + ("|" + ">" * len(forward) if forward else "") + "|><").html()

    def mermaid(self) -> str:
        """The computational graph for Mermaid, which many pages of Markdown draw."""
        return graph.mermaid(self)

    def dot(self) -> str:
        """The computational graph in the DOT language of Graphviz."""
        return graph.dot(self)

    def svg(self, step: int | None = None) -> graph.Picture:
        """The computational graph as a picture, for slides and pages: SVG text, which notebooks show drawn.

        At a `step` it is as far as both passes have come: 1 to n are the rows forward, n + 1 to 2n their adjoints from
        the last row to the first.

        Raises
        ------
        ValueError
            If there is no such step, or the graph is too large to be laid out here and the graphviz package is missing.
        """
        return graph.svg(self, step)

    def page(self, path: str | os.PathLike[str] | None = None) -> str:
        """A page that steps through both passes, by slider or arrow keys: written to `path`, and returned as HTML text.

        It is one file that needs no network.

        >>> import numpy as np, dualdiff as dd
        >>> dd.trace(lambda x: np.sin(x**2), 2.0).page()[:15]
        '<!doctype html>'
        """
        text = page.page(self)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def show(self) -> None:
        """Show that page: in a notebook below the cell, else in the browser."""
        shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
        if hasattr(shell, "kernel"):
            frame = f'<iframe srcdoc="{escape(self.page())}" style="width:100%;height:640px;border:0"></iframe>'
            display = importlib.import_module("IPython.display")
            display.display(display.HTML(f"<div>{frame}</div>"))
        else:
            file = Path(tempfile.mkdtemp(prefix="dualdiff-")) / "trace.html"
            self.page(file)
            webbrowser.open(file.as_uri())

    @property
    def graph(self) -> graph.Picture:
        """`svg()`: in a notebook, `dd.trace(f, x).graph` shows the picture."""
        return self.svg()

    def _repr_svg_(self) -> str | None:
        """For pages that rather show a picture than a table; None if the graph is too large."""
        try:
            return self.svg()
        except ValueError:
            return None


# ---------------------------------------------------------------- the trace


def trace(f: Function, *args: Any, seed: Any = None, cotangent: Any = None) -> Trace:
    """The evaluation trace of the textbooks: every step that f's result is computed by, with its derivatives.

    >>> import numpy as np, dualdiff as dd
    >>> dd.trace(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), 2.0, 5.0)
    forward ↓  operation      value │ d/dx1     d/dx2
    ────────────────────────────────┼────────────────
    x1         input              2 │     1         0
    x2         input              5 │     0         1
    v1         log(x1)     0.693147 │   0.5         0
    v2         x1 × x2           10 │     5         2
    v3         v1 + v2      10.6931 │   5.5         2
    v4         sin(x2)    -0.958924 │     0  0.283662
    v5 = y     v3 - v4      11.6521 │   5.5   1.71634
    <BLANKLINE>
    reverse ↑  adjoint │ = sum over the uses: adjoint there × local derivative
    ───────────────────┼──────────────────────────────────────────────────────
    v5 = y           1 │ the seed
    v4              -1 │ v5: 1 × -1
    v3               1 │ v5: 1 × 1
    v2               1 │ v3: 1 × 1
    v1               1 │ v3: 1 × 1
    x2         1.71634 │ v2: 1 × 2 + v4: -1 × 0.283662
    x1             5.5 │ v1: 1 × 0.5 + v2: 1 × 5

    Parameters
    ----------
    f : callable
    *args
        Its arguments: numbers, arrays, or containers of them. All are varied; pass constants by a lambda.
    seed : optional
        The direction of the tangents: of the argument's shape, or for several arguments a tuple with one for each; with
        one leading axis more in all of them, several directions. By default one for each input number if these are
        at most four, else no tangents are shown.
    cotangent : optional
        Of the structure and shapes of f's result, as for a pullback: the adjoints are the derivatives of the sum of
        cotangent times result. By default ones: for a number its derivatives, for an array those of the sum.

    Returns
    -------
    Trace
        Prints as a table, in notebooks too; `.rows` are its rows, `.graph` is the picture of the computational graph,
        also as `.svg()`, `.mermaid()`, `.dot()`; `.page(path)` and `.show()` step through both passes.

    Raises
    ------
    ValueError
        If seed or cotangent does not fit, or the arguments carry tangents: trace is for plain numbers.

    Notes
    -----
    Rows are the primitives of the rule table, so np.var(x) shows the mean and the squares that it is composed of.
    Constants have no rows, nor have steps that the result does not depend on. Python's own max(y, z) compares values
    and returns one of the two: no step, but a direct edge from that one; np.maximum(y, z) is a row. Griewank and
    Walther, Evaluating Derivatives, ch. 1; Baydin et al. (2018), JMLR 18.
    """
    return traced(f, args, seed, cotangent)


def traced(
    f: Function,
    args: Sequence[Any],
    seed: Any = None,
    cotangent: Any = None,
    numbered: bool = False,
    spoken: Mapping[Any, str] | None = None,
    digits: int = 6,
    source: Source | None = None,
) -> Trace:
    """`trace`, with functions named as in `spoken`, and so many digits of constants in operations.

    If `numbered`, inputs and their elements are steps v1, v2, ... too, and each input number has its direction, however
    many there are.
    """
    check_function("trace", f, "trace(f, x)")
    call = Call("trace", f, tuple(range(len(args))), tuple(args), {})
    names = _input_names(f, call.args)
    most = math.inf if numbered else MOST_SEEDS
    directions, seeds = _unit_seeds(call, names, most) if seed is None else _given_seeds(call, seed)
    steps = Steps(source or source_of(f), spoken, digits)
    try:
        record = Record(call, steps)
        if any(isinstance(x, Number) for x in (*call.leaves, *record.values)) or any(s.is_outer for s in steps):
            raise ValueError(
                "trace: a number carries tangents of a derivative that is being computed around it, which the "
                "rows would lose; trace plain numbers"
            )
        inputs = [Step("input", [], node, x) for node, x in zip(record.leaves, call.leaves)]
        for step in inputs:
            steps.of[step.nodes[0]] = step
        for node, v in zip(record.nodes, record.values):
            if node is not None:
                steps.know(node, v)
        needed = _needed(record, steps)
        (_number_all if numbered else _name)(inputs, needed, names)
        return _trace(f, record, steps, [*inputs, *needed], directions, seeds, _cotangents(record, cotangent))
    finally:
        steps.forget()


def _trace(
    f: Function,
    record: Record,
    steps: Steps,
    shown: list[Step],
    directions: list[str],
    seeds: Any,
    seeded: list[Any],
) -> Trace:
    adjoints = _adjoints(record, seeded)
    rows = []
    token = hush()
    try:
        tangents = _tangents(order([*record.nodes, *[step.nodes[0] for step in shown]]), record.leaves, seeds)
        for step in shown:
            v, shape = step.value, np.shape(step.value)
            sources = [steps.of[n].name if n in steps.of else steps.buffers.get(n, "?") for n in step.sources]
            t = tangents.get(step.nodes[0])
            t = [np.zeros(shape)[()]] * len(directions) if t is None else t
            row = Row(
                name=step.name,
                operation=step.text.format(*sources),
                operands=tuple([s.name for s in step.operands]),
                value=_like(v, v),
                tangent=tuple([_like(np.broadcast_to(d, shape), v) for d in t]),
                adjoint=_like(sum(adjoints.get(n, 0.0) for n in step.nodes) + np.zeros(shape), v),
                local=_local(step),
                line=step.line,
            )
            rows.append(row)
    finally:
        unhush(token)
    results: dict[str, str] = {}
    labels = _result_names(f, [row.name for row in rows], len(record.values))
    for label, node, v, ct in zip(labels, record.nodes, record.values, seeded):
        if node not in steps.of:  # it does not depend on the inputs
            none = (number(np.zeros(np.shape(v))[()]),) * len(directions)
            rows.append(Row(label, constant(v).format(), (), v, none, ct, ()))
        results[label] = steps.of[node].name if node in steps.of else label
    return Trace(rows, tuple(directions), results, steps.source.text)


def source_of(f: Function) -> Source:
    """The text of f, empty where Python does not know it."""
    try:
        f = inspect.unwrap(f)
        lines, first = inspect.getsourcelines(f)
        return Source(textwrap.dedent("".join(lines)).strip(), inspect.getsourcefile(f) or "", first)
    except (OSError, TypeError):
        return Source()


# ---------------------------------------------------------------- which steps, and what they depend on


def _between(node: Any, ends: set[Any]) -> tuple[set[Any], set[Any]]:
    """The nodes that a node is computed from, it and back to `ends`, and which of these are met."""
    inner: set[Any] = set()
    met, todo = set(), [node]
    while todo:
        n = todo.pop()
        if n in ends:
            met.add(n)
        elif n not in inner:
            inner.add(n)
            todo += n.parents
    return inner, met


def _needed(record: Record, steps: Steps) -> list[Step]:
    """The steps that the result depends on, in order, each with its operands; those inside of a rule drop out."""
    used = {steps.of[n] for n in record.nodes if n in steps.of}
    needed = []
    for step in reversed(steps):
        if step not in used:
            continue
        needed.append(step)
        sources = {n for s in step.sources if s in steps.of for n in steps.of[s].nodes}
        _, met = _between(step.nodes[0], sources.union(record.leaves))
        for n in [*step.sources, *sorted(met - sources, key=age)]:
            operand = steps.of.get(n)
            if operand is None:
                continue
            used.add(operand)
            if operand not in step.operands and not met.isdisjoint(operand.nodes):
                step.operands.append(operand)
    return needed[::-1]


# ---------------------------------------------------------------- derivatives


def _local(step: Step) -> tuple[Any, ...]:
    """The derivative of a step by each of its operands: cotangents pulled back through the nodes in between."""
    if not step.operands:
        return ()
    inner, _ = _between(step.nodes[0], {n for s in step.operands for n in s.nodes})
    nodes = sorted(inner, key=age, reverse=True)
    shape, m, dtype = np.shape(step.value), np.size(step.value), dtype_of(step.value)
    elementwise = all(isinstance(n, Combine) for n in nodes)  # sums of weights times operands
    slopes = [s for s in step.operands if not shape or (elementwise and np.shape(s.value) == shape)]
    others = [s for s in step.operands if s not in slopes and 0 < m * np.size(s.value) <= JACOBIAN]
    lead = (m,) if m > 1 else ()
    found = {}
    for operands, many in (slopes, ()), (others, lead):
        if not operands:
            continue
        seed = np.eye(m, dtype=dtype).reshape(many + shape) if operands is others else np.ones(shape, dtype)[()]
        pulled = Cotangents(step.nodes[:1], [number(seed)], nodes, careful=True).run().of
        for s in operands:
            have = np.shape(s.value)
            ct = np.conj(sum(pulled[n] for n in s.nodes if n in pulled))
            made = np.broadcast_to(ct, many + have).reshape(have if s in slopes else shape + have)
            found[s] = _like(made, s.value if is_complex(s.value) else step.value)
    return tuple([found.get(s) for s in step.operands])


def _tangents(nodes: list[Any], leaves: list[Any], seeds: Any) -> dict[Any, Any]:
    """The tangents of all nodes, directions first: the linear program from the first node to the last."""
    if seeds is None:
        return {}
    ts = dict(zip(leaves, seeds))
    for node in reversed(nodes):
        incoming = [ts.get(p) for p in node.parents]
        if any(t is not None for t in incoming):
            ts[node] = node.push(incoming)
    return ts


def _cotangents(record: Record, cotangent: Any) -> list[Any]:
    """The cotangents of the results: ones, or those given, checked."""
    if cotangent is None:
        return [number(np.ones(shape_of(v), dtype_of(v))[()]) for v in record.values]
    result = record.rebuild(record.values)
    given, _ = fitting("trace", "the cotangent", cotangent, "f's result", result, record.values)
    return [number(np.array(ct)[()]) for ct in given]


def _adjoints(record: Record, cotangents: list[Any]) -> dict[Any, Any]:
    """The adjoints of all nodes that are reached from the result, by one reverse sweep."""
    cts = Cotangents(record.nodes, cotangents, order(record.nodes), careful=True)
    found: dict[Any, Any] = {}
    cts.visited = found
    cts.run()
    return found | cts.of  # in which those of the leaves are left


def _like(x: Any, like: Any) -> Any:
    """A number or array of its own, real where the value it belongs to is real."""
    x = np.array(plain(x))
    return number((x if is_complex(like) else real(x)).astype(dtype_of(like), copy=False)[()])


# ---------------------------------------------------------------- names


def _input_names(f: Function, args: tuple[Any, ...]) -> list[str]:
    """The names of the arguments' leaves: those of f's parameters."""
    try:
        bound = inspect.signature(f).bind(*args)
    except (TypeError, ValueError):  # written in C, or f will complain itself
        named = {(f"x{k + 1}" if len(args) > 1 else "x"): x for k, x in enumerate(args)}
    else:
        named = {}
        for name, x in bound.arguments.items():
            many = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            named |= {f"{name}[{k}]": part for k, part in enumerate(x)} if many else {name: x}
    return [leaf for name, x in named.items() for leaf in _paths(name, x)]


def _paths(name: str, x: Any) -> list[str]:
    """The leaves of a container as they would be written."""
    count = len(flatten(x)[0])
    if isinstance(x, dict):
        parts = {f"{name}[{k!r}]": v for k, v in x.items()}
    elif count < 2:
        return [name] * count
    elif isinstance(x, list | tuple) and not hasattr(x, "_fields"):
        parts = {f"{name}[{k}]": v for k, v in enumerate(x)}
    else:
        fields = getattr(x, "_fields", None) or [k for k, d in type(x).__dataclass_fields__.items() if d.init]
        parts = {f"{name}.{k}": getattr(x, k) for k in fields}
    return [leaf for path, part in parts.items() for leaf in _paths(path, part)]


def _name(inputs: list[Step], steps: list[Step], names: list[str]) -> None:
    """Name the steps v1, v2, ..., elements of inputs as they are written."""
    letter = next(c for c in "vwtuzabcdefgh" if not any(re.match(rf"{c}\d", name) for name in names))
    for step, name in zip(inputs, names):
        step.name = name
    k = 0
    for step in steps:
        source = step.operands[0] if len(step.operands) == 1 else None
        if step.is_element and source in inputs and np.ndim(step.value) == 0:
            step.name = step.text.format(source.name)
            step.text, step.sources = f"element of {literal(source.name)}", []
        else:
            k += 1
            step.name = f"{letter}{k}"


def _number_all(inputs: list[Step], steps: list[Step], names: list[str]) -> None:
    """Name inputs and steps v1, v2, ..., where an input's operation is its name."""
    for step, name in zip(inputs, names):
        step.text = literal(name)
    for k, step in enumerate([*inputs, *steps], 1):
        step.name = f"v{k}"


def _result_names(f: Function, taken: list[str], count: int) -> list[str]:
    own = getattr(f, "__name__", "<none>")
    name = next(n for n in (own, "y", "f", "result") if n.isidentifier() and n not in taken)
    return [name] if count == 1 else [f"{name}{k + 1}" for k in range(count)]


# ---------------------------------------------------------------- seeds


def _unit_seeds(call: Call, names: list[str], most: float) -> tuple[list[str], list[Any] | None]:
    """A direction for each input number, if these are at most so many: their labels, and for each leaf its tangents."""
    sizes = [size_of(x) for x in call.leaves]
    n = sum(sizes)
    if not 0 < n <= most:
        return [], None
    blocks = np.split(np.eye(n), np.cumsum(sizes)[:-1], axis=1)
    labels = [f"d/d{place}" for name, x in zip(names, call.leaves) for place in element_names(name, x)]
    return labels, [b.reshape(n, *shape_of(x)).astype(dtype_of(x)) for b, x in zip(blocks, call.leaves)]


def _given_seeds(call: Call, seed: Any) -> tuple[list[str], list[Any]]:
    """The same for the directions that are given."""
    parts = (seed,) if len(call.args) == 1 else tuple(seed) if np.iterable(seed) else ()
    if len(parts) != len(call.args):
        raise ValueError(f"trace: seed must be a tuple with a direction for each of the {len(call.args)} arguments")
    args, of = dict(enumerate(call.args)), dict(enumerate(parts))  # a tuple of numbers would be one array
    given, lead = fitting("trace", "the seed", of, "the argument", args, call.leaves, batched=True)
    labels = [f"tangent {k + 1}" for k in range(lead[0])] if lead else ["tangent"]
    return labels, [np.asarray(t).reshape(len(labels), *shape_of(x)) for t, x in zip(given, call.leaves)]
