"""Derivatives by differences, and checks of derivatives derived by hand.

Every formula is a weighted sum over a small stencil, f^(k)(x) = sum_i w_i f(x + o_i) + O(h^p) with offsets o_i ~ h, whose
weights come out of `stencil_weights` for the offsets really taken after rounding. Two errors oppose each other: truncation,
of order h^p, and rounding, of order eps |f| / h^k, which grows as h shrinks. The default steps balance them.

For the slopes of sampled data, not of a function, use `np.gradient`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CheckReport", "Convergence", "check_gradient", "check_jacobian", "convergence",
    "derivative", "gradient", "jacobian", "stencil_weights",
]

Array = NDArray[Any]
Func = Callable[..., Any]
Argnums = int | tuple[int, ...]

# ---------------------------------------------------------------- stencils, weights, steps

# For the k-th derivative: the offsets in units of the step, and the power p of the step in the truncation error.
_STENCILS: dict[str, Callable[[int], tuple[Array, int]]] = {
    "forward": lambda k: (np.arange(k + 1.0), 1),
    "backward": lambda k: (-np.arange(k + 1.0), 1),
    "central": lambda k: (np.arange(-k, k + 1.0, 2) / (2 - k % 2), 2),
    "three_point": lambda k: (np.array([-1.0, 0.0, 2.0]), 3 - k),
    "complex_step": lambda k: (np.array([-1j, 1j]), 2),  # the central quotient along the imaginary axis
}


def stencil_weights(offsets: ArrayLike, order: int = 1) -> Array:
    """Weights w with f^(order)(x) ~ sum_i w_i f(x + offsets_i), exact for polynomials of degree below `len(offsets)`.

    The offsets may be uneven and in any order, and need not contain 0. Points run along the first axis, further axes hold
    independent stencils; the result has the shape of `offsets`. ValueError for fewer than `order + 1` points, for repeated or
    non-finite ones. The recursion is Fornberg's, Math. Comp. 51 (1988), 699-706.

    >>> import dualdiff as dd
    >>> dd.numerical.stencil_weights([-1, 0, 1], order=2)
    array([ 1., -2.,  1.])
    """
    who = "numerical.stencil_weights"
    points = np.atleast_1d(_wide(_numbers(who, "offsets", offsets, finite=True)))
    if len(points) <= _integer(who, "order", order, 0):
        raise ValueError(f"{who}: order {order} needs at least {order + 1} points, got {len(points)}")
    if np.any(np.diff(np.sort(points, axis=0), axis=0) == 0):
        raise ValueError(f"{who}: the points must differ from each other, got a repeated one")
    # Dividing by a power of two is exact, and products of tiny gaps no longer underflow.
    unit = np.ldexp(1.0, np.frexp(np.max(np.abs(points), axis=0))[1])
    points = points / unit
    w = np.zeros((order + 1, *points.shape), points.dtype)  # w[k, i]: derivative k, point i, on the first n points
    w[0, 0] = product = 1
    k = np.arange(1.0, order + 1).reshape(-1, *(1,) * points.ndim)
    for n in range(1, len(points)):
        gaps = points[n] - points[:n]
        product, before = np.prod(gaps, axis=0), product
        new, old = -points[n - 1] * w[:, n - 1], points[n] * w[:, :n]
        new[1:] += k[:, 0] * w[:-1, n - 1]
        old[1:] -= k * w[:-1, :n]
        w[:, :n], w[:, n] = old / gaps, new * (before / product)
    return np.asarray(w[order] / unit**order)


def _scale(x: Array) -> Array:
    """max(|x|, 1) rounded down to a power of two: adding a power of two to x seldom rounds."""
    return np.asarray(np.exp2(np.floor(np.log2(np.maximum(np.abs(_wide(x)), 1)))))


def _moves(who: str, method: str, order: int, step: Any, x: Array, eps: float) -> Array:
    """The displacements of the stencil, of shape (points, *x.shape); for a sweep those of the relative step 1."""
    offsets, accuracy = _STENCILS[method](order)
    if step is None or (isinstance(step, str) and step == "sweep"):
        # eps / h^order = h^accuracy balances rounding and truncation; the complex step has no rounding to fear.
        power = 0 if step else 2 if method == "complex_step" else 1 / (order + accuracy)
        return np.multiply.outer(offsets, np.exp2(np.rint(np.log2(eps) * power)) * _scale(x))
    pair = isinstance(step, tuple)
    if pair and (method != "three_point" or len(step) != 2):
        raise ValueError(f'{who}: a tuple of steps means (left, right), for method="three_point"; got {step!r}')
    h = [_wide(_numbers(who, 'a step other than "sweep"', size, True, True)) for size in (step if pair else (step,))]
    if any(size.shape not in ((), x.shape) or np.any(size <= 0) for size in h):
        raise ValueError(f"{who}: steps must be positive, one or an array of the argument's shape {x.shape}, got {step!r}")
    return np.stack([-h[0] + 0 * x, 0 * x, h[1] + 0 * x]) if pair else np.multiply.outer(offsets, h[0] + 0 * x)


# ---------------------------------------------------------------- arguments and results
def _wide(a: Array) -> Array:
    return a.astype(np.result_type(a, np.float64))


def _eps(*arrays: Array) -> float:
    """The unit of rounding of the least precise of the arrays."""
    return max(float(np.finfo(a.dtype).eps) for a in arrays if a.dtype.kind in "fc")


def _integer(who: str, what: str, number: Any, least: int) -> int:
    if not isinstance(number, (int, np.integer)) or number < least:
        raise ValueError(f"{who}: {what} must be an integer and at least {least}, got {number!r}")
    return int(number)


def _numbers(who: str, what: str, value: Any, real: bool = False, finite: bool = False) -> Array:
    """A fresh array: the caller's is never changed, and a buffer that f returns again and again is not shared."""
    try:
        array = np.array(value)
    except ValueError:  # ragged lists
        array = np.array(None)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"{who}: {what} must be a number or an array of numbers, got {type(value).__name__}")
    if real and array.dtype.kind == "c":
        raise TypeError(f"{who}: {what} must be real; take real and imaginary parts as two real arrays")
    if finite and not np.all(np.isfinite(array)):
        at = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        raise ValueError(f"{who}: {what} must be finite, got {array[at]}" + (f" at index {at}" if at else ""))
    return array


