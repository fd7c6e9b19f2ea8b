"""Random programs: the derivative of any composition of rules agrees with differences, and with itself nested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdiff as dd

# Each step takes a vector to a vector, is smooth, and keeps numbers moderate.
STEPS: dict[str, Callable[[Any], Any]] = {
    "sin": np.sin,
    "tanh": np.tanh,
    "exp(-x**2)": lambda x: np.exp(-(x**2)),
    "log(2+cos)": lambda x: np.log(2 + np.cos(x)),
    "x/(1+x*x)": lambda x: x / (1 + x * x),
    "sqrt(1+x**2)": lambda x: np.sqrt(1 + x**2),
    "arctan2": lambda x: np.arctan2(x, 1 + x[0] ** 2),
    "logaddexp": lambda x: np.logaddexp(x, x[::-1]),
    "smooth power": lambda x: (1.5 + np.sin(x)) ** np.cos(x),
    "roll": lambda x: np.roll(x, 1) - 0.5 * x,
    "flip": lambda x: np.flip(x) + x,
    "fancy": lambda x: x[[1, 0, 0]] * x,
    "slices": lambda x: np.concatenate([x[1:] * x[:-1], x[:1]]),
    "where": lambda x: np.where(np.arange(3) > 0, np.cos(x), x),
    "cumsum": lambda x: np.cumsum(x) / 3,
    "cumprod": lambda x: np.cumprod(np.sin(x)),
    "mean": lambda x: x - np.mean(x),
    "softmax": lambda x: np.exp(x - np.sum(x)) / (1 + np.sum(np.exp(x - np.sum(x)))),
    "matmul": lambda x: np.array([[0.2, -0.5, 0.1], [0.3, 0.3, 0.0], [-0.4, 0.1, 0.6]]) @ x,
    "outer": lambda x: np.outer(x, np.sin(x)).sum(axis=0),
    "einsum": lambda x: np.einsum("i,j,j->i", np.cos(x), x, x) / 4,
    "solve": lambda x: np.linalg.solve(np.eye(3) + 0.1 * np.outer(x, x), x),
    "norm": lambda x: x / (1 + np.linalg.norm(x - 5)),
    "reshape": lambda x: (np.reshape(x, (3, 1)) * np.reshape(x, (1, 3))).T.ravel()[::4],
    "assignment": lambda x: _assigned(x),
    "scalars": lambda x: np.stack([x[0] * x[1], np.sin(x[2]), x[2] / (2 + x[0] ** 2)]),
    "convolve": lambda x: np.convolve(x, [0.5, 0.25, 0.25], "same"),
    "fft": lambda x: np.real(np.fft.ifft(np.fft.fft(x) * np.array([1.0, 0.5, 0.5]))),
}


def _assigned(x: Any) -> Any:
    y = x * 1.0
    y[0] = y[1] * y[2]
    y[1:] *= 0.5
    return y


POINTS = st.lists(st.floats(-2, 2), min_size=3, max_size=3).map(np.array)
PROGRAMS = st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=5)


def composed(names: list[str]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        for name in names:
            x = STEPS[name](x)
        return x

    return f


@settings(max_examples=150, deadline=None, derandomize=True)
@given(PROGRAMS, POINTS)
def test_random_compositions(names: list[str], x: Any) -> None:
    f = composed(names)
    jacobian = dd.jacobian(f)(x)
    steps = 1e-6 * np.eye(3)
    differences = np.stack([(f(x + h) - f(x - h)) / 2e-6 for h in steps], -1)
    scale = 1 + np.max(np.abs(jacobian))
    np.testing.assert_allclose(jacobian, differences, atol=1e-6 * scale, rtol=1e-5)
    for other in (dd.jacobian(f, chunk_size=1)(x), dd.jacobian(f, mode="reverse")(x), dd.jacobian(f, sparse=True)(x)):
        other = other if isinstance(other, np.ndarray) else other.toarray()
        np.testing.assert_allclose(other, jacobian, rtol=1e-11, atol=1e-12 * scale)
    v = np.array([0.3, -1.0, 0.7])
    value, tangent = dd.jvp(f, (x,), (v,))
    np.testing.assert_allclose(value, f(x), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(tangent, jacobian @ v, rtol=1e-10, atol=1e-12 * scale)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=3), POINTS)
def test_second_derivatives_of_random_compositions(names: list[str], x: Any) -> None:
    f = composed(names)
    second = dd.jacobian(dd.jacobian(f))(x)
    np.testing.assert_allclose(second, np.swapaxes(second, 1, 2), rtol=1e-9, atol=1e-9 * (1 + np.max(np.abs(second))))
    for modes in (("forward", "reverse"), ("reverse", "forward"), ("reverse", "reverse")):
        other = dd.jacobian(dd.jacobian(f, mode=modes[1]), mode=modes[0])(x)
        np.testing.assert_allclose(other, second, rtol=1e-9, atol=1e-10 * (1 + np.max(np.abs(second))))
    first = dd.jacobian(f)
    differences = np.stack([(first(x + h) - first(x - h)) / 2e-6 for h in 1e-6 * np.eye(3)], -1)
    np.testing.assert_allclose(second, differences, rtol=1e-5, atol=1e-5 * (1 + np.max(np.abs(second))))


@pytest.mark.parametrize("name", STEPS)
def test_each_step_by_itself(name: str) -> None:
    x = np.array([0.4, -0.9, 1.3])
    differences = np.stack([(STEPS[name](x + h) - STEPS[name](x - h)) / 2e-6 for h in 1e-6 * np.eye(3)], -1)
    np.testing.assert_allclose(dd.jacobian(STEPS[name])(x), differences, rtol=1e-7, atol=1e-8)
