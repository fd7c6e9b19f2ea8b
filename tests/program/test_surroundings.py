"""What a compiled function reaches by name may change between calls."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

from .tools import ready, served

GLOBAL = 2.0
TABLE = {"k": 3.0}


def test_globals_closures_defaults_and_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = 5.0
    weights = np.array([1.0, 2.0])

    class Model:
        def __init__(self) -> None:
            self.gain = 1.0

        def run(self, x: Any) -> Any:
            return self.gain * x

    model = Model()

    def f(x: Any, *, power: Any = 2) -> Any:
        return GLOBAL * x[0] ** power + inner * x[1] + TABLE["k"] * x[0] + weights @ x + model.run(x)[1]

    g, x = dd.gradient(f), np.array([1.0, 2.0])
    compiled = dd.compile(g)

    def check() -> None:
        for scale in (1.0, 1.5, 2.0):
            np.testing.assert_allclose(compiled(scale * x), g(scale * x), rtol=1e-13)

    check()
    monkeypatch.setattr(sys.modules[__name__], "GLOBAL", 7.0)
    check()
    inner = 6.0
    check()
    monkeypatch.setitem(TABLE, "k", 4.0)
    check()
    weights[0] = 10.0
    check()
    model.gain = 3.0
    check()
    f.__kwdefaults__["power"] = 3  # type: ignore[index]
    check()
    served(compiled, x)


def test_functions_that_are_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ready(dd.derivative(lambda x: helper(x)), (1.0,), (2.0,))
    assert compiled(3.0) == 6.0
    monkeypatch.setattr(sys.modules[__name__], "helper", np.sin)
    assert compiled(0.0) == 1.0


def helper(x: Any) -> Any:
    return x * x


class Slotted:
    """Its attributes stand in slots, and in the class."""

    __slots__ = ("rate",)
    power = 2.0

    def __init__(self) -> None:
        self.rate = 1.0


class Equal(list[float]):
    """Equal to anything of its kind."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)

    __hash__ = None  # type: ignore[assignment]


def test_slots_classes_and_what_lists_hold() -> None:
    """An array in a list is exchanged, and its successor changed; an element says it is equal to what it is not."""
    slotted, held, odd = Slotted(), [1.0, np.array([1.0, 2.0])], [Equal([1.0])]
    f = lambda x: np.sum(slotted.rate * x**Slotted.power * held[0] * held[1] * odd[0][0])
    g, x = dd.gradient(f), np.array([1.5, 2.5])
    compiled = ready(g, (x,), (x,))
    changes = [
        lambda: setattr(slotted, "rate", 3.0),
        lambda: setattr(Slotted, "power", 3.0),
        lambda: held.__setitem__(0, 5.0),
        lambda: held.__setitem__(1, np.array([7.0, 8.0])),
        lambda: held[1].__setitem__(0, 9.0),
        lambda: odd.__setitem__(0, Equal([4.0])),
    ]
    try:
        for change in changes:
            change()
            for _ in range(3):
                np.testing.assert_allclose(compiled(x), g(x), rtol=1e-12)
            assert served(compiled, x) is not None, compiled.report
    finally:
        Slotted.power = 2.0


def test_what_changes_all_the_time_runs_as_it_is() -> None:
    calls: list[int] = []

    def f(x: Any) -> Any:
        calls.append(1)
        return x * len(calls)

    compiled = dd.compile(f)
    assert [compiled(1.0) for _ in range(5)] == [1.0, 2.0, 3.0, 4.0, 5.0][:0] + [float(k) for k in _counted(5)]
    assert "outside of it" in compiled.report


def _counted(n: int) -> list[int]:
    """The first call runs once more, to be written down; the others once each."""
    return [1, *range(3, n + 2)]
