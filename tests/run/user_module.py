"""A module of a user's, with functions that store into arrays they make."""

from typing import Any

import numpy


def squares(x: Any) -> Any:
    y = numpy.zeros(len(x))
    for i, v in enumerate(x):
        y[i] = square(v)
    return y


def square(v: Any) -> Any:
    y = numpy.empty(1)
    y[0] = v * v
    return y[0]


def cubes(x: Any) -> Any:
    y = numpy.full(len(x), 3.0)
    y[:] = x**3
    return y
