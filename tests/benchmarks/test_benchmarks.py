"""The benchmarks' answers at tiny sizes, and their command; no time is asserted here."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import command
from tests.benchmarks.imports import UNWANTED, loaded_by_import
from tests.benchmarks.report import Row, chart, page
from tests.benchmarks.timing import Call, peak_bytes
from tests.benchmarks.tools import OURS, installed
from tests.benchmarks.works import GROUPS, HAND, WORKS, Target, wrong_answers

pytest.importorskip("scipy", reason="sparse works are checked against SciPy's arrays")


@pytest.mark.parametrize("name", WORKS)
def test_answers_equal_the_hand_written_ones(name: str) -> None:
    work = WORKS[name](installed(["dualdiff", "scipy"]), True)
    assert any(ours in work.calls for ours in OURS)
    assert wrong_answers(work) == wrong_answers(work) == {}  # programs serve from the second call on
    assert all({target.of, target.over} <= {*work.calls, *work.known, ""} for target in work.targets)


def test_a_wrong_answer_and_an_exception_are_found() -> None:
    work = WORKS["rosenbrock10"]([], True)
    work.calls["off"] = Call("x + 1.0", work.calls["f"].names | {"x": work.calls["f"].names["a0"]})
    work.calls["broken"] = Call("1 / 0", {})
    assert wrong_answers(work) == {"off": "wrong answer", "broken": "ZeroDivisionError: division by zero"}


@pytest.mark.parametrize("off", ["J * (1 + 1e-8)", "J[:-1]", "J * float('nan')", "J.T", "0 * J", "J.toarray() + 1e-3"])
def test_a_wrong_sparse_answer_is_found(off: str) -> None:
    work = WORKS["burgers1000"]([], True)
    jacobian: Any = work.calls[HAND].run()
    work.calls |= {"off": Call(off, {"J": jacobian}), "dense": Call("J.toarray()", {"J": jacobian})}
    assert wrong_answers(work) == {"off": "wrong answer"}


def test_targets() -> None:
    row = Row("a work", {HAND: 2.0, "f": 1.0, "dualdiff": 5.0})
    assert row.met(Target(2.5)) and not row.met(Target(2.4)) and row.met(Target(5, "f"))
    assert row.met(Target(1.0, "f", each="a step", count=4)) and not row.met(Target(0.9, "f", each="a step", count=4))
    assert row.met(Target(5, over="", each="alone")) and not row.met(Target(4, over="", each="alone"))
    assert not row.met(Target(100, of="dualdiff reverse"))  # which gave no answer


def test_a_peak_of_memory_is_that_of_one_run() -> None:
    call = Call("np.ones(n).sum() + np.ones(2 * n).sum()", {"np": np, "n": 100_000})
    assert 1_600_000 <= peak_bytes(call) < 1_700_000


def test_import_leaves_the_heavy_packages_alone() -> None:
    assert loaded_by_import("dualdiff").isdisjoint(UNWANTED)


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert command.main(["--quick", "--only", "multiplication", "--tools", "dualdiff", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "| Dual times Dual |" in shown and "of 1." in shown and "## Small" in shown
    (work,) = json.loads(file.read_text())["works"]
    assert set(work["figures"]) == {HAND, "dualdiff"} and work["targets"][0]["measured"] > 0


def test_tools_are_columns_and_works_rows_in_groups() -> None:
    row = Row("a work", {HAND: 2.0, "dualdiff": 5.0, "dualdiff reverse": 0.5}, (Target(3), Target(2)), group="small")
    row.wrong["peer"] = "wrong answer"
    cells = ["a work", "2 s", "", "2.5", "0.25", "failed", "3 × hand-written ✓; 2 × hand-written ✗ 2.5"]
    assert row.line(["dualdiff", "dualdiff reverse", "peer"]) == cells
    text = page([row, Row("more", {HAND: 1.0, "f": 0.5, "jax jit": 40.0}, group="arrays")], "a machine", "chart.svg")
    assert "| work | hand-written | **dualdiff** | **reverse** | peer | target |\n" in text  # no column is empty
    assert "| work | hand-written | f itself | jax jit |\n" in text and "Targets met: 1 of 2." in text
    assert [line for line in text.splitlines() if line.startswith("## ")][:2] == ["## Small", "## Arrays"]


def test_the_chart_has_a_mark_for_each_figure() -> None:
    row = Row("a <work>", {HAND: 2.0, "f": 1.0, "dualdiff": 5.0, "jax jit": 200.0, "other way": 1.0}, group="small")
    titles = [title.text for title in ET.fromstring(chart([row])).iter("{http://www.w3.org/2000/svg}title")]
    assert sorted(map(str, titles)) == ["dualdiff: 2.5", "jax jit: 100"]


def test_every_work_has_a_group() -> None:
    assert GROUPS.keys() == WORKS.keys()


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "nothing"])
    assert "rosenbrock10" in capsys.readouterr().err
