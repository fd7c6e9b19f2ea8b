"""`Dual`, a value and a tangent, and `DualArray`, the same for arrays: storage, dispatch to the rules, indexing.

The operators and ndarray-like methods that need nothing but NumPy's own functions are in methods.py.

A tag tells whose perturbation a tangent is. Each derivative call draws a fresh one, larger than those of the calls it
runs inside, so that in an operation the operands with the largest tag are the variables and all others constants; in
a nested derivative the value, and maybe the tangent, is a Dual of an outer call with a smaller tag.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import tangents
from .errors import NotDifferentiableError, tangent_loss, user_line
from .methods import Methods
from .rules import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED
from .rules.elementwise import ARRAY, SCALAR
from .rules.nonsmooth import positive_part
from .rules.structural import index, plain_key
from .rules.table import ACCUMULATE, REDUCE, Elementwise, Move, Plan, plain, shape_of
from .tangents import Structured, combine, expand, gather, hush, scale, unhush

__all__ = ["Dual", "DualArray", "maximum", "minimum", "relu", "value"]

_new = object.__new__
_tags = itertools.count(1)
_live: set[int] = set()  # the tags of the derivative calls that are running


class Dual(Methods):
    """A number and its tangent: the directional derivative that it carries through a computation.

    Parameters
    ----------
    value : number or array_like
        An array gives a `DualArray`. Integers and bools become float64.
    tangent : number or array_like, optional
        Of the value's shape, or with one leading axis of p directions. Default 0.

    Raises
    ------
    TypeError
        If value or tangent is not numeric, or a tangent of a real value is complex.
    ValueError
        If the tangent's shape does not fit.

    Notes
    -----
    From eps**2 = 0 follows f(a + b eps) = f(a) + f'(a) b eps (Clifford, 1873): arithmetic on (a, b) differentiates.
    Comparisons look at values only. The number is unhashable, and `float(x)` raises rather than drop the tangent.

    Examples
    --------
    >>> from dualdiff import Dual
    >>> x = Dual(3.0, 1.0)
    >>> x * x
    Dual(9.0, 6.0)
    >>> Dual([1.0, 2.0], [1.0, 0.0]) * x
    Dual(array([3., 6.]), array([4., 2.]))
    """

    __slots__ = ("_tag", "tangent", "value")
    __hash__ = None  # type: ignore[assignment]  # a cache keyed by value would return another call's tangent
    _tag: Any
    value: Any
    tangent: Any

    def __new__(cls, value: Any, tangent: Any = 0) -> Dual:
        """Check and convert what a user gives; the library itself fills the slots directly."""
        outer = max((x._tag for x in (value, tangent) if isinstance(x, Dual)), default=None)
        value = numeric(value, "Dual: the value")
        tangent = tangent if isinstance(tangent, Dual) else np.asarray(numeric(tangent, "Dual: the tangent"))
        n = np.ndim(plain(value))
        if np.ndim(plain(tangent)) == 0 and not isinstance(tangent, Dual):
            tangent = np.broadcast_to(tangent, shape_of(value))
        have = tangent.shape if len(tangent.shape) == n else tangent.shape[1:]
        if have != shape_of(value):
            raise ValueError(
                f"Dual: the tangent has shape {tangent.shape}, which fits a value of shape {shape_of(value)} neither "
                "as it is nor with one leading axis of directions"
            )
        if np.iscomplexobj(plain(tangent)) and not np.iscomplexobj(plain(value)):
            raise TypeError("Dual: a real value has real tangents; make the value complex if you mean a complex one")
        # A number made from Duals is one perturbation further in, but still outside the next derivative call.
        return _wrap(value, np.array(tangent) if n else tangent, 0 if outer is None else outer + 1 / 1024)

    # ------------------------------------------------------------ scalar arithmetic without NumPy
    # The definition of dual arithmetic, written out since a function call more would double its cost; whatever is not
    # two plain floats in one direction, or has a NaN tangent (maybe 0 * inf), goes to the rule table.

    def __add__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                if other._tag == self._tag and type(other.tangent) is float:
                    r = _new(Dual)
                    r.value = self.value + other.value
                    r.tangent = t + other.tangent
                    r._tag = self._tag
                    return r
            elif kind is float or kind is int:
                r = _new(Dual)
                r.value = self.value + other
                r.tangent = t
                r._tag = self._tag
                return r
        return operate(np.add, self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                if other._tag == self._tag and type(other.tangent) is float:
                    r = _new(Dual)
                    r.value = self.value - other.value
                    r.tangent = t - other.tangent
                    r._tag = self._tag
                    return r
            elif kind is float or kind is int:
                r = _new(Dual)
                r.value = self.value - other
                r.tangent = t
                r._tag = self._tag
                return r
        return operate(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        if type(self.tangent) is float and (type(other) is float or type(other) is int):
            r = _new(Dual)
            r.value = other - self.value
            r.tangent = -self.tangent
            r._tag = self._tag
            return r
        return operate(np.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                if other._tag == self._tag and type(other.tangent) is float:
                    a = self.value
                    b = other.value
                    t = a * other.tangent + b * t
                    if t == t:
                        r = _new(Dual)
                        r.value = a * b
                        r.tangent = t
                        r._tag = self._tag
                        return r
            elif kind is float or kind is int:
                t = t * other
                if t == t:
                    r = _new(Dual)
                    r.value = self.value * other
                    r.tangent = t
                    r._tag = self._tag
                    return r
        return operate(np.multiply, self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                b = other.value
                if other._tag == self._tag and type(other.tangent) is float and b:
                    y = self.value / b
                    t = t / b - y / b * other.tangent
                    if t == t:
                        r = _new(Dual)
                        r.value = y
                        r.tangent = t
                        r._tag = self._tag
                        return r
            elif (kind is float or kind is int) and other:
                t = t / other
                if t == t:
                    r = _new(Dual)
                    r.value = self.value / other
                    r.tangent = t
                    r._tag = self._tag
                    return r
        return operate(np.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        b = self.value
        if type(self.tangent) is float and (type(other) is float or type(other) is int) and b:
            y = other / b
            t = -y / b * self.tangent
            if t == t:
                r = _new(Dual)
                r.value = y
                r.tangent = t
                r._tag = self._tag
                return r
        return operate(np.divide, other, self)

    def __neg__(self) -> Any:
        if type(self.tangent) is float:
            r = _new(Dual)
            r.value = -self.value
            r.tangent = -self.tangent
            r._tag = self._tag
            return r
        return operate(np.negative, self)

    # ------------------------------------------------------------ the two NumPy protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if type(self.tangent) is float and method == "__call__" and not options:
            rule = ELEMENTWISE.get(ufunc)
            if rule is not None:
                r = _scalar_call(rule, inputs)
                if r is not None:
                    return r
        return _ufunc(ufunc, method, inputs, options)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        out = kwargs.get("out")
        if out is not None:
            kwargs = {k: v for k, v in kwargs.items() if k != "out"}
            return store(out, self.__array_function__(func, types, args, kwargs), func.__name__)
        rule = FUNCTIONS.get(func)
        if rule is not None:
            return _finish(rule(*args, **kwargs))
        if func in PLAIN:
            return func(*map(plain, args), **{k: plain(v) for k, v in kwargs.items()})
        if func in _CREATE:
            return _create(self, func, args, kwargs)
        raise _refused(func)

    # ------------------------------------------------------------ what would lose the tangent

    def __float__(self) -> float:
        raise tangent_loss(
            "float(x), math.sin(x) and the like, or storing into a plain float array,",
            "use np.sin(x), np.zeros_like(x), np.zeros(n, like=x), or dd.value(x) where the derivative may go",
        )

    def __complex__(self) -> complex:
        raise tangent_loss("complex(x)", "write x + 0j, or complex(dd.value(x)) where the derivative may go")

    # ------------------------------------------------------------ storage

    def _with_value(self, v: Any) -> Any:
        """The same tangent with another value of the same shape."""
        return _wrap(v, self.tangent, self._tag)

    def __reduce__(self) -> Any:
        return _rebuild, (self.value, self.tangent, self._tag)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)

    def __getitem__(self, key: Any) -> Any:
        return as_array(self)[key]


class DualArray(Dual):
    """An array and its tangents: what `Dual(array, tangent)` and NumPy functions of Duals give.

    Behaves as the array of its values does: slices are views, assignment writes through them. `.value` is the ndarray,
    `.tangent` has its shape, or one leading axis of directions more.
    """

    # A view keeps the array it was taken from and the moves that lead to it; its tangent is looked up again when the
    # base has changed since. So tangents need not be views of each other's memory, nor arrays at all.
    __slots__ = ("_base", "_owned", "_steps", "_tangent", "_version", "_viewed")
    _base: DualArray | None
    _steps: tuple[tuple[tuple[int, ...], Move], ...]
    _owned: bool  # whether nothing else uses the tangent's memory, so that it can be written to

    @property
    def tangent(self) -> Any:  # type: ignore[override]
        base = self._base
        if base is not None and base._version != self._version:
            t = base._tangent
            for shape, m in self._steps:
                t = gather(t, shape, m.move, m.batched)
            self._tangent, self._version = t, base._version
        return self._tangent

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        if self.value.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self.value)))

    def __getitem__(self, key: Any) -> Any:
        return _move(index(self, key))

    def __setitem__(self, key: Any, new: Any) -> None:
        """Write values and tangents, as NumPy writes values: whatever shares the memory sees both."""
        if isinstance(new, list | tuple | np.ndarray):
            new = numeric(new, "assignment")
        if isinstance(new, Dual) and new._tag > self._tag:  # a number of an inner derivative: make room for it
            self._rootless()
            self.value = _array(self.value, self._tangent, self._tag)
            self._tag, self._tangent, self._owned = new._tag, _zeros(new, self.value), True
        same = isinstance(new, Dual) and new._tag == self._tag
        v, t = (new.value, new.tangent) if same else (new, 0.0)
        if isinstance(v, Dual) and not isinstance(self.value, Dual):  # one of an outer derivative
            self._rootless()
            self.value = buffer(v, self.value)
        m = index(self, key)
        key = plain_key(key)
        self.value[key] = v
        root = self if self._base is None else self._base
        if isinstance(root._tangent, Structured):
            numbers = np.arange(root.value.size).reshape(root.value.shape)
            for _, step in self._steps if root is not self else ():
                numbers = step.move(numbers)
            root._tangent = root._tangent.put(shape_of(root.value), numbers[key], t if same else None)  # type: ignore[attr-defined]
            root._version += 1
            return
        if not root._owned:
            root._tangent = root._tangent.copy()
            root._owned = True
        if isinstance(t, Dual) and not isinstance(root._tangent, Dual):
            root._tangent = buffer(t, root._tangent)
        root._version += 1
        mine = self.tangent
        if root is not self and isinstance(mine, np.ndarray) and not np.may_share_memory(mine, root._tangent):
            raise NotDifferentiableError(
                f"assignment into a reshaped view{user_line()}: its tangents are no view; assign into the array itself"
            )
        if tangents.ndim(mine) == self.value.ndim:
            mine[key] = t
            return
        if same:  # line up the axes behind the one of directions
            inside, have = tangents.ndim(self.value[key]), tangents.ndim(v)
            t = expand(t, have, inside) if have <= inside else t.reshape(t.shape[:1] + t.shape[1 + have - inside :])
        if m.batched is not None:
            mine[(slice(None), *(key if type(key) is tuple else (key,)))] = t
        else:
            for k in range(len(mine)):
                mine[k][key] = t[k] if same else t

    def _rootless(self) -> None:
        if self._base is not None or self._viewed:
            raise NotDifferentiableError(
                f"storing a number of another derivative call into an array with views{user_line()}: make the array "
                "with np.zeros_like of that number, or store before taking views"
            )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if dtype is None or dtype == object:
            out = np.empty(self.shape, object)
            for i in np.ndindex(self.shape):
                out[i] = self[i]
            return out
        raise tangent_loss("storing an array into a plain one, or np.asarray(x, dtype=float),")

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"

    # The scalar fast paths of Dual are of no use here.
    def __add__(self, other: Any) -> Any:
        return operate(np.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return operate(np.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return operate(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return operate(np.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return operate(np.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return operate(np.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return operate(np.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return operate(np.divide, other, self)

    def __neg__(self) -> Any:
        return operate(np.negative, self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return _ufunc(ufunc, method, inputs, options)


# ---------------------------------------------------------------- making Duals


def _array(v: Any, t: Any, tag: Any) -> DualArray:
    r = _new(DualArray)
    r.value = v
    r._tangent = t
    r._tag = tag
    r._base = None
    r._owned = False
    r._viewed = False
    r._version = 0
    return r


def _wrap(v: Any, t: Any, tag: Any) -> Any:
    """A Dual of a value and a tangent, whose shape and type are made to fit the value's."""
    if t is None:
        return v
    if isinstance(v, np.ndarray | DualArray):
        if not isinstance(t, Structured):
            if type(t) is float or t.ndim < v.ndim or (t.shape != v.shape and t.shape[1:] != v.shape):
                t = np.asarray(t) if type(t) is float else t
                t = np.broadcast_to(t, v.shape if t.ndim <= v.ndim else t.shape[:1] + v.shape)
            if t.dtype is not v.dtype and t.dtype != v.dtype:
                t = t.astype(v.dtype)
        return _array(v, t, tag)
    kind = type(v)
    if kind is np.float64 or kind is np.complex128:
        v = v.item()
    if not isinstance(t, Structured | Dual):
        if isinstance(t, np.ndarray) and t.ndim:
            dtype = np.asarray(plain(v)).dtype
            t = t.astype(dtype) if t.dtype != dtype else t if t.base is None else t.copy()
        elif not isinstance(v, Dual):
            t = type(v)(t)
        elif isinstance(t, np.ndarray | np.generic):
            t = t.item()
    r = _new(Dual)
    r.value = v
    r.tangent = t
    r._tag = tag
    return r


