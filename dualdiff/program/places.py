"""Where elements come from: the indices of views, the parts of concatenations, and of zeros that are put together."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .recording import Step


class At(NamedTuple):
    """An index: scale * i + offset, where i is the index over an axis; or the offset alone."""

    axis: int | None
    scale: int
    offset: int

    def of(self, scale: int, offset: int) -> At:
        return At(self.axis, scale * self.scale, scale * self.offset + offset)


ZERO = At(None, 0, 0)


class Place(NamedTuple):
    """What lies along an axis of an array: at `start + step * j` element j of a part's axis, from `first` to `stop`."""

    axis: int | None
    start: int
    step: int
    first: int
    stop: int


class Piece(NamedTuple):
    """A part of an array, of this shape, and its places along the array's axes."""

    x: Any
    shape: tuple[int, ...]
    places: tuple[Place, ...]

    def ranges(self) -> list[tuple[int, int]]:
        """Which of the part's elements it is."""
        found = whole(self.shape)
        for p in self.places:
            if p.axis is not None:
                found[p.axis] = p.first, p.stop
        return found

    def lies_upon(self, other: Piece) -> bool:
        """Whether each of its elements goes to the place of the other's element of the same indices."""
        same = all(p._replace(first=q.first, stop=q.stop) == q for p, q in zip(self.places, other.places))
        return same and all(q.first <= p.first and p.stop <= q.stop for p, q in zip(self.places, other.places))


def whole(shape: Sequence[int]) -> list[tuple[int, int]]:
    return [(0, n) for n in shape]


def strided(form: Any) -> bool:
    """Whether pieces lie in an array with gaps between their elements."""
    return type(form) is list and any(abs(p.step) > 1 for x in form for p in x.places)


def within(i: At, p: Place) -> tuple[At, int, int]:
    """An index of an array as one of a piece, and the range in which it is one."""
    if p.axis is None:
        return i, p.start, p.start + 1
    return i.of(p.step, -p.step * p.start), p.first, p.stop


def along(steps: Sequence[int], lengths: Sequence[int], shape: Sequence[int]) -> list[tuple[int, int] | None] | None:
    """Over which axis of an array, and how far, each axis of a part goes, by its steps through the array's elements."""
    sizes = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    found: list[tuple[int, int] | None] = []
    for step, n in zip(steps, lengths):
        fits = [k for k, size in enumerate(sizes) if step % size == 0 and abs(step) // size * (n - 1) < shape[k]]
        if n == 1 or step == 0:
            found.append(None)
        elif not fits:
            return None
        else:
            found.append((fits[0], step // sizes[fits[0]]))
    axes = [x[0] for x in found if x]
    return found if len({*axes}) == len(axes) else None


def indices(s: Step, shape: tuple[int, ...]) -> tuple[At, ...] | None:
    """The operand's indices of an element that a step looks up, found by the step itself on an array without values."""
    keys = s.args[1] if s.args[1:] and type(s.args[1]) is tuple else s.args[1:]
    if s.function is operator.getitem and not all(isinstance(k, int | slice | type(None) | type(...)) for k in keys):
        return None
    blank = np.empty(shape, np.int8)
    made = s.function(blank, *s.args[1:], **s.kwargs)
    if not np.may_share_memory(made, blank) or made.shape != s.value.shape:
        return None
    found = along(made.strides, made.shape, shape)
    if found is None:
        return None
    start = np.unravel_index(made.__array_interface__["data"][0] - blank.__array_interface__["data"][0], shape)
    at = [At(None, 0, int(k)) for k in start]
    for axis, place in enumerate(found):
        if place:
            at[place[0]] = At(axis, place[1], at[place[0]].offset)
    return tuple(at)


def put(s: Step, of: tuple[int, ...]) -> list[Piece] | None:
    """Elements put to places of zeros, where these are evenly spaced, but for some at the ends that are dropped."""
    x, numbers, shape = s.args
    numbers, lead = np.asarray(numbers), s.value.shape[: s.value.ndim - len(shape)]
    kept: list[Any] = [np.unique(k) for k in np.nonzero(numbers)] if numbers.ndim else []
    if not numbers.any() or (of and of != lead + numbers.shape):
        return None
    ends = [(int(k[0]), int(k[-1]) + 1) for k in kept]
    numbers = np.asarray(numbers[tuple([slice(*e) for e in ends])] - 1)
    first = int(numbers.flat[0])
    steps = [int(numbers.take(1, k).flat[0]) - first if n > 1 else 0 for k, n in enumerate(numbers.shape)]
    grid: Any = np.indices(numbers.shape, sparse=True)
    even = first + sum(d * k for d, k in zip(steps, grid))
    found = along(steps, numbers.shape, shape) if np.array_equal(numbers, even) and first >= 0 else None
    if found is None or any(place is None and n > 1 for place, n in zip(found, np.shape(s.args[1]))):
        return None
    corner: Any = np.unravel_index(first, shape)
    places = [Place(None, int(c), 1, 0, 1) for c in corner]
    for k, place in enumerate(found):
        if place:
            axis, step = place
            places[axis] = Place(len(lead) + k, places[axis].start - step * ends[k][0], step, *ends[k])
            if not 0 <= places[axis].start + step * (ends[k][1] - 1) < shape[axis]:
                return None  # on over the end of a row
    return [Piece(x, (*lead, *np.shape(s.args[1])), (*[Place(k, 0, 1, 0, n) for k, n in enumerate(lead)], *places))]


def joined(s: Step, shapes: Sequence[tuple[int, ...]]) -> list[Piece] | None:
    """The parts of a concatenation."""
    axis = s.args[1] if len(s.args) > 1 else s.kwargs.get("axis", 0)
    if len(s.args) > 2 or not isinstance(axis, int) or {*s.kwargs} - {"axis"}:
        return None
    axis, start, pieces = axis % s.value.ndim, 0, []
    for x, shape in zip(s.args[0], shapes):
        places = [Place(k, start * (k == axis), 1, 0, n) for k, n in enumerate(shape)]
        pieces.append(Piece(x, shape, tuple(places)))
        start += shape[axis]
    return pieces


def added(pieces: Sequence[Piece], shape: tuple[int, ...]) -> list[bool] | None:
    """Which pieces lie upon an earlier one, element on element; None if pieces overlap in other ways."""
    seen = np.zeros(shape, np.uint8)
    upon = []
    for k, piece in enumerate(pieces):
        upon.append(any(map(piece.lies_upon, pieces[:k])))
        ends = [(p.start + p.step * p.first, p.start + p.step * (p.stop - 1), p.step) for p in piece.places]
        seen[tuple([slice(min(a, b), max(a, b) + 1, abs(d)) for a, b, d in ends])] += not upon[-1]
    return upon if (seen < 2).all() else None
