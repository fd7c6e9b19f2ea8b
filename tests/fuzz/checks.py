"""One program in every mode and space, against differences and against each other; cut down where one fails."""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

import dualdiff as dd

from .programs import Program, fresh, smaller, usable, variables

Function = Callable[[Any], Any]
TOLERANCE = {"float64": 1e-7, "complex128": 1e-7, "longdouble": 1e-7, "float32": 2e-3, "float16": 0.2}
FORWARD = {"forward", "chunk_size=3", "row-local", "sparse"}  # they agree on what is no number, too
# A scalar Dual is Python's number, not np.float64: it has no elements, and complex ones no order.
REFUSED = re.compile(
    "holomorphic|'Dual' object (is not subscriptable|does not support item)|between instances|discard the imag"
    "|'bool' object is not subscriptable|a number does not support item"
)
# What NumPy itself makes an array of objects, which its compiled functions refuse, or one not to be written to.
CONVERTED = re.compile(
    r"asarray|asfortranarray|ascontiguousarray|copy=None|require|np\.array\(\[[a-z]|split|along_axis|broadcast_arrays|polyint"
)
OBJECTS = re.compile(
    "'O'|object_|object arr|dtype object|'(float|int)' object has no attribute|no callable|an identity|read-only"
    "|unsupported in linalg"
    "|not supported for the input"
)
STEPS, WEIGHTS = np.array([1, 2, 3]), np.array([3 / 4, -3 / 20, 1 / 60])  # of differences of sixth order


@dataclass
class Find:
    """What is wrong with a program: in which mode, what came out, and what was expected."""

    program: Program
    mode: str
    got: str
    due: str

    def __str__(self) -> str:
        return f"{self.program.text()}\n# {self.mode}:\n#   {self.got}\n# expected:\n#   {self.due}"

    @property
    def kind(self) -> str:
        return f"{self.mode}: {self.got.partition(':')[0] if 'Error' in self.got else 'wrong'}"


@contextmanager
def row_local() -> Iterator[None]:
    """Row-local tangents for arguments of every size: the one thing here that is not public."""
    modules: list[Any] = [m for name, m in sys.modules.items() if name.startswith("dualdiff") and hasattr(m, "SMALL")]
    before = [m.SMALL for m in modules]
    for m in modules:
        m.SMALL = 0
    try:
        yield
    finally:
        for m, small in zip(modules, before):
            m.SMALL = small


def locally(transform: Callable[[Any], Any]) -> Function:
    def run(x: Any) -> Any:
        with row_local():
            return transform(x)

    return run


def dense(j: Any) -> Any:
    return j.toarray() if hasattr(j, "toarray") else j


def direction(x: Any) -> Any:
    v = np.cos(1.0 + np.arange(np.size(x))).reshape(np.shape(x))
    return (v + 1j * np.sin(2 * v) if np.iscomplexobj(x) else v).astype(np.asarray(x).dtype)[()]


def moved(x: Any, step: Any) -> Any:
    """x + step, in the memory order of x."""
    if not isinstance(x, np.ndarray):
        return x + step
    y = fresh(x)
    y += step
    return y


# ---------------------------------------------------------------- the modes


def first(f: Function) -> dict[str, Function]:
    """The Jacobian, each time of shape (out.size, in.size)."""

    def transposed(x: Any) -> Any:
        value, pullback = dd.vjp(f, x)
        units = np.eye(np.size(value), dtype=np.asarray(value).dtype)
        return pullback(units.reshape(np.size(value), *np.shape(value)))

    modes = {
        "chunk_size=1": dd.jacobian(f, chunk_size=1),
        "forward": dd.jacobian(f),
        "chunk_size=3": dd.jacobian(f, chunk_size=3),
        "reverse": dd.jacobian(f, mode="reverse"),
        "reverse, chunk_size=1": dd.jacobian(f, mode="reverse", chunk_size=1),
        "vjp of a batch": transposed,
        "row-local": locally(dd.jacobian(f)),
        "sparse": dd.jacobian(f, sparse=True),
        "reverse over row-local rows": locally(dd.jacobian(f, mode="reverse", chunk_size=2)),
    }
    return modes | compiled({how: modes[how] for how in ("forward", "reverse", "sparse")})


def compiled(modes: dict[str, Function]) -> dict[str, Function]:
    """Programs recorded at the point itself, and at others, whose branches may be other ones."""
    here = {f"compiled {how}": after(dd.compile(g), 0.0) for how, g in modes.items()}
    return here | {f"compiled elsewhere {how}": after(dd.compile(g), 0.4, 0.41, -0.3) for how, g in modes.items()}


