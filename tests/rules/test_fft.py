"""Fourier transforms: linear maps, so that a tangent is the transform of the tangent; with their transposes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff import Dual
from dualdiff.core.table import FUNCTIONS
from dualdiff.rules import fft
from tests.cases.fft import CASES, F, X, rng


def _inner(a: Any, b: Any) -> float:
    return float(np.sum(np.conj(a) * b).real)


@pytest.mark.parametrize("source, is_complex", CASES)
def test_the_tangent_is_the_transform_of_the_tangent(
    source: str, is_complex: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = []

    def linear(t: Any, shape: Any, function: Any, transpose: Any) -> Any:
        maps.append((shape, np.iscomplexobj(t), function, transpose))
        return function(t)

    monkeypatch.setattr(fft, "linear", linear)

    def f(x: Any) -> Any:
        return eval(source, {"F": F, "x": x})

    x, v, w = (a if is_complex else a.real for a in (X, X**2, np.conj(X) ** 3))
    value, tangent = dd.jvp(f, (x,), (v,))
    np.testing.assert_allclose(value, f(x), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(tangent, f(v), rtol=1e-13, atol=1e-13)
    assert value.dtype == tangent.dtype == f(x).dtype
    many = f(Dual(x, np.stack([v, 0 * v, w])))
    np.testing.assert_allclose(many.tangent, np.stack([f(v), 0 * f(v), f(w)]), rtol=1e-13, atol=1e-13)
    # a product of transforms, differentiated twice: D² (f f)(x) v w = 2 f(v) f(w)
    second = dd.jvp(lambda x: dd.jvp(lambda x: f(x) * f(x), (x,), (v,))[1], (x,), (w,))[1]
    np.testing.assert_allclose(second, 2 * f(v) * f(w), rtol=1e-12, atol=1e-12)
    # <w, J v> = <Jᵀ w, v> with the real inner product
    for shape, complex_in, function, transpose in maps:
        for many in [(), (2,)]:
            v = rng.normal(size=many + shape) + (1j * rng.normal(size=many + shape) if complex_in else 0)
            jv = function(v)
            w = rng.normal(size=jv.shape) + (1j * rng.normal(size=jv.shape) if np.iscomplexobj(jv) else 0)
            back = transpose(w)
            assert (back.shape, back.dtype) == (v.shape, v.dtype)
            np.testing.assert_allclose(_inner(w, jv), _inner(back, v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", "fft ifft rfft irfft hfft ihfft fft2 irfftn fftshift".split())
def test_float32_stays(name: str) -> None:
    f, x = getattr(F, name), X.real.astype(np.float32)
    value, tangent = dd.jvp(f, (x,), (x,))
    assert value.dtype == tangent.dtype == f(x).dtype


def test_real_in_complex_inside_real_out() -> None:
    """Parseval: sum |fft(x)|² = n sum x², whose gradient is 2 n x; and a convolution by way of the spectrum."""
    x, y = X[0, 0].real, X[0, 1].real
    np.testing.assert_allclose(dd.gradient(lambda x: np.sum(np.abs(F.fft(x)) ** 2))(x), 12 * x, rtol=1e-13)
    j = dd.jacobian(lambda x: F.irfft(F.rfft(x, 11) * F.rfft(y, 11), 11))(x)
    np.testing.assert_allclose(
        j, [[y[i - k] if 0 <= i - k < 6 else 0 for k in range(6)] for i in range(11)], atol=1e-14
    )


@pytest.mark.parametrize(
    "source, error",
    [
        ("F.fft(x, 0)", ValueError),
        ("F.fft(x, norm='other')", ValueError),
        ("F.hfft(x, norm='other')", ValueError),
        ("F.fft(x, axis=3)", IndexError),
        ("F.fftn(x, (2, 2), (1,))", ValueError),
        ("F.rfft(x * 1j)", TypeError),
        ("F.fft(x[0, 0, 0])", IndexError),
    ],
)
def test_errors_are_those_of_numpy(source: str, error: Any) -> None:
    for x in (X.real, Dual(X.real, X.real)):
        with pytest.raises(error):
            eval(source, {"F": F, "x": x})


def test_sample_spacing_is_differentiable() -> None:
    """fftfreq is no function that NumPy dispatches, but it divides by its argument."""
    np.testing.assert_allclose(dd.jacobian(lambda d: F.fftfreq(4, d))(0.5), -F.fftfreq(4, 0.25), atol=1e-15)
    np.testing.assert_allclose(dd.jacobian(lambda d: F.rfftfreq(4, d))(0.5), -F.rfftfreq(4, 0.25), atol=1e-15)


def test_every_function_has_its_place() -> None:
    public = {f for n in dir(F) if hasattr(f := getattr(F, n), "__wrapped__")}  # what a Dual can reach
    assert len(public) == 16
    assert public <= FUNCTIONS.keys()
