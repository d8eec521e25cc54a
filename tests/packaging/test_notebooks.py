"""Committed notebooks: no outputs, short cells, a kernel that every machine has."""

from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
MAX_LINES = 15


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_no_outputs_are_committed(notebook):
    run = [
        i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and (c.outputs or c.execution_count)
    ]
    assert run == [], "clear the outputs of these cells before committing"


def test_code_cells_are_short(notebook):
    long = [
        i
        for i, c in enumerate(notebook.cells)
        if c.cell_type == "code"
        and "parameters" not in c.metadata.get("tags", ())  # one line per parameter of the analysis
        and c.source.count("\n") >= MAX_LINES
    ]
    assert long == [], f"move what these cells do into the package; a cell has at most {MAX_LINES} lines"


def test_the_kernel_is_the_running_python(notebook):
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata


def test_the_notebook_is_valid(notebook):
    assert nbformat.validator.isvalid(notebook)


def test_every_code_cell_is_python(notebook):
    broken = [i for i, c in enumerate(notebook.cells) if c.cell_type == "code" and not is_python(c.source)]
    assert broken == [], "these cells are not valid Python"


def is_python(source):
    try:
        compile(source, "cell", "exec")
    except SyntaxError:
        return False
    return True


def test_a_cell_that_is_not_python_is_seen():
    assert is_python("a = 1")
    assert not is_python("a = ")
