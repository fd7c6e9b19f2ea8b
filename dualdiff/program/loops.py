"""A program of arrays as loops that Numba compiles: chains of steps on elements without arrays in between.

A step that computes each element by itself, or only looks elements up (a slice, a concatenation, zeros with a part put
into them), waits until NumPy or the result needs its array. Then one loop over indices computes what is due from what
is there. An element is that of a step at indices `scale * i + offset` of the loop's own; where a concatenation has a
seam the loop is divided, so that within each part every element comes from one side.
"""

from __future__ import annotations

import builtins
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.tangents import scatter
from .machine import NUMBA, Machine, alone, functions
from .optimise import Optimised, refs, uniform
from .places import ZERO, At, added, indices, joined, put, strided, whole, within
from .printing import ATOM, PRODUCT, SIGN, VIEWS, Arrays, number_text
from .recording import Ref, Step, reduced
from .scalars import BOOLS, COMPARE, TEXTS, Unsuited, infix

BLOCK = 1 << 14  # elements that are summed up by themselves: rounding errors stay small, and threads share blocks
REACH = 300  # elements that one may be computed from
PARTS = 50  # of a loop, between seams
LINES = 1500  # of all loops, over which Numba takes half a minute
LIBRARY = 2000  # elements from which on NumPy's exp, log and others, several at a time, are faster than Numba's
CHEAP: set[Any] = {np.add, np.subtract, np.multiply, np.true_divide, np.negative, np.absolute, np.fabs, np.maximum}
CHEAP |= {np.minimum, np.where, np.sqrt, np.sign, np.copysign, np.sin, np.cos, *BOOLS}
TIMES, OVER = infix("*", PRODUCT), infix("/", PRODUCT)
MORE: dict[Any, Any] = {np.square: lambda a: TIMES(a, a), np.power: lambda a, b: TIMES(a, a), np.positive: lambda a: a}
MORE |= {np.reciprocal: lambda a: OVER(("1.0", ATOM), a)}
CHEAP |= {*MORE}
EACH: dict[Any, Any] = TEXTS | MORE  # steps on elements: their form is this table itself
SUM = "sum"
TAKEN = re.compile(r".*\W.*|[aeisu]\d+|b|np|plus|sums|threads|" + "|".join([*vars(math), *vars(builtins), *NUMBA]))
PLUS = """@njit(fastmath={"reassoc"})
def plus(a, b):  # sums of many of which processors take several at a time
    return a + b
"""


Box = list[tuple[int, int]]  # a range for each index


class Store(NamedTuple):
    """The elements of x in these ranges, which a loop puts to places of an array; or sums up, where there are none."""

    name: str
    ranges: Box
    places: tuple[At, ...] | None
    x: Any
    looked: bool  # whether it is to be found out if they are finite
    adds: bool = False  # to what is there


class Seam(Exception):
    """A loop over this axis is to be divided at this index."""


