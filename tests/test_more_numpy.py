"""Calculus, polynomials and assembly, in every form NumPy lets them be called; the check that such tables share.

A case is an expression; it is differentiated by all arrays that it names. The value must be NumPy's own, the tangent
that of central differences; one direction, many, and nested derivatives must agree; float32 must stay as NumPy has it.
"""

from __future__ import annotations

import re
from typing import Any

import mpmath
import numpy as np
import pytest

import dualdiff as dd
from dualdiff.rules import FUNCTIONS

from .test_rules import close, leaves

rng = np.random.default_rng(2)
VARIABLES: dict[str, Any] = {
    "c": np.array(0.8),
    "u": rng.uniform(0.5, 1.5, 3),
    "v": rng.uniform(0.5, 1.5, 3),
    "w": rng.uniform(0.5, 1.5, 4),
    "long": rng.normal(size=20),
    "A": rng.uniform(0.5, 1.5, (3, 4)),
    "B": rng.uniform(0.5, 1.5, (3, 4)),
    "S": rng.uniform(0.5, 1.5, (3, 3)),
    "T": rng.uniform(0.5, 1.5, (2, 3, 4)),
    "knots": np.array([0.1, 0.6, 0.9, 2.0]),
    "gap": np.array([1.0, np.nan, 0.3, 2.0, 1.2]),
    "Gaps": np.where(np.arange(20).reshape(4, 5) % 3 == 1, np.nan, rng.normal(size=(4, 5))),
    "z": np.array([1.0 + 2.0j, -0.5 + 0.3j, 0.2 - 1.0j]),
}
CONSTANTS: dict[str, Any] = {
    "np": np,
    "dd": dd,
    "mask": rng.uniform(size=(3, 4)) > 0.5,
    "odd": np.array([True, False, True]),
    "grid": np.array([[0, 2], [1, 1], [2, 0]]),
    "index": np.array([2, 0, 1]),
    "weights": np.array([0.2, 1.0, 0.5]),
    "K": rng.normal(size=(3, 4)),
    "ragged": np.linspace(0.0, 3.0, 7) ** 1.5,
}


def cases(text: str) -> list[str]:
    return [e for e in re.split(r"\s{2,}|\n", text) if e]


class Case:
    """An expression, or the last of several statements, as a function of the arrays that it names."""

    def __init__(self, source: str, extra: dict[str, Any] | None = None) -> None:
        *statements, last = source.split("; ")
        self.body, self.last = compile("; ".join(statements), source, "exec"), compile(last, source, "eval")
        self.names = [n for n in VARIABLES if re.search(rf"(?<![\w'\"]){n}(?![\w'\"=])", source)]
        self.arrays = [VARIABLES[n] for n in self.names]
        self.directions = [np.cos(7 * x.real) + (0.3j if np.iscomplexobj(x) else 0) for x in self.arrays]
        self.directions = [np.where(np.isnan(x), 1.0, v) for x, v in zip(self.arrays, self.directions)]
        self.extra = extra or {}

    def f(self, *arrays: Any) -> Any:
        scope = {**CONSTANTS, **self.extra, **dict(zip(self.names, arrays))}
        exec(self.body, scope)
        result = eval(self.last, scope)
        return tuple(leaves(result)) if isinstance(result, list | tuple) else result

    def along(self, f: Any, h: float) -> list[Any]:
        up, down = (leaves(f(*[x + s * v for x, v in zip(self.arrays, self.directions)])) for s in (h, -h))
        return [(a - b) / (2 * h) for a, b in zip(up, down)]


def check(source: str, *, rtol: float = 1e-7, exact: float = 1e-13, second: bool = True, small: bool = True) -> None:
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    due = case.f(*case.arrays)
    close(value, due, rtol=exact, atol=exact)
    finite = [np.where(np.isnan(v), v, t) for v, t in zip(leaves(value), leaves(tangent))]
    close(finite, case.along(case.f, 1e-6), rtol=rtol, atol=rtol)
    check_jacobian(case, leaves(value), leaves(tangent))
    if second:
        check_second(case, 10 * rtol)
    if small:
        check_float32(case)


