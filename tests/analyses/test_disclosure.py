"""What may not be shared is not in anything that a shareable report consists of."""

import json
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alliance_longitudinal as al
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.analyses.disclosure.cells import HIDDEN, complement, hide_near, protect_table
from alliance_longitudinal.analyses.disclosure.flow import protect_flow
from alliance_longitudinal.analyses.disclosure.shares import protect_estimates
from alliance_longitudinal.analyses.disclosure.text import protect_text
from alliance_longitudinal.data.flow import FlowStep, SampleFlow
from alliance_longitudinal.present import Column, Table

counts = st.lists(st.integers(0, 60), min_size=1, max_size=7)


@given(counts, st.integers(2, 12))
@settings(max_examples=200, deadline=None)
def test_hidden_parts_cannot_be_worked_out_from_their_total(parts, smallest):
    """Every small part is hidden, and what is hidden adds up to enough, spread over two parts, if there are two."""
    primary = {i for i, p in enumerate(parts) if 0 < p < smallest}
    hidden = complement(parts, primary, smallest)
    assert primary <= hidden
    assert not any(parts[i] == 0 for i in hidden)
    if not primary:
        assert hidden == set()
    elif len(hidden) < sum(p > 0 for p in parts):
        assert len(hidden) >= 2
        assert sum(parts[i] for i in hidden) >= smallest


def table(rows, **options):
    columns = [
        Column("who", "Who"),
        Column("n", "Clients", "count"),
        Column("a", "A", "count", total="n"),
        Column("b", "B", "count", total="n"),
        Column("c", "C", "count", total="n"),
        Column("share", "A of all", "percent", of="a"),
    ]
    return Table.from_frame("t", "T", "results", pd.DataFrame(rows), columns, **options)


def test_a_table_hides_small_cells_their_partners_and_their_shares():
    made = table(
        [
            {"who": "x", "n": 100, "a": 4, "b": 30, "c": 66, "share": 0.04},
            {"who": "y", "n": 100, "a": 40, "b": 40, "c": 20, "share": 0.40},
            {"who": "z", "n": 8, "a": 3, "b": 5, "c": 0, "share": 0.375},
        ]
    )
    safe, hidden = protect_table(made, 10)
    assert safe.rows == (
        ("x", 100, HIDDEN, HIDDEN, 66, HIDDEN),
        ("y", 100, 40, 40, 20, 0.40),
        ("z", HIDDEN, HIDDEN, HIDDEN, 0, HIDDEN),
    )
    assert hidden == 7
    assert made.rows[0][2] == 4


def test_rows_that_add_up_within_a_column_are_parts_too():
    made = table(
        [
            {"who": "m", "n": 40, "a": 20, "b": 20, "c": 0, "share": 0.5},
            {"who": "m", "n": 30, "a": 15, "b": 15, "c": 0, "share": 0.5},
            {"who": "o", "n": 25, "a": 12, "b": 13, "c": 0, "share": 0.5},
            {"who": "m", "n": 3, "a": 3, "b": 0, "c": 0, "share": 1.0},
        ],
        parts=("n",),
        parts_by="who",
    )
    rows = protect_table(made, 10)[0].rows
    assert [r[1] for r in rows] == [40, HIDDEN, 25, HIDDEN]


def test_counts_that_differ_by_a_few_are_not_shown_side_by_side():
    made = table(
        [
            {"who": w, "n": n, "a": 0, "b": 0, "c": 0, "share": 0.0}
            for w, n in [("x", 200), ("y", 196), ("z", 190)]
        ]
    )
    shown = [300.0]
    safe, hidden = hide_near(made, shown, 10)
    assert [r[1] for r in safe.rows] == [200, HIDDEN, 190]
    assert hidden == 1


