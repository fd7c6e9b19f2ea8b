"""Rules of scipy.special: one line a function, by each argument that has a closed form; the others are refused by name.

The table is keyed by names, so that SciPy is never imported from here: when a ufunc is met that NumPy does not have,
`register` looks it up. Formulas are accurate wherever the function is, in the tails and near removable singularities.

SciPy's logsumexp, softmax, log_softmax and polygamma are Python functions that turn their arguments into plain arrays
first; those below take numbers with tangents, as `dd.special.logsumexp` and so on.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import NotDifferentiableError, user_line
from ..tangents import combine
from .calculus import near
from .ordering import array_of
from .table import ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED, Elementwise, Plan, axes_of, ndim, plain, shape_of

__all__ = ["log_softmax", "logsumexp", "polygamma", "softmax"]

Partial = Callable[..., Any] | str  # a string names an argument without a closed form


class _SciPy:
    """scipy.special, imported when a function of it is first needed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module("scipy.special"), name)


sp = _SciPy()
SPECIAL: dict[str, tuple[Partial, ...]] = {}  # name -> partial(*operands, result) for each operand
SEVERAL: dict[str, tuple[Partial, ...]] = {}  # of several results: partial(*operands, *results) gives a slope for each
CONSTANT = {"gammasgn", "round"}  # piecewise constant


def special(names: str, *partials: Partial) -> None:
    SPECIAL.update(dict.fromkeys(names.split(), partials))


# ---------------------------------------------------------------- helpers of the formulas

PI, ROOT_PI, ROOT_2PI, RADIAN = math.pi, math.sqrt(math.pi), math.sqrt(2 * math.pi), math.pi / 180


def _fraction(x: Any) -> Any:
    """r in erfcx(x) = 1 / (sqrt(pi) * (x + r)), for x >= 2."""
    r: Any = 0.0 * x
    for k in range(60, 0, -1):
        r = 0.5 * k / (x + r)
    return r


def _erfcx(x: Any, y: Any) -> Any:
    """2 * x * y - 2 / sqrt(pi), which cancels for large x."""
    far = np.real(plain(x)) > 2
    z = np.where(far, x, 2.0)
    r = _fraction(z)
    return np.where(far, -2 / ROOT_PI * r / (z + r), 2 * x * y - 2 / ROOT_PI)


def _dawsn(x: Any, y: Any) -> Any:
    """1 - 2 * x * y by a continued fraction that does not cancel."""
    if np.iscomplexobj(plain(x)):
        return 1 - 2 * x * y
    far = np.abs(plain(x)) > 1e8
    q = np.where(far, 1.0, x) ** 2
    s: Any = 0.0 * q
    for k in range(60, 0, -1):
        s = 4 * k * q / (2 * k + 1 + 2 * q - s)
    return np.where(far, -0.5 / np.where(far, x, 1.0) ** 2, (1 - s) / (1 + 2 * q - s))


def _rgamma(x: Any, y: Any) -> Any:
    """Left of 1/2 by reflection, where 1 / gamma has zeros and psi has poles."""
    left = np.real(plain(x)) < 0.5
    turns = np.rint(np.real(plain(x)))
    rest, mirrored = PI * (x - turns), np.where(left, 1 - x, 1.0)
    slope = sp.gamma(mirrored) * (np.cos(rest) - sp.psi(mirrored) * np.sin(rest) / PI) * (1 - 2 * (turns % 2))
    return np.where(left, slope, -y * sp.psi(np.where(left, 1.0, x)))


_PSI = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12]


def _psi_step(a: Any, b: Any) -> Any:
    """psi(a + b) - psi(a), without cancellation where both are positive."""
    positive = (np.real(plain(a)) > 0) & (np.real(plain(a + b)) > 0)
    a1, b1 = np.where(positive, a, 1.0), np.where(positive, b, 1.0)
    far = a1 + 10
    ratio = np.log1p(b1 / far)
    step = ratio - np.expm1(-ratio) / (2 * far) + sum(b1 / ((a1 + k) * (a1 + b1 + k)) for k in range(10))
    for k, c in enumerate(_PSI, 1):
        step = step - c * far ** (-2 * k) * np.expm1(-2 * k * ratio)
    return np.where(positive, step, sp.psi(a + b) - sp.psi(a))


_STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]


def _stirling(z: Any) -> Any:
    """gammaln(z) - (z - 1/2) * log(z) + z - log(2 * pi) / 2."""
    far = plain(z) >= 10
    w, z = np.where(far, z, 10.0), np.where(far, 1.0, z)
    series = np.polyval(_STIRLING[::-1], 1 / (w * w)) / w
    return np.where(far, series, sp.gammaln(z) - (z - 0.5) * np.log(z) + z - math.log(2 * PI) / 2)


def _log_less(r: Any, u: Any) -> Any:
    """log(r) - u for u = r - 1."""
    close = np.abs(plain(u)) < 0.5
    s = np.where(close, u, 0.0)
    v = s / (2 + s)
    series = 2 * v**3 * np.polyval([1 / (2 * k + 3) for k in range(18, -1, -1)], v * v) - s * v
    return np.where(close, series, np.log(np.where(close, 1.0, r)) - u)


def _gamma_density(a: Any, x: Any) -> Any:
    """x**(a - 1) * exp(-x) / gamma(a)."""
    zero = plain(x) == 0
    x1 = np.where(zero, 1.0, x)
    inside = np.sqrt(a / (2 * PI)) / x1 * np.exp(a * _log_less(x1 / a, (x1 - a) / a) - _stirling(a))
    return np.where(zero, np.power(np.where(zero, x, 1.0), a - 1) / sp.gamma(a), inside)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x**(a - 1) * (1 - x)**(b - 1) / beta(a, b)."""
    edge = (plain(x) == 0) | (plain(x) == 1)
    x1 = np.where(edge, 0.5, x)
    n, d = a + b, x1 * b - (1 - x1) * a
    exponent = a * _log_less(x1 * n / a, d / a) + b * _log_less((1 - x1) * n / b, -d / b)
    exponent = exponent + _stirling(n) - _stirling(a) - _stirling(b)
    inside = np.sqrt(a * b / n / (2 * PI)) * np.exp(exponent) / (x1 * (1 - x1))
    x0 = np.where(edge, x, 0.5)
    return np.where(edge, np.power(x0, a - 1) * np.power(1 - x0, b - 1) / sp.beta(a, b), inside)


def _student(n: Any, t: Any) -> Any:
    """The density of Student's distribution."""
    return np.exp(-(n + 1) / 2 * np.log1p(t / n * t)) * sp.poch(n / 2, 0.5) / np.sqrt(n * PI)


def _fisher(m: Any, n: Any, x: Any) -> Any:
    s = m * x + n
    return _beta_density(m / 2, n / 2, m * x / s) * (m / s) * (n / s)


def _scaled_k(order: int) -> Callable[[Any, Any], Any]:
    """The slope of exp(x) * K; differences of neighbouring orders cancel for large x."""

    def slope(x: Any, y: Any) -> Any:
        far = plain(x) > 20
        w = np.where(far, x, 20.0)
        if order == 0:
            return np.where(far, -ROOT_PI * sp.hyperu(1.5, 2, 2 * w), y - sp.k1e(x))
        confluent = sp.hyperu(1.5, 3, 2 * w) - 3 * w * 2 * sp.hyperu(2.5, 4, 2 * w) / 2
        return np.where(far, 2 * ROOT_PI * confluent, y - (sp.k0e(x) + sp.kve(2, x)) / 2)

    return slope


_EXPREL = [(k + 1) / math.factorial(k + 2) for k in range(22)]
_SPENCE = [-((-1) ** k) / (k + 1) for k in range(20)]


