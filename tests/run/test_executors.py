"""Passes handed to executors give what they give here: values, order, errors, settings; and nothing waits forever."""

from __future__ import annotations

import contextvars
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

import dualdiff as dd

X = np.linspace(-1.0, 2.0, 10)
W = np.sin(np.arange(100.0)).reshape(10, 10)
POOLS = ["fork", "spawn", "threads", "dask"]  # the process is forked before others start threads
PROCESSES = ["fork", "spawn", "dask"]


def processes(method: str) -> Any:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    return ProcessPoolExecutor(2, multiprocessing.get_context(method))


@pytest.fixture(scope="module")
def pool(request: Any) -> Iterator[Any]:
    if request.param == "dask":
        distributed = pytest.importorskip("distributed")
        cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
        with cluster, distributed.Client(cluster) as client:
            yield client.get_executor()
    else:
        with ThreadPoolExecutor(2) if request.param == "threads" else processes(request.param) as executor:
            yield executor


every_pool = pytest.mark.parametrize("pool", POOLS, indirect=True)
other_processes = pytest.mark.parametrize("pool", PROCESSES, indirect=True)
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Pair(NamedTuple):
    first: Any
    second: Any


class Unpicklable(Exception):
    def __init__(self, x: Any, y: Any) -> None:
        super().__init__(f"{x} and {y}")


def smooth(x: Any) -> Any:
    return np.sin(x) * x[::-1] + np.cumsum(x) / np.exp(x).sum()


def layer(x: Any) -> Any:
    return np.tanh(W @ x) @ W


def containers(p: Any, z: Any, *, scale: Any) -> Any:
    return Pair({"a": (p["u"] * scale, p["v"] ** 2), "b": 7.0}, (z * z, [p["u"].sum(), 1.0]))


def hidden(x: Any) -> Any:
    class Local(NamedTuple):
        y: Any

    Local.lock = threading.Lock()  # type: ignore[attr-defined]
    return Local(x)


def fails(x: Any) -> Any:
    try:
        return [][3]
    except IndexError as error:
        raise KeyError("no such key") from error


def fails_oddly(x: Any) -> Any:
    raise Unpicklable("this", "that")


def dies(x: Any) -> Any:
    os._exit(1)


def at_kink(x: Any) -> Any:
    return dd.relu(x) - dd.relu(-x)


def singular(x: Any) -> Any:
    return np.sqrt(x - 1.0)


# ---------------------------------------------------------------- the same results


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_chunk_sizes(mode: str) -> None:
    whole, products = dd.jacobian(smooth, mode=mode)(X), dd.jacobian(layer, mode=mode)(X)
    for chunk_size in (1, 2, 3, 7, 10, 11, np.int64(4)):
        assert np.array_equal(dd.jacobian(smooth, mode=mode, chunk_size=chunk_size)(X), whole)
        got = dd.jacobian(layer, mode=mode, chunk_size=chunk_size)(X)  # BLAS rounds batches differently
        np.testing.assert_allclose(got, products, rtol=0, atol=1e-14)


@every_pool
@pytest.mark.parametrize("mode", ["forward", "reverse", "auto"])
def test_results_are_the_same(pool: Any, mode: str) -> None:
    for chunk_size in (1, 3, 7, None):
        due = dd.jacobian(smooth, mode=mode, chunk_size=chunk_size)(X)
        assert np.array_equal(dd.jacobian(smooth, mode=mode, chunk_size=chunk_size, executor=pool)(X), due)
    due = dd.jacobian(layer, mode=mode, chunk_size=4)(X)
    assert np.array_equal(dd.jacobian(layer, mode=mode, chunk_size=4, executor=pool)(X), due)


@every_pool
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_containers_and_complex_numbers(pool: Any, mode: str) -> None:
    args: Any = ({"u": np.ones(3, np.float32), "v": np.arange(4.0)}, np.array([1 + 2j, 3j]))
    how: Any = {"argnums": (0, 1), "mode": mode, "chunk_size": 2}
    due = dd.value_and_jacobian(containers, **how)(*args, scale=2.0)
    got = dd.value_and_jacobian(containers, **how, executor=pool)(*args, scale=2.0)
    assert repr(got) == repr(due) and type(got[1][0]) is Pair


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(
    "f, x", [(smooth, X.astype(np.float32)), (np.negative, np.zeros(0)), (lambda x: [3.0, 4.0], X), (np.sin, 1)]
)
def test_float32_empty_and_constant(f: Callable[..., Any], x: Any, mode: str) -> None:
    due = dd.jacobian(f, mode=mode)(x)
    with ThreadPoolExecutor(2) as pool:
        got = dd.jacobian(f, mode=mode, chunk_size=3, executor=pool)(x)
    assert type(got) is type(due) and np.array_equal(got, due) and np.result_type(got) == np.result_type(due)


