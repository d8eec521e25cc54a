"""What every method that estimates something returns: estimates, standard errors, intervals, as table and as text.

How a method uses it: a frozen dataclass that adds what is its own, and a title for the summary.

    @dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
    class Surface(Estimates):
        ridge: tuple[float, float]

        def _title(self) -> str:
            return "Response surface"

    Surface(params=pd.Series([0.1, 0.2], ["a1", "a2"]), covariance=v, dof=df, findings=(), ridge=(0.0, 1.0))

``dof`` is one number or one for each estimate; leave it out for the normal distribution. Where the interval is not the
usual one (Monte Carlo, profile), override ``_limits``; table and summary follow. Lines that belong above the table are
those of ``_facts``.
"""

import html
from dataclasses import dataclass

import numpy as np
import pandas as pd

from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.frames import Floats


class Text(str):
    """A text that a notebook shows as it is, without quotation marks and escapes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Estimated:
    """Estimates with their covariance; `Estimates` adds intervals as a frame.

    Attributes
    ----------
    params : Series
        Estimates by name.
    covariance : ndarray, shape (p, p)
        Of the estimates; NaN where it is not known.
    dof : float or ndarray of shape (p,)
        Degrees of freedom of the t tests and intervals; infinite for the normal distribution.
    findings : tuple of Finding
        What a reader of the numbers has to know.
    """

    params: pd.Series
    covariance: Floats
    dof: "float | Floats" = np.inf
    findings: tuple[Finding, ...] = ()

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return self._series(np.sqrt(np.diag(self.covariance)), "se")

    @property
    def tvalues(self) -> pd.Series:
        """Estimates by their standard errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._series(self.params.to_numpy(float) / self.bse.to_numpy(float), "t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p of each estimate being zero."""
        return self._series(2 * distributions.t.sf(np.abs(self.tvalues.to_numpy(float)), self.dof), "p")

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the estimates, names by names."""
        return pd.DataFrame(self.covariance, index=self.params.index, columns=list(self.params.index))

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """One row per estimate: ``term, estimate, se, df, stat, p, low, high``."""
        limits = self._limits(check_alpha(alpha))
        columns = {
            "estimate": self.params,
            "se": self.bse,
            "df": self._series(self.dof, "df"),
            "stat": self.tvalues,
            "p": self.pvalues,
        }
        table = pd.DataFrame(columns | {"low": limits["lower"], "high": limits["upper"]})
        return table.rename_axis("term").reset_index()

    def summary(self) -> str:
        """The result as text."""
        table = self.tidy().set_index("term").rename_axis(None).to_string(float_format=lambda v: f"{v:.4g}")
        found = [f"{finding.severity}: {finding.message}" for finding in self.findings]
        return Text("\n".join([self._title(), *self._facts(), "", table, *([""] if found else []), *found]))

    def _limits(self, alpha: float) -> pd.DataFrame:
        """Interval of each estimate, by name."""
        half = distributions.t.ppf(1 - alpha / 2, self.dof) * self.bse
        return pd.DataFrame({"lower": self.params - half, "upper": self.params + half})

    def _series(self, values: "float | Floats", name: str) -> pd.Series:
        values = np.broadcast_to(np.asarray(values, dtype=float), len(self.params)).copy()
        return pd.Series(values, index=self.params.index, name=name)

    def _title(self) -> str:
        """First line of the summary: what was estimated."""
        return type(self).__name__

    def _facts(self) -> list[str]:
        """Lines between the title and the table: numbers of rows and persons, fit, what was left out."""
        return []

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(map(str, self.params.index))}; use .summary()>"

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.summary())}</pre>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Estimates(Estimated):
    """Estimates with their covariance and intervals.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> found = Estimates(params=pd.Series({"a": 1.0, "b": -2.0}), covariance=np.diag([0.25, 1.0]), dof=10)
    >>> found.bse.tolist()
    [0.5, 1.0]
    >>> found.conf_int().round(3).to_numpy().tolist()
    [[-0.114, 2.114], [-4.228, 0.228]]
    """

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals: columns ``lower`` and ``upper``, one row per estimate."""
        return self._limits(check_alpha(alpha))


def check_alpha(alpha: float) -> float:
    """The level of error, if it is one.

    Raises
    ------
    DataError
        Not a number between 0 and 1.
    """
    if isinstance(alpha, bool) or not isinstance(alpha, int | float | np.number) or not 0 < alpha < 1:
        raise DataError(f"alpha is {alpha!r}; it lies between 0 and 1, and 0.05 gives 95 % intervals.")
    return float(alpha)