def _argument(who: str, value: Any) -> Array:
    x = _numbers(who, "the argument", value, real=True, finite=True)
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _function(who: str, f: Any, what: str = "the result of f", checked: bool = False) -> Callable[[Array], Array]:
    """f from fresh arrays to fresh arrays of numbers, of the same shape every time; `checked`: real and finite ones."""
    if not callable(f):
        raise TypeError(f"{who}: a function is needed, got {type(f).__name__}; pass f itself, not f(x)")
    shapes: set[tuple[int, ...]] = set()

    def call(point: Array) -> Array:
        result = _numbers(who, what, f(point.copy()[()]), real=checked, finite=checked)
        shapes.add(result.shape)
        if len(shapes) > 1:
            raise ValueError(f"{who}: the shape of {what} changes from point to point: {sorted(shapes)}")
        return result

    return call


# ---------------------------------------------------------------- derivative, gradient, jacobian
def derivative(
    f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, order: int = 1, error: bool = False
) -> Func:
    """The derivative of f by differences, as a function with f's own signature.

    At a number it has f's output shape. At an array it is the derivative at each element, for f elementwise; any other f is a
    ValueError (finding out takes up to 2 log2(n) calls more). `order` is the order of the derivative.

    `method`, with steps h, or l to the left and r to the right:
    - "forward", "backward": (f(x+h) - f(x)) / h, or with -h for h; error O(h);
    - "central": (f(x+h) - f(x-h)) / 2h, error O(h^2);
    - "three_point": [f(x+r) l^2 - f(x-l) r^2 - f(x)(l^2 - r^2)] / (r l^2 + l r^2), error O(lr); orders 1 and 2;
    - "complex_step": Im f(x+ih) / h, error O(h^2), no cancellation (Squire & Trapp, SIAM Rev. 40 (1998), 110-112). f must
      take complex numbers and be analytic: abs, np.real and the like are found out by comparison and refused. Order 1.

    `step`: None for eps^(1/(order + p)) max(|x|, 1), p being the power of h above and eps that of the coarser of x's and f's
    float types (eps^2 for the complex step); a number or an array of the argument's shape; for "three_point" a tuple (l, r),
    a single h meaning (h, 2h); "sweep" for the steadiest of many steps at each element: dearer, but right where the scale of
    x is unknown. `error=True` gives a pair, derivative and estimated error: Richardson's |D(2h) - D(h)| / (2^p - 1) for
    truncation (in a sweep the change to the neighbouring steps) plus eps sum |w_i f_i| for rounding.

    `argnums` are positions; a tuple gives a tuple of results. Other arguments pass through; f gets a fresh array each time.
    Integers become float64, float32 stays. TypeError or ValueError for arguments that are not real and finite, unknown
    methods, and steps that are not positive or vanish beside x. For sampled data use `np.gradient`.

    >>> import numpy as np, dualdiff as dd
    >>> round(float(dd.numerical.derivative(np.sin)(0.0)), 9)
    1.0
    >>> dd.numerical.derivative(np.square, method="three_point", step=(0.5, 0.25))([1.0, 2.0])
    array([2., 4.])
    """
    return _transform("derivative", f, argnums, method, step, order, error)


