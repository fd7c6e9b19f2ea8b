"""Applying the elementwise lines of the table: to Python floats, arrays with dense tangents, and structured ones.

Legend: v a value, t a tangent, w a weight (a partial derivative), y the result's value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import kinks
from .making import constant, make_array, wrap
from .mathematics import ARRAY, SCALAR
from .number import Number, NumberArray, concrete, new, share
from .table import BINARY, ELEMENTWISE, Elementwise
from .tangents import Structured, combine, expand, finite, hush, scale, unhush
from .values import PYTHON, is_array, ndim, shape_of

NONE: dict[str, Any] = {}

# ---------------------------------------------------------------- Python floats


def harmless(function: Any, t: Any, w: Any) -> bool:
    """Whether the product of directions t and the weight w needs no look at zeros."""
    return type(t) is np.ndarray and w - w == 0 and (not ELEMENTWISE[function].select or finite(t))


def scalar_call(function: Any, a: Any, b: Any) -> Any:
    """A function of two plain floats, one of them at least with a tangent; None where NumPy must decide."""
    operands = a, b
    ta: Any = None
    tb: Any = None
    tag = -1
    if isinstance(a, Number):
        ta, tag, a = a.tangent, a._tag, a.value
    if isinstance(b, Number):
        if b._tag != tag and ta is not None:
            return None
        tb, tag, b = b.tangent, b._tag, b.value
    if (type(a) is not float and type(a) is not int) or (type(b) is not float and type(b) is not int) or tag == -1:
        return None
    f, by_a, by_b = BINARY[function]
    try:
        y = f(a, b)
        wa = None if ta is None else by_a(SCALAR, a, b, y)
        wb = None if tb is None else by_b(SCALAR, a, b, y)
        if type(y) is not float:
            return None
        if type(ta) is float or type(tb) is float:
            t = tb * wb if ta is None else ta * wa if tb is None else ta * wa + tb * wb
            if t != t:
                return None  # maybe a strong zero
        elif isinstance(tb if ta is None else ta, Structured):
            return scalar_structured(function, operands, tag, y, ((ta, wa), (tb, wb)))
        else:
            if not (ta is None or harmless(function, ta, wa)) or not (tb is None or harmless(function, tb, wb)):
                return None
            t = tb * wb if ta is None else ta * wa if tb is None else ta * wa + tb * wb
    except (ArithmeticError, ValueError, TypeError):
        return None  # outside math's domain, where NumPy has an answer
    r = new(concrete.scalar)
    r.value = y
    r.tangent = t
    r._tag = tag
    return r


def scalar_structured(function: Any, operands: Any, tag: Any, y: Any, parts: Any) -> Any:
    """The same for structured tangents, each with its weight."""
    if type(y) is not float:
        return None
    line, terms = ELEMENTWISE[function], []
    for t, w in parts:
        if t is None:
            continue
        if not isinstance(t, Structured) or t.nonlinear or w - w != 0:
            return None
        if w or 0 not in line.partials:  # which is what the table calls 0
            terms.append((t, (), w or 0.0))
    return _structured(line, terms, operands, (), y, (), tag)


# ---------------------------------------------------------------- arrays


def call(line: Elementwise, operands: Any) -> Any:
    """An elementwise function: its value, and the weighted sum of its operands' tangents."""
    if kinks.active:
        line = kinks.watch(line, operands)
    values: tuple[Any, ...]
    ts: tuple[Any, ...]
    if len(operands) == 1:
        (x,) = operands
        tag, values, ts = x._tag, (x.value,), (x.tangent,)
        y = line.function(x.value)
    else:
        a, b = operands
        ta, tb = None, None
        tag = -1
        if not isinstance(a, Number) and type(a) is not float:
            a = constant(a)  # which may turn out to hold numbers with tangents
        if not isinstance(b, Number) and type(b) is not float:
            b = constant(b)
        operands = a, b
        if isinstance(a, Number):
            tag = a._tag
        if isinstance(b, Number) and b._tag >= tag:
            tag, tb, b = b._tag, b.tangent, b.value
        if isinstance(a, Number) and a._tag == tag:
            ta, a = a.tangent, a.value
        values, ts = (a, b), (ta, tb)
        y = line.function(a, b)
    token = hush()
    try:
        t = None
        if type(y) is np.ndarray and (type(ts[0]) is np.ndarray or type(ts[-1]) is np.ndarray):
            t = _dense(line.partials, operands, ts, (*values, y))
        if t is None:
            for s in ts:
                if type(s) is not np.ndarray and isinstance(s, Structured):
                    if s.nonlinear:
                        mine = [v if s is None else x for x, v, s in zip(operands, values, ts)]
                        return s.elementwise(line, mine, y, tag)
                    terms = _weighted(line, ts, values, y)
                    return _structured(line, terms, operands, values, y, shape_of(y), tag)
            t = _careful(line, operands, ts, values, y)
    finally:
        unhush(token)
    return wrap(y, t, tag)


