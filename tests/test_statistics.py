"""Averages, covariances, histograms, and the functions that skip NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dualdiff as dd

from .test_more_numpy import Case, cases, check, close, untested

AVERAGES = """
np.average(A)  np.average(A, 0)  np.average(A, axis=(0, 1))  np.average(T, axis=(0, -1), keepdims=True)
np.average(A, weights=B)  np.average(A, 1, w)  np.average(A, axis=0, weights=u)  np.average(A, weights=weights, axis=0)
np.average([1.0, 2.0, 4.0], weights=u)  np.average(T, axis=(2, 0), weights=A[:2].T)  np.average(A, 0, returned=True)
np.average(A, axis=1, weights=w, returned=True)  np.average(A, axis=0, weights=B, keepdims=True)
np.cov(A)  np.cov(u)  np.cov(u, v)  np.cov(A, B)  np.cov(A, rowvar=False)  np.cov(A.T, w[:, None], rowvar=False)
np.cov(A, bias=True)  np.cov(A, ddof=0)  np.cov(A, fweights=[1, 2, 1, 3])  np.cov(A, aweights=w)
np.cov(A, aweights=w, ddof=0)  np.cov(A, fweights=[1, 2, 1, 3], aweights=w)  np.cov([1.0, 2.0, 4.0], u)
np.corrcoef(A)  np.corrcoef(u, v)  np.corrcoef(A, rowvar=False)  np.corrcoef(A, B)  np.corrcoef(u)
"""
SKIPPING = """
np.nansum(gap)  np.nansum(Gaps, 0)  np.nansum(Gaps, axis=(0, 1), keepdims=True)  np.nansum(Gaps, initial=2.0)
np.nansum(Gaps, axis=1, where=[[True], [False], [True], [True]])  np.nansum(A)  np.nansum(gap, dtype=float)
np.nanprod(gap)  np.nanprod(Gaps, 1)  np.nanprod(Gaps, axis=0, keepdims=True)  np.nancumsum(Gaps)  np.nancumsum(Gaps, 1)
np.nancumprod(Gaps)  np.nancumprod(Gaps, axis=0)  np.nanmean(gap)  np.nanmean(Gaps, 0)
np.nanmean(Gaps, 1, keepdims=True)
np.nanmean(Gaps, where=[[True], [False], [True], [True]])  np.nanvar(gap)  np.nanvar(Gaps, 0)
np.nanvar(Gaps, axis=1, ddof=1)
np.nanvar(Gaps, keepdims=True)  np.nanstd(gap)  np.nanstd(Gaps, 0)  np.nanstd(Gaps, axis=1, ddof=1, keepdims=True)
np.nanmax(gap)  np.nanmax(Gaps, 0)  np.nanmax(Gaps, axis=(0, 1), keepdims=True)  np.nanmax(Gaps, initial=0.2, axis=1)
np.nanmin(gap)  np.nanmin(Gaps, 1)  np.nanmin(Gaps, where=[[True], [False], [True], [True]], initial=9.0)
np.nanmin(A, -1)
"""
HISTOGRAMS = """
np.bincount([0, 2, 2], u)  np.bincount([0, 2, 2], weights=u, minlength=5)
np.histogram(long, [-1.0, 0.0, 0.5], weights=long)
np.histogram(long, 4)  np.histogram(long, 4, density=True)  np.histogram(long, 3, (-1.0, c), weights=long**2)
np.histogram(A, 3, weights=B, density=True)  np.histogram(long, 'sturges')  np.histogram([1.0, 2.0, 3.0], 2, weights=u)
np.histogram_bin_edges(long)  np.histogram_bin_edges(A, 3)  np.histogram_bin_edges(u, knots)
np.histogram_bin_edges(c, 3)
np.histogram_bin_edges(long, 'auto')
"""


@pytest.mark.parametrize("source", cases(AVERAGES))
def test_averages(source: str) -> None:
    check(source, small="[1.0" not in source)  # Python numbers do not widen float32


@pytest.mark.parametrize("source", ["np.cov(z, u)", "np.corrcoef(z, u)", "np.cov(z)"])
def test_covariances_of_complex_numbers(source: str) -> None:
    """Not holomorphic, so that there is no complex Jacobian; along a direction there is a derivative."""
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    close(value, case.f(*case.arrays), rtol=1e-13, atol=1e-15)
    close(tangent, case.along(case.f, 1e-6), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("source", cases(SKIPPING))
def test_skipping(source: str) -> None:
    check(source, small="dtype" not in source)


@pytest.mark.parametrize("source", cases(HISTOGRAMS))
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


@pytest.mark.parametrize("source", cases(ERRORS))
def test_errors_are_numpys(source: str) -> None:
    with pytest.raises(Exception) as due:
        eval(source, {"np": np, "x": np.ones((2, 3))})
    with pytest.raises(due.type):
        dd.jvp(lambda x: eval(source, {"np": np, "x": x}), (np.ones((2, 3)),), (np.ones((2, 3)),))


@pytest.mark.parametrize("function", [lambda x: np.histogram2d(x, x), lambda x: np.histogramdd(x[:, None])])
def test_histograms_in_the_plane_are_refused(function: Any) -> None:
    with pytest.raises(dd.NotDifferentiableError, match="piecewise constant"):
        dd.jacobian(function)(np.ones(3))
