"""The transforms of forward mode: arguments, results, types, errors, and scenarios worked out by hand."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Network:
    weight: Any
    bias: Any
    name: str = dataclasses.field(default="net", init=False)


def equal(got: Any, due: Any) -> None:
    """The same numbers in the same containers."""
    if isinstance(due, dict):
        assert type(got) is type(due)
        assert list(got) == list(due)
        for k in due:
            equal(got[k], due[k])
    elif isinstance(due, tuple) or (isinstance(due, list) and isinstance(got, list)):
        assert type(got) is type(due)
        assert len(got) == len(due)
        for g, d in zip(got, due):
            equal(g, d)
    elif dataclasses.is_dataclass(due):
        assert type(got) is type(due)
        for field in dataclasses.fields(due):  # type: ignore[arg-type]
            if field.init:
                equal(getattr(got, field.name), getattr(due, field.name))
    else:
        assert np.shape(got) == np.shape(due)
        np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-14)


# ---------------------------------------------------------------- worked out by hand

SCENARIOS: list[tuple[str, Callable[..., Any], tuple[float, ...], float, tuple[float, ...]]] = [
    ("(x + y) max(y, z)", lambda x, y, z: (x + y) * max(y, z), (1, 2, 0), 6, (2, 5, 0)),
    ("(x + y) np.maximum(y, z)", lambda x, y, z: (x + y) * np.maximum(y, z), (1, 2, 0), 6, (2, 5, 0)),
    ("(a - b)**2", lambda a, b: (a - b) ** 2, (2, 0), 4, (4, -4)),
    ("x y + sin x", lambda x, y: x * y + np.sin(x), (math.pi, 4), 4 * math.pi, (3, math.pi)),
    ("log x + x y - sin y", lambda x, y: np.log(x) + x * y - np.sin(y), (2, 5), 11.652071455, (5.5, 1.716337815)),
    ("logistic", lambda x: 1 / (1 + np.exp(-x)), (0,), 0.5, (0.25,)),
    ("x**x", lambda x: x**x, (2,), 4, (4 * (1 + math.log(2)),)),
    ("the area of an ellipse", lambda a, b: np.pi * a * b, (2, 3), 6 * math.pi, (3 * math.pi, 2 * math.pi)),
    ("|x| + |y|", lambda x, y: abs(x) + abs(y), (-2, 0), 2, (-1, 0)),
    ("loop: x**5", lambda x: math.prod([x] * 5), (2,), 32, (80,)),
    ("constant", lambda x, y: y, (1, 2), 2, (0, 1)),
]


@pytest.mark.parametrize("name, f, at, value, partials", SCENARIOS, ids=[s[0] for s in SCENARIOS])
def test_by_hand(name: str, f: Any, at: Any, value: float, partials: Any) -> None:
    every = tuple(range(len(at)))
    for point in (at, tuple(map(float, at)), tuple(np.float64(a) for a in at)):
        got, slopes = dd.value_and_gradient(f, every)(*point)
        assert got == pytest.approx(value, rel=1e-9)
        assert slopes == pytest.approx(partials, rel=1e-9, abs=1e-15)
        for k, due in enumerate(partials):
            assert dd.derivative(f, k)(*point) == pytest.approx(due, rel=1e-9, abs=1e-15)
            one = tuple(float(j == k) for j in every)
            assert dd.jvp(f, point, one)[1] == pytest.approx(due, rel=1e-9, abs=1e-15)
    x = np.array(at, float)
    assert dd.gradient(lambda v: f(*v))(x) == pytest.approx(partials, rel=1e-9, abs=1e-15)


def test_polar_coordinates() -> None:
    def f(p: Any) -> Any:
        r, a = p
        return np.array([r * np.cos(a), r * np.sin(a)])

    r, a = 2.0, 0.3
    j = dd.jacobian(f)(np.array([r, a]))
    np.testing.assert_allclose(j, [[np.cos(a), -r * np.sin(a)], [np.sin(a), r * np.cos(a)]], rtol=1e-15)
    assert np.linalg.det(j) == pytest.approx(r)


def test_a_linear_map_is_its_own_jacobian() -> None:
    w = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(dd.jacobian(lambda x: w @ x + 1)(np.ones(4)), w)
    np.testing.assert_array_equal(dd.gradient(lambda x: x @ w @ np.ones(4))(np.ones(3)), w.sum(1))


def test_regression_loss() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 6, 3))
    w = np.ones((3, 3))
    grad = dd.gradient(lambda w: np.mean((a @ w - b) ** 2))(w)
    np.testing.assert_allclose(grad, 2 * a.T @ (a @ w - b) / b.size, rtol=1e-13)


# ---------------------------------------------------------------- arguments


def cubic(x: Any, y: Any, *, scale: float = 1.0, power: int = 2) -> Any:
    return scale * x**power * y


@pytest.mark.parametrize(
    "argnums, due", [(0, 12.0), (1, 9.0), (-1, 9.0), (-2, 12.0), ((0, 1), (12.0, 9.0)), ((1, 0), (9.0, 12.0))]
)
def test_argnums(argnums: Any, due: Any) -> None:
    assert dd.gradient(cubic, argnums)(3.0, 2.0) == due
    assert dd.derivative(cubic, argnums)(3.0, 2.0) == due
    assert dd.jacobian(cubic, argnums)(3.0, 2.0) == due
    assert dd.value_and_gradient(cubic, argnums)(3.0, 2.0) == (18.0, due)
    assert dd.value_and_derivative(cubic, argnums)(3.0, 2.0) == (18.0, due)
    assert dd.value_and_jacobian(cubic, argnums)(3.0, 2.0) == (18.0, due)


def test_a_tuple_of_one_gives_a_tuple_of_one() -> None:
    assert dd.gradient(cubic, (1,))(3.0, 2.0) == (9.0,)
    assert dd.gradient(cubic, ())(3.0, 2.0) == ()


@pytest.mark.parametrize(
    "transform", [dd.gradient, dd.derivative, dd.jacobian, dd.value_and_gradient, dd.value_and_jacobian]
)
@pytest.mark.parametrize(
    "argnums, error, text",
    [
        (2, ValueError, "argnums=2.*2 positional arguments"),
        (-3, ValueError, "argnums=-3"),
        ((0, 2), ValueError, r"argnums=\(0, 2\)"),
        ((0, 0), ValueError, "twice"),
        ((0, -2), ValueError, "twice"),
        ("x", TypeError, "int or a tuple of ints"),
        (1.0, TypeError, "int or a tuple of ints"),
        ([0], TypeError, "int or a tuple of ints"),
        (None, TypeError, "int or a tuple of ints"),
    ],
)
def test_wrong_argnums(transform: Any, argnums: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        transform(cubic, argnums)(3.0, 2.0)
    assert "argnums" in str(caught.value)


def test_what_is_differentiated_is_passed_by_position() -> None:
    with pytest.raises(ValueError, match="position"):
        dd.gradient(cubic, 1)(3.0, y=2.0)


def test_other_arguments_pass_through_untouched() -> None:
    seen: dict[str, Any] = {}
    other = [np.ones(2), "text", None]

    def f(x: Any, *rest: Any, **options: Any) -> Any:
        seen.update(rest=rest, options=options)
        return x * 2

    dd.jacobian(f)(np.ones(2), other, 7, flag="on")
    assert seen["rest"][0] is other
    assert seen["rest"][1] == 7
    assert seen["options"] == {"flag": "on"}
    assert dd.gradient(cubic)(3.0, 2, scale=10.0, power=3) == 540.0


def test_the_transformed_function_has_the_name_and_signature_of_f() -> None:
    for transform in (dd.derivative, dd.gradient, dd.jacobian, dd.value_and_gradient, dd.value_and_jacobian):
        assert transform(cubic).__name__ == "cubic"
        assert inspect.signature(transform(cubic)) == inspect.signature(cubic)
    assert dd.derivative(np.sin)(0.0) == 1.0  # a ufunc has no signature
    assert dd.derivative(type("F", (), {"__call__": lambda self, x: x * x})())(3.0) == 6.0


class Model:
    def __init__(self, a: float) -> None:
        self.a = a

    def loss(self, x: Any) -> Any:
        return self.a * x * x


def test_methods_and_partial_functions() -> None:
    import functools

    assert dd.derivative(Model(2.0).loss)(3.0) == 12.0
    assert dd.derivative(functools.partial(cubic, y=2.0))(3.0) == 12.0
    assert dd.derivative(lambda *, x=1.0: x, 0) is not None


ARGUMENTS = [
    ([1, 2], np.array([2.0, 4.0])),
    ((1.0, 2.0), np.array([2.0, 4.0])),
    (np.array([1, 2]), np.array([2.0, 4.0])),
    ([[1, 2], [3, 4]], np.array([[2.0, 4.0], [6.0, 8.0]])),
    (np.array([True, False]), np.array([2.0, 0.0])),
    (3, 6.0),
    (np.int32(3), 6.0),
    (np.float32(3), 6.0),
    (np.array(3.0), np.array(6.0)),
]


@pytest.mark.parametrize("x, due", ARGUMENTS, ids=[repr(x) for x, _ in ARGUMENTS])
def test_array_likes_are_arrays(x: Any, due: Any) -> None:
    equal(dd.gradient(lambda v: np.sum(np.asarray(v, like=v) ** 2) if isinstance(v, list) else np.sum(v**2))(x), due)


@pytest.mark.parametrize("x", ["text", None, {"a": "text"}, np.array(["a"]), [1.0, "a"], object(), [object()]])
def test_arguments_that_are_no_numbers(x: Any) -> None:
    for transform in (dd.gradient, dd.jacobian, dd.derivative):
        with pytest.raises(TypeError):
            transform(lambda v: v)(x)


def squares(tree: Any) -> Any:
    """The sum of all squares in the containers below."""
    if isinstance(tree, dict):
        return sum(squares(v) for v in tree.values())
    if isinstance(tree, Network):
        return squares(tree.weight) + squares(tree.bias)
    if isinstance(tree, list | tuple):
        return sum(squares(v) for v in tree)
    return np.sum(tree * tree)


W = np.arange(6.0).reshape(2, 3)
TREES: list[tuple[Any, Any]] = [
    ({"w": W, "b": 2.0}, {"w": 2 * W, "b": 4.0}),
    ((W, 2.0), (2 * W, 4.0)),
    ([W, np.ones(2)], [2 * W, 2 * np.ones(2)]),
    (Point(3.0, W), Point(6.0, 2 * W)),
    (Network(W, np.ones(2)), Network(2 * W, 2 * np.ones(2))),
    (
        {"layers": [(W, 1.0), (W.T, 2.0)], "p": Point(1.0, 2.0)},
        {"layers": [(2 * W, 2.0), (2 * W.T, 4.0)], "p": Point(2.0, 4.0)},
    ),
    ({"b": 1.0, "a": {"z": 2.0}}, {"b": 2.0, "a": {"z": 4.0}}),
    ({}, {}),
]


@pytest.mark.parametrize("tree, due", TREES, ids=range(len(TREES)))
def test_containers_as_arguments(tree: Any, due: Any) -> None:
    """A gradient has the structure of the argument."""
    equal(dd.gradient(lambda t: squares(t) + 0.0)(tree), due)
    equal(dd.gradient(lambda c, t: c * squares(t), (1,))(1.0, tree), (due,))
    equal(dd.value_and_gradient(squares)(tree)[0], squares(tree))
    equal(dd.jvp(squares, (tree,), (tree,))[1], 2.0 * squares(tree))


RESULTS: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("dict", lambda x: {"a": x[0] * x[1], "b": {"c": 2 * x}}, {"a": [3.0, 2.0], "b": {"c": [[2.0, 0.0], [0.0, 2.0]]}}),
    ("tuple of numbers", lambda x: (x[0], x[0] * x[1]), np.array([[1.0, 0.0], [3.0, 2.0]])),
    ("list of numbers", lambda x: [x[0], 5, x[0] * x[1]], np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 2.0]])),
    ("list of lists", lambda x: [[x[0], 1.0], [x[1], x[0] ** 2]], np.array([[[1.0, 0], [0, 0]], [[0, 1], [4, 0]]])),
    ("tuple of arrays", lambda x: (x * 2, x[0]), ([[2.0, 0.0], [0.0, 2.0]], [1.0, 0.0])),
    ("list of arrays", lambda x: [x, 2 * x], np.array([np.eye(2), 2 * np.eye(2)])),
    ("named tuple of arrays", lambda x: Point(x, x[::-1]), Point(np.eye(2), np.eye(2)[::-1])),
    ("dataclass", lambda x: Network(x[0] * x, x[1]), Network([[4.0, 0.0], [3.0, 2.0]], [0.0, 1.0])),
    ("constant", lambda x: 7, [0.0, 0.0]),
    ("constant array", lambda x: np.ones(3), np.zeros((3, 2))),
    ("int array", lambda x: np.array([1, 2]), np.zeros((2, 2))),
    ("bool", lambda x: x[0] > 1, [0.0, 0.0]),
    ("mixed", lambda x: {"a": 1, "b": x}, {"a": [0.0, 0.0], "b": np.eye(2)}),
    ("empty list", lambda x: [], np.zeros((0, 2))),
    ("empty dict", lambda x: {}, {}),
    ("object array", lambda x: np.array([x[1], 1.0]), np.array([[0.0, 1.0], [0.0, 0.0]])),
]


@pytest.mark.parametrize("chunk_size", [None, 1])
@pytest.mark.parametrize("name, f, due", RESULTS, ids=[r[0] for r in RESULTS])
def test_containers_as_results(name: str, f: Any, due: Any, chunk_size: int | None) -> None:
    equal(dd.jacobian(f, chunk_size=chunk_size)(np.array([2.0, 3.0])), due)


def test_containers_on_both_sides() -> None:
    def f(p: Any) -> Any:
        return {"y": p["w"] @ np.ones(3) * p["b"], "n": np.sum(p["w"])}

    j = dd.jacobian(f)({"w": W, "b": 2.0})
    assert list(j) == ["y", "n"]
    assert j["y"]["w"].shape == (2, 2, 3)
    equal(j["y"]["b"], W.sum(1))
    equal(j["n"], {"w": np.ones((2, 3)), "b": 0.0})
    many = dd.jacobian(lambda x, y: {"p": x * y, "s": x + y}, (0, 1))(2.0, 3.0)
    assert many == ({"p": 3.0, "s": 1.0}, {"p": 2.0, "s": 1.0})


@pytest.mark.parametrize("result", [None, "text", b"bytes", len, [None], {"a": None}, np.array(["a"]), object()])
def test_results_that_are_no_numbers(result: Any) -> None:
    for transform in (dd.jacobian, dd.gradient, dd.derivative):
        with pytest.raises(TypeError):
            transform(lambda x: result)(2.0)
    with pytest.raises(TypeError, match="return"):
        dd.derivative(lambda x: None)(2.0)


def test_a_list_of_unequal_arrays_is_refused() -> None:
    with pytest.raises(ValueError, match="tuple or a dict"):
        dd.jacobian(lambda x: [x, x[:1]])(np.ones(2))


# ---------------------------------------------------------------- shapes, types, layout


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, bool])
def test_type_of_the_result(dtype: Any) -> None:
    x = np.ones(3, dtype)
    due = dtype if np.issubdtype(dtype, np.floating) else np.float64
    for f in (lambda v: v * v, lambda v: np.sum(v), lambda v: [v[0], v[1]], lambda v: np.sin(v) / 2 + 1):
        assert dd.jacobian(f)(x).dtype == due
        assert dd.jacobian(f, chunk_size=1)(x).dtype == due
    assert dd.gradient(np.sum)(x).dtype == due
    assert dd.jacobian(lambda v: 1.0)(x).dtype == np.float64


@pytest.mark.parametrize(
    "f", [lambda x: x, lambda x: x.T, lambda x: np.sum(x), lambda x: x[:, ::-1].T, lambda x: x[0] @ x.T]
)
@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_results_are_contiguous_and_writable(f: Any, chunk_size: int | None) -> None:
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    j = dd.jacobian(f, chunk_size=chunk_size)(x)
    assert type(j) is np.ndarray
    assert j.shape == np.shape(f(x)) + x.shape
    assert j.flags.c_contiguous
    assert j.flags.writeable
    j[...] = 0.0
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_scalars_come_out_as_python_floats() -> None:
    f = lambda x: x * x
    for x in (3.0, 3, np.float64(3)):
        for d in (dd.derivative(f)(x), dd.gradient(f)(x), dd.jacobian(f)(x), *dd.value_and_gradient(f)(x)):
            assert type(d) is float
    assert dd.derivative(f)(np.float32(3)).dtype == np.float32
    assert type(dd.gradient(np.sum)(np.ones(3))) is np.ndarray


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_empty_inputs(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape)
    for chunk_size in (None, 1):
        j = dd.jacobian(lambda v: np.sin(v) * v, chunk_size=chunk_size)(x)
        assert j.shape == shape + shape
        assert dd.jacobian(lambda v: np.sum(v), chunk_size=chunk_size)(x).shape == shape
    assert dd.gradient(lambda v: np.sum(v * v))(x).shape == shape
    assert dd.derivative(np.sin)(x).shape == shape
    assert dd.jvp(np.sum, (x,), (x,)) == (0.0, 0.0)
    assert dd.jacobian(lambda v: v[:0])(np.ones(3)).shape == (0, 3)
    value, slopes = dd.value_and_gradient(lambda v: np.sum(v["a"]) + v["b"] ** 2)({"a": x, "b": 3.0})
    assert value == 9.0
    equal(slopes, {"a": x, "b": 6.0})


# ---------------------------------------------------------------- jvp and directional derivatives


def test_jvp() -> None:
    value, tangent = dd.jvp(lambda x, y: (x * y, x[0]), (np.array([1.0, 2.0]), 3.0), (np.array([1.0, 0.0]), 10.0))
    equal(value, (np.array([3.0, 6.0]), 1.0))
    equal(tangent, (np.array([13.0, 20.0]), 1.0))
    assert dd.directional_derivative(lambda x: x[0] ** 2 * x[1], [1.0, 2.0], [3.0, -1.0]) == 11.0
    assert dd.jvp(lambda p: p["a"] * p["b"], ({"a": 2.0, "b": 3.0},), ({"a": 1.0, "b": 1.0},)) == (6.0, 5.0)
    assert dd.jvp(lambda x: 5.0, (1.0,), (1.0,)) == (5.0, 0.0)
    assert dd.jvp(lambda x: x * x, (3,), (1,)) == (9.0, 6.0)


def test_jvp_pairs_dicts_by_key() -> None:
    f = lambda p: 10 * p["a"] + p["b"]
    assert dd.jvp(f, ({"a": 1.0, "b": 2.0},), ({"b": 0.0, "a": 1.0},)) == (12.0, 10.0)


JVP_ERRORS: list[tuple[Any, Any, Any, str]] = [
    ((1.0,), (1.0, 2.0), ValueError, "1 primals but 2 tangents"),
    ((np.ones(2),), (np.ones(3),), ValueError, r"\(3,\).*\(2,\)"),
    ((np.ones(2),), (1.0,), ValueError, "shape"),
    ((1.0,), (np.ones(2),), ValueError, "shape"),
    (({"a": 1.0},), ({"a": 1.0, "b": 2.0},), ValueError, "structure"),
    (({"a": 1.0},), ({"b": 1.0},), ValueError, "structure"),
    ((1.0,), (1j,), TypeError, "complex"),
    ((1.0,), ("one",), TypeError, "tangent 0"),
    (1.0, 1.0, TypeError, "tuples"),
    (np.ones(2), np.ones(2), TypeError, "tuples"),
]


@pytest.mark.parametrize("primals, tangents, error, text", JVP_ERRORS)
def test_jvp_errors(primals: Any, tangents: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        dd.jvp(lambda x: x, primals, tangents)


# ---------------------------------------------------------------- derivative and gradient refuse what they do not mean


def test_derivative_order() -> None:
    assert [dd.derivative(lambda x: x**4, order=k)(2.0) for k in range(6)] == [16.0, 32.0, 48.0, 48.0, 24.0, 0.0]
    np.testing.assert_allclose(dd.derivative(np.sin, order=3)(np.array([0.0, 1.0])), [-1, -np.cos(1)])
    assert dd.derivative(lambda x, y: x**2 * y**3, 1, order=2)(2.0, 1.0) == 24.0
    for order in (-1, 1.5, "two", True):
        with pytest.raises(ValueError, match="order"):
            dd.derivative(np.sin, order=order)


def test_derivative_of_an_elementwise_function() -> None:
    x = np.array([[0.3, 1.2], [2.0, -0.4]])
    np.testing.assert_allclose(dd.derivative(lambda v: np.sin(v) * v**2 + 3)(x), np.cos(x) * x**2 + 2 * x * np.sin(x))
    np.testing.assert_array_equal(dd.derivative(lambda v: np.where(v > 1, v * v, 0 * v))(x), np.where(x > 1, 2 * x, 0))
    np.testing.assert_array_equal(dd.derivative(lambda v: np.ones(v.shape))(x), np.zeros((2, 2)))
    np.testing.assert_array_equal(dd.derivative(lambda v, w: v * w)(x, x[0]), np.broadcast_to(x[0], (2, 2)))
    big = np.linspace(-3, 3, 10_000)
    np.testing.assert_allclose(dd.derivative(np.tanh)(big), 1 / np.cosh(big) ** 2)
    np.testing.assert_array_equal(dd.derivative(lambda v: np.array([w * w for w in v]))(x[0]), 2 * x[0])
    np.testing.assert_array_equal(dd.derivative(lambda v: np.cos(v) * 1e300)(np.zeros(3)), np.zeros(3))
    vector = dd.derivative(lambda t: np.array([np.cos(t), np.sin(t), t]))(0.0)
    np.testing.assert_array_equal(vector, [0, 1, 1])


SNEAKY: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("sum", lambda x: np.sum(x), np.ones(3)),
    ("sum over an axis", lambda x: x.sum(0), np.ones((2, 3))),
    ("reversed", lambda x: x[::-1], np.arange(3.0)),
    ("transposed", lambda x: x.T * 2, np.ones((3, 3))),
    ("cumsum", lambda x: np.cumsum(x), np.ones(3)),
    ("times its sum", lambda x: x * x.sum(), np.ones(3)),
    ("minus its mean", lambda x: x - x.mean(), np.ones(3)),
    ("softmax", lambda x: np.exp(x) / np.sum(np.exp(x)), np.ones(3)),
    ("sorted", lambda x: x[np.argsort(x)], np.array([3.0, 1.0, 2.0])),
    ("two swapped of many", lambda x: x[[*range(70), 71, 70, *range(72, 100)]], np.ones(100)),
    ("one element shifted", lambda x: np.concatenate([x[:1], x[:1], x[2:]]), np.ones(3)),
    ("shifted by 64", lambda x: np.roll(x, 64), np.ones(128)),
    ("shifted by 64 of 10000", lambda x: np.roll(x, 64), np.ones(10_000)),
    ("shifted by 4096", lambda x: np.roll(x, 4096), np.ones(10_000)),
    ("shifted by 4096, with zeros", lambda x: np.concatenate([x[4096:], np.zeros(4096)]), np.ones(10_000)),
    ("difference of neighbours", lambda x: x - np.roll(x, 1), np.ones(5)),
    ("other shape", lambda x: x[:-1], np.ones(3)),
    ("column", lambda x: x[:, None], np.ones(3)),
    ("matrix product", lambda x: np.eye(3)[[1, 2, 0]] @ x, np.ones(3)),
    ("neighbour times 1e-5", lambda x: x + 1e-5 * np.roll(x, 1), np.ones(4)),
    ("float32 reversed", lambda x: x[::-1], np.ones(40, np.float32)),
    ("float16 reversed", lambda x: x[::-1], np.ones(40, np.float16)),
    ("complex reversed", lambda x: x[::-1], np.ones(3) + 1j),
    ("tiny slopes", lambda x: 1e-200 * x[::-1], np.ones(3)),
]


@pytest.mark.parametrize("name, f, x", SNEAKY, ids=[s[0] for s in SNEAKY])
def test_derivative_refuses_what_is_not_elementwise(name: str, f: Any, x: Any) -> None:
    with pytest.raises(ValueError, match=r"elementwise.*jacobian"):
        dd.derivative(f)(x)


def test_derivative_of_a_container_is_refused() -> None:
    with pytest.raises(TypeError, match="gradient or jacobian"):
        dd.derivative(lambda p: p["a"])({"a": 1.0, "b": 2.0})


@pytest.mark.parametrize(
    "f", [lambda x: x, lambda x: x[:1], lambda x: [x[0], x[1]], lambda x: (x, x), lambda x: x[None, :1]]
)
def test_gradient_of_what_is_no_scalar(f: Any) -> None:
    for transform in (dd.gradient, dd.value_and_gradient):
        with pytest.raises(ValueError, match=r"scalar.*jacobian"):
            transform(f)(np.ones(2))


def test_errors_name_the_transform() -> None:
    for transform in (dd.gradient, dd.value_and_gradient, dd.jacobian, dd.value_and_jacobian):
        with pytest.raises((TypeError, ValueError)) as caught:
            transform(cubic, argnums=5)(1.0, 2.0)
        assert re.match(r"[a-z_]+: ", str(caught.value))


def test_masked_arrays_are_refused_wherever_they_come_in() -> None:
    masked, x = np.ma.array([1.0, 2.0], mask=[False, True]), np.array([1.0, 2.0])
    for f in (lambda x: x * masked, lambda x: masked * x, lambda x: np.sum(x + masked), lambda x: masked):
        with pytest.raises(TypeError, match="masked"):
            dd.jacobian(f)(x)
    with pytest.raises(TypeError, match="masked"):
        dd.jacobian(np.sin)(masked)


def test_matrices_are_refused_since_their_product_is_another() -> None:
    m = np.array([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix)
    for f in (lambda x: m * x, lambda x: x * m, lambda x: m @ x):
        with pytest.raises(TypeError, match=r"np\.matrix"):
            dd.jacobian(f)(np.array([1.0, 2.0]))
