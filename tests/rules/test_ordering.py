"""Sorting, quantiles by every method, and the values of sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from tests.cases.functions import SETS, SORTING, VARIABLES
from tests.cases.tools import expressions
from tests.checks import check, untested

METHODS = (
    "inverted_cdf averaged_inverted_cdf closest_observation interpolated_inverted_cdf hazen weibull linear "
    "median_unbiased normal_unbiased lower higher midpoint nearest"
).split()


@pytest.mark.parametrize("source", expressions(SORTING))
def test_sorting(source: str) -> None:
    check(source)


@pytest.mark.parametrize("source", expressions(SETS))
def test_sets(source: str) -> None:
    check(source)


@pytest.mark.parametrize("name, x", [("quantile", "long"), ("nanquantile", "Gaps"), ("quantile", "A")])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_of_quantile(method: str, name: str, x: str) -> None:
    """By the data and by q, within a piece."""
    axis = None if x == "long" else 0
    for q in ([0.0, 0.17, 0.93, 1.0], "0.41 * c", "0.05 * c", "0.4 * u"):
        check(f"np.{name}({x}, {q}, axis={axis}, method={method!r})")


@pytest.mark.parametrize("method", METHODS)
def test_percentiles_fall_where_numpy_has_them(method: str) -> None:
    """On the steps of the discontinuous methods, where rounding decides."""
    x = np.sort(VARIABLES["long"])[:10]
    for q in range(0, 101, 5):
        value, slope = dd.value_and_gradient(lambda x: np.percentile(x, q, method=method))(x)  # noqa: B023
        np.testing.assert_allclose(value, np.percentile(x, q, method=method), rtol=1e-14)
        assert slope.sum() == pytest.approx(1)
        np.testing.assert_allclose(slope @ x, value, rtol=1e-12)


def test_every_rule_has_a_case() -> None:
    assert untested("ordering", [SORTING, SETS]) == set()


# ---------------------------------------------------------------- ties, NaN, and what NumPy refuses


def test_ties_follow_a_stable_order() -> None:
    x = np.array([2.0, 1.0, 2.0, 1.0])
    np.testing.assert_array_equal(dd.jacobian(np.sort)(x), np.eye(4)[[1, 3, 0, 2]])
    np.testing.assert_array_equal(dd.jacobian(np.unique)(x), np.eye(4)[[1, 0]])
    np.testing.assert_array_equal(dd.jacobian(lambda x: np.partition(x, 1))(x).sum(axis=0), np.ones(4))


def test_weights_of_the_median_lie_on_tied_values_only() -> None:
    np.testing.assert_array_equal(dd.gradient(np.median)(np.array([1.0, 2.0, 2.0, 5.0])), [0, 0.5, 0.5, 0])
    slope = dd.gradient(np.median)(np.array([1.0, 1.0, 3.0]))
    assert slope[2] == 0
    assert slope.sum() == 1
    np.testing.assert_array_equal(dd.gradient(lambda x: np.percentile(x, 75))(np.array([1.0, 2.0, 4.0])), [0, 0.5, 0.5])


def test_an_element_without_weight_contributes_nothing() -> None:
    """Even where its own slope is infinite."""
    x = np.array([0.0, 1.0, 4.0])
    np.testing.assert_array_equal(dd.gradient(lambda x: np.median(np.sqrt(x)))(x), [0, 0.5, 0])
    np.testing.assert_array_equal(dd.gradient(lambda x: np.quantile(-np.sqrt(x), 0.5))(x), [0, -0.5, 0])


def test_slope_in_q_at_an_element_is_the_mean_of_both_sides() -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert dd.derivative(lambda q: np.quantile(x, q))(0.5) == 2 * (1 + 2) / 2
    assert dd.derivative(lambda q: np.quantile(x, q))(0.0) == 2 * 1
    assert dd.derivative(lambda q: np.quantile(x, q))(1.0) == 2 * 2


@pytest.mark.parametrize("function", [np.median, lambda x: np.quantile(x, 0.5), lambda x: np.percentile(x, [10, 50])])
def test_nan_gives_nan_without_a_slope(function: Any) -> None:
    value, slope = dd.value_and_jacobian(function)(np.array([1.0, np.nan, 2.0]))
    assert np.isnan(value).all()
    assert not slope.any()


@pytest.mark.parametrize("function", [np.nanmedian, lambda x, axis: np.nanquantile(x, 0.5, axis)])
def test_all_nan_warns_as_numpy_does(function: Any) -> None:
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        value, slope = dd.value_and_jacobian(lambda x: function(x, 0))(np.array([[np.nan, 1.0], [np.nan, 2.0]]))
    np.testing.assert_array_equal(value, [np.nan, 1.5])
    np.testing.assert_array_equal(slope[:, :, 1], [[0, 0], [0.5, 0.5]])


ERRORS = """
np.sort(x, 2)  np.sort(x[0, 0])  np.partition(x, 9)  np.median(x, 5)  np.quantile(x, 1.5)  np.quantile(x, 0.5, axis=7)
np.quantile(x, 0.5, method='other')  np.quantile(x + 1j, 0.5)  np.quantile(x, 0.5, weights=[1.0])  np.percentile(x, -1)
np.quantile(x, 0.5, weights=x)  np.unique(x, axis=4)  np.quantile(x, 0.5, axis=0, weights=[1.0], method='inverted_cdf')
"""


@pytest.mark.parametrize("source", expressions(ERRORS))
def test_errors_are_numpys(source: str) -> None:
    with pytest.raises(Exception) as due:
        eval(source, {"np": np, "x": np.ones((2, 3))})
    with pytest.raises(due.type):
        dd.jvp(lambda x: eval(source, {"np": np, "x": x}), (np.ones((2, 3)),), (np.ones((2, 3)),))


def test_empty() -> None:
    x = np.zeros((0, 2))
    assert dd.jacobian(lambda x: np.sort(x, 0))(x).shape == (0, 2, 0, 2)
    assert dd.jacobian(np.unique)(x).shape == (0, 0, 2)


def test_values_of_two_sets_that_coincide_are_refused() -> None:
    with pytest.raises(dd.NotDifferentiableError, match="coincide"):
        dd.jacobian(lambda x: np.intersect1d(x, [1.0]))(np.ones(2))
