"""Applying the elementwise lines of the table: to Python floats, arrays with dense tangents, and structured ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules import COMPLEX, ELEMENTWISE
from ..rules.elementwise import ARRAY, SCALAR
from . import dual, engine
from .dual import Dual, DualArray, _new
from .making import _array, _wrap, numeric
from .table import Elementwise, shape_of
from .tangents import Structured, combine, expand, finite, hush, ndim, scale, unhush

NONE: dict[str, Any] = {}


def _callable(partial: Any) -> Any:
    return partial if callable(partial) else lambda *_: partial


# The elementwise functions that Python's own floats can do, without NumPy.
_scalar = {f: (r.scalar, *map(_callable, r.partials)) for f, r in ELEMENTWISE.items() if r.scalar is not None}
UNARY = {f: r for f, r in _scalar.items() if len(r) == 2}
BINARY = {f: r for f, r in _scalar.items() if len(r) == 3}
CHOICES = {f for f, r in ELEMENTWISE.items() if r.select}
dual._unary, dual._binary = UNARY.get, BINARY.get


def scaled(function: Any, t: Any, w: Any) -> bool:
    """Whether t, directions times the weight w, needed no look at zeros."""
    return w - w == 0 and (function not in CHOICES or finite(t))


def scalar_call(function: Any, a: Any, b: Any) -> Any:
    """A function of two plain floats, one of them at least with a tangent; None where NumPy must decide."""
    operands = a, b
    da = db = None
    tag = -1
    if type(a) is Dual:
        da, tag, a = a.tangent, a._tag, a.value
    if type(b) is Dual:
        if b._tag != tag and da is not None:
            return None
        db, tag, b = b.tangent, b._tag, b.value
    if (type(a) is not float and type(a) is not int) or (type(b) is not float and type(b) is not int) or tag == -1:
        return None
    f, by_a, by_b = BINARY[function]
    try:
        y = f(a, b)
        if da is None:
            w = by_b(SCALAR, a, b, y)
            t = db if type(db) is not float and isinstance(db, Structured) else db * w
        else:
            w = by_a(SCALAR, a, b, y)
            if type(da) is not float and isinstance(da, Structured):
                other = () if db is None else ((db, by_b(SCALAR, a, b, y)),)
                return scalar_structured(function, operands, tag, y, ((da, w), *other))
            t = da * w
            if db is not None:
                v = by_b(SCALAR, a, b, y)
                t = t + db * v
                w = w + v - v
    except (ArithmeticError, ValueError, TypeError):
        return None  # outside math's domain, where NumPy has an answer
    if type(t) is not float:
        if isinstance(t, Structured):
            return scalar_structured(function, operands, tag, y, ((t, w),))
        if type(t) is not np.ndarray or not scaled(function, t, w):
            return None
    elif t != t:
        return None  # maybe a strong zero
    if type(y) is not float:
        return None
    r = _new(Dual)
    r.value = y
    r.tangent = t
    r._tag = tag
    return r


def scalar_structured(function: Any, operands: Any, tag: Any, y: Any, parts: Any) -> Any:
    """The same for structured tangents, each with its weight."""
    if type(y) is not float:
        return None
    rule, terms = ELEMENTWISE[function], []
    for t, w in parts:
        if not isinstance(t, Structured) or t.nonlinear or w - w != 0:
            return None
        if w or 0 not in rule.partials:  # which is what the table calls 0
            terms.append((t, (), w or 0.0))
    return _structured(function, terms, operands, (), y, (), tag, rule.select)


def _structured(
    function: Any, terms: Any, operands: Any, used: Any, y: Any, shape: Any, tag: Any, select: bool
) -> Any:
    """The result of an elementwise function in a structured space, which keeps the weights.

    An operand or the result that is kept as a weight must not change by a later assignment: Dual arrays are marked,
    so that they are copied first (`DualArray.__setitem__`), of constants the space keeps a copy.
    """
    if not terms:
        return y
    of_result = False
    for k, (t, have, w) in enumerate(terms):
        if type(w) is np.ndarray or type(w) is DualArray:
            view = type(w) is np.ndarray and w.base is not None
            of_result = of_result or view or w is y
            for x, v in zip(operands, used):
                if w is v or view:
                    if type(x) is DualArray and x._tag == tag and isinstance(x.tangent, Structured):
                        x._hold()
                    elif isinstance(t, Structured):  # one that is dense beside it keeps nothing
                        terms[k] = (t, have, t.constant(w))
    t = terms[0][0]
    t = t.combine(terms, shape, select) if isinstance(t, Structured) else combine(terms, shape, select)
    r = _array(y, t, tag) if type(y) is np.ndarray and isinstance(t, Structured) else _wrap(y, t, tag)
    if of_result and type(r) is DualArray:
        r._hold()
    if isinstance(t, Structured):
        t.note(function, operands, NONE, r)
    return r


def _partials(rule: Elementwise, active: Any, used: Any) -> list[Any]:
    """For the operands with a structured tangent: it, the operand's shape, and the partial derivative as a weight."""
    terms = []
    for x, partial in zip(active, rule.partials):
        if x is not None:
            w = partial if type(partial) is int else slope(partial, *used)
            if type(w) is not int or w:
                terms.append((x.tangent, shape_of(x.value), w))
    return terms


