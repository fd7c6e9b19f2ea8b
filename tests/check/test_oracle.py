"""The oracle against results derived by hand, at kinks and singular points, and each of its errors."""

from __future__ import annotations

import math
import re

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy import special

from dualdiff import oracle
from dualdiff.check.oracle import derivatives, symbols
from tests.check.algebra import same, x, x0, x1, y

# --- derivatives derived by hand ---

SCALAR = {  # f of x: its derivative
    "x**3 - 2*x + 5": (lambda x: x**3 - 2 * x + 5, 3 * x**2 - 2),
    "x*sin(x)": (lambda x: x * np.sin(x), sp.sin(x) + x * sp.cos(x)),
    "quotient": (lambda x: x / (1 + x**2), (1 - x**2) / (1 + x**2) ** 2),
    "reflected": (lambda x: 3 - 2 / x + 2**x - (1 // x) * 0, 2 / x**2 + 2**x * sp.log(2)),
    "np.float64 first": (lambda x: np.float64(2) * x + np.float64(3) / x, 2 - 3 / x**2),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), sp.exp(-x) / (1 + sp.exp(-x)) ** 2),
    "tan": (np.tan, 1 / sp.cos(x) ** 2),
    "arcsin": (np.arcsin, 1 / sp.sqrt(1 - x**2)),
    "arccos": (np.arccos, -1 / sp.sqrt(1 - x**2)),
    "arctan": (np.arctan, 1 / (1 + x**2)),
    "sinh": (np.sinh, sp.cosh(x)),
    "cosh": (np.cosh, sp.sinh(x)),
    "tanh": (np.tanh, 1 - sp.tanh(x) ** 2),
    "arcsinh": (np.arcsinh, 1 / sp.sqrt(1 + x**2)),
    "arccosh": (np.arccosh, 1 / (sp.sqrt(x - 1) * sp.sqrt(x + 1))),
    "arctanh": (np.arctanh, 1 / (1 - x**2)),
    "exp2": (np.exp2, 2**x * sp.log(2)),
    "expm1": (np.expm1, sp.exp(x)),
    "log2": (np.log2, 1 / (x * sp.log(2))),
    "log10": (np.log10, 1 / (x * sp.log(10))),
    "log1p": (np.log1p, 1 / (1 + x)),
    "sqrt, square": (lambda x: np.sqrt(x) + np.square(x), 1 / (2 * sp.sqrt(x)) + 2 * x),
    "reciprocal": (np.reciprocal, -1 / x**2),
    "cbrt(x)**3 is x": (lambda x: np.cbrt(x) ** 3, 1),
    "hypot": (lambda x: np.hypot(x, 3.0), x / sp.sqrt(x**2 + 9)),
    "arctan2": (lambda x: np.arctan2(x, 2.0), 2 / (4 + x**2)),
    "logaddexp": (lambda x: np.logaddexp(x, 0.0), sp.exp(x) / (1 + sp.exp(x))),
    "logaddexp2": (lambda x: np.logaddexp2(x, 0.0), 2**x / (1 + 2**x)),
    "degrees of radians": (lambda x: np.degrees(np.radians(x)), 1),
    "floor, ceil, trunc, rint": (lambda x: np.floor(x) + np.ceil(x) + np.trunc(x) + np.rint(x) + round(x), 0),
    "divmod, modf, fmod": (lambda x: divmod(x, 3)[1] + np.modf(x)[0] + np.fmod(x, 2.0), 3),
    "a loop": (lambda x: sum(x**k for k in range(4)), 1 + 2 * x + 3 * x**2),
    "np.pi, 0.1, 1/3": (lambda x: x * np.pi + 0.1 * x + x * (1 / 3), sp.pi + sp.Rational(13, 30)),
    "sqrt(2), e": (lambda x: np.sqrt(2) * x + np.e * x, sp.sqrt(2) + sp.E),
    "float32": (lambda x: np.float32(0.1) * x, sp.Rational(1, 10)),
    "polyval": (lambda x: np.polyval([1.0, 2.0, 3.0], x), 2 * x + 2),
    "a constant": (lambda x: 3.0, 0),
    "y += x": (lambda x: augmented(x), 1 + 2 * x),
}


