"""Checks every answer, times what is right, side by side in one run, and prints a Markdown table of medians and ratios.

Between machines compare ratios, not seconds.
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
from .timing import interleaved
from .tools import TOOLS, Tool, installed
from .works import HAND, WORKS, wrong_answers

IMPORT = "import"
HEADER = [
    *("work", HAND, "f itself", "dualdiff", "over hand-written", "over f", "target", "met"),
    "others, over hand-written",
]


@dataclass
class Row:
    """One line of the table, and what `--json` writes of it."""

    work: str
    seconds: dict[str, float]
    wrong: dict[str, str] = field(default_factory=dict)
    target: str = ""
    met: bool | None = None

    def over(self, name: str, base: str) -> float | None:
        """How many times `base` the call `name` took."""
        if name in self.seconds and base in self.seconds:
            return self.seconds[name] / self.seconds[base]
        return None

    def cells(self) -> list[str]:
        """The line of the table; the import's ratios say nothing, so its others are seconds beyond numpy's."""
        known = (HAND, "f", "dualdiff")
        others = {name: time for name, time in self.seconds.items() if name not in known}
        shown = [
            f"{name} {_duration(time) if self.work == IMPORT else _ratio(time / self.seconds[HAND])}"
            for name, time in sorted(others.items(), key=lambda item: item[1])
        ]
        shown += [f"{name} failed" for name in self.wrong if name not in known]
        base = HAND if self.work != IMPORT else ""
        return [
            self.work if self.work != IMPORT else "import beyond numpy's (first column)",
            _duration(self.seconds.get(HAND)),
            _duration(self.seconds.get("f")),
            "wrong" if "dualdiff" in self.wrong else _duration(self.seconds.get("dualdiff")),
            _ratio(self.over("dualdiff", base)),
            _ratio(self.over("dualdiff", "f")),
            self.target,
            {None: "", True: "yes", False: "no"}[self.met],
            ", ".join(shown),
        ]


def run_work(key: str, tools: list[Tool], rounds: int, sample: float) -> Row:
    """Checks the answers of a work, then times what was right."""
    work = WORKS[key](tools, False)
    wrong = wrong_answers(work)
    seconds = interleaved({name: call for name, call in work.calls.items() if name not in wrong}, rounds, sample)
    row = Row(work.name, seconds, wrong)
    if work.target:
        row.target = f"{work.target.factor:g} × {work.target.over}"
        ratio = row.over("dualdiff", work.target.over)
        if ratio is not None or "dualdiff" in wrong:
            row.met = ratio is not None and ratio <= work.target.factor
    return row


def run_import(packages: list[str], rounds: int) -> Row:
    """Times the imports, and checks that dualdiff's brings nothing heavy along."""
    times = import_seconds(packages, rounds)
    numpy = times.pop("numpy")
    row = Row(IMPORT, {HAND: numpy, **{package: time - numpy for package, time in times.items()}})
    row.target = _duration(LIMIT)
    if "dualdiff" in times:
        unwanted = loaded_by_import("dualdiff").intersection(UNWANTED)
        if unwanted:
            row.wrong["dualdiff"] = f"import dualdiff loads {', '.join(sorted(unwanted))}"
        row.met = not unwanted and row.seconds["dualdiff"] <= LIMIT
    return row


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [HEADER, ["---"] * len(HEADER), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


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
    rounds, sample = (5, 0.002) if options.quick else (15, 0.02)

    tools = installed(options.tools.split(",") if options.tools else None)
    rows = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        if name == IMPORT:
            rows.append(run_import([package for package in TOOLS if package in sys.modules], rounds))
        else:
            rows.append(run_work(name, tools, rounds, sample))

    versions = {"Python": platform.python_version(), "numpy": np.__version__, **{t.name: t.version for t in tools}}
    machine = f"{', '.join(f'{name} {version}'.rstrip() for name, version in versions.items())}; "
    threads = os.environ.get("OMP_NUM_THREADS") or os.cpu_count()
    machine += f"{platform.machine()}, threads: {threads}; medians of {rounds} interleaved rounds"
    print(table(rows), machine, sep="\n\n")
    for row in rows:
        for name, what in row.wrong.items():
            print(f"{row.work}: {name}: {what}")
    if options.json:
        figures = {"machine": machine, "works": [vars(row) for row in rows]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any("dualdiff" in row.wrong for row in rows))
