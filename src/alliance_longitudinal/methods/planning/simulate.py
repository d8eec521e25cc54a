"""Power, bias and coverage of a planned study by simulation, with Monte Carlo errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.given import effect_to_find, number_of
from alliance_longitudinal.methods.planning.plan import StudyPlan

#: The model that is fitted to every simulated study.
FORMULA = "y ~ weeks * (within + between) + (1 + weeks | therapist/client)"
#: The same where the effect within therapists differs between them.
OWN_EFFECT = "(0 + weeks:within | therapist)"
_TERMS = {"within": "weeks:within", "between": "weeks:between"}


@dataclass(frozen=True, slots=True)
class SimulatedPlan:
    """Simulated and refitted studies of one plan.

    Attributes
    ----------
    plan : StudyPlan
    n_sim, failed : int
        Studies, and those without a verified optimum, which count as finding nothing.
    singular : float
        Share of the studies in which a variance is estimated as zero, or a correlation as perfect.
    no_certificate : float
        Share of the studies without a verified optimum.
    """

    plan: StudyPlan
    n_sim: int
    failed: int
    singular: float
    no_certificate: float
    _error: Floats = field(repr=False)
    _se: Floats = field(repr=False)
    _df: Floats = field(repr=False)

    @property
    def mean_se(self) -> Floats:
        """Mean standard error of the effects within and between therapists, shape (2,)."""
        return np.asarray(np.nanmean(self._se, axis=0))

    def table(self, effects: Mapping[str, float]) -> pd.DataFrame:
        """What the studies would find of effects of these sizes.

        Parameters
        ----------
        effects : mapping
            ``"within"`` and ``"between"``: change of the rate of change per standard deviation.

        Returns
        -------
        DataFrame
            By effect: ``truth, mean, bias, bias_error, coverage, coverage_error, power, power_error, median_size``; the errors are Monte Carlo
            standard errors, ``median_size`` is the median estimate of the studies that found the effect, over the truth.

        Raises
        ------
        DataError
            Another name, or a size that is no number.
        """
        from scipy import stats

        out = {}
        for name, size in effects.items():
            if name not in _TERMS:
                raise DataError(f"There is no effect {name!r}. There are: within, between.")
            truth = effect_to_find(size, name)
            k = list(_TERMS).index(name)
            ok = np.isfinite(self._error[:, k])
            error, se, df = self._error[ok, k], self._se[ok, k], self._df[ok, k]
            limit = stats.t.isf(0.025, df) * se
            hits = np.abs(truth + error) > limit
            power, coverage = float(hits.sum() / self.n_sim), float(np.mean(np.abs(error) <= limit))
            sizes = np.abs((truth + error[hits]) / truth) if truth else np.array([])
            out[name] = {
                "truth": truth,
                "mean": truth + float(error.mean()),
                "bias": float(error.mean()),
                "bias_error": float(error.std(ddof=1) / np.sqrt(len(error))),
                "coverage": coverage,
                "coverage_error": float(np.sqrt(coverage * (1 - coverage) / len(error))),
                "power": power,
                "power_error": float(np.sqrt(power * (1 - power) / self.n_sim)),
                "median_size": float(np.median(sizes)) if len(sizes) else float("nan"),
            }
        return pd.DataFrame.from_dict(out, orient="index").rename_axis("effect")


def simulate_plan(plan: StudyPlan, n_sim: int = 1000, seed: int = 0) -> SimulatedPlan:
    """Simulate studies of a plan and fit a growth model to each by REML, with Satterthwaite's degrees of freedom.

    Scores are drawn from the plan's model and fitted with the same model,
    ``y ~ weeks * (within + between) + (1 + weeks | therapist/client)``, and ``(0 + weeks:within | therapist)`` if the
    plan's ``effect_variance`` is above 0. One run serves effects of every size,
    because in a linear model neither the error of an estimate nor its standard error depends on the size
    (`SimulatedPlan.table`). Predictors and the times of leaving are drawn once. Degrees of freedom between
    therapists are at most the number of therapists minus two (Schluchter & Elashoff 1990).

    Parameters
    ----------
    plan : StudyPlan
    n_sim : int
        Number of simulated studies, at least 50. A power of 80 % then has a Monte Carlo error of
        ``.4 / sqrt(n_sim)``.
    seed : int

    Returns
    -------
    SimulatedPlan

    Raises
    ------
    DataError
        If a value lies outside its limits.
    FitError
        If the model cannot be fitted to the design.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> plan = methods.StudyPlan.of(
    ...     12, 6, range(5), residual=5, client=((13, 0), (0, 0.2)), therapist=((1, 0), (0, 0.05))
    ... )
    >>> found = methods.simulate_plan(plan, n_sim=100, seed=1).table({"within": 0.5, "between": 0.4})
    >>> bool(found.loc["within", "power"] > found.loc["between", "power"])
    True
    """
    from alliance_longitudinal.engine import MixedModel

    n_sim = number_of("n_sim", n_sim, "simulated studies", 50)
    rows = plan.rows(seed)
    noise = np.random.default_rng(seed).standard_normal(len(rows))
    formula = f"{FORMULA} + {OWN_EFFECT}" if plan.effect_variance > 0 else FORMULA
    model = MixedModel.from_formula(formula, rows.assign(y=noise)).fit(require_certificate=False)
    psi = [_truth(plan, term.group, len(term.names)) for term in model.fit.design.terms]
    names = list(model.fit.design.names)
    contrasts = np.eye(len(names))[[names.index(t) for t in _TERMS.values()]]
    found = model.simulated_tests(contrasts, psi, plan.residual, n_sim=n_sim, seed=seed)
    df = found.df.copy()
    df[:, 1] = np.minimum(df[:, 1], plan.therapists - 2)
    return SimulatedPlan(
        plan,
        n_sim,
        found.failed,
        float(found.boundary.sum() / n_sim),
        found.failed / n_sim,
        found.error,
        found.se,
        df,
    )


def _truth(plan: StudyPlan, group: str, effects: int) -> Floats:
    """The covariance of one random term; the effect of their own is the only term with one effect."""
    if effects == 1:
        return np.array([[plan.effect_variance]])
    return np.array(plan.therapist if group == "therapist" else plan.client)
