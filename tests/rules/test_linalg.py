"""Linear algebra: values are NumPy's, tangents those of differences, for real and complex matrices and stacks of them.

A case is an expression; it is differentiated by all arrays that it names. Eigenvectors and the like are compared up to
their signs, which `signed` fixes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff import Dual, NotDifferentiableError
from dualdiff.core.table import FUNCTIONS, PLAIN, REFUSED
from dualdiff.rules import matrix
from tests.cases.linalg import CASES, Case, L, h, variables

nan, inf = np.nan, np.inf


each = pytest.mark.parametrize("source, stack", CASES)


def difference(f: Callable[..., Any], x: list[Any], v: list[Any], step: float = 5e-4) -> Any:
    """The derivative of f along v by central differences of fourth order."""

    def at(t: float) -> Any:
        return np.asarray(f(*[a + t * step * b for a, b in zip(x, v)]))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def close(got: Any, due: Any, tolerance: float) -> None:
    np.testing.assert_allclose(got, due, rtol=tolerance, atol=tolerance * max(1, np.abs(due).max(initial=0)))


@each
@pytest.mark.parametrize("dtype", [float, complex])
def test_value_tangent_directions_and_second_order(source: str, stack: tuple[int, ...], dtype: Any) -> None:
    f = Case(source, stack, dtype)
    value, tangent = dd.jvp(f, f.arrays, f.v)
    due = f(*f.arrays)
    due = due.real if "cond" in source else due  # NumPy 2.0 makes some complex
    close(value, due, 1e-13)
    assert np.asarray(value).dtype == np.asarray(tangent).dtype == np.asarray(due).dtype
    close(tangent, difference(f, f.arrays, f.v), 3e-8)
    # many directions at once: each is what it is alone, and where nothing moves nothing changes
    many = f(*[Dual(x, np.stack([v, 0 * v, w])) for x, v, w in zip(f.arrays, f.v, f.w)])
    close(many.tangent, np.stack([tangent, 0 * tangent, dd.jvp(f, f.arrays, f.w)[1]]), 1e-10)

    def first(*arrays: Any) -> Any:
        return dd.jvp(f, arrays, f.v)[1]

    close(dd.jvp(first, f.arrays, f.w)[1], difference(first, f.arrays, f.w), 1e-6)


@each
def test_float32_stays(source: str, stack: tuple[int, ...]) -> None:
    f, exact = Case(source, stack, np.float32), Case(source, stack)
    value, tangent = dd.jvp(f, f.arrays, f.v)
    assert np.asarray(value).dtype == np.asarray(tangent).dtype == np.asarray(f(*f.arrays)).dtype
    close(tangent, dd.jvp(exact, exact.arrays, exact.v)[1], 0.02)


@pytest.mark.parametrize(
    "source", ["L.det(A)", "L.solve(A, v)", "signed(L.eigh(H)[1])", "L.norm(T, 2)", "L.lstsq(T, b)[0]"]
)
@pytest.mark.parametrize("chunk_size", [None, 1, 3])
def test_jacobian(source: str, chunk_size: int | None) -> None:
    f = Case(source)
    parts = dd.jacobian(f, tuple(range(len(f.arrays))), chunk_size=chunk_size)(*f.arrays)
    along = sum(np.tensordot(j, v, v.ndim) for j, v in zip(parts, f.v))
    close(along, dd.jvp(f, f.arrays, f.v)[1], 1e-12)


@pytest.mark.parametrize("dtype", [float, complex])
def test_transposes(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """<w, J v> = <Jᵀ w, v> with the real inner product, for all linear maps of the rules, directions or not."""
    maps = []

    def linear(t: Any, shape: Any, function: Any, transpose: Any) -> Any:
        maps.append((shape, np.iscomplexobj(t), function, transpose))
        return function(t)

    monkeypatch.setattr(matrix, "linear", linear)
    rng = np.random.default_rng(3)
    for source, stack in CASES:
        f = Case(source, stack, dtype)
        dd.jvp(f, f.arrays, f.v)
    f = Case("L.solve(A, B)", (), complex)
    dd.jvp(lambda b: f(f.arrays[0], b), (f.arrays[1].real,), (f.v[1].real,))  # a real tangent gives a complex one
    assert len(maps) > 10
    for shape, is_complex, function, transpose in maps:
        for many in [(), (3,)]:
            v = rng.normal(size=many + shape) + (1j * rng.normal(size=many + shape) if is_complex else 0)
            jv = function(v)
            w = rng.normal(size=jv.shape) + (1j * rng.normal(size=jv.shape) if np.iscomplexobj(jv) else 0)
            back = transpose(w)
            assert np.shape(back) == v.shape
            assert np.iscomplexobj(back) <= is_complex
            axes = tuple(range(-len(shape), 0))
            close((np.conj(w) * jv).real.sum(axes), (np.conj(back) * v).real.sum(axes), 1e-12)


# ---------------------------------------------------------------- edges: (expression, point, Jacobian or exception)

I2, I3 = np.eye(2), np.eye(3)
EDGES = [
    ("L.norm(x)", [3e200, 4e200], [0.6, 0.8]),
    ("L.norm(x)", [3e-200, 4e-200], [0.6, 0.8]),
    ("L.norm(x, 3)", [1e150, 1e150], [2 ** (-2 / 3)] * 2),
    ("L.norm(x, 3)", [0, 0], [0, 0]),
    ("L.norm(x, 3)", [0, 2], [0, 1]),
    ("L.norm(x, 0.5)", [0, 2], [0, 1]),
    ("L.norm(x, 0)", [0, 2], [0, 0]),
    ("L.norm(x, -np.inf)", [-1, 1, 3], [-0.5, 0.5, 0]),
    ("L.norm(x, np.inf)", [0, 0], [0, 0]),
    ("L.norm(x, np.inf)", [[1, -1], [0, 2]], [[0.5, -0.5], [0, 0.5]]),
    ("L.norm(x, 1)", [[1, -1], [2, 2]], [[0.5, -0.5], [0.5, 0.5]]),
    ("L.norm(x, 2)", I2, I2 / 2),
    ("L.norm(x[0])", [-3, 1], [-1, 0]),
    ("L.det(x)", [[0, 1], [0, 0]], [[0, 0], [-1, 0]]),
    ("L.det(x)", [[0]], [[1]]),
    ("L.det(x)", np.zeros((3, 3)), np.zeros((3, 3))),
    ("L.det(x)", 1e200 * I2, 1e200 * I2),
    ("L.det(x)", 1e-200 * I2, 1e-200 * I2),
    ("L.det(x)", [[nan, 0], [0, 1]], np.full((2, 2), nan)),
    (
        "L.det(x)",
        np.stack([I2, 0 * I2, [[1, 2], [2, 4]]]),
        np.eye(3)[..., None, None] * [I2, 0 * I2, [[4, -2], [-2, 1]]],
    ),
    ("L.slogdet(x)[1]", [[1, 2], [2, 4]], np.full((2, 2), nan)),
    ("L.slogdet(x)[1]", 1e-300 * I3, 1e300 * I3),
    ("L.cholesky(x)[1, 0]", [[4, 2], [2, 5]], [[-0.125, 0], [0.5, 0]]),  # the upper triangle is not read
    ("L.eigvalsh(x, 'U')[0]", [[1, 0], [0, 2]], [[1, 0], [0, 0]]),
    ("L.eigh(x)[1][2]", np.diag([1.0, 1, 3]), lambda j: np.isnan(j[:2, 2, :2]).any() and not np.isnan(j[2]).any()),
    ("L.eigh(np.array([[2., 1, 1], [1, 2, 1], [1, 1, 2]]) * x)[1][0, 0]", 1.0, lambda j: np.isnan(j) or j == 0),
    ("np.sum(L.eigvals(x))", I3, I3),
    ("np.sum(L.eig(x)[0])", 2 * I2, I2),
    ("L.eigvals(x)", [[1, 1], [0, 1]], lambda j: np.isnan(j[:, 1, 0]).all()),
    ("L.eigvals(x)", [[2, 1], [-1, 4]], lambda j: np.isnan(j).all()),
    ("L.eig(x)[1]", I2, lambda j: np.isnan(j[:, :, 0, 1]).any()),
    ("np.sum(L.svdvals(x))", np.zeros((3, 2)), np.zeros((3, 2))),
    ("np.sum(L.svdvals(x))", [[3, 0], [0, -3], [0, 0]], [[1, 0], [0, -1], [0, 0]]),
    ("L.svd(x)[0][:, 3]", np.eye(5, 3) * [1, 2, 3], lambda j: np.isnan(j).any()),
    ("np.outer(*[L.svd(x)[2][-1]] * 2)[2, 0]", [[1, 0, 0], [0, 2, 0]], [[0, 0, -1], [0, 0, 0]]),  # the null vector
    ("(lambda u, s, v: u * s @ v)(*L.svd(x))[1, 1]", [[1, 0], [0, 0]], lambda j: np.isnan(j[1, 1])),
    ("L.pinv(x)", np.zeros((2, 3)), np.zeros((3, 2, 2, 3))),
    ("L.qr(x)[1]", [[1, 2], [2, 4]], lambda j: np.isnan(j).any()),
    ("L.cond(x)", np.zeros((2, 2)), np.full((2, 2), nan)),
    ("L.cond(x, 1)", [[1, 2], [2, 4]], np.full((2, 2), nan)),
    ("L.cond(x, 1)", [[2, 0], [0, 1]], [[1, 0], [0, -2]]),
    ("L.lstsq(np.array([[1., 2], [2, 4], [0, 0]]), x)[0]", [1, 1, 2], np.array([[1, 2, 0], [2, 4, 0]]) / 25),
    ("L.lstsq(x, np.ones(3))[1]", np.eye(3, 2), [[[0, 0], [0, 0], [-2, -2]]]),
    ("L.matrix_power(x, 0)", I2, np.zeros((2, 2, 2, 2))),
    ("L.matrix_rank(x) * x[0]", I2, 2 * np.eye(4)[:2].reshape(2, 2, 2)),
    ("L.inv(x)", np.zeros((0, 0)), np.zeros((0, 0, 0, 0))),
    ("L.norm(x)", np.zeros(0), np.zeros(0)),
    ("L.inv(x)", [[1, 1], [1, 1]], L.LinAlgError),
    ("L.inv(x)", [[1, 1]], L.LinAlgError),
    ("L.solve(x, np.ones(2))", [[1, 1], [1, 1]], L.LinAlgError),
    ("L.solve(x, np.ones(3))", I2, ValueError),
    ("L.cholesky(x)", [[1, 2], [2, 1]], L.LinAlgError),
    ("L.tensorsolve(x, np.ones(2))", [[1, 1]], L.LinAlgError),
    ("L.tensorinv(x, 0)", I2, ValueError),
    ("L.matrix_power(x, 2)", [[1, 1]], L.LinAlgError),
    ("L.matrix_power(x, 1.5)", I2, TypeError),
    ("L.multi_dot([x])", I2, ValueError),
    ("L.multi_dot([x, x[None], x])", I2, L.LinAlgError),
    ("L.eigh(x, 'X')", I2, ValueError),
    ("L.norm(x, 3)", I2, ValueError),
    ("L.norm(x, 'fro')", [1, 2], ValueError),
    ("L.norm(x, 1)", np.ones((2, 2, 2)), ValueError),
    ("L.norm(x, axis=2)", I2, ValueError),
    ("L.cond(x)", np.zeros((0, 2)), L.LinAlgError),
    ("L.cross(x, x)", [1, 2], ValueError),
    ("np.cross(x, x)", [1, 2, 3, 4], ValueError),
    ("L.outer(x, x)", I2, ValueError),
    ("L.lstsq(x, np.ones(3))[0]", [[1, 2], [2, 4], [0, 0]], NotDifferentiableError),
    ("L.qr(x, 'complete')[0]", np.eye(3, 2), NotDifferentiableError),
    ("L.qr(x, 'raw')[0]", np.eye(3, 2), NotDifferentiableError),
]


@pytest.mark.parametrize("source, point, due", EDGES)
def test_edges(source: str, point: Any, due: Any) -> None:
    f = eval("lambda x: " + source, {"np": np, "L": L})
    x = np.array(point, float)
    if isinstance(due, type):
        if due is not NotDifferentiableError:
            with pytest.raises(due):
                f(x)
        with pytest.raises(due):
            dd.jacobian(f)(x)
        return
    with np.errstate(all="ignore"):
        j = np.asarray(dd.jacobian(f)(x))
    if callable(due):
        assert due(j)
    else:
        assert j.shape == np.shape(due)
        np.testing.assert_allclose(j, due, rtol=1e-12, atol=1e-14)


EMPTY = "inv pinv det slogdet cholesky qr eigh eigvalsh eig eigvals svd svdvals norm vector_norm cond trace".split()


@pytest.mark.parametrize("name", EMPTY)
@pytest.mark.parametrize("shape", [(0, 0), (0, 2, 2), (2, 0, 0), (0, 3), (3, 0)])
@pytest.mark.parametrize("dtype", [float, complex])
def test_empty_matrices(name: str, shape: tuple[int, ...], dtype: Any) -> None:
    """Results of the same shapes as NumPy's, tangents included, or the same exception."""
    f, x = getattr(L, name), np.zeros(shape, dtype)
    try:
        due = f(x)
    except ValueError as error:  # LinAlgError is one
        with pytest.raises(type(error)):
            f(Dual(x, x))
        return
    made = f(Dual(x, np.zeros((2, *shape), dtype)))
    for got, d in zip(made, due) if isinstance(due, tuple) else [(made, due)]:
        np.testing.assert_array_equal(dd.value(got), d)
        assert not isinstance(got, Dual) or np.shape(got.tangent) == (2, *np.shape(d))


