"""The works: a function, the derivative a person would write by hand, and the target where there is one.

Every work is built for the tools given and at a size: `tiny` ones are for the tests, which check answers only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .timing import Call
from .tools import Tool

__all__ = ["HAND", "WORKS", "Target", "Work", "wrong_answers"]

HAND = "hand-written"


@dataclass
class Target:
    """At most `factor` times what the call named `over` takes."""

    factor: float
    over: str = HAND


@dataclass
class Work:
    """Calls by name: the hand-written one, `f` itself, every tool's. All but `f` give the same answer."""

    name: str
    calls: dict[str, Call]
    target: Target | None = None
    parts: Callable[[Any], Any] = lambda answer: answer


def wrong_answers(work: Work) -> dict[str, str]:
    """What is wrong, by call: runs every one but `f` and compares it with the hand-written answer."""
    expected = _flat(work.parts(work.calls[HAND].run()))
    wrong = {}
    for name, call in work.calls.items():
        if name not in (HAND, "f"):
            try:
                answer = _flat(work.parts(call.run()))
            except Exception as error:  # a peer that can't do this work is a row of the report, not the end of it
                wrong[name] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
                continue
            if answer.shape != expected.shape or not np.allclose(answer, expected, rtol=1e-9, atol=1e-12):
                wrong[name] = "wrong answer"
    return wrong


def _flat(answer: Any) -> np.ndarray:
    parts = answer if isinstance(answer, tuple | list) else (answer,)
    return np.concatenate([np.ravel(np.asarray(part, float)) for part in parts])


def _derivatives(
    name: str,
    tools: list[Tool],
    kind: str,
    make: Callable[[Any], Callable[..., Any]],
    by_hand: dict[str, Callable[..., Any]],
    args: tuple[Any, ...],
    target: Target | None = None,
) -> Work:
    """The work of differentiating `make(np)` at `args`; `jvp` takes its direction as the second argument."""
    calls = {"f": Call.of(make(np), args[:1] if kind == "jvp" else args)}
    calls |= {hand: Call.of(function, args) for hand, function in by_hand.items()}
    for tool in tools:
        derivative = tool.differentiate(kind, make)
        if derivative is not None:
            calls[tool.name] = Call.of(derivative, tuple(tool.array(arg) for arg in args))
    return Work(name, calls, target)


# --- scalars ---


def scalar(tools: list[Tool], tiny: bool) -> Work:
    """The price of one number: everything here is overhead."""

    def make(np: Any) -> Any:
        return lambda x: x * np.sin(x) + np.exp(-x) / x

    def by_hand(x: float) -> float:
        return math.sin(x) + x * math.cos(x) - math.exp(-x) * (x + 1) / x**2

    return _derivatives("x sin x + exp(-x)/x", tools, "derivative", make, {HAND: by_hand}, (1.3,), Target(15))


class Pair:
    """What a Dual at least is: three fields, and a method that makes a new one."""

    __slots__ = ("tag", "tangent", "value")

    def __init__(self, value: float, tangent: float, tag: int) -> None:
        self.value = value
        self.tangent = tangent
        self.tag = tag

    def times(self, other: Pair) -> Pair:
        """The product rule."""
        return Pair(self.value * other.value, self.tangent * other.value + self.value * other.tangent, self.tag)


def multiplication(tools: list[Tool], tiny: bool) -> Work:
    """One Dual times another, against one method call that builds one object."""
    calls = {HAND: Call("a.times(b)", {"a": Pair(3.0, 1.0, 1), "b": Pair(2.0, 0.5, 1)})}
    if any(tool.name == "dualdiff" for tool in tools):
        from dualdiff import Dual

        calls["dualdiff"] = Call("a * b", {"a": Dual(3.0, 1.0), "b": Dual(2.0, 0.5)})
    return Work("Dual times Dual", calls, Target(1.5), parts=lambda dual: (dual.value, dual.tangent))


def gradient3(tools: list[Tool], tiny: bool) -> Work:
    """Three arguments and a branch."""

    def make(np: Any) -> Any:
        def f(x: Any, y: Any, z: Any) -> Any:
            return (x + y) * largest(y, z)

        # Plain code calls max(); compilers, and tensors, want their own.
        largest = max if np.__name__ in ("numpy", "autograd.numpy") else np.maximum
        return f

    def by_hand(x: float, y: float, z: float) -> tuple[float, float, float]:
        return (y, y + (x + y), 0.0) if y > z else (z, z, x + y)

    return _derivatives("(x+y) max(y,z)", tools, "gradient", make, {HAND: by_hand}, (1.0, 2.0, 0.0))


