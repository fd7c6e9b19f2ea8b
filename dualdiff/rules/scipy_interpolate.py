"""scipy.interpolate: curves at points with tangents, whose slopes are their own derivatives, and of data with tangents.

Splines are linear in their data: one of data with tangents is that of the unit vectors, times the data.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.table import Plan
from ..core.tangents import combine
from ..core.values import ndim, plain, shape_of
from .scipy_table import BODIES, INSTANCES, NOTES, instance, moves, original, refuse, scipy_rule

# ---------------------------------------------------------------- at points with tangents


class Curve:
    """Stands for one of SciPy's curves; `at(x, k)` is its derivative of order k at plain points."""

    def __init__(self, own: Any, at: Callable[..., Any] | None = None) -> None:
        self._own, self._at = own, at or own

    def __call__(self, x: Any, nu: int = 0, *args: Any, **kwargs: Any) -> Any:
        if not moves([x]):
            return self._at(x, nu, *args, **kwargs)
        if getattr(self._own, "axis", 0) != 0 or args or kwargs:
            raise refuse(f"interpolate.{type(self._own).__name__}", "with axis= or options is not differentiated")
        n = ndim(x)
        x = np.reshape(x, shape_of(x) + (1,) * (np.ndim(self._at(plain(x), nu)) - n))

        def value(v: Any) -> Any:
            return self(np.reshape(v, shape_of(v)[:n]), nu)

        def tangent(r: Any, values: Any, ts: Any) -> Any:
            slope = self(np.reshape(values[0], shape_of(values[0])[:n]), nu + 1)
            return combine([(ts[0], shape_of(values[0]), slope)], shape_of(r))

        return x._finish(Plan((x,), value, tangent))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._own, name)
        if not callable(found):
            return found

        def called(*args: Any, **kwargs: Any) -> Any:
            if not moves(args, kwargs):
                return instance(found(*args, **kwargs))
            if name == "integrate" and len(args) == 2:
                whole = Curve(self._own.antiderivative())
                return whole(args[1]) - whole(args[0])
            raise refuse(f"interpolate.{type(self._own).__name__}.{name}", "it is not differentiated")

        return called


for _name in ("PPoly", "BPoly", "BSpline", "UnivariateSpline"):
    INSTANCES[_name] = Curve


def _steps(own: Any) -> Curve:
    """Of interp1d, which knows no derivative of its own."""
    if hasattr(own, "_spline") and own._kind not in ("linear", "nearest", "previous", "next"):
        return Curve(own, lambda x, nu: own._spline(x, nu).reshape(np.shape(own(x))) if nu else own(x))
    y = np.asarray(own.y)
    if y.ndim > 1 and own.axis:
        raise refuse("interpolate.interp1d", "of several columns is differentiated with axis=0 only")

    def at(x: Any, nu: int = 0) -> Any:
        if nu == 0:
            return own(x)
        k = np.clip(np.searchsorted(own.x, x) - 1, 0, len(own.x) - 2)
        inside = ((own.x[0] <= x) & (x <= own.x[-1])) | own._extrapolate
        slope = np.diff(y, axis=0)[k] / np.diff(own.x)[k].reshape(np.shape(k) + (1,) * (y.ndim - 1))
        moving = inside & (nu == 1) & (own._kind == "linear")
        return np.where(moving.reshape(np.shape(k) + (1,) * (y.ndim - 1)), slope, 0.0)

    return Curve(own, at)


INSTANCES["interp1d"] = _steps

# ---------------------------------------------------------------- of data with tangents


class Combination:
    """A spline as the one of the unit vectors, times the data."""

    def __init__(self, units: Any, data: Any, limited: Any = None) -> None:
        self.units, self.data, self.limited = units, data, limited

    def __call__(self, x: Any, nu: int = 0) -> Any:
        made = np.tensordot(instance(self.units)(x, nu) if nu else instance(self.units)(x), self.data, 1)
        if self.limited is None:
            return made
        known = self.limited(plain(x))  # which tells what is out of bounds
        outside = (plain(x) < self.units.x[0]) | (plain(x) > self.units.x[-1])
        return np.where(outside, known, made) if np.any(outside) and not self.limited._extrapolate else made

    def derivative(self, nu: int = 1) -> Combination:
        return Combination(self.units.derivative(nu), self.data)

    def antiderivative(self, nu: int = 1) -> Combination:
        return Combination(self.units.antiderivative(nu), self.data)

    def integrate(self, a: Any, b: Any) -> Any:
        whole = self.antiderivative()
        return whole(b) - whole(a)


