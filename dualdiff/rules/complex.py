"""Rules for complex numbers: analytic functions in forms that suit them, and functions linear over the reals only."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.kinks import leave, lexicographic
from ..core.table import COMPLEX, Kink, Part, Plan, rule
from ..core.tangents import combine, linear
from ..core.values import is_array, plain, shape_of
from .calculus import analytic

# ---------------------------------------------------------------- analytic functions

ONE = complex(1.0, -0.0)  # beside which a zero keeps its sign, that says on which side of a cut it stands
# fmt: off
# z is the operand; these forms neither overflow nor cancel where the real ones of elementwise.py would.
SLOPES = {
    np.tan:     lambda z: _secant2(-1j * z),
    np.tanh:    lambda z: _secant2(z),
    np.arcsin:  lambda z: 1 / (np.sqrt(ONE - z) * np.sqrt(ONE + z)),
    np.arccos:  lambda z: -1 / (np.sqrt(ONE - z) * np.sqrt(ONE + z)),
    np.arctan:  lambda z: (1 / (1 + 1j * z)) * (1 / (1 - 1j * z)),
    np.arcsinh: lambda z: 1 / (np.sqrt(ONE + _turned(z)) * np.sqrt(ONE - _turned(z))),
    np.arccosh: lambda z: 1 / (np.sqrt(z - 1) * np.sqrt(z + ONE)),
    np.arctanh: lambda z: (1 / (1 - z)) * (1 / (1 + z)),
}
# fmt: on


def _turned(z: Any) -> Any:
    """1j * z, with the sign of a zero in z's real part."""
    return np.where(np.imag(z) > 0, complex(-0.0, 1.0), 1j) * z


def _secant2(z: Any) -> Any:
    """1 / cosh(z)**2 by the decaying exponential."""
    e = np.exp(np.where(np.real(z) < 0, 2.0, -2.0) * z)
    return 4 * e / (1 + e) ** 2


COMPLEX.update({function: analytic(function, slope) for function, slope in SLOPES.items()})

# ---------------------------------------------------------------- functions that are linear over the reals only


def real_part(t: Any, shape: Any) -> Any:
    return linear(t, shape, np.real, lambda c: np.real(c) + 0j)


def _scaled(tangents: Any, value: Any, weight: Any) -> Any:
    return combine([(tangents[0], shape_of(value), weight)], shape_of(value))


def _imaginary_part(t: Any, shape: Any) -> Any:
    return linear(t, shape, np.imag, lambda c: 1j * np.real(c))


@lambda f: COMPLEX.setdefault(np.absolute, f)
def _absolute(z: Any) -> Plan:
    """d|z| = Re(conj(z) dz) / |z|, and 0 at z = 0."""

    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        at = leave(Kink(lambda x: x, curved=True), (z,), np.absolute) if lexicographic() else None
        v, r = (values[0], r) if at is None else (at[0], np.absolute(at[0]))
        weight = np.where(r == 0, 0.0, np.conj(v) / r)
        return real_part(_scaled(tangents, v, weight), shape_of(v))

    return Plan((z,), np.absolute, tangent)


@lambda f: COMPLEX.setdefault(np.sign, f)
def _sign(z: Any) -> Plan:
    """d(z/|z|) = (dz - s Re(conj(s) dz)) / |z| with s = z/|z|, and 0 at z = 0."""

    def tangent(s: Any, values: Any, tangents: Any) -> Any:
        z, shape = values[0], shape_of(values[0])
        radial = real_part(_scaled(tangents, z, np.conj(s)), shape)
        inverse = np.where(z == 0, 0.0, 1 / np.absolute(z))
        return combine([(tangents[0], shape, inverse + 0j), (radial, shape, -s * inverse)], shape)

    return Plan((z,), np.sign, tangent)


@lambda f: COMPLEX.setdefault(np.conjugate, f)
def conjugate(z: Any) -> Plan:
    """conj is R-linear and its own transpose."""
    return Plan((z,), np.conjugate, lambda _, v, t: linear(t[0], shape_of(v[0]), np.conjugate, np.conjugate))


@rule(np.real)
def real(val: Any) -> Any:
    if val.dtype.kind != "c":
        return val
    if is_array(val):
        return Part(val, np.real)
    return Plan((val,), np.real, lambda _, v, t: real_part(t[0], shape_of(v[0])))


@rule(np.imag)
def imag(val: Any) -> Any:
    if val.dtype.kind != "c":
        return np.broadcast_to(np.zeros_like(plain(val), shape=()), val.shape)[()]  # read-only, as NumPy's
    if is_array(val):
        return Part(val, np.imag)
    return Plan((val,), np.imag, lambda _, v, t: _imaginary_part(t[0], shape_of(v[0])))


@rule(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """d arg z = Im(dz / z)."""
    if z.dtype.kind != "c":
        return np.angle(plain(z), deg)
    if deg:
        return np.degrees(np.angle(z))

    return Plan((z,), np.angle, lambda _, v, t: _imaginary_part(_scaled(t, v[0], 1 / v[0]), shape_of(v[0])))


@rule(np.modf)
def modf(x: Any, /) -> Plan:
    """The fractional part has slope 1, the integral part 0."""
    return Plan((x,), np.modf, lambda _, v, t: (_scaled(t, v[0], 1), None))


@rule(np.frexp)
def frexp(x: Any, /) -> Plan:
    """The mantissa has slope 2**-exponent, the exponent 0."""
    return Plan((x,), np.frexp, lambda r, v, t: (_scaled(t, v[0], np.ldexp(np.ones_like(plain(r[0])), -r[1])), None))


@rule(np.divmod)
def divmod_(x1: Any, x2: Any, /) -> Any:
    return np.floor_divide(x1, x2), np.remainder(x1, x2)
