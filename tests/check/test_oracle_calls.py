"""The oracle's functions: arguments, results, branches, and each of their errors."""

from __future__ import annotations

import math
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

from dualdiff import oracle
from dualdiff.core.errors import NotDifferentiableError
from tests.check.algebra import same, x, x0, x1


def test_arguments_and_names():
    f = lambda W, v, s=2.0: s * (W @ v)
    for specs, named in [
        (((2, 3), 3), {}),
        ((("W", (2, 3)), ("v", 3)), {}),
        (((2, 3),), {"v": 3}),
        ((), {"W": (2, 3), "v": 3}),
    ]:
        assert str(oracle.symbolic(f, *specs, **named)[0]) == "2*W_00*v_0 + 2*W_01*v_1 + 2*W_02*v_2"
    assert str(oracle.symbolic(f, np.eye(2), 2)) == "[2*v_0, 2*v_1]"  # a constant matrix
    assert str(oracle.symbolic(f, (1, 1), 1, s="t")) == "[W_00*t*v_0]"
    assert str(oracle.symbolic(lambda a, b: a - b, "p q")) == "p - q"
    assert str(oracle.symbolic(lambda *v: v[0] - v[1], "p", "q")) == "p - q"
    assert str(oracle.symbolic(np.arctan2, "y, x")) == "atan2(y, x)"
    assert str(oracle.symbolic(np.sin)) == "sin(x)"
    assert str(oracle.symbolic(lambda x: x[-1], 12)) == "x_11"
    assert str(oracle.symbolic(lambda x: x[-1, 2], (11, 3))) == "x_10_2"
    assert oracle.jacobian(lambda x: x, (0,)).shape == (0, 0)


def test_results():
    J = oracle.jacobian(lambda x: np.stack([x[0] * x[1], np.maximum(np.sin(x[0]), 0)]), 2)
    assert J.shape == (2, 2) and J[0, 0] == x1
    assert repr(J) == str(J) == "[[x_1, x_0], [step(sin(x_0))*cos(x_0), 0]]"
    assert (J == J).all() and "step" in J._repr_latex_() and sp.sympify(J)[0, 1] == x0
    assert J.at({"x": [0.5, 2]}).astype(float) == pytest.approx(J.compile()([0.5, 2.0]))
    assert J.at({x0: 1, "x_1": 2})[0].tolist() == [2, 1]
    d = oracle.derivative(lambda x: np.abs(x) * np.cbrt(x), "x")
    assert d.diff(x) == d.item().diff(x) and sp.simplify(d) is not None and d.free_symbols == {x}
    assert r"\sqrt[3]{x}" in d._repr_latex_() or "cbrt" in d._repr_latex_()
    assert d.compile()(8.0) == pytest.approx(8 / 12 + 2)