def _rebuild(v: Any, t: Any, tag: Any) -> Any:
    return _wrap(v, t, tag)


def as_array(x: Dual) -> DualArray:
    """x as a DualArray: a scalar becomes one without axes."""
    if isinstance(x, DualArray):
        return x
    v = as_array(x.value) if isinstance(x.value, Dual) else np.asarray(x.value)
    return _wrap(v, x.tangent if isinstance(x.tangent, Structured | Dual) else np.asarray(x.tangent), x._tag)


def numeric(x: Any, what: str) -> Any:
    """x as a float, complex or Dual, or an array of them, without a copy where it is one already."""
    kind = type(x)
    if kind is float or kind is complex or isinstance(x, Dual):
        return x
    if kind is int or kind is bool:
        return float(x)
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{what} is a masked array, whose mask would be lost: pass x.filled(...) or x.compressed()")
    a = np.asarray(x)
    if a.dtype.kind in "biu":
        a = a.astype(np.float64)
    elif a.dtype.kind == "O":
        return _lift(a, what)
    elif a.dtype.kind not in "fc":
        raise TypeError(f"{what} is of type {kind.__name__} ({a.dtype}), which is not a number or an array of numbers")
    if isinstance(x, np.generic):
        return a.item() if a.dtype in (np.float64, np.complex128) else a[()]
    return a


