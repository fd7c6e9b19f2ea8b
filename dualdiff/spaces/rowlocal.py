"""Row-local tangents: each element of a value depends on a few elements of the argument, and only those are stored.

The tangent of a value is a sum of a few terms diag(weights) @ selection, where a selection says for each element which
direction it picks (selection.py). The identity is one term with weight 1. An elementwise function scales the weights, a
slice slices both, a sum merges terms that select the same. So stencils, networks of residuals and elementwise models
cost O(nonzeros), without colouring and without a pattern. What mixes everything turns dense: an array with all
directions on a leading axis.

Legend: s a selection, w a weight, c the weight that a term has already, n the number of directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..core import tangents as maps
from ..core.engine import move as moved
from ..core.errors import places_lost, structure_lost
from ..core.number import Number
from ..core.table import Move
from ..core.tangents import LinearMap, Structured, finite, scale, summed, writable
from ..core.values import Shape, in_memory, ndim, shape_of
from .csr import SparseRows
from .selection import Space, counted_on

Term = tuple[Any, Any]  # the selection, of the value's shape, and the weight: a number, or an array that fits it
Piece = tuple[Any, Any, bool]  # a term, and whether nothing else uses the weight's memory

DENSE_BYTES = 2**28  # what a tangent may take when it turns dense
FEW = 32  # terms a sum may stay local with
MANY = 8  # terms from which it is worth looking for those of different elements


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
        """Each term of the result joins at most one term of each part, and is filled up with zeros."""
        if any(type(t) is SparseRows for t in parts):
            return SparseRows.join(parts, shapes, move)
        space, terms = next(t for t in parts if t is not None).space, []
        for column in _columns(space, parts, shapes):
            s = [space.none(shape) if term is None else term[0] for term, shape in zip(column, shapes)]
            moved, weights = move(s), [term and term[1] for term in column]
            if in_memory(moved):
                terms.append((space.tidy(moved), _joined(weights, shapes, move)))
            else:
                terms += _chosen(space, moved, s, weights, shapes, move)
        if not terms:
            return cls(space, np.shape(move([space.none(shape) for shape in shapes])), [])
        return cls(space, terms[0][0].shape, terms)

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Any:
        space = self.space
        terms = [(move(s), space.weight(move(full_weight(w, shape))) if ndim(w) else w) for s, w in self.terms]
        if not terms:
            return RowLocal(space, np.shape(move(space.none(shape))), [])
        element = isinstance(terms[0][0], np.generic) and space.n <= space.short and not space.keep
        if element and all(type(w) in _NUMBERS for _, w in terms):
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
            terms = [(s.transpose(order), full_weight(w, shape).transpose(order) if ndim(w) else w) for s, w in terms]
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
            c = full_weight(c, shape) if ndim(c) else c
            if len(once) < len(sub):  # a diagonal
                s, c = np.einsum(f"{sub}->{once}", s), np.einsum(f"{sub}->{once}", c) if ndim(c) else c
            s = aligned(s, once)
            full = np.broadcast_shapes(s.shape, shape_of(w) if ndim(w) else ())
            terms.append((np.broadcast_to(s, full), _scaled(aligned(c, once) if ndim(c) else c, w, False, known)[0]))
        if not terms:
            sizes = dict(zip(sub + weight_sub, shape + shape_of(weight)))
            return RowLocal(self.space, tuple(sizes[c] for c in out_sub), [])
        return self._summed(full[: len(out_sub)], terms)

    def scatter(self, numbers: Any, shape: Shape) -> Any:
        """A term for each of the elements that are added up at one place."""
        lead = self.shape[: len(self.shape) - ndim(numbers)]
        if lead:
            numbers, shape = counted_on(lead, numbers[(None,) * len(lead)], prod(shape)), lead + shape
        at = np.ravel(numbers)
        order = np.argsort(at, kind="stable")
        order = order[np.searchsorted(at[order], 1) :]
        place = at[order] - 1
        rank = np.arange(place.size) - np.searchsorted(place, place)  # among those of its place
        if prod(shape) * int(rank.max(initial=0)) * 8 > DENSE_BYTES:
            return maps.scatter(self.dense(), numbers, shape)
        source = np.zeros((prod(shape), int(rank.max(initial=-1)) + 1), np.intp)
        source[place, rank] = order + 1
        source, terms = source.reshape(*shape, source.shape[1]), []
        for s, w in self.terms:
            w = maps.pick(full_weight(w, self.shape), len(self.shape), source) if ndim(w) else w
            terms.append((maps.pick(s, len(self.shape), source), w))
        return self._summed(shape, terms)

    def linear(self, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Any:
        if function in (np.real, np.imag, np.conjugate):
            terms = [(s, function(float(w) if type(w) is int else w)) for s, w in self.terms]
            return RowLocal(self.space, shape, terms)
        t = None if matrix is None else self._times(matrix, shape)
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
        if matrix.has_canonical_format and offset.max() < 2 * matrix.nnz:  # what stands twice needs two terms
            diagonals = np.cumsum(np.bincount(offset) > 0)
            slot = diagonals[offset] - 1 if diagonals[-1] <= 2 * count.max() else slot
        at = np.full((m, int(slot.max()) + 1), matrix.nnz)
        at[rows, slot] = np.arange(matrix.nnz)
        columns, data = np.append(matrix.indices, 0)[at], np.append(matrix.data, 0)[at]
        used, terms = at < matrix.nnz, []
        for s, w in self.terms:
            w = full_weight(w, shape)[..., columns] if ndim(w) else w
            terms.append((np.where(used, s[..., columns], 0), _scaled(w, data, False, finite(data))[0]))
        return self._summed((*shape[:-1], m), terms)

    def put(self, shape: Shape, numbers: Any, new: Any) -> Any:
        if not in_memory(numbers):
            raise places_lost(numbers)
        if isinstance(new, SparseRows):
            return self.rows().put(shape, numbers, new)
        if new is not None and not isinstance(new, RowLocal):
            flat = writable(self.dense().reshape(self.space.n, -1), new)
            flat[:, numbers] = new
            return flat.reshape(self.space.n, *shape)
        terms, added = [], [] if new is None else list(new.terms)
        nothing = [(self.space.none(shape), 0.0)]
        for s, w in self.terms + nothing * (len(added) - len(self.terms)):
            s = s.flatten()
            s[numbers] = 0
            if added:
                s[numbers], v = added.pop(0)
                if type(w) is not type(v) or ndim(w) or ndim(v) or w != v:
                    flat = writable(full_weight(w, shape).astype(_type(self.space, [(s, w)])).reshape(-1), v)
                    flat[numbers] = v
                    w = flat.reshape(shape)
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
            if space.keep and not any(isinstance(w, Number) for _, w in terms):
                return SparseRows.of_terms(space, shape, terms)
            return _leading(self._scattered(shape, terms))

        def pieces() -> Iterable[Piece]:
            for s, w in terms:
                full = full_weight(w, s.shape) if ndim(w) else w
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
        if not all(in_memory(w) for _, w in terms):
            constants_first = sorted(terms, key=lambda term: not in_memory(term[1]))
            return sum(_placed(self.space, shape, s, w) for s, w in constants_first)
        dtype = _type(self.space, terms)
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


# ---------------------------------------------------------------- terms

_NUMBERS = {int, float, complex}
_PLAIN = {np.ndarray, int, float, complex, np.float64}


def _type(space: Space, terms: Iterable[Term]) -> Any:
    """The dtype that holds all weights."""
    return np.result_type(space.dtype, *[getattr(w, "dtype", w) for _, w in terms])


def full_weight(w: Any, shape: Shape) -> Any:
    """A weight as an array of the value's shape."""
    if in_memory(w) and ndim(w) == 0:
        w = np.asarray(float(w) if type(w) is int else w)
    return w if w.shape == shape and ndim(w) else np.broadcast_to(w, shape)


