"""Whose error is shown where f fails on numbers with tangents, both as it stands and with names followed."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from opcode import opmap
from typing import Any

from ..core.errors import (
    DualdiffError,
    KinkError,
    LeakedDualError,
    NotDifferentiableError,
    StructureLostError,
    TangentLossError,
    called,
    in_library,
    no_rule,
)


class OtherWay(NotDifferentiableError):
    """f goes another way with numbers that have a tangent than with plain ones."""


FINAL = (StructureLostError, KinkError, LeakedDualError, OtherWay)  # which another run would only repeat


def shown(first: Exception, second: Exception, own_error: Callable[[], Exception | None]) -> BaseException:
    """The error to show: f's own, where it fails on plain numbers too; else the one that says most."""
    if type(first) is type(second) and _raised(second) and not isinstance(second, DualdiffError):
        return first
    if not isinstance(second, DualdiffError) and (own := own_error()):
        return next((x for x in (first, second) if type(x) is type(own)), own)
    errors = _cause(second), _cause(first)
    for kind in (NotDifferentiableError, TangentLossError, DualdiffError):
        for error in errors:
            if isinstance(error, kind):
                return error
    return second if _raised(second) else _named(second)


def _cause(error: BaseException) -> BaseException:
    """The error of ours that another came of, if there is one."""
    cause = error.__cause__ or error.__context__
    return error if isinstance(error, DualdiffError) or cause is None else _cause(cause)


def _raised(error: Exception) -> bool:
    """Whether an error comes of a `raise` in the user's own code, or here."""
    last: Any = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    code = last.tb_frame.f_code.co_code
    return not in_library(last.tb_frame) and bool(code[last.tb_lasti] == opmap["RAISE_VARARGS"])


def _named(error: Exception) -> Exception:
    """What to raise for an error of code that knows no numbers with tangents."""
    at, source, name = called(reversed([*traceback.walk_tb(error.__traceback__)]))
    made = NotDifferentiableError(no_rule(name or f"`{source}`", at, f"{type(error).__name__}: {error}"))
    made.__cause__ = error
    return made
