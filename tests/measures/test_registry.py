"""The registry: facts as the fact sheet has them, their evidence, and refusal of files that contradict themselves."""

import re

import numpy as np
import pytest

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures import (
    check_instrument_file,
    describe_instrument,
    find_instrument,
    instruments,
    load_instruments,
    score,
)
from inside.measures_instrument_file import read_instrument

#: The instruments used most. id: items, response range, reversed, total rule and range, direction, most unanswered items, status.
FACTS = {
    "bai": (21, (0, 3), (), "sum", (0, 63), "higher_worse", None, "check"),
    "core_10": (10, (0, 4), (2, 3), "mean_x10", (0, 40), "higher_worse", 1, "check"),
    "gad_7": (7, (0, 3), (), "sum", (0, 21), "higher_worse", None, "check"),
    "oq_45_2": (
        45,
        (0, 4),
        (1, 12, 13, 20, 21, 24, 31, 37, 43),
        "sum",
        (0, 180),
        "higher_worse",
        None,
        "check",
    ),
    "phq_9": (9, (0, 3), (), "sum", (0, 27), "higher_worse", 2, "check"),
    "wai_sr": (12, (1, 5), (), "sum", (12, 60), "higher_better", None, "verified"),
}
SUBSCALES = {
    "wai_sr": {"task": (1, 2, 10, 12), "bond": (3, 5, 7, 9), "goal": (4, 6, 8, 11)},
    "oq_45_2": {
        "symptom_distress": (
            *(2, 3, 5, 6, 8, 9, 10, 11, 13, 15, 22, 23, 24, 25, 27, 29, 31, 33, 34, 35, 36, 40, 41, 42, 45),
        ),
        "interpersonal_relations": (1, 7, 16, 17, 18, 19, 20, 26, 30, 37, 43),
        "social_role": (4, 12, 14, 21, 28, 32, 38, 39, 44),
    },
}
CUTOFFS = {"phq_9": (10, ">="), "gad_7": (8, ">="), "core_10": (11, ">="), "oq_45_2": (63, ">=")}
CHANGES = {"phq_9": 6, "gad_7": 4, "core_10": 6, "oq_45_2": 14}


def test_facts_of_the_instruments_used_most():
    found = {
        i.id: (
            i.n_items,
            (i.response_min, i.response_max),
            i.reverse,
            i.total_rule,
            i.total_range,
            i.direction,
            i.missing.max_missing,
            i.status,
        )
        for i in load_instruments().values()
        if i.id in FACTS
    }
    assert found == FACTS


def test_each_file_of_the_package_bears_the_id_of_its_instrument():
    registry = load_instruments()
    assert {name: registry[name].id for name in registry} == {name: name for name in registry}
    assert len(registry) == len(list(registry)) >= 55


def test_subscales_cutoffs_and_reliable_changes():
    registry = {name: instrument for name, instrument in load_instruments().items() if name in FACTS}
    assert {i.id: dict(i.subscales) for i in registry.values() if i.subscales} == SUBSCALES
    totals = {i.id: (i.cutoffs[0].value, i.cutoffs[0].operator) for i in registry.values() if i.cutoffs}
    assert totals == CUTOFFS
    changes = {i.id: i.reliable_change.points for i in registry.values() if i.reliable_change}
    assert changes == CHANGES
    assert registry["phq_9"].bands == {"mild": 5, "moderate": 10, "moderately_severe": 15, "severe": 20}
    assert registry["core_10"].bands == {
        "low": 6, "mild": 11, "moderate": 15, "moderate_severe": 20, "severe": 25,
    }  # fmt: skip


def test_what_is_from_memory_or_unknown_is_marked_so():
    registry = {name: instrument for name, instrument in load_instruments().items() if name in FACTS}
    assert set(registry["phq_9"].facts_marked("memory")) >= {
        "missing-item rule", "cut-off (total, NHS Talking Therapies caseness)", "reliable change (total)",
    }  # fmt: skip
    unknown = {i.id for i in registry.values() if "missing-item rule" in i.facts_marked("unknown")}
    assert unknown == {"wai_sr", "bai", "gad_7", "oq_45_2"}
    for instrument in registry.values():
        for marks in instrument.evidence.values():
            assert set(marks) <= {*instrument.sources, "memory", "unknown", "computed"}


