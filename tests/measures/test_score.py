"""Scores against sums made by hand, whole arrays."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.measures import MissingRule, load_instruments, score

NAN = np.nan


@pytest.fixture(scope="module")
def registry():
    return load_instruments()


def test_phq9_allows_two_unanswered_items(registry):
    forms = np.array(
        [
            [3, 3, 3, 3, 3, 3, 3, 3, 3],
            [0, 1, 2, 3, 0, 1, 2, 3, NAN],  # 12 in 8 answers: 12 * 9 / 8
            [1, 1, 1, 1, 1, 1, 2, NAN, NAN],  # 8 in 7 answers: 8 * 9 / 7
            [1, 1, 1, 1, 1, 1, NAN, NAN, NAN],  # three are too many
            [NAN] * 9,
        ]
    )
    before = forms.copy()
    scores = score(forms, registry["phq_9"])
    np.testing.assert_allclose(scores.total, [27, 13.5, 72 / 7, NAN, NAN], rtol=1e-15)
    assert_array_equal(scores.unscored, [False, False, False, True, False])
    assert_array_equal(scores.completed, [False, True, True, False, False])
    assert_array_equal(forms, before)


def test_core10_reverses_two_and_three_and_prorates_one(registry):
    forms = np.array(
        [
            [0, 4, 4, 0, 0, 0, 0, 0, 0, 0],  # best possible
            [4, 0, 0, 4, 4, 4, 4, 4, 4, 4],  # worst possible
            [1, 1, 2, 3, 0, 1, 2, 3, 4, 1],  # 1+3+2+3+0+1+2+3+4+1 = 20
            [1, 1, 2, 3, 0, 1, 2, 3, 4, NAN],  # 19 in 9 answers: 190 / 9
            [1, NAN, 2, 3, 0, 1, 2, 3, 4, 1],  # the reversed one is missing: 17 in 9
            [1, 1, 2, 3, 0, 1, 2, 3, NAN, NAN],
        ]
    )
    scores = score(forms, registry["core_10"])
    np.testing.assert_allclose(scores.total, [0, 40, 20, 190 / 9, 170 / 9, NAN], rtol=1e-15)
    prescored = score(forms[2:3], registry["core_10"], entry="prescored")
    assert_array_equal(prescored.total, [18.0])  # 1+1+2+3+0+1+2+3+4+1


def test_wai_sr_subscales_and_unknown_rule(registry):
    forms = np.array(
        [
            [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2],
            [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, NAN],  # item 12 belongs to task
        ]
    )
    scores = score(forms, registry["wai_sr"])
    assert_array_equal(scores.total, [33, NAN])
    assert_array_equal(scores.subscales["task"], [1 + 2 + 5 + 2, NAN])
    assert_array_equal(scores.subscales["bond"], [3 + 5 + 2 + 4, 14])
    assert_array_equal(scores.subscales["goal"], [4 + 1 + 3 + 1, 9])
    assert_array_equal(scores.unscored, [False, True])


def _oq(symptom_distress, interpersonal, social, instrument):
    """A raw form whose scored items have one value a subscale."""
    form = np.empty(45)
    values = (symptom_distress, interpersonal, social)
    for value, items in zip(values, instrument.subscales.values(), strict=True):
        form[np.array(items) - 1] = value
    reverse = np.array(instrument.reverse) - 1
    form[reverse] = 4 - form[reverse]
    return form


def test_oq45_without_a_limit_scores_complete_forms_only(registry):
    oq = registry["oq_45_2"]
    forms = np.array([_oq(1, 2, 3, oq), _oq(1, 2, 3, oq)])
    forms[1, 3] = NAN  # item 4, social role
    scores = score(forms, oq)
    assert_array_equal(scores.total, [25 * 1 + 11 * 2 + 9 * 3, NAN])
    assert_array_equal(scores.subscales["symptom_distress"], [25, 25])
    assert_array_equal(scores.subscales["interpersonal_relations"], [22, 22])
    assert_array_equal(scores.subscales["social_role"], [27, NAN])


def test_oq45_fills_with_the_rounded_mean_of_the_subscale(registry):
    oq = registry["oq_45_2"]
    rule = MissingRule("subscale_mean_rounded", 9)
    forms = np.array([_oq(1, 2, 3, oq)] * 5)
    forms[1, 3] = NAN  # one of social role: filled with 3
    forms[2, [3, 27]] = NAN, 0  # item 4 open, item 28 zero: mean 21/8 = 2.625, rounded 3 -> 24 in all
    forms[3, [0, 6, 15]] = (
        NAN,
        1,
        4,
    )  # item 1 (reversed) open; items 7 and 16: (8 * 2 + 1 + 4) / 10 = 2.1 -> 2
    forms[4, np.array(oq.subscales["social_role"]) - 1] = NAN  # nothing to take a mean of
    scores = score(forms, oq, missing=rule)
    assert_array_equal(scores.subscales["social_role"], [27, 27, 24, 27, NAN])
    assert_array_equal(scores.subscales["interpersonal_relations"], [22, 22, 22, 23, 22])
    assert_array_equal(scores.total, [74, 74, 71, 75, NAN])
    assert_array_equal(scores.unscored, [False, False, False, False, True])
    assert_array_equal(scores.completed, [False, True, True, True, False])


def test_oq45_rounds_halves_up(registry):
    oq = registry["oq_45_2"]
    form = _oq(0, 0, 0, oq)
    form[[3, 13, 27, 31]] = NAN, 4, 4, 4  # items 4, 14, 28, 32: 12 in 8 answers of social role = 1.5 -> 2
    scores = score(form[None, :], oq, missing=MissingRule("subscale_mean_rounded", 1))
    assert_array_equal(scores.total, [14])


def test_mean_rule_of_a_user_instrument(root):
    wai = load_instruments([root / "tests" / "fixtures" / "implement_gad" / "instruments"])["wai_9"]
    forms = np.array([[1, 2, 3, 4, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, *[NAN] * 4], [1, 2, 3, 4, *[NAN] * 5]])
    np.testing.assert_allclose(score(forms, wai).total, [25 / 9, 3, NAN], rtol=1e-15)


def test_rule_for_complete_forms_only(registry):
    forms = np.array([[1.0] * 9, [1.0] * 8 + [NAN]])
    assert_array_equal(
        score(forms, registry["phq_9"], missing=MissingRule("complete_only", 5)).total, [9, NAN]
    )


def test_no_forms_are_no_scores(registry):
    assert score(np.empty((0, 9)), registry["phq_9"]).total.shape == (0,)


def test_wrong_shape_range_and_unknown_key_are_refused(registry):
    with pytest.raises(DataError, match=r"PHQ-9 has 9 items; the answers have shape \(2, 8\)"):
        score(np.zeros((2, 8)), registry["phq_9"])
    with pytest.raises(DataError, match="PHQ-9: 1 answers are outside 0 to 3"):
        score(np.array([[4.0] + [0.0] * 8]), registry["phq_9"])
    with pytest.raises(StudyError, match="which items are reversed is not known"):
        score(np.zeros((1, 9)), replace(registry["phq_9"], reverse=None))
