"""What the command line has printed, read back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from dualdiff.cli.main import main


def numbers(text: str) -> Any:
    """`3` or `[1, 2]` as printed."""
    return np.array([float(x) for x in re.findall(r"[^\[\], ]+", text)]) if "[" in text else float(text)


def rows(out: str) -> dict[str, tuple[str, Any, list[Any]]]:
    """The evaluation table: name -> (operation, value, tangents)."""
    found = {}
    for line in out.splitlines():
        if re.match(r"v\d", line):
            left, right = line.split("│")
            name, operation, value = re.split(r"  +", left.strip())
            found[name] = operation, numbers(value), [numbers(x) for x in re.split(r"  +", right.strip())]
    return found


def values(out: str) -> dict[str, Any]:
    """The lines `name = numbers`: the value and the gradient."""
    return {name: numbers(text) for name, text in re.findall(r"^([\w/]+) = (.*)$", out, re.MULTILINE) if name[0] != "v"}


def jacobian(out: str) -> tuple[list[str], list[str], Any]:
    """Its row labels, column labels, and entries."""
    lines = [line.split("│") for line in out.partition("Jacobian")[2].partition("\n\n")[0].splitlines() if "│" in line]
    entries = [[float(x) for x in right.split()] for _, right in lines[1:]]
    return [left.strip() for left, _ in lines[1:]], lines[0][1].split(), np.array(entries)


def complaint(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"dualdiff: [^\n]+\n", err)
    assert len(err) < 300
    return err[len("dualdiff: ") : -1]