def _of_units(name: str, x: Any, y: Any, *args: Any, **options: Any) -> Combination:
    if moves([x]):
        raise refuse(f"interpolate.{name}", "its knots are not differentiated, only its data")
    return Combination(original(f"interpolate.{name}")(x, np.eye(shape_of(y)[0]), *args, **options), y)


@scipy_rule("interpolate.CubicSpline")
def cubic_spline(x: Any, y: Any, axis: int = 0, bc_type: str = "not-a-knot", extrapolate: Any = None) -> Combination:
    if axis != 0 or bc_type not in ("not-a-knot", "natural", "clamped"):
        raise refuse("interpolate.CubicSpline", f"axis={axis}, bc_type={bc_type!r} are not differentiated by the data")
    return _of_units("CubicSpline", x, y, bc_type=bc_type, extrapolate=extrapolate)


@scipy_rule("interpolate.make_interp_spline")
def make_interp_spline(x: Any, y: Any, k: int = 3) -> Combination:
    return _of_units("make_interp_spline", x, y, k)


@scipy_rule("interpolate.interp1d")
def interp1d(
    x: Any, y: Any, kind: Any = "linear", *, bounds_error: Any = None, fill_value: Any = np.nan
) -> Combination:
    if ndim(y) != 1:
        raise refuse("interpolate.interp1d", "of several columns with tangents is not differentiated")
    units = _of_units("interp1d", x, y, kind, axis=0, fill_value="extrapolate").units
    limited = original("interpolate.interp1d")(x, plain(y), kind, bounds_error=bounds_error, fill_value=fill_value)
    return Combination(units, y, limited)


def _at_points_only(name: str) -> Callable[..., Any]:
    NOTES[f"interpolate.{name}"] = "by the points, not by the data"

    def made(*args: Any, **kwargs: Any) -> Any:
        raise refuse(f"interpolate.{name}", "differentiated by the points, not by the data; CubicSpline is by both")

    return made


for _name in ("PchipInterpolator", "Akima1DInterpolator", "CubicHermiteSpline", "PPoly", "BPoly", "BSpline"):
    BODIES[f"interpolate.{_name}"] = _at_points_only(_name)
for _name in ("UnivariateSpline", "InterpolatedUnivariateSpline", "LSQUnivariateSpline", "make_smoothing_spline"):
    BODIES[f"interpolate.{_name}"] = _at_points_only(_name)

# ---------------------------------------------------------------- grids


class _Grid:
    """Multilinear interpolation on a grid."""

    def __init__(self, own: Any, values: Any) -> None:
        self._own, self._values = own, values

    def __call__(self, xi: Any, method: Any = None) -> Any:
        own = self._own
        known = own(plain(xi), *(() if method is None else (method,)))  # which tells what is out of bounds
        if not moves((xi, self._values)):
            return known
        if (method or own.method) != "linear" or np.ndim(own.values) != len(own.grid):
            raise refuse("interpolate.RegularGridInterpolator", "only method='linear' of a number at each point is")
        made, corners, outside = 0.0, [], False
        for k, g in enumerate(own.grid):
            x = xi[..., k] if not isinstance(xi, tuple) else xi[k]
            at = np.clip(np.searchsorted(g, plain(x), side="right") - 1, 0, len(g) - 2)
            share = (x - g[at]) / (g[at + 1] - g[at])
            corners.append(((at, 1 - share), (at + 1, share)))
            outside = outside | (plain(x) < g[0]) | (plain(x) > g[-1])
        for corner in itertools.product(*corners):
            weight = 1.0
            for _, share in corner:
                weight = weight * share
            made = made + self._values[tuple([at for at, _ in corner])] * weight
        return made if own.fill_value is None or not np.any(outside) else np.where(outside, known, made)


INSTANCES["RegularGridInterpolator"] = lambda own: _Grid(own, own.values)


@scipy_rule("interpolate.RegularGridInterpolator")
def grid(
    points: Any, values: Any, method: str = "linear", bounds_error: bool = True, fill_value: Any = np.nan
) -> _Grid:
    own = original("interpolate.RegularGridInterpolator")(points, plain(values), method, bounds_error, fill_value)
    return _Grid(own, values)


@scipy_rule("interpolate.interpn")
def interpn(
    points: Any, values: Any, xi: Any, method: str = "linear", bounds_error: bool = True, fill_value: Any = np.nan
) -> Any:
    return grid(points, values, method, bounds_error, fill_value)(xi)
