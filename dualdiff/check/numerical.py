"""Derivatives by differences, and checks of derivatives derived by hand. For slopes of sampled data use `np.gradient`.

Every formula is a sum of values of f over a stencil of points x + o_i, o_i ~ h, with the weights of `stencil_weights`.
Its truncation error falls as h^p, its rounding error grows as eps |f| / h^k; the default steps balance the two.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..run.stencils import STENCILS, balanced_step, check_method, refuse_nonanalytic, steadiest, sweep_steps, weights

__all__ = ["CheckReport", "Convergence", "check_gradient", "check_jacobian", "convergence", "derivative", "gradient",
           "jacobian", "stencil_weights"]
Array = NDArray[Any]
Func = Callable[..., Any]
Argnums = int | tuple[int, ...]
_wide: Callable[[Array], Array] = lambda a: a.astype(np.result_type(a, np.float64))
_eps: Callable[..., float] = lambda *arrays: max(float(np.finfo(a.dtype).eps) for a in arrays)
# max(|x|, 1) rounded down to a power of two: adding a power of two to x seldom rounds.
_scale: Callable[[Array], Any] = lambda x: np.exp2(np.floor(np.log2(np.maximum(np.abs(_wide(x)), 1))))


def stencil_weights(offsets: ArrayLike, order: int = 1) -> Array:
    """Weights w with f^(order)(x) ~ sum_i w_i f(x + offsets_i), exact for polynomials of degree below `len(offsets)`.

    The offsets may be uneven and need not contain 0; points run along the first axis, further axes are other stencils.
    ValueError for fewer than `order + 1` points, repeated or non-finite ones. Fornberg, Math. Comp. 51 (1988), 699-706.

    >>> import dualdiff as dd
    >>> dd.numerical.stencil_weights([-1, 0, 1], order=2)
    array([ 1., -2.,  1.])
    """
    who = "numerical.stencil_weights"
    points = np.atleast_1d(_wide(_numbers(who, "offsets", offsets)))
    if len(points) <= _integer(who, "order", order, 0):
        raise ValueError(f"{who}: order {order} needs at least {order + 1} points, got {len(points)}")
    if not np.all(np.isfinite(points)) or np.any(np.diff(np.sort(points, axis=0), axis=0) == 0):
        raise ValueError(f"{who}: the points must be finite and no two the same, got {offsets!r}")
    return weights(points, order)


def _moves(who: str, method: str, order: int, step: Any, x: Array, eps: float) -> Array:
    """The displacements of the stencil, of shape (points, *x.shape); for a sweep those of the relative step 1."""
    offsets, _ = STENCILS[method](order)
    if step is None or (isinstance(step, str) and step == "sweep"):
        return np.asarray(np.multiply.outer(offsets, (1 if step else balanced_step(method, order, eps)) * _scale(x)))
    pair = method == "three_point" and isinstance(step, tuple) and len(step) == 2
    sizes = [_wide(_numbers(who, 'a step other than "sweep"', h, True)) for h in (step if pair else (step, step))]
    if any(h.shape not in ((), x.shape) or np.any(h <= 0) for h in sizes):
        raise ValueError(f"{who}: steps must be positive, one or as many as the argument's {x.shape}, got {step!r}")
    return np.array([o * sizes[int(o.real > 0)] + 0 * x for o in (np.sign(offsets) if pair else offsets)])


def _integer(who: str, what: str, number: Any, least: int) -> int:
    if not isinstance(number, (int, np.integer)) or number < least:
        raise ValueError(f"{who}: {what} must be an integer and at least {least}, got {number!r}")
    return int(number)


def _numbers(who: str, what: str, value: Any, checked: bool = False) -> Array:
    """A fresh array of floats (buffers that f uses again are not shared); `checked`: real and finite ones."""
    try:
        array = np.array(value)
    except ValueError:  # ragged lists
        array = np.array(None)
    if array.dtype.kind not in "biufc":
        hint = "; write f as a function of one flat array" if isinstance(value, dict | tuple) else ""
        raise TypeError(f"{who}: {what} must be a number or an array of numbers, got {type(value).__name__}{hint}")
    if checked and array.dtype.kind == "c":
        raise TypeError(f"{who}: {what} must be real; take real and imaginary parts as two real arrays")
    if checked and not np.all(np.isfinite(array)):
        raise ValueError(f"{who}: {what} must be finite, got {array[~np.isfinite(array)][0]}")
    return array if array.dtype.kind in "fc" else array.astype(np.float64)


def _function(who: str, f: Any, what: str = "the result of f") -> Callable[[Array], Array]:
    """f from fresh arrays to fresh arrays of numbers, all of the same shape."""
    if not callable(f):
        raise TypeError(f"{who}: a function is needed, got {type(f).__name__}; pass f itself, not f(x)")
    shapes: dict[str, tuple[int, ...]] = {}
    def call(point: Array) -> Array:
        result = _numbers(who, what, f(point.copy()[()]))
        if result.shape != shapes.setdefault("first", result.shape):
            raise ValueError(f"{who}: the shape of {what} changes from {shapes['first']} to {result.shape}")
        return result
    return call


def derivative(f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, order: int = 1,
               error: bool = False) -> Func:
    """The derivative of f by differences, as a function with f's own signature. (Of sampled data: `np.gradient`.)

    At a number it has f's output shape. At an array it is the derivative at each element, and refused unless f is
    elementwise (2 log2(n) calls find out). Integers become float64, float32 stays.
    `method`, with steps h, or l to the left and r to the right:
    - "forward": (f(x+h) - f(x)) / h, error O(h); "backward", its mirror; "central": (f(x+h) - f(x-h)) / 2h, O(h^2);
    - "three_point": [f(x+r) l^2 - f(x-l) r^2 - f(x)(l^2 - r^2)] / (r l^2 + l r^2), error O(lr); orders 1 and 2;
    - "complex_step": Im f(x+ih) / h, error O(h^2), no cancellation (Squire & Trapp, SIAM Rev. 40 (1998), 110-112), if f
      takes complex numbers and is analytic; abs, np.real and the like are found out (by 40 calls) and refused.
    `step`: None for max(|x|, 1) eps^(1/(order + p)), p the power of h above and eps that of the coarser of x's and f's
    float types (eps^2 for the complex step); a number; an array of the argument's shape; for "three_point" a tuple
    (l, r), one h meaning (h, 2h); or "sweep", the steadiest of many steps at each element, for x of unknown scale.
    `error=True` gives a pair, derivative and estimated error: Richardson's |D(2h) - D(h)| / (2^p - 1) for truncation
    (in a sweep the change to the neighbouring steps) plus eps sum |w_i f_i| for rounding.
    `argnums`: a position, or a tuple for a tuple of results. Other arguments pass through. f always gets a fresh array.
    TypeError or ValueError: arguments not real and finite, unknown methods, steps not positive or too small beside x.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.derivative(np.square, method="three_point", step=(0.5, 0.25))([1.0, 2.0])
    array([2., 4.])
    """
    return _transform("numerical.derivative", f, argnums, method, step, order, error)


def gradient(f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, error: bool = False) -> Func:
    """The gradient of a scalar f (else a ValueError), in the argument's shape; the rest as for `derivative`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.gradient(lambda x: x @ x, method="complex_step")(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    return _transform("numerical.gradient", f, argnums, method, step, 1, error)


