"""A function held, in every mode and space, against differences of its plain self."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dualdiff as dd
from tests.fuzz.checks import STEPS, WEIGHTS, dense, first, second


def differences(f: Callable[[Any], Any], x: Any) -> Any:
    """The matrix of derivatives by central differences of sixth order."""
    columns = []
    for e in 1e-2 * np.eye(x.size):
        pairs = [(f(x + k * e), f(x - k * e)) for k in STEPS]
        columns.append(sum(w * (np.ravel(a) - np.ravel(b)) for w, (a, b) in zip(WEIGHTS, pairs)) / 1e-2)
    return np.stack(columns, axis=-1)


def agrees(f: Callable[[Any], Any], x: Any, plain: Callable[[Any], Any] | None = None, twice: bool = True) -> None:
    """All modes give the derivatives of `plain`, which is f itself unless f needs numbers with tangents."""
    x = np.array(x, float)
    before, plain = x.copy(), plain or f
    value, due = plain(x.copy()), differences(lambda x: plain(x.copy()), x)
    modes: dict[str, Any] = dict(first(f))
    modes["taylor"] = lambda x: np.stack([np.ravel(dd.taylor(f, x, 2, direction=e)[1]) for e in np.eye(x.size)], -1)
    for name, jacobian in modes.items():
        found = dense(jacobian(x)).reshape(due.shape)
        np.testing.assert_allclose(found, due, rtol=1e-7, atol=1e-7, err_msg=name)
    np.testing.assert_allclose(dd.vjp(f, x)[0], value, rtol=1e-12)
    if twice:
        w = np.cos(np.arange(np.size(value)) + 0.5).reshape(np.shape(value))
        due = differences(dd.gradient(lambda x: np.sum(w * f(x)), mode="reverse"), x)
        for name, hessian in second(f, w).items():
            found = dense(hessian(x)).reshape(due.shape)
            np.testing.assert_allclose(found, due, rtol=1e-6, atol=1e-6, err_msg=name)
    np.testing.assert_array_equal(x, before)
