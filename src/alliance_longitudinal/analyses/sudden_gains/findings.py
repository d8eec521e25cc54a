"""What a reader of the gains has to know."""

import numpy as np

from alliance_longitudinal.analyses.kit import Draft, Number, Share
from alliance_longitudinal.analyses.kit.norms import KnownNorms, unchecked_findings
from alliance_longitudinal.analyses.kit.people import share_findings
from alliance_longitudinal.analyses.sudden_gains.compute import Gains
from alliance_longitudinal.data.study import Measure
from alliance_longitudinal.methods.psychometrics.gains.events import rci_points

#: If fewer of the pairs of sessions can be tested, gains at the ends and beside missing forms are not seen.
TESTED = 0.7


def gain_findings(draft: Draft, gains: Gains, known: KnownNorms, measure: Measure, sample_sd: float) -> None:
    """Findings about the sample, the rules and what gradual change alone would produce."""
    _sample(draft, gains, measure.instrument.label)
    _facts(draft, gains, known, measure.instrument.label, sample_sd)
    _percent(draft, gains, measure)
    _expected(draft, gains, measure.instrument.label)


def _sample(draft: Draft, gains: Gains, label: str) -> None:
    draft.findings += share_findings(gains.clients, gains.table["therapist"], "could be tested", label)
    if len(gains.table) < TESTED * gains.pairs:
        draft.find(
            "few_tested",
            "info",
            "Only {share} of the pairs of consecutive sessions with {label} could be tested; the "
            "others have fewer than two scores before or after. Gains in the first and last "
            "sessions, and next to missing forms, cannot be found.",
            label,
            share=Share(len(gains.table), gains.pairs),
            label=label,
        )


def _facts(draft: Draft, gains: Gains, known: KnownNorms, label: str, sample_sd: float) -> None:
    published = gains.points_from.startswith("published")
    unsure = [w for w in known.from_memory if (w == "points of reliable change") == published]
    if not gains.points_from.startswith("given"):
        draft.findings += unchecked_findings(label, unsure)
    norms = known.norms
    sd = norms.sd if norms.sd is not None else sample_sd
    if published and norms.reliability is not None and sd > 0:
        draft.find(
            "two_reliable_changes",
            "info",
            "The published points of reliable change ({published}) are used here. From the reliability and the SD before treatment, "
            "which reliable_change uses by default, reliable change would be {computed} points. points=... takes other ones.",
            label,
            published=Number(gains.main.rules.points),
            computed=Number(rci_points(sd, norms.reliability), n=gains.clients),
        )


def _percent(draft: Draft, gains: Gains, measure: Measure) -> None:
    share, label, possible = gains.main.rules.share, measure.instrument.label, measure.instrument.total_range
    if share is None:
        return
    if not gains.fall:
        draft.find(
            "percent_of_a_rise",
            "caution",
            "Higher {label} is better, so a gain is a rise by {percent} of the score before it. "
            "This is easier from a low score than from a high one. The rule was made for scales on "
            "which a gain is a fall. To leave it out, give percent=none.",
            label,
            label=label,
            percent=Number(share, "percent"),
        )
    elif possible and possible[0] != 0:
        draft.find(
            "percent_without_zero",
            "caution",
            "The lowest score of {label} is {lowest} and not {zero}, so {percent} of a score is "
            "not {percent} of its distance from the lowest score. To leave this rule out, give "
            "percent=none.",
            label,
            label=label,
            lowest=Number(possible[0]),
            zero=Number(0, "integer"),
            percent=Number(share, "percent"),
        )


def _expected(draft: Draft, gains: Gains, label: str) -> None:
    expected = gains.main.expected
    if expected is None:
        if gains.why_not:
            draft.find(
                "no_expected_gains",
                "caution",
                "The report cannot say how many gains gradual change alone would produce, because "
                "the model of gradual change could not be fitted: {why}",
                label,
                why=gains.why_not,
            )
        return
    if gains.main.gain_clients <= float(np.quantile(expected.gain_clients, 0.975)):
        draft.find(
            "gains_within_noise",
            "caution",
            "No more clients have a sudden gain in {label} than gradual change and random "
            "fluctuation would produce. These gains are not evidence of sudden change, and what "
            "happened before them may not be their cause.",
            label,
            label=label,
        )
