"""Everything that the answers at hand allow, and a finding for what they do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from alliance_longitudinal.analyses.kit import Count, Number
from alliance_longitudinal.analyses.measurement.design import Answers
from alliance_longitudinal.errors import AllianceError, FitError
from alliance_longitudinal.findings import Finding, Severity
from alliance_longitudinal.methods.psychometrics.factors.structure import (
    CLIENTS_PER_ITEM,
    Model,
    Step,
    factors_differ,
    invariance,
    one_occasion,
    unrestricted,
)
from alliance_longitudinal.methods.psychometrics.reliability.change_reliability import (
    ChangeReliability,
    crossed_reliability,
    nested_reliability,
)
from alliance_longitudinal.methods.psychometrics.reliability.consistency import Coefficient, alpha, omega
from alliance_longitudinal.sentences import Value, say, told

FEWEST_FORMS = 10


@dataclass(slots=True)
class Found:
    """What was computed, collected step by step; ``items`` says whether there were answers to compute it from."""

    items: bool = True
    alphas: list[tuple[str, Coefficient]] = field(default_factory=list)
    omegas: list[tuple[str, Coefficient]] = field(default_factory=list)
    change: list[ChangeReliability] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(
        self,
        code: str,
        where: str,
        template: str,
        severity: Severity = "caution",
        **values: Value | str,
    ) -> None:
        """Add a finding that limits what can be said."""
        self.findings.append(Finding(code, severity, say(template, **values), where))


def from_items(answers: Answers, occasions: Sequence[int], label: str, crossed: bool) -> Found:
    """Consistency, change reliability, factor models and invariance over occasions."""
    found = Found()
    if answers.constant:
        found.say(
            "constant_items",
            label,
            "In these items of {label} all items are the same, so they distinguish nobody and are "
            "left out: {items}.",
            label=label,
            items=", ".join(answers.constant),
        )
    for session in occasions:
        _one_form(found, answers, session, label)
    _change(found, answers, label, crossed)
    wide = side_by_side(answers.frame, answers.items, occasions)
    compare(found, wide, answers, [f"session {s}" for s in occasions], label, "over sessions")
    _improper(found)
    return found


def coefficients(answers: Answers, occasions: Sequence[int], label: str) -> Found:
    """Alpha of each form and the reliability of change, without factor models."""
    found = Found()
    for session in occasions:
        _one_form(found, answers, session, label, factors=False)
    _change(found, answers, label, crossed=False)
    return found


def _one_form(found: Found, answers: Answers, session: int, label: str, *, factors: bool = True) -> None:
    form = answers.frame[answers.frame["session"].eq(session)]
    where = f"session {session}"
    complete = form[list(answers.items)].dropna()
    if len(answers.items) < 2:
        found.say(
            "few_items",
            label,
            "{label} has fewer than two items with different answers: its reliability cannot be computed.",
            label=label,
        )
        return
    if len(complete) < FEWEST_FORMS:
        found.say(
            "few_forms",
            where,
            "Only {n:noun} of {label} at {form}: its reliability is not computed.",
            n=Count(len(complete), "complete form"),
            label=label,
            form=where,
        )
        return
    found.alphas.append((where, alpha(complete.to_numpy(float))))
    if not factors:
        return
    usable = [i for i in answers.items if form[i].max() > form[i].min()]
    if len(form) < CLIENTS_PER_ITEM * len(usable):
        found.say(
            "few_clients_for_factors",
            where,
            "{n:noun} of {label} at {form} are too few for a factor model of {items} items: at least {needed} per item are "
            "needed.",
            n=Count(len(form), "form"),
            label=label,
            form=where,
            items=Number(len(usable), "integer"),
            needed=Number(CLIENTS_PER_ITEM, "integer"),
        )
        return
    groups = {name: tuple(i for i in own if i in usable) for name, own in answers.groups.items()}
    if len(usable) < 2:
        return
    try:
        models = one_occasion(form, {k: v for k, v in groups.items() if len(v) >= 2}, usable, where)
    except FitError as error:
        found.say("factor_model_failed", where, "{why}", why=told(error))
        return
    found.models += models
    if models[0].fit.converged:
        found.omegas.append((where, omega(models[0].fit)))


def _change(found: Found, answers: Answers, label: str, crossed: bool) -> None:
    """Between- and within-client reliability of change."""
    frame = answers.frame
    long = frame.melt(
        ["client", "session"], list(answers.items), var_name="item", value_name="value"
    ).dropna()
    several = frame.groupby("client")["session"].nunique()
    if int((several >= 2).sum()) < FEWEST_FORMS or len(answers.items) < 2:
        found.say(
            "no_change_reliability",
            label,
            "Too few clients have two forms of {label}, so reliability of change cannot be computed.",
            label=label,
        )
        return
    typical = int(several.median())
    try:
        found.change.append(nested_reliability(long, typical))
        if crossed:
            found.change.append(crossed_reliability(long, typical))
    except AllianceError as error:
        found.say(
            "change_reliability_failed",
            label,
            "Reliability of change in {label}: {why}",
            label=label,
            why=told(error),
        )


def side_by_side(frame: pd.DataFrame, items: Sequence[str], occasions: Sequence[int]) -> pd.DataFrame:
    """One row a client; columns are all items at the first occasion, then at the second, ..."""
    parts = [
        frame[frame["session"].eq(s)].set_index("client")[list(items)].add_suffix(f" ({s})")
        for s in occasions
    ]
    return pd.concat(parts, axis=1)


def compare(
    found: Found, wide: pd.DataFrame, answers: Answers, occasions: Sequence[str], label: str, what: str
) -> None:
    """Invariance of all subscales together, or one by one where clients are too few for that."""
    if len(occasions) < 2 or len(answers.items) < 2:
        return
    groups = answers.groups or {label: answers.items}
    together = sum(len(own) for own in groups.values()) * len(occasions)
    sets = [groups] if len(wide) >= CLIENTS_PER_ITEM * together else [{k: v} for k, v in groups.items()]
    if len(sets) > 1:
        found.say(
            "subscales_alone",
            label,
            "{n:noun} {n:is|are} too few to test {label} {what} with all its subscales at once ({variables} variables); each "
            "subscale was tested alone.",
            "info",
            n=Count(len(wide), "client"),
            label=label,
            what=what,
            variables=Number(together, "integer"),
        )
    for own in sets:
        names = [item for group in own.values() for item in group]
        columns = [
            wide.columns[k * len(answers.items) + answers.items.index(n)]
            for k in range(len(occasions))
            for n in names
        ]
        part = wide[columns].dropna(how="all")
        where = f"{', '.join(own)}, {what}"
        if len(part) < CLIENTS_PER_ITEM * len(columns):
            found.say(
                "few_clients_for_invariance",
                where,
                "{n:noun} {n:is|are} too few to compare {answers} answers ({what}): at least {needed} per answer are needed.",
                n=Count(len(part), "client"),
                answers=Number(len(columns), "integer"),
                what=where,
                needed=Number(CLIENTS_PER_ITEM, "integer"),
            )
        elif ((part.max() - part.min()) <= 0).any() or part.notna().sum().min() < FEWEST_FORMS:
            found.say(
                "items_without_variation",
                where,
                "At one of the occasions an item has hardly any answers, or all are the same "
                "({what}): invariance was not tested.",
                what=where,
            )
        else:
            try:
                base = unrestricted(part)
                steps = invariance(part, own, occasions, where, base)
            except FitError as error:
                found.say(
                    "invariance_not_tested",
                    where,
                    "Invariance was not tested ({what}): {why}",
                    what=where,
                    why=told(error),
                )
                continue
            found.steps += steps
            if len(own) > 1 and not all(factors_differ(s.fit, len(own)) for s in steps):
                found.say(
                    "subscales_not_distinguished",
                    label,
                    "The subscales of {label} cannot be distinguished {what}: as factors they "
                    "would correlate above {one}. All items together were also tested as one "
                    "factor.",
                    "info",
                    label=label,
                    what=what,
                    one=Number(1, "integer"),
                )
                found.steps += invariance(
                    part, {"all items": tuple(names)}, occasions, f"one factor, {what}", base
                )


def _improper(found: Found) -> None:
    """Findings of models that did not converge or are improper."""
    fits = [(f"{m.name}, {m.where}", m.fit) for m in found.models]
    fits += [(f"{s.level}, {s.where}", s.fit) for s in found.steps]
    for where, fit in fits:
        if not fit.converged:
            found.say(
                "factor_model_not_converged",
                where,
                "This factor model did not converge. Its numbers are not used.",
            )
        elif fit.improper:
            found.say(
                "improper_solution",
                where,
                "Improper solution: {values}. The model is too complex for these data, or wrong.",
                values="; ".join(fit.improper),
            )
        elif pd.isna(fit.se).any():
            found.say(
                "singular_information",
                where,
                "Standard errors of this factor model cannot be computed, because the data do not "
                "determine all its parameters.",
            )
