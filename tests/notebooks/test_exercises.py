"""The exercises: unfinished they print hints and no traceback, wrong answers are told the slip, solutions are right.

The code runs here, not in a kernel: a check cell `check-NAME` goes with the cell `todo-NAME` that the learner fills in.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOM = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = ["01_derivatives_and_duals", "02_gradient_descent", "03_backpropagation"]

each_name = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def pictures_without_a_window() -> Iterator[None]:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@functools.cache
def cells(room: str, name: str) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads((ROOM / room / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return cells


def run(source: str | list[str], names: dict[str, Any]) -> str:
    """What a cell prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec("".join(source), names)
    return out.getvalue()


@functools.cache
def run_all(room: str, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The names that a notebook defines, and what each of its code cells prints."""
    names: dict[str, Any] = {}
    return names, {c["id"]: run(c["source"], names) for c in cells(room, name) if c["cell_type"] == "code"}


def stored(room: str, name: str) -> dict[str, str]:
    code = [c for c in cells(room, name) if c["cell_type"] == "code"]
    return {c["id"]: "".join(t for o in c["outputs"] for t in o.get("text", [])) for c in code}


def test_they_are_complete() -> None:
    for room in ("exercises", "solutions"):
        assert sorted(p.stem for p in (ROOM / room).glob("*.ipynb")) == NAMES


@each_name
def test_solutions_differ_in_the_todo_cells_only(name: str) -> None:
    exercise, solution = (
        [(c["id"], c["cell_type"], c["source"]) for c in cells(room, name)] for room in ("exercises", "solutions")
    )
    assert [c[:2] for c in exercise] == [c[:2] for c in solution]
    differ = [a[0] for a, b in zip(exercise, solution) if a != b]
    assert differ == [id for id, *_ in exercise if id.startswith("todo-")]
    for id, _, source in exercise:
        if id.startswith("todo-"):
            assert "# TODO" in "".join(source) and "..." in "".join(source)
    assert not [id for id, _, source in solution if id.startswith("todo-") and "..." in "".join(source)]
    assert {id.replace("todo-", "check-") for id in differ} <= {id for id, *_ in exercise}, "each is checked"


@each_name
@pytest.mark.parametrize("fresh", [True, False], ids=["run", "stored"])
def test_unfinished_exercises_print_hints(name: str, fresh: bool) -> None:
    printed = run_all("exercises", name)[1] if fresh else stored("exercises", name)
    checks = {id: text.splitlines() for id, text in printed.items() if id.startswith("check-")}
    assert all(checks.values())
    assert not [(id, a) for id, found in checks.items() for a in found if ": not done yet: " not in a]
    assert not re.search("Traceback|[Ee]llipsis", str(printed))


@each_name
@pytest.mark.parametrize("fresh", [True, False], ids=["run", "stored"])
def test_solutions_are_right(name: str, fresh: bool) -> None:
    printed = run_all("solutions", name)[1] if fresh else stored("solutions", name)
    checks = {id: text.splitlines() for id, text in printed.items() if id.startswith("check-")}
    assert all(checks.values())
    assert not [(id, a) for id, found in checks.items() for a in found if ": right" not in a]


def judged(name: str, todo: str, old: str, new: str, check: str) -> str:
    """What a check says if the solution of a cell has `new` in place of `old`; the answers between the two count."""
    code = {c["id"]: "".join(c["source"]) for c in cells("solutions", name) if c["cell_type"] == "code"}
    names, ids, source = dict(run_all("solutions", name)[0]), list(code), code[f"todo-{todo}"]
    assert source.count(old) == 1, "the solution has changed: mend the table"
    run(source.replace(old, new), names)
    for id in ids[ids.index(f"todo-{todo}") + 1 : ids.index(f"check-{check}")]:
        run(code[id] if id.startswith("todo-") else "", names)
    return run(code[f"check-{check}"], names)


WRONG = [  # the cell, what the solution has there, what the learner writes, a piece of the answer
    ("function", "+ 4 * x ", "", r"the term .* is missing"),
    ("function", "+ 4 * x", "- 4 * x", r"the sign of"),
    ("function", "return ", "", "not done yet: f returned NoneType.* a forgotten return"),
    ("gradient", "+ 4", "", r"the term d\(4\*x\)/dx .* is missing"),
    ("gradient", "2 * x", "x", r"power rule: the factor 2 is missing"),
    ("gradient", "2 * x + 4", "-2 * x - 4", r"perhaps the sign"),
    ("gradient", "2 * x + 4", "f(x)", r"f itself, not its derivative"),
    ("chain", " * 2 * x", "", r"inner derivative d\(x\*\*2\)/dx = 2\*x is missing"),
    ("chain", "np.cos", "-np.cos", r"the sign of the derivative of sin\(x\*\*2\)"),
    ("chain", "np.cos(x**2) * ", "", r"the outer derivative.* is missing"),
    ("chain", "np.cos(x**2)", "math.cos(x**2)", r"it stops with NameError: name 'math' is not defined"),
    ("product", "np.exp(-3 * x) - ", "-", r"product rule: the term .* is missing"),
    ("product", "- 3 * x * np.exp(-3 * x)", "", r"product rule: the term .* is missing"),
    ("product", "- 3 * x * ", "+ x * ", r"inner derivative d\(-3\*x\)/dx = -3 is missing"),
    ("rsub", "other - self.value, -self", "other - self.value, self",
     r"1 - x .*wrong.*the sign of d\(-x\)/dx in 1 - x"),
    ("rsub", "other - self.value, -self", "self.value - other, self",
     r"1 - x .*wrong.*the sign of d\(-x\)/dx in 1 - x"),
    ("rsub", "other - self.value, -self", "self.value - other, -self",
     r"1 - x .*: right.*x \(3 - x\) .*: wrong.* wrong way round"),
    ("sine", " * x.tangent", "",
     r"sin\(x\): right.*sin\(x x\): wrong.*inner derivative d\(x\*\*2\)/dx = 2\*x is missing"),
    ("sine", "np.cos(x.value) *", "-np.cos(x.value) *", r"sin\(x\): wrong.*perhaps the sign"),
    ("step", "x - rate", "x + rate", r"perhaps the sign"),
    ("step", "rate * ", "", r"given is 4 times what is due"),
    ("step", "rate * (2 * x + 4)", "rate * f(x)", r"f itself, not its derivative"),
    ("step", "x - rate * (2 * x + 4)", "x - rate * ...", r"not done yet"),
    ("descend", "        path.append(x)\n", "", r"not done yet: nothing has been appended"),
    ("descend", "x = step(x, rate)", "step(x, rate)", r"wrong: the path does not leave the start"),
    ("descend", "range(steps)", "range(steps - 1)",
     r"wrong: the path has 30 points, and the start with 30 steps makes 31"),
    ("descend", "x = step(x, rate)", "x = 2 * x - step(x, rate)", r"wrong: uphill.*the sign"),
    ("bottom", "-2.0", "2.0", r"WRONG.*given 0, due 8"),
    ("line", "error * 2)", "error)", r"entry \[0\]: given"),
    ("line", "error * 2 * t", "error * 2", r"entry \[1\]: given.*the inner derivative .* is missing, and so on"),
    ("line", "error * 2), np.mean(error * 2 * t)", "error), np.mean(error * t)",
     r"power rule: the factor 2 is missing"),
    ("line", "w[0] + w[1] * t - y", "y - w[0] - w[1] * t", r"perhaps the sign"),
    ("graph", "d_a + d_b * (y > z)", "d_a", r"df/dy: given.*the term with d\(Max\(y, z\)\)/dy is missing"),
    ("graph", "d_a + d_b * (y > z)", "d_b * (y > z)", r"df/dy: given.*the term with d\(x \+ y\)/dy is missing"),
    ("graph", "b, a\n", "a, b\n", r"df/dx: given.*d\(x \+ y\)/dx is multiplied by x \+ y, not by the other"),
    ("graph", "d_z = d_b * (z > y)", "d_z = d_b", r"df/dz: given.*outer derivative, of Max\(y, z\) by z, is missing"),
    ("graph", "    return d_x, d_y, d_z", "    return d_x, d_y",
     r"graph_backward returned 2 derivatives; .* asks for a tuple of 3"),
    ("graph", "    return d_x, d_y, d_z", "", r"not done yet: graph_backward returned NoneType"),
    ("graph", "d_a + d_b * (y > z)", "...", r"not done yet: graph_backward returned \.\.\. as derivative 2 of 3"),
    ("tie", "0.5 * (y == z)", "0", r"max: right.*at a tie: wrong.*given 0, due 5.*the tie.* an equal share"),
    ("tie", "((y > z) + share), upstream * ((z > y) + share)", "(y >= z), upstream * (y < z)",
     r"max: right.*at a tie: wrong.*given 10, due 5.*the tie.* an equal share"),
    ("tie", "((y > z) + share), upstream * ((z > y) + share)", "(y > z), upstream * (y <= z)",
     r"max: right.*at a tie: wrong.*given 0, due 5.*the tie.* an equal share"),
    ("dense", "np.outer(upstream, x)", "np.outer(x, upstream)", r"the shape of df/dW: given \(3, 2\), .* transposed"),
    ("dense", "W.T @ upstream", "W @ upstream", r": the shapes do not fit; .* or a \.T missing\?"),
    ("dense", "d_b = upstream", "d_b = b", r"df/db_0: given"),
    ("dense", "d_b = upstream", "d_b = upstream.reshape(2, 1)", r"the shape of df/db: .* a row or a column"),
    ("dense", "d_b = upstream", "d_b = np.sum(upstream)", r"the shape of df/db: given \(\), due \(2,\)"),
    ("tanh", " * (1 - np.tanh(z) ** 2)", "", r"the outer derivative, of tanh\(z_0\) by z_0, is missing"),
    ("tanh", "1 - np", "1 + np", r"wrong in 2 of 2 components"),
    ("tanh", "(1 - np.tanh(z) ** 2)", "np.diag(1 - np.tanh(z) ** 2)", r"the shape of df/dz: given \(2, 2\)"),
    ("block", "upstream + d_x", "d_x", r"df/dx_0.*the term d\(x_0\)/dx_0 in x_0 \+ tanh.* is missing"),
    ("block", "upstream + d_x", "upstream", r"df/dx_0: given.*the term d\(tanh.* is missing"),
]  # fmt: skip


@pytest.mark.parametrize("todo, old, new, answer", WRONG, ids=[f"{w[0]}-{k}" for k, w in enumerate(WRONG)])
def test_wrong_answers_are_told_the_slip(todo: str, old: str, new: str, answer: str) -> None:
    (name,) = [name for name in NAMES if any(c["id"] == f"todo-{todo}" for c in cells("solutions", name))]
    said = judged(name, todo, old, new, todo)
    assert re.search(answer, said, re.DOTALL), said


def test_a_wrong_answer_does_not_show_the_right_formula() -> None:
    said = judged(NAMES[0], "chain", " * 2 * x", "", "chain")
    assert "given cos(x**2)" in said and "2*x*cos" not in said


PIECES = [
    ("dense", "W.T @ upstream", "2 * W.T @ upstream"),
    ("tanh", "1 - np", "1 + np"),
    ("block", "return d_W, d_b", "return d_b, d_W"),
]


@pytest.mark.parametrize("todo, old, new", PIECES)
def test_the_network_is_right_only_if_every_piece_is(todo: str, old: str, new: str) -> None:
    assert re.search(r"network: .*(WRONG in 9 entries|must have shape)", judged(NAMES[2], todo, old, new, "network"))
