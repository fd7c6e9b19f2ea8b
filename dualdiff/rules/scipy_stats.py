"""scipy.stats: distributions by what SciPy itself writes of them in Python, and the statistics of samples.

SciPy's distributions are formulas of a standardised variable, `_logpdf` and the like, on NumPy's and scipy.special's
ufuncs, which take numbers with tangents as they stand. Around them SciPy masks what is outside the support: there its
values are constants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import NotDifferentiableError
from ..core.making import numeric
from ..core.table import Plan
from ..core.tangents import combine
from ..core.values import plain, shape_of
from .scipy_table import BODIES, INSTANCES, NOTES, moves, original, refuse, scipy_rule, settled
from .special import sp as special

# ---------------------------------------------------------------- distributions

NAMED = "norm gamma beta expon lognorm t chi2 uniform weibull_min poisson binom multivariate_normal".split()
NOTES |= dict.fromkeys(
    [f"stats.{name}" for name in NAMED],
    "density, distribution function and its inverse, where scipy.special's functions have derivatives by the argument; "
    "so are the other distributions whose formulas SciPy writes in Python",
)
_METHODS = ("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")


_KINKED = {"dgamma", "dweibull", "gennorm", "loglaplace"}
_FORMULAS: dict[tuple[str, str], Callable[..., Any]] = {  # where SciPy's are in compiled code, or ask for types
    ("t", "logpdf"): lambda y, n: (
        np.log(special.poch(n / 2, 0.5)) - 0.5 * np.log(np.pi * n) - (n + 1) / 2 * np.log1p(y * y / n)
    ),
    ("lognorm", "logpdf"): lambda y, s: -((np.log(y) / s) ** 2) / 2 - np.log(np.sqrt(2 * np.pi) * s * y),
    ("poisson", "cdf"): lambda k, mu: special.gammaincc(np.floor(k) + 1, mu),
    ("poisson", "sf"): lambda k, mu: special.gammainc(np.floor(k) + 1, mu),
    ("binom", "cdf"): lambda k, n, p: special.betainc(n - np.floor(k), np.floor(k) + 1, 1 - p),
    ("binom", "sf"): lambda k, n, p: special.betainc(np.floor(k) + 1, n - np.floor(k), p),
}


class Distribution:
    """Stands for one of SciPy's distributions, or for one with fixed parameters."""

    def __init__(self, own: Any, args: Any = (), kwargs: Any = None) -> None:
        self._own, self._args, self._kwargs = own, args, kwargs or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Distribution:
        return Distribution(self._own, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if not moves(self._args, self._kwargs):
            fixed = self._own(*self._args, **self._kwargs) if self._args or self._kwargs else self._own
        else:
            fixed = self._own
        method = getattr(fixed, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            args, kwargs = tuple(map(settled, args)), {k: settled(v) for k, v in kwargs.items()}
            if not moves((*args, *self._args), {**kwargs, **self._kwargs}):
                return method(*args, **kwargs)
            if name not in _METHODS:
                raise refuse(f"stats.{self._own.name}.{name}", f"differentiable are {', '.join(_METHODS)}")
            return _evaluate(self._own, name, *args, *self._args, **kwargs, **self._kwargs)

        return called if callable(method) else method


INSTANCES["rv_continuous"] = INSTANCES["rv_discrete"] = Distribution
INSTANCES["rv_frozen"] = lambda frozen: Distribution(frozen.dist, frozen.args, frozen.kwds)


def _evaluate(own: Any, name: str, x: Any, *args: Any, **kwargs: Any) -> Any:
    full = f"stats.{own.name}.{name}"
    known = getattr(own, name)(plain(x), *map(plain, args), **{k: plain(v) for k, v in kwargs.items()})
    shapes, loc, scale = own._parse_args(*args, **kwargs)
    x, loc, scale, *shapes = (numeric(v, f"scipy.{full}") for v in (x, loc, scale, *shapes))
    fixed = [plain(s) for s in shapes]
    if own.name in _KINKED:
        raise refuse(full, "SciPy's formula of it has a kink where the function itself has none")
    discrete = hasattr(own, "pmf")
    for k, s in enumerate((x, loc, *shapes) if discrete else ()):
        if moves([s]) and (k < 2 or _of_integers(own, fixed, k - 2)):
            raise refuse(full, "this argument is an integer; pass dd.value of it")
    inverse = name in ("ppf", "isf")
    y = x if inverse else (x - loc) / scale
    low, high = (0, 1) if inverse else own._get_support(*fixed)
    inside = (plain(y) >= low) & (plain(y) <= high) & np.isfinite(known) & (own._argcheck(*fixed) > 0)
    inside = inside & ((plain(y) < high) if discrete and name.endswith(("cdf", "sf")) else (plain(scale) > 0))
    if not np.all(inside):
        y = np.where(inside, y, 0.5 if inverse else np.nan_to_num(own.ppf(0.5, *fixed)))
    try:
        made = numeric(_standard(own, name, y, shapes), full)  # of objects, where SciPy fills arrays of its own
    except NotDifferentiableError as error:
        raise refuse(
            full, f"{str(error).partition(' (at ')[0].replace(' of a number with a tangent', '')} has no rule"
        ) from None
    except Exception as error:
        raise refuse(full, "SciPy's formula of it is not written in functions that have a derivative") from error
    if inverse:
        made = loc + scale * made
    elif name in ("pdf", "pmf"):
        made = made / scale
    elif name == "logpdf":
        made = made - np.log(scale)
    if not np.all(inside):
        made = np.where(inside, made, known)[()]
    return made.astype(np.result_type(known)) if moves([made]) else known


def _standard(own: Any, name: str, y: Any, shapes: Any) -> Any:
    """A method of the standardised variable, by SciPy's formula of it, of its logarithm, or of what it is a log of."""
    if name in ("pdf", "pmf") and _written(own, f"_log{name}"):
        return np.exp(_standard(own, f"log{name}", y, shapes))
    if (own.name, name) in _FORMULAS:
        return _FORMULAS[own.name, name](y, *shapes)
    if _written(own, f"_{name}"):
        try:
            return getattr(own, f"_{name}")(y, *shapes)
        except Exception:
            if name not in ("cdf", "sf", "ppf", "isf") or moves(shapes) or hasattr(own, "pmf"):
                raise
            return _by_density(own, name, y, shapes)
    if name.startswith("log"):
        return np.log(_standard(own, name[3:], y, shapes))
    if name in ("sf", "cdf"):
        return 1 - _standard(own, "cdf" if name == "sf" else "sf", y, shapes)
    if name == "isf":
        return _standard(own, "ppf", 1 - y, shapes)
    raise NotImplementedError


def _by_density(own: Any, name: str, y: Any, shapes: Any) -> Any:
    """A distribution function or its inverse by the variable alone: the slope is the density, or one over it."""

    def value(v: Any) -> Any:
        return _by_density(own, name, v, shapes) if moves([v]) else getattr(own, f"_{name}")(v, *shapes)

    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        density = _standard(own, "pdf", values[0] if name in ("cdf", "sf") else r, shapes)
        slope = {"cdf": density, "sf": -density, "ppf": 1 / density, "isf": -1 / density}[name]
        return combine([(tangents[0], shape_of(values[0]), slope)], shape_of(r))

    return y._finish(Plan((y,), value, tangent))


def _of_integers(own: Any, shapes: Any, k: int) -> bool:
    """Whether a shape parameter of a discrete distribution must be an integer."""
    return not any(np.any(own._argcheck(*shapes[:k], shapes[k] + d, *shapes[k + 1 :])) for d in (1e-6, -1e-6))


def _written(own: Any, name: str) -> bool:
    """Whether a distribution has a formula of its own, and no general one by integrals or roots."""
    general = original("stats.rv_discrete" if hasattr(own, "pmf") else "stats.rv_continuous")
    return getattr(type(own), name, None) is not getattr(general, name, None)


class Normal:
    """Stands for scipy.stats.multivariate_normal, or for one with fixed parameters."""

    def __init__(self, own: Any, *fixed: Any) -> None:
        self._own, self._fixed = own, fixed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return Normal(self._own, *args, *kwargs.values()) if moves(args, kwargs) else self._own(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        fixed = () if moves(self._fixed) else self._fixed
        method = getattr(self._own, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            if not moves((*args, *self._fixed), kwargs):
                return method(*args, *fixed, **kwargs)
            if name not in ("logpdf", "pdf"):
                raise refuse(f"stats.multivariate_normal.{name}", "differentiable are logpdf and pdf")
            if more := kwargs.keys() - {"x", "mean", "cov"}:
                raise refuse(f"stats.multivariate_normal.{name}", f"with {', '.join(more)}= it is not differentiated")
            made = _normal(*args, *self._fixed, **kwargs)
            return np.exp(made) if name == "pdf" else made

        return called if callable(method) else method


INSTANCES["multivariate_normal_gen"] = Normal
INSTANCES["multivariate_normal_frozen"] = lambda frozen: Normal(
    original("stats.multivariate_normal"), frozen.mean, frozen.cov
)


def _normal(x: Any, mean: Any = None, cov: Any = 1) -> Any:
    """The logarithm of the density; SciPy reads the lower triangle of the covariance."""
    size = max([1, *shape_of(cov)[-1:], *shape_of(0.0 if mean is None else mean)[-1:]])
    cov = cov * np.eye(size) if len(shape_of(cov)) < 2 else cov
    cov = np.tril(cov) + np.swapaxes(np.tril(cov, -1), -1, -2)
    x = np.reshape(x, (*shape_of(x), 1)) if size == 1 and shape_of(x)[-1:] != (1,) else x
    d = x if mean is None else x - mean
    square = np.sum(d * np.swapaxes(np.linalg.solve(cov, np.swapaxes(np.atleast_2d(d), -1, -2)), -1, -2), axis=-1)
    square = square if len(shape_of(d)) > 1 else square[0]
    return -(np.linalg.slogdet(cov)[1] + square + size * np.log(2 * np.pi)).astype(float) / 2


# ---------------------------------------------------------------- statistics of samples


@scipy_rule("stats.zscore")
def zscore(a: Any, axis: Any = 0, ddof: int = 0) -> Any:
    return (a - np.mean(a, axis, keepdims=True)) / np.std(a, axis, ddof=ddof, keepdims=True)


def _moments(a: Any, axis: Any, k: int) -> tuple[int, Any]:
    """How many there are, and the central moment of order k by the standard deviation's power."""
    d = a - np.mean(a, axis, keepdims=True)
    n = np.size(plain(a)) if axis is None else shape_of(a)[axis]
    return n, np.mean(d**k, axis) / np.mean(d**2, axis) ** (k / 2)


@scipy_rule("stats.skew")
def skew(a: Any, axis: Any = 0, bias: bool = True) -> Any:
    n, g = _moments(a, axis, 3)
    return g if bias or n < 3 else g * ((n - 1) * n) ** 0.5 / (n - 2)


@scipy_rule("stats.kurtosis")
def kurtosis(a: Any, axis: Any = 0, fisher: bool = True, bias: bool = True) -> Any:
    n, g = _moments(a, axis, 4)
    if not bias and n > 3:
        g = ((n * n - 1) * g - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3)) + 3
    return g - 3 if fisher else g


class Correlation(NamedTuple):
    statistic: Any
    pvalue: Any


@scipy_rule("stats.pearsonr")
def pearsonr(x: Any, y: Any) -> Correlation:
    dx, dy = x - np.mean(x), y - np.mean(y)
    r, half = np.sum(dx * dy) / np.sqrt(np.sum(dx**2) * np.sum(dy**2)), shape_of(dx)[0] / 2 - 1
    return Correlation(r, 2 * special.betaincc(half, half, (np.abs(r) + 1) / 2))


BODIES["stats.gmean"] = lambda a, axis=0: np.exp(np.mean(np.log(a), axis))
BODIES["stats.hmean"] = lambda a, axis=0: 1 / np.mean(1 / a, axis)
BODIES["stats.variation"] = lambda a, axis=0, *, ddof=0: np.std(a, axis, ddof=ddof) / np.mean(a, axis)
BODIES["stats.sem"] = lambda a, axis=0, ddof=1: np.std(a, axis, ddof=ddof) / _moments(a, axis, 2)[0] ** 0.5
