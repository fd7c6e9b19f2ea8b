"""Code that asks what a number is and takes another way with one that has a tangent: right or an error, never wrong."""

from __future__ import annotations

import functools
import itertools
import numbers
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

X = np.array([0.3, 1.2, 0.7])


@functools.singledispatch
def dispatched(x: Any) -> Any:
    return x * 0


@dispatched.register(float)
def _(x: float) -> float:
    return x**2


def matched(x: Any) -> Any:
    match x:
        case float():
            return x**2
        case _:
            return x * 0


def helper(x: Any) -> Any:
    return x**2 if isinstance(x, float) else x * 0


def caught(x: Any) -> Any:
    try:
        return x**2 if x.is_integer else x
    except AttributeError:
        return x * 0


def doubled(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def twice(x: Any) -> Any:
        return f(x) * 2.0

    return twice


class Layer:
    def __init__(self, act: Callable[[Any], Any] = lambda x: x) -> None:
        self.act = act

    def __call__(self, x: Any) -> Any:
        return x[0] ** 2 if self.plain(x[0]) else x[0] * 0

    @staticmethod
    def plain(x: Any) -> bool:
        return isinstance(x, float)

    def through(self, x: Any) -> Any:
        return self.act(x[0])


layer = Layer()
box = SimpleNamespace(act=helper)
FLOATS = [float]  # where names do not lead
square: Callable[[Any], Any] = lambda x: x[0] ** 2
# What asks, and the function that it is on plain numbers.
RIGHT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "isscalar": (lambda x: x[0] ** 2 if np.isscalar(x[0]) else x[0] * 0, square),
    "isinstance": (lambda x: x[0] ** 2 if isinstance(x[0], float) else x[0] * 0, square),
    "several classes": (lambda x: x[0] ** 2 if isinstance(x[0], (int, float)) else x[0] * 0, square),
    "numbers": (lambda x: x[0] ** 2 if isinstance(x[0], numbers.Real) else x[0] * 0, square),
    "ndarray": (lambda x: x**2 if isinstance(x, np.ndarray) else x * 0, lambda x: x**2),
    "type of array": (lambda x: x**2 if type(x) is np.ndarray else x * 0, lambda x: x**2),
    "type": (lambda x: x[0] ** 2 if type(x[0]) in (float, np.float64) else x[0] * 0, square),
    "type of type": (lambda x: x[0] ** 2 if isinstance(type(x[0]), type) and helper(x[0]) else x[0] * 0, square),
    "singledispatch": (lambda x: dispatched(x[0]), square),
    "in a helper": (lambda x: helper(x[0]), square),
    "in a partial": (functools.partial(lambda power, x: helper(x[0]) * power, 2.0), lambda x: 2 * square(x)),
    "in a decorated one": (lambda x: doubled(helper)(x[0]), lambda x: 2 * square(x)),
    "in a list": (lambda x: [helper][0](x[0]), square),
    "name of type": (lambda x: x[0] * (1 if type(x[0]).__name__ == "Dual" else x[0]), square),
    "hasattr": (lambda x: x[0] ** 2 if hasattr(x[0], "is_integer") else x[0] * 0, square),
    "in a class": (layer, square),
    "in an object": (Layer(helper).through, square),
    "through a namespace": (lambda x: helper(x[0]) + 0 * x[1], lambda x: x[0] ** 2 + 0 * x[1]),
    "and a buffer": (
        lambda x: buffered(x) if isinstance(x, np.ndarray) else x * 0,
        lambda x: np.stack([x[0] ** 2, 0 * x[0], 0 * x[0]]),
    ),
}
RAISED: dict[str, Callable[[Any], Any]] = {
    "match": lambda x: matched(x[0]),
    "AttributeError": lambda x: caught(x[0]),
    "an object's attribute": lambda x: box.act(x[0]),
    "what can't be a float": lambda x: FLOATS[0](x[0]) ** 2 if isinstance(x[0], float) else x[0] * 0,
    "getattr": lambda x: x[0] ** 2 if getattr(x[0], "is_integer", None) else x[0] * 0,
    "the same by chance": lambda x: np.sum((x - 0.3) * 2) if x[0].__class__ is np.float64 else x[0] - 0.3,
}


