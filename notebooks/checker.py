"""Checks for the exercises: what is right, or where an answer is wrong and which slip explains it; never a traceback.

An answer is called at points, so `dd.derivative(f)`, `math.cos` or a loop are as good as a formula. If it takes symbols
too, `dd.oracle.check` proves it, or guesses what went wrong.
"""

import ctypes
import inspect
import re
import sys
import threading
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import pairwise

import numpy as np

import dualdiff as dd

SECONDS, ALGEBRA = 5.0, 60.0  # for what the learner wrote, and for proofs
POINTS = 12


class OutOfTime(BaseException):  # no Exception: `except Exception` in a loop does not keep it going
    pass


@contextmanager
def limit(seconds):
    """Ends what runs inside after so many seconds, again and again, on every operating system."""
    here, lock, done = ctypes.c_ulong(threading.get_ident()), threading.Lock(), threading.Event()

    def watch():
        while not done.wait(seconds):
            with lock:
                if not done.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(here, ctypes.py_object(OutOfTime))

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        while not done.is_set():
            with suppress(OutOfTime), lock:  # it may come just now
                done.set()


def explain(error):
    """An exception in words; it begins with "not done yet" where the dots or a result are missing."""
    reason = re.sub("'?[Ee]llipsis'?", "...", str(error))  # that is Python's name for the dots
    kind = type(error).__name__
    if isinstance(error, OutOfTime):
        return f"it takes more than {SECONDS:g} seconds: a loop without an end? Look at what should stop it"
    if isinstance(error, RecursionError):
        return "it calls itself without an end"
    if "for ^" in reason or "bitwise_xor" in reason:
        return "in Python a power is written x**2; x^2 means something else"
    if "..." in reason or "None" in reason:
        return f"not done yet: {reason}" + "; a forgotten return?" * ("None" in reason)
    if "sequence by non-int" in reason or ("'list'" in reason and "unsupported operand" in reason):
        return f"a list cannot be calculated with; make it an array: np.array([...]) ({reason})"
    if any(word in reason for word in ("shape", "dimension", "broadcast")):
        return f"the shapes do not fit; is a factor the wrong way round, or a .T missing? ({reason})"
    if "'str'" in reason or "dtype('<U" in reason:
        return f"a text stands where a number should: leave out the quotation marks ({reason})"
    return f"it stops with {kind}: {reason}"


def judge(name, check, *arguments, **options):
    """Print what a check says of an answer."""
    try:
        with limit(SECONDS if check is not derivative else SECONDS + ALGEBRA):
            text = str(check(*arguments, **options))
    except (Exception, OutOfTime, SystemExit, KeyboardInterrupt) as error:
        text = explain(error)
    print(f"{name}:", text)


# ---------------------------------------------------------------- what was given


def no_function(answer):
    """What is to be said of an answer that cannot be called, "" if it can."""
    if answer is ... or answer is None:
        return "not done yet: there is ... or nothing; a forgotten return?"
    if isinstance(answer, str):
        return "wrong: a text is given; write it as Python, without quotation marks"
    if not callable(answer):
        return f"wrong: a function is asked for, and this is {type(answer).__name__}: begin with def or lambda"
    return ""


def number(given, called, where=""):
    """A result as an array of floats, or an exception that says what is the matter with it."""
    if given is ... or given is None:
        raise TypeError(f"{called} returned {given}{where}")
    seen = "a text" if isinstance(given, str) else type(given).__name__
    try:
        if not isinstance(given, str) and not np.iscomplexobj(given):
            return np.asarray(given, float)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{called} returned {seen}{where}, and numbers are asked for")


def parts(given, count, called):
    """A result as a list of so many arrays."""
    if count == 1:
        return [number(given, called)]
    if given is ... or given is None:
        raise TypeError(f"{called} returned {given}")
    if not isinstance(given, tuple | list):
        raise TypeError(f"{called} returned {type(given).__name__}; a tuple of {count} derivatives is asked for")
    if len(given) != count:
        raise TypeError(f"{called} returned {len(given)} derivatives; a tuple of {count} is asked for")
    return [number(g, called, f" as derivative {k} of {count}") for k, g in enumerate(given, 1)]


def same(a, b):
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- derivatives


