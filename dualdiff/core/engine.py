"""Carrying out what the rule table says: operators, ufuncs, functions, and the making of new arrays.

In every operation the operands with the largest tag are the variables and the others constants; values are computed
under the user's floating-point error settings, derivatives with warnings off.
"""

from __future__ import annotations

import numbers
import weakref
from typing import Any

import numpy as np

from . import kinks
from .elementwise import NONE, call, scalar_call
from .errors import NotDifferentiableError, tangent_loss, user_line
from .making import as_array, buffer, constant, numeric, speaks_both, wrap
from .number import Link, Number, NumberArray, share
from .table import (
    ACCUMULATE,
    BINARY,
    COMPLEX,
    ELEMENTWISE,
    FOREIGN,
    FUNCTIONS,
    PLAIN,
    REDUCE,
    REFUSED,
    Move,
    Part,
    Plan,
    found,
)
from .tangents import Structured, gather, hush, numbered, scatter, unhush
from .values import SCALARS, is_array, is_complex, is_view, plain, to_array

# ---------------------------------------------------------------- new arrays

_FILLED = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}
_ORDER = {np.ascontiguousarray: "C", np.asfortranarray: "F"}
CONVERT = {np.array, np.asarray, np.asanyarray, *_ORDER}
CREATE = _FILLED | CONVERT | {np.zeros, np.ones, np.empty, np.full, np.eye, np.identity, np.arange}


def create(self: Number, func: Any, args: Any, kwargs: Any) -> Any:
    """np.zeros_like(x) and its kin, np.zeros(n, like=x) and its kin: arrays that can hold tangents."""
    like = next((a for a in args[:1] if isinstance(a, Number)), self) if func in _FILLED else self
    fill = None
    if func in (np.full, np.full_like):
        at = 1 if len(args) > 1 else "fill_value"
        fill = args[1] if at == 1 else kwargs[at]
        args, kwargs = (args[:1], kwargs) if at == 1 else (args, {k: v for k, v in kwargs.items() if k != at})
        of_fill, func = func is np.full, np.empty if func is np.full else np.empty_like
        kwargs = {"dtype": np.result_type(plain(fill)) if of_fill else like.dtype, **kwargs}
    if func in CONVERT:
        made = converted(func, *args, **kwargs)
        return made if isinstance(made, Number) else buffer(like, made)
    if func is np.arange and any(isinstance(a, Number) for a in (*args, *kwargs.values())):
        return _range(*args, **kwargs)
    made = func(*[plain(a) for a in args], **{k: plain(v) for k, v in kwargs.items()})
    if made.dtype.kind in "biu" and "dtype" not in kwargs and len(args) < 2:
        made = made.astype(float)  # a buffer like a float one
    r = buffer(like, made)
    if fill is not None:
        r[...] = fill
    return r


def converted(function: Any, a: Any, dtype: Any = None, order: Any = None, **options: Any) -> Any:
    """np.array, np.asarray and their kin of what may hold tangents: the array itself where NumPy gives that."""
    wanted = options.pop("requirements", order) or ()  # the third argument of np.require, of which the order matters
    if function is np.require:
        order = next((k for k in "CF" if any(str(r).upper().startswith(k) for r in wanted)), None)
    copy, x = options.get("copy", function is np.array or None), a
    if not isinstance(x, NumberArray):
        x = a if isinstance(a, Number) else to_array(a)
        if is_array(x) and x.dtype != object:
            if function is np.require:
                return np.require(a, dtype, wanted or None)
            given = {} if order is None else {"order": order}
            if speaks_both(x):
                given["like"] = x
            return function(a, *(() if dtype is None else (dtype,)), **given, **options)
        x = numeric(x, "an array")
    least = max(options.get("ndmin", 0), function in _ORDER)
    if not isinstance(x, NumberArray):
        return np.reshape(x, (1,) * least) if least and isinstance(x, Number) else x  # type: ignore[call-overload]
    y = x if dtype is None else x.astype(dtype, copy=False)
    order = _ORDER.get(function, order)
    flags = getattr(plain(y), "flags", None)  # arrays of other kinds have no order
    moved = flags is not None and order in ("C", "F") and not flags[order]
    if copy is False and (moved or y is not x):
        raise ValueError(f"np.{function.__name__}: a copy is needed, which copy=False excludes")
    if moved or (copy and y is a):
        y = np.copy(y, order=order or "K")
    return y if y.ndim >= least else y.reshape((1,) * (least - y.ndim) + y.shape)


def _range(*args: Any, dtype: Any = None, **options: Any) -> Any:
    """np.arange of numbers with tangents: the number of steps is constant, and the end where it stands."""
    if options or dtype is not None:
        raise NotDifferentiableError(f"np.arange of Duals, by keyword{user_line()}: leave out the names")
    count = np.arange(*map(plain, args)).size
    start, step = args[0] if len(args) > 1 else 0.0, args[2] if len(args) > 2 else 1.0
    return start + step * np.arange(float(count))