def test_parts_of_a_total_that_lies_near_a_known_one_are_hidden_with_it():
    made = table([{"who": "x", "n": 196, "a": 150, "b": 46, "c": 0, "share": 0.5}])
    safe, hidden = hide_near(made, [200.0], 10)
    row = dict(zip([c.key for c in made.columns], safe.rows[0], strict=True))
    assert [row[k] for k in ("n", "a", "b", "c")] == [HIDDEN, HIDDEN, HIDDEN, 0]
    assert (row["share"], hidden) == (HIDDEN, 4)


steps = st.lists(st.integers(0, 15), min_size=1, max_size=8)


@given(st.integers(60, 120), steps)
@settings(max_examples=200, deadline=None)
def test_no_two_boxes_of_a_flow_differ_by_a_few(start, losses):
    made, at = [], start
    for k, lost in enumerate(losses):
        after = max(at - lost, 0)
        made.append(FlowStep(f"s{k}", f"r{k}", 3 * at, 3 * after, at, after, 5, 5))
        at = after
    safe, joined = protect_flow(SampleFlow(tuple(made)), 10)
    boxes = [safe.steps[0].clients_in, *(s.clients_out for s in safe.steps)]
    assert boxes[-1] == at
    assert all(a == b or abs(a - b) >= 10 for a, b in combinations(boxes, 2))
    for a, b in zip(safe.steps, safe.steps[1:], strict=False):
        assert (a.rows_out, a.clients_out) == (b.rows_in, b.clients_in)
    assert joined == len(made) - len(safe.steps)


def test_a_branch_near_the_main_line_is_left_out():
    main = (FlowStep("a", "", 300, 300, 100, 100, 5, 5), FlowStep("b", "r", 300, 240, 100, 80, 5, 5))
    near = FlowStep("c", "r", 300, 235, 100, 78, 5, 5)
    far = FlowStep("d", "r", 300, 150, 100, 50, 5, 5)
    assert [s.step for s in protect_flow(SampleFlow((*main, near)), 10)[0].steps] == ["a", "b"]
    assert [s.step for s in protect_flow(SampleFlow((*main, far)), 10)[0].steps] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (
            "3 of 900 clients (0.3 %) changed therapist.",
            "fewer than 10 of 900 clients (a small share) changed therapist.",
        ),
        ("7 analysed clients have one score.", "fewer than 10 analysed clients have one score."),
        ("896 of 900 clients stayed.", "nearly all of 900 clients stayed."),
        ("13 therapists, 57 clients.", "13 therapists, 57 clients."),
        ("The 95 % interval of 2 clients.", "The 95 % interval of fewer than 10 clients."),
        ("In 12 % of 1\u202f200 sessions.", "In 12 % of 1\u202f200 sessions."),
        ("2 of 5 rows were left out.", "fewer than 10 rows were left out."),
        ("A score of 3 or more; window sessions 1 to 5.", "A score of 3 or more; window sessions 1 to 5."),
        ("0 clients left.", "0 clients left."),
        (
            "At least 2 clients; fewer than 5 clients; 3 or more scores.",
            "At least 2 clients; fewer than 5 clients; 3 or more scores.",
        ),
        ("The window 1 to 5 sessions.", "The window 1 to 5 sessions."),
        ("More PHQ-9 scores than steady change shows.", "More PHQ-9 scores than steady change shows."),
    ],
)
def test_sentences_lose_their_small_counts(text, safe):
    assert protect_text(text, 10) == safe


def shares(**counts):
    n = 200
    rows = [
        {
            "id": f"JT_{k}",
            "label": f"JT: {k}",
            "estimate": v / n,
            "se": 0.1,
            "df": 5.0,
            "ci_low": 0.0,
            "ci_high": 1.0,
            "p": 0.5,
            "n": n,
        }
        for k, v in counts.items()
    ]
    return pd.DataFrame(rows).assign(level="client", unit="share of clients")


