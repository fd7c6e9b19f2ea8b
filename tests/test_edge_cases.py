"""The edge cases and their right answers: kinks, zeros, powers, branches, overflow, dtypes, protocols, nesting.

A row is an expression in plain NumPy, the point, and the right derivative; for arrays the Jacobian, of shape
`out.shape + in.shape`. `either(...)` lists the answers where several are right, an exception class is an answer like
any other, and a function says of a Jacobian whether it is right. A fourth entry is the order of the derivative. Every
row is run with every chunk size; value, dtype, warnings and the caller's array are checked along the way.
"""

from __future__ import annotations

import copy
import math
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.run import call as sweep

nan, inf = math.nan, math.inf
MODES = ["forward", "reverse"]


class Either(tuple[Any, ...]):
    """Several right answers."""


class Buffer(Either):
    """The answer, or a TypeError that names `zeros_like`: what stores into a plain float buffer may do."""


def either(*answers: Any) -> Either:
    return Either(answers)


def buffer(answer: Any) -> Buffer:
    return Buffer((answer, TypeError))


KINKS = [
    ("np.abs(x)", 0, 0),
    ("np.abs(x)", [-2, 0, 3], [[-1, 0, 0], [0, 0, 0], [0, 0, 1]]),
    ("np.maximum(x, 0.0)", 0, 0.5),
    ("np.maximum(x, x)", 1, 1),
    ("np.maximum(x, -x) - np.abs(x)", 0, 0),
    ("np.minimum(x, 0.0) + np.maximum(x, 0.0)", 0, 1),  # f is x
    ("np.maximum(x[0], x[1])", [1, 1], [0.5, 0.5]),
    ("np.fmax(x, nan)", 1, 1),  # nan is ignored
    ("np.maximum(x, nan)", 1, either(nan, 0)),  # the value is nan
    ("np.max(x)", [1, 1, 0], [0.5, 0.5, 0]),
    ("np.max(x)", [1, 1, 1], [1 / 3, 1 / 3, 1 / 3]),
    ("np.clip(x, 0.0, 1.0)", 0, 0.5),
    ("np.clip(x, 0.0, 1.0)", [-1, 0, 0.5, 1, 2], np.diag([0, 0.5, 1, 0.5, 0])),
    ("np.clip(3.0, 0.0, x)", 1, 1),  # the bound is active
    ("np.clip(x, 0.0, 1.0)", nan, either(nan, 0)),  # the value is nan
    ("np.sign(x)", 0, 0),
    ("dd.relu(x)", 0, 0),  # the named exception
    ("np.sort(x)", [1, 1], [[1, 0], [0, 1]]),  # stable order
    ("np.median(x)", [1, 2, 2, 5], [0, 0.5, 0.5, 0]),
    ("np.median(x)", [1, 1, 3], lambda j: j[2] == 0 and min(j) >= 0 and abs(sum(j) - 1) < 1e-12),
    ("np.percentile(x, 75)", [1, 2, 4], [0, 0.5, 0.5]),
    ("np.ptp(x)", [1, 1], [0, 0]),
    ("np.interp(x, [0, 1, 2], [0, 1, 0])", 1, lambda j: -1 <= j <= 1),  # at a knot
    ("np.interp(x, [0, 1, 2], [0, 1, 0])", 0.5, 1),
    ("x[np.argmax(x)]", [1, 3, 2], [0, 1, 0]),
]

