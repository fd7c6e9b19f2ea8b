"""Random programs in every mode and space: a fixed 20 seconds of `python -m tests.fuzz`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from tests.fuzz.checks import examine, shrunk
from tests.fuzz.programs import Program, program


@pytest.mark.parametrize("block", range(10))
def test_random_programs(block: int) -> None:
    for k in range(10 * block, 10 * block + 10):
        finds = examine(program(f"suite/{k}"), Counter())
        assert not finds, f"seed suite/{k}\n{shrunk(finds[0])}"


def wrong(x: Any) -> Any:
    """What loses the tangent of half the elements."""
    return np.where(np.arange(np.size(x)) % 2, x, dd.value(x))


@pytest.mark.parametrize("x", [np.array([0.3, -0.4, 0.7]), np.array([0.3 + 1j, 0.2 - 0.5j]), np.float32([0.3, 0.9])])
def test_what_is_wrong_is_found_and_cut_down(x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dd, "wrong", wrong, raising=False)
    p = Program(x, ("y = x * 1", "z = np.sin(y)", "z[1:] *= 2", "w = dd.wrong(z)", "v = w + y"), "v * v")
    if x.dtype == np.float32:  # which has no differences to be held against
        assert not examine(p, Counter())
        return
    find = shrunk(examine(p, Counter())[0])
    assert find.mode == "differences" and find.program.lines == ("w = dd.wrong(x)",) and find.program.result == "w"
    scope = {"np": np, "dd": dd}
    exec(find.program.text(), scope)
    np.testing.assert_array_equal(scope["f"](scope["x"]), x)
