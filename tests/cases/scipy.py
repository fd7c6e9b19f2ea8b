"""What stands in for SciPy's functions, called directly: none where SciPy is not installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from dualdiff.rules.scipy_table import sp

from .tools import expressions


class Names:
    """What stands in for the functions of a module of SciPy's."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return Names("sparse.linalg") if (self._module, name) == ("sparse", "linalg") else sp(f"{self._module}.{name}")


MODULES = ("linalg", "stats", "signal", "ndimage", "interpolate", "sparse", "fft")
K = np.array([[0, 1, 2, 0], [1, 0, 2, 1]])  # the places of four elements of a matrix
NAMES = {"np": np, "K": K, **{m: Names(m) for m in MODULES}}


def variables(seed: int = 0) -> dict[str, Any]:
    """A: square, S: positive definite, T: tall, B: two right sides, and vectors."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(0.3, 1.2, (3, 3)) + np.diag([3.0, 6.0, -9.0])
    made = {"A": a, "S": a @ a.T / 20 + np.eye(3), "T": rng.uniform(-1, 1, (5, 3)), "B": rng.uniform(-1, 1, (3, 2))}
    return made | {"x": rng.uniform(0.1, 0.9, 9), "w": rng.uniform(0.5, 1.5, 3), "c": np.float64(0.7)}


LINALG = """
solve(A, B)  solve(S, w, assume_a='pos')  solve(A, B, assume_a='sym', lower=True)  solve(A, B, transposed=True)
inv(A)  det(A)  pinv(T)  pinvh(S)  lstsq(T, T[:, 0] * 2)[0]  svdvals(T)  svd(A)[0]  svd(T, full_matrices=False)[2]
cholesky(S)  cholesky(S, lower=True)  cho_factor(S)[0]  cho_solve(linalg.cho_factor(S), B)
cho_solve(linalg.cho_factor(S, True), B)  lu_factor(A)[0]  lu_solve(linalg.lu_factor(A), B)
lu_solve(linalg.lu_factor(A), B, 1)  lu(A)[1]  lu(A, True)[0]  solve_triangular(A, B)
solve_triangular(A, B, lower=True, trans='T')  solve_triangular(A, B, unit_diagonal=True)  norm(T)  norm(w, 1)
eigh(S)[0]  eigh(S)[1]  eigh(A, S)[0]  eigh(A, S)[1]  eigh(A, S, lower=False)[1]  eigvalsh(A, lower=False)
eigvals(A)  eig(A)[0]  qr(T, mode='economic')[1]  qr(A)[0]  qr(T, mode='r')[0]
expm(S)  expm(np.stack([A / 9, S]))  logm(S)  sqrtm(S)  sqrtm(-S)  sinm(S)  cosm(S)  tanm(S / 9)  sinhm(S)  coshm(S)
tanhm(S)  toeplitz(w, B[0])  toeplitz(w)  circulant(w)  hankel(w)  hankel(w, T[0])  block_diag(A, B, w)
solve_sylvester(A, S, A)
"""
STATS = """
norm.logpdf(x, c, w[:1])  norm.pdf(x)  norm.cdf(x, loc=c)  norm.logcdf(3 * x, c)  norm.sf(x, 0, c)  norm.ppf(x, c, w[1])
norm(c, w[:1]).logpdf(x)  norm(0.5).cdf(x)  norm.isf(x)  norm.cdf(c)  expon.pdf(-c)  gamma.logpdf(x, c, 0, w[:1])
gamma.pdf(x, c)  gamma.cdf(x, 1.5)
gamma.sf(x, 1.5, scale=c)  gamma.ppf(x, 1.5)  beta.logpdf(x, w[0], c)  beta.pdf(x, 2.5, c)  beta.cdf(x, 2.5, 1.5)
beta.ppf(x, 2.5, 1.5)  expon.logpdf(x, scale=c)  expon.pdf(x - 0.5)  expon.cdf(x, 0, c)
expon.logsf(x, 0, c)
expon.ppf(x)  lognorm.logpdf(x, c)  lognorm.pdf(x, c, 0, w[0])  lognorm.cdf(x, c)  lognorm.ppf(x, c)
t.logpdf(x, w[0] * 4, c)  t.pdf(x, 3.5)  t.cdf(x, 3.5, c)  t.sf(x, 3.5)  t.ppf(x, 3.5)  t.logcdf(x, 3.5)
chi2.logpdf(x, w[0] * 3)  chi2.cdf(x, 3.5)  chi2.sf(x, 3.5)  chi2.ppf(x, 3.5)  uniform.logpdf(x, 0, w[2] * 2)
uniform.pdf(x, 0.2, c)  uniform.cdf(x, 0.2, c)  uniform.ppf(x, c, w[0])  weibull_min.logpdf(x, w[0] + 1)
weibull_min.pdf(x, 2.5, 0, c)  weibull_min.cdf(x, w[1])  weibull_min.sf(x, 2.5)  weibull_min.ppf(x, w[0])
poisson.logpmf(np.arange(9), x * 4)  poisson.pmf(2, x * 4)  poisson.cdf(2, x * 4)  poisson.sf(np.arange(9), x)
binom.logpmf(np.arange(4), 3, c)  binom.pmf([0, 2, 9], 7, x[:, None])  binom.cdf(np.arange(4), 3, c)  binom.sf(1, 4, x)
logistic.logpdf(x, c)  gumbel_r.logpdf(x, c, w[0])  cauchy.cdf(x, c)  pareto.logpdf(x + 1, w[0])  invgamma.logpdf(x, c)
multivariate_normal.logpdf(w, B[:, 0], S)  multivariate_normal.pdf(T, w, S)  multivariate_normal.logpdf(x, c, w[0])
multivariate_normal(w, S).logpdf(T)  multivariate_normal.logpdf(T, w)  multivariate_normal.logpdf(T, w, w[0])
zscore(T)  zscore(x, ddof=1)  skew(T)  skew(x, bias=False)  kurtosis(T, axis=1)  kurtosis(x, bias=False)
pearsonr(x, x**2 + np.sin(9 * x))[0]  pearsonr(x[:4], T[:4, 0])[1]  gmean(x)  hmean(x)  variation(x)  sem(x)
"""
SIGNAL = """
convolve(x, w)  convolve(x, w, 'same')  convolve(w, x, 'same')  convolve(x, w, 'valid')  convolve(w, x, mode='valid')
fftconvolve(T, A, 'same')  oaconvolve(x, w)  correlate(x, w)  correlate(x, w, 'same')  correlate(T, A, 'valid')
convolve2d(T, A)  correlate2d(A, S, 'same')  lfilter(w, [1.0, -0.5], x)  lfilter(w, w / 2 + [1, 0, 0], x)
lfilter([1.0], [2.0], x)  lfilter(B[:, 0], 2 + w, T, axis=0)  savgol_filter(x, 5, 2)  savgol_filter(T, 3, 1, axis=0)
savgol_filter(x, 5, 3, deriv=1, delta=0.5)  savgol_filter(x, 5, 2, mode='nearest')
detrend(x)  detrend(T, axis=0)  detrend(T, type='constant')
hilbert(x)  hilbert(T, axis=0)  resample(x, 5)  sosfilt(np.array([[1.0, 0.5, 0, 1, 0.1, 0]]), x)
"""
NDIMAGE = """
convolve(T, A)  correlate(x, w)  convolve(x, w[:2])  convolve(T, A[:2], mode='constant', cval=1.5)
correlate(x, w, mode='wrap', origin=1)  convolve(x, w[:2], mode='mirror', origin=-1)
correlate1d(T, w, 0, mode='nearest')
convolve1d(T, w, mode='mirror')  gaussian_filter(T, 0.7)  gaussian_filter(x, 1.5, mode='wrap')
gaussian_filter(T, [0.5, 0.9], order=[1, 0])  gaussian_filter1d(T, 0.8, 0, 1)
gaussian_filter1d(x, 1.0, truncate=2.0)
uniform_filter(T)  uniform_filter1d(x, 4)  uniform_filter(T, [2, 3], mode='constant')
"""
INTERPOLATE = """
CubicSpline(np.arange(5.0), [1, 3, 2, 5, 4])(x * 5 - 0.5)  CubicSpline(np.arange(9), x)(T + 2)
CubicSpline(np.arange(9), x, bc_type='natural')(c, 1)  CubicSpline(np.arange(5), T, bc_type='clamped')([0.5, 2.2])
CubicSpline(np.arange(5.0), [1, 3, 2, 5, 4]).integrate(0.5, c)  CubicSpline(np.arange(9), x).derivative()(w)
PchipInterpolator(np.arange(5.0), [1, 3, 2, 5, 4])(x * 4)  Akima1DInterpolator(np.arange(5.0), [1, 3, 2, 5, 4])(x * 4)
CubicSpline(np.arange(5.0), np.eye(5)[:, :2])(T + 1.1)  make_interp_spline(np.arange(5.0), [1, 3, 2, 5, 4])(x * 4)
make_interp_spline(np.arange(9.0), x, k=5)(w * 4)  interp1d(np.arange(5.0), [1, 3, 2, 5, 4])(x * 4)
interp1d(np.arange(5.0), [1, 3, 2, 5, 4], kind='cubic')(x * 4)  interp1d(np.arange(9.0), x, 'quadratic')(w * 4)
interp1d(np.arange(9.0), x)(w * 4)  interp1d(np.arange(3.0), w, bounds_error=False, fill_value=0.5)(x * 4)
interp1d(np.arange(3.0), w, fill_value='extrapolate')(x * 4 - 1.1)
InterpolatedUnivariateSpline(np.arange(5), [1, 3, 2, 5, 4])(x)
RegularGridInterpolator((np.arange(5.0), np.arange(3.0)), T)(np.abs(B))
interpn((np.arange(3.0), [0, 2.0]), B, np.abs(B))
"""
SPARSE = """
csr_array((x[:4], K)).toarray()  csr_array((x[:4], K)) @ w  csc_array((x[:4], K), shape=(3, 4)).T @ B
csr_matrix((x[:4], K)) * w  (w @ sparse.coo_array((x[:4], K)))  csr_matrix((x[:4], K)) * c @ np.ones(3)
csr_array((w, [1, 2, 0], [0, 1, 2, 3])) @ B  csc_matrix((w, [1, 2, 0], [0, 1, 2, 3])).toarray()
(sparse.csr_array((x[:4], K)) * w).sum(axis=0)  (sparse.csr_array((x[:4], K)).multiply(c) - sparse.eye(3)) @ w
diags(w) @ B  diags([w, x[:2]], [0, 1]).toarray()  (c * sparse.csr_array(([1.0, 2, 3, 4], K))).toarray()
(sparse.csr_matrix(([1.0, 2, 3, 4], K)) * w)
csr_array(([1.0, 2, 3, 4], K)) @ B  (-sparse.csr_array((x[:4], K))).diagonal()
linalg.spsolve(sparse.csc_array(([1.0, 2, 3, 4], K)), w)  linalg.spsolve(sparse.csc_array((x[:4], K)), w)
linalg.spsolve(sparse.csc_array((x[:4], K)), B)  csr_matrix(S) * w
csr_array(([1.0, 4, 2, 3], [1, 1, 0, 2], [0, 2, 3, 4]), (3, 3)) @ B
linalg.splu(sparse.csc_array(([1.0, 2, 3, 4], K))).solve(B)
linalg.splu(sparse.csc_array(([1.0, 2, 3, 4], K))).solve(w, 'T')  linalg.splu(sparse.csc_array((x[:4], K))).solve(w)
linalg.aslinearoperator(np.arange(9.0).reshape(3, 3)) @ w  linalg.norm(sparse.csr_array((x[:4], K)))
"""
FFT = """
fft(x)  ifft(T, axis=0)  rfft(x, norm='ortho')  irfft(T, 4)  fft2(T)  rfftn(T, workers=1)  fftshift(x)
dct(x)  dct(T, 3, axis=0)  idct(x, norm='ortho')  dst(x, type=1)
"""
# What SciPy computes of ndarrays only: not of values of other kinds, and not in programs.
OF_ARRAYS = ("linalg.lu", "linalg.eigh(", "linalg.expm", "linalg.logm", "linalg.sqrtm", "linalg.sin", "linalg.cos")
OF_ARRAYS += (
    "linalg.tan",
    "stats.",
    "signal.",
    "ndimage.",
    "interpolate.",
    "sparse.",
    "(sparse.",
    "(w @ sparse.",
    "(-sparse.",
    "(c * sparse.",
)
EXPRESSIONS: list[str] = []
if importlib.util.find_spec("scipy"):
    for module, table in zip(MODULES, (LINALG, STATS, SIGNAL, NDIMAGE, INTERPOLATE, SPARSE, FFT)):
        EXPRESSIONS += [e if e.startswith("(") else f"{module}.{e}" for e in expressions(table)]


class Case:
    """An expression as a function of the arrays that it names."""

    def __init__(self, source: str) -> None:
        code = compile(source, source, "eval")
        values, directions = variables(), variables(1)
        names = [n for n in code.co_names if n in values]
        self.arrays, self.directions = ([d[n] for n in names] for d in (values, directions))
        self.source = f"lambda {', '.join(names)}: {source}"
        self.f = lambda *arrays: eval(code, {**NAMES, **dict(zip(names, arrays))})
