"""The grid of a batch file, its index, and what happens to its failures."""

import json
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.reporting import run_batch
from inside.reporting_batch import Overview, Plan, forests, read_plan, write_index
from reporting import tiny
from reporting.conftest import Lab
from reporting.page import lint


def _plan(lab: Lab, folder: Path, text: str) -> Plan:
    tiny.write_study(folder / "a")
    tiny.write_study(folder / "b", (3.0, 4.0))
    path = folder / "grid.yaml"
    path.write_text(text, encoding="utf-8")
    return read_plan(path, registry=tiny.REGISTRY, notebooks=lab.folder)


def test_the_grid_is_every_combination_but_the_excluded(lab: Lab, tmp_path: Path) -> None:
    plan = _plan(
        lab,
        tmp_path,
        "studies: {Süd: a/study.yaml, Nord: b/study.yaml}\nnotebook: tiny\n"
        "parameters:\n  window: [[1, 3], [1, 5]]\n  scale: [1.0, 2.0]\n  label: one\n"
        "exclude:\n  - {study: Nord, window: [1, 3]}\n",
    )
    cells = [(c.study, c.values["window"], c.values["scale"]) for c in plan.combinations]
    assert cells == [
        *(("Süd", w, s) for w in ([1, 3], [1, 5]) for s in (1.0, 2.0)),
        *(("Nord", [1, 5], s) for s in (1.0, 2.0)),
    ]
    assert [(s["study"], s["status"], s["error"]) for s in plan.skipped] == [
        ("Nord", "excluded", "The batch file excludes study Nord, window 1,3.")
    ] * 2
    assert len({c.folder for c in plan.combinations}) == 6
    assert plan.combinations[0].folder.startswith("sud-tiny-window-1-3-scale-1-0-label-one-")
    assert plan.combinations[0].label == "Süd, window 1,3, scale 1.0, label one"


def test_equal_requests_are_made_once(lab: Lab, tmp_path: Path) -> None:
    plan = _plan(
        lab, tmp_path, 'study: a/study.yaml\nnotebook: tiny\nparameters: {window: [[1, 5], "1,5"]}\n'
    )
    assert len(plan.combinations) == 1
    (same,) = plan.skipped
    assert (same["status"], same["error"]) == ("same", "The same report as a, window 1,5.")


def test_names_of_studies(lab: Lab, tmp_path: Path) -> None:
    plan = _plan(lab, tmp_path, "study: [a/study.yaml, b/study.yaml]\nnotebooks: [tiny]\n")
    assert [c.label for c in plan.combinations] == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["../../etc", "CON", "a" * 300, "=cmd()", "\u202eevil", "...", "NUL\x00" * 0 + "x/y"]
)
def test_folder_names_are_harmless(lab: Lab, tmp_path: Path, name: str) -> None:
    text = json.dumps({"studies": {name: "a/study.yaml"}, "notebook": "tiny"})
    folder = _plan(lab, tmp_path, text).combinations[0].folder
    assert len(folder) <= 70
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("study: a/study.yaml\nnotbook: tiny\n", "unknown key 'notbook'. Did you mean 'notebook'?"),
        ("study: a/study.yaml\n", "give either 'notebook' (one) or 'notebooks' (a list)."),
        ("notebook: tiny\n", "give either 'study' (one file or a list) or 'studies' (name: file)."),
        ("study: a/study.yaml\nnotebook: tinny\n", "There is no notebook 'tinny'. Did you mean 'tiny'?"),
        (
            "study: a/study.yaml\nnotebook: tiny\nparameters: {windw: 3}\n",
            "There is no parameter 'windw'. Did you mean 'window'?",
        ),
        (
            "study: a/study.yaml\nnotebook: tiny\nexclude: [{scael: 1}]\nparameters: {scale: 1}\n",
            "excludes by 'scael', which it does not set. Did you mean 'scale'?",
        ),
        (
            "study: a/study.yaml\nnotebook: tiny\nparameters: {scale: 1}\nexclude: [{scale: 1}]\n",
            "asks for no report: every combination is excluded.",
        ),
        ("", "is empty"),
    ],
)
def test_wrong_batch_files_have_their_sentence(lab: Lab, tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(StudyError) as caught:
        _plan(lab, tmp_path, text)
    assert sentence in str(caught.value)


def test_one_failure_does_not_stop_the_rest(lab: Lab, tmp_path: Path) -> None:
    tiny.write_study(tmp_path / "a")
    results = tiny.sample_results()
    ids = [e["id"] for e in results["estimates"]]
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    tiny.write_notebook(notebooks, results=results | {"main_estimate": ids[-1]})
    text = (
        "studies: {Gone: gone/study.yaml, A: a/study.yaml}\nnotebook: tiny\n"
        "parameters: {trouble: [data error, null]}\nexclude: [{study: Gone, trouble: null}]\n"
    )
    (tmp_path / "grid.yaml").write_text(text, encoding="utf-8")
    events: list[Any] = []
    batch = run_batch(
        tmp_path / "grid.yaml",
        tmp_path / "out",
        jobs=2,
        on_event=events.append,
        registry=tiny.REGISTRY,
        notebooks=notebooks,
    )
    assert not batch.ok
    assert [row["status"] for row in batch.rows] == ["failed", "failed", "complete"]
    assert [row["estimate"] and row["estimate"]["id"] for row in batch.rows] == [None, None, ids[-1]]
    assert ids[-1] != ids[0]
    assert sorted(e["done"] for e in events) == [1, 2, 3]
    index = json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))
    assert index["reports"] == list(batch.rows)
    assert [row["status"] for row in index["not_run"]] == ["excluded"]
    page = batch.page.read_text(encoding="utf-8")
    assert lint(page, sorts=True) == []
    assert "does not exist" in page
    assert "Run `alliance check` on the study file" in page
    assert "canary" not in page
    assert (tmp_path / "out" / batch.rows[2]["folder"] / "report.html").is_file()


