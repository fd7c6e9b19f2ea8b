"""Functions that NumPy writes in Python, whose own bodies are their rules; see core/composed.py.

Those whose bodies write into arrays made by C code, or cost more than twice as much as a rule, have a rule elsewhere.
"""

from __future__ import annotations

from operator import attrgetter

import numpy as np

from ..core.composed import composed
from ..core.table import rule

NAMES = """
    append apply_along_axis apply_over_axes array_split atleast_1d atleast_2d atleast_3d average block column_stack
    cumulative_prod cumulative_sum diff dsplit dstack ediff1d expand_dims extract fill_diagonal flip fliplr flipud
    geomspace gradient hsplit hstack ix_ linspace logspace matrix_transpose moveaxis nancumprod nancumsum outer
    piecewise polyadd polyder polyfit polyint polysub polyval rollaxis rot90 setdiff1d setxor1d sort_complex split
    take_along_axis trapezoid union1d unique_all unique_counts unique_inverse unique_values unstack vsplit
    vstack
    linalg.cross linalg.diagonal linalg.matrix_norm linalg.matrix_power linalg.matrix_transpose linalg.multi_dot
    linalg.outer linalg.tensordot linalg.tensorinv linalg.trace linalg.vector_norm
    fft.fft2 fft.ifft2 fft.rfft2 fft.irfft2 fft.fftn fft.ifftn fft.rfftn fft.irfftn fft.hfft fft.ihfft
    fft.fftshift fft.ifftshift
""".split()
NEWER = {"cumulative_prod", "cumulative_sum", "unstack"}  # from NumPy 2.1 on

for _name in NAMES:
    if _name not in NEWER or hasattr(np, _name):
        _function = attrgetter(_name)(np)
        rule(_function)(composed(_function))
