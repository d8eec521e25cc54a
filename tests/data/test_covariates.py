"""The treatment arm, and covariates of clients, therapists and sessions."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from alliance_longitudinal.data import load_study, table_hashes
from alliance_longitudinal.errors import DataError, StudyError
from data.small import COLUMNS, findings, small_study, study_file

TABLE = "c,t,n,p,g,age,edu,adh\n1,a,0,10,CBT,30,low,3\n1,a,1,8,CBT,30,low,4\n2,a,0,12,TAU,41,high,\n3,b,0,9,TAU,25,mid,1\n"
ARM = COLUMNS + ", arm: g"


def with_therapists(folder, more, therapists, table=TABLE):
    path = study_file(folder, table, more)
    (folder / "th.csv").write_text(therapists)
    block = "  therapists: {file: th.csv, columns: {therapist: Id}}\nmeasures:"
    path.write_text(path.read_text().replace("measures:", block))
    return path


@pytest.mark.parametrize(
    ("more", "columns"),
    [("", ARM), ("baseline: {arm: g}", COLUMNS), ("baseline: {arm: g, age: age}", COLUMNS)],
)
def test_the_arm_of_each_client(tmp_path, more, columns):
    study = small_study(tmp_path, TABLE, more, columns=columns)
    assert study.clients["arm"].tolist() == ["CBT", "TAU", "TAU"]
    assert study.sessions["arm"].tolist() == ["CBT", "CBT", "TAU", "TAU"]
    assert list(study.sessions)[:4] == ["client", "therapist", "arm", "session"]
    assert "arm" not in study.covariates


def test_an_arm_of_numbers_is_words_and_may_be_in_one_row_only(tmp_path):
    table = TABLE.replace("CBT", "1").replace("TAU", "0").replace("1,a,1,8,1", "1,a,1,8,")
    assert small_study(tmp_path, table, columns=ARM).clients["arm"].tolist() == ["1", "0", "0"]


def test_the_arm_of_the_clients_table_and_clients_without_one(tmp_path):
    path = study_file(tmp_path, TABLE)
    (tmp_path / "c.csv").write_text("c,g\n1,CBT\n2,\n3,TAU\n")
    block = "  clients: {file: c.csv, columns: {client: c, arm: g}}\nmeasures:"
    path.write_text(path.read_text().replace("measures:", block))
    study = load_study(path)
    assert study.clients["arm"].isna().tolist() == [False, True, False]
    assert findings(study)["clients_without_arm"].startswith("1 of 3 clients has no treatment arm")


def test_two_arms_of_one_client_are_refused(tmp_path):
    with pytest.raises(DataError, match="a client is in more than one treatment arm"):
        load_study(study_file(tmp_path, TABLE.replace("1,a,1,8,CBT", "1,a,1,8,TAU"), columns=ARM))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("baseline: {arm: g}", "the treatment arm is named more than once"),
        ("covariates: {client: {arm: g}}", "name the treatment arm under 'columns: {arm: ...}'"),
        ("baseline: {age: age}\ncovariates: {client: {age: age}}", "age: each covariate is named once, at one level"),
        ("covariates: {client: {x: age}, session: {x: adh}}", "x: each covariate is named once, at one level"),
        ("covariates: {client: {week: age}}", "the name 'week' is taken by the package"),
        ("covariates: {client: {x: {column: edu, reference: low, order: [low, high]}}}", "give either 'reference' or 'order'"),
        ("covariates: {client: {x: {column: edu, order: [low, low]}}}", "'order' names 'low' twice"),
        ("caseload: Cases", "'caseload' names a column of the therapists table, but there is no"),
        ("caseload: 0", "'caseload': it is 0; it must be a number above 0 or the name of a column"),
        ("caseload: true", "'caseload': it is True; it must be a number above 0"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(tmp_path, more, words):
    with pytest.raises(StudyError) as caught:
        load_study(study_file(tmp_path, TABLE, more, columns=ARM))
    assert words in str(caught.value)


def test_covariates_of_three_levels(tmp_path):
    more = """caseload: Cases
