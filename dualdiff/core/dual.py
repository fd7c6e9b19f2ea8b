"""`Dual`, a value and a tangent, and `DualArray`, the same for arrays: operators and protocols, on top of the engine.

The operators and ndarray-like methods that need nothing but NumPy's own functions are in methods.py.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import engine, kinks
from .asked import operand_of_dot
from .elementwise import call, harmless, scalar_call, scalar_structured
from .engine import OPERANDS, is_operand, operate
from .errors import DualdiffError, NotDifferentiableError, tangent_loss, user_line
from .indexing import element_numbers, index, plain_key
from .making import buffer, fit, make_array, numeric, unpickled, wrap, zero_tangent
from .mathematics import SCALAR, positive_part
from .methods import Methods
from .number import ElementNumber, Number, NumberArray, by_hand, new, note
from .table import BINARY, ELEMENTWISE, FUNCTIONS, OUT, PLAIN, UNARY, Part
from .tangents import Structured, expand
from .values import in_memory, is_array, is_complex, like_key, ndim, plain, shape_of, writes_through

__all__ = ["Dual", "DualArray", "maximum", "minimum", "relu", "value"]


# ---------------------------------------------------------------- scalar arithmetic without NumPy

# The definition of dual arithmetic: a and b are the operands' values, s and t their tangents, y the result's value.
_ARITHMETIC = {
    #           value    tangent: both move     b a number  a a number     done where
    "add":      ("a + b", "s + t",              "s",        "t",           "True"),
    "subtract": ("a - b", "s - t",              "s",        "-t",          "True"),
    "multiply": ("a * b", "a * t + b * s",      "s * b",    "a * t",       "t == t"),
    "divide":   ("a / b", "(s - y * t) / b",    "s / b",    "-y / b * t",  "t == t"),
}  # fmt: skip

# Written out by a template, since a function call more would double the cost. Whatever is not two plain floats in one
# direction, divides by zero or has a NaN tangent (maybe 0 * inf) goes to the rule table.
_TEMPLATE = """
def {name}(self, other):
    s = t = self.tangent
    if type(t) is float:
        kind = type(other)
        try:
            if kind is Dual:
                if other._tag is not self._tag:
                    return operate(np.{function}, {operands})
                {a}, {b}, {t} = self.value, other.value, other.tangent
                y = {value}
                t = {both}
            elif kind is float or kind is int:
                {a}, {b} = self.value, other
                y = {value}
                t = {one}
            else:
                return operate(np.{function}, {operands})
            if {done}:
                r = new(Dual)
                r.value = y
                r.tangent = t
                r._tag = self._tag
                return r
        except ZeroDivisionError:
            pass
    return operate(np.{function}, {operands})
