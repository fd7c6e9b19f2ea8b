"""Elementwise functions: where they have derivatives, what these are, and operands of every size and shape."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

import dualdiff as dd
from dualdiff.core.mathematics import positive_part
from dualdiff.core.table import ELEMENTWISE


class Line(NamedTuple):
    """Where a function has a derivative, and the derivative by each operand, for mpmath's numbers."""

    domain: Callable[..., bool]
    partials: tuple[Callable[..., Any], ...]


def line(domain: Callable[..., bool], *partials: Callable[..., Any]) -> Line:
    return Line(domain, partials)


def everywhere(*x: float) -> bool:
    return True


def nonzero(*x: float) -> bool:
    return x[-1] != 0


def positive(*x: float) -> bool:
    return x[0] > 0


def inside(x: float) -> bool:
    return -1 < x < 1


def apart(x: float, y: float) -> bool:
    return x != y


# fmt: off
EXACT = {
    np.positive:    line(everywhere,      lambda x: 1),
    np.negative:    line(everywhere,      lambda x: -1),
    np.conjugate:   line(everywhere,      lambda x: 1),
    np.deg2rad:     line(everywhere,      lambda x: mp.pi / 180),
    np.radians:     line(everywhere,      lambda x: mp.pi / 180),
    np.rad2deg:     line(everywhere,      lambda x: 180 / mp.pi),
    np.degrees:     line(everywhere,      lambda x: 180 / mp.pi),
    np.sin:         line(everywhere,      lambda x: mp.cos(x)),
    np.cos:         line(everywhere,      lambda x: -mp.sin(x)),
    np.tan:         line(everywhere,      lambda x: mp.sec(x)**2),
    np.arcsin:      line(inside,          lambda x: 1 / mp.sqrt(1 - x) / mp.sqrt(1 + x)),
    np.arccos:      line(inside,          lambda x: -1 / mp.sqrt(1 - x) / mp.sqrt(1 + x)),
    np.arctan:      line(everywhere,      lambda x: 1 / (1 + x**2)),
    np.sinh:        line(everywhere,      lambda x: mp.cosh(x)),
    np.cosh:        line(everywhere,      lambda x: mp.sinh(x)),
    np.tanh:        line(everywhere,      lambda x: 1 / mp.cosh(x)**2),
    np.arcsinh:     line(everywhere,      lambda x: 1 / mp.sqrt(1 + x**2)),
    np.arccosh:     line(lambda x: x > 1, lambda x: 1 / (mp.sqrt(x - 1) * mp.sqrt(x + 1))),
    np.arctanh:     line(inside,          lambda x: 1 / (1 - x) / (1 + x)),
    np.exp:         line(everywhere,      lambda x: mp.exp(x)),
    np.exp2:        line(everywhere,      lambda x: 2**x * mp.log(2)),
    np.expm1:       line(everywhere,      lambda x: mp.exp(x)),
    np.log:         line(positive,        lambda x: 1 / x),
    np.log2:        line(positive,        lambda x: 1 / x / mp.log(2)),
    np.log10:       line(positive,        lambda x: 1 / x / mp.log(10)),
    np.log1p:       line(lambda x: x > -1, lambda x: 1 / (1 + x)),
    np.sqrt:        line(positive,        lambda x: 1 / (2 * mp.sqrt(x))),
    np.cbrt:        line(nonzero,         lambda x: 1 / (3 * mp.cbrt(x**2))),
    np.square:      line(everywhere,      lambda x: 2 * x),
    np.reciprocal:  line(nonzero,         lambda x: -1 / x**2),
    np.absolute:    line(nonzero,         lambda x: mp.sign(x)),
    np.fabs:        line(nonzero,         lambda x: mp.sign(x)),
    positive_part:  line(everywhere,      lambda x: int(x > 0)),
    np.add:         line(everywhere,      lambda x, y: 1,                         lambda x, y: 1),
    np.subtract:    line(everywhere,      lambda x, y: 1,                         lambda x, y: -1),
    np.multiply:    line(everywhere,      lambda x, y: y,                         lambda x, y: x),
    np.divide:      line(nonzero,         lambda x, y: 1 / y,                     lambda x, y: -x / y**2),
    np.power:       line(positive,        lambda x, y: y * x**(y - 1),            lambda x, y: x**y * mp.log(x)),
    np.float_power: line(positive,        lambda x, y: y * x**(y - 1),            lambda x, y: x**y * mp.log(x)),
    np.hypot:       line(nonzero,         lambda x, y: x / mp.hypot(x, y),        lambda x, y: y / mp.hypot(x, y)),
    np.arctan2:     line(nonzero,         lambda x, y: y / (x**2 + y**2),         lambda x, y: -x / (x**2 + y**2)),
    np.logaddexp:   line(everywhere,      lambda x, y: 1 / (1 + mp.exp(y - x)),   lambda x, y: 1 / (1 + mp.exp(x - y))),
    np.logaddexp2:  line(everywhere,      lambda x, y: 1 / (1 + 2**(y - x)),      lambda x, y: 1 / (1 + 2**(x - y))),
    np.remainder:   line(nonzero,         lambda x, y: 1,                         lambda x, y: -mp.floor(x / y)),
    np.fmod:        line(nonzero,         lambda x, y: 1,                         lambda x, y: -truncated(x / y)),
    np.copysign:    line(nonzero,         lambda x, y: mp.sign(x) * mp.sign(y),   lambda x, y: 0),
    np.heaviside:   line(nonzero,         lambda x, y: 0,                         lambda x, y: int(x == 0)),
    np.maximum:     line(apart,           lambda x, y: int(x > y),                lambda x, y: int(y > x)),
    np.minimum:     line(apart,           lambda x, y: int(x < y),                lambda x, y: int(y < x)),
    np.fmax:        line(apart,           lambda x, y: int(x > y),                lambda x, y: int(y > x)),
    np.fmin:        line(apart,           lambda x, y: int(x < y),                lambda x, y: int(y < x)),
    np.ldexp:       line(everywhere,      lambda x, n: mp.mpf(2)**n),  # the exponent is an int
}
# fmt: on
CALLED = {positive_part: dd.relu}  # rules of functions that are not called by the name they have in the table
NOT_ANALYTIC = {np.conjugate, np.absolute, np.maximum, np.minimum, np.fmax, np.fmin}
KINKED = {np.remainder, np.fmod, np.copysign, np.heaviside, np.cbrt}  # not for rough points: kinks or jumps are near

