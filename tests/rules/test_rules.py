"""Structural functions, reductions and products, in every form NumPy lets them be called.

A case is an expression; it is differentiated by all arrays that it names. The value must be NumPy's own, the tangent
that of central differences, and one direction, many directions and nested derivatives must agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.table import FUNCTIONS
from tests.cases.arrays import CASES, COMPLEX, CONSTANTS, REAL, VARIABLES, Case
from tests.cases.tools import close, leaves

MODES = ["forward", "reverse"]


def difference(f: Callable[..., Any], arrays: list[Any], directions: list[Any], h: float = 1e-5) -> list[Any]:
    """The derivative along the directions by central differences."""
    up, down = (leaves(f(*[x + s * v for x, v in zip(arrays, directions)])) for s in (h, -h))
    return [(a - b) / (2 * h) for a, b in zip(up, down)]


def test_every_rule_has_a_case() -> None:
    modules = {f"dualdiff.rules.{m}" for m in ("structural", "reductions", "products", "nonsmooth", "complex")}
    tested = {eval(n, {"np": np}) for e in CASES + REAL for n in re.findall(r"np(?:\.[a-z_0-9]+)+", e)}
    missing = {f.__name__ for f, rule in FUNCTIONS.items() if rule.__module__ in modules and f not in tested}
    assert missing == set()


@pytest.mark.parametrize("source, dtype", [(e, float) for e in CASES + REAL] + [(e, complex) for e in COMPLEX])
def test_value_and_tangent(source: str, dtype: Any) -> None:
    """One direction: NumPy's own value and dtype, the tangent of central differences; the arrays are left alone."""
    case = Case(source, dtype)
    value, tangent = case.jvp()
    due = case.f(*case.arrays)
    close(value, due, rtol=1e-14)
    close(tangent, difference(case.f, case.arrays, case.directions), rtol=1e-8, atol=1e-9)
    for v, t, d in zip(leaves(value), leaves(tangent), leaves(due)):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype
    for x, again in zip(case.arrays, Case(source, dtype).arrays):
        np.testing.assert_array_equal(x, again)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("source", CASES + REAL)
