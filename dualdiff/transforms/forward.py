"""Forward mode: each transform seeds tangents, runs f on Duals, and reads the tangents of the result."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.dual import Dual
from ..core.kinks import lexicographic
from ..core.number import Number, end, new, start
from ..core.values import is_complex, plain, shape_of, size_of
from ..run.call import (
    Call,
    Function,
    by_leaf,
    check_holomorphic,
    forward_columns,
    number,
    own_copy,
    taken_apart,
    tangents_or_zeros,
    with_directions,
)
from ..run.checks import Argnums, check_argnums, check_function, check_order, fitting
from ..run.executors import check_executor
from ..run.foreign import foreign
from ..run.questions import Found, question
from ..run.searches import search, still
from .reverse import Record, better_reversed, jacobian_rows
from .sparse import sparse_blocks
from .taylor import check_elementwise, highest, probes

_NOTHING = object()


def transformed(name: str, f: Function, argnums: Argnums, compute: Callable[[Call], Any]) -> Function:
    """`compute(call)` under f's name and signature, and with as many slots, which compiled callers count."""

    def any_number(*args: Any, **kwargs: Any) -> Any:
        return compute(Call(name, f, argnums, args, kwargs))

    def one(a: Any = _NOTHING, /, *more: Any, **kwargs: Any) -> Any:
        return any_number(*_given(a, *more), **kwargs)

    def two(a: Any = _NOTHING, b: Any = _NOTHING, /, *more: Any, **kwargs: Any) -> Any:
        return any_number(*_given(a, b, *more), **kwargs)

    def three(a: Any = _NOTHING, b: Any = _NOTHING, c: Any = _NOTHING, /, *more: Any, **kwargs: Any) -> Any:
        return any_number(*_given(a, b, c, *more), **kwargs)

    called = f if hasattr(f, "__code__") else getattr(f, "__call__", None)  # noqa: B004 - an object's own method
    slots = getattr(getattr(called, "__code__", None), "co_argcount", 0) - hasattr(called, "__self__")
    return _named(f, {1: one, 2: two, 3: three}.get(slots, any_number), name, argnums)


def _given(*args: Any) -> list[Any]:
    return [x for x in args if x is not _NOTHING]


def _named(f: Function, made: Function, name: str, argnums: Argnums) -> Function:
    check_function(name, f, f"{name}(f)(x)")
    check_argnums(name, f, argnums)
    try:
        return functools.wraps(f)(made)
    except (AttributeError, TypeError):  # a callable without a name to take over
        return made


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of f and its derivative along one direction: the Jacobian-vector product, in one forward pass.

    >>> import dualdiff as dd
    >>> dd.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (6.0, 3.0)

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
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise TypeError("jvp: primals and tangents must be tuples, an entry for each argument of f: jvp(f, (x,), (v,))")
    if len(primals) != len(tangents):
        raise ValueError(f"jvp: {len(primals)} primals but {len(tangents)} tangents")
    return along("jvp", f, primals, tangents)


