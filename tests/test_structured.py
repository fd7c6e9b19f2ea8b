"""A tangent space that is no array runs every rule: rules touch tangents only through the maps of tangents.py.

`Boxed` hides a dense tangent and offers nothing but the maps, so that a rule that adds, multiplies or indexes tangents
by itself fails here. It stands for the spaces that keep structure or a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core import tangents
from dualdiff.core.tangents import Shape, Structured, ndim
from dualdiff.rules import ELEMENTWISE
from dualdiff.run.call import Call

from . import test_linalg, test_rules


class Boxed(Structured):
    """One direction, or many, behind the five maps, assignment and the making of zeros."""

    __slots__ = ("box",)

    def __init__(self, box: Any) -> None:
        self.box = box

    @classmethod
    def combine(cls, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> Boxed:
        dense = tangents.combine([(t.box, s, w) for t, s, w in terms], shape, select)
        short = ndim(dense) < len(shape) or dense.shape[ndim(dense) - len(shape) :] != shape
        return cls(np.broadcast_to(dense, shape) if short else dense)

    @classmethod
    def join(cls, parts: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Boxed:
        return cls(tangents.join([None if t is None else t.box for t in parts], shapes, move))

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Boxed:
        return Boxed(tangents.gather(self.box, shape, move))

    def total(self, shape: Shape, axes: Shape, keepdims: bool) -> Boxed:
        return Boxed(tangents.total(self.box, shape, axes, keepdims))

    def contract(self, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Boxed:
        return Boxed(tangents.contract(self.box, shape, sub, weight, weight_sub, out_sub))

    def linear(self, shape: Shape, function: Callable[[Any], Any], transpose: Callable[[Any], Any]) -> Boxed:
        return Boxed(tangents.linear(self.box, shape, function, transpose))

    def put(self, shape: Shape, numbers: Any, new: Any) -> Boxed:
        flat = np.array(self.box, dtype=np.result_type(self.box, 0.0 if new is None else new.box)).ravel()
        flat[numbers] = 0.0 if new is None else new.box
        return Boxed(flat.reshape(shape))

    def zeros(self, value: Any) -> Boxed:
        return Boxed(np.zeros(value.shape, value.dtype))


def agree(f: Callable[..., Any], arrays: Sequence[Any], directions: Sequence[Any]) -> None:
    due = dd.jvp(f, tuple(arrays), tuple(directions))
    call = Call("test", f, tuple(range(len(arrays))), tuple(arrays), {})
    values, boxes, _ = call.run([Boxed(np.asarray(v)) for v in directions])
    for value, box, expected in zip(values, boxes, call_leaves(due[1]), strict=True):
        got = np.zeros(np.shape(value)) if box is None else box.box
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)


def call_leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree for leaf in call_leaves(part)] if isinstance(tree, tuple | list | dict) else [tree]


@pytest.mark.parametrize("source", test_rules.CASES + test_rules.REAL)
def test_functions(source: str) -> None:
    case = test_rules.Case(source)
    agree(case.f, case.arrays, case.directions)


@pytest.mark.parametrize("source, stack", test_linalg.CASES)
def test_linear_algebra(source: str, stack: tuple[int, ...]) -> None:
    case = test_linalg.Case(source, stack)
    agree(case, case.arrays, case.v)


each_rule = pytest.mark.parametrize("rule", ELEMENTWISE.values(), ids=lambda rule: rule.function.__name__)


def of_rule(rule: Any) -> tuple[Callable[..., Any], list[Any]]:
    """An elementwise function and operands inside its domain, which broadcast."""
    shapes = [(2, 1), (3,)] if len(rule.partials) == 2 else [(3,)]
    arrays: list[Any] = [np.linspace(1.1, 1.6, int(np.prod(s))).reshape(s) for s in shapes]
    if rule.function in (np.arcsin, np.arccos, np.arctanh):
        arrays = [a - 1 for a in arrays]
    if rule.function is np.ldexp:
        return (lambda x: np.ldexp(x, 3)), arrays[:1]
    return dd.relu if rule.function.__name__ == "positive_part" else rule.function, arrays


@each_rule
def test_elementwise(rule: Any) -> None:
    f, arrays = of_rule(rule)
    agree(f, arrays, [np.cos(a) for a in arrays])
    if len(arrays) == 2:
        agree(lambda x: f(x, arrays[1]), arrays[:1], [np.cos(arrays[0])])


def test_assignment_and_views() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[1:] = x[:-1] * x[0]
        y[0] = 3.0
        z = y.reshape(2, 2)
        z[:, 1] *= x[:2]
        y += x
        return y, z.T

    agree(f, [np.array([1.0, 2.0, 3.0, 4.0])], [np.array([0.5, -1.0, 2.0, 0.1])])
