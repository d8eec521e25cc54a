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
        "{s} (95 % interval {s:interval}) of {n:noun} had a sudden gain in {label}: a lasting "
        "{way} of at least {points} points from one session to the next.",
        s=gain.share(),
        n=Count(gain.n, "client"),
        label=label,
        way="fall" if gains.fall else "rise",
        points=f"{gains.main.rules.points:.4g}",
    )
    if expected is not None:
        draft.say(
            "If all clients changed gradually, random fluctuation alone would produce {e} "
            "({e:interval} in 95 % of simulated clinics).",
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
        "adjusted": "the means of up to three scores before and after differed by more than the critical value "
        f"of {level}, with the degrees of freedom of the available scores, times the pooled "
        "standard deviation",
        "fixed": f"the means of up to three scores before and after differed by more than the critical value of {level} and 4 degrees "
        "of freedom times the pooled standard deviation",
        "t-test": f"a two-sample t-test of up to three scores before and after, with {level}, was significant",
        "none": "",
    }[rules.stability]
    return ", ".join(parts) + (f", and {third}" if third else "")


def describe(gains: Gains, measure: Measure, n: int, seed: int, intake: bool) -> str:
    """The methods paragraph."""
    text = (
        f"Sudden gains in {measure.label} were identified by the criteria of Tang and DeRubeis "
        f"(1999): {rules_in_words(gains.main.rules, gains.fall)}. Points of the first criterion: "
        f"{gains.points_from}. A change needed at least two scores before and two after it. Sudden "
        "losses were identified by the same criteria in the opposite direction. A change was "
        "called reversed if more than half of it was lost again at some later session. "
        f"{'Session 0 (intake) was included. ' if intake else 'Scores before session 1 were left out. '}Shares "
        "have Wilson intervals with the effective number of clients, from the CR2 cluster-robust "
        "variance (clusters: therapists) with Satterthwaite degrees of freedom. "
    )
    if gains.steady is not None:
        text += (
            "A simulation showed what gradual change alone would produce. A linear mixed model was "
            "fitted by REML, with a common curve (session and its logarithm), a straight line for "
            f"each client, and first-order autoregressive fluctuation. Gains were counted in {n} "
            f"data sets simulated from this model (seed {seed}), with the same sessions as the "
            "clients have and within the range of the instrument. "
        )
    return text.strip()
