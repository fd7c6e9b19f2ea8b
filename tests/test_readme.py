"""The README: short, every link leads somewhere, its picture is drawn by its first example, every command runs.

Its Python blocks are doctests, and `.ci/run` runs its sh blocks word by word.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.cli.main import main

ROOT = Path(dd.__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"`python -m dualdiff ([^`]+)`", TEXT)


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 250


def test_links_lead_somewhere() -> None:
    anchors = {re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)", TEXT, re.M)}
    for target in re.findall(r"\]\(([^)]+)\)", re.sub(r"^```.*?^```", "", TEXT, flags=re.M | re.S)):
        file, _, place = target.partition("#")
        assert (ROOT / file).exists() if file else place in anchors, target


def test_the_picture_is_drawn_by_the_first_example() -> None:
    graph = dd.trace(lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), 2.0, 5.0).graph
    assert (ROOT / "notebooks" / "graph.svg").read_text(encoding="utf-8") == graph


def test_the_shell_blocks_are_one_command_each() -> None:
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S):
        lines = block.rstrip().split("\n")
        assert all(line.endswith("&&") for line in lines[:-1]) and not lines[-1].endswith("&&")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("def function(x):\n    return x * x\n")
    words = shlex.split(command.replace("path/to/file.py", str(tmp_path / "file.py")))
    if ">" in words:
        words = words[: words.index(">")]
    if words != ["--help"]:
        assert main(words) in (0, 1)
        assert capsys.readouterr().out
