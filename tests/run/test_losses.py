"""Functions that take another way on numbers with tangents than on plain ones: right, or an error, in every mode."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import dualdiff as dd

Array = npt.NDArray[Any]
POINT = np.array([0.5, 1.5, 2.5])
MODES: dict[str, Callable[[Any], Any]] = {
    "forward": dd.jacobian,
    "chunks": lambda f: dd.jacobian(f, chunk_size=1),
    "reverse": lambda f: dd.jacobian(f, mode="reverse"),
    "sparse": lambda f: lambda x: dd.jacobian(f, sparse=True)(x).toarray(),
    "nested": lambda f: lambda x: dd.jacobian(lambda y: dd.jacobian(lambda z: f(z) * z[0])(y)[..., 0])(x),
    "taylor": lambda f: lambda x: dd.taylor(f, x, 2)[1],
}
modes = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)

# ---------------------------------------------------------------- errors that f swallows


def to_float(x: Any) -> Any:
    try:
        return abs(float(x))
    except (TypeError, ValueError):
        return 0.0


def overflowing(x: Any) -> Any:
    try:
        return math.exp(x)
    except Exception:
        return 1.79e308


def no_rule(x: Any) -> Any:
    try:
        return np.nextafter(x, 1.0) * x
    except TypeError:
        return 1.0


def nowhere_followed(x: Any) -> Any:
    try:
        return abs(float.__add__(0.0, operator.methodcaller("__float__")(x)))
    except (TypeError, ValueError):
        return 0.0


def into_a_buffer(x: Any) -> Any:
    y = np.zeros(3)
    try:
        y[0] = x
        y[1:] = 2 * x
    except (TypeError, ValueError):
        return np.zeros(3)
    return y


@pytest.mark.parametrize("swallowing", [nowhere_followed, no_rule])
@modes
def test_what_f_swallowed_comes_out(mode: Any, swallowing: Any) -> None:
    with pytest.raises(TypeError):
        mode(lambda x: swallowing(x[0]) * np.ones(2))(POINT)


@pytest.mark.parametrize("swallowing, by_numpy", [(to_float, np.abs), (overflowing, np.exp)])
@modes
def test_what_f_swallowed_is_mended(mode: Any, swallowing: Any, by_numpy: Any) -> None:
    f, g = (lambda x, s=s: s(x[0]) * x[:2] for s in (swallowing, by_numpy))
    if mode is not MODES["taylor"]:  # which wants an elementwise function
        np.testing.assert_allclose(mode(f)(POINT), mode(g)(POINT))
    for order in (1, 2, 3):
        assert dd.derivative(swallowing, order=order)(0.5) == dd.derivative(by_numpy, order=order)(0.5)


@pytest.mark.parametrize("swallowing", [nowhere_followed])
@pytest.mark.parametrize("at", [0.0, 0.5, 1])
def test_derivative_raises_what_f_swallowed(swallowing: Any, at: Any) -> None:
    """At 0 as well, where 0 in place of |x| is the right value by chance."""
    for transform in (dd.derivative, dd.value_and_derivative, dd.gradient, dd.jacobian):
        with pytest.raises(dd.TangentLossError, match=r"test_losses\.py:\d+"):
            transform(swallowing)(at)
    with pytest.raises(dd.TangentLossError):
        dd.derivative(swallowing, order=2)(at)
    with pytest.raises(dd.TangentLossError):
        dd.derivative(lambda x: dd.derivative(lambda y: swallowing(x) * y)(1.0))(at)


def test_a_loss_in_a_buffer_is_mended_when_f_swallows_it() -> None:
    np.testing.assert_array_equal(dd.derivative(into_a_buffer)(3.0), [1, 2, 2])
    expected = np.zeros((3, 3))
    expected[:, 0] = [1, 2, 2]
    for mode in ("forward", "reverse"):
        np.testing.assert_array_equal(dd.jacobian(lambda x: into_a_buffer(x[0]), mode=mode)(POINT), expected)


def test_losses_that_harm_nothing_stay_swallowed() -> None:
    def logged(x: Any) -> Any:
        try:
            text = f"{float(x)}"
        except TypeError:
            text = "?"
        return x * x if text else x

    def another_way(x: Any) -> Any:
        try:
            return np.nextafter(x, x) ** 2
        except TypeError:
            return x * x

    for f in (logged, another_way):
        assert dd.derivative(f)(3.0) == 6
        assert dd.derivative(f, order=2)(3.0) == 2
        assert dd.vjp(f, 3.0)[1](1.0) == 6


def test_a_loss_in_one_call_is_none_of_the_next() -> None:
    assert dd.derivative(lambda x: x * 2)(1.0) == 2
    with pytest.raises(ZeroDivisionError):
        dd.derivative(lambda x: to_float(x) + 1 // 0)(1.0)
    assert dd.derivative(lambda x: x * 2)(1.0) == 2
