"""Derivatives of functions that differentiate: perturbations are never confused, at any depth, anywhere."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff import Dual

D = dd.derivative


def hessian(f: Callable[..., Any], chunk_size: int | None = None) -> Callable[..., Any]:
    return dd.jacobian(dd.jacobian(f, chunk_size=chunk_size), chunk_size=chunk_size)


NUMBERS: list[tuple[str, Callable[[], Any], float]] = [
    ("inner constant", lambda: D(lambda x: x * D(lambda y: x + y)(1.0))(1.0), 1),
    ("inner product", lambda: D(lambda x: x * D(lambda y: x * y)(1.0))(3.0), 6),
    ("ignored argument", lambda: D(lambda x: D(lambda y: x)(2.0))(3.0), 0),
    ("ignored argument, times x", lambda: D(lambda x: x + D(lambda y: x * x)(x))(3.0), 1),
    ("the outer variable as the point", lambda: D(lambda x: D(lambda y: y**2 * x)(x))(3.0), 12),
    ("same name", lambda: D(lambda x: D(lambda x: x**3)(x))(2.0), 12),
    ("inner returns the outer variable", lambda: D(lambda x: dd.value_and_derivative(lambda y: x)(1.0)[0])(2.0), 1),
    ("inner value and derivative", lambda: D(lambda x: sum(dd.value_and_derivative(lambda y: x * y * y)(2.0)))(5.0), 8),
    ("two inner ones", lambda: D(lambda x: D(lambda y: x * y)(1.0) * D(lambda z: x**z)(1.0))(2.0), 2 + 4 * math.log(2)),
    ("three levels", lambda: D(lambda x: D(lambda y: D(lambda z: x * y**2 * z**3)(3.0))(2.0))(1.0), 108),
    ("three levels, middle ignored", lambda: D(lambda x: x * D(lambda y: y * D(lambda z: x * z)(1.0))(1.0))(3.0), 6),
    ("max of levels", lambda: D(lambda x: D(lambda y: np.maximum(x * y, y))(1.0))(3.0), 1),
    ("built-in max of levels", lambda: D(lambda x: D(lambda y: max(x * y, y))(1.0))(3.0), 1),
    ("branch on an inner derivative", lambda: D(lambda x: x**2 if D(lambda y: x * y)(1.0) > 2 else x)(3.0), 6),
    ("power of levels", lambda: D(lambda x: D(lambda y: x**y)(2.0))(3.0), 3 + 6 * math.log(3)),
    ("value strips all levels", lambda: D(lambda x: D(lambda y: dd.value(x * y) * y * x)(1.0))(3.0), 3),
    ("a partial function", lambda: D(lambda x: D(lambda a, b: a * a * b, 1)(x, x))(3.0), 6),
    ("jvp in derivative", lambda: D(lambda x: dd.jvp(lambda y: x * y**2, (x,), (1.0,))[1])(3.0), 12),
    ("the direction depends on x", lambda: D(lambda x: dd.jvp(lambda y: y**3, (2.0,), (x * x,))[1])(3.0), 72),
    ("gradient in derivative", lambda: D(lambda x: dd.gradient(lambda v: np.sum(v**2) * x)(np.ones(2))[0])(3.0), 2),
    (
        "derivative in gradient",
        lambda: dd.gradient(lambda v: D(lambda t: np.sum(v**2) * t**2)(1.0))(np.array([1.0, 2.0]))[1],
        8,
    ),
    (
        "array inside number",
        lambda: D(lambda x: np.sum(dd.jacobian(lambda v: v * v * x)(np.array([1.0, 2.0]))))(3.0),
        6,
    ),
    ("elementwise inside", lambda: D(lambda x: np.sum(D(np.sin)(np.array([0.0, 1.0]) * x)))(2.0), -math.sin(2)),
    ("a constant function", lambda: D(D(lambda x: 3.0))(1.0), 0),
    ("a linear function", lambda: D(D(lambda x: 3.0 * x))(1.0), 0),
    ("order 6 of sin", lambda: D(np.sin, order=6)(1.0), -math.sin(1)),
    ("order 5 of exp", lambda: D(np.exp, order=5)(1.0), math.e),
    ("order 4 of 1/x", lambda: D(lambda x: 1 / x, order=4)(2.0), 24 / 32),
    ("order 3 of x**x", lambda: D(lambda x: x**x, order=3)(1.0), 3),
    ("order 2 of |x|", lambda: D(abs, order=2)(0.0), 0),
    ("order 2 of sqrt at 0", lambda: D(np.sqrt, order=2)(0.0), -math.inf),
]


@pytest.mark.parametrize("name, compute, due", NUMBERS, ids=[n[0] for n in NUMBERS])
def test_numbers(name: str, compute: Any, due: float) -> None:
    assert compute() == pytest.approx(due, rel=1e-12, abs=1e-14)


# ---------------------------------------------------------------- second derivatives of arrays


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def stored(x: Any) -> Any:
    y = np.zeros_like(x)
    for k in range(len(x)):
        y[k] = x[k] ** 2 * x[0] + y[k - 1] * x[-1]
    return y @ y


A = np.array([[2.0, 1.0, 0.5], [1.0, 3.0, 0.0], [0.5, 0.0, 4.0]])
HESSIANS: list[tuple[str, Callable[[Any], Any], Any, Any]] = [
    ("quadratic", lambda x: x @ A @ x / 2, [1.0, 2.0, 3.0], A),
    ("einsum", lambda x: np.einsum("i,ij,j", x, A, x) / 2, [1.0, 2.0, 3.0], A),
    ("product at a zero", np.prod, [0.0, 2.0, 3.0], [[0, 3, 2], [3, 0, 0], [2, 0, 0]]),
    ("product at two zeros", np.prod, [0.0, 0.0, 3.0], [[0, 3, 0], [3, 0, 0], [0, 0, 0]]),
    ("power", lambda x: x[0] ** x[1], [1.0, 2.0], [[2, 1], [1, 0]]),
    ("power at zero", lambda x: x[0] ** 2 * x[1], [0.0, 2.0], [[4, 0], [0, 0]]),
    ("cube at zero", lambda x: np.sum(x**3), [0.0, -2.0], [[0, 0], [0, -12]]),
    ("sum of sines", lambda x: np.sum(np.sin(x)), [0.0, np.pi / 2], [[0, 0], [0, -1]]),
    ("maximum", lambda x: np.maximum(x[0] ** 2, x[1]), [2.0, 1.0], [[2, 0], [0, 0]]),
    ("max", lambda x: np.max(x**2), [2.0, 1.0], [[2, 0], [0, 0]]),
    ("where", lambda x: np.sum(np.where(x > 1, x**3, x)), [2.0, 1.0], [[12, 0], [0, 0]]),
    ("clip", lambda x: np.sum(np.clip(x, 0, 3) ** 2), [2.0, 5.0], [[2, 0], [0, 0]]),
    ("hypot", lambda x: np.hypot(x[0], x[1]), [3.0, 4.0], np.array([[16, -12], [-12, 9]]) / 125),
    ("std", lambda x: np.std(x) ** 2, [1.0, 3.0], [[0.5, -0.5], [-0.5, 0.5]]),
    ("logaddexp", lambda x: np.logaddexp(x[0], x[1]), [1.0, 1.0], [[0.25, -0.25], [-0.25, 0.25]]),
    ("constant", lambda x: 5.0, [1.0, 2.0], np.zeros((2, 2))),
    ("linear", lambda x: x[0] + 2 * x[1], [1.0, 2.0], np.zeros((2, 2))),
    ("a list", lambda x: np.sum(np.array([x[0] * x[1], x[1] ** 2])), [1.0, 2.0], [[0, 1], [1, 2]]),
    ("builtins", lambda x: sum(v * v for v in x) + max(x) * min(x), [1.0, 2.0], [[2, 1], [1, 2]]),
    ("views", lambda x: np.sum(x.reshape(2, 2).T @ x[:2] * x[::2]), [1.0, 2.0, 3.0, 4.0], None),
    ("rosenbrock", rosenbrock, [0.5, -0.5, 1.5], None),
    ("stored", stored, [0.5, -0.5, 1.5], None),
]


@pytest.mark.parametrize("chunk_size", [None, 1, 2])
@pytest.mark.parametrize("name, f, x, due", HESSIANS, ids=[h[0] for h in HESSIANS])
def test_hessian(name: str, f: Any, x: Any, due: Any, chunk_size: int | None) -> None:
    """Symmetric, the same for every chunk size, and what the hand, or a central difference of the gradient, says."""
    x = np.array(x)
    h = hessian(f, chunk_size)(x)
    assert type(h) is np.ndarray
    np.testing.assert_allclose(h, h.T, rtol=1e-12, atol=1e-12)
    if due is None:
        steps = 1e-6 * np.eye(len(x))
        due = np.array([(dd.gradient(f)(x + s) - dd.gradient(f)(x - s)) / 2e-6 for s in steps])
        np.testing.assert_allclose(h, due, rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_allclose(h, due, rtol=1e-12, atol=1e-14)


def test_mixed_chunk_sizes() -> None:
    x = np.array([0.5, -0.5, 1.5])
    due = hessian(rosenbrock)(x)
    for outer in (None, 1, 2):
        for inner in (None, 1, 2):
            got = dd.jacobian(dd.jacobian(rosenbrock, chunk_size=inner), chunk_size=outer)(x)
            np.testing.assert_allclose(got, due, rtol=1e-13)
    np.testing.assert_allclose(dd.jacobian(dd.gradient(rosenbrock))(x), due, rtol=1e-13)
    v = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(dd.jvp(dd.gradient(rosenbrock), (x,), (v,))[1], due @ v, rtol=1e-12)
    np.testing.assert_allclose(dd.gradient(lambda x: dd.jvp(rosenbrock, (x,), (v,))[1])(x), due @ v, rtol=1e-12)


def test_third_derivatives_of_an_array() -> None:
    t = dd.jacobian(hessian(lambda x: np.prod(x) + x[0] ** 3))(np.array([2.0, 3.0, 4.0]))
    due = np.zeros((3, 3, 3))
    for i, j, k in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]:
        due[i, j, k] = 1
    due[0, 0, 0] = 6
    np.testing.assert_allclose(t, due, atol=1e-14)


def test_containers_in_nested_derivatives() -> None:
    def f(p: Any) -> Any:
        return p["a"] ** 2 * np.sum(p["b"])

    h = dd.jacobian(dd.gradient(f))({"a": 3.0, "b": np.ones(2)})
    assert h["a"]["a"] == 4.0
    np.testing.assert_array_equal(h["a"]["b"], [6, 6])
    np.testing.assert_array_equal(h["b"]["a"], [6, 6])
    np.testing.assert_array_equal(h["b"]["b"], np.zeros((2, 2)))


# ---------------------------------------------------------------- numbers of several levels in one array


def test_an_outer_number_stored_in_an_inner_array() -> None:
    def f(x: Any) -> Any:
        def g(y: Any) -> Any:
            z = np.zeros_like(y)
            z[0] = x * y[1]
            z[1] = x**2
            z[2] = y[0]
            return z

        return dd.jacobian(g)(np.array([1.0, 2.0, 3.0]))

    np.testing.assert_array_equal(D(f)(5.0), [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(D(lambda x: np.sum(f(x) * x))(5.0), 11)


def test_an_inner_number_stored_in_an_outer_array() -> None:
    def f(x: Any) -> Any:
        def g(y: Any) -> Any:
            z = np.zeros(2, like=x)
            z[0] = x[1] * y
            z[1] = x[0]
            return z * y

        return D(g)(3.0)  # [2 x1 y, x0]

    np.testing.assert_array_equal(dd.jacobian(f)(np.array([1.0, 2.0])), [[0, 6], [1, 0]])


@pytest.mark.parametrize("make", [np.array, np.stack, lambda v: np.concatenate([np.atleast_1d(u) for u in v]), list])
def test_an_array_of_numbers_of_all_levels(make: Any) -> None:
    def f(x: Any) -> Any:
        return dd.jacobian(lambda y: make([x, y, x * y, np.float64(1.0)]))(2.0)

    np.testing.assert_array_equal(f(3.0), [0, 1, 3, 0])
    np.testing.assert_array_equal(dd.jacobian(f)(3.0), [0, 0, 1, 0])


def test_user_made_numbers_inside_a_derivative() -> None:
    assert D(lambda x: (Dual(x, 1.0) ** 3).tangent)(2.0) == 12.0
    assert D(lambda x: (Dual(2.0, x) ** 3).tangent)(5.0) == 12.0
    assert (Dual(Dual(2.0, 1.0), 1.0) ** 3).tangent.tangent == 12.0
    assert D(lambda y: y * Dual(3.0, 1.0))(1.0).value == 3.0
    v = D(lambda x: (Dual(np.array([1.0, 2.0]) * x, np.ones(2)) ** 2).tangent)(3.0)
    np.testing.assert_array_equal(v, [2, 4])


# ---------------------------------------------------------------- algorithms that differentiate inside


def newton(f: Callable[[Any], Any], y: Any) -> Any:
    for _ in range(8):
        value, slope = dd.value_and_derivative(f)(y)
        y = y - value / slope
    return y


def test_through_newtons_method() -> None:
    """The root of y**3 = x, whose derivative is x**(-2/3) / 3."""
    root = lambda x: newton(lambda y: y**3 - x, 1.5)
    assert root(2.0) == pytest.approx(2 ** (1 / 3), rel=1e-15)
    assert D(root)(2.0) == pytest.approx(2 ** (-2 / 3) / 3, rel=1e-12)
    assert D(D(root))(2.0) == pytest.approx(-2 / 9 * 2 ** (-5 / 3), rel=1e-12)


def test_through_gradient_descent() -> None:
    """After k steps on |y - x|**2 / 2 from 0, y = (1 - (1 - rate)**k) x: derivatives by x and by the rate."""

    def descend(x: Any, rate: Any) -> Any:
        y = np.zeros_like(x)
        for _ in range(5):
            y = y - rate * dd.gradient(lambda y: np.sum((y - x) ** 2) / 2)(y)
        return y

    x = np.array([1.0, 2.0])
    by_x, by_rate = dd.jacobian(descend, (0, 1))(x, 0.25)
    np.testing.assert_allclose(by_x, (1 - 0.75**5) * np.eye(2), rtol=1e-13)
    np.testing.assert_allclose(by_rate, 5 * 0.75**4 * x, rtol=1e-13)


def test_recursion() -> None:
    """f_k = x f_(k-1)' with f_0 = x**4: f_4 = x**4 4**4."""

    def f(k: int) -> Callable[[Any], Any]:
        return (lambda x: x**4) if k == 0 else lambda x: x * D(f(k - 1))(x)

    assert f(4)(1.5) == pytest.approx(4**4 * 1.5**4, rel=1e-14)
    assert D(f(3))(1.5) == pytest.approx(4**4 * 1.5**3, rel=1e-14)


