"""Rules of scipy.special: one line a function, by each argument that has a closed form; the others are refused by name.

The table is keyed by names, so that SciPy is never imported from here: when a ufunc is met that NumPy does not have,
`register` looks it up. Formulas are accurate wherever the function is, in the tails and near removable singularities.

SciPy's logsumexp, softmax, log_softmax and polygamma are Python functions that turn their arguments into plain arrays
first. Those below take numbers with tangents.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, user_line
from ..core.number import Number
from ..core.table import FINDERS, FUNCTIONS, PLAIN, REFUSED, Elementwise, Plan, axes_of, register
from ..core.tangents import combine
from ..core.values import ndim, plain, shape_of
from .calculus import near
from .ordering import array_of

__all__ = ["log_softmax", "logsumexp", "polygamma", "softmax"]


class _SciPy:
    """scipy.special, imported when a function of it is first needed."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(importlib.import_module("scipy.special"), name)
        return _real(name, function) if name in REAL else function


sp = _SciPy()
REAL = {"zeta", "hyperu", "exprel"}  # which SciPy has of real numbers only
SPECIAL: dict[str, tuple[Any, ...]] = {}  # name -> for each argument a partial(*arguments, result), or its name if none
SEVERAL: dict[str, tuple[Any, ...]] = {}  # of several results: partial(*arguments, *results) gives a slope for each
CONSTANT = {"gammasgn", "round"}  # piecewise constant


def _real(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def real(*args: Any) -> Any:
        if any(np.iscomplexobj(plain(x)) for x in args):
            raise NotDifferentiableError(
                f"a derivative at complex numbers{user_line()} needs scipy.special.{name}, which takes real ones only"
            )
        return function(*args)

    return real


def _real_sign(x: Any) -> Any:
    if np.iscomplexobj(plain(x)):
        how = "the factor exp(-abs(z.real)) has no complex derivative; write iv(v, z) * np.exp(-np.abs(z.real))"
        raise NotDifferentiableError(f"scipy.special.ive at complex numbers{user_line()}: {how}")
    return np.sign(x)


def special(names: str, *partials: Any) -> None:
    SPECIAL.update(dict.fromkeys(names.split(), partials))


# ---------------------------------------------------------------- helpers of the formulas

PI, ROOT2, ROOT_PI, ROOT_2PI, RADIAN = math.pi, math.sqrt(2), math.sqrt(math.pi), math.sqrt(2 * math.pi), math.pi / 180


def _switch(here: Any, x: Any, f: Any, g: Any, inside: float, outside: float) -> Any:
    """f(x) where `here`, else g(x); each sees a harmless point in the place of the other's."""
    return np.where(here, f(np.where(here, x, inside)), g(np.where(here, outside, x)))


def _erfcx(x: Any, y: Any) -> Any:
    """2 * x * y - 2 / sqrt(pi); for large x, where that cancels, from erfcx(x) = 1 / (sqrt(pi) * (x + r))."""

    def far(x: Any) -> Any:
        r: Any = 0.0
        for k in range(60, 0, -1):
            r = 0.5 * k / (x + r)
        return -2 / ROOT_PI * r / (x + r)

    return _switch(np.real(plain(x)) > 2, x, far, lambda x: 2 * x * sp.erfcx(x) - 2 / ROOT_PI, 2.0, 0.0)


def _dawsn(x: Any, y: Any) -> Any:
    """1 - 2 * x * y, by a continued fraction that does not cancel where x is large."""

    def fraction(x: Any) -> Any:
        s: Any = 0.0
        for k in range(60, 0, -1):
            s = 4 * k * x * x / (2 * k + 1 + 2 * x * x - s)
        return (1 - s) / (1 + 2 * x * x - s)

    if np.iscomplexobj(plain(x)):
        return 1 - 2 * x * y
    return _switch(np.abs(plain(x)) < 1e8, x, fraction, lambda x: -0.5 / x / x, 0.0, 1.0)


def _rgamma(x: Any, y: Any) -> Any:
    """-y * psi(x); left of 1/2, where 1 / gamma has zeros and psi has poles, by reflection."""
    turns = np.rint(np.real(plain(x)))

    def left(x: Any) -> Any:
        angle = PI * (x - turns)
        return sp.gamma(1 - x) * (np.cos(angle) - sp.psi(1 - x) * np.sin(angle) / PI) * (1 - 2 * (turns % 2))

    return _switch(np.real(plain(x)) < 0.5, x, left, lambda x: -sp.rgamma(x) * sp.psi(x), 0.0, 1.0)


_PSI = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12]
_STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]
_LOG = [1 / (2 * k + 3) for k in range(18, -1, -1)]
_EXPREL = [(k + 1) / math.factorial(k + 2) for k in range(22)]
_SPENCE = [-((-1) ** k) / (k + 1) for k in range(20)]


