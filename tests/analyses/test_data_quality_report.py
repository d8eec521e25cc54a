"""The data-quality report: what predicts missing forms, tables and figures, what outsiders may see, the command line."""

import json
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import cli
from analyses.quality_studies import ITEMS, clean_frame, planted
from analyses.studies import value, with_sessions
from inside.analyses_data_quality import (
    Filled,
    Records,
    charts,
    filled_in,
    longest_runs,
    patterns_of,
    quality_checks,
    robust_sd,
    same_throughout,
)

TODAY = date(2026, 1, 1)
LOG_ODDS = 1.2  # of a missing alliance form, per standard deviation of the last symptoms


def missing_where_ill(frame, rng):
    """Alliance forms are missing by the last symptoms and by nothing else: what was missing before is filled in."""
    empty = frame.index[(frame["session"] > 0) & frame[ITEMS].isna().any(axis=1)]
    frame.loc[empty, ITEMS] = rng.integers(2, 6, (len(empty), len(ITEMS)))
    last = frame.groupby("client")["phq9"].transform(lambda s: s.ffill().shift())
    z = ((last - last.mean()) / last.std()).fillna(0)
    gone = rng.random(len(frame)) < 1 / (1 + np.exp(2.0 - LOG_ODDS * z))
    frame.loc[gone, ITEMS] = np.nan


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    frame = clean_frame(11, dropout_by_severity=0.3, dropout_intercept=-4.0)
    return planted(tmp_path_factory.mktemp("study"), frame, missing_where_ill)


@pytest.fixture(scope="module")
def result(study):
    return al.data_quality(study, today=TODAY)


@pytest.fixture(scope="module")
def shareable(study):
    return al.data_quality(study, today=TODAY, audience="shareable")


def test_predictors_of_missing_forms_and_of_leaving_are_recovered(result):
    found = result.estimates.set_index("id")
    symptoms = found.loc["missing_alliance_symptoms"]
    se = np.log(symptoms["ci_high"] / symptoms["ci_low"]) / (2 * 1.96)
    assert np.log(symptoms["estimate"]) == pytest.approx(
        LOG_ODDS, abs=3 * se
    )  # one sample: three standard errors
    assert se < 0.12
    for other in ("missing_phq9_symptoms", "missing_phq9_alliance", "missing_alliance_session"):
        assert found.loc[other, "p"] > 0.01
    # the chance to leave rises with the symptoms last reported, as the simulation says
    assert found.loc["leaving_treatment_symptoms", "ci_low"] > 1
    verdicts = {r[0]: r[2] for r in result.table("checks").rows}
    assert verdicts["What predicts a missing WAI-S (client)"] == "look"
    assert verdicts["What predicts that a client ends treatment"] == "look"
    assert any("last PHQ-9 (odds ratio" in f.message for f in result.notes)


def test_the_input_stays_as_it_was(study, result):
    before = study.sessions
    al.data_quality(study, today=TODAY, models=False)
    pd.testing.assert_frame_equal(study.sessions, before)


def test_the_report_says_how_much_is_there(study, result):
    filled = filled_in(Records(study, study.sessions, TODAY), study.measures["phq9"])
    share = filled.present.mean()
    assert value(result, "there-phq9") == pytest.approx(share)
    assert f"{100 * share:.0f}\xa0% of the planned PHQ-9 (client) forms" in result.answer[1]
    verdicts = result.table("checks").to_frame()["verdict"]
    done, fine = (verdicts != "not checked").sum(), (verdicts == "fine").sum()
    assert result.answer[0].startswith(f"Of {done} checks, {fine} found nothing unusual")
    assert result.parameters["today"] == "2026-01-01"
    assert "Dates after 2026-01-01 count as future" in result.methods
    assert set(result.figures) == {
        "completion_by_session",
        "completion_by_therapist",
        "missing_patterns",
        "distributions",
        "predictors",
    }


def test_a_clinic_without_sessions_has_nothing_to_check(study):
    nothing = with_sessions(study, study.sessions.iloc[:0])
    assert (
        "no session, so there is nothing to check. Look at the sample flow"
        in al.data_quality(nothing).answer[0]
    )
    with pytest.raises(
        al.DataError,
        match=r"no session, so there is nothing to check\. Look at the sample flow \(alliance check\)",
    ):
        quality_checks(nothing)


def test_a_day_that_is_none_is_refused(study):
    with pytest.raises(al.StudyError, match=r"Parameter 'today': .*; got 'soon'"):
        al.data_quality(study, today="soon")


def test_a_text_of_a_day_is_taken(study):
    early = al.data_quality(study, today="2022-06-01", models=False)
    late = [r for r in early.table("checks").rows if r[0] == "Dates in the future"]
    assert late[0][4] == (study.sessions["date"] > "2022-06-01").sum()


