"""Checks every answer, times what is right, side by side in one run, and prints a Markdown table of medians and ratios.

Between machines compare ratios, not seconds. Lines named memory show peaks in bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .imports import LIMIT, UNWANTED, import_seconds, loaded_by_import
from .timing import interleaved, peak_bytes
from .tools import OURS, TOOLS, Tool, installed
from .works import HAND, WORKS, Target, wrong_answers

IMPORT = "import"
HEADER = [
    *("work", HAND, "f itself", "dualdiff", "over hand-written", "over f", "target", "met"),
    "others, over hand-written",
]


@dataclass
class Aim:
    """A target, and what was measured: times of another call, or seconds more for an operation."""

    target: Target
    measured: float | None

    def cells(self) -> tuple[str, str]:
        """The target, and whether it is met."""
        limit, over, measured = self.target.factor, self.target.over, self.measured
        if self.target.operations:
            shown, bound = _duration(measured), f"{_duration(limit)} an operation"
        else:
            shown, bound = _ratio(measured), f"{limit:g} × {over}"
        if self.target.over == IMPORT:
            shown, bound = _duration(measured), _duration(limit)
        return bound, "no answer" if measured is None else f"{'yes' if measured <= limit else 'no'}: {shown}"


@dataclass
class Row:
    """What was measured of a work, in seconds or, of memory, in bytes; and what `--json` writes of it."""

    work: str
    figures: dict[str, float]
    wrong: dict[str, str] = field(default_factory=dict)
    memory: bool = False
    aims: list[Aim] = field(default_factory=list)

    def over(self, name: str, base: str) -> float | None:
        """How many times `base` the call `name` took."""
        if name in self.figures and base in self.figures:
            return self.figures[name] / self.figures[base]
        return None

    def measure(self, target: Target) -> Aim:
        """A target beside what was measured."""
        ratio = self.over(target.of, target.over)
        if ratio is not None and target.operations:
            ratio = (self.figures[target.of] - self.figures[target.over]) / target.operations
        return Aim(target, ratio)

    def lines(self) -> list[list[str]]:
        """The lines of the table, one for each of dualdiff's modes."""
        show = _size if self.memory else _duration
        modes = [name for name in OURS if name in self.figures or name in self.wrong] or [OURS[0]]
        lines = []
        for name in modes:
            aims = [aim.cells() for aim in self.aims if aim.target.of == name or len(modes) == 1]
            lines.append(
                [
                    *([self.work, show(self.figures.get(HAND)), show(self.figures.get("f"))] if not lines else [""] * 3),
                    ("reverse " if name != OURS[0] else "")
                    + ("wrong" if name in self.wrong else show(self.figures.get(name))),
                    _ratio(self.over(name, HAND)) if self.work != IMPORT else "",
                    _ratio(self.over(name, "f")),
                    ", ".join(bound for bound, _ in aims),
                    ", ".join(met for _, met in aims),
                    self.others() if not lines else "",
                ]
            )
        if self.work == IMPORT:
            lines[0][0] = "import beyond numpy's (first column)"
        return lines

    def others(self) -> str:
        """The others over the hand-written one; of imports, seconds beyond numpy's."""
        named = sorted((x, name) for name, x in self.figures.items() if name not in (HAND, "f", *OURS))
        shown = [f"{name} {_duration(x) if self.work == IMPORT else _ratio(x / self.figures[HAND])}" for x, name in named]
        return ", ".join(shown + [f"{name} failed" for name in self.wrong if name not in OURS])


def run_work(key: str, tools: list[Tool], rounds: int, sample: float) -> Row:
    """Checks the answers of a work, then measures what was right."""
    work = WORKS[key](tools, False)
    wrong = wrong_answers(work)
    right = {name: call for name, call in work.calls.items() if name not in wrong}
    if work.memory:
        figures = {name: peak_bytes(call) for name, call in right.items()}
    else:
        figures = interleaved(right, rounds, sample)
    row = Row(work.name, figures | work.known, wrong, work.memory)
    ours = {tool.name for tool in tools}
    row.aims = [row.measure(target) for target in work.targets if target.of in ours]
    return row


def run_import(packages: list[str], rounds: int) -> Row:
    """Times the imports, and checks that dualdiff's brings nothing heavy along."""
    times = import_seconds(packages, rounds)
    numpy = times.pop("numpy")
    row = Row(IMPORT, {HAND: numpy, **{package: time - numpy for package, time in times.items()}})
    if "dualdiff" in times:
        unwanted = loaded_by_import("dualdiff").intersection(UNWANTED)
        if unwanted:
            row.wrong["dualdiff"] = f"import dualdiff loads {', '.join(sorted(unwanted))}"
        row.aims = [Aim(Target(LIMIT, IMPORT), None if unwanted else row.figures["dualdiff"])]
    return row


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [HEADER, ["---"] * len(HEADER), *(line for row in rows for line in row.lines())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _duration(seconds: float | None) -> str:
    return _scaled(seconds, (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)))


def _size(size: float | None) -> str:
    return _scaled(size, (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)))


def _scaled(x: float | None, units: tuple[tuple[str, float], ...]) -> str:
    """Three digits, in the largest unit that fits."""
    if x is None:
        return ""
    unit, size = next((pair for pair in units if abs(x) >= pair[1]), units[-1])
    return f"{x / size:.3g} {unit}"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.{2 if ratio < 10 else 3}g}"


def main(argv: list[str] | None = None) -> int:
    """The command line; the exit status is 1 if an answer of dualdiff is wrong."""
    names = [*WORKS, IMPORT]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    only = f"names, or how they begin, of: {', '.join(names)}"
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME", help=only)
    parser.add_argument("--tools", metavar="A,B", help=f"of the installed ones only these: {', '.join(TOOLS)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples: rougher figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    wanted = options.only
    chosen = [n for n in names if n in wanted or any(n.startswith(w) for w in wanted if w not in names)]
    if not chosen:
        parser.error(f"no work is named {' or '.join(wanted)}; there are {', '.join(names)}")
    rounds, sample = (5, 0.002) if options.quick else (25, 0.01)

    packages = options.tools.split(",") if options.tools else list(TOOLS)
    tools = installed(packages)
    rows = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if name == IMPORT:
            rows.append(run_import([package for package in packages if package in sys.modules], rounds))
        else:
            rows.append(run_work(name, tools, rounds, sample))

    versions = {"Python": platform.python_version(), "numpy": np.__version__}
    versions |= {tool.name: tool.version for tool in tools if tool.name != OURS[1]}
    machine = f"{', '.join(f'{name} {version}'.rstrip() for name, version in versions.items())}; "
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    machine += f"{platform.machine()}, threads: {threads}; medians of {rounds} interleaved rounds"
    print(table(rows), machine, sep="\n\n")
    for row in rows:
        for name, what in row.wrong.items():
            print(f"{row.work}: {name}: {what}")
    if options.json:
        works = [{**vars(row), "aims": [{**vars(aim.target), "measured": aim.measured} for aim in row.aims]} for row in rows]
        options.json.write_text(json.dumps({"machine": machine, "works": works}, indent=2) + "\n")
    return int(any(name in row.wrong for row in rows for name in OURS))
