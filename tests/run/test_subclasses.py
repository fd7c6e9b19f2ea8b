"""Subclasses of ndarray: plain where they only carry names or memory; refused where they compute by themselves."""

from __future__ import annotations

import copy
import subprocess
import sys
import warnings

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.transforms import forward
from tests.fuzz.checks import dense, locally
from tests.modes import agrees

X = np.array([0.3, 1.2, 0.7])
Q = np.array([1.0, 2.0, 3.0])


class Named(np.ndarray):
    name = "harmless"

    def __array_finalize__(self, other):
        self.unit = getattr(other, "unit", None)


class Own(np.ndarray):
    def __add__(self, other):
        return np.asarray(self) * 2 + other


class OwnMean(np.ndarray):
    def mean(self, *args, **kwargs):
        return 0.0


class Quantity(np.ndarray):
    """As astropy's: on the left of an operator it takes the `.value` of what is on the right."""

    value = property(lambda self: self.view(np.ndarray))

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return np.asarray(getattr(ufunc, method)(*[getattr(v, "value", v) for v in inputs], **kwargs)).view(Quantity)

    def __mul__(self, other):
        return super().__mul__(other)


class Functions(np.ndarray):
    def __array_function__(self, func, types, args, kwargs):
        plain = [v.view(np.ndarray) if isinstance(v, np.ndarray) else getattr(v, "value", v) for v in args]
        return func(*plain, **kwargs)


