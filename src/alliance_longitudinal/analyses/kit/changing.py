"""Whether a measure changes at all: without that, an analysis of change has no answer."""

from alliance_longitudinal.analyses.kit.sample import Sample
from alliance_longitudinal.data.study import Measure


def needs_change(draft: Sample, measure: Measure) -> None:
    """Go on only if the scores of ``measure`` differ, and those of some client change.

    Otherwise models of change fit perfectly, or not at all, and zeros with intervals of no width would look like results.

    Raises
    ------
    TooLittle
        All scores are equal, or no client's scores change.
    """
    scored = draft.sessions.dropna(subset=[measure.name])
    own = scored.groupby("client")[measure.name]
    label, advice = measure.instrument.label, "Check that the study file names the right columns."
    if scored[measure.name].nunique() == 1:
        raise draft.too_little(
            "All scores of {label} are equal, so nothing can be related to them. {advice}",
            label=label,
            advice=advice,
        )
    if len(scored) and (own.max() - own.min()).max() == 0:
        raise draft.too_little(
            "No client's score of {label} changes, so there is no change to relate to anything. {advice}",
            label=label,
            advice=advice,
        )
