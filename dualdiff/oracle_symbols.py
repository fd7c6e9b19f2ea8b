"""The engine of the oracle: symbols that NumPy accepts, what each function is in sympy, the chain rule, 50-digit values.

`dualdiff.oracle` imports this module on first use, since it imports sympy and mpmath. Nothing here knows the rules.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from fractions import Fraction
from itertools import accumulate
from typing import Any

import mpmath
import numpy as np
import sympy
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.mixins import NDArrayOperatorsMixin

from dualdiff.errors import NotDifferentiableError

sp: Any = sympy  # sympy's dynamic attributes are beyond type checkers
mp: Any = mpmath.mp


class UndecidedError(NotDifferentiableError):
    """A branch depends on symbols: `if x > 0`, `while`, builtin `max`, sorting."""


class SingularError(ValueError):
    """An expression has no value and no limit at the point."""


# --- numbers -------------------------------------------------------------------------------------------------------


def number(value: Any) -> Any:
    """A number as the exact sympy number it was written as: 0.1 is 1/10, np.pi is pi, np.sqrt(2) is sqrt(2)."""
    if isinstance(value, sp.Float):
        value = float(value)
    if isinstance(value, sp.Basic):
        return value
    if isinstance(value, (bool, np.bool_)):
        return sp.true if value else sp.false
    if isinstance(value, (complex, np.complexfloating)):
        return number(value.real) + sp.I * number(value.imag)
    if isinstance(value, np.generic):
        value = float(str(value)) if isinstance(value, np.floating) else value.item()  # float32(0.1) is 1/10 too
    if not isinstance(value, float):
        return sp.sympify(value)
    if not np.isfinite(value):
        return sp.nan if np.isnan(value) else sp.oo if value > 0 else -sp.oo
    for root, unit, size in ((1, 1, 1000), (1, np.pi, 100), (1, np.e, 1), (2, 1, 100), (2, np.pi, 100)):
        fraction = Fraction(abs(value) ** root / unit).limit_denominator(size) if 1e-9 < abs(value) < 1e9 else Fraction(0)
        if float(fraction * unit if unit == 1 else float(fraction) * unit) ** (1 / root) == abs(value):
            exact = sp.Rational(fraction) * {1: 1, np.pi: sp.pi, np.e: sp.E}[unit]
            return sp.sign(value) * exact ** sp.Rational(1, root)
    return sp.Rational(repr(value))


def exactly(value: Any) -> Any:
    """A coordinate of a point as an exact sympy number: a float is the binary number that it is."""
    if isinstance(value, mpmath.mpf) and mpmath.isfinite(value):
        return sp.Integer(int(value.man)) * sp.Integer(2) ** int(value.exp)
    exact = sp.Rational(float(value)) if isinstance(value, (float, np.floating)) else sp.sympify(value)
    if not exact.is_number or not exact.is_finite:
        raise ValueError(f"a point has finite numbers as coordinates, not {value}")
    return exact


# --- functions with a derivative everywhere: sympy's own have DiracDelta, or none, at kinks and jumps --------------------


class Real(sp.Function):  # type: ignore[misc]
    """A real function; `value` gives it for exact and for mpmath numbers."""

    is_extended_real = True
    value: Callable[..., Any]

    @classmethod
    def eval(cls, *args: Any) -> Any:
        if any(a is sp.nan for a in args):
            return sp.nan
        if all(a.is_Rational for a in args):
            result = cls.value(*(Fraction(int(a.p), int(a.q)) for a in args))
            return sp.Rational(result.numerator, result.denominator)
        return cls.simpler(*args)

    @classmethod
    def simpler(cls, *args: Any) -> Any:
        return None


class Flat(Real):
    """Piecewise constant, so the derivative is 0, at the jumps too."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


class sign(Flat):
    value = staticmethod(lambda x: (x > 0) - (x < 0))


class floor(Flat):
    value = staticmethod(lambda x: x - x % 1)


class ceiling(Flat):
    value = staticmethod(lambda x: x + -x % 1)


class trunc(Flat):
    value = staticmethod(lambda x: x - x % 1 if x > 0 else x + -x % 1)


class rint(Flat):
    """To the nearest integer, halves to the even one."""

    value = staticmethod(lambda x: round(x) if isinstance(x, Fraction) else mp.nint(x))


class step(Flat):
    """step(d) is 0, 1/2, 1 for d < 0, d = 0, d > 0; step(d1, d2, ...): an equal share where the least d is 0."""

    value = staticmethod(lambda *d: Fraction(0) if min(d) < 0 else Fraction(1, 1 + sum(x == 0 for x in d)))


