"""Evaluation traces: every number of the textbooks' examples, the chain rule in all others."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.pytree import flatten
from dualdiff.show.trace import Row, Trace
from dualdiff.spaces.recorded import Recorded
from tests.cases import arrays as tables
from tests.cases import linalg

rng = np.random.default_rng(3)


def by_name(made: Trace) -> dict[str, Row]:
    rows = {row.name: row for row in made.rows}
    assert len(rows) == len(made.rows)
    return rows


# ---------------------------------------------------------------- examples worked out by hand

S, C = math.sin(5), math.cos(5)
LOG = [  # y = ln x1 + x1 x2 - sin x2 at (2, 5)
    ("x1", "input", (), 2, (1, 0), 5 + 1 / 2, ()),
    ("x2", "input", (), 5, (0, 1), 2 - C, ()),
    ("v1", "log(x1)", ("x1",), math.log(2), (1 / 2, 0), 1, (1 / 2,)),
    ("v2", "x1 × x2", ("x1", "x2"), 10, (5, 2), 1, (5, 2)),
    ("v3", "v1 + v2", ("v1", "v2"), math.log(2) + 10, (5.5, 2), 1, (1, 1)),
    ("v4", "sin(x2)", ("x2",), S, (0, C), -1, (C,)),
    ("v5", "v3 - v4", ("v3", "v4"), math.log(2) + 10 - S, (5.5, 2 - C), 1, (1, -1)),
]
MAX = [  # f = (x + y) max(y, z) at (1, 2, 0): add distributes the adjoint, max routes it, mul swaps it
    ("x", "input", (), 1, (1, 0, 0), 2, ()),
    ("y", "input", (), 2, (0, 1, 0), 2 + 3, ()),
    ("z", "input", (), 0, (0, 0, 1), 0, ()),
    ("v1", "x + y", ("x", "y"), 3, (1, 1, 0), 2, (1, 1)),
    ("v2", "max(y, z)", ("y", "z"), 2, (0, 1, 0), 3, (1, 0)),
    ("v3", "v1 × v2", ("v1", "v2"), 6, (2, 5, 0), 1, (2, 3)),
]
PYTHON_MAX = [*MAX[:4], ("v2", "v1 × y", ("v1", "y"), 6, (2, 5, 0), 1, (2, 3))]  # which returns y itself
SQUARE = [  # c = (a - b)^2 at (2, 0): dc/da = 4, dc/db = -4
    ("a", "input", (), 2, (1, 0), 4, ()),
    ("b", "input", (), 0, (0, 1), -4, ()),
    ("v1", "a - b", ("a", "b"), 2, (1, -1), 4, (1, -1)),
    ("v2", "v1^2", ("v1",), 4, (4, -4), 1, (4,)),
]
ELEMENTS = [  # x[0] taken twice is one row
    ("x", "input", (), [3, 4], ([1, 0], [0, 1]), [10, 3], ()),
    ("x[0]", "element of x", ("x",), 3, (1, 0), 10, ([1, 0],)),
    ("v1", "x[0]^2", ("x[0]",), 9, (6, 0), 1, (6,)),
    ("x[1]", "element of x", ("x",), 4, (0, 1), 3, ([0, 1],)),
    ("v2", "x[0] × x[1]", ("x[0]", "x[1]"), 12, (4, 3), 1, (4, 3)),
    ("v3", "v1 + v2", ("v1", "v2"), 21, (10, 3), 1, (1, 1)),
]
NEURON = [  # delta = u^T diag(f'(z)) is computed once: ds/db = delta, ds/dW = delta^T x^T
    ("W", "input", (), [[1, -1], [0, 2]], (), [[4, 6], [8, 12]], ()),
    ("b", "input", (), [2, 0], (), [2, 4], ()),
    ("v1", "W @ [2, 3]", ("W",), [-1, 6], (), [2, 4], ([[[2, 3], [0, 0]], [[0, 0], [2, 3]]],)),
    ("v2", "v1 + b", ("v1", "b"), [1, 6], (), [2, 4], ([1, 1], [1, 1])),
    ("v3", "v2^2", ("v2",), [1, 36], (), [1, 1 / 3], ([2, 12],)),
    ("v4", "v3 @ [1, 0.333333]", ("v3",), 13, (), 1, ([1, 1 / 3],)),
]


@pytest.mark.parametrize(
    "f, args, due, result",
    [
        (lambda x1, x2: np.log(x1) + x1 * x2 - np.sin(x2), (2.0, 5.0), LOG, "y"),
        (lambda x, y, z: (x + y) * np.maximum(y, z), (1.0, 2.0, 0.0), MAX, "f"),
        (lambda x, y, z: (x + y) * max(y, z), (1.0, 2.0, 0.0), PYTHON_MAX, "f"),
        (lambda a, b: (a - b) ** 2, (2, 0), SQUARE, "y"),
        (lambda x: x[0] ** 2 + x[0] * x[1], ([3.0, 4.0],), ELEMENTS, "y"),
        (
            lambda W, b: ((W @ np.array([2.0, 3.0]) + b) ** 2) @ np.array([1.0, 1 / 3]),
            ([[1.0, -1.0], [0.0, 2.0]], [2.0, 0.0]),
            NEURON,
            "y",
        ),
    ],
    ids=["log", "max", "python_max", "square", "elements", "neuron"],
)
def test_every_number_of_an_example(f: Callable[..., Any], args: Any, due: Any, result: str) -> None:
    made = dd.trace(f, *args)
    assert made.results == {result: due[-1][0]}
    assert [row[:3] for row in made.rows] == [row[:3] for row in due]
    for row, want in zip(made.rows, due, strict=True):
        numbers = [want[3], want[5], *want[4], *want[6]]
        for got, number in zip([row.value, row.adjoint, *row.tangent, *row.local], numbers, strict=True):
            assert np.shape(got) == np.shape(number)
            np.testing.assert_allclose(got, number, rtol=1e-14, err_msg=row.name)
        assert (len(row.tangent), len(row.local)) == (len(want[4]), len(want[6]))


def test_the_printed_table() -> None:
    def f(x, y, z):  # type: ignore[no-untyped-def]
        return (x + y) * np.maximum(y, z)

    made = dd.trace(f, 1.0, 2.0, 0.0)
    assert (
        str(made)
        == """\
