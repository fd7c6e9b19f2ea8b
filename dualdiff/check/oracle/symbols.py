"""NumPy's functions in sympy's words, and symbols that NumPy accepts. Nothing here knows of the rules."""

from __future__ import annotations

import functools
from contextvars import ContextVar
from typing import Any

import mpmath
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...core.errors import NotDifferentiableError
from .digits import Evaluator
from .exact import Abs, Max, Min, UndecidedError, cbrt, ceiling, floor, number, rint, sign, sp

# --- NumPy's functions in sympy's words ---


def claim(e: Any) -> Any:
    """An expression as a condition: a number is true if it is not 0."""
    return e if isinstance(e, sp.logic.boolalg.Boolean) and not e.is_Symbol else sp.Ne(e, 0)


def numeric(e: Any) -> Any:
    """A condition as a number, 1 or 0."""
    return where(e, 1, 0) if isinstance(e, sp.logic.boolalg.Boolean) and not e.is_Symbol else e


def where(c: Any, x: Any, y: Any) -> Any:
    return sp.Piecewise((x, claim(c)), (y, True))


ELEMENTWISE: dict[str, Any] = {
    **{name: getattr(sp, name) for name in "sqrt exp log sin cos tan sinh cosh tanh erf erfc erfinv gamma".split()},
    **{"arc" + name[1:]: getattr(sp, name) for name in "asin acos atan atan2 asinh acosh atanh".split()},
    **{"less": sp.Lt, "less_equal": sp.Le, "greater": sp.Gt, "greater_equal": sp.Ge, "maximum": Max, "minimum": Min},
    **{"equal": sp.Eq, "not_equal": sp.Ne, "sign": sign, "floor": floor, "ceil": ceiling, "rint": rint, "cbrt": cbrt},
    **{"absolute": Abs, "fabs": Abs, "gammaln": sp.loggamma},
    **dict.fromkeys(["positive", "conjugate", "real"], lambda x: x),
    "imag":         lambda x: 0 * x,
    **dict.fromkeys(["rad2deg", "degrees"], lambda x: 180 * x / sp.pi),
    **dict.fromkeys(["deg2rad", "radians"], lambda x: sp.pi * x / 180),
    **dict.fromkeys(["isnan", "isinf"], lambda x: sp.false),
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
    "float_power":  lambda x, y: x**y,
    "floor_divide": lambda x, y: floor(x / y),
    "remainder":    lambda x, y: x - y * floor(x / y),
    "divmod":       lambda x, y: (floor(x / y), x - y * floor(x / y)),
    "fmod":         lambda x, y: x - y * sign(x / y) * floor(Abs(x / y)),
    "trunc":        lambda x: sign(x) * floor(Abs(x)),
    "modf":         lambda x: (x - sign(x) * floor(Abs(x)), sign(x) * floor(Abs(x))),
    "copysign":     lambda x, y: Abs(x) * where(y >= 0, 1, -1),
    "heaviside":    lambda x, h: sp.Piecewise((0, x < 0), (h, sp.Eq(x, 0)), (1, True)),
    "relu":         lambda x: where(x > 0, x, 0),
    "where":        lambda c, x, y: where(c, numeric(x), numeric(y)),
    "clip":         lambda x, low, high: Min(Max(x, low), high),
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
    "sinc":         lambda x: sp.sin(sp.pi * x) / (sp.pi * x) if x != 0 else sp.Integer(1),
    "expit":        lambda x: 1 / (1 + sp.exp(-x)),
    "logit":        lambda x: sp.log(x / (1 - x)),
    "xlogy":        lambda x, y: x * sp.log(y),
    "entr":         lambda x: -x * sp.log(x),
    "ndtr":         lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2,
    "psi":          lambda x: sp.polygamma(0, x),
    "j0":           lambda x: sp.besselj(0, x),
    "i0":           lambda x: sp.besseli(0, x),
}  # fmt: skip
LOGICAL = {k + name: getattr(sp, name.capitalize()) for k in ("logical_", "bitwise_") for name in ("and", "or", "xor")}
LOGICAL |= {"logical_not": sp.Not, "invert": sp.Not}
REDUCED = {"maximum": Max, "minimum": Min, "logical_and": sp.And, "logical_or": sp.Or}


@functools.cache
def elementwise(name: str, nin: int, nout: int = 1) -> Any:
    """A rule as a ufunc over object arrays of sympy expressions."""
    if name not in ELEMENTWISE and name not in LOGICAL:
        raise NotDifferentiableError(UNSUPPORTED.format(name=name))
    rule, convert = (LOGICAL[name], claim) if name in LOGICAL else (ELEMENTWISE[name], numeric)
    return np.frompyfunc(lambda *x: rule(*map(convert, x)), nin, nout)


