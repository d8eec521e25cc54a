"""The effect between therapists, corrected for the chance in a mean of a few clients."""

from typing import Literal

import numpy as np

from alliance_longitudinal.analyses.early_alliance.compute import effect_estimate
from alliance_longitudinal.analyses.kit import ESTIMATE, TEST, Draft, Estimate, therapist_df
from alliance_longitudinal.analyses.kit.checks import FEW
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.methods.basics.inference import t_inference
from alliance_longitudinal.present import Column

_WAYS: dict[Literal["ml", "moment"], tuple[str, str]] = {
    "ml": ("_latent", ", latent means"),
    "moment": ("_moment", ", corrected by the reliability"),
}


def latent_effects(draft: Draft, design: EarlyDesign) -> None:
    """Latent therapist means beside the observed ones, for the change from intake.

    The rule that chooses: the observed means are those of the analysed clients, and the main analysis; the latent ones are those of
    all clients whom the therapist might see. The correction needs as many therapists as an effect between them does.
    """
    if not design.between or design.n_therapists < FEW or draft["end_between"] is None:
        return
    found = latent_estimates(design)
    if "end_between_latent" not in {e.id for e in found}:
        draft.find(
            "no_latent_means",
            "info",
            "The effect between therapists cannot be corrected for the chance in therapists' means by the model with latent means, which did "
            "not converge.",
            "effect between therapists",
        )
    if not found:
        return
    draft.estimate(*found)
    draft.table_of(
        "latent_means",
        "Between therapists, corrected for the chance in their means",
        "results",
        [e for e in (draft["end_between"], *found) if e is not None],
        [Column("label", "Effect"), *ESTIMATE, *TEST],
        "The observed mean of a therapist's clients measures the therapist's usual alliance with chance in it, which pulls the effect "
        "between therapists towards the effect within. The corrected rows are about the usual alliance; they have wider intervals, "
        "and with fewer than a hundred therapists they can be far off. Where nearly all of a therapist's clients are in the data, the "
        "observed mean is the therapist's alliance in this period, and the first row is the one to read.",
    )
    draft.cite("luedtke2008")


def latent_estimates(design: EarlyDesign) -> list[Estimate]:
    """``end_between_latent`` by maximum likelihood and ``end_between_moment`` by the reliability of the means.

    Ludtke et al. 2008. Intervals are of t with the df of the effect between therapists. A way without a result is left out.
    """
    from alliance_longitudinal.methods import latent_contextual

    adjusted = [c for c in design.predictors(split=True) if not c.startswith("early")]
    within = [c for c in adjusted if c.endswith("_client")]
    between = [c for c in adjusted if c.endswith("_therapist")]
    df = therapist_df(design.n_therapists, design.therapist_predictors())
    out = []
    for method, (suffix, words) in _WAYS.items():
        try:
            found = latent_contextual(
                design.clients,
                "end_change",
                "early",
                "therapist",
                [*within, *design.covariates],
                between,
                method=method,
            )
        except AllianceError:
            continue
        if not (found.converged and np.isfinite(found.params["between"])):
            continue
        row = t_inference(float(found.params["between"]), float(found.bse["between"]), df)
        out.append(effect_estimate(design, "end", "between", row, suffix, words))
    return out
