"""What can be asked of a fit, checked before any work is done."""

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from alliance_longitudinal.errors import FitError

#: The choices of this version, by option.
CHOICES: dict[str, tuple[str, ...]] = {
    "df": ("satterthwaite", "kenward-roger", "normal"),
    "cov_type": ("model", "CR0", "CR2"),
    "interval": ("confidence", "prediction"),
    "kind of residual": ("conditional", "marginal", "pearson", "whitened"),
    "kind of envelope": ("conditional", "marginal", "pearson", "whitened", "quantile", "modes"),
    "influence": ("auto", "one-step", "fixed", "refit"),
    "method": ("wald", "profile", "bootstrap"),
    "kind": ("parametric", "cluster", "case", "two-stage"),
    "variance test": ("exact", "mixture", "bootstrap"),
    "icc": ("profile", "bootstrap"),
    "bootstrap interval": ("percentile", "basic", "bca"),
}


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
    df: str = "satterthwaite"
    cov_type: str = "model"
    cov_groups: str | None = None
    require_certificate: bool = True

    def __post_init__(self) -> None:
        choose("df", self.df)
        choose("cov_type", self.cov_type)
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


def choose(option: str, value: str) -> str:
    """Return ``value`` if this version has it.

    Raises
    ------
    FitError
        With the choices there are.
    """
    choices = CHOICES[option]
    if value in choices:
        return value
    near = get_close_matches(str(value), choices, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    *most, last = map(repr, choices)
    there = f"{', '.join(most)} and {last}" if most else last
    raise FitError(f"{option}={value!r} is not available; there is {there}.{hint}")


def check_alpha(alpha: float) -> None:
    """Refuse a level of error that is none.

    Raises
    ------
    FitError
        Not a number between 0 and 1.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number) or not 0 < alpha < 1:
        raise FitError(f"alpha must be between 0 and 1, not {alpha!r}; 0.05 gives 95 % intervals.")
