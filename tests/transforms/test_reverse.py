"""Reverse mode: transposes of every rule, pullbacks, nesting, memory, mutation, and gradients worked out by hand."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.pytree import flatten

inf, nan = np.inf, np.nan


# ---------------------------------------------------------------- worked by hand


def textbook(x: Any) -> Any:
    return np.log(x[0]) + x[0] * x[1] - np.sin(x[1])


def test_the_textbooks_examples() -> None:
    value, g = dd.value_and_gradient(textbook, mode="reverse")([2.0, 5.0])
    assert value == pytest.approx(np.log(2) + 10 - np.sin(5)) == pytest.approx(11.652, abs=5e-4)
    np.testing.assert_allclose(g, [1 / 2 + 5, 2 - np.cos(5)], rtol=1e-15)  # 5.5 and 1.716
    f = dd.gradient(lambda x, y, z: (x + y) * max(y, z), argnums=(0, 1, 2), mode="reverse")
    assert f(1.0, 2.0, 0.0) == (2.0, 5.0, 0.0)


def test_a_dense_layer() -> None:
    """z = W x + b, h = f(z), s = u.h: the error signal d = f'(z) * u gives ds/db = d and ds/dW = d xᵀ."""
    rng = np.random.default_rng(0)
    W, b, x, u = rng.normal(size=(3, 4)), rng.normal(size=3), rng.normal(size=4), rng.normal(size=3)
    signal = (1 - np.tanh(W @ x + b) ** 2) * u
    dW, db, dx = dd.gradient(lambda W, b, x: u @ np.tanh(W @ x + b), argnums=(0, 1, 2), mode="reverse")(W, b, x)
    np.testing.assert_allclose(db, signal, rtol=1e-13)
    np.testing.assert_allclose(dW, np.outer(signal, x), rtol=1e-13)
    np.testing.assert_allclose(dx, W.T @ signal, rtol=1e-13)


A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
PULLS: list[tuple[str, Any, Any, Any]] = [  # function of x, x, cotangent, what it becomes
    ("x + x", 3.0, 1.0, 2.0),  # branches accumulate
    ("np.array([x, 2 * x, 3.0])", 3.0, [1.0, 10.0, 100.0], 21.0),
    ("x[0] + x", np.array([1.0, 2.0]), [1.0, 10.0], [12.0, 10.0]),  # broadcast is the dual of sum
    ("np.sum(x, axis=0)", A, [1.0, 2.0, 3.0], [[1, 2, 3], [1, 2, 3]]),  # and sum of broadcast
    ("np.maximum(x, 2.0)", np.array([1.0, 2.0, 3.0]), [1.0, 1.0, 1.0], [0, 0.5, 1]),  # max routes
    ("x[0] * x[1]", np.array([3.0, 5.0]), 1.0, [5.0, 3.0]),  # mul swaps
    ("x[::-1]", np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0], [3, 2, 1]),
    ("x[[0, 0, 2]]", np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0], [3, 0, 3]),
    ("np.concatenate([x, x[:1]])", np.array([1.0, 2.0]), [1.0, 2.0, 3.0], [4, 2]),
    ("A @ x", np.array([1.0, 2.0, 3.0]), [1.0, 10.0], [41, 52, 63]),
    ("np.trace(x)", np.eye(2), 2.0, [[2, 0], [0, 2]]),
    ("np.einsum('ii->i', x)", np.eye(2), [1.0, 2.0], [[1, 0], [0, 2]]),
    ("np.einsum('ij->', x)", A, 2.0, np.full((2, 3), 2.0)),
    ("np.zeros(2) * x", np.array([1.0, 2.0]), [1.0, 1.0], [0, 0]),
    ("5.0", 1.0, 1.0, 0.0),
    ("(x['a'] * x['b'], x['a'])", {"a": 2.0, "b": 3.0}, (1.0, 10.0), {"a": 13.0, "b": 2.0}),
    ("np.where(x > 0, np.sqrt(x), x)", np.array([0.0, 0.0, 4.0]), [1.0, 0.0, 1.0], [1, 0, 0.25]),
    ("np.sqrt(x)", np.array([0.0, 0.0]), [0.0, 1.0], [0, inf]),  # a cotangent of 0 is strong
    ("np.cumsum(np.sqrt(x))", np.array([4.0, 0.0]), [1.0, 0.0], [0.25, 0]),
    ("A.T @ np.sqrt(x)", np.array([0.0, 4.0]), [0.0, 0.0, 0.0], [0, 0]),
    ("np.sqrt(x) * np.array([1.0, 0.0])", np.array([0.0, 0.0]), [1.0, 1.0], [inf, nan]),  # 0 * inf of two numbers
]