def _dense(partials: Any, operands: Any, ts: Any, used: Any) -> Any:
    """The weighted sum of tangents that are arrays, without a look at zeros; None where they must be looked at.

    New memory is what large arrays cost most, so products are written over weights made for them, sums over products.
    """
    total, ours, known = None, False, True
    y = used[-1]
    n = y.ndim
    for k, t in enumerate(ts):
        if t is None:
            continue
        if type(t) is not np.ndarray:
            return None
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
                fresh = w.base is None and w is not used[0] and w is not used[1] and w is not y
                over = fresh and t.shape == w.shape and t.dtype == w.dtype
                part = np.multiply(t, w, out=w) if over else t * w
            elif type(w) is float or type(w) is int:
                known = known and w - w == 0
                part = t * float(w)
            else:
                known, part = False, t * w
        if total is None:
            total, ours = part, mine
        elif ours and type(total) is np.ndarray and total.shape == part.shape and total.dtype == part.dtype:
            np.add(total, part, out=total)
        else:
            total, ours = total + part, True
    if total is None or not (known or finite(total)):
        return None
    if not ours:
        for x in operands:
            share(x)  # what is not scaled is passed on
    return total


def _careful(line: Elementwise, operands: Any, ts: Any, values: Any, y: Any) -> Any:
    """The weighted sum of dense tangents of any kind, with a look at zeros; None where nothing moves."""
    total, used, shape = None, (*values, y), shape_of(y)
    for x, t, v, w in zip(operands, ts, values, line.partials):
        if t is None or (type(w) is int and w == 0):
            continue
        if type(w) is int:
            share(x)  # what is not scaled is passed on
        else:
            w = slope(w, *used)
        t = expand(t, len(shape_of(v)), len(shape))
        t = scale(t, w, line.select, w is not used[0] and w is not used[1] and w is not y)
        total = t if total is None else total + t
    return total


def slope(partial: Any, *args: Any) -> Any:
    """A partial derivative where NumPy decides: its numbers divide by zero and stay real, Python's do not."""
    w = None
    if type(args[0]) not in PYTHON or type(args[-2]) not in PYTHON:
        try:  # noqa: SIM105 - a Python number beside an array stays one, since it does not widen float32
            w = partial(ARRAY, *args)
        except (ArithmeticError, TypeError):
            pass
    if w is None:
        w = partial(ARRAY, *[np.asarray(x)[()] if type(x) in PYTHON else x for x in args])
    return float(w) if type(w) is int else w  # an operand that is an int is no mark of the table's


# ---------------------------------------------------------------- structured tangents


def _weighted(line: Elementwise, ts: Any, values: Any, y: Any) -> list[Any]:
    """For the operands with a tangent: it, the operand's shape, and the partial derivative as a weight."""
    terms = []
    for t, v, partial in zip(ts, values, line.partials):
        if t is not None:
            w = partial if type(partial) is int else slope(partial, *values, y)
            if type(w) is not int or w:
                terms.append((t, shape_of(v), w))
    return terms


def _keeps(t: Any, w: Any, v: Any) -> bool:
    """Whether a tangent keeps, as its weight, a constant or maybe a view of one, which the caller of f may change."""
    return isinstance(t, Structured) and (w is v or getattr(w, "base", None) is not None)


def _structured(line: Elementwise, terms: Any, operands: Any, used: Any, y: Any, shape: Any, tag: Any) -> Any:
    """The result of an elementwise function in a structured space, which keeps the weights.

    An operand or the result that is kept as a weight must not change by a later assignment: arrays with tangents are
    marked, so that they are copied first, of constants the space keeps a copy.
    """
    if not terms:
        return y
    kept = False
    for _, _, w in terms:
        kept = kept or (type(w) is not float and type(w) is not int and is_array(w))
    if kept:
        for x, v in zip(operands, used):
            if isinstance(x, NumberArray) and x._tag == tag and isinstance(x.tangent, Structured):
                x.hold()
            elif is_array(v):
                terms = [(t, have, t.constant(w)) if _keeps(t, w, v) else (t, have, w) for t, have, w in terms]
    t = terms[0][0]
    t = t.combine(terms, shape, line.select) if isinstance(t, Structured) else combine(terms, shape, line.select)
    r = make_array(y, t, tag) if type(y) is np.ndarray and isinstance(t, Structured) else wrap(y, t, tag)
    if kept and isinstance(r, NumberArray):
        r.hold()
    if isinstance(t, Structured):
        t.note(line.function, operands, NONE, r)
    return r
