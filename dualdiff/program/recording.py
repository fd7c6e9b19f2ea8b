"""Numbers that write down what is asked of them: a value of idea 1, on which every rule, space and transform runs.

A `Recording` carries a concrete value, does with it what NumPy asks, and notes function, operands and result as a step
of its `Log`. What Python decides on (`if`, `int`, an index) is a step too, a guard. What asks for the memory behind it
(`float(x)`, `np.asarray(x)`) has escaped, which ends the recording.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..core.asked import operand_of_dot
from ..core.errors import DualdiffError, user_line
from ..core.number import Number


class Escaped(DualdiffError, TypeError):
    """Something has asked for the numbers themselves, so that the run can't be written down."""


class Ref(NamedTuple):
    """In the arguments of a step, the result of another."""

    step: int


class Step:
    """What was called with what. A function's name in NumPy, or one of ours, or what Python does by itself."""

    __slots__ = ("args", "function", "kwargs", "line", "owner", "value")

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any, owner: int) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.value = value  # at the point of the recording
        self.owner = owner  # the step that made the memory in which the result stands
        self.line = ""


# What Python does by itself: the functions of steps that are no functions of NumPy's.
def argument(name: str) -> NoReturn:
    raise NotImplementedError(name)


def item(parts: Any, k: int) -> Any:
    return parts[k]


def decided(kind: Callable[[Any], Any], x: Any, result: Any) -> Any:
    """A guard: whether what Python decided on is what it was."""
    return kind(x) == result