def check_jacobian(case: Case, values: list[Any], tangents: list[Any]) -> None:
    """All directions at once and one by one give the same matrix, which maps a direction to its tangent."""
    argnums = tuple(range(len(case.names)))
    for chunk_size in (None, 1):
        js = dd.jacobian(case.f, argnums, chunk_size=chunk_size)(*case.arrays)
        by_result = list(zip(*[leaves(j) for j in js]))
        assert len(by_result) == len(values)
        for parts, v, t in zip(by_result, values, tangents):
            assert all(np.shape(j) == np.shape(v) + np.shape(x) for j, x in zip(parts, case.arrays))
            along = sum(np.tensordot(j, d, np.ndim(d)) for j, d in zip(parts, case.directions))
            np.testing.assert_allclose(along, t, rtol=1e-11, atol=1e-12)


def check_second(case: Case, rtol: float) -> None:
    """The derivative of the derivative along a direction; squares make what is linear interesting."""

    def first(*arrays: Any) -> Any:
        squares = [x + 0.25 * np.square(x) for x in arrays]
        return dd.jvp(case.f, squares, [(1 + 0.5 * x) * v for x, v in zip(arrays, case.directions)])[1]

    second = dd.jvp(first, case.arrays, case.directions)[1]
    close(second, case.along(first, 1e-5), rtol=rtol, atol=rtol)


def check_float32(case: Case) -> None:
    types = [np.complex64 if np.iscomplexobj(x) else np.float32 for x in case.arrays]
    arrays, directions = ([x.astype(t) for x, t in zip(xs, types)] for xs in (case.arrays, case.directions))
    value, tangent = dd.jvp(case.f, arrays, directions)
    for v, t, d in zip(leaves(value), leaves(tangent), leaves(case.f(*arrays))):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype


def covered(tables: list[str]) -> set[Any]:
    return {eval(n, {"np": np}) for text in tables for n in re.findall(r"np(?:\.[a-z_0-9]+)+", text)}


def untested(module: str, tables: list[str]) -> set[str]:
    names = covered(tables)
    return {f.__name__ for f, rule in FUNCTIONS.items() if rule.__module__.endswith(module) and f not in names}


# ---------------------------------------------------------------- calculus

CALCULUS = """
np.sinc(u)  np.sinc(c)  np.sinc(0.3 * A)  np.i0(A)  np.i0(-3 * u)  np.i0(c)
np.interp(u, knots, w)  np.interp(c, knots, w)  np.interp(A - 1, knots, w, left=2.0, right=3.0)
np.interp(A, knots, w, right=c)
np.interp([0.2, 0.7], knots, w)  np.interp(u, [0, 1, 2], [0, 1, 0])  np.interp(5 * long, knots, w, period=3.0)
np.interp(u, knots, [1.0, 2.0, 1j, 4.0])  np.interp(u, knots[::-1], w, period=c + 2)
np.gradient(w)  np.gradient(A)  np.gradient(A, axis=0)  np.gradient(T, axis=(0, -1))  np.gradient(w, 0.5)
np.gradient(w, c)  np.gradient(A, 0.5, 2.0)  np.gradient(w, [0, 1, 3, 4])  np.gradient(w, [0, 1, 2, 3])
np.gradient(w, knots)  np.gradient(w, knots, edge_order=2)  np.gradient(A, 0.5, knots)  np.gradient(w, edge_order=2)
np.gradient(A, 2.0, edge_order=2)  np.gradient(T[0], u, knots, edge_order=2)  np.gradient([1.0, 2.0, 4.0, 0.0], knots)
np.trapezoid(w)  np.trapezoid(w, knots)  np.trapezoid(A, axis=0)  np.trapezoid(A, u[:, None], axis=0)
np.trapezoid(A, dx=0.1)  np.trapezoid(A, dx=c)  np.trapezoid(T, u, axis=1)  np.trapezoid([1.0, 2.0, 0.5], u)
np.ediff1d(A)  np.ediff1d(w, to_end=[1.0, 2.0])  np.ediff1d(w, u, 3.0)
np.unwrap(long * 5)  np.unwrap(A * 9, axis=0)  np.unwrap(w * 9, period=4.0)  np.unwrap(w * 9, period=c + 3)
np.unwrap(w * 9, 4.0)
np.convolve(u, w)  np.convolve(w, u, 'same')  np.convolve(u, w, mode='valid')  np.convolve(long, [1.0, -2.0, 1.0])
np.convolve(long, [1.0, -2.0, 1.0], 'valid')  np.convolve([1.0, -2.0, 1.0, 3.0], long, 'same')  np.convolve(u, u)
np.convolve(long, np.arange(18.0), 'same')  np.convolve(np.arange(18.0), long, 'valid')  np.convolve(w, [2.0], 'same')
np.convolve(z, u)  np.convolve(z, [1j, 2.0])  np.convolve(u, z, 'same')  np.convolve(c, w)
np.correlate(u, w)  np.correlate(w, u, 'same')  np.correlate(u, w, mode='full')  np.correlate(w, long, 'same')
np.correlate(long, [1.0, -2.0, 1.0], 'full')  np.correlate(z, u, 'full')
np.correlate(w[:2], w, 'same')  np.correlate(long, np.arange(18.0), 'same')
np.linspace(c, 3.0)  np.linspace(0.0, c, 5)  np.linspace(u, v, 4)  np.linspace(u, v, 4, endpoint=False)
np.linspace(A, u[:, None], 3, axis=-1)  np.linspace(c, u, 3, retstep=True)
np.linspace(c, u, 3, dtype=float, axis=1)  np.linspace(c, 3.0, 0)
np.logspace(c, 2.0, 4)  np.logspace(0.0, c, 3, endpoint=False, base=2.0)  np.logspace(u, v, 3, base=c)
np.logspace(c, 2.0, 3, base=u)  np.logspace(u, v, 3, axis=1, dtype=float)  np.logspace(c, 2, 3, base=u, axis=-1)
np.geomspace(c, 3.0, 5)  np.geomspace(u, v, 4, endpoint=False)  np.geomspace(-c, -3.0, 4)
np.geomspace(u, 9.0, 3, axis=1)
np.geomspace(z, 1.0, 4)  np.geomspace(c, 3.0, 1)
"""