def after(g: Function, *steps: float) -> Function:
    """g once it has been called at x + steps times a direction, whatever it said there."""

    def run(x: Any) -> Any:
        for step in steps:
            with suppress(Exception):
                g(moved(x, (step * direction(x)).astype(np.asarray(x).dtype)))
        return g(x)

    return run


def complex_first(f: Function) -> dict[str, Function]:
    """The Jacobian of real and imaginary parts, direction by direction and cotangent by cotangent."""

    def forward(x: Any) -> Any:
        units = [np.reshape(u * row, np.shape(x)) for u in (1, 1j) for row in np.eye(np.size(x))]
        columns = [np.ravel(dd.jvp(f, (x,), (u,))[1]) for u in units]
        return np.stack([np.concatenate([c.real, c.imag * np.ones(c.size)]) for c in columns], axis=-1)

    def reverse(x: Any) -> Any:
        value, pullback = dd.vjp(f, x)
        if not np.size(value):
            return np.zeros((0, 2 * np.size(x)))
        rows = []
        for u in (1, 1j) if np.iscomplexobj(value) else (1,):
            cts = [np.ravel(pullback(np.reshape(u * row, np.shape(value)))) for row in np.eye(np.size(value))]
            rows += [np.concatenate([ct.real, ct.imag]) for ct in cts]
        return np.stack(rows + [0 * rows[0]] * (2 * np.size(value) - len(rows)))

    modes = {"chunk_size=1": forward, "reverse": reverse}
    return modes | compiled(modes)


def second(f: Function, w: Any) -> dict[str, Function]:
    """The Hessian of the result's sum with weights w, of shape (in.size, in.size)."""

    def g(x: Any) -> Any:
        return np.sum(w * f(x))

    def pulled(x: Any) -> Any:
        return dd.vjp(f, x)[1](w)

    def columns(x: Any) -> Any:
        return np.stack([np.ravel(dd.hvp(g, x, np.reshape(e, np.shape(x)))) for e in np.eye(np.size(x))])

    each = dd.jacobian(f, chunk_size=1)
    return {
        "second, chunk_size=1": dd.jacobian(dd.gradient(g), chunk_size=1),
        "second, of all results": lambda x: np.tensordot(w, dd.jacobian(each, chunk_size=1)(x), np.ndim(w)),
        "second, forward": dd.jacobian(dd.jacobian(g)),
        "hessian": dd.hessian(g),
        "hessian, sparse": dd.hessian(g, sparse=True),
        "hessian, row-local": locally(dd.hessian(g)),
        "hvp": columns,
        "forward over a pullback": dd.jacobian(pulled, chunk_size=1),
        "row-local over a pullback": locally(dd.jacobian(pulled)),
        "row-local over row-local": locally(dd.jacobian(dd.gradient(g))),
        "reverse over forward": dd.jacobian(dd.gradient(g), mode="reverse"),
        "reverse over row-local": locally(dd.jacobian(dd.gradient(g), mode="reverse")),
        "reverse over reverse": dd.jacobian(dd.gradient(g, mode="reverse"), mode="reverse"),
    } | compiled({"hessian": dd.hessian(g)})


# ---------------------------------------------------------------- comparing


class Skipped(Exception):
    """This program says nothing here: refused, or too ill-conditioned for what it would be held against."""


