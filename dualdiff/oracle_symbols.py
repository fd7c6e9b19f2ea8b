"""The engine of the oracle: NumPy's functions in sympy's words, symbols that NumPy accepts, values to 50 digits.

`dualdiff.oracle` imports this module on first use, since it imports sympy and mpmath. It knows nothing of the rules.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import sympy
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.mixins import NDArrayOperatorsMixin

from dualdiff.errors import NotDifferentiableError

sp: Any = sympy  # type checkers can't follow sympy
mp: Any = mpmath.mp
Rule = Callable[..., Any]


class UndecidedError(NotDifferentiableError):
    """A branch depends on symbols: `if x > 0`, `while`, builtin `max`, sorting."""


class UndefinedError(ValueError):
    """An expression is not real at the point, or has neither a value nor a limit there."""


def number(value: Any) -> Any:
    """A number as the exact sympy number it was written as: 0.1 is 1/10, np.pi is pi, np.sqrt(2) is sqrt(2)."""
    if isinstance(value, (np.floating, sp.Float)):
        value = float(str(value))  # so that float32(0.1) is 1/10 too
    if not isinstance(value, float) or not math.isfinite(value):
        return sp.sympify(value.item() if isinstance(value, np.generic) else value)
    for root, unit, exact in ((1, 1.0, 1), (1, math.pi, sp.pi), (1, math.e, sp.E), (2, 1.0, 1), (2, math.pi, sp.pi)):
        ratio = Fraction(min(abs(value), 99.0) ** root / unit).limit_denominator(100)
        if (float(ratio) * unit) ** (1 / root) == abs(value):
            return int(math.copysign(1, value)) * (sp.Rational(ratio) * exact) ** sp.Rational(1, root)
    return sp.Rational(repr(value))


def exactly(value: Any) -> Any:
    """A coordinate of a point as an exact sympy number: a float is the binary number that it is."""
    if isinstance(value, mpmath.mpf) and mpmath.isfinite(value):
        return sp.Integer(int(value.man)) * sp.Integer(2) ** int(value.exp)
    exact = sp.Rational(float(value)) if isinstance(value, (float, np.floating)) and np.isfinite(value) else number(value)
    if not (exact.is_number and exact.is_finite and exact.is_real):
        raise ValueError(f"a point has finite real numbers as coordinates, not {value}")
    return exact


# --- functions that have a derivative everywhere, where sympy's own give DiracDelta or none --------------------------------


class Real(sp.Function):  # type: ignore[misc]
    """A real function; `value` computes it for Fractions and for mpmath numbers."""

    is_extended_real = True

    @classmethod
    def eval(cls, *args: Any) -> Any:
        if all(a.is_Rational for a in args):
            return sp.sympify(cls.value(*(Fraction(int(a.p), int(a.q)) for a in args)))
        return sp.nan if sp.nan in args else cls.simpler(*args)

    @classmethod
    def simpler(cls, *args: Any) -> Any:
        return None


class Flat(Real):
    """Piecewise constant: the derivative is 0, at the jumps too."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


def flat(name: str, value: Rule) -> Any:
    return type(name, (Flat,), {"value": staticmethod(value), "__module__": __name__})


sign = flat("sign", lambda x: (x > 0) - (x < 0))
floor = flat("floor", lambda x: x - x % 1)
ceiling = flat("ceiling", lambda x: x + -x % 1)
rint = flat("rint", lambda x: round(x) if isinstance(x, Fraction) else mp.nint(x))  # halves to even
step = flat("step", lambda *d: 0 if min(d) < 0 else Fraction(1, 1 + d.count(0)))  # 0, 1/2, 1; an equal share of a tie


class Max(Real):
    """The largest argument; those that tie share the derivative."""

    value, sign = staticmethod(max), 1

    @classmethod
    def simpler(cls, *args: Any) -> Any:
        return args[0] if len(args) == 1 else None

    def fdiff(self, argindex: int = 1) -> Any:
        return step(*(self.sign * (self.args[argindex - 1] - a) for i, a in enumerate(self.args, 1) if i != argindex))


class Min(Max):
    """The smallest argument; those that tie share the derivative."""

    value, sign = staticmethod(min), -1


class Abs(Real):
    """|x| with slope 0 at 0."""

    is_extended_nonnegative = True
    value = staticmethod(abs)

    @classmethod
    def simpler(cls, *args: Any) -> Any:
        factor, rest = args[0].as_coeff_Mul()
        return None if factor == 1 else abs(factor) * cls(rest)

    def fdiff(self, argindex: int = 1) -> Any:
        return sign(self.args[0])

    def _eval_power(self, exponent: Any) -> Any:
        return self.args[0] ** exponent if exponent.is_even else None