def _lift(a: Any, what: str) -> Any:
    """An object array of Duals and numbers as one DualArray."""
    items = a.ravel().tolist()
    if not any(isinstance(v, Dual) for v in items):
        try:
            return numeric(np.array(items, dtype=np.result_type(*items)), what).reshape(a.shape)
        except (TypeError, ValueError):
            raise TypeError(f"{what} is an array of objects, which are not all numbers: use an array of floats") from None
    if any(isinstance(v, DualArray) and v.ndim or not isinstance(v, Dual | int | float | complex | np.generic) for v in items):
        raise TypeError(f"{what} is an array of objects, which are not all numbers: use an array of floats")

    def tangent(out: Any, values: Any, ts: Any) -> Any:
        return tangents.join(ts, [()] * len(ts), _pack, lambda parts: _pack(parts).T)

    return _finish(Plan(tuple(items), lambda *values: _pack(values), tangent)).reshape(a.shape)


def _pack(items: Any) -> Any:
    return np.stack(items) if any(isinstance(v, Dual) for v in items) else np.array(items)


def _zeros(like: Dual, v: Any) -> Any:
    """The zero tangent for value v in the space of another number's tangents."""
    t = like.tangent
    if isinstance(t, Structured):
        return t.zeros(v)  # type: ignore[attr-defined]
    lead = t.shape[:1] if tangents.ndim(t) > np.ndim(plain(like)) else ()
    return np.zeros(lead + shape_of(v), v.dtype)


