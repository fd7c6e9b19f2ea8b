"""A tangent space that is no array: rules touch tangents only through the maps of tangents.py.

`Boxed` hides a dense tangent and offers nothing but the maps, so that a rule that adds, multiplies or indexes tangents
by itself fails. It stands for the spaces that keep structure or a record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import dualdiff as dd
from dualdiff.core import tangents
from dualdiff.core.tangents import LinearMap, Structured
from dualdiff.core.values import Shape, ndim
from dualdiff.run.call import Call
from tests.cases.tools import leaves


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

    def scatter(self, numbers: Any, shape: Shape) -> Boxed:
        return Boxed(tangents.scatter(self.box, numbers, shape))

    def linear(self, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Boxed:
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
    for value, box, expected in zip(values, boxes, leaves(due[1]), strict=True):
        got = np.zeros(np.shape(value)) if box is None else box.box
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-12)
