"""A comparison of numbers in containers."""

from __future__ import annotations

from typing import Any

import numpy as np

X = np.array([1.0, 2.0, 3.0])


def same(got: Any, due: Any, rtol: float = 1e-12) -> None:
    """Equal, with the same containers and shapes."""
    if isinstance(due, dict):
        assert isinstance(got, dict) and list(got) == list(due)
        for k in due:
            same(got[k], due[k], rtol)
    elif isinstance(got, tuple | list):
        assert type(got) is type(due) and len(got) == len(due)
        for g, d in zip(got, due):
            same(g, d, rtol)
    else:
        due = np.asarray(due)
        assert np.shape(got) == due.shape
        np.testing.assert_allclose(got, due, rtol=rtol, atol=1e-13)
