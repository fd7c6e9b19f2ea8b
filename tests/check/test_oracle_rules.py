"""Every rule of the table against the oracle, which knows none of them, at 50 digits.

A new rule fails here until it is decided how it is checked: by the oracle, or elsewhere and why.
"""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp

import dualdiff as dd
from dualdiff.core.table import ELEMENTWISE, FUNCTIONS, Elementwise
from tests import accuracy
from tests.cases.elementwise import NUMPY

# ---------------------------------------------------------------- elementwise rules


def accurate(function: Any, slack: float) -> int:
    """Assert that its errors are those in the table, as far as the function itself is accurate here; how many points.

    A function less accurate on this processor or in this release adds twice its error: its square is in some slopes.
    """
    name, worst, count = accuracy.row(function)
    for error, stated in zip(worst, accuracy.stated()[name]):
        assert (error is None) == (stated is None)
        if error is None:
            continue
        limit = slack * (stated + 2)
        if error > limit:
            limit += 2 * accuracy.own_error(function)
        assert error <= limit
        assert error <= 8 or isinstance(function, str)
    return count


@pytest.mark.parametrize("function", NUMPY, ids=accuracy.label)
def test_elementwise(function: Any) -> None:
    """At most 8 units in the last place, at extreme points, kinks and ties too, and no more than the table says."""
    assert accurate(function, slack=1) >= 80


def test_every_elementwise_rule_has_a_check() -> None:
    """By the oracle, by all operands, unless it is in the table of exceptions, which has only what must be there."""
    for function in NUMPY:
        if function in accuracy.BY_HAND:
            with pytest.raises(dd.NotDifferentiableError, match="no symbolic form"):
                dd.oracle.symbolic(function, "x y")
        else:
            assert len(accuracy.due(function)) == len(ELEMENTWISE[function].partials)
    with pytest.raises(dd.NotDifferentiableError, match="no symbolic form"):
        accuracy.reference(np.nextafter, 0, 2)  # as of a new rule that the oracle doesn't know


def test_where_no_derivative_is_compared_there_is_none() -> None:
    for function in (np.power, np.float_power):
        with pytest.raises(ValueError, match="not a real number"):
            accuracy.reference(function, 1, 2)(-2.0, 3.0)


@pytest.mark.parametrize(
    "function, wrong",
    [
        (np.sin, lambda m, x, y: m.cos(x) * (1 + 4e-15)),
        (np.tanh, lambda m, x, y: 1 - y * y),  # cancels
        (np.absolute, lambda m, x, y: m.where(x == 0, 1.0, m.sign(x))),  # another convention at the kink
    ],
    ids=accuracy.label,
)
def test_the_check_finds_a_wrong_rule(monkeypatch: pytest.MonkeyPatch, function: Any, wrong: Any) -> None:
    monkeypatch.setitem(ELEMENTWISE, function, Elementwise(function, (wrong,)))
    with pytest.raises(AssertionError):
        test_elementwise(function)


@pytest.mark.parametrize("name", accuracy.SPECIAL)
def test_special(name: str) -> None:
    """scipy.special, whose own accuracy changes between its releases."""
    pytest.importorskip("scipy.special")
    assert accurate(name, slack=2) >= 40


def test_the_table_has_a_line_for_each_function() -> None:
    assert [*accuracy.stated()] == [*map(accuracy.label, [*NUMPY, *accuracy.SPECIAL])]


# ---------------------------------------------------------------- functions

