"""One's own rules, in every mode: define_rule against the function without a rule, define_root against closed forms."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.table import FUNCTIONS, REFUSED
from dualdiff.transforms.taylor import taylor
from tests.boxed import agree


class Pair(NamedTuple):
    total: Any
    parts: Any


def blind(f: Callable[..., Any]) -> Callable[..., Any]:
    """f as a library of C would be: it knows nothing of numbers with tangents."""

    def call(*args: Any, **kwargs: Any) -> Any:
        assert not any(isinstance(a, dd.Dual) for a in args)
        return f(*args, **kwargs)

    return call


def rule(f: Callable[..., Any], **how: Any) -> Callable[..., Any]:
    return dd.define_rule(blind(f), **how)  # type: ignore[no-any-return]


def cumulate(x: Any) -> Any:
    return np.cumsum(x * x)


def mixed(x: Any, y: Any) -> Any:
    return x * np.exp(y)


def fused(x: Any, y: Any, z: Any) -> Any:
    return 2 * x + y * z


def both(x: Any, y: Any) -> Any:
    return Pair(np.sum(x * y), x * x * y)


def product(a: Any, x: Any) -> Any:
    return a @ x


def gap(x: Any) -> Any:
    return x[:-1] * x[1:]


def gap_back(primals: Any, ct: Any) -> Any:
    (x,) = primals
    return np.concatenate([x[1:] * ct, [0.0]]) + np.concatenate([[0.0], x[:-1] * ct])


X, Y, M = np.array([0.5, -1.0, 2.0]), np.array([0.3, 1.2, -0.7]), np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])
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


def leaves(tree: Any) -> list[Any]:
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, tuple) else [tree]


def same(got: Any, due: Any, rtol: float = 1e-12) -> None:
    for a, b in zip(leaves(got), leaves(due), strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


def scalar(f: Callable[..., Any]) -> Callable[..., Any]:
    """Some scalar function made of f, in which arguments and results are changed on the way."""
    return lambda *args: sum(np.sum(np.sin(y)) for y in leaves(f(*[2 * a for a in args])))


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


# ---------------------------------------------------------------- roots


def circle(x: Any, p: Any, q: Any) -> Any:
    return [x[0] ** 2 + x[1] ** 2 - p**2, x[0] - q * x[1]]


def circle_root(p: Any, q: Any) -> Any:
    """(q, 1) p / sqrt(1 + q^2)"""
    return np.stack([q * p, p]) / np.sqrt(1 + q * q)


def solve_circle(p: float, q: float) -> Any:
    from scipy.optimize import root

    return root(lambda x: circle(x, p, q), [1.0, 1.0], tol=1e-13).x


def cubic(x: Any, p: Any) -> Any:
    return x**3 + x - p


def solve_cubic(p: float) -> float:
    from scipy.optimize import brentq

    return brentq(lambda x: cubic(x, p), -10, 10, xtol=1e-14)  # type: ignore[no-any-return]


def solve_all(p: Any) -> Any:
    from scipy.optimize import newton

    return newton(cubic, np.ones_like(p), args=(p,), tol=1e-14)


def closed(p: Any) -> Any:
    """Cardano's root of x^3 + x = p."""
    d = np.sqrt(p * p / 4 + 1 / 27)
    return np.cbrt(p / 2 + d) + np.cbrt(p / 2 - d)


ROOTS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "a number": (dd.define_root(cubic, solve_cubic), closed, (2.0,)),
    "each element": (dd.define_root(cubic, solve_all), closed, (np.array([1.0, 2.0, 5.0]),)),
    "a system": (dd.define_root(circle, solve_circle), circle_root, (2.0, 0.75)),
    "linear equations": (
        dd.define_root(lambda x, a, b: a @ x - b, blind(np.linalg.solve)),
        np.linalg.solve,
        (np.array([[2.0, 1.0], [0.5, 3.0]]), np.array([[1.0, 0.0], [2.0, 1.0]])),
    ),
}


@pytest.mark.parametrize("name", ROOTS)
def test_roots(name: str) -> None:
    pytest.importorskip("scipy")
    f, reference, args = ROOTS[name]
    argnums = tuple(range(len(args)))
    same(f(*args), reference(*args), 1e-8)
    due = dd.jacobian(reference, argnums)(*args)
    for options in ({}, {"chunk_size": 1}, {"mode": "reverse"}):
        value, got = dd.value_and_jacobian(f, argnums, **options)(*args)  # type: ignore[arg-type]
        same(got, due, 1e-8)
        same(value, f(*args), 0)  # what the solver found, to the last bit
    for k in argnums:
        same(dd.jacobian(f, k)(*args), due[k], 1e-8)