def _exprel(x: Any, y: Any = None) -> Any:
    return near(x, 1.0, _EXPREL, lambda x: (np.exp(x) - sp.exprel(x)) / x)


def _ellipk(m: Any, y: Any = None) -> Any:
    """(E - (1 - m) * K) / (2 * m * (1 - m)), which cancels near m = 0."""
    small = np.abs(plain(m)) < 0.5
    w = np.where(small, 0.5, m)
    series = PI / 8 * sp.hyp2f1(1.5, 1.5, 2.0, np.where(small, m, 0.0))
    return np.where(small, series, (sp.ellipe(w) / (1 - w) - sp.ellipk(w)) / (2 * w))


def _ellipe(m: Any, y: Any) -> Any:
    small = np.abs(plain(m)) < 0.5
    w = np.where(small, 0.5, m)
    series = -PI / 8 * sp.hyp2f1(0.5, 1.5, 2.0, np.where(small, m, 0.0))
    return np.where(small, series, (sp.ellipe(w) - sp.ellipk(w)) / (2 * w))


def _ellipkm1(p: Any, y: Any) -> Any:
    close = plain(p) > 0.5
    w = np.where(close, 0.5, p)
    return np.where(close, -_ellipk(1 - p), (y - sp.ellipe(1 - w) / w) / (2 * (1 - w)))


def _struve_term(v: Any, x: Any) -> Any:
    return np.power(x / 2, v) * sp.rgamma(v + 1.5) / ROOT_PI


# ---------------------------------------------------------------- the table: y is the value

# fmt: off
special("erf",            lambda x, y: 2 / ROOT_PI * np.exp(-x * x))
special("erfc",           lambda x, y: -2 / ROOT_PI * np.exp(-x * x))
special("erfi",           lambda x, y: 2 / ROOT_PI * np.exp(x * x))
special("erfcx",          _erfcx)
special("erfinv",         lambda x, y: ROOT_PI / 2 * np.exp(y * y))
special("erfcinv",        lambda x, y: -ROOT_PI / 2 * np.exp(y * y))
special("dawsn",          _dawsn)
special("ndtr",           lambda x, y: np.exp(-x * x / 2) / ROOT_2PI)
special("log_ndtr",       lambda x, y: math.sqrt(2 / PI) / sp.erfcx(-x / math.sqrt(2)))
special("ndtri",          lambda x, y: ROOT_2PI * np.exp(y * y / 2))
special("ndtri_exp",      lambda x, y: sp.erfcx(-y / math.sqrt(2)) / math.sqrt(2 / PI))
special("owens_t",        lambda h, a, y: -np.exp(-h * h / 2) * sp.erf(a * h / math.sqrt(2)) / (2 * ROOT_2PI),
                          lambda h, a, y: np.exp(-h * h * (1 + a * a) / 2) / (2 * PI * (1 + a * a)))
