"""Passes handed to executors: the chunks of a Jacobian as tasks for threads, processes, or the workers of a cluster.

A task need not be told where it will run. An executor of threads calls it as it is: it runs in a copy of the caller's
context, on the caller's objects. Any other pickles it, whereby it packs f and its arguments once for all chunks, by
cloudpickle where that is installed, with the settings of the caller's context that change results.
"""

from __future__ import annotations

import contextvars
import io
import os
import pickle
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError
from ..core.kinks import STATE, within
from ..core.number import Number, of_a_call

# The executors in a thread of which we run: a task that waited for others of its own executor might wait forever.
_AROUND: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("dualdiff.executors", default=())


def check_executor(name: str, executor: Any, sparse: Any) -> None:
    if executor is None:
        return
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        what = f"the class {executor.__name__}" if isinstance(executor, type) else f"a {type(executor).__name__}"
        raise TypeError(
            f"{name}: executor must have a submit method, as concurrent.futures.ThreadPoolExecutor() and "
            f"ProcessPoolExecutor() have, and dask.distributed's Client(...).get_executor(); not {what}"
        )
    if sparse is not False:
        raise ValueError(f"{name}: sparse Jacobians take few passes, which are made here; executor is for dense ones")


def chunk_of(name: str, n: int, chunk_size: Any, most: int, executor: Any) -> int:
    """How many of n directions a pass carries: with an executor, an even share for each CPU of this machine."""
    if chunk_size is None:
        share = n if executor is None else -(-n // (os.cpu_count() or 1))
        return max(1, min(share, most))
    if not isinstance(chunk_size, int | np.integer) or isinstance(chunk_size, bool) or chunk_size < 1:
        raise ValueError(f"{name}: chunk_size must be a positive int or None, not {chunk_size!r}")
    return int(chunk_size)


def passes(
    name: str, run: Callable[..., Any], shared: Any, jobs: Sequence[tuple[Any, ...]], executor: Any, progress: bool
) -> list[Any]:
    """`run(shared, *job)` for each job, in the order of the jobs, by the executor if there is one."""
    if executor is None or any(executor is e for e in _AROUND.get()):
        return [run(shared, *job) for job in _shown(jobs, name, progress)]
    work = _Work(name, run, shared)
    futures: list[Any] = []
    try:
        for job in jobs:
            futures.append(executor.submit(_Task(work, job, executor)))
        if not all(hasattr(future, "result") for future in futures):
            raise TypeError(f"{name}: submit of {type(executor).__name__} returns no futures, which have result()")
        results = [future.result() for future in _shown(futures, name, progress)]
    except BaseException as failure:
        for future in futures:  # what has not begun is not wanted any more
            getattr(future, "cancel", lambda: None)()
        if work.failed is not None:  # as it was raised, not as the executor wraps it
            raise work.failed from work.failed.__cause__
        if isinstance(failure, WorkerError):
            failure.__cause__ = None  # the same text once more, from some executors
            raise pickle.loads(failure.packed) from failure.with_traceback(None)
        raise
    return [pickle.loads(r) if isinstance(r, bytes) else r for r in results]


def _shown(steps: Sequence[Any], name: str, progress: bool) -> Iterable[Any]:
    """The same with a progress bar, if that is wanted and tqdm installed."""
    if progress:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return steps
        return tqdm(steps, desc=name, unit="pass")  # type: ignore[no-any-return]
    return steps


# ---------------------------------------------------------------- tasks


class _Work:
    """What the tasks of one call share, and the settings that results depend on."""

    def __init__(self, name: str, run: Callable[..., Any], shared: Any) -> None:
        state = STATE.get()
        self.name, self.content, self._packed = name, (run, shared), b""
        mode, tol = ("subgradient", 0.0) if state is None else (state.mode, state.tol)
        self.settings = (np.geterr(), mode, tol)
        self.failed: Exception | None = None

    def packed(self) -> bytes:
        if self.failed is not None:
            raise self.failed.with_traceback(None)
        try:
            if self.settings[1] == "find":
                raise ValueError(f"find_kinks: {self.name} runs in other processes, where kinks would be missed")
            self._packed = self._packed or _dumps(self.name, "f and its arguments", self.content)
        except Exception as error:
            self.failed = error
            raise
        return self._packed


class _Task:
    """One pass, as it is called in a thread of this process."""

    def __init__(self, work: _Work, job: tuple[Any, ...], executor: Any) -> None:
        self.work, self.job, self.context = work, job, contextvars.copy_context()
        self.context.run(_AROUND.set, (*_AROUND.get(), executor))
        self.__name__ = work.name  # which dask shows

    def __call__(self) -> Any:
        run, shared = self.work.content
        return self.context.run(run, shared, *self.job)

    def __reduce__(self) -> Any:
        return _PackedTask, (self.work.name, self.work.packed(), self.work.settings, self.job)


class _PackedTask:
    """One pass, as it arrives in another process."""

    def __init__(self, name: str, packed: bytes, settings: tuple[Any, str, float], job: tuple[Any, ...]) -> None:
        self.name, self.packed, self.settings, self.job = name, packed, settings, job

    def __call__(self) -> bytes:
        errors, mode, tol = self.settings
        try:
            with np.errstate(**errors), within(mode, tol):
                run, shared = pickle.loads(self.packed)
                result = run(shared, *self.job)
            return _dumps(self.name, "the result of f", result)
        except Exception as error:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            try:
                packed = _dumps(self.name, "the exception", error)
                pickle.loads(packed)
            except Exception:  # it would not arrive, and might break the pool
                packed = pickle.dumps(RuntimeError(f"{self.name}: f raised {type(error).__name__}: {error}"))
        raise WorkerError(packed, text)


class WorkerError(Exception):
    """The traceback in another process, as text: the cause of the exception that comes out here."""

    def __init__(self, packed: bytes, text: str) -> None:
        super().__init__(packed, text)
        self.packed, self.text = packed, text

    def __str__(self) -> str:
        return f"in another process:\n{self.text}"


def _dumps(name: str, what: str, content: Any) -> bytes:
    """Pickled by value where that is needed and cloudpickle installed, else by reference; without others' Duals."""
    picklers: list[Any] = [pickle.Pickler]
    try:
        import cloudpickle
    except ImportError:
        pass
    else:
        picklers.insert(0, cloudpickle.CloudPickler)
    failed: Exception | None = None
    for base in picklers:
        stream = io.BytesIO()
        try:
            _checked(base, name)(stream, pickle.HIGHEST_PROTOCOL).dump(content)
            return stream.getvalue()
        except NotDifferentiableError:
            raise
        except Exception as error:
            failed = failed or error
    advice = "" if len(picklers) > 1 else "; define them at the top level of a module, or install cloudpickle"
    raise TypeError(f"{name}: {what} can't be sent to or from another process ({failed}){advice}") from failed


def _checked(base: Any, name: str) -> Any:
    """A pickler that refuses the numbers of derivative calls around this one, wherever f hides them."""

    class Checked(base):  # type: ignore[misc]
        def reducer_override(self, x: Any) -> Any:
            if isinstance(x, Number) and of_a_call(x._tag):
                raise NotDifferentiableError(
                    f"{name}: inside another derivative an executor must run in threads of this process, since other "
                    "processes don't know the numbers of the outer call; use ThreadPoolExecutor, or give the executor "
                    "to the outer derivative"
                )
            return super().reducer_override(x) if hasattr(base, "reducer_override") else NotImplemented

    return Checked