def reduce(name: str, a: Any, axis: Any = 0, keepdims: bool = False, initial: Any = None, **_: Any) -> Any:
    """Max(e, ...), Or(e, ...) of all elements along the axes at once, so that ties are shared equally."""
    a, start = exprs(a), [number(initial)] if isinstance(initial, (int, float, np.number)) else []
    axes = [k % a.ndim for k in (range(a.ndim) if axis is None else np.ravel(axis))]
    lines = np.moveaxis(a, axes, range(-len(axes), 0)).reshape(*(n for k, n in enumerate(a.shape) if k not in axes), -1)
    result = np.empty(lines.shape[:-1], object)
    for i in np.ndindex(result.shape):
        result[i] = REDUCED[name](*start, *(claim(e) if name.startswith("logical") else e for e in lines[i]))
    return symbols(np.expand_dims(result, tuple(axes)) if keepdims else result)


def apply(name: str, *args: Any) -> Any:
    return symbols(elementwise(name, len(args))(*map(exprs, args)))


def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if ord not in (np.inf, -np.inf) or (np.ndim(a) > 1 and not isinstance(axis, int)):
        return NotImplemented  # NumPy's own code will do
    return reduce("maximum" if ord > 0 else "minimum", abs(a), axis, keepdims)


def matrix(rule: Any) -> Any:
    return lambda a: symbols(np.array(rule(sp.Matrix(exprs(a))), object))


FUNCTIONS: dict[str, Any] = {
    **{name: functools.partial(apply, name) for name in ("sinc", "isclose")},
    **{"nan" + name: getattr(np, name) for name in "sum prod mean max min var std cumsum cumprod".split()},
    **{name: functools.partial(lambda name, *x, **options: getattr(np, name)(*x, **options).astype(object), name)
       for name in "zeros ones empty full arange eye identity array asarray".split()},
    **{f"{name}_like": lambda a, *_, v=v, shape=None, **__: np.full(np.shape(a) if shape is None else shape, v, object)
       for name, v in {"zeros": 0, "empty": 0, "ones": 1}.items()},
    "where":           lambda c, *x: apply("where", c, *x) if x else np.nonzero(c),
    "select":          lambda conditions, choices, default=0: functools.reduce(
        lambda rest, pair: np.where(pair[0], pair[1], rest), [*zip(conditions, choices)][::-1], default),
    "linalg.norm":     norm,
    "linalg.det":      matrix(lambda m: m.det(method="berkowitz")),
    "linalg.inv":      matrix(lambda m: m.adjugate() / m.det(method="berkowitz")),
    "linalg.cholesky": matrix(lambda m: sp.Matrix(*m.shape, lambda *ij: m[max(ij), min(ij)]).cholesky(hermitian=False)),
    "linalg.solve":    lambda a, b: (np.dot if np.ndim(b) == 1 else np.matmul)(np.linalg.inv(a), b),
    "linalg.slogdet":  lambda a: (np.sign(np.linalg.det(a)), np.log(abs(np.linalg.det(a)))),
}  # fmt: skip
UNSUPPORTED = "np.{name} has no symbolic form in the oracle: write f with the functions in check/oracle/symbols.py"
BUFFER = (
    "a plain number is needed here, and this is a symbol: write np.sin for math.sin, np.zeros_like(x) or "
    "np.zeros(n, like=x) for a buffer that it is stored in, np.trunc(x) for int(x)"
)
UNDECIDED = (
    "f branches on {claim} (if, while, max, min, sort, a mask), which symbols can't decide: write np.where, "
    "np.maximum, np.max, np.stack for np.array, or give assume= a point, or facts such as assume='x_0 > 0'"
)

# --- symbols that NumPy accepts ---


class Assumptions:
    """What decides a branch: a point, or facts; `region` collects what was decided."""

    def __init__(self, point: dict[Any, Any] | None = None, facts: tuple[Any, ...] = ()) -> None:
        self.point, self.facts, self.region = point, facts, dict[Any, None]()

    def decide(self, claim: Any) -> bool:
        if claim in (sp.true, sp.false):
            return bool(claim)
        if self.point is not None:
            with mpmath.workdps(65):
                verdict = bool(Evaluator(self.point)(claim))
        elif (verdict := self.implied(claim)) == self.implied(sp.Not(claim)):
            raise UndecidedError(UNDECIDED.format(claim=claim))
        self.region[claim if verdict else sp.Not(claim)] = None
        return verdict

    def implied(self, claim: Any) -> bool:
        """No point has the facts without the claim: sympy knows this of linear inequalities."""
        other = sp.Not(claim).replace(sp.Eq, lambda a, b: (a <= b) & (a >= b))
        other = other.replace(sp.Ne, lambda a, b: (a < b) | (a > b))
        try:
            return not sp.logic.inference.satisfiable(sp.And(*self.facts, other), use_lra_theory=True)
        except Exception:  # sympy's several errors for what is not linear
            return False


assumed: ContextVar[Assumptions] = ContextVar("assumed")


def lift(args: Any) -> Any:
    """Arguments of a NumPy function with symbol arrays for the symbols in them, however deep."""
    if isinstance(args, (list, tuple)):
        return type(args)([lift(a) for a in args])
    if isinstance(args, dict):
        return {k: lift(a) for k, a in args.items()}
    if isinstance(args, Sym):
        array = np.empty((), object)
        array[()] = args
        return array.view(SymArray)
    return args.view(SymArray) if isinstance(args, np.ndarray) and args.dtype == object else args


