"""Taylor coefficients: against sympy's series and mpmath to order 30, against nested derivatives, and by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

import dualdiff as dd
from dualdiff import taylor

ORDER = 30


def expand(f: Callable[[Any], Any], x: float, order: int, radius: float) -> Any:
    """Taylor coefficients by the trapezoidal rule for Cauchy's integral, which converges geometrically."""
    n = order + 40
    roots = [mpmath.expjpi(mpmath.mpf(2 * j) / n) for j in range(n)]
    values = [f(x + radius * w) for w in roots]
    sums = [sum(v * roots[-j * k % n] for j, v in enumerate(values)) for k in range(order + 1)]
    return np.array([float(mpmath.re(s / n / mpmath.mpf(radius) ** k)) for k, s in enumerate(sums)])


def close(found: Any, due: Any, rtol: float) -> None:
    """Relative to the coefficient and its neighbours, since one may vanish by cancellation."""
    size = np.abs(due)
    around = np.max([np.roll(np.pad(size, 2), s)[2:-2] for s in range(-2, 3)], axis=0)
    np.testing.assert_array_less(np.abs(found - due), rtol * around + 1e-300)


# ---------------------------------------------------------------- to order 30

# The function in NumPy, and in mpmath (None: the same name), points, and the distance within which it is analytic.
# fmt: off
FUNCTIONS: list[tuple[str, Any, Any, list[float], float]] = [
    ("exp",       np.exp,       None,          [0.0, 0.5, -20.0],      1.0),
    ("expm1",     np.expm1,     None,          [0.0, -5.0],            1.0),
    ("sin",       np.sin,       None,          [0.0, 0.5, 5.0],       1.0),
    ("cos",       np.cos,       None,          [0.3],                  1.0),
    ("tan",       np.tan,       None,          [0.0, 0.5, 1.4],        0.1),
    ("log",       np.log,       None,          [0.1, 2.0, 5.0],       0.05),
    ("log1p",     np.log1p,     None,          [0.0, 20.0],            0.5),
    ("sqrt",      np.sqrt,      None,          [0.1, 2.0, 5.0],       0.05),
    ("cbrt",      np.cbrt,      None,          [0.1, 2.0],             0.05),
    ("tanh",      np.tanh,      None,          [0.0, 0.5, 5.0, 20.0],  0.8),
    ("sinh",      np.sinh,      None,          [0.0, 2.0],             0.8),
    ("arctan",    np.arctan,    mpmath.atan,   [0.0, 0.5, 2.0, 5.0],  0.5),
    ("arcsin",    np.arcsin,    mpmath.asin,   [0.0, 0.5, 0.9],        0.05),
    ("arcsinh",   np.arcsinh,   mpmath.asinh,  [0.0, 0.5, 5.0],       0.5),
    ("arccosh",   np.arccosh,   mpmath.acosh,  [1.5, 5.0],            0.25),
    ("arctanh",   np.arctanh,   mpmath.atanh,  [0.0, 0.9],             0.05),
    ("1/x",       lambda x: 1 / x,    lambda x: 1 / x,                [0.1, -2.0],  0.05),
    ("x**2.5",    lambda x: x**2.5,   lambda x: x**mpmath.mpf(2.5),   [0.1, 5.0],  0.05),
    ("x**-3",     lambda x: x**-3,    lambda x: x**-3,                [0.1, 5.0],  0.05),
    ("2**x",      lambda x: 2.0**x,   lambda x: mpmath.mpf(2) ** x,   [0.5],        1.0),
    ("x**x",      lambda x: x**x,     lambda x: x**x,                 [0.5, 2.0],   0.25),
    ("hypot",     lambda x: np.hypot(x, 1.0),     lambda x: mpmath.sqrt(1 + x * x),        [0.5, 20.0],  0.5),
    ("logaddexp", lambda x: np.logaddexp(x, 0.0), lambda x: mpmath.log(1 + mpmath.exp(x)), [0.5, 20.0],  0.7),
    ("sin(exp)",  lambda x: np.sin(np.exp(x)),    lambda x: mpmath.sin(mpmath.exp(x)),     [0.0, 2.0],   0.5),
    ("tanh(sin)", lambda x: np.tanh(np.sin(x)),   lambda x: mpmath.tanh(mpmath.sin(x)),    [0.5, 2.0],   0.5),
    ("mixed", lambda x: np.exp(-x * x) * np.sin(3 * x) / (1 + x * x),
              lambda x: mpmath.exp(-x * x) * mpmath.sin(3 * x) / (1 + x * x), [0.0, 0.5, 2.0], 0.5),
    ("roots", lambda x: np.log(1 + np.sqrt(x)) ** 3 / np.cbrt(x),
              lambda x: mpmath.log(1 + mpmath.sqrt(x)) ** 3 / mpmath.cbrt(x), [0.5, 2.0], 0.25),
]
# fmt: on


