"""Peers that build a derivative before they call it: CasADi from symbols, asdex and sparsejac with JAX's compiler.

Each builds at its first call, from the arguments it is then given, as its user would; later calls only run.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .tools import Function, Tool, Transform, _version

__all__ = ["asdex", "casadi", "sparsejac"]

COLOURED = 200_000  # inputs up to which symbols, or a colouring in Python, take seconds and not minutes


def _at_first_call(build: Callable[..., Function]) -> Function:
    """The function that `build(*args)` makes at the first call."""
    built: list[Function] = []

    def derived(*args: Any) -> Any:
        if not built:
            built.append(build(*args))
        return built[0](*args)

    return derived


def casadi() -> Tool:
    """CasADi, its virtual machine on buffers that are used again and again: the way with the least overhead."""
    import casadi as ca

    if hasattr(ca.GlobalOptions, "setNumpyMode"):
        ca.GlobalOptions.setNumpyMode(-1)
    numpy = ModuleType("casadi")  # NumPy's functions work on its symbols; the name tells works that branches don't
    numpy.__dict__.update({name: value for name, value in vars(np).items() if name != "__name__"})

    def compiled(expressions: Callable[[Any, list[Any]], list[Any]], is_sparse: bool = False) -> Transform:
        def build(f: Function, *args: Any) -> Function:
            symbols = [ca.SX.sym(f"x{i}", np.size(arg)) for i, arg in enumerate(args)]
            function = ca.Function("derivative", symbols, expressions(f, symbols))
            buffer, evaluate = function.buffer()
            inputs = [np.empty(np.size(arg)) for arg in args]
            results, answers = [], []
            for i, own in enumerate(inputs):
                buffer.set_arg(i, memoryview(own))
            for i in range(function.n_out()):
                pattern = function.sparsity_out(i)
                result = np.empty(pattern.nnz())
                buffer.set_res(i, memoryview(result))
                results.append(result)
                answers.append(_csc(result, pattern) if is_sparse else result.reshape(pattern.shape, order="F"))
            answer = answers[0] if len(answers) == 1 else tuple(answers)

            def run(*args: Any) -> Any:
                for own, arg in zip(inputs, args):
                    own[:] = arg
                evaluate()
                return answer

            run.buffer = buffer  # type: ignore[attr-defined]  # which the compiled function writes to
            return run

        return lambda f, *pattern: _at_first_call(lambda *args: build(f, *args))

    def gradient(f: Function, x: list[Any]) -> list[Any]:
        return [ca.densify(ca.gradient(f(*x), each)) for each in x]

    def jvp(f: Function, x: list[Any]) -> list[Any]:
        return [f(x[0]), ca.jtimes(f(x[0]), *x)]

    transforms = {
        "derivative": compiled(gradient),
        "gradient": compiled(gradient),
        "jacobian": compiled(lambda f, x: [ca.densify(ca.jacobian(f(*x), *x))]),
        "hessian": compiled(lambda f, x: [ca.densify(ca.hessian(f(*x), *x)[0])]),
        "jvp": compiled(jvp),
        "hvp": compiled(lambda f, x: [ca.jtimes(ca.gradient(f(x[0]), x[0]), *x)]),
        "sparse": compiled(lambda f, x: [ca.jacobian(f(*x), *x)], is_sparse=True),
        "sparse hessian": compiled(lambda f, x: [ca.hessian(f(*x), *x)[0]], is_sparse=True),
    }
    # Every product of a matrix becomes as many symbols.
    limits = {"gradient": COLOURED, "jvp": COLOURED, "hvp": COLOURED, "jacobian": 20}
    limits |= {"sparse": COLOURED, "sparse hessian": COLOURED}
    return Tool("casadi", _version("casadi"), numpy, transforms, limits=limits, traced=False)


def _csc(data: Any, pattern: Any) -> Any:
    """A SciPy array on the same memory, which CasADi fills."""
    from scipy.sparse import csc_array

    return csc_array((data, np.array(pattern.row()), np.array(pattern.colind())), shape=pattern.shape, copy=False)


def _jax_compiled(name: str, build: dict[str, Callable[..., Function]]) -> Tool:
    """A tool on top of JAX; `build` by kind takes f, the pattern and the arguments."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def finish(builder: Callable[..., Function]) -> Transform:
        def transformed(f: Function, pattern: Any) -> Function:
            derived = _at_first_call(lambda *args: jax.jit(builder(f, pattern, *args)))
            return lambda *args: jax.block_until_ready(derived(*args))

        return transformed

    transforms = {kind: finish(builder) for kind, builder in build.items()}
    limits = dict.fromkeys(transforms, COLOURED)
    return Tool(name, _version(name), jnp, transforms, lambda x: jnp.asarray(x, float), limits, traced=False)


def asdex() -> Tool:
    """asdex: finds the pattern in JAX's own program of the function, and colours it."""
    import asdex as asd

    return _jax_compiled(
        "asdex",
        {"sparse": lambda f, pattern, x: asd.jacobian(f, x), "sparse hessian": lambda f, pattern, x: asd.hessian(f, x)},
    )


def sparsejac() -> Tool:
    """sparsejac: is given the pattern, and colours it."""
    import sparsejac as sj
    from jax.experimental.sparse import BCOO

    def build(f: Function, pattern: Any, x: Any) -> Function:
        return sj.jacfwd(f, sparsity=BCOO.from_scipy_sparse(pattern))  # type: ignore[no-any-return]

    return _jax_compiled("sparsejac", {"sparse": build})
