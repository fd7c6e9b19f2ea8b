"""Operands of uncommon kinds and options: right, where they once ended in an error that was not ours."""

from __future__ import annotations

import math
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


def complex_into_a_real_array(x: Any) -> Any:
    y = x * 1.0
    y[1:] = (2 + 1j) * x[:2]
    return y


def nothing_spread(x: Any) -> Any:
    return np.resize(x[:0] * x[1], (2,)) + x[1:] ** 2


def array_into_a_number(x: Any) -> Any:
    y = np.zeros(())
    y[()] = np.i0(x[0])  # an array without axes
    return y * x[1]


def flat_elements_of_a_plain_array(x: Any) -> Any:
    y = np.ones(2)
    y.flat[1] = x[0] * x[1]
    return y


E = np.e
I1 = sum((0.3 / 2) ** (2 * k + 1) / math.factorial(k) / math.factorial(k + 1) for k in range(8))
PERIODS = [[9, 0, 0], [-4, 9, 0], [-4, 1, 9]]  # 4 periods down, then 1 up
CASES: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "out= of a function of constants": (into_a_dual, np.diag([E, E, E])),
    "an empty mask": (empty_mask, np.diag(2 * X)),
    "an array without axes": (number_in_an_array_without_axes, [[1.2, 0, 0], [2.4, 0.6, 0], [1.4, 0, 0.6]]),
    "an array into a number": (array_into_a_number, [1.2 * float(I1), float(np.i0(0.3)), 0]),
    "flat elements": (flat_elements_of_a_plain_array, [[0, 0, 0], [1.2, 0.3, 0]]),
    "ldexp by a list": (lambda x: np.ldexp(x[:2], [1, 2]), [[2, 0, 0], [0, 4, 0]]),
    "initial= that moves": (lambda x: np.max(np.ones(2), initial=x[1]), [0, 1, 0]),
    "axes of length 1": (lambda x: np.einsum("ij,ij->i", x.reshape(1, 3), np.full((1, 3), 2.0)), [[2, 2, 2]]),
    "an axis of a number": (lambda x: np.cumsum(np.sum(x[0], axis=0), axis=-1) * x[1].max(-1), [[1.2, 0.3, 0]]),
    "the array of a number": (lambda x: np.asfortranarray(np.sin(x[0]), like=x), [[np.cos(0.3), 0, 0]]),
    "ends of other kinds": (lambda x: np.pad(x[:1] * 1j, 1, constant_values=x[1] * 1j).imag, np.eye(3)[[1, 0, 1]]),
    "a period for each difference": (lambda x: np.unwrap(x * 9, period=x[:2] + 2), PERIODS),
    "too short to be divided": (lambda x: np.polydiv(x[:1], x)[1], [[1, 0, 0]]),
    "the resize of nothing": (nothing_spread, [[0, 2.4, 0], [0, 0, 1.4]]),
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


def test_second_order_of_a_masked_write_into_an_array_without_axes() -> None:
    def f(x: Any) -> Any:
        c = np.sin(x[:1]).reshape(()).copy()
        y = np.piecewise(c, c > 0, [np.exp])
        return np.linalg.det(np.diag(np.resize(y, (2,)))) * x[1]  # exp(2 sin(x[0])) * x[1]

    x, e, mixed = X[:2], np.exp(2 * np.sin(0.3)), 2 * np.exp(2 * np.sin(0.3)) * np.cos(0.3)
    due = [[1.2 * e * (4 * np.cos(0.3) ** 2 - 2 * np.sin(0.3)), mixed], [mixed, 0]]
    np.testing.assert_allclose(dd.hessian(f)(x), due)
    np.testing.assert_allclose(dd.jacobian(dd.gradient(f, mode="reverse"), chunk_size=1)(x), due)


def test_second_order_of_a_resize_of_nothing() -> None:
    f = lambda x: np.sum(nothing_spread(x))
    for sparse in (False, True):
        hessian = dd.hessian(f, sparse=sparse)(X)
        np.testing.assert_allclose(hessian.toarray() if sparse else hessian, np.diag([0.0, 2, 2]))


def test_complex_numbers_in_a_real_array_lose_the_imaginary_part_as_in_numpy() -> None:
    due = [[1, 0, 0], [2, 0, 0], [0, 2, 0]]
    modes: list[dict[str, Any]] = [{}, {"chunk_size": 1}, {"mode": "reverse"}, {"sparse": True}]
    for options in modes:
        with pytest.warns(np.exceptions.ComplexWarning):
            j = dd.jacobian(complex_into_a_real_array, **options)(X)
        np.testing.assert_allclose(j.toarray() if "sparse" in options else j, due)
    with pytest.warns(np.exceptions.ComplexWarning):
        np.testing.assert_allclose(dd.taylor(complex_into_a_real_array, X, 2, direction=X)[1], due @ X)


def test_a_number_scaled_by_an_array_without_axes_and_written_to() -> None:
    def f(x: Any) -> Any:
        y = x * np.array(0.5)
        y[None] = y * y
        y[y > 99] *= 2.0
        return y

    np.testing.assert_allclose(dd.jacobian(f)(np.linspace(0, 1, 140)), np.diag(np.linspace(0, 1, 140) / 2), atol=1e-16)


def test_periodic_interpolation_of_higher_precision() -> None:
    x = np.array([0.25, 0.5], np.longdouble)
    f = lambda x: np.interp(x + 3, [0.0, 1.0, 2.0], np.array([1.0, 2.0, 4.0]), period=3.0)
    np.testing.assert_allclose(dd.jacobian(f)(x), np.eye(2))


def test_a_histogram_with_weights_of_higher_precision() -> None:
    x = np.array([0.25, 0.5], np.longdouble)
    counts = dd.jacobian(lambda x: np.histogram(x, 2, (0.0, 0.8), weights=x**2)[0])(x)
    assert counts.dtype == np.longdouble
    np.testing.assert_allclose(counts, [[0.5, 0], [0, 1]])


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


def test_what_loses_a_derivative_in_an_array_of_constants_is_said_by_us() -> None:
    def f(x: Any) -> Any:
        y = X + 0.1
        y.flat[2] = x[0]
        return y

    with pytest.raises(dd.TangentLossError):
        dd.jacobian(f)(X)
    with pytest.raises(TypeError, match="item assignment"):
        dd.jacobian(lambda x: np.put(x[0], [0], x[1]))(X)