WATCH: Any = None  # looks at primitives before they are applied, while a mode of kinks.py is active somewhere


def call(rule: Elementwise, operands: Any) -> Any:
    """An elementwise function: its value, and the weighted sum of its operands' tangents."""
    if WATCH is not None:
        rule = WATCH(rule, operands)
    if len(operands) == 1:
        x = operands[0]
        tag, v, t = x._tag, x.value, x.tangent
        if rule.function in COMPLEX and is_complex(v):
            return engine.finish(COMPLEX[rule.function](x), rule.function, operands)
        y = rule.function(v)
        if type(t) is not np.ndarray and isinstance(t, Structured) and t.nonlinear:
            return t.elementwise(rule, operands, y, tag)
        token = hush()
        try:
            if type(y) is type(t) is np.ndarray:
                d = _dense(rule.partials, operands, (t,), (v, y))
                if d is not None:
                    return _wrap(y, d, tag)
            w = rule.partials[0]
            if type(w) is int:
                share(x)
            else:
                w = slope(w, v, y)
            if type(t) is not np.ndarray and isinstance(t, Structured):
                shape = shape_of(y)
                return _structured(rule.function, [(t, shape, w)], operands, (v,), y, shape, tag, rule.select)
            t = scale(t, w, rule.select, w is not v and w is not y)
        finally:
            unhush(token)
        return _wrap(y, t, tag)
    a, b = operands
    first = second = None
    tag = -1
    if type(a) is not DualArray and type(a) is not float and not isinstance(a, Dual):
        a = constant(a)  # which may turn out to hold Duals
    if type(b) is not DualArray and type(b) is not float and not isinstance(b, Dual):
        b = constant(b)
    if isinstance(a, Dual):
        tag = a._tag
    if isinstance(b, Dual) and b._tag >= tag:
        tag, second, b = b._tag, b, b.value
    if isinstance(a, Dual) and a._tag == tag:
        first, a = a, a.value
    y = rule.function(a, b)
    ta = None if first is None else first.tangent
    tb = None if second is None else second.tangent
    token = hush()
    try:
        if type(y) is type(tb if ta is None else ta) is type(ta if tb is None else tb) is np.ndarray:
            t = _dense(rule.partials, (first, second), (ta, tb), (a, b, y))
            if t is not None:
                return _wrap(y, t, tag)
        shape = shape_of(y)
        for t in (ta, tb):
            if type(t) is not np.ndarray and isinstance(t, Structured):
                if t.nonlinear:
                    return t.elementwise(rule, [a if first is None else first, b if second is None else second], y, tag)
                terms = _partials(rule, (first, second), (a, b, y))
                return _structured(rule.function, terms, operands, (a, b), y, shape, tag, rule.select)
        t = None if first is None else _term(first, rule.partials[0], (a, b, y), shape, rule.select)
        if second is not None:
            term = _term(second, rule.partials[1], (a, b, y), shape, rule.select)
            t = term if t is None else t if term is None else _add(t, term, rule.partials[0])
    finally:
        unhush(token)
    return _wrap(y, t, tag)


