"""Rules of functions that sum, multiply or spread along axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.kinks import met, watching
from ..core.table import ACCUMULATE, REDUCE, Plan, axes_of, axis_of, rule, ufunc_axes
from ..core.tangents import combine, linear, total
from ..core.values import Shape, ndim, plain, shape_of
from .structural import rows_along


def _reduction(function: Callable[..., Any], ufunc: np.ufunc) -> Callable[[Callable[..., Any]], None]:
    """What reductions of a ufunc have in common: the decorated rule gets the array, its axes, and keepdims only."""
    neutral = ufunc.identity

    def register(written: Callable[..., Any]) -> None:
        @rule(function)
        def reduction(
            a: Any,
            axis: Any = None,
            dtype: Any = None,
            out: Any = None,
            keepdims: bool = False,
            initial: Any = neutral,
            where: Any = True,
        ) -> Any:
            if where is True and dtype is None and type(initial) is int and initial == neutral:
                return written(a, ufunc_axes(axis, ndim(a)), bool(keepdims))
            a = a if where is True else np.where(where, a, neutral)
            a = a if dtype is None else a.astype(dtype)
            return ufunc(function(a, axis, keepdims=keepdims), initial)

        REDUCE[ufunc] = function

    return register


@_reduction(np.sum, np.add)
def _sum(a: Any, axes: Shape, keepdims: bool) -> Plan:
    return Plan(
        (a,),
        lambda v: np.add.reduce(v, axis=axes, keepdims=keepdims),
        lambda _, v, t: total(t[0], shape_of(v[0]), axes, keepdims),
    )


@rule(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *, where: Any = True
) -> Any:
    if where is not True:
        where = np.broadcast_to(plain(where), shape_of(a))
        count = np.sum(where, axis, keepdims=keepdims)
        total_ = np.sum(a, axis, dtype, keepdims=keepdims, where=where)
        return total_ / count.astype(total_.real.dtype)
    if dtype is not None:
        return np.mean(a.astype(dtype), axis, keepdims=keepdims)
    axes, shape = axes_of(axis, ndim(a)), shape_of(a)
    count = math.prod([shape[k] for k in axes])

    def tangent(out: Any, values: Any, tangents: Any) -> Any:
        summed = total(tangents[0], shape, axes, bool(keepdims))
        return combine([(summed, shape_of(out), 1 / count if count else np.nan)], shape_of(out))

    return Plan((a,), lambda v: np.mean(v, axis=axes, keepdims=keepdims), tangent)


@rule(np.var)
def var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False, **options: Any
) -> Any:
    """The mean squared distance from the mean, composed as NumPy composes it."""
    where, centre = options.get("where", True), options.get("mean")
    centre = np.mean(a, axis, dtype, keepdims=True, where=where) if centre is None else centre
    distance = a - centre
    distance = np.abs(distance) if distance.dtype.kind == "c" else distance
    count = np.sum(np.broadcast_to(plain(where), shape_of(a)), axis=axes_of(axis, ndim(a)), keepdims=keepdims)
    freedom = np.maximum(count - options.get("correction", ddof), 0)
    squares = np.sum(distance * distance, axis, dtype, keepdims=keepdims, where=where)
    return squares / freedom.astype(squares.dtype)


@rule(np.std)
def std(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, **options: Any) -> Any:
    """The root of the variance; where all values are equal its slope is 0, since the variance does not move."""
    return root(np.var(a, axis, dtype, ddof=ddof, **options))


def root(variance: Any) -> Any:
    if watching():
        why = "write np.linalg.norm(x - np.mean(x)) / np.sqrt(n - ddof)"
        with np.errstate(invalid="ignore"):
            met(np.std, np.sqrt(plain(variance)), np.sqrt(plain(variance)), ordered=False, why=why)
    return np.sqrt(variance)


def _others(x: Any) -> Any:
    """The product of all the other elements along the last axis, exact where some are zero."""
    one = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate([one, x[..., :-1]], -1), -1)
    after = np.flip(np.cumprod(np.concatenate([one, np.flip(x[..., 1:], -1)], -1), -1), -1)
    return before * after


@_reduction(np.prod, np.multiply)
def _prod(a: Any, axes: Shape, keepdims: bool) -> Any:
    if not axes:
        return +a
    if len(axes) > 1:
        product = np.prod(rows_along(a, axes), -1)
        return np.expand_dims(product, axes) if keepdims else product

    def tangent(_: Any, values: Any, tangents: Any) -> Any:
        x = values[0]
        slope = np.moveaxis(_others(np.moveaxis(x, axes[0], -1)), -1, axes[0]) if shape_of(x)[axes[0]] else x
        return total(combine([(tangents[0], shape_of(x), slope)], shape_of(x)), shape_of(x), axes, keepdims)

    return Plan((a,), lambda v: np.prod(v, axis=axes[0], keepdims=keepdims), tangent)


def _accumulation(function: Callable[..., Any], ufunc: np.ufunc) -> Callable[[Callable[..., Any]], None]:
    """What cumulative functions have in common: the decorated rule gets the array and a negative axis only."""

    def register(written: Callable[..., Any]) -> None:
        @rule(function)
        def accumulation(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
            a, axis = (np.ravel(a), -1) if axis is None or (axis in (0, -1) and not ndim(a)) else (a, axis)
            return written(a if dtype is None else a.astype(dtype), axis_of(axis, ndim(a)))

        ACCUMULATE[ufunc] = function

    return register


@_accumulation(np.cumsum, np.add)
def _cumsum(a: Any, axis: int) -> Plan:
    def forward(t: Any) -> Any:
        return np.cumsum(t, axis)

    def backward(t: Any) -> Any:
        return np.flip(np.cumsum(np.flip(t, axis), axis), axis)

    return Plan((a,), forward, lambda _, v, t: linear(t[0], shape_of(v[0]), forward, backward))


@_accumulation(np.cumprod, np.multiply)
def _cumprod(a: Any, axis: int) -> Any:
    """By doubling, in log2(n) products of shifted arrays: exact where some elements are zero."""
    y = np.moveaxis(a, axis, -1)
    step, n = 1, shape_of(y)[-1]
    while step < n:
        y = np.concatenate([y[..., :step], y[..., step:] * y[..., :-step]], -1)
        step *= 2
    return np.moveaxis(y, -1, axis) if n > 1 else np.copy(a)
