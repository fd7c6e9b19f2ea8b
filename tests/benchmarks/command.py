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
from typing import Any

import numpy as np

from .imports import LIMIT, UNWANTED, import_seconds, loaded_by_import
from .timing import CLOCK, interleaved, peak_bytes
from .tools import OURS, TOOLS, Tool, installed
from .works import HAND, WORKS, Target, wrong_answers

IMPORT = "import"
HEADER = [
    *("work", HAND, "f itself", "dualdiff", "over hand-written", "over f", "target", "met"),
    "others, over hand-written",
]


@dataclass
class Row:
    """What was measured of a work, in seconds or, of memory, in bytes."""

    work: str
    figures: dict[str, float]
    targets: tuple[Target, ...] = ()
    wrong: dict[str, str] = field(default_factory=dict)
    memory: bool = False

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

    def lines(self) -> list[list[str]]:
        """The lines of the table, one for each of dualdiff's modes."""
        modes = [name for name in OURS if name in self.figures or name in self.wrong] or [*OURS][:1]
        return [self._line(name, name == modes[0]) for name in modes]

    def _line(self, name: str, first: bool) -> list[str]:
        show, beyond = _size if self.memory else _duration, self.work == IMPORT
        work = "import beyond numpy's (first column)" if beyond else self.work if first else "&emsp;the same"
        targets = [target for target in self.targets if target.of == name]
        return [
            work + OURS[name],
            show(self.figures.get(HAND)) if first else "",
            show(self.figures.get("f")) if first else "",
            "wrong" if name in self.wrong else show(self.figures.get(name)),
            "" if beyond else _ratio(self.over(name, HAND)),
            _ratio(self.over(name, "f")),
            ", ".join(_aim(t, t.factor) + (f" {t.each}" if t.each else f" × {t.over}") for t in targets),
            ", ".join(("yes" if self.met(t) else "no") + f" ({_aim(t, self.measured(t))})" for t in targets),
            ", ".join(self._others()) if first else "",
        ]

    def _others(self) -> list[str]:
        """The others over the hand-written one; of imports, seconds beyond numpy's."""
        named = sorted((x, name) for name, x in self.figures.items() if name not in (HAND, "f", *OURS))
        if self.work == IMPORT:
            return [f"{name} {_duration(x)}" for x, name in named]
        shown = [f"{name} {_ratio(x / self.figures[HAND])}" for x, name in named]
        return shown + [f"{name} failed" for name in self.wrong if name not in OURS]

    def record(self) -> dict[str, Any]:
        """What `--json` writes."""
        targets = [{**vars(t), "measured": self.measured(t), "met": self.met(t)} for t in self.targets]
        return {**vars(self), "unit": "B" if self.memory else "s", "targets": targets}


def run_work(key: str, tools: list[Tool], rounds: int, sample: float) -> Row:
    """Checks the answers of a work, then measures what was right."""
    work = WORKS[key](tools, False)
    wrong = wrong_answers(work)
    right = {name: call for name, call in work.calls.items() if name not in wrong}
    if work.memory:
        figures = {name: peak_bytes(call) for name, call in right.items()}
    else:
        figures = interleaved(right, rounds, sample)
    targets = tuple(target for target in work.targets if target.of in work.calls)
    return Row(work.name, figures | work.known, targets, wrong, work.memory)


def run_import(packages: list[str], rounds: int) -> Row:
    """Times the imports, and checks that dualdiff's brings nothing heavy along."""
    times = import_seconds(packages, rounds)
    numpy = times.pop("numpy")
    row = Row(IMPORT, {HAND: numpy, **{package: time - numpy for package, time in times.items()}})
    if "dualdiff" in times:
        unwanted = loaded_by_import("dualdiff").intersection(UNWANTED)
        if unwanted:
            row.wrong["dualdiff"] = f"import dualdiff loads {', '.join(sorted(unwanted))}"
            del row.figures["dualdiff"]
        row.targets = (Target(LIMIT, over="", each="beyond numpy's"),)
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


def _aim(target: Target, x: float | None) -> str:
    """A target's factor, or what was measured of it."""
    return "no answer" if x is None else _duration(x) if target.each else f"{x:.3g}"


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
    versions |= {tool.name: tool.version for tool in tools if not OURS.get(tool.name)}
    machine = f"{', '.join(f'{name} {version}'.rstrip() for name, version in versions.items())}; "
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    clock = "CPU seconds on one core" if CLOCK == "process_time" else "seconds"
    machine += f"{platform.machine()}, threads: {threads}; medians of {rounds} interleaved rounds, in {clock}"
    met = [row.met(target) for row in rows for target in row.targets]
    print(table(rows), machine, f"Targets met: {sum(met)} of {len(met)}.", sep="\n\n")
    for row in rows:
        for name, what in row.wrong.items():
            print(f"{row.work}: {name}: {what}")
    if options.json:
        figures = {"machine": machine, "works": [row.record() for row in rows]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(name in row.wrong for row in rows for name in OURS))
