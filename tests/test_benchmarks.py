"""The benchmarks' answers at tiny sizes, and their command; no time is asserted here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import command
from tests.benchmarks.imports import UNWANTED, loaded_by_import
from tests.benchmarks.timing import Call
from tests.benchmarks.tools import installed
from tests.benchmarks.works import WORKS, wrong_answers


@pytest.mark.parametrize("name", WORKS)
def test_answers_equal_the_hand_written_ones(name: str) -> None:
    work = WORKS[name](installed(["dualdiff"]), True)
    assert "dualdiff" in work.calls
    assert wrong_answers(work) == {}


def test_a_wrong_answer_and_an_exception_are_found() -> None:
    work = WORKS["rosenbrock10"]([], True)
    work.calls["off"] = Call("x + 1.0", work.calls["f"].names | {"x": work.calls["f"].names["a0"]})
    work.calls["broken"] = Call("1 / 0", {})
    assert wrong_answers(work) == {"off": "wrong answer", "broken": "ZeroDivisionError: division by zero"}


def test_import_leaves_the_heavy_packages_alone() -> None:
    assert loaded_by_import("dualdiff").isdisjoint(UNWANTED)


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert command.main(["--quick", "--only", "multiplication", "--tools", "dualdiff", "--json", str(file)]) == 0
    assert "| Dual times Dual |" in capsys.readouterr().out
    (work,) = json.loads(file.read_text())["works"]
    assert set(work["seconds"]) == {"hand-written", "dualdiff"}


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--only", "nothing"])
    assert "rosenbrock10" in capsys.readouterr().err
