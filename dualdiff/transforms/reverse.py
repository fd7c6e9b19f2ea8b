"""Reverse mode: f is run once, its linear program recorded, which is then walked backwards for each cotangent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.number import Number
from ..core.values import dtype_of, is_array, is_complex, plain, shape_of, size_of
from ..run.call import SEED_BYTES, Call, Function, check_holomorphic, number, own_copy, zeros
from ..run.checks import check_function, fitting
from ..run.executors import chunk_of, passes
from ..spaces.cotangents import Cotangents, Tape, order, real
from ..spaces.recorded import Recorded


class Record:
    """One recorded run of f: values of the result's leaves, and the nodes of their tangents (None where constant)."""

    def __init__(self, call: Call, rows: list[Any] | None = None) -> None:
        self.call, self.tape = call, Tape(rows)
        self.tape.complex = any(map(is_complex, call.leaves))
        self.leaves = [Recorded(self.tape) for _ in call.leaves]
        self.values, self.nodes, self.rebuild = call.run(self.leaves)
        self.order: list[Any] | None = None

    def __reduce__(self) -> Any:
        return Record, (self.call,)  # in another process f is recorded again

    def pull(self, seeds: Sequence[Any], lead: tuple[int, ...] = ()) -> list[Any]:
        """The cotangents of the arguments' leaves for those of the result's (None: zero), behind `lead` axes."""
        cts = self.cotangents(seeds)
        if not cts.finite(self.leaves):
            cts = self.cotangents(seeds, careful=True)
        results = []
        for node, x in zip(self.leaves, self.call.leaves):
            ct = cts.of.get(node)
            if ct is None:
                ct = zeros(lead + shape_of(x), x)
            results.append(_like(ct, x, lead, node in cts.owned))
        return results

    def cotangents(self, seeds: Sequence[Any], careful: bool = False) -> Cotangents:
        if self.order is None:
            self.order = order(self.nodes)
        return Cotangents(self.nodes, seeds, self.order, careful).run()


