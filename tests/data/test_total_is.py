"""Totals that the table holds as means of the items count in the instrument's points."""

import pytest
from numpy.testing import assert_allclose

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.measures import load_instruments
from data.small import findings, small_study, study_file


def measure(text):
    return f"measures: {{m: {{{text}}}}}"


def loaded(folder, value, text):
    return small_study(folder, f"c,t,n,x\n1,a,0,{value}\n", measures=measure(text))


@pytest.mark.parametrize(
    ("value", "text", "points"),
    [
        ("3.5", "instrument: wai_sr, total: x, total_is: mean", 42),  # 12 items
        ("42", "instrument: wai_sr, total: x, total_is: sum", 42),
        ("42", "instrument: wai_sr, total: x", 42),
        ("1.5", "instrument: phq_9, total: x, total_is: mean", 13.5),
        ("4", "instrument: wai_sr, scale: bond, total: x, total_is: mean", 16),  # 4 items
        ("1.2", "instrument: core_10, total: x, total_is: mean", 12),
        ("5", "instrument: wai_sr, total: x, total_is: mean", 60),  # the highest mean is the highest sum
        ("1", "instrument: wai_sr, total: x, total_is: mean", 12),
    ],
)
def test_means_count_in_points(tmp_path, value, text, points):
    study = loaded(tmp_path, value, text)
    assert_allclose(study.sessions["m"], [points], rtol=1e-12)
    said = findings(study)["total_as_given"]
    assert ("multiplied by" in said) == ("total_is: mean" in text)
    if "total_is: mean" in text:
        times = points / float(value)
        assert "has means of the items" in said
        assert f"multiplied by {times:g}, because the instrument uses sums" in said


def test_an_instrument_that_counts_means_takes_sums(tmp_path):
    known = [i for i in load_instruments().values() if i.total_rule == "mean" and i.n_items and len(i.raters)]
    assert known
    one = known[0]
    text = f"instrument: {one.id}, rater: {one.raters[0]}, total: x"
    assert_allclose(loaded(tmp_path, "3", text + ", total_is: mean").sessions["m"], [3])
    study = loaded(tmp_path, str(3 * one.n_items), text + ", total_is: sum")
    assert_allclose(study.sessions["m"], [3], rtol=1e-12)
    said = findings(study)["total_as_given"]
    assert "has sums of the items" in said
    assert f"multiplied by {1 / one.n_items:g}, because the instrument uses means" in said


@pytest.mark.parametrize(
    ("value", "text", "words"),
    [
        ("5.5", "instrument: wai_sr, total: x, total_is: mean", "(the mean of the items: 1 to 5)"),
        ("42", "instrument: wai_sr, total: x, total_is: mean", "(the mean of the items: 1 to 5)"),
        (
            "3.5",
            "instrument: wai_sr, total: x",
            "If the column holds means of the items, write 'total_is: mean'",
        ),
    ],
)
def test_a_total_of_the_other_kind_is_refused_with_the_way_out(tmp_path, value, text, words):
    with pytest.raises(DataError) as caught:
        loaded(tmp_path, value, text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("instrument: wai_sr, items: 'x{item}', total_is: mean", "'total_is' is about a total"),
        ("instrument: wai_sr, total: x, total_is: median", "it must be 'sum' or 'mean'"),
    ],
)
def test_total_is_where_it_does_not_belong(tmp_path, text, words):
    with pytest.raises(StudyError) as caught:
        load_study(study_file(tmp_path, "c,t,n,x\n", measures=measure(text)))
    assert words in str(caught.value)
