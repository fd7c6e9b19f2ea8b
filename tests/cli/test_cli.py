"""The command line: what it prints, checked by numbers."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.cli.formula import ALIASES, CONSTANTS, FUNCTIONS, LARGEST, as_function
from dualdiff.cli.main import EXAMPLES, main, shown
from tests.cli.reading import complaint, jacobian, rows, values

ROOT = Path(__file__).parents[2]
DEMO = ["(x+y)*max(y,z)", "x=1", "y=2", "z=0"]
DEMO_TEXT = """\
f = 6

df/dx = 2
df/dy = 5
df/dz = 0

        operation    value │ d/dx  d/dy  d/dz
───────────────────────────┼─────────────────
v1      x                1 │    1     0     0
v2      y                2 │    0     1     0
v3      z                0 │    0     0     1
v4      v1 + v2          3 │    1     1     0
v5      max(v2, v3)      2 │    0     1     0
v6 = f  v4 × v5          6 │    2     5     0
"""


# ---------------------------------------------------------------- as a command


def python(*argv: str, encoding: str = "utf-8", cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "COLUMNS": "120"}
    command = [sys.executable, "-W", "error", "-m", "dualdiff", *argv]
    return subprocess.run(command, capture_output=True, encoding=encoding, env=env, cwd=cwd, timeout=60, check=False)


def test_the_demo_as_a_command() -> None:
    done = python(*DEMO)
    assert (done.returncode, done.stdout, done.stderr) == (0, DEMO_TEXT, "")


def test_ascii_where_the_terminal_takes_no_more() -> None:
    done = python(*DEMO, encoding="ascii")
    assert done.stdout == DEMO_TEXT.translate(str.maketrans("│─┼×", "|-+*"))
    done = python("2·θ", "θ=3", encoding="ascii")
    assert (done.returncode, done.stdout.splitlines()[:3]) == (0, ["f = 6", "", "df/d\\u03b8 = 2"])


def test_a_mistake_as_a_command_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = python("x*(y", "x=1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "dualdiff: bad formula 'x*(y': '(' was never closed\n"


def test_a_module_in_the_current_directory_as_a_command(tmp_path: Path) -> None:
    (tmp_path / "model_here.py").write_text("def loss(w, b):\n    return (w * 3 + b) ** 2\n")
    done = python("model_here:loss", "b=1", "w=2", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("f = 49\n\ndf/dw = 42\ndf/db = 14\n", "")


# ---------------------------------------------------------------- results


def test_the_demo(run: Callable[..., str]) -> None:
    assert run(*DEMO) == DEMO_TEXT


def test_the_textbooks_example_with_hand_computed_intermediates(run: Callable[..., str]) -> None:
    out = run("ln(x1) + x1*x2 - sin(x2)", "x1=2", "x2=5", "--digits", "5")
    assert values(out) == {"f": 11.652, "df/dx1": 5.5, "df/dx2": 1.7163}
    assert rows(out) == {
        "v1": ("x1", 2, [1, 0]),
        "v2": ("x2", 5, [0, 1]),
        "v3": ("ln(v1)", 0.69315, [0.5, 0]),  # ln 2, 1/2
        "v4": ("v1 × v2", 10, [5, 2]),
        "v5": ("v3 + v4", 10.693, [5.5, 2]),
        "v6": ("sin(v2)", -0.95892, [0, 0.28366]),  # sin 5, cos 5
        "v7 = f": ("v5 - v6", 11.652, [5.5, 1.7163]),  # 2 - cos 5
    }


def test_several_results_have_a_labelled_jacobian(run: Callable[..., str]) -> None:
    out = run("r*cos(t); r*sin(t)", "r=2", "t=pi/3", "--digits", "9")
    labels, columns, entries = jacobian(out)
    assert (labels, columns) == (["f1", "f2"], ["d/dr", "d/dt"])
    s = math.sqrt(3) / 2
    np.testing.assert_allclose(entries, [[0.5, -2 * s], [s, 1]], rtol=1e-8)
    assert values(out) == {"f1": 1, "f2": 1.73205081}
    table = rows(out)
    assert [name for name in table if "=" in name] == ["v4 = f1", "v6 = f2"]
    np.testing.assert_allclose([table["v4 = f1"][2], table["v6 = f2"][2]], entries)


def test_a_vector_has_a_gradient_of_its_shape_and_a_column_for_each_element(run: Callable[..., str]) -> None:
    out = run("sum(x^2)/2", "x=[1,2,3]")
    assert out.splitlines()[:3] == ["f = 7", "", "df/dx = [1, 2, 3]"]
    table = rows(out)
    assert list(table) == ["v1", "v2", "v3", "v4 = f"]
    np.testing.assert_array_equal(table["v1"][2], np.eye(3))
    np.testing.assert_array_equal(table["v2"][2], np.diag([2, 4, 6]))
    assert table["v3"] == ("sum(v2)", 14, [2, 4, 6])
    assert "d/dx[0]    d/dx[1]    d/dx[2]" in out


def test_a_matrix(run: Callable[..., str]) -> None:
    labels, columns, entries = jacobian(run("W @ x + b", "W=[[1,2],[3,4]]", "x=[5,6]", "b=1"))
    assert labels == ["f[0]", "f[1]"]
    assert columns == ["d/dW[0,0]", "d/dW[0,1]", "d/dW[1,0]", "d/dW[1,1]", "d/dx[0]", "d/dx[1]", "d/db"]
    assert entries.tolist() == [[5, 6, 0, 0, 1, 2, 1], [0, 0, 5, 6, 3, 4, 1]]
    assert "df/dW = [[2, 0], [0, 2]]" in run("2*trace(W)", "W=[[1,2],[3,4]]")


def test_vector_and_scalar_results_together(run: Callable[..., str]) -> None:
    labels, _, entries = jacobian(run("[x, y^2]; 7; x", "x=1", "y=3"))
    assert labels == ["f1[0]", "f1[1]", "f2", "f3"]
    assert entries.tolist() == [[1, 0], [0, 6], [0, 0], [1, 0]]


FORMULAS: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    ("(x+y)*max(y,z)", lambda x, y, z: (x + y) * np.maximum(y, z), (1.0, 2.0, 0.0)),
    ("x*sin(x) + e^(-x)/x", lambda x: x * np.sin(x) + np.exp(-x) / x, (0.7,)),
    ("-x**2 + +y", lambda x, y: -(x**2) + y, (3.0, 1.0)),
    ("2^x^2", lambda x: 2 ** (x**2), (1.5,)),
    ("abs(x)*relu(y) - relu(x)", lambda x, y: abs(x) * dd.relu(y) - dd.relu(x), (-2.0, 3.0)),
    ("max(x, y, z)", lambda x, y, z: np.max(np.stack([x, y, z])), (1.0, 1.0, 1.0)),
    ("max(x) - min(x)", lambda x: np.ptp(x), (np.array([1.0, 5.0, 3.0]),)),
    ("sum(max(x, 0, -1))", lambda x: np.sum(np.maximum(x, 0)), (np.array([1.0, -5.0]),)),
    ("sum(where(x > 0, x, x^2))", lambda x: np.sum(np.where(x > 0, x, x**2)), (np.array([1.0, -5.0]),)),
    ("x[0]*x[-1] + sum(x[1:])", lambda x: x[0] * x[-1] + np.sum(x[1:]), (np.array([1.0, 2.0, 4.0]),)),
    ("x[::2][1]^2", lambda x: x[2] ** 2, (np.array([1.0, 2.0, 4.0]),)),
    ("sum(A[0,1]*A[:,0])", lambda a: np.sum(a[0, 1] * a[:, 0]), (np.array([[1.0, 2.0], [3.0, 4.0]]),)),
    ("sum(sum(A^2, axis=-1)[0])", lambda a: np.sum(a[0] ** 2), (np.array([[1.0, 2.0], [3.0, 4.0]]),)),
    ("dot([1, 2], x) + dot(x, x)", lambda x: x[0] + 2 * x[1] + np.dot(x, x), (np.array([3.0, 4.0]),)),
    ("7//x + x%2", lambda x: 7 // x + x % 2, (2.5,)),
    ("(x, y)[1] × 2 − x·y", lambda x, y: 2 * y - x * y, (2.5, 2.0)),
    ("sqrt(x)", np.sqrt, (0.0,)),
]


@pytest.mark.parametrize(("formula", "f", "at"), FORMULAS, ids=[formula for formula, *_ in FORMULAS])
def test_the_printed_gradient_is_dd_gradient(
    run: Callable[..., str], formula: str, f: Callable[..., Any], at: tuple[Any, ...]
) -> None:
    names = list(dict.fromkeys(re.findall(r"\b[xyzA]\b", formula)))
    given = [f"{name}={np.asarray(v).tolist()}" for name, v in zip(names, at)]
    out = values(run(formula, *given, "--digits", "15"))
    value, gradient = dd.value_and_gradient(f, argnums=tuple(range(len(at))))(*at)
    np.testing.assert_allclose(out["f"], value, rtol=1e-13)
    for name, part in zip(names, gradient):
        np.testing.assert_allclose(np.ravel(out[f"df/d{name}"]), np.ravel(part), rtol=1e-13)


X, Y = np.array([0.3, 0.6, 0.45]), np.array([0.5, 0.7, 0.2])
M, V = np.array([[2.0, 0.3, 0.1], [0.4, 1.5, 0.2], [0.6, 0.7, 3.0]]), np.array([1.1, 1.9, 1.3])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_against_differences(name: str) -> None:
    x = M if name in ("transpose", "diagonal", "trace", "det", "inv", "solve") else V if "cosh" in name else X
    inputs, formula = {"x": x, "y": Y}, f"{name}(x, y)"
    if FUNCTIONS[name][1] < 2:
        inputs, formula = {"x": x}, f"{name}(x)"
    elif FUNCTIONS[name][1] == 3:
        inputs, formula = {"x": x, "y": Y}, {"where": "where(x > 0.4, x, y^2)", "clip": "clip(x, 0.4, y)"}[name]
    f, at = as_function(formula, inputs), tuple(inputs.values())
    exact = dd.jacobian(f, argnums=tuple(range(len(at))))(*at)
    for k, v in enumerate(at):
        h = 1e-6 * np.eye(v.size).reshape(v.size, *v.shape)
        columns = [np.ravel(f(*at[:k], v + s, *at[k + 1 :]) - f(*at[:k], v - s, *at[k + 1 :])) / 2e-6 for s in h]
        np.testing.assert_allclose(exact[k].reshape(-1, v.size), np.transpose(columns), rtol=1e-7, atol=1e-8)


def test_functions_that_numpy_has_are_numpys() -> None:
    for name, (function, _) in FUNCTIONS.items():
        assert function in [getattr(m, name) for m in (np, np.linalg) if hasattr(m, name)] or name in [*ALIASES, "relu"]
    assert {"sin", "ln", "log", "sqrt", "tanh", "exp", "abs", "relu", "max", "min", "sum", "dot"} <= set(FUNCTIONS)


def test_a_shared_term_has_one_row_and_constants_none(run: Callable[..., str]) -> None:
    table = rows(run("sin(x)^2 + 2*pi*sin(x) + (-2)*x", "x=0"))
    operations = ["x", "sin(v1)", "v2^2", "6.28319 × v2", "v3 + v4", "(-2) × v1", "v5 + v6"]
    assert [operation for operation, *_ in table.values()] == operations
    assert len(rows(run("x + 1.00000001 + (x + 1.00000002)", "x=1"))) == 4  # alike in print only


def test_indexing_is_written_as_python_does(run: Callable[..., str]) -> None:
    table = rows(run("(A+1)[0, -1] + A[:, 0][1] + A[1:][0,::2][(0)]", "A=[[1,2],[3,4]]"))
    operations = [operation for operation, *_ in table.values()]
    assert operations[:5] == ["A", "v1 + 1", "v2[0, -1]", "v1[:, 0]", "v4[1]"]
    assert operations[6:9] == ["v1[1:]", "v7[0, ::2]", "v8[0]"]
    assert table["v8"][2] == pytest.approx(np.array([[0], [0], [1], [0]]))


def test_ints_are_floats(run: Callable[..., str]) -> None:
    assert values(run("x^-1 + 1/2", "x=2")) == {"f": 1, "df/dx": -0.25}


@pytest.mark.parametrize(
    ("command", "due", "warning"),
    [
        (["1/x", "x=0"], {"f": math.inf, "df/dx": -math.inf}, "divide by zero encountered in divide"),
        (["9**9**9*x", "x=0x10"], {"f": math.inf, "df/dx": math.inf}, "overflow encountered in power"),
        (["log(x)", "x=-1"], {"f": math.nan, "df/dx": -1}, "invalid value encountered in log"),
        (["{file}:logarithm", "x=-1"], {"f": math.nan, "df/dx": -1}, "invalid value encountered in log"),
    ],
)
def test_singular_points_print_what_numpy_says_and_warn_as_it_does(
    capsys: pytest.CaptureFixture[str], module: str, command: list[str], due: dict[str, float], warning: str
) -> None:
    assert main([word.format(file=module) for word in command]) == 0
    out, err = capsys.readouterr()
    assert values(out) == pytest.approx(due, nan_ok=True) and err == f"dualdiff: warning: {warning}\n"


def test_comparisons_show_their_outcome_where_it_is_used(run: Callable[..., str]) -> None:
    assert "v3 = f  where(False, v1, v2)      3 │   -1\n" in run("where(x>0, x, -x)", "x=-3")


def test_constants_have_as_many_digits_as_the_rest(run: Callable[..., str]) -> None:
    assert "3.14 × v1" in run("pi*x", "x=1", "--digits", "3")
    assert "3.14159265 × v1" in run("pi*x", "x=1", "--digits", "9")


def test_a_list_is_written_as_one(run: Callable[..., str]) -> None:
    assert "[v1, v2, 1]" in [operation for operation, *_ in rows(run("max(1, [x, y, 1] * x)", "x=1", "y=2")).values()]


def test_given_names_hide_constants_but_not_functions(run: Callable[..., str]) -> None:
    assert values(run("e*pi*sum(sum)", "e=2", "pi=3", "sum=1")) == {"f": 6, "df/de": 3, "df/dpi": 2, "df/dsum": 6}
    assert set(CONSTANTS) >= {"pi", "e"}


def test_names_are_read_as_python_reads_them(run: Callable[..., str]) -> None:
    assert values(run("\N{MICRO SIGN}^2", "\N{MICRO SIGN}=3")) == {"f": 9, "df/dμ": 6}


def test_no_variables(run: Callable[..., str]) -> None:
    assert run("1+2") == "f = 3\n\nno variables, nothing to differentiate\n"
    assert run("1; [1,2]") == "f1 = 1\nf2 = [1, 2]\n\nno variables, nothing to differentiate\n"


def test_an_empty_vector(run: Callable[..., str]) -> None:
    assert run("sum(x)", "x=[]").startswith("f = 0\n\ndf/dx = []\n")


def test_words_in_any_order_and_over_several_lines(run: Callable[..., str]) -> None:
    assert values(run("y=2", "--digits=3", " x\n  * y ; ", "x = 1/3")) == {"f": 0.667, "df/dy": 0.333, "df/dx": 2}


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (6.0, 6, "6"),
        (-0.0, 6, "0"),
        (1234567.0, 6, "1234567"),
        (1e15, 6, "1e+15"),
        (2 / 3, 6, "0.666667"),
        (2 / 3, 17, "0.66666666666666663"),
        (-1.5e-9, 6, "-1.5e-09"),
        (math.nan, 6, "nan"),
        (-math.inf, 6, "-inf"),
        (np.float32(0.1), 6, "0.1"),
        (1 / 3 + 2j, 3, "0.333+2j"),
        (np.True_, 6, "True"),
        ([[1.0, 0.5], [2.0, 3.0]], 6, "[[1, 0.5], [2, 3]]"),
        ([], 6, "[]"),
    ],
)
def test_numbers_in_print(x: Any, digits: int, text: str) -> None:
    assert shown(x, digits) == text


def test_wide_tables_are_cut_but_never_the_results(run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    ten = "x=[1,2,3,4,5,6,7,8,9,10]"
    out, full = run("sum(x*x)", ten), run("sum(x*x)", ten, "--full")
    gradient = "df/dx = [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]"
    assert gradient in out and gradient in full
    assert max(map(len, out.splitlines())) <= 120 < max(map(len, full.splitlines()))
    assert "  ...  " in out and "[1, 2, 3, ..., 10]" in out and "d/dx[9]" in out
    assert "..." not in full
    assert len(rows(full)["v2"][2]) == 10
    assert len(jacobian(run("x*x", ten))[1]) == 10
    monkeypatch.setenv("COLUMNS", "20")  # too narrow for anything: one direction and the last are left
    assert "│  d/dx[0]  ...  d/dx[9]\n" in re.sub(" {2,}", "  ", run("sum(x*x)", ten))


# ---------------------------------------------------------------- functions in files


def test_a_function_in_a_file(run: Callable[..., str], module: str) -> None:
    out = run(f"{module}:loss", "y=2", "x=3")
    assert list(values(out)) == ["f", "df/dx", "df/dy"]  # in the order of the signature, and no table
    assert "operation" not in out
    s, c = math.sin(2), math.cos(2)
    assert values(out) == pytest.approx({"f": 9 * s, "df/dx": 6 * s, "df/dy": 9 * c}, 1e-5)


def test_a_function_with_arrays(run: Callable[..., str], module: str) -> None:
    w, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.1, 0.2])
    labels, columns, entries = jacobian(run(f"{module}:layer", "x=[.1,.2]", "W=[[1,2],[3,4]]", "--digits", "12"))
    assert (labels, columns[0], columns[-1]) == (["f[0]", "f[1]"], "d/dW[0,0]", "d/dx[1]")
    parts = dd.jacobian(lambda w, x: np.tanh(w @ x), argnums=(0, 1))(w, x)
    np.testing.assert_allclose(entries, np.hstack([parts[0].reshape(2, 4), parts[1]]), rtol=1e-10)


@pytest.mark.parametrize("given", [["x=3"], ["x=3", "y=2"], ["scale=2", "y=2", "x=3"]])
def test_defaults_positional_and_keyword_only_arguments_and_a_dict(
    run: Callable[..., str], module: str, given: list[str]
) -> None:
    labels, columns, entries = jacobian(run(f"{module}:many", *given))
    assert labels == ["f1", "f2[0]", "f2[1]"]
    assert columns == ["d/dx", "d/dy", "d/dscale"][: len(given)]
    assert entries.tolist() == [row[: len(given)] for row in [[2, 3, 0], [2, 0, 3], [4, 0, 6]]]


def test_a_function_that_returns_a_tuple_or_takes_nothing(run: Callable[..., str], module: str) -> None:
    labels, _, entries = jacobian(run(f"{module}:pair", "x=3", "y=2"))
    assert (labels, entries.tolist()) == (["f[0]", "f[1]"], [[2, 3], [1, 1]])
    assert run(f"{module}:one_entry", "x=3") == "f = 9\n\ndf/dx = 6\n"
    assert run(f"{module}:seven") == "f = 7\n\nno variables, nothing to differentiate\n"


def test_a_function_of_a_module(run: Callable[..., str]) -> None:
    assert values(run("numpy:hypot", "x1=3", "x2=4")) == {"f": 5, "df/dx1": 0.6, "df/dx2": 0.8}


def test_a_function_that_does_not_tell_its_signature(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("def f(a, b):\n    return a - 2 * b\n\nf.__signature__ = 0\n")
    assert values(run(f"{tmp_path}/silent.py:f", "y=5", "x=1")) == {"f": 3, "df/dy": 1, "df/dx": -2}


# ---------------------------------------------------------------- traces, reverse mode, graphs

TEXTBOOK = ["log(x1) + x1*x2 - sin(x2)", "x1=2", "x2=5"]


def test_trace(run: Callable[..., str]) -> None:
    forward, both = run(*TEXTBOOK, "--trace"), run(*TEXTBOOK, "--trace", "--reverse")
    assert both.startswith(forward) and "reverse" not in forward
    assert values(forward) == {"f": 11.6521, "df/dx1": 5.5, "df/dx2": 1.71634}
    assert re.search(r"^v7 = f +v5 - v6 +11\.6521 │ +5\.5 +1\.71634$", forward, re.MULTILINE)
    assert re.search(r"^v2 +1\.71634 │ v4: 1 × 2 \+ v6: -1 × 0\.283662$", both, re.MULTILINE)
    assert re.search(r"v6 +sin\(v2\) +-0\.959 ", run(*TEXTBOOK, "--trace", "--digits", "3"))
    assert run("2; [1,2]", "--trace").endswith("no variables, nothing to differentiate\n")


@pytest.mark.parametrize(
    "command", [TEXTBOOK, DEMO, ["r*cos(t); r*sin(t)", "r=2", "t=pi/3"], ["max(x,y,1)*sum(x)", "x=[1,2]", "y=3"], ["7"]]
)
def test_reverse_mode_gives_the_same(run: Callable[..., str], command: list[str]) -> None:
    assert run(*command).startswith(run(*command, "--reverse"))


def test_functions_in_files_are_traced_and_reversed(run: Callable[..., str], module: str) -> None:
    command = [f"{module}:loss", "y=2", "x=3"]
    assert run(*command, "--reverse") == run(*command)
    out = run(*command, "--trace", "--reverse")
    assert re.search(r"^v5 = loss +v3 × v4 ", out, re.MULTILINE) and "v1^2" in out and "sin(v2)" in out
    assert "d/dscale" in run(f"{module}:many", "x=3", "scale=2", "--trace")


def test_programs(run: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    text = run("x*sin(x) + exp(-x)/x", "x=2", "--program")
    assert text.startswith("from math import cos, exp, sin\n") and "return (" in text
    scope: dict[str, Any] = {}
    exec(text, scope)
    derivative = math.sin(2) + 2 * math.cos(2) - math.exp(-2) / 2 - math.exp(-2) / 4
    assert scope["f"](2.0) == (pytest.approx(derivative, rel=1e-14),)
    assert "not finite here" in complaint(capsys, ["sqrt(x)", "x=0", "--program"])


def test_graphs(run: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*TEXTBOOK, "--graph", "mermaid").startswith("flowchart LR\n")
    assert run(*TEXTBOOK, "--graph", "dot").startswith("digraph {\n")
    picture = run(*TEXTBOOK, "--graph", "svg")
    assert picture.startswith("<svg ") and picture.endswith("</svg>\n") and ">f = v3 - v4</text>" in picture
    assert "argument --graph: invalid choice: 'png'" in complaint(capsys, [*TEXTBOOK, "--graph", "png"])
    assert "nodes is more than" in complaint(capsys, ["+".join(70 * ["sin(x)"]) + "+x*x" * 70, "x=1", "--graph", "svg"])


@pytest.mark.parametrize("option", ["--trace", "--reverse", "--graph=dot"])
def test_mistakes_with_traces(capsys: pytest.CaptureFixture[str], module: str, option: str) -> None:
    assert "x[5]: index 5 is out of bounds" in complaint(capsys, ["x[5]", "x=[1,2]", option])
    assert "no value for 'y'" in complaint(capsys, ["x*y", "x=1", option])
    said = complaint(capsys, [f"{module}:fails", "x=1", option])
    assert said == "fails failed: ZeroDivisionError: division by zero (at my model.py:28)"
    assert "takes at most" in complaint(capsys, ["sum(x)", f"x={[1] * (LARGEST + 1)}", option])


# ---------------------------------------------------------------- help


def test_help_teaches_with_examples_that_run(
    run: Callable[..., str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # one writes a page
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in [*FUNCTIONS, "--digits", "d/dx", "model.py:loss"])
    assert max(map(len, text.splitlines())) <= 120
    commands = re.findall(r"python -m dualdiff (.*?)(?=   |$)", EXAMPLES, re.MULTILINE)
    assert len(commands) == 11
    for words in map(shlex.split, commands):
        if words[0] == "check":
            assert main(words) == 1 and "perhaps chain rule" in capsys.readouterr().out
        elif "model.py" not in words[0] and words[0] != "coverage":
            said = run(*words[: words.index(">") if ">" in words else None])
            assert " = " in said or "written: out.html" in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"dualdiff {dd.__version__}\n"


def test_check(run: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "x^2", "2*x").startswith("right (proved by algebra)")
    assert run("check", "x*y^2", "y^2; 2*x*y").startswith("right")
    assert run("check", "sum(x^2)", "2*x", "x=[1,2]").startswith("right (the same at 1 point)")
    assert main(["check", "x*y^2", "y^2; x*y", "x=1", "y=2"]) == 1
    assert "wrong, at x = 1, y = 2" in capsys.readouterr().out
    assert "by x, y: 2 derivatives, joined by ;, not 1" in complaint(capsys, ["check", "x*y", "y"])
    assert 'check "x^2" "2*x"' in complaint(capsys, ["check", "x*y"])
    assert "no value for 'y'" in complaint(capsys, ["check", "x^2", "2*y"])


def test_what_is_written_in_books(run: Callable[..., str]) -> None:
    assert values(run("x² + 3·x³", "x=2")) == {"f": 28, "df/dx": 40}


def test_a_reader_that_stops_early_is_no_error() -> None:
    command = [sys.executable, "-m", "dualdiff", "coverage"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