@pytest.mark.parametrize("source, x, ct, due", PULLS)
def test_pullback(source: str, x: Any, ct: Any, due: Any) -> None:
    _value, pullback = dd.vjp(lambda x: eval(source, {"np": np, "x": x, "A": A}), x)
    for _ in range(2):  # nothing accumulates between calls
        got = pullback(ct)
        for a, b in zip(flatten(got)[0], flatten(due)[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-15)
            assert np.shape(a) == np.shape(b)


def test_results_do_not_share_memory() -> None:
    x = np.array([1.0, 2.0])
    value, pullback = dd.vjp(lambda x: x, x)
    ct = np.array([1.0, 1.0])
    got = pullback(ct)
    got[0] = 9.0
    value[0] = 9.0
    np.testing.assert_array_equal(pullback(ct), [1, 1])
    np.testing.assert_array_equal((ct, x), ([1, 1], [1, 2]))
    a, b = dd.vjp(lambda x, y: x + y, x, x)[1](ct)
    assert not np.shares_memory(a, b)


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: dd.gradient(lambda x: x * 2, mode="reverse")(np.ones(2)), ValueError, "gradient.*scalar.*jacobian"),
    (lambda: dd.vjp(np.sin, np.ones(2))[1](np.ones(3)), ValueError, r"pullback.*\(3,\).*\(2,\)"),
    (lambda: dd.vjp(np.sin, np.ones(2))[1](1.0), ValueError, r"pullback.*shape \(\)"),
    (lambda: dd.vjp(lambda x: (x, x), np.ones(2))[1](1.0), ValueError, "pullback.*structure"),
    (lambda: dd.vjp(lambda x: (x, x), np.ones(2))[1]((np.ones(2), np.ones((3, 2)))), ValueError, "leading axis"),
    (lambda: dd.vjp(np.sin, np.ones(2))[1](np.ones(2) * 1j), TypeError, "complex"),
    (lambda: dd.vjp(np.sin, np.ones(2))[1]("ab"), TypeError, "cotangent"),
    (lambda: dd.gradient(np.abs, mode="reverse")(1 + 1j), TypeError, "holomorphic"),
    (lambda: dd.vjp(3.0, 1.0), TypeError, "vjp.*function"),
    (lambda: dd.vjp(lambda x: None, 1.0), TypeError, "vjp.*None"),
    (lambda: dd.gradient(lambda x: complex(x).real, mode="reverse")(1.0), TypeError, "lose the derivative"),
    (lambda: dd.jacobian(lambda x: np.exp(1j * x.imag), mode="reverse")(np.ones(1) * 1j), TypeError, "holomorphic"),
]


@pytest.mark.parametrize("act, error, message", BAD)
def test_errors(act: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        act()


# ---------------------------------------------------------------- passes, memory, long chains


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 5])
def test_jacobian_in_passes(chunk_size: int | None) -> None:
    calls = []

    def f(x: Any, y: Any) -> Any:
        calls.append(1)
        return {"a": np.outer(x, y), "b": np.sum(x) * y[0]}

    x, y = np.arange(1.0, 4.0), np.array([2.0, 5.0])
    js = dd.jacobian(f, (0, 1), mode="reverse", chunk_size=chunk_size)(x, y)
    assert len(calls) == 1
    due = dd.jacobian(f, (0, 1))(x, y)
    for got, want in zip(js, due, strict=True):
        for key in "ab":
            np.testing.assert_allclose(got[key], want[key], rtol=1e-15)
            assert got[key].flags.c_contiguous and got[key].shape == want[key].shape