class Check:
    """The checks of one program; `counts` says what became of each."""

    def __init__(self, p: Program, counts: Counter[str]) -> None:
        self.p, self.counts, self.f = p, counts, p.function()
        self.wrong = False  # the value: derivatives then have nothing to be held against
        self.smooth = not np.any(4 * p.x == np.round(4 * p.x)) and len(np.unique(p.x)) == np.size(p.x)  # else kinks
        self.tolerance = TOLERANCE["longdouble" if p.x.dtype == np.longdouble else str(p.x.dtype)]

    def finds(self, only: str | None = None) -> Iterator[Find]:
        x, expected = self.p.x, self.p(fresh(self.p.x))
        is_complex = np.iscomplexobj(x)
        kept = np.array(x)
        try:
            yield from self.values(expected, only)
            if self.wrong:
                return
            modes = complex_first(self.f) if is_complex else first(self.f)
            found = yield from self.agree(modes, only)
            if found is not None and only in (None, "differences") and self.smooth and self.tolerance == 1e-7:
                yield from self.differences("differences", self.plain, found)
            if found is not None and not is_complex:
                yield from self.taylor(found, only)
            if found is not None and not is_complex and np.size(x) and self.tolerance == 1e-7:
                w = np.cos(np.arange(np.size(expected)) + 0.5).reshape(np.shape(expected))
                found = yield from self.agree(second(self.f, w), only)
                if found is not None and only in (None, "second differences") and self.smooth:
                    gradient = dd.gradient(lambda x: np.sum(w * self.f(x)))
                    yield from self.differences("second differences", gradient, found)
        finally:
            if not np.array_equal(kept, x):
                yield Find(self.p, "the caller's argument", str(x), str(kept))

    def plain(self, x: Any) -> Any:
        return self.p(fresh(x))

    def run(self, mode: str, g: Function) -> Any:
        """g(x); `Skipped` where dualdiff refuses, a `Find` where it crashes."""
        try:
            got = dense(g(self.p.x))
        except dd.DualdiffError as e:
            self.counts[f"refused: {type(e).__name__}"] += 1
            raise Skipped from e
        except Exception as e:
            if REFUSED.search(str(e)) or (CONVERTED.search(self.p.source()) and OBJECTS.search(str(e))):
                self.counts["refused: others"] += 1
                raise Skipped from e
            return Find(self.p, mode, f"{type(e).__name__}: {str(e)[:200]}", "no error, as without derivatives")
        self.counts["checks"] += 1
        self.counts[f"checks in mode {mode!r}"] += 1
        return got

    def values(self, expected: Any, only: str | None) -> Iterator[Find]:
        for mode, g in {
            "value, forward": lambda x: dd.jvp(self.f, (x,), (direction(x),))[0],
            "value, reverse": lambda x: dd.vjp(self.f, x)[0],
        }.items():
            if only in (None, mode):
                try:
                    got = self.run(mode, g)
                except Skipped:
                    continue
                if isinstance(got, Find):
                    yield got
                elif np.shape(got) != np.shape(expected) or not (np.all(np.isfinite(got)) and self.same(got, expected)):
                    self.wrong = True
                    if self.of_objects() or self.jumps(expected):
                        self.counts["refused: others"] += 1
                    else:
                        yield Find(self.p, mode, repr(got), repr(expected))

    def jumps(self, expected: Any) -> bool:
        """Whether rounding decides on the value, as it does on the order of equal real parts."""
        x = self.p.x
        steps = [1e-13 * x * np.cos(k + np.arange(np.size(x))).reshape(np.shape(x)) for k in range(4)]
        try:
            nearby = [self.plain(moved(x, step.astype(x.dtype)[()])) for step in steps]
        except Exception:  # another branch
            return True
        return any(np.shape(y) != np.shape(expected) or not self.same(y, expected) for y in nearby)

    def of_objects(self) -> bool:
        """Whether there may be arrays of objects of which NumPy finds no imaginary parts, or no NaN."""
        source, left = self.p.source(), variables(list(self.p.lines), self.p.x) or {}
        missed = "nan_to_num" in source or any(map(np.iscomplexobj, left.values()))
        return missed and bool(CONVERTED.search(source))

    def same(self, got: Any, due: Any, tolerance: float | None = None) -> bool:
        both = np.isfinite(got) & np.isfinite(due)
        got, due = np.where(both, got, 0), np.where(both, due, 0)
        limit = (tolerance or self.tolerance) * (1 + np.max(np.abs(due), initial=0.0))
        return bool(np.all(np.abs(got - due) <= limit))

    def agree(self, modes: dict[str, Function], only: str | None) -> Any:
        """All modes against the first of them, which is returned where it has a result."""
        (reference, g), *others = modes.items()
        try:
            due = self.run(reference, g)
        except Skipped:
            return None
        if isinstance(due, Find):
            if only in (None, reference):
                yield due
            return None
        n = np.size(self.p.x) * (2 if np.iscomplexobj(self.p.x) else 1)
        due = np.reshape(due, (-1, n)) if n else np.zeros((0, 0))
        for mode, g in others:
            if only not in (None, mode):
                continue
            try:
                got = self.run(mode, g)
            except Skipped as skipped:
                error = skipped.__cause__
                if isinstance(error, dd.DualdiffError):
                    got = f"{type(error).__name__}: {str(error)[:200]}"
                    yield Find(self.p, mode, got, f"no error, as in {reference}")
                continue
            if isinstance(got, Find):
                yield got
                continue
            if np.size(got) != due.size:
                yield Find(self.p, mode, f"shape {np.shape(got)}", f"{due.size} numbers")
                continue
            got = np.reshape(got, due.shape)
            wrong = not self.same(got, due) and self.stable(modes[reference], got, due)
            if wrong or (mode in FORWARD and not np.array_equal(np.isfinite(got), np.isfinite(due))):
                yield Find(self.p, mode, str(got.tolist()), str(due.tolist()))
        return due

    def stable(self, g: Function, got: Any, due: Any) -> bool:
        """Whether the difference is more than rounding can make where f is ill-conditioned."""
        if not self.smooth or self.tolerance != 1e-7:
            return True
        x = self.p.x
        nearby = moved(x, 1e-10 * x * np.cos(np.arange(np.size(x)).reshape(np.shape(x))))
        try:
            noise = np.nanmax(np.abs(np.reshape(dense(g(nearby)), due.shape) - due), initial=0.0)
        except Exception:  # another branch
            return False
        return bool(noise < 1e-2 * np.nanmax(np.abs(got - due)))

    def differences(self, mode: str, plain: Function, due: Any) -> Iterator[Find]:
        """Differences of sixth order along a direction with two steps: where these agree, f is smooth nearby."""
        x, v = self.p.x, direction(self.p.x)
        flat = np.concatenate([np.ravel(v).real, np.ravel(v).imag]) if np.iscomplexobj(x) else np.ravel(v)
        along, found = due @ flat, []
        try:
            for h in (2e-3, 1e-3):
                pairs = [np.ravel(plain(moved(x, s * h * v))) - np.ravel(plain(moved(x, -s * h * v))) for s in STEPS]
                found.append(sum(w * p for w, p in zip(WEIGHTS, pairs)) / h)
        except Exception:  # outside f's domain, or another branch there
            return
        if np.iscomplexobj(x):
            found = [np.concatenate([d.real, d.imag * np.ones(d.size)]) for d in found]
        if found[0].shape != np.shape(along) or not np.all(np.isfinite(found)) or not np.all(np.isfinite(along)):
            return
        self.counts["differences"] += 1
        most = lambda d: np.max(np.abs(d), initial=0.0)
        wrong = most(found[1] - along) > 1e-4 * (1e-3 + most(along))
        # Agreeing to their own size: steps that pass over an oscillation give small ones twice.
        if wrong and most(found[0] - found[1]) < 1e-6 * (1e-3 + min(most(along), most(found[1]))):
            yield Find(self.p, mode, str(along.tolist()), str(found[1].tolist()))

    def taylor(self, j: Any, only: str | None) -> Iterator[Find]:
        x, v = self.p.x, direction(self.p.x)
        if only not in (None, "taylor"):
            return
        try:
            got = self.run("taylor", lambda x: dd.taylor(self.f, x, 2, direction=v))
            if isinstance(got, Find):
                yield got
                return
            due = [self.plain(x), np.reshape(j @ np.ravel(v), np.shape(got)[1:])]
            for k, d in enumerate(due):
                if not self.same(got[k], d):
                    yield Find(self.p, "taylor", str(got[k].tolist()), str(np.asarray(d).tolist()))
                    return
            if self.smooth and self.tolerance == 1e-7:
                twice = self.run("jvp of jvp", lambda x: dd.jvp(
                    lambda x: dd.jvp(self.f, (x,), (v,))[1], (x,), (v,))[1])  # fmt: skip
                if isinstance(twice, Find):
                    yield twice
                elif not self.same(2 * got[2], twice, 1e-6):
                    yield Find(self.p, "taylor", str((2 * got[2]).tolist()), str(np.asarray(twice).tolist()))
        except Skipped:
            return


def shrunk(find: Find, budget: int = 400) -> Find:
    """The same kind of failure in the smallest program that cutting down leads to."""
    progress = True
    while progress and budget:
        progress = False
        for p in smaller(find.program):
            budget -= 1
            if budget <= 0:
                break
            other = next((o for o in examine(p, Counter(), find.mode) if o.kind == find.kind), None)
            if other is not None:
                find, progress = other, True
                break
    return find


def examine(p: Program, counts: Counter[str], only: str | None = None) -> list[Find]:
    """What is wrong with a program in all modes, or in one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not usable(p(fresh(p.x))):
                return []
        except Exception:
            return []  # cut down too far
        return list(Check(p, counts).finds(only))