@pytest.mark.parametrize("name", ROOTS)
@pytest.mark.parametrize("modes", [("forward", "forward"), ("forward", "reverse"), ("reverse", "forward")], ids=str)
def test_second_derivatives_of_roots(name: str, modes: tuple[str, str]) -> None:
    pytest.importorskip("scipy")
    f, reference, args = ROOTS[name]
    outer, inner = modes
    for k in range(len(args)):
        for j in range(len(args)):
            got = dd.jacobian(dd.gradient(scalar(f), k, mode=inner), j, mode=outer)(*args)
            same(got, dd.jacobian(dd.gradient(scalar(reference), k), j)(*args), 1e-7)


@pytest.mark.parametrize("name", CASES)
def test_taylor_coefficients(name: str) -> None:
    f, reference, args = CASES[name]
    line = lambda f: lambda t: f(*[a + t * np.cos(a) for a in args])
    same(taylor(line(f), 0.3, 4), taylor(line(reference), 0.3, 4))


@pytest.mark.parametrize("name", ROOTS)
def test_taylor_coefficients_and_maps_of_roots(name: str) -> None:
    pytest.importorskip("scipy")
    f, reference, args = ROOTS[name]
    line = lambda f: lambda t: f(*[a + t * np.cos(a) for a in args])
    same(taylor(line(f), 0.3, 3), taylor(line(reference), 0.3, 3), 1e-7)
    if name == "linear equations":
        agree(f, list(args), [np.cos(a) for a in args])


def test_third_derivative_of_a_root() -> None:
    """x^3 + x = p: x' = 1 / (3 x^2 + 1), x'' = -6 x x'^3, x''' = -6 x'^4 + 108 x^2 x'^5; at p = 2 x = 1."""
    pytest.importorskip("scipy")
    f = ROOTS["a number"][0]
    assert dd.derivative(f, order=3)(2.0) == pytest.approx(-6 / 4**4 + 108 / 4**5, rel=1e-9)


def test_containers_guesses_and_constants() -> None:
    """x = sqrt(a b); the guess is the solver's own."""

    @dd.define_root(lambda x, p, kind: x * x - p["a"] * p["b"][0])
    def geometric_mean(p: Any, kind: str, guess: float = 1.0) -> float:
        assert isinstance(p["a"], float)
        x = guess
        for _ in range(50):
            x = (x + p["a"] * p["b"][0] / x) / 2
        return x

    p = {"a": 2.0, "b": [8.0, 5.0]}
    assert geometric_mean.__name__ == "geometric_mean"
    assert geometric_mean(p, "newton") == pytest.approx(4.0)
    for mode in ("forward", "reverse"):
        got = dd.gradient(geometric_mean, mode=mode)(p, "newton", guess=3.0)
        assert got["a"] == pytest.approx(1.0)
        np.testing.assert_allclose(got["b"], [0.25, 0.0])
    assert dd.derivative(lambda a: geometric_mean({"a": a, "b": [8.0]}, "newton"))(2.0) == pytest.approx(1.0)
    assert dd.derivative(lambda b: geometric_mean({"a": 2.0, "b": [b]}, "newton"))(8.0) == pytest.approx(0.25)
    with pytest.raises(dd.NotDifferentiableError, match="of a guess pass"):
        dd.derivative(lambda a: geometric_mean({"a": a, "b": [8.0]}, "newton", guess=a))(2.0)


def test_minimisers_and_fixed_points() -> None:
    """Of (x - p)^2 + exp(x): x' = 2 / (2 + exp(x)); of x = cos(p x): x' = -x sin(p x) / (1 + p sin(p x))."""
    optimize = pytest.importorskip("scipy.optimize")
    objective = lambda x, p: np.sum((x - p) ** 2 + np.exp(x))
    argmin = dd.define_root(
        lambda x, p: dd.gradient(objective)(x, p),
        lambda p: optimize.minimize(objective, p, args=(p,), jac=dd.gradient(objective), tol=1e-10).x,
    )
    p = np.array([1.0, 2.0])
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(dd.jacobian(argmin, mode=mode)(p), np.diag(2 / (2 + np.exp(argmin(p)))), rtol=1e-6)
    fixed = dd.define_root(lambda x, p: np.cos(p * x) - x, lambda p: optimize.fixed_point(lambda x: np.cos(p * x), 0.7))
    x = float(fixed(0.9))
    s = math.sin(0.9 * x)
    assert dd.derivative(fixed)(0.9) == pytest.approx(-x * s / (1 + 0.9 * s), rel=1e-7)


