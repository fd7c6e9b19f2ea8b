"""The commonest mistakes, each answered at once by what is meant."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

x = np.array([1.0, 2.0])


def square(x: Any) -> Any:
    return x**2


def only_keywords(*, rate: Any) -> Any:
    return rate**2


def forgotten(x: Any) -> Any:
    x**2


class Series:
    """What of pandas.Series meets us: it is no array, but can be made one."""

    def to_numpy(self) -> Any:
        return x

    __array__ = to_numpy


INTS = "argnums must be an int or a tuple of ints, not "
POWER = "x ^ y is about the bits of integers; a power is written x**y"
MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: dd.gradient(square, 3.0), TypeError, f"{INTS}3.0; did you mean dd.gradient(f)(3.0)?"),
    (lambda: dd.gradient(square, x), TypeError, f"{INTS}of type ndarray; did you mean dd.gradient(f)(x)?"),
    (lambda: dd.hessian(square, [1.0, 2.0]), TypeError, f"{INTS}of type list; did you mean dd.hessian(f)(x)?"),
    (lambda: dd.derivative(square, 3), ValueError, "f takes 1 positional argument; did you mean dd.derivative(f)(3)?"),
    (lambda: dd.derivative(square, x), TypeError, "did you mean dd.derivative(f)(x)?"),
    (lambda: dd.derivative(lambda x, y: x * y, -3, order=2), ValueError, "f takes 2 positional arguments"),
    (lambda: dd.jacobian(square, argnums=(0, 1)), ValueError, "argnums=(0, 1), but f takes 1 positional argument"),
    (lambda: dd.compile(square, x), ValueError, "did you mean dd.compile(g)(x)?"),
    (
        lambda: dd.gradient(square(3.0)),
        TypeError,
        "must be a function, not float; write gradient(f)(x)",
    ),
    (lambda: dd.derivative(lambda x: x ^ 2)(3.0), dd.NotDifferentiableError, POWER),
    (lambda: dd.derivative(lambda x: 2 ^ x)(3.0), dd.NotDifferentiableError, POWER),
    (lambda: dd.gradient(lambda x: np.sum(x ^ 2), mode="reverse")(x), dd.NotDifferentiableError, POWER),
    (lambda: dd.gradient(lambda x: np.sum(np.arange(2) ^ x))(x), dd.NotDifferentiableError, POWER),
    (lambda: dd.gradient(np.sum)(Series()), TypeError, "argument 0 is a tests Series: pass its numbers, x.to_numpy()"),
    (lambda: dd.gradient(square)(x), ValueError, "must return a scalar, but its result has shape (2,); use jacobian"),
    (lambda: dd.derivative(lambda x: [x, x] ** 2)(1.0), TypeError, "'list' and 'int'"),
    (lambda: dd.derivative(forgotten)(1.0), TypeError, "f returned None (is a return missing?)"),
    (lambda: dd.derivative(only_keywords)(rate=1.0), TypeError, "write dd.derivative(lambda rate: f(rate=rate))(rate)"),
    (
        lambda: dd.derivative(square)(x=1.0),
        ValueError,
        "must be passed by position, as in dd.derivative(lambda x: f(x=x))",
    ),
]


@pytest.mark.parametrize("mistake, kind, text", MISTAKES)
def test_mistakes_are_answered(mistake: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=re.escape(text)):
        mistake()


def test_pandas_inside_f() -> None:
    pandas = pytest.importorskip("pandas")
    for f in (lambda x: np.sum(x * pandas.Series(x_)), lambda x: np.sum(pandas.Series(x_) * x)):
        with pytest.raises(dd.NotDifferentiableError, match=r"a Series or DataFrame.*s\.to_numpy\(\)"):
            dd.gradient(f)(x)


x_ = [1.0, 2.0]


def test_what_is_right_is_not_refused() -> None:
    def takes_more(*args: Any) -> Any:
        return args[2] ** 2

    assert dd.derivative(takes_more, argnums=2)(0.0, 0.0, 3.0) == 6.0
    assert dd.derivative(np.hypot, argnums=1)(3.0, 4.0) == 0.8
    assert dd.derivative(lambda x, y=2.0: x * y, argnums=-1)(3.0, 4.0) == 3.0
    assert dd.derivative(types.SimpleNamespace(f=square).f, argnums=np.int64(0))(3.0) == 6.0
