"""Carrying out what the rule table says: operators, ufuncs, functions, and the making of new arrays.

In every operation the operands with the largest tag are the variables and the others constants; values are computed
under the user's floating-point error settings, derivatives with warnings off.
"""

from __future__ import annotations

import numbers
import weakref
from typing import Any

import numpy as np

from . import dual
from .dual import _ARRAYS, Dual, DualArray, Link, _array, _new, _wrap, as_array, buffer, numeric
from .errors import NotDifferentiableError, tangent_loss, user_line
from .rules import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED, sparse, special
from .rules.elementwise import ARRAY, SCALAR
from .rules.table import ACCUMULATE, REDUCE, Elementwise, Move, Plan, plain, shape_of
from .tangents import Structured, combine, expand, finite, gather, hush, ndim, scale, unhush

# ---------------------------------------------------------------- new arrays

_FILLED = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}
_LIKE = {np.zeros, np.ones, np.empty, np.full, np.eye, np.identity, np.array, np.asarray, np.asanyarray, np.arange}
CREATE = _FILLED | _LIKE | {np.ascontiguousarray, np.asfortranarray}


def create(self: Dual, func: Any, args: Any, kwargs: Any) -> Any:
    """np.zeros_like(x) and its kin, np.zeros(n, like=x) and its kin: arrays that can hold tangents."""
    like = next((a for a in args[:1] if isinstance(a, Dual)), self) if func in _FILLED else self
    fill = None
    if func in (np.full, np.full_like):
        at = 1 if len(args) > 1 else "fill_value"
        fill = args[1] if at == 1 else kwargs[at]
        args, kwargs = (args[:1], kwargs) if at == 1 else (args, {k: v for k, v in kwargs.items() if k != at})
        of_fill, func = func is np.full, np.empty if func is np.full else np.empty_like
        kwargs = {"dtype": np.result_type(plain(fill)) if of_fill else like.dtype, **kwargs}
    if func in (np.asarray, np.asanyarray) and isinstance(args[0], DualArray) and len(args) == 1 and not kwargs:
        return args[0]
    if func in (np.array, np.asarray, np.asanyarray):
        made = numeric(func(*args, **kwargs), f"np.{func.__name__}")
        return made if isinstance(made, Dual) else buffer(like, made)
    made = func(*[plain(a) for a in args], **{k: plain(v) for k, v in kwargs.items()})
    if made.dtype.kind in "biu" and "dtype" not in kwargs and len(args) < 2:
        made = made.astype(float)  # a buffer like a float one
    r = buffer(like, made)
    if fill is not None:
        r[...] = fill
    return r


# ---------------------------------------------------------------- applying rules


def operate(function: Any, *operands: Any) -> Any:
    """An operator: NotImplemented for operands that are not numbers."""
    if len(operands) == 1:
        return Dual.__array_ufunc__(operands[0], function, "__call__", *operands)
    a, b = operands
    if function in BINARY and type(a) is not DualArray and type(b) is not DualArray:
        r = scalar_call(function, a, b)
        if r is not None:
            return r
    if not isinstance(a, OPERANDS) or not isinstance(b, OPERANDS):
        if function is np.matmul and (sparse.is_sparse(a) or sparse.is_sparse(b)):
            return finish(sparse.product(a, b), np.matmul, (a, b))
        return NotImplemented
    if function in ELEMENTWISE:
        return call(ELEMENTWISE[function], operands)
    return ufunc(function, "__call__", operands, {})


OPERANDS = (Dual, np.ndarray, float, int, complex, np.generic, list, tuple, numbers.Rational)
Dual._operate = staticmethod(operate)



_NONE: dict[str, Any] = {}


def _callable(partial: Any) -> Any:
    return partial if callable(partial) else lambda *_: partial