forward ↓  operation  value │ d/dx  d/dy  d/dz
────────────────────────────┼─────────────────
x          input          1 │    1     0     0
y          input          2 │    0     1     0
z          input          0 │    0     0     1
v1         x + y          3 │    1     1     0
v2         max(y, z)      2 │    0     1     0
v3 = f     v1 × v2        6 │    2     5     0

reverse ↑  adjoint │ = sum over the uses: adjoint there × local derivative
───────────────────┼──────────────────────────────────────────────────────
v3 = f           1 │ the seed
v2               3 │ v3: 1 × 3
v1               2 │ v3: 1 × 2
z                0 │ v2: 3 × 0
y                5 │ v1: 2 × 1 + v2: 3 × 1
x                2 │ v1: 2 × 1"""
    )
    assert made.text(adjoints=False) == str(made).partition("\n\n")[0]
    assert "d/dx" not in made.text(tangents=False) and "reverse" in made.text(tangents=False)
    assert repr(made) == str(made)


# ---------------------------------------------------------------- the chain rule in every row of every rule


def chain_rule(made: Trace) -> None:
    """Tangents are sums of local times operand's tangent; adjoints of adjoint times local derivative."""
    rows, back = by_name(made), {row.name: 0.0 * row.adjoint for row in made.rows}
    for name in made.results.values():
        back[name] = rows[name].adjoint if not made.uses()[name] else np.nan
    for row in made.rows:
        forward: Any = 0.0
        n = np.ndim(row.value)
        for name, local in zip(row.operands, row.local, strict=True):
            t = rows[name].tangent[0] if row.tangent else 0.0
            if local is None:
                forward, back[name] = np.nan, np.nan
            elif n and np.shape(local) == np.shape(row.value) == np.shape(rows[name].value):
                forward, back[name] = forward + local * t, back[name] + local * row.adjoint
            else:
                assert np.shape(local) == np.shape(row.value) + np.shape(rows[name].value)
                forward = forward + np.tensordot(local, t, np.ndim(t))
                back[name] = back[name] + np.tensordot(row.adjoint, local, n)
        if row.operands and row.tangent and not np.any(np.isnan(forward)):
            np.testing.assert_allclose(row.tangent[0], forward, rtol=1e-7, atol=1e-9, err_msg=row.operation)
    for row in made.rows:
        if not np.any(np.isnan(back[row.name])):
            np.testing.assert_allclose(row.adjoint, back[row.name], rtol=1e-7, atol=1e-9, err_msg=row.operation)


