"""A small program as machine code: its elements as numbers of a function that Numba compiles.

NumPy serves what Numba refuses. Whatever is not finite on the way is looked at in the end: where Python would raise an
exception (`1.0 / 0.0`, `exp(1000.0)`) machine code goes on.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .machine import Machine, functions
from .optimise import Optimised
from .printing import COMPARISON, Lines, bracketed
from .scalars import BOOLS, TEXTS, Scalars, Symbol, Unsuited
from .structure import is_variable

# Functions whose result is finite if their operands are.
TAME = {np.add, np.subtract, np.multiply, np.negative, np.absolute, np.maximum, np.minimum, np.where, np.sign, np.fabs}
TAME |= {np.copysign, float, *BOOLS}
STORES = 200  # elements of results: Numba takes milliseconds over each, and more the more there are
MISSED, NOT_FINITE = 1, 2  # what a kernel returns instead of 0


class Unpacked(Scalars):
    """A program in numbers, with a name for each that may be not finite."""

    operations = 3000
    always = frozenset(TEXTS) - TAME


class Kernel:
    """The text and the machine code of a function that fills arrays, or returns numbers."""

    def __init__(
        self, program: Optimised, arguments: Sequence[tuple[str, Any]], results: Sequence[Any], machine: Machine
    ) -> None:
        names = [n for n, _ in arguments] + ["status"]
        self.out = Lines(names)
        numbers = Unpacked(program, names)
        samples = []  # of what the kernel is called with
        given, lines = [], []
        for name, x in arguments:
            if is_variable(x):
                given.append(name)
                samples.append(x)
            places = np.ndindex(np.shape(x))
            lines += [f"{n} = {name}[{_index(at)}]" for n, at in zip(numbers.elements.get(name, ()), places)]
        lines += numbers.out.lines[len([line for line in numbers.unpack if line]) :]
        stores: list[str] = []
        returned: list[tuple[str, str]] = []
        self.texts: dict[int, str] = {}
        for k, due in enumerate(results):
            elements = np.asarray(numbers.results[k], object)
            if isinstance(due, np.ndarray):
                self.texts[k] = numbers.out.new("r")
                varying = [at for at in np.ndindex(due.shape) if isinstance(elements[at], Symbol)]
                blank = f"np.empty({due.shape}, np.{due.dtype.name})"
                if len(varying) < due.size:  # Numba takes long over each element that it stores
                    filled = np.array([0 if isinstance(x, Symbol) else x for x in elements.flat], due.dtype)
                    blank = f"{self.out.constant(filled.reshape(due.shape), 'c', k)}.copy()"
                self.out.lines.append(f"{self.texts[k]} = {blank}")
                given.append(self.texts[k])
                samples.append(np.empty(due.shape, due.dtype))
                stores += [f"{self.texts[k]}[{_index(at)}] = {numbers.text(elements[at])[0]}" for at in varying]
            elif isinstance(elements[()], Symbol):
                text = bracketed(numbers.text(elements[()]), COMPARISON)
                returned.append((numbers.out.new("r"), text if type(due) is float else f"float({text})"))
                kind = {int: "int", bool: "bool", np.float64: "np.float64", np.bool: "np.bool"}.get(type(due))
                self.texts[k] = f"{kind}({returned[-1][0]})" if kind else returned[-1][0]
            else:
                self.texts[k] = numbers.written(k, due)[0]
        if len(stores) > STORES:
            raise Unsuited("too many elements")
        looked, guarded = _looked(numbers), any("return MISS" in line for line in lines)
        self.name = self.out.new("kernel")
        call = f"{self.name}({', '.join(given)})"
        if len(returned) == 1 and not stores and not guarded:  # whose being finite says all
            name, text = returned[0]
            last = [f"return {text} if total - total == 0.0 else nan"]
            self.out.lines.append(f"{name} = {call}")
            self.look = [f"if {name} - {name} != 0.0:", "    return UNSURE"]
        else:
            zeros = "".join(", 0.0" for _ in returned)
            values = "".join(f", {text}" for _, text in returned)
            lines = [line.replace("return MISS", f"return {MISSED}{zeros}") for line in lines]
            last = ["if total - total != 0.0:", f"    return {NOT_FINITE}{zeros}", *stores, f"return 0{values}"]
            self.out.lines.append(f"{', '.join(['status', *[n for n, _ in returned]])} = {call}")
            self.look = ["if status:", f"    if status == {MISSED}:", "        return MISS", "    return UNSURE"]
        self.read = [*self.out.lines, *[f"if status == {MISSED}:", "    return MISS"] * guarded]
        head = f"def {self.name}({', '.join(given)}):"
        text = "\n    ".join([head, *lines, f"total = {looked}", *last]) + "\n"
        text = re.sub(r"\bfloat\(", "np.float64(", text)  # which Numba has for truth values too
        self.code = Machine(1, machine.cache).decorator + text
        made = functions(self.code, machine)[self.name]
        types = tuple([importlib.import_module("numba").typeof(x) for x in samples])
        made.compile(types)
        # Its types have been tested: called without Numba's own dispatch, which costs as much as the rest.
        self.functions = {self.name: getattr(made.overloads[types], "entry_point", made)}

    def written(self, k: int, due: Any) -> tuple[str, str | None]:
        return self.texts[k], None


def _looked(numbers: Unpacked) -> str:
    """A sum that is finite only if results, and all on the way to them that might be not, are."""
    wanted = [x.at for r in numbers.results for x in np.ravel(np.asarray(r, object)) if isinstance(x, Symbol)]
    wanted += [k for k in numbers.texts if numbers.made[k][0] in numbers.always]
    shown = numbers.shown([*wanted])
    wanted = [k for k in dict.fromkeys(wanted) if k not in shown and numbers.made[k][0] not in BOOLS]
    terms = [f"({numbers.texts[k][0]})" for k in wanted]
    while len(terms) > 1:  # as a tree, whose sums need not wait for each other
        terms = [f"({' + '.join(terms[k : k + 2])})" for k in range(0, len(terms), 2)]
    return terms[0] if terms else "0.0"


def _index(at: tuple[int, ...]) -> str:
    return ", ".join(map(str, at)) or "()"
