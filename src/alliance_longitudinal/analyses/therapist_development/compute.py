"""The models of change over cases, and what they say."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit import Draft, Estimate, Fitted, Structure, fit_first, therapist_df
from alliance_longitudinal.analyses.therapist_development.design import CONSTANT, TEN, Cases, with_time

#: Over cases, level and change differ between therapists.
DEVELOPMENT = (
    Structure("(1 + time | therapist)", "level and change over cases differ between therapists", True, False),
    Structure("(1 | therapist)", "level differs between therapists; change is the same for all", True, False),
)
Fit = Callable[..., Fitted]
#: Outcome -> the beginning of its ids, and what it is.
OUTCOMES = {"alliance": "alliance", "end": "outcome", "intake": "intake"}
#: Clock -> the column, one unit of it, and what its estimates are called.
CLOCKS = {"case": ("case", float(TEN)), "years": ("years", 1.0), "doubling": ("log2_case", 1.0)}


@dataclass(frozen=True, slots=True)
class Change:
    """A model of change over cases.

    Attributes
    ----------
    outcome, clock : str
    fitted : Fitted
    rows : DataFrame
        That it was fitted to.
    max_df : float
        Therapists less one: change over cases is averaged over them.
    """

    outcome: str
    clock: str
    fitted: Fitted
    rows: pd.DataFrame
    max_df: float

    @property
    def therapists(self) -> int:
        """Therapists in the model."""
        return int(self.rows["therapist"].nunique())

    def of(self, term: str, df: float | None = None) -> dict[str, float] | None:
        """Inference on a coefficient; None if it is not in the model."""
        if term not in self.fitted.result.params.index:
            return None
        return self.fitted.combination({term: 1.0}, self.max_df if df is None else df)

    @property
    def sd(self) -> float:
        """Standard deviation between therapists of the change; missing if the model has none."""
        table = self.fitted.result.varcorr
        own = table[table["term1"].eq("time") & table["term2"].isna()]
        return float(own["sdcor"].iloc[0]) if len(own) else float("nan")


def fit_change(
    draft: Draft,
    cases: Cases,
    outcome: str,
    clock: str,
    fit: Fit = fit_first,
    *,
    adjusted: bool = True,
    experience: bool = False,
    tag: str = "",
) -> Change | None:
    """Fit one model; None if the clock does not run within therapists.

    Parameters
    ----------
    outcome : {"alliance", "end", "intake"}
    clock : {"case", "years", "doubling"}
    adjusted : bool
        Whether the end score is adjusted for that at intake.
    experience : bool
        With the therapist's experience as a predictor of the level.
    tag : str
        A group, or what else the model is of.
    """
    from alliance_longitudinal.analyses.kit import slug

    column, unit = CLOCKS[clock]
    rows = cases.rows(outcome)
    if experience:
        rows = rows.dropna(subset=["experience"]).reset_index(drop=True)
    if clock == "doubling":
        rows = rows[rows["case"] > 0].assign(log2_case=np.log2(rows.loc[rows["case"] > 0, "case"]))
    rows = with_time(rows.dropna(subset=[column]).reset_index(drop=True), column, unit)
    if not np.ptp(rows["time"]) > CONSTANT:
        return None
    rows, adjusters = draft.adjusters(rows)
    terms = ["time"] + (["time_between"] if np.ptp(rows["time_between"]) > CONSTANT else [])
    terms += ["intake_c"] if outcome == "end" and adjusted else []
    if experience:
        of = rows.drop_duplicates("therapist")["experience"].mean()
        rows = rows.assign(experience_c=rows["experience"] - of)
        terms.append("experience_c")
    names = {"alliance": "Early alliance", "end": "End score", "intake": "Score at intake"}
    over = {"case": "over cases", "years": "over years", "doubling": "per doubling of cases"}[clock]
    name = "_".join([OUTCOMES[outcome], clock, *([slug(tag)] if tag else [])])
    title = f"{names[outcome]} {over}" + (f", {tag}" if tag else "")
    fixed = f"{outcome} ~ " + " + ".join([*terms, *adjusters])
    fitted = fit(name, title, fixed, rows, DEVELOPMENT)
    several = int((rows.groupby("therapist").size() >= 2).sum())
    return Change(outcome, clock, fitted, rows, float(max(several - 1, 1)))


def change_estimate(change: Change, label: str, unit: str, tail: str = "") -> Estimate:
    """Change per unit of the clock."""
    row = change.of("time")
    assert row is not None
    kept = {k: v for k, v in row.items() if k != "t"}
    identity = f"{OUTCOMES[change.outcome]}_{change.clock}{tail}"
    return Estimate(identity, label, n=len(change.rows), level="client", unit=unit, **kept)


def in_sd(estimate: Estimate, sd: float, label: str, sign: float = 1.0) -> Estimate:
    """The change in standard deviations between clients; with ``sign`` -1 lower scores count as better."""
    low, high = sorted((sign * estimate.ci_low / sd, sign * estimate.ci_high / sd))
    return Estimate(
        f"{estimate.id}_d",
        label,
        sign * estimate.estimate / sd,
        estimate.se / sd,
        estimate.df,
        low,
        high,
        estimate.p,
        estimate.n,
        "client",
        "SD",
    )


def spread_estimate(change: Change, label: str, unit: str) -> Estimate | None:
    """How much therapists differ in their change, with the profile interval; None if the model has no such variance."""
    from alliance_longitudinal.errors import AllianceError

    if not np.isfinite(change.sd):
        return None
    name = "sd(time)|therapist"
    try:
        limits = change.fitted.result.conf_int(method="profile", which=[name]).loc[name]
        low, high = float(limits["lower"]), float(limits["upper"])
    except AllianceError:
        low = high = float("nan")
    identity = f"{OUTCOMES[change.outcome]}_{change.clock}_sd"
    return Estimate(
        identity,
        label,
        change.sd,
        ci_low=low,
        ci_high=high,
        n=change.therapists,
        level="therapist",
        unit=unit,
    )


def experience_estimate(
    draft: Draft, cases: Cases, outcome: str, unit: str, label: str
) -> tuple[Estimate, Change] | None:
    """Therapists with one more unit of experience, compared with others; df are therapists less one less the predictors."""
    change = fit_change(draft, cases, outcome, "case", draft.fit, experience=True, tag="with experience")
    if change is None:
        return None
    own = sum(c.level == "therapist" for c in draft.covariates)
    row = change.of("experience_c", therapist_df(change.therapists, 2 + own))
    if row is None:
        return None
    kept = {k: v for k, v in row.items() if k != "t"}
    name = f"{OUTCOMES[outcome]}_experience"
    return Estimate(name, label, n=change.therapists, level="therapist", unit=unit, **kept), change