special("gamma",          lambda x, y: y * sp.psi(x))
special("gammaln loggamma", lambda x, y: sp.psi(x))
special("rgamma",         _rgamma)
special("psi",            lambda x, y: sp.zeta(2.0, x))
special("gammainc",       "a", lambda a, x, y: _gamma_density(a, x))
special("gammaincc",      "a", lambda a, x, y: -_gamma_density(a, x))
special("gammaincinv",    "a", lambda a, x, y: 1 / _gamma_density(a, y))
special("gammainccinv",   "a", lambda a, x, y: -1 / _gamma_density(a, y))
special("poch",           lambda z, m, y: y * _psi_step(z, m),               lambda z, m, y: y * sp.psi(z + m))
special("beta",           lambda a, b, y: -y * _psi_step(a, b),              lambda a, b, y: -y * _psi_step(b, a))
special("betaln",         lambda a, b, y: -_psi_step(a, b),                  lambda a, b, y: -_psi_step(b, a))
special("binom",          lambda n, k, y: y * _psi_step(n - k + 1, k),       lambda n, k, y: y * _psi_step(k + 1, n - 2 * k))
special("betainc",        "a", "b", lambda a, b, x, y: _beta_density(a, b, x))
special("betaincc",       "a", "b", lambda a, b, x, y: -_beta_density(a, b, x))
special("betaincinv",     "a", "b", lambda a, b, x, y: 1 / _beta_density(a, b, y))
special("betainccinv",    "a", "b", lambda a, b, x, y: -1 / _beta_density(a, b, y))
special("chdtr",          "v", lambda v, x, y: _gamma_density(v / 2, x / 2) / 2)
special("chdtrc",         "v", lambda v, x, y: -_gamma_density(v / 2, x / 2) / 2)
special("pdtr",           "k", lambda k, m, y: -_gamma_density(np.floor(k) + 1.0, m))
special("pdtrc",          "k", lambda k, m, y: _gamma_density(np.floor(k) + 1.0, m))
special("stdtr",          "df", lambda df, t, y: _student(df, t))
special("stdtrit",        "df", lambda df, p, y: 1 / _student(df, y))
special("fdtr",           "dfn", "dfd", lambda m, n, x, y: _fisher(m, n, x))
special("fdtrc",          "dfn", "dfd", lambda m, n, x, y: -_fisher(m, n, x))
special("expit",          lambda x, y: y * sp.expit(-x))                     # y * (1 - y) cancels for large x
special("log_expit",      lambda x, y: sp.expit(-x))
special("logit",          lambda x, y: 1 / (x * (1 - x)))
special("xlogy",          lambda x, y, z: np.log(y),                         lambda x, y, z: np.where(x == 0, 0.0, x / y))
special("xlog1py",        lambda x, y, z: np.log1p(y),                       lambda x, y, z: np.where(x == 0, 0.0, x / (1 + y)))
special("entr",           lambda x, y: -np.log(x) - 1)
special("rel_entr",       lambda x, y, z: _log_ratio(x, y) + 1,              lambda x, y, z: -x / y)
special("kl_div",         lambda x, y, z: _log_ratio(x, y),                  lambda x, y, z: (y - x) / y)
special("exp2",           lambda x, y: y * math.log(2))
special("exp10",          lambda x, y: y * math.log(10))
special("expm1",          lambda x, y: np.exp(x))
special("log1p",          lambda x, y: 1 / (1 + x))
special("cosm1",          lambda x, y: -np.sin(x))
special("cbrt",           lambda x, y: 1 / (3 * y * y))
special("exprel",         _exprel)
special("powm1",          lambda x, y, z: y * np.power(x, y - 1),            lambda x, y, z: (z + 1) * np.log(x))
special("boxcox",         lambda x, k, y: np.power(x, k - 1),                lambda x, k, y: np.log(x) ** 2 * _exprel(k * np.log(x)))
special("boxcox1p",       lambda x, k, y: np.power(1 + x, k - 1),            lambda x, k, y: np.log1p(x) ** 2 * _exprel(k * np.log1p(x)))
special("inv_boxcox",     lambda x, k, y: y / (1 + k * x),                   "lmbda")
special("inv_boxcox1p",   lambda x, k, y: (1 + y) / (1 + k * x),             "lmbda")
special("huber",          lambda d, r, y: np.maximum(np.abs(r) - d, 0.0),    lambda d, r, y: np.clip(r, -d, d))
special("pseudo_huber",   lambda d, r, y: _pseudo_huber(d, r / d),           lambda d, r, y: r / np.hypot(1.0, r / d))
special("sindg",          lambda x, y: RADIAN * sp.cosdg(x))
special("cosdg",          lambda x, y: -RADIAN * sp.sindg(x))
special("tandg",          lambda x, y: RADIAN * (1 + y * y))
special("cotdg",          lambda x, y: -RADIAN * (1 + y * y))
special("expi",           lambda x, y: np.exp(x) / x)
special("exp1",           lambda x, y: -np.exp(-x) / x)
special("expn",           "n", lambda n, x, y: np.where(n == 0, -y * (1 + 1 / x), -sp.expn(np.maximum(n - 1, 0), x)))
special("spence",         lambda x, y: near(x - 1, 0.1, _SPENCE, lambda u: -np.log1p(u) / u))
special("_zeta",          "x", lambda x, q, y: -x * sp.zeta(x + 1, q))
special("_lambertw",      lambda z, k, tol, y: np.exp(-y) / (1 + y), "k", "tol")
special("wrightomega",    lambda z, y: y / (1 + y))
special("ellipk",         _ellipk)
special("ellipkm1",       _ellipkm1)
special("ellipe",         _ellipe)
special("ellipkinc",      lambda phi, m, y: 1 / np.sqrt(1 - m * np.sin(phi) ** 2), "m")
special("ellipeinc",      lambda phi, m, y: np.sqrt(1 - m * np.sin(phi) ** 2), "m")
special("hyp0f1",         "v", lambda v, z, y: sp.hyp0f1(v + 1, z) / v)
special("hyp1f1",         "a", "b", lambda a, b, z, y: a / b * sp.hyp1f1(a + 1, b + 1, z))
special("hyp2f1",         "a", "b", "c", lambda a, b, c, z, y: a * b / c * sp.hyp2f1(a + 1, b + 1, c + 1, z))
special("hyperu",         "a", "b", lambda a, b, x, y: -a * sp.hyperu(a + 1, b + 1, x))
special("j0",             lambda x, y: -sp.j1(x))
special("y0",             lambda x, y: -sp.y1(x))
special("i0",             lambda x, y: sp.i1(x))
special("k0",             lambda x, y: -sp.k1(x))
special("j1",             lambda x, y: (sp.j0(x) - sp.jv(2, x)) / 2)
special("y1",             lambda x, y: (sp.y0(x) - sp.yn(2, x)) / 2)
special("i1",             lambda x, y: (sp.i0(x) + sp.iv(2, x)) / 2)
special("k1",             lambda x, y: -(sp.k0(x) + sp.kn(2, x)) / 2)
special("jv",             "v", lambda v, x, y: (sp.jv(v - 1, x) - sp.jv(v + 1, x)) / 2)
special("yv",             "v", lambda v, x, y: (sp.yv(v - 1, x) - sp.yv(v + 1, x)) / 2)
special("iv",             "v", lambda v, x, y: (sp.iv(v - 1, x) + sp.iv(v + 1, x)) / 2)
special("kv",             "v", lambda v, x, y: -(sp.kv(v - 1, x) + sp.kv(v + 1, x)) / 2)
special("yn",             "n", lambda n, x, y: (sp.yn(n - 1, x) - sp.yn(n + 1, x)) / 2)
special("kn",             "n", lambda n, x, y: -(sp.kn(n - 1, x) + sp.kn(n + 1, x)) / 2)
special("hankel1",        "v", lambda v, x, y: (sp.hankel1(v - 1, x) - sp.hankel1(v + 1, x)) / 2)
special("hankel2",        "v", lambda v, x, y: (sp.hankel2(v - 1, x) - sp.hankel2(v + 1, x)) / 2)
special("i0e",            lambda x, y: -np.sign(x) * sp.hyp1f1(1.5, 2.0, -2 * np.abs(x)))
special("i1e",            lambda x, y: (sp.hyp1f1(1.5, 3.0, -2 * np.abs(x)) - np.abs(x) * sp.hyp1f1(2.5, 4.0, -2 * np.abs(x))) / 2)
special("k0e",            _scaled_k(0))
special("k1e",            _scaled_k(1))
special("ive",            "v", lambda v, x, y: (sp.ive(v - 1, x) + sp.ive(v + 1, x)) / 2 - np.sign(x) * y)
special("kve",            "v", lambda v, x, y: y - (sp.kve(v - 1, x) + sp.kve(v + 1, x)) / 2)
special("struve",         "v", lambda v, x, y: (sp.struve(v - 1, x) - sp.struve(v + 1, x) + _struve_term(v, x)) / 2)
special("modstruve",      "v", lambda v, x, y: (sp.modstruve(v - 1, x) + sp.modstruve(v + 1, x) + _struve_term(v, x)) / 2)
special("ber",            lambda x, y: sp.berp(x))
special("bei",            lambda x, y: sp.beip(x))
special("ker",            lambda x, y: sp.kerp(x))
special("kei",            lambda x, y: sp.keip(x))
special("eval_legendre",     "n", lambda n, x, y: (n + 1) / 2 * _degree(sp.eval_jacobi, n, 1.0, 1.0, x))
special("eval_chebyt",       "n", lambda n, x, y: n * _degree(sp.eval_chebyu, n, x))
special("eval_chebyu",       "n", lambda n, x, y: 2 * _degree(sp.eval_gegenbauer, n, 2.0, x))
special("eval_hermite",      "n", lambda n, x, y: 2 * n * _degree(sp.eval_hermite, n, x))
special("eval_hermitenorm",  "n", lambda n, x, y: n * _degree(sp.eval_hermitenorm, n, x))
special("eval_laguerre",     "n", lambda n, x, y: -_degree(sp.eval_genlaguerre, n, 1.0, x))
special("eval_genlaguerre",  "n", "alpha", lambda n, a, x, y: -_degree(sp.eval_genlaguerre, n, a + 1, x))
special("eval_gegenbauer",   "n", "alpha", lambda n, a, x, y: 2 * a * _degree(sp.eval_gegenbauer, n, a + 1, x))
special("eval_jacobi",       "n", "alpha", "beta", lambda n, a, b, x, y: (n + a + b + 1) / 2 * _degree(sp.eval_jacobi, n, a + 1, b + 1, x))
# fmt: on
SEVERAL["sici"] = (lambda x, si, ci: (np.sinc(x / PI), np.cos(x) / x),)
SEVERAL["shichi"] = (lambda x, shi, chi: ((sp.exprel(x) + sp.exprel(-x)) / 2, np.cosh(x) / x),)
SEVERAL["fresnel"] = (lambda x, s, c: (np.sin(PI / 2 * x * x), np.cos(PI / 2 * x * x)),)
SEVERAL["airy"] = (lambda x, ai, aip, bi, bip: (aip, x * ai, bip, x * bi),)
SEVERAL["ellipj"] = (lambda u, m, sn, cn, dn, ph: (cn * dn, -sn * dn, -m * sn * cn, dn), "m")


