"""Actor and partner effects, split alliances and retention, as estimates."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.dyads.design import Asked, Cases
from alliance_longitudinal.analyses.kit import (
    MIN_THERAPISTS,
    Draft,
    Estimate,
    Fitted,
    Structure,
    each_alone,
    fit_first,
    slug,
    therapist_df,
    usable_therapists,
    with_those_without,
)
from alliance_longitudinal.errors import AllianceError, DataError, FitError
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.dyads.actor_partner import ActorPartner

#: Fewest therapists for standard errors by therapist (full information).
MIN_CLUSTERS = 20
#: Cases that drop out below which retention gets no model.
MIN_EVENTS = 10
WITH_THERAPISTS = Structure(
    "(1 | therapist/case)", "level differs between therapists and between cases", True, False
)
CASES = Structure("(1 | case)", "level differs between cases; no therapist level", False, False)


def group_of(draft: Draft, cases: Cases, asked: Asked) -> str | None:
    """The column of therapists, if there are enough of them with two or more cases."""
    each = cases.people.drop_duplicates("case")
    usable = usable_therapists(each, "case")
    needed = MIN_CLUSTERS if asked.missing == "fiml" else MIN_THERAPISTS
    return "therapist" if draft.therapists_known and usable >= needed else None


def fit_pairs(
    draft: Draft, cases: Cases, asked: Asked, *, roles: bool, people: pd.DataFrame | None = None
) -> "ActorPartner":
    """The actor-partner model, by role or with equal members.

    Raises
    ------
    TooLittle
        If these data do not allow it.
    """
    from alliance_longitudinal.methods import actor_partner

    rows, adjusted = draft.adjusters(each_alone(cases.people if people is None else people, "case"))
    covariates = [*(["intake"] if asked.first else []), *adjusted]
    try:
        return actor_partner(
            rows,
            "y",
            "x",
            "partner",
            "person",
            "case",
            "role" if roles else None,
            covariates=covariates,
            group=group_of(draft, cases, asked),
            missing="fiml" if asked.missing == "fiml" else "listwise",
            few=True,
        )
    except DataError as error:
        raise draft.too_little("{why}", why=told(error)) from None
    except FitError as error:
        raise draft.too_little("{why}", "not_fitted", "failed", why=told(error)) from None


def pair_estimates(found: "ActorPartner", roles: tuple[str, ...], asked: Asked) -> list[Estimate]:
    """``actor``, ``partner`` and, where alliances are on one scale, their difference; by role with ``_<role>``."""
    out = []
    for member, role in enumerate(roles or ("",)):
        end, words = (f"_{slug(role)}", f"{role}: ") if role else ("", "All members: ")
        own, y = asked.labels(member)
        other = asked.labels(1 - member)[0]
        names = [f"{part}_{role}" if role else part for part in ("actor", "partner")]
        label = f"{words}own alliance (actor)"
        out.append(_one(found, {names[0]: 1.0}, f"actor{end}", label, f"{y} points per {own} point"))
        label = f"{words}other member's alliance (partner)"
        out.append(_one(found, {names[1]: 1.0}, f"partner{end}", label, f"{y} points per {other} point"))
        if asked.same_alliance:
            weights = {names[0]: 1.0, names[1]: -1.0}
            label = f"{words}own less other member's"
            out.append(
                _one(found, weights, f"actor_minus_partner{end}", label, f"{y} points per {own} point")
            )
    return out


def _one(found: "ActorPartner", weights: dict[str, float], identity: str, label: str, unit: str) -> Estimate:
    names = list(weights)
    w = np.array(list(weights.values()))
    value = float(w @ found.params[names].to_numpy())
    se = float(np.sqrt(w @ found.cov_params().loc[names, names].to_numpy() @ w))
    every = pd.Series(np.broadcast_to(found.dof, len(found.params)), index=found.params.index)
    row = t_inference(value, se, float(every[names].min()))
    numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
    return Estimate(identity, label, n=found.n, level="client", unit=unit, **numbers)


def pair_tests(found: "ActorPartner", *, comparable: bool) -> list[Estimate]:
    """Correlation of what is left of the members' outcomes, and the test of equal roles."""
    label = "Correlation of members' outcomes, given the predictors"
    out = [Estimate("rho", label, found.rho, n=found.cases, level="client", unit="correlation")]
    if found.distinguishable_few is not None and comparable:
        chi2, df, p = found.distinguishable_few
        label = "Test of equal roles (chi-square, corrected for few cases)"
        out.append(
            Estimate(
                "distinguishable", label, chi2, df=df, p=p, n=found.cases, level="client", unit="chi-square"
            )
        )
    return out


