"""Results found by comparisons only, as bisection finds them: they carry no tangent, though they depend on x.

Seen when a result has no tangent at all: f is then run once more, and the comparisons of numbers with tangents counted.
A step function, `1.0 if x > 0 else 0.0`, has derivative 0 and is none of these: a search makes many comparisons, of
numbers that come ever closer to each other.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Sequence
from opcode import opmap
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, SearchWarning, place
from ..core.kinks import STATE, Compared, watching, within
from ..core.making import wrap
from ..core.number import end, start
from ..core.pytree import flatten
from ..core.tangents import Structured
from ..core.values import dtype_of, is_array, optimistic, plain
from ..spaces.cotangents import order
from ..spaces.jets import Series
from ..spaces.recorded import Recorded
from ..spaces.rowlocal import RowLocal
from .reach import DATA, reaches

FEW = 8  # comparisons that no search makes do with


def still(ts: Sequence[Any], seeds: Sequence[Any], buffers: bool) -> bool:
    """Whether no result has a tangent; arrays that were made as `buffers` have one that may have stayed 0."""
    return all(t is None or (buffers and _stayed_zero(t, seeds)) for t in ts)


def _stayed_zero(t: Any, seeds: Sequence[Any]) -> bool:
    if isinstance(t, Recorded):
        return not set(order([t])) & set(seeds)
    if isinstance(t, RowLocal):
        return not t.terms
    t = t[1] if isinstance(t, Series) else t
    return not isinstance(t, Structured) and not np.any(plain(t))


def search(call: Any, f: Callable[..., Any], result: Any) -> None:
    """Warn if f found its result, which carries no tangent, by comparisons; raise if it had SciPy do so.

    That is: there are more than `FEW` comparisons of numbers with tangents, and the last quarter of them is of numbers
    ten times closer than the first quarter.
    """
    if watching() or any(optimistic(plain(x)) for x in call.leaves):
        return
    if not reaches(call.f, _compares, lambda x: not isinstance(x, DATA)):
        return
    if not any(dtype_of(x).kind in "fc" for x in flatten(result, lists=True)[0] if is_array(x) or np.isscalar(x)):
        return  # a count, an index
    seen = _comparisons(call, f)
    by_scipy = next((p.scipy for p in seen if p.scipy), None)
    if by_scipy is not None:
        raise NotDifferentiableError(
            f"{by_scipy} of numbers with tangents: it searches by comparisons, and its result carries none; "
            "dd.define_root gives the derivative of a root, and of a minimum, the root of dd.gradient of the objective"
        )
    quarter = max(1, len(seen) // 4)
    gaps = [p.gap for p in seen]
    if len(seen) <= FEW or not max(gaps[-quarter:]) < max(gaps[:quarter]) / 10:
        return
    last = seen[-1]
    text = (
        f"{call.name}: f's result carries no tangent, so its derivative is 0, though f compared numbers that have one "
        f"{len(seen)} times, ever closer to each other (at {place(last.file, last.line)}). What is found by "
        "comparisons, as by bisection, has the derivative of the equation that it solves, which dd.define_root gives; "
        "where 0 is right, compare dd.value(x)"
    )
    registry = last.names.setdefault("__warningregistry__", {})
    warnings.warn_explicit(text, SearchWarning, last.file, last.line, last.names.get("__name__"), registry)


_COMPARE, _SORTING = opmap["COMPARE_OP"], {"sorted", "min", "max", "sort"}


def _compares(code: types.CodeType) -> bool:
    return not _SORTING.isdisjoint(code.co_names) or _COMPARE in code.co_code[::2]


def _comparisons(call: Any, f: Callable[..., Any]) -> list[Compared]:
    """The comparisons that f makes, when run once more, of numbers with the tangents of this run."""
    tag = start()
    try:
        duals = [wrap(x.copy("K") if is_array(x) else x, np.ones_like(plain(x))[()], tag) for x in call.leaves]
        with within("compared", 0.0):
            state: Any = STATE.get()
            f(*call.arguments(duals), **call.kwargs)
        return [p for p in state.points if p.tag == tag]
    except Exception:  # f can't be run again
        return []
    finally:
        end(tag)
