"""Row-local tangents give what dense ones do, for every rule, and keep the structure where there is one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdiff as dd
from dualdiff.core.tangents import Structured
from dualdiff.run import call as sweep
from dualdiff.spaces import rowlocal
from tests.cases.stencils import STENCILS
from tests.cases.tools import leaves
from tests.local import tangents

# ---------------------------------------------------------------- as the transforms use them


@pytest.fixture
def always_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row-local tangents for arguments of every size."""
    monkeypatch.setattr(sweep, "SMALL", 0)


@pytest.mark.usefixtures("always_local")
@pytest.mark.parametrize("f", STENCILS, ids=lambda f: f.__name__)
def test_stencils(f: Any) -> None:
    x = np.random.default_rng(3).normal(size=20)
    for got, due in zip(leaves(dd.jacobian(f)(x)), leaves(dd.jacobian(f, chunk_size=1)(x)), strict=True):
        np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-14)
        assert got.flags.c_contiguous and got.dtype == due.dtype


@pytest.mark.usefixtures("always_local")
def test_nothing_is_written() -> None:
    def f(x: Any) -> Any:
        x[x > 99] += x[0]
        x[[]] *= x[1:2]
        return x * x

    np.testing.assert_array_equal(dd.jacobian(f)(np.array([1.0, 2.0])), [[2, 0], [0, 4]])


@pytest.mark.usefixtures("always_local")
@pytest.mark.parametrize("outer", [None, 1, 3])
@pytest.mark.parametrize("f", STENCILS[:-1], ids=lambda f: f.__name__)
def test_second_derivatives(f: Any, outer: int | None) -> None:
    """The inner derivative row-local, the outer one too or dense: both as dense in dense."""
    x = np.random.default_rng(4).normal(size=20)
    got = dd.jacobian(dd.jacobian(f), chunk_size=outer)(x)
    due = dd.jacobian(dd.jacobian(f, chunk_size=20), chunk_size=20)(x)
    for a, b in zip(leaves(got), leaves(due), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


def test_third_derivatives(always_local: None) -> None:
    def f(u: Any) -> Any:
        return np.sum(u[1:] ** 2 * u[:-1] * np.sin(u[0])) + np.sum(u[[0, 1, 1]] ** 3)

    x = np.array([0.3, -0.4, 0.5])
    due = dd.gradient(f)
    for chunk_size in (3, 2):
        due = dd.jacobian(due, chunk_size=chunk_size)
    np.testing.assert_allclose(dd.jacobian(dd.jacobian(dd.gradient(f)))(x), due(x), atol=1e-13)


OPERATIONS = {
    "sine": np.sin,
    "square": lambda u: u * u,
    "scale": lambda u: -0.5 * u,
    "difference": lambda u: u[1:] - u[:-1],
    "neighbours": lambda u: u[1:-1] * u[2:] + u[:-2],
    "roll": lambda u: np.roll(u, 2) - u,
    "every other": lambda u: u[::2],
    "backwards": lambda u: u[::-1] * u,
    "twice": lambda u: np.concatenate([u, [1.0], u**2]),
    "limited": lambda u: np.where(u > 0.1, u, u**2),
    "sorted": np.sort,
    "table": lambda u: np.outer(u, u[:3]).ravel(),
    "sums": lambda u: np.sum(u[:, None] * u[None, :2], axis=1),
    "total": lambda u: u + np.sum(u),
    "cumulative": np.cumsum,
    "picked": lambda u: u[[0, -1, 0, 1]],
    "matrix": lambda u: np.cos(np.arange(len(u) * 4.0)).reshape(4, -1) @ u,
    "stored": lambda u: _stored(u),
}


def _stored(u: Any) -> Any:
    y = np.zeros_like(u)
    y[1:] = u[:-1] ** 2
    y[0] = u[-1]
    return y


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=5), st.booleans())
def test_compositions(names: list[str], keep: bool) -> None:
    def f(u: Any) -> Any:
        for name in names:
            u = OPERATIONS[name](u) if len(u) > 3 else u
            u = u[:40]
        return u

    x = np.random.default_rng(0).uniform(-1, 1, 9)
    (value,), (t,) = tangents(f, [x], keep)
    due = dd.jacobian(f, chunk_size=1)(x)
    np.testing.assert_allclose(value, f(x), rtol=1e-13, atol=1e-15)
    got = np.moveaxis(t.dense() if isinstance(t, Structured) else t, 0, -1)
    np.testing.assert_allclose(got, due, rtol=1e-10, atol=1e-12)