def jacobian(f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, error: bool = False) -> Func:
    """The Jacobian of f, of shape `out.shape + in.shape`; the rest as for `derivative`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.jacobian(lambda x: [x[0] * x[1], x[1]], step=0.5)([2.0, 3.0])
    array([[3., 2.],
           [0., 1.]])
    """
    return _transform("numerical.jacobian", f, argnums, method, step, 1, error)


def _transform(who: str, f: Func, argnums: Argnums, method: str, step: Any, order: int, error: bool) -> Func:
    _function(who, f)
    check_method(who, method)
    if _integer(who, "order", order, 1) > {"complex_step": 1, "three_point": 2}.get(method, order):
        raise ValueError(f'{who}: method="{method}" does not reach order {order}; use method="central"')
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(k, (int, np.integer)) for k in wanted):
        raise TypeError(f"{who}: argnums must be an integer or a tuple of integers, got {argnums!r}")
    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        results = []
        for k in wanted:
            if not -len(args) <= k < len(args):
                raise ValueError(f"{who}: argnums={k}, but f was called with {len(args)} positional argument(s)")
            k %= len(args)
            at = lambda point, k=k: f(*args[:k], point, *args[k + 1 :], **kwargs)
            pair = _differentiate(who, at, args[k], method, step, order, error)
            results.append(pair if error else pair[0])
        return tuple(results) if isinstance(argnums, tuple) else results[0]
    return differentiated


