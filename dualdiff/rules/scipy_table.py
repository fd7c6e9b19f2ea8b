"""What stands in for SciPy's functions in the second run of a function, which finds other objects under its names.

SciPy asks NumPy's protocols only in its ufuncs; whatever else it has turns numbers with tangents into objects. A body
here is written with NumPy's functions or returns a `Plan`, as rules do, and has SciPy's own name and parameters; it is
called where an argument has a tangent, and SciPy's function where none has. SciPy is never imported from here.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.composed import numbers_in
from ..core.errors import NotDifferentiableError, TangentLossError, user_line
from ..core.making import numeric, speaks_both
from ..core.number import Number, NumberArray
from ..core.table import Plan
from ..core.values import is_array

BODIES: dict[str, Callable[..., Any]] = {}  # "linalg.solve" -> the body for numbers with tangents
NOTES: dict[str, str] = {}  # what to know of some of these
INSTANCES: dict[str, Callable[..., Any]] = {}  # name of a class -> what stands in for an instance, made of it
SOLVERS: dict[str, str] = {}  # functions that call others, and stop where these have tangents: what to do instead

MODULES = (
    "linalg",
    "stats",
    "interpolate",
    "signal",
    "ndimage",
    "integrate",
    "optimize",
    "sparse",
    "sparse.linalg",
    "fft",
)

_FORM = {  # options that say how a thing is computed, or whether arguments are looked at or overwritten
    *("overwrite_a", "overwrite_b", "overwrite_x", "overwrite_ab", "overwrite_c", "check_finite"),
    *("lapack_driver", "driver", "workers"),
}


def scipy_rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as the body of SciPy's functions of these names."""

    def register(body: Callable[..., Any]) -> Callable[..., Any]:
        BODIES.update(dict.fromkeys(names, body))
        return body

    return register


def settled(x: Any) -> Any:
    """x as one array where it is one of objects; its values where np.array made it of constants, to hold tangents."""
    if type(x) is np.ndarray and x.dtype == object and any(isinstance(v, Number) for v in x.flat):
        x = numeric(x, "an argument")
    while isinstance(x, NumberArray):
        link, t = x._link, x.tangent
        fresh = link is not None and link.owned and link.version == 0 and link.base is None
        if not fresh and (type(t) is not np.ndarray or t.any()):
            break
        x = x.value
    return x


def moves(args: Any, kwargs: Any = None) -> bool:
    """Whether there are numbers with tangents among arguments."""
    return next(_numbers(args, kwargs or {}), None) is not None


def _numbers(args: Any, kwargs: Any) -> Any:
    """Numbers with tangents among arguments, and those that are the elements of a sparse matrix."""
    return numbers_in([getattr(a, "elements", a) for a in (*args, *kwargs.values())])