@pytest.mark.parametrize("name, f, exact, points, radius", FUNCTIONS, ids=[row[0] for row in FUNCTIONS])
def test_order_30(name: str, f: Any, exact: Any, points: list[float], radius: float) -> None:
    with mpmath.workdps(85):
        for x in points:
            due = expand(exact or getattr(mpmath, name), mpmath.mpf(x), ORDER, radius)
            # np.cbrt may be off by 2.7 units in the last place, which shifts the point of its series.
            close(taylor(f, x, ORDER), due, 5e-13 if name in ("x**x", "roots") else 1e-13)


SPECIAL: list[tuple[str, Any, list[float], int]] = [
    ("erf", mpmath.erf, [0.0, 0.5, 4.0], ORDER),
    ("erfc", mpmath.erfc, [5.0], ORDER),
    ("expit", lambda x: 1 / (1 + mpmath.exp(-x)), [0.5, -20.0], ORDER),
    ("gamma", mpmath.gamma, [1.5, -1.5], 12),
    ("gammaln", mpmath.loggamma, [3.5], 12),
    ("j0", lambda x: mpmath.besselj(0, x), [1.5], 12),
    ("erfcx", lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [10.0], 4),
    ("sinc", lambda x: mpmath.sin(mpmath.pi * x) / (mpmath.pi * x), [1e-3, 0.6], 10),
]


@pytest.mark.parametrize("name, exact, points, order", SPECIAL, ids=[row[0] for row in SPECIAL])
def test_special_functions(name: str, exact: Any, points: list[float], order: int) -> None:
    f = np.sinc if name == "sinc" else getattr(pytest.importorskip("scipy.special"), name)
    with mpmath.workdps(85):
        for x in points:
            close(taylor(f, x, order), expand(exact, mpmath.mpf(x), order, 0.2), 1e-11 if name == "sinc" else 1e-13)


SERIES = """
exp(sin(x))  log(1 + x + x**2)  sqrt(1 + x)/(1 - x)  tanh(x)/(1 + x)  atan(x)*exp(-x)  (1 + x)**(x + 2)  cos(x)**3
sin(x)*cos(2*x)/(2 + x)
"""


@pytest.mark.parametrize("source", SERIES.replace("\n", "  ").strip().split("  "))
def test_series_of_sympy(source: str) -> None:
    t = sympy.Symbol("t")
    expression = sympy.sympify(source, locals={"x": t})
    due = [float(c) for c in sympy.Poly(expression.series(t, 0, 7).removeO(), t).all_coeffs()[::-1]]
    f = sympy.lambdify(t, expression, "numpy")
    close(taylor(f, 0.0, len(due) - 1), np.array(due), 1e-14)


def test_polynomials_are_exact() -> None:
    coefficients = [7, -3, 0, 5, 11, -2]

    def f(x: Any) -> Any:
        return sum(c * x**k for k, c in enumerate(coefficients))

    due = [sum(c * math.comb(j, k) * 3 ** (j - k) for j, c in enumerate(coefficients) if j >= k) for k in range(9)]
    assert taylor(f, 3.0, 8).tolist() == due
    assert taylor(lambda x: np.polyval(coefficients[::-1], x), 3.0, 8).tolist() == due
    assert taylor(f, 0.0, 6).tolist() == [*coefficients, 0]
    assert taylor(lambda x: (2 * x + 1) ** 17, 0.5, 20).tolist() == [math.comb(17, k) * 2**17 for k in range(21)]
    assert taylor(lambda x: (x * x + x) ** 5, 0.0, 11).tolist() == [0] * 5 + [1, 5, 10, 10, 5, 1, 0]
    quotient = taylor(lambda x: (x**5 - 1) / (x - 1), 2.0, 6)
    assert quotient.tolist() == [31, 49, 31, 9, 1, 0, 0]


def test_float32_stays() -> None:
    c = taylor(lambda x: np.sin(x) * x, np.array([1.0, 2.0], np.float32), 3)
    assert c.dtype == np.float32 and c.shape == (4, 2)


