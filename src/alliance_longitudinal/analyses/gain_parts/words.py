"""The sentences of the sudden-gains report."""

from alliance_longitudinal.analyses.gain_parts.compute import Gains
from alliance_longitudinal.analyses.kit.versions import versions_sentence
from alliance_longitudinal.analyses.result import Estimate, Methods
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import interval, number
from alliance_longitudinal.methods.psychometrics.gains.events import Rules

_REFERENCES = (
    "Tang, T. Z., & DeRubeis, R. J. (1999). Sudden gains and critical sessions in cognitive-behavioral therapy for depression. "
    "Journal of Consulting and Clinical Psychology, 67, 894-904. doi 10.1037/0022-006X.67.6.894",
    "Lutz, W., Ehrlich, T., Rubel, J., Hallwachs, N., Roettger, M.-A., Jorasz, C., et al. (2013). The ups and downs of "
    "psychotherapy: Sudden gains and sudden losses identified with session reports. Psychotherapy Research, 23, 14-24. doi "
    "10.1080/10503307.2012.693837",
    "Wiedemann, M., Thew, G. R., Stott, R., & Ehlers, A. (2020). suddengains: An R package to identify sudden gains in "
    "longitudinal data. PLOS ONE, 15, e0230276. doi 10.1371/journal.pone.0230276",
    "Dean, N., & Pagano, M. (2015). Evaluating confidence interval methods for binomial proportions in clustered surveys. "
    "Journal of Survey Statistics and Methodology, 3, 484-503.",
)
LIMITS = (
    "A sudden gain is found by rules, and rules find some in mere fluctuation: compare with what steady change would show.",
    "Clients with more sessions have more chances of a gain; compare rates per interval where lengths of treatment differ.",
    "That clients with sudden gains end better is partly arithmetic: the gain is a part of their change.",
)


def answer(gains: Gains, estimates: list[Estimate], label: str) -> tuple[str, ...]:
    """The question answered in two or three sentences."""
    by_id = {e.id: e for e in estimates}
    gain, loss = by_id["gain_clients"], by_id["loss_clients"]
    way = "fall" if gains.fall else "rise"
    first = (
        f"A sudden gain in {label} (a {way} of at least {gains.main.rules.points:.4g} points from one session to the next that "
        f"lasted) was seen in {_share(gain)} of {gain.n} clients."
    )
    out = [first]
    if "gain_expected" in by_id:
        e = by_id["gain_expected"]
        out.append(
            f"If everybody changed steadily and only fluctuated around it, {number(e.estimate, 'percent')} would be expected "
            f"({interval(e.ci_low, e.ci_high, 'percent')} in 95 % of simulated clinics)."
        )
    out.append(f"A sudden loss was seen in {_share(loss)}.")
    return tuple(out)


def _share(e: Estimate) -> str:
    return f"{number(e.estimate, 'percent')} (95 % interval {interval(e.ci_low, e.ci_high, 'percent')})"


def rules_in_words(rules: Rules, fall: bool) -> str:
    """The criteria as a list of clauses."""
    way = "fell" if fall else "rose"
    parts = [f"the score {way} by at least {rules.points:.4g} points from session N to N + 1"]
    if rules.share is not None:
        parts.append(f"and by at least {number(rules.share, 'percent')} of the score at N")
    level = f"Student's t for a two-sided level of {rules.alpha:g}"
    third = {
        "adjusted": f"the means of up to three scores before and after differed by more than the critical value of {level}, with as "
        "many degrees of freedom as scores allow, times the pooled standard deviation",
        "fixed": f"the means of up to three scores before and after differed by more than the critical value of {level} and 4 degrees "
        "of freedom times the pooled standard deviation",
        "t-test": f"a two-sample t-test of up to three scores before and after, with {level}, was significant",
        "none": "",
    }[rules.stability]
    return ", ".join(parts) + (f", and {third}" if third else "")


def methods_parts(gains: Gains, measure: Measure, n: int, seed: int, intake: bool) -> Methods:
    """The methods paragraph and its references."""
    text = (
        f"Sudden gains in {measure.label} were identified by the criteria of Tang and DeRubeis (1999): "
        f"{rules_in_words(gains.main.rules, gains.fall)}. Points of the first criterion: {gains.points_from}. At least two scores before "
        "and two after the change were needed. Sudden losses were identified by the same criteria turned round. A change was called "
        "reversed if more than half of it was undone at any later session. "
        f"{'Session 0 (intake) was included. ' if intake else 'Scores before session 1 were left out. '}"
        "Intervals of shares are Wilson's with the effective number of clients, from the CR2 cluster-robust variance with therapists "
        "as clusters and Satterthwaite degrees of freedom. "
    )
    if gains.steady is not None:
        text += (
            "What steady change would show was found by simulation: a linear mixed model with a curve common to all (session and its "
            "logarithm), a straight line of each client and first-order autoregressive fluctuation was fitted by REML, and gains were "
            f"counted in {n} data sets simulated from it (seed {seed}) with the sessions that the clients have, within the range of the "
            "instrument. "
        )
    references = (*_REFERENCES, *measure.instrument.citations)
    return Methods((text + versions_sentence(),), tuple(sorted(set(references))))
