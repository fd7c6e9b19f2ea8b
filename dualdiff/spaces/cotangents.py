"""What the nodes of a recording share, and cotangents on their way upstream through the program it is.

Zeros. Forward mode lets a tangent that is exactly 0 stay 0 against an infinite slope, and gives NaN where an infinite
tangent meets a slope of 0. Read from the other end: a weight of 0 stops an infinite cotangent, and a cotangent of 0
stays 0 against an infinite weight only if it is structural: the seed was 0 there, or a branch was not taken. A 0 that
came from a slope of 0 gives NaN. Which it is, is looked up only where such a weight is met (`Cotangents.active`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from ..core.number import Number
from ..core.tangents import finite, hush, numbered, summed, unhush
from ..core.values import Shape, is_complex, plain, shape_of


class Tape:
    """What the nodes of one recording share; it knows no node, so that unused ones are freed at once."""

    __slots__ = ("complex", "constants", "numbers", "rows")

    def __init__(self, rows: list[Any] | None = None) -> None:
        self.complex = False  # whether there are complex values
        self.constants: dict[int, tuple[Any, Any]] = {}
        self.numbers: dict[Shape, Any] = {}
        self.rows = rows  # where each primitive is noted with its operands and result, if that is wanted

    def keep(self, w: Any) -> Any:
        """A copy of a constant that its owner may change later; the same copy as long as it has not been changed."""
        if w.size <= 64 or isinstance(w, Number):
            return w.copy()
        have = self.constants.get(id(w))
        if have is None or have[0] is not w or not np.array_equal(have[1], w):
            have = self.constants[id(w)] = (w, w.copy())
        return have[1]

    def numbered(self, shape: Shape) -> Any:
        """`tangents.numbered`, made once for each shape."""
        numbers = self.numbers.get(shape)
        if numbers is None:
            numbers = self.numbers[shape] = numbered(shape)
            numbers.flags.writeable = False
        return numbers


class Cotangents:
    """The cotangents of nodes while a pullback walks upstream: gradients accumulate where paths meet.

    The walk is first made without a look at zeros. What is not finite stays so up to the leaves: if it shows there, the
    walk is made again, with `careful`.
    """

    def __init__(
        self,
        outputs: Sequence[Any],
        seeds: Sequence[Any],
        nodes: Sequence[Any],
        careful: bool = False,
        masks: bool = False,
    ) -> None:
        self.outputs, self.seeds, self.nodes, self.careful = outputs, seeds, nodes, careful
        self.masks = masks  # whether only to find out where a cotangent is not structurally zero
        self.of: dict[Any, Any] = {}
        self.owned: set[Any] = set()
        self.visited: dict[Any, Any] | None = {} if masks else None
        self._active: dict[Any, Any] | None = None

    def run(self) -> Cotangents:
        token = hush()
        try:
            return self._run()
        finally:
            unhush(token)

    def _run(self) -> Cotangents:
        for node, seed in zip(self.outputs, self.seeds):
            if node is not None and seed is not None:
                self.add(node, (plain(seed) != 0) * 1.0 if self.masks else seed)
        for node in self.nodes:
            if not node.parents:
                continue
            ct = self.of.pop(node, None)
            if ct is None:
                continue
            if self.masks:
                ct = (ct > 0) * 1.0
            elif self.careful and not np.any(self.active(node)):
                continue
            elif not node.complex and node.tape.complex:
                ct = real(ct)
            if self.visited is not None:
                self.visited[node] = ct
            node.pull(ct, self.visited is None and node in self.owned, self)
        return self

    def finite(self, nodes: Iterable[Any]) -> bool:
        token = hush()
        try:
            return all(finite(self.of[n]) for n in nodes if n in self.of)
        finally:
            unhush(token)

    def add(self, node: Any, ct: Any, ours: bool = False) -> None:
        have = self.of.get(node)
        if have is None:
            self.of[node] = ct
            if ours:
                self.owned.add(node)
        elif node in self.owned and alike(have, ct):
            np.add(have, ct, out=have)
        else:
            self.of[node] = have + ct
            self.owned.add(node)

    def room(self, node: Any, shape: Shape, dtype: Any) -> Any:
        """The node's own array of cotangents, to add into: C-contiguous, so that its reshapes are views."""
        have = self.of.get(node)
        if have is None:
            have = self.of[node] = np.zeros(shape, dtype)
        elif node not in self.owned or have.dtype != dtype or not have.flags.c_contiguous:
            have = self.of[node] = np.array(np.broadcast_to(have, shape), np.result_type(have, dtype), order="C")
        self.owned.add(node)
        return have

    def active(self, node: Any) -> Any:
        """Where the node's cotangent is not a structural zero."""
        if self._active is None:
            self._active = Cotangents(self.outputs, self.seeds, self.nodes, True, masks=True).run().visited or {}
        return self._active[node] > 0


def alike(a: Any, b: Any) -> bool:
    return type(a) is type(b) is np.ndarray and a.shape == b.shape and a.dtype == b.dtype


def real(ct: Any) -> Any:
    """The part of a cotangent that belongs to a real value."""
    return ct.real if is_complex(ct) else ct


def order(outputs: Iterable[Any]) -> list[Any]:
    """All nodes that the outputs are computed from, the last first; no recursion, since chains may be long."""
    seen: set[Any] = set()
    todo = [n for n in outputs if n is not None]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo += node.parents
    return sorted(seen, key=attrgetter("serial"), reverse=True)


# ---------------------------------------------------------------- transposes


def unbroadcast(ct: Any, n: int, shape: Shape) -> Any:
    """Sum a cotangent with n axes, maybe behind one of directions, over what was broadcast from `shape`."""
    extra = n - len(shape)
    have = shape_of(ct)
    axes = tuple(range(-n, -len(shape))) if extra else ()
    axes += tuple(k for k in range(-len(shape), 0) if shape[k] == 1 != have[k])
    if not axes:
        return ct
    lead = len(have) - n
    return np.reshape(summed(ct, axes, keepdims=True), have[:lead] + shape) if lead or shape else np.sum(ct)
