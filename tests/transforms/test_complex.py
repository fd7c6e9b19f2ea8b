"""Complex arguments: holomorphic functions have complex derivatives, others are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd


@pytest.mark.parametrize(
    "f, slope", [(np.exp, np.exp), (np.sin, np.cos), (lambda z: z**3 + 1 / z, lambda z: 3 * z * z - 1 / z**2)]
)
def test_holomorphic(f: Any, slope: Any) -> None:
    z = np.array([0.3 + 0.4j, -1.2 + 0.1j])
    np.testing.assert_allclose(dd.derivative(f)(z), slope(z), rtol=1e-14)
    for chunk_size in (None, 1, 3):
        np.testing.assert_allclose(dd.jacobian(f, chunk_size=chunk_size)(z), np.diag(slope(z)), rtol=1e-14, atol=1e-15)
    assert dd.derivative(f)(complex(z[0])) == pytest.approx(slope(z[0]))
    assert type(dd.derivative(f)(complex(z[0]))) is complex
    np.testing.assert_allclose(dd.gradient(lambda v: np.sum(f(v)))(z), slope(z), rtol=1e-14)


@pytest.mark.parametrize("f", [abs, np.conj, np.real, lambda z: z * np.conj(z), lambda z: np.imag(z) * z])
def test_not_holomorphic(f: Any) -> None:
    for transform in (dd.derivative, dd.gradient, dd.jacobian):
        with pytest.raises(TypeError, match="holomorphic"):
            transform(f)(1 + 2j)


def test_complex_inside_real_outside() -> None:
    x = np.array([1.0, 2.0, 4.0])
    j = dd.jacobian(lambda v: np.abs(v * np.exp(2j * v)) ** 2)(x)
    assert j.dtype == float
    np.testing.assert_allclose(j, np.diag(2 * x), atol=1e-13)
    assert dd.derivative(lambda v: np.exp(1j * v))(0.0) == 1j
