"""The accuracy of derivatives of elementwise functions, in units in the last place, against 50 digits.

`python -m tests.accuracy` prints what is in dualdiff/ACCURACY.md, with `--write` it also writes that file. What is due
comes from the oracle, which knows none of the rules; what that can't trace is in a table here.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp

import dualdiff as dd
from dualdiff.core.table import ELEMENTWISE
from tests.cases.elementwise import CALLED, EXACT, LINE, NUMPY, PLANE

FILE = Path(dd.__file__).with_name("ACCURACY.md")
HEAD = """\
# Accuracy of the derivatives

Written by `python -m tests.accuracy --write`. Each number is the largest error of the derivative by x, and by y, in
units in the last place, of arrays and of Python floats, against 50 digits: at random points of the domain from 1e-200
to 1e200, near its singular points, and at kinks and ties. A correctly rounded number has an error of at most 0.5.
Other releases of NumPy and SciPy, and other machines, differ by a unit or two.
"""
MIDDLE = """
Functions of `scipy.special`, with SciPy's own errors and that of a rounded argument of exp, at random points where they
are of use; near a zero of the slope of a Bessel function in units in the last place of the function:
"""
TABLE = """
| function | by x | by y | points |
|---|---:|---:|---:|
"""

# ---------------------------------------------------------------- what is compared, and with what

BY_HAND: dict[Any, tuple[str, tuple[Any, ...]]] = {  # not traced: why, and the partials for mpmath's numbers
    np.ldexp: ("an exponent that is an int", EXACT[np.ldexp].partials),
}
# Points without a derivative, which the table doesn't ask for, by operand k.
UNDEFINED: dict[Any, Callable[..., bool]] = {
    np.arctan2: lambda k, y, x: x == y == 0,
    **dict.fromkeys([np.power, np.float_power], lambda k, x, y: k == 1 and x < 0),
}

# Functions of scipy.special, an interval for each argument, and where the oracle doesn't know it, partials for mpmath;
# None for an argument without a derivative. Those compared with mpmath in test_special.py are not repeated.
A = (0.1, 30)
SPECIAL: dict[str, tuple[Any, ...]] = {
    "erf": ([(-5, 5)],),
    "erfc": ([(-5, 5)],),
    "erfi": ([(-5, 5)], lambda x: 2 * mp.exp(x * x) / mp.sqrt(mp.pi)),
    "erfinv": ([(-0.99, 0.99)],),
    "ndtr": ([(-7, 7)],),
    "gamma": ([A],),
    "gammaln": ([A],),
    "digamma": ([A],),
    "beta": ([A, A], *[lambda x, y: mp.beta(x, y) * (mp.psi(0, x) - mp.psi(0, x + y)),
                       lambda x, y: mp.beta(x, y) * (mp.psi(0, y) - mp.psi(0, x + y))]),
    "logit": ([(0, 1)],),
    "xlogy": ([(-5, 5), (0, 30)],),
    "xlog1py": ([(-5, 5), (-0.9, 30)], lambda x, y: mp.log1p(y), lambda x, y: x / (1 + y)),
    "entr": ([(0, 30)],),
    "kl_div": ([A, A], lambda x, y: mp.log(x / y), lambda x, y: (y - x) / y),
    "expi": ([(-30, 30)], lambda x: mp.exp(x) / x),
    "exp1": ([(0, 30)], lambda x: -mp.exp(-x) / x),
    "lambertw": ([(-0.3, 30)], lambda x: 1 / (x + mp.exp(mp.lambertw(x)))),
    "zeta": ([(1.1, 9), A], None, lambda x, y: -x * mp.zeta(x + 1, y)),
    "j0": ([(-30, 30)],),
    "j1": ([(-30, 30)], lambda x: mp.besselj(1, x, derivative=1)),
    "y0": ([A], lambda x: mp.bessely(0, x, derivative=1)),
    "y1": ([A], lambda x: mp.bessely(1, x, derivative=1)),
    "i0": ([(-30, 30)],),
    "i1": ([(-30, 30)], lambda x: mp.besseli(1, x, derivative=1)),
    "k0": ([A], lambda x: -mp.besselk(1, x)),
    "k1": ([A], lambda x: -(mp.besselk(0, x) + mp.besselk(2, x)) / 2),
    "jv": ([(0, 5), A], None, lambda v, x: mp.besselj(v, x, derivative=1)),
    "iv": ([(0, 5), A], None, lambda v, x: mp.besseli(v, x, derivative=1)),
    "kv": ([(0, 5), A], None, lambda v, x: -(mp.besselk(v - 1, x) + mp.besselk(v + 1, x)) / 2),
}  # fmt: skip

OSCILLATING = {"j0", "j1", "y0", "y1", "jv"}  # near a zero of the derivative, in units of the function's last place

# ---------------------------------------------------------------- points

rng = np.random.default_rng(2)
NEAR = 10.0 ** rng.uniform(-16, 0, 25)
SPREAD = np.concatenate([10.0 ** rng.uniform(-200, 200, 25), 1 - NEAR, 1 + NEAR, [5e-324]])
LINE = np.concatenate([LINE, SPREAD, -SPREAD, np.pi / 2 * np.arange(-4, 5)])
TIES = np.array([*itertools.product((-2.0, -1.0, 0.0, 0.5, 1.0, 3.0), repeat=2)]).T
WIDE = 10.0 ** rng.uniform(-200, 150, (2, 60)) * rng.choice([-1, 1], (2, 60))
NARROW = rng.uniform(0, 1, 60) * [[1], [1]] * (1 + 10.0 ** rng.uniform(-16, 0, (2, 60)))  # nearly ties
PLANE = np.concatenate([PLANE[:, ::2], TIES, WIDE, NARROW], 1)


def ufunc(name: str) -> Any:
    return getattr(importlib.import_module("scipy.special"), name)


def label(function: Any) -> str:
    """np.sin, dd.relu, erf."""
    module = "dd" if function in CALLED else "np"
    return function if isinstance(function, str) else f"{module}.{called(function).__name__}"


def called(function: Any) -> Any:
    return ufunc(function) if isinstance(function, str) else CALLED.get(function, function)


def points(function: Any) -> list[Any]:
    """Arrays of operands where the value is finite: all over the axis or the plane, or the intervals' parts."""
    if isinstance(function, str):
        rng = np.random.default_rng(3)
        fractions = lambda: np.append(rng.uniform(0, 1, 40), [0.1, 1e-3, 1e-9])
        operands = [low + (high - low) * fractions() for low, high in SPECIAL[function][0]]
    else:
        operands = [LINE] if len(ELEMENTWISE[function].partials) == 1 else [*PLANE]
    if function is np.ldexp:
        operands = [x.astype(np.int64 if k else float) for k, x in enumerate(np.clip(operands, -300, 300))]
    with np.errstate(all="ignore"):
        good = np.isfinite(called(function)(*operands))
    return [x[good] for x in operands]


