"""The oracle against results derived by hand, at kinks and singular points, and each of its errors."""

from __future__ import annotations

import math
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy import special

from dualdiff import oracle
from dualdiff.check.oracle import derivatives, symbols
from dualdiff.core.errors import NotDifferentiableError

x, y, z, t = sp.symbols("x y z t", real=True)
x0, x1, x2 = sp.symbols("x_0:3", real=True)


def same(result, expected):
    """Equal by algebra, element by element."""
    result, expected = np.array(result, object), np.array(expected, object)
    assert result.shape == expected.shape
    assert all(sp.simplify(a - b) == 0 for a, b in zip(result.flat, expected.flat, strict=True)), result


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


# --- API: arguments, results, branches ---


def test_arguments_and_names():
    f = lambda W, v, s=2.0: s * (W @ v)
    for specs, named in [
        (((2, 3), 3), {}),
        ((("W", (2, 3)), ("v", 3)), {}),
        (((2, 3),), {"v": 3}),
        ((), {"W": (2, 3), "v": 3}),
    ]:
        assert str(oracle.symbolic(f, *specs, **named)[0]) == "2*W_00*v_0 + 2*W_01*v_1 + 2*W_02*v_2"
    assert str(oracle.symbolic(f, np.eye(2), 2)) == "[2*v_0, 2*v_1]"  # a constant matrix
    assert str(oracle.symbolic(f, (1, 1), 1, s="t")) == "[W_00*t*v_0]"
    assert str(oracle.symbolic(lambda a, b: a - b, "p q")) == "p - q"
    assert str(oracle.symbolic(lambda *v: v[0] - v[1], "p", "q")) == "p - q"
    assert str(oracle.symbolic(np.arctan2, "y, x")) == "atan2(y, x)"
    assert str(oracle.symbolic(np.sin)) == "sin(x)"
    assert str(oracle.symbolic(lambda x: x[-1], 12)) == "x_11"
    assert str(oracle.symbolic(lambda x: x[-1, 2], (11, 3))) == "x_10_2"
    assert oracle.jacobian(lambda x: x, (0,)).shape == (0, 0)


def test_results():
    J = oracle.jacobian(lambda x: np.stack([x[0] * x[1], np.maximum(np.sin(x[0]), 0)]), 2)
    assert J.shape == (2, 2) and J[0, 0] == x1
    assert repr(J) == str(J) == "[[x_1, x_0], [step(sin(x_0))*cos(x_0), 0]]"
    assert (J == J).all() and "step" in J._repr_latex_() and sp.sympify(J)[0, 1] == x0
    assert J.at({"x": [0.5, 2]}).astype(float) == pytest.approx(J.compile()([0.5, 2.0]))
    assert J.at({x0: 1, "x_1": 2})[0].tolist() == [2, 1]
    d = oracle.derivative(lambda x: np.abs(x) * np.cbrt(x), "x")
    assert d.diff(x) == d.item().diff(x) and sp.simplify(d) is not None and d.free_symbols == {x}
    assert r"\sqrt[3]{x}" in d._repr_latex_() or "cbrt" in d._repr_latex_()
    assert d.compile()(8.0) == pytest.approx(8 / 12 + 2)


