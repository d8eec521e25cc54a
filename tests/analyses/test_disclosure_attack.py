"""An outsider with a pencil: what can be worked out from a shareable result of an awkward study."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.analyses.change_parts.shares import _with_safe_rest
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.analyses.disclosure.cells import HIDDEN, hide_near
from alliance_longitudinal.analyses.disclosure.text import protect_message, protect_text, without_sizes
from alliance_longitudinal.analyses.measurement_parts import tables as measurement_tables
from alliance_longitudinal.present import Column, Table

SMALLEST = 10


ANALYSES = ["early_alliance", "variance_partition", "reliable_change", "sudden_gains"]


def shown_counts(result):
    """Every count of clients or rows in numbers: flow, tables, figures whose counts are exact, estimates."""
    found = {v for s in result.flow.steps for v in (s.clients_in, s.clients_out, s.rows_in, s.rows_out) if v}
    for table in result.tables:
        for i, column in enumerate(table.columns):
            if column.kind == "count" and not column.total and column.key not in ("count", *table.parts):
                found |= {row[i] for row in table.rows if isinstance(row[i], int | float)}
    rows = result.estimates[result.estimates["level"] != "therapist"]
    found |= {float(n) for n in rows["n"] if n is not None and n == n}
    shares = rows[rows["unit"] == "share of clients"].dropna(subset=["estimate"])
    return {int(v) for v in found}, shares["estimate"].to_numpy(float)


def denominators(share, largest):
    """Sample sizes up to ``largest`` of which ``share`` is a fraction, to the last digits."""
    n = np.arange(1, largest + 1)
    return set(n[np.abs(share * n - np.round(share * n)) < 1e-9].tolist())


@pytest.mark.parametrize("name", ANALYSES)
def test_no_two_counts_differ_by_a_few(shared_results, name):
    internal, shared = shared_results[name]
    counts, _ = shown_counts(shared)
    close = [(a, b) for a, b in combinations(sorted(counts), 2) if 0 < b - a < SMALLEST]
    assert close == []
    before, _ = shown_counts(internal)  # the attack works on what is not protected
    assert [1 for a, b in combinations(sorted(before), 2) if 0 < b - a < SMALLEST]


@pytest.mark.parametrize("name", ANALYSES)
def test_no_share_is_a_fraction_of_a_hidden_number_of_clients(shared_results, name, awkward_study):
    _, shared = shared_results[name]
    counts, shares = shown_counts(shared)
    for share in shares:
        if share not in (0.0, 1.0):
            assert denominators(share, awkward_study.sessions["client"].nunique()) & counts, share


def test_categories_of_change_cannot_be_subtracted(shared_results):
    """What is hidden in a row adds up to nothing or to enough; two methods' rows do not differ by a few."""
    table = shared_results["reliable_change"][1].table("change_by_method")
    rows = [dict(zip([c.key for c in table.columns], row, strict=True)) for row in table.rows]
    kinds = ["recovered", "improved", "unchanged", "deteriorated", "harmed"]
    for row in rows:
        rest = row["n"] - sum(row[k] for k in kinds if isinstance(row[k], int | float))
        assert rest == 0 or rest >= SMALLEST, row
    for a, b in combinations(rows, 2):
        for k in ("n", *kinds):
            if isinstance(a[k], int | float) and isinstance(b[k], int | float):
                assert not 0 < abs(a[k] - b[k]) < SMALLEST, (k, a, b)


@pytest.mark.parametrize("name", ANALYSES)
def test_words_of_pictures_and_findings_hold_no_small_count(shared_results, name):
    """No number of one digit stands where a count may stand, and no words give away a therapist's one client."""
    _, shared = shared_results[name]
    texts = [f.message for f in shared.notes if f.code != "shareable"]
    texts += [t for s in shared.figure_specs for t in (s.alt, s.caption)]
    rule = r"sessions? \d|\d to \d|\d or more|fewer than \d+|at least \d|\d+ (?:weeks|clinics|therapists|%)|[\d.]+ points|max_missing: \d"
    for text in texts:
        bare = re.sub(rule, "", text)
        assert not re.findall(r"(?<![\w.\u2212+,/-])[1-9](?![\w.,%]|-)", bare), text
        assert "one analysed client" not in text
    ended = [f.message for f in shared.notes if f.code == "endings"]
    assert len(ended) == 1
    assert (
        "by dropout for fewer than 10, otherwise for fewer than 10; of fewer than 10 it is not known."
        in ended[0]
    )
    assert "180" not in ended[0]