def buffer(like: Dual, v: Any) -> Any:
    """A constant array into which numbers with the perturbations of `like` can be stored."""
    if v.dtype.kind not in "fc":
        return v
    if isinstance(like.value, Dual):
        v = buffer(like.value, v)
    r = _array(v, _zeros(like, v), like._tag)
    r._owned = True
    return r


_FILLED = {np.zeros_like, np.ones_like, np.empty_like, np.full_like}
_LIKE = {np.zeros, np.ones, np.empty, np.full, np.eye, np.identity, np.array, np.asarray, np.asanyarray, np.arange}
_CREATE = _FILLED | _LIKE | {np.ascontiguousarray, np.asfortranarray}


def _create(self: Dual, func: Any, args: Any, kwargs: Any) -> Any:
    """np.zeros_like(x) and its kin, np.zeros(n, like=x) and its kin: arrays that can hold tangents."""
    like = next((a for a in args[:1] if isinstance(a, Dual)), self) if func in _FILLED else self
    fill = None
    if func in (np.full, np.full_like):
        at = 1 if len(args) > 1 else "fill_value"
        fill = args[1] if at == 1 else kwargs[at]
        args, kwargs = (args[:1], kwargs) if at == 1 else (args, {k: v for k, v in kwargs.items() if k != at})
        kwargs = {"dtype": np.asarray(plain(like)).dtype if func is np.full_like else np.result_type(plain(fill)), **kwargs}
        func = np.empty_like if func is np.full_like else np.empty
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
    """An operator: as `call`, but NotImplemented for operands that are not numbers."""
    for x in operands:
        if not isinstance(x, _OPERANDS):
            return NotImplemented
    if function in ELEMENTWISE:
        return call(ELEMENTWISE[function], operands)
    return _ufunc(function, "__call__", operands, {})