SHAPES: dict[str, tuple[int, ...]] = {"c": (), "u": (3,), "v": (3,), "A": (2, 3), "B": (3, 2), "S": (3, 3)}
SHAPES["T"] = (2, 2, 2)
REDUCTIONS = """
np.sum(A)  np.sum(T, axis=(0, 2), keepdims=True)  np.mean(A, 0)  np.prod(A, axis=1)  np.var(A, axis=1, ddof=1)
np.std(A)  np.max(A)  np.min(A, axis=0)  np.amax(A, 1)  np.amin(A)  np.ptp(A, 1)  np.clip(A, 0.75, u)  np.cumsum(A, 1)
np.cumprod(A)  np.cumulative_sum(u)  np.cumulative_prod(u)  np.diff(A, 2)  np.ediff1d(A)
np.trace(S)  np.average(A, axis=1, weights=u)
np.nansum(A)  np.nanprod(A)  np.nanmean(A, 0)  np.nanmax(A)  np.nanmin(A)  np.nanvar(A)  np.nanstd(A)  np.nancumsum(A)
np.nancumprod(u)  np.nanmedian(A)  np.median(u)  np.sort(A, axis=0)  np.partition(u, 1)
np.trapezoid(A, u)  np.gradient(u)  np.gradient(u, np.cumsum(v * v))  np.apply_over_axes(np.sum, A, 1)
np.apply_along_axis(np.prod, 0, A)  np.sum(np.abs(A))  np.sum(dd.relu(A - u))
"""
PRODUCTS = """
np.dot(A, B)  np.dot(u, v)  np.vdot(A, A)  np.inner(A, u)  np.outer(u, v)  np.matmul(T, T)  np.matvec(A, u)
np.kron(A, u)  np.vecmat(u, B)  np.vecdot(A, u)  np.tensordot(A, B, 1)  np.tensordot(T, T, 2)
np.einsum('ij,jk,k->i', A, B, u[:2])
np.einsum('ii->i', S)  np.cross(u, v)  np.convolve(u, v)  np.correlate(u, v, 'full')  np.polyval(u, v)
np.polyadd(u, v[1:])  np.polysub(u, v)  np.polymul(u, v)  np.polyder(u)  np.polyint(u)  np.poly(u)  np.vander(u)
"""
LINALG = """
np.linalg.norm(u)  np.linalg.norm(A)  np.linalg.norm(A, axis=1)  np.linalg.norm(u, 1)  np.linalg.norm(A, np.inf)
np.linalg.norm(u, np.inf)  np.linalg.norm(u, 3)  np.linalg.vector_norm(A, axis=0)  np.linalg.matrix_norm(A)
np.linalg.det(S)  np.linalg.slogdet(S)  np.linalg.inv(S)  np.linalg.solve(S, u)  np.linalg.solve(S, B)
np.linalg.cholesky(S @ S.T)  np.linalg.matrix_power(S, 3)  np.linalg.matrix_power(S, -1)  np.linalg.outer(u, v)
np.linalg.multi_dot([A, B, A])  np.linalg.cross(u, v)  np.linalg.matmul(A, B)  np.linalg.tensordot(A, B, axes=1)
np.linalg.vecdot(u, v)  np.linalg.trace(S)  np.linalg.diagonal(S)  np.linalg.matrix_transpose(A)
"""
CHOICES = """
np.where(A > 1, A**2, u)  np.select([A > 1, A > 0.75], [A**2, 3 * A], -A)  np.choose([0, 1, 0], [u, v])  np.modf(A)
np.piecewise(u, [u > 1, u < 0], [lambda x: x * x, lambda x: -x, lambda x: 3 * x])  np.divmod(A, u)  np.nan_to_num(A)
np.real_if_close(A)  np.real(A)  np.angle(A)  np.unwrap(6 * u)  np.sinc(A)  np.unique(u)  np.union1d(u, v)
np.setxor1d(u, v)  np.setdiff1d(u, v)  np.trim_zeros(u)  np.extract([True, False, True], u)
np.compress([True, False, True], A, 1)
"""
MOVES = """
np.append(A, u)  np.array_split(u, 2)  np.split(A, 3, 1)  np.hsplit(A, 3)  np.vsplit(A, 2)  np.dsplit(T, 2)
np.astype(A, float)  np.atleast_1d(c)  np.atleast_2d(u)  np.atleast_3d(A)  np.block([[A], [u]])
np.broadcast_arrays(A, u)  np.broadcast_to(u, (2, 3))  np.column_stack([u, B])  np.concatenate([A, S])
np.stack([u, v], 1)  np.hstack([u, v])
np.vstack([A, u])  np.dstack([u, v])  np.copy(A)  np.delete(A, 1, 1)  np.insert(u, 1, c)  np.diag(u)  np.diag(S)
np.diagflat(u)  np.diagonal(S)  np.expand_dims(A, 1)  np.flip(A)  np.fliplr(A)  np.flipud(A)  np.ix_(u, v)
np.matrix_transpose(A)  np.meshgrid(u, v)  np.moveaxis(T, 0, 2)  np.pad(A, 1)  np.pad(u, 2, mode='reflect')  np.ravel(A)
np.repeat(u, 2)  np.reshape(A, (3, 2))  np.resize(u, (2, 2))  np.roll(A, 1, 1)  np.rollaxis(T, 2)  np.rot90(A)
np.squeeze(A[:, None])  np.swapaxes(A, 0, 1)  np.take(A, [2, 0], 1)  np.take_along_axis(A, np.array([[2], [0]]), 1)
np.tile(u, 2)  np.transpose(A)  np.tril(S)  np.triu(S)  np.unstack(A)  np.fft.fftshift(A)  np.fft.ifftshift(A)
"""
# Checked by differences in the files of their kind, since the oracle can't: it has no complex numbers and no arrays of
# floats to write into; roots, eigenvalues and the like are iterations; it has no words for the rest.
ELSEWHERE = {
    "complex": "fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn sort_complex imag",
    "writes": "copyto place putmask put put_along_axis fill_diagonal",
    "iterates": "roots polyfit i0 eig eigh eigvals eigvalsh svd svdvals qr cond lstsq pinv",
    "unknown": """quantile percentile nanquantile nanpercentile cov corrcoef interp polydiv linspace geomspace logspace
                  bincount histogram histogram_bin_edges tensorinv tensorsolve unique_all unique_counts unique_inverse
                  unique_values frexp sliding_window_view""",
}
# As they are before any test adds some, without those of the spaces themselves.
RULES = {f for f in FUNCTIONS if not str(getattr(f, "__module__", "")).startswith("dualdiff")}


