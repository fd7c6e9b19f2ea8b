"""Implicit functions: `define_root`, the root of an equation as a differentiable function of its parameters."""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, user_line
from ..core.making import numeric
from ..core.pytree import flatten
from ..core.values import dtype_of, plain, shape_of, size_of
from ..run.call import Call, Function, own_copy
from .forward import value_and_jacobian
from .linearised import Layout, pack, pack_many
from .reverse import Record
from .userrule import Custom, Point, Rule, has_tangent, name_of, numbers_of


def define_root(equation: Function, solve: Function | None = None, *, tol: float = 1e-4) -> Any:
    """The root x(p, ...) of equation(x, p, ...) = 0 as a differentiable function of p, whatever finds it.

    >>> import dualdiff as dd
    >>> from scipy.optimize import brentq
    >>> root = dd.define_root(lambda x, p: x**3 + x - p, lambda p: brentq(lambda x: x**3 + x - p, 0, p))
    >>> round(dd.derivative(root)(2.0), 10), round(dd.derivative(root, order=2)(2.0), 10)
    (0.25, -0.09375)

    The implicit function theorem: dx = -(dg/dx)⁻¹ (dg/dp) dp. One linear system with the Jacobian of the equation at
    the root, in every mode; the iterations of the solver are neither differentiated nor seen.

    Parameters
    ----------
    equation : callable
        `equation(x, *params)` returns as many numbers as x has: zero at the root. Differentiable by dualdiff. For a
        minimiser it is the gradient, `lambda x, p: dd.gradient(objective)(x, p)`; for a fixed point `h(x, p) - x`.
    solve : callable, optional
        `solve(*params, **options)` returns the root, a number or an array, by any method. It is called with plain
        numbers. Keyword arguments are its own (a guess, a tolerance), and are constants. Without it, a decorator.
    tol : float
        How far from the root, measured by a Newton step relative to max(1, |x|), `solve` may end: farther away the
        derivative would be wrong.

    Returns
    -------
    callable
        `solve`, which also takes numbers, arrays, or containers of them, with tangents.

    Raises
    ------
    ValueError
        If what `solve` returns is no root, or not of the equation's size.
    numpy.linalg.LinAlgError
        If the Jacobian of the equation is singular at the root: it is no differentiable function of the parameters.

    See Also
    --------
    define_rule : for a function whose derivative is known.
    """
    name_of("define_root", equation)
    if solve is None:
        return functools.partial(define_root, equation, tol=tol)
    root = _Root(name_of("define_root", solve), equation, solve, tol)
    root.primitive = Custom(solve, root)
    return root.primitive


