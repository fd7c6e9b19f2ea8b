"""One's own rules: `define_rule` gives a function a derivative that is known, where dualdiff can't look into it.

It becomes a rule like those of the table: what is said about the derivative is made of the maps of tangents.py, so that
one definition serves forward and reverse mode, many directions and nested derivatives.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.dual import Dual
from ..core.engine import finish
from ..core.errors import NotDifferentiableError, user_line
from ..core.making import numeric
from ..core.table import Plan, plain, shape_of
from ..core.tangents import combine
from ..rules import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED, special
from ..run.call import Function, dtype_of, own_copy
from ..run.checks import is_complex
from .linearised import linearised, pack, zero_of

__all__ = ["define_rule"]


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
    >>> import math, numpy as np, dualdiff as dd
    >>> erf = dd.define_rule(math.erf, partials=lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x))
    >>> dd.derivative(erf)(0.5), dd.derivative(erf, order=2)(0.5)
    (0.8787825789354448, -0.8787825789354448)
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
        if f is not None and not callable(f):
            raise TypeError(f"define_rule: {what} of {name} must be a function, not {type(f).__name__}")
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
        differences = _Differences(rule, numerical)
        if count is not None and function.nout == 1:  # type: ignore[attr-defined]
            slopes = tuple(functools.partial(differences.partial, k) for k in range(count))
            rule.tangent = functools.partial(_elementwise, slopes)
        else:
            rule.tangent = functools.partial(linearised, differences.jvp, None, differences.images)
    else:
        rule.tangent = functools.partial(linearised, jvp, vjp, None)
    if count is None and type(function) is not type(np.sum):
        rule.primitive = Custom(function, rule)
        return rule.primitive
    known = function in ELEMENTWISE or function in FUNCTIONS or function in PLAIN or function in COMPLEX
    if not isinstance(FUNCTIONS.get(function), Rule) and (known or special.register(function)):
        raise ValueError(
            f"define_rule: {name} has a rule already, which others are made of; define one for a function of your own, "
            f"lambda *args: {name}(*args)"
        )
    REFUSED.pop(function, None)
    FUNCTIONS[function] = rule
    return function


# ---------------------------------------------------------------- functions that take numbers with tangents


class Custom:
    """A Python function with a rule: on plain numbers the function itself, and no function that could be copied."""

    def __init__(self, function: Function, rule: Function) -> None:
        functools.update_wrapper(self, function)
        self._function, self._rule = function, rule

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        dual = has_tangent(args) or (kwargs and has_tangent(kwargs))
        return (self._rule if dual else self._function)(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        return str(self.__qualname__)  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<{self._function!r} with its own derivative>"


def name_of(who: str, function: Any) -> str:
    if not callable(function):
        raise TypeError(f"{who}: a function is needed, got {type(function).__name__}")
    return str(getattr(function, "__name__", function))


def has_tangent(x: Any) -> bool:
    """Whether x is, or holds, a number with a tangent."""
    if isinstance(x, Dual):
        return True
    if isinstance(x, list | tuple):
        return any(map(has_tangent, x))
    if isinstance(x, dict):
        return any(map(has_tangent, x.values()))
    if isinstance(x, np.ndarray):
        return x.dtype == object and any(map(has_tangent, x.ravel().tolist()))
    fields = [getattr(x, name, None) for name in getattr(type(x), "__dataclass_fields__", ())]
    return any(has_tangent(v) for v in fields if not hasattr(type(v), "__dataclass_fields__"))  # they may go in circles


def numbers_of(x: Any, what: str, tag: Any) -> Any:
    """What a user's function returned, as numbers; they may have tangents of calls outside the one of this tag."""
    x = numeric(x, what)
    if isinstance(x, Dual) and x._tag >= tag:
        raise NotDifferentiableError(
            f"{what}{user_line()} has a tangent of its own, from a number that is no argument: pass it as an argument"
        )
    return x


@dataclass
class Point:
    """One application of a rule: all arguments, copied for the user's functions, which of them vary, and the result."""

    rule: Rule
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    which: list[int]
    y: Any
    tag: Any

    @property
    def varied(self) -> list[Any]:
        return [self.args[k] for k in self.which]

    @property
    def results(self) -> list[Any]:
        return list(self.y) if isinstance(self.y, tuple) else [self.y]

    def checked(self, t: Any, like: Any, what: str) -> Any:
        """A tangent or cotangent that a user's function returned for `like`: of its shape, and real if that is."""
        if t is None:
            return np.zeros(shape_of(like), dtype_of(plain(like)))
        t = numbers_of(t, what, self.tag)
        if shape_of(t) != shape_of(like):
            raise ValueError(f"{what} has shape {shape_of(t)}, but {shape_of(like)} is due")
        if is_complex(t) and not is_complex(like):
            raise TypeError(f"{what} is complex, but real is due")
        return t


