"""`math`, `statistics` and `float` in a function's own code: NumPy's derivatives, and math's own errors."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable
from math import cos, erf, sin
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

NAMES = """
sin cos tan asin acos atan sinh cosh tanh asinh atanh exp expm1 log log1p log2 log10 sqrt fabs erf erfc gamma lgamma
degrees radians
""".split()


def called(name: str) -> Callable[[Any], Any]:
    g = getattr(math, name)
    return lambda t: g(t)


MATH: dict[str, Callable[[Any], Any]] = {
    **{name: called(name) for name in NAMES},
    "acosh": lambda t: math.acosh(t + 1),
    "log with a base": lambda t: math.log(t, 3) + math.log(5.0, t + 2),
    "pow": lambda t: math.pow(t, 2.5) + math.pow(2.0, t),
    "atan2": lambda t: math.atan2(t, 0.4) + math.atan2(2.0, t),
    "hypot": lambda t: math.hypot(t, 0.4, t * t),
    "dist": lambda t: math.dist([t, 1.0], (0.2, t * t)),
    "fsum": lambda t: math.fsum([t, t * t, 1.0]) + math.fsum(t * k for k in range(3)),
    "prod": lambda t: math.prod([t, t, 2.0]) + math.prod((t, 3.0), start=t),
    "copysign": lambda t: math.copysign(t, -1.0),
    "fmod": lambda t: math.fmod(5 * t, 2.0) + math.remainder(5 * t, 2.0),
    "modf": lambda t: math.modf(3 * t)[0] * math.modf(3 * t)[1],
    "ldexp": lambda t: math.ldexp(t, 3) + math.frexp(3 * t)[0] * math.frexp(3 * t)[1],
    "questions": lambda t: t * t if not (math.isnan(t) or math.isinf(t) or math.isclose(t, 5)) else 0.0,
    "steps": lambda t: t * (math.floor(t) + math.ceil(t) + math.trunc(3 * t)),
    "float": lambda t: float(t) * t + float("2") * float(np.array(3.0)),
    "round": lambda t: t * round(t) + abs(math.sin(-t)) + sum([math.sin(t), t]),
    "mean": lambda t: statistics.mean([t, t * t]) + statistics.fmean((t, 1.0)),
    "names of a module's own": lambda t: sin(t) * cos(t) + erf(t),
    "partial": functools.partial(lambda a, t: math.sin(a * t), 2.0),
    "a default": lambda t, g=math.sin: g(t),
    "map": lambda t: sum(map(math.sin, [t, 2 * t])),
    "kinds": lambda t: (
        math.sin(t) * (isinstance(3.0, float) + issubclass(bool, float) + (np.zeros(2, float).dtype == "f8"))
    ),
}
T = 0.7


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("name", MATH)
def test_slopes(name: str, mode: str) -> None:
    f, h = MATH[name], 1e-5
    due = (8 * (f(T + h) - f(T - h)) - (f(T + 2 * h) - f(T - 2 * h))) / (12 * h)
    value, slope = dd.value_and_jacobian(f, mode=mode)(T)
    assert value == pytest.approx(f(T), rel=1e-15) and slope == pytest.approx(due, rel=1e-9, abs=1e-11)


def test_imports_inside() -> None:
    def f(t: Any) -> Any:
        import math as m
        from math import exp

        return m.sin(t) * exp(t)

    assert dd.derivative(f)(T) == pytest.approx(math.exp(T) * (math.sin(T) + math.cos(T)))


def test_higher_orders_and_all_transforms() -> None:
    f = lambda x: math.exp(x[0]) * math.sin(x[1])
    x = np.array([0.3, 0.8])
    s, c = math.exp(0.3) * math.sin(0.8), math.exp(0.3) * math.cos(0.8)
    np.testing.assert_allclose(dd.hessian(f)(x), [[s, c], [c, -s]])
    np.testing.assert_allclose(dd.hvp(f, x, np.ones(2)), [s + c, c - s])
    assert dd.derivative(math.sin, order=3)(T) == pytest.approx(-math.cos(T))
    assert dd.taylor(lambda t: math.exp(t), 0.0, 3)[3] == pytest.approx(1 / 6)
    assert dd.derivative(lambda a: dd.derivative(lambda t: math.sin(a * t))(2.0))(T) == pytest.approx(
        math.cos(2 * T) - 2 * T * math.sin(2 * T)
    )
    with pytest.raises(TypeError):  # as math has it: no function of arrays
        dd.jacobian(lambda x: math.sin(x))(x)


@pytest.mark.parametrize(
    "f, error, text",
    [
        (lambda t: math.sqrt(-t), ValueError, "math domain error|nonnegative"),
        (lambda t: math.log(t - T), ValueError, "math domain error|positive"),
        (lambda t: math.exp(1000 * (t + 1)), OverflowError, "range error"),
        (lambda t: math.pow(-t, 0.5), ValueError, "math domain error"),
        (lambda t: math.factorial(t), TypeError, "factorial|integer"),
    ],
)
def test_what_math_refuses_it_refuses_still(f: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        dd.derivative(f)(T)


def test_such_an_error_may_be_caught() -> None:
    def f(t: Any) -> Any:
        try:
            return math.sqrt(t - 1)
        except ValueError:
            return math.sin(t)

    assert dd.derivative(f)(T) == pytest.approx(math.cos(T))
    assert dd.derivative(f)(2.0) == pytest.approx(0.5)


def test_integers_stay() -> None:
    seen: list[Any] = []

    def f(t: Any) -> Any:
        seen.append((math.prod([2, 3]), math.floor(2.5), type(math.fsum([1, 2]))))
        return math.sin(t)

    dd.derivative(f)(T)
    assert set(seen) == {(6, 2, float)}


def test_nothing_that_exists_is_changed() -> None:
    before = math.sin, float, statistics.mean
    dd.derivative(lambda t: math.sin(float(t)))(T)
    assert (math.sin, float, statistics.mean) == before and type(math.sin(1)) is float


def test_programs_of_such_functions() -> None:
    g = dd.derivative(lambda t: math.exp(math.sin(t)) * t)
    compiled = dd.compile(g)
    for t in (0.3, 0.7, 1.1, 1.3):
        assert compiled(t) == pytest.approx(g(t), rel=1e-14)
