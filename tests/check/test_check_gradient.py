"""check_gradient and check_jacobian: no false alarms however badly scaled, every wrong entry named."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdiff as dd
from dualdiff import numerical


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_gradient(x):
    g = np.zeros_like(x)
    g[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


# name: function, gradient, and the range of arguments (as powers of ten) in which it is worth looking at
FUNCTIONS = {
    "squares": (lambda x: np.sum(x * x), lambda x: 2 * x, (-6, 6)),
    "logarithms": (lambda x: np.sum(np.log(x)), lambda x: 1 / x, (-6, 6)),
    "reciprocals": (lambda x: np.sum(1 / x), lambda x: -1 / x**2, (-6, 6)),
    "product": (np.prod, lambda x: np.prod(x) / x, (-6, 6)),
    "roots": (lambda x: np.sum(np.sqrt(x)), lambda x: 0.5 / np.sqrt(x), (-6, 6)),
    "waves": (lambda x: np.sum(np.sin(3 * x)), lambda x: 3 * np.cos(3 * x), (-6, 1)),
    "saturation": (lambda x: np.sum(np.tanh(x)), lambda x: 1 - np.tanh(x) ** 2, (-6, 0.5)),
    "rosenbrock": (rosenbrock, rosenbrock_gradient, (-3, 2)),
}


def frozen(gradient, x):
    """Right at x, but its own derivative is zero."""
    value = gradient(x)
    return lambda v: value


names = st.sampled_from(sorted(FUNCTIONS))
exponents = st.lists(st.floats(0, 1), min_size=2, max_size=4)


def badly_scaled(name, places, power):
    """f and its gradient times 10^power, at a point whose elements are powers of ten within the function's range."""
    f, gradient, (low, high) = FUNCTIONS[name]
    x = 10.0 ** (low + (high - low) * np.array(places))
    return (lambda v: 10.0**power * f(v)), (lambda v: 10.0**power * gradient(v)), x


@pytest.mark.parametrize("order", [1, 2])
@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=names, places=exponents, power=st.integers(-8, 8), seed=st.integers(0, 99))
def test_no_false_alarms_however_badly_scaled(order, name, places, power, seed):
    f, gradient, x = badly_scaled(name, places, power)
    report = numerical.check_gradient(f, gradient, x, order=order, seed=seed)
    assert report, report


@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=names, places=exponents, power=st.integers(-8, 8), seed=st.integers(0, 99))
def test_a_thousandth_everywhere_is_caught(name, places, power, seed):
    f, gradient, x = badly_scaled(name, places, power)
    report = numerical.check_gradient(f, lambda v: 1.001 * gradient(v), x, seed=seed)
    assert not report
    assert report.errors.max() > 1e-4


@settings(max_examples=25, deadline=None, derandomize=True)
@given(name=names, places=exponents, power=st.integers(-8, 8), seed=st.integers(0, 99))
def test_a_frozen_gradient_is_caught_however_badly_scaled(name, places, power, seed):
    f, gradient, x = badly_scaled(name, places, power)
    report = numerical.check_gradient(f, frozen(gradient, x), x, order=2, seed=seed)
    assert not report, x
    assert "a derivative of entry" in str(report) or not report.wrong


@settings(max_examples=30, deadline=None, derandomize=True)
@given(size=st.integers(1, 6), data=st.data(), seed=st.integers(0, 99))
def test_one_wrong_entry_is_caught_and_named(size, data, seed):
    x = np.linspace(0.5, 1.5, size)
    wrong = data.draw(st.integers(0, size - 1))
    gradient = np.exp(x)
    gradient[wrong] *= 1.001
    report = numerical.check_gradient(lambda v: np.sum(np.exp(v)), gradient, x, seed=seed)
    assert not report
    assert [index for index, _, _ in report.wrong] == [(wrong,)]
    _, given_value, due = report.wrong[0]
    assert given_value == pytest.approx(gradient[wrong], rel=1e-8)
    assert due == pytest.approx(math.exp(x[wrong]), rel=1e-8)
    assert f"entry [{wrong}]" in str(report)


def test_one_wrong_entry_among_many():
    x = np.linspace(-1, 1, 200)
    gradient = np.cos(x)
    gradient[123] += 1e-3
    report = numerical.check_gradient(lambda v: np.sum(np.sin(v)), gradient, x)
    assert [index for index, _, _ in report.wrong] == [(123,)]