NORMS = [
    ("np.linalg.norm(x)", [0, 0, 0], [0, 0, 0]),
    ("np.linalg.norm(x)**2", [0, 0, 0], [0, 0, 0]),
    ("np.linalg.norm(x, axis=1)", [[3, 4], [0, 0]], [[[0.6, 0.8], [0, 0]], [[0, 0], [0, 0]]]),
    ("np.linalg.norm(x, ord=1)", [0, 2], [0, 1]),
    ("np.linalg.norm(x, ord=np.inf)", [1, -1], [0.5, -0.5]),
    ("np.linalg.norm(x, ord=3)", [1, 2], [0.2311204248, 0.9244816991]),
    ("np.linalg.norm(x, 'fro')", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    ("np.linalg.norm(x, 'nuc')", [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    ("np.linalg.norm(x, 2)", [[2, 0], [0, 1]], [[1, 0], [0, 0]]),
    ("np.hypot(x[0], x[1])", [0, 0], [0, 0]),
    ("np.hypot(x[0], x[1])", [3e200, 4e200], [0.6, 0.8]),
    ("np.sqrt(x)", 0, inf),
    ("np.cbrt(x)", -8, 0.08333333333),
    ("np.std(x)", [1, 1, 1], [0, 0, 0]),
    ("np.var(x)", [1, 1, 1], [0, 0, 0]),
    ("np.std(x, ddof=1)", [1, 2, 4], [-0.4364357805, -0.1091089451, 0.5455447256]),
    ("np.sum(np.linalg.norm(x[:, None] - x[None, :], axis=-1))", [[0, 0], [3, 4]], [[-1.2, -1.6], [1.2, 1.6]]),
]

ZEROS = [
    ("np.sqrt(x[0]) + 0*x[1]", [0, 5], [inf, 0]),
    ("np.sum(np.sqrt(x))", [0, 4], [inf, 0.25]),
    ("np.sqrt(x)", [0, 4], [[inf, 0], [0, 0.25]]),  # no nan off the diagonal
    ("np.sqrt(x)[1]", [0, 4], [0, 0.25]),
    ("np.sqrt(x[0] * x[1])", [0, 4], either([inf, 0], [inf, nan])),
    ("np.sqrt(x**2)", 0, either(nan, 0)),  # f is |x|
    ("0.0 * np.sqrt(x)", 0, either(0, nan)),  # 0 * inf of two numbers
    ("np.cbrt(x)**3", 0, either(1, nan)),  # f is x; never 0
    ("np.sqrt(x)**2", 0, either(1, nan)),
]

POWERS = [
    ("x**0", 0, 0),
    ("np.power(x, [0., 0.])", [0, 2], [[0, 0], [0, 0]]),
    ("x**1", 0, 1),
    ("x**2", 0, 2, 2),
    ("x**2", 0, 0, 3),
    ("x**0.5", [0], [[inf]]),
    ("x**-1", [0], [[-inf]]),
    ("x**-1", 0, either(-inf, ZeroDivisionError)),  # x a Python float: as Python itself
    ("np.power(0.0, x)", 2, 0),
    ("np.power(0.0, x)", 0, either(-inf, nan)),  # the limit from either side
    ("x[0]**x[1]", [0, 1], [1, 0]),
    ("x[0]**x[1]", [0, 0], either([0, -inf], [0, nan])),
    ("x[0]**x[1]", [-2, 3], [12, nan]),
    ("x**3", -2, 12),
    ("x**np.arange(4)", [0, 0, 0, -1], np.diag([0, 1, 0, 3])),
    ("2**x", 3, 5.545177444),
    ("(-2.0)**x", 3, nan),  # not real beside 3
    ("np.polyval([1, 2, 3], x)", 0, 2),
    ("np.sum([3., 2., 1.] * x**np.arange(3))", 0, 2),
]

BRANCHES = [
    ("np.where(x > 0, np.sqrt(x), 0.0)", 0, 0),
    ("np.where(x > 0, np.log(x), 0.0)", -1, 0),
    ("np.where(x == 0, 1.0, np.sin(x) / x)", [0, 3.141592654], [[0, 0], [0, -0.3183098862]]),
    ("np.select([x < 0, x >= 0], [-x, np.sqrt(x)])", [-1, 4], [[-1, 0], [0, 0.25]]),
    ("np.clip(np.log(x), 0.0, 1.0)", [0, 2], [[0, 0], [0, 0.5]]),  # log(0) is clipped away
    ("np.maximum(np.sqrt(x), 1.0)", 0, 0),  # of numbers too
    ("np.maximum(1.0, np.log(x))", 0, 0),
    ("np.minimum(np.sqrt(x), -1.0)", 0, 0),
    ("np.clip(np.log(x), 0.0, 1.0)", 0, 0),
    ("dd.relu(-1 - np.sqrt(x))", 0, 0),
    ("np.fmax(np.sqrt(x), 1.0)", 0, 0),
    ("np.nansum(x)", [nan, 2], [0, 1]),
    ("np.nan_to_num(x)", [nan, 1, inf], np.diag([0, 1, 0])),
    ("np.max(x)", [nan, 1], lambda j: np.isnan(j[1]) or j[1] == 0),  # the value is nan
    ("1.0 if x == 1 else x**2", 1, 0),  # branch taken
    ("x * x if x > 2 else x", 3, 6),
]

STABLE = [
    ("np.logaddexp(x, 0.0)", 0, 0.5),
    ("np.logaddexp(x, 0.0)", 1000, 1),
    ("np.logaddexp(x[0], x[1])", [-inf, -inf], either([0.5, 0.5], [nan, nan])),
    ("np.log1p(np.exp(x))", 1000, either(1, nan)),  # exp overflows; never 0
    ("np.tanh(x)", 400, 0),
    ("np.tanh(x)", 20, 1.699341702e-17),
    ("np.expm1(x)", -40, 4.248354255e-18),
    ("np.arcsinh(x)", 1e200, 1e-200),
    ("np.arccosh(x)", 1, inf),
    ("np.arctanh(x)", 1, inf),
    ("np.arctan(x)", 1e200, 0),
    ("np.log(x)", 0, inf),
    ("np.log(x)", -1, either(nan, -1)),  # beside the value nan; no exception
    ("x[0] / x[1]", [1, 1e200], [1e-200, 0]),
    ("1 / (1/x)", [0], either([[1]], [[nan]])),
    ("np.sinc(x)", 0, 0),
    ("np.sinc(x)", 0, -3.289868134, 2),
    ("np.arctan2(x[0], x[1])", [0, 1], [1, 0]),
    ("np.arctan2(x[0], x[1])", [0, 0], either([nan, nan], [0, 0])),  # no exception
    ("np.arctan2(x[0], x[1])", [3e200, 4e200], [1.6e-201, -1.2e-201]),
    ("np.mod(x, 2.0)", 3, 1),
    ("np.mod(x[0], x[1])", [-7, 2], [1, 4]),
    ("np.floor(x) + np.ceil(x) + np.trunc(x) + np.rint(x)", 1.3, 0),
    ("np.modf(x)[0]", 1.5, 1),
    ("np.linalg.norm(x*[1., 1.])", 0, 0),
]

SVD = "u, s, v = np.linalg.svd(x); np.linalg.norm(u * s @ v)"
ARRAYS = [
    ("np.prod(x)", [0, 2, 3], [6, 0, 0]),
    ("np.sum(np.cumprod(x))", [2, 0, 3, 4], [1, 32, 0, 0]),
    ("np.linalg.det(x)", [[1, 2], [2, 4]], [[4, -2], [-2, 1]]),  # singular
    ("np.linalg.det(x)", [[0, 0, 0], [0, 2, 0], [0, 0, 3]], np.diag([6, 0, 0])),  # rank 2
    ("np.linalg.slogdet(x)[1]", [[1, 2], [2, 4]], either(lambda j: not np.isfinite(j).any(), Exception)),  # singular
    ("np.linalg.eigvalsh(x)", [[1, 0], [0, 2]], [[[1, 0], [0, 0]], [[0, 0], [0, 1]]]),
    ("np.sum(np.linalg.eigh(x)[0])", [[1, 0], [0, 1]], [[1, 0], [0, 1]]),  # equal eigenvalues: the trace
    ("np.sum(np.linalg.svd(x, compute_uv=False))", [[1, 0], [0, 1]], [[1, 0], [0, 1]]),
    ("np.sum(np.linalg.svd(x, compute_uv=False))", [[0, 0], [0, 0]], lambda j: np.linalg.norm(j, 2) <= 1 + 1e-12),
    # equal singular values: x / norm(x), or nan, or an error, but no other number
    (
        SVD,
        np.diag([1.0, 1, 2]),
        either(lambda j: np.all(np.isnan(j) | np.isclose(j, np.diag([1, 1, 2]) / 6**0.5)), Exception),
    ),
    ("np.linalg.inv(x)[0, 0]", [[2, 0], [0, 4]], [[-0.25, 0], [0, 0]]),
    ("np.linalg.inv(x)", [[0, 0], [0, 0]], np.linalg.LinAlgError),
    ("np.sum(np.linalg.solve(x, [1., 1.]))", [[2, 0], [0, 4]], [[-0.25, -0.125], [-0.125, -0.0625]]),
    ("np.sum(np.linalg.pinv(x))", [[2, 0], [0, 4]], [[-0.25, -0.125], [-0.125, -0.0625]]),
    ("q, r = np.linalg.qr(x); np.sum(r * r)", [[2, 1], [1, 3]], [[4, 2], [2, 6]]),
    (  # residual not 0
        "np.sum(np.linalg.lstsq(x, [1., 1., 1.])[0])",
        [[1, 0], [0, 2], [0, 0]],
        [[-1, -0.5], [-0.5, -0.25], [1, 0.25]],
    ),
    ("np.einsum('i,i->', x, x)", [1, 2], [2, 4]),
    ("x @ x", [1, 2], [2, 4]),
    ("np.sum(np.convolve(x, [1., 2., 1.]))", [1, 2], [4, 4]),
    ("np.trapezoid(x**2)", [1, 2, 3], [1, 4, 3]),
    ("np.sum(np.gradient(x))", [1, 2, 4], [-1.5, 0, 1.5]),
    ("np.sum(np.abs(np.fft.fft(x))**2)", [1, 2, 3], [6, 12, 18]),
    ("x[np.argsort(x)][0]", [3, 1], [0, 1]),
    ("np.sum(x[[0, 0, 1]])", [1, 2], [2, 1]),
    ("np.sum(x, where=[True, False])", [1, 2], [1, 0]),
    (
        "np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v**2])",
        [-1, 2],
        either([[-1, 0], [0, 4]], TypeError),
    ),
]

DTYPES = [
    ("x**2 / 2", 3, np.float64(3)),  # x the Python int 3
    ("x / 2", np.array([1, 2]), np.array([[0.5, 0], [0, 0.5]])),  # x an int array
    ("np.sin(x) * 2.0", np.float32([1]), np.float32([[1.080604612]])),
    ("0.5 * x[0]", np.float32([1]), np.float32([0.5])),
    ("x * np.ones(1)", np.float32([1]), np.float64([[1]])),
    ("x**2", np.float16([1]), np.float16([[2]])),
    ("z = x; z**2", 1 + 1j, 2 + 2j),  # holomorphic
    ("np.abs(np.exp(1j * x))**2", 0.3, 0.0),  # real
    ("np.exp(1j * x)", 0.3, -0.2955202067 + 0.9553364891j),
    ("np.abs(x * (1 + 1j))", 0.0, 0.0),
    ("x**3", np.array(2.0), 12.0),
    ("np.sum(x**2)", np.zeros(0), np.zeros(0)),
    ("np.sum(x, axis=(0, 1), keepdims=True)", np.ones((2, 2)), np.ones((1, 1, 2, 2))),
]

RETURNS = [
    ("3.0", 2, 0),
    ("[x[0]*x[1], x[0]]", [1, 2], [[2, 1], [1, 0]]),
    ("np.array([x[0]*x[1], x[0]])", [1, 2], [[2, 1], [1, 0]]),
    ("x", [1, 2], [[1, 0], [0, 1]]),
    ("None", [1, 2], TypeError),  # a forgotten return
    ("y = np.zeros(2); y[0] = x[0]*x[1]; y[1] = x[0]; y", [1, 2], buffer([[2, 1], [1, 0]])),
    ("y = np.zeros(2); y[:] = 2*x; y", [1, 2], buffer([[2, 0], [0, 2]])),
    ("y = np.zeros(2); y[0] = np.sum(x); y", [1, 2], buffer([[1, 1], [0, 0]])),
    ("y = np.zeros_like(x); y[0] = x[0]*x[1]; y[1] = x[0]; y", [1, 2], [[2, 1], [1, 0]]),
    ("y = np.zeros(2, like=x); y[0] = x[0]*x[1]; y[1] = x[0]; y", [1, 2], [[2, 1], [1, 0]]),
    ("y = x*1; y += x; y *= x; y", [1, 2], [[4, 0], [0, 8]]),
    ("y = x*1; y[0] = 3.0; y", [1, 2], [[0, 0], [0, 1]]),
    ("y = x*1; z = y[:1]; z[0] = 5*y[1]; y", [1, 2], [[0, 5], [0, 1]]),  # z is a view
    ("x[0] *= 5; x*1", [1, 2], [[5, 0], [0, 1]]),  # f writes into its argument
    ("a = np.array([1., 2.]); a += x; a", [1, 2], either([[1, 0], [0, 1]], TypeError)),
    ("np.multiply(x, 2.0, out=np.zeros(2))", [1, 2], either([[2, 0], [0, 2]], TypeError)),
    ("y = np.zeros(2); np.copyto(y, x); y", [1, 2], either([[1, 0], [0, 1]], TypeError)),
    (
        "y = np.zeros((2, 2)); np.fill_diagonal(y, x); y",
        [1, 2],
        either([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], TypeError),
    ),
]


def newton(x: Any) -> Any:
    """The square root by Newton's iteration, in a while loop."""
    y = x
    while abs(y * y - x) > 1e-15 * x:
        y = (y + x / y) / 2
    return (y + x / y) / 2


PROTOCOL = [
    ("math.sin(x)", 1, np.cos(1.0)),
    ("float(x) * x", 3, 6),
    ("complex(x) * x", 3, TypeError),
    ("int(x) * x", 3.7, 3),
    ("round(x) * x", 2.6, 3),
    ("math.floor(x) * x", 2.6, 2),
    ("math.ceil(x) * x", 2.6, 3),
    ("dd.value(x) * x", 3, 3),
    ("x // 1 * x", 2.6, 2),
    ("x.item() * x", 3, either(6, Exception)),  # never 3
    ("np.asarray(x) * x", 3, either(6, TypeError)),  # never 3
    ("np.array([x, x])", 3, [1, 1]),
    ("np.float64(2) * x", 3, 2),
    ("np.array([1., 2.]) * x", 3, [1, 2]),
    ("(np.float64(2) - x) + np.float64(2) / x + np.float64(2)**x", 3, 4.322955222),
    ("np.array([[1., 2.], [3., 4.]]) @ x", [1, 2], [[1, 2], [3, 4]]),
    ("np.concatenate([x, x])", [1, 2], [[1, 0], [0, 1], [1, 0], [0, 1]]),
    ("np.where(x > 1, x, 0.0)", [1, 2], [[0, 0], [0, 1]]),
    ("np.vectorize(lambda a: a*a if a > 1 else a)(x)", [1, 2], either([[1, 0], [0, 4]], TypeError)),
    ("np.array([v*v for v in x])", [1, 2], [[2, 0], [0, 4]]),
    ("sum(x) + max(x) + min(x)", [1, 2], [2, 2]),  # the builtins
    ("abs(x) + pow(x, 2) + (-x) + (+x)", -2, -5),
    ("x * x if x else x", 3, 6),
    ("{x: 1}", 3, TypeError),  # unhashable
    ("copy.copy(x) * x", 3, 6),
    ("copy.deepcopy([x])[0] * x", 3, 6),
    ("f'{x:.2f} {x!r}'; x * x", 3, 6),
    ("x * x if np.isclose(x, 3.0) else x", 3, 6),
    ("x.reshape(2, 1).T.sum() + x.mean()", [1, 2], [1.5, 1.5]),
    ("x.astype(np.float64) * x", [1, 2], [[2, 0], [0, 4]]),
    ("sum(x[i]**2 for i in range(len(x)))", [1, 2], [2, 4]),
    ("x.tolist()[0] * x[1]", [1, 2], either([2, 1], Exception)),  # never [0, 1]
    ("newton(x)", 4, 0.25),
]


def as_point(x: Any) -> Any:
    """Numbers in a table are floats, lists float arrays; the table of dtypes gives its points as they are."""
    return np.array(x, float) if isinstance(x, list) else float(x) if isinstance(x, int) else x


TABLES = [KINKS, NORMS, ZEROS, POWERS, BRANCHES, STABLE, ARRAYS, RETURNS, PROTOCOL]
ROWS = [(row[0], as_point(row[1]), *row[2:]) for table in TABLES for row in table] + DTYPES


def function_of(source: str) -> Callable[[Any], Any]:
    """`a = ...; b = ...; result` as a function of x."""
    *body, result = source.split("; ")
    names = {"np": np, "dd": dd, "math": math, "copy": copy, "nan": nan, "inf": inf, "newton": newton}
    exec("def f(x): " + "; ".join([*body, f"return {result}"]), names)
    return names["f"]


def plain_run(f: Callable[[Any], Any], x: Any) -> tuple[Any, bool]:
    """What f gives of a plain number, None if it can't, and whether it does so without a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return f(copy.copy(x)), not caught
        except Exception as error:
            return None, not isinstance(error, ArithmeticError)


def is_right(j: Any, answer: Any) -> bool:
    if isinstance(answer, Either):
        return any(is_right(j, a) for a in answer)
    if isinstance(answer, type):
        return isinstance(j, answer)
    if isinstance(j, Exception):
        return False
    if callable(answer):
        return bool(answer(j))
    j, due = np.asarray(j), np.asarray(answer)
    due = due.astype(float) if due.dtype.kind in "biu" else due
    size = np.max(np.abs(due), initial=0, where=np.isfinite(due)) or 1
    rtol, atol = (1e-9, 1e-12 * size) if due.dtype.itemsize >= 8 else (1e-3, 0)
    return (j.shape, j.dtype) == (due.shape, due.dtype) and np.allclose(j, due, rtol, atol, equal_nan=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} at {row[1]}".replace("\n", ""))
def test_row(row: tuple[Any, ...], chunk_size: int | None, mode: str) -> None:
    source, x, answer, *order = row
    f, before = function_of(source), copy.copy(x)
    value, quiet = plain_run(f, x)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if quiet else "ignore")  # no warning where f itself gives none
        try:
            g = f
            for _ in range(order[0] - 1 if order else 0):
                g = dd.jacobian(g, mode=mode, chunk_size=chunk_size)
            got, j = dd.value_and_jacobian(g, mode=mode, chunk_size=chunk_size)(x)
        except Exception as error:
            got, j = None, error
    assert is_right(j, answer), repr(j)
    np.testing.assert_array_equal(x, before)  # the caller's array is not changed
    if isinstance(j, Exception):
        assert not isinstance(answer, Buffer) or "zeros_like" in str(j)
    elif value is not None and not order:
        np.testing.assert_allclose(got, value, rtol=1e-13 if np.asarray(value).dtype.itemsize >= 8 else 1e-3)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} at {row[1]}".replace("\n", ""))
def test_row_with_row_local_tangents(row: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SMALL", 0)  # for arguments of every size
    test_row(row, None, "forward")


# ---------------------------------------------------------------- nesting, threads, side effects

D = dd.derivative


class Sum:
    """A callable object that differentiates another of its own class."""

    def __init__(self, *constant: Any) -> None:
        self.constant = constant

    def __call__(self, y: Any) -> Any:
        return sum(self.constant, y) if self.constant else y * D(Sum(y))(1.0)


def keeps_a_number(x: Any) -> Any:
    """The second derivative call meets a number that the first one has kept."""
    box = [x]

    def f(y: Any) -> Any:
        box[0] = box[0] * y
        return box[0]

    D(f)(1.0)
    return D(f)(1.0)


def rosenbrock(x: Any) -> Any:
    return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


def mixed(x: Any, y: Any, z: Any) -> Any:
    return x * y**2 * z**3


NESTED = {
    "a constant outside": (lambda: D(lambda x: x * D(lambda y: x + y)(1.0))(1.0), 1),
    "the inner function ignores its argument": (lambda: D(lambda x: D(lambda y: x)(2.0))(3.0), 0),
    "at the outer variable": (lambda: D(lambda x: D(lambda y: y**2 * x)(x))(3.0), 12),
    "third": (lambda: D(D(D(lambda x: x**3)))(2.0), 6),
    "three arguments": (lambda: D(D(D(mixed, 2), 1), 0)(1.0, 2.0, 3.0), 108),
    "a callable object": (lambda: D(Sum())(1.0), 1),
    "the Jacobian of the Jacobian": (
        lambda: dd.jacobian(dd.jacobian(rosenbrock))(np.array([1.5, -0.5])),
        [[2902, -600], [-600, 200]],
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_nesting(name: str) -> None:
    compute, answer = NESTED[name]
    assert is_right(compute(), answer)


@pytest.mark.parametrize("mode", MODES)
def test_forward_over_each_mode(mode: str) -> None:
    assert D(lambda x: x * dd.gradient(lambda y: x * y**2, mode=mode)(2.0))(3.0) == 24.0


def test_a_number_kept_from_an_inner_derivative_is_right_or_refused() -> None:
    try:
        assert D(keeps_a_number)(1.0) == 1.0
    except dd.LeakedDualError as error:
        assert "leaked" in str(error)


def test_threads_do_not_disturb_each_other() -> None:
    wrong: list[float] = []

    def work() -> None:
        for _ in range(30):
            got = D(lambda x: x * D(lambda y: x * y)(1.0))(1.0)
            if got != 2.0:
                wrong.append(got)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_what_f_raises_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="missing"):
        D(lambda x: D(lambda y: {}["missing"])(x))(1.0)
    assert D(lambda x: x * D(lambda y: x + y)(1.0))(1.0) == 1.0


@pytest.mark.parametrize("mode", MODES)
def test_f_is_called_once(mode: str) -> None:
    calls = []
    dd.jacobian(lambda x: calls.append(1) or x * 2, mode=mode)(np.ones(5))
    assert len(calls) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_random_factor_is_drawn_once(mode: str) -> None:
    rng = np.random.default_rng(0)
    j = dd.jacobian(lambda x: x * rng.normal(), mode=mode)(np.ones(3))
    np.testing.assert_array_equal(j, j[0, 0] * np.eye(3))
    assert j[0, 0] != 0


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_array_is_not_changed(mode: str) -> None:
    def f(x: Any) -> Any:
        x[0] = 7.0
        return x * 1

    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(dd.jacobian(f, mode=mode)(x), [[0, 0], [0, 1]])
    np.testing.assert_array_equal(x, [1, 2])
