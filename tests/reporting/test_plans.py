"""Plans: frozen without an outcome, sealed, and every deviation of a report from one named once."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from alliance_longitudinal import cli
from alliance_longitudinal.errors import ReportError, StudyError, UsageError
from alliance_longitudinal.reporting import (
    Report,
    checklist,
    freeze,
    planned_request,
    prepare,
    public,
    read_frozen,
    read_manifest,
    verify_report,
)
from reporting import tiny
from reporting.conftest import Lab

STUDY = """study: A clinic that has not been seen
tables:
  sessions: {file: sessions.csv, columns: {client: C, therapist: T, session: S}}
measures:
  alliance: {instrument: wai_sr, rater: client, total: W}
  phq9: {instrument: phq_9, rater: client, total: P}
early_window: [1, 3]
"""


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """A study file whose tables are not there: a plan needs none of them."""
    path = tmp_path / "clinic" / "study.yaml"
    path.parent.mkdir()
    path.write_text(STUDY, encoding="utf-8")
    return path


def _frozen(lab: Lab, out: Path, **options: Any) -> Path:
    """A plan of the miniature; its study file is one that the package understands, and the rest is the miniature's."""
    study = lab.folder / "planned" / "study.yaml"
    if not study.is_file():
        tiny.write_study(study.parent)
        study.write_text(STUDY, encoding="utf-8")
    parameters = options.pop("parameters", {})
    return freeze(study, "tiny", parameters, out, registry=tiny.REGISTRY, notebooks=lab.folder, **options)


def _made(lab: Lab, plan: Path, out: Path, **parameters: Any) -> Report:
    study, notebook, planned = planned_request(plan)
    assert notebook == "tiny"
    report = lab.report(out, study=Path(study), parameters={**planned, **parameters}, plan=plan)
    assert report.ok, report.error
    return report


def test_a_plan_is_frozen_without_any_data(unseen: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = unseen.parent / "plans" / "plan.yaml"
    words = ["plan", str(unseen), "--notebook", "early_alliance", "-p", "min_rated=2", "--out", str(out)]
    assert (
        cli.main([*words, "--hypothesis", "It helps: 1 > 0", "--hypothesis", "# NO", "--data-seen", "none"])
        == 0
    )
    assert capsys.readouterr().out == f"{out}\n"
    plan = read_frozen(out)
    assert plan.analysis == "early_alliance"
    assert plan.main_estimate == "slope_within"
    assert plan.hypotheses == ["It helps: 1 > 0", "# NO"]
    assert plan.data_seen == "none"
    assert plan.data_sha256 is None
    assert plan.multiplicity.startswith("One main estimate.")
    assert plan.study_file == "../study.yaml"
    assert plan.parameters["min_rated"] == 2
    assert plan.parameters["window"] == [1, 3]  # the study file's
    assert "audience" not in plan.parameters
    study, notebook, parameters = planned_request(out)
    assert (study, notebook, parameters["min_rated"]) == (str(unseen), "early_alliance", 2)


def test_what_cannot_be_planned_is_said(unseen: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.yaml"
    with pytest.raises(
        UsageError, match=r"alliance: the study file has no measure 'aliance'. Did you mean 'alliance'\?"
    ):
        freeze(unseen, "early_alliance", {"alliance": "aliance"}, out)
    with pytest.raises(UsageError, match="no parameter 'windw'"):
        freeze(unseen, "early_alliance", {"windw": "1,2"}, out)
    with pytest.raises(StudyError, match="does not exist"):
        freeze(tmp_path / "none.yaml", "early_alliance", {}, out)
    freeze(unseen, "early_alliance", {}, out)
    with pytest.raises(UsageError, match=r"already exists\. A frozen plan is not replaced"):
        freeze(unseen, "early_alliance", {}, out)
    with pytest.raises(ReportError, match="cannot be written"):
        freeze(unseen, "early_alliance", {}, unseen / "plan.yaml")


def test_a_changed_plan_is_refused(unseen: Path, tmp_path: Path) -> None:
    out = freeze(unseen, "early_alliance", {}, tmp_path / "plan.yaml")
    out.write_text(
        out.read_text(encoding="utf-8").replace('"window": [1, 3]', '"window": [1, 4]'), encoding="utf-8"
    )
    with pytest.raises(ReportError, match="was changed after it was frozen"):
        read_frozen(out)
    out.write_text(out.read_text(encoding="utf-8") + "more: 1\n", encoding="utf-8")
    with pytest.raises(StudyError, match="more"):
        read_frozen(out)


def test_a_report_that_kept_to_its_plan_says_so_and_comes_out_again(lab: Lab, tmp_path: Path) -> None:
    plan = _frozen(
        lab, tmp_path / "plan.yaml", main="within_slope", hypotheses=["A hypothesis"], hash_data=True
    )
    report = _made(lab, plan, tmp_path / "out")
    told = read_manifest(report.folder)["plan"]
    assert told["as_planned"] is True
    assert told["deviations"] == []
    page = report.page.read_text(encoding="utf-8")
    assert "<b>As planned.</b>" in page
    assert "The analysis was made as planned." in page
    assert "A hypothesis" in page
    assert f"--plan {plan}" in read_manifest(report.folder)["command"]
    again = verify_report(report.folder, registry=tiny.REGISTRY, notebooks=lab.folder)
    assert (again.problems, again.notes) == ((), ())


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"window": "2,5"}, {"parameter": "window", "planned": "1,5", "used": "2,5"}),
        ({"scale": 2.5}, {"parameter": "scale", "planned": "1.0", "used": "2.5"}),
        ({"label": "other"}, {"parameter": "label", "planned": "plain", "used": "other"}),
    ],
)
def test_one_other_parameter_is_one_deviation(
    lab: Lab, tmp_path: Path, changed: dict[str, Any], line: dict[str, str]
) -> None:
    report = _made(lab, _frozen(lab, tmp_path / "plan.yaml"), tmp_path / "out", **changed)
    told = read_manifest(report.folder)["plan"]
    assert told["deviations"] == [line]
    assert told["as_planned"] is False
    page = " ".join(report.page.read_text(encoding="utf-8").split())
    assert "<b>1 deviation from the plan.</b>" in page
    assert (
        page.count(
            f'<th scope="row">{line["parameter"]}</th><td>{line["planned"]}</td><td>{line["used"]}</td>'
        )
        == 1
    )


