"""Level, tracking and reciprocity of two raters: models and estimates."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    LEVEL,
    Covariate,
    Draft,
    Estimate,
    Fitted,
    Structure,
    fit_first,
    listed,
    with_one,
)
from alliance_longitudinal.analyses.raters.design import Pair, Rated
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.sentences import told

if TYPE_CHECKING:
    from alliance_longitudinal.methods.dyads.one_with_many import OneWithMany

#: Level and tracking of the second rater.
TRACKING = (
    Structure(
        "(1 + within | therapist/client)",
        "level and tracking differ between therapists and between clients",
        True,
        True,
    ),
    Structure(
        "(1 | therapist) + (1 + within | therapist:client)",
        "level differs between therapists; level and tracking differ between clients",
        True,
        True,
    ),
    Structure("(1 | therapist/client)", "level differs between therapists and between clients", True, False),
    Structure(
        "(1 + within | client)", "level and tracking differ between clients; no therapist level", False, True
    ),
    Structure("(1 | client)", "level differs between clients; no therapist level", False, False),
)
#: The difference and its change.
CHANGE = (
    Structure(
        "(1 + time | therapist/client)",
        "level and rate of change differ between therapists and between clients",
        True,
        True,
    ),
    Structure(
        "(1 | therapist) + (1 + time | therapist:client)",
        "level differs between therapists; level and rate of change differ between clients",
        True,
        True,
    ),
    *LEVEL,
)
#: An interval of a correlation this wide says nothing.
UNDETERMINED = 1.8


def numbers_of(row: dict[str, float]) -> dict[str, float]:
    """What an estimate takes of a model's row."""
    return {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}


def fit_gap(draft: Draft, rated: Rated, structures: Sequence[Structure], more: Sequence[str] = ()) -> Fitted:
    """The model of truth and bias, with therapists; ``more`` terms come last. It is not put on the draft's list."""
    rows, adjusted = draft.adjusters(rated.rows)
    varies = rated.several and bool(rows["time"].abs().max() > 1e-9)
    terms = [*["within"] * rated.several, "between", *["time"] * varies]
    formula = "y ~ " + " + ".join([*terms, *more, *adjusted])
    return fit_first("gap", "Second rater by the first", formula, rows, tuple(structures))


def gap_estimates(model: Fitted, rated: Rated, pair: Pair) -> list[Estimate]:
    """Gap, its size in standard deviations, its change, and tracking."""
    n, points = int(model.result.nobs), pair.unit
    second = pair.second.rater
    labels = {
        "Intercept": ("gap", f"The {second} less the {pair.first.rater}", points),
        "time": (
            "gap_change",
            "Change per session, at the same rating of the first",
            f"{points} per session",
        ),
        "within": ("tracking_within", "Following ups and downs within clients", "points per point"),
        "between": ("tracking_between", "Following differences between clients", "points per point"),
    }
    out = []
    for term, (identity, label, unit) in labels.items():
        if term in model.result.params.index and not (pair.apart and term in ("Intercept", "time")):
            out.append(
                Estimate(
                    identity,
                    label,
                    n=n,
                    level="client" if term in ("Intercept", "between") else "session",
                    unit=unit,
                    **numbers_of(model.combination({term: 1.0})),
                )
            )
    if not pair.apart:
        out.insert(1, _in_sd(out[0], rated))
    return out


def _in_sd(gap: Estimate, rated: Rated) -> Estimate:
    """The gap over the standard deviation of single ratings, pooled over both raters."""
    sd = float(((rated.rows["c"].var() + rated.rows["t"].var()) / 2) ** 0.5)
    return replace(
        gap,
        id="gap_d",
        label="The same in standard deviations",
        estimate=gap.estimate / sd,
        se=gap.se / sd,
        ci_low=gap.ci_low / sd,
        ci_high=gap.ci_high / sd,
        unit="standard deviations",
    )


def difference_change(draft: Draft, rated: Rated, pair: Pair) -> Estimate | None:
    """Change of the plain difference per session; None where sessions do not allow it."""
    if pair.apart or not rated.several or not rated.rows["time"].abs().max() > 1e-9:
        return None
    rows, adjusted = draft.adjusters(rated.rows)
    formula = "apart ~ " + " + ".join(["time", *adjusted])
    model = draft.fit("difference", "Difference of the raters over sessions", formula, rows, CHANGE)
    return Estimate(
        "difference_change",
        "Change of the plain difference per session",
        n=int(model.result.nobs),
        level="session",
        unit=f"{pair.unit} per session",
        **numbers_of(model.combination({"time": 1.0})),
    )


