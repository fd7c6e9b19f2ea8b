"""What derivatives cost: forward against reverse mode against finite differences, counted, not claimed.

f is run once on recorded tangents; what every method costs follows from the few numbers counted there (`count.py` says
how), and is the same every time. Only seconds are measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..run.call import Call, Function
from ..run.checks import Argnums, check_function
from .count import Cost, Counts, costs_of, count
from .text import Table, amount, counted, times
from .timing import timed

__all__ = ["Cost", "CostReport", "Counts", "compare_cost"]

# ---------------------------------------------------------------- the reports

_NAMES = {
    "f": "f itself",
    "forward": "forward, one direction a pass",
    "forward_vector": "forward, all n directions at once",
    "forward_rows": "forward, row-local (only timed)",
    "reverse": "reverse, one cotangent a pass",
    "reverse_vector": "reverse, all m cotangents at once",
    "differences": "finite differences, one-sided",
    "central": "finite differences, central",
}


def _ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


class CostReport:
    """The costs of all methods for one function at one point: print it, or show it in a notebook.

    `costs` maps the methods "f", "forward", "forward_vector", "forward_rows", "reverse", "reverse_vector",
    "differences" and "central" to their `Cost`; `counts` holds what these are computed from; `data` is all of it as a
    dict ready for JSON; `best` is the method with the fewest operations.
    """

    def __init__(self, name: str, counts: Counts, costs: Mapping[str, Cost], estimated: Sequence[str]) -> None:
        self.name, self.counts, self.costs, self.estimated = name, counts, dict(costs), tuple(estimated)

    def ratio(self, method: str, quantity: str = "operations") -> float | None:
        """The cost of a method over that of one evaluation of f; quantity is "operations", "bytes" or "seconds"."""
        return _ratio(getattr(self.costs[method], quantity), getattr(self.costs["f"], quantity))

    def _least(self, quantity: str) -> str:
        known = [c for key, c in self.costs.items() if key != "f" and getattr(c, quantity) is not None]
        return min(known, key=lambda c: (getattr(c, quantity), c.passes)).method

    @property
    def best(self) -> str:
        return self._least("operations")

    @property
    def summary(self) -> str:
        """Which method wins by counts, in a sentence."""
        if not self.counts.n * self.counts.m * self.counts.primitives:
            return "There is nothing to differentiate."
        forward, reverse = (self.costs[k].operations or 0 for k in ("forward_vector", "reverse_vector"))
        versus = "Forward and reverse mode need equally many operations"
        if forward != reverse:
            more, less = ("Forward", "reverse") if forward > reverse else ("Reverse", "forward")
            low, high = sorted((forward, reverse))
            versus = f"{more} mode needs {times(_ratio(high, low))} times the operations of {less} mode"
        best = {quantity: self._least(quantity) for quantity in ("operations", "bytes")}
        fewest, least = (f"{_NAMES[k]} ({times(self.ratio(k, q))} times f)" for q, k in best.items())
        return f"Fewest operations: {fewest}. Least stored: {least}. {versus}."

    @property
    def data(self) -> dict[str, Any]:
        methods = {}
        for key, cost in self.costs.items():
            ratios = {f"{q}_ratio": self.ratio(key, q) for q in ("operations", "bytes", "seconds")}
            methods[key] = {**asdict(cost), **ratios}
        return {
            "name": self.name,
            "counts": asdict(self.counts),
            "methods": methods,
            "best": self.best,
            "summary": self.summary,
            "estimated": list(self.estimated),
        }

    def table(self) -> Table:
        """All of it as a table."""
        c = self.counts
        is_timed = any(cost.seconds is not None or cost.note for cost in self.costs.values())
        head = ["method", "passes", "primitives", "operations", "× f", "stored", "× f"] + ["time", "× f"] * is_timed
        rows, notes = [], ["Differences are inexact, the other methods exact to rounding."]
        for key, cost in self.costs.items():
            if not is_timed and cost.operations is None:
                continue
            row = [_NAMES[key], amount(cost.passes), amount(cost.primitives), amount(cost.operations)]
            row += [times(self.ratio(key)), amount(cost.bytes, "B"), times(self.ratio(key, "bytes"))]
            if is_timed:
                mark = "~" if cost.seconds is not None and cost.note else ""
                row += [mark + amount(cost.seconds, "s"), times(self.ratio(key, "seconds"))]
            if cost.note.startswith("not run"):
                notes.append(f"{_NAMES[key]}: {cost.note}.")
            rows.append(row)
        if any(cost.seconds is not None and cost.note for cost in self.costs.values()):
            notes.append("~: extrapolated from fewer passes.")
        if self.estimated:
            notes.append(f"Guessed, two operations an element: {', '.join(self.estimated)}.")
        size = f"n = {counted(c.n, 'argument')}, m = {counted(c.m, 'result')}, {counted(c.primitives, 'primitive')}"
        title = f"The Jacobian of {self.name}: {size}"
        return Table(head, rows, "<>", title, [*self.summary.replace(". ", ".\n").splitlines(), *notes])

    def __str__(self) -> str:
        return str(self.table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


def compare_cost(
    f: Function, *args: Any, argnums: Argnums | None = None, seconds: float = 0.2, **kwargs: Any
) -> CostReport:
    """What the Jacobian of f at `args` costs in forward mode, in reverse mode and by finite differences.

    >>> import numpy as np, dualdiff as dd
    >>> dd.compare_cost(lambda x: np.sum(np.sin(x)), np.ones(100), seconds=0).best
    'reverse'

    Passes, primitives, operations and bytes are counted in one recorded run of f and are the same every time; seconds
    are medians of measured runs. Stored bytes are what is alive at once if each value is freed after its last use: for
    forward mode values and tangents, for reverse mode what is kept for the transposes, and cotangents. The top of
    `dualdiff/show/count.py` says what counts as an operation.

    Parameters
    ----------
    f : callable
    *args, **kwargs
        The arguments of f: numbers, arrays, or containers of them; keyword arguments are constants.
    argnums : int or tuple of ints, optional
        Which arguments to differentiate with respect to; all by default.
    seconds : float
        How long to time each method; 0 for counts alone. A method of many passes is extrapolated from as many as
        fit; one that would take far too long or too much memory is not run; the report says so.

    Returns
    -------
    CostReport
        It prints as a table and shows as one in notebooks; `.summary` is a sentence, `.data` a dict. Notebook 05
        draws such reports, and the sizes from which on reverse mode is cheaper.

    Raises
    ------
    TypeError, ValueError
        If f is no function of numbers, or argnums make no sense.

    Examples
    --------
    For n = 2 arguments forward mode takes 2 passes, for m = 1 result reverse mode 1:

    >>> dd.compare_cost(lambda x, y: x * y + np.sin(x), 2.0, 3.0, seconds=0)
    The Jacobian of <lambda>: n = 2 arguments, m = 1 result, 3 primitives
    ...
    """
    check_function("compare_cost", f, "compare_cost(f, x)")
    if not args:
        raise TypeError("compare_cost: the arguments of f are missing; write compare_cost(f, x)")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
        raise ValueError(f"compare_cost: seconds must be a number >= 0, not {seconds!r}")
    call = Call("compare_cost", f, tuple(range(len(args))) if argnums is None else argnums, args, kwargs)
    counts, estimated = count(call)
    costs = costs_of(counts)
    if seconds:
        costs = timed(call, costs, seconds)
    return CostReport(getattr(f, "__name__", type(f).__name__), counts, costs, estimated)
