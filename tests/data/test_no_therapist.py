"""A study, or some of its clients, without therapists: nobody has to invent a constant column."""

import pytest

from alliance_longitudinal.data import describe_study, load_study
from alliance_longitudinal.errors import DataError
from data.small import findings, small_study, study_file

ARMS = "c,t,n,p,g\n1,T1,0,10,A\n1,T1,1,8,A\n2,,0,12,B\n2,,1,11,B\n3,T2,0,9,A\n"


def test_clients_of_one_arm_have_no_therapist(tmp_path):
    study = small_study(tmp_path, ARMS, columns="client: c, therapist: t, session: n, arm: g")
    assert study.sessions["therapist"].isna().tolist() == [False, False, True, True, False]
    assert study.sessions["therapist"].dropna().tolist() == ["T1", "T1", "T2"]
    assert study.clients["therapist"].isna().tolist() == [False, True, False]
    assert study.therapists["therapist"].tolist() == ["T1", "T2"]
    assert study.has_therapists
    assert findings(study)["clients_without_therapist"].startswith("1 of 3 clients has no therapist.")
    step = study.flow.steps[0]
    assert (step.rows_out, step.clients_out, step.therapists_out) == (5, 3, 2)
    assert "Clients per therapist: median 1, from 1 to 1; 1 client without a therapist." in describe_study(
        study
    )


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("c,n,p\n1,0,10\n1,1,8\n2,0,12\n", "client: c, session: n"),  # no such column at all
        ("c,d,p\n1,0,10\n1,9,8\n2,0,12\n", "client: c, day: d"),
        ("c,when,p\n1,2024-01-01,10\n1,2024-02-01,8\n2,2024-01-01,12\n", "client: c, date: when"),
    ],
)
def test_a_study_that_names_no_therapist(tmp_path, table, columns):
    study = small_study(tmp_path, table, columns=columns)
    assert "therapist" not in study.sessions
    assert "therapist" not in study.clients
    assert study.therapists.empty
    assert not study.has_therapists
    assert "names no column 'therapist'" in findings(study)["no_therapists"]
    assert study.flow.steps[0].therapists_out == 0
    assert describe_study(study)[1] == "2 clients; 3 sessions."


def test_a_column_in_which_nobody_has_a_therapist(tmp_path):
    study = small_study(tmp_path, "c,t,n,p\n1,,0,10\n1,,1,8\n2,,0,12\n")
    assert study.sessions["therapist"].isna().all()
    assert not study.has_therapists
    assert findings(study)["clients_without_therapist"].startswith("2 of 2 clients")


@pytest.mark.parametrize(
    "table",
    ["c,t,n,p\n1,T1,0,10\n1,,1,8\n", "c,t,n,p\n1,,0,10\n1,T1,1,8\n", "c,t,n,p\n1,,0,10\n1,T1,1,8\n2,,0,9\n"],
)
def test_a_gap_in_a_client_s_therapist_is_still_a_problem(tmp_path, table):
    with pytest.raises(DataError, match="missing, though other rows of the client have one") as caught:
        load_study(study_file(tmp_path, table))
    assert len(caught.value.problems) == 1  # and no transfer is made of it


def test_the_therapist_of_the_clients_table_may_be_missing(tmp_path):
    path = study_file(tmp_path, "c,n,p\n1,0,10\n2,0,12\n", columns="client: c, session: n")
    (tmp_path / "c.csv").write_text("c,t\n1,T1\n2,\n")
    text = path.read_text().replace(
        "measures:", "  clients: {file: c.csv, columns: {client: c, therapist: t}}\nmeasures:"
    )
    path.write_text(text)
    assert load_study(path).clients["therapist"].isna().tolist() == [False, True]


def test_repeated_sessions_of_clients_without_therapist_are_seen(tmp_path):
    with pytest.raises(DataError, match="the same session in more than one row"):
        load_study(study_file(tmp_path, "c,t,n,p\n1,T1,0,10\n2,,0,12\n2,,0,12\n"))


def test_a_session_that_is_repeated_far_away_is_seen(tmp_path):
    """Rows in no order: the second row of the session is not the next one."""
    table = "c,t,n,p\n1,T1,1,10\n2,T1,1,12\n1,T1,0,11\n2,T1,0,9\n1,T1,1,8\n"
    with pytest.raises(DataError, match="the same session in more than one row") as caught:
        load_study(study_file(tmp_path, table))
    assert "row 6" in str(caught.value)


def test_wide_table_without_therapists(tmp_path):
    wide = "layout: wide, wide: {pattern: '{column}_{session}'}, "
    study = small_study(tmp_path, "c,p_0,p_1\n1,10,8\n2,12,\n", columns="client: c", sessions=wide)
    assert study.sessions["client"].tolist() == ["1", "1", "2"]
    assert "therapist" not in study.sessions


def test_transfers_beside_clients_without_therapist(tmp_path):
    table = "c,t,n,p\n1,T1,0,10\n1,T2,1,8\n2,,0,12\n"
    study = small_study(tmp_path, table, "transfers: first")
    assert study.sessions["therapist"].iloc[:2].tolist() == ["T1", "T1"]
    assert study.sessions["seen_by"].iloc[:2].tolist() == ["T1", "T2"]
    assert study.sessions[["therapist", "seen_by"]].iloc[2].isna().all()


def test_clinics_without_therapists_are_no_therapist_in_several_clinics(tmp_path):
    study = small_study(tmp_path, "c,k,n,p\n1,K,0,10\n2,L,0,9\n", columns="client: c, clinic: k, session: n")
    assert "therapist_in_several_clinics" not in findings(study)
    assert study.clients["clinic"].tolist() == ["K", "L"]


@pytest.mark.parametrize(
    "word",
    [
        "none",
        "NA",
        "-",
        "n/a",
        "No therapist",
        "usual care",
        "waiting list",
        "kein Therapeut",
        ".",
        "Unknown",
    ],
)
def test_a_therapist_whose_id_says_nobody(tmp_path, word):
    study = small_study(tmp_path, f"c,t,n,p\n1,T1,0,10\n2,T1,0,8\n3,{word},0,12\n4,{word},0,9\n")
    assert findings(study)["therapist_may_be_nobody"].startswith(
        f"2 clients have the therapist '{word}', which counts as a therapist."
    )


def test_other_ids_do_not_say_nobody(tmp_path):
    rows = [f"{i},{name},0,10\n" for i, name in enumerate(["Noname", "Nora", "T0", "NB", "Nil Oz", "007"])]
    study = small_study(tmp_path, "c,t,n,p\n" + "".join(rows))
    assert "therapist_may_be_nobody" not in findings(study)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["team"] * 12, "all have the same therapist"),
        ([f"own {i}" for i in range(12)], "each have a therapist of their own"),
        (["T0", "T1", "T2"] * 4, None),
        ([""] * 12, None),
    ],
)
def test_an_arm_whose_therapists_may_be_invented(tmp_path, names, words):
    """Case 38: a trial with therapists in one arm, whose users had to invent one for the other."""
    rows = [f"{i},S{i % 4},0,10,A\n{100 + i},{names[i]},0,10,B\n" for i in range(12)]
    study = small_study(
        tmp_path, "c,t,n,p,g\n" + "".join(rows), columns="client: c, therapist: t, session: n, arm: g"
    )
    found = findings(study).get("therapist_may_be_nobody")
    assert (
        found is None if words is None else found.startswith(f"The 12 clients of the arm 'B' {words}, unlike")
    )
