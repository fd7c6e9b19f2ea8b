"""`find_kinks`: f run once with every primitive watched, and the points where one is not smooth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.kinks import STATE, NonsmoothPoint, within
from ..core.values import plain, shape_of
from ..run.call import Call
from ..run.checks import check_function
from ..show.text import Table


class Kinks(list[NonsmoothPoint]):
    """The points, which print as a table."""

    def table(self) -> Table:
        return Table(["where", "primitive", "kind", "distance"], [p.cells() for p in self], "<<<>")

    def __repr__(self) -> str:
        return str(self.table()) if self else "no kinks"

    def _repr_html_(self) -> str:
        return self.table().html() if self else "no kinks"


def find_kinks(f: Callable[[Any], Any], x: Any, tol: float = 0.0) -> Kinks:
    """The points, met on the way to f(x), where a primitive is not smooth, in the order in which they are met.

    >>> import numpy as np, dualdiff as dd
    >>> [p] = dd.find_kinks(lambda x: np.maximum(x[0], x[1]) + np.abs(x[1]), [1.0, 1.25], tol=0.5)
    >>> p.primitive, p.distance, p.operands
    ('np.maximum', -0.25, (1.0, 1.25))

    Parameters
    ----------
    f : callable of one argument
    x : number, array_like, or container of them
    tol : float
        Points up to this distance from a kink are listed as well; by default only those exactly at it.

    Returns
    -------
    Kinks
        A list of `NonsmoothPoint` that prints as a table: kinks; jumps (`sign`, `floor`, `//`, ...); branches
        (comparisons); and, where met exactly, singular points, whose slope is inf or NaN: a tangent of exactly 0 hides
        there what the derivative is, as in `(x**3)**(1/3)` at 0. `int(x)`,
        `round(x)`, `math.floor(x)`, `argmax` and the like can't be seen.

    Raises
    ------
    ValueError
        If tol is negative or NaN.
    """
    if isinstance(tol, bool) or not isinstance(tol, float | int | np.number) or not tol >= 0:
        raise ValueError(f"find_kinks: tol must be a number >= 0, not {tol!r}")
    check_function("find_kinks", f, "find_kinks(f, x)")

    class Attempt(Call):
        def once(self, seeds: Sequence[Any], buffers: bool = False) -> Any:
            state.points.clear()  # f is run again where it stores into plain arrays
            return super().once(seeds, buffers)

    with within("find", tol):
        state: Any = STATE.get()
        call = Attempt("find_kinks", f, 0, (x,), {})
        call.run([np.ones(shape_of(x), plain(x).dtype) if shape_of(x) else type(plain(x))(1) for x in call.leaves])
        return Kinks(state.points)
