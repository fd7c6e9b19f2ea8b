"""Checks every answer, times what is right, side by side in one run, and prints medians and ratios in Markdown.

Between machines compare ratios, not seconds. Lines named memory show peaks in bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

import numpy as np

from .imports import LIMIT, UNWANTED, import_seconds, loaded_by_import
from .report import IMPORT, Row, chart, page
from .timing import CLOCK, interleaved, peak_bytes
from .tools import OURS, TOOLS, Tool, installed
from .works import GROUPS, HAND, WORKS, Target, wrong_answers

FILE = Path(__file__).with_name("RESULTS.md")


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
    return Row(work.name, figures | work.known, targets, wrong, work.memory, GROUPS[key])


def run_import(packages: list[str], rounds: int) -> Row:
    """Times the imports, and checks that dualdiff's brings nothing heavy along."""
    times = import_seconds(packages, rounds)
    numpy = times.pop("numpy")
    row = Row("import, beyond numpy's", {HAND: numpy, **{p: time - numpy for p, time in times.items()}}, group=IMPORT)
    if "dualdiff" in times:
        unwanted = loaded_by_import("dualdiff").intersection(UNWANTED)
        if unwanted:
            row.wrong["dualdiff"] = f"import dualdiff loads {', '.join(sorted(unwanted))}"
            del row.figures["dualdiff"]
        row.targets = (Target(LIMIT, over="", each="beyond numpy's"),)
    return row


def main(argv: list[str] | None = None) -> int:
    """The command line; the exit status is 1 if an answer of dualdiff is wrong."""
    names = [*WORKS, IMPORT]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    only = f"names, or how they begin, of: {', '.join(names)}"
    parser.add_argument("--only", nargs="+", default=[""], metavar="NAME", help=only)
    parser.add_argument("--tools", metavar="A,B", help=f"of the installed ones only these: {', '.join(TOOLS)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples: rougher figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--write", action="store_true", help="write RESULTS.md and its chart RESULTS.svg here")
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
    text = page(rows, machine, FILE.with_suffix(".svg").name)
    print(text)
    if options.write:
        FILE.write_text(text, encoding="utf-8")
        FILE.with_suffix(".svg").write_text(chart(rows), encoding="utf-8")
    for row in rows:
        for name, what in row.wrong.items():
            print(f"{row.work}: {name}: {what}")
    if options.json:
        figures = {"machine": machine, "works": [row.record() for row in rows]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(any(name in row.wrong for row in rows for name in OURS))