"""


def _arithmetic(function: str, reflected: bool = False) -> Any:
    """The method of Dual for an operator: `self` is the operand on the left, or, reflected, on the right."""
    value, both, number_right, number_left, done = _ARITHMETIC[function]
    name = f"_{'reflected_' * reflected}{function}"
    a, b, t = ("b", "a", "s") if reflected else ("a", "b", "t")
    one, operands = (number_left, "other, self") if reflected else (number_right, "self, other")
    source = _TEMPLATE.format(
        name=name, function=function, a=a, b=b, t=t, value=value, both=both, one=one, operands=operands, done=done
    )
    exec(source, globals())
    return globals()[name]


_unary = UNARY.get


class Dual(Methods, Number, role="scalar"):
    """A number and its tangent: the directional derivative that it carries through a computation.

    >>> from dualdiff import Dual
    >>> x = Dual(3.0, 1.0)
    >>> x * x
    Dual(9.0, 6.0)

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
    >>> Dual([1.0, 2.0], [1.0, 0.0]) * x
    Dual(array([3., 6.]), array([4., 2.]))
    """

    __slots__ = ()
    __hash__ = Methods.__hash__

    def __new__(cls, value: Any, tangent: Any = 0) -> Dual:
        """Check and convert what a user gives; the library itself fills the slots directly."""
        outer = max((x._tag for x in (value, tangent) if isinstance(x, Dual)), default=None)
        value = numeric(value, "Dual: the value")
        tangent = numeric(tangent, "Dual: the tangent")
        n = ndim(value)
        if ndim(tangent) == 0 and not isinstance(tangent, Dual):
            tangent = np.broadcast_to(tangent, shape_of(value))
        have = tangent.shape if len(tangent.shape) == n else tangent.shape[1:]
        if have != shape_of(value):
            raise ValueError(
                f"Dual: the tangent has shape {tangent.shape}, which fits a value of shape {shape_of(value)} neither "
                "as it is nor with one leading axis of directions"
            )
        if is_complex(tangent) and not is_complex(value):
            raise TypeError("Dual: a real value has real tangents; make the value complex if you mean a complex one")
        # A number made from Duals is one perturbation further in, but still outside the next derivative call.
        value = value.copy() if is_array(value) else value
        return wrap(value, tangent.copy() if n else tangent, by_hand(outer))

    # ------------------------------------------------------------ operators

    __add__ = __radd__ = _arithmetic("add")
    __mul__ = __rmul__ = _arithmetic("multiply")
    __sub__, __rsub__ = _arithmetic("subtract"), _arithmetic("subtract", reflected=True)
    __truediv__, __rtruediv__ = _arithmetic("divide"), _arithmetic("divide", reflected=True)

    def __neg__(self) -> Any:
        if type(self.tangent) is float:
            r = new(Dual)
            r.value = -self.value
            r.tangent = -self.tangent
            r._tag = self._tag
            return r
        return operate(np.negative, self)

    # ------------------------------------------------------------ the two NumPy protocols

    def __array_ufunc__(self, ufunc: Any, method: str, x: Any, *more: Any, **options: Any) -> Any:
        if not more and not options:
            rule = _unary(ufunc)
            if rule is not None and not kinks.active:
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
                        if type(t) is float or harmless(ufunc, t, w):
                            t = t * w
                            if type(t) is not float or t == t:
                                r = new(Dual)
                                r.value = y
                                r.tangent = t
                                r._tag = self._tag
                                return r
                        elif isinstance(t, Structured):
                            r = scalar_structured(ufunc, (x,), self._tag, y, ((t, w),))
                            if r is not None:
                                return r
        elif not options and method == "__call__" and ufunc in BINARY and not kinks.active:
            r = scalar_call(ufunc, x, more[0])
            if r is not None:
                return r
        try:
            return engine.ufunc(ufunc, method, (x, *more), options)
        except DualdiffError as error:
            note(self, error)
            raise

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            return self._function(func, types, args, kwargs)
        except DualdiffError as error:
            note(self, error)
            raise

    def _function(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        out = kwargs.get("out")
        if out is not None:
            kwargs = {k: v for k, v in kwargs.items() if k != "out"}
            return engine.store(out, self.__array_function__(func, types, args, kwargs), func.__name__)
        rule = FUNCTIONS.get(func)
        if rule is not None:
            if len(args) > OUT.get(func, len(args)) and args[OUT[func]] is not None:
                raise TypeError(f"np.{func.__name__}: pass out= by keyword when differentiating")
            return engine.finish(rule(*args, **kwargs), func, args, kwargs)
        if func in PLAIN:
            if kinks.active:
                kinks.watch(func, args, **kwargs)
            return func(*map(plain, args), **{k: plain(v) for k, v in kwargs.items()})
        if func in engine.CREATE:
            return engine.create(self, func, args, kwargs)
        raise engine.refused(func)

    # ------------------------------------------------------------ what would lose the tangent

    def __float__(self) -> float:
        what = "float(x), math.sin(x) and the like, or storing into a plain float array,"
        instead = "use np.sin(x), np.zeros_like(x), np.zeros(n, like=x), or dd.value(x) where the derivative may go"
        error = note(self, tangent_loss(what, instead))
        if sys._getframe(1).f_globals.get("__name__") != "scipy.optimize._zeros_py":
            raise error
        return np.nan  # since its C code goes on whatever is raised; what is noted comes out in the end

    def __xor__(self, other: Any) -> Any:
        raise note(self, engine.refused(np.bitwise_xor))

    __rxor__ = __xor__

    def __complex__(self) -> complex:
        instead = "write x + 0j, or complex(dd.value(x)) where the derivative may go"
        raise note(self, tangent_loss("complex(x)", instead))

    # ------------------------------------------------------------ storage

    _finish = staticmethod(engine.finish)  # for what lies below the engine and has an operation to carry out

    def _with_value(self, v: Any) -> Any:
        """The same tangent with another value of the same shape."""
        return wrap(v, self.tangent, self._tag)

    def __reduce__(self) -> Any:
        return unpickled, (self.value, self.tangent, self._tag)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __repr__(self) -> str:
        return f"Dual({self.value!r}, {self.tangent!r})"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else repr(self)


def _array_operators(function: Any) -> tuple[Any, Any]:
    line = ELEMENTWISE[function]

    def direct(self: Any, other: Any) -> Any:
        known = isinstance(other, OPERANDS) or is_operand(other)
        return call(line, (self, other)) if known else operate(function, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return call(line, (other, self)) if is_operand(other) else operate(function, other, self)

    return direct, reflected


class DualArray(NumberArray, Dual, role="array"):
    """An array and its tangents: what `Dual(array, tangent)` and NumPy functions of Duals give.

    Behaves as the array of its values does: slices are views, assignment writes through them. `.value` is the ndarray,
    `.tangent` has its shape, or one leading axis of directions more.
    """

    __slots__ = ()

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
        ours = isinstance(new, Number) and new._tag == self._tag
        if isinstance(new, Number) and (not ours or isinstance(new.value, Number)):
            self._make_room(new)
            ours = new._tag == self._tag
        v, t = (new.value, new.tangent) if ours else (new, None)
        move, key, root = index(self, key), plain_key(key), self.root()
        if self._link.part:  # type: ignore[union-attr]
            self._put_part(root, key, new)
            return
        link: Any = root._link
        if link.held:
            root.release()
        self.value[key] = v
        link.version += 1
        if isinstance(root._tangent, Structured):
            if t is not None and is_complex(v) and not is_complex(self.value):
                t = np.real(new).tangent  # as NumPy does, with a warning
            self._put(root, key, v, t)
            if isinstance(root._tangent, Structured):  # else it has become dense
                root._tangent.note(operator.setitem, (self, key, new), {}, root)
        else:
            self._write(root, key, move.batched is not None, v, t.dense() if isinstance(t, Structured) else t)

    def _make_room(self, new: Any) -> None:
        """Let a number of another derivative call be stored: this array's kind changes then."""
        inner = new._tag > self._tag
        v = new.value if new._tag == self._tag else new
        if not inner and not (isinstance(v, Number) and not isinstance(self.value, Number)):
            return
        if self._link is not None and (self._link.base is not None or self._link.viewed):
            raise NotDifferentiableError(
                f"storing a number of another derivative call into an array with views{user_line()}: make the array "
                "with np.zeros_like of that number, or store before taking views"
            )
        if inner:
            self.value = make_array(self.value, self._tangent, self._tag)
            self._tag, self._tangent = new._tag, zero_tangent(new, self.value)
            v = new.value
        if isinstance(v, Number) and not isinstance(self.value, Number):
            self.value = buffer(v, self.value)

    def _put_part(self, root: Any, key: Any, new: Any) -> None:
        """Assignment to the real or imaginary part of a complex array, or to a view of it."""
        at = np.unravel_index(self._numbers(root)[key], root.shape or (1,))
        root = root if root.shape else root[None]
        real = any(type(m) is Part and m.move is np.real for _, m in self._link.steps)  # type: ignore[union-attr]
        old = root[at]
        root[at] = new + 1j * np.imag(old) if real else np.real(old) + 1j * new

    def _put(self, root: Any, key: Any, v: Any, t: Any) -> None:
        """Assignment in a structured space: by the flat numbers of the elements that are written."""
        numbers = like_key(self._numbers(root), key if type(key) is tuple else (key,))[key]
        if t is not None:
            t = fit(t, shape_of(v), shape_of(numbers))
        root._tangent = root._tangent.put(root.shape, numbers, t)

    def _numbers(self, root: Any) -> Any:
        """The flat numbers, in the array whose memory this one views, of this one's elements."""
        numbers = element_numbers(root.shape)
        for _, step in self._link.steps:  # type: ignore[union-attr]
            numbers = numbers if type(step) is Part else step.move(numbers)
        return numbers

    def _write(self, root: Any, key: Any, batched: bool, v: Any, t: Any) -> None:
        """Assignment of dense tangents, None for zero."""
        link: Any = root._link
        if not link.owned:
            root._tangent = root._tangent.copy(order="K")
            link.owned = True
        if isinstance(t, Number) and not isinstance(root._tangent, Number):
            root._tangent = buffer(t, root._tangent)
        many = ndim(root._tangent) > len(root.shape)
        if t is None:
            t = 0.0
        elif many:  # line up the axes behind the one of directions
            inside, have = ndim(self.value[key]), ndim(v)
            t = expand(t, have, inside) if have <= inside else t.reshape(t.shape[:1] + t.shape[1 + have - inside :])
        mine = self.tangent
        if mine is not root._tangent and not writes_through(mine, root._tangent):
            # by the elements' places in the array itself, whatever the memory of its tangents is like
            mine = root._tangent if root.shape else root._tangent[..., None]
            key, batched = np.unravel_index(self._numbers(root)[key], root.shape or (1,)), True
            self._link.version = -1  # type: ignore[union-attr]  # what has been looked up is a copy, not written to
        if not many:
            mine[key] = t
        elif batched:
            lead: Any = (slice(None), *(key if type(key) is tuple else (key,)))
            mine[lead] = t
        else:
            for k in range(len(mine)):
                mine[k][key] = t[k] if is_array(t) else t

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if (operand := operand_of_dot(self, dtype, frame := sys._getframe(1))) is not None:
            return operand
        if frame.f_code.co_name == "require" or copy is False:
            raise note(self, tangent_loss("np.require(x), or np.array(x, copy=False),"))
        if is_complex(self.value):  # no loss as such: whether the value is another one then will be looked at
            note(self, tangent_loss("np.asarray(x) of complex numbers, whose .imag would be 0,"))
        if copy or dtype == np.dtype(object):
            return _elements(self, None)
        if dtype is None:
            elements = _elements(self, (self.root()._link, self.root()._link.version))
            elements.flags.writeable = False  # what is written into it would not be seen here
            return elements
        raise note(self, tangent_loss("storing an array into a plain one, or np.asarray(x, dtype=float),"))

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    # The scalar fast paths of Dual are of no use here.
    __add__, __radd__ = _array_operators(np.add)
    __sub__, __rsub__ = _array_operators(np.subtract)
    __mul__, __rmul__ = _array_operators(np.multiply)
    __truediv__, __rtruediv__ = _array_operators(np.divide)

    def __neg__(self) -> Any:
        return call(ELEMENTWISE[np.negative], (self,))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return engine.ufunc(ufunc, method, inputs, options)


