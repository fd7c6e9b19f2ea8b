"""Exact derivatives of ordinary Python and NumPy code, by dual numbers."""

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """The rooms that not every program needs are imported when they are first used."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = f"{__name__}.{_LATER[name]}"
    found = getattr(importlib.import_module(home), name, None)
    return importlib.import_module(f"{home}.{name}") if found is None else found
