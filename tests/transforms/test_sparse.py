"""Sparse Jacobians: equal to the dense ones, canonical, and in memory and time that grow with their nonzeros."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import dualdiff as dd
from dualdiff.spaces import rowlocal
from dualdiff.transforms.sparse import group_columns
from tests.cases.stencils import STENCILS
from tests.cases.tools import leaves

RNG = np.random.default_rng(5)
A = scipy.sparse.csr_array(np.where(RNG.random((6, 20)) < 0.2, RNG.random((6, 20)), 0.0))


def check(got: Any, due: Any) -> None:
    """A canonical CSR array equal to a dense Jacobian."""
    assert isinstance(got, scipy.sparse.csr_array)
    assert got.has_canonical_format and got.dtype == due.dtype
    for row in range(got.shape[0]):
        columns = got.indices[got.indptr[row] : got.indptr[row + 1]]
        assert (np.diff(columns) > 0).all() and (columns >= 0).all() and (columns < got.shape[1]).all()
    np.testing.assert_allclose(got.toarray(), due.reshape(got.shape), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("f", STENCILS, ids=lambda f: f.__name__)
def test_as_the_dense_one(f: Any) -> None:
    x = RNG.normal(size=20)
    for got, due in zip(leaves(dd.jacobian(f, sparse=True)(x)), leaves(dd.jacobian(f)(x)), strict=True):
        check(got, due)


PRODUCTS = {
    "A @ x": lambda x: A @ x,
    "A.dot(x)": lambda x: A.dot(np.sin(x)),
    "x @ B": lambda x: (x * x) @ A.T,
    "A @ X": lambda x: A @ np.stack([x, x**2], axis=1),
    "X @ B": lambda x: np.stack([x, x**2]) @ A.T,
    "complex": lambda x: np.real((1 + 1j) * (A * 1j) @ (x * (2 - 1j))),
    "empty": lambda x: scipy.sparse.csr_array((3, 20)) @ x,
    "csc": lambda x: A.tocsc() @ x,
    "matrix": lambda x: scipy.sparse.csr_matrix(A) @ x,
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_with_sparse_matrices(name: str) -> None:
    f, x, v = PRODUCTS[name], RNG.normal(size=20), RNG.normal(size=20)
    due = dd.numerical.jacobian(f, method="central")(x)
    for options in ({}, {"chunk_size": 1}, {"mode": "reverse"}):
        np.testing.assert_allclose(dd.jacobian(f, **options)(x), due, atol=1e-8)
    value, tangent = dd.jvp(f, (x,), (v,))
    np.testing.assert_allclose(value, f(x), rtol=1e-14)
    np.testing.assert_allclose(tangent, due @ v, atol=1e-7)
    np.testing.assert_allclose(dd.jacobian(f, sparse=True)(x).toarray(), due.reshape(-1, 20), atol=1e-8)
    second = dd.jacobian(dd.jacobian(f))(x)
    np.testing.assert_allclose(second, dd.numerical.jacobian(dd.jacobian(f), method="central")(x), atol=1e-7)


def test_a_chain_of_residuals_by_hand() -> None:
    """u[i+1]**2 - sin(u[i]) has the derivatives -cos(u[i]) and 2 u[i+1], at a million points."""
    n = 10**6
    u = np.linspace(0, 9, n)
    tracemalloc.start()
    j = dd.jacobian(lambda u: u[1:] ** 2 - np.sin(u[:-1]), sparse=True)(u)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert j.shape == (n - 1, n) and j.nnz == 2 * (n - 1) and j.indices.dtype == np.int32
    np.testing.assert_array_equal(j.data[::2], -np.cos(u[:-1]))
    np.testing.assert_array_equal(j.data[1::2], 2 * u[1:])
    np.testing.assert_array_equal(j.indices.reshape(-1, 2), np.arange(n - 1)[:, None] + [0, 1])
    assert peak < 10 * (j.data.nbytes + j.indices.nbytes + j.indptr.nbytes)


def test_zeros_that_can_change_are_stored() -> None:
    j = dd.jacobian(lambda u: u[1:] * u[:-1], sparse=True)(np.zeros(4))
    assert j.nnz == 6 and not j.data.any()
    j = dd.jacobian(lambda u: np.concatenate([u[:1] ** 2, [1.0], 0 * u[1:] + u[:-1]]), sparse=True)(np.ones(3))
    np.testing.assert_array_equal(j.toarray(), [[2, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0]])
    assert j.indptr[2] - j.indptr[1] == 0


def test_arguments_and_results_in_containers() -> None:
    def f(p: Any, q: Any) -> Any:
        return {"a": p["u"] * p["v"], "b": q[[1, 1, 0]] ** 2}

    args = {"u": np.arange(3.0), "v": np.ones(3)}, np.array([1.0, 2.0])
    at_p, at_q = dd.jacobian(f, argnums=(0, 1), sparse=True)(*args)
    np.testing.assert_array_equal(at_p["a"]["u"].toarray(), np.eye(3))
    np.testing.assert_array_equal(at_p["a"]["v"].toarray(), np.diag(np.arange(3.0)))
    assert at_p["b"]["u"].shape == (3, 3) and at_p["b"]["u"].nnz == at_q["a"].nnz == 0
    np.testing.assert_array_equal(at_q["b"].toarray(), [[0, 4], [0, 4], [2, 0]])
    value, j = dd.value_and_jacobian(lambda x: x**2, sparse=True)(np.array([3.0, 4.0]))
    np.testing.assert_array_equal(value, [9, 16])
    check(j, np.diag([6.0, 8.0]))


@pytest.mark.parametrize(
    "f, x",
    [
        (lambda x: x**2, 3.0),
        (lambda x: np.float32(2) * x[::-1], np.ones(3, np.float32)),
        (lambda x: np.sum(x**2), np.arange(300.0)),
        (lambda x: np.ones(3), np.ones(2)),
        (lambda x: x, np.zeros(0)),
        (lambda x: x[:0], np.ones(3)),
        (lambda x: np.outer(x, x), np.arange(3.0)),
        (lambda z: z[1:] * z[:-1], np.array([1 + 1j, 2j, 3.0])),
        (lambda x: np.exp(1j * x), np.arange(3.0)),
        (lambda x: [x[0] * x[1], x[2]], np.arange(3.0)),
        (lambda x: np.cumsum(x), np.arange(4.0)),
        (lambda x: np.array([[1.0, 2.0], [0.0, 1.0]]) @ x, np.ones(2)),
    ],
)
def test_shapes_and_types(f: Any, x: Any) -> None:
    due = np.asarray(dd.jacobian(f)(x))
    got = dd.jacobian(f, sparse=True)(x)
    assert got.shape == (np.size(f(x)), np.size(x))
    check(got, due)


def test_not_holomorphic() -> None:
    with pytest.raises(TypeError, match="holomorphic"):
        dd.jacobian(np.abs, sparse=True)(np.array([1 + 1j, 2.0]))


def test_structure_that_is_lost_is_an_error_that_names_the_step() -> None:
    message = r"np.cumsum \(at test_sparse.py:\d+\), `.*cumsum\(u\).*200,000"
    with pytest.raises(dd.StructureLostError, match=message) as e:
        dd.jacobian(lambda u: np.sin(np.cumsum(u)), sparse=True)(np.ones(200_000))
    assert isinstance(e.value, MemoryError)


def test_with_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that mixes on the way what its result does not: differences of sums."""

    def f(u: Any) -> Any:
        calls.append(1)
        s = np.cumsum(u**2)
        return s[2:] - s[:-2]

    n, calls = 50, [0]
    pattern = scipy.sparse.diags_array([np.ones(n - 2)] * 2, offsets=[1, 2], shape=(n - 2, n))
    x = np.linspace(0, 1, n)
    assert group_columns(pattern.tocsr()).max() == 1
    for chunk_size in (None, 1, 2):
        calls.clear()
        j = dd.jacobian(f, sparse=pattern, chunk_size=chunk_size)(x)
        np.testing.assert_allclose(j.toarray(), dd.jacobian(f)(x), atol=1e-12)
        assert calls.count(1) - 1 == {None: 1, 1: 3, 2: 2}[chunk_size]  # two groups of columns and the test
    with pytest.raises(ValueError, match="where the pattern has none"):
        dd.jacobian(f, sparse=scipy.sparse.eye_array(n - 2, n))(x)
    with pytest.raises(ValueError, match="pattern has 49 columns, the arguments 50"):
        dd.jacobian(f, sparse=scipy.sparse.eye_array(48, 49))(x)
    with pytest.raises(ValueError, match="pattern has 50 rows, the result 48"):
        dd.jacobian(f, sparse=scipy.sparse.eye_array(50))(x)
    with pytest.raises(TypeError, match="pattern is for real arguments"):
        dd.jacobian(lambda z: z, sparse=scipy.sparse.eye_array(2))(np.ones(2) * 1j)


