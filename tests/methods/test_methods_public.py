"""The public names of `al.methods`: one list, found when they are used, each with an example that runs."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods

HEAVY = ("scipy", "statsmodels", "matplotlib", "formulaic", "alliance_longitudinal.engine")


def test_the_names_for_editors_are_the_names_that_exist():
    tree = ast.parse(Path(methods.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    for_editors = {alias.name: node.module for node in block.body for alias in node.names}
    assert sorted(for_editors) == methods.__all__
    assert {name: f"{methods.__name__}.{module}" for name, module in methods._PUBLIC.items()} == for_editors


@pytest.mark.parametrize("name", methods.__all__)
def test_every_name_is_there_with_a_docstring(name):
    assert inspect.getdoc(getattr(methods, name))
    assert name in dir(methods)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(
        AttributeError, match=r"module 'alliance_longitudinal.methods' has no attribute 'lags'"
    ):
        _ = methods.lags


@pytest.mark.parametrize("name", ["classify_change", "find_sudden_gains", "rater_agreement"])
def test_the_names_of_the_package_are_the_same_functions(name):
    assert getattr(al, name) is getattr(methods, name)


def test_importing_the_methods_loads_nothing_heavy():
    code = (
        "import sys\nfrom alliance_longitudinal import methods\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
