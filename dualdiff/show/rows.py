"""The rows of a trace, and the steps of a recorded run that they are made of, written as a reader would write them."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from ..core.number import Number
from ..core.values import plain
from ..spaces.recorded import Recorded
from .text import WHOLE, cell, shape_text, shown

# ---------------------------------------------------------------- rows


class Row(NamedTuple):
    """A step of the evaluation: `name = operation`, with what it is computed from and its derivatives.

    `tangent` has an entry for each seed direction, `local` for each operand the derivative of this row by it: slopes
    where the operation is elementwise, else the Jacobian, of shape `value.shape + operand.shape`, None if it is large.
    `line` is the line of f's text, counted from 0, that asked for it, None where that is not known.
    """

    name: str
    operation: str
    operands: tuple[str, ...]
    value: Any
    tangent: tuple[Any, ...]
    adjoint: Any
    local: tuple[Any, ...]
    line: int | None = None


@dataclass(slots=True, eq=False, repr=False)
class Rows:
    """The rows of a trace, and how they hang together.

    Attributes
    ----------
    rows : list of Row
        The inputs, then every step.
    directions : tuple of str
        What the entries of each row's `tangent` are along.
    results : dict
        The name of each result of f, and of the row that it is.
    code : str
        The text of f, where it is known.
    """

    rows: list[Row]
    directions: tuple[str, ...]
    results: dict[str, str]
    code: str = ""

    def label(self, row: Row) -> str:
        """The row's name, and the result's if it is one."""
        return " = ".join([row.name, *[r for r, name in self.results.items() if name == row.name and r != name]])

    def uses(self) -> dict[str, list[tuple[Row, Any]]]:
        """For each row's name the rows that it is an operand of, each with its derivative by it."""
        found: dict[str, list[tuple[Row, Any]]] = {row.name: [] for row in self.rows}
        for row in self.rows:
            for name, local in zip(row.operands, row.local):
                found[name].append((row, local))
        return found

    def sums(self, digits: int = 6) -> dict[str, str]:
        """How each row's adjoint comes about: upstream times local derivative, summed over the row's uses."""
        shapes, seeded, made = {row.name: np.shape(row.value) for row in self.rows}, {*self.results.values()}, {}
        for name, uses in self.uses().items():
            parts = ["the seed"] if name in seeded else []
            for row, local in uses:
                by = "×" if not np.shape(row.value) or np.shape(local) == np.shape(row.value) == shapes[name] else "@"
                parts.append(f"{row.name}: {cell(row.adjoint, digits, short=True)} {by} {factor(local, digits)}")
            made[name] = " + ".join(parts) or "no use"
        return made

    def pushes(self) -> dict[str, list[str]]:
        """How each row's tangents come about: local derivative times the operand's tangent, summed over operands."""
        of: dict[str, Row] = {}
        made: dict[str, list[str]] = {}
        for row in self.rows:
            of[row.name], made[row.name] = row, []
            for d in range(len(row.tangent)):
                parts = []
                for name, local in zip(row.operands, row.local):
                    by = "×" if not np.shape(of[name].value) or np.shape(local) == np.shape(row.value) else "@"
                    text = "J" if local is None else factor(local, 6).removeprefix("conj")
                    parts.append(f"{text} {by} {cell(of[name].tangent[d], 6, short=True)}")
                made[row.name].append(" + ".join(parts) or ("the seed" if row.operation == "input" else "a constant's"))
        return made


def factor(local: Any, digits: int) -> str:
    """A local derivative as it multiplies an adjoint: for complex numbers the conjugate, for the transpose of f'."""
    if local is None or np.ndim(local) > 2:
        return "J" if local is None else f"J({shape_text(np.shape(local))})"
    text = cell(local, digits, short=True)
    return f"conj({text})" if np.iscomplexobj(local) else text


# ---------------------------------------------------------------- steps


class Step:
    """A row in the making: its operation with {} for each of the sources, which are nodes of the recording."""

    __slots__ = ("is_element", "is_outer", "line", "name", "nodes", "operands", "sources", "text", "value")

    def __init__(self, text: str, sources: list[Any], node: Any, value: Any, is_element: bool = False) -> None:
        self.text, self.sources, self.nodes, self.is_element = text, sources, [node], is_element
        self.is_outer = isinstance(value, Number)  # it carries tangents of another derivative
        self.value = np.array(plain(value))[()]  # a copy, before f writes into it
        self.name = ""
        self.line: int | None = None
        self.operands: list[Step] = []


class Source(NamedTuple):
    """The text of f, and where it stands."""

    text: str = ""
    file: str = ""
    first: int = 0

    def line(self, frame: FrameType | None) -> int | None:
        """The line of the text, counted from 0, that is at work: of the innermost call that stands in it."""
        last = self.first + self.text.count("\n")
        while frame is not None:
            if frame.f_code.co_filename == self.file and self.first <= frame.f_lineno <= last:
                return frame.f_lineno - self.first
            frame = frame.f_back
        return None


