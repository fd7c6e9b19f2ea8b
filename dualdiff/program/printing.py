"""A program as Python text: one line for each step, short expressions within one another, as written by hand."""

from __future__ import annotations

import keyword
import math
import operator
import re
from typing import Any

import numpy as np

from ..core.tangents import scatter
from .optimise import CONSTANT, Optimised, axes_order, refs, uniform
from .recording import Ref, Step, argument, decided, item, method, reduced

# How tightly what was written holds together: a name or call, a power, a sign, a product, a sum, a comparison.
ATOM, POWER, SIGN, PRODUCT, SUM, SHIFT, COMPARISON, ANY = range(8)
LARGE = 1 << 13  # elements of arrays whose memory is to be used again
NAME = re.compile(r"\bv\d+\b")
LONG = 72  # characters of an expression that is still put into another
OPERATORS = {
    np.add: ("+", SUM),
    np.subtract: ("-", SUM),
    np.multiply: ("*", PRODUCT),
    np.true_divide: ("/", PRODUCT),
    np.floor_divide: ("//", PRODUCT),
    np.remainder: ("%", PRODUCT),
    np.matmul: ("@", PRODUCT),
    np.power: ("**", POWER),
    np.less: ("<", COMPARISON),
    np.less_equal: ("<=", COMPARISON),
    np.greater: (">", COMPARISON),
    np.greater_equal: (">=", COMPARISON),
    np.equal: ("==", COMPARISON),
    np.not_equal: ("!=", COMPARISON),
}
VIEWS = {operator.getitem, np.reshape, np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.squeeze, np.expand_dims}
VIEWS |= {np.broadcast_to, np.real, np.imag, np.diagonal, np.asarray, np.ascontiguousarray, np.flip, item, method}
SIGNS = {np.negative: "-", np.positive: "+", np.invert: "~"}
MODULES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft}


class Lines:
    """Lines of a program, and the constants that they use, by name."""

    def __init__(self, names: list[str]) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {}
        self.names = set(names)
        self._by_key: dict[Any, str] = {}
        self.count = 0

    def new(self, letter: str = "v") -> str:
        while True:
            self.count += 1
            name = f"{letter}{self.count}"
            if name not in self.names:
                self.names.add(name)
                return name

    def constant(self, value: Any, letter: str = "c", key: Any = None) -> str:
        """The name of a constant, which stands beside the program."""
        key = (letter, id(value)) if key is None else key
        if key not in self._by_key:
            name = self._by_key[key] = self.new(letter)
            self.constants[name] = value
        return self._by_key[key]


def binary(symbol: str, level: int, a: tuple[str, int], b: tuple[str, int]) -> tuple[str, int]:
    """An operator between two expressions, with the brackets that are needed."""
    left_most, right_most = (level, level - 1) if level in (PRODUCT, SUM) else (level - 1, level - 1)
    return f"{bracketed(a, left_most)} {symbol} {bracketed(b, right_most)}", level


def bracketed(x: tuple[str, int], most: int) -> str:
    return x[0] if x[1] <= most else f"({x[0]})"


def number_text(x: Any) -> tuple[str, int]:
    """A Python or NumPy number."""
    if isinstance(x, np.bool):
        x = bool(x)
    if type(x) in (np.float64, np.complex128):
        x = x.item()
    text = re.sub(r"\b(nan|inf)\b", r"np.\1", repr(x))
    return text, SIGN if text.startswith("-") else ATOM