def test_a_description_says_which_items_are_reversed():
    registry = load_instruments()
    for name, words in (
        ("phq_9", "No item is reversed."),
        ("core_10", "Items 2, 3 are reversed first, unless the study file says 'entry: prescored'."),
    ):
        said = " ".join(line.strip() for line in describe_instrument(registry[name]))
        assert words in said
        assert ("reversed first" in said) == bool(registry[name].reverse)


def test_a_description_has_the_bands_of_each_scale():
    said = [" ".join(line.split()) for line in describe_instrument(load_instruments()["dass_21"])]
    assert [line.split(" [")[0] for line in said if line.startswith("bands from")] == [
        "bands from depression: mild 10, moderate 14, severe 21, extremely severe 28",
        "bands from anxiety: mild 8, moderate 10, severe 15, extremely severe 20",
        "bands from stress: mild 15, moderate 19, severe 26, extremely severe 34",
    ]


def test_a_range_of_reliabilities_is_described_as_one_and_a_single_one_as_a_number():
    registry = load_instruments()
    found = 0
    for instrument in registry.values():
        said = " ".join(" ".join(describe_instrument(instrument)).split())
        for r in instrument.reliabilities:
            value = f"{r.low:g} to {r.high:g}" if r.high > r.low else f"{r.low:g}"
            assert f"{r.kind} {value} of {r.scale}" in said
            found += r.high > r.low
    assert found


def test_overview_has_one_row_an_instrument():
    table = instruments()
    assert list(table.index) == list(load_instruments())
    assert table.loc["core_10", ["items", "item_range", "reversed_items", "total_range"]].tolist() == [
        10, "0 to 4", "2, 3", "0 to 40",
    ]  # fmt: skip
    assert table.loc["oq_45_2", "max_missing"] == 0  # its limit is not known, so none is allowed


def test_extra_folder_adds_and_may_not_replace(root, tmp_path):
    extra = root / "tests" / "fixtures" / "implement_gad" / "instruments"
    assert set(load_instruments([extra])) == {*load_instruments(), "wai_9"}
    source = (root / "data_schema" / "instruments" / "bai.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(source)
    with pytest.raises(StudyError, match=r"mine.yaml: the instrument id 'bai' is already taken by bai.yaml"):
        load_instruments([tmp_path])


def test_folder_without_instruments_is_refused(tmp_path):
    with pytest.raises(StudyError, match=r"holds no \.yaml file"):
        load_instruments([tmp_path])


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        ("items: [2, 3]", "items: [2, 11]", "'reverse' names items [11], but the form has items 1 to 10"),
        ("items: [2, 3]", "items: [2, 2]", "'reverse' names an item twice"),
        (
            "max: 40",
            "max: 45",
            "the total ranges from 0 to 45, but 10 items of 0 to 4 under the rule 'mean_x10' give",
        ),
        ("max_missing: 1", "max_missing: 10", "must leave at least one answered item"),
        ("min: 0, max: 4,", "min: 4, max: 0,", "the response range 4 to 0 is empty"),
        ("evidence: [S4, S75]", "evidence: [S4, S76]", "names S76, which is neither a key of 'sources'"),
        (
            "items: [2, 3], evidence: [S6]",
            "items: unknown, evidence: [unknown]",
            "'status' must be incomplete",
        ),
        ("name: clinical range,", "name: clinical range, scale: risk,", "the scale 'risk' is neither"),
        ("status: check", "status: check\npartition: true", "do not cover every item exactly once"),
        (", evidence: [S4, S6]", "", "the key 'items.evidence' is missing"),
        (
            "higher_worse",
            "higher_is_worse",
            "'direction.value' is 'higher_is_worse'; it must be 'higher_better'",
        ),
        ("notes:", "note:", "Did you mean 'notes'?"),
    ],
)
def test_file_that_contradicts_itself_is_refused(old, new, phrase, root, tmp_path):
    text = (root / "data_schema" / "instruments" / "core_10.yaml").read_text()
    assert old in text
    (tmp_path / "core.yaml").write_text(text.replace("id: core_10", "id: mine").replace(old, new, 1))
    with pytest.raises(StudyError, match=re.escape(phrase)):
        load_instruments([tmp_path])


