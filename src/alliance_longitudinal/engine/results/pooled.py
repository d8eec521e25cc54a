"""One answer from fits to several imputed data sets: Rubin's rules with small-sample degrees of freedom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions as stats
from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.fitted.tables import varcorr_values
from alliance_longitudinal.engine.inference.contrasts import read_contrasts
from alliance_longitudinal.engine.inference.protocol import FTest, rotated_test
from alliance_longitudinal.engine.inference.rubin import Shares, joint_df, shares_of
from alliance_longitudinal.engine.options import check_alpha
from alliance_longitudinal.engine.results.base import Results
from alliance_longitudinal.engine.results.linear import MixedModelResults
from alliance_longitudinal.engine.results.show import Text
from alliance_longitudinal.errors import FitError

if TYPE_CHECKING:
    from alliance_longitudinal.engine.results.generalised import GeneralisedResults

OfOne: TypeAlias = "MixedModelResults | GeneralisedResults"


@dataclass(frozen=True, slots=True, repr=False)
class PooledResults(Results):
    """Estimates pooled over imputed data sets.

    Attributes
    ----------
    params, bse, df, tvalues, pvalues : Series
        By fixed-effect term (of generalised models on the scale of the linear predictor, thresholds first). The variance is ``T = U + (1 + 1/m) B``: mean variance within data sets (by each fit's own
        method: Kenward and Roger's, cluster-robust...) and variance between them (Rubin 1987, section 3.1).
    df_complete : Series
        Mean of the fits' own degrees of freedom, the complete-data value of Barnard and Rubin; infinite for generalised
        models, whose degrees of freedom are then Rubin's.
    riv, lambda_, fmi : Series
        Relative increase in variance due to missing values, its share of the total variance, and fraction of missing
        information.
    varcorr : DataFrame
        As that of a fit; variances and covariances are means over the data sets. They have no interval, because their
        estimates are not normally distributed and Rubin's rules do not hold for them.
    n_imputations : int
    formula : str

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel, pool
    >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "g": list("aabbcc")})
    >>> imputed = [data.assign(y=data["y"] + shift) for shift in (0.0, 0.2)]
    >>> pool([MixedModel.from_formula("y ~ 1 + (1 | g)", each).fit() for each in imputed])
    <PooledResults: y ~ 1 + (1 | g); 2 data sets; use .summary()>
    """

    results: tuple[OfOne, ...]
    params: pd.Series
    bse: pd.Series
    df: pd.Series
    tvalues: pd.Series
    pvalues: pd.Series
    df_complete: pd.Series
    riv: pd.Series
    lambda_: pd.Series
    fmi: pd.Series
    varcorr: pd.DataFrame
    cov: Array

    @property
    def n_imputations(self) -> int:
        """Number of data sets."""
        return len(self.results)

    @property
    def formula(self) -> str:
        """Formula of every fit."""
        return self.results[0].formula

    def cov_params(self) -> pd.DataFrame:
        """Total covariance of the coefficients, shape (terms, terms)."""
        return pd.DataFrame(self.cov, index=self.params.index, columns=list(self.params.index))

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals: columns ``lower`` and ``upper``."""
        check_alpha(alpha)
        half = stats.t.ppf(1 - alpha / 2, self.df) * self.bse
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})

    def contrast(
        self, contrasts: Any, labels: list[str] | None = None, *, alpha: float = 0.05
    ) -> pd.DataFrame:
        """Linear combinations: ``estimate, se, df, t, p, lower, upper, fmi`` by label; contrasts as for a fit."""
        check_alpha(alpha)
        rows, labels = read_contrasts(contrasts, tuple(self.params.index), labels)
        estimate, se, shares, _ = _pooled(self.results, rows)
        t = estimate / se
        half = stats.t.ppf(1 - alpha / 2, shares.df) * se
        table = {
            "estimate": estimate,
            "se": se,
            "df": shares.df,
            "t": t,
            "p": 2 * stats.t.sf(np.abs(t), shares.df),
        }
        limits = {"lower": estimate - half, "upper": estimate + half, "fmi": shares.fmi}
        return pd.DataFrame(table | limits, index=pd.Index(labels))

    def f_test(self, contrasts: Any) -> FTest:
        """Joint test that all contrasts are zero, by `joint_test`."""
        rows, _ = read_contrasts(contrasts, tuple(self.params.index), None)
        return joint_test(self.results, rows)

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row per coefficient: ``term, estimate, se, df, stat, p, low, high, riv, lambda, fmi``."""
        more = {"riv": self.riv, "lambda": self.lambda_, "fmi": self.fmi}
        return Results.tidy(self, alpha).assign(**{name: column.to_numpy() for name, column in more.items()})

    def _size(self) -> str:
        return f"{self.n_imputations} data sets"

    def summary(self) -> str:
        """The pooled fit as text."""
        first = self.results[0]
        return Text(
            "\n".join(
                [
                    f"{_kind(first)} on {self.n_imputations} imputed data sets, pooled by Rubin's rules",
                    f"Formula: {self.formula}",
                    f"Rows: {first.nobs} each   {_words(first)}",
                    "Degrees of freedom after Barnard and Rubin (1999), fmi: fraction of missing information.",
                    "",
                    self.tidy()
                    .set_index("term")
                    .rename_axis(None)
                    .to_string(float_format=lambda v: f"{v:.4g}"),
                    "",
                    "Random effects: means over the data sets; they have no interval.",
                    self.varcorr.fillna("").to_string(index=False, float_format=lambda v: f"{v:.6g}"),
                ]
            )
        )


def pool(results: Sequence[OfOne]) -> PooledResults:
    """Pool fits of one model to several imputed data sets.

    Rubin (1987), Multiple Imputation for Nonresponse in Surveys; degrees of freedom by Barnard and Rubin (1999),
    Biometrika 86:948-955, with the mean of the fits' own (Satterthwaite's, Kenward and Roger's...) as the complete-data
    value of each coefficient.

    Parameters
    ----------
    results : sequence of MixedModelResults or of GeneralisedResults
        At least two, with the same formula, family, terms, rows, groups and method.

    Raises
    ------
    FitError
        The fits do not match.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal.engine import MixedModel
    >>> data = pd.DataFrame({"y": [3.0, 5, 4, 8, 6, 7], "g": list("aabbcc")})
    >>> imputed = [data.assign(y=data["y"] + shift) for shift in (0.0, 0.2)]
    >>> pool([MixedModel.from_formula("y ~ 1 + (1 | g)", each).fit() for each in imputed]).params.round(2).to_dict()
    {'Intercept': 5.6}
    """
    fits = tuple(results)
    _refuse(fits)
    names = fits[0].params.index
    estimate, se, shares, cov = _pooled(fits, np.eye(len(names)))
    t = estimate / se
    psi = tuple(np.mean([f.fit.psi[i] for f in fits], axis=0) for i in range(len(fits[0].fit.psi)))
    vcov, sdcor = _components(fits, psi)

    def series(values: Array, name: str) -> pd.Series:
        return pd.Series(values, index=names, name=name)

    return PooledResults(
        results=fits,
        params=series(estimate, "estimate"),
        bse=series(se, "se"),
        df=series(shares.df, "df"),
        tvalues=series(t, "t"),
        pvalues=series(2 * stats.t.sf(np.abs(t), shares.df), "p"),
        df_complete=series(np.mean([f.df for f in fits], axis=0), "df"),
        riv=series(shares.riv, "riv"),
        lambda_=series(shares.lambda_, "lambda"),
        fmi=series(shares.fmi, "fmi"),
        varcorr=fits[0].varcorr.assign(vcov=vcov, sdcor=sdcor),
        cov=cov,
    )


def _refuse(fits: tuple[OfOne, ...]) -> None:
    if len(fits) < 2:
        raise FitError(
            f"Pooling needs the fits to at least two imputed data sets; got {len(fits)}. Pass a list of results."
        )
    for i, other in enumerate(fits):
        if not _is_result(other):
            raise FitError(
                f"Only results of MixedModel.fit can be pooled; number {i + 1} is a {type(other).__name__}."
            )
        if not other.converged:
            raise FitError(f"Fit {i + 1} has no verified optimum and cannot be pooled: {other.convergence}")
    first = fits[0]
    for i, other in enumerate(fits[1:], start=2):
        for what, a, b, remedy in (
            ("kind of model", _family(first), _family(other), "Fit all with the same family= and link=."),
            ("formula", first.formula, other.formula, "Fit the same formula to each data set."),
            (
                "terms",
                list(first.params.index),
                list(other.params.index),
                "Give every data set the same categories.",
            ),
            ("number of rows", first.nobs, other.nobs, "Impute every value that the model needs."),
            ("groups", first.n_groups, other.n_groups, "Impute the same data set each time."),
            ("criterion", _criterion(first), _criterion(other), "Fit all with the same reml= or n_agq=."),
            (
                "inference",
                first.inference.words,
                other.inference.words,
                "Fit all with the same df= and cov_type=.",
            ),
        ):
            if a != b:
                raise FitError(
                    f"Fits 1 and {i} cannot be pooled: their {what} differ ({a} and {b}). {remedy}"
                )


def _is_result(given: object) -> bool:
    if isinstance(given, MixedModelResults):
        return True
    from alliance_longitudinal.engine.results.generalised import GeneralisedResults

    return isinstance(given, GeneralisedResults)


def _criterion(res: OfOne) -> str:
    if isinstance(res, MixedModelResults):
        return "REML" if res.reml else "maximum likelihood"
    return "Laplace's method" if res.n_agq == 1 else f"quadrature with {res.n_agq} nodes"


def _family(res: OfOne) -> str:
    return "linear" if isinstance(res, MixedModelResults) else f"{res.family}, {res.link}"


def _kind(res: OfOne) -> str:
    """What the models are, for the head of a summary."""
    if isinstance(res, MixedModelResults):
        return "Linear mixed models"
    from alliance_longitudinal.engine.results.show_generalised import title

    return title(res).replace(" model ", " models ")


def _words(res: OfOne) -> str:
    """Where the fits' own variances are from."""
    linear = isinstance(res, MixedModelResults)
    return res.inference.words if linear else "Standard errors from the full likelihood of each fit."


