"""The elementwise rules: one aligned line each, as in a table of derivatives.

x (and y) are the operands, the last name is the function's own value at them. Formulas are chosen to be accurate
wherever the function is: no cancellation, no overflow where the true slope is representable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.mathematics import SCALAR, angle, cosine, gap, sech2
from ..core.number import Number
from ..core.table import Elementwise, register

LN2, LN10 = math.log(2), math.log(10)
RADIAN = math.pi / 180


def elementwise(function: Any, *partials: Any, select: bool = False) -> None:
    """Add one line to the table."""
    register(Elementwise(function, partials, getattr(SCALAR, function.__name__, None), select))


# ---------------------------------------------------------------- the table: y is the value


def _power_base(m: Any, x: Any, y: Any, z: Any) -> Any:
    """y * x**(y - 1), and 0 for y = 0, where x**-1 would be infinite at x = 0.

    Where y - 1 is rounded, z * (y / x) is a hundred times as accurate, as long as z neither overflows nor vanishes; near
    y = 1 it is not, and the slope of that form cancels.
    """
    if type(y) is int or type(y) is float:
        if y == 0:
            return 0.0
        if y == 2:
            return 2 * x
        if (y - 1) + 1 == y and abs(y) < 2**53:  # from there on y - 1 may be y, of the other parity
            return y * x ** (y - 1)
    corner = (x == 0) & (y == 0)
    factor = m.where(corner, m.sqrt(y * corner), y) if isinstance(y, Number) else y  # its slope is infinite, as x**-1
    below = m.where(corner, 1.0, y) - 1
    size = abs(z)
    safe = (size > 1e-290) & (size < 1e290) & (below * below > 0.25)
    return m.where(safe, z * (y / x), factor * x**below)


def _power_exponent(m: Any, x: Any, y: Any, z: Any) -> Any:
    """z * log(x), and 0 for x = 0 < y; at x = y = 0 the limit -inf; NaN for x < 0, where the function is not real."""
    return m.where((x == 0) & (z == 0), 0.0, z * m.log(x))


def _fourth(m: Any, x: Any, y: Any, p: Any, q: Any) -> Any:
    """p * q / (x**2 + y**2)**2."""
    h = m.hypot(x, y)
    return (p / h) * (q / h) / h / h


# fmt: off
elementwise(np.positive,     1)
elementwise(np.conjugate,    1)                                                # of a real number
elementwise(np.negative,    -1)
elementwise(np.deg2rad,      lambda m, x, y: RADIAN)
elementwise(np.radians,      lambda m, x, y: RADIAN)
elementwise(np.rad2deg,      lambda m, x, y: 1 / RADIAN)
elementwise(np.degrees,      lambda m, x, y: 1 / RADIAN)
elementwise(np.sin,          lambda m, x, y: m.cos(x))
elementwise(np.cos,          lambda m, x, y: -m.sin(x))
elementwise(np.tan,          lambda m, x, y: 1 + y * y)
elementwise(np.arcsin,       lambda m, x, y: 1 / m.sqrt(m.gap(x)))
elementwise(np.arccos,       lambda m, x, y: -1 / m.sqrt(m.gap(x)))
elementwise(np.arctan,       lambda m, x, y: m.square(1 / m.root(x)))
elementwise(np.sinh,         lambda m, x, y: m.cosh(x))
elementwise(np.cosh,         lambda m, x, y: m.sinh(x))
elementwise(np.tanh,         lambda m, x, y: m.sech2(x))                    # 1 - y*y cancels from x = 5 on
elementwise(np.arcsinh,      lambda m, x, y: 1 / m.root(x))
elementwise(np.arccosh,      lambda m, x, y: 1 / (m.sqrt(x - 1) * m.sqrt(x + 1)))
elementwise(np.arctanh,      lambda m, x, y: 1 / m.gap(x))
elementwise(np.exp,          lambda m, x, y: y)
elementwise(np.exp2,         lambda m, x, y: y * LN2)
elementwise(np.expm1,        lambda m, x, y: m.exp(x))                         # y + 1 cancels below x = -1
elementwise(np.log,          lambda m, x, y: 1 / x)
elementwise(np.log2,         lambda m, x, y: (1 / LN2) / x)
elementwise(np.log10,        lambda m, x, y: (1 / LN10) / x)
elementwise(np.log1p,        lambda m, x, y: 1 / (1 + x))
elementwise(np.sqrt,         lambda m, x, y: 0.5 / y)
elementwise(np.cbrt,         lambda m, x, y: 1 / (3 * y * y))
elementwise(np.square,       lambda m, x, y: 2 * x)
elementwise(np.reciprocal,   lambda m, x, y: -y * y)
elementwise(np.absolute,     lambda m, x, y: m.sign(x))
elementwise(np.fabs,         lambda m, x, y: m.sign(x))
#                            by x                                              by y; z is the value
elementwise(np.add,          1,                                                1)
elementwise(np.subtract,     1,                                               -1)
elementwise(np.multiply,     lambda m, x, y, z: y,                             lambda m, x, y, z: x)
elementwise(np.divide,       lambda m, x, y, z: 1 / y,                         lambda m, x, y, z: -z / y)
elementwise(np.power,        _power_base,                                      _power_exponent)
elementwise(np.float_power,  _power_base,                                      _power_exponent)
elementwise(np.hypot,        lambda m, x, y, z: m.cosine(x, y, z),             lambda m, x, y, z: m.cosine(y, x, z))
elementwise(np.arctan2,      lambda m, x, y, z: m.angle(y, x),                 lambda m, x, y, z: -m.angle(x, y))
elementwise(np.logaddexp,    lambda m, x, y, z: m.share(y - x),                lambda m, x, y, z: m.share(x - y))
elementwise(np.logaddexp2,   lambda m, x, y, z: m.share2(y - x),               lambda m, x, y, z: m.share2(x - y))
elementwise(np.remainder,    1,                                                lambda m, x, y, z: -m.floor_divide(x, y))
elementwise(np.fmod,         1,                                                lambda m, x, y, z: -m.rint((x - z) / y))
elementwise(np.copysign,     lambda m, x, y, z: m.sign(x) * m.copysign(1.0, y), 0)
elementwise(np.ldexp,        lambda m, x, y, z: m.exp2(y),                     0)
#                            what the lines above are made of
elementwise(gap,             lambda m, x, y: -2 * x)
elementwise(sech2,           lambda m, x, y: -2 * m.tanh(x) * y)
elementwise(cosine,          lambda m, x, y, z: m.cosine(y, x) * m.angle(y, x), lambda m, x, y, z: -z * m.angle(y, x))
elementwise(angle,           lambda m, x, y, z: _fourth(m, x, y, y - x, y + x), lambda m, x, y, z: _fourth(m, x, y, -2 * x, y))
# fmt: on
