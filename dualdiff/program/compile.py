"""`dd.compile`: a function made of NumPy code and transforms as generated straight-line programs.

Each program serves one signature (structure, shapes and types of the arguments) and one path through the function's
branches, while what the function reaches by name stays the same. Whatever no program serves runs as it always did.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core import kinks
from ..core.tangents import hush, unhush
from ..run.checks import check_function
from .kernel import Kernel
from .loops import Loops
from .machine import Machine
from .optimise import Optimised
from .recording import Escaped, Log, Recording, Ref, concrete, method
from .scalars import Unsuited
from .structure import (
    LEAF,
    RESERVED,
    agree,
    described,
    finite,
    is_variable,
    kind_of,
    names_of,
    own,
    parts_of,
    rebuilt,
    same_structure,
    same_value,
)
from .surroundings import Surroundings
from .text import MISS, UNSURE, Program

PATHS = 8  # programs for one signature
SIGNATURES = 64
CHANGES = 8  # how often what the function reaches may change before it runs as it is

__all__ = ["Compiled", "compile"]


def compile(
    g: Callable[..., Any], backend: str = "numpy", *, threads: int | None = None, cache: bool = False
) -> Compiled:
    """The function g, which may be made by transforms, as generated straight-line NumPy code.

    >>> import numpy as np, dualdiff as dd
    >>> slope = dd.compile(dd.derivative(lambda x: x * np.sin(x)))
    >>> slope(0.0), slope(1.0)
    (0.0, 1.3817732906760363)

    The first call with arguments of new shapes or types runs g as it is, and once more on numbers that write down what
    is asked of them; what they wrote, freed of dead and repeated work, is printed as Python and compiled. Later calls
    run that program, after a look at what it was made for.

    Parameters
    ----------
    g : callable
        A function of numbers, arrays and containers of them: a transform such as `dd.jacobian(f)`, or any function
        of NumPy code.
    backend : {"numpy", "numba"}
        With "numba", programs are compiled to machine code by Numba, which must be installed: at the second call of a
        kind, or ahead of it by `.warm(*args)`, in a second or so. Those of numbers and small arrays become one
        function of numbers; in those of larger arrays, chains of steps on elements, slices and sums become loops
        without arrays in between, and the rest stays NumPy's. Where Numba can't, NumPy's program serves and `.report`
        says why.
    threads : int, optional
        With "numba", how many threads share the loops over large arrays; 1 unless given.
    cache : bool, optional
        With "numba", whether machine code is kept in a folder `dualdiff` of NUMBA_CACHE_DIR, or of the user's cache,
        for later runs of Python.

    Returns
    -------
    Compiled
        Called as g is. `.source` is the text of its latest program, `.report` says which calls programs serve and why
        others can't be, `.save(path)` writes a module that needs NumPy alone (and Numba, with that backend).

    Notes
    -----
    A program holds for other numbers: what NumPy compares (`np.where`, `np.maximum`, `np.sort`) is computed again, what
    Python decides on (`if`, `int(x)`, an index) is tested, and at most eight paths through it are kept. Where a result
    is not finite the program's answer is not used. What g reaches by name is compared at each call, arrays of at most
    1000 elements by content; larger ones are taken to stay as they are. The second call runs g as well and compares.
    The pattern of a sparse result stays the same from call to call, with zeros where np.where takes another branch.
    Functions of `define_rule` and solvers of `define_root` are called whole, with plain numbers, so that they may be of
    any kind; a program that calls one can't be saved.

    Raises
    ------
    TypeError
        If g is not callable.
    ValueError
        If there is no such backend, or `threads` or `cache` are given without Numba.
    ImportError
        If Numba is asked for and not installed.

    Examples
    --------
    >>> print(slope.source)
    from math import cos, sin
    <BLANKLINE>
    <BLANKLINE>
    def program(x):
        return sin(x) + cos(x) * x
    """
    check_function("compile", g, "compile(jacobian(f))")
    if not isinstance(backend, str) or backend not in ("numpy", "numba"):
        meant = "" if isinstance(backend, str) else "; did you mean dd.compile(g)(x)?"
        raise ValueError(f'compile: backend is "numpy" or "numba", not {backend!r}{meant}')
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"compile: threads is a number of threads from 1, not {threads!r}")
    if backend == "numpy" and (threads is not None or cache):
        raise ValueError('compile: threads= and cache= are for backend="numba"')
    if backend == "numba" and importlib.util.find_spec("numba") is None:
        raise ImportError("compile: backend=\"numba\" needs Numba: pip install 'dualdiff[numba]'")
    return Compiled(g, backend, Machine(threads or 1, bool(cache)))


class Compiled:
    """A function that is served by generated programs where it can be; see `compile`."""

    def __init__(self, g: Callable[..., Any], backend: str = "numpy", machine: Machine = Machine()) -> None:  # noqa: B008
        self._g, self._backend, self._machine = g, backend, machine
        self._programs: dict[Any, list[Program]] = {}
        self._current: tuple[Program, ...] = ()  # the programs that are tried first
        self._reasons: dict[Any, str] = {}  # of signatures that run as g
        self._slower: dict[Any, str] = {}  # why there is no machine code, by signature
        self._changes = 0
        self._lock = threading.Lock()
        with contextlib.suppress(AttributeError, TypeError):  # of a callable without a name
            functools.update_wrapper(self, g, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The latest program's own entry stands here once there is one, see `_first`."""
        return self._slowly(args, kwargs)

    def _missed(self, *given: Any, **kwargs: Any) -> Any:
        """What the latest program does not serve."""
        args = tuple([x for x in given if x is not MISS])
        if not kwargs and not kinks.active:
            for program in self._current[1:]:
                if len(args) == len(program.arguments):
                    result = program.run(args)
                    if result is UNSURE:
                        return self._g(*args)
                    if result is not MISS:
                        return result
        return self._slowly(args, kwargs)

    def __reduce__(self) -> Any:
        return Compiled, (self._g, self._backend, self._machine)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    # ------------------------------------------------------------ calls that no program has served at once

    def _slowly(self, args: Any, kwargs: Any) -> Any:
        if kinks.watching():
            return self._g(*args, **kwargs)
        leaves, tree = parts_of((args, kwargs))
        kinds = tuple([kind_of(x) for x in leaves])
        signature = kinds, str(tree), tuple(kwargs)
        if None in kinds or signature in self._reasons:
            return self._g(*args, **kwargs)
        before = [own(x) for x in leaves]
        for program in self._programs.get(signature, ()):
            result = program.run(before)
            if result is UNSURE:
                return self._g(*args, **kwargs)
            if result is MISS:
                continue
            if not program.checked:
                return self._compared(program, signature, result, args, kwargs)
            self._first(program)
            return result
        result = self._g(*args, **kwargs)
        with self._lock:
            self._record(signature, before, args, kwargs, result)
        return result

    def _first(self, program: Program) -> None:
        """Try this program before others from now on."""
        if program.direct and program not in self._current[:1]:
            self._try_first((program, *[p for p in self._current if p is not program])[:PATHS])

    def _try_first(self, programs: tuple[Program, ...]) -> None:
        """A class of its own, whose `__call__` is the first program's entry: a call costs no more than a function's."""
        self._current = programs
        call = {"__call__": staticmethod(programs[0].entry(self._missed))} if programs else {}
        self.__class__ = type("Compiled", (Compiled,), {"__doc__": self.__doc__, **call})

    def _compared(self, program: Program, signature: Any, result: Any, args: Any, kwargs: Any) -> Any:
        """The result of g at a second point, with which the program's must agree."""
        expected = self._g(*args, **kwargs)
        if agree(result, expected):
            program.checked = True
            self._first(self._faster(program, signature, args, kwargs, expected))
            return expected
        with self._lock:
            self._forget(program)
            other = self._other_step(program, args, kwargs)
            self._reasons[signature] = f"a program gave another result than the function itself{other}"
        warnings.warn(f"compile: {self._reasons[signature]}; it runs as it is", RuntimeWarning, stacklevel=4)
        return expected

    def _other_step(self, program: Program, args: Any, kwargs: Any) -> str:
        """Where a recording at these arguments first goes another way than the program's."""
        try:
            log, _, _ = self._written(Log(program.surroundings.shared), parts_of((args, kwargs))[0], args, kwargs)
        except Exception:
            return ""
        steps = () if isinstance(program.body, Kernel) else program.body.program.log.steps
        for a, b in zip(steps, log.steps):
            if repr((a.function, a.args, a.kwargs)) != repr((b.function, b.args, b.kwargs)):
                name = b.args[1] if b.function is method else getattr(b.function, "__name__", "a step")
                return f": {name}{b.line} has other operands"
        return ""

    def _faster(self, program: Program, signature: Any, args: Any, kwargs: Any, expected: Any) -> Program:
        """The program as machine code, where that is asked for and can be."""
        with self._lock:
            optimised, program.optimised = program.optimised, None
            if optimised is None:
                return program
            try:
                made = program.compiled(optimised, self._machine)
                same = agree(made.function(*[own(x) for x in parts_of((args, kwargs))[0]]), expected)
                reason = "" if same else "machine code gave another result"
            except Unsuited as error:
                reason = str(error)
            except Exception as error:  # whatever Numba refuses
                reason = f"Numba refuses it ({type(error).__name__})"
            if reason:
                self._slower[signature] = reason
                return program
            made.checked, made.direct = True, program.direct
            self._programs[signature] = [made if p is program else p for p in self._programs[signature]]
            return made

    def _forget(self, program: Program) -> None:
        for programs in self._programs.values():
            if program in programs:
                programs.remove(program)
        self._try_first(tuple([p for p in self._current if p is not program]))

    # ------------------------------------------------------------ recording

    def _record(self, signature: Any, leaves: list[Any], args: Any, kwargs: Any, result: Any) -> None:
        programs = self._programs.setdefault(signature, [])
        for program in [p for p in programs if not p.surroundings.same()]:
            self._forget(program)
            self._changes += 1
        reason = None
        if self._changes > CHANGES:
            reason = f"what it reaches by name has changed more than {CHANGES} times"
        elif len(programs) >= PATHS:
            reason = f"more than {PATHS} paths through its branches"
        elif len(self._programs) > SIGNATURES:
            reason = f"more than {SIGNATURES} kinds of arguments"
        if reason is None:
            try:
                made = self._made(leaves, args, kwargs, result)
            except Escaped as error:
                reason = str(error)
            except Exception as error:  # a fault of ours must not be the user's
                reason = f"{type(error).__name__}: {error}"
            else:
                if made is not None:
                    programs.append(made)
                return
        self._reasons[signature] = reason

    def _written(self, log: Log, leaves: list[Any], args: Any, kwargs: Any) -> tuple[Log, list[Any], Any]:
        """The steps of a run at these arguments, and what it returns."""
        named = zip(names_of(self._g, args, kwargs), map(own, leaves))
        numbers = iter([log.argument(n, x) if is_variable(x) else x for n, x in named])
        new_args, new_kwargs = rebuilt(parts_of((args, kwargs))[1], numbers)
        token = hush()
        try:
            return log, *parts_of(self._g(*new_args, **new_kwargs))
        finally:
            unhush(token)

    def _made(self, leaves: list[Any], args: Any, kwargs: Any, result: Any) -> Program | None:
        """A program for the path that g takes with these arguments; None where it met what is not finite."""
        surroundings = Surroundings(self._g)
        if surroundings.reason is not None:
            raise Escaped(surroundings.reason)
        expected, tree = parts_of(result)
        if not all(finite(v) for v in expected):
            return None
        log, got, got_tree = self._written(Log(surroundings.shared), leaves, args, kwargs)
        if not surroundings.same():
            raise Escaped("it changes what stands outside of it")
        if not same_structure(tree, got_tree):
            raise Escaped("its result is of another structure on numbers that write down what is asked of them")
        if not all(same_value(concrete(x), v) for x, v in zip(got, expected)):
            raise Escaped("its result is another on numbers that write down what is asked of them")
        optimised = Optimised(log, [Ref(x.step) if isinstance(x, Recording) else x for x in got])
        name = getattr(self, "__name__", "")
        name = name + "_" * (name in RESERVED) if name.isidentifier() else "program"  # sin, which calls sin
        named = list(zip(names_of(self._g, args, kwargs), map(own, leaves)))
        program = Program(name, optimised, named, expected, tree, surroundings)
        program.optimised = optimised if self._backend == "numba" else None
        if not kwargs and all(part is LEAF for part in parts_of(args)[1].parts):
            program.direct = True
        return program

    # ------------------------------------------------------------ what users look at

    @property
    def source(self) -> str:
        """The Python text of the latest program; empty before the first call, and where there is none."""
        return self._latest().source if any(self._programs.values()) else ""

    def _latest(self) -> Program:
        return [p for programs in self._programs.values() for p in programs][-1]

    @property
    def report(self) -> str:
        """Which calls are served by programs, and why others are not, a line each."""
        lines = []
        for s, programs in self._programs.items():
            fast = sum(isinstance(p.body, Kernel | Loops) for p in programs)
            told = f", {fast} as machine code" * (fast > 0)
            told += f"; not as machine code: {self._slower[s]}" if s in self._slower else ""
            if programs:
                lines.append(f"{described(s)}: {len(programs)} program{'s' * (len(programs) > 1)}{told}")
        return "\n".join(lines + [f"{described(s)}: runs as it is: {why}" for s, why in self._reasons.items()])

    def warm(self, *args: Any, **kwargs: Any) -> None:
        """Record, compare and compile what serves calls with arguments like these, ahead of them."""
        self(*args, **kwargs)
        self(*args, **kwargs)

    def save(self, path: str | Path) -> None:
        """Write the latest program as a module with one function, which needs NumPy alone.

        Raises
        ------
        ValueError
            If there is no program yet, or if it uses what NumPy has not.
        """
        if not any(self._programs.values()):
            raise ValueError(f"compile: there is no program to save: {self.report or 'call the function first'}")
        Path(path).write_text(self._latest().module(), encoding="utf-8")
