"""Rules of the polynomial functions, coefficients from the highest power down: composed of others, but for roots."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.table import Plan, rule
from ..core.tangents import contract
from ..core.values import ndim, plain, shape_of
from .ordering import array_of


@rule(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    if ndim(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(shape_of(x)[0] if N is None else N)
    return np.power(x[:, None], powers if increasing else powers[::-1])


rule(np.polymul)(lambda a1, a2: np.convolve(a1, a2))


@rule(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """Long division."""
    u, v = (np.atleast_1d(array_of(a)) for a in (u, v))
    r, n = u.astype(np.result_type(u.dtype, v.dtype)), len(v)
    quotient = []
    for k in range(len(u) - n + 1):
        quotient.append(r[k : k + 1] / v[:1])
        r = np.concatenate([r[:k], r[k : k + n] - quotient[k] * v, r[k + n :]])
    while len(r) > 1 and np.allclose(plain(r[0]), 0, rtol=1e-14):
        r = r[1:]
    return np.concatenate(quotient) if quotient else np.zeros(1, r.dtype), r


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