def _components(fits: tuple[OfOne, ...], psi: tuple[Array, ...]) -> tuple[Array, Array]:
    """Rows of the table of variance components from mean covariances."""
    scales = [f.scale for f in fits if isinstance(f, MixedModelResults)]
    if scales:
        return varcorr_values(psi, float(np.mean(scales)))
    vcov, sdcor = varcorr_values(psi, 1.0)
    return vcov[:-1], sdcor[:-1]  # there is no residual


def _pooled(fits: tuple[OfOne, ...], rows: Array) -> tuple[Array, Array, Shares, Array]:
    """Estimates and standard errors of contrasts, what imputation adds, and the total covariance."""
    m = len(fits)
    each = np.array([rows @ f.params.to_numpy() for f in fits])
    within = np.mean([rows @ f.inference.cov @ rows.T for f in fits], axis=0)
    between = np.atleast_2d(np.cov(each, rowvar=False))
    total = within + (1 + 1 / m) * between
    complete = np.mean([f.inference.df(rows) for f in fits], axis=0)
    shares = shares_of(m, np.diag(within), np.diag(between), complete)
    return each.mean(axis=0), np.sqrt(np.diag(total)), shares, total


def joint_test(fits: tuple[OfOne, ...], rows: Array) -> FTest:
    """Wald test of several contrasts with one relative increase in variance for all of them.

    The statistic D1 of Li, Raghunathan and Rubin (1991), J Am Stat Assoc 86:1065-1073, with the degrees of freedom of
    Reiter (2007), Biometrika 94:502-508, the complete-data value being the mean over the fits' own joint tests. A single
    contrast has those of Barnard and Rubin.
    """
    estimate, se, shares, _ = _pooled(fits, rows)
    if len(rows) == 1:
        return FTest.of(float((estimate[0] / se[0]) ** 2), 1, float(shares.df[0]))
    m, k = len(fits), len(rows)
    each = np.array([rows @ f.params.to_numpy() for f in fits])
    within = np.mean([rows @ f.inference.cov @ rows.T for f in fits], axis=0)
    wald, _ = rotated_test(estimate, within, np.eye(k))
    r = float((1 + 1 / m) * np.trace(np.linalg.solve(within, np.cov(each, rowvar=False))) / k)
    complete = float(np.mean([f.inference.joint(rows).df_den for f in fits]))
    return FTest.of(wald / (1 + r), k, joint_df(m, k, r, complete))
