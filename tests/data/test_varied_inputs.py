"""Inputs of the kinds that clinics sent, varied: what is read is right, and what is refused names the way out."""

import pytest

import alliance_longitudinal as al
from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import AllianceError
from data.small import findings, small_study, study_file


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (
            ("01/02/2023", "05/06/2023"),  # two ways to read them: to name one would be to guess
            "can be read as day-first and as month-first. Find out which it is, and write 'dialect: {dates: day-first}' or "
            "'dialect: {dates: month-first}'.",
        ),
        (("01/02/2023", "25/06/2023"), "can be read as day-first: write 'dialect: {dates: day-first}'."),
        (("01/02/2023", "05/26/2023"), "can be read as month-first: write 'dialect: {dates: month-first}'."),
        (("13/02/2023", "02/14/2023"), "correct these dates"),
        (("44928", "44935"), "numbers such as 45000 are Excel's internal dates"),
        (("2023-02-30", "2023-03-01"), "correct these dates"),
    ],
)
def test_dates_in_another_order(dates, words, tmp_path):
    table = "c,t,d,p\n" + "".join(f'1,T,"{d}",{10 - k}\n' for k, d in enumerate(dates))
    with pytest.raises(AllianceError) as caught:
        load_study(study_file(tmp_path, table, columns="client: c, therapist: t, date: d"))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "dates",
    [
        ("02-Jan-2023", "09-Jan-2023"),
        ("2023/1/2", "2023/1/9"),
        ("Jan 2, 2023", "January 9, 2023"),
        ("2. Januar 2023", "9. Januar 2023"),
        ("2023-01-02T10:00:00Z", "2023-01-09T08:00:00+02:00"),
        ("2023-01-02 10:30", "2023-01-09 09:00"),
    ],
)
def test_dates_as_programs_write_them(dates, tmp_path):
    table = "c,t,d,p\n" + "".join(f'1,T,"{d}",{10 - k}\n' for k, d in enumerate(dates))
    study = small_study(tmp_path, table, columns="client: c, therapist: t, date: d")
    assert study.sessions["week"].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("ids", "listed"),
    [
        ("007 008", "7 8"),
        ("7 8", "7.0 8.0"),
        ("c-07 c-08", "C-07 C-08"),
        ("A\u20131 A\u20132", "A-1 A-2"),  # a dash that a word processor made of a hyphen
        ("A\u22121 A2", "A-1 A-2"),
        ("1000000 2000000", "1E+06 2E+06"),  # as a spreadsheet shows long numbers
        ("1200000 3", "1.2E+06 3"),
    ],
)
def test_ids_that_differ_in_how_they_are_written(ids, listed, tmp_path):
    """They are compared as text, and never joined by a guess; the message, or a finding, shows the pairs."""
    mine, theirs = ids.split(), listed.split()
    path = study_file(tmp_path, "c,t,n,p\n" + "".join(f"{i},T,{n},{9 + n}\n" for i in mine for n in (0, 1)))
    (tmp_path / "c.csv").write_text("c,age\n" + "".join(f"{i},30\n" for i in theirs), encoding="utf-8")
    text = path.read_text(encoding="utf-8").replace(
        "measures:", "  clients: {file: c.csv, columns: {client: c}}\nmeasures:"
    )
    path.write_text(text + "covariates: {client: {age: age}}\n", encoding="utf-8")
    try:
        said = " ".join(findings(load_study(path)).values())
    except AllianceError as error:
        said = str(error)
        assert f"'{mine[0]}' there and '{theirs[0]}' in c.csv" in said
        return
    assert f"spelled differently there, such as '{mine[0]}' in the sessions table and '{theirs[0]}'" in said


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("Group.x", "group_x"),
        ("1st", "x_1st"),
        ("Alter (Jahre)", "alter_jahre"),
        ("age-years", "age_years"),
        ("Sex?", "sex"),
    ],
)
def test_a_covariate_called_as_its_column_is_offered_another_name(name, offered, tmp_path):
    """Case 39: a header as R or a form writes it."""
    path = study_file(
        tmp_path, f'c,t,n,p,"{name}"\n1,T,0,10,3\n', f"covariates: {{client: {{'{name}': '{name}'}}}}"
    )
    with pytest.raises(AllianceError) as caught:
        load_study(path)
    assert f"Give it another name here, and its column after it, such as {offered}: {name!r}." in str(
        caught.value
    )
    fixed = path.read_text(encoding="utf-8").replace(f"{{'{name}':", f"{{{offered}:")
    path.write_text(fixed, encoding="utf-8")
    assert load_study(path).clients[offered].tolist() == [3.0]


@pytest.mark.parametrize("value", ["30 years", "1,200", "≥65", "30½", "30%", "0x1f", "inf", "TRUE", "30,5"])
def test_a_text_among_numbers_is_named_and_not_made_a_category(value, tmp_path):
    """Case 05."""
    ages = [str(20 + k) for k in range(28)] + [value, "31"]
    table = "c,t,n,p,x\n" + "".join(f'{k},T,0,10,"{v}"\n' for k, v in enumerate(ages))
    with pytest.raises(AllianceError) as caught:
        load_study(study_file(tmp_path, table, "covariates: {client: {x: x}}"))
    assert f"row 30, column 'x': '{value}'" in str(caught.value)


@pytest.mark.parametrize("value", ["3e1", "−30", "30\u00a0", " 30 "])
def test_numbers_as_programs_write_them(value, tmp_path):
    ages = [str(20 + k) for k in range(28)] + [value, "31"]
    table = "c,t,n,p,x\n" + "".join(f'{k:02},T,0,10,"{v}"\n' for k, v in enumerate(ages))
    study = small_study(tmp_path, table, "covariates: {client: {x: x}}")
    assert abs(study.clients.set_index("client").loc["28", "x"]) == 30.0


def test_a_therapist_whose_id_is_the_package_s_own_word_counts(tmp_path):
    """Only empty cells mean nobody; the id is said, and is a therapist in every report."""
    study = small_study(tmp_path, "c,t,n,p\n1,(no therapist),0,10\n2,A,0,9\n3,A,0,8\n")
    assert study.therapists["therapist"].tolist() == ["(no therapist)", "A"]
    assert "therapist_may_be_nobody" in findings(study)


def test_a_form_that_nobody_filled_in_is_not_none_of_none(tmp_path):
    """Case 40, turned round: a problem is not told in the words of a check that found nothing."""
    study = small_study(tmp_path, "c,t,n,p\n1,T,0,\n1,T,1,\n2,T,0,\n")
    result = al.data_quality(study, models=False)
    found = [str(cell) for table in result.tables for cell in table.to_frame().to_numpy().ravel()]
    assert "There is none at all." in found
    assert "None of 0 forms." not in found
