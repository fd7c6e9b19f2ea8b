"""Compiled functions, and functions to compile."""

from __future__ import annotations

from typing import Any

import numpy as np

import dualdiff as dd


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def robertson(t: Any, y: Any) -> Any:
    slow, back, fast = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
    return np.array([back - slow, slow - back - fast, fast])


def served(compiled: Any, *args: Any) -> Any:
    """The result of a call that a program must serve: the function itself does not run."""
    g, compiled._g = compiled._g, None
    try:
        return compiled(*args)
    finally:
        compiled._g = g


def ready(g: Any, *calls: Any) -> Any:
    """A compiled function that has been called so."""
    compiled = dd.compile(g)
    for args in calls:
        compiled(*args)
    return compiled
