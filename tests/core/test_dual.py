"""The number itself: operators, comparisons, assignment, attributes, copies, object arrays, and what it refuses."""

from __future__ import annotations

import copy
import math
import operator
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dualdiff as dd
from dualdiff import Dual, DualArray, NotDifferentiableError, TangentLossError

settings.register_profile("short", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("short")


def difference(f: Callable[..., Any], x: Any, v: Any, h: float = 1e-6) -> Any:
    like = np.asarray if isinstance(x, np.ndarray) else np.float64  # an array without axes stays one
    return (np.asarray(f(like(x + h * v))) - np.asarray(f(like(x - h * v)))) / (2 * h)


def agrees(f: Callable[..., Any], x: Any) -> None:
    """f of a Dual has the value and the dtype of f of the plain number, and the tangent of central differences."""
    v = np.cos(np.arange(np.size(x)) + 1.0).reshape(np.shape(x)).astype(np.asarray(x).dtype)
    due = f(copy.copy(x))
    value, tangent = dd.jvp(f, (x,), (v,))
    assert np.shape(value) == np.shape(due)
    assert np.asarray(value).dtype == np.asarray(tangent).dtype == np.asarray(due).dtype
    short = {np.asarray(x).dtype, np.asarray(due).dtype} & {np.dtype("f4"), np.dtype("c8")}
    np.testing.assert_allclose(value, due, rtol=1e-6 if short else 1e-15)
    wide = {"rtol": 1e-4, "atol": 1e-5} if short else {"rtol": 1e-7, "atol": 1e-7}
    if not short or np.asarray(f(np.asarray(x, float))).dtype.itemsize > 4:
        x64 = x.astype(float) if isinstance(x, np.ndarray) else np.float64(x)
        np.testing.assert_allclose(tangent, difference(f, x64, v.astype(float)), **wide)
    for chunk_size in (None, 1):
        j = dd.jacobian(f, chunk_size=chunk_size)(x)
        assert np.shape(j) == np.shape(due) + np.shape(x)
        np.testing.assert_allclose(
            np.tensordot(j, v, np.ndim(v)), tangent, rtol=1e-5 if short else 1e-13, atol=1e-6 if short else 1e-14
        )


# ---------------------------------------------------------------- operators

OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod]
NUMBERS: dict[str, Any] = {
    "float": 1.3,
    "array without axes": np.array(1.3),
    "float32": np.float32(1.3),
    "vector": np.array([1.3, 0.45, 2.2]),
    "matrix": np.array([[1.3, 0.45, 2.2], [0.7, 1.9, 3.1]]),
    "float32 vector": np.array([1.3, 0.45, 2.2], np.float32),
}
OTHERS: dict[str, Any] = {
    "int": 2,
    "bool": True,
    "float": 2.5,
    "complex": 1.5 + 2j,
    "np.float64": np.float64(2.5),
    "np.float32": np.float32(2.5),
    "np.int64": np.int64(2),
    "np.complex128": np.complex128(1.5 + 2j),
    "array without axes": np.array(2.5),
    "vector": np.array([2.5, 0.6, 1.7]),
    "int vector": np.array([1, 2, 3]),
    "float32 vector": np.array([2.5, 0.6, 1.7], np.float32),
    "column": np.array([[2.5], [0.6]]),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_operator_on_either_side(op: Any, number: str, other: str) -> None:
    x, y = NUMBERS[number], OTHERS[other]
    if op is operator.mod and "complex" in other:
        for f in (lambda v: v % y, lambda v: y % v):
            with pytest.raises(TypeError):
                dd.jvp(f, (x,), (x,))
        return
    if op is operator.pow and other == "np.int64" and "float32" in number:
        y = 2  # NumPy's releases differ in the dtype
    agrees(lambda v: op(v, y), x)
    agrees(lambda v: op(y, v), x)
    if number != "float32":  # once widened, a scalar is a Python float, which widens no other
        agrees(lambda v: op(v, v * y), x)


def test_lists_are_arrays_to_operators() -> None:
    x = np.array([1.3, 0.45, 2.2])
    for op in OPERATORS:
        agrees(lambda v, op=op: op(v, [2.5, 0.6, 1.7]), x)
        agrees(lambda v, op=op: op([2.5, 0.6, 1.7], v), x)


def test_unary_operators_and_pow() -> None:
    for x in (-1.3, np.array([-1.3, 0.4])):
        for f in (operator.neg, operator.pos, abs, lambda v: pow(v, 3), lambda v: divmod(v, 0.7)[1]):
            agrees(f, x)


@pytest.mark.parametrize("other", ["x", "[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]", "[1.0, 2.0, 3.0]"])
def test_matrix_product_on_either_side(other: str) -> None:
    x = np.array([[1.3, 0.45, 2.2], [0.7, 1.9, 3.1], [0.2, 0.5, 1.0]])
    y = x if other == "x" else np.array(eval(other))
    agrees(lambda v: v @ y, x)
    agrees(lambda v: y.T @ v, x)
    agrees(lambda v: v @ v, x)
    with pytest.raises((TypeError, ValueError), match="matmul"):
        Dual(x, x) @ 2.0
    with pytest.raises((TypeError, ValueError), match="matmul"):
        Dual(2.0, 1.0) @ x


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_fractions_are_numbers(op: Any) -> None:
    agrees(lambda v: op(v, Fraction(3, 2)), 1.3)
    agrees(lambda v: op(Fraction(3, 2), v), 1.3)


FLAT = [operator.floordiv, lambda v, y: divmod(v, y)[0]]


@pytest.mark.parametrize("f", FLAT, ids=["//", "divmod"])
@pytest.mark.parametrize("other", ["int", "float", "np.float64", "vector", "column"])
def test_integer_division_is_flat(f: Any, other: str) -> None:
    """Piecewise constant: the value is NumPy's, the derivative zero."""
    for x in (7.3, np.array([7.3, -2.4, 9.2])):
        for g in (lambda v: f(v, OTHERS[other]), lambda v: f(OTHERS[other], v)):
            value, tangent = dd.jvp(g, (x,), (x,))
            np.testing.assert_array_equal(value, g(x))
            np.testing.assert_array_equal(tangent, np.zeros_like(value))


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda op: op.__name__)
def test_comparisons_see_values_only(compare: Any) -> None:
    for x in (1.3, np.array([1.3, 0.45, 2.2])):
        for y in (1, 1.3, np.float64(1.3), np.array([1.3, 0.5, 0.1]), 0.4):
            number, same = Dual(x, np.ones_like(x)), Dual(y, np.zeros_like(y, float))
            for got in (compare(number, y), compare(number, same)):
                np.testing.assert_array_equal(got, compare(x, y), strict=isinstance(got, np.ndarray))
                assert not isinstance(got, Dual)
            np.testing.assert_array_equal(compare(y, number), compare(y, x))
    assert (Dual(1.0, 2.0) == "one") is False
    assert (Dual(1.0, 2.0) != None) is True  # noqa: E711