def augmented(x):
    y = x
    y += x**2
    return y


@pytest.mark.parametrize("name", SCALAR)
def test_derivative(name):
    f, expected = SCALAR[name]
    same(oracle.derivative(f, "x"), expected)
    point = 1.375 if name == "arccosh" else 0.375
    assert float(oracle.symbolic(f, "x").at(point)) == pytest.approx(float(f(point)))


def buffer(x):
    y = np.zeros_like(x)
    y[0] = x[0] * x[1]
    y[1:] = x[0]
    return y


def buffer_like(x):
    y = np.zeros(2, like=x)
    y[0] = x[0] * x[1]
    return y


def view(x):
    y = x * 1
    z = y[:1]
    z[0] = 5 * y[1]
    return y


def scatter(x):
    y = np.zeros_like(x)
    np.add.at(y, [0, 0], x)
    return y


def masked(x):
    y = x * x
    y[x > 0] = 0
    return y


JACOBIANS = {  # f of x with two elements: its Jacobian
    "sum": (lambda x: np.sum(x**2), [2 * x0, 2 * x1]),
    "mean": (lambda x: x.mean(), [sp.Rational(1, 2)] * 2),
    "prod": (np.prod, [x1, x0]),
    "cumsum": (np.cumsum, [[1, 0], [1, 1]]),
    "cumprod": (np.cumprod, [[1, 0], [x1, x0]]),
    "var": (np.var, [(x0 - x1) / 2, (x1 - x0) / 2]),
    "var, ddof=1": (lambda x: np.var(x, ddof=1), [x0 - x1, x1 - x0]),
    "norm": (np.linalg.norm, [x0 / sp.sqrt(x0**2 + x1**2), x1 / sp.sqrt(x0**2 + x1**2)]),
    "dot": (lambda x: np.dot(x, x) + x @ x + np.inner(x, x) + np.vdot(x, x), [8 * x0, 8 * x1]),
    "outer": (lambda x: np.outer(x, [1.0, 2.0]), [[[1, 0], [2, 0]], [[0, 1], [0, 2]]]),
    "einsum": (lambda x: np.einsum("i,i->", x, x), [2 * x0, 2 * x1]),
    "matmul": (lambda x: np.array([[1.0, 2.0], [3.0, 4.0]]) @ x, [[1, 2], [3, 4]]),
    "tensordot": (lambda x: np.tensordot(x, x, 1), [2 * x0, 2 * x1]),
    "indices": (lambda x: x[[0, 0, 1]], [[1, 0], [1, 0], [0, 1]]),
    "iteration": (lambda x: np.array([v * v for v in x]), [[2 * x0, 0], [0, 2 * x1]]),
    "np.array, then np.sin": (lambda x: np.sin(np.array([x[1], x[0]])), [[0, sp.cos(x1)], [sp.cos(x0), 0]]),
    "a list": (lambda x: [x[0] * x[1], x[0], 1.0], [[x1, x0], [1, 0], [0, 0]]),
    "concatenate": (lambda x: np.concatenate([x, x, [1.0]])[::-1], [[0, 0], [0, 1], [1, 0], [0, 1], [1, 0]]),
    "stack": (lambda x: np.stack([x[0], x[1] ** 2]), [[1, 0], [0, 2 * x1]]),
    "hstack, vstack": (lambda x: np.vstack([np.hstack([x, x])]), [[[1, 0], [0, 1], [1, 0], [0, 1]]]),
    "reshape, T": (lambda x: x.reshape(2, 1).T, [[[1, 0], [0, 1]]]),
    "roll, flip": (lambda x: np.roll(x, 1) + np.flip(x), [[0, 2], [2, 0]]),
    "pad, tile, repeat": (lambda x: np.pad(x, 1)[:2] + np.tile(x, 2)[:2] + np.repeat(x, 2)[:2], [[2, 0], [2, 1]]),
    "broadcast": (lambda x: np.broadcast_to(x, (2, 2)).sum(axis=0), [[2, 0], [0, 2]]),
    "moving axes": (lambda x: np.moveaxis(np.expand_dims(x, 0), 0, 1).squeeze(), [[1, 0], [0, 1]]),
    "diag, trace": (lambda x: np.trace(np.diag(x)), [1, 1]),
    "diff, convolve": (lambda x: np.diff(x) + np.convolve(x, [1.0, 1.0])[1:2], [[0, 2]]),
    "trapezoid": (lambda x: np.trapezoid(x**2), [x0, x1]),
    "inv": (lambda x: np.linalg.inv(np.diag(x))[0], [[-1 / x0**2, 0], [0, 0]]),
    "det": (lambda x: np.linalg.det(np.stack([x, [3.0, 4.0]])), [4, -3]),
    "solve": (lambda x: np.linalg.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), x), [[0.5, 0], [0, 0.25]]),
    "slogdet": (lambda x: np.linalg.slogdet(np.diag(np.exp(x)))[1], [1, 1]),
    "cholesky": (lambda x: np.linalg.cholesky(np.diag(x))[0, 0], [1 / (2 * sp.sqrt(x0)), 0]),
    "zeros_like": (buffer, [[x1, x0], [1, 0]]),
    "zeros(like=)": (buffer_like, [[x1, x0], [0, 0]]),
    "a view": (view, [[0, 5], [0, 1]]),
    "add.at": (scatter, [[1, 1], [0, 0]]),
    "sum where": (lambda x: np.sum(x, where=[True, False]), [1, 0]),
    "np.vectorize": (lambda x: np.vectorize(lambda v: v * v)(x), [[2 * x0, 0], [0, 2 * x1]]),
    "builtins": (lambda x: sum(x) + len(x) + abs(x[0]) * 0 + pow(x[1], 2), [1, 1 + 2 * x1]),
    "methods": (lambda x: x.sum() + x.dot(x) + x.astype(float).ravel().prod(), [1 + 2 * x0 + x1, 1 + 2 * x1 + x0]),
    "the argument": (lambda x: x, [[1, 0], [0, 1]]),
    "f writes into its argument": (lambda x: x.__setitem__(0, 5 * x[0]) or x * 1, [[5, 0], [0, 1]]),
}  # fmt: skip


