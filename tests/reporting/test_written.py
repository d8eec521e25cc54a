"""What is written from the analyses: notebooks, the batch file's schema, the list on the terminal."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import alliance_longitudinal as al
from alliance_longitudinal.cli import main
from inside.reporting_batch import batch_schema, schema_text
from inside.reporting_record import cell_names, default_registry, notebook_text

REGISTRY = default_registry()


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_committed_notebook_is_the_one_that_is_written(name: str, root: Path) -> None:
    committed = (root / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    assert committed == notebook_text(REGISTRY[name]), "run: make notebooks"


def test_there_is_a_notebook_for_each_analysis_and_no_other(root: Path) -> None:
    assert {path.stem for path in (root / "notebooks").glob("*.ipynb")} == set(REGISTRY)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_notebook_offers_every_parameter_with_its_default(name: str) -> None:
    content = json.loads(notebook_text(REGISTRY[name]))
    assert cell_names(content) == {"study": "demo", **REGISTRY[name].params().to_dict()}
    prose = "".join(content["cells"][0]["source"])
    assert prose.startswith(f"# {REGISTRY[name].title}\n\n{REGISTRY[name].question}\n\n")


def test_notebooks_that_read_single_answers_load_them() -> None:
    answers = {name for name in REGISTRY if "load_study(study, forms=True)" in notebook_text(REGISTRY[name])}
    assert answers == {"data_quality", "measurement"}


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python 3.14 orders unions of types in another way")
def test_the_committed_schema_is_the_one_that_is_made(root: Path) -> None:
    committed = (root / "data_schema" / "batch.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(REGISTRY), "run: make notebooks"


def test_make_notebooks_writes_all_of_it(root: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("write_notebooks", root / "tools" / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for folder in ("notebooks", "data_schema"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "gone.ipynb").write_text("{}")
    tool.main(tmp_path)
    assert {p.stem for p in (tmp_path / "notebooks").iterdir()} == set(REGISTRY)
    assert (tmp_path / "data_schema" / "batch.schema.json").read_text(encoding="utf-8") == schema_text(
        REGISTRY
    )


SCHEMA = Draft202012Validator(batch_schema(REGISTRY))


@pytest.mark.parametrize(
    "batch",
    [
        {"study": "demo", "notebook": "early_alliance"},
        {"study": ["a.yaml", "b.yaml"], "notebooks": ["early_alliance", "variance_partition"]},
        {
            "studies": {"A": "a.yaml"},
            "notebook": "early_alliance",
            "parameters": {"window": [[1, 3], [1, 5], "3"]},
        },
        {
            "study": "demo",
            "notebook": "variance_partition",
            "parameters": {"n_boot": [0, 200], "clinic": None},
        },
        {"study": "demo", "notebook": "my own.ipynb", "parameters": {"min_clients": [3, 5]}, "deadline": 900},
        {"study": "demo", "notebook": "early_alliance", "exclude": [{"window": 3}]},
    ],
)
def test_batch_files_that_run_fit_the_schema(batch: dict[str, object]) -> None:
    assert [e.message for e in SCHEMA.iter_errors(batch)] == []


@pytest.mark.parametrize(
    "batch",
    [
        {"study": "demo"},
        {"notebook": "early_alliance"},
        {"study": "demo", "studies": {}, "notebook": "early_alliance"},
        {"study": "demo", "notebook": "early_aliance"},
        {"study": "demo", "notebook": "early_alliance", "parameters": {"windw": 3}},
        {"study": "demo", "notebook": "variance_partition", "parameters": {"audience": [1]}},
        {"study": "demo", "notebook": "early_alliance", "parametres": {}},
    ],
)
def test_batch_files_that_do_not_run_break_the_schema(batch: dict[str, object]) -> None:
    assert not SCHEMA.is_valid(batch)


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_schema_describes_every_parameter_of_each_analysis(name: str) -> None:
    (rule,) = [
        r
        for r in batch_schema(REGISTRY)["allOf"]
        if r.get("if", {}).get("properties", {}).get("notebook", {}).get("const") == name
    ]
    assert list(rule["then"]["properties"]["parameters"]["properties"]) == REGISTRY[name].params.names()


def test_the_list_is_that_of_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for analysis in REGISTRY.values():
        assert f"{analysis.name}: {analysis.title}\n" in shown
    frame = al.list_analyses()
    assert list(frame.index) == sorted(REGISTRY)
    assert dict(frame["question"]) == {name: analysis.question for name, analysis in REGISTRY.items()}
    assert main(["list", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["analyses"]
    assert [(r["name"], r["title"], r["question"]) for r in records] == [
        (a.name, a.title, a.question) for a in REGISTRY.values()
    ]


def test_the_parameters_of_one_analysis_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "variance_partition"]) == 0
    shown = capsys.readouterr().out
    assert "  n_boot  (whole number; default 0)\n" in shown
    assert "  audience  (internal, shareable; default internal)\n" in shown
    assert "Analyse only this clinic." in shown
    assert main(["list", "variance_partition", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["analysis"]
    assert [p["name"] for p in record["parameters"]] == REGISTRY["variance_partition"].params.names()
    assert main(["list", "varianz"]) == 2
    assert "There is no analysis 'varianz'." in capsys.readouterr().err
