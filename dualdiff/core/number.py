"""What a number with a tangent stores: its slots, the tag that says whose tangent it is, and how arrays share memory.

The engine works on these classes. The operators and NumPy's protocols stand on top of it, in dual.py, where the
classes that users meet are derived from these; the engine makes numbers of those classes (`concrete`).

A tag tells whose perturbation a tangent is. Each derivative call draws a fresh one, larger than those of the calls it
runs inside, so that in an operation the operands with the largest tag are the variables and all others constants; in
a nested derivative the value, and maybe the tangent, is a number of an outer call with a smaller tag.
"""

from __future__ import annotations

import itertools
from typing import Any

from .errors import tangent_loss

# ---------------------------------------------------------------- tags

_tags = itertools.count(1)
_running: dict[int, Any] = {}  # the tags of the calls that have not ended: the first loss in each, which f may swallow


def start() -> int:
    """A fresh tag for a derivative call, which must `end` it."""
    tag = next(_tags)
    _running[tag] = None
    return tag


def admit(tag: Any) -> None:
    """Let later calls be inside the one of this tag, which may come from another process."""
    global _tags
    if tag >= next(_tags):
        _tags = itertools.count(int(tag) + 1)


def end(tag: int) -> Any:
    """End a derivative call: the first error that told of a loss in it, or None."""
    return _running.pop(tag)


def note(x: Any, error: Exception) -> Exception:
    """Note that x had no derivative, for all calls that x belongs to: f may swallow the error."""
    while isinstance(x, Number):
        if _running.get(int(x._tag), error) is None:
            _running[int(x._tag)] = error
        x = x.value
    return error


def by_hand(outer: Any) -> Any:
    """The tag of a number made by `Dual(...)` out of numbers with the tag `outer`, or None.

    One perturbation further in than these, but outside the next derivative call: calls have whole numbers as tags.
    """
    return 0 if outer is None else outer + 1 / 1024


def of_a_call(tag: Any) -> bool:
    """Whether a tag belongs to a derivative call, or to a number made by hand inside of one."""
    return bool(tag >= 1)


def leaked(tag: Any) -> bool:
    """Whether the derivative call that a tag belongs to has ended."""
    return of_a_call(tag) and int(tag) not in _running


# ---------------------------------------------------------------- numbers


class Number:
    """A value and its tangent, of the derivative call with this tag."""

    __slots__ = ("_tag", "tangent", "value")
    _tag: Any
    value: Any
    tangent: Any
    # What the classes on top of the engine have, and what the engine uses of it.
    __array_function__: Any
    __getitem__: Any
    __setitem__: Any
    _finish: Any
    dtype: Any
    ndim: Any
    reshape: Any
    shape: Any

    def __init_subclass__(cls, role: str | None = None, **options: Any) -> None:
        """With a role, this is the class of which the engine makes numbers, arrays, or elements of arrays."""
        super().__init_subclass__(**options)
        if role is not None:
            setattr(concrete, role, cls)


class Concrete:
    """The classes of numbers that the engine makes."""

    __slots__ = ("array", "element", "scalar")


concrete: Any = Concrete()
new = object.__new__


class Link:
    """How an array is tied to others.

    A view keeps the array it was taken from and the moves that lead to it; its tangent is looked up again when the
    base has changed since. So tangents need not be views of each other's memory, nor arrays at all.
    """

    __slots__ = ("base", "held", "owned", "part", "steps", "version", "viewed", "views")

    def __init__(self, base: Any = None, steps: Any = (), version: int = 0) -> None:
        self.base = base  # None in an array of its own
        self.steps: tuple[tuple[tuple[int, ...], Any], ...] = steps  # the shape before each move, and the move
        self.version = version  # counts assignments
        self.part = False  # whether there is a real or an imaginary part among the steps
        self.viewed = False  # whether there are views
        self.owned = False  # whether nothing else uses the tangent's memory, so that it can be written to
        self.held = False  # whether a structured tangent uses the value's memory, which must not change then
        self.views: list[Any] | None = None  # weak references to views that have structured tangents


class NumberArray(Number):
    """An array and its tangents. A view's tangent is looked up again when its base has changed."""

    __slots__ = ("__weakref__", "_link", "_tangent")
    _tangent: Any
    _link: Link | None  # None until a view is taken or something is assigned

    @property
    def tangent(self) -> Any:  # type: ignore[override]
        link = self._link
        if link is not None and link.base is not None:
            root = link.base._link
            if root.version != link.version:
                t = link.base._tangent
                for shape, move in link.steps:
                    t = move.tangent(t, shape)
                self._tangent, link.version = t, root.version
        return self._tangent

    def root(self) -> NumberArray:
        """The array whose memory this one is or views, with a link."""
        if self._link is None:
            self._link = Link()
        return self if self._link.base is None else self._link.base

    def hold(self) -> None:
        """Note that a structured tangent keeps the value's memory: the next assignment goes to a copy.

        Only for an array whose tangent is structured, or that is new: the views of others are not known.
        """
        if self._link is None:
            self._link = Link()
        (self._link if self._link.base is None else self._link.base._link).held = True

    def release(self) -> None:
        """Leave the value's memory to those that keep it; the array and its views go on with a copy."""
        link: Any = self._link
        link.held, self.value = False, self.value.copy(order="K")
        link.views = [ref for ref in link.views or () if ref() is not None]
        for view in [ref() for ref in link.views]:
            view.value = self.value
            for _, step in view._link.steps:
                view.value = step.move(view.value)


class ElementNumber(Number):
    """An element of an array of objects, looked up in a copy of the array it came from when it is used as a number.

    Where NumPy's array would share that one's memory, it may be used only until the next assignment there.
    """

    __slots__ = ("_array", "_at", "_found", "_seen")
    _array: Any
    _at: int
    _found: Any
    _seen: tuple[Link, int] | None  # the link of the array it came from, and its version

    def _find(self) -> Any:
        if self._found is None:
            self._found = self.source()[self._at]
        elif self._seen is not None:
            self.source()
        return self._found

    def source(self) -> Any:
        """The array that the element is looked up in."""
        if self._seen is not None and self._seen[0].version != self._seen[1]:
            raise note(self._array, tangent_loss("np.asarray(x), used after an assignment to x,"))
        return self._array

    value = property(lambda self: self._find().value)  # type: ignore[assignment]
    tangent = property(lambda self: self._find().tangent)  # type: ignore[assignment]


def share(x: Any) -> None:
    """Note that x's tangent is used elsewhere too: the next assignment to x copies it first."""
    if isinstance(x, NumberArray) and x._link is not None:
        x.root()._link.owned = False  # type: ignore[union-attr]