POLYNOMIALS = """
np.vander(u)  np.vander(u, 2)  np.vander(u, 4, increasing=True)
np.polyval(u, w)  np.polyval([1, 2, 3], A)  np.polyval(u, 2.0)  np.polyval(A[0], c)  np.polyval([c, 1.0], u)
np.polyadd(u, w)  np.polyadd(w, [1.0])  np.polysub(u, w)  np.polysub([2.0, 1.0], u)  np.polymul(u, w)
np.polymul(u, [2.0])
np.polydiv(long[:6], u)  np.polydiv(w, [2.0, 1.0])  np.polydiv(u[:1], w)  np.polydiv([1.0, 2.0, 3.0], u[:2])
np.polyder(w)  np.polyder(w, 2)  np.polyder(w, m=0)  np.polyint(w)  np.polyint(w, 2)  np.polyint(u, 2, c)
np.polyint(u, 2, [1.0, c])  np.polyint([1.0, 2.0], k=[c])
np.poly(u)  np.poly(z)  np.poly([c, 1.0])  np.poly(S)  np.poly([c + 1j, c - 1j])
np.roots(u)  np.roots(w)  np.roots(z)  np.roots(np.concatenate([[0.0], w, [0.0]]))  np.roots([1.0, -c, -2.0])
np.polyfit(knots, w, 1)  np.polyfit(w, long[:4], 2)  np.polyfit(knots, A.T, 1)
np.polyfit(knots, [1.0, 2.0, 0.5, 3.0], 2)
np.polyfit(knots, w, 1, w=[1.0, 2.0, 0.5, 1.5])  np.polyfit(knots, A.T, 1, w=w)  np.polyfit(knots, w, 1, cov=True)
np.polyfit(knots, A.T, 1, cov='unscaled')  np.polyfit(knots, A.T, 1, cov=True)  np.polyfit(knots, w, 2, full=True)[:2]
"""
ASSEMBLY = """
np.take_along_axis(A, grid, 1)  np.take_along_axis(A, grid[:2, :1], axis=-2)  np.take_along_axis(A, index, None)
np.take_along_axis(T, np.argsort(T, axis=1), 1)  np.take_along_axis(A, index[:, None], 1)
np.compress(odd, A, 0)  np.compress([0, 1, 1], A)  np.compress(odd, u)  np.extract(mask, A)  np.extract(u > 1, u)
np.delete(A, 1)  np.delete(A, [0, -1], 1)  np.delete(A, slice(None, None, 2), 0)  np.delete(A, odd, axis=0)
np.insert(A, 1, u, axis=1)  np.insert(u, [0, 2], w[:2])  np.insert(u, 1, 5.0)  np.insert(A, [1, 1], c)
np.insert(np.zeros(3), 1, c)  np.insert(A, slice(1, 3), 2.0, axis=0)  np.insert(A, 0, w, 0)
np.choose(index, [u, v, 1.0])  np.choose(grid % 2, [c, u[:, None]])  np.choose([3, -1, 0], [u, v], mode='wrap')
np.select([A > 1.2, A > 0.8], [A**2, 3 * A])  np.select([mask, ~mask], [A, c], 5.0)  np.select([odd], [u], v)
np.select([odd, True], [u, [1.0, 2.0, 3.0]], default=c)
np.piecewise(u, [u < 1, u >= 1], [lambda a: -a, lambda a: a**2])  np.piecewise(A, [mask], [np.sin, 3.0])
np.piecewise(A, [A > 0.7, A > 1.1], [lambda a, k: k * a, lambda a, k: c * a, 0.5], 4.0)
np.piecewise(c, c > 0, [np.exp])
np.piecewise(u, odd, [lambda a: a * 2])  np.piecewise(u, [odd, ~odd], [c, 2.0])
np.block(u)  np.block([u, w])  np.block([[A, u[:, None]], [w, c]])  np.block([[[T]], [[T * 2]]])  np.block([c, 1.0, u])
np.hsplit(w, 2)  np.hsplit(A, [1, 3])  np.vsplit(A, 3)  np.dsplit(T, [1])
np.meshgrid(u, w)  np.meshgrid(u, w, c, indexing='ij')  np.meshgrid(u, [1.0, 2.0], sparse=True)
np.meshgrid(u, copy=False)
np.ix_(u, [1.0, 2.0])  np.apply_along_axis(np.sum, 0, A)  np.apply_along_axis(lambda r: r[1:] * r[0], 1, A)
np.apply_along_axis(np.diag, -1, T)  np.apply_along_axis(lambda r, k: np.outer(r, r) * k, 1, T, c)
np.apply_along_axis(lambda r: r[0] * c, 0, [[1.0, 2.0], [3.0, 4.0]])
np.apply_over_axes(np.sum, T, [0, -1])  np.apply_over_axes(np.mean, A, 0)  np.apply_over_axes(np.cumsum, A, (0, 1))
np.pad(u, 2)  np.pad(A, 1)  np.pad(A, ((1, 0), (0, 2)), constant_values=3.0)  np.pad(A, (1, 2), constant_values=c)
np.pad(A, 1, constant_values=((c, 1.0), (2.0, u[0])))  np.pad(A, [(1, 1), (0, 2)], 'edge')
np.pad(w, (5, 7), mode='wrap')
np.pad(A, 2, 'reflect')  np.pad(w, 9, 'reflect')  np.pad(A, ((0, 2), (4, 0)), 'symmetric')
np.pad(w, (2, 3), 'reflect', reflect_type='odd')  np.pad(w, (11, 14), 'reflect', reflect_type='odd')
np.pad(w, (2, 3), 'symmetric', reflect_type='odd')  np.pad(w, (11, 14), 'symmetric', reflect_type='odd')
np.pad(A, 2, 'reflect', reflect_type='odd')  np.pad(u[:1], 2, 'reflect', reflect_type='odd')
np.pad(A, (2, 1), 'linear_ramp')  np.pad(A, 2, 'linear_ramp', end_values=(c, 1.0))
np.pad(A, 2, 'maximum')  np.pad(A, 1, 'minimum', stat_length=2)  np.pad(A, (1, 2), 'mean', stat_length=((1, 2), (3, 9)))
np.pad(A, 1, 'mean')  np.pad(A, 1, 'median')  np.pad(w, 2, 'median', stat_length=3)
np.nan_to_num(gap)  np.nan_to_num(gap, nan=c)  np.nan_to_num(np.where(mask, A, np.inf), posinf=2.0)  np.nan_to_num(z)
np.nan_to_num(np.where(odd, u, -np.inf), neginf=c)  np.real_if_close(u + 0j)  np.real_if_close(z)  np.real_if_close(A)
"""
NEWER = """
np.astype(A, float)  np.unstack(A)  np.unstack(A, axis=-1)
"""


