"""What was written down, freed of what is dead, repeated or known: the same numbers by fewer steps.

Only exact identities are used: x * 1, x * -1, x + 0, -(-x), copies of what nobody writes to, factors that are powers of
two moved within a product; and x * 0, which is 0 since programs look at their results instead of at each weight. Memory
that is written to is left as it stands, unless all that goes into it is known.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..core.tangents import scatter
from .recording import Log, Ref, Step, argument, decided, item, method, reduced

OF_SHAPE = {np.zeros_like, np.ones_like, np.empty_like}  # of whose operand only shape and type matter
CONSTANT = -1  # the owner of what is known


def refs(x: Any) -> Iterator[Ref]:
    """The steps whose results are among arguments."""
    if isinstance(x, Ref):
        yield x
    elif isinstance(x, slice):
        yield from refs((x.start, x.stop, x.step))
    elif isinstance(x, list | tuple | dict):
        for part in x.values() if isinstance(x, dict) else x:
            yield from refs(part)


def replaced(x: Any, what: Callable[[Ref], Any]) -> Any:
    """Arguments with something else in place of references."""
    if isinstance(x, Ref):
        return what(x)
    if isinstance(x, slice):
        return slice(*[replaced(v, what) for v in (x.start, x.stop, x.step)])
    if isinstance(x, dict):
        return {k: replaced(v, what) for k, v in x.items()}
    return type(x)([replaced(v, what) for v in x]) if type(x) in (list, tuple) else x


class Optimised:
    """The steps of a program, and its results: references to them, or constants."""

    def __init__(self, log: Log, results: list[Any]) -> None:
        self.log = log
        self.steps: list[Step] = []
        self.known: list[Any] = []  # what stands for each old step: a reference to a new one, or its value
        self.seen: dict[Any, Ref] = {}
        self.settled = self._settled()
        self.written: set[int] = set()  # new owners of memory that is written to
        for k, step in enumerate(log.steps):
            self.known.append(self._new(k, step))
        self.results = [replaced(r, self._now) for r in results]
        self._drop_dead()

    def _now(self, ref: Ref) -> Any:
        return self.known[ref.step]

    def value(self, x: Any) -> Any:
        """The value of an operand at the point of the recording."""
        return self.steps[x.step].value if isinstance(x, Ref) else x

    def owner(self, x: Any) -> int:
        return self.steps[x.step].owner if isinstance(x, Ref) else CONSTANT

    # ------------------------------------------------------------ what is known

    def _settled(self) -> set[int]:
        """Owners of memory made and filled from constants alone, before anything reads it."""
        steps, mutated = self.log.steps, self.log.mutated
        varies: set[int] = set()  # steps that depend on an argument, and owners of memory into which such went
        last: dict[int, int] = {}
        first: dict[int, int] = {}
        open_owners = set(mutated)
        for k, s in enumerate(steps):
            writes = s.owner in mutated and self._writes(s)
            read = [r for r in refs((s.args, s.kwargs)) if not (s.function in OF_SHAPE and r is s.args[0])]
            operands = [r for r in read if not writes or r is not s.args[0]]
            if s.function is argument or any({r.step, steps[r.step].owner} & varies for r in operands):
                varies |= {k, s.owner}
                open_owners.discard(s.owner)
            if writes:
                last[s.owner] = k
            for r in read:
                if steps[r.step].owner != s.owner:  # else a view, or the write itself
                    first.setdefault(steps[r.step].owner, k)
        return {o for o in open_owners if last.get(o, -1) < first.get(o, len(steps))}

    def _writes(self, step: Step) -> bool:
        return step.value is None or step.function is operator.setitem or "out" in step.kwargs

    def _new(self, k: int, step: Step) -> Any:
        args, kwargs = replaced(step.args, self._now), replaced(step.kwargs, self._now)
        function, args = as_function(step.function, args, kwargs, step.value)
        if function is argument:
            return self._append(step, function, args, kwargs, None)
        if step.owner in self.settled:
            return step.value
        if step.owner in self.log.mutated:
            owner = None if step.owner == k else self.known[step.owner].step
            made = self._append(step, function, args, kwargs, owner)
            self.written.add(self.steps[made.step].owner)
            return made
        if function in OF_SHAPE:
            args = (step.value, *args[1:])
        operands = list(refs((args, kwargs)))
        if not operands and (function is not scatter or not np.any(step.value)):
            return step.value  # of a few numbers put into zeros, where they go says more
        if any(self.owner(r) in self.written for r in operands):
            owner = None if step.owner == k else self.owner(self.known[step.owner])
            return self._append(step, function, args, kwargs, owner)
        simpler = self._simpler(step, function, args, kwargs)
        if simpler is not None:
            return simpler
        return self._once(step, function, args, kwargs, None if step.owner == k else self.known[step.owner])

    def _once(self, step: Step, function: Any, args: Any, kwargs: Any, base: Any = None) -> Any:
        """A step that is taken only once."""
        key = keyed((function, args, kwargs))
        if key not in self.seen:
            self.seen[key] = self._append(step, function, args, kwargs, None if base is None else self.owner(base))
        return self.seen[key]

    def _append(self, step: Step, function: Any, args: Any, kwargs: Any, owner: int | None) -> Ref:
        at = len(self.steps)
        made = Step(function, args, kwargs, step.value, at if owner is None else owner)
        made.line = step.line
        self.steps.append(made)
        return Ref(at)

    # ------------------------------------------------------------ identities

    def _simpler(self, step: Step, function: Any, args: Any, kwargs: Any) -> Any:
        """What gives the same numbers with less work, or None."""
        y, x = step.value, args[0]
        if function in COPIES or (function is method and args[1] in COPY_METHODS):
            same = self._same(x, y)
            return self._moved(function, args, kwargs, y) if same is None else same
        if function is np.conjugate or (function is method and args[1] in ("conj", "conjugate")):
            return None if np.iscomplexobj(y) else self._same(x, y)
        if function is operator.getitem:
            if args[1] is Ellipsis or (type(args[1]) is tuple and set(map(type, args[1])) <= {type(Ellipsis)}):
                return self._same(x, y)
            if isinstance(args[1], int) and args[1] == 0 and isinstance(x, Ref):
                inner = self.steps[x.step]
                if (inner.function, inner.args[1:]) == (operator.getitem, (None,)):
                    return self._same(inner.args[0], y)
        if function is reduced and args[0] is np.add and kwargs.get("axis") == ():
            return self._same(args[2], y)
        if function is np.transpose:
            return self._moved(function, args, kwargs, y)
        if function is scatter:
            return self._composed(y, *args)
        if kwargs or not isinstance(function, np.ufunc):
            return None
        if function is np.negative and isinstance(x, Ref):
            inner = self.steps[x.step]
            if inner.function is np.negative:
                return inner.args[0]
            if inner.function is np.multiply and not inner.kwargs and isinstance(inner.args[0], float):
                return self._apply(np.multiply, y, -inner.args[0], inner.args[1])
            if inner.function is scatter:
                t = inner.args[0]
                minus = self._apply(np.negative, -self.value(t), t) if isinstance(t, Ref) else -t
                return self._apply(scatter, y, minus, *inner.args[1:])
        if function is np.positive:
            return self._same(x, y)
        return self._arithmetic(step, function, *args) if len(args) == 2 else None

    def _moved(self, function: Any, args: Any, kwargs: Any, y: Any) -> Any:
        """A reshape of a reshape, or a transpose of a transpose, as one of what that was made from."""
        x = args[0]
        if kwargs or not isinstance(x, Ref):
            return None
        inner = self.steps[x.step]
        if function is np.transpose and axes_order(args, np.ndim(y)) == tuple(range(np.ndim(y))):
            return self._same(x, y)
        if len(args) > 2 or len(inner.args) > 2:
            return None  # another order than C's
        if function is np.reshape and inner.function is np.reshape and not inner.kwargs:
            base = inner.args[0]
            return base if self._same(base, y) is not None else self._once_of(np.reshape, y, base, np.shape(y))
        if function is np.transpose and inner.function is np.transpose and not inner.kwargs:
            base, n = inner.args[0], np.ndim(y)
            order = tuple([axes_order(inner.args, n)[k] for k in axes_order(args, n)])
            return base if order == tuple(range(n)) else self._once_of(np.transpose, y, base, order)
        return None

    def _composed(self, y: Any, t: Any, numbers: Any, shape: Any) -> Any:
        """Elements put to places of what was put to places itself, at once."""
        inner = self.steps[t.step] if isinstance(t, Ref) else None
        if inner is not None and inner.function is np.reshape and len(inner.args) == 2 and not inner.kwargs:
            inner = self.steps[inner.args[0].step]
        if inner is None or inner.function is not scatter or isinstance(numbers, Ref) or isinstance(inner.args[1], Ref):
            return None
        u, first, of = inner.args
        alike = np.shape(self.value(u)) == np.shape(first) and np.shape(self.value(t)) == np.shape(numbers)
        if not alike or math.prod(of) != np.size(numbers):
            return None  # in many directions
        both = np.where(first > 0, np.ravel(numbers)[first - 1], 0)
        return self._once(Step(scatter, (u, both, shape), {}, y, -2), scatter, (u, both, shape), {})

    def _once_of(self, function: Any, value: Any, x: Any, *more: Any) -> Any:
        return self._once(Step(function, (x, *more), {}, value, -2), function, (x, *more), {}, x)

    def _arithmetic(self, step: Step, function: Any, a: Any, b: Any) -> Any:
        y = step.value
        if function is np.multiply:
            for c, x in ((a, b), (b, a)):
                k = uniform(c)
                if k is not None and self._same(x, y) is not None:
                    if k == 1 or k == -1:
                        return x if k == 1 else self._apply(np.negative, y, x)
                    if k == 0 and np.result_type(y).kind == "f":
                        return np.zeros_like(y)
                    if np.ndim(c):
                        return self._apply(function, y, *((float(k), b) if c is a else (a, float(k))))
            outer = self._scaled(a, b, y)
            if outer is not None:
                return outer
        if function is np.add:
            for c, x in ((a, b), (b, a)):
                if uniform(c) == 0 and self._same(x, y) is not None:
                    return x
            if self._negated(b) is not None:
                return self._apply(np.subtract, y, a, self._negated(b))
            if self._negated(a) is not None:
                return self._apply(np.subtract, y, b, self._negated(a))
        if function is np.subtract:
            if uniform(b) == 0 and self._same(a, y) is not None:
                return a
            if self._negated(b) is not None:
                return self._apply(np.add, y, a, self._negated(b))
        if function is np.true_divide and uniform(b) == 1:
            return self._same(a, y)
        return None

    def _scaled(self, a: Any, b: Any, y: Any) -> Any:
        """A product whose factor is negated, or is one by a power of two: both go outwards, where they meet others.

        Multiplication by a power of two is exact, so that it may be done before or after others.
        """
        for n, x in ((a, b), (b, a)):
            inner = self._negated(n)
            if inner is not None and self._same(inner, self.value(n)) is not None:
                return self._apply(np.negative, y, self._apply(np.multiply, y, *((inner, x) if n is a else (x, inner))))
            k, inner = self._power_of_two(n)
            if k is not None:
                j, other = self._power_of_two(x)
                if j is not None:
                    return self._apply(np.multiply, y, float(k * j), self._apply(np.multiply, y, inner, other))
                c = uniform(x)
                if c is not None and self._same(inner, y) is not None:
                    return self._apply(np.multiply, y, float(k * c), inner)
                if c is None and np.shape(self.value(n)) == np.shape(y):
                    return self._apply(np.multiply, y, float(k), self._apply(np.multiply, y, inner, x))
        return None

    def _power_of_two(self, x: Any) -> tuple[Any, Any]:
        """k and u where x is k * u and k a power of two, of float64 numbers; else None."""
        if isinstance(x, Ref):
            s = self.steps[x.step]
            if s.function is np.multiply and not s.kwargs and np.result_type(s.value) == np.float64:
                k, u = s.args
                if isinstance(k, int | float) and isinstance(u, Ref) and abs(math.frexp(k)[0]) == 0.5:
                    return k, u
        return None, None

    def _negated(self, x: Any) -> Any:
        if isinstance(x, Ref) and self.steps[x.step].function is np.negative:
            return self.steps[x.step].args[0]
        return None

    def _apply(self, function: Any, value: Any, *args: Any) -> Any:
        """A step in place of another, of the same value but maybe the sign."""
        step = Step(function, args, {}, value, -2)
        simpler = self._simpler(step, function, args, {})
        return self._once(step, function, args, {}) if simpler is None else simpler

    def _same(self, x: Any, y: Any) -> Any:
        """x, if it has the shape and type of y."""
        v = self.value(x)
        same = np.shape(v) == np.shape(y) and np.result_type(v) == np.result_type(y)
        same = same and (isinstance(v, np.ndarray | np.generic) or not isinstance(y, np.ndarray | np.generic))
        if same and isinstance(v, np.ndarray) and isinstance(y, np.ndarray) and v.size > 1:
            same = v.strides == y.strides  # by which a later reshape is a view or a copy
        return x if same and self.owner(x) not in self.written else None

    # ------------------------------------------------------------ dead steps

    def _drop_dead(self) -> None:
        alive: set[int] = set()
        memory: set[int] = set()

        def use(x: Any) -> None:
            for r in refs(x):
                alive.add(r.step)
                memory.add(self.steps[r.step].owner)

        use(self.results)
        for k in range(len(self.steps) - 1, -1, -1):
            s = self.steps[k]
            writes = s.owner != k and self._writes(s) and s.owner in memory
            if k in alive or s.function in (argument, decided) or writes:
                alive.add(k)
                use((s.args, s.kwargs))
                memory.add(s.owner)
        numbers = {old: new for new, old in enumerate(sorted(alive))}
        moved = lambda r: Ref(numbers[r.step])
        kept = []
        for k in sorted(alive):
            s = self.steps[k]
            args, kwargs = replaced(s.args, moved), replaced(s.kwargs, moved)
            kept.append(Step(s.function, args, kwargs, s.value, numbers.get(s.owner, CONSTANT)))
            kept[-1].line = s.line
        self.steps, self.results = kept, replaced(self.results, moved)
        self.written = {numbers[o] for o in self.written if o in numbers}


COPIES = {np.copy, np.asarray, np.ascontiguousarray, np.array, np.reshape, np.ravel, np.broadcast_to, np.squeeze}
COPIES |= {np.real, np.atleast_1d}
COPY_METHODS = {"copy", "astype", "reshape", "ravel", "flatten", "squeeze", "item"}


def axes_order(args: Any, n: int) -> tuple[int, ...]:
    """The order of axes that np.transpose was given."""
    order = args[1] if len(args) > 1 and args[1] is not None else range(n - 1, -1, -1)
    return tuple([k % n for k in order])


def as_function(function: Any, args: Any, kwargs: Any, value: Any) -> tuple[Any, Any]:
    """A method as the function of NumPy's that does the same, so that either is known as the other."""
    if function is not method or kwargs:
        return function, args
    x, name, *rest = args
    if name == "reshape" or (name == "ravel" and not rest):
        return np.reshape, (x, np.shape(value))
    if name == "transpose":
        order = rest[0] if len(rest) == 1 and not isinstance(rest[0], int) else tuple(rest)
        return np.transpose, (x, order) if order else (x,)
    if name == "copy" and not rest:
        return np.copy, (x, "C")
    return function, args


def uniform(c: Any) -> Any:
    """The number that all elements of a constant are, or None."""
    if isinstance(c, Ref | bool | np.bool) or not isinstance(c, int | float | np.ndarray | np.number):
        return None
    c = np.asarray(c)
    return c.flat[0] if c.dtype.kind in "fi" and c.size and (c == c.flat[0]).all() else None


def keyed(x: Any) -> Any:
    """Something hashable that is equal for equal arguments."""
    if isinstance(x, np.ndarray):
        return "array", id(x) if x.size > 100 else (x.dtype.str, x.shape, x.tobytes())
    if isinstance(x, Ref):
        return x
    if isinstance(x, slice):
        return "slice", *map(keyed, (x.start, x.stop, x.step))
    if isinstance(x, dict):
        return tuple([(k, keyed(v)) for k, v in x.items()])
    if isinstance(x, list | tuple):
        return type(x), *map(keyed, x)
    return type(x), repr(x) if isinstance(x, float | complex | np.generic) else x


__all__ = ["CONSTANT", "Optimised", "axes_order", "item", "refs", "replaced", "scatter"]