class Max(Real):
    """The largest argument; those that tie share the derivative."""

    value = staticmethod(max)

    @classmethod
    def simpler(cls, *args: Any) -> Any:
        return args[0] if len(args) == 1 else None

    def differences(self, argindex: int) -> list[Any]:
        return [self.args[argindex - 1] - a for i, a in enumerate(self.args, 1) if i != argindex]

    def fdiff(self, argindex: int = 1) -> Any:
        return step(*self.differences(argindex))


class Min(Max):
    """The smallest argument; those that tie share the derivative."""

    value = staticmethod(min)

    def fdiff(self, argindex: int = 1) -> Any:
        return step(*(-d for d in self.differences(argindex)))


class Abs(Real):
    """|x| with slope 0 at 0."""

    is_extended_nonnegative = True
    value = staticmethod(abs)

    @classmethod
    def simpler(cls, *args: Any) -> Any:
        factor, rest = args[0].as_coeff_Mul()
        return None if factor is sp.S.One else abs(factor) * cls(rest)

    def fdiff(self, argindex: int = 1) -> Any:
        return sign(self.args[0])

    def _eval_power(self, exponent: Any) -> Any:
        return self.args[0] ** exponent if exponent.is_even else None


class cbrt(Real):
    """The real cube root."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return x if x in (0, 1, -1) else None

    value = staticmethod(lambda x: mp.sign(x) * mp.cbrt(abs(x)))

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (3 * self**2)

    def _eval_power(self, exponent: Any) -> Any:
        return self.args[0] ** (exponent / 3) if (exponent / 3).is_integer else None


OWN = {sp.Abs: Abs, sp.sign: sign, sp.floor: floor, sp.ceiling: ceiling, sp.Max: Max, sp.Min: Min}


def rebuild(expr: Any, symbols: dict[str, Any], memo: dict[Any, Any]) -> Any:
    """expr with these functions in place of sympy's, exact numbers, and `symbols` by name; common parts visited once."""
    if expr not in memo:
        args = [rebuild(a, symbols, memo) for a in expr.args]
        if expr.is_Symbol or isinstance(expr, sp.Float):
            memo[expr] = symbols.get(expr.name, expr) if expr.is_Symbol else number(expr)
        elif isinstance(expr, sp.Heaviside):
            memo[expr] = step(args[0])
        else:
            function = OWN.get(expr.func, expr.func)
            same = function is expr.func and all(a is b for a, b in zip(args, expr.args, strict=True))
            memo[expr] = expr if same else function(*args)
    return memo[expr]


def differentiate(expr: Any, x: Any, memo: dict[Any, Any]) -> Any:
    """d expr / dx by the chain rule with sympy's derivative of each function; common parts visited once.

    sympy's own `diff` walks shared subexpressions again and again: 15 s for a gradient that takes 0.2 s here.
    """
    if expr in memo:
        return memo[expr]
    if expr == x or not expr.args:
        slope = sp.Integer(expr == x)
    elif isinstance(expr, sp.Piecewise):
        slope = sp.Piecewise(*((differentiate(e, x, memo), condition) for e, condition in expr.args))
    else:
        args, inner = expr.args, [differentiate(a, x, memo) for a in expr.args]
        if expr.is_Add:
            slope = sp.Add(*inner)
        elif expr.is_Mul:
            slope = sp.Add(*(sp.Mul(*args[:i], d, *args[i + 1 :]) for i, d in enumerate(inner) if d != 0))
        elif expr.is_Pow:
            slope = args[1] * args[0] ** (args[1] - 1) * inner[0]
            slope += expr * sp.log(args[0]) * inner[1] if inner[1] != 0 else 0
        elif isinstance(expr, (sp.re, sp.im, sp.conjugate)):
            slope = expr.func(inner[0])
        else:
            slope = sp.Add(*(partial(expr, i) * d for i, d in enumerate(inner) if d != 0))
    memo[expr] = slope
    return slope


def partial(expr: Any, i: int) -> Any:
    """sympy's derivative of a function with respect to its argument i, or an error that names the function."""
    try:
        slope = expr.fdiff(i + 1)
    except (AttributeError, NotImplementedError, sp.ArgumentIndexError):
        slope = None
    if slope is None or slope.has(sp.Derivative, sp.Subs, sp.DiracDelta):
        raise NotDifferentiableError(f"sympy has no derivative of {expr.func.__name__} in its argument {i + 1}")
    return slope


# --- NumPy's functions in sympy's words ---------------------------------------------------------------------------------


def condition(e: Any) -> Any:
    return e if isinstance(e, sp.logic.boolalg.Boolean) and not e.is_Symbol else sp.Ne(e, 0)