@pytest.mark.parametrize("source", cases(CALCULUS))
def test_calculus(source: str) -> None:
    check(source)


@pytest.mark.parametrize("source", cases(POLYNOMIALS))
def test_polynomials(source: str) -> None:
    check(source, exact=1e-12, small="[c" not in source and "u, 2.0" not in source)  # Python numbers widen nothing


@pytest.mark.parametrize("source", cases(ASSEMBLY) + cases(NEWER))
def test_assembly(source: str) -> None:
    name = source.partition("(")[0].removeprefix("np.")
    if not hasattr(np, name):
        pytest.skip(f"np.{name} came with a later NumPy")
    check(source, small="float" not in source)


WRITES = """
np.copyto(y, c)  np.copyto(y, w)  np.copyto(y, B, where=mask)  np.copyto(y, 3.0, where=mask)
np.put(y, [0, 5, -1], u)  np.put(y, grid, w)  np.put(y, [40, 3], c, mode='clip')  np.put(y, [40, 3], [c, 1.0], 'wrap')
np.place(y, mask, u)  np.place(y, mask, [c, 2.0])  np.putmask(y, mask, B)  np.putmask(y, mask, u)
np.putmask(y, mask, 1.0)
np.put_along_axis(y, grid, B[:, :2], 1)  np.put_along_axis(y, index[:1, None], c, axis=0)
np.put_along_axis(y, index, u, None)
np.fill_diagonal(y, c)  np.fill_diagonal(y, u)  np.fill_diagonal(y[:, :2], u, wrap=True)  np.nan_to_num(y, copy=False)
"""