def method(x: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    return getattr(x, name)(*args, **kwargs)


def reduced(function: np.ufunc, way: str, *args: Any, **kwargs: Any) -> Any:
    """`np.add.reduce` and the other methods of ufuncs."""
    return getattr(function, way)(*args, **kwargs)


STATIC = {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.can_cast, np.common_type}
STATIC |= {np.may_share_memory, np.shares_memory, np.min_scalar_type, np.isfortran}
VARYING = {"unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "union1d", "intersect1d"}
VARYING |= {"setxor1d", "trim_zeros", "nonzero", "flatnonzero", "argwhere", "bincount"}
BY_INTEGERS = {"reduced", "setitem", "take", "take_along_axis", "put_along_axis", "put", "where"}  # of their shape
MOST = 100_000  # steps of a recording
BYTES, MOST_ARRAYS = 2**30, 100  # that results may take, and how many as large as an argument beside them


class Log:
    """The steps of a run, in order."""

    def __init__(self, shared: dict[int, Any] | None = None) -> None:
        self.steps: list[Step] = []
        self.bytes = BYTES  # that results may still take: all stay until the program is written
        self.constants: dict[int, tuple[Any, Any]] = {}  # of arrays that steps use: they, and copies of them
        self.shared = shared or {}  # arrays that are constants as they stand
        self.foreign: set[int] = set()  # steps whose results are in the memory of arrays that are no recordings
        self.mutated: set[int] = set()  # owners of memory that was written to

    def argument(self, name: str, value: Any) -> Recording:
        self.steps.append(Step(argument, (name,), {}, value, len(self.steps)))
        self.bytes += MOST_ARRAYS * getattr(value, "nbytes", 0)
        return Recording(self, len(self.steps) - 1, value, None)

    def call(self, function: Any, args: Any, kwargs: Any = {}, target: Recording | None = None) -> Any:  # noqa: B006
        """The result of a call, written down; `target` is what it writes to."""
        result = function(*concrete(args), **concrete(kwargs))
        if function in STATIC:
            return result
        if len(self.steps) > MOST:
            raise Escaped(f"more than {MOST} steps{user_line()}")
        self.bytes -= result.nbytes if isinstance(result, np.ndarray) and result.base is None else 0
        if self.bytes < 0:
            raise Escaped(f"its steps take too much memory{user_line()}")
        at = len(self.steps)
        step = Step(function, self.written(args), self.written(kwargs), result, at)
        step.line = user_line()
        self.steps.append(step)
        if target is not None:
            owner = target.root()
            if self.steps[owner.step].function is argument or owner.step in self.foreign:
                raise Escaped(f"what stands outside of it, or an argument, is written to{user_line()}")
            self.mutated.add(owner.step)
            step.owner = owner.step
            return target
        return self.recording(at, result, (args, kwargs), shape_varies(function, args, kwargs))

    def recording(self, at: int, result: Any, operands: Any, varies: bool) -> Any:
        """What stands for the result of step `at`, whose shape may vary: of a tuple, one for each part."""
        if isinstance(result, tuple | list):
            parts = []
            for k, part in enumerate(result):
                self.steps.append(Step(item, (Ref(at), k), {}, part, len(self.steps)))
                parts.append(self.recording(len(self.steps) - 1, part, operands, varies))
            return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
        if result is None or isinstance(result, str | np.dtype | type):
            return result
        base = None
        if isinstance(result, np.ndarray):
            for x in recordings_in(operands):
                if isinstance(x.value, np.ndarray) and np.may_share_memory(x.value, result):
                    base = x.root()
            if any(np.may_share_memory(x, result) for x in arrays_in(operands)):  # whose owner may change it later
                self.steps[at].value = result.copy(order="K")
                self.foreign.add(at)
        self.steps[at].owner = at if base is None else base.step
        made = Recording(self, at, result, base)
        if varies and isinstance(result, np.ndarray):
            self.guard(np.shape, made)
        return made

    def written(self, x: Any) -> Any:
        """Arguments as a step keeps them: references, and copies of arrays, which their owners may change later."""
        if isinstance(x, Recording):
            if x.log is not self:
                raise Escaped("a number of another recording")
            return Ref(x.step)
        if isinstance(x, Number):
            raise Escaped(f"numbers with tangents in a list{user_line()}")
        if isinstance(x, np.ndarray):
            if id(x) in self.shared:
                return x
            kept, copy = self.constants.get(id(x), (None, None))
            if kept is x and same_bits(copy, x):
                return copy
            copy = x.copy(order="K")
            self.constants[id(x)] = x, copy
            return copy
        if isinstance(x, slice):
            return slice(*[self.written(v) for v in (x.start, x.stop, x.step)])
        if isinstance(x, dict):
            return {k: self.written(v) for k, v in x.items()}
        return type(x)([self.written(v) for v in x]) if type(x) in (list, tuple) else x

    def guard(self, kind: Callable[[Any], Any], x: Recording) -> Any:
        result = kind(x.value)
        step = Step(decided, (kind, Ref(x.step), result), {}, True, len(self.steps))
        step.line = user_line()
        self.steps.append(step)
        return result


def shape_varies(function: Any, args: Any, kwargs: Any) -> bool:
    """Whether the shape of a result depends on more than shapes: on what holds where, or on integers."""
    name = args[1] if function is method else getattr(function, "__name__", "")
    if name in VARYING or (function is np.where and len(args) == 1) or hasattr(function, "varies"):
        return True
    if isinstance(function, np.ufunc) or name in BY_INTEGERS:
        return False
    kinds = "b" if function is operator.getitem else "biu"
    return any(np.result_type(x.value).kind in kinds for x in recordings_in((args[1:], kwargs)))


def same_bits(a: Any, b: Any) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()  # type: ignore[no-any-return]


def concrete(x: Any) -> Any:
    """The values behind recording numbers, in containers too."""
    if isinstance(x, Recording):
        return x.value
    if isinstance(x, slice):
        return slice(*map(concrete, (x.start, x.stop, x.step)))
    if isinstance(x, dict):
        return {k: concrete(v) for k, v in x.items()}
    return type(x)([concrete(v) for v in x]) if type(x) in (list, tuple) else x


def recordings_in(x: Any) -> Iterator[Recording]:
    if isinstance(x, Recording):
        yield x
    elif isinstance(x, list | tuple | dict):
        for part in x.values() if isinstance(x, dict) else x:
            yield from recordings_in(part)


def arrays_in(x: Any) -> Iterator[Any]:
    """The plain arrays among arguments."""
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, list | tuple | dict):
        for part in x.values() if isinstance(x, dict) else x:
            yield from arrays_in(part)


METHODS = set(
    """
all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy cumprod cumsum diagonal dot
fill flatten item max mean min nonzero partition prod put ravel repeat reshape round searchsorted sort squeeze std sum
swapaxes take tolist trace transpose var
""".split()
)
WRITERS = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}
WRITE = {"fill", "partition", "put", "sort"}  # to the array itself
KNOWN = (np.ndarray, np.generic, bool, int, float, complex, list, tuple, type(None))