@every_pool
def test_closures_by_cloudpickle(pool: Any) -> None:
    pytest.importorskip("cloudpickle")
    factor = 3.0

    class Result(NamedTuple):  # which no module holds
        y: Any

    got = dd.jacobian(lambda x: Result(factor * x), chunk_size=4, executor=pool)(X)
    assert type(got) is Result and np.array_equal(got.y, 3.0 * np.eye(10))


@other_processes
def test_without_cloudpickle(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    assert np.array_equal(dd.jacobian(smooth, executor=pool)(X), dd.jacobian(smooth)(X))
    with pytest.raises(TypeError, match=r"jacobian: f and its arguments can't be sent.*install cloudpickle"):
        dd.jacobian(lambda x: x, executor=pool)(X)


@other_processes
def test_what_cannot_be_sent(pool: Any) -> None:
    pytest.importorskip("cloudpickle")
    with pytest.raises(TypeError, match="can't be sent to or from another process"):
        dd.jacobian(lambda x: (pool, x)[1], executor=pool)(X)
    with pytest.raises(TypeError, match="the result of f can't be sent"):
        dd.jacobian(hidden, executor=pool)(X)


# ---------------------------------------------------------------- nested derivatives


def test_threads_inside_another_derivative() -> None:
    with ThreadPoolExecutor(2) as pool:
        inner = dd.jacobian(lambda x, y: x * x * y, chunk_size=3, executor=pool)
        assert dd.derivative(lambda y: inner(X, y))(2.0) == pytest.approx(2 * np.diag(X))  # y in the arguments
        assert dd.derivative(lambda y: dd.jacobian(lambda x: x * y, executor=pool)(X))(2.0) == pytest.approx(np.eye(10))
        hessian = dd.jacobian(dd.jacobian(lambda x: x**3, chunk_size=4, executor=pool), chunk_size=3)(X)
        assert hessian[4, 4, 4] == pytest.approx(6 * X[4]) and np.count_nonzero(hessian) == 9


@other_processes
def test_processes_inside_another_derivative_are_refused(pool: Any) -> None:
    inner = dd.jacobian(np.multiply, chunk_size=3, executor=pool)
    with pytest.raises(dd.NotDifferentiableError, match=r"jacobian: inside another derivative.*ThreadPoolExecutor"):
        dd.derivative(lambda y: inner(X, y))(2.0)
    pytest.importorskip("cloudpickle")
    with pytest.raises(dd.NotDifferentiableError, match="inside another derivative"):
        dd.derivative(lambda y: dd.jacobian(lambda x: x * y, executor=pool)(X))(2.0)  # y in a closure
    assert np.array_equal(inner(X, dd.Dual(2.0))[:, 0].value, [2.0, *np.zeros(9)])  # a number of the user's own


def test_the_same_executor_inside_itself() -> None:
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(1) as other:
        nested = dd.jacobian(dd.jacobian(lambda x: x**3, executor=pool), executor=pool)
        assert other.submit(nested, np.ones(2)).result(timeout=20)[1, 1, 1] == 6.0


# ---------------------------------------------------------------- errors


@every_pool
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_errors_arrive_with_their_cause(pool: Any, mode: str) -> None:
    before = dd.jacobian(fails, mode=mode, chunk_size=3, executor=pool)
    with pytest.raises(KeyError, match="no such key") as caught:
        before(X)
    cause = caught.value.__cause__
    assert isinstance(cause, IndexError) or "IndexError" in str(cause)
    assert dd.jacobian(smooth, executor=pool)(X).shape == (10, 10)  # the pool has not suffered


@other_processes
def test_errors_that_cannot_be_pickled(pool: Any) -> None:
    class Own(Exception):  # which no module holds
        pass

    def own(x: Any) -> Any:
        raise Own(*x.value[:2])

    with pytest.raises(RuntimeError, match="jacobian: f raised Unpicklable: this and that"):
        dd.jacobian(fails_oddly, executor=pool)(X)
    pytest.importorskip("cloudpickle")
    with pytest.raises(Own) as caught:
        dd.jacobian(own, executor=pool)(X)
    assert caught.value.args == (X[0], X[1]) and "in own" in str(caught.value.__cause__)


def test_a_killed_worker() -> None:
    methods = multiprocessing.get_all_start_methods()
    with processes("fork" if "fork" in methods else methods[0]) as pool:
        for _ in range(2):  # and a broken pool stays broken
            with pytest.raises(BrokenExecutor):
                dd.jacobian(dies, chunk_size=1, executor=pool)(X)


def test_shut_down() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        dd.jacobian(smooth, executor=pool)(X)


@pytest.mark.parametrize(
    "how, error, match",
    [
        ({"executor": 3}, TypeError, "jacobian: executor must have a submit method.*not a int"),
        ({"executor": ThreadPoolExecutor}, TypeError, "not the class ThreadPoolExecutor"),
        ({"executor": ThreadPoolExecutor(1), "sparse": True}, ValueError, "jacobian: sparse Jacobians take few passes"),
        ({"executor": ThreadPoolExecutor(1), "chunk_size": 0}, ValueError, "chunk_size must be a positive int"),
        ({"mode": "reverse", "chunk_size": -1}, ValueError, "chunk_size must be a positive int"),
    ],
)
def test_arguments(how: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        dd.jacobian(smooth, **how)(X)


# ---------------------------------------------------------------- what executors are handed


class Late:
    """An executor that runs its tasks when the first result is asked for, the last one first."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, task: Callable[[], Any]) -> Future[Any]:
        executor = self

        class Lazy(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                while executor.waiting:
                    future, task = executor.waiting.pop()
                    future.set_result(task())
                return super().result(timeout)

        self.futures.append(Lazy())
        self.waiting.append((self.futures[-1], task))
        return self.futures[-1]


@pytest.mark.parametrize("chunk_size, count", [(1, 10), (3, 4), (10, 1), (99, 1), (None, None)])
def test_one_task_and_one_call_a_chunk(chunk_size: Any, count: Any) -> None:
    pool, calls = Late(), []

    def counted(x: Any) -> Any:
        calls.append(x)
        return smooth(x)

    got = dd.jacobian(counted, chunk_size=chunk_size, executor=pool)(X)
    assert np.array_equal(got, dd.jacobian(smooth)(X))
    cpus = os.cpu_count() or 1
    assert len(calls) == len(pool.futures) == (count or -(-10 // -(-10 // cpus)))


def test_what_has_not_begun_is_cancelled() -> None:
    pool = Late()
    with pytest.raises(KeyError):
        dd.jacobian(fails, chunk_size=1, executor=pool)(X)  # the last task is run first, and fails
    assert all(future.cancelled() for future in pool.futures)


def test_a_submit_without_futures() -> None:
    class Immediate:
        def submit(self, task: Callable[[], Any]) -> Any:
            return task()

    with pytest.raises(TypeError, match="jacobian: submit of Immediate returns no futures"):
        dd.jacobian(smooth, executor=Immediate())(X)


# ---------------------------------------------------------------- settings


@every_pool
def test_kinks_and_floating_point_errors(pool: Any) -> None:
    zero = np.zeros(3)
    assert np.array_equal(dd.jacobian(at_kink, chunk_size=1, executor=pool)(zero), np.zeros((3, 3)))
    with dd.kinks("lexicographic"):
        assert np.array_equal(dd.jacobian(at_kink, chunk_size=1, executor=pool)(zero), np.eye(3))
    with dd.kinks("raise"), pytest.raises(dd.KinkError, match=r"dd.relu.*at test_executors.py"):
        dd.jacobian(at_kink, chunk_size=1, executor=pool)(zero)
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        dd.jacobian(singular, chunk_size=1, executor=pool)(zero)
    with np.errstate(invalid="ignore"):
        assert np.isnan(dd.jacobian(singular, chunk_size=1, executor=pool)(zero)).any()


def test_the_callers_context_in_threads() -> None:
    setting: contextvars.ContextVar[float] = contextvars.ContextVar("setting", default=1.0)
    with ThreadPoolExecutor(2) as pool:
        token = setting.set(5.0)
        assert np.array_equal(dd.jacobian(lambda x: x * setting.get(), executor=pool)(X), 5 * np.eye(10))
        setting.reset(token)


@other_processes
def test_find_kinks_does_not_overlook_other_processes(pool: Any) -> None:
    with pytest.raises(ValueError, match="find_kinks: jacobian runs in other processes"):
        dd.find_kinks(lambda s: s * dd.jacobian(at_kink, executor=pool)(np.zeros(2))[0, 0], 1.0)


# ---------------------------------------------------------------- progress


@pytest.mark.parametrize("threads, mode", [(False, "forward"), (True, "forward"), (False, "reverse")])
def test_progress(threads: bool, mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    with ThreadPoolExecutor(2) as pool:
        how: Any = {"mode": mode, "chunk_size": 3, "executor": pool if threads else None}
        got = dd.jacobian(smooth, **how, progress=True)(X)
        shown = capsys.readouterr().err
        assert "jacobian: 100%" in shown and "4/4" in shown
        assert np.array_equal(dd.jacobian(smooth, **how)(X), got)
        assert not capsys.readouterr().err


def test_progress_without_tqdm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in ("tqdm", "tqdm.auto"):
        monkeypatch.setitem(sys.modules, module, None)
    assert np.array_equal(dd.jacobian(smooth, chunk_size=3, progress=True)(X), dd.jacobian(smooth)(X))
    assert not capsys.readouterr().err
