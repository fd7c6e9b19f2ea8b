"""SciPy's solvers given derivatives of unmodified functions: right answers, and fewer calls of the function.

Every problem is solved twice, with the derivatives of dualdiff and with SciPy's own differences; every call of the
function is counted, those for derivatives included. `python -m tests.test_scipy` prints the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

pytest.importorskip("scipy")
from scipy import integrate, optimize, sparse, special
from scipy.sparse import linalg


class Counted:
    """A function and how often it was called."""

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f, self.calls = f, 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.f(*args)


Problem = Callable[[Counted, bool], None]  # of the counted function, and whether dualdiff is to differentiate it
PROBLEMS: dict[str, tuple[Callable[..., Any], Problem]] = {}


def problem(name: str, f: Callable[..., Any]) -> Callable[[Problem], Problem]:
    def add(solve: Problem) -> Problem:
        PROBLEMS[name] = f, solve
        return solve

    return add


def calls(name: str, exact: bool) -> int:
    f, solve = PROBLEMS[name]
    counted = Counted(f)
    solve(counted, exact)
    return counted.calls


def counts() -> str:
    """The table of calls."""
    rows = [("problem", "dualdiff", "differences")]
    rows += [(name, str(calls(name, True)), str(calls(name, False))) for name in PROBLEMS]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [f"| {a:<{widths[0]}} | {b:>{widths[1]}} | {c:>{widths[2]}} |" for a, b, c in rows]
    lines.insert(1, f"|{'-' * (widths[0] + 2)}|{'-' * (widths[1] + 1)}:|{'-' * (widths[2] + 1)}:|")
    return "\n".join(lines)


# ---------------------------------------------------------------- minimize

near = np.testing.assert_allclose


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


START = np.linspace(0.5, 1.5, 10)


@problem("minimize, BFGS, jac", rosenbrock)
def bfgs(f: Counted, exact: bool) -> None:
    near(optimize.minimize(f, START, method="BFGS", jac=dd.gradient(f) if exact else None).x, 1, atol=1e-4)


@problem("minimize, BFGS, value and gradient together", rosenbrock)
def together(f: Counted, exact: bool) -> None:
    made = optimize.minimize(dd.value_and_gradient(f) if exact else f, START, method="BFGS", jac=exact or None)
    near(made.x, 1, atol=1e-4)
    assert not exact or f.calls == made.nfev == made.njev


def newton_cg(f: Counted, exact: bool, **second: Any) -> None:
    # Newton-CG itself takes no "2-point"
    derivatives = {"jac": dd.gradient(f), **second} if exact else {"jac": lambda x: optimize.approx_fprime(x, f)}
    near(optimize.minimize(f, START, method="Newton-CG", options={"xtol": 1e-8}, **derivatives).x, 1, atol=1e-4)


problem("minimize, Newton-CG, hess", rosenbrock)(lambda f, exact: newton_cg(f, exact, hess=dd.hessian(f)))
problem("minimize, Newton-CG, hessp", rosenbrock)(
    lambda f, exact: newton_cg(f, exact, hessp=lambda x, p: dd.hvp(f, x, p))
)


@problem("minimize, trust-exact, jac=True, hess", rosenbrock)
def trust(f: Counted, exact: bool) -> None:
    if exact:
        derivatives: Any = {"fun": dd.value_and_gradient(f), "jac": True, "hess": dd.hessian(f)}
    else:
        slope = lambda x: optimize.approx_fprime(x, f)
        derivatives = {"fun": f, "jac": slope, "hess": lambda x: optimize.approx_fprime(x, slope, 1e-5)}
    near(optimize.minimize(x0=START, method="trust-exact", options={"gtol": 1e-4}, **derivatives).x, 1, atol=1e-3)


def smoothing(x: Any) -> Any:
    """1000 noisy numbers made smooth."""
    data = np.sin(np.arange(1000) / 50) + np.cos(37 * np.arange(1000.0))
    return np.sum(np.log(np.cosh(x - data))) + np.sum(np.diff(x) ** 2)


@problem("minimize, L-BFGS-B, 1000 unknowns, reverse mode (differences: 2 steps only)", smoothing)
def lbfgsb(f: Counted, exact: bool) -> None:
    jac = dd.gradient(f, mode="reverse") if exact else None
    options = {"gtol": 1e-6, "ftol": 1e-15} if exact else {"maxfun": 10**6, "maxiter": 2}
    x = optimize.minimize(f, np.zeros(1000), method="L-BFGS-B", jac=jac, options=options).x
    if exact:
        near(dd.gradient(smoothing)(x), 0, atol=1e-5)


def circle(x: Any) -> Any:
    return x[0] ** 2 + x[1] ** 2


@problem("minimize, SLSQP, a nonlinear constraint", lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2)
def slsqp(f: Counted, exact: bool) -> None:
    limit: dict[str, Any] = {"type": "ineq", "fun": lambda x: 1 - circle(x)}
    if exact:
        limit["jac"] = dd.gradient(limit["fun"])
    x = optimize.minimize(f, [0.0, 0.0], method="SLSQP", jac=dd.gradient(f) if exact else None, constraints=limit).x
    near(x, np.array([2, 1]) / np.sqrt(5), atol=1e-6)


@problem("minimize, trust-constr, a nonlinear constraint", lambda x: np.exp(x[0]) + x[1] ** 4 - x[0] * x[1] + x[2] ** 2)
def trust_constr(f: Counted, exact: bool) -> None:
    norms = lambda x: np.array([np.sum(x**2), x[0] * x[1] - x[2]])
    second = lambda x, v: dd.hessian(lambda x: v @ norms(x))(x)
    more = {"jac": dd.jacobian(norms), "hess": second} if exact else {}
    mine = {"jac": dd.gradient(f), "hess": dd.hessian(f)} if exact else {}
    limit = optimize.NonlinearConstraint(norms, [1.0, 0.0], [1.0, 0.0], **more)
    made = optimize.minimize(f, [0.5, 0.5, 0.5], method="trust-constr", constraints=limit, **mine)
    near(norms(made.x), [1, 0], atol=1e-6)
    slopes = np.vstack([dd.gradient(f.f)(made.x), dd.jacobian(norms)(made.x)])
    assert abs(np.linalg.det(slopes)) < 1e-4  # the gradient is a combination of the constraints'


# ---------------------------------------------------------------- equations and least squares

TIMES = np.linspace(0.0, 4.0, 40)


def decay(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


DATA = decay(TIMES, 2.5, 1.3, 0.5)


@problem("least_squares", lambda p: decay(TIMES, p[0], p[1], p[2]) - DATA)
def least_squares(f: Counted, exact: bool) -> None:
    made = optimize.least_squares(f, [1.0, 1.0, 1.0], jac=dd.jacobian(f) if exact else "2-point", xtol=1e-12)
    near(made.x, [2.5, 1.3, 0.5], rtol=1e-6)


def tridiagonal(x: Any) -> Any:
    """Broyden's tridiagonal function."""
    y = (3 - 2 * x) * x + 1
    y[1:] -= x[:-1]
    y[:-1] -= 2 * x[1:]
    return y