# ---------------------------------------------------------------- applying rules


def operate(function: Any, *operands: Any) -> Any:
    """An operator: NotImplemented for operands that are not numbers."""
    if len(operands) == 1:
        return operands[0].__array_ufunc__(function, "__call__", *operands)
    a, b = operands
    if function in BINARY and not kinks.active and not isinstance(a, NumberArray) and not isinstance(b, NumberArray):
        r = scalar_call(function, a, b)
        if r is not None:
            return r
    if not is_operand(a) or not is_operand(b):
        result = FOREIGN[function](a, b) if function in FOREIGN else NotImplemented
        return result if result is NotImplemented else finish(result, function, (a, b))
    if function in ELEMENTWISE:
        return call(ELEMENTWISE[function], operands)
    return ufunc(function, "__call__", operands, {})


OPERANDS = (Number, np.ndarray, *SCALARS, list, tuple, numbers.Rational)


def is_operand(x: Any) -> bool:
    """Whether an operator of ours takes x: numbers, arrays of any kind, and lists of them."""
    return isinstance(x, OPERANDS) or (is_array(x) and speaks_both(x))


def finish(result: Any, function: Any = None, args: Any = (), kwargs: Any = NONE) -> Any:
    """Carry out what the rule of a function returned."""
    if type(result) is Plan:
        return apply(result, function, args, kwargs)
    return move(result, function, args, kwargs) if isinstance(result, Move) else result


def apply(plan: Plan, function: Any = None, args: Any = (), kwargs: Any = NONE) -> Any:
    """A primitive: its value, then the tangent that the rule gives for the operands' tangents."""
    operands = [x if isinstance(x, Number | float) else constant(x) for x in plan.operands]
    tag = -1
    for x in operands:
        if isinstance(x, Number) and x._tag > tag:
            tag = x._tag
    values, structured = operands[:], None
    ts: list[Any] = [None] * len(operands)
    for k, x in enumerate(operands):
        if isinstance(x, Number) and x._tag == tag:
            values[k], ts[k] = x.value, x.tangent
            if type(ts[k]) is not np.ndarray and isinstance(ts[k], Structured):
                structured = ts[k]
    y = plan.value(*values)
    if tag == -1:
        return y
    if structured is not None:  # which keeps what the rule may use
        if structured.nonlinear:
            return structured.primitive(function, plan.tangent, operands, y, tag, () if kwargs else args)
        for k, x in enumerate(operands):
            if is_array(values[k]):
                if isinstance(ts[k], Structured):
                    x.hold()
                else:
                    values[k] = structured.constant(values[k])
    token = hush()
    try:
        t = plan.tangent(y, values, ts)
    finally:
        unhush(token)
    if isinstance(y, tuple):
        parts = [wrap(a, b, tag) for a, b in zip(y, t)]
        if structured is not None:
            _noted(parts, tag, function, args or plan.operands, kwargs)
        return type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)
    if structured is not None:
        r = wrap(y, t, tag)
        _noted([r], tag, function, args or plan.operands, kwargs)
        return r
    passed_on = type(t) is not np.ndarray or t.base is not None
    for s in ts:
        passed_on |= s is t
    if passed_on:
        for x in operands:
            share(x)
    return wrap(y, t, tag)


def _noted(results: Any, tag: Any, function: Any, args: Any, kwargs: Any) -> None:
    """Results of a primitive in a structured space, whose values the rule may have kept."""
    for r in results:
        if isinstance(r, Number) and r._tag == tag:
            if is_array(r.value):
                r.hold()
            if isinstance(r.tangent, Structured):
                r.tangent.note(function, args, kwargs, r)


def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """x in another type; one that is not floating gives plain numbers, as int(x) does."""
    if dtype.kind == "O":
        return np.array(x)
    if dtype.kind not in "fc":
        return to_array(plain(x)).astype(dtype)
    if dtype.kind == "f" and x.dtype.kind == "c":
        raise TypeError("astype: complex to real would discard the imaginary part; write x.real")
    if x.dtype == dtype and (not copy or not isinstance(x, NumberArray)):
        return x
    r = as_array(x)
    t = r.tangent
    r = wrap(r.value.astype(dtype), t if isinstance(t, Structured) else t.astype(dtype), x._tag)
    return r if isinstance(x, NumberArray) else r[()]


def move(m: Move, function: Any = None, args: Any = (), kwargs: Any = NONE) -> Any:
    """A function of one array that only moves elements; a view of its operand where NumPy's result is one."""
    x = m.operand
    if not isinstance(x, NumberArray):
        if not isinstance(x, Number):
            return m.move(numeric(x, "an operand"))
        x = as_array(x)
    v = x.value
    y = m.move(v)
    t = gather(x.tangent, v.shape, m.move, m.batched) if type(m) is Move else m.tangent(x.tangent, v.shape)
    r = wrap(y, t, x._tag)
    structured = isinstance(t, Structured)
    if structured:
        t.note(function, args or (x,), kwargs, r)
    if not isinstance(r, NumberArray):
        return r
    if is_view(y, v):
        root = x.root()
        root._link.viewed = True
        r._link = Link(root, (*x._link.steps, (v.shape, m)), root._link.version)
        r._link.part = x._link.part or type(m) is Part
        if structured or root._link.held:
            if root._link.views is None:
                root._link.views = []
            root._link.views.append(weakref.ref(r))
    else:
        share(x)
    return r


