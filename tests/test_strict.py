"""Every case, in every transform, on values that are no ndarrays: the results are those of ndarrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.errors import StructureLostError
from dualdiff.core.tangents import Structured
from dualdiff.run import call as sweep
from dualdiff.run.call import Call
from tests import local
from tests.cases.every import EXAMPLES, OF_LISTS, REAL, as_tuple, inner, like, numbers
from tests.cases.scipy import OF_ARRAYS
from tests.cases.tools import leaves

from .strict import Escaped, Strict, loosened, strict

Function = Callable[..., Any]
Arrays = Sequence[Any]


class NotApplicable(Exception):
    """The transform is not made for this case."""


def direction(f: Function, xs: Arrays, vs: Arrays) -> Any:
    return dd.jvp(f, tuple(xs), tuple(vs))


def lexicographic(f: Function, xs: Arrays, vs: Arrays) -> Any:
    with dd.kinks("lexicographic"):
        try:
            return direction(f, xs, vs)
        except dd.KinkError:  # at a jump, or where q of a quantile has a kink
            if isinstance(xs[0], Strict):
                raise
            raise NotApplicable from None


def many(f: Function, xs: Arrays, vs: Arrays) -> Any:
    """Three directions at once."""
    call = Call("test", f, tuple(range(len(xs))), tuple(xs), {})
    values, tangents, _ = call.run([np.stack([v, 0 * v, 2 * v]) for v in vs])
    return [values, *(np.zeros((3, *np.shape(v))) if t is None else t for v, t in zip(values, tangents))]


def row_local(f: Function, xs: Arrays, vs: Arrays) -> Any:
    """The Jacobian from a sum of few terms a row; from dense tangents where the places depend on strict values."""
    n = sum(map(np.size, xs))
    try:
        values, ts = local.tangents(f, xs)
        ts = [t.dense() if isinstance(t, Structured) else t for t in ts]
        return [np.zeros((n, *np.shape(v))) if t is None else t for v, t in zip(values, ts)]
    except StructureLostError as lost:
        if "by values of type Strict" not in str(lost):
            raise
    call = Call("test", f, tuple(range(len(xs))), tuple(xs), {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "SMALL", 0)  # for arguments of every size
        columns = sweep.forward_columns(call, None)[1]
    starts = np.cumsum([0, *call.widths])  # complex numbers have directions along i as well
    real = np.concatenate([start + np.arange(np.size(x)) for start, x in zip(starts, xs)])
    return [(t.dense() if isinstance(t, Structured) else t)[real] for t in columns]


def pullback(f: Function, xs: Arrays, vs: Arrays) -> Any:
    value, pull = dd.vjp(f, *xs)
    return value, as_tuple(pull(like(value, numbers(loosened(value)))))


def jacobian(f: Function, xs: Arrays, vs: Arrays, **how: Any) -> Any:
    if any(np.iscomplexobj(r) for r in [*xs, *leaves(loosened(f(*loosened(xs))))]):
        raise NotApplicable
    return dd.jacobian(f, tuple(range(len(xs))), **how)(*xs)


def forward_over_reverse(f: Function, xs: Arrays, vs: Arrays) -> Any:
    def pull(*x: Any) -> Any:
        value, pullback = dd.vjp(f, *x)
        return as_tuple(pullback(like(value, numbers(loosened(dd.value(value))))))

    return dd.jvp(pull, tuple(xs), tuple(vs))[1]


def reverse_over_forward(f: Function, xs: Arrays, vs: Arrays) -> Any:
    def along(*x: Any) -> Any:
        tangent = dd.jvp(f, x, tuple(vs))[1]
        return inner(numbers(loosened(dd.value(tangent))), tangent)

    return as_tuple(dd.vjp(along, *xs)[1](1.0))


def jets(f: Function, xs: Arrays, vs: Arrays) -> Any:
    """With dicts, which stay: a tuple of numbers would be one array."""
    return dd.taylor(lambda a: f(*a.values()), dict(enumerate(xs)), 3, direction=dict(enumerate(vs)))


TRANSFORMS: dict[str, Any] = {
    "one direction": direction,
    "lexicographic": lexicographic,
    "many directions": many,
    "pullback": pullback,
    "jacobian": jacobian,
    "row-local": row_local,
    "reverse": lambda f, xs, vs: jacobian(f, xs, vs, mode="reverse"),
    "jets": jets,
    "forward over reverse": forward_over_reverse,
    "reverse over forward": reverse_over_forward,
}
COMPLEX = ("many directions", "row-local", "forward over reverse")  # for cases of complex numbers
NAMES = [n for n in EXAMPLES if n.removeprefix("complex ") not in OF_LISTS and not n.startswith(OF_ARRAYS)]


def compare(name: str, transform: str) -> None:
    f, arrays, directions = EXAMPLES[name]()
    try:
        due = TRANSFORMS[transform](f, arrays, directions)
    except NotApplicable:
        return
    got = TRANSFORMS[transform](f, strict(arrays), strict(directions))
    for g, d in zip(leaves(loosened(got)), leaves(due), strict=True):
        assert np.shape(g) == np.shape(d)
        size = np.max(np.abs(d), initial=0, where=np.isfinite(d))
        np.testing.assert_allclose(g, d, rtol=1e-11, atol=1e-12 * (1 + size))


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    for transform in TRANSFORMS if name in REAL else COMPLEX:
        compare(name, transform)


def test_places_that_depend_on_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sparse derivative can't be had of them, and says so; a dense one can."""
    x = np.array([0.5, -2.0, 1.5])
    monkeypatch.setattr(sweep, "SMALL", 0)

    def written(x: Any) -> Any:
        y = x * 1.0
        y[x < 1] = 2 * x[0]
        return y

    chosen = lambda x: np.where(x > 1, -x, x[::-1] * x)
    np.testing.assert_array_equal(loosened(dd.jacobian(chosen)(Strict(x))), dd.jacobian(chosen)(x))
    for f in (lambda x: np.sort(x)[::-1] ** 2, lambda x: x[x > 0] ** 2, written):
        np.testing.assert_array_equal(loosened(dd.jacobian(f)(Strict(x))), dd.jacobian(f)(x))
        with pytest.raises(dd.StructureLostError, match=r"by values of type Strict.*sparse=True"):
            dd.jacobian(f, sparse=True)(Strict(x))


