"""Which notebook runs, with which parameters; and the command that makes a report again."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import ReportError, UsageError
from inside.reporting_record import as_argument, cell_names, default_registry, find_notebook, rerun_command
from reporting import tiny


def test_the_shipped_notebook_and_copies_of_it(tmp_path: Path) -> None:
    shipped = tiny.write_notebook(tmp_path)
    found = find_notebook("tiny", tiny.REGISTRY, tmp_path)
    assert (found.path, found.modified) == (shipped, False)
    copy = tmp_path / "tiny_mine.ipynb"
    copy.write_bytes(shipped.read_bytes())
    assert not find_notebook(str(copy), tiny.REGISTRY, tmp_path).modified
    copy.write_bytes(shipped.read_bytes() + b"\n")
    found = find_notebook(str(copy), tiny.REGISTRY, tmp_path)
    assert (found.analysis.name, found.modified) == ("tiny", True)


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("tinny", UsageError, "There is no notebook 'tinny'. Did you mean 'tiny'?"),
        ("gone.ipynb", UsageError, "The notebook file gone.ipynb does not exist."),
        (
            "{folder}/other.ipynb",
            UsageError,
            "other.ipynb does not say which analysis it is. Write a line such as 'analysis: tiny' into its first cell.",
        ),
        ("{folder}/tiny_text.ipynb", ReportError, "tiny_text.ipynb is not a Jupyter notebook of format 4."),
        ("tiny", ReportError, "The notebook tiny.ipynb is missing from this installation"),
    ],
)
def test_wrong_notebooks_are_named(tmp_path: Path, name: str, error: type[Exception], sentence: str) -> None:
    tiny.write_notebook(tmp_path, "other")
    (tmp_path / "tiny_text.ipynb").write_text("no notebook")
    with pytest.raises(error) as caught:
        find_notebook(name.format(folder=tmp_path), tiny.REGISTRY, tmp_path)
    assert sentence in str(caught.value)


def _with_cells(*sources: str) -> dict[str, Any]:
    return {"cells": [{"source": s, "metadata": {"tags": ["parameters"]}} for s in sources]}


def test_the_parameters_cell_holds_literals_only() -> None:
    assert cell_names(_with_cells('"""What can be set."""\nwindow = [1, 5]\nx = -1.5  # why')) == {
        "window": [1, 5],
        "x": -1.5,
    }
    for source in ("x = f()", "import os", "x = y = 1", "x ="):
        with pytest.raises(ReportError, match="may hold only lines such as"):
            cell_names(_with_cells(source))
    with pytest.raises(ReportError, match="has 2 cells tagged 'parameters'; it needs exactly one"):
        cell_names(_with_cells("x = 1", "x = 2"))
    with pytest.raises(ReportError, match="has 0 cells tagged"):
        cell_names({"cells": []})


def test_a_parameters_cell_that_is_not_the_analysis_s(tmp_path: Path) -> None:
    path = tiny.write_notebook(tmp_path)
    content = json.loads(path.read_text())
    content["cells"][1]["source"] = content["cells"][1]["source"].replace("scale", "skale")
    path.write_text(json.dumps(content))
    with pytest.raises(ReportError) as caught:
        find_notebook("tiny", tiny.REGISTRY, tmp_path)
    assert str(caught.value).splitlines() == [
        "The parameters cell of tiny.ipynb does not fit the analysis 'tiny'.",
        "  missing, but used by other cells: scale",
        "  not known to the analysis: skale",
        "  Keep the parameters of the analysis under their own names; add yours beside them.",
    ]


@pytest.mark.parametrize("name", sorted(default_registry()))
def test_shipped_analyses_fit_their_notebooks_and_the_command_line(name: str) -> None:
    analysis = find_notebook(name, default_registry()).analysis
    params = analysis.params()
    typed = {k: as_argument(v) for k, v in params.to_dict().items() if v is not None}
    assert analysis.params.from_mapping(typed) == params


def test_the_command_survives_a_shell() -> None:
    parameters = {"label": "it's; rm -rf /", "window": [1, 5], "on": True, "none": None}
    words = shlex.split(rerun_command("a b.yaml", "tiny", parameters, Path("out")))
    assert words == [
        *("alliance", "report", "a b.yaml", "--notebook", "tiny", "-p", "label=it's; rm -rf /"),
        *("-p", "window=1,5", "-p", "on=true", "--out", "out"),
    ]
