"""Row-local tangents: each element of a value depends on a few elements of the argument, and only those are stored.

The tangent of a value is a sum of a few terms diag(weights) @ selection. A selection is an array of the value's shape
with the numbers, from 1, of the directions it picks; 0 picks nothing. It is a view of one `arange` wherever it can be,
so that a slice costs nothing and two selections are compared by their first number and their strides. The identity is
one term with weight 1. An elementwise function scales the weights, a slice slices both, a sum merges terms that select
the same. So stencils, networks of residuals and elementwise models cost O(nonzeros), without colouring and without a
pattern. What mixes everything turns dense: an array with all directions on a leading axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..core import tangents as maps
from ..core.dual import Dual
from ..core.engine import move as moved
from ..core.errors import structure_lost
from ..core.table import Move
from ..core.tangents import Structured, finite, scale
from ..core.values import Shape, ndim
from .cotangents import scatter, writable
from .csr import SparseRows

Term = tuple[Any, Any]  # the selection, of the value's shape, and the weight: a number, or an array that fits it

DENSE_BYTES = 2**28  # what a tangent may take when it turns dense
FEW = 32  # terms a sum may stay local with
MANY = 8  # terms from which it is worth looking for those of different elements
SHORT = 2000  # directions up to which single elements are dense at once: Python loops are faster so


class Space:
    """What the row-local tangents of one sweep share: the numbers of the n directions, and whether to stay sparse."""

    __slots__ = ("dtype", "keep", "n", "numbers")

    def __init__(self, n: int, dtype: Any = float, keep: bool = False) -> None:
        self.n, self.dtype, self.keep = n, np.dtype(dtype), keep
        self.numbers = np.arange(1, n + 1, dtype=np.int32 if n < 2**31 - 1 else np.int64)

    def weight(self, w: Any) -> Any:
        """A weight of at least the arguments' precision, since products with Python numbers keep its own."""
        if type(w) is np.float64 or type(w) is np.complex128:
            return w.item()  # Python's numbers multiply without warnings
        dtype = getattr(w, "dtype", self.dtype)
        if dtype is self.dtype or (dtype.kind in "fc" and np.result_type(dtype, self.dtype) == dtype):
            return w
        return w.astype(np.result_type(dtype, self.dtype))

    def view(self, shape: Shape, first: int, steps: Sequence[int]) -> Any:
        """The selection that starts with number `first` and advances by `steps` along the axes."""
        size = self.numbers.itemsize
        return np.ndarray(shape, self.numbers.dtype, self.numbers, (first - 1) * size, [s * size for s in steps])

    def regular(self, s: Any) -> bool:
        """Whether a selection is a view of the numbers: then it has the same step everywhere along an axis."""
        return bool(np.may_share_memory(s, self.numbers))

    def covered(self, s: Any, k: int) -> bool:
        """Whether the axes from k on run through all directions in order."""
        rest = s.shape[k:]
        if prod(rest) != self.n or not s.size or s.item(0) != 1 or not self.regular(s):
            return False
        return [x // s.itemsize for x in s.strides] == [0] * k + _steps(rest)

    def tidy(self, s: Any) -> Any:
        """A selection as a view of the numbers, if it is equal to one."""
        if type(s) is not np.ndarray:
            s = np.asarray(s, self.numbers.dtype)
        if s.size == 0 or self.regular(s):
            return s
        first, steps = s.item(0), []
        for k, d in enumerate(s.shape):
            steps.append(s.item((0,) * k + (1,) + (0,) * (s.ndim - k - 1)) - first if d > 1 else 0)
        ends = [(d - 1) * step for d, step in zip(s.shape, steps)]
        low, high = first + sum(e for e in ends if e < 0), first + sum(e for e in ends if e > 0)
        if low < 1 or high > self.n or s.item(s.size - 1) != first + sum(ends):
            return s
        view = self.view(s.shape, first, steps)
        return view if np.array_equal(view, s) else s

    def same(self, a: Any, b: Any) -> bool:
        """Whether two selections of equal first numbers are equal."""
        if a is b:
            return True
        if a.shape != b.shape:
            return False
        if a.strides == b.strides and self.regular(a) and self.regular(b):
            return True
        return a.size == 0 or (a.item(a.size - 1) == b.item(b.size - 1) and np.array_equal(a, b))


# ---------------------------------------------------------------- terms


def _merged(space: Space, pieces: Iterable[tuple[Any, Any, bool]]) -> list[Term]:
    """The sum of terms (selection, weight, whether the weight's memory is ours), one for each selection."""
    made: list[list[Any]] = []
    by_first: dict[int, list[list[Any]]] = {}
    for s, w, ours in pieces:
        entries = by_first.setdefault(s.item(0) if s.size else 0, [])
        for entry in entries:
            if space.same(entry[0], s):
                v = entry[1]
                if entry[2] and type(v) is np.ndarray and type(w) in _PLAIN and np.result_type(v, w) == v.dtype:
                    fits = np.ndim(w) == 0 or np.shape(w) == v.shape
                    entry[1] = np.add(v, w, out=v) if fits else v + w
                else:
                    entry[1], entry[2] = v + w, True
                break
        else:
            made.append([s, w, ours])
            entries.append(made[-1])
    return [(s, w) for s, w, _ in made if type(w) is not int or w]


def _packed(space: Space, shape: Shape, terms: list[Term]) -> list[Term]:
    """Terms of different elements as one, so that what a loop adds element by element does not pile up."""
    made: list[Term] = []
    for s, w in terms:
        if made and not space.regular(s) and not space.regular(made[-1][0]):
            r, v = made[-1]
            if not np.any((r > 0) & (s > 0)):
                alike = type(v) is type(w) and type(v) in _NUMBERS and v == w
                made[-1] = r + s, v if alike else np.where(r > 0, _full(v, shape), _full(w, shape))
                continue
        made.append((s, w))
    return made


_NUMBERS = {int, float, complex}
_PLAIN = {np.ndarray, int, float, complex, np.float64}


def _scaled(c: Any, w: Any, select: bool, known: bool) -> tuple[Any, bool]:
    """The weight c times a finite (`known`) partial derivative w, and whether that is new memory."""
    if type(w) is int:
        return (c, False) if w == 1 else (-c, True) if w == -1 else (c * w, True)
    if type(c) is int:
        return (w, False) if c == 1 else (-w if c == -1 else c * w, True)
    return (c * w if known and not select else scale(c, w, select)), True


def _separate(terms: list[Term]) -> list[Term]:
    """The same terms with no element selected twice, so that weights that cancel are 0 before they meet infinity."""
    terms = list(terms)
    for j, (s, _) in enumerate(terms):
        for i in range(j):
            hit = (terms[i][0] == s) & (s > 0)
            if hit.any():
                w = terms[j][1]
                terms[i] = terms[i][0], np.where(hit, terms[i][1] + w, terms[i][1])
                terms[j] = s, np.where(hit, 0.0, w)
    return terms


def _distinct(shape: Shape, strides: Sequence[int]) -> bool:
    """Whether no two elements of an array with these strides share memory (a false alarm only costs time)."""
    reach = 0
    for s, d in sorted((abs(s), d) for s, d in zip(strides, shape) if d > 1):
        if s <= reach:
            return False
        reach += s * (d - 1)
    return True


def _steps(shape: Shape) -> list[int]:
    """The strides of a C-contiguous array, in elements."""
    return [prod(shape[k + 1 :]) for k in range(len(shape))]


def _type(w: Any) -> Any:
    """A weight's dtype, or the number itself, as `np.result_type` wants it."""
    return getattr(w, "dtype", w)


def _full(w: Any, shape: Shape) -> Any:
    """A weight as an array of the value's shape."""
    if ndim(w) == 0 and not isinstance(w, Dual):
        w = np.asarray(float(w) if type(w) is int else w)
    return w if w.shape == shape and ndim(w) else np.broadcast_to(w, shape)


# ---------------------------------------------------------------- the space


class RowLocal(Structured):
    """The sum of diag(weights) @ selection over `terms`, for a value of `shape`."""

    __slots__ = ("shape", "space", "terms")

    def __init__(self, space: Space, shape: Shape, terms: list[Term]) -> None:
        self.space, self.shape, self.terms = space, shape, terms

    def __repr__(self) -> str:
        return f"<row-local: {len(self.terms)} of {self.space.n} directions an element>"

    # ------------------------------------------------------------ the maps

    @classmethod
    def combine(cls, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> Any:
        for t, _, _ in terms:
            if type(t) is not cls:  # with tangents that have become sparse matrices, or dense
                return SparseRows.combine(terms, shape, select)
        if len(terms) == 1:  # nothing can merge
            w = terms[0][2]
            if type(w) is int and w == 1 and t.shape == shape:
                return t
            return cls(t.space, shape, [(s, w) for s, w, _ in _weighted(t, w, shape, select)])
        made = _merged(t.space, [piece for t, _, w in terms for piece in _weighted(t, w, shape, select)])
        r = cls(t.space, shape, made if len(made) <= MANY else _packed(t.space, shape, made))
        return r if len(r.terms) <= FEW or t.space.keep or not r._affordable() else r.dense()

    @classmethod
    def join(cls, parts: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Any:
        """Terms of the parts are joined in turn, those with equal selections together, and filled up with zeros."""
        if any(type(t) is SparseRows for t in parts):
            return SparseRows.join(parts, shapes, move)
        space = next(t for t in parts if t is not None).space
        slots: list[list[Term | None]] = []
        for k, t in enumerate(parts):
            rest = []
            # in order, so that most rows of a sparse Jacobian need no sorting
            for s, w in [] if t is None or not prod(shapes[k]) else sorted(t.terms, key=lambda term: term[0].item(0)):
                for slot in slots:
                    leader = next(x for x in slot if x is not None)
                    if slot[k] is None and leader[0].item(0) == s.item(0) and space.same(leader[0], s):
                        slot[k] = s, w
                        break
                else:
                    rest.append((s, w))
            for term in rest:
                free = next((slot for slot in slots if slot[k] is None), None)
                if free is None:
                    free = [None] * len(parts)
                    slots.append(free)
                free[k] = term
        nothing = space.numbers.dtype.type(0)
        terms = []
        for slot in slots:
            s = [np.broadcast_to(nothing, shape) if x is None else x[0] for x, shape in zip(slot, shapes)]
            ws = [x[1] for x in slot if x is not None]
            if type(ws[0]) in (int, float) and all(type(w) is type(ws[0]) and w == ws[0] for w in ws):
                w = ws[0]
            else:
                w = move([_full(0.0 if x is None else x[1], shape) for x, shape in zip(slot, shapes)])
            terms.append((space.tidy(move(s)), w))
        if not terms:
            return cls(space, np.shape(move([np.broadcast_to(nothing, s) for s in shapes])), [])
        return cls(space, terms[0][0].shape, terms)

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Any:
        space = self.space
        terms = [(move(s), space.weight(move(_full(w, shape))) if ndim(w) else w) for s, w in self.terms]
        if not terms:
            return RowLocal(space, np.shape(move(np.broadcast_to(0, shape))), [])
        s, w = terms[0]
        if not isinstance(s, np.ndarray) and space.n <= SHORT and not space.keep and type(w) in _NUMBERS:
            out = np.zeros(space.n + 1, np.result_type(space.dtype, *[w for _, w in terms]))
            for s, w in terms:
                out[s] += w
            return out[1:].copy()
        terms = [(s if s.base is space.numbers else space.tidy(s), w) for s, w in terms]
        return RowLocal(space, terms[0][0].shape, terms)

    def total(self, shape: Shape, axes: Shape, keepdims: bool) -> Any:
        if not axes:
            return self
        k = len(shape)
        stay = [a for a in range(k) if a - k not in axes]
        order = stay + [a for a in range(k) if a - k in axes]
        terms = self.terms
        if stay:
            terms = [(s.transpose(order), _full(w, shape).transpose(order) if ndim(w) else w) for s, w in terms]
        kept = tuple(shape[a] for a in stay)
        t = self._summed(kept, terms)
        if not keepdims:
            return t
        ones = tuple(d if a in stay else 1 for a, d in enumerate(shape))
        return maps.gather(t, kept, lambda v: np.reshape(v, ones), lambda v: np.reshape(v, v.shape[:1] + ones))

    def contract(self, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Any:
        alone = [c for c in dict.fromkeys(weight_sub) if c not in sub and c not in out_sub]
        if alone or len(set(weight_sub)) < len(weight_sub):
            kept = "".join(c for c in dict.fromkeys(weight_sub) if c not in alone)
            weight, weight_sub = np.einsum(f"{weight_sub}->{kept}", weight), kept
        once = "".join(dict.fromkeys(sub))
        letters = out_sub + "".join(c for c in once if c not in out_sub)

        def aligned(x: Any, names: str) -> Any:
            x = np.transpose(x, sorted(range(len(names)), key=lambda k: letters.index(names[k])))
            return x[tuple(slice(None) if c in names else None for c in letters)]

        w = self.space.weight(aligned(weight, weight_sub) if ndim(weight) else weight)
        known, terms = finite(w), []
        for s, c in self.terms if known else _separate(self.terms):
            c = _full(c, shape) if ndim(c) else c
            if len(once) < len(sub):  # a diagonal
                s, c = np.einsum(f"{sub}->{once}", s), np.einsum(f"{sub}->{once}", c) if ndim(c) else c
            s = aligned(s, once)
            full = np.broadcast_shapes(s.shape, np.shape(w) if ndim(w) else ())
            terms.append((np.broadcast_to(s, full), _scaled(aligned(c, once) if ndim(c) else c, w, False, known)[0]))
        if not terms:
            sizes = dict(zip(sub + weight_sub, shape + np.shape(weight)))
            return RowLocal(self.space, tuple(sizes[c] for c in out_sub), [])
        return self._summed(full[: len(out_sub)], terms)

    def linear(self, shape: Shape, function: Callable[[Any], Any], transpose: Callable[[Any], Any]) -> Any:
        if function in _ELEMENTWISE:
            terms = [(s, function(float(w) if type(w) is int else w)) for s, w in self.terms]
            return RowLocal(self.space, shape, terms)
        matrix = getattr(function, "matrix", None)
        numbers, to = getattr(function, "scatter", (None, ()))
        t = None
        if matrix is not None:
            t = self._times(matrix, shape)
        elif numbers is not None and np.shape(numbers) == shape:
            t = self._spread(np.ravel(numbers), to)
        return function(self.dense()) if t is None else t

    def _times(self, matrix: Any, shape: Shape) -> Any:
        """The product of a sparse matrix and the last axis: a term for each diagonal, or each j-th element of rows."""
        m, count = matrix.shape[0], np.diff(matrix.indptr)
        if not matrix.nnz or m * int(count.max()) * 8 > DENSE_BYTES:
            return None
        rows = np.repeat(np.arange(m), count)
        slot = np.arange(matrix.nnz) - matrix.indptr[rows]
        offset = matrix.indices - rows
        offset -= offset.min()
        if offset.max() < 2 * matrix.nnz:
            diagonals = np.cumsum(np.bincount(offset) > 0)
            slot = diagonals[offset] - 1 if diagonals[-1] <= 2 * count.max() else slot
        at = np.full((m, int(slot.max()) + 1), matrix.nnz)
        at[rows, slot] = np.arange(matrix.nnz)
        columns, data = np.append(matrix.indices, 0)[at], np.append(matrix.data, 0)[at]
        used, terms = at < matrix.nnz, []
        for s, w in self.terms:
            w = _full(w, shape)[..., columns] if ndim(w) else w
            terms.append((np.where(used, s[..., columns], 0), _scaled(w, data, False, finite(data))[0]))
        return self._summed((*shape[:-1], m), terms)

    def _spread(self, at: Any, shape: Shape) -> Any:
        """Elements added into zeros of `shape` at flat numbers from 1, 0 nowhere: a term for each at the same place."""
        order = np.argsort(at, kind="stable")
        order = order[np.searchsorted(at[order], 1) :]
        place = at[order] - 1
        rank = np.arange(place.size) - np.searchsorted(place, place)
        if prod(shape) * int(rank.max(initial=0)) * 8 > DENSE_BYTES:
            return None
        source = np.full((prod(shape), int(rank.max(initial=-1)) + 1), at.size)
        source[place, rank] = order
        source, terms = source.reshape(*shape, -1), []
        for s, w in self.terms:
            w = np.concatenate([np.ravel(_full(w, s.shape)), np.zeros(1)])[source] if ndim(w) else w
            terms.append((np.append(s, np.zeros(1, s.dtype))[source], w))
        return self._summed(shape, terms)

    def put(self, shape: Shape, numbers: Any, new: Any) -> Any:
        if isinstance(new, SparseRows):
            return self.rows().put(shape, numbers, new)
        if new is not None and not isinstance(new, RowLocal):
            flat = writable(self.dense().reshape(self.space.n, -1), new)
            flat[:, numbers] = new
            return flat.reshape(-1, *shape)
        terms, added = [], [] if new is None else list(new.terms)
        nothing = [(np.zeros(shape, self.space.numbers.dtype), 0.0)]
        for s, w in self.terms + nothing * (len(added) - len(self.terms)):
            s = s.flatten()
            s[numbers] = 0
            if added:
                s[numbers], v = added.pop(0)
                if type(w) is not type(v) or ndim(w) or w != v:
                    start = writable(_full(w, shape).flatten().astype(np.result_type(self.space.dtype, _type(w))), v)
                    start[numbers] = v
                    w = start.reshape(shape)
            terms.append((self.space.tidy(s.reshape(shape)), w))
        return RowLocal(self.space, shape, terms)

    def zeros(self, value: Any) -> Any:
        return RowLocal(self.space, value.shape, [])

    # ------------------------------------------------------------ dense

    def _summed(self, shape: Shape, terms: list[Term]) -> Any:
        """The sum over all axes behind those of `shape`: more terms while they are few, else dense."""
        k, space = len(shape), self.space
        terms = [_collapsed(s, w, k) for s, w in terms]
        if not all(s.size for s, _ in terms):
            return RowLocal(space, shape, [])
        count = sum(prod(s.shape[k:]) for s, _ in terms)
        small = prod(shape) * space.n * 8 <= DENSE_BYTES
        if count > (min(FEW, space.n // 4) if small and not space.keep else 8 * FEW):
            if space.keep and not any(isinstance(w, Dual) for _, w in terms):
                return SparseRows.of_terms(space, shape, terms)
            return _leading(self._scattered(shape, terms))

        def pieces() -> Iterable[tuple[Any, Any, bool]]:
            for s, w in terms:
                full = _full(w, s.shape) if ndim(w) else w
                for i in np.ndindex(s.shape[k:]):
                    at = (..., *i)
                    yield space.tidy(s[at]), space.weight(full[at]) if ndim(full) else full, False

        return RowLocal(space, shape, _merged(space, pieces()))

    def dense(self, final: bool = False) -> Any:
        """The same tangent as an array with the directions on a leading axis; final if it is what was asked for."""
        return _leading(self._scattered(self.shape, self.terms, final))

    def rows(self) -> SparseRows:
        """The same tangent as a sparse matrix."""
        return SparseRows.of_terms(self.space, self.shape, self.terms)

    def _affordable(self) -> bool:
        return prod(self.shape) * self.space.n * 8 <= DENSE_BYTES

    def _scattered(self, shape: Shape, terms: list[Term], final: bool = False) -> Any:
        """An array of `shape` and n directions, into which terms are added, summed over their axes behind `shape`.

        It is read-only where it is the weight itself, which others may hold.
        """
        n = self.space.n
        if shape and not final and prod(shape) * n * 8 > DENSE_BYTES:
            raise structure_lost(prod(shape), n)
        if any(isinstance(w, Dual) for _, w in terms):
            return sum(_placed(self.space, shape, s, w) for s, w in terms)
        dtype = np.result_type(self.space.dtype, *[_type(w) for _, w in terms])
        out: Any = None
        for s, w in terms:
            if out is None and ndim(w) and w.shape == s.shape and self.space.covered(s, len(shape)):
                out = w.reshape((*shape, n)).view()  # a product with a matrix is the matrix
                out.flags.writeable = False
                continue
            if out is None:
                out = np.zeros((*shape, n), dtype)
            elif not out.flags.writeable:
                out = np.array(out, dtype, order="C")
            _scatter(out, self.space, shape, s, w)
        return np.zeros((*shape, n), dtype) if out is None else out


def _leading(x: Any) -> Any:
    """With the last axis first."""
    return x if x.ndim == 1 else x.transpose(x.ndim - 1, *range(x.ndim - 1))


_ELEMENTWISE = (np.real, np.imag, np.conjugate)


def _weighted(t: RowLocal, w: Any, shape: Shape, select: bool) -> list[tuple[Any, Any, bool]]:
    """The terms of a tangent times a weight, broadcast to `shape`; and whether the product's memory is ours."""
    known = type(w) is int
    if not known:
        w = t.space.weight(w)
        alone = len(t.terms) == 1 and type(t.terms[0][1]) in _NUMBERS and t.terms[0][1] != 0
        known = alone or finite(w)  # a number that is not 0 needs no strong zero
    terms = t.terms if known or len(t.terms) < 2 else _separate(t.terms)
    if t.shape != shape:
        terms = [(np.broadcast_to(s, shape), c) for s, c in terms]
    return [(s, *_scaled(c, w, select, known)) for s, c in terms]


_FLOAT = np.dtype(float)


def _collapsed(s: Any, w: Any, k: int) -> Term:
    """A term summed over those axes from k on along which the selection stays the same."""
    axes = tuple(a for a in range(k, s.ndim) if s.strides[a] == 0 or s.shape[a] == 1)
    if not axes or not s.size:
        return s, w
    w = np.add.reduce(_full(w, s.shape), axis=axes) if ndim(w) else w * prod([s.shape[a] for a in axes])
    return s[tuple(0 if a in axes else slice(None) for a in range(s.ndim))], w


def _target(space: Space, shape: Shape, s: Any) -> tuple[int, list[int]] | None:
    """Where a regular selection's elements go in an array of `shape` and n directions: the first, and the steps."""
    if not space.regular(s):
        return None
    if not shape and s.ndim == 1 and s.size > 1:
        return s.item(0) - 1, [s.item(1) - s.item(0)]
    steps = [x // s.itemsize for x in s.strides]
    for k, step in enumerate(_steps((*shape, space.n))[: len(shape)]):
        steps[k] += step
    return (s.item(0) - 1, steps) if _distinct(s.shape, steps) else None


def _scatter(out: Any, space: Space, shape: Shape, s: Any, w: Any) -> None:
    """Add the weights to their places in an array that is C-contiguous."""
    if not s.size:
        return
    target = _target(space, shape, s)
    if target is not None:
        size = out.itemsize
        view = np.ndarray(s.shape, out.dtype, out, target[0] * size, [x * size for x in target[1]])
        view += w
        return
    at, w = _places(space, shape, s), np.broadcast_to(w, s.shape).ravel()
    if s.ndim == len(shape):  # a row each
        used = at > 0
        if not used.all():
            at, w = at[used], w[used]
        out.reshape(-1)[at - 1] += w
    elif out.dtype == _FLOAT and w.dtype == _FLOAT and out.size <= 16 * at.size:
        out.reshape(-1)[:] += np.bincount(at, w, out.size + 1)[1:]
    else:
        used = at > 0
        np.add.at(out.reshape(-1), at[used] - 1, w[used])


def _places(space: Space, shape: Shape, s: Any) -> Any:
    """The numbers, from 1, of the places of a selection's elements in an array of `shape` and n directions."""
    rows = np.arange(prod(shape)).reshape(shape + (1,) * (s.ndim - len(shape))) * space.n
    return np.where(s > 0, rows + s, 0).ravel()


def _placed(space: Space, shape: Shape, s: Any, w: Any) -> Any:
    """As `_scatter`, of weights with tangents of an outer derivative: a move, that all spaces can follow."""
    size = (*shape, space.n)
    w = _full(w, s.shape)
    if not s.size:
        return np.zeros(size)
    target = _target(space, shape, s)
    if target is not None:
        first, steps = target

        def place(v: Any) -> Any:
            if isinstance(v, Dual):
                return moved(Move(v, place))
            out = np.zeros(size, v.dtype)
            np.ndarray(s.shape, out.dtype, out, first * out.itemsize, [x * out.itemsize for x in steps])[...] = v
            return out

        return place(w)
    return scatter(w, _places(space, shape, s).reshape(s.shape), size)