def _like(ct: Any, x: Any, lead: tuple[int, ...], ours: bool) -> Any:
    """A cotangent as a number or array of its own, of the type of its primal."""
    if not is_complex(x):
        ct = real(ct)
    shape, dtype = lead + shape_of(x), dtype_of(x)
    alone = not lead and not hasattr(x, "shape")
    if isinstance(ct, Number):
        return own_copy(ct) if alone or is_array(ct) else np.reshape(ct, shape)  # type: ignore[call-overload]
    if alone:
        return type(x)(ct)
    if not is_array(ct) or ct.shape != shape:
        ct = np.broadcast_to(ct, shape)
    if not ours or type(ct) is not np.ndarray or ct.dtype != dtype or ct.base is not None:
        ct = ct.astype(dtype)
    return ct[()] if isinstance(x, np.generic) and not lead else ct


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The value of f and its pullback, which maps cotangents of the result to cotangents of the arguments.

    >>> import numpy as np, dualdiff as dd
    >>> value, pullback = dd.vjp(lambda W, x: W @ x, np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 1.0]))
    >>> value
    array([3., 7.])

    Parameters
    ----------
    f : callable
    *primals
        The arguments of f: numbers, arrays, or containers of them.

    Returns
    -------
    value
        As f returns it.
    pullback : callable
        `pullback(ct)` for a cotangent of the structure and shapes of the value is J^T ct, the vector-Jacobian product:
        of the primal's shape, for several primals a tuple. If every array of `ct` has one leading axis more, a batch
        of cotangents, so has the result. It may be called many times; f is not run again.

    Raises
    ------
    ValueError
        From the pullback, if the cotangent does not fit the value.

    Notes
    -----
    For complex numbers the transpose is that of the real inner product Re(conj(a) b), so that pullback(ct) is J^H ct
    for a holomorphic f. The method: Linnainmaa (1976); Griewank and Walther, Evaluating Derivatives, ch. 3.

    Examples
    --------
    >>> pullback(np.array([1.0, 0.0]))
    (array([[1., 1.],
           [0., 0.]]), array([1., 2.]))
    """
    check_function("vjp", f, "vjp(f, x)")
    argnums = tuple(range(len(primals)))
    call = Call("vjp", f, 0 if len(primals) == 1 else argnums, primals, {})
    record = Record(call)
    value = record.rebuild([number(own_copy(v)) for v in record.values])

    def pullback(ct: Any) -> Any:
        seeds, lead = fitting("pullback", "the cotangent", ct, "the value", value, record.values, batched=True)
        return call.per_argument(record.pull([own_copy(s) for s in seeds], lead))

    return value, pullback


def jacobian_rows(
    call: Call, chunk_size: int | None, record: Record, executor: Any = None, progress: bool = False
) -> list[list[Any]]:
    """For each leaf of the result the Jacobian blocks with respect to each leaf of the arguments, a row a cotangent."""
    blocks = []
    for k, v in enumerate(record.values):
        if type(v) is float and len(record.values) == 1 and not record.tape.complex:  # a gradient, without ceremony
            blocks.append([_block(ct) for ct in record.pull([1.0])])
        elif record.nodes[k] is None or size_of(v) == 0:
            blocks.append([_block(zeros(shape_of(v) + shape_of(x), v)) for x in call.leaves])
        else:
            rows = _rows(record, k, chunk_size, executor, progress)
            blocks.append([_from_rows(call, v, x, *parts) for x, *parts in zip(call.leaves, *rows)])
    return blocks


def _rows(record: Record, k: int, chunk_size: int | None, executor: Any, progress: bool) -> list[list[Any]]:
    """Cotangents of each argument's leaf for the unit cotangents of leaf k of the result; if complex also for i times
    these."""
    v, call = record.values[k], record.call
    m, turns = size_of(v), (1, 1j) if is_complex(v) else (1,)
    most = SEED_BYTES // (8 * max([m, *map(size_of, call.leaves)]))
    chunk = chunk_of(call.name, m, chunk_size, most, executor)
    jobs = [(k, turn, start, min(start + chunk, m)) for turn in turns for start in range(0, m, chunk)]
    parts = passes(call.name, reverse_pass, record, jobs, executor, progress)
    count = len(jobs) // len(turns)
    whole = [zip(*parts[i : i + count]) for i in range(0, len(jobs), count)]
    return [[g[0] if count == 1 else np.concatenate(g) for g in each] for each in whole]


def _from_rows(call: Call, v: Any, x: Any, first: Any, second: Any = None) -> Any:
    """The Jacobian block of a result v by x, from cotangents of x for those of v: 1 and, if v is complex, i.

    A pullback is the transpose for Re(conj(a) b): its real part has the derivatives along 1, its imaginary part, for a
    complex x, those along i.
    """
    block = np.real(first) if is_complex(x) else first
    if second is not None:
        block = block + 1j * (np.real(second) if is_complex(x) else second)
    if is_complex(x):
        check_holomorphic(call, block, np.imag(first) + (0 if second is None else 1j * np.imag(second)))
    block = np.reshape(block, shape_of(v) + shape_of(x))
    return _block(block if block.dtype == dtype_of(v) or is_complex(x) else block.astype(dtype_of(v)))


def reverse_pass(record: Record, k: int, turn: Any, start: int, stop: int) -> list[Any]:
    """Rows start to stop, times `turn`, of the Jacobian of the result's leaf k for each leaf of the arguments."""
    v, p = record.values[k], stop - start
    ct = zeros((p, size_of(v)), v)
    ct[np.arange(p), np.arange(start, stop)] = turn
    seeds: list[Any] = [None] * len(record.values)
    lead = () if p == 1 else (p,)
    seeds[k] = ct.reshape(lead + shape_of(v))[()] if lead or shape_of(v) else number(ct[0, 0])
    got = record.pull(seeds, lead)
    return got if lead else [np.reshape(g, (1, *shape_of(x))) for x, g in zip(record.call.leaves, got)]


def _block(block: Any) -> Any:
    if shape_of(block):
        return np.ascontiguousarray(block) if isinstance(block, np.ndarray) else block.copy()
    block = block[()] if hasattr(block, "shape") else block
    return number(block)


def better_reversed(record: Record) -> bool:
    """Whether mode="auto" goes on in reverse: fewer results than arguments, by the cost of a pass of either kind.

    A batch of cotangents costs about twice as much an element as a batch of tangents, since it reads what was stored.
    """
    n = sum(size_of(x) for x in record.call.leaves)
    m = sum(size_of(plain(v)) for v in record.values)
    return 2 * m <= n
