"""Sessions called pre, post or fu1 in wide and long tables, and columns that a pattern leaves out."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.small import findings, small_study, study_file

WIDE = "id,p.pre,p.2m,p.3m,p.post,t\n1,19,2,2,1,a\n2,22,16,24,,a\n3,20,,,5,b\n"


def wide(folder, pattern, more="", table=WIDE):
    block = f"layout: wide, wide: {{pattern: '{pattern}'}}, "
    return small_study(folder, table, more, columns="client: id, therapist: t", sessions=block)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("{column}.{session}", "{pre: 0, 2m: 2, 3m: 3, post: 99}"),
        ("p.{session}{column}", None),
    ],
)
def test_names_in_a_wide_table(tmp_path, pattern, names):
    if names is None:  # the session first
        table = "id,pre_p,2_p,post_p,t\n1,19,2,1,a\n"
        study = wide(tmp_path, "{session}_{column}", "sessions: {pre: 0, post: 99}", table)
        assert_array_equal(study.sessions["session"], [0, 2, 99])
        return
    sessions = wide(tmp_path, pattern, f"sessions: {names}").sessions
    assert_array_equal(sessions["session"], [0, 2, 3, 99, 0, 2, 3, 0, 99])
    assert_array_equal(sessions["phq"], [19, 2, 2, 1, 22, 16, 24, 20, 5])


@pytest.mark.parametrize("word", ["pre", "Pre", "T0", "0", "Vor Beginn"])
def test_names_in_a_long_table(tmp_path, word):
    table = f"c,t,n,p\n1,a,{word},20\n1,a,1,15\n1,a,post,9\n1,a,7,8\n"
    study = small_study(tmp_path, table, f"sessions: {{{word}: 0, post: 99}}")
    assert_array_equal(study.sessions["session"], [0, 1, 7, 99])
    assert_array_equal(study.sessions["phq"], [20, 15, 8, 9])


def test_a_name_goes_before_a_number(tmp_path):
    study = small_study(tmp_path, "c,t,n,p\n1,a,100,20\n1,a,1,15\n", "sessions: {100: 0}")
    assert_array_equal(study.sessions["session"], [0, 1])


@pytest.mark.parametrize(
    ("pattern", "table", "unused"),
    [
        ("{column}.{session}m", WIDE, "p.pre, p.post"),
        ("{column}_{session}", "id,p_1,p_2,p_pre,t\n1,5,6,7,a\n", "p_pre"),
        ("{column}_{session}", "id,p_1,p_fu6,P_FU12,t\n1,5,6,7,a\n", "p_fu6, P_FU12"),
        ("{session}_{column}", "id,1_p,end_p,t\n1,5,6,a\n", "end_p"),
        ("{column}{session}", "id,p1,pend,t\n1,5,6,a\n", "pend"),
        ("{column}_{session}", "id,p_1,p_2,pre_p,t\n1,5,6,7,a\n", "pre_p"),
        ("T{session}_{column}", "id,T1_p,p_0,t\n1,5,6,a\n", "p_0"),
        ("S{session}.{column}", "id,S1.p,Sx.p,pre.p,t\n1,5,6,7,a\n", "Sx.p, pre.p"),
    ],
)
def test_columns_that_look_like_sessions_and_are_not_used_are_named(tmp_path, pattern, table, unused):
    message = findings(wide(tmp_path, pattern, table=table))["columns_not_used"]
    verb = "They are" if "," in unused else "It is"
    assert f"{unused}. {verb} left out" in message
    assert "'sessions: {pre: 0, post: 99}'" in message


def test_no_finding_where_every_column_is_used(tmp_path):
    study = wide(tmp_path, "{column}.{session}", "sessions: {pre: 0, 2m: 2, 3m: 3, post: 99}")
    assert "columns_not_used" not in findings(study)


def test_a_name_that_no_column_has(tmp_path):
    with pytest.raises(DataError) as caught:
        wide(tmp_path, "{column}.{session}", "sessions: {pree: 0, 2m: 2}")
    assert (
        "no column belongs to the session 'pree'; one such as 'p.pree' was expected. Did you mean 'p.pre'?"
        in str(caught.value)
    )


def test_two_names_of_one_session(tmp_path):
    with pytest.raises(DataError, match=r"two columns hold 'p' of session 0: 'p\.pre' and 'p\.2m'"):
        wide(tmp_path, "{column}.{session}", "sessions: {pre: 0, 2m: 0}")


def test_a_word_without_a_number_is_told_how_to_get_one(tmp_path):
    with pytest.raises(
        DataError, match=r"if sessions have names, give their numbers: 'sessions: \{pre: 0, post: 99\}'"
    ):
        load_study(study_file(tmp_path, "c,t,n,p\n1,a,pre,20\n"))


def test_names_need_a_session_column(tmp_path):
    table = "c,t,when,p\n1,a,2024-01-01,20\n"
    with pytest.raises(
        StudyError, match="'sessions' gives names of sessions, but no 'session' column is named"
    ):
        load_study(
            study_file(tmp_path, table, "sessions: {pre: 0}", columns="client: c, therapist: t, date: when")
        )


@pytest.mark.parametrize(
    ("unit", "values", "weeks"),
    [
        ("day", "0,3.5,14", [0, 0.5, 2]),
        ("day", "100,107,121", [0, 1, 3]),  # on any origin
        ("week", "0,1,2", [0, 1, 2]),
        ("month", "0,1,12", [0, 365.25 / 84, 365.25 / 7]),
        ("day", "-7,0,7", [0, 1, 2]),
    ],
)
def test_time_in_days_weeks_or_months(tmp_path, unit, values, weeks):
    rows = "".join(f"1,a,{i},{value},10\n" for i, value in enumerate(values.split(",")))
    study = small_study(
        tmp_path, f"c,t,n,time,p\n{rows}", columns=f"client: c, therapist: t, session: n, {unit}: time"
    )
    np.testing.assert_allclose(study.sessions["week"], weeks, rtol=1e-12)
    assert study.time_unit == f"{unit}s"


def test_days_alone_number_the_sessions(tmp_path):
    table = "c,t,d,p\n1,a,14,9\n1,a,0,20\n1,a,3,15\n"
    study = small_study(tmp_path, table, columns="client: c, therapist: t, day: d")
    assert_array_equal(study.sessions["session"], [1, 2, 3])
    assert_array_equal(study.sessions["phq"], [20, 15, 9])
    with pytest.raises(DataError, match="two rows of the same time, and only the time numbers the sessions"):
        load_study(study_file(tmp_path, table + "1,a,3,15\n", columns="client: c, therapist: t, day: d"))
    with pytest.raises(
        DataError, match="the day is missing, and without a session number it decides the order"
    ):
        load_study(study_file(tmp_path, table + "1,a,,15\n", columns="client: c, therapist: t, day: d"))


def test_two_units_of_time_are_refused(tmp_path):
    columns = "client: c, session: n, week: w, day: d"
    with pytest.raises(StudyError, match="'columns' names week and day; time is read from one of them"):
        load_study(study_file(tmp_path, "c,n,w,d,p\n", columns=columns))