def _row(label: str, low: float, at: float, high: float, unit: str = "points") -> dict[str, Any]:
    estimate = {"label": "Within", "unit": unit, "estimate": at, "ci_low": low, "ci_high": high}
    return {
        **{
            "label": label,
            "folder": "f",
            "notebook": "n",
            "status": "complete",
            "error": None,
            "seconds": 1.0,
            "study": "s",
            "parameters": {},
            "key": label,
        },
        **{"result_status": {"label": "Complete"}, "estimate": estimate},
    }


def test_the_forest_is_to_scale_with_zero_in_it() -> None:
    rows = [_row("a", -1.0, 0.0, 1.0), _row("b", 1.0, 2.0, 3.0), _row("c", 1.0, 2.0, 3.0, "SD")]
    first, second = forests(rows)
    assert first["pool"] is None
    # -1 to 3 is drawn between 4 and 96 percent: 23 percent a point.
    assert [(x["low"], x["at"], x["high"]) for x in first["lines"]] == [(4.0, 27.0, 50.0), (50.0, 73.0, 96.0)]
    assert first["zero"] == 27.0
    assert [t[0] for t in first["ticks"]] == [4.0, 27.0, 96.0]
    assert (second["unit"], second["zero"]) == ("SD", 4.0)


def test_the_index_speaks_of_many_chances(tmp_path: Path) -> None:
    waiting = _row("c", 0, 0, 0) | {
        "status": "waiting",
        "estimate": None,
        "seconds": None,
        "result_status": None,
    }
    write_index(tmp_path, Overview([_row("a", -1, 0, 1), _row("<b>", 1, 2, 3), waiting]))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert lint(page, sorts=True) == []
    assert "This page shows 2 intervals of 95\N{NO-BREAK SPACE}%." in page
    assert "The batch was stopped before this report. Repeat the command to continue." in page
    assert "&lt;b&gt;" in page
    assert "This folder has" not in page


def test_the_index_counts_reports_of_an_earlier_state(tmp_path: Path) -> None:
    for name in ("f", "f.failed", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    write_index(tmp_path, Overview([_row("a", -1, 0, 1)]))
    assert "This folder has 1 other report, made from earlier" in (tmp_path / "index.html").read_text(
        encoding="utf-8"
    )


def test_studies_of_the_same_content_are_said(lab: Lab, tmp_path: Path) -> None:
    tiny.write_study(tmp_path / "c")
    text = "studies: {North: a/study.yaml, South: c/study.yaml, East: b/study.yaml}\nnotebook: tiny\n"
    plan = _plan(lab, tmp_path, text)
    assert [c.study for c in plan.combinations] == ["North", "East"]
    sentence = (
        "The studies 'North' and 'South' have the same content, so each report is made once, as 'North'."
    )
    assert plan.notes == (sentence,)
    batch = run_batch(tmp_path / "grid.yaml", tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert batch.notes == (sentence,)
    assert json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))["notes"] == [sentence]
    assert "have the same content" in batch.page.read_text(encoding="utf-8")


