"""hessian, hvp, laplacian, divergence, curl, directional_derivative: against calculus by hand and sympy."""

from __future__ import annotations

import dataclasses
import re
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import sympy

import dualdiff as dd
from tests.transforms.containers import X, same

Pair = namedtuple("Pair", "a b")


@dataclasses.dataclass
class Parameters:
    a: Any
    b: Any


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_hessian(x: Any) -> Any:
    n = len(x)
    H = np.zeros((n, n))
    at = np.arange(n - 1)
    H[at, at] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    H[at + 1, at + 1] += 200
    H[at, at + 1] = H[at + 1, at] = -400 * x[:-1]
    return H


def stored(x: Any) -> Any:
    """Code that fills a plain array."""
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = x[i] ** 3
    return np.sum(y)


# ---------------------------------------------------------------- hessian

S = np.array([[2.0, 1.0, 0.0], [1.0, 4.0, -1.0], [0.0, -1.0, 6.0]])
BIG = np.linspace(0.5, 1.5, 12)

HESSIANS = {
    "product": (lambda x: x[0] ** 2 * x[1], [1.0, 3.0], [[6, 2], [2, 0]]),
    "ints": (lambda x: x[0] ** 2 * x[1], np.array([1, 3]), [[6, 2], [2, 0]]),
    "list": (lambda x: x[0] ** 2 * x[1], [1, 3], [[6, 2], [2, 0]]),
    "quadratic form": (lambda x: x @ S @ x / 2, X, S),
    "separable": (lambda x: np.sum(np.sin(x)), X, np.diag(-np.sin(X))),
    "product of all": (np.prod, X, [[0, 3, 2], [3, 0, 1], [2, 1, 0]]),
    "product with a zero": (np.prod, [0.0, 2.0, 3.0], [[0, 3, 2], [3, 0, 0], [2, 0, 0]]),
    "log-sum-exp": (lambda x: np.log(np.sum(np.exp(x))), np.zeros(2), [[0.25, -0.25], [-0.25, 0.25]]),
    "norm": (np.linalg.norm, [3.0, 4.0], [[16 / 125, -12 / 125], [-12 / 125, 9 / 125]]),
    "hypot": (lambda x: np.hypot(x[0], x[1]), [3.0, 4.0], [[16 / 125, -12 / 125], [-12 / 125, 9 / 125]]),
    "linear": (np.sum, X, np.zeros((3, 3))),
    "constant": (lambda x: 3.0, X, np.zeros((3, 3))),
    "constant int": (lambda x: 3, X, np.zeros((3, 3))),
    "one number": (lambda x: x**3, 2.0, 12.0),
    "int": (lambda x: x**3, 2, 12.0),
    "0-d": (lambda x: x**3, np.array(2.0), 12.0),
    "empty": (lambda x: np.sum(x**3), np.zeros(0), np.zeros((0, 0))),
    "matrix": (lambda A: np.sum(A**3) / 6, [[1.0, 2.0]], [[[[1, 0]], [[0, 2]]]]),
    "det": (
        np.linalg.det,
        np.eye(2) * 2,
        [[[[0, 0], [0, 1]], [[0, 0], [-1, 0]]], [[[0, -1], [0, 0]], [[1, 0], [0, 0]]]],
    ),
    "more than a few": (rosenbrock, BIG, rosenbrock_hessian(BIG)),
    "more than a hundred": (rosenbrock, np.linspace(0.5, 1.5, 150), rosenbrock_hessian(np.linspace(0.5, 1.5, 150))),
    "repeats": (lambda x: np.prod(x[[0, 0, 1]]), [2.0, 3.0], [[6, 4], [4, 0]]),
    "roll": (lambda x: np.sum(x * np.roll(x, 1)), X, [[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    "stored": (stored, X, np.diag(6 * X)),
    "branch": (lambda x: x[0] ** 2 if x[0] > 0 else x[1] ** 2, [1.0, 1.0], [[2, 0], [0, 0]]),
    "loop": (lambda x: sum(v * v * v for v in x), X, np.diag(6 * X)),
    "dict": (
        lambda p: p["a"] ** 2 * np.sum(p["b"] ** 2),
        {"a": 2.0, "b": np.array([1.0, 3.0])},
        {"a": {"a": 20.0, "b": [8.0, 24.0]}, "b": {"a": [8.0, 24.0], "b": np.diag([8.0, 8.0])}},
    ),
    "tuple": (
        lambda p: p[0] ** 2 * np.sum(p[1] ** 2),
        (2.0, np.array([1.0, 3.0])),
        ((20.0, np.array([8.0, 24.0])), (np.array([8.0, 24.0]), np.diag([8.0, 8.0]))),
    ),
    "list of arrays": (
        lambda p: np.sum(p[0] ** 2) * p[1][0],
        [np.ones(1), np.ones(2)],
        [[np.array([[2.0]]), np.array([[2.0, 0.0]])], [np.array([[2.0], [0.0]]), np.zeros((2, 2))]],
    ),
    "nan that is left out": (lambda x: np.nansum(x**3), [np.nan, 2.0], [[0, 0], [0, 12]]),
    "branch not taken": (lambda x: np.sum(np.where(x > 1, np.sqrt(x - 1), x**2)), [1.0, 2.0], [[2, 0], [0, -0.25]]),
    "a relu's square": (lambda x: np.maximum(x, 0.0) ** 2, 3.0, 2.0),
    "abs": (np.abs, 0.0, 0.0),
    "max": (lambda x: np.max(x) ** 2, [1.0, 3.0], [[0, 0], [0, 2]]),
    "sort": (lambda x: np.sort(x)[0] ** 3, [3.0, 1.0], [[0, 0], [0, 6]]),
    "complex": (lambda z: z[0] ** 2 * z[1], [1 + 1j, 2.0], [[4, 2 + 2j], [2 + 2j, 0]]),
}


@pytest.mark.parametrize("name", HESSIANS)
def test_hessian(name: str) -> None:
    f, x, due = HESSIANS[name]
    got = dd.hessian(f)(x)
    same(got, due)
    assert isinstance(got, float) == (name in ("one number", "int", "0-d", "a relu's square", "abs"))


@pytest.mark.parametrize("name", [n for n in HESSIANS if n not in ("dict", "tuple", "list of arrays")])
def test_hvp_and_laplacian_agree_with_the_hessian(name: str) -> None:
    f, x, due = HESSIANS[name]
    v = np.cos(np.arange(np.size(x))).reshape(np.shape(x))
    due = np.reshape(due, (np.size(x), np.size(x)))
    same(dd.hvp(f, x, v), (due @ v.ravel()).reshape(np.shape(x)), 1e-11)
    same(dd.laplacian(f)(x), np.trace(due), 1e-11)
    along = v.ravel() @ due @ v.ravel()
    same(dd.directional_derivative(f, np.asarray(x) * 1.0, v, order=2), along, 1e-10)


@pytest.mark.parametrize("n", [3, 8, 9, 20, 150])
def test_hessians_are_symmetric_and_run_f_once(n: int) -> None:
    A, calls = np.random.default_rng(n).normal(size=(n, n)) / n, []

    def f(x: Any) -> Any:
        calls.append(1)
        return np.sum(np.tanh(A @ np.sin(x)) * np.roll(x, 1)) / (1 + x @ x)

    x = np.linspace(-1.0, 2.0, n)
    H = dd.hessian(f)(x)
    assert len(calls) == 1 and H.flags.c_contiguous
    np.testing.assert_allclose(H, H.T, atol=1e-14)
    step = 1e-5
    columns = [(dd.gradient(f)(x + step * e) - dd.gradient(f)(x - step * e)) / (2 * step) for e in np.eye(n)[:3]]
    np.testing.assert_allclose(H[:3], columns, atol=1e-8)
    v = np.cos(x)
    calls.clear()
    np.testing.assert_allclose(dd.hvp(f, x, v), H @ v, atol=1e-13)
    np.testing.assert_allclose(dd.hessian(f, sparse=True)(x).toarray(), H, atol=1e-13)
    assert len(calls) == 2
    np.testing.assert_allclose(dd.laplacian(f)(x), np.trace(H), atol=1e-13)


def test_several_arguments() -> None:
    f = lambda a, b, c=1.0: c * a**2 * np.sum(b**2)
    b = np.array([1.0, 3.0])
    blocks = ((20.0, np.array([8.0, 24.0])), (np.array([8.0, 24.0]), np.diag([8.0, 8.0])))
    same(dd.hessian(f, argnums=(0, 1))(2.0, b), blocks)
    same(dd.hessian(f, argnums=(-1, 0))(2.0, b), tuple(row[::-1] for row in blocks[::-1]))
    same(dd.hessian(f, argnums=(1,))(2.0, b), ((blocks[1][1],),))
    same(dd.hessian(f, argnums=-1)(2.0, b), blocks[1][1])
    same(dd.hessian(f, argnums=1)(2.0, b, c=2.0), 2 * blocks[1][1])
    assert dd.hessian(f, argnums=())(2.0, b) == ()
    same(dd.hessian(lambda a, b: a**2 * b, argnums=(0, 1))(2.0, 3.0), ((6.0, 4.0), (4.0, 0.0)))
    h = dd.hessian(lambda a, b: np.sum((a @ b) ** 2), argnums=(0, 1))(np.ones((2, 3)), np.ones((3, 4)))
    assert [[block.shape for block in row] for row in h] == [[(2, 3, 2, 3), (2, 3, 3, 4)], [(3, 4, 2, 3), (3, 4, 3, 4)]]
    np.testing.assert_allclose(h[0][1], np.transpose(h[1][0], (2, 3, 0, 1)))
    h = dd.hessian(lambda a, p: a**2 * p["u"] ** 3, argnums=(0, 1))(2.0, {"u": 1.0})
    same(h, ((2.0, {"u": 12.0}), ({"u": 12.0}, {"u": {"u": 24.0}})))


@pytest.mark.parametrize("make", [Pair, Parameters])
def test_structured_arguments(make: Any) -> None:
    h = dd.hessian(lambda p: p.a**2 * np.sum(p.b))(make(3.0, np.ones(2)))
    assert type(h) is make and type(h.a) is make
    same(h.a.a, 4.0)
    same(h.a.b, [6.0, 6.0])
    same(h.b.a, [6.0, 6.0])
    same(h.b.b, np.zeros((2, 2)))
    v = dd.hvp(lambda p: p.a**2 * np.sum(p.b), make(3.0, np.ones(2)), make(1.0, np.zeros(2)))
    assert type(v) is make
    same(v.a, 4.0)
    same(v.b, [6.0, 6.0])


def test_float_types() -> None:
    f = lambda x: np.sum(x**3)
    for n in (2, 20, 200):
        x = np.ones(n, np.float32)
        assert dd.hessian(f)(x).dtype == dd.hvp(f, x, x).dtype == np.float32
        results = [dd.laplacian(f)(x), dd.divergence(np.sin)(x), dd.directional_derivative(f, x, x, 3)]
        assert [type(r) for r in results] == [np.float32] * 3
        assert type(dd.laplacian(f)(np.ones(n))) is type(dd.divergence(np.sin)(np.ones(n))) is float
    assert type(dd.hessian(f)(np.float32(2))) is np.float32
    turn = lambda x: np.stack([-x[1], x[0]])
    assert type(dd.curl(turn)(np.ones(2, np.float32))) is np.float32
    assert type(dd.curl(turn)(np.ones(2))) is type(dd.curl(turn)([1, 2])) is float


def test_where_there_is_no_second_derivative() -> None:
    """No finite number that looks healthy."""
    assert np.isinf(np.diag(dd.hessian(np.linalg.norm)(np.zeros(2)))).all()
    assert not np.isfinite(np.diag(dd.hessian(lambda x: np.linalg.norm(x) ** 2)(np.zeros(2)))).any()
    for n in (2, 20):
        H = dd.hessian(lambda x: np.sum(np.sqrt(x)))(np.r_[0.0, 4.0, np.ones(n - 2)])
        np.testing.assert_array_equal(H[:2, :2], [[-np.inf, 0.0], [0.0, -0.03125]])
    with dd.kinks("lexicographic"):
        assert dd.hessian(lambda x: np.abs(x) ** 2)(0.0) == 2.0
        assert dd.hvp(lambda x: np.abs(x[0]) ** 2, np.zeros(1), np.ones(1)) == [2.0]


def test_the_distances_of_points() -> None:
    """Points have the distance 0 from themselves, which adds nothing."""
    f = lambda p: np.sum(np.linalg.norm(p[:, None] - p[None, :], axis=-1)) / 2
    p = np.array([[0.0, 0.0], [3.0, 4.0]])
    block = np.array([[16.0, -12.0], [-12.0, 9.0]]) / 125
    due = np.empty((2, 2, 2, 2))
    due[0, :, 0] = due[1, :, 1] = block
    due[0, :, 1] = due[1, :, 0] = -block
    same(dd.hessian(f)(p), due)
    points = np.random.default_rng(0).normal(size=(10, 2))
    H = dd.hessian(f)(points)
    np.testing.assert_allclose(H.sum(axis=2), 0, atol=1e-13)  # a translation changes no distance
    np.testing.assert_allclose(H, H.transpose(2, 3, 0, 1), atol=1e-14)


# ---------------------------------------------------------------- sparse

SPARSE = {
    "rosenbrock": rosenbrock,
    "chain": lambda x: np.sum(x[:-2] * x[1:-1] * x[2:]),
    "repeats": lambda x: np.sum(np.sin(x[[0, 0, 3, 5, 5]]) * x[[1, 1, 2, 0, 5]]),
    "roll": lambda x: np.sum(np.exp(x * np.roll(x, 2))),
    "log-determinant of a diagonal": lambda x: np.sum(np.log(1 + x**2)),
    "linear": lambda x: np.sum(x),
    "grid": lambda x: np.sum((np.diff(x.reshape(4, 5), axis=0) ** 4)[:, 1:]) + np.sum(np.cos(x)),
    "mean": lambda x: np.mean((x[1:] - x[:-1]) ** 2) ** 2,
}


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sparse_hessians(name: str, dtype: Any) -> None:
    pytest.importorskip("scipy")
    f, x = SPARSE[name], np.linspace(0.5, 1.5, 20).astype(dtype)
    h, due = dd.hessian(f, sparse=True)(x), dd.hessian(f)(x.astype(float))
    assert h.dtype == dtype and h.format == "csr" and h.has_sorted_indices and abs(h - h.T).max() == 0
    near = {"rtol": 1e-12, "atol": 1e-12} if dtype is np.float64 else {"rtol": 1e-4, "atol": 1e-3}
    np.testing.assert_allclose(h.toarray(), due, **near)


def test_sparse_hessian_of_rosenbrock() -> None:
    pytest.importorskip("scipy")
    x = np.linspace(0.5, 1.5, 10)
    np.testing.assert_allclose(dd.hessian(rosenbrock, sparse=True)(x).toarray(), rosenbrock_hessian(x), rtol=1e-14)
    n = 100_000
    x = np.linspace(0.5, 1.5, n)
    h = dd.hessian(rosenbrock, sparse=True)(x)
    assert h.shape == (n, n) and h.nnz == 3 * n - 2
    np.testing.assert_allclose(h.diagonal(1), -400 * x[:-1], rtol=1e-14)
    v = np.cos(np.arange(n))
    np.testing.assert_allclose(h @ v, dd.hvp(rosenbrock, x, v), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dd.laplacian(rosenbrock)(x), h.diagonal().sum(), rtol=1e-12)


# ---------------------------------------------------------------- higher orders and nesting

EXPRESSIONS = {
    "polynomial": lambda m, x, y: x**3 * y**2 + x * y - y,
    "waves": lambda m, x, y: m.sin(x * y) + m.exp(-x) / (1 + y**2),
    "log": lambda m, x, y: m.log(x + 2 * y) * m.sqrt(x),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("order", range(7))
def test_directional_derivatives(name: str, order: int) -> None:
    t = sympy.Symbol("t")
    due = float(sympy.diff(EXPRESSIONS[name](sympy, 2 + t / 2, 3 - 2 * t), t, order).subs(t, 0).evalf(30))
    f = lambda p: EXPRESSIONS[name](np, p[0], p[1])
    got = dd.directional_derivative(f, [2, 3], [0.5, -2.0], order=order)
    np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-13)
    assert order == 0 or type(got) is float
    in_dict = dd.directional_derivative(
        lambda p: f((p["x"], p["y"])), {"x": 2.0, "y": 3.0}, {"x": 0.5, "y": -2.0}, order
    )
    np.testing.assert_allclose(in_dict, due, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("order", range(6))
def test_directional_derivatives_of_results_of_any_kind(order: int) -> None:
    due = [X**3, 3 * X**3, 6 * X**3, 6 * X**3, 0 * X, 0 * X][order]
    same(dd.directional_derivative(lambda x: x**3, X, X, order), due)
    same(dd.directional_derivative(lambda x: {"a": x**3, "b": (x[0] ** 3, X)}, X, X, order)["a"], due)
    same(dd.directional_derivative(lambda x: [x[0] ** 3, x[1] ** 3], X, X, order), due[:2])
    same(dd.directional_derivative(stored, X, X, order), np.sum(due))
    same(dd.directional_derivative(lambda x: 3.0, X, X, order), 0.0 if order else 3.0)
    same(dd.directional_derivative(lambda x: x**3, 2, 1, order), [8, 12, 12, 6, 0, 0][order])
    same(dd.directional_derivative(lambda z: z**3, 1j, 1j, order), due[0] * (1j) ** 3)
    with dd.kinks("lexicographic"):
        same(dd.directional_derivative(lambda x: np.abs(x) ** 3, 0.0, -1.0, order), 6.0 if order == 3 else 0.0)
    outer = dd.derivative(lambda a: dd.directional_derivative(lambda x: a**2 * x**3, X, X, order))(3.0)
    same(outer, 6 * due)


def test_second_derivatives_by_the_oracle() -> None:
    f = lambda x: x[0] ** 2 * np.exp(x[1] * x[2]) + np.sin(x[0] * x[2]) / x[1]
    due = dd.oracle.hessian(f, 3).at([1, 2, 3])
    np.testing.assert_allclose(dd.hessian(f)(X), np.array(due, float), rtol=1e-13)


def test_nesting() -> None:
    x = np.array([1.0, 2.0])
    f = lambda x: x[0] ** 3 * x[1] ** 2
    third = np.array([[[24, 24], [24, 6]], [[24, 6], [6, 0]]])
    same(dd.jacobian(dd.hessian(f))(x), third)
    for mode in ("forward", "reverse"):
        same(dd.gradient(lambda x: np.sum(dd.hessian(f)(x)), mode=mode)(x), np.sum(third, axis=(0, 1)))
        same(dd.gradient(dd.laplacian(f), mode=mode)(x), np.trace(third))
        same(
            dd.gradient(lambda x: np.sum(dd.hvp(f, x, x)), mode=mode)(x),
            third @ x @ np.ones(2) + dd.hessian(f)(x).sum(0),
        )
        same(dd.gradient(dd.divergence(dd.gradient(f)), mode=mode)(x), np.trace(third))
    same(dd.laplacian(dd.laplacian(lambda x: np.sum(x**4)))(x), 48.0)
    same(dd.hessian(lambda x: np.sum(dd.hessian(lambda y: np.sum(y**4) * x[0])(x)))(x), [[72, 48], [48, 24]])
    same(dd.hessian(lambda a: dd.hessian(lambda x: a * x**3)(a))(2.0), 12.0)  # (a 6 a)'' : perturbations don't mix
    inner = lambda a: dd.hessian(lambda x: np.sum(np.sin(a * x)))(np.ones(12))[0, 0]
    np.testing.assert_allclose(dd.derivative(inner)(2.0), -4 * np.sin(2) - 4 * np.cos(2))


# ---------------------------------------------------------------- wrong use

two = lambda a, b: np.sum(a) + b
WRONG = {
    "hessian of a vector": (lambda: dd.hessian(lambda x: x * 2)(X), ValueError, "hessian: .* scalar.* shape (3,)"),
    "hessian of 20": (lambda: dd.hessian(lambda x: x * 2)(np.ones(20)), ValueError, "hessian: .* scalar.* shape (20,)"),
    "hessian of one": (lambda: dd.hessian(lambda x: x[:1])(X), ValueError, "hessian: .* scalar.* shape (1,)"),
    "hessian of None": (lambda: dd.hessian(lambda x: None)(X), TypeError, "hessian: .*return missing"),
    "hessian of text": (lambda: dd.hessian(lambda x: 1.0)("abc"), TypeError, "hessian: argument 0 is of type str"),
    "hessian of nothing": (lambda: dd.hessian(lambda x: 1.0)(), ValueError, "hessian: argnums=0"),
    "hessian of no function": (lambda: dd.hessian(X), TypeError, "hessian(f)(x)"),
    "hessian argnums": (lambda: dd.hessian(two, 2)(X, 1.0), ValueError, "hessian: argnums=2"),
    "hessian argnums twice": (lambda: dd.hessian(two, (0, 0))(X, 1.0), ValueError, "hessian: .*twice"),
    "hessian argnums text": (lambda: dd.hessian(two, "a")(X, 1.0), TypeError, "hessian: argnums must be an int"),
    "sparse of two": (lambda: dd.hessian(two, (0, 1), sparse=True)(X, 1.0), TypeError, "hessian: sparse .* one array"),
    "hvp of a vector": (lambda: dd.hvp(lambda x: x * 2, X, X), ValueError, "hvp: .* scalar.* shape (3,)"),
    "hvp shape": (lambda: dd.hvp(np.sum, X, X[:2]), ValueError, "hvp: v has shape (2,), x (3,)"),
    "hvp structure": (lambda: dd.hvp(np.sum, {"a": X}, {"b": X}), ValueError, "hvp: v has another structure than x"),
    "hvp complex": (lambda: dd.hvp(np.sum, X, X * 1j), TypeError, "hvp: v is complex but x is real"),
    "hvp of no function": (lambda: dd.hvp(X, X, X), TypeError, "hvp: .* function.* hvp(f, x, v)"),
    "order negative": (
        lambda: dd.directional_derivative(np.sum, X, X, -1),
        ValueError,
        "directional_derivative: order",
    ),
    "order float": (lambda: dd.directional_derivative(np.sum, X, X, 1.0), ValueError, "directional_derivative: order"),
    "order bool": (lambda: dd.directional_derivative(np.sum, X, X, True), ValueError, "directional_derivative: order"),
    "direction": (
        lambda: dd.directional_derivative(np.sum, X, 1.0),
        ValueError,
        "directional_derivative: v has shape ()",
    ),
    "direction, 3": (lambda: dd.directional_derivative(np.sum, X, 1.0, 3), ValueError, "directional_derivative: v has"),
    "divergence shape": (lambda: dd.divergence(lambda x: x[:2])(X), ValueError, "divergence: .*shape (3,).*shape (2,)"),
    "divergence of a scalar": (lambda: dd.divergence(np.sum)(X), ValueError, "divergence: .*shape (3,).*shape ()"),
    "divergence of 200": (lambda: dd.divergence(np.sum)(np.ones(200)), ValueError, "divergence: .*(200,).*shape ()"),
    "divergence of a dict": (
        lambda: dd.divergence(lambda x: {"a": x, "b": x})(X),
        ValueError,
        "divergence: .*2 arrays",
    ),
    "divergence by a dict": (lambda: dd.divergence(lambda x: x)({"a": X}), TypeError, "divergence: .* container"),
    "divergence argnums": (lambda: dd.divergence(two, (0,))(X, 1.0), TypeError, "divergence: argnums must be an int"),
    "curl shape": (lambda: dd.curl(lambda x: x[:2])(X), ValueError, "curl: .*shape (3,).*shape (2,)"),
    "curl in four": (lambda: dd.curl(lambda x: x)(np.ones(4)), ValueError, "curl: .*2 or 3 numbers.*(4,)"),
    "curl of a number": (lambda: dd.curl(lambda x: x)(1.0), ValueError, "curl: .*2 or 3 numbers.*()"),
    "curl argnums": (lambda: dd.curl(lambda x: x, argnums=(0,))(X), TypeError, "curl: argnums must be an int"),
    "laplacian argnums": (lambda: dd.laplacian(two, (0, 1))(X, 1.0), TypeError, "laplacian: argnums must be an int"),
    "laplacian by a dict": (lambda: dd.laplacian(lambda x: x)({"a": X}), TypeError, "laplacian: .* container"),
    "laplacian of None": (lambda: dd.laplacian(lambda x: None)(X), TypeError, "laplacian: .*return missing"),
    "laplacian of nothing": (lambda: dd.laplacian(lambda x: x, 3)(X), ValueError, "laplacian: argnums=3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use(name: str) -> None:
    call, error, text = WRONG[name]
    with pytest.raises(error, match=re.sub(r"[()]", r"\\\g<0>", text)):
        call()


def test_names_and_signatures_are_those_of_f() -> None:
    def energy(x: Any) -> Any:
        """The energy."""
        return np.sum(x**2)

    for transform in (dd.hessian, dd.laplacian, dd.divergence, dd.curl):
        assert transform(energy).__name__ == "energy" and transform(energy).__doc__ == "The energy."


def test_what_f_raises_comes_out() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("mine")

    calls = [dd.hessian(broken), dd.laplacian(broken), dd.divergence(broken), dd.curl(broken)]
    calls += [lambda x: dd.hvp(broken, x, x), lambda x: dd.directional_derivative(broken, x, x, 3)]
    for call in calls:
        with pytest.raises(KeyError, match="mine"):
            call(X)
    x = X.copy()
    dd.hessian(lambda x: x.sort() or x @ x)(x), dd.hvp(lambda x: x.sort() or x @ x, x, x)
    assert (x == X).all()
