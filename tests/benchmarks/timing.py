"""A statement to time, and the one clock of all benchmarks: interleaved rounds, medians; and peaks of memory."""

from __future__ import annotations

import gc
import os
import time
import timeit
import tracemalloc
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["CLOCK", "Call", "interleaved", "peak_bytes"]

# On one core the CPU time of all threads is the time that passes, less what other processes take meanwhile.
_ALONE = hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1
CLOCK = "process_time" if _ALONE else "perf_counter"


@dataclass
class Call:
    """`statement` with the `names` it uses: timed without a wrapper around it, so that 0.1 us stays 0.1 us.

    `rtol` is how near the answer has to be: exact derivatives differ in rounding only, differences in more.
    """

    statement: str
    names: dict[str, Any]
    rtol: float = 1e-9

    @classmethod
    def of(cls, function: Any, args: tuple[Any, ...], rtol: float = 1e-9) -> Call:
        """The call `function(*args)`."""
        names = {f"a{i}": arg for i, arg in enumerate(args)}
        return cls(f"function({', '.join(names)})", {"function": function, **names}, rtol)

    def run(self) -> Any:
        """The answer, once."""
        return eval(self.statement, dict(self.names))

    def timer(self) -> timeit.Timer:
        """A timer of the statement (with the garbage collector off, as always in timeit)."""
        return timeit.Timer(self.statement, timer=getattr(time, CLOCK), globals=dict(self.names))


def interleaved(calls: dict[str, Call], rounds: int, sample: float, longest: float = 4.0) -> dict[str, float]:
    """Median seconds of each call. Every round times each call once, for about `sample` seconds: A B C, A B C, ...

    A call that has had `longest` seconds drops out, after three rounds at the earliest.
    """
    timers = {name: call.timer() for name, call in calls.items()}
    loops = {name: _loops(timer, sample) for name, timer in timers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds):
        for name, timer in timers.items():
            if turn < 3 or sum(seconds[name]) * loops[name] < longest:
                seconds[name].append(timer.timeit(loops[name]) / loops[name])
    return {name: median(times) for name, times in seconds.items()}


def _loops(timer: timeit.Timer, sample: float) -> int:
    """How many runs fill `sample` seconds; doubling until they do also warms caches and compilers up."""
    if timer.timeit(1) > 1:
        return 1
    loops = 1
    while (elapsed := timer.timeit(loops)) < sample / 2:
        loops *= 2
    return max(1, round(loops * sample / elapsed))


def peak_bytes(call: Call) -> float:
    """The most memory that one run holds beyond what was there before, its answer included, as NumPy reports it."""
    call.run()  # what is kept for all further calls is not this one's
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call.run()
        return float(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