def test_a_number_as_a_condition_and_as_an_int() -> None:
    x = Dual(-2.7, 1.0)
    assert bool(x) is True
    assert bool(Dual(0.0, 1.0)) is False
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Dual([1.0, 2.0]))
    for f in (int, math.floor, math.ceil, math.trunc, round):
        assert f(x) == f(-2.7)
        assert type(f(x)) is int
    assert round(x, 1) == -2.7
    assert type(round(x, 1)) is float
    with pytest.raises(TypeError):
        [1, 2, 3][Dual(1.0, 1.0)]  # a float is no index, with a tangent or without


IN_PLACE = ["y += {}", "y -= {}", "y *= {}", "y /= {}", "y **= {}", "y %= {}"]


@pytest.mark.parametrize("statement", IN_PLACE)
@pytest.mark.parametrize("other", ["2", "2.5", "x", "y", "np.array([2.5, 0.6, 1.7])", "x[0]", "x[::-1]", "y[::-1]"])
def test_in_place(statement: str, other: str) -> None:
    """The array stays the same one, and what was a view of it sees the change."""
    names: dict[str, Any] = {"np": np}
    body = "y = 1.5 * x; z = y[1:]; k = id(y); " + statement.format(other)
    exec(f"def f(x): {body}; assert id(y) == k; return np.concatenate([y, z])", names)
    agrees(names["f"], np.array([1.3, 0.45, 2.2]))


