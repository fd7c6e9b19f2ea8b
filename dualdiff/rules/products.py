"""Rules of products: each is an einsum, linear in each operand, so that one map, `contract`, serves them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from string import ascii_letters
from typing import Any

import numpy as np

from ..core.table import FOREIGN, Move, Plan, rule
from ..core.tangents import LinearMap, combine, contract, linear
from ..core.values import ndim, shape_of

LETTERS = "".join(c for c in ascii_letters if c not in "xyzZ")  # Z is the axis of directions


def bilinear(function: Any, a: Any, b: Any, left: str, right: str, out: str, *args: Any) -> Plan:
    """A product of two operands with axes, given as the einsum `left,right->out`."""
    value = (lambda x, y: function(x, y, *args)) if args else function
    return Plan((a, b), value, _bilinear_tangent(left, right, out))


@lru_cache
def _bilinear_tangent(left: str, right: str, out: str) -> Callable[..., Any]:
    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        x, y = values
        dx, dy = tangents
        if dy is None:
            return contract(dx, x.shape, left, y, right, out)
        second = contract(dy, y.shape, right, x, left, out)
        if dx is None:
            return second
        first, shape = contract(dx, x.shape, left, y, right, out), shape_of(r)
        return combine([(first, shape, 1), (second, shape, 1)], shape)

    return tangent


@rule(np.matmul, np.linalg.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    return bilinear(np.matmul, x1, x2, *_matmul_subscripts(ndim(x1), ndim(x2)))


@lru_cache
def _matmul_subscripts(m: int, n: int) -> tuple[str, str, str]:
    if m == 0 or n == 0:
        raise ValueError("matmul: an operand has no axes; use * to multiply by a number")
    stack = LETTERS[: max(m, n) - 2] if max(m, n) > 2 else ""
    left = "y" if m == 1 else stack[len(stack) - (m - 2) :] + "xy"
    right = "y" if n == 1 else stack[len(stack) - (n - 2) :] + "yz"
    return left, right, stack + "x" * (m > 1) + "z" * (n > 1)


@rule(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    m, n = ndim(a), ndim(b)
    if m == 0 or n == 0:
        return np.multiply(a, b, order="C")
    left, right = LETTERS[: m - 1] + "y", LETTERS[m : m + n - 1]
    right = right[: n - 2] + "y" + right[n - 2 :] if n > 1 else "y"
    return bilinear(np.dot, a, b, left, right, (left + right).replace("y", ""))


@rule(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    return np.dot(np.conj(np.ravel(a)), np.ravel(b))


@rule(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    m, n = ndim(a), ndim(b)
    if m == 0 or n == 0:
        return np.multiply(a, b, order="C")
    left, right = LETTERS[: m - 1], LETTERS[m : m + n - 1]
    return bilinear(np.inner, a, b, left + "y", right + "y", left + right)


@rule(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    m, n = ndim(a), ndim(b)
    if isinstance(axes, int):
        first, second = list(range(m - axes, m)), list(range(axes))
    else:
        first, second = ([s] if isinstance(s, int) else list(s) for s in axes)
    left, right = list(LETTERS[:m]), list(LETTERS[m : m + n])
    for i, j in zip(first, second):
        right[j] = left[i]
    summed = {left[i] for i in first}
    out = [c for c in left + right if c not in summed]
    return bilinear(np.tensordot, a, b, "".join(left), "".join(right), "".join(out), axes)


@rule(np.kron)
def kron(a: Any, b: Any) -> Any:
    n = max(ndim(a), ndim(b))
    a, b = (np.reshape(x, (1,) * (n - ndim(x)) + shape_of(x)) for x in (a, b))
    grid = a[(slice(None), None) * n] * b[(None, slice(None)) * n]
    return grid.reshape([i * j for i, j in zip(shape_of(a), shape_of(b))])


# ---------------------------------------------------------------- einsum


@rule(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = False, **options: Any) -> Any:
    """Linear in each operand: the others are multiplied up first, then contracted with its tangent."""
    subs, result, arrays = _parse(operands)
    sizes = {c: d for s, a in zip(subs, arrays) for c, d in zip(s, shape_of(a)) if d != 1}
    for k, (s, a) in enumerate(zip(subs, arrays)):
        if any(d == 1 and c in sizes for c, d in zip(s, shape_of(a))):  # broadcast: the axis is left out
            lost = [i for i, c in enumerate(s) if c in sizes and shape_of(a)[i] == 1]
            subs[k], arrays[k] = "".join(c for i, c in enumerate(s) if i not in lost), np.squeeze(a, tuple(lost))
    spec = ",".join(subs) + "->" + result
    if len(arrays) == 1 and set(subs[0]) == set(result) and not options:  # a view
        batched = f"Z{subs[0]}->Z{result}"
        return Move(arrays[0], lambda v: np.einsum(spec, v), lambda t: np.einsum(batched, t))

    def tangent(r: Any, values: Any, tangents: Any) -> Any:
        terms = []
        for k, t in enumerate(tangents):
            if t is None:
                continue
            sub, others = subs[k], [j for j in range(len(subs)) if j != k]
            needed = "".join(dict.fromkeys(c for j in others for c in subs[j] if c in sub or c in result))
            rest = ",".join(subs[j] for j in others) + "->" + needed
            weight = np.einsum(rest, *[values[j] for j in others]) if others else np.ones(())
            if len(others) == 1 and subs[others[0]] == needed:
                weight = np.asarray(values[others[0]]) if isinstance(values[others[0]], float) else values[others[0]]
            terms.append((contract(t, shape_of(values[k]), sub, weight, needed, result), shape_of(r), 1))
        return combine(terms, shape_of(r))

    return Plan(tuple(arrays), lambda *values: np.einsum(spec, *values, optimize=optimize, **options), tangent)


def _parse(operands: Sequence[Any]) -> tuple[list[str], str, list[Any]]:
    """Subscripts of each operand and of the result, without ellipses and without the letter Z."""
    if not isinstance(operands[0], str):  # the form einsum(a, [0, 1], b, [1, 2], [0, 2])
        pairs, last = list(operands), None
        if len(pairs) % 2:
            last = pairs.pop()
        arrays = pairs[::2]

        def spell(axes: Any) -> str:
            return "".join("..." if k is Ellipsis else LETTERS[k] for k in axes)

        text = ",".join(spell(axes) for axes in pairs[1::2]) + ("" if last is None else "->" + spell(last))
    else:
        text, arrays = operands[0].replace(" ", ""), list(operands[1:])
    inputs, arrow, result = text.partition("->")
    subs = inputs.split(",")
    if len(subs) != len(arrays):
        raise ValueError(f"einsum: {len(subs)} subscripts for {len(arrays)} operands in {text!r}")
    unused = [c for c in LETTERS if c not in text]
    if "Z" in text:
        subs, result = ([s.replace("Z", unused[-1]) for s in subs], result.replace("Z", unused[-1]))
        unused.pop()
    width = max((ndim(a) - len(s) + 3 for s, a in zip(subs, arrays) if "..." in s), default=0)
    dots = "".join(unused[:width])
    widths = [ndim(a) - len(s) + 3 for s, a in zip(subs, arrays)]
    subs = [s.replace("...", dots[width - w :] if w > 0 else "") for s, w in zip(subs, widths)]
    if not arrow:
        letters = "".join(subs)
        result = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    return subs, result.replace("...", dots), arrays


# ---------------------------------------------------------------- SciPy's sparse matrices, which are constants


def is_sparse(x: Any) -> bool:
    return hasattr(x, "tocsr") and hasattr(x, "nnz")


def product(a: Any, b: Any) -> Any:
    """a @ b, one of them sparse: along the last axis of the other."""
    if not is_sparse(a) and not is_sparse(b):
        return NotImplemented
    if is_sparse(b):
        return _along_last(b.T.tocsr(), a)
    if ndim(b) == 2:
        return np.transpose(np.transpose(b) @ a.T)
    return _along_last(a.tocsr(), b)


def _along_last(matrix: Any, x: Any) -> Plan:
    """sum_j matrix[i, j] * x[..., j]."""

    forward, backward = products(matrix)
    return Plan((x,), forward, lambda _, v, t: linear(t[0], shape_of(v[0]), forward, backward, matrix))


def products(matrix: Any) -> tuple[LinearMap, LinearMap]:
    """The product of a matrix and the last axis, and its transpose."""

    def times(m: Any, v: Any) -> Any:
        flat = v.reshape(-1, shape_of(v)[-1]) if ndim(v) > 1 else v
        result = (m @ flat.T).T if ndim(v) > 1 else m @ flat
        return result.reshape(*shape_of(v)[:-1], m.shape[0])

    return lambda v: times(matrix, v), lambda c: times(matrix.conj().T.tocsr(), c)


FOREIGN[np.matmul] = product