# ---------------------------------------------------------------- what is due, and the error


def by_hand(function: Any) -> tuple[Any, ...]:
    return SPECIAL[function][1:] if isinstance(function, str) else BY_HAND.get(function, ("", ()))[1]


def reference(function: Any, k: int, count: int) -> Callable[..., Any]:
    """The exact derivative by operand k: of the oracle, else by hand; NotDifferentiableError if there is neither."""
    partials = by_hand(function)
    if not partials:
        return dd.oracle.derivative(called(function), "x y"[: 2 * count - 1], argnums=k).at

    def partial(*x: Any) -> Any:
        with mp.workdps(50):
            return mp.mpf(partials[k](*map(mp.mpf, x)))

    return partial


def differentiable(function: Any, operands: list[Any]) -> list[int]:
    """The operands that there is a derivative by."""
    partials = by_hand(function)
    return [k for k in range(len(operands)) if not partials or (k < len(partials) and partials[k])]


@functools.cache
def due(function: Any) -> dict[int, list[Any]]:
    """For each operand the exact derivative at all points; NaN where there is none."""
    operands = points(function)
    result: dict[int, list[Any]] = {}
    for k in differentiable(function, operands):
        exact, undefined = reference(function, k, len(operands)), UNDEFINED.get(function, lambda *_: False)
        result[k] = [mp.nan if undefined(k, *x) else exact(*x) for x in zip(*(x.tolist() for x in operands))]
    return result


def ulps(got: float, due: Any, size: float = 0.0) -> float:
    """The error in units in the last place (of `size` if that is larger); of the smallest normal number below these."""
    nearest = float(due)
    if not (math.isfinite(got) and math.isfinite(nearest)):
        return 0.0 if got == nearest or (math.isnan(got) and math.isnan(nearest)) else math.inf
    with mp.workdps(50):
        return float(abs(mp.mpf(got) - due) / np.spacing(max(abs(nearest), size, np.finfo(float).tiny)))


def errors(function: Any, k: int) -> list[float]:
    """At each point, of the array's derivative or the number's, whichever is worse."""
    f, operands = called(function), points(function)
    with np.errstate(all="ignore"):
        along = lambda v: f(*operands[:k], v, *operands[k + 1 :])
        arrays = np.real(dd.jvp(along, (operands[k],), (np.ones_like(operands[k]),))[1])
        numbers = [np.real(dd.derivative(f, k)(*x)) for x in zip(*(x.tolist() for x in operands))]
        size = f(*operands) if function in OSCILLATING else np.zeros_like(arrays)
    exact = zip(due(function)[k], abs(size))
    return [max(ulps(float(v), d, s) for v in pair) for pair, (d, s) in zip(zip(arrays, numbers), exact)]


def own_error(function: Any) -> float:
    """The worst error of the function itself: NumPy's differ between processors, SciPy's between releases."""
    f, operands = called(function), points(function)
    exact = mp.besseli if function == "iv" else dd.oracle.symbolic(f, "x y"[: 2 * len(operands) - 1]).at
    values = zip(np.ravel(f(*operands)), *(x.tolist() for x in operands))
    return max(ulps(float(value), exact(*x)) for value, *x in values)


def row(function: Any) -> tuple[str, list[float | None], int]:
    """Name, worst error by each operand, number of points."""
    exact = due(function)
    worst = [max(errors(function, k)) if k in exact else None for k in range(2)]
    return label(function), worst, len(next(iter(exact.values())))


def table(functions: Any) -> str:
    lines = []
    for name, worst, count in map(row, functions):
        cells = ["" if error is None else f"{error:.1f}" for error in worst]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {count} |\n")
    return TABLE + "".join(lines)


def document() -> str:
    return HEAD + table(NUMPY) + MIDDLE + table(SPECIAL)


def stated() -> dict[str, list[float | None]]:
    """The errors in the file."""
    rows = [line.split("|")[1:-1] for line in FILE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [float(c) if c.strip() else None for c in cells[1:3]] for cells in rows}


if __name__ == "__main__":
    text = document()
    print(text, end="")
    if "--write" in sys.argv:
        FILE.write_text(text, encoding="utf-8")
