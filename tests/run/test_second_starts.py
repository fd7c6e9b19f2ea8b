"""Any error of a first run starts a second one, with names followed; whose error is shown if that fails too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numpy.linalg import norm

import dualdiff as dd

Array = npt.NDArray[Any]
C = np.array([1.0, 2.0])


def matrix(t: Any) -> Any:
    return np.array([[t, 0.4], [0.4, 2.0]])


def in_place(t: Any) -> Any:
    a = np.ones(2)
    a -= np.array([t, 1.0])
    a *= t
    return a


LISTS: dict[str, Callable[[Any], Any]] = {
    "solve": lambda t: np.linalg.solve(matrix(t), C),
    "solve of lists": lambda t: np.linalg.solve([[t, 0.4], [0.4, 2.0]], [1.0, t]),
    "det": lambda t: np.linalg.det([[t, 0.4], [0.4, 2.0]]),
    "inv": lambda t: np.linalg.inv(matrix(t)),
    "eigh": lambda t: np.linalg.eigh(matrix(t))[0],
    "svd": lambda t: np.linalg.svd(matrix(t), compute_uv=False),
    "cholesky": lambda t: np.linalg.cholesky(matrix(t)),
    "norm": lambda t: norm([t, 0.4]),
    "interp": lambda t: np.interp([t, 0.2], [0.0, 1.0, 2.0], [0.0, t, 4.0]),
    "polyfit": lambda t: np.polyfit([0.0, 1.0, 2.0, 3.0], [t, t * t, 2.0, 1.0], 1),
    "percentile": lambda t: np.percentile([t, t * t, 2.0, 1.0], 30),
    "sqrt": lambda t: np.sqrt([t, 1.0]),
    "nested": lambda t: np.exp(((t, 1.0), (2.0, t))),
    "angle": lambda t: np.angle(np.array([t + 1j, 1.0])),
    "in place": in_place,
}


@pytest.mark.parametrize("f", LISTS.values(), ids=LISTS)
def test_lists_and_arrays_of_objects(f: Callable[[Any], Any]) -> None:
    t, h = 0.7, 1e-6
    due = (np.asarray(f(t + h)) - np.asarray(f(t - h))) / (2 * h)
    for g in (dd.derivative(f), dd.jacobian(f), dd.jacobian(f, mode="reverse"), dd.compile(dd.derivative(f))):
        np.testing.assert_allclose(g(t), due, rtol=1e-6, atol=1e-8)


def test_a_function_that_needed_it_is_followed_at_once() -> None:
    calls = []

    def f(t: Any) -> Any:
        calls.append(1)
        return np.linalg.det(matrix(t))

    g = dd.jacobian(f)
    for expected in (2, 3, 4):
        g(0.7)
        assert len(calls) == expected


class Mine(Exception):
    pass


def test_whose_error_is_shown() -> None:
    def own(t: Any) -> Any:
        raise Mine(np.linalg.inv(matrix(0 * t + 1.0)))

    def late(t: Any) -> Any:
        return np.linalg.inv(matrix(t * 0.08 / 0.7))  # singular: NumPy's own error, as on plain numbers

    with pytest.raises(Mine):
        dd.jacobian(own)(0.7)
    with pytest.raises(np.linalg.LinAlgError):
        dd.jacobian(late)(0.7)
    with pytest.raises(dd.NotDifferentiableError, match=r"`return memoryview.*` \(at test_second_starts.py:\d*\)"):
        dd.jacobian(viewed)(0.7)


def viewed(t: Any) -> Any:
    return memoryview(t) if not isinstance(t, float) else t


def test_numbers_of_numpy_stay_so_where_the_functions_own_error_is_looked_for() -> None:
    def f(x: Any) -> Any:
        return x.copy() + np.median(object(), x)  # which np.float64 can, and float can't

    with pytest.raises(Exception, match="object") as caught:
        dd.derivative(f)(np.float64(0.5))
    assert "copy" not in str(caught.value)
