"""NumPy's functions that ask nobody, in unmodified code: right against differences, or refused with what helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

X, C = np.array([0.3, 1.2, 2.5]), np.array([1.0, 2.0, 3.0, 4.0])
square = np.vectorize(lambda t: t**2 + 1, otypes=[float])


def add_at(x: Any) -> Any:
    y = np.zeros(3)
    np.add.at(y, [0, 1, 1], x)
    np.subtract.at(y, [2, 2, 2], x**2)
    return y


def flat(x: Any) -> Any:
    y = np.zeros((2, 2))
    y.flat[1] = x[0] ** 2
    y.flat[2:4] = x[1:]
    return y * sum(v**2 for v in x.flat)


CASES: dict[str, Callable[[Any], Any]] = {
    "add.at": add_at,
    "flat": flat,
    "arange, start and stop": lambda x: np.arange(x[0], x[0] + 3),
    "arange, step": lambda x: np.arange(x[0], 5.0, x[1]),
    "full_like": lambda x: np.full_like(C, x[0] ** 2),
    "full_like, array": lambda x: np.full_like(C[:3], x**2),
    "pad": lambda x: np.pad(C, 1, constant_values=x[0] ** 2),
    "pad, two": lambda x: np.pad(C, (1, 2), mode="constant", constant_values=(x[0], x[1])),
    "pad, ramp": lambda x: np.pad(C, 2, "linear_ramp", end_values=x[1]),
    "sliding windows": lambda x: np.lib.stride_tricks.sliding_window_view(x**2, 2).sum(axis=-1),
    "vectorize": lambda x: np.vectorize(lambda t: t**2 + 1 if t > 1 else t, otypes=[float])(x),
    "vectorize, outside": lambda x: square(x),
    "fromiter": lambda x: np.fromiter((t**2 for t in x), float),
    "fromiter, count": lambda x: np.fromiter((t * 2 for t in x), dtype=float, count=2),
    "view": lambda x: x.view(float) ** 2,
    "trim_zeros": lambda x: np.trim_zeros(np.concatenate([[0.0], x**2, [0.0]])),
    "poly1d": lambda x: (np.poly1d(x) * np.poly1d([1, 2]))(x[0]) + np.poly1d(x).deriv()(1.5),
    "frexp": lambda x: np.frexp(x)[0],
    "frexp, ldexp": lambda x: np.ldexp(*np.frexp(x**2)),
}


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("name", CASES)
def test_right(name: str, mode: Any) -> None:
    f, h = CASES[name], 1e-6
    due = np.stack([(np.asarray(f(X + e)) - np.asarray(f(X - e))) / (2 * h) for e in h * np.eye(3)], axis=-1)
    np.testing.assert_allclose(dd.jacobian(f, mode=mode)(X), due, atol=1e-7)
    np.testing.assert_array_equal(C, [1, 2, 3, 4])


def nditer(x: Any) -> Any:
    y = np.zeros(3)
    with np.nditer([x, y], op_flags=[["readonly"], ["writeonly"]]) as it:  # type: ignore[arg-type]
        for u, v in it:
            v[...] = u**2
    return y


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(
    ("f", "text"),
    [
        (nditer, "np.nditer.*whole arrays"),
        (lambda x: np.maximum.at(np.zeros_like(x), [0, 1, 1], x), "np.maximum.at"),
        (lambda x: (x + 0j).view(float), "view.*np.stack"),
    ],
)
def test_refused(f: Any, text: str, mode: Any) -> None:
    with pytest.raises(TypeError, match=text):
        dd.jacobian(f, mode=mode)(X)


def test_imports_in_functions_are_followed() -> None:
    def f(x: Any) -> Any:
        import numpy
        import numpy.linalg as algebra
        from numpy import zeros

        y = zeros(3)
        y[:] = x
        return algebra.norm(y) + numpy.full_like(C, x[0]).sum()

    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(dd.gradient(f, mode=mode)(X), X / np.linalg.norm(X) + [4, 0, 0])  # type: ignore[arg-type]
