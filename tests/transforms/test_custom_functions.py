"""What define_rule takes: functions of all kinds, methods, ufuncs, functions of NumPy; and what it refuses."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.table import FUNCTIONS, REFUSED
from tests.transforms.blind import X, Y, both, gap, rule


def test_wrapping_keeps_what_the_function_is() -> None:
    assert half.__name__ == "half"
    assert half.__doc__ == "Half of x."
    assert pickle.loads(pickle.dumps(half)) is half
    assert copy.deepcopy(half) is half
    assert dd.derivative(half)(3.0) == 0.5
    model = Model()
    model.parent = Model(parent=model)
    assert dd.derivative(model.response)(3.0) == 2.0
    assert model.response(-3.0) == 6.0
    with pytest.raises(dd.NotDifferentiableError, match="argument 0 of response is a constant"):
        dd.derivative(lambda a: Model(a).response(3.0))(2.0)
    assert "own derivative" in repr(half)


@dd.define_rule(partials=0.5)
def half(x: float) -> float:
    """Half of x."""
    return x / 2


@dataclasses.dataclass
class Model:
    slope: float = 2.0
    parent: Any = None

    @dd.define_rule(partials=(None, lambda self, x: self.slope), constants=0)
    def response(self, x: float) -> float:
        return self.slope * math.fabs(x)


def test_buffers_inside_are_the_functions_own() -> None:
    """What f does with its arrays is no business of the run that follows f into its own."""

    def tabulate(x: Any) -> Any:
        out = np.zeros(2)
        out[0], out[1] = x, x * x
        return out

    f = dd.define_rule(tabulate, jvp=lambda p, t: np.array([1.0, 2 * p[0]]) * t[0])

    def user(x: Any) -> Any:
        y = np.zeros(3)
        y[:2] = f(x)
        y[2] = x
        return y

    np.testing.assert_array_equal(dd.jacobian(user)(3.0), [1.0, 6.0, 1.0])


def test_second_rule_replaces_first_and_others_are_refused() -> None:
    ufunc = np.frompyfunc(lambda x: x * x, 1, 1)
    assert dd.define_rule(ufunc, partials=1.0) is ufunc
    dd.define_rule(ufunc, partials=lambda x: 2 * x)
    assert dd.derivative(ufunc)(3.0) == 6.0
    special = pytest.importorskip("scipy.special")
    for known in (np.sin, np.sum, np.floor, np.real, special.erf):
        with pytest.raises(ValueError, match="has a rule already"):
            dd.define_rule(known, partials=1.0)


def test_functions_of_numpy_and_scipy_without_a_rule() -> None:
    special = pytest.importorskip("scipy.special")
    with pytest.raises(dd.NotDifferentiableError):
        dd.derivative(lambda x: special.pdtrik(0.5, x))(2.0)
    dd.define_rule(special.pdtrik, numerical="central")
    try:
        due = dd.numerical.derivative(lambda x: special.pdtrik(0.5, x))(2.0)
        assert dd.derivative(lambda x: special.pdtrik(0.5, x))(2.0) == pytest.approx(due, rel=1e-6)
    finally:
        del FUNCTIONS[special.pdtrik]


def test_a_function_of_the_numpy_protocol() -> None:
    refused = next(f for f in REFUSED if type(f) is type(np.sum))
    reason = REFUSED[refused]
    try:
        assert dd.define_rule(refused, jvp=lambda p, t: t[0]) is refused
        assert refused in FUNCTIONS
    finally:
        FUNCTIONS.pop(refused)
        REFUSED[refused] = reason


class Dufunc:
    """Stands for numba's DUFunc: no np.ufunc, but it lets arguments with __array_ufunc__ take over."""

    nin, nout, __name__ = 1, 1, "dufunc"

    def __call__(self, x: Any) -> Any:
        if not isinstance(x, np.ndarray | float):
            return x.__array_ufunc__(self, "__call__", x)
        return x**3


