"""NumPy's own bodies as rules: copies that find other names, and change nothing that exists."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import dualdiff as dd
from dualdiff.core.composed import composed, writes_globals
from dualdiff.rules import FUNCTIONS, bodies

Array = npt.NDArray[Any]
X = np.array([1.0, 2.0, 4.0, 3.0])
COUNT = 0


def test_numpy_itself_is_left_alone() -> None:
    before = dict(np.gradient.__wrapped__.__globals__)  # type: ignore[attr-defined]
    dd.jacobian(lambda x: np.gradient(x))(X)
    assert before == dict(np.gradient.__wrapped__.__globals__)  # type: ignore[attr-defined]
    assert isinstance(np.empty(2), np.ndarray)


def test_arrays_hold_the_tangents_of_all_operands_of_all_levels() -> None:
    def f(s: Any, t: Any) -> Any:
        inner = dd.jvp(lambda x: np.gradient(x, np.arange(4.0) * t), (X,), (X * s,))
        return np.sum(inner[0]) + 3 * np.sum(inner[1])

    h = 1e-6
    due = (f(2.0 + h, 1.5) - f(2.0 - h, 1.5)) / (2 * h), (f(2.0, 1.5 + h) - f(2.0, 1.5 - h)) / (2 * h)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(dd.gradient(f, (0, 1), mode=mode)(2.0, 1.5), due, rtol=1e-8)


def test_two_perturbations_that_are_not_nested_in_one_call() -> None:
    def f(s: Any) -> Any:
        return np.sum(dd.jacobian(lambda t: np.polyint(np.array([1.0, 2.0]), k=s * 1.0) * t)(2.0))

    assert dd.derivative(f)(3.0) == 1.0


def test_the_caller_s_functions_see_numpy_as_it_is() -> None:
    seen = []

    def row(v: Any) -> Any:
        seen.append(type(np.zeros(2)))
        return v[0] * v

    dd.jacobian(lambda x: np.apply_along_axis(row, 0, x))(np.ones((2, 3)))
    assert set(seen) == {np.ndarray}


def test_the_arguments_of_a_body_are_those_of_its_thread() -> None:
    found: dict[int, Any] = {}
    start = threading.Barrier(4)

    def run(n: int) -> None:
        start.wait()
        for _ in range(20):
            found[n] = dd.jacobian(lambda x: np.gradient(x))(np.arange(float(n + 3)))

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n, j in found.items():
        np.testing.assert_array_equal(j, dd.jacobian(lambda x: np.gradient(x))(np.arange(float(n + 3))))


def test_a_tangent_is_not_lost_in_an_array_of_integers() -> None:
    with pytest.raises(TypeError, match="lose the derivative"):
        dd.jacobian(lambda x: np.insert(np.arange(3), 1, x))(1.0)


def writes() -> Any:
    def inner() -> None:
        global COUNT
        COUNT += 1

    return inner


def test_globals_that_are_written_are_found_in_inner_functions_too() -> None:
    assert writes_globals(writes.__code__) and writes_globals(writes().__code__)
    assert not writes_globals(test_numpy_itself_is_left_alone.__code__)


def test_every_body_is_a_function_of_numpy_with_a_rule() -> None:
    for name in bodies.NAMES:
        function = np.__dict__.get(name)
        assert function is None or FUNCTIONS[function].__qualname__ == composed(function).__qualname__


def test_bodies_reach_nothing_that_would_not_ask_numbers_with_tangents() -> None:
    """Functions of C that bodies call are replaced, ask by themselves, or take integers only."""
    for name in bodies.NAMES + [f"linalg.{name}" for name in bodies.LINALG]:
        function = operator.attrgetter(name)(np) if hasattr(np, name.removeprefix("linalg.")) else None
        todo, seen = [getattr(function, "__wrapped__", None)], set()
        while todo:
            body = todo.pop()
            if not isinstance(body, types.FunctionType) or body in seen or id(body) in REPLACED:
                continue
            seen.add(body)
            names = {n for code in codes(body.__code__) for n in code.co_names}
            reached = [body.__globals__[n] for n in names & body.__globals__.keys()]
            modules = [m for m in reached if isinstance(m, types.ModuleType) and m.__name__.startswith("numpy")]
            reached += [m.__dict__[n] for m in modules for n in names & m.__dict__.keys()]
            todo += [f for f in reached if (getattr(f, "__module__", None) or "").startswith("numpy")]
            asks_nobody = {f.__name__ for f in reached if isinstance(f, types.BuiltinFunctionType) and f in BUILT_IN}
            assert asks_nobody <= {"normalize_axis_index", "arange"}, (name, asks_nobody)