# ---------------------------------------------------------------- at singular points

inf, nan = np.inf, np.nan


@pytest.mark.parametrize(
    "f, x, due",
    [
        (lambda x: x**2, 0.0, [0, 0, 1, 0]),
        (lambda x: x**2.0, 0.0, [0, 0, 1, 0]),
        (lambda x: x ** np.array([0.0, 1.0, 3.0]), np.zeros(3), [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]),
        (lambda x: x**2.5, 0.0, [0, 0, 0, inf]),
        (np.sqrt, 0.0, [0, inf, -inf, inf]),
        (lambda x: x**0.5, 0.0, [0, inf, -inf, inf]),
        (lambda x: 1 / x, np.zeros(1), [[inf], [-inf], [inf], [-inf]]),
        (np.log, np.zeros(1), [[-inf], [inf], [-inf], [inf]]),
        (lambda x: np.sqrt(x) ** 2, 0.0, [0, nan, nan, nan]),
        (abs, 0.0, [0, 0, 0, 0]),
        (lambda x: np.maximum(x, x * x), 1.0, [1, 1.5, 0.5, 0]),
        (dd.relu, 0.0, [0, 0, 0, 0]),
        (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0.0, [0, 0, 0, 0]),
        (lambda x: np.where(x == 0, 1.0, np.sin(x) / x), 0.0, [1, 0, 0, 0]),
        (lambda x: np.clip(x, 0.0, 1.0) ** 3, 2.0, [1, 0, 0, 0]),
        (np.floor, 0.5, [0, 0, 0, 0]),
        (np.sinc, 0.0, [1, 0, -(math.pi**2) / 6, 0]),
        (lambda x: 0.0**x, 2.0, [0, 0, 0, 0]),
    ],
)
def test_singular_points(f: Any, x: Any, due: Any) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):  # of f itself
        np.testing.assert_allclose(taylor(f, x, 3), due, rtol=1e-15)


def test_what_does_not_move_contributes_nothing() -> None:
    found = taylor(np.sqrt, np.array([0.0, 4.0]), 2, direction=np.array([0.0, 1.0]))
    np.testing.assert_array_equal(found, [[0, 2], [0, 0.25], [0, -1 / 64]])
    found = taylor(lambda x: np.sqrt(x[0]) * x[1], np.array([0.0, 4.0]), 2, direction=np.array([1.0, 0.0]))
    np.testing.assert_array_equal(found, [0, inf, -inf])


# ---------------------------------------------------------------- derivatives of higher order


@pytest.mark.parametrize("order", [2, 3, 4])
def test_derivative_of_higher_order(order: int) -> None:
    x = np.array([0.3, 1.2])
    due = [np.sin(x + order * math.pi / 2), np.exp(x) * (x + order)]
    np.testing.assert_allclose(dd.derivative(np.sin, order=order)(x), due[0], rtol=1e-14)
    np.testing.assert_allclose(dd.derivative(lambda x: x * np.exp(x), order=order)(x), due[1], rtol=1e-14)
    assert dd.derivative(lambda a, x: a * x**4, 1, order)(2.0, 3.0) == 2 * math.perm(4, order) * 3 ** (4 - order)
    assert type(dd.derivative(np.sin, order=order)(0.3)) is float
    z = dd.derivative(lambda z: z**4, order=order)(1 + 1j)
    np.testing.assert_allclose(z, math.perm(4, order) * (1 + 1j) ** (4 - order))
    with pytest.raises(ValueError, match="not elementwise"):
        dd.derivative(np.cumsum, order=order)(x)
    with pytest.raises(ValueError, match="not elementwise"):
        dd.derivative(np.sum, order=order)(x)
    with dd.kinks("lexicographic"):
        assert dd.derivative(lambda x: dd.relu(x) - dd.relu(-x) + x**4, order=order)(0.0) == 24 * (order == 4)


def test_derivative_of_high_order() -> None:
    exact = Fraction(math.factorial(30), 2**31)
    assert dd.derivative(lambda x: 1 / x, order=30)(2.0) == pytest.approx(float(exact), rel=1e-14)
    assert dd.derivative(np.exp, order=300)(1.0) == pytest.approx(math.e, rel=1e-13)  # 300! is beyond all floats
    assert dd.derivative(lambda x: x**10, order=10)(np.float16(0.5)) == pytest.approx(float("inf"))
    found = dd.derivative(lambda x: np.sin(2 * x), order=20)(np.array([0.1, 0.7]))
    np.testing.assert_allclose(found, 2**20 * np.sin([0.2, 1.4]), rtol=1e-13)