def test_jacobian(source: str, mode: str) -> None:
    """All directions at once, in chunks and one by one give the same matrix, which maps a direction to its tangent."""
    case = Case(source)
    argnums = tuple(range(len(case.names)))
    value, tangent = case.jvp()
    for chunk_size in (None, 1, 3):
        js = dd.jacobian(case.f, argnums, mode=mode, chunk_size=chunk_size)(*case.arrays)
        by_result = list(zip(*[leaves(j) for j in js]))
        assert len(by_result) == len(leaves(value))
        for parts, v, t in zip(by_result, leaves(value), leaves(tangent)):
            assert all(np.shape(j) == np.shape(v) + x.shape for j, x in zip(parts, case.arrays))
            along = sum(np.tensordot(j, d, d.ndim) for j, d in zip(parts, case.directions))
            np.testing.assert_allclose(along, t, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("source", CASES + REAL)
def test_second_order(source: str) -> None:
    """The derivative of the derivative along a direction; squares make what is linear interesting."""
    case = Case(source)

    def first(*arrays: Any) -> Any:
        squares = [np.square(x, out=np.zeros_like(x)) for x in arrays]  # x * x of an array without axes is a number
        return dd.jvp(case.f, squares, [2 * x * v for x, v in zip(arrays, case.directions)])[1]

    second = dd.jvp(first, case.arrays, case.directions)[1]
    close(second, difference(first, case.arrays, case.directions), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("source", CASES + REAL)
def test_float32_stays(source: str) -> None:
    case = Case(source, np.float32)
    value, tangent = case.jvp()
    for v, t, d in zip(leaves(value), leaves(tangent), leaves(case.f(*case.arrays))):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype


def test_the_check_finds_a_wrong_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, np.ravel, lambda a, order="C": np.reshape(a.T, -1))
    with pytest.raises((AssertionError, dd.NotDifferentiableError)):
        test_value_and_tangent("np.ravel(A)", float)
    monkeypatch.setitem(FUNCTIONS, np.cumsum, lambda a, axis=None: dd.value(np.cumsum(dd.value(a))) + a.ravel())
    with pytest.raises((AssertionError, dd.NotDifferentiableError)):
        test_value_and_tangent("np.cumsum(A)", float)


# ---------------------------------------------------------------- empty arrays

EMPTY = [
    ("np.sum(x)", (0,)),
    ("np.sum(x, axis=0)", (0, 3)),
    ("np.sum(x, axis=1)", (0, 3)),
    ("np.prod(x, axis=0)", (0, 3)),
    ("np.prod(x)", (0, 3)),
    ("np.cumsum(x)", (0,)),
    ("np.cumprod(x, 1)", (2, 0)),
    ("np.diff(x)", (0,)),
    ("np.reshape(x, (0, 5))", (3, 0)),
    ("np.ravel(x)", (3, 0)),
    ("x.T", (3, 0)),
    ("np.concatenate([x, x])", (0, 2)),
    ("np.concatenate([x, [1.0]])", (0,)),
    ("np.stack([x, x], -1)", (0, 2)),
    ("np.where(x > 0, x, 1.0)", (0,)),
    ("x[1:]", (0,)),
    ("x[[]]", (2, 0)),
    ("x[x > 0]", (0, 2)),
    ("x @ np.ones((0, 2))", (3, 0)),
    ("x @ np.ones(3)", (0, 3)),
    ("np.einsum('ij,ij->', x, x)", (0, 3)),
    ("np.outer(x, x)", (0,)),
    ("np.kron(x, x)", (0,)),
    ("np.sin(x) * x", (0, 2)),
    ("np.repeat(x, 2)", (0,)),
    ("np.max(x, axis=1)", (0, 3)),
    ("np.tensordot(x, x, 2)", (0, 3)),
]


@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("source, shape", EMPTY)
def test_empty_in_empty_out(source: str, shape: tuple[int, ...], chunk_size: int | None) -> None:
    f = eval("lambda x: " + source, {"np": np})
    x = np.zeros(shape)
    value, j = dd.value_and_jacobian(f, chunk_size=chunk_size)(x)
    np.testing.assert_array_equal(value, f(x), strict=isinstance(f(x), np.ndarray))
    assert j.shape == np.shape(f(x)) + shape
    assert j.dtype == float
    np.testing.assert_array_equal(dd.jvp(f, (x,), (x,))[0], f(x))


# ---------------------------------------------------------------- views and copies

PARTS = """
y[1]  y[1:]  y[:, ::-2]  y[..., 0]  y[None]  y[:, None, 1:]  y[0:0]  y[[0, 2]]  y[mask]  y[:, [1, 1]]  y[...]  y[()]
y[::-1][1:]  y[1:][:, 2]  y[1][::-1]  y[:, 1:].T[0]  y[1:].T[::2]  y.T  y.T[1:]  np.transpose(y)
np.swapaxes(y, 0, 1)  y.mT  y.T.T[0]  np.moveaxis(y, 0, 1)  y.reshape(4, 3)  y.reshape(-1)[::5]  y.reshape(2, 6)[1]
np.ravel(y)  y.ravel()  y.T.ravel()  y.T.reshape(-1)  y[:, 1:].reshape(-1)  y[1:].reshape(-1)  y.flatten()  y.copy()
np.flip(y)  np.flip(y, 1)[0]  np.flipud(y)  np.rot90(y)  np.squeeze(y[:, :1])  np.expand_dims(y, 1)  np.atleast_3d(y)
np.split(y, 3)[1]  np.array_split(y, 2, 1)[1]  y[:2, :2].reshape(4)  np.roll(y, 1)  np.repeat(y, 2)  np.tile(y, 2)
np.concatenate([y, y])  y.real  y + 0  0 + y  +y  y - 0  np.positive(y)
np.triu(y)  y.reshape(3, 2, 2)[:, :, 1]  y.reshape(3, 2, 2).transpose(2, 0, 1)[1]  y.swapaxes(0, 1)[2:]
np.diagonal(y)  np.diag(y)  np.broadcast_to(y, (2, 3, 4))  y.astype(float)  y.take([0, 1])  np.rollaxis(y, 1)
y[0].reshape(2, 2).T[1]
"""


@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("part", re.split(r"\s{2,}|\n", PARTS.strip()))
def test_a_view_writes_through_and_a_copy_does_not(part: str, chunk_size: int | None) -> None:
    """Writing into a part changes the whole, and the other way round, exactly where it does in NumPy."""

    def f(x: Any) -> Any:
        y = x * 1
        y[0, 0] = x[2, 2]  # from here on y writes into memory of its own
        p = eval(part, {"np": np, "mask": CONSTANTS["mask"], "y": y})
        y[1, 1:3] = 3 * y[0, 2:] * x[0, 1]
        p[...] = p * p + 1
        y[2, :2] = y[0, 2:] + np.sum(p)
        p *= 2
        return np.concatenate([np.ravel(y), np.ravel(p)])

    x = VARIABLES["A"]
    try:
        due = f(x)
    except ValueError as error:  # NumPy gives a view that can't be written to
        with pytest.raises(ValueError, match="read-only"):
            dd.jacobian(f)(x)
        assert "read-only" in str(error)
        return
    value, j = dd.value_and_jacobian(f, chunk_size=chunk_size)(x)
    np.testing.assert_array_equal(value, due)
    v = VARIABLES["A"] - 1
    np.testing.assert_allclose(np.tensordot(j, v, 2), difference(f, [x], [v])[0], rtol=1e-8, atol=1e-8)


CUT = [np.arcsin, np.arccos, np.arcsinh, np.arccosh, np.arctan, np.arctanh, np.sqrt, np.log]


@pytest.mark.parametrize("function", CUT)
@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("along", [1, 1j])
def test_along_a_branch_cut(function: Any, zero: float, along: complex) -> None:
    """The sign of a zero says on which side of a cut a number stands: the slope along the cut is that of this side."""

    def at(a: float) -> Any:
        return np.array([complex(a, zero) if along == 1 else complex(zero, a)])

    for a in (-2.3, -1.4, -0.6, 0.6, 1.4, 2.3):
        step = 1e-4
        due = (function(at(a + step)) - function(at(a - step))) / (2 * step)
        t = np.array([along + 0j])
        slope = dd.jvp(function, (at(a),), (t,))[1]
        np.testing.assert_allclose(slope, due, rtol=1e-6)
        _, pullback = dd.vjp(function, at(a))
        np.testing.assert_allclose(np.conj(pullback(np.ones(1, complex))) * along, due, rtol=1e-6)
        second = dd.jvp(lambda z, t=t: dd.jvp(function, (z,), (t,))[1], (at(a),), (t,))[1]
        change = dd.jvp(function, (at(a + step),), (t,))[1] - dd.jvp(function, (at(a - step),), (t,))[1]
        np.testing.assert_allclose(second, change / (2 * step), rtol=1e-6)
    narrow = dd.jvp(function, (at(0.6).astype(np.complex64),), (t.astype(np.complex64),))[1]
    assert narrow.dtype == np.complex64
