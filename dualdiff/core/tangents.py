"""The linear spaces a tangent can live in, and the few linear maps that all rules are composed of.

A tangent of a value of shape S is one of
- *one direction*: a float or an array of shape S, no wrapper (`jvp`, one forward pass);
- *many directions*: an array of shape (p,) + S, the p directions on a leading axis (vector mode);
- an instance of a subclass of `Structured`, a space that keeps more than numbers and brings its own form of each map.

In nested derivatives the arrays here are themselves Duals of an outer derivative: everything below is plain NumPy, so
they pass through. An operand without a tangent (a structural zero) is `None` in lists of tangents and costs nothing.

The maps are: `combine` (a weighted sum, broadcast to a shape), `gather` and `join` (functions that only move elements),
`total` (sum over axes), `scatter` (elements added up at given places), `contract` (an einsum against a constant) and
`linear` (any other linear function of the last axes). Rules use nothing else, so a space that implements these can run
every rule.
"""

from __future__ import annotations

import cmath
import contextvars
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from math import prod
from typing import Any

import numpy as np

from .number import Number
from .values import Shape, in_memory, is_complex, like_key, ndim, optimistic, plain, shape_of

LinearMap = Callable[[Any], Any]

# ---------------------------------------------------------------- floating-point warnings of derivatives


def _error_state() -> tuple[contextvars.ContextVar[Any], Any] | None:
    """The context variable in which NumPy keeps its error state, and the value of it that ignores everything.

    `np.errstate` does the same at six times the cost, which would be half the price of a small operation.
    """
    before, context = dict(contextvars.copy_context().items()), contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    changed = [(var, value) for var, value in context.items() if before.get(var) is not value]
    return changed[0] if len(changed) == 1 else None


_found = _error_state()
if _found is not None:
    _variable, _ignore = _found

    hush: Callable[[], Any] = partial(_variable.set, _ignore)  # silence warnings until unhush(what this returns)
    unhush: Callable[[Any], Any] = _variable.reset
else:  # pragma: no cover - a NumPy that keeps its error state elsewhere
    hush = partial(np.seterr, all="ignore")
    unhush = lambda old: np.seterr(**old)


# ---------------------------------------------------------------- structured spaces


