"""Passes of forward mode: chunks of every size, and how often f is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd


def mixing(x: Any) -> Any:
    y = np.outer(x, np.sin(x)) @ x
    return np.concatenate([y[1:] * x[0], np.cumsum(x), [np.max(x)], np.prod(x) * y])


@pytest.mark.parametrize("n", [1, 2, 5, 7])
def test_every_chunk_size_gives_the_same(n: int) -> None:
    x = np.linspace(0.5, 2, n)
    whole = dd.jacobian(mixing)(x)
    assert whole.shape == (len(mixing(x)), n)
    for chunk_size in (1, 2, 3, 5, n, n + 1, 100):
        np.testing.assert_allclose(dd.jacobian(mixing, chunk_size=chunk_size)(x), whole, rtol=1e-13)
    one_by_one = [dd.jvp(mixing, (x,), (e,))[1] for e in np.eye(n)]
    np.testing.assert_allclose(np.stack(one_by_one, 1), whole, rtol=1e-13)


@pytest.mark.parametrize("chunk_size, calls", [(None, 1), (1, 7), (2, 4), (3, 3), (7, 1), (100, 1)])
def test_calls_of_f(chunk_size: int | None, calls: int) -> None:
    """f is called once a sweep: ceil(n / chunk_size) times, over all arguments together."""
    count = []

    def f(x: Any, y: Any) -> Any:
        count.append(x)
        return x * y[0]

    dd.jacobian(f, (0, 1), chunk_size=chunk_size)(np.ones(4), np.ones(3))
    assert len(count) == calls
    if chunk_size == 1:  # genuine single directions
        assert all(x.tangent.shape == (4,) for x in count)


def test_one_pass_each() -> None:
    count = []

    def f(x: Any) -> Any:
        count.append(1)
        return np.sum(x**2)

    for run in (
        lambda: dd.gradient(f)(np.ones(5)),
        lambda: dd.value_and_gradient(f)(np.ones(5)),
        lambda: dd.value_and_jacobian(f)(np.ones(5)),
        lambda: dd.jvp(f, (np.ones(5),), (np.ones(5),)),
        lambda: dd.directional_derivative(f, np.ones(5), np.ones(5)),
        lambda: dd.derivative(f)(2.0),
        lambda: dd.value_and_derivative(f)(2.0),
        lambda: dd.derivative(lambda x: f(x) + x)(np.ones(0)),
    ):
        count.clear()
        run()
        assert len(count) == 1


@pytest.mark.parametrize("chunk_size", [0, -1, 1.5, "all", True])
def test_wrong_chunk_size(chunk_size: Any) -> None:
    with pytest.raises(ValueError, match="chunk_size"):
        dd.jacobian(mixing, chunk_size=chunk_size)(np.ones(2))


@pytest.mark.parametrize("transform", [dd.gradient, dd.jacobian, dd.value_and_gradient, dd.value_and_jacobian])
def test_wrong_mode(transform: Any) -> None:
    with pytest.raises(ValueError, match=r"mode.*sideways"):
        transform(mixing, mode="sideways")


@pytest.mark.parametrize(
    "transform", [dd.derivative, dd.gradient, dd.jacobian, dd.value_and_gradient, dd.value_and_jacobian]
)
def test_the_first_argument_is_a_function(transform: Any) -> None:
    with pytest.raises(TypeError, match="function"):
        transform(3.0)


def test_what_f_raises_comes_out_as_it_is() -> None:
    def f(x: Any) -> Any:
        raise ZeroDivisionError("mine")

    for run in (dd.derivative(f), dd.gradient(f), dd.jacobian(f), lambda x: dd.jvp(f, (x,), (x,))):
        with pytest.raises(ZeroDivisionError, match="mine"):
            run(1.0)