def test_other_data_another_study_file_and_another_main_estimate_are_deviations(
    lab: Lab, tmp_path: Path
) -> None:
    plan = _frozen(lab, tmp_path / "plan.yaml", main="canary", hash_data=True)
    other = tmp_path / "data" / "study.yaml"
    tiny.write_study(other.parent, (2.0, 3.0))
    other.write_text(STUDY.replace("[1, 3]", "[1, 4]"), encoding="utf-8")
    report = lab.report(tmp_path / "out", study=other, plan=plan)
    told = {d["parameter"]: d for d in read_manifest(report.folder)["plan"]["deviations"]}
    assert set(told) == {"study file", "data file sessions.csv", "main estimate"}
    assert told["main estimate"] == {
        "parameter": "main estimate",
        "planned": "canary",
        "used": "within_slope",
    }
    assert "not in this report" in report.page.read_text(encoding="utf-8")


def test_an_edited_notebook_is_a_deviation(lab: Lab, tmp_path: Path) -> None:
    plan = _frozen(lab, tmp_path / "plan.yaml")
    own = tmp_path / "tiny_own.ipynb"
    own.write_text((lab.folder / "tiny.ipynb").read_text(encoding="utf-8") + " ", encoding="utf-8")

    study, _, planned = planned_request(plan)
    request = prepare(study, str(own), planned, plan=plan, registry=tiny.REGISTRY, notebooks=lab.folder)
    (line,) = request.provenance["plan"]["deviations"]
    assert line["parameter"] == "notebook"
    assert line["planned"] == "the notebook of the package"
    assert line["used"].startswith("own notebook ")


def test_the_plan_is_part_of_what_a_report_is(lab: Lab, tmp_path: Path) -> None:

    plan = _frozen(lab, tmp_path / "plan.yaml")
    study, _, planned = planned_request(plan)
    known = {"registry": tiny.REGISTRY, "notebooks": lab.folder}
    assert (
        prepare(study, "tiny", planned, **known).key
        != prepare(study, "tiny", planned, plan=plan, **known).key
    )


