"""Tests come in by the doors of the package; what users have no door to comes from ``tests/inside``, so that a move changes one line.

A door is a package whose ``__init__`` names what others use: ``alliance_longitudinal``, its parts, ``analyses.kit``,
``analyses.disclosure``.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

PACKAGE = "alliance_longitudinal"
TESTS = Path(__file__).resolve().parents[1]
INSIDE = TESTS / "inside"
#: Packages inside a part that are doors, too.
INNER_DOORS = ("analyses.disclosure", "analyses.kit")


def inside(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Module, below the package, and name of each import from inside a part; a module is imported as itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                (a.name.removeprefix(f"{PACKAGE}."), "")
                for a in node.names
                if a.name.startswith(f"{PACKAGE}.") and a.name.count(".") > 1
            )
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            path = str(node.module).removeprefix(f"{PACKAGE}.")
            for alias in node.names:
                full = f"{path}.{alias.name}" if is_module(str(node.module), alias.name) else path
                if "." in full and full not in INNER_DOORS:
                    yield full, alias.name


def is_module(package: str, name: str) -> bool:
    """Does ``from package import name`` give a module?"""
    try:
        value = getattr(import_module(package), name)
    except AttributeError:
        return True
    return isinstance(value, ModuleType)


def door_of(module: str, name: str) -> str | None:
    """The door that has this very name, if one does."""
    value = getattr(import_module(f"{PACKAGE}.{module}"), name, None)
    doors = ["", ".methods", f".{module.split('.')[0]}", *(f".{d}" for d in INNER_DOORS)]
    for door in [PACKAGE + d for d in doors]:
        opened = import_module(door)
        if (
            value is not None
            and name in {*dir(opened), *getattr(opened, "__all__", ())}
            and getattr(opened, name) is value
        ):
            return door
    return None


@cache
def read(path: Path) -> ast.Module:
    """Syntax of a file, which several tests look at."""
    return ast.parse(path.read_text(encoding="utf-8"))


def patched(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Places inside a part that are named as text, as monkeypatch takes them."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if re.fullmatch(rf"{PACKAGE}(\.\w+){{3,}}", text):
            yield text, ""


def test_tests_come_in_by_the_doors():
    files = [path for path in sorted(TESTS.rglob("*.py")) if path.parent != INSIDE]
    wrong = [
        f"{path.relative_to(TESTS)}: {name} of {module}"
        for path in files
        for module, name in (*inside(read(path)), *patched(read(path)))
    ]
    assert not wrong, f"Import from the doors, or name it in tests/inside: {wrong}"


def test_inside_holds_only_what_has_no_door():
    found = [(path, *one) for path in sorted(INSIDE.glob("*.py")) for one in inside(read(path))]
    doors = [(path, name, door_of(module, name)) for path, module, name in found]
    wrong = [f"{path.name}: import {name} from {door}" for path, name, door in doors if door]
    assert len(found) > 100  # the check sees them
    assert not wrong, "\n".join(wrong)


def test_inside_holds_only_what_tests_use():
    used: set[tuple[str, str]] = set()
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(read(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inside."):
                used |= {(str(node.module), alias.name) for alias in node.names}
    named = {
        (f"inside.{p.stem}", n)
        for p in INSIDE.glob("*_*.py")
        if p.stem != "__init__"
        for n in import_module(f"inside.{p.stem}").__all__
    }
    assert sorted(named - used) == []