class Polite(np.ndarray):
    """Leaves what it does not know to others, as the protocols want it."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if any(isinstance(v, dd.Dual) for v in inputs):
            return NotImplemented
        return getattr(ufunc, method)(*[v.view(np.ndarray) if v is self else v for v in inputs], **kwargs)


def into_buffer(q, x):
    y = np.zeros(3)
    y[:] = (q * x).view(np.ndarray)
    return y


def written(q, x):
    y = x * 1
    y[...] = q
    y *= q
    return y * x


WAYS = [
    dd.jacobian,
    lambda f: dd.jacobian(f, chunk_size=1),
    lambda f: dd.jacobian(f, mode="reverse"),
    lambda f: dd.jacobian(f, sparse=True),
    lambda f: locally(dd.jacobian(f)),
    lambda f: dd.compile(dd.jacobian(f)),
]

USES = [
    lambda q, x: q * x + q,
    lambda q, x: x @ q - x[0] / q,
    lambda q, x: np.maximum(q, 2 * x) + np.where(x > 0.5, x, q),
    lambda q, x: np.concatenate([q, x]) * np.stack([x, q]).ravel()[::-1].sum(),
    lambda q, x: np.einsum("i,i->i", q, x) + np.linalg.norm(x - q) + np.interp(x, Q - 1, q),
    written,
]


def memmap(tmp_path):
    made = np.memmap(tmp_path / "numbers", float, "w+", shape=3)
    made[...] = Q
    return made


@pytest.mark.parametrize("f", USES)
@pytest.mark.parametrize("kind", [np.memmap, np.recarray, Named])
def test_as_plain_arrays(f, kind, tmp_path):
    q = memmap(tmp_path) if kind is np.memmap else Q.view(kind)
    agrees(lambda x: f(q, x), X)
    np.testing.assert_allclose(dd.compile(dd.jacobian(f, 1))(q, X), dd.jacobian(f, 1)(Q, X))


@pytest.mark.parametrize("kind", [np.memmap, np.recarray, Named])
def test_as_arguments_and_results(kind, tmp_path):
    q = memmap(tmp_path) if kind is np.memmap else Q.view(kind)
    results = [
        *[way(np.cos)(q) for way in WAYS],
        dd.gradient(np.sum)(q),
        dd.hessian(lambda x: np.sum(x**3))(q),
        dd.derivative(np.sin)(q),
        *dd.jvp(np.sin, (q,), (q,)),
        dd.vjp(np.sin, q)[1](q),
        dd.jacobian(lambda x: q)(X),
    ]
    assert {type(dense(r)) for r in results} == {np.ndarray}
    np.testing.assert_allclose(results[0], np.diag(-np.sin(Q)))
    np.testing.assert_array_equal(q, Q)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [Own, OwnMean, Quantity, Functions])
def test_those_that_compute(kind, way):
    q = Q.view(kind)
    for f in (lambda x: x * q, lambda x: np.multiply(x, q) + 1, lambda x: np.dot(x, q), lambda x: written(q, x)):
        with pytest.raises(dd.NotDifferentiableError, match=rf"{kind.__name__}\b.*test_subclasses"):
            way(f)(X)
    with pytest.raises(dd.NotDifferentiableError, match=rf"argument 0 is of class {kind.__name__}.*np\.asarray"):
        way(np.sin)(q)


LOSSES = [
    lambda q, x: (q * x).view(np.ndarray),
    lambda q, x: np.asarray(q - x[0]) + x,
    lambda q, x: np.add(q, x).value,
    into_buffer,
]


@pytest.mark.parametrize(
    "way", [*WAYS[:-1], lambda f: dd.value_and_jacobian(f), lambda f: dd.hessian(lambda x: f(x)[0])]
)
@pytest.mark.parametrize("f", LOSSES)
def test_those_that_are_asked_first(f, way):
    q = Q.view(Quantity)
    before = sys.getprofile()
    with pytest.raises(dd.NotDifferentiableError, match=r"Quantity.*\(at test_subclasses.*np\.asarray"):
        way(lambda x: f(q, x))(X)
    assert sys.getprofile() is before


def test_the_line_is_that_of_the_user():
    q = Q.view(Quantity)

    def f(x):
        return (q * x).value

    with pytest.raises(dd.NotDifferentiableError, match=rf"at test_subclasses.py:{f.__code__.co_firstlineno + 1}\)"):
        dd.jacobian(f)(X)


def test_what_leads_back_to_itself():
    ring: list = []
    ring += [ring, lambda x: copy.deepcopy(x) if ring else x]
    agrees(lambda x: ring[1](x) ** 2, X)
    ring.append({"q": Q.view(Quantity)})
    with pytest.raises(dd.NotDifferentiableError, match="Quantity"):
        dd.jacobian(lambda x: (ring[2]["q"] * x).value)(X)


def test_classes_made_after_the_derivative(monkeypatch):
    q = Q.view(Quantity)
    with monkeypatch.context() as patch:
        patch.setattr(forward, "foreign", lambda: False)
        derivative = dd.derivative(lambda x: (q * x).value[0])
    with pytest.raises(dd.NotDifferentiableError, match="Quantity"):
        derivative(2.0)


def test_those_that_are_asked_first_of_functions():
    q = Q.view(Functions)
    for mode in ("forward", "reverse"):
        with pytest.raises(dd.NotDifferentiableError, match=r"Functions.__array_function__ \(at test_subclasses"):
            dd.jacobian(lambda x: np.dot(q, x) * 1.0, mode=mode)(X)


class Model:
    def __init__(self, q):
        self.q = q

    def __call__(self, x):
        return (self.q * x).value


@pytest.mark.parametrize(
    "hold", [Model, lambda q: lambda x: (q * x).value[0], lambda q: lambda x: (q * x).value[0] + x]
)
def test_however_they_are_reached(hold):
    q = Q.view(Quantity)
    with pytest.raises(dd.NotDifferentiableError, match="Quantity"):
        dd.jacobian(hold(q))(X)
    with pytest.raises(dd.NotDifferentiableError, match="Quantity"):
        dd.jacobian(lambda c, x: (c["q"][0] * x).value, 1)({"q": [q]}, X)
    with pytest.raises(dd.NotDifferentiableError, match="Quantity"):
        dd.derivative(hold(q))(2.0)


def test_those_that_leave_it_to_others_and_comparisons():
    polite, q = Q.view(Polite), Q.view(Quantity)
    with pytest.raises(dd.NotDifferentiableError, match="Polite"):
        dd.jacobian(lambda x: polite * x)(X)

    def otherwise(x):
        try:
            return polite * x
        except TypeError:
            return np.asarray(polite) * x

    np.testing.assert_allclose(dd.jacobian(otherwise)(X), np.diag(Q))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(dd.jacobian(lambda x: x * np.asarray(q < 2 * x))(X), np.diag(Q < 2 * X))
        np.testing.assert_allclose(dd.jacobian(lambda x: np.asarray(q) * x)(X), np.diag(Q))


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_masked_arrays_and_matrices(mode):
    for q, why in ((np.ma.array(Q, mask=[0, 1, 0]), "masked array"), (np.asmatrix(Q), "np.matrix")):
        for f in (lambda x, q=q: x * q, lambda x, q=q: np.add(q, x), lambda x, q=q: q):
            with pytest.raises(TypeError, match=why):
                dd.jacobian(f, mode=mode)(X)
        with pytest.raises(TypeError, match=why):
            dd.jacobian(np.sin, mode=mode)(q)


def test_functions_that_reach_themselves_through_containers() -> None:
    table = {}

    def double(x):
        return table["double"](x - 1.0) if x > 5.0 else 2.0 * x

    table.update(double=double, table=table)

    class Other(np.ndarray):
        __array_ufunc__ = None

    assert dd.derivative(lambda x: double(x) * x)(3.0) == 12.0
    assert Other


def test_none_of_our_own() -> None:
    """Else every derivative would be taken with care for them, at eight times the cost of a small one."""
    code = "import numpy as np, dualdiff as dd; from dualdiff.run.foreign import foreign; "
    code += "dd.derivative(np.sin)(1.0), dd.gradient(np.sum)(np.ones(3)); assert not foreign()"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
