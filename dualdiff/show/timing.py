"""Measuring what `cost.py` counts: how long each method of differentiation takes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from ..core.errors import StructureLostError
from ..core.pytree import flatten
from ..run.call import Call, forward_pass, is_complex, local_sweep, own_copy, size_of
from ..transforms.reverse import Record, reverse_pass
from .count import Cost
from .text import amount

_RUN_BYTES = 2**30  # what a method may store to be timed
_PATIENCE = 50  # and how many times the time asked for it may take; a second is always granted


def _seconds(run: Callable[[int], Any], passes: int, budget: float) -> tuple[float, bool]:
    """The median time of `run(passes)`, and whether it is extrapolated from the passes that fit into the budget."""

    def clock(p: int) -> float:
        start = time.perf_counter()
        run(p)
        return time.perf_counter() - start

    one = clock(1)
    if one < budget:  # that was the warm-up
        one = clock(1)
    p = passes if one * passes <= budget else max(1, min(passes, int(budget / one)))
    times = [one] if p == 1 else [clock(p)]
    while sum(times) < budget and len(times) < 100:
        times.append(clock(p))
    t = median(times)
    if p == passes:
        return t, False
    further = one if p == 1 else max((t - one) / (p - 1), t / (2 * p))  # a slow first pass must not make the rest free
    return one + further * (passes - 1), True


class _Runs:
    """Each method as a function of how many passes it is to make."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.widths = [size_of(x) * (1 + is_complex(x)) for x in call.leaves]
        self.own = [own_copy(x) for x in call.leaves]  # f may write into its arguments

    def apply(self, leaves: Sequence[Any]) -> Any:
        return self.call.f(*self.call.arguments(leaves), **self.call.kwargs)

    def f(self, _: int) -> Any:
        return self.apply(self.own)

    def forward(self, passes: int) -> None:
        for k in range(passes):
            forward_pass(self.call, k, k + 1)

    def forward_vector(self, _: int) -> None:
        forward_pass(self.call, 0, sum(self.widths))

    def forward_rows(self, _: int) -> None:
        local_sweep(self.call)

    def reverse(self, passes: int, vector: bool = False) -> None:
        record = Record(self.call)
        for k, v in enumerate(record.values):
            m = size_of(v)
            for unit in (1, 1j) if is_complex(v) else (1,):
                for j in range(1 if vector else m):
                    if passes <= 0:
                        return
                    passes -= not vector
                    reverse_pass(record, k, unit, j, m if vector else j + 1)

    def reverse_vector(self, _: int) -> None:
        self.reverse(1, vector=True)

    def differences(self, passes: int, central: bool = False) -> None:
        base = None if central else flatten(self.f(1), lists=True)[0]
        count = passes // 2 if central else passes - 1
        moves = (
            (k, j, u) for k, x in enumerate(self.own) for u in (1, 1j)[: 1 + is_complex(x)] for j in range(size_of(x))
        )
        for k, j, unit in itertools.islice(moves, max(count, int(central))):
            h = 1e-6 * unit
            after, before = self.moved(k, j, h), base or self.moved(k, j, -h)
            with np.errstate(all="ignore"):
                for a, b in zip(after, before):
                    (np.asarray(a) - b) / (2 * h if central else h)

    def central(self, passes: int) -> None:
        self.differences(passes, central=True)

    def moved(self, k: int, j: int, h: Any) -> Any:
        """The result with one element of the arguments changed."""
        x = np.array(self.own[k])
        x.reshape(-1)[j] += h
        return flatten(self.apply([*self.own[:k], x[()], *self.own[k + 1 :]]), lists=True)[0]


def timed(call: Call, costs: Mapping[str, Cost], budget: float) -> dict[str, Cost]:
    runs, made = _Runs(call), {}
    single: dict[str, float] = {}
    for key, cost in costs.items():
        one_at_a_time = key.removesuffix("_vector")
        seconds, note = None, ""
        if cost.bytes is not None and cost.bytes > _RUN_BYTES:
            note = f"not run: would store {amount(cost.bytes, 'B')}"
        elif one_at_a_time != key and single.get(one_at_a_time, 0.0) > max(_PATIENCE * budget, 1.0):
            note = f"not run: may take {amount(single[one_at_a_time], 's')}"
        elif cost.passes:
            try:
                seconds, more = _seconds(getattr(runs, key), cost.passes, budget)
                note = "extrapolated from fewer passes" if more else ""
                single[key] = seconds
            except StructureLostError:
                note = "not run: tangents do not stay row-local"
        made[key] = replace(cost, seconds=seconds, note=note)
    return made