# The elementwise functions that Python's own floats can do, without NumPy.
_scalar = {f: (r.scalar, *map(_callable, r.partials)) for f, r in ELEMENTWISE.items() if r.scalar is not None}
UNARY = {f: r for f, r in _scalar.items() if len(r) == 2}
BINARY = {f: r for f, r in _scalar.items() if len(r) == 3}
dual._unary, dual._binary = UNARY.get, BINARY.get


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
        if type(t) is not np.ndarray or w - w != 0:
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
    terms = []
    for t, w in parts:
        if not isinstance(t, Structured) or t.nonlinear or w - w != 0:
            return None
        if type(w) is not int or w:
            terms.append((t, (), w))
    return _structured(function, terms, operands, (), y, (), tag, False)


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
                    if type(x) is DualArray and x._tag == tag:
                        x._hold()
                    elif isinstance(t, Structured):  # one that is dense beside it keeps nothing
                        terms[k] = (t, have, t.constant(w))
    t = combine(terms, shape, select)
    r = _array(y, t, tag) if type(y) is np.ndarray and isinstance(t, Structured) else _wrap(y, t, tag)
    if of_result and type(r) is DualArray:
        r._hold()
    if isinstance(t, Structured):
        t.note(function, operands, _NONE, r)
    return r


def _partials(rule: Elementwise, active: Any, used: Any) -> list[Any]:
    """For the operands with a structured tangent: it, the operand's shape, and the partial derivative as a weight."""
    terms = []
    for x, partial in zip(active, rule.partials):
        if x is not None and partial != 0:
            w = partial if type(partial) is int else _slope(partial, *used)
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
        if rule.function in COMPLEX and _is_complex(v):
            return finish(COMPLEX[rule.function](x), rule.function, operands)
        y = rule.function(v)
        if type(t) is not np.ndarray and isinstance(t, Structured) and t.nonlinear:
            return t.elementwise(rule, operands, y, tag)
        token = hush()
        try:
            w = rule.partials[0]
            if type(w) is int:
                _share(x)
            else:
                w = _slope(w, v, y)
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
    if not isinstance(a, _KNOWN):
        a = constant(a)
    if not isinstance(b, _KNOWN):
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
            _share(x)  # what is not scaled is passed on
    return total


def _add(t: Any, term: Any, partial: Any) -> Any:
    """t + term, in t's memory where that was made for this sum: new memory is what large arrays cost most."""
    ours = type(t) is type(term) is np.ndarray and type(partial) is not int and t.base is None
    return np.add(t, term, out=t) if ours and t.shape == term.shape and t.dtype == term.dtype else t + term


def _slope(partial: Any, *args: Any) -> Any:
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
        _share(x)  # what is not scaled is passed on
    else:
        w = _slope(w, *used)
    t = x.tangent
    have = shape_of(x.value)
    if len(have) != len(shape):
        t = expand(t, len(have), len(shape))
    return scale(t, w, select, w is not used[0] and w is not used[1] and w is not used[2])


def _is_complex(v: Any) -> bool:
    return v.dtype.kind == "c" if hasattr(v, "dtype") else type(v) is complex


_KNOWN = (Dual, float)
_SCALARS = (float, int, complex, np.number, np.bool)


def constant(x: Any) -> Any:
    """An operand without a tangent, as something NumPy computes with."""
    if type(x) is np.ndarray and x.dtype.kind in "fciub":
        return x
    if isinstance(x, _SCALARS):
        return x
    return numeric(np.asarray(x) if isinstance(x, list | tuple) else x, "an operand")


def finish(result: Any, function: Any = None, args: Any = (), kwargs: Any = _NONE) -> Any:
    """Carry out what the rule of a function returned."""
    if type(result) is Plan:
        return apply(result, function, args, kwargs)
    return move(result, function, args, kwargs) if type(result) is Move else result


