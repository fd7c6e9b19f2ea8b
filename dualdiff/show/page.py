"""Traces as a page that steps through both passes: one file, with its own script, that needs no network."""

from __future__ import annotations

import json
import math
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from . import graph
from .rows import Row, Rows
from .text import cell


def page(trace: Rows) -> str:
    """The whole page as HTML text."""
    try:
        picture = str(graph.drawn(trace))
    except ValueError as error:
        picture = f"<p>{escape(str(error))}</p>"
    sums, pushes, links = trace.sums(), trace.pushes(), graph.edges(trace)
    rows = [
        {
            "name": trace.label(row),
            "operation": row.operation,
            "value": cell(row.value),
            "tangents": [cell(t) for t in row.tangent],
            "adjoint": cell(row.adjoint),
            "pushes": pushes[row.name],
            "sums": sums[row.name],
            "line": row.line,
        }
        for row in trace.rows
    ]
    edges = [
        {
            "source": e.source,
            "target": e.target,
            "local": e.text,
            "tangents": [f"{cell(t, graph.DIGITS, short=True)} × {e.text}" for t in trace.rows[e.source].tangent],
            "adjoint": f"{cell(trace.rows[e.target].adjoint, graph.DIGITS, short=True)} × {e.text}",
        }
        for e in links
    ]
    data = {"rows": rows, "edges": edges, "directions": trace.directions, "costs": costs(trace)}
    parts = {
        "DATA": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "SCRIPT": _text("page.js"),
        "GRAPH": picture,
        "CODE": "".join(f'<span class="line">{escape(line)}\n</span>' for line in _code(trace).split("\n")),
        "NAME": escape(" + ".join(trace.results)),
    }
    first, *rest = _text("page.html").split("@@")  # text, name, text, name, ..., so that nothing is replaced twice
    return first + "".join(parts.get(part, part) for part in rest)


def _code(trace: Rows) -> str:
    return trace.code or "\n".join(f"{r.name} = {r.operation}" for r in trace.rows if r.operands)


def costs(trace: Rows) -> list[str]:
    """Both modes by the products of a tangent or an adjoint with a local derivative, for all derivatives of f."""
    of = {row.name: row for row in trace.rows}
    each = sum(_products(row, of[name], local) for row in trace.rows for name, local in zip(row.operands, row.local))
    n = sum(np.size(row.value) for row in trace.rows if row.operation == "input")
    m = sum(np.size(of[name].value) for name in trace.results.values())
    texts = [f"{each:,} products a pass"]
    for mode, count, what in ("Forward", n, "input number"), ("Reverse", m, "result number"):
        texts.append(f"{mode} passes: {count:,}, one for each {what}: {each * count:,} products")
    return texts


def _products(row: Row, operand: Row, local: Any) -> int:
    """A slope for each element, or an entry of the Jacobian."""
    return int(np.size(local)) if local is not None else math.prod((np.size(row.value), np.size(operand.value)))


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
