"""What a reader of the report on predictors of the alliance has to know."""

from collections.abc import Mapping, Sequence

import pandas as pd

from alliance_longitudinal.analyses.alliance_predictors.asked import SEVERITY
from alliance_longitudinal.analyses.alliance_predictors.compute import Model, Ratings
from alliance_longitudinal.analyses.alliance_predictors.design import Predictor
from alliance_longitudinal.analyses.kit import Draft, Number, listed, short
from alliance_longitudinal.data.study import Measure

#: Fewer clients per coefficient of the client level than this, or therapists per one of theirs, make estimates unstable.
PER_EFFECT = 10
_MANY = (
    "The model has {k:noun} of clients and fewer than {least} clients per effect. With so many effects for so few clients, estimates are "
    "unstable. Name fewer predictors."
)
_MANY_OF_THERAPISTS = (
    "The model has {k:noun} that {k:compares|compare} therapists, and {j:noun}. With fewer than {least} therapists per effect, do not rely "
    "on effects between therapists. Name fewer predictors."
)


def note_design(draft: Draft, models: Mapping[str, Model], predictors: Sequence[Predictor]) -> None:
    """Effects that have no estimate, and designs with many effects for few people."""
    constant = sorted({words for m in models.values() for words in m.design.constant})
    if constant:
        draft.find(
            "constant_predictor",
            "info",
            "These do not differ between the people that they would compare, so they have no effect in the report: {names}.",
            "predictors",
            names=listed(constant),
        )
    rare = [p.label for p in predictors if p.rare & set(p.categories)]
    if rare:
        draft.find(
            "rare_category",
            "info",
            "Categories with fewer than {few} people are numbered and not named: in {names}. Their effects are imprecise.",
            "predictors",
            few=Number(draft.study.small_cells, "integer"),
            names=listed(rare),
        )
    for name, words in (("clients", _MANY), ("therapists", _MANY_OF_THERAPISTS)):
        crowded = [m for m in models.values() if _crowded(m, name)]
        if crowded:
            model = crowded[0]
            k = _effects(model, name)
            draft.find(
                "many_predictors" if name == "clients" else "many_therapist_predictors",
                "caution",
                words,
                "; ".join(m.fitted.title for m in crowded),
                k=Number(k, "integer", "effect"),
                j=Number(model.therapists, "integer", "therapist"),
                least=Number(PER_EFFECT, "integer"),
            )


def _effects(model: Model, name: str) -> int:
    if name == "therapists":
        return model.design.therapist_terms
    return sum(1 for e in model.design.effects if not e.of_therapists)


def _crowded(model: Model, name: str) -> bool:
    k = _effects(model, name)
    return k > 0 and (model.n if name == "clients" else model.therapists) < PER_EFFECT * k


def note_equal_effects(draft: Draft, models: Mapping[str, Model]) -> None:
    """Errors that do not allow effects of clients to differ between therapists, because CR2 has no value."""
    equal = [
        m
        for m in models.values()
        if m.fitted.structure.therapist and m.robust is None and _effects(m, "clients")
    ]
    if equal:
        draft.find(
            "effects_taken_as_equal",
            "caution",
            "Errors by therapist could not be computed, so the effects of clients' predictors are taken to be the same for all therapists. If "
            "they differ, the true uncertainty is larger than the intervals say.",
            "; ".join(m.fitted.title for m in equal),
        )


def note_severity(draft: Draft, predictors: Sequence[Predictor], a: Measure, y: Measure | None) -> None:
    """The same person rated symptoms and alliance."""
    if y is None or y.rater != a.rater or SEVERITY not in {p.name for p in predictors}:
        return
    draft.find(
        "same_rater_severity",
        "caution",
        "The {rater} rated both the symptoms at intake and the alliance. A tendency to rate high or low changes both, so their "
        "relation may be partly one of ratings.",
        "severity at intake",
        rater=a.rater,
    )


def note_leavers(draft: Draft, ratings: Ratings, time: str) -> None:
    """Growth is seen in those who stay."""
    last = ratings.sessions.groupby("client")["weeks"].max() + ratings.middle
    draft.find(
        "growth_from_stayers",
        "info",
        "For half of the clients the ratings end by {time} {end}; later growth is that of clients who stay. It is estimated as if "
        "later ratings were missing at random, given the earlier ones.",
        "growth",
        time=time,
        end=Number(float(last.median()), n=len(last)),
    )


def note_few_therapists(draft: Draft, therapists: int, needed: int) -> None:
    """Too few therapists for effects between them."""
    draft.find(
        "therapists_not_compared",
        "caution",
        "{n:noun} {n:is|are} too few to compare therapists ({needed} are needed; parameter 'min_therapists'). The report has no "
        "effects between therapists, and predictors of clients are compared within therapists only.",
        "therapists",
        n=Number(therapists, "integer", "therapist"),
        needed=Number(needed, "integer"),
    )


def note_tests(draft: Draft, tested: int, predictors: int) -> None:
    """How many tests the report makes."""
    draft.find(
        "several_tests",
        "info",
        "The report tests {k:noun} of {p:noun}. Use q in place of p: among effects with q below a limit, at most this share is "
        "expected to be chance. q allows for the tests of this report only, not for predictors that were tried before.",
        "predictors",
        short("benjamini1995"),
        k=Number(tested, "integer", "effect"),
        p=Number(predictors, "integer", "predictor"),
    )


def note_styles(draft: Draft) -> None:
    """Cutting two scales into four groups loses information."""
    draft.find(
        "styles_lose_information",
        "caution",
        "Attachment styles are formed by splitting anxiety and avoidance at the midpoint of their scale. Clients near the midpoint count "
        "as different although they are alike, so prefer the effects of anxiety and avoidance.",
        "attachment style",
        short("fraley2015"),
    )


def missing_in(people: pd.DataFrame, predictors: Sequence[Predictor]) -> list[str]:
    """Names of the predictors that are known for none of ``people``."""
    return [p.name for p in predictors if not p.of(people).notna().any()]
