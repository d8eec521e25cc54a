"""A notebook of the user's own: any file name, cells and parameters of its own, as report, with -p and in a batch."""

import json
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.reporting import read_manifest, run_batch
from inside.reporting_batch import read_plan
from inside.reporting_record import check_parameters, find_notebook
from reporting import tiny
from reporting.conftest import Lab

OWN = """
min_clients = 3
strict = False
word = "some"
bounds = [1, 2]
nothing = None
"""


def _own(
    folder: Path, name: str = "Klinik Süd (Ann)", *, first: str = "analysis: tiny", more: str = OWN
) -> Path:
    """A copy of the miniature's notebook with parameters and a cell of its own, under any name."""
    path = tiny.write_notebook(folder, name)
    content = json.loads(path.read_text(encoding="utf-8"))
    if first:
        content["cells"][0]["source"] = f"# My version\n\n{first}\n"
    content["cells"][1]["source"] += more
    own = {
        **content["cells"][2],
        "id": "mine",
        "source": "results_note = [min_clients, strict, word, bounds, nothing]",
    }
    content["cells"].insert(4, {**own, "source": own["source"] + "\nprint('mine', results_note)"})
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "first",
    [
        "analysis: tiny",
        "Analysis: `tiny`",
        "**analysis:** tiny",
        "- analysis : tiny",
        "## analysis: tiny",
    ],
)
def test_the_first_cell_names_the_analysis(tmp_path: Path, first: str) -> None:
    found = find_notebook(str(_own(tmp_path, first=first)), tiny.REGISTRY, tmp_path)
    assert found.analysis.name == "tiny"
    assert found.own == {"min_clients": 3, "strict": False, "word": "some", "bounds": [1, 2], "nothing": None}


def test_the_metadata_name_the_analysis(tmp_path: Path) -> None:
    path = _own(tmp_path, first="analysis: other")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metadata"]["alliance"] = {"analysis": "tiny"}
    path.write_text(json.dumps(content), encoding="utf-8")
    assert find_notebook(str(path), tiny.REGISTRY, tmp_path).analysis.name == "tiny"


def test_an_analysis_that_there_is_not(tmp_path: Path) -> None:
    path = _own(tmp_path, first="analysis: tinny")
    with pytest.raises(UsageError, match=r"says that its analysis is 'tinny'\. Did you mean 'tiny'\?"):
        find_notebook(str(path), tiny.REGISTRY, tmp_path)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"min_clients": "7"}, {"min_clients": 7}),
        ({"strict": "true"}, {"strict": True}),
        ({"word": "7"}, {"word": "7"}),
        ({"bounds": "3,4.5"}, {"bounds": [3, 4.5]}),
        ({"nothing": "none"}, {"nothing": None}),
        ({"nothing": "a word"}, {"nothing": "a word"}),
        ({"min_clients": 7, "bounds": [9]}, {"min_clients": 7, "bounds": [9]}),
    ],
)
def test_own_parameters_take_what_is_typed(
    tmp_path: Path, given: dict[str, Any], wanted: dict[str, Any]
) -> None:
    found = find_notebook(str(_own(tmp_path)), tiny.REGISTRY, tmp_path)
    values = check_parameters(found, {**given, "scale": "2"})
    assert values == tiny.TinyParams(scale=2.0).to_dict() | dict(found.own) | wanted


def test_a_misspelt_parameter_names_the_own_ones_too(tmp_path: Path) -> None:
    found = find_notebook(str(_own(tmp_path)), tiny.REGISTRY, tmp_path)
    with pytest.raises(UsageError) as caught:
        check_parameters(found, {"windw": "1,5"})
    assert "Did you mean 'window'?" in str(caught.value)
    assert "The notebook's own parameters: min_clients, strict, word, bounds, nothing." in str(caught.value)


def _older(folder: Path) -> Path:
    """A copy that was made before the analysis had the parameter 'label', which its cells do not use."""
    path = _own(folder, "older")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["cells"][1]["source"] = content["cells"][1]["source"].replace("label = 'plain'\n", "")
    for cell in content["cells"]:
        cell["source"] = cell["source"].replace('"label": label, ', "")
    content["cells"][2]["source"] = "%matplotlib inline\n" + content["cells"][2]["source"]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_a_copy_that_is_older_than_a_parameter_runs_with_its_default(lab: Lab, tmp_path: Path) -> None:
    from alliance_longitudinal.reporting import run_report

    path = _older(tmp_path)
    found = find_notebook(str(path), tiny.REGISTRY, tmp_path)
    assert found.lacks == ("label",)
    assert check_parameters(found, {"label": "plain", "scale": "2"})["scale"] == 2.0
    report = run_report(
        lab.study, str(path), {}, tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder
    )
    assert report.ok, report.error


def test_a_copy_that_lacks_a_parameter_refuses_a_value_of_it(tmp_path: Path) -> None:
    found = find_notebook(str(_older(tmp_path)), tiny.REGISTRY, tmp_path)
    with pytest.raises(UsageError) as caught:
        check_parameters(found, {"label": "other"})
    assert str(caught.value) == (
        "older.ipynb does not use the parameter 'label'. Add it to the parameters cell, and pass it on to the analysis: "
        "label=label."
    )


def test_the_report_of_an_own_notebook(lab: Lab, tmp_path: Path) -> None:
    path = _own(tmp_path)
    from alliance_longitudinal.reporting import run_report

    report = run_report(
        lab.study,
        str(path),
        {"min_clients": "5", "word": "it's"},
        tmp_path / "out",
        registry=tiny.REGISTRY,
        notebooks=lab.folder,
    )
    assert report.ok, report.error
    manifest = read_manifest(report.folder)
    assert manifest["parameters"]["min_clients"] == 5
    assert manifest["notebook"]["modified"] is True
    assert "-p min_clients=5" in manifest["command"]
    assert "mine [5, False, &#39;it&#39;s&#39;, [1, 2], None]".replace(
        "&#39;it&#39;s&#39;", "&#34;it&#39;s&#34;"
    ) in (report.page.read_text(encoding="utf-8"))


def test_a_batch_sets_own_parameters_and_finds_the_notebook_beside_its_file(lab: Lab, tmp_path: Path) -> None:
    tiny.write_study(tmp_path / "a")
    _own(tmp_path, "mine")
    (tmp_path / "grid.yaml").write_text(
        "study: a/study.yaml\nnotebook: mine.ipynb\nparameters: {min_clients: [3, 5], word: x}\n",
        encoding="utf-8",
    )
    plan = read_plan(tmp_path / "grid.yaml", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert [c.request.provenance["parameters"]["min_clients"] for c in plan.combinations if c.request] == [
        3,
        5,
    ]
    batch = run_batch(tmp_path / "grid.yaml", tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert batch.ok, batch.rows
    assert [row["label"] for row in batch.rows] == ["a, min_clients 3, word x", "a, min_clients 5, word x"]
