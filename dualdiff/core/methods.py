"""What a Dual can do that needs only NumPy's functions of it: operators, and the attributes and methods of an ndarray.

Everything here comes back to the rules through the two NumPy protocols; comparisons and roundings look at values only.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import kinks
from .asked import tie
from .engine import astype, operate
from .errors import NotDifferentiableError, user_line
from .number import Link, Number, NumberArray
from .values import dtype_of, plain, shape_of

Binary = Callable[[Any, Any], Any]


def operators(function: Callable[..., Any]) -> tuple[Binary, Binary, Binary]:
    """The three methods of a binary operator: direct, reflected, in place."""

    def direct(self: Any, other: Any) -> Any:
        return operate(function, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return operate(function, other, self)

    def in_place(self: Any, other: Any) -> Any:
        result = operate(function, self, other)
        if result is NotImplemented or not isinstance(self, NumberArray):  # a number is immutable, as Python's are
            return result
        if shape_of(result) != self.shape:  # type: ignore[attr-defined]
            raise ValueError(f"an in-place operator can't change the shape {shape_of(self)} to {shape_of(result)}")
        self[...] = result  # type: ignore[index]
        return self

    return direct, reflected, in_place


def _comparison(operation: Binary) -> Binary:
    equal = bool(operation(0, 0))  # the answer for equal numbers, at which `tie` looks once more
    also = np.bool(equal)

    def compare(self: Any, other: Any) -> Any:
        a = self.value
        b = other.value if isinstance(other, Number) else other
        if kinks.active and operation in kinks.COMPARE:
            result = kinks.compare(operation, self, other)
            if kinks.lexicographic():  # the tangents have decided
                return result
        else:
            result = operation(a, b)
        if (result is equal or result is also) and a == b:
            return tie(operation, self, result)
        return result

    return compare


def _of_value(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: function(plain(self))


def _named(name: str) -> Callable[..., Any]:
    """The method that is a NumPy function of the same name and arguments."""
    function = getattr(np, name)

    def method(self: Any, *args: Any, **options: Any) -> Any:
        return function(self, *args, **options)

    method.__name__, method.__doc__ = name, f"As np.{name}(self, ...)."
    return method


class Flat:
    """What x.flat gives: the elements one after the other, to go through, to read and to write."""

    def __init__(self, base: Any) -> None:
        self.base, self.rest = base, iter(np.ravel(base))

    def __iter__(self) -> Any:
        return self.rest

    def __next__(self) -> Any:
        return next(self.rest)

    def __len__(self) -> int:
        return int(self.base.size)

    def __getitem__(self, key: Any) -> Any:
        return np.ravel(self.base).copy()[key]

    def __setitem__(self, key: Any, new: Any) -> None:
        np.put(self.base, np.arange(len(self))[key], new)


def _assignable(function: Callable[[Any], Any]) -> Any:
    """A property that is a view of the array, into which goes what is assigned to it."""

    def assign(self: Any, new: Any) -> None:
        function(self)[...] = new

    return property(function, assign)


class Methods:
    """Mixin of Dual: `self` has a value, and NumPy functions of it are known to the rule table."""

    __slots__ = ()
    value: Any

    # ------------------------------------------------------------ operators

    _, _, __iadd__ = operators(np.add)
    _, _, __isub__ = operators(np.subtract)
    _, _, __imul__ = operators(np.multiply)
    _, _, __itruediv__ = operators(np.divide)
    __pow__, __rpow__, __ipow__ = operators(np.power)
    __mod__, __rmod__, __imod__ = operators(np.remainder)
    __floordiv__, __rfloordiv__, __ifloordiv__ = operators(np.floor_divide)
    __divmod__, __rdivmod__, _ = operators(np.divmod)
    __matmul__, __rmatmul__, __imatmul__ = operators(np.matmul)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)

    def __pos__(self) -> Any:
        return operate(np.positive, self)

    def __abs__(self) -> Any:
        return operate(np.absolute, self)

    # Piecewise constant functions have derivative zero: their results are plain numbers.
    __bool__ = _of_value(bool)
    __int__ = _of_value(int)
    __trunc__ = _of_value(math.trunc)
    __floor__ = _of_value(math.floor)
    __ceil__ = _of_value(math.ceil)

    def __round__(self, digits: int | None = None) -> Any:
        return round(plain(self), digits)

    # ------------------------------------------------------------ ndarray attributes

    @property
    def shape(self) -> tuple[int, ...]:
        return shape_of(self.value)

    @shape.setter
    def shape(self, shape: Any) -> None:
        """For an array that has just been made: bodies of NumPy's functions do so before NumPy 2.1."""
        link = getattr(self, "_link", Link(self))  # which numbers that aren't arrays don't have
        if link is not None and (link.base is not None or link.viewed):
            raise AttributeError("the shape of this array can't be set, since others may share it: use x.reshape(...)")
        moved = np.reshape(self, shape)  # type: ignore[call-overload]
        self.value, self._tangent, self._link = moved.value, moved.tangent, Link()
        self._link.held = link is not None and link.held

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    dtype = property(lambda self: dtype_of(self.value))
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self.size * self.itemsize)
    device = property(lambda self: getattr(self.value, "device", "cpu"))
    T = property(np.transpose)
    mT = property(np.matrix_transpose)
    real, imag, flat = _assignable(np.real), _assignable(np.imag), _assignable(Flat)

    @property
    def flags(self) -> Any:
        """How the value lies in memory: an array of another kind may have no order, as if it were C's."""
        return getattr(self.value, "flags", np.empty(self.shape, bool).flags)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return np

    def __hash__(self) -> int:
        raise NotDifferentiableError(
            f"unhashable: a number with a tangent as a key{user_line()} of a dict, a set or an lru_cache, which would "
            "return another call's tangent; call what is cached (f.__wrapped__), or use dd.value(x) as the key"
        )

    # ------------------------------------------------------------ ndarray methods

    def item(self, *at: Any) -> Any:
        if self.size != 1 and not at:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        flat = np.ravel(self)
        return self[at] if len(at) > 1 else flat[at[0]] if at else flat[0]  # type: ignore[index]

    def tolist(self) -> Any:
        return [v.tolist() for v in self] if self.ndim else self.item()  # type: ignore[attr-defined]

    def copy(self, order: str = "C") -> Any:
        return np.copy(self, order=order) if self.ndim or isinstance(self, NumberArray) else self

    def astype(self, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = True, copy: bool = True) -> Any:
        of_class = isinstance(dtype, type) and issubclass(dtype, np.dtype)  # as type(np.dtype(float))
        return astype(self, dtype() if of_class else np.dtype(dtype), copy)

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        if dtype not in (None, np.ndarray) and np.dtype(dtype) != self.dtype:
            raise TypeError(
                f"view: the memory of {self.dtype} numbers as {np.dtype(dtype)} has no derivative; write "
                "np.stack([x.real, x.imag], axis=-1), or x.astype"
            )
        return self[...]  # type: ignore[index]

    def fill(self, value: Any) -> None:
        self[...] = value  # type: ignore[index]

    def sort(self, axis: int = -1, **options: Any) -> None:
        self[...] = np.sort(self, axis, **options)  # type: ignore[index, call-overload]

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        return np.transpose(self, None if axes is None or not len(axes) else axes)

    def flatten(self, order: Any = "C") -> Any:
        return np.ravel(self, order).copy()

    def dot(self, b: Any, out: Any = None) -> Any:
        return np.dot(self, b) if out is None else np.dot(self, b, out=out)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> Any:
        return np.clip(self, min, max) if out is None else np.clip(self, min, max, out=out)

    def conj(self) -> Any:
        return np.conjugate(self) if self.dtype.kind == "c" else self

    conjugate = conj

    for _name in (
        "all any argmax argmin argpartition argsort choose compress cumprod cumsum diagonal max mean min nonzero prod "
        "put ravel repeat round searchsorted squeeze std sum swapaxes take trace var"
    ).split():
        vars()[_name] = _named(_name)

    # NumPy evaluates sin of an array of objects by calling each element's method sin.
    for _name, _function in vars(np).items():
        if isinstance(_function, np.ufunc) and {"O->O", "OO->O"} & set(_function.types) and _name not in vars():
            vars()[_name] = _named(_name)
    del _name, _function