class cbrt(Real):
    """The real cube root."""

    value = staticmethod(lambda x: mp.sign(x) * mp.cbrt(abs(x)))

    @classmethod
    def eval(cls, x: Any) -> Any:
        return x if x in (0, 1, -1) else None

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (3 * self**2)

    def _eval_power(self, exponent: Any) -> Any:
        return self.args[0] ** (exponent / 3) if (exponent / 3).is_integer else None


OWN = {sp.Abs: Abs, sp.sign: sign, sp.floor: floor, sp.ceiling: ceiling, sp.Max: Max, sp.Min: Min, sp.Heaviside: step}


def rebuild(expr: Any, symbols: dict[str, Any], memo: dict[Any, Any]) -> Any:
    """expr with these functions instead of sympy's, exact numbers, `symbols` by name; shared parts visited once."""
    if expr not in memo:
        args = [rebuild(a, symbols, memo) for a in expr.args]
        if expr.is_Symbol or not args:
            memo[expr] = symbols.get(expr.name, expr) if expr.is_Symbol else number(expr)
        elif expr.func in OWN:
            memo[expr] = OWN[expr.func](*args[: 1 if expr.func is sp.Heaviside else None])
        else:
            memo[expr] = expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)
    return memo[expr]


def differentiate(expr: Any, x: Any, memo: dict[Any, Any]) -> Any:
    """d expr / dx: the chain rule with sympy's derivative of each function, shared parts visited once.

    (sympy's `diff` visits them again and again: 15 s for a gradient of 200 operations that takes 0.2 s here.)
    """
    if expr in memo:
        return memo[expr]
    args = expr.args
    if expr == x or not args:
        slope = sp.Integer(expr == x)
    elif isinstance(expr, sp.Piecewise):
        slope = sp.Piecewise(*((differentiate(e, x, memo), claim) for e, claim in args))
    else:
        inner = [differentiate(a, x, memo) for a in args]
        if expr.is_Add:
            slope = sp.Add(*inner)
        elif expr.is_Mul:
            slope = sp.Add(*(sp.Mul(*args[:i], d, *args[i + 1 :]) for i, d in enumerate(inner) if d != 0))
        elif expr.is_Pow:
            slope = args[1] * args[0] ** (args[1] - 1) * inner[0]
            slope += expr * sp.log(args[0]) * inner[1] if inner[1] != 0 else 0
        else:
            slope = sp.Add(*(partial(expr, i) * d for i, d in enumerate(inner, 1) if d != 0))
    memo[expr] = slope
    return slope


def partial(expr: Any, i: int) -> Any:
    """sympy's derivative of a function in its i-th argument, or an error that names the function."""
    try:
        slope = expr.fdiff(i)
    except (AttributeError, NotImplementedError, sympy.ArgumentIndexError):
        slope = sp.nan
    if slope.has(sp.nan, sp.Derivative, sp.Subs, sp.DiracDelta):
        raise NotDifferentiableError(f"sympy has no derivative of {expr.func.__name__} in its argument {i}")
    return slope


# --- NumPy's functions in sympy's words ------------------------------------------------------------------------------------


def claim(e: Any) -> Any:
    """An expression as a condition: a number is true if it is not 0."""
    return e if isinstance(e, sp.logic.boolalg.Boolean) and not e.is_Symbol else sp.Ne(e, 0)


def numeric(e: Any) -> Any:
    """A condition as a number, 1 or 0."""
    return sp.Piecewise((1, e), (0, True)) if isinstance(e, sp.logic.boolalg.Boolean) and not e.is_Symbol else e


def where(c: Any, x: Any, y: Any) -> Any:
    return sp.Piecewise((x, claim(c)), (y, True))