def numeric(e: Any) -> Any:
    """A comparison used as a number is 1 or 0."""
    return sp.Piecewise((1, e), (0, True)) if isinstance(e, sp.logic.boolalg.Boolean) and not e.is_Symbol else e


def where(c: Any, x: Any, y: Any) -> Any:
    return sp.Piecewise((numeric(x), condition(c)), (numeric(y), True))


def power(x: Any, y: Any) -> Any:
    return where(y > 0, 0, x**y) if x == 0 and not y.is_number else x**y


def modulus(x: Any) -> Any:
    return sp.sqrt(sp.re(x) ** 2 + sp.im(x) ** 2) if x.has(sp.I) else Abs(x)


half = sp.Rational(1, 2)
ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add":          lambda x, y: x + y,
    "subtract":     lambda x, y: x - y,
    "multiply":     lambda x, y: x * y,
    "divide":       lambda x, y: x / y,
    "floor_divide": lambda x, y: floor(x / y),
    "remainder":    lambda x, y: x - y * floor(x / y),
    "divmod":       lambda x, y: (floor(x / y), x - y * floor(x / y)),
    "fmod":         lambda x, y: x - y * trunc(x / y),
    "modf":         lambda x: (x - trunc(x), trunc(x)),
    "power":        power,
    "float_power":  power,
    "negative":     lambda x: -x,
    "positive":     lambda x: x,
    "square":       lambda x: x**2,
    "reciprocal":   lambda x: 1 / x,
    "sqrt":         sp.sqrt,
    "cbrt":         cbrt,
    "absolute":     modulus,
    "fabs":         Abs,
    "sign":         sign,
    "copysign":     lambda x, y: Abs(x) * where(y >= 0, 1, -1),
    "heaviside":    lambda x, h: sp.Piecewise((0, x < 0), (h, sp.Eq(x, 0)), (1, True)),
    "relu":         lambda x: where(x > 0, x, 0),
    "floor":        floor,
    "ceil":         ceiling,
    "trunc":        trunc,
    "rint":         rint,
    "exp":          sp.exp,
    "exp2":         lambda x: sp.Integer(2) ** x,
    "expm1":        lambda x: sp.exp(x) - 1,
    "log":          sp.log,
    "log2":         lambda x: sp.log(x) / sp.log(2),
    "log10":        lambda x: sp.log(x) / sp.log(10),
    "log1p":        lambda x: sp.log(1 + x),
    "logaddexp":    lambda x, y: sp.log(sp.exp(x) + sp.exp(y)),
    "logaddexp2":   lambda x, y: sp.log(2**x + 2**y) / sp.log(2),
    "sin":          sp.sin,
    "cos":          sp.cos,
    "tan":          sp.tan,
    "arcsin":       sp.asin,
    "arccos":       sp.acos,
    "arctan":       sp.atan,
    "arctan2":      sp.atan2,
    "sinh":         sp.sinh,
    "cosh":         sp.cosh,
    "tanh":         sp.tanh,
    "arcsinh":      sp.asinh,
    "arccosh":      sp.acosh,
    "arctanh":      sp.atanh,
    "hypot":        lambda x, y: sp.sqrt(x**2 + y**2),
    "degrees":      lambda x: 180 * x / sp.pi,
    "rad2deg":      lambda x: 180 * x / sp.pi,
    "radians":      lambda x: sp.pi * x / 180,
    "deg2rad":      lambda x: sp.pi * x / 180,
    "sinc":         lambda x: sp.sin(sp.pi * x) / (sp.pi * x) if x != 0 else sp.Integer(1),
    "maximum":      Max,
    "minimum":      Min,
    "fmax":         lambda x, y: Max(*(a for a in (x, y) if a is not sp.nan)),
    "fmin":         lambda x, y: Min(*(a for a in (x, y) if a is not sp.nan)),
    "clip":         lambda x, low, high: Min(Max(x, low), high),
    "real":         sp.re,
    "imag":         sp.im,
    "conjugate":    sp.conjugate,
    "less":         sp.Lt,
    "less_equal":   sp.Le,
    "greater":      sp.Gt,
    "greater_equal": sp.Ge,
    "equal":        sp.Eq,
    "not_equal":    sp.Ne,
    "isclose":      lambda x, y: Abs(x - y) <= number(1e-8) + number(1e-5) * Abs(y),
    "isnan":        lambda x: sp.false,
    "isinf":        lambda x: sp.false,
    "isfinite":     lambda x: sp.true,
    "erf":          sp.erf,  # from here on scipy.special
    "erfc":         sp.erfc,
    "erfinv":       sp.erfinv,
    "expit":        lambda x: 1 / (1 + sp.exp(-x)),
    "log_expit":    lambda x: -sp.log(1 + sp.exp(-x)),
    "logit":        lambda x: sp.log(x / (1 - x)),
    "xlogy":        lambda x, y: x * sp.log(y),
    "xlog1py":      lambda x, y: x * sp.log(1 + y),
    "entr":         lambda x: -x * sp.log(x),
    "rel_entr":     lambda x, y: x * sp.log(x / y),
    "ndtr":         lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2,
    "gamma":        sp.gamma,
    "gammaln":      sp.loggamma,
    "psi":          lambda x: sp.polygamma(0, x),
    "beta":         lambda x, y: sp.gamma(x) * sp.gamma(y) / sp.gamma(x + y),
    "betaln":       lambda x, y: sp.loggamma(x) + sp.loggamma(y) - sp.loggamma(x + y),
    "j0":           lambda x: sp.besselj(0, x),
    "j1":           lambda x: sp.besselj(1, x),
    "i0":           lambda x: sp.besseli(0, x),
    "i1":           lambda x: sp.besseli(1, x),
}  # fmt: skip
LOGICAL: dict[str, Callable[..., Any]] = {
    "logical_and": sp.And, "logical_or": sp.Or, "logical_xor": sp.Xor, "logical_not": sp.Not,
    "bitwise_and": sp.And, "bitwise_or": sp.Or, "bitwise_xor": sp.Xor, "invert": sp.Not,
}  # fmt: skip


