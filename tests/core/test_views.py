"""What NumPy returns as a view is one here, what it copies is a copy, and lies in memory in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.number import NumberArray
from tests.cases import scipy
from tests.cases.every import EXAMPLES
from tests.cases.tools import leaves
from tests.modes import agrees

X = np.array([0.7, 0.3, 0.9, -0.4])
# Whose results have NumPy's numbers, but not its order of memory.
ORDERED = "select piecewise pad gradient unique cross correlate poly svd cumulative".split()


def operands(name: str, order: Any) -> tuple[Any, list[Any], list[Any]]:
    f, arrays, directions = EXAMPLES[name]()
    arrays = [order(np.array(x)) if np.ndim(x) else x for x in arrays]
    duals: list[Any] = [dd.Dual(x, d) for x, d in zip(arrays, directions)]
    for dual, x in zip(duals, arrays):
        if np.ndim(x):
            dual.value = x.copy(order="K")
    return f, arrays, duals


def pairs(name: str, order: Any) -> Iterator[tuple[Any, Any, bool, bool, bool]]:
    """The arrays among the results: whether NumPy's share an operand's memory, whether ours do, and say so."""
    f, arrays, duals = operands(name, order)
    for expected, result in zip(leaves(f(*arrays)), leaves(f(*duals)), strict=True):
        if isinstance(expected, np.ndarray) and isinstance(result, NumberArray) and expected.size:
            whole = [d for d in duals if isinstance(d, NumberArray)]
            yield (
                expected,
                result,
                any(np.shares_memory(expected, x) for x in arrays if isinstance(x, np.ndarray)),
                any(np.shares_memory(result.value, d.value) for d in whole),
                any(result is d or (result._link is not None and result.root() is d.root()) for d in whole),
            )


# Without what writes through a reshape, and what LAPACK returns to SciPy.
@pytest.mark.parametrize("name", [n for n in EXAMPLES if "u, None)" not in n and n not in scipy.EXPRESSIONS])
def test_as_numpy(name: str) -> None:
    for order in (np.ascontiguousarray, np.asfortranarray):
        with np.errstate(all="ignore"):
            for expected, result, theirs, ours, declared in pairs(name, order):
                assert theirs == ours == declared
                if not any(n in name for n in ORDERED):
                    assert [expected.flags[k] for k in "CF"] == [result.value.flags[k] for k in "CF"]


# ---------------------------------------------------------------- programs


def real_part(x: Any) -> Any:
    z = x * (1 + 2j)
    z.real[1] = 3 * x[0]
    return z.real + z.imag


def imaginary_part(x: Any) -> Any:
    z = x * (1 + 2j)
    z.imag[1:] *= x[:3]
    z[0] = 1j * x[1]
    return z.real * z.imag


def parts_assigned(x: Any) -> Any:
    z = x * (1 + 2j)
    part = z.imag.reshape(2, 2)[:, ::-1]
    z.imag, z.real = 3 * x[0], x * x
    part[1] += x[2:]
    z[2] = 2j
    return (z.real * z.imag)[:, None] + part.ravel()


def parts_of_a_slice(x: Any) -> Any:
    z = np.outer(x, x) * (1 - 1j)
    z[1:].T.real[::2] = x[:3] ** 2
    z.T[0].imag[:] = 1.0
    return z.real + 2 * z.imag


def real_of_real(x: Any) -> Any:
    y = x * x
    y.real[1], y.conj()[0], y.conj().real[2] = 3 * x[0], x[1] ** 2, 1.0
    return y


def diagonal(x: Any) -> Any:
    k = np.outer(x, x)
    np.einsum("ii->i", k)[...] = 3 * x
    np.einsum("ij->ji", k)[0, 2] = x[1] ** 2
    return k


def einsum_of_three(x: Any) -> Any:
    k = np.multiply.outer(np.outer(x, x), x)
    np.einsum("iij->ji", k)[1] *= x
    np.einsum("...j->j...", k)[0] = 1.0
    return np.einsum("ijj", k) * k[1]


def copies(x: Any) -> Any:
    y = x * x
    for c in (np.block(y), np.prod(y, axis=()), np.cumprod(y[:, None], 1)[:, 0], np.array(y), np.conj(y), +y):
        c[0] = 5 * x[1]
    return y


def kept_order(x: Any) -> Any:
    a = np.outer(x, x * x)
    for c in (np.sort(a.T), np.partition(a.T, 1), a.T * 2, np.copy(a.T), np.dot(2.0, a.T)):
        c.reshape(-1)[3] = 5 * x[0]
        a = a + c
    return a


def rectified(x: Any) -> Any:
    y = x * x
    a = np.asarray(y)
    a[a < 0.2] = 0
    return y * x


def converted(x: Any) -> Any:
    y = x * x
    np.asarray(y)[0] = 5 * y[1]
    np.array(y, copy=False)[1] *= x[1]
    np.array(y, copy=None, ndmin=2)[0, 2] = x[0]
    np.asanyarray(y)[3] += y[0]
    np.ascontiguousarray(y)[1] = y[3]
    np.asfortranarray(y)[2] *= y[0]
    np.require(y, requirements="W")[0] = x[3]
    np.ascontiguousarray(np.outer(y, y).T)[0] = 1.0
    np.require(np.outer(y, y).T, requirements="C")[0] = 1.0
    np.require(np.outer(y, y), None, ["F_CONTIGUOUS", "W"])[0] = 1.0
    np.require(X, requirements="CW")[0] += 0.0
    return y


def read_later(x: Any) -> Any:
    y = x * x
    a, row = np.asarray(y), np.array([y, y])
    before = a[0] * 1.0
    y[0] = x[1] ** 3
    return a * before + row[1]


def written_twice(x: Any) -> Any:
    a = np.ones((2, 3, 4)) + x  # the rows have one tangent, which a reshape copies
    rows = a.reshape(2, -1)
    rows[0] += rows[1]
    rows[0, 1:3] *= x[0]
    return a


def by_flat(x: Any) -> Any:
    y = np.outer(x, x).T
    y.flat[1] = 3 * y.flat[2]
    y.flat[[4, 6]] = x[:2]
    y.flat[8:] = x[1] ** 2
    z = y * 1
    z.flat = y[0]
    return np.stack([y, z, y * next(z.flat)])


def broadcast(x: Any) -> Any:
    y, z = x * x, x * 2
    same = np.broadcast_arrays(y, z)
    same[0][1:] -= z[:3]
    same[1][0] = 1.0
    return y * z


def without_axes(x: Any) -> Any:
    y = (x * x)[2:3].reshape(())
    y.flat[0] = x[1] ** 2
    z = y.copy()
    np.put(z, [0, 0], [x[1], x[2]])
    np.copyto(z, z.reshape(1, 1) * x[0])
    w = (x[:1] * (1 + 2j)).reshape(())
    np.atleast_3d(w).real[...] = 3 * x[1]
    w.imag[...] *= x[2]
    np.atleast_3d(y)[...] = np.atleast_3d(y) * 2
    return np.stack([y, z, y * z, w.real, w.imag])


def numbers_without_axes(x: Any) -> Any:
    y = np.squeeze(np.sum(x))  # a number, as in NumPy, and no array
    y *= np.transpose(x[0] * x)
    y += np.reshape(x[1], ())
    return y


PROGRAMS: list[Callable[[Any], Any]] = [
    *(real_part, imaginary_part, parts_assigned, parts_of_a_slice, real_of_real, diagonal, einsum_of_three),
    *(copies, kept_order, rectified, converted, read_later, written_twice, by_flat, broadcast),
    *(without_axes, numbers_without_axes),
]


@pytest.mark.parametrize("f", PROGRAMS)
def test_writes(f: Callable[[Any], Any]) -> None:
    agrees(f, X)


def test_iterator() -> None:
    def f(x: Any) -> Any:
        y = x * x
        with np.nditer(y, op_flags=[["readwrite"]], flags=["refs_ok"]) as it:
            for a in it:
                a[...] = 2 * a
        return y

    with pytest.raises(dd.NotDifferentiableError, match="nditer"):
        dd.jacobian(f)(X)


def test_imaginary_part_of_a_real_array() -> None:
    with pytest.raises(ValueError, match="read-only"):
        dd.jacobian(lambda x: (x.imag.__setitem__(0, 1.0), x)[1])(X)


@pytest.mark.parametrize("name", ["ascontiguousarray", "asfortranarray", "array", "asarray", "asanyarray"])
def test_like(name: str) -> None:
    function = getattr(np, name)
    agrees(lambda x: function(x * x, like=x) if isinstance(x, dd.Dual) else x * x, X)
    agrees(lambda x: function([x[0], x[1] ** 2], like=x) if isinstance(x, dd.Dual) else np.stack([x[0], x[1] ** 2]), X)


def test_the_argument_has_the_memory_order_of_the_callers() -> None:
    def f(x: Any) -> Any:
        y = x * x
        np.asfortranarray(x)[1] *= 2  # x itself
        return np.concatenate([x.ravel("A"), y.ravel("A"), x.reshape(-1, order="A")])

    x = np.asfortranarray(np.arange(6.0).reshape(2, 3) / 7)
    expected = f(x.copy("K"))
    for got in (dd.jvp(f, (x,), (x,))[0], dd.vjp(f, x)[0]):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_allclose(dd.jacobian(f)(x)[:2, :, 0], [[1, 0], [0, 2]])
    np.testing.assert_array_equal(dd.jacobian(f)(x), dd.jacobian(f, mode="reverse")(x))


def test_range() -> None:
    def f(x: Any) -> Any:
        return np.arange(x[0], x[0] + 1, x[1], like=x) if isinstance(x, dd.Dual) else x[0] + x[1] * np.arange(4)

    agrees(f, X)
    with pytest.raises(TypeError, match="by keyword"):
        dd.jacobian(lambda x: np.arange(start=x[0], stop=2, like=x))(X)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_write_into_what_require_gives_of_an_argument(mode: str) -> None:
    """That is the array itself, with nothing else written that would lose a derivative and start a second run."""

    def f(x: Any) -> Any:
        np.require(x, requirements="W")[0] = 0.0
        return 2 * x

    np.testing.assert_array_equal(dd.jacobian(f, mode=mode)(np.array([1.0, 2.0])), [[0.0, 0.0], [0.0, 2.0]])