covariates:
  client: {age: age, edu: {column: edu, order: [low, mid, high]}, arm2: {column: g, reference: TAU}}
  therapist: {experience: Years, licence: {column: Lic, reference: "no"}}
  session: {adherence: adh}"""
    study = load_study(
        with_therapists(tmp_path, more, "Id,Years,Lic,Cases\na,12,yes,24\nb,3,no,9\nc,1,no,2\n")
    )
    assert study.covariates == ("age", "edu", "arm2")
    assert study.therapist_covariates == ("experience", "licence")
    assert study.session_covariates == ("adherence",)
    clients, therapists = study.clients, study.therapists
    assert clients["age"].tolist() == [30, 41, 25]
    assert clients["edu"].cat.ordered
    assert clients["edu"].cat.categories.tolist() == ["low", "mid", "high"]
    assert clients["edu"].tolist() == ["low", "high", "mid"]
    assert clients["arm2"].cat.categories.tolist() == ["TAU", "CBT"]  # the reference first
    assert therapists["therapist"].tolist() == ["a", "b"]  # of those with clients
    assert therapists["experience"].tolist() == [12, 3]
    assert therapists["caseload"].tolist() == [24, 9]
    assert therapists["licence"].cat.categories.tolist() == ["no", "yes"]
    assert_array_equal(study.sessions["adherence"], [3, 4, np.nan, 1])


def test_what_is_the_same_in_all_rows_of_a_therapist_needs_no_table(tmp_path):
    table = "c,t,n,p,years\n1,a,0,10,5\n1,a,1,8,\n2,a,0,12,5\n3,b,0,9,7\n4,,0,9,\n"
    study = small_study(tmp_path, table, "covariates: {therapist: {experience: years}}\ncaseload: 24")
    assert study.therapists["experience"].tolist() == [5, 7]
    assert study.caseload == 24
    with pytest.raises(
        DataError, match="a covariate of therapists has more than one value for the same therapist"
    ):
        load_study(
            study_file(
                tmp_path, table.replace("12,5", "12,6"), "covariates: {therapist: {experience: years}}"
            )
        )


@pytest.mark.parametrize(
    ("more", "therapists", "words"),
    [
        ("covariates: {therapist: {x: Year}}", "Id,Years\na,1\nb,2\n", "there is no column 'Year'. Did you mean 'Years'?"),
        ("covariates: {therapist: {x: Years}}", "Id,Years\na,1\na,2\nb,1\n", "a therapist is in more than one row"),
        ("covariates: {therapist: {x: Years}}", "Id,Years\n,1\na,2\nb,1\n", "the therapist id is missing"),
        ("caseload: Years", "Id,Years\na,0\nb,1\n", "a caseload is not a number of clients above 0"),
        ("caseload: Years", "Id,Years\nX,1\nY,1\n", "none of its therapists is in th.csv, which has ids such as X, Y"),
        ("caseload: Years", "Id,Years\nA,1\nB,1\n", "2 of 2 therapist ids are written differently in th.csv: 'a' there and 'A'"),
        ("covariates: {client: {x: {column: edu, reference: lo}}}", "Id\na\nb\n",
         "no value of 'edu' is the reference 'lo'. Did you mean 'low'?"),
        ("covariates: {client: {x: {column: edu, order: [low, high]}}}", "Id\na\nb\n",
         "a value is not in the order of the categories (low, high)"),
    ],
)  # fmt: skip
def test_what_the_tables_do_not_hold(tmp_path, more, therapists, words):
    with pytest.raises(DataError) as caught:
        load_study(with_therapists(tmp_path, more, therapists))
    assert words in str(caught.value)


def test_a_therapist_without_a_row_is_said(tmp_path):
    study = load_study(with_therapists(tmp_path, "covariates: {therapist: {x: Years}}", "Id,Years\na,1\n"))
    assert study.therapists["x"].isna().tolist() == [False, True]
    assert findings(study)["therapists_without_row"].startswith("1 therapist with clients is not in th.csv")


def test_a_session_covariate_in_a_wide_table_and_of_several_raters(tmp_path):
    wide = "layout: wide, wide: {pattern: '{column}_{session}'}, "
    table = "c,t,p_0,p_1,adh_0,adh_1\n1,a,10,8,3,4\n2,a,,,,5\n"
    more = "covariates: {session: {adherence: adh}}"
    study = small_study(tmp_path, table, more, columns="client: c, therapist: t", sessions=wide)
    assert_array_equal(
        study.sessions["adherence"], [3, 4, 5]
    )  # a session in which only that was noted is kept
    table = "c,t,n,who,p,adh\n1,a,0,x,10,\n1,a,0,y,,2\n1,a,1,x,8,3\n"
    study = small_study(tmp_path / "r", table, more, columns=COLUMNS + ", rater: who")
    assert_array_equal(study.sessions["adherence"], [2, 3])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["n/a", "30", "no idea", "40", "?", "51"], True),
        (["30", "n/a", "unknown", "x"], True),
        (["low", "mid", "high"], False),
        (["1", "2", "10", "20+"], None),  # most are numbers: a problem of the table
        (["f", "m", "f", "1"], True),
        (["m", "h", "2", "f", "k", "1", "g"], True),
        (["a1", "a2", "a3", "a4", "a5", "a6", "7"], False),
    ],
)
def test_a_covariate_of_numbers_and_words_is_noticed(tmp_path, values, said):
    table = "c,t,n,p,x\n" + "".join(f"{i},a,0,10,{value}\n" for i, value in enumerate(values))
    if said is None:
        with pytest.raises(DataError, match="a value is not a number, but most values of its column are"):
            load_study(study_file(tmp_path, table, "baseline: [x]"))
        return
    found = findings(small_study(tmp_path, table, "baseline: [x]"))
    assert ("covariate_of_words" in found) == said
    if said:
        first = min(word for word in values if not word.replace(".", "").isdigit())  # always the same example
        assert f"some of its values are not numbers, such as {first!r}." in found["covariate_of_words"]


def test_what_a_report_has_to_state(tmp_path):
    study = small_study(
        tmp_path, TABLE, "reporting: {setting: Three clinics, ethics: Approved, funding: ' '}"
    )
    assert study.reporting == {"setting": "Three clinics", "ethics": "Approved"}
    with pytest.raises(StudyError, match=r"unknown key 'reporting\.etics'\. Did you mean 'ethics'"):
        load_study(study_file(tmp_path, TABLE, "reporting: {etics: x}"))


def test_the_therapists_table_is_among_what_a_report_remembers(tmp_path):
    path = with_therapists(tmp_path, "covariates: {therapist: {x: Years}}", "Id,Years\na,1\nb,2\n")
    before = table_hashes(path)
    assert sorted(before) == ["s.csv", "th.csv"]
    assert [source.name for source in load_study(path).sources] == ["study.yaml", "s.csv", "th.csv"]
    (tmp_path / "th.csv").write_text("Id,Years\na,1\nb,3\n")
    after = table_hashes(path)
    assert after["s.csv"] == before["s.csv"]
    assert after["th.csv"] != before["th.csv"]
