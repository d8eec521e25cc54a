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
        ("dictionary.csv", "export.csv", "the file is no REDCap data dictionary"),
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
    """Two baseline rows of a record that name different therapists: neither is taken for the sessions."""
    with pytest.raises(DataError, match="the therapist id is missing"):
        load_study(study_of(tmp_path, RAW.replace("02,,,T2", "01,,,T9,,,,,,\n02,,,T2")))


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
