"""What a space keeps of the caller's (indices, masks, weights, matrices, containers) may change later in f."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import special

import dualdiff as dd
from dualdiff.core import number
from tests.modes import agrees

X = np.array([0.7, 0.3, 0.9, -0.4])
AT, M, W = np.array([0, 1, 1, 0]), np.array([True, False, True, True]), np.array([1.0, 2.0, 3.0, 5.0])
MATRIX = np.arange(16.0).reshape(4, 4) + 10 * np.eye(4)

USES: dict[str, tuple[Any, Callable[[Any, Any], Any]]] = {
    "bincount": (AT, lambda x, k: np.bincount(k, x)),
    "index": (AT, lambda x, k: x[k]),
    "index of lists": ([0, 1, 1, 0], lambda x, k: x[k]),
    "take": (AT, np.take),
    "take_along_axis": (AT, lambda x, k: np.take_along_axis(x, k, 0)),
    "assignment": (AT, lambda x, k: written(x, k)),
    "repeat": (AT, np.repeat),
    "choose": (AT, lambda x, k: np.choose(k, [x, x * x])),
    "insert": (AT, lambda x, k: np.insert(x, k, 2 * x)),
    "delete": (AT, np.delete),
    "where": (M, lambda x, k: np.where(k, x, x * x)),
    "select": (M, lambda x, k: np.select([k, ~k], [x, x * x])),
    "sum": (M, lambda x, k: np.sum(x, where=k)),
    "mean": (M, lambda x, k: np.mean(x, where=k)),
    "max": (M, lambda x, k: np.max(x, where=k, initial=0.0)),
    "mask": (M, lambda x, k: x[k] ** 2),
    "product": (W, lambda x, k: x * k),
    "power": (W, lambda x, k: x**k),
    "clip": (W, lambda x, k: np.clip(x, 0 * k, k - 0.3)),
    "interp": (W, lambda x, k: np.interp(3.3 * x + 0.1, k, k * k)),
    "interp of values": (W, lambda x, k: np.interp([1.5, 4.0], k, x)),
    "convolve": (W, np.convolve),
    "average": (W, lambda x, k: np.average(x, weights=k)),
    "trapezoid": (W, getattr(np, "trapezoid", None)),
    "gradient": (W, np.gradient),
    "polyval": (W, lambda x, k: np.polyval(k, x)),
    "percentile": (W, lambda x, k: np.percentile(x, 10 * k)),
    "logsumexp": (W, lambda x, k: dd_logsumexp(x, k)),
    "matmul": (MATRIX, lambda x, k: k @ x),
    "einsum": (MATRIX, lambda x, k: np.einsum("ij,j,k->ik", k, x, k[0])),
    "solve": (MATRIX, lambda x, k: np.linalg.solve(k, x)),
    "lstsq": (MATRIX, lambda x, k: np.linalg.lstsq(k, x, rcond=None)[0]),
    "axes": ([1, 0], lambda x, k: np.transpose(x.reshape(2, 2), k) * x[0]),
    "shape": ([2, 2], lambda x, k: np.reshape(x, k) * x[0]),
    "tensordot": ([[0], [1]], lambda x, k: np.tensordot(x.reshape(2, 2), x.reshape(2, 2), k)),
}


def dd_logsumexp(x: Any, b: Any) -> Any:
    return special.logsumexp(x, b=b) if not isinstance(x, dd.Dual) else dd.rules.special.logsumexp(x, b=b)


def written(x: Any, k: Any) -> Any:
    y = x * 1
    y[k] = x * x
    return y


def spoilt(k: Any) -> None:
    """Another owner's use of it."""
    if hasattr(k, "tocsr"):
        k.data[...] = 0
    elif isinstance(k, dict):
        for v in k.values():
            spoilt(v)
        k.clear()
    elif isinstance(k, list):
        k[:] = [0] * len(k)
    elif isinstance(k, tuple):
        spoilt(k[0])
    else:
        k[...] = 0


