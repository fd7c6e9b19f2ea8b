"""Rules by differences, in place of a formula: `define_rule(f, numerical="central")`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, user_line
from ..core.values import dtype_of, shape_of
from ..run.stencils import refuse_nonanalytic, slope_at_zero
from .linearised import Layout, linearised, pack
from .userrule import Point, Rule, has_tangent


class Differences:
    """The linearisation of a rule's function at a point, of which the arguments `which` vary."""

    def __init__(
        self, rule: Rule, method: str, args: Sequence[Any], kwargs: dict[str, Any], which: Sequence[int]
    ) -> None:
        if has_tangent(args):
            raise NotDifferentiableError(
                f"{rule.name}{user_line()}: its rule is numerical, with no second derivative; give partials= or jvp= "
                "in its place"
            )
        self.rule, self.method, self.args, self.kwargs = rule, method, args, kwargs
        reals = [np.zeros((), dtype_of(args[k])).real.dtype for k in which]
        self.dtype = min(reals, key=lambda d: d.itemsize)
        if method == "complex_step":
            draw = np.random.RandomState(0).uniform
            units = {k: draw(0.5, 1, shape_of(args[k])) * np.where(args[k] == 0, 1, args[k]) for k in which}
            refuse_nonanalytic(rule.name, self.line(units), self.dtype)

    def line(self, directions: dict[int, Any]) -> Callable[[Any], Any]:
        """The results in one vector as a function of t, where arguments are moved by t times their directions."""

        def f(t: Any) -> Any:
            args = list(self.args)
            for k, v in directions.items():
                x = np.asarray(args[k])
                moved = (x + t * v).astype(np.result_type(x, np.complex64) if isinstance(t, complex) else x.dtype)
                args[k] = moved if isinstance(args[k], np.ndarray) else moved.item()
            y = self.rule.result(self.rule.function(*args, **self.kwargs))
            return pack(y if isinstance(y, tuple) else [y])

        return f

    def along(self, directions: dict[int, Any]) -> Any:
        """The tangents of the results, in one vector; steps are those of the argument that moves farthest."""
        sizes = [np.max(np.abs(v) / np.maximum(np.abs(self.args[k]), 1)) for k, v in directions.items()]
        size = float(max(sizes))
        return slope_at_zero(self.line({k: v / size for k, v in directions.items()}), self.method, self.dtype) * size


def by_differences(method: str, point: Point, ts: Sequence[Any]) -> Any:
    """The tangent of a function of any kind: two calls of it for each direction."""
    differences = Differences(point.rule, method, point.args, point.kwargs, point.which)
    results = Layout(point.results)

    def jvp(_: Any, tangents: Sequence[Any], **__: Any) -> Any:
        found = differences.along({k: t for k, t in enumerate(tangents) if t is not None and np.any(t)})
        parts = results.parts(found)
        return tuple(parts) if isinstance(point.y, tuple) else parts[0]

    return linearised(jvp, None, point, ts)


def partial_by_differences(rule: Rule, method: str, k: int, *args: Any, **kwargs: Any) -> Any:
    """The partial derivative of an elementwise function by argument k: one direction moves all elements."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    moved = list(args)
    moved[k] = np.broadcast_to(args[k], shape)[()] if shape else args[k]
    step = np.maximum(np.abs(moved[k]), 1)
    return Differences(rule, method, moved, kwargs, [k]).along({k: step}).reshape(shape) / step