@problem("least_squares, 200 unknowns, sparse", tridiagonal)
def sparse_least_squares(f: Counted, exact: bool) -> None:
    jac = dd.jacobian(f, sparse=True) if exact else "2-point"
    made = optimize.least_squares(f, -np.ones(200), jac=jac, tr_solver="lsmr", gtol=1e-10)
    near(tridiagonal(made.x), 0, atol=1e-8)
    assert not exact or isinstance(made.jac, sparse.csr_array | sparse.csr_matrix)


@problem("curve_fit", decay)
def curve_fit(f: Counted, exact: bool) -> None:
    jac = lambda t, a, b, c: np.stack(dd.jacobian(f, argnums=(1, 2, 3))(t, a, b, c), axis=-1)
    found, _ = optimize.curve_fit(f, TIMES, DATA, p0=[1.0, 1.0, 1.0], jac=jac if exact else None)
    near(found, [2.5, 1.3, 0.5], rtol=1e-6)


def spheres(x: Any) -> Any:
    """Three equations with the root (1, 1, 1)."""
    return [x[0] ** 2 + x[1] ** 2 + x[2] ** 2 - 3, np.exp(x[0] - 1) * x[1] - 1, special.erf(x[2]) - special.erf(1.0)]


@problem("root, hybr", spheres)
def root(f: Counted, exact: bool) -> None:
    made = optimize.root(f, [1.2, 0.7, 0.8], jac=dd.jacobian(f) if exact else None)
    assert made.success
    near(made.x, 1, rtol=1e-6)


