"""Forward mode: each transform seeds tangents, runs f on Duals, and reads the tangents of the result."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .buffers import follow, lost_in_array
from .dual import Dual, DualArray, _live, _new, _tags, _wrap, numeric
from .errors import DualdiffError, LeakedDualError
from .pytree import flatten, flatten_as
from .rules.table import plain, shape_of

__all__ = [
    "derivative",
    "directional_derivative",
    "gradient",
    "jacobian",
    "jvp",
    "value_and_derivative",
    "value_and_gradient",
    "value_and_jacobian",
]

Function = Callable[..., Any]
Argnums = int | tuple[int, ...]
SEED_BYTES = 2**28  # what the seeds of one sweep may take when the chunk size is left to us


# ---------------------------------------------------------------- one pass


class _Call:
    """A call of f whose arguments `argnums` are to be varied: their leaves as arrays, and how to run it on Duals."""

    def __init__(self, name: str, f: Function, argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.f, self.args, self.kwargs, self.name = f, args, kwargs, name
        self.many = isinstance(argnums, tuple)
        self.argnums = _positions(name, argnums, len(args))
        self.parts = [flatten(args[k]) for k in self.argnums]
        self.leaves: list[Any] = []
        for k, (leaves, _) in zip(self.argnums, self.parts):
            self.leaves += [numeric(leaf, f"{name}: argument {k}") for leaf in leaves]

    def run(self, seeds: Sequence[Any]) -> tuple[list[Any], list[Any], Any]:
        """Values and tangents of the leaves of f's result, and how to rebuild it; tangent None means zero.

        Where f stores into a plain array it made itself, it is run once more with arrays that can hold tangents.
        """
        try:
            return self.once(seeds)
        except (TypeError, ValueError) as error:
            if not lost_in_array(error):
                raise
            try:
                return self.once(seeds, buffers=True)
            except (TypeError, ValueError):
                if hasattr(error, "add_note") and not isinstance(error, DualdiffError):  # from Python 3.11 on
                    error.add_note(
                        "If np.array([...]) made this array of numbers with tangents, it is one of objects: write "
                        "np.stack([...]) or np.array([...], like=x)."
                    )
                raise error from None

    def once(self, seeds: Sequence[Any], buffers: bool = False) -> tuple[list[Any], list[Any], Any]:
        tag = next(_tags)
        _live[tag] = True
        try:
            args, at, f = list(self.args), 0, self.f
            for k, (leaves, rebuild) in zip(self.argnums, self.parts):
                stop = at + len(leaves)
                duals = [_wrap(_own(self.leaves[i]), seeds[i], tag) for i in range(at, stop)]
                if buffers and duals:
                    f = follow(self.f, duals[0])
                args[k] = rebuild(duals)
                at = stop
            result = f(*args, **self.kwargs)
        finally:
            del _live[tag]
        leaves, rebuild = flatten(result, lists=True)
        pairs = [_split(leaf, tag, self) for leaf in leaves]
        return [v for v, _ in pairs], [t for _, t in pairs], rebuild

    def per_argument(self, parts: Sequence[Any]) -> Any:
        """Results, one for each leaf, in the shape of the arguments: a tuple if several were asked for."""
        made, at = [], 0
        for leaves, rebuild in self.parts:
            made.append(rebuild(parts[at : at + len(leaves)]))
            at += len(leaves)
        return tuple(made) if self.many else made[0]


def _positions(name: str, argnums: Argnums, count: int) -> tuple[int, ...]:
    if type(argnums) is int and 0 <= argnums < count:
        return (argnums,)
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    try:
        numbers = tuple(operator.index(k) for k in wanted)
    except TypeError:
        raise TypeError(f"{name}: argnums must be an int or a tuple of ints, not {argnums!r}") from None
    for k in numbers:
        if not -count <= k < count:
            raise ValueError(
                f"{name}: argnums={argnums!r}, but f was called with {count} positional argument{'s' * (count != 1)}; "
                "what is to be differentiated must be passed by position"
            )
    numbers = tuple(k % count for k in numbers)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name}: argnums={argnums!r} names an argument twice")
    return numbers


def _own(x: Any) -> Any:
    """A copy, since f may write into its argument and the caller's array must not change."""
    return x.copy() if isinstance(x, np.ndarray | DualArray) else x


