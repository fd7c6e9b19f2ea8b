"""Derivatives done by hand, checked by the oracle: proofs, mistakes, guesses at the slip."""

from __future__ import annotations

import re

import numpy as np
import pytest
import sympy as sp

from dualdiff import oracle
from tests.check.algebra import x, x0, x1, x2

RIGHT = [
    (lambda x: np.sin(x**2), lambda x: 2 * x * np.cos(x**2), ()),
    (lambda x: np.sin(x**2), 2 * sp.Symbol("x") * sp.cos(sp.Symbol("x") ** 2), ()),
    (lambda x: np.sin(x**2), "2*x*cos(x**2)", ()),
    (lambda x: np.tanh(x), lambda x: 1 / np.cosh(x) ** 2, ()),
    (lambda x: np.arccosh(x), lambda x: 1 / np.sqrt(x**2 - 1), ()),
    (lambda x: np.exp(-x) / np.sqrt(2 * np.pi), lambda x: -0.3989422804014327 * np.exp(-x), ()),
    (lambda x: np.maximum(x, 0), lambda x: np.where(x >= 0, 1, 0), ()),
    (np.abs, lambda x: 1 if x > 0 else -1, ()),
    (lambda x: x * x if x > 2 else x, lambda x: 2 * x if x > 2 else 1, ()),
    (lambda x: np.sum(x**2), lambda x: 2 * x, (3,)),
    (lambda x: np.sum(x**2), [2 * x0, 2 * x1, 2 * x2], (3,)),
    (lambda x: np.sin(x), lambda x: np.diag(np.cos(x)), (3,)),
    (lambda W, v: np.sum(W @ v), lambda W, v: np.outer(np.ones(2), v), ((2, 3), 3)),
    (lambda x: x @ x, lambda x: x + x, (30,)),
]


@pytest.mark.parametrize("case", range(len(RIGHT)))
def test_check_right(case):
    f, manual, specs = RIGHT[case]
    report = oracle.check(f, manual, *specs)
    assert report and report.ok and report.points >= 12 and str(report).startswith("right")
    report.assert_()


def test_check_proves_and_takes_numbers():
    assert oracle.check(lambda x: np.tanh(x), lambda x: 1 - np.tanh(x) ** 2).proved
    f = lambda a, b: np.log(a) + a * b - np.sin(b)
    assert oracle.check(f, (5.5, 1.716), argnums=(0, 1), at=(2, 5), rtol=1e-3)
    assert "rounded" in oracle.check(f, (5.5, 1.716), argnums=(0, 1), at=(2, 5)).guess
    assert oracle.check(f, lambda a, b: (1 / a + b, a - np.cos(b)), argnums=(0, 1))
    report = oracle.check(lambda x: np.abs(x) if x > 2 else x, lambda x: 1.0, assume="x > 3")
    assert report and report.due.region == (x > 2,)


