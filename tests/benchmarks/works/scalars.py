"""Works of single numbers and small arrays: everything here is overhead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..timing import Call
from ..tools import Tool
from .work import HAND, Target, Work, compiled, derivatives, has_dualdiff


def scalar(tools: list[Tool], tiny: bool) -> Work:
    """The price of one number."""

    def make(np: Any) -> Any:
        return lambda x: x * np.sin(x) + np.exp(-x) / x

    def by_hand(x: float) -> float:
        return math.sin(x) + x * math.cos(x) - math.exp(-x) * (x + 1) / x**2

    targets = (Target(15), *compiled(2.5))
    return derivatives("x sin x + exp(-x)/x", tools, "derivative", make, {HAND: by_hand}, (1.3,), *targets)


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
    if has_dualdiff(tools):
        from dualdiff import Dual

        calls["dualdiff"] = Call("a * b", {"a": Dual(3.0, 1.0), "b": Dual(2.0, 0.5)})
    return Work("Dual times Dual", calls, (Target(1.5),), parts=lambda dual: (dual.value, dual.tangent))


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

    return derivatives("(x+y) max(y,z)", tools, "gradient", make, {HAND: by_hand}, (1.0, 2.0, 0.0), *compiled(8))


def small_arrays(tools: list[Tool], tiny: bool) -> Work:
    """What one function of small arrays costs beyond NumPy: the same three calls on values and on ten directions."""

    def by_hand(x: np.ndarray, t: np.ndarray) -> np.ndarray:
        np.concatenate([x, x]), np.where(x > 0, x, 0.0), np.sum(x)
        return np.concatenate([t, t], 1).sum() + np.where(x > 0, t, 0.0).sum() + np.sum(t, 1).sum()

    x, t = np.linspace(1.0, 2.0, 10), np.eye(10)
    calls = {HAND: Call.of(by_hand, (x, t))}
    if has_dualdiff(tools):
        from dualdiff import Dual

        names = {"np": np, "d": Dual(x, t)}
        three = "np.concatenate([d, d]).tangent.sum() + np.where(d > 0, d, 0.0).tangent.sum() + np.sum(d).tangent.sum()"
        calls["dualdiff"] = Call(three, names)
    return Work("concatenate, where and sum of 10 numbers", calls)


def jvp3(tools: list[Tool], tiny: bool) -> Work:
    """One direction through a few numbers."""

    def make(np: Any) -> Any:
        return lambda x: np.sum(np.sin(x) * x**2)

    def by_hand(x: np.ndarray, v: np.ndarray) -> tuple[float, float]:
        sine = np.sin(x)
        return np.sum(sine * x**2), np.sum((np.cos(x) * x**2 + 2.0 * x * sine) * v)

    x = np.array([0.5, 1.0, 1.5])
    return derivatives("jvp, 3 elements", tools, "jvp", make, {HAND: by_hand}, (x, np.cos(x)))


def recording(tools: list[Tool], tiny: bool) -> Work:
    """What reverse mode's record of an operation on 10 numbers costs; the value is all that is asked for."""
    steps = 3 if tiny else 100

    def make(np: Any) -> Any:
        def f(x: Any) -> Any:
            y = x
            for _ in range(steps):
                y = np.sin(y) * x + 0.5
            return y

        return f

    target = Target(4e-6, each="an operation", count=3 * steps)
    name = f"recording {3 * steps} operations on 10 numbers"
    return derivatives(name, tools, "record", make, {HAND: make(np)}, (np.linspace(0.1, 1.0, 10),), target)