@problem("root, lm, value and Jacobian together", spheres)
def root_lm(f: Counted, exact: bool) -> None:
    fun, jac = (dd.value_and_jacobian(f), True) if exact else (f, None)
    near(optimize.root(fun, [1.2, 0.7, 0.8], jac=jac, method="lm").x, 1, rtol=1e-6)


@problem("fsolve", spheres)
def fsolve(f: Counted, exact: bool) -> None:
    near(optimize.fsolve(f, [1.2, 0.7, 0.8], fprime=dd.jacobian(f) if exact else None), 1, rtol=1e-6)


@problem("root_scalar: Newton, value and slope together; the secant", lambda x: np.cos(x) - x)
def newton(f: Counted, exact: bool) -> None:
    if exact:
        found = optimize.root_scalar(dd.value_and_derivative(f), x0=0.0, fprime=True, method="newton").root
    else:
        found = optimize.root_scalar(f, x0=0.0, x1=1.5, method="secant").root
    near(found, 0.7390851332151607, rtol=1e-12)


# ---------------------------------------------------------------- differential equations


def robertson(t: Any, y: Any) -> Any:
    a, b, c = y
    return [-0.04 * a + 1e4 * b * c, 0.04 * a - 1e4 * b * c - 3e7 * b**2, 3e7 * b**2]


@problem("solve_ivp, Radau, Robertson's reaction", robertson)
def radau(f: Counted, exact: bool) -> None:
    jac = dd.jacobian(f, argnums=1) if exact else None
    made = integrate.solve_ivp(f, (0, 40), [1, 0, 0], method="Radau", jac=jac, rtol=1e-8, atol=[1e-10, 1e-13, 1e-10])
    near(made.y[:, -1], [0.7158270688, 9.185534765e-6, 0.2841637457], rtol=1e-6)


def brusselator(t: Any, y: Any) -> Any:
    """Two reacting substances that diffuse along a line of 50 points."""
    u, v = y.reshape(2, -1)
    pad = lambda w, edge: np.concatenate([[edge], w, [edge]])
    spread = lambda w: (w[2:] - 2 * w[1:-1] + w[:-2]) * 51**2 / 50
    du = 1 + u**2 * v - 4 * u + spread(pad(u, 1.0))
    dv = 3 * u - u**2 * v + spread(pad(v, 3.0))
    return np.concatenate([du, dv])


@problem("solve_ivp, BDF, Brusselator with 100 unknowns, sparse", brusselator)
def bdf(f: Counted, exact: bool) -> None:
    start = np.concatenate([1 + np.sin(2 * np.pi * np.arange(1, 51) / 51), np.full(50, 3.0)])
    jac = dd.jacobian(f, argnums=1, sparse=True) if exact else None
    made = integrate.solve_ivp(f, (0, 1), start, method="BDF", jac=jac, rtol=1e-5)
    assert made.success
    rigorous = integrate.solve_ivp(brusselator, (0, 1), start, method="LSODA", rtol=1e-8, atol=1e-9)
    near(made.y[:, -1], rigorous.y[:, -1], atol=5e-3)


