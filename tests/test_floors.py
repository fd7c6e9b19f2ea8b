"""The house stands in floors: imports point down, at the top of a module, and no module reaches into another.

Read from the source, so that imports inside functions and methods count; those under `if TYPE_CHECKING:` do not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import dualdiff

ROOT = Path(dualdiff.__file__).parent
FLOORS = {"core": 0, "rules": 1, "spaces": 2, "run": 3, "transforms": 4, "program": 5, "check": 6, "show": 6, "cli": 7}
ENTRANCE = 8  # dualdiff/__init__.py and __main__.py
ABOVE_THE_TABLE = {"core.engine", "core.dual"}  # of core, what rules must not know
MODULES = sorted(".".join(p.relative_to(ROOT).with_suffix("").parts) for p in ROOT.rglob("*.py"))


class Import(NamedTuple):
    """Where a module imports another of ours, and the name it then has for it, or for something in it."""

    line: int
    module: str
    names: dict[str, str]  # local name: what it is in that module; "" for the module itself
    top: bool  # at the top of the module, before its first code


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8"))


def floor(module: str) -> int:
    return FLOORS.get(module.split(".")[0], ENTRANCE)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below, apart from what only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from nodes(child)


def first_code(whole: ast.Module) -> int:
    """The line of the first statement that is neither a docstring nor an import."""
    for node in whole.body:
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (text or isinstance(node, ast.Import | ast.ImportFrom) or is_type_checking(node)):
            return node.lineno
    return 10**6


def absolute(module: str, node: ast.ImportFrom) -> str | None:
    """The module that `from x import ...` names, without "dualdiff."; None where it is not ours."""
    if not node.level:
        parts = (node.module or "").split(".")
        return ".".join(parts[1:]) if parts[0] == "dualdiff" else None
    package = module.split(".")[:-1]
    base = package[: len(package) - node.level + 1]
    return ".".join(base + (node.module.split(".") if node.module else []))


def existing(name: str) -> str | None:
    """The module of this name, or the package's own."""
    return next((m for m in (name, f"{name}.__init__".lstrip(".")) if m in MODULES), None)


def imports(module: str) -> list[Import]:
    found = []
    whole = tree(module)
    start, outermost = first_code(whole), set(map(id, whole.body))
    for node in nodes(whole):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "dualdiff":
                    target = existing(alias.name.partition(".")[2])
                    top = id(node) in outermost and node.lineno < start
                    found.append(Import(node.lineno, str(target), {alias.asname or alias.name: ""}, top))
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node)
            if base is None:
                continue
            top = id(node) in outermost and node.lineno < start
            for alias in node.names:
                inside = existing(f"{base}.{alias.name}".lstrip("."))
                target, name = (inside, "") if inside else (existing(base), alias.name)
                assert target is not None, f"{module}:{node.lineno} imports {base}, which is not there"
                found.append(Import(node.lineno, target, {alias.asname or alias.name: name}, top))
    return found


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(v: str) -> None:
        number[v] = low[v] = len(number)
        stack.append(v)
        for w in sorted(edges[v]):
            if w not in number:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], number[w])
        if low[v] == number[v]:
            circle = stack[stack.index(v) :]
            del stack[stack.index(v) :]
            if len(circle) > 1 or v in edges[v]:
                found.append(sorted(circle))

    for v in edges:
        if v not in number:
            visit(v)
    return found


def written(module: str) -> Iterator[tuple[int, str]]:
    """Where a module sets or deletes attributes of what it has imported from another of ours.

    Public tables are there to be filled; entries of private ones count as well.
    """
    strangers = {name for i in imports(module) for name in i.names}

    def owner(node: ast.AST) -> str | None:
        table = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        return node.id if isinstance(node, ast.Name) and not (table and node.id[0] != "_") else None

    def mine(function: ast.AST) -> set[str]:
        """Names that a function has for itself, which hide what was imported."""
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return set()
        a = function.args
        names = {x.arg for x in [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg] if x is not None}
        inside = ast.walk(function)
        return names | {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}

    def visit(node: ast.AST, hidden: set[str]) -> Iterator[tuple[int, str]]:
        hidden = hidden | mine(node)
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child):
                continue
            target: ast.AST | None = None
            if isinstance(child, ast.Attribute | ast.Subscript) and isinstance(child.ctx, ast.Store | ast.Del):
                target = child
            elif isinstance(child, ast.Call) and ast.unparse(child.func) in ("setattr", "delattr"):
                target = child.args[0]
            if target is not None and owner(target) in strangers - hidden:
                yield child.lineno, ast.unparse(child)
            yield from visit(child, hidden)

    yield from visit(tree(module), set())