_OPERANDS = (Dual, float, int, complex, np.ndarray, np.generic, list, tuple)


def _scalar_call(rule: Elementwise, operands: Any) -> Any:
    """An elementwise function of plain floats in one direction, without NumPy; None where NumPy must decide."""
    f = rule.scalar
    if f is None:
        return None
    try:
        if len(operands) == 1:
            x = operands[0]
            a = x.value
            y = f(a)
            t = rule.partials[0](SCALAR, a, y) * x.tangent
            tag = x._tag
        else:
            a, b = operands
            da = db = None
            tag = -1
            if type(a) is Dual:
                a, da, tag = a.value, a.tangent, a._tag
            if type(b) is Dual:
                if b._tag != tag and da is not None:
                    return None
                b, db, tag = b.value, b.tangent, b._tag
            if not (type(a) in _PLAIN_NUMBERS and type(b) in _PLAIN_NUMBERS):
                return None
            y = f(a, b)
            t = 0.0
            if da is not None:
                t += rule.partials[0](SCALAR, a, b, y) * da
            if db is not None:
                t += rule.partials[1](SCALAR, a, b, y) * db
    except (ArithmeticError, ValueError, TypeError):
        return None  # outside math's domain, where NumPy has an answer
    if type(y) is float and type(t) is float and t == t:
        r = _new(Dual)
        r.value = y
        r.tangent = t
        r._tag = tag
        return r
    return None


_PLAIN_NUMBERS = {float, int}