WRONG = [
    ("scale: 1\n  scael: [1, 2, 3]", ["line 5: There is no parameter 'scael'. Did you mean 'scale'?"]),
    ("scael: 1\n  windw: 2\n  labl: [a, b]", ["line 4: ", "line 5: ", "line 6: "]),
]


@pytest.mark.parametrize(("parameters", "wanted"), WRONG)
def test_each_wrong_value_is_said_once_with_its_line(
    lab: Lab, tmp_path: Path, parameters: str, wanted: list[str]
) -> None:
    """Case: mistakes were printed once for each combination, and no line said where in the file."""
    text = f"study: [a/study.yaml, b/study.yaml]\nnotebooks: [tiny]\nparameters:\n  {parameters}\n"
    with pytest.raises(StudyError) as caught:
        _plan(lab, tmp_path, text)
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == len(wanted)
    for line, start in zip(lines, wanted, strict=True):
        assert line.startswith(f"  {start}")


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ("  n_boot: [null, .nan, .inf, 0]\n  clinic: [null, ~, [a], {x: 1}]", [4, 4, 4, 5, 5]),
        ("  n_boot: [10, 10]\n  seed: [1, 2]", [4]),
        ("  seed: [-1, 1.5, -1]\n  n_boot: 0", [4, 4]),
        ("  audience: [internal, public]\n  seed: [1, 2, 3]", [4]),
        ("  windw: [1, 2]\n  seed: [x, y]", [4, 5, 5]),
    ],
)
def test_wrong_values_of_a_real_analysis(tmp_path: Path, parameters: str, wanted: list[int]) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(
        f"study: demo\nnotebook: variance_partition\nparameters:\n{parameters}\n", encoding="utf-8"
    )
    with pytest.raises(StudyError) as caught:
        read_plan(path)
    lines = str(caught.value).splitlines()[1:]
    assert [int(line.split()[1].rstrip(":")) for line in lines] == wanted
    assert all(line.startswith("  line ") for line in lines)


def test_a_failed_row_of_a_batch_for_outsiders_names_no_folder(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(
        "studies: {Gone: gone/study.yaml}\nnotebook: variance_partition\nparameters: {audience: shareable}\n",
        encoding="utf-8",
    )
    batch = run_batch(tmp_path / "grid.yaml", tmp_path / "out")
    assert str(tmp_path) not in str(batch.rows)
    assert batch.rows[0]["error"].startswith("The study file STUDY.yaml does not exist.")


def test_every_report_of_a_batch_has_the_documents_that_its_file_names(lab: Lab, tmp_path: Path) -> None:
    tiny.write_study(tmp_path / "a")
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "study: a/study.yaml\nnotebook: tiny\nformats: [html, docx, pdf]\nparameters: {scale: [1.0, 2.0]}\n",
        encoding="utf-8",
    )
    batch = run_batch(grid, tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert batch.ok
    for row in batch.rows:
        assert row["documents"] == ["docx", "pdf"]
        made = {path.name for path in (batch.folder / row["folder"]).iterdir()}
        assert {"report.docx", "report.html", "report.pdf"} <= made
    page = batch.page.read_text(encoding="utf-8")
    assert (
        f'<a href="{batch.rows[0]["folder"]}/report.docx" title="{batch.rows[0]["label"]} as Word">Word</a>'
        in page
    )
    grid.write_text(grid.read_text(encoding="utf-8").replace("docx, pdf", "doc"), encoding="utf-8")
    with pytest.raises(StudyError, match=r"line 3: There is no format 'doc'\. Did you mean 'docx'\?"):
        run_batch(grid, tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)


def test_the_index_of_a_shareable_batch_names_no_file_of_a_study_that_cannot_be_read(tmp_path: Path) -> None:
    for audience, named in (("shareable", "STUDY.yaml does not exist"), ("internal", "canary.yaml does not")):
        text = f"study: secret/canary.yaml\nnotebook: data_quality\nparameters: {{audience: {audience}}}\n"
        (tmp_path / "grid.yaml").write_text(text, encoding="utf-8")
        (one,) = read_plan(tmp_path / "grid.yaml").combinations
        assert one.request is None
        assert named in one.error
        assert ("secret" in one.error or str(tmp_path) in one.error) == (audience == "internal")
