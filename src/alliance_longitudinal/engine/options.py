"""What can be asked of a fit, checked before any work is done."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, TypeVar, get_args

import numpy as np

from alliance_longitudinal.errors import FitError

#: How degrees of freedom and the covariance of the coefficients are found.
DfMethod: TypeAlias = Literal["satterthwaite", "kenward-roger", "normal"]
CovType: TypeAlias = Literal["model", "CR0", "CR2"]
#: Intervals of parameters, of their bootstrap, and of predictions.
IntervalMethod: TypeAlias = Literal["wald", "profile", "bootstrap"]
BootstrapInterval: TypeAlias = Literal["percentile", "basic", "bca"]
PredictionInterval: TypeAlias = Literal["confidence", "prediction"]
#: What a bootstrap draws anew, how a variance is tested, and where limits of shares are from.
BootstrapKind: TypeAlias = Literal["parametric", "cluster", "case", "two-stage"]
VarianceTest: TypeAlias = Literal["exact", "mixture", "bootstrap"]
ShareMethod: TypeAlias = Literal["profile", "bootstrap"]
#: Diagnostics.
ResidualKind: TypeAlias = Literal["conditional", "marginal", "pearson", "whitened"]
EnvelopeKind: TypeAlias = Literal["conditional", "marginal", "pearson", "whitened", "quantile", "modes"]
InfluenceMethod: TypeAlias = Literal["auto", "one-step", "fixed", "refit"]
#: Marginal means: over what categories are averaged, and how p values are adjusted for their number.
MeanWeights: TypeAlias = Literal["equal", "proportional"]
Adjustment: TypeAlias = Literal["tukey", "holm", "none"]
#: Generalised models: families, links, and the scale of predictions.
FamilyName: TypeAlias = Literal["binomial", "poisson", "negative-binomial", "ordinal"]
LinkName: TypeAlias = Literal["logit", "cloglog", "log"]
PredictionScale: TypeAlias = Literal["response", "linear"]

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Options of `MixedModel.fit`.

    Attributes
    ----------
    reml : bool
    df : {"satterthwaite", "kenward-roger", "normal"}
    cov_type : {"model", "CR0", "CR2"}
    cov_groups : str or None
        Column of the clusters of CR0 and CR2.
    require_certificate : bool
    """

    reml: bool = True
    df: DfMethod = "satterthwaite"
    cov_type: CovType = "model"
    cov_groups: str | None = None
    require_certificate: bool = True

    def __post_init__(self) -> None:
        switch("reml", self.reml)
        switch("require_certificate", self.require_certificate)
        choose("df", self.df, DfMethod)
        choose("cov_type", self.cov_type, CovType)
        if self.cov_type == "model" and self.cov_groups is not None:
            raise FitError(
                f"cov_groups={self.cov_groups!r} belongs to cluster-robust standard errors. Add cov_type='CR2', or leave it out."
            )
        if self.cov_type != "model" and self.cov_groups is None:
            raise FitError(f"cov_type={self.cov_type!r} needs the column of the clusters: cov_groups='...'.")
        if self.df == "kenward-roger" and self.cov_type != "model":
            raise FitError(
                "Kenward and Roger's method has its own standard errors and does not go with cluster-robust ones. Choose "
                "df='satterthwaite', or leave out cov_type."
            )
        if self.df == "kenward-roger" and not self.reml:
            raise FitError(
                "Kenward and Roger's method belongs to REML. Fit with reml=True, or choose df='satterthwaite'."
            )


def choose(argument: str, value: Choice, choices: Any) -> Choice:
    """Return ``value`` if it is one of the choices, a `Literal`.

    Raises
    ------
    FitError
        With the argument's name and the choices there are.
    """
    choices = get_args(choices)
    if value in choices:
        return value
    near = get_close_matches(str(value), choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    *most, last = map(repr, choices)
    there = f"{', '.join(most)} and {last}" if most else last
    raise FitError(f"{argument}={value!r} is not available; there is {there}.{hint}")


def switch(argument: str, value: object) -> bool:
    """Return ``value`` as a truth value if it is one.

    Raises
    ------
    FitError
        Any other value: a text such as ``"no"`` would count as true.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    hint = " reml=False is maximum likelihood." if argument == "reml" else ""
    raise FitError(f"{argument} must be True or False, not {value!r}.{hint}")


def generator(seed: int | None) -> np.random.Generator:
    """Random numbers from a seed; None for a new one each time.

    Raises
    ------
    FitError
        The seed is no whole number from 0 on.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise FitError(f"seed must be a whole number from 0 on, or None, not {seed!r}.") from None


def check_alpha(alpha: float) -> None:
    """Refuse a level of error that is none.

    Raises
    ------
    FitError
        Not a number between 0 and 1.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number) or not 0 < alpha < 1:
        raise FitError(f"alpha must be between 0 and 1, not {alpha!r}; 0.05 gives 95 % intervals.")