def buffered(x: Any) -> Any:
    y = np.zeros(3)
    y[0] = helper(x[0])
    return y


def dense(J: Any) -> Any:
    return J.toarray() if hasattr(J, "toarray") else J


MODES: dict[str, Callable[[Any], Any]] = {
    "forward": dd.jacobian,
    "passes": lambda f: dd.jacobian(f, chunk_size=1),
    "reverse": lambda f: dd.jacobian(f, mode="reverse"),
    "auto": lambda f: dd.jacobian(f, mode="auto"),
    "sparse": lambda f: lambda x: dense(dd.jacobian(f, sparse=True)(x)),
    "row-local": lambda f: lambda x: dd.jacobian(f)(np.concatenate([x, np.ones(200)]))[..., :3],
    "second order": lambda f: dd.hessian(lambda x: np.sum(f(x))),
    "sparse second order": lambda f: lambda x: dense(dd.hessian(lambda x: np.sum(f(x)), sparse=True)(x)),
    "nested": lambda f: dd.jacobian(lambda x: dd.jacobian(f)(x * x)),
    "captured": lambda f: dd.jacobian(lambda x: dd.derivative(lambda t: f(x) * t)(2.0)),
    "hvp": lambda f: lambda x: dd.hvp(lambda x: np.sum(f(x)), x, x),
    "gradient": lambda f: dd.gradient(lambda x: np.sum(f(x))),
    "reverse gradient": lambda f: dd.gradient(lambda x: np.sum(f(x)), mode="reverse"),
    "jvp": lambda f: lambda x: dd.jvp(f, (x,), (x,))[1],
    "vjp": lambda f: lambda x: dd.vjp(lambda x: np.sum(f(x)), x)[1](1.0),
    "taylor": lambda f: lambda x: dd.taylor(f, x, 3, direction=x),
    "third": lambda f: lambda x: dd.directional_derivative(f, x, x, order=2),
}
modes = pytest.mark.parametrize("mode", MODES)


@modes
@pytest.mark.parametrize("name", RIGHT)
def test_questions_that_can_be_answered(name: str, mode: str) -> None:
    asking, meant = RIGHT[name]
    if name == "and a buffer":
        meant = lambda x: np.concatenate([np.stack([x[0] ** 2]), 0 * x[:2]])
    np.testing.assert_allclose(MODES[mode](asking)(X), MODES[mode](meant)(X), rtol=1e-13)


@modes
@pytest.mark.parametrize("name", RAISED)
def test_another_way_is_an_error(name: str, mode: str) -> None:
    with pytest.raises(dd.DualdiffError, match=r"takes another way|would lose the derivative"):
        MODES[mode](RAISED[name])(X)


def test_a_number() -> None:
    slope = lambda f: lambda x: dd.taylor(f, x, 1)[1]
    for x in (1.5, 0.0, 2):
        for transform in (dd.derivative, dd.gradient, dd.jacobian, slope):
            assert transform(helper)(x) == 2 * x
            with pytest.raises(dd.NotDifferentiableError, match="match"):
                transform(matched)(x)
        assert dd.derivative(helper, order=2)(x) == 2
        assert dd.derivative(helper, order=3)(x) == 0
        assert dd.value_and_derivative(helper)(x) == (x * x, 2 * x)
        assert dd.derivative(lambda a, x: a * helper(x), argnums=1)(2.0, x) == 4 * x
        assert dd.derivative(lambda x: dd.derivative(lambda y: helper(x) * y)(1.0))(x) == 2 * x


def test_names_bound_later() -> None:
    """What a function reaches may be bound after it was made, and anew after it was differentiated."""
    act: Any = lambda x: x * 3.0
    f = lambda x: act(x)
    slope = dd.derivative(f)
    grad = dd.gradient(f)
    assert slope(2.0) == grad(2.0) == 3
    act = matched
    with pytest.raises(dd.NotDifferentiableError):
        grad(2.0)


