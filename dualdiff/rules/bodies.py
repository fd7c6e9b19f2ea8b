"""Functions that NumPy writes in Python, whose own bodies are their rules; see core/composed.py.

Those whose bodies write into arrays made by C code, or cost more than twice as much as a rule, have a rule elsewhere.
"""

from __future__ import annotations

import numpy as np

from ..core.composed import composed
from ..core.table import rule

NAMES = """
    append apply_along_axis apply_over_axes array_split atleast_1d atleast_2d atleast_3d column_stack
    cumulative_prod cumulative_sum diff dsplit dstack ediff1d expand_dims extract flip fliplr flipud geomspace gradient
    hsplit hstack ix_ logspace matrix_transpose moveaxis nancumprod nancumsum outer piecewise
    polyadd polyder polyfit polyint polysub polyval rollaxis rot90 setdiff1d setxor1d sort_complex split
    trapezoid union1d unstack vsplit vstack
""".split()
LINALG = """
    diagonal matrix_norm matrix_power matrix_transpose multi_dot outer tensordot tensorinv trace vector_norm
""".split()

for _module, _names in ((np, NAMES), (np.linalg, LINALG)):
    for _name in _names:
        if hasattr(_module, _name):  # unstack and the cumulative functions are there from NumPy 2.1 on
            _function = getattr(_module, _name)
            rule(_function)(composed(_function))
