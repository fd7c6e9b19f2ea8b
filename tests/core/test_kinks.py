"""Kinks: lexicographic derivatives against classical ones beside the kink, warnings, errors, and find_kinks."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd


def lexicographic(transform: Callable[..., Any], f: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with dd.kinks("lexicographic"):
        return transform(f, **options)(*args)


def line() -> int:
    return sys._getframe(1).f_lineno


# ---------------------------------------------------------------- examples with derivatives by hand

# f, point, Jacobian at x + eps e_1 + eps^2 e_2 + ... for eps -> 0
EXAMPLES: list[tuple[Callable[..., Any], Any, Any]] = [
    (lambda x: dd.relu(x) - dd.relu(-x), 0.0, 1.0),
    (lambda x: np.abs(x), 0.0, 1.0),
    (lambda x: abs(-x), 0.0, 1.0),
    (lambda x: np.maximum(x, -x), 0.0, 1.0),
    (lambda x: dd.relu(x) + dd.relu(-x), 0.0, 1.0),
    (lambda x: max(x, -x), 0.0, 1.0),
    (lambda x: max(-x, x), 0.0, 1.0),
    (lambda x: min(x, 0.0) + max([0.0, x]), 0.0, 1.0),
    (lambda x: sorted([x[0], x[1], 1.0 * x[2]])[1], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]),
    (lambda x: x if x >= 0 else -x, 0.0, 1.0),
    (lambda x: np.minimum(x, 0.0) + np.maximum(x, 0.0), 0.0, 1.0),
    (lambda x: np.fmax(x, 0.0) - np.fmin(0.0, x), 0.0, 1.0),
    (lambda x: np.maximum(x, x), 1.0, 1.0),
    (lambda x: np.sqrt(np.abs(x) + 4.0), 0.0, 0.25),
    (lambda x: np.copysign(x, 2.0), 0.0, 1.0),
    # Khan and Barton's: f(x, y) = max(min(x, -y), y - x) is -y a step along e_1, then e_2
    (lambda x: np.maximum(np.minimum(x[0], -x[1]), x[1] - x[0]), [0.0, 0.0], [0.0, -1.0]),
    (lambda x: np.maximum(np.minimum(x[0], x[1]), -x[0]), [0.0, 0.0], [0.0, 1.0]),
    (lambda x: np.abs(x[1]) + np.abs(x[0] + x[1]), [0.0, 0.0], [1.0, 2.0]),
    (lambda x: np.abs(np.abs(x[0]) - np.abs(x[1])), [0.0, 0.0], [1.0, -1.0]),
    (lambda x: np.abs(x), [-2.0, 0.0, 3.0], np.diag([-1.0, 1.0, 1.0])),
    (lambda x: np.clip(x, 0.0, 1.0), [-1.0, 0.0, 0.5, 1.0], np.diag([0.0, 1.0, 1.0, 0.0])),
    (lambda x: np.clip(0.0, x[0], x[1]), [0.0, 0.0], [0.0, 1.0]),
    (np.max, [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
    (np.min, [1.0, 1.0, 1.0], [0.0, 0.0, 1.0]),
    (lambda x: np.max(x, axis=0), [[1.0, 2.0], [1.0, 2.0]], [[[1, 0], [0, 0]], [[0, 1], [0, 0]]]),
    (lambda x: np.min(x, axis=(0, 1), keepdims=True), [[1.0, 1.0]], [[[[0.0, 1.0]]]]),
    (lambda x: np.max(x, where=[False, True, True], initial=0.0), [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]),
    (lambda x: np.maximum.reduce(x), [1.0, 1.0], [1.0, 0.0]),
    (np.nanmax, [np.nan, 1.0, 1.0], [0.0, 1.0, 0.0]),
    (np.ptp, [1.0, 1.0], [1.0, -1.0]),
    (np.sort, [1.0, 1.0, 0.0], [[0, 0, 1], [0, 1, 0], [1, 0, 0]]),
    (lambda x: np.partition(x, 1), [2.0, 2.0], [[0, 1], [1, 0]]),
    (np.median, [1.0, 1.0, 3.0], [1.0, 0.0, 0.0]),
    (np.median, [1.0, 2.0, 2.0, 5.0], [0.0, 0.5, 0.5, 0.0]),
    (lambda x: np.percentile(x, 75), [2.0, 2.0, 2.0], [0.5, 0.5, 0.0]),
    (np.linalg.norm, [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
    (lambda x: np.linalg.norm(x[::-1] * [3.0, 4.0]), [0.0, 0.0], [4.0, 0.0]),
    (lambda x: np.linalg.norm([[1.0, 1.0], [0.0, 1.0]] @ x), [0.0, 0.0], [1.0, 1.0]),
    (lambda x: np.linalg.norm(x, axis=1), [[3.0, 4.0], [0.0, 0.0]], [[[0.6, 0.8], [0, 0]], [[0, 0], [1.0, 0]]]),
    (lambda x: np.linalg.norm(x, 1), [0.0, 0.0], [1.0, 1.0]),
    (lambda x: np.linalg.norm(x, 3), [0.0, 0.0], [1.0, 0.0]),
    (lambda x: np.linalg.norm(x, np.inf), [1.0, -1.0], [1.0, 0.0]),
    (lambda x: np.linalg.norm(x, -np.inf), [1.0, -1.0], [0.0, -1.0]),
    (lambda x: np.linalg.norm(x, 1), [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]),
    (lambda x: np.hypot(x[0] + x[1], x[1]), [0.0, 0.0], [1.0, 1.0]),
    (lambda x: np.abs((x[0] + 1j * x[1]) * (3 - 4j)), [0.0, 0.0], [5.0, 0.0]),
    (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 0.0]), 1.0, -1.0),
    (lambda x: np.interp(2 - x, [0.0, 1.0, 2.0], [0.0, 1.0, 0.0]), 1.0, -1.0),
]


@pytest.mark.parametrize("k", range(len(EXAMPLES)))
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_examples(k: int, chunk_size: int | None) -> None:
    f, x, due = EXAMPLES[k]
    got = lexicographic(dd.jacobian, f, np.array(x) if isinstance(x, list) else x, chunk_size=chunk_size)
    np.testing.assert_allclose(got, due, rtol=1e-15)


@pytest.mark.parametrize(
    "f, x, v, due",
    [
        (dd.relu, 0.0, -1.0, 0.0),
        (dd.relu, 0.0, 2.0, 2.0),
        (abs, 0.0, -3.0, 3.0),
        (lambda x: np.maximum(x, 1.0), 1.0, -1.0, 0.0),
        (lambda x: np.minimum(x, 1.0), 1.0, -1.0, -1.0),
        (lambda x: np.clip(x, 0.0, 1.0), np.array([0.0, 1.0]), np.array([-2.0, -2.0]), [0.0, -2.0]),
        (lambda x: np.clip(x, 0.0, 1.0), np.array([0.0, 1.0]), np.array([2.0, 2.0]), [2.0, 0.0]),
        (np.linalg.norm, np.zeros(2), np.array([-3.0, 4.0]), 5.0),
        (lambda x: np.linalg.norm(x, 1), np.zeros(2), np.array([-3.0, 4.0]), 7.0),
        (np.max, np.ones(3), np.array([-1.0, -0.5, -2.0]), -0.5),
        (np.sort, np.ones(3), np.array([0.0, -1.0, 2.0]), [-1.0, 0.0, 2.0]),
        (np.median, np.ones(3), np.array([5.0, -1.0, 2.0]), 2.0),
        (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 5.0]), 1.0, -1.0, -1.0),
        (lambda x: np.sqrt(x**2 + 0.0) if x else abs(x), 0.0, -1.0, 1.0),
        (lambda x: np.abs(x), np.float32(0), np.float32(-1), 1.0),
    ],
)
def test_one_sided_directional_derivatives(f: Callable[..., Any], x: Any, v: Any, due: Any) -> None:
    with dd.kinks("lexicographic"):
        np.testing.assert_allclose(dd.jvp(f, (x,), (v,))[1], due, rtol=1e-15)


def test_a_user_dual_has_the_order_of_its_tangents() -> None:
    with dd.kinks("lexicographic"):
        assert abs(dd.Dual(0.0, -2.0)).tangent == 2.0
        np.testing.assert_array_equal(np.abs(dd.Dual(0.0, [0.0, -2.0, 1.0])).tangent, [0.0, 2.0, -1.0])
        np.testing.assert_array_equal(np.sort(dd.Dual([1.0, 1.0], [[0.0, 0.0], [3.0, 2.0]])).tangent[1], [2.0, 3.0])
    assert abs(dd.Dual(0.0, -2.0)).tangent == 0.0


# ---------------------------------------------------------------- random piecewise linear functions


def random_function(rng: np.random.Generator) -> Callable[..., Any]:
    """A composition of affine maps of small integers and functions with kinks: all arithmetic with it is exact."""
    layers: list[Any] = [
        np.abs,
        dd.relu,
        np.sort,
        lambda z: np.maximum(z, z[::-1]),
        lambda z: np.minimum(z, 0.0),
        lambda z: np.clip(z, z[1], z[0] + 1.0),
        lambda z: z - np.max(z),
        lambda z: np.stack([np.median(z), np.min(z), z[0]]),
        lambda z: np.stack([max(z[0], z[1]), min(z[1], z[2]), sorted([z[2], z[0], z[1]])[1]]),
        lambda z: np.partition(z, 1)[::-1] + np.ptp(z),
        lambda z: np.fmax(z, -z) + np.linalg.norm(z, 1),
        lambda z: z + np.linalg.norm(z, np.inf),
    ]
    chosen = [
        (rng.integers(-1, 2, (3, 3)).astype(float), rng.integers(-1, 2, 3), layers[rng.integers(len(layers))])
        for _ in range(4)
    ]

    def f(x: Any) -> Any:
        for a, b, layer in chosen:
            x = layer(a @ x + b)
        return x

    return f


@pytest.mark.parametrize("seed", range(60))
def test_jacobian_is_the_classical_one_beside_the_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, x = random_function(rng), rng.integers(-1, 2, 3).astype(float)
    basis = rng.integers(-2, 3, (3, 3)) + 5.0 * np.eye(3)

    def along(y: Any) -> Any:
        return f(x + basis @ y)

    eps = 2.0 ** -np.array([12.0, 24.0, 36.0])
    due = dd.jacobian(along)(eps)
    for chunk_size in (None, 1, 2):
        np.testing.assert_array_equal(lexicographic(dd.jacobian, along, np.zeros(3), chunk_size=chunk_size), due)
    for v in basis:
        with dd.kinks("lexicographic"):
            value, tangent = dd.jvp(f, (x,), (v,))
        np.testing.assert_array_equal(tangent, (f(x + v * 2.0**-12) - value) * 2.0**12)


# ---------------------------------------------------------------- nested derivatives


def test_nested() -> None:
    x = np.array([0.0, 1.0])
    for mode in ("lexicographic", "subgradient"):
        with dd.kinks(mode):
            np.testing.assert_array_equal(
                dd.jacobian(dd.jacobian(lambda x: np.sum(x * np.abs(x))))(x), np.diag([2.0 * (mode[0] == "l"), 2.0])
            )
    hessian = lexicographic(dd.jacobian, dd.jacobian(lambda x: np.max(x) ** 2 + np.sort(x)[0] ** 3), np.ones(2))
    np.testing.assert_array_equal(hessian, [[2.0, 0.0], [0.0, 6.0]])

    def below(x: Any) -> Any:  # ties that the maximum does not touch need no order
        return np.max(np.stack([x + 1.0, x**2, -(x**2)]))

    assert lexicographic(dd.derivative, dd.derivative(below), 0.0) == 0.0

    def inner(x: Any) -> Any:  # x |x|, whose second derivative to the left is -2: times the direction -1 it is 2
        return dd.jvp(lambda y: y * np.abs(y), (x,), (1.0,))[1]

    with dd.kinks("lexicographic"):
        assert dd.jvp(inner, (0.0,), (-1.0,))[1] == 2.0
        assert dd.derivative(lambda a: dd.derivative(lambda x: a * dd.relu(x))(0.0))(3.0) == 1.0


def test_relu_has_slope_0_at_0_in_an_outer_derivative_too() -> None:
    f = lambda x: np.sum(np.sqrt(1 + dd.relu(x)) * (2 + x[::-1]))
    due = np.array([[0.0, 0.0], [0.0, -0.25 / np.sqrt(8) * 2]])
    due[1, 0] = due[0, 1] = 0.5 / np.sqrt(2)
    for hessian in (dd.hessian(f), dd.jacobian(dd.gradient(f)), dd.jacobian(dd.gradient(f, mode="reverse"))):
        np.testing.assert_allclose(hessian(np.array([0.0, 1.0])), due)


@pytest.mark.parametrize(
    "f, x",
    [
        (lambda x: np.abs(x**2), 0.0),  # is x**2, but to first order the outer derivative can't know
        (lambda x: np.linalg.norm(x * np.ones(2)) ** 2, 0.0),
        (lambda x: np.max(np.stack([x**2, x**3 - x**2])), 0.0),
    ],
)
def test_nested_is_refused_where_first_order_does_not_decide(f: Callable[..., Any], x: float) -> None:
    with pytest.raises(dd.KinkError, match=r"nested.*test_kinks\.py:\d+.*subgradient"):
        lexicographic(dd.derivative, dd.derivative(f), x)


# ---------------------------------------------------------------- what can't be ordered


@pytest.mark.parametrize(
    "f, x, text",
    [
        (lambda x: x if x > 0 else -x, 0.0, "a comparison at a tie.*np.maximum"),
        (lambda x: np.where(x > 0, x, -x), np.zeros(2), "values only.*dd.value"),
        (lambda x: np.where(np.less_equal(x, 0), -x, x), np.zeros(2), "a comparison at a tie"),
        (lambda x: x[np.argmin(x)], np.zeros(2), "np.argmin at a tie"),
        (lambda x: x[np.argsort(x, kind="stable")], np.zeros(2), "np.argsort at a tie"),
        (lambda x: np.sum(x.argmin(axis=0)), np.zeros((2, 1)), "np.argmin at a tie"),
        (np.std, np.ones(3), "np.std.*np.linalg.norm"),
        (np.linalg.eigvalsh, np.eye(2), "np.linalg.eigvalsh"),
        (lambda x: np.linalg.norm(x, 2), np.zeros((2, 2)), "np.linalg.norm"),
        (np.unique, np.ones(2), "np.unique.*jump"),
        (lambda q: np.quantile([1.0, 2.0, 4.0], q), 0.5, "np.quantile.*position"),
        (lambda x: np.max(x, initial=1.0), np.ones(2), "np.max.*initial"),
        (lambda x: np.abs(0.0 * np.sqrt(x)), 0.0, "np.absolute.*NaN"),
        (lambda x: np.sort(0.0 * np.sqrt(x)), np.zeros(2), "np.sort.*NaN"),
    ],
)
def test_what_cannot_be_ordered_is_refused(f: Callable[..., Any], x: Any, text: str) -> None:
    with pytest.raises(dd.KinkError, match=text) as caught:
        lexicographic(dd.jacobian, f, x)
    assert "test_kinks.py:" in str(caught.value)


def test_reverse_mode_names_forward() -> None:
    _, pullback = dd.vjp(lambda x: np.abs(x), np.ones(2))
    np.testing.assert_array_equal(pullback(np.ones(2)), [1.0, 1.0])
    with dd.kinks("lexicographic"), pytest.raises(dd.KinkError, match='mode="forward"'):
        dd.vjp(lambda x: np.abs(x), np.zeros(2))[1](np.ones(2))


def test_sparse_and_large_sweeps_order_as_small_ones_do() -> None:
    x = np.zeros(200)
    for options in ({"sparse": True}, {}, {"chunk_size": 7}):
        got = lexicographic(dd.jacobian, lambda x: dd.relu(np.diff(x)) - dd.relu(-np.diff(x)), x, **options)
        np.testing.assert_array_equal(got.toarray() if "sparse" in options else got, np.diff(np.eye(200), axis=0))
    got = lexicographic(dd.jacobian, lambda x: np.sort(np.maximum(x[:-1], x[1:])), x)
    order = np.eye(200)[-2::-1]  # a step along x_0, then x_1, ...: the first is the largest
    np.testing.assert_array_equal(got, order)


def test_value_frees_a_comparison() -> None:
    assert lexicographic(dd.derivative, lambda x: x if dd.value(x) > 0 else 3 * x, 0.0) == 3.0


def leaves(tree: Any) -> list[Any]:
    return [x for part in tree for x in leaves(part)] if isinstance(tree, tuple | list) else [tree]


# ---------------------------------------------------------------- warn and raise


def test_warnings_have_the_users_line_and_the_element() -> None:
    def f(x: Any) -> Any:
        lines.append(line() + 1)
        return np.maximum(x, [1.0, 2.0, 3.0])

    lines: list[int] = []
    with dd.kinks("warn"), pytest.warns(dd.KinkWarning) as caught:
        slope = dd.jacobian(f)(np.array([0.0, 2.0, 3.0]))
    np.testing.assert_array_equal(slope, np.diag([0.0, 0.5, 0.5]))  # as by default
    (w,) = caught
    assert (w.filename, w.lineno) == (__file__, lines[0])
    assert str(w.message).startswith("np.maximum(2, 2) is at a kink, element [1] and 1 more")


@pytest.mark.parametrize(
    "f, x, text",
    [
        (np.abs, 0.0, r"np\.absolute\(0\) is at a kink"),
        (dd.relu, 0.0, r"dd\.relu\(0\) is at a kink"),
        (lambda x: max(x, 1.0), 1.0, r"a comparison\(1, 1\) is at a kink"),
        (lambda x: x if x > 1 else 2.0, 1.0, r"a comparison\(1, 1\) is at a branch"),
        (lambda x: np.clip(x, 0.0, 1.0), np.array([0.5, 1.0]), r"np\.clip\(1, 1\) is at a kink, element \[1\]"),
        (lambda x: np.max(x, 0), np.array([[1.0, 2.0], [1.0, 3.0]]), r"np\.max\(1, 1\) is at a kink, element \[0\]"),
        (np.median, np.ones(3), r"np\.median\(1\) is at a kink"),
        (np.sort, np.array([3.0, 1.0, 3.0]), r"np\.sort\(3, 3\) is at a kink, element \[1\]"),
        (np.linalg.norm, np.zeros(2), r"np\.linalg\.norm\(0\) is at a kink"),
        (np.std, np.ones(2), r"np\.std\(0\) is at a kink"),
        (np.sign, 0.0, r"np\.sign\(0\) is at a jump"),
        (np.floor, np.array([0.5, 2.0]), r"np\.floor\(2\) is at a jump, element \[1\]"),
        (lambda x: np.round(x, decimals=1), 0.25, r"np\.round\(0\.25, 1\) is at a jump"),
        (lambda x: x // 2, 4.0, r"np\.floor_divide\(4, 2\) is at a jump"),
        (lambda x: x % 2, 4.0, r"np\.remainder\(4, 2\) is at a jump"),
        (lambda x: np.abs(x * (1 + 1j)), 0.0, r"np\.absolute\(0\+0j\) is at a kink"),
        (dd.derivative(np.abs), 0.0, r"np\.absolute\(0\) is at a kink"),
    ],
)
def test_raise_names_the_primitive_and_the_element(f: Callable[..., Any], x: Any, text: str) -> None:
    with dd.kinks("raise"), pytest.raises(dd.KinkError, match=text) as caught:
        dd.jacobian(lambda x: f(x))(x)
    assert "(at test_kinks.py:" in str(caught.value)


# ---------------------------------------------------------------- scope of the mode


def slope() -> float:
    return float(dd.derivative(abs)(0.0) + dd.derivative(np.max)(np.array(0.0)) - 1.0)


def test_the_mode_ends_with_its_block() -> None:
    with dd.kinks("lexicographic"):
        with dd.kinks("subgradient"):
            assert slope() == 0.0
        assert slope() == 1.0
        with pytest.raises(dd.KinkError), dd.kinks("raise"):
            slope()
        assert slope() == 1.0
    assert slope() == 0.0
    with pytest.raises(KeyError), dd.kinks("lexicographic"):
        raise KeyError
    assert slope() == 0.0


def test_threads_have_their_own_mode() -> None:
    inside, results = threading.Barrier(2), []

    def other() -> None:
        inside.wait(10)
        results.extend(slope() for _ in range(50))
        inside.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    with dd.kinks("lexicographic"):
        inside.wait(10)
        assert {slope() for _ in range(50)} == {1.0}
        inside.wait(10)
    thread.join()
    assert set(results) == {0.0}


def test_tasks_have_their_own_mode_and_keep_the_one_they_were_started_in() -> None:
    async def with_mode(mode: str) -> list[float]:
        with dd.kinks(mode):
            await asyncio.sleep(0)
            return [slope(), abs(dd.Dual(0.0, -1.0)).tangent]

    async def later(go: asyncio.Event) -> float:
        await go.wait()
        return slope()

    async def main() -> Any:
        go = asyncio.Event()
        with dd.kinks("lexicographic"):
            kept = asyncio.create_task(later(go))
        await asyncio.sleep(0)
        both = await asyncio.gather(with_mode("lexicographic"), with_mode("subgradient"))
        go.set()
        return both, await kept, slope()

    assert asyncio.run(main()) == ([[1.0, 1.0], [0.0, 0.0]], 1.0, 0.0)
    assert slope() == 0.0


@pytest.mark.parametrize("mode", ["clarke", "", None, 1])
def test_unknown_mode(mode: Any) -> None:
    with pytest.raises(ValueError, match="lexicographic"):
        dd.kinks(mode)


# ---------------------------------------------------------------- find_kinks


def _pole(x: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.log(x)


def test_find_kinks() -> None:
    def f(x: Any) -> Any:
        y = np.zeros(3)  # f runs a second time, with an array that can hold tangents: nothing is listed twice
        y[0] = np.abs(x[0])
        y[1:] = np.maximum(x[1:], 1.0); at.append(line())  # fmt: skip  # noqa: E702
        return np.sum(y) + np.sqrt(x[0] * 0)

    at: list[int] = []
    x = np.array([0.0, 1.25, -4.0])
    a, s = dd.find_kinks(f, x)
    b = dd.find_kinks(f, x, tol=0.5)[1]
    assert a[:2] + a[4:] == ("np.absolute", "kink", (), 0.0, (0.0,))
    assert s[:2] == ("np.sqrt", "singular")
    assert b == ("np.maximum", "kink", __file__, at[-1], (0,), 0.25, (1.25, 1.0))
    assert str(b) == f"{__file__}:{at[-1]}  np.maximum(1.25, 1)[0]  kink at distance 0.25"


@pytest.mark.parametrize(
    "f, x, tol, due",
    [
        (lambda x: (x**3) ** (1 / 3), 0.0, 0.0, ["np.power singular 0"]),
        (lambda x: np.sin(x) * np.exp(x) + x**2, 0.0, 9.0, []),
        (lambda x: np.arcsin(x), np.array([0.5, 1.0]), 0.0, ["np.arcsin singular 0"]),
        (_pole, 0.0, 0.0, []),  # where the value itself is not finite
        (lambda x: np.median(x), np.array([1.0, 1.5, 4.0, 8.0]), 1.0, ["np.median kink 0.5"]),
        (lambda x: np.median(x), np.array([1.0, 2.0, 2.0, 5.0]), 0.5, []),
        (lambda x: np.ptp(x), np.array([1.0, 1.5, 4.0]), 1.0, ["np.ptp kink 0.5"]),
        (lambda x: np.linalg.norm(x), np.array([3.0, 4.0]), 5.0, ["np.linalg.norm kink 5"]),
        (lambda x: np.clip(x, 0.0, 1.0), 0.75, 0.5, ["np.clip kink -0.25"]),
        (lambda x: np.trunc(x) + np.rint(x), 0.375, 0.5, ["np.rint jump -0.125"]),
        (lambda x: np.interp(x, [0.0, 1.0, 2.0], [0.0, 1.0, 5.0]), 0.75, 0.5, ["np.interp kink -0.25"]),
        (lambda x: np.linalg.eigvalsh(x), np.diag([1.0, 1.5, 4.0]), 1.0, ["np.linalg.eigvalsh kink 0.5"]),
        (lambda x: dd.derivative(lambda y: dd.relu(y * x))(2.0), 0.5, 1.0, ["dd.relu kink 1"]),
        (lambda x: min(x, 2.0), 1.5, 1.0, ["a comparison kink -0.5"]),
        (lambda x: x if x <= 2.0 else 2.0, 1.5, 1.0, ["a comparison branch -0.5"]),
    ],
)
def test_what_find_kinks_lists(f: Callable[..., Any], x: Any, tol: float, due: list[str]) -> None:
    assert [f"{p.primitive} {p.kind} {p.distance:g}" for p in dd.find_kinks(f, x, tol=tol)] == due


def test_find_kinks_of_a_container_and_bad_input() -> None:
    assert len(dd.find_kinks(lambda x: np.maximum(x["a"], x["b"]), {"a": 1, "b": 1.5}, 0.5)) == 1
    bad: list[Any] = [-1.0, float("nan"), None, True, "0.1"]
    for tol in bad:
        with pytest.raises(ValueError, match="tol"):
            dd.find_kinks(abs, 0.0, tol=tol)
    with pytest.raises(TypeError, match="function"):
        dd.find_kinks(3.0, 0.0)  # type: ignore[arg-type]


def test_nothing_is_reported_by_default() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dd.derivative(lambda x: dd.relu(x) - dd.relu(-x))(0.0) == 0.0


def test_several_quantiles_of_several_rows_are_reported() -> None:
    """The positions are of the quantiles, the distances of quantiles and rows."""
    a, q = np.array([[1.0, 2.0, 4.0], [2.0, 3.0, 7.0]]), np.array([0.25, 0.5])
    with dd.kinks("warn"), pytest.warns(dd.KinkWarning, match=r"quantile\(0.5\) is at a kink, element \[1, 0\] and 1"):
        tangent = dd.jvp(lambda q: np.quantile(a, q, axis=1), (q,), (np.ones(2),))[1]
    np.testing.assert_array_equal(tangent, [[2.0, 2.0], [3.0, 5.0]])


def test_found_kinks_print_as_a_table() -> None:
    found = dd.find_kinks(lambda x: np.sum(np.abs(x)), np.array([1.0, 0.0]))
    assert isinstance(found, list) and [*repr(found).split()[:4]] == ["where", "primitive", "kind", "distance"]
    assert re.search(r"test_kinks.py:\d+  np.absolute\(0\)\[1\]  kink         0$", repr(found))
    assert "<table" in found._repr_html_() and repr(dd.find_kinks(np.sin, 0.0)) == "no kinks"


@pytest.mark.parametrize("run", [
    lambda f: dd.gradient(f, mode="reverse")(2.0), lambda f: dd.taylor(f, 2.0, 3), lambda f: dd.derivative(f)(2.0),
    lambda f: dd.jacobian(f, sparse=True)(np.full(40, 2.0)), lambda f: dd.gradient(f, mode="reverse")(np.full(3, 2.0)),
])  # fmt: skip
def test_a_number_printed_inside_f_shows_its_value_and_what_it_is(run: Callable[..., Any]) -> None:
    seen = []

    def f(x: Any) -> Any:
        seen.extend([repr(x), str(x), f"{x}", repr(x[0]) if np.ndim(x) else ""])
        return np.sum(x * x)

    with contextlib.suppress(dd.DualdiffError):
        run(f)
    assert all(text.startswith("Dual(") and "2." in text and " at 0x" not in text for text in seen if text)
