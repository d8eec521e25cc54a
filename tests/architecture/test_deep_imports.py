"""Tests come in by the doors of the package, so that a move inside breaks none (deep_imports.py lists the exceptions)."""

import ast
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from architecture.deep_imports import ROOMS

PACKAGE = "alliance_longitudinal"
TESTS = Path(__file__).resolve().parents[1]
#: Packages inside a part that are doors, too.
INNER_DOORS = ("analyses.disclosure", "analyses.kit")


def inside(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Module, below the package, and name of each import from inside a part; a module is imported as itself."""
    for node in ast.walk(tree):
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


def room_of(module: str) -> str:
    """The longest room of the list that a module is in, else its part and folder."""
    fitting = [room for room in ROOMS if f"{module}.".startswith(f"{room}.")]
    return max(fitting, key=len, default=".".join(module.split(".")[:2]))


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


def imports() -> list[tuple[Path, str, str]]:
    """Every import from inside a part, in all tests."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(TESTS.rglob("*.py"))}
    return [(path.relative_to(TESTS), *found) for path, tree in trees.items() for found in inside(tree)]


def test_what_has_a_door_is_imported_from_it():
    found = [(path, module, name, door_of(module, name)) for path, module, name in imports()]
    wrong = [f"{path}: import {name} from {door}" for path, _, name, door in found if door]
    assert not wrong, "\n".join(wrong)


def test_imports_from_inside_do_not_grow():
    counts = Counter(room_of(module) for _, module, _ in imports())
    most = {room: ROOMS[room][0] if room in ROOMS else 0 for room in counts}
    wrong = [f"{room}: {n}, at most {most[room]}" for room, n in sorted(counts.items()) if n > most[room]]
    assert not wrong, f"Import from the doors, or give the names one (deep_imports.py): {wrong}"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from alliance_longitudinal.engine.linalg import dense", [("engine.linalg.dense", "dense")]),
        ("from alliance_longitudinal.data.flow import SampleFlow", [("data.flow", "SampleFlow")]),
        ("from alliance_longitudinal.data import SampleFlow", []),
        ("from alliance_longitudinal.errors import DataError", []),
        ("from alliance_longitudinal.timing import landmark", []),
        ("from alliance_longitudinal.analyses.kit import Draft", []),
    ],
)
def test_an_import_from_inside_is_seen(code, found):
    assert list(inside(ast.parse(code))) == found


def test_a_door_is_found():
    assert door_of("data.flow", "SampleFlow") == f"{PACKAGE}.data"
    assert door_of("analyses.result", "AnalysisResult") == PACKAGE
    assert door_of("engine.linalg", "dense") is None
