"""Derivatives by differences, how they converge, and checks by them of derivatives derived by hand."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..run import stencils
from ..show.text import Table
from .verdict import Verdict

__all__ = ["CheckReport", "Convergence", "check_gradient", "check_jacobian", "convergence", "derivative", "gradient",
           "jacobian", "stencil_weights"]  # fmt: skip
Array = NDArray[Any]
Func = Callable[..., Any]
Argnums = int | tuple[int, ...]


def _wide(a: Array) -> Array:
    """In double precision at least."""
    return a.astype(np.result_type(a, np.float64))


def _scale(x: Array) -> Any:
    """max(|x|, 1) rounded down to a power of two: adding a power of two to x seldom rounds."""
    return np.exp2(np.floor(np.log2(np.maximum(np.abs(_wide(x)), 1))))


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
    return stencils.weights(points, order)


def _displacements(who: str, method: str, order: int, step: Any, x: Array, eps: float) -> Array:
    """The displacements of the stencil, of shape (points, *x.shape); for a sweep those of the relative step 1."""
    offsets, _ = stencils.STENCILS[method](order)
    if step is None or (isinstance(step, str) and step == "sweep"):
        relative = 1 if step else stencils.balanced_step(method, order, eps)
        return np.asarray(np.multiply.outer(offsets, relative * _scale(x)))
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


def derivative(
    f: Func, argnums: Argnums = 0, method: str = "central", step: Any = None, order: int = 1, error: bool = False
) -> Func:
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
    stencils.check_method(who, method)
    if _integer(who, "order", order, 1) > {"complex_step": 1, "three_point": 2}.get(method, order):
        raise ValueError(f'{who}: method="{method}" does not reach order {order}; use method="central"')
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(k, (int, np.integer)) for k in wanted):
        raise TypeError(f"{who}: argnums must be an integer or a tuple of integers, got {argnums!r}")

    def by(k: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not -len(args) <= k < len(args):
            raise ValueError(f"{who}: argnums={k}, but f was called with {len(args)} positional argument(s)")
        k %= len(args)
        of_one = lambda point: f(*args[:k], point, *args[k + 1 :], **kwargs)
        pair = _differentiate(who, of_one, args[k], method, step, order, error)
        return pair if error else pair[0]

    @functools.wraps(f)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        results = tuple([by(k, args, kwargs) for k in wanted])
        return results if isinstance(argnums, tuple) else results[0]

    return differentiated


def _differentiate(who: str, f: Func, at: Any, method: str, step: Any, order: int, error: bool) -> tuple[Any, Any]:
    x, call = _numbers(who, "the argument", at, checked=True), _function(who, f)
    y = call(x)
    eps, each = stencils.precision(x, y), who == "numerical.derivative" and x.ndim > 0
    if who == "numerical.gradient" and y.ndim:
        raise ValueError(f"{who}: f must return a single number, got shape {y.shape}; use numerical.jacobian")
    if each:
        _refuse_coupled(who, call, x, y, eps)
    if method == "complex_step":
        v = np.random.RandomState(0).uniform(0.5, 1, x.shape) * np.where(x == 0, 1, x)
        kind = {float: x.dtype, complex: np.result_type(x, np.complex64)}
        stencils.refuse_nonanalytic(who, lambda t: call((x + t * v).astype(kind[type(t)])), x.dtype)
    moves = _displacements(who, method, order, step, x, eps)
    quotient = functools.partial(_quotients, who, call, x, y, eps, order, each)
    if isinstance(step, str):
        found = stencils.sweep(lambda t: quotient(t * moves), stencils.sweep_steps(eps))
        value, estimate = found.chosen(found.values[:, 0]), found.chosen(found.unsteadiness)
    else:
        value, estimate = quotient(moves)
        if error:
            _, power = stencils.STENCILS[method](order)
            estimate = estimate + np.abs(quotient(2 * moves)[0] - value) / (2**power - 1)
    return value.astype(y.dtype)[()], estimate.real[()]


def _quotients(who: str, call: Func, x: Array, y: Array, eps: float, order: int, each: bool, moves: Array) -> Array:
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


# ---------------------------------------------------------------- convergence


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
        rows = [
            [method, f"{self.orders[method]:.2f}", f"{self.best_steps[method]:.1e}", f"{min(errors):.1e}"]
            for method, errors in self.errors.items()
        ]
        return str(Table(["method", "order", "best step", "least error"], rows))


def convergence(
    f: Func,
    x: float,
    exact: float | Func,
    methods: Sequence[str] = ("forward", "central", "three_point"),
    steps: ArrayLike | None = None,
) -> Convergence:
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
    due, eps = float(exact(point[()]) if callable(exact) else exact), stencils.precision(point, y)
    sizes = np.asarray(_scale(point) * np.exp2(-np.arange(1, 1 - np.log2(eps))) if steps is None else steps)
    result = Convergence(sizes, {}, {}, {}, {})
    for m in methods:
        derivative(f, method=m)(x)  # raises what there is to raise
        moves = [_displacements(who, m, 1, h, point, eps) for h in sizes]
        table = np.array([_quotients(who, call, point, y, eps, 1, False, move) for move in moves])
        result.errors[m], result.rounding[m] = np.abs(table[:, 0] - due), table[:, 1]
        result.orders[m] = _order(sizes, result.errors[m], table[:, 1])
        result.best_steps[m] = float(sizes[np.argmin(result.errors[m])])
    return result


# ---------------------------------------------------------------- a given derivative beside differences


class _Judgement(NamedTuple):
    """A derivative along directions, for each element of f; order and steps are those of the largest error."""

    error: Array  # relative
    given: Array
    expected: Array
    order: float  # how the difference falls with the step: 2 if it is truncation, 0 if the given derivative is wrong
    steps: Array  # the steadiest step and its neighbours, the largest first


class _Comparison:
    """f at x and a Jacobian that the caller gives, compared along one direction, or mixed along two."""

    def __init__(self, f: Func, jac: Func, x: Array, eps: float, rtol: float | None = None) -> None:
        self.f, self.jac, self.x, self.eps = f, jac, x, eps
        self.rtol = stencils.tolerance(eps) if rtol is None else max(rtol, eps)
        self.jacobian = self.jacobian_at(x)

    def jacobian_at(self, point: Array) -> Array:
        """As a matrix."""
        return _wide(self.jac(point.astype(self.x.dtype))).reshape(-1, self.x.size)

    def mismatch(self, directions: Sequence[Array], t: float) -> Array:
        """Over (2t)^k, for each element of f: expected less given, rounding, the largest term of given, and given.

        Expected is the k-th difference of f over the corners x ± t d (± t e); given is J times their distance, and for
        two directions J's difference along d, times 2 t e.
        """
        signs = list(itertools.product((1, -1), repeat=len(directions)))
        corners = [(self.x + sum(s * t * d for s, d in zip(row, directions))).astype(self.x.dtype) for row in signs]
        weights = [np.prod(row) for row in signs]
        values = np.array([w * _wide(self.f(p)).ravel() for w, p in zip(weights, corners)])
        # After rounding: 2td for one direction, and for two nothing but what was rounded.
        distance = sum(w * (_wide(p) - self.x) for w, p in zip(weights, corners))
        terms = self.jacobian * np.ravel(distance)
        given, size = terms.sum(1), np.abs(values).sum(0) + np.abs(terms).sum(1)
        if len(directions) == 2:
            high, low = (self.jacobian_at(self.x + s * t * directions[0]) for s in (1, -1))
            distance = 2 * t * directions[1].ravel()
            terms = (high - low) * distance
            given, size = given + terms.sum(1), size + (np.abs(high) + np.abs(low)) @ np.abs(distance)
        largest = np.max(np.abs(terms), axis=1)
        return np.array([values.sum(0) - given, self.eps * size, largest, given]) / (2 * t) ** len(directions)

    @np.errstate(all="ignore")
    def along(self, *directions: Array, steps: Array | None = None) -> _Judgement:
        """What differences say of the given derivative along these directions."""
        steps = stencils.sweep_steps(self.eps) if steps is None else steps
        found = stencils.sweep(functools.partial(self.mismatch, directions), steps)
        off, rounding, largest, given = np.moveaxis(found.values, 1, 0)
        size = largest + 4 * found.unsteadiness / self.rtol  # what rounding hides is no error
        size = np.where(np.isfinite(size), np.where(size == 0, 1, size), np.nan)
        # The steadiest step counts, and all that are steady enough: the least of their errors.
        steady = found.unsteadiness <= np.maximum(self.rtol * largest, found.chosen(found.unsteadiness))
        error = np.min(np.where(steady, np.abs(off) / size, np.inf), axis=0)
        worst = np.argmax(error)
        order = _order(found.steps[1:-1], np.abs(off[:, worst]), rounding[:, worst])
        off, given, best = found.chosen(off), found.chosen(given), found.best[worst]
        return _Judgement(error, given, given + off, order, found.steps[best : best + 3][::-1])


@dataclass(frozen=True, repr=False)
class CheckReport(Verdict):
    """What a check found: true if all is right; prints what is wrong; `assert_()` raises it."""

    ok: bool
    errors: Array  # relative, of each test
    orders: Array  # measured order of each test's steps: 2 if right, 0 if wrong, NaN if the differences are exact
    wrong: list[tuple[tuple[int, ...], float, float]]  # (index, given, due) of each wrong entry, the worst first
    text: str

    def __repr__(self) -> str:
        return self.text


def check_gradient(
    f: Func, grad: Any, x: Any, *, directions: int = 5, seed: int = 0, rtol: float | None = None, order: int = 1
) -> CheckReport:
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
    return _check("gradient", f, grad, x, directions, seed, rtol, order)


def check_jacobian(
    f: Func, jac: Any, x: Any, *, directions: int = 5, seed: int = 0, rtol: float | None = None, order: int = 1
) -> CheckReport:
    """Check the Jacobian `jac`, of shape `out.shape + in.shape`, of f at x; everything else as for `check_gradient`.

    >>> import numpy as np, dualdiff as dd
    >>> dd.numerical.check_jacobian(np.sin, lambda x: np.diag(np.cos(x)), [1.0, 2.0]).assert_()
    """
    return _check("jacobian", f, jac, x, directions, seed, rtol, order)


def _check(what: str, f: Func, given: Any, at: Any, directions: int, seed: int, rtol: Any, order: int) -> CheckReport:
    who = f"numerical.check_{what}"
    x, call = _numbers(who, "the argument", at, True), _function(who, f)
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
    comparison = _Comparison(call, slope, x, stencils.precision(x, y, j0), rtol)
    scales = _scales(x, comparison.jacobian)
    vectors = [(d / np.linalg.norm(d)).reshape(x.shape) * scales[k % 3] for k, d in enumerate(draws)]
    tests: list[tuple[Array, ...]] = [(d,) for d in vectors]
    if order == 2:
        tests += zip(vectors[1:] + vectors[:1], vectors)
    results = [comparison.along(*test) for test in tests]
    errors, orders = np.array([np.max(r.error) for r in results]), np.array([r.order for r in results])
    if np.any(np.isnan(errors)):
        raise ValueError(f"{who}: f or its {what} is not finite on both sides of x")
    n = int(np.argmax(errors))
    ok, wrong = bool(errors[n] <= comparison.rtol), []
    if not ok:
        wrong = _wrong_entries(comparison, tests[n][:-1], scales[n % directions % 3], results[n].steps, y.shape)
    seen = f"measured order {orders[n]:.1f} (due 2)" if np.isfinite(orders[n]) else "differences exact to rounding"
    text = [f"{who}: {'right' if ok else f'WRONG in {len(wrong)} entries'}, relative error {errors[n]:.1e} (allowed "
            f"{comparison.rtol:.0e}) in the worst of {len(tests)} tests, {seen}"]  # fmt: skip
    entry = "  a derivative of entry" if n >= directions else "  entry"
    text += [f"{entry} {list(i)}: given {told:.8g}, due {due:.8g}" for i, told, due in wrong[:5]]
    return CheckReport(ok, errors, orders, wrong, "\n".join(text))


def _scales(x: Array, jac: Array) -> list[Array]:
    """Lengths for the arguments: max(|x|, 1), |x|, and so that all of them change f alike."""
    size = np.where(x == 0, 1, np.abs(x))
    share = np.max(np.abs(jac), axis=0).reshape(x.shape) * (size / np.max(size))  # of each argument in the change of f
    least = np.min(share[share > 0], initial=np.max(share) or 1)
    return [np.maximum(size, 1), size, size * least / np.maximum(share, least)]


def _wrong_entries(
    comparison: _Comparison, fixed: tuple[Array, ...], lengths: Array, steps: Array, out: tuple[int, ...]
) -> list[tuple[tuple[int, ...], float, float]]:
    """The wrong entries, the worst first: each argument moves alone, in place of a test's last direction."""
    wrong = []
    for j in np.ndindex(lengths.shape):
        unit = np.zeros(lengths.shape)
        unit[j] = lengths[j]
        found = comparison.along(*fixed, unit, steps=steps)
        for i in np.flatnonzero(found.error > comparison.rtol):
            index = tuple(map(int, (*np.unravel_index(i, out), *j)))
            wrong.append((float(found.error[i]), index, float(found.given[i] / unit[j]),
                          float(found.expected[i] / unit[j])))  # fmt: skip
    return [row[1:] for row in sorted(wrong, reverse=True)]
