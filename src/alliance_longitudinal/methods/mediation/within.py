"""Mediation within persons: x to m to y, all measured at the same occasions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import AllianceError, DataError
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.methods.basics.values import whole

#: Columns of the random effects in the stacked data, in order: intercepts of m and y, a, b, c'.
RANDOM = ("sm", "sy", "sm_x", "sy_m", "sy_x")
_A, _B, _C = 2, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Mediation(Estimates):
    """Average paths and the indirect effect of an average person.

    Attributes
    ----------
    varcov : DataFrame
        Covariance of the random effects.
    sigma : Series
        Residual standard deviations of ``m`` and ``y``.
    model : MixedModelResults
    draws : ndarray, shape (n_draws, 6)
        Simulated estimates from which the intervals are taken.
    n, persons, n_dropped : int
    """

    varcov: pd.DataFrame
    sigma: pd.Series
    model: Any = field(repr=False)
    draws: Floats = field(repr=False)
    n: int
    persons: int
    n_dropped: int

    def _title(self) -> str:
        return "Mediation within persons (1-1-1)"

    def _facts(self) -> list[str]:
        return [
            f"{self.n} occasions of {self.persons} persons, {self.n_dropped} without a value; Monte Carlo intervals"
        ]

    def _limits(self, alpha: float) -> pd.DataFrame:
        low, high = np.quantile(self.draws, [alpha / 2, 1 - alpha / 2], axis=0)
        return pd.DataFrame({"lower": low, "upper": high}, index=self.params.index)


def mediate(
    frame: pd.DataFrame, x: str, m: str, y: str, person: str, *, n_draws: int = 20_000, seed: int = 0
) -> Mediation:
    """Indirect effect within persons whose paths differ.

    ``m = d_M + a_i x + e_M`` and ``y = d_Y + b_i m + c'_i x + e_Y`` are fitted by REML in one model of the
    stacked rows (Bauer, Preacher & Gil 2006, doi 10.1037/1082-989X.11.2.142). All five coefficients are random
    with a full covariance, and each outcome has its own residual variance. The average of the persons' indirect
    effects is ``a b + cov(a_i, b_i)``; the total effect adds ``c'``. Intervals are Monte Carlo (Preacher &
    Selig 2012): coefficients and the covariance of ``a_i`` and ``b_i`` are drawn from normal distributions with
    their sampling covariances. The sampling covariance of the variances comes from the restricted information.

    The columns are used as they are. To study effects within persons only, first subtract the persons' means
    (`decompose`).

    Parameters
    ----------
    frame : DataFrame
        One row per person and occasion. Not changed. Rows with a missing value are left out.
    x, m, y : str
        Cause, mediator, outcome.
    person : str
        Column of persons.
    n_draws, seed : int
        Number of draws and seed for the Monte Carlo intervals.

    Returns
    -------
    Mediation
        ``params``: ``a, b, c_prime, cov_ab, indirect, total``.

    Raises
    ------
    DataError
        If columns are missing, a column does not vary, persons have too few rows, or the model cannot be fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(1)
    >>> person = np.repeat(range(40), 12)
    >>> a, b = rng.multivariate_normal([0.6, 0.6], [[0.2, 0.1], [0.1, 0.2]], 40).T
    >>> x = rng.normal(size=480)
    >>> m = a[person] * x + rng.normal(size=40)[person] + rng.normal(size=480)
    >>> y = b[person] * m + 0.2 * x + rng.normal(size=40)[person] + rng.normal(size=480)
    >>> found = methods.mediate(pd.DataFrame({"p": person, "x": x, "m": m, "y": y}), "x", "m", "y", "p")
    >>> found.params.round(2)[["a", "b", "cov_ab"]].to_dict()
    {'a': 0.57, 'b': 0.58, 'cov_ab': 0.03}
    """
    n_draws = whole("n_draws", n_draws, "a number of draws, at least 1000", least=1000)
    rows = complete_rows(frame, {"x": x, "m": m, "y": y}, {"person": person}, least=20)
    for name, column in (("x", x), ("m", m), ("y", y)):
        check_varies(rows.values(name), column, "A path needs values that vary.")
    sizes = rows.data.groupby("person")["x"].size()
    if (sizes >= 4).sum() < 5:
        raise DataError(
            f"{int((sizes >= 4).sum())} persons have four complete occasions or more. At least five are needed for paths that differ "
            "between persons."
        )
    stacked = stack(rows.data)
    model = _fit(stacked)
    sigma = _sigma(model)
    if any(sigma[name] < 1e-6 * rows.values(name).std() for name in ("m", "y")):  # each on its own scale
        raise DataError(f"The mediation model cannot be fitted: nothing of {m!r} or {y!r} is left to chance.")
    covariance = _random(model)
    fixed = model.params[[f"{name}" for name in RANDOM]].to_numpy(float)
    fixed_cov = model.cov_params().loc[list(RANDOM), list(RANDOM)].to_numpy(float)
    spread = variance_of_cov_ab(stacked, covariance, sigma)
    return _result(fixed, fixed_cov, covariance, sigma, spread, model, rows.n_dropped, n_draws, seed)


def stack(data: pd.DataFrame) -> pd.DataFrame:
    """Two rows per occasion, one for each outcome, with the columns of `RANDOM`."""
    parts = []
    for name in ("m", "y"):
        is_m, is_y = float(name == "m"), float(name == "y")
        columns = {
            "z": data[name],
            "sm": is_m,
            "sy": is_y,
            "sm_x": is_m * data["x"],
            "sy_m": is_y * data["m"],
            "sy_x": is_y * data["x"],
        }
        parts.append(pd.DataFrame(columns).assign(outcome=name, person=data["person"]))
    return pd.concat(parts, ignore_index=True)


def _fit(stacked: pd.DataFrame) -> Any:
    from alliance_longitudinal.engine import MixedModel, VarIdent

    terms = " + ".join(RANDOM)
    try:
        return MixedModel.from_formula(
            f"z ~ 0 + {terms} + (0 + {terms} | person)", stacked, residual=VarIdent("outcome")
        ).fit(df="normal")
    except np.linalg.LinAlgError as problem:  # the residual variance of one outcome goes to zero
        raise DataError(
            "The mediation model cannot be fitted: x and m determine y, or x determines m, so that nothing is left to chance."
        ) from problem
    except AllianceError as problem:
        raise DataError(f"The mediation model cannot be fitted: {problem}") from problem


def _sigma(model: Any) -> pd.Series:
    ratio = model.residual_parameters.set_index("name")["estimate"].iloc[0]
    first = float(np.sqrt(model.scale))
    return pd.Series({"m": first, "y": first * float(ratio)}, name="sigma")


def _random(model: Any) -> pd.DataFrame:
    table = model.varcorr[model.varcorr["group"] == "person"]
    out = pd.DataFrame(0.0, index=list(RANDOM), columns=list(RANDOM))
    for row in table.itertuples():
        other = row.term1 if pd.isna(row.term2) else row.term2
        out.loc[row.term1, other] = out.loc[other, row.term1] = row.vcov
    return out


def variance_of_cov_ab(stacked: pd.DataFrame, covariance: pd.DataFrame, sigma: pd.Series) -> float:
    """Sampling variance of the covariance of a and b, from the expected restricted information of all variance parameters.

    ``I_kl = tr(P V_k P V_l) / 2`` with ``P = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1``, person by person.
    """
    g = covariance.to_numpy(float)
    q = len(RANDOM)
    pairs = [(i, k) for i in range(q) for k in range(i + 1)]
    directions = np.zeros((len(pairs), q, q))
    for at, (i, k) in enumerate(pairs):
        directions[at, i, k] = directions[at, k, i] = 1.0
    n_par = len(pairs) + 2
    first = np.zeros((n_par, n_par))
    second, third = np.zeros((n_par, n_par, q, q)), np.zeros((n_par, q, q))
    information = np.zeros((q, q))
    for _, rows in stacked.groupby("person", sort=False):
        z = rows[list(RANDOM)].to_numpy(float)
        is_m = (rows["outcome"] == "m").to_numpy(float)
        v = z @ g @ z.T + np.diag(np.where(is_m > 0, sigma["m"] ** 2, sigma["y"] ** 2))
        change = np.concatenate([z @ directions @ z.T, [np.diag(is_m), np.diag(1 - is_m)]])
        inverse = np.linalg.inv(v)
        left = inverse @ change  # V^-1 V_k
        first += np.einsum("kij,lji->kl", left, left)
        wx = inverse @ z
        information += z.T @ wx
        half = change @ wx  # V_k V^-1 X
        third += np.einsum("ia,kib->kab", wx, half)
        second += np.einsum("kia,ij,ljb->klab", half, inverse, half)
    c = np.linalg.inv(information)
    middle = np.einsum("ab,klba->kl", c, second)
    last = np.einsum("ab,kbc,cd,lda->kl", c, third, c, third)
    restricted = (first - 2 * middle + last) / 2
    at = pairs.index((_B, _A))
    return max(float(np.linalg.pinv(restricted, hermitian=True)[at, at]), 0.0)


def _result(
    fixed: Floats,
    fixed_cov: Floats,
    covariance: pd.DataFrame,
    sigma: pd.Series,
    spread: float,
    model: Any,
    n_dropped: int,
    n_draws: int,
    seed: int,
) -> Mediation:
    paths = [_A, _B, _C]
    mean = np.r_[fixed[paths], covariance.iloc[_A, _B]]
    cov = np.zeros((4, 4))
    cov[:3, :3], cov[3, 3] = fixed_cov[np.ix_(paths, paths)], spread
    draws = np.random.default_rng(seed).multivariate_normal(mean, cov, n_draws, method="eigh")
    values = _effects(mean[None])[0]
    a, b = mean[0], mean[1]
    slope = np.vstack([np.eye(4), [b, a, 0, 1], [b, a, 1, 1]])
    return Mediation(
        params=pd.Series(values, index=["a", "b", "c_prime", "cov_ab", "indirect", "total"], name="estimate"),
        covariance=slope @ cov @ slope.T,
        findings=model.findings,
        varcov=covariance,
        sigma=sigma,
        model=model,
        draws=_effects(draws),
        n=model.nobs // 2,
        persons=model.n_groups["person"],
        n_dropped=n_dropped,
    )


def _effects(values: Floats) -> Floats:
    """``a, b, c', cov_ab, indirect, total`` of rows of the first four."""
    indirect = values[:, 0] * values[:, 1] + values[:, 3]
    return np.column_stack([values, indirect, indirect + values[:, 2]])