@problem("odeint, van der Pol", lambda t, y: [y[1], 100 * (1 - y[0] ** 2) * y[1] - y[0]])
def odeint(f: Counted, exact: bool) -> None:
    jac = dd.jacobian(f, argnums=1) if exact else None
    y = integrate.odeint(f, [2.0, 0.0], [0.0, 50.0], Dfun=jac, tfirst=True, rtol=1e-8, atol=1e-10)
    near(
        y[-1], integrate.solve_ivp(f.f, (0, 50), [2.0, 0.0], method="Radau", rtol=1e-9, atol=1e-11).y[:, -1], rtol=1e-5
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_answer_is_right_and_the_calls_are_fewer(name: str) -> None:
    assert calls(name, True) < calls(name, False)


# ---------------------------------------------------------------- what has no counterpart by differences


def test_halley() -> None:
    f = lambda x: x**3 - 2 * np.exp(-x)
    plain, _ = optimize.newton(f, 1.0, fprime=dd.derivative(f), full_output=True)
    found, report = optimize.newton(f, 1.0, dd.derivative(f), fprime2=dd.derivative(f, order=2), full_output=True)
    assert report.iterations <= 4
    near([found, f(found)], [plain, 0], atol=1e-12)
    many = optimize.newton(
        lambda x, a: x**2 - a, np.ones(3), dd.derivative(lambda x, a: x**2 - a), (np.arange(1.0, 4.0),)
    )
    near(many, np.sqrt([1, 2, 3]))


def test_check_grad() -> None:
    assert optimize.check_grad(rosenbrock, dd.gradient(rosenbrock), START) < 1e-4


def test_extra_arguments_are_passed_on() -> None:
    f = lambda x, a, b: np.sum((x - a) ** 2) * b
    derivatives = {"jac": dd.gradient(f), "hess": dd.hessian(f)}
    near(optimize.minimize(f, np.zeros(3), args=(2.0, 3.0), method="Newton-CG", **derivatives).x, 2, rtol=1e-6)


def test_matrix_free_newton() -> None:
    """GMRES on Jacobian-vector products, each one run of the function; the products by differences need as many."""
    x = -np.ones(500)
    for _ in range(6):
        J = linalg.LinearOperator((500, 500), dtype=float, matvec=lambda v, x=x: dd.jvp(tridiagonal, (x,), (v,))[1])
        step, info = linalg.gmres(J, -tridiagonal(x), rtol=1e-6)
        assert info == 0
        x = x + step
    near(tridiagonal(x), 0, atol=1e-10)


def test_products_of_both_sides_as_one_operator() -> None:
    """One recorded run serves all the products of LSQR with the transpose."""
    f = Counted(lambda p: decay(TIMES, p[0], p[1], p[2]))
    p = np.array([2.0, 1.0, 0.3])
    value, pullback = dd.vjp(f, p)
    forward = lambda v: dd.jvp(f, (p,), (v.reshape(3),))[1]
    J = linalg.LinearOperator((40, 3), dtype=float, matvec=forward, rmatvec=lambda u: pullback(u.reshape(40)))
    step = linalg.lsqr(J, DATA - value, atol=1e-12, btol=1e-12)[0]
    near(step, np.linalg.lstsq(dd.jacobian(f)(p), DATA - value)[0], rtol=1e-8)
    near(J.T @ np.ones(40), dd.jacobian(f)(p).T @ np.ones(40))


def test_newton_with_a_sparse_hessian() -> None:
    """One factorisation a step, for 5,000 unknowns."""
    f = lambda x: np.sum(np.exp(x) - x) + np.sum((x[1:] - x[:-1]) ** 2) + np.sum((x[2:] * x[:-2]) ** 2)
    x = np.sin(np.arange(5_000.0))
    for _ in range(8):
        x = x - linalg.spsolve(dd.hessian(f, sparse=True)(x).tocsc(), dd.gradient(f)(x))
    near(x, 0, atol=1e-8)


def test_the_derivative_of_an_integral() -> None:
    f = lambda t, a: np.exp(-a * t) * special.jv(0, t)
    found = integrate.quad(dd.derivative(f, argnums=1), 0, np.inf, args=(2.0,))[0]
    near(found, -2 / 5**1.5, rtol=1e-8)  # of 1 / sqrt(1 + a^2)


@pytest.mark.parametrize("an_object", [False, True])
@pytest.mark.parametrize("method", ["LSODA", "vode"])
def test_compiled_callers_count_the_slots_of_a_jacobian(method: str, an_object: bool) -> None:
    """Older SciPy hands the Jacobian to Fortran, which passes as many arguments as the function has slots for."""
    from scipy.integrate import ode, solve_ivp

    class Decay:
        def __call__(self, t: Any, y: Any) -> Any:
            return [-2.0 * y[0], y[0] - 3.0 * y[1]]

    decay = Decay() if an_object else Decay().__call__
    jac = dd.jacobian(decay, argnums=1)
    due = [np.exp(-2.0), np.exp(-2.0) - np.exp(-3.0)]
    if method == "LSODA":
        got = solve_ivp(decay, (0, 1), [1.0, 0.0], method="LSODA", jac=jac, rtol=1e-9, atol=1e-12).y[:, -1]
    else:
        solver = ode(decay, jac).set_integrator("vode", method="bdf", rtol=1e-9, atol=1e-12, nsteps=5000)
        got = solver.set_initial_value([1.0, 0.0], 0.0).integrate(1.0)
    np.testing.assert_allclose(got, due, rtol=1e-6)


def test_rosenbrock_unmodified() -> None:
    x = np.linspace(-1.2, 1.3, 9)
    np.testing.assert_allclose(dd.gradient(optimize.rosen)(x), optimize.rosen_der(x), rtol=1e-13)
    second = dd.jacobian(dd.gradient(optimize.rosen))(x)
    np.testing.assert_allclose(second, optimize.rosen_hess(x), rtol=1e-12, atol=1e-12)


def test_minimize() -> None:
    for options in (
        {"fun": dd.value_and_gradient(optimize.rosen), "jac": True},
        {"fun": optimize.rosen, "jac": dd.gradient(optimize.rosen)},
    ):
        found = optimize.minimize(x0=np.zeros(4), method="BFGS", **options)
        np.testing.assert_allclose(found.x, np.ones(4), atol=1e-5)


def robertson(t: float, y: Any) -> Any:
    """A stiff reaction, as a list."""
    a, b, c = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
    return [-a + b, a - b - c, c]


@pytest.mark.parametrize("f", [robertson, lambda t, y: np.array(robertson(t, y))], ids=["list", "array"])
def test_robertson(f: Any) -> None:
    y = np.array([0.9, 2e-5, 0.1])
    due = [[-0.04, 1e4 * y[2], 1e4 * y[1]], [0.04, -1e4 * y[2] - 6e7 * y[1], -1e4 * y[1]], [0, 6e7 * y[1], 0]]
    np.testing.assert_allclose(dd.jacobian(f, argnums=1)(0.0, y), due, rtol=1e-14)
    done = integrate.solve_ivp(
        f, (0, 40), [1.0, 0.0, 0.0], method="Radau", jac=dd.jacobian(f, argnums=1), rtol=1e-8, atol=1e-12
    )
    assert done.success
    np.testing.assert_allclose(done.y[:, -1], [0.7158271, 9.1855e-6, 0.2841637], rtol=1e-4)


def test_root_finding_and_least_squares() -> None:
    f = lambda x: [x[0] + 0.5 * (x[0] - x[1]) ** 3 - 1.0, 0.5 * (x[1] - x[0]) ** 3 + x[1]]
    found = optimize.root(f, [0.0, 0.0], jac=dd.jacobian(f))
    np.testing.assert_allclose(f(found.x), [0, 0], atol=1e-12)
    fit = optimize.least_squares(
        lambda p, t: p[0] * np.exp(p[1] * t) - 2 * np.exp(0.3 * t), [1.0, 0.0], args=(np.arange(5.0),)
    )
    exact = optimize.least_squares(
        residual := lambda p, t: p[0] * np.exp(p[1] * t) - 2 * np.exp(0.3 * t),
        [1.0, 0.0],
        jac=dd.jacobian(residual),
        args=(np.arange(5.0),),
    )
    np.testing.assert_allclose(exact.x, fit.x, rtol=1e-6)
    assert optimize.newton(lambda x: x**3 - 8, 1.0, fprime=dd.derivative(lambda x: x**3 - 8)) == pytest.approx(2.0)


if __name__ == "__main__":
    print(counts())