class Arrays:
    """The text of a program on arrays."""

    def __init__(self, program: Optimised, names: list[str]) -> None:
        self.program, self.out = program, Lines(names)
        self.look: list[str] = []  # what tests, at the end, whether all was finite on the way
        self.texts: dict[int, tuple[str, int]] = {}  # of steps: a name, or what is not yet written down
        self.uses: dict[int, int] = {}
        self.waiting: dict[int, Step] = {}  # scatters that are not yet written down
        self.covered: dict[str, Any] = {}  # where these are no longer zero
        self.blank: dict[str, int] = {}  # lines of zeros of which nothing was read yet
        self.large: set[str] = set()  # names of arrays that are to be let go early
        self.sums: set[int] = set()  # arrays into which several of these went
        for s in program.steps:
            for r in refs((s.args, s.kwargs)):
                self.uses[r.step] = self.uses.get(r.step, 0) + 1
        for r in refs(program.results):
            self.uses[r.step] = self.uses.get(r.step, 0) + 1
        self.write()
        for r in refs(program.results):
            self.settle(r.step)
        # Memory that is not ours to give, or has been given.
        self.given = {k for k, s in enumerate(program.steps) if s.function is argument}
        self.cost = sum(s.function is not argument for s in program.steps)

    def write(self) -> None:
        for k, s in enumerate(self.program.steps):
            self.step(k, s)

    def root(self, x: Any) -> int:
        """The step that made the memory which a result may be a view of."""
        while isinstance(x, Ref) and self.program.steps[x.step].function in VIEWS:
            x = self.program.steps[x.step].args[0]
        return self.program.owner(x)

    def written(self, k: int, due: Any) -> tuple[str, str | None]:
        """The text of a leaf of the result, which is memory of its own, and of what is to be looked at."""
        program = self.program
        x = program.results[k]
        text, v, owner = self.text(x), program.value(x), program.owner(x)
        if isinstance(due, np.ndarray):
            root = self.root(x)
            if not isinstance(v, np.ndarray):
                text = f"np.array({text})"
            elif root in self.given or owner in self.given or owner == CONSTANT:
                text = f"{text}.copy()"
            elif not v.flags.c_contiguous and due.flags.c_contiguous:
                text = f"np.ascontiguousarray({text})"
            self.given |= {owner, root}
        elif type(due) in (float, complex, int, bool) and type(v) is not type(due):
            text = f"{type(due).__name__}({text})"
        elif isinstance(due, np.float64) and not (isinstance(x, Ref) and isinstance(v, np.generic)):
            text = f"np.float64({text})"
        looked = isinstance(x, Ref) and (hasattr(due, "indices") or np.result_type(due).kind in "fc")
        return text, f"not finite({text})" if looked else None

    def step(self, k: int, s: Step) -> None:
        if s.function is argument:
            self.texts[k] = s.args[0], ATOM
            return
        if s.function is decided:
            kind, x, result = s.args
            self.settle(x.step)
            text = self.text(x, ATOM if kind is np.shape else ANY)
            if kind is bool:
                self.out.lines.append(f"if not ({text}):" if result else f"if {text}:")
            else:
                asked = f"{text}.shape" if kind is np.shape else f"{kind.__name__}({text})"
                self.out.lines.append(f"if {asked} != {result}:")
            self.out.lines.append("    return MISS")
            return
        written = self.program.written
        if s.function is operator.setitem:
            x, key, value = s.args
            for r in refs(s.args):
                self.settle(r.step)
            self.out.lines.append(f"{self.text(x)}[{self.key(key)}] = {self.text(value, ANY)}")
            return
        if s.function is scatter and not isinstance(s.args[1], Ref):
            if self.uses.get(k) == 1:
                self.waiting[k] = s  # maybe it goes into an array with others
            else:
                self.scattered(k, s)
            return
        if self.merged(k, s):
            return
        for r in refs((s.args, s.kwargs)):
            self.settle(r.step)
        made = self.expression(s)
        pure = s.owner not in written and not any(self.program.steps[r.step].owner in written for r in refs(s.args))
        if self.uses.get(k) == 1 and pure and len(made[0]) <= LONG and isinstance(s.function, np.ufunc):
            self.texts[k] = made
        else:
            self.assign(k, made[0])

    def settle(self, k: int) -> None:
        if k in self.waiting:
            self.scattered(k, self.waiting.pop(k))

    def assign(self, k: int, text: str) -> str:
        name = self.out.new()
        self.out.lines.append(f"{name} = {text}")
        self.texts[k] = name, ATOM
        if getattr(self.program.steps[k].value, "size", 0) >= LARGE:
            self.large.add(name)
        return name

    def free(self, results: str) -> None:
        """Large arrays are let go after their last use, so that the next ones stand in memory that is at hand."""
        seen, lines = set(NAME.findall(results)), []
        for line in reversed(self.out.lines):
            last = sorted((set(NAME.findall(line)) & self.large) - seen)
            seen.update(last)
            lines += [f"del {', '.join(last)}", line] if last and line[:3] != "if " else [line]
        self.out.lines = lines[::-1]

    # ------------------------------------------------------------ expressions

    def expression(self, s: Step) -> tuple[str, int]:
        function, args, kwargs = s.function, s.args, s.kwargs
        if not kwargs and function in OPERATORS and len(args) == 2 and self.of_arrays(args):
            return binary(*OPERATORS[function], self.pair(args[0]), self.pair(args[1]))
        if not kwargs and function in SIGNS and len(args) == 1 and self.of_arrays(args):
            return SIGNS[function] + self.text(args[0], SIGN), SIGN
        if function is operator.getitem:
            return f"{self.text(args[0])}[{self.key(args[1])}]", ATOM
        if function is item:
            return f"{self.text(args[0])}[{args[1]}]", ATOM
        if function is method:
            return f"{self.text(args[0])}.{args[1]}({self.arguments(args[2:], kwargs)})", ATOM
        if isinstance(args[0] if args else None, Ref) and isinstance(self.program.value(args[0]), np.ndarray):
            if function is np.transpose and not kwargs:  # which methods do faster
                axes = axes_order(args, s.value.ndim)
                turned = ".T" if axes == tuple(range(s.value.ndim))[::-1] else f".transpose{axes}"
                return self.text(args[0]) + turned, ATOM
            if function is np.copy and not kwargs:
                order = args[1] if len(args) > 1 else "K"
                return f"{self.text(args[0])}.copy({repr(order) * (order != 'C')})", ATOM
        if function is reduced:
            return f"np.{args[0].__name__}.{args[1]}({self.arguments(args[2:], kwargs)})", ATOM
        if function in (np.zeros_like, np.empty_like, np.ones_like) and isinstance(args[0], np.ndarray):
            shape = self.text(s.value.shape, ANY)
            return f"np.{function.__name__[:-5]}({shape}, {self.text(s.value.dtype, ANY)})", ATOM
        return f"{self.name(function)}({self.arguments(args, kwargs)})", ATOM

    def of_arrays(self, args: Any) -> bool:
        """Whether Python's operator is NumPy's: with an array, or a number of NumPy's, among the operands."""
        return any(isinstance(self.program.value(x), np.ndarray | np.generic) for x in args)

    def arguments(self, args: Any, kwargs: Any) -> str:
        texts = [self.text(x, ANY) for x in args]
        return ", ".join(texts + [f"{k}={self.text(v, ANY)}" for k, v in kwargs.items()])

    def pair(self, x: Any) -> tuple[str, int]:
        if isinstance(x, Ref):
            return self.texts[x.step]
        if isinstance(x, np.ndarray):
            if x.ndim == 0:
                return number_text(x[()])
            return self.out.constant(x), ATOM
        if isinstance(x, bool | int | float | complex | np.generic):
            return number_text(x)
        return self.text(x, ANY), ATOM

    def text(self, x: Any, most: int = ATOM) -> str:
        if isinstance(x, Ref | np.ndarray | bool | int | float | complex | np.generic):
            return bracketed(self.pair(x), most)
        if isinstance(x, tuple):
            return "(" + ", ".join(self.text(v, ANY) for v in x) + ("," if len(x) == 1 else "") + ")"
        if isinstance(x, list):
            return "[" + ", ".join(self.text(v, ANY) for v in x) + "]"
        if isinstance(x, slice):
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        if x is None or isinstance(x, str):
            return repr(x)
        if x is Ellipsis:
            return "..."
        if isinstance(x, np.dtype):
            return f"np.{x.name}" if hasattr(np, x.name) else f"np.dtype({x.str!r})"
        return self.name(x) if callable(x) else self.out.constant(x)

    def key(self, key: Any) -> str:
        """An index, as it is written between brackets."""
        if isinstance(key, tuple) and key and not isinstance(key, Ref):
            parts = [self.text(k, ANY) if isinstance(k, tuple) else self.key(k) for k in key]
            return ", ".join(parts) + ("," if len(key) == 1 else "")
        if isinstance(key, slice):
            parts = ["" if v is None else self.text(v, ANY) for v in (key.start, key.stop, key.step)]
            return ":".join(parts if key.step is not None else parts[:2])
        return self.text(key, ANY)

    def name(self, function: Any) -> str:
        """What a function is called."""
        name = getattr(function, "__name__", "")
        for module, where in MODULES.items():
            if getattr(where, name, None) is function:
                return f"{module}.{name}"
        return self.out.constant(function, name if name.isidentifier() and not keyword.iskeyword(name) else "f")

    # ------------------------------------------------------------ elements added into zeros

    def scattered(self, k: int, s: Step) -> str:
        """New zeros with elements put to static places."""
        for r in refs(s.args[0]):
            self.settle(r.step)
        name = self.assign(k, f"np.zeros({self.text(s.value.shape)}, {self.text(s.value.dtype)})")
        self.covered[name] = np.zeros(math.prod(s.args[2]), bool)
        self.blank[name] = len(self.out.lines) - 1
        self.put(name, s, "=")
        return name

    def put(self, name: str, s: Step, sign: str) -> None:
        """Elements put to their places in an array, or with `+=` added."""
        t, numbers, shape = s.args
        if isinstance(t, Ref):
            self.settle(t.step)
            inner = self.program.steps[t.step]
            if inner.function is np.negative and sign != "=" and not self.texts[t.step][0].isidentifier():
                t, sign = inner.args[0], "-=" if sign == "+=" else "+="
        elif uniform(t) is not None:
            t = np.asarray(uniform(t))
        lead = s.value.shape[: s.value.ndim - len(shape)]
        flat = f"{name}.reshape({self.text((*lead, -1))})" if len(shape) != 1 else name
        colon = ":, " if lead else ""
        whole = np.ravel(numbers) > 0
        alike = np.ndim(numbers) == 1 or np.ndim(self.program.value(t)) == 0
        text = self.text(t, ANY if alike and whole.all() else ATOM)
        text = text if alike else f"{text}.reshape({self.text((*lead, -1))})"
        places = np.ravel(numbers) - 1
        inside = places >= 0
        if not inside.all():
            places = places[inside]
            if np.ndim(self.program.value(t)):
                text = f"{text}[{colon}{self.places(np.flatnonzero(inside))}]"
        if len(np.unique(places)) < len(places):
            self.covered.pop(name, None)
            self.blank.pop(name, None)
            call = "np.subtract.at" if sign == "-=" else "np.add.at"
            at = self.out.constant(places)
            self.out.lines.append(f"{call}({flat}, {f'(slice(None), {at})' if lead else at}, {text})")
        else:
            free = not lead and name in self.covered and not self.covered[name][places].any()
            if name in self.covered:
                if not (free or sign == "="):
                    self.blank.pop(name, None)
                self.covered[name][places] = True
                if name in self.blank and self.covered[name].all():  # then nobody sees the zeros
                    line = self.blank.pop(name)
                    self.out.lines[line] = self.out.lines[line].replace("np.zeros(", "np.empty(", 1)
            text = f"-({text})" if free and sign == "-=" else text
            self.out.lines.append(f"{flat}[{colon}{self.places(places)}] {'=' if free else sign} {text}")

    def merged(self, k: int, s: Step) -> bool:
        """A sum or difference whose second part is elements put to places of zeros: these go into the first part."""
        if s.function not in (np.add, np.subtract) or s.kwargs:
            return False
        if not all(isinstance(x, Ref) for x in s.args):
            return self.merged_constant(k, s)
        a, b = s.args[0].step, s.args[1].step
        if s.function is np.add and b not in self.waiting:
            a, b = b, a
        shapes = {np.shape(self.program.steps[j].value) for j in (a, b)}
        types = {np.result_type(self.program.steps[j].value) for j in (a, b)}
        if b not in self.waiting or shapes != {np.shape(s.value)} or types != {np.result_type(s.value)} or a == b:
            return False
        if s.value.ndim != 1 and a not in self.waiting and a not in self.sums:
            return False  # an array of unknown order in memory, of which a reshape may be a copy
        if a in self.waiting:
            name = self.scattered(a, self.waiting.pop(a))
        elif a in self.sums and self.uses[a] == 1:
            name = self.texts[a][0]
        else:
            text, level = self.texts[a]
            name = self.assign(k, text if level != ATOM else f"{text}.copy()")
        self.put(name, self.waiting.pop(b), "+=" if s.function is np.add else "-=")
        self.texts[k] = name, ATOM
        self.sums.add(k)
        return True

    def merged_constant(self, k: int, s: Step) -> bool:
        """The same of a constant array, of which the program fills a copy."""
        c, b = s.args if isinstance(s.args[1], Ref) else s.args[::-1]
        waits = isinstance(b, Ref) and b.step in self.waiting
        alike = np.shape(c) == np.shape(s.value) and np.result_type(c) == np.result_type(s.value)
        if s.function is not np.add or not waits or not alike or np.iscomplexobj(s.value):
            return False
        name = self.assign(k, f"{self.text(c)}.copy()")
        self.covered[name] = np.ravel(c) != 0
        self.put(name, self.waiting.pop(b.step), "+=")
        self.sums.add(k)
        return True

    def places(self, places: Any) -> str:
        steps = np.unique(np.diff(places))
        if len(places) == 1:
            return f"{places[0]}:{places[0] + 1}"
        if len(steps) == 1 and steps[0] > 0:
            stop = f"{places[0]}:{places[-1] + 1}"
            return stop if steps[0] == 1 else f"{stop}:{steps[0]}"
        return self.out.constant(places)


__all__ = ["CONSTANT", "Arrays", "Lines", "binary", "bracketed", "number_text"]
