"""What does not move contributes nothing, even against a slope that is infinite: in every mode the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd

inf = np.inf
MODES: dict[str, dict[str, Any]] = {
    "all directions": {},
    "one by one": {"chunk_size": 1},
    "two by two": {"chunk_size": 2},
    "reverse": {"mode": "reverse"},
    "reverse, one by one": {"mode": "reverse", "chunk_size": 1},
    "sparse": {"sparse": True},
}
MATRIX = np.array([[1.0, 2.0], [inf, 3.0]])
CASES: list[tuple[str, list[float], Any]] = [  # function of x, x, Jacobian
    ("x[0] * x[1]", [inf, 2.0], [2, inf]),
    ("x[1] * x[0]", [inf, 2.0], [2, inf]),
    ("np.multiply(x[0], x[1])", [2.0, inf], [inf, 2]),
    ("x[0] * inf + x[1]", [2.0, 3.0], [inf, 1]),
    ("inf * x[0] + x[1]", [2.0, 3.0], [inf, 1]),
    ("np.power(x[0], x[1])", [0.0, 0.5], [inf, 0]),
    ("np.hypot(x[0], x[1]) * inf", [3.0, 0.0], [inf, 0]),
    ("x[:1] * x[1:]", [inf, 2.0], [[2, inf]]),
    ("(M @ x)[0]", [1.0, 1.0], [1, 2]),
    ("(x @ M)[1]", [1.0, 1.0], [2, 3]),
    ("np.dot(M, x)[0] + x[0]", [1.0, 1.0], [2, 2]),
    ("np.einsum('ij,j->i', M, x)[:1]", [1.0, 1.0], [[1, 2]]),
    ("(M * x)[0]", [1.0, 1.0], [[1, 0], [0, 2]]),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source, x, due", CASES)
def test_jacobian(source: str, x: list[float], due: Any, mode: str) -> None:
    code = compile(source, source, "eval")
    with np.errstate(all="ignore"):
        j = dd.jacobian(lambda x: eval(code, {"np": np, "x": x, "inf": inf, "M": MATRIX}), **MODES[mode])(np.array(x))
    np.testing.assert_array_equal(np.reshape(j.toarray() if "sparse" in MODES[mode] else j, np.shape(due)), due)


def test_numbers_in_one_direction() -> None:
    assert dd.jvp(lambda x, y: x * y, (inf, 2.0), (1.0, 0.0)) == (inf, 2.0)
    assert dd.jvp(lambda x, y: x * y, (2.0, inf), (0.0, 1.0)) == (inf, 2.0)
    assert dd.jvp(lambda x, y: x * inf + y, (2.0, 1.0), (0.0, 1.0)) == (inf, 1.0)
    assert dd.jvp(lambda x, y: inf * x + y, (2.0, 1.0), (0.0, 1.0)) == (inf, 1.0)


def test_numbers_in_many_directions() -> None:
    x, y = dd.Dual(inf, [1.0, 0.0, 0.0]), dd.Dual(2.0, [0.0, 0.0, 1.0])
    with np.errstate(invalid="ignore"):
        products = x * y, y * x, np.multiply(x, y), np.multiply(y, x)
    for product in products:
        np.testing.assert_array_equal(product.tangent, [2.0, 0.0, inf])