def test_det_of_singular_matrices_to_third_order() -> None:
    """It is a polynomial, whose third derivatives are those of the sum over permutations."""
    h = dd.jacobian(dd.jacobian(L.det))
    sign = np.array(
        [[[0, 0, 0], [0, 0, 1], [0, -1, 0]], [[0, 0, -1], [0, 0, 0], [1, 0, 0]], [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]]
    )
    third = np.einsum("ikm,jln->ijklmn", sign, sign)  # of rows i, k, m and columns j, l, n
    near = np.arange(1.0, 10).reshape(3, 3) + np.diag([0, 0, 1e-9])
    for x in [
        near,
        np.zeros((3, 3)),
        np.diag([0.0, 0, 5]),
        np.ones((3, 3)),
        np.diag([1.0, 2, 3]),
        np.diag([1e-9, 1e-9, 1]),
    ]:
        np.testing.assert_allclose(h(x), np.einsum("ijklmn,mn->ijkl", third, x), atol=1e-12)
    np.testing.assert_allclose(dd.jacobian(h)(np.diag([0.0, 0, 5])), third, atol=1e-12)
    with pytest.raises(NotDifferentiableError, match="13 x 13"):
        dd.derivative(dd.derivative(lambda t: L.det(t * np.ones((13, 13)))))(1.0)


