"""Derivatives done by hand, checked: by algebra where that is easy, else at points, with a guess at what went wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from ...show.text import counted, html_lines
from .. import slips
from ..verdict import Verdict
from .derivatives import Call, Expressions, array_of, name_of, point_text
from .digits import Evaluator, shown
from .exact import UndecidedError, UndefinedError, mp, sign, sp, step

Index = tuple[int, ...]


class Mistake(NamedTuple):
    """A wrong component: its value as given by the caller and as due at the report's point, and both expressions."""

    name: str
    given: Any
    due: Any
    given_expr: Any
    due_expr: Any


@dataclass
class Report(Verdict):
    """What `check` found; true if the derivative is right. `due` is the right one.

    It is proved by algebra, or right at so many points; or it has these mistakes at that point.
    """

    due: Expressions
    ok: bool = False
    proved: bool = False
    points: int = 0
    point: str = ""
    mistakes: list[Mistake] = field(default_factory=list)
    guess: str = ""

    def lines(self, show: Callable[[Any], str] = str) -> Iterator[str]:
        if self.ok:
            how = "proved by algebra" if self.proved else f"the same at {counted(self.points, 'point')}"
            yield f"right ({how}): {show(self.due)}"
            return
        parts = f" in {len(self.mistakes)} of {self.due.size} components" * bool(self.mistakes and self.due.ndim)
        yield f"wrong{parts}, at {self.point}"
        for m in self.mistakes[:4]:
            yield f"{m.name}: given {shown(m.given)}, due {shown(m.due)}"
            yield f"    given {show(m.given_expr)}"
            yield f"    due   {show(m.due_expr)}"
        yield f"perhaps {self.guess}" if self.guess else "no usual slip explains it"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return html_lines(self.lines(lambda e: f"${sp.latex(sp.sympify(e))}$"))


def check(f: Any, manual: Any, *shapes_or_names: Any, argnums: Any = 0, at: Any = None, assume: Any = None,
          rtol: float = 1e-12, **named: Any) -> Report:  # fmt: skip
    """Whether `manual` is the derivative of f by one argument, in its shape convention: out.shape + in.shape.

    `manual` is a function of f's arguments, or sympy expressions or text, or numbers for the point `at` (with an `rtol`
    that suits their digits). Proved by algebra if that is easy, else compared at 12 points, kinks left out.

    >>> import dualdiff as dd, numpy as np
    >>> dd.oracle.check(lambda x: np.sin(x**2), lambda x: np.cos(x**2), at=2)
    wrong, at x = 2
    df/dx: given -0.653644, due -2.61457
        given cos(x**2)
        due   2*x*cos(x**2)
    perhaps chain rule: the inner derivative d(x**2)/dx = 2*x is missing
    """
    if isinstance(argnums, tuple):
        for i, n in enumerate(argnums):
            part = _part(manual, i, argnums)
            report = check(f, part, *shapes_or_names, argnums=n, at=at, assume=assume, rtol=rtol, **named)
            if not report:
                break
        return report
    call = Call(f, shapes_or_names, named)
    (name,) = call.names(argnums)
    everywhere = None  # the derivatives, where no branch depends on the point
    try:
        everywhere = _derivatives(call, name, f, manual, assume)
    except UndecidedError:  # then each point decides for itself
        if assume is not None:
            raise
    points = list(_points(call.arguments)) if at is None else [at if isinstance(at, tuple) else (at,)]
    compared = 0
    for point in points:
        derivatives = everywhere or _derivatives(call, name, f, manual, point)
        numbers = derivatives.at(point, kinks=at is not None)
        if numbers is None:
            continue
        if wrong := _differing(*numbers, rtol):
            return derivatives.report(*numbers, wrong, point, points)
        compared += 1
        if compared == 12:
            break
    if not compared:
        raise ValueError("f is not real at any of the points tried, or not assumed there: give at= one that will do")
    proved = everywhere is not None and at is None and all(map(_is_zero, np.ravel(everywhere.given - everywhere.due)))
    return Report(derivatives.due, True, proved, compared)


def _part(manual: Any, i: int, argnums: tuple[int, ...], name: str = "") -> Any:
    """The i-th of the caller's derivatives, one for each of `argnums`; of a function, a function that gives it."""
    name = name or name_of(manual)
    if callable(manual):
        return lambda *x, **named: _part(manual(*x, **named), i, argnums, name)
    if not hasattr(manual, "__len__") or len(manual) != len(argnums):
        what = f"{len(manual)} derivatives" if hasattr(manual, "__len__") else type(manual).__name__
        raise TypeError(f"{name} returned {what}; argnums={argnums} asks for a tuple of {len(argnums)}")
    if manual[i] is None or manual[i] is ...:
        raise TypeError(f"{name} returned {manual[i]} as derivative {i + 1} of {len(argnums)}")
    return manual[i]