def agree(f: Callable[..., Any], arrays: Any, directions: Any) -> None:
    """Results' tangents are those of jvp, inputs' adjoints those of vjp, and the chain rule holds between."""
    value, tangent = dd.jvp(f, tuple(arrays), tuple(directions))
    leaves, rebuild = flatten(value, lists=True)
    w = rebuild([np.cos(np.arange(1.0, np.size(v) + 1)).reshape(np.shape(v))[()] for v in leaves])
    cts = dd.vjp(f, *arrays)[1](w)
    one = len(arrays) == 1
    made = dd.trace(f, *arrays, seed=directions[0] if one else tuple(directions), cotangent=w)
    rows = by_name(made)
    for name, t in zip(made.results.values(), flatten(tangent, lists=True)[0], strict=True):
        np.testing.assert_allclose(rows[name].tangent[0], t, rtol=1e-9, atol=1e-11)
    for row, ct in zip(made.rows, flatten(cts, lists=True)[0]):
        np.testing.assert_allclose(row.adjoint, ct, rtol=1e-9, atol=1e-11)
    if not any(np.iscomplexobj(row.value) for row in made.rows):
        chain_rule(made)
    assert "?" not in str(made)


@pytest.mark.parametrize("source", (tables.CASES + tables.REAL)[::2])
def test_functions(source: str) -> None:
    case = tables.Case(source)
    agree(case.f, case.arrays, case.directions)


@pytest.mark.parametrize("source, stack", linalg.CASES[::3])
def test_linear_algebra(source: str, stack: tuple[int, ...]) -> None:
    case = linalg.Case(source, stack)
    agree(case, case.arrays, case.v)


# ---------------------------------------------------------------- what code of all kinds looks like


def operations(f: Callable[..., Any], *args: Any) -> list[str]:
    return [f"{row.name} = {row.operation}" for row in dd.trace(f, *args).rows if row.operation != "input"]


A = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "f, args, due",
    [
        (lambda x: -2 * x + 3 / x - (-1), (2.0,), "v1 = x × (-2); v2 = 3 / x; v3 = v1 + v2; v4 = v3 - (-1)"),
        (lambda x: np.sum(x, axis=0), (A,), "v1 = sum(x, axis=0)"),
        (lambda x: x.mean(1, keepdims=True), (A,), "v1 = mean(x, 1, keepdims=True)"),
        (lambda x: x[0, 1:] @ x.T[0, :1], (A,), "v1 = x[0, 1:]; v2 = transpose(x); v3 = v2[0, :1]; v4 = v1 @ v3"),
        (lambda x: np.einsum("i,i->", x, x), ([1.0, 2.0],), "v1 = einsum('i,i->', x, x)"),
        (lambda x: np.where(x > 1, x, 0), ([1.0, 2.0],), "v1 = where([False, True], x, 0)"),
        (lambda x: np.concatenate([x, np.zeros(9)]), (3 * [0.5],), "v1 = concatenate([x, array(9)])"),
        (lambda x: [x, 2.0, x * x], (3.0,), "v1 = x × x; v2 = [x, 2, v1]; v3 = reshape(v2, (3,))"),
        (lambda x: abs(dd.relu(x)), (3.0,), "v1 = relu(x); v2 = abs(v1)"),
        (lambda x: np.clip(x, 0, 1), (3.0,), "v1 = max(x, 0); v2 = min(v1, 1)"),
        (lambda x: sum(v * v for v in x), ([2.0],), "x[0] = element of x; v1 = x[0] × x[0]; v2 = v1 + 0"),
        (lambda p: p["w"] * p["b"][1], ({"w": 2.0, "b": (1.0, A)},), "v1 = p['w'] × p['b'][1]"),
        (lambda *v: v[0] * v[1], (2.0, 3.0), "v1 = v[0] × v[1]"),
        (lambda v1: v1 * v1, (2.0,), "w1 = v1 × v1"),
        (lambda x: np.linalg.slogdet(x)[1], (A,), "v1 = slogdet(x)"),
        (lambda x: x, (2.0,), ""),
        (np.hypot, (3.0, 4.0), "v1 = hypot(x1, x2)"),
    ],
)
def test_operations_as_they_would_be_written(f: Callable[..., Any], args: Any, due: str) -> None:
    assert "; ".join(operations(f, *args)) == due


def test_a_derivative_inside_is_traced() -> None:
    made = dd.trace(lambda x: dd.derivative(lambda t: t**3)(x), 2.0)
    assert (made.rows[-1].value, made.rows[-1].tangent, made.rows[0].adjoint) == (12, (12,), 12)


def test_assignment_and_views() -> None:
    def f(x):  # type: ignore[no-untyped-def]
        y = np.zeros(3)
        y[0] = x * 2
        y[1:] = x**2
        part = y[1:]
        part[0] = 5.0
        y += 1
        return y.sum() + part[1]

    made = dd.trace(f, 3.0)
    assert [row.operation for row in made.rows[1:]] == [
        *["x × 2", "array[0] ← v1", "x^2", "v2[1:] ← v3", "v4[1:]", "v4 with v5[0] ← 5", "v6 + 1"],
        *["v6[...] ← v7", "sum(v8)", "part of v8", "v10[1]", "v9 + v11"],
    ]
    rows = by_name(made)
    np.testing.assert_array_equal(rows["v2"].value, [6, 0, 0])  # as it was before it was written to again
    np.testing.assert_array_equal(rows["v4"].tangent[0], [2, 6, 6])
    np.testing.assert_array_equal(rows["v6"].value, [6, 5, 9])
    np.testing.assert_array_equal(rows["v6"].tangent[0], [2, 0, 6])
    assert made.rows[-1].value == 7 + 6 + 10 + 10
    assert made.rows[-1].tangent == (2 + 2 * 6,)
    assert rows["x"].adjoint == 14
    chain_rule(made)


def test_the_users_arrays_stay_as_they_are() -> None:
    x = np.array([1.0, 2.0])

    def f(x):  # type: ignore[no-untyped-def]
        x[0] = 7.0
        return x * x

    made = dd.trace(f, x)
    assert x[0] == 1
    np.testing.assert_array_equal(made.rows[0].value, [1, 2])
    np.testing.assert_array_equal(made.rows[0].adjoint, [0, 4])


def test_steps_that_the_result_does_not_depend_on_are_left_out() -> None:
    assert operations(lambda x: (np.sin(x), x * 2)[1], 1.0) == ["v1 = x × 2"]