@pytest.mark.parametrize("name", JACOBIANS)
def test_jacobian(name):
    f, expected = JACOBIANS[name]
    same(oracle.jacobian(f, ("x", 2)), np.array(expected, object))
    values = np.array(oracle.symbolic(f, ("x", 2)).at([0.5, 2.0]), float)
    assert values == pytest.approx(np.array(f(np.array([0.5, 2.0])), float))


VALUES = """np.arange(3, like=x) + x[0]; np.eye(2, like=x) @ x; np.array([x[0], x[1]], like=x); np.ones_like(x) / 3 + x
np.average(x, axis=0, weights=[1.0, 3.0]); np.nanmean(x, axis=1); np.trapezoid(x, axis=1); np.gradient(x[0])
np.correlate(x[0], x[1]); np.cross(x[0], x[1]); np.kron(x[0], x[1]); np.polyval(x[0], 2.0); np.vander(x[0]); np.tril(x)
np.take_along_axis(x, np.array([[0], [1]]), 1); np.apply_along_axis(lambda v: v.sum(), 1, x); np.meshgrid(x[0], x[1])[0]
np.linalg.norm(x, ord=4, axis=1); np.linalg.norm(x, axis=(0, 1)); np.linalg.matrix_power(x[:, :2], 3)
np.linalg.inv(x[:, :2]); np.linalg.solve(x[:, :2], x); np.linalg.multi_dot([x, x.T, x]); np.einsum("ij,kj->ik", x, x)
np.tensordot(x, x, axes=([1], [1])); np.max(x, axis=1, keepdims=True, initial=1.0); np.min(x); np.ptp(x, axis=0)
np.std(x, axis=1, ddof=1); x.mean(axis=0) - x.min() + x.max(axis=1, keepdims=True); np.clip(x, -1, None); np.round(x, 1)
np.select([x < 0, x > 1], [-x, x**2], 1.0); (x > 0).sum() * x; np.isfinite(x) * x; np.triu(x) + np.flipud(x)
np.insert(x, 1, 5.0, axis=1); np.delete(x, 1, axis=1); x.T.dot(x).diagonal(); x.flat[3]; np.dstack([x, x])
x[:, None, :].repeat(2, axis=1); np.minimum.accumulate(x, axis=1); np.multiply.reduce(x, axis=1)
np.stack([v * 2 for v in x]); np.hstack([x, np.zeros((2, 1))]); np.diff(x, axis=1, n=2); np.rot90(x); np.block([[x, x]])
np.pad(x, ((0, 1), (1, 0)), constant_values=2.5); np.split(x, 3, axis=1)[1]; np.broadcast_arrays(x, x[0])[1]
np.sort(x, axis=1); np.median(x); x[x > 1].sum(); np.argmax(x, axis=1) * x[0, :2]; np.count_nonzero(x > 0) * x"""