def _differentiate(who: str, f: Func, at: Any, method: str, step: Any, order: int, error: bool) -> tuple[Any, Any]:
    x, call = _numbers(who, "the argument", at, checked=True), _function(who, f)
    y = call(x)
    eps, each = _eps(x, y), who == "numerical.derivative" and x.ndim > 0
    if who == "numerical.gradient" and y.ndim:
        raise ValueError(f"{who}: f must return a single number, got shape {y.shape}; use numerical.jacobian")
    if each:
        _refuse_coupled(who, call, x, y, eps)
    if method == "complex_step":
        v = np.random.RandomState(0).uniform(0.5, 1, x.shape) * np.where(x == 0, 1, x)
        kind = {float: x.dtype, complex: np.result_type(x, np.complex64)}
        refuse_nonanalytic(who, lambda t: call((x + t * v).astype(kind[type(t)])), x.dtype)
    moves = _moves(who, method, order, step, x, eps)
    quotient = functools.partial(_quotient, who, call, x, y, eps, order, each)
    if isinstance(step, str):
        table, unrest, best = steadiest(lambda t: quotient(t * moves), sweep_steps(eps))
        value, estimate = (np.take_along_axis(a, best, 0)[0] for a in (table[:, 0], unrest))
    else:
        value, estimate = quotient(moves)
        if error:
            estimate = estimate + np.abs(quotient(2 * moves)[0] - value) / (2 ** STENCILS[method](order)[1] - 1)
    return value.astype(y.dtype)[()], estimate.real[()]


def _quotient(who: str, call: Func, x: Array, y: Array, eps: float, order: int, each: bool, moves: Array) -> Array:
    """The weighted sum over the stencil, for all elements at once or one by one, stacked with its rounding bound."""
    turned = moves.dtype.kind == "c"
    points = (x + moves).astype(np.result_type(x, np.complex64) if turned else x.dtype)
    offsets = _wide(points) - x  # what was really moved: x + h may have been rounded
    if not np.all(np.isfinite(points)) or np.any((offsets == 0) != (moves == 0)):
        raise ValueError(f"{who}: x plus the step overflows, or is rounded to x again; take another step")
    weights = stencil_weights(offsets, order)
    if turned:  # f(x - ih) is the conjugate of f(x + ih): one imaginary part is enough
        points, weights = points[1:], (2j * weights[1:]).real
    parts: list[Any] = [...] if each else list(np.ndindex(x.shape))
    result = np.zeros((len(parts), 2, *y.shape), np.result_type(weights, y))
    for row, part in zip(result, parts):
        values = []
        for p in points:
            moved = x.astype(p.dtype)
            moved[part] = p[part]
            values.append(y if np.array_equal(moved, x) else call(moved))
        w = np.array([a[part] for a in weights]).reshape(len(points), *(y.shape if each else (1,) * y.ndim))
        v = np.imag(values) if turned else _wide(np.array(values))
        with np.errstate(over="ignore", invalid="ignore"):
            # The weights of a real stencil sum to 0, so a value may be subtracted first: exact between near values.
            row[0], row[1] = np.sum(w * (v if turned else v - v[0]), axis=0), eps * np.sum(np.abs(w * v), axis=0)
    return np.moveaxis(result, 0, -1).reshape((2, *y.shape) if each else (2, *y.shape, *x.shape))


