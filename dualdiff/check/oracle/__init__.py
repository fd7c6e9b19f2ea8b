"""The oracle: exact derivatives of NumPy functions by sympy, values to 50 digits, a check of derivatives done by hand.

It knows nothing of dualdiff's rules, so that each can be tested against the other. A function is run on symbols. What
each argument is, is said in the order of the parameters, or by a parameter's name (`W=(2, 3)`):

- an int or a tuple is a shape: 3 stands for x_0, x_1, x_2 and (2, 3) for W_00 ... W_12, () for one symbol;
- a string names scalar symbols, "x" or "x y"; with a shape, ("W", (2, 3)), an array of symbols;
- anything else (a float, an array) is a constant. Nothing at all: each parameter is a scalar symbol of its name.

`assume=` decides branches on symbols: by a point (one value, a tuple with one for each argument, or a dict), or by
linear facts ("x_0 > 0, x_1 > x_0"). The result's `region` then says for which arguments it holds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checking import Report, check
    from .derivatives import Expressions, derivative, evaluate, gradient, hessian, jacobian, symbolic

__all__ = ["Expressions", "Report", "check", "derivative", "evaluate", "gradient", "hessian", "jacobian", "symbolic"]


def __getattr__(name: str) -> Any:
    """All of it stands on sympy and mpmath, which are imported when one of the names is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "checking" if name in ("Report", "check") else "derivatives"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