@pytest.mark.parametrize("code", re.split("; |\n", VALUES))
def test_values_are_numpys(code):
    f, numbers = eval(f"lambda x: {code}"), np.array([[0.5, 1.25, -2.0], [3.0, 0.75, 1.5]])
    values = oracle.symbolic(f, ("x", (2, 3)), assume=numbers).at(numbers)
    assert np.array(values, float) == pytest.approx(np.array(f(numbers), float))


def test_hessian():
    mixed = 6 * x0 * x1**2
    same(oracle.hessian(lambda x: x[0] ** 2 * x[1] ** 3, 2), [[2 * x1**3, mixed], [mixed, 6 * x0**2 * x1]])


def test_textbook():
    """y = ln x1 + x1 x2 - sin x2 at (2, 5), and (x + y) max(y, z) at (1, 2, 0)."""
    f = lambda a, b: np.log(a) + a * b - np.sin(b)
    a, b = oracle.gradient(f, argnums=(0, 1))
    assert oracle.symbolic(f).at(2, 5) == pytest.approx(mpmath.mpf("11.652"), abs=5e-4)
    assert a.at(2, 5) == mpmath.mpf("5.5")
    with mpmath.workdps(50):
        assert mpmath.almosteq(b.at(2, 5), 2 - mpmath.cos(5), 1e-49)
    gradient = oracle.gradient(lambda v: (v[0] + v[1]) * np.maximum(v[1], v[2]), 3)
    assert gradient.at([1, 2, 0]).tolist() == [2, 5, 0]


def test_dense_layer():
    """s = u . tanh(W x + b): ds/dW = delta^T x^T in the shape convention, ds/db = delta."""
    dense = lambda W, b, u, x: u @ np.tanh(W @ x + b)
    W, b, u, v = (derivatives.named_symbols(*spec) for spec in (("W", (2, 3)), ("b", (2,)), ("u", (2,)), ("x", (3,))))
    delta = u * (1 - np.array([sp.tanh(e) for e in W @ v + b]) ** 2)
    dW, db, dx = oracle.gradient(dense, (2, 3), 2, 2, 3, argnums=(0, 1, 3))
    same(dW, np.outer(delta, v))
    same(db, delta)
    same(dx, delta @ W)
    assert [str(s) for s in W.flat] == ["W_00", "W_01", "W_02", "W_10", "W_11", "W_12"]


# --- every elementwise function: its value against NumPy's, its derivative against a difference quotient ---


UFUNCS = {name: getattr(np, name, None) or getattr(special, name, None) for name in symbols.ELEMENTWISE}


@pytest.mark.parametrize("name", [name for name, f in UFUNCS.items() if isinstance(f, np.ufunc)])
def test_elementwise(name):
    f = UFUNCS[name]
    point = [1.375, 2.625, 0.125][: f.nin] if name in ("arccosh", "clip") else [0.375, 0.625][: f.nin]
    take = lambda x: np.sum(f(*x)) + 0.0  # the results of divmod and modf added
    value, slopes = oracle.symbolic(take, len(point)), oracle.gradient(take, len(point))
    assert float(value.at(point)) == pytest.approx(float(np.sum(f(*point))), rel=1e-14)
    step = sp.Rational(1, 10**15)
    for k, slope in enumerate(slopes.at(point)):
        sides = [[sp.Rational(v) + sign * step * int(i == k) for i, v in enumerate(point)] for sign in (1, -1)]
        with mpmath.workdps(60):
            quotient = (value.at(sides[0], digits=60) - value.at(sides[1], digits=60)) * mpmath.mpf(10) ** 15 / 2
            assert abs(quotient - slope) <= 1e-25


