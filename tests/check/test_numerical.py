"""Derivatives by differences: accuracy, shapes, dtypes, the complex step, refusals."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualdiff import numerical

METHODS = ["forward", "backward", "central", "three_point", "complex_step"]
VERBS = ["derivative", "gradient", "jacobian"]
TOLERANCE = {"forward": 1e-7, "backward": 1e-7, "central": 1e-9, "three_point": 1e-9, "complex_step": 1e-15}


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