def gradient(f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, error: bool = False) -> Func:
    """The gradient of a scalar f, in the argument's shape; parameters and errors as for `derivative`.

    A result that is no single number is a ValueError. n elements take n (one-sided, complex) or 2n calls and a few more.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.gradient(lambda x: x @ x, method="complex_step")(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    return _transform("gradient", f, argnums, method, step, 1, error)


def jacobian(f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, error: bool = False) -> Func:
    """The Jacobian of f, of shape `out.shape + in.shape`; parameters, errors and cost as for `gradient`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.jacobian(lambda x: [x[0] * x[1], x[1]], step=0.5)([2.0, 3.0])
    array([[3., 2.],
           [0., 1.]])
    """
    return _transform("jacobian", f, argnums, method, step, 1, error)


def _transform(verb: str, f: Func, argnums: Argnums, method: str, step: Any, order: int, error: bool) -> Func:
    who = f"numerical.{verb}"
    _function(who, f)
    if method not in _STENCILS:
        raise ValueError(f"{who}: unknown method {method!r}, choose one of {', '.join(_STENCILS)}")
    if _integer(who, "order", order, 1) > {"complex_step": 1, "three_point": 2}.get(method, order):
        raise ValueError(f'{who}: method="{method}" does not reach order {order}; use method="central"')
    wanted = [_integer(who, "argnums", k, 0) for k in (argnums if isinstance(argnums, tuple) else (argnums,))]

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        def one(k: int) -> Any:
            if k >= len(args):
                raise ValueError(f"{who}: argnums={k}, but f was called with {len(args)} positional argument(s)")
            at = lambda point: f(*args[:k], point, *args[k + 1 :], **kwargs)
            value, estimate = _differentiate(verb, at, args[k], method, step, order, error)
            return (value, estimate) if error else value

        return tuple(map(one, wanted)) if isinstance(argnums, tuple) else one(wanted[0])

    return differentiated


def _differentiate(verb: str, f: Func, at: Any, method: str, step: Any, order: int, error: bool) -> tuple[Any, Any]:
    """The derivative and its estimated error."""
    who = f"numerical.{verb}"
    x, call = _argument(who, at), _function(who, f)
    y = call(x)
    eps, elementwise = _eps(x, y), verb == "derivative" and x.ndim > 0
    if verb == "gradient" and y.ndim:
        raise ValueError(f"{who}: f must return a single number, got shape {y.shape}; use numerical.jacobian")
    if elementwise:
        _refuse_coupled(who, call, x, y, eps)
    if method == "complex_step":
        _refuse_nonanalytic(who, call, x, y, eps)
    moves = _moves(who, method, order, step, x, eps)
    quotient = functools.partial(_quotient, who, call, x, y, order, elementwise, eps)
    if isinstance(step, str):
        best, estimate, table = _sweep(lambda t: quotient(t * moves), _sweep_steps(eps))
        value = np.take_along_axis(table[:, 0], best[None], 0)[0]
    else:
        value, rounding = quotient(moves)
        estimate = rounding.real
        if error:
            estimate = estimate + np.abs(quotient(2 * moves)[0] - value) / (2 ** _STENCILS[method](order)[1] - 1)
    return value.astype(y.dtype if y.dtype.kind in "fc" else x.dtype)[()], estimate[()]


def _quotient(
    who: str, call: Func, x: Array, y: Array, order: int, elementwise: bool, eps: float, moves: Array
) -> Array:
    """Stacked: the weighted sum over the stencil, all elements at once or one after the other, and its rounding bound."""
    points = (x + moves).astype(np.result_type(x, np.complex64) if moves.dtype.kind == "c" else x.dtype)
    offsets = _wide(points) - x  # what was really moved: x + h may have been rounded
    if not np.all(np.isfinite(points)) or np.any((offsets == 0) != (moves == 0)):
        raise ValueError(f"{who}: x plus the step overflows, or is rounded to x again; take another step")
    weights = stencil_weights(offsets, order)
    if weights.dtype.kind == "c":  # f(x - ih) is the conjugate of f(x + ih): one of the two is enough
        points, weights = points[1:], 2 * weights[1:]
    parts = [(...,)] if elementwise else list(np.ndindex(x.shape))
    result = np.zeros((len(parts), 2, *y.shape), np.result_type(weights.real, y))
    for row, part in zip(result, parts):
        w, values = weights[(slice(None), *part)], []
        for p in points:
            moved = x.astype(p.dtype)
            moved[part] = p[part]
            values.append(y if np.array_equal(moved, x) else call(moved))
        with np.errstate(over="ignore", invalid="ignore"):
            if w.dtype.kind == "c":
                row[0] = (w[0] * values[0]).real
                row[1] = eps * np.abs(row[0])
            else:  # the weights sum to 0, so that a value may be subtracted first: exact between near values
                row[0] = sum(w_i * (_wide(v) - values[0]) for w_i, v in zip(w, values))
                row[1] = eps * sum(np.abs(w_i * v) for w_i, v in zip(w, values))
    return np.moveaxis(result, 0, -1).reshape(2, *y.shape, *(() if elementwise else x.shape))


def _refuse_coupled(who: str, call: Func, x: Array, y: Array, eps: float) -> None:
    """Raise unless each element of f(x) depends on the same element of x alone."""
    if x.shape != y.shape:
        raise ValueError(f"{who}: f takes shape {x.shape} to {y.shape}, so is not elementwise; use numerical."
                         + ("jacobian" if y.ndim else "gradient"))
    index = np.arange(x.size).reshape(x.shape)
    for bit in range((x.size - 1).bit_length()):  # any two elements differ in some bit of their indices
        for still in (index >> bit & 1 == 0, index >> bit & 1 == 1):
            moved = call(np.where(still, x, x + eps ** (1 / 3) * _scale(x)).astype(x.dtype))
            if np.any(still & (np.abs(_wide(moved) - y) > 4 * eps * np.abs(y))):
                raise ValueError(f"{who}: elements of f depend on other elements of its argument; use numerical.jacobian")


def _refuse_nonanalytic(who: str, call: Func, x: Array, y: Array, eps: float) -> None:
    """Raise where the complex step along one direction contradicts the real differences of every step."""
    if y.dtype.kind == "c":
        raise TypeError(f'{who}: the complex step needs a real result at a real point; use method="central"')
    v = np.random.RandomState(0).uniform(0.5, 1, x.shape) * _scale(x)
    try:
        turned = call((x + 1j * eps**2 * v).astype(np.result_type(x, np.complex64))).imag / eps**2
    except TypeError as err:
        raise TypeError(f'{who}: the complex step needs an f that takes complex numbers; use method="central"') from err
    for t in sorted(_sweep_steps(eps), key=lambda t: abs(np.log2(t**3 / eps))):  # the likeliest first
        high, low = (_wide(call((x + s * v).astype(x.dtype))) / (2 * t) for s in (t, -t))
        close = 0.01 * np.maximum(np.abs(high - low), np.abs(turned)) + 4 * eps * (np.abs(high) + np.abs(low))
        if not np.any(np.abs(high - low - turned) > close):
            return
    raise ValueError(f"{who}: f drops imaginary parts or is not analytic here (abs, np.real, a kink?), which makes the "
                     f'complex step wrong; use method="central"')


# ---------------------------------------------------------------- sweeps over steps
def _sweep_steps(eps: float) -> Array:
    """Relative steps 1/4, 1/16, ... down to where the precision leaves too few digits for a difference."""
    return np.exp2(-np.arange(2.0, 1 - 0.7 * np.log2(eps), 2))


def _sweep(measure: Callable[[float], Array], steps: Array) -> tuple[Array, Array, Array]:
    """For each element the steadiest step and its unrest (change to both neighbours plus rounding), and all that was measured.

    `measure` gives values, rounding and whatever else, stacked; a step that leaves the domain of f counts as NaN.
    """
    rows, failures = [], []
    with np.errstate(all="ignore"):
        for t in steps:
            try:
                rows.append(measure(float(t)))
            except (ArithmeticError, ValueError) as err:  # math domain errors, singular matrices
                rows.append(np.array(np.nan))
                failures.append(err)
        if len(failures) == len(rows):
            raise failures[-1]
        table = np.stack(np.broadcast_arrays(*rows))
        jumps = np.abs(np.diff(table[:, 0], axis=0))
        unrest = np.maximum(jumps[:-1], jumps[1:]) + table[1:-1, 1].real
    unrest = np.where(np.isnan(unrest), np.inf, unrest)
    return np.argmin(unrest, axis=0) + 1, np.min(unrest, axis=0), table


def _measured_order(steps: Array, errors: Array, rounding: Array) -> float:
    """The median slope of log error against log step where truncation rules; NaN where rounding does everywhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes, rules = np.diff(np.log(errors)) / np.diff(np.log(steps)), errors > 100 * rounding
    slopes = slopes[rules[1:] & rules[:-1]]
    return float(np.median(slopes)) if len(slopes) > 1 else float("nan")


