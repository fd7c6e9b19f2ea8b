"""What NumPy and SciPy make of comparisons: coefficients that are 0 but move, and ties in arrays of objects."""

from __future__ import annotations

import contextvars
import itertools
import operator
import types

import numpy as np
import pytest
from numpy.polynomial import Chebyshev, Polynomial
from numpy.polynomial.polynomial import polydiv, polyint, polyval
from numpy.polynomial.polyutils import getdomain

import dualdiff as dd
from tests.fuzz.checks import dense, locally
from tests.modes import agrees

WAYS = [
    dd.jacobian,
    lambda f: dd.jacobian(f, chunk_size=1),
    lambda f: dd.jacobian(f, mode="reverse"),
    lambda f: dd.jacobian(f, sparse=True),
    lambda f: locally(dd.jacobian(f)),
    lambda f: dd.compile(dd.jacobian(f)),
]


def fresh(f):
    """A copy of f that no call has seen: that a function needs its names followed is kept in mind."""
    code = f.__code__.replace(co_name=f"{f.__name__}{next(serial)}")
    return types.FunctionType(code, f.__globals__, f.__name__, f.__defaults__, f.__closure__)


serial = itertools.count()


def everywhere(f, at, expected, ways=WAYS):
    for way in ways:
        f = fresh(f)
        np.testing.assert_allclose(dense(way(f)(np.array(at))).reshape(np.shape(expected)), expected)


# ---------------------------------------------------------------- coefficients that are 0

POLYNOMIALS = [
    (lambda x: np.poly1d([x[0], x[1]])(2.0), [0.0, 0.0]),
    (lambda x: np.poly1d(x)(x[1]) * np.poly1d(x[::-1])(2.0), [0.0, 1.0, 0.0]),
    (
        lambda x: np.poly1d([1.0, x[0]]).deriv()(x[1]) + (np.poly1d([x[0], 0.5]) * np.poly1d([x[1], 2.0]))(0.5),
        [0.0, 0.0],
    ),
    (lambda x: (Polynomial([x[0], x[1]]) * Polynomial([1.0, 2.0]))(2.0), [0.0, 0.0]),
    (lambda x: (Polynomial([x[0], x[1]]) ** 2 + Polynomial([x[1], x[0], x[0]]))(x[1]), [0.0, 0.0]),
    (lambda x: (Chebyshev([1.0, x[1], x[0]]) - Chebyshev([1.0, 2.0, x[1]])).deriv()(2.0), [0.0, 0.0]),
    (lambda x: polyval(2.0, polyint([x[0]])), [0.0, 1.0]),
]


@pytest.mark.parametrize("f, at", POLYNOMIALS)
def test_coefficients_that_are_zero(f, at):
    agrees(f, at)


@pytest.mark.filterwarnings("ignore:.lagrange. is deprecated")
def test_interpolation_that_starts_at_zero():
    lagrange = pytest.importorskip("scipy.interpolate").lagrange
    agrees(lambda y: lagrange([0.0, 1.0, 2.0], y)(0.5), np.zeros(3))


def test_what_polynomials_divide_by():
    with pytest.raises(dd.TangentLossError, match=r"first coefficient is 0 but moves.*test_asked"):
        dd.gradient(lambda x: polydiv([1.0, 2.0, 3.0], [1.0, x[0]])[0][0])(np.array([0.0]))


NAN = np.nan
TRIMMED = [
    (lambda x: np.trim_zeros(x * np.array([0.0, 1.0, 0.0])), [3.0, 1.0, 2.0], [[0, 1, 0]]),
    (lambda x: np.trim_zeros(x), [0.0, 1.0, 0.0, 2.0], [[NAN, 1, 0, 0], [NAN, 0, 1, 0], [NAN, 0, 0, 1]]),
    (lambda x: np.trim_zeros(x, "b"), [0.0, 1.0, 0.0], [[1, 0, NAN], [0, 1, NAN]]),
    (lambda x: np.sum(np.trim_zeros(x**2)), [0.0, 1.0], [0, 2]),
    (lambda x: np.polydiv(x, np.array([1.0, -1.0, 2.0]))[1], [1.0, -1.0, 3.0], [[NAN, NAN, 1]]),
    (lambda x: np.polydiv(x, np.array([1.0, -1.0]))[1], [1.0, -3.0, 2.0], [[1, 1, 1]]),
    (lambda x: np.polydiv(x, np.array([1.0, -1.0, 2.0]))[1], [0.0, 1.0], [[NAN, 1]]),
]


@pytest.mark.parametrize("f, at, expected", TRIMMED)
def test_zeros_cut_off(f, at, expected):
    everywhere(f, at, expected)


