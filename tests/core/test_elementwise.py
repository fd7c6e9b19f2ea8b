"""Every elementwise rule against its exact derivative at 50 digits, and in every form in which it can be called.

A rule in the table of the library needs a line in the table here: a rule without one fails.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.mathematics import positive_part
from dualdiff.core.table import ELEMENTWISE, Elementwise
from tests.cases.elementwise import (
    BINARY,
    CALLED,
    COMPLEX,
    EXACT,
    LINE,
    NUMPY,
    ONE,
    PLANE,
    TWO,
    UNARY,
    moving,
    name,
    rng,
    rough,
)

inf, nan = np.inf, np.nan
EPS = np.finfo(float).eps


def test_every_rule_has_its_line_here() -> None:
    assert set(NUMPY) <= set(EXACT)


# ---------------------------------------------------------------- accuracy


def points(function: Any) -> list[Any]:
    """Arrays of operands all over the domain where the value is finite; ints for an operand that must be one."""
    operands = [LINE] if function in UNARY else [*PLANE]
    if function is np.ldexp:
        operands = [x.astype(np.int64 if k else float) for k, x in enumerate(np.clip(operands, -300, 300))]
    with np.errstate(all="ignore"):
        good = np.isfinite(CALLED.get(function, function)(*operands))
    good &= [EXACT[function].domain(*x) for x in zip(*operands)]
    return [x[good] for x in operands]


def exact(partial: Callable[..., Any], operands: Sequence[Any]) -> Any:
    with mp.workdps(50):
        number = mp.mpc if np.iscomplexobj(operands[0]) else mp.mpf
        due = [partial(*map(number, x)) for x in zip(*(np.ravel(a).tolist() for a in operands))]
        return np.array([complex(d) if number is mp.mpc else float(d) for d in due]).reshape(operands[0].shape)


def slope(function: Any, operands: Sequence[Any], k: int) -> Any:
    """The partial derivative by operand k at each point, along one direction."""
    f = CALLED.get(function, function)
    x = operands[k]
    return dd.jvp(lambda v: f(*operands[:k], v, *operands[k + 1 :]), (x,), (np.ones_like(x),))[1]


def worst(got: Any, due: Any) -> float:
    """The largest error in units of the last place; numbers below the normal ones count as the smallest of these."""
    with np.errstate(all="ignore"):
        error = np.abs(got - due) / np.maximum(np.abs(due), np.finfo(float).tiny) / EPS
    same = (got == due) | (np.isnan(got) & np.isnan(due))
    return float(np.max(np.where(same, 0, np.where(np.isfinite(error), error, inf)), initial=0))


def quiet(f: Callable[..., Any], *operands: Any) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        f(*operands)
    return not caught


def check_accuracy(function: Any) -> None:
    """A few units in the last place at every point, and no warning where the function gives none."""
    operands = points(function)
    assert operands[0].size >= 20
    silent = np.array([quiet(CALLED.get(function, function), *x) for x in zip(*operands)])
    for k, partial in enumerate(EXACT[function].partials):
        due = exact(partial, operands)
        assert worst(slope(function, [x[silent] for x in operands], k), due[silent]) < 8
        with np.errstate(all="ignore"):
            assert worst(slope(function, [x[~silent] for x in operands], k), due[~silent]) < 8


@pytest.mark.parametrize("function", NUMPY, ids=name)
def test_accuracy(function: Any) -> None:
    check_accuracy(function)


@pytest.mark.parametrize(
    "function, wrong",
    [
        (np.sin, lambda m, x, y: m.cos(x) * (1 + 1e-14)),
        (np.tanh, lambda m, x, y: 1 - y * y),  # cancels
        (np.arcsinh, lambda m, x, y: 1 / m.sqrt(1 + x * x)),  # overflows
        (np.log, lambda m, x, y: 1 / abs(x) if np.all(x < 1e200) else 0 * x),  # wrong at one point
        (np.sqrt, lambda m, x, y: 1 / y),
    ],
    ids=name,
)
def test_the_check_finds_a_wrong_rule(monkeypatch: pytest.MonkeyPatch, function: Any, wrong: Any) -> None:
    check_accuracy(function)
    monkeypatch.setitem(ELEMENTWISE, function, Elementwise(function, (wrong,)))
    with pytest.raises(AssertionError), np.errstate(all="ignore"):
        check_accuracy(function)


@pytest.mark.parametrize("function", COMPLEX, ids=name)
def test_complex_derivative(function: Any) -> None:
    """The complex derivative of an analytic function, from the smallest to the largest numbers."""
    count = len(ELEMENTWISE[function].partials)
    turned = np.multiply.outer([1e-200, 1e-9, 0.5, 2, 30, 400, 1e10, 1e200], np.exp(1j * np.array([0.3, 2.0, -2.5])))
    operands = np.concatenate(
        [rng.normal(size=(count, 50, 2)) @ [1, 1j], [turned.ravel()[::s] for s in (1, -1)[:count]]], 1
    )
    with np.errstate(all="ignore"):
        operands = operands[:, np.isfinite(function(*operands))]
        for k, partial in enumerate(EXACT[function].partials):
            due, got = exact(partial, operands), slope(function, [*operands], k)
            here = np.isfinite(due)
            np.testing.assert_allclose(got[here], due[here], rtol=1e-13, atol=1e-307)
            one = [complex(x[0]) for x in operands]
            assert dd.derivative(function, k)(*one) == pytest.approx(got[0], rel=1e-14)


@pytest.mark.parametrize("function", [np.absolute, np.conjugate, np.real, np.imag, np.angle, np.sign], ids=name)
def test_functions_that_are_linear_over_the_reals_only(function: Any) -> None:
    z, v = rng.normal(size=(2, 20, 2)) @ [1, 1j]
    value, tangent = dd.jvp(function, (z,), (v,))
    np.testing.assert_array_equal(value, function(z))
    np.testing.assert_allclose(tangent, (function(z + 1e-6 * v) - function(z - 1e-6 * v)) / 2e-6, rtol=1e-7)
    assert tangent.dtype == value.dtype
    if function is not np.angle:  # angle of a real number is plain
        assert dd.jvp(function, (0j,), (0j,))[1] == 0


# ---------------------------------------------------------------- the same in every form of call


@pytest.mark.parametrize("function", NUMPY, ids=name)
def test_shapes_and_directions(function: Any) -> None:
    """The value is NumPy's; a direction alone, directions together, and Jacobians of every chunk size agree."""
    f = CALLED.get(function, function)
    for shapes in ONE if function in UNARY else TWO:
        operands = rough(function, shapes)
        kept = [x.copy() for x in operands]
        ks = tuple(moving(function))
        directions = [rng.normal(size=np.shape(operands[k])) for k in ks]

        def g(*moved: Any, operands: Any = operands, ks: Any = ks) -> Any:
            return f(*[moved[ks.index(k)] if k in ks else x for k, x in enumerate(operands)])

        value, tangent = dd.jvp(g, [operands[k] for k in ks], directions)
        np.testing.assert_array_equal(value, f(*operands), strict=np.ndim(value) > 0)
        due = sum(slope(function, [*np.broadcast_arrays(*operands)], k) * v for k, v in zip(ks, directions))
        np.testing.assert_allclose(tangent, np.broadcast_to(due, np.shape(value)), rtol=1e-14, atol=1e-15)
        whole = dd.jacobian(g, ks)(*[operands[k] for k in ks])
        for chunk_size in (1, 2):
            parts = dd.jacobian(g, ks, chunk_size=chunk_size)(*[operands[k] for k in ks])
            for j, part, k in zip(whole, parts, ks):
                assert np.shape(j) == np.shape(value) + np.shape(operands[k])
                np.testing.assert_allclose(part, j, rtol=1e-15)
        along = sum(np.tensordot(j, v, np.ndim(v)) for j, v in zip(whole, directions))
        np.testing.assert_allclose(along, tangent, rtol=1e-13, atol=1e-14)
        for x, before in zip(operands, kept):
            np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("function", NUMPY, ids=name)