def _refuse_coupled(who: str, call: Func, x: Array, y: Array, eps: float) -> None:
    """Raise unless each element of f(x) depends on the same element of x alone."""
    if x.shape != y.shape:
        raise ValueError(f"{who}: f, from shape {x.shape} to {y.shape}, is not elementwise; use numerical.jacobian")
    index = np.arange(x.size).reshape(x.shape)  # any two elements differ in some bit of theirs
    for still in (index >> bit & 1 == side for bit in range((x.size - 1).bit_length()) for side in (0, 1)):
        moved = call(np.where(still, x, x + eps ** (1 / 3) * _scale(x)).astype(x.dtype))
        if np.any(still & ~np.isclose(moved, y, rtol=4 * eps, atol=0, equal_nan=True)):
            raise ValueError(f"{who}: elements of f depend on other elements of x; use numerical.jacobian")


def _order(steps: Array, errors: Array, rounding: Array) -> float:
    """The median slope of log error against log step where truncation rules; NaN where rounding does everywhere."""
    rules = np.isfinite(errors) & (errors > 100 * rounding)
    slopes = np.diff(np.log(errors[rules])) / np.diff(np.log(steps[rules]))
    return float(np.median(slopes)) if len(slopes) > 1 else float("nan")


@dataclass(frozen=True)
class Convergence:
    """What `convergence` measured, for each method; `errors` and `rounding` run along `steps`."""
    steps: Array
    errors: dict[str, Array]
    rounding: dict[str, Array]
    orders: dict[str, float]
    best_steps: dict[str, float]

    def __repr__(self) -> str:
        rows = [f"{m:<13}{self.orders[m]:5.2f}{self.best_steps[m]:11.1e}{min(e):13.1e}" for m, e in self.errors.items()]
        return "\n".join(["method       order  best step  least error", *rows])


def convergence(f: Func, x: float, exact: float | Func, methods: Sequence[str] = ("forward", "central", "three_point"),
                steps: ArrayLike | None = None) -> Convergence:
    """How the error of each method falls with the step, and rises again: the data of the log-log plot.

    f takes a number to a number (else ValueError); `exact` is its derivative at x, or the function that computes it.
    Default steps: powers of two from max(|x|, 1)/2 down to eps. The result has the absolute `errors`, the rounding
    wall `rounding` = eps sum |w_i f_i| ~ 1/h, the `orders` (median slopes where truncation rules), the `best_steps`.

    >>> import numpy as np, dualdiff as dd
    >>> result = dd.numerical.convergence(np.sin, 1.0, np.cos)
    >>> {method: round(order, 1) for method, order in result.orders.items()}
    {'forward': 1.0, 'central': 2.0, 'three_point': 2.0}
    """
    who = "numerical.convergence"
    point, call = _numbers(who, "the argument", x, checked=True), _function(who, f)
    y = call(point)
    if point.ndim or y.ndim:
        raise ValueError(f"{who}: f must take a number to a number, got shapes {point.shape} and {y.shape}")
    due, eps = float(exact(point[()]) if callable(exact) else exact), _eps(point, y)
    sizes = np.asarray(_scale(point) * np.exp2(-np.arange(1, 1 - np.log2(eps))) if steps is None else steps)
    result = Convergence(sizes, {}, {}, {}, {})
    for m in methods:
        derivative(f, method=m)(x)  # raises what there is to raise
        moves = [_moves(who, m, 1, h, point, eps) for h in sizes]
        table = np.array([_quotient(who, call, point, y, eps, 1, False, move) for move in moves])
        result.errors[m], result.rounding[m] = np.abs(table[:, 0] - due), table[:, 1]
        result.orders[m] = _order(sizes, result.errors[m], table[:, 1])
        result.best_steps[m] = float(sizes[np.argmin(result.errors[m])])
    return result


