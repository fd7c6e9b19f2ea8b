"""What derivatives cost: forward against reverse mode against finite differences, counted, not claimed.

f is run once on recorded tangents; what every method costs follows from the few numbers counted there (`count.py` says
how), and is the same every time. Only seconds are measured.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..run.call import Argnums, Call, Function
from .count import Cost, Counts, costs_of, count
from .text import Table, amount, counted, times
from .timing import timed

__all__ = ["Cost", "CostReport", "Counts", "SweepReport", "compare_cost", "sweep"]

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


def _pyplot(who: str) -> Any:
    try:
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        raise ImportError(f"{who}: plotting needs matplotlib: pip install 'dualdiff[notebooks]'") from None


class CostReport:
    """The costs of all methods for one function at one point: print it, show it in a notebook, `plot()` it.

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
        counted = [c for key, c in self.costs.items() if key != "f" and getattr(c, quantity) is not None]
        return min(counted, key=lambda c: (getattr(c, quantity), c.passes)).method

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
        timed = any(cost.seconds is not None or cost.note for cost in self.costs.values())
        head = ["method", "passes", "primitives", "operations", "× f", "stored", "× f"] + ["time", "× f"] * timed
        rows, notes = [], ["Differences are inexact, the other methods exact to rounding."]
        for key, cost in self.costs.items():
            if not timed and cost.operations is None:
                continue
            row = [_NAMES[key], amount(cost.passes), amount(cost.primitives), amount(cost.operations)]
            row += [times(self.ratio(key)), amount(cost.bytes, "B"), times(self.ratio(key, "bytes"))]
            if timed:
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

    def plot(self) -> Any:
        """A matplotlib figure: operations, bytes and, if measured, seconds of every method over those of f."""
        plt = _pyplot("CostReport.plot")
        quantities = {"operations": "operations, counted", "bytes": "stored bytes, counted"}
        if any(cost.seconds is not None for cost in self.costs.values()):
            quantities["seconds"] = "time, measured"
        keys = [k for k, c in self.costs.items() if k != "f" and (c.operations is not None or c.seconds is not None)]
        fig, axes = plt.subplots(
            1, len(quantities), sharey=True, figsize=(4 + 3.2 * len(quantities), 1.2 + 0.42 * len(keys))
        )
        plt.close(fig)  # shown once, by whoever it is returned to
        for ax, (quantity, label) in zip(axes, quantities.items()):
            ratios = [self.ratio(k, quantity) for k in keys]
            known = [r for r in ratios if r]
            low, high = min([1.0, *known]) / 2, max([1.0, *known])
            for y, (key, r) in enumerate(zip(keys, ratios)):
                if r:
                    ax.barh(y, r - low, left=low, height=0.7, color=_COLOURS[key.split("_")[0]])
                ax.annotate(times(r), (r or low, y), (4, 0), textcoords="offset points", va="center", fontsize=9)
            ax.set_xscale("log")
            ax.set_xlim(low, high * (high / low) ** 0.3)
            ax.axvline(1, color="0.4", linewidth=0.8, linestyle=":")
            ax.set_xlabel(f"{label} (f itself = 1)")
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].set_yticks(range(len(keys)), [_NAMES[k] for k in keys])
        axes[0].invert_yaxis()
        fig.suptitle(self.table().title, fontsize=11)
        fig.tight_layout()
        return fig


_COLOURS = {"forward": "#4477aa", "reverse": "#cc6677", "differences": "#999933", "central": "#999933"}


def compare_cost(
    f: Function, *args: Any, argnums: Argnums | None = None, seconds: float = 0.2, **kwargs: Any
) -> CostReport:
    """What the Jacobian of f at `args` costs in forward mode, in reverse mode and by finite differences.

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
        It prints as a table and shows as one in notebooks; `.summary` is a sentence, `.data` a dict, `.plot()` a figure
        (needs matplotlib, which `dualdiff[notebooks]` brings).

    Raises
    ------
    TypeError, ValueError
        If f is no function of numbers, or argnums make no sense.

    Examples
    --------
    For n = 2 arguments forward mode takes 2 passes, for m = 1 result reverse mode 1:

    >>> import numpy as np, dualdiff as dd
    >>> dd.compare_cost(lambda x, y: x * y + np.sin(x), 2.0, 3.0, seconds=0)
    The Jacobian of <lambda>: n = 2 arguments, m = 1 result, 3 primitives
    ...
    >>> dd.compare_cost(lambda x: np.sum(np.sin(x)), np.ones(100), seconds=0).best
    'reverse'
    """
    if not callable(f):
        raise TypeError(
            f"compare_cost: the first argument must be a function, not {type(f).__name__}; write compare_cost(f, x)"
        )
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