def case_table(cases: Cases, sessions: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """One row per case in which two members rated: ``mean``, ``split``, ``signed`` (first role less second), ``system``."""
    rated = cases.people.dropna(subset=["x"])
    by = rated.groupby("case")["x"]
    frame = pd.DataFrame({"mean": by.mean(), "split": by.max() - by.min()})[by.count() >= 2]
    if cases.roles:
        wide = rated.set_index(["case", "role"])["x"].unstack()
        if set(cases.roles) <= set(wide.columns):
            frame["signed"] = (wide[cases.roles[0]] - wide[cases.roles[1]]).reindex(frame.index)
    if asked.system is not None:
        inside = sessions["session"].between(asked.window.first, asked.window.last)
        frame["system"] = sessions[inside].groupby("case")[asked.system.name].mean().reindex(frame.index)
    return frame


#: Predictors of a case: id, words.
_OF_CASES = {
    "mean": ("split_mean", "Mean alliance of the members"),
    "split": ("split", "Split alliance: difference between the members"),
    "signed": ("split_signed", "Signed difference"),
    "system": ("shared_purpose", "Alliance of the members with one another"),
}


def split_estimates(
    draft: Draft, cases: Cases, table: pd.DataFrame, asked: Asked, unit: str
) -> list[Estimate]:
    """Mean, split and direction of the alliances together, and the alliance of the members with one another."""
    rows = cases.people.merge(table, left_on="case", right_index=True)
    terms = [t for t in _OF_CASES if t in rows and rows[t].max() - rows[t].min() > 1e-9]
    needed = ["y", *terms, *(["intake"] if asked.first else [])]
    rows = rows.dropna(subset=needed).reset_index(drop=True)
    rows, adjusted = draft.adjusters(rows)
    role = ["role"] if cases.roles and len(rows["role"].unique()) > 1 else []
    rows = rows.assign(**{t: rows[t] - rows[t].mean() for t in terms})
    fixed = "y ~ " + " + ".join([*terms, *role, *(["intake"] if asked.first else []), *adjusted])
    structures = (WITH_THERAPISTS, CASES) if draft.therapists_known else (CASES,)
    try:
        fitted = fit_first("split", "Split alliance and outcome", fixed, rows, structures)
    except FitError as error:
        draft.find(
            "split_not_fitted",
            "caution",
            "Split alliances are not related to the outcome. {why}",
            "split alliance",
            why=told(error),
        )
        return []
    draft.uses(fitted)
    if "split" in terms and fitted.structure.therapist:
        draft.checks(fitted, rows, asked.outcome, "Split alliance and outcome", term="split", unit=unit)
    judged = draft.robust(fitted)
    out = []
    for term in terms:
        identity, label = _OF_CASES[term]
        if term == "signed":
            label = f"{label}: {cases.roles[0]} less {cases.roles[1]}"
        if term == "system":
            unit = (
                unit.rpartition(" per ")[0] + f" per {asked.system.instrument.label} point"
                if asked.system
                else unit
            )
        most = therapist_df(int(rows["case"].nunique()), len(terms))
        row = judged.combination({term: 1.0}, most)
        numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
        out.append(Estimate(identity, label, n=len(rows), level="client", unit=unit, **numbers))
    return out


def retention(
    draft: Draft, cases: Cases, table: pd.DataFrame, sessions: pd.DataFrame, asked: Asked
) -> list[Estimate]:
    """Odds that a case drops out at a later session, by mean and split alliance; none if the study records no endings."""
    ends = draft.study.clients.set_index("client")["ending"] if "ending" in draft.study.clients else None
    if ends is None or ends.isna().all():
        draft.find(
            "retention_unknown",
            "info",
            "The study records no endings, so the report does not relate split alliances to dropout. Name the column 'ending' in the "
            "study file.",
            "retention",
        )
        return []
    rows = at_risk(cases, table, sessions, ends, asked)
    events = int(rows["left"].sum())
    if events < MIN_EVENTS:
        draft.find(
            "few_dropouts",
            "info",
            "Too few cases dropped out after the early window to relate split alliances to dropout.",
            "retention",
        )
        return []
    fitted = _hazard(draft, rows)
    if fitted is None:
        return []
    draft.uses(fitted)
    unit = f"log odds per {asked.alliance.instrument.label} point"
    out = []
    for term, identity, words in (
        ("mean", "retention_mean", "Dropout of the case: mean alliance of the members"),
        ("split", "retention_split", "Dropout of the case: split alliance"),
    ):
        row = fitted.combination({term: 1.0})
        numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
        out.append(Estimate(identity, words, n=len(rows), level="client", unit=unit, **numbers))
    return [*out, _ratio(out[1])]


def _ratio(e: Estimate) -> Estimate:
    """The odds ratio of one point."""
    value, low, high = (float(np.exp(v)) for v in (e.estimate, e.ci_low, e.ci_high))
    words = "Dropout of the case: members one point further apart (odds ratio)"
    return Estimate(
        "or_retention_split", words, value, value * e.se, e.df, low, high, e.p, e.n, e.level, "odds ratio"
    )


def at_risk(
    cases: Cases, table: pd.DataFrame, sessions: pd.DataFrame, ends: "pd.Series[str]", asked: Asked
) -> pd.DataFrame:
    """One row per case and session after the window at which the case was in treatment; ``left`` is 1 where it dropped out.

    A case dropped out if a member who came to its last session did; other endings are ends of another kind.
    """
    from alliance_longitudinal.methods import person_period

    own = sessions.loc[
        sessions["case"].isin(table.index) & sessions["session"].ge(0), ["case", "client", "session"]
    ]
    final = own[own["session"].eq(own.groupby("case")["session"].transform("max"))]
    words = final["client"].map(ends)
    known = pd.DataFrame({"case": final["case"], "dropout": words.eq("dropout"), "known": words.notna()})
    by = known.groupby("case").any()
    word = pd.Series(np.where(by["dropout"], "dropout", "other"), index=by.index, dtype=object).where(
        by["known"], None
    )
    once = own.drop_duplicates(["case", "session"])[["case", "session"]].reset_index(drop=True)
    once["ending"] = once["case"].map(word)
    rows = person_period(once, "case", "session", event="ending")
    rows = rows[rows["period"] > asked.window.last].reset_index(drop=True)
    therapist = cases.people.groupby("case")["therapist"].first()
    rows = rows.assign(
        left=rows["end"].eq("dropout").astype(float),
        therapist=rows["case"].map(therapist),
        client=rows["case"],
        time=rows["period"] - asked.window.last - 1.0,
        mean=rows["case"].map(table["mean"] - table["mean"].mean()),
        split=rows["case"].map(table["split"] - table["split"].mean()),
    )
    return rows[~(rows["end"].notna() & rows["left"].eq(0))].reset_index(drop=True)


def _hazard(draft: Draft, rows: pd.DataFrame) -> Fitted | None:
    from alliance_longitudinal.engine import GeneralisedModel

    there = draft.therapists_known and usable_therapists(rows, "case") >= MIN_THERAPISTS
    structure = (
        Structure("(1 | therapist)", "dropout differs between therapists", True, False)
        if there
        else Structure("(1 | case)", "no therapist level", False, False)
    )
    fixed, structure, rows = with_those_without("left ~ time + mean + split", structure, rows)
    formula = f"{fixed} + {structure.terms}"
    try:
        result = GeneralisedModel.from_formula(formula, rows, family="binomial").fit()
    except AllianceError as error:
        draft.find(
            "retention_not_fitted",
            "caution",
            "The model of dropout could not be fitted. {why}",
            "retention",
            why=told(error),
        )
        return None
    return Fitted("retention", "Dropout of cases", formula, structure, result, (), tuple(result.findings))
