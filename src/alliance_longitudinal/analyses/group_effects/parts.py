"""The parts of the report, each where the study has what it needs."""

from dataclasses import replace

import pandas as pd

from alliance_longitudinal.analyses.group_effects.compute import (
    Arms,
    Several,
    compare_arms,
    design_effect,
    group_shares,
    likeness,
    rest_of_group,
    se_ratio,
    several_units,
)
from alliance_longitudinal.analyses.group_effects.design import (
    MIN_CLIENTS,
    MIN_GROUPS,
    MIN_SEVERAL,
    Shared,
    attendance,
    members_of,
)
from alliance_longitudinal.analyses.kit import (
    ESTIMATE,
    Draft,
    Estimate,
    Fitted,
    Groups,
    Number,
    say,
    say_not_compared,
)
from alliance_longitudinal.analyses.kit.shares import variance_shares
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.sentences import told


def _named(draft: Draft, error: FitError, what: str) -> None:
    draft.find(
        "not_fitted",
        "caution",
        "The model of {what} could not be fitted: {why}",
        what,
        what=what,
        why=told(error),
    )


def likeness_of(draft: Draft, shared: Shared) -> None:
    """``icc`` and ``design_effect`` of the change from intake."""
    clients, terms = draft.adjusters(sharing(shared))
    try:
        fitted = likeness(shared, clients, terms)
    except FitError as error:
        _named(draft, error, "likeness")
        return
    draft.uses(fitted)
    found = _alike(fitted, shared, len(clients))
    draft.estimate(*found)
    if found:  # floor and ceiling are those of the last score
        scores = clients.assign(y=clients["intake"] + clients["end_change"])
        groups = shared.unit == "group"
        draft.checks(fitted, scores, shared.outcome, found[0].label, share="Intercept", groups=groups)


def sharing(shared: Shared) -> pd.DataFrame:
    """Clients with two scores who share something."""
    return shared.changed[shared.changed["shares"]]


def _alike(fitted: Fitted, shared: Shared, n: int) -> list[Estimate]:
    shares = variance_shares(fitted, "Intercept", n_boot=0, seed=0) if fitted.mixed else None
    if shares is None:
        return []
    values = shares.share("therapist")
    effect = [design_effect(v, shared.sizes) for v in values]
    words = (f"Change from intake: share between {shared.unit}s", "Design effect of a mean of clients")
    return [
        Estimate(identity, label, v[0], ci_low=v[1], ci_high=v[2], n=n, level="therapist", unit=unit)
        for identity, label, v, unit in (
            ("icc", words[0], values, "share"),
            ("design_effect", words[1], effect, "ratio"),
        )
    ]


def arms_of(draft: Draft, shared: Shared) -> Arms | None:
    """``arm``, ``arm_ignoring_groups``, ``arm_same_variances``, ``icc_arm_...``, ``se_ratio``; None without two arms."""
    if not shared.arms:
        return None
    rows, terms = draft.adjusters(shared.rows if shared.course else shared.changed)
    try:
        arms = compare_arms(shared, terms, rows)
    except FitError as error:
        _named(draft, error, "the arms")
        return None
    draft.uses(*(m for m in (arms.main, arms.ignoring, arms.same) if m is not None))
    y = shared.outcome.instrument.label
    unit = f"{y} points per {shared.per}" if arms.course else f"{y} points"
    what = "rate of change" if arms.course else "change from intake"
    for arm, term in arms.terms.items():
        tail = "" if len(arms.terms) == 1 else f"_{shared.codes[arm]}"
        for identity, model, words in (
            ("arm", arms.main, ""),
            ("arm_ignoring_groups", arms.ignoring, ", as if clients shared nothing"),
            ("arm_same_variances", arms.same, ", same variances in all arms"),
        ):
            if model is not None:
                label = f"{arm} compared with {shared.arms[0]}: {what}{words}"
                draft.coefficient(f"{identity}{tail}", label, model, term, unit=unit)
        draft.estimate(
            Estimate(
                f"se_ratio{tail}",
                f"{arm} compared with {shared.arms[0]}: standard error with and without what clients share",
                se_ratio(arms, arm),
                n=arms.n,
                level="client",
                unit="ratio",
            )
        )
    for arm, shares in group_shares(arms, shared).items():
        for kind, value in shares.items():
            draft.estimate(
                Estimate(
                    f"icc_arm_{shared.codes[arm]}_{kind}",
                    f"{arm}: share of {shared.unit}s in the {'level' if kind == 'level' else 'rate of change'}",
                    value,
                    n=arms.n,
                    level="therapist",
                    unit="share",
                )
            )
    return arms


