"""The exercises: unfinished they print hints and no traceback, wrong answers are told the slip, solutions are right.

The code runs here, not in a kernel: a check cell `check-NAME` goes with the cell `todo-NAME` that the learner fills in.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOM = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = [
    "01_derivatives_and_duals", "02_gradient_descent", "03_backpropagation", "04_differences", "05_forward_or_reverse"
]  # fmt: skip

sys.path.insert(0, str(ROOM))  # as the notebooks do, from their folder

import checker  # noqa: E402

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
    ("function", "return ", "", "not done yet: f returned None; a forgotten return"),
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
    ("bottom", "-2.0", "2.0", "wrong: the slope there is 8, not 0"),
    ("line", "error * 2)", "error)", r"df/dw_0: given"),
    ("line", "error * 2 * t", "error * 2", r"df/dw_1: given.*the inner derivative .* is missing, and so on"),
    ("line", "error * 2), np.mean(error * 2 * t)", "error), np.mean(error * t)",
     r"power rule: the factor 2 is missing"),
    ("line", "w[0] + w[1] * t - y", "y - w[0] - w[1] * t", r"perhaps the sign"),
    ("graph", "d_a + d_b * (y > z)", "d_a", r"df/dy: given.*the term with d\(Max\(y, z\)\)/dy is missing"),
    ("graph", "d_a + d_b * (y > z)", "d_b * (y > z)", r"df/dy: given.*the term with d\(x \+ y\)/dy is missing"),
    ("graph", "b, a\n", "a, b\n", r"df/dx: given.*d\(x \+ y\)/dx is multiplied by x \+ y, not by the other"),
    ("graph", "d_z = d_b * (z > y)", "d_z = d_b", r"df/dz: given.*outer derivative, of Max\(y, z\) by z, is missing"),
    ("graph", "    return d_x, d_y, d_z", "    return d_x, d_y",
     r"graph_backward returned 2 derivatives; a tuple of 3 is asked for"),
    ("graph", "    return d_x, d_y, d_z", "", r"not done yet: graph_backward returned None; a forgotten return"),
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
    ("function", "x**2 + 4 * x + 4", "x^2 + 4 * x + 4", r"a power is written x\*\*2"),
    ("function", "x**2 + 4 * x + 4", "'x**2 + 4*x + 4'", "returned a text, and numbers are asked for"),
    ("function", "x**2 + 4 * x + 4", "...", "not done yet: f returned"),
    ("function", "x**2 + 4 * x + 4", "f(x)", "it calls itself without an end"),
    ("gradient", "def gradient(x):\n    return 2 * x + 4", "gradient = '2*x + 4'",
     "a text is given; .* without quotation"),
    ("gradient", "def gradient(x):\n    return 2 * x + 4", "gradient = 8.0", "a function is asked for, .* float"),
    ("gradient", "def gradient(x):\n    return 2 * x + 4", "gradient = None", "not done yet"),
    ("gradient", "def gradient(x):\n    return 2 * x + 4", "gradient = dd.derivative(lambda x: x**3)", "wrong, at x"),
    ("gradient", "2 * x + 4", "(2 * x + 4) * 1j", "gradient returned complex.*, and numbers are asked for"),
    ("gradient", "2 * x + 4", "7 * np.exp(x)", "no usual slip explains it"),
    ("gradient", "    return 2 * x + 4", "    while True:\n        x = 0",
     "takes more than .* seconds: a loop without an end"),
    ("gradient", "2 * x + 4", "[2 * x + 4, 0]", r"shape of df/dx: given \(2,\), due \(\)"),
    ("gradient", "2 * x + 4", "2 * y + 4", "it stops with NameError: name 'y' is not defined"),
    ("chain", "np.cos(x**2) * 2 * x", "2 * x * np.cos(2 * x)", "taken at 2x, the inner derivative, not at"),
    ("chain", "np.cos(x**2) * 2 * x", "2 * x * np.cos(x)", r"taken at x, not at x\*\*2"),
    ("chain", "np.cos(x**2) * 2 * x", "2 * x * np.sin(x**2)", "outer function has not been differentiated"),
    ("chain", "np.cos(x**2) * 2 * x", "np.sin(x**2)", "f itself, not its derivative"),
    ("product", "np.exp(-3 * x) - 3 * x * np.exp(-3 * x)", "-3 * np.exp(-3 * x)", "perhaps product rule"),
    ("rsub", "return Dual(other - self.value, -self.tangent)", "Dual(other - self.value, -self.tangent)",
     "not done yet: .*a forgotten return"),
    ("sine", "Dual(np.sin(x.value), np.cos(x.value) * x.tangent)", "np.cos(x.value)", "inner derivative"),
    ("step", "x - rate * (2 * x + 4)", "rate * (2 * x + 4)", "wrong"),
    ("step", "x - rate * (2 * x + 4)", "x - 0.25 * (2 * x + 4)",
     "rate 0.25: right.*rate 0.1: wrong.*given is 5/2 times"),
    ("step", "return x - rate", "x - rate", "not done yet: .*None.* a forgotten return"),
    ("descend", "x = step(x, rate)", "x = step(x, 0.1)",
     "with rate = 0.25 the steps are those of rate 0.1; is rate ignored"),
    ("descend", "        x = step(x, rate)\n", "", "the path does not leave the start"),
    ("descend", "path.append(x)", "path.append(step(x, rate))", "a point is not one step from the point before it"),
    ("descend", "    return path", "", "not done yet: descend returned None; a forgotten return"),
    ("descend", "    return path", "    return x", "descend returned float; the list of all points"),
    ("descend", "for _ in range(steps):", "while True:", "takes more than .* seconds"),
    ("descend", "path = [x]", "path = [0.0]", "the path begins at 0, and the start is 8"),
    ("bottom", "-2.0", "'-2'", "x_bottom returned a text"),
    ("bottom", "-2.0", "-1.98", "the slope there is 0.04, not 0; near, so go on"),
    ("bottom", "-2.0", "lambda x: -2", "a number is asked for, and this is a function"),
    ("bottom", "-2.0", "np.array([-2.0, 1.0])", "one number is asked for"),
    ("line", "np.stack([np.mean(error * 2), np.mean(error * 2 * t)])",
     "np.stack([np.mean(error * 2 * t), np.mean(error * 2)])", "the entries are swapped"),
    ("line", "np.stack([np.mean(error * 2), np.mean(error * 2 * t)])",
     "np.mean(error * 2)", r"the shape of df/dw: given \(\), due \(2,\)"),
    ("line", "np.mean(error * 2), np.mean(error * 2 * t)", "np.sum(error * 2), np.sum(error * 2 * t)",
     "given is 5 times"),
    ("dense", "np.outer(upstream, x)", "np.outer(np.ones(2), x)", "df/dW.*the upstream factor is missing"),
    ("dense", "d_b = upstream", "d_b = np.ones(2)", "df/db.*the upstream factor is missing"),
    ("dense", "W.T @ upstream", "W.T @ np.ones(2)", "df/dx.*the upstream factor is missing"),
    ("dense", "np.outer(upstream, x)", "upstream @ x", "the shapes do not fit"),
    ("dense", "return d_W, d_b, d_x", "return d_b, d_W, d_x", "swapped: this is df/db"),
    ("tanh", "upstream * (1 - np.tanh(z) ** 2)", "1 - np.tanh(z) ** 2", "the upstream factor is missing"),
    ("tanh", "1 - np.tanh(z) ** 2", "1 - np.tanh(z)", "the square is missing"),
    ("softmax", "np.sum(t) * p - t", "p - t", "holds only where t sums to 1"),
    ("softmax", "np.sum(t) * p - t", "t - np.sum(t) * p", "perhaps the sign"),
    ("softmax", "np.sum(t) * p - t", "-t", "the term from the sum of exponentials is missing"),
    ("norm", " - np.mean(upstream) - xhat", " - xhat", "the way through the mean is missing"),
    ("norm", " - xhat * np.mean(upstream * xhat)", "", "the way through the variance is missing"),
    ("norm", " / sigma\n", "\n", "wrong"),
    ("forward", "(f(x + h) - f(x)) / h", "f(x + h) - f(x) / h", "brackets are missing"),
    ("forward", "(f(x + h) - f(x)) / h", "(f(x) - f(x + h)) / h", "perhaps the sign"),
    ("forward", "(f(x + h) - f(x)) / h", "f(x + h) - f(x)", "the division by h is missing"),
    ("forward", "(f(x + h) - f(x)) / h", "dd.derivative(f)(x)", "no usual slip explains it"),
    ("central", "(2 * h)", "2 * h", "brackets are missing"),
    ("central", "(2 * h)", "h", "the distance is 2 h"),
    ("central", "f(x - h)", "f(x)", r"f\(x\) stands where f\(x - h\) should"),
    ("three", "    top = top - f(x) * (left**2 - right**2)\n", "", r"the term with f\(x\) is missing"),
    ("three", "top - f(x)", "top + f(x)", r"the sign of the term with f\(x\)"),
    ("random", "abs(np.dot(d, gradient) - along)", "np.dot(d, gradient) - along", "the absolute value is missing"),
    ("random", "(2 * eps)", "eps", "the distance is 2 eps"),
    ("random", "np.dot(d, gradient)", "d * gradient", "the product is not summed"),
    ("best", "np.sqrt(2.2e-16)", "1e-15", "too small, rounding rules"),
    ("best", "np.sqrt(2.2e-16)", "1e-3", "too large, the quotient is still coarse"),
    ("best", "np.sqrt(2.2e-16)", "0", "greater than 0"),
    ("passes", "return n\n", "return m\n", "the number of the other mode"),
    ("passes", "return n\n", "return n * m\n", "the number of entries"),
    ("passes", "return n\n", "n\n", "not done yet: .*None"),
    ("mode", '7 joints, 3 coordinates": "reverse"', '7 joints, 3 coordinates": "forward"', "count inputs and outputs"),
    ("mode", '1 time, 3 coordinates": "forward"', '1 time, 3 coordinates": "backward"', "neither"),
    ("order", "return k * k + k * n", "return k * k", "the second product is missing"),
    ("order", "return k * k + k * n", "return k * k * n + k * n", "the other order"),
    ("vjp", "cotangent[i] = 1.0", "cotangent[:] = 1.0", "all ones"),
    ("vjp", "return pullback(cotangent)", "return value", "the value, not the derivative"),
    ("vjp", "dd.jvp(f, (x,), (tangent,))[1]", "dd.jvp(f, (x,), (tangent,))", "the shape|wrong|fit"),
]  # fmt: skip


@pytest.mark.parametrize("todo, old, new, answer", WRONG, ids=[f"{w[0]}-{k}" for k, w in enumerate(WRONG)])
def test_wrong_answers_are_told_the_slip(
    todo: str, old: str, new: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (name,) = [name for name in NAMES if any(c["id"] == f"todo-{todo}" for c in cells("solutions", name))]
    with monkeypatch.context() as patch:
        patch.setattr(checker, "SECONDS", 0.3 if "while" in new else checker.SECONDS)
        said = judged(name, todo, old, new, todo)
    assert re.search(answer, said, re.DOTALL), said


def test_a_wrong_answer_does_not_show_the_right_formula() -> None:
    said = judged(NAMES[0], "chain", " * 2 * x", "", "chain")
    assert "given cos(x**2)" in said and "2*x*cos" not in said


RIGHT = [  # other answers that are right
    ("gradient", "def gradient(x):\n    return 2 * x + 4", "gradient = dd.derivative(f)"),
    ("gradient", "2 * x + 4", "float(2 * dd.value(x) + 4)"),
    ("chain", "np.cos(x**2) * 2 * x", "__import__('math').cos(x * x) * (x + x)"),
    ("step", "(2 * x + 4)", "dd.derivative(f)(x)"),
    ("line", "np.stack([np.mean(error * 2), np.mean(error * 2 * t)])", "[np.mean(error * 2), np.mean(error * 2 * t)]"),
    ("line", "np.stack([np.mean(error * 2), np.mean(error * 2 * t)])", "dd.gradient(loss)(w)"),
    ("bottom", "-2.0", "-2"),
    ("tanh", "(1 - np.tanh(z) ** 2)", "dd.derivative(np.tanh)(z)"),
]


@pytest.mark.parametrize("todo, old, new", RIGHT, ids=[f"{w[0]}-{k}" for k, w in enumerate(RIGHT)])
def test_other_right_answers_are_right(todo: str, old: str, new: str) -> None:
    (name,) = [name for name in NAMES if any(c["id"] == f"todo-{todo}" for c in cells("solutions", name))]
    said = judged(name, todo, old, new, todo)
    assert "right: " in said and not re.search("wrong|not done|stops", said), said


WILD = "None, ..., 'x', [], lambda: 1, lambda *a: 1 / 0, lambda *a: (None,) * 3, lambda *a: [1, 'x']"


@each_name
def test_whatever_is_written_is_answered_in_words(name: str) -> None:
    code = {c["id"]: "".join(c["source"]) for c in cells("solutions", name) if c["cell_type"] == "code"}
    for id in [id for id in code if id.startswith("todo-")]:
        targets = re.findall(r"^(?:def |class )?(\w+)(?: = |\(|:)", code[id], re.M)
        assert targets
        for target in [t for t in targets if t != "lift"]:  # which is given
            for wild in eval(f"[{WILD}]"):
                names = dict(run_all("solutions", name)[0]) | {target: wild}
                said = run(code[id.replace("todo-", "check-")], names)
                assert re.search("not done yet|wrong|stop|fit|list cannot|text|more than", said), (target, wild, said)


def test_a_right_answer_is_told_what_was_checked() -> None:
    names = dict(run_all("solutions", NAMES[2])[1])
    assert "right: df/dW, df/db, df/dx at 12 points and proved by algebra" in names["check-dense"]


@pytest.mark.parametrize("source, said", [
    ("x = = 1", r"this cell is no Python yet, in line 1"),
    ("x = 1\ny = zz", r"this cell stops in line 2: it stops with NameError: name 'zz'"),
    ("while True:\n    pass", r"takes more than"),
    ("x = 1", "^$"),
])  # fmt: skip
def test_no_cell_ends_in_a_traceback(source: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shells = pytest.importorskip("IPython.core.interactiveshell")
    monkeypatch.setattr(checker, "SECONDS", 0.2)
    monkeypatch.setattr(checker, "ALGEBRA", 0.2)
    shell = shells.InteractiveShell.instance()
    try:
        checker.guard()
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            shell.run_cell(source)
    finally:
        shells.InteractiveShell.clear_instance()
    assert re.search(said, out.getvalue()) and "Traceback" not in out.getvalue() + err.getvalue(), out.getvalue()


PIECES = [
    ("dense", "W.T @ upstream", "2 * W.T @ upstream"),
    ("tanh", "1 - np", "1 + np"),
    ("block", "return d_W, d_b", "return d_b, d_W"),
]


@pytest.mark.parametrize("todo, old, new", PIECES)
def test_the_network_is_right_only_if_every_piece_is(todo: str, old: str, new: str) -> None:
    assert re.search("network: (wrong|the shapes do not fit)", judged(NAMES[2], todo, old, new, "network"))
