"""Kinks: what is done where a primitive is not smooth, and where that happens.

Away from the default, in a context of `kinks`, each primitive that has a line in `KINKS` (see rules/nonsmooth.py) is
looked at before its rule is applied, and so are jumps and comparisons; outside of one nothing here is called. The
engine asks `if kinks.active:`.

The lexicographic rule is a single one. A primitive with a kink is positively homogeneous there: at a tie,
max(c + u, c + v) = c + max(u, v). So its lexicographic directional derivative along t_1, ..., t_p is found by
evaluating the partial derivatives of the table not at the operands, but at the tangents of the first direction that
leaves the kink. Functions that put elements in order compare (value, t_1, ..., t_p) lexicographically. The chain rule
then holds exactly, and the identity's directions give an element of the generalised Jacobian (Nesterov 2005; Khan and
Barton, "A vector forward mode of automatic differentiation for generalized derivative evaluation", Optim. Methods
Softw. 30, 2015).

In nested derivatives the point itself is moved by the outer directions, and the inner ones are infinitely shorter: the
order is (value, outer tangents, own tangents). Where outer tangents do not leave a kink that own ones do, second-order
terms would decide, which nobody has: that is refused.
"""

from __future__ import annotations

import contextlib
import operator
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from opcode import opmap
from typing import Any, NamedTuple

import numpy as np

from .errors import KinkError, KinkWarning, place, user_call, user_line
from .making import constant
from .mathematics import ARRAY
from .number import Number
from .table import KINKS, Elementwise, Kink, axes_of
from .tangents import Structured, hush, unhush
from .values import in_memory, like_key, plain, shape_of, to_array

__all__ = ["NonsmoothPoint", "kinks"]

_MODES = ("subgradient", "lexicographic", "warn", "raise")


class NonsmoothPoint(NamedTuple):
    """A place where f, on its way, was at or near a point where a primitive is not smooth; `str` gives one line."""

    primitive: str  # as "np.maximum"
    kind: str  # "kink", "jump", "branch" (a comparison) or "singular" (a slope that is infinite or NaN)
    file: str
    line: int
    element: tuple[int, ...]  # index into the primitive's result; () for a number
    distance: float  # what vanishes at the kink, with its sign: x for abs, x - y for maximum, ...
    operands: tuple[Any, ...]  # their values at this element

    def cells(self) -> list[str]:
        """The user's line, the primitive with its operands, the kind, and the distance."""
        at = f"[{', '.join(map(str, self.element))}]" if self.element else ""
        values = ", ".join(f"{v:.6g}" for v in self.operands)
        where = place(self.file, self.line) if "ipykernel_" in self.file else f"{self.file}:{self.line}"
        return [where, f"{self.primitive}({values}){at}", self.kind, f"{self.distance:.6g}"]

    def __str__(self) -> str:
        return "{}  {}  {} at distance {}".format(*self.cells())


class Compared(NamedTuple):
    """A comparison of numbers with tangents, as a run in mode "compared" notes it."""

    tag: Any  # of the call that the numbers belong to
    gap: float  # how far they are apart
    file: str
    line: int
    names: dict[str, Any]  # the globals of the code there
    scipy: str  # the function of scipy.optimize that compares, and where it was called; else empty


# ---------------------------------------------------------------- the mode


class _State:
    """A mode that is not the default. While one exists, in any context of any thread, the primitives are watched."""

    def __init__(self, mode: str, tol: float = 0.0) -> None:
        self.mode, self.tol, self.points = mode, tol, []  # type: tuple[str, float, list[Any]]
        _count(1)
        weakref.finalize(self, _count, -1).atexit = False  # tasks started here may outlive the with statement


STATE: ContextVar[_State | None] = ContextVar("dualdiff.kinks", default=None)
_lock, _states = threading.RLock(), 0
active = False  # whether there are states: the engine's paths without one pay no more than a look at this


def _count(change: int) -> None:
    global active, _states
    with _lock:
        _states += change
        active = _states > 0


