"""One's own rules: `define_rule` gives a function a derivative that is known, where dualdiff can't look into it.

It becomes a rule like those of the table: what is said about the derivative is made of the maps of tangents.py, so that
one definition serves forward and reverse mode, many directions and nested derivatives.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.dual import Dual
from ..core.engine import finish
from ..core.errors import NotDifferentiableError, user_line
from ..core.making import numeric
from ..core.table import Plan, plain, shape_of
from ..core.tangents import combine, contract, gather, join, linear, ndim
from ..rules import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED, special
from ..run.call import Function, dtype_of, is_complex, own_copy, size_of

__all__ = ["define_rule"]

LARGEST = 2000  # elements of arguments (or results) up to which a map is transposed by its action on each of them


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
    rule = _Rule(name, function, frozenset(fixed))
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
            rule.tangent = functools.partial(_linearised, differences.jvp, None, differences.images)
    else:
        rule.tangent = functools.partial(_linearised, jvp, vjp, None)
    if count is None and type(function) is not type(np.sum):
        rule.primitive = Custom(function, rule)
        return rule.primitive
    known = function in ELEMENTWISE or function in FUNCTIONS or function in PLAIN or function in COMPLEX
    if not isinstance(FUNCTIONS.get(function), _Rule) and (known or special.register(function)):
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
        dual = moves(args) or (kwargs and moves(kwargs))
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


def moves(x: Any) -> bool:
    """Whether x holds a number with a tangent."""
    if isinstance(x, Dual):
        return True
    if isinstance(x, list | tuple):
        return any(map(moves, x))
    if isinstance(x, dict):
        return any(map(moves, x.values()))
    if isinstance(x, np.ndarray):
        return x.dtype == object and any(map(moves, x.ravel().tolist()))
    fields = [getattr(x, name, None) for name in getattr(type(x), "__dataclass_fields__", ())]
    return any(moves(v) for v in fields if not hasattr(type(v), "__dataclass_fields__"))  # they may go in circles


class _Point:
    """One application of a rule: all arguments, copied for the user's functions, which of them move, and the result."""

    def __init__(
        self, rule: _Rule, args: Sequence[Any], kwargs: dict[str, Any], at: Sequence[int], y: Any, tag: Any
    ) -> None:
        self.rule, self.args, self.kwargs, self.at, self.y, self.tag = rule, tuple(args), kwargs, at, y, tag
        self.moving = [args[k] for k in at]
        self.results = list(y) if isinstance(y, tuple) else [y]


class _Rule:
    """Applies a rule of a user's: `tangent(point, tangents)` says what the tangent of the result is."""

    tangent: Callable[[_Point, Sequence[Any]], Any]

    def __init__(self, name: str, function: Function, constants: frozenset[int]) -> None:
        self.name, self.function, self.constants = name, function, constants
        self.primitive: Any = function  # what takes numbers with tangents

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for k, x in [*enumerate(args), *kwargs.items()]:
            if (k in self.constants or isinstance(k, str)) and moves(x):
                what = f"keyword {k}= of {self.name}" if isinstance(k, str) else f"argument {k} of {self.name}"
                raise NotDifferentiableError(
                    f"the {what} is a constant of its rule, but was given a number with a tangent{user_line()}: pass "
                    "what is differentiated by position, and dd.value(x) where the derivative may go"
                )
        at = [k for k, x in enumerate(args) if moves(x)]
        if not at:  # a ufunc whose out= can hold tangents
            return self.function(*args, **kwargs)
        if kwargs and hasattr(self.function, "nout"):
            raise NotDifferentiableError(f"{self.name} with {', '.join(kwargs)}= but no out={user_line()}")
        operands = tuple(numeric(args[k], f"argument {k} of {self.name}") for k in at)
        tag = max(x._tag for x in operands)

        def fill(values: Sequence[Any]) -> list[Any]:
            full = list(args)
            for k, v in zip(at, values):
                full[k] = v
            return [own_copy(v) for v in full]  # f may write into its arguments, and others before a reverse pass

        def value(*values: Any) -> Any:
            if moves(values):  # numbers of an outer derivative
                return self(*fill(values), **kwargs)
            return self.result(self.function(*fill(values), **kwargs), tag)

        def tangent(y: Any, values: Any, ts: Any) -> Any:
            live = [k for k, t in enumerate(ts) if t is not None]
            options = {k: own_copy(v) for k, v in kwargs.items()}
            series = any(isinstance(v, Dual) and v._tag >= tag for v in values)  # along which Taylor coefficients go
            point = _Point(self, fill(values), options, [at[k] for k in live], y, np.inf if series else tag)
            return self.tangent(point, [ts[k] for k in live])

        return finish(Plan(operands, value, tangent), self.primitive, args, kwargs)

    def result(self, y: Any, tag: Any = 0) -> Any:
        """What the function returned, as numbers of our own."""
        if not isinstance(y, tuple):
            return own_copy(numbers_of(y, f"the result of {self.name}", tag))
        parts = [own_copy(numbers_of(v, f"a result of {self.name}", tag)) for v in y]
        return type(y)(*parts) if hasattr(y, "_fields") else tuple(parts)


