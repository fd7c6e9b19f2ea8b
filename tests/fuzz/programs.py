"""Random programs of NumPy code: lines drawn from templates and the tables of cases, kept if plain NumPy runs them.

A program is its argument, its lines and its result, all text but the argument, so that it can be cut down and printed.
"""

from __future__ import annotations

import ast
import random
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import dualdiff as dd
from tests.cases import arrays, fft, functions, linalg, special
from tests.cases.tools import expressions

MEMORY: dict[str, Callable[[Any], Any]] = {
    "{}": np.ascontiguousarray,
    "np.asfortranarray({})": np.asfortranarray,
    "np.repeat({}, 2, axis=-1)[..., ::2]": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "np.flip(np.flip({}).copy())": lambda a: np.flip(np.flip(a).copy()),
    "np.broadcast_to({}[:1], {}.shape)": lambda a: np.broadcast_to(a[:1], a.shape),
}
rng = np.random.default_rng(5)
SCOPE: dict[str, Any] = {"np": np, "dd": dd, "L": np.linalg, "F": np.fft, "sp": special.sp, "signed": linalg.signed}
for shape in [(3,), (4,), (3, 4), (4, 4), (2, 3), (3, 3)]:
    for order, moved in enumerate(MEMORY.values()):
        SCOPE[f"K{order}_" + "x".join(map(str, shape))] = moved(rng.normal(size=shape).round(3))
SCOPE["K5_4x4"] = np.array([[0.0, 1, 0, 0], [1, 0, 0, 2], [0, 0, 1, 0], [0, 3, 0, 0]])
OWN = [name for name in SCOPE if name[0] == "K"]

# ---------------------------------------------------------------- the tables of cases

Case = tuple[str, dict[str, Any], str]  # an expression, its variables, and what its constants' names begin with


def cases() -> Iterator[Case]:
    tables: list[tuple[str, list[str], dict[str, Any], dict[str, Any]]] = [
        ("arrays_", arrays.CASES + arrays.REAL, arrays.VARIABLES, arrays.CONSTANTS),
        ("fft_", [e for e, _ in fft.CASES], {"x": fft.X.real}, {}),
        ("sp_", ["sp." + e for e in special.EXPRESSIONS], special.X, special.Q),
    ]
    written = [f"y = A * 1; {e}; y * A" for e in expressions(functions.WRITES)]
    others = [e for table in functions.TABLES for e in expressions(table)]
    tables.append(("functions_", others + written, functions.VARIABLES, functions.CONSTANTS))
    for stack in ((), (2,)):
        listed = [e for e, s in linalg.CASES if s == stack and "X" not in e]
        tables.append((f"linalg{len(stack)}_", listed, linalg.variables(stack, float), {}))
    for prefix, listed, variables, constants in tables:
        shared = {k: v for k, v in constants.items() if isinstance(v, np.ndarray)} | variables
        SCOPE.update({prefix + k: v for k, v in shared.items()})
        yield from ((e, variables, prefix) for e in listed)


CASES = list(cases())
for value in SCOPE.values():
    if isinstance(value, np.ndarray):
        value.flags.writeable = False


class Renamed(ast.NodeTransformer):
    """The table's variables become the program's own, its constants those of `SCOPE`."""

    def __init__(self, names: dict[str, str], prefix: str) -> None:
        self.names, self.prefix, self.used = names, prefix, set[str]()

    def visit_Name(self, node: ast.Name) -> ast.Name:
        self.used.add(node.id)
        own = self.prefix + node.id if self.prefix + node.id in SCOPE else node.id
        return ast.Name(self.names.get(node.id, own), node.ctx)


def from_table(rnd: random.Random, pool: list[str], new: str) -> str:
    source, variables, prefix = rnd.choice(CASES)
    names = {name: f"{name}_{new}" for name in [*variables, "y"]}
    renamed = Renamed(names, prefix)
    *body, last = ast.unparse(renamed.visit(ast.parse(source))).splitlines()
    made = []
    for name in sorted(renamed.used & set(variables)):
        a, dims = rnd.choice(pool), variables[name].shape
        by = rnd.choice([f"0.3 * np.sin(np.resize({a}, {dims}))", f"0.1 * {a}", f"0.2 * np.resize({a}, {dims})"])
        moved = rnd.choice([*["{}"] * 6, "({}).copy('F')", "np.flip(np.flip({}).copy())"])
        value = moved.format(f"{prefix}{name} + {by}")
        made.append(
            f"{names[name]} = {f'np.sort({value})' if name == 'knots' else value}"
        )  # else np.interp is undefined
    return "\n".join([*made, *body, f"{new} = {last}"])


