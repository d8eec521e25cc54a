"""The two models between clients or therapists: of the early alliance, and of the later change."""

from dataclasses import dataclass

import pandas as pd

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    Fitted,
    fit_first,
    therapist_df,
    with_own_effect,
    with_robust,
)
from alliance_longitudinal.analyses.mechanisms.design import Before, Cause

OWN = "the effect of early alliance"
Row = dict[str, float]


@dataclass(frozen=True, slots=True)
class Pair:
    """The model of the early alliance, and that of the later change.

    Attributes
    ----------
    first, second : Fitted
        With errors that hold if a path between clients differs between therapists.
    cause, alliance : str
        The cause in both, and the alliance in the second, at the level of the paths.
    prefix : str
        Before both in the second: ``weeks:`` in a model of a course.
    bound : float
        Most degrees of freedom of their coefficients.
    """

    first: Fitted
    second: Fitted
    cause: str
    alliance: str
    prefix: str
    bound: float

    def coefficients(self) -> dict[str, Row]:
        """The paths ``a`` and ``b``, and the ``direct`` one."""
        first, second = self.first.judged, self.second.judged
        return {
            "a": first.combination({self.cause: 1.0}, self.bound),
            "b": second.combination({self.prefix + self.alliance: 1.0}, self.bound),
            "direct": second.combination({self.prefix + self.cause: 1.0}, self.bound),
        }

    def covariance(self) -> pd.DataFrame:
        """Of the second path and the direct one."""
        terms = [self.prefix + self.alliance, self.prefix + self.cause]
        return pd.DataFrame(self.second.judged.result.cov_params()).loc[terms, terms]


def pair_of_models(before: Before, cause: Cause, part: str) -> Pair:
    """Fit both models; ``part`` as in `two_models`."""
    x, early, held = before.parts("x"), before.parts("early"), before.held()
    slope, end = before.course, part and "_" + part
    prefix = "weeks:" if slope else ""
    first = fit_first(
        f"alliance{end}",
        f"Early alliance by {cause.label}",
        "early ~ " + " + ".join([*x, *held]),
        before.clients,
        ENDPOINT,
    )
    right = " + ".join([*early, *x, *held])
    second = fit_first(
        f"outcome{end}",
        f"{'Course after the window' if slope else 'Change from intake'} by early alliance and {cause.label}",
        f"y ~ weeks * ({right})" if slope else f"end_change ~ {right}",
        before.rows if slope else before.clients,
        with_own_effect(GROWTH if slope else ENDPOINT, prefix + early[0], OWN),
    )
    if part == "therapist":
        predictors = sum(c.endswith("_therapist") for c in (*x, *early, *held))
        bound = therapist_df(before.therapists, predictors)
        return Pair(first, second, x[-1], early[-1], prefix, bound)
    # Each path may differ between therapists; the model lets one of them differ, and that where there are enough.
    return Pair(with_robust(first), with_robust(second, other=True), x[0], early[0], prefix, float("inf"))
