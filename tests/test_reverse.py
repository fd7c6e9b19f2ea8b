"""Reverse mode: transposes of every rule, pullbacks, nesting, memory, mutation, and gradients worked out by hand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.pytree import flatten
from dualdiff.rules import ELEMENTWISE

from . import test_elementwise, test_fft, test_linalg, test_more_numpy, test_rules, test_special
from .test_rules import leaves

inf, nan = np.inf, np.nan


# ---------------------------------------------------------------- every rule has its transpose
# The cases of the other tests, each a function of arrays with a direction: what forward mode can, reverse mode can.

Example = tuple[Callable[..., Any], list[Any], list[Any]]


def of_elementwise(function: Any, shapes: Any) -> Example:
    operands, moving = test_elementwise.rough(function, shapes), test_elementwise.moving(function)
    f = test_elementwise.CALLED.get(function, function)

    def g(*moved: Any) -> Any:
        return f(*[moved[moving.index(k)] if k in moving else x for k, x in enumerate(operands)])

    arrays = [operands[k] for k in moving]
    return g, arrays, [np.cos(7 * x) for x in arrays]


def of_fft(source: str, is_complex: bool) -> Example:
    code, x = compile(source, source, "eval"), test_fft.X if is_complex else test_fft.X.real.copy()
    return (lambda x: eval(code, {"F": np.fft, "x": x})), [x], [np.cos(7 * x.real) + (0.3j if is_complex else 0.0)]


def of_case(case: Any, directions: Any = None) -> Example:
    return getattr(case, "f", case), case.arrays, directions or case.directions


def examples() -> dict[str, Callable[[], Example]]:
    found: dict[str, Callable[[], Example]] = {}
    for e in test_rules.CASES + test_rules.REAL:
        found[e] = lambda e=e: of_case(test_rules.Case(e))
    for e in test_rules.COMPLEX:
        found[f"complex {e}"] = lambda e=e: of_case(test_rules.Case(e, complex))
    more = test_more_numpy
    for table in (more.CALCULUS, more.POLYNOMIALS, more.ASSEMBLY, more.CONJUGATING):
        for e in more.cases(table):
            found[e] = lambda e=e: of_case(more.Case(e))
    for e in more.cases(more.WRITES):
        e = f"y = A * 1; {e}; y * A"
        found[e] = lambda e=e: of_case(more.Case(e))
    for e, stack in test_linalg.CASES:
        for dtype in (float, complex):
            case = lambda e=e, stack=stack, dtype=dtype: test_linalg.Case(e, stack, dtype)
            found[f"{e} {stack} {dtype.__name__}"] = lambda case=case: of_case(case(), case().v)
    for e, is_complex in test_fft.CASES:
        found[f"{e} {is_complex}"] = lambda e=e, is_complex=is_complex: of_fft(e, is_complex)
    for e in test_special.EXPRESSIONS:
        found[f"sp.{e}"] = lambda e=e: of_case(test_special.Case(e))
    for function in test_elementwise.NUMPY:
        shapes = test_elementwise.ONE if function in test_elementwise.UNARY else test_elementwise.TWO
        for form in shapes:
            found[f"{function.__name__} {form}"] = lambda f=function, form=form: of_elementwise(f, form)
    return found


EXAMPLES = examples()
# Where the second derivative is not defined or not the point: eigenvectors' phases, functions linear over the reals.
every = pytest.mark.parametrize("name", EXAMPLES)


def numbers(tree: Any, turn: float = 0.0) -> list[Any]:
    """A fixed cotangent for each array of a result."""
    made = []
    for x in map(np.asarray, map(dd.value, leaves(tree))):
        w = np.cos(np.arange(1.0, x.size + 1).reshape(x.shape) + turn)
        made.append(w + 1j * np.sin(3 * w) if np.iscomplexobj(x) else w)
    return made


def inner(ws: Any, ys: Any) -> Any:
    """The real inner product Re(conj(a) b), summed over containers."""
    return sum(np.sum(np.real(np.conj(w) * y)) for w, y in zip(leaves(ws), leaves(ys), strict=True))


def as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def like(value: Any, ws: list[Any]) -> Any:
    return type(value)(ws) if type(value) in (list, tuple) else type(value)(*ws) if isinstance(value, tuple) else ws[0]


@every
def test_transpose(name: str) -> None:
    """<w, J v> = <Jᵀ w, v> to rounding, the value is that of f, and a batch of cotangents is each by itself."""
    f, arrays, directions = EXAMPLES[name]()
    value, tangent = dd.jvp(f, tuple(arrays), tuple(directions))
    again, pullback = dd.vjp(f, *arrays)
    for a, b in zip(leaves(value), leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)
    ws, others = numbers(value), numbers(value, 1.0)
    cts = as_tuple(pullback(like(value, ws)))
    size = sum(np.sum(np.abs(np.asarray(w) * t)) for w, t in zip(ws, leaves(tangent)))
    assert abs(inner(ws, tangent) - inner(cts, directions)) <= 1e-9 * (size + 1e-6)
    for x, ct in zip(arrays, cts, strict=True):
        assert np.shape(ct) == np.shape(x) and np.asarray(ct).dtype == np.asarray(x).dtype
    batch = [np.stack([w, 0 * w, o]) for w, o in zip(ws, others)]
    for ct, o, many in zip(cts, as_tuple(pullback(like(value, others))), as_tuple(pullback(like(value, batch)))):
        scale = np.max(np.abs(ct), initial=1e-6)
        np.testing.assert_allclose(many, np.stack([ct, 0 * ct, o]), rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_array_equal(as_tuple(pullback(like(value, ws)))[0], cts[0])  # nothing accumulates


@every
def test_second_order(name: str) -> None:
    """Forward over reverse, reverse over forward and reverse over reverse give the same Hessian-vector product."""
    f, arrays, directions = EXAMPLES[name]()
    ws = numbers(f(*arrays))
    argnums = tuple(range(len(arrays)))

    def pull(*x: Any) -> Any:
        value, pullback = dd.vjp(f, *x)
        return as_tuple(pullback(like(value, ws)))

    def along(*x: Any) -> Any:
        return inner(ws, dd.jvp(f, x, tuple(directions))[1])

    forward_over_reverse = dd.jvp(pull, tuple(arrays), tuple(directions))[1]
    value, pullback = dd.vjp(along, *arrays)
    reverse_over_forward = as_tuple(pullback(1.0))
    value, pullback = dd.vjp(lambda *x: inner(directions, pull(*x)), *arrays)
    reverse_over_reverse = as_tuple(pullback(1.0))
    for a, b, c in zip(forward_over_reverse, reverse_over_forward, reverse_over_reverse, strict=True):
        scale = np.max(np.abs(a), initial=1e-3)
        np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-8 * scale)
        np.testing.assert_allclose(c, a, rtol=1e-7, atol=1e-8 * scale)


@every
def test_what_is_changed_after_recording_does_not_matter(name: str) -> None:
    """Neither constants of the caller, nor what f overwrites after use: operands, constants, and results."""
    f, arrays, _ = EXAMPLES[name]()
    k = next((k for k in range(len(arrays)) if takes_constants(f, arrays, k)), None)
    if k is None:
        pytest.skip("stores into an array that another argument makes")

    def careless(x: Any) -> Any:
        mine = [np.array(a) for a in arrays]
        mine[k] = np.copy(x)
        result = f(*mine)
        kept = [r * 1 for r in leaves(result)]
        for used in [*mine, *leaves(result)]:
            if isinstance(used, np.ndarray | dd.DualArray) and getattr(used, "value", used).flags.writeable:
                used[...] = 7.0
        return like(result, kept)

    x = np.array(arrays[k])
    constants = [np.array(a) for a in arrays]
    value, pullback = dd.vjp(lambda x: f(*constants[:k], x, *constants[k + 1 :]), x)
    ws = like(value, numbers(value))
    due = pullback(ws)
    for array in [x, *constants]:
        array[...] = 7.0
    np.testing.assert_array_equal(pullback(ws), due)
    got = dd.vjp(careless, np.array(arrays[k]))[1](ws)
    np.testing.assert_allclose(got, due, rtol=1e-12, atol=1e-12 * np.max(np.abs(due), initial=1))


def takes_constants(f: Callable[..., Any], arrays: list[Any], k: int) -> bool:
    try:
        dd.vjp(lambda x: f(*arrays[:k], x, *arrays[k + 1 :]), arrays[k])
    except dd.TangentLossError:
        return False
    return True