# ---------------------------------------------------------------- templates

# {n} a new variable, {a} {b} {d} others, {s} {q} indices, {i} {j} small ints, {t} a number, {k} a constant,
# {e} {g} expressions, {x} an axis, {o} a memory order, {u1} {u2} ufuncs, {red} a reduction.
TEMPLATES = """
{n} = {a} + {b}
{n} = {a} * {b}
{n} = {a} - {t}
{n} = +{a}
{n} = {t} * {a}
{n} = {a} * {k}
{n} = {a} * np.array({t})
{n} = {a} / (1 + {b} ** 2)
{n} = {a}[:, None] * {b}[None, :]
{n} = np.outer({a}, {b})
{n} = np.outer({a}, {k}).T
{n} = {a} @ {b}
{n} = {a} @ {k}
{n} = {k} @ {a}
{n} = {a}.T @ ({b} + {b}[::-1])
{n} = {e} * {g}
{n} = ({e} * {g}).sum({x})
{n} = {e} + {g} * {t}
{n} = ({e}[:, None] * {g}[None, :]).sum({x})
{n} = {e} @ {g}
{n} = {e} @ {k} @ {g}
{n} = {e}.T @ {g}
{n} = {e}.reshape(-1)
{n} = np.{red}({e}, axis={x})
{n} = np.concatenate([{e}, {g}])
{n} = np.where({a} > {t}, {e}, {g})
{a}[{s}] = {e}
{a}[...] = {e}
{n} = np.einsum('ij,jk->ik', {e}, {g})
{n} = np.einsum('ij,j->i', {e}, {g})
{n} = {a}[{s}]
{n} = {a}[{s}] * {b}[{q}]
{n} = {a}[{s}].sum({x})
{n} = np.{u1}({a})
{n} = np.{u1}(0.5 + 0.4 * np.tanh({a}))
{n} = np.{u2}({a}, {b})
{n} = np.{u2}({a}, {t})
{n} = np.{u2}({k}, {a})
{n} = np.ldexp({a}[:2], [1, {i}])
{n} = {e}[{i}]
{n} = np.array([{t}, 1j]) - {a}[{i}]
{n} = np.{red}({a}, axis={x})
{n} = {a}.{red}({x})
{n} = np.{red}({a}, axis={x}, keepdims=True)
{n} = np.max({a}, initial={b}[{i}])
{n} = np.sort({a}, axis={x})
{n} = np.cumsum({a}, axis={x})
{n} = np.cumprod({a}, axis={x})
{n} = np.where({a} > {t}, {a}, {b})
{n} = np.where({a} > {t}, np.sqrt(np.abs({a})), {b})
{n} = np.maximum({a}, {b} * {t})
{n} = np.clip({a}, -1, {t})
{n} = dd.relu({a})
{n} = np.linalg.norm({a}) * {b}
{n} = {a}.reshape(-1)
{n} = {a}.reshape(2, -1)
{n} = {a}.ravel({o!r})
{n} = np.reshape({a}, (-1, 2), order={o!r})
{n} = {a}.T
{n} = {a}[..., None]
{n} = np.swapaxes({a}, 0, -1)
{n} = np.squeeze({a})
{n} = np.asarray({a})
{n} = np.array({a}, copy=None)
{n} = np.asfortranarray({a})
{n} = np.ascontiguousarray({a})
{n} = np.require({a}, requirements='C')
{n} = {a}.copy({o!r})
{n} = {a}.real
{n} = {a}.imag
{n} = {a}.conj()
{n} = {a}.astype({a}.dtype, copy=False)
{n} = np.broadcast_to({a}, (2, *np.shape({a})))
{n} = np.einsum('ii->i', {a}) if np.size({a}) else {a}
{n} = np.einsum('ij->ji', {a})
{n} = np.einsum('i...->i...', {a})
{n} = np.einsum('ij,ij->i', {a}, {b})
{n} = np.einsum('i,i->i', {a}, {b})
{n} = np.diagonal({a})
{n} = np.block({a})
{n} = np.sort({a}.T)
{n} = np.stack([{a}, {b}])
{n} = np.concatenate([{a}, {b}[{s}]])
{n} = np.array([{a}[{i}], 1.0, {b}[{j}]])
{n} = np.roll({a}, 1) - {b}
{n} = {a} + 0j
{n} = {a} + 1j * {b}
{n} = {a} * 1j
{n} = np.zeros_like({a}); {n}[{s}] = {b}[{q}]
{n} = np.zeros(4); {n}[{s}] = {a}[{q}]
{n} = np.zeros({a}.shape); {n}[{s}] = {b}; {n} = {n} + {a}
{n} = np.full_like({a}, {t}); {n}[...] = {b}
{n} = np.zeros(()); {n}[()] = {a}[{i}] * 2
{n} = np.zeros_like({a}); {n}[{i}] = {b}[{j}]; {n} = {n} + 1.0; {b}[{s}] = {a}[{q}]
{n} = {a} + 1.0; {a}[{s}] = {b}[{q}] * {t}
{n} = {a}.copy(); {a}[{s}] *= {b}[{q}]
{n} = np.add(0.5, {a}); {a}[{s}] = {b}[{q}]; {n}[{i}] = 0.0
{a}[{s}] = {b}[{q}]
{a}[{s}] = {b}
{a}[{s}] = 1j * {b}[{q}]
{a}[{s}] = {t}
{a}[{s}] += {b}[{q}]
{a}[{s}] *= {b}[{q}]
{a}[{s}] *= {t}
{a}[{s}] *= 1j
{a}[{s}] /= 1 + {b} ** 2
{a}[{a} > {t}] = {t}
{a}[{b} > {t}] = {b}[{b} > {t}]
{a}[{b} > {t}] *= {t}
{a} += {b}
{a} *= {b}
{a} -= {t}
{a}[...] = {b}
{a}[:] = {b}[::-1]
np.{u1}({b}, out={a})
np.{u1}({k}, out={a})
np.{u2}({b}, {d}, out={a})
np.multiply({b}, {t}, out={a}, where={b} > {t})
np.copyto({a}, {b})
np.add.at({a}, [0, 1, 0], {b}[{i}])
np.put({a}, [0, 1], {b})
np.fill_diagonal({a}, {b})
np.einsum('ii->i', {a})[...] = {t} * {b}
{a}.flat[{i}] = {b}[{j}]
{a}.sort()
{a}.fill({b}[{i}])
{n} = np.bincount([0, 2, 2], {a}[:3])
index = np.array([0, 1, 1]); {n} = {a}[index]; index[:] = 0
index = np.array([0, 1, 1]); {n} = np.bincount(index, {a}[:3]); index[:] = 0
c = {k}.copy(); {n} = {a} * c; c[:] = 5.0
c = {k}.copy(); {n} = c @ {a}; c[:] = 5.0
c = {k}.copy({o!r}); c = c + {a}; {n} = c.reshape(-1)
{n} = 0.0\nfor row in {a}: {n} = {n} + row * row
{n} = {a}[{i}:{i} + 2]; {n} *= 2.0; {n} = {b} * {n}[0]
{n} = {a}.reshape(2, -1); {n}[0] += {n}[1]
{n} = {a}.T; {n}[...] = {n} * {b}
{n} = {b} > 0; {a}[{n}] = {b}[{n}] * 0.5; {n} = {a} + {t}
{n} = {a}[{i}]; {n} = np.where({n} > 0, {n}, 0.0) * {b}
{n} = np.array([{a}, {b}])[{i} % 2] + np.array([{a}[0], 1.0, {b}[{j}], 2.0])
{n} = np.stack([np.maximum({a}[0], {b}[1]), np.sqrt(abs({a}[1])), {b}[2]])
{n} = {a} * 0.0 + {b}
{n} = np.log(1e-300 + np.abs({a}))
{n} = np.power(np.abs({a}), 1.5)
{n} = np.exp(-({a} ** 2))
for step in range(3): {a} = np.sin({a}) + {b} * {t}
for step in range(2): {a}[step] = {a}[step - 1] * {b}[step]
while np.sum({a}) > 1: {a} = {a} * 0.5
{n} = {a} if {b}.sum() > {t} else {d}
{n} = np.stack([p * p[0] for p in {a}])
{n} = sum({a}) * {b}
{n} = dd.jvp(lambda p: np.sin(p) * {b}, ({a},), (np.ones_like({a}),))[1]
"""
LINES = [line for line in TEMPLATES.splitlines() if line]
EXPRESSIONS = """
{a}  {b}  ({a} + {b})  ({a} + {a}[::-1])  ({a} * {b})  ({a} * {a}[::-1])  np.sin({a})  ({a}[{s}] * {b}[{q}])  {a}.T  {k}
({a} - np.roll({b}, 1))  np.outer({a}, {k})  np.outer({k}, {a}).T  ({a} * {k})  ({a}[:, None] * {b})
({a}[{s}] + {b}[{q}])  {a}[{s}]  ({a} + {k})  (1 + {a} ** 2)  np.exp(-np.abs({a}))
"""
INDICES = """
0  -1  1:  :2  ::-1  ::2  ...  None  ()  :0  [0, 0, 1]  [1, 0]  []  :, 0  0, 1:  :, ::-1  [[0, 1], [1, 0]]
np.array([1, 0, 1])  ..., [0, 0]  np.int64(1)  [0], [1]  {a} > {t}  {b} > {t}  {a} > 99  ..., :2  [True, False]
1:2, None  :, [0, 1], None
"""


