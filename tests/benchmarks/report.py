"""The results as a page: tables of ratios, a column for each tool, and a chart of them on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .tools import OURS, TOOLS
from .works import HAND, Target

IMPORT = "import"
PEERS = (*TOOLS, "jax jit", "differences")


@dataclass
class Row:
    """What was measured of a work, in seconds or, of memory, in bytes."""

    work: str
    figures: dict[str, float]
    targets: tuple[Target, ...] = ()
    wrong: dict[str, str] = field(default_factory=dict)
    memory: bool = False
    group: str = ""

    def over(self, name: str, base: str) -> float | None:
        """How many times `base` the call `name` took."""
        if name in self.figures and base in self.figures:
            return self.figures[name] / self.figures[base]
        return None

    def measured(self, target: Target) -> float | None:
        """What to compare with the target's factor."""
        if target.each and target.of in self.figures:
            return (self.figures[target.of] - self.figures.get(target.over, 0.0)) / target.count
        return self.over(target.of, target.over)

    def met(self, target: Target) -> bool:
        """A wrong answer meets no target."""
        measured = self.measured(target)
        return measured is not None and measured <= target.factor

    def cell(self, name: str) -> str:
        """A tool's time over the hand-written one's; of imports, seconds beyond numpy's."""
        if name in self.wrong:
            return "wrong" if name in OURS else "failed"
        if self.group == IMPORT:
            return duration(self.figures.get(name))
        return ratio(self.over(name, HAND))

    def line(self, tools: Iterable[str]) -> list[str]:
        """The line of the table; a target that is not met is marked."""
        show, aims = size if self.memory else duration, []
        for t in self.targets:
            what = f"{_aim(t, t.factor)} {t.each}" if t.each else f"{_aim(t, t.factor)} × {t.over}"
            of = OURS.get(t.of, t.of).removeprefix(", ")
            aims.append(f"{of and of + ': '}{what} {'✓' if self.met(t) else '✗ ' + _aim(t, self.measured(t))}")
        base = [show(self.figures.get(name)) for name in (HAND, "f")]
        return [self.work, *base, *[self.cell(name) for name in tools], "; ".join(aims)]

    def record(self) -> dict[str, Any]:
        """What `--json` writes."""
        targets = [{**vars(t), "measured": self.measured(t), "met": self.met(t)} for t in self.targets]
        return {**vars(self), "unit": "B" if self.memory else "s", "targets": targets}


# ---------------------------------------------------------------- tables

GUIDE = """\
Every answer is checked before it is timed. The first columns are the medians of the derivative written by hand and of
the function itself; the others are ratios to the one written by hand, 1 being as fast as that. A target that is missed
is marked ✗, with what was measured. JAX and fastdual bring subclasses of ndarray that NumPy asks first; beside them
dualdiff looks at each call with care, which takes some 20 µs: alone, x sin x + exp(-x)/x is 15 times the one by hand.
"""


def tools_of(rows: Iterable[Row]) -> list[str]:
    """The tools that have a figure in these rows: ours, the peers, then other ways to do it by hand."""
    met = dict.fromkeys(name for row in rows for name in (*row.figures, *row.wrong) if name not in (HAND, "f"))
    known = [name for name in dict.fromkeys((*OURS, *PEERS)) if name in met]
    return [*known, *[name for name in met if name not in known]]


def tables(rows: Iterable[Row], level: str = "##") -> str:
    """The rows in Markdown, a table for each group, peers as columns."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)  # in the order of the first of each
    parts = []
    for group, members in groups.items():
        tools = tools_of(members)
        head = ["work", "numpy alone" if group == IMPORT else HAND, "f itself"]
        head += [f"**{name.replace('dualdiff ', '')}**" if name in OURS else name for name in tools] + ["target"]
        lines = [head, ["---", *["---:"] * (len(head) - 2), "---"], *[row.line(tools) for row in members]]
        empty = {k for k in range(1, len(head)) if not any(line[k] for line in lines[2:])}
        lines = [[c for k, c in enumerate(line) if k not in empty] for line in lines]
        parts.append(f"{level} {group.capitalize()}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts)


def page(rows: list[Row], machine: str, chart: str) -> str:
    """All of it in Markdown; `chart` is the picture's file."""
    met = [row.met(target) for row in rows for target in row.targets]
    alt = "Times over that of the derivative written by hand, for every work and tool, on a logarithmic axis"
    parts = ["# Benchmarks", f"![{alt}]({chart})", GUIDE.strip(), tables(rows), "## Machine and versions", machine]
    return "\n\n".join([*parts, f"Targets met: {sum(met)} of {len(met)}."]) + "\n"


