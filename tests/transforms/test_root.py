"""define_root in every mode against closed forms, and each of its errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.transforms.taylor import taylor
from tests.boxed import agree
from tests.transforms.blind import blind, same, scalar


def circle(x: Any, p: Any, q: Any) -> Any:
    return [x[0] ** 2 + x[1] ** 2 - p**2, x[0] - q * x[1]]


def circle_root(p: Any, q: Any) -> Any:
    """(q, 1) p / sqrt(1 + q^2)"""
    return np.stack([q * p, p]) / np.sqrt(1 + q * q)


def solve_circle(p: float, q: float) -> Any:
    from scipy.optimize import root

    return root(lambda x: circle(x, p, q), [1.0, 1.0], tol=1e-13).x


def cubic(x: Any, p: Any) -> Any:
    return x**3 + x - p


def solve_cubic(p: float) -> float:
    from scipy.optimize import brentq

    return brentq(lambda x: cubic(x, p), -10, 10, xtol=1e-14)  # type: ignore[no-any-return]


def solve_all(p: Any) -> Any:
    from scipy.optimize import newton

    return newton(cubic, np.ones_like(p), args=(p,), tol=1e-14)


def closed(p: Any) -> Any:
    """Cardano's root of x^3 + x = p."""
    d = np.sqrt(p * p / 4 + 1 / 27)
    return np.cbrt(p / 2 + d) + np.cbrt(p / 2 - d)


ROOTS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "a number": (dd.define_root(cubic, solve_cubic), closed, (2.0,)),
    "each element": (dd.define_root(cubic, solve_all), closed, (np.array([1.0, 2.0, 5.0]),)),
    "a system": (dd.define_root(circle, solve_circle), circle_root, (2.0, 0.75)),
    "linear equations": (
        dd.define_root(lambda x, a, b: a @ x - b, blind(np.linalg.solve)),
        np.linalg.solve,
        (np.array([[2.0, 1.0], [0.5, 3.0]]), np.array([[1.0, 0.0], [2.0, 1.0]])),
    ),
}


@pytest.mark.parametrize("name", ROOTS)
def test_roots(name: str) -> None:
    pytest.importorskip("scipy")
    f, reference, args = ROOTS[name]
    argnums = tuple(range(len(args)))
    same(f(*args), reference(*args), 1e-8)
    due = dd.jacobian(reference, argnums)(*args)
    for options in ({}, {"chunk_size": 1}, {"mode": "reverse"}):
        value, got = dd.value_and_jacobian(f, argnums, **options)(*args)  # type: ignore[arg-type]
        same(got, due, 1e-8)
        same(value, f(*args), 0)  # what the solver found, to the last bit
    for k in argnums:
        same(dd.jacobian(f, k)(*args), due[k], 1e-8)


@pytest.mark.parametrize("name", ROOTS)
@pytest.mark.parametrize("modes", [("forward", "forward"), ("forward", "reverse"), ("reverse", "forward")], ids=str)
def test_second_derivatives_of_roots(name: str, modes: tuple[str, str]) -> None:
    pytest.importorskip("scipy")
    f, reference, args = ROOTS[name]
    outer, inner = modes
    for k in range(len(args)):
        for j in range(len(args)):
            got = dd.jacobian(dd.gradient(scalar(f), k, mode=inner), j, mode=outer)(*args)
            same(got, dd.jacobian(dd.gradient(scalar(reference), k), j)(*args), 1e-7)


@pytest.mark.parametrize("name", ROOTS)
def test_taylor_coefficients_and_maps_of_roots(name: str) -> None:
    pytest.importorskip("scipy")
    f, reference, args = ROOTS[name]
    line = lambda f: lambda t: f(*[a + t * np.cos(a) for a in args])
    same(taylor(line(f), 0.3, 3), taylor(line(reference), 0.3, 3), 1e-7)
    if name == "linear equations":
        agree(f, list(args), [np.cos(a) for a in args])


