"""NumPy's own bodies as rules: copies that find other names, and change nothing that exists."""

from __future__ import annotations

import operator
import threading
import types
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import dualdiff as dd
from dualdiff.core.composed import ALLOCATE, ALLOCATE_LIKE, codes, composed, writes_globals
from dualdiff.core.engine import CONVERT
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
    assert not writes_globals(test_arrays_hold_the_tangents_of_all_operands_of_all_levels.__code__)


@pytest.mark.parametrize("name", bodies.NAMES)
def test_no_other_rule_takes_the_place_of_a_body(name: str) -> None:
    if name in bodies.NEWER and not hasattr(np, name):
        pytest.skip("newer than this NumPy")
    function = operator.attrgetter(name)(np)
    assert FUNCTIONS[function].__qualname__ == composed(function).__qualname__


def reached(function: Any) -> set[str]:
    """The functions written in C, found by name in a body or in NumPy's helpers that it calls, and not replaced."""
    found, todo, seen = set(), [function.__wrapped__], set()
    replaced = (*ALLOCATE, *ALLOCATE_LIKE, *CONVERT, np.concatenate.__wrapped__)  # type: ignore[attr-defined]
    while todo:
        f = todo.pop()
        if isinstance(f, types.BuiltinFunctionType) and (f.__module__ or "").startswith("numpy") and f not in replaced:
            found.add(f.__name__)
        if not isinstance(f, types.FunctionType) or f in seen or f in replaced or "numpy" not in f.__module__:
            continue
        seen.add(f)
        names = {name for code in codes(f.__code__) for name in code.co_names}
        objects = [f.__globals__[name] for name in names & f.__globals__.keys()]
        modules = [m.__dict__ for m in objects if isinstance(m, types.ModuleType) and "numpy" in m.__name__]
        todo += objects + [m[name] for m in modules for name in names & m.keys()]
    return found


@pytest.mark.parametrize("name", bodies.NAMES)
def test_bodies_reach_nothing_that_asks_nobody_about_tangents(name: str) -> None:
    if name in bodies.NEWER and not hasattr(np, name):
        pytest.skip("newer than this NumPy")
    of_integers = {"normalize_axis_index", "arange"}
    assert reached(operator.attrgetter(name)(np)) <= of_integers
