"""Recorded tangents: the space of idea 3 in which a tangent is a node of the linear program that f has run.

Each map of tangents.py makes a node that keeps what the transpose of that map needs: a weight, where elements went, a
shape. Reverse mode walks the nodes backwards and hands cotangents upstream. So what forward mode can, reverse mode can,
by the same rules: sums distribute, choices route, products swap, and sum and broadcast are each other's transpose.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..core import engine
from ..core import tangents as maps
from ..core.errors import tangent_loss
from ..core.making import as_array
from ..core.number import Number, NumberArray
from ..core.table import Move
from ..core.tangents import LinearMap, Structured, finite
from ..core.values import Shape, in_memory, is_complex, like_key, ndim, plain, shape_of, size_of
from ..rules.products import products
from .cotangents import Cotangents, Tape, alike, unbroadcast

_serial = itertools.count()


class Recorded(Structured):
    """A node: `parents` are the nodes it is computed from; the leaves are the inputs."""

    __slots__ = ("complex", "parents", "serial", "tape")
    parents: tuple[Any, ...]
    shape: Shape
    weight: Any = None
    numbers: Any = None

    def __init__(self, tape: Tape, parents: tuple[Any, ...] = (), **kept: Any) -> None:
        self.serial = next(_serial)
        self.tape = tape
        self.parents = parents
        self.complex = True
        for name, x in kept.items():
            setattr(self, name, x)

    def __repr__(self) -> str:
        return "<recorded for reverse mode>"

    def __reduce__(self) -> Any:
        raise tangent_loss(
            "pickling a number in reverse mode, or sending it to another process,", "use mode='forward', or copy.copy"
        )

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        """Hand the cotangent on to the parents; with `ours` its memory may be used."""

    def push(self, ts: Sequence[Any]) -> Any:
        """The node's tangents for those of its parents, directions first, None for zero: the same map forwards."""
        raise NotImplementedError

    def held(self) -> list[Any]:
        """What the node keeps for its transpose: arrays and numbers."""
        return [x for x in (self.weight, self.numbers) if x is not None]

    def cost(self) -> tuple[int, int]:
        """Operations of the map on one tangent, and of its transpose on one cotangent, as show/count.py counts them."""
        return 0, 0

    def handed(self) -> list[int]:
        """How many elements of a cotangent go to each parent."""
        return [prod(self.shape)]

    # ------------------------------------------------------------ the maps

    @classmethod
    def combine(cls, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> Any:
        return Combine(terms, shape, select)

    @classmethod
    def join(cls, tangents: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Any:
        return Join(tangents, shapes, move)

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Any:
        return Gather(self, shape, move)

    def total(self, shape: Shape, axes: Shape, keepdims: bool) -> Any:
        return Total(self.tape, (self,), shape=shape, axes=axes, keepdims=keepdims)

    def contract(self, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Any:
        given = {"sub": sub, "weight": weight, "weight_sub": weight_sub, "out": out_sub}
        return Contract(self.tape, (self,), shape=shape, **given)

    def scatter(self, numbers: Any, shape: Shape) -> Any:
        return Scatter(self.tape, (self,), numbers=numbers, shape=shape)

    def linear(self, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Any:
        if matrix is not None:
            kept = [self.tape.keep(x) for x in (matrix.data, matrix.indices, matrix.indptr)]
            function, transpose = products(type(matrix)(tuple(kept), shape=matrix.shape))
        return Linear(self.tape, (self,), shape=shape, function=function, transpose=transpose)

    def put(self, shape: Shape, numbers: Any, new: Any) -> Any:
        parents = (self,) if new is None else (self, new)
        return Put(self.tape, parents, shape=shape, numbers=numbers)

    def zeros(self, value: Any) -> Any:
        return Recorded(self.tape)

    def constant(self, w: Any) -> Any:
        return self.tape.keep(w)

    def note(self, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        v, tape = result.value, self.tape
        if type(v) is not float and is_complex(v):
            tape.complex = self.complex = True
        else:
            self.complex = False
        if tape.rows is not None:
            tape.rows.append((function, args, kwargs, result))


# ---------------------------------------------------------------- the nodes, one for each map


class Combine(Recorded):
    """A weighted sum: each operand's cotangent is the result's times its weight, summed where it was broadcast."""

    __slots__ = ("select", "shape", "shapes", "weights")

    def __init__(self, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> None:
        self.serial = next(_serial)
        self.complex = True
        if len(terms) == 1:  # most often, and quicker so
            ((t, have, w),) = terms
            self.parents, self.shapes, self.weights = (t,), (have,), (w,)
        else:
            self.parents, self.shapes, self.weights = zip(*terms)
        self.tape = self.parents[0].tape
        self.shape = shape
        self.select = select

    def held(self) -> list[Any]:
        return [w for w in self.weights if type(w) is not int]

    def cost(self) -> tuple[int, int]:
        size, n, products = prod(self.shape), len(self.weights), 0
        for have, w in zip(self.shapes, self.weights):
            products += 0 if type(w) is int else prod(np.broadcast_shapes(have, shape_of(plain(w))))
        return products + (n - 1) * size, size * (len(self.held()) + n) - sum(self.handed())

    def handed(self) -> list[int]:
        return [prod(have) for have in self.shapes]

    def push(self, ts: Sequence[Any]) -> Any:
        terms = [(t, have, w) for t, have, w in zip(ts, self.shapes, self.weights) if t is not None]
        made = maps.combine(terms, self.shape, self.select)
        return np.broadcast_to(made, made.shape[:1] + self.shape)  # leading axes may be missing

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        weights, shapes = self.weights, self.shapes
        last = len(weights) - 1
        keeps = not ours or last > 1 or type(weights[0]) is int  # whether ct is still used when the last is at hand
        for k, parent in enumerate(self.parents):
            w, mine = weights[k], True
            if type(w) is int and not cts.masks:
                part, mine = (ct, ours and last == 0) if w == 1 else (-ct if w == -1 else ct * w, True)
            elif cts.careful:
                part, mine = self._weigh(ct, w, cts), not cts.masks
            else:
                if type(w) is not float and is_complex(w):
                    w = np.conj(w)
                part = ct * w if keeps or k < last or not alike(ct, w) else np.multiply(ct, w, out=ct)
            if shapes[k] != self.shape:
                part = unbroadcast(part, len(self.shape), shapes[k])
            cts.add(parent, part, mine)

    def _weigh(self, ct: Any, w: Any, cts: Cotangents) -> Any:
        """The product where a zero may meet what is not finite; for masks, where there is one."""
        if cts.masks:
            return ct * (plain(w) != 0) if self.select else ct
        product = ct * np.conj(w)
        if finite(product):
            return product
        zero, hidden = np.broadcast_to(plain(w) == 0, shape_of(product)), plain(ct) == 0
        if np.any(zero):
            product = maps.clear(zero, product, isinstance(w, Number))
        if np.any(hidden & ~zero):
            product = maps.clear(hidden & np.logical_not(cts.active(self)), product, False)
        return product


class Gather(Recorded):
    """Elements moved: their cotangents go back to where they came from, and add up where they were repeated."""

    __slots__ = ("move", "ndim", "numbers", "reshapes", "shape")

    def __init__(self, parent: Any, shape: Shape, move: Callable[[Any], Any]) -> None:
        self.serial = next(_serial)
        self.tape = parent.tape
        self.parents = (parent,)
        self.complex = True
        self.shape = shape
        self.move: Any = None
        self.numbers: Any = None
        self.reshapes = False
        if shape:
            probe = np.empty(shape, np.int8)
            seen = move(probe)
            if type(seen) is np.ndarray and (seen is probe or seen.base is probe) and seen.flags.writeable:
                self.move = move
                self.ndim = seen.ndim  # a view: the transpose writes through it
                self.reshapes = seen.size == probe.size and seen.flags.c_contiguous
                return
        self.numbers = move(self.tape.numbered(shape))
        self.ndim = self.numbers.ndim

    def cost(self) -> tuple[int, int]:
        return 0, 0 if self.numbers is None else _repeats(self.numbers)

    def handed(self) -> list[int]:
        numbers = self.numbers if self.move is None else self.move(np.empty(self.shape, np.int8))
        return [min(size_of(numbers), prod(self.shape))]

    def push(self, ts: Sequence[Any]) -> Any:
        numbers = self.numbers if self.move is None else self.move(self.tape.numbered(self.shape))
        return maps.pick(ts[0], len(self.shape), numbers)

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        (parent,) = self.parents
        have = cts.of.get(parent)
        lead = shape_of(ct)[: ndim(ct) - self.ndim]
        few = self.move is not None or (size_of(self.numbers) * 4 < prod(self.shape) and in_memory(self.numbers))
        if self.reshapes:
            cts.add(parent, np.reshape(ct, lead + self.shape))
        elif few and in_memory(ct) and (have is None or in_memory(have)) and 0 not in lead:
            self._add(cts.room(parent, lead + self.shape, np.result_type(ct)), ct, lead)
        else:
            cts.add(parent, self.placed(ct), True)

    def _add(self, out: Any, ct: Any, lead: Shape) -> None:
        """Add the cotangent to where the elements came from, in an array that is C-contiguous."""
        if self.move is not None:
            view = _view(self.move, out, len(lead))
            view += ct
        elif not lead and not self.ndim:
            if self.numbers:
                out.reshape(-1)[self.numbers - 1] += ct
        else:
            inside = self.numbers > 0
            np.add.at(out.reshape(*lead, -1), (..., self.numbers[inside] - 1), ct[..., inside])

    def placed(self, ct: Any) -> Any:
        """Zeros with the cotangent where the elements came from: of a view, a function that moves elements as well."""
        if self.move is None:
            return maps.scatter(ct, self.numbers, self.shape)
        if isinstance(ct, Number):
            return engine.finish(Move(as_array(ct), self.placed, self.placed))
        if not in_memory(ct):
            return maps.scatter(ct, self.move(self.tape.numbered(self.shape)), self.shape)
        lead = ct.shape[: ct.ndim - self.ndim]
        out = np.zeros(lead + self.shape, ct.dtype)
        if 0 not in lead:
            _view(self.move, out, len(lead))[...] = ct
        return out


def _view(move: Callable[[Any], Any], x: Any, lead: int) -> Any:
    """What the move makes, a view, of an array behind so many leading axes."""
    if not lead:
        return move(x)
    first = move(x[(0,) * lead])
    return np.lib.stride_tricks.as_strided(first, x.shape[:lead] + first.shape, x.strides[:lead] + first.strides)


class Join(Recorded):
    """Elements of several arrays put together, or chosen: each gets the cotangents of its own elements."""

    __slots__ = ("numbers", "shapes", "where")

    def __init__(self, tangents: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> None:
        parents = tuple([t for t in tangents if t is not None])
        Recorded.__init__(self, parents[0].tape, parents)
        numbers, ends = maps.numbered_parts(tangents, shapes)
        self.where = [(end - prod(s), end, s) for t, s, end in zip(tangents, shapes, ends) if t is not None]
        self.numbers = move(numbers)

    def cost(self) -> tuple[int, int]:
        return 0, _repeats(self.numbers)

    def handed(self) -> list[int]:
        return [stop - start for start, stop, _ in self.where]

    def push(self, ts: Sequence[Any]) -> Any:
        p = next(len(t) for t in ts if t is not None)
        flat = [np.zeros((p, b - a)) if t is None else t.reshape(p, -1) for t, (a, b, _) in zip(ts, self.where)]
        return maps.pick(np.concatenate(flat, axis=1), 1, self.numbers)

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        flat = maps.scatter(ct, self.numbers, (self.where[-1][1],))
        lead = shape_of(flat)[:-1]
        for parent, (start, stop, shape) in zip(self.parents, self.where):
            cts.add(parent, flat[..., start:stop].reshape(lead + shape)[()])


def _repeats(numbers: Any) -> int:
    """How many elements are added to others, since they come from the same one; the number 0 is no element."""
    flat = np.ravel(numbers)
    inside = flat[flat > 0]
    return int(inside.size - np.unique(inside).size)


class Total(Recorded):
    """A sum: its cotangent is broadcast."""

    __slots__ = ("axes", "keepdims", "shape")

    def cost(self) -> tuple[int, int]:
        kept = prod(s for k, s in enumerate(self.shape) if k - len(self.shape) not in self.axes)
        return max(prod(self.shape) - kept, 0), 0

    def push(self, ts: Sequence[Any]) -> Any:
        return maps.total(ts[0], self.shape, self.axes, self.keepdims)

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        n = len(self.shape)
        if len(self.axes) == n and (type(ct) is float or type(ct) is np.float64):  # a sum of all, the quick way
            cts.add(self.parents[0], np.ndarray(self.shape, float, np.array(ct), 0, (0,) * n))
            return
        kept = tuple(1 if k - n in self.axes else s for k, s in enumerate(self.shape))
        lead = shape_of(ct)[: ndim(ct) - (n if self.keepdims else n - len(self.axes))]
        cts.add(self.parents[0], np.broadcast_to(np.reshape(ct, lead + kept), lead + self.shape) if self.shape else ct)


class Scatter(Recorded):
    """Elements added up at given places, whose cotangents each of them gets."""

    __slots__ = ("numbers", "shape")

    def cost(self) -> tuple[int, int]:
        return _repeats(self.numbers), 0

    def handed(self) -> list[int]:
        return [size_of(self.numbers)]

    def push(self, ts: Sequence[Any]) -> Any:
        return maps.scatter(ts[0], self.numbers, self.shape)

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        cts.add(self.parents[0], maps.pick(ct, len(self.shape), self.numbers)[()])


class Contract(Recorded):
    """A product with a constant: the cotangent is multiplied by the same constant, from the other side."""

    __slots__ = ("out", "shape", "sub", "weight", "weight_sub")

    def cost(self) -> tuple[int, int]:
        letters = self.weight_sub + self.sub
        sizes: dict[str, int] = {}
        for c, n in zip(letters, shape_of(self.weight) + self.shape):
            sizes[c] = max(sizes.get(c, 1), n)

        def products(met: set[str], out: str) -> int:
            """One for each combination of indices, with an addition unless none is summed over."""
            return prod(sizes[c] for c in met) * (2 if met - set(out) else 1)

        return products({*letters}, self.out), products({*self.weight_sub, *self.out}, self.sub)

    def push(self, ts: Sequence[Any]) -> Any:
        return maps.contract(ts[0], self.shape, self.sub, self.weight, self.weight_sub, self.out)

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        w = np.conj(self.weight) if is_complex(plain(self.weight)) else self.weight
        if cts.masks:
            w = np.ones(shape_of(w))
        batch = "Z" if ndim(ct) > len(self.out) else ""
        letters = "".join(dict.fromkeys(self.sub))
        met = "".join([c for c in letters if c in self.out or c in self.weight_sub])
        # Zeros of the weight are strong against infinite cotangents: forward, they stop the tangent before it is one.
        part = maps.contract(w, shape_of(w), self.weight_sub, ct, batch + self.out, batch + met)
        if cts.careful and not finite(w):
            part = self._with_structural_zeros(part, w, ct, cts, batch, met)
        sizes, lead = dict(zip(self.sub, self.shape)), shape_of(part)[: len(batch)]
        if met != letters:  # the others were only summed over: the cotangent is the same all along their axes
            have = dict(zip(met, shape_of(part)[len(batch) :]))
            part = np.reshape(part, lead + tuple([have.get(c, 1) for c in letters]))
            part = np.broadcast_to(part, lead + tuple([have.get(c, sizes[c]) for c in letters]))
        part = unbroadcast(part, len(letters), tuple([sizes[c] for c in letters]))
        if letters != self.sub:  # a diagonal was taken
            part = maps.scatter(part, np.einsum(f"{self.sub}->{letters}", self.tape.numbered(self.shape)), self.shape)
        cts.add(self.parents[0], part)

    def _with_structural_zeros(self, part: Any, w: Any, ct: Any, cts: Cotangents, batch: str, met: str) -> Any:
        """The product; without those infinite and NaN weights that meet only structural zeros of the cotangent."""
        structural = (plain(ct) == 0) & np.logical_not(cts.active(self))
        if not np.any(structural):
            return part
        odd = ~np.isfinite(plain(w))
        moving = np.where(structural, 0.0, 1.0)
        hit = np.einsum(f"{batch}{self.out},{self.weight_sub}->{batch}{met}", moving, odd * 1.0) > 0
        w = np.where(odd, 0.0, w)
        return np.where(hit, part, maps.contract(w, shape_of(w), self.weight_sub, ct, batch + self.out, batch + met))


class Linear(Recorded):
    """Any other linear function, with the transpose that its rule gives."""

    __slots__ = ("function", "shape", "transpose")
    function: LinearMap
    transpose: LinearMap

    def cost(self) -> tuple[int, int]:
        return 2 * prod(self.shape), 2 * prod(self.shape)  # a guess

    def push(self, ts: Sequence[Any]) -> Any:
        return self.function(ts[0])

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        if cts.masks:  # weights that do not cancel show what the function reaches
            ct = ct * (1.0 + 0.1 * np.modf(np.arange(1.0, size_of(ct) + 1) * 0.6180339887)[0].reshape(shape_of(ct)))
            cts.add(self.parents[0], (self.transpose(ct) != 0) * 1.0)
        else:
            cts.add(self.parents[0], self.transpose(ct))


class Put(Recorded):
    """An assignment: what was overwritten gets no cotangent, what was written gets it."""

    __slots__ = ("numbers", "shape")

    def handed(self) -> list[int]:
        return [prod(self.shape), size_of(self.numbers)][: len(self.parents)]

    def push(self, ts: Sequence[Any]) -> Any:
        old, new = (*ts, None)[:2]
        p = len(new if old is None else old)
        new = 0.0 if new is None else np.reshape(new, (p, *np.shape(self.numbers)))
        flat = maps.writable(np.zeros((p, prod(self.shape))) if old is None else old.reshape(p, -1), new)
        flat = like_key(flat, (self.numbers,))
        flat[:, self.numbers] = new
        return flat.reshape(p, *self.shape)

    def pull(self, ct: Any, ours: bool, cts: Cotangents) -> None:
        lead = shape_of(ct)[: ndim(ct) - len(self.shape)]
        flat = np.reshape(ct, (*lead, prod(self.shape)))
        if len(self.parents) > 1:
            cts.add(self.parents[1], self._written(flat))
        if in_memory(ct) and in_memory(self.numbers):
            flat = flat if ours and flat.base is ct and flat.flags.writeable else flat.copy()
            flat[..., self.numbers] = 0
            ct = flat.reshape(lead + self.shape)
        elif isinstance(ct, NumberArray) and self.shape and not lead and not isinstance(ct.tangent, Structured):
            ct = ct if ours else ct.copy()
            ct[np.unravel_index(self.numbers, self.shape)] = 0.0
        else:
            kept = like_key(np.ones(prod(self.shape), bool), (self.numbers,))
            kept[self.numbers] = False
            ct = np.where(kept.reshape(self.shape), ct, 0.0)
        cts.add(self.parents[0], ct, True)

    def _written(self, flat: Any) -> Any:
        """The cotangents of the elements written: where one place was written more than once, the last stays."""
        part = like_key(flat, (self.numbers,))[..., self.numbers]
        if not size_of(self.numbers) or not ndim(self.numbers):
            return part.copy()[()]
        last = like_key(np.empty(prod(self.shape), np.intp), (self.numbers,))
        each = np.arange(self.numbers.size).reshape(self.numbers.shape)
        last[self.numbers] = each
        return np.where(last[self.numbers] == each, part, 0.0)
