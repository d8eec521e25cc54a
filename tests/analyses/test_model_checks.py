"""Checks of a main model: each therapist left out, floor and ceiling, the shape of residuals; for internal readers only."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult
from alliance_longitudinal.analyses.kit import LEVEL, Draft
from alliance_longitudinal.data import Study
from analyses.declared import trial
from analyses.studies import value, with_sessions


@pytest.fixture(scope="module")
def study() -> Study:
    return trial(therapists=8, clients=120)


@pytest.fixture(scope="module")
def result(study: Study) -> AnalysisResult:
    return al.variance_partition(study)


def drafted(study: Study, scores: str = "phq9") -> Draft:
    """A draft with a checked model of the scores on a number that a single therapist makes."""
    draft = Draft(study)
    measure = draft.any_measure(scores)
    rows = draft.sessions.dropna(subset=scores)
    rows = rows[["client", "therapist", "session", "week", "adherence"]].assign(y=rows[scores])
    fitted = draft.fit("main", "Main model", "y ~ week + adherence", rows, LEVEL)
    draft.checks(fitted, rows, measure, "Adherence", term="adherence", unit="points")
    return draft


def level_share(sessions: pd.DataFrame) -> float:
    """The therapists' share of the level of the alliance, by its own model."""
    rows = sessions.dropna(subset="alliance")
    shares = al.MixedModel.from_formula("alliance ~ week + (1 | therapist/client)", rows).fit().icc()
    return float(shares.set_index("group").loc["therapist", "icc"])


def test_the_range_without_any_one_therapist_is_that_of_refits(study: Study, result: AnalysisResult) -> None:
    """One Newton step of the variances, or a refit where that is long: within 5 % of the share by a whole new fit."""
    sessions = study.sessions
    whole = value(result, "level_alliance_therapist")
    assert level_share(sessions) == pytest.approx(whole, abs=1e-8)
    refits = [
        level_share(sessions[sessions["therapist"] != who]) for who in sorted(sessions["therapist"].unique())
    ]
    table = result.table("model_checks").to_frame().set_index("title")
    row = table.loc["WAI-SR level"]
    low, high = (float(x.replace("\u00a0%", "")) / 100 for x in row["range"].split(" to "))
    np.testing.assert_allclose([low, high], [min(refits), max(refits)], rtol=0.05, atol=0.006)
    change = value(result, "change_alliance_therapist")
    for title, share in (("WAI-SR level", whole), ("WAI-SR course", change)):
        assert table.loc[title, "whole"].replace("\u00a0%", "") == f"{100 * share:.0f}"


def test_a_coefficient_without_each_therapist(study: Study) -> None:
    draft = drafted(study)
    (found,) = draft.checked
    frame = study.sessions.dropna(subset="phq9")
    refits = [
        al.MixedModel.from_formula(
            "phq9 ~ week + adherence + (1 | therapist/client)", frame[frame["therapist"] != who]
        )
        .fit()
        .params["adherence"]
        for who in sorted(frame["therapist"].unique())
    ]
    np.testing.assert_allclose([found.low, found.high], [min(refits), max(refits)], atol=1e-3)
    assert found.flips == int((np.sign(refits) != np.sign(found.whole)).sum())
    assert [f.name for f in draft.check_figures] == ["residuals_main", "without_main"]


def test_one_therapist_who_decides_is_a_caution(study: Study) -> None:
    sessions = study.sessions
    one = sessions["therapist"].eq(sorted(sessions["therapist"].unique())[0])
    rng = np.random.default_rng(0)
    # No slope but in one therapist's clients, and a small one the other way in all others.
    sessions["adherence"] = np.where(one, sessions["phq9"].fillna(0) / 2, rng.normal(0, 1, len(sessions)))
    sessions["adherence"] -= np.where(one, 0, 0.02 * sessions["phq9"].fillna(0))
    draft = drafted(with_sessions(study, sessions))
    (found,) = draft.checked
    assert found.flips >= 1
    (said,) = [f for f in draft.findings if f.code == "one_therapist_decides"]
    assert said.severity == "caution"
    assert "the sign of the estimate changes" in said.message


def test_a_floor_is_named_with_its_share(study: Study) -> None:
    sessions = study.sessions
    sessions["phq9"] = (sessions["phq9"] - 12).clip(lower=0)
    draft = drafted(with_sessions(study, sessions))
    (found,) = draft.checked
    share = float(sessions["phq9"].dropna().eq(0).mean())
    assert found.at_low == pytest.approx(share)
    assert share > 0.15
    (said,) = [f for f in draft.findings if f.code == "floor_of_scores"]
    assert said.message.startswith(
        f"{100 * share:.0f}\u00a0% of the scores of PHQ-9 (client) are the lowest possible"
    )


def test_scores_that_jump_are_told_by_the_shape_of_the_residuals(study: Study) -> None:
    sessions = study.sessions
    jumps = np.random.default_rng(1).random(len(sessions)) < 0.05
    sessions["phq9"] = sessions["phq9"] + np.where(jumps, 25.0, 0.0)
    draft = drafted(with_sessions(study, sessions))
    (found,) = draft.checked
    assert found.p_shape == pytest.approx(0.01)  # the least that 99 simulated responses can give
    (said,) = [f for f in draft.findings if f.code == "residual_shape"]
    assert said.severity == "info"
    assert said.message.startswith("The residuals are not normal in shape")


def test_outsiders_see_none_of_it(study: Study) -> None:
    shared = al.variance_partition(study, audience="shareable")
    assert "model_checks" not in [t.name for t in shared.tables]
    assert not [f.name for f in shared.figure_specs if f.name.startswith(("residuals", "without"))]


def test_the_answer_s_figure_comes_first(result: AnalysisResult) -> None:
    names = [f.name for f in result.figure_specs]
    assert names[0] == "variance_shares"
    assert {"residuals_change_phq9", "without_change_phq9"} <= set(names)
    checks = [f for f in result.figure_specs if f.name.startswith(("residuals", "without"))]
    assert names[-len(checks) :] == [f.name for f in checks]
    assert all(f.section == "checks" and f.single_people for f in checks)
    for figure in result.figures.values():
        assert figure.axes


def test_without_a_therapist_level_the_table_says_so(study: Study) -> None:
    sessions = study.sessions.assign(therapist=study.sessions["client"])
    clients = study.clients.assign(therapist=study.clients["client"])
    draft = drafted(replace(study, _sessions=sessions, _clients=clients))
    assert draft.checked[0].why_not == "The model has no therapist level."
    assert np.isnan(draft.checked[0].low)