def kinks(mode: str) -> contextlib.AbstractContextManager[None]:
    """What derivatives do at a kink, in a with statement; by threads and asynchronous tasks each for itself.

    >>> import dualdiff as dd
    >>> f = lambda x: dd.relu(x) - dd.relu(-x)
    >>> dd.derivative(f)(0.0)
    0.0

    Parameters
    ----------
    mode : {"subgradient", "lexicographic", "warn", "raise"}
        "subgradient" is the default: the centre of the subdifferential. "lexicographic": ties are decided by the
        tangents, direction by direction, so that `jvp` is the exact one-sided directional derivative and a Jacobian
        an element of the generalised Jacobian, also of a composition. Builtin `max`, `min` and `sorted` of numbers
        follow. "warn" computes as the default does and issues a `KinkWarning` at the user's line where a kink, a jump
        or a comparison is met exactly; "raise" raises `KinkError` there.

    Raises
    ------
    ValueError
        If there is no such mode.
    KinkError
        In mode "raise"; and in mode "lexicographic" at what can't be ordered: a comparison, `argmax` or `argsort` at a
        tie that comes out otherwise a step along the tangents, since these look at values only; equal eigenvalues,
        `std` of equal numbers, tangents that are NaN, or have no order (reverse mode, `taylor`).

    Notes
    -----
    A lexicographic Jacobian needs the order of all directions: its sweep carries all at once, whatever the chunk size.
    `derivative` with a tuple of arguments makes a pass for each: each is one-sided by itself.

    Examples
    --------
    >>> with dd.kinks("lexicographic"):
    ...     dd.derivative(f)(0.0)
    1.0
    """
    if mode not in _MODES:
        raise ValueError(f"kinks: mode must be one of {', '.join(map(repr, _MODES))}, not {mode!r}")
    return within(mode, 0.0)


@contextlib.contextmanager
def within(mode: str, tol: float) -> Iterator[None]:
    token = STATE.set(None if mode == "subgradient" else _State(mode, tol))
    try:
        yield
    finally:
        STATE.reset(token)


def watching() -> bool:
    """Whether a mode other than the default is active."""
    return STATE.get() is not None


def lexicographic() -> bool:
    """Whether ties are to be decided by the tangents: sweeps then need dense ones, all directions at once."""
    state = STATE.get()
    return state is not None and state.mode == "lexicographic"


# ---------------------------------------------------------------- what is met


def met(function: Any, distance: Any, *operands: Any, kind: str = "kink", ordered: bool = True, why: str = "") -> None:
    """Report where a distance is 0 or small; in lexicographic mode raise for what can't be `ordered`, saying why."""
    state = STATE.get()
    if state is None or state.mode == "compared" or (state.mode == "lexicographic" and ordered):
        return
    d = to_array(plain(distance))
    with np.errstate(all="ignore"):
        near = np.abs(d) <= state.tol
    if not near.any():
        return
    called, frame = user_call()
    name = _name(called or function)
    points = [tuple(map(int, point)) for point in np.argwhere(near)]
    values = [np.broadcast_to(plain(x), d.shape) for x in operands]
    if state.mode == "find":
        file, line = ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
        for at in points:
            numbers = tuple(_number(v[at]) for v in values)
            state.points.append(NonsmoothPoint(name, kind, file, line, at, _number(d[at]), numbers))
        return
    shown = ", ".join(f"{_number(v[points[0]]):.6g}" for v in values)
    text = f"{name}({shown})" if shown else name
    text += f" is at a {kind}" + (f", element {list(points[0])}" if d.ndim else "")
    text += f" and {len(points) - 1} more" if len(points) > 1 else ""
    if state.mode == "warn" and frame is not None:
        registry = frame.f_globals.setdefault("__warningregistry__", {})
        module = frame.f_globals.get("__name__")
        warnings.warn_explicit(text, KinkWarning, frame.f_code.co_filename, frame.f_lineno, module, registry)
    elif state.mode != "warn":
        raise KinkError(f"{text}{user_line()}" + (f": {why}" if why else ""))


def _number(x: Any) -> Any:
    return x.item() if in_memory(x) else float(x)


def _name(function: Any) -> str:
    if function in COMPARE.values():
        return "a comparison"
    if function.__name__ == "positive_part":
        return "dd.relu"
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{function.__name__}".replace("numpy.", "np.")