class Recording(NDArrayOperatorsMixin):
    """A number or array that writes down what is asked of it."""

    __slots__ = ("base", "log", "step", "value")
    optimistic = True  # that weights are finite, see core/tangents.py: the program looks at its result
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, log: Log, step: int, value: Any, base: Recording | None) -> None:
        self.log, self.step, self.value = log, step, value
        self.base = base  # the array whose memory this one views

    def root(self) -> Recording:
        """The array whose memory this one stands in."""
        return self if self.base is None else self.base

    # ------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if not all(isinstance(x, (Recording, *KNOWN)) for x in inputs):
            return NotImplemented  # a Dual goes first
        target = None
        if method == "at":  # which writes to its first operand
            target = inputs[0]
            if not isinstance(target, Recording):
                raise Escaped(f"np.{ufunc.__name__}.at on a plain array{user_line()}")
        elif options.get("out") is not None:
            (target,) = options["out"]
            if not isinstance(target, Recording):
                raise Escaped(f"np.{ufunc.__name__} with a plain array as out={user_line()}")
            if not isinstance(target.value, np.ndarray):  # `x += 1` of a number
                return self.log.call(ufunc, inputs, {k: v for k, v in options.items() if k != "out"})
        if method == "__call__":
            return self.log.call(ufunc, inputs, options, target)
        return self.log.call(reduced, (ufunc, method, *inputs), options, target)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if not all(issubclass(t, Recording | np.ndarray) for t in types):
            return NotImplemented
        target = options.get("out") if options else None
        if target is not None and not isinstance(target, Recording):
            raise Escaped(f"np.{function.__name__} with out={user_line()}")
        if function in WRITERS:
            target = args[0]
            if not isinstance(target, Recording):
                raise Escaped(f"np.{function.__name__} into a plain array{user_line()}")
        if options.get("overwrite_input") or options.get("copy") is False:
            raise Escaped(f"np.{function.__name__} that may write to its operand{user_line()}")
        return self.log.call(function, args, options, target)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if (operand := operand_of_dot(self, dtype, sys._getframe(1))) is not None:
            return operand
        raise Escaped(f"an array of NumPy's own is made of what is recorded{user_line()}")

    def __float__(self) -> NoReturn:
        raise Escaped(f"float() or a function of math{user_line()}")

    __complex__ = __float__

    # ------------------------------------------------------------ what Python decides on

    def __bool__(self) -> bool:
        return self.log.guard(bool, self)  # type: ignore[no-any-return]

    def __int__(self) -> int:
        return self.log.guard(int, self)  # type: ignore[no-any-return]

    def __index__(self) -> int:
        return self.log.guard(operator.index, self)  # type: ignore[no-any-return]

    # ------------------------------------------------------------ indexing

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self.value)))

    def __getitem__(self, key: Any) -> Any:
        return self.log.call(operator.getitem, (self, key))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.log.call(operator.setitem, (self, key, value), target=self)

    def __contains__(self, x: Any) -> bool:
        return bool(np.any(np.equal(self, x)))

    # ------------------------------------------------------------ attributes and methods

    shape = property(lambda self: np.shape(self.value))
    dtype = property(lambda self: np.result_type(self.value))
    ndim = property(lambda self: np.ndim(self.value))
    size = property(lambda self: np.size(self.value))
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self.size * self.itemsize)
    T = property(lambda self: self.log.call(np.transpose, (self,)))
    mT = property(lambda self: self.log.call(np.swapaxes, (self, -1, -2)))
    real = property(lambda self: self.log.call(np.real, (self,)))
    imag = property(lambda self: self.log.call(np.imag, (self,)))

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS:
            raise AttributeError(name)
        if not isinstance(self.value, np.ndarray | np.generic):  # a Python number has the methods of NumPy's
            return getattr(self.log.call(np.asarray, (self,))[()], name)

        def called(*args: Any, **options: Any) -> Any:
            target = self if name in WRITE else options.get("out")
            if target is not None and not isinstance(target, Recording):
                raise Escaped(f"out= of {name}{user_line()}")
            return self.log.call(method, (self, name, *args), options, target)

        return called

    def __repr__(self) -> str:
        return f"Recording({self.value!r})"
