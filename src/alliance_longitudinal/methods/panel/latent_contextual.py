"""Contextual effects with latent group means: the effect of a group's level, free of the noise of its observed mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.errors import DataError, FitError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import (
    Codes,
    Floats,
    check_columns,
    groups,
    names_of,
    numbers,
)
from alliance_longitudinal.methods.panel.two_level import TwoLevel, fit, sizes_of, sums
from alliance_longitudinal.sentences import say

Method = Literal["ml", "moment"]
_NAMES = ["within", "between", "contextual"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class LatentContextual(Estimates):
    """Effects within and between groups.

    Attributes
    ----------
    method : {"ml", "moment"}
    reliability : float
        Of an observed group mean of ``x`` over the harmonic mean of the groups' sizes, given the covariates.
    icc : float
        Share of the variance of ``x`` between groups, given the covariates.
    llf : float
        Log-likelihood of x and y given the covariates; missing for the moment correction.
    nobs, n_groups, n_dropped : int
        Rows, groups, and rows left out because a value is missing.
    converged : bool
    certificate : str
    """

    method: str
    reliability: float
    icc: float
    llf: float
    nobs: int
    n_groups: int
    n_dropped: int
    converged: bool
    certificate: str

    def _title(self) -> str:
        how = "maximum likelihood" if self.method == "ml" else "moment correction of the manifest effect"
        return f"Contextual effect with latent group means, {how}"

    def _facts(self) -> list[str]:
        dropped = f" ({self.n_dropped} left out: a value is missing)" if self.n_dropped else ""
        return [
            f"{self.nobs} rows{dropped}, {self.n_groups} groups; reliability of a group mean of x {self.reliability:.3f}, "
            f"share of its variance between groups {self.icc:.3f}",
            *([f"log-likelihood {self.llf:.3f}"] if self.method == "ml" else []),
            self.certificate,
        ]


def latent_contextual(
    frame: pd.DataFrame,
    y: str,
    x: str,
    group: str,
    within: "str | Sequence[str]" = (),
    between: "str | Sequence[str]" = (),
    method: Method = "ml",
) -> LatentContextual:
    """Effect of ``x`` on ``y`` within groups and between their latent means.

    ``x_ij = mu_j + w_ij`` and ``y_ij = a + b_w w_ij + b_b mu_j + u_j + e_ij`` (Ludtke et al. 2008, doi
    10.1037/a0012869): ``mu_j`` is the group's true level; the mean of a few members measures it with error.
    Regression on observed means estimates ``b_w + lambda (b_b - b_w)``, with ``lambda`` their reliability. The
    model suits groups whose observed members are a sample. Where nearly all members are observed, the observed
    mean is the level itself.

    ``"ml"`` fits x and y jointly at both levels, with standard errors from the observed information.
    ``"moment"`` corrects the manifest effects of a mixed model by REML, ``b_b = b_w + (b_m - b_w) / lambda``,
    with ``lambda`` from the harmonic mean of the group sizes and the REML estimate of ``rho``, the share of
    variance between groups. Its standard errors come from the delta method, with the large-sample variance of
    ``rho`` (Donner 1986), ``2 (1 - rho)^2 (1 + (n - 1) rho)^2 / (n (n - 1) (J - 1))``.

    Parameters
    ----------
    frame : DataFrame
        One row per member. Not changed. Rows with a missing value are left out.
    y, x, group : str
    within, between : str or sequence of str
        Covariates of members (centre them within groups, if their group means differ) and of groups.
    method : {"ml", "moment"}

    Returns
    -------
    LatentContextual
        The index of ``params`` is ``within, between, contextual``; contextual is between minus within.

    Raises
    ------
    DataError
        If a column does not exist or does not vary within groups, or if there are too few groups or members.
    FitError
        If no maximum of the likelihood is found.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> therapist = np.repeat(np.arange(200), 6)
    >>> level, own = 0.5 * rng.normal(size=200)[therapist], rng.normal(size=1200)
    >>> y = 0.2 * own + 0.7 * level + rng.normal(size=1200)
    >>> data = pd.DataFrame({"therapist": therapist, "alliance": level + own, "change": y})
    >>> found = methods.latent_contextual(data, "change", "alliance", "therapist")
    >>> bool(abs(found.params["between"] - 0.7) < 2 * found.bse["between"]), round(found.reliability, 1)
    (True, 0.6)
    """
    if method not in get_args(Method):
        raise DataError(f"method is {method!r}. It is 'ml' or 'moment'.")
    low, high = _names(within), _names(between)
    names = names_of((y, x, *low, *high), "the columns")
    check_columns(frame, (*names, group))
    every = np.column_stack([numbers(frame, name) for name in names])
    known = ~np.isnan(every).any(axis=1)
    if not known.any():
        raise DataError("No row has all the values. Check the columns.")
    codes, _ = groups(frame[known], group)
    values = every[known]
    _check(values, codes, names, len(low), group)
    _check_rank(values)
    found = _ml(values, codes) if method == "ml" else _moment(values, codes)
    dropped = int((~known).sum())
    return _result(*found, method=method, codes=codes, dropped=dropped)


def _names(columns: "str | Sequence[str]") -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else tuple(columns)


def _check(values: Floats, codes: Codes, names: tuple[str, ...], n_low: int, group: str) -> None:
    size = sizes_of(codes)
    if len(size) < 3 + values.shape[1] - 2 - n_low:
        raise DataError(
            say(
                "{n:noun} of {group} {n:is|are} too few for effects between them.",
                n=Number(len(size), "integer", "value"),
                group=repr(group),
            )
        )
    means = np.column_stack([np.bincount(codes, v) / size for v in values.T])
    inside = values - means[codes]
    spread = np.sqrt((inside**2).sum(axis=0) / max(len(values) - len(size), 1))
    for k, name in enumerate(names):
        if k < 2 + n_low and spread[k] < 1e-10 * max(1.0, float(np.abs(values[:, k]).max())):
            raise DataError(
                f"{name!r} does not vary within {group!r}, so there is no effect within. Groups need two members or more."
            )
        if k >= 2 + n_low and spread[k] > 1e-9 * max(1.0, float(np.abs(values[:, k]).max())):
            raise DataError(
                f"{name!r} varies within {group!r}, so it is not a property of the group. Give it as within."
            )


def _check_rank(values: Floats) -> None:
    """Refuse covariates that determine x or y, or each other."""
    rest = values[:, 2:]
    if not rest.shape[1]:
        return
    spread = values.std(axis=0)
    units = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    covariates = np.linalg.matrix_rank(units[:, 2:])
    if covariates < rest.shape[1] or any(
        np.linalg.matrix_rank(units[:, [k, *range(2, units.shape[1])]]) == covariates for k in (0, 1)
    ):
        raise DataError("Some covariates determine others, x or y, or are constant. Leave one out.")


@dataclass(frozen=True, slots=True)
class _Found:
    params: Floats
    covariance: Floats
    tau: float
    sigma2: float
    llf: float
    valid: bool
    certificate: str


def _ml(values: Floats, codes: Codes) -> tuple[_Found]:
    """X and y jointly, in units of their standard deviations."""
    pairs = values[:, [1, 0]]
    scale = pairs.std(axis=0)
    centre = pairs.mean(axis=0)
    rest = values[:, 2:]
    rest = (rest - rest.mean(axis=0)) / np.where(rest.std(axis=0) > 0, rest.std(axis=0), 1.0)
    covariates = np.column_stack([np.ones(len(values)), rest])
    found = fit(sums((pairs - centre) / scale, covariates, codes))
    if found is None:
        raise FitError(
            "The two-level likelihood has no maximum that can be found in these data: the groups are too small or too few. Use "
            "method='moment', or larger groups."
        )
    ratio = float(scale[1] / scale[0])
    params, slopes = _effects(found)
    covariance = slopes @ found.covariance @ slopes.T
    llf = found.llf - len(values) * float(np.log(scale).sum())
    within, between = found.within[0, 0] * scale[0] ** 2, found.between[0, 0] * scale[0] ** 2
    return (
        _Found(
            params * ratio,
            covariance * ratio**2,
            float(between),
            float(within),
            llf,
            found.certificate.valid,
            found.certificate.text,
        ),
    )


def _effects(found: TwoLevel) -> tuple[Floats, Floats]:
    """Effects (3,) and their derivatives (3, 6) by the six cells."""
    c = found.cells
    b_w, b_b = c[1] / c[0], c[4] / c[3]
    by_w = np.array([-b_w / c[0], 1 / c[0], 0, 0, 0, 0])
    by_b = np.array([0, 0, 0, -b_b / c[3], 1 / c[3], 0])
    return np.array([b_w, b_b, b_b - b_w]), np.array([by_w, by_b, by_b - by_w])


def _moment(values: Floats, codes: Codes) -> tuple[_Found]:
    """Manifest effects by REML, corrected for the reliability of the group means."""
    from alliance_longitudinal.engine import MixedModel

    size = sizes_of(codes)
    x = values[:, 1]
    mean = (np.bincount(codes, x) / size)[codes]
    rest = {f"c{k}": column for k, column in enumerate(values[:, 2:].T)}
    data = pd.DataFrame({"y": values[:, 0], "x": x, "w": x - mean, "m": mean, "g": codes, **rest})
    null = MixedModel.from_formula(f"x ~ {' + '.join(['1', *rest])} + (1 | g)", data).fit()
    differ = float(np.ptp(mean)) > 1e-10 * max(1.0, float(np.abs(x).max()))
    fixed = " + ".join(["w", *(["m"] if differ else []), *rest])
    model = MixedModel.from_formula(f"y ~ {fixed} + (1 | g)", data).fit()
    tau = float(null.varcorr["vcov"].iloc[0])
    sigma2 = float(null.scale)
    n, j = len(size) / float(np.sum(1 / size)), len(size)
    rho = tau / (tau + sigma2)
    lam = n * rho / (1 + (n - 1) * rho)
    b_w = float(model.params["w"])
    if lam <= 0 or not differ:
        tau = 0.0
        params = np.array([b_w, np.nan, np.nan])
        covariance = np.full((3, 3), np.nan)
        covariance[0, 0] = float(model.bse["w"]) ** 2
    else:
        by_rho = n / (1 + (n - 1) * rho) ** 2
        v_rho = 2 * (1 - rho) ** 2 * (1 + (n - 1) * rho) ** 2 / (n * (n - 1) * (j - 1))
        b_m = float(model.params["m"])
        b_b = b_w + (b_m - b_w) / lam
        slopes = np.array([[1.0, 0, 0], [1 - 1 / lam, 1 / lam, -(b_m - b_w) / lam**2]])
        slopes = np.vstack([slopes, slopes[1] - slopes[0]])
        own = np.zeros((3, 3))
        own[:2, :2] = model.cov_params().loc[["w", "m"], ["w", "m"]]
        own[2, 2] = v_rho * by_rho**2
        params, covariance = np.array([b_w, b_b, b_b - b_w]), slopes @ own @ slopes.T
    good = bool(null.converged and model.converged)
    text = "Both mixed models converged." if good else "A mixed model did not converge."
    return (_Found(params, covariance, tau, sigma2, float("nan"), good, text),)


def _result(found: _Found, *, method: str, codes: Codes, dropped: int) -> LatentContextual:
    size = sizes_of(codes)
    n = len(size) / float(np.sum(1 / size))
    icc = found.tau / (found.tau + found.sigma2)
    lam = n * icc / (1 + (n - 1) * icc)
    params, covariance = found.params.copy(), found.covariance.copy()
    findings = _findings(found, len(size), dropped, lam)
    if found.tau <= 0:
        params[1:] = np.nan
        covariance[1:, :] = covariance[:, 1:] = np.nan
    return LatentContextual(
        params=pd.Series(params, index=_NAMES, name="estimate"),
        covariance=covariance,
        findings=tuple(findings),
        method=method,
        reliability=max(lam, 0.0),
        icc=max(icc, 0.0),
        llf=found.llf,
        nobs=len(codes),
        n_groups=len(size),
        n_dropped=dropped,
        converged=found.valid,
        certificate=found.certificate,
    )


def _findings(found: _Found, n_groups: int, dropped: int, lam: float) -> list[Finding]:
    out = []
    if not found.valid:
        out.append(
            Finding(
                "not_converged", "failed", say("The model did not converge. {why}", why=found.certificate)
            )
        )
    if found.tau <= 0:
        out.append(
            Finding(
                "no_group_variance",
                "failed",
                "The groups do not differ in x beyond chance, so an effect between their true levels cannot be computed.",
            )
        )
    elif lam < 0.5:
        out.append(
            Finding(
                "unreliable_means",
                "caution",
                say(
                    "The reliability of a group mean is {lam}: the corrected effect between groups is very uncertain.",
                    lam=Number(lam, "number"),
                ),
            )
        )
    if n_groups < 50:
        out.append(
            Finding(
                "few_groups",
                "caution",
                say(
                    "{n:noun} {n:is|are} few for effects between latent means: estimates vary widely and their intervals are too narrow.",
                    n=Number(n_groups, "integer", "group"),
                ),
            )
        )
    if dropped:
        out.append(
            Finding(
                "rows_left_out",
                "info",
                say("{n:noun} without all values {n:is|are} left out.", n=Count(dropped, "row")),
            )
        )
    return out
