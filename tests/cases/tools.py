"""What the tables share: reading expressions, taking results apart, comparing them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np


def expressions(text: str) -> list[str]:
    """A table's expressions, which two blanks or the end of a line part."""
    return [e for e in re.split(r"\s{2,}|\n", text) if e]


def leaves(result: Any) -> list[Any]:
    return [x for part in result for x in leaves(part)] if isinstance(result, list | tuple) else [result]


def close(got: Any, due: Any, **tolerance: float) -> None:
    got, due = leaves(got), leaves(due)
    assert len(got) == len(due)
    for g, d in zip(got, due):
        assert np.shape(g) == np.shape(d)
        np.testing.assert_allclose(g, d, **tolerance)
