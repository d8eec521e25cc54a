"""Clients who left early may have another course: completers, and an average over both."""

import numpy as np
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from analyses.studies import early_design, value, with_sessions


def test_the_rows_are_those_of_a_pattern_mixture_model(early: AnalysisResult, clinic: Study) -> None:
    design = early_design(clinic)
    weeks = max(np.floor(design.clients["weeks_followed"].median()), 1)
    rows = design.rows.assign(
        left=lambda d: (d.groupby("client")["weeks"].transform("max") < weeks).astype(int)
    )
    formula = early.table("models").to_frame().set_index("title").loc["Course after the window", "formula"]
    found = al.methods.pattern_mixture(formula, rows, "left", "weeks:early_client", "client", reml=True)
    assert value(early, "slope_within_completers") == pytest.approx(found.params["completers"], rel=1e-9)
    assert value(early, "slope_within_patterns") == pytest.approx(found.params["average"], rel=1e-9)
    assert value(early, "slope_within_patterns", "se") == pytest.approx(found.bse["average"], rel=1e-9)
    assert value(early, "slope_within_completers", "n") == (rows["left"] == 0).sum()
    assert len(early.table("leaving").to_frame()) == 3


def test_leavers_whose_effect_is_the_opposite_change_the_answer(clinic: Study) -> None:
    """Those who left before the usual horizon get worse the better their alliance was."""
    sessions = clinic.sessions
    weeks = sessions.groupby("client")["week"].transform("max") - sessions["week"].where(
        sessions["session"] <= 5
    ).groupby(sessions["client"]).transform("max")
    early = sessions["alliance"].where(sessions["session"] <= 5).groupby(sessions["client"]).transform("mean")
    own = early - early.groupby(sessions["therapist"]).transform("mean")
    later = (sessions["session"] > 5) & (weeks < weeks.groupby(sessions["client"]).first().median() - 1)
    shift = 0.25 * own * (sessions["session"] - 5)
    sessions["phq9"] = (sessions["phq9"] + shift.where(later, 0).fillna(0)).clip(0, 27)
    result = al.early_alliance(with_sessions(clinic, sessions))
    note = next(f for f in result.notes if f.code == "leaving_moves_the_answer")
    assert "The answer depends on how those who left would have gone on." in note.message
    assert value(result, "slope_within_completers") < value(result, "slope_within_patterns")


def test_too_few_leavers_have_no_row(few: Study) -> None:
    kept = sorted(few.sessions["client"].unique())[:45]
    result = al.early_alliance(with_sessions(few, few.sessions[few.sessions["client"].isin(kept)]))
    assert "leaving" not in {t.name for t in result.tables}
