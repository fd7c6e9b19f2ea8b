"""What Tab, help and a mistyped name show."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import dualdiff as dd


def test_dir_lists_the_public_names_only() -> None:
    assert sorted(dir(dd)) == sorted([*dd.__all__, "__version__"])
    assert all(hasattr(dd, name) for name in dir(dd))


@pytest.mark.parametrize("name, meant", [
    ("grad", "dd.gradient?"), ("gradiant", "dd.gradient?"), ("jit", "dd.compile?"), ("value_and_grad", "gradient?"),
    ("sin", "np.sin"), ("linalg", "np.linalg"), ("diff", "dd.derivative?"), ("nothing_like_it", "'nothing_like_it'"),
])  # fmt: skip
def test_a_name_that_is_missing_is_answered_by_what_is_meant(name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(meant) + "$"):
        getattr(dd, name)


def test_the_help_page_names_what_there_is() -> None:
    page = dd.__doc__ or ""
    named = {name for name in dd.__all__ if re.search(rf"\b{name}\b", page)}
    assert {name for name in set(dd.__all__) - named if inspect.isfunction(getattr(dd, name))} == set()


def test_docstrings_open_with_an_example() -> None:
    functions = {name: getattr(dd, name) for name in dd.__all__ if inspect.isfunction(getattr(dd, name))}
    opening = {name: "\n".join((f.__doc__ or "").splitlines()[:8]) for name, f in functions.items()}
    assert [name for name, text in opening.items() if ">>>" not in text] == []


def test_the_version_stands_where_it_is_cited() -> None:
    root = Path(dd.__file__).parents[1]
    for file, line in ("CHANGELOG.md", f"## {dd.__version__}"), ("CITATION.cff", f"version: {dd.__version__}\n"):
        assert line in (root / file).read_text(encoding="utf-8")