def test_outsiders_see_no_small_count_and_no_single_person(study, shareable):
    assert shareable.study.forms is None
    assert "completion_by_therapist" not in {f.name for f in shareable.figure_specs}
    keys = [c.key for c in shareable.table("checks").columns]
    counts = [keys.index(k) for k in ("n", "found", "others")]
    for row in shareable.table("checks").rows:
        for i in counts:
            assert row[i] in ("hidden", None, 0) or row[i] >= study.small_cells
    bars = next(f for f in shareable.figure_specs if f.name == "distributions").data
    assert bars["n"].min() >= study.small_cells
    scores = study.sessions["phq9"].notna().sum()
    own = bars[bars["measure"] == "PHQ-9 (client)"]
    assert abs(own["n"].sum() - scores) <= 28 * study.small_cells / 2  # 28 bars, each rounded or left out
    assert own["share"].to_numpy() == pytest.approx(own["n"].to_numpy() / (round(scores / 10) * 10))
    text = json.dumps(shareable.to_dict())
    people = {str(c) for c in study.clients["client"]}
    assert not people & set(re.findall(r"\b0\d{3}\b", text))
    assert not re.search(r"\bT\d\d\b", text)


def test_shares_of_bars_are_of_all_forms(study, result):
    bars = next(f for f in result.figure_specs if f.name == "distributions").data
    for measure in study.measures.values():
        own = bars[bars["measure"] == measure.label]
        forms = study.sessions[measure.name].notna().sum()
        assert own["n"].sum() == forms
        np.testing.assert_allclose(own["share"], own["n"] / forms, rtol=1e-12)


def test_a_measure_with_one_score_has_no_bars_and_the_next_one_has(study):
    first, other = study.measures.values()
    sessions = study.sessions
    sessions.loc[sessions.index[sessions[first.name].notna()][1:], first.name] = np.nan
    figure = charts.distribution_figure(Records(study, sessions, TODAY))
    assert set(figure.data["measure"]) == {other.label}
    assert figure.alt == f"Histograms of the scores of {other.label}."


def test_bars_hold_all_scores():
    scores = np.round(np.random.default_rng(1).normal(20, 6, 300))
    bars = charts.histogram(scores)
    assert bars["n"].sum() == 300
    assert bars["n"].min() >= 1
    for low, high, n in bars.itertuples(index=False):
        assert n == ((scores >= low) & (scores < high)).sum()


def test_one_score_makes_one_bar():
    assert charts.histogram(np.full(12, 3.0))["n"].tolist() == [12]


def test_long_strings_by_hand():
    forms = np.array(
        [[1, 1, 1, 2, 2], [1, np.nan, 1, 1, 3], [4, 4, 4, 4, 4], [np.nan, 2, 2, 2, 2]], dtype=float
    )
    assert longest_runs(forms).tolist() == [3, 2, 5, 4]
    assert same_throughout(forms).tolist() == [False, False, True, True]


def test_the_spread_of_the_bulk_is_not_moved_by_a_few():
    values = np.random.default_rng(2).normal(0, 3, 20_000)
    assert robust_sd(values) == pytest.approx(3, rel=0.02)
    wrong = np.r_[values, np.full(400, 60.0)]
    assert robust_sd(wrong) == pytest.approx(3, rel=0.05)
    assert np.std(wrong) > 8
    # whole points: the median deviation alone would say 2.97 for both 2.6 and 3.3
    for sd in (2.6, 3.3):
        whole = np.round(np.random.default_rng(3).normal(0, sd, 20_000))
        assert robust_sd(whole) == pytest.approx(sd, rel=0.03)
    assert robust_sd(np.array([0.0] * 8 + [1, 5])) == pytest.approx(np.std([0.0] * 8 + [1, 5]))


def test_patterns_by_hand(study):
    forms = {"a": "1111", "b": "1011", "c": "1100", "d": "0000", "e": "1110", "f": "0111", "g": "1"}
    rows = [(c, k, v == "1") for c, said in forms.items() for k, v in enumerate(said)]
    sessions = pd.DataFrame(rows, columns=["client", "session", "present"])
    records = Records(study, sessions, TODAY)
    everywhere = np.ones(len(rows), bool)
    filled = Filled.attended(records, study.measures["phq9"], everywhere, sessions["present"].to_numpy())
    found = dict(patterns_of(filled)[["client", "pattern"]].itertuples(index=False))
    expected = {"a": "complete", "b": "gaps", "c": "stopped", "d": "never", "e": "gaps", "f": "gaps"}
    assert found == expected  # g has a single expected form


def test_the_command_line_prints_the_checks_with_their_rows(tmp_path, capsys):
    def plant(frame, rng):
        frame.loc[[10, 20], "phq9"] = 3.5

    planted(tmp_path, clean_frame(), plant)
    assert cli.main(["check", str(tmp_path / "study.yaml")]) == 0
    text = capsys.readouterr().out
    assert "look         Totals that are not whole numbers, PHQ-9 (client): 2 of" in text
    assert "Rows 12, 22 of sessions.csv." in text
    assert "What to do: Usually unanswered items were filled in before the export" in text
    assert cli.main(["check", str(tmp_path / "study.yaml"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    odd = next(c for c in told["checks"] if c["id"] == "fractions" and c["about"] == "phq9")
    assert odd["rows"] == [{"file": "sessions.csv", "row": 12}, {"file": "sessions.csv", "row": 22}]
    assert (odd["verdict"], odd["found"]) == ("look", 2)


def test_no_report_names_a_row(study, result):
    assert "rows" not in {c.key for t in result.tables for c in t.columns}
    assert "sessions.csv" not in json.dumps([t.to_dict() for t in result.tables])
