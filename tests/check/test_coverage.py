"""Every public function of NumPy is in exactly one class, so that a new release can't slip through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.check.coverage import _NEVER, _PASSING, KINDS, Row, coverage, numpy_functions
from dualdiff.core.table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED


def test_every_public_function_is_in_a_class() -> None:
    classed = {row.function for row in coverage()}
    missing = {name for name, _ in numpy_functions() if "np." + name not in classed}
    assert missing == set(), "give each a rule, or put it into nondiff.py or coverage.py"


def test_no_function_is_in_two_classes() -> None:
    """Of COMPLEX and PLAIN the first is for complex operands only."""
    tables: list[set[Any]] = [set(ELEMENTWISE) | set(FUNCTIONS), PLAIN, set(REFUSED)]
    for i, a in enumerate(tables):
        for b in tables[i + 1 :]:
            assert a & b == set()
    assert not set(COMPLEX) & set(REFUSED)
    named = [name for notes in (_PASSING, _NEVER) for names in notes for name in names.split()]
    assert len(named) == len(set(named))
    ruled = {name for name, f in numpy_functions() for table in tables if f in table}
    assert not ruled & set(named)


def test_numpy_never_asks_about_the_functions_said_never_to_meet_a_tangent() -> None:
    """Those that NumPy dispatches are about dates."""
    dispatched = type(np.sum)
    names = {name for names in _NEVER for name in names.split()}
    asked = {name for name, f in numpy_functions() if name in names and isinstance(f, dispatched | np.ufunc)}
    assert asked == {"busday_count", "busday_offset", "is_busday", "datetime_as_string"}


def test_plain_functions_give_plain_results() -> None:
    x = dd.Dual([1.5, -2.0], [1.0, 0.0])
    for function in (np.floor, np.argmax, np.isfinite, np.shape, np.argsort, np.count_nonzero, np.tril_indices_from):
        result = function(x if function is not np.tril_indices_from else np.outer(x, x))
        assert not isinstance(result, dd.Dual)
    np.testing.assert_array_equal(np.isin(x, [1.5]), [True, False])


@pytest.mark.parametrize("row", [row for row in coverage() if row.kind == "refused" and row.function.startswith("np.")])
def test_what_is_refused_says_why(row: Row) -> None:
    """In the class's own words; NumPy's TypeError comes first where it takes no floats at all."""
    function = dict(numpy_functions())[row.function.removeprefix("np.")]
    x = dd.Dual([1.0, 2.0], [1.0, 0.0])
    calls = [(x,), (x, x), ("file", x), (x[:, None],)]
    messages = []
    for args in calls:
        try:
            function(*args)
        except Exception as error:
            messages.append(f"{type(error).__name__}: {error}")
    assert any("NotDifferentiableError" in m and row.note in m for m in messages), messages


@pytest.mark.parametrize(
    "f, due",
    [
        (lambda x: np.kaiser(5, x), lambda x: np.kaiser(5, x)),
        (lambda x: np.fft.fftfreq(4, x), lambda x: np.fft.fftfreq(4, x)),
        (lambda x: np.full(2, x), lambda x: np.full(2, x)),
        (lambda x: np.array([x, 2 * x]), lambda x: np.array([x, 2 * x])),
        (lambda x: np.require(x * np.ones(2)), lambda x: x * np.ones(2)),
        (lambda x: np.asarray_chkfinite(x * np.ones(2)), lambda x: x * np.ones(2)),
        (lambda x: np.vectorize(lambda a: a * a)(x * np.ones(2)), lambda x: x * x * np.ones(2)),
        (lambda x: np.fromiter([x, x], float), lambda x: np.fromiter([x, x], float)),
        (lambda x: np.arange(x, x + 2.5), lambda x: np.arange(x, x + 2.5)),
        (lambda x: np.r_[x, 1.0], lambda x: np.r_[x, 1.0]),
        (lambda x: np.c_[x * np.ones(2), [1.0, 2.0]], lambda x: np.c_[x * np.ones(2), [1.0, 2.0]]),
    ],
)
def test_what_numpy_does_not_dispatch_but_works(f: Any, due: Any) -> None:
    value, slope = dd.jvp(f, (3.0,), (1.0,))
    np.testing.assert_allclose(value, due(3.0))
    np.testing.assert_allclose(slope, (due(3.0 + 1e-6) - due(3.0 - 1e-6)) / 2e-6, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("f", [np.format_float_positional, lambda x: np.nditer(x)])
def test_what_would_lose_a_tangent_raises(f: Any) -> None:
    with pytest.raises((dd.TangentLossError, TypeError)):
        dd.derivative(f)(3.0)


def test_the_table_prints() -> None:
    table = coverage()
    text = str(table)
    assert repr(table).startswith("functions of  ") and len(repr(table).splitlines()) < 25 < len(text.splitlines())
    for title in KINDS.values():
        assert title in text
    assert "np.sin " in text
    assert REFUSED[np.nextafter] in text
    assert max(map(len, text.splitlines())) <= 120
    assert sum(table.counts().values()) == len(table)
    assert table.counts()["differentiable"] > 300


def test_special_functions_are_in_the_table() -> None:
    pytest.importorskip("scipy.special")
    rows = {row.function: row for row in coverage()}
    assert rows["scipy.special.erf"].kind == "differentiable"
    assert rows["scipy.special.jv"].note == "not by v"
    assert rows["scipy.special.round"].kind == "zero"
    assert rows["scipy.special.kolmogorov"].kind == "refused"
    assert "dualdiff.rules.special" in rows["scipy.special.logsumexp"].note