def apply(plan: Plan, function: Any = None, args: Any = (), kwargs: Any = _NONE) -> Any:
    """A primitive: its value, then the tangent that the rule gives for the operands' tangents."""
    operands = [x if isinstance(x, _KNOWN) else constant(x) for x in plan.operands]
    tag = -1
    for x in operands:
        if isinstance(x, Dual) and x._tag > tag:
            tag = x._tag
    if tag == -1:
        return plan.value(*operands)
    values, ts = operands[:], [None] * len(operands)
    for k, x in enumerate(operands):
        if isinstance(x, Dual) and x._tag == tag:
            values[k] = x.value
            ts[k] = x.tangent
    y = plan.value(*values)
    structured = next((s for s in ts if isinstance(s, Structured)), None)
    if structured is not None:  # which keeps what the rule may use
        if structured.nonlinear:
            return structured.primitive(function, plan.tangent, operands, y, tag, () if kwargs else args)
        for k, x in enumerate(operands):
            if isinstance(values[k], _ARRAYS):
                if ts[k] is None:
                    values[k] = structured.constant(values[k])
                else:
                    x._hold()
    token = hush()
    try:
        t = plan.tangent(y, values, ts)
    finally:
        unhush(token)
    if isinstance(y, tuple):
        parts = [_wrap(a, b, tag) for a, b in zip(y, t)]
        if structured is not None:
            _noted(parts, tag, function, args or plan.operands, kwargs)
        return type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)
    if structured is not None:
        r = _wrap(y, t, tag)
        _noted([r], tag, function, args or plan.operands, kwargs)
        return r
    passed_on = type(t) is not np.ndarray or t.base is not None
    for s in ts:
        passed_on |= s is t
    if passed_on:
        for x in operands:
            _share(x)
    return _wrap(y, t, tag)


def _noted(results: Any, tag: Any, function: Any, args: Any, kwargs: Any) -> None:
    """Results of a primitive in a structured space, whose values the rule may have kept."""
    for r in results:
        if isinstance(r, Dual) and r._tag == tag:
            if isinstance(r.value, _ARRAYS):
                r._hold()
            if isinstance(r.tangent, Structured):
                r.tangent.note(function, args, kwargs, r)


def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """x in another type; one that is not floating gives plain numbers, as int(x) does."""
    if dtype.kind == "O":
        return np.asarray(x)
    if dtype.kind not in "fc":
        return np.asarray(plain(x)).astype(dtype)
    if dtype.kind == "f" and x.dtype.kind == "c":
        raise TypeError("astype: complex to real would discard the imaginary part; write x.real")
    if x.dtype == dtype and (not copy or not isinstance(x, DualArray)):
        return x
    if not isinstance(x, DualArray):
        return _cast(as_array(x), dtype)[()]
    return _cast(x, dtype)


Dual._astype = astype


def _cast(x: DualArray, dtype: Any) -> Any:
    v, t = x.value.astype(dtype), x.tangent
    return _wrap(v, t if isinstance(t, Structured) else t.astype(dtype), x._tag)


def _share(x: Any) -> None:
    """Note that x's tangent is used elsewhere too: who assigns to x next copies it first."""
    if isinstance(x, DualArray) and x._link is not None:
        x._root()._link.owned = False  # type: ignore[union-attr]


def move(m: Move, function: Any = None, args: Any = (), kwargs: Any = _NONE) -> Any:
    """A function of one array that only moves elements; a view of its operand where NumPy's result is one."""
    x = m.operand
    if not isinstance(x, DualArray):
        if not isinstance(x, Dual):
            return m.move(numeric(x, "an operand"))
        x = as_array(x)
    v = x.value
    y = m.move(v)
    t = gather(x.tangent, v.shape, m.move, m.batched)
    r = _wrap(y, t, x._tag)
    structured = isinstance(t, Structured)
    if structured:
        t.note(function, args or (x,), kwargs, r)
    if isinstance(y, np.ndarray):
        view = y is v or (y.base is not None and (y.base is v or y.base is v.base))
    elif isinstance(y, DualArray):
        view = y is v or (y._link is not None and y._link.base is not None and y._root() is v._root())
    else:
        return r
    if view:
        root = x._root()
        root._link.viewed = True
        r._link = Link(root, (*x._link.steps, (v.shape, m)), root._link.version)  # type: ignore[union-attr]
        if structured:
            if root._link.views is None:
                root._link.views = []
            root._link.views.append(weakref.ref(r))
    else:
        _share(x)
    return r