def variance(v: list[Any], ddof: Any = 0, correction: Any = None, mean: Any = None) -> Any:
    centre = sp.Add(*v) / len(v)
    return sp.Add(*((a - centre) ** 2 for a in v)) / (len(v) - number(ddof if correction is None else correction))


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum":  lambda v: sp.Add(*v),
    "prod": lambda v: sp.Mul(*v),
    "mean": lambda v: sp.Add(*v) / len(v),
    "max":  lambda v: Max(*v),
    "min":  lambda v: Min(*v),
    "ptp":  lambda v: Max(*v) - Min(*v),
    "var":  variance,
    "std":  lambda v, **options: sp.sqrt(variance(v, **options)),
    "any":  lambda v: sp.Or(*map(condition, v)),
    "all":  lambda v: sp.And(*map(condition, v)),
}  # fmt: skip
REDUCTIONS |= {"amax": REDUCTIONS["max"], "amin": REDUCTIONS["min"], "add": REDUCTIONS["sum"]}
REDUCTIONS |= {"maximum": REDUCTIONS["max"], "minimum": REDUCTIONS["min"], "multiply": REDUCTIONS["prod"]}
REDUCTIONS |= {"nan" + name: REDUCTIONS[name] for name in ("sum", "prod", "mean", "max", "min", "var", "std")}
REDUCTIONS |= {"logical_or": REDUCTIONS["any"], "logical_and": REDUCTIONS["all"]}


def reduce(rule: Callable[..., Any], a: Any, axis: Any = None, dtype: Any = None, out: Any = None, *, keepdims: Any = False,
           where: Any = True, initial: Any = None, **options: Any) -> Any:  # fmt: skip
    a, mask = np.asarray(a, object), np.broadcast_to(where, np.shape(a))
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    a, mask = (np.moveaxis(b, axes, range(-len(axes), 0)) for b in (a, mask))
    result = np.empty(a.shape[: a.ndim - len(axes)], object)
    for i in np.ndindex(result.shape):
        kept = [e if rule in (REDUCTIONS["any"], REDUCTIONS["all"]) else numeric(e) for e in a[i][mask[i]].flat]
        result[i] = rule(kept if initial is None else [*kept, number(initial)], **options)
    return np.expand_dims(result, tuple(sorted(axes))) if keepdims else result[()]


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:  # noqa: A002
    a = np.asarray(a, object)
    axis = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    size = functools.partial(np.frompyfunc(modulus, 1, 1), a)
    if ord in (None, "fro") or (ord == 2 and len(axis) == 1):
        square = reduce(REDUCTIONS["sum"], size() ** 2, axis, keepdims=keepdims)
        return np.frompyfunc(sp.sqrt, 1, 1)(square)
    if ord in (1, -1, np.inf, -np.inf) and len(axis) == 2:
        rows = abs(ord) == np.inf
        lines = reduce(REDUCTIONS["sum"], size(), axis[rows], keepdims=True)
        return reduce(REDUCTIONS["max" if ord > 0 else "min"], lines, axis, keepdims=keepdims)
    if isinstance(ord, str) or len(axis) != 1:
        raise NotDifferentiableError(f"np.linalg.norm of order {ord!r} over {len(axis)} axes has no symbolic form here")
    if np.isinf(ord):
        return reduce(REDUCTIONS["max" if ord > 0 else "min"], size(), axis, keepdims=keepdims)
    p = number(ord)
    return reduce(lambda v: sp.Add(*(e**p for e in v)) ** (1 / p), size(), axis, keepdims=keepdims)