# ---------------------------------------------------------------- directions, containers, nesting


def test_directions_against_sympy() -> None:
    t = sympy.Symbol("t")
    x, v = [0.5, -1.0, 2.0], [1.0, 2.0, -0.5]
    a, b, c = (sympy.Rational(p) + sympy.Rational(q) * t for p, q in zip(x, v))
    expression = sympy.exp(a * b) / c + sympy.sin(c) ** 2 * a
    due = [float(expression.diff(t, k).subs(t, 0) / sympy.factorial(k)) for k in range(5)]
    found = taylor(lambda x: np.exp(x[0] * x[1]) / x[2] + np.sin(x[2]) ** 2 * x[0], x, 4, direction=v)
    close(found, np.array(due), 1e-14)


def test_inverse_matrix() -> None:
    """(A + t B)^-1 is the Neumann series of A^-1 (-B A^-1)^k."""
    a, b = np.array([[4.0, 1, 0], [1, 3, 1], [0, 1, 2]]), np.arange(9.0).reshape(3, 3) / 9
    inverse = np.linalg.inv(a)
    due = [inverse @ np.linalg.matrix_power(-b @ inverse, k) for k in range(11)]
    np.testing.assert_allclose(taylor(np.linalg.inv, a, 10, direction=b), due, rtol=1e-9, atol=1e-14)
    solved = taylor(lambda a: np.linalg.solve(a, np.ones(3)), a, 10, direction=b)
    np.testing.assert_allclose(solved, np.sum(due, axis=-1), rtol=1e-9, atol=1e-14)
    determinant = taylor(np.linalg.det, a, 5, direction=b)  # a polynomial of degree 3
    t = sympy.Symbol("t")
    exact = sympy.Poly((sympy.Matrix(a.astype(int)) + t * sympy.Matrix(3, 3, range(9)) / 9).det(), t)
    np.testing.assert_allclose(determinant, [0, 0, *map(float, [0, *exact.all_coeffs()])][:-7:-1], atol=1e-13)


def test_containers_and_buffers() -> None:
    def f(d: dict[str, Any]) -> Any:
        y = np.zeros(3)
        y[0] = d["a"]
        y[1:] = d["b"] ** 2
        y[1] *= d["a"]
        return {"y": y, "pair": (d["a"], y), "list": [d["a"], 2.0]}

    found = taylor(f, {"a": 2.0, "b": np.array([1.0, 3.0])}, 3, direction={"a": 1.0, "b": [1.0, 0.0]})
    np.testing.assert_array_equal(found["y"], [[2, 2, 9], [1, 5, 0], [0, 4, 0], [0, 1, 0]])
    np.testing.assert_array_equal(found["pair"][0], [2, 1, 0, 0])
    np.testing.assert_array_equal(found["pair"][1], found["y"])
    np.testing.assert_array_equal(found["list"], [[2, 2], [1, 0], [0, 0], [0, 0]])


def test_later_changes_do_not_matter() -> None:
    weights, at = np.array([1.0, 2.0]), np.array([0, 1])

    def f(x: Any) -> Any:
        y = np.sin(x)
        z = y * weights + y[at]
        w = y * y
        y[:] = 0.0
        weights[:] = 5.0
        at[:] = 0
        return z + w

    x = np.array([0.3, 0.7])
    found = taylor(f, x, 3, direction=np.ones(2))
    np.testing.assert_allclose(found, taylor(lambda x: np.sin(x) * [2.0, 3.0] + np.sin(x) ** 2, x, 3), rtol=1e-14)