def _of_element(name: str) -> Any:
    """An operator that notes where an array of objects becomes complex, so that the value will be looked at."""
    operator_ = getattr(Dual, name)

    def operate(self: Any, other: Any) -> Any:
        if is_complex(other.value if isinstance(other, Number) else other):
            note(self, tangent_loss("np.asarray(x), times a complex number, whose .imag would be 0,"))
        return operator_(self, other)

    return operate


class Element(ElementNumber, Dual, role="element"):
    """An element of an array of objects."""

    __slots__ = ()

    for _operator in "add radd sub rsub mul rmul truediv rtruediv".split():
        vars()[f"__{_operator}__"] = _of_element(f"__{_operator}__")
    del _operator


def _elements(x: Any, seen: Any) -> Any:
    """An array of objects with the elements of x as they are now."""
    flat = x.ravel().copy()
    v = plain(x)  # in whose order they lie, so that NumPy makes a copy of them where it makes one of x
    out = np.empty_like(v, object) if in_memory(v) else np.empty(x.shape, object)
    for k in range(len(flat)):
        e = out.flat[k] = new(Element)
        e._array, e._at, e._tag, e._found, e._seen = flat, k, x._tag, None, seen
    return out


def value(x: Any) -> Any:
    """x without its tangent: a constant from here on; the identity on plain numbers and arrays.

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

    >>> import dualdiff as dd
    >>> dd.derivative(dd.relu)(0.0), dd.derivative(dd.relu)(2.0)
    (0.0, 1.0)

    Parameters
    ----------
    x : number, array_like or Dual
    """
    if not isinstance(x, Dual):
        if hasattr(x, "relu"):  # a number of another kind, which knows how
            return x.relu()
        x = numeric(x, "relu: x") if isinstance(x, np.ndarray) and x.dtype == object else x
        if not isinstance(x, Dual):
            return positive_part(x)
    return Dual.__array_ufunc__(x, positive_part, "__call__", x)