class Loops(Arrays):
    """The text of a program on arrays, much of it in functions of loops."""

    def __init__(self, program: Optimised, names: list[str], results: Sequence[Any], machine: Machine) -> None:
        if program.written:
            raise Unsuited("it writes into arrays")
        self.machine, self.code = machine, ""
        self.forms: dict[int, Any] = {}  # of steps that wait: EACH, "sum", indices of the operand, or pieces
        self.stored: set[int] = set()  # of these, the ones that get an array, or are sums
        self.viewed: set[int] = set()  # of these, the ones that NumPy looks up
        self.level: list[int] = []  # loops need what NumPy made in levels up to theirs, and loops in lower ones
        self.looked = {self.elements_of(program, r, due) for r, due in zip(program.results, results)}
        super().__init__(program, names)
        if not self.code:
            raise Unsuited("nothing in it is done element by element")
        made = {n: f for n, f in functions(self.code, machine).items() if n.startswith("loop")}
        self.functions = {n: alone(f) for n, f in made.items()} if machine.threads > 1 else made

    @staticmethod
    def elements_of(program: Optimised, x: Any, due: Any) -> int | None:
        """The step that makes a result's elements."""
        if isinstance(x, Ref) and hasattr(due, "indices"):
            x = (*program.steps[x.step].args, None)[0]
        return x.step if isinstance(x, Ref) else None

    # ------------------------------------------------------------ what waits, and until when

    def write(self) -> None:
        steps = self.program.steps
        reach: dict[int, set[Any]] = {}  # what an element is computed from, with the steps that look it up
        for k, s in enumerate(steps):
            operands = [r.step for r in refs((s.args, s.kwargs))]
            form = self.form(s)
            if form is None:
                for j in operands:
                    self.need(j)
            else:
                self.forms[k], reach[k] = form, {(k, ())}
                for j in operands:
                    below = reach[j] if j in reach and j not in self.stored else {(j, ())}
                    reach[k] |= below if form in (EACH, SUM) else {(i, (k, *path)) for i, path in below}
                if form is SUM or strided(form) or len(reach[k]) > REACH:
                    self.stored.add(k)
            self.level.append(max([self.level[j] + (j in self.stored) for j in operands], default=0))
        for r in refs(self.program.results):
            self.need(r.step)
        for level in range(max(self.level, default=0) + 1):
            for k, s in enumerate(steps):
                if self.level[k] == level and (k not in self.forms or k in self.viewed):
                    self.step(k, s)
            stores = [x for k in sorted(self.stored) if self.level[k] == level for x in self.stores(k)]
            for n in sorted({len(x.ranges) for x in stores}):
                self.loop(level, [x for x in stores if len(x.ranges) == n])

    def need(self, k: int) -> bool:
        """NumPy needs this step's result; whether it has it, or looks it up in what it has."""
        if k not in self.forms or k in self.viewed:
            return True
        base = self.program.steps[k].args[0]
        if k not in self.stored and type(self.forms[k]) is tuple and self.looks_up(base.step):
            self.viewed.add(k)
            return self.need(base.step)
        self.stored.add(k)
        return False

    def looks_up(self, k: int) -> bool:
        """Whether NumPy has this step's result, or what it is a view of."""
        if type(self.forms.get(k)) is tuple and k not in self.stored:
            return self.looks_up(self.program.steps[k].args[0].step)
        return k not in self.forms

    def form(self, s: Step) -> Any:
        """How an element of a step's result is found, None where only NumPy can."""
        v, program = s.value, self.program
        if self.is_sum(s):
            return SUM
        if not isinstance(v, np.ndarray) or not v.ndim or not v.size or v.dtype not in (np.float64, np.bool):
            return None
        if s.function is np.add and all(isinstance(x, Ref) for x in s.args) and not s.kwargs:
            a, b = [self.forms.get(x.step) for x in s.args]
            apart = {x.step for x in s.args} if strided(a) or strided(b) else set()
            once = len(apart) == 2 and all(self.uses[j] == 1 for j in apart)
            if once and type(a) is type(b) is list and added([*a, *b], v.shape):
                self.stored -= apart
                return [*a, *b]
        if s.function in EACH:
            return EACH if self.is_each(s) else None
        if s.function is np.concatenate and isinstance(s.args[0], list | tuple):
            return joined(s, [np.shape(program.value(x)) for x in s.args[0]])
        of: Any = program.value(s.args[0]) if s.args and not any(refs((s.args[1:], s.kwargs))) else None
        if s.function is scatter and of is not None:
            return put(s, np.shape(of))
        looks_up = s.function in VIEWS and isinstance(s.args[0], Ref) and isinstance(of, np.ndarray)
        return indices(s, of.shape) if looks_up and of.dtype == v.dtype else None

    def is_each(self, s: Step) -> bool:
        """Whether a step computes each element of real numbers by itself."""
        function, operands = s.function, [self.program.value(x) for x in s.args]
        if s.kwargs or not all(isinstance(x, np.ndarray | np.generic | float | int) for x in operands):
            return False
        kinds = [np.result_type(x).kind for x in operands]
        if not {*kinds} <= {*"fiub"} or (function is np.power and uniform(s.args[1]) != 2):
            return False
        logical = function in BOOLS and function not in COMPARE
        bools = kinds if logical else kinds[:1] if function is np.where else []
        small = function in CHEAP or s.value.size < LIBRARY
        return small and {*bools} <= {"b"} and (s.value.dtype == np.bool) == (function in BOOLS)

    def is_sum(self, s: Step) -> bool:
        """Whether a step is the sum of all elements of what waits."""
        of_add = s.function is reduced and s.args[0] is np.add and s.args[1] == "reduce"
        if not (s.function is np.sum or of_add) or np.ndim(s.value):
            return False
        args = s.args[2:] if of_add else s.args
        waits = isinstance(args[0], Ref) and args[0].step not in self.stored and self.forms.get(args[0].step) is EACH
        types = np.result_type(self.program.value(args[0])) == np.result_type(s.value) == np.float64
        return waits and types and {*s.kwargs} <= {"axis", "keepdims"} and not s.kwargs.get("keepdims")

    # ------------------------------------------------------------ what loops fill

    def stores(self, k: int) -> list[Store]:
        s, form, looked = self.program.steps[k], self.forms[k], k in self.looked
        if form is SUM:
            x = s.args[2 if s.function is reduced else 0]
            self.texts[k] = self.out.new(), ATOM
            return [Store(self.texts[k][0], whole(self.program.value(x).shape), None, x, False)]
        shape = s.value.shape
        adds = added(form, shape) or [] if strided(form) else []
        sizes = [math.prod([b - a for a, b in x.ranges()]) for x, upon in zip(form, adds) if not upon]
        filled = not strided(form) or sum(sizes) == s.value.size
        kind = ", np.bool" * (s.value.dtype == np.bool)
        name = self.assign(k, f"np.{'empty' if filled else 'zeros'}({self.text(shape)}{kind})")
        if not strided(form):
            return [Store(name, whole(shape), tuple([At(a, 1, 0) for a in range(len(shape))]), Ref(k), looked)]
        at = lambda p: At(None, 0, p.start) if p.axis is None else At(p.axis, p.step, p.start)
        return [Store(name, x.ranges(), tuple(map(at, x.places)), x.x, looked, upon) for x, upon in zip(form, adds)]

    def loop(self, level: int, stores: list[Store]) -> None:
        """A function that fills these arrays and returns these sums, and the line that calls it."""
        name, made = self.out.new("loop"), Loop(self, level, stores)
        sums = [x.name for x in stores if x.places is None]
        if any(x.looked for x in stores):
            sums.append(self.out.new("total"))
            self.look += [f"if {sums[-1]} != 0.0:", "    return UNSURE"]
        text = made.text(name)
        if self.code.count("\n") + text.count("\n") > LINES:
            raise Unsuited("its loops are too long")
        self.code = f"{self.code or PLUS}\n\n{self.machine.decorator}{text}"
        call = f"{name}({', '.join(made.given)})"
        if len(sums) == 1:
            call = f"np.float64({call})" if sums[0][0] == "v" else call
        elif any(x.places is None for x in stores):
            call = f"map(np.float64, {call})"
        self.out.lines.append(f"{', '.join(sums)}{' = ' * bool(sums)}{call}")

    def written(self, k: int, due: Any) -> tuple[str, str | None]:
        text, look = super().written(k, due)
        return text, None if self.elements_of(self.program, self.program.results[k], due) in self.stored else look


