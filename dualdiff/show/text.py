"""Numbers and tables in print: as text for terminals, as HTML for notebooks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

WHOLE = 8  # arrays of up to so many elements are shown whole, larger ones by shape and norm

# ---------------------------------------------------------------- numbers


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


def cell(x: Any, digits: int = 6, short: bool = False) -> str:
    """A value in a table: a small array whole, a large one by its shape and, unless `short`, its norm."""
    if np.size(x) <= WHOLE:
        return shown(x, digits)
    shape = shape_text(np.shape(x))
    return f"({shape})" if short else f"({shape}) norm {shown(np.linalg.norm(np.ravel(x)), min(digits, 4))}"


def shape_text(shape: Sequence[int]) -> str:
    """A shape as it is spoken: 3×4."""
    return "×".join(map(str, shape))


def element_names(name: str, x: Any) -> list[str]:
    """A name for each element: x for a number, x[0], x[1], ... for a vector."""
    return [name + (f"[{','.join(map(str, index))}]" if index else "") for index in np.ndindex(np.shape(x))]


def amount(x: float | None, unit: str = "") -> str:
    """A count, bytes or seconds: whole as long as it is short, then with a prefix.

    >>> amount(1234), amount(2**20, "B"), amount(1.5e-6, "s"), amount(None)
    ('1,234', '1.05 MB', '1.5 µs', '–')
    """
    if x is None:
        return "–"
    if x == 0 or (unit == "" and x < 1e7) or (unit == "B" and x < 9999.5) or (unit == "s" and x >= 999.5):
        return f"{x:,.0f} {unit}".strip()
    x, prefixes = (x * 1e9, ["n", "µ", "m", ""]) if unit == "s" else (x, ["", "k", "M", "G", "T", "P", "E"])
    while x >= 999.5 and len(prefixes) > 1:
        x, prefixes = x / 1000, prefixes[1:]
    return f"{x:.3g} {prefixes[0]}{unit}".strip()


def times(ratio: float | None) -> str:
    """How many times as much."""
    return "–" if ratio is None else f"{ratio:,.0f}" if ratio >= 99.95 else f"{ratio:.1f}"


def counted(n: int, noun: str) -> str:
    """A number with its noun: 1 result, 2 results."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


# ---------------------------------------------------------------- tables


class Table(NamedTuple):
    """Rows of text under a head, with a title above and notes below.

    `sides` has "<" or ">" for each column, to which side its cells go, and "|" for a bar between columns; its last
    letter holds for all further columns.

    >>> print(Table(["x", "value", "d/dx"], [["x", "2", "1"], ["v1 = f", "4", "12.5"]], "<>|>"))
    x       value │ d/dx
    ──────────────┼─────
    x           2 │    1
    v1 = f      4 │ 12.5
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    sides: str = "<>"
    title: str = ""
    notes: Sequence[str] = ()

    def _columns(self) -> list[tuple[str, bool]]:
        """For each column its side, and whether a bar stands before it."""
        columns = [(side, before == "|") for before, side in zip(" " + self.sides, self.sides) if side != "|"]
        return columns + [(self.sides[-1], False)] * (len(self.head) - len(columns))

    def lines(self, widest: float = math.inf) -> list[str]:
        """As text; of columns too many for the width the first and the last remain."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows)]
        if sum(widths) + 2 * len(widths) > widest:
            most = sum(np.cumsum(widths) + 2 * np.arange(1, len(widths) + 1) < widest - widths[-1] - 7)
            keep = max(len(self.sides.replace("|", "")), most)
            if keep < len(widths) - 2:
                head, *rows = [[*line[:keep], "...", line[-1]] for line in (self.head, *self.rows)]
                return self._replace(head=head, rows=rows).lines()
        columns = self._columns()
        made = []
        for line in (self.head, *self.rows):
            cells = (f"{c:{side}{w}}" for c, w, (side, _) in zip(line, widths, columns))
            made.append("".join((" │ " if bar else "  ") + c for c, (_, bar) in zip(cells, columns))[2:].rstrip())
        if "|" in self.sides:
            bars = {k for k, c in enumerate(made[0]) if c == "│"}
            rule = "".join("┼" if k in bars else "─" for k in range(max(map(len, made))))
        else:
            rule = "  ".join("-" * w for w in widths)
        made.insert(1, rule)
        above, below = [self.title, ""] if self.title else [], ["", *self.notes] if self.notes else []
        return [*above, *made, *below]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def html(self) -> str:
        """As HTML; its colours are the page's own, so that it fits light and dark ones."""
        line = "1px solid rgba(128,128,128,.45);"
        styles = [
            f"padding:2px 10px;white-space:nowrap;text-align:{'left' if side == '<' else 'right'};"
            + f"border-left:{line}" * bar
            for side, bar in self._columns()
        ]

        def row(cells: Sequence[str], tag: str, more: str = "") -> str:
            made = (f'<{tag} style="{style}{more}">{escape(c)}</{tag}>' for c, style in zip(cells, styles))
            return f"<tr>{''.join(made)}</tr>"

        title = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        body = "\n".join(row(cells, "td") for cells in self.rows)
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            '<div style="overflow-x:auto"><table style="border-collapse:collapse;font-variant-numeric:tabular-nums;">'
            f"{title}<thead>{row(self.head, 'th', f'border-bottom:{line}')}</thead>\n<tbody>{body}</tbody></table>"
            f"{notes}</div>"
        )


def html_lines(lines: Iterable[str]) -> str:
    """Lines of text as HTML, which may hold formulas between dollar signs; their indents stay."""
    return "<br>".join(escape(line).replace("    ", "&emsp;") for line in lines)