def ufuncs(signature: str) -> list[str]:
    named = {n: getattr(np, n) for n in dir(np)}
    return [n for n, f in named.items() if isinstance(f, np.ufunc) and not f.signature and signature in f.types]


UNARY, BINARY = ufuncs("d->d"), ufuncs("dd->d")
REDUCTIONS = "sum mean prod max min var std ptp cumsum median".split()


def line(rnd: random.Random, pool: list[str], new: str, nested: bool = True) -> str:
    kind = rnd.random()
    if kind < 0.35:
        return from_table(rnd, pool, new)
    if kind < 0.42 and nested:
        inner, other = (line(rnd, pool, new, False).replace("\n", "\n    ") for _ in range(2))
        a, t = rnd.choice(pool), round(rnd.uniform(-1, 1), 2)
        heads = [f"if np.sum({a}) > {t}:\n    {inner}\nelse:\n    {other}", f"for step in range(2):\n    {inner}"]
        return rnd.choice(heads)
    recent = pool[-3:] + pool
    slots: dict[str, Any] = {name: rnd.choice(recent) for name in "abd"}
    slots |= {"n": new, "t": round(rnd.uniform(-1, 1), 2) + 0.0005, "i": rnd.randrange(3), "j": rnd.randrange(3)}
    slots |= {"k": rnd.choice(OWN), "x": rnd.choice([None, 0, -1, 1, ()]), "o": rnd.choice("CFAK")}
    slots |= {"u1": rnd.choice(UNARY), "u2": rnd.choice(BINARY), "red": rnd.choice(REDUCTIONS)}
    slots |= {name: rnd.choice(expressions(INDICES)).format(**slots) for name in "sq"}
    slots |= {name: rnd.choice(expressions(EXPRESSIONS)).format(**slots) for name in "eg"}
    return rnd.choice(LINES).format(**slots).replace("\\n", "\n")