def test_equations_that_fill_buffers_and_complex_roots() -> None:
    def equation(x: Any, p: Any) -> Any:
        g = np.zeros(2)
        g[0], g[1] = x[0] - p * p, x[1] - x[0] * p
        return g

    f = dd.define_root(equation, lambda p: np.array([p * p, p**3]))
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(dd.jacobian(f, mode=mode)(2.0), [4.0, 12.0])
    np.testing.assert_allclose(dd.derivative(dd.derivative(f))(2.0), [2.0, 12.0])
    imaginary = dd.define_root(lambda z, p: z * z + p, lambda p: 1j * np.sqrt(p))
    assert dd.derivative(imaginary)(4.0) == pytest.approx(0.25j)
    narrow = dd.define_root(lambda x, p: x * x - p, np.sqrt)
    got = dd.jacobian(narrow)(np.float32([4.0, 9.0]))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.diag([1 / 4, 1 / 6]), rtol=1e-6)
    unmoved = dd.define_root(lambda x, p: x - 3.0, lambda p: 3.0)
    assert dd.derivative(unmoved)(1.0) == 0.0


def wrong_root(x: Any) -> Any:
    return dd.derivative(dd.define_root(cubic, lambda p: x))(2.0)


def scaled(x: Any, p: Any) -> Any:
    return np.array([1e-12, 1e9]) * (np.array([x[0] * 1e8, x[1] * 1e-9 + x[0] * 1e8]) - p)


def by_closure(p: Any) -> Any:
    return dd.define_root(lambda x, q: x - p * q, lambda q: dd.value(p) * q)(p)


ROOT_ERRORS: list[tuple[str, Callable[[], Any], type[Exception], str]] = [
    ("no root", lambda: wrong_root(1.01), ValueError, "no root of the equation, from which a Newton step of 0.0099"),
    ("nan", lambda: wrong_root(math.nan), ValueError, "which is no root"),
    ("none", lambda: wrong_root(None), TypeError, "the root of .* is None"),
    ("pair", lambda: wrong_root((1.0, {})), TypeError, "must return the root itself, not tuple"),
    ("size", lambda: dd.derivative(dd.define_root(lambda x, p: p, lambda p: np.ones(2)))(1.0), ValueError, "2, in one"),
    (
        "fold",
        lambda: dd.derivative(dd.define_root(lambda x, p: x * x - p, lambda p: 0.0))(0.0),
        np.linalg.LinAlgError,
        "singular",
    ),
    (
        "dependent",
        lambda: dd.derivative(
            dd.define_root(
                lambda x, p: np.array([[0.1, 0.3], [0.2, 0.6]]) @ x - p * np.array([1.0, 2.0]),
                lambda p: np.array([10 * p, 0.0]),
            )
        )(1.0),
        np.linalg.LinAlgError,
        "singular",
    ),
    ("closure", lambda: dd.derivative(by_closure)(2.0), dd.NotDifferentiableError, "from a number that is no argument"),
    (
        "outer closure",
        lambda: dd.derivative(
            lambda p: dd.derivative(dd.define_root(lambda x, q: x - p * q, lambda q: dd.value(p) * q))(1.0)
        )(2.0),
        dd.NotDifferentiableError,
        "from a number that is no argument",
    ),
    ("no function", lambda: dd.define_root(3.0), TypeError, "a function is needed"),  # type: ignore[arg-type]
    ("keyword", lambda: dd.derivative(lambda p: ROOTS["a number"][0](p=p))(1.0), TypeError, "by position"),
]


@pytest.mark.parametrize("act, kind, text", [e[1:] for e in ROOT_ERRORS], ids=[e[0] for e in ROOT_ERRORS])
def test_errors_of_roots(act: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


def test_units_do_not_make_a_system_singular_and_tol_is_the_users() -> None:
    f = dd.define_root(scaled, lambda p: np.array([p * 1e-8, 0.0]))
    units = np.array([1e-8, 1e9])  # of x[0] and x[1]
    np.testing.assert_allclose(dd.jacobian(f)(1.0) / units, [1.0, 0.0], atol=1e-15)
    a, b = np.array([[2.0, 1e20], [1.0, 1.0]]), np.array([1e20, 2.0])  # a @ [1, 1] is b; eliminated as it is, [0, 1]
    f = dd.define_root(lambda x, p: a @ x - b * p, lambda p: np.array([p, p]))
    g = dd.define_root(lambda x, p: a.T @ x - p, lambda p: np.array([p[1] * 1e-20, p[0]]))
    np.testing.assert_allclose(dd.derivative(f)(0.0), [1.0, 1.0])
    np.testing.assert_allclose(dd.gradient(lambda p: b @ g(p), mode="reverse")(np.zeros(2)), [1.0, 1.0])
    rough = dd.define_root(cubic, lambda p: 1.01, tol=0.1)
    assert dd.derivative(rough)(2.0) == pytest.approx(1 / (3 * 1.01**2 + 1))


def test_a_library_that_answers_with_its_result_object() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    f = dd.define_root(cubic, lambda p: optimize.root(cubic, 1.0, args=(p,)))
    with pytest.raises(TypeError, match=r"not OptimizeResult: \.x or \.root of it"):
        dd.derivative(f)(2.0)
