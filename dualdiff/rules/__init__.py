"""The rule table: importing this package fills it."""

from ..core.table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED
from . import (  # noqa: F401
    assembly,
    bodies,
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
    scipy_interpolate,
    scipy_linalg,
    scipy_signal,
    scipy_sparse,
    scipy_stats,
    special,
    spectral,
    statistics,
    structural,
)
from . import complex as complex_  # noqa: F401

__all__ = ["COMPLEX", "ELEMENTWISE", "FUNCTIONS", "PLAIN", "REFUSED"]