def store(out: Any, result: Any, name: str) -> Any:
    """out=: a DualArray takes values and tangents, a plain array can take no tangent."""
    if isinstance(out, tuple):
        if len(out) != 1:
            return tuple(store(o, r, name) for o, r in zip(out, result))
        (out,) = out
    if isinstance(out, DualArray):
        out[...] = result
    elif isinstance(result, Dual):
        raise tangent_loss(f"np.{name} with a plain array as out= or on the left of an in-place operator")
    else:
        np.copyto(out, result, casting="same_kind")
    return out


def ufunc(function: Any, method: str, inputs: Any, options: Any) -> Any:
    """A ufunc, or one of its methods, with whatever options it was called."""
    if method == "__call__" and not options:
        rule = ELEMENTWISE.get(function)
        if rule is not None:
            return call(rule, inputs)
        if function in FUNCTIONS:
            return finish(FUNCTIONS[function](*inputs), function, inputs)
    if function not in PLAIN:
        special.register(function)  # SciPy's functions are added to the table when they are first met
    options = dict(options)
    out = options.pop("out", None)
    if out is not None:
        where = options.pop("where", True)
        result = ufunc(function, method, inputs, options)
        if where is not True:
            result = np.where(where, result, out[0])
        return store(out, result, function.__name__)
    if method != "__call__":
        return _method(function, method, inputs, options)
    for name in ("casting", "order", "subok"):
        options.pop(name, None)
    dtype = options.pop("dtype", None)
    if function in COMPLEX and _is_complex(plain(inputs[0])):
        result = finish(COMPLEX[function](*inputs), function, inputs)
    elif function in PLAIN:
        if WATCH is not None:
            WATCH(function, inputs)
        return function(*map(plain, inputs), **options)
    elif function in FUNCTIONS and options:
        result = finish(FUNCTIONS[function](*inputs, **options), function, inputs, options)
    elif options:
        raise NotDifferentiableError(f"{function.__name__} with {', '.join(options)}= but no out={user_line()}")
    elif function in ELEMENTWISE or function in FUNCTIONS:
        result = ufunc(function, method, inputs, {})
    else:
        raise refused(function)
    return result if dtype is None else result.astype(dtype)


def _method(function: Any, method: str, inputs: Any, options: Any) -> Any:
    """ufunc.reduce, .accumulate and .outer, where they are functions with a rule."""
    if function in PLAIN:
        return getattr(function, method)(*map(plain, inputs), **options)
    if method == "outer" and len(inputs) == 2:
        a, b = (x if isinstance(x, Dual) else np.asarray(x) for x in inputs)
        return function(np.reshape(a, a.shape + (1,) * b.ndim), b, **options)
    known = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {}).get(function)
    if known is None or len(inputs) != 1:
        raise refused(getattr(function, method), f"np.{function.__name__}.{method}")
    options = {"axis": 0, **options}
    return finish(FUNCTIONS[known](inputs[0], **options), known, inputs, options)


def refused(function: Any, name: str | None = None) -> NotDifferentiableError:
    if name is None:
        name = getattr(function, "__name__", str(function))
        module = getattr(function, "__module__", None) or ("numpy" if hasattr(np, name) else "")
        name = f"{module}.{name}".replace("numpy.", "np.").lstrip(".")
    reason = REFUSED.get(function, "it has no derivative rule")
    return NotDifferentiableError(
        f"{name} of a number with a tangent{user_line()}: {reason}; where the derivative may go, use dd.value(x)"
    )
