"""Every case, in every transform, on values that are no ndarrays: the results are those of ndarrays.

`python -m tests.test_strict` lists, for each transform, the lines of the package at which cases fail, the worst first;
`python -m tests.test_strict --write` writes the list of known failures, which must only become shorter.
"""

from __future__ import annotations

import collections
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dualdiff as dd
from dualdiff.core.tangents import Structured
from dualdiff.run.call import Call
from tests import local
from tests.cases.every import EXAMPLES, OF_LISTS, REAL, as_tuple, inner, like, numbers
from tests.cases.tools import leaves

from .strict import Escaped, Strict, loosened, strict

FILE = Path(__file__).with_name("strict_failures.txt")
Function = Callable[..., Any]
Arrays = Sequence[Any]


class NotApplicable(Exception):
    """The transform is not made for this case."""


def direction(f: Function, xs: Arrays, vs: Arrays) -> Any:
    return dd.jvp(f, tuple(xs), tuple(vs))


def many(f: Function, xs: Arrays, vs: Arrays) -> Any:
    """Three directions at once."""
    call = Call("test", f, tuple(range(len(xs))), tuple(xs), {})
    values, tangents, _ = call.run([np.stack([v, 0 * v, 2 * v]) for v in vs])
    return [values, *(np.zeros((3, *np.shape(v))) if t is None else t for v, t in zip(values, tangents))]


def row_local(f: Function, xs: Arrays, vs: Arrays) -> Any:
    """The Jacobian from a sum of few terms a row."""
    return [t.dense() if isinstance(t, Structured) else t for t in local.tangents(f, xs)[1] if t is not None]


def pullback(f: Function, xs: Arrays, vs: Arrays) -> Any:
    value, pull = dd.vjp(f, *xs)
    return value, as_tuple(pull(like(value, numbers(loosened(value)))))


def jacobian(f: Function, xs: Arrays, vs: Arrays, **how: Any) -> Any:
    if any(np.iscomplexobj(r) for r in [*xs, *leaves(loosened(f(*loosened(xs))))]):
        raise NotApplicable
    return dd.jacobian(f, tuple(range(len(xs))), **how)(*xs)


def forward_over_reverse(f: Function, xs: Arrays, vs: Arrays) -> Any:
    def pull(*x: Any) -> Any:
        value, pullback = dd.vjp(f, *x)
        return as_tuple(pullback(like(value, numbers(loosened(dd.value(value))))))

    return dd.jvp(pull, tuple(xs), tuple(vs))[1]


def reverse_over_forward(f: Function, xs: Arrays, vs: Arrays) -> Any:
    def along(*x: Any) -> Any:
        tangent = dd.jvp(f, x, tuple(vs))[1]
        return inner(numbers(loosened(dd.value(tangent))), tangent)

    return as_tuple(dd.vjp(along, *xs)[1](1.0))


TRANSFORMS: dict[str, Any] = {
    "one direction": direction,
    "many directions": many,
    "pullback": pullback,
    "jacobian": jacobian,
    "row-local": row_local,
    "reverse": lambda f, xs, vs: jacobian(f, xs, vs, mode="reverse"),
    "jets": lambda f, xs, vs: dd.taylor(lambda a: f(*a), tuple(xs), 3, direction=tuple(vs)),
    "forward over reverse": forward_over_reverse,
    "reverse over forward": reverse_over_forward,
}
NAMES = [name for name in REAL if name not in OF_LISTS]


def compare(name: str, transform: str) -> None:
    f, arrays, directions = EXAMPLES[name]()
    try:
        due = TRANSFORMS[transform](f, arrays, directions)
    except NotApplicable:
        return
    got = TRANSFORMS[transform](f, strict(arrays), strict(directions))
    for g, d in zip(leaves(loosened(got)), leaves(due), strict=True):
        assert np.shape(g) == np.shape(d)
        size = np.max(np.abs(d), initial=0, where=np.isfinite(d))
        np.testing.assert_allclose(g, d, rtol=1e-11, atol=1e-12 * (1 + size))


def known() -> dict[str, set[str]]:
    """The transforms that are known to fail, by the case's name."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for line in FILE.read_text(encoding="utf-8").splitlines():
        transform, _, name = line.partition(" | ")
        found[name].add(transform)
    return found


KNOWN = known()


@pytest.mark.parametrize("name", NAMES)
def test_case(name: str) -> None:
    """In every transform, apart from those that are known to fail."""
    for transform in TRANSFORMS:
        if transform not in KNOWN[name]:
            compare(name, transform)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_failures_fail(name: str) -> None:
    """What has come right leaves the list: `python -m tests.test_strict --write`."""
    for transform in KNOWN[name]:
        with pytest.raises(Exception):  # noqa: B017 - whatever it is
            compare(name, transform)


def test_a_dual_of_strict_values() -> None:
    """A Dual goes before such a value, on either side of an operator."""
    x, v, w = Strict(np.arange(3.0)), Strict(np.ones(3)), Strict(np.full(3, 2.0))
    dual = dd.Dual(x, v)
    assert isinstance(dual.value, Strict) and isinstance(dual.tangent, Strict)
    for product in (dual * w, w * dual, np.multiply(w, dual), np.multiply(dual, w)):
        assert isinstance(product, dd.DualArray) and isinstance(product.value, Strict)
        np.testing.assert_array_equal(loosened(product.tangent), [2, 2, 2])
    np.testing.assert_array_equal(loosened((w @ dual).tangent), 6)
    assert isinstance(np.concatenate([w, dual]), dd.DualArray)


def test_what_asks_for_the_memory_is_refused() -> None:
    x = Strict(np.ones(3))
    for act in (np.asarray, np.array, float, complex, lambda x: np.sum([x, x])):
        with pytest.raises(Escaped):
            act(x)
    assert not isinstance(x, np.ndarray) and not any(hasattr(x, n) for n in ("__array_interface__", "flags", "item"))
    assert x[1:].base is x.T[:2].base is x.reshape(3, 1).base is x and (x + 1).base is x[0].base is None
    assert bool(x[0] == 1) and loosened((x + np.ones(3))[1:] @ np.ones(2)) == 4
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x == 1)


def failures(transform: str) -> dict[str, Exception]:
    found: dict[str, Exception] = {}
    for name in NAMES:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                compare(name, transform)
        except Exception as error:
            found[name] = error
    return found


def place(error: Exception) -> str:
    """The innermost line of the package, and what went wrong there."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/dualdiff/" in f.filename]
    where = f"{frames[-1].filename.rpartition('/dualdiff/')[2]}:{frames[-1].lineno} {frames[-1].line}" if frames else ""
    return f"{where}   {type(error).__name__}: {str(error).strip().splitlines()[:1]}"


def main(arguments: list[str]) -> None:
    chosen = [t for t in TRANSFORMS if t in arguments] or list(TRANSFORMS)
    lines = []
    for transform in chosen:
        found = failures(transform)
        lines += [f"{transform} | {name}\n" for name in found]
        print(f"\n{transform}: {len(found)} of {len(NAMES)} fail")
        at = collections.defaultdict(list)
        for name, error in found.items():
            at[place(error)].append(name)
        for line, names in sorted(at.items(), key=lambda item: -len(item[1])):
            print(f"{len(names):5}  {line}\n         {'   '.join(names[:3])}")
    if "--write" in arguments:
        FILE.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