def derivative(f, answer, *shapes, argnums=0, at=None, slips=None):
    """Whether answer gives the derivatives of f; `slips` maps what may have gone wrong to what that would give."""
    if refused := no_function(answer):
        return refused
    called, which = getattr(answer, "__name__", "the function"), argnums if isinstance(argnums, tuple) else (argnums,)
    names = list(inspect.signature(f).parameters) if shapes or at or not isinstance(f, np.ufunc) else ["x"]
    points = [at] if at else list(places(shapes or [()] * len(names)))

    def at_all(function):
        return [parts(function(*[np.copy(x)[()] for x in p]), len(which), called) for p in points]

    due = [[np.asarray(d) for d in dd.jacobian(f, which)(*p)] for p in points]
    with limit(SECONDS):
        given = at_all(answer)
    checked = []
    for k, n in enumerate(which):
        pairs = [(g[k], d[k]) for g, d in zip(given, due)]
        wrong = next((j for j, (g, d) in enumerate(pairs) if not same(g, d)), None)
        if wrong is not None:
            report = by_algebra(f, answer, shapes, argnums, at)
            others = {
                names[m]: [d[j] for d in due]
                for j, m in enumerate(which)
                if j != k and all(same(g[j], d[k]) for g, d in zip(given, due))
            }
            slip = slip_of(slips or {}, at_all, k, [g for g, _ in pairs], others)
            return told(report, names, n, points[wrong], *pairs[wrong], slip, slip or ratio(pairs))
        checked.append(f"df/d{names[n]}")
    report = by_algebra(f, answer, shapes, argnums, at)
    how = "the tie" if at else f"{len(points)} points"
    return f"right: {', '.join(checked)} at {how}{' and proved by algebra' * bool(report and report.proved)}"


def places(shapes):
    """Points with short decimals, no two coordinates equal."""
    for k in range(POINTS):
        sizes = [int(np.prod(s)) for s in shapes]
        numbers = np.random.default_rng(k).permutation(np.setdiff1d(np.arange(-29, 30), [0]))[: sum(sizes)] / 10
        cuts = np.split(numbers, np.cumsum(sizes)[:-1])
        yield tuple(c.reshape(s) if s != () else float(c[0]) for c, s in zip(cuts, shapes))


def by_algebra(f, answer, shapes, argnums, at):
    """The oracle's report; None if it or the answer does not take symbols."""
    try:
        with limit(ALGEBRA):
            return dd.oracle.check(f, answer, *shapes, argnums=argnums, at=at)
    except (Exception, OutOfTime):
        return None


def slip_of(slips, at_all, k, given, others):
    """The slip that gives these numbers; `others` are the derivatives by other arguments, which may be swapped."""
    for text, function in slips.items():
        if all(map(same, given, [g[k] for g in at_all(function)])):
            return text
    for name, due in others.items():
        if all(map(same, given, due)):
            return f"two derivatives are swapped: this is df/d{name}"
    return ""


def ratio(pairs):
    """What a factor or another order explains, where there is no formula to look at."""
    if any(g.shape != d.shape for g, d in pairs):
        return ""
    if all(g.size > 1 and np.allclose(np.sort(g, axis=None), np.sort(d, axis=None)) for g, d in pairs):
        return "the entries are swapped: the values are right, their places are not"
    quotients = np.concatenate([(g / d).ravel() for g, d in pairs if np.all(d)] or [np.array([])])
    if quotients.size > 1 and np.allclose(quotients, quotients[0]):
        if np.isclose(quotients[0], -1):
            return "the sign"
        factor = Fraction(float(quotients[0])).limit_denominator(1000)
        return f"a constant factor: given is {factor} times what is due"
    return ""


def told(report, names, n, point, given, due, slip, guess):
    """The text for a wrong answer, without the right formula: that is the learner's to find."""
    if report is not None and not report:
        lines = [line for line in str(report).splitlines() if not line.startswith("    due")]
        better = guess and (slip or lines[-1] == "no usual slip explains it")
        return "\n".join([*lines[:-1], f"perhaps {guess}" if better else lines[-1]])
    where = ", ".join(f"{name} = {np.array2string(np.asarray(x), separator=', ')}" for name, x in zip(names, point))
    if given.shape != due.shape:
        return f"wrong: the shape of df/d{names[n]}: given {given.shape}, due {due.shape}"
    index = next(i for i in np.ndindex(due.shape) if not same(given[i], due[i]))
    entry = f"df/d{names[n]}{list(index) or ''}: given {given[index]:.6g}, due {due[index]:.6g}"
    return f"wrong, at {where}\n{entry}\n{f'perhaps {guess}' if guess else 'no usual slip explains it'}"


# ---------------------------------------------------------------- descent


