"""Tables and sentences of the report on dose."""

from alliance_longitudinal.analyses.dose.compute import Times
from alliance_longitudinal.analyses.dose.design import Dose
from alliance_longitudinal.analyses.kit import ESTIMATE, TEST, Draft, Number
from alliance_longitudinal.analyses.kit.norms import direction_of
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.present import Column

#: Smaller differences of AIC say little.
CLOSE = 2.0

LIMITS = (
    "Length of treatment is a result of change and of the alliance (a collider). It is not known what would have happened with more or fewer sessions, "
    "and effects of the alliance must not be adjusted for length.",
    "A score that is compared at every session crosses the limit sooner by random fluctuation alone. The rows for improvements that the next score "
    "kept show how much that matters.",
    "The Kaplan-Meier estimate assumes that clients who left would have improved like those who stayed.",
    "The good-enough-level model and the dose model are descriptions. Neither proves why treatments end.",
)


def tables(draft: Draft, by: int) -> None:
    """Times and shares, and length."""
    medians = [e for e in draft.estimates if e.id.startswith("median_")]
    shares = [
        e for e in draft.estimates if e.id.startswith(f"share_by_{by}") and e.unit == "share of clients"
    ]
    modelled = [
        Column(key, label, "percent", of="n", modelled=True)
        for key, label in (("estimate", "Estimate"), ("ci_low", "95 % low"), ("ci_high", "95 % high"))
    ]
    count = Column("n", "Clients", "count")
    draft.table_of(
        "shares",
        "Reliable improvement by the chosen session",
        "answer",
        shares,
        [Column("label", "What"), *modelled, count],
        "In treatment: clients who left without improvement have not improved (Aalen & Johansen). Kaplan-Meier: they are taken as censored, which is too "
        "high if the clients who leave would not have improved. Intervals allow for clients who share a therapist.",
    )
    if medians:
        draft.table_of(
            "medians",
            "Sessions to reliable improvement",
            "answer",
            medians,
            [
                Column("label", "What"),
                *(Column(c.key, c.label, "integer", of="n") for c in ESTIMATE),
                count,
            ],
            "Session at whose score half of the clients had improved. A limit is missing if the interval of the curve does not reach one half.",
        )
    rest = [
        e
        for e in draft.estimates
        if e.id in ("slope", "slope_by_length", "length_by_alliance", "alliance_by_length")
    ]
    if rest:
        draft.table_of(
            "length",
            "Length of treatment, change and alliance",
            "results",
            rest,
            [Column("label", "What"), Column("unit", "Unit"), *ESTIMATE, *TEST],
            "Length: last attended session, of treatments that have ended. Good-enough level: clients who improve slowly stay longer, so the change per "
            "session is smaller in long treatments. Dose: the change per session is the same, so long treatments bring more.",
        )


def answer(draft: Draft, dose: Dose, y: Measure, by: int) -> None:
    """The question answered in a few sentences."""
    share, alone = draft[f"share_by_{by}"], draft[f"share_by_{by}_km"]
    if share is not None and alone is not None:
        draft.say(
            "By session {k}, {s} of the clients had improved reliably in {label} while in treatment (95 % interval {s:interval}). If those who left are taken "
            "to be like those who stayed (Kaplan-Meier), it is {a} ({a:interval}).",
            k=Number(by, "integer"),
            s=share.share(),
            label=y.instrument.label,
            a=alone.share(),
        )
    median = draft["median_sessions_reliable"]
    if median is not None:
        draft.say(
            "By the same estimate, half of the clients had improved reliably by session {m}.",
            m=Number(median.estimate, "integer", n=median.n),
        )
    else:
        draft.say("Fewer than half of the clients improved reliably within the sessions that were observed.")
    slope, gap = draft["slope_by_length"], draft["gel_vs_dose_aic"]
    if slope is None or gap is None:
        return
    better = direction_of(y)
    clear = slope.ci_low > 0 or slope.ci_high < 0
    what = (
        "did not clearly differ in their change per session"
        if not clear
        else "improved faster per session"
        if slope.estimate * better > 0
        else "improved more slowly per session"
    )
    draft.say(
        "Clients with longer treatments {what} (for each session that treatment is longer, {e} {unit}, 95 % interval {e:interval}); {verdict}.",
        what=what,
        e=slope.number(),
        unit=f"{y.instrument.label} points per session",
        verdict=_verdict(gap.estimate, slope.estimate * better),
    )


def _verdict(gap: float, faster: float) -> str:
    """What the comparison says; rates that differ the other way round are not a good-enough level."""
    if gap <= CLOSE:
        return "one rate for all lengths describes the scores about as well"
    if faster > 0:
        return "rates that differ by length describe the scores better, but not in the way of a good-enough level"
    return "the good-enough-level model describes the scores better than one rate for all lengths"


def findings(draft: Draft, dose: Dose, times: Times, y: Measure, n_excluded: bool) -> None:
    """What a reader of the numbers has to know."""
    draft.find(
        "length_is_a_result",
        "info",
        "Length of treatment follows from change, alliance and other reasons to stay. Do not adjust the effect of the alliance for it.",
        "length",
    )
    if n_excluded:
        draft.find(
            "cannot_improve",
            "info",
            "Clients whose first score leaves no room for a reliable improvement are not among those who could improve.",
            y.instrument.label,
        )
    by = [e for e in draft.estimates if e.id.startswith("share_by_") and e.id.endswith("_held")]
    full = [e for e in draft.estimates if e.id.startswith("share_by_") and e.id.endswith("_km")]
    if by and full and full[0].estimate - by[0].estimate > 0.1:
        draft.find(
            "many_not_kept",
            "caution",
            "Many first improvements were not kept at the next score: {held} instead of {all} of the clients had an improvement that was. Some of the first "
            "improvements are random fluctuation.",
            y.instrument.label,
            held=by[0].share(),
            all=full[0].share(),
        )
    if not dose.clients["end"].isna().any() and "ending" not in draft.study.clients:
        draft.find(
            "endings_unknown",
            "info",
            "The study does not record how treatments ended, so each client's last session counts as the end of treatment.",
            "endings",
        )
    interaction = draft["alliance_by_length"]
    if interaction is not None and not interaction.ci_low <= 0 <= interaction.ci_high:
        draft.find(
            "alliance_by_length_is_selected",
            "caution",
            "The alliance's link with change differs by length. Because length is a result of both, who stays in treatment can alone produce such a difference.",
            "alliance and length",
        )


def method_of(y: Measure, dose: Dose, inclusive: bool, by: int, modelled: bool, checked: bool) -> list[str]:
    """The methods paragraphs."""
    more = "at least" if inclusive else "more than"
    out = [
        f"A client improved reliably at the first session whose score of {y.label} was {more} {dose.points:g} points better than the first score. The share of "
        "clients with such an improvement by each session was estimated in treatment, with leaving as a competing end (Aalen & Johansen), by the "
        "Kaplan-Meier method, and for intervals between scores (Turnbull). Standard errors are by therapist, with the t distribution of the number of therapists less one; limits of the median are those at which the "
        "pointwise limits reach one half."
    ]
    out.append(
        "The main number is a session read from a curve, which has no residuals to look at"
        + ("; internal reports check the model of length instead." if checked else ".")
    )
    if modelled:
        out.append(
            "Length of treatment was the last attended session of treatments that have ended. Mixed models of the scores over sessions had length and, for the "
            "good-enough-level model, its product with the session as predictors; the average course could bend at up to four places (fifths of the scored sessions), because a course that levels "
            "off would otherwise look like a good-enough level. They were compared by Akaike's criterion (maximum likelihood)."
        )
    return out
