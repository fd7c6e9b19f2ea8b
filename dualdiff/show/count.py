"""Counting the recorded run of a function: its primitives, the operations of its linear program, and what is stored.

Conventions. An elementwise function costs one operation an element, whatever it is, and so does a slope that is not an
operand or the result already. A product of arrays costs a multiplication and an addition for each of its terms; moving
elements costs nothing. A tangent pass costs what its linear maps do: a product for each weight, an addition where
terms meet. The cotangent pass costs the transposes: the same products, and additions where cotangents meet.
Factorisations and fft cost their leading term (Golub and Van Loan, Matrix Computations); a linear function of unknown
cost is taken for two operations an element, and named in the report. A complex operation counts as one.

Stored is what is alive at once if each value is freed after its last use. Not counted: primitives that do not depend on
the arguments, the slope's own scratch memory, Python's objects, and the Jacobian, which all methods return.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import numpy as np

from ..core.table import plain, shape_of
from ..rules import ELEMENTWISE
from ..run.call import Call, dtype_of, is_complex, size_of
from ..spaces.cotangents import order
from ..spaces.recorded import Combine, Contract, Gather, Join, Linear, Put, Recorded, Tape, Total


@dataclass(frozen=True)
class Counts:
    """What is counted in one recorded run of f; all costs are made of these."""

    n: int  # directions: elements of the arguments, complex ones twice
    m: int  # cotangents: elements of the result
    primitives: int
    evaluation: int  # operations of f
    slopes: int  # operations of the partial derivatives, once a sweep
    factors: int  # operations that a sweep needs once, whatever the number of its directions
    tangent: int  # operations of one direction
    cotangent: int  # operations of one cotangent
    live: int  # bytes of f's values that are alive at once, each freed after its last use; so are tangents, cotangents
    tape: int  # bytes that reverse mode keeps for the transposes
    inputs: int  # bytes of the arguments
    outputs: int  # bytes of the result


class _Rows(list[Any]):
    """The primitives as they are noted, each with the node of its result, which an assignment may exchange later."""

    def append(self, row: Any) -> None:
        super().append((*row, row[3].tangent))


class _Log(Tape):
    """A tape that knows its copies of constants, which are no slopes."""

    def __init__(self) -> None:
        super().__init__(_Rows())
        self.copies: list[Any] = []

    def keep(self, w: Any) -> Any:
        self.copies.append(super().keep(w))
        return self.copies[-1]


_MOVES = {np.real, np.imag, np.conj}
_FACTOR = {  # operations for each element of the matrix and unit of its smaller side
    np.linalg.solve: 2 / 3, np.linalg.det: 2 / 3, np.linalg.slogdet: 2 / 3, np.linalg.inv: 2, np.linalg.cholesky: 1 / 3,
    np.linalg.qr: 8 / 3, np.linalg.eigh: 9, np.linalg.eigvalsh: 4 / 3, np.linalg.eig: 25, np.linalg.svd: 21,
}  # fmt: skip


def _factor(function: Any, args: Any) -> int:
    shape = shape_of(args[0])
    return round(_FACTOR[function] * prod(shape) * min(shape[-2:]))


def _linear(node: Linear, function: Any, args: Any, estimated: dict[str, None]) -> tuple[int, int]:
    """Operations once a sweep and for each direction of a linear function that only its rule knows."""
    size = prod(node.shape)
    if node.function in _MOVES:
        return 0, 0
    if function is np.cumsum:
        return 0, size
    if function is np.linalg.solve:
        return _factor(function, args), 2 * size * node.shape[-2]
    if getattr(function, "__module__", "") == "numpy.fft":
        return 0, round(5 * size * log2(max(*node.shape, 2)))
    estimated[getattr(function, "__name__", str(function))] = None
    return 0, 2 * size


def _contract(node: Contract, back: bool = False) -> int:
    """A product for each combination of indices, and an addition unless none is summed over."""
    sizes: dict[str, int] = {}
    for c, size in zip(node.weight_sub + node.sub, shape_of(node.weight) + node.shape):
        sizes[c] = max(sizes.get(c, 1), size)
    kept = node.sub if back else node.out
    met = set(node.weight_sub + node.out if back else sizes)  # back, what was only summed over is broadcast
    return prod(sizes[c] for c in met) * (2 if met - set(kept) else 1)


def _moved(node: Gather) -> int:
    return size_of(node.numbers if node.numbers is not None else node.move(np.empty(node.shape, np.int8)))


def _forward(node: Any) -> int:
    """Operations of a node on one tangent."""
    if isinstance(node, Combine):
        products = sum(
            prod(np.broadcast_shapes(have, shape_of(plain(w))))
            for have, w in zip(node.shapes, node.weights)
            if type(w) is not int
        )
        return products + (len(node.weights) - 1) * prod(node.shape)
    if isinstance(node, Total):
        kept = prod(s for k, s in enumerate(node.shape) if k - len(node.shape) not in node.axes)
        return max(prod(node.shape) - kept, 0)
    return _contract(node) if isinstance(node, Contract) else 0


def _backward(node: Any) -> tuple[int, list[int]]:
    """Operations of its transpose on one cotangent, and how many elements that hands to each parent."""
    if isinstance(node, Combine):
        size, parts = prod(node.shape), [prod(have) for have in node.shapes]
        return sum(size * (type(w) is not int) + size - part for w, part in zip(node.weights, parts)), parts
    if isinstance(node, Gather):
        return _repeats(node.numbers), [min(_moved(node), prod(node.shape))]
    if isinstance(node, Join):
        return _repeats(node.numbers), [stop - start for start, stop, _ in node.where]
    if isinstance(node, Put):
        return 0, [prod(node.shape), size_of(node.numbers)][: len(node.parents)]
    return _contract(node, back=True) if isinstance(node, Contract) else 0, [prod(node.shape)]


def _repeats(numbers: Any) -> int:
    """How many elements are added to others, for they come from the same one."""
    if numbers is None or not shape_of(numbers):
        return 0
    numbers = np.asarray(numbers)
    inside = numbers[numbers > 0]
    return int(inside.size - np.unique(inside).size)


def _bytes(x: Any) -> int:
    return size_of(x) * int(dtype_of(x).itemsize)


def _root(x: Any) -> Any:
    """The array that owns the memory of a view."""
    while isinstance(getattr(x, "base", None), np.ndarray):
        x = x.base
    return x


def _held(node: Any) -> Iterable[Any]:
    """What a node keeps for its transpose, also in the closure of a function."""
    if not isinstance(node, Linear):
        yield from node.held()
        return
    todo, seen = [node.transpose], set()
    while todo:
        f = todo.pop()
        for cell in getattr(f, "__closure__", None) or ():
            try:
                x = cell.cell_contents
            except ValueError:  # a name that has no value yet
                continue
            if isinstance(x, np.ndarray):
                yield x
            elif callable(x) and id(x) not in seen:
                seen.add(id(x))
                todo.append(x)


class _Memory:
    """When each value of f is born and last used, a row a primitive; views and assignments share their operand's."""

    def __init__(self, leaves: Sequence[Any], xs: Sequence[Any]) -> None:
        self.blocks: list[list[int]] = []  # bytes, first row, last row
        self.of: dict[Any, list[int]] = {}
        for leaf, x in zip(leaves, xs):
            self.new(leaf, _bytes(x), 0)
        self.inputs = list(leaves)

    def new(self, node: Any, size: int, row: int) -> None:
        self.of[node] = [size, row, row]
        self.blocks.append(self.of[node])

    def use(self, node: Any, row: int) -> None:
        if node in self.of:
            self.of[node][2] = max(self.of[node][2], row)

    def add(self, node: Any, row: int, value: Any) -> None:
        for parent in node.parents:
            self.use(parent, row)
        if isinstance(node, Put) and node.parents[0] not in self.of:  # the first store into an array of zeros
            self.new(node.parents[0], 8 * prod(node.shape), row)
        view = isinstance(node, Put) or (isinstance(node, Gather) and node.numbers is None)
        if view and node.parents[0] in self.of:
            self.of[node] = self.of[node.parents[0]]
        elif value is not None:
            v = plain(value)
            self.new(node, min(_bytes(v), _bytes(_root(v))), row)

    def peak(self, outputs: Sequence[Any]) -> int:
        end = max((last for _, _, last in self.blocks), default=0)
        for node in [*self.inputs, *outputs]:  # the caller holds the arguments
            self.use(node, end)
        change = [0] * (end + 2)
        for size, first, last in self.blocks:
            change[first] += size
            change[last + 1] -= size
        return max(itertools.accumulate(change))


