"""How long an import takes beyond NumPy's own, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from .timing import CLOCK

__all__ = ["LIMIT", "UNWANTED", "import_seconds", "loaded_by_import"]

LIMIT = 0.060  # seconds beyond numpy's
UNWANTED = ("sympy", "scipy")  # the oracle and the extra: loaded when first used

_TIMED = f"import time; start = time.{CLOCK}(); import {{}}; print(time.{CLOCK}() - start)"
_LOADED = "import sys, json, {}; print(json.dumps(sorted(sys.modules)))"


def import_seconds(packages: list[str], rounds: int) -> dict[str, float]:
    """Median seconds of `import package`, for numpy and each of `packages`; the first round warms up, uncounted."""
    packages = ["numpy", *packages]
    seconds: dict[str, list[float]] = {package: [] for package in packages}
    for _ in range(rounds + 1):
        for package in packages:
            seconds[package].append(float(_python(_TIMED.format(package))))
    return {package: median(times[1:]) for package, times in seconds.items()}


def loaded_by_import(package: str) -> set[str]:
    """The top-level modules present after `import package` in a fresh process."""
    return {name.partition(".")[0] for name in json.loads(_python(_LOADED.format(package)))}


def _python(code: str) -> str:
    root = Path(__file__).parents[2]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # which would time the compiler
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=root, env=env).stdout
