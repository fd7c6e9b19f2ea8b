"""What a program is made for: the structure, shapes and types of arguments, and of results."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from ..core.number import Number
from .recording import Recording

DTYPES = {np.dtype(name): np.dtype(name) for name in ("f2", "f4", "f8", "g", "c8", "c16", "G", "?")}
DTYPES |= {np.dtype(name): np.dtype(name) for name in ("b", "h", "i", "l", "q", "B", "H", "I", "L", "Q")}
VALUE = (int, str, bytes, type(None))  # arguments that programs are made for by value


@dataclass(frozen=True)
class Tree:
    """A container: its type, the keys of a dict or the names of fields, and what its parts are; of a leaf nothing."""

    kind: Any = None
    keys: tuple[Any, ...] = ()
    parts: tuple[Tree, ...] = ()
    like: Any = None  # a dataclass's instance, whose other fields stay


LEAF = Tree()


def parts_of(x: Any) -> tuple[list[Any], Tree]:
    """The leaves of containers in order, and their structure."""
    keys: tuple[Any, ...] = ()
    like = None
    if isinstance(x, dict):
        keys, children = tuple(x), list(x.values())
    elif isinstance(x, list | tuple):
        children = list(x)
    elif is_dataclass(x) and not isinstance(x, type):
        keys = tuple([f.name for f in fields(x) if f.init])
        children, like = [getattr(x, k) for k in keys], x
    else:
        return [x], LEAF
    parts = [parts_of(child) for child in children]
    tree = Tree(type(x), keys, tuple([t for _, t in parts]), like)
    return [leaf for leaves, _ in parts for leaf in leaves], tree


def same_structure(a: Tree, b: Tree) -> bool:
    parts = zip(a.parts, b.parts)
    alike = a.kind is b.kind and a.keys == b.keys and len(a.parts) == len(b.parts)
    return alike and all(same_structure(x, y) for x, y in parts)


def rebuilt(tree: Tree, leaves: Iterator[Any]) -> Any:
    """Containers of this structure with other leaves."""
    if tree.kind is None:
        return next(leaves)
    parts = [rebuilt(t, leaves) for t in tree.parts]
    if issubclass(tree.kind, dict):
        return dict(zip(tree.keys, parts))
    if tree.like is not None:
        return replace(tree.like, **dict(zip(tree.keys, parts)))
    return tree.kind(*parts) if hasattr(tree.kind, "_fields") else tree.kind(parts)


def is_variable(x: Any) -> bool:
    """Whether a program holds for other numbers in place of x: arrays, floats and complex numbers."""
    return isinstance(x, float | complex) or (type(x) is np.ndarray and x.dtype in DTYPES)


def kind_of(x: Any) -> Any:
    """What a program is made for in the place of a leaf; None where there can be no program."""
    if isinstance(x, Number | Recording):
        return None
    if isinstance(x, float | complex):
        return complex if isinstance(x, complex) else float
    if is_variable(x):
        ordered = x.ndim < 2 or x.flags.c_contiguous
        return (DTYPES[x.dtype], x.shape) if ordered else (DTYPES[x.dtype], x.shape, own(x).strides)
    return (type(x), x) if isinstance(x, VALUE) else ("is", id(x), type(x).__name__)


def own(x: Any) -> Any:
    """A copy of a leaf in its plainest form: without gaps, of the machine's byte order; Python's numbers."""
    if type(x) is np.ndarray and x.dtype in DTYPES:
        return np.array(x, DTYPES[x.dtype], order="K")
    return x.item() if isinstance(x, np.float64 | np.complex128) else x


def described(signature: Any) -> str:
    """Arguments as a reader knows them: `float64 (3,), float`."""
    kinds, _, _ = signature
    texts = []
    for kind in kinds:
        if isinstance(kind, type):
            texts.append(kind.__name__)
        elif isinstance(kind[0], np.dtype):
            texts.append(f"{kind[0].name} {kind[1]}")
        else:
            texts.append(repr(kind[1]) if kind[0] != "is" else kind[2])
    return ", ".join(texts) or "no arguments"


def names_of(g: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """Names for the leaves of arguments, after g's parameters."""
    try:
        found = list(inspect.signature(g).bind(*args, **kwargs).arguments.items())
    except (TypeError, ValueError):
        found = []
    names: list[str] = []
    plain = [n for n, _ in found if n.isidentifier()] if len(found) == len(args) + len(kwargs) else []
    plain = plain or [f"x{k}" if len(args) > 1 else "x" for k in range(len(args))] + list(kwargs)
    for name, x in zip(plain, (*args, *kwargs.values())):
        _leaf_names(name, parts_of(x)[1], names)
    return names