def _psi_step(a: Any, b: Any) -> Any:
    """psi(a + b) - psi(a); where both are positive, 10 steps up and by the asymptotic series, without cancellation."""
    positive = (np.real(plain(a)) > 0) & (np.real(plain(a + b)) > 0)
    p, q = np.where(positive, a, 1.0), np.where(positive, b, 1.0)
    far = p + 10
    ratio = np.log1p(q / far)
    step = ratio - np.expm1(-ratio) / (2 * far) + sum(q / ((p + k) * (p + q + k)) for k in range(10))
    for k, c in enumerate(_PSI, 1):
        step = step - c * far ** (-2 * k) * np.expm1(-2 * k * ratio)
    return np.where(positive, step, sp.psi(a + b) - sp.psi(a))


def _stirling(z: Any) -> Any:
    """gammaln(z) - (z - 1/2) * log(z) + z - log(2 * pi) / 2."""
    near = lambda z: sp.gammaln(z) - (z - 0.5) * np.log(z) + z - math.log(2 * PI) / 2
    return _switch(plain(z) < 10, z, near, lambda z: np.polyval(_STIRLING[::-1], 1 / (z * z)) / z, 1.0, 10.0)


def _log_less(r: Any, u: Any) -> Any:
    """log(r) - u for u = r - 1."""
    close = np.abs(plain(u)) < 0.5
    s = np.where(close, u, 0.0)
    v = s / (2 + s)
    return np.where(close, 2 * v**3 * np.polyval(_LOG, v * v) - s * v, np.log(np.where(close, 1.0, r)) - u)