class Rule:
    """Applies a rule of a user's: `tangent(point, tangents)` says what the tangent of the result is."""

    tangent: Callable[[Point, Sequence[Any]], Any]

    def __init__(self, name: str, function: Function, constants: frozenset[int] = frozenset()) -> None:
        self.name, self.function, self.constants = name, function, constants
        self.primitive: Any = function  # what takes numbers with tangents

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for k, x in [*enumerate(args), *kwargs.items()]:
            if (k in self.constants or isinstance(k, str)) and has_tangent(x):
                what = f"keyword {k}= of {self.name}" if isinstance(k, str) else f"argument {k} of {self.name}"
                raise NotDifferentiableError(
                    f"the {what} is a constant of its rule, but was given a number with a tangent{user_line()}: pass "
                    "what is differentiated by position, and dd.value(x) where the derivative may go"
                )
        which = [k for k, x in enumerate(args) if has_tangent(x)]
        if not which:  # a ufunc whose out= can hold tangents
            return self.function(*args, **kwargs)
        if kwargs and hasattr(self.function, "nout"):
            raise NotDifferentiableError(f"{self.name} with {', '.join(kwargs)}= but no out={user_line()}")
        operands = tuple(numeric(args[k], f"argument {k} of {self.name}") for k in which)
        tag = max(x._tag for x in operands)

        def fill(values: Sequence[Any]) -> tuple[Any, ...]:
            """Copies of all arguments: f may write into them, and others before a reverse pass."""
            full = list(args)
            for k, v in zip(which, values):
                full[k] = v
            return tuple(map(own_copy, full))

        def value(*values: Any) -> Any:
            if has_tangent(values):  # numbers of an outer derivative
                return self(*fill(values), **kwargs)
            return self.result(self.function(*fill(values), **kwargs), tag)

        def tangent(y: Any, values: Any, ts: Any) -> Any:
            live = [k for k, t in enumerate(ts) if t is not None]
            options = {k: own_copy(v) for k, v in kwargs.items()}
            series = any(isinstance(v, Dual) and v._tag >= tag for v in values)  # along which Taylor coefficients go
            point = Point(self, fill(values), options, [which[k] for k in live], y, np.inf if series else tag)
            return self.tangent(point, [ts[k] for k in live])

        return finish(Plan(operands, value, tangent), self.primitive, args, kwargs)

    def result(self, y: Any, tag: Any = 0) -> Any:
        """What the function returned, as numbers of our own."""
        if not isinstance(y, tuple):
            return own_copy(numbers_of(y, f"the result of {self.name}", tag))
        parts = [own_copy(numbers_of(v, f"a result of {self.name}", tag)) for v in y]
        return type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)


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


# ---------------------------------------------------------------- differences


class _Differences:
    """The linearisation of a function by the methods of `dd.numerical`."""

    def __init__(self, rule: Rule, method: str) -> None:
        from ..check import numerical

        numerical.derivative(rule.function, method=method)  # raises what there is to raise
        self.rule, self.method, self.numerical = rule, method, numerical

    def refuse(self, numbers: Any) -> None:
        if has_tangent(numbers):
            raise NotDifferentiableError(
                f"{self.rule.name}{user_line()}: its rule is numerical, with no second derivative; give partials= or "
                "jvp= in its place"
            )

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **kwargs: Any) -> Any:
        """The derivative along one direction, two calls of the function; steps as for each argument by itself."""
        self.refuse((primals, tangents))
        varied = [k for k, t in enumerate(tangents) if t is not None and np.any(t)]
        size = max(float(np.max(np.abs(tangents[k]) / np.maximum(np.abs(primals[k]), 1))) for k in varied)
        dtype = min((dtype_of(primals[k]) for k in varied), key=lambda d: d.itemsize)
        shapes: Any = None

        def line(t: Any) -> Any:
            nonlocal shapes
            args = list(primals)
            for k in varied:
                x = np.asarray(primals[k])
                moved = x + t * (tangents[k] / size)
                moved = moved.astype(np.result_type(x, np.complex64) if is_complex(t) else x.dtype)
                args[k] = moved if isinstance(primals[k], np.ndarray) else moved.item()
            y = self.rule.result(self.rule.function(*args, **kwargs))
            shapes = [np.shape(v) for v in y] if isinstance(y, tuple) else np.shape(y)
            return pack(y if isinstance(y, tuple) else [y])

        slope = self.numerical.derivative(line, method=self.method)(np.zeros((), dtype)[()]) * size
        if not isinstance(shapes, list):
            return slope.reshape(shapes)
        ends = np.cumsum([int(np.prod(s)) for s in shapes])
        return [part.reshape(s) for part, s in zip(np.split(slope, ends[:-1]), shapes)]

    def images(self, point: Point) -> Any:
        """The transposed Jacobian."""
        self.refuse(point.args)

        def packed(*args: Any) -> Any:
            y = self.rule.result(self.rule.function(*args, **point.kwargs))
            return pack(y if isinstance(y, tuple) else [y])

        blocks = self.numerical.jacobian(packed, tuple(point.which), method=self.method)(*point.args)
        return np.concatenate([b.reshape(len(b), -1) for b in blocks], axis=1).T

    def partial(self, k: int, *primals: Any, **kwargs: Any) -> Any:
        """Of an elementwise function: one direction moves all elements."""
        self.refuse(primals)
        shape = np.broadcast_shapes(*map(np.shape, primals))
        moved = list(primals)
        moved[k] = np.broadcast_to(primals[k], shape)[()] if shape else primals[k]
        step = np.maximum(np.abs(moved[k]), 1)
        return self.jvp(moved, [step if j == k else 0.0 for j in range(len(moved))], **kwargs) / step