def test_branches():
    f = lambda x: x * x if x > 2 else -x
    with pytest.raises(NotDifferentiableError, match=r"branches on x > 2 .*assume="):
        oracle.derivative(f, "x")
    taken, other = oracle.derivative(f, "x", assume=3.0), oracle.derivative(f, "x", assume={"x": 2})
    assert (str(taken), str(other)) == ("2*x  where x > 2", "-1  where x <= 2")
    assert str(oracle.derivative(f, "x", assume="x > 5")) == "2*x  where x > 2"
    assert oracle.derivative(f, "x", assume=[x < 1]).region == (x <= 2,)
    ordered = oracle.jacobian(lambda x: np.sort(x), 3, assume="x_0 > x_1, x_1 > x_2")
    same(ordered, [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    same(oracle.gradient(lambda x: x[np.argmax(x)], 2, assume=[1.0, 3.0]), [0, 1])
    same(oracle.gradient(np.median, 4, assume=[1, 2, 2, 5]), [0, sp.Rational(1, 2), sp.Rational(1, 2), 0])
    same(oracle.gradient(lambda a, b: max(a, b), "a b", assume=(1, 2)), 0)
    same(oracle.gradient(lambda x: np.sum(x[x > 0]), 2, assume=[1, -1]), [1, 0])
    same(oracle.derivative(lambda x: 1.0 if x == 1 else x**2, "x", assume=1), 0)
    same(oracle.derivative(lambda x: x * x if np.isclose(x, 3.0) else x, "x", assume=3), 2 * x)
    with pytest.raises(NotDifferentiableError, match="branches on"):
        oracle.derivative(f, "x", assume="x > 0")
    root = oracle.derivative(newton, "x", assume=4)
    assert float(root.at(4)) == pytest.approx(0.25)


def newton(x):
    guess = x
    for _ in range(20):
        if abs(guess**2 - x) < 1e-8:
            break
        guess = (guess + x / guess) / 2
    return guess


ERRORS = {
    "math.sin": (lambda x: math.sin(x), TypeError, "np.sin for math.sin"),
    "float": (lambda x: float(x) * x, TypeError, "plain number"),
    "int": (lambda x: int(x) * x, TypeError, "np.trunc"),
    "np.zeros": (lambda x: np.zeros(2).__setitem__(0, x), TypeError, "zeros_like"),
    "+= into floats": (lambda x: np.add(np.ones(2), x, out=np.ones(2)), TypeError, "zeros_like"),
    "hash": (lambda x: {x: 1}, TypeError, "unhashable"),
    "an unknown ufunc": (lambda x: np.spacing(x), NotDifferentiableError, "np.spacing has no symbolic form"),
    "an unknown function": (lambda x: np.linalg.eigvalsh(x * np.eye(2)), NotDifferentiableError, "linalg.eigvalsh"),
    "another": (lambda x: np.fft.fft([x, x]), TypeError, None),
    "where=": (lambda x: np.sin(x, where=np.array(True)), NotDifferentiableError, "np.where"),
    "nothing": (lambda x: None, TypeError, "forgotten return"),
    "a dict": (lambda x: {"a": x}, TypeError, "dict"),
    "random numbers": (lambda x: x * random.random(), ValueError, "two results"),
    "what f raises": (lambda x: {}["key"], KeyError, "key"),
    "shapes": (lambda x: np.ones(2) @ np.stack([x, x, x]), ValueError, None),
    "complex": (lambda x: (-2.0) ** x, ValueError, "complex"),
    "a string": (lambda x: ["x"], TypeError, "not a number"),
    "no derivative": (lambda x: unknown_to_sympy(x), NotDifferentiableError, "no derivative"),
}  # fmt: skip


def unknown_to_sympy(x):
    return type(x)(sp.Function("g")(x.expr))


@pytest.mark.parametrize("name", ERRORS)
def test_errors_of_f(name):
    f, kind, text = ERRORS[name]
    with pytest.raises(kind, match=text):
        oracle.derivative(f, "x")


def test_side_effects():
    calls = []
    with pytest.raises(ValueError, match="two results"):
        oracle.gradient(lambda x: (calls.append(1), len(calls) * x.sum())[1], 2)


def test_errors_of_points():
    f = oracle.jacobian(lambda x, s: np.log(x) * s, 2, "s")
    for point, kind, text in [
        (([1, math.nan], 1), ValueError, "finite"),
        (([1, math.inf], 1), ValueError, "finite"),
        (([1, 2, 3], 1), ValueError, r"x has shape \(2,\)"),
        (([1, 2],), TypeError, "x, s; 1 given"),
        (({"x": [1, 2]},), ValueError, "no value for s"),
    ]:
        with pytest.raises(kind, match=text):
            f.at(*point)
    for g, point, text in [
        (np.log, -1, r"log\(-1\) is not a real number, at x = -1"),
        (np.arcsin, 2, r"asin\(2\)"),
        (lambda x: x**0.5, -2, "real"),
        (lambda x: 1 / x, 0, "zero"),
        (lambda x: np.sin(1 / x), 0, "zero"),
        (lambda x: np.where(x > 0, x, np.nan), -1, "no value"),
    ]:
        with pytest.raises(ValueError, match=text):
            oracle.symbolic(g, "x").at(point)


def test_errors_of_calls():
    f = lambda x, y: x * y
    for call, text in [
        (lambda: oracle.gradient(f, 2, 2), "shape .2,.: use jacobian"),
        (lambda: oracle.jacobian(f, 2, "y", argnums=2), "argnums=2"),
        (lambda: oracle.jacobian(f, 2, 3.0, argnums=1), "argnums=1"),
        (lambda: oracle.symbolic(f, "x", "x"), "two arguments"),
        (lambda: oracle.derivative(np.sum, 2), "use jacobian"),
        (lambda: oracle.derivative(lambda x: x[::-1], 2), "use jacobian"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError):
        oracle.symbolic(f, "x", 2, 3)


def test_import_is_lazy_and_tracing_fast():
    code = "import sys, dualdiff as dd; dd.oracle; assert not {'sympy', 'mpmath'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])

    def f(v):
        for k in range(40):  # 200 operations
            v = np.roll(v, 1)
            a, b = v[0], v[1]
            v[0] = [np.sin(a), a * b, a + b, np.exp(-a), a / (1 + b**2)][k % 5]
        return v.sum()

    start = time.process_time()
    gradient = oracle.gradient(f, 20)
    assert time.process_time() - start < 2
    point = np.linspace(0.1, 0.9, 20)
    assert gradient.compile()(point) == pytest.approx(gradient.at(point).astype(float))


# --- check ---

RIGHT = [
    (lambda x: np.sin(x**2), lambda x: 2 * x * np.cos(x**2), ()),
    (lambda x: np.sin(x**2), 2 * sp.Symbol("x") * sp.cos(sp.Symbol("x") ** 2), ()),
    (lambda x: np.sin(x**2), "2*x*cos(x**2)", ()),
    (lambda x: np.tanh(x), lambda x: 1 / np.cosh(x) ** 2, ()),
    (lambda x: np.arccosh(x), lambda x: 1 / np.sqrt(x**2 - 1), ()),
    (lambda x: np.exp(-x) / np.sqrt(2 * np.pi), lambda x: -0.3989422804014327 * np.exp(-x), ()),
    (lambda x: np.maximum(x, 0), lambda x: np.where(x >= 0, 1, 0), ()),
    (np.abs, lambda x: 1 if x > 0 else -1, ()),
    (lambda x: x * x if x > 2 else x, lambda x: 2 * x if x > 2 else 1, ()),
    (lambda x: np.sum(x**2), lambda x: 2 * x, (3,)),
    (lambda x: np.sum(x**2), [2 * x0, 2 * x1, 2 * x2], (3,)),
    (lambda x: np.sin(x), lambda x: np.diag(np.cos(x)), (3,)),
    (lambda W, v: np.sum(W @ v), lambda W, v: np.outer(np.ones(2), v), ((2, 3), 3)),
    (lambda x: x @ x, lambda x: x + x, (30,)),
]


@pytest.mark.parametrize("case", range(len(RIGHT)))
def test_check_right(case):
    f, manual, specs = RIGHT[case]
    report = oracle.check(f, manual, *specs)
    assert report and report.ok and report.points >= 12 and str(report).startswith("right")
    report.assert_()


def test_check_proves_and_takes_numbers():
    assert oracle.check(lambda x: np.tanh(x), lambda x: 1 - np.tanh(x) ** 2).proved
    f = lambda a, b: np.log(a) + a * b - np.sin(b)
    assert oracle.check(f, (5.5, 1.716), argnums=(0, 1), at=(2, 5), rtol=1e-3)
    assert "rounded" in oracle.check(f, (5.5, 1.716), argnums=(0, 1), at=(2, 5)).guess
    assert oracle.check(f, lambda a, b: (1 / a + b, a - np.cos(b)), argnums=(0, 1))
    report = oracle.check(lambda x: np.abs(x) if x > 2 else x, lambda x: 1.0, assume="x > 3")
    assert report and report.due.region == (x > 2,)


SLIPS = {  # f, its derivative done wrong, the arguments, the guess
    "chain": (lambda x: np.sin(x**2), lambda x: np.cos(x**2), (), r"inner derivative d\(x\*\*2\)/dx = 2\*x is missing"),
    "chain, in a sum": (lambda x: x + np.exp(3 * x), lambda x: 1 + np.exp(3 * x), (), "derivative .* = 3 is missing"),
    "chain, outer": (lambda x: np.sin(x**2), lambda x: 2 * x, (), "outer derivative"),
    "d(1 - x)": (lambda x: np.exp(1 - x), lambda x: np.exp(1 - x), (), r"d\(1 - x\)/dx = -1 is missing"),
    "d(1 - x) in a square": (lambda x: (1 - x) ** 2 / 2, lambda x: 1 - x, (), "-1 is missing|sign"),
    "cos": (lambda x: np.cos(x), lambda x: np.sin(x), (), r"sign of the derivative of cos\(x\)"),
    "1/x": (lambda x: 1 / x, lambda x: 1 / x**2, (), "sign of the derivative of 1/x"),
    "sign": (lambda x: -np.exp(x) * x, lambda x: np.exp(x) * (1 + x), (), "the sign"),
    "sign of a term": (lambda x: x**2 - 3 * x, lambda x: 2 * x + 3, (), r"the sign of d\(-3\*x\)/dx"),
    "a term": (lambda x: x**2 + 3 * x, lambda x: 2 * x, (), r"the term d\(3\*x\)/dx .* missing"),
    "power: factor": (lambda x: x**3, lambda x: x**2, (), "power rule: the factor 3 is missing"),
    "power: exponent kept": (lambda x: x**3, lambda x: 3 * x**3, (), "exponent goes down by one"),
    "power: exponent too low": (lambda x: x**3, lambda x: 3 * x, (), "by one only"),
    "exponential as power": (lambda x: 2**x, lambda x: x * 2 ** (x - 1), (), "the power rule is for"),
    "exponential: log": (lambda x: 2**x, lambda x: 2**x, (), r"log\(2\) is missing"),
    "product: a term": (lambda x: x * np.sin(x), lambda x: np.sin(x), (), r"term with d\(sin\(x\)\)/dx is missing"),
    "product: u'v'": (lambda x: x * np.sin(x), lambda x: np.cos(x), (), "not u'v'"),
    "quotient: sign": (lambda x: x / (1 + x**2), lambda x: (1 + x**2 + 2 * x**2) / (1 + x**2) ** 2, (), "sign"),
    "quotient: its terms": (
        lambda x: np.sin(x) / np.log(x),
        lambda x: (np.cos(x) * np.log(x) + np.sin(x) / x) / np.log(x) ** 2,
        (),
        "sign",
    ),
    "quotient: square": (lambda x: x / (1 + x**2), lambda x: (1 - x**2) / (1 + x**2), (), "square of the denominator"),
    "a factor": (lambda x: np.mean(x**2), lambda x: 2 * x, (3,), "constant factor: given is 3 times"),
    "transposed": (lambda W, x: W @ x, lambda W, x: W.T, ((2, 2), 2), "transposed"),
    "transposed, not square": (lambda W, x: W @ x, lambda W, x: W.T, ((2, 3), 3), "given .3, 2., due .2, 3., trans"),
    "a column": (lambda x: np.sum(x**2), lambda x: 2 * x[:, None], (3,), "a row or a column"),
    "the diagonal": (np.sin, np.cos, (3,), "only the diagonal"),
    "summed up": (lambda x: np.sum(x**2), lambda x: 2 * np.sum(x), (3,), "summed over axis 0"),
    "the sum in each": (lambda x: np.sum(x**2), lambda x: 2 * np.sum(x) * np.ones(3), (3,), "sum over all components"),
    "not summed": (lambda X, b: np.sum((X + b) ** 2), lambda X, b: 2 * (X + b), ((3, 2), 2), "not summed over axis 0"),
    "a layer": (lambda W, x: np.sum(np.tanh(W @ x)), lambda W, x: np.outer([1, 1], x), ((2, 2), 2), "outer .* tanh"),
    "no slip": (lambda x: np.sin(x), lambda x: np.exp(x) + 7, (), "^$"),
}  # fmt: skip


@pytest.mark.parametrize("name", SLIPS)
def test_check_guesses_the_slip(name):
    f, manual, specs, guess = SLIPS[name]
    argnums = {"transposed": 1, "transposed, not square": 1, "not summed": 1}.get(name, 0)
    report = oracle.check(f, manual, *specs, argnums=argnums)
    assert not report
    assert re.search(guess, report.guess), report.guess
    with pytest.raises(AssertionError, match="wrong"):
        report.assert_()


def test_report():
    report = oracle.check(lambda x: x[0] ** 2 * x[1], lambda x: np.stack([2 * x[0] * x[1], x[0]]), 2, at=[3, 5])
    (mistake,) = report.mistakes
    assert mistake == ("df/dx_1", 3, 9, x0, x0**2)
    assert str(report).splitlines()[:4] == [
        "wrong in 1 of 2 components, at x = [3, 5]",
        "df/dx_1: given 3, due 9",
        "    given x_0",
        "    due   x_0**2",
    ]
    assert "$x_{0}^{2}$" in report._repr_html_() and "<br>" in report._repr_html_()
    assert "$" in oracle.check(np.sin, np.cos)._repr_html_()
    with pytest.raises(ValueError, match="at any of the points"):
        oracle.check(lambda x: np.log(-1 - x**2), lambda x: x)
    with pytest.raises(ValueError, match="no value for q"):
        oracle.check(np.sin, "cos(q)")