@pytest.mark.parametrize(
    ("name", "old", "new", "phrase"),
    [
        (
            "core_om",
            "of: [wellbeing,",
            "of: [well,",
            "line 17: the scale 'non_risk' must be derived of subscales",
        ),
        ("core_om", "  risk: {items: [6,", "  total: {items: [6,", "no scale may be called 'total'"),
        ("core_om", "  clinical_score:", "  risk:", "the scale 'risk' is there twice"),
        ("core_om", "risk: 0}", "rsk: 0}", "line 24: the scale 'rsk' is neither 'total' nor a subscale"),
        ("core_om", "wellbeing: 0,", "wellbeing: 4,", "must leave at least one answered item of 'wellbeing'"),
        ("core_om", "rule: mean_of_answered", "rule: complete_only", "'missing.scales' goes with the rule"),
        ("gcq_s", "rule: mean_of_answered", "rule: subscale_mean_rounded", "'missing.scales' goes with"),
        (
            "core_10",
            "rule: mean_of_answered",
            "rule: subscale_mean_rounded",
            "needs subscales that cover every",
        ),
        ("gcq_s", "total: {rule: none,", "total: {rule: none, min: 0, max: 6,", "has no total and no range"),
        ("hrsd_17", "min: 0, max: 2}", "min: 2, max: 0}", "line 11: the response range 2 to 0 is empty"),
        (
            "hrsd_17",
            "16, 17]",
            "16, 18]",
            "'response.other' names items [18], but the form has items 1 to 17",
        ),
        ("y_oq_2_01", "[2, 1, 0, -1, -2]", "[2, 1, 0]", "points to 3 answer options, but the response has 5"),
        (
            "y_oq_2_01",
            "recode: {items: unknown",
            "recode: {items: [1, 2]",
            "names 2 items, but its 'count' is 8",
        ),
        (
            "y_oq_2_01",
            "reverse: {items: unknown, evidence: [unknown]}\nrecode: {items: unknown, count: 8",
            "reverse: {items: [1], evidence: [memory]}\nrecode: {items: [1, 2, 3, 4, 5, 6, 7, 8], count: 8",
            "items [1] are named both in 'reverse' and in 'recode'",
        ),
        (
            "arm_12",
            "items: unknown, count: 3",
            "items: [1, 2], count: 3",
            "has 2 items, but its 'count' is 3",
        ),
        ("arm_12", "min: 1, max: 7, evidence", "min: unknown, max: 7, evidence", "either both known or both"),
        (
            "arm_12",
            "rule: mean, min: 1, max: 7",
            "rule: mean, min: 1",
            "'min' and 'max' of the total are either",
        ),
        ("arm_12", "rule: mean, min: 1, max: 7", "rule: mean", "are missing; they are 1 and 7"),
        (
            "arm_12",
            "items: unknown, evidence: [unknown]",
            "items: unknown, evidence: [memory]",
            "does not say so",
        ),
        ("arm_12", "status: incomplete", "status: check", "must be incomplete while reverse key is unknown"),
        ("haq_i", "status: check", "status: verified", "cannot be verified while the rule of the total"),
        (
            "tes_observer",
            "low: 0.87, high",
            "value: 0.87, high",
            "has either one 'value', or 'low' and 'high'",
        ),
        ("phq_9", "{points: 5, basis", "{basis", "give either 'points' or 'percent_of_baseline'"),
        (
            "arm_5",
            "who: [client, therapist]",
            "who: [client, friend]",
            "'raters.who.1' is 'friend'; it must be",
        ),
        ("arm_5", "rule: mean,", "rule: median,", "'total.rule' is 'median'; it must be"),
    ],
)
def test_mistake_in_any_block_is_a_sentence_with_its_line(name, old, new, phrase, root, tmp_path):
    text = (root / "data_schema" / "instruments" / f"{name}.yaml").read_text()
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(StudyError, match=re.escape(phrase)) as caught:
        read_instrument(tmp_path / "mine.yaml")
    heading, *mistakes = str(caught.value).splitlines()
    assert re.fullmatch(r"The instrument file mine\.yaml has (1 mistake|\d+ mistakes):", heading)
    assert mistakes
    assert all(re.match(r"  line \d+: \S", mistake) for mistake in mistakes)


