"""Arrays of programs: whose memory results are, how they lie in it, what is filled, and when it is let go."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.program import printing, recording

from .tools import ready, robertson, served

ARRAY = np.array([1.0, 2.0, 3.0])


def test_results_are_new_and_arguments_stay() -> None:
    x = np.array([1.0, 2.0])
    compiled = ready(dd.jacobian(lambda x: x * 1.0), (x,), (2 * x,))
    first = compiled(x)
    first[:] = 7
    np.testing.assert_array_equal(compiled(x), np.eye(2))
    same = ready(lambda x: x, (x,), (2 * x,))
    result = same(x)
    result[0] = 5
    assert x[0] == 1.0
    constant = ready(lambda x: (ARRAY, x[0]), (x,), (2 * x,))
    constant(x)[0][0] = 9
    assert ARRAY[0] == 1.0


def test_copies_lie_in_memory_as_numpy_lays_them() -> None:
    f = lambda x: (np.outer(x, x[:20]).T.copy(), np.copy(np.outer(x, x[:20]).T), np.outer(x, x).T.copy().reshape(-1))
    x = np.arange(1.0, 41.0)
    compiled = ready(f, (x,), (x,))
    assert [y.strides for y in served(compiled, x)] == [y.strides for y in f(x)]


def test_memory_stays_flat() -> None:
    compiled = ready(dd.jacobian(robertson, 1), (0.0, np.ones(3)), (1.0, np.zeros(3)))
    y = np.array([0.1, 0.2, 0.3])
    compiled(0.0, y)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(10_000):
        compiled(0.0, y)
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 10_000


def stored(x: Any) -> Any:
    y = np.zeros_like(x)
    y[1:] = x[:-1] ** 2
    y[0] = x[0]
    return y


def filled(x: Any) -> Any:
    y = np.zeros(4)
    y[1:] = x**2
    y[0] = y[1] * 2
    return y


def summed(x: Any) -> Any:
    y = np.empty(3)
    for i in range(3):
        y[i] = x[i] * (y[i - 1] if i else 1.0)
        y[: i + 1] *= 2.0
    return y


@pytest.mark.parametrize("f", [stored, filled, summed])
@pytest.mark.parametrize("how", [{}, {"chunk_size": 1}, {"mode": "reverse"}, {"sparse": True}])
def test_buffers(f: Any, how: dict[str, Any]) -> None:
    g = dd.jacobian(f, **how)
    x = np.array([1.0, 2.0, 3.0])
    compiled = ready(g, (x,), (1.1 * x,))
    got, due = served(compiled, x[::-1].copy()), g(x[::-1].copy())
    np.testing.assert_allclose(*(j.toarray() if hasattr(j, "toarray") else j for j in (got, due)), rtol=1e-13)


def waves(x: Any) -> Any:
    y = np.sin(x) * x
    z = np.cos(y) + y[::-1]
    return np.where(z > 0.3, z * y, x).sum() + np.sum(np.exp(-z) * z)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_large_arrays_are_let_go_after_their_last_use(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    g, x = dd.gradient(waves, mode=mode), np.linspace(0.1, 2.0, 100_000)

    def peak() -> int:
        compiled = ready(g, (x,), (1.01 * x,))
        tracemalloc.start()
        np.testing.assert_allclose(served(compiled, 0.9 * x), g(0.9 * x), rtol=1e-12)
        tracemalloc.reset_peak()
        served(compiled, x)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    let_go = peak()
    monkeypatch.setattr(printing, "LARGE", 1 << 30)
    assert let_go < 0.75 * peak()


def blocks(x: Any) -> Any:
    return np.concatenate([x[1:] * x[:-1], x * x, np.repeat(x, 2) * np.tile(x, 2), x[[0, 0, 1]]])


@pytest.mark.parametrize("how", [{}, {"chunk_size": 1}, {"mode": "reverse"}, {"sparse": True}])
@pytest.mark.parametrize("f", [blocks, stored, waves])
def test_programs_of_arrays_that_are_let_go_or_wholly_filled(
    f: Any, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same numbers with every array let go, whatever stood in the memory that is filled."""
    monkeypatch.setattr(printing, "LARGE", 1)
    x = np.linspace(0.3, 2.0, 40)
    g = dd.gradient(f, mode="reverse") if f is waves else dd.jacobian(f, **how)
    compiled = ready(g, (x,), (1.1 * x,))
    for _ in range(3):
        got, due = served(compiled, x[::-1].copy()), g(x[::-1].copy())
        np.testing.assert_allclose(*(j.toarray() if hasattr(j, "toarray") else j for j in (got, due)), rtol=1e-12)


@pytest.mark.parametrize(
    "f", [lambda x: np.where(x > 0.9, x * x, x[::-1]).sum(), waves, lambda x: (np.sort(x) ** 3).sum()]
)
def test_programs_take_memory_in_proportion(f: Any) -> None:
    """Whether a program serves a gradient that is row-local as it is, or the gradient itself does."""
    x = np.linspace(0.1, 2.0, 4000)
    compiled = ready(dd.gradient(f), (x,))
    tracemalloc.start()
    np.testing.assert_allclose(compiled(0.9 * x), dd.gradient(f)(0.9 * x), rtol=1e-12)
    assert tracemalloc.get_traced_memory()[1] < 200 * x.nbytes
    tracemalloc.stop()


def test_recordings_that_grow_beyond_memory_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "BYTES", 0)

    def f(x: Any) -> Any:
        for _ in range(300):
            x = np.sin(x)
        return x

    compiled, x = dd.compile(f), np.ones(1000)
    np.testing.assert_array_equal(compiled(x), f(x))
    assert "memory" in compiled.report


@pytest.mark.parametrize("first", ["C", "F"])
@pytest.mark.parametrize("f", [lambda a: np.ravel(a, order="K"), lambda a: a.reshape(-1, order="A"), lambda a: a * 2.0])
def test_arguments_of_another_order_in_memory(f: Any, first: Any) -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]], order=first)
    compiled = ready(f, (a,), (2 * a,))
    for order in ("C", "F", first):
        for x in (np.array(a, order=order), np.array(3 * a, order=order)):
            got, due = compiled(x), f(x)
            np.testing.assert_allclose(got, due, rtol=1e-13)
            assert got.strides == due.strides


def test_what_is_compiled_is_let_go() -> None:
    def used(a: Any) -> weakref.ref[Any]:
        assert ready(dd.gradient(lambda x: np.sum(np.sin(x) * a)), (a,), (a / 2,)).source
        return weakref.ref(a)

    def alive(n: int) -> bool:
        kept = used(np.arange(1.0, n + 1))
        gc.collect()
        return kept() is not None

    assert [alive(n) for n in (3, 200)] == [False, False]  # in Python's numbers, and on arrays
