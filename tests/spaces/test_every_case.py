"""Every case of the tables in every space and mode, over memory orders and types; each space against one direction.

One direction at a time is held against differences, or exact derivatives, where the tables' own tests are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import scipy

import dualdiff as dd
from dualdiff import taylor
from dualdiff.spaces import recorded, rowlocal
from tests import boxed, local
from tests.cases.every import EXAMPLES, OF_LISTS, REAL, as_tuple, inner, like, numbers
from tests.cases.tools import leaves

every = pytest.mark.parametrize("name", EXAMPLES)
every_real = pytest.mark.parametrize("name", REAL)


# ---------------------------------------------------------------- forward


@every
def test_directions(name: str) -> None:
    """Three directions at once are each by itself; the operands keep what they had, and the same again is the same."""
    if name.removeprefix("complex ") in OF_LISTS:
        pytest.skip("NumPy makes an array of objects")
    f, arrays, directions = EXAMPLES[name]()
    value, tangent = dd.jvp(f, tuple(arrays), tuple(directions))
    many = [np.stack([v, 0 * v, 2 * v]) for v in directions]
    duals = [dd.Dual(x, t) for x, t in zip(arrays, many)]
    results, again = leaves(f(*duals)), leaves(f(*duals))
    for dual, x, t in zip(duals, arrays, many):
        np.testing.assert_array_equal(dual.value, x)
        np.testing.assert_array_equal(dual.tangent, t)
    for result, other, v, t in zip(results, again, leaves(value), leaves(tangent), strict=True):
        np.testing.assert_allclose(dd.value(result), v, rtol=1e-13, atol=1e-14)  # complex products vary with alignment
        got = result.tangent if isinstance(result, dd.Dual) else np.zeros((3, *np.shape(v)))
        size = np.max(np.abs(t), initial=1e-3)
        np.testing.assert_allclose(got, np.stack([t, 0 * t, 2 * t]), rtol=1e-10, atol=1e-12 * size)
        if isinstance(result, dd.Dual):
            np.testing.assert_allclose(other.tangent, got, rtol=1e-13, atol=1e-14 * size)


@every
def test_memory_orders(name: str) -> None:
    """Arrays in Fortran's order, and others that run backwards."""
    f, arrays, directions = EXAMPLES[name]()
    due = leaves(dd.jvp(f, tuple(arrays), tuple(directions)))
    value, pullback = dd.vjp(f, *arrays)  # whose type may be real where NumPy 2.0 has complex numbers
    ws = numbers(value)
    cts = as_tuple(pullback(like(value, ws)))
    for order in (np.asfortranarray, lambda x: np.flip(np.flip(x).copy()), lambda x: np.repeat(x[None], 2, 0)[1]):
        moved = [order(x) if np.ndim(x) else x for x in arrays]
        for got, d in zip(leaves(dd.jvp(f, tuple(moved), tuple(directions))), due, strict=True):
            np.testing.assert_allclose(got, d, rtol=1e-10, atol=1e-11 * np.max(np.abs(d), initial=1e-3))
        value, pullback = dd.vjp(f, *moved)
        for got, d in zip(as_tuple(pullback(like(value, ws))), cts, strict=True):
            np.testing.assert_allclose(got, d, rtol=1e-9, atol=1e-10 * np.max(np.abs(d), initial=1e-3))


PYTHON_NUMBERS = {  # which NumPy takes as float64 there, and we do not let widen float32
    *("np.polyval(u, 2.0)", "np.polyval([c, 1.0], u)", "np.average([1.0, 2.0, 4.0], weights=u)"),
    "np.histogram([1.0, 2.0, 3.0], 2, weights=u)",
    "linalg.logm(S)",  # where SciPy warns
}
OTHER_TYPES_IN_OLD_SCIPY = ("stats.sem(", "stats.pearsonr(", "stats.skew(x, bias=False)")  # float64, or an error


@every_real
def test_float32(name: str) -> None:
    """Values, tangents and cotangents have the types that NumPy's result and the arguments have."""
    if name in PYTHON_NUMBERS or "np.histogram(long" in name:
        pytest.skip("other types, or counts")
    if name.startswith(OTHER_TYPES_IN_OLD_SCIPY) and scipy.__version__.startswith(("1.13", "1.14")):
        pytest.skip("SciPy's type")
    f, arrays, directions = EXAMPLES[name]()
    arrays, directions = ([x.astype(np.float32) for x in xs] for xs in (arrays, directions))
    due = leaves(f(*arrays))
    value, tangent = dd.jvp(f, tuple(arrays), tuple(directions))
    for v, t, d in zip(leaves(value), leaves(tangent), due, strict=True):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype
    value, pullback = dd.vjp(f, *arrays)
    assert [np.asarray(v).dtype for v in leaves(value)] == [np.asarray(d).dtype for d in due]
    cts = as_tuple(pullback(like(value, [w.astype(np.asarray(v).dtype) for w, v in zip(numbers(value), due)])))
    assert all(ct.dtype == np.float32 for ct in map(np.asarray, cts))


