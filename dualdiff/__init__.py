"""Exact derivatives of ordinary Python and NumPy code, by dual numbers."""

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
    "derivative",
    "directional_derivative",
    "gradient",
    "jacobian",
    "jvp",
    "maximum",
    "minimum",
    "relu",
    "value",
    "value_and_derivative",
    "value_and_gradient",
    "value_and_jacobian",
]
