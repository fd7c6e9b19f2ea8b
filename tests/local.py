"""Running a function with row-local tangents, all its arguments varied in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import dualdiff as dd
from dualdiff.core.tangents import Structured
from dualdiff.run.call import Call
from dualdiff.spaces.rowlocal import RowLocal, Space
from tests.cases.tools import leaves


def tangents(f: Callable[..., Any], arrays: Sequence[Any], keep: bool = False) -> tuple[list[Any], list[Any]]:
    """Values and tangents of f's results, all arguments varied in one row-local space."""
    call = Call("test", f, tuple(range(len(arrays))), tuple(arrays), {})
    sizes = [np.size(x) for x in call.leaves]
    space, seeds, at = Space(sum(sizes), keep=keep), [], 0
    for x, size in zip(call.leaves, sizes):
        seeds.append(RowLocal(space, np.shape(x), [(space.numbers[at : at + size].reshape(np.shape(x)), 1)]))
        at += size
    values, ts, _ = call.run(seeds)
    return values, ts


def along(t: Any, value: Any, direction: Any) -> Any:
    """The product of a tangent of the space with one direction."""
    if t is None:
        return np.zeros(np.shape(value))
    dense = t.dense() if isinstance(t, Structured) else t
    return np.tensordot(direction, dense, 1)


def agree(f: Callable[..., Any], arrays: Sequence[Any], directions: Sequence[Any], keep: bool = False) -> None:
    due = dd.jvp(f, tuple(arrays), tuple(directions))
    flat = np.concatenate([np.ravel(v) for v in directions])
    for value, t, expected in zip(*tangents(f, arrays, keep), leaves(due[1]), strict=True):
        np.testing.assert_allclose(along(t, value, flat), expected, rtol=1e-9, atol=1e-11)
