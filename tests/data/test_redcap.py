"""REDCap exports, raw and with labels: repeating forms, events, checkbox fields, fields of the record."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError

DICTIONARY = """\
"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels"
record_id,intake,text,Record ID,
therapist,intake,text,Therapist,
sex,intake,radio,Sex,"1, Female | 2, Male"
reasons,intake,checkbox,Reasons,"1, Mood | -2, Sleep, tiredness"
visit,session,text,Date of visit,
gad1,session,radio,Nervous,"0, Not at all | 1, Several days | 2, More than half | 3, Nearly every day"
gad2,session,radio,Worry,"0, Not at all | 1, Several days | 2, More than half | 3, Nearly every day"
"""

STUDY = """\
study: REDCap
tables:
  sessions:
    file: export.csv
    redcap: {dictionary: dictionary.csv, instrument: session}
    columns: {client: record_id, therapist: therapist, session: redcap_repeat_instance, date: visit}
measures:
  gad: {instrument: phq_9, total: gad1}
baseline: {sex: sex, mood: reasons___1, sleep: reasons____2}
"""

RAW = """\
record_id,redcap_repeat_instrument,redcap_repeat_instance,therapist,sex,reasons___1,reasons____2,visit,gad1,gad2
01,,,T1,2,1,0,,,
01,session,1,,,,,2024-01-01,3,2
01,session,2,,,,,2024-01-08,1,
02,,,T2,1,0,1,,,
02,session,1,,,,,2024-01-02,0,0
"""

LABELS = """\
Record ID,Repeat Instrument,Repeat Instance,Therapist,Sex,Reasons (choice=Mood),"Reasons (choice=Sleep, tiredness)",Date of visit,Nervous,Worry
01,,,T1,Male,Checked,Unchecked,,,
01,Session,1,,,,,2024-01-01,Nearly every day,More than half
01,Session,2,,,,,2024-01-08,Several days,
02,,,T2,Female,Unchecked,Checked,,,
02,Session,1,,,,,2024-01-02,Not at all,Not at all
"""


def study_of(folder, table, study=STUDY, dictionary=DICTIONARY):
    folder.mkdir(exist_ok=True)
    (folder / "export.csv").write_text(table)
    (folder / "dictionary.csv").write_text(dictionary)
    (folder / "study.yaml").write_text(study)
    return folder / "study.yaml"


def test_repeating_form_gives_the_sessions(tmp_path):
    study = load_study(study_of(tmp_path, RAW))
    sessions = study.sessions
    assert sessions[["client", "therapist", "session"]].values.tolist() == [
        ["01", "T1", 1],
        ["01", "T1", 2],
        ["02", "T2", 1],
    ]
    assert_array_equal(sessions["gad"], [3, 1, 0])
    assert study.clients["sex"].tolist() == ["Male", "Female"]
    assert study.clients["mood"].tolist() == ["Checked", "Unchecked"]
    assert study.clients["sleep"].tolist() == ["Unchecked", "Checked"]
    step = study.flow.steps[1]
    assert (step.rows_in, step.rows_out, step.reason) == (5, 3, "rows of other REDCap forms and events")


def test_labels_give_the_same_study_as_codes(tmp_path):
    raw, labels = load_study(study_of(tmp_path, RAW)), load_study(study_of(tmp_path / "l", LABELS))
    assert_frame_equal(labels.sessions, raw.sessions)
    assert_frame_equal(labels.clients, raw.clients)


EVENTS = """\
record_id,redcap_event_name,therapist,sex,reasons___1,reasons____2,visit,gad1,gad2
01,intake_arm_1,T1,2,1,0,2024-01-01,9,
01,session_1_arm_1,,,,,2024-01-08,3,2
01,session_2_arm_1,,,,,2024-01-15,,
01,follow_up_arm_1,,,,,2025-01-15,1,
"""


def test_events_give_the_session_numbers(tmp_path):
    study = STUDY.replace(
        "instrument: session", "events: {intake_arm_1: 0, session_1_arm_1: 1, session_2_arm_1: 2}"
    )
    study = study.replace("redcap_repeat_instance", "redcap_event_name")
    sessions = load_study(study_of(tmp_path, EVENTS, study)).sessions
    assert_array_equal(sessions["session"], [0, 1, 2])
    assert_array_equal(sessions["gad"], [9, 3, np.nan])  # an answer of another event is not taken over
    assert sessions["therapist"].tolist() == ["T1"] * 3


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        (
            "instrument: session",
            "instrument: visits",
            "no row belongs to the repeating form 'visits'; there are",
        ),
        ("instrument: session", "events: {a: 1}", "there is no column 'redcap_event_name'"),
        ("dictionary.csv", "nowhere.csv", "the data dictionary is not there"),
        ("dictionary.csv", "export.csv", "the file is not a REDCap data dictionary"),
    ],
)
def test_what_the_export_does_not_have(old, new, phrase, tmp_path):
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, RAW, STUDY.replace(old, new)))
    assert phrase in str(caught.value)


def test_event_that_the_export_does_not_have(tmp_path):
    study = STUDY.replace("instrument: session", "events: {session_9_arm_1: 9}")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, EVENTS, study))
    assert "no row belongs to the event 'session_9_arm_1'; there are intake_arm_1" in str(caught.value)


def test_form_without_a_column_of_forms(tmp_path):
    with pytest.raises(DataError, match="there is no column 'redcap_repeat_instrument'"):
        load_study(study_of(tmp_path, EVENTS))


def test_a_value_that_differs_within_a_record_is_not_spread(tmp_path):
    """Two baseline rows of a record that name different therapists: neither is taken, and both rows are named."""
    table = RAW.replace("02,,,T2", "01,,,T9,,,,,,\n02,,,T2")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, table))
    text = str(caught.value)
    assert "a record has more than one therapist in its rows" in text
    assert "record 01: T1 (row 2), T9 (row 5)" in text
    assert "'transfers: first' (or last, longest)" in text
    assert "id is missing" not in text


SHIFTED = DICTIONARY.replace(
    'Nervous,"0, Not at all | 1, Several days | 2, More than half | 3, Nearly every day"',
    'Nervous,"1, 0 | 2, 1 | 3, 2 | 4, 3"',
)


def test_labels_that_are_other_codes(tmp_path):
    """Codes 1 to 4 with the labels 0 to 3: what holds a 4 is raw, what holds a 0 has labels, 1 to 3 may be either."""
    raw = RAW.replace(",3,2\n", ",4,2\n").replace(",0,0\n", ",2,0\n")
    labels = (
        LABELS.replace("Nearly every day,", "3,")
        .replace("Several days,", "1,")
        .replace(",Not at all,", ",0,")
    )
    assert_array_equal(
        load_study(study_of(tmp_path / "a", raw, dictionary=SHIFTED)).sessions["gad"], [4, 1, 2]
    )
    assert_array_equal(
        load_study(study_of(tmp_path / "b", labels, dictionary=SHIFTED)).sessions["gad"], [4, 2, 1]
    )
    with pytest.raises(DataError, match=r"in 'gad1', '3' is both a code and the label of the code '4'"):
        load_study(study_of(tmp_path / "c", raw.replace(",4,2\n", ",3,2\n"), dictionary=SHIFTED))


TWO_FORMS = """\
record_id,redcap_repeat_instrument,redcap_repeat_instance,therapist,sex,visit,gad1,wai
01,,,T1,2,,,
01,session,1,,,2024-01-01,3,
01,session,2,,,2024-01-08,1,
01,alliance_form,1,,,,,40
01,alliance_form,2,,,,,44
01,alliance_form,3,,,2024-01-15,,50
02,,,T2,1,,,
02,alliance_form,1,,,2024-01-02,,33
"""
BOTH = """\
study: REDCap
tables:
  sessions:
    file: export.csv
    redcap: {instrument: [session, alliance_form]}
    columns: {client: record_id, therapist: therapist, session: redcap_repeat_instance, date: visit}
