"""The check of one expression against differences, shared by the tests of NumPy's functions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import dualdiff as dd
from dualdiff.core.table import FUNCTIONS
from tests.cases.functions import Case
from tests.cases.tools import close, leaves


def check(source: str, *, rtol: float = 1e-7, exact: float = 1e-13, second: bool = True, small: bool = True) -> None:
    case = Case(source)
    value, tangent = dd.jvp(case.f, case.arrays, case.directions)
    due = case.f(*case.arrays)
    close(value, due, rtol=exact, atol=exact)
    finite = [np.where(np.isnan(v), v, t) for v, t in zip(leaves(value), leaves(tangent))]
    close(finite, case.along(case.f, 1e-6), rtol=rtol, atol=rtol)
    check_jacobian(case, leaves(value), leaves(tangent))
    if second:
        check_second(case, 10 * rtol)
    if small:
        check_float32(case)


def check_jacobian(case: Case, values: list[Any], tangents: list[Any]) -> None:
    """All directions at once and one by one give the same matrix, which maps a direction to its tangent."""
    argnums = tuple(range(len(case.names)))
    for chunk_size in (None, 1):
        js = dd.jacobian(case.f, argnums, chunk_size=chunk_size)(*case.arrays)
        by_result = list(zip(*[leaves(j) for j in js]))
        assert len(by_result) == len(values)
        for parts, v, t in zip(by_result, values, tangents):
            assert all(np.shape(j) == np.shape(v) + np.shape(x) for j, x in zip(parts, case.arrays))
            along = sum(np.tensordot(j, d, np.ndim(d)) for j, d in zip(parts, case.directions))
            np.testing.assert_allclose(along, t, rtol=1e-11, atol=1e-12)


def check_second(case: Case, rtol: float) -> None:
    """The derivative of the derivative along a direction; squares make what is linear interesting."""

    def first(*arrays: Any) -> Any:
        squares = [x + 0.25 * np.square(x) for x in arrays]
        return dd.jvp(case.f, squares, [(1 + 0.5 * x) * v for x, v in zip(arrays, case.directions)])[1]

    second = dd.jvp(first, case.arrays, case.directions)[1]
    close(second, case.along(first, 1e-5), rtol=rtol, atol=rtol)


def check_float32(case: Case) -> None:
    types = [np.complex64 if np.iscomplexobj(x) else np.float32 for x in case.arrays]
    arrays, directions = ([x.astype(t) for x, t in zip(xs, types)] for xs in (case.arrays, case.directions))
    value, tangent = dd.jvp(case.f, arrays, directions)
    for v, t, d in zip(leaves(value), leaves(tangent), leaves(case.f(*arrays))):
        assert np.asarray(v).dtype == np.asarray(t).dtype == np.asarray(d).dtype


def covered(tables: list[str]) -> set[Any]:
    return {eval(n, {"np": np}) for text in tables for n in re.findall(r"np(?:\.[a-z_0-9]+)+", text)}


def untested(module: str, tables: list[str]) -> set[str]:
    """The functions with a rule in this module that no table names; not those of the package itself."""
    names = covered(tables)
    rules = {f: rule for f, rule in FUNCTIONS.items() if not str(getattr(f, "__module__", "")).startswith("dualdiff")}
    return {f.__name__ for f, rule in rules.items() if rule.__module__.endswith(module) and f not in names}