def path_of(f, descend, step):
    """Whether descend keeps every point of a gradient descent on f, at two starts, rates and lengths."""
    for other in (step, descend):
        if refused := no_function(other):
            return refused
    slope = dd.derivative(f)
    for start, rate, steps in ((8.0, 0.1, 30), (-5.0, 0.25, 12)):
        path = descend(start, rate, steps)
        if path is None or path is ...:
            return f"not done yet: descend returned {path}; a forgotten return?"
        if not isinstance(path, list) or not path:
            return f"wrong: descend returned {type(path).__name__}; the list of all points is asked for"
        if len(path) == 1:
            return "not done yet: nothing has been appended to the path"
        path = [float(number(x, "the path")) for x in path]
        if path[0] != start:
            return f"wrong: the path begins at {path[0]:.4g}, and the start is {start:.4g}"
        if len(path) != steps + 1:
            return f"wrong: the path has {len(path)} points, and the start with {steps} steps makes {steps + 1}"
        if len({*path}) == 1:
            return "wrong: the path does not leave the start; is x set to the new point before it is appended?"
        slopes = [abs(slope(x)) for x in path]
        if slopes[-1] > slopes[0]:
            return (
                f"wrong: uphill, the slope grows from {slopes[0]:.3g} to {slopes[-1]:.3g}; look at the sign in the step"
            )
        used = {(a - b) / slope(a) for a, b in pairwise(path) if abs(slope(a)) > 1e-6}
        if np.ptp([*used]) < 1e-6 < abs(max(used) - rate):
            return f"wrong: with rate = {rate:.4g} the steps are those of rate {max(used):.4g}; is rate ignored?"
        if max(used) - rate > 1e-6 or rate - min(used) > 1e-6:
            return "wrong: a point is not one step from the point before it; is each point the start of the next step?"
    return f"right: start, {steps + 1} points, every step and two rates; the slope falls to {slopes[-1]:.3g}"


def lowest(f, x):
    """Whether the slope of f at x is 0."""
    if x is ... or x is None:
        return "not done yet: there is no number"
    if callable(x):
        return "wrong: a number is asked for, and this is a function; call it, or write the number"
    x = number(x, "x_bottom")
    if x.ndim:
        return f"wrong: one number is asked for, and this has shape {x.shape}"
    slope = float(dd.derivative(f)(float(x)))
    if abs(slope) < 1e-6:
        return f"right: the slope at {x:.6g} is 0"
    near = "; near, so go on: more steps, or solve f'(x) = 0" if abs(slope) < 0.1 else ""
    return f"wrong: the slope there is {slope:.4g}, not 0{near}"


# ---------------------------------------------------------------- differences

SAMPLES = ((np.exp, 0.5, 0.1), (np.sin, 1.2, 0.01), (lambda x: x**3, -2.0, 0.25))
FORWARD = {
    "the division by h is missing": lambda f, x, h: f(x + h) - f(x),
    "the sign: it is the later value less the earlier one": lambda f, x, h: (f(x) - f(x + h)) / h,
    "the quotient looks backwards, from x - h to x": lambda f, x, h: (f(x) - f(x - h)) / h,
    "brackets are missing: only f(x) is divided by h": lambda f, x, h: f(x + h) - f(x) / h,
    "this is the central quotient": lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h),
    "f(x) + h is not f(x + h)": lambda f, x, h: 1.0,
}
CENTRAL = {
    "the distance is 2 h, not h": lambda f, x, h: (f(x + h) - f(x - h)) / h,
    "brackets are missing: / 2 * h divides by 2 and multiplies by h": lambda f, x, h: (f(x + h) - f(x - h)) / 2 * h,
    "the sign: it is the later value less the earlier one": lambda f, x, h: (f(x - h) - f(x + h)) / (2 * h),
    "this is the one-sided quotient": lambda f, x, h: (f(x + h) - f(x)) / h,
    "f(x) stands where f(x - h) should": lambda f, x, h: (f(x + h) - f(x)) / (2 * h),
    "f(x - h) is to be subtracted, not added": lambda f, x, h: (f(x + h) + f(x - h)) / (2 * h),
}


def at_samples(answer, due, samples, slips, praise):
    """Whether answer gives the numbers of `due` at all samples; else the first that differs, and which slip that is."""
    if refused := no_function(answer):
        return refused
    called = getattr(answer, "__name__", "the function")
    given, wanted = [number(answer(*s), called) for s in samples], [number(due(*s), called) for s in samples]
    for g, w, sample in zip(given, wanted, samples):
        if not close(g, w):
            shown = ", ".join(f"{x:.6g}" for x in sample if isinstance(x, int | float))
            found = (
                text for text, slip in slips.items() if all(map(close, given, [number(slip(*s), "") for s in samples]))
            )
            guess = next((f"perhaps {text}" for text in found), "no usual slip explains it")
            return f"wrong{f', at {shown}' * bool(shown)}: given {shortly(g)}, due {shortly(w)}\n{guess}"
    return f"right: {praise.format(len(samples))}"


