"""The few exception and warning classes. Each is also the built-in class a caller would expect to catch."""

from __future__ import annotations

import os
import sys

__all__ = ["DualdiffError", "LeakedDualError", "NotDifferentiableError", "TangentLossError"]


class DualdiffError(Exception):
    """Base of every error that dualdiff raises of its own; what a differentiated function raises comes out as it is."""


class NotDifferentiableError(DualdiffError, TypeError):
    """A function was called with a `Dual` that has no rule: the message says which, why, and what to write instead."""


class TangentLossError(DualdiffError, TypeError):
    """A derivative was about to be dropped: `float(x)`, `math.sin(x)`, storing into a plain float array."""


class LeakedDualError(DualdiffError, ValueError):
    """A `Dual` of a derivative call that has already ended turned up in the result of another one."""


def user_line() -> str:
    """Where the user's code called in, as ` (at file.py:12)`: the innermost frame outside dualdiff and NumPy."""
    frame = sys._getframe(1)
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in ("dualdiff", "numpy"):
            return f" (at {os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})"
        frame = frame.f_back  # type: ignore[assignment]
    return ""


_KEEP = "np.zeros_like(x), np.zeros(n, like=x) or a list keep it; dd.value(x) says that it may go"


def tangent_loss(what: str, instead: str = "") -> TangentLossError:
    """The error for a place where a derivative would be dropped silently."""
    return TangentLossError(f"{what} would lose the derivative{user_line()}: {instead or _KEEP}")