class _Root:
    """The root of an equation whose parameters have tangents: a rule, as `define_rule` makes it, of their leaves."""

    primitive: Any

    def __init__(self, name: str, equation: Function, solve: Function, tol: float) -> None:
        self.name, self.equation, self.solve, self.tol = name, equation, solve, tol

    def __call__(self, *args: Any, **options: Any) -> Any:
        if has_tangent(options):
            raise NotDifferentiableError(
                f"a keyword of {self.name} was given a number with a tangent{user_line()}: parameters of the equation "
                "are passed by position; of a guess pass dd.value(x0)"
            )
        leaves, rebuild = flatten(dict(enumerate(args)))

        def root(*leaves: Any, **options: Any) -> Any:
            x = self.solve(*rebuild([own_copy(v) for v in leaves]).values(), **options)
            if isinstance(x, tuple) or hasattr(x, "x") or hasattr(x, "root"):
                raise TypeError(f"{self.name} must return the root itself, not {type(x).__name__}: .x or .root of it")
            x = numeric(x, f"the root of {self.name}")
            g = self.equation(own_copy(x), *rebuild(leaves).values())
            numbers_of(g, f"the equation of {self.name}", 0)  # which may not know of numbers that solve does not
            return x

        rule = Rule(self.name, root)
        rule.primitive = self.primitive
        rule.tangent = lambda point, ts: self.tangent(point, list(rebuild(point.args).values()), ts)
        return rule(*leaves, **options)

    def tangent(self, point: Point, params: list[Any], ts: Sequence[Any]) -> Any:
        """dx = -(dg/dx)⁻¹ (dg/dp) dp as one linear function of the leaves that vary; its transpose likewise."""
        x, name = point.y, self.name
        g, a = value_and_jacobian(self.equation)(x, *params)
        n = size_of(x)
        if isinstance(g, dict | tuple) or size_of(g) != n:
            raise ValueError(f"{name}: the equation must return as many numbers as x has, {n}, in one array")
        a = np.reshape(a, (n, n))
        if n:
            _check_root(name, plain(a), np.reshape(plain(g), -1), np.reshape(plain(x), -1), self.tol)

        # The equation as a function of the parameters that hold a leaf that varies: all their leaves may have tangents.
        ends = np.cumsum([0] + [len(flatten(p)[0]) for p in params]).tolist()
        held = sorted({bisect_right(ends, i) for i in point.which})  # x is argument 0 of the equation
        call = Call(name, self.equation, tuple(held), (own_copy(x), *params), {})
        numbers = [i for k in held for i in range(ends[k - 1], ends[k])]
        places = [numbers.index(i) for i in point.which]
        ins = Layout(point.varied)

        def apply(v: Any) -> Any:
            lead = shape_of(v)[:-1]
            seeds: list[Any] = [None] * len(call.leaves)
            for i, part in zip(places, ins.parts(v)):
                seeds[i] = part
            _, (dg,), _ = call.run(seeds)
            return np.zeros((*lead, n)) if dg is None else -_solve(a, np.reshape(dg, (*lead, n)).T).T

        record = functools.cache(lambda: Record(call))

        def transpose(ct: Any) -> Any:
            lead = shape_of(ct)[:-1]
            ct = -_solve(np.conj(a).T, ct.T).T
            pulled = record().pull([np.reshape(ct, lead + shape_of(g)) if shape_of(g) or lead else ct[0]], lead)
            return (pack_many if lead else pack)([pulled[i] for i in places])

        return ins.tangents(ts, Layout([x]), apply, transpose)[0]


def _solve(a: Any, b: Any) -> Any:
    """The solution of a x = b, each equation first scaled by a power of two: pivots must not depend on units."""
    sizes = np.max(np.abs(plain(a)), axis=1, initial=np.finfo(dtype_of(plain(a))).tiny)
    scale = np.ldexp(np.ones_like(sizes), -np.frexp(sizes)[1])
    return np.linalg.solve(scale[:, None] * a, np.reshape(scale, (-1, *(1,) * (np.ndim(b) - 1))) * b)


def _check_root(name: str, a: Any, g: Any, x: Any, tol: float) -> None:
    """Raise unless x is a root, as far as a Newton step can tell, and the Jacobian a of the equation is regular."""
    singular = f"{name}: the Jacobian of the equation is singular at {x}: the root has no derivative there"
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(g))):
        raise ValueError(f"{name}: the equation or its Jacobian is not finite at {x}, which is no root")
    with np.errstate(all="ignore"):
        scaled = a / np.max(np.abs(a), axis=1, keepdims=True)  # whatever the units of equations and unknowns
        scaled = scaled / np.max(np.abs(scaled), axis=0)
        if not np.all(np.isfinite(scaled)) or not np.linalg.cond(scaled, 1) * np.finfo(a.dtype).eps < 1:
            raise np.linalg.LinAlgError(singular)
        step = np.max(np.abs(_solve(a, g)))
    if not step <= tol * np.max(np.abs(x), initial=1.0):
        raise ValueError(
            f"{name}: {x} is no root of the equation, from which a Newton step of {step:.2g} leads away: its "
            "derivative would be wrong; let the solver iterate further, or see whether it solves the same equation "
            "(tol= sets how far off is allowed)"
        )