def test_code_that_arguments_bring() -> None:
    def f(x: Any, model: Any) -> Any:
        return model.act(x)

    with pytest.raises(dd.NotDifferentiableError):
        dd.gradient(f)(2.0, Layer(matched))
    with pytest.raises(dd.NotDifferentiableError):
        dd.gradient(lambda x, model: model(x))(X, model=Layer(matched))
    with pytest.raises(dd.NotDifferentiableError):
        dd.gradient(lambda x, parts: parts["act"](x))(2.0, {"act": matched})
    assert dd.gradient(f)(2.0, Layer(lambda x: x * x)) == 4


def as_array(x: Any) -> Any:
    if isinstance(x, (int, float)):
        x = np.array(x)
    return np.sum(x * x)


def checked(x: Any) -> Any:
    if not hasattr(x, "shape"):
        x = np.asarray(x)
    if type(x) is int or np.isscalar(x):
        return x * x
    return np.sum(x**2)


@modes
@pytest.mark.parametrize("f", [as_array, checked, lambda x: np.sum(x**2) if isinstance(x, list) else np.sum(x * x)])
def test_questions_that_change_nothing_are_none(f: Any, mode: str) -> None:
    np.testing.assert_allclose(MODES[mode](f)(X), MODES[mode](lambda x: np.sum(x * x))(X), rtol=1e-13)


def test_questions_about_a_number_that_change_nothing() -> None:
    for f in (as_array, checked, lambda x: x * x if not hasattr(x, "units") else x):
        assert dd.derivative(f)(3.0) == dd.gradient(f)(3.0) == dd.gradient(f, mode="reverse")(3.0) == 6
        assert dd.derivative(f, order=2)(3.0) == 2


def test_random_numbers_are_no_other_way() -> None:
    rng = np.random.default_rng(0)
    f = lambda x: x * rng.normal() if isinstance(x, np.ndarray) else x * 0
    J = dd.jacobian(f)(X)
    assert J[0, 0] != 0
    np.testing.assert_array_equal(J, J[0, 0] * np.eye(3))


def test_who_asks_nothing_runs_once() -> None:
    count = itertools.count()

    def f(x: Any) -> Any:
        next(count)
        return x * x

    dd.jacobian(f)(X), dd.gradient(f)(1.0), dd.derivative(f)(1.0)
    assert next(count) == 3


def by_rank(x: Any) -> Any:
    return np.sum(x**2, axis=0) if np.ndim(x) == 1 else np.sum(x**3)


@pytest.mark.parametrize("x", [X, X[None]])
def test_each_shape_is_the_arguments(x: Any) -> None:
    """Directions and batches of cotangents never show in the shapes that f sees."""
    expected = 2 * x if x.ndim == 1 else 3 * x**2
    for chunk_size in (None, 1, 2):
        np.testing.assert_allclose(dd.jacobian(by_rank, chunk_size=chunk_size)(x), expected)
    for mode in ("forward", "reverse", "auto"):
        np.testing.assert_allclose(dd.gradient(by_rank, mode=mode)(x), expected)
    np.testing.assert_allclose(dense(dd.jacobian(by_rank, sparse=True)(x)).reshape(x.shape), expected)
    np.testing.assert_allclose(dd.vjp(by_rank, x)[1](np.ones(1))[0], expected)
    np.testing.assert_allclose(dd.taylor(by_rank, x, 1, direction=x)[1], np.sum(expected * x))


def test_programs_of_code_that_asks() -> None:
    """Compiled, a function goes the way of plain numbers; a question that changes nothing leaves no trace."""
    for transform in (lambda f: f, dd.jacobian, MODES["reverse"]):
        for name in ("isinstance", "ndarray", "singledispatch"):
            asking, meant = RIGHT[name]
            program = dd.compile(transform(asking))
            for x in (X, 2 * X, X):
                np.testing.assert_allclose(program(x), transform(meant)(x), rtol=1e-13)
        program = dd.compile(transform(checked))
        program(X)
        assert program.report and "0.001" not in program.source
    with pytest.raises(dd.NotDifferentiableError):
        dd.compile(dd.jacobian(lambda x: matched(x[0])))(X)