NUMPY = [f for f in ELEMENTWISE if getattr(np, f.__name__, None) is f or f in CALLED]
UNARY = [f for f in NUMPY if len(ELEMENTWISE[f].partials) == 1]
BINARY = [f for f in NUMPY if len(ELEMENTWISE[f].partials) == 2]
COMPLEX = [f for f in NUMPY if f not in NOT_ANALYTIC and {"D->D", "DD->D"} & set(getattr(f, "types", ()))]


def name(value: Any) -> str | None:
    return value.__name__ if callable(value) else None


def truncated(x: Any) -> Any:
    return mp.floor(x) if x > 0 else mp.ceil(x)


rng = np.random.default_rng(0)
SIZES = [1e-200, 1e-100, 1e-20, 1e-8, 1e-3, 0.1, 0.5, 0.9, 1, 1.5, 3, 7, 20, 50, 300, 700, 1e4, 1e8, 1e20, 1e100, 1e200]
EDGES = [np.nextafter(1, 0), np.nextafter(1, 2), 1 - 1e-10, 1 + 1e-10]
LINE = np.concatenate([SIZES, EDGES, rng.uniform(0, 1, 30), rng.exponential(5, 30)])
LINE = np.concatenate([LINE, -LINE, [0.0]])
SOME = np.array([s * x for x in (1e-200, 1e-20, 0.1, 0.7, 1, 2, 7, 1e4, 1e150) for s in (1, -1)])
PLANE = np.array([*itertools.product(SOME, SOME), *rng.normal(size=(100, 2)), (1.0, 0.1), (-1.0, 0.1), (0.0, 1.0)]).T


def rough(function: Any, shapes: Sequence[tuple[int, ...]], dtype: Any = float) -> list[Any]:
    """Operands of these shapes inside the domain, and far from where the function bends."""
    low, high = {np.arccosh: (1.5, 3)}.get(function, (0.2, 0.9))
    operands = [rng.uniform(low + k, high + k, shape).astype(dtype) for k, shape in enumerate(shapes)]
    if function is np.ldexp:
        operands[1] = np.asarray(np.round(3 * operands[1])).astype(np.int32)
    return operands


def moving(function: Any) -> list[int]:
    return [k for k in range(len(ELEMENTWISE[function].partials)) if function is not np.ldexp or k == 0]


ONE = [[()], [(3,)], [(2, 3)], [(0,)], [(2, 0)]]
TWO = [
    [(), ()],
    [(3,), ()],
    [(), (3,)],
    [(2, 3), (3,)],
    [(1, 3), (2, 1)],
    [(2, 1), (2, 3)],
    [(0,), ()],
    [(0, 3), (1, 3)],
]


def of_rule(rule: Any) -> tuple[Callable[..., Any], list[Any]]:
    """An elementwise function and operands inside its domain, which broadcast."""
    shapes = [(2, 1), (3,)] if len(rule.partials) == 2 else [(3,)]
    arrays: list[Any] = [np.linspace(1.1, 1.6, int(np.prod(s))).reshape(s) for s in shapes]
    if rule.function in (np.arcsin, np.arccos, np.arctanh):
        arrays = [a - 1 for a in arrays]
    if rule.function is np.ldexp:
        return (lambda x: np.ldexp(x, 3)), arrays[:1]
    return dd.relu if rule.function.__name__ == "positive_part" else rule.function, arrays
