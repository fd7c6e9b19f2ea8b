"""Averages, covariances, histograms, and the functions that skip NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from tests.cases.functions import AVERAGES, HISTOGRAMS, SKIPPING, Case
from tests.cases.tools import close, expressions
from tests.checks import check, untested


@pytest.mark.parametrize("source", expressions(AVERAGES))
def test_averages(source: str) -> None:
    check(source, small="[1.0" not in source)  # Python numbers do not widen float32


@pytest.mark.parametrize("source", ["np.cov(z, u)", "np.corrcoef(z, u)", "np.cov(z)"])
def test_covariances_of_complex_numbers(source: str) -> None:
    """Not holomorphic, so that there is no complex Jacobian; along a direction there is a derivative."""
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    close(value, case.f(*case.arrays), rtol=1e-13, atol=1e-15)
    close(tangent, case.along(case.f, 1e-6), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("source", expressions(SKIPPING))
def test_skipping(source: str) -> None:
    check(source, small="dtype" not in source)


@pytest.mark.parametrize("source", expressions(HISTOGRAMS))
def test_histograms(source: str) -> None:
    check(source, small=False)


def test_every_rule_has_a_case() -> None:
    assert untested("statistics", [AVERAGES, SKIPPING, HISTOGRAMS]) == set()


# ---------------------------------------------------------------- degenerate cases


def test_nan_that_is_skipped_contributes_nothing() -> None:
    np.testing.assert_array_equal(dd.gradient(np.nansum)(np.array([np.nan, 2.0])), [0, 1])
    np.testing.assert_array_equal(dd.gradient(np.nanmax)(np.array([np.nan, 2.0, 2.0])), [0, 0.5, 0.5])
    np.testing.assert_array_equal(dd.gradient(np.nanstd)(np.array([np.nan, 2.0, 2.0])), [0, 0, 0])


@pytest.mark.parametrize("function", [np.nanmax, np.nanmin])
def test_all_nan_warns_as_numpy_does(function: Any) -> None:
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        value, slope = dd.value_and_jacobian(lambda x: function(x, axis=0))(np.array([[np.nan, 1.0], [np.nan, 2.0]]))
    assert np.isnan(value[0])
    assert not slope[0].any()
    assert slope[1].sum() == 1


@pytest.mark.parametrize("function", [np.nanmean, np.nanvar, np.nanstd])
def test_nothing_to_average_warns_as_numpy_does(function: Any) -> None:
    with pytest.warns(RuntimeWarning):
        assert np.isnan(dd.value_and_gradient(function)(np.array([np.nan, np.nan]))[0])
    with pytest.warns(RuntimeWarning):
        assert np.isnan(dd.value_and_gradient(lambda x: np.nanvar(x, ddof=2))(np.array([1.0, 2.0, np.nan]))[0])


def test_correlation_of_equal_rows_is_flat() -> None:
    np.testing.assert_allclose(dd.jacobian(lambda x: np.corrcoef(x, 2 * x))(np.array([1.0, 2.0, 4.0])), 0, atol=1e-15)


ERRORS = """
np.average(x, weights=[1.0, 2.0])  np.average(x, 0, weights=np.ones(4))  np.average(x, weights=np.zeros((2, 3)))
np.average(x, 3)  np.cov(x[None])  np.cov(x, x[None])  np.cov(x, fweights=[0.5, 1.0, 1.0])
np.cov(x, aweights=[-1.0, 1.0, 1.0])
np.nansum(x, 4)  np.nanmax(x[:0])  np.nanmin(x, axis=(0, 0))  np.bincount([0, -1], x[0, :2])  np.bincount([0], x[0])
np.histogram(x, -1)  np.histogram(x, [1.0, 0.0])  np.histogram(x, 3, weights=x[0])
"""


@pytest.mark.parametrize("source", expressions(ERRORS))
def test_errors_are_numpys(source: str) -> None:
    with pytest.raises(Exception) as due:
        eval(source, {"np": np, "x": np.ones((2, 3))})
    with pytest.raises(due.type):
        dd.jvp(lambda x: eval(source, {"np": np, "x": x}), (np.ones((2, 3)),), (np.ones((2, 3)),))


@pytest.mark.parametrize("function", [lambda x: np.histogram2d(x, x), lambda x: np.histogramdd(x[:, None])])
def test_histograms_in_the_plane_are_refused(function: Any) -> None:
    with pytest.raises(dd.NotDifferentiableError, match="piecewise constant"):
        dd.jacobian(function)(np.ones(3))