def lower(result: Any) -> Any:
    """The result of one: symbol arrays for object arrays, symbols for those without a dimension."""
    if type(result) in (tuple, list):
        return type(result)(map(lower, result))
    if not isinstance(result, np.ndarray) or result.dtype != object:
        return np.asarray(result) if isinstance(result, SymArray) else result  # indices
    return result.view(SymArray) if result.ndim else result.item()


def exprs(x: Any) -> Any:
    """Sympy expressions of symbols and numbers."""
    if isinstance(x, (np.ndarray, list, tuple)) and np.ndim(x):
        return np.frompyfunc(exprs, 1, 1)(np.asarray(x))
    x = x.item() if isinstance(x, np.ndarray) else x
    return x.expr if isinstance(x, Sym) else number(x)


def symbols(expressions: Any) -> Any:
    """Symbols of sympy expressions."""
    many = isinstance(expressions, tuple)
    return tuple(map(symbols, expressions)) if many else lower(np.frompyfunc(Sym, 1, 1)(expressions))


def call_ufunc(_: Any, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any) -> Any:
    name, arrays = ufunc.__name__, [np.asarray(lift(x)) for x in inputs]
    options = {k: options[k] for k in ("axis", "axes", "keepdims", "initial", "where") if k in options}
    masked = options.get("where", True) is not True
    loops = {"O" * ufunc.nin + "->" + "O" * ufunc.nout}
    native = all(x.dtype != object for x in arrays) or set(ufunc.types) == loops or ufunc.signature
    if native or (method in ("reduce", "at") and name not in REDUCED):
        start = {"initial": ufunc.identity} if masked and ufunc.identity is not None else {}
        result = lower(getattr(ufunc, method)(*arrays, **start | options))  # indices, np.vectorize, matmul, add.reduce
    elif masked:
        raise NotDifferentiableError(f"np.{name}(..., where=...) has no symbolic form in the oracle: use np.where")
    elif method == "reduce":
        result = reduce(name, arrays[0], **options)
    else:
        result = symbols(getattr(elementwise(name, ufunc.nin, ufunc.nout), method)(*map(exprs, inputs), **options))
    for target in out:
        if not isinstance(target, Sym):  # y += 1 of a number binds y anew
            if target.dtype != object:
                raise NotDifferentiableError(BUFFER)
            target[...] = result
            return target
    return result


def call_function(_: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    name, args, kwargs = f"{function.__module__}.{function.__name__}".removeprefix("numpy."), lift(args), lift(kwargs)
    try:
        result = FUNCTIONS[name](*args, **kwargs) if name in FUNCTIONS else NotImplemented
        if result is NotImplemented:  # NumPy's own code, on object arrays of symbols
            result = np.ndarray.__array_function__(lift(Sym(0)), function, (SymArray,), args, kwargs)
        return lower(result)
    except UndecidedError:
        raise
    except (TypeError, AttributeError, RecursionError) as error:
        raise NotDifferentiableError(UNSUPPORTED.format(name=name)) from error


class Sym(NDArrayOperatorsMixin):
    """A number made of symbols: operators and NumPy's functions build up its sympy expression `expr`."""

    __array_ufunc__, __array_function__ = call_ufunc, call_function
    real, imag = property(lambda self: self), property(lambda self: 0 * self)

    def __init__(self, expr: Any) -> None:
        self.expr = expr

    def __getattr__(self, name: str) -> Any:
        """NumPy calls x.sin() for an object array of symbols; the rest is what arrays have: x.ndim, x.sum()."""
        if name.startswith("_"):
            raise AttributeError(name)
        known = name in ELEMENTWISE and hasattr(np, name)
        return functools.partial(getattr(np, name), self) if known else getattr(lift(self), name)

    def __bool__(self) -> bool:
        return assumed.get(Assumptions()).decide(claim(self.expr))

    def __float__(self) -> float:
        raise NotDifferentiableError(BUFFER)

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]

    def __repr__(self, spec: str = "") -> str:
        return str(self.expr)

    __format__ = __repr__


for _name, _ufunc in (("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc), ("round", np.round)):
    setattr(Sym, f"__{_name}__", lambda self, *digits, ufunc=_ufunc: ufunc(self, *digits))


class SymArray(np.ndarray):  # type: ignore[type-arg]
    """An object array of symbols."""

    __array_ufunc__, __array_function__ = call_ufunc, call_function  # type: ignore[assignment]

    def relu(self) -> Any:
        return apply("relu", self)

    def astype(self, dtype: Any, *args: Any, **options: Any) -> Any:
        return self.copy()

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(concrete(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, SymArray) and key.shape == self.shape and np.ndim(value) == 0:  # x[x > 0] = 0
            key, value = ..., np.where(key, value, self)
        super().__setitem__(concrete(key), value)


def concrete(key: Any) -> Any:
    """An index with its symbolic comparisons, if any, decided."""
    if isinstance(key, tuple):
        return tuple(map(concrete, key))
    return np.asarray(key, bool) if isinstance(key, SymArray) and key.dtype == object else key
