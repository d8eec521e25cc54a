"""Looks into results, and makes variants of a study."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal import AnalysisResult, Study
from alliance_longitudinal.analyses.kit import MIN_THERAPISTS
from alliance_longitudinal.data import Measure, simulated_study
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.measures import load_instruments
from alliance_longitudinal.simulation import ClinicTruth
from alliance_longitudinal.timing import TimeWindow
from inside.analyses_kit import Choices, EarlyDesign, build_design

#: Quicker ways to ask every analysis the same, for tests that run over all of them.
QUICK: dict[str, dict[str, Any]] = {
    "alliance_events": {"simulations": 50},
    "dyads": {"missing": "drop"},
    "early_alliance": {"m": 10},
    "expected_course": {"folds": 3},
    "multiverse": {"windows": "3,1-5", "n_perm": 19},
    "planning": {"therapists": 40, "clients": 12, "sessions": 4, "n_sim": 50},
    "sudden_gains": {"points": 4, "simulations": 20},
}

#: The analyses of the package that say something of a study without therapists, and those that need therapists. An
#: analysis that somebody adds is in neither.
WITHOUT_THERAPISTS = {
    *(
        "alliance_course",
        "alliance_events",
        "alliance_predictors",
        "data_quality",
        "dose",
        "dropout",
        "dyads",
    ),
    *("expected_course", "lagged_effects", "measurement", "mechanisms", "moderators", "raters"),
    *(
        "early_alliance",
        "multiverse",
        "reliable_change",
        "sudden_gains",
        "variance_partition",
        "within_between",
    ),
}
NEED_THERAPISTS = {
    *(
        "group_effects",
        "planning",
        "therapist_development",
    ),
}
SHIPPED = WITHOUT_THERAPISTS | NEED_THERAPISTS


def value(result: AnalysisResult, name: str, column: str = "estimate") -> float:
    """One number of a result."""
    return float(result.estimates.set_index("id").loc[name, column])


def words_of(result: AnalysisResult) -> list[str]:
    """Every text that a reader of a result sees: answer, findings, methods, limits, tables and figures with their cells."""
    said = [*result.answer, *(n.message for n in result.notes), *result.limits, *result.methods.splitlines()]
    said += [" ".join(fact) for fact in result.facts]
    for table in result.tables:
        said += [table.title, table.note, *(c.label for c in table.columns)]
        said += table.to_frame().astype(str).to_numpy().ravel().tolist()
    for figure in result.figure_specs:
        said += [
            figure.title,
            figure.caption,
            figure.alt,
            figure.how_to_read,
            *(c.label for c in figure.columns),
        ]
        said += figure.data.astype(str).to_numpy().ravel().tolist()
    return list(dict.fromkeys(map(str, said)))


def early_design(study: Study) -> EarlyDesign:
    """Rows and predictors of the default early-alliance analysis of a simulated study."""
    choices = Choices(study.measures["alliance"], study.measures["phq9"], TimeWindow(1, 5), 1, True, True)
    return build_design(study.sessions, study.flow, choices, MIN_THERAPISTS)


def with_sessions(study: Study, sessions: pd.DataFrame) -> Study:
    """The same study with other sessions."""
    return replace(study, _sessions=sessions)


def shuffled(study: Study, seed: int = 0) -> Study:
    """The same study with its rows in another order and other names for clients and therapists."""
    sessions = study.sessions
    rng = np.random.default_rng(seed)
    clients, therapists = sessions["client"].unique(), sessions["therapist"].unique()
    new_client = dict(zip(clients, [f"c{k}" for k in rng.permutation(len(clients))], strict=True))
    new_therapist = dict(zip(therapists, [f"x{k}" for k in rng.permutation(len(therapists))], strict=True))
    sessions["client"] = sessions["client"].map(new_client)
    sessions["therapist"] = sessions["therapist"].map(new_therapist)
    return with_sessions(study, sessions.sample(frac=1, random_state=seed).reset_index(drop=True))


def dated(study: Study, days: float = 20.0) -> Study:
    """The study with dates: each therapist begins a case every so many days, in the order of the clients."""
    sessions = study.sessions
    clients = sessions.drop_duplicates("client").sort_values("client")
    place = clients.groupby("therapist").cumcount()
    start = pd.Timestamp("2020-01-06") + pd.to_timedelta(days * place, unit="D")
    of = dict(zip(clients["client"], start, strict=True))
    sessions["date"] = sessions["client"].map(of) + pd.to_timedelta((7 * sessions["week"]).round(), unit="D")
    return with_sessions(study, sessions)


def awkward() -> Study:
    """12 therapists, two of them with few clients; a few clients leave early, a few have no alliance, a few were well."""
    study = simulated_study(5, ClinicTruth(therapists=12, clients=240))
    sessions = study.sessions
    clients = np.array(sorted(sessions["client"].unique()))
    early, unrated, well, two = clients[:3], clients[3:5], clients[5:9], clients[9:13]
    sessions = sessions[~(sessions["client"].isin(early) & (sessions["session"] > 3))]
    scored = sessions.groupby("client")["session"].rank("first")
    sessions = sessions[~(sessions["client"].isin(two) & (scored > 2))].reset_index(drop=True)
    sessions.loc[sessions["client"].isin(unrated), "alliance"] = np.nan
    first = sessions.groupby("client")["session"].transform("min").eq(sessions["session"])
    sessions.loc[sessions["client"].isin(well) & first, "phq9"] = 4.0
    of = sessions.groupby("client")["therapist"].first()
    for k, therapist in enumerate(sorted(of.unique())[:2]):
        own = of.index[of == therapist]
        sessions = sessions[~sessions["client"].isin(own[4 + k :])]
    ended = Finding(
        "endings",
        "info",
        "Treatment ended as planned for 180 clients, by dropout for 6, in another way for 3; for 4 it is not known.",
    )
    return replace(study, _sessions=sessions.reset_index(drop=True), findings=(*study.findings, ended))


def with_couples(study: Study) -> Study:
    """The same study, whose clients are couples: neighbours of one therapist, or of all where there are none."""
    sessions = study.sessions
    clients = sessions.drop_duplicates("client")
    of = clients["therapist"] if "therapist" in clients else pd.Series("all", index=clients.index)
    pair = clients.groupby(of)["client"].cumcount() // 2
    family = clients.groupby([of, pair])["client"].transform("first")
    return with_sessions(
        study,
        sessions.assign(family=sessions["client"].map(dict(zip(clients["client"], family, strict=True)))),
    )


def with_raters(study: Study, seed: int = 0) -> Study:
    """The same study with the therapist's rating of the alliance and a clinician's of the symptoms, both made of the client's."""
    rng = np.random.default_rng(seed)
    sessions = study.sessions
    n = len(sessions)
    style = dict(
        zip(sessions["therapist"].unique(), rng.normal(0, 3, sessions["therapist"].nunique()), strict=True)
    )
    seen = (
        20 + 0.5 * sessions["alliance"] + sessions["therapist"].map(style).astype(float) + rng.normal(0, 4, n)
    )
    clinician = sessions["phq9"] + rng.normal(0, 2, n)
    one, other = study.measures["alliance"], study.measures["phq9"]
    measures = {
        **study.measures,
        "alliance_therapist": replace(one, name="alliance_therapist", rater="therapist"),
        "phq9_clinician": replace(other, name="phq9_clinician", rater="clinician"),
    }
    sessions = sessions.assign(
        alliance_therapist=seen.round().clip(12, 60), phq9_clinician=clinician.round().clip(0, 27)
    )
    return replace(study, _sessions=sessions, measures=measures)


def with_empathy(study: Study, seed: int = 0) -> Study:
    """The study with a rating of the therapist's empathy at each session that has an alliance score."""
    sessions = study.sessions
    rng = np.random.default_rng(seed)
    sessions["empathy"] = 20 + 0.5 * sessions["alliance"] + rng.normal(0, 4, len(sessions)).round()
    measure = Measure("empathy", "empathy", "client", load_instruments()["blri_os_40"], timing="end")
    return replace(study, measures={**study.measures, "empathy": measure}, _sessions=sessions)


def without_a_few_times(study: Study) -> Study:
    """The study with five clients of whom no session has a date or week."""
    sessions = study.sessions
    few = sorted(sessions["client"].unique())[20:25]
    sessions["week"] = sessions["week"].where(~sessions["client"].isin(few))
    return with_sessions(study, sessions)
