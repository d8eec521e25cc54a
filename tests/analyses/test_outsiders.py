"""An outsider with a pencil: what can be worked out from the shareable result of every analysis there is."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft202012Validator

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.analyses.disclosure import (
    HIDDEN,
    for_audience,
    safe_estimates,
    safe_flow,
    safe_row,
)
from alliance_longitudinal.counts import Outsiders
from alliance_longitudinal.data import FlowStep, SampleFlow
from alliance_longitudinal.present import Column
from analyses.studies import (
    QUICK,
    SHIPPED,
    dated,
    with_couples,
    with_empathy,
    with_raters,
    with_sessions,
    without_a_few_times,
)
from inside.analyses_registry import REGISTRY

SMALLEST = 10
TEN = Outsiders(SMALLEST)
#: The study knows neither the reliability nor the cut-off of its measures.
ASKED = QUICK | {"reliable_change": {"reliability": 0.84, "cutoff": 10.0}}
#: Analyses that need more than the study has.
MORE = {
    "dyads": with_couples,
    "group_effects": without_a_few_times,
    "mechanisms": with_empathy,
    "raters": with_raters,
    "therapist_development": dated,
}
#: The number that answers each analysis's question for this study; a change changes what plans and batches are about.
MAIN = {
    "alliance_course": "phase_1",
    "alliance_events": "clients",
    "alliance_predictors": "early_severity",
    "data_quality": "there-alliance",
    "dose": "median_sessions_reliable",
    "dropout": "drop_alliance_within",
    "dyads": "actor",
    "early_alliance": "slope_within",
    "expected_course": "cover80_k4",
    "group_effects": "icc",
    "lagged_effects": "riclpm_a_to_y",
    "mechanisms": "indirect_within",
    "moderators": "mod_intake_within",
    "multiverse": "mv_median",
    "planning": "power_within",
    "raters": "gap",
    "reliable_change": "JT_better",
    "sudden_gains": "gain_clients",
    "therapist_development": "alliance_case",
    "variance_partition": "level_alliance_therapist",
    "within_between": "client",
}
Results = dict[str, tuple[AnalysisResult, AnalysisResult]]


@pytest.fixture(scope="module")
def results(awkward_study: Study) -> Results:
    """Each analysis of a study with small counts of many kinds: as its owner sees it, and as it may be shared.

    The ids of clients and therapists carry a canary.
    """
    sessions = awkward_study.sessions
    for column in ("client", "therapist"):
        sessions[column] = "CANARY-" + sessions[column].astype(str)
    study = with_sessions(awkward_study, sessions)
    internal = {
        name: getattr(al, name)(MORE.get(name, lambda s: s)(study), **ASKED.get(name, {}))
        for name in REGISTRY
    }
    return {name: (r, for_audience(r, "shareable")) for name, r in internal.items()}


def test_every_result_is_in_the_published_form(results: Results, root: Path) -> None:
    schema = json.loads((root / "data_schema" / "results.schema.json").read_text(encoding="utf-8"))
    check = Draft202012Validator(schema)
    for name, versions in results.items():
        for result in versions:
            assert [e.message for e in check.iter_errors(result.to_dict())] == [], name


@pytest.mark.parametrize("name", REGISTRY)
def test_the_main_estimate_is_declared_and_in_the_report(name: str, results: Results) -> None:
    """What a plan names and a batch pools is what the analysis says, not what happens to come first."""
    internal, shared = results[name]
    declared, ids = REGISTRY[name].main, set(internal.estimates["id"])
    assert declared
    if name == "measurement":  # of totals alone: too few data
        assert (internal.main, ids) == ("", set())
        return
    assert internal.main == shared.main == internal.to_dict()["main_estimate"]
    assert internal.main == MAIN[name] if name in SHIPPED else internal.main
    assert internal.main in ids & set(shared.estimates["id"])
    planned = REGISTRY[name].planned_main(internal.parameters)
    assert planned in {"", internal.main}


def counts(result: AnalysisResult) -> list[float]:
    """Every number of people or of their rows that stands in a number: flow, tables, figures, estimates."""
    found = [n for s in result.flow.steps for n in (s.rows_in, s.rows_out, s.clients_in, s.clients_out)]
    for columns, rows in _frames(result):
        for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
            if column.kind == "count":
                found += [v for v in cells if isinstance(v, int | float) and type(v).__name__ != "Things"]
    therapists = {s.therapists_in for s in result.flow.steps}
    found = [
        n for n in found if n not in therapists
    ]  # a table of variances counts them in its column of numbers
    estimates = result.estimates
    people = ~estimates["n"].isin(therapists) & ~estimates["unit"].str.contains("session numbers|therapists")
    return [*found, *(float(n) for n in estimates.loc[people, "n"] if n is not None and n == n)]


def _frames(result: AnalysisResult) -> Iterator[tuple[tuple[Column, ...], list[tuple[Any, ...]]]]:
    for table in result.tables:
        yield table.columns, list(table.rows)
    for spec in result.figure_specs:
        keys = [c.key for c in spec.columns]
        yield spec.columns, list(spec.data[keys].itertuples(index=False, name=None))


def numbers(value: Any) -> Iterator[float]:
    """Every number of a plain structure."""
    if isinstance(value, dict):
        for v in value.values():
            yield from numbers(v)
    elif isinstance(value, list):
        for v in value:
            yield from numbers(v)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def texts(result: AnalysisResult) -> list[str]:
    """Every sentence of a result, without methods and limits, which are rules."""
    out = [*result.answer, *(str(v) for _, v in result.facts)]
    out += [f.message for f in result.notes if f.code != "shareable"] + [f.where for f in result.notes]
    out += [t for table in result.tables for t in (table.title, table.note)]
    out += [t for s in result.figure_specs for t in (s.title, s.caption, s.alt, s.how_to_read)]
    return out + [v for _, rows in _frames(result) for row in rows for v in row if isinstance(v, str)]


@pytest.mark.parametrize("name", REGISTRY)
def test_subtraction_tells_no_small_count(name: str, results: Results) -> None:
    shown = sorted({n for n in counts(results[name][1]) if n == n})
    assert all(n % SMALLEST == 0 for n in shown), shown
    close = [(a, b) for a, b in combinations(shown, 2) if 0 < b - a < SMALLEST]
    assert close == []


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_subtraction_works_on_what_is_exact(name: str, results: Results) -> None:
    """Otherwise the test above could not fail."""
    exact = sorted({n for n in counts(results[name][0]) if n == n and n > 0})
    assert [1 for a, b in combinations(exact, 2) if 0 < b - a < SMALLEST]


@pytest.mark.parametrize("name", REGISTRY)
def test_no_number_is_precise_enough_to_solve_for_a_count(name: str, results: Results) -> None:
    """A mean or share with many digits is a fraction of one number of people only."""
    shared = results[name][1].to_dict()
    del shared["parameters"], shared["seed"]
    for x in numbers(shared):
        rounded_share = any(abs(x * n - round(x * n)) < 1e-9 for n in range(10, 20_001, 10)) and 0 <= x <= 1
        digits = f"{abs(x):.12g}".replace(".", "").strip("0").split("e")[0]
        assert rounded_share or len(digits) <= 4, x


@pytest.mark.parametrize("name", REGISTRY)
def test_no_exact_count_of_the_owner_s_is_told_in_numbers_or_words(name: str, results: Results) -> None:
    internal, shared = results[name]
    exact = {int(n) for n in counts(internal) if n == n and n > 100 and n % SMALLEST}
    assert exact
    told_of = {k: v for k, v in shared.to_dict().items() if k != "methods"}  # references have page numbers
    for finding in told_of["findings"]:
        del finding["reference"]
    plain = json.dumps(told_of, ensure_ascii=False).replace("\u202f", "").replace("after_days: 182", "")
    told = {int(t) for t in re.findall(r"(?<![\d.eE-])\d{3,7}(?![\d.])", plain)}
    assert not exact & told


@pytest.mark.parametrize("name", REGISTRY)
def test_no_sentence_counts_a_few_people(name: str, results: Results) -> None:
    people = r"(?:clients?|sessions|forms|scores|rows|pauses|changes|episodes|intervals|times)\b"
    few = re.compile(
        rf"(?<![\w.\u202f,/-])[1-9] (?:of (?!the therapists|\d+.(?:session numbers|therapists))|(?:[a-z-]+ ){{0,2}}{people})"
    )
    rules = re.compile(r"at least \d+|fewer than \d+|more than \d+|sessions? \d+(?: to \d+)?|per \d+")
    for text in texts(results[name][1]):
        assert not few.search(rules.sub("", text)), text


@pytest.mark.parametrize("name", REGISTRY)
def test_sentences_begin_like_sentences(name: str, results: Results) -> None:
    for text in results[name][1].answer:
        assert not text[0].islower()
        assert text.endswith((".", ")"))


@pytest.mark.parametrize("name", REGISTRY)
def test_models_are_their_coefficients(name: str, results: Results) -> None:
    for model in results[name][1].models.values():
        assert re.search(r"estimate\s+se", model.summary())
        assert not re.search(r"Rows|groups|AIC|BIC|\d{5}", model.summary())


@pytest.mark.parametrize("name", REGISTRY)
def test_no_identifier_and_no_file_name_leaves_an_analysis(name: str, results: Results) -> None:
    """Neither audience sees an id, outsiders see no file."""
    for one in results[name]:
        said = json.dumps(one.to_dict()) + one._repr_html_() + repr(one)
        assert "CANARY" not in said
    sources = results[name][1].to_dict()["study"]["sources"]
    assert all(re.fullmatch(r"table \d+", s["name"]) and s["rows"] is None for s in sources)


def test_two_windows_tell_nothing_by_their_difference(awkward_study: Study) -> None:
    """Reports of one batch: their exact numbers of clients differ by a few, the shown ones by none or by many."""
    shown, exact = [], []
    for window in ((1, 5), (1, 4), (2, 5), (3, 3)):
        result = al.early_alliance(awkward_study, window=window, sensitivity=False)
        exact.append({n for n in counts(result) if n > 0})
        shown.append(set(counts(for_audience(result, "shareable"))))
    apart = [abs(a - b) for one, two in combinations(shown, 2) for a in one for b in two]
    assert not [d for d in apart if 0 < d < SMALLEST]
    assert [1 for one, two in combinations(exact, 2) for a in one for b in two if 0 < abs(a - b) < SMALLEST]


def test_the_flow_begins_with_what_was_read(results: Results) -> None:
    """Case 41: a first box of its own, and a finding about more people than the flow has, told of the difference."""
    internal, shared = results["early_alliance"]
    first, last = shared.flow.steps[0], shared.flow.steps[-1]
    assert first.rows_in == TEN.count(internal.flow.steps[0].rows_in)
    assert first.clients_in == TEN.count(internal.flow.steps[0].clients_in)
    assert last.clients_out == TEN.count(internal.flow.steps[-1].clients_out)


def test_a_box_of_few_clients_is_left_out_with_what_follows_it() -> None:
    """Also if they have many sessions; a branch that begins at an earlier box is shown, as are boxes with nobody."""
    steps = (
        FlowStep("read", "", 855, 855, 64, 64, 8, 8),
        FlowStep("few", "five clients left", 855, 84, 64, 5, 8, 2),
        FlowStep("after few", "", 84, 70, 5, 4, 2, 2),
        FlowStep("after after few", "", 70, 0, 4, 0, 2, 0),
        FlowStep("branch", "", 855, 445, 64, 35, 8, 7),
        FlowStep("nobody", "", 445, 0, 35, 0, 7, 0),
    )
    shown = safe_flow(SampleFlow(steps), TEN).steps
    assert shown == (
        FlowStep("read", "", 860, 860, 60, 60, 8, 8),
        FlowStep("branch", "", 860, 450, 60, 40, 8, 7),
        FlowStep("nobody", "", 450, 0, 40, 0, 7, 0),
    )


def test_only_counts_of_people_are_touched(clinic: Study) -> None:
    """Cases 21 and 42: a horizon of six sessions and a label with a digit are no counts of people."""
    measure = clinic.measures["phq9"]
    label = replace(measure.instrument, label="PHQ 9")
    sessions = clinic.sessions.assign(week=lambda d: d["session"].astype(float))
    sessions = sessions[sessions["session"] <= 12]
    study = replace(
        with_sessions(clinic, sessions),
        measures={**clinic.measures, "phq9": replace(measure, instrument=label)},
        findings=(al.Finding("time_is_session_number", "caution", "Time is counted in sessions.", "week"),),
    )
    internal = al.early_alliance(study, sensitivity=False)
    shared = for_audience(internal, "shareable")
    assert re.search(r"PHQ 9 points over \d sessions", shared.answer[0])
    assert shared.answer[0] == internal.answer[0]
    assert not [t for t in texts(shared) if "PHQ fewer" in t or "rank fewer" in t]


def test_a_result_on_too_few_clients_is_refused(awkward_study: Study) -> None:
    strict = replace(awkward_study, small_cells=500)
    with pytest.raises(
        al.StudyError, match=r"about fewer clients than a shareable report may count \('small_cells: 500'"
    ):
        al.reliable_change(strict, reliability=0.84, audience="shareable")


def test_the_owner_s_result_is_left_as_it_is(results: Results) -> None:
    internal, _ = results["reliable_change"]
    assert for_audience(internal, "internal") is internal


SHARE = (
    Column("n", "Clients", "count"),
    Column("better", "Better", "count", total="n"),
    Column("share", "Share", "percent", of="better"),
    Column("mean", "Mean", "number", of="better"),
)


@pytest.mark.parametrize(
    ("row", "safe"),
    [
        ((64, 29, 29 / 64, 17.2272727), [60, 30, 0.5, 17.2]),
        ((64, 3, 3 / 64, 17.2), [60, HIDDEN, HIDDEN, HIDDEN]),
        ((64, 61, 61 / 64, 17.2), [60, 60, HIDDEN, 17.2]),
        ((64, 0, 0.0, None), [60, 0, 0.0, None]),
        ((7, 3, 3 / 7, 1.5), [HIDDEN, HIDDEN, HIDDEN, HIDDEN]),
    ],
)
def test_what_rests_on_a_count_follows_it(row: tuple[Any, ...], safe: list[Any]) -> None:
    assert safe_row(SHARE, row, TEN) == safe


def test_every_kind_of_cell_is_rounded_by_its_own_rule() -> None:
    """An estimate and its limits to the second digit of the SE, which is a quarter of the interval; df to two digits."""
    columns = (
        Column("n", "Clients", "count"),
        Column("estimate", "Estimate", "estimate", of="n"),
        Column("ci_low", "95 % low", "number", of="n"),
        Column("ci_high", "95 % high", "number", of="n"),
        Column("se", "SE", "number", of="n"),
        Column("df", "df", "df", of="n"),
        Column("p", "p", "p", of="n"),
        Column("r", "r", "number", of="n"),
        Column("r_low", "95 % low", "number", of="n"),
        Column("r_high", "95 % high", "number", of="n"),
        Column("rate", "Rate", "percent"),
        Column("weeks", "Weeks", "integer"),
    )
    row = (
        64,
        -1.23456,
        -1.70123,
        -0.76789,
        0.23811,
        257.68,
        0.012345,
        0.45678,
        0.23451,
        0.63219,
        0.123456,
        26,
    )
    assert safe_row(columns, row, TEN) == [
        60, -1.23, -1.7, -0.77, 0.24, 260.0, 0.012, 0.46, 0.23, 0.63, 0.123, 26
    ]  # fmt: skip


def test_limits_of_a_share_of_a_few_are_hidden_with_it() -> None:
    columns = (
        Column("n", "Clients", "count"),
        Column("share", "Improved", "percent", of="n"),
        Column("share_low", "95 % low", "percent", of="n"),
        Column("share_high", "95 % high", "percent", of="n"),
    )
    assert safe_row(columns, (64, 7 / 64, 0.0539, 0.2088), TEN) == [60, HIDDEN, HIDDEN, HIDDEN]
    assert safe_row(columns, (64, 3 / 64, 0.0, 0.13), TEN) == [60, HIDDEN, HIDDEN, HIDDEN]
    assert safe_row(columns, (240, 237 / 240, 0.9, 0.99), TEN) == [240, HIDDEN, HIDDEN, HIDDEN]
    assert safe_row(columns, (64, 29 / 64, 0.3369, 0.5746), TEN) == [60, 0.5, 0.33, 0.58]


def test_an_estimate_that_counts_people_is_a_rounded_count() -> None:
    from alliance_longitudinal.analyses.kit import Estimate, estimate_frame

    nan = float("nan")
    counts = [
        Estimate(k, k, n, 1.0, 8.0, n - 2, n + 2, nan, 640, "client", "clients")
        for k, n in (("some", 47.0), ("few", 4.0))
    ]
    safe = safe_estimates(estimate_frame(counts), TEN).set_index("id")
    assert safe.loc["some", "estimate"] == 50
    assert safe.loc["few", ["estimate", "se", "df", "ci_low", "ci_high", "p"]].isna().all()
    assert safe[["se", "df", "ci_low", "ci_high"]].isna().all(axis=None)
    assert safe["n"].tolist() == [640, 640]


def test_fit_indices_do_not_tell_the_number_of_clients() -> None:
    """n is (chi2 - df) / (df rmsea^2), and exp((bic - aic) / k + 2): from what is shown many n are possible."""
    columns = (
        Column("clients", "Clients", "count"),
        Column("chi2", "Chi-square", "number"),
        Column("rmsea", "RMSEA", "number", of="clients"),
    )
    n, df, chi2 = 237, 54, 93.8
    row = (n, chi2, float(np.sqrt((chi2 - df) / (df * n))))
    _, shown_chi2, shown_rmsea = safe_row(columns, row, TEN)
    half = 0.5 * 10 ** -len(f"{shown_rmsea}".split(".")[1])
    possible = [(shown_chi2 - df) / (df * (shown_rmsea + d) ** 2) for d in (-half, half)]
    assert max(possible) - min(possible) > SMALLEST


def test_a_hidden_estimate_has_no_number_at_all() -> None:
    from alliance_longitudinal.analyses.kit import Estimate, estimate_frame

    frame = estimate_frame(
        [
            Estimate("few", "Few", 0.04, 0.01, 8.0, 0.01, 0.1, 0.2, 100, "client", "share of clients"),
            Estimate("tiny", "Tiny", 3.0, 1.0, 8.0, 1.0, 5.0, 0.01, 7, "client", "points"),
            Estimate("many", "Many", 0.437, 0.05, 97.3, 0.34, 0.53, 0.001, 103, "client", "share of clients"),
            Estimate(
                "slope", "Slope", -0.043217, 0.0117, 262.4, -0.0662, -0.0201, 0.00031, 275, "client", "points"
            ),
            Estimate("between", "Between", 1.234567, 0.4, 22.0, 0.4, 2.0, 0.004, 24, "therapist", "points"),
        ]
    )
    safe = safe_estimates(frame, TEN, therapists=24).set_index("id")
    numbers_of = ["estimate", "se", "df", "ci_low", "ci_high", "p"]
    assert safe.loc["few", numbers_of].isna().all()
    assert safe.loc["tiny", [*numbers_of, "n"]].isna().all()
    assert safe.loc["many", ["estimate", "ci_low", "ci_high", "n"]].tolist() == [0.5, 0.34, 0.53, 100]
    assert safe.loc["slope", [*numbers_of, "n"]].tolist() == [-0.043, 0.012, 260.0, -0.066, -0.02, 0.0, 280]
    assert safe.loc["between", ["estimate", "n"]].tolist() == [1.23, 24]
    pd.testing.assert_frame_equal(frame, frame.copy())  # the owner's frame is not changed