@pytest.mark.parametrize("n", [3, 200])
def test_eigenvalues_come_in_the_order_of_numpy(n: int) -> None:
    """eig and eigvals sort the eigenvalues of large matrices differently; the derivative of each is its own."""
    a, v = np.random.default_rng(0).normal(size=(2, 200, 200))[:, :n, :n]
    value, tangent = dd.jvp(L.eigvals, (a,), (v,))
    np.testing.assert_array_equal(value, L.eigvals(a))
    np.testing.assert_allclose(np.sum(tangent * value), np.trace(a @ v), rtol=1e-9)
    w, d = dd.jvp(lambda x: L.eig(x)[0], (a,), (v,))
    for x, dx in list(zip(value, tangent))[:20]:
        np.testing.assert_allclose(dx, d[np.abs(w - x).argmin()], rtol=1e-6)


def exp(a: Any) -> Any:
    w, v = L.eigh(a)
    return v @ (np.exp(w / 9)[:, None] * h(v))


def cube(a: Any) -> Any:
    w, v = L.eigh(a)
    return v * w**3 @ h(v)


def again(a: Any) -> Any:
    w, v = L.eig(a)
    return v * w @ L.inv(v)


def stretch(a: Any) -> Any:
    u, s, vh = L.svd(a, full_matrices=False)
    return u * s**3 @ vh


