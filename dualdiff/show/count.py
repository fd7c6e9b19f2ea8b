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
from collections.abc import Iterable
from dataclasses import dataclass
from math import log2, prod
from typing import Any, NamedTuple

import numpy as np

from ..core.table import ELEMENTWISE
from ..core.values import dtype_of, is_complex, plain, shape_of, size_of
from ..run.call import Call
from ..spaces.cotangents import Tape, order
from ..spaces.recorded import Combine, Contract, Gather, Linear, Put, Recorded


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


class Primitive(NamedTuple):
    """A primitive as it was noted, with the node of its result, which an assignment may exchange later."""

    function: Any
    args: Any
    options: Any
    result: Any
    node: Any


Pairs = list[tuple[Primitive, Any]]  # a primitive with each node that it is made of


class _Primitives(list[Any]):
    def append(self, noted: Any) -> None:
        super().append(Primitive._make((*noted, noted[3].tangent)))


class _Log(Tape):
    """A tape that knows its copies of constants, which are no slopes."""

    def __init__(self) -> None:
        super().__init__(_Primitives())
        self.copies: list[Any] = []

    def keep(self, w: Any) -> Any:
        self.copies.append(super().keep(w))
        return self.copies[-1]


# ---------------------------------------------------------------- operations that only the primitive knows

_MOVES = {np.real, np.imag, np.conj}
_FACTOR = {  # operations for each element of the matrix and unit of its smaller side
    np.linalg.solve: 2 / 3, np.linalg.det: 2 / 3, np.linalg.slogdet: 2 / 3, np.linalg.inv: 2, np.linalg.cholesky: 1 / 3,
    np.linalg.qr: 8 / 3, np.linalg.eigh: 9, np.linalg.eigvalsh: 4 / 3, np.linalg.eig: 25, np.linalg.svd: 21,
}  # fmt: skip


def _factor(p: Primitive) -> int:
    """Operations of a factorisation."""
    if p.function not in _FACTOR:
        return 0
    shape = shape_of(p.args[0])
    return round(_FACTOR[p.function] * prod(shape) * min(shape[-2:]))


def _linear(node: Linear, p: Primitive) -> int | None:
    """Operations of a primitive's linear function on one tangent or cotangent, None if they are not known."""
    size = prod(node.shape)
    if node.function in _MOVES:
        return 0
    if p.function is np.cumsum:
        return size
    if p.function is np.linalg.solve:
        return 2 * size * node.shape[-2]
    if getattr(p.function, "__module__", "") == "numpy.fft":
        return round(5 * size * log2(max(*node.shape, 2)))
    return None


# ---------------------------------------------------------------- memory


def _bytes(x: Any) -> int:
    return size_of(x) * int(dtype_of(x).itemsize)


def _base(x: Any) -> Any:
    """The array that a view is of, else x itself."""
    while isinstance(getattr(x, "base", None), np.ndarray):
        x = x.base
    return x


def _held(node: Any) -> Iterable[Any]:
    """What a node keeps for its transpose, also in the closure of a function."""
    if not isinstance(node, Linear):
        yield from node.held()
        return
    functions, seen = [node.transpose], set()
    while functions:
        for cell in getattr(functions.pop(), "__closure__", None) or ():
            try:
                x = cell.cell_contents
            except ValueError:  # a name that has no value yet
                continue
            if isinstance(x, np.ndarray):
                yield x
            elif callable(x) and id(x) not in seen:
                seen.add(id(x))
                functions.append(x)


@dataclass
class _Block:
    """Memory of one value or, of views and assignments, several; from one primitive to another, by their numbers."""

    size: int
    born: int
    used: int


class _Memory:
    def __init__(self) -> None:
        self.blocks: list[_Block] = []
        self.of: dict[Any, _Block] = {}

    def new(self, node: Any, size: int, at: int) -> None:
        self.of[node] = _Block(size, at, at)
        self.blocks.append(self.of[node])

    def use(self, node: Any, at: int) -> None:
        if node in self.of:
            self.of[node].used = max(self.of[node].used, at)

    def add(self, node: Any, at: int, value: Any) -> None:
        """A node of the primitive number `at`, with the value if it is the result's node."""
        for parent in node.parents:
            self.use(parent, at)
        if isinstance(node, Put) and node.parents[0] not in self.of:  # the first store into an array of zeros
            self.new(node.parents[0], 8 * prod(node.shape), at)
        shares = isinstance(node, Put) or (isinstance(node, Gather) and node.numbers is None)
        if shares and node.parents[0] in self.of:
            self.of[node] = self.of[node.parents[0]]
        elif value is not None:
            v = plain(value)
            self.new(node, min(_bytes(v), _bytes(_base(v))), at)

    def peak(self, kept: Iterable[Any]) -> int:
        """The most bytes at once, if the values of the nodes `kept` live to the end and others to their last use."""
        end = max((block.used for block in self.blocks), default=0)
        for node in kept:
            self.use(node, end)
        change = [0] * (end + 2)
        for block in self.blocks:
            change[block.born] += block.size
            change[block.used + 1] -= block.size
        return max(itertools.accumulate(change))


