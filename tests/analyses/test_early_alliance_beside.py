"""What stands beside the main effects: who rated what, how long treatment was, and therapists in the main figure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study
from analyses.studies import early_design, value, with_sessions


@pytest.fixture(scope="module")
def rated_twice(clinic: Study) -> Study:
    """A therapist's rating of the alliance, and a clinician's of the symptoms; a client's mood is in both of the client's."""
    sessions = clinic.sessions
    rng = np.random.default_rng(3)
    halo = pd.Series(rng.normal(0, 2, sessions["client"].nunique()), index=sessions["client"].unique())
    own = sessions["client"].map(halo)
    sessions["alliance_t"] = sessions["alliance"] + rng.normal(0, 5, len(sessions))
    sessions["phq9_c"] = sessions["phq9"] + rng.normal(0, 3, len(sessions))
    sessions["alliance"] += own
    sessions["phq9"] -= own
    second = {
        "alliance_t": replace(clinic.measures["alliance"], name="alliance_t", rater="therapist"),
        "phq9_c": replace(clinic.measures["phq9"], name="phq9_c", rater="clinician"),
    }
    return replace(with_sessions(clinic, sessions), measures={**clinic.measures, **second})


def test_same_and_cross_source(rated_twice: Study) -> None:
    """Plain correlations of rows made by loops; a shared mood raises that of one rater."""
    found = al.early_alliance(rated_twice, sensitivity=False)
    design = early_design(rated_twice)
    data = rated_twice.sessions
    rows = []
    for r in design.clients.itertuples():
        own = data[data["client"] == r.client]
        inside = own[own["session"].between(1, 5)]
        after = own[own["session"] > 5]["phq9_c"].dropna()
        last = after.iloc[-1] if len(after) else np.nan
        rows.append((r.therapist, r.early, inside["alliance_t"].mean(), -r.end, -last))
    frame = pd.DataFrame(rows, columns=["therapist", "a", "a2", "y", "y2"]).dropna()
    r = frame.drop(columns="therapist").corr()
    assert value(found, "r_same_source") == pytest.approx(r.loc["a", "y"])
    assert value(found, "r_cross_source") == pytest.approx(r.loc["a", "y2"])
    assert value(found, "r_source_difference") == pytest.approx(r.loc["a", "y"] - r.loc["a", "y2"])
    assert value(found, "r_source_difference", "ci_low") > 0
    assert value(found, "r_same_source", "n") == len(frame)
    assert value(found, "r_same_source", "df") == frame["therapist"].nunique() - 1
    assert "r_source_corrected" in set(found.estimates["id"])
    assert "sources" in {t.name for t in found.tables}


def test_with_one_rater_there_is_no_comparison(early: AnalysisResult, rated_twice: Study) -> None:
    assert "sources" not in {t.name for t in early.tables}
    few = rated_twice.sessions
    few.loc[few["client"].isin(sorted(few["client"].unique())[15:]), "alliance_t"] = np.nan
    found = al.early_alliance(with_sessions(rated_twice, few), sensitivity=False)
    assert "sources" not in {t.name for t in found.tables}


def test_length_by_loops(clinic: Study, early: AnalysisResult) -> None:
    from inside.analyses_early_alliance import length_rows

    design = early_design(clinic)
    rows = length_rows(clinic.sessions, design)
    assert [r["group"] for r in rows] == [
        "all",
        *(f"{t} third of early alliance" for t in ("lowest", "middle", "highest")),
    ]
    assert rows[0]["n"] == design.n_clients == sum(r["n"] for r in rows[1:])
    data = clinic.sessions
    low = design.clients.sort_values("early", kind="stable")["client"][: rows[1]["n"]]
    sessions, rated = [], []
    for client in low:
        own = data[(data["client"] == client) & (data["session"] >= 1)]
        sessions.append(len(own))
        rated.append(own["alliance"].notna().sum())
    for key, values in (("sessions", sessions), ("rated", rated)):
        one, two, three = np.quantile(values, [0.25, 0.5, 0.75])
        assert str(rows[1][key]) == f"{two:g} ({one:g} to {three:g})"
    assert "length" in {t.name for t in early.tables}


def test_the_main_figure_has_a_panel_of_therapists(clinic: Study, early: AnalysisResult) -> None:
    """Lines of the model for the mean of each third of therapists, by its coefficients."""
    design = early_design(clinic)
    figure = next(f for f in early.figure_specs if f.name == "course")
    data = figure.data
    panels = list(dict.fromkeys(data["panel"]))
    assert panels == ["Clients of the same therapist", "Therapists compared with each other"]
    own = data[(data["panel"] == panels[1])]
    means = design.clients.groupby("therapist")["early_therapist"].first().sort_values()
    third = len(means) // 3
    params = early.models["growth"].params
    for k, part in enumerate((means[:third], means[third : 2 * third], means[2 * third :])):
        line = own[own["group"] == 3 + k]
        week = line["weeks"].to_numpy()
        level = params["Intercept"] + params["early_therapist"] * part.mean()
        rate = params["weeks"] + params["weeks:early_therapist"] * part.mean()
        np.testing.assert_allclose(line["value"], level + rate * week)
    assert len(figure.figure().axes) == 2
    assert figure.title.endswith("among clients of the same therapist, and of therapists")


def test_few_therapists_have_no_panel(few: Study) -> None:
    found = al.early_alliance(few, sensitivity=False)
    figure = next(f for f in found.figure_specs if f.name == "course")
    assert len(set(figure.data["panel"])) == 1
    assert len(figure.figure().axes) == 1