# ---------------------------------------------------------------- programs


@dataclass(frozen=True)
class Program:
    x: Any
    lines: tuple[str, ...]
    result: str

    def source(self) -> str:
        body = "\n".join([*self.lines, f"return {self.result}"])
        return "def f(x):\n" + "\n".join("    " + row for row in body.splitlines())

    def function(self) -> Callable[[Any], Any]:
        scope = dict(SCOPE)
        exec(self.source(), scope)
        found: Callable[[Any], Any] = scope["f"]
        return found

    def __call__(self, x: Any) -> Any:
        return self.function()(x)

    def text(self) -> str:
        """Python text that defines f and x."""
        with np.printoptions(threshold=10**6, floatmode="unique"):
            used = {n.id for n in ast.walk(ast.parse(self.source())) if isinstance(n, ast.Name)}
            made = [f"{n} = {shown(SCOPE[n])}" for n in sorted(used) if isinstance(SCOPE.get(n), np.ndarray)]
            return "\n".join([*made, self.source(), f"x = {shown(self.x)}"])


def shown(a: Any) -> str:
    if not isinstance(a, np.ndarray):
        return f"np.{a!r}".replace("np.np.", "np.")
    text = f"np.array({a.tolist()}, np.{a.dtype})"
    for order, moved in MEMORY.items():
        if a.ndim and moved(np.array(a.tolist(), a.dtype)).strides == a.strides:
            return order.format(text, text) if "shape" not in order else f"np.broadcast_to({text}[:1], {a.shape})"
    return text


def usable(value: Any) -> bool:
    if not isinstance(value, np.ndarray | np.inexact | float | complex) or np.asarray(value).dtype.kind not in "fc":
        return False
    return np.size(value) <= 48 and bool(np.all(np.isfinite(value)) and np.all(np.abs(value) < 1e3))


def fresh(x: Any) -> Any:
    """A copy of the same memory order."""
    return x.copy("K") if isinstance(x, np.ndarray) else x