def test_third_derivative_of_a_root() -> None:
    """x^3 + x = p: x' = 1 / (3 x^2 + 1), x'' = -6 x x'^3, x''' = -6 x'^4 + 108 x^2 x'^5; at p = 2 x = 1."""
    pytest.importorskip("scipy")
    f = ROOTS["a number"][0]
    assert dd.derivative(f, order=3)(2.0) == pytest.approx(-6 / 4**4 + 108 / 4**5, rel=1e-9)


def test_containers_guesses_and_constants() -> None:
    """x = sqrt(a b); the guess is the solver's own."""

    @dd.define_root(lambda x, p, kind: x * x - p["a"] * p["b"][0])
    def geometric_mean(p: Any, kind: str, guess: float = 1.0) -> float:
        assert isinstance(p["a"], float)
        x = guess
        for _ in range(50):
            x = (x + p["a"] * p["b"][0] / x) / 2
        return x

    p = {"a": 2.0, "b": [8.0, 5.0]}
    assert geometric_mean.__name__ == "geometric_mean"
    assert geometric_mean(p, "newton") == pytest.approx(4.0)
    for mode in ("forward", "reverse"):
        got = dd.gradient(geometric_mean, mode=mode)(p, "newton", guess=3.0)
        assert got["a"] == pytest.approx(1.0)
        np.testing.assert_allclose(got["b"], [0.25, 0.0])
    assert dd.derivative(lambda a: geometric_mean({"a": a, "b": [8.0]}, "newton"))(2.0) == pytest.approx(1.0)
    assert dd.derivative(lambda b: geometric_mean({"a": 2.0, "b": [b]}, "newton"))(8.0) == pytest.approx(0.25)
    with pytest.raises(dd.NotDifferentiableError, match="of a guess pass"):
        dd.derivative(lambda a: geometric_mean({"a": a, "b": [8.0]}, "newton", guess=a))(2.0)


def test_minimisers_and_fixed_points() -> None:
    """Of (x - p)^2 + exp(x): x' = 2 / (2 + exp(x)); of x = cos(p x): x' = -x sin(p x) / (1 + p sin(p x))."""
    optimize = pytest.importorskip("scipy.optimize")
    objective = lambda x, p: np.sum((x - p) ** 2 + np.exp(x))
    argmin = dd.define_root(
        lambda x, p: dd.gradient(objective)(x, p),
        lambda p: optimize.minimize(objective, p, args=(p,), jac=dd.gradient(objective), tol=1e-10).x,
    )
    p = np.array([1.0, 2.0])
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(dd.jacobian(argmin, mode=mode)(p), np.diag(2 / (2 + np.exp(argmin(p)))), rtol=1e-6)
    fixed = dd.define_root(lambda x, p: np.cos(p * x) - x, lambda p: optimize.fixed_point(lambda x: np.cos(p * x), 0.7))
    x = float(fixed(0.9))
    s = math.sin(0.9 * x)
    assert dd.derivative(fixed)(0.9) == pytest.approx(-x * s / (1 + 0.9 * s), rel=1e-7)


def test_equations_that_fill_buffers_and_complex_roots() -> None:
    def equation(x: Any, p: Any) -> Any:
        g = np.zeros(2)
        g[0], g[1] = x[0] - p * p, x[1] - x[0] * p
        return g

    f = dd.define_root(equation, lambda p: np.array([p * p, p**3]))
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(dd.jacobian(f, mode=mode)(2.0), [4.0, 12.0])
    np.testing.assert_allclose(dd.derivative(dd.derivative(f))(2.0), [2.0, 12.0])
    imaginary = dd.define_root(lambda z, p: z * z + p, lambda p: 1j * np.sqrt(p))
    assert dd.derivative(imaginary)(4.0) == pytest.approx(0.25j)
    narrow = dd.define_root(lambda x, p: x * x - p, np.sqrt)
    got = dd.jacobian(narrow)(np.float32([4.0, 9.0]))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.diag([1 / 4, 1 / 6]), rtol=1e-6)
    unmoved = dd.define_root(lambda x, p: x - 3.0, lambda p: 3.0)
    assert dd.derivative(unmoved)(1.0) == 0.0