@dataclass(frozen=True)
class Convergence:
    """What `convergence` measured: for each method its errors, along `steps`, and what they show."""

    steps: Array
    errors: dict[str, Array]
    rounding: dict[str, Array]
    orders: dict[str, float]
    best_steps: dict[str, float]

    def __repr__(self) -> str:
        rows = [f"{m:<13}{self.orders[m]:5.2f}{self.best_steps[m]:11.1e}{min(e):13.1e}" for m, e in self.errors.items()]
        return "\n".join(["method       order  best step  least error", *rows])


def convergence(
    f: Func, x: float, exact: float | Func, methods: Sequence[str] = ("forward", "central", "three_point"),
    steps: ArrayLike | None = None,
) -> Convergence:
    """How the error of each method falls with the step, and rises again: the data of the log-log plot.

    f takes a number to a number; `exact` is its derivative at x, or the function that computes it. The default steps are
    powers of two from max(|x|, 1)/2 down to eps; "three_point" takes h to the left and 2h to the right. The result has the
    absolute `errors`, the rounding wall `rounding` = eps sum |w_i f_i| ~ 1/h, the measured `orders` (median slopes where
    truncation rules) and the `best_steps`. ValueError for an f that is not scalar, otherwise as for `derivative`.

    >>> import numpy as np, dualdiff as dd
    >>> result = dd.numerical.convergence(np.sin, 1.0, np.cos)
    >>> {method: round(order, 1) for method, order in result.orders.items()}
    {'forward': 1.0, 'central': 2.0, 'three_point': 2.0}
    """
    who = "numerical.convergence"
    point, call = _argument(who, x), _function(who, f)
    y, eps = call(point), _eps(point, call(point))
    if point.ndim or y.ndim:
        raise ValueError(f"{who}: f must take a number to a number, got shapes {point.shape} and {y.shape}")
    due = float(exact(point[()]) if callable(exact) else exact)
    sizes = _scale(point) * np.exp2(-np.arange(1, 1 - np.log2(eps))) if steps is None else np.array(steps, np.float64)
    result = Convergence(sizes, {}, {}, {}, {})
    for m in methods:
        table = np.array([_quotient(who, call, point, y, 1, False, eps, _moves(who, m, 1, h, point, eps)) for h in sizes])
        errors = np.abs(table[:, 0] - due)
        result.errors[m], result.rounding[m] = errors, table[:, 1]
        result.orders[m] = _measured_order(sizes, errors, table[:, 1])
        result.best_steps[m] = float(sizes[np.argmin(errors)])
    return result


