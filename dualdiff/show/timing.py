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


def _methods(call: Call) -> dict[str, Callable[[int], Any]]:
    """Each method as a function of how many passes it is to make."""
    own = [own_copy(x) for x in call.leaves]  # f may write into its arguments

    def result(leaves: Sequence[Any]) -> list[Any]:
        return flatten(call.f(*call.arguments(leaves), **call.kwargs), lists=True)[0]

    def moved(k: int, j: int, step: Any) -> list[Any]:
        """The result with element j of leaf k of the arguments changed."""
        x = np.array(own[k])
        x.reshape(-1)[j] += step
        return result([*own[:k], x[()], *own[k + 1 :]])

    def forward(passes: int) -> None:
        for k in range(passes):
            forward_pass(call, k, k + 1)

    def reverse(passes: int) -> None:
        record = Record(call)
        for k, unit, j in itertools.islice(_directions(record.values), passes):
            reverse_pass(record, k, unit, j, j + 1)

    def reverse_vector(_: int) -> None:
        record = Record(call)
        for k, unit in dict.fromkeys((k, unit) for k, unit, _ in _directions(record.values)):
            reverse_pass(record, k, unit, 0, size_of(record.values[k]))

    def differences(passes: int, back: int = 0) -> None:
        """Quotients from `back` steps before x to one step after it, by so many calls of f."""
        base = result(own) if not back else []
        for k, unit, j in itertools.islice(_directions(own), passes // 2 if back else passes - 1):
            step = _STEP * unit
            with np.errstate(all="ignore"):
                for after, before in zip(moved(k, j, step), moved(k, j, -step) if back else base):
                    (np.asarray(after) - before) / ((1 + back) * step)

    return {
        "f": lambda _: result(own),
        "forward": forward,
        "forward_vector": lambda _: forward_pass(call, 0, sum(call.widths)),
        "forward_rows": lambda _: local_sweep(call),
        "reverse": reverse,
        "reverse_vector": reverse_vector,
        "differences": differences,
        "central": lambda passes: differences(max(passes, 2), back=1),
    }


def _directions(leaves: Sequence[Any]) -> Iterator[tuple[int, Any, int]]:
    """Leaf, unit and element of each direction."""
    for k, x in enumerate(leaves):
        for unit in (1, 1j) if is_complex(x) else (1,):
            yield from ((k, unit, j) for j in range(size_of(x)))


def timed(call: Call, costs: Mapping[str, Cost], budget: float) -> dict[str, Cost]:
    runs, made = _methods(call), {}
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
                seconds, more = _seconds(runs[key], cost.passes, budget)
                note = "extrapolated from fewer passes" if more else ""
                single[key] = seconds
            except StructureLostError:
                note = "not run: tangents do not stay row-local"
        made[key] = replace(cost, seconds=seconds, note=note)
    return made
