"""The rule table: importing this package fills it."""

from . import assembly, calculus, elementwise, fft, linalg, nondiff, nonsmooth, ordering, polynomials, products
from . import complex as complex_
from . import reductions, statistics, structural
from .table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED

__all__ = ["COMPLEX", "ELEMENTWISE", "FUNCTIONS", "PLAIN", "REFUSED"]
_ = (assembly, calculus, complex_, elementwise, fft, linalg, nondiff, nonsmooth, ordering, polynomials, products)
_ = (reductions, statistics, structural)
