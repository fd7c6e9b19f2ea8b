"""Storing into np.zeros(n) and its kin, in unmodified functions: right, or a TypeError that says what to write."""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from numpy import empty, zeros

import dualdiff as dd
from tests.run import user_module
from tests.run.user_module import squares

Array = npt.NDArray[Any]
POINT = np.array([1.0, 2.0, 3.0])


def by_element(x: Array) -> Array:
    y = np.zeros(3)
    for i in range(3):
        y[i] = x[i] * x[0]
    return y


def by_slices(x: Array) -> Array:
    y = np.empty((2, 3))
    y[0] = x**2
    y[1, 1:] = x[:2] * x[2]
    y[1, 0] = 7.0
    return y


def imported_names(x: Array) -> Array:
    y, z = zeros(2), empty(1)
    y[0], z[0] = x[0] * x[1], x[2]
    return np.concatenate([y, z])


def in_place(x: Array) -> Array:
    y = np.ones(3)
    y *= x
    y += x[::-1]
    return y


def with_out(x: Array) -> Array:
    return np.multiply(x, 2.0, out=np.zeros(3))


def from_a_list(x: Array) -> Array:
    y = np.array([0.0, 1.0, 2.0])
    y[1] = x[0] * x[2]
    return y


def of_objects(x: Array) -> Array:
    return np.sin(np.array([x[0] * x[1], 2.0, x[2]])) * np.mean([x[0], x[2], 1.0])


def as_floats(x: Array) -> Array:
    x = np.asanyarray(x, dtype=np.float64)
    y = np.empty(x.shape, x.dtype)
    y.fill(0.0)
    y += np.exp(-(x**2) / x.max())
    return y


def like_a_constant(x: Array) -> Array:
    y = np.zeros_like(POINT)
    y[:] = np.sin(x)
    return y


def helper(x: Array) -> Array:
    return by_element(x) + squares(x) + user_module.cubes(x)


def closure(x: Array) -> Array:
    def inner(z: Array) -> Array:
        y = np.zeros(3)
        y[0] = z[0] ** 2
        return y

    return inner(x)


def through_a_closure() -> Any:
    make = np.zeros

    def outer(x: Array) -> Array:
        y = make(3)
        y[2] = x[0] * x[2]
        return y

    return outer


def recursive(x: Array) -> Array:
    def power(z: Any, n: int) -> Any:
        y = np.zeros(1)
        y[0] = 1.0 if n == 0 else z * power(z, n - 1)[0]
        return y

    return power(x[0], 3)


def still_integers(x: Array) -> Array:
    order, y = np.zeros(3, dtype=int), np.zeros(3)
    order[1] = 2
    y[order] = x
    return y


class Model:
    rate = 2.0

    def rhs(self, x: Array) -> Array:
        y = np.zeros(3)
        y[:] = self.rate * x**2
        return y


FUNCTIONS = [
    *(
        by_element,
        by_slices,
        imported_names,
        in_place,
        with_out,
        from_a_list,
        of_objects,
        as_floats,
        like_a_constant,
        helper,
        closure,
    ),
    *(through_a_closure(), recursive, still_integers, Model().rhs, functools.partial(by_element)),
]


def differences(f: Any, x: Array) -> Array:
    steps = 1e-6 * np.eye(x.size)
    return np.stack([(np.array(f(x + h)) - f(x - h)) / 2e-6 for h in steps], -1)


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: getattr(f, "__qualname__", "partial"))
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_the_jacobian_is_right(f: Any, chunk_size: int | None) -> None:
    np.testing.assert_allclose(dd.jacobian(f, chunk_size=chunk_size)(POINT), differences(f, POINT), atol=1e-8)


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: getattr(f, "__qualname__", "partial"))
def test_nested(f: Any) -> None:
    second = dd.jacobian(dd.jacobian(f))(POINT)
    np.testing.assert_allclose(second, differences(dd.jacobian(f), POINT), atol=1e-7)


def test_scalars() -> None:
    def f(t: float) -> Array:
        y = np.zeros(2)
        y[0], y[1] = np.cos(t), t**2
        return y

    np.testing.assert_allclose(dd.derivative(f)(2.0), [-np.sin(2.0), 4.0])
    np.testing.assert_allclose(dd.jvp(f, (2.0,), (3.0,))[1], [-3 * np.sin(2.0), 12.0])
    assert dd.gradient(lambda x: by_element(x).sum())(POINT).tolist() == [7.0, 1.0, 1.0]


def test_nothing_outside_changes() -> None:
    before, constant = dict(vars(np)), np.zeros(3)
    dd.jacobian(helper)(POINT)
    assert dict(vars(np)) == before
    assert type(np.zeros(2)) is np.ndarray and type(squares(POINT)) is np.ndarray
    assert not constant.any()