def close(a, b):
    """Equal but for the rounding of differences."""
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-7, atol=1e-10)


def shortly(x):
    return f"{x:.6g}" if x.ndim == 0 else np.array2string(x, precision=4, separator=", ")


def quotient(answer, order, slips):
    """Whether answer(f, x, h) is the quotient of that order."""

    def due(f, x, h):
        return (f(x + h) - f(x)) / h if order == 1 else (f(x + h) - f(x - h)) / (2 * h)

    return at_samples(answer, due, SAMPLES, slips, f"{{}} functions, points and steps; the error is O(h^{order})")


def unequal(answer):
    """Whether answer(f, x, left, right) is the three-point formula."""

    def top(f, x, a, b):
        return f(x + b) * a**2 - f(x - a) * b**2 - f(x) * (a**2 - b**2)

    slips = {
        "this is the plain quotient over a + b, right for equal steps only": lambda f, x, a, b: (
            (f(x + b) - f(x - a)) / (a + b)
        ),
        "the term with f(x) is missing": lambda f, x, a, b: (
            (top(f, x, a, b) + f(x) * (a**2 - b**2)) / (b * a**2 + a * b**2)
        ),
        "the sign of the term with f(x)": lambda f, x, a, b: (
            (top(f, x, a, b) + 2 * f(x) * (a**2 - b**2)) / (b * a**2 + a * b**2)
        ),
        "left and right are swapped": lambda f, x, a, b: top(f, x, b, a) / (b * a**2 + a * b**2),
        "the division is missing": top,
    }
    samples = [(f, x, h, 2.5 * h) for f, x, h in SAMPLES] + [(np.exp, 0.0, 0.1, 0.1)]
    praise = "{} functions, points and pairs of steps, equal ones too"
    return at_samples(answer, lambda *s: top(*s) / (s[3] * s[2] ** 2 + s[2] * s[3] ** 2), samples, slips, praise)


def mismatch_of(answer):
    """Whether answer(f, gradient, x, d, eps) is the distance of the two sides of a gradient check."""

    def f(x):
        return np.sum(np.sin(x) * x[::-1])

    x, eps = np.array([0.3, -1.2, 2.0]), 1e-3
    right = dd.gradient(f)(x)
    ds = [np.array(d) for d in ([0.6, 0.0, 0.8], [-0.48, 0.6, 0.64], [0.0, 1.0, 0.0])]

    def sides(g, d):
        return np.dot(d, g), (f(x + eps * d) - f(x - eps * d)) / (2 * eps)

    def by(rule):
        return lambda f, g, x, d, eps: rule(*sides(g, d))

    slips = {
        "the absolute value is missing": by(lambda a, b: a - b),
        "the sides are added, not subtracted": by(lambda a, b: abs(a + b)),
        "the distance is 2 eps, not eps": by(lambda a, b: abs(a - 2 * b)),
        "this is one side alone: the quotient": by(lambda a, b: b),
        "this is one side alone: d . gradient": by(lambda a, b: a),
        "the product is not summed: np.dot(d, gradient), not d * gradient": lambda f, g, x, d, eps: abs(
            d * g - sides(g, d)[1]
        ),
    }
    samples = [(f, g, x, d, eps) for d in ds for g in (right, right + [0, 0.5, 0], -right)]
    return at_samples(
        answer, by(lambda a, b: abs(a - b)), samples, slips, "{} pairs of gradient and direction, six of them wrong"
    )


def best_step(h):
    """Whether h is near the square root of the rounding error."""
    if h is ... or h is None:
        return "not done yet: there is no number"
    h = number(h, "best_h")
    if h.ndim or not h > 0:
        return "wrong: one number greater than 0 is asked for"
    error = float(h + 2.2e-16 / h)
    if 1.4e-9 < h < 1.5e-7:
        return f"right: with h = {h:.2g} the error is about {error:.1g}, and the least is 3e-08"
    side = "too small, rounding rules" if h < 1e-8 else "too large, the quotient is still coarse"
    return f"wrong: with h = {h:.2g} the error is about {error:.1g}; h is {side}"


# ---------------------------------------------------------------- modes

