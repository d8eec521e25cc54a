"""The sentences of the sudden-gains report."""

from alliance_longitudinal.analyses.kit import Count, Draft, Number
from alliance_longitudinal.analyses.sudden_gains.compute import Gains
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.labels import number
from alliance_longitudinal.methods.psychometrics.gains.events import Rules


def answer(draft: Draft, gains: Gains, label: str) -> None:
    """The question answered in two or three sentences."""
    gain, loss, expected = draft["gain_clients"], draft["loss_clients"], draft["gain_expected"]
    assert gain is not None
    assert loss is not None
    draft.say(
        "{s} (95 % interval {s:interval}) of {n:noun} had a sudden gain in {label}: a {way} of at least {points} points from one "
        "session to the next that lasted.",
        s=gain.share(),
        n=Count(gain.n, "client"),
        label=label,
        way="fall" if gains.fall else "rise",
        points=f"{gains.main.rules.points:.4g}",
    )
    if expected is not None:
        draft.say(
            "If everybody changed gradually and only fluctuated around it, {e} would be expected ({e:interval} in 95 % of "
            "simulated clinics).",
            e=Number(expected.estimate, "percent", low=expected.ci_low, high=expected.ci_high),
        )
    draft.say("{s} (95 % interval {s:interval}) had a sudden loss.", s=loss.share())


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


def describe(gains: Gains, measure: Measure, n: int, seed: int, intake: bool) -> str:
    """The methods paragraph."""
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
            "What gradual change alone would produce was found by simulation: a linear mixed model with a curve common to all (session and its "
            "logarithm), a straight line of each client and first-order autoregressive fluctuation was fitted by REML, and gains were "
            f"counted in {n} data sets simulated from it (seed {seed}) with the sessions that the clients have, within the range of the "
            "instrument. "
        )
    return text.strip()
