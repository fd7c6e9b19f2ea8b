"""What NumPy's own code asks of numbers with tangents, where its answer would be wrong, or take very long.

Comparisons look at values only. But NumPy's polynomials drop coefficients that are 0, though they may move; its loops
over arrays of objects take one of two numbers at a tie, where the derivative is half of each. The method `dot` of a
plain array asks nobody, and multiplies element by element.
"""

from __future__ import annotations

import dis
import operator
import sys
from functools import lru_cache
from opcode import opmap
from types import CodeType, FrameType
from typing import Any

import numpy as np

from .errors import package_of, tangent_loss
from .number import Number, note

_COMPARE = opmap["COMPARE_OP"]
_AT_TIES = (operator.le, operator.ge)
_ORDER_ONLY = {"argmax", "argmin", "argpartition", "argsort", "searchsorted"}  # which give places, no numbers


def tie(operation: Any, x: Number, result: Any) -> Any:
    """The answer to a comparison of a number with its equal: what `operation` says, but where that would be a loss."""
    frame: Any = sys._getframe(2)
    package = package_of(frame)
    if package == "numpy":
        if operation not in _AT_TIES and counts_zeros(frame, x):
            return operation in (operator.ne, operator.gt)
    elif operation in (operator.eq, operator.ne) or package == "dualdiff":
        return result
    code = frame.f_code
    if operation in (operator.eq, operator.ne) or code.co_code[frame.f_lasti] == _COMPARE:
        return result
    places = _ORDER_ONLY & {code.co_name, frame.f_back.f_code.co_name}
    if not places if package == "numpy" else _by_numpy(frame, operation):
        raise note(x, tangent_loss("a tie in an array of objects", "use np.stack([...]), which makes none"))
    return result


def counts_zeros(frame: FrameType, x: Number) -> bool:
    """Whether NumPy's polynomials ask whether a coefficient is 0, to drop it, and it may move."""
    if by_polynomials(frame):
        if frame.f_code.co_name in ("polydiv", "_div"):
            raise note(x, tangent_loss("division by a polynomial whose first coefficient is 0 but moves", _CUT))
        return True
    if "trim_zeros" in (frame.f_code.co_name, frame.f_back.f_code.co_name):  # type: ignore[union-attr]
        raise note(x, tangent_loss("np.trim_zeros, which cuts off a number that is 0 but moves,", _CUT))
    return False


def by_polynomials(frame: FrameType | None) -> bool:
    """Whether code of NumPy's polynomials is at work here, within calls of NumPy."""
    while frame is not None and (package := package_of(frame)) in ("numpy", "dualdiff"):
        if package == "numpy" and "polynomial" in frame.f_code.co_filename.rpartition("numpy")[2]:
            return True
        frame = frame.f_back
    return False


_CUT = "use x[1:] and the like, or dd.value(x) where the derivative may go"


def _by_numpy(frame: FrameType, operation: Any) -> bool:
    """Whether a function of NumPy, called at the line that a frame is at, compares elements of an array of objects.

    Its loops for maximum and minimum ask >= and <=, which builtin max, min and sorted do not; operator.le and ge do.
    """
    names = _names(frame.f_code, frame.f_lasti)
    known = [frame.f_locals.get(n, frame.f_globals.get(n)) for n in names]
    if operation not in _AT_TIES:
        return "sort" in names and any(isinstance(v, np.ndarray) and v.dtype == object for v in known)
    for v in known:
        held = v.values() if isinstance(v, dict) else v if isinstance(v, list | tuple) else [v]
        if any(w is f for w in held for f in _AT_TIES):
            return False
    return not {"le", "ge", "less_equal", "greater_equal"} & set(names)


class _Operand(np.ndarray):
    """x in `M.dot(x)`, as a number without axes: NumPy takes M times that for the product, and asks us for it."""

    x: Any

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is not np.multiply or inputs[1] is not self:
            raise note(self.x, tangent_loss("np.asarray(x) beside a call of M.dot(x)"))
        matrix = given = inputs[0]
        if given.dtype.kind in "fc":  # which it was made for our sake, or was before
            matrix = given.astype(complex if given.dtype.kind == "c" else float)
        return np.dot(matrix if np.array_equal(matrix, given, equal_nan=matrix is not given) else given, self.x)


def operand_of_dot(x: Any, dtype: Any, frame: FrameType) -> Any:
    """What stands for x in a method `M.dot(x)` that asks nobody, and in SciPy's sparse products; None elsewhere.

    It has a type for which NumPy's method does not go to BLAS.
    """
    if dtype is None and frame.f_globals.get("__name__", "").startswith("scipy.sparse"):
        whole = np.empty((), object)  # by which SciPy leaves the product to us
        whole[()] = x
        return whole
    code, kinds = frame.f_code, {"d": np.longdouble, "D": np.clongdouble}
    if x.dtype.char not in kinds or "dot" not in code.co_names or not _is_dot(code, frame.f_lasti):
        return None
    operand: Any = np.full((), np.nan, dtype or kinds[x.dtype.char]).view(_Operand)
    operand.x = x
    return operand


@lru_cache(256)
def _is_dot(code: CodeType, at: int) -> bool:
    """Whether the instruction at this place calls a method `dot` with one operand.

    Before it the stack holds what the method's name left there, and the operand: back to where that began.
    """
    steps = list(dis.get_instructions(code))
    last = max(k for k, s in enumerate(steps) if s.offset <= at)
    last += steps[last].opname == "PRECALL"  # which in Python 3.11 may make the call itself
    if not steps[last].opname.startswith("CALL") or steps[last].arg != 1:
        return False
    depth = 1  # of what the call leaves
    for s in reversed(steps[: last + 1]):
        depth -= dis.stack_effect(s.opcode, s.arg if s.opcode >= dis.HAVE_ARGUMENT else None)
        if depth <= 1:
            return s.argval == "dot"
    return False


@lru_cache(256)
def _names(code: CodeType, at: int) -> tuple[str, ...]:
    """The names that the line of this instruction uses."""
    spans = list(code.co_lines())
    line = next((number for first, last, number in spans if first <= at < last), None)
    ours = [(first, last) for first, last, number in spans if number == line]
    given = [s.argval for s in dis.get_instructions(code) if any(a <= s.offset < b for a, b in ours)]
    pairs = [v if isinstance(v, tuple) else (v,) for v in given]  # from Python 3.13 on, two names at once
    return tuple(name for pair in pairs for name in pair if isinstance(name, str))
