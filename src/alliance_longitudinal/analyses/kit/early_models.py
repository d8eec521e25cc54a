"""Models of the course and of the end point on early alliance, and their effects within and between therapists."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.fits import (
    ENDPOINT,
    GROWTH,
    Fitted,
    fit_first,
    therapist_df,
    with_own_effect,
)
from alliance_longitudinal.analyses.kit.robust import with_robust

if TYPE_CHECKING:
    from alliance_longitudinal.methods.basics.frames import Floats

Fit = Callable[..., Fitted]
_OWN = "the effect of early alliance"
COURSE, CHANGE = "Course after the window", "Change from intake to the last score"


def course_model(
    design: EarlyDesign, fit: Fit = fit_first, *, own: bool = True, split: bool = True
) -> Fitted:
    """The model of the course; ``own``: with effects of alliance that may differ between therapists.

    Where there are enough therapists they differ in the model, otherwise its errors allow it (``robust``).
    """
    term = f"weeks:{design.alliance_term(split=split)}"
    structures = with_own_effect(GROWTH, term, _OWN) if own else GROWTH
    name, title = _named("growth", COURSE, own, split)
    fitted = fit(name, title, design.growth_formula(split=split), design.rows, structures)
    return with_robust(fitted) if own else fitted


def endpoint_model(
    design: EarlyDesign, fit: Fit = fit_first, *, own: bool = True, split: bool = True
) -> Fitted:
    """The model of the change from intake to the last score; ``own`` as in `course_model`."""
    structures = with_own_effect(ENDPOINT, design.alliance_term(split=split), _OWN) if own else ENDPOINT
    name, title = _named("endpoint", CHANGE if split else "Change from intake", own, split)
    fitted = fit(name, title, design.endpoint_formula(split=split), design.clients, structures)
    return with_robust(fitted) if own else fitted


def _named(name: str, title: str, own: bool, split: bool) -> tuple[str, str]:
    if not split:
        name, title = f"{name}_total", f"{title}, total alliance"
    return (name, title) if own else (f"{name}_same", f"{title}, one effect for all therapists")


def split_effects(
    fitted: Fitted, design: EarlyDesign, kind: str, further: int = 0
) -> dict[str, dict[str, float]]:
    """Within, between and contextual effect of a split model; between and contextual where both can be estimated.

    The effect within therapists has robust errors where the model has them. The others rest on how therapists' means differ, which the model
    allows for.

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
        out["within"] = fitted.judged.combination({within: 1.0})
    if "early_therapist" in present:
        out["between"] = fitted.combination({between: 1.0}, bound)
    if {"early_client", "early_therapist"} <= present:
        out["contextual"] = fitted.combination({between: 1.0, within: -1.0}, bound)
    return out


def variances_of(fitted: Fitted, q: int) -> "tuple[Floats, Floats, float, float]":
    """Covariances between and within therapists of the first ``q`` of level and rate, the own effect's variance, the residual's."""
    between, within, own = np.zeros((q, q)), np.zeros((q, q)), 0.0
    if not fitted.mixed:
        return between, within, own, float(fitted.result.mse_resid)
    place = {"Intercept": 0, "weeks": 1}
    table = fitted.result.varcorr
    for group, one, two, value in zip(
        table["group"], table["term1"], table["term2"], table["vcov"], strict=True
    ):
        if group == "Residual":
            continue
        if one not in place:
            own = float(value)
            continue
        target = between if group == "therapist" else within
        i = place[one]
        j = i if pd.isna(two) else place[two]
        target[i, j] = target[j, i] = value
    return between, within, own, float(table.loc[table["group"] == "Residual", "vcov"].iloc[0])
