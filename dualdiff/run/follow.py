"""`y = np.zeros(n); y[i] = ...` in unmodified code: a copy of the user's function whose new arrays can hold tangents.

NumPy lets nobody else in when a number is stored into a plain float array, nor when np.array([x[0], 2.0]) makes an
array of objects, of which it can take neither sine nor mean; a few functions of SciPy do that to their arguments. When
a sweep ends in the error that comes of it, it is run once more with a copy of f that finds, under the global names,
closure cells and defaults through which it reaches NumPy, functions that make arrays with tangents. The same is
done, on the way, for the Python functions and modules that f reaches by its names. Nothing that exists is changed:
neither NumPy, nor f, nor any module, so that other threads see nothing of it. What is not reached by a name (methods of
the user's classes) keeps the error.
"""

from __future__ import annotations

import functools
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import ALLOCATE, ALLOCATE_LIKE, Copies, allocator, converter
from ..core.engine import CONVERT
from ..core.errors import NotDifferentiableError, TangentLossError, place
from ..core.making import buffer, numeric
from ..core.number import Number
from ..rules import special
from ..rules.scipy_table import instance, stand_ins
from .spellings import spellings, vectorized

_OF_LISTS = (np.mean, np.std, np.var, np.median, np.average)  # which make float() of the elements of a list
_OURS = ("logsumexp", "softmax", "log_softmax", "polygamma")
_NOT_COPIED = {"numpy", "dualdiff", *sys.stdlib_module_names} - {"__main__"}


def follow(f: Callable[..., Any], like: Number) -> Callable[..., Any]:
    """A copy of f whose new float arrays hold tangents as `like` does; f itself where it is no Python function."""

    def room(made: Any) -> Any:
        return buffer(like, made)

    replaced: dict[Any, Any] = {g: allocator(g, room) for g in (*ALLOCATE, *ALLOCATE_LIKE, np.copy)}
    converters: list[Any] = [*CONVERT, np.require]
    replaced |= {g: converter(g, room, lambda x: x) for g in converters}
    replaced |= {g: _of_lists(g) for g in _OF_LISTS}
    scipy = sys.modules.get("scipy.special")  # whose Python functions turn numbers with tangents into objects
    replaced |= {getattr(scipy, name): getattr(special, name) for name in _OURS if scipy}
    return _Followed(replaced | spellings(room) | stand_ins(), _copied)(f)  # type: ignore[no-any-return]


class _Followed(Copies):
    """Copies that find what stands in for instances of SciPy's classes, too."""

    def __call__(self, x: Any) -> Any:
        found = super().__call__(x)
        if isinstance(x, np.vectorize):
            return vectorized(x, self(x.pyfunc))
        return instance(x) if found is x else found

    def stands_in(self, cell: Any) -> bool:
        try:
            return super().stands_in(cell) or type(cell.cell_contents).__module__.startswith(("scipy.", "numpy.lib"))
        except ValueError:  # not filled yet
            return False


def _of_lists(g: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(g)
    def reduce(a: Any, *args: Any, **kwargs: Any) -> Any:
        return g(numeric(a, f"np.{g.__name__}") if isinstance(a, list | tuple) else a, *args, **kwargs)

    return reduce


def _copied(module: str) -> bool:
    return module.partition(".")[0] not in _NOT_COPIED


def lost_in_array(error: Exception) -> bool:
    """Whether f failed since an array it made, of floats or of objects, could not hold tangents."""
    of_objects = (
        *("holds references", "must be numpy.ndarray"),  # np.nditer, and compiled code of SciPy's
        *("loop of ufunc does not support argument", "not supported for the input types"),  # NumPy
        "object arrays are not supported",  # SciPy
        "read-only",  # what NumPy made of a number with a tangent, and f would write to
    )
    return isinstance(error, TangentLossError) or any(text in str(error) for text in of_objects) or _in_scipy(error)


def _in_scipy(error: Exception) -> bool:
    """Whether an error comes from SciPy's code, which knows no numbers with tangents."""
    return any(_module(frame).startswith("scipy.") for frame, _ in traceback.walk_tb(error.__traceback__))


def _module(x: Any) -> str:
    return (x.f_globals.get("__name__") if hasattr(x, "f_globals") else getattr(x, "__module__", None)) or ""


def of_scipy(error: Exception) -> NotDifferentiableError | None:
    """What to raise for an error of SciPy's code that met numbers with tangents: which function of it was called."""
    at = name = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        module = _module(frame)
        if not module.startswith("scipy."):
            at = at if name or module.startswith("dualdiff.") else place(frame.f_code.co_filename, line)
            continue
        name = name or f"a function of {module.partition('._')[0]}"
        # A frame around the function, of the decorators that SciPy has, holds the function itself.
        inside = [x for x in frame.f_locals.values() if isinstance(x, types.FunctionType)]
        pairs = [(module, frame.f_code.co_name), *((_module(x), x.__name__) for x in inside)]
        public = [(m.partition("._")[0], f) for m, f in pairs if m.startswith("scipy.") and not f.startswith("_")]
        found = [f"{m}.{f}" for m, f in public if hasattr(sys.modules.get(m), f)]
        if found:
            name = found[0]
            break
    if not name:
        return None
    return NotDifferentiableError(
        f"{name} (at {at}) of a number with a tangent: it has no derivative rule; dd.define_rule gives it one, NumPy's "
        "functions have theirs, and dd.value(x) is for where the derivative may go"
    )
