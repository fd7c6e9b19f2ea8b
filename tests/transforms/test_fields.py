"""divergence, curl and laplacian: against calculus by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdiff as dd
from tests.transforms.containers import X, same

FIELDS = {  # field, point, divergence, curl
    "rotation": (lambda x: np.array([-x[1], x[0], 0.0]), X, 0, [0, 0, 2]),
    "source": (lambda x: x, X, 3, [0, 0, 0]),
    "saddle": (lambda x: [x[0], -x[1], 0.0], X, 0, [0, 0, 0]),
    "shear": (lambda x: (x[1], 0.0, 0.0), X, 0, [0, 0, -1]),
    "textbook": (lambda x: np.stack([x[0] * x[1], x[1] * x[2], x[2] * x[0]]), X, 6, [-2, -3, -1]),
    "coulomb": (lambda x: x / np.linalg.norm(x) ** 3, X, 0, [0, 0, 0]),
    "constant": (lambda x: np.ones(3), X, 0, [0, 0, 0]),
    "plane rotation": (lambda x: np.array([-x[1], x[0]]), X[:2], 0, 2),
    "plane vortex": (lambda x: np.array([-x[1], x[0]]) / (x @ x), X[:2], 0, 0),
    "ints": (lambda x: x[::-1] ** 2, [1, 3], 0, 2 - 6),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str) -> None:
    f, x, divergence, curl = FIELDS[name]
    same(dd.divergence(f)(x), divergence)
    same(dd.curl(f)(x), curl)
    calls: list[int] = []
    counted = lambda x: calls.append(1) or f(x)
    dd.divergence(counted)(x), dd.curl(counted)(x)
    assert len(calls) == 2


def test_divergence() -> None:
    assert dd.divergence(lambda x: x**2)(3.0) == 6.0
    assert dd.divergence(lambda x: x**2)(np.zeros(0)) == 0.0
    assert dd.divergence(lambda A: A**2)(np.ones((2, 3))) == 12.0
    assert dd.divergence(lambda t, x: t * x, argnums=-1)(2.0, X) == 6.0
    assert dd.divergence(lambda t, x: t * x, argnums=1)(2.0, X) == 6.0
    assert dd.divergence(lambda z: z**2)(X * 1j) == 12j
    with dd.kinks("lexicographic"):
        assert dd.divergence(np.abs)(np.array([1.0, -2.0])) == 0.0


@pytest.mark.parametrize("shape", [(150,), (10, 20), (100_000,)])
def test_divergence_of_many(shape: Any) -> None:
    x = np.linspace(0.5, 1.5, math.prod(shape)).reshape(shape)
    f = lambda x: np.sin(x) * np.roll(x, 1, axis=0) + x[::-1] - x
    due = np.sum(np.cos(x) * np.roll(x, 1, axis=0)) - x.size
    np.testing.assert_allclose(dd.divergence(f)(x), due, rtol=1e-12)  # even shape: no element stays in place
    scaled = lambda a: dd.divergence(lambda x: a**2 * f(x))(x)
    np.testing.assert_allclose(dd.derivative(scaled)(3.0), 6 * due, rtol=1e-12)
    np.testing.assert_allclose(dd.gradient(dd.laplacian(lambda x: np.sum(x**4)))(x), 24 * x)


def test_divergence_of_many_that_mix() -> None:
    A = np.random.default_rng(1).normal(size=(150, 150))
    x = np.linspace(0.0, 1.0, 150)
    np.testing.assert_allclose(dd.divergence(lambda x: A @ np.sin(x))(x), np.diag(A) @ np.cos(x))
    np.testing.assert_allclose(dd.laplacian(lambda x: np.sum((A @ x) ** 2))(x), 2 * np.sum(A * A))
    np.testing.assert_allclose(dd.laplacian(lambda x: A[:2] @ x**2)(x), 2 * A[:2].sum(axis=1))


LAPLACIANS = {
    "harmonic": (lambda x: x[0] ** 2 - x[1] ** 2, [1.0, 2.0], 0),
    "coulomb": (lambda x: 1 / np.linalg.norm(x), X, 0),
    "vortex": (lambda x: np.arctan2(x[1], x[0]), [1.0, 2.0], 0),
    "plane wave": (lambda x: np.sin(np.array([3.0, 4.0]) @ x), [0.1, 0.2], -25 * np.sin(1.1)),
    "gaussian": (lambda x: np.exp(-x @ x / 2), X, (14 - 3) * np.exp(-7)),
    "of each": (lambda x: x**4, X, 12 * X**2),
    "list": (lambda x: [x[0] ** 2, x[1] ** 3], X, [2, 12]),
    "matrix": (lambda A: np.sum(A**4), np.ones((2, 3)), 72),
    "matrix of each": (lambda A: A.T**2, np.ones((2, 3)), np.full((3, 2), 2)),
    "number": (lambda x: x**4, 2, 48),
    "vector of a number": (lambda x: np.stack([x**4, x]), 2.0, [48, 0]),
    "dict": (lambda x: {"a": np.sum(x**2), "b": x**3}, X, {"a": 6.0, "b": 6 * X}),
    "constant": (lambda x: 1.0, X, 0),
}


@pytest.mark.parametrize("name", LAPLACIANS)
def test_laplacian(name: str) -> None:
    f, x, due = LAPLACIANS[name]
    same(dd.laplacian(f)(x), due)
    same(dd.laplacian(lambda t, x: f(x), argnums=-1)(0.0, x), due)


numbers = st.floats(-2, 2)
points = st.lists(numbers, min_size=3, max_size=3).map(np.array)
matrices = st.lists(numbers, min_size=9, max_size=9).map(lambda v: np.reshape(v, (3, 3)))


@settings(max_examples=25, deadline=None)
@given(points, matrices)
def test_vector_identities(x: Any, A: Any) -> None:
    potential = lambda x: np.sin(A[0] @ x) * (x @ A @ x) + np.exp(x[0] * x[2] / 4)
    field = lambda x: np.sin(A @ x) * x[::-1] + x * x
    near = {"rtol": 1e-9, "atol": 1e-10}
    slope = dd.gradient(potential)
    np.testing.assert_allclose(dd.divergence(dd.curl(field))(x), 0, **near)
    np.testing.assert_allclose(dd.curl(slope)(x), 0, **near)
    np.testing.assert_allclose(dd.divergence(slope)(x), dd.laplacian(potential)(x), **near)
    np.testing.assert_allclose(  # curl curl = grad div - laplacian
        dd.curl(dd.curl(field))(x), dd.gradient(dd.divergence(field))(x) - dd.laplacian(field)(x), **near
    )
    product = lambda x: potential(x) * field(x)  # div (p F) = p div F + F . grad p
    due = potential(x) * dd.divergence(field)(x) + field(x) @ slope(x)
    np.testing.assert_allclose(dd.divergence(product)(x), due, **near)
    v = A[1]
    np.testing.assert_allclose(dd.directional_derivative(potential, x, v), slope(x) @ v, **near)
    np.testing.assert_allclose(dd.directional_derivative(potential, x, v, 2), v @ dd.hessian(potential)(x) @ v, **near)
    np.testing.assert_allclose(dd.directional_derivative(slope, x, v), dd.hvp(potential, x, v), **near)