ELEMENTWISE: dict[str, Rule] = {
    **{name: getattr(sp, name) for name in "sqrt exp log sin cos tan sinh cosh tanh erf erfc erfinv gamma".split()},
    **{"arc" + name[1:]: getattr(sp, name) for name in "asin acos atan atan2 asinh acosh atanh".split()},
    **{"sign": sign, "floor": floor, "ceil": ceiling, "rint": rint, "absolute": Abs, "fabs": Abs, "cbrt": cbrt},
    **{"maximum": Max, "minimum": Min, "less": sp.Lt, "less_equal": sp.Le, "greater": sp.Gt, "greater_equal": sp.Ge},
    **{"equal": sp.Eq, "not_equal": sp.Ne, "gammaln": sp.loggamma},
    **{name: lambda x: x for name in "positive conjugate real nan_to_num".split()},
    **{name: lambda x: sp.false for name in "isnan isinf iscomplex".split()},
    "isfinite":     lambda x: sp.true,
    "isclose":      lambda x, y: Abs(x - y) <= sp.Rational(1, 10**8) + Abs(y) / 10**5,
    "add":          lambda x, y: x + y,
    "subtract":     lambda x, y: x - y,
    "multiply":     lambda x, y: x * y,
    "divide":       lambda x, y: x / y,
    "negative":     lambda x: -x,
    "reciprocal":   lambda x: 1 / x,
    "square":       lambda x: x**2,
    "power":        lambda x, y: where(y > 0, 0, x**y) if x == 0 and not y.is_number else x**y,
    "floor_divide": lambda x, y: floor(x / y),
    "remainder":    lambda x, y: x - y * floor(x / y),
    "divmod":       lambda x, y: (floor(x / y), x - y * floor(x / y)),
    "fmod":         lambda x, y: x - y * sign(x / y) * floor(Abs(x / y)),
    "trunc":        lambda x: sign(x) * floor(Abs(x)),
    "modf":         lambda x: (x - sign(x) * floor(Abs(x)), sign(x) * floor(Abs(x))),
    "copysign":     lambda x, y: Abs(x) * where(y >= 0, 1, -1),
    "heaviside":    lambda x, h: sp.Piecewise((0, x < 0), (h, sp.Eq(x, 0)), (1, True)),
    "relu":         lambda x: where(x > 0, x, 0),
    "fmax":         lambda x, y: Max(*(a for a in (x, y) if a is not sp.nan)),
    "fmin":         lambda x, y: Min(*(a for a in (x, y) if a is not sp.nan)),
    "exp2":         lambda x: sp.Integer(2) ** x,
    "expm1":        lambda x: sp.exp(x) - 1,
    "log2":         lambda x: sp.log(x) / sp.log(2),
    "log10":        lambda x: sp.log(x) / sp.log(10),
    "log1p":        lambda x: sp.log(1 + x),
    "logaddexp":    lambda x, y: sp.log(sp.exp(x) + sp.exp(y)),
    "logaddexp2":   lambda x, y: sp.log(2**x + 2**y) / sp.log(2),
    "hypot":        lambda x, y: sp.sqrt(x**2 + y**2),
    "degrees":      lambda x: 180 * x / sp.pi,
    "radians":      lambda x: sp.pi * x / 180,
    "sinc":         lambda x: sp.sin(sp.pi * x) / (sp.pi * x) if x != 0 else sp.Integer(1),
    "expit":        lambda x: 1 / (1 + sp.exp(-x)),
    "log_expit":    lambda x: -sp.log(1 + sp.exp(-x)),
    "logit":        lambda x: sp.log(x / (1 - x)),
    "xlogy":        lambda x, y: x * sp.log(y),
    "xlog1py":      lambda x, y: x * sp.log(1 + y),
    "entr":         lambda x: -x * sp.log(x),
    "ndtr":         lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2,
    "psi":          lambda x: sp.polygamma(0, x),
    "j0":           lambda x: sp.besselj(0, x),
    "i0":           lambda x: sp.besseli(0, x),
}  # fmt: skip
ELEMENTWISE |= {new: ELEMENTWISE[old] for new, old in {"float_power": "power", "rad2deg": "degrees", "deg2rad": "radians"}.items()}
LOGICAL = {kind + name: getattr(sp, name.capitalize()) for kind in ("logical_", "bitwise_") for name in ("and", "or", "xor")}
LOGICAL |= {"logical_not": sp.Not, "invert": sp.Not}


@functools.cache
def elementwise(name: str, nin: int | None = None, nout: int = 1) -> Any:
    """The rule as a function of object arrays."""
    if name not in ELEMENTWISE and name not in LOGICAL:
        raise NotDifferentiableError(UNSUPPORTED.format(name=name))
    rule, convert = (LOGICAL[name], claim) if name in LOGICAL else (ELEMENTWISE[name], numeric)
    return np.frompyfunc(lambda *x: rule(*map(convert, x)), nin or rule.__code__.co_argcount, nout)


def variance(v: list[Any], ddof: Any = 0, correction: Any = None, mean: Any = None) -> Any:
    return sp.Add(*((a - sp.Add(*v) / len(v)) ** 2 for a in v)) / (len(v) - number(ddof if correction is None else correction))


