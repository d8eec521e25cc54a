"""Everything that the answers at hand allow, and a finding for what they do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from alliance_longitudinal.analyses.measurement_parts.answers import Answers
from alliance_longitudinal.errors import AllianceError, FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.psychometrics.factors.structure import (
    CLIENTS_PER_ITEM,
    Model,
    Step,
    invariance,
    one_occasion,
    told_apart,
)
from alliance_longitudinal.methods.psychometrics.reliability.change_reliability import (
    ChangeReliability,
    crossed_reliability,
    nested_reliability,
)
from alliance_longitudinal.methods.psychometrics.reliability.consistency import Coefficient, alpha, omega

FEWEST_FORMS = 10


@dataclass(slots=True)
class Found:
    """What was computed, collected step by step."""

    alphas: list[tuple[str, Coefficient]] = field(default_factory=list)
    omegas: list[tuple[str, Coefficient]] = field(default_factory=list)
    change: list[ChangeReliability] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(self, code: str, message: str, where: str) -> None:
        """Add a finding that limits what the numbers can carry."""
        self.findings.append(Finding(code, "caution", message, where))


def from_items(answers: Answers, occasions: Sequence[int], label: str, crossed: bool) -> Found:
    """Consistency, change reliability, factor models and invariance over occasions."""
    found = Found()
    if answers.constant:
        found.say(
            "constant_items",
            f"{len(answers.constant)} of the items of {label} have the same answer everywhere ({', '.join(answers.constant)}) and "
            "are left out: they tell nobody apart.",
            label,
        )
    for session in occasions:
        _one_form(found, answers, session, label)
    _change(found, answers, label, crossed)
    wide = side_by_side(answers.frame, answers.items, occasions)
    compare(found, wide, answers, [f"session {s}" for s in occasions], label, "over sessions")
    _improper(found)
    return found


def _one_form(found: Found, answers: Answers, session: int, label: str) -> None:
    form = answers.frame[answers.frame["session"].eq(session)]
    where = f"session {session}"
    complete = form[list(answers.items)].dropna()
    if len(answers.items) < 2:
        found.say(
            "few_items",
            f"{label} has fewer than two items with different answers: no reliability of it.",
            label,
        )
        return
    if len(complete) < FEWEST_FORMS:
        found.say(
            "few_forms",
            f"Only {len(complete)} complete forms of {label} at {where}: no reliability of it.",
            where,
        )
        return
    found.alphas.append((where, alpha(complete.to_numpy(float))))
    usable = [i for i in answers.items if form[i].max() > form[i].min()]
    if len(form) < CLIENTS_PER_ITEM * len(usable):
        found.say(
            "few_clients_for_factors",
            f"{len(form)} forms of {label} at {where} are too few for a factor model of {len(usable)} items: at least "
            f"{CLIENTS_PER_ITEM} an item.",
            where,
        )
        return
    groups = {name: tuple(i for i in own if i in usable) for name, own in answers.groups.items()}
    if len(usable) < 2:
        return
    try:
        models = one_occasion(form, {k: v for k, v in groups.items() if len(v) >= 2}, usable, where)
    except FitError as error:
        found.say("factor_model_failed", str(error), where)
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
            "no_change_reliability", f"Too few clients have {label} twice: no reliability of change.", label
        )
        return
    typical = int(several.median())
    try:
        found.change.append(nested_reliability(long, typical))
        if crossed:
            found.change.append(crossed_reliability(long, typical))
    except AllianceError as error:
        found.say("change_reliability_failed", f"Reliability of change in {label}: {error}", label)


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
    groups = answers.groups or {"alliance": answers.items}
    together = sum(len(own) for own in groups.values()) * len(occasions)
    sets = [groups] if len(wide) >= CLIENTS_PER_ITEM * together else [{k: v} for k, v in groups.items()]
    if len(sets) > 1:
        message = (
            f"{len(wide)} clients are too few to test {label} {what} with all its subscales at once ({together} variables); "
            "each subscale was tested alone."
        )
        found.findings.append(Finding("subscales_alone", "info", message, label))
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
                f"{len(part)} clients are too few to compare {len(columns)} answers ({where}): at least {CLIENTS_PER_ITEM} each.",
                where,
            )
        elif ((part.max() - part.min()) <= 0).any() or part.notna().sum().min() < FEWEST_FORMS:
            found.say(
                "items_without_variation",
                f"An item has one answer only, or hardly any, at one of the occasions ({where}): invariance was not tested.",
                where,
            )
        else:
            try:
                steps = invariance(part, own, occasions, where)
            except FitError as error:
                found.say("invariance_not_tested", f"Invariance was not tested ({where}): {error}", where)
                continue
            found.steps += steps
            if len(own) > 1 and not all(told_apart(s.fit, len(own)) for s in steps):
                found.findings.append(
                    Finding(
                        "subscales_not_told_apart",
                        "info",
                        f"The subscales of {label} cannot be told apart {what}: as factors they would correlate beyond 1. All answers together "
                        "were tested as one factor, too.",
                        label,
                    )
                )
                found.steps += invariance(
                    part, {"all answers": tuple(names)}, occasions, f"one factor, {what}"
                )


def _improper(found: Found) -> None:
    """Findings of models that did not converge or have impossible values."""
    fits = [(f"{m.name}, {m.where}", m.fit) for m in found.models]
    fits += [(f"{s.level}, {s.where}", s.fit) for s in found.steps]
    for where, fit in fits:
        if not fit.converged:
            found.say(
                "factor_model_not_converged",
                "No best solution of this factor model was found in these data; its numbers are not used.",
                where,
            )
        elif fit.improper:
            found.say(
                "improper_solution",
                f"An impossible value: {'; '.join(fit.improper)}. The model asks too much of these data, or does not hold.",
                where,
            )
        elif pd.isna(fit.se).any():
            found.say(
                "singular_information",
                "Standard errors of this factor model cannot be computed: the data do not determine all its parameters.",
                where,
            )
