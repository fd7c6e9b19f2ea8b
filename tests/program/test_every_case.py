"""Every case of the tables, compiled: at other points the results are those of the function itself.

Each case takes its turn with one of the transforms; `python -m tests.program.test_every_case` runs all with all.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.program.structure import agree
from tests.cases.every import EXAMPLES
from tests.cases.scipy import OF_ARRAYS
from tests.cases.tools import leaves

# What can't be written down: arrays of objects, what NumPy decides on by its own, and writes into plain arrays.
REFUSED = ("[u, v", "lists", "np.piecewise", "np.poly([c + 1j", "np.polyint([1.0", "constant_values=", "end_values=")
REFUSED += ("np.interp(u, [0, 1, 2]", "np.interp(u, knots, [1.0", "np.setdiff1d", "np.geomspace", "np.histogram([1.0")
REFUSED += ("np.apply_along_axis(lambda r: r[0] * c, 0, [[", "overwrite_input", "copy=False", "np.nan")
REFUSED += ("np.atleast_1d(c, A)", "np.trim_zeros(u * [0, 1, 0]", "signed(L.svd(", "c[")
REFUSED += OF_ARRAYS


def second(f: Callable[..., Any], n: int) -> Callable[..., Any]:
    """The Hessian of a weighted sum of a real function's results."""

    def total(*x: Any) -> Any:
        parts = leaves(f(*x))
        return sum(np.sum(v * np.cos(k + np.arange(np.size(v))).reshape(np.shape(v))) for k, v in enumerate(parts))

    return dd.hessian(total, tuple(range(n)))


TRANSFORMS: dict[str, Callable[[Callable[..., Any], int], Any]] = {
    "the function": lambda f, n: f,
    "forward": lambda f, n: dd.jacobian(f, tuple(range(n))),
    "passes": lambda f, n: dd.jacobian(f, tuple(range(n)), chunk_size=1),
    "reverse": lambda f, n: dd.jacobian(f, tuple(range(n)), mode="reverse"),
    "second": second,
}


# The same ones whatever examples there are for a version of NumPy.
TURNS = [(name, list(TRANSFORMS)[zlib.crc32(name.encode()) % len(TRANSFORMS)]) for name in EXAMPLES]


@pytest.mark.parametrize("name, transform", TURNS)
def test_compiled(name: str, transform: str) -> None:
    f, arrays, _ = EXAMPLES[name]()
    if transform == "passes" and sum(x.size for x in arrays) > 100:
        transform = "forward"  # a program of so many passes is long
    g = TRANSFORMS[transform](f, len(arrays))
    points = [[x * scale + shift for x in arrays] for scale, shift in ((1, 0), (1.001, 0.0003), (0.999, 0.0001))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            expected = [g(*point) for point in points]
        except (TypeError, ValueError, ArithmeticError):
            pytest.skip("not to be had without a program either")
        compiled = dd.compile(g)
        for point, due in zip(points, expected):
            assert agree(compiled(*point), due)
    assert "another result than the function" not in compiled.report
    finite = all(np.all(np.isfinite(x)) for x in leaves(expected) if np.asarray(x).dtype.kind in "fc")
    if finite and not any(text in name for text in REFUSED):
        assert compiled.source, compiled.report


if __name__ == "__main__":
    for name in EXAMPLES:
        for transform in TRANSFORMS:
            try:
                test_compiled(name, transform)
            except pytest.skip.Exception:
                continue
            except AssertionError as error:
                print(transform, name, error)
