"""All cases of the tables by name, each a function of arrays with a direction, made when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

import dualdiff as dd

from . import arrays, elementwise, fft, functions, linalg, scipy, special
from .tools import expressions, leaves

Example = tuple[Callable[..., Any], list[Any], list[Any]]


def of_elementwise(function: Any, shapes: Any) -> Example:
    operands, moving = elementwise.rough(function, shapes), elementwise.moving(function)
    f = elementwise.CALLED.get(function, function)

    def g(*moved: Any) -> Any:
        return f(*[moved[moving.index(k)] if k in moving else x for k, x in enumerate(operands)])

    arrays = [operands[k] for k in moving]
    return g, arrays, [np.cos(7 * x) for x in arrays]


def of_fft(source: str, is_complex: bool) -> Example:
    code, x = compile(source, source, "eval"), fft.X if is_complex else fft.X.real.copy()
    return (lambda x: eval(code, {"F": np.fft, "x": x})), [x], [np.cos(7 * x.real) + (0.3j if is_complex else 0.0)]


def of_case(case: Any, directions: Any = None) -> Example:
    return getattr(case, "f", case), case.arrays, directions or case.directions


def examples() -> dict[str, Callable[[], Example]]:
    found: dict[str, Callable[[], Example]] = {}
    for e in arrays.CASES + arrays.REAL:
        found[e] = lambda e=e: of_case(arrays.Case(e))
    for e in arrays.COMPLEX:
        found[f"complex {e}"] = lambda e=e: of_case(arrays.Case(e, complex))
    for table in functions.TABLES:
        for e in expressions(table):
            found[e] = lambda e=e: of_case(functions.Case(e))
    for e in expressions(functions.WRITES):
        e = f"y = A * 1; {e}; y * A"
        found[e] = lambda e=e: of_case(functions.Case(e))
    for e, stack in linalg.CASES:
        for dtype in (float, complex):
            case = lambda e=e, stack=stack, dtype=dtype: linalg.Case(e, stack, dtype)
            found[f"{e} {stack} {dtype.__name__}"] = lambda case=case: of_case(case(), case().v)
    for e, is_complex in fft.CASES:
        found[f"{e} {is_complex}"] = lambda e=e, is_complex=is_complex: of_fft(e, is_complex)
    for e in special.EXPRESSIONS:
        found[f"sp.{e}"] = lambda e=e: of_case(special.Case(e))
    for e in scipy.EXPRESSIONS:
        found[e] = lambda e=e: of_case(scipy.Case(e))
    for function in elementwise.NUMPY:
        shapes = elementwise.ONE if function in elementwise.UNARY else elementwise.TWO
        for form in shapes:
            found[f"{function.__name__} {form}"] = lambda f=function, form=form: of_elementwise(f, form)
    return found


EXAMPLES = examples()
REAL = [n for n in EXAMPLES if not re.search(r"^complex |complex$|True$|\bz\b|1j", n)]

# NumPy itself makes ndarrays of lists, and of a number as the condition that piecewise is given.
OF_LISTS = {
    *("np.sum([u, v])", "np.mean([u, v, u], axis=0)", "np.polyint([1.0, 2.0], k=[c])"),
    *("np.poly([c + 1j, c - 1j])", "np.piecewise(c, c > 0, [np.exp])"),
    "np.apply_along_axis(lambda r: r[0] * c, 0, [[1.0, 2.0], [3.0, 4.0]])",
}


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