def test_zeros_cut_off_second_order():
    h = dd.hessian(lambda x: np.sum(np.trim_zeros(x**2)))(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(h, [[NAN, 0], [0, 2]])


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.2.0", reason="of vectors only")
def test_zeros_cut_off_a_matrix():
    j = dd.jacobian(lambda x: np.trim_zeros(np.reshape(x, (2, 2)), axis=0))(np.array([0.0, 0.0, 1.0, 0.0]))
    np.testing.assert_array_equal(j, [[[NAN, NAN, 1, 0], [NAN, NAN, 0, 1]]])


@pytest.mark.parametrize("f", [np.trim_zeros, lambda x: np.trim_zeros(x * 0)])
def test_zeros_of_which_nothing_is_left_to_tell(f):
    with pytest.raises((dd.TangentLossError, dd.NotDifferentiableError), match=r"trim_zeros.*value\(x\)"):
        dd.jacobian(f)(np.zeros(2))


def test_weights_that_are_zero():
    logsumexp = pytest.importorskip("scipy.special").logsumexp
    e = np.exp([1.0, 2.0, 3.0])
    f = lambda b: logsumexp([1.0, 2.0, 3.0], b=b)
    everywhere(f, [0.0, 1.0, 1.0], e / (e[1] + e[2]), WAYS[:-1])
    everywhere(f, np.zeros(3), np.full(3, np.inf), WAYS[:-1])
    everywhere(lambda b: logsumexp([-np.inf, 2.0], b=b), [0.0, 1.0], [0, 1], WAYS[:-1])
    agrees(lambda v: logsumexp(v[:2] + v[2], b=v[1:]), [1.0, 2.0, 0.0])
    everywhere(lambda b: logsumexp([1.0, 2.0], b=b, return_sign=True)[0], [0.0, -1.0], [-np.exp(-1), -1], WAYS[:-1])
    everywhere(lambda b: logsumexp([0.0, 0.0], b=b, return_sign=True)[0], np.zeros(2), [np.inf, np.inf], WAYS[:-1])
    with pytest.raises(dd.NotDifferentiableError, match="overflows"):
        dd.gradient(lambda b: logsumexp([1e3, 2.0], b=b))(np.array([0.0, 1.0]))


@pytest.mark.parametrize("name, y", [("xlogy", 2.0), ("xlog1py", 0.0)])
def test_second_derivatives_where_a_factor_is_zero(name, y):
    f = getattr(pytest.importorskip("scipy.special"), name)
    agrees(lambda v: f(v[0], v[1]), [0.0, y])


LIKE = [
    lambda x: np.arange(x[0], x[0] + 3, like=x) * x[1],
    lambda x: np.arange(x[0], x[0] + 3 * x[1], x[1], like=x),
    lambda x: np.ascontiguousarray(x, like=x) ** 2,
    lambda x: np.asarray([x[0], 2.0, x[1]], like=x) ** 2,
    lambda x: np.array(x[0], like=x) * x[1] + np.full(2, x[1], like=x),
]


@pytest.mark.parametrize("f", LIKE)
def test_like(f):
    agrees(f, [0.3, 1.2])


# ---------------------------------------------------------------- ties in arrays of objects

OPERATORS = {">=": operator.ge, "<=": operator.le}
HALF = np.eye(2) / 2


TIES = [
    (lambda x: np.maximum(np.array([x[0], x[1]]), 0.0), [0.0, 0.0], HALF),
    (lambda x: np.maximum(0.0, np.array([x[0], x[1]])), [0.0, 0.0], HALF),
    (lambda x: np.fmin(0.0, np.array([x[0], x[1]])), [0.0, 0.0], HALF),
    (lambda x: np.minimum(np.array([x[0], x[1]]), x[0]), [1.0, 1.0], [[1, 0], [0.5, 0.5]]),
    (lambda x: np.max(np.array([x[0], x[1]])), [1.0, 1.0], [0.5, 0.5]),
    (lambda x: np.array([x[0], x[1]]).min(), [1.0, 1.0], [0.5, 0.5]),
    (lambda x: np.maximum.reduce(np.array([x[0], x[1]])), [1.0, 1.0], [0.5, 0.5]),
    (lambda x: np.clip(np.array([x[0], x[1]]), 0.0, 1.0), [0.0, 1.0], HALF),
    (lambda x: np.sort(np.array([x[1], x[0]])), [1.0, 1.0], np.eye(2)[::-1]),
    (lambda x: np.abs(np.array([x[0], x[1]])), [0.0, 1.0], [[0, 0], [0, 1]]),
    # What Python decides, and what gives places only, goes on as ever.
    (lambda x: x[np.argmax(np.array([x[0], x[1]]))], [1.0, 1.0], [1, 0]),
    (lambda x: x[0] if operator.le(x[0], x[1]) else x[1], [1.0, 1.0], [1, 0]),
    (lambda x: x[0] if OPERATORS[">="](x[0], x[1]) else x[1], [1.0, 1.0], [1, 0]),
    (lambda x: x[0] if all(map(OPERATORS["<="], [x[0]], [x[1]])) else x[1], [1.0, 1.0], [1, 0]),
    (lambda x: x[0] * np.sum(np.greater_equal(np.array([x[0], x[1]]), 1.0)), [1.0, 1.0], [2, 0]),
    (lambda x: max(x[0], x[1]), [1.0, 1.0], [1, 0]),
    (lambda x: sorted([x[1], x[0]])[0], [1.0, 1.0], [0, 1]),
    (lambda x: x[0] if x[0] == x[1] and x[0] in [x[1]] else 0 * x[0], [1.0, 1.0], [1, 0]),
]


@pytest.mark.parametrize("f, at, expected", TIES)
def test_ties(f, at, expected):
    everywhere(f, at, expected)
    everywhere(f, np.array(at, np.float32), expected, WAYS[:2])


@pytest.mark.parametrize("f, at, expected", TIES)
def test_ties_while_kinks_are_watched_elsewhere(f, at, expected):
    context = contextvars.copy_context()
    watching = dd.kinks("warn")
    context.run(watching.__enter__)
    try:
        everywhere(f, at, expected, WAYS[:3])
    finally:
        context.run(watching.__exit__, None, None, None)


def test_ties_decided_by_tangents():
    with dd.kinks("lexicographic"):
        for f in (lambda x: np.maximum(np.array([x[0], x[1]]), 0.0), lambda x: np.max(np.array([x[0], x[1]]))):
            j = dd.jacobian(f)(np.zeros(2))
            assert set(np.ravel(j)) <= {0.0, 1.0} and np.any(j)
        np.testing.assert_array_equal(dd.jacobian(lambda x: Model().top(x))(np.zeros(2)), np.eye(2))


class Model:
    __slots__ = ()  # which is not followed

    def top(self, x):
        return np.maximum(np.array([x[0], x[1]]), 0.0)

    def lowest(self, x):
        a = np.array([x[1], x[0]])
        a.sort()
        return a[0]

    def first(self, x):
        return x[np.argmax(np.array([x[0], x[1]]))]


@pytest.mark.parametrize("way", WAYS[:-1])
def test_ties_in_what_is_not_followed(way):
    for f in (lambda x: Model().top(x), lambda x: Model().lowest(x), lambda x: getdomain(np.array([x[0], x[1]]))[0]):
        with pytest.raises(dd.TangentLossError, match=r"a tie in an array of objects.*test_asked.*np\.stack"):
            way(f)(np.zeros(2))
    np.testing.assert_array_equal(dense(way(lambda x: Model().first(x))(np.zeros(2))).ravel(), [1, 0])
    np.testing.assert_array_equal(dense(way(lambda x: Model().top(x))(np.array([1.0, -1.0]))), [[1, 0], [0, 0]])


M = np.cos(np.arange(12.0)).reshape(3, 4)
PRODUCTS = {
    "matrix": lambda x: M.dot(x),
    "and a method": lambda x: M.dot(x).mean() + M.dot(x * x)[1:].sum(),
    "one inside another": lambda x: M.T.dot(M.dot(x)),
    "vector": lambda x: M[0].dot(x),
    "integers": lambda x: np.arange(8).reshape(2, 4).dot(x),
    "complex": lambda x: (M + 1j * M[::-1]).dot(x).imag + M.dot(x * (1 + 2j)).real,
    "more axes": lambda x: M[:, None].dot(x[:, None] * x),
    "strides": lambda x: M[::2, ::-1].dot(x[::-1]),
    "no axes": lambda x: M[0, 0, ...].dot(x),
    "a choice": lambda x: M.dot(x if x[0] > 0 else 2 * x),
    "objects": lambda x: np.array([x[0], x[1], 2.0, 3.0]).dot(x),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_method_dot_of_a_plain_array(name):
    agrees(PRODUCTS[name], [0.3, -0.7, 1.1, 0.5])
    f = dd.compile(PRODUCTS[name])
    for x in (np.array([0.3, -0.7, 1.1, 0.5]), np.array([1.3, 0.7, -1.1, 2.5])):
        np.testing.assert_allclose(f(x), PRODUCTS[name](x), rtol=1e-13)


def test_dot_is_one_product():
    x = np.ones(4)
    operations = [row.operation for row in dd.trace(lambda x: M.dot(x).sum(), x).rows]
    assert len(operations) <= 4
    weights = np.array([[np.nan, 1, 2, np.inf]])
    np.testing.assert_array_equal(dd.jacobian(lambda x: weights.dot(x))(x), weights)
    single = dd.jacobian(lambda x: M.astype(np.float32).dot(x))
    assert single(x.astype(np.float32)).dtype == np.float32 and single(x).dtype == float
    exact = np.longdouble(1) / 3
    np.testing.assert_array_equal(dd.jvp(lambda x: np.full((1, 4), exact).dot(x), (x,), (x,))[0], [4 * exact])
    with pytest.raises(ValueError, match="shapes"):
        dd.jacobian(lambda x: M.T.dot(x))(x)