@every_real
def test_spaces_that_keep_structure(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A space that offers nothing but the maps; rows free to become dense, kept sparse, kept with sums as matrices."""
    f, arrays, directions = EXAMPLES[name]()
    boxed.agree(f, arrays, directions)
    local.agree(f, arrays, directions)
    local.agree(f, arrays, directions, keep=True)
    monkeypatch.setattr(rowlocal, "FEW", 0)
    local.agree(f, arrays, directions, keep=True)


# ---------------------------------------------------------------- jets


def nested(f: Callable[..., Any], arrays: Sequence[Any], directions: Sequence[Any], order: int) -> Any:
    def along(t: Any) -> Any:
        return f(*[x + t * v for x, v in zip(arrays, directions)])

    for k in range(order + 1):
        yield [np.asarray(leaf) / math.factorial(k) for leaf in leaves(along(0.0))]
        along = (lambda g: lambda t: dd.jvp(g, (t,), (1.0,))[1])(along)


def agree(f: Callable[..., Any], arrays: Sequence[Any], directions: Sequence[Any], order: int) -> None:
    found = leaves(taylor(lambda a: f(*a), tuple(arrays), order, direction=tuple(directions)))
    for k, due in enumerate(nested(f, arrays, directions, order)):
        for c, d in zip(found, due, strict=True):
            assert c.shape == (order + 1, *d.shape)
            np.testing.assert_allclose(c[k], d, rtol=1e-9, atol=1e-10)


@every_real
def test_jets(name: str) -> None:
    """Taylor coefficients along a direction are nested derivatives."""
    if name.startswith("c["):
        pytest.skip("nested derivatives of a number, which has no elements")
    f, arrays, directions = EXAMPLES[name]()
    agree(f, arrays, directions, 3)


# ---------------------------------------------------------------- modes at kinks


AT_KINKS = {
    "np.unique(np.concatenate([u, u]))",
    "np.quantile(A, [0.3, c], axis=1, weights=[1.0, 2.0, 0.5, 0.7], method='inverted_cdf')",
}


@every_real
def test_smooth_points_are_left_alone(name: str) -> None:
    if name in AT_KINKS:
        pytest.skip("not smooth here")
    f, arrays, directions = EXAMPLES[name]()
    due = dd.jvp(f, tuple(arrays), tuple(directions))
    for mode in ("lexicographic", "raise"):
        with dd.kinks(mode):
            got = dd.jvp(f, tuple(arrays), tuple(directions))
        for a, b in zip(leaves(got), leaves(due), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


# ---------------------------------------------------------------- reverse


@every
def test_transpose(name: str) -> None:
    """<w, J v> = <Jᵀ w, v> to rounding, the value is that of f, and a batch of cotangents is each by itself."""
    f, arrays, directions = EXAMPLES[name]()
    value, tangent = dd.jvp(f, tuple(arrays), tuple(directions))
    again, pullback = dd.vjp(f, *arrays)
    for a, b in zip(leaves(value), leaves(again), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)
    ws, others = numbers(value), numbers(value, 1.0)
    cts = as_tuple(pullback(like(value, ws)))
    size = sum(np.sum(np.abs(np.asarray(w) * t)) for w, t in zip(ws, leaves(tangent)))
    assert abs(inner(ws, tangent) - inner(cts, directions)) <= 1e-9 * (size + 1e-6)
    for x, ct in zip(arrays, cts, strict=True):
        assert np.shape(ct) == np.shape(x) and np.asarray(ct).dtype == np.asarray(x).dtype
    batch = [np.stack([w, 0 * w, o]) for w, o in zip(ws, others)]
    for ct, o, many in zip(cts, as_tuple(pullback(like(value, others))), as_tuple(pullback(like(value, batch)))):
        scale = np.max(np.abs(ct), initial=1e-6)
        np.testing.assert_allclose(many, np.stack([ct, 0 * ct, o]), rtol=1e-9, atol=1e-9 * scale)
    # Nothing accumulates:
    np.testing.assert_allclose(as_tuple(pullback(like(value, ws)))[0], cts[0], rtol=1e-13, atol=1e-13)


@every
def test_second_order(name: str) -> None:
    """Forward over reverse, reverse over forward and reverse over reverse give the same Hessian-vector product."""
    f, arrays, directions = EXAMPLES[name]()
    ws = numbers(dd.vjp(f, *arrays)[0])  # NumPy 2.0 makes some condition numbers complex

    def pull(*x: Any) -> Any:
        value, pullback = dd.vjp(f, *x)
        return as_tuple(pullback(like(value, ws)))

    def along(*x: Any) -> Any:
        return inner(ws, dd.jvp(f, x, tuple(directions))[1])

    forward_over_reverse = dd.jvp(pull, tuple(arrays), tuple(directions))[1]
    reverse_over_forward = as_tuple(dd.vjp(along, *arrays)[1](1.0))
    reverse_over_reverse = as_tuple(dd.vjp(lambda *x: inner(directions, pull(*x)), *arrays)[1](1.0))
    for a, b, c in zip(forward_over_reverse, reverse_over_forward, reverse_over_reverse, strict=True):
        scale = np.max(np.abs(a), initial=1e-3)
        np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-8 * scale)
        np.testing.assert_allclose(c, a, rtol=1e-7, atol=1e-8 * scale)


@every
def test_all_directions_through_a_batch_of_cotangents(name: str) -> None:
    """Forward mode with many directions over a batch of pullbacks is each direction through each pullback."""
    f, arrays, directions = EXAMPLES[name]()
    value = dd.vjp(f, *arrays)[0]
    batch = [numbers(value, turn) for turn in (0.0, 1.0)]

    def pull(*x: Any, ws: Any = None) -> Any:
        value, pullback = dd.vjp(f, *x)
        return as_tuple(pullback(like(value, [np.stack(w) for w in zip(*batch)] if ws is None else ws)))

    each = [dd.jvp(lambda *x, ws=ws: pull(*x, ws=ws), tuple(arrays), tuple(directions))[1] for ws in batch]
    many = [np.stack([v, 0 * v, 2 * v]) for v in directions]
    results = pull(*[dd.Dual(x, v) for x, v in zip(arrays, many)])
    for result, *due in zip(results, *each, strict=True):
        scale = np.max(np.abs(due), initial=1e-3)
        tangent = result.tangent if isinstance(result, dd.Dual) else np.zeros((3, *np.shape(result)))
        due = np.stack(due)
        np.testing.assert_allclose(tangent, np.stack([due, 0 * due, 2 * due]), rtol=1e-7, atol=1e-8 * scale)


@every
def test_what_is_changed_after_recording_does_not_matter(name: str) -> None:
    """Neither constants of the caller, nor what f overwrites after use: operands, constants, and results."""
    f, arrays, _ = EXAMPLES[name]()
    k = next((k for k in range(len(arrays)) if takes_constants(f, arrays, k)), None)
    if k is None:
        pytest.skip("stores into an array that another argument makes")

    def careless(x: Any) -> Any:
        mine = [np.array(a) for a in arrays]
        mine[k] = np.copy(x)
        result = f(*mine)
        kept = [r * 1 for r in leaves(result)]
        for used in [*mine, *leaves(result)]:
            if isinstance(used, np.ndarray | dd.DualArray) and getattr(used, "value", used).flags.writeable:
                used[...] = 7.0
        return like(result, kept)

    x = np.array(arrays[k])
    constants = [np.array(a) for a in arrays]
    value, pullback = dd.vjp(lambda x: f(*constants[:k], x, *constants[k + 1 :]), x)
    ws = like(value, numbers(value))
    due = pullback(ws)
    for array in [x, *constants]:
        array[...] = 7.0
    np.testing.assert_allclose(pullback(ws), due, rtol=1e-13, atol=1e-13)
    got = dd.vjp(careless, np.array(arrays[k]))[1](ws)
    np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-12 * np.max(np.abs(due), initial=1))


def takes_constants(f: Callable[..., Any], arrays: list[Any], k: int) -> bool:
    try:
        dd.vjp(lambda x: f(*arrays[:k], x, *arrays[k + 1 :]), arrays[k])
    except dd.TangentLossError:
        return False
    return True


# ---------------------------------------------------------------- the tests find what is wrong


def test_a_wrong_transpose_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "unbroadcast", lambda ct, n, shape: np.broadcast_to(np.mean(ct), shape))
    with pytest.raises(AssertionError):
        test_transpose("np.broadcast_arrays(A, Row, 1.0)") or test_transpose("add [(2, 3), (3,)]")
    monkeypatch.setattr(
        recorded.Linear, "pull", lambda self, ct, ours, cts: cts.add(self.parents[0], self.function(ct))
    )
    with pytest.raises(AssertionError):
        test_transpose("np.cumsum(u)")


@every
def test_batch_of_one(name: str) -> None:
    """A batch of one cotangent gives what the cotangent gives, with an axis more."""
    if name.removeprefix("complex ") in OF_LISTS:
        pytest.skip("NumPy makes an array of objects")
    f, arrays, _ = EXAMPLES[name]()
    value, pullback = dd.vjp(f, *arrays)
    ws = numbers(value)
    batch = as_tuple(pullback(like(value, [np.asarray(w)[None] for w in ws])))
    for got, one in zip(batch, as_tuple(pullback(like(value, ws))), strict=True):
        assert got.shape == (1, *np.shape(one))
        np.testing.assert_allclose(got[0], one, rtol=1e-10, atol=1e-10)