def ratings_of(draft: Draft, shared: Shared, name: str | None, window: tuple[int, int]) -> Measure | None:
    """``cohesion_self``, ``cohesion_others``, ``cohesion_group``: only where clients share groups and rate them."""
    measure = _rating(draft, name)
    if shared.unit != "group" or measure is None:
        return None
    members, terms = draft.adjusters(members_of(draft.sessions, shared, measure, window))
    if (
        len(members) < MIN_CLIENTS
        or members["unit"].nunique() < MIN_GROUPS
        or not members["deviation"].std() > 0
    ):
        draft.find(
            "few_rated_groups",
            "caution",
            "Too few groups have two or more members with ratings that differ in the early window, so the report does not separate a member from "
            "the rest of the group.",
            measure.instrument.label,
        )
        return None
    try:
        fitted = rest_of_group(members, terms)
    except FitError as error:
        _named(draft, error, "the rest of the group")
        return None
    draft.uses(*fitted.values())
    label = measure.instrument.label
    unit = f"{shared.outcome.instrument.label} points per {label} point"
    draft.coefficient("cohesion_self", f"{label}: the member's own rating", fitted["rest"], "own", unit=unit)
    draft.coefficient(
        "cohesion_others", f"{label}: the rest of the group", fitted["rest"], "others", unit=unit
    )
    draft.coefficient(
        "cohesion_deviation", f"{label}: deviation from the group", fitted["mean"], "deviation", unit=unit
    )
    draft.coefficient(
        "cohesion_group",
        f"{label}: the group's mean",
        fitted["mean"],
        "group_mean",
        level="therapist",
        unit=unit,
    )
    draft.fact("Rating", measure.label)
    return measure


def _rating(draft: Draft, name: str | None) -> Measure | None:
    known = list(draft.study.measures.values())
    if name is not None:
        found = draft.named_measure(name)
    else:
        ranked = [m for c in ("group_climate", "alliance") for m in known if m.construct == c]
        if not ranked:
            return None
        found = ranked[0]
    draft.measures.append(found)
    draft.references += found.instrument.citations
    return found


def several_of(draft: Draft, shared: Shared) -> Several | None:
    """``mm_var``, ``mm_share``, ``main_var``: only where enough clients had several therapists, or were in several groups."""
    clients = shared.changed
    attended = attendance(draft.sessions, clients["client"], shared.unit)
    several = int((attended.groupby("client").size() > 1).sum()) if len(attended) else 0
    if several < MIN_SEVERAL:
        return None
    try:
        found = several_units(clients, attended)
    except FitError as error:
        _named(draft, error, f"several {shared.unit}s")
        return None
    if found.units < MIN_GROUPS:
        return None
    y = shared.outcome.instrument.label
    for identity, label, value, unit in (
        (
            "mm_var",
            f"Variance between {shared.unit}s, several per client",
            found.variance("weighted"),
            f"{y} points squared",
        ),
        ("mm_share", f"Share between {shared.unit}s, several per client", found.share("weighted"), "share"),
        (
            "main_var",
            f"Variance between {shared.unit}s, the main one of each client",
            found.variance("first"),
            f"{y} points squared",
        ),
        (
            "main_share",
            f"Share between {shared.unit}s, the main one of each client",
            found.share("first"),
            "share",
        ),
    ):
        draft.estimate(Estimate(identity, label, value, n=found.n, level="therapist", unit=unit))
    return found


def by_group(draft: Draft, shared: Shared, groups: Groups) -> None:
    """Likeness in each group of clients that `by` compares."""
    rows: dict[str, list[Estimate]] = {}
    for name, clients in groups.split(sharing(shared)):
        own = replace(shared, clients=clients)
        adjusted, terms = draft.adjusters(clients)
        rows[name] = []
        if len(own.sizes) < MIN_GROUPS:
            why = say(
                "has fewer than {needed} {unit}s with two or more clients who have two scores",
                needed=Number(MIN_GROUPS, "integer"),
                unit=shared.unit,
            )
            say_not_compared(draft, groups, name, len(clients), why)
            continue
        try:
            rows[name] = _alike(likeness(own, adjusted, terms), own, len(clients))
        except FitError as error:
            _named(draft, error, name)
    if sum(map(bool, rows.values())) > 1:
        draft.by_group(rows, ESTIMATE, "Likeness within each of them alone.")
