"""The models with products, the tests of the products, and the effect of the alliance at values of the moderator."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alliance_longitudinal.analyses.kit import (
    ENDPOINT,
    GROWTH,
    Draft,
    Estimate,
    Fitted,
    fit_first,
    robust_of,
    slug,
    therapist_df,
    with_own_effect,
)
from alliance_longitudinal.analyses.moderators.asked import Kind
from alliance_longitudinal.analyses.moderators.design import Moderated
from alliance_longitudinal.errors import FitError

OWN = "the effect of early alliance"
#: Percentiles of the moderator at which the effect of the alliance is given.
QUANTILES = (10, 50, 90)


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted model of one moderator.

    Attributes
    ----------
    design : Moderated
    kind : {"slope", "end"}
        Its outcome: the course, or the change from intake.
    fitted : Fitted
    robust : Fitted or None
        The same with errors that allow the effect of the alliance to differ between therapists (CR2), where the model does not.
    """

    design: Moderated
    kind: Kind
    fitted: Fitted
    robust: Fitted | None = None

    @property
    def judged(self) -> Fitted:
        """The model with the errors of effects of the alliance within therapists, which may differ between them."""
        return self.robust or self.fitted

    def crosses(self, column: str) -> bool:
        """Whether a column of the moderator differs between therapists only."""
        return self.design.of_therapists or column.endswith("_therapist")

    def term(self, *factors: str) -> str | None:
        """The name of a product in the model, in whatever order it has its factors; None if it is not there."""
        wanted = {*factors, *(("weeks",) if self.kind == "slope" else ())}
        return next(
            (str(t) for t in self.fitted.result.params.index if set(str(t).split(":")) == wanted), None
        )

    def bound(self, alliance: str, column: str) -> float:
        """Upper bound of the degrees of freedom of a product: of what differs between therapists only."""
        d = self.design
        if alliance == "early_therapist":
            return therapist_df(d.n_therapists, d.therapist_columns)
        if self.crosses(column):
            return therapist_df(d.n_therapists, d.moderating_columns)
        return float("inf")

    def product(self, alliance: str, column: str) -> dict[str, float] | None:
        """Coefficient of a product with its interval; None if it is not in the model."""
        term = self.term(alliance, column)
        fitted = self.fitted if alliance == "early_therapist" else self.judged
        return None if term is None else fitted.combination({term: 1.0}, self.bound(alliance, column))

    def slope(self, column: str, value: float) -> dict[str, float]:
        """Effect of the alliance within therapists where a column of the moderator has a value and the others are 0."""
        weights = {str(self.term(self.design.part)): 1.0}
        product = self.term(self.design.part, column)
        if product is not None:
            weights[product] = value
        return self.judged.combination(weights, self.bound(self.design.part, column))

    def joint(self) -> tuple[float, int, float, float]:
        """F test that the effect within therapists is the same in all categories: F, its df, p."""
        terms = [self.term(self.design.part, c) for c in self.design.categories]
        names = [str(t) for t in self.fitted.result.params.index]
        rows = np.array([[float(n == t) for n in names] for t in terms])
        if self.fitted.mixed:
            found = self._test_of(rows)
            df = min(found.df_den, self.bound(self.design.part, terms[0] or ""))
            return found.statistic, found.df_num, df, _p_of_f(found.statistic, found.df_num, df)
        plain = self.fitted.result.f_test(rows)
        return float(plain.fvalue), int(plain.df_num), float(plain.df_denom), float(plain.pvalue)

    def _test_of(self, rows: Any) -> Any:
        """With the errors of the main results; with the model's where therapists are too few for a joint test with those."""
        try:
            return self.judged.result.f_test(rows)
        except FitError:
            return self.fitted.result.f_test(rows)


def _p_of_f(statistic: float, df_num: int, df_den: float) -> float:
    from alliance_longitudinal.engine import distributions

    return float(distributions.f.sf(statistic, df_num, df_den))


@dataclass(frozen=True, slots=True)
class Test:
    """Test of one moderator: whether the effect of the alliance within therapists depends on it.

    ``q`` is p adjusted for the number of moderators (Benjamini & Hochberg 1995); of the planned one it is p.
    """

    moderator: str
    label: str
    statistic: float
    df_num: int
    df_den: float
    p: float
    q: float
    planned: bool
    n: int


def fit_model(design: Moderated, kind: Kind) -> Model:
    """The model of the course (``slope``) or of the change from intake (``end``).

    Raises
    ------
    FitError
        If no version of it can be fitted.
    """
    name = f"{'course' if kind == 'slope' else 'change'}_{slug(design.moderator.name)}"
    title = f"{'Course after the window' if kind == 'slope' else 'Change from intake'}, by {design.moderator.label}"
    term = f"weeks:{design.part}" if kind == "slope" else design.part
    structures = with_own_effect(GROWTH if kind == "slope" else ENDPOINT, term, OWN)
    rows = design.rows if kind == "slope" else design.clients
    fitted = fit_first(name, title, design.formula(kind), rows, structures)
    return Model(design, kind, fitted, robust_of(fitted))


def other_errors(model: Model, column: str) -> dict[str, float] | None:
    """The product with errors that take the effect as the same for all therapists, where the main ones do not; None elsewhere."""
    term = model.term(model.design.part, column)
    if term is None or model.robust is None:
        return None
    return model.fitted.combination({term: 1.0}, model.bound(model.design.part, column))


def tests_of(found: Mapping[str, Model], planned: str | None) -> list[Test]:
    """One test per moderator; all but the planned one are adjusted for their number."""
    from alliance_longitudinal.methods.basics.adjust import benjamini_hochberg

    tests = [_test(name, model, planned) for name, model in found.items()]
    others = [t for t in tests if not t.planned]
    adjusted = benjamini_hochberg(np.array([t.p for t in others])) if others else np.array([])
    q = dict(zip([t.moderator for t in others], adjusted, strict=True))
    return [replace(t, q=float(q.get(t.moderator, t.p))) for t in tests]


def _test(name: str, model: Model, planned: str | None) -> Test:
    design, chosen = model.design, name == planned
    if len(design.categories) > 1:
        statistic, num, den, p = model.joint()
    else:
        row = model.product(design.part, design.along)
        assert row is not None
        statistic, num, den, p = row["t"] ** 2, 1, row["df"], row["p"]
    return Test(name, design.moderator.label, statistic, num, den, p, p, chosen, design.n)


def estimate(
    identity: str,
    label: str,
    row: Mapping[str, float],
    model: Model,
    unit: str,
    *,
    level: str = "client",
    factor: float = 1.0,
) -> Estimate:
    """A row of numbers as an estimate, multiplied by ``factor``."""
    low, high = sorted((factor * row["ci_low"], factor * row["ci_high"]))
    rows = model.design.rows if model.kind == "slope" else model.design.clients
    return Estimate(
        identity,
        label,
        factor * row["estimate"],
        se=abs(factor) * row["se"],
        df=row["df"],
        ci_low=low,
        ci_high=high,
        p=row["p"],
        n=len(rows),
        level=level,
        unit=unit,
    )


def fit_all(draft: Draft, designs: Mapping[str, Moderated], kind: Kind) -> dict[str, Model]:
    """A model of each moderator; one that cannot be fitted is named."""
    out = {}
    for name, design in designs.items():
        try:
            out[name] = fit_model(design, kind)
        except FitError:
            draft.find(
                "moderator_not_fitted",
                "caution",
                "The model with {label} could not be fitted, so the report does not test this moderator.",
                design.moderator.label,
                label=design.moderator.label,
            )
    return out