def test_nesting() -> None:
    x, y = sympy.symbols("x y")
    inner = sympy.sin(x * y) * sympy.exp(y)
    due = float((x**2 * inner.diff(y, 3).subs(y, x)).diff(x, 2).subs(x, 0.5))

    def f(x: Any, by: Any) -> Any:
        return x**2 * by(lambda y: np.sin(x * y) * np.exp(y), x)

    def jets(g: Any, x: Any) -> Any:
        return 6 * taylor(g, x, 3)[3]

    def nests(g: Any, x: Any) -> Any:
        return dd.derivative(dd.derivative(dd.derivative(g)))(x)

    for g in (lambda x: f(x, jets), lambda x: f(x, nests)):
        assert 2 * taylor(g, 0.5, 2)[2] == pytest.approx(due, rel=1e-13)
        assert dd.derivative(dd.derivative(g))(0.5) == pytest.approx(due, rel=1e-13)
    assert taylor(lambda x: x * taylor(lambda y: x + y, 1.0, 1)[1], 1.0, 2).tolist() == [1, 1, 0]
    assert taylor(lambda x: taylor(lambda y: x, 2.0, 1)[1], 3.0, 1).tolist() == [0, 0]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_gradients_inside_and_outside(mode: str) -> None:
    """The second coefficient along v is v H v / 2, of f = x0**3 x1**2 by hand."""
    x, v = np.array([2.0, 3.0]), np.array([1.0, -1.0])

    def f(x: Any) -> Any:
        return x[0] ** 3 * x[1] ** 2

    outside = dd.gradient(lambda x: taylor(f, x, 2, direction=v)[2], mode=mode)(x)
    np.testing.assert_allclose(outside, [3 * 9 - 12 * 2 * 3 + 3 * 4, 6 * 2 * 3 - 6 * 4], rtol=1e-14)
    inside = taylor(lambda x: dd.gradient(f, mode=mode)(x), x, 1, direction=v)
    np.testing.assert_allclose(inside, [[108, 48], [108 - 72, 72 - 16]], rtol=1e-14)


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("order", [-1, 1.5, True, "3", None, np.float64(2)])
def test_wrong_order(order: Any) -> None:
    with pytest.raises(ValueError, match="order must be an int >= 0"):
        taylor(np.sin, 0.3, order)


def test_errors() -> None:
    x = np.array([1.0, 2.0])
    with pytest.raises(TypeError, match="must be a function"):
        taylor(3, x, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not elementwise; give taylor a direction="):
        taylor(lambda x: x[0] * x, x, 2)
    with pytest.raises(ValueError, match="direction has shape"):
        taylor(np.sin, x, 2, direction=[1.0])
    with pytest.raises(ValueError, match="another structure"):
        taylor(lambda d: d["a"], {"a": 1.0}, 2, direction=[1.0])
    with pytest.raises(TypeError, match="the direction is complex"):
        taylor(np.sin, x, 2, direction=1j * x)
    with pytest.raises(TypeError, match="not holomorphic"):
        taylor(lambda z: z * np.conj(z), 1 + 1j, 2)
    with pytest.raises(TypeError, match="None"):
        taylor(lambda x: None, 1.0, 2)
    with pytest.raises(dd.NotDifferentiableError, match="accurate to order"):
        taylor(np.sinc, 0.1, 20)
    with pytest.raises(dd.KinkError), dd.kinks("lexicographic"):
        taylor(abs, 0.0, 2)
    with pytest.raises(KeyError):
        taylor(lambda x: {}["a"], 1.0, 2)
    assert taylor(np.sin, 0.0, np.int64(1)).tolist() == [0, 1]


def test_orders_too_high() -> None:
    """Of functions whose derivatives are ever new functions."""
    special = pytest.importorskip("scipy.special")
    with pytest.raises(dd.NotDifferentiableError, match="order 400 is too high for gamma"):
        taylor(special.gamma, 2.5, 400)
    with pytest.raises(dd.NotDifferentiableError, match="accurate to order 10"):
        dd.derivative(special.exprel, order=11)(0.3)


def test_the_callers_arrays_are_not_changed() -> None:
    x = np.array([1.0, 2.0])

    def f(x: Any) -> Any:
        x[0] *= 5
        return x * 1

    found = taylor(f, x, 2)
    np.testing.assert_array_equal(found, [[5, 2], [5, 1], [0, 0]])
    np.testing.assert_array_equal(x, [1, 2])


@pytest.mark.parametrize("which", [0, 1])
def test_complex_eigenvalues_and_vectors_along_a_line(which: int) -> None:
    turn = np.array([[0.0, 1.0], [-1.0, 0.2]])

    def f(t: Any) -> Any:
        return np.linalg.eig(turn + t * np.array([[0.3, 0.1], [0.2, 0.5]]))[which]

    def slope(g: Any) -> Any:
        return lambda t: dd.jvp(g, (t,), (1.0,))[1]

    third = dd.taylor(f, 0.1, 3)[3]
    np.testing.assert_allclose(6 * third, slope(slope(slope(f)))(0.1), rtol=1e-12, atol=1e-14)
