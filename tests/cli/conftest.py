"""A command that succeeds, and a file with functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dualdiff.cli.main import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command that succeeds prints."""
    monkeypatch.setenv("COLUMNS", "120")

    def command(*argv: str) -> str:
        assert main(argv) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert all(line == line.rstrip() for line in out.splitlines())
        return out

    return command


MODULE = """\
import math
import numpy as np
from dataclasses import dataclass

@dataclass
class Options:
    power: int = 2

def loss(x, y, options=Options()):
    return x**options.power * np.sin(y)

def layer(W, x):
    return np.tanh(W @ x)

def many(x, /, y=2, *rest, scale=2, **more):
    return {"a": x * y, "b": np.array([1.0, 2.0]) * x * scale}

def pair(x, y):
    return x * y, x + y

def one_entry(x):
    return {"only": x * x}

def seven():
    return 7

def fails(x):
    return 1 / 0

def no_return(x):
    x * 2

def by_math(x):
    return math.sin(x)

def logarithm(x):
    return np.log(x)

table = [1]
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "my model.py"
    path.write_text(MODULE)
    return str(path)
