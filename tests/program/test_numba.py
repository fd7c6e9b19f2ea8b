"""`dd.compile(g, backend="numba")`: small programs as machine code, where Numba is installed."""

from __future__ import annotations

import importlib.util
import math
import os
import pickle
import subprocess
import sys
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


def burgers(u: Any) -> Any:
    p = np.concatenate([[1.0], u, [0.5]])
    return p[2:] - 2 * p[1:-1] + p[:-2] - p[1:-1] * (p[2:] - p[:-2])


def heat(t: Any) -> Any:
    inner = t[2:, 1:-1] + t[:-2, 1:-1] + t[1:-1, 2:] + t[1:-1, :-2] - 4 * t[1:-1, 1:-1]
    return np.sum(np.where(inner > 0, inner**2, np.sin(t[1:-1, 1:-1])))


@needs_numba
@pytest.mark.parametrize("threads", [1, 2])
def test_loops_over_large_arrays(threads: int) -> None:
    """In blocks, with seams at the ends of slices; sums as exact as NumPy's, which adds up in pairs."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=50_001), rng.normal(size=(200, 300))
    for g, point in (
        (dd.value_and_gradient(rosenbrock, mode="reverse"), x),
        (dd.value_and_gradient(heat, mode="reverse"), t),
        (dd.jacobian(burgers, sparse=True), x),
        (lambda x: dd.jvp(lambda x: np.sum(np.sin(np.exp(-x)) / (1 + x * x)), (x,), (x,)), x),
    ):
        compiled = dd.compile(g, backend="numba", threads=threads)
        compiled.warm(point)
        assert "1 as machine code" in compiled.report
        due, got = g(point + 0.1), served(compiled, point + 0.1)
        for a, b in zip(due, got) if isinstance(due, tuple) else [(due.data, got.data)]:
            np.testing.assert_allclose(b, a, rtol=1e-13, atol=1e-13)
            assert type(a) is type(b)


@needs_numba
@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_from_several_threads(layer: str) -> None:
    """More threads than there are, called by several at once, also in Numba's own pool, which can't take that."""
    code = """
import threading, numpy as np, dualdiff as dd
x, g = np.linspace(0, 1, 50_000), dd.gradient(lambda x: np.sum(np.sin(x) * x[::-1]))
compiled, found = dd.compile(g, backend="numba", threads=1000), []
compiled.warm(x)
assert "1 as machine code" in compiled.report, compiled.report
run = lambda: found.extend(np.allclose(compiled(x + k), g(x + k)) for k in range(20))
threads = [threading.Thread(target=run) for _ in range(4)]
[t.start() for t in threads], [t.join() for t in threads]
assert found == [True] * 80
"""
    run = [sys.executable, "-c", code]
    subprocess.run(run, check=True, env=os.environ | {"NUMBA_THREADING_LAYER": layer})


@needs_numba
def test_orders_in_memory_and_what_is_not_finite() -> None:
    g = dd.gradient(lambda b, s0: np.sum(np.sqrt(b) * s0.T[::-1] + 1 / (1 + s0.T)), (0, 1), mode="reverse")
    b, s0 = np.random.default_rng(1).uniform(1, 2, (2, 40, 40))
    compiled = warmed(g, b, s0)
    for point in ((b + 1, s0), (b, s0[:, ::-1]), (np.asfortranarray(b), s0.copy(order="F")), (b[:, :1] + 0 * b, s0)):
        point[0].flags.writeable = False
        assert agree(compiled(*point), g(*point))
    b, s0 = np.ones((2, 40, 40))
    b[3, 4], s0[7, 8] = 0.0, -1.0
    with np.errstate(all="ignore"):
        np.testing.assert_equal(compiled(b, s0), g(b, s0))


@needs_numba
def test_machine_code_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    x = np.linspace(0, 1, 5000)
    for n in (3, 5000):
        for _ in range(2):
            compiled = dd.compile(dd.gradient(rosenbrock), backend="numba", cache=True)
            compiled.warm(x[:n])
            assert "1 as machine code" in compiled.report
            assert agree(served(compiled, x[:n] + 1), dd.gradient(rosenbrock)(x[:n] + 1))
    assert len(list((tmp_path / "dualdiff").glob("*.py"))) == 2
    assert len(list(tmp_path.rglob("*.nbi"))) >= 2


@needs_numba
def test_saved_loops(tmp_path: Path) -> None:
    compiled = dd.compile(dd.jacobian(lambda u: np.stack([burgers(u), u * np.sin(u)]).sum(0)), backend="numba")
    compiled.warm(np.linspace(0, 1, 50))
    compiled.save(tmp_path / "saved.py")
    scope: dict[str, Any] = {}
    exec((tmp_path / "saved.py").read_text(), scope)
    x = np.linspace(1, 2, 50)
    program = next(f for n, f in scope.items() if n == compiled.source.split("\n\n\n")[-1].split("(")[0][4:])
    np.testing.assert_allclose(program(x), compiled(x), rtol=1e-14)


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
    with pytest.raises(ValueError, match="threads is a number of threads from 1, not 0"):
        dd.compile(np.sin, backend="numba", threads=0)
    for options in ({"threads": 2}, {"cache": True}):
        with pytest.raises(ValueError, match='threads= and cache= are for backend="numba"'):
            dd.compile(np.sin, **options)  # type: ignore[arg-type]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install 'dualdiff\\[numba\\]'"):
        dd.compile(np.sin, backend="numba")