def numbers_of(x: Any, what: str, tag: Any) -> Any:
    """What a user's function returned, as numbers; they may move in derivatives outside the one of this tag."""
    x = numeric(x, what)
    if isinstance(x, Dual) and x._tag >= tag:
        raise NotDifferentiableError(
            f"{what}{user_line()} has a tangent of its own, from a number that is no argument: pass it as an argument"
        )
    return x


def _zero(x: Any) -> Any:
    """The tangent of an argument that does not move; None if it is no number."""
    if isinstance(x, int | float):
        return 0.0
    try:
        a = np.asarray(plain(x))
    except ValueError:  # a ragged list
        return None
    return np.zeros(a.shape, a.dtype if a.dtype.kind in "fc" else float)[()] if a.dtype.kind in "biufc" else None


# ---------------------------------------------------------------- elementwise functions


def _elementwise(partials: tuple[Any, ...], point: _Point, ts: Sequence[Any]) -> Any:
    rule, y = point.rule, point.y
    if isinstance(y, tuple):
        raise ValueError(f"{rule.name} returns {len(y)} results, partials= is for one; use jvp=")
    if len(point.args) > len(partials):
        raise ValueError(f"{rule.name} was called with {len(point.args)} arguments, but has {len(partials)} partials")
    shape = shape_of(y)
    zeros = [_zero(x) for k, x in enumerate(point.args) if k not in rule.constants]
    shapes = [shape_of(z) for z in zeros if z is not None]
    if any(s != shape for s in shapes) and not _fit(shapes, shape):
        raise ValueError(
            f"{rule.name} is not elementwise: of arguments of shapes {shapes} it made a result of shape {shape}; use "
            "jvp= instead of partials="
        )
    terms = []
    for k, x, t in zip(point.at, point.moving, ts):
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


# ---------------------------------------------------------------- any function, by its linearisation


class _Action:
    """A linear function of flat vectors of `size` elements, by its action on one: on many, and its transpose."""

    def __init__(self, act: Function, size: int, is_complex: bool, images: Function | None, missing: str) -> None:
        self.act, self.size, self.complex, self.missing = act, size, is_complex, missing
        self._images = functools.cache(self._by_units if images is None else images)

    def _by_units(self) -> Any:
        """The images of the unit vectors, and of i times them where vectors are complex, as rows."""
        units = np.eye(self.size)
        return np.stack([self.act(e) for e in ([*units, *(1j * units)] if self.complex else units)])

    def apply(self, v: Any) -> Any:
        if ndim(v) == 1:
            return self.act(v)
        if self.complex or len(v) < self.size:
            return np.stack([self.act(row) for row in v])
        return contract(v, (self.size,), "a", self._images(), "ab", "b")

    def transpose(self, v: Any) -> Any:
        if self.size > LARGEST:
            raise NotDifferentiableError(self.missing)
        rows = self._images()
        if not (self.complex or is_complex(rows) or is_complex(v)):
            return contract(v, (rows.shape[1],), "b", rows, "ab", "a")
        w = np.real(v @ np.conj(rows).T)
        return w[..., : self.size] + 1j * w[..., self.size :] if self.complex else w


def _linearised(jvp: Any, vjp: Any, images: Any, point: _Point, ts: Sequence[Any]) -> Any:
    """The arguments that move as one vector, the user's linear function of it, and its parts as the results."""
    rule, ins, outs = point.rule, point.moving, point.results
    zeros = [None if k in rule.constants else _zero(x) for k, x in enumerate(point.args)]
    n, m = sum(map(size_of, ins)), sum(map(size_of, outs))
    missing = f"{rule.name}{user_line()}: its rule has no {{}}=, which can be found only for up to {LARGEST} elements"

    def along(v: Any) -> Any:
        if not isinstance(v, Dual) and not np.any(v):
            return np.zeros(m, np.result_type(*map(dtype_of, map(plain, outs))))
        tangents = list(zeros)
        for k, part in zip(point.at, _unpack(v, ins)):
            tangents[k] = part
        made = jvp(point.args, tuple(tangents), **point.kwargs)
        made = made if isinstance(point.y, tuple) else (made,)
        if not isinstance(made, tuple | list) or len(made) != len(outs):
            raise ValueError(f"jvp of {rule.name} must return a tuple of {len(outs)} tangents, as the function does")
        return pack([_checked(t, y, f"jvp of {rule.name}: a tangent", point.tag) for t, y in zip(made, outs)])

    def back(v: Any) -> Any:
        if not isinstance(v, Dual) and not np.any(v):
            return np.zeros(n, np.result_type(*map(dtype_of, map(plain, ins))))
        parts = _unpack(v, outs)
        made = vjp(point.args, tuple(parts) if isinstance(point.y, tuple) else parts[0], **point.kwargs)
        made = made if isinstance(made, tuple) or len(point.args) > 1 else (made,)
        if not isinstance(made, tuple) or len(made) != len(point.args):
            raise ValueError(f"vjp of {rule.name} must return a tuple of {len(point.args)} cotangents")
        what = f"vjp of {rule.name}: cotangent"
        return pack([_checked(made[k], point.args[k], f"{what} {k}", point.tag) for k in point.at])

    forth = None if jvp is None else _Action(
        along, n, any(map(is_complex, ins)), images and functools.partial(images, point), missing.format("vjp")
    )
    backward = None if vjp is None else _Action(back, m, any(map(is_complex, outs)), None, missing.format("jvp"))
    apply: Any = forth.apply if forth else backward.transpose  # type: ignore[union-attr]
    transpose: Any = backward.apply if backward else forth.transpose  # type: ignore[union-attr]
    packed = join(ts, [shape_of(x) for x in ins], pack, pack_many)
    moved = linear(packed, (n,), apply, transpose)
    parts, at = [], 0
    for y in outs:
        stop, shape = at + size_of(y), shape_of(y)
        part = gather(moved, (m,), *cut(at, stop, shape))
        if any(map(is_complex, outs)) and not is_complex(y):
            part = linear(part, shape, np.real, lambda ct: ct)
        parts.append(part)
        at = stop
    return tuple(parts) if isinstance(point.y, tuple) else parts[0]