def test_branches():
    f = lambda x: x * x if x > 2 else -x
    with pytest.raises(NotDifferentiableError, match=r"branches on x > 2 .*assume="):
        oracle.derivative(f, "x")
    taken, other = oracle.derivative(f, "x", assume=3.0), oracle.derivative(f, "x", assume={"x": 2})
    assert (str(taken), str(other)) == ("2*x  where x > 2", "-1  where x <= 2")
    assert str(oracle.derivative(f, "x", assume="x > 5")) == "2*x  where x > 2"
    assert oracle.derivative(f, "x", assume=[x < 1]).region == (x <= 2,)
    ordered = oracle.jacobian(lambda x: np.sort(x), 3, assume="x_0 > x_1, x_1 > x_2")
    same(ordered, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    same(oracle.gradient(lambda x: x[np.argmax(x)], 2, assume=[1.0, 3.0]), [0, 1])
    same(oracle.gradient(np.median, 4, assume=[1, 2, 2, 5]), [0, sp.Rational(1, 2), sp.Rational(1, 2), 0])
    same(oracle.gradient(lambda a, b: max(a, b), "a b", assume=(1, 2)), 0)
    same(oracle.gradient(lambda x: np.sum(x[x > 0]), 2, assume=[1, -1]), [1, 0])
    same(oracle.derivative(lambda x: 1.0 if x == 1 else x**2, "x", assume=1), 0)
    same(oracle.derivative(lambda x: x * x if np.isclose(x, 3.0) else x, "x", assume=3), 2 * x)
    with pytest.raises(NotDifferentiableError, match="branches on"):
        oracle.derivative(f, "x", assume="x > 0")
    root = oracle.derivative(newton, "x", assume=4)
    assert float(root.at(4)) == pytest.approx(0.25)


def newton(x):
    guess = x
    for _ in range(20):
        if abs(guess**2 - x) < 1e-8:
            break
        guess = (guess + x / guess) / 2
    return guess


ERRORS = {
    "math.sin": (lambda x: math.sin(x), TypeError, "np.sin for math.sin"),
    "float": (lambda x: float(x) * x, TypeError, "plain number"),
    "int": (lambda x: int(x) * x, TypeError, "np.trunc"),
    "np.zeros": (lambda x: np.zeros(2).__setitem__(0, x), TypeError, "zeros_like"),
    "+= into floats": (lambda x: np.add(np.ones(2), x, out=np.ones(2)), TypeError, "zeros_like"),
    "hash": (lambda x: {x: 1}, TypeError, "unhashable"),
    "an unknown ufunc": (lambda x: np.spacing(x), NotDifferentiableError, "np.spacing has no symbolic form"),
    "an unknown function": (lambda x: np.linalg.eigvalsh(x * np.eye(2)), NotDifferentiableError, "linalg.eigvalsh"),
    "another": (lambda x: np.fft.fft([x, x]), TypeError, None),
    "where=": (lambda x: np.sin(x, where=np.array(True)), NotDifferentiableError, "np.where"),
    "nothing": (lambda x: None, TypeError, "forgotten return"),
    "a dict": (lambda x: {"a": x}, TypeError, "dict"),
    "random numbers": (lambda x: x * random.random(), ValueError, "two results"),
    "what f raises": (lambda x: {}["key"], KeyError, "key"),
    "shapes": (lambda x: np.ones(2) @ np.stack([x, x, x]), ValueError, None),
    "complex": (lambda x: (-2.0) ** x, ValueError, "complex"),
    "a string": (lambda x: ["x"], TypeError, "not a number"),
    "no derivative": (lambda x: unknown_to_sympy(x), NotDifferentiableError, "no derivative"),
}  # fmt: skip


def unknown_to_sympy(x):
    return type(x)(sp.Function("g")(x.expr))


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_f(name):
    f, kind, text = ERRORS[name]
    with pytest.raises(kind, match=text):
        oracle.derivative(f, "x")


def test_side_effects():
    calls = []
    with pytest.raises(ValueError, match="two results"):
        oracle.gradient(lambda x: (calls.append(1), len(calls) * x.sum())[1], 2)


def test_errors_of_points():
    f = oracle.jacobian(lambda x, s: np.log(x) * s, 2, "s")
    for point, kind, text in [
        (([1, math.nan], 1), ValueError, "finite"),
        (([1, math.inf], 1), ValueError, "finite"),
        (([1, 2, 3], 1), ValueError, r"x has shape \(2,\)"),
        (([1, 2],), TypeError, "x, s; 1 given"),
        (({"x": [1, 2]},), ValueError, "no value for s"),
    ]:
        with pytest.raises(kind, match=text):
            f.at(*point)
    for g, point, text in [
        (np.log, -1, r"log\(-1\) is not a real number, at x = -1"),
        (np.arcsin, 2, r"asin\(2\)"),
        (lambda x: x**0.5, -2, "real"),
        (lambda x: 1 / x, 0, "zero"),
        (lambda x: np.sin(1 / x), 0, "zero"),
        (lambda x: np.where(x > 0, x, np.nan), -1, "no value"),
    ]:
        with pytest.raises(ValueError, match=text):
            oracle.symbolic(g, "x").at(point)


def test_errors_of_calls():
    f = lambda x, y: x * y
    for call, text in [
        (lambda: oracle.gradient(f, 2, 2), "shape .2,.: use jacobian"),
        (lambda: oracle.jacobian(f, 2, "y", argnums=2), "argnums=2"),
        (lambda: oracle.jacobian(f, 2, 3.0, argnums=1), "argnums=1"),
        (lambda: oracle.symbolic(f, "x", "x"), "two arguments"),
        (lambda: oracle.derivative(np.sum, 2), "use jacobian"),
        (lambda: oracle.derivative(lambda x: x[::-1], 2), "use jacobian"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError):
        oracle.symbolic(f, "x", 2, 3)


def test_import_is_lazy_and_tracing_fast():
    code = "import sys, dualdiff as dd; dd.oracle; assert not {'sympy', 'mpmath'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])

    def f(v):
        for k in range(40):  # 200 operations
            v = np.roll(v, 1)
            a, b = v[0], v[1]
            v[0] = [np.sin(a), a * b, a + b, np.exp(-a), a / (1 + b**2)][k % 5]
        return v.sum()

    start = time.process_time()
    gradient = oracle.gradient(f, 20)
    assert time.process_time() - start < 2
    point = np.linspace(0.1, 0.9, 20)
    assert gradient.compile()(point) == pytest.approx(gradient.at(point).astype(float))
