"""What the report is asked for: predictors by their names, attachment, interactions; and the clients for whom they are known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.design import STYLE, Predictor
from alliance_longitudinal.analyses.kit import (
    Covariate,
    Draft,
    Groups,
    Share,
    with_one,
)
from alliance_longitudinal.analyses.kit.covariates import declared
from alliance_longitudinal.data.study import Measure, Study
from alliance_longitudinal.errors import StudyError

#: What the score at intake is called among the predictors.
SEVERITY = "severity"
STYLES = ("secure", "preoccupied", "dismissing", "fearful")
#: A predictor missing for a larger share of the clients is named.
MANY_MISSING = 0.20


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is asked for.

    Attributes
    ----------
    a : Measure
    predictors : tuple of Predictor
    attachment : dict of str to Predictor
    pairs : list of pairs of Predictor
        Interactions.
    parts : tuple of str
    window : tuple of int
    midpoint : float or None
        Of the attachment scale.
    groups : Groups or None
    seed : int
        Of the values that are filled in.
    """

    a: Measure
    predictors: tuple[Predictor, ...]
    attachment: dict[str, Predictor]
    pairs: list[tuple[Predictor, Predictor]]
    parts: tuple[str, ...]
    window: tuple[int, int]
    midpoint: float | None
    groups: Groups | None
    seed: int


def find_predictors(
    study: Study, names: Sequence[str] | None, severity: "pd.Series[float] | None", without: Iterable[str]
) -> tuple[Predictor, ...]:
    """The predictors called ``names``; None takes the score at intake and every covariate of clients and therapists.

    Parameters
    ----------
    severity : Series or None
        Symptoms at intake by client.
    without : iterable of str
        Names that already have another place: covariates to adjust for, and what the report compares by.

    Raises
    ------
    StudyError
        If a name is not known, is that of a covariate of sessions, or has another place.
    """
    known: dict[str, Predictor] = {}
    for name, found in declared(study).items():
        if found.level != "session":
            known[name] = _of_covariate(found, study)
    if severity is not None and SEVERITY not in known:
        known[SEVERITY] = Predictor(SEVERITY, "client", severity, words="severity at intake")
    taken = set(without)
    if names is None:
        return tuple(p for p in known.values() if p.name not in taken)
    sessions = set(study.session_covariates)
    for name in names:
        if name in sessions:
            raise StudyError(
                f"Parameter 'predictors': {name} is a covariate of sessions. Name covariates of clients or therapists."
            )
        if name in taken:
            raise StudyError(
                f"Parameter 'predictors': {name} is already in 'covariates' or 'by'. Name it in one place only."
            )
        if name not in known:
            there = ", ".join(known) or "none"
            raise StudyError(
                f"Parameter 'predictors': the study has no covariate {name!r} of clients or therapists. It has: {there}."
            )
    return tuple(known[name] for name in dict.fromkeys(names))


def _of_covariate(found: Covariate, study: Study) -> Predictor:
    values = found.values(study)
    level: Literal["client", "therapist"] = "therapist" if found.level == "therapist" else "client"
    if not found.categories:
        values = pd.to_numeric(values).astype(float)
    return Predictor(found.name, level, values, found.categories, found.rare)


def find_attachment(
    predictors: Sequence[Predictor], anxiety: str | None, avoidance: str | None
) -> dict[str, Predictor]:
    """The predictors that hold attachment anxiety and avoidance, by ``anxiety`` and ``avoidance``, where there are any.

    A name is recognised if it says attachment (or ECR) and the dimension. The bare names ``anxiety`` and
    ``avoidance`` count only together, because anxiety alone may be a symptom.

    Raises
    ------
    StudyError
        If a name that was given is not among the predictors of clients that are numbers.
    """
    clients = {p.name: p for p in predictors if p.level == "client" and not p.categories}
    lower = {name.lower(): p for name, p in clients.items()}
    both = {"anxiety", "avoidance"} <= set(lower)
    out = {}
    for dimension, asked, stem in (("anxiety", anxiety, "anx"), ("avoidance", avoidance, "avoid")):
        if asked is not None:
            if asked not in clients:
                there = ", ".join(clients) or "none"
                raise StudyError(
                    f"Parameter 'attachment_{dimension}': {asked!r} is not among the predictors of clients that are "
                    f"numbers: {there}."
                )
            out[dimension] = clients[asked]
            continue
        named = [
            p for low, p in lower.items() if stem in low and any(word in low for word in ("attach", "ecr"))
        ]
        if len(named) == 1:
            out[dimension] = named[0]
        elif both:
            out[dimension] = lower[dimension]
    return out