measures:
  gad: {instrument: phq_9, total: gad1}
  alliance: {instrument: wai_sr, total: wai}
"""


def test_repeating_forms_are_joined_by_record_and_instance(tmp_path):
    study = load_study(study_of(tmp_path, TWO_FORMS, BOTH))
    sessions = study.sessions
    assert sessions[["client", "session"]].values.tolist() == [["01", 1], ["01", 2], ["01", 3], ["02", 1]]
    assert_array_equal(sessions["gad"], [3, 1, np.nan, np.nan])
    assert_array_equal(sessions["alliance"], [40, 44, 50, 33])
    assert sessions["therapist"].tolist() == ["T1", "T1", "T1", "T2"]
    assert [s.rows_out for s in study.flow.steps] == [8, 4]


def test_the_order_of_the_rows_of_two_forms_does_not_matter(tmp_path):
    head, *rows = TWO_FORMS.splitlines()
    turned = "\n".join([head, *reversed(rows)]) + "\n"
    one = load_study(study_of(tmp_path, TWO_FORMS, BOTH))
    other = load_study(study_of(tmp_path / "t", turned, BOTH))
    assert_frame_equal(one.sessions, other.sessions)


def test_answers_only_in_a_form_that_is_not_named(tmp_path):
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, TWO_FORMS, BOTH.replace("[session, alliance_form]", "session")))
    text = str(caught.value)
    assert "column 'wai' has its 4 values only in rows of alliance_form, which are left out" in text
    assert (
        "'redcap: {instrument: [session, alliance_form]}'; several are joined by record and instance" in text
    )


def test_two_values_of_one_answer_in_joined_rows(tmp_path):
    table = TWO_FORMS.replace("01,alliance_form,2,,,,,44", "01,alliance_form,2,,,,2,44")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, table, BOTH))
    assert "rows of two forms of one record and instance hold different values of 'gad1'" in str(caught.value)
    assert "row 6, column 'gad1'" in str(caught.value)


def test_two_dates_of_joined_rows(tmp_path):
    """One session cannot be on two days; the first would have been taken without a word."""
    table = TWO_FORMS.replace("01,alliance_form,2,,,,", "01,alliance_form,2,,,2024-02-01,")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, table, BOTH))
    assert "rows of two forms of one record and instance hold different values of 'visit'" in str(
        caught.value
    )


def test_a_covariate_of_sessions_only_in_a_form_that_is_not_named(tmp_path):
    table = TWO_FORMS.replace("gad1,wai", "gad1,adh")
    study = BOTH.replace("[session, alliance_form]", "session").replace(
        "  alliance: {instrument: wai_sr, total: wai}\n", ""
    )
    with pytest.raises(DataError, match="column 'adh' has its 4 values only in rows of alliance_form"):
        load_study(study_of(tmp_path, table, study + "covariates: {session: {adherence: adh}}\n"))


def test_a_form_that_is_named_twice_is_one_form(tmp_path):
    twice = BOTH.replace("[session, alliance_form]", "[session, alliance_form, session]")
    one = load_study(study_of(tmp_path, TWO_FORMS, BOTH))
    other = load_study(study_of(tmp_path / "t", TWO_FORMS, twice))
    assert_frame_equal(one.sessions, other.sessions)


def test_an_instance_that_stands_twice_in_one_form_is_not_joined_away(tmp_path):
    table = TWO_FORMS + "01,session,2,,,2024-01-08,2,\n"
    with pytest.raises(DataError, match="a client has the same session in more than one row"):
        load_study(study_of(tmp_path, table, BOTH))


ARMS = """\
record_id,redcap_event_name,therapist,sex,reasons___1,reasons____2,visit,gad1,gad2
01,session_1_arm_1,T1,2,1,0,2024-01-08,3,2
02,session_1_arm_2,T1,1,1,0,2024-01-08,4,2
02,session_2_arm_2,,,,,2024-01-15,5,2
03,session_1_arm_1,T2,1,1,0,2024-01-08,6,2
03,follow_up_arm_1,,,,,2025-01-08,7,2
"""


def test_clients_of_events_that_are_not_named_are_counted_and_said(tmp_path):
    study = STUDY.replace("instrument: session", "events: {session_1_arm_1: 1}")
    loaded = load_study(
        study_of(tmp_path, ARMS, study.replace("redcap_repeat_instance", "redcap_event_name"))
    )
    assert [(s.clients_in, s.clients_out, s.rows_out) for s in loaded.flow.steps] == [(3, 3, 5), (3, 2, 2)]
    (message,) = [f.message for f in loaded.findings if f.code == "redcap_rows_left_out"]
    assert "3 rows of events that the study file does not name hold answers of the measures" in message
    assert "session_1_arm_2, session_2_arm_2, follow_up_arm_1. 1 client has no other row" in message


TICKS = """\
record_id,redcap_repeat_instrument,redcap_repeat_instance,therapist,sex,reasons___1,reasons____2,visit,gad1,gad2
01,,,T1,Male,Mood,,,,
01,Session,1,,,,,2024-01-01,3,2
02,,,T2,Female,,{two},,,
02,Session,1,,,,,2024-01-02,0,0
03,,,T2,,,,,,
03,Session,1,,,,,2024-01-02,0,0
"""


@pytest.mark.parametrize(
    ("two", "sleep"),
    [('"Sleep, tiredness"', ["Unchecked", "Checked", "Unchecked"]), ("", ["Unchecked"] * 3)],
)
def test_boxes_exported_as_the_labels_of_what_is_ticked(tmp_path, two, sleep):
    """Empty is not ticked where the form was filled in, also in a box that nobody ticked."""
    clients = load_study(study_of(tmp_path, TICKS.replace("{two}", two))).clients
    assert clients["mood"].tolist() == ["Checked", "Unchecked", "Unchecked"]
    assert clients["sleep"].tolist() == sleep


def test_boxes_of_a_form_that_was_not_filled_in_are_missing(tmp_path):
    table = (
        TICKS.replace("{two}", "")
        .replace("03,,,T2,,,,,,\n", "")
        .replace("03,Session,1,,", "03,Session,1,T2,")
    )
    clients = load_study(
        study_of(
            tmp_path,
            table.replace("T2,,,,2024", "T2,,,,2024"),
            dictionary=DICTIONARY.replace("therapist,intake", "therapist,session"),
        )
    ).clients
    assert clients["mood"].tolist()[:2] == ["Checked", "Unchecked"]
    assert clients["mood"].isna().tolist() == [False, False, True]


def test_boxes_whose_form_the_dictionary_does_not_name(tmp_path):
    dictionary = DICTIONARY.replace("reasons,intake,", "reasons,,")
    with pytest.raises(DataError, match="a ticked box holds its label and a box that is not ticked is empty"):
        load_study(study_of(tmp_path, TICKS.replace("{two}", ""), dictionary=dictionary))


@pytest.mark.parametrize("word", ["Mood", "Yes", "x"])
def test_a_box_without_a_dictionary_that_is_ticked_or_empty(tmp_path, word):
    """Taken as it is, who did not tick it would be missing."""
    table = TICKS.replace("{two}", "").replace(",Mood,", f",{word},")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, table, STUDY.replace("dictionary: dictionary.csv, ", "")))
    assert f"'reasons___1' looks like a box of a checkbox field. It is empty or has {word!r}" in str(
        caught.value
    )
    assert "name it under 'redcap: dictionary', or export the data as raw values" in str(caught.value)


@pytest.mark.parametrize(
    ("on", "off", "mood"),
    [
        ("1", "0", [1, 0, 0]),
        ("Checked", "Unchecked", ["Checked", "Unchecked", "Unchecked"]),
        ("Yes", "No", ["Yes", "No", "No"]),
    ],
)
def test_a_box_without_a_dictionary_that_says_what_is_not_ticked(tmp_path, on, off, mood):
    table = TICKS.replace("01,,,T1,Male,Mood,,", f"01,,,T1,Male,{on},{off},")
    table = table.replace("02,,,T2,Female,,{two},", f"02,,,T2,Female,{off},{on},")
    table = table.replace("03,,,T2,,,,", f"03,,,T2,,{off},{off},")
    clients = load_study(study_of(tmp_path, table, STUDY.replace("dictionary: dictionary.csv, ", ""))).clients
    assert clients["mood"].tolist() == mood


def test_a_baseline_value_that_differs_between_rows_of_a_record(tmp_path):
    table = RAW.replace("02,,,T2,1,0,1,,,", "02,,,T2,1,0,1,,,\n02,,,,2,,,,,")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, table))
    assert "a record has more than one 'sex' in its rows" in str(caught.value)
    assert "record 02: 1 (row 5), 2 (row 6)" in str(caught.value)


DATED = TWO_FORMS.replace("visit,gad1,wai", "visit,gad1,wai,wai_day")


def with_days(*days):
    """The export of two forms in which each row of the alliance form has a day of its own."""
    head, *rows = DATED.splitlines()
    left = iter(days)
    return "\n".join([head, *(f"{r},{next(left) if 'alliance_form' in r else ''}" for r in rows)]) + "\n"


def found_apart(path):
    return [f.message for f in load_study(path).findings if f.code == "redcap_dates_apart"]


def test_instances_of_two_forms_that_are_out_of_step_are_said(tmp_path):
    """After a form that was left out, instance 2 of one form is of the day of instance 3 of the other."""
    forms = [r for r in TWO_FORMS.splitlines() if "alliance_form" in r]
    assert len(forms) == 4
    (message,) = found_apart(
        study_of(tmp_path, with_days("2024-01-01", "2024-01-15", "2024-01-22", "2024-01-02"), BOTH)
    )
    assert message == (
        "export.csv: in 1 session of 2, the date 'wai_day' of one REDCap form is more than 3 days from 'visit' of the form joined with it. "
        "REDCap counts the instances of each form on its own, so after a form that was left out once, forms of different sessions have the "
        "same instance. Check these rows before you rely on a relation between the two forms."
    )


@pytest.mark.parametrize(
    "days",
    [
        ("2024-01-04", "2024-01-05", "2030-01-22", "2024-01-02"),  # three days; the third has no partner
        ("", "", "", ""),
        ("soon", "2024-01-15", "", ""),  # no column of dates
        ("2024-01-01", "2024-13-45", "", ""),
    ],
)
def test_days_near_each_other_and_what_is_no_day_are_passed_over(days, tmp_path):
    assert found_apart(study_of(tmp_path, with_days(*days), BOTH)) == []


def test_a_date_of_the_same_form_is_not_that_of_another(tmp_path):
    """The next appointment stands in the row that has the session's date."""
    head, *rows = TWO_FORMS.replace("visit,gad1,wai", "visit,gad1,wai,next").splitlines()
    table = "\n".join([head, *(f"{r},{'2025-01-01' if ',session,' in r else ''}" for r in rows)]) + "\n"
    assert found_apart(study_of(tmp_path, table, BOTH)) == []


