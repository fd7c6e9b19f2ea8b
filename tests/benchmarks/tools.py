"""dualdiff and its peers behind one face: a tool turns a function into the derivative that a work asks for.

A peer is used when it is installed and left out when it isn't. To add one, write its function and list it in `TOOLS`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["OURS", "TOOLS", "Tool", "installed"]

Function = Callable[..., Any]
Transform = Callable[..., Function]

# This library's tools, and how their lines of the table are told apart.
OURS = {
    "dualdiff": "",
    "dualdiff reverse": ", reverse mode",
    "dualdiff compiled": ", compiled",
    "dualdiff compiled reverse": ", compiled, reverse mode",
    "dualdiff numba": ", compiled, numba",
}
DENSE = 5000  # inputs up to which a tool that stores all partial derivatives of every element is asked


@dataclass
class Tool:
    """`np` is the numpy module the differentiated function is written with, `array` how it wants its arguments.

    `transforms` by kind of work give functions: `derivative` and `gradient` of the same arguments (`gradient` with
    respect to all of them: a tuple, if several; `parameters` the same, where only reverse mode makes sense), `jacobian`
    and `hessian` of x, `sparse` and `sparse hessian` too, which are also given the pattern as a SciPy array, `jvp` of
    (x, v), returning value and tangent, `hvp` of (x, v), and `record` of x, returning the value of a function that is
    recorded for reverse mode. `limits` by kind: how many inputs are too many. `rtol`: see `Call`. `traced`: whether
    tracemalloc sees the memory it takes.
    """

    name: str
    version: str
    np: Any
    transforms: dict[str, Transform]
    array: Callable[[Any], Any] = lambda x: x
    limits: dict[str, int] = field(default_factory=dict)
    rtol: float = 1e-9
    traced: bool = True

    def differentiate(self, kind: str, make: Callable[[Any], Function], *pattern: Any) -> Function:
        """The derivative of the function that `make` writes with this tool's numpy."""
        return self.transforms[kind](make(self.np), *pattern)

    def can(self, kind: str, inputs: int) -> bool:
        """Whether this tool has such a derivative, for so many inputs."""
        return kind in self.transforms and inputs <= self.limits.get(kind, inputs)


def _argnums(f: Function) -> Any:
    """Every argument of `f`: 0 if it has one."""
    count = len(inspect.signature(f).parameters)
    return tuple(range(count)) if count > 1 else 0


def _with_direction(transform: Callable[[Function, Any, Any], Any]) -> Transform:
    """A transform of f and (x, v) from one that takes all three at once."""
    return lambda f: lambda x, v: transform(f, x, v)


def _transforms(gradient: Callable[[Function, Any], Function], **others: Transform) -> dict[str, Transform]:
    """The table of a library whose gradient takes `f` and argnums, as most do."""
    return {"gradient": lambda f: gradient(f, _argnums(f)), **others}


def dualdiff() -> Tool:
    """This library, forward mode."""
    import dualdiff as dd

    transforms = _transforms(
        dd.gradient,
        derivative=dd.derivative,
        jacobian=dd.jacobian,
        sparse=lambda f, pattern: dd.jacobian(f, sparse=True),
        hessian=dd.hessian,
        jvp=_with_direction(lambda f, x, v: dd.jvp(f, (x,), (v,))),
        hvp=_with_direction(dd.hvp),
        record=lambda f: lambda x: dd.vjp(f, x)[0],
    )
    transforms["sparse hessian"] = lambda f, pattern: dd.hessian(f, sparse=True)
    return Tool("dualdiff", _version("dualdiff"), np, transforms)


def dualdiff_reverse() -> Tool:
    """This library, reverse mode."""
    import dualdiff as dd

    def gradient(f: Function) -> Function:
        return dd.gradient(f, _argnums(f), mode="reverse")

    transforms = {"gradient": gradient, "parameters": gradient, "jacobian": lambda f: dd.jacobian(f, mode="reverse")}
    return Tool("dualdiff reverse", "", np, transforms)


def dualdiff_compiled() -> Tool:
    """This library's programs."""
    return _compiled(dualdiff(), "dualdiff compiled")


def dualdiff_compiled_reverse() -> Tool:
    return _compiled(dualdiff_reverse(), "dualdiff compiled reverse")


def dualdiff_numba() -> Tool:
    """The programs as machine code."""
    return _compiled(dualdiff(), "dualdiff numba", backend="numba")


def _compiled(tool: Tool, name: str, **options: Any) -> Tool:
    import dualdiff as dd

    def compiled(transform: Transform) -> Transform:
        return lambda *args: dd.compile(transform(*args), **options)

    return Tool(name, "", np, {kind: compiled(t) for kind, t in tool.transforms.items() if kind != "record"})


def autograd() -> Tool:
    """HIPS autograd: reverse mode, and forward mode for jvp."""
    import autograd as ag
    import autograd.numpy as ag_np

    transforms = _transforms(
        ag.grad,
        parameters=lambda f: ag.grad(f, _argnums(f)),
        derivative=ag.grad,
        jacobian=ag.jacobian,
        hessian=ag.hessian,
        jvp=_with_direction(lambda f, x, v: ag.make_jvp(f)(x)(v)),
        hvp=_with_direction(lambda f, x, v: ag.hessian_vector_product(f)(x, v)),
        record=lambda f: lambda x: ag.make_vjp(f)(x)[1],
    )
    return Tool("autograd", _version("autograd"), ag_np, transforms)