def test_a_wrong_entry_of_an_argument_of_another_scale_is_caught():
    x = np.array([1e-6, 1.0, 1e6])
    weights = 1 / x
    gradient = weights * np.cos(weights * x)
    for k in range(3):
        wrong = gradient.copy()
        wrong[k] *= 1.01
        report = numerical.check_gradient(lambda v: np.sum(np.sin(weights * v)), wrong, x)
        assert [index for index, _, _ in report.wrong] == [(k,)]


def test_a_right_gradient_converges_with_order_two_and_a_wrong_one_does_not():
    x = np.array([0.3, -0.8])
    f = lambda v: np.exp(v[0]) * np.sin(v[1])
    gradient = lambda v: np.exp(v[0]) * np.array([np.sin(v[1]), np.cos(v[1])])
    right = numerical.check_gradient(f, gradient, x)
    np.testing.assert_allclose(right.orders, 2, atol=0.1)
    assert right.errors.shape == right.orders.shape == (5,)
    wrong = numerical.check_gradient(f, lambda v: 1.5 * gradient(v), x)
    np.testing.assert_allclose(wrong.orders, 0, atol=0.1)
    exact = numerical.check_gradient(lambda v: 2 * v[0] - v[1], [2.0, -1.0], x)
    assert exact
    assert np.all(np.isnan(exact.orders))


def half_frozen(gradient, x):
    return lambda v: 0.5 * gradient(v) + 0.5 * gradient(x)


def twisted(gradient, x):
    turn = np.zeros((x.size, x.size))
    turn[0, 1], turn[1, 0] = 1e-2, -1e-2  # antisymmetric: no second difference along one direction shows it
    return lambda v: gradient(v) + turn @ (v - x)


@pytest.mark.parametrize("spoil", [frozen, half_frozen, twisted])
def test_a_gradient_wrong_only_in_second_order_is_caught_by_order_two(spoil):
    x = np.array([0.3, -0.8, 1.1])
    f = lambda v: np.exp(v[0]) * np.sin(v[1]) + v[2] ** 3 * v[0]
    gradient = lambda v: np.array(
        [np.exp(v[0]) * np.sin(v[1]) + v[2] ** 3, np.exp(v[0]) * np.cos(v[1]), 3 * v[2] ** 2 * v[0]]
    )
    assert numerical.check_gradient(f, gradient, x, order=2)
    spoilt = spoil(gradient, x)
    assert numerical.check_gradient(f, spoilt, x)
    report = numerical.check_gradient(f, spoilt, x, order=2)
    assert not report
    assert np.all(report.errors[:5] < 1e-6)
    assert "a derivative of entry" in str(report)


def test_which_derivative_of_the_gradient_is_wrong():
    x = np.array([0.5, 1.0, 2.0])
    gradient = lambda v: np.array([np.cos(v[0]), np.cos(v[1]), np.cos(x[2])])  # the last one does not move
    report = numerical.check_gradient(lambda v: np.sum(np.sin(v)), gradient, x, order=2)
    assert [index for index, _, _ in report.wrong] == [(2,)]


def test_a_hessian_is_a_jacobian():
    x = np.array([0.5, 1.0, 2.0])
    gradient = lambda v: np.prod(v) / v
    hessian = lambda v: np.prod(v) * (1 / np.outer(v, v) - np.diag(1 / v**2))
    assert numerical.check_jacobian(gradient, hessian, x, order=2)
    assert not numerical.check_jacobian(gradient, lambda v: hessian(v) + 1e-3 * np.eye(3), x)


def test_jacobians_of_arrays():
    x = np.arange(1.0, 7).reshape(2, 3)
    f = lambda v: v.T @ v
    one = np.eye(3)
    jacobian = lambda v: np.einsum("aj,ib->abij", one, v) + np.einsum("bj,ia->abij", one, v)
    assert numerical.check_jacobian(f, jacobian, x, order=2)
    wrong = jacobian(x)
    wrong[0, 2, 1, 0] += 0.1
    report = numerical.check_jacobian(f, wrong, x)
    assert [index for index, _, _ in report.wrong] == [(0, 2, 1, 0)]
    transposed = np.array([[1.0, 3.0], [2.0, 4.0]])
    report = numerical.check_jacobian(lambda v: np.array([[1.0, 2.0], [3.0, 4.0]]) @ v, transposed, [1.0, 2.0])
    assert {index for index, _, _ in report.wrong} == {(0, 1), (1, 0)}