def test_objects_like_ufuncs() -> None:
    cube = dd.define_rule(Dufunc(), partials=lambda x: 3 * x**2)
    np.testing.assert_allclose(dd.jacobian(lambda x: cube(2 * x))(np.array([1.0, 2.0])), np.diag([24.0, 96.0]))
    assert dd.derivative(cube, order=2)(2.0) == 12.0
    numba = pytest.importorskip("numba")
    compiled = dd.define_rule(numba.vectorize(lambda x: x**3), partials=lambda x: 3 * x**2)
    assert dd.derivative(compiled, order=2)(2.0) == 12.0


def test_out_and_outer_of_a_ufunc() -> None:
    times = dd.define_rule(np.frompyfunc(lambda x, y: x * y, 2, 1), partials=(lambda x, y: y, lambda x, y: x))

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        times(x, x, out=y)
        return y

    def g(x: Any) -> Any:
        y = np.zeros_like(x)
        times(Y, 3.0, out=y)
        return times(y, x, out=y, where=[True, False, True])

    np.testing.assert_allclose(dd.jacobian(f)(X), np.diag(2 * X))
    np.testing.assert_allclose(dd.jacobian(g)(X), np.diag([3 * Y[0], 0.0, 3 * Y[2]]))
    with pytest.raises(dd.NotDifferentiableError, match="with where= but no out="):
        dd.jacobian(lambda x: times(x, x, where=[True, False, True]))(X)
    np.testing.assert_allclose(dd.jacobian(lambda x: times.outer(x, Y))(X), dd.jacobian(lambda x: np.outer(x, Y))(X))


def test_large_maps_need_a_transpose() -> None:
    n = 3000
    double = rule(lambda x: 2 * x, jvp=lambda p, t: 2 * t[0])
    with pytest.raises(dd.NotDifferentiableError, match=r"no vjp=.*2000"):
        dd.gradient(lambda x: np.sum(double(x)), mode="reverse")(np.ones(n))
    double = rule(lambda x: 2 * x, vjp=lambda p, ct: 2 * ct)
    np.testing.assert_array_equal(dd.gradient(lambda x: np.sum(double(x)), mode="reverse")(np.ones(n)), np.full(n, 2.0))
    with pytest.raises(dd.NotDifferentiableError, match=r"no jvp=.*2000"):
        dd.jvp(double, (np.ones(n),), (np.ones(n),))


def test_a_map_is_applied_as_seldom_as_its_sizes_allow() -> None:
    calls: list[Any] = []

    def count(p: Any, t: Any) -> Any:
        calls.append(t)
        return np.array([1.0, 2.0, 3.0]) * t[0]

    f = rule(lambda x: np.array([1.0, 2.0, 3.0]) * x, jvp=count)
    dd.jacobian(lambda x: f(np.sum(x)))(np.ones(100))  # 100 directions, but of one number
    assert len(calls) == 1
    pullback = dd.vjp(f, 2.0)[1]
    assert pullback(np.ones(3)) == pullback(np.ones(3)) == 6.0
    assert len(calls) == 2