class Steps(list[Any]):
    """The steps of a recording, which notes primitives here at once, since a later assignment changes their operands.

    `spoken` has names of functions that differ from their own, "" if only the arguments are to be written;
    constants have so many `digits`; each step knows its line of `source`.
    """

    def __init__(self, source: Source, spoken: Mapping[Any, str] | None = None, digits: int = 6) -> None:
        super().__init__()
        self.source, self.spoken, self.digits = source, spoken or {}, digits
        self.of: dict[Any, Step] = {}  # node -> its step
        self.elements: dict[Any, Step] = {}  # x[0] taken twice is one step
        self.buffers: dict[Any, str] = {}  # leaves that are no inputs

    def forget(self) -> None:
        """Let go of the nodes, whose tape knows this list."""
        for kept in (self, self.of, self.elements, self.buffers):
            kept.clear()

    def append(self, noted: Any) -> None:
        function, args, options, result = noted
        node, is_element = result.tangent, False
        sources: list[Any] = []
        if node in self.of:
            return
        if function is operator.getitem:
            text = f"{self.write(args[0], sources)}[{_key(args[1])}]"
            parts = args[1] if type(args[1]) is tuple else (args[1],)
            is_element = all(type(k) in (int, slice, type(...), type(None)) for k in parts)
        elif function is operator.setitem:
            text = self._assignment(node, sources, *args)
        else:
            text = self._call(function, [self.write(x, sources) for x in args], options, sources)
        twin = self.elements.get((sources[0], text)) if is_element else None
        if twin is not None:
            twin.nodes.append(node)
            self.of[node] = twin
            return
        step = Step(text, sources, node, result.value, is_element)
        if is_element:
            self.elements[sources[0], text] = step
        self._add(node, step)

    def _add(self, node: Any, step: Step) -> None:
        step.line = self.source.line(sys._getframe())
        self.of[node] = step
        super().append(step)

    def _assignment(self, node: Any, sources: list[Any], array: Any, key: Any, new: Any) -> str:
        old = node.parents[0]
        is_view = array._link.base is not None and array._tangent in self.of  # of which the old tangent is left
        sources += [old, array._tangent] if is_view else [old]
        self.buffers.setdefault(old, "array")
        return f"{'{} with {}' if is_view else '{}'}[{_key(key)}] ← {self.write(new, sources)}"

    def _call(self, function: Any, items: list[str], options: Any, sources: list[Any]) -> str:
        """A function as it would be called, or its operator; options that say nothing are left out."""
        while items and items[-1] == "None":
            items.pop()
        form = OPERATORS.get(function, "")
        given = [f"{k}={self.write(v, sources)}" for k, v in options.items() if not _is_default(k, v)]
        if form.count("{}") == len(items) > 0 and not given:
            return form.format(*[f"({x})" if x.startswith("-") else x for x in items])
        if function is None:
            return f"[{', '.join(items)}]"
        name = getattr(function, "__name__", "array")
        name, all_given = self.spoken.get(function, _SPOKEN.get(name, name)), ", ".join([*items, *given])
        return f"{name}({all_given})" if name else all_given

    def write(self, x: Any, sources: list[Any]) -> str:
        """An argument as text; numbers that carry tangents of this recording are sources, and {} in the text."""
        if isinstance(x, Number) and isinstance(x.tangent, Recorded) and x.tangent.tape.rows is self:
            self.know(x.tangent, x.value)
            sources.append(x.tangent)
            return "{}"
        if type(x) in (list, tuple):
            items = ", ".join([self.write(v, sources) for v in x])
            return f"[{items}]" if type(x) is list else f"({items}{',' * (len(x) == 1)})"
        return constant(x, self.digits)

    def know(self, node: Any, value: Any) -> None:
        """Give a node a step, if it has none: a leaf that is no input, or a view looked up after an assignment."""
        if not node.parents:
            self.buffers.setdefault(node, constant(plain(value)))
        elif node not in self.of:
            sources, todo = [], list(node.parents)
            while todo:
                n = todo.pop()
                if n in self.of or not n.parents:
                    sources.append(n)
                else:
                    todo += n.parents
            self._add(node, Step("part of " + ", ".join(["{}"] * len(sources)), sources, node, value))


OPERATORS = {
    np.add: "{} + {}",
    np.subtract: "{} - {}",
    np.multiply: "{} × {}",
    np.divide: "{} / {}",
    np.power: "{}^{}",
    np.matmul: "{} @ {}",
    np.remainder: "{} % {}",
    np.floor_divide: "{} // {}",
    np.negative: "-{}",
    np.positive: "+{}",
}
_SPOKEN = {"absolute": "abs", "maximum": "max", "minimum": "min", "positive_part": "relu"}


def _is_default(option: str, v: Any) -> bool:
    said = {"where": v is True, "keepdims": v is False, "order": v in ("C", "K") if isinstance(v, str) else False}
    return v is None or repr(v) == "<no value>" or said.get(option, False)


def _key(key: Any) -> str:
    """What stands between the brackets of an index."""
    return ", ".join(map(_index, key if type(key) is tuple else (key,)))


def _index(k: Any) -> str:
    if isinstance(k, slice):
        return ":".join("" if v is None else str(v) for v in (k.start, k.stop, k.step)[: 2 + (k.step is not None)])
    return "..." if k is ... else constant(k)


def constant(x: Any, digits: int = 6) -> str:
    """An operand without a tangent, by value where that is short."""
    x = plain(x)
    if isinstance(x, str) or x is None or isinstance(x, bool | int):
        text = repr(x)
    elif isinstance(x, float | complex | np.ndarray | np.generic) and np.asarray(x).dtype.kind in "fciub":
        text = shown(x, digits) if np.size(x) <= WHOLE else f"array({shape_text(np.shape(x))})"
    else:
        text = getattr(x, "__name__", None) or type(x).__name__
    return literal(text)


def literal(text: str) -> str:
    """Text to be part of a step's, in which braces stand for sources."""
    return text.replace("{", "{{").replace("}", "}}")