@pytest.mark.parametrize("name", ANALYSES)
def test_counts_behind_marks_are_rounded(shared_results, name):
    for spec in shared_results[name][1].figure_specs:
        for column in spec.columns:
            if column.kind == "count" and column.key not in spec.parts:
                known = spec.data[column.key].dropna().to_numpy(float)
                assert (known % SMALLEST == 0).all()


@pytest.mark.parametrize("name", ANALYSES)
def test_model_summaries_tell_no_sizes(shared_results, name):
    for model in shared_results[name][1].models.values():
        assert "Rows:" not in model.summary()
        assert "BIC" not in model.summary()
        assert "Residual" in model.summary()


def test_an_ordinary_summary_keeps_its_estimates():
    text = "Model\nRows: 4   Groups: a 2\nREML criterion: 22.1   AIC: 3   BIC: 4\nweeks  0.3"
    assert without_sizes(text) == "Model\nREML criterion: 22.1\nweeks  0.3"


def test_the_rest_of_the_therapists_is_large_enough_or_nothing():
    """One therapist with four clients: another is withheld with them, until the rest tells of enough clients."""
    counts = pd.DataFrame({"better": [20, 15, 12, 2], "n": [40, 30, 24, 4]})
    shown = _with_safe_rest(counts, SMALLEST)
    assert shown["n"].tolist() == [40, 30]
    everybody = counts.iloc[:3]
    assert len(_with_safe_rest(everybody, SMALLEST)) == 3


def test_a_result_on_too_few_clients_is_refused(awkward_study):
    strict = replace(awkward_study, small_cells=500)
    with pytest.raises(
        al.StudyError, match=r"speaks of fewer clients than may be counted for outsiders \('small_cells: 500'"
    ):
        al.reliable_change(strict, reliability=0.84, audience="shareable")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        (
            "115 clients of 900 had left, and 3 of the others have no score: 13 % cannot be analysed.",
            "some clients of 900 had left, and fewer than 10 of the others have no score: a share cannot be analysed.",
        ),
        (
            "a.sav declares these codes: 9 (3 times).",
            "a.sav declares these codes: fewer than 10 (fewer than 10 times).",
        ),
        (
            "Only 4 % of the clients have three scores.",
            "Only a small share of the clients have three scores.",
        ),
        ("Only 40 % of the clients have three scores.", "Only 40 % of the clients have three scores."),
        ("Over 8 weeks after sessions 1 to 5, 3 clinics.", "Over 8 weeks after sessions 1 to 5, 3 clinics."),
        (
            "344 of 8271 forms; 'missing: {max_missing: 2}'.",
            "344 of 8271 forms; 'missing: {max_missing: 2}'.",
        ),
        ("896 clients have a date.", "a number (not shown) of clients have a date."),
    ],
)
def test_messages_lose_whatever_may_be_a_small_count(text, safe):
    assert protect_message(text, SMALLEST, known=[898], people=100) == safe


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("7 of 2\u202f579 changes (0.3 %).", "fewer than 10 of 2\u202f579 changes (a small share)."),
        ("3 of 2\u202f579 whatevers, 900 in all.", "fewer than 10 of 2\u202f579 whatevers, 900 in all."),
        ("2\u202f575 of 2\u202f579 whatevers.", "nearly all of 2\u202f579 whatevers."),
        ("Low at session number 9.", "Low at session number 9."),
        ("7 pauses of 4 therapists.", "fewer than 10 pauses of 4 therapists."),
        ("1 of 30 therapists (3.3 %).", "1 of 30 therapists (3.3 %)."),
    ],
)
def test_a_few_of_many_are_a_count_whatever_is_counted(text, safe):
    assert protect_text(text, SMALLEST) == safe


