"""Cross-lagged effects within persons: the random-intercept cross-lagged panel model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Codes, Floats, names_of
from alliance_longitudinal.methods.fiml.fit import MomentFit, fit_moments
from alliance_longitudinal.methods.fiml.patterns import Patterns, from_moments, patterns
from alliance_longitudinal.methods.fiml.robust import sandwich, scores
from alliance_longitudinal.methods.fiml.saturated import saturated
from alliance_longitudinal.methods.panel.cross_lagged_findings import problems
from alliance_longitudinal.methods.panel.cross_lagged_model import Options, build, order
from alliance_longitudinal.methods.panel.waves import (
    check_constants,
    check_variation,
    clusters,
    constants,
    left_out,
    spacing,
    waves,
)
from alliance_longitudinal.sentences import say


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class CrossLagged(Estimates):
    """A random-intercept cross-lagged panel model.

    Attributes
    ----------
    fit : MomentFit
        Every parameter, with means and innovations; ``fit.params``, ``fit.summary()``.
    nobs, n_occasions, n_clusters : int
        Persons, occasions, and clusters of the standard errors (0: persons are independent).
    chi2, df, p, cfi, rmsea, srmr, llf : float
        Fit against the saturated model, as lavaan defines it. Missing where the data determine no saturated model.
    converged : bool
        Whether the gradient vanishes and the observed information is positive definite.
    certificate : str
        Both in words.
    """

    fit: MomentFit
    all_params: pd.Series
    all_covariance: Floats
    nobs: int
    n_occasions: int
    n_clusters: int = 0

    @property
    def chi2(self) -> float:
        """Chi-square against the saturated model."""
        return self.fit.chi2

    @property
    def df(self) -> int:
        """Degrees of freedom of chi-square."""
        return self.fit.df

    @property
    def p(self) -> float:
        """P of chi-square."""
        return self.fit.p

    @property
    def cfi(self) -> float:
        """Comparative fit index (Bentler 1990)."""
        return self.fit.cfi

    @property
    def rmsea(self) -> float:
        """Root mean square error of approximation (Steiger 1990)."""
        return self.fit.rmsea

    @property
    def srmr(self) -> float:
        """Standardised root mean square residual, with the means (Bentler 1995)."""
        return self.fit.srmr

    @property
    def llf(self) -> float:
        """Log-likelihood."""
        return self.fit.llf

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.fit.aic

    @property
    def bic(self) -> float:
        """Bayesian criterion, by the number of persons."""
        return self.fit.bic

    @property
    def converged(self) -> bool:
        """Whether the optimum is proved."""
        return self.fit.certificate.valid

    @property
    def certificate(self) -> str:
        """What was checked at the optimum."""
        return self.fit.certificate.text

    def long_run(self, effect: str, ar: str) -> tuple[float, float]:
        """Estimate and standard error (delta method) of ``effect / (1 - ar)``, such as ``long_run("x_to_y", "ar_y")``."""
        at = [list(self.all_params.index).index(name) for name in (effect, ar)]
        b, r = self.all_params.iloc[at]
        slopes = np.array([1 / (1 - r), b / (1 - r) ** 2])
        cov = self.all_covariance[np.ix_(at, at)]
        return float(b / (1 - r)), float(np.sqrt(slopes @ cov @ slopes))

    def _title(self) -> str:
        return "Random-intercept cross-lagged panel model"

    def _facts(self) -> list[str]:
        clustered = f"; standard errors allow for {self.n_clusters} clusters" if self.n_clusters else ""
        return [
            f"{self.nobs} persons, {self.n_occasions} occasions, full-information maximum likelihood{clustered}",
            f"chi-square({self.df}) {self.chi2:.2f}, p {self.p:.3f}; CFI {self.cfi:.3f}, RMSEA {self.rmsea:.3f}, "
            f"SRMR {self.srmr:.3f}; log-likelihood {self.llf:.3f}",
            self.certificate,
        ]


def riclpm(
    frame: pd.DataFrame,
    x: str,
    y: str,
    person: str,
    occasion: str,
    random_intercepts: bool = True,
    random_slopes: bool = False,
    equal_lags: bool = True,
    equal_variances: bool = False,
    z: str | None = None,
    cluster: str | None = None,
    covariates: Sequence[str] = (),
) -> CrossLagged:
    """Effects from one occasion to the next within persons, between two (or three) measures.

    Each value is ``mean_t + RI_i (+ t RS_i) + w_ti``: the occasion's mean, the person's own level (and linear
    trend), and a deviation from both that follows ``w_t = Phi w_(t-1) + e_t`` (Hamaker, Kuiper & Grasman 2015,
    doi 10.1037/a0038889; with slopes Curran et al. 2014, doi 10.1037/a0035297). ``x`` may depend on earlier
    ``y`` and the reverse, so feedback biases neither effect. All available values are used (full-information
    maximum likelihood, missing at random), with standard errors from the observed information. As in lavaan,
    variances are not constrained to be positive: a negative one is reported as a finding.

    Parameters
    ----------
    frame : DataFrame
        One row per person and occasion. Not changed.
    x, y, z : str
        Columns of the measures; ``z`` is an optional third one.
    person, occasion : str
        Person ids, and numbers of the occasions. The occasions that have values are treated as equally spaced.
    random_intercepts : bool
        False gives the ordinary cross-lagged panel model, which mixes stable differences with change.
    random_slopes : bool
        Whether each person also has a linear trend; the first occasion is 0, the next 1, ...
    equal_lags : bool
        Whether effects are the same from each occasion to the next; otherwise names end in ``_1``, ``_2``, ... for the steps.
    equal_variances : bool
        Whether the (co)variances of ``e_t`` are the same from the second occasion on.
    cluster : str, optional
        A column that shows which persons belong together, such as their therapist. Standard errors then come
        from the sandwich of the clusters' scores, times ``J / (J - 1)`` for J clusters.
    covariates : sequence of str
        Constant properties of persons, such as age. Each measure depends on them at each occasion, with effects that are free to change
        over occasions (Mulder & Hamaker 2021, doi 10.1080/10705511.2020.1784738); equal effects would only move the random intercepts,
        which absorb them anyway. Their effects are in ``all_params`` as ``age_on_x_1``, ``age_on_x_2``, ... Covariates and measures are
        one normal model, so that a covariate may be missing; ``llf``, ``aic`` and ``bic`` are of both.

    Returns
    -------
    CrossLagged
        The index of ``params`` is ``ar_x, ar_y, x_to_y, y_to_x, var_ri_x, var_ri_y, cov_ri`` and, with slopes,
        ``var_rs_x, var_rs_y, cov_rs``. With ``z``, it covers all pairs.

    Raises
    ------
    DataError
        If there are fewer than 3 occasions (4 with random slopes), a measure does not vary, a column does not exist, or a covariate
        changes within a person, is the same for everybody, or is determined by the others.

    Examples
    --------
    >>> import alliance_longitudinal as al
    >>> from alliance_longitudinal import methods
    >>> sessions = al.simulate_clinic(seed=1, therapists=10, clients=200, items=False).sessions
    >>> early = sessions[sessions["session"].between(2, 5)]
    >>> found = methods.riclpm(early, "wai", "phq9", person="client", occasion="session")
    >>> found.df, found.converged, list(found.params.index[:4])
    (17, True, ['ar_x', 'ar_y', 'x_to_y', 'y_to_x'])
    """
    columns = [x, y] if z is None else [x, y, z]
    panel = waves(frame, columns, person, occasion)
    options = Options(random_intercepts, random_slopes, equal_lags, equal_variances)
    _check_occasions(len(panel.occasions), options)
    check_variation(panel)
    findings = [*left_out(panel), *spacing(panel, "the steps between them")]
    values, names = panel.flat, names_of(covariates, "the covariates") if len(covariates) else ()
    if names:
        fixed = constants(frame, panel, person, names, "Take it as a third process (z).")
        check_constants(fixed, names)
        values = np.column_stack([values, fixed])
    codes = None if cluster is None else clusters(frame, panel, person, cluster)
    found = _fitted(patterns(values), len(panel.occasions), len(columns), options, findings, names)
    return found if codes is None else _clustered(found, values, codes)


def riclpm_from_moments(
    cov: "Floats | pd.DataFrame | Sequence[Sequence[float]]",
    nobs: int,
    mean: "Floats | Sequence[float] | None" = None,
    random_intercepts: bool = True,
    random_slopes: bool = False,
    equal_lags: bool = True,
    equal_variances: bool = False,
) -> CrossLagged:
    """Fit the random-intercept cross-lagged panel model to a published covariance matrix.

    Parameters
    ----------
    cov : array-like, shape (2 T, 2 T)
        Covariances of x1 y1 x2 y2 ..., with divisor n. If the divisor is n - 1, first multiply them by
        ``(n - 1) / n``.
    nobs : int
        Number of persons behind the matrix.
    mean : array-like, shape (2 T,), optional
        Means in the same order. If left out, they are free and have no influence.
    random_intercepts, random_slopes, equal_lags, equal_variances : bool
        As in `riclpm`.

    Returns
    -------
    CrossLagged

    Raises
    ------
    DataError
        If the matrix is not a covariance matrix of two measures at 3 occasions or more (4 with random slopes).

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> cov = [[1.0, 0.3, 0.5, 0.2, 0.4, 0.2], [0.3, 1.0, 0.1, 0.5, 0.1, 0.4], [0.5, 0.1, 1.0, 0.3, 0.5, 0.2],
    ...        [0.2, 0.5, 0.3, 1.0, 0.1, 0.5], [0.4, 0.1, 0.5, 0.1, 1.0, 0.3], [0.2, 0.4, 0.2, 0.5, 0.3, 1.0]]
    >>> methods.riclpm_from_moments(cov, nobs=200).df
    5
    """
    matrix = np.asarray(cov, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or len(matrix) % 2:
        raise DataError(
            f"cov has the shape {matrix.shape}. It has to be square, with x and y of each occasion."
        )
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-10):
        raise DataError("cov is not symmetric, or has missing values.")
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        raise DataError("cov is not positive definite: some columns determine others.")
    if nobs <= len(matrix):
        raise DataError(f"nobs is {nobs}. It has to be more than the {len(matrix)} columns of cov.")
    centre = None if mean is None else np.asarray(mean, dtype=float)
    if centre is not None and (centre.shape != (len(matrix),) or not np.isfinite(centre).all()):
        raise DataError(f"mean needs one number for each of the {len(matrix)} columns of cov.")
    options = Options(random_intercepts, random_slopes, equal_lags, equal_variances)
    occasions = len(matrix) // 2
    _check_occasions(occasions, options)
    return _fitted(from_moments((matrix + matrix.T) / 2, nobs, centre), occasions, 2, options, [])


def _check_occasions(occasions: int, options: Options) -> None:
    needed = 4 if options.random_slopes else 3
    if occasions < needed:
        what = "random slopes need" if options.random_slopes else "the model needs"
        raise DataError(
            say(
                "{n:noun} {n:has|have} values, and {what} at least {needed}. Choose a longer window.",
                n=Number(occasions, "integer", "occasion"),
                what=what,
                needed=Number(needed, "integer"),
            )
        )


def _fitted(
    data: Patterns,
    occasions: int,
    k: int,
    options: Options,
    findings: list[Finding],
    covariates: Sequence[str] = (),
) -> CrossLagged:
    labels = ("x", "y", "z")[:k]
    spec = build(labels, occasions, data, options, covariates)
    fit = fit_moments(data, spec, saturated(data))
    names = order(labels, occasions, options)
    at = [spec.names.index(name) for name in names]
    found = [*findings, *problems(fit, spec, labels, options)]
    return CrossLagged(
        params=fit.params[names].rename("estimate"),
        covariance=fit.covariance[np.ix_(at, at)],
        findings=tuple(found),
        fit=fit,
        all_params=fit.params,
        all_covariance=fit.covariance,
        nobs=data.n,
        n_occasions=occasions,
    )


def _clustered(found: CrossLagged, values: Floats, codes: Codes) -> CrossLagged:
    """The same estimates with standard errors by clusters."""
    from dataclasses import replace

    spec = found.fit.spec
    every = sandwich(found.all_covariance, scores(values, spec, found.fit.free), codes)
    at = [spec.names.index(name) for name in found.params.index]
    n = int(codes.max()) + 1
    findings = found.findings
    if n < 20:
        findings += (
            Finding(
                "few_clusters",
                "caution",
                say(
                    "Standard errors by {n:noun} are too small as a rule; at least {needed} are needed.",
                    n=Number(n, "integer", "cluster"),
                    needed=Number(20, "integer"),
                ),
            ),
        )
    return replace(
        found, covariance=every[np.ix_(at, at)], all_covariance=every, n_clusters=n, findings=findings
    )
