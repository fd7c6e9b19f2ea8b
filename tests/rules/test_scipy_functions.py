"""SciPy's functions that are no ufuncs, in unmodified code: against differences, or refused by name."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from tests.cases import scipy as cases
from tests.cases.tools import leaves

pytest.importorskip("scipy")
SCIPY: dict[str, Any] = {n: importlib.import_module(f"scipy.{n}") for n in cases.MODULES} | {"np": np, "K": cases.K}
importlib.import_module("scipy.sparse.linalg")


def along(f: Any, arrays: Any, directions: Any, h: float = 1e-4) -> Any:
    """Central differences of the results, extrapolated once."""

    def difference(h: float) -> list[Any]:
        up, down = (leaves(f(*[x + s * v for x, v in zip(arrays, directions)])) for s in (h, -h))
        return [(np.asarray(a) - b) / (2 * h) for a, b in zip(up, down)]

    return [(4 * a - b) / 3 for a, b in zip(difference(h / 2), difference(h))]


# Which SciPy computes element by element, in arrays of objects.
OF_OBJECTS = ["genextreme.cdf(x, -0.1, c)", "genpareto.pdf(x, 0.1, 0, c)", "genhalflogistic.ppf(x, 0.8)"]


@pytest.mark.parametrize("source", [*cases.EXPRESSIONS, *(f"stats.{e}" for e in OF_OBJECTS)])
def test_unmodified_code(source: str) -> None:
    case = cases.Case(source)
    f = eval(case.source, dict(SCIPY))
    value, tangent = dd.jvp(f, tuple(case.arrays), tuple(case.directions))
    due = along(f, case.arrays, case.directions)
    for v, own, t, d in zip(leaves(value), leaves(f(*case.arrays)), leaves(tangent), due, strict=True):
        np.testing.assert_allclose(v, own, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(t, d, rtol=1e-7, atol=1e-8 * np.max(np.abs(d), initial=1e-2))
    pulled = dd.vjp(f, *case.arrays)[1](value if isinstance(value, tuple) else np.asarray(value))
    pulled = pulled if isinstance(pulled, tuple) else (pulled,)
    product = sum(np.sum(np.real(np.conj(v) * t)) for v, t in zip(leaves(value), leaves(tangent)))
    transposed = sum(np.sum(p * d) for p, d in zip(pulled, case.directions))
    np.testing.assert_allclose(transposed, product, rtol=1e-7, atol=1e-12)


@pytest.mark.filterwarnings("ignore")  # SciPy's own, of a singular matrix
@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("optimize.brentq(lambda t: t**3 - x, 0, 3)", "scipy.optimize.brentq.*define_root"),
        ("optimize.fsolve(lambda t: t**3 - x, 1.0)", "scipy.optimize.fsolve.*define_root"),
        ("optimize.minimize(lambda t: (t[0] - x) ** 2, [1.0]).x", "scipy.optimize.minimize.*define_root"),
        ("integrate.quad(lambda t: np.exp(-x * t), 0, 1)[0]", "scipy.integrate.quad.*define_rule"),
        ("integrate.solve_ivp(lambda t, y: -x * y, (0, 1), [1.0]).y[0, -1]", "scipy.integrate.solve_ivp.*sensitivity"),
        ("linalg.solve(x * np.eye(2), np.ones(2), assume_a='banded')", "scipy.linalg.solve.*assume_a"),
        ("linalg.eigh(x * np.eye(2), subset_by_index=[0, 1])", "scipy.linalg.eigh.*subset_by_index"),
        ("ndimage.zoom(x * np.eye(2), 2)", "scipy.ndimage.zoom.*no derivative rule"),
        ("integrate.RK45(lambda t, y: -x * y, 0, [1.0], 1).y", "a function of scipy.integrate"),
        ("linalg.sqrtm(np.diag([x, 0.0]))", "scipy.linalg.sqrtm.*singular"),
        ("linalg.logm(-x * np.eye(2))", "scipy.linalg.logm.*negative"),
    ],
)
def test_refused_by_name(call: str, text: str) -> None:
    names = {n: importlib.import_module(f"scipy.{n}") for n in ("optimize", "integrate", "linalg", "ndimage")}
    f = eval(f"lambda x: {call}", names | {"np": np})
    for g in (dd.derivative(f), dd.jacobian(f), dd.jacobian(f, mode="reverse")):
        with pytest.raises(dd.NotDifferentiableError, match=text) as caught:
            g(0.7)
        assert "\n" not in str(caught.value)


def test_imports_in_functions() -> None:
    def f(x: Any) -> Any:
        import scipy.linalg
        import scipy.linalg as algebra
        from scipy.stats import norm

        return algebra.det(x) + scipy.linalg.norm(x) + norm.logpdf(x).sum()

    x = np.array([[2.0, 0.3], [0.4, 1.0]])
    due = np.linalg.det(x) * np.linalg.inv(x).T + x / np.linalg.norm(x) - x
    np.testing.assert_allclose(dd.gradient(f)(x), due)


def test_what_scipy_raises_on_plain_numbers_comes_out() -> None:
    from scipy import linalg

    with pytest.raises(np.linalg.LinAlgError, match="ingular"):
        dd.derivative(lambda x: linalg.solve(np.zeros((2, 2)), np.ones(2)) * x)(1.0)


def test_constants_made_on_the_way_are_constants() -> None:
    from scipy import interpolate, stats

    def f(x: Any) -> Any:
        curve = interpolate.CubicSpline(np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 2, 5]))
        return curve(x) + stats.poisson.logpmf(np.array([1.0, 2.0]), x).sum()

    x, h = 0.7, 1e-5
    assert dd.derivative(f)(x) == pytest.approx((f(x + h) - f(x - h)) / (2 * h), rel=1e-8)


def test_solvers_of_constants_stay() -> None:
    from scipy import integrate, linalg, optimize

    def f(x: Any) -> Any:
        return (
            optimize.brentq(lambda t: t**2 - 2, 0, 2) * linalg.det([[x, 1], [1, 2]]) * integrate.quad(np.sin, 0, 1)[0]
        )

    assert dd.derivative(f)(3.0) == pytest.approx(2 * np.sqrt(2) * (1 - np.cos(1)))