def moderator_estimates(
    draft: Draft, rated: Rated, pair: Pair, found: Sequence[Covariate], *, session: bool
) -> list[Estimate]:
    """What the gap, and the tracking, are more per unit of each moderator, from one model with all of them."""
    rows, labels = rated.rows, {"time": "session"} if session and rated.several else {}
    level = dict.fromkeys(labels, "session")
    for covariate in found:
        columns = draft.coded(covariate, rows)
        known = columns.notna().all(axis=1)
        rows = rows.assign(**{str(c): columns[c] for c in columns}).loc[known]
        labels |= {str(c): covariate.labels[str(c)] for c in columns}
        level |= {str(c): str(covariate.level) for c in columns}
    labels = {c: words for c, words in labels.items() if rows[c].max() - rows[c].min() > 1e-9}
    if not labels:
        return []
    terms = [c for c in labels if c != "time"] + ([f"within:{c}" for c in labels] if rated.several else [])
    try:
        model = fit_gap(draft, Rated(rows, rated.several), TRACKING if rated.several else ENDPOINT, terms)
    except AllianceError as error:
        draft.find(
            "moderators_failed", "caution", "The moderators could not be analysed: {why}", why=told(error)
        )
        return []
    draft.uses(replace(model, name="moderators", title="Gap and tracking by moderators"))
    out = []
    for column, words in labels.items():
        short = column.removeprefix("cov_")
        for prefix, term, what, unit in (
            ("gap_by", column, "Gap", f"{pair.unit} per unit"),
            ("tracking_by", f"within:{column}", "Tracking within clients", "points per point and unit"),
        ):
            if term in model.result.params.index and term != "time":
                out.append(
                    Estimate(
                        f"{prefix}_{short.replace('time', 'session')}",
                        f"{what} by {words}",
                        n=int(model.result.nobs),
                        level=level[column],
                        unit=unit,
                        **numbers_of(model.combination({term: 1.0})),
                    )
                )
    return out


def reciprocity(draft: Draft, rated: Rated, pair: Pair) -> "OneWithMany | None":
    """One with many: variances of both raters by level; None, with a finding, where it cannot be estimated."""
    from alliance_longitudinal.methods.dyads.one_with_many import one_with_many

    rows = rated.rows[with_one(rated.rows["therapist"])]
    ids = rows[["client", "therapist", "session"]]
    long = pd.concat(
        [
            ids.assign(rating=rows[column], role=measure.rater)
            for column, measure in (("c", pair.first), ("t", pair.second))
        ]
    )
    try:
        if not rated.several:
            long = long.groupby(["client", "therapist", "role"], as_index=False, sort=False)["rating"].mean()
        return one_with_many(
            long, "rating", "role", "therapist", "client", "session" if rated.several else None
        )
    except AllianceError as error:
        draft.find("reciprocity_failed", "caution", "Reciprocity cannot be estimated: {why}", why=told(error))
        return None


def recip_estimates(draft: Draft, found: "OneWithMany") -> list[Estimate]:
    """Reciprocities with profile limits; those of which the data say nothing are left out, with a finding."""
    out, open_ones = [], []
    for name, label, level, n in (
        (
            "recip_dyadic",
            "Clients whom both see as better than the therapist's others",
            "client",
            found.clients,
        ),
        ("recip_general", "Therapists with high ratings by both", "therapist", found.therapists),
        ("recip_session", "Sessions that both see as better than usual", "session", found.n // 2),
    ):
        value = found.params.get(name)
        if value is None:
            continue
        low, high = _limits(found, name)
        if pd.isna(value) or high - low > UNDETERMINED:
            open_ones.append(f"{level}s")
            continue
        numbers = (float(value), float(found.bse[name]), float("inf"), low, high)
        out.append(Estimate(name, label, *numbers, float("nan"), n, level, "correlation"))
    if open_ones:
        draft.find(
            "recip_not_determined",
            "caution",
            "The data do not say how the two raters' differences between {levels} go together: almost any correlation is compatible with "
            "them. The report leaves it out.",
            "reciprocity",
            levels=listed(open_ones),
        )
    return out


def _limits(found: "OneWithMany", name: str) -> tuple[float, float]:
    """Profile limits; of sessions, which are many, those on Fisher's scale if they are known, because they are quicker."""
    low, high = found.conf_int().loc[name]
    if name == "recip_session" and pd.notna(low):
        return float(low), float(high)
    return found.profile(name)