def test_other_threads_see_plain_arrays() -> None:
    kinds, done = set(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            kinds.add(type(np.zeros(2)))
            kinds.add(type(squares(POINT)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(20):
            dd.jacobian(helper)(POINT)
    finally:
        done.set()
        watcher.join()
    assert kinds == {np.ndarray}


def test_nonlocal_variables_stay_shared() -> None:
    count = 0

    def f(x: Array) -> Array:
        nonlocal count
        count += 1
        y = np.zeros(3)
        y[:] = x
        return y

    dd.jacobian(f)(POINT)
    assert count == 2  # the sweep that failed, and the one that did not


CALLS = 0


def counted(x: Array) -> Array:
    global CALLS
    CALLS += 1
    y = np.zeros(3)
    y[:] = x
    return y


def count(x: Array) -> Array:
    global CALLS
    CALLS += 1
    return x * 2


def with_a_counter(x: Array) -> Array:
    y = np.zeros(3)
    y[:] = count(x)
    return y


def test_global_variables_are_written_where_they_are() -> None:
    """A function that writes them is not followed: in a copy of it the writes would be lost."""
    before = CALLS
    with pytest.raises(TypeError, match=r"zeros_like\(x\)"):
        dd.jacobian(counted)(POINT)
    assert before + 2 == CALLS  # once more with what can be followed
    np.testing.assert_array_equal(dd.jacobian(with_a_counter)(POINT), 2 * np.eye(3))
    assert before + 4 == CALLS  # and again: in the sweep that failed, and in the one that did not


def test_functions_without_buffers_run_once() -> None:
    calls = []
    dd.jacobian(lambda x: calls.append(1) or x * 2)(POINT)
    assert calls == [1]


BUFFER = np.zeros(3)


def into_a_global_array(x: Array) -> Array:
    BUFFER[:] = x
    return BUFFER


class Inner:
    __slots__ = ()  # a class that is not copied

    def __call__(self, x: Array) -> Array:
        y = np.zeros(3)
        y[:] = x
        return y


INNER = Inner()


@pytest.mark.parametrize("f", [into_a_global_array, lambda x: INNER(x)])
def test_what_cant_be_followed_says_what_to_write(f: Any) -> None:
    with pytest.raises(TypeError, match=r"zeros_like\(x\)"):
        dd.jacobian(f)(POINT)
    assert not BUFFER.any()


def test_the_users_own_error_comes_out() -> None:
    def f(x: Array) -> Array:
        y = np.zeros(3)
        y[:] = x
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        dd.jacobian(f)(POINT)


def test_functions_of_scipy_that_make_arrays_of_objects() -> None:
    special = pytest.importorskip("scipy.special")
    logsumexp = special.logsumexp

    def f(x: Array) -> Any:
        return logsumexp(x) + special.logsumexp(x * 2)

    def softmax(x: Array) -> Array:
        return np.exp(x) / np.exp(x).sum()

    np.testing.assert_allclose(dd.gradient(f)(POINT), softmax(POINT) + 2 * softmax(2 * POINT))
    np.testing.assert_allclose(dd.derivative(lambda x: special.polygamma(1, x))(2.0), special.polygamma(2, 2.0))
    for g in (special.softmax, special.log_softmax):
        np.testing.assert_allclose(dd.jacobian(lambda x, g=g: g(x))(POINT), differences(g, POINT), atol=1e-9)


def test_an_array_stays_itself() -> None:
    def f(x: Array) -> Array:
        y = np.zeros(3)
        y[:] = x
        z, w = np.asarray(y), np.array(y, float)
        z[0], w[1] = 5.0 * x[2], 0.0
        return np.stack([y, w])

    np.testing.assert_allclose(dd.jacobian(f)(POINT), differences(f, POINT), atol=1e-8)


def test_the_users_own_value_error_comes_out() -> None:
    def f(x: Array) -> Array:
        y = np.zeros((3, 3))
        y[0] = x
        return np.linalg.inv(y)

    with pytest.raises(np.linalg.LinAlgError):
        dd.jacobian(f)(POINT)


def test_globals_that_an_inner_function_writes_are_written_where_they_are() -> None:
    """A function that makes one with `global` is not followed either, since the copy would make a copy of that."""

    def f(x: Array) -> Array:
        def note() -> None:
            global CALLS
            CALLS += 1

        note()
        y = np.zeros(3)
        y[:] = x
        return y

    before = CALLS
    with pytest.raises(TypeError, match=r"zeros_like\(x\)"):
        dd.jacobian(f)(POINT)
    assert before + 2 == CALLS
