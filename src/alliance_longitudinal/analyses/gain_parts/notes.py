"""What a reader of the gains has to know."""

import numpy as np

from alliance_longitudinal.analyses.gain_parts.compute import Gains
from alliance_longitudinal.analyses.kit.norms import KnownNorms
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.labels import count, listing, number

#: With fewer clients an interval of a proportion spans a third of the scale.
FEW = 30


def gain_findings(gains: Gains, known: KnownNorms, measure: Measure) -> list[Finding]:
    """Findings about the sample, the rules and what steady change would show."""
    label = measure.instrument.label
    return [*_sample(gains, label), *_rules(gains, known, measure), *_expected(gains, label)]


def _sample(gains: Gains, label: str) -> list[Finding]:
    out = []
    if gains.clients < FEW:
        message = (
            f"{count(gains.clients, 'client')} could be tested: the shares are rough; read their intervals."
        )
        out.append(Finding("few_clients", "caution", message, label))
    therapists = int(gains.table["therapist"].nunique())
    if therapists < 10:
        message = (
            f"With {count(therapists, 'therapist')} the allowance for clients who share a therapist is itself uncertain; the "
            "intervals have few degrees of freedom and are wide."
            if therapists > 1
            else "All clients have one therapist: the intervals speak of this therapist's clients only."
        )
        out.append(Finding("few_clusters", "caution", message, "therapists"))
    tested = len(gains.table) / gains.pairs
    if tested < 0.7:
        message = (
            f"Only {number(tested, 'percent')} of the pairs of consecutive sessions with {label} could be tested; the others have "
            "fewer than two scores before or after. Gains in the first and last sessions, and beside missing forms, are not seen."
        )
        out.append(Finding("few_tested", "info", message, label))
    return out


def _rules(gains: Gains, known: KnownNorms, measure: Measure) -> list[Finding]:
    label, instrument = measure.instrument.label, measure.instrument
    out = []
    published = gains.points_from.startswith("published")
    unsure = [w for w in known.from_memory if (w == "points of reliable change") == published]
    if unsure and not gains.points_from.startswith("given"):
        message = (
            f"Facts about {label} that rest on memory and were not checked against the manual: {listing(unsure)}. Compare them with "
            "yours before you rely on the counts."
        )
        out.append(Finding("change_norms_unchecked", "caution", message, label))
    if gains.main.rules.share is not None and not gains.fall:
        message = (
            f"Higher {label} is better, so a gain is a rise by {number(gains.main.rules.share, 'percent')} of the score before it: easier "
            "from a low score than from a high one. The rule was made for scales on which a gain is a fall; percent=none leaves it out."
        )
        out.append(Finding("percent_of_a_rise", "caution", message, label))
    elif gains.main.rules.share is not None and instrument.total_range and instrument.total_range[0] != 0:
        message = (
            f"The lowest score of {label} is {number(instrument.total_range[0])} and not 0, so that "
            f"{number(gains.main.rules.share, 'percent')} of a score is more, or less, than of its distance from the lowest. percent=none "
            "leaves this rule out."
        )
        out.append(Finding("percent_without_zero", "caution", message, label))
    return out


def _expected(gains: Gains, label: str) -> list[Finding]:
    expected = gains.main.expected
    if expected is None:
        if not gains.why_not:
            return []
        message = f"How many gains steady change would show is not known, for the model of it cannot be fitted: {gains.why_not}"
        return [Finding("no_expected_gains", "caution", message, label)]
    upper = float(np.quantile(expected.gain_clients, 0.975))
    if gains.main.gain_clients > upper:
        return []
    message = (
        f"No more clients have a sudden gain in {label} than steady change and ordinary fluctuation would show. These gains are no "
        "evidence of sudden change, and what went before them need not have brought them about."
    )
    return [Finding("gains_within_noise", "caution", message, label)]