SLIPS = {  # f, its derivative done wrong, the arguments, the guess
    "chain": (lambda x: np.sin(x**2), lambda x: np.cos(x**2), (), r"inner derivative d\(x\*\*2\)/dx = 2\*x is missing"),
    "chain, in a sum": (lambda x: x + np.exp(3 * x), lambda x: 1 + np.exp(3 * x), (), "derivative .* = 3 is missing"),
    "chain, outer": (lambda x: np.sin(x**2), lambda x: 2 * x, (), "outer derivative"),
    "d(1 - x)": (lambda x: np.exp(1 - x), lambda x: np.exp(1 - x), (), r"d\(1 - x\)/dx = -1 is missing"),
    "d(1 - x) in a square": (lambda x: (1 - x) ** 2 / 2, lambda x: 1 - x, (), "-1 is missing|sign"),
    "cos": (lambda x: np.cos(x), lambda x: np.sin(x), (), r"sign of the derivative of cos\(x\)"),
    "1/x": (lambda x: 1 / x, lambda x: 1 / x**2, (), "sign of the derivative of 1/x"),
    "sign": (lambda x: -np.exp(x) * x, lambda x: np.exp(x) * (1 + x), (), "the sign"),
    "sign of a term": (lambda x: x**2 - 3 * x, lambda x: 2 * x + 3, (), r"the sign of d\(-3\*x\)/dx"),
    "a term": (lambda x: x**2 + 3 * x, lambda x: 2 * x, (), r"the term d\(3\*x\)/dx .* missing"),
    "power: factor": (lambda x: x**3, lambda x: x**2, (), "power rule: the factor 3 is missing"),
    "power: exponent kept": (lambda x: x**3, lambda x: 3 * x**3, (), "exponent goes down by one"),
    "power: exponent too low": (lambda x: x**3, lambda x: 3 * x, (), "by one only"),
    "exponential as power": (lambda x: 2**x, lambda x: x * 2 ** (x - 1), (), "the power rule is for"),
    "exponential: log": (lambda x: 2**x, lambda x: 2**x, (), r"log\(2\) is missing"),
    "product: a term": (lambda x: x * np.sin(x), lambda x: np.sin(x), (), r"term with d\(sin\(x\)\)/dx is missing"),
    "product: u'v'": (lambda x: x * np.sin(x), lambda x: np.cos(x), (), "not u'v'"),
    "quotient: sign": (lambda x: x / (1 + x**2), lambda x: (1 + x**2 + 2 * x**2) / (1 + x**2) ** 2, (), "sign"),
    "quotient: its terms": (
        lambda x: np.sin(x) / np.log(x),
        lambda x: (np.cos(x) * np.log(x) + np.sin(x) / x) / np.log(x) ** 2,
        (),
        "sign",
    ),
    "quotient: square": (lambda x: x / (1 + x**2), lambda x: (1 - x**2) / (1 + x**2), (), "square of the denominator"),
    "a factor": (lambda x: np.mean(x**2), lambda x: 2 * x, (3,), "constant factor: given is 3 times"),
    "transposed": (lambda W, x: W @ x, lambda W, x: W.T, ((2, 2), 2), "transposed"),
    "transposed, not square": (lambda W, x: W @ x, lambda W, x: W.T, ((2, 3), 3), "given .3, 2., due .2, 3., trans"),
    "a column": (lambda x: np.sum(x**2), lambda x: 2 * x[:, None], (3,), "a row or a column"),
    "the diagonal": (np.sin, np.cos, (3,), "only the diagonal"),
    "summed up": (lambda x: np.sum(x**2), lambda x: 2 * np.sum(x), (3,), "summed over axis 0"),
    "the sum in each": (lambda x: np.sum(x**2), lambda x: 2 * np.sum(x) * np.ones(3), (3,), "sum over all components"),
    "not summed": (lambda X, b: np.sum((X + b) ** 2), lambda X, b: 2 * (X + b), ((3, 2), 2), "not summed over axis 0"),
    "a layer": (lambda W, x: np.sum(np.tanh(W @ x)), lambda W, x: np.outer([1, 1], x), ((2, 2), 2), "outer .* tanh"),
    "no slip": (lambda x: np.sin(x), lambda x: np.exp(x) + 7, (), "^$"),
}  # fmt: skip


@pytest.mark.parametrize("name", SLIPS)
def test_check_guesses_the_slip(name):
    f, manual, specs, guess = SLIPS[name]
    argnums = {"transposed": 1, "transposed, not square": 1, "not summed": 1}.get(name, 0)
    report = oracle.check(f, manual, *specs, argnums=argnums)
    assert not report
    assert re.search(guess, report.guess), report.guess
    with pytest.raises(AssertionError, match="wrong"):
        report.assert_()


def test_report():
    report = oracle.check(lambda x: x[0] ** 2 * x[1], lambda x: np.stack([2 * x[0] * x[1], x[0]]), 2, at=[3, 5])
    (mistake,) = report.mistakes
    assert mistake == ("df/dx_1", 3, 9, x0, x0**2)
    assert str(report).splitlines()[:4] == [
        "wrong in 1 of 2 components, at x = [3, 5]",
        "df/dx_1: given 3, due 9",
        "    given x_0",
        "    due   x_0**2",
    ]
    assert "$x_{0}^{2}$" in report._repr_html_() and "<br>" in report._repr_html_()
    assert "$" in oracle.check(np.sin, np.cos)._repr_html_()
    with pytest.raises(ValueError, match="at any of the points"):
        oracle.check(lambda x: np.log(-1 - x**2), lambda x: x)
    with pytest.raises(ValueError, match="no value for q"):
        oracle.check(np.sin, "cos(q)")