def test_wrong_calls() -> None:
    with pytest.raises(ValueError, match="chunk_size"):
        dd.jacobian(np.sin, sparse=True, chunk_size=2)(np.ones(3))
    with pytest.raises(ValueError, match="mode='reverse'"):
        dd.jacobian(np.sin, sparse=True, mode="reverse")(np.ones(3))
    for wrong in (None, "yes", 3):
        with pytest.raises(TypeError, match="sparse must be True, False, or an array"):
            dd.jacobian(np.sin, sparse=wrong)(np.ones(3))
    assert isinstance(dd.jacobian(np.sin, sparse=np.False_)(np.ones(3)), np.ndarray)
    with pytest.raises(TypeError, match="sparse=True inside another derivative"):
        dd.jacobian(lambda x: dd.jacobian(np.sin, sparse=True)(x).sum())(np.ones(3))


# ---------------------------------------------------------------- Hessians


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def contacts(x: Any) -> Any:
    """An energy of pairs, in which elements occur several times."""
    i, j = np.array([0, 1, 2, 0, 5, 2]), np.array([1, 2, 3, 4, 4, 6])
    return np.sum(np.exp(-((x[i] - x[j]) ** 2))) + np.mean(x**4)


@pytest.mark.parametrize("n", [8, 20, 200])
@pytest.mark.parametrize("f", [rosenbrock, contacts])
def test_hessians(f: Any, n: int) -> None:
    x = RNG.normal(size=n)
    got, due = dd.hessian(f, sparse=True)(x), dd.jacobian(dd.gradient(f), chunk_size=n)(x)
    np.testing.assert_allclose(got.toarray(), due, atol=1e-9)
    assert (got != got.T).nnz == 0
    assert got.nnz <= 4 * n