def test_a_plan_for_outsiders_names_no_file(lab: Lab, tmp_path: Path) -> None:

    plan = _frozen(lab, tmp_path / "secretplan.yaml", hash_data=True)
    shutil.copytree(lab.folder / "planned", tmp_path / "data")
    with (tmp_path / "data" / "sessions.csv").open("a", encoding="utf-8") as file:
        file.write("canary-9,3\n")

    study, _, planned = planned_request(plan)
    request = prepare(
        tmp_path / "data" / "study.yaml",
        "tiny",
        planned,
        plan=plan,
        registry=tiny.REGISTRY,
        notebooks=lab.folder,
    )
    known = dict(request.provenance) | {"command": ""}
    known["parameters"] = {**known["parameters"], "audience": "shareable"}
    text = json.dumps(public(known))
    assert "secretplan" not in text
    assert "sessions.csv" not in text
    assert study not in text
    assert '"parameter": "a data file"' in text
    assert public(public(known))["plan"] == public(known)["plan"]


def test_the_report_needs_a_study_or_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "demo", "--out", "x"]) == 2
    assert capsys.readouterr().err == "The report needs --notebook NAME, or a plan (--plan PLAN.yaml).\n"
    assert cli.main(["report", "--out", "x"]) == 2
    assert capsys.readouterr().err == "The report needs a study file, or a plan (--plan PLAN.yaml).\n"


def test_the_checklist_says_where_each_item_is_and_what_is_missing() -> None:
    results = tiny.sample_results()
    items = {i.number: i for i in checklist(results, {"setting": "Two clinics", "funding": "None"})}
    assert [n for n in items if n.isdigit()] == [str(n) for n in range(1, 23)]
    assert items["22"].where == "None"
    assert items["22"].state == "stated"
    assert items["5"].state == "missing"
    assert items["5"].where == "Two clinics Add to the study file: reporting: {dates: ...}"
    assert items["16"].anchor == "results"
    assert items["2"].state == "author"
    bare = results | {"estimates": [], "tables": [], "flow": [], "limits": [], "findings": []}
    assert {i.number: i.state for i in checklist(bare, {})} | {
        "14": "missing",
        "16": "missing",
        "17": "author",
    } == {i.number: i.state for i in checklist(bare, {})}


#: The items as they are published: STROBE 2007, RECORD 2015, TRIPOD 2015.
RECORD = "1.1 1.2 1.3 6.1 6.2 6.3 7.1 12.1 12.2 12.3 13.1 19.1 22.1"
TRIPOD = (
    "1 2 3a 3b 4a 4b 5a 5b 5c 6a 6b 7a 7b 8 9 10a 10b 10c 10d 10e 11 12 13a 13b 13c 14a 14b 15a 15b 16 17 18 19a 19b "
    "20 21 22"
)


def test_the_lists_are_those_that_are_published() -> None:
    results = tiny.sample_results()
    for predicts in (False, True):
        own = {"name": "tripod", "title": "What TRIPOD asks for", "section": "checks"}
        found = checklist(
            results | {"tables": [*results["tables"], *([own] if predicts else [])]}, {"dates": "2024"}
        )
        by = {
            head: [i.number.removeprefix(head) for i in found if i.number.startswith(head)]
            for head in ("RECORD ", "TRIPOD ")
        }
        assert by["RECORD "] == RECORD.split()
        assert by["TRIPOD "] == (TRIPOD.split() if predicts else [])
        assert [i.number for i in found if i.number.isdigit()] == [str(n) for n in range(1, 23)]
    known = {i.number: i for i in found}
    assert (known["TRIPOD 4b"].state, known["TRIPOD 4b"].where) == ("stated", "2024")
    assert known["TRIPOD 6a"].where == "Table: What TRIPOD asks for"
    assert known["TRIPOD 19a"].state == "author"
    bare = results | {"tables": [own], "flow": []}
    assert {i.number: i.state for i in checklist(bare, {})}["TRIPOD 13b"] == "missing"


def test_the_page_has_the_checklist_with_what_the_study_file_states(lab: Lab, tmp_path: Path) -> None:
    study = tiny.write_study(tmp_path / "data")
    study.write_text(
        study.read_text(encoding="utf-8") + "reporting: {funding: A fund for tests}\n", encoding="utf-8"
    )
    page = lab.report(tmp_path / "out", study=study).page.read_text(encoding="utf-8")
    assert "A fund for tests" in page
    assert "Add to the study file: reporting: {eligibility: ...}" in page