def test_outputs_of_different_scales_are_checked_each_by_its_own():
    x = np.array([0.5, 1.0])
    f = lambda v: np.array([1e8 * np.sin(v[0]), 1e-8 * np.sin(v[1])])
    jacobian = np.diag([1e8 * np.cos(x[0]), 1e-8 * np.cos(x[1])])
    assert numerical.check_jacobian(f, jacobian, x)
    jacobian[1, 1] *= 1.001
    assert [index for index, _, _ in numerical.check_jacobian(f, jacobian, x).wrong] == [(1, 1)]


@pytest.mark.parametrize(
    ("f", "gradient", "x"),
    [
        (lambda v: np.sum(v * v), lambda v: 2 * v, np.zeros(3)),
        (lambda v: np.sum(v), np.ones_like, np.array([0.0, 1e-300])),
        (rosenbrock, rosenbrock_gradient, np.ones(4)),
        (lambda v: 7.0, np.zeros_like, np.array([1.0, 2.0])),
        (lambda v: v[0] - v[1], lambda v: np.array([1.0, -1.0]), np.array([1e6, 1e6 - 1e-6])),
        (lambda v: 1e8 + np.sum(v**2), lambda v: 2 * v, np.array([1.0, 2.0])),
        (lambda v: np.sum(np.abs(v)), np.sign, np.array([1e-9, 1.0])),
        (lambda v: np.sum(np.arcsin(v)), lambda v: 1 / np.sqrt(1 - v**2), np.array([0.999, 0.1])),
        (lambda v: math.log(v[0]) + math.log(v[1]), lambda v: 1 / v, np.array([1e-5, 3.0])),
        (lambda v: np.sum(np.sin(1e6 * v)), lambda v: 1e6 * np.cos(1e6 * v), np.array([0.1, 0.2])),
        (lambda v: np.sum(v**3), lambda v: 3 * v**2, np.array([[1.0, 2.0], [3.0, 4.0]])),
        (lambda v: v**3, lambda v: 3 * v**2, 2.0),
        (lambda v: (1e8 + v[0]) - 1e8 + v[1] ** 2, lambda v: np.array([1.0, 2 * v[1]]), np.array([1.0, 2.0])),
        (lambda v: np.sum((1e8 + v * v) - 1e8), lambda v: 2 * v, np.array([1.0, 2.0])),
        (lambda v: 1e200 * np.sum(np.exp(v)), lambda v: 1e200 * np.exp(v), np.ones(3)),
        (lambda v: 1e-200 * np.sum(np.exp(v)), lambda v: 1e-200 * np.exp(v), np.ones(3)),
        (lambda v: np.sum(v) ** 2, lambda v: 2 * np.sum(v) * np.ones_like(v), np.ones(3, np.float32)),
    ],
)
def test_right_gradients_in_awkward_places(f, gradient, x):
    for order in (1, 2):
        report = numerical.check_gradient(f, gradient, x, order=order)
        assert report, report


def test_float32_is_judged_by_its_own_precision():
    x = np.linspace(0.1, 1, 5, dtype=np.float32)
    assert numerical.check_gradient(lambda v: np.sum(np.sin(v)), np.cos, x)
    assert not numerical.check_gradient(lambda v: np.sum(np.sin(v)), lambda v: np.float32(1.01) * np.cos(v), x)