REDUCTIONS: dict[str, Rule] = {
    "sum":  lambda v: sp.Add(*map(numeric, v)),
    "prod": lambda v: sp.Mul(*map(numeric, v)),
    "mean": lambda v: sp.Add(*map(numeric, v)) / len(v),
    "max":  lambda v: Max(*v),
    "min":  lambda v: Min(*v),
    "ptp":  lambda v: Max(*v) - Min(*v),
    "var":  variance,
    "std":  lambda v, **options: sp.sqrt(variance(v, **options)),
    "any":  lambda v: sp.Or(*map(claim, v)),
    "all":  lambda v: sp.And(*map(claim, v)),
}  # fmt: skip
REDUCTIONS |= {"nan" + name: rule for name, rule in REDUCTIONS.items()} | {"a" + m: REDUCTIONS[m] for m in ("max", "min")}
REDUCE = dict(add="sum", multiply="prod", maximum="max", minimum="min", logical_and="all", logical_or="any")


def reduce(rule: Rule, a: Any, axis: Any = None, dtype: Any = None, out: Any = None, *, keepdims: Any = False,
           where: Any = True, initial: Any = None, **options: Any) -> Any:  # fmt: skip
    a, mask = np.asarray(a, object), np.broadcast_to(where, np.shape(a))
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    a, mask = (np.moveaxis(b, axes, range(-len(axes), 0)) for b in (a, mask))
    result = np.empty(a.shape[: a.ndim - len(axes)], object)
    for i in np.ndindex(result.shape):
        kept = [number(e) for e in a[i][mask[i]].flat]
        result[i] = rule(kept if initial is None else [*kept, number(initial)], **options)
    return np.expand_dims(result, tuple(sorted(axes))) if keepdims else result[()]


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    flat = np.ndim(a) == 1 or isinstance(axis, int)
    if ord in (None, "fro") or (ord == 2 and flat):
        return reduce(lambda v: sp.sqrt(sp.Add(*(e**2 for e in v))), a, axis, keepdims=keepdims)
    if not flat or isinstance(ord, str):
        raise NotDifferentiableError(f"np.linalg.norm(..., ord={ord!r}) of a matrix has no symbolic form in the oracle")
    if np.isinf(ord):
        return reduce(lambda v: (Max if ord > 0 else Min)(*map(Abs, v)), a, axis, keepdims=keepdims)
    return reduce(lambda v: sp.Add(*(Abs(e) ** number(ord) for e in v)) ** (1 / number(ord)), a, axis, keepdims=keepdims)


def on_matrices(rule: Rule, signature: str) -> Rule:
    """A function of one sympy matrix, for stacks of them."""
    return np.vectorize(lambda m: np.array(rule(sp.Matrix(m)), object)[()], signature=signature, otypes=[object])


def determinant(m: Any) -> Any:
    return m.det(method="berkowitz")


def solve(a: Any, b: Any) -> Any:
    inverse = FUNCTIONS["linalg.inv"](a)
    return inverse @ b if np.ndim(b) == 1 else np.matmul(inverse, b)


def where_array(c: Any, *choices: Any) -> Any:
    return np.frompyfunc(where, 3, 1)(*map(exprs, (c, *choices))) if choices else np.nonzero(objects(c))


def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    pairs = list(zip(conditions, choices, strict=True))[::-1]
    return functools.reduce(lambda rest, pair: where_array(*pair, rest), pairs, default)


def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, **_: Any) -> Any:
    for bound, side in ((a_min if min is None else min, "maximum"), (a_max if max is None else max, "minimum")):
        a = a if bound is None else elementwise(side, 2)(exprs(a), exprs(bound))
    return a


def round_array(a: Any, decimals: int = 0, out: Any = None) -> Any:
    return elementwise("rint", 1)(a * sp.Integer(10) ** decimals) / sp.Integer(10) ** decimals


def filled(shape: Any, value: Any = 0, *_: Any, **__: Any) -> Any:
    return np.full(shape, number(value), object)


def like(value: Any, a: Any, dtype: Any = None, order: Any = None, subok: Any = None, shape: Any = None) -> Any:
    return filled(np.shape(a) if shape is None else shape, value)


def computed(function: Rule, *args: Any, **kwargs: Any) -> Any:
    """NumPy's own code, on object arrays of symbols: constants stay exact, comparisons are decided."""
    return function(*unwrapped(args, objects), **unwrapped(kwargs, objects))


def named(names: str) -> dict[str, Rule]:
    """NumPy's functions of these names, those that this NumPy has."""
    found = {name: functools.reduce(lambda space, part: getattr(space, part, None), name.split("."), np) for name in names.split()}
    return {name: function for name, function in found.items() if callable(function)}


