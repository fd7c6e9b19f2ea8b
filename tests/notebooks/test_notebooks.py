"""Every notebook runs in a fresh kernel, and is stored with its outputs as it ran from top to bottom."""

import gc
import html
import json
import os
import re
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():  # what Jupyter's packages deprecate in each other is no concern of ours
    warnings.simplefilter("ignore")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib.font_manager")  # its cache is built here, else the first kernel prints about it

HERE = Path(__file__).resolve().parents[2]
ROOM = HERE / "notebooks"
EXECUTED = [*sorted(ROOM.glob("*.ipynb")), *sorted((ROOM / "solutions").glob("*.ipynb"))]
STORED = sorted(p for p in ROOM.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
# Paths of the machine a notebook was run on: from the root, a home, a drive, a kernel's temporary cell file.
ABSOLUTE = re.compile(r"(?<![\w.:/<])/(?:home|tmp|root|usr|var|opt|mnt|Users|private)/|\b[A-Z]:\\\\|ipykernel_\d")
CELL_SECONDS = 120

each_stored = pytest.mark.parametrize("path", STORED, ids=lambda p: str(p.relative_to(ROOM)))
each_executed = pytest.mark.parametrize("path", EXECUTED, ids=lambda p: str(p.relative_to(ROOM)))


def code(notebook: Any) -> list[Any]:
    return [c for c in notebook["cells"] if c["cell_type"] == "code" and "".join(c["source"]).strip()]


def texts(notebook: Any) -> list[str]:
    """What the outputs say, without pictures."""
    found = []
    for output in (o for c in code(notebook) for o in c["outputs"]):
        parts = {"text": output.get("text", ""), **output.get("data", {})}
        found += ["".join(t) for kind, t in parts.items() if not kind.startswith("image/") and not isinstance(t, dict)]
    return found


def complaints(notebook: Any) -> list[str]:
    """What was written to stderr, which is where warnings go."""
    outputs = [o for c in code(notebook) for o in c["outputs"]]
    return ["".join(o["text"]) for o in outputs if o.get("name") == "stderr"]


def test_there_are_notebooks() -> None:
    assert EXECUTED


@pytest.mark.filterwarnings("ignore")  # those of Jupyter in this process; those of the notebook are read below
@each_executed
def test_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))  # this checkout, wherever the notebook lies
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this Python, not one the user has installed
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # pictures into the notebook, as ipykernel does by itself
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import dualdiff, sys\nprint(dualdiff.__file__, sys.executable)"))
    where = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=where).execute()
    printed = "".join(o.text for o in notebook.cells[-1].outputs)  # maybe in several pieces
    assert printed.split() == [str(HERE / "dualdiff" / "__init__.py"), sys.executable]
    assert complaints(notebook) == []
    gc.collect()  # what Jupyter leaves open complains here, not in a later test


@each_executed
def test_outputs_are_stored(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert [c["execution_count"] for c in code(notebook)] == list(range(1, len(code(notebook)) + 1)), "run it in order"
    assert texts(notebook)
    assert complaints(notebook) == []
    assert not [c["id"] for c in code(notebook) for o in c["outputs"] if o["output_type"] == "error"]


@each_stored
def test_form(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    cells = notebook["cells"]
    assert not [name for name, count in Counter(c["id"] for c in cells).items() if count > 1]
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    assert not [c["id"] for c in cells if not "".join(c["source"]).strip()], "empty cells"
    assert not [c["id"] for c in cells if c["metadata"].get("execution")], "execution times are noise in a diff"
    here = [str(p) for p in (Path.home(), HERE) if len(str(p)) > 5]
    assert not [t for t in texts(notebook) if ABSOLUTE.search(t) or any(p in t for p in here)]
    nbformat.validate(nbformat.from_dict(notebook))


@each_stored
def test_size_and_heading(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert len(cells) <= 40
    lines = [line for c in cells for line in "".join(c["source"]).splitlines()]
    assert not [line for line in lines if len(line) > 88 and not line.startswith("|")]
    title = "".join(cells[0]["source"])
    assert re.match(r"# (\d+b?c?\. |Exercises \d+: )", title)
    if path.parent == ROOM:
        assert re.search(r"^\*Level: \w+ · Time: \d+ minutes · You need: ", title, re.M)
        assert int(re.findall(r"Time: (\d+)", title)[0]) <= 45
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for target in re.findall(r"\]\(([^)#]+)\)", prose):
        assert ":" in target or (path.parent / target).exists(), target


def test_each_is_the_next_of_the_one_before() -> None:
    notebooks = {p.name: json.loads(p.read_text(encoding="utf-8")) for p in ROOM.glob("*.ipynb")}
    heads = {name: "".join(notebook["cells"][0]["source"]) for name, notebook in notebooks.items()}
    follows = {name: re.findall(r"Next:\s+\[.*?\]\((.*?)\)", head) for name, head in heads.items()}
    leads = {name: re.findall(r"Previous:\s+\[.*?\]\((.*?)\)", head) for name, head in heads.items()}
    name, seen = min(heads), []
    while name:
        seen.append(name)
        (name,) = follows[name] or [""]
        assert not name or leads[name] == [seen[-1]]
    assert sorted(seen) == sorted(heads)


def test_the_cheat_sheet_to_print_says_what_the_notebook_says() -> None:
    page = html.unescape((ROOM / "cheat_sheet.html").read_text(encoding="utf-8"))
    cells = json.loads((ROOM / "09_cheat_sheet.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line for c in cells if c["cell_type"] == "markdown" for line in "".join(c["source"]).splitlines()]
    table = [[x.strip() for x in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert [re.findall("<t[hd]>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", page)] == table
    assert not re.search(r"(?:src|href)=|@import|url\(", page)


def test_the_page_for_teachers_has_every_notebook() -> None:
    text = (ROOM / "README.md").read_text(encoding="utf-8")
    assert all(f"({p.relative_to(ROOM).as_posix()})" in text for p in STORED if p.parent.name != "solutions")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if ":" not in t]
    assert not [t for t in targets if not (ROOM / t).exists()]
    minutes = dict(re.findall(r"^\| \[[\db-c]+\]\((\w+\.ipynb)\) \| (\d+)", text, re.M))
    for name, said in minutes.items():
        assert f"Time: {said} minutes" in (ROOM / name).read_text(encoding="utf-8")
    assert sorted(minutes) == sorted(p.name for p in ROOM.glob("*.ipynb"))
