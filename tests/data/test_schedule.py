"""Planned assessments: which were made, and that a planned follow-up is no pause."""

import pytest

from alliance_longitudinal.data import load_study, planned_assessments
from alliance_longitudinal.errors import StudyError
from data.small import findings, small_study, study_file

TIMED = "client: c, therapist: t, session: n, {unit}: d"


def plan(folder, rows, schedule, unit="week"):
    table = "c,t,n,d,p\n" + "".join(f"{row}\n" for row in rows)
    return small_study(folder, table, f"schedule: {{phq: {schedule}}}", columns=TIMED.format(unit=unit))


@pytest.mark.parametrize(
    ("unit", "rows", "schedule", "made"),
    [
        ("week", ["1,a,0,0,9", "1,a,1,4,8", "1,a,2,8,7"], "[0, 4, 8]", [True, True, True]),
        (
            "week",
            ["1,a,0,0,9", "1,a,1,4.9,8", "1,a,2,8,"],
            "[0, 4, 8]",
            [True, True, False],
        ),  # a form not filled in
        ("week", ["1,a,0,0,9", "1,a,1,11,8"], "[0, 4, 8]", [True, False, False]),  # too late for week 8
        # Half way belongs to the earlier one; after the last as much is still near enough.
        ("week", ["1,a,0,0,", "1,a,1,2,8", "1,a,2,10,7"], "[0, 4, 8]", [True, False, True]),
        ("day", ["1,a,0,0,9", "1,a,1,33,8", "1,a,2,61,7"], "[0, 30, 60]", [True, True, True]),
        ("month", ["1,a,0,0,9", "1,a,1,12,8"], "[0, 6, 12]", [True, False, True]),
        (
            "week",
            ["1,a,0,0,9", "1,a,1,1,", "1,a,2,3,8"],
            "[0, 4]",
            [True, True],
        ),  # one of two rows near week 4
    ],
)
def test_what_was_made_of_what_was_planned(tmp_path, unit, rows, schedule, made):
    study = plan(tmp_path, rows, schedule, unit)
    frame = planned_assessments(study, "phq")
    assert frame["made"].tolist() == made
    assert frame["planned"].tolist() == list(study.schedule["phq"])
    assert study.time_unit == f"{unit}s"


def test_a_client_who_is_not_seen_again_misses_what_was_planned(tmp_path):
    frame = planned_assessments(plan(tmp_path, ["1,a,0,0,9", "2,a,0,0,9", "2,a,1,4,8"], "[0, 4, 8]"), "phq")
    assert frame[["client", "planned", "made"]].values.tolist() == [
        ["1", 0, True], ["1", 4, False], ["1", 8, False], ["2", 0, True], ["2", 4, True], ["2", 8, False]
    ]  # fmt: skip


def test_by_session_number_where_time_is_sessions(tmp_path):
    study = small_study(tmp_path, "c,t,n,p\n1,a,3,9\n1,a,12,8\n", "schedule: {phq: [0, 3, 12]}")
    assert planned_assessments(study, "phq")["made"].tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("rows", "schedule", "pauses"),
    [
        (["1,a,0,0,9", "1,a,1,52,8"], None, 1),
        (["1,a,0,0,9", "1,a,1,52,8"], "[0, 52]", 0),  # a follow-up as planned
        (["1,a,0,0,9", "1,a,1,52,8"], "[0, 26, 52]", 0),  # one missed on the way
        (["1,a,0,0,9", "1,a,1,4,9", "1,a,2,56,8"], "[0, 4]", 1),  # nothing was planned then
        (["1,a,0,0,9", "1,a,1,4,9", "1,a,2,80,8"], "[0, 4, 30]", 1),
    ],
)
def test_a_planned_follow_up_is_no_pause(tmp_path, rows, schedule, pauses):
    if schedule is None:
        table = "c,t,n,d,p\n" + "".join(f"{row}\n" for row in rows)
        study = small_study(tmp_path, table, columns=TIMED.format(unit="week"))
    else:
        study = plan(tmp_path, rows, schedule)
    assert ("long_gaps" in findings(study)) == bool(pauses)
    if pauses and schedule:
        assert "more than 26 weeks beyond what the schedule plans" in findings(study)["long_gaps"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("schedule: {phk: [0, 4]}", "'schedule' names 'phk', which is not a measure. Did you mean 'phq'?"),
        ("schedule: {phq: [4, 0]}", "the planned assessments of 'phq' are not in ascending order"),
        ("schedule: {phq: [0, 4, 4]}", "not in ascending order"),
        ("schedule: {phq: []}", "must have at least 1 values"),
        ("schedule: {phq: [-1]}", "it must be 0 or more"),
    ],
)
def test_a_wrong_schedule_gets_its_sentence(tmp_path, more, words):
    with pytest.raises(StudyError) as caught:
        load_study(study_file(tmp_path, "c,t,n,p\n1,a,0,9\n", more))
    assert words in str(caught.value)


def test_a_mistake_between_two_blocks_has_the_line_of_the_block(tmp_path):
    """Such mistakes were all said to be in line 1."""
    more = "schedule:\n  phq: [0, 4]\n  phk: [0, 4]\nending: {planned: [done]}"
    path = study_file(tmp_path, "c,t,n,p\n1,a,0,9\n", more)
    with pytest.raises(StudyError) as caught:
        load_study(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    at = {
        key: next(i for i, line in enumerate(lines, start=1) if line.startswith(key))
        for key in ("  phk", "ending")
    }
    assert f"line {at['  phk']}: 'schedule' names 'phk'" in str(caught.value)
    assert (
        f"line {at['ending']}: an 'ending' column and the words of the block 'ending' belong together."
        in str(caught.value)
    )