@pytest.mark.usefixtures("always_local")
def test_several_arguments_containers_and_constants() -> None:
    def f(p: Any, q: Any, scale: float) -> Any:
        return {"a": scale * p["u"][1:] * q, "b": np.outer(q, p["v"]), "c": np.ones(2)}

    args = {"u": np.arange(4.0), "v": 2.0}, np.array([1.0, 2.0, 3.0]), 3.0
    got, due = (dd.jacobian(f, argnums=(0, 1), chunk_size=c)(*args) for c in (None, 1))
    for k, p in enumerate(due):
        for name in p:
            for a, b in zip(leaves(list(got[k][name].values()) if k == 0 else got[k][name]),
                            leaves(list(p[name].values()) if k == 0 else p[name]), strict=True):  # fmt: skip
                np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("always_local")
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_precision(dtype: Any) -> None:
    """A constant of lower precision lowers nothing, the argument's own stays."""
    x, c = np.linspace(1, 2, 5, dtype=dtype), np.linspace(1, 2, 5).astype(np.float32)
    assert dd.jacobian(lambda u: 0.1 * np.sin(u))(x).dtype == dtype
    got = dd.jacobian(lambda u: 0.1 * (c * u) + dd.relu(u) * 0.1)(x)
    assert got.dtype == np.result_type(dtype, np.float32)
    np.testing.assert_allclose(np.diag(got), 0.1 * c.astype(float) + 0.1, rtol=10 * np.finfo(dtype).eps)


@pytest.mark.usefixtures("always_local")
def test_holomorphic() -> None:
    z = np.array([1 + 1j, 2 - 1j, 0.5j])
    np.testing.assert_allclose(dd.jacobian(lambda z: z[1:] * z[:-1])(z), [[z[1], z[0], 0], [0, z[2], z[1]]])
    with pytest.raises(TypeError, match="holomorphic"):
        dd.jacobian(np.abs)(z)


@pytest.mark.usefixtures("always_local")
@pytest.mark.parametrize("shape", [(0,), (0, 3), (), (1,), (1, 1)])
def test_empty_and_small(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 2.0)
    np.testing.assert_array_equal(dd.jacobian(lambda u: u * u)(x), dd.jacobian(lambda u: u * u, chunk_size=1)(x))
    np.testing.assert_array_equal(dd.gradient(lambda u: np.sum(u**3))(x), np.full(shape, 12.0))


def test_a_matrix_of_the_users_is_never_handed_out() -> None:
    w = np.random.default_rng(0).normal(size=(3, 200))
    kept, j = w.copy(), dd.jacobian(lambda x: w @ x)(np.ones(200))
    j += 1.0
    np.testing.assert_array_equal(w, kept)

    def f(x: Any) -> Any:
        c = np.ones(200)
        y = x * c
        c[:] = 5.0
        return y

    np.testing.assert_array_equal(dd.jacobian(f)(np.ones(200)), np.eye(200))


def test_large_functions_take_little_memory() -> None:
    """A million directions: anything dense would be refused by the machine."""
    n = 10**6
    x = np.cos(np.arange(n))
    got = dd.gradient(lambda u: np.sum(100 * (u[1:] - u[:-1] ** 2) ** 2 + (1 - u[:-1]) ** 2))(x)
    d = x[1:] - x[:-1] ** 2
    due = np.zeros(n)
    due[:-1] = -400 * x[:-1] * d - 2 * (1 - x[:-1])
    due[1:] += 200 * d
    np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-10)


def test_a_vector_where_a_scalar_is_due_is_refused_before_its_jacobian_is_made() -> None:
    with pytest.raises(ValueError, match="use jacobian"):
        dd.gradient(np.sin)(np.ones(10**6))


def test_what_is_too_large_starts_again_in_dense_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowlocal, "DENSE_BYTES", 1000)
    x = np.linspace(0, 1, 200)
    calls = []

    def f(u: Any) -> Any:
        calls.append(1)
        return np.cumsum(u) * u

    j = dd.jacobian(f)(x)
    np.testing.assert_allclose(j, np.diag(np.cumsum(x)) + x[:, None] * np.tri(200))
    assert len(calls) == 2
