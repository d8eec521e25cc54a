"""The words of the dropout report."""

from alliance_longitudinal.analyses.dropout.compute import Link
from alliance_longitudinal.analyses.kit import Fitted, Number, Sentence, say
from alliance_longitudinal.data.study import Measure

LIMITS = (
    "The result is an association between the alliance up to a session and dropout before the next "
    "one. Something that was not measured may influence both.",
    "Only clients with at least one alliance score are in the models, not those who dropped out "
    "before their first score.",
    "The effect of the alliance is taken to be the same for all therapists. If it differs between them, the intervals are too narrow.",
    "If a client has no score at the last session, the most recent score counts.",
    "Missing ratings and the error of single ratings make the effect of the last rating look smaller than it is (in simulated "
    "clinics by about a sixth to a third); the effect of the mean rating is hardly affected.",
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


def method_of(
    a: Measure, y: Measure, model: Fitted, recorded: bool, k: int, lag: int, link: Link
) -> list[Sentence | str]:
    """Paragraphs of the methods section."""
    what = (
        "Dropout is the recorded ending; planned and other endings are competing events."
        if recorded
        else say(
            "Clients with fewer than {k:noun} count as dropouts after their last one; the others leave the analysis at "
            "session {k}.",
            k=Number(k, "integer", "session"),
        )
    )
    return [
        say(
            "A discrete-time hazard model related dropout before a session to earlier scores "
            "({formula}): the client's mean {alliance} over the sessions so far, the difference of "
            "the last score from this mean, and the last {outcome}. The mean does not include "
            "later scores, because otherwise clients who stay longer would have means of more "
            "sessions. {lagged}",
            lagged=say(
                "Scores up to {lag:noun} before the one at risk enter. ",
                lag=Number(lag, "integer", "session"),
            )
            if lag > 1
            else "",
            formula=model.formula,
            alliance=a.label,
            outcome=y.label,
        )
        + what,
        "The baseline hazard is constant within steps of sessions with enough dropouts. Each kind "
        + (
            "of ending has a separate model that compares it with staying, which gives the parameters "
            "of the multinomial model (Begg & Gray)."
            if link == "logit"
            else "of ending has a separate model of its hazard in the time between two sessions (complementary log-log link; Prentice & "
            "Gloeckler)."
        )
        + " The share of clients who have dropped out by a "
        "session is the cumulative incidence of Aalen and Johansen, with errors by therapist.",
        f"Models were fitted by maximum likelihood ({model.structure.words}). {'Odds' if link == 'logit' else 'Hazard'} ratios are per "
        f"standard deviation over the sessions at risk.{_D if link == 'logit' else ''} A client stays or leaves at a session, so there "
        "are no residuals to look at.",
    ]


_D = (
    " The standardised difference d is the logarithm of the odds ratio of the mean so far. For normally distributed scores this is the "
    "difference between the means of clients who drop out and clients who stay, in standard deviations."
)