def duration(seconds: float | None) -> str:
    return _scaled(seconds, (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)))


def size(x: float | None) -> str:
    return _scaled(x, (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)))


def _scaled(x: float | None, units: tuple[tuple[str, float], ...]) -> str:
    """Three digits, in the largest unit that fits."""
    if x is None:
        return ""
    unit, scale = next((pair for pair in units if abs(x) >= pair[1]), units[-1])
    return f"{x / scale:.3g} {unit}"


def _aim(target: Target, x: float | None) -> str:
    """A target's factor, or what was measured of it."""
    return "no answer" if x is None else duration(x) if target.each else f"{x:.3g}"


def ratio(x: float | None) -> str:
    return "" if x is None else f"{x:,.0f}" if x >= 100 else f"{x:.{2 if x < 10 else 3}g}"


# ---------------------------------------------------------------- the chart

# How a mark is drawn and what it stands for: the first that holds the tool's name; all others are in the last
MARKS = {
    "dualdiff": ("#d1242f", 5.5, ("dualdiff", "dualdiff reverse")),
    "dualdiff, compiled": ("#1a7f37", 5.5, tuple(name for name in OURS if "compiled" in name or "numba" in name)),
    "compilers: JAX's jit, CasADi": ("#0969da", 4.0, ("jax jit", "casadi")),
    "finite differences": ("#bf8700", 4.0, ("differences",)),
    "other libraries": ("#8c959f", 3.5, ()),
}
LABELS, DECADE, LINE = 330, 92, 19  # pixels: for the names, a power of ten, a line
LEAST, MOST = -1, 5  # powers of ten; what is beyond stands at the edge


def chart(rows: Iterable[Row]) -> str:
    """Ratios to the derivative written by hand, as SVG."""
    shown = [row for row in rows if row.group != IMPORT and HAND in row.figures]
    parts = [*_lines(shown)]
    height, width = LINE * (len(shown) + len({row.group for row in shown})) + 100, LABELS + DECADE * (MOST - LEAST) + 40
    grid = []
    for k in range(LEAST, MOST + 1):
        x, strong = _x(10.0**k), k == 0
        name = "by hand" if strong else f"{10.0**k:,.6g} ×"
        ink = "#1f2328" if strong else "#d0d7de"
        grid.append(f'<path d="M{x:.1f} 68V{height - 20}" stroke="{ink}" stroke-width="{1.4 if strong else 1}"/>')
        grid.append(f'<text x="{x:.1f}" y="60" text-anchor="middle" fill="#57606a">{name}</text>')
    legend, x = [], 16.0
    for name, (ink, r, _) in MARKS.items():
        legend.append(f'<circle cx="{x:.0f}" cy="22" r="{r}" fill="{ink}"/><text x="{x + 10:.0f}" y="26">{name}</text>')
        x += 36 + 6.4 * len(name)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#1f2328">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *legend, *grid, *parts, "</svg>\n",
    ])  # fmt: skip


def _x(times: float) -> float:
    return LABELS + DECADE * (min(max(math.log10(times), LEAST), MOST) - LEAST)


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """For each work its name and a mark for each tool, ours on top; groups have a line of their own."""
    y, group = 70.0, None
    for row in rows:
        if row.group != group:
            y, group = y + LINE, row.group
            yield f'<text x="16" y="{y:.0f}" font-weight="bold">{escape(row.group.capitalize())}</text>'
        y += LINE
        work = row.work.removeprefix("memory: ").removeprefix("solve: ")
        work = work if len(work) < 54 else work[:52] + "..."
        yield f'<text x="{LABELS - 14}" y="{y:.0f}" text-anchor="end">{escape(work)}</text>'
        names = [name for name in row.figures if name in OURS or name in PEERS]
        for ink, r, members in reversed(MARKS.values()):
            for name in names:
                if _mark(name) == members:
                    times = row.figures[name] / row.figures[HAND]
                    title = f"<title>{escape(f'{name}: {ratio(times)}')}</title>"
                    at = f'cx="{_x(times):.1f}" cy="{y - 4:.1f}" r="{r}"'
                    yield f'<circle {at} fill="{ink}" fill-opacity="0.8">{title}</circle>'


def _mark(name: str) -> tuple[str, ...]:
    return next((members for *_, members in MARKS.values() if name in members), ())