def _weighted(t: RowLocal, w: Any, shape: Shape, select: bool) -> list[Piece]:
    """The terms of a tangent times a weight, broadcast to `shape`."""
    known = type(w) is int
    if not known:
        w = t.space.weight(w)
        alone = len(t.terms) == 1 and type(t.terms[0][1]) in _NUMBERS and t.terms[0][1] != 0
        known = alone or finite(w)  # a number that is not 0 needs no strong zero
    terms = t.terms if known or len(t.terms) < 2 else _separate(t.terms)
    if t.shape != shape:
        terms = [(np.broadcast_to(s, shape), c) for s, c in terms]
    return [(s, *_scaled(c, w, select, known)) for s, c in terms]


def _scaled(c: Any, w: Any, select: bool, known: bool) -> tuple[Any, bool]:
    """The weight c times a partial derivative w, known to be finite or not, and whether that is new memory."""
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


def _merged(space: Space, pieces: Iterable[Piece]) -> list[Term]:
    """The sum of the pieces, one term for each selection."""
    made: list[list[Any]] = []
    by_first: dict[int, list[list[Any]]] = {}
    for s, w, ours in pieces:
        entries = by_first.setdefault(s.item(0) if s.size else 0, [])
        for entry in entries:
            if space.same(entry[0], s):
                v = entry[1]
                if entry[2] and type(v) is np.ndarray and type(w) in _PLAIN and np.result_type(v, w) == v.dtype:
                    fits = ndim(w) == 0 or w.shape == v.shape
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
                made[-1] = r + s, v if alike else np.where(r > 0, full_weight(v, shape), full_weight(w, shape))
                continue
        made.append((s, w))
    return made