class SweepReport:
    """The costs over many sizes, `reports[n, m]`, and `crossing[m]`: the n from which on reverse mode is cheaper."""

    def __init__(self, reports: Mapping[tuple[int, int], CostReport], crossing: Mapping[int, int | None]) -> None:
        self.reports, self.crossing = dict(reports), dict(crossing)

    @property
    def summary(self) -> str:
        """From which n on reverse mode needs fewer operations, for each m."""
        least, most = min(n for n, _ in self.reports), max(n for n, _ in self.reports)
        parts = []
        for m, n in self.crossing.items():
            where = f"for no n up to {most:,}" if n is None else f"from n = {n:,} on"
            parts.append(f"m = {m:,}: " + (f"for all n, from {n:,} on" if n == least else where))
        return "Reverse mode needs fewer operations than forward mode with " + "; ".join(parts) + "."

    @property
    def data(self) -> dict[str, Any]:
        rows = [{"n": n, "m": m, **r.data} for (n, m), r in self.reports.items()]
        return {"rows": rows, "crossing": {str(m): n for m, n in self.crossing.items()}, "summary": self.summary}

    def table(self) -> Table:
        """All of it as a table."""
        timed = any(r.costs["f"].seconds is not None for r in self.reports.values())
        quantities = {"operations": "operations", "bytes": "stored", **({"seconds": "time"} if timed else {})}
        pairs = [f"{mode} {q}" for q in quantities.values() for mode in ("forward", "reverse")]
        head = ["n", "m", *pairs, "fewer operations"]
        rows = []
        for (n, m), r in self.reports.items():
            row = [f"{n:,}", f"{m:,}"]
            for q in quantities:
                row += [times(r.ratio(key, q)) for key in ("forward_vector", "reverse_vector")]
            a, b = (r.costs[k].operations or 0 for k in ("forward_vector", "reverse_vector"))
            rows.append([*row, "forward" if a < b else "reverse" if b < a else "equal"])
        title = "Costs over that of one evaluation of f; all directions, or cotangents, at once"
        return Table(head, rows, ">", title, [self.summary])

    def __str__(self) -> str:
        return str(self.table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()

    def plot(self) -> Any:
        """A matplotlib figure: operations of forward (solid) and reverse mode (dashed) over n, a colour for each m."""
        plt = _pyplot("SweepReport.plot")
        fig, ax = plt.subplots(figsize=(8, 4.5))
        plt.close(fig)
        for k, (m, cross) in enumerate(self.crossing.items()):
            ns = [n for n, other in self.reports if other == m]
            for key, line in (("forward_vector", "-"), ("reverse_vector", "--")):
                ys = [self.reports[n, m].ratio(key) or float("nan") for n in ns]
                wide = 2 * (len(self.crossing) - k) if line == "-" else 1.5  # lines may lie on each other
                ax.plot(ns, ys, line, color=f"C{k}", linewidth=wide, label=f"{_NAMES[key].split(',')[0]}, m = {m:,}")
            if cross is not None and cross > min(ns):
                ax.axvline(cross, color=f"C{k}", linewidth=0.8, linestyle=":")
                at = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 9}
                ax.annotate(f"n = {cross:,}", (cross, 0.96), (3, 0), color=f"C{k}", **at)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("n, the number of arguments")
        ax.set_ylabel("operations (f itself = 1)")
        ax.set_title("The Jacobian in forward and in reverse mode", fontsize=11)
        ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))
        ax.spines[["top", "right"]].set_visible(False)
        fig.tight_layout()
        return fig


def sweep(
    make: Callable[[int, int], tuple[Function, Any]], ns: Iterable[int], ms: Iterable[int] = (1,), seconds: float = 0.0
) -> SweepReport:
    """`compare_cost` over sizes, and for each m the n from which on reverse mode needs fewer operations than forward.

    Parameters
    ----------
    make : callable
        `make(n, m)` returns a function of one argument and the point: f, x.
    ns, ms : iterables of ints
    seconds : float
        As for `compare_cost`; counts alone by default.

    Returns
    -------
    SweepReport
        With `.crossing`, found by halving between the two neighbours in `ns`; None where reverse mode is never cheaper.
        It prints and shows as a table and has `.data`, `.summary` and `.plot()`.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> def make(n, m):
    ...     W = np.ones((m, n))
    ...     return lambda x: np.tanh(W @ x), np.ones(n)
    >>> dd.cost.sweep(make, [1, 10, 100], [5]).crossing
    {5: 6}
    """
    if not callable(make):
        raise TypeError(f"cost.sweep: the first argument must be a function make(n, m), not {type(make).__name__}")
    ns, ms = sorted({int(n) for n in ns}), sorted({int(m) for m in ms})
    if not ns or not ms or ns[0] < 1 or ms[0] < 1:
        raise ValueError("cost.sweep: ns and ms must hold positive ints")

    def report(n: int, m: int, seconds: float = 0.0) -> CostReport:
        made = make(n, m)
        if not isinstance(made, tuple) or len(made) != 2:
            raise TypeError("cost.sweep: make(n, m) must return a pair: a function and the point, f, x")
        return compare_cost(made[0], made[1], seconds=seconds)

    def reversed_wins(n: int, m: int) -> bool:
        costs = (reports.get((n, m)) or report(n, m)).costs
        return (costs["reverse_vector"].operations or 0) < (costs["forward_vector"].operations or 0)

    reports = {(n, m): report(n, m, seconds) for m in ms for n in ns}
    crossing: dict[int, int | None] = {}
    for m in ms:
        wins = [reversed_wins(n, m) for n in ns]
        high = next((k for k in range(len(ns)) if all(wins[k:])), None)
        if high is None or high == 0:
            crossing[m] = None if high is None else ns[0]
            continue
        low, top = ns[high - 1], ns[high]
        while top - low > 1:
            middle = (low + top) // 2
            low, top = (low, middle) if reversed_wins(middle, m) else (middle, top)
        crossing[m] = top
    return SweepReport(reports, crossing)
