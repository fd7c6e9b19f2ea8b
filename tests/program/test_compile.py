"""`dd.compile`: what programs serve, what they leave to the function itself, and what they look like."""

from __future__ import annotations

import functools
import importlib.util
import math
import pickle
import random
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

from .tools import ready, robertson, rosenbrock, served

# ---------------------------------------------------------------- what programs serve


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("n", [3, 50, 300])
def test_gradient(mode: str, n: int) -> None:
    g = dd.gradient(rosenbrock, mode=mode)
    x = np.linspace(-1, 2, n)
    compiled = ready(g, (x,), (x + 0.1,))
    np.testing.assert_allclose(served(compiled, x + 0.2), g(x + 0.2), rtol=1e-12)


def test_function_named_as_one_of_math() -> None:
    compiled = ready(np.sin, (1.0,), (2.0,))
    assert served(compiled, 0.5) == np.sin(0.5)


def test_transforms_of_all_kinds() -> None:
    A = np.array([[2.0, 1.0], [0.5, 3.0]])

    def f(x: Any) -> Any:
        return np.tanh(A @ x) * x[::-1]

    functions: list[Any] = [
        dd.jacobian(f),
        dd.jacobian(f, mode="reverse"),
        dd.jacobian(f, chunk_size=1),
        dd.value_and_jacobian(f),
        dd.hessian(rosenbrock),
        dd.value_and_gradient(rosenbrock),
        lambda x: dd.hvp(rosenbrock, x, x),
        lambda x: dd.vjp(f, x)[1](x),
        lambda x: dd.jvp(f, (x,), (x,)),
        lambda x: dd.taylor(f, x, 3, direction=x),
        dd.divergence(f),
        f,
    ]
    x = np.array([0.3, -0.4])
    for g in functions:
        compiled = ready(g, (x,), (1.1 * x,))
        got, due = served(compiled, 1.3 * x), g(1.3 * x)
        for a, b in zip(*((r if isinstance(r, tuple) else (r,)) for r in (got, due))):
            assert type(a) is type(b)
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_containers_and_keywords() -> None:
    def loss(parameters: Any, x: Any, scale: Any = 1.0) -> Any:
        return np.sum((parameters["w"] @ x + parameters["b"]) ** 2) * scale

    p = {"w": np.arange(6.0).reshape(2, 3), "b": np.ones(2)}
    g = dd.gradient(loss)
    compiled = ready(g, (p, np.ones(3)), (p, np.arange(3.0)))
    got, due = served(compiled, p, np.array([1.0, 0.0, 2.0])), g(p, np.array([1.0, 0.0, 2.0]))
    assert got.keys() == due.keys()
    np.testing.assert_allclose(got["w"], due["w"])
    np.testing.assert_allclose(compiled(p, np.ones(3), scale=2.0)["b"], g(p, np.ones(3), scale=2.0)["b"])


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_other_types_stay(dtype: Any) -> None:
    g = dd.jacobian(lambda x: x**2 * x[::-1])
    x = np.array([0.5, 1.5, 2.0], dtype)
    compiled = ready(g, (x,), (x + x,))
    got = served(compiled, x * x)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, g(x * x), rtol=1e-6)


def test_other_shapes_and_types_are_recorded_anew() -> None:
    compiled = dd.compile(dd.gradient(rosenbrock))
    for x in (np.ones(3), np.ones(4), np.ones(3, np.float32), np.array([1, 2])):
        np.testing.assert_allclose(compiled(x), dd.gradient(rosenbrock)(x), rtol=1e-13, atol=1e-14)
    assert compiled.report.count("1 program") == 4


def test_arguments_by_value() -> None:
    compiled = dd.compile(lambda x, n, kind: x**n if kind == "power" else n * x)
    for _ in range(2):
        assert [compiled(2.0, n, kind) for n in (2, 3) for kind in ("power", "factor")] == [4.0, 4.0, 8.0, 6.0]
    assert served(compiled, 3.0, 2, "power") == 9.0


# ---------------------------------------------------------------- branches and what is not finite


def test_branches_are_paths() -> None:
    def f(x: Any) -> Any:
        if x < 0:
            return -x
        return x**3 if x > 2 else np.sin(x)

    g, compiled = dd.derivative(f), dd.compile(dd.derivative(f))
    for x in [-1.0, 1.0, 3.0] * 2 + list(np.random.default_rng(0).uniform(-5, 5, 200)):
        assert compiled(x) == pytest.approx(g(x), rel=1e-14)
    assert "3 programs" in compiled.report
    assert served(compiled, -0.5) == -1.0
    assert served(compiled, 4.0) == 48.0


