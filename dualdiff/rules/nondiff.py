"""Functions without a derivative: those that look at values only, and those that are refused, each with its reason."""

from __future__ import annotations

import numpy as np

from ..core.table import PLAIN, REFUSED

# Piecewise constant functions have derivative zero: their result is a plain number, a structural zero.
PLAIN.update([np.floor, np.ceil, np.trunc, np.rint, np.sign, np.floor_divide, np.fix, np.round, np.around, np.signbit])

# Questions about values, shapes and types.
PLAIN.update([np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal])
PLAIN.update([np.logical_and, np.logical_or, np.logical_not, np.logical_xor, np.isfinite, np.isinf, np.isnan])
PLAIN.update([np.isclose, np.allclose, np.array_equal, np.array_equiv, np.all, np.any, np.isposinf, np.isneginf])
PLAIN.update([np.argmax, np.argmin, np.argsort, np.argwhere, np.nonzero, np.flatnonzero, np.count_nonzero])
PLAIN.update([np.nanargmax, np.nanargmin, np.argpartition, np.searchsorted, np.digitize, np.lexsort])
PLAIN.update([np.shape, np.ndim, np.size, np.isreal, np.iscomplex, np.isrealobj, np.iscomplexobj])
PLAIN.update([np.result_type, np.can_cast, np.min_scalar_type, np.common_type, np.shares_memory, np.may_share_memory])
PLAIN.update([np.isin, np.linalg.matrix_rank, np.array_str, np.array_repr, np.array2string])
PLAIN.update([np.isnat, np.einsum_path, np.ravel_multi_index, np.unravel_index])
PLAIN.update([np.diag_indices_from, np.tril_indices_from, np.triu_indices_from])
if hasattr(np, "in1d"):  # until NumPy 2.4
    PLAIN.add(np.in1d)

REFUSED[np.nextafter] = "it steps by the spacing of floating-point numbers, not by a differentiable amount"
REFUSED[np.spacing] = "the spacing of floating-point numbers is no differentiable function"
REFUSED[np.intersect1d] = "its result is there only where values coincide exactly, and gone beside such a point"

_counts = "its counts are piecewise constant; for weights use np.bincount of np.ravel_multi_index"
_bits = "bits belong to integers, which have no derivative"
_integers = "it is a function of integers, which have no derivative"
REFUSED.update(dict.fromkeys([np.histogram2d, np.histogramdd], _counts))
REFUSED.update(dict.fromkeys([np.save, np.savez, np.savez_compressed, np.savetxt], "a file keeps no derivative"))
REFUSED.update(dict.fromkeys([np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.bitwise_count], _bits))
REFUSED[np.bitwise_xor] = "x ^ y is about the bits of integers; a power is written x**y"
REFUSED.update(dict.fromkeys([np.packbits, np.unpackbits], _bits))
REFUSED.update(dict.fromkeys([np.left_shift, np.right_shift, np.gcd, np.lcm], _integers))
