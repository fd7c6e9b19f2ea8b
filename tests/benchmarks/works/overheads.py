"""Works that look at other works again: with few inputs beside a dense batch, and at memory instead of seconds."""

from __future__ import annotations

from typing import Any

from ..timing import Call
from ..tools import Tool
from .work import HAND, Build, Target, Work

BATCH = "dense batch"
RESULT = "the result"


def beside_batch(build: Build) -> Build:
    """Where one batch of dense directions is hard to beat: dualdiff as it chooses, beside that in the same format."""

    def built(tools: list[Tool], tiny: bool) -> Work:
        ours = [tool for tool in tools if tool.name == "dualdiff"]
        work = build(ours, tiny)
        f = work.calls["f"].names
        if ours:
            import dualdiff as dd

            batch = dd.jacobian(f["function"], chunk_size=f["a0"].size)
            work.calls[BATCH] = Call("form(batch(x))", {"form": work.parts, "batch": batch, "x": f["a0"]})
        work.targets = (Target(1.3, BATCH),)
        return work

    return built


def peak(build: Build, *targets: Target) -> Build:
    """The most memory held during a call, beside that of the result where this is sparse."""

    def built(tools: list[Tool], tiny: bool) -> Work:
        work = build([tool for tool in tools if tool.traced], tiny)
        work.name, work.targets, work.memory = f"memory: {work.name}", targets, True
        result: Any = work.calls[HAND].run()
        if hasattr(result, "indptr"):
            work.known[RESULT] = float(result.data.nbytes + result.indices.nbytes + result.indptr.nbytes)
        return work

    return built
