"""Where f runs a second time, it sees the same names and takes the same from iterators: right, or an error."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

X = np.array([0.5, 1.5])
K = 3.0
WRITTEN = 1.0


def stored(x: Any, factor: Any) -> Any:
    y = np.zeros(2)
    y[0] = factor * x[0]
    return y


def get(x: Any) -> Any:
    return stored(x, globals().get("K", 1.0))


def contained(x: Any) -> Any:
    return stored(x, 3.0 if "K" in globals() else 1.0)


def evaluated(x: Any) -> Any:
    return stored(x, eval("K"))


def evaluated_or_not(x: Any) -> Any:
    try:
        return stored(x, eval("K"))
    except NameError:
        return stored(x, 1.0)


def executed(x: Any) -> Any:
    found: dict[str, Any] = {}
    exec("k = globals().get('K', 1.0)", globals(), found)
    return stored(x, found["k"])


def of_module(x: Any) -> Any:
    return stored(x, vars(sys.modules[__name__]).get("K", 1.0))


def of_frame(x: Any) -> Any:
    return stored(x, sys._getframe().f_globals.get("K", 1.0))


def of_function(x: Any) -> Any:
    return stored(x, of_function.__globals__.get("K", 1.0))


def writes_inside(x: Any) -> Any:
    def write() -> None:
        global WRITTEN
        WRITTEN = 3.0

    write()
    return stored(x, WRITTEN)


def writes_in_a_helper(x: Any) -> Any:
    write_helper()
    return stored(x, WRITTEN)


def write_helper() -> None:
    global WRITTEN
    WRITTEN = 3.0


def in_the_body(x: Any) -> Any:
    y = np.zeros(2)
    y[0] = globals().get("K", 1.0) * x[0]
    return y


def in_the_body_evaluated(x: Any) -> Any:
    y = np.zeros(2)
    try:
        y[0] = eval("K") * x[0]
    except NameError:
        y[0] = x[0]
    return y


def imported(x: Any) -> Any:
    try:
        from .user_module import __name__ as name

        factor = 3.0 if name else 0.0
    except (ImportError, KeyError):
        factor = 1.0
    return stored(x, factor)


def looked_up(x: Any) -> Any:
    try:
        factor = K
    except NameError:
        factor = 1.0
    return stored(x, factor)


NAMES = [
    *(get, contained, evaluated, evaluated_or_not, executed, of_module, of_frame, of_function),
    *(writes_inside, writes_in_a_helper, in_the_body, in_the_body_evaluated, imported, looked_up),
]
MODES: dict[str, Callable[[Any], Any]] = {
    "forward": dd.jacobian,
    "passes": lambda f: dd.jacobian(f, chunk_size=1),
    "reverse": lambda f: dd.jacobian(f, mode="reverse"),
    "sparse": lambda f: lambda x: dd.jacobian(f, sparse=True)(x).toarray(),
    "nested": lambda f: lambda x: dd.jacobian(dd.jacobian(lambda y: f(y) * y[0]))(x)[..., 0] / (2 * np.eye(2)[0]),
}
modes = pytest.mark.parametrize("mode", MODES)
EXPECTED = np.array([[3.0, 0.0], [0.0, 0.0]])
RIGHT = (writes_in_a_helper, imported, looked_up)


@pytest.mark.parametrize("mode", ["forward", "passes", "reverse", "sparse"])
@pytest.mark.parametrize("f", NAMES)
def test_the_second_run_sees_the_same_names(f: Any, mode: str) -> None:
    global WRITTEN
    WRITTEN = 1.0
    try:
        J = MODES[mode](f)(X)
    except dd.TangentLossError as error:
        assert "zeros_like" in str(error) and f not in RIGHT
    else:
        np.testing.assert_array_equal(J, EXPECTED)


# ---------------------------------------------------------------- iterators


def summed(x: Any, factors: Any) -> Any:
    y = np.zeros(2)
    for k in factors:
        y[0] += k * x[0]
    return y


class Batches:
    def __init__(self) -> None:
        self.left = [1.0, 2.0]

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> float:
        if not self.left:
            raise StopIteration
        return self.left.pop()


SOURCES: dict[str, Callable[[], Any]] = {
    "iter": lambda: iter([1.0, 2.0]),
    "generator": lambda: (k for k in (1.0, 2.0)),
    "map": lambda: map(float, [1, 2]),
    "islice": lambda: itertools.islice(itertools.count(1.0), 2),
    "flat": lambda: np.array([1.0, 2.0]).flat,
    "of the user": Batches,
}
sources = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
held: Any = None


@modes
@sources
def test_a_consumed_iterator_is_an_error(source: Any, mode: str) -> None:
    global held
    it, args, box = source(), [source()], {"it": source()}
    held, other = source(), source()

    class Model:
        def __init__(self) -> None:
            self.it = source()

        def loss(self, x: Any) -> Any:
            return summed(x, self.it)

    def default(x: Any, it: Any = other) -> Any:
        return summed(x, it)

    for f in (
        lambda x: summed(x, it),
        lambda x: summed(x, args[0]),
        lambda x: summed(x, box["it"]),
        lambda x: summed(x, held),
        Model().loss,
        default,
    ):
        with pytest.raises(dd.NotDifferentiableError, match="used up"):
            MODES[mode](f)(X)


@sources
def test_a_consumed_iterator_among_the_arguments(source: Any) -> None:
    for mode in ("forward", "reverse"):
        with pytest.raises(dd.NotDifferentiableError, match="used up"):
            dd.jacobian(summed, mode=mode)(X, source())
        with pytest.raises(dd.NotDifferentiableError, match="used up"):
            dd.jacobian(summed, mode=mode)(X, factors=source())


@sources
def test_an_iterator_and_a_question(source: Any) -> None:
    it = source()

    def f(x: Any) -> Any:
        return sum(next(it) * v for v in x) if isinstance(x, np.ndarray) else x * 0

    with pytest.raises(dd.NotDifferentiableError, match="used up"):
        dd.gradient(f)(X)


@sources
def test_iterators_serve_a_single_run(source: Any) -> None:
    it = source()
    np.testing.assert_array_equal(sorted(dd.gradient(lambda x: sum(k * v for k, v in zip(it, x)))(X)), [1, 2])


def test_iterables_and_files_may_be_read_again() -> None:
    factors = [1.0, 2.0]

    def f(x: Any) -> Any:
        print("f", end="", file=sys.stdout)
        return summed(x, (k for k in factors))

    np.testing.assert_array_equal(dd.jacobian(f)(X), EXPECTED)
