"""A program as it runs and as it is read: its lines, with what it tests before, and a look at the result after."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core import kinks
from ..core.tangents import hush, unhush
from .kernel import Kernel
from .loops import Loops
from .machine import NUMBA, Machine
from .optimise import Optimised
from .printing import Arrays
from .scalars import Scalars, Unsuited
from .structure import DTYPES, VALUE, Tree, finite, is_variable
from .surroundings import Surroundings

MISS, UNSURE = object(), object()  # another program is needed; what came out is not to be trusted
ARRAY, NUMBER = 0.7, 0.035  # microseconds that a step takes on small arrays, and an operation on Python's numbers
SHOWN = 20  # elements of a constant that the text shows


def best(optimised: Optimised, names: list[str]) -> Arrays | Scalars:
    """The program in Python's numbers where it is small, else on arrays."""
    arrays = Arrays(optimised, names)
    try:
        scalars = Scalars(optimised, names)
    except Unsuited:
        return arrays
    return scalars if scalars.cost * NUMBER < arrays.cost * ARRAY else arrays


class Program:
    """Straight-line code for one signature and one path."""

    def __init__(
        self,
        name: str,
        optimised: Optimised,
        arguments: Sequence[tuple[str, Any]],
        results: Sequence[Any],
        tree: Tree,
        surroundings: Surroundings,
        body: Kernel | Loops | None = None,
    ) -> None:
        self.name, self.arguments, self.results, self.surroundings = name, arguments, results, surroundings
        self.checked = False  # at a second point, against the function itself
        self.optimised: Optimised | None = None  # what machine code may still be made of
        self.direct = False  # whether it takes the user's arguments as they stand
        self.body = body or best(optimised, [n for n, _ in arguments])
        self.out, self.tree = self.body.out, tree
        self.parts = [self.body.written(k, x) for k, x in enumerate(results)]
        self.result = self._built(tree, iter([text for text, _ in self.parts]))
        if isinstance(self.body, Arrays):
            self.body.free(self.result)
        self.scope = {"np": np, "ndarray": np.ndarray, "MISS": MISS, "UNSURE": UNSURE, **FUNCTIONS}
        self.scope |= self.out.constants | (self.body.functions if isinstance(self.body, Kernel | Loops) else {})
        self.lines = [*self._tests(self.scope), *self._work()]
        exec("\n    ".join([self._head(), *self.lines]), self.scope)
        self.function: Callable[..., Any] = self.scope[name]

    def run(self, leaves: Sequence[Any]) -> Any:
        try:
            return self.function(*leaves)
        except Exception:  # whatever it is, the function itself has the answer
            return UNSURE

    def compiled(self, optimised: Optimised, machine: Machine) -> Program:
        """The same program as machine code: of numbers where it is small, else with loops over its arrays."""
        body: Kernel | Loops
        try:
            body = Kernel(optimised, self.arguments, self.results, machine)
        except Unsuited:
            body = Loops(optimised, [n for n, _ in self.arguments], self.results, machine)
        return Program(self.name, optimised, self.arguments, self.results, self.tree, self.surroundings, body)

    def entry(self, missed: Callable[..., Any]) -> Callable[..., Any]:
        """The program as users call it, which hands over to another function what it does not serve."""
        names = [n for n, _ in self.arguments]
        scope = {**self.scope, "missed": missed, "kinks": kinks}
        given = ", ".join([*names, "*others"])
        lines = [
            f"def {self.name}({''.join(f'{n}=MISS, ' for n in names)}{'/, ' * bool(names)}*others, **named):",
            "    if not (others or named or kinks.active):",
            "        try:",
            *[f"            {line.replace('return MISS', 'raise ValueError')}" for line in self.lines],
            "        except Exception:",  # whatever it is, the function itself has the answer
            "            pass",
            f"    return missed({given}, **named)",
        ]
        exec("\n".join(lines).replace("return UNSURE", "raise ValueError"), scope)
        made: Callable[..., Any] = scope[self.name]
        return made

    # ------------------------------------------------------------ what runs

    def _head(self) -> str:
        return f"def {self.name}({', '.join(n for n, _ in self.arguments)}):"

    def _tests(self, scope: dict[str, Any]) -> list[str]:
        """Lines that test arguments and surroundings."""
        lines = []
        for name, x in self.arguments:
            if is_variable(x) and isinstance(x, np.ndarray):
                scope[f"is_{x.dtype.name}"] = DTYPES[x.dtype]
                other = f"type({name}) is not ndarray or {name}.shape != {x.shape}"
                order = f"not {name}.flags.c_contiguous" if x.flags.c_contiguous else f"{name}.strides != {x.strides}"
                machine = isinstance(self.body, Kernel | Loops)  # which is made for aligned arrays
                order += f" or not {name}.flags.aligned" * machine
                other += f" or {order}" if x.ndim > 1 or machine else ""
                lines += [f"if {other} or {name}.dtype is not is_{x.dtype.name}:", "    return MISS"]
            elif is_variable(x):
                kind = type(x).__name__
                lines += [f"if type({name}) is not {kind}:", f"    if not isinstance({name}, {kind}):"]
                lines += ["        return MISS", f"    {name} = {kind}({name})"]
            else:
                scope[f"is_{name}"], scope[f"type_{name}"] = x, type(x)
                other = f"{name} is not is_{name}"
                if isinstance(x, VALUE):
                    other += f" and (type({name}) is not type_{name} or {name} != is_{name})"
                lines += [f"if {other}:", "    return MISS"]
        for k, (text, things) in enumerate(self.surroundings.checks):
            names = [f"is_{k}_{j}" for j in range(len(things))]
            scope.update(zip(names, things))
            lines += [f"if not {text.format(*names)}:" if text[0] == "(" else f"if not ({text.format(*names)}):"]
            lines += ["    return MISS"]
        return lines

    def _work(self) -> list[str]:
        """The program's lines, and a look at its result."""
        work, texts = [*self.out.lines], []
        for k, (text, looked) in enumerate(self.parts):
            if isinstance(self.body, Scalars):
                text, looked = self.body.written(k, self.results[k], work)
                if looked is not None:
                    work += [f"total = {looked}"] * (not looked.isidentifier())
                    total = looked if looked.isidentifier() else "total"
                    work += [f"if {total} - {total} != 0.0:", "    return UNSURE"]
            elif looked is not None:
                due, name = self.results[k], f"result{k}.data" if hasattr(self.results[k], "indices") else f"result{k}"
                real = isinstance(getattr(due, "data", None), np.ndarray | memoryview) and due.dtype.kind == "f"
                at_once = f"not vdot({name}, {name}) < inf and " * real  # the faster question, which may overflow
                work += [f"result{k} = {text}", f"if {at_once}not finite(result{k}):", "    return UNSURE"]
                text = f"result{k}"
            texts.append(text)
        if isinstance(self.body, Kernel | Loops):
            work[len(self.out.lines) : len(self.out.lines)] = self.body.look
        work.append(f"return {self._built(self.tree, iter(texts))}")
        if not isinstance(self.body, Arrays):
            return work
        return ["token = hush()", "try:", *(f"    {line}" for line in work), "finally:", "    unhush(token)"]

    def _built(self, tree: Tree, leaves: Iterator[str]) -> str:
        """The text of a result in its containers."""
        if tree.kind is None:
            return next(leaves)
        parts = [self._built(t, leaves) for t in tree.parts]
        if issubclass(tree.kind, dict):
            return "{" + ", ".join(f"{k!r}: {p}" for k, p in zip(tree.keys, parts)) + "}"
        if tree.like is not None or tree.kind not in (list, tuple):
            keys = tree.keys or getattr(tree.kind, "_fields", ())
            made = self.out.constant(tree.kind, tree.kind.__name__)
            return f"{made}({', '.join(f'{k}={p}' for k, p in zip(keys, parts))})"
        inner = ", ".join(parts)
        return f"[{inner}]" if tree.kind is list else f"({inner}{',' * (len(parts) == 1)})"

    # ------------------------------------------------------------ what is read

    @property
    def source(self) -> str:
        """The text of the program, without tests of its arguments and of the result."""
        return self.module(SHOWN).rstrip("\n")

    def module(self, most: int | None = None) -> str:
        """The text of a module with this one function; with `most`, larger constants are left out."""
        lines = self.body.read if isinstance(self.body, Kernel) else self.out.lines
        lines = [line.replace("return MISS", OTHER) for line in [*lines, f"return {self.result}"]]
        used = "\n".join(lines)
        constants = [f"{name} = {_constant(x, most)}" for name, x in self.out.constants.items() if name in used]
        imports = ["import base64"] if any("b64decode" in c for c in constants) else []
        kernel = self.body.code.rstrip() if isinstance(self.body, Kernel | Loops) else ""
        mathematics = sorted(n for n in FUNCTIONS if n in vars(math) and re.search(rf"\b{n}\(", kernel or used))
        mathematics += ["nan"] * ("else nan" in kernel)
        if mathematics and (kernel or not isinstance(self.body, Arrays)):
            imports.append(f"from math import {', '.join(mathematics)}")
        imports += ["import numpy as np"] if "np." in "".join([used, kernel, *constants]) else []
        imports += [f"from numba import {', '.join(n for n in NUMBA if f'{n}(' in kernel)}"] * bool(kernel)
        kernel = kernel and f"\n{kernel}"
        head = [self._head()]
        if most is None:
            made_for = [_kind(n, x) for n, x in self.arguments]
            head.append(f'"""Generated by dualdiff, for {", ".join(made_for) or "no arguments"}."""')
        parts = ["\n".join(imports), "\n".join(constants), kernel, "\n    ".join([*head, *lines]) + "\n"]
        *before, function = [p for p in parts if p]
        return "\n\n".join(before) + "\n\n\n" * bool(before) + function