def wrong_root(x: Any) -> Any:
    return dd.derivative(dd.define_root(cubic, lambda p: x))(2.0)


def scaled(x: Any, p: Any) -> Any:
    return np.array([1e-12, 1e9]) * (np.array([x[0] * 1e8, x[1] * 1e-9 + x[0] * 1e8]) - p)


def by_closure(p: Any) -> Any:
    return dd.define_root(lambda x, q: x - p * q, lambda q: dd.value(p) * q)(p)


ROOT_ERRORS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no root", lambda: wrong_root(1.01), ValueError, "no root of the equation, from which a Newton step of 0.0099"),
    ("nan", lambda: wrong_root(math.nan), ValueError, "which is no root"),
    ("none", lambda: wrong_root(None), TypeError, "the root of .* is None"),
    ("pair", lambda: wrong_root((1.0, {})), TypeError, "must return the root itself, not tuple"),
    ("size", lambda: dd.derivative(dd.define_root(lambda x, p: p, lambda p: np.ones(2)))(1.0), ValueError, "2, in one"),
    (
        "fold",
        lambda: dd.derivative(dd.define_root(lambda x, p: x * x - p, lambda p: 0.0))(0.0),
        np.linalg.LinAlgError,
        "singular",
    ),
    (
        "dependent",
        lambda: dd.derivative(
            dd.define_root(
                lambda x, p: np.array([[0.1, 0.3], [0.2, 0.6]]) @ x - p * np.array([1.0, 2.0]),
                lambda p: np.array([10 * p, 0.0]),
            )
        )(1.0),
        np.linalg.LinAlgError,
        "singular",
    ),
    ("closure", lambda: dd.derivative(by_closure)(2.0), dd.NotDifferentiableError, "from a number that is no argument"),
    (
        "outer closure",
        lambda: dd.derivative(
            lambda p: dd.derivative(dd.define_root(lambda x, q: x - p * q, lambda q: dd.value(p) * q))(1.0)
        )(2.0),
        dd.NotDifferentiableError,
        "from a number that is no argument",
    ),
    ("no function", lambda: dd.define_root(3.0), TypeError, "a function is needed"),  # type: ignore[arg-type]
    ("keyword", lambda: dd.derivative(lambda p: ROOTS["a number"][0](p=p))(1.0), TypeError, "by position"),
]


@pytest.mark.parametrize("act, kind, text", [e[1:] for e in ROOT_ERRORS], ids=[e[0] for e in ROOT_ERRORS])
def test_errors_of_roots(act: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


def test_units_do_not_make_a_system_singular_and_tol_is_the_users() -> None:
    f = dd.define_root(scaled, lambda p: np.array([p * 1e-8, 0.0]))
    units = np.array([1e-8, 1e9])  # of x[0] and x[1]
    np.testing.assert_allclose(dd.jacobian(f)(1.0) / units, [1.0, 0.0], atol=1e-15)
    a, b = np.array([[2.0, 1e20], [1.0, 1.0]]), np.array([1e20, 2.0])  # a @ [1, 1] is b; eliminated as it is, [0, 1]
    f = dd.define_root(lambda x, p: a @ x - b * p, lambda p: np.array([p, p]))
    g = dd.define_root(lambda x, p: a.T @ x - p, lambda p: np.array([p[1] * 1e-20, p[0]]))
    np.testing.assert_allclose(dd.derivative(f)(0.0), [1.0, 1.0])
    np.testing.assert_allclose(dd.gradient(lambda p: b @ g(p), mode="reverse")(np.zeros(2)), [1.0, 1.0])
    rough = dd.define_root(cubic, lambda p: 1.01, tol=0.1)
    assert dd.derivative(rough)(2.0) == pytest.approx(1 / (3 * 1.01**2 + 1))


def test_a_library_that_answers_with_its_result_object() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    f = dd.define_root(cubic, lambda p: optimize.root(cubic, 1.0, args=(p,)))
    with pytest.raises(TypeError, match=r"not OptimizeResult: \.x or \.root of it"):
        dd.derivative(f)(2.0)