def pack(parts: Sequence[Any]) -> Any:
    return np.concatenate([np.reshape(x, -1) for x in parts])


def pack_many(parts: Sequence[Any]) -> Any:
    return np.concatenate([x.reshape(len(x), -1) for x in parts], axis=1)


def cut(start: int, stop: int, shape: tuple[int, ...]) -> tuple[Function, Function]:
    if not shape:
        return lambda v: v[start], lambda v: v[:, start]
    return lambda v: v[start:stop].reshape(shape), lambda v: v[:, start:stop].reshape(len(v), *shape)


def _unpack(v: Any, likes: Sequence[Any]) -> list[Any]:
    """The parts of a vector, of the shapes and types of others."""
    parts, at = [], 0
    for like in likes:
        stop = at + size_of(like)
        part = cut(at, stop, shape_of(like))[0](v)
        part = part if is_complex(like) or not is_complex(part) else np.real(part)
        if isinstance(part, np.generic) and isinstance(plain(like), float | complex):
            part = part.item()
        elif hasattr(part, "astype"):
            part = part.astype(dtype_of(plain(like)))
        parts.append(part)
        at = stop
    return parts


def _checked(t: Any, like: Any, what: str, tag: Any) -> Any:
    """A tangent or cotangent that a user's function returned, of the right shape and not complex if that is real."""
    if t is None:
        return np.zeros(shape_of(like), dtype_of(plain(like)))
    t = numbers_of(t, what, tag)
    if shape_of(t) != shape_of(like):
        raise ValueError(f"{what} has shape {shape_of(t)}, but {shape_of(like)} is due")
    if is_complex(t) and not is_complex(like):
        raise TypeError(f"{what} is complex, but real is due")
    return t


# ---------------------------------------------------------------- differences


class _Differences:
    """The linearisation of a function by the methods of `dd.numerical`."""

    def __init__(self, rule: _Rule, method: str) -> None:
        from ..check import numerical

        numerical.derivative(rule.function, method=method)  # raises what there is to raise
        self.rule, self.method, self.numerical = rule, method, numerical

    def refuse(self, numbers: Any) -> None:
        if moves(numbers):
            raise NotDifferentiableError(
                f"{self.rule.name}{user_line()}: its rule is numerical, with no second derivative; give partials= or "
                "jvp= in its place"
            )

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any], **kwargs: Any) -> Any:
        """The derivative along one direction, two calls of the function; steps as for each argument by itself."""
        self.refuse((primals, tangents))
        moving = [k for k, t in enumerate(tangents) if t is not None and np.any(t)]
        size = max(float(np.max(np.abs(tangents[k]) / np.maximum(np.abs(primals[k]), 1))) for k in moving)
        dtype = min((dtype_of(primals[k]) for k in moving), key=lambda d: d.itemsize)
        shapes: Any = None

        def line(t: Any) -> Any:
            nonlocal shapes
            args = list(primals)
            for k in moving:
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

    def images(self, point: _Point) -> Any:
        """The transposed Jacobian."""
        self.refuse(point.args)

        def packed(*args: Any) -> Any:
            y = self.rule.result(self.rule.function(*args, **point.kwargs))
            return pack(y if isinstance(y, tuple) else [y])

        blocks = self.numerical.jacobian(packed, tuple(point.at), method=self.method)(*point.args)
        return np.concatenate([b.reshape(len(b), -1) for b in blocks], axis=1).T

    def partial(self, k: int, *primals: Any, **kwargs: Any) -> Any:
        """Of an elementwise function: one direction moves all elements."""
        self.refuse(primals)
        shape = np.broadcast_shapes(*map(np.shape, primals))
        moved = list(primals)
        moved[k] = np.broadcast_to(primals[k], shape)[()] if shape else primals[k]
        step = np.maximum(np.abs(moved[k]), 1)
        return self.jvp(moved, [step if j == k else 0.0 for j in range(len(moved))], **kwargs) / step
