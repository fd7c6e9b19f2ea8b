"""Whole SciPy solves: with the derivative by hand, SciPy's differences, eager derivatives and compiled ones.

What is timed is the solver with everything it does; the function and its derivatives are ready when it starts, as they
are in a loop of solves. Compiled ones have been recorded by the first run, which checks the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..timing import Call
from ..tools import Tool
from .dense import make_rosenbrock, rosenbrock_gradient
from .work import HAND, Build, Target, Work, compiled, derivatives, has_dualdiff

Solve = Callable[[Any], Any]  # given the derivative, None for SciPy's differences, the solution
DIFFERENCES = "differences"


def solve(name: str, run: Solve, by_hand: Callable[..., Any], transform: Callable[[Any], Any], rtol: float) -> Build:
    """The work of one solve; `transform` makes its derivative, given dualdiff."""

    def build(tools: list[Tool], tiny: bool) -> Work:
        calls = {HAND: Call.of(run, (by_hand,), rtol), DIFFERENCES: Call.of(run, (None,), rtol)}
        if has_dualdiff(tools):
            import dualdiff as dd

            calls["dualdiff"] = Call.of(run, (transform(dd),), rtol)
            calls["dualdiff compiled"] = Call.of(run, (dd.compile(transform(dd)),), rtol)
        targets = (Target(1.1, of="dualdiff compiled"), Target(1, DIFFERENCES, "dualdiff compiled"))
        return Work(f"solve: {name}", calls, targets)

    return build


# ---------------------------------------------------------------- stiff chemistry


def make_robertson(np: Any) -> Any:
    def robertson(t: Any, y: Any) -> Any:
        a, b, c = y
        slow, back, fast = 0.04 * a, 1e4 * b * c, 3e7 * b**2
        return np.array([back - slow, slow - back - fast, fast])

    return robertson


robertson = make_robertson(np)


def robertson_jacobian(t: Any, y: Any) -> Any:
    _, b, c = y.tolist()
    return np.array([[-0.04, 1e4 * c, 1e4 * b], [0.04, -1e4 * c - 6e7 * b, -1e4 * b], [0.0, 6e7 * b, 0.0]])


def chemistry_jacobian(tools: list[Tool], tiny: bool) -> Work:
    """What a stiff solver asks for, alone."""

    def make(np: Any) -> Any:
        rates = make_robertson(np)
        return lambda y: rates(0.0, y)

    hands = {HAND: lambda y: robertson_jacobian(0.0, y)}
    return derivatives(
        "Robertson Jacobian", tools, "jacobian", make, hands, (np.array([0.7, 1e-5, 0.3]),), *compiled(1.3)
    )


def chemistry(method: str) -> Build:
    def run(jac: Any) -> Any:
        from scipy.integrate import solve_ivp

        return solve_ivp(robertson, (0, 1e4), [1.0, 0, 0], method, rtol=1e-6, atol=1e-9, jac=jac).y[:, -1]

    return solve(f"Robertson by {method}", run, robertson_jacobian, lambda dd: dd.jacobian(robertson, 1), 1e-3)


def brusselator(t: Any, y: Any) -> Any:
    u, v = y[0::2], y[1::2]
    p, q = np.concatenate([[1.0], u, [1.0]]), np.concatenate([[3.0], v, [3.0]])
    d = 0.02 * (len(u) + 1) ** 2
    du = 1 + u**2 * v - 4 * u + d * (p[2:] - 2 * u + p[:-2])
    dv = 3 * u - u**2 * v + d * (q[2:] - 2 * v + q[:-2])
    return np.stack([du, dv], axis=1).ravel()


def brusselator_jacobian(t: Any, y: Any) -> Any:
    u, v = y[0::2], y[1::2]
    n, d = len(u), 0.02 * (len(u) + 1) ** 2
    J = np.zeros((n, 2, n, 2))
    at, up = np.arange(n), np.arange(n - 1)
    J[at, 0, at, 0] = 2 * u * v - 4 - 2 * d
    J[at, 0, at, 1] = u**2
    J[at, 1, at, 0] = 3 - 2 * u * v
    J[at, 1, at, 1] = -(u**2) - 2 * d
    for k in range(2):
        J[up, k, up + 1, k] = J[up + 1, k, up, k] = d
    return J.reshape(2 * n, 2 * n)


def diffusion() -> Build:
    n = 30
    x = np.arange(1, n + 1) / (n + 1)
    start = np.stack([1 + np.sin(2 * np.pi * x), np.full(n, 3.0)], axis=1).ravel()

    def run(jac: Any) -> Any:
        from scipy.integrate import solve_ivp

        return solve_ivp(brusselator, (0, 10), start, "BDF", rtol=1e-5, atol=1e-7, jac=jac).y[:, -1]

    transform = lambda dd: dd.jacobian(brusselator, 1)
    return solve("Brusselator by BDF, n = 60", run, brusselator_jacobian, transform, 1e-3)


# ---------------------------------------------------------------- fits, roots, minima


TIMES = np.linspace(0, 4, 50)
DATA = 2.5 * np.exp(-1.3 * TIMES) + 0.5 + 0.01 * np.sin(40 * TIMES)


def make_residuals(np: Any) -> Any:
    return lambda p: p[0] * np.exp(-p[1] * TIMES) + p[2] - DATA


def residuals_jacobian(p: Any) -> Any:
    decay = np.exp(-p[1] * TIMES)
    return np.stack([decay, -p[0] * TIMES * decay, np.ones_like(TIMES)], axis=1)


def fit_jacobian(tools: list[Tool], tiny: bool) -> Work:
    """What a fit asks for, alone."""
    hands = {HAND: residuals_jacobian}
    start = (np.array([1.5, 1.0, 0.3]),)
    return derivatives("residuals, 50 by 3", tools, "jacobian", make_residuals, hands, start, *compiled(1.2))


def fit() -> Build:
    residuals = make_residuals(np)

    def run(jac: Any) -> Any:
        from scipy.optimize import least_squares

        return least_squares(residuals, [1.0, 1.0, 0.0], jac or "2-point").x

    return solve("a fit of 3 parameters to 50 points", run, residuals_jacobian, lambda dd: dd.jacobian(residuals), 1e-5)


def bratu() -> Build:
    n = 40
    h = 1 / (n + 1)

    def f(u: Any) -> Any:
        p = np.concatenate([[0.0], u, [0.0]])
        return p[2:] - 2 * u + p[:-2] + h * h * np.exp(u)

    def by_hand(u: Any) -> Any:
        J = np.zeros((n, n))
        flat = J.reshape(-1)
        flat[:: n + 1] = h * h * np.exp(u) - 2
        flat[1 :: n + 1] = flat[n :: n + 1] = 1
        return J

    def run(jac: Any) -> Any:
        from scipy.optimize import root

        return root(f, np.zeros(n), jac=jac).x

    return solve("Bratu's equation by hybr, n = 40", run, by_hand, lambda dd: dd.jacobian(f), 1e-6)


def minimum(n: int) -> Build:
    f = make_rosenbrock(np)

    def run(jac: Any) -> Any:
        from scipy.optimize import minimize

        options = {"maxfun": 100_000, "ftol": 1e-12, "gtol": 1e-8}
        return minimize(f, np.full(n, -1.2), jac=jac, method="L-BFGS-B", options=options).x

    transform = lambda dd: dd.gradient(f, mode="reverse")
    return solve(f"Rosenbrock by L-BFGS-B, n = {n}", run, rosenbrock_gradient, transform, 1e-2)
