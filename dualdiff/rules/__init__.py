"""The rule table: importing this package fills it."""

from . import (  # noqa: F401
    assembly,
    calculus,
    elementwise,
    fft,
    linalg,
    nondiff,
    nonsmooth,
    ordering,
    polynomials,
    products,
    reductions,
    spectral,
    statistics,
    structural,
)
from . import complex as complex_  # noqa: F401
from .table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED

__all__ = ["COMPLEX", "ELEMENTWISE", "FUNCTIONS", "PLAIN", "REFUSED"]