def test_shares_of_categories_are_hidden_like_their_counts():
    """Three deteriorated; improved is their partner; what contains either goes too. Recovered can stay."""
    frame = shares(recovered=90, improved=30, unchanged=77, deteriorated=3, harmed=0, better=120, worse=3)
    safe = protect_estimates(frame, 10)
    assert safe.hidden == {"JT_deteriorated", "JT_improved", "JT_better", "JT_worse"}
    hidden = safe.frame["id"].isin(safe.hidden)
    numbers = ["estimate", "se", "df", "ci_low", "ci_high", "p"]
    assert safe.frame.loc[hidden, numbers].isna().all(axis=None)
    pd.testing.assert_frame_equal(safe.frame.loc[~hidden, numbers], frame.loc[~hidden, numbers])


def test_overlapping_shares_are_hidden_together():
    frame = shares(recovery=60, improvement=100, deterioration=4)
    assert len(protect_estimates(frame, 10).hidden) == 3
    assert protect_estimates(shares(recovery=60, improvement=100, deterioration=40), 10).hidden == set()


def numbers_of(folder):
    """All text of a published result."""
    return {
        p.name: p.read_text(encoding="utf-8")
        for p in sorted(folder.rglob("*"))
        if p.suffix in (".json", ".csv")
    }


@pytest.mark.parametrize("analysis", ["early_alliance", "variance_partition", "reliable_change"])
def test_a_shareable_result_holds_no_small_count_anywhere(shared_results, analysis, tmp_path):
    made = shared_results[analysis][1]
    smallest = made.study.small_cells
    al.publish(made, tmp_path)
    result = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    for step in result["flow"]:
        for key in ("rows_in", "rows_out", "clients_in", "clients_out", "rows_lost", "clients_lost"):
            assert not 0 < step[key] < smallest, (step, key)
    for shown in (*result["tables"], *result["figures"]):
        for i, column in enumerate(shown["columns"]):
            if column["kind"] == "count":
                values = [row[i] for row in shown["rows"] if isinstance(row[i], (int, float))]
                assert not [v for v in values if 0 < v < smallest], (shown["name"], column)
    words = re.compile(
        r"(?<![\d.,–-])([1-9])(?: of [\d\u202f]+)? (?:[a-z]+ )?(clients?|rows|scores|people)\b"
    )
    for name, text in numbers_of(tmp_path).items():
        assert words.findall(text) == [], name
    assert result["study"]["sources"] == [] or all(s["rows"] is None for s in result["study"]["sources"])
    assert any(f["code"] == "shareable" for f in result["findings"])
    for model in made.models.values():
        assert not hasattr(model, "random_effects")
        assert words.findall(model.summary()) == []


def test_no_client_is_named_in_what_is_published(clinic, tmp_path):
    """Canary: ids that occur nowhere else."""
    sessions = clinic.sessions
    names = {c: f"canary-{k:04d}-zebra" for k, c in enumerate(sorted(sessions["client"].unique()))}
    therapists = {t: f"canary-therapist-{k}" for k, t in enumerate(sorted(sessions["therapist"].unique()))}
    study = replace(
        clinic,
        _sessions=sessions.assign(
            client=sessions["client"].map(names), therapist=sessions["therapist"].map(therapists)
        ),
        _clients=clinic.clients.assign(
            client=lambda f: f["client"].map(names), therapist=lambda f: f["therapist"].map(therapists)
        ),
    )
    for made in (al.variance_partition(study), al.reliable_change(study)):
        for audience in ("internal", "shareable"):
            folder = tmp_path / audience / made.analysis
            al.publish(for_audience(made, audience), folder)
            for path in folder.rglob("*"):
                if path.is_file():
                    assert b"canary" not in path.read_bytes(), path


def test_an_unknown_audience_is_refused(clinic):
    with pytest.raises(
        al.StudyError, match=r"Parameter 'audience': input should be 'internal' or 'shareable'; got 'public'"
    ):
        al.variance_partition(clinic, audience="public")


def test_estimates_of_a_few_people_have_no_numbers():
    frame = shares(recovered=90, unchanged=110).assign(unit="points", n=[5, 200])
    safe = protect_estimates(frame, 10).frame
    assert np.isnan(safe["estimate"].iloc[0])
    assert safe["n"].tolist() == [None, 200]