def test_dtype_stays(function: Any, dtype: Any) -> None:
    f = CALLED.get(function, function)
    operands = rough(function, [(5,)] * len(ELEMENTWISE[function].partials), dtype)
    for k in moving(function):
        x = operands[k]
        y = f(*operands[:k], dd.Dual(x, np.ones(5, dtype)), *operands[k + 1 :])
        if not isinstance(y, dd.Dual):
            continue  # the derivative by this operand is 0
        assert y.value.dtype == y.tangent.dtype == f(*operands).dtype
        due = slope(function, [a.astype(float) if a.dtype.kind == "f" else a for a in operands], k)
        np.testing.assert_allclose(y.tangent, due, rtol=20 * float(np.finfo(dtype).eps))
        if function in BINARY and function is not np.ldexp:  # a Python number does not widen
            y = f(
                *[
                    a if j == k else float(a[0])
                    for j, a in enumerate([*operands[:k], dd.Dual(x, x), *operands[k + 1 :]])
                ]
            )
            due_dtype = f(*[a if j == k else float(a[0]) for j, a in enumerate(operands)]).dtype
            assert y.value.dtype == y.tangent.dtype == due_dtype


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e308, -1e308, 5e-324, 1e-310, inf, -inf, nan]


@pytest.mark.parametrize("function", NUMPY, ids=name)
def test_numbers_and_arrays_agree_everywhere(function: Any) -> None:
    """Python floats and arrays of no axes have the same slope, at infinities, zeros and NaN too, and none raises."""
    f = CALLED.get(function, function)
    numbers = [*SPECIAL, *rng.normal(size=10)]
    for x in itertools.product(numbers, repeat=len(ELEMENTWISE[function].partials)) if function is not np.ldexp else ():
        for k in moving(function):
            with np.errstate(all="ignore"):
                fast = dd.jvp(lambda v, k=k, x=x: f(*x[:k], v, *x[k + 1 :]), (x[k],), (1.0,))
                array = dd.jvp(lambda v, k=k, x=x: f(*x[:k], v, *x[k + 1 :]), (np.array(x[k]),), (np.array(1.0),))
            if not np.isnan(fast[0]) and x != (-inf, 0.5):  # Python and NumPy differ in (-inf)**0.5
                assert worst(np.array(fast), np.array(array)) < 8, (x, k, fast, array)


