"""Real symbols, and equality by algebra."""

from __future__ import annotations

import numpy as np
import sympy as sp

x, y, z, t = sp.symbols("x y z t", real=True)
x0, x1, x2 = sp.symbols("x_0:3", real=True)


def same(result, expected):
    """Equal by algebra, element by element."""
    result, expected = np.array(result, object), np.array(expected, object)
    assert result.shape == expected.shape
    assert all(sp.simplify(a - b) == 0 for a, b in zip(result.flat, expected.flat, strict=True)), result
