"""Every file of the package keeps the rules of the house (CONTRIBUTING.md), and the rules can be broken."""

import ast
from functools import cache
from pathlib import Path

import pytest

from architecture import rules

PACKAGE = Path(__file__).resolve().parents[2] / "src" / rules.PACKAGE
FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def sources() -> dict[Path, str]:
    """Text of every file; read when first asked for, since every worker imports this module."""
    return {path.relative_to(PACKAGE): path.read_text(encoding="utf-8") for path in FILES}


@cache
def trees() -> dict[Path, ast.Module]:
    """Syntax of every file."""
    return {path: ast.parse(source) for path, source in sources().items()}


def part(path: Path) -> str:
    """``engine/fit.py`` belongs to ``engine``, ``cli/doctor.py`` to ``cli``."""
    return path.parts[0].removesuffix(".py")


def shelf(path: Path, name: str) -> str:
    """Folder of a file within its part; of a file beside the folders its own name if it has a floor, else none."""
    own = path.parts[1].removesuffix(".py")
    return own if len(path.parts) > 2 or own in rules.SHELVES[name] else ""


def test_the_plan_names_every_part_and_no_other():
    parts = {part(path) for path in trees()}
    assert parts - set(rules.MAY_IMPORT) == set()
    assert set(rules.MAY_IMPORT) - parts <= {"cli", "__main__"}


def test_imports_follow_the_plan():
    found = [
        f"{p}:{problem}" for p, tree in trees().items() for problem in rules.import_problems(tree, part(p))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", rules.SHELVES)
def test_imports_within_a_part_follow_its_shelves(name):
    places = {shelf(p, name) for p in trees() if part(p) == name} | {""}
    assert places == set(rules.SHELVES[name]) | {""}
    found = [
        f"{p}:{problem}"
        for p, tree in trees().items()
        if part(p) == name
        for problem in rules.shelf_problems(tree, name, shelf(p, name))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("code", "problems"),
    [
        (
            "from alliance_longitudinal.reporting.run.report import prepare",
            ["1: reporting.page may not import reporting.run"],
        ),
        (
            "def f():\n    from alliance_longitudinal.reporting import batch",
            ["2: reporting.page may not import reporting.batch"],
        ),
        ("import alliance_longitudinal.reporting.record.hashing", []),
        ("from alliance_longitudinal.data.run import x", []),
    ],
)
def test_an_import_up_the_floors_of_reporting_is_seen(code, problems):
    assert rules.shelf_problems(ast.parse(code), "reporting", "page") == problems


@pytest.mark.parametrize(
    ("room", "code", "problem"),
    [
        ("linalg", "from alliance_longitudinal.engine.design import groups", "engine.design"),
        (
            "inference",
            "def f():\n    from alliance_longitudinal.engine.results.linear import x",
            "engine.results",
        ),
        ("search", "from alliance_longitudinal.engine import fit", "engine.fit"),
        ("fit", "from alliance_longitudinal.engine.fitted.rows import x", "engine.fitted"),
        ("fitted", "from alliance_longitudinal.engine.fit import MixedFit", None),
        ("statistics", "from alliance_longitudinal.engine.arrays import Array", None),
    ],
)
def test_an_import_up_the_floors_of_the_engine_is_seen(room, code, problem):
    found = [p.split(": ", 1)[1] for p in rules.shelf_problems(ast.parse(code), "engine", room)]
    assert found == ([] if problem is None else [f"engine.{room} may not import {problem}"])


@pytest.mark.parametrize(
    ("shelf", "code", "problem"),
    [
        ("cells", "from alliance_longitudinal.data.readers.sheet import Sheet", "data.readers"),
        ("readers", "from alliance_longitudinal.data.cleaning import keys", "data.cleaning"),
        ("cleaning", "import alliance_longitudinal.data.study", "data.study"),
        ("study_file", "from alliance_longitudinal.data import flow", "data.flow"),
        ("cleaning", "from alliance_longitudinal.data.cells.texts import Texts", None),
        ("cleaning", "from alliance_longitudinal.data.cleaning.keys import read_keys", None),
        ("", "from alliance_longitudinal.data.cleaning.keys import read_keys", None),
    ],
)
def test_an_import_that_runs_up_within_a_part_is_seen(shelf, code, problem):
    wanted = [] if problem is None else [f"1: data.{shelf} may not import {problem}"]
    assert rules.shelf_problems(ast.parse(code), "data", shelf) == wanted


def test_the_engine_knows_no_word_of_the_clinic():
    engine = {p: tree for p, tree in trees().items() if part(p) == "engine"}
    found = [f"{p}:{problem}" for p, tree in engine.items() for problem in rules.clinical_problems(tree)]
    assert not found, "\n".join(found)


def test_files_and_functions_stay_small():
    found = [
        f"{p}:{problem}" for p, tree in trees().items() for problem in rules.size_problems(tree, sources()[p])
    ]
    assert not found, "\n".join(found)


def test_everything_public_has_a_docstring():
    found = [f"{p}:{problem}" for p, tree in trees().items() for problem in rules.docstring_problems(tree)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("importer", "code", "problem"),
    [
        ("engine", "from alliance_longitudinal.data import Study", "1: engine may not import data"),
        ("data", "import alliance_longitudinal.timing.early", "1: data may not import timing"),
        ("data", "def f():\n    from alliance_longitudinal import engine", "2: data may not import engine"),
        ("data", "from alliance_longitudinal.measures import _x", "1: _x is private to measures"),
        ("present", "from .tables import Table", "1: relative import .tables; write the whole path"),
        ("engine", "import seaborn as sns", "1: engine imports seaborn, which only present may"),
        ("engine", "import requests", "1: engine imports requests, which only nobody may"),
        ("cli", "import pandas.testing", None),
        ("analyses", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure", ""),
        ("analyses", "from alliance_longitudinal.engine import MixedModel\nimport numpy as np", ""),
        ("cli", "from alliance_longitudinal import __version__", ""),
    ],
)
def test_a_forbidden_import_is_seen(importer, code, problem):
    found = rules.import_problems(ast.parse(code), importer)
    if problem is None:
        assert len(found) == 1
    else:
        assert found == ([problem] if problem else [])


@pytest.mark.parametrize("code", ["clients = 1", "def per_session(): ...", "f(therapist_id=1)", "x.aPatient"])
def test_a_clinical_word_is_seen(code):
    assert len(rules.clinical_problems(ast.parse(code))) == 1


def test_grouping_words_of_the_engine_are_not_clinical():
    code = "from alliance_longitudinal.errors import AllianceError, FitError\nlevels = obsession = 'client'"
    assert rules.clinical_problems(ast.parse(code)) == []


def test_a_long_function_and_a_missing_docstring_are_seen():
    body = "\n".join(["    x = 1"] * (rules.MAX_FUNCTION_LINES + 1))
    source = f'"""Module."""\nclass A:\n  """A."""\n  def f(self): return 1\ndef g():\n    """G."""\n{body}\n'
    tree = ast.parse(source)
    assert rules.docstring_problems(tree) == ["4: f has no docstring"]
    assert rules.size_problems(tree, source) == ["5: g has 81 lines, more than 80"]
    assert rules.size_problems(tree, "\n" * 401)[0] == "1: 401 lines, more than 400"
