"""Reverse mode: transposes of every rule, pullbacks, nesting, memory, mutation, and gradients worked out by hand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.pytree import flatten
from dualdiff.rules import ELEMENTWISE

from . import test_fft, test_linalg, test_more_numpy, test_rules, test_special

inf, nan = np.inf, np.nan
rng = np.random.default_rng(5)


# ---------------------------------------------------------------- <w, J v> = <J^T w, v> for every rule


def inner(a: Any, b: Any) -> float:
    """The real inner product of two containers of the same structure."""
    pairs = zip(flatten(a, lists=True)[0], flatten(b, lists=True)[0], strict=True)
    return sum(float(np.sum(np.real(np.conj(x) * y))) for x, y in map(lambda p: (np.asarray(p[0]), np.asarray(p[1])), pairs))


def random_like(tree: Any) -> Any:
    leaves, rebuild = flatten(tree, lists=True)
    made = []
    for leaf in leaves:
        leaf = np.asarray(leaf)
        w = rng.uniform(0.5, 1.5, leaf.shape)
        made.append((w + 1j * rng.normal(size=leaf.shape) if np.iscomplexobj(leaf) else w)[()])
    return rebuild(made)


def adjoint(f: Callable[..., Any], arrays: Any, directions: Any) -> None:
    value, tangent = dd.jvp(f, tuple(arrays), tuple(directions))
    again, pullback = dd.vjp(f, *arrays)
    w = random_like(value)
    cts = pullback(w)
    cts = cts if len(arrays) > 1 else (cts,)
    left, right = inner(w, tangent), inner(cts, tuple(directions))
    size = sum(float(np.sum(np.abs(x))) for x in flatten(tangent, lists=True)[0]) + 1e-300
    assert abs(left - right) <= 1e-10 * size, (left, right)
    for a, b in zip(flatten(value, lists=True)[0], flatten(again, lists=True)[0], strict=True):
        np.testing.assert_array_equal(a, b)
    for x, ct in zip(arrays, cts, strict=True):
        assert np.shape(ct) == np.shape(x) and np.asarray(ct).dtype == np.asarray(x).dtype


@pytest.mark.parametrize("source", test_rules.CASES + test_rules.REAL)
def test_functions(source: str) -> None:
    case = test_rules.Case(source)
    adjoint(case.f, case.arrays, case.directions)


@pytest.mark.parametrize("source, stack", test_linalg.CASES)
def test_linear_algebra(source: str, stack: tuple[int, ...]) -> None:
    case = test_linalg.Case(source, stack)
    adjoint(case, case.arrays, case.v)