def along(name: str, f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """`jvp` for the verb `name`; those of one argument call it x and its tangent v."""
    check_function(name, f, "jvp(f, (x,), (v,))" if name == "jvp" else f"{name}(f, x, v)")
    call = Call(name, f, tuple(range(len(primals))), tuple(primals), {})
    seeds: list[Any] = []
    for k, (primal, tangent) in enumerate(zip(primals, tangents)):
        v, x = (f"tangent {k}", f"primal {k}") if name == "jvp" else ("v", "x")
        seeds += fitting(name, v, tangent, x, primal, call.leaves[len(seeds) :])[0]
    values, ts, rebuild = call.run(seeds)
    ts = [own_copy(t) if any(t is s for s in seeds) or not _is_own(t) else t for t in ts]
    return rebuild(values), rebuild(tangents_or_zeros(values, ts))


def _is_own(t: Any) -> bool:
    """Whether a tangent is known to be no view of another array."""
    return t.base is None if type(t) is np.ndarray else isinstance(t, Number)


def value_and_derivative(f: Function, argnums: Argnums = 0) -> Function:
    """As `derivative`, returning (value, derivative) of one pass.

    >>> import dualdiff as dd
    >>> dd.value_and_derivative(lambda x: x**2)(3.0)
    (9.0, 6.0)
    """
    return transformed("value_and_derivative", f, argnums, _derivative)


def derivative(f: Function, argnums: Argnums = 0, order: int = 1) -> Function:
    """The derivative of a function of a number, or of a function that works on each element of an array by itself.

    >>> import numpy as np, dualdiff as dd
    >>> dd.derivative(np.sin)(0.0)
    1.0

    Parameters
    ----------
    f : callable
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of derivatives, a pass each.
    order : int
        How many times to differentiate; from order 3 on by Taylor coefficients, see `taylor`.

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
    >>> dd.derivative(lambda x: x**3, order=2)(2.0)
    12.0
    >>> dd.derivative(lambda x: x**2)(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    order = check_order("derivative", order)
    if order == 0:
        return f
    if order > 1:
        nested = derivative(derivative(f, argnums, order - 1), argnums)
        if order < 3 or isinstance(argnums, tuple):  # nesting costs 2**order, jets order**2
            return nested

        def compute(call: Call) -> Any:
            if lexicographic():  # which needs tangents that have an order
                return nested(*call.args, **call.kwargs)
            return highest(call, order)

        return transformed("derivative", f, argnums, compute)

    if type(argnums) is not int or argnums != 0:
        return transformed("derivative", f, argnums, lambda call: _derivative(call)[1])

    careful = foreign()

    def in_general(*args: Any, **kwargs: Any) -> Any:
        return _derivative(Call("derivative", f, argnums, args, kwargs))[1]

    found: Found = "", [(object, object)]  # not looked for yet

    def differentiated(x: Any = _NOTHING, /, *more: Any, **kwargs: Any) -> Any:
        nonlocal found
        for get, ref in found[1]:
            if get() is not ref():
                found = question(f)
                break
        if type(x) is float and not (more or kwargs or careful or found[0]):  # the common case, without ceremony
            tag = start()
            dual = new(Dual)
            dual.value = x
            dual.tangent = 1.0
            dual._tag = tag
            try:
                y = f(dual)
            except Exception:
                return in_general(x)  # which can follow f, and says what is wrong
            finally:
                lost = end(tag)
            if lost is not None:  # and f swallowed the error
                return in_general(x)
            if type(y) is Dual and y._tag is tag and type(y.value) is float:
                return y.tangent
            if foreign():
                return in_general(x)
            values, ts, rebuild = taken_apart(y, tag, "derivative")
            if still(ts, (), False):
                search(Call("derivative", f, 0, (x,), {}), f, y)
            return rebuild(tangents_or_zeros(values, ts))
        return in_general(*_given(x, *more), **kwargs)

    return _named(f, differentiated, "derivative", argnums)


def _derivative(call: Call) -> tuple[Any, Any]:
    if call.many:
        each = [_derivative(Call(call.name, call.f, k, call.args, call.kwargs)) for k in call.argnums]
        return each[0][0] if each else call.f(*call.args, **call.kwargs), tuple(d for _, d in each)
    if len(call.leaves) != 1:
        raise TypeError(f"{call.name}: the argument is a container; use gradient or jacobian")
    (x,) = call.leaves
    directions = [np.ones_like(plain(x))]
    if shape_of(x):
        directions += probes(x, 1)
    if is_complex(x):
        directions.append(1j * directions[0])
    single = len(directions) == 1
    values, ts, rebuild = call.run([directions[0][()] if single else np.stack(directions)])
    results = []
    for v, t in zip(values, ts):
        t = with_directions(t, v, len(directions))
        if is_complex(x):
            check_holomorphic(call, t[0], t[-1])
        for k in range(1, len(directions) if shape_of(x) else 1):
            instead = "use jacobian(f) for all partial derivatives, or gradient(f) for a scalar f"
            check_elementwise(call, t[0], directions[k], t[k], instead)
        results.append(number(t[0]))
    return rebuild(values), rebuild(results)


def gradient(f: Function, argnums: Argnums = 0, mode: str = "forward") -> Function:
    """The gradient of a scalar function: an array of the argument's shape (the shape convention).

    >>> import numpy as np, dualdiff as dd
    >>> dd.gradient(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])

    Parameters
    ----------
    f : callable
        Its result must have shape ().
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of gradients.
    mode : {"forward", "reverse", "auto"}
        "reverse" records f and walks back once: for arguments of many elements that f mixes (networks, solvers) it
        costs a few evaluations of f, and the memory of what f computed on the way. "auto" is "reverse" here, except
        for one element.

    Returns
    -------
    callable
        With f's own signature; called once, f runs once.

    Raises
    ------
    ValueError
        If f's result is not a scalar: use `jacobian`.

    Examples
    --------
    >>> dd.gradient(lambda x, y, z: (x + y) * max(y, z), argnums=(0, 1, 2))(1.0, 2.0, 0.0)
    (2.0, 5.0, 0.0)
    """
    _check_mode("gradient", mode)
    return transformed("gradient", f, argnums, lambda call: gradient_of(call, mode)[1])


def value_and_gradient(f: Function, argnums: Argnums = 0, mode: str = "forward") -> Function:
    """As `gradient`, returning (value, gradient) of one sweep; fits `scipy.optimize.minimize(..., jac=True)`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.value_and_gradient(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    _check_mode("value_and_gradient", mode)
    return transformed("value_and_gradient", f, argnums, lambda call: gradient_of(call, mode))


def gradient_of(call: Call, mode: str) -> tuple[Any, Any]:
    if mode == "auto":
        mode = "forward" if sum(map(size_of, call.leaves)) == 1 or lexicographic() else "reverse"
    record = None if mode == "forward" else Record(call)
    values, columns = (record.values, []) if record else forward_columns(call, None)[:2]
    if len(values) != 1 or shape_of(values[0]):
        what = f"shape {shape_of(values[0])}" if len(values) == 1 else f"{len(values)} arrays"
        instead = "jacobian" if "gradient" in call.name else "jacobian(jacobian(f))"
        raise ValueError(f"{call.name}: f must return a scalar, but its result has {what}; use {instead}")
    blocks = jacobian_rows(call, None, record)[0] if record else by_leaf(call, columns[0], values[0])
    return number(values[0]), call.per_argument(blocks)


def jacobian(
    f: Function,
    argnums: Argnums = 0,
    mode: str = "forward",
    chunk_size: int | None = None,
    sparse: Any = False,
    executor: Any = None,
    progress: bool = False,
) -> Function:
    """The Jacobian of a function: all partial derivatives of its result, of shape `out.shape + in.shape`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.jacobian(lambda x: [x[0] * x[1], x[0]])(np.array([1.0, 2.0]))
    array([[2., 1.],
           [1., 0.]])

    Parameters
    ----------
    f : callable
        Its result is a number, an array, a list or tuple of numbers, or a container of arrays.
    argnums : int or tuple of ints
        Which arguments to differentiate with respect to; a tuple gives a tuple of Jacobians.
    mode : {"forward", "reverse", "auto"}
        "forward" carries the directions of the arguments through f. "reverse" records f once and walks back with the
        directions of the result, one for each of its m elements. "auto" takes "reverse" where the result has at most
        half as many elements as the arguments, else "forward", for which f runs once more.
    chunk_size : int, optional
        How many directions one sweep carries, in reverse mode those of the result. 1 makes n forward passes with one
        direction each; None as many as fit into seeds of 256 MB, mostly all, and with an executor no more than an even
        share for each CPU of this machine. Every array f computes on its way has a tangent `chunk_size` times as large.
        f is called once a sweep. The chunk size does not change the result, except that BLAS and LAPACK may round the
        last bits of a product or a solution differently in batches of another size.
        With None, no executor, and more than 128 elements in the arguments, tangents are row-local: of each result only
        the elements of the argument are stored on which it depends, until a step mixes too many of them, from where on
        they are dense. If that would take more than 256 MB, the sweep starts again in dense chunks.
    sparse : bool or sparse array, optional
        True gives SciPy CSR arrays of shape (out.size, in.size), one for each argument, in one sweep and without any
        dense array in between. Every element that can differ from 0 is stored; indices are sorted. A sparse array of
        that shape (of all arguments' elements side by side) that is nonzero where the Jacobian may be serves functions
        that mix too much on the way: columns without common rows share a direction.
    executor : optional
        What the sweeps are handed to: any executor of `concurrent.futures`, of threads or processes,
        `Client(...).get_executor()` of dask.distributed, an MPI pool; all that is needed is `submit`, returning futures
        with `result`. The results are those of the same chunks without it. f then runs in the workers, once a chunk (in
        reverse mode once here as well), and under the caller's `kinks` mode and `np.errstate`. Other processes get f
        and its arguments by cloudpickle, if it is installed; without it f must be a function at the top level of a
        module. Their warnings, prints and changes of global variables stay there. Inside another derivative only
        threads will do. Sparse Jacobians take none.
    progress : bool, optional
        Show a bar of the sweeps that are done, if tqdm is installed; a row-local sweep is a single one and shows none.

    Returns
    -------
    callable
        With f's own signature, so that it fits `jac=` of SciPy's solvers. It returns a C-contiguous array of f's
        float type; for a container as argument or result, the same container of Jacobians, the result's outermost.

    Raises
    ------
    ValueError, TypeError
        If argnums, mode, chunk_size or executor make no sense, f's result is not numeric, or f can't be sent to another
        process. What f raises in a worker comes out here, and so does the executor's own error where a worker has died.
    StructureLostError
        A MemoryError: with sparse=True, where a dense array of derivatives would be needed that does not fit. The
        message names the step.

    Examples
    --------
    >>> J = dd.jacobian(lambda u: u[2:] - 2 * u[1:-1] + u[:-2], sparse=True)(np.ones(1_000_000))
    >>> J.shape, J.nnz
    ((999998, 1000000), 2999994)

    The directions in four sweeps, by two threads:

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     J = dd.jacobian(lambda x: np.outer(x, x), chunk_size=25, executor=pool)(np.ones(100))
    >>> J.shape
    (100, 100, 100)
    """
    how = _checked("jacobian", mode, chunk_size, sparse, executor, progress)
    return transformed("jacobian", f, argnums, lambda call: jacobian_of(call, *how)[1])


def value_and_jacobian(
    f: Function,
    argnums: Argnums = 0,
    mode: str = "forward",
    chunk_size: int | None = None,
    sparse: Any = False,
    executor: Any = None,
    progress: bool = False,
) -> Function:
    """As `jacobian`, returning (value, Jacobian) of one sweep.

    >>> import numpy as np, dualdiff as dd
    >>> dd.value_and_jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    (array([1., 4.]), array([[2., 0.],
           [0., 4.]]))
    """
    how = _checked("value_and_jacobian", mode, chunk_size, sparse, executor, progress)
    return transformed("value_and_jacobian", f, argnums, lambda call: jacobian_of(call, *how))


def _checked(name: str, mode: str, chunk_size: Any, sparse: Any, executor: Any, progress: bool) -> tuple[Any, ...]:
    _check_mode(name, mode)
    check_executor(name, executor, sparse)
    return mode, chunk_size, bool(sparse) if isinstance(sparse, np.bool) else sparse, executor, progress


def jacobian_of(
    call: Call, mode: str, chunk_size: Any = None, sparse: Any = False, executor: Any = None, progress: bool = False
) -> tuple[Any, Any]:
    forward = mode == "forward" or sparse is not False or (mode == "auto" and lexicographic())
    record = None if forward else Record(call)
    if sparse is not False:
        values, parts, rebuild = sparse_blocks(call, mode, chunk_size, sparse)
    elif record is not None and (mode == "reverse" or better_reversed(record)):
        values, rebuild = record.values, record.rebuild
        parts = jacobian_rows(call, chunk_size, record, executor, progress)
    else:
        values, columns, rebuild = forward_columns(call, chunk_size, executor, progress)
        parts = [by_leaf(call, c, v) for c, v in zip(columns, values)]
    blocks = [call.per_argument(b) for b in parts]
    value = rebuild([number(v) for v in values])
    if call.many:  # a tuple over arguments of containers over results
        return value, tuple(rebuild([b[k] for b in blocks]) for k in range(len(call.parts)))
    return value, rebuild(blocks)


def _check_mode(name: str, mode: str) -> None:
    if mode not in ("forward", "reverse", "auto"):
        raise ValueError(f"{name}: mode must be 'forward', 'reverse' or 'auto', not {mode!r}")
