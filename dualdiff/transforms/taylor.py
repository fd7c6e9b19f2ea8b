"""`taylor`: the Taylor coefficients of f along a line, to any order in one pass, by the jets of spaces/jets.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.values import dtype_of, in_memory, is_complex, plain, shape_of, size_of
from ..run.call import Call, Function, check_holomorphic, number
from ..run.checks import check_function, check_order, fitting
from ..spaces.jets import Jets, Series


def taylor(f: Function, x: Any, order: int, direction: Any = None) -> Any:
    """The Taylor coefficients of f at x, f^(k)(x) / k! for k = 0, ..., order, exact to rounding, in one pass.

    >>> import numpy as np, dualdiff as dd
    >>> dd.taylor(np.exp, 0.0, 4) * [1, 1, 2, 6, 24]
    array([1., 1., 1., 1., 1.])

    Parameters
    ----------
    f : callable of one argument
    x : number, array_like or container of them
    order : int
        The highest order, at least 0. The cost of each operation in f grows as order**2.
    direction : as x, optional
        v of the same structure and shapes as x: the coefficients are those of t -> f(x + t v). Without it x moves by 1:
        a number, or each element of an array by itself, of which f must then be an elementwise function.

    Returns
    -------
    ndarray
        Of shape (order + 1,) + out.shape. For a container as result, the same container of such arrays.

    Raises
    ------
    ValueError
        If order is negative or no int, the direction does not fit, or f of an array is not elementwise and no direction
        is given.
    TypeError
        If f is no function, or not holomorphic in a complex x.

    Notes
    -----
    At a kink, and at a branch, the coefficients are those of the side on which the value is, as nesting `derivative`
    gives; at a tie in a maximum the pieces share them evenly.

    Examples
    --------
    >>> dd.taylor(lambda x: x[0] * x[1], [2.0, 3.0], 2, direction=[1.0, 1.0])
    array([6., 5., 1.])
    """
    check_function("taylor", f, "taylor(f, x, order)")
    order = check_order("taylor", order)
    call = Call("taylor", f, 0, (x,), {})
    if direction is None:
        coefficients, rebuild = along_one(call, order)
    else:
        line, _ = fitting("taylor", "the direction", direction, "x", x, call.leaves)
        coefficients, rebuild = series_along(call, line, order)
    return rebuild(coefficients)


def series_along(call: Call, line: Sequence[Any], order: int) -> tuple[list[Any], Callable[[Any], Any]]:
    """The coefficients of each leaf of f's result along a line, on a leading axis, and how to rebuild the result."""
    jets = Jets(order)
    seeds = [Series(jets, lambda k, v=v: v if k == 1 else v * 0) for v in line]  # type: ignore[misc]
    values, ts, rebuild = call.run(seeds)
    return [_stacked(v, t, order) for v, t in zip(values, ts)], rebuild


def _stacked(v: Any, t: Any, order: int) -> Any:
    shape = shape_of(v)
    known = [np.zeros(shape, dtype_of(v))[()]] * order if t is None else t.below(order + 1)
    if not all(in_memory(c) for c in (v, *known)):
        return np.stack([c if shape_of(c) == shape else np.broadcast_to(c, shape) for c in (v, *known)])
    made = np.empty((order + 1, *shape), dtype_of(v))
    for k, c in enumerate((v, *known)):
        made[k] = c
    return made


def along_one(call: Call, order: int, one: float = 1.0) -> tuple[list[Any], Callable[[Any], Any]]:
    """The coefficients of a function of a number, or of an elementwise function of an array for each element, which
    moves by `one`, a power of two."""
    if len(call.leaves) != 1:
        raise TypeError(
            f"{call.name}: the argument is a container; use gradient or jacobian, or give taylor a direction="
        )
    (x,) = call.leaves
    line: Any = one if isinstance(x, float) else np.full(shape_of(x), one, dtype_of(x))[()]
    coefficients, rebuild = series_along(call, [line], order)
    if is_complex(x):
        for c, turned in zip(coefficients, series_along(call, [1j * line], order)[0]):
            for k in range(1, order + 1):
                check_holomorphic(call, 1j ** (k - 1) * c[k], turned[k])
    for v in probes(x, order) if shape_of(x) else ():
        powers = v ** np.arange(order + 1).reshape(-1, *(1,) * v.ndim)
        for c, scaled in zip(coefficients, series_along(call, [v * line], order)[0]):
            instead = "give taylor a direction=, or use jacobian(f) for all partial derivatives"
            check_elementwise(call, c, powers, scaled, instead)
    return coefficients, rebuild


def highest(call: Call, order: int) -> Any:
    """The derivative of that order, where nesting would cost more."""
    step = 2 ** max(round(math.log2(order / math.e)), 0)  # so that the coefficients are about the derivatives
    leaves, rebuild = along_one(call, order, float(step))
    factor = math.factorial(order) / step**order
    return rebuild([number(c[order] * factor) for c in leaves])


def probes(x: Any, order: int) -> list[Any]:
    """Directions, powers of two, in which any two elements of x differ at least once: of f elementwise they scale
    coefficient k by their k-th powers, without any rounding."""
    reach = {8: 400, 4: 60}.get(np.zeros((), dtype_of(x)).real.dtype.itemsize, 4)  # as far as exponents go, by half
    base, numbers, probes = max(2, min(64, 2 * (reach // max(order, 1)))), np.arange(size_of(x)), []
    while numbers.any():
        probes.append((2.0 ** (numbers % base - base // 2)).astype(dtype_of(x)).reshape(shape_of(x)))
        numbers = numbers // base
    return probes


def check_elementwise(call: Call, t: Any, factor: Any, scaled: Any, instead: str) -> None:
    """Raise unless derivatives `scaled`, where x moves in other directions than for t, are t times `factor`."""
    same = shape_of(t) == shape_of(factor)
    if same:
        with np.errstate(all="ignore"):
            expected, found = factor * plain(t), plain(scaled)
            rtol = 1e-6 if dtype_of(found).itemsize >= 8 else 1e-2
            near = np.isclose(expected, found, rtol=rtol, atol=0, equal_nan=True)
            same = bool(np.all(near | ((np.abs(expected) < 1e-290) & (np.abs(found) < 1e-290))))
    if not same:
        shape = shape_of(call.leaves[0])
        raise ValueError(f"{call.name}: f of an array of shape {shape} is not elementwise; {instead}")
