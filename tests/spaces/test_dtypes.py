"""Assigning complex numbers keeps both parts of their tangents, in every space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.run import call


def element(x: Any) -> Any:
    w = x + 0j
    w[1] = 1j * x[0]
    return w.imag


def slices(x: Any) -> Any:
    w = x + 0j
    w[1:] *= 1j
    return w.imag


def elements(x: Any) -> Any:
    w = np.zeros_like(x + 0j)
    w[[2, 0]] = (1 + 2j) * x[:2]
    w[1] += x[2]
    return np.stack([w.real, w.imag, np.abs(w)])


def of_views(x: Any) -> Any:
    w = (x + 0j).reshape(-1, 3)
    v = w[0]
    v[::-1] = x[:3] * 1j
    w[..., 2] = x[1]
    return np.ravel(w.imag + 2 * w.real)


def constant(x: Any) -> Any:
    w = x * (1 + 1j)
    w[0] = 1j
    return np.fft.fft(w).imag


@pytest.mark.parametrize("small", [0, 128])
@pytest.mark.parametrize("n", [3, 150])
@pytest.mark.parametrize("f", [element, slices, elements, of_views, constant])
def test_complex_numbers_stored(f: Callable[[Any], Any], n: int, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "SMALL", small)
    x = np.random.default_rng(0).uniform(0.5, 1.5, n)
    due = np.stack([(f(x + 1e-5 * e) - f(x - 1e-5 * e)) / 2e-5 for e in np.eye(n)], axis=-1)
    for found in (
        dd.jacobian(f)(x),
        dd.jacobian(f, chunk_size=1)(x),
        dd.jacobian(f, mode="reverse")(x),
        dd.jacobian(lambda x: np.ravel(f(x)), sparse=True)(x).toarray().reshape(due.shape),
        np.stack([dd.taylor(f, x, 1, direction=e)[1] for e in np.eye(n)[:3]], axis=-1),
    ):
        np.testing.assert_allclose(found, due[..., : found.shape[-1]], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("small", [0, 128])
@pytest.mark.parametrize("f", [element, slices, elements, of_views, constant])
def test_second_derivatives(f: Callable[[Any], Any], small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "SMALL", small)

    def scalar(x: Any) -> Any:
        return np.sum(np.sin(f(x * x)))

    x = np.array([0.5, 1.5, -0.75])
    due = [(dd.gradient(scalar)(x + 1e-5 * e) - dd.gradient(scalar)(x - 1e-5 * e)) / 2e-5 for e in np.eye(3)]
    np.testing.assert_allclose(dd.hessian(scalar)(x), due, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(dd.jacobian(dd.gradient(scalar, mode="reverse"))(x), due, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("how", [{}, {"chunk_size": 1}, {"sparse": True}, {"mode": "reverse"}])
def test_half_numbers_are_solved_in_the_precision_of_the_matrix(how: Any) -> None:
    A = np.array([[2.0, 1.0], [0.0, 4.0]])
    j = dd.jacobian(lambda x: np.linalg.solve(A, np.ones(2) + x), **how)(np.float16([1, 2]))
    np.testing.assert_allclose(j.toarray() if hasattr(j, "toarray") else j, [[0.5, -0.125], [0, 0.25]])
