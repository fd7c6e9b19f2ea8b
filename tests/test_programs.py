"""Random programs with views, assignments and singular points: every mode and space gives the same derivatives.

Forward mode with one direction at a time is the reference: it is held against differences and the oracle elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dualdiff as dd

MIXING = np.random.default_rng(0).normal(size=(4, 4))
ROUTING = np.array([[0.0, 1, 0, 0], [1, 0, 0, 2], [0, 0, 1, 0], [0, 3, 0, 0]])
SMOOTH = """
y = x * 1
y[{i}] = y[{j}] * z[{k}]
y[{i}:] *= z[{j}]
z = np.sin(y) + x
y = y + z[::-1]
w = y[{i}:{i} + 2]; w *= 2.0; z = z * w[0]
y = np.where(z > 0, y, z * y)
z = np.cumsum(y) * 0.3
y = np.concatenate([z[1:], y[:1]])
z = A @ y * 0.2
y = np.maximum(y, z * 0.5)
r = y.reshape(2, -1); r[0] += r[1]
z[:] = y
y = np.roll(y, 1) - z
z = np.exp(-(y**2))
y[[0, 0, {i}]] = z[:3]
z = y / (1 + np.sum(y**2))
y += z
y = np.sort(y)
z = np.stack([y, z]).sum(axis=0)
m = y > 0; y[m] = z[m] * 0.5
z = np.outer(y, z)[{i}]
y = np.tanh(z) * np.linalg.norm(y)
z = np.clip(z, -1, 1.0)
t = y.T; t[...] = t * z
y = np.zeros_like(x); y[{i}] = z[{j}]; y = y + x
z = np.array([y, z])[{i} % 2] + np.array([y[0], 1.0, z[{j}], 2.0])
""".strip().splitlines()
# Tangents passed on as they are, then written over: what was computed from them stays.
PASSED_ON = """
z = y + 1.0; y[{i}] = x[{j}] * z[{k}]
z = +y; y[{i}:] *= 2.0; y = y * 1
y = np.zeros_like(x); y[{i}] = z[{j}]; z = y + 1.0; y[{k}] = x[{i}]
t = y - 2.0; y += x; y[{j}] = t[{i}]; z = t
t = np.add(0.5, z); z[{k}] = y[{j}]; t[{i}] = 0.0; y = t
z = y + np.array([1.0, 2.0, 3.0, 4.0]); z[{j}] *= y[{i}]
t = y.copy(); y[{i}] = z[{j}]; z = t + z
""".strip().splitlines()
SINGULAR = """
y = np.sqrt(np.abs(z))
y = np.maximum(y, z)
z = np.where(y > 0.5, z, np.sqrt(np.abs(y)))
y = y * z
z = np.cbrt(y)
y = np.clip(z, 0.0, 1.0)
z = z * 0.0 + y
y = y[::-1]
z = np.minimum(z, 0.5)
y = np.sum(y) + z
z = B @ y
y = np.concatenate([y[:2], z[2:]])
z = np.power(np.abs(y), 1.5)
z = dd.relu(y)
y = np.log(1e-300 + np.abs(z))
y[0] = np.sqrt(z[1] * z[1])
z = np.hypot(y, z)
z = z - y
y = np.max(z) * y
y = np.linalg.norm(y) + z
w = y[0]; y = np.where(w > 0, w, 0.0) * z
z = np.stack([np.maximum(y[0], z[1]), np.sqrt(abs(y[1])), y[2], z[3]])
""".strip().splitlines()
SEEDS = [*range(100), 4743, 7182, 8644, 45954]


def program(steps: list[str], seed: int, longest: int) -> tuple[str, Callable[[Any], Any]]:
    rnd = random.Random(seed)
    chosen = [rnd.choice(steps) for _ in range(rnd.randrange(1, longest))]
    chosen = [s.format(i=rnd.randrange(3), j=rnd.randrange(4), k=rnd.randrange(4)) for s in chosen]
    body = ["y = x * 1", "z = x + 0.0", *chosen, "return y * z + y"]
    source = "def f(x):\n" + "\n".join("    " + line for line in body)
    scope: dict[str, Any] = {"np": np, "dd": dd, "A": MIXING, "B": ROUTING}
    exec(source, scope)
    return source, scope["f"]


HOW: dict[str, dict[str, Any]] = {
    "all directions": {},
    "reverse": {"mode": "reverse"},
    "reverse, one by one": {"mode": "reverse", "chunk_size": 1},
    "row-local": {"sparse": True},
}


def others(f: Callable[[Any], Any], x: Any) -> dict[str, Any]:
    found = {}
    for name, how in HOW.items():
        value, jacobian = dd.value_and_jacobian(f, **how)(x)
        np.testing.assert_allclose(value, f(x), rtol=1e-13, atol=1e-14, err_msg=name)
        found[name] = jacobian if isinstance(jacobian, np.ndarray) else jacobian.toarray()
    return found


@pytest.mark.parametrize(
    "steps, seed", [(SMOOTH, k) for k in SEEDS] + [(SMOOTH[::3] + PASSED_ON, k) for k in range(50)]
)
def test_views_and_assignments(steps: list[str], seed: int) -> None:
    source, f = program(steps, seed, 9)
    x = np.random.default_rng(seed).normal(size=4)
    due = dd.jacobian(f, chunk_size=1)(x)
    for name, got in others(f, x).items():
        np.testing.assert_allclose(got, due, rtol=1e-9, atol=1e-10 * (1 + np.abs(due).max()), err_msg=name + source)
    second = dd.jacobian(dd.jacobian(f, chunk_size=1), chunk_size=1)(x)
    for inner, outer in (("reverse", "forward"), ("forward", "reverse"), ("reverse", "reverse")):
        got = dd.jacobian(dd.jacobian(f, mode=inner), mode=outer)(x)
        tolerance = 1e-9 * (1 + np.abs(second).max())
        np.testing.assert_allclose(got, second, rtol=1e-8, atol=tolerance, err_msg=f"{outer} over {inner} {source}")


@pytest.mark.parametrize("seed", [*range(150), 1439, 21001])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of f itself
def test_singular_points(seed: int) -> None:
    """Where both are numbers they are the same, and forward mode's spaces agree on what is none."""
    source, f = program(SINGULAR, seed, 6)
    x = np.array([random.Random(seed + k).choice([0.0, 0.0, 1.0, -1.0, 0.25, 4.0]) for k in range(0, 4000, 1000)])
    due = dd.jacobian(f, chunk_size=1)(x)
    for name, got in others(f, x).items():
        both = np.isfinite(got) & np.isfinite(due)
        np.testing.assert_allclose(got[both], due[both], rtol=1e-9, atol=1e-9, err_msg=f"{name} at {x} {source}")
        if "reverse" not in name:
            np.testing.assert_array_equal(np.isfinite(got), np.isfinite(due), err_msg=f"{name} at {x} {source}")
