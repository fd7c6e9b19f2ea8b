"""Measuring what `cost.py` counts: how long each method of differentiation takes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from ..core.errors import StructureLostError
from ..core.pytree import flatten
from ..core.values import is_complex, size_of
from ..run.call import Call, forward_pass, local_sweep, own_copy
from ..transforms.reverse import Record, reverse_pass
from .count import Cost
from .text import amount

_RUN_BYTES = 2**30  # what a method may store to be timed
_PATIENCE = 50  # and how many times the time asked for it may take; a second is always granted
_STEP = 1e-6  # of the differences


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
        self.own = [own_copy(x) for x in call.leaves]  # f may write into its arguments

    def apply(self, leaves: Sequence[Any]) -> Any:
        return self.call.f(*self.call.arguments(leaves), **self.call.kwargs)

    def f(self, _: int) -> Any:
        return self.apply(self.own)

    def forward(self, passes: int) -> None:
        for k in range(passes):
            forward_pass(self.call, k, k + 1)

    def forward_vector(self, _: int) -> None:
        forward_pass(self.call, 0, sum(self.call.widths))

    def forward_rows(self, _: int) -> None:
        local_sweep(self.call)

    def reverse(self, passes: int) -> None:
        record = Record(self.call)
        for k, unit, j in itertools.islice(_directions(record.values), passes):
            reverse_pass(record, k, unit, j, j + 1)

    def reverse_vector(self, _: int) -> None:
        record = Record(self.call)
        for k, v in enumerate(record.values):
            for unit in _units(v):
                reverse_pass(record, k, unit, 0, size_of(v))

    def differences(self, passes: int) -> None:
        base = flatten(self.f(1), lists=True)[0]
        for k, unit, j in itertools.islice(_directions(self.own), passes - 1):
            _quotients(self.moved(k, j, _STEP * unit), base, _STEP * unit)

    def central(self, passes: int) -> None:
        for k, unit, j in itertools.islice(_directions(self.own), max(passes // 2, 1)):
            _quotients(self.moved(k, j, _STEP * unit), self.moved(k, j, -_STEP * unit), 2 * _STEP * unit)

    def moved(self, k: int, j: int, step: Any) -> Any:
        """The result with element j of leaf k of the arguments changed."""
        x = np.array(self.own[k])
        x.reshape(-1)[j] += step
        return flatten(self.apply([*self.own[:k], x[()], *self.own[k + 1 :]]), lists=True)[0]


def _units(x: Any) -> tuple[Any, ...]:
    return (1, 1j) if is_complex(x) else (1,)


def _directions(leaves: Sequence[Any]) -> Iterator[tuple[int, Any, int]]:
    """Leaf, unit and element of each direction."""
    return ((k, unit, j) for k, x in enumerate(leaves) for unit in _units(x) for j in range(size_of(x)))


def _quotients(after: Sequence[Any], before: Sequence[Any], step: Any) -> None:
    with np.errstate(all="ignore"):
        for a, b in zip(after, before):
            (np.asarray(a) - b) / step


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
