"""The few exception and warning classes. Each is also the built-in class a caller would expect to catch."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from collections.abc import Iterable
from types import FrameType, FunctionType
from typing import Any

__all__ = [
    "DualdiffError",
    "KinkError",
    "KinkWarning",
    "LeakedDualError",
    "NotDifferentiableError",
    "SearchWarning",
    "StructureLostError",
    "TangentLossError",
]


class DualdiffError(Exception):
    """Base of every error that dualdiff raises of its own; what a differentiated function raises comes out as it is."""


class NotDifferentiableError(DualdiffError, TypeError):
    """A function was called with a `Dual` that has no rule: the message says which, why, and what to write instead."""


class TangentLossError(DualdiffError, TypeError):
    """A derivative was about to be dropped: `float(x)`, `math.sin(x)`, storing into a plain float array."""


class LossInLibrary(TangentLossError, NotDifferentiableError):
    """A derivative was about to be dropped in a function of a library, which the message names."""


class LeakedDualError(DualdiffError, ValueError):
    """A `Dual` of a derivative call that has already ended turned up in the result of another one."""


class KinkError(DualdiffError, ArithmeticError):
    """In `kinks("raise")`: a kink was met. In `kinks("lexicographic")`: one at which the tangents can't be ordered."""


class KinkWarning(UserWarning):
    """In `kinks("warn")`: a kink was met."""


class SearchWarning(UserWarning):
    """f's result carries no tangent, but was found by many comparisons of numbers that have one, ever closer to each
    other, as by bisection: its derivative is that of the equation it solves (`define_root`), and not 0.
    """


_PYTHON = sys.stdlib_module_names - {"__main__"}
_ENTRIES = {"__array_function__": "func", "__array_ufunc__": "ufunc", "operate": "function"}


def package_of(frame: FrameType) -> str:
    """The name of the package that a frame's code is in."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def user_call() -> tuple[Any, FrameType | None]:
    """The NumPy function by which the user's code called in, and the innermost frame outside dualdiff and NumPy."""
    frame: FrameType | None = sys._getframe(1)
    function = None
    while frame is not None:
        if package_of(frame) not in ("dualdiff", "numpy"):
            break
        entry = _ENTRIES.get(frame.f_code.co_name)
        function = frame.f_locals.get(entry, function) if entry else function
        frame = frame.f_back
    return function, frame


class StructureLostError(DualdiffError, MemoryError):
    """A sparse derivative would have become a dense array that does not fit, or a step selects by values that are kept
    elsewhere: the message names the step."""


def place(file: str, line: int) -> str:
    """`file.py:12`, or in a notebook, whose cells are files with names of the kernel's, `line 12 of the cell`."""
    folder, name = os.path.split(file)
    return f"line {line} of the cell" if os.path.basename(folder).startswith("ipykernel_") else f"{name}:{line}"


def called(frames: Iterable[tuple[FrameType, int]]) -> tuple[str, str, str]:
    """The user's line in these frames, innermost first: where it is, its text, and the library's function it calls."""
    inside: list[FrameType] = []
    for frame, line in frames:
        if in_library(frame):
            inside.insert(0, frame)
        elif not _module(frame).startswith("dualdiff."):
            file = frame.f_code.co_filename
            return place(file, line), linecache.getline(file, line).strip(), _public(inside)
    return "", "", _public(inside)


def in_library(frame: FrameType) -> bool:
    """Whether code is of NumPy, of Python's own library or of an installed package other than this one."""
    file, package = frame.f_code.co_filename, _module(frame).partition(".")[0]
    return package == "numpy" or package in _PYTHON or ("-packages" + os.sep in file and package != "dualdiff")


def _public(frames: list[FrameType]) -> str:
    """By its public name, the function of a library that was called first of all in these frames."""
    for frame in frames:
        # A frame around the function, of the decorators that SciPy has, holds the function itself.
        inside = [x for x in frame.f_locals.values() if isinstance(x, FunctionType)]
        package = _module(frame).partition(".")[0]
        for module, name in [(_module(frame), frame.f_code.co_name), *((x.__module__, x.__name__) for x in inside)]:
            module = (module or "").partition("._")[0]
            if module.startswith(package) and not name.startswith("_") and hasattr(sys.modules.get(module), name):
                return f"{module}.{name}"
    return f"a function of {_module(frames[0]).partition('._')[0]}" if frames else ""


def _module(frame: FrameType) -> str:
    return frame.f_globals.get("__name__") or ""


def user_line() -> str:
    """Where the user's code called in, as ` (at file.py:12)`."""
    at = called(traceback.walk_stack(sys._getframe(1)))[0]
    return at and f" (at {at})"


_KEEP = "np.zeros_like(x), np.zeros(n, like=x) or a list keep it; dd.value(x) says that it may go"


def tangent_loss(what: str, instead: str = "") -> TangentLossError:
    """The error for a place where a derivative would be dropped silently."""
    at, _, name = called(traceback.walk_stack(sys._getframe(1)))
    if name and "numpy." not in name:
        return LossInLibrary(no_rule(name, at, f"{what} would lose the derivative"))
    return TangentLossError(f"{what} would lose the derivative{at and f' (at {at})'}: {instead or _KEEP}")


def no_rule(name: str, at: str, why: str) -> str:
    """What to say of a function that knows no numbers with tangents."""
    if name.startswith("pandas."):
        return f"{name} (at {at}): a Series or DataFrame can't hold numbers with tangents; use s.to_numpy()"
    return (
        f"{name} (at {at}) of a number with a tangent: it has no derivative rule ({why}); dd.define_rule gives it one, "
        "dd.define_root one to what solves equations, NumPy's functions have theirs, and dd.value(x) is for where the "
        "derivative may go"
    )


def structure_lost(results: int, n: int) -> StructureLostError:
    """The error for a step that would make dense derivatives of so many results by n inputs."""
    return StructureLostError(
        f"{_step()} lets each of {results:,} "
        f"results depend on many of {n:,} inputs, and dense derivatives do not fit. Elementwise functions, indexing "
        "and short sums stay sparse; return a sum over everything as a result of its own (in a tuple), or give the "
        "pattern of the Jacobian as sparse=pattern"
    )


def places_lost(by: Any) -> StructureLostError:
    """The error for a step that selects elements by a mask or an order that is no array of integers in memory."""
    return StructureLostError(
        f"{_step()} selects elements by values of type {type(by).__name__}, and a sparse derivative must know which: "
        "leave sparse=True out, or give the pattern of the Jacobian as sparse=pattern"
    )


def _step() -> str:
    """What was called, and the user's line."""
    function, frame = user_call()
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip() if frame else ""
    module = getattr(function, "__module__", None) or "numpy"
    name = f"{module}.{function.__name__}".replace("numpy.", "np.") if hasattr(function, "__name__") else ""
    return f"{name or 'a step'}{user_line()}{f', `{text}`,' if text else ''}"