ROUND = [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.3, -2.0), (-0.6, 0.9), (15.0, -15.0), (0.0, 0.0), (1.2, 1.7)]


STEPPED = {np.remainder, np.fmod, np.copysign, np.heaviside, positive_part}  # with slopes in steps


def exact_second(function: Any, x: tuple[float, ...], j: int, k: int) -> float:
    """By central differences, so near and so precise that they serve at 1e-200 and at 1e200."""
    if function in STEPPED:
        return 0.0
    partial = EXACT[function].partials[j]
    with mp.workdps(300 if len(x) == 1 else 700):
        at = [mp.mpf(v) for v in x]
        return float(mp.diff(lambda v: mp.mpf(partial(*at[:k], v, *at[k + 1 :])), at[k]))


@pytest.mark.parametrize("function", [f for f in NUMPY if f is not np.ldexp], ids=name)
def test_second_derivative(function: Any) -> None:
    """Nested derivatives, by the same operand and by both, are as accurate as first ones: numbers and arrays."""
    count = len(ELEMENTWISE[function].partials)
    f = CALLED.get(function, function)
    more = [x[:count] for x in ROUND if EXACT[function].domain(*x[:count])]
    operands = np.concatenate([np.array(points(function))[:, :: count**2], np.array(more).reshape(-1, count).T], axis=1)
    for j, k in itertools.product(range(count), repeat=2):
        due = np.array([exact_second(function, x, j, k) for x in operands.T.tolist()])
        with np.errstate(all="ignore"):
            slopes = dd.derivative(dd.derivative(f, j), k)
            arrays = slopes(*operands)
            numbers = np.array([slopes(*x) for x in operands.T.tolist()])
        for got in (arrays, numbers):
            assert worst(got[np.isfinite(due)], due[np.isfinite(due)]) < 8
            assert not np.isfinite(got[~np.isfinite(due)]).any()


@pytest.mark.parametrize("function", [f for f in NUMPY if f in BINARY and f is not np.ldexp], ids=name)
def test_one_variable_as_both_operands(function: Any) -> None:
    """The rule of the total derivative, at a number and at an array."""
    x = rough(function, [(3,)])[0]
    due = sum(slope(function, [x, x], k) for k in (0, 1))
    np.testing.assert_allclose(dd.jvp(lambda v: function(v, v), (x,), (np.ones(3),))[1], due, rtol=1e-15, atol=1e-15)
    assert dd.derivative(lambda v: function(v, v))(float(x[0])) == pytest.approx(due[0], rel=1e-14, abs=1e-15)


@pytest.mark.parametrize("function", BINARY, ids=name)
def test_outer(function: Any) -> None:
    x, y = rough(function, [(2,), (3,)])
    value, tangent = dd.jvp(lambda v: function.outer(v, y), (x,), (np.ones(2),))
    np.testing.assert_array_equal(value, function.outer(x, y))
    np.testing.assert_array_equal(tangent, slope(function, [*np.broadcast_arrays(x[:, None], y)], 0))