def test_loops_that_end_elsewhere() -> None:
    def steps(x: Any) -> Any:
        while x < 100:
            x = x * x + 1
        return x

    g, compiled = dd.derivative(steps), dd.compile(dd.derivative(steps))
    for x in np.linspace(0.1, 120, 60):
        assert compiled(float(x)) == pytest.approx(g(float(x)), rel=1e-13)


def test_too_many_paths_run_as_they_are() -> None:
    def f(x: Any) -> Any:
        return x * int(x)

    compiled = dd.compile(dd.derivative(f))
    assert [compiled(k + 0.5) for k in range(20)] == list(range(20))
    assert "more than 8 paths" in compiled.report


def test_masks_and_orders_are_computed_again() -> None:
    def f(x: Any) -> Any:
        return np.sort(np.where(x > 0.5, x**2, np.sin(x)))[::-1] * np.max(x) + x[np.argsort(x)]

    g, compiled, rng = dd.jacobian(f), dd.compile(dd.jacobian(f)), np.random.default_rng(1)
    for _ in range(30):
        x = rng.uniform(-1, 2, 5)
        np.testing.assert_allclose(compiled(x), g(x), rtol=1e-12, atol=1e-14)
    served(compiled, x)


BY_VALUES = {
    "a mask": lambda x: np.concatenate([x[x > 1], x]),
    "extract": lambda x: np.concatenate([np.extract(x > 1, x), x]),
    "compress": lambda x: np.compress(x > 1, x),
    "where": lambda x: x[np.where(x > 1)[0]],
    "argwhere": lambda x: x[np.argwhere(x > 1)],
    "delete": lambda x: np.delete(x, np.flatnonzero(x > 1)),
    "repeat": lambda x: np.repeat(x, (x > 1).astype(int)),
    "bincount": lambda x: np.bincount((x > 1).astype(int), x),
    "a length": lambda x: x * len(x[x > 1]),
    "a size": lambda x: x * x if x[x > 1].size else x,
    "unique": lambda x: np.unique(np.floor(x)).size * x,
}


@pytest.mark.parametrize("how", ["f", "forward", "reverse", "second"])
@pytest.mark.parametrize("name", BY_VALUES)
def test_shapes_that_values_decide_are_guarded(name: str, how: str) -> None:
    f = BY_VALUES[name]
    g = {"f": f, "forward": dd.jacobian(f), "reverse": dd.jacobian(f, mode="reverse")}.get(
        how, dd.jacobian(dd.jacobian(f))
    )
    compiled = dd.compile(g)
    for x in (
        [-0.4, 2, 1.2, 0.3],
        [0.5, 1.1, 1.3, 0.2],
        [2, 3, 4, 5.0],
        [-0.4, 0.5, 0.6, 0.7],
        [0.4, 2.26, -1.23, 0.37],
    ):
        np.testing.assert_allclose(compiled(np.array(x)), g(np.array(x)))


def test_sparse_patterns_hold_every_branch_of_where() -> None:
    """Upwind differences: the row's neighbours change with the sign, the pattern does not."""

    def f(u: Any) -> Any:
        d = np.diff(u)
        return np.where(u[1:-1] > 0, u[1:-1] * d[:-1], u[1:-1] * d[1:])

    g, u = dd.jacobian(f, sparse=True), np.sin(np.arange(200.0))
    compiled = ready(g, (u,), (-u,))
    patterns = []
    for scale in (0.5, -0.5):
        patterns.append(served(compiled, scale * u))
        assert abs(patterns[-1] - g(scale * u)).max() == 0.0
    np.testing.assert_array_equal(patterns[0].indices, patterns[1].indices)


def test_what_is_not_finite_is_the_functions_own() -> None:
    g = dd.jacobian(np.sqrt)
    compiled = dd.compile(g)
    with np.errstate(all="ignore"):
        for x in ([1.0, 4.0], [0.0, 4.0], [2.0, 3.0], [-1.0, 4.0], [np.inf, 1.0], [4.0, 9.0]):
            np.testing.assert_allclose(compiled(np.array(x)), g(np.array(x)), rtol=1e-13, atol=1e-14)
    h = ready(dd.derivative(lambda x: np.exp(x) / x), (1.0,), (2.0,))
    with np.errstate(all="ignore"):
        for x in (0.0, 1000.0, -1000.0, np.nan, np.inf):
            np.testing.assert_allclose(h(x), dd.derivative(lambda x: np.exp(x) / x)(x), rtol=1e-13, atol=1e-14)