class Loop:
    """The text of one function of loops."""

    def __init__(self, program: Loops, level: int, stores: list[Store]) -> None:
        self.program, self.level, self.stores = program, level, stores
        self.given: dict[str, str] = {}  # what it is called with: its name here
        self.units: set[int] = set()  # numbers in indices
        self.box: Box = []
        self.lines: list[str] = []
        self.names: dict[Any, str] = {}  # of elements, by step and indices

    def text(self, name: str) -> str:
        sums = sum(x.places is None for x in self.stores) + any(x.looked for x in self.stores)
        lines: list[str] = []
        blocks = 0
        for box, body in self.divided():
            nest, count = self.nest(box, body, sums, blocks)
            lines, blocks = lines + nest, blocks + count
        head = [f"u{n} = np.uint64({n})" for n in sorted(self.units)]
        head += [f"sums = np.empty(({sums}, {blocks}))"] * bool(sums)
        last = [f"return {', '.join(f'np.sum(sums[{j}])' for j in range(sums))}"] * bool(sums)
        if self.program.machine.threads > 1:
            head += ["threads = get_num_threads()", f"set_num_threads(min({self.program.machine.threads}, threads))"]
            last = ["set_num_threads(threads)", *last]
        return "\n    ".join([f"def {name}({', '.join(self.given.values())}):", *head, *lines, *last]) + "\n"

    def divided(self) -> list[tuple[Box, list[str]]]:
        """Ranges of indices between seams, and the lines for one element of each array there."""
        ranges = zip(*[x.ranges for x in self.stores])
        boxes: list[Box] = [[(min([a for a, _ in r]), max([b for _, b in r])) for r in ranges]]
        done: list[tuple[Box, list[str]]] = []
        while boxes:
            if len(done) + len(boxes) > PARTS:
                raise Unsuited("its arrays have too many seams")
            self.box = boxes.pop()
            try:
                self.body()
            except Seam as seam:
                axis, at = seam.args
                for ends in ((at, self.box[axis][1]), (self.box[axis][0], at)):
                    boxes.append([*self.box[:axis], ends, *self.box[axis + 1 :]])
            else:
                done += [(self.box, self.lines)] * bool(self.lines)
        return done

    def nest(self, box: Box, body: list[str], sums: int, before: int) -> tuple[list[str], int]:
        """Loops over these ranges, in blocks of the first, after so many blocks of others; and how many there are."""
        first, stop = box[0]
        rows = max(1, BLOCK // math.prod([b - a for a, b in box[1:]]))
        count = -(-(stop - first) // rows)
        start, end = f"{first}", f"{stop}"
        if count > 1:
            start, end = f"{first} + b * {rows}", f"min({first} + (b + 1) * {rows}, {stop})"
        lines = [f"s{j} = 0.0" for j in range(sums)]
        for axis, (a, b) in enumerate([(start, end), *box[1:]]):
            lines.append(f"{'    ' * axis}for i{axis} in range(np.uint64({a}), np.uint64({b})):")
        lines += ["    " * len(box) + line for line in body]
        lines += [f"sums[{j}, {before}{' + b' * (count > 1)}] = s{j}" for j in range(sums)]
        if count > 1:
            several = "prange" if self.program.machine.threads > 1 else "range"
            lines = [f"for b in {several}({count}):", *["    " + line for line in lines]]
        return lines, count

    def body(self) -> None:
        """The lines for one element of each array, within the box."""
        self.lines, self.names = [], {}
        sums = [x.name for x in self.stores if x.places is None]
        for x in self.stores:
            at = [At(a, 1, 0) for a in range(len(x.ranges))]
            if not all(self.inside(i, *r) for i, r in zip(at, x.ranges)):
                continue
            text = self.element(x.x, at) or "0.0"
            if x.places is None:
                self.lines.append(f"s{sums.index(x.name)} = plus(s{sums.index(x.name)}, {text})")
                continue
            place = f"{self.parameter(x.name)}[{', '.join(map(self.index, x.places))}]"
            self.lines.append(f"{place} {'+=' if x.adds else '='} {text}")
            text = place if x.adds else text
            if x.looked:
                self.lines.append(f"s{len(sums)} = plus(s{len(sums)}, {text} - {text})")

    def element(self, x: Any, at: Sequence[At]) -> str | None:
        """The name of an element of x, or its text; None if it is zero."""
        program = self.program.program
        v = program.value(x)
        if not isinstance(x, Ref):
            if uniform(x) is not None or not np.ndim(x):
                return number_text(np.ravel(x)[0].item())[0]
            return f"{self.parameter(self.program.text(x))}[{', '.join(map(self.index, at))}]"
        form, s = self.program.forms.get(x.step), program.steps[x.step]
        if form is None or (x.step in self.program.stored and self.program.level[x.step] < self.level):
            self.program.settle(x.step)
            name = self.parameter(self.program.text(x)) + "[()]" * (isinstance(v, np.ndarray) and not v.ndim)
            return self.named((x.step, tuple(at)), f"{name}[{', '.join(map(self.index, at))}]") if np.ndim(v) else name
        if type(form) is tuple:
            return self.element(s.args[0], [i if i.axis is None else at[i.axis].of(i.scale, i.offset) for i in form])
        if type(form) is list:
            for piece in form:
                if all(self.inside(*within(i, p)) for i, p in zip(at, piece.places)):
                    own = [ZERO] * len(piece.shape)
                    for i, p in zip(at, piece.places):
                        if p.axis is not None:
                            own[p.axis] = within(i, p)[0]
                    return self.element(piece.x, own)
            return None
        if (x.step, tuple(at)) in self.names:
            return self.names[(x.step, tuple(at))]
        texts = []
        for y in s.args:
            shape = np.shape(program.value(y))
            texts.append(self.element(y, [i if n > 1 else ZERO for i, n in zip(at[len(at) - len(shape) :], shape)]))
        if None in texts and s.function in (np.add, np.subtract, np.negative):
            if texts[-1] is None:
                return texts[0]
            return texts[1] if s.function is np.add else self.named((x.step, tuple(at)), f"-{texts[1]}")
        operands = [(t or "0.0", SIGN if (t or "0.0")[0] == "-" else ATOM) for t in texts]
        return self.named((x.step, tuple(at)), EACH[s.function](*operands)[0])

    def named(self, key: Any, text: str) -> str:
        if key not in self.names:
            self.names[key] = f"e{len(self.names)}"
            self.lines.append(f"{self.names[key]} = {text}")
        return self.names[key]

    def parameter(self, text: str) -> str:
        """The name of what the function is given."""
        if text not in self.given:
            self.given[text] = f"a{len(self.given)}" if TAKEN.fullmatch(text) else text
        return self.given[text]

    def index(self, i: At) -> str:
        """An index as text."""
        if i.axis is None:
            return self.unit(i.offset)
        text = f"i{i.axis}" if abs(i.scale) == 1 else f"i{i.axis} * {self.unit(abs(i.scale))}"
        if i.scale < 0:
            return f"{self.unit(i.offset)} - {text}"
        return f"{text} {'-+'[i.offset > 0]} {self.unit(abs(i.offset))}" if i.offset else text

    def unit(self, n: int) -> str:
        """An index or offset, which Numba compiles best as an unsigned number."""
        self.units.add(n)
        return f"u{n}"

    def inside(self, i: At, first: int, stop: int) -> bool:
        """Whether an index lies in this range within the whole box, or nowhere in it; else the box is divided."""
        low = high = i.offset
        if i.axis is not None:
            a, b = self.box[i.axis]
            low, high = sorted((i.scale * a + i.offset, i.scale * (b - 1) + i.offset))
        if low >= first and high < stop:
            return True
        if high < first or low >= stop:
            return False
        seam = first if low < first else stop  # the first index on its other side
        assert i.axis is not None
        raise Seam(i.axis, -((i.offset - seam) // i.scale) if i.scale > 0 else (seam - i.offset) // i.scale + 1)