# --- kinks, jumps and singular points, to 50 digits ---

HALF = mpmath.mpf(1) / 2
INF = mpmath.inf
POINTS = [  # function, point, derivative or gradient
    (np.abs, 0, 0),
    (np.abs, [-2, 0, 3], [-1, 0, 1]),
    (lambda x: np.maximum(x, 0.0), 0, HALF),
    (lambda x: np.maximum(x, x), 1, 1),
    (lambda x: np.maximum(x, -x) - np.abs(x), 0, 0),
    (lambda x: np.minimum(x, 0.0) + np.maximum(x, 0.0), 0, 1),
    (lambda x: np.maximum(x[0], x[1]), [1, 1], [HALF, HALF]),
    (lambda x: np.fmin(x[0], x[1]), [1, 1], [HALF, HALF]),
    (lambda x: np.fmax(x, np.nan), 1, 1),
    (np.max, [1, 1, 0], [HALF, HALF, 0]),
    (lambda x: np.min(x) * 3, [1, 1, 1], [1, 1, 1]),
    (lambda x: np.maximum(np.maximum(x[0], x[1]), x[2]), [1, 1, 1], [HALF / 2, HALF / 2, HALF]),
    (np.ptp, [1, 1], [0, 0]),
    (lambda x: np.clip(x, 0.0, 1.0), [-1, 0, 0.5, 1, 2], [0, HALF, 1, HALF, 0]),
    (lambda x: np.clip(3.0, 0.0, x), 1, 1),
    (lambda x: np.clip(np.log(x), 0.0, 1.0), [0, 2], [0, HALF]),
    (np.sign, 0, 0),
    (lambda x: x.relu(), [-1, 0, 2], [0, 0, 1]),
    (lambda x: (x > 0) * x, 0, 0),
    (lambda x: np.heaviside(x, 0.5) * x, 2, 1),
    (lambda x: np.copysign(x, -1.0), 2, -1),
    (np.linalg.norm, [0, 0, 0], [0, 0, 0]),
    (lambda x: np.linalg.norm(x) ** 2, [0, 0], [0, 0]),
    (lambda x: np.linalg.norm(x, axis=1).sum(), [[3, 4], [0, 0]], [[0.6, 0.8], [0, 0]]),
    (lambda x: np.linalg.norm(x, ord=1), [0, 2], [0, 1]),
    (lambda x: np.linalg.norm(x, ord=np.inf), [1, -1], [HALF, -HALF]),
    (lambda x: np.linalg.norm(x, "fro"), [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    (lambda x: np.hypot(x[0], x[1]), [0, 0], [0, 0]),
    (lambda x: np.hypot(x[0], x[1]), [3e200, 4e200], [0.6, 0.8]),
    (np.std, [1, 1, 1], [0, 0, 0]),
    (np.sqrt, 0, INF),
    (np.sqrt, [0, 4], [INF, HALF / 2]),
    (np.cbrt, -8, mpmath.mpf(1) / 12),
    (np.cbrt, 0, INF),
    (lambda x: np.sqrt(x[0]) + 0 * x[1], [0, 5], [INF, 0]),
    (lambda x: np.sqrt(x[0] * x[1]), [0, 4], [INF, 0]),
    (lambda x: x**0 + x**1, 0, 1),
    (lambda x: x**0.5, 0, INF),
    (lambda x: x**-1, 0, -INF),
    (lambda x: np.power(0.0, x), 2, 0),
    (lambda x: x[0] ** x[1], [0, 1], [1, 0]),
    (lambda x: x[0] ** x[1], [0, 0], [0, -INF]),
    (lambda x: x**3, -2, 12),
    (lambda x: x * np.log(x), 1, 1),
    (lambda x: x**2 * np.log(x), 0, 0),
    (lambda x: np.where(x > 0, np.sqrt(x), 0.0), 0, 0),
    (lambda x: np.where(x > 0, np.log(x), 0.0), -1, 0),
    (lambda x: np.where(x == 0, 1.0, np.sin(x) / x), 0, 0),
    (lambda x: np.select([x < 0, x >= 0], [-x, np.sqrt(x)]), [-1, 4], [-1, HALF / 2]),
    (lambda x: np.where((x > 0) & ~(x > 2), x, -x), [1, 3], [1, -1]),
    (lambda x: np.where(np.logical_or(x > 2, x < 0), x, -x), [1, 3], [-1, 1]),
    (lambda x: np.where(np.any(x > 2), 1.0, 2.0) * x[0], [1, 3], [1, 0]),
    (masked, [-1, 3], [-2, 0]),
    (lambda x: np.mod(x[0], x[1]), [-7, 2], [1, 4]),
    (np.arccosh, 1, INF),
    (np.arctanh, 1, INF),
    (np.log, 0, INF),
    (lambda x: np.arctan2(x[0], x[1]), [0, 0], [0, 0]),
    (np.sinc, 0, 0),
    (lambda x: np.sin(x) / x, 0, 0),
    (lambda x: x[0] / x[1], [1, 1e200], [1e-200, mpmath.mpf("-1e-400")]),
    (lambda x: np.linalg.det(x), [[1, 2], [2, 4]], [[4, -2], [-2, 1]]),
    (np.prod, [0, 2, 3], [6, 0, 0]),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(POINTS)))
def test_conventions(case):
    f, point, expected = POINTS[case]
    result = oracle.symbolic(f, np.shape(point))
    slopes = (oracle.gradient if not result.ndim else oracle.derivative)(f, np.shape(point)).at(point)
    with mpmath.workdps(50):
        for value, right in zip(np.ravel(slopes), np.ravel(np.array(expected, object)), strict=True):
            assert value == right or abs(value - right) <= 1e-15 * abs(right)


def test_fifty_digits():
    with mpmath.workdps(60):
        for f, point, right in [
            (np.tanh, 400.0, 1 / mpmath.cosh(400) ** 2),
            (np.log1p, 1e-200, 1 / (1 + mpmath.mpf(1e-200))),
            (np.expm1, -40, mpmath.exp(-40)),
            (lambda x: np.logaddexp(x, 0.0), 1000, 1 / (1 + mpmath.exp(-1000))),
            (lambda x: 1 - np.cos(x), 1e-30, mpmath.sin(mpmath.mpf(1e-30))),
            (lambda x: np.sin(x), 0.1, mpmath.cos(mpmath.mpf(0.1))),
        ]:
            assert abs(oracle.derivative(f, "x").at(point) / right - 1) < 1e-49
        second = oracle.derivative(np.sinc, "x", order=2).at(0)
        assert abs(second + mpmath.pi**2 / 3) < 1e-48
    assert oracle.evaluate(sp.sin(x) / x, 0) == 1 and oracle.evaluate(x * sp.log(x), 0) == 0
    assert oracle.evaluate(sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1) == 0
    both = oracle.evaluate([x * y, x - y], {"x": 0.5, y: sp.Rational(1, 3)})
    assert both.astype(float) == pytest.approx([1 / 6, 1 / 6])
    assert oracle.evaluate(sp.erf(x) + sp.gamma(x), 1, digits=30) == pytest.approx(1 + math.erf(1))


def test_second_derivatives_of_kinks():
    """No DiracDelta: the second derivative of a kink is 0, and what sympy's own functions bring in is replaced."""
    assert oracle.derivative(lambda x: np.abs(x) ** 3, "x", order=2).at(-2) == 12
    assert oracle.derivative(lambda x: np.maximum(x, 0) ** 2, "x", order=2).at(0) == HALF
    assert oracle.derivative(lambda x: np.sqrt(x**2), "x", order=2).at(3) == 0
    assert oracle.hessian(lambda v: np.max(v) ** 2, 2).at([1, 3]).tolist() == [[0, 0], [0, 2]]
