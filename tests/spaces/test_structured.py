"""Assignment and views in a space that is no array."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.boxed import agree


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
