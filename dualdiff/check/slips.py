"""Guesses at what went wrong in a derivative done by hand: what the classic slips would have given."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError
from .oracle.digits import values
from .oracle.exact import UndefinedError, differentiate, mp, partials, sp


def of_arrays(given: Any, due: Any) -> str:
    """What a transposition, a sum or a shape explains."""
    column = "a row or a column, where the shape convention has the argument's own shape"
    diagonal = "only the diagonal of the Jacobian of an elementwise function"
    alone, over = "where the components stay apart", "what f broadcasts, its derivative sums"
    tries = [("transposed", given.T, due), (column, given.ravel(), due.ravel())]
    tries += [(diagonal, np.diag(given), due)] if given.ndim == 1 else []
    tries += [(f"summed over axis {k}, {alone}", given, due.sum(k)) for k in range(due.ndim)]
    tries += [(f"not summed over axis {k}: {over}", given.sum(k), due) for k in range(given.ndim)]
    tries += [(f"the sum over all components, {alone}", given, np.full(due.shape, due.sum()))]
    return next((slip for slip, a, b in tries if a.shape == b.shape and np.allclose(a, b)), "")


def of_component(f: Any, x: Any, given: Any, due: Any, points: list[dict[Any, Any]]) -> str:
    """A guess at the slip in one component: with one operation of f differentiated wrongly it is what was given."""

    def at(expr: Any, point: dict[Any, Any]) -> Any:
        try:
            return values([expr], [None], point, 20)[0]
        except (UndefinedError, NotDifferentiableError):
            return mp.nan

    samples = [(p, at(given, p), at(due, p)) for p in points[:12]]
    samples = [sample for sample in samples if mp.isfinite(sample[1]) and mp.isfinite(sample[2])][:3]

    def explains(expr: Any) -> bool:
        return bool(samples) and all(abs(at(expr, p) - g) <= 1e-9 * abs(g) for p, g, _ in samples)

    alike: dict[Any, list[Any]] = {}  # the same slip in all operations of one kind, as in a sum over components
    for node in [n for n in dict.fromkeys(sp.preorder_traversal(f)) if n.args and n.has(x)][:40]:
        if not isinstance(node, sp.Expr) or node.is_Piecewise:
            continue
        hole = sp.Dummy(real=True)
        outer = differentiate(f.xreplace({node: hole}), hole, {}).xreplace({hole: node})
        for k, (slip, slope) in enumerate(of_operation(node, x)):
            change = outer * (slope - differentiate(node, x, {}))
            if explains(due + change):
                return str(slip)
            if change != 0:
                alike.setdefault((node.func, k), [slip]).append(change)
    for slip, *changes in alike.values():
        if len(changes) > 1 and explains(due + sum(changes)):
            return f"{slip}, and so on"
    if explains(f):
        return "this is f itself, not its derivative"
    ratios = [g / d for _, g, d in samples if d]
    if not ratios or any(abs(r - ratios[0]) > 1e-9 * abs(r) for r in ratios):
        return ""
    factor = Fraction(float(ratios[0])).limit_denominator(1000)
    usual = {Fraction(1): "a rounded number: rtol= says how many digits count", Fraction(-1): "the sign"}
    return usual.get(factor, f"a constant factor: given is {factor} times what is due")


def of_operation(node: Any, x: Any) -> Iterator[tuple[str, Any]]:
    """What may have gone wrong in differentiating the outermost operation of node, and the slope that this gives."""
    d = functools.partial(differentiate, x=x, memo={})
    slope, varying = d(node), [(a, outer, d(a)) for a, outer in partials(node) if d(a) != 0]
    for a, outer, inner in varying:
        rest = slope - outer * inner
        if node.is_Add:
            yield f"the sign of d({a})/d{x} in {node}", rest - inner
            yield f"the term d({a})/d{x} in {node} is missing", rest
        elif node.is_Mul:
            yield f"product rule: the term with d({a})/d{x} is missing", rest
            if not outer.is_number:
                yield f"product rule: d({a})/d{x} is multiplied by {a}, not by the other factor", rest + a * inner
        else:
            yield f"chain rule: the inner derivative d({a})/d{x} = {inner} is missing", rest + outer
            yield f"chain rule: the outer derivative, of {node} by {a}, is missing", rest + inner
            yield f"the sign of the derivative of {node}", rest - outer * inner
    top, bottom = sp.fraction(node)
    if node.is_Mul and len(varying) > 1:
        if bottom.has(x):
            yield "quotient rule: the sign between its terms", (d(top) * bottom + top * d(bottom)) / bottom**2
            yield "quotient rule: the square of the denominator", (d(top) * bottom - top * d(bottom)) / bottom
        product, slopes = sp.Mul(*(a for a, _, _ in varying)), sp.Mul(*(inner for _, _, inner in varying))
        yield "product rule: (uv)' = u'v + uv', not u'v'", node / product * slopes
    if node.is_Pow:
        base, n = node.args
        yield f"power rule: the factor {n} is missing", slope / n
        yield "power rule: the exponent goes down by one", slope * base
        yield "power rule: the exponent goes down by one only", slope / base
        yield "an exponential: the power rule is for a constant exponent", n * base ** (n - 1) * d(n)
        yield f"an exponential: the factor log({base}) is missing", slope / sp.log(base)
