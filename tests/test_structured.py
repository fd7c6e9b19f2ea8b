"""A tangent space that is no array runs every rule: rules touch tangents only through the maps of tangents.py.

`Boxed` hides a dense tangent and offers nothing but the maps, so that a rule that adds, multiplies or indexes tangents
by itself fails here. It stands for the spaces that keep structure or a record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dualdiff.core.table import ELEMENTWISE
from tests.boxed import agree
from tests.cases import arrays as tables
from tests.cases import linalg
from tests.cases.elementwise import of_rule


@pytest.mark.parametrize("source", tables.CASES + tables.REAL)
def test_functions(source: str) -> None:
    case = tables.Case(source)
    agree(case.f, case.arrays, case.directions)


@pytest.mark.parametrize("source, stack", linalg.CASES)
def test_linear_algebra(source: str, stack: tuple[int, ...]) -> None:
    case = linalg.Case(source, stack)
    agree(case, case.arrays, case.v)


each_rule = pytest.mark.parametrize("rule", ELEMENTWISE.values(), ids=lambda rule: rule.function.__name__)


@each_rule
def test_elementwise(rule: Any) -> None:
    f, arrays = of_rule(rule)
    agree(f, arrays, [np.cos(a) for a in arrays])
    if len(arrays) == 2:
        agree(lambda x: f(x, arrays[1]), arrays[:1], [np.cos(arrays[0])])


def test_assignment_and_views() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[1:] = x[:-1] * x[0]
        y[0] = 3.0
        z = y.reshape(2, 2)
        z[:, 1] *= x[:2]
        y += x
        return y, z.T

    agree(f, [np.array([1.0, 2.0, 3.0, 4.0])], [np.array([0.5, -1.0, 2.0, 0.1])])