@dataclass(frozen=True, repr=False)
class CheckReport:
    """What a check found: true if all is right; prints what is wrong; `assert_()` raises it."""
    ok: bool
    errors: Array  # relative, of each test
    orders: Array  # measured order of each test's steps: 2 if right, 0 if wrong, NaN if the differences are exact
    wrong: list[tuple[tuple[int, ...], float, float]]  # (index, given, due) of each wrong entry, the worst first
    text: str

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return self.text

    def assert_(self) -> None:
        """AssertionError with the text, unless all is right."""
        if not self.ok:
            raise AssertionError(self.text)


def check_gradient(f: Func, grad: Any, x: Any, *, directions: int = 5, seed: int = 0, rtol: float | None = None,
                   order: int = 1) -> CheckReport:
    """Check the gradient `grad`, a function or an array already evaluated, of a scalar f at x; find what is wrong.

    For random directions d, [f(x + t d) - f(x - t d)] / 2t must be d . grad f(x) + O(t^2). The d are unit vectors, the
    same for the same seed, scaled by turns with max(|x|, 1), |x|, and so that all arguments change f alike. t is swept,
    the steadiest step counts. The error, relative to the largest term of d . grad, may be `rtol` (1e-6, float32 1e-5)
    plus what rounding hides. If one fails, each coordinate is moved alone to find the wrong entries. `order=2` checks a
    function `grad` around x as well: the difference quotient of e . grad f along d must be f's mixed second difference.
    (A Hessian: `check_jacobian(grad, hessian, x)`.) TypeError or ValueError for what is not real, finite, of its shape.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.check_gradient(lambda x: np.sum(x**3), lambda x: 3 * x**2, [1.0, 2.0], order=2).assert_()
    """
    return _check("numerical.check_gradient", f, grad, x, directions, seed, rtol, order)


def check_jacobian(f: Func, jac: Any, x: Any, *, directions: int = 5, seed: int = 0, rtol: float | None = None,
                   order: int = 1) -> CheckReport:
    """Check the Jacobian `jac`, of shape `out.shape + in.shape`, of f at x; everything else as for `check_gradient`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.check_jacobian(np.sin, lambda x: np.diag(np.cos(x)), [1.0, 2.0]).assert_()
    """
    return _check("numerical.check_jacobian", f, jac, x, directions, seed, rtol, order)


