"""Rules of the polynomial functions, coefficients from the highest power down: composed of others, but for roots."""

from __future__ import annotations

import warnings
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


@rule(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Horner's rule."""
    x = array_of(x)
    y = 0.0 * (x if hasattr(x, "ndim") else np.asarray(x))
    for c in array_of(p):
        y = y * x + c
    return y


@rule(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    a1, a2 = (np.atleast_1d(array_of(a)) for a in (a1, a2))
    n = max(len(a1), len(a2))
    return np.add(*[np.concatenate([np.zeros(n - len(a), a.dtype), a]) for a in (a1, a2)])


rule(np.polysub)(lambda a1, a2: np.polyadd(a1, np.negative(a2)))
rule(np.polymul)(lambda a1, a2: np.convolve(a1, a2))


@rule(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """Long division."""
    u, v = (np.atleast_1d(array_of(a)) for a in (u, v))
    r, n = u + 0.0 * v[0], len(v)
    quotient = []
    for k in range(len(u) - n + 1):
        quotient.append(r[k : k + 1] / v[:1])
        r = np.concatenate([r[:k], r[k : k + n] - quotient[k] * v, r[k + n :]])
    while len(r) > 1 and np.allclose(plain(r[0]), 0, rtol=1e-14):
        r = r[1:]
    return np.concatenate(quotient) if quotient else np.zeros(1, r.dtype), r


@rule(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@rule(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    constants = np.zeros(m) if k is None else np.atleast_1d(array_of(k))
    if len(constants) == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), constants[i : i + 1]])
    return p


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


@rule(np.roots)
def roots(p: Any) -> Plan:
    """From p(r) = 0: dr = -sum(dp_k r**(n - k)) / p'(r); a multiple root has no derivative."""

    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        p = values[0]
        weight = -np.vander(r, len(p)) / np.polyval(np.polyder(p), r)[:, None]
        return contract(tangents[0], shape_of(p), "a", weight, "ba", "b")

    return Plan((np.atleast_1d(p),), np.roots, tangent)


@rule(np.polyfit)
def polyfit(
    x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:
    """The least-squares problem that NumPy poses, through np.linalg.lstsq."""
    x, y, order = array_of(x) + 0.0, array_of(y) + 0.0, int(deg) + 1
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if ndim(x) != 1 or len(x) == 0:
        raise TypeError("expected 1D non-empty vector for x")
    if ndim(y) not in (1, 2) or len(x) != len(y) or (w is not None and shape_of(w) != shape_of(x)):
        raise TypeError("expected 1D or 2D array for y, and x, y and w to have the same length")
    left, right = np.vander(x, order), y
    if w is not None:
        w = array_of(w) + 0.0
        left, right = left * w[:, None], right * (w[:, None] if ndim(y) == 2 else w)
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, singular = np.linalg.lstsq(left, right, rcond)
    c = np.transpose(np.transpose(c) / scale)
    if full:
        return c, residuals, rank, singular, rcond
    if rank != order:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=2)
    if not cov:
        return c
    base = np.linalg.inv(np.dot(np.transpose(left), left)) / np.outer(scale, scale)
    base = base if ndim(y) == 1 else base[:, :, None]
    if cov == "unscaled":
        return c, base
    if len(x) <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    return c, base * (residuals / (len(x) - order))