def variables(lines: list[str], x: Any) -> dict[str, Any] | None:
    """What the lines leave behind on plain numbers, None if NumPy does not run them without a warning."""
    scope = {**SCOPE, "x": fresh(x)}
    known = set(scope) - {"x"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec("\n".join(lines), scope)
    except Exception:
        return None
    return {k: v for k, v in scope.items() if k not in known and k != "__builtins__"}


def point(rnd: random.Random) -> Any:
    shape = rnd.choice([(4,), (4,), (3,), (4,), (2, 3), (3, 3), (1,), (), (2, 2), (3, 1), (6,)])
    values = np.random.default_rng(rnd.randrange(2**32)).normal(size=shape).round(3)
    if rnd.random() < 0.15:  # where there are kinks and singular points
        values = np.array([rnd.choice([0.0, 0.0, 1.0, -1.0, 0.25]) for _ in range(values.size)]).reshape(shape)
    kind = rnd.choice([*["float64"] * 12, "float32", "float32", "longdouble", "float16", "complex128", "complex128"])
    x = values.astype(kind) * (1 + 0.5j if kind == "complex128" else 1)
    if shape == ():
        return x[()] if rnd.random() < 0.5 else x
    x = rnd.choice([*[np.ascontiguousarray] * 4, *MEMORY.values()])(x)
    if rnd.random() < 0.1:
        x = x.copy("K")
        x.flags.writeable = False
    return x


def program(seed: str, longest: int = 8) -> Program:
    rnd = random.Random(seed)
    x = point(rnd)
    lines = [] if rnd.random() < 0.3 else ["y0 = x * 1"]
    for k in range(rnd.randrange(1, longest)):
        for _ in range(12):
            pool = [n for n, v in (variables(lines, x) or {}).items() if usable(v)]
            lined = line(rnd, pool or ["x"], rnd.choice([f"y{k + 1}"] * 3 + pool[-1:]))
            found = variables([*lines, lined], x)
            name = next((n for n in found or {} if n not in pool), None)
            if found is not None and isinstance(found.get(f"y{k + 1}"), list | tuple):
                name, parts = f"y{k + 1}", found[f"y{k + 1}"]
                at = [i for i, part in enumerate(parts) if usable(part)]
                lined += f"\n{name} = {name}[{rnd.choice(at)}]" if at else ""
                found = variables([*lines, lined], x)
            if found is not None and (f"y{k + 1}" not in found or usable(found[f"y{k + 1}"])):
                lines.append(lined)
                break
    found = variables(lines, x) or {}
    pool = [n for n, v in found.items() if usable(v)] or ["x"]
    last = [rnd.choice(pool[-4:]) for _ in range(2)]
    for a, b in (last, last[:1] * 2):
        result = rnd.choice([a, a, b, f"np.concatenate([np.ravel({a}), np.ravel({b})])", f"np.sum({a} * {b})"])
        made = Program(x, tuple(lines), result)
        end = variables([*lines, f"end = {result}"], x)
        if end is not None and usable(end["end"]):
            break
    if end is not None and np.iscomplexobj(end["end"]) and not np.iscomplexobj(x):
        made = replace(made, result=f"np.stack([({result}).real, ({result}).imag])")
    return made


def smaller(p: Program) -> Iterator[Program]:
    """The programs that are a step shorter or plainer."""
    left = (variables(list(p.lines), p.x) or {}).items()
    names = [n for n, v in left if usable(v) and np.iscomplexobj(v) <= np.iscomplexobj(p.x)]
    for k in reversed(range(len(p.lines))):
        yield replace(p, lines=p.lines[:k] + p.lines[k + 1 :])
        rows = p.lines[k].split("\n" if "\n" in p.lines[k] else "; ")
        for r in range(len(rows) if len(rows) > 1 else 0):
            yield replace(p, lines=(*p.lines[:k], "\n".join(rows[:r] + rows[r + 1 :]), *p.lines[k + 1 :]))
    for name in reversed(names):
        if len(name) < len(p.result):
            yield replace(p, result=name)
    for k, whole in enumerate(p.lines):
        target, equals, right = whole.rpartition("\n")[2].partition(" = ")
        for name in ["x", *names] if equals and target.isidentifier() else []:
            if name != target:  # in its place
                *rest, result = [re.sub(rf"\b{target}\b", name, text) for text in (*p.lines[k + 1 :], p.result)]
                yield replace(p, lines=(*p.lines[:k], *rest), result=result)
                if len(name) + 4 < len(right):
                    yield replace(p, lines=(*p.lines[:k], f"{target} = {name} * 1", *p.lines[k + 1 :]))
    plain = not isinstance(p.x, np.ndarray) or (p.x.flags.c_contiguous and p.x.dtype == np.float64)
    if not plain and not np.iscomplexobj(p.x):
        yield replace(p, x=np.array(p.x, np.float64, order="C"))
