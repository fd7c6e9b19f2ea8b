"""The works: a function, the derivative a person would write by hand, and the targets where there are some.

Every work is built for the tools given and at a size: `tiny` ones are for the tests, which check answers only.
"""

from __future__ import annotations

from . import dense, overheads, scalars, solves, sparse
from .work import HAND, Build, Target, Work, compiled, wrong_answers

__all__ = ["GROUPS", "HAND", "WORKS", "Build", "Target", "Work", "wrong_answers"]

_REVERSE = "dualdiff reverse"

WORKS: dict[str, Build] = {
    "scalar": scalars.scalar,
    "multiplication": scalars.multiplication,
    "gradient3": scalars.gradient3,
    "small_arrays": scalars.small_arrays,
    "jvp3": scalars.jvp3,
    "recording": scalars.recording,
    "rosenbrock10": dense.rosenbrock(10, *compiled(1.3, reverse=True)),
    "rosenbrock1000": dense.rosenbrock(1000, Target(6), Target(20, "f", _REVERSE), *compiled(1.3, reverse=True)),
    "rosenbrock1e6": dense.rosenbrock(1_000_000, Target(3), *compiled(1.3, reverse=True)),
    "ackley10": dense.ackley(10),
    "ackley1000": dense.ackley(1000),
    "ackley1e6": dense.ackley(1_000_000),
    "jvp": dense.jvp,
    "reverse": dense.reverse,
    "training": dense.training,
    "network10": dense.network(10, Target(2.5), *compiled(1.05)),
    "network100": dense.network(100, *compiled(1.05)),
    "network500": dense.network(500, Target(1.1, "two products"), *compiled(1.05)),
    "robertson": solves.chemistry_jacobian,
    "residuals": solves.fit_jacobian,
    "solve_A": dense.solve("A"),
    "solve_b": dense.solve("b"),
    "hessian10": dense.rosenbrock_hessian(10),
    "hessian100": dense.rosenbrock_hessian(100, *compiled(2)),
    "hvp1000": dense.rosenbrock_hvp(1000, *compiled(2)),
    "hvp1e6": dense.rosenbrock_hvp(1_000_000, Target(8, "f"), *compiled(8, "f")),
    "solve_robertson_lsoda": solves.chemistry("LSODA"),
    "solve_robertson_radau": solves.chemistry("Radau"),
    "solve_brusselator": solves.diffusion(),
    "solve_fit": solves.fit(),
    "solve_bratu": solves.bratu(),
    "solve_rosenbrock5": solves.minimum(5),
    "solve_rosenbrock30": solves.minimum(30),
    "few_rosenbrock": overheads.beside_batch(dense.rosenbrock(50)),
    "few_network": overheads.beside_batch(dense.network(50)),
    "few_burgers": overheads.beside_batch(sparse.burgers(50)),
    "few_brusselator": overheads.beside_batch(sparse.brusselator2(5)),
    "burgers1000": sparse.burgers(1000, *compiled(1.3, sparse.PATTERN)),
    "burgers1e6": sparse.burgers(1_000_000, Target(2), *compiled(1.3, sparse.PATTERN)),
    "brusselator1": sparse.brusselator1(100_000),
    "brusselator2": sparse.brusselator2(224, *compiled(1.3, sparse.PATTERN)),
    "bundle": sparse.bundle(10_000, Target(3), *compiled(1.3)),
    "sparse_hessian": sparse.hessian(100_000),
    "first_call": sparse.first_call(100_000, Target(1.2, "later calls")),
    "memory_burgers": overheads.peak(sparse.burgers(1_000_000), Target(10, overheads.RESULT)),
    "memory_brusselator": overheads.peak(sparse.brusselator2(224), Target(10, overheads.RESULT)),
    "memory_bundle": overheads.peak(sparse.bundle(10_000), Target(10, overheads.RESULT)),
    "memory_rosenbrock": overheads.peak(dense.rosenbrock(1_000_000)),
    "memory_reverse": overheads.peak(dense.reverse),
}

_GROUPS = {
    "small: numbers, and arrays of a few": "scalar multiplication gradient3 small_arrays jvp3 recording rosenbrock10 "
    "ackley10 network10 robertson few_rosenbrock few_network",
    "arrays": "rosenbrock1000 rosenbrock1e6 ackley1000 ackley1e6 jvp reverse training network100 network500 residuals "
    "solve_A solve_b",
    "sparse": "few_burgers few_brusselator burgers1000 burgers1e6 brusselator1 brusselator2 bundle sparse_hessian "
    "first_call",
    "second order": "hessian10 hessian100 hvp1000 hvp1e6",
    "whole solves": "solve_robertson_lsoda solve_robertson_radau solve_brusselator solve_fit solve_bratu "
    "solve_rosenbrock5 solve_rosenbrock30",
    "memory: the peak": "memory_burgers memory_brusselator memory_bundle memory_rosenbrock memory_reverse",
}
GROUPS = {name: group for group, names in _GROUPS.items() for name in names.split()}