def watch(rule: Any, operands: Sequence[Any], **options: Any) -> Any:
    """The rule to apply to these operands: called before every elementwise function and jump while `active`."""
    state = STATE.get()
    if state is None:
        return rule
    if state.mode == "compared":
        if rule in COMPARE.values():
            state.points.append(_compared(*operands))
        return rule
    elementwise = isinstance(rule, Elementwise)
    function = rule.function if elementwise else rule
    kink = KINKS.get(function)
    nested = any(isinstance(x, Number) and isinstance(x.value, Number) for x in operands)
    if kink is None:
        if state.mode == "find" and elementwise and not nested:
            _singular(rule, operands)
        elif function in (np.argmax, np.argmin, np.argsort):
            _check_places(function, *operands, **options)
    elif state.mode == "lexicographic" and kink.kind == "kink":
        return _piece(rule, kink, [_operand(x) for x in operands])
    elif not (nested and elementwise):  # the value of a nested derivative comes here by itself
        values = [to_array(plain(x)) for x in (*operands, *options.values())[: _arity(kink)]]
        met(function, _distance(kink, values), *values, kind=kink.kind)
        if state.mode == "lexicographic" and kink.kind == "branch":
            at = leave(kink, [_operand(x) for x in operands], function)
            if at is not None and np.any(function(*map(plain, at)) != function(*values)):
                raise _branch(function)
    return rule


def _operand(x: Any) -> Any:
    return x if isinstance(x, Number) else constant(x)


COMPARE = {operator.lt: np.less, operator.le: np.less_equal, operator.gt: np.greater, operator.ge: np.greater_equal}


def compare(operation: Any, x: Any, other: Any) -> Any:
    """A comparison operator while `active`. Where builtin max, min or sorted use it they may order ties by tangents."""
    caller, function = sys._getframe(2), COMPARE[operation]
    values = x.value, other.value if isinstance(other, Number) else other
    package = caller.f_globals.get("__name__", "").partition(".")[0]
    state = STATE.get()
    if state is None or package == "dualdiff":  # our own comparisons are not meant
        return operation(*values)
    if state.mode == "compared":
        state.points.append(_compared(x, other))
        return operation(*values)
    written = caller.f_code.co_code[caller.f_lasti] == opmap["COMPARE_OP"]  # and no call of a builtin
    if not written and not shape_of(x) and not shape_of(other):
        pair = (x, _operand(other))
        met(function, plain(x) - plain(pair[1]), *map(plain, pair))
        at = leave(KINKS[np.maximum], pair, function) if lexicographic() else None
        return operation(*values) if at is None else bool(function(*map(plain, at)))
    watch(function, (x, other))
    return operation(*values)


def _compared(x: Any, other: Any) -> Compared:
    frame: Any = user_call()[1]
    file, line, names = frame.f_code.co_filename, frame.f_lineno, frame.f_globals
    name = ""
    while frame is not None and frame.f_globals.get("__name__", "").startswith(("scipy.optimize", "dualdiff.rules")):
        public = frame.f_code.co_name
        known = hasattr(sys.modules["scipy.optimize"], public)
        name = f"scipy.optimize.{public}" if known else name or "a function of scipy.optimize"
        frame = frame.f_back
    if name and frame is not None:
        name += f" (at {place(frame.f_code.co_filename, frame.f_lineno)})"
    gap = np.max(np.abs(np.subtract(plain(x), plain(other))), initial=0.0)
    return Compared(max(getattr(x, "_tag", 0), getattr(other, "_tag", 0)), float(gap), file, line, names, name)


def _branch(function: Any) -> KinkError:
    return KinkError(
        f"{_name(function)} at a tie{user_line()}: it looks at values only, and comes out otherwise a step along the "
        "tangents; write np.maximum, np.minimum, np.abs, np.sort, ..., or give it dd.value(x) if this branch is right"
    )


def _check_places(function: Any, a: Any, axis: Any = None, *_: Any, **options: Any) -> None:
    """Refuse argmax, argmin, argsort at a tie that the tangents would decide otherwise."""
    axis = -1 if axis is None and function is np.argsort else axis  # their defaults
    places = ranks(a, axis, function) if lexicographic() else None
    if places is not None and np.any(function(places, axis) != function(plain(a), axis)):
        raise _branch(function)


