"""Results found by comparisons only: a warning names define_root and the line; SciPy's own searches are refused."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import dualdiff as dd
from tests.fuzz.checks import locally


def bisection(x):
    a, b = 0.0, 10.0
    for _ in range(60):
        m = (a + b) / 2
        if m * m < x[0]:
            a = m
        else:
            b = m
    return m


def golden(x):
    a, b, g = 0.0, 5.0, (math.sqrt(5) - 1) / 2
    while b - a > 1e-7:
        c, d = b - g * (b - a), a + g * (b - a)
        if (c - x[0]) ** 2 < (d - x[0]) ** 2:
            b = d
        else:
            a = c
    return (a + b) / 2


def simplex(x):
    """Nelder and Mead's method in one dimension, with sorted() for the order."""
    points = [0.0, 1.0]
    for _ in range(60):
        best, worst = sorted(points, key=lambda p: (p - x[0]) ** 2 + 1)
        moved = next(
            (t for t in (3 * best - 2 * worst, 2 * best - worst) if (t - x[0]) ** 2 < (best - x[0]) ** 2), None
        )
        points = [best, (best + worst) / 2] if moved is None else [best, moved]
    return np.array([points[0]])


def into_arrays(x):
    """As `simplex`, with arrays of its own, in which np.argsort finds the order."""
    points, heights = np.array([0.0, 1.0]), np.zeros(2)
    for _ in range(60):
        for k in range(2):
            heights[k] = (points[k] - x[0]) ** 2
        points = points[np.argsort(heights)]
        moved = 2 * points[0] - points[1]
        points[1] = moved if (moved - x[0]) ** 2 < np.min(heights) else (points[0] + points[1]) / 2
    return points[:1]


def by_array(x):
    low, high = np.zeros(2), np.full(2, 8.0)
    for _ in range(40):
        middle = (low + high) / 2
        below = middle**3 < x
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return low


WAYS = [
    lambda f: dd.jacobian(f),
    lambda f: dd.jacobian(f, chunk_size=1),
    lambda f: dd.jacobian(f, mode="reverse"),
    lambda f: dd.jacobian(f, sparse=True),
    lambda f: locally(dd.jacobian(f)),
    lambda f: lambda x: dd.jvp(f, (x,), (x,)),
    lambda f: lambda x: dd.taylor(f, x, 2, direction=x),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("f", [bisection, golden, simplex, into_arrays, by_array])
def test_searches(f, way):
    with pytest.warns(dd.SearchWarning, match=r"at test_searches.py:\d+\).*define_root") as seen:
        way(f)(np.array([2.0, 1.0]))
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert f.__code__.co_firstlineno < seen[0].lineno < f.__code__.co_firstlineno + 12


def test_searches_of_one_number():
    for way in (dd.derivative, dd.value_and_derivative, lambda f: dd.derivative(f, order=2)):
        with pytest.warns(dd.SearchWarning, match="derivative: f's result"):
            way(lambda x: bisection([x]))(2.0)
    with pytest.warns(dd.SearchWarning), dd.kinks("subgradient"):
        dd.gradient(lambda x: dd.gradient(lambda y: y * bisection(x) ** 2)(x[0]))(np.array([2.0]))


def steps_to(x):
    count, rest = 0, 1.0
    while rest > 1e-9 + 0 * x:
        count, rest = count + 1, rest / 2
    return count


STEPS = [
    lambda x: 1.0 if x[0] > 0 else 0.0,
    lambda x: sum(1.0 for v in x if v > 0.5),
    lambda x: float(sum(v > 0.5 for v in np.sin(100 * x))),
    lambda x: [k for k in range(len(x)) if x[k] > 0.2][-1],
    lambda x: float(np.argmax(x)),
    lambda x: min(np.linspace(0, 1, 30), key=lambda g: (g - x[0] * 0.4) ** 2),
    lambda x: max(range(len(x)), key=lambda k: x[k]),
    lambda x: np.array([1.0 if v > w else -1.0 for v in x[:6] for w in x[:6]]),
    lambda x: steps_to(x[1]),
    lambda x: bisection(dd.value(x)),
    lambda x: 3.0,
    lambda x: bisection(x) * x[0],  # has a tangent: as far as it goes
]


@pytest.mark.parametrize("f", STEPS)
def test_step_functions_are_none(f):
    with warnings.catch_warnings():
        warnings.simplefilter("error", dd.SearchWarning)
        for way in WAYS[:3]:
            way(f)(np.linspace(0.01, 1.7, 40))


def test_derivatives_that_are_zero():
    """Of functions that are linear between their kinks, the second: the numbers compared have tangents of the first."""

    def leaky(x):
        return sum(v if v > c else 0.1 * v for v, c in zip(x, 2.0 ** -np.arange(20)))

    with warnings.catch_warnings():
        warnings.simplefilter("error", dd.SearchWarning)
        assert not np.any(dd.hessian(leaky)(np.full(20, 1e-9)))
        assert not np.any(dd.jacobian(dd.gradient(leaky, mode="reverse"))(np.full(20, 1e-9)))


def test_functions_that_run_once_do_so_elsewhere():
    calls = []

    def f(x):
        calls.append(1)
        return x * 2

    dd.jacobian(f)(np.ones(3))
    assert len(calls) == 1
    rest = iter([1.0])
    assert dd.derivative(lambda x: next(rest))(3.0) == 0.0  # what can't be run again stays as it is


SCIPY = {
    "golden": lambda so, x: so.golden(lambda z: (z * z - x[0]) ** 2),
    "minimize_scalar": lambda so, x: so.minimize_scalar(lambda z: (z * z - x[0]) ** 2, method="golden").x,
    "fmin": lambda so, x: so.fmin(lambda z: (z[0] * z[0] - x[0]) ** 2, [1.0], disp=0)[0],
    "minimize": lambda so, x: so.minimize(lambda z: (z[0] - x[0]) ** 2, np.array([1.0]), method="Powell").x[0],
    "bracket": lambda so, x: so.bracket(lambda z: (z * z - x[0]) ** 2)[0],
    "brentq": lambda so, x: so.brentq(lambda z: z * z - x[0], 0, 3),
    "bisect": lambda so, x: so.bisect(lambda z: z * z - x[0], 0, 3),
    "fsolve": lambda so, x: so.fsolve(lambda z: z * z - x[0], [1.0])[0],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_those_of_scipy(name, mode):
    so = pytest.importorskip("scipy.optimize")
    with pytest.raises(dd.NotDifferentiableError, match=rf"scipy\.optimize\.{name}.*test_searches.*define_root"):
        dd.gradient(lambda x: SCIPY[name](so, x), mode=mode)(np.array([2.0, 1.0]))
