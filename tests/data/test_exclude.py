"""Rows left out by a rule: counted in the flow with the reason, and never asked for what they do not hold."""

import pytest

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.small import findings, small_study, study_file

TABLE = "c,t,n,p,kind\n1,a,0,10,x\n1,a,1,8,\n2,a,0,12,x\nTotal,,,30,\n"


NUMBERED = "c,t,n,p\n1,a,0,10\n1,a,1,8\n2,a,0,12\n"


def exclude(where, because="totals row"):
    return f"exclude: [{{where: {{{where}}}, because: {because}}}]"


@pytest.mark.parametrize(
    ("table", "where", "clients", "rows_lost"),
    [
        (TABLE, "column: c, equals: Total", ["1", "1", "2"], 1),
        (TABLE, "column: c, equals: [Total, '2']", ["1", "1"], 2),
        (TABLE, "column: t, empty: true", ["1", "1", "2"], 1),
        (NUMBERED, "column: n, equals: 1", ["1", "2"], 1),  # a number means its text
        (NUMBERED.replace("1,a,1,8", "1,a,01,8"), "column: n, equals: 01", ["1", "2"], 1),
        (NUMBERED, "column: c, not_equals: 1", ["1", "1"], 1),
        (TABLE, "column: kind, not_equals: x", ["1", "2"], 2),
        (TABLE.replace("\n1,a,1,8,\n", "\n1,a,1,8,NA\n"), "column: kind, empty: true", ["1", "2"], 2),
        ("c,t,n,p\n,,,\n1,a,0,10\nSumme,,Mittel,n/a\n", "column: c, equals: Summe", ["1"], 1),
    ],
)
def test_rows_are_left_out_and_counted(tmp_path, table, where, clients, rows_lost):
    study = small_study(tmp_path, table, exclude(where))
    assert study.sessions["client"].tolist() == clients
    (step,) = [step for step in study.flow.steps if step.reason == "totals row"]
    assert (step.step, step.rows_lost) == ("without totals row", rows_lost)
    assert step.clients_out == len(set(clients))


def test_each_rule_is_a_step_and_clients_that_leave_are_counted(tmp_path):
    rules = """exclude:
  - {where: {column: c, equals: Total}, because: totals row}
  - {where: {column: kind, equals: x}, because: no consent}"""
    steps = small_study(tmp_path, TABLE, rules).flow.steps
    assert [(s.reason, s.rows_out, s.clients_in, s.clients_out) for s in steps] == [
        ("", 4, 3, 3),
        ("totals row", 3, 3, 2),
        ("no consent", 1, 2, 1),
    ]


def test_rows_of_the_clients_table(tmp_path):
    path = study_file(
        tmp_path, "c,t,n,p\n1,a,0,10\n", "baseline: [age]\n" + exclude("column: c, equals: Mean")
    )
    (tmp_path / "c.csv").write_text("c,age\n1,30\nMean,30\nMean,x\n")
    text = path.read_text().replace("measures:", "  clients: {file: c.csv, columns: {client: c}}\nmeasures:")
    path.write_text(text.replace("because: totals row", "because: totals row, table: clients"))
    study = load_study(path)
    assert study.clients["age"].tolist() == [30.0]
    assert "clients_without_sessions" not in findings(study)


def test_one_rule_needs_no_list(tmp_path):
    more = "exclude: {where: {column: c, equals: 2}, because: no consent}"
    assert small_study(tmp_path, NUMBERED, more).sessions["client"].tolist() == ["1", "1"]


def test_a_wide_row_is_left_out(tmp_path):
    wide = "layout: wide, wide: {pattern: '{column}_{session}'}, "
    table = "c,t,p_0,p_1\n1,a,10,8\nMean,,10,8\n"
    more = exclude("column: c, equals: Mean")
    assert (
        len(small_study(tmp_path, table, more, columns="client: c, therapist: t", sessions=wide).sessions)
        == 2
    )


def test_a_rule_without_rows_is_said(tmp_path):
    message = findings(
        small_study(
            tmp_path,
            TABLE.replace("Total", "3"),
            exclude("column: p, equals: '99'").replace(
                "]", ", {where: {column: t, empty: true}, because: b}]"
            ),
        )
    )["exclude_without_rows"]
    assert message == "s.csv: the rule 'exclude: totals row' leaves out no row."


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        (exclude("column: c"), StudyError, "give one of 'equals', 'not_equals' and 'empty'"),
        (exclude("column: c, equals: a, empty: true"), StudyError, "give one of"),
        (exclude("column: kin, equals: a"), DataError, "there is no column 'kin'. Did you mean 'kind'?"),
        (exclude("column: c, not_equals: nobody"), DataError, "leaves out every row"),
        (exclude("column: c, equals: a").replace("because: totals row", "because: b, table: clients"), StudyError,
         "'exclude' names rows of the clients table, but there is no such table"),
        (exclude("column: c, equals: a").replace(", because: totals row", ""), StudyError, "because' is missing"),
    ],
)  # fmt: skip
def test_a_wrong_rule_gets_its_sentence(tmp_path, more, error, words):
    with pytest.raises(error) as caught:
        load_study(study_file(tmp_path, TABLE, more))
    assert words in str(caught.value)