def call(rule: Elementwise, operands: Any) -> Any:
    """An elementwise function: its value, and the weighted sum of its operands' tangents."""
    if len(operands) == 1:
        x = operands[0]
        tag, v, t = x._tag, x.value, x.tangent
        if _is_complex(v) and rule.function in COMPLEX:
            return _finish(COMPLEX[rule.function](x))
        y = rule.function(v)
        token = hush()
        try:
            w = rule.partials[0](ARRAY, v, y)
            if type(w) is int:
                _share((x,))
            if isinstance(t, Structured):
                t = combine([(t, shape_of(v), w)], shape_of(y), rule.select)
            else:
                t = scale(t, w, rule.select)
        finally:
            unhush(token)
        return _wrap(y, t, tag)
    operands = [x if isinstance(x, Dual) or type(x) is float else _constant(x) for x in operands]
    tag = max([x._tag for x in operands if isinstance(x, Dual)])
    active = [isinstance(x, Dual) and x._tag == tag for x in operands]
    values = [x.value if on else x for x, on in zip(operands, active)]
    y = rule.function(*values)
    shape = shape_of(y)
    token = hush()
    try:
        terms = []
        for x, on, partial in zip(operands, active, rule.partials):
            if on:
                w = partial(ARRAY, *values, y)
                if type(w) is int:
                    if w == 0:
                        continue
                    _share((x,))  # what is not scaled is passed on
                terms.append((x.tangent, shape_of(x.value), w))
        t = combine(terms, shape, rule.select) if terms else None
    finally:
        unhush(token)
    return _wrap(y, t, tag)


def _is_complex(v: Any) -> bool:
    return v.dtype.kind == "c" if hasattr(v, "dtype") else type(v) is complex


def _constant(x: Any) -> Any:
    """An operand without a tangent, as something NumPy computes with."""
    if type(x) is np.ndarray:
        return x if x.dtype.kind in "fciub" else numeric(x, "an operand")
    if isinstance(x, int | float | complex | np.number | np.bool):
        return x
    return np.asarray(numeric(x, "an operand")) if not isinstance(x, list | tuple) else numeric(np.asarray(x), "an operand")


def _finish(result: Any) -> Any:
    """Carry out what a rule returned."""
    kind = type(result)
    return _apply(result) if kind is Plan else _move(result) if kind is Move else result


def _apply(plan: Plan) -> Any:
    operands = [x if isinstance(x, Dual) or type(x) is float else _constant(x) for x in plan.operands]
    tag = max([x._tag for x in operands if isinstance(x, Dual)], default=None)
    if tag is None:
        return plan.value(*operands)
    values, ts = [], []
    for x in operands:
        if isinstance(x, Dual) and x._tag == tag:
            values.append(x.value)
            ts.append(x.tangent)
        else:
            values.append(x)
            ts.append(None)
    y = plan.value(*values)
    token = hush()
    try:
        t = plan.tangent(y, values, ts)
    finally:
        unhush(token)
    if isinstance(y, tuple):
        parts = [_wrap(a, b, tag) for a, b in zip(y, t)]
        return type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)
    if any(t is s for s in ts):
        _share(plan.operands)
    return _wrap(y, t, tag)


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


def _cast(x: DualArray, dtype: Any) -> Any:
    v = x.value.astype(dtype)
    _share((x,))
    t = x.tangent
    return _wrap(v, t if isinstance(t, Structured) else t.astype(dtype), x._tag)


def _share(operands: Any) -> None:
    """Note that these numbers' tangents are used elsewhere: who writes to them next copies first."""
    for x in operands:
        if isinstance(x, DualArray):
            (x._base or x)._owned = False