def test_no_check_of_the_data_tells_a_hidden_count_in_its_result(awkward_study):
    """What the table of all checks hides, the table of what to look at does not say."""
    frame = awkward_study.sessions
    low = frame[(frame["session"] > 3) & (frame["phq9"] <= 8)].drop_duplicates("client").index[:4]
    frame.loc[low, "phq9"] = 27
    study = replace(awkward_study, _sessions=frame)
    shared = al.data_quality(study, models=False, audience="shareable")
    looked_at = {row[0]: row for row in shared.table("to_look_at").rows}
    assert "fewer than 10 of" in str(looked_at["Jumps from one form to the next"])
    for table in shared.tables:
        for row in table.rows:
            for cell in row:
                if isinstance(cell, str):
                    assert not re.search(r"(?<![\w.\u202f])[1-9] of [\d\u202f]+ (?!therapists)", cell), cell


def test_the_number_who_left_between_two_sessions_is_not_told(awkward_study):
    """Sessions by number: exact counts, or exact shares of them, would tell how many had left before the next one."""
    internal, shared = (
        next(
            f
            for f in al.data_quality(awkward_study, models=False, audience=audience).figure_specs
            if f.name == "completion_by_session"
        )
        for audience in ("internal", "shareable")
    )
    there = internal.data.query("measure == 'PHQ-9 (client)'")["expected"]
    assert there.diff().abs().between(1, SMALLEST - 1).any()  # the attack works on what is not protected
    assert len(shared.data)
    for column in ("expected", "present", "missing"):
        assert (shared.data[column] % SMALLEST == 0).all()
    assert (shared.data["share"] == shared.data["share"].round(2)).all()


def test_scores_less_changes_do_not_count_the_clients(awkward_study):
    """Everybody has one change less than scores: the difference tells who has any, and so the few who have none."""

    def clients_with(result, measure):
        rows = result.estimates.set_index("id")["n"]
        return rows[f"range-{measure}"] - rows[f"jumps-{measure}"]

    scored = awkward_study.sessions.dropna(subset=["alliance"])["client"].nunique()
    internal, shared = (
        al.data_quality(awkward_study, models=False, audience=audience)
        for audience in ("internal", "shareable")
    )
    assert clients_with(internal, "alliance") == scored  # the attack works on what is not protected
    assert shared.estimates.set_index("id").loc["jumps-alliance", "n"] % SMALLEST == 0
    pauses = shared.estimates.set_index("id").loc["gaps", "n"]
    assert pauses is None or pauses % SMALLEST == 0


def test_indices_of_fit_that_tell_a_hidden_number_of_clients_are_hidden_with_it():
    """n is (chi2 - df) / (df rmsea^2), and exp((bic - aic) / k + 2)."""
    fits = Table.from_frame(
        "fits",
        "Fits",
        "results",
        pd.DataFrame({"clients": [230], "chi2": [60.3], "rmsea": [0.0226], "bic": [5355.3]}),
        [
            Column("clients", "Clients", "count"),
            Column("chi2", "Chi-square", "number"),
            Column("rmsea", "RMSEA", "number", of="clients"),
            Column("bic", "BIC", "number", of="clients"),
        ],
    )
    shown, _ = hide_near(fits, [224.0], SMALLEST)
    assert shown.rows == ((HIDDEN, 60.3, HIDDEN, HIDDEN),)
    shown, _ = hide_near(fits, [230.0], SMALLEST)
    assert shown.rows == fits.rows


def test_every_table_of_fits_says_what_is_computed_from_the_clients():
    for table in (measurement_tables._FIT, [measurement_tables._BIC]):
        keys = {c.key: c.of for c in table}
        assert {k: of for k, of in keys.items() if k.startswith(("rmsea", "bic"))} == {
            k: "clients" for k in keys if k.startswith(("rmsea", "bic"))
        }


def test_the_owner_s_result_is_left_as_it_is(shared_results):
    internal, _ = shared_results["reliable_change"]
    assert for_audience(internal, "internal") is internal


@pytest.mark.parametrize("name", ANALYSES)
def test_answers_are_sentences(shared_results, name):
    for sentence in shared_results[name][1].answer:
        assert sentence[0].isupper()
        assert sentence.endswith((".", ")"))
