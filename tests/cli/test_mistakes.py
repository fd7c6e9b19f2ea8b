"""What the command line says about every kind of mistake."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from dualdiff.cli.formula import LARGEST, LONGEST
from tests.cli.reading import complaint


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ("", "no formula; for example"),
        ("x=1", "no formula; for example"),
        ("'' x=1", "an empty formula"),
        ("';' x=1", "an empty formula"),
        ("'x;;x' x=1", "an empty formula"),
        ("'x*(y' x=1", "bad formula 'x*(y': '(' was never closed"),
        ("2x x=1", "bad formula '2x': invalid decimal literal; write 2*x for a product, sin(x) for a function"),
        ("'2(x+1)' x=1", "'2(x + 1)' can't be used in a formula; write products with *"),
        ("sinx x=1", "no value for 'sinx': add sinx=...; did you mean sin(x)?"),
        ("xy x=1 y=2", "no value for 'xy': add xy=...; did you mean x*y?"),
        ("'sin x' x=1", "write 2*x for a product, sin(x) for a function"),
        ("'x(y+1)' x=1 y=1", "unknown function 'x'; see --help, and write products with *"),
        ("'sine(x)' x=1", "unknown function 'sine'; did you mean 'sin'?"),
        ("sin*x x=1", "no value for 'sin': add sin=...; sin(...) is a function"),
        ("x*y x=1", "no value for 'y': add y=..."),
        ("alpha*x alhpa=1 x=2", "no value for 'alpha': add alpha=...; did you mean 'alhpa'?"),
        ("x x=1 y=2", "'y' is given but not used in the formula"),
        ("e*alpha+x alpha=1 x=1 alphas=2", "'alphas' is given but not used in the formula"),
        ("'e^-x' x=1 ee=2", "'ee' is given but not used in the formula; did you mean 'e'?"),
        ("x x=1 x=2", "'x' is given twice"),
        ("x 1x=2", "'1x' can't be the name of a variable"),
        ("lambda lambda=2", "'lambda' can't be the name of a variable"),
        ("x y x=1", "several formulas: x, y; quote a formula"),
        ("x = 1", "several formulas: x, =, 1; quote a formula, join them with ; and write x=1 without spaces"),
        ("'x and y' x=1 y=2", "'x and y' can't be used in a formula"),
        ("'x<y<1' x=1 y=2", "'x < y < 1' can't be used"),
        ("'x[0.5]' x=[1,2]", "'0.5' is no index: use whole numbers, as in x[0] or x[1:3]"),
        ("'x[y]' x=[1,2] y=1", "'y' is no index"),
        ("'x[5]' x=[1,2]", "x[5]: index 5 is out of bounds"),
        ("'x[0]' x=1", "x[0]: "),
        ("x+y x=[1,2] y=[1,2,3]", "x + y: operands could not be broadcast together with shapes (2,) (3,)"),
        ("'sin(x,y)' x=1 y=1", "sin takes 1 argument, not 2"),
        ("'hypot(x)' x=1", "hypot takes 2 arguments, not 1"),
        ("'max()' x=1", "max takes at least 1 argument, not 0"),
        ("'sum(x, axis=x)' x=1", "'x' is no index"),
        ("'sum(x, axis=3)' x=[1,2]", "sum(x, axis=3): axis 3 is out of bounds"),
        ("'sin(x, axis=0)' x=[1,2]", "'sin(x, axis=0)' can't be used in a formula"),
        ("'sum(x, dtype=1)' x=1", "can't be used in a formula"),
        ("'x@x' x=1", "x @ x: "),
        ("x x=1 --digits a", "argument --digits: invalid int value: 'a'; --help shows examples"),
        ("x x=1 --digits 0", "--digits is from 1 to 17, not 0"),
        ("x x=1 --digits -3", "--digits is from 1 to 17, not -3"),
        ("x x=1 --digits", "argument --digits: expected one argument"),
        ("x x=1 --nonesuch", "unrecognized arguments: --nonesuch; --help shows examples"),
        ("nonesuch:f x=1", "can't import nonesuch: ModuleNotFoundError: No module named 'nonesuch'"),
        ("nonesuch.py:f x=1", "can't import nonesuch.py: FileNotFoundError"),
        ("math:sine x=1", "math has no function 'sine'; did you mean 'sin'?"),
        ("math:pi x=1", "math has no function 'pi'"),
        ("math:sin x=1", "sin failed: TangentLossError: float(x), math.sin(x) and the like"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], argv: str, text: str) -> None:
    assert text in complaint(capsys, shlex.split(argv))


@pytest.mark.parametrize(
    "value", ["abc", "", "1,,2", "[1,2", "1 2", "[[1],[2,3]]", "1j", "True", "'", "x", "[1 2]", "1__0", "1e", "[,]"]
)
def test_bad_values(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert complaint(capsys, ["x", f"x={value}"]) == f"bad value x={value}: write x=1.5 or x=[1,2,3]"


@pytest.mark.parametrize(
    ("function", "given", "text"),
    [
        ("losses", "x=1", "has no function 'losses'; did you mean 'loss'?"),
        ("table", "x=1", "has no function 'table'"),
        ("loss", "x=1", "no value for 'y': add y=..."),
        ("loss", "x=1 y=2 z=3", "'z' is given but not an argument of loss"),
        ("loss", "x=1 y=2 option=3", "'option' is given but not an argument of loss; did you mean 'options'?"),
        ("many", "y=1", "no value for 'x'"),
        ("fails", "x=1", "fails failed: ZeroDivisionError: division by zero (at my model.py:28)"),
        ("no_return", "x=1", "no_return failed: TypeError: f returned None (is a return missing?)"),
        ("by_math", "x=1", "would lose the derivative (at my model.py:34)"),
    ],
)
def test_mistakes_with_files(
    capsys: pytest.CaptureFixture[str], module: str, function: str, given: str, text: str
) -> None:
    assert text in complaint(capsys, [f"{module}:{function}", *given.split()])


def test_a_file_that_does_not_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for text, said in [("x = = 1", "SyntaxError: invalid syntax"), ("import nonesuch", "No module named 'nonesuch'")]:
        (tmp_path / "broken.py").write_text(text)
        assert said in complaint(capsys, [f"{tmp_path}/broken.py:f"])


HOSTILE = [
    "__import__('os').system('false')",
    "x.__class__",
    "(lambda: 1)()",
    "[y for y in x]",
    "sum(y for y in x)",
    "{x: 1}",
    "{x}",
    "f'{x}'",
    "'a' * 9",
    "b'a'",
    "(x := 1)",
    "x if x else 1",
    "sin(*[x])",
    "sum(**x)",
    "x[sin]",
    "x[...]",
    "open(x)",
    "eval(x)",
    "sin.x(1)",
    "not x",
    "~x",
    "x << 9",
    "x & x",
    "x is x",
    "x in [x]",
    "None",
    "1j*x",
    "await x",
    "import os",
    "x = 1, y = 2",
    "sin",
    "x\0",
    "\ud800",
]


@pytest.mark.parametrize("formula", HOSTILE)
def test_nothing_but_mathematics_is_evaluated(capsys: pytest.CaptureFixture[str], formula: str) -> None:
    complaint(capsys, [formula, "x=[1,2]"])


@pytest.mark.parametrize(
    "formula",
    [
        *["(" * 900 + "x" + ")" * 900, "-" * 9990 + "x", "+x" * 4900, "x^" * 4000 + "x", "[" * 150 + "x" + "]" * 150],
        *["x" * (LONGEST + 1), "9" * 5000 + "*x", "9" * 400 + "*x", "0x" + "f" * 9000 + "*x"],
    ],
    ids=lambda formula: formula[:4],
)
def test_oversized_formulas_are_refused(capsys: pytest.CaptureFixture[str], formula: str) -> None:
    complaint(capsys, [formula, "x=1"])
    complaint(capsys, ["x", f"x={formula.replace('x', '1')}"])


def test_the_number_of_inputs_is_bounded(capsys: pytest.CaptureFixture[str], run: Callable[..., str]) -> None:
    assert "df/dx = [1, 1, 1" in run("sum(x)", f"x={[1] * LARGEST}")
    said = complaint(capsys, ["sum(x)", f"x={[1] * (LARGEST + 1)}"])
    assert said == f"the inputs have {LARGEST + 1} numbers, but a formula takes at most {LARGEST}"