def count(call: Call) -> tuple[Counts, tuple[str, ...]]:
    """The counts of f, and the names of the functions whose cost is a guess."""
    tape = _Log()
    leaves = [Recorded(tape) for _ in call.leaves]
    values, outputs, _ = call.run(leaves)
    rows = tape.rows or []
    rows = [r for r in rows if r[3]._tag == rows[-1][3]._tag]  # of the last run, if f had to be run again
    again = [k and bool(r[1]) and r[1] is rows[k - 1][1] for k, r in enumerate(rows)]  # another result of the same
    rows = [r for r, known in zip(rows, again) if not known]
    backward = order(outputs)
    program = order([*backward, *(r[4] for r in rows)])[::-1]

    known = {id(_root(x)): x for x in tape.copies + call.leaves}  # values and constants: no slopes need computing
    for _, args, _, result, _ in rows:
        for x in map(plain, (*args, result)):
            known[id(_root(x))] = x
    estimated: dict[str, None] = {}
    linear: dict[Any, int] = {}
    memory = _Memory(leaves, call.leaves)
    evaluation = slopes = factors = tangent = cotangent = at = 0
    for row, (function, args, _, result, last) in enumerate(rows):
        costs = [0]  # of the maps that this primitive is made of
        while at < len(program) and program[at].serial <= last.serial:
            node, at = program[at], at + 1
            memory.add(node, row, result.value if node is last else None)
            cost = _forward(node)
            if isinstance(node, Linear):
                once, cost = _linear(node, function, args, estimated)
                factors += once
                linear[node] = cost
            tangent += cost
            costs.append(cost)
            weights = node.weights if isinstance(node, Combine) else [node.weight] if isinstance(node, Contract) else []
            for w in weights:
                if type(w) is not int and function is not np.multiply and id(_root(w)) not in known:
                    known[id(_root(w))] = w
                    slopes += size_of(plain(w))
        if function in ELEMENTWISE:
            evaluation += size_of(result.value)
        else:
            evaluation += max(costs) + (_factor(function, args) if function in _FACTOR else 0)
    for node in program[at:]:
        memory.add(node, len(rows), None)

    kept, seen = {}, set()
    for node in backward:
        if not node.parents:
            continue
        cost, parts = _backward(node)
        cotangent += linear.get(node, cost)
        for parent, part in zip(node.parents, parts):
            cotangent += part if parent in seen else 0  # gradients accumulate
            seen.add(parent)
        for w in _held(node):
            kept[id(_root(w))] = _root(w)
    counts = Counts(
        n=sum(size_of(x) * (1 + is_complex(x)) for x in call.leaves),
        m=sum(size_of(v) * (1 + is_complex(v)) for v in values),
        primitives=len(rows),
        evaluation=evaluation,
        slopes=slopes,
        factors=factors,
        tangent=tangent,
        cotangent=cotangent,
        live=memory.peak(outputs),
        tape=sum(map(_bytes, kept.values())),
        inputs=sum(map(_bytes, call.leaves)),
        outputs=sum(map(_bytes, values)),
    )
    return counts, tuple(estimated)