def test_instances_written_in_two_ways_are_the_same(tmp_path):
    """As a spreadsheet saves one of the columns."""
    table = TWO_FORMS.replace("01,alliance_form,1,", "01,alliance_form,1.0,")
    table = table.replace("01,alliance_form,2,", "01,alliance_form,02,")
    one = load_study(study_of(tmp_path, TWO_FORMS, BOTH))
    assert_frame_equal(one.sessions, load_study(study_of(tmp_path / "t", table, BOTH)).sessions)


IN_EVENTS = """\
record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,therapist,visit,gad1,wai
01,intake_arm_1,,,T1,,,
01,therapy_arm_1,session,1,,2024-01-01,3,
01,therapy_arm_1,session,2,,2024-01-08,1,
01,therapy_arm_1,alliance_form,1,,,,40
01,booster_arm_1,session,1,,2024-06-01,2,
01,booster_arm_1,alliance_form,1,,,,44
"""


def test_repeating_forms_in_two_events(tmp_path):
    """Instances begin anew in each event; an event that is named, or dates, give the sessions."""
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, IN_EVENTS, BOTH))
    assert (
        "the same instance of a repeating form is there in more than one event of a record (therapy_arm_1, booster_arm_1). Instances begin "
        "anew in each event, so they do not number the sessions."
    ) in str(caught.value)
    assert "'redcap: {events: {therapy_arm_1: 1}}'; or name no session number, then" in str(caught.value)
    named = BOTH.replace("alliance_form]", "alliance_form], events: {therapy_arm_1: 1}")
    assert load_study(study_of(tmp_path / "n", IN_EVENTS, named)).sessions["alliance"].tolist()[0] == 40
    dates = BOTH.replace("session: redcap_repeat_instance, ", "")
    found = load_study(study_of(tmp_path / "d", IN_EVENTS, dates)).sessions
    assert_array_equal(found["gad"], [3, 1, 2])
    assert_array_equal(found["alliance"], [40, np.nan, 44])


def test_answers_only_in_the_record_itself(tmp_path):
    """A form that does not repeat has no session; no repeating form can be named for it."""
    table = RAW.replace("gad1,gad2", "gad1,wai").replace("01,,,T1,2,1,0,,,", "01,,,T1,2,1,0,,,40")
    table = table.replace("2024-01-01,3,2", "2024-01-01,3,").replace("2024-01-02,0,0", "2024-01-02,0,")
    with pytest.raises(DataError) as caught:
        load_study(study_of(tmp_path, table, BOTH.replace("[session, alliance_form]", "session")))
    text = str(caught.value)
    assert "column 'wai' has its 1 value only in rows of the record itself, which are left out" in text
    assert (
        "Name 'wai' under 'baseline' if it is asked once per client, or export the form in which it" in text
    )
