"""One's own rules, in every mode: define_rule against the function without a rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.table import FUNCTIONS
from dualdiff.transforms.taylor import taylor
from tests.boxed import agree
from tests.transforms.blind import (
    M,
    Pair,
    X,
    Y,
    blind,
    both,
    cumulate,
    fused,
    gap,
    gap_back,
    leaves,
    mixed,
    product,
    rule,
    same,
    scalar,
)

COLUMN = np.array([[0.1], [0.4]])

CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = {
    "a partial": (rule(np.sin, partials=np.cos), np.sin, (X,)),
    "of a number": (rule(math.sin, partials=np.cos), np.sin, (0.7,)),
    "partials that broadcast": (
        rule(mixed, partials=(lambda x, y: np.exp(y), mixed)),
        mixed,
        (X, COLUMN),
    ),
    "constant partials": (rule(fused, partials=[2, lambda x, y, z: z, lambda x, y, z: y]), fused, (X, 1.5, COLUMN)),
    "a list as partial": (rule(lambda x: 3 * x, partials=lambda x: [3, 3, 3]), lambda x: 3 * x, (X,)),
    "an int as partial": (rule(lambda x: -x, partials=lambda x: -1), lambda x: -x, (X,)),
    "a jvp": (rule(cumulate, jvp=lambda p, t: np.cumsum(2 * p[0] * t[0])), cumulate, (X,)),
    "a vjp": (rule(gap, vjp=gap_back), gap, (X,)),
    "a jvp and a vjp": (
        rule(
            product,
            jvp=lambda p, t: p[0] @ t[1] + t[0] @ p[1],
            vjp=lambda p, ct: (ct[:, None] * p[1], p[0].T @ ct),
        ),
        product,
        (M, X),
    ),
    "several results": (
        rule(
            both,
            jvp=lambda p, t: (np.sum(p[0] * t[1] + p[1] * t[0]), 2 * p[0] * p[1] * t[0] + p[0] ** 2 * t[1]),
        ),
        both,
        (X, Y),
    ),
    "several results, backwards": (
        rule(
            both,
            vjp=lambda p, ct: (
                ct[0] * p[1] + 2 * p[0] * p[1] * ct[1],
                ct[0] * p[0] + p[0] ** 2 * ct[1],
            ),
        ),
        both,
        (X, Y),
    ),
    "a ufunc of Python": (
        dd.define_rule(np.frompyfunc(math.sin, 1, 1), partials=np.cos),
        np.sin,
        (X,),
    ),
    "a ufunc of three": (
        dd.define_rule(np.frompyfunc(fused, 3, 1), partials=(2, lambda x, y, z: z, lambda x, y, z: y)),
        fused,
        (X, Y, COLUMN),
    ),
    "a ufunc of two results": (
        dd.define_rule(
            np.frompyfunc(lambda x: (math.sin(x), x * x), 1, 2), jvp=lambda p, t: (np.cos(p[0]) * t[0], 2 * p[0] * t[0])
        ),
        lambda x: (np.sin(x), x * x),
        (X,),
    ),
}
OURS = {f: FUNCTIONS.pop(f) for f, *_ in CASES.values() if isinstance(f, np.ufunc)}


@pytest.fixture(autouse=True, scope="module")
def rules_of_ufuncs() -> Iterator[None]:
    """Other tests look at the whole table, which is left as it was."""
    before = dict(FUNCTIONS)
    FUNCTIONS.update(OURS)
    yield
    FUNCTIONS.clear()
    FUNCTIONS.update(before)


SMOOTH = {name: case for name, case in CASES.items() if name != "of a number"}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("options", [{}, {"chunk_size": 1}, {"chunk_size": 2}, {"mode": "reverse"}], ids=str)
def test_jacobian(name: str, options: dict[str, Any]) -> None:
    f, reference, args = CASES[name]
    argnums = tuple(range(len(args)))
    same(dd.jacobian(f, argnums, **options)(*args), dd.jacobian(reference, argnums)(*args))
    for k in argnums:  # the others do not move
        same(dd.jacobian(f, k, **options)(*args), dd.jacobian(reference, k)(*args))


@pytest.mark.parametrize("name", CASES)
def test_value_and_directional_derivative(name: str) -> None:
    f, reference, args = CASES[name]
    directions = tuple(np.cos(a) if np.ndim(a) else 0.3 for a in args)
    got, due = dd.jvp(f, args, directions), dd.jvp(reference, args, directions)
    same(got, due)
    if isinstance(due[0], tuple):
        assert type(got[0]) is type(due[0])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("modes", [("forward", "forward"), ("forward", "reverse"), ("reverse", "forward")], ids=str)
def test_second_derivatives(name: str, modes: tuple[str, str]) -> None:
    f, reference, args = CASES[name]
    outer, inner = modes
    for k in range(len(args)):
        for j in range(len(args)):
            got = dd.jacobian(dd.gradient(scalar(f), k, mode=inner), j, mode=outer)(*args)
            same(got, dd.jacobian(dd.gradient(scalar(reference), k), j)(*args))


@pytest.mark.parametrize("name", CASES)
def test_sparse_jacobians(name: str) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    f, reference, args = CASES[name]
    if np.ndim(args[0]) == 1 and not isinstance(f(*args), tuple):
        got = dd.jacobian(lambda x: f(x, *args[1:])[..., :2].ravel(), sparse=True)(args[0])
        assert sparse.issparse(got)
        same(got.toarray(), dd.jacobian(lambda x: reference(x, *args[1:])[..., :2].ravel())(args[0]))


def test_an_elementwise_rule_stays_sparse() -> None:
    pytest.importorskip("scipy")
    f, n = rule(np.tanh, partials=lambda x: 1 - np.tanh(x) ** 2), 100_000
    got = dd.jacobian(lambda x: f(x[1:] - x[:-1]), sparse=True)(np.zeros(n))
    assert got.shape == (n - 1, n)
    assert got.nnz == 2 * (n - 1)


@pytest.mark.parametrize("name", SMOOTH)
def test_tangents_are_touched_by_the_maps_alone(name: str) -> None:
    f, _, args = SMOOTH[name]
    arrays = [np.asarray(a) for a in args]
    agree(f, arrays, [np.cos(a) for a in arrays])


@pytest.mark.parametrize("name", ["a partial", "constant partials", "a jvp", "a jvp and a vjp", "several results"])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_float32_stays(name: str, mode: str) -> None:
    f, reference, args = CASES[name]
    narrow = tuple(np.float32(a) if np.ndim(a) else a for a in args)
    got = dd.jacobian(f, mode=mode)(*narrow)
    assert all(j.dtype == np.float32 for j in leaves(got))
    same(got, dd.jacobian(reference)(*args), 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_plain_numbers_pass_to_the_function(name: str) -> None:
    f, reference, args = CASES[name]
    for a, b in zip(leaves(f(*args)), leaves(reference(*args))):
        np.testing.assert_allclose(np.asarray(a, float), b, rtol=1e-15)


@pytest.mark.parametrize("method", ["forward", "central", "three_point", "complex_step"])
@pytest.mark.parametrize("name", ["of a number", "a partial", "a jvp and a vjp", "several results", "a ufunc of three"])
def test_numerical(name: str, method: str) -> None:
    _, reference, args = CASES[name]
    function = np.frompyfunc(fused, 3, 1) if "ufunc" in name else blind(reference)
    f, argnums, rtol = dd.define_rule(function, numerical=method), tuple(range(len(args))), 1e-12
    rtol = {"forward": 1e-6, "complex_step": 1e-14}.get(method, 1e-8)
    due = dd.jacobian(reference, argnums)(*args)
    for options in ({}, {"chunk_size": 1}, {"mode": "reverse"}):
        same(dd.jacobian(f, argnums, **options)(*args), due, rtol)  # type: ignore[arg-type]
    with pytest.raises(dd.NotDifferentiableError, match="second derivative"):
        dd.jacobian(dd.jacobian(f))(*args)


@pytest.mark.parametrize("x", [0.0, 2.0, np.zeros(2), np.array([1e-20, 0.0, 1e20])])
def test_a_complex_step_of_what_drops_imaginary_parts_is_refused(x: Any) -> None:
    """At 0 too, where a step in proportion to x would be none."""
    f = rule(lambda x: x + 2 * np.real(x), numerical="complex_step")
    with pytest.raises(ValueError, match="drops imaginary parts"):
        dd.jacobian(f)(x)


def test_numerical_derivatives_of_large_and_small_numbers() -> None:
    f = rule(lambda x: x**2, numerical="central")
    x = np.array([1e8, 1.0, 1e-3])
    np.testing.assert_allclose(dd.jacobian(f)(x), np.diag(2 * x), rtol=1e-6, atol=1e-9)
    narrow = dd.jacobian(rule(lambda x: np.float64(x) ** 2, numerical="central"))(np.float32([1.5, 2.0]))
    np.testing.assert_allclose(narrow, np.diag([3.0, 4.0]), rtol=1e-4)
    calls: list[Any] = []
    counted = rule(lambda x: calls.append(x) or np.sum(x), numerical="central")
    dd.jvp(counted, (np.ones(1000),), (np.ones(1000),))
    assert len(calls) < 5


def test_numbers_of_dtype_and_kind() -> None:
    square = rule(lambda x: x * x, partials=lambda x: 2 * x)
    assert type(dd.derivative(square)(3)) is float
    assert type(square(3)) is int
    assert type(square(np.float32(3))) is np.float32
    assert dd.derivative(rule(lambda x: 3, partials=0))(2.0) == 0.0
    assert dd.derivative(rule(lambda x: int(x), partials=lambda x: 0.5))(2.0) == 0.5
    assert dd.gradient(rule(lambda x: np.sum(x), jvp=lambda p, t: np.sum(t[0])))(np.zeros(0)).shape == (0,)
    assert dd.jacobian(rule(lambda x: x * 1, jvp=lambda p, t: t[0]))(np.zeros(0)).shape == (0, 0)


def test_a_direction_that_does_not_move_contributes_nothing() -> None:
    root = rule(np.sqrt, partials=lambda x: 0.5 / np.sqrt(x))
    linearised = rule(np.sqrt, jvp=lambda p, t: 0.5 / np.sqrt(p[0]) * t[0] if t[0].all() else 0 * t[0])
    for f in (root, linearised):
        for options in ({}, {"chunk_size": 1}, {"mode": "reverse"}):
            x = np.array([0.0, 4.0]) if f is root else np.array([1.0, 4.0])
            due = [[np.inf, 0], [0, 0.25]] if f is root else np.zeros((2, 2))
            np.testing.assert_array_equal(dd.jacobian(f, **options)(x), due)  # type: ignore[arg-type]


def test_complex_numbers() -> None:
    """|z|^2 and a z + conj(z) b are linear over the reals only; z^2 has a complex slope."""
    z, v = np.array([1 + 2j, 0.5 - 1j]), np.array([0.3 - 1j, 2 + 0.1j])
    energy = rule(lambda z: np.sum(np.abs(z) ** 2), jvp=lambda p, t: 2 * np.real(np.sum(np.conj(p[0]) * t[0])))
    fold = rule(
        lambda z, x: (np.conj(z) * x, np.real(z) * x),
        jvp=lambda p, t: (np.conj(t[0]) * p[1] + np.conj(p[0]) * t[1], np.real(t[0]) * p[1] + np.real(p[0]) * t[1]),
    )
    back = rule(lambda z, x: np.conj(z) * x, vjp=lambda p, ct: (np.conj(ct) * p[1], np.real(p[0] * ct)))
    square = rule(lambda z: z * z, partials=lambda z: 2 * z)
    plain = [
        (energy, lambda z: np.sum(np.abs(z) ** 2), (z,)),
        (fold, lambda z, x: (np.conj(z) * x, np.real(z) * x), (z, X[:2])),
        (back, lambda z, x: np.conj(z) * x, (z, X[:2])),
        (square, lambda z: z * z, (z,)),
    ]
    for f, reference, args in plain:
        directions = (v, Y[:2])[: len(args)]
        same(dd.jvp(f, args, directions), dd.jvp(reference, args, directions))
        value, pullback = dd.vjp(f, *args)
        cts = [np.exp(1j * np.ones_like(y)) if np.iscomplexobj(y) else np.ones_like(y) * 1.0 for y in leaves(value)]
        back_again = pullback(tuple(cts) if isinstance(value, tuple) else cts[0])
        moved = leaves(dd.jvp(reference, args, directions)[1])  # and <ct, J v> = <J* ct, v>
        due = sum(np.sum(np.real(np.conj(ct) * t)) for ct, t in zip(cts, moved))
        got = sum(np.sum(np.real(np.conj(a) * b)) for a, b in zip(leaves(back_again), directions))
        assert got == pytest.approx(due)
    same(dd.jacobian(square)(z), np.diag(2 * z))
    same(dd.gradient(energy)(np.real(z)), 2 * np.real(z))


def test_constants_and_keywords() -> None:
    power = rule(
        lambda x, n, scale=1.0: scale * x**n,
        constants=1,
        partials=(lambda x, n, scale=1.0: scale * n * x ** (n - 1), None),
    )
    assert dd.derivative(power)(2.0, 3, scale=2.0) == 24.0
    assert dd.derivative(power, order=2)(2.0, 3) == 12.0
    seen: list[Any] = []
    named = rule(lambda x, kind, w, table: x * w[0], jvp=lambda p, t: seen.append(t) or t[0] * p[2][0])
    assert dd.derivative(named)(2.0, "linear", [3.0, 4.0], {"a": 1}) == 3.0
    assert seen[0][:2] == (1.0, None)
    np.testing.assert_array_equal(seen[0][2], [0.0, 0.0])
    assert seen[0][3] is None
    with pytest.raises(dd.NotDifferentiableError, match=r"argument 1 of .* is a constant.*test_custom.py"):
        dd.derivative(lambda n: power(2.0, n))(3.0)
    for hide in (lambda x: [x], lambda x: {"a": x}, lambda x: Pair(x, x), lambda x: np.array([x])):
        with pytest.raises(dd.NotDifferentiableError, match="keyword scale= of"):
            dd.derivative(lambda x, hide=hide: power(x, 3, scale=hide(x)))(3.0)


def test_lists_of_numbers_are_arrays() -> None:
    norm = rule(lambda x: float(np.sum(np.square(x))), jvp=lambda p, t: 2 * np.sum(p[0] * t[0]))
    for mode in ("forward", "reverse"):
        got = dd.gradient(lambda x: norm([x[0], 3.0, x[1] * x[1]]), mode=mode)(np.array([1.0, 2.0]))
        np.testing.assert_allclose(got, [2.0, 32.0])
    with pytest.raises(TypeError, match="argument 0 of"):
        dd.derivative(lambda x: norm({"a": x}))(1.0)


def test_the_users_arrays_are_left_alone() -> None:
    held = np.array([5.0, 7.0])

    def writes(x: Any) -> Any:
        x[0] = 100.0
        return x * 2.0

    f = rule(writes, partials=lambda x: held)
    x = np.array([1.0, 2.0])
    value, jacobian = dd.value_and_jacobian(lambda x: (f(x), x * 1))(x)
    np.testing.assert_array_equal(value[0], [200.0, 4.0])
    np.testing.assert_array_equal(value[1], [1.0, 2.0])
    np.testing.assert_array_equal(jacobian[0], np.diag(held))
    np.testing.assert_array_equal(held, [5.0, 7.0])

    cached = rule(lambda x: held, jvp=lambda p, t: held)  # both hand out memory of their own
    value, tangent = dd.jvp(cached, (x,), (x,))
    value += 1
    tangent += 1
    np.testing.assert_array_equal(held, [5.0, 7.0])


def test_what_is_overwritten_later_is_kept() -> None:
    """sum of x^2 weights^k for k = 1, 2, with weights and the slope in buffers that are used again."""
    slope = np.zeros(3)

    def partial(x: Any, w: Any) -> Any:
        slope[:] = 2 * x * w
        return slope

    by_partial = rule(lambda x, w: x * x * w, partials=(partial, None))
    by_jvp = rule(lambda x, w: x * x * w, jvp=lambda p, t: 2 * p[0] * p[1] * t[0])
    for f in (by_partial, by_jvp):

        def total(x: Any, f: Any = f) -> Any:
            w = np.array([1.0, 2.0, 3.0])
            first = f(x, w)
            w *= w
            return np.sum(first + f(x, w))

        for mode in ("forward", "reverse"):
            np.testing.assert_allclose(dd.gradient(total, mode=mode)(X), 2 * X * [2.0, 6.0, 12.0])


@pytest.mark.parametrize("name", CASES)
def test_taylor_coefficients(name: str) -> None:
    f, reference, args = CASES[name]
    line = lambda f: lambda t: f(*[a + t * np.cos(a) for a in args])
    same(taylor(line(f), 0.3, 4), taylor(line(reference), 0.3, 4))


def test_a_wrong_rule_is_caught_in_one_line() -> None:
    wrong = {
        "a factor": rule(np.square, partials=lambda x: x),
        "a sign": rule(np.square, jvp=lambda p, t: -2 * p[0] * t[0]),
        "the transpose": rule(lambda x: M @ x, jvp=lambda p, t: M @ t[0], vjp=lambda p, ct: M.T @ ct[::-1]),
    }
    for name, f in wrong.items():
        total = lambda x, f=f: np.sum(f(x) * np.arange(1.0, 1 + len(f(x))))
        mode = "reverse" if name == "the transpose" else "forward"
        assert not dd.numerical.check_gradient(total, dd.gradient(total, mode=mode), X)
    right = CASES["a jvp and a vjp"][0]
    assert dd.numerical.check_jacobian(lambda x: right(M, x), dd.jacobian(lambda x: right(M, x), mode="reverse"), X)