def matrix_function(rule: Callable[..., Any], signature: str) -> Callable[..., Any]:
    """A function of sympy matrices on stacks of matrices."""
    def run(*matrices: Any) -> Any:
        result = rule(*(sp.Matrix(*m.shape, list(m.flat)) if m.ndim == 2 else sp.Matrix(m) for m in matrices))
        return np.array(result.tolist(), object) if isinstance(result, sp.MatrixBase) else result
    return np.vectorize(run, signature=signature, otypes=[object])


def inverse(m: Any) -> Any:
    return m.adjugate() / determinant(m)


def determinant(m: Any) -> Any:
    return m.det(method="berkowitz")


def solve(a: Any, b: Any) -> Any:
    column = np.ndim(b) == 1
    x = np.matmul(LINALG["linalg.inv"](a), np.asarray(b)[:, None] if column else b)
    return x[..., 0] if column else x


LINALG: dict[str, Callable[..., Any]] = {
    "linalg.norm":     norm,
    "linalg.det":      matrix_function(determinant, "(n,n)->()"),
    "linalg.slogdet":  matrix_function(lambda m: sp.log(Abs(determinant(m))), "(n,n)->()"),
    "linalg.inv":      matrix_function(inverse, "(n,n)->(n,n)"),
    "linalg.pinv":     lambda a: LINALG["linalg.inv"](a.T @ a) @ a.T,
    "linalg.cholesky": matrix_function(lambda m: m.cholesky(hermitian=False), "(n,n)->(n,n)"),
    "linalg.solve":    solve,
}  # fmt: skip


# --- symbols that NumPy accepts -----------------------------------------------------------------------------------------