# ---------------------------------------------------------------- checks
@dataclass(frozen=True)
class CheckReport:
    """What a check found: true if nothing is wrong; `print` says what is, `assert_()` raises it.

    `errors`: the relative error of each test. `orders`: the measured order of its steps, 2 if right, 0 if wrong, NaN where
    the differences are exact to rounding. `wrong`: (index, given, due) of the wrong entries, the worst first.
    """

    ok: bool
    errors: Array
    orders: Array
    wrong: list[tuple[tuple[int, ...], float, float]]
    text: str = field(repr=False)

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return self.text

    def assert_(self) -> None:
        """Raise an AssertionError with the report's text unless all is right."""
        if not self.ok:
            raise AssertionError(self.text)


def check_gradient(
    f: Func, grad: Any, x: Any, *, directions: int = 5, seed: int = 0, rtol: float | None = None, order: int = 1
) -> CheckReport:
    """Check the gradient `grad`, a function or an array already evaluated, of a scalar f at x: is it right, if not, where?

    For random directions d the two-sided quotient [f(x + t d) - f(x - t d)] / 2t must be d . grad f(x) + O(t^2). The d are
    unit vectors, the same for the same seed, times |x| or max(|x|, 1) by turns, so that badly scaled arguments are all heard.
    t is swept; its steadiest value counts. The relative error (to the norm of the terms of d . grad) may be `rtol`, 1e-6 by
    default (100 eps in float32), plus what rounding hides. A failure is then sought coordinate by coordinate.

    `order=2` is for a function `grad` that may be right at x and wrong around it (say, its second derivatives are to be used):
    for pairs d, e the difference quotient of e . grad f along d must agree with the mixed second difference of f.
    To check a Hessian use `check_jacobian(grad, hessian, x)`.

    TypeError for complex or non-numbers, ValueError for a point, values or derivatives that are not finite or of wrong shape.

    >>> import numpy as np, dualdiff as dd
    >>> bool(dd.numerical.check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, [1.0, 2.0], order=2))
    True
    >>> dd.numerical.check_gradient(lambda x: np.sum(x**3), [3.0, 12.5], [1.0, 2.0]).wrong[0][0]
    (1,)
    """
    return _check("gradient", f, grad, x, directions, seed, rtol, order)


