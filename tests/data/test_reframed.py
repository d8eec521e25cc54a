"""REFRAMED, a trial with therapists in one arm only, from one study file of at most 15 lines."""

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from alliance_longitudinal.data import describe_study, load_study, planned_assessments


@pytest.fixture(scope="module")
def raw(shared_data):
    frame = pd.read_csv(shared_data / "reframed.csv", dtype={"patient": str, "therapist": str, "month": str})
    return frame[frame["month"] != "Post-Rx"].astype({"month": int})


@pytest.fixture(scope="module")
def study(root, shared_data, tmp_path_factory):
    text = (root / "tests" / "fixtures" / "reframed" / "study.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    path = tmp_path_factory.mktemp("reframed") / "study.yaml"
    place = str(shared_data / "reframed.csv")
    path.write_text(text.replace("../../../../shared/data/reframed.csv", place), encoding="utf-8")
    return load_study(path)


def test_people_and_arms(study, raw):
    clients = study.clients.set_index("client")
    first = raw.drop_duplicates("patient").set_index("patient")
    assert clients["arm"].to_dict() == first["grp"].to_dict()
    assert clients["age"].to_dict() == first["age_years"].to_dict()
    assert len(clients) == 250
    assert len(study.therapists) == 22
    without = clients["therapist"].isna()
    assert (without == (clients["arm"] == "TAU")).all()
    assert clients.loc[~without, "therapist"].to_dict() == first["therapist"].dropna().to_dict()
    assert "Arms: RO-DBT 162 clients, TAU 88 clients." in describe_study(study)


def test_scores_and_time(study, raw):
    sessions = study.sessions
    read = raw.set_index(["patient", "month"])["phq9"]
    read = read.where(read >= 0)
    ours = sessions.set_index(["client", "session"])["phq9"]
    assert ours.notna().sum() == read.notna().sum() == 2432
    assert_allclose(ours.reindex(read.index), read)
    assert_allclose(sessions["week"], sessions["session"] * 365.25 / 84)  # every patient has a row of month 0
    assert study.time_unit == "months"


def test_every_row_is_accounted_for(study):
    steps = [(s.rows_out, s.clients_out, s.reason) for s in study.flow.steps]
    assert steps == [(2825, 250, ""), (2627, 250, "assessment after treatment, not monthly")]


def test_what_was_planned_and_made(study, raw):
    made = planned_assessments(study, "phq9").groupby("planned")["made"].sum()
    scores = raw[raw["phq9"] >= 0].groupby("month")["patient"].nunique()
    assert made.to_dict() == {float(month): n for month, n in scores.items()}
    assert "long_gaps" not in {finding.code for finding in study.findings}
