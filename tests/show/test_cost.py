"""Costs counted by hand: passes, primitives, operations and stored bytes of every method; sweeps and reports."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.show.cost import CostReport

METHODS = ["f", "forward", "forward_vector", "forward_rows", "reverse", "reverse_vector", "differences", "central"]


def counted(f: Callable[..., Any], *args: Any, **options: Any) -> CostReport:
    return dd.compare_cost(f, *args, seconds=0, **options)


def chain(k: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        for _ in range(k):
            x = np.sin(x)
        return x

    return f


# ---------------------------------------------------------------- hand-counted


def test_textbook() -> None:
    """y = x1 x2 + sin x1: v1 = x1 x2, v2 = sin x1, y = v1 + v2."""
    report = counted(lambda x, y: x * y + np.sin(x), 2.0, 3.0)
    c = report.counts
    assert (c.n, c.m, c.primitives) == (2, 1, 3)
    assert c.evaluation == 3  # a product, a sine, a sum
    assert c.slopes == 1  # cos x1; the slopes of the product are its operands
    assert c.tangent == 5  # x2 dx1 + x1 dx2: 3; cos x1 dx1: 1; dv1 + dv2: 1
    assert c.cotangent == 4  # x2 y', x1 y', cos x1 y': 3; x1 is used twice: 1 addition
    assert c.live == 5 * 8  # x1, x2, v1, v2, y at the last step
    assert c.tape == 3 * 8  # x2, x1, cos x1
    due = {  # passes, primitives, operations, bytes
        "f": (1, 3, 3, 40),
        "forward": (2, 6, 2 * (3 + 1 + 5), 40 + 40),  # f and its slopes again in each pass; values and tangents
        "forward_vector": (1, 3, 3 + 1 + 2 * 5, 40 + 2 * 40),
        "forward_rows": (1, None, None, None),
        "reverse": (1, 3, 3 + 1 + 4, 24 + 40),  # the tape, and cotangents
        "reverse_vector": (1, 3, 3 + 1 + 4, 24 + 40),
        "differences": (3, 9, 3 * 3 + 2 * (1 + 2), 40 + 24),  # shift, difference, quotient; x and f(x) are kept
        "central": (4, 12, 4 * 3 + 2 * (2 + 2), 40 + 24),
    }
    assert {k: (c.passes, c.primitives, c.operations, c.bytes) for k, c in report.costs.items()} == due
    assert report.ratio("reverse") == 8 / 3 and report.ratio("forward", "bytes") == 2
    assert report.best == "reverse"


@pytest.mark.parametrize("n", [1, 3, 40])
def test_many_arguments_one_result(n: int) -> None:
    """f(x) = sum(sin x): n sines and n - 1 additions; n forward passes and 1 reverse."""
    report = counted(lambda x: np.sum(np.sin(x)), np.ones(n))
    assert report.costs["forward"].passes == n and report.costs["reverse"].passes == 1
    assert report.costs["forward_vector"].passes == 1
    assert report.costs["differences"].passes == n + 1 and report.costs["central"].passes == 2 * n
    f = n + n - 1
    assert report.costs["f"].operations == f
    assert report.costs["forward"].operations == n * (f + n + f)  # n cosines; the tangent costs what f costs
    assert report.costs["forward_vector"].operations == f + n + n * f
    assert report.costs["reverse"].operations == f + n + n  # a sum hands its cotangent on without any operation
    assert report.costs["reverse"].bytes == 8 * n + 16 * n + 8  # the cosines; x, sin x and the sum


@pytest.mark.parametrize("m", [1, 3, 40])
def test_one_argument_many_results(m: int) -> None:
    """f(t) = sin(c t): 1 forward pass and m reverse."""
    c = np.arange(1.0, m + 1)
    report = counted(lambda t: np.sin(c * t), 0.5)
    assert report.costs["forward"].passes == 1 and report.costs["reverse"].passes == m
    assert report.costs["forward"].operations == 2 * m + m + 2 * m  # f, cosines, a product by c and one by the cosine
    # a cotangent: a product by the cosine, one by c, and m - 1 additions where t was broadcast
    assert report.costs["reverse"].operations == 2 * m + m + m * (2 * m + m - 1)
    assert report.best == "forward"


@pytest.mark.parametrize("k", [2, 10, 100])
def test_memory_over_a_chain(k: int) -> None:
    """Of k sines reverse mode stores the k cosines; forward mode has three values and tangents at a time."""
    report = counted(chain(k), np.ones(50))
    assert report.costs["f"].bytes == 3 * 400  # x, the last value, the next one
    assert report.costs["forward"].bytes == 2 * 3 * 400
    assert report.costs["reverse"].bytes == k * 400 + 3 * 400
    assert report.counts.tape == k * 400
    assert report.costs["f"].operations == 50 * k and report.counts.tangent == report.counts.cotangent == 50 * k


def test_memory_is_what_is_allocated() -> None:
    """The arguments are counted though they are not allocated in a run; a few slopes and copies are not counted."""
    x = np.linspace(0, 1, 20_000)
    f = lambda x: np.sum(chain(20)(x))
    size = x.nbytes
    report = counted(f, x)

    def peak(run: Callable[[], Any]) -> float:
        run()
        tracemalloc.start()
        run()
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most / size

    assert report.costs["f"].bytes == pytest.approx(size * (peak(lambda: f(x)) + 1), rel=0.1)
    forward = peak(lambda: dd.jvp(f, (x,), (x,)))
    reverse = peak(lambda: dd.vjp(f, x)[1](1.0))
    assert abs(report.costs["forward"].bytes / size - forward) < 3  # type: ignore[operator]
    assert abs(report.costs["reverse"].bytes / size - reverse) < 3  # type: ignore[operator]
    assert reverse > 20 and forward < 9


def test_dense_layer() -> None:
    """tanh(W x + b) with W of 3 x 4."""
    W, b, x = np.ones((3, 4)), np.ones(3), np.ones(4)
    f = lambda x, W=W, b=b: np.tanh(W @ x + b)
    c = counted(f, x).counts
    assert (c.n, c.m, c.primitives) == (4, 3, 3)
    assert c.evaluation == 2 * 3 * 4 + 3 + 3  # a multiplication and an addition for each weight; + b; tanh
    assert c.slopes == 3  # of tanh; W is its own
    assert c.tangent == c.cotangent == 2 * 3 * 4 + 3
    assert c.tape == 8 * (12 + 3)  # W and the slopes of tanh
    assert c.live == 8 * (4 + 3 + 3)  # x, and operand and result of the sum, or of tanh
    c = counted(f, x, W, b).counts
    assert (c.n, c.m) == (4 + 12 + 3, 3)
    assert c.evaluation == 2 * 3 * 4 + 3 + 3
    assert c.tangent == 2 * (2 * 3 * 4) + 3 + 3 + 3  # dW x, W dx, their sum; + db; the slopes
    assert c.cotangent == 24 + 12 + 3  # W^T ct, the outer product ct x^T without sums, the slopes
    assert c.tape == 8 * (12 + 4 + 3)
    assert counted(f, x, W, b, argnums=0).counts.n == 4


EYE = np.eye(2)
CASES: dict[str, tuple[Callable[[Any], Any], Any, tuple[int, int, int, int]]] = {
    # name: f, x, (evaluation, slopes, tangent, cotangent)
    "moves": (lambda x: x[::-1].reshape(2, 2).T, np.ones(4), (0, 0, 0, 0)),
    "square": (lambda x: x * x, np.ones(4), (4, 0, 12, 12)),  # two products and an addition, both ways
    "difference": (lambda x: x[1:] - x[:-1], np.ones(4), (3, 0, 3, 3)),  # back: the two slices overlap: 3 additions
    "exponential": (lambda x: np.exp(x), np.ones(4), (4, 0, 4, 4)),  # its slope is its value
    "power": (lambda x: x**3, np.ones(4), (4, 4, 4, 4)),
    "quotient": (lambda x: 1 / x, np.ones(4), (4, 4, 4, 4)),
    "scaled": (lambda x: 3.0 * x, np.ones(4), (4, 0, 4, 4)),
    "repeat": (lambda x: np.repeat(x, 3), np.ones(4), (0, 0, 0, 8)),  # back: 3 are added to 1, four times
    "two rows": (lambda x: np.sum(x, axis=0), np.ones((2, 4)), (4, 0, 4, 0)),
    "broadcast": (lambda x: x + np.ones((3, 4)), np.ones(4), (12, 0, 0, 8)),
    "matrix": (lambda x: x @ x, np.ones((2, 2)), (16, 0, 16 + 16 + 4, 16 + 16 + 4)),
    "concatenate": (lambda x: np.concatenate([x, x]), np.ones(4), (0, 0, 0, 4)),
    "running sum": (lambda x: np.cumsum(x), np.ones(4), (4, 0, 4, 4)),
    "elements": (lambda x: x[0] + x[1] + x[2], np.ones(3), (2, 0, 2, 2)),
    "buffer": (lambda x: stored(x), np.ones(3), (3, 0, 3, 3 + 2)),
    "constant": (lambda x: 3.0, np.ones(3), (0, 0, 0, 0)),
    "solve": (lambda x: np.linalg.solve(EYE, x), np.ones(2), (5 + 8, 0, 8, 8)),  # 2/3 n^3, then 2 n^2
    "fourier": (lambda x: np.fft.fft(x), np.ones(8), (120, 0, 120, 120)),  # 5 n log2 n
}


def stored(x: Any) -> Any:
    y = np.zeros(3)
    for i in range(3):
        y[i] = x[i] * 2.0
    return y


@pytest.mark.parametrize("name", CASES)
def test_operations(name: str) -> None:
    f, x, due = CASES[name]
    c = counted(f, x).counts
    assert (c.evaluation, c.slopes, c.tangent, c.cotangent) == due


def test_a_factorisation_is_shared_by_directions() -> None:
    """Each pass factors the matrix again, 2/3 n^3 operations; a batch of directions does it once."""
    a = np.eye(6)
    report = counted(lambda b: np.linalg.solve(a, b), np.ones(6))
    assert report.costs["f"].operations == 144 + 72
    assert report.costs["forward"].operations == 6 * (216 + 144 + 72)
    assert report.costs["forward_vector"].operations == report.costs["reverse_vector"].operations == 216 + 144 + 6 * 72
    assert report.costs["reverse"].operations == 216 + 6 * (144 + 72)


def test_complex_numbers_have_two_directions() -> None:
    c = counted(lambda z: z * z, np.ones(3) + 1j).counts
    assert (c.n, c.m, c.evaluation, c.inputs) == (6, 6, 3, 48)


def test_float32_takes_half() -> None:
    a, b = (counted(chain(5), np.ones(8, dtype)).counts for dtype in (np.float32, np.float64))
    assert (2 * a.live, 2 * a.tape, a.tangent) == (b.live, b.tape, b.tangent)


def test_views_take_no_memory() -> None:
    c = counted(lambda x: np.sin(x.reshape(2, 4)[:, 1:]), np.ones(8)).counts
    assert c.live == 64 + 48  # x and the sines
    assert counted(lambda x: x.T[::2], np.ones((8, 8))).counts.live == 8 * 64


def test_a_guess_is_named() -> None:
    report = counted(np.linalg.cholesky, 2 * np.eye(3))
    assert report.estimated == ("cholesky",) and "Guessed" in str(report) and "cholesky" in str(report)
    assert counted(np.cumsum, np.ones(3)).estimated == ()


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@pytest.mark.parametrize("f", [rosenbrock, stored, chain(30)], ids=["rosenbrock", "stored", "chain"])
def test_counts_are_the_same_every_time(f: Any) -> None:
    x = np.linspace(0.1, 0.9, 60)
    reports = [counted(f, x) for _ in range(3)]
    assert reports[0].data == reports[1].data == reports[2].data
    assert counted(f, 2 * x).data == reports[0].data  # they don't depend on values


def test_reverse_mode_costs_a_few_evaluations() -> None:
    """The cheap gradient principle (Baur and Strassen): a constant times f, whatever n is."""
    for n in (10, 100, 1000):
        ratio = counted(rosenbrock, np.linspace(0, 1, n)).ratio("reverse")
        assert ratio is not None and ratio < 4
        assert counted(rosenbrock, np.linspace(0, 1, n)).ratio("forward") > n  # type: ignore[operator]


def test_inputs_are_left_alone() -> None:
    def f(x: Any) -> Any:
        x[0] = 7.0
        return x * 2

    x = np.ones(3)
    dd.compare_cost(f, x, seconds=1e-4)
    np.testing.assert_array_equal(x, 1)


def test_containers_lists_and_keywords() -> None:
    report = counted(lambda p, scale: [p["a"] * scale, np.sum(p["b"])], {"a": 2.0, "b": np.ones(3)}, scale=3.0)
    assert (report.counts.n, report.counts.m) == (4, 2)
    assert counted(lambda x: x**2, [1, 2, 3]).counts.evaluation == 3
    assert counted(lambda x: dd.gradient(lambda y: np.sum(y**3), mode="reverse")(x), np.ones(3)).counts.m == 3


# ---------------------------------------------------------------- seconds


def test_seconds() -> None:
    report = dd.compare_cost(rosenbrock, np.linspace(0, 1, 12), seconds=1e-3)
    assert list(report.costs) == METHODS
    assert all(c.seconds is not None and c.seconds > 0 for c in report.costs.values())
    assert report.ratio("f", "seconds") == 1
    assert report.counts == counted(rosenbrock, np.linspace(0, 1, 12)).counts


def test_what_takes_too_much_is_not_run() -> None:
    report = dd.compare_cost(lambda x: np.sum(np.sin(x)), np.ones(20_000), seconds=1e-4)
    assert report.costs["forward_vector"].seconds is None  # three arrays of 20,000 x 20,000
    assert "not run: would store" in report.costs["forward_vector"].note
    assert report.costs["forward"].note.startswith("extrapolated") and "~" in str(report)
    assert report.costs["reverse"].seconds is not None and "not run" in str(report)
    calls = []

    def slow(x: Any) -> Any:
        calls.append(1)
        return np.sum(x * x)

    dd.compare_cost(slow, np.ones(2000), seconds=1e-5)
    assert len(calls) < 200


@pytest.mark.parametrize(
    "f, x",
    [
        (lambda z: z**2, 1.0 + 2j),
        (lambda z: np.stack([z, z * z]), np.ones(2) + 1j),
        (lambda x: (x, {"s": np.sum(x)}), np.ones(3)),
        (lambda x: 3.0, np.ones(2)),
        (lambda x: x, np.ones(0)),
        (lambda x: x * x, 2),
        (stored, np.ones(3)),
    ],
)
def test_every_method_runs(f: Any, x: Any) -> None:
    report = dd.compare_cost(f, x, seconds=1e-4)
    assert str(report) and json.dumps(report.data)
    for cost in report.costs.values():
        assert (cost.seconds is None) == (cost.passes == 0), cost


# ---------------------------------------------------------------- reports


def test_text() -> None:
    text = str(counted(lambda x: np.sum(np.sin(x)), np.ones(3))).splitlines()
    assert text[0] == "The Jacobian of <lambda>: n = 3 arguments, m = 1 result, 2 primitives"
    assert text[2].split() == ["method", "passes", "primitives", "operations", "×", "f", "stored", "×", "f"]
    assert len({len(line) for line in text[2:11]}) == 1  # aligned
    assert text[4].split()[2:] == ["1", "2", "5", "1.0", "56", "B", "1.0"]
    assert text[12] == "Fewest operations: reverse, one cotangent a pass (2.2 times f)."
    assert text[14] == "Forward mode needs 2.1 times the operations of reverse mode."
    assert repr(counted(np.sin, 1.0)).startswith("The Jacobian of sin: n = 1 argument, m = 1 result, 1 primitive\n")


@pytest.mark.parametrize(
    "f, x, end",
    [
        (np.sin, np.ones(3), "Forward and reverse mode need equally many operations."),
        (lambda t: np.ones(9) * t * t, 2.0, "operations of forward mode."),
        (lambda t: 1.0, 2.0, "There is nothing to differentiate."),
    ],
)
def test_summary(f: Any, x: Any, end: str) -> None:
    assert counted(f, x).summary.endswith(end)


def test_data() -> None:
    data = json.loads(json.dumps(dd.compare_cost(np.sin, np.ones(3), seconds=1e-4).data))
    assert list(data) == ["name", "counts", "methods", "best", "summary", "estimated"]
    assert list(data["methods"]) == METHODS
    assert data["methods"]["forward"]["passes"] == 3 and data["counts"]["tape"] == 24
    assert data["methods"]["central"]["operations_ratio"] == 6 + 3 * 8 / 3  # 6 evaluations of 3 sines, 3 x 8


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.names.append(tag)


def test_html() -> None:
    def f(x: Any) -> Any:
        return x * x

    f.__name__ = "<script>alert(1)</script> & 'more'"
    text = counted(f, 2.0)._repr_html_()
    assert "<script" not in text and "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in text
    assert set(Tags(text).names) == {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    assert Tags(text).names.count("tr") == 1 + len(METHODS) - 1  # what is only timed is left out


# ---------------------------------------------------------------- sizes


def layer(n: int, m: int) -> tuple[Any, Any]:
    W = np.ones((m, n))
    return (lambda x: np.tanh(W @ x)), np.ones(n)


@pytest.mark.parametrize("m", [1, 7, 30])
def test_reverse_mode_wins_as_soon_as_there_are_more_arguments_than_results(m: int) -> None:
    """A tangent and a cotangent of a layer cost the same."""
    for n in (1, 5, 6, 7, 8, 29, 30, 31, 100):
        costs = counted(*layer(n, m)).costs
        assert (costs["reverse_vector"].operations < costs["forward_vector"].operations) == (n > m)  # type: ignore[operator]


# ---------------------------------------------------------------- errors, and the cost of being there


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: dd.compare_cost(3.0, 1.0), TypeError, "first argument must be a function, not float"),  # type: ignore[arg-type]
        (lambda: dd.compare_cost(np.sin), TypeError, "the arguments of f are missing"),
        (lambda: dd.compare_cost(np.sin, "a"), TypeError, "compare_cost: argument 0"),
        (lambda: dd.compare_cost(lambda x: None, 1.0), TypeError, "f returned None"),
        (lambda: dd.compare_cost(lambda x: "a", 1.0), TypeError, "f returned 'a'"),
        (lambda: dd.compare_cost(np.sin, 1.0, argnums=1), ValueError, "argnums=1"),
        (lambda: dd.compare_cost(np.sin, 1.0, seconds=-1), ValueError, "seconds must be a number >= 0, not -1"),
        (lambda: dd.compare_cost(np.sin, 1.0, seconds=np.nan), ValueError, "seconds must be"),
        (lambda: dd.compare_cost(lambda x: {}["k"], 1.0), KeyError, "k"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_start_up_stays_quick() -> None:
    code = "import sys, dualdiff; print('dualdiff.cost' in sys.modules, 'matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