def sources(table: str) -> list[str]:
    """The expressions of a table, without functions that this NumPy doesn't have."""
    known = lambda source: all(hasattr(np, name) for name in re.findall(r"np\.(\w+)", source))
    return [source for source in re.split(r"\s{2,}|\n", table.strip()) if known(source)]


CASES = sources(REDUCTIONS + PRODUCTS + LINALG + CHOICES + MOVES)
KINKED = [s for s in CASES if re.search(r"max|min|ptp|clip|where|relu|abs|norm\(u|vector_norm|median|nan_to", s)]


def test_every_function_is_checked_here_or_known_to_be_checked_elsewhere() -> None:
    here = {attrgetter(name)(np) for source in CASES for name in re.findall(r"np\.((?:linalg\.|fft\.)?\w+)", source)}
    names = {name for group in ELSEWHERE.values() for name in group.split()}
    assert {f.__name__ for f in RULES - here} == names
    tests = next(p for p in Path(__file__).parents if p.name == "tests")
    others = [*tests.rglob("test_*.py"), *tests.glob("cases/*.py")]
    others.remove(Path(__file__))
    text = "".join(path.read_text(encoding="utf-8") for path in others)
    assert {re.sub("fft[2n]$", "fft", name) for name in names} - set(re.findall(r"\w+", text)) == set()


def check(source: str, arrays: dict[str, Any]) -> None:
    """The Jacobian by all arrays, within a few units in the last place of the largest entry."""
    f = eval(f"lambda {', '.join(arrays)}: {source}", {"np": np, "dd": dd})

    def flat(*x: Any) -> Any:
        result = f(*x)
        return np.concatenate([np.ravel(r) for r in result]) if isinstance(result, (list, tuple)) else result

    values, argnums = tuple(arrays.values()), tuple(range(len(arrays)))
    exact = dd.oracle.jacobian(flat, *(x.shape for x in values), argnums=argnums, assume=values)
    for got, expressions in zip(dd.jacobian(flat, argnums)(*values), exact):
        due = np.asarray(expressions.at(*values)).astype(float)
        assert got.shape == due.shape
        error = np.max(np.abs(got - due), initial=0)
        assert error <= 16 * np.spacing(np.max(np.abs(due), initial=0))


def arrays_of(source: str, seed: int) -> dict[str, Any]:
    """Positive numbers; of both signs; many of them equal or zero. The square matrix is far from a singular one."""
    rng, result = np.random.default_rng(seed), {}
    for name in (n for n in SHAPES if n in compile(source, "", "eval").co_names):
        x = rng.uniform(0.5, 1.5, SHAPES[name])
        x = x * rng.choice([1, -1], x.shape) if seed == 1 else rng.integers(-1, 2, x.shape) * 0.75 if seed == 2 else x
        result[name] = x + 3 * np.eye(3) if name == "S" else x
    return result


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("source", CASES)
def test_jacobian(source: str, seed: int) -> None:
    check(source, arrays_of(source, seed))


@pytest.mark.parametrize("source", KINKED)
def test_jacobian_at_ties_and_kinks(source: str) -> None:
    check(source, arrays_of(source, 2))


def test_the_check_finds_a_wrong_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FUNCTIONS, np.cumsum, lambda a, axis=None: np.cumsum(dd.value(a), axis) + 0 * a)
    with pytest.raises(AssertionError):
        check("np.cumsum(A, 1)", arrays_of("A", 0))


def test_i0() -> None:
    """Of which the oracle knows only the ufunc of SciPy."""
    x = np.array([-30.0, -1.0, 0.0, 1e-8, 0.5, 7.0, 30.0])
    with mp.workdps(50):
        due = [float(mp.besseli(1, v)) for v in x.tolist()]
    np.testing.assert_allclose(dd.jvp(np.i0, (x,), (np.ones_like(x),))[1], due, rtol=5e-15)