def product(a: Any) -> Any:
    q, r = L.qr(a)
    return q @ r


@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("f, name", [(exp, "H"), (again, "A"), (stretch, "T"), (stretch, "W"), (product, "T")])
def test_functions_that_do_not_depend_on_signs_and_phases(f: Any, name: str, dtype: Any) -> None:
    x, v = variables((), dtype)[name], variables((), dtype, 1)[name]
    tangent = dd.jvp(f, (x,), (v,))[1]
    close(tangent, difference(f, [x], [v]), 3e-8)
    if f in (again, product):
        close(tangent, v, 1e-12)
    if f is exp:
        close(dd.jvp(cube, (x,), (v,))[1], x @ x @ v + x @ v @ x + v @ x @ x, 1e-12)


@pytest.mark.parametrize("f", [L.eigh, L.eig, L.svd, L.qr, L.slogdet])
def test_named_results_stay_named(f: Any) -> None:
    x = np.array([[2.0, 1.0], [1.0, 3.0]])
    made = f(Dual(x, x))
    assert type(made) is type(f(x))
    assert type(f(Dual(Dual(x, x), x))) is type(f(x))


def test_one_factorisation_for_all_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, solve = [], L.solve
    monkeypatch.setattr(L, "solve", lambda a, b: (calls.append((a.shape, b.shape)), solve(a, b))[1])
    a, b = variables((), float)["A"], np.ones((4, 2))
    t = np.ones((100, 4, 4))
    FUNCTIONS[solve](Dual(a, t), b).tangent(b, (a, b), (t, None))
    assert calls == [((4, 4), (4, 200))]


def test_every_function_has_its_place() -> None:
    public = {getattr(L, n) for n in dir(L) if not n.startswith("_") and callable(getattr(L, n))}
    public = {f for f in public if hasattr(f, "__wrapped__")}  # what a Dual can reach
    assert {f.__name__ for f in public - FUNCTIONS.keys() - PLAIN - REFUSED.keys()} == set()
    assert not FUNCTIONS.keys() & PLAIN
