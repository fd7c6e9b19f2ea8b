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
from tests.cases.every import EXAMPLES, OF_LISTS, REAL, as_tuple, inner, like, numbers
from tests.cases.tools import leaves

from .strict import Escaped, Strict, loosened, strict

FILE = Path(__file__).with_name("strict_failures.txt")
Function = Callable[..., Any]
Arrays = Sequence[Any]


def direction(f: Function, xs: Arrays, vs: Arrays) -> Any:
    return dd.jvp(f, tuple(xs), tuple(vs))


def many(f: Function, xs: Arrays, vs: Arrays) -> Any:
    """Three directions at once."""
    results = leaves(f(*[dd.Dual(x, np.stack([v, 0 * v, 2 * v])) for x, v in zip(xs, vs)]))
    return [r.tangent if isinstance(r, dd.Dual) else r for r in results]


def pullback(f: Function, xs: Arrays, vs: Arrays) -> Any:
    value, pull = dd.vjp(f, *xs)
    return value, as_tuple(pull(like(value, numbers(loosened(value)))))


def jacobian(f: Function, xs: Arrays, vs: Arrays, **how: Any) -> Any:
    if any(np.iscomplexobj(r) for r in [*xs, *leaves(loosened(f(*loosened(xs))))]):
        pytest.skip("complex")
    found = leaves(dd.jacobian(f, tuple(range(len(xs))), **how)(*xs))
    return [j if hasattr(j, "_array") else j.toarray() if hasattr(j, "toarray") else j for j in found]


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
    "row-local": lambda f, xs, vs: jacobian(f, xs, vs, sparse=True),
    "reverse": lambda f, xs, vs: jacobian(f, xs, vs, mode="reverse"),
    "jets": lambda f, xs, vs: dd.taylor(lambda a: f(*a), tuple(xs), 3, direction=tuple(vs)),
    "forward over reverse": forward_over_reverse,
    "reverse over forward": reverse_over_forward,
}
NAMES = [name for name in REAL if name not in OF_LISTS]


def compare(name: str, transform: str) -> None:
    f, arrays, directions = EXAMPLES[name]()
    if transform in ("jets", "row-local") and any(map(np.iscomplexobj, arrays)):
        pytest.skip("complex")
    due = TRANSFORMS[transform](f, arrays, directions)
    got = TRANSFORMS[transform](f, strict(arrays), strict(directions))
    for g, d in zip(leaves(loosened(got)), leaves(due), strict=True):
        assert np.shape(g) == np.shape(d)
        size = np.max(np.abs(d), initial=0, where=np.isfinite(d))
        np.testing.assert_allclose(g, d, rtol=1e-11, atol=1e-12 * (1 + size))


def known() -> set[tuple[str, str]]:
    rows = (line.split(" | ") for line in FILE.read_text(encoding="utf-8").splitlines()) if FILE.exists() else ()
    return {(transform, name) for transform, name in rows}


@pytest.mark.xfail(run=False, strict=False, reason="values of any kind are on their way")
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, transform: str) -> None:
    compare(name, transform)


def test_what_asks_for_the_memory_is_refused() -> None:
    x = Strict(np.ones(3))
    for act in (np.asarray, float, lambda x: x.item(), lambda x: x.base, lambda x: x.flags, lambda x: x.tolist()):
        with pytest.raises(Escaped):
            act(x)
    assert not hasattr(x, "__array_interface__") and not isinstance(x, np.ndarray)
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
        except pytest.skip.Exception:
            pass
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
