"""Exact derivatives of ordinary Python and NumPy code, by dual numbers.

>>> import dualdiff as dd
>>> dd.gradient(lambda x: x[0] * x[1])([2.0, 3.0])
array([3., 2.])

Transforms take a function and return one; NumPy's functions are used as they are (np.sin, not dd.sin).

derivatives
    derivative              df/dx of a function of a number, of any order, or at each element of an array
    gradient                of a scalar function of arrays, dicts, ...; mode="reverse" for many arguments
    jacobian                of a function of several results; sparse=True for large ones
    hessian, hvp            second derivatives, and their product with a vector
    jvp, vjp                one direction forward, one cotangent back
    value_and_derivative, value_and_gradient, value_and_jacobian   the value with it, as SciPy's jac=True takes
    directional_derivative, divergence, curl, laplacian            vector calculus
    taylor                  Taylor coefficients of any order
numbers
    Dual, DualArray         a value and its tangent; value(x) is x without it
    maximum, minimum, relu  of plain numbers and those
kinks and edges
    kinks                   what derivatives do at a kink: with dd.kinks("lexicographic"): ...
    find_kinks              where f was not smooth on its way
    coverage                which functions of NumPy and SciPy are differentiable
seeing and checking
    trace                   every step of f with tangents and adjoints: a table, and .graph a picture
    compare_cost            forward, reverse and finite differences counted
    oracle.check            a derivative done by hand against sympy, the slip named
    numerical               differences and check_gradient, check_jacobian
speed, and rules of your own
    compile                 a derivative as the Python code one would have written by hand
    define_rule             the derivative of a function of yours
    define_root             of the solution of an equation, whatever finds it

help(dd.gradient) and the like say more; `python -m dualdiff --help` is the command line.
"""

import difflib
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from .check.coverage import coverage
from .check.kinks import find_kinks
from .core.dual import Dual, DualArray, maximum, minimum, relu, value
from .core.errors import (
    DualdiffError,
    KinkError,
    KinkWarning,
    LeakedDualError,
    NotDifferentiableError,
    SearchWarning,
    StructureLostError,
    TangentLossError,
)
from .core.kinks import NonsmoothPoint, kinks
from .program.compile import Compiled, compile
from .show.trace import trace
from .transforms.custom import define_rule
from .transforms.forward import (
    derivative,
    gradient,
    jacobian,
    jvp,
    value_and_derivative,
    value_and_gradient,
    value_and_jacobian,
)
from .transforms.reverse import vjp
from .transforms.root import define_root
from .transforms.taylor import taylor
from .transforms.vector import curl, directional_derivative, divergence, hessian, hvp, laplacian

__version__ = "0.1.0"

__all__ = [
    "Compiled", "Dual", "DualArray", "DualdiffError", "KinkError", "KinkWarning", "LeakedDualError",
    "NonsmoothPoint", "NotDifferentiableError", "SearchWarning", "StructureLostError", "TangentLossError",
    "compare_cost", "compile", "cost", "coverage", "curl", "define_root", "define_rule", "derivative",
    "directional_derivative", "divergence", "find_kinks", "gradient", "hessian", "hvp", "jacobian", "jvp", "kinks",
    "laplacian", "maximum", "minimum", "numerical", "oracle", "relu", "taylor", "trace", "value",
    "value_and_derivative", "value_and_gradient", "value_and_jacobian", "vjp",
]  # fmt: skip

if TYPE_CHECKING:
    from .check import numerical, oracle
    from .show import cost
    from .show.cost import compare_cost

_LATER = {"compare_cost": "show.cost", "cost": "show", "numerical": "check", "oracle": "check"}


# What others call it
_MEANT = {"grad": "gradient", "jit": "compile", "value_and_grad": "value_and_gradient", "jacfwd": "jacobian"}
_MEANT |= {"jacrev": "jacobian", "hess": "hessian", "jac": "jacobian", "diff": "derivative", "constant": "value"}


def __getattr__(name: str) -> Any:
    """The rooms that not every program needs are imported when they are first used."""
    if name not in _LATER:
        near = difflib.get_close_matches(_MEANT.get(name, name), __all__, 1, 0.7)
        meant = f"; did you mean dd.{near[0]}?" if near else ""
        if hasattr(np, name) and name not in _MEANT:
            meant = f"; NumPy's functions are used as they are: np.{name}"
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{meant}")
    home = f"{__name__}.{_LATER[name]}"
    found = getattr(importlib.import_module(home), name, None)
    return importlib.import_module(f"{home}.{name}") if found is None else found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
