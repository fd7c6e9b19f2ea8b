"""Finite differences: stencils and their weights, the steadiest of many steps, and the slope of a function of t at 0.

Every formula is a sum of values of f over a stencil of points x + o_i, o_i ~ h, with the weights of `weights`. Its
truncation error falls as h^p, its rounding error grows as eps |f| / h^k; the default steps balance the two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# For the k-th derivative: the offsets in units of the step, and the power p of the step in the truncation error.
STENCILS: dict[str, Callable[[int], tuple[Any, int]]] = {
    "forward": lambda k: (np.arange(k + 1.0), 1),
    "backward": lambda k: (-np.arange(k + 1.0), 1),
    "central": lambda k: (np.arange(-k, k + 1.0, 2) / (2 - k % 2), 2),
    "three_point": lambda k: (np.array([-1.0, 0.0, 2.0]), 3 - k),
    "complex_step": lambda k: (np.array([-1j, 1j]), 2),  # the central quotient along the imaginary axis
}


def check_method(who: str, method: str) -> None:
    if method not in STENCILS:
        raise ValueError(f"{who}: unknown method {method!r}, choose one of {', '.join(STENCILS)}")


def weights(points: NDArray[Any], order: int) -> NDArray[Any]:
    """Weights w with f^(order)(0) ~ sum_i w_i f(points_i); points run along the first axis, of one stencil each.

    Fornberg, Math. Comp. 51 (1988), 699-706.
    """
    w = np.zeros((order + 1, *points.shape), points.dtype)  # w[k, i]: derivative k, point i, on the first n points
    w[0, 0] = product = 1
    k = np.arange(1.0, order + 1).reshape(-1, *(1,) * points.ndim)
    for n in range(1, len(points)):
        gaps = points[n] - points[:n]
        product, before = np.prod(gaps, axis=0), product
        new, old = -points[n - 1] * w[:, n - 1], points[n] * w[:, :n]
        new[1:] += k[:, 0] * w[:-1, n - 1]
        old[1:] -= k * w[:-1, :n]
        w[:, :n], w[:, n] = old / gaps, new * (before / product)
    return np.asarray(w[order])


def balanced_step(method: str, order: int, eps: float) -> Any:
    """The step, a power of two, at which truncation and rounding are alike, for x of size 1: eps / h^k ~ h^p."""
    power = 2 if method == "complex_step" else 1 / (order + STENCILS[method](order)[1])
    return np.exp2(np.rint(np.log2(eps) * power))


def slope_at_zero(f: Callable[[Any], Any], method: str, dtype: Any) -> Any:
    """The derivative at 0 of a function of a number, to arrays, that changes over steps of about 1.

    `dtype` is the type of what the number moves, as coarse as which a difference is.
    """
    y = f(0.0)
    h = balanced_step(method, 1, precision(np.empty(0, dtype), y))
    if method == "complex_step":
        return f(1j * h).imag / h
    offsets = STENCILS[method](1)[0] * h
    values = np.array([f(t) if t else y for t in offsets]).astype(np.result_type(y, np.float64))
    w = weights(offsets, 1).reshape(-1, *(1,) * y.ndim)
    return np.sum(w * (values - values[0]), axis=0).astype(y.dtype)  # the weights sum to 0


def precision(*arrays: Any) -> float:
    """eps of the coarsest of their float types."""
    return max(float(np.finfo(a.dtype).eps) for a in arrays)


def refuse_nonanalytic(who: str, f: Callable[[Any], Any], dtype: Any) -> None:
    """Raise where the complex step of a function of a number at 0 contradicts real differences; see `slope_at_zero`."""
    y = f(0.0)
    eps = precision(np.empty(0, dtype), y)
    try:
        slope = f(1j * eps**2).imag / eps**2
    except TypeError as err:
        raise TypeError(f'{who}: the complex step needs an f that takes complex numbers; use method="central"') from err

    if y.dtype.kind == "c":
        raise TypeError(f"{who}: the result of f must be real; take real and imaginary parts as two real arrays")
    if not np.all(np.isfinite(y)):
        raise ValueError(f"{who}: the result of f must be finite, got {y[~np.isfinite(y)][0]}")

    def difference(t: float) -> Any:
        high, low = f(t), f(-t)
        return np.array([high - low, eps * (np.abs(high) + np.abs(low))]) / (2 * t)

    found = sweep(difference, sweep_steps(eps))
    limit, unsteadiness = tolerance(eps) * np.abs(slope), found.unsteadiness
    steady = unsteadiness <= np.maximum(limit, found.chosen(unsteadiness))
    right = steady & (np.abs(found.values[:, 0] - slope) <= limit + 4 * unsteadiness)  # which rounding may hide
    if not np.all(np.any(right, axis=0)):
        raise ValueError(f'{who}: f drops imaginary parts (abs, np.real) or is not smooth here; use method="central"')


def tolerance(eps: float) -> float:
    """The relative error that a comparison with differences allows: 1e-6, in float32 1e-5."""
    return max(1e-6, 100 * eps)


def sweep_steps(eps: float) -> Any:
    """Relative steps 1/4, 1/16, ... down to where the precision leaves too few digits for a difference."""
    return np.exp2(-np.arange(2.0, 1 - 0.7 * np.log2(eps), 2))


class Sweep(NamedTuple):
    """What was measured at many steps, the smallest first: `steps` has one more at either end than the rest."""

    steps: NDArray[Any]
    values: NDArray[Any]  # of shape (steps, quantities, *elements)
    unsteadiness: NDArray[Any]  # of the first quantity: its change to the neighbouring steps, and its rounding
    best: NDArray[Any]  # for each element the number of the steadiest step

    def chosen(self, quantity: NDArray[Any]) -> NDArray[Any]:
        """Each element at its steadiest step."""
        return np.asarray(np.take_along_axis(quantity, self.best[None], 0)[0])


def sweep(measure: Callable[[float], NDArray[Any]], steps: NDArray[Any]) -> Sweep:
    """What `measure` gives (a value, its rounding, ...) at these steps, the largest first."""
    rows = []
    with np.errstate(all="ignore"):
        last = measure(float(steps[-1]))  # what f raises even here comes out
        for t in steps[:-1]:
            try:
                rows.append(measure(float(t)))
            except (ArithmeticError, ValueError):  # a large step has left the domain of f
                rows.append(np.array(np.nan))
        table = np.stack(np.broadcast_arrays(last, *rows[::-1]))
        inner, value, rounding = table[1:-1], table[:, 0], table[:, 1].real
        jumps = np.abs(np.diff(value, axis=0))
        unsteadiness = np.maximum(jumps[:-1], jumps[1:]) + rounding[1:-1]
        # A step that leaves f unchanged found nothing, where another changes it by little more than rounding.
        digits = np.abs(value) / rounding
        blind = (inner[:, 0] == 0) & (np.min(digits, axis=0, where=digits > 0, initial=np.inf) < 1e10)
        useless = np.isnan(unsteadiness) | (blind & np.any(np.isfinite(unsteadiness) & ~blind, axis=0))
        unsteadiness = np.where(useless, np.inf, unsteadiness)
        # The limit is at small steps: those beyond a much less steady one see f at another scale.
        rough = np.isfinite(unsteadiness) & (unsteadiness > 100 * np.minimum.accumulate(unsteadiness, axis=0))
        beyond = np.maximum.accumulate(rough, axis=0)
    return Sweep(steps[::-1], inner, unsteadiness, np.argmin(np.where(beyond, np.inf, unsteadiness), axis=0))