def test_a_constant_result_and_several() -> None:
    made = dd.trace(lambda x: 2.0, 1.0)
    assert made.rows[-1][:6] == ("y", "2", (), 2.0, (0.0,), 1.0)
    made = dd.trace(lambda x: {"a": x * 2, "b": np.ones(2), "c": x}, 1.0)
    assert made.results == {"y1": "v1", "y2": "y2", "y3": "x"}
    assert made.rows[0].adjoint == 2 + 1
    assert [made.label(row) for row in made.rows] == ["x = y3", "v1 = y1", "y2"]
    assert dd.trace(lambda: 3.0).rows[0].value == 3
    made = dd.trace(lambda x: (x * 1.5, 2.0 * np.ones(2)), 1.0, cotangent=(2.0, np.array([3.0, 4.0])))
    assert made.rows[0].adjoint == 3
    np.testing.assert_array_equal(made.rows[-1].adjoint, [3, 4])
    made = dd.trace(lambda none, x, p: x * p["a"], {}, 2.0, {"a": 3.0})
    assert [row.name for row in made.rows] == ["x", "p['a']", "v1"]


def test_named_tuples_and_dataclasses_and_names_of_results() -> None:
    from dataclasses import dataclass
    from typing import NamedTuple

    class P(NamedTuple):
        a: float
        b: Any

    @dataclass
    class Q:
        c: float
        d: P

    def loss(y, q):  # type: ignore[no-untyped-def]
        return y * q.c * q.d.a * q.d.b[0]

    made = dd.trace(loss, 1.0, Q(2.0, P(3.0, [4.0])))
    assert [row.name for row in made.rows[:5]] == ["y", "q.c", "q.d.a", "q.d.b", "v1"]
    assert made.results == {"loss": made.rows[-1].name}
    assert made.rows[0].adjoint == 24
    assert dd.trace(lambda y, f: y * f, 1.0, 2.0).results == {"result": "v1"}


def test_large_arrays_are_shown_by_shape_and_norm() -> None:
    x = np.full((100, 100), 0.03)
    made = dd.trace(lambda x: np.sum(np.exp(x) @ x), x)
    text = str(made)
    assert "(100×100) norm 3" in text and len(text) < 1500
    assert made.directions == () and all(row.tangent == () for row in made.rows)
    assert made.rows[1].local[0].shape == (100, 100)  # slopes
    assert made.rows[2].local == (None, None)
    assert "@ J" in text


def test_complex_numbers() -> None:
    made = dd.trace(lambda z: abs(z * z), 1 + 2j)
    rows = by_name(made)
    assert rows["v1"].local == (2 * (1 + 2j),)
    assert rows["z"].adjoint == pytest.approx(np.conj(2 + 4j) * rows["v1"].adjoint)
    assert dd.vjp(lambda z: abs(z * z), 1 + 2j)[1](1.0) == pytest.approx(rows["z"].adjoint)
    assert "v1: -0.6+0.8j × conj(2+4j)" in str(made)


def test_float32_stays() -> None:
    for row in dd.trace(lambda x: np.sum(x * 2) / 3, np.ones(2, np.float32)).rows:
        assert {np.asarray(x).dtype for x in (row.value, row.adjoint, *row.tangent, *row.local)} == {np.dtype("f4")}


def test_long_loops() -> None:
    def f(x):  # type: ignore[no-untyped-def]
        for _ in range(100):
            x = np.sin(x) + 0.5
        return x

    made = dd.trace(f, 1.0)
    assert len(made.rows) == 201
    assert made.rows[-1].tangent[0] == pytest.approx(dd.derivative(f)(1.0), rel=1e-12)
    assert made.rows[0].adjoint == pytest.approx(dd.derivative(f)(1.0), rel=1e-12)
    assert str(made).count("\n") == 2 * 201 + 4


# ---------------------------------------------------------------- seeds and cotangents