def _gamma_density(a: Any, x: Any) -> Any:
    """x**(a - 1) * exp(-x) / gamma(a)."""

    def inside(x: Any) -> Any:
        return np.sqrt(a / (2 * PI)) / x * np.exp(a * _log_less(x / a, (x - a) / a) - _stirling(a))

    return _switch(plain(x) == 0, x, lambda x: np.power(x, a - 1) / sp.gamma(a), inside, 0.0, 1.0)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x**(a - 1) * (1 - x)**(b - 1) / beta(a, b)."""

    def inside(x: Any) -> Any:
        n, d = a + b, x * b - (1 - x) * a
        exponent = a * _log_less(x * n / a, d / a) + b * _log_less((1 - x) * n / b, -d / b)
        exponent = exponent + _stirling(n) - _stirling(a) - _stirling(b)
        return np.sqrt(a * b / n / (2 * PI)) * np.exp(exponent) / (x * (1 - x))

    edge = lambda x: np.power(x, a - 1) * np.power(1 - x, b - 1) / sp.beta(a, b)
    return _switch((plain(x) == 0) | (plain(x) == 1), x, edge, inside, 0.0, 0.5)


def _exprel(x: Any) -> Any:
    return near(x, 1.0, _EXPREL, lambda x: (np.exp(x) - sp.exprel(x)) / x)


def _ellipk(m: Any) -> Any:
    far = lambda m: (sp.ellipe(m) / (1 - m) - sp.ellipk(m)) / (2 * m)  # which cancels near m = 0
    return _switch(np.abs(plain(m)) < 0.5, m, lambda m: PI / 8 * sp.hyp2f1(1.5, 1.5, 2.0, m), far, 0.0, 0.5)


def _ellipe(m: Any) -> Any:
    far = lambda m: (sp.ellipe(m) - sp.ellipk(m)) / (2 * m)
    return _switch(np.abs(plain(m)) < 0.5, m, lambda m: -PI / 8 * sp.hyp2f1(0.5, 1.5, 2.0, m), far, 0.0, 0.5)


def _ellipkm1(p: Any) -> Any:
    small = lambda p: (sp.ellipkm1(p) - sp.ellipe(1 - p) / p) / (2 * (1 - p))
    return _switch(plain(p) < 0.5, p, small, lambda p: -_ellipk(1 - p), 0.25, 1.0)


def _kve(v: Any, x: Any, y: Any) -> Any:
    """The slope of exp(x) * K(v, x); differences of neighbouring orders cancel for large x."""
    far = plain(x) > 20
    w = np.where(far, x, 20.0)
    slope = v / w * y - (2 * v + 1) * ROOT_PI * np.power(2 * w, v) * sp.hyperu(v + 1.5, 2 * v + 2, 2 * w)
    return np.where(far, slope, y - (sp.kve(v - 1, x) + sp.kve(v + 1, x)) / 2)


def _log_ratio(x: Any, y: Any) -> Any:
    """log(x / y), where the ratio over- or underflows too."""
    ratio = x / y
    fine = (plain(ratio) > 1e-300) & (plain(ratio) < 1e300)
    return np.where(fine, np.log(np.where(fine, ratio, 1.0)), np.log(x) - np.log(y))


def _lower(polynomial: Any, n: Any, *args: Any) -> Any:
    """The polynomial of one degree less, which is 0 for n = 0."""
    return np.where(n == 0, 0.0, polynomial(np.where(n == 0, n, n - 1), *args))


# ---------------------------------------------------------------- the table: the last name is the value

# fmt: off
special("erf",              lambda x, y: 2 / ROOT_PI * np.exp(-x * x))
special("erfc",             lambda x, y: -2 / ROOT_PI * np.exp(-x * x))
special("erfi",             lambda x, y: 2 / ROOT_PI * np.exp(x * x))
special("erfcx",            _erfcx)
special("erfinv",           lambda x, y: ROOT_PI / 2 * np.exp(y * y))
special("erfcinv",          lambda x, y: -ROOT_PI / 2 * np.exp(y * y))
special("dawsn",            _dawsn)
special("ndtr",             lambda x, y: np.exp(-x * x / 2) / ROOT_2PI)
special("log_ndtr",         lambda x, y: math.sqrt(2 / PI) / sp.erfcx(-x / ROOT2))
special("ndtri",            lambda x, y: ROOT_2PI * np.exp(y * y / 2))
special("ndtri_exp",        lambda x, y: sp.erfcx(-y / ROOT2) / math.sqrt(2 / PI))
special("owens_t",          lambda h, a, y: -np.exp(-h * h / 2) * sp.erf(a * h / ROOT2) / (2 * ROOT_2PI),
                            lambda h, a, y: np.exp(-h * h * (1 + a * a) / 2) / (2 * PI * (1 + a * a)))
special("gamma",            lambda x, y: y * sp.psi(x))
special("gammaln loggamma", lambda x, y: sp.psi(x))
special("rgamma",           _rgamma)
special("psi",              lambda x, y: sp.zeta(2.0, x))
special("gammainc",         "a", lambda a, x, y: _gamma_density(a, x))
special("gammaincc",        "a", lambda a, x, y: -_gamma_density(a, x))
special("gammaincinv",      "a", lambda a, x, y: 1 / _gamma_density(a, y))
special("gammainccinv",     "a", lambda a, x, y: -1 / _gamma_density(a, y))
special("poch",             lambda z, m, y: y * _psi_step(z, m),           lambda z, m, y: y * sp.psi(z + m))
special("beta",             lambda a, b, y: -y * _psi_step(a, b),          lambda a, b, y: -y * _psi_step(b, a))
special("betaln",           lambda a, b, y: -_psi_step(a, b),              lambda a, b, y: -_psi_step(b, a))
special("binom",            lambda n, k, y: y * _psi_step(n - k + 1, k),
                            lambda n, k, y: y * _psi_step(k + 1, n - 2 * k))
special("betainc",          "a", "b", lambda a, b, x, y: _beta_density(a, b, x))
special("betaincc",         "a", "b", lambda a, b, x, y: -_beta_density(a, b, x))
special("betaincinv",       "a", "b", lambda a, b, x, y: 1 / _beta_density(a, b, y))
special("betainccinv",      "a", "b", lambda a, b, x, y: -1 / _beta_density(a, b, y))
special("expit",            lambda x, y: y * sp.expit(-x))                 # y * (1 - y) cancels for large x
special("log_expit",        lambda x, y: sp.expit(-x))
special("logit",            lambda x, y: 1 / (x * (1 - x)))
special("xlogy",            lambda x, y, z: np.log(y),
                            lambda x, y, z: np.where((x == 0) & (y == 0), 0.0, x / y))
special("xlog1py",          lambda x, y, z: np.log1p(y),
                            lambda x, y, z: np.where((x == 0) & (y == -1), 0.0, x / (1 + y)))
special("entr",             lambda x, y: -np.log(x) - 1)
special("rel_entr",         lambda x, y, z: _log_ratio(x, y) + 1,          lambda x, y, z: -x / y)
special("kl_div",           lambda x, y, z: _log_ratio(x, y),              lambda x, y, z: (y - x) / y)
special("exp2",             lambda x, y: y * math.log(2))
special("exp10",            lambda x, y: y * math.log(10))
special("expm1",            lambda x, y: np.exp(x))
special("log1p",            lambda x, y: 1 / (1 + x))
special("cosm1",            lambda x, y: -np.sin(x))
special("cbrt",             lambda x, y: 1 / (3 * y * y))
special("exprel",           lambda x, y: _exprel(x))
special("powm1",            lambda x, y, z: y * np.power(x, y - 1),        lambda x, y, z: (z + 1) * np.log(x))
special("boxcox",           lambda x, k, y: np.power(x, k - 1),
                            lambda x, k, y: np.log(x) ** 2 * _exprel(k * np.log(x)))
special("boxcox1p",         lambda x, k, y: np.power(1 + x, k - 1),
                            lambda x, k, y: np.log1p(x) ** 2 * _exprel(k * np.log1p(x)))
special("inv_boxcox",       lambda x, k, y: y / (1 + k * x),               "lmbda")
special("inv_boxcox1p",     lambda x, k, y: (1 + y) / (1 + k * x),         "lmbda")
special("huber",            lambda d, r, y: np.maximum(np.abs(r) - d, 0.0),
                            lambda d, r, y: np.clip(r, -d, d))
special("sindg",            lambda x, y: RADIAN * sp.cosdg(x))
special("cosdg",            lambda x, y: -RADIAN * sp.sindg(x))
special("tandg",            lambda x, y: RADIAN * (1 + y * y))
special("cotdg",            lambda x, y: -RADIAN * (1 + y * y))
special("expi",             lambda x, y: np.exp(x) / x)
special("exp1",             lambda x, y: -np.exp(-x) / x)
special("expn",             "n", lambda n, x, y: np.where(n == 0, -y * (1 + 1 / x), -sp.expn(np.maximum(n - 1, 0), x)))
special("spence",           lambda x, y: near(x - 1, 0.1, _SPENCE, lambda u: -np.log1p(u) / u))
special("_zeta",            "x", lambda x, q, y: -x * sp.zeta(x + 1, q))
special("_lambertw",        lambda z, k, tol, y: np.exp(-y) / (1 + y), "k", "tol")
special("wrightomega",      lambda z, y: y / (1 + y))
special("ellipk",           lambda m, y: _ellipk(m))
special("ellipkm1",         lambda p, y: _ellipkm1(p))
special("ellipe",           lambda m, y: _ellipe(m))
special("ellipkinc",        lambda phi, m, y: 1 / np.sqrt(1 - m * np.sin(phi) ** 2), "m")
special("ellipeinc",        lambda phi, m, y: np.sqrt(1 - m * np.sin(phi) ** 2), "m")
special("hyp0f1",           "v", lambda v, z, y: sp.hyp0f1(v + 1, z) / v)
special("hyp1f1",           "a", "b", lambda a, b, z, y: a / b * sp.hyp1f1(a + 1, b + 1, z))
special("hyp2f1",           "a", "b", "c", lambda a, b, c, z, y: a * b / c * sp.hyp2f1(a + 1, b + 1, c + 1, z))
special("hyperu",           "a", "b", lambda a, b, x, y: -a * sp.hyperu(a + 1, b + 1, x))
special("j0",               lambda x, y: -sp.j1(x))
special("y0",               lambda x, y: -sp.y1(x))
special("i0",               lambda x, y: sp.i1(x))
special("k0",               lambda x, y: -sp.k1(x))
special("j1",               lambda x, y: (sp.j0(x) - sp.jv(2, x)) / 2)
special("y1",               lambda x, y: (sp.y0(x) - sp.yn(2, x)) / 2)
special("i1",               lambda x, y: (sp.i0(x) + sp.iv(2, x)) / 2)
special("k1",               lambda x, y: -(sp.k0(x) + sp.kn(2, x)) / 2)
special("jv",               "v", lambda v, x, y: (sp.jv(v - 1, x) - sp.jv(v + 1, x)) / 2)
special("yv",               "v", lambda v, x, y: (sp.yv(v - 1, x) - sp.yv(v + 1, x)) / 2)
special("iv",               "v", lambda v, x, y: (sp.iv(v - 1, x) + sp.iv(v + 1, x)) / 2)
special("kv",               "v", lambda v, x, y: -(sp.kv(v - 1, x) + sp.kv(v + 1, x)) / 2)
special("yn",               "n", lambda n, x, y: (sp.yn(n - 1, x) - sp.yn(n + 1, x)) / 2)
special("kn",               "n", lambda n, x, y: -(sp.kn(n - 1, x) + sp.kn(n + 1, x)) / 2)
special("hankel1",          "v", lambda v, x, y: (sp.hankel1(v - 1, x) - sp.hankel1(v + 1, x)) / 2)
special("hankel2",          "v", lambda v, x, y: (sp.hankel2(v - 1, x) - sp.hankel2(v + 1, x)) / 2)
special("i0e",              lambda x, y: -np.sign(x) * sp.hyp1f1(1.5, 2.0, -2 * np.abs(x)))
special("i1e",              lambda x, y: 0.5 * sp.hyp1f1(1.5, 3.0, -2 * np.abs(x))
                            - 0.5 * np.abs(x) * sp.hyp1f1(2.5, 4.0, -2 * np.abs(x)))
special("k0e",              lambda x, y: _kve(0, x, y))
special("k1e",              lambda x, y: _kve(1, x, y))
special("ive",              "v", lambda v, x, y: (sp.ive(v - 1, x) + sp.ive(v + 1, x)) / 2 - _real_sign(x) * y)
special("kve",              "v", _kve)
special("ber",              lambda x, y: sp.berp(x))
special("bei",              lambda x, y: sp.beip(x))
special("ker",              lambda x, y: sp.kerp(x))
special("kei",              lambda x, y: sp.keip(x))
special("eval_legendre",    "n", lambda n, x, y: (n + 1) / 2 * _lower(sp.eval_jacobi, n, 1.0, 1.0, x))
special("eval_chebyt",      "n", lambda n, x, y: n * _lower(sp.eval_chebyu, n, x))
special("eval_chebyu",      "n", lambda n, x, y: 2 * _lower(sp.eval_gegenbauer, n, 2.0, x))
special("eval_hermite",     "n", lambda n, x, y: 2 * n * _lower(sp.eval_hermite, n, x))
special("eval_hermitenorm", "n", lambda n, x, y: n * _lower(sp.eval_hermitenorm, n, x))
special("eval_laguerre",    "n", lambda n, x, y: -_lower(sp.eval_genlaguerre, n, 1.0, x))
special("eval_genlaguerre", "n", "alpha", lambda n, a, x, y: -_lower(sp.eval_genlaguerre, n, a + 1, x))
special("eval_gegenbauer",  "n", "alpha", lambda n, a, x, y: 2 * a * _lower(sp.eval_gegenbauer, n, a + 1, x))
special("eval_jacobi",      "n", "alpha", "beta",
                            lambda n, a, b, x, y: (n + a + b + 1) / 2 * _lower(sp.eval_jacobi, n, a + 1, b + 1, x))
SEVERAL["sici"]    = (lambda x, si, ci: (np.sinc(x / PI), np.cos(x) / x),)
SEVERAL["shichi"]  = (lambda x, shi, chi: ((sp.exprel(x) + sp.exprel(-x)) / 2, np.cosh(x) / x),)
SEVERAL["fresnel"] = (lambda x, s, c: (np.sin(PI / 2 * x * x), np.cos(PI / 2 * x * x)),)
SEVERAL["airy"]    = (lambda x, ai, aip, bi, bip: (aip, x * ai, bip, x * bi),)
SEVERAL["ellipj"]  = (lambda u, m, sn, cn, dn, ph: (cn * dn, -sn * dn, -m * sn * cn, dn), "m")
# fmt: on


# ---------------------------------------------------------------- registering


def find(ufunc: Any) -> bool:
    """Add a ufunc of scipy.special to the rule table when it is first met; whether it has a rule."""
    module, name = sys.modules.get("scipy.special"), getattr(ufunc, "__name__", "")
    if module is None or not (name.startswith("_") or getattr(module, name, None) is ufunc):
        return False
    partials = [_without(name, p) if isinstance(p, str) else p for p in SPECIAL.get(name) or SEVERAL.get(name) or ()]
    if name in CONSTANT:
        PLAIN.add(ufunc)
    elif name in SPECIAL and len(partials) <= 2:
        register(Elementwise(ufunc, tuple([_ignoring_module(p) for p in partials])))
    elif partials:
        FUNCTIONS[ufunc] = _rule(ufunc, partials, name in SEVERAL)
    else:
        REFUSED[ufunc] = "no closed form of its derivative is in the table"
        return False
    return True


FINDERS.append(find)


def _ignoring_module(partial: Callable[..., Any]) -> Callable[..., Any]:
    return lambda m, *args: partial(*args)


def _without(function: str, argument: str) -> Callable[..., Any]:
    def partial(*_: Any) -> Any:
        raise NotDifferentiableError(
            f"scipy.special.{function.strip('_')} by its argument {argument}{user_line()}: no closed form of this "
            f"derivative is in the table; pass dd.value({argument}) where it may go"
        )

    return partial


def _rule(ufunc: Any, partials: list[Callable[..., Any]], several: bool) -> Callable[..., Plan]:
    """The rule of a ufunc of more than two arguments, or with more than one result."""

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        values = [np.asarray(v)[()] if isinstance(v, float | int | complex) else v for v in values]
        results = out if several else (out,)
        terms: list[list[Any]] = [[] for _ in results]
        for x, t, partial in zip(values, tangents, partials):
            if t is not None:
                slopes = partial(*values, *results)
                for term, slope in zip(terms, slopes if several else (slopes,)):
                    term.append((t, shape_of(x), slope))
        made = tuple([combine(term, shape_of(r)) for term, r in zip(terms, results)])
        return made if several else made[0]

    return lambda *operands: Plan(operands, ufunc, tangent)


# ---------------------------------------------------------------- SciPy's Python functions, for numbers with tangents


def _below_top(x: Any, axis: Any) -> tuple[Any, Any, Any]:
    """x less its largest element along the axes, that element (a constant, 0 where it is not finite), and the axes."""
    x = array_of(x) if isinstance(x, list | tuple) or hasattr(x, "ndim") else np.asarray(x)
    axes = axes_of(axis, ndim(x))
    top = np.max(plain(x), axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0).astype(x.dtype)
    return x - top, top, axes


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log(sum(b * exp(a))) of real numbers, as scipy.special.logsumexp; it takes numbers with tangents.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.gradient(logsumexp)(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    idle: Any = None
    if b is not None:  # what has no weight adds nothing, whatever it is
        a, b = array_of(a), array_of(b)
        idle = np.where(plain(b) == 0, a, -np.inf) if isinstance(b, Number) else None
        a = np.where(plain(b) == 0, -np.inf, a)
    d, top, axes = _below_top(a, axis)
    with np.errstate(divide="ignore"):
        if b is None:  # the largest are counted apart, so that what is small beside them is not lost
            largest = plain(d) == 0
            count = np.sum(largest, axis=axes, keepdims=True)
            n = np.maximum(count, 1).astype(d.dtype)
            rest = np.sum(np.where(largest, np.expm1(d), np.exp(d)), axis=axes, keepdims=True) + (count - n)
            out, sign = top + np.log(n) + np.log1p(rest / n), np.sign(plain(rest) + n)
        else:
            total = np.sum(b * np.exp(d), axis=axes, keepdims=True)
            if idle is not None:  # nothing yet, but it moves
                if np.any(plain(idle) - top > 700):
                    raise NotDifferentiableError(f"logsumexp with b=0{user_line()}: the slope in b overflows")
                total = total + np.sum(b * np.exp(idle - top), axis=axes, keepdims=True)
            sign = np.sign(plain(total))
            out = top + np.log(np.where(sign < 0, -total, total) if return_sign else total)
    if not keepdims:
        out, sign = np.squeeze(out, axes)[()], np.squeeze(sign, axes)[()]
    return (out, sign) if return_sign else out


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)), as scipy.special.softmax; it takes numbers with tangents."""
    d, _, axes = _below_top(x, axis)
    return np.exp(d) / np.sum(np.exp(d), axis=axes, keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """The logarithm of softmax, as scipy.special.log_softmax; it takes numbers with tangents."""
    d, _, axes = _below_top(x, axis)
    return d - np.log(np.sum(np.exp(d), axis=axes, keepdims=True))


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order n of psi, as scipy.special.polygamma; x may have tangents."""
    order = np.maximum(n, 1)
    higher = (-1.0) ** (order + 1) * sp.gamma(order + 1.0) * sp.zeta(order + 1.0, x)
    return np.where(np.equal(n, 0), sp.psi(x), higher)[()]