def check_jacobian(
    f: Func, jac: Any, x: Any, *, directions: int = 5, seed: int = 0, rtol: float | None = None, order: int = 1
) -> CheckReport:
    """Check the Jacobian `jac`, of shape `out.shape + in.shape`, of f at x; everything else as for `check_gradient`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.check_jacobian(np.sin, lambda x: np.diag(np.cos(x)), [1.0, 2.0]).assert_()
    """
    return _check("jacobian", f, jac, x, directions, seed, rtol, order)


def _check(
    what: str, f: Func, given: Any, x: Any, directions: int, seed: int, rtol: float | None, order: int
) -> CheckReport:
    who = f"numerical.check_{what}"
    x, call = _argument(who, x), _function(who, f, checked=True)
    slope = _function(who, given if callable(given) else lambda point: given, f"the {what}", checked=True)
    y, j0 = call(x), slope(x)
    if what == "gradient" and y.ndim:
        raise ValueError(f"{who}: f must return a single number, got shape {y.shape}; use numerical.check_jacobian")
    if j0.shape != y.shape + x.shape:
        raise ValueError(f"{who}: the {what} must have shape {y.shape + x.shape}, got {j0.shape}")
    if _integer(who, "order", order, 1) > 2 or (order == 2 and not callable(given)):
        raise ValueError(f"{who}: order is 1, or 2 for a {what} that is a function, got {order}")
    eps = _eps(x, y, j0)
    rtol, steps = max(1e-6, 100 * eps) if rtol is None else rtol, _sweep_steps(eps)
    F = lambda p: _wide(call(p.astype(x.dtype))).ravel()
    J = lambda p: _wide(slope(p.astype(x.dtype))).reshape(y.size, x.size)
    j0 = J(x)

    def judge(vectors: Sequence[Array], steps: Array) -> tuple[Array, ...]:
        """For each element of f the relative error, the derivative as given and as due, the steadiest step; all defects."""
        signs = list(itertools.product((1, -1), repeat=len(vectors)))

        def defect(t: float) -> Array:
            """The mixed difference of f along the vectors, less that of the derivative; rounding; norm of terms; given."""
            points = [(x + sum(s * t * v for s, v in zip(row, vectors))).astype(x.dtype) for row in signs]
            values = [np.prod(row) * F(p) for row, p in zip(signs, points)]
            # How far the points really are apart: rounded 2tv for one vector, nothing but rounding for two.
            terms = j0 * sum(np.prod(row) * (_wide(p) - x) for row, p in zip(signs, points)).ravel()
            noise = sum(np.abs(v) for v in values) + np.abs(terms).sum(1)
            if len(vectors) == 2:
                high, low, e = J(x + t * vectors[0]), J(x - t * vectors[0]), 2 * t * vectors[1].ravel()
                terms, noise = terms + (high - low) * e, noise + (np.abs(high) + np.abs(low)) @ np.abs(e)
            told = terms.sum(1)
            return np.stack([sum(values) - told, eps * noise, np.linalg.norm(terms, axis=1), told]) / (2 * t) ** len(vectors)

        best, noise, table = _sweep(defect, steps)
        if not np.all(np.isfinite(noise)):
            raise ValueError(f"{who}: f or its {what} is not finite on both sides of x")
        off, _, scale, told = np.take_along_axis(table, best[None, None], 0)[0]
        limit = scale + 4 * noise / rtol  # what rounding hides is no error
        return np.abs(off) / np.where(limit == 0, 1, limit), told, told + off, best, table

    if x.size * y.size == 0:
        return CheckReport(True, np.zeros(0), np.zeros(0), [], f"{who}: nothing to check, the {what} is empty")
    d = np.random.RandomState(seed).standard_normal((_integer(who, "directions", directions, 1), x.size))
    sizes = [np.maximum(np.abs(x), 1.0), np.where(x == 0, 1.0, np.abs(x))]
    ds = [(row / np.linalg.norm(row)).reshape(x.shape) * sizes[k % 2] for k, row in enumerate(d)]
    tests: list[list[Array]] = [[v] for v in ds] + [[v, w] for v, w in zip(ds, ds[1:] + ds[:1]) if order == 2]
    errors, orders, bests = np.zeros(len(tests)), np.zeros(len(tests)), []
    for n, vectors in enumerate(tests):
        error, _, _, best, table = judge(vectors, steps)
        i = np.argmax(error)
        errors[n], orders[n] = error[i], _measured_order(steps, np.abs(table[:, 0, i]), table[:, 1, i])
        bests.append(best[i])
    n = int(np.argmax(errors))
    ...
 ...