FUNCTIONS: dict[str, Rule] = {
    **{name: functools.partial(reduce, rule) for name, rule in REDUCTIONS.items()},
    **{name: lambda *x, name=name: elementwise(name, len(x))(*map(exprs, x)) for name in "sinc real nan_to_num isclose".split()},
    **named("""reshape transpose ravel squeeze expand_dims moveaxis swapaxes rollaxis roll flip fliplr flipud rot90 concatenate
        stack hstack vstack dstack column_stack block append insert delete repeat tile broadcast_to broadcast_arrays split
        array_split hsplit vsplit dsplit unstack diag diagonal diagflat tril triu pad take take_along_axis extract copy shape
        ndim size atleast_1d atleast_2d atleast_3d meshgrid matrix_transpose copyto fill_diagonal put linalg.diagonal
        linalg.matrix_transpose lib.stride_tricks.sliding_window_view"""),
    **{name: functools.partial(computed, function) for name, function in named("""dot vdot inner outer tensordot kron einsum
        trace cumsum cumprod convolve correlate diff ediff1d cross trapezoid polyval vander average cov apply_along_axis
        linalg.matrix_power linalg.multi_dot linalg.outer linalg.cross linalg.trace linalg.tensordot linalg.matmul sort argsort
        argmax argmin median percentile quantile searchsorted nonzero count_nonzero flatnonzero argwhere""").items()},
    "where":           where_array,
    "select":          select,
    "clip":            clip,
    "round":           round_array,
    "around":          round_array,
    "fix":             lambda x, **_: elementwise("trunc", 1)(x),
    "zeros":           filled,
    "empty":           filled,
    "ones":            lambda shape, *_, **__: filled(shape, 1),
    "full":            filled,
    "zeros_like":      functools.partial(like, 0),
    "empty_like":      functools.partial(like, 0),
    "ones_like":       functools.partial(like, 1),
    "full_like":       lambda a, value, **options: like(value, a, **options),
    "array":           lambda a, *_, **__: exprs(a),
    "asarray":         lambda a, *_, **__: exprs(a),
    "linalg.norm":     norm,
    "linalg.det":      on_matrices(determinant, "(n,n)->()"),
    "linalg.slogdet":  on_matrices(lambda m: [sign(determinant(m)), sp.log(Abs(determinant(m)))], "(n,n)->(k)"),
    "linalg.inv":      on_matrices(lambda m: m.adjugate() / determinant(m), "(n,n)->(n,n)"),
    "linalg.cholesky": on_matrices(lambda m: m.cholesky(hermitian=False), "(n,n)->(n,n)"),
    "linalg.solve":    solve,
}  # fmt: skip


def call(name: str, args: Any, kwargs: Any) -> Any:
    if name not in FUNCTIONS:
        raise NotDifferentiableError(UNSUPPORTED.format(name=name))
    return wrap(FUNCTIONS[name](*unwrapped(args, expressed), **unwrapped(kwargs, expressed)))


# --- symbols that NumPy accepts ---------------------------------------------------------------------------------------------

UNSUPPORTED = "np.{name} has no symbolic form in the oracle: write f with the functions listed in dualdiff/oracle_symbols.py"
BUFFER = (
    "a plain number is needed here, and this is a symbol: write np.sin for math.sin, np.zeros_like(x) or "
    "np.zeros(n, like=x) for a buffer that it is stored in, np.trunc(x) for int(x)"
)
UNDECIDED = (
    "f branches on {claim} (if, while, max, min, sort, a mask), which symbols can't decide: write np.where, np.maximum, np.max "
    "and np.stack for np.array, or give assume= a point, or facts such as assume='x_0 > 0'"
)


class Assumptions:
    """What decides a branch: a point, or facts; `region` collects what was decided."""

    def __init__(self, point: dict[Any, Any] | None = None, facts: tuple[Any, ...] = ()) -> None:
        self.point, self.region = point, dict[Any, None]()
        chain: list[Any] = functools.reduce(lambda done, fact: done + self.substitution(fact, done), facts, [])
        self.substitutions = [*(self.substitution(fact, []) for fact in facts), chain]

    @staticmethod
    def substitution(fact: Any, done: list[Any]) -> list[Any]:
        """From x > a follows x = a + p with p positive, with which sympy decides x > b and the like."""
        excess = (fact.gts - fact.lts if hasattr(fact, "gts") else fact.lhs - fact.rhs).subs(done)
        strict = isinstance(fact, (sp.Gt, sp.Lt))
        slack = 0 if isinstance(fact, sp.Eq) else sp.Dummy(positive=True) if strict else sp.Dummy(nonnegative=True)
        for x in sorted(excess.free_symbols, key=str):
            factor, rest = excess.coeff(x, 1), excess.coeff(x, 0)
            if factor.is_number and sp.expand(excess - factor * x - rest) == 0:
                return [(x, (slack - rest) / factor)]
        raise ValueError(f"the fact {fact} is not linear in a symbol: give assume= a point instead")

    def decide(self, claim: Any) -> bool:
        if claim in (sp.true, sp.false):
            return bool(claim)
        if self.point is not None:
            with mpmath.workdps(65):
                verdict = bool(Evaluator(self.point)(claim))
        else:
            verdicts = {claim.subs(s) for s in self.substitutions} & {sp.true, sp.false}
            if len(verdicts) != 1:
                raise UndecidedError(UNDECIDED.format(claim=claim))
            verdict = bool(verdicts.pop())
        self.region[claim if verdict else sp.Not(claim)] = None
        return verdict