FUNCTIONS: dict[str, Any] = {"hush": hush, "unhush": unhush, "finite": finite, "vdot": np.vdot, "inf": math.inf}
FUNCTIONS |= {n: f for n, f in vars(math).items() if callable(f)}
OTHER = 'raise ValueError("these numbers take another path through the function than this program was made for")'


def _kind(name: str, x: Any) -> str:
    if isinstance(x, np.ndarray):
        return f"{name} {x.dtype.name} of shape {x.shape}"
    return f"{name} {type(x).__name__}" if is_variable(x) else f"{name} = {x!r}"


def _constant(x: Any, most: int | None) -> str:
    """A constant as it is written; in what is only to be read, large ones are left out."""
    if not isinstance(x, np.ndarray):
        if most is None:
            raise ValueError(f"compile: the program uses {x!r}, which NumPy has not, so that it can't be saved")
        return f"...  # {getattr(x, '__name__', type(x).__name__)}"
    if x.size <= SHOWN and np.isfinite(x).all():
        return f"np.array({x.tolist()}, np.{x.dtype.name})"
    if most is not None:
        return f"...  # {x.dtype.name} array of shape {x.shape}"
    data = base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()
    return f"np.frombuffer(base64.b64decode({data!r}), {x.dtype.str!r}).reshape({x.shape})"
