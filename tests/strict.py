"""A value that speaks NumPy's two protocols and nothing else: what is no ndarray must come through everywhere.

It has operators, indexing, assignment and the methods of arrays, gives its like wherever NumPy gives an array, mixes
with ndarrays and numbers, and raises `Escaped` when something asks for its memory: `__array__`, `float`. Slices are
views with a `base`, as those of arrays are; it has no `flags`, `data`, `item`, `tolist`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["Escaped", "Strict", "loosened", "strict"]


class Escaped(Exception):
    """Something has asked for the memory behind a strict value."""


METHODS = """
all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy cumprod cumsum diagonal dot
fill max mean min nonzero partition prod ptp put ravel flatten repeat reshape resize round searchsorted sort squeeze std
sum swapaxes take trace transpose var
""".split()
KNOWN = (np.ndarray, np.generic, bool, int, float, complex, list, tuple, type(None))


def strict(x: Any, owners: Any = ()) -> Any:
    """Arrays and NumPy's numbers as strict values, in containers too; views of the owners' memory have them as base."""
    if isinstance(x, np.ndarray | np.generic):
        made = Strict(np.asarray(x))
        if isinstance(x, np.ndarray) and x.base is not None:
            shared = (o for o in _strict_in(owners) if np.may_share_memory(o._array, x))
            made.base = next((o if o.base is None else o.base for o in shared), None)
        return made
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(strict(a, owners) for a in x))
    return type(x)(strict(a, owners) for a in x) if isinstance(x, list | tuple) else x


def _strict_in(x: Any) -> Iterator[Strict]:
    if isinstance(x, Strict):
        yield x
    elif isinstance(x, list | tuple):
        for part in x:
            yield from _strict_in(part)


def loosened(x: Any) -> Any:
    """The arrays behind strict values, in containers too."""
    if isinstance(x, Strict):
        return x._array
    if isinstance(x, slice):
        return slice(*map(loosened, (x.start, x.stop, x.step)))
    if isinstance(x, dict):
        return {k: loosened(v) for k, v in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(loosened, x))
    return type(x)(map(loosened, x)) if isinstance(x, list | tuple) else x


class Strict(NDArrayOperatorsMixin):
    __slots__ = ("_array", "base")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: Any) -> None:
        self._array = array
        self.base: Strict | None = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if not all(isinstance(x, (Strict, *KNOWN)) for x in inputs):
            return NotImplemented  # whoever knows us goes first
        return self._applied(getattr(ufunc, method), inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if not all(issubclass(t, Strict | np.ndarray) for t in types):
            return NotImplemented
        return self._applied(function, args, options)

    @staticmethod
    def _applied(function: Any, args: Any, options: Any) -> Any:
        result = function(*loosened(args), **loosened(options))
        out = options.get("out")
        if out is not None:
            return out[0] if isinstance(out, tuple) and len(out) == 1 else out
        return strict(result, args)

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Escaped("__array__")

    def __float__(self) -> NoReturn:
        raise Escaped("float(x)")

    def __complex__(self) -> NoReturn:
        raise Escaped("complex(x)")

    def __bool__(self) -> bool:
        return bool(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __index__(self) -> int:
        return self._array.__index__()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return (strict(x, self) for x in self._array)

    def __getitem__(self, key: Any) -> Any:
        return strict(self._array[loosened(key)], self)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._array[loosened(key)] = loosened(value)

    def __repr__(self) -> str:
        return f"Strict({self._array!r})"

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    nbytes = property(lambda self: self._array.nbytes)
    T = property(lambda self: strict(self._array.T, self))
    mT = property(lambda self: strict(self._array.mT, self))
    real = property(lambda self: strict(self._array.real, self))
    imag = property(lambda self: strict(self._array.imag, self))

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name)

        def method(*args: Any, **options: Any) -> Any:
            return strict(loosened(self._applied(getattr(self._array, name), args, options)), self)

        return method
