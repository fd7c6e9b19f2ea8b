"""Programs of arrays with their loops, which Numba compiles: the text of each loop gives the numbers that NumPy gives.

The text is Python, so that cases of the tables run through it without Numba, one element after the other.
"""

from __future__ import annotations

import importlib.util
import math
import re
import warnings
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.program import loops, text
from dualdiff.program.machine import Machine
from dualdiff.program.scalars import Unsuited
from dualdiff.program.structure import agree
from tests.cases.every import EXAMPLES

from .test_every_case import TRANSFORMS, TURNS


class Numbers:
    """An array whose elements are Python's numbers, as in Numba."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __getitem__(self, at: Any) -> Any:
        return self.array[at].item()

    def __setitem__(self, at: Any, x: Any) -> None:
        self.array[at] = x


def run_by_python(f: Any) -> Any:
    return lambda *args: f(*[Numbers(x) if isinstance(x, np.ndarray) else x for x in args])


def interpreted(code: str, machine: Machine) -> dict[str, Any]:
    """The functions of a text for Numba, as Python runs them."""
    scope = {n: f for n, f in vars(math).items() if callable(f)} | {"np": np, "prange": range}
    scope |= {"njit": lambda **_: run_by_python, "get_num_threads": lambda: 1, "set_num_threads": lambda n: None}
    exec(code, scope)
    return scope


class NoKernel:
    """Instead of programs of numbers, which small arrays would be."""

    def __init__(self, *args: Any) -> None:
        raise Unsuited("for arrays alone")


# Why there are no loops in a program: otherwise there must be.
WHY = ("it writes into arrays", "nothing in it is done element by element")
WHY += ("its arrays have too many seams", "its loops are too long")


def is_looped(report: str) -> bool:
    return all(("not as" not in r and "as machine" in r) or r.endswith(WHY) for r in report.split("\n"))


@pytest.fixture
def by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops that Python runs, for arrays of every size."""
    monkeypatch.setattr(text, "Kernel", NoKernel)
    monkeypatch.setattr(loops, "functions", interpreted)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)


@pytest.mark.usefixtures("by_python")
@pytest.mark.parametrize("name, transform", TURNS[::4])
def test_cases(name: str, transform: str) -> None:
    f, arrays, _ = EXAMPLES[name]()
    g = TRANSFORMS[transform](f, len(arrays))
    compiled = dd.compile(g, backend="numba")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for scale, shift in ((1, 0), (1.001, 0.0003), (0.999, 0.0001)):
            point = [x * scale + shift for x in arrays]
            try:
                due = g(*point)
            except (TypeError, ValueError, ArithmeticError):
                pytest.skip("not to be had without a program either")
            assert agree(compiled(*point), due)
    # Where both sides of np.where are computed, Python raises for what Numba has infinities and NaN.
    refused = re.sub(r"Numba refuses it \((ZeroDivision|Value|Overflow)Error\)", "", compiled.report)
    assert "another result than" not in compiled.report and "Numba refuses" not in refused


OPERATIONS: list[Any] = [
    lambda a, b, k: np.sin(a),
    lambda a, b, k: a * b,
    lambda a, b, k: a - 0.5 * b,
    lambda a, b, k: a / (2 + b * b),
    lambda a, b, k: np.maximum(a, 0.1 * b),
    lambda a, b, k: np.where(a > b, a * a, -b),
    lambda a, b, k: np.sqrt(1 + a**2) + (b < 0.2),
    lambda a, b, k: a[::-1] + b,
    lambda a, b, k: np.concatenate([a[k:], b[:k]]),
    lambda a, b, k: np.concatenate([[0.5] * k, a[k:-1], b[:1]]),
    lambda a, b, k: np.roll(a, k) * b,
    lambda a, b, k: np.concatenate([a[::2], b[1::2]]),
    lambda a, b, k: np.stack([a[::2], b[1::2]], axis=1).ravel(),
    lambda a, b, k: np.diff(a, append=0.3) + b,
    lambda a, b, k: a * np.sum(b),
    lambda a, b, k: (a[:, None] * b[None, :])[k],
    lambda a, b, k: (a.reshape(2, -1).T @ b.reshape(2, -1)[:, :2]).reshape(-1) - a,
    lambda a, b, k: a + (a.reshape(2, -1)[:, ::-1] * b.reshape(-1, 2).T).reshape(-1),
    lambda a, b, k: np.pad(a[k:-1], (k, 1)) + b,
    lambda a, b, k: np.exp(-a * a) * b.mean(),
]


def program_of(seed: int) -> Any:
    """A random function of an array of 8 elements: stencils, seams, views and sums."""
    rng = np.random.default_rng(seed)
    which = rng.integers(len(OPERATIONS), size=7)
    steps = [(OPERATIONS[n], *rng.integers(0, j + 1, 2), rng.integers(1, 4)) for j, n in enumerate(which)]
    ends = rng.integers(3)

    def f(x: Any) -> Any:
        arrays = [x]
        for operation, i, j, k in steps:
            arrays.append(operation(arrays[i], arrays[j], int(k)))
        return np.sum(arrays[-1] * arrays[-2]) if ends == 0 else arrays[-1] if ends == 1 else arrays[-1] + arrays[3]

    return f


def close(a: Any, b: Any) -> None:
    """Equal but for rounding, of sums in another order too."""
    for x, y in zip(a, b) if isinstance(a, tuple) else [(a, b)]:
        x, y = [v.toarray() if hasattr(v, "toarray") else v for v in (x, y)]
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)


@pytest.mark.usefixtures("by_python")
@pytest.mark.parametrize("seed", range(150))
def test_random_programs(seed: int) -> None:
    f, rng = program_of(seed), np.random.default_rng(seed)
    vector = np.ndim(f(np.ones(8))) == 1
    for g in (
        f,
        dd.jacobian(f, mode="forward") if vector else dd.gradient(f),
        dd.jacobian(f, mode="reverse") if vector else dd.gradient(f, mode="reverse"),
        dd.jacobian(f, sparse=True) if vector else dd.hessian(f),
        lambda x, f=f: dd.jvp(f, (x,), (x * x,)),
    ):
        compiled = dd.compile(g, backend="numba")
        for _ in range(3):
            x = rng.normal(size=8)
            close(compiled(x), g(x))
        assert is_looped(compiled.report), compiled.report
