"""Containers: what their leaves are, and that they are put together again as they were."""

from __future__ import annotations

import collections
import dataclasses
from typing import Any

import numpy as np
import pytest

from dualdiff import Dual
from dualdiff.core.pytree import flatten

Pair = collections.namedtuple("Pair", "left right")


@dataclasses.dataclass(frozen=True)
class Layer:
    weight: Any
    bias: Any = 0.0
    calls: int = dataclasses.field(default=7, init=False)


ARRAY, NUMBER = np.arange(3.0), Dual(1.0, 2.0)
TREES: list[tuple[Any, int]] = [
    (1.0, 1),
    (ARRAY, 1),
    (NUMBER, 1),
    ([1.0, 2, np.float32(3)], 1),  # numbers alone are an array
    ((1.0, 2.0), 1),
    ([[1.0, 2.0], [3.0, 4.0]], 1),
    ([1.0, NUMBER, np.array(2.0)], 1),
    ([], 1),
    ([ARRAY, 1.0], 2),
    ((ARRAY, ARRAY), 2),
    ([[1.0, 2.0], ARRAY], 2),
    ({}, 0),
    ({"a": 1.0, "b": ARRAY}, 2),
    ({"a": {"b": {"c": (ARRAY, [1.0, 2.0])}}, 3: NUMBER}, 3),
    (Pair(1.0, 2.0), 2),  # names make it a container
    (Pair(Pair(1.0, ARRAY), {"a": 2.0}), 3),
    (Layer(ARRAY), 2),
    ({"layers": [Layer(ARRAY, 1.0), Layer([1.0, 2.0], NUMBER)], "p": Pair(1, (2, ARRAY))}, 7),
]


@pytest.mark.parametrize("tree, count", TREES, ids=range(len(TREES)))
def test_flatten_and_rebuild(tree: Any, count: int) -> None:
    """The leaves themselves come out, in order, and others go into their places; the original is left alone."""
    leaves, rebuild = flatten(tree)
    assert len(leaves) == count
    again, _ = flatten(rebuild(leaves))
    assert all(a is b for a, b in zip(leaves, again))
    assert type(rebuild(leaves)) is type(tree)
    marks = [np.full(2, k) for k in range(count)]
    assert all(a is b for a, b in zip(flatten(rebuild(marks))[0], marks))
    assert all(a is b for a, b in zip(flatten(tree)[0], leaves))


def test_dicts_keep_their_order_and_dataclasses_their_other_fields() -> None:
    _, rebuild = flatten({"b": 1.0, "a": 2.0})
    assert list(rebuild("xy").items()) == [("b", "x"), ("a", "y")]
    _, rebuild = flatten(Layer(1.0, 2.0))
    assert rebuild("xy") == Layer("x", "y")
    assert rebuild("xy").calls == 7


def test_a_list_of_arrays_is_one_result() -> None:
    assert len(flatten([ARRAY, ARRAY], lists=True)[0]) == 1
    assert len(flatten((ARRAY, ARRAY), lists=True)[0]) == 2
    assert len(flatten({"a": [ARRAY, ARRAY]}, lists=True)[0]) == 1
    assert len(flatten([{"a": ARRAY}, ARRAY], lists=True)[0]) == 2