def test_the_seed_decides_the_directions():
    x = np.array([1.0, 2.0])
    f, gradient = lambda v: np.sum(np.exp(v)), lambda v: 1.1 * np.exp(v)
    first, again, other = (numerical.check_gradient(f, gradient, x, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.errors, again.errors)
    assert not np.array_equal(first.errors, other.errors)
    assert numerical.check_gradient(f, gradient, x, directions=2).errors.shape == (2,)


def test_rtol_is_what_is_allowed():
    x = np.array([1.0, 2.0])
    gradient = lambda v: 1.001 * np.exp(v)
    assert numerical.check_gradient(lambda v: np.sum(np.exp(v)), gradient, x, rtol=1e-2)
    assert not numerical.check_gradient(lambda v: np.sum(np.exp(v)), gradient, x, rtol=1e-4)


def test_reports_are_assertions():
    x = np.array([1.0, 2.0])
    right = numerical.check_gradient(lambda v: v @ v, lambda v: 2 * v, x)
    right.assert_()
    assert right.ok and bool(right) and right.wrong == []
    assert repr(right).startswith("numerical.check_gradient: right, relative error")
    wrong = numerical.check_gradient(lambda v: v @ v, lambda v: 2 * v + [0, 1], x)
    with pytest.raises(AssertionError, match=r"WRONG in 1 entries(.|\n)*entry \[1\]: given 5, due 4"):
        wrong.assert_()


def test_checks_change_nothing_of_the_callers():
    x, g = np.array([1.0, 2.0]), np.array([2.0, 4.0])

    def f(v):
        v *= v
        return np.sum(v)

    assert numerical.check_gradient(f, g, x)
    np.testing.assert_array_equal(x, [1, 2])
    np.testing.assert_array_equal(g, [2, 4])


@pytest.mark.parametrize("order", [1, 2])
def test_dual_numbers_pass(order):
    x = np.array([0.3, -0.8, 1.1])
    f = lambda v: np.exp(v[0]) * np.sin(v[1]) + np.sum(v**3) / (1 + v @ v)
    numerical.check_gradient(f, dd.gradient(f), x, order=order).assert_()
    g = lambda v: np.tanh(np.outer(v, v)) @ v
    numerical.check_jacobian(g, dd.jacobian(g), x, order=order).assert_()


def test_nothing_to_check():
    report = numerical.check_gradient(np.sum, lambda v: v, np.zeros(0))
    assert report and "nothing to check" in str(report)


X = np.array([1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c(3.0, X, X), TypeError, "pass f itself"),
        (lambda c: c(np.sum, X, [1.0, math.nan]), ValueError, "argument must be finite, got nan"),
        (lambda c: c(np.sum, X, [1.0, 1j]), TypeError, "argument must be real"),
        (lambda c: c(lambda v: 1j * v[0], X, X), TypeError, "result of f must be real"),
        (lambda c: c(lambda v: math.inf, X, X), ValueError, "result of f must be finite, got inf"),
        (lambda c: c(np.sum, [1.0, math.nan], X), ValueError, "must be finite, got nan"),
        (lambda c: c(np.sum, [1.0, 1j], X), TypeError, "must be real"),
        (lambda c: c(np.sum, "g", X), TypeError, "must be a number"),
        (lambda c: c(np.sum, np.ones(3), X), ValueError, r"must have shape \(2,\), got \(3,\)"),
        (lambda c: c(np.sum, lambda v: np.ones((1, 2)), X), ValueError, r"must have shape \(2,\), got \(1, 2\)"),
        (lambda c: c(np.sum, np.ones(2), X, order=2), ValueError, "that is a function"),
        (lambda c: c(np.sum, np.ones_like, X, order=3), ValueError, "order is 1"),
        (lambda c: c(np.sum, np.ones_like, X, directions=0), ValueError, "directions"),
        (lambda c: c(lambda v: np.sqrt(v[0] - 1), np.ones(2), X), ValueError, "not finite on both sides"),
    ],
)
@pytest.mark.parametrize("check", ["check_gradient", "check_jacobian"])
def test_checks_refuse(check, call, error, message):
    with pytest.raises(error, match=message) as caught:
        call(getattr(numerical, check))
    assert f"numerical.{check}" in str(caught.value)


def test_check_gradient_of_a_vector_names_check_jacobian():
    with pytest.raises(ValueError, match=r"use numerical\.check_jacobian"):
        numerical.check_gradient(np.sin, np.cos, X)


def test_complex_step_finds_a_small_share_that_drops_imaginary_parts():
    """|x| beside a much steeper function: without a closer look its slopes would be missing."""

    def f(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2) + np.sum(np.abs(x))

    with pytest.raises(ValueError, match="drops imaginary parts"):
        numerical.gradient(f, method="complex_step")(np.random.default_rng(0).uniform(-1.5, 1.5, 40))
