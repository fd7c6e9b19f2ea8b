"""Evaluation traces drawn as computational graphs, in Mermaid, DOT and SVG.

A node shows its operation and value, its tangents and its adjoint; an edge the local derivative. So the chain rule can
be read off in both directions: along an edge a tangent is multiplied forwards, an adjoint backwards, and where edges
meet the products are summed.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .rows import Row, Rows, factor
from .text import cell

DRAWN = 60  # nodes that are laid out here; Graphviz is for more
PAGE = 1000  # pixels; a graph that would be wider from left to right is laid out downwards, and shrinks if it still is
DIGITS = 4

# ---------------------------------------------------------------- graphs as text


class Edge(NamedTuple):
    """From an operand's row to the row that uses it, by their numbers, with the local derivative as text."""

    source: int
    target: int
    text: str


def edges(trace: Rows) -> list[Edge]:
    at = {row.name: k for k, row in enumerate(trace.rows)}
    return [
        Edge(at[name], k, "" if local is None else factor(local, DIGITS).removeprefix("conj"))
        for k, row in enumerate(trace.rows)
        for name, local in zip(row.operands, row.local)
    ]


def caption(trace: Rows, row: Row) -> list[str]:
    """The lines in a node: what it is, its value, its tangents, its adjoint."""
    given = row.operation == "input" or row.operation.startswith("element of ")
    results = [label for label, name in trace.results.items() if name == row.name]
    first = trace.label(row) if given else f"{' = '.join(results) or row.name} = {row.operation}"
    tangents = [cell(t, DIGITS, short=True) for t in row.tangent]
    if np.ndim(row.value) == 0:  # those of arrays have a line each
        tangents = [", ".join(tangents)] * bool(tangents)
    return [first, cell(row.value, DIGITS), *[f"→ {t}" for t in tangents], f"← {cell(row.adjoint, DIGITS, short=True)}"]


def legend(trace: Rows) -> list[str]:
    """What the lines in a node are, and the numbers on the edges."""
    forward = [f"→ tangents {', '.join(trace.directions)}"] if trace.directions else []
    return ["value", *forward, f"← adjoint of {' + '.join(trace.results)}", "on edges: local derivative"]


def mermaid(trace: Rows) -> str:
    def quoted(text: str) -> str:
        marks = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;"}
        return '"' + "".join(marks.get(c, c) for c in text) + '"'

    lines = [f"flowchart {'TB' if is_wide(trace) else 'LR'}"]
    for k, row in enumerate(trace.rows):
        text = "<br>".join(quoted(line)[1:-1] for line in caption(trace, row))
        lines.append(f'    n{k}["{text}"]' if row.operands else f'    n{k}(["{text}"])')
    for e in edges(trace):
        lines.append(f"    n{e.source} -->" + (f"|{quoted(e.text)}| " if e.text else " ") + f"n{e.target}")
    return "\n".join(lines) + "\n"


def dot(trace: Rows) -> str:
    def quoted(*lines: str) -> str:
        return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'

    node, edge = 'node [shape=box, style=rounded, fontname="sans-serif"]', 'edge [fontname="sans-serif"]'
    lines = ["digraph {", f"    rankdir={'TB' if is_wide(trace) else 'LR'}", f"    {node}", f"    {edge}"]
    lines += [f"    n{k} [label={quoted(*caption(trace, row))}]" for k, row in enumerate(trace.rows)]
    lines += [f"    n{e.source} -> n{e.target} [label={quoted(e.text)}]" for e in edges(trace)]
    return "\n".join([*lines, "}"]) + "\n"


# ---------------------------------------------------------------- the graph as a picture

SIZE, LINE, MARGIN = 13, 18, 18  # of letters, from line to line, around everything
ROOM = 26  # between nodes of a layer
INK, FORWARD, REVERSE, LOCAL, GREY = "#1a1a1a", "#2464c4", "#c8321f", "#7a4fb0", "#808080"  # on light and dark pages