def test_user_replaces_a_shipped_instrument_only_by_saying_so(root, tmp_path):
    text = (root / "data_schema" / "instruments" / "arm_12.yaml").read_text()
    own = tmp_path / "arm.yaml"
    text = text.replace(
        "reverse: {items: unknown, evidence: [unknown]}", "reverse: {items: [2], evidence: [manual]}"
    )
    text = re.sub(r"subscales:.*?(?=total:)", "", text, flags=re.DOTALL)
    text = text.replace("citations:", "sources: {manual: the manual on our shelf}\ncitations:")
    own.write_text(text.replace("status: incomplete", "status: check"))
    with pytest.raises(StudyError, match="or write 'replaces_shipped: true' to use it instead"):
        check_instrument_file(own)
    own.write_text(f"replaces_shipped: true\n{own.read_text()}")
    assert check_instrument_file(own).replaces_shipped
    mine = load_instruments([tmp_path])["arm_12"]
    assert (mine.reverse, mine.status, mine.evidence["reverse key"]) == ((2,), "check", ("manual",))
    assert score(np.array([[1.0, 7.0, *[1.0] * 10]]), mine).total.tolist() == [1.0]
    assert "a file of your own, instead of that of the package" in "\n".join(describe_instrument(mine))
    assert load_instruments()["arm_12"].reverse is None
    (tmp_path / "second.yaml").write_text(own.read_text())
    with pytest.raises(
        StudyError, match=r"'arm_12' is already taken by arm\.yaml\. Give one of them another"
    ):
        load_instruments([tmp_path])


def test_nothing_to_replace_is_told(root, tmp_path):
    text = (root / "data_schema" / "instruments" / "bai.yaml").read_text()
    (tmp_path / "x.yaml").write_text(text.replace("id: bai", "id: bai_2\nreplaces_shipped: true"))
    with pytest.raises(
        StudyError, match="'replaces_shipped' is true, but the package has no instrument 'bai_2'"
    ):
        load_instruments([tmp_path])


def test_unknown_id_is_told_with_the_nearest():
    assert find_instrument("phq_9").label == "PHQ-9"
    with pytest.raises(
        StudyError, match=r"no instrument 'phq9'\. Did you mean 'phq_9'\? 'alliance instruments'"
    ):
        find_instrument("phq9")


def test_reliable_change_of_the_total_is_one_or_none():
    registry = load_instruments()
    assert registry["oq_45_2"].reliable_change.points == 14
    assert registry["pcl_5"].reliable_change is None  # 15 or 18: the user has to choose
    assert registry["bai"].reliable_change is None


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "[" * 600,
        "a: &a [x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{c}: &{c} [{', '.join([f'*{b}'] * 8)}]\n" for b, c in zip("abcdefgh", "bcdefghi", strict=True)
        ),
    ],
    ids=["holds itself", "nested deeply", "repeats itself"],
)
def test_a_file_without_end_is_refused(text, tmp_path):
    """Each of these ends every reader that walks through all of it."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        StudyError, match=r"The instrument file mine.yaml is nested too deeply, or its anchors"
    ):
        read_instrument(path)


def test_subscales_whose_items_are_not_known_are_named():
    named = 0
    for instrument in load_instruments().values():
        said = [" ".join(line.split()) for line in describe_instrument(instrument)]
        for name, count in instrument.unlisted_subscales.items():
            size = "items" if count is None else f"{count} items, which ones is"
            assert any(line.startswith(f"{name.replace('_', ' ')} {size} not known") for line in said), (
                instrument.id,
                name,
            )
            named += 1
    assert named > 10
