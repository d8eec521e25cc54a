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
    more = _oq(0, 0, 0, oq)
    more[[3, 13, 27, 31]] = NAN, 4, 4, 4
    more[[37, 38]] = 4, 4  # items 38, 39 too: 20 in 8 answers = 2.5 -> 3, which is not the even neighbour
    assert {4, 14, 28, 32, 38, 39} <= set(oq.subscales["social_role"]) - set(oq.reverse)
    scores = score(np.array([form, more]), oq, missing=MissingRule("subscale_mean_rounded", 1))
    assert_array_equal(scores.total, [14, 23])


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


def test_core_om_prorates_each_scale_by_its_own_limit(registry):
    """CORE System Trust: 3 open items in all and in the non-risk items, 1 in problems, none in wellbeing."""
    core = registry["core_om"]
    turned = np.array(core.reverse) - 1
    form = np.full(34, 2.0)
    form[1] = 4  # item 2, problems: 26 in 12 items
    forms = np.array([form] * 4)
    forms[1, [4, 7]] = NAN  # items 5 and 8, problems: two open
    forms[2, 4] = NAN  # one open: 24 in 11 answers
    forms[3, [3, 4, 7, 10]] = NAN  # item 4, wellbeing, and three problems: four open
    before = forms.copy()
    scores = score(forms, core)
    np.testing.assert_allclose(scores.total, [70 / 34, 66 / 32, 68 / 33, NAN], rtol=1e-15)
    np.testing.assert_allclose(scores.subscales["problems"], [26 / 12, NAN, 24 / 11, NAN], rtol=1e-15)
    assert_array_equal(scores.subscales["wellbeing"], [2, 2, 2, NAN])
    assert_array_equal(scores.subscales["risk"], [2, 2, 2, 2])
    np.testing.assert_allclose(scores.subscales["non_risk"], [58 / 28, 54 / 26, 56 / 27, NAN], rtol=1e-15)
    np.testing.assert_allclose(scores.subscales["clinical_score"], 10 * scores.total, rtol=1e-15)
    assert_array_equal(forms, before)
    best = np.zeros((1, 34))
    best[0, turned] = 4
    assert_array_equal(score(best, core).total, [0])


def test_group_climate_has_scale_means_and_a_limit_for_the_whole_form(registry):
    forms = np.array([[0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4.0]] * 3)
    forms[1, [2, 4]] = NAN  # avoiding: item 9 alone
    forms[2, [0, 1, 2, 3, 4]] = NAN  # five open: no score at all
    scores = score(forms, registry["gcq_s"])
    assert_array_equal(scores.total, [NAN] * 3)
    np.testing.assert_allclose(scores.subscales["engaged"], [(0 + 1 + 3 + 0 + 3) / 5, 7 / 5, NAN])
    np.testing.assert_allclose(scores.subscales["avoiding"], [(2 + 4 + 1) / 3, 1, NAN])
    np.testing.assert_allclose(scores.subscales["conflict"], [(5 + 6 + 2 + 4) / 4, 17 / 4, NAN])
    assert_array_equal(scores.unscored, [False, False, True])
    assert_array_equal(scores.completed, [False, True, False])


def test_dass_scales_are_doubled_sums(registry):
    form = np.zeros((1, 21))
    form[0, [2, 4, 9]] = 3, 2, 1  # items 3, 5, 10: depression
    form[0, 0] = 3  # item 1: stress
    scores = score(form, registry["dass_21"])
    assert {name: values[0] for name, values in scores.subscales.items()} == {
        "depression": 12, "anxiety": 0, "stress": 6,
    }  # fmt: skip


def test_items_with_a_range_of_their_own(registry):
    hamilton = registry["hrsd_17"]
    form = np.zeros((1, 17))
    form[0, 0], form[0, 3] = 4, 2
    assert_array_equal(score(form, hamilton).total, [6])
    form[0, 3] = 3  # item 4 ends at 2
    with pytest.raises(
        DataError, match=r"HRSD-17: 1 answers are outside 0 to 4 \(items 4, 5, 6, 12.*: 0 to 2\)"
    ):
        score(form, hamilton)


def test_positive_items_with_other_points(registry):
    """The Y-OQ with a key: eight items count 2 to -2. (The key here is made up.)"""
    recode = replace(registry["y_oq_2_01"].recode, items=(1, 2, 3, 4, 5, 6, 7, 64))
    youth = replace(registry["y_oq_2_01"], reverse=(), recode=recode, unlisted_subscales={}, status="check")
    forms = np.zeros((4, 64))
    forms[1, [0, 1, 2, 3, 4, 5, 6, 63]] = 4
    forms[2] = 4
    forms[2, [0, 1, 2, 3, 4, 5, 6, 63]] = 0
    forms[3, 0] = NAN
    assert_array_equal(score(forms, youth).total, [16, -16, 240, NAN])
    printed = np.zeros((1, 64))
    printed[0, 0] = -2  # as the paper form prints it
    assert_array_equal(score(printed, youth, entry="prescored").total, [-2])
    with pytest.raises(DataError, match="1 answers are outside 0 to 4"):
        score(printed, youth)


def test_zero_is_no_answer_where_the_form_has_none(registry):
    inventory = replace(registry["blri_os_40"], reverse=(40,), unlisted_subscales={}, status="check")
    form = np.full((1, 40), -3.0)
    assert_array_equal(score(form, inventory).total, [-3 * 39 + 3])
    form[0, 5] = 0
    with pytest.raises(DataError, match="1 answers are outside -3 to 3 without 0"):
        score(form, inventory)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "calpas_24",
            "CALPAS-24: which items are reversed is not known; which items make its subscales is not",
        ),
        (
            "tasa",
            "TASA: how many items it has is not known; the range of its answers is not known; which items",
        ),
        (
            "sai_6",
            "SAI: the range of its answers is not known; how its items make a total is not known, so its",
        ),
        ("y_oq_2_01", "which items are coded otherwise is not known"),
        (
            "haq_i",
            "HAq-I: how its items make a total is not known, so its items cannot be scored. Give totals, or",
        ),
        ("crf_s", "CRF-S: which items make its subscales is not known"),
    ],
)
@pytest.mark.parametrize("entry", ["raw", "prescored"])
def test_incomplete_instruments_need_a_key_from_the_user(name, words, entry, registry):
    with pytest.raises(StudyError, match=words):
        score(np.ones((1, registry[name].n_items or 5)), registry[name], entry=entry)


def test_many_forms_score_as_they_do_one_by_one(registry):
    """Forms are scored in blocks; the seams must not show."""
    core = registry["core_om"]
    rng = np.random.default_rng(5)
    forms = rng.integers(0, 5, size=(20_000, 34)).astype(float)
    forms[rng.random(forms.shape) < 0.03] = NAN
    together = score(forms, core)
    picked = [0, 1, 8190, 8191, 8192, 8193, 16383, 16384, 19999]
    alone = [score(forms[[k]], core) for k in picked]
    assert_array_equal(together.total[picked], [s.total[0] for s in alone])
    for name, values in together.subscales.items():
        assert_array_equal(values[picked], [s.subscales[name][0] for s in alone])
    assert_array_equal(together.unscored[picked], [s.unscored[0] for s in alone])
    assert together.total.shape == (20_000,)
    assert 0.01 < np.isnan(together.total).mean() < 0.05
