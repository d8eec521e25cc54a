"""Dynamic panels: this value explained by the one before, by other columns, and by what is stable in a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Codes, Floats, names_of
from alliance_longitudinal.methods.panel.dynamic_gmm import Moments, Settings, gmm, regressions
from alliance_longitudinal.methods.panel.dynamic_ml import maximum_likelihood
from alliance_longitudinal.methods.panel.dynamic_model import Columns, Freedom
from alliance_longitudinal.methods.panel.waves import (
    Waves,
    check_variation,
    clusters,
    constants,
    left_out,
    spacing,
    waves,
)
from alliance_longitudinal.sentences import say

Method = Literal["ml", "difference-gmm", "system-gmm", "anderson-hsiao", "within", "ols"]
_GMM = ("difference-gmm", "system-gmm")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class DynamicPanel(Estimates):
    """A dynamic panel model.

    Attributes
    ----------
    method : str
    tests : mapping of str to float
        ``chi2, df, p, cfi, rmsea, srmr`` of maximum likelihood; ``sargan, hansen, m1, m2`` (with ``..._df`` and ``..._p``) and
        ``n_instruments`` of the generalised method of moments.
    nobs, n_persons : int
        Rows that the equations use (maximum likelihood: persons), and persons.
    llf : float
        Log-likelihood; missing for the other methods.
    converged : bool
        Of maximum likelihood, whether the optimum is proved; the others are solved at once.
    certificate : str
    """

    method: str
    nobs: int
    n_persons: int
    tests: Mapping[str, float] = field(default_factory=dict)
    llf: float = float("nan")
    converged: bool = True
    certificate: str = ""

    def long_run(self, effect: str) -> tuple[float, float]:
        """Estimate and standard error (delta method) of ``effect / (1 - sum of the coefficients of the lags)``."""
        names = list(self.params.index)
        lags = [
            k for k, name in enumerate(names) if name == names[0] or name in _more_lags(names[0], len(names))
        ]
        left = 1 - float(self.params.iloc[lags].sum())
        at = names.index(effect)
        slopes = np.zeros(len(names))
        slopes[at] = 1 / left
        slopes[lags] = float(self.params.iloc[at]) / left**2
        return float(self.params.iloc[at]) / left, float(np.sqrt(slopes @ self.covariance @ slopes))

    def _title(self) -> str:
        return f"Dynamic panel model, {_NAMES[self.method]}"

    def _facts(self) -> list[str]:
        tests = ", ".join(f"{name} {value:.4g}" for name, value in self.tests.items())
        return [
            f"{self.n_persons} persons, {self.nobs} rows",
            *([tests] if tests else []),
            *filter(None, [self.certificate]),
        ]


_NAMES = {
    "ml": "maximum likelihood",
    "difference-gmm": "GMM in differences",
    "system-gmm": "GMM in differences and levels",
    "anderson-hsiao": "Anderson and Hsiao",
    "within": "within persons (biased: the mean of a person holds later errors)",
    "ols": "least squares (biased: the persons' levels are ignored)",
}


def _more_lags(first: str, n: int) -> list[str]:
    return [f"{first}{k}" for k in range(2, n + 1)]


def dynamic_panel(
    frame: pd.DataFrame,
    y: str,
    person: str,
    time: str,
    predetermined: "str | tuple[str, ...] | list[str]" = (),
    lagged_exogenous: "str | tuple[str, ...] | list[str]" = (),
    exogenous: "str | tuple[str, ...] | list[str]" = (),
    constant: "str | tuple[str, ...] | list[str]" = (),
    lags: int = 1,
    method: Method = "ml",
    steps: int = 1,
    time_effects: bool = False,
    max_instrument_lag: int | None = None,
    collapse: bool = False,
    windmeijer: bool = True,
    contemporaneous: bool = False,
    person_trends: bool = False,
    cluster: str | None = None,
) -> DynamicPanel:
    """Predict each value from the previous one, other columns and a person effect.

    ``y_it = sum_k rho_k y_i,t-k + b' x_i,t-1 + c' z_i,t-1 + d' w_it + g' v_i + mu_t + alpha_i + e_it``. The
    person effect ``alpha_i`` removes everything that is stable in a person. A predetermined ``x`` may depend on
    earlier errors (feedback): a bad week may lower the alliance in the next. Maximum likelihood follows
    Allison, Williams & Moral-Benito 2017, doi 10.1177/2378023117710578: ``alpha_i`` may covary with every
    time-varying predictor and the first y (not with constant columns), and ``e_it`` with every later
    predetermined value. Coefficients and the error variance are equal over time. All available values are used
    (missing at random), with standard errors from the observed information.

    The generalised method of moments needs complete rows but does not assume a normal distribution. In
    differences (Arellano & Bond 1991, doi 10.2307/2297968), ``y`` and the predetermined columns are
    instrumented by their levels two or more times earlier. The system (Blundell & Bond 1998, doi
    10.1016/S0304-4076(98)00009-8) adds equations in levels, without a constant, with the last difference as
    instrument. Other columns instrument themselves. Anderson & Hsiao 1982 instrument each difference with only
    the one level before it. ``within`` and ``ols`` are biased in opposite directions; as a rule, the true
    coefficient of the previous ``y`` lies between them (Bond 2002, doi 10.1007/s10258-002-0009-9).

    Parameters
    ----------
    frame : DataFrame
        One row per person and time. Not changed.
    y, person, time : str
        Outcome, person ids, and numbers of the times, which are treated as equally spaced.
    predetermined, lagged_exogenous : str or sequence of str
        Columns that enter with their previous value. Only the ``predetermined`` ones may depend on earlier
        errors of y.
    exogenous : str or sequence of str
        Columns that enter with their value at the same time.
    constant : str or sequence of str
        Characteristics of the person.
    lags : int
        Number of earlier values of y.
    method : {"ml", "difference-gmm", "system-gmm", "anderson-hsiao", "within", "ols"}
    steps : {1, 2}
        Number of steps of the generalised method of moments.
    time_effects : bool
        Whether each time has its own level. With maximum likelihood it always has.
    max_instrument_lag : int, optional
        The longest lag of a level that is used as an instrument, at least 2; all if not given.
    collapse : bool
        One instrument per lag instead of one per lag and time (Roodman 2009, doi 10.1111/j.1468-0084.2008.00542.x).
    windmeijer : bool
        Whether standard errors of the two-step estimate allow for the estimated weights.
    contemporaneous : bool
        Whether a predetermined value may also covary with the error of y at the same time, as when both are
        measured in the same session. The default, as in R's dpm, excludes this. Maximum likelihood only.
    person_trends : bool
        Whether each person also has an individual linear trend. If persons' trends differ and this is left out,
        the effects are biased. Together with ``contemporaneous``, the effects are not identified. Maximum
        likelihood only.
    cluster : str, optional
        A column that shows which persons belong together. Standard errors then come from the sandwich of the
        clusters' scores. Maximum likelihood only; the other methods cluster by person.

    Returns
    -------
    DynamicPanel
        The names in ``params`` are ``<y>_lag`` (``<y>_lag2``), ``<x>_lag``, and for the other columns their
        own. For the generalised method of moments, ``tests`` has ``sargan`` with the step's own weights, as R's
        plm computes it; ``hansen`` with robust weights; ``m1`` and ``m2``. With one step, ``sargan`` is not
        scaled by the error variance and has no known distribution.

    Raises
    ------
    DataError
        If there are too few times, a column does not vary, or a column does not exist.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> from alliance_longitudinal import methods
    >>> sessions = al.simulate_clinic(seed=1, therapists=10, clients=200, items=False).sessions
    >>> early = sessions[sessions["session"].between(2, 5)]
    >>> found = methods.dynamic_panel(early, "phq9", person="client", time="session", predetermined="wai")
    >>> list(found.params.index), found.converged
    (['phq9_lag', 'wai_lag'], True)
    """
    if method not in get_args(Method):
        raise DataError(f"method is {method!r}. It is one of {', '.join(get_args(Method))}.")
    if not isinstance(lags, int) or isinstance(lags, bool) or lags < 1:
        raise DataError(f"lags is {lags!r}. It is a whole number from 1.")
    columns = Columns(
        y, _names(predetermined), _names(lagged_exogenous), _names(exogenous), _names(constant), lags
    )
    names_of((y, *columns.varying, *columns.constant), "the columns")
    panel = waves(frame, (y, *columns.varying), person, time)
    check_variation(panel)
    fixed = constants(frame, panel, person, columns.constant)
    findings = [*left_out(panel), *spacing(panel, "the steps between them")]
    codes = None if cluster is None else clusters(frame, panel, person, cluster)
    _check_times(len(panel.occasions), lags + 2)
    if contemporaneous and person_trends:
        raise DataError("contemporaneous and person_trends are not determined together. Choose one of them.")
    if method == "ml":
        options = Freedom(contemporaneous, person_trends)
        return _by_likelihood(panel, fixed, columns, options, codes, findings)
    only_ml = contemporaneous or person_trends or cluster is not None
    _check_options(method, columns, steps, max_instrument_lag, only_ml)
    settings = Settings(method == "system-gmm", steps, time_effects, max_instrument_lag, collapse, windmeijer)
    return _by_moments(panel, fixed, columns, method, settings, findings)


def _by_likelihood(
    panel: Waves,
    fixed: Floats,
    columns: Columns,
    options: Freedom,
    codes: Codes | None,
    findings: list[Finding],
) -> DynamicPanel:
    found = maximum_likelihood(panel, fixed, columns, options, codes)
    fit = found.fit
    return DynamicPanel(
        params=found.params,
        covariance=found.covariance,
        findings=(*findings, *found.findings),
        method="ml",
        nobs=fit.n,
        n_persons=fit.n,
        tests={
            "chi2": fit.chi2,
            "df": fit.df,
            "p": fit.p,
            "cfi": fit.cfi,
            "rmsea": fit.rmsea,
            "srmr": fit.srmr,
        },
        llf=fit.llf,
        converged=fit.certificate.valid,
        certificate=fit.certificate.text,
    )


def _by_moments(
    panel: Waves, fixed: Floats, columns: Columns, method: str, settings: Settings, findings: list[Finding]
) -> DynamicPanel:
    if method in _GMM:
        found = gmm(panel, fixed, columns, settings)
        findings = [*findings, *_doubts(found, panel, fixed, columns, settings)]
    else:
        found = regressions(panel, fixed, columns, method, settings.time_effects)
    names = list(columns.terms)
    k = len(names)
    return DynamicPanel(
        params=pd.Series(found.params[:k], index=names, name="estimate"),
        covariance=found.covariance[:k, :k],
        findings=tuple(findings),
        method=method,
        nobs=found.used,
        n_persons=len(panel.values),
        tests=found.tests,
    )


def _doubts(
    found: Moments, panel: Waves, fixed: Floats, columns: Columns, settings: Settings
) -> list[Finding]:
    """What speaks against estimates by the generalised method of moments."""
    out = []
    j, n = int(found.tests["n_instruments"]), len(panel.values)
    if j > n:
        text = (
            "{j:noun} for {n:noun}: with more instruments than persons the estimates lean towards least squares and the test of the "
            "instruments says nothing. Use collapse=True, or a smaller max_instrument_lag."
        )
        out.append(
            Finding(
                "many_instruments",
                "caution",
                say(text, j=Number(j, "integer", "instrument"), n=Count(n, "person")),
            )
        )
    ends = [
        float(regressions(panel, fixed, columns, kind, settings.time_effects).params[0])
        for kind in ("within", "ols")
    ]
    value = float(found.params[0])
    if not min(ends) <= value <= max(ends):
        text = (
            "The coefficient of {name} is {value}, outside the range from {low} (within persons) to {high} (least squares) in which the "
            "truth lies as a rule: the instruments are weak or the model does not hold. Do not use this estimate."
        )
        values = {"value": value, "low": ends[0], "high": ends[1]}
        numbers = {key: Number(number, "number") for key, number in values.items()}
        out.append(Finding("outside_bracket", "caution", say(text, name=columns.terms[0], **numbers)))
    if abs(found.tests["m2"]) > 1.96:
        text = "The errors are correlated over two times (m2 = {m2}), so the instruments are not valid. More lags of the outcome may help."
        out.append(
            Finding("serial_correlation", "caution", say(text, m2=Number(found.tests["m2"], "number")))
        )
    return out


def _check_options(
    method: str, columns: Columns, steps: int, max_instrument_lag: int | None, likelihood_only: bool
) -> None:
    if likelihood_only:
        raise DataError("contemporaneous, person_trends and cluster are options of method='ml'.")
    if steps not in (1, 2):
        raise DataError(f"steps is {steps!r}. It is 1 or 2.")
    if max_instrument_lag is not None and max_instrument_lag < 2:
        raise DataError(f"max_instrument_lag is {max_instrument_lag}. It is 2 or more.")
    if columns.constant and method not in ("ols", "system-gmm"):
        raise DataError(
            f"{', '.join(map(repr, columns.constant))} cannot be estimated by {method!r}, which removes everything that is constant in a "
            "person. Use method='ml', or leave it out."
        )


def _names(columns: "str | tuple[str, ...] | list[str]") -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _check_times(times: int, needed: int) -> None:
    if times < needed:
        raise DataError(
            say(
                "{n:noun} {n:has|have} values, and the model needs at least {needed}. Choose a longer window, or fewer lags.",
                n=Number(times, "integer", "time"),
                needed=Number(needed, "integer"),
            )
        )