def test_nan_in_maximum_stays() -> None:
    f = lambda x: np.maximum(x[0], x[1]) * np.minimum(x[0], 3.0)
    compiled = ready(f, (np.array([1.0, 2.0]),), (np.array([1.5, 2.0]),))
    assert np.isnan(compiled(np.array([np.nan, 1.0])))
    assert np.isnan(compiled(np.array([1.0, np.nan])))


def test_kink_modes_run_as_they_are() -> None:
    compiled = ready(dd.derivative(lambda x: abs(x)), (1.0,), (2.0,))
    with dd.kinks("raise"), pytest.raises(dd.KinkError):
        compiled(0.0)


# ---------------------------------------------------------------- what runs as it is


NOISE = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("f", "reason"),
    [
        (lambda x: x + np.random.rand(), "random"),
        (lambda x: x + NOISE.normal(), "random"),
        (lambda x: x + random.random(), "random"),
        (lambda x: x + time.time(), "time"),
        (lambda x: print(x) or x, "print"),  # type: ignore[func-returns-value]
        (lambda x: x * float(x), "float()"),
        (lambda x: x + np.asarray(x), "NumPy's own"),
    ],
)
def test_what_cannot_be_written_down(f: Any, reason: str) -> None:
    compiled = dd.compile(f)
    for _ in range(2):
        assert compiled(np.float64(1.5)) is not None
    assert compiled.source == ""
    assert reason in compiled.report


def test_report_names_the_line() -> None:
    compiled = dd.compile(lambda x: x * float(x))
    compiled(2.0)
    assert f"{Path(__file__).name}:" in compiled.report


def test_a_second_look_finds_what_is_random(recwarn: pytest.WarningsRecorder) -> None:
    numbers = iter(range(1, 100))
    compiled = dd.compile(lambda x: x * next(numbers))
    compiled(1.0)
    compiled(2.0)
    assert "program" not in compiled.report or "another result" in compiled.report


