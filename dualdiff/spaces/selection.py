"""Selections of directions, of which row-local tangents are made.

A selection is an array of the value's shape with the number, from 1, of the direction that each element picks; 0 picks
nothing. Wherever it can be it is *regular*, a view of one `arange`: then a slice of it costs nothing, and two of them
are compared by their first number and their strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..core.errors import places_lost
from ..core.values import Shape, in_memory

SHORT = 2000  # directions up to which single elements are dense at once: Python loops are faster so


class Space:
    """What the row-local tangents of one sweep share: the numbers of the n directions, and whether to stay sparse."""

    __slots__ = ("dtype", "keep", "n", "numbers", "short")

    def __init__(self, n: int, dtype: Any = float, keep: bool = False, short: int = SHORT) -> None:
        self.n, self.dtype, self.keep, self.short = n, np.dtype(dtype), keep, short
        self.numbers = np.arange(1, n + 1, dtype=np.int32 if n < 2**31 - 1 else np.int64)

    def weight(self, w: Any) -> Any:
        """A weight of at least the arguments' precision, since products with Python numbers keep its own."""
        if type(w) is np.ndarray and not w.ndim:
            w = w[()]
        if type(w) is np.float64 or type(w) is np.complex128:
            return w.item()  # Python's numbers multiply without warnings
        dtype = getattr(w, "dtype", self.dtype)
        if dtype is self.dtype or (dtype.kind in "fc" and np.result_type(dtype, self.dtype) == dtype):
            return w
        return w.astype(np.result_type(dtype, self.dtype))

    def none(self, shape: Shape) -> Any:
        """The selection of nothing."""
        return np.broadcast_to(self.numbers.dtype.type(0), shape)

    def view(self, shape: Shape, first: int, steps: Sequence[int]) -> Any:
        """The selection that starts with number `first` and advances by `steps` along the axes."""
        size = self.numbers.itemsize
        return np.ndarray(shape, self.numbers.dtype, self.numbers, (first - 1) * size, [s * size for s in steps])

    def regular(self, s: Any) -> bool:
        """Whether a selection is a view of the numbers: then it has the same step everywhere along an axis."""
        return bool(np.may_share_memory(s, self.numbers))

    def covered(self, s: Any, k: int) -> bool:
        """Whether the axes from k on run through all directions in order."""
        rest = s.shape[k:]
        if prod(rest) != self.n or not s.size or s.item(0) != 1 or not self.regular(s):
            return False
        return [x // s.itemsize for x in s.strides] == [0] * k + steps_of(rest)

    def tidy(self, s: Any) -> Any:
        """A selection as a view of the numbers, if it is equal to one."""
        if not in_memory(s):  # moved by indices of another kind
            raise places_lost(s)
        if type(s) is not np.ndarray:
            s = np.asarray(s, self.numbers.dtype)
        if s.size == 0 or self.regular(s):
            return s
        first, steps = s.item(0), []
        for k, d in enumerate(s.shape):
            steps.append(s.item((0,) * k + (1,) + (0,) * (s.ndim - k - 1)) - first if d > 1 else 0)
        ends = [(d - 1) * step for d, step in zip(s.shape, steps)]
        low, high = first + sum(e for e in ends if e < 0), first + sum(e for e in ends if e > 0)
        if low < 1 or high > self.n or s.item(s.size - 1) != first + sum(ends):
            return s
        view = self.view(s.shape, first, steps)
        return view if np.array_equal(view, s) else s

    def same(self, a: Any, b: Any) -> bool:
        """Whether two selections are equal."""
        if a is b:
            return True
        if a.shape != b.shape or not a.size or a.item(0) != b.item(0):
            return a.shape == b.shape and not a.size
        if a.strides == b.strides and self.regular(a) and self.regular(b):
            return True
        return a.item(a.size - 1) == b.item(b.size - 1) and np.array_equal(a, b)

    def target(self, shape: Shape, s: Any) -> tuple[int, list[int]] | None:
        """Where a regular selection's elements go in an array of `shape` and n directions: the first, and the steps.

        None if it is not regular, or if two elements go to one place.
        """
        if not self.regular(s):
            return None
        if not shape and s.ndim == 1 and s.size > 1:
            return s.item(0) - 1, [s.item(1) - s.item(0)]
        steps = [x // s.itemsize for x in s.strides]
        for k, step in enumerate(steps_of((*shape, self.n))[: len(shape)]):
            steps[k] += step
        return (s.item(0) - 1, steps) if distinct(s.shape, steps) else None

    def places(self, shape: Shape, s: Any) -> Any:
        """The numbers, from 1, of the places of a selection's elements in an array of `shape` and n directions."""
        return counted_on(shape, s, self.n)


def counted_on(lead: Shape, numbers: Any, size: int) -> Any:
    """Numbers from 1 to `size` counted on along the leading axes, which have as many elements each; 0 stays 0."""
    rows = np.arange(prod(lead)).reshape(lead + (1,) * (numbers.ndim - len(lead)))
    return np.where(numbers > 0, rows * size + numbers, 0)


def steps_of(shape: Shape) -> list[int]:
    """The strides of a C-contiguous array, in elements."""
    return [prod(shape[k + 1 :]) for k in range(len(shape))]


def distinct(shape: Shape, steps: Sequence[int]) -> bool:
    """Whether no two elements of an array with these strides share memory (a false alarm only costs time)."""
    reach = 0
    for s, d in sorted((abs(s), d) for s, d in zip(steps, shape) if d > 1):
        if s <= reach:
            return False
        reach += s * (d - 1)
    return True
