"""The rule table: importing this package fills it."""

from . import complex as complex_
from . import elementwise, fft, linalg, nondiff, nonsmooth, products, reductions, structural
from .table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED

__all__ = ["COMPLEX", "ELEMENTWISE", "FUNCTIONS", "PLAIN", "REFUSED"]
_ = (complex_, elementwise, fft, linalg, nondiff, nonsmooth, products, reductions, structural)
