"""What callers may pass: functions, orders, positions of arguments, directions and cotangents; each checked here."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.making import numeric
from ..core.pytree import flatten_as
from ..core.values import is_complex, shape_of

Argnums = int | tuple[int, ...]
_STAR, _BEFORE, _EITHER = inspect.CO_VARARGS, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD


def check_function(name: str, f: Any, usage: str = "", what: str = "the first argument") -> None:
    if not callable(f):
        how = f"; write {usage}" if usage else ""
        raise TypeError(f"{name}: {what} must be a function, not {type(f).__name__}{how}")


def check_argnums(name: str, f: Any, argnums: Any) -> None:
    """What can be said of `argnums` before f is called; the usual 0 costs nothing."""
    code: Any = getattr(f, "__code__", None)
    takes_any = code is None or code.co_argcount or code.co_flags & _STAR
    if not takes_any and code.co_kwonlyargcount and not f.__kwdefaults__:
        x = code.co_varnames[0]
        raise TypeError(f"{name}: f takes keywords only; write dd.{name}(lambda {x}: f({x}={x}))({x})")
    if type(argnums) is int and argnums == 0:
        return
    meant = f"; did you mean dd.{name}(f)({argnums if isinstance(argnums, int | float) else 'x'})?"
    numbers = as_ints(name, argnums, meant)
    try:
        kinds = [p.kind for p in inspect.signature(f, follow_wrapped=False).parameters.values()]
    except (TypeError, ValueError):  # some functions written in C don't tell
        return
    count = sum(kind in (_BEFORE, _EITHER) for kind in kinds)
    if inspect.Parameter.VAR_POSITIONAL not in kinds and any(not -count <= k < count for k in numbers):
        takes = f"f takes {count} positional argument{'s' * (count != 1)}"
        raise ValueError(f"{name}: argnums={argnums!r}, but {takes}{meant if isinstance(argnums, int) else ''}")


def as_ints(name: str, argnums: Any, meant: str = "") -> tuple[int, ...]:
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    try:
        return tuple(operator.index(k) for k in wanted)
    except TypeError:
        given = repr(argnums) if np.size(argnums) == 1 else f"of type {type(argnums).__name__}"
        raise TypeError(f"{name}: argnums must be an int or a tuple of ints, not {given}{meant}") from None


def check_order(name: str, order: Any) -> int:
    """How many times to differentiate, as an int."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
        raise ValueError(f"{name}: order must be an int >= 0, not {order!r}")
    return int(order)


def positions(name: str, argnums: Argnums, count: int) -> tuple[int, ...]:
    """`argnums` as positions from 0 on among so many arguments."""
    if type(argnums) is int and 0 <= argnums < count:
        return (argnums,)
    numbers = as_ints(name, argnums)
    for k in numbers:
        if not -count <= k < count:
            raise ValueError(
                f"{name}: argnums={argnums!r}, but f was called with {count} positional argument{'s' * (count != 1)}; "
                f"what is to be differentiated must be passed by position, as in dd.{name}(lambda x: f(x=x))(x)"
            )
    numbers = tuple(k % count for k in numbers)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name}: argnums={argnums!r} names an argument twice")
    return numbers


def fitting(
    name: str, what: str, given: Any, owner: str, tree: Any, leaves: Sequence[Any], batched: bool = False
) -> tuple[list[Any], tuple[int, ...]]:
    """The leaves of a tangent or cotangent `given` for its owner, a container `tree` of `leaves`; and leading axes.

    Structure and shapes must be the owner's. If `batched` all leaves may have one leading axis more.
    """
    try:
        parts = [numeric(v, f"{name}: {what}") for v in flatten_as(tree, given)]
    except ValueError as error:
        raise ValueError(f"{name}: {what} has another structure than {owner}: {error}") from None
    lead = shape_of(parts[0])[:1] if batched and parts and len(shape_of(parts[0])) > len(shape_of(leaves[0])) else ()
    for part, leaf in zip(parts, leaves):
        if shape_of(part) != lead + shape_of(leaf):
            more = " (or one leading axis more, in all of them)" if batched else ""
            raise ValueError(f"{name}: {what} has shape {shape_of(part)}, {owner} {shape_of(leaf)}{more}")
        if is_complex(part) and not is_complex(leaf):
            raise TypeError(f"{name}: {what} is complex but {owner} is real; make {owner} complex if that is meant")
    return parts, lead