def store(out: Any, result: Any, name: str) -> Any:
    """out=: a NumberArray takes values and tangents, a plain array can take no tangent."""
    if isinstance(out, tuple):
        if len(out) != 1:
            return tuple(store(o, r, name) for o, r in zip(out, result))
        (out,) = out
    if isinstance(out, NumberArray):
        out[...] = result
    elif isinstance(result, Number):
        what = f"np.{name} with a plain array as out= or on the left of an in-place operator"
        raise tangent_loss(what, "write `h = h / x` for `h /= x`, or make h by np.zeros_like(x) or np.zeros(n, like=x)")
    else:
        np.copyto(out, result, casting="same_kind")
    return out


def ufunc(function: Any, method: str, inputs: Any, options: Any) -> Any:
    """A ufunc, or one of its methods, with whatever options it was called."""
    if not options and method == "__call__":
        return _called(function, inputs)
    options = dict(options)
    out = options.pop("out", None)
    if out is not None:
        where = options.pop("where", True)
        moves = any(isinstance(x, Number) for x in inputs)  # else only out= can hold tangents
        call = ufunc if moves else lambda f, method, inputs, options: getattr(f, method)(*inputs, **options)
        result = call(function, method, inputs, options)
        if where is not True:
            result = np.where(where, result, out[0])
        return store(out, result, function.__name__)
    if method != "__call__":
        return _method(function, method, inputs, options)
    for name in ("casting", "subok"):
        options.pop(name, None)
    dtype, order = options.pop("dtype", None), options.pop("order", "K")
    if not options:
        result = _called(function, inputs)
    elif function in PLAIN:
        result = function(*map(plain, inputs), **options)
    elif function in FUNCTIONS:
        result = finish(FUNCTIONS[function](*inputs, **options), function, inputs, options)
    else:
        raise NotDifferentiableError(f"{function.__name__} with {', '.join(options)}= but no out={user_line()}")
    result = result if dtype is None else result.astype(dtype)
    return converted(np.asarray, result, order=order) if isinstance(result, NumberArray) else result


def _called(function: Any, inputs: Any) -> Any:
    line = ELEMENTWISE.get(function)
    if function in COMPLEX and is_complex(plain(inputs[0])):
        if kinks.active and line is not None:
            kinks.watch(line, inputs)
        return finish(COMPLEX[function](*inputs), function, inputs)
    if line is not None:
        return call(line, inputs)
    if function in FUNCTIONS:
        return finish(FUNCTIONS[function](*inputs), function, inputs)
    if function in PLAIN:
        if kinks.active:
            kinks.watch(function, inputs)
        return function(*map(plain, inputs))
    if found(function):
        return _called(function, inputs)
    raise refused(function)


def _method(function: Any, method: str, inputs: Any, options: Any) -> Any:
    """ufunc.reduce, .accumulate and .outer, where they are functions with a rule."""
    found(function)
    if method == "at" and function in (np.add, np.subtract):
        return _add_at(function, *inputs)
    if function in PLAIN:
        return getattr(function, method)(*map(plain, inputs), **options)
    if method == "outer" and len(inputs) == 2:
        a, b = (x if isinstance(x, Number) else to_array(x) for x in inputs)
        return function(np.reshape(a, a.shape + (1,) * b.ndim), b, **options)
    known = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {}).get(function)
    if known is None or len(inputs) != 1:
        raise refused(getattr(function, method), f"np.{function.__name__}.{method}")
    options = {"axis": 0, **options}
    return finish(FUNCTIONS[known](inputs[0], **options), known, inputs, options)


def _add_at(function: Any, y: Any, key: Any, new: Any) -> None:
    """np.add.at: every element is added at its place, also where a place comes twice."""
    if not isinstance(y, NumberArray):
        raise tangent_loss(f"np.{function.__name__}.at into a plain array")
    numbers = numbered(y.shape)[plain(key)]
    new = np.broadcast_to(new, numbers.shape)
    y[...] = function(y, scatter(new if isinstance(new, Number) else new.astype(float), numbers, y.shape))


def refused(function: Any, name: str | None = None) -> NotDifferentiableError:
    if name is None:
        name = getattr(function, "__name__", str(function))
        module = getattr(function, "__module__", None) or ("numpy" if hasattr(np, name) else "")
        name = f"{module}.{name}".replace("numpy.", "np.").lstrip(".")
    reason = REFUSED.get(function, "it has no derivative rule")
    return NotDifferentiableError(
        f"{name} of a number with a tangent{user_line()}: {reason}; where the derivative may go, use dd.value(x)"
    )
