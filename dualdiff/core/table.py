"""The rule table itself: how a rule is written down, and where it is looked up.

Every public function that a `Dual` may meet is in exactly one of these:
- `ELEMENTWISE`  ufunc -> its partial derivatives, one aligned line each (see elementwise.py);
- `FUNCTIONS`    NumPy function -> a rule with that function's own signature, which returns a `Move`, a `Plan`, or, for
                 a function that is composed of others, simply the result;
- `PLAIN`        functions that look at values only: their result has no tangent, or derivative zero;
- `REFUSED`      functions that have no derivative here, each with its reason.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .tangents import gather, linear, scatter
from .values import Shape


class Elementwise(NamedTuple):
    """An elementwise function and its partial derivatives `partial(m, *operands, result)`.

    `m` holds the mathematics under NumPy's names: for arrays, or for Python floats on the fast path. In place of a
    function, the ints 1 and -1 cost no product, 0 is a structural zero. A partial returns an operand, the result, or an
    array made for the call, which may be overwritten. With `select` partials say which branch was taken.
    """

    function: Callable[..., Any]
    partials: tuple[Callable[..., Any] | int, ...]
    scalar: Callable[..., Any] | None = None  # the function on Python floats, without NumPy
    select: bool = False


class Move:
    """A function of one array that only moves, repeats or drops elements; see `tangents.gather`."""

    __slots__ = ("batched", "move", "operand")

    def __init__(self, operand: Any, move: Callable[[Any], Any], batched: Callable[[Any], Any] | None = None) -> None:
        self.operand = operand
        self.move = move
        self.batched = batched

    def tangent(self, t: Any, shape: Shape) -> Any:
        """The tangent of the result, for one of an operand of this shape."""
        return gather(t, shape, self.move, self.batched)


class Part(Move):
    """np.real or np.imag of a complex array: a view of it, though what it picks are no elements."""

    __slots__ = ()

    def tangent(self, t: Any, shape: Shape) -> Any:
        return linear(t, shape, self.move, self.back)

    def back(self, c: Any) -> Any:
        return np.real(c) + 0j if self.move is np.real else 1j * np.real(c)


class Plan:
    """A primitive: `value(*values)`, then `tangent(result, values, tangents)`, with None for an operand without one.

    For several results both return tuples; None among the tangents marks a result that has derivative zero.
    """

    __slots__ = ("operands", "tangent", "value")

    def __init__(
        self, operands: tuple[Any, ...], value: Callable[..., Any], tangent: Callable[[Any, Any, Any], Any]
    ) -> None:
        self.operands = operands
        self.value = value
        self.tangent = tangent


class Kink(NamedTuple):
    """Where a function is not smooth: `distance(*operands)`, of those operands on which that depends, is 0 there."""

    distance: Callable[..., Any]
    kind: str = "kink"  # "jump": the function is not continuous; "branch": a comparison
    curved: bool = False  # a kink at which the slopes vary with the direction continuously


ELEMENTWISE: dict[Callable[..., Any], Elementwise] = {}
COMPLEX: dict[Callable[..., Any], Callable[..., Plan]] = {}  # where the rule for complex operands is another one
FUNCTIONS: dict[Callable[..., Any], Callable[..., Any]] = {}
OUT: dict[Callable[..., Any], int] = {}  # where out= stands among the arguments of a function
REDUCE: dict[Callable[..., Any], Callable[..., Any]] = {}  # ufunc -> the function that its .reduce is
ACCUMULATE: dict[Callable[..., Any], Callable[..., Any]] = {}  # ufunc -> the function that its .accumulate is
KINKS: dict[Callable[..., Any], Kink] = {}  # where functions of ELEMENTWISE and PLAIN are not smooth
PLAIN: set[Callable[..., Any]] = set()
REFUSED: dict[Callable[..., Any], str] = {}


FOREIGN: dict[Callable[..., Any], Callable[..., Any]] = {}  # rules of operators with operands of other libraries
FINDERS: list[Callable[[Any], bool]] = []  # asked for functions that are not in the table, which they may add
# The lines of ELEMENTWISE that Python floats can do without NumPy: the function, and each partial derivative as one.
UNARY: dict[Callable[..., Any], tuple[Callable[..., Any], ...]] = {}
BINARY: dict[Callable[..., Any], tuple[Callable[..., Any], ...]] = {}


def register(line: Elementwise) -> None:
    """Add a line to the table."""
    ELEMENTWISE[line.function] = line
    if line.scalar is not None:
        partials = [p if callable(p) else lambda *_, slope=p: slope for p in line.partials]
        (UNARY if len(partials) == 1 else BINARY)[line.function] = (line.scalar, *partials)


def found(function: Any) -> bool:
    """Whether one of the finders has added a function that was not in the table."""
    return any(finder(function) for finder in FINDERS)


def rule(*functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the rule of NumPy functions that share its signature."""

    def register(written: Callable[..., Any]) -> Callable[..., Any]:
        names = written.__code__.co_varnames[: written.__code__.co_argcount]
        for function in functions:
            FUNCTIONS[function] = written
            if "out" in names:
                OUT[function] = names.index("out")
        return written

    return register


@rule(scatter)
def _scatter(t: Any, numbers: Any, shape: Shape) -> Plan:
    """The map of tangents, of numbers of an outer derivative."""
    return Plan((t,), lambda v: scatter(v, numbers, shape), lambda _, v, ts: scatter(ts[0], numbers, shape))


def axes_of(axis: Any, n: int) -> tuple[int, ...]:
    """The axis argument of a reduction as negative numbers, over which a leading axis of directions passes unseen."""
    if axis is None:
        return tuple(range(-n, 0))
    return (axis_of(axis, n),) if type(axis) is int else tuple(k - n for k in normalize_axis_tuple(axis, n))


def axis_of(axis: int, n: int) -> int:
    """One axis as a negative number; what is out of range raises NumPy's AxisError."""
    k = operator.index(axis)
    if not -n <= k < n:
        raise np.exceptions.AxisError(k, n)
    return k - n if k >= 0 else k


def ufunc_axes(axis: Any, n: int) -> tuple[int, ...]:
    """The same for the reduction of a ufunc, which takes 0 and -1 where there is no axis."""
    return axes_of(None if n == 0 and axis in (0, -1) else axis, n)
