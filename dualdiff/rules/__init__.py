"""The rule table: importing this package fills it."""

from . import assembly, calculus, elementwise, fft, linalg, nondiff, nonsmooth, ordering  # noqa: F401
from . import complex as complex_  # noqa: F401
from . import polynomials, products, reductions, spectral, statistics, structural  # noqa: F401
from .table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED

__all__ = ["COMPLEX", "ELEMENTWISE", "FUNCTIONS", "PLAIN", "REFUSED"]