def _jax(name: str, compile: bool) -> Tool:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def finish(transform: Transform) -> Transform:
        def transformed(f: Function) -> Function:
            derivative = jax.jit(transform(f)) if compile else transform(f)
            return lambda *args: jax.block_until_ready(derivative(*args))

        return transformed

    transforms = _transforms(
        jax.grad,
        parameters=lambda f: jax.grad(f, _argnums(f)),
        derivative=jax.grad,
        jacobian=jax.jacfwd,
        hessian=jax.hessian,
        jvp=_with_direction(lambda f, x, v: jax.jvp(f, (x,), (v,))),
        hvp=_with_direction(lambda f, x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]),
    )
    if not compile:
        transforms["record"] = lambda f: lambda x: jax.vjp(f, x)[0]
    finished = {kind: finish(transform) for kind, transform in transforms.items()}
    return Tool(name, _version("jax"), jnp, finished, lambda x: jnp.asarray(x, float), traced=False)


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

    transforms = _transforms(
        func.grad,
        parameters=lambda f: func.grad(f, _argnums(f)),
        derivative=func.grad,
        jacobian=func.jacrev,
        hessian=func.hessian,
        jvp=_with_direction(lambda f, x, v: func.jvp(f, (x,), (v,))),
        hvp=_with_direction(lambda f, x, v: func.jvp(func.grad(f), (x,), (v,))[1]),
        record=lambda f: lambda x: func.vjp(f, x)[0],
    )

    def array(x: Any) -> Any:
        return pt.as_tensor(x, dtype=pt.float64)

    return Tool("torch", _version("torch"), pt, transforms, array, traced=False)


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

    def hessian(f: Function) -> Function:
        both = fd.autohess(lambda *x: f(np.array(x)))
        return lambda x: both(*x)[1]

    transforms = {"derivative": derivative, "gradient": gradient, "jacobian": jacobian, "hessian": hessian}
    limits = {"gradient": DENSE}
    return Tool("fastdual", _version("fastdual"), np, transforms, limits=limits, traced=False)


def advect() -> Tool:
    """advect, not staged: reverse mode for gradients, forward mode for jvp."""
    import advect as ad

    transforms = _transforms(
        ad.grad,
        parameters=lambda f: ad.grad(f, _argnums(f)),
        derivative=ad.grad,
        jacobian=ad.jacobian,
        hessian=ad.hessian,
        jvp=_with_direction(lambda f, x, v: ad.jvp(f)(x, tangents=v)),
        hvp=_with_direction(lambda f, x, v: ad.hvp(f)(x, vectors=v)[1]),
        record=lambda f: lambda x: ad.vjp(f)(x)[0],
    )
    return Tool("advect", _version("advect"), np, transforms)


def dualpy() -> Tool:
    """dualpy: forward mode, dual arrays."""
    import dualpy as dp

    transforms = _transforms(
        dp.gradient,
        derivative=dp.derivative,
        jacobian=dp.jacobian,
        hessian=dp.hessian,
        jvp=_with_direction(lambda f, x, v: dp.jvp(f, x, v)),
        hvp=_with_direction(lambda f, x, v: dp.hvp(f, v)(x)),
    )
    limits = {"gradient": DENSE, "hvp": DENSE}
    return Tool("dualpy", _version("dualpy"), np, transforms, limits=limits)


def scipy_differences() -> Tool:
    """SciPy's 2-point differences: half of the digits at best."""
    from scipy.optimize import approx_fprime

    def differences(f: Function) -> Function:
        return lambda x: approx_fprime(x, f)

    def gradient(f: Function) -> Function:
        return (lambda *x: approx_fprime(np.array(x), lambda x: f(*x))) if _argnums(f) else differences(f)

    transforms = {"gradient": gradient, "jacobian": differences}
    limits = {"gradient": DENSE}
    return Tool("differences", _version("scipy"), np, transforms, limits=limits, rtol=1e-3)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a checkout on the path
        return ""


def _from(name: str) -> Callable[[], Tool]:
    """A tool of the module for compilers and patterns, which is looked into when it is asked for."""
    return lambda: getattr(importlib.import_module(".sparse_tools", __package__), name)()  # type: ignore[no-any-return]


# The package to look for, the tools it brings.
TOOLS: dict[str, list[Callable[[], Tool]]] = {
    "dualdiff": [dualdiff, dualdiff_reverse, dualdiff_compiled, dualdiff_compiled_reverse],
    "advect": [advect],
    "asdex": [_from("asdex")],
    "autograd": [autograd],
    "casadi": [_from("casadi")],
    "dualpy": [dualpy],
    "fastdual": [fastdual],
    "jax": [jax_eager, jax_jit],
    "numba": [dualdiff_numba],
    "scipy": [scipy_differences],
    "sparsejac": [_from("sparsejac")],
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
                if package == "dualdiff":
                    raise
                continue
            found += [make() for make in makers]
    return found