def _leaf_names(name: str, tree: Tree, names: list[str]) -> None:
    if tree.kind is None:
        while name in names or name in RESERVED:
            name += "_"
        names.append(name)
    for key, part in zip(tree.keys or range(len(tree.parts)), tree.parts):
        _leaf_names(f"{name}_{key}" if f"{name}_{key}".isidentifier() else f"{name}_", part, names)


RESERVED = {"np", "MISS", "UNSURE", "ndarray", "finite", "hush", "unhush", "total", "token", "base64", "vdot", "inf"}
RESERVED |= {"status", "nan", "njit", "others", "named", "missed", "kinks"}
RESERVED |= {n for n, x in vars(math).items() if callable(x)}


def finite(x: Any) -> bool:
    """Whether all numbers of a result are finite."""
    if type(x) is float:
        return x - x == 0.0
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind not in "fc" or bool(np.isfinite(x).all())
    if hasattr(x, "data") and hasattr(x, "indices"):
        return finite(x.data)
    return not isinstance(x, complex) or (x.real - x.real == 0.0 and x.imag - x.imag == 0.0)


def agree(a: Any, b: Any) -> bool:
    """Whether two results are of the same structure, types and shapes, and equal but for rounding."""
    (xs, s), (ys, t) = parts_of(a), parts_of(b)
    return same_structure(s, t) and all(map(_agree, xs, ys))


def _agree(x: Any, y: Any) -> bool:
    if hasattr(x, "indices") and hasattr(y, "indices"):
        if type(x) is not type(y) or x.shape != y.shape:
            return False
        if np.array_equal(x.indices, y.indices) and np.array_equal(x.indptr, y.indptr):
            return _agree(x.data, y.data)
        # A program's pattern has all that any branch of np.where may touch.
        return bool(x.dtype == y.dtype) and _close(abs(x - y).data, 0.0, y.data)
    if isinstance(x, Number) or isinstance(y, Number):
        return False
    if type(x) is not type(y) or np.shape(x) != np.shape(y) or getattr(x, "dtype", 0) != getattr(y, "dtype", 0):
        return False
    if not isinstance(y, float | complex | np.ndarray | np.generic) or np.asarray(y).dtype.kind not in "fc":
        return bool(np.all(x == y))
    return _close(x, y, y)


def _close(x: Any, y: Any, like: Any) -> bool:
    """Whether x and y differ by rounding only, of numbers of the size of these."""
    scale = np.max(np.abs(like), initial=0.0, where=np.isfinite(like))
    rounding = 1e-8 if np.result_type(like).itemsize >= 8 else 1e-3
    return bool(np.allclose(x, y, rtol=rounding, atol=rounding * scale, equal_nan=True))


def same_value(x: Any, y: Any) -> bool:
    """Whether a recorded result is that of the function, but for Python's numbers in place of NumPy's."""
    if isinstance(x, np.generic) and not isinstance(y, np.generic):
        x = x.item() if not isinstance(y, np.ndarray) else np.asarray(x)
    elif isinstance(y, np.generic) and isinstance(x, np.ndarray) and not x.ndim:
        x = x[()]
    return _agree(x, y)