# ---------------------------------------------------------------- counting


def count(call: Call) -> tuple[Counts, tuple[str, ...]]:
    """The counts of f, and the names of the functions whose cost is a guess."""
    tape = _Log()
    leaves = [Recorded(tape) for _ in call.leaves]
    values, outputs, _ = call.run(leaves)
    primitives = _last_run(tape.rows or [])
    backward = order(outputs)
    program = order([*backward, *(p.node for p in primitives)])[::-1]
    groups = _nodes_of(primitives, program)

    pairs = [(p, node) for p, nodes in zip(primitives, groups) for node in nodes]
    costs, estimated = _costs(program, pairs)
    kept = {id(base): base for node in backward for base in map(_base, _held(node))}
    counts = Counts(
        n=sum(call.widths),
        m=sum(size_of(v) * (1 + is_complex(v)) for v in values),
        primitives=len(primitives),
        evaluation=sum(_evaluation(p, [costs[node][0] for node in nodes]) for p, nodes in zip(primitives, groups)),
        slopes=_slopes(primitives, pairs, [*tape.copies, *call.leaves]),
        factors=sum(_factor(p) for p, node in pairs if p.function is np.linalg.solve and isinstance(node, Linear)),
        tangent=sum(costs[node][0] for _, node in pairs),
        cotangent=_cotangent(backward, costs),
        live=_live(dict(zip(leaves, call.leaves)), outputs, primitives, groups),
        tape=sum(map(_bytes, kept.values())),
        inputs=sum(map(_bytes, call.leaves)),
        outputs=sum(map(_bytes, values)),
    )
    return counts, estimated


def _costs(program: list[Any], pairs: Pairs) -> tuple[dict[Any, tuple[int, int]], tuple[str, ...]]:
    """Operations of each node on a tangent and on a cotangent, and the names of the functions where that is a guess."""
    costs, estimated = {node: node.cost() for node in program}, dict[str, None]()
    for p, node in pairs:
        known = _linear(node, p) if isinstance(node, Linear) else None
        if known is not None:
            costs[node] = known, known
        elif isinstance(node, Linear):
            estimated[getattr(p.function, "__name__", str(p.function))] = None
    return costs, tuple(estimated)


def _evaluation(p: Primitive, maps: list[int]) -> int:
    """Operations of the primitive itself: if it is not elementwise, those of the map of its tangent."""
    return size_of(p.result.value) if p.function in ELEMENTWISE else max(maps, default=0) + _factor(p)


def _live(inputs: dict[Any, Any], outputs: list[Any], primitives: list[Primitive], groups: list[list[Any]]) -> int:
    """The most bytes of values at once; `inputs`, which the caller holds, are the arguments by their nodes."""
    memory, results = _Memory(), {p.node: p.result.value for p in primitives}
    for leaf, x in inputs.items():
        memory.new(leaf, _bytes(x), 0)
    for k, nodes in enumerate(groups):
        for node in nodes:
            memory.add(node, k, results.get(node))
    return memory.peak([*inputs, *outputs])


def _last_run(noted: list[Primitive]) -> list[Primitive]:
    """The primitives of the last run, if f had to be run again, without further results of the same one."""
    run = [p for p in noted if p.result._tag == noted[-1].result._tag]
    return [p for k, p in enumerate(run) if not (k and p.args and p.args is run[k - 1].args)]


def _nodes_of(primitives: list[Primitive], program: list[Any]) -> list[list[Any]]:
    """For each primitive the nodes that it is made of, in the end those of none."""
    groups: list[list[Any]] = [[] for _ in range(len(primitives) + 1)]
    k = 0
    for node in program:
        while k < len(primitives) and node.serial > primitives[k].node.serial:
            k += 1
        groups[k].append(node)
    return groups


def _cotangent(backward: list[Any], costs: dict[Any, tuple[int, int]]) -> int:
    """Operations on one cotangent: those of the transposes, and additions where several reach a node."""
    operations = 0
    seen: set[Any] = set()
    for node in backward:
        if node.parents:
            operations += costs[node][1]
            for parent, elements in zip(node.parents, node.handed()):
                operations += elements if parent in seen else 0
                seen.add(parent)
    return operations


def _slopes(primitives: list[Primitive], pairs: Pairs, given: list[Any]) -> int:
    """Elements of the weights that f's values are not already, nor what is given."""
    known = {id(_base(x)): x for x in given}  # with x itself, so that no other gets its id
    for p in primitives:
        known.update((id(_base(x)), x) for x in map(plain, (*p.args, p.result)))
    elements = 0
    for p, node in pairs:
        for w in node.held() if isinstance(node, Combine | Contract) and p.function is not np.multiply else ():
            if id(_base(w)) not in known:
                known[id(_base(w))] = w
                elements += size_of(plain(w))
    return elements


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