def test_in_place_on_a_number_rebinds_it() -> None:
    def f(x: Any) -> Any:
        y = z = x
        y *= 3
        y += x
        y -= 1
        y /= 2
        y **= 2
        return y * z

    agrees(f, 1.3)


def test_in_place_keeps_dtype_and_shape() -> None:
    x = Dual(np.ones(3, np.float32), np.ones(3, np.float32))
    x += np.ones(3)
    assert x.value.dtype == x.tangent.dtype == np.float32
    with pytest.raises(ValueError, match="shape"):
        x += np.ones((2, 3))
    x @= np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(x.value, [2, 2, 2])


# ---------------------------------------------------------------- assignment

KEYS = """
0  -1  (1, 2)  slice(1, None)  slice(None, None, -1)  (slice(None), 2)  (..., 0)  (0, slice(None, None, 2))  ...  ()
[0, 2]  [True, False, True]  (slice(None), [3, 1])  ([0, 1], [2, 3])  (0, [1, 2])  mask  (odd, 1)  (odd, slice(2))
np.ix_([0, 2], [3, 1])  np.array(1)  np.int64(2)  (None, 0)  (slice(1, 1),)  []  np.array([[0, 1], [2, 0]])
"""
SOURCES = ["7.0", "x[0, 0]**2", "x[k] * x[1, 1]", "x[k][None] * 2", "x[k].tolist()", "K[k]", "np.max(x) + K[k]"]
CONSTANTS = {"np": np, "mask": np.arange(12).reshape(3, 4) % 3 == 1, "odd": np.array([True, False, True])}
CONSTANTS["K"] = np.linspace(2, 3, 12).reshape(3, 4)
MATRIX = np.sin(np.arange(12.0)).reshape(3, 4) + 2