# ---------------------------------------------------------------- what follows for each method


@dataclass(frozen=True)
class Cost:
    """What one method costs for the whole Jacobian; None where it is not counted or not timed."""

    method: str
    passes: int  # calls of f on numbers of any kind; for reverse the passes backwards, after one call of f
    primitives: int | None  # how often a primitive of f is evaluated
    operations: int | None  # floating-point operations
    bytes: int | None  # peak of what is stored for intermediates
    seconds: float | None = None
    note: str = ""  # about the seconds


def costs_of(c: Counts) -> dict[str, Cost]:
    n, m, p, live = c.n, c.m, c.primitives, c.live
    run, once, quotient = c.evaluation + c.slopes, c.factors, 1 + 2 * c.m
    both = live + c.inputs + c.outputs  # beside the working set the point and a result are kept
    rows = [
        Cost("f", 1, p, c.evaluation, live),
        Cost("forward", n, n * p, n * (run + once + c.tangent), 2 * live),
        Cost("forward_vector", 1, p, run + once + n * c.tangent, (1 + n) * live),
        Cost("forward_rows", 1, None, None, None),
        Cost("reverse", m, p, run + m * (once + c.cotangent), c.tape + live),
        Cost("reverse_vector", 1, p, run + once + m * c.cotangent, c.tape + m * live),
        Cost("differences", n + 1, (n + 1) * p, (n + 1) * c.evaluation + n * quotient, both),
        Cost("central", 2 * n, 2 * n * p, 2 * n * c.evaluation + n * (quotient + 1), both),
    ]
    return {r.method: r for r in rows}
