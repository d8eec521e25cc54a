"""Which ruptures are repaired: a logistic model of each rupture, by therapist, client and phase of treatment."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.alliance_events.compute import PHASES, Found, phase_of
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    MIN_THERAPISTS,
    TEST,
    Count,
    Covariate,
    Draft,
    Estimate,
    Fitted,
    Number,
    Structure,
    say,
    usable_therapists,
    with_those_without,
)
from alliance_longitudinal.errors import FitError, StudyError
from alliance_longitudinal.present import Column
from alliance_longitudinal.sentences import told

#: Ruptures of the rarer kind (repaired or not) that each coefficient needs.
PER_TERM = 5
#: Fewest ruptures of the rarer kind.
FEWEST = 20
THERAPIST = Structure("(1 | therapist)", "repair may differ between therapists", True, False)
CLIENT = Structure("(1 | client)", "repair may differ between clients; no therapist level", False, False)


@dataclass(frozen=True, slots=True)
class Term:
    """A predictor of repair: its column, its estimate's id and label, by how much it changes, and its level."""

    column: str
    id: str
    label: str
    change: float
    level: str


def repair_rows(found: Found, within: int) -> pd.DataFrame:
    """One row per rupture that ``within`` ratings follow: ``client, therapist, session, repaired, before, middle, last``.

    With fewer later ratings a rupture has less opportunity to be repaired, which would look like an effect of the end of treatment.

    ``before``: how far the rating before the rupture was above the mean of the client's ratings up to it, in standard deviations within
    clients. A fall from an unusually high rating is less often regained, by fluctuation alone. Later ratings do not enter: they know
    whether the rupture was repaired.
    """
    events = found.main.events
    rows = events[events["later"] >= within].reset_index(drop=True)
    so_far = found.ratings.sort_values(["client", "session"], kind="stable")
    so_far = so_far.assign(mean=so_far.groupby("client")["score"].transform(lambda x: x.expanding().mean()))
    so_far["before_mean"] = so_far.groupby("client")["mean"].shift()
    own = rows.merge(so_far[["client", "session", "before_mean"]], on=["client", "session"], how="left")[
        "before_mean"
    ]
    phase = phase_of(found, rows["client"], rows["session"])
    return pd.DataFrame(
        {
            "client": rows["client"],
            "therapist": rows["client"].map(found.therapist_of()),
            "session": rows["session"],
            "repaired": rows["repaired"].astype(float),
            "before": (rows["before"].astype(float) - own.astype(float)) / found.main.sd,
            "middle": (phase == PHASES[1]).astype(float),
            "last": (phase == PHASES[2]).astype(float),
        }
    )


def only_known_before(covariates: tuple[Covariate, ...]) -> None:
    """Refuse covariates of sessions.

    Raises
    ------
    StudyError
        Naming them.
    """
    late = [c.name for c in covariates if c.level == "session"]
    if late:
        raise StudyError(
            f"Parameter 'repair_by': {', '.join(late)} is a covariate of sessions. Name covariates of clients or therapists, such as "
            "attachment or experience."
        )


