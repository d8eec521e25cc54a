"""The rules of the house, as functions from a syntax tree to the sentences that say what breaks them.

CONTRIBUTING.md explains the rules; `test_imports.py` applies them to every file of the package.
"""

import ast
import re
import sys
from collections.abc import Iterator

PACKAGE = "alliance_longitudinal"

#: What every part may use: errors, findings, and how numbers and sentences are written.
WORDS = ("errors", "findings", "language", "labels", "counts", "sentences")

#: Part of the package -> the parts it may import. A part may always import from itself.
MAY_IMPORT = {
    "errors": set(),
    "findings": set(),
    "language": {"errors"},
    "labels": {"language"},
    "counts": {"labels", "language"},
    "sentences": {"labels", "counts", "language"},
    "resources": {*WORDS},
    "strict_yaml": {*WORDS, "resources"},
    "measures": {*WORDS, "resources", "strict_yaml"},
    "simulation": {"errors"},
    "data": {*WORDS, "resources", "strict_yaml", "measures", "simulation"},
    "timing": {*WORDS, "resources", "strict_yaml", "measures", "simulation", "data"},
    "engine": {*WORDS},
    "present": {*WORDS},
    "methods": {*WORDS, "resources", "strict_yaml", "measures", "engine"},
}
#: The upward calls that there are: what draws a result is loaded when a picture is asked for, and knows no class of theirs.
UPWARD = {("engine", "present", "plot"), ("data", "present", "plot")}
MAY_IMPORT["analyses"] = set(MAY_IMPORT)
MAY_IMPORT["reporting"] = set(MAY_IMPORT)
MAY_IMPORT["cli"] = set(MAY_IMPORT)
MAY_IMPORT["__init__"] = set()
MAY_IMPORT["__main__"] = {"cli"}

#: Part -> its shelves, each with the shelves that it may import; "" is what lies on top of them.
SHELVES = {
    "data": {
        "cells": set(),
        "study_file": {"cells"},
        "readers": {"cells", "study_file"},
        "cleaning": {"cells", "study_file", "readers"},
        "writers": set(),
        "": {"cells", "study_file", "readers", "cleaning", "writers"},
    },
    "present": {"plots": set(), "": {"plots"}},
    "methods": {
        "basics": set(),
        "fiml": {"basics"},
        "psychometrics": {"basics", "fiml"},
        "panel": {"basics", "fiml"},
        "events": {"basics"},
        "dyads": {"basics", "fiml"},
        "mediation": {"basics"},
        "growth": {"basics"},
        "planning": {"basics"},
        "prediction": {"basics"},
        "survival": {"basics"},
        "meta": {"basics"},
        "probing": {"basics"},
        "missing": {"basics"},
    },
    "reporting": {
        "record": set(),
        "page": {"record"},
        "run": {"record", "page"},
        "batch": {"record", "page", "run"},
        "": {"record", "page", "run", "batch"},
    },
}

SHELVES["methods"][""] = set(SHELVES["methods"])  # what lies on top may use every shelf

#: The rooms of the engine from the ground up; a name without a folder is a file.
ENGINE_FLOORS = (
    ("arrays", "options", "distributions"),
    ("linalg",),
    ("design",),
    ("sources",),
    ("statistics",),
    ("search",),
    ("families",),
    ("fit", "generalised_fit"),
    ("fitted",),
    ("resampling",),
    ("inference",),
    ("diagnostics",),
    ("results",),
    ("generalised_model", "streamed_model"),
    ("model",),
    ("",),
)
SHELVES["engine"] = {
    room: {below for lower in ENGINE_FLOORS[:i] for below in lower}
    for i, floor in enumerate(ENGINE_FLOORS)
    for room in floor
}

#: Third party -> the parts through whose door it comes in.
DOORS = {
    "numpy": {
        "simulation",
        "measures",
        "data",
        "timing",
        "engine",
        "methods",
        "present",
        "analyses",
        "reporting",
    },
    "pandas": {
        "simulation",
        "measures",
        "data",
        "timing",
        "engine",
        "methods",
        "present",
        "analyses",
        "reporting",
    },
    "scipy": {"measures", "engine", "methods"},
    "formulaic": {"engine"},
    "numba": {"engine"},
    "threadpoolctl": {"engine"},
    "pyarrow": {"engine", "data"},
    "dask": {"engine"},
    "distributed": {"engine", "reporting"},
    "pyreadstat": {"data"},
    "duckdb": {"data"},
    "sqlalchemy": {"data"},
    "keyring": {"data"},
    "statsmodels": {"analyses", "methods"},
    "matplotlib": {"present"},
    "seaborn": {"present"},
    "pydantic": {"strict_yaml", "measures", "data", "analyses", "reporting"},
    "ruamel": {"strict_yaml"},
    "openpyxl": {"data", "reporting"},
    "docx": {"reporting"},
    "typst": {"reporting"},
    "ipywidgets": {"reporting"},
    "papermill": {"reporting"},
    "nbclient": {"reporting"},
    "nbformat": {"reporting"},
    "jupyter_client": {"reporting"},
    "ipykernel": {"reporting"},
    "jinja2": {"reporting"},
    "markupsafe": {"reporting"},
    "jsonschema": {"reporting"},
    "markdown_it": {"reporting"},
    "psutil": {"reporting"},
    "rich": {"reporting", "cli"},
}