def test_seeds() -> None:
    f = lambda x, y: x * y[0]
    made = dd.trace(f, 2.0, [3.0, 4.0], seed=(1, [2, 0]))
    assert made.directions == ("tangent",) and made.rows[-1].tangent == (3 + 2 * 2,)
    made = dd.trace(f, 2.0, [3.0, 4.0], seed=([1, 0], [[0, 0], [1, 0]]))
    assert made.directions == ("tangent 1", "tangent 2") and made.rows[-1].tangent == (3, 2)
    assert dd.trace(f, 2.0, [3.0, 4.0]).directions == ("d/dx", "d/dy[0]", "d/dy[1]")
    assert dd.trace(lambda x: x.sum(), np.ones(5)).directions == ()
    made = dd.trace(lambda x: x.sum(), np.ones(5), seed=np.eye(5))
    assert made.rows[-1].tangent == (1,) * 5


def test_cotangents() -> None:
    made = dd.trace(lambda x: x * x, [1.0, 2.0], cotangent=[1, 10])
    np.testing.assert_array_equal(made.rows[0].adjoint, [2, 40])
    np.testing.assert_array_equal(dd.trace(lambda x: x * x, [1.0, 2.0]).rows[0].adjoint, [2, 4])  # of the sum
    made = dd.trace(lambda x: (x * 2, x * 3), 1.0, cotangent=(1.0, 10.0))
    assert made.rows[0].adjoint == 32


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: dd.trace(3.0, 1.0), "must be a function, not float; write trace(f, x)"),
        (lambda: dd.trace(lambda x: x, 1.0, seed=[1.0, 2.0, [3.0]]), "trace"),
        (lambda: dd.trace(lambda x: x, [1.0, 2.0], seed=[1.0]), "the seed has shape (1,), the argument (2,)"),
        (lambda: dd.trace(lambda x, y: x, 1.0, 2.0, seed=1.0), "a direction for each of the 2 arguments"),
        (lambda: dd.trace(lambda x, y: x, 1.0, 2.0, seed=([1, 0], 1)), "one leading axis more"),
        (lambda: dd.trace(lambda p: p["a"], {"a": 1.0}, seed={"b": 1.0}), "another structure than the argument"),
        (lambda: dd.trace(lambda x: x, 1.0, cotangent=[1.0, 2.0]), "the cotangent has shape (2,), f's result ()"),
        (lambda: dd.trace(lambda x: {"a": x}, 1.0, cotangent=1.0), "another structure than f's result"),
        (lambda: dd.derivative(lambda x: dd.trace(np.sin, x).rows[-1].value)(1.0), "trace plain numbers"),
        (lambda: dd.derivative(lambda a: dd.trace(lambda x: a * x, 1.0).rows[-1].value)(1.0), "trace plain numbers"),
        (lambda: dd.derivative(lambda a: dd.trace(lambda x: a, 1.0).rows[-1].value)(1.0), "trace plain numbers"),
        (lambda: dd.trace(lambda x: None, 1.0), "None (is a return missing?)"),
        (lambda: dd.trace(lambda x: x, 1.0, seed=1j), "the seed is complex but the argument is real"),
    ],
)
def test_mistakes(call: Callable[[], Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(text)):
        call()


def test_what_f_raises_comes_out_and_nothing_is_left_behind() -> None:
    def f(x):  # type: ignore[no-untyped-def]
        x[0] = x[1] * 2
        return np.tanh(x) @ x

    def fails(x):  # type: ignore[no-untyped-def]
        return f(x)[3]

    gc.collect()
    before = sum(type(o) is Recorded for o in gc.get_objects())
    gc.disable()
    try:
        made = dd.trace(f, [1.0, 2.0])
        assert sum(type(o) is Recorded for o in gc.get_objects()) == before
    finally:
        gc.enable()
    assert made.rows[-1].value == pytest.approx(4 * math.tanh(4) + 2 * math.tanh(2))
    with pytest.raises((TypeError, IndexError)):
        dd.trace(fails, [1.0, 2.0])
