"""Calculus, polynomials and assembly, in every form NumPy lets them be called; the check that such tables share.

A case is an expression; it is differentiated by all arrays that it names. The value must be NumPy's own, the tangent
that of central differences; one direction, many, and nested derivatives must agree; float32 must stay as NumPy has it.
"""

from __future__ import annotations

import re
from typing import Any

import mpmath
import numpy as np
import pytest

import dualdiff as dd
from tests.cases.functions import ASSEMBLY, CALCULUS, CONJUGATING, CONSTANTS, NEWER, POLYNOMIALS, SETS, WRITES, Case
from tests.cases.tools import close, expressions
from tests.checks import check, untested

# ---------------------------------------------------------------- calculus


@pytest.mark.parametrize("source", expressions(CALCULUS))
def test_calculus(source: str) -> None:
    check(source)


@pytest.mark.parametrize("source", expressions(POLYNOMIALS))
def test_polynomials(source: str) -> None:
    check(source, exact=1e-12, small="[c" not in source and "u, 2.0" not in source)  # Python numbers widen nothing


@pytest.mark.parametrize("source", expressions(ASSEMBLY) + expressions(NEWER))
def test_assembly(source: str) -> None:
    name = source.partition("(")[0].removeprefix("np.")
    if not hasattr(np, name):
        pytest.skip(f"np.{name} came with a later NumPy")
    check(source, small="float" not in source)


@pytest.mark.parametrize("source", expressions(WRITES))
def test_writing_in_place(source: str) -> None:
    check("y = A * 1; " + source + "; y * A")


@pytest.mark.parametrize("source", [s for s in expressions(WRITES) if re.search(r"[ucwB][),\[]", s)])
def test_writing_into_a_plain_array(source: str) -> None:
    """Of the caller's, which can't hold tangents and must not be changed."""
    case, y = Case(source), np.ones((3, 4))

    def f(*arrays: Any) -> Any:
        exec(source, {**CONSTANTS, **dict(zip(case.names, arrays)), "y": y})
        return y

    with pytest.raises(dd.TangentLossError, match="zeros_like"):
        dd.jacobian(f, tuple(range(len(case.names))))(*case.arrays)
    np.testing.assert_array_equal(y, 1.0)


@pytest.mark.parametrize("source", expressions(CONJUGATING))
def test_conjugates_of_the_second_operand(source: str) -> None:
    """Not holomorphic, so that there is no complex Jacobian; along a direction there is a derivative."""
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    close(value, case.f(*case.arrays), rtol=1e-14)
    close(tangent, case.along(case.f, 1e-6), rtol=1e-8)