@pytest.mark.parametrize("x", [np.ones(1), np.ones(2), np.ones(50), 1.0])
def test_auto_is_right_whatever_it_chooses(x: Any) -> None:
    for f in (lambda x: np.sum(x**2), lambda x: np.sin(x) * np.ones((3, np.size(x)))):
        np.testing.assert_array_equal(dd.jacobian(f, mode="auto")(x), dd.jacobian(f)(x))
    np.testing.assert_array_equal(dd.gradient(lambda x: np.sum(x**2), mode="auto")(x), 2 * x)


def test_a_chain_of_a_hundred_thousand_operations() -> None:
    def f(x: Any) -> Any:
        for _ in range(50_000):
            x = x * 0.999999 + 1e-6
        return x

    assert dd.gradient(f, mode="reverse")(2.0) == pytest.approx(0.999999**50_000, rel=1e-9)


def test_no_cycles_are_left_behind() -> None:
    f = lambda x: np.sum(np.sin(x[1:]) * x[:-1] @ np.ones((4, 2)))
    x = np.arange(1.0, 6.0)
    gc.collect()
    gc.disable()
    try:
        dd.gradient(f, mode="reverse")(x)
        value, pullback = dd.vjp(f, x)
        pullback(1.0)
        del value, pullback
        assert gc.collect() == 0
    finally:
        gc.enable()


KEPT = [  # what a function of an array of n numbers keeps for the way back, in arrays of that size
    ("x + 1.0", 0),
    ("-x", 0),
    ("np.sum(x)", 0),
    ("x.reshape(10, -1).T", 0),
    ("x[::2]", 0),
    ("np.sum(x - np.mean(x))", 0),
    ("2.0 * x", 0),
    ("np.exp(x)", 1),  # the result itself
    ("np.sin(x)", 1),
    ("np.sum(x * x)", 1),
]


@pytest.mark.parametrize("source, arrays", KEPT)
def test_only_what_a_transpose_needs_is_kept(source: str, arrays: int) -> None:
    n = 10_000
    x = np.linspace(0.0, 1.0, n)
    record = lambda: dd.vjp(lambda x: np.sum(eval(source, {"np": np, "x": x})), x)
    record()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        made = record()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert made and round((kept - 8 * n) / (8 * n)) <= arrays  # beside the argument's copy, which some functions keep


def test_a_constant_used_often_is_copied_once() -> None:
    a, x = np.eye(100), np.ones(100)

    def f(x: Any) -> Any:
        for _ in range(200):
            x = a @ x
        return x

    tracemalloc.start()
    try:
        _value, pullback = dd.vjp(f, x)
        assert tracemalloc.get_traced_memory()[0] < 10 * a.nbytes
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(pullback(x), x)


def test_a_constant_changed_between_uses() -> None:
    w = np.arange(1.0, 101.0)

    def f(x: Any) -> Any:
        y = x
        for _ in range(3):
            y = y * w
            w[:] = w + 1  # the caller's own
        return y

    k = np.arange(1.0, 101.0)
    np.testing.assert_allclose(dd.vjp(f, np.ones(100))[1](np.ones(100)), k * (k + 1) * (k + 2))


LOOPS = """
y = np.zeros_like(x)
for i in range(len(x)):
    y[i] = x[i] * (y[i - 1] if i else 1.0)

y = x * 1
for i in range(1, len(x)):
    y[i:] *= y[i - 1]

y = x * 1
z = y.reshape(2, 2)
w = z * z
z[0] = w[1] * z[0]
y = y + w.ravel()

y = np.zeros(4)
y[1:] = np.cumsum(x)[:3] ** 2

y = x * x
v = y[1:3]
u = np.exp(v)
y[:] = 0.5 * y
y[1] = u[0] * v[1]

y = x * 1
p = y * y
y += p
y *= p
p[:] = 0.0

x[1] = x[0] ** 2
y = x * x[::-1]
""".strip().split("\n\n")