def test_hessian_of_a_hundred_thousand() -> None:
    n = 10**5
    x = np.linspace(-1, 1, n)
    h = dd.hessian(rosenbrock, sparse=True)(x)
    assert h.nnz == 3 * n - 2
    np.testing.assert_allclose(h.diagonal()[1:-1], 1200 * x[1:-1] ** 2 - 400 * x[2:] + 202, rtol=1e-12)
    np.testing.assert_allclose(h.diagonal(1), -400 * x[:-1], rtol=1e-12)


def test_dense_limits_are_the_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long sum gives one dense row, however few bytes dense arrays may take."""
    monkeypatch.setattr(rowlocal, "DENSE_BYTES", 100)
    j = dd.jacobian(lambda x: np.sum(x**2), sparse=True)(np.arange(500.0))
    np.testing.assert_array_equal(j.toarray(), [2 * np.arange(500.0)])


# ---------------------------------------------------------------- rows of different lengths


def constrained(x: Any) -> Any:
    """Residuals between neighbours, and one of everything."""
    return np.append(x[1:] ** 2 - x[:-1], [np.sum(x**2) - 1.0, np.mean(np.sin(x))])


def stored_total(x: Any) -> Any:
    y = np.zeros_like(x)
    y[1:] = x[:-1] * x[1:]
    y[0] = np.sum(x**3)
    y[3] = 2.0
    y[1] += y[0]
    return np.roll(y * x, 1)


def counted(x: Any) -> Any:
    """Sums of many, by products with a matrix of one full row, and of one full column."""
    m = len(x)
    a = scipy.sparse.vstack([np.ones((1, m)), scipy.sparse.eye_array(m)]).tocsr()
    return np.sin(a @ x) * 2.0, a @ np.stack([x, x**2], axis=1)


@pytest.mark.parametrize("f", [constrained, stored_total, counted], ids=lambda f: f.__name__)
def test_some_full_rows(f: Any) -> None:
    x = RNG.normal(size=400)
    for got, due in zip(leaves(dd.jacobian(f, sparse=True)(x)), leaves(dd.jacobian(f)(x)), strict=True):
        check(got, due)


def test_a_full_row_among_a_hundred_thousand() -> None:
    n = 10**5
    x = np.linspace(0, 1, n)
    j = dd.jacobian(constrained, sparse=True)(x)
    assert j.shape == (n + 1, n) and j.nnz == 2 * (n - 1) + 2 * n
    np.testing.assert_allclose(j[[n - 1]].toarray()[0], 2 * x)
    np.testing.assert_allclose(j[[n]].toarray()[0], np.cos(x) / n)
    np.testing.assert_allclose(j.diagonal(), [*np.full(n - 1, -1.0), 2 * x[-1]])


def test_what_makes_all_rows_full_is_refused() -> None:
    with pytest.raises(dd.StructureLostError, match=r"test_sparse.py:\d+\), `.*np.sum"):
        dd.jacobian(lambda x: x / np.sum(x), sparse=True)(np.ones(10**5))


def test_without_scipy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualdiff.transforms.sparse.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"jacobian: sparse= gives SciPy's arrays.*dualdiff\[sparse\]"):
        dd.jacobian(lambda x: x * 2, sparse=True)(np.ones(3))
