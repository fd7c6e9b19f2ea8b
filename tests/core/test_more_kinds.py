"""Operands of uncommon kinds and options: right, where they once ended in an error that was not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

X = np.array([0.3, 1.2, 0.7])


def into_a_dual(x: Any) -> Any:
    y = x * 1.0
    np.exp(np.ones(3), out=y)
    return y * x


def empty_mask(x: Any) -> Any:
    y, nothing = x * 1.0, np.zeros(3, bool)
    y[nothing] = x[nothing]
    return y * y


def number_in_an_array_without_axes(x: Any) -> Any:
    y = np.zeros(())
    y[()] = 2 * x[0]
    return y * x


E = np.e
CASES: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "out= of a function of constants": (into_a_dual, np.diag([E, E, E])),
    "an empty mask": (empty_mask, np.diag(2 * X)),
    "an array without axes": (number_in_an_array_without_axes, [[1.2, 0, 0], [2.4, 0.6, 0], [1.4, 0, 0.6]]),
    "ldexp by a list": (lambda x: np.ldexp(x[:2], [1, 2]), [[2, 0, 0], [0, 4, 0]]),
    "initial= that moves": (lambda x: np.max(np.ones(2), initial=x[1]), [0, 1, 0]),
    "axes of length 1": (lambda x: np.einsum("ij,ij->i", x.reshape(1, 3), np.full((1, 3), 2.0)), [[2, 2, 2]]),
}


@pytest.mark.parametrize("name", CASES)
def test_in_every_mode(name: str) -> None:
    f, due = CASES[name]
    np.testing.assert_allclose(dd.jacobian(f)(X), due)
    np.testing.assert_allclose(dd.jacobian(f, chunk_size=1)(X), due)
    np.testing.assert_allclose(dd.jacobian(f, mode="reverse")(X), due)


def test_second_order_with_an_empty_mask() -> None:
    f = lambda x: np.sum(empty_mask(x))
    np.testing.assert_allclose(dd.hvp(f, X, X), 2 * X)
    np.testing.assert_allclose(dd.hessian(f)(X), 2 * np.eye(3))


def test_half_precision_is_sparse_in_a_type_that_scipy_has() -> None:
    pytest.importorskip("scipy")
    made = dd.jacobian(lambda x: x * x, sparse=True)(np.ones(3, np.float16))
    np.testing.assert_allclose(made.toarray(), 2 * np.eye(3))


def test_the_jacobian_of_a_gradient_through_reversed_slices() -> None:
    n = 140
    x = np.linspace(0.5, 1.5, n)

    def f(x: Any) -> Any:
        y = 2 * x[::-1] + x * x
        return y[0]

    due = np.zeros((n, n))
    due[0, 0] = 2
    np.testing.assert_allclose(dd.jacobian(dd.gradient(f))(x), due)