def _singular(rule: Elementwise, operands: Sequence[Any]) -> None:
    """Report where operands and value are finite and a slope is not."""
    values = [to_array(plain(x)) for x in operands]
    if any(v.dtype.kind not in "fiub" for v in values):
        return

    token = hush()
    try:
        y = to_array(rule.function(*values))
        bad = np.zeros(y.shape, bool)
        for x, partial in zip(operands, rule.partials):
            if isinstance(x, Number) and not isinstance(partial, int):
                bad |= ~np.isfinite(partial(ARRAY, *[v[()] for v in values], y[()]))
    finally:
        unhush(token)
    for v in (*values, y):
        bad &= np.isfinite(v)
    if bad.any():
        met(rule.function, np.where(bad, 0.0, np.nan), *values, kind="singular")


# ---------------------------------------------------------------- the lexicographic order


def _arity(kink: Kink) -> int:
    return int(kink.distance.__code__.co_argcount)


def _distance(kink: Kink, values: Sequence[Any]) -> Any:
    with np.errstate(all="ignore"):
        return to_array(kink.distance(*values))


def _piece(rule: Elementwise, kink: Kink, operands: Sequence[Any]) -> Elementwise:
    """The rule with its partial derivatives taken on the piece that the tangents enter."""
    at = leave(kink, operands, rule.function)
    if at is None:
        return rule
    y = rule.function(*at)
    partials = [p if isinstance(p, int) else _taken(p, (*at, y)) for p in rule.partials]
    return rule._replace(partials=tuple(partials))


def _taken(partial: Callable[..., Any], at: Sequence[Any]) -> Callable[..., Any]:
    return lambda m, *_: partial(m, *at)


def leave(kink: Kink, operands: Sequence[Any], function: Any, whole: bool = False) -> list[Any] | None:
    """The operands' values, at a kink replaced by their tangents in the first direction that leaves it, where the
    distance is not 0; None where no element is at a kink. With `whole` the distance is not one of each element."""
    tag = max(x._tag for x in operands if isinstance(x, Number))
    values = [x.value if isinstance(x, Number) and x._tag == tag else x for x in operands]
    nested, count = any(isinstance(v, Number) for v in values), _arity(kink)
    zero = _distance(kink, [to_array(plain(v)) for v in values[:count]]) == 0
    if not zero.any():
        return None
    at: Any = ... if whole else zero  # only the elements at a kink need their tangents looked at
    elements = [like_key(np.broadcast_to(x, zero.shape), (zero,))[at] for x in operands[:count]]
    rows, outer, later = _directions(elements, zero[at].shape)
    steps = _distance(kink, rows)
    moves = (steps != 0) & zero[at]
    if nested:
        late = moves[outer:].any(axis=0) | ((_distance(kink, later) != 0).any(axis=0) & zero[at])
        if (kink.curved and moves.any()) or (late & ~moves[:outer].any(axis=0)).any():
            raise _nested(function)
    first = moves.argmax(axis=0)[None]
    moved = like_key(np.zeros(zero.shape, bool), (zero,))
    moved[at] = moves.any(axis=0)
    if np.isnan(np.take_along_axis(steps, first, 0)[0][moved[at]]).any():
        raise KinkError(f"{_name(function)} at a kink{user_line()}: its tangents are NaN, which can't be ordered")
    for k, r in enumerate(rows):
        new = like_key(np.zeros(zero.shape, r.dtype), (zero,))
        new[at] = np.take_along_axis(r, first, 0)[0]
        values[k] = np.where(moved, new, values[k])
    return [v[()] if isinstance(v, Number) else to_array(v)[()] for v in values]


def _nested(function: Any) -> KinkError:
    return KinkError(
        f"{_name(function)} at a kink in a nested derivative{user_line()}: the outer tangents don't tell which side of "
        "it they enter, so the outer derivative is not known to first order; differentiate beside the kink, or use "
        'kinks("subgradient")'
    )


