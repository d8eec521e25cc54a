"""The words of the dropout report."""

from alliance_longitudinal.analyses.kit import Fitted, Number, Sentence, say
from alliance_longitudinal.data.study import Measure

LIMITS = (
    "An association between the alliance up to a session and leaving before the next: what changed both is not seen.",
    "Only clients who rated the alliance at least once are in the models. Those who left before any rating are not.",
    "A client whose last rating is older than the last session counts with that older rating.",
)


def rule_words(recorded: bool, k: int) -> str:
    """What counts as dropout."""
    if recorded:
        return "the ending that the study records"
    return say("fewer than {k:noun}", k=Number(k, "integer", "session"))


def labels_of(k: int) -> dict[str, str]:
    """Words of each definition."""
    return {
        "recorded": "Recorded as dropout",
        "not_planned": "Not recorded as planned",
        "few": say("Last seen before session {k}", k=Number(k, "integer")),
        "median": "Last seen before the median client",
        "one": "Not seen after the first session",
    }


def method_of(a: Measure, y: Measure, model: Fitted, recorded: bool, k: int) -> list[Sentence | str]:
    """Paragraphs of the methods section."""
    what = (
        "Dropout is the recorded ending; planned and other ends are competing events."
        if recorded
        else say(
            "Clients with fewer than {k:noun} count as dropouts after their last one; the others leave the analysis at "
            "session {k}.",
            k=Number(k, "integer", "session"),
        )
    )
    return [
        say(
            "A discrete-time hazard model related leaving before a session to what was known until then ({formula}): the "
            "client's mean {alliance} over the sessions so far, the last rating less that mean, and the last {outcome}. The "
            "mean holds no later rating, because those who stay longer would otherwise have means of later sessions. ",
            formula=model.formula,
            alliance=a.label,
            outcome=y.label,
        )
        + what,
        "The baseline hazard has steps of sessions with enough dropouts each. Each kind of end has a model of its own against "
        "staying, which gives the parameters of the multinomial model (Begg & Gray). The share of clients who have dropped out "
        "by a session is the cumulative incidence of Aalen and Johansen, with errors by therapist.",
        f"Models were fitted by maximum likelihood ({model.structure.words}). Odds ratios are per standard deviation over the "
        "sessions at risk; the size d is the logarithm of the odds ratio times the root of three over pi.",
    ]