@pytest.mark.parametrize("name", USES)
def test_changes_afterwards(name: str) -> None:
    given, function = USES[name]

    def f(x: Any) -> Any:
        k = copy.deepcopy(given)
        y = function(x * x, k) if function is not None else x
        spoilt(k)
        return y * 1.0

    agrees(f, X, twice=name != "delete")


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "dia"])
def test_sparse_matrices(form: str) -> None:
    matrix = sp.csr_array(MATRIX * (np.arange(16).reshape(4, 4) % 3 > 0))

    def f(x: Any) -> Any:
        a = matrix.copy().asformat(form)
        y = [a @ x, (x * x) @ a, (a @ (x[:, None] * x))[1]]
        spoilt(a)
        b = matrix.copy().asformat(form)
        y.append(b @ y[0] + b @ y[1])
        b.data *= 2
        return y[0] + y[1] * y[2] + y[3] * (b @ x)

    agrees(f, X)


# ---------------------------------------------------------------- rules of the user's

RULES = {
    "jvp": {"jvp": lambda p, t, **k: t[0] * weight(p, k)},
    "vjp": {"vjp": lambda p, ct, **k: (ct * weight(p, k), None)},
}


def weight(p: Any, k: Any) -> Any:
    w = k.get("w", p[1] if len(p) > 1 else None)
    if isinstance(w, dict):
        w = w["a"][0]
    return w.diagonal() if hasattr(w, "tocsr") else np.array(w)


@pytest.mark.parametrize("how", RULES)
@pytest.mark.parametrize("given", [W, W.tolist(), {"a": [W]}, {"a": (W, 2.0)}, sp.csr_array(np.diag(W))])
def test_rules_of_the_user(given: Any, how: str) -> None:
    by_position = dd.define_rule(lambda x, w: x * weight((x, w), {}), constants=1, **RULES[how])
    one = {"jvp": RULES["jvp"]["jvp"], "vjp": lambda p, ct, **k: (ct * weight(p, k),)}[how]
    by_keyword = dd.define_rule(lambda x, w: x * weight((x,), {"w": w}), **{how: one})

    def f(x: Any) -> Any:
        k, options = copy.deepcopy(given), copy.deepcopy(given)
        y = by_position(x * x, k) + by_keyword(x, w=options)
        spoilt(k)
        spoilt(options)
        return y

    agrees(f, X)


# ---------------------------------------------------------------- numbers that leave


def pickled(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x)) if isinstance(x, dd.Dual) else x


def test_pickled_numbers() -> None:
    def f(x: Any) -> Any:
        return pickled(x) * pickled(x[0]) * x

    def plain(x: Any) -> Any:
        return x * x[0] * x

    for keywords in ({}, {"chunk_size": 1}, {"sparse": True}):
        found = dd.jacobian(f, **keywords)(X)  # type: ignore[arg-type]
        found = found.toarray() if keywords.get("sparse") else found
        np.testing.assert_allclose(found, dd.jacobian(plain)(X), rtol=1e-14)
    for scalar in (lambda x: np.sum(f(x)), lambda x: f(x)[1]):
        with pytest.raises(dd.TangentLossError, match="pickling"):
            dd.gradient(scalar, mode="reverse")(X)
        with pytest.raises(dd.TangentLossError, match="pickling"):
            dd.vjp(scalar, X)


def test_copied_numbers() -> None:
    agrees(lambda x: copy.deepcopy({"a": [x, x[0]]})["a"][0] * copy.copy(x), X)


def test_numbers_of_other_processes_are_outside_of_later_calls() -> None:
    x = dd.Dual(3.0, 1.0)
    x._tag = number.start() + 1000  # as from a process that has made more calls
    pickled(x)
    tag = number.start()
    assert tag > x._tag
    with pytest.raises(dd.LeakedDualError):  # the call that it belongs to is not one of this process
        dd.derivative(lambda z: z * z * pickled(x))(2.0)
    number.end(tag)
