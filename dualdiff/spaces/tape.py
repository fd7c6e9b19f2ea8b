"""What the nodes of one recording share: copies of constants, element numbers, and the rows of a trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.number import Number
from ..core.tangents import numbered
from ..core.values import Shape


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
