"""The registry: facts as the fact sheet has them, their evidence, and refusal of files that contradict themselves."""

import re

import pytest
from ruamel.yaml import YAML

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.measures import instruments, load_instruments

#: id: items, response range, reversed, total rule and range, direction, most unanswered items, status.
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


def test_facts_of_the_shipped_instruments():
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
    }
    assert found == FACTS


def test_subscales_cutoffs_and_reliable_changes():
    registry = load_instruments()
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
    registry = load_instruments()
    assert set(registry["phq_9"].facts_marked("memory")) >= {
        "missing-item rule", "cut-off (total, NHS Talking Therapies caseness)", "reliable change (total)",
    }  # fmt: skip
    unknown = {i.id for i in registry.values() if "missing-item rule" in i.facts_marked("unknown")}
    assert unknown == {"wai_sr", "bai", "gad_7", "oq_45_2"}
    for instrument in registry.values():
        for marks in instrument.evidence.values():
            assert set(marks) <= {*instrument.sources, "memory", "unknown", "computed"}


def test_files_hold_no_item_texts(root):
    """An instrument file has numbers, names and addresses; item texts are copyrighted."""
    for path in (root / "data_schema" / "instruments").glob("*.yaml"):
        assert set(YAML(typ="safe", pure=True).load(path)["items"]) == {"count", "evidence"}


def test_overview_has_one_row_an_instrument():
    table = instruments()
    assert list(table.index) == sorted(FACTS)
    assert table.loc["core_10", ["items", "item_range", "reversed_items", "total_range"]].tolist() == [
        10, "0 to 4", "2, 3", "0 to 40",
    ]  # fmt: skip
    assert table.loc["oq_45_2", "max_missing"] == 0  # its limit is not known, so none is allowed


def test_extra_folder_adds_and_may_not_replace(root, tmp_path):
    extra = root / "tests" / "fixtures" / "implement_gad" / "instruments"
    assert set(load_instruments([extra])) == {*FACTS, "wai_9"}
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
