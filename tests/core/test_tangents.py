"""The linear maps on tangents: one direction and many, strong zeros, and products against sums written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dualdiff.core import tangents

inf, nan = np.inf, np.nan
rng = np.random.default_rng(2)
short = settings(max_examples=300, deadline=None, derandomize=True)


def written_out(t: Any, sub: str, weight: Any, weight_sub: str, out: str) -> Any:
    """einsum(t, weight) as the sum of all products, where a tangent that is exactly 0 contributes nothing."""
    letters = sorted(set(sub + weight_sub))
    t = np.einsum(f"{sub}->{''.join(sorted(set(sub)))}", t)
    weight = np.einsum(f"{weight_sub}->{''.join(sorted(set(weight_sub)))}", weight)
    t = np.expand_dims(t, [k for k, c in enumerate(letters) if c not in sub])
    weight = np.expand_dims(weight, [k for k, c in enumerate(letters) if c not in weight_sub])
    with np.errstate(all="ignore"):
        total = np.where(t == 0, 0, t * weight).sum(axis=tuple(k for k, c in enumerate(letters) if c not in out))
    kept = [c for c in letters if c in out]
    return total.transpose([kept.index(c) for c in out])


@st.composite
def products(draw: Any) -> tuple[str, str, str, dict[str, int]]:
    """Subscripts of a tangent, of a constant and of the result, and the length of each axis."""
    sub, weight = (draw(st.lists(st.sampled_from("abcd"), max_size=3)) for _ in range(2))
    both = sorted(set(sub + weight))
    out = draw(st.permutations(draw(st.lists(st.sampled_from(both), unique=True)) if both else []))
    return "".join(sub), "".join(weight), "".join(out), {c: draw(st.integers(1, 3)) for c in "abcd"}


VALUES = [0.0, 1.0, -2.0, 0.5]


@short
@given(products(), st.sampled_from([None, 1, 3]), st.sampled_from(["finite", "odd", "complex"]))
def test_contract(product: Any, p: int | None, kind: str) -> None:
    """Any einsum of a tangent and a constant, for one direction and for many, with finite and infinite constants."""
    sub, weight_sub, out, sizes = product
    shape = tuple(sizes[c] for c in sub)
    t = rng.choice(VALUES, size=shape if p is None else (p, *shape))
    weight = rng.choice(VALUES + ([inf, -inf, nan] if kind == "odd" else []), size=[sizes[c] for c in weight_sub])
    if kind == "complex":
        t, weight = t + 1j * rng.choice(VALUES, size=t.shape), weight + 1j * rng.choice(VALUES, size=weight.shape)
    with np.errstate(all="ignore"):
        got = tangents.contract(t, shape, sub, weight, weight_sub, out)
    each = [t] if p is None else list(t)
    due = [written_out(x, sub, weight, weight_sub, out) for x in each]
    np.testing.assert_allclose(got, due[0] if p is None else np.stack(due), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("weight", [inf, -inf, nan, 2.0])
@pytest.mark.parametrize("t", [0.0, -0.0, 1.0, -3.0])
def test_a_tangent_that_is_exactly_zero_stays_zero(t: float, weight: float) -> None:
    """At floats, at arrays, and in a batch; any other tangent multiplies as numbers do."""
    due = 0.0 if t == 0 else t * weight
    for one, w in ((t, weight), (np.array([t]), np.array([weight])), (np.array([t, t]), weight)):
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(tangents.scale(one, w), np.full(np.shape(one), due))


def test_an_infinite_tangent_against_a_zero_is_nan_unless_a_branch_was_not_taken() -> None:
    t, w = np.array([inf, inf, 1.0, nan]), np.array([0.0, 0.5, 0.0, 0.0])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(tangents.scale(t, w), [nan, inf, 0, nan])
        np.testing.assert_array_equal(tangents.scale(t, w, select=True), [0, inf, 0, 0])


def test_combine_broadcasts_and_adds() -> None:
    a, b, wa = rng.normal(size=3), rng.normal(size=(2, 1)), rng.normal(size=(2, 3))
    due = wa * a - b
    got = tangents.combine([(a, (3,), wa), (b, (2, 1), -1)], (2, 3))
    np.testing.assert_allclose(got, due)
    many = tangents.combine([(np.stack([a, 2 * a]), (3,), wa), (np.stack([b, 2 * b]), (2, 1), -1)], (2, 3))
    np.testing.assert_allclose(many, [due, 2 * due])


MOVES: list[tuple[str, Any, tuple[int, ...]]] = [
    ("reversed", lambda v: v[::-1], (4,)),
    ("picked", lambda v: v[[0, 0, 2]], (3, 2)),
    ("transposed", lambda v: v.T, (2, 3)),
    ("flattened", lambda v: v.reshape(-1), (2, 3)),
    ("masked", lambda v: v[np.array([True, False])], (2, 3)),
    ("one number", lambda v: v[1, 2], (2, 3)),
    ("nothing", lambda v: v[:0], (3,)),
]


@pytest.mark.parametrize("name, move, shape", MOVES, ids=[m[0] for m in MOVES])
def test_gather(name: str, move: Any, shape: tuple[int, ...]) -> None:
    """Each direction of many moves as a direction alone does, with and without a form for many."""
    t = rng.normal(size=(5, *shape))
    due = np.stack([move(x) for x in t])
    np.testing.assert_array_equal(tangents.gather(t[0], shape, move), move(t[0]))
    np.testing.assert_array_equal(tangents.gather(t, shape, move), due)


def test_join_fills_operands_without_a_tangent_with_zeros() -> None:
    a = rng.normal(size=(2, 3))
    due = np.concatenate([a, np.zeros((2, 2)), 2 * a], 1)
    shapes = [(3,), (2,), (3,)]
    np.testing.assert_array_equal(tangents.join([a[0], None, 2 * a[0]], shapes, np.concatenate), due[0])
    np.testing.assert_array_equal(tangents.join([a, None, 2 * a], shapes, np.concatenate), due)
    batched = lambda parts: np.concatenate(parts, -1)
    np.testing.assert_array_equal(tangents.join([a, None, 2 * a], shapes, np.concatenate, batched), due)


@pytest.mark.parametrize("axes", [(), (-1,), (-2,), (-2, -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_total(axes: tuple[int, ...], keepdims: bool) -> None:
    t = rng.normal(size=(4, 2, 3))
    due = [x.sum(axis=axes, keepdims=keepdims) for x in t]
    np.testing.assert_allclose(tangents.total(t, (2, 3), axes, keepdims), np.stack(due))
    np.testing.assert_allclose(tangents.total(t[0], (2, 3), axes, keepdims), due[0])
