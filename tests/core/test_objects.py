"""Arrays of objects: `np.array` of arrays and numbers with tangents is what `np.stack` makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd

MADE = [  # an array of objects, and the same without one
    ("np.array([x, 2 * x])", "np.stack([x, 2 * x])"),
    ("np.array([x, [x[0], 1.0, 2.0]])", "np.stack([x, np.stack([x[0], 1.0, 2.0])])"),
    ("np.array([[x, x], [x * x, x]])", "np.stack([np.stack([x, x]), np.stack([x * x, x])])"),
    ("np.array([x[::-1], x[[2, 0, 0]]]).T", "np.stack([x[::-1], x[[2, 0, 0]]]).T"),
    ("np.array([x, x])[:, 1:]", "np.stack([x, x])[:, 1:]"),
    ("np.array([x, x])[1] * 3.0 + x", "x * 3.0 + x"),
    ("np.array([x, x]).sum(axis=0)", "x + x"),
    ("np.array([x[0] * x[1], x[2]])", "np.stack([x[0] * x[1], x[2]])"),
    ("np.array(list(x))[::-1]", "x[::-1]"),
    ("np.asarray(x, dtype=object) * 2.0", "x * 2.0"),
]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("source, due", MADE)
def test_as_by_stack(source: str, due: str, mode: str) -> None:
    f, g = (eval(f"lambda x: {text}", {"np": np}) for text in (source, due))
    x = np.array([2.0, -3.0, 5.0])
    for chunk_size in (None, 1):
        for a, b in zip(*[dd.value_and_jacobian(h, mode=mode, chunk_size=chunk_size)(x) for h in (f, g)]):
            np.testing.assert_array_equal(a, b)
    hessians = [dd.jacobian(dd.jacobian(lambda x, h=h: h(np.sin(x)), mode=mode))(x) for h in (f, g)]
    np.testing.assert_allclose(hessians[0], hessians[1], rtol=1e-15)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_parts_of_complex_arrays(mode: str) -> None:
    """NumPy knows no imaginary part of an array of objects: another conversion, or an error."""
    x = np.array([2.0, -3.0])
    z = lambda x: x * (1 + 2j)
    for f in (
        *(lambda x: np.asarray(z(x)).imag, lambda x: np.array([z(x), x])[0].imag, lambda x: np.array(z(x)).imag),
        *(lambda x: (2j * np.asarray(x)).imag, lambda x: (np.asarray(x) - z(-x)).imag),
    ):
        np.testing.assert_allclose(dd.jacobian(f, mode=mode)(x), 2 * np.eye(2))
    assert dd.jacobian(lambda x: np.sum([z(x), x]).imag, mode=mode)(x).tolist() == [2, 2]
    if isinstance(np.array([1j, 1.0], object).imag[0], float):  # as NumPy has it from 2.5 on
        assert (dd.jacobian(lambda x: np.add([z(x), z(x)], 1).imag, mode=mode)(x) == 2 * np.eye(2)).all()
        return
    with pytest.raises(dd.TangentLossError, match="imag"):
        dd.jacobian(lambda x: np.add([z(x), z(x)], 1).imag, mode=mode)(x)


def test_elements_are_taken_when_the_array_is_made() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        made = np.array([y, y])
        y[0] = 7.0
        return made

    np.testing.assert_array_equal(dd.jacobian(f)(np.ones(2)), np.stack([np.eye(2), np.eye(2)]))


def test_large_arrays_stay_sparse() -> None:
    n = 20_000
    J = dd.jacobian(lambda u: np.array([u[1:] - u[:-1], u[1:] * u[:-1]]), sparse=True)(np.ones(n))
    assert J.shape == (2 * (n - 1), n) and J.nnz == 4 * (n - 1)