def _split(leaf: Any, tag: int, call: Any) -> tuple[Any, Any]:
    """The value of a leaf of f's result, and its tangent with respect to this call."""
    if not isinstance(leaf, Dual | float) and not (type(leaf) is np.ndarray and leaf.dtype.kind in "fc"):
        if leaf is None or isinstance(leaf, str | bytes) or callable(leaf):
            what = "None (is a return missing?)" if leaf is None else repr(leaf)
            raise TypeError(f"{call.name}: f returned {what}, not a number or an array")
        leaf = _as_result(leaf, call)
    if not isinstance(leaf, Dual):
        return leaf, None
    v, t = (leaf.value, leaf.tangent) if leaf._tag == tag else (leaf, None)
    for x in (v, t):
        while isinstance(x, Dual):
            if int(x._tag) not in _live and x._tag >= 1:
                raise LeakedDualError(
                    f"{call.name}: the result of f holds a number leaked from a derivative call that has ended, kept "
                    "in a variable outside f; keep dd.value(x) instead"
                )
            x = x.value
    return v, t


def _as_result(leaf: Any, call: Any) -> Any:
    if isinstance(leaf, list | tuple) and any(isinstance(x, np.ndarray | DualArray) for x in leaf):
        shapes = {shape_of(x) for x in leaf}
        if len(shapes) > 1:
            raise ValueError(
                f"{call.name}: f returned a list of arrays of shapes {sorted(shapes)}; return a tuple or a dict of them"
            )
        if any(isinstance(x, DualArray) for x in leaf):
            return np.stack(leaf)
    return numeric(leaf, f"{call.name}: the result of f")


def _zero(v: Any) -> Any:
    """The derivative of a constant result: zeros of its shape and float type."""
    return np.zeros_like(v) if isinstance(v, np.ndarray | Dual) else type(v)(0)


# ---------------------------------------------------------------- all directions


