"""`math`, `statistics` and `float`, as a function finds them that is run with names followed.

They take numbers with tangents by NumPy's functions, and all else as they are. What they refuse they refuse still.
"""

from __future__ import annotations

import functools
import importlib
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import numbers_in
from ..core.number import Number
from ..core.values import is_complex, plain, shape_of, size_of

MODULES = {"math", "statistics"}  # which are seen through copies though they are Python's own


def _special(name: str) -> Callable[[Any], Any]:
    return lambda x: getattr(importlib.import_module("scipy.special"), name)(x)


def _remainder(x: Any, y: Any) -> Any:
    return x - y * round(plain(x) / plain(y))  # to the nearest, as IEEE 754 has it


_SAME = "sin cos tan sinh cosh tanh exp exp2 expm1 log1p log2 log10 sqrt cbrt fabs copysign fmod degrees radians modf"
_OTHER: dict[str, Callable[..., Any]] = {
    **{f"a{name}": getattr(np, f"arc{name}") for name in "sin cos tan sinh cosh tanh".split()},
    "atan2": np.arctan2,
    "pow": np.power,
    "ldexp": np.ldexp,
    "frexp": lambda x: (np.frexp(x)[0], math.frexp(plain(x))[1]),
    "remainder": _remainder,
    "log": lambda x, *base: np.log(x) / np.log(*base) if base else np.log(x),
    "hypot": lambda *xs: np.linalg.norm(np.stack(xs)),
    "dist": lambda p, q: np.linalg.norm(np.subtract(p, q)),
    "fsum": lambda xs: np.sum(np.stack(xs)),
    "prod": lambda xs, *, start=1: start * np.prod(np.stack(xs)),
    "sumprod": lambda p, q: np.dot(np.stack(p), np.stack(q)),
    "fma": lambda x, y, z: x * y + z,
    **{name: _special(name) for name in ("erf", "erfc", "gamma")},
    "lgamma": _special("gammaln"),
}
_OF_VALUES = "isnan isinf isfinite isclose floor ceil trunc".split()  # which do not move


def standard() -> dict[Any, Any]:
    """What stands in for these functions."""
    table = {**{name: getattr(np, name) for name in _SAME.split() if hasattr(np, name)}, **_OTHER}
    found = {getattr(math, name): _stand_in(getattr(math, name), h) for name, h in table.items() if hasattr(math, name)}
    found |= {getattr(math, name): _stand_in(getattr(math, name), None) for name in _OF_VALUES}
    return found | {g: _stand_in(g, lambda xs: np.mean(np.stack(xs))) for g in (statistics.mean, statistics.fmean)}


def _stand_in(g: Callable[..., Any], by_numpy: Callable[..., Any] | None) -> Callable[..., Any]:
    """g, which a function of NumPy's takes over where a number has a tangent, if g takes its value."""

    @functools.wraps(g)
    def call(*args: Any, **kwargs: Any) -> Any:
        args = tuple([list(x) if _is_many(x) else x for x in args])
        if next(numbers_in(args), None) is None:
            return g(*args, **kwargs)
        values = _plain(args)
        own = g(*values, **kwargs) if by_numpy is None or _known(values) else None  # math's errors come out
        return own if by_numpy is None else by_numpy(*args, **kwargs)

    return call


def _is_many(x: Any) -> bool:
    return hasattr(x, "__next__") or (isinstance(x, Number) and shape_of(x) != ())


def _plain(x: Any) -> Any:
    return type(x)([_plain(v) for v in x]) if type(x) in (list, tuple) else plain(x)


def _known(x: Any) -> bool:
    """Whether these are numbers, and not what records them for a program."""
    return all(map(_known, x)) if type(x) in (list, tuple) else isinstance(x, int | float | np.generic | np.ndarray)


class _Kind(type):
    """Of what stands for `float`: who asks for its instances means those of float."""

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, float)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, float)

    def __eq__(cls, other: Any) -> bool:
        return other is cls or other is float

    def __hash__(cls) -> int:
        return hash(float)


class Float(float, metaclass=_Kind):
    """Stands for `float`, which leaves a real number with a tangent as it is."""

    dtype = np.dtype(float)

    def __new__(cls, x: Any = 0.0, /) -> Any:  # type: ignore[misc]
        if isinstance(x, Number) and size_of(x) == 1 and not is_complex(x):
            return x.reshape(())
        return float(x)
