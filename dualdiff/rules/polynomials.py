"""Rules of the polynomial functions, coefficients from the highest power down: composed of others, but for roots."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..core.asked import by_polynomials
from ..core.errors import NotDifferentiableError, user_line
from ..core.number import Number
from ..core.table import Plan, axes_of, rule
from ..core.tangents import combine, contract, total
from ..core.values import ndim, plain, shape_of, size_of
from .ordering import array_of


@rule(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    if ndim(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(shape_of(x)[0] if N is None else N)
    return np.power(x[:, None], powers if increasing else powers[::-1])


@rule(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """What is cut off is 0; where it moves, there is no derivative: NaN. NumPy's polynomials keep all coefficients.

    Raises
    ------
    NotDifferentiableError
        If all is cut off, since there is nothing left that could be NaN.
    """
    if by_polynomials(sys._getframe(1)):
        return filt
    shape, trim = shape_of(filt), trim.lower()
    at = np.argwhere(plain(filt) != 0)
    if len(at) == 0 < size_of(filt):
        raise NotDifferentiableError(f"np.trim_zeros of zeros that may move{user_line()}: use dd.value(x)")
    cut, kept = np.ones(shape, bool), [slice(None)] * len(shape)
    for k in axes_of(axis, len(shape)) if size_of(filt) else ():
        first = int(np.min(at[:, k])) if "f" in trim else 0
        kept[k] = slice(first, int(np.max(at[:, k])) + 1 if "b" in trim else shape[k])
    cut[tuple(kept)] = False
    return filt[tuple(kept)] + _spoiled(filt[cut]) if cut.any() else filt


def _spoiled(cut: Any) -> Any:
    """0, for numbers that were left out since they are 0; its derivative is NaN where one of them moves."""
    shape = shape_of(cut)

    def tangent(y: Any, values: Any, ts: Any) -> Any:
        return total(combine([(ts[0], shape, np.full(shape, np.nan))], shape), shape, (-1,), keepdims=True)

    return cut._finish(Plan((cut,), lambda v: 0 * v[:1], tangent)) if isinstance(cut, Number) else 0


rule(np.polymul)(lambda a1, a2: np.convolve(a1, a2))


@rule(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """Long division."""
    u, v = (np.atleast_1d(array_of(a)) for a in (u, v))
    r, n = u.astype(np.result_type(u.dtype, v.dtype)), len(v)
    quotient = []
    for k in range(len(u) - n + 1):
        quotient.append(1.0 / v[:1] * r[k : k + 1])  # rounded as in NumPy: which remainder is 0 may hang on it
        r = np.concatenate([r[:k], r[k : k + n] - quotient[k] * v, r[k + n :]])
    left = 0
    while left < len(r) - 1 and np.allclose(plain(r[left]), 0, rtol=1e-14):
        left += 1
    known = min(len(quotient), left)  # what the division takes off is 0 whatever u and v are
    rest = r[left:] + _spoiled(r[known:left]) if left > known else r[left:]
    return np.concatenate(quotient) if quotient else np.zeros(1, r.dtype), rest


@rule(np.roots)
def roots(p: Any) -> Plan:
    """From p(r) = 0: dr = -sum(dp_k r**(n - k)) / p'(r); a multiple root has no derivative."""

    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        p = values[0]
        weight = -np.vander(r, len(p)) / np.polyval(np.polyder(p), r)[:, None]
        return contract(tangents[0], shape_of(p), "a", weight, "ba", "b")

    return Plan((np.atleast_1d(p),), np.roots, tangent)


@rule(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    zeros = np.atleast_1d(seq_of_zeros)
    if ndim(zeros) == 2 and shape_of(zeros)[0] == shape_of(zeros)[1] > 0:
        zeros = np.linalg.eigvals(zeros)
    elif ndim(zeros) != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if len(zeros) == 0:
        return 1.0
    p, none = np.ones(1, zeros.dtype), np.zeros(1, zeros.dtype)
    for zero in zeros:
        p = np.concatenate([p, none]) - zero * np.concatenate([none, p])
    if p.dtype.kind == "c" and np.all(np.sort(plain(zeros)) == np.sort(plain(zeros).conj())):
        p = np.real(p)
    return p