def original(name: str) -> Any:
    """SciPy's own object of a name as in "linalg.solve"."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(f"scipy.{module}"), attribute)


@functools.cache
def sp(name: str) -> Any:
    """What stands in for SciPy's object of this name, on plain numbers SciPy's own."""
    own = original(name)
    if name in SOLVERS:
        return _solver(name, own)
    if name not in BODIES:
        return instance(own)
    body = BODIES[name]
    known = inspect.signature(body).parameters

    @functools.wraps(own, updated=())
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tuple(map(settled, args)), {k: settled(v) for k, v in kwargs.items()}
        number = next(_numbers(args, kwargs), None)
        if number is None and not any(speaks_both(a) for a in args):  # an array that is recorded
            return instance(own(*args, **kwargs))
        args = tuple(numeric(a, f"scipy.{name}") if of_numbers(a) else a for a in args)
        kwargs = {k: v for k, v in kwargs.items() if k in known or k not in _FORM}
        try:
            inspect.signature(body).bind(*args, **kwargs)
        except TypeError:
            how = ", ".join([f"{len(args)} arguments", *kwargs])
            raise NotDifferentiableError(
                f"scipy.{name}{user_line()} with {how}: differentiable are its arguments ({', '.join(known)})"
            ) from None
        made = body(*args, **kwargs)
        if number is None:
            return made.value(*made.operands) if isinstance(made, Plan) else made
        return number._finish(made, stand_in, args, kwargs)

    return (
        _Made(own.__name__, (), {"own": own, "stand_in": staticmethod(stand_in)}) if isinstance(own, type) else stand_in
    )


class _Made(type):
    """The type of what stands in for SciPy's classes, of which SciPy's objects are instances."""

    own: Any
    stand_in: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls.stand_in(*args, **kwargs)

    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, cls.own)

    def __subclasscheck__(cls, kind: Any) -> bool:
        return issubclass(kind, cls.own)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.own, name)


def of_numbers(a: Any) -> bool:
    """Whether a list is to be one array: of numbers with tangents, or of lists of them, but no list of arrays."""
    return isinstance(a, list | tuple) and moves([a]) and not any(map(is_array, a))


def refuse(name: str, why: str) -> NotDifferentiableError:
    return NotDifferentiableError(f"scipy.{name}{user_line()} of a number with a tangent: {why}")


def _solver(name: str, own: Any) -> Any:
    """A function that calls a function of the user's: refused by name where numbers with tangents take part."""

    @functools.wraps(own, updated=())
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        if not moves(args, kwargs):
            try:
                result = own(*args, **kwargs)
            except Exception as error:
                if not _lost(error):
                    raise
            else:
                if not moves([result]):
                    return result
        raise refuse(name, SOLVERS[name]) from None

    return stand_in


def _lost(error: BaseException | None) -> bool:
    """Whether an error comes of a tangent that was about to be lost; MINPACK prints the cause of its own."""
    if isinstance(error, SystemError) or "not a proper array of floats" in str(error):
        return True
    while error is not None and not isinstance(error, TangentLossError):
        error = error.__cause__ or error.__context__
    return error is not None


def stand_ins() -> dict[Any, Any]:
    """SciPy's objects, of the modules that are loaded, and what stands in for each."""
    loaded = tuple(m for m in MODULES if f"scipy.{m}" in sys.modules)
    return _of_modules(loaded) if loaded else {}


@functools.cache
def _of_modules(modules: tuple[str, ...]) -> dict[Any, Any]:
    found = {}
    for name in (*BODIES, *SOLVERS):
        module, _, attribute = name.rpartition(".")
        if module in modules and hasattr(sys.modules[f"scipy.{module}"], attribute):
            found[original(name)] = sp(name)
    return found


def instance(x: Any) -> Any:
    """What stands in for an instance of one of SciPy's classes, or x itself."""
    kind = type(x)
    if kind.__module__.startswith("scipy.") or kind.__name__ == "SuperLU":
        for k in kind.__mro__:
            if k.__name__ in INSTANCES:
                return INSTANCES[k.__name__](x)
    return x


SOLVERS |= dict.fromkeys(
    [f"optimize.{n}" for n in "brentq brenth ridder bisect toms748 newton fsolve root root_scalar fixed_point".split()],
    "its steps have no derivative; dd.define_root gives the derivative of a root from that of the equation",
)
SOLVERS |= dict.fromkeys(
    [
        f"optimize.{n}"
        for n in (
            "minimize minimize_scalar least_squares curve_fit linprog differential_evolution fmin fmin_powell brute "
            "golden bracket basinhopping shgo"
        ).split()
    ],
    "its steps have no derivative; dd.define_root gives that of a minimum, as the root of dd.gradient of the objective",
)
SOLVERS |= dict.fromkeys(
    ["integrate.quad", "integrate.dblquad", "integrate.tplquad", "integrate.nquad", "integrate.quad_vec"],
    "the derivative of an integral is the integral of the derivative: give dd.define_rule that, by dd.derivative of "
    "the integrand; or sum over fixed nodes, those of np.polynomial.legendre.leggauss",
)
SOLVERS |= dict.fromkeys(
    ["integrate.solve_ivp", "integrate.odeint"],
    "its steps are chosen by values; solve the sensitivity equations beside, S' = dd.jacobian(rhs, 1)(t, y, p) @ S + "
    "dd.jacobian(rhs, 2)(t, y, p), or take fixed steps in NumPy",
)