assumed: ContextVar[Assumptions] = ContextVar("assumed")


def exprs(x: Any) -> Any:
    """The sympy expression, or object array of them, of any operand."""
    if isinstance(x, (np.ndarray, list, tuple)):
        array = x if isinstance(x, np.ndarray) else np.array(x, object)
        return np.frompyfunc(exprs, 1, 1)(array) if array.ndim else exprs(array.item())
    return x.expr if isinstance(x, Sym) else number(x)


def expressed(x: Any) -> Any:
    return x if isinstance(x, np.ndarray) and x.dtype != object else exprs(x)


def objects(x: Any) -> Any:
    """An object array of symbols; indices and masks stay."""
    return x if isinstance(x, np.ndarray) and x.dtype.kind not in "fO" else np.frompyfunc(Sym, 1, 1)(exprs(x))


def wrap(result: Any) -> Any:
    """What a function of symbols returns: a symbol, an array or a tuple of them; shapes and indices stay."""
    if isinstance(result, (tuple, list)):
        return tuple(map(wrap, result))
    if isinstance(result, np.ndarray) and result.ndim and result.dtype == object:
        return SymArray(result if all(isinstance(e, sp.Basic) for e in result.flat) else exprs(result))
    return Sym(exprs(result)) if isinstance(result, (Sym, sp.Basic)) or getattr(result, "dtype", 0) == object else result


def unwrapped(args: Any, leaf: Rule) -> Any:
    """Arguments of a NumPy function with leaf(symbol) for each symbol or array in them, however deep."""
    if isinstance(args, (list, tuple)):
        return type(args)([unwrapped(a, leaf) for a in args])
    if isinstance(args, dict):
        return {k: unwrapped(a, leaf) for k, a in args.items()}
    return leaf(args) if isinstance(args, (Sym, np.ndarray, sp.Basic)) else args


def concrete(key: Any) -> Any:
    """An index whose symbolic comparisons, if any, are decided."""
    if isinstance(key, tuple):
        return tuple(map(concrete, key))
    return np.asarray(objects(key), bool) if isinstance(key, Sym) else key


def method(function: Rule, *drop: Any) -> Any:
    return lambda self, *args, **options: function(self) if drop else function(self, *args, **options)


class Sym(NDArrayOperatorsMixin):
    """A number made of symbols: operators and NumPy's functions build up its sympy expression `expr`."""

    ndim, shape, size, dtype = 0, (), 1, np.dtype(object)

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
        name = ufunc.__name__
        if options.pop("where", True) is not True:
            raise NotDifferentiableError(f"np.{name}(..., where=...) has no symbolic form in the oracle: write np.where")
        if method == "reduce":
            result = exprs(call(REDUCE.get(name, f"{name}.reduce"), inputs, {"axis": 0, **options}))
        elif ufunc.signature:  # matmul and its kin
            result = ufunc(*map(exprs, inputs), **options)
        elif method == "at":
            return elementwise(name, ufunc.nin).at(self.expr, inputs[1], *map(exprs, inputs[2:]))
        else:
            result = getattr(elementwise(name, ufunc.nin, ufunc.nout), method)(*map(exprs, inputs))
        for target in out:
            if not isinstance(target, Sym):
                raise NotDifferentiableError(BUFFER)
            if isinstance(target, SymArray):  # else y += 1 of a number, which binds y anew
                target[...] = result
                return target
        return wrap(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call(f"{function.__module__}.{function.__name__}".removeprefix("numpy."), args, kwargs)

    def __getattr__(self, name: str) -> Any:
        """x.sum(axis=0) is np.sum(x, axis=0); NumPy itself calls x.sin() for an object array of symbols."""
        if name.startswith("_") or not (name in FUNCTIONS or name in ELEMENTWISE) or not hasattr(np, name):
            raise AttributeError(f"a symbol has no attribute {name!r}")
        return functools.partial(getattr(np, name), self)

    def __bool__(self) -> bool:
        return assumed.get(Assumptions()).decide(claim(self.expr))

    def __float__(self) -> float:
        raise NotDifferentiableError(BUFFER)

    def __repr__(self) -> str:
        return str(self.expr)

    def __format__(self, spec: str) -> str:
        return str(self.expr)

    def relu(self) -> Any:
        return wrap(elementwise("relu", 1)(self.expr))

    def item(self, *index: Any) -> Any:
        return wrap(self.expr.item(*index)) if self.ndim else self

    def tolist(self) -> Any:
        return objects(self).tolist() if self.ndim else self

    def reshape(self, *shape: Any, **options: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **options)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)  # type: ignore[call-overload]

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]
    __floor__, __ceil__, __trunc__, __round__ = map(method, (np.floor, np.ceil, np.trunc, np.round))
    copy, astype, flatten = (method(f, "arguments") for f in (np.copy, np.copy, lambda x: np.copy(np.ravel(x))))
    T, real = property(method(np.transpose)), property(method(np.real))
    conj = method(np.conjugate)


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
        if isinstance(key, SymArray) and key.shape == self.shape and np.ndim(value) == 0:  # x[x > 0] = 0
            key, value = ..., where_array(key, value, self)
        self.expr[concrete(key)] = exprs(value)

    def __bool__(self) -> bool:
        return bool(objects(self))  # of one element; else NumPy's error


