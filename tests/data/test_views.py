"""A study as the last expression of a cell: a few lines, useful, and nothing about a single client."""

import json
from dataclasses import replace

from alliance_longitudinal.data import describe_study, load_study
from data.small import findings, small_study

TABLE = "c,t,n,p\nCANARY1,T<1>,0,13\nCANARY1,T<1>,1,17\nCANARY2,T<1>,0,19\n"


def test_text_and_html_are_short_and_without_client_data(tmp_path):
    study = small_study(tmp_path, TABLE)
    assert repr(study).splitlines() == [
        "Small",
        "2 clients of 1 therapists; 3 sessions.",
        "Measures: phq (PHQ-9 (client)).",
        "Findings: 2 caution, 1 info; see study.describe() and study.flow.",
    ]
    html = study._repr_html_()
    assert html.startswith("<b>Small</b><ul><li>2 clients of 1 therapists; 3 sessions.</li>")
    for view in (repr(study), html, str(study), f"{study}", json.dumps([study.__repr__()])):
        assert "CANARY" not in view
        assert len(view) < 400


def test_a_title_is_no_html(tmp_path):
    (tmp_path / "x").mkdir()
    study = small_study(tmp_path / "x", TABLE, measures="measures: {phq: {instrument: phq_9, total: p}}")
    path = tmp_path / "x" / "study.yaml"
    path.write_text(path.read_text().replace("study: Small", "study: '<script>alert(1)</script>'"))
    assert "<script>" not in load_study(path)._repr_html_()
    assert study.describe() == describe_study(study)


def test_the_demonstration_study_says_that_it_is_simulated():
    assert "Simulated data." in repr(load_study("demo"))
    assert "in 3 clinics" in describe_study(load_study("demo"))[2]


def test_therapists_are_listed_once_in_order(tmp_path):
    rows = "".join(
        f"{k},{t},1,9\n{k},{t},2,8\n" for k, t in enumerate(["T9", "T10", "T1", "b", "T10", "a", "T2", "B"])
    )
    study = small_study(tmp_path, "c,t,n,p\n" + rows)
    for each in (study, replace(study, _therapists=None)):  # read from a file, and made from frames
        assert each.therapists["therapist"].tolist() == ["B", "T1", "T10", "T2", "T9", "a", "b"]


def test_a_therapist_in_three_clinics_is_one(tmp_path):
    rows = "".join(
        f"{k},{t},1,9,{clinic}\n" for k, (t, clinic) in enumerate(["aK", "aL", "aM", "bK", "bL", "cK"])
    )
    study = small_study(
        tmp_path, "c,t,n,p,k\n" + rows, columns="client: c, therapist: t, session: n, clinic: k"
    )
    said = findings(study)["therapist_in_several_clinics"]
    assert said.startswith("2 therapist ids occur in more than one clinic and count as the same")