def _dense(partials: Any, operands: Any, tangents: Any, used: Any) -> Any:
    """The weighted sum of tangents that are arrays, without a look at zeros; None where they must be looked at.

    New memory is what large arrays cost most, so products are written over weights made for them, sums over products.
    """
    total, ours, known = None, False, True
    n = used[-1].ndim
    for k, t in enumerate(tangents):
        if t is None:
            continue
        w, v = partials[k], used[k]
        have = v.ndim if type(v) is np.ndarray else ndim(v)
        if have != n:
            t = expand(t, have, n)
        if type(w) is int:
            if w == 0:
                continue
            part, mine = (t, False) if w == 1 else (-t, True)
        else:
            try:
                w = w(ARRAY, *used)
            except (ArithmeticError, TypeError):
                return None
            mine = True
            if type(w) is np.ndarray:
                known = False
                fresh = w.base is None and w is not used[0] and w is not used[1] and w is not used[-1]
                over = fresh and t.shape == w.shape and t.dtype == w.dtype
                part = np.multiply(t, w, out=w) if over else t * w
            elif type(w) is float or type(w) is int:
                known = known and w - w == 0
                part = t * float(w)
            else:
                known, part = False, t * w
        if total is None:
            total, ours = part, mine
        elif ours and total.shape == part.shape and total.dtype == part.dtype:
            np.add(total, part, out=total)
        else:
            total, ours = total + part, True
    if total is None or not (known or finite(total)):
        return None
    if not ours:
        for x in operands:
            share(x)  # what is not scaled is passed on
    return total


def _add(t: Any, term: Any, partial: Any) -> Any:
    """t + term, in t's memory where that was made for this sum: new memory is what large arrays cost most."""
    ours = type(t) is type(term) is np.ndarray and type(partial) is not int and t.base is None
    return np.add(t, term, out=t) if ours and t.shape == term.shape and t.dtype == term.dtype else t + term


def slope(partial: Any, *args: Any) -> Any:
    """A partial derivative where NumPy decides: its numbers divide by zero and stay real, Python's do not."""
    w = None
    if type(args[0]) not in _PYTHON or type(args[-2]) not in _PYTHON:
        try:  # noqa: SIM105 - a Python number beside an array stays one, since it does not widen float32
            w = partial(ARRAY, *args)
        except (ArithmeticError, TypeError):
            pass
    if w is None:
        w = partial(ARRAY, *[np.asarray(x)[()] if type(x) in _PYTHON else x for x in args])
    return float(w) if type(w) is int else w  # an operand that is an int is no mark of the table's


_PYTHON = {float, int, complex}


def _term(x: Dual, w: Any, used: Any, shape: Any, select: bool) -> Any:
    """One operand's contribution, w its partial derivative."""
    if type(w) is int:
        if w == 0:
            return None
        share(x)  # what is not scaled is passed on
    else:
        w = slope(w, *used)
    t = x.tangent
    have = shape_of(x.value)
    if len(have) != len(shape):
        t = expand(t, len(have), len(shape))
    return scale(t, w, select, w is not used[0] and w is not used[1] and w is not used[2])


def is_complex(v: Any) -> bool:
    return v.dtype.kind == "c" if hasattr(v, "dtype") else type(v) is complex


_SCALARS = (float, int, complex, np.number, np.bool)


def constant(x: Any) -> Any:
    """An operand without a tangent, as something NumPy computes with."""
    if type(x) is np.ndarray and x.dtype.kind in "fciub":
        return x
    if isinstance(x, _SCALARS):
        return x
    return numeric(np.asarray(x) if isinstance(x, list | tuple) else x, "an operand")


def share(x: Any) -> None:
    """Note that x's tangent is used elsewhere too: who assigns to x next copies it first."""
    if isinstance(x, DualArray) and x._link is not None:
        x._root()._link.owned = False  # type: ignore[union-attr]