def _move(m: Move) -> Any:
    if not isinstance(m.operand, Dual):
        return m.move(numeric(m.operand, "an operand"))
    x = as_array(m.operand)
    v = x.value
    y = m.move(v)
    t = gather(x.tangent, v.shape, m.move, m.batched)
    if not isinstance(y, np.ndarray | DualArray):
        return _wrap(y, t, x._tag)
    r = _wrap(y, t, x._tag)
    if isinstance(y, DualArray):
        view = y._base is not None and (y._base is v or y._base is v._base)
    else:
        view = y is v or (y.base is not None and (y.base is v or y.base is v.base))
    root = x if x._base is None else x._base
    if view:
        r._base = root
        r._steps = ((v.shape, m),) if root is x else (*x._steps, (v.shape, m))
        r._version = root._version
        root._viewed = True
    else:
        root._owned = False
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


def _ufunc(ufunc: Any, method: str, inputs: Any, options: Any) -> Any:
    """A ufunc, or one of its methods, with whatever options it was called."""
    options = dict(options)
    out = options.pop("out", None)
    if out is not None:
        where = options.pop("where", True)
        result = _ufunc(ufunc, method, inputs, options)
        if where is not True:
            result = np.where(where, result, out[0])
        return store(out, result, ufunc.__name__)
    if method == "__call__":
        for name in ("casting", "order", "subok"):
            options.pop(name, None)
        dtype = options.pop("dtype", None)
        if ufunc in COMPLEX and _is_complex(plain(inputs[0])):
            result = _finish(COMPLEX[ufunc](*inputs))
        elif ufunc in PLAIN:
            return ufunc(*map(plain, inputs), **options)
        elif options:
            raise NotDifferentiableError(f"np.{ufunc.__name__} with {', '.join(options)}= but no out={user_line()}")
        elif ufunc in ELEMENTWISE:
            result = call(ELEMENTWISE[ufunc], inputs)
        elif ufunc in FUNCTIONS:
            result = _finish(FUNCTIONS[ufunc](*inputs))
        else:
            raise _refused(ufunc)
        return result if dtype is None else result.astype(dtype)
    if ufunc in PLAIN:
        return getattr(ufunc, method)(*map(plain, inputs), **options)
    if method == "outer" and len(inputs) == 2:
        a, b = (x if isinstance(x, Dual) else np.asarray(x) for x in inputs)
        return ufunc(a[(..., *(None,) * b.ndim)], b, **options)
    function = {"reduce": REDUCE, "accumulate": ACCUMULATE}.get(method, {}).get(ufunc)
    if function is None or len(inputs) != 1:
        raise _refused(getattr(ufunc, method, ufunc), f"np.{ufunc.__name__}.{method}")
    return _finish(FUNCTIONS[function](inputs[0], **{"axis": 0, **options}))


def _refused(function: Any, name: str | None = None) -> NotDifferentiableError:
    if name is None:
        module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np")
        name = f"{module}.{getattr(function, '__name__', function)}"
    reason = REFUSED.get(function, "it has no derivative rule")
    return NotDifferentiableError(
        f"{name} of a number with a tangent{user_line()}: {reason}; where its derivative may go, apply it to dd.value(x)"
    )


def value(x: Any) -> Any:
    """x without its tangent: a constant from here on; the identity on plain numbers and arrays.

    Examples
    --------
    >>> import dualdiff as dd
    >>> dd.derivative(lambda x: x * dd.value(x))(3.0)
    3.0
    """
    v = plain(x)
    return v.copy() if isinstance(x, DualArray) else v


maximum = np.maximum
minimum = np.minimum


def relu(x: Any) -> Any:
    """max(x, 0) elementwise, with slope 0 at 0 as is the custom of the field.

    Parameters
    ----------
    x : number, array_like or Dual

    Examples
    --------
    >>> import dualdiff as dd
    >>> dd.derivative(dd.relu)(0.0), dd.derivative(dd.relu)(2.0)
    (0.0, 1.0)
    """
    if not isinstance(x, Dual):
        if hasattr(x, "relu"):  # a number of another kind, which knows how
            return x.relu()
        x = numeric(x, "relu: x") if isinstance(x, np.ndarray) and x.dtype == object else x
        if not isinstance(x, Dual):
            return positive_part(x)
    rule = ELEMENTWISE[positive_part]
    if type(x.tangent) is float:
        r = _scalar_call(rule, (x,))
        if r is not None:
            return r
    return call(rule, (x,))
