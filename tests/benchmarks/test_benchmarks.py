"""The benchmarks' answers at tiny sizes, and their command; no time is asserted here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks import command
from tests.benchmarks.imports import UNWANTED, loaded_by_import
from tests.benchmarks.timing import Call, peak_bytes
from tests.benchmarks.tools import OURS, installed
from tests.benchmarks.works import HAND, WORKS, Target, wrong_answers

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
    row = command.Row("a work", {HAND: 2.0, "f": 1.0, "dualdiff": 5.0})
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
    assert "| Dual times Dual |" in shown and "of 1." in shown
    (work,) = json.loads(file.read_text())["works"]
    assert set(work["figures"]) == {HAND, "dualdiff"} and work["targets"][0]["measured"] > 0


def test_modes_are_lines_of_their_own() -> None:
    row = command.Row("a work", {HAND: 2.0, "dualdiff": 5.0, "dualdiff reverse": 0.5}, (Target(3),))
    row.wrong["peer"] = "wrong answer"
    forward, reverse = row.lines()
    assert forward[:5] == ["a work", "2 s", "", "5 s", "2.5"]
    assert forward[6:] == ["3 × hand-written", "yes (2.5)", "peer failed"]
    assert reverse[3:5] == ["500 ms", "0.25"] and reverse[6:] == ["", "", ""]


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "nothing"])
    assert "rosenbrock10" in capsys.readouterr().err
