"""Traces drawn: Mermaid, DOT and SVG hold every node, edge and number, whatever names contain."""

from __future__ import annotations

import html
import re
import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.show.trace import Trace

A = np.array([[1.0, 2.0], [3.0, 4.0]])


def loss(w1, w2, u1, u2, x1, x2, t):  # type: ignore[no-untyped-def]
    h1, h2 = np.tanh(w1 * x1 + w2 * x2), np.exp(-w2 * x1 + w1 * x2)
    return (u1 * h1 + u2 * h2 - t) ** 2 + 0.1 * (w1 * w1 + w2 * w2 + u1 * u1 + u2 * u2)


GRAPHS = [
    dd.trace(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), 2.0, 5.0),
    dd.trace(loss, 0.5, -0.3, 0.8, 0.2, 1.0, 2.0, 0.7),
    dd.trace(lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), np.arange(4.0)),
    dd.trace(lambda p: np.einsum("ij,j->i", p["W"], p["x"]), {"W": A, "x": A[0]}),
    dd.trace(lambda x: x, 1.0),
    dd.trace(lambda x: 1.0, 1.0),
]


@pytest.mark.parametrize("made", GRAPHS)
def test_graphs_have_every_row_and_every_edge(made: Trace) -> None:
    edges = sum(len(row.operands) for row in made.rows)
    assert len(re.findall(r"^    n\d+[\[(]", made.mermaid(), re.MULTILINE)) == len(made.rows)
    assert made.mermaid().count("-->") == edges
    assert len(re.findall(r"^    n\d+ \[label=", made.dot(), re.MULTILINE)) == len(made.rows)
    assert made.dot().count(" -> ") == edges
    page = made._repr_html_()
    assert page.count("<tr>") == len(made.rows) + 1
    assert ET.fromstring(page) is not None


@pytest.mark.parametrize("made", GRAPHS)
def test_pictures_do_not_overlap(made: Trace) -> None:
    picture = ET.fromstring(made.svg())
    tag = "{http://www.w3.org/2000/svg}"
    width, height = map(float, picture.attrib["viewBox"].split()[2:])
    boxes = []
    for rect in picture.iter(f"{tag}rect"):
        x, y, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height
        boxes.append((x, y, x + w, y + h))
    labels = [local is not None for row in made.rows for local in row.local]
    assert len(boxes) == len(made.rows) + sum(labels)
    nodes = boxes[: len(made.rows)]
    for k, a in enumerate(nodes):
        for b in nodes[:k]:
            assert max(a[0], b[0]) >= min(a[2], b[2]) or max(a[1], b[1]) >= min(a[3], b[3])
    assert len([p for p in picture.iter(f"{tag}path") if "marker-end" in p.attrib]) == sum(
        len(row.operands) for row in made.rows
    )


def test_downstream_is_local_times_upstream_in_a_picture() -> None:
    texts = [t.text for t in ET.fromstring(GRAPHS[0].svg()).iter("{http://www.w3.org/2000/svg}text") if t.text]
    assert texts[:8] == ["x1", "2", "→ 1, 0", "← 5.5", "x2", "5", "→ 0, 1", "← 1.716"]
    assert texts[-8:] == ["0.5", "5", "2", "1", "1", "0.2837", "1", "-1"]
    assert "y = v3 - v4" in texts
    assert 'n1 -->|"0.2837"| n5' in GRAPHS[0].mermaid()
    assert 'n1 -> n5 [label="0.2837"]' in GRAPHS[0].dot()


def test_markup_is_escaped() -> None:
    made = dd.trace(lambda p: np.einsum("i,i->", p["<b>&"], p['"']), {"<b>&": A[0], '"': A[1]})
    page = made._repr_html_()
    assert "<b>" not in page and html.escape("p['<b>&']") in page
    ET.fromstring(made.svg())
    assert "<b>" not in made.mermaid() and made.mermaid().count('"') % 2 == 0
    assert "p['\\\"']" in made.dot()


def test_large_graphs_are_left_to_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x):  # type: ignore[no-untyped-def]
        for _ in range(100):
            x = np.sin(x)
        return x

    made = dd.trace(f, 1.0)
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ValueError, match=r"a graph of 101 nodes is more than the 60.*install it"):
        made.svg()
    fake = types.ModuleType("graphviz")
    fake.Source = lambda text: types.SimpleNamespace(pipe=lambda format, encoding: f"<{format}>{text}")  # type: ignore
    monkeypatch.setitem(sys.modules, "graphviz", fake)
    assert made.svg() == "<svg>" + made.dot()


def test_wide_graphs_are_laid_out_top_down() -> None:
    def deep(x):  # type: ignore[no-untyped-def]
        for k in range(8):
            x = np.sin(x) * x + k
        return x

    fan = dd.trace(lambda x: sum(np.sin(x * k) for k in range(1, 15)), 1.0)  # wide either way
    cases = (dd.trace(deep, 1.0), True), (GRAPHS[0], False), (dd.trace(np.prod, np.arange(60.0)), False), (fan, True)
    for made, is_wide in cases:
        size = ET.fromstring(made.svg()).attrib
        assert (float(size["width"]) < float(size["height"])) >= is_wide
        assert float(size["width"]) <= 1000 and made.mermaid().startswith(f"flowchart {'TB' if is_wide else 'LR'}")
        assert ("rankdir=TB" in made.dot()) == is_wide


def test_notebooks_show_the_picture_of_a_graph() -> None:
    picture = GRAPHS[0].graph
    assert picture == picture._repr_svg_() == GRAPHS[0]._repr_svg_() == GRAPHS[0].svg()
    assert len(repr(picture)) < 100
