"""scipy.special: none where SciPy is not installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import dualdiff as dd

from .tools import expressions

sp: Any
try:
    import scipy.special as sp
except ImportError:
    sp = None

# Expressions in arrays x, a, b, each differentiated by all that it names; q is constant.
X = {"x": np.array([0.3, 0.55, 0.9]), "a": np.array([1.7, 0.6, 3.2]), "b": np.array([0.8, 2.5, 1.1])}
Q = {"q": np.array([1.5, 2.25, 0.75]), "n": np.array([0, 1, 4]), "sp": sp, "np": np}
TABLE = """
erf(x)  erf(3 - 5 * x)  erfc(x)  erfc(4 * x)  erfi(x)  erfcx(x)  erfcx(9 * x - 4)  erfinv(x)  erfcinv(x)
dawsn(5 * x - 2)
ndtr(x)  log_ndtr(x)  log_ndtr(-30 * x)  ndtri(x)  ndtri_exp(-9 * x)  owens_t(x, b)
gamma(a)  gamma(-a)  gammaln(a)  gammaln(-a)  loggamma(a)  rgamma(a)  rgamma(-a)  psi(a)  psi(-a)  digamma(a)
gammainc(q, x)  gammainc(20 * q, 30 * x)  gammaincc(q, x)  gammaincinv(q, x)  gammainccinv(q, x)  poch(a, b)
beta(a, b)  betaln(a, b)  binom(4 + a, b)  betainc(q, 2.5, x)  betaincc(q, 2.5, x)  betaincinv(q, 2.5, x)
betainccinv(q, 2.5, x)
expit(9 * x - 3)  log_expit(x)  logit(x)  xlogy(a, b)  xlog1py(a, b)  entr(x)  rel_entr(a, b)  kl_div(a, b)
exp2(x)  exp10(x)  expm1(x)  log1p(x)  cosm1(x)  cbrt(x)  exprel(x)  exprel(a)  powm1(a, b)  boxcox(a, b)
boxcox1p(a, x)
inv_boxcox(a, q)  inv_boxcox1p(a, q)  huber(a, b)  huber(b, -a)
sindg(x)  cosdg(40 * x)  tandg(40 * x)  cotdg(40 * x)
expi(a)  exp1(a)  expn(n, a)  spence(x)  spence(a)  zeta(q + 1, a)  lambertw(a)  lambertw(-x / 3, -1)  wrightomega(a)
ellipk(x)  ellipk(-a)  ellipk(x / 9)  ellipkm1(x)  ellipe(x)  ellipe(-a)  ellipkinc(x, 0.4)  ellipeinc(x, 0.4)
hyp0f1(q, x)  hyp1f1(q, 2.5, x)  hyp2f1(q, 0.5, 2.5, x)  hyp2f1(q, 0.5, 2.5, -a)  hyperu(q, 0.3, a)
j0(a)  j1(a)  y0(a)  y1(a)  i0(a)  i1(a)  k0(a)  k1(a)  i0e(a)  i1e(a)  k0e(a)  k1e(a)  i0e(-a)  i1e(-a)  k0e(a + 25)
k1e(a + 25)  jv(q, a)  jv(n, a)  jn(n, a)  yv(q, a)  yn(n, a)  iv(q, a)  iv(n, -a)  kv(q, a)  kn(n, a)  ive(q, a)
kve(q, a)
hankel1(q, a)  hankel2(q, a)
jvp(1, a)  yvp(2, a)  ivp(1, a)  kvp(1, a)
eval_legendre(n, x)  eval_chebyt(n, x)  eval_chebyu(n, x)  eval_hermite(n, x)  eval_hermitenorm(n, x)
eval_laguerre(n, x)
eval_genlaguerre(n, 0.5, x)  eval_gegenbauer(n, 0.7, x)  eval_jacobi(n, 0.5, 1.5, x)  eval_legendre(q, x)
sici(a)  shichi(a)  fresnel(a)  airy(a)  airy(-a)  ellipj(a, 0.4)
"""
ONCE = "ber(a)  bei(a)  ker(a)  kei(a)"  # whose derivatives are functions without a rule
EXPRESSIONS = expressions(TABLE) if sp else []


class Case:
    def __init__(self, source: str) -> None:
        code = compile("sp." + source, source, "eval")
        self.names = [n for n in "xab" if n in code.co_names]
        self.arrays = [X[n] for n in self.names]
        self.directions = [np.cos(9 * v) for v in self.arrays]
        self.f = lambda *arrays: eval(code, {**Q, **dict(zip(self.names, arrays))})

    def along(self, f: Callable[..., Any], h: float) -> Any:
        """Central differences, extrapolated once."""

        def difference(h: float) -> Any:
            up, down = (np.asarray(f(*[x + s * v for x, v in zip(self.arrays, self.directions)])) for s in (h, -h))
            return (up - down) / (2 * h)

        return (4 * difference(h / 2) - difference(h)) / 3

    def tangent(self, *arrays: Any) -> Any:
        return np.stack(np.atleast_2d(*[dd.jvp(self.f, arrays, self.directions)[1]]))