# --- values to 50 digits ------------------------------------------------------------------------------------------------------


class Singular(UndefinedError):
    """No value at the point itself; there may be a limit."""


class Evaluator:
    """Values at a point at mpmath's current precision, shared parts computed once.

    An int is exact; an mpf 0 may be what a cancellation left. `along` is the variable that an expression is a partial
    derivative in: where it is singular, the limit along that axis counts first.
    """

    names = {"ceiling": "ceil", "Exp1": "e", "Pi": "pi", "Infinity": "inf", "NegativeInfinity": "ninf"}
    orders = {sp.Lt: (-1,), sp.Le: (-1, 0), sp.Gt: (1,), sp.Ge: (1, 0), sp.Eq: (0,), sp.Ne: (-1, 1)}
    logic = {sp.And: all, sp.Or: any, sp.Not: lambda v: not next(v), sp.Xor: lambda v: sum(v) % 2 == 1}

    def __init__(self, point: dict[Any, Any], along: Any = None, limits: bool = True) -> None:
        self.point, self.along, self.limits, self.memo = point, along, limits, dict[Any, Any]()
        self.tiny = mp.mpf(10) ** (8 - mp.dps)

    def __call__(self, expr: Any) -> Any:
        if expr not in self.memo:
            try:
                value = getattr(self, f"_{expr.func.__name__}", self._other)(expr)
                if mp.isnan(value) or isinstance(value, mpmath.mpc) and value.imag != 0:
                    error = Singular if mp.isnan(value) else UndefinedError
                    raise error(f"{expr.func.__name__}({', '.join(shown(self(a)) for a in expr.args)}) is not a real number")
            except Singular as error:
                value = self.limit(expr, error)
            self.memo[expr] = value.real if isinstance(value, mpmath.mpc) else value
        return self.memo[expr]

    def _other(self, expr: Any) -> Any:
        if expr.is_Rational:
            return int(expr) if expr.is_Integer else mp.mpf(int(expr.p)) / int(expr.q)
        if expr.is_Symbol:
            value = self.point[expr]
            return self(value) if isinstance(value, sp.Basic) else value
        if expr.func in self.logic:
            return self.logic[expr.func](map(self, expr.args))
        if expr in (sp.true, sp.false):
            return bool(expr)
        args, name = [self(a) for a in expr.args], expr.func.__name__
        if expr.is_Relational:
            return self.order(*args) in self.orders[expr.func]
        rule = expr.func.value if isinstance(expr, Real) else getattr(mp, self.names.get(name, name), None)
        if rule is None:
            raise Singular(f"{name} has no value" if not args else f"sympy's {name} is not known to mpmath")
        if isinstance(expr, Flat):  # what rounding moved off an integer, back to it
            value = rule(*(a if mp.isinf(a) or self.order(a, mp.nint(a)) else mp.nint(a) for a in args))
            return int(value) if value == int(value) else mp.mpf(value.numerator) / value.denominator
        try:
            return rule(*args) if args else +rule
        except (ValueError, ZeroDivisionError):
            raise Singular(f"{name} has a pole") from None

    def _Add(self, expr: Any) -> Any:
        terms = [self(a) for a in expr.args]
        total, largest = sum(terms), max(map(abs, terms))
        return total if isinstance(total, int) or mp.isinf(largest) or abs(total) > self.tiny * largest else mp.zero

    def _Mul(self, expr: Any) -> Any:
        for factor, exponent in (a.as_base_exp() for a in expr.args):
            if isinstance(factor, step) and exponent.is_positive and self(factor) == 0:
                return 0  # a branch not taken, whatever the other factors are
        factors = [self(a) for a in expr.args]
        if 0 in factors and any(map(mp.isinf, factors)):
            raise Singular("0 times infinity")
        return 0 if any(v == 0 and isinstance(v, int) for v in factors) else mp.fprod(factors)

    def _Pow(self, expr: Any) -> Any:
        base, exponent = map(self, expr.args)
        whole = mp.isint(exponent)
        if base == 0 and exponent < 0:
            if whole and exponent % 2:
                raise Singular("division by zero")
            return mp.inf
        if base in (0, 1) and not mp.isinf(exponent):
            return base if exponent else 1
        return mp.power(base, int(exponent) if whole else exponent)

    def _Piecewise(self, expr: Any) -> Any:
        for value, claim in expr.args:
            if self(claim):
                return self(value)
        raise Singular("no case holds")

    def order(self, a: Any, b: Any) -> int:
        """-1, 0, 1 as a < b, a = b, a > b; what rounding alone tells apart is equal."""
        close = a == b or (mp.isfinite(a) and mp.isfinite(b) and abs(a - b) <= self.tiny * max(abs(a), abs(b)))
        return 0 if close else 1 if a > b else -1

    def limit(self, expr: Any, error: Singular) -> Any:
        """The limit along `along`, else the common one along several lines through the point."""
        moving = sorted(expr.free_symbols & self.point.keys(), key=str) if self.limits else []
        lines = [{x: mp.cos(1 + k + i * (2 * k + 1)) for i, x in enumerate(moving)} for k in range(min(4, len(moving) ** 2))]
        if self.along in moving and (value := self.line_limit(expr, {self.along: 1}, error)) is not None:
            return value
        values = [v for line in lines if (v := self.line_limit(expr, line, error)) is not None]
        if not values or any(self.order(v, values[0]) for v in values):
            raise error
        return values[0]

    def line_limit(self, expr: Any, line: dict[Any, Any], error: Singular) -> Any:
        """The mean of the limits from both sides; the one side's where f is not real on the other; None without any."""
        sides = [v for sign in (1, -1) if (v := self.side_limit(expr, line, sign, error)) is not None]
        if not sides or all(v == sides[0] for v in sides):
            return sides[0] if sides else None
        if any(map(mp.isinf, sides)):
            raise error
        return 0 if self.order(sides[0], -sides[1]) == 0 else mp.fsum(sides) / 2

    def side_limit(self, expr: Any, line: dict[Any, Any], sign: int, error: Singular) -> Any:
        digits, values = 2 * mp.dps, []
        with mpmath.workdps(10 * digits):
            for h in (mp.mpf(10) ** -digits, mp.mpf(10) ** (-2 * digits)):
                near = {x: self(self.point[x]) + sign * h * d for x, d in line.items()}
                try:
                    values.append(Evaluator(self.point | near, limits=False)(expr))
                except UndefinedError:
                    return None
            first, second = map(abs, values)
            if self.order(*values) == 0:
                return values[1]
            if second < first**1.5 < 1e-6:  # decays like a power of h
                return 0
            if second > 1.5 * first > 15:
                return mp.sign(values[1]) * mp.inf
        raise error


