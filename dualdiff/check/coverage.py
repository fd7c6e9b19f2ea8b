"""Which functions of NumPy and SciPy are differentiable, have derivative zero, or are refused, and why."""

from __future__ import annotations

import importlib.util
import textwrap
from collections import Counter
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..core.table import COMPLEX, ELEMENTWISE, FUNCTIONS, PLAIN, REFUSED
from ..rules import scipy_table, special
from ..show.text import Table

# NumPy asks nobody about these functions. The first work on numbers with tangents all the same, ...
_PASSING = {
    "array asarray asanyarray ascontiguousarray asfortranarray asarray_chkfinite asmatrix bmat require full": (
        "keeps the numbers, as an array of objects; with like=x as one array"
    ),
    "zeros ones empty eye identity arange": "with like=x an array that can hold tangents",
    "zeros_like ones_like empty_like full_like": "an array that can hold tangents",
    "fromiter": "in functions that run with names followed",
    "row_stack trapz kaiser fft.fftfreq fft.rfftfreq": "composed of others",
}
# ... and these never meet one: they take or give something else.
_NEVER = {
    "bartlett blackman hamming hanning tri tril_indices triu_indices diag_indices mask_indices": "takes integers",
    "indices broadcast_shapes base_repr binary_repr": "takes integers",
    "fromfunction frompyfunc nested_iters iterable isscalar isfortran": "looks at what something is, or calls it",
    "isdtype issubdtype mintypecode promote_types typename datetime_data": "takes types",
    "busday_count busday_offset is_busday datetime_as_string": "takes dates",
    "from_dlpack frombuffer fromfile fromregex fromstring genfromtxt load loadtxt": "makes plain numbers",
    "format_float_positional format_float_scientific info get_include show_config show_runtime": "prints",
    "test linalg.test fft.test": "runs NumPy's tests",
    "get_printoptions set_printoptions printoptions getbufsize setbufsize geterr seterr geterrcall seterrcall": (
        "sets how NumPy works"
    ),
}
# SciPy's functions written in Python that call those in the table
_SCIPY_PASSING = {
    "h1vp h2vp ivp jvp kvp yvp": "not by v",
    "assoc_laguerre": "not by n, k",
    "lambertw": "not by k",
    "zeta": "not by x",
    "perm softplus sinc": "",
}
_FOLLOWED = "in the second run of a function, whose names are followed then"
_SCIPY_NEVER = {"test seterr geterr": "prints, or sets how SciPy works"}

KINDS = {
    "differentiable": "differentiable",
    "zero": "derivative zero: piecewise constant, or about values, shapes and types only",
    "refused": "refused with an error that says why",
    "never": "never meets a number with a tangent",
}


class Row(NamedTuple):
    """One function: `kind` is "differentiable", "zero", "refused" or "never"; `note` says why, or how."""

    function: str
    kind: str
    note: str


class Coverage(list[Row]):
    """The rows, which print as a table."""

    def counts(self) -> dict[str, int]:
        """How many functions there are of each kind."""
        return dict(Counter(row.kind for row in self))

    def table(self) -> Table:
        """How many functions of each package there are of each kind."""
        counts = Counter((_package(row.function), row.kind) for row in self)
        packages = dict.fromkeys(package for package, _ in counts)
        rows = [[package, *(str(counts[package, kind]) for kind in KINDS)] for package in packages]
        return Table(["functions of", *KINDS], rows, notes=["print(...) shows the functions, and why."])

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table().html()

    def __str__(self) -> str:
        lines = self.table()._replace(notes=()).lines()
        for kind, title in KINDS.items():
            lines += ["", f"{title} ({self.counts().get(kind, 0)})"]
            for note in sorted({row.note for row in self if row.kind == kind}):
                names = " ".join(row.function for row in self if row.kind == kind and row.note == note)
                lines += textwrap.wrap(f"{note}:", 115, initial_indent="  ", subsequent_indent="  ") if note else []
                lines += textwrap.wrap(names, 110, initial_indent="    ", subsequent_indent="    ")
        return "\n".join(lines)


def _package(function: str) -> str:
    return function.rpartition(".")[0].replace("np", "numpy")


def coverage() -> Coverage:
    """Which NumPy and, where SciPy is installed, SciPy functions are differentiable, zero, or refused and why.

    >>> import dualdiff as dd
    >>> table = coverage()
    >>> [row for row in table if row.function in ("np.sin", "np.floor", "np.nextafter")]
    [Row(function='np.floor', kind='zero', note=''), Row(function='np.nextafter', kind='refused', ...),
    Row(function='np.sin', kind='differentiable', note='')]

    Examples
    --------
    >>> table.counts()["differentiable"] > 300
    True
    """
    rows = [_row(name, function) for name, function in numpy_functions()]
    if importlib.util.find_spec("scipy") is not None:
        import scipy.special

        rows += [_special_row(name, function) for name, function in _functions(scipy.special)]
        followed = sorted({*scipy_table.BODIES, *scipy_table.NOTES})
        rows += [Row(f"scipy.{n}", "differentiable", scipy_table.NOTES.get(n, _FOLLOWED)) for n in followed]
        rows += [Row(f"scipy.{n}", "refused", why) for n, why in sorted(scipy_table.SOLVERS.items())]
    return Coverage(row for row in rows if row is not None)


def numpy_functions() -> Iterator[tuple[str, Any]]:
    """The public functions of numpy, numpy.linalg and numpy.fft, with their names as in "linalg.norm"."""
    for module, prefix in ((np, ""), (np.linalg, "linalg."), (np.fft, "fft.")):
        for name, function in _functions(module):
            yield prefix + name, function


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name in sorted(dir(module)):
        function = getattr(module, name)
        if not name.startswith("_") and callable(function) and not isinstance(function, type | ModuleType):
            yield name, function


def _noted(full: str, name: str, kind: str, notes: dict[str, str]) -> Row | None:
    return next((Row(full, kind, note) for names, note in notes.items() if name in names.split()), None)


def _row(name: str, function: Any) -> Row | None:
    """None for a function that is in no class: a gap, which the tests find."""
    full = "np." + name
    if function in ELEMENTWISE or function in FUNCTIONS or function in COMPLEX:
        return Row(full, "differentiable", "")
    if function in PLAIN:
        return Row(full, "zero", "")
    if function in REFUSED:
        return Row(full, "refused", REFUSED[function])
    return _noted(full, name, "differentiable", _PASSING) or _noted(full, name, "never", _NEVER)


def _special_row(name: str, function: Any) -> Row:
    full = "scipy.special." + name
    if name in special.__all__:
        return Row(full, "differentiable", "by dualdiff.rules.special, also in code that calls SciPy's")
    if not isinstance(function, np.ufunc):
        known = _noted(full, name, "differentiable", _SCIPY_PASSING) or _noted(full, name, "never", _SCIPY_NEVER)
        reason = "written in Python, it turns its arguments into plain arrays, or takes integers"
        return known or Row(full, "refused", reason)
    own = function.__name__
    if own in special.CONSTANT:
        return Row(full, "zero", "")
    partials = special.SPECIAL.get(own) or special.SEVERAL.get(own)
    if partials is None:
        return Row(full, "refused", "no closed form of its derivative is in the table")
    without = [p for p in partials if isinstance(p, str)]
    return Row(full, "differentiable", f"not by {', '.join(without)}" if without else "")
