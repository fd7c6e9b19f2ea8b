"""Differences: weights, orders, shapes, dtypes, refusals; and checks, which must catch wrong derivatives."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdiff as dd
from dualdiff import numerical

METHODS = ["forward", "backward", "central", "three_point", "complex_step"]
VERBS = ["derivative", "gradient", "jacobian"]
TOLERANCE = {"forward": 1e-7, "backward": 1e-7, "central": 1e-9, "three_point": 1e-9, "complex_step": 1e-15}


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


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("x", [0.0, 1.0, -0.7, 1e-3, 1234.5])
def test_default_steps_are_good(method, x):
    scale = max(abs(x), 1.0)
    f = lambda v: np.sin(v / scale) + v / scale
    due = (math.cos(x / scale) + 1) / scale
    assert numerical.derivative(f, method=method)(x) == pytest.approx(due, rel=TOLERANCE[method])


@pytest.mark.parametrize(
    ("method", "degree"), [("forward", 1), ("backward", 1), ("central", 2), ("three_point", 2), ("complex_step", 2)]
)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(x=st.integers(-16, 16), coefficients=st.lists(st.integers(-9, 9), min_size=3, max_size=3))
def test_exact_on_polynomials(method, degree, x, coefficients):
    polynomial = np.polynomial.Polynomial(coefficients[: degree + 1])
    got = numerical.derivative(polynomial, method=method, step=0.25)(x / 4)
    assert got == pytest.approx(polynomial.deriv()(x / 4), rel=1e-13, abs=1e-12)


@pytest.mark.parametrize("method", ["forward", "backward", "central", "three_point"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_higher_orders(method, order):
    if method == "three_point" and order > 2:
        with pytest.raises(ValueError, match="does not reach order"):
            numerical.derivative(np.exp, method=method, order=order)
        return
    got, error = numerical.derivative(np.exp, method=method, order=order, error=True)(0.0)
    assert got == pytest.approx(1.0, rel=0.02 if method != "central" else 1e-4)
    assert abs(got - 1) <= 2 * error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("f", [np.exp, np.sin, lambda x: x**3 - x, lambda x: 1 / (2 + x)])
def test_the_error_estimate_bounds_the_error_of_smooth_functions(method, f):
    exact = float(numerical.derivative(f, method="complex_step")(0.75))
    for step in (None, 1e-2, 1e-4, "sweep"):
        got, error = numerical.derivative(f, method=method, step=step, error=True)(0.75)
        assert got == numerical.derivative(f, method=method, step=step)(0.75)
        assert abs(got - exact) <= 2 * error + 1e-15
        assert error <= (1e-4 if step in (None, "sweep") else 1e-1)


@pytest.mark.parametrize("x", [1e-6, 1e-3, 1.0, 1e5])
def test_a_sweep_finds_the_scale(x):
    got, error = numerical.derivative(np.log, step="sweep", error=True)(x)
    assert got == pytest.approx(1 / x, rel=1e-8)
    assert abs(got - 1 / x) <= error
    slopes = numerical.gradient(lambda v: np.sum(np.log(v)), step="sweep")(np.array([x, 1.0]))
    np.testing.assert_allclose(slopes, [1 / x, 1.0], rtol=1e-8)


def test_a_sweep_tells_noise_from_constancy():
    # single precision inside: the smallest steps do not change f at all, which is no derivative
    got, error = numerical.derivative(lambda x: float(np.sin(np.float32(x))), step="sweep", error=True)(1.0)
    assert got == pytest.approx(math.cos(1), rel=1e-3)
    assert abs(got - math.cos(1)) <= 2 * error
    # but constant pieces are constant, however near their ends
    got = numerical.derivative(lambda x: np.maximum(x, 0), step="sweep")(np.array([-1e-3, -1.0, 1e-3, 1.0]))
    np.testing.assert_allclose(got, [0, 0, 1, 1], atol=1e-9)


@pytest.mark.parametrize("f", [np.cos, lambda x: x**2 + x**3, lambda x: x**3, lambda x: 0 * x])
def test_a_sweep_at_a_stationary_point(f):
    assert numerical.derivative(f, step="sweep")(0.0) == pytest.approx(0, abs=1e-9)


def test_a_sweep_survives_exceptions_outside_the_domain():
    assert numerical.derivative(math.log, step="sweep")(1e-3) == pytest.approx(1e3, rel=1e-8)

    def only_here(x):
        if x != 1.0:
            raise ValueError("nowhere else")
        return x

    with pytest.raises(ValueError, match="nowhere else"):
        numerical.derivative(only_here, step="sweep")(1.0)


def test_steps_are_taken_as_they_are_after_rounding():
    # 0.1 + 1e-10 is off by a relative 1e-7 of the step; divided by the step really taken, a linear function is exact.
    got = numerical.derivative(lambda x: 3 * x, method="forward", step=1e-10)(0.1)
    assert got == pytest.approx(3, rel=1e-6)
    got = numerical.derivative(lambda x: x, method="forward", step=1e-10)(0.1)
    assert got == 1.0


def test_steps_for_each_element_and_pairs():
    x = np.array([1.0, 2.0, 3.0])
    steps = np.array([0.5, 0.25, 0.125])
    np.testing.assert_allclose(numerical.derivative(lambda v: v**3, step=steps)(x), 3 * x**2 + steps**2, rtol=1e-13)
    np.testing.assert_allclose(
        numerical.jacobian(lambda v: v**3, step=steps)(x), np.diag(3 * x**2 + steps**2), rtol=1e-13
    )
    for pair in [(0.5, 0.25), (steps, 0.25), (0.5, steps)]:
        left, right = pair
        got = numerical.derivative(lambda v: v**3, method="three_point", step=pair)(x)
        np.testing.assert_allclose(got, 3 * x**2 + left * right, rtol=1e-13)


def test_kinks_give_the_mean_of_the_slopes_in_central_differences():
    assert numerical.derivative(abs)(0.0) == 0
    assert numerical.derivative(lambda x: np.maximum(x, 0))(0.0) == 0.5


def test_constants_have_derivative_exactly_zero():
    for method in METHODS:
        assert numerical.derivative(lambda x: 0.1, method=method)(0.3) == 0
        np.testing.assert_array_equal(numerical.gradient(lambda x: 1 / 3, method=method)([1.0, 2.0]), [0, 0])


# ---------------------------------------------------------------- shapes, dtypes, arguments


@pytest.mark.parametrize("method", METHODS)
def test_shapes(method):
    a, b, c = np.ones((2, 3)), np.ones(4), 2.0
    jacobian = lambda f, x: numerical.jacobian(f, method=method)(x)
    assert jacobian(lambda x: x.sum(), a).shape == (2, 3)
    assert jacobian(lambda x: x.sum(axis=0), a).shape == (3, 2, 3)
    assert jacobian(lambda x: np.outer(x, x), b).shape == (4, 4, 4)
    assert jacobian(lambda x: np.array([x, x**2, x]), c).shape == (3,)
    assert jacobian(lambda x: x, c).shape == ()
    assert numerical.gradient(np.sum, method=method)(a).shape == (2, 3)
    assert numerical.gradient(lambda x: x, method=method)(c).shape == ()
    assert numerical.derivative(np.sin, method=method)(a).shape == (2, 3)
    assert numerical.derivative(lambda x: [x, x * x], method=method)(c).shape == (2,)


@pytest.mark.parametrize("method", METHODS)
def test_values_of_a_jacobian(method):
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(3, 4)), rng.normal(size=4)
    f = lambda v: np.sin(w @ v)
    due = np.cos(w @ x)[:, None] * w
    np.testing.assert_allclose(numerical.jacobian(f, method=method)(x), due, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(numerical.gradient(lambda v: f(v) @ f(v), method=method)(x), 2 * f(x) @ due, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float16, 0.3), (np.float32, 3e-3), (np.float64, 1e-6)])
def test_float_types_stay(method, dtype, rtol):
    x = np.array([0.5, 1.0], dtype)
    seen = set()

    def f(v):
        seen.add(v.dtype)
        return v * v

    for verb in ("derivative", "jacobian"):
        got = getattr(numerical, verb)(f, method=method)(x)
        assert got.dtype == dtype
    np.testing.assert_allclose(np.diag(got), 2 * x, rtol=rtol)
    assert seen <= {np.dtype(dtype), np.result_type(dtype, np.complex64)}


@pytest.mark.parametrize("x", [3, True, np.array([1, 2]), [1, 2], np.array([True, False])])
def test_integers_and_bools_become_float64(x):
    got = numerical.jacobian(lambda v: v / 2)(x)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, 0.5 * np.eye(2) if np.ndim(x) else 0.5, atol=1e-9)


def test_a_float32_result_sets_the_step():
    got = numerical.derivative(lambda v: np.sin(np.float32(v)))(1.0)
    assert got.dtype == np.float32
    assert got == pytest.approx(math.cos(1), rel=1e-3)


def test_argnums_and_the_other_arguments():
    def f(x, y, *, scale=1.0):
        return scale * np.sum(x) * y**2

    x, y = np.array([1.0, 2.0]), 3.0
    np.testing.assert_allclose(numerical.gradient(f)(x, y), [9, 9], rtol=1e-9)
    np.testing.assert_allclose(numerical.gradient(f, argnums=1)(x, y, scale=2.0), 36, rtol=1e-9)
    np.testing.assert_allclose(numerical.gradient(f, argnums=-1)(x, y), 18, rtol=1e-9)
    both = numerical.gradient(f, argnums=(1, 0))(x, y)
    assert isinstance(both, tuple)
    np.testing.assert_allclose(both[0], 18, rtol=1e-9)
    np.testing.assert_allclose(both[1], [9, 9], rtol=1e-9)
    (value, error), _ = numerical.gradient(f, argnums=(0, 1), error=True)(x, y)
    assert value.shape == error.shape == (2,)
    assert numerical.gradient(f, argnums=(0,))(x, y)[0].shape == (2,)
    assert numerical.gradient(f).__name__ == "f"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_of_the_callers_changes(verb, method):
    x = np.array([1.0, 2.0])
    before = x.copy()

    def f(v):
        v *= v
        return v if verb != "gradient" else v.sum()

    got = getattr(numerical, verb)(f, method=method)(x)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_allclose(np.diag(got) if verb == "jacobian" else got, 2 * before, rtol=1e-6)


def test_a_result_buffer_may_be_used_again():
    buffer = np.empty(2)
    np.testing.assert_allclose(numerical.derivative(lambda v: np.sin(v, out=buffer))([1.0, 2.0]), np.cos([1, 2]))


@pytest.mark.parametrize("method", METHODS)
def test_empty_inputs_give_empty_results(method):
    empty = np.zeros((0, 2))
    assert numerical.gradient(np.sum, method=method)(empty).shape == (0, 2)
    assert numerical.derivative(np.sin, method=method)(empty).shape == (0, 2)
    assert numerical.jacobian(np.cos, method=method)(empty).shape == (0, 2, 0, 2)
    assert numerical.jacobian(lambda x: x[:0], method=method)(np.ones(3)).shape == (0, 3)
    value, error = numerical.gradient(np.sum, error=True)(empty)
    assert value.shape == error.shape == (0, 2)


def test_complex_results_of_real_arguments():
    assert numerical.derivative(lambda x: np.exp(1j * x))(0.5) == pytest.approx(1j * np.exp(0.5j), rel=1e-9)
    got = numerical.derivative(lambda x: np.exp(1j * x), step="sweep")(0.5)
    assert got == pytest.approx(1j * np.exp(0.5j), rel=1e-9)


def test_values_that_are_not_finite_flow():
    got = numerical.derivative(lambda x: x + np.array([math.nan, math.inf, 0.0]))(1.0)
    np.testing.assert_array_equal(np.isfinite(got), [False, False, True])


# ---------------------------------------------------------------- the complex step


@pytest.mark.parametrize(
    "f",
    [
        abs,
        np.real,
        lambda x: abs(x) * x,
        lambda x: x * np.conj(x),
        lambda x: np.sqrt(x.real**2 + x.imag**2),
        lambda x: np.maximum(np.real(x), -5.0) ** 2,
        lambda x: x + 0.5 * np.real(x) ** 2,
    ],
)
@pytest.mark.parametrize("x", [0.75, -2.0, np.array([0.75, -2.0, 3.0])])
def test_the_complex_step_refuses_what_is_not_analytic(f, x):
    with pytest.raises(ValueError, match="central"):
        numerical.derivative(f, method="complex_step")(x)
    with pytest.raises(ValueError, match="central"):
        numerical.jacobian(f, method="complex_step")(x)


def test_the_complex_step_names_the_way_out():
    with pytest.raises(TypeError, match='takes complex numbers; use method="central"'):
        numerical.derivative(np.floor, method="complex_step")(1.5)
    with pytest.warns(np.exceptions.ComplexWarning), pytest.raises(ValueError, match=r'drops .* use method="central"'):
        numerical.derivative(math.sin, method="complex_step")(1.0)
    with pytest.raises(TypeError, match="must be real"):
        numerical.derivative(lambda x: np.exp(1j * x), method="complex_step")(1.0)


@pytest.mark.parametrize(
    ("f", "slope", "x"),
    [
        (lambda x: np.sin(1e7 * x), lambda x: 1e7 * np.cos(1e7 * x), 0.3),
        (np.log, lambda x: 1 / x, 1e-6),
        (lambda x: 1e-200 * x**2, lambda x: 2e-200 * x, 3.0),
        (lambda x: 1e100 + np.exp(x), lambda x: np.exp(x), 1.0),
        (lambda x: np.where(x > 0, x**2, -x), lambda x: 2 * x, 1.0),
        (lambda x: 0 * x, lambda x: 0.0, 1.0),
    ],
)
def test_the_complex_step_accepts_what_is_analytic(f, slope, x):
    assert numerical.derivative(f, method="complex_step")(x) == pytest.approx(slope(x), rel=1e-12)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda d: d(3.0), TypeError, "pass f itself"),
        (lambda d: d(np.sum, method="centre"), ValueError, "choose one of forward"),
        (lambda d: d(np.sum, argnums=1.5), TypeError, "argnums must be an integer"),
        (lambda d: d(np.sum, argnums=(0, "x")), TypeError, "argnums must be an integer"),
        (lambda d: d(np.sum, argnums=2)(1.0), ValueError, "1 positional argument"),
        (lambda d: d(np.sum)(a=1.0), ValueError, "0 positional argument"),
        (lambda d: d(np.sum, argnums=-2)(1.0), ValueError, "1 positional argument"),
        (lambda d: d(np.sum, step=0.0)(1.0), ValueError, "positive"),
        (lambda d: d(np.sum, step=-1e-3)(1.0), ValueError, "positive"),
        (lambda d: d(np.sum, step=math.inf)(1.0), ValueError, "finite"),
        (lambda d: d(np.sum, step=math.nan)(1.0), ValueError, "finite"),
        (lambda d: d(np.sum, step=1j)(1.0), TypeError, "real"),
        (lambda d: d(np.sum, step=[1e-3, 1e-3])(1.0), ValueError, "one or as many as"),
        (lambda d: d(np.sum, step="large")(1.0), TypeError, "sweep"),
        (lambda d: d(np.sum, step=(1e-3, 1e-3))(1.0), ValueError, "one or as many as"),
        (lambda d: d(np.sum, method="three_point", step=(1e-3, 0.0))(1.0), ValueError, "positive"),
        (lambda d: d(np.sum, step=1e-20)(1.0), ValueError, "another step"),
        (lambda d: d(np.sum, step=1e308)(1.7e308), ValueError, "another step"),
        (lambda d: d(np.sum)(math.nan), ValueError, "finite"),
        (lambda d: d(np.sum)(math.inf), ValueError, "finite"),
        (lambda d: d(np.sum)(1j), TypeError, "real and imaginary parts"),
        (lambda d: d(np.sum)("1"), TypeError, "got str"),
        (lambda d: d(np.sum)([1.0, [2.0]]), TypeError, "got list"),
        (lambda d: d(lambda x: None)(1.0), TypeError, "result of f must be a number.*NoneType"),
        (lambda d: d(lambda x: {"a": x})(1.0), TypeError, "got dict"),
    ],
)
def test_refusals(verb, make, error, message):
    with np.errstate(over="ignore"), pytest.raises(error, match=message) as caught:
        make(getattr(numerical, verb))
    assert f"numerical.{verb}" in str(caught.value)


def test_a_gradient_needs_a_number_and_says_what_to_use():
    with pytest.raises(ValueError, match=r"shape \(2,\); use numerical\.jacobian"):
        numerical.gradient(np.sin)([1.0, 2.0])


@pytest.mark.parametrize(
    "f",
    [
        np.sum,
        np.cumsum,
        lambda x: x[::-1],
        lambda x: x - x.mean(),
        lambda x: np.array([x[0], x[1], x[2], x[3] * x[0]]),
        lambda x: np.array([x[0], x[1], x[2] * x[3], x[3]]),
        lambda x: np.concatenate([x, x]),
    ],
)
def test_a_derivative_of_arrays_must_be_elementwise(f):
    with pytest.raises(ValueError, match=r"use numerical\.jacobian"):
        numerical.derivative(f)(np.array([1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8, 9])
def test_a_swap_of_any_two_elements_is_not_elementwise(n):
    """The function moves in groups of elements, told apart by the bits of their numbers: every bit counts."""
    x = np.linspace(1.0, 2.0, n)
    for i, j in itertools.combinations(range(n), 2):
        order = np.arange(n)
        order[[i, j]] = j, i
        with pytest.raises(ValueError, match="other elements"):
            numerical.derivative(lambda x, order=order: x[order] ** 2)(x)


def test_a_shape_that_changes_is_an_error():
    with pytest.raises(ValueError, match=r"shape of the result of f changes"):
        numerical.derivative(lambda x: np.ones(1 if x == 1.0 else 2))(1.0)


@pytest.mark.parametrize("verb", VERBS)
def test_what_f_raises_comes_out_as_it_is(verb):
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        getattr(numerical, verb)(f)(1.0)


def test_orders_that_do_not_exist():
    with pytest.raises(ValueError, match="at least 1"):
        numerical.derivative(np.sin, order=0)
    with pytest.raises(ValueError, match='does not reach order 2; use method="central"'):
        numerical.derivative(np.sin, method="complex_step", order=2)


# ---------------------------------------------------------------- checks


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
