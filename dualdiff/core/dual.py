"""`Dual`, a value and a tangent, and `DualArray`, the same for arrays: storage, scalar arithmetic, views, assignment.

The operators and ndarray-like methods that need nothing but NumPy's own functions are in methods.py; engine.py
applies the rules.

A tag tells whose perturbation a tangent is. Each derivative call draws a fresh one, larger than those of the calls it
runs inside, so that in an operation the operands with the largest tag are the variables and all others constants; in
a nested derivative the value, and maybe the tangent, is a Dual of an outer call with a smaller tag.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..rules import ELEMENTWISE, FUNCTIONS, PLAIN
from ..rules.elementwise import SCALAR
from ..rules.nonsmooth import positive_part
from ..rules.structural import index, plain_key
from . import tangents
from .errors import NotDifferentiableError, tangent_loss, user_line
from .methods import Methods
from .table import Move, plain, shape_of
from .tangents import Structured, expand, gather

__all__ = ["Dual", "DualArray", "maximum", "minimum", "relu", "value"]

_new = object.__new__
_tags = itertools.count(1)
_live: dict[int, bool] = {}  # the tags of the derivative calls that are running


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
        value = value.copy() if isinstance(value, np.ndarray) else value
        return _wrap(value, np.array(tangent) if n else tangent, 0 if outer is None else outer + 1 / 1024)

    # ------------------------------------------------------------ scalar arithmetic without NumPy
    # The definition of dual arithmetic, written out since a function call more would double its cost; whatever is not
    # two plain floats in one direction, or has a NaN tangent (maybe 0 * inf), goes to the rule table.

    def __add__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                if other._tag is self._tag:
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
        return engine.operate(np.add, self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                if other._tag is self._tag:
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
        return engine.operate(np.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        if type(self.tangent) is float and (type(other) is float or type(other) is int):
            r = _new(Dual)
            r.value = other - self.value
            r.tangent = -self.tangent
            r._tag = self._tag
            return r
        return engine.operate(np.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                if other._tag is self._tag:
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
        return engine.operate(np.multiply, self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        t = self.tangent
        if type(t) is float:
            kind = type(other)
            if kind is Dual:
                b = other.value
                if other._tag is self._tag and b:
                    y = self.value / b
                    t = (t - y * other.tangent) / b
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
        return engine.operate(np.divide, self, other)

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
        return engine.operate(np.divide, other, self)

    def __neg__(self) -> Any:
        if type(self.tangent) is float:
            r = _new(Dual)
            r.value = -self.value
            r.tangent = -self.tangent
            r._tag = self._tag
            return r
        return engine.operate(np.negative, self)

    # ------------------------------------------------------------ the two NumPy protocols

    def __array_ufunc__(self, ufunc: Any, method: str, x: Any, *more: Any, **options: Any) -> Any:
        if not more and not options:
            rule = _unary(ufunc)
            if rule is not None:
                v = self.value
                if type(v) is float:
                    f, slope = rule
                    try:
                        y = f(v)
                        w = slope(SCALAR, v, y)
                    except (ArithmeticError, ValueError, TypeError):
                        pass  # outside math's domain, where NumPy has an answer
                    else:
                        t = self.tangent
                        kind = type(t)
                        if kind is float or kind is np.ndarray:
                            t = t * w
                            if t == t if kind is float else elementwise.scaled(ufunc, t, w):
                                r = _new(Dual)
                                r.value = y
                                r.tangent = t
                                r._tag = self._tag
                                return r
                        elif isinstance(t, Structured):
                            r = elementwise.scalar_structured(ufunc, (x,), self._tag, y, ((t, w),))
                            if r is not None:
                                return r
        elif not options and method == "__call__" and _binary(ufunc) is not None:
            r = elementwise.scalar_call(ufunc, x, more[0])
            if r is not None:
                return r
        return engine.ufunc(ufunc, method, (x, *more), options)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        out = kwargs.get("out")
        if out is not None:
            kwargs = {k: v for k, v in kwargs.items() if k != "out"}
            return engine.store(out, self.__array_function__(func, types, args, kwargs), func.__name__)
        rule = FUNCTIONS.get(func)
        if rule is not None:
            return engine.finish(rule(*args, **kwargs), func, args, kwargs)
        if func in PLAIN:
            if elementwise.WATCH is not None:
                elementwise.WATCH(func, args, **kwargs)
            return func(*map(plain, args), **{k: plain(v) for k, v in kwargs.items()})
        if func in engine.CREATE:
            return engine.create(self, func, args, kwargs)
        raise engine.refused(func)

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


def _array_operators(function: Any) -> tuple[Any, Any]:
    rule = ELEMENTWISE[function]

    def direct(self: Any, other: Any) -> Any:
        known = type(other) is DualArray or isinstance(other, engine.OPERANDS)
        return elementwise.call(rule, (self, other)) if known else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return elementwise.call(rule, (other, self)) if isinstance(other, engine.OPERANDS) else NotImplemented

    return direct, reflected


class Link:
    """How an array is tied to others.

    A view keeps the array it was taken from and the moves that lead to it; its tangent is looked up again when the
    base has changed since. So tangents need not be views of each other's memory, nor arrays at all.
    """

    __slots__ = ("base", "held", "owned", "steps", "version", "viewed", "views")

    def __init__(self, base: Any = None, steps: Any = (), version: int = 0) -> None:
        self.base = base  # None in an array of its own
        self.steps: tuple[tuple[tuple[int, ...], Move], ...] = steps
        self.version = version  # counts assignments
        self.viewed = False  # whether there are views
        self.owned = False  # whether nothing else uses the tangent's memory, so that it can be written to
        self.held = False  # whether a structured tangent uses the value's memory, which must not change then
        self.views: list[Any] | None = None  # weak references to views that have structured tangents


class DualArray(Dual):
    """An array and its tangents: what `Dual(array, tangent)` and NumPy functions of Duals give.

    Behaves as the array of its values does: slices are views, assignment writes through them. `.value` is the ndarray,
    `.tangent` has its shape, or one leading axis of directions more.
    """

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
                for shape, m in link.steps:
                    t = gather(t, shape, m.move, m.batched)
                self._tangent, link.version = t, root.version
        return self._tangent

    def _root(self) -> DualArray:
        """The array whose memory this one is or views, with a link."""
        if self._link is None:
            self._link = Link()
        return self if self._link.base is None else self._link.base

    def _hold(self) -> None:
        """Note that a structured tangent keeps the value's memory: who assigns next takes a copy.

        Only for an array whose tangent is structured, or that is new: the views of others are not known.
        """
        if self._link is None:
            self._link = Link()
        (self._link if self._link.base is None else self._link.base._link).held = True

    def _release(self) -> None:
        """Give the value's memory away to those who keep it, and let the array and its views go on with a copy."""
        link: Any = self._link
        link.held, self.value = False, self.value.copy(order="K")
        link.views = [ref for ref in link.views or () if ref() is not None]
        for view in [ref() for ref in link.views]:
            view.value = self.value
            for _, step in view._link.steps:
                view.value = step.move(view.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        if self.value.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self.value)))

    def __contains__(self, x: Any) -> bool:
        return bool(np.any(self == x))

    def __getitem__(self, key: Any) -> Any:
        return engine.move(index(self, key), operator.getitem, (self, key))

    def __setitem__(self, key: Any, new: Any) -> None:
        """Write values and tangents, as NumPy writes values: whatever shares the memory sees both."""
        if isinstance(new, list | tuple | np.ndarray):
            new = numeric(new, "assignment")
        if isinstance(new, Dual) and new._tag > self._tag:  # a number of an inner derivative: make room for it
            self._alone()
            self.value = _array(self.value, self._tangent, self._tag)
            self._tag, self._tangent = new._tag, _zeros(new, self.value)
        same = isinstance(new, Dual) and new._tag == self._tag
        v, t = (new.value, new.tangent) if same else (new, 0.0)
        if isinstance(v, Dual) and not isinstance(self.value, Dual):  # one of an outer derivative
            self._alone()
            self.value = buffer(v, self.value)
        m = index(self, key)
        key = plain_key(key)
        root = self._root()
        link: Any = root._link
        if link.held:
            root._release()
        self.value[key] = v
        link.version += 1
        if isinstance(root._tangent, Structured):
            numbers = element_numbers(root.shape)
            for _, step in self._link.steps:  # type: ignore[union-attr]
                numbers = step.move(numbers)
            numbers = numbers[key]
            if same:
                t = _fit(t, shape_of(v), shape_of(numbers))
            root._tangent = root._tangent.put(root.shape, numbers, t if same else None)
            if isinstance(root._tangent, Structured):  # else it has become dense
                root._tangent.note(operator.setitem, (self, key, new), {}, root)
            return
        if isinstance(t, Structured):
            t = t.dense()
        if not link.owned:
            root._tangent = root._tangent.copy(order="K")
            link.owned = True
        if isinstance(t, Dual) and not isinstance(root._tangent, Dual):
            root._tangent = buffer(t, root._tangent)
        mine = self.tangent
        if isinstance(mine, np.ndarray) and mine.size and not np.may_share_memory(mine, root._tangent):
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
            lead: Any = (slice(None), *(key if type(key) is tuple else (key,)))
            mine[lead] = t
        else:
            for k in range(len(mine)):
                mine[k][key] = t[k] if isinstance(t, _ARRAYS) else t

    def _alone(self) -> None:
        """Refuse to change the kind of an array that views depend on."""
        if self._link is not None and (self._link.base is not None or self._link.viewed):
            raise NotDifferentiableError(
                f"storing a number of another derivative call into an array with views{user_line()}: make the array "
                "with np.zeros_like of that number, or store before taking views"
            )

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if dtype is None and sys._getframe(1).f_globals.get("__name__", "").startswith("scipy.sparse"):
            whole = np.empty((), object)  # by which SciPy leaves the product to us
            whole[()] = self
            return whole
        if dtype is None or dtype == np.dtype(object):
            return objects.elements(self)
        raise tangent_loss("storing an array into a plain one, or np.asarray(x, dtype=float),")

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"

    # The scalar fast paths of Dual are of no use here.
    __add__, __radd__ = _array_operators(np.add)
    __sub__, __rsub__ = _array_operators(np.subtract)
    __mul__, __rmul__ = _array_operators(np.multiply)
    __truediv__, __rtruediv__ = _array_operators(np.divide)

    def __neg__(self) -> Any:
        return elementwise.call(ELEMENTWISE[np.negative], (self,))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return engine.ufunc(ufunc, method, inputs, options)


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
    return Dual.__array_ufunc__(x, positive_part, "__call__", x)


_unary: Any = None  # UNARY.get and BINARY.get of elementwise.py, put there by that module: the shortest path there is
_binary: Any = None

# What needs the classes above, and is needed only when they are used.
from .making import _ARRAYS, _array, _fit, _rebuild, _wrap, _zeros, buffer, element_numbers, numeric  # noqa: E402, I001
from . import engine, elementwise, objects  # noqa: E402
