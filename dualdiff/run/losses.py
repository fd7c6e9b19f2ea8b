"""Whether f takes another way on numbers with tangents than on plain ones: it swallowed an error, or asked a type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.kinks import within
from ..core.making import wrap
from ..core.number import end, start
from ..core.pytree import flatten
from ..core.values import bare, is_array, plain, to_array


def strays(call: Any, f: Callable[..., Any], result: Any) -> bool:
    """Whether f's result has another value than on plain numbers, at the point of the call or beside it.

    Beside it too, since what f puts in place of a number it could not get, 0 above all, may equal that by chance.
    Numbers of outer derivatives would be asked what they are as well: all are plain here.
    """
    leaves = [bare(x) for x in call.leaves]
    with within("subgradient", 0.0):
        if _differ(result, _run(call, call.f, leaves)):
            return True
    tag = start()
    with within("subgradient", 0.0), np.errstate(all="ignore"):
        try:
            leaves = [x * 1.001 + 0.001 for x in leaves]
            duals = [wrap(x, np.ones_like(x)[()], tag) for x in leaves]
            return _differ(_run(call, f, duals), _run(call, call.f, leaves))
        except Exception:  # beside the point f may be undefined
            return False
        finally:
            end(tag)


def unsteady(call: Any) -> bool:
    """Whether f gives another result each time, as with random numbers: nothing can be compared then."""
    leaves = [bare(x) for x in call.leaves]
    return _differ(_run(call, call.f, leaves), _run(call, call.f, leaves))


def _run(call: Any, f: Callable[..., Any], leaves: Any) -> Any:
    args = call.arguments([x.copy("K") if is_array(x) else x for x in leaves])
    args = [x if k in call.argnums else bare(x) for k, x in enumerate(args)]
    return f(*args, **{key: bare(x) for key, x in call.kwargs.items()})


def _differ(result: Any, expected: Any) -> bool:
    """Whether two results of f are more than rounding apart, or of another shape."""
    a, b = (flatten(x, lists=True)[0] for x in (result, expected))
    a, b = ([bare(to_array(plain(x))) for x in leaves] for leaves in (a, b))
    return [x.shape for x in a] != [x.shape for x in b] or not all(
        (x == y).all() or _close(x, y) for x, y in zip(a, b) if x.dtype.kind in "fciub"
    )


def _close(x: Any, y: Any) -> bool:
    eps = max(np.finfo(a.dtype if a.dtype.kind in "fc" else float).eps for a in (x, y))
    return np.allclose(x, y, rtol=8 * eps**0.5, atol=4096 * eps, equal_nan=True)
