"""The order in which elements lie in memory changes no derivative: all modes and spaces against the complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.run import call

N = 12
X = np.random.default_rng(0).uniform(0.5, 1.5, N)
P = np.random.default_rng(1).permutation(N)


def complex_step(f: Callable[[Any], Any], x: Any) -> Any:
    """The Jacobian by plain NumPy (Squire and Trapp, 1998)."""
    steps = [f(x + 1e-30j * e) for e in np.eye(x.size)]
    return np.stack([np.imag(s) / 1e-30 for s in steps], axis=-1)


def strided(a: Any) -> Any:
    return np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3]


def read_only(a: Any) -> Any:
    a = a.copy(order="F")
    a.flags.writeable = False
    return a


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[:1], a.shape),
    "read-only": read_only,
}


# ---------------------------------------------------------------- programs of x and a matrix of some layout


def written(x: Any, a: Any) -> Any:
    y = a * x.reshape(3, 4)
    y[1] = y[0] ** 2
    y.T[2] *= 2 * x[:3]
    y[:, 1] += y[::-1, 3]
    return y.sum(0) + y[:, ::-1].T @ x[:3]


def written_through_views(x: Any, a: Any) -> Any:
    y = (a * x.reshape(3, 4)).T * 1.0
    v = np.ravel(y, "F")
    v[3:5] = x[:2] ** 2
    y[0] *= x[4]
    return y.sum(1) + v[:4] * v[8:]


def written_after_use(x: Any, a: Any) -> Any:
    y = (a * x.reshape(3, 4)).T * 1.0
    v, z = y.T[1], np.sin(y) * y
    y[0, 1] = x[0]
    v[2:] = x[5] * x[6]
    return (z + y * y).sum(0) * v[:3]


def of_copies(x: Any, a: Any) -> Any:
    y = a * x.reshape(3, 4)
    z = y.T.reshape(-1)
    z[2:5] = 0.0
    w = np.copy(y, order="F")
    w[0] = 1.0
    return z * np.ravel(y) + np.ravel(w, "F") * x


def picked(x: Any, a: Any) -> Any:
    y = (a * x.reshape(3, 4)).T * x[0]
    return y[2, 1] * y[[0, 1, 0], [2, 0, 2]] + y.T[1, 2] ** 2 + y[:, 0] @ x[:4]


PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "weight": lambda x, a: (a * x.reshape(3, 4)).sum(0),
    "weight of a transpose": lambda x, a: (a.T * x.reshape(4, 3)).sum(1),
    "outer sum": lambda x, a: ((x * x[::-1])[:, None] * x[None, :]).sum(0) * a[0, 0],
    "outer product": lambda x, a: np.outer(x, a).T @ (x + x[P]),
    "matrix": lambda x, a: np.kron(a, x.reshape(4, 3)) @ (x + x[::-1]),
    "quadratic": lambda x, a: (x[:3] + x[2::-1]) @ a @ (x[:4] * x[:4]) * x[5],
    "contraction": lambda x, a: np.einsum("ij,jk,kl->il", a, x.reshape(4, 3), x.reshape(3, 4)),
    "concatenated": lambda x, a: np.concatenate([a.T, x.reshape(4, 3), x[:4, None]], 1) * x[:4, None],
    "chosen": lambda x, a: np.where(a.T > 1.0, x.reshape(4, 3) ** 2, a.T * x.reshape(3, 4).T).T * x[3],
    "sums of products": lambda x, a: (a.T * x[:, None, None] * x.reshape(4, 3)).sum((0, 2)),
    "diagonal": lambda x, a: np.diagonal(np.outer(x[P], x).T + a[0, 1]) * np.trace(a.T * x.reshape(4, 3)),
    **{f.__name__.replace("_", " "): f for f in (written, written_through_views, written_after_use, of_copies, picked)},
}

for _order in "CFAK":
    PROGRAMS[f"ravel {_order}"] = lambda x, a, o=_order: np.ravel((a * x.reshape(3, 4)).T * 2.0, o) * x  # type: ignore
for _order in "CFA":
    PROGRAMS[f"reshape {_order}"] = lambda x, a, o=_order: (a * x.reshape(3, 4)).T.reshape(2, 6, order=o) * x[0]  # type: ignore


def local(f: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(call, "SMALL", 0)
    return dd.jacobian(f)(X)


MODES: dict[str, Callable[[Any, Any], Any]] = {
    "forward": lambda f, _: dd.jacobian(f)(X),
    "single": lambda f, _: dd.jacobian(f, chunk_size=1)(X),
    "reverse": lambda f, _: dd.jacobian(f, mode="reverse")(X),
    "row-local": local,
    "sparse": lambda f, _: dd.jacobian(lambda x: np.ravel(f(x)), sparse=True)(X).toarray(),
    "taylor": lambda f, _: np.stack([dd.taylor(f, X, 1, direction=e)[1] for e in np.eye(N)], axis=-1),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_jacobian(program: str, layout: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a = LAYOUTS[layout](np.random.default_rng(2).uniform(0.5, 1.5, (3, 4)))
    before = a.copy()

    def f(x: Any) -> Any:
        return PROGRAMS[program](x, a)

    due = complex_step(f, X)
    found = MODES[mode](f, monkeypatch)
    np.testing.assert_allclose(found.reshape(due.shape), due, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("small", [0, 128])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_hessian(program: str, layout: str, small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call, "SMALL", small)
    a = LAYOUTS[layout](np.random.default_rng(2).uniform(0.5, 1.5, (3, 4)))

    def f(x: Any) -> Any:
        y = PROGRAMS[program](x, a)
        return np.sum(y * np.cos(np.arange(1.0, y.size + 1)).reshape(y.shape))

    step = 1e-4
    due = np.stack([(complex_step(f, X + step * e) - complex_step(f, X - step * e)) / (2 * step) for e in np.eye(N)])
    np.testing.assert_allclose(dd.hessian(f)(X), due, rtol=1e-6, atol=1e-6)
    found = dd.jacobian(dd.gradient(f, mode="reverse"), mode="reverse")(X)
    np.testing.assert_allclose(found, due, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["forward", "single", "reverse", "sparse"])
def test_many_elements(mode: str) -> None:
    """What was wrong from 129 elements on, where tangents are row-local by themselves."""
    n = 150
    (x, c), p = np.random.default_rng(3).normal(size=(2, n)), np.random.default_rng(4).permutation(n)
    for f in (lambda x: ((x * x[::-1])[:, None] * x[None, :]).sum(0), lambda x: np.outer(x, c).T @ (x + x[p])):
        options: Any = {"single": {"chunk_size": 1}, "reverse": {"mode": "reverse"}, "sparse": {"sparse": True}}
        found = dd.jacobian(f, **options.get(mode, {}))(x)
        found = found.toarray() if mode == "sparse" else found
        np.testing.assert_allclose(found, complex_step(f, x), rtol=1e-11, atol=1e-11)


def test_hessian_of_many_elements() -> None:
    n = 150
    x, c = np.random.default_rng(3).normal(size=n), np.random.default_rng(4).normal(size=(n, n))
    due = complex_step(dd.gradient(lambda x: (x + x[::-1]) @ c @ (x * x), mode="reverse"), x)
    np.testing.assert_allclose(dd.hessian(lambda x: (x + x[::-1]) @ c @ (x * x))(x), due, rtol=1e-10, atol=1e-10)


BROADCAST: dict[str, Callable[[Any], Any]] = {
    "before": lambda A: np.broadcast_to(A, (2, 3, 4)),
    "between": lambda A: np.broadcast_to(A[:, None, :], (3, 2, 4)),
    "after": lambda A: np.broadcast_to(A[:, :, None], (3, 4, 2)),
    "transposed": lambda A: np.broadcast_to(A.T, (2, 4, 3)),
    "and transposed": lambda A: np.broadcast_to(A, (2, 3, 4)).transpose(2, 0, 1),
    "twice": lambda A: np.broadcast_to(A[None, :, None, :], (2, 3, 5, 4)).transpose(3, 2, 1, 0),
    "backwards": lambda A: np.broadcast_to(A[::-1, ::-1], (2, 3, 4)),
}


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("name", BROADCAST)
def test_axes_of_no_stride_are_raveled_as_numpy_does(name: str, mode: str) -> None:
    A, n = np.arange(12.0).reshape(3, 4), np.arange(12)
    f = lambda x: BROADCAST[name](x.reshape(3, 4)).ravel("K") ** 2
    value, slope = dd.value_and_jacobian(f, mode=mode)(A.ravel())
    due = BROADCAST[name](A).ravel("K")
    np.testing.assert_array_equal(value, due**2)
    np.testing.assert_array_equal(slope, 2 * due[:, None] * (due[:, None] == n))


LAID: list[Callable[[Any], Any]] = [
    *(lambda v: np.copy(v, order="K"), lambda v: np.sort(v, 1), lambda v: np.partition(v, 1, 1), lambda v: v * 2),
    *(lambda v: np.cumsum(v, 1), lambda v: v.astype(float), lambda v: np.where(v > 3, v, 0)),
]


@pytest.mark.parametrize("name", BROADCAST)
@pytest.mark.parametrize("g", LAID)
def test_results_for_such_arrays_lie_in_memory_as_those_of_numpy(g: Any, name: str) -> None:
    f = lambda x: np.ravel(g(BROADCAST[name](x.reshape(3, 4))), "K")
    x = np.arange(12.0)[::-1].copy()
    np.testing.assert_array_equal(dd.value_and_jacobian(f)(x)[0], f(x))