SHAPES = ((1, 3), (7, 3), (4, 4), (50, 1))


def counts(answer, mode):
    """Whether answer(n, m) is the number of passes that the library's cost report counts."""

    def due(n, m):
        weights = np.arange(1.0, n * m + 1).reshape(m, n)
        report = dd.compare_cost(lambda x: np.sin(weights @ x), np.linspace(0.1, 1, n))
        return report.costs[mode].passes

    slips = {
        "that is the number of the other mode": lambda n, m: m if mode == "forward" else n,
        "that is the number of entries, and a pass gives a whole column or row": lambda n, m: n * m,
        "columns and rows are not both needed: either gives all": lambda n, m: n + m,
        "one pass is enough for a single input or output only": lambda n, m: 1,
        "this would be the cheaper of the two modes": lambda n, m: min(n, m),
    }
    return at_samples(answer, due, SHAPES, slips, "{} shapes, as the library has counted")


def modes(answer):
    """Whether each function is given the mode with fewer passes."""
    if not isinstance(answer, dict):
        return (
            "not done yet: there is no dict" if answer in (..., None) else "wrong: a dict of four answers is asked for"
        )
    due = dict(zip(answer, ("reverse", "forward", "reverse", "forward")))
    for what, mode in answer.items():
        if mode is ... or mode is None:
            return f"not done yet: {what}"
        if mode not in ("forward", "reverse"):
            return f'wrong: {what}: {mode!r} is neither "forward" nor "reverse"'
        if mode != due[what]:
            return f"wrong: {what}: count inputs and outputs; forward pays for inputs, reverse for outputs"
    return f"right: {len(due)} functions"


def products(answer, side):
    """Whether answer(k, n) counts the multiplications of (A B) C or A (B C)."""
    left, right = (lambda k, n: k * k + k * n), (lambda k, n: k * k * n + k * n)
    slips = {
        "that is the other order": right if side == "left" else left,
        "the second product is missing": (lambda k, n: k * k) if side == "left" else (lambda k, n: k * k * n),
        "the first product is missing": lambda k, n: k * n,
        "the two counts are added, not multiplied": lambda k, n: k**3 * n,
    }
    return at_samples(
        answer, left if side == "left" else right, ((3, 5), (10, 10), (2, 100)), slips, "{} pairs of k and n"
    )


def part_of_jacobian(answer, axis):
    """Whether answer(f, x, k) is a row (axis 0) or a column (axis 1) of the Jacobian of f."""

    def f(x):
        return np.stack([x[0] * x[1], np.sin(x[2]), x[0] + x[2] ** 2])

    x, jac = np.array([0.5, 2.0, -1.0]), dd.jacobian(f)
    due, other = (lambda f, x, k: jac(x)[k]), (lambda f, x, k: jac(x)[:, k])
    due, other = (due, other) if axis == 0 else (other, due)
    slips = {
        "a row is asked for, and this is a column" if axis == 0 else "a column is asked for, and this is a row": other,
        "this is the value, not the derivative": lambda f, x, k: f(x),
        "the cotangent or tangent is all ones: it must be 1 in one place, else 0": lambda f, x, k: jac(x).sum(axis),
        "this is the whole matrix": lambda f, x, k: jac(x),
        "this is one entry": lambda f, x, k: jac(x)[k, k],
        "the place is counted from 1: in Python it is from 0": lambda f, x, k: due(f, x, k - 1),
    }
    return at_samples(answer, due, [(f, x, k) for k in range(3)], slips, "{} of them")


# ---------------------------------------------------------------- cells


def guard():
    """From now on a cell of this notebook that fails says why in one line, and one that does not end is ended."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    running = []

    def start(*_):
        running.append(limit(ALGEBRA + 2 * SECONDS))
        running[-1].__enter__()

    def stop(*_):
        if running:
            running.pop().__exit__(None, None, None)

    def say(*_, **__):
        _, error, trace = sys.exc_info()
        line = ""
        while trace:  # the innermost line of the learner's
            line = f" in line {trace.tb_lineno}" if trace.tb_frame.f_globals is shell.user_ns else line
            trace = trace.tb_next
        print(f"this cell stops{line}: {explain(error)}")

    def say_syntax(*_, **__):
        error = sys.exc_info()[1]
        print(f"this cell is no Python yet, in line {getattr(error, 'lineno', '?')}: {getattr(error, 'msg', error)}")

    shell.events.register("pre_run_cell", start)
    shell.events.register("post_run_cell", stop)
    shell.showtraceback, shell.showsyntaxerror = say, say_syntax
