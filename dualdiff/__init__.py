"""Exact derivatives of ordinary Python and NumPy code, by dual numbers."""

import importlib
from typing import TYPE_CHECKING, Any

from .coverage import coverage
from .dual import Dual, DualArray, maximum, minimum, relu, value
from .errors import DualdiffError, LeakedDualError, NotDifferentiableError, TangentLossError
from .forward import (
    derivative,
    directional_derivative,
    gradient,
    jacobian,
    jvp,
    value_and_derivative,
    value_and_gradient,
    value_and_jacobian,
)

__all__ = [
    "Dual",
    "DualArray",
    "DualdiffError",
    "LeakedDualError",
    "NotDifferentiableError",
    "TangentLossError",
    "coverage",
    "derivative",
    "directional_derivative",
    "gradient",
    "jacobian",
    "jvp",
    "maximum",
    "minimum",
    "numerical",
    "oracle",
    "relu",
    "value",
    "value_and_derivative",
    "value_and_gradient",
    "value_and_jacobian",
]

if TYPE_CHECKING:
    from . import numerical, oracle


def __getattr__(name: str) -> Any:
    """The rooms that not every program needs are imported when they are first used."""
    if name in ("numerical", "oracle"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