class Assumptions:
    """What decides a branch: a point, or facts; `region` collects what was decided."""

    def __init__(self, point: dict[Any, Any] | None = None, facts: tuple[Any, ...] = ()) -> None:
        self.point, self.region = point, dict[Any, None]()
        alone = [self.substitution(f, []) for f in facts]
        chain: list[tuple[Any, Any]] = functools.reduce(lambda done, f: done + self.substitution(f, done), facts, [])
        self.substitutions = [*alone, chain] if facts else []

    @staticmethod
    def substitution(fact: Any, done: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        """x > a becomes x = a + p with p positive: then sympy decides x > b by itself."""
        excess = (fact.gts - fact.lts if hasattr(fact, "gts") else fact.lhs - fact.rhs).subs(done)
        slack = sp.Dummy(positive=True) if isinstance(fact, (sp.Gt, sp.Lt)) else sp.Dummy(nonnegative=True)
        for x in sorted(excess.free_symbols, key=str):
            factor, rest = excess.coeff(x, 1), excess.coeff(x, 0)
            if factor.is_number and sp.expand(excess - factor * x - rest) == 0:
                return [(x, ((0 if isinstance(fact, sp.Eq) else slack) - rest) / factor)]
        raise ValueError(f"the fact {fact} is not linear in its symbols: give assume= a point instead")

    def decide(self, claim: Any) -> bool:
        if claim not in (sp.true, sp.false):
            if self.point is not None:
                with mpmath.workdps(65):
                    verdict = bool(Evaluator(self.point)(claim))
            else:
                verdicts = {claim.subs(s) for s in self.substitutions} & {sp.true, sp.false}
                if len(verdicts) != 1:
                    raise UndecidedError(UNDECIDED.format(claim=claim))
                verdict = verdicts.pop() == sp.true
            self.region[claim if verdict else sp.Not(claim)] = None
            claim = verdict
        return bool(claim)


UNDECIDED = (
    "f branches on {claim} (if, while, max, min, sort, a mask), which symbols can't decide: write np.where, np.maximum, "
    "np.max, np.stack, or give assume= a point or facts, such as assume='x_0 > 0'"
)
assumed: ContextVar[Assumptions] = ContextVar("assumed")


def exprs(x: Any) -> Any:
    """The sympy expression, or object array of them, of any operand."""
    if isinstance(x, Sym):
        return x.expr
    if isinstance(x, (np.ndarray, list, tuple)):
        array = np.asarray(x) if isinstance(x, np.ndarray) or not x else np.array(x, dtype=object)
        return np.frompyfunc(exprs, 1, 1)(array) if array.ndim else exprs(array.item())
    return number(x)


def wrap(result: Any) -> Any:
    """What a function of symbols returns: a number of symbols, an array of them, or a tuple."""
    if isinstance(result, (tuple, list)):
        return type(result)(wrap(r) for r in result) if type(result) in (tuple, list) else tuple(map(wrap, result))
    if isinstance(result, np.ndarray) and result.dtype != object:
        return result  # indices, shapes
    if not isinstance(result, np.ndarray) or result.ndim == 0:
        return Sym(exprs(result)) if isinstance(result, (Sym, sp.Basic, np.ndarray)) else result
    return SymArray(result if all(isinstance(e, sp.Basic) for e in result.flat) else exprs(result))


def unwrapped(args: Any, leaf: Callable[[Any], Any]) -> Any:
    """The arguments of a NumPy function with every symbol in them, however deep, replaced by leaf(symbol)."""
    if isinstance(args, (list, tuple)):
        return type(args)([unwrapped(a, leaf) for a in args])
    if isinstance(args, dict):
        return {k: unwrapped(a, leaf) for k, a in args.items()}
    return leaf(args) if isinstance(args, (Sym, np.ndarray)) else args


class Sym(NDArrayOperatorsMixin):
    """A number made of symbols: NumPy's functions and Python's operators build up its sympy expression `expr`."""

    ndim, shape, size, dtype = 0, (), 1, np.dtype(object)

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        name = ufunc.__name__
        if options.pop("where", True) is not True:
            raise NotDifferentiableError(f"np.{name}(..., where=...) has no symbolic form: write np.where")
        if method == "reduce":
            result = apply(REDUCTIONS, name, inputs, {"axis": 0, **options})
        elif ufunc.signature:  # matmul and its kin
            result = ufunc(*map(exprs, inputs), **options)
        else:
            result = getattr(symbolic_ufunc(name, ufunc), method)(*map(exprs, inputs))
        for target in out:
            if type(target) is Sym:  # y += 1 for a number
                continue
            if not isinstance(target, SymArray):
                raise NotDifferentiableError(BUFFER)
            target[...] = result
            return target
        return wrap(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = function.__module__.removeprefix("numpy").removeprefix(".")
        return apply(FUNCTIONS, f"{module}.{function.__name__}".removeprefix("."), args, kwargs)

    def __getattr__(self, name: str) -> Any:
        """Methods: x.sum(axis=0) is np.sum(x, axis=0); object arrays of symbols find sin and the others here."""
        function = getattr(np, name, None)
        if name.startswith("_") or not (name in FUNCTIONS or name in ELEMENTWISE) or not callable(function):
            raise AttributeError(f"symbols have no attribute {name!r}")
        return functools.partial(function, self)

    def relu(self) -> Any:
        return wrap(symbolic_ufunc("relu")(self.expr))

    def __bool__(self) -> bool:
        return assumed.get(Assumptions()).decide(condition(self.expr))

    def __float__(self) -> float:
        raise NotDifferentiableError(BUFFER)

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]

    def __floor__(self) -> Any:
        return np.floor(self)

    def __ceil__(self) -> Any:
        return np.ceil(self)

    def __trunc__(self) -> Any:
        return np.trunc(self)

    def __round__(self, digits: int = 0) -> Any:
        return np.round(self, digits or 0)

    def __repr__(self) -> str:
        return str(self.expr)

    def __format__(self, spec: str) -> str:
        return str(self.expr)

    @property
    def T(self) -> Any:  # noqa: N802
        return wrap(np.transpose(self.expr))

    @property
    def real(self) -> Any:
        return np.real(self)

    @property
    def imag(self) -> Any:
        return np.imag(self)

    def copy(self, order: Any = None) -> Any:
        return np.copy(self)

    def item(self, *index: int) -> Any:
        return wrap(self.expr.item(*index)) if self.ndim else self

    def tolist(self) -> Any:
        return [x.tolist() for x in self] if self.ndim else self  # type: ignore[attr-defined]

    def astype(self, dtype: Any, **options: Any) -> Any:
        return np.copy(self)

    def flatten(self, order: Any = "C") -> Any:
        return np.copy(np.ravel(self, order))

    def reshape(self, *shape: Any, **options: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def conj(self) -> Any:
        return np.conjugate(self)


class SymArray(Sym):
    """An array of symbols; slices are views, as in NumPy."""

    def __init__(self, expr: Any) -> None:
        super().__init__(expr)
        self.shape, self.ndim, self.size = expr.shape, expr.ndim, expr.size

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if dtype is not None and np.dtype(dtype) != object:
            raise NotDifferentiableError(BUFFER)
        return objects(self)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return wrap(self.expr[concrete(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        value = exprs(value)
        if isinstance(key, SymArray) and key.shape == self.shape and np.ndim(value) == 0:
            key, value = ..., np.frompyfunc(where, 3, 1)(key.expr, value, self.expr)
        self.expr[concrete(key)] = value

    @property
    def flat(self) -> Any:
        return iter(np.ravel(self))

    def __bool__(self) -> bool:
        return bool(objects(self))  # for one element; else NumPy's own error


BUFFER = (
    "a plain number is needed here, but this is a symbol: write np.sin for math.sin, np.zeros_like(x) or "
    "np.zeros(n, like=x) for a buffer, np.trunc(x) for int(x)"
)


def objects(x: Any) -> Any:
    """For functions that NumPy computes itself: an object array of symbols, so that constants stay exact."""
    if isinstance(x, np.ndarray) and x.dtype.kind not in "fO":
        return x  # indices and masks
    array = np.frompyfunc(Sym, 1, 1)(exprs(x))
    return array


def concrete(key: Any) -> Any:
    """An index whose symbolic comparisons, if any, have been decided."""
    if isinstance(key, tuple):
        return tuple(map(concrete, key))
    return np.asarray(objects(key), bool) if isinstance(key, Sym) else key


@functools.cache
def symbolic_ufunc(name: str, ufunc: Any = None) -> Any:
    rule, convert = (LOGICAL[name], condition) if name in LOGICAL else (ELEMENTWISE.get(name), numeric)
    if rule is None:
        raise NotDifferentiableError(UNSUPPORTED.format(name=name))
    nin, nout = (ufunc.nin, ufunc.nout) if ufunc else (rule.__code__.co_argcount, 1)
    return np.frompyfunc(lambda *x: rule(*map(convert, x)), nin, nout)


UNSUPPORTED = "np.{name} has no symbolic form in the oracle: write f with the functions that dualdiff.oracle_symbols lists"


def apply(table: dict[str, Any], name: str, args: Any, kwargs: Any) -> Any:
    if name not in table:
        raise NotDifferentiableError(UNSUPPORTED.format(name=name))
    rule = table[name]
    if table is REDUCTIONS:
        rule = functools.partial(reduce, rule)
    return wrap(rule(*unwrapped(args, as_exprs), **unwrapped(kwargs, as_exprs)))


def as_exprs(x: Any) -> Any:
    return exprs(x) if isinstance(x, Sym) or x.dtype == object else x


def computed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """NumPy's own code, run on an object array of symbols."""
    return function(*unwrapped(args, objects), **unwrapped(kwargs, objects))


def elementwise(name: str, *args: Any, **kwargs: Any) -> Any:
    return symbolic_ufunc(name)(*map(exprs, args))


def where_(c: Any, *choices: Any) -> Any:
    return np.frompyfunc(where, 3, 1)(*map(exprs, (c, *choices))) if choices else np.nonzero(objects(c))


def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    pairs = reversed(list(zip(conditions, choices, strict=True)))
    return functools.reduce(lambda rest, pair: where_(*pair, rest), pairs, default)


def piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **kwargs: Any) -> Any:
    values = [exprs(f(wrap(x), *args, **kwargs)) if callable(f) else f for f in functions]
    return select(conditions, values[: len(conditions)], *values[len(conditions) :])


def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, **_: Any) -> Any:  # noqa: A002
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    a = a if low is None else elementwise("maximum", a, low)
    return a if high is None else elementwise("minimum", a, high)


def round_(a: Any, decimals: int = 0, out: Any = None) -> Any:
    return np.frompyfunc(lambda e: rint(e * sp.Integer(10) ** decimals) / sp.Integer(10) ** decimals, 1, 1)(a)


def interp(x: Any, xp: Any, fp: Any) -> Any:
    xp, fp = exprs(xp), exprs(fp)
    knots = range(len(xp) - 1)
    line = lambda e, i: fp[i] + (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]) * (e - xp[i])  # noqa: E731
    pieces = lambda e: ((fp[0], e <= xp[0]), *((line(e, i), e <= xp[i + 1]) for i in knots), (fp[-1], True))  # noqa: E731
    return np.frompyfunc(lambda e: sp.Piecewise(*pieces(e)), 1, 1)(x)


def filled(shape: Any, value: Any) -> Any:
    return np.full(shape, number(value), object)


def filled_like(value: Any, a: Any, dtype: Any = None, order: Any = None, subok: Any = None, shape: Any = None) -> Any:
    return filled(np.shape(a) if shape is None else shape, value)


MOVES = """reshape transpose ravel squeeze expand_dims moveaxis swapaxes rollaxis roll flip fliplr flipud rot90 concatenate
    stack hstack vstack dstack column_stack block append insert delete repeat tile broadcast_to broadcast_arrays split
    array_split hsplit vsplit dsplit unstack diag diagonal diagflat tril triu pad take take_along_axis compress extract resize
    copy atleast_1d atleast_2d atleast_3d meshgrid matrix_transpose copyto fill_diagonal put shape ndim size
    lib.stride_tricks.sliding_window_view linalg.diagonal linalg.matrix_transpose"""
COMPUTED = """dot vdot inner outer tensordot kron einsum trace cumsum cumprod convolve correlate diff ediff1d cross trapezoid
    polyval vander average cov apply_along_axis linalg.matrix_power linalg.multi_dot linalg.outer linalg.cross
    linalg.trace linalg.tensordot linalg.matmul linalg.vecdot
    sort argsort argmax argmin median percentile quantile partition searchsorted nonzero count_nonzero flatnonzero argwhere"""
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: functools.partial(reduce, rule) for name, rule in REDUCTIONS.items()},
    **{name: functools.partial(elementwise, name) for name in ("sinc", "real", "imag", "isclose")},
    **LINALG,
    "where":       where_,
    "select":      select,
    "piecewise":   piecewise,
    "clip":        clip,
    "round":       round_,
    "around":      round_,
    "interp":      interp,
    "fix":         functools.partial(elementwise, "trunc"),
    "nan_to_num":  lambda x, *_, **__: x,
    "zeros":       lambda shape, *_, **__: filled(shape, 0),
    "ones":        lambda shape, *_, **__: filled(shape, 1),
    "empty":       lambda shape, *_, **__: filled(shape, 0),
    "full":        lambda shape, value, *_, **__: filled(shape, value),
    "zeros_like":  functools.partial(filled_like, 0),
    "ones_like":   functools.partial(filled_like, 1),
    "empty_like":  functools.partial(filled_like, 0),
    "full_like":   lambda a, value, *_, **kwargs: filled_like(value, a, **kwargs),
    "array":       lambda a, *_, **__: exprs(a),
    "asarray":     lambda a, *_, **__: exprs(a),
}  # fmt: skip
for name in MOVES.split() + COMPUTED.split():
    try:
        function = functools.reduce(getattr, name.split("."), np)
    except AttributeError:  # newer than this NumPy
        continue
    FUNCTIONS[name] = function if name in MOVES.split() else functools.partial(computed, function)