def _log_ratio(x: Any, y: Any) -> Any:
    """log(x / y), where the ratio over- or underflows too."""
    ratio = x / y
    odd = ~((plain(ratio) > 1e-300) & (plain(ratio) < 1e300))
    return np.where(odd, np.log(x) - np.log(y), np.log(np.where(odd, 1.0, ratio)))


def _pseudo_huber(d: Any, u: Any) -> Any:
    s = np.hypot(1.0, u)
    return d * u**4 / (s * (1 + s) ** 2)


def _degree(polynomial: Any, n: Any, *args: Any) -> Any:
    """The polynomial of one degree less, which is 0 for n = 0."""
    return np.where(n == 0, 0.0, polynomial(np.where(n == 0, n, n - 1), *args))


# ---------------------------------------------------------------- registering


def register(ufunc: Any) -> bool:
    """Add a ufunc of scipy.special to the rule table when it is first met; whether it has a rule."""
    module, name = sys.modules.get("scipy.special"), getattr(ufunc, "__name__", "")
    if module is None or not (name.startswith("_") or getattr(module, name, None) is ufunc):
        return False
    if name in CONSTANT:
        PLAIN.add(ufunc)
    elif name in SPECIAL or name in SEVERAL:
        partials = [_refusing(name, p) if isinstance(p, str) else p for p in SPECIAL.get(name) or SEVERAL[name]]
        if name in SPECIAL and len(partials) <= 2:
            ELEMENTWISE[ufunc] = Elementwise(ufunc, tuple(_without_module(p) for p in partials))
        else:
            FUNCTIONS[ufunc] = _plan(ufunc, partials, name in SEVERAL)
    else:
        REFUSED[ufunc] = "no closed form of its derivative is in the table"
        return False
    return True


