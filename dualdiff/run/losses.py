"""Whether f takes another way on numbers with tangents than on plain ones: it swallowed an error, or asked a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.making import wrap
from ..core.number import end, start
from ..core.pytree import flatten
from ..core.values import is_array, plain, to_array


def strays(call: Any, f: Callable[..., Any], result: Any) -> bool:
    """Whether f's result has another value than on plain numbers, at the point of the call or beside it.

    Beside it too, since what f puts in place of a number it could not get, 0 above all, may equal that by chance.
    """
    if _differ(result, _plainly(call, call.leaves)):
        return True
    leaves = [x * 1.001 + 0.001 for x in call.leaves]
    tag = start()
    try:
        duals = [wrap(x, np.ones_like(plain(x))[()], tag) for x in leaves]
        return _differ(f(*call.arguments(duals), **call.kwargs), _plainly(call, leaves))
    except Exception:  # beside the point f may be undefined
        return False
    finally:
        end(tag)


def _plainly(call: Any, leaves: Any) -> Any:
    return call.f(*call.arguments([x.copy("K") if is_array(x) else x for x in leaves]), **call.kwargs)


def _differ(result: Any, expected: Any) -> bool:
    """Whether two results of f are more than rounding apart, or of another shape."""
    a, b = (flatten(x, lists=True)[0] for x in (result, expected))
    a, b = ([to_array(plain(x)) for x in leaves] for leaves in (a, b))
    return [x.shape for x in a] != [x.shape for x in b] or not all(
        np.allclose(x, y, rtol=1e-7, atol=1e-12, equal_nan=True) for x, y in zip(a, b) if x.dtype.kind in "fciub"
    )
