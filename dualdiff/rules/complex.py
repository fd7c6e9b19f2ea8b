"""Rules of functions that split complex numbers; they are linear over the reals only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tangents import combine, linear
from .elementwise import real_part
from .table import Plan, rule, shape_of


@rule(np.real)
def real(val: Any) -> Any:
    if val.dtype.kind != "c":
        return val
    return Plan((val,), np.real, lambda _, v, t: real_part(t[0], shape_of(v[0])))


@rule(np.imag)
def imag(val: Any) -> Any:
    if val.dtype.kind != "c":
        return np.zeros(val.shape, val.dtype)[()]
    return Plan((val,), np.imag, lambda _, v, t: linear(t[0], shape_of(v[0]), np.imag, lambda c: 1j * c))


@rule(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """d arg z = Im(dz / z)."""
    if z.dtype.kind != "c":
        return np.angle(np.asarray(z.value) if not hasattr(z.value, "_tag") else z.value, deg)
    if deg:
        return np.degrees(np.angle(z))

    def tangent(_: Any, values: Any, tangents: Any) -> Any:
        z, shape = values[0], shape_of(values[0])
        turned = combine([(tangents[0], shape, 1 / z)], shape)
        return linear(turned, shape, np.imag, lambda c: 1j * c)

    return Plan((z,), np.angle, tangent)


@rule(np.modf)
def modf(x: Any, /) -> Plan:
    """The fractional part has slope 1, the integral part 0."""
    return Plan((x,), np.modf, lambda out, v, t: (combine([(t[0], shape_of(v[0]), 1)], shape_of(v[0])), None))


@rule(np.divmod)
def divmod_(x1: Any, x2: Any, /) -> Any:
    return np.floor_divide(x1, x2), np.remainder(x1, x2)