TIED: dict[str, Any] = {
    "relu": lambda x: dd.relu(x) - dd.relu(-x),
    "max": lambda x: np.max(np.stack([x, -x, 2 * x]), axis=0) + np.max(x),
    "sort": lambda x: np.sort(np.concatenate([x, x[::-1], 0 * x])),
    "median": lambda x: np.median(np.stack([x, -x, 0 * x]), axis=0),
    "norm": lambda x: np.linalg.norm(x[:2]) * x,
    "where": lambda x: np.maximum(x, 0.0) * np.sign(x + 1),
}


@pytest.mark.parametrize("name", TIED)
def test_ties_in_the_order_of_tangents(name: str) -> None:
    x, v = np.array([0.0, 0.0, 1.0]), np.array([1.0, -2.0, 3.0])
    with dd.kinks("lexicographic"):
        value, tangent = dd.jvp(TIED[name], (Strict(x),), (Strict(v),))
        due, along = dd.jvp(TIED[name], (x,), (v,))
        np.testing.assert_array_equal(loosened(value), due)
        np.testing.assert_array_equal(loosened(tangent), along)
        np.testing.assert_array_equal(loosened(dd.jacobian(TIED[name])(Strict(x))), dd.jacobian(TIED[name])(x))


def test_a_dual_of_strict_values() -> None:
    """A Dual goes before such a value, on either side of an operator."""
    x, v, w = Strict(np.arange(3.0)), Strict(np.ones(3)), Strict(np.full(3, 2.0))
    dual = dd.Dual(x, v)
    assert isinstance(dual.value, Strict) and isinstance(dual.tangent, Strict)
    for product in (dual * w, w * dual, np.multiply(w, dual), np.multiply(dual, w)):
        assert isinstance(product, dd.DualArray) and isinstance(product.value, Strict)
        np.testing.assert_array_equal(loosened(product.tangent), [2, 2, 2])
    np.testing.assert_array_equal(loosened((w @ dual).tangent), 6)
    assert isinstance(np.concatenate([w, dual]), dd.DualArray)


def test_what_asks_for_the_memory_is_refused() -> None:
    x = Strict(np.ones(3))
    for act in (np.asarray, np.array, float, complex, lambda x: np.sum([x, x])):
        with pytest.raises(Escaped):
            act(x)
    assert not isinstance(x, np.ndarray) and not any(hasattr(x, n) for n in ("__array_interface__", "flags", "item"))
    assert x[1:].base is x.T[:2].base is x.reshape(3, 1).base is x and (x + 1).base is x[0].base is None
    assert bool(x[0] == 1) and loosened((x + np.ones(3))[1:] @ np.ones(2)) == 4
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x == 1)
