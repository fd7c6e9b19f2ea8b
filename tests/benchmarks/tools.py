"""dualdiff and its peers behind one face: a tool turns a function into the derivative that a work asks for.

A peer is used when it is installed and left out when it isn't. To add one, write its function and list it in `TOOLS`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["TOOLS", "Tool", "installed"]

Function = Callable[..., Any]
Transform = Callable[[Function], Function]


@dataclass
class Tool:
    """`np` is the numpy module the differentiated function is written with, `array` how it wants its arguments.

    `transforms` by kind of work: `derivative` and `gradient` give a function of the same arguments (`gradient` with
    respect to all of them: a tuple, if several), `jacobian` of x, and `jvp` of (x, v), returning value and tangent.
    """

    name: str
    version: str
    np: Any
    transforms: dict[str, Transform]
    array: Callable[[Any], Any] = lambda x: x

    def differentiate(self, kind: str, make: Callable[[Any], Function]) -> Function | None:
        """The derivative of the function that `make` writes with this tool's numpy; None if the tool has no such."""
        transform = self.transforms.get(kind)
        return transform(make(self.np)) if transform else None


def _argnums(f: Function) -> Any:
    """Every argument of `f`: 0 if it has one."""
    count = len(inspect.signature(f).parameters)
    return tuple(range(count)) if count > 1 else 0


def _transforms(
    derivative: Transform, gradient: Callable[[Function, Any], Function], jacobian: Transform, jvp: Transform
) -> dict[str, Transform]:
    """The table of a library whose gradient takes `f` and argnums, as most do."""

    def of_all_arguments(f: Function) -> Function:
        return gradient(f, _argnums(f))

    return {"derivative": derivative, "gradient": of_all_arguments, "jacobian": jacobian, "jvp": jvp}


def dualdiff() -> Tool:
    """This library."""
    import dualdiff as dd

    def jvp(f: Function) -> Function:
        return lambda x, v: dd.jvp(f, (x,), (v,))

    return Tool("dualdiff", _version("dualdiff"), np, _transforms(dd.derivative, dd.gradient, dd.jacobian, jvp))


def autograd() -> Tool:
    """HIPS autograd: reverse mode, and forward mode for jvp."""
    import autograd as ag
    import autograd.numpy as ag_np

    def jvp(f: Function) -> Function:
        push = ag.make_jvp(f)
        return lambda x, v: push(x)(v)

    return Tool("autograd", _version("autograd"), ag_np, _transforms(ag.grad, ag.grad, ag.jacobian, jvp))


def _jax(name: str, compile: bool) -> Tool:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def finish(transform: Transform) -> Transform:
        def transformed(f: Function) -> Function:
            derivative = jax.jit(transform(f)) if compile else transform(f)
            return lambda *args: jax.block_until_ready(derivative(*args))

        return transformed

    def jvp(f: Function) -> Function:
        return lambda x, v: jax.jvp(f, (x,), (v,))

    transforms = _transforms(jax.grad, jax.grad, jax.jacfwd, jvp)
    finished = {kind: finish(transform) for kind, transform in transforms.items()}
    return Tool(name, _version("jax"), jnp, finished, lambda x: jnp.asarray(x, float))


def jax_eager() -> Tool:
    """JAX without compilation: reverse mode for gradients, forward mode for the rest."""
    return _jax("jax", compile=False)


def jax_jit() -> Tool:
    """The same, compiled before the clock starts."""
    return _jax("jax jit", compile=True)


def torch() -> Tool:
    """torch.func: reverse mode for gradients and Jacobians, forward mode for jvp."""
    import torch as pt
    from torch import func

    def jvp(f: Function) -> Function:
        return lambda x, v: func.jvp(f, (x,), (v,))

    transforms = _transforms(func.grad, func.grad, func.jacrev, jvp)
    return Tool("torch", _version("torch"), pt, transforms, lambda x: pt.as_tensor(x, dtype=pt.float64))


def fastdual() -> Tool:
    """fastdual: forward mode, dual numbers in C, arrays as arrays of them."""
    import fastdual as fd

    def derivative(f: Function) -> Function:
        def derived(x: float) -> Any:
            fd.reset()
            seed = fd.Dual(x)
            return fd.der(f(seed), seed)

        return derived

    def gradient(f: Function) -> Function:
        def several(*args: float) -> Any:
            fd.reset()
            seeds = [fd.Dual(x) for x in args]
            result = f(*seeds)
            return tuple(fd.der(result, seed) for seed in seeds)

        return several if _argnums(f) else jacobian(f)

    def jacobian(f: Function) -> Function:
        def derived(x: Any) -> Any:
            fd.reset()
            seeds = fd.DualArray(x)
            return fd.jac(f(seeds), seeds)

        return derived

    transforms: dict[str, Transform] = {"derivative": derivative, "gradient": gradient, "jacobian": jacobian}
    return Tool("fastdual", _version("fastdual"), np, transforms)


def advect() -> Tool:
    """advect, not staged: reverse mode for gradients, forward mode for jvp."""
    import advect as ad

    def jvp(f: Function) -> Function:
        push = ad.jvp(f)
        return lambda x, v: push(x, tangents=v)

    return Tool("advect", _version("advect"), np, _transforms(ad.grad, ad.grad, ad.jacobian, jvp))


def dualpy() -> Tool:
    """dualpy: forward mode, dual arrays."""
    import dualpy as dp

    def jvp(f: Function) -> Function:
        return lambda x, v: dp.jvp(f, x, v)

    return Tool("dualpy", _version("dualpy"), np, _transforms(dp.derivative, dp.gradient, dp.jacobian, jvp))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a checkout on the path
        return ""


# The package to look for, the tools it brings.
TOOLS: dict[str, list[Callable[[], Tool]]] = {
    "dualdiff": [dualdiff],
    "advect": [advect],
    "autograd": [autograd],
    "dualpy": [dualpy],
    "fastdual": [fastdual],
    "jax": [jax_eager, jax_jit],
    "torch": [torch],
}


def installed(names: list[str] | None = None) -> list[Tool]:
    """The tools whose packages import here, dualdiff first; with `names`, only of those packages."""
    found = []
    for package, makers in TOOLS.items():
        if names is None or package in names:
            try:
                importlib.import_module(package)
            except ImportError:
                continue
            found += [make() for make in makers]
    return found