@pytest.mark.parametrize("source", cases(WRITES))
def test_writing_in_place(source: str) -> None:
    check("y = A * 1; " + source + "; y * A")


@pytest.mark.parametrize("source", [s for s in cases(WRITES) if re.search(r"[ucwB][),\[]", s)])
def test_writing_into_a_plain_array(source: str) -> None:
    """Of the caller's, which can't hold tangents and must not be changed."""
    case, y = Case(source), np.ones((3, 4))

    def f(*arrays: Any) -> Any:
        exec(source, {**CONSTANTS, **dict(zip(case.names, arrays)), "y": y})
        return y

    with pytest.raises(dd.TangentLossError, match="zeros_like"):
        dd.jacobian(f, tuple(range(len(case.names))))(*case.arrays)
    np.testing.assert_array_equal(y, 1.0)


CONJUGATING = "np.correlate(u, z, 'full')  np.correlate(z[:2], z, 'same')  np.correlate(z, z)"


@pytest.mark.parametrize("source", cases(CONJUGATING))
def test_conjugates_of_the_second_operand(source: str) -> None:
    """Not holomorphic, so that there is no complex Jacobian; along a direction there is a derivative."""
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    close(value, case.f(*case.arrays), rtol=1e-14)
    close(tangent, case.along(case.f, 1e-6), rtol=1e-8)


def test_interp_at_knots_ends_and_jumps() -> None:
    xp, fp = [0.0, 1.0, 1.0, 2.0], [5.0, 1.0, 0.0, 3.0]
    slope = lambda x, **ends: dd.derivative(lambda x: np.interp(x, xp, fp, **ends))(x)
    assert [slope(x) for x in (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)] == [0, -2, -4, 3, 3, 1.5, 0]
    assert [slope(x, left=7.0, right=8.0) for x in (-1.0, 0.0, 2.0, 3.0)] == [0, -4, 3, 0]
    assert dd.derivative(lambda x: np.interp(x, [0, 1, 2], [0, 1, 0]))(1.0) == 0
    assert dd.derivative(lambda x: np.interp(x, [1.0], [5.0]))(1.0) == 0
    assert dd.gradient(lambda v: np.interp(1.0, v, [0.0, 1.0, 0.0]))(np.array([0.0, 1.0, 2.0])).tolist() == [0, 0, 0]


@pytest.mark.parametrize("fp", [[5.0, np.inf, 2.0], [np.inf, np.inf, 2.0], [1.0, np.nan, 2.0]])
def test_interp_passes_on_what_is_not_finite(fp: list[float]) -> None:
    for x in (0.0, 0.5, 1.0, 1.5, np.nan):
        value = dd.jvp(lambda x: np.interp(x, [0, 1, 2], fp), (x,), (1.0,))[0]
        np.testing.assert_array_equal(value, np.interp(x, [0, 1, 2], fp))


