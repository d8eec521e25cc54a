"""Errors of effects that may differ between therapists, in models that let none differ."""

from dataclasses import replace
from typing import Any

from alliance_longitudinal.analyses.kit.fits import MIN_THERAPISTS, Fitted
from alliance_longitudinal.analyses.kit.nesting import HAS, LACKS, each_alone
from alliance_longitudinal.errors import FitError

#: What the methods section says of them.
ROBUST = (
    "Effects within therapists that the models take to be the same for all therapists have cluster-robust standard errors (CR2; clusters: "
    "therapists) with Satterthwaite degrees of freedom. Their intervals hold if the effect differs between therapists (Bell & McCaffrey, "
    "2002; Pustejovsky & Tipton, 2018)."
)


def with_robust_errors(fitted: Fitted, groups: str = "therapist") -> Fitted:
    """The same mixed model with cluster-robust (CR2) errors and their df, for coefficients whose effect may differ between ``groups``."""
    if HAS in fitted.formula and groups == "therapist":
        return replace(fitted, result=_each_alone(fitted), robust=None)
    return replace(fitted, result=fitted.result.with_errors("CR2", groups), robust=None)


def _each_alone(fitted: Fitted) -> Any:
    """The model fitted again with clients without a therapist as clusters of their own: they are one group only in the model's rows."""
    from alliance_longitudinal.engine import MixedModel, VarIdent

    residual = None if "therapist:client" in fitted.formula else VarIdent(LACKS)
    model = MixedModel.from_formula(fitted.formula, each_alone(fitted.result.data), residual=residual)
    return model.fit(cov_type="CR2", cov_groups="therapist")


def robust_of(fitted: Fitted, least: int = MIN_THERAPISTS, *, other: bool = False) -> Fitted | None:
    """The model with cluster-robust errors by therapist; None where it needs or allows none.

    A model in which an effect differs between therapists needs none for this effect; for ``other`` ones it does. Without a therapist level,
    or with fewer than ``least`` therapists, they say too little. They have no value where some coefficient rests on the clients of a single
    therapist.
    """
    if not fitted.structure.therapist or (fitted.structure.own_effect and not other):
        return None
    if fitted.result.n_groups.get("therapist", 0) - (HAS in fitted.formula) < least:
        return None
    try:
        return with_robust_errors(fitted)
    except FitError:
        return None


def with_robust(fitted: Fitted, *, other: bool = False) -> Fitted:
    """The model with what `robust_of` gives beside it."""
    return replace(fitted, robust=robust_of(fitted, other=other))
