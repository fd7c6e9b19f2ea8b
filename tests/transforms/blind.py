"""Functions that know nothing of numbers with tangents, and comparisons of what rules make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import dualdiff as dd


class Pair(NamedTuple):
    total: Any
    parts: Any


def blind(f: Callable[..., Any]) -> Callable[..., Any]:
    """f as a library of C would be: it knows nothing of numbers with tangents."""

    def call(*args: Any, **kwargs: Any) -> Any:
        assert not any(isinstance(a, dd.Dual) for a in args)
        return f(*args, **kwargs)

    return call


def rule(f: Callable[..., Any], **how: Any) -> Callable[..., Any]:
    return dd.define_rule(blind(f), **how)  # type: ignore[no-any-return]


def cumulate(x: Any) -> Any:
    return np.cumsum(x * x)


def mixed(x: Any, y: Any) -> Any:
    return x * np.exp(y)


def fused(x: Any, y: Any, z: Any) -> Any:
    return 2 * x + y * z


def both(x: Any, y: Any) -> Any:
    return Pair(np.sum(x * y), x * x * y)


def product(a: Any, x: Any) -> Any:
    return a @ x


def gap(x: Any) -> Any:
    return x[:-1] * x[1:]


def gap_back(primals: Any, ct: Any) -> Any:
    (x,) = primals
    return np.concatenate([x[1:] * ct, [0.0]]) + np.concatenate([[0.0], x[:-1] * ct])


X, Y, M = np.array([0.5, -1.0, 2.0]), np.array([0.3, 1.2, -0.7]), np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])


def leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, tuple) else [tree]


def same(got: Any, due: Any, rtol: float = 1e-12) -> None:
    for a, b in zip(leaves(got), leaves(due), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def scalar(f: Callable[..., Any]) -> Callable[..., Any]:
    """Some scalar function made of f, in which arguments and results are changed on the way."""
    return lambda *args: sum(np.sum(np.sin(y)) for y in leaves(f(*[2 * a for a in args])))
