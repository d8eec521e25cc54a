"""Models of the course and of the end point on early alliance, and their effects within and between therapists."""

from collections.abc import Callable

from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.fits import (
    ENDPOINT,
    GROWTH,
    Fitted,
    fit_first,
    therapist_df,
    with_own_effect,
)

Fit = Callable[..., Fitted]
_OWN = "the effect of early alliance"
COURSE, CHANGE = "Course after the window", "Change from intake to the last score"


def course_model(
    design: EarlyDesign, fit: Fit = fit_first, *, own: bool = True, split: bool = True
) -> Fitted:
    """The model of the course; ``own``: with effects of alliance that differ between therapists where there are enough."""
    term = f"weeks:{design.alliance_term(split=split)}"
    structures = with_own_effect(GROWTH, term, _OWN) if own else GROWTH
    name, title = _named("growth", COURSE, own, split)
    return fit(name, title, design.growth_formula(split=split), design.rows, structures)


def endpoint_model(
    design: EarlyDesign, fit: Fit = fit_first, *, own: bool = True, split: bool = True
) -> Fitted:
    """The model of the change from intake to the last score."""
    structures = with_own_effect(ENDPOINT, design.alliance_term(split=split), _OWN) if own else ENDPOINT
    name, title = _named("endpoint", CHANGE if split else "Change from intake", own, split)
    return fit(name, title, design.endpoint_formula(split=split), design.clients, structures)


def _named(name: str, title: str, own: bool, split: bool) -> tuple[str, str]:
    if not split:
        name, title = f"{name}_total", f"{title}, total alliance"
    return (name, title) if own else (f"{name}_same", f"{title}, one effect for all therapists")


def split_effects(
    fitted: Fitted, design: EarlyDesign, kind: str, further: int = 0
) -> dict[str, dict[str, float]]:
    """Within, between and contextual effect of a split model; between and contextual where both can be estimated.

    Parameters
    ----------
    kind : {"slope", "end"}
    further : int
        Coefficients of the therapist level beside the design's own, such as those of clinics.
    """
    prefix = "weeks:" if kind == "slope" else ""
    within, between = f"{prefix}early_client", f"{prefix}early_therapist"
    present = set(design.predictors(split=True))
    bound = therapist_df(design.n_therapists, design.therapist_predictors() + further)
    out: dict[str, dict[str, float]] = {}
    if "early_client" in present:
        out["within"] = fitted.combination({within: 1.0})
    if "early_therapist" in present:
        out["between"] = fitted.combination({between: 1.0}, bound)
    if {"early_client", "early_therapist"} <= present:
        out["contextual"] = fitted.combination({between: 1.0, within: -1.0}, bound)
    return out