def function_of(body: str, **names: Any) -> Callable[[Any], Any]:
    """A function of x by the statements of its body; it returns y."""
    names = {**CONSTANTS, **names}
    exec(f"def f(x):\n y = x * 1\n {body}\n return y", names)
    return names["f"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("key", re.split(r"\s{2,}|\n", KEYS.strip()))
def test_assignment(key: str, source: str) -> None:
    """Every kind of index on the left, and on the right plain and differentiated numbers that fit or broadcast."""
    f = function_of(f"y[k] = {source}", k=eval(key, dict(CONSTANTS)))
    try:
        f(MATRIX)
    except (TypeError, ValueError):  # what NumPy does not take is not taken
        with pytest.raises((TypeError, ValueError)):
            dd.jacobian(f)(MATRIX)
    else:
        agrees(f, MATRIX)


@pytest.mark.parametrize(
    "key", [([0, 1], slice(None), [1, 3]), (slice(None), [0, 1], None, [2, 3]), (0, slice(None), [1, 1])]
)
def test_assignment_where_index_arrays_are_apart(key: Any) -> None:
    x = np.sin(np.arange(24.0)).reshape(2, 3, 4)
    agrees(function_of("y[k] = x[k] * x[0, 0, 1]", k=key), x)
    agrees(function_of("y[k] = x[0, 0, 1]", k=key), x)
    agrees(function_of("y[k] += 1", k=key), x)


STATEMENTS = [
    "y[1:] = y[:-1]",  # overlapping
    "y[:] = y[::-1]",
    "y[:, 1:] += y[:, :-1]",
    "y += y[::-1]",
    "y *= y[:1]",
    "y[[0, 0]] = x[1:]",  # the last one wins
    "y[0], y[1] = y[1], y[0]",  # rows are views, so that this is no swap
    "y[0], y[1] = y[1].copy(), y[0].copy()",
    "y[[0, 1]] = y[[1, 0]]",
    "z = y; z[0] = 0; y[1] = z[0] + x[0]",
    "a = y[1:]; b = a.T; c = b[1:]; c[...] = 0 * c + x[0, 0]; b[0] = 5",
    "a = y.T; a[1:3, 0] = x[0, :2]; y[0] *= 2; a *= a",
    "a = y.reshape(4, 3); a[1] = x[2, 1:]; b = a.T[::-1]; b[0] += y[0, 0]",
    "a = y.ravel(); a[::5] = 0; a[[1, 2]] = x[0, :2] * a[3]",
    "a = y.reshape(2, 2, 3).transpose(2, 0, 1)[1:, ::-1]; a -= x[0, 0]; y[:, 0] = a[0, 0, 0]",
    "a = y[1]; y[1] = 3; y[0] = a; a[0] = x[1, 1]; y[2] = a",  # a view sees what its base gets
    "a = y[:2]; b = y[1:]; a[1] = x[0]; b[0, 0] = 9; a *= 2; b *= 3",
    "a = y[:, ::2]; a.fill(x[0, 1]); y[0, 0] = a[1, 0] * a[2, 1]",
    "y[...] = 0; y[1, 1] = x[0, 0]; y[0] = x.sum(axis=0)",
    "y[1] = [x[0, 0], 2.0, x[0, 1] * x[0, 2], 1]",
    "y[:2, :2] = [[x[0, 0], 2.0], [3, x[0, 1]]]",
    "y.T[...] = x[0, 0]",
    "y.flat",
    "y = np.zeros_like(x)\n for i in range(3): y[i] = x[i] * (y[i - 1] + 1)",
    "y = np.zeros((2, 2), like=x); y[0, 0] = x[1, 1]; y[1] = x[0, :2]",
    "y = np.empty_like(x); y[:] = x; y[0] = 1",
    "y = np.full_like(x, 2.0); y[1] += x[0]",
    "y = np.full_like(x, x[0, 0])",
    "y = np.full((2, 2), x[0, 0], like=x)",
    "y = np.ones_like(x[0]); y *= x[1]",
    "y = np.ones(3, like=x); y[:] *= x[:, 0]",
    "y = np.eye(4, like=x); y[0] = x[0]",
    "y = np.array([x[0, 0], x[1, 1]], like=x); y[0] *= 2",
    "y = 0 * x; y += x",
    "y = 1 * x; y *= x; y[0] += x[1]",
    "y = 0.0 + x; y -= 0; y /= 1; y[0] = 0",
    "a = np.asarray(y, like=x); a *= x",
    "a = np.ravel(y[0, ::2]); a *= x[0, :2]",  # a copy, since it is not contiguous
    "np.multiply(x, 2.0, out=y)",
    "np.add(x, y, out=y, where=mask)",
    "np.sin(x, out=y[::-1])",
    "np.sum(x, axis=0, out=y[1])",
    "np.copyto(y, 2 * x)",
    "np.copyto(y, x[0], where=mask)",
    "np.fill_diagonal(y, x[0, 0])",
    "np.put(y, [1, 5], x[0, :2])",
    "np.putmask(y, mask, 2 * x)",
    "np.place(y, mask, [1.0])",
]


@pytest.mark.parametrize("body", STATEMENTS)
def test_statements(body: str) -> None:
    agrees(function_of(body), MATRIX)


@pytest.mark.parametrize(
    "body", ["y = np.zeros_like(x); y[...] = 3 * x", "x *= 2; y = x", "y = x[...]; y += x; y[()] **= 2"]
)
def test_assignment_to_an_array_without_axes(body: str) -> None:
    agrees(function_of(body), np.array(1.3))


def test_what_can_not_be_assigned() -> None:
    x = Dual(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="broadcast"):
        x[:] = np.ones(2)
    with pytest.raises(ValueError, match="broadcast"):
        x[0:2] = Dual(np.ones(3), np.ones(3))
    with pytest.raises(IndexError):
        x[5] = 1.0
    with pytest.raises((TypeError, ValueError)):
        x[0] = "one"
    with pytest.raises(TypeError):
        Dual(1.0, 1.0)[0] = 2.0  # type: ignore[index]
    np.testing.assert_array_equal(x.value, [1, 1, 1])
    np.testing.assert_array_equal(x.tangent, [1, 1, 1])


# ---------------------------------------------------------------- attributes, methods, iteration

ATTRIBUTES = """
x.shape  x.ndim  x.size  x.dtype  x.itemsize  x.nbytes  len(x)  x.argmax()  x.argmin(axis=0)  x.argsort(1)  x.all()
x.any(axis=1)  x.nonzero()  np.argmax(x, 1)  np.shape(x)  np.ndim(x)  np.size(x)  np.result_type(x)  np.isfinite(x)
np.nonzero(x > 2)  np.floor(x)  np.rint(x)  np.round(x, 1)  np.sign(x)  x.round(1)  x.astype(int)  np.isclose(x, 2.0)
np.allclose(x, x)  np.count_nonzero(x)  np.array_equal(x, x)  np.searchsorted(x[0], 2.0)  np.digitize(x, [1.0, 2.0])
2.5 in x  x.tolist()[0][0] > 0  np.unravel_index(x.argmax(), x.shape)  [v.shape for v in x]
isinstance(x[0, 0], float) or x[0, 0] > 0  hasattr(x, 'sum')
"""


@pytest.mark.parametrize("source", re.split(r"\s{2,}|\n", ATTRIBUTES.strip()))
def test_what_looks_at_values_only(source: str) -> None:
    """The same answer as that of the plain array, without a tangent."""
    got, due = (eval(source, {"np": np, "x": x}) for x in (Dual(MATRIX, MATRIX), MATRIX))
    assert not isinstance(got, Dual)
    np.testing.assert_equal(got, due)
    assert type(got) is type(due) or isinstance(due, bool | np.bool)


METHODS = """
x.T  x.mT  x.real  x.sum(0)  x.mean()  x.std(axis=1)  x.var(ddof=1)  x.max(1)  x.min()  x.prod(axis=0)  x.cumsum()
x.cumprod(1)  x.dot(x.T)  x.reshape(4, 3)  x.ravel()  x.flatten()  x.transpose()  x.swapaxes(0, 1)  x.squeeze()
x.repeat(2)  x.take([0, 2])  x.diagonal()  x.trace()  x.clip(1.5, 2.5)  x.copy()  x.astype(float)  x.conj()
x.conjugate()  x.item(3)  x.item(1, 2)  x.imag  x.round(0) * x  x[0, 0].item()  x[:1, :1].item()
x.astype(np.complex128).real  x.sum(keepdims=True)  x.max(axis=(0, 1))
np.stack([row * 2 for row in x])  np.array([v * v for v in x[0]])  np.array(list(x.flat))
np.stack([a + b for a, b in zip(x, x[::-1])])  sum(x)  sum(x[0])  max(x[0])  min(x[0])  sorted(x[0])[1]
np.stack(list(reversed(x)))  [a * b for a, b, c, d in x][1]  [*map(np.sin, x[1])]  x[0].tolist()
np.dot(x[0].tolist(), x[1])  np.asarray(x) * 2  np.array(x) + x
np.full(3, x[0, 0]) * 2
"""


@pytest.mark.parametrize("source", re.split(r"\s{2,}|\n", METHODS.strip()))
def test_methods_and_iteration(source: str) -> None:
    agrees(lambda x: eval(source, {"np": np, "x": x}), MATRIX)


def test_a_number_has_the_attributes_of_a_numpy_scalar() -> None:
    x = Dual(1.5, 1.0)
    assert (x.shape, x.ndim, x.size, x.dtype) == ((), 0, 1, np.dtype(float))
    for f in (lambda v: v.real, lambda v: v.conjugate(), lambda v: v.sum(), lambda v: v.item(), lambda v: v.mean() * v):
        agrees(f, np.float64(1.5))
    with pytest.raises(TypeError):
        len(x)
    with pytest.raises(TypeError):
        iter(Dual(np.array(1.5), np.array(1.0)))
    with pytest.raises(AttributeError, match="nonsense"):
        x.nonsense  # noqa: B018


@pytest.mark.parametrize(
    "f", [np.sin, np.exp, np.sqrt, abs, lambda v: v * v, lambda v: np.float32(2) * v, lambda v: v / 2]
)
def test_scalars_of_an_array_keep_its_dtype(f: Any) -> None:
    x = Dual(np.array([0.5, 1.5], np.float32), np.ones(2, np.float32))
    y = f(x[0])
    assert y.dtype == np.float32
    assert np.asarray(y.tangent).dtype == np.float32
    assert type(Dual(np.array([0.5]), np.ones(1))[0].value) is float


# ---------------------------------------------------------------- text, copies, pickles

TEXTS = [
    (Dual(3.0, 1.0), "{!r}", "Dual(3.0, 1.0)"),
    (Dual(3.0, 1.0), "{}", "Dual(3.0, 1.0)"),
    (Dual(3.14159, 1.0), "{:.2f}", "3.14"),
    (Dual(1234.5, 1.0), "{:>10,.1f}", "   1,234.5"),
    (Dual(3), "{!r}", "Dual(3.0, 0.0)"),
    (Dual(1 + 2j, 1.0), "{!r}", "Dual((1+2j), (1+0j))"),
    (Dual([1.0, 2.0], [1.0, 0.0]), "{!r}", "Dual(array([1., 2.]), array([1., 0.]))"),
]


@pytest.mark.parametrize("x, spec, text", TEXTS)
def test_text(x: Dual, spec: str, text: str) -> None:
    assert spec.format(x) == text


COPIES = [
    copy.copy,
    copy.deepcopy,
    lambda x: pickle.loads(pickle.dumps(x)),
    lambda x: copy.deepcopy({"a": [x]})["a"][0],
]


@pytest.mark.parametrize("make", COPIES)
def test_copies_keep_the_tangent(make: Any) -> None:
    agrees(lambda x: make(x) * x, 1.3)
    agrees(lambda x: make(x) * x, np.array([1.3, 0.4]))
    agrees(lambda x: make(x[1:]) * x[0], np.array([1.3, 0.45, 2.2]))
    x = Dual([1.0, 2.0], [3.0, 4.0])
    y = make(x)
    y[0] = 5.0
    assert type(y) is DualArray
    np.testing.assert_array_equal((x.value, x.tangent), [(1, 2), (3, 4)])
    np.testing.assert_array_equal((y.value, y.tangent), [(5, 2), (0, 4)])


def test_unhashable() -> None:
    for x in (Dual(1.0, 1.0), Dual([1.0])):
        with pytest.raises(TypeError, match=r"unhashable.*\(at test_dual\.py:\d+\).*lru_cache.*__wrapped__.*dd\.value"):
            hash(x)


def test_in_place_on_a_constant_says_what_to_write() -> None:
    h = np.ones(3)

    def f(x: Any) -> Any:
        h.__itruediv__(x)
        return h

    with pytest.raises(TangentLossError, match=r"np\.divide.*\(at test_dual\.py:\d+\): write `h = h / x` for `h /= x`"):
        dd.jacobian(f)(np.ones(3))
    np.testing.assert_array_equal(h, np.ones(3))


def test_what_code_of_the_array_standard_asks() -> None:
    x = DualArray(np.ones((2, 3)), np.ones((2, 3)))
    assert x.device == "cpu" and x.__array_namespace__() is np


# ---------------------------------------------------------------- making one


def test_the_constructor_converts() -> None:
    x = Dual(3)
    assert (type(x.value), x.value, x.tangent) == (float, 3.0, 0.0)
    assert type(Dual(True, 2).tangent) is float
    assert Dual(np.float64(3), 1).tangent == 1.0
    for value in ([1, 2], (1.0, 2.0), np.array([1, 2]), [True, True]):
        y = Dual(value, 1)
        assert isinstance(y, DualArray)
        assert y.value.dtype == y.tangent.dtype == float
        np.testing.assert_array_equal(y.tangent, [1, 1])
    assert Dual(np.ones(2, np.float32), 1).tangent.dtype == np.float32
    assert Dual(1j, 1).tangent == 1 + 0j
    many = Dual([1.0, 2.0], np.eye(2))
    np.testing.assert_array_equal((many * many).tangent, [[2, 0], [0, 4]])
    np.testing.assert_array_equal((Dual(3.0, [1.0, 2.0]) * 2).tangent, [2, 4])


def test_the_constructor_copies() -> None:
    v, t = np.ones(2), np.ones(2)
    x = Dual(v, t)
    x[0] = 5.0
    np.testing.assert_array_equal((v, t), [(1, 1), (1, 1)])


WRONG = [
    (("one",), TypeError, "value"),
    ((None,), TypeError, "value"),
    ((1.0, "one"), TypeError, "tangent"),
    ((1.0, None), TypeError, "tangent"),
    ((1.0, 1j), TypeError, "complex"),
    (([1.0, 2.0], [1.0, 2.0, 3.0]), ValueError, r"\(3,\)"),
    (([1.0, 2.0], np.ones((2, 2, 2))), ValueError, "shape"),
    ((1.0, np.ones((2, 2))), ValueError, "shape"),
    (([1.0, [2.0]],), ValueError, "inhomogeneous"),
    ((np.ma.masked_array([1.0, 2.0], [True, False]),), TypeError, "mask"),
    ((np.array(["2020-01-01"], "datetime64[D]"),), TypeError, "datetime"),
    ((lambda x: x,), TypeError, "value"),
]


@pytest.mark.parametrize("arguments, error, text", WRONG)
def test_the_constructor_refuses(arguments: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        Dual(*arguments)


# ---------------------------------------------------------------- refusals

HERE = r"test_dual\.py:\d+"
REFUSED: list[tuple[Callable[[Any], Any], Any, list[str]]] = [
    (lambda x: float(x[0]), TangentLossError, ["derivative", "np.sin", "zeros_like", "dd.value", HERE]),
    (lambda x: math.sin(x[0]), TangentLossError, ["np.sin", "dd.value", HERE]),
    (lambda x: math.exp(x[0]), TangentLossError, ["dd.value", HERE]),
    (lambda x: complex(x[0]), TangentLossError, ["complex", r"x \+ 0j", "dd.value", HERE]),
    (lambda x: np.array(x, dtype=float), TangentLossError, ["zeros_like", HERE]),
    (lambda x: np.asarray(x, float), TangentLossError, ["zeros_like", HERE]),
    (lambda x: np.zeros(2).__setitem__(0, x[0]), TangentLossError, ["zeros_like", "like=x", "dd.value", HERE]),
    (lambda x: np.zeros(2).__setitem__(slice(None), x), TangentLossError, ["zeros_like", HERE]),
    (lambda x: np.zeros(2).__iadd__(x), TangentLossError, ["zeros_like", HERE]),
    (lambda x: np.add(x, 1, out=np.zeros(2)), TangentLossError, ["zeros_like", "np.add", HERE]),
    (lambda x: np.sum(x, out=np.zeros(())), TangentLossError, ["zeros_like", "np.sum", HERE]),
    (lambda x: np.nextafter(x, 1.0), NotDifferentiableError, ["np.nextafter", "spacing", "dd.value", HERE]),
    (lambda x: np.spacing(x), NotDifferentiableError, ["np.spacing", "dd.value", HERE]),
    (lambda x: np.gcd.reduce(x), NotDifferentiableError, ["np.gcd", "rule", "dd.value", HERE]),
    (lambda x: np.bitwise_and(x, 1), NotDifferentiableError, ["np.bitwise_and", "dd.value", HERE]),
    (lambda x: np.savetxt("nowhere", x), NotDifferentiableError, ["np.savetxt", "dd.value", HERE]),
    (lambda x: x.astype(complex).astype(float), TypeError, ["imaginary", r"x\.real"]),
]


@pytest.mark.parametrize("f, error, parts", REFUSED)
def test_refusals_say_what_where_and_what_instead(f: Any, error: Any, parts: list[str]) -> None:
    for tangent in ([1.0, 0.0], np.eye(2)):
        with pytest.raises(error) as caught:
            f(Dual([1.0, 2.0], tangent))
        for part in parts:
            assert re.search(part, str(caught.value)), part
        assert isinstance(caught.value, TypeError)


def test_value_drops_the_tangent_and_copies() -> None:
    assert dd.value(3.0) == 3.0
    assert dd.value(Dual(3.0, 1.0)) == 3.0
    assert type(dd.value(Dual(3.0, 1.0))) is float
    x = Dual([1.0, 2.0], [1.0, 1.0])
    v = dd.value(x)
    assert type(v) is np.ndarray
    v[0] = 9.0
    assert x.value[0] == 1.0


# ---------------------------------------------------------------- object arrays

OBJECTS = [
    "np.array([x[0], x[1]**2])",
    "np.array([[x[0], 1.0], [0, x[1]]]) @ np.array([x[1], 2.0])",
    "np.sin(np.array([x[0], x[1]])) * x",
    "np.sin(np.array([x[0], 2.0]))",
    "np.exp(-np.array([[x[0], 1], [2, x[1]]]))",
    "np.mean([x[0], x[1]])",
    "np.array([x[0], x[1]]).sum() * 2",
    "np.array([[x[0], x[1]], [x[1], 3.0]]).T[0] ** 2",
    "np.dot(np.array([x[0], 2.0, x[1]]), [1.0, 2.0, 3.0])",
    "np.asarray(x)[::-1] * 2",
    "np.full(3, x[0]) * x[1]",
    "np.array([x, x * 2])",
    "np.array([np.array([v]) for v in x])[:, 0]",
    "np.concatenate([np.array([x[0], 1.0]), x])",
    "np.array([float(i) * x[0] for i in range(3)])[1:]",
    "[np.exp(v) for v in x]",
    "[[x[0], x[1]], [1.0, x[0] * x[1]]]",
    "(x[0], x[1], 3)",
    "x * np.array([x[0], 2])",
    "np.array([x[0], x[1]]) / x[::-1]",
    "np.where([True, False], np.array([x[0], x[1]]), 0.0)",
]


@pytest.mark.parametrize("source", OBJECTS)
def test_object_arrays(source: str) -> None:
    agrees(lambda x: eval(source, {"np": np, "x": x}), np.array([1.3, 0.4]))


# ---------------------------------------------------------------- the algebra

real = st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-3)
duals = st.builds(Dual, real, real)
nonzero = st.builds(Dual, real.filter(lambda x: abs(x) > 1e-2), real)


def same(a: Any, b: Any, scale: float = 1.0) -> None:
    assert a.value == pytest.approx(b.value, rel=1e-12, abs=1e-12 * scale)
    assert a.tangent == pytest.approx(b.tangent, rel=1e-9, abs=1e-12 * scale)


@given(duals, duals, duals)
def test_ring_axioms(a: Dual, b: Dual, c: Dual) -> None:
    same(a + b, b + a)
    same(a * b, b * a)
    same((a + b) + c, a + (b + c), 1e6)
    same((a * b) * c, a * (b * c), 1e9)
    same(a * (b + c), a * b + a * c, 1e9)
    same(a + 0, a)
    same(a * 1, a)
    same(a - a, Dual(0.0, 0.0))


@given(duals, nonzero)
def test_division_undoes_multiplication(a: Dual, b: Dual) -> None:
    same(a * b / b, a, 1e6 * (1 + abs(b.tangent / b.value) ** 2))
    same(1 / (1 / b), b, 1e3)


@given(duals, duals)
def test_product_rule(a: Dual, b: Dual) -> None:
    assert (a * b).tangent == pytest.approx(a.value * b.tangent + a.tangent * b.value, rel=1e-12, abs=1e-9)


@given(duals, duals)
def test_the_nilpotent_matrix_is_a_model(a: Dual, b: Dual) -> None:
    """a + t eps is the matrix [[a, t], [0, a]]: sums and products of the numbers are those of the matrices."""

    def matrix(x: Dual) -> Any:
        return np.array([[x.value, x.tangent], [0.0, x.value]])

    p = a * a * b - 3 * a + b
    np.testing.assert_allclose(
        matrix(p), matrix(a) @ matrix(a) @ matrix(b) - 3 * matrix(a) + matrix(b), rtol=1e-9, atol=1e-3
    )


@given(st.floats(-3, 3), real)
def test_chain_rule(x: float, t: float) -> None:
    y = np.sin(np.exp(Dual(x, t)))
    assert y.tangent == pytest.approx(math.cos(math.exp(x)) * math.exp(x) * t, rel=1e-12, abs=1e-12)


@given(real.filter(bool), real, real, real)
def test_the_tangent_is_linear(x: float, s: float, t: float, c: float) -> None:
    def f(v: Any) -> Any:
        return np.arctan(v) * v / (1 + v * v) + v**3

    together = f(Dual(x, c * s + t)).tangent
    apart = c * f(Dual(x, s)).tangent + f(Dual(x, t)).tangent
    assert together == pytest.approx(apart, rel=1e-9, abs=1e-5)


@given(st.lists(real, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_an_array_is_its_numbers(values: list[float], random: Any) -> None:
    """Arrays, numbers and object arrays compute the same."""
    ts = [random.uniform(-1, 1) for _ in values]

    def f(v: Any) -> Any:
        return v * v - 2 / (1 + v * v) + abs(v)

    whole = f(Dual(values, ts))
    for k, (v, t) in enumerate(zip(values, ts)):
        same(f(Dual(v, t)), whole[k], 1e6)