def who_repairs(draft: Draft, found: Found, covariates: tuple[Covariate, ...], within: int) -> list[Estimate]:
    """Odds ratios of repair, added to the draft with their table; none where too few ruptures are of one kind."""
    rows = repair_rows(found, within)
    terms = [
        Term(
            "before",
            "repair_before",
            "Rating before the rupture one SD (within clients) further above the ratings until then",
            1.0,
            "session",
        ),
        Term(
            "middle",
            "repair_phase_middle",
            "Rupture in the middle third of treatment, compared with the first",
            1.0,
            "session",
        ),
        Term(
            "last",
            "repair_phase_last",
            "Rupture in the last third of treatment, compared with the first",
            1.0,
            "session",
        ),
    ]
    for covariate in covariates:
        columns = draft.coded(covariate, rows)
        rows = rows.assign(**{str(c): columns[c] for c in columns})
        many = len(covariate.columns) > 1
        for k, (column, label) in enumerate(covariate.labels.items(), start=1):
            spread = 1.0 if covariate.categories else float(_once(rows, covariate, column).std())
            words = label if covariate.categories else f"{label}: one SD higher"
            identity = f"repair_{covariate.name}" + (f"_{k}" if many else "")
            terms.append(Term(column, identity, words, spread, covariate.level))
    rows = rows.dropna(subset=[t.column for t in terms]).reset_index(drop=True)
    terms = [t for t in terms if len(rows) and rows[t.column].std() > 0 and np.isfinite(t.change)]
    rarer = int(min(rows["repaired"].sum(), len(rows) - rows["repaired"].sum()))
    if rarer < max(FEWEST, PER_TERM * len(terms)):
        draft.find(
            "repairs_too_few",
            "info",
            "Of {n:noun} followed by enough ratings, {rarer} {kind}. A model of who repairs needs at least {needed} of the rarer kind.",
            "who repairs",
            n=Count(len(rows), "rupture"),
            rarer=Count(rarer, "rupture"),
            kind="were repaired" if rows["repaired"].mean() < 0.5 else "were not repaired",
            needed=Number(max(FEWEST, PER_TERM * len(terms)), "integer"),
        )
        return []
    fitted = _fit(draft, rows, [t.column for t in terms])
    if fitted is None:
        return []
    draft.uses(fitted)
    made = [_odds_ratio(fitted, t, len(rows)) for t in terms]
    draft.estimate(*made)
    draft.table_of(
        "who_repairs",
        "Which ruptures are repaired",
        "results",
        made,
        [Column("label", "Odds ratio of repair"), *ESTIMATE, *TEST],
        say(
            "One logistic model of the ruptures followed by {within:noun} or more, so that all could be repaired. Above one: such ruptures are "
            "repaired more often. A fall from an unusually high rating is regained less often by fluctuation alone, so the rating before is in the "
            "model.",
            within=Number(within, "integer", "rating"),
        ),
    )
    return made


def _once(rows: pd.DataFrame, covariate: Covariate, column: str) -> "pd.Series[Any]":
    """Values of a covariate, once for each client or therapist."""
    unit = "therapist" if covariate.level == "therapist" else "client"
    return rows.drop_duplicates(unit)[column]


def _fit(draft: Draft, rows: pd.DataFrame, terms: list[str]) -> Fitted | None:
    """A binomial mixed model; None, with the reason, if it cannot be fitted."""
    from alliance_longitudinal.engine import MixedModel

    structure = THERAPIST if draft.therapists_known and usable_therapists(rows) >= MIN_THERAPISTS else CLIENT
    fixed, structure, rows = with_those_without("repaired ~ " + " + ".join(terms), structure, rows)
    formula = f"{fixed} + {structure.terms}"
    title = "Repair of a rupture"
    try:
        result = MixedModel.from_formula(formula, rows, family="binomial").fit()
    except FitError as error:
        draft.find(
            "repair_not_fitted",
            "caution",
            "The model of who repairs could not be fitted: {why}",
            "who repairs",
            why=told(error),
        )
        return None
    return Fitted("repair", title, formula, structure, result, (), tuple(result.findings))


def _odds_ratio(fitted: Fitted, term: Term, n: int) -> Estimate:
    row = fitted.combination({term.column: 1.0})
    low, high = sorted((np.exp(term.change * row["ci_low"]), np.exp(term.change * row["ci_high"])))
    ratio = float(np.exp(term.change * row["estimate"]))
    return Estimate(
        term.id,
        term.label,
        ratio,
        se=ratio * term.change * row["se"],
        df=row["df"],
        ci_low=float(low),
        ci_high=float(high),
        p=row["p"],
        n=n,
        level="session",
        unit="odds ratio",
    )
