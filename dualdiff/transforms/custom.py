"""One's own rules: `define_rule` gives a function a derivative that is known, where dualdiff can't look into it.

It becomes a rule like those of the table: what is said about the derivative is made of the maps of tangents.py, so that
one definition serves forward and reverse mode, many directions and nested derivatives.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, user_line
from ..core.table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED, found
from ..core.tangents import combine
from ..core.values import is_complex, shape_of
from ..run.call import Function, own_copy
from ..run.checks import check_function
from ..run.stencils import check_method
from .differences import by_differences, partial_by_differences
from .linearised import linearised, zero_of
from .userrule import Custom, Point, Rule, name_of, numbers_of


def define_rule(
    function: Function | None = None,
    *,
    partials: Any = None,
    jvp: Function | None = None,
    vjp: Function | None = None,
    numerical: str | None = None,
    constants: int | Sequence[int] = (),
) -> Any:
    """The function with a derivative rule of its own: from then on it takes numbers with tangents, in every mode.

    >>> import math, numpy as np, dualdiff as dd
    >>> erf = dd.define_rule(math.erf, partials=lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x))
    >>> dd.derivative(erf)(0.5), dd.derivative(erf, order=2)(0.5)
    (0.8787825789354448, -0.8787825789354448)

    For functions that dualdiff can't look into, such as those of C and Fortran libraries, and for derivatives that are
    better known than computed. What the rule itself calls must be differentiable if second derivatives are wanted.

    Parameters
    ----------
    function : callable, optional
        A Python function; a ufunc (of `np.frompyfunc`, `numba.vectorize`, SciPy, ...); or a NumPy function that has no
        rule yet. Without it, a decorator. It must not write into its arguments, and gets copies.
    partials : callable, number, or tuple of them
        Of an elementwise function: the partial derivative by each positional argument, called as the function is,
        or a number where it is constant; None where there is none. Its result broadcasts to the function's.
    jvp : callable
        The linearisation of any function of numbers and arrays: `jvp(primals, tangents)` with tuples of an entry for
        each positional argument returns the tangent of the result. What does not move has tangent 0, and None if it is
        not numeric. If the function returns a tuple, so must this.
    vjp : callable
        Its transpose: `vjp(primals, cotangent)` returns the tuple of the arguments' cotangents, None for zero; of one
        argument its cotangent. The inner product is Re(conj(a) * b). Of jvp and vjp either may be left out: it is
        found by applying the other to each unit vector, of which there may be 2000.
    numerical : str
        In place of a formula a method of `dd.numerical.derivative`, such as "central" or "complex_step"; not for
        second derivatives.
    constants : int or tuple of ints
        Positions of arguments that are never differentiated. Keyword arguments are constants, and are passed to the
        rule's functions too. A number with a tangent in their place is an error.

    Returns
    -------
    callable
        For a ufunc or a NumPy function, that itself, known to dualdiff now; a second definition replaces the first.
        For a Python function one that does the same, and also takes numbers with tangents.

    Raises
    ------
    TypeError, ValueError
        If what is given is no rule; later, if what it returns does not fit the function's arguments and result.

    See Also
    --------
    define_root : for the solution of an equation.
    numerical.check_gradient, numerical.check_jacobian : whether a rule is right.

    Examples
    --------
    >>> dd.numerical.check_gradient(erf, dd.gradient(erf), 0.5).assert_()

    >>> @dd.define_rule(jvp=lambda primals, tangents: 2 * np.sum(primals[0] * tangents[0]))
    ... def energy(x):
    ...     return sum(float(v) ** 2 for v in x)
    >>> dd.gradient(energy)(np.array([1.0, 2.0]))
    array([2., 4.])

    >>> step = dd.define_rule(np.frompyfunc(math.erf, 1, 1), numerical="central")
    >>> dd.jacobian(lambda x: step(2 * x))(np.array([0.0, 1.0])).round(4)
    array([[2.2568, 0.    ],
           [0.    , 0.0413]])
    """
    if function is None:
        return functools.partial(
            define_rule, partials=partials, jvp=jvp, vjp=vjp, numerical=numerical, constants=constants
        )
    name = name_of("define_rule", function)
    if (partials is not None) + (jvp is not None or vjp is not None) + (numerical is not None) != 1:
        raise TypeError(f"define_rule: for {name}, give one of partials=, jvp= and vjp=, or numerical=")
    for what, f in (("jvp", jvp), ("vjp", vjp)):
        if f is not None:
            check_function("define_rule", f, what=f"{what} of {name}")
    fixed = constants if isinstance(constants, list | tuple) else (constants,)
    if not all(type(k) is int and k >= 0 for k in fixed):
        raise TypeError(f"define_rule: constants of {name} must be positions of arguments, not {constants!r}")
    rule = Rule(name, function, frozenset(fixed))
    count = getattr(function, "nin", None) if hasattr(function, "nout") else None
    if partials is not None:
        given = tuple(partials) if isinstance(partials, list | tuple) else (partials,)
        if not all(p is None or callable(p) or isinstance(p, int | float | complex) for p in given):
            raise TypeError(f"define_rule: partials of {name} must be functions, numbers or None")
        if count not in (None, len(given)):
            raise ValueError(f"define_rule: {name} takes {count} arguments, but there are {len(given)} partials")
        rule.tangent = functools.partial(_elementwise, given)
    elif numerical is not None:
        check_method("define_rule", numerical)
        if count is not None and function.nout == 1:  # type: ignore[attr-defined]
            slopes = tuple(functools.partial(partial_by_differences, rule, numerical, k) for k in range(count))
            rule.tangent = functools.partial(_elementwise, slopes)
        else:
            rule.tangent = functools.partial(by_differences, numerical)
    else:
        rule.tangent = functools.partial(linearised, jvp, vjp)
    if count is None and type(function) is not type(np.sum):
        rule.primitive = Custom(function, rule)
        return rule.primitive
    known = function in ELEMENTWISE or function in FUNCTIONS or function in PLAIN or function in COMPLEX
    if not isinstance(FUNCTIONS.get(function), Rule) and (known or found(function)):
        raise ValueError(
            f"define_rule: {name} has a rule already, which others are made of; define one for a function of your own, "
            f"lambda *args: {name}(*args)"
        )
    REFUSED.pop(function, None)
    FUNCTIONS[function] = rule
    return function


# ---------------------------------------------------------------- elementwise functions


def _elementwise(partials: tuple[Any, ...], point: Point, ts: Sequence[Any]) -> Any:
    rule, y = point.rule, point.y
    if isinstance(y, tuple):
        raise ValueError(f"{rule.name} returns {len(y)} results, partials= is for one; use jvp=")
    if len(point.args) > len(partials):
        raise ValueError(f"{rule.name} was called with {len(point.args)} arguments, but has {len(partials)} partials")
    shape = shape_of(y)
    zeros = [zero_of(x) for k, x in enumerate(point.args) if k not in rule.constants]
    shapes = [shape_of(z) for z in zeros if z is not None]
    if any(s != shape for s in shapes) and not _fit(shapes, shape):
        raise ValueError(
            f"{rule.name} is not elementwise: of arguments of shapes {shapes} it made a result of shape {shape}; use "
            "jvp= instead of partials="
        )
    terms = []
    for k, x, t in zip(point.which, point.varied, ts):
        partial, what = partials[k], f"the partial derivative of {rule.name} by argument {k}"
        if partial is None:
            raise NotDifferentiableError(f"{what} is not defined{user_line()}: pass dd.value(x) where it may go")
        w = partial(*point.args, **point.kwargs) if callable(partial) else partial
        w = own_copy(numbers_of(w, what, point.tag))
        if shape_of(w) not in ((), shape) and not _fit([shape_of(w), shape], shape):
            raise ValueError(f"{what} has shape {shape_of(w)}, which does not fit the result's shape {shape}")
        if not is_complex(y) and (is_complex(w) or is_complex(x)):
            raise TypeError(f"{what} is complex, its result real: use jvp= for what is not holomorphic")
        if type(w) is not float or w != 0:
            terms.append((t, shape_of(x), w))
    return combine(terms, shape) if terms else None


def _fit(shapes: Sequence[tuple[int, ...]], into: tuple[int, ...]) -> bool:
    """Whether these shapes broadcast to that one."""
    try:
        return np.broadcast_shapes(*shapes) == into
    except ValueError:
        return False