class Structured:
    """Base of the tangent spaces that are more than an array: each implements the maps, and assignment.

    `combine`, `join` are class methods since they take several tangents of the space (`None` for a structural zero).
    """

    __slots__ = ()
    nonlinear = False  # whether slopes at the value are not enough: then `elementwise` and `primitive` get the rules

    @classmethod
    def combine(cls, terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool) -> Any:
        raise NotImplementedError

    @classmethod
    def join(cls, tangents: Sequence[Any], shapes: Sequence[Shape], move: Callable[[list[Any]], Any]) -> Any:
        raise NotImplementedError

    def gather(self, shape: Shape, move: Callable[[Any], Any]) -> Any:
        raise NotImplementedError

    def total(self, shape: Shape, axes: Shape, keepdims: bool) -> Any:
        raise NotImplementedError

    def contract(self, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Any:
        raise NotImplementedError

    def scatter(self, numbers: Any, shape: Shape) -> Any:
        raise NotImplementedError

    def linear(self, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Any:
        raise NotImplementedError

    def put(self, shape: Shape, numbers: Any, new: Any) -> Any:
        """With the elements of these flat numbers replaced by those of `new`, None for zeros: assignment."""
        raise NotImplementedError

    def zeros(self, value: Any) -> Any:
        """The zero tangent of an array, in the same space."""
        raise NotImplementedError

    def dense(self) -> Any:
        """The same tangent with all directions on a leading axis, where it meets such a one."""
        raise NotImplementedError

    def constant(self, w: Any) -> Any:
        """A constant array that is to be kept as a weight: a copy, since its owner may change it later."""
        return w.copy()

    def note(self, function: Any, args: Any, kwargs: Any, result: Any) -> None:
        """Told of the primitive that has made this tangent, with what it was called and the number it gave."""


# ---------------------------------------------------------------- helpers for dense tangents


def expand(t: Any, have: int, want: int) -> Any:
    """Give a dense tangent of a value with `have` axes the axes it needs to broadcast against `want` of them."""
    if have == want or ndim(t) == have:  # one direction broadcasts as it stands
        return t
    return t.reshape(t.shape[:1] + (1,) * (want - have) + t.shape[1:])


def writable(x: Any, new: Any) -> Any:
    """A C-contiguous copy of an array into which numbers like `new` can be stored: complex ones, or with tangents."""
    dtype = np.result_type(x.dtype, getattr(new, "dtype", new))
    if in_memory(new) or not in_memory(x):
        return x.astype(dtype, order="C")
    return np.zeros_like(new, shape=x.shape, dtype=dtype) + x


def finite(w: Any) -> bool:
    """Whether all of w is finite (a false alarm is possible near overflow and only costs time)."""
    if isinstance(w, np.ndarray):
        flat = w if w.ndim == 1 else w.ravel("K")
        return cmath.isfinite(flat.dot(flat))  # one BLAS pass: a sixth of the price of np.isfinite(w).all()
    if isinstance(w, float | int):
        return w - w == 0
    if isinstance(w, Number):  # a Dual of an outer derivative
        return finite(w.value) and finite(w.tangent)
    if isinstance(w, Structured):
        return True  # its own weights are looked at where they are applied
    if optimistic(w):
        return True
    return bool(np.all(np.isfinite(w)))


def clear(zero: Any, product: Any, keep: bool) -> Any:
    """`product`, set to 0 where `zero`: the strong zero. With `keep` an outer derivative of it stays."""
    if keep and isinstance(product, Number):
        return product._with_value(clear(zero, product.value, keep))
    return np.where(zero, np.zeros((), getattr(product, "dtype", float)), product)[()]


def scale(t: Any, w: Any, select: bool = False, spare: bool = False) -> Any:
    """w * t for a dense tangent; a tangent that is exactly 0 stays 0 even against an infinite or NaN weight.

    With `select` the weights say which branch was taken, and a weight of 0 gives 0 even against an infinite tangent.
    With `spare` the array w may be used for the result: new memory is what large arrays cost most.
    """
    if type(w) is int:
        return t if w == 1 else -t if w == -1 else t * w
    known = finite(w)
    alike = type(t) is type(w) is np.ndarray and t.shape == w.shape and t.dtype == w.dtype
    if known and spare and not select and alike and w.base is None:  # a view may be of an operand
        return np.multiply(t, w, out=w)
    product = t * w
    if not known:
        zero = t == 0
        if np.any(zero):  # a plain 0 is no function of the outer variables either
            product = clear(zero, product, isinstance(t, Number))
    if select and not finite(product):
        product = np.where(w == 0, np.zeros((), getattr(product, "dtype", float)), product)
    return product


# ---------------------------------------------------------------- the maps


def combine(terms: Sequence[tuple[Any, Shape, Any]], shape: Shape, select: bool = False) -> Any:
    """The sum of weight * tangent over (tangent, shape of its value, weight), broadcast towards `shape`.

    A weight that is the int 1 or -1 costs no product. A dense result may still lack leading axes of `shape`: whoever
    stores it broadcasts.
    """
    for t, _, _ in terms:
        if isinstance(t, Structured):
            return t.combine(terms, shape, select)
    result = None
    for t, in_shape, w in terms:
        term = scale(expand(t, len(in_shape), len(shape)), w, select)
        result = term if result is None else result + term
    return result


def gather(t: Any, shape: Shape, move: Callable[[Any], Any], batched: Callable[[Any], Any] | None = None) -> Any:
    """The tangent of `move(x)` for x of `shape`, where `move` only moves, repeats or drops elements.

    `batched` does the same to an array with a leading axis of directions; without it, `move` is applied to an array
    of element numbers from 1, which tells where each element goes; where it fills with zeros, nothing does.
    """
    if isinstance(t, Structured):
        return t.gather(shape, move)
    if ndim(t) == len(shape):
        return move(t)
    if batched is not None:
        return batched(t)
    return pick(t, len(shape), move(numbered(shape)))


def numbered(shape: Shape) -> Any:
    """The numbers of an array's elements, from 1: what a function that moves elements does to these tells it all."""
    return np.arange(1, prod(shape) + 1).reshape(shape)


def pick(t: Any, n: int, numbers: Any) -> Any:
    """The elements of these numbers, from 1, of the last n axes; a 0, with which a function has filled up, gives 0."""
    lead, shape = shape_of(t)[: ndim(t) - n], shape_of(t)[ndim(t) - n :]
    if not prod(shape):
        return np.zeros_like(plain(t), shape=lead + shape_of(numbers))
    flat = np.reshape(t, (*lead, prod(shape)))
    moved, empty = np.take(like_key(flat, (numbers,)), numbers - 1, axis=-1), numbers == 0
    return np.where(empty, np.zeros((), moved.dtype), moved) if np.any(empty) else moved


def join(
    tangents: Sequence[Any],
    shapes: Sequence[Shape],
    move: Callable[[list[Any]], Any],
    batched: Callable[[list[Any]], Any] | None = None,
) -> Any:
    """As `gather` for a function of several arrays, `move([x, y, ...])`; `None` among the tangents stands for zero."""
    for lead, shape in zip(tangents, shapes):  # noqa: B007
        if lead is not None:
            break
    if any(isinstance(t, Structured) for t in tangents):
        if all(t is None or isinstance(t, Structured) for t in tangents):
            return lead.join(tangents, shapes, move)
        tangents = [t.dense() if isinstance(t, Structured) else t for t in tangents]
        lead = next(t for t in tangents if t is not None)
    many = ndim(lead) > len(shape)
    if many and batched is None:
        flat = [t.reshape(len(lead), prod(s)) for t, s in zip(tangents, shapes) if t is not None]
        numbers, _ = numbered_parts(tangents, shapes)
        return pick(np.concatenate(flat, axis=1), 1, move(numbers))
    p = (len(lead),) if many else ()
    full = [t if t is not None else np.zeros_like(plain(lead), shape=p + s) for t, s in zip(tangents, shapes)]
    return batched(full) if many and batched is not None else move(full)


def numbered_parts(tangents: Sequence[Any], shapes: Sequence[Shape]) -> tuple[list[Any], list[int]]:
    """The element numbers of several arrays, counted through, and where each ends; 0 where there is no tangent."""
    numbers, end, ends = [], 0, []
    for t, shape in zip(tangents, shapes):
        numbers.append(np.zeros(shape, np.intp) if t is None else numbered(shape) + end)
        end += 0 if t is None else prod(shape)
        ends.append(end)
    return numbers, ends


def total(t: Any, shape: Shape, axes: Shape, keepdims: bool = False) -> Any:
    """The sum over `axes` (negative numbers) of a value of `shape`."""
    if isinstance(t, Structured):
        return t.total(shape, axes, keepdims)
    return summed(t, axes, keepdims) if axes else t


def summed(t: Any, axes: Shape, keepdims: bool = False) -> Any:
    """A sum over axes; of an ndarray by the shorter way."""
    return np.add.reduce(t, axes, None, None, keepdims) if type(t) is np.ndarray else np.sum(t, axes, keepdims=keepdims)


def scatter(t: Any, numbers: Any, shape: Shape) -> Any:
    """The elements of the last axes added into zeros of `shape` at these flat numbers from 1; at 0 they are dropped."""
    if isinstance(t, Structured):
        return t.scatter(numbers, shape)
    if not in_memory(t):  # as numbers of an outer derivative, which know the rule of this function
        return t.__array_function__(scatter, (type(t),), (t, numbers, shape), {})  # type: ignore[attr-defined]
    lead, at, n = shape_of(t)[: ndim(t) - ndim(numbers)], np.ravel(numbers), prod(shape) + 1
    if is_complex(t):
        return scatter(t.real, numbers, shape) + 1j * scatter(t.imag, numbers, shape)
    flat = np.reshape(t, (prod(lead), at.size))
    if in_memory(flat) and in_memory(at) and (at.size < 2 or (lead and np.bincount(at)[1:].max(initial=0) < 2)):
        made = np.zeros((prod(lead), n))  # no place occurs twice
        made[:, at] = flat
        return made[:, 1:].reshape(lead + shape)
    if in_memory(flat) and flat.dtype.itemsize > 8:  # of which np.bincount would keep float64
        made = like_key(np.zeros((prod(lead), n), flat.dtype), (at,))
        np.add.at(made, (slice(None), at), flat)
        return made[:, 1:].reshape(lead + shape)
    rows = [np.bincount(at, flat[k], n)[1:] for k in range(prod(lead))]
    return np.reshape(rows[0] if len(rows) == 1 else np.stack(rows) if rows else flat[:, :0], lead + shape)


def linear(t: Any, shape: Shape, function: LinearMap, transpose: LinearMap, matrix: Any = None) -> Any:
    """Any linear function of the last axes, over which leading axes pass, with its transpose for reverse mode.

    The transpose is that of the real inner product Re(conj(a) * b), so that conj, real and imag are linear as well.
    If the function multiplies the last axis by a SciPy sparse matrix, in CSR form, `matrix` is that.
    """
    if isinstance(t, Structured):
        return t.linear(shape, function, transpose, matrix)
    return function(t)


def contract(t: Any, shape: Shape, sub: str, weight: Any, weight_sub: str, out_sub: str) -> Any:
    """`einsum(sub, weight_sub -> out_sub)` of a tangent and a constant; the letter Z is kept for the directions."""
    if isinstance(t, Structured):
        return t.contract(shape, sub, weight, weight_sub, out_sub)
    product = _product(sub, weight_sub, out_sub, ndim(t) > len(shape))
    result = product(t, weight)
    # A look at either side tells that no infinite weight met a zero: at the smaller one, for a look costs as much.
    if finite(result if getattr(result, "size", 1) < getattr(weight, "size", 1) else weight) or finite(weight):
        return result
    # Strong zeros: sum the finite weights as usual, and count which infinite and NaN ones meet a moving tangent.
    odd = ~np.isfinite(weight)
    if np.iscomplexobj(t) or np.iscomplexobj(weight):
        hit = product((t != 0) * 1.0, odd * 1.0) > 0
        return np.where(hit, np.nan, product(t, np.where(odd, 0, weight)))
    up, down = (t > 0) * 1.0, (t < 0) * 1.0
    plus, minus = (weight == np.inf) * 1.0, (weight == -np.inf) * 1.0
    result = product(t, np.where(odd, 0, weight))
    result = np.where(product(up, plus) + product(down, minus) > 0, result + np.inf, result)
    result = np.where(product(down, plus) + product(up, minus) > 0, result - np.inf, result)
    return np.where(product((t != 0) * 1.0, np.isnan(weight) * 1.0) > 0, np.nan, result)


@lru_cache(maxsize=1024)
def _product(a: str, b: str, out: str, many: bool = False) -> Callable[[Any, Any], Any]:
    """An einsum of two operands as one matrix product, which is where BLAS is; the first may have many directions."""
    if many:
        a, out = "Z" + a, "Z" + out
    shared = [c for c in a if c in b]
    summed = [c for c in shared if c not in out]
    alone = [c for c in a + b if c not in out and not (c in a and c in b)]
    if not summed or alone or any(len(set(s)) < len(s) for s in (a, b, out)):
        return lambda x, y: np.einsum(f"{a},{b}->{out}", x, y)
    stack = [c for c in out if c in shared]
    rows = [c for c in out if c in a and c not in b]
    columns = [c for c in out if c in b and c not in a]
    left, right = [*stack, *rows, *summed], [*stack, *summed, *columns]
    to_left = None if left == list(a) else tuple(a.index(c) for c in left)
    to_right = None if right == list(b) else tuple(b.index(c) for c in right)
    made = [*stack, *rows, *columns]
    to_out = None if made == list(out) else tuple(made.index(c) for c in out)
    k, r, s, c = len(stack), len(rows), len(summed), len(columns)
    simple = s == 1 and (r == c == 1 or (k == 0 and r <= 1 and c <= 1))

    def product(x: Any, y: Any) -> Any:
        if to_left is not None:
            x = x.transpose(to_left)
        if to_right is not None:
            y = y.transpose(to_right)
        if simple and many and c == 1 and type(x) is np.ndarray and x.flags.fnc and ndim(y) == 2:
            z = np.matmul(y.T, x.T).T  # directions stay last in memory, as the Jacobian has them
        elif simple:
            z = np.matmul(x, y)
        else:
            xs, ys = x.shape, y.shape
            n = prod(xs[k + r :])
            z = np.matmul(
                x.reshape(*xs[:k], prod(xs[k : k + r]), n),
                y.reshape(*ys[:k], n, prod(ys[k + s :])),
            )
            z = z.reshape(z.shape[:k] + xs[k : k + r] + ys[k + s :])
        return z if to_out is None else z.transpose(to_out)

    return product
