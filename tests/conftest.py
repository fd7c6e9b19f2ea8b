"""`--one-in N`: a part of the tests, for the versions of Python and NumPy beside the one that all are run with."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--one-in", type=int, default=1, metavar="N", help="run only each N-th test of each file")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    n, seen, kept, others = config.getoption("--one-in"), dict[str, int](), list[pytest.Item](), list[pytest.Item]()
    for item in items:
        file = item.nodeid.partition("::")[0]
        seen[file] = seen.get(file, -1) + 1
        (others if seen[file] % n else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=others)