x1 = np.array([1.0, 2.0])
ERRORS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no rule", lambda: dd.define_rule(math.sin), TypeError, "give one of partials="),
    ("two rules", lambda: dd.define_rule(math.sin, partials=1, jvp=len), TypeError, "give one of partials="),
    ("no function", lambda: dd.define_rule(3.0, partials=1), TypeError, "a function is needed, got float"),  # type: ignore[arg-type]
    ("jvp", lambda: dd.define_rule(math.sin, jvp=3.0), TypeError, "jvp of sin must be a function"),  # type: ignore[arg-type]
    ("partials", lambda: dd.define_rule(math.sin, partials="cos"), TypeError, "partials of sin must be functions"),
    ("method", lambda: dd.define_rule(math.sin, numerical="magic"), ValueError, "unknown method 'magic'"),
    ("constants", lambda: dd.define_rule(math.sin, partials=1, constants="x"), TypeError, "positions of arguments"),  # type: ignore[arg-type]
    (
        "count",
        lambda: dd.define_rule(np.frompyfunc(math.atan2, 2, 1), partials=1),
        ValueError,
        "takes 2 arguments, but there are 1 partials",
    ),
    ("too few", lambda: dd.derivative(rule(math.atan2, partials=1))(1.0, 2.0), ValueError, "but has 1 partials"),
    ("none", lambda: dd.derivative(rule(math.atan2, partials=(1, None)), 1)(1.0, 2.0), TypeError, "argument 1 is not"),
    ("sum", lambda: dd.jacobian(rule(np.sum, partials=lambda x: x))(x1), ValueError, "is not elementwise.*use jvp="),
    ("outer", lambda: dd.jacobian(rule(lambda x: np.outer(x, x), partials=1))(x1), ValueError, "is not elementwise"),
    ("odd", lambda: dd.jacobian(rule(lambda x, y: x, partials=(1, 0)))(x1, X), ValueError, "is not elementwise"),
    ("shape", lambda: dd.jacobian(rule(np.sin, partials=lambda x: np.ones(3)))(x1), ValueError, r"has shape \(3,\)"),
    ("tuple", lambda: dd.jacobian(rule(np.modf, partials=1))(x1), ValueError, "returns 2 results"),
    ("kind", lambda: dd.jacobian(rule(np.sin, partials=lambda x: "1"))(x1), TypeError, "the partial derivative of"),
    ("nothing", lambda: dd.jacobian(rule(np.sin, partials=lambda x: None))(x1), TypeError, "is None"),
    ("complex", lambda: dd.jacobian(rule(np.sin, partials=lambda x: 1j))(x1), TypeError, "complex, its result real"),
    ("|z|", lambda: dd.jvp(rule(abs, partials=1), (1j,), (1.0,)), TypeError, "complex, its result real"),
    ("result", lambda: dd.derivative(rule(lambda x: None, partials=1))(1.0), TypeError, "the result of call is None"),
    ("jvp shape", lambda: dd.jacobian(rule(np.sin, jvp=lambda p, t: 1.0))(x1), ValueError, r"\(\), but \(2,\) is"),
    ("jvp kind", lambda: dd.jacobian(rule(np.sin, jvp=lambda p, t: 1j * t[0]))(x1), TypeError, "complex, but real is"),
    ("jvp count", lambda: dd.jacobian(rule(np.modf, jvp=lambda p, t: t[0]))(x1), ValueError, "a tuple of 2 tangents"),
    ("vjp count", lambda: dd.vjp(rule(both, vjp=lambda p, c: p[0]), X, Y)[1]((1.0, X)), ValueError, "of 2 cotangents"),
    ("vjp shape", lambda: dd.vjp(rule(gap, vjp=lambda p, c: c), X)[1](x1), ValueError, r"cotangent 0 has shape \(2,\)"),
    ("math", lambda: dd.derivative(rule(math.sin, partials=math.cos), order=2)(1.0), dd.TangentLossError, "math"),
    ("raised", lambda: dd.derivative(rule(math.sqrt, partials=1))(-1.0), ValueError, "math domain|nonnegative"),
    ("analytic", lambda: dd.derivative(rule(math.sin, numerical="complex_step"))(1.0), TypeError, "complex numbers"),
]


@pytest.mark.parametrize("act, kind, text", [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS])
def test_errors(act: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_number_that_is_no_argument(mode: str) -> None:
    def f(x: Any) -> Any:
        inside = dd.define_rule(lambda y: x * y, partials=lambda y: dd.value(x))
        return np.sum(inside(2 * x))

    with pytest.raises(dd.NotDifferentiableError, match="that is no argument"):
        dd.gradient(f, mode=mode)(3.0)


def test_an_outer_number_that_is_no_argument() -> None:
    """d/dy of x sin y at y = 1, differentiated by x: the rule's parts know of the outer number."""

    def slope(x: Any) -> Any:
        f = dd.define_rule(lambda y: x * math.sin(y), partials=lambda y: x * np.cos(y))
        return dd.derivative(f)(1.0)

    assert dd.derivative(slope)(3.0) == pytest.approx(math.cos(1.0))