def style_predictor(attachment: dict[str, Predictor], midpoint: float) -> Predictor:
    """Four attachment styles by cutting both dimensions at the midpoint of their scale."""
    anxiety, avoidance = attachment["anxiety"].values, attachment["avoidance"].values
    both = pd.DataFrame({"anxiety": anxiety, "avoidance": avoidance}).dropna()
    place = both["anxiety"].gt(midpoint).astype(int) + 2 * both["avoidance"].gt(midpoint)
    style = place.map(dict(enumerate(STYLES)))
    there = tuple(s for s in STYLES if s in set(style))
    return Predictor(STYLE, "client", style, there, words="attachment style")


def occurring(predictors: Sequence[Predictor], people: pd.DataFrame) -> tuple[Predictor, ...]:
    """The predictors with the categories that occur among ``people``."""
    out = []
    for predictor in predictors:
        there = set(predictor.of(people).dropna().astype(str)) if predictor.categories else set()
        out.append(replace(predictor, categories=tuple(c for c in predictor.categories if c in there)))
    return tuple(out)


def keep_known(draft: Draft, predictors: Sequence[Predictor], people: pd.DataFrame) -> None:
    """Keep the clients whose predictors are all known, and name predictors that are missing for many."""
    for predictor in predictors:
        known = predictor.of(people).notna()
        if predictor.level == "therapist":  # clients without one have no say in its effect
            known |= ~with_one(people["therapist"])
        if known.all():
            continue
        if (~known).mean() > MANY_MISSING:
            draft.find(
                "predictor_missing",
                "caution",
                "{name} is not known for {share} of the clients. They are left out of the models with all predictors, and may "
                "differ from the others. Compare with the rows in which it is filled in and with each predictor alone, or name fewer predictors.",
                predictor.name,
                name=predictor.label,
                share=Share(int((~known).sum()), len(people)),
            )
        who = set(people.loc[known, "client"])
        draft.keep(
            draft.sessions["client"].isin(who),
            f"Clients whose {predictor.label} is known",
            f"{predictor.label} is not known",
        )


def interactions_of(
    asked: Sequence[str], predictors: Sequence[Predictor]
) -> list[tuple[Predictor, Predictor]]:
    """Pairs of a client's and a therapist's predictor, from texts such as ``avoidance:experience``.

    Raises
    ------
    StudyError
        If a text is not two predictors of the report, one of each level, that are numbers or have two categories.
    """
    known = {p.name: p for p in predictors}
    out = []
    for text in asked:
        names = [part.strip() for part in text.split(":")]
        if len(names) != 2:
            raise StudyError(
                f"Parameter 'interactions': {text!r} is not a pair. Write two predictors, such as avoidance:experience."
            )
        for name in names:
            if name not in known:
                there = ", ".join(known) or "none"
                raise StudyError(
                    f"Parameter 'interactions': {name!r} in {text!r} is not among the predictors: {there}."
                )
        pair = sorted((known[n] for n in names), key=lambda p: p.level)
        if [p.level for p in pair] != ["client", "therapist"]:
            raise StudyError(
                f"Parameter 'interactions': {text!r} needs one predictor of clients and one of therapists."
            )
        many = [p.name for p in pair if len(p.categories) > 2]
        if many:
            raise StudyError(
                f"Parameter 'interactions': {many[0]} in {text!r} has more than two categories. Name a number, or a category "
                "of two values."
            )
        out.append((pair[0], pair[1]))
    return out


def without_styles(
    predictors: Sequence[Predictor], attachment: dict[str, Predictor]
) -> tuple[Predictor, ...]:
    """The predictors without the two dimensions that the styles are made of."""
    names = {p.name for p in attachment.values()}
    return tuple(p for p in predictors if p.name not in names)