def _collapsed(s: Any, w: Any, k: int) -> Term:
    """A term summed over those axes from k on along which the selection stays the same."""
    axes = tuple(a for a in range(k, s.ndim) if s.strides[a] == 0 or s.shape[a] == 1)
    if not axes or not s.size:
        return s, w
    w = summed(full_weight(w, s.shape), axes) if ndim(w) else w * prod([s.shape[a] for a in axes])
    return s[tuple(0 if a in axes else slice(None) for a in range(s.ndim))], w


def _columns(space: Space, parts: Sequence[Any], shapes: Sequence[Shape]) -> list[list[Term | None]]:
    """The terms of several tangents in columns, one of each at most: beside an equal selection, or where there is room.

    Each tangent's terms go in order, so that most rows of a sparse Jacobian need no sorting.
    """
    columns: list[list[Term | None]] = []
    for k, (t, shape) in enumerate(zip(parts, shapes)):
        rest = []
        for term in [] if t is None or not prod(shape) else sorted(t.terms, key=lambda term: term[0].item(0)):
            for column in columns:
                if column[k] is None and space.same(next(x for x in column if x is not None)[0], term[0]):
                    column[k] = term
                    break
            else:
                rest.append(term)
        for term in rest:
            free = next((column for column in columns if column[k] is None), None)
            if free is None:
                free = [None] * len(parts)
                columns.append(free)
            free[k] = term
    return columns


def _chosen(space: Space, moved: Any, s: Any, weights: Any, shapes: Sequence[Shape], move: Any) -> list[Term]:
    """What a program decides on, element by element: the weights are chosen, each part's selection stays as it is."""
    shape = moved.shape
    if any(d not in (1, due) for own in shapes for d, due in zip(own[::-1], shape[::-1])):
        raise places_lost(moved)
    groups: list[tuple[Any, list[Any]]] = []  # a selection, and the weights of the parts that have it
    for k, selection in enumerate(s):
        if weights[k] is not None:
            selection = np.broadcast_to(selection, shape)
            own = next((ws for other, ws in groups if space.same(other, selection)), None)
            if own is None:
                own = [0.0] * len(s)
                groups.append((selection, own))
            own[k] = weights[k]
    return [(r, move([full_weight(w, own) for w, own in zip(ws, shapes)])) for r, ws in groups]


def _joined(weights: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Any:
    """The weight of joined terms, None where there is none: one number if all have the same."""
    given = [w for w in weights if w is not None]
    if type(given[0]) in (int, float) and all(type(w) is type(given[0]) and w == given[0] for w in given):
        return given[0]
    return move([full_weight(0.0 if w is None else w, shape) for w, shape in zip(weights, shapes)])


# ---------------------------------------------------------------- adding terms into dense arrays


def _strided(out: Any, shape: Shape, target: tuple[int, list[int]]) -> Any:
    """The view of a C-contiguous array that begins at an element and advances by these steps."""
    first, steps = target
    return np.ndarray(shape, out.dtype, out, first * out.itemsize, [step * out.itemsize for step in steps])


def _scatter(out: Any, space: Space, shape: Shape, s: Any, w: Any) -> None:
    """Add the weights to their places in an array that is C-contiguous."""
    if not s.size:
        return
    target = space.target(shape, s)
    if target is not None:
        view = _strided(out, s.shape, target)
        view += w
        return
    flat, at, w = out.reshape(-1), space.places(shape, s).ravel(), np.broadcast_to(w, s.shape).ravel()
    if s.ndim > len(shape) and out.dtype == w.dtype == np.float64 and out.size <= 16 * at.size:
        flat += np.bincount(at, w, out.size + 1)[1:]
        return
    used = at > 0
    if not used.all():
        at, w = at[used], w[used]
    if s.ndim == len(shape):  # a row each, so that no place occurs twice
        flat[at - 1] += w
    else:
        np.add.at(flat, at - 1, w)


def _placed(space: Space, shape: Shape, s: Any, w: Any) -> Any:
    """As `_scatter`, of weights of any kind: of numbers of an outer derivative by a move, if no place occurs twice."""
    size, target = (*shape, space.n), space.target(shape, s) if s.size else None

    def place(v: Any) -> Any:
        if isinstance(v, Number):
            return moved(Move(v, place))
        if not in_memory(v):
            return maps.scatter(v, space.places(shape, s), size)
        out = np.zeros(size, v.dtype)
        _strided(out, s.shape, target)[...] = v  # type: ignore[arg-type]
        return out

    w = full_weight(w, s.shape)
    return maps.scatter(w, space.places(shape, s), size) if target is None else place(w)