def shown(value: Any) -> str:
    """A number for people: 2, 0.5, 1.71634."""
    return str(int(value)) if mp.isint(value) and abs(value) < 1e15 else mp.nstr(value, 6)


def values(expressions: list[Any], along: list[Any], point: dict[Any, Any], digits: int) -> list[Any]:
    """Each expression at the point to that many digits: the precision doubles until two results agree."""
    span = max((abs(int(v.p).bit_length() - int(v.q).bit_length()) for v in point.values() if v.is_Rational), default=0)
    precision, results, unsettled = digits + 15 + span * 2 // 3, dict[int, Any](), list(range(len(expressions)))
    while unsettled:
        if precision > 9000:
            raise UndefinedError(f"{precision // 2} digits are not enough, so much cancels")
        with mpmath.workdps(precision):
            evaluators = {x: Evaluator(point, x) for x in along}
            for i in unsettled[:]:
                old, new = results.get(i, mp.nan), evaluators[along[i]](expressions[i])
                close = new == old or abs(new - old) <= mp.mpf(10) ** -digits * abs(new)
                if isinstance(new, int) or (close and (new != 0 or precision > 1000)):
                    unsettled.remove(i)
                results[i] = new
        precision *= 2
    with mpmath.workdps(digits):
        return [mp.mpf(results[i]) for i in range(len(expressions))]
