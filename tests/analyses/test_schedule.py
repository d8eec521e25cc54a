"""Completion is judged against the study's schedule: planned assessments, attended or not, and follow-ups are no pauses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.data import Study, planned_assessments
from analyses.studies import value, with_sessions
from data.small import small_study
from inside.analyses_data_quality import quality_checks

TIMED = "client: c, therapist: t, session: n, week: d"
PLAN = (0, 4, 8, 26)


def trial(folder: Path, schedule: str = "schedule: {phq: [0, 4, 8, 26]}", more: str = "") -> Study:
    """40 clients of two arms; a quarter miss week 4, and those of the usual arm are only seen at weeks 0 and 26."""
    rng = np.random.default_rng(4)
    rows = ["c,t,n,d,arm,p"]
    for k in range(40):
        arm = "usual" if k % 2 else "therapy"
        for n, week in enumerate(PLAN):
            missed = (week == 4 and k % 4 == 0) or (arm == "usual" and week in (4, 8))
            if not missed:
                rows.append(f"C{k},T{k % 6},{n},{week + (0.5 if week else 0)},{arm},{rng.integers(0, 28)}")
    return small_study(folder, "\n".join(rows) + "\n", f"{schedule}\n{more}", columns=TIMED + ", arm: arm")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return trial(tmp_path_factory.mktemp("trial"))


def check(study: Study, name: str):  # type: ignore[no-untyped-def]
    """One check of the data."""
    return next(c for c in quality_checks(study, models=False) if c.key == name)


def test_forms_are_missing_by_the_plan_and_not_by_who_came(study: Study) -> None:
    found = check(study, "completion-phq")
    planned = planned_assessments(study, "phq")
    assert (found.n, found.found) == (160, int((~planned["made"]).sum())) == (160, 50)
    assert "all assessments that the schedule plans for a client" in found.rule
    result = al.data_quality(study, models=False)
    assert value(result, "there-phq") == pytest.approx(110 / 160)
    assert result.answer[1] == (
        "According to the schedule, 69\u00a0% of the planned PHQ-9 (client) forms were completed, whether clients attended or not."
    )
    assert "For PHQ-9 (client) the schedule of the study says when a form was expected" in result.methods


def test_without_a_schedule_only_attended_sessions_count(tmp_path: Path) -> None:
    study = trial(tmp_path, schedule="")
    assert (check(study, "completion-phq").n, check(study, "completion-phq").found) == (110, 0)
    result = al.data_quality(study, models=False)
    assert "At attended sessions, 100" in result.answer[1]
    assert "completion_by_session" in result.figures


def test_a_planned_follow_up_is_no_long_pause(study: Study, tmp_path: Path) -> None:
    planned = check(study, "gaps")
    assert (planned.found, planned.verdict) == (0, "fine")
    assert "More than 26 weeks beyond what the schedule plans between two sessions" in planned.rule
    short = trial(tmp_path, schedule="schedule: {phq: [0, 4, 8]}")
    unplanned = check(short, "gaps")
    assert (unplanned.found, unplanned.verdict) == (20, "problem")  # the usual arm: 26.5 weeks after intake


def test_completion_by_planned_time(study: Study) -> None:
    result = al.data_quality(study, models=False)
    (spec,) = [f for f in result.figure_specs if f.name == "completion_by_plan"]
    made = planned_assessments(study, "phq").groupby("planned")["made"].agg(["size", "sum"])
    frame = spec.data.set_index("at")
    assert frame["expected"].tolist() == made["size"].tolist() == [40, 40, 40, 40]
    assert frame["present"].tolist() == made["sum"].tolist() == [40, 10, 20, 40]
    assert [label.get_text() for label in spec.figure().axes[0].get_xticklabels()] == ["0", "4", "8", "26"]
    found = check(study, "completion_session-phq")
    assert (found.title, found.unit, found.found) == ("Missing forms by planned time", "planned time", 2)
    assert found.means == "Many are missing at planned time 4 and 8 (weeks)."


def test_clients_without_forms_to_the_end_are_those_of_the_plan(study: Study) -> None:
    assert check(study, "stopped-phq").found == 0  # all were seen at the follow-up


def test_planned_times_after_the_last_date_are_not_missing(tmp_path: Path) -> None:
    """A clinic in its third month has no form of week 26 to miss."""
    table = "c,t,n,d,p\nA,x,0,2024-01-01,9\nA,x,1,2024-01-29,8\nB,x,0,2024-01-15,9\nB,x,1,2024-03-11,8\n"
    columns = "client: c, therapist: t, session: n, date: d"
    study = small_study(
        tmp_path, table, "schedule: {phq: [0, 4, 8, 26]}\ndialect: {dates: iso}", columns=columns
    )
    found = check(study, "completion-phq")
    # A is due at weeks 0, 4, 8 (made: 0, 4), B at 0, 4, 8 (made: 0, 8); nobody yet at week 26.
    assert (found.n, found.found) == (6, 2)
    assert found.who == ("A", "B")


def test_forms_are_compared_by_arm(study: Study) -> None:
    result = al.data_quality(study, models=False, by="arm")
    assert value(result, "there-phq_usual") == pytest.approx(40 / 80)
    assert value(result, "there-phq_therapy") == pytest.approx(70 / 80)
    assert value(result, "there-phq_usual_difference") == pytest.approx(-30 / 80)
    # Three therapists an arm, none in both: Wilson's limits of each arm, put together by Newcombe's rule.
    usual, therapy = (
        [value(result, f"there-phq_{arm}", c) for c in ("estimate", "ci_low", "ci_high")]
        for arm in ("usual", "therapy")
    )
    low = -30 / 80 - np.hypot(usual[0] - usual[1], therapy[2] - therapy[0])
    assert value(result, "there-phq_usual_difference", "ci_low") == pytest.approx(low)
    shared = al.data_quality(study, models=False, by="arm", audience="shareable")
    frame = shared.estimates.set_index("id")
    assert frame.loc["there-phq_usual_difference", "estimate"] == pytest.approx(
        frame.loc["there-phq_usual", "estimate"] - frame.loc["there-phq_therapy", "estimate"]
    )


def test_a_difference_is_hidden_with_the_share_that_it_would_tell(study: Study) -> None:
    """Four clients of the therapy arm stop: their share is hidden, and so is what the other arm differs by."""
    sessions = study.sessions
    gone = sessions["client"].isin(["C0", "C2", "C4", "C6"]) & (sessions["session"] > 0)
    fewer = with_sessions(study, sessions[~gone].reset_index(drop=True))
    frame = al.data_quality(fewer, models=False, by="arm", audience="shareable").estimates.set_index("id")
    assert pd.isna(frame.loc["stopped-phq_therapy", "estimate"])
    assert frame.loc["stopped-phq_usual", "estimate"] == 0
    assert frame.loc["stopped-phq_usual_difference", ["estimate", "ci_low", "ci_high"]].isna().all()