# --- arrays ---


def _rosenbrock(n: int) -> Callable[[list[Tool], bool], Work]:
    def make(np: Any) -> Any:
        return lambda x: np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    def by_hand(x: np.ndarray) -> np.ndarray:
        gradient = np.zeros_like(x)
        valley = x[1:] - x[:-1] ** 2
        gradient[:-1] = -400.0 * x[:-1] * valley - 2.0 * (1.0 - x[:-1])
        gradient[1:] += 200.0 * valley
        return gradient

    def build(tools: list[Tool], tiny: bool) -> Work:
        x = np.linspace(-1.2, 1.4, 5 if tiny else n)
        return _derivatives(f"Rosenbrock gradient, n = {n}", tools, "gradient", make, {HAND: by_hand}, (x,))

    return build


def jvp(tools: list[Tool], tiny: bool) -> Work:
    """One direction through a million elements: memory traffic is everything."""

    def make(np: Any) -> Any:
        return lambda x: np.sum(np.sin(x) * np.exp(x) / (1.0 + x**2))

    def by_hand(x: np.ndarray, v: np.ndarray) -> tuple[float, float]:
        sine, growth, below = np.sin(x), np.exp(x), 1.0 + x**2
        quotient = sine * growth / below
        slope = (np.cos(x) * growth + sine * growth - quotient * (2.0 * x)) / below
        return np.sum(quotient), np.sum(slope * v)

    x = np.linspace(-1.0, 2.0, 7 if tiny else 1_000_000)
    return _derivatives("jvp, 1e6 elements", tools, "jvp", make, {HAND: by_hand}, (x, np.cos(3.0 * x)), Target(3, "f"))


def _network(width: int, target: Target | None) -> Callable[[list[Tool], bool], Work]:
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
        return _derivatives(f"tanh network Jacobian, n = {width}", tools, "jacobian", make, hands, (x,), target)

    return build


def _solve(moving: str) -> Callable[[list[Tool], bool], Work]:
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
        if any(tool.name == "dualdiff" for tool in tools):
            from dualdiff import Dual

            operands = (Dual(a, directions), b) if moving == "A" else (a, Dual(b, directions))
            calls["dualdiff"] = Call.of(np.linalg.solve, operands)
        name = f"100 directions in {moving} through solve, n = 200"
        return Work(name, calls, Target(3), parts=lambda x: getattr(x, "tangent", x))

    return build


def small_arrays(tools: list[Tool], tiny: bool) -> Work:
    """What one function of small arrays costs beyond NumPy: the same three calls on values and on ten directions."""

    def by_hand(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        np.concatenate([x, x]), np.where(x > 0, x, 0.0), np.sum(x)
        return np.concatenate([t, t], 1).sum() + np.where(x > 0, t, 0.0).sum() + np.sum(t, 1).sum()

    x, t = np.linspace(1.0, 2.0, 10), np.eye(10)
    calls = {HAND: Call.of(by_hand, (x, t))}
    if any(tool.name == "dualdiff" for tool in tools):
        from dualdiff import Dual

        names = {"np": np, "d": Dual(x, t)}
        three = "np.concatenate([d, d]).tangent.sum() + np.where(d > 0, d, 0.0).tangent.sum() + np.sum(d).tangent.sum()"
        calls["dualdiff"] = Call(three, names)
    return Work("concatenate, where and sum of 10 numbers", calls)


WORKS: dict[str, Callable[[list[Tool], bool], Work]] = {
    "scalar": scalar,
    "multiplication": multiplication,
    "gradient3": gradient3,
    "rosenbrock10": _rosenbrock(10),
    "rosenbrock1000": _rosenbrock(1000),
    "jvp": jvp,
    "network10": _network(10, Target(2.5)),
    "network100": _network(100, None),
    "network500": _network(500, Target(1.5)),
    "solve_A": _solve("A"),
    "solve_b": _solve("b"),
    "small_arrays": small_arrays,
}