#: Words of the clinic, which the engine does not know.
CLINICAL = {"client", "therapist", "session", "alliance", "patient", "clinic", "symptom", "therapy"}
#: What the engine may name all the same: the package's own import path and its base error.
CLINICAL_EXEMPT = {PACKAGE, "AllianceError"}

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80


def imports(tree: ast.AST) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Every import as line, module and imported names, also those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield node.lineno, "." * node.level + (node.module or ""), names


def _lines_for_types_only(tree: ast.AST) -> set[int]:
    """Lines under ``if TYPE_CHECKING:``; what is imported there never runs."""
    blocks = (n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    return {node.lineno for block in blocks for node in block.body}


def import_problems(tree: ast.AST, part: str) -> list[str]:
    """Imports that the plan of the house does not allow to ``part``."""
    found = []
    for_types = _lines_for_types_only(tree)
    for line, module, names in imports(tree):
        top = module.split(".")[0]
        if module.startswith("."):
            found.append(f"{line}: relative import {module}; write the whole path")
        elif top == PACKAGE:
            found += _inner_problems(line, module, names, part)
        elif (
            top not in sys.stdlib_module_names and part not in DOORS.get(top, set()) and line not in for_types
        ):
            doors = ", ".join(sorted(DOORS.get(top, {"nobody"})))
            found.append(f"{line}: {part} imports {top}, which only {doors} may")
    return found


def _inner_problems(line: int, module: str, names: tuple[str, ...], part: str) -> list[str]:
    path = module.split(".")[1:]
    found = []
    for target in {path[0]} if path else set(names) - {"__version__"}:
        if names and path == [target] and {(part, target, name) for name in names} <= UPWARD:
            continue
        if target != part and target not in MAY_IMPORT.get(part, set()):
            found.append(f"{line}: {part} may not import {target}")
        elif target != part:
            private = [name for name in [*path, *names] if name.startswith("_")]
            found += [f"{line}: {name} is private to {target}" for name in private]
    return found


def shelf_problems(tree: ast.AST, part: str, shelf: str) -> list[str]:
    """Imports within ``part`` that its order of shelves does not allow to ``shelf`` ("" for the top)."""
    shelves = SHELVES[part]
    found = []
    for line, module, names in imports(tree):
        path = module.split(".")
        if path[:2] != [PACKAGE, part]:
            continue
        below = {path[2]} if len(path) > 2 else set(names)
        for name in sorted(below):
            target = name if name in shelves else ""
            if target != shelf and target not in shelves[shelf]:
                where = f"{part}.{shelf}" if shelf else part
                found.append(f"{line}: {where} may not import {part}.{name}")
    return found


def identifiers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every name that the code itself gives or uses; texts and comments do not count."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.keyword(arg=str(name)):
                yield node.lineno, name
            case ast.alias(name=name, asname=alias):
                yield node.lineno, alias or name.split(".")[-1]


def clinical_problems(tree: ast.AST) -> list[str]:
    """Identifiers that contain a word of the clinic."""
    found = []
    for line, name in identifiers(tree):
        words = {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
        if name not in CLINICAL_EXEMPT and words & CLINICAL:
            found.append(f"{line}: {name} is a word of the clinic")
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def size_problems(tree: ast.AST, source: str) -> list[str]:
    """Files and functions that are too long; a docstring does not count to its function."""
    lines = len(source.splitlines())
    found = [f"1: {lines} lines, more than {MAX_FILE_LINES}"] if lines > MAX_FILE_LINES else []
    for function in _functions(tree):
        has_doc = ast.get_docstring(function) is not None and len(function.body) > 1
        first = function.body[1 if has_doc else 0]
        length = (function.end_lineno or 0) - first.lineno + 1
        if length > MAX_FUNCTION_LINES:
            found.append(
                f"{function.lineno}: {function.name} has {length} lines, more than {MAX_FUNCTION_LINES}"
            )
    return found


def docstring_problems(tree: ast.Module) -> list[str]:
    """Modules, public classes, and public functions and methods without a docstring."""
    found = [] if ast.get_docstring(tree) else ["1: the module has no docstring"]
    pending: list[ast.Module | ast.ClassDef] = [tree]
    while pending:
        for node in pending.pop().body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                pending.append(node)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
                continue
            decorators = {ast.unparse(d) for d in getattr(node, "decorator_list", [])}
            inherits = any(d == "overload" or d.endswith(".setter") for d in decorators)
            is_signature = ast.unparse(node.body[-1]) == "..."
            if not (inherits or is_signature) and ast.get_docstring(node) is None:
                found.append(f"{node.lineno}: {node.name} has no docstring")
    return found