# --- values to 50 digits ------------------------------------------------------------------------------------------------


class Evaluator:
    """The value of expressions at a point, at mpmath's current precision; common parts computed once.

    An exact 0 is the int 0; an mpf 0 may be the rest of a cancellation. `along` is the variable that the expression is a
    partial derivative in: at a singular point its limit along that axis comes first.
    """

    NAMES = {"ceiling": "ceil", "conjugate": "conj"}
    CONSTANTS = {sp.pi: "pi", sp.E: "e", sp.I: "j", sp.oo: "inf", sp.EulerGamma: "euler"}

    def __init__(self, point: dict[Any, Any], along: Any = None, limits: bool = True) -> None:
        self.point, self.along, self.limits, self.memo = point, along, limits, dict[Any, Any]()

    def __call__(self, expr: Any) -> Any:
        if expr not in self.memo:
            try:
                value = getattr(self, "_" + expr.func.__name__, self.function)(expr)
                if not isinstance(value, bool) and mp.isnan(value):
                    raise SingularError(f"{expr.func.__name__} of {list(map(self, expr.args))}")
            except (SingularError, ZeroDivisionError) as error:
                if not self.limits:
                    raise
                value = self.limit(expr, error)
            self.memo[expr] = value
        return self.memo[expr]

    def function(self, expr: Any) -> Any:
        if expr.is_Rational:
            return int(expr) if expr.is_Integer else mp.mpf(int(expr.p)) / int(expr.q)
        if expr.is_Symbol:
            if expr not in self.point:
                raise ValueError(f"no value given for {expr}")
            return self(self.point[expr])
        if expr in self.CONSTANTS:
            return +getattr(mp, self.CONSTANTS[expr])
        if not expr.args:  # nan, zoo
            raise SingularError(str(expr))
        name = expr.func.__name__
        args = [self(a) for a in expr.args]
        if isinstance(expr, Flat):
            args = [mp.nint(a) if abs(a - mp.nint(a)) <= mp.mpf(10) ** (8 - mp.dps) * abs(a) else a for a in args if mp.isfinite(a)] 
        rule = expr.func.value if isinstance(expr, Real) else getattr(mp, self.NAMES.get(name, name), None)
        if rule is None:
            raise NotDifferentiableError(f"the oracle has no 50-digit value for sympy's {name}")
        return self.real(rule(*args), args, name)