def _directions(operands: Sequence[Any], shape: tuple[int, ...]) -> tuple[list[Any], int, list[Any]]:
    """For each operand its tangents of all levels, outer ones first, as rows of `shape`; how many rows are outer ones;
    and rows of the derivatives of its own tangents by outer variables."""
    levels = [_levels(x) for x in operands]
    tags = sorted({tag for level in levels for tag in level})
    rows = [_stacked(levels, tags, k, shape) for k in range(len(operands))]
    outer = sum(max(len(level[tag]) for level in levels if tag in level) for tag in tags[:-1])
    own = [x.tangent if isinstance(x, Number) and x._tag == tags[-1] else 0.0 for x in operands]
    later = [np.zeros((1, *shape))] * len(operands)
    if any(isinstance(t, Number) for t in own):
        many = len(rows[0]) - outer
        aligned = [(1,) * (len(shape) - len(shape_of(x))) + shape_of(x) for x in operands]
        own = [np.reshape(t, (-1, *s)) if isinstance(t, Number) else t for t, s in zip(own, aligned)]
        later = [m.reshape(-1, *shape) for m in _directions(own, (many, *shape))[0]]
    return rows, outer, later


def _levels(x: Any) -> dict[Any, Any]:
    """By tag: the tangents of a number and of its value, with the directions on a leading axis, also where one."""
    levels, n = {}, len(shape_of(x))
    while isinstance(x, Number):
        t = x.tangent
        if isinstance(t, Structured):
            try:
                t = t.dense()
            except NotImplementedError:
                raise KinkError(
                    f'kinks("lexicographic") at a kink{user_line()}: tangents that are recorded, or series, have no '
                    'order; use mode="forward"'
                ) from None
        t = to_array(plain(t))
        levels[x._tag] = t if t.ndim > n else t[None]
        x = x.value
    return levels


def _stacked(levels: Sequence[Any], tags: Sequence[Any], k: int, shape: tuple[int, ...]) -> Any:
    """The tangents of operand k, of all levels, as rows of `shape`; zeros where it has none."""
    rows = []
    for tag in tags:
        p = max(len(level[tag]) for level in levels if tag in level)
        t = levels[k].get(tag, np.zeros(p))
        t = t.reshape(t.shape[:1] + (1,) * (len(shape) + 1 - t.ndim) + t.shape[1:])
        rows.append(np.broadcast_to(t, (p, *shape)))
    return np.concatenate(rows)


def side(x: Any, function: Any) -> Any:
    """The sign of x in the lexicographic order, as a plain array: 0 only where x does not move either."""
    at = leave(KINKS[np.absolute], (x,), function)
    return np.sign(plain(x if at is None else at[0]))


def ranks(a: Any, axis: Any, function: Any, among: Any = True) -> Any:
    """The places of a's elements in the lexicographic order, ties with equal tangents at the same place; None where a
    has no ties along these axes, `among` the elements that matter."""
    v = to_array(plain(a))
    groups = np.arange(v.size).reshape(v.shape)
    for k in axes_of(axis, v.ndim):  # elements that are compared with each other have the number of the first of them
        groups = np.take(groups, [0], k)
    group = np.broadcast_to(groups, v.shape).ravel()
    order = np.lexsort((v.ravel(), group))
    matters = like_key(np.broadcast_to(among, v.shape).ravel(), (v,))
    same = _equal(group, order) & _equal(v.ravel(), order) & matters[order[1:]]
    if not isinstance(a, Number) or not same.any():
        return None
    (rows,), outer, later = _directions((a,), v.shape)
    rows, late = (like_key(t.reshape(len(t), -1), (v,)) for t in (rows, later[0]))
    if np.isnan(rows[:, order[1:][same]]).any() or np.isnan(rows[:, order[:-1][same]]).any():
        raise KinkError(f"{_name(function)} at a tie{user_line()}: its tangents are NaN, which can't be ordered")
    order = np.lexsort((*rows[::-1], v.ravel(), group))
    same = _equal(group, order) & _equal(v.ravel(), order) & matters[order[1:]]
    same &= _equal(rows[:outer], order).all(axis=0)
    equal = same & _equal(rows[outer:], order).all(axis=0)
    if isinstance(a.value, Number) and (same & ~(equal & _equal(late, order).all(axis=0))).any():
        raise _nested(function)
    places = like_key(np.empty(v.size, np.intp), (v,))
    places[order] = np.cumsum(np.concatenate([[0], ~equal]))
    return places.reshape(v.shape)


def _equal(x: Any, order: Any) -> Any:
    """Which neighbours in this order are equal, along the last axis."""
    x = like_key(x, (order,))
    return x[..., order[1:]] == x[..., order[:-1]]