def test_curvature_of_a_field() -> None:
    """The Laplacian as the trace of a Hessian, differentiated again."""
    laplacian = lambda x: np.trace(hessian(lambda v: np.sum(v**4))(x))
    x = np.array([1.0, 2.0])
    assert laplacian(x) == 12 * np.sum(x**2)
    np.testing.assert_allclose(dd.gradient(laplacian)(x), 24 * x)


# ---------------------------------------------------------------- leaks, exceptions, threads


def test_a_number_that_outlives_its_call_is_refused() -> None:
    kept: list[Any] = []
    D(lambda x: kept.append(x) or x)(1.0)
    for f in (lambda y: y * kept[0], lambda y: kept[0], lambda y: [y, kept[0]]):
        for transform in (D, dd.jacobian):
            with pytest.raises(dd.LeakedDualError, match=r"leaked.*dd\.value"):
                transform(f)(2.0)
    assert D(lambda y: y * dd.value(kept[0]))(2.0) == 1.0


def test_an_exception_in_an_inner_derivative_can_be_caught() -> None:
    def f(x: Any) -> Any:
        try:
            return D(lambda y: {}["missing"] * y * x)(1.0)
        except KeyError:
            return x * D(lambda y: y * x)(1.0)

    assert D(lambda x: f(x) + x)(3.0) == 7.0
    assert D(D(lambda x: x**3))(2.0) == 12.0