def allowed(module: str, target: str) -> bool:
    if module.startswith("rules.") and target in ABOVE_THE_TABLE:
        return False
    return floor(target) <= floor(module)


def edges() -> dict[str, set[str]]:
    return {m: {i.module for i in imports(m)} for m in MODULES}


def test_every_room_has_its_floor() -> None:
    assert {m.split(".")[0] for m in MODULES if "." in m} <= set(FLOORS)


def test_no_circle() -> None:
    assert circles(edges()) == []


@pytest.mark.parametrize("module", MODULES)
def test_no_import_upwards(module: str) -> None:
    assert [f"{module}:{i.line} {i.module}" for i in imports(module) if not allowed(module, i.module)] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_above_the_code(module: str) -> None:
    assert [f"{module}:{i.line} {i.module}" for i in imports(module) if not i.top] == []


@pytest.mark.parametrize("module", MODULES)
def test_no_module_sets_attributes_of_another(module: str) -> None:
    assert [f"{module}:{line} {text}" for line, text in written(module)] == []


# ---------------------------------------------------------------- the check itself finds what it should


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Sources that stand in for the package's."""
    sources: dict[str, str] = {"core.a": "", "core.b": "", "rules.c": "", "core.__init__": "", "__init__": ""}
    monkeypatch.setattr("tests.test_floors.tree", lambda m: ast.parse(sources[m]))
    monkeypatch.setattr("tests.test_floors.MODULES", list(sources))
    return sources


def test_a_circle_is_found(house: dict[str, str]) -> None:
    house |= {"core.a": "from .b import x", "core.b": "def f():\n    from . import a"}
    assert circles(edges()) == [["core.a", "core.b"]]
    house |= {"core.b": "if TYPE_CHECKING:\n    from . import a"}
    assert circles(edges()) == []


def test_an_import_upwards_or_below_code_is_found(house: dict[str, str]) -> None:
    house |= {"core.a": "'''Text.'''\nimport os\nX = 1\nfrom ..rules import c\nimport dualdiff.core.b"}
    below, plain = imports("core.a")
    assert (below.module, below.top, allowed("core.a", below.module)) == ("rules.c", False, False)
    assert (plain.module, plain.top, allowed("core.a", plain.module)) == ("core.b", False, True)
    house |= {"rules.c": "from ..core.a import f as g"}
    assert imports("rules.c") == [Import(1, "core.a", {"g": "f"}, True)]


@pytest.mark.parametrize(
    "code",
    [
        *("b.x = 1", "D.x = 1", "D.x += 1", "del D.x", "setattr(D, 'x', 1)", "delattr(b, 'x')", "b.T['x'] = 1"),
        "_live[1] = True",
        *("b.x, y = 1, 2", "def f(k):\n    D.x = k", "for b.x in range(3): pass", "D.x.y = 1", "b.x: int = 1"),
    ],
)
def test_what_is_put_into_another_module_is_found(house: dict[str, str], code: str) -> None:
    house["core.a"] = f"from . import b\nfrom .b import D, _live\n{code}"
    assert len(list(written("core.a"))) == 1


def test_what_is_ones_own_may_be_set(house: dict[str, str]) -> None:
    house["core.a"] = (
        "from .b import D, TABLE\ndef f(D):\n D.x = 1\nTABLE[D] = 1\nclass E(D):\n    x = 1\nE.y = 2\nd = D()\nd.x = 1"
    )
    assert list(written("core.a")) == []