def test_interp_at_knots_ends_and_jumps() -> None:
    xp, fp = [0.0, 1.0, 1.0, 2.0], [5.0, 1.0, 0.0, 3.0]
    slope = lambda x, **ends: dd.derivative(lambda x: np.interp(x, xp, fp, **ends))(x)
    assert [slope(x) for x in (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)] == [0, -2, -4, 3, 3, 1.5, 0]
    assert [slope(x, left=7.0, right=8.0) for x in (-1.0, 0.0, 2.0, 3.0)] == [0, -4, 3, 0]
    assert dd.derivative(lambda x: np.interp(x, [0, 1, 2], [0, 1, 0]))(1.0) == 0
    assert dd.derivative(lambda x: np.interp(x, [1.0], [5.0]))(1.0) == 0
    assert dd.gradient(lambda v: np.interp(1.0, v, [0.0, 1.0, 0.0]))(np.array([0.0, 1.0, 2.0])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("fp", [[5.0, np.inf, 2.0], [np.inf, np.inf, 2.0], [1.0, np.nan, 2.0]])
def test_interp_passes_on_what_is_not_finite(fp: list[float]) -> None:
    for x in (0.0, 0.5, 1.0, 1.5, np.nan):
        value = dd.jvp(lambda x: np.interp(x, [0, 1, 2], fp), (x,), (1.0,))[0]
        np.testing.assert_array_equal(value, np.interp(x, [0, 1, 2], fp))


def test_infinite_weights_of_a_convolution_meet_strong_zeros() -> None:
    j = dd.jacobian(lambda x: np.convolve(x, [np.inf, 1.0], "valid"))(np.array([1.0, 4.0, 3.0]))
    np.testing.assert_array_equal(j, [[1, np.inf, 0], [0, 1, np.inf]])


@pytest.mark.parametrize("n, z", [(0.0, 0.0), (0.5, 1e-3), (-2.0, 3.7)])
def test_sinc_in_every_order(n: float, z: float) -> None:
    """Against its integral over cos(pi x t), whose derivatives are plain."""
    t, w = np.polynomial.legendre.leggauss(60)
    for x in (n, z):
        f: Any = np.sinc
        for k in range(5):
            due = w @ ((np.pi * t) ** k * np.cos(np.pi * x * t + k * np.pi / 2)) / 2
            np.testing.assert_allclose(f(x), due, rtol=1e-10, atol=1e-12)
            f = dd.derivative(f)


def test_i0_over_its_whole_range() -> None:
    x = np.array([1e-8, 0.1, 3.0, 40.0, 700.0])
    with mpmath.workdps(30):
        due = [float(mpmath.besseli(1, v)) for v in x]
    np.testing.assert_allclose(np.diag(dd.jacobian(np.i0)(x)), due, rtol=1e-13)
    np.testing.assert_allclose(np.diag(dd.jacobian(np.i0)(-x)), np.negative(due), rtol=1e-13)


def test_refusals_and_errors() -> None:
    x = np.ones((2, 3))
    for source in expressions(ERRORS):
        with pytest.raises(Exception) as due:
            eval(source, {"np": np, "x": x})
        with pytest.raises(due.type):
            dd.jvp(lambda x: eval(source, {"np": np, "x": x}), (x,), (x,))  # noqa: B023
    with pytest.raises(dd.NotDifferentiableError, match=r"np\.concatenate"):
        dd.jacobian(lambda x: np.pad(x, 1, lambda v, *_: None))(x)
    numbers = np.arange(3)
    with pytest.raises(dd.TangentLossError, match="integers"):
        dd.jacobian(lambda x: np.insert(numbers, 1, x[0, 0]))(x)


ERRORS = """
np.interp(x, [0, 1], [1])  np.interp(x, [0, 1], [1, 2], period=0)  np.gradient(x, 1, 2, 3)  np.gradient(x, axis=4)
np.gradient(x, edge_order=3)  np.gradient(x, [1, 2], axis=1)  np.gradient(x[:1])  np.trapezoid(x, axis=5)
np.convolve(x, [1])
np.convolve(x[0], [])  np.convolve(x[0], [1], 'other')  np.linspace(x, 1, -1)  np.geomspace(x * 0, 1)  np.vander(x)
np.polyder(x[0], -1)  np.polyint(x[0], -1)  np.polyint(x[0], 3, [1, 2])  np.poly(x)  np.polyfit(x[0], x[0, :2], 1)
np.polyfit(x[0], x[0], -1)  np.take_along_axis(x, np.zeros((2, 3), int), 5)  np.compress([True], x, 4)
np.delete(x, 9, 1)
np.insert(x, 9, 1, 0)  np.select([], [])  np.select([x], [x])  np.select([x > 0], [])
np.piecewise(x, [x > 0], [1, 2, 3])
np.block([[x], x])  np.block([[x, x[:1]]])  np.vsplit(x[0], 1)  np.dsplit(x, 1)  np.hsplit(x, 2)  np.ix_(x)
np.meshgrid(x[0], indexing='zz')  np.apply_along_axis(np.sum, 4, x)  np.apply_over_axes(np.sum, x, [5])  np.pad(x, -1)
np.pad(x, 1.5)  np.pad(x, 1, 'other')  np.pad(x, 1, stat_length=2)  np.pad(x[:0], 1, 'edge')  np.put(x, 99, 1.0)
np.place(x, x > 0, [])  np.choose([0, 5], x[:, :2])  np.fill_diagonal(x[0], 1.0)
"""


def test_every_rule_has_a_case() -> None:
    assert untested("calculus", [CALCULUS]) == set()
    assert untested("polynomials", [POLYNOMIALS, SETS]) == set()
    assert untested("assembly", [ASSEMBLY, NEWER if hasattr(np, "unstack") else "np.astype(A)", WRITES]) == set()
