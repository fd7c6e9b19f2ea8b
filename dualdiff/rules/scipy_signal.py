"""scipy.signal, scipy.fft, scipy.ndimage: filters, as sums of shifted elements times weights, a bilinear rule.

What SciPy does beyond the ends of an array is np.pad's; weights of its filters are their answers to an impulse.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.table import Plan
from ..core.tangents import combine, contract, linear
from ..core.values import ndim, plain, shape_of
from .matrix import is_complex
from .products import LETTERS
from .scipy_table import BODIES, moves, original, refuse, scipy_rule


def _sums(x: Any, w: Any, n: int | None = None) -> Any:
    """sum_k x[i + k] * w[k] over the last n axes, where all of these x are there; either may have one axis more."""
    n = ndim(x) if n is None else n
    if ndim(w) > n or (ndim(x) > n and moves((x, w))):
        count = shape_of(w if ndim(w) > n else x)[0]
        xs, ws = ([v[k] if ndim(v) > n else v for k in range(count)] for v in (x, w))
        return np.stack([_sums(a, b, n) for a, b in zip(xs, ws)])
    if not moves((x, w)):
        return original("signal.convolve")(x, np.flip(w).reshape((1,) * (ndim(x) - n) + shape_of(w)), "valid")

    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        (x, w), (dx, dw), terms = values, tangents, []
        ends = [(k - 1, k - 1) for k in shape_of(w)]

        def back(c: Any) -> Any:
            c = np.pad(c, [(0, 0)] * (ndim(c) - n) + ends)
            return _real(_sums(c, np.flip(np.conj(w)), n), x)

        if dx is not None:
            terms.append((linear(dx, shape_of(x), lambda v: _sums(v, w, n), back), shape_of(r), 1))
        if dw is not None:
            forward, other = (lambda v: _sums(x, v, n)), (lambda c: _real(_sums(np.conj(x), c, n), w))
            terms.append((linear(dw, shape_of(w), forward, other), shape_of(r), 1))
        return combine(terms, shape_of(r))

    return next(v for v in (x, w) if moves([v]))._finish(Plan((x, w), _sums, tangent))


def _real(c: Any, like: Any) -> Any:
    return c if is_complex(like) else np.real(c)


# ---------------------------------------------------------------- scipy.signal


@scipy_rule("signal.convolve", "signal.fftconvolve", "signal.oaconvolve")
def convolve(in1: Any, in2: Any, mode: str = "full", *, method: str = "auto") -> Any:
    m, k = shape_of(in1), shape_of(in2)
    if mode == "valid":
        return _sums(in2, np.flip(in1)) if any(a < b for a, b in zip(m, k)) else _sums(in1, np.flip(in2))
    full = _sums(np.pad(in1, [(b - 1, b - 1) for b in k]), np.flip(in2))
    return full[tuple([slice((b - 1) // 2, (b - 1) // 2 + a) for a, b in zip(m, k)])] if mode == "same" else full


@scipy_rule("signal.correlate")
def correlate(in1: Any, in2: Any, mode: str = "full", *, method: str = "auto") -> Any:
    return convolve(in1, np.conj(np.flip(in2)), mode)


@scipy_rule("signal.convolve2d")
def convolve2d(in1: Any, in2: Any, mode: str = "full") -> Any:
    return convolve(in1, in2, mode)


@scipy_rule("signal.correlate2d")
def correlate2d(in1: Any, in2: Any, mode: str = "full") -> Any:
    return correlate(in1, in2, mode)


@scipy_rule("signal.lfilter")
def lfilter(b: Any, a: Any, x: Any, axis: int = -1) -> Any:
    x = np.moveaxis(x, axis, -1)
    b, k = np.reshape(b, (1,) * (ndim(x) - 1) + (-1,)), np.size(plain(b))
    return np.moveaxis(_poles(a, _sums(np.pad(x, [(0, 0)] * (ndim(x) - 1) + [(k - 1, 0)]), np.flip(b))), -1, axis)


def _poles(a: Any, u: Any) -> Any:
    """y of a[0] y[n] + a[1] y[n - 1] + ... = u[n], along the last axis; dy is that of du - da[0] y[n] - ..."""
    if not moves((a, u)):
        return original("signal.lfilter")(np.ones(1, u.dtype), a, u)

    def tangent(y: Any, values: Any, tangents: Any) -> Any:
        (a, u), (da, du), sub = values, tangents, LETTERS[1 : ndim(y) + 1]
        terms = [] if du is None else [(du, shape_of(u), 1)]
        if da is not None:
            n, lead = shape_of(y)[-1], [(0, 0)] * (ndim(y) - 1)
            late = np.stack([np.pad(y, [*lead, (k, 0)])[..., :n] for k in range(len(a))])
            late = contract(da, shape_of(a), LETTERS[0], late, LETTERS[0] + sub, sub)
            terms.append((late, shape_of(y), -1))

        def back(c: Any) -> Any:
            return _real(np.flip(_poles(np.conj(a), np.flip(c, -1)), -1), y)

        return linear(combine(terms, shape_of(y)), shape_of(y), lambda v: _poles(a, v), back)

    return next(v for v in (a, u) if moves([v]))._finish(Plan((a, u), _poles, tangent))


@scipy_rule("signal.savgol_filter")
def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Any:
    """Row k of the matrix that SciPy applies to one window is what it does k places from the end."""
    n, half = window_length, window_length // 2
    if n % 2 == 0:
        raise refuse("signal.savgol_filter", "only odd windows are differentiated")
    rows = original("signal.savgol_filter")(np.eye(n), n, polyorder, deriv, delta, axis=0).astype(plain(x).dtype)
    if mode != "interp":
        return correlate1d(x, rows[half], axis, mode=mode, cval=cval)
    x = np.moveaxis(x, axis, -1)
    middle = _sums(x, rows[half].reshape((1,) * (ndim(x) - 1) + (-1,)))
    parts = [x[..., :n] @ rows[:half].T, middle, x[..., -n:] @ rows[half + 1 :].T]
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, axis)


@scipy_rule("signal.detrend")
def detrend(data: Any, axis: int = -1, type: str = "linear") -> Any:
    rest = data - np.mean(data, axis, keepdims=True)
    if type in ("constant", "c"):
        return rest
    t = np.arange(shape_of(data)[axis], dtype=plain(data).dtype)
    t = (t - t.mean()).reshape([-1 if k == axis % ndim(data) else 1 for k in range(ndim(data))])
    return rest - t * np.sum(t * rest, axis, keepdims=True) / np.sum(t * t)


def _by_matrix(name: str, before: int = 0) -> Callable[..., Any]:
    """A function that is linear along an axis, as the product with its answers to unit vectors."""

    def body(*args: Any, axis: Any = None, **kwargs: Any) -> Any:
        own, (x, *more) = original(name), args[before:]
        if moves((*args[:before], *more), kwargs):
            raise refuse(name, "only its signal is differentiated")
        axis = inspect.signature(own).parameters["axis"].default if axis is None else axis
        x = np.moveaxis(x, axis, -1)
        n = shape_of(x)[-1]
        if n > 5000:
            raise refuse(name, f"{n} elements along the axis are too many for its matrix")
        matrix = own(*args[:before], np.eye(n, dtype=plain(x).dtype), *more, axis=-1, **kwargs)
        return np.moveaxis(x @ matrix, -1, axis)

    return body


for _name in ("signal.hilbert", "signal.resample", *(f"fft.{n}" for n in "dct idct dst idst".split())):
    BODIES[_name] = _by_matrix(_name)
BODIES["signal.sosfilt"] = _by_matrix("signal.sosfilt", 1)

# ---------------------------------------------------------------- scipy.fft


def _of_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, *args, **kwargs: function(x, *args, **kwargs)


for (
    _name
) in "fft ifft rfft irfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn hfft ihfft fftshift ifftshift".split():
    BODIES[f"fft.{_name}"] = _of_numpy(getattr(np.fft, _name))

# ---------------------------------------------------------------- scipy.ndimage

_ENDS = {"reflect": "symmetric", "grid-mirror": "symmetric", "mirror": "reflect", "nearest": "edge", "wrap": "wrap"}
_ENDS |= {"grid-wrap": "wrap", "constant": "constant", "grid-constant": "constant"}


@scipy_rule("ndimage.correlate")
def correlate_nd(input: Any, weights: Any, *, mode: str = "reflect", cval: float = 0.0, origin: Any = 0) -> Any:
    more = {"constant_values": cval} if "constant" in mode else {}
    origins = [origin] * ndim(input) if np.ndim(origin) == 0 else origin
    ends = [(k // 2 + o, k - 1 - k // 2 - o) for k, o in zip(shape_of(weights), origins)]
    made = _sums(np.pad(input, ends, _ENDS[mode], **more), weights)
    return made.astype(plain(input).dtype)


@scipy_rule("ndimage.convolve")
def convolve_nd(input: Any, weights: Any, *, mode: str = "reflect", cval: float = 0.0, origin: Any = 0) -> Any:
    origins = [origin] * ndim(input) if np.ndim(origin) == 0 else origin
    origins = [-o - (k % 2 == 0) for k, o in zip(shape_of(weights), origins)]
    return correlate_nd(input, np.flip(weights), mode=mode, cval=cval, origin=origins)


def _along(weights: Any, axis: int, n: int) -> Any:
    return np.reshape(weights, [-1 if k == axis % n else 1 for k in range(n)])


@scipy_rule("ndimage.correlate1d")
def correlate1d(
    input: Any, weights: Any, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Any:
    n = ndim(input)
    origins = [origin if k == axis % n else 0 for k in range(n)]
    return correlate_nd(input, _along(weights, axis, n), mode=mode, cval=cval, origin=origins)


@scipy_rule("ndimage.convolve1d")
def convolve1d(
    input: Any, weights: Any, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Any:
    return correlate1d(
        input, np.flip(weights), axis, mode=mode, cval=cval, origin=-origin - (np.size(plain(weights)) % 2 == 0)
    )


@scipy_rule("ndimage.gaussian_filter1d")
def gaussian_filter1d(
    input: Any,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    *,
    mode: str = "reflect",
    cval: float = 0.0,
    truncate: float = 4.0,
    radius: int | None = None,
) -> Any:
    if moves([sigma]):
        raise refuse("ndimage.gaussian_filter1d", "how many weights there are jumps with sigma; pass dd.value(sigma)")
    r = int(truncate * float(sigma) + 0.5) if radius is None else radius
    impulse = np.eye(2 * r + 1)[r]
    weights = original("ndimage.gaussian_filter1d")(
        impulse, sigma, order=order, mode="constant", truncate=truncate, radius=r
    )
    return correlate1d(input, weights[::-1], axis, mode=mode, cval=cval)


@scipy_rule("ndimage.gaussian_filter")
def gaussian_filter(input: Any, sigma: Any, order: Any = 0, **options: Any) -> Any:
    n = ndim(input)
    for axis, (s, o) in enumerate(zip(*(list(x) if np.ndim(plain(x)) else [x] * n for x in (sigma, order)))):
        if moves([s]) or s > 1e-15:
            input = gaussian_filter1d(input, s, axis, o, **options)
    return input


@scipy_rule("ndimage.uniform_filter1d")
def uniform_filter1d(input: Any, size: int, axis: int = -1, **options: Any) -> Any:
    return correlate1d(input, np.full(size, 1 / size), axis, **options)


@scipy_rule("ndimage.uniform_filter")
def uniform_filter(input: Any, size: Any = 3, **options: Any) -> Any:
    for axis, k in enumerate([size] * ndim(input) if np.ndim(size) == 0 else size):
        input = uniform_filter1d(input, k, axis, **options)
    return input