def _check(who: str, f: Func, given: Any, at: Any, directions: int, seed: int, rtol: Any, order: int) -> CheckReport:
    x, call, what = _numbers(who, "the argument", at, True), _function(who, f), who.replace("_", ".").rpartition(".")[2]
    slope = _function(who, given if callable(given) else lambda _: given, f"the {what}")
    y, j0 = _numbers(who, "the result of f", call(x), True), _numbers(who, f"the {what}", slope(x), True)
    if what == "gradient" and y.ndim:
        raise ValueError(f"{who}: f must return a single number, got shape {y.shape}; use numerical.check_jacobian")
    if j0.shape != y.shape + x.shape:
        raise ValueError(f"{who}: the {what} must have shape {y.shape + x.shape}, got {j0.shape}")
    if _integer(who, "order", order, 1) > 2 or (order == 2 and not callable(given)):
        raise ValueError(f"{who}: order is 1, or 2 for a {what} that is a function, got {order}")
    draws = np.random.RandomState(seed).standard_normal((_integer(who, "directions", directions, 1), x.size))
    if x.size * y.size == 0:
        return CheckReport(True, np.zeros(0), np.zeros(0), [], f"{who}: nothing to check, the {what} is empty")
    eps = _eps(x, y, j0)
    rtol, steps = max(1e-6, 100 * eps) if rtol is None else max(rtol, eps), sweep_steps(eps)
    J: Callable[[Array], Array] = lambda p: _wide(slope(p.astype(x.dtype))).reshape(y.size, x.size)
    j0 = J(x)

    @np.errstate(all="ignore")
    def judge(vectors: Sequence[Array], steps: Array) -> tuple[Any, ...]:
        """For each element of f: relative error, derivative given and due; for the worst: best step, measured order."""
        signs = list(itertools.product((1, -1), repeat=len(vectors)))
        def defect(t: float) -> Array:
            """The mixed difference of f along the vectors less that given; rounding; largest term; that given."""
            points = [(x + sum(s * t * v for s, v in zip(row, vectors))).astype(x.dtype) for row in signs]
            values = np.array([np.prod(row) * _wide(call(p)).ravel() for row, p in zip(signs, points)])
            # How far the points really are apart: 2tv after rounding for one vector, nothing but rounding for two.
            terms = j0 * sum(np.prod(row) * (_wide(p) - x) for row, p in zip(signs, points)).ravel()
            told, noise = terms.sum(1), np.abs(values).sum(0) + np.abs(terms).sum(1)
            if len(vectors) == 2:
                high, low, e = J(x + t * vectors[0]), J(x - t * vectors[0]), 2 * t * vectors[1].ravel()
                terms = (high - low) * e
                told, noise = told + terms.sum(1), noise + (np.abs(high) + np.abs(low)) @ np.abs(e)
            result = np.array([values.sum(0) - told, eps * noise, np.max(np.abs(terms), axis=1), told])
            return result / (2 * t) ** len(vectors)
        table, unrest, best = steadiest(defect, steps)
        off, noise, scale, told = np.moveaxis(table, 1, 0)
        limit = scale + 4 * unrest / rtol  # what rounding hides is no error
        error = np.abs(off) / np.where(limit == 0, 1, np.where(np.isfinite(limit), limit, np.nan))
        # The steadiest step speaks, but every other that is steady enough may acquit.
        steady = unrest <= np.maximum(rtol * scale, np.take_along_axis(unrest, best, 0))
        error = np.min(np.where(steady, error, np.inf), axis=0)
        i = np.argmax(error)
        order = _order(steps[-2:0:-1], np.abs(off[:, i]), noise[:, i])
        off, told = (np.take_along_axis(a, best, 0)[0] for a in (off, told))
        return error, told, told + off, len(table) - best[0, i], order

    size = np.where(x == 0, 1, np.abs(x))
    share = np.max(np.abs(j0), axis=0).reshape(x.shape) * (size / np.max(size))  # of each argument in the change of f
    least = np.min(share[share > 0], initial=np.max(share) or 1)
    sizes = [np.maximum(size, 1), size, size * least / np.maximum(share, least)]
    ds = [(d / np.linalg.norm(d)).reshape(x.shape) * sizes[k % 3] for k, d in enumerate(draws)]
    tests = [[d] for d in ds] + [[d, e] for d, e in zip(ds[1:] + ds[:1], ds) if order == 2]
    results = [judge(vectors, steps) for vectors in tests]
    errors, orders = np.array([np.max(r[0]) for r in results]), np.array([r[-1] for r in results])
    if np.any(np.isnan(errors)):
        raise ValueError(f"{who}: f or its {what} is not finite on both sides of x")
    n = int(np.argmax(errors))
    best, ok, wrong = results[n][3], bool(errors[n] <= rtol), []
    for j in np.ndindex(0 if ok else x.shape):  # each coordinate in place of the last random direction
        unit = np.zeros(x.shape)
        unit[j] = sizes[n % directions % 3][j]
        error, told, due, *_ = judge([*tests[n][:-1], unit], steps[best - 1 : best + 2])
        for i in np.flatnonzero(error > rtol):
            index = tuple(map(int, (*np.unravel_index(i, y.shape), *j)))
            wrong.append((float(error[i]), index, float(told[i] / unit[j]), float(due[i] / unit[j])))
    wrong.sort(reverse=True)
    seen = f"measured order {orders[n]:.1f} (due 2)" if np.isfinite(orders[n]) else "differences exact to rounding"
    text = [f"{who}: {'right' if ok else f'WRONG in {len(wrong)} entries'}, relative error {errors[n]:.1e} (allowed "
            f"{rtol:.0e}) in the worst of {len(tests)} tests, {seen}"]
    entry = "  a derivative of entry" if n >= directions else "  entry"
    text += [f"{entry} {list(i)}: given {told:.8g}, due {due:.8g}" for _, i, told, due in wrong[:5]]
    return CheckReport(ok, errors, orders, [row[1:] for row in wrong], "\n".join(text))