class Picture(str):
    """A picture as SVG text, which notebooks show drawn."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<picture of {len(self):,} characters of SVG: print it into a file, or show it in a notebook>"


class Box:
    """A node, or a point where an edge passes a layer; x, y is its centre, as if layers went from left to right."""

    def __init__(self, layer: int, width: float, height: float) -> None:
        self.layer, self.width, self.height = layer, width, height
        self.x = self.y = 0.0
        self.before: list[Box] = []
        self.after: list[Box] = []

    def flip(self) -> None:
        """Swap the directions along and across the layers."""
        self.x, self.y, self.width, self.height = self.y, self.x, self.height, self.width


def svg(trace: Rows, step: int | None = None) -> Picture:
    last = 2 * len(trace.rows)
    if step is not None and step not in range(last + 1):
        raise ValueError(f"svg: this trace has steps 0 to {last} (forward, then back), so step={step!r} shows nothing")
    if len(trace.rows) <= DRAWN or step is not None:
        return drawn(trace, step)
    try:
        import graphviz  # type: ignore[import-not-found,import-untyped,unused-ignore]

        return Picture(graphviz.Source(dot(trace)).pipe(format="svg", encoding="utf-8"))
    except (ImportError, OSError, RuntimeError) as error:
        raise ValueError(
            f"svg: a graph of {len(trace.rows)} nodes is more than the {DRAWN} that are drawn without Graphviz, which "
            f"is missing ({type(error).__name__}); install it and its Python package graphviz, or use .dot() elsewhere"
        ) from None


def width_of(text: str, size: float = SIZE) -> float:
    """About what a line takes in a sans-serif font."""
    return size * sum(0.36 if c in "ijl.,'|()[] " else 0.85 if c in "mwMW@→←↓↑" else 0.59 for c in text)


def is_wide(trace: Rows) -> bool:
    """Whether layers side by side take more than a page, and one below the other less."""
    layers: dict[int, list[Box]] = {}
    for b in _boxes(edges(trace), [caption(trace, row) for row in trace.rows]):
        layers.setdefault(b.layer, []).append(b)
    width = sum(max(b.width for b in layer) + 60 for layer in layers.values())
    return width > max(PAGE, *[sum(b.width + ROOM for b in layer) for layer in layers.values()])


def drawn(trace: Rows, step: int | None = None) -> Picture:
    """The picture as it is laid out here; at a step, as far as both passes have come by then."""
    if len(trace.rows) > DRAWN:
        raise ValueError(f"a graph of {len(trace.rows)} nodes is more than the {DRAWN} that are drawn here")
    links, captions, down = edges(trace), [caption(trace, row) for row in trace.rows], is_wide(trace)
    boxes = _boxes(links, captions)
    for b in boxes if down else []:
        b.flip()
    layers: list[list[Box]] = [[] for _ in range(1 + max(b.layer for b in boxes))]
    for b in boxes:
        layers[b.layer].append(b)
    paths = [_path(boxes[e.source], boxes[e.target], layers) for e in links]
    _arrange(layers)
    _spread(layers, boxes, links, down)
    curves = _curves(paths, down)
    placed = [b for layer in layers for b in layer]
    for b in placed if down else []:
        b.flip()
    inks = [GREY, *([FORWARD] if trace.directions else []), REVERSE, LOCAL]
    foot = [f'<tspan dx="18" fill="{ink}">{escape(part)}</tspan>' for part, ink in zip(legend(trace), inks)]
    width = max(max(b.x + b.width / 2 for b in placed), sum(width_of(part) + 20 for part in legend(trace))) + MARGIN
    height = max(b.y + b.height / 2 for b in placed) + MARGIN + LINE
    shrunk = min(1.0, PAGE / width)
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width * shrunk:.0f}" height="{height * shrunk:.0f}"'
    font = f'font-family="Helvetica, Arial, sans-serif" font-size="{SIZE}"'
    edge = f'fill="none" stroke="{GREY}" stroke-width="1.4" marker-end="url(#end)"'
    n, at = len(trace.rows), -1 if step is None else step
    lit = {k for k, e in enumerate(links) if (e.target == at - 1 if at <= n else e.source == 2 * n - at)}
    lit_edge = edge.replace(GREY, FORWARD if at <= n else REVERSE).replace("1.4", "3")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="max-width:100%;height:auto" {font}>',
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="11" markerHeight="11" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0.5 8 4 0 7.5z" fill="{GREY}"/></marker></defs>',
        *[
            f'<path class="edge" data-edge="{k}" d="{_d(c)}" {edge if k not in lit else lit_edge}/>'
            for k, c in enumerate(curves)
        ],
        *_nodes(trace, boxes, captions, step),
        *_labels(links, curves, boxes),
        f'<text y="{height - 12:.0f}" font-size="12">{"".join(foot)}</text>',
        "</svg>",
    ]
    return Picture("\n".join(parts) + "\n")


def _boxes(links: list[Edge], captions: list[list[str]]) -> list[Box]:
    """A box for each row, in the layer behind those of its operands."""
    boxes: list[Box] = []
    for k, lines in enumerate(captions):
        layer = max([boxes[e.source].layer + 1 for e in links if e.target == k], default=0)
        width = max(width_of(lines[0], SIZE * 1.12), *map(width_of, lines[1:]))  # the first is bold
        boxes.append(Box(layer, width + 22, LINE * len(lines) + 12))
    return boxes


def _spread(layers: list[list[Box]], boxes: list[Box], links: list[Edge], down: bool) -> None:
    """Move the layers apart, so that there is room for edges and labels, and all of it to the top margin."""
    top = min(b.y - b.height / 2 for layer in layers for b in layer) - MARGIN
    x = float(MARGIN)
    for k, layer in enumerate(layers):
        gap = min(48 + 6.0 * sum(len(b.before) for b in layer), 240)
        gap = max([gap, *[0 if down else width_of(e.text) + 56 for e in links if boxes[e.target].layer == k]])
        width = max(b.width for b in layer)
        x += (gap if k else 0) + width
        for b in layer:
            b.x, b.y = x - width / 2, b.y - top
            b.width = b.width or width  # an edge passes straight between the nodes of a layer


def _path(a: Box, b: Box, layers: list[list[Box]]) -> list[Box]:
    """From one node to another, with a point in each layer between."""
    path = [a]
    for depth in range(a.layer + 1, b.layer):
        path.append(Box(depth, 0, 4))
        layers[depth].append(path[-1])
    path.append(b)
    for one, next_ in pairwise(path):
        one.after.append(next_)
        next_.before.append(one)
    return path


def _arrange(layers: list[list[Box]]) -> None:
    """The order in each layer by the barycentre of the neighbours (Sugiyama et al., 1981), the best of some turns."""
    best: tuple[int, list[list[Box]]] | None = None
    for turn in range(24):
        at = {b: y for layer in layers for b, y in _heights(layer)}
        for layer in layers if turn % 2 == 0 else layers[::-1]:
            near = {b: (b.after if turn % 2 else b.before) or [b] for b in layer}
            layer.sort(key={b: sum(at[n] for n in near[b]) / len(near[b]) for b in layer}.__getitem__)
            at |= _heights(layer)
        crossings = _crossings(layers)
        if best is None or crossings < best[0]:
            best = crossings, [layer[:] for layer in layers]
    assert best is not None
    for layer, order in zip(layers, best[1]):
        layer[:] = order
        _stack(layer, -ROOM / 2)
    for turn in range(30):  # towards the mean of their neighbours, at least ROOM apart
        for layer in layers if turn % 2 == 0 else layers[::-1]:
            _settle(layer, [np.mean([n.y for n in (b.before + b.after) or [b]]) for b in layer])


def _heights(layer: list[Box]) -> list[tuple[Box, float]]:
    """Where each box is in its layer, from 0 to 1."""
    return [(b, k / (len(layer) - 1) if len(layer) > 1 else 0.5) for k, b in enumerate(layer)]


def _crossings(layers: list[list[Box]]) -> int:
    count = 0
    for one, two in pairwise(layers):
        at = {b: k for k, b in enumerate(two)}
        ends = [at[n] for b in one for n in sorted(b.after, key=lambda n: at[n])]
        count += sum(b < a for k, a in enumerate(ends) for b in ends[k + 1 :])
    return count


def _settle(layer: list[Box], wanted: list[Any]) -> None:
    """Heights in the given order as near as possible to those wanted: blocks that touch take their mean."""
    blocks: list[list[Any]] = []  # boxes, sum of wanted heights of the block's first box, height
    for b, y in zip(layer, wanted):
        blocks.append([[b], float(y), b.height + ROOM])
        blocks[-1][1] -= (b.height + ROOM) / 2
        while len(blocks) > 1:
            (above, s, h), (below, t, g) = blocks[-2:]
            if s / len(above) + h <= t / len(below):
                break
            blocks[-2:] = [[above + below, s + t - h * len(below), h + g]]
    for block, s, _ in blocks:
        _stack(block, s / len(block))


def _stack(boxes: list[Box], top: float) -> None:
    """One below the other, each with half the room between nodes on both sides."""
    for b in boxes:
        b.y = top + (b.height + ROOM) / 2
        top += b.height + ROOM


Curve = list[Any]  # Bezier pieces of four points each, level at both ends


def _curves(paths: list[list[Box]], down: bool) -> list[Curve]:
    curves = []
    for path in paths:
        curve: Curve = []
        for k, (a, b) in enumerate(pairwise(path)):
            if k:
                curve.append(_piece(a.x - a.width / 2, a.y, a.x + a.width / 2, a.y, down))
            y0, y1 = _port(a, b, a.after, down), _port(b, a, b.before, down)
            curve.append(_piece(a.x + a.width / 2, y0, b.x - b.width / 2, y1, down))
        curves.append(curve)
    return curves


def _piece(x0: float, y0: float, x1: float, y1: float, down: bool) -> Any:
    m = (x0 + x1) / 2
    return np.array([(x0, y0), (m, y0), (m, y1), (x1, y1)])[:, :: -1 if down else 1]


def _port(at: Box, other: Box, others: list[Box], down: bool) -> float:
    """Where across an edge meets a node, so that several do not meet in a point."""
    if len(others) < 2:
        return at.y
    others = sorted(others, key=lambda b: b.y)
    apart = min(48.0 if down else 16.0, (at.height - 16) / (len(others) - 1))
    return at.y + (others.index(other) - (len(others) - 1) / 2) * apart


def _d(curve: Curve) -> str:
    x, y = curve[0][0]
    return f"M{x:.1f} {y:.1f}" + "".join("C" + " ".join(f"{z:.1f}" for z in p[1:].flat) for p in curve)


def _nodes(trace: Rows, boxes: list[Box], captions: list[list[str]], step: int | None) -> Iterator[str]:
    """The boxes; at a step without what is not computed yet: row k at step k + 1, its adjoint at step 2n - k."""
    results, n = {*trace.results.values()}, len(trace.rows)
    for j, (row, b, lines) in enumerate(zip(trace.rows, boxes, captions)):
        forward, back = step is None or j < step, step is None or 2 * n - j <= step
        now = step is not None and step in (j + 1, 2 * n - j)
        fill = "#fff3d6" if row.name in results else "#e6f4ea" if row.operation == "input" else "#f2f4f8"
        x, y = b.x - b.width / 2, b.y - b.height / 2
        size = f'x="{x:.1f}" y="{y:.1f}" width="{b.width:.1f}" height="{b.height:.1f}"'
        stroke = f'"{REVERSE if back else FORWARD}" stroke-width="3.5"' if now else '"#606060"'
        pale = "" if forward else ' opacity="0.35"'
        yield f'<g class="node" data-row="{j}"{pale}>'
        yield f'<rect {size} rx="7" fill="{fill}" stroke={stroke}/>'
        for k, line in enumerate(lines):
            kind, colour = ("n", INK) if k == 0 else ("v", INK) if k == 1 else ("t", FORWARD)
            kind, colour = ("a", REVERSE) if k > 1 and not line.startswith("→") else (kind, colour)
            if k and not (back if kind == "a" else forward):
                continue
            bold = ' font-weight="bold"' if k == 0 else ""
            at = f'class="{kind}" x="{b.x:.1f}" y="{y + LINE * k + 19:.1f}"'
            yield f'<text {at} text-anchor="middle" fill="{colour}"{bold}>{escape(line)}</text>'
        yield "</g>"


def _labels(links: list[Edge], curves: list[Curve], boxes: list[Box]) -> Iterator[str]:
    """The local derivatives, each on its edge where there is room, near the node that they belong to."""
    taken = [(b.x, b.y, b.width / 2, b.height / 2) for b in boxes]
    points = [[_spot(piece, s / 10) for piece in curve for s in range(11)] for curve in curves]
    for k, (e, curve) in enumerate(zip(links, curves)):
        if not e.text:
            continue
        w, h = width_of(e.text) / 2 + 4, 9.0
        others = np.array([p for j, near in enumerate(points) if j != k for p in near] or [(-1e3, -1e3)])

        def good(spot: tuple[float, float]) -> tuple[bool, float]:
            x, y = spot
            clear = all(abs(x - a) >= w + c or abs(y - b) >= h + d for a, b, c, d in taken)  # noqa: B023
            gap = np.max(np.abs(others - spot) - (w, h), axis=1).min()  # noqa: B023
            return clear, min(float(gap), 4.0)

        spots = [_spot(piece, s) for piece in curve[::-1] for s in (0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78)]
        x, y = max(spots, key=good)
        taken.append((x, y, w, h))
        yield (
            f'<g class="label" data-edge="{k}">'
            f'<rect x="{x - w:.1f}" y="{y - h:.1f}" width="{2 * w:.1f}" height="{2 * h:.1f}" rx="4" fill="#ffffff" '
            'fill-opacity="0.92"/>'
        )
        yield f'<text x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" fill="{LOCAL}">{escape(e.text)}</text></g>'


def _spot(piece: Any, s: float) -> tuple[float, float]:
    """A point of a Bezier curve."""
    r = 1 - s
    x, y = np.array([r**3, 3 * r * r * s, 3 * r * s * s, s**3]) @ piece
    return float(x), float(y)
