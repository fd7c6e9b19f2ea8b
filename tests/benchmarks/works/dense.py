"""Works of arrays whose derivative is dense: gradients, networks, solves, products with one direction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..timing import Call
from ..tools import Tool
from .work import HAND, Build, Target, Work, derivatives, has_dualdiff


def make_rosenbrock(np: Any) -> Any:
    """The sum over neighbours: every element of the gradient depends on three inputs."""
    return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_gradient(x: np.ndarray) -> np.ndarray:
    """By hand."""
    gradient = np.zeros_like(x)
    valley = x[1:] - x[:-1] ** 2
    gradient[:-1] = -400.0 * x[:-1] * valley - 2.0 * (1.0 - x[:-1])
    gradient[1:] += 200.0 * valley
    return gradient


def rosenbrock(n: int, *targets: Target) -> Build:
    """Forward mode is row-local here, and reverse mode at home."""

    def build(tools: list[Tool], tiny: bool) -> Work:
        x = np.linspace(-1.2, 1.4, 5 if tiny else n)
        name = f"Rosenbrock gradient, n = {n:,}"
        return derivatives(name, tools, "gradient", make_rosenbrock, {HAND: rosenbrock_gradient}, (x,), *targets)

    return build


def ackley(n: int) -> Build:
    """Two means, so that every element depends on all."""

    def make(np: Any) -> Any:
        def f(x: Any) -> Any:
            near = np.exp(-0.2 * np.sqrt(np.mean(x**2)))
            return -20.0 * near - np.exp(np.mean(np.cos(2.0 * math.pi * x))) + 20.0 + math.e

        return f

    def by_hand(x: np.ndarray) -> np.ndarray:
        root = np.sqrt(np.mean(x**2))
        angle = 2.0 * math.pi * x
        wave = np.exp(np.mean(np.cos(angle))) * (2.0 * math.pi / x.size)
        return (4.0 * np.exp(-0.2 * root) / (x.size * root)) * x + wave * np.sin(angle)

    def build(tools: list[Tool], tiny: bool) -> Work:
        x = np.linspace(-2.0, 3.0, 5 if tiny else n)
        return derivatives(f"Ackley gradient, n = {n:,}", tools, "gradient", make, {HAND: by_hand}, (x,))

    return build


def _make_smooth(np: Any) -> Any:
    return lambda x: np.sum(np.sin(x) * np.exp(x) / (1.0 + x**2))


def _smooth(x: np.ndarray) -> tuple[Any, Any]:
    """Value and derivative at each element, by hand."""
    sine, growth, below = np.sin(x), np.exp(x), 1.0 + x**2
    quotient = sine * growth / below
    return quotient, (np.cos(x) * growth + sine * growth - quotient * (2.0 * x)) / below


def jvp(tools: list[Tool], tiny: bool) -> Work:
    """One direction through a million elements: memory traffic is everything."""

    def by_hand(x: np.ndarray, v: np.ndarray) -> tuple[float, float]:
        quotient, slope = _smooth(x)
        return np.sum(quotient), np.sum(slope * v)

    x = np.linspace(-1.0, 2.0, 7 if tiny else 1_000_000)
    target = Target(3, "f")
    return derivatives("jvp, 1e6 elements", tools, "jvp", _make_smooth, {HAND: by_hand}, (x, np.cos(3.0 * x)), target)


def reverse(tools: list[Tool], tiny: bool) -> Work:
    """One cotangent back through a million elements."""
    x = np.linspace(-1.0, 2.0, 7 if tiny else 1_000_000)
    hands = {HAND: lambda x: _smooth(x)[1]}
    target = Target(4, "f", "dualdiff reverse")
    return derivatives("gradient, 1e6 elements", tools, "gradient", _make_smooth, hands, (x,), target)


def rosenbrock_hvp(n: int, *targets: Target) -> Build:
    """The product of the Hessian with one vector."""

    def by_hand(x: np.ndarray, v: np.ndarray) -> np.ndarray:
        product = np.zeros_like(x)
        below = -400.0 * x[:-1]
        product[:-1] = (2.0 - 400.0 * (x[1:] - 3.0 * x[:-1] ** 2)) * v[:-1] + below * v[1:]
        product[1:] += 200.0 * v[1:] + below * v[:-1]
        return product

    def build(tools: list[Tool], tiny: bool) -> Work:
        x = np.linspace(-1.2, 1.4, 5 if tiny else n)
        name = f"Rosenbrock Hessian times vector, n = {n:,}"
        return derivatives(name, tools, "hvp", make_rosenbrock, {HAND: by_hand}, (x, np.cos(3.0 * x)), *targets)

    return build


def rosenbrock_hessian(n: int, *targets: Target) -> Build:
    """The dense Hessian."""

    def by_hand(x: np.ndarray) -> np.ndarray:
        hessian = np.zeros((x.size, x.size))
        flat = hessian.reshape(-1)
        main, above, below = flat[:: x.size + 1], flat[1 :: x.size + 1], flat[x.size :: x.size + 1]
        main[:-1] = 2.0 - 400.0 * (x[1:] - 3.0 * x[:-1] ** 2)
        main[1:] += 200.0
        above[:] = below[:] = -400.0 * x[:-1]
        return hessian

    def build(tools: list[Tool], tiny: bool) -> Work:
        x = np.linspace(-1.2, 1.4, 5 if tiny else n)
        return derivatives(
            f"Rosenbrock Hessian, n = {n}", tools, "hessian", make_rosenbrock, {HAND: by_hand}, (x,), *targets
        )

    return build


def network(width: int, *targets: Target) -> Build:
    """Three layers of tanh: after the first product everything depends on everything."""

    def build(tools: list[Tool], tiny: bool) -> Work:
        n = 3 if tiny else width
        rng = np.random.default_rng(0)
        layers = [(rng.standard_normal((n, n)) / math.sqrt(n), rng.standard_normal(n)) for _ in range(3)]

        def make(np: Any) -> Any:
            own = [(np.asarray(weights), np.asarray(bias)) for weights, bias in layers]

            def f(x: Any) -> Any:
                for weights, bias in own:
                    x = np.tanh(weights @ x + bias)
                return x

            return f

        def by_hand(x: np.ndarray) -> np.ndarray:  # what forward mode does: the identity, pushed through
            directions = np.eye(x.size)
            for weights, bias in layers:
                x = np.tanh(weights @ x + bias)
                directions = weights @ directions
                directions *= (1.0 - x * x)[:, None]
            return directions

        def two_products(x: np.ndarray) -> np.ndarray:  # the first product, with the identity, left out
            jacobian: Any = None
            for weights, bias in layers:
                x = np.tanh(weights @ x + bias)
                jacobian = (1.0 - x * x)[:, None] * (weights if jacobian is None else weights @ jacobian)
            return np.asarray(jacobian)

        hands = {HAND: by_hand, "two products": two_products}
        x = rng.standard_normal(n)
        return derivatives(f"tanh network Jacobian, n = {width}", tools, "jacobian", make, hands, (x,), *targets)

    return build


def training(tools: list[Tool], tiny: bool) -> Work:
    """All parameters of a classifier's loss, as a step of training takes them."""
    sizes, batch = ((4, 3, 2), 5) if tiny else ((784, 128, 10), 128)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((batch, sizes[0]))
    labels = np.eye(sizes[2])[rng.integers(0, sizes[2], batch)]
    parameters = (
        *(rng.standard_normal(sizes[:2]) / math.sqrt(sizes[0]), rng.standard_normal(sizes[1])),
        *(rng.standard_normal(sizes[1:]) / math.sqrt(sizes[1]), rng.standard_normal(sizes[2])),
    )

    def make(np: Any) -> Any:
        own, truth = np.asarray(inputs), np.asarray(labels)

        def f(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
            scores = np.tanh(own @ w1 + b1) @ w2 + b2
            return np.sum(np.log(np.sum(np.exp(scores), 1))) - np.sum(scores * truth)

        return f

    def by_hand(w1: Any, b1: Any, w2: Any, b2: Any) -> tuple[Any, ...]:
        hidden = np.tanh(inputs @ w1 + b1)
        likely = np.exp(hidden @ w2 + b2)
        ct = likely / np.sum(likely, 1)[:, None] - labels
        inner = (ct @ w2.T) * (1.0 - hidden * hidden)
        return inputs.T @ inner, np.sum(inner, 0), hidden.T @ ct, np.sum(ct, 0)

    name = f"loss of a network {'-'.join(map(str, sizes))}, batch {batch}: gradient of all parameters"
    target = Target(4, "f", "dualdiff reverse")
    return derivatives(name, tools, "parameters", make, {HAND: by_hand}, parameters, target)


def solve(moving: str) -> Build:
    """100 directions through a linear solve, against LAPACK on 100 right-hand sides plus one factorisation."""

    def build(tools: list[Tool], tiny: bool) -> Work:
        n, p = (3, 2) if tiny else (200, 100)
        rng = np.random.default_rng(0)
        a, b = rng.standard_normal((n, n)) + n * np.eye(n), rng.standard_normal(n)
        directions = rng.standard_normal((p, n, n) if moving == "A" else (p, n))

        def by_hand(a: np.ndarray, b: np.ndarray, directions: np.ndarray) -> np.ndarray:
            x = np.linalg.solve(a, b)
            sides = -(directions @ x) if moving == "A" else directions
            return np.linalg.solve(a, sides.T).T

        calls = {HAND: Call.of(by_hand, (a, b, directions)), "f": Call.of(np.linalg.solve, (a, b))}
        if has_dualdiff(tools):
            from dualdiff import Dual

            operands = (Dual(a, directions), b) if moving == "A" else (a, Dual(b, directions))
            calls["dualdiff"] = Call.of(np.linalg.solve, operands)
        name = f"100 directions in {moving} through solve, n = 200"
        return Work(name, calls, (Target(3),), parts=lambda x: getattr(x, "tangent", x))

    return build