def _without_module(partial: Callable[..., Any]) -> Callable[..., Any]:
    return lambda m, *args: partial(*args)


def _refusing(function: str, argument: str) -> Callable[..., Any]:
    def partial(*_: Any) -> Any:
        raise NotDifferentiableError(
            f"scipy.special.{function.strip('_')} by its argument {argument}{user_line()}: no closed form of this "
            f"derivative is in the table; pass dd.value({argument}) where it may go"
        )

    return partial


def _plan(ufunc: Any, partials: list[Callable[..., Any]], several: bool) -> Callable[..., Plan]:
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
        made = tuple(combine(term, shape_of(r)) for term, r in zip(terms, results))
        return made if several else made[0]

    return lambda *operands: Plan(operands, ufunc, tangent)


# ---------------------------------------------------------------- SciPy's Python functions, for numbers with tangents


def _below_top(a: Any, axis: Any) -> tuple[Any, Any]:
    """a less its largest element along the axes, and that, which is a constant and 0 where it is not finite."""
    top = np.max(plain(a), axis=axes_of(axis, ndim(a)), keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0.0).astype(a.dtype)
    return a - top, top


def _array(x: Any) -> Any:
    x = array_of(x)
    return x if hasattr(x, "ndim") else np.asarray(x)


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log(sum(b * exp(a))) of real numbers, as scipy.special.logsumexp; it takes numbers with tangents.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.gradient(logsumexp)(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    a = _array(a)
    if b is not None:  # what has no weight adds nothing, whatever it is
        a = np.where(plain(b) == 0, -np.inf, a)
    d, top = _below_top(a, axis)
    axes = axes_of(axis, ndim(a))
    with np.errstate(divide="ignore"):
        if b is None:  # ones are counted apart, so that what is small beside them is not lost
            ones = plain(d) == 0
            count = np.sum(ones, axis=axes, keepdims=True)
            n = np.maximum(count, 1).astype(a.dtype)
            rest = np.sum(np.where(ones, np.expm1(d), np.exp(d)), axis=axes, keepdims=True) + (count - n)
            out, sign = top + np.log(n) + np.log1p(rest / n), np.sign(plain(rest) + n)
        else:
            total = np.sum(b * np.exp(d), axis=axes, keepdims=True)
            sign = np.sign(plain(total))
            out = top + np.log(total * sign if return_sign else total)
    if not keepdims:
        out, sign = np.squeeze(out, axes)[()], np.squeeze(sign, axes)[()]
    return (out, sign) if return_sign else out


def softmax(x: Any, axis: Any = None) -> Any:
    """exp(x) / sum(exp(x)), as scipy.special.softmax; it takes numbers with tangents."""
    e = np.exp(_below_top(_array(x), axis)[0])
    return e / np.sum(e, axis=axes_of(axis, ndim(e)), keepdims=True)


def log_softmax(x: Any, axis: Any = None) -> Any:
    """The logarithm of softmax, as scipy.special.log_softmax; it takes numbers with tangents."""
    d = _below_top(_array(x), axis)[0]
    return d - np.log(np.sum(np.exp(d), axis=axes_of(axis, ndim(d)), keepdims=True))


def polygamma(n: Any, x: Any) -> Any:
    """The derivative of order n of psi, as scipy.special.polygamma; x may have tangents."""
    order = np.maximum(n, 1)
    higher = (-1.0) ** (order + 1) * sp.gamma(order + 1.0) * sp.zeta(order + 1.0, x)
    return np.where(np.equal(n, 0), sp.psi(x), higher)[()]
