"""Exact derivatives of ordinary Python and NumPy code, by dual numbers."""

import importlib
from typing import TYPE_CHECKING, Any

from .coverage import coverage
from .custom import define_rule
from .dual import Dual, DualArray, maximum, minimum, relu, value
from .errors import (
    DualdiffError,
    KinkError,
    KinkWarning,
    LeakedDualError,
    NotDifferentiableError,
    StructureLostError,
    TangentLossError,
)
from .forward import (
    derivative,
    gradient,
    jacobian,
    jvp,
    value_and_derivative,
    value_and_gradient,
    value_and_jacobian,
)
from .implicit import define_root
from .kinks import NonsmoothPoint, find_kinks, kinks
from .reverse import vjp
from .taylor import taylor
from .trace import trace
from .vector import curl, directional_derivative, divergence, hessian, hvp, laplacian

__all__ = [
    "Dual",
    "DualArray",
    "DualdiffError",
    "KinkError",
    "KinkWarning",
    "LeakedDualError",
    "NonsmoothPoint",
    "NotDifferentiableError",
    "StructureLostError",
    "TangentLossError",
    "compare_cost",
    "cost",
    "coverage",
    "curl",
    "define_root",
    "define_rule",
    "derivative",
    "directional_derivative",
    "divergence",
    "find_kinks",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "kinks",
    "laplacian",
    "maximum",
    "minimum",
    "numerical",
    "oracle",
    "relu",
    "taylor",
    "trace",
    "value",
    "value_and_derivative",
    "value_and_gradient",
    "value_and_jacobian",
    "vjp",
]

if TYPE_CHECKING:
    from . import cost, numerical, oracle
    from .cost import compare_cost


def __getattr__(name: str) -> Any:
    """The rooms that not every program needs are imported when they are first used."""
    if name == "compare_cost":
        return importlib.import_module(".cost", __name__).compare_cost
    if name in ("cost", "numerical", "oracle"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
