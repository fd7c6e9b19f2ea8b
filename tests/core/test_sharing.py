"""What is computed from an array does not follow what is assigned to it later, nor the other way round."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

MODES: dict[str, dict[str, Any]] = {
    "all directions": {},
    "one by one": {"chunk_size": 1},
    "two by two": {"chunk_size": 2},
    "reverse": {"mode": "reverse"},
    "sparse": {"sparse": True},
}
# Functions whose result has the tangent of y itself, and memory of its own.
TEXT = """
y + 1.0  1.0 + y  +y  y - 1.0  np.add(y, 1.0)  np.positive(y)  y + np.ones(3)  np.maximum(y, -9.0)  np.conjugate(y)
np.clip(y, -9.0, 9.0)  np.sum(y, axis=())  np.where(True, y, 0.0)  np.concatenate([y])  np.array(y)  y.copy()
np.copy(y)  y.astype(float)  np.nan_to_num(y)  y.flatten()  -(-y)  np.hstack([y])  np.roll(y, 0)  y[[0, 1, 2]]
np.repeat(y, 1)  np.add(y, y * 0.0)  (y + 1.0) + (y * 0.0)  y + 1j * 0.0
"""
PASSING_ON = re.split(r"\s{2,}|\n", TEXT.strip())


def jacobian(f: Any, x: Any, mode: str) -> Any:
    j = dd.jacobian(f, **MODES[mode])(x)
    return j.toarray() if "sparse" in MODES[mode] else j


@pytest.mark.parametrize("mode", MODES)
def test_a_sum_keeps_its_tangent(mode: str) -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0]
        z = y + 1.0
        y[1] = x[1]
        return z

    np.testing.assert_array_equal(jacobian(f, np.array([2.0, 3.0]), mode), [[1, 0], [0, 0]])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", PASSING_ON)
def test_writing_to_the_operand_leaves_the_result(source: str, mode: str) -> None:
    code = compile(source, source, "eval")

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0] * 3.0
        z = eval(code, {"np": np, "y": y})
        y[1:] = x[1:] ** 2
        return np.real(z)

    np.testing.assert_array_equal(jacobian(f, np.array([2.0, 3.0, 4.0]), mode), np.diag([3.0, 0, 0]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", PASSING_ON)
def test_writing_to_the_result_leaves_the_operand(source: str, mode: str) -> None:
    code = compile(source, source, "eval")

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0] * 3.0
        z = eval(code, {"np": np, "y": y})
        z[1:] = x[1:] ** 2
        z *= 2.0
        return y

    np.testing.assert_array_equal(jacobian(f, np.array([2.0, 3.0, 4.0]), mode), np.diag([3.0, 0, 0]))
