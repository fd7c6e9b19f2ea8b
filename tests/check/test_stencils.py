"""The weights of stencils against exact arithmetic, and how the errors of each method fall with the step."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualdiff import numerical

# ---------------------------------------------------------------- weights


def exact_weights(points, order):
    """The weights as fractions: the `order`-th derivative at 0 of each Lagrange polynomial, by its coefficients."""
    weights = []
    for i, p in enumerate(points):
        coefficients = [Fraction(1)]  # of the product of (x - q) / (p - q), lowest power first
        for q in points[:i] + points[i + 1 :]:
            shifted, scaled = [Fraction(0), *coefficients], [-q * c for c in coefficients] + [Fraction(0)]
            coefficients = [(a + b) / (p - q) for a, b in zip(shifted, scaled)]
        weights.append(math.factorial(order) * coefficients[order])
    return weights


grids = st.lists(st.integers(-40, 40), min_size=2, max_size=8, unique=True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(grids, st.integers(0, 4))
def test_weights_are_those_of_exact_arithmetic(points, order):
    order = min(order, len(points) - 1)
    expected = [float(w) for w in exact_weights([Fraction(p, 8) for p in points], order)]
    got = numerical.stencil_weights([p / 8 for p in points], order)
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13 * max(map(abs, expected)))


@pytest.mark.parametrize(
    ("offsets", "order", "weights"),
    [
        ([0, 1], 1, [-1, 1]),
        ([-1, 1], 1, [-1 / 2, 1 / 2]),
        ([-1, 0, 1], 2, [1, -2, 1]),
        ([-2, -1, 0, 1, 2], 1, [1 / 12, -2 / 3, 0, 2 / 3, -1 / 12]),
        ([-2, -1, 0, 1, 2], 4, [1, -4, 6, -4, 1]),
        ([0, 1, 2, 3], 1, [-11 / 6, 3, -3 / 2, 1 / 3]),
        ([5, 7], 0, [7 / 2, -5 / 2]),
        ([0], 0, [1]),
    ],
)
def test_weights_of_the_textbook(offsets, order, weights):
    np.testing.assert_allclose(numerical.stencil_weights(offsets, order), weights, rtol=1e-14, atol=1e-15)


def test_weights_of_three_uneven_points_are_the_formula():
    left, right = 0.5, 0.125
    bottom = right * left**2 + left * right**2
    formula = [-(right**2) / bottom, -(left**2 - right**2) / bottom, left**2 / bottom]
    np.testing.assert_allclose(numerical.stencil_weights([-left, 0, right]), formula, rtol=1e-15)


def test_weights_do_not_depend_on_the_order_of_the_points():
    points = np.array([-0.3, 0.0, 0.7, 1.1, -2.0])
    shuffled = [3, 0, 4, 2, 1]
    expected = numerical.stencil_weights(points, 2)[shuffled]
    np.testing.assert_allclose(numerical.stencil_weights(points[shuffled], 2), expected, rtol=1e-13)


def test_further_axes_are_stencils_of_their_own():
    grid = np.array([[-1.0, -0.25], [0.0, 0.0], [1.0, 0.5]])
    weights = numerical.stencil_weights(grid, 2)
    assert weights.shape == grid.shape
    for column in range(2):
        np.testing.assert_array_equal(weights[:, column], numerical.stencil_weights(grid[:, column], 2))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.integers(-16, 16), min_size=5, max_size=7, unique=True), st.integers(1, 4))
def test_weights_are_exact_on_polynomials(points, order):
    offsets = np.array(points) / 8
    polynomial = np.polynomial.Polynomial(np.arange(1.0, len(points) + 1))
    weights = numerical.stencil_weights(offsets, order)
    bound = np.abs(weights) @ np.abs(polynomial(offsets))
    assert abs(weights @ polynomial(offsets) - polynomial.deriv(order)(0)) <= 1e-11 * bound


@pytest.mark.parametrize(
    ("offsets", "order", "message"),
    [
        ([-1, 0, -1], 1, "no two the same"),
        ([0, math.nan], 1, "finite"),
        ([0, math.inf], 1, "finite"),
        ([0, 1], 2, "at least 3 points"),
        ([], 0, "at least 1 points"),
        ([0, 1], -1, "at least 0"),
        ([0, 1], 0.5, "integer"),
    ],
)
def test_weights_refuse(offsets, order, message):
    with pytest.raises(ValueError, match=message):
        numerical.stencil_weights(offsets, order)


# ---------------------------------------------------------------- orders of convergence


def test_measured_orders_and_the_rounding_wall():
    methods = ["forward", "backward", "central", "three_point", "complex_step"]
    result = numerical.convergence(np.exp, 1.0, np.exp, methods=methods)
    due = {"forward": 1, "backward": 1, "central": 2, "three_point": 2, "complex_step": 2}
    for method in methods:
        assert result.orders[method] == pytest.approx(due[method], abs=0.02)
        assert result.errors[method].shape == result.rounding[method].shape == result.steps.shape
        assert result.best_steps[method] == result.steps[np.argmin(result.errors[method])]
    # The best steps are where theory puts them: eps^(1/2) and eps^(1/3), within a few powers of two.
    assert 2**-30 < result.best_steps["forward"] < 2**-22
    assert 2**-21 < result.best_steps["central"] < 2**-14
    assert result.errors["complex_step"].min() < 1e-15


def test_errors_are_truncation_plus_rounding_at_every_step():
    result = numerical.convergence(np.exp, 1.0, np.exp)
    h = result.steps
    truncation = {"forward": math.e * h / 2, "central": math.e * h**2 / 6, "three_point": math.e * h * 2 * h / 6}
    for method, leading in truncation.items():
        assert np.all(result.errors[method] <= 1.5 * leading + result.rounding[method])
        # Left of the wall the bound rises as 1/h, and the errors come near it.
        small = h < result.best_steps[method] / 8
        slopes = np.diff(np.log(result.rounding[method][small])) / np.diff(np.log(h[small]))
        np.testing.assert_allclose(slopes, -1, atol=1e-6)
        assert np.max(result.errors[method][small] / result.rounding[method][small]) > 0.05


def test_three_points_keep_order_two_for_every_ratio_of_steps():
    for ratio in (0.1, 0.5, 3.0, 10.0):
        steps = np.exp2(-np.arange(4.0, 12))
        errors = [abs(numerical.derivative(np.exp, method="three_point", step=(h, ratio * h))(0.0) - 1) for h in steps]
        slopes = np.diff(np.log(errors)) / np.diff(np.log(steps))
        np.testing.assert_allclose(slopes[-3:], 2, atol=0.05)


def test_convergence_takes_steps_and_reads_as_a_table():
    result = numerical.convergence(np.sin, 1.0, math.cos(1.0), methods=["central"], steps=[0.1, 0.01, 0.001])
    assert result.orders["central"] == pytest.approx(2, abs=0.01)
    lines = repr(result).splitlines()
    assert lines[0].split() == ["method", "order", "best", "step", "least", "error"]
    assert lines[2].split()[:3] == ["central", "2.00", "1.0e-03"]


def test_convergence_of_an_exact_formula_has_no_order():
    assert math.isnan(numerical.convergence(lambda x: 3 * x, 1.0, 3.0, methods=["central"]).orders["central"])


def test_convergence_refuses():
    with pytest.raises(ValueError, match="number to a number"):
        numerical.convergence(np.sin, [1.0, 2.0], 0.0)
    with pytest.raises(ValueError, match="unknown method 'centre'"):
        numerical.convergence(np.sin, 1.0, 0.0, methods=["centre"])
    with pytest.raises(ValueError, match="positive"):
        numerical.convergence(np.sin, 1.0, np.cos, steps=[0.1, 0.0])