def _derivatives(call: Call, name: str, f: Any, manual: Any, assume: Any) -> _Derivatives:
    """f on symbols, differentiated by the argument `name`, beside what the caller gives."""
    value = call.run(f, assume)
    given = call.run(manual, assume) if callable(manual) else call.formula(manual)
    return _Derivatives(name, value, value.jacobian(name), given)


class _Derivatives(NamedTuple):
    """f on symbols, its exact derivative by the argument `name`, and the one that the caller gives."""

    name: str
    value: Expressions
    due: Expressions
    given: Expressions

    def at(self, point: tuple[Any, ...], kinks: bool) -> tuple[Any, Any] | None:
        """The numbers given and due; None where f is not real or takes another branch, and at kinks unless wanted."""
        exact = self.value.point(*point)
        if not all(map(Evaluator(exact), self.due.region)):
            return None
        try:
            self.value.at(*point)
            due = np.asarray(self.due.at(*point), object)
        except UndefinedError:
            return None
        if not kinks and _on_edge((*self.due.flat, *self.given.flat, *self.due.region), exact):
            return None
        try:
            return np.asarray(self.given.at(*point), object), due
        except UndefinedError:
            return np.full(self.given.shape, mp.nan), due

    def report(self, given: Any, due: Any, wrong: list[Index], point: tuple[Any, ...], points: list[Any]) -> Report:
        """What is wrong with these numbers, and perhaps why."""
        exact, outputs = self.value.point(*point), self.value.ndim
        report = Report(self.due, point=point_text(self.value.arguments, exact))
        guess = slips.of_arrays(given.astype(float), due.astype(float))
        if given.shape != due.shape:
            guess = guess or "which no reordering or sum explains"
            report.guess = f"the shape of df/d{self.name}: given {given.shape}, due {due.shape}, {guess}"
            return report
        x = np.asarray(self.value.arguments[self.name], object)
        for i in wrong:
            name = f"df{list(i[:outputs]) or ''}/d{x[i[outputs:]]}"
            report.mistakes.append(Mistake(name, given[i], due[i], self.given[i], self.due[i]))
        smooth = [self.due[i] for i in wrong if not self.due[i].has(sp.Piecewise)]
        if guess:
            report.guess = guess
        elif _on_edge(smooth, exact):
            kink = "the tie or kink at this point"
            report.guess = f"{kink}: the middle of both sides is due, an equal share for all that tie"
        else:
            i, places = wrong[0], [self.value.point(*p) for p in points]
            guess = slips.of_component(self.value[i[:outputs]], x[i[outputs:]], self.given[i], self.due[i], places)
            report.guess = _fitting(guess, report.mistakes)
        return report


def _fitting(guess: str, mistakes: list[Mistake]) -> str:
    """The guess at the first mistake, unless the numbers contradict it."""
    first = mistakes[0]
    ratios = [float(m.given / m.due) if m.due else np.inf for m in mistakes]
    if guess.startswith("a constant factor") and max(ratios) - min(ratios) > 1e-9 * abs(max(ratios)):
        return ""
    if guess.startswith("a rounded") and abs(first.given - first.due) > 1e-2 * abs(first.due):
        return "right at other points: the slope of a kink or a branch (relu: 1 or 0) may be missing"
    return guess


def _differing(given: Any, due: Any, rtol: float) -> list[Index]:
    """The components that differ; all of them if the shapes do. Infinities may be equal."""
    every = list(np.ndindex(due.shape))
    if given.shape != due.shape:
        return every
    return [i for i in every if given[i] != due[i] and not abs(given[i] - due[i]) <= rtol * abs(due[i])]


def _points(arguments: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Points with short decimals, no two coordinates equal; in (0, 1) and (-1, 1) too, for arcsin and the like."""
    size = sum(np.size(a) for a in arguments.values())
    for k in range(60):
        low, high, parts = ((0, 5, 1), (0, 1, 10), (-3, 3, 2), (1, 9, 2), (-1, 1, 10))[(k - (size > 4)) % 5]
        parts *= 1 + 2 * size // (parts * (high - low))
        numbers = random.Random(k).sample([n for n in range(low * parts + 1, high * parts) if n], size)
        chosen = iter([Fraction(n, parts) for n in numbers])
        yield tuple(array_of([next(chosen) for _ in range(np.size(a))], np.shape(a)) for a in arguments.values())


def _on_edge(expressions: Any, point: dict[Any, Any]) -> bool:
    """At a kink or jump of one of them, where opinions may differ."""
    at = Evaluator(point)
    atoms = {a for e in expressions for a in e.atoms(step, sign, sp.Rel)}
    return any(at.order(at(a.args[0]), at(a.args[1]) if a.is_Relational else 0) == 0 for a in atoms)


def _is_zero(expr: Any) -> bool:
    """By algebra, with bounded effort."""
    if any(max(r.q, abs(r.p)) > 10**6 for r in expr.atoms(sp.Rational)):
        return False  # floats taken exactly, which algebra would raise to powers; the points have spoken
    expr = sp.expand(expr) if expr.count_ops() < 300 else expr
    return bool(expr == 0 or (expr.count_ops() < 60 and sp.simplify(expr) == 0))
