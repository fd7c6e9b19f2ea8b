"""What a work is, how it is built, and how its answers are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..timing import Call
from ..tools import Tool

__all__ = ["HAND", "Build", "Target", "Work", "as_csr", "compiled", "derivatives", "has_dualdiff", "wrong_answers"]

HAND = "hand-written"


@dataclass
class Target:
    """The call named `of` takes at most `factor` times what the one named `over` takes.

    With `each`, it takes at most `factor` seconds more (than nothing, without `over`) for each of `count` such things.
    """

    factor: float
    over: str = HAND
    of: str = "dualdiff"
    each: str = ""
    count: int = 1


def compiled(factor: float, over: str = HAND, reverse: bool = False) -> tuple[Target, ...]:
    """What is asked of a program; of the one in reverse mode too where there is one."""
    return tuple(Target(factor, over, f"dualdiff compiled{mode}") for mode in ("", " reverse")[: 1 + reverse])


@dataclass
class Work:
    """Calls by name: the hand-written one, `f` itself, every tool's. All but `f` give the same answer.

    In a work of `memory`, bytes are measured, not seconds; `known` are figures that need no measurement.
    """

    name: str
    calls: dict[str, Call]
    targets: tuple[Target, ...] = ()
    parts: Callable[[Any], Any] = lambda answer: answer
    memory: bool = False
    known: dict[str, float] = field(default_factory=dict)


Build = Callable[[list[Tool], bool], Work]


def has_dualdiff(tools: list[Tool]) -> bool:
    """Whether dualdiff is one of the tools: for works that no other tool can do."""
    return any(tool.name == "dualdiff" for tool in tools)


def derivatives(
    name: str,
    tools: Iterable[Tool],
    kind: str,
    make: Callable[[Any], Callable[..., Any]],
    by_hand: dict[str, Callable[..., Any]],
    args: tuple[Any, ...],
    *targets: Target,
    unable: Iterable[str] = (),
    first: bool = False,
) -> Work:
    """The work of differentiating `make(np)` at `args`; `jvp` and `hvp` take their direction as the second argument.

    A sparse `kind` tells the tools the pattern of the hand-written derivative. `unable` are tools that have no natural
    way to say this function. With `first`, tools are timed at the first call of a new function, dualdiff's later calls
    too.
    """
    calls = {"f": Call.of(make(np), args[:1] if kind in ("jvp", "hvp") else args)}
    calls |= {hand: Call.of(function, args) for hand, function in by_hand.items()}
    sparse = kind.startswith("sparse")
    pattern = (by_hand[HAND](*args),) if sparse else ()
    for tool in tools:
        if tool.name in unable or not tool.can(kind, sum(np.size(arg) for arg in args)):
            continue
        own = tuple(tool.array(arg) for arg in args)
        later = Call.of(tool.differentiate(kind, make, *pattern), own, tool.rtol)
        if not first:
            calls[tool.name] = later
            continue
        new = {"differentiate": tool.differentiate, "of": (kind, make, *pattern), "args": own}
        calls[tool.name] = Call("differentiate(*of)(*args)", new, tool.rtol)
        if tool.name == "dualdiff":
            calls["later calls"] = later
    return Work(name, calls, targets, as_csr if sparse else lambda answer: answer)


def as_csr(answer: Any) -> Any:
    """A sparse matrix of any library as a SciPy CSR array."""
    from scipy import sparse

    if hasattr(answer, "n_dense"):  # JAX's coordinate format
        numbers = np.asarray(answer.indices)
        return sparse.coo_array((np.asarray(answer.data), tuple(numbers.T)), shape=answer.shape).tocsr()
    return sparse.csr_array(answer)


def wrong_answers(work: Work) -> dict[str, str]:
    """What is wrong, by call: runs every one but `f` and compares it with the hand-written answer."""
    expected = work.parts(work.calls[HAND].run())
    wrong = {}
    for name, call in work.calls.items():
        if name not in (HAND, "f"):
            try:
                equal = _equal(work.parts(call.run()), expected, call.rtol)
            except Exception as error:  # a peer that can't do this work is a row of the report, not the end of it
                wrong[name] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
                continue
            if not equal:
                wrong[name] = "wrong answer"
    return wrong


def _equal(answer: Any, expected: Any, rtol: float) -> bool:
    if hasattr(expected, "tocsr"):
        if answer.shape != expected.shape:
            return False
        off = abs(answer - expected) - rtol * abs(expected)
        return bool(np.isfinite(answer.data).all() and off.max() <= 1e-12 + 1e-12 * abs(expected).max())
    answer, expected = _flat(answer), _flat(expected)
    if answer.shape != expected.shape:
        return False
    atol = 1e-12 if rtol < 1e-6 else rtol * np.abs(expected).max()  # differences: of the scale of the whole
    return np.allclose(answer, expected, rtol=rtol, atol=atol)


def _flat(answer: Any) -> np.ndarray:
    parts = answer if isinstance(answer, tuple | list) else (answer,)
    return np.concatenate([np.ravel(np.asarray(part, float)) for part in parts])