def test_threads() -> None:
    """Nested derivatives of different depths in threads that run at the same time."""
    barrier, wrong = threading.Barrier(8), []

    def work(k: int) -> None:
        barrier.wait()
        for _ in range(20):
            x = np.linspace(1, 2, 3)
            if k % 2:
                got, due = D(lambda x: x * D(lambda y: x * y**2)(3.0), order=2)(2.0), 12.0
            else:
                got, due = hessian(lambda v: np.sum(v**3))(x), np.diag(6 * x)
            if not np.allclose(got, due):
                wrong.append((k, got))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_thread_inside_f() -> None:
    """A derivative in a thread that f starts does not disturb the derivative that f is in."""

    def f(x: Any) -> Any:
        found: list[Any] = []
        t = threading.Thread(target=lambda: found.append(D(lambda y: x * y**2)(2.0)))
        t.start()
        t.join()
        return x * found[0]

    assert D(f)(3.0) == 24.0


def test_a_number_made_by_hand_of_a_number_with_a_tangent_is_a_perturbation_further_in() -> None:
    assert dd.derivative(lambda x: (dd.Dual(x, 1.0) ** 2).tangent)(3.0) == 2  # of 2 x
    assert dd.derivative(lambda x: (x * dd.Dual(x, 1.0)).tangent)(3.0) == 1  # of x, which is a constant to it


@pytest.mark.parametrize("norm", [np.linalg.norm, lambda x: np.hypot(x[0], x[1])], ids=["norm", "hypot"])
def test_hessian_of_a_squared_norm_at_its_corner(norm: Any) -> None:
    """2 I is right, NaN says that it isn't known; any other number would look healthy. x @ x has it."""
    for mode in ("forward", "reverse"):
        h = dd.jacobian(dd.gradient(lambda x: norm(x) ** 2, mode=mode))(np.zeros(2))
        assert np.isnan(h.diagonal()).all()
        assert np.all(np.isnan(h) | (h == 2 * np.eye(2)))
    np.testing.assert_array_equal(dd.hessian(lambda x: x @ x)(np.zeros(2)), 2 * np.eye(2))


def test_second_derivatives_far_out() -> None:
    """0 where the function is flat; NaN where an exponential of the user overflows, never another number."""
    with np.errstate(over="ignore"):
        for form in (float, np.array):
            assert dd.derivative(dd.derivative(np.tanh))(form(800.0)) == 0
            assert np.isnan(dd.derivative(lambda x: 1 / (1 + np.exp(-x)))(form(-800.0)))