def test_a_second_look_names_the_step() -> None:
    calls = memoryview(bytearray(1))  # nobody sees what is written into it

    def f(x: Any) -> Any:
        calls[0] += 1
        y = np.sin(x)
        return np.multiply(y, 1.0 if calls[0] < 3 else 2.0)

    compiled, x = dd.compile(f), np.ones(3)
    np.testing.assert_allclose(compiled(x), np.sin(x), rtol=1e-13, atol=1e-14)
    with pytest.warns(RuntimeWarning, match=f"than the function itself: multiply.*{Path(__file__).name}"):
        np.testing.assert_allclose(compiled(x), 2 * np.sin(x), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(compiled(x), 2 * np.sin(x), rtol=1e-13, atol=1e-14)
    assert "has other operands" in compiled.report


EXACT = {
    "zeros of more axes": lambda x: x + np.zeros((2, 1)),
    "zeros taken away": lambda x: np.sin(x) - np.zeros(3),
    "a negative taken away": lambda x: x * x - -np.exp(x),
    "factors in their order": lambda x: (0.1 * x) * (x * (0.3 * x)),
    "powers of two": lambda x: (2.0 * x) * (x * (4.0 * x)),
    "copies of what is written to": lambda x: kept_and_written(x),
    "arrays read between writes": lambda x: read_between(x),
}


def kept_and_written(x: Any) -> Any:
    a = x * 1.0
    b = a.copy()
    a[0] = 5.0
    return a + 2 * b


def read_between(x: Any) -> Any:
    a = np.zeros(3)
    before = a + x
    a[0] = 1.0
    return before * a


@pytest.mark.parametrize("how", ["f", "forward", "passes"])
@pytest.mark.parametrize("name", EXACT)
def test_only_exact_identities_are_used(name: str, how: str) -> None:
    """To the last bit."""
    f = EXACT[name]
    g = {"f": f, "forward": dd.jacobian(f), "passes": dd.jacobian(f, chunk_size=1)}[how]
    compiled = ready(g, (np.array([0.3, 0.7, 1.9]),), (np.array([0.31, 1.7, 0.9]),))
    x = np.array([0.123, 4.567, 8.91])
    np.testing.assert_allclose(served(compiled, x), g(x), rtol=1e-13, atol=1e-14)


def test_programs_serve_only_what_they_were_made_for() -> None:
    double, single = np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones((2, 2), np.float32)
    compiled = ready(lambda a: a * 2.0, (double,), (2 * double,))
    assert compiled(double).flags.c_contiguous and not compiled(np.asfortranarray(double)).flags.c_contiguous
    assert compiled(single).dtype == np.float32
    either = ready(dd.derivative(lambda x: x**2 if x > 0 else -x), (-1.0,), (-2.0,))
    assert [either(x) for x in (-3.0, 3.0, -3.0)] == [-1.0, 6.0, -1.0]


@pytest.mark.parametrize("shape", [(), (3,), (200,)])
def test_a_slope_without_bound_of_what_does_not_move(shape: Any) -> None:
    """The square root at max(x, 0) = 0: 0 where x < 0, which 0 * inf in a program is not."""
    f = lambda x: np.sqrt(np.maximum(x, 0.0))
    g, x = dd.jacobian(f) if shape else dd.derivative(f), np.ones(shape) if shape else 1.0
    compiled = ready(g, (x,), (2 * x,))
    np.testing.assert_array_equal(compiled(-1.0 * x), 0 * g(x))


# ---------------------------------------------------------------- use


def test_errors_come_out_as_they_are() -> None:
    compiled = dd.compile(dd.derivative(lambda x: [1, 2][5] * x))
    for _ in range(3):
        with pytest.raises(IndexError):
            compiled(1.0)
    with pytest.raises(TypeError, match="compile: the first argument must be a function, not int"):
        dd.compile(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="call the function first"):
        dd.compile(np.sin).save("nowhere.py")


def test_nesting() -> None:
    f = dd.compile(lambda x: x**3)
    assert f(2.0) == 8.0
    assert dd.derivative(f)(2.0) == 12.0
    twice = dd.compile(dd.compile(dd.derivative(f)))
    assert [twice(x) for x in (1.0, 2.0, 3.0)] == [3.0, 12.0, 27.0]


def test_methods_and_partials() -> None:
    class Law:
        k = 2.0

        @functools.partial(dd.compile)
        def force(self, x: Any) -> Any:
            return self.k * x

    assert Law().force(3.0) == 6.0
    assert ready(dd.derivative(functools.partial(np.power, 2.0)), (3.0,), (2.0,))(1.0) == pytest.approx(2 * np.log(2))


def test_pickling() -> None:
    compiled = pickle.loads(pickle.dumps(dd.compile(rosenbrock)))
    assert compiled(np.array([1.0, 2.0])) == 100.0


def test_threads() -> None:
    g = dd.jacobian(robertson, 1)
    compiled = dd.compile(g)
    wrong = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(50):
            y = rng.uniform(0, 1, 3)
            if not np.allclose(compiled(0.0, y), g(0.0, y)):
                wrong.append(y)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# ---------------------------------------------------------------- text


def test_source_is_what_one_would_write() -> None:
    compiled = ready(dd.derivative(lambda x: x * np.sin(x) + np.exp(-x) / x), (1.0,))
    assert compiled.source == SOURCE


SOURCE = """\
from math import cos, exp, sin


def program(x):
    v1 = exp(-x)
    return sin(x) + cos(x) * x + (-(v1 / x) / x - v1 * (1 / x))"""


@pytest.mark.parametrize("big", [False, True])
def test_saved_modules_need_numpy_alone(big: bool, tmp_path: Path) -> None:
    n = 40 if big else 3
    W = np.random.default_rng(0).normal(size=(n, n))
    g = dd.jacobian(lambda x: np.tanh(W @ x))
    x = np.linspace(0, 1, n)
    compiled = ready(g, (x,))
    path = tmp_path / "program.py"
    compiled.save(path)
    assert "dualdiff" not in path.read_text().replace("Generated by dualdiff", "")
    spec = importlib.util.spec_from_file_location("program", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    np.testing.assert_allclose(module.program(2 * x), g(2 * x), rtol=1e-10)
    assert f"({n},)" in module.program.__doc__


def test_saved_modules_refuse_other_paths(tmp_path: Path) -> None:
    compiled = ready(dd.derivative(lambda x: x**2 if x > 0 else -x), (1.0,))
    compiled.save(tmp_path / "positive.py")
    scope: dict[str, Any] = {}
    exec((tmp_path / "positive.py").read_text(), scope)
    assert scope["program"](3.0) == 6.0
    with pytest.raises(ValueError, match="another path"):
        scope["program"](-3.0)


def test_no_warnings_but_the_functions_own() -> None:
    compiled = ready(dd.jacobian(lambda x: np.sqrt(x)), (np.array([1.0, 2.0]),), (np.array([1.0, 3.0]),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(compiled(np.array([0.0, 4.0])), [[np.inf, 0], [0, 0.25]])


# ---------------------------------------------------------------- functions that can't be looked into

BUFFER = np.zeros(3)


def by_hand(x: Any) -> Any:
    assert type(x) is np.ndarray
    return np.array([math.sin(v) for v in x.tolist()])


def writing(x: Any) -> Any:
    x[:] = [math.sin(v) for v in x.tolist()]
    return x


def into_a_buffer(x: Any) -> Any:
    BUFFER[:] = [math.sin(v) for v in x.tolist()]
    return BUFFER


def above(x: Any) -> Any:
    return np.array([v for v in x.tolist() if v > 0.5])


def newton(a: Any) -> Any:
    assert isinstance(a, float | np.ndarray)
    y = np.zeros_like(a)
    while np.max(np.abs(step := (y**3 + y - a) / (3 * y * y + 1))) > 1e-13:
        y = y - step
    return y


def chain(primals: Any, tangents: Any) -> Any:
    return np.cos(primals[0]) * tangents[0]


erf = dd.define_rule(math.erf, partials=lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x))
hand, writes, buffered = (dd.define_rule(f, jvp=chain) for f in (by_hand, writing, into_a_buffer))
backward = dd.define_rule(lambda x: by_hand(x), vjp=lambda primals, ct: (np.cos(primals[0]) * ct,))
chosen = dd.define_rule(above, vjp=lambda primals, ct: (np.where(primals[0] > 0.5, np.sum(ct), 0.0),))
both = dd.define_rule(lambda x: (float(x[0]) ** 2, by_hand(x)), jvp=lambda p, t: (2 * p[0][0] * t[0][0], chain(p, t)))
cubic = dd.define_root(lambda y, a: y**3 + y - a, newton)

OPAQUE: dict[str, Any] = {
    "a number": lambda x: erf(x[0]) * x,
    "an array": lambda x: hand(x * x) * x,
    "twice": lambda x: hand(x) + hand(2 * x) * x,
    "it writes": lambda x: writes(+x) * x,
    "into memory of its own": lambda x: +buffered(x) + buffered(2 * x) * x,
    "by a pullback": lambda x: backward(x * x) * x,
    "several results": lambda x: both(x)[0] * both(x)[1],
    "a root": lambda x: cubic(x * x) * x,
    "a root that is a number": lambda x: cubic(x[0] * x[1]) * x,
}


@pytest.mark.parametrize("how", ["f", "forward", "reverse", "hessian", "taylor"])
@pytest.mark.parametrize("name", OPAQUE)
def test_functions_with_rules_are_called_whole(name: str, how: str) -> None:
    f = OPAQUE[name]
    g = {
        "f": f,
        "forward": dd.jacobian(f),
        "reverse": dd.jacobian(f, mode="reverse"),
        "hessian": dd.hessian(lambda x: np.sum(f(x))),
        "taylor": lambda x: dd.taylor(f, x, 2, direction=x),
    }[how]
    x = np.array([0.3, 0.8, 1.4])
    compiled = ready(g, (x,), (x + 0.1,))
    for point in (1.2 * x, x[::-1].copy()):
        kept = point.copy()
        np.testing.assert_allclose(served(compiled, point), g(point), rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(point, kept)


def test_shapes_that_such_functions_decide_are_guarded() -> None:
    f = lambda x: np.sum(chosen(x)) * x
    x = np.array([0.3, 0.8, 1.4])
    for g in (f, dd.jacobian(f, mode="reverse")):
        compiled = ready(g, (x,), (x + 0.1,))
        for point in (x + 0.3, x - 0.4, x):
            np.testing.assert_allclose(compiled(point), g(point), rtol=1e-12)


def test_programs_that_call_them_are_not_saved(tmp_path: Path) -> None:
    x = np.array([0.3, 0.8])
    compiled = ready(dd.jacobian(lambda x: hand(x * x)), (x,), (x + 0.1,))
    assert "by_hand" in compiled.source
    with pytest.raises(ValueError, match="by_hand"):
        compiled.save(tmp_path / "program.py")