def _sweep(call: _Call, chunk_size: int | None) -> tuple[list[Any], list[Any], Any]:
    """Values of f's result, the derivatives of each with respect to all directions on a leading axis, and rebuild.

    A complex leaf has two directions an element, 1 and i, by which `_holomorphic` tells whether f has a derivative.
    """
    widths = [2 * _size(x) if _complex(x) else _size(x) for x in call.leaves]
    n = sum(widths)
    if chunk_size is None:
        chunk_size = max(1, min(n, SEED_BYTES // (16 * max(widths, default=1) or 1)))
    elif not isinstance(chunk_size, int | np.integer) or isinstance(chunk_size, bool) or chunk_size < 1:
        raise ValueError(f"{call.name}: chunk_size must be a positive int or None, not {chunk_size!r}")
    if n == 0:
        values, _, rebuild = call.run([np.zeros(shape_of(x)) for x in call.leaves])
        return values, [np.zeros((0, *shape_of(v))) for v in values], rebuild
    if len(widths) == 1 and 1 < n <= chunk_size:  # the common case, without ceremony
        values, ts, rebuild = call.run([_seed(call.leaves[0], 0, n, n)])
        return values, [_lead(t, v, n, False) for t, v in zip(ts, values)], rebuild
    sweeps = []
    for start in range(0, n, chunk_size):
        stop = min(start + chunk_size, n)
        seeds, at = [], 0
        for x, width in zip(call.leaves, widths):
            seeds.append(_seed(x, start - at, stop - at, width))
            at += width
        single = stop - start == 1
        values, ts, rebuild = call.run([s[0] for s in seeds] if single else seeds)
        sweeps.append([_lead(t, v, stop - start, single) for t, v in zip(ts, values)])
    columns = [s[0] if len(s) == 1 else np.concatenate(s) for s in zip(*sweeps)]
    return values, columns, rebuild


def _seed(x: Any, start: int, stop: int, width: int) -> Any:
    """Rows start to stop of the identity over the directions of one leaf; rows outside it are zero."""
    size, shape, dtype = _size(x), shape_of(x), _dtype(x)
    if start == 0 and stop == size == width:
        eye = np.zeros((size, *shape), dtype)
        eye.reshape(-1)[:: size + 1] = 1
        return eye
    if type(x) is float:
        column = np.zeros(stop - start)
        if start <= 0 < stop:
            column[-start] = 1.0
        return column
    block = np.zeros((stop - start, size), dtype)
    inside = np.arange(max(start, 0), min(stop, width))
    block[inside - start, inside % size if size else inside] = np.where(inside < size, 1, 1j) if width > size else 1
    return block.reshape(stop - start, *shape)


def _lead(t: Any, v: Any, p: int, single: bool) -> Any:
    """A tangent with its directions on a leading axis, also where there is one or none."""
    if t is None:
        return np.zeros((p, *shape_of(v)), _dtype(v))
    if not single:
        return t
    return t[None] if isinstance(t, np.ndarray | DualArray) else np.stack([t])


def _size(x: Any) -> int:
    return int(x.size) if hasattr(x, "size") else 1


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else np.dtype(type(x))


def _complex(x: Any) -> bool:
    return x.dtype.kind == "c" if hasattr(x, "dtype") else type(x) is complex


def _by_leaf(call: _Call, columns: Any, v: Any) -> list[Any]:
    """The Jacobian of one result with respect to each leaf, of shape out.shape + in.shape, C-contiguous."""
    blocks, at = [], 0
    for x in call.leaves:
        size = _size(x)
        block = columns if size == len(columns) else columns[at : at + size]
        if _complex(x):
            _holomorphic(call, block, columns[at + size : at + 2 * size])
            at += size
        at += size
        shape = shape_of(v)
        if shape:
            block = block.transpose(*range(1, len(shape) + 1), 0)  # the directions last
        shape += shape_of(x)
        if isinstance(block, DualArray):
            blocks.append(np.reshape(block, shape).copy())
        elif shape:
            block = np.ascontiguousarray(block)
            blocks.append(block if block.shape == shape else block.reshape(shape))
        else:
            blocks.append(_number(block[0]))
    return blocks


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, np.float64 | np.complex128) else x


def _holomorphic(call: _Call, along_one: Any, along_i: Any) -> None:
    """Raise where the derivative with respect to a complex number depends on the direction (Cauchy and Riemann)."""
    a, b = 1j * np.asarray(plain(along_one)), np.asarray(plain(along_i))
    scale = np.max(np.abs(a), initial=0.0, where=np.isfinite(a))
    if not np.allclose(a, b, rtol=1e-6, atol=1e-6 * scale, equal_nan=True):
        raise TypeError(
            f"{call.name}: f is not holomorphic in its complex argument, so it has no complex derivative; differentiate"
            " with respect to the real and the imaginary part, or use jvp"
        )


# ---------------------------------------------------------------- the transforms


def _transform(name: str, f: Function, compute: Callable[..., Any]) -> Function:
    """`compute(args, kwargs)` under f's name and signature."""

    def transformed(*args: Any, **kwargs: Any) -> Any:
        return compute(args, kwargs)

    return _like(f, transformed, name)


def _like(f: Function, transformed: Function, name: str) -> Function:
    if not callable(f):
        raise TypeError(f"{name}: the first argument must be a function, not {type(f).__name__}; write {name}(f)(x)")
    try:
        return functools.wraps(f)(transformed)
    except (AttributeError, TypeError):  # a callable without a name to take over
        return transformed


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of f and its derivative along one direction: the Jacobian-vector product, in one forward pass.

    Parameters
    ----------
    f : callable
    primals : tuple
        The arguments of f: numbers, arrays, or containers of them.
    tangents : tuple
        The direction, of the same structure and shapes.

    Returns
    -------
    value, tangent
        Both as f returns its result.

    Raises
    ------
    ValueError
        If the tangents do not fit the primals.

    Examples
    --------
    >>> import dualdiff as dd
    >>> dd.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)
    """
    if not callable(f):
        raise TypeError(f"jvp: the first argument must be a function, not {type(f).__name__}")
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError("jvp: primals and tangents must be tuples, an entry for each argument of f: jvp(f, (x,), (v,))")
    if len(primals) != len(tangents):
        raise ValueError(f"jvp: {len(primals)} primals but {len(tangents)} tangents")
    call = _Call("jvp", f, tuple(range(len(primals))), tuple(primals), {})
    seeds = []
    for k, tangent in enumerate(tangents):
        try:
            given = flatten_as(primals[k], tangent)
        except ValueError as error:
            raise ValueError(f"jvp: tangent {k} has another structure than primal {k}: {error}") from None
        seeds += [numeric(t, f"jvp: tangent {k}") for t in given]
    for x, t in zip(call.leaves, seeds):
        if shape_of(t) != shape_of(x):
            raise ValueError(f"jvp: a tangent has shape {shape_of(t)}, its primal {shape_of(x)}")
        if _complex(t) and not _complex(x):
            raise TypeError("jvp: a tangent is complex, its primal real; make the primal complex if that is meant")
    values, ts, rebuild = call.run(seeds)
    ts = [_own(t) if any(t is s for s in seeds) or getattr(t, "base", None) is not None else t for t in ts]
    return rebuild(values), rebuild([_zero(v) if t is None else t for v, t in zip(values, ts)])


def directional_derivative(f: Function, x: Any, v: Any) -> Any:
    """The derivative of f at x along v, d/dt f(x + t v) at t = 0; v is taken as it is, not scaled to length 1.

    Parameters
    ----------
    f : callable of one argument
    x, v : number, array or container, of the same structure and shapes

    Examples
    --------
    >>> import dualdiff as dd
    >>> dd.directional_derivative(lambda x: x[0] * x[1], [2.0, 3.0], [1.0, 1.0])
    5.0
    """
    return jvp(f, (x,), (v,))[1]


def value_and_derivative(f: Function, argnums: Argnums = 0) -> Function:
    """As `derivative`, returning (value, derivative) of one pass.

    Examples
    --------
    >>> import dualdiff as dd
    >>> dd.value_and_derivative(lambda x: x**2)(3.0)
    (9.0, 6.0)
    """
    return _transform("value_and_derivative", f, lambda args, kwargs: _derivative(f, argnums, args, kwargs))


def derivative(f: Function, argnums: Argnums = 0, order: int = 1) -> Function:
    """The derivative of a function of a number, or of a function that works on each element of an array by itself.

    Parameters
    ----------
    f : callable
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of derivatives, a pass each.
    order : int
        How many times to differentiate.

    Returns
    -------
    callable
        With f's own signature. For a number: df/dx, of the shape of f's result. For an array: the derivative of f
        at each element, of the array's shape.

    Raises
    ------
    ValueError
        If f of an array is not elementwise: use `jacobian` or `gradient`.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.derivative(np.sin)(0.0)
    1.0
    >>> dd.derivative(lambda x: x**3, order=2)(2.0)
    12.0
    >>> dd.derivative(lambda x: x**2)(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
        raise ValueError(f"derivative: order must be an int >= 0, not {order!r}")
    if order == 0:
        return f
    if order > 1:
        return derivative(derivative(f, argnums, int(order) - 1), argnums)

    plain_float = argnums == 0 and not isinstance(argnums, bool | tuple)

    def differentiated(*args: Any, **kwargs: Any) -> Any:
        if plain_float and len(args) == 1 and type(args[0]) is float and not kwargs:  # the common case, no ceremony
            tag = next(_tags)
            x = _new(Dual)
            x.value = args[0]
            x.tangent = 1.0
            x._tag = tag
            _live[tag] = True
            try:
                y = f(x)
            except (TypeError, ValueError) as error:
                if not lost_in_array(error):
                    raise
                return _derivative(f, argnums, args, kwargs)[1]  # which can follow f into its arrays
            finally:
                del _live[tag]
            if type(y) is Dual and y._tag == tag and type(y.value) is float:
                return y.tangent
            return _finish_derivative(y, tag)
        return _derivative(f, argnums, args, kwargs)[1]

    return _like(f, differentiated, "derivative")


class _Named:
    name = "derivative"


def _finish_derivative(result: Any, tag: int) -> Any:
    leaves, rebuild = flatten(result, lists=True)
    pairs = [_split(leaf, tag, _Named) for leaf in leaves]
    return rebuild([_zero(v) if t is None else t for v, t in pairs])


def _derivative(f: Function, argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    if isinstance(argnums, tuple):
        _positions("derivative", argnums, len(args))
        each = [_derivative(f, k, args, kwargs) for k in argnums]
        return each[0][0] if each else f(*args, **kwargs), tuple(d for _, d in each)
    call = _Call("derivative", f, argnums, args, kwargs)
    if len(call.leaves) != 1:
        raise TypeError("derivative: the argument is a container; use gradient or jacobian")
    (x,) = call.leaves
    directions = [np.ones(shape_of(x), _dtype(x))]
    if shape_of(x):
        directions += _probes(x)
    if _complex(x):
        directions.append(1j * directions[0])
    single = len(directions) == 1
    seed = (1.0 if isinstance(x, float) else directions[0][()]) if single else np.stack(directions)
    values, ts, rebuild = call.run([seed])
    results = []
    for v, t in zip(values, ts):
        t = _lead(t, v, len(directions), single)
        if _complex(x):
            _holomorphic(call, t[0], t[-1])
        if shape_of(x):
            _elementwise(x, v, t, directions)
        results.append(_number(t[0]))
    return rebuild(values), rebuild(results)


def _probes(x: Any) -> list[Any]:
    """Directions in which any two elements of x differ by a power of two in at least one.

    An elementwise f scales each element's tangent by its own slope: by a power of two, without any rounding.
    """
    base = {8: 64, 4: 32}.get(np.zeros((), _dtype(x)).real.dtype.itemsize, 8)
    numbers, probes = np.arange(_size(x)), []
    while numbers.any():
        probes.append((2.0 ** (numbers % base - base // 2)).astype(_dtype(x)).reshape(shape_of(x)))
        numbers = numbers // base
    return probes


def _elementwise(x: Any, v: Any, t: Any, directions: list[Any]) -> None:
    same = shape_of(v) == shape_of(x)
    if same:
        for k in range(1, len(directions)):
            with np.errstate(all="ignore"):
                due, is_ = directions[k] * np.asarray(plain(t[0])), np.asarray(plain(t[k]))
                near = np.isclose(due, is_, rtol=1e-6 if due.dtype.itemsize >= 8 else 1e-2, atol=0, equal_nan=True)
                tiny = (np.abs(due) < 1e-290) & (np.abs(is_) < 1e-290)
            same = same and bool(np.all(near | tiny))
    if not same:
        raise ValueError(
            f"derivative: f of an array of shape {shape_of(x)} is not elementwise; use jacobian(f) for all partial "
            "derivatives, or gradient(f) for a scalar f"
        )


def gradient(f: Function, argnums: Argnums = 0, mode: str = "forward") -> Function:
    """The gradient of a scalar function: an array of the argument's shape (the shape convention).

    Parameters
    ----------
    f : callable
        Its result must have shape ().
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of gradients.
    mode : {"forward"}

    Returns
    -------
    callable
        With f's own signature; called once, f runs once for all directions.

    Raises
    ------
    ValueError
        If f's result is not a scalar: use `jacobian`.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.gradient(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    >>> dd.gradient(lambda x, y, z: (x + y) * max(y, z), argnums=(0, 1, 2))(1.0, 2.0, 0.0)
    (2.0, 5.0, 0.0)
    """
    _check_mode("gradient", mode)
    return _transform("gradient", f, lambda args, kwargs: _gradient("gradient", f, argnums, args, kwargs)[1])


def value_and_gradient(f: Function, argnums: Argnums = 0, mode: str = "forward") -> Function:
    """As `gradient`, returning (value, gradient) of one sweep; fits `scipy.optimize.minimize(..., jac=True)`.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.value_and_gradient(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    _check_mode("value_and_gradient", mode)
    return _transform(
        "value_and_gradient", f, lambda args, kwargs: _gradient("value_and_gradient", f, argnums, args, kwargs)
    )


def _gradient(name: str, f: Function, argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    call = _Call(name, f, argnums, args, kwargs)
    values, columns, _ = _sweep(call, None)
    if len(values) != 1 or shape_of(values[0]):
        what = f"shape {shape_of(values[0])}" if len(values) == 1 else f"{len(values)} arrays"
        raise ValueError(f"{name}: f must return a scalar, but its result has {what}; use jacobian")
    return _number(values[0]), call.per_argument(_by_leaf(call, columns[0], values[0]))


def jacobian(f: Function, argnums: Argnums = 0, mode: str = "forward", chunk_size: int | None = None) -> Function:
    """The Jacobian of a function: all partial derivatives of its result, of shape `out.shape + in.shape`.

    Parameters
    ----------
    f : callable
        Its result is a number, an array, a list or tuple of numbers, or a container of arrays.
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of Jacobians.
    mode : {"forward"}
    chunk_size : int, optional
        How many directions one sweep carries. 1 makes n forward passes with one direction each; None as many as fit
        into seeds of 256 MB, mostly all. f is called once a sweep; the result is the same for every chunk size.

    Returns
    -------
    callable
        With f's own signature, so that it fits `jac=` of SciPy's solvers. It returns a C-contiguous array of f's
        float type; for a container as argument or result, the same container of Jacobians, the result's outermost.

    Raises
    ------
    ValueError, TypeError
        If argnums, mode or chunk_size make no sense, or f's result is not numeric.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.jacobian(lambda x: [x[0] * x[1], x[0]])(np.array([1.0, 2.0]))
    array([[2., 1.],
           [1., 0.]])
    """
    name = "jacobian"
    _check_mode(name, mode)
    return _transform(name, f, lambda args, kwargs: _jacobian(name, f, argnums, chunk_size, args, kwargs)[1])


def value_and_jacobian(
    f: Function, argnums: Argnums = 0, mode: str = "forward", chunk_size: int | None = None
) -> Function:
    """As `jacobian`, returning (value, Jacobian) of one sweep.

    Examples
    --------
    >>> import numpy as np, dualdiff as dd
    >>> dd.value_and_jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    (array([1., 4.]), array([[2., 0.],
           [0., 4.]]))
    """
    name = "value_and_jacobian"
    _check_mode(name, mode)
    return _transform(name, f, lambda args, kwargs: _jacobian(name, f, argnums, chunk_size, args, kwargs))


def _jacobian(
    name: str, f: Function, argnums: Argnums, chunk_size: int | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, Any]:
    call = _Call(name, f, argnums, args, kwargs)
    values, columns, rebuild = _sweep(call, chunk_size)
    blocks = [call.per_argument(_by_leaf(call, c, v)) for c, v in zip(columns, values)]
    value = rebuild([_number(v) for v in values])
    if call.many and len(blocks) != 1:  # a tuple over arguments of containers over results
        return value, tuple(rebuild([b[k] for b in blocks]) for k in range(len(call.parts)))
    return value, rebuild(blocks) if not call.many else blocks[0]


def _check_mode(name: str, mode: str) -> None:
    if mode != "forward":
        raise ValueError(f"{name}: mode must be 'forward', not {mode!r}")
