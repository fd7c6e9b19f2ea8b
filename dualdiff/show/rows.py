"""The steps of a recorded run, written down: operations as a reader would write them."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from ..core.dual import Dual
from ..core.table import plain
from ..spaces.recorded import Recorded
from .text import WHOLE, shape_text, shown

# ---------------------------------------------------------------- taking down the steps


class Step:
    """A row in the making: its operation with {} for the operands, whose nodes are the sources."""

    __slots__ = ("element", "name", "nodes", "operands", "outer", "sources", "text", "value")

    def __init__(self, text: str, sources: list[Any], node: Any, value: Any, element: bool = False) -> None:
        self.text, self.sources, self.nodes, self.element = text, sources, [node], element
        self.outer = isinstance(value, Dual)  # of another derivative
        self.value = np.array(plain(value))[()]  # a copy, before f writes into it
        self.name, self.operands = "", [*sources]


class Steps(list[Any]):
    """The rows of a tape: each primitive is written down at once, since a later assignment changes its operands."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[Any, Step] = {}  # node -> its step
        self.elements: dict[Any, Step] = {}  # x[0] taken twice is one row
        self.buffers: dict[Any, str] = {}  # leaves that are no inputs

    def forget(self) -> None:
        """Let go of the nodes, whose tape knows this list."""
        self.clear()
        self.of.clear()
        self.elements.clear()
        self.buffers.clear()

    def append(self, primitive: Any) -> None:
        function, args, options, result = primitive
        node, sources = result.tangent, []  # type: ignore[var-annotated]
        if node in self.of:
            return
        if function is operator.getitem:
            text, key = self.write(args[0], sources), args[1]
            parts = key if type(key) is tuple else (key,)
            text = f"{text}[{', '.join(map(_index, parts))}]"
            if all(type(k) in (int, slice, type(...), type(None)) for k in parts):
                twin = self.elements.setdefault((sources[0], repr(key)), Step(text, sources, node, result.value, True))
                if twin.nodes != [node]:
                    twin.nodes.append(node)
                    self.of[node] = twin
                    return
                return self.add(node, twin)
        elif function is operator.setitem:
            array, key, new = args
            old = node.parents[0]
            view = array._link.base is not None and array._tangent in self.of  # of which the old tangent is left
            sources += [old, array._tangent] if view else [old]
            self.buffers.setdefault(old, "array")
            keys = ", ".join(map(_index, key if type(key) is tuple else (key,)))
            text = f"{'{} with {}' if view else '{}'}[{keys}] ← {self.write(new, sources)}"
        elif len(args) == 2 and type(args[0]) is type(args[1]) is tuple and callable(args[1][0][-1]):  # of floats
            items = []
            for v, (t, _) in zip(*args):
                sources += [] if t is None else [t]
                items.append(constant(v) if t is None else "{}")
            text = _operation(function, items, [])
        else:
            items = [self.write(x, sources) for x in args]
            while items and items[-1] == "None":
                items.pop()
            given = {k: v for k, v in options.items() if not _default(k, v)}
            text = _operation(function, items, [f"{k}={self.write(v, sources)}" for k, v in given.items()])
        self.add(node, Step(text, sources, node, result.value))

    def add(self, node: Any, step: Step) -> None:
        self.of[node] = step
        super().append(step)

    def write(self, x: Any, sources: list[Any]) -> str:
        """An argument as text; numbers that carry tangents of this recording are sources, and {} in the text."""
        if isinstance(x, Dual) and isinstance(x.tangent, Recorded) and x.tangent.tape.rows is self:
            sources.append(self.known(x.tangent, x.value))
            return "{}"
        if type(x) in (list, tuple):
            items = ", ".join([self.write(v, sources) for v in x])
            return f"[{items}]" if type(x) is list else f"({items}{',' * (len(x) == 1)})"
        return constant(x)

    def known(self, node: Any, value: Any) -> Any:
        """The node, which has a step from now on unless it is a leaf."""
        if not node.parents:
            self.buffers.setdefault(node, constant(plain(value)))
        elif node not in self.of:  # a view looked up again after an assignment
            sources, todo = [], list(node.parents)
            while todo:
                n = todo.pop()
                if n in self.of or not n.parents:
                    sources.append(n)
                else:
                    todo += n.parents
            self.add(node, Step("part of " + ", ".join(["{}"] * len(sources)), sources, node, value))
        return node


def _default(name: str, v: Any) -> bool:
    """Whether an option says nothing."""
    said = {"where": v is True, "keepdims": v is False, "order": v in ("C", "K") if isinstance(v, str) else False}
    return v is None or repr(v) == "<no value>" or said.get(name, False)


def _index(k: Any) -> str:
    if isinstance(k, slice):
        return ":".join("" if v is None else str(v) for v in (k.start, k.stop, k.step)[: 2 + (k.step is not None)])
    return "..." if k is ... else constant(k)


def constant(x: Any) -> str:
    """An operand without a tangent, by value where that is short; braces are doubled, since it goes into a template."""
    x = plain(x)
    if isinstance(x, str) or x is None or isinstance(x, bool | int):
        text = repr(x)
    elif isinstance(x, float | complex | np.ndarray | np.generic) and np.asarray(x).dtype.kind in "fciub":
        text = shown(x, 6) if np.size(x) <= WHOLE else f"array({shape_text(np.shape(x))})"
    else:
        text = getattr(x, "__name__", None) or type(x).__name__
    return text.replace("{", "{{").replace("}", "}}")


@functools.cache
def _forms() -> dict[Any, str]:
    from ..cli.formula import OPERATORS

    return {function: form for form, function in OPERATORS.values()}


_SPOKEN = {"absolute": "abs", "maximum": "max", "minimum": "min", "positive_part": "relu"}


def _operation(function: Any, items: list[str], options: list[str]) -> str:
    """An operation as a reader would write it."""
    form = _forms().get(function, "")
    if form and form.count("{}") == len(items) and not options:
        return form.format(*[f"({x})" if x.startswith("-") else x for x in items])
    name = getattr(function, "__name__", "array")
    if function is None:
        return f"[{', '.join(items)}]"
    return f"{_SPOKEN.get(name, name)}({', '.join([*items, *options])})"
