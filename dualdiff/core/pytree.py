"""Containers of arrays as arguments and results: dicts, tuples, lists, named tuples and dataclasses, nested at will.

A leaf is a number, an array, or a Dual; so is a list or tuple that holds only numbers, nested or not, which counts as
the array np.asarray makes of it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Rebuild = Callable[[Sequence[Any]], Any]


def flatten(tree: Any, lists: bool = False) -> tuple[list[Any], Rebuild]:
    """The leaves of a container in order, and the function that puts others in their places.

    With `lists`, a list of arrays is a leaf as well, as results are read: [a, b] is what np.asarray makes of it.

    >>> leaves, rebuild = flatten({"a": 1.0, "b": (np.zeros(2), [3.0, 4.0])})
    >>> len(leaves), rebuild("xyz")
    (3, {'a': 'x', 'b': ('y', 'z')})
    """
    children = _children(tree, lists)
    if children is None:
        return [tree], _first
    parts = [flatten(child, lists) for child in children[0]]
    leaves = [leaf for part, _ in parts for leaf in part]

    def rebuild(new: Sequence[Any]) -> Any:
        made, at = [], 0
        for part, build in parts:
            made.append(build(new[at : at + len(part)]))
            at += len(part)
        return children[1](made)

    return leaves, rebuild


def flatten_as(tree: Any, other: Any) -> list[Any]:
    """The leaves of `other` in the order of `tree`, which must have the same structure: dicts are paired by key."""
    children = _children(tree, False)
    if children is None:
        return [other]
    if isinstance(tree, dict):
        if not isinstance(other, dict) or set(other) != set(tree):
            raise ValueError(f"a dict with the keys {list(tree)} is due")
        return [leaf for k in tree for leaf in flatten_as(tree[k], other[k])]
    parts = _children(other, False)
    if parts is None or isinstance(other, dict) or len(parts[0]) != len(children[0]):
        raise ValueError(f"a {type(tree).__name__} of {len(children[0])} is due")
    return [leaf for a, b in zip(children[0], parts[0]) for leaf in flatten_as(a, b)]


_first: Rebuild = operator.itemgetter(0)


def _children(tree: Any, lists: bool) -> tuple[list[Any], Callable[[list[Any]], Any]] | None:
    """The parts of one container and how to make one like it; None for a leaf."""
    if isinstance(tree, np.ndarray | float) or hasattr(tree, "_tag"):
        return None
    if isinstance(tree, dict):
        keys = list(tree)
        return [tree[k] for k in keys], lambda new: dict(zip(keys, new))
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(tree), lambda new: type(tree)(*new)
    if isinstance(tree, list | tuple):
        if _holds(tree, _is_number) or (lists and isinstance(tree, list) and _holds(tree, _is_leaf)):
            return None
        return list(tree), (list if isinstance(tree, list) else tuple)
    if hasattr(type(tree), "__dataclass_fields__"):
        import dataclasses  # which loads a good deal, and is loaded already where there is a dataclass

        names = [f.name for f in dataclasses.fields(tree) if f.init]
        return [getattr(tree, n) for n in names], lambda new: dataclasses.replace(tree, **dict(zip(names, new)))
    return None


def _holds(tree: Any, kind: Callable[[Any], bool]) -> bool:
    """Whether a list or tuple holds nothing but leaves of a kind, nested or not."""
    return all(_holds(x, kind) if isinstance(x, list | tuple) else kind(x) for x in tree)


def _is_number(x: Any) -> bool:
    """A number, or an array of one."""
    return _is_leaf(x) and np.ndim(x) == 0


def _is_leaf(x: Any) -> bool:
    kinds = int | float | complex | np.generic
    return isinstance(x, kinds) or hasattr(x, "_tag") or hasattr(type(x), "__array_function__")