@pytest.mark.parametrize("body", LOOPS)
def test_assignment(body: str) -> None:
    """As by forward mode, which looks nothing up later."""
    lines = "\n".join("    " + line for line in body.splitlines())
    scope: dict[str, Any] = {"np": np}
    exec(f"def f(x):\n{lines}\n    return y", scope)
    x = np.array([1.5, -0.5, 2.0, 0.7])
    np.testing.assert_allclose(dd.jacobian(scope["f"], mode="reverse")(x), dd.jacobian(scope["f"])(x), rtol=1e-14)


# ---------------------------------------------------------------- nesting and threads

MODES = ["forward", "reverse"]


@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("middle", MODES)
@pytest.mark.parametrize("innermost", MODES)
def test_three_levels_in_any_order(outer: str, middle: str, innermost: str) -> None:
    """x y² z³ at (1, 2, 3), by x, y and z: 2 y 3 z² = 108; and x³ three times: 6."""

    def f(x: Any) -> Any:
        return dd.gradient(lambda y: dd.gradient(lambda z: x * y**2 * z**3, mode=innermost)(3.0), mode=middle)(2.0)

    assert dd.gradient(f, mode=outer)(1.0) == 108.0
    cube = lambda x: np.sum(x**3)
    first = dd.gradient(cube, mode=innermost)
    third = dd.jacobian(dd.jacobian(first, mode=middle), mode=outer)(np.array([1.0, 2.0]))
    due = np.zeros((2, 2, 2))
    due[0, 0, 0] = due[1, 1, 1] = 6.0
    np.testing.assert_array_equal(third, due)


@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("inner_mode", MODES)
def test_perturbations_are_not_confused(outer: str, inner_mode: str) -> None:
    D = lambda f: dd.gradient(f, mode=outer)
    d = lambda f: dd.gradient(f, mode=inner_mode)
    assert D(lambda x: x * d(lambda y: x + y)(1.0))(1.0) == 1.0
    assert D(lambda x: d(lambda y: x)(2.0))(3.0) == 0.0
    assert D(lambda x: d(lambda y: y**2 * x)(x))(3.0) == 12.0
    box = [0.0]

    def keeps(y: Any) -> Any:
        box[0] = y
        return y * y

    assert D(lambda x: x * dd.value(d(keeps)(2.0)))(3.0) == 4.0
    with pytest.raises(dd.LeakedDualError):
        d(lambda y: y * box[0])(2.0)


def test_a_hessian_vector_product_costs_one_pass() -> None:
    calls = []

    def rosenbrock(x: Any) -> Any:
        calls.append(1)
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    x, v = np.array([1.0, 2.0, -1.0]), np.array([0.5, -1.0, 2.0])
    product = dd.jvp(dd.gradient(rosenbrock, mode="reverse"), (x,), (v,))[1]
    assert len(calls) == 1
    # H = [[1200 x0² - 400 x1 + 2, -400 x0, 0], [-400 x0, 202 + 1200 x1² - 400 x2, -400 x1], [0, -400 x1, 200]]
    H = np.array([[402.0, -400.0, 0.0], [-400.0, 5402.0, -800.0], [0.0, -800.0, 200.0]])
    np.testing.assert_allclose(product, H @ v, rtol=1e-13)


def test_threads() -> None:
    def work(k: int) -> Any:
        return [dd.gradient(lambda x: np.sum(k * x**2 * np.sum(x)), mode="reverse")(np.ones(3)) for _ in range(30)]

    with ThreadPoolExecutor(8) as pool:
        for k, results in enumerate(pool.map(work, range(8))):
            for g in results:
                np.testing.assert_array_equal(g, np.full(3, 9.0 * k))