def test_infinite_weights_of_a_convolution_meet_strong_zeros() -> None:
    j = dd.jacobian(lambda x: np.convolve(x, [np.inf, 1.0], "valid"))(np.array([1.0, 4.0, 3.0]))
    np.testing.assert_array_equal(j, [[1, np.inf, 0], [0, 1, np.inf]])


@pytest.mark.parametrize("n, z", [(0.0, 0.0), (0.5, 1e-3), (-2.0, 3.7)])
def test_sinc_in_every_order(n: float, z: float) -> None:
    """Against its integral over cos(pi x t), whose derivatives are plain."""
    t, w = np.polynomial.legendre.leggauss(60)
    for x in (n, z):
        f: Any = np.sinc
        for k in range(5):
            due = w @ ((np.pi * t) ** k * np.cos(np.pi * x * t + k * np.pi / 2)) / 2
            np.testing.assert_allclose(f(x), due, rtol=1e-10, atol=1e-12)
            f = dd.derivative(f)


def test_i0_over_its_whole_range() -> None:
    x = np.array([1e-8, 0.1, 3.0, 40.0, 700.0])
    with mpmath.workdps(30):
        due = [float(mpmath.besseli(1, v)) for v in x]
    np.testing.assert_allclose(np.diag(dd.jacobian(np.i0)(x)), due, rtol=1e-13)
    np.testing.assert_allclose(np.diag(dd.jacobian(np.i0)(-x)), np.negative(due), rtol=1e-13)


def test_refusals_and_errors() -> None:
    x = np.ones((2, 3))
    for source in cases(ERRORS):
        with pytest.raises(Exception) as due:
            eval(source, {"np": np, "x": x})
        with pytest.raises(due.type):
            dd.jvp(lambda x: eval(source, {"np": np, "x": x}), (x,), (x,))  # noqa: B023
    with pytest.raises(dd.NotDifferentiableError, match=r"np\.concatenate"):
        dd.jacobian(lambda x: np.pad(x, 1, lambda v, *_: None))(x)
    numbers = np.arange(3)
    with pytest.raises(dd.TangentLossError, match="integers"):
        dd.jacobian(lambda x: np.insert(numbers, 1, x[0, 0]))(x)


ERRORS = """
np.interp(x, [0, 1], [1])  np.interp(x, [0, 1], [1, 2], period=0)  np.gradient(x, 1, 2, 3)  np.gradient(x, axis=4)
np.gradient(x, edge_order=3)  np.gradient(x, [1, 2], axis=1)  np.gradient(x[:1])  np.trapezoid(x, axis=5)
np.convolve(x, [1])
np.convolve(x[0], [])  np.convolve(x[0], [1], 'other')  np.linspace(x, 1, -1)  np.geomspace(x * 0, 1)  np.vander(x)
np.polyder(x[0], -1)  np.polyint(x[0], -1)  np.polyint(x[0], 3, [1, 2])  np.poly(x)  np.polyfit(x[0], x[0, :2], 1)
np.polyfit(x[0], x[0], -1)  np.take_along_axis(x, np.zeros((2, 3), int), 5)  np.compress([True], x, 4)
np.delete(x, 9, 1)
np.insert(x, 9, 1, 0)  np.select([], [])  np.select([x], [x])  np.select([x > 0], [])
np.piecewise(x, [x > 0], [1, 2, 3])
np.block([[x], x])  np.block([[x, x[:1]]])  np.vsplit(x[0], 1)  np.dsplit(x, 1)  np.hsplit(x, 2)  np.ix_(x)
np.meshgrid(x[0], indexing='zz')  np.apply_along_axis(np.sum, 4, x)  np.apply_over_axes(np.sum, x, [5])  np.pad(x, -1)
np.pad(x, 1.5)  np.pad(x, 1, 'other')  np.pad(x, 1, stat_length=2)  np.pad(x[:0], 1, 'edge')  np.put(x, 99, 1.0)
np.place(x, x > 0, [])  np.choose([0, 5], x[:, :2])  np.fill_diagonal(x[0], 1.0)
"""


def test_every_rule_has_a_case() -> None:
    assert untested("calculus", [CALCULUS]) == set()
    assert untested("polynomials", [POLYNOMIALS]) == set()
    assert untested("assembly", [ASSEMBLY, NEWER if hasattr(np, "unstack") else "np.astype(A)", WRITES]) == set()
