"""Machine code of generated functions, by Numba."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

NUMBA = ("get_num_threads", "njit", "prange", "set_num_threads")
_POOL = threading.Lock()
HEAD = f"from math import *\n\nimport numpy as np\nfrom numba import {', '.join(NUMBA)}\n\n\n"


class Machine(NamedTuple):
    """How machine code is made."""

    threads: int = 1
    cache: bool = False

    @property
    def decorator(self) -> str:
        return f'@njit(error_model="numpy"{", cache=True" * self.cache}{", parallel=True" * (self.threads > 1)})\n'


def functions(text: str, machine: Machine) -> dict[str, Any]:
    """The functions that a text defines; they come from a file where Numba is to keep their machine code."""
    if not machine.cache:
        scope: dict[str, Any] = {}
        exec(HEAD + text, scope)
        return scope
    name = f"loops_{hashlib.sha256((HEAD + text).encode()).hexdigest()[:32]}"
    path = cache_directory() / f"{name}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        other = path.with_suffix(f".{os.getpid()}")
        other.write_text(HEAD + text, encoding="utf-8")
        other.replace(path)  # whole at once, whoever else writes it
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """One call at a time: Numba's own pool of threads, where there is no other, ends the process if two meet in it."""

    def call(*args: Any) -> Any:
        with _POOL:
            return function(*args)

    return call


def cache_directory() -> Path:
    """Where machine code is kept: a folder `dualdiff` in NUMBA_CACHE_DIR, or in the user's cache."""
    base = os.environ.get("NUMBA_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache") / "dualdiff"
