"""`dd.compile(g, backend="numba")`: small programs as machine code, where Numba is installed."""

from __future__ import annotations

import importlib.util
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.program.structure import agree
from tests.cases.every import EXAMPLES

from .test_every_case import TRANSFORMS
from .tools import robertson, rosenbrock, served

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs Numba")


def warmed(g: Any, *args: Any) -> Any:
    compiled = dd.compile(g, backend="numba")
    compiled.warm(*args)
    assert "1 as machine code" in compiled.report
    return compiled


@needs_numba
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_gradient(mode: str) -> None:
    g, x = dd.value_and_gradient(rosenbrock, mode=mode), np.linspace(-1, 2, 10)
    compiled = warmed(g, x)
    for point in (x + 0.2, np.linspace(0, 3, 20)[::2]):
        value, gradient = served(compiled, point)
        assert type(value) is type(g(point)[0])
        np.testing.assert_allclose(value, g(point)[0], rtol=1e-14)
        np.testing.assert_allclose(gradient, g(point)[1], rtol=1e-14)
    point.flags.writeable = False
    assert agree(served(compiled, point), g(point))
    gradient[0] = 0  # a new array, of the caller's own
    assert agree(served(compiled, point), g(point))


@needs_numba
def test_jacobian_with_time() -> None:
    jacobian = dd.jacobian(robertson, argnums=1)
    compiled = warmed(jacobian, 0.0, np.array([1.0, 1e-4, 0.2]))
    y = np.array([0.5, 2e-5, 0.3])
    np.testing.assert_allclose(served(compiled, 1.0, y), jacobian(1.0, y), rtol=1e-15)
    assert np.shares_memory(y, compiled(1.0, y)) is False


@needs_numba
def test_branches_are_guards() -> None:
    g = dd.derivative(lambda x: np.sin(x) if x > 1 else x * x * x)
    compiled = warmed(g, 2.0)
    assert compiled(0.5) == g(0.5) == compiled(0.5)
    assert served(compiled, 3.0) == pytest.approx(g(3.0), rel=1e-15)
    assert served(compiled, 0.25) == g(0.25)


@needs_numba
@pytest.mark.parametrize(
    "f, x",
    [
        (lambda x: 1 / (1 + 1 / x), 0.0),
        (lambda x: 1 / (1 + np.exp(x)), 1000.0),
        (lambda x: np.where(x > 0, np.log(x), 0.0), -1.0),
        (lambda x: 1 / (1 + x**-1.5), 0.0),
        (lambda x: x * np.exp(-x * x), math.inf),
        (lambda x: np.sqrt(x), 0.0),
        (lambda x: np.maximum(x, 2.0) ** 3, math.nan),
    ],
)
def test_edges_are_those_of_the_function_itself(f: Any, x: float) -> None:
    g = dd.value_and_derivative(f)
    compiled = warmed(g, 0.75)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            due = g(x)
        except ArithmeticError as error:
            with pytest.raises(type(error)):
                compiled(x)
        else:
            np.testing.assert_equal(compiled(x), due)


@needs_numba
@pytest.mark.parametrize("name", [*EXAMPLES][::100])
def test_cases(name: str) -> None:
    f, arrays, _ = EXAMPLES[name]()
    g = TRANSFORMS["forward"](f, len(arrays))
    compiled = dd.compile(g, backend="numba")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for scale in (1, 1.001, 0.999):
            point = [x * scale for x in arrays]
            try:
                due = g(*point)
            except (TypeError, ValueError, ArithmeticError):
                pytest.skip("not to be had without a program either")
            assert agree(compiled(*point), due)
    assert "another result" not in compiled.report


@needs_numba
def test_large_arrays_stay_with_numpy() -> None:
    g, x = dd.gradient(rosenbrock), np.linspace(0, 1, 1000)
    compiled = dd.compile(g, backend="numba")
    compiled.warm(x)
    assert "not as machine code: not of numbers and small arrays alone" in compiled.report
    np.testing.assert_allclose(served(compiled, x + 1), g(x + 1), rtol=1e-12)


@needs_numba
def test_text_and_pickle(tmp_path: Path) -> None:
    g = dd.derivative(lambda x: x * np.sin(x) if x > 0 else x)
    compiled = warmed(g, 1.0)
    assert "@njit" in compiled.source and "UNSURE" not in compiled.source
    compiled.save(tmp_path / "saved.py")
    scope: dict[str, Any] = {}
    exec((tmp_path / "saved.py").read_text(), scope)
    assert scope["program"](2.0) == pytest.approx(g(2.0), rel=1e-15)
    with pytest.raises(ValueError, match="another path"):
        scope["program"](-2.0)
    again = pickle.loads(pickle.dumps(dd.compile(np.sin, backend="numba")))
    again.warm(1.0)
    assert "machine code" in again.report and again(1.5) == np.sin(1.5)


def test_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match='"numpy" or "numba", not \'fortran\''):
        dd.compile(np.sin, backend="fortran")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install 'dualdiff\\[numba\\]'"):
        dd.compile(np.sin, backend="numba")
