"""scipy.special: every line of the table by differences, twice; the accurate ones against mpmath; what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import dualdiff as dd
from dualdiff.rules.special import CONSTANT, SEVERAL, SPECIAL, log_softmax, logsumexp, polygamma, softmax
from tests.cases.special import EXPRESSIONS, ONCE, Case, sp

pytest.importorskip("scipy.special")


@pytest.mark.parametrize("source", EXPRESSIONS + ONCE.split("  "))
def test_value_and_slope(source: str) -> None:
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    np.testing.assert_array_equal(value, case.f(*case.arrays))
    np.testing.assert_allclose(tangent, case.along(case.f, 1e-3), rtol=2e-8, atol=1e-10)


@pytest.mark.parametrize("source", EXPRESSIONS)
def test_slope_of_the_slope(source: str) -> None:
    case = Case(source)
    second = dd.jvp(case.tangent, case.arrays, case.directions)[1]
    np.testing.assert_allclose(second, case.along(case.tangent, 1e-3), rtol=1e-6, atol=1e-8)


MANY = ["erfcx(a)", "beta(a, b)", "hyp2f1(q, 0.5, 2.5, x)", "rel_entr(a, b)", "zeta(q + 1, a)"]


@pytest.mark.parametrize("source", MANY)
def test_many_directions(source: str) -> None:
    case = Case(source)
    argnums = tuple(range(len(case.names)))
    whole = dd.jacobian(case.f, argnums)(*case.arrays)
    single = dd.jacobian(case.f, argnums, chunk_size=1)(*case.arrays)
    for j, k in zip(whole, single):
        np.testing.assert_allclose(j, k, rtol=1e-15)
        np.testing.assert_array_equal(j, np.diag(np.diag(j)))
    along = sum(np.diag(j) * v for j, v in zip(whole, case.directions))
    np.testing.assert_allclose(along, dd.jvp(case.f, case.arrays, case.directions)[1], rtol=1e-14)


def test_float32_stays() -> None:
    x = np.array([0.3, 0.6], np.float32)
    for name in ("erf", "gamma", "expit", "j0", "ellipk", "spence", "erfcx"):
        assert dd.jvp(getattr(sp, name), (x,), (x,))[1].dtype == np.float32


def test_every_line_has_a_case() -> None:
    called = {e.partition("(")[0] for e in EXPRESSIONS + ONCE.split("  ")} | {"_zeta", "_lambertw"}
    assert {*SPECIAL, *SEVERAL} - called == set()


# ---------------------------------------------------------------- accuracy, against 40 digits


mp = mpmath.mp
ACCURATE: dict[str, tuple[Callable[..., Any], list[Any]]] = {
    "erfcx": (lambda x: 2 * x * mp.exp(x * x) * mp.erfc(x) - 2 / mp.sqrt(mp.pi), [-5, 0, 0.5, 1.9, 2.1, 9, 50]),
    "dawsn": (lambda x: 1 - mp.sqrt(mp.pi) * x * mp.exp(-x * x) * mp.erfi(x), [-3, 0, 0.3, 2, 4, 9, 25]),
    "log_ndtr": (lambda x: mp.npdf(x) / mp.ncdf(x), [-1000, -40, -5, 0, 3]),
    "rgamma": (lambda x: mp.diff(mp.rgamma, x), [-3, -1, 0, -2.5, 0.3, 4, 30, -20.25]),
    "psi": (lambda x: mp.psi(1, x), [0.1, 5, 100, -0.5, -3.3]),
    "expit": (lambda x: mp.exp(-x) / (1 + mp.exp(-x)) ** 2, [-700, -40, 0, 1, 40, 700]),
    "log_expit": (lambda x: 1 / (1 + mp.exp(x)), [-700, -40, 0, 40, 700]),
    "exprel": (lambda x: mp.diff(mp.expm1, x) / x - mp.expm1(x) / x**2, [-50, -1.1, -1e-5, 1e-9, 0.99, 30]),
    "spence": (lambda z: mp.log(z) / (1 - z), [0.1, 0.91, 1 - 1e-9, 1.05, 50]),
    "ellipk": (lambda m: mp.pi / 8 * mp.hyp2f1(1.5, 1.5, 2, m), [-1e6, -0.4, -1e-9, 0, 1e-9, 0.3, 0.99]),
    "ellipe": (lambda m: -mp.pi / 8 * mp.hyp2f1(0.5, 1.5, 2, m), [-1e6, -0.4, -1e-9, 0, 1e-9, 0.3, 0.99]),
    "ellipkm1": (lambda p: -mp.pi / 8 * mp.hyp2f1(1.5, 1.5, 2, 1 - p), [1e-20, 0.3, 0.9, 1.5]),
    "i0e": (lambda x: mp.exp(-x) * (mp.besseli(1, x) - mp.besseli(0, x)), [1e-5, 1, 10, 100, 1e5]),
    "k0e": (lambda x: mp.exp(x) * (mp.besselk(0, x) - mp.besselk(1, x)), [1e-5, 1, 10, 21, 1e5]),
    "gammainc": (
        lambda a, x: x ** (a - 1) * mp.exp(-x) / mp.gamma(a),
        [(0.1, 0.2), (3, 50), (1e3, 1.1e3), (1e6, 1e6), (1e6, 1.001e6), (0.5, 1e-200), (30, 1e-3), (1e-3, 5)],
    ),
    "betaln": (lambda a, b: mp.psi(0, b) - mp.psi(0, a + b), [(1, 2), (1e6, 1), (100, 1e-8), (3, 1e5)]),
    "rel_entr": (lambda x, y: -x / y, [(1, 2), (1e-200, 1e100)]),
    "betainc": (
        lambda a, b, x: x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b),
        [(0.1, 0.2, 0.3), (50, 3, 0.99), (1e3, 2e3, 0.33), (1e6, 1e6, 0.5005), (0.5, 20, 1e-100)],
    ),
}


@pytest.mark.parametrize("name", ACCURATE)
def test_accurate_wherever_the_function_is(name: str) -> None:
    """By the last argument."""
    exact, points = ACCURATE[name]
    for point in points:
        *constants, x = [float(v) for v in (point if isinstance(point, tuple) else (point,))]
        got = dd.derivative(lambda x: getattr(sp, name)(*constants, x))(x)  # noqa: B023
        with mpmath.workdps(60):
            due = exact(*map(mpmath.mpf, constants), mpmath.mpf(x))
            assert abs(got - due) <= 2e-14 * abs(due), (point, got, due)


@pytest.mark.parametrize("a, b", [(1.0, 1e6), (1e-2, 1e-2), (3.0, 1e5)])
def test_slope_of_betaln_by_either_argument(a: float, b: float) -> None:
    slope = dd.gradient(lambda v: sp.betaln(v[0], v[1]))(np.array([a, b]))
    with mpmath.workdps(40):
        np.testing.assert_allclose(slope, [float(mp.psi(0, v) - mp.psi(0, a + b)) for v in (a, b)], rtol=3e-15)


POINTS: list[tuple[Callable[[Any], Any], float, float]] = [
    (lambda x: sp.xlogy(x, x), 1.0, 1.0),
    (lambda x: sp.xlogy(0.0, x), 0.0, 0.0),
    (lambda x: sp.entr(x), 0.0, np.inf),
    (lambda x: sp.gammainc(1.0, x), 0.0, 1.0),
    (lambda x: sp.gammainc(2.0, x), 0.0, 0.0),
    (lambda x: sp.gammainc(0.5, x), 0.0, np.inf),
    (lambda x: sp.betainc(1.0, 3.0, x), 0.0, 3.0),
    (lambda x: sp.betainc(2.0, 1.0, x), 1.0, 2.0),
    (sp.spence, 1.0, -1.0),
    (sp.exprel, 0.0, 0.5),
    (sp.lambertw, 0.0, 1.0),
    (sp.i0e, 0.0, 0.0),
    (sp.i1e, 0.0, 0.5),
    (sp.j1, 0.0, 0.5),
    (sp.ndtr, -40.0, 0.0),
    (lambda x: sp.boxcox(x, 0.0), 2.0, 0.5),
    (lambda x: sp.boxcox(2.0, x), 0.0, np.log(2) ** 2 / 2),
    (lambda x: sp.eval_legendre(0, x), 0.5, 0.0),
    (sp.gammasgn, 0.5, 0.0),
]


@pytest.mark.parametrize("f, x, due", POINTS)
def test_singular_points(f: Callable[[Any], Any], x: float, due: float) -> None:
    np.testing.assert_allclose(dd.derivative(f)(x), due, rtol=1e-15, atol=1e-300)


def test_second_slopes_at_removable_singularities() -> None:
    second = lambda f: dd.derivative(dd.derivative(f))
    np.testing.assert_allclose(second(sp.spence)(1.0), 0.5, rtol=1e-15)
    np.testing.assert_allclose(second(sp.exprel)(0.0), 1 / 3, rtol=1e-15)
    np.testing.assert_allclose(second(sp.ellipk)(0.0), 9 * np.pi / 64, rtol=1e-14)
    np.testing.assert_allclose(second(np.sinc)(0.0), -(np.pi**2) / 3, rtol=1e-15)


@pytest.mark.parametrize("name", "erf gamma loggamma wrightomega dawsn erfcx expi exp1 log_ndtr".split())
def test_holomorphic(name: str) -> None:
    f, z, h = getattr(sp, name), 0.6 + 0.4j, 1e-4
    differences = [(f(z + h * s) - f(z - h * s)) / (2 * h * s) for s in (1, 1j)]
    np.testing.assert_allclose(dd.derivative(f)(z), (differences[0] + differences[1]) / 2, rtol=1e-11)


# ---------------------------------------------------------------- what is refused, and what is never imported


@pytest.mark.parametrize(
    "f, argument",
    [
        (lambda x: sp.jv(x, 1.0), "v"),
        (lambda x: sp.gammainc(x, 1.0), "a"),
        (lambda x: sp.betainc(1.0, x, 0.5), "b"),
        (lambda x: sp.zeta(x, 2.0), "x"),
        (lambda x: sp.hyp2f1(1.0, x, 2.0, 0.5), "b"),
        (lambda x: sp.ellipj(0.3, x), "m"),
    ],
)
def test_arguments_without_a_closed_form_are_named(f: Callable[[Any], Any], argument: str) -> None:
    with pytest.raises(dd.NotDifferentiableError, match=rf"by its argument {argument} .*dd.value\({argument}\)"):
        dd.derivative(f)(1.5)


@pytest.mark.parametrize("name", ["psi", "shichi"])
def test_derivatives_that_need_functions_of_real_numbers_are_refused_at_complex_ones(name: str) -> None:
    with pytest.raises(dd.NotDifferentiableError, match="real ones only"):
        dd.derivative(getattr(sp, name))(0.6 + 0.2j)


def test_ive_is_not_analytic() -> None:
    z, written = 0.6 + 0.2j, lambda z: sp.iv(1.5, z) * np.exp(-np.abs(z.real))
    with pytest.raises(dd.NotDifferentiableError, match="write iv"):
        dd.jvp(lambda z: sp.ive(1.5, z), (z,), (1j,))
    for v in (1.0, 1j):
        due = (sp.ive(1.5, z + 1e-5 * v) - sp.ive(1.5, z - 1e-5 * v)) / 2e-5
        assert abs(dd.jvp(written, (z,), (v,))[1] - due) < 1e-9


@pytest.mark.parametrize("name", ["kolmogorov", "tklmbda", "voigt_profile"])
def test_functions_without_a_rule_are_refused(name: str) -> None:
    f = getattr(sp, name)
    with pytest.raises(dd.NotDifferentiableError, match=f"{name}.*closed form"):
        dd.derivative(lambda x: f(x, *[0.5] * (f.nin - 1)))(0.5)


def test_tables_do_not_overlap() -> None:
    assert not set(SPECIAL) & set(SEVERAL)
    assert not CONSTANT & {*SPECIAL, *SEVERAL}


def test_dualdiff_does_not_import_scipy() -> None:
    code = "import sys, dualdiff; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_ufunc_of_the_same_name_is_not_taken_for_scipys() -> None:
    erf = np.frompyfunc(lambda x: x, 1, 1)
    with pytest.raises(dd.NotDifferentiableError):
        dd.jacobian(erf)(np.ones(2))


# ---------------------------------------------------------------- our forms of SciPy's Python functions

M = np.random.default_rng(3).normal(size=(2, 3))


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("name", ["logsumexp", "softmax", "log_softmax"])
def test_like_scipys(name: str, axis: Any) -> None:
    ours, theirs = {"logsumexp": logsumexp, "softmax": softmax, "log_softmax": log_softmax}[name], getattr(sp, name)
    np.testing.assert_allclose(ours(M, axis=axis), theirs(M, axis=axis), rtol=1e-14)
    value, j = dd.value_and_jacobian(lambda x: ours(x, axis=axis))(M)
    np.testing.assert_allclose(value, theirs(M, axis=axis), rtol=1e-14)
    v = np.cos(M)
    due = (theirs(M + 1e-6 * v, axis=axis) - theirs(M - 1e-6 * v, axis=axis)) / 2e-6
    np.testing.assert_allclose(np.tensordot(j, v, 2), due, rtol=1e-7, atol=1e-9)


def test_logsumexp_with_weights_and_signs() -> None:
    b = np.array([1.0, -2.0, 0.5])
    f = lambda x, b: logsumexp(x, axis=1, b=b, keepdims=True, return_sign=True)[0]
    np.testing.assert_allclose(f(M, b), sp.logsumexp(M, 1, b, True, True)[0], rtol=1e-13)
    np.testing.assert_array_equal(logsumexp(M, 1, b, True, True)[1], sp.logsumexp(M, 1, b, True, True)[1])
    dx, db = dd.jacobian(f, (0, 1))(M, b)
    weight = b * np.exp(M) / np.sum(b * np.exp(M), axis=1, keepdims=True)
    np.testing.assert_allclose(np.einsum("iaij->ij", dx), weight, rtol=1e-13)
    np.testing.assert_allclose(db[:, 0], weight / b, rtol=1e-13)


@pytest.mark.parametrize(
    "x, slope",
    [
        ([1000.0, 1000.0], [0.5, 0.5]),
        ([0.0, -40.0], [1 / (1 + np.exp(-40)), np.exp(-40) / (1 + np.exp(-40))]),
        ([-np.inf, 2.0], [0.0, 1.0]),
        ([-1e5, 1e5], [0.0, 1.0]),
    ],
)
def test_logsumexp_far_out(x: list[float], slope: list[float]) -> None:
    value, got = dd.value_and_gradient(logsumexp)(np.array(x))
    np.testing.assert_allclose(value, np.logaddexp.reduce(x), rtol=1e-15)  # older SciPy's loses what is small
    np.testing.assert_allclose(got, slope, rtol=1e-15)


def test_second_order_of_logsumexp_is_the_covariance_of_softmax() -> None:
    s = sp.softmax(M[0])
    np.testing.assert_allclose(dd.jacobian(dd.gradient(logsumexp))(M[0]), np.diag(s) - np.outer(s, s), atol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_polygamma(n: int) -> None:
    x = np.array([0.4, 1.5, 20.0])
    value, j = dd.value_and_jacobian(lambda x: polygamma(n, x))(x)
    np.testing.assert_allclose(value, sp.polygamma(n, x), rtol=1e-14)
    np.testing.assert_allclose(np.diag(j), sp.polygamma(n + 1, x), rtol=1e-14)
