"""Indexing, x[key], and the flat numbers of elements."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from .table import Move
from .values import like_key, plain


@lru_cache(maxsize=16)
def element_numbers(shape: tuple[int, ...]) -> Any:
    """The flat number of each element."""
    numbers = np.arange(prod(shape)).reshape(shape)
    numbers.flags.writeable = False
    return numbers


def index(x: Any, key: Any) -> Move:
    """x[key] for any key NumPy takes."""
    key = plain_key(key)
    parts = key if type(key) is tuple else (key,)
    lead: Any = (slice(None), *parts)
    if all(type(p) in _BASIC for p in parts):
        return Move(x, lambda v: v[key], lambda t: t[lead])
    batched = (lambda t: like_key(t, parts)[lead]) if _together(parts) else None
    return Move(x, lambda v: like_key(v, parts)[key], batched)


_BASIC = {int, slice, type(...), type(None)}


def plain_key(key: Any) -> Any:
    if type(key) is tuple:
        return tuple([plain_key(k) for k in key])
    if type(key) in _BASIC:
        return key
    key = plain(key)
    return np.asarray(key, None if key else np.intp) if type(key) is list else key


def _together(parts: Sequence[Any]) -> bool:
    """Whether the index arrays stand side by side, so that a leading axis does not change where their axes go."""
    where = [i for i, p in enumerate(parts) if p is not None and p is not ... and not isinstance(p, slice)]
    return all(b - a == 1 for a, b in pairwise(where))
