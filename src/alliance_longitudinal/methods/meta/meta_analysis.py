"""Random-effects and three-level meta-analysis."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Number
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.frames import Floats, groups
from alliance_longitudinal.methods.meta.evidence import Evidence, at
from alliance_longitudinal.methods.meta.heterogeneity import (
    between_effects,
    between_studies,
    cochran_q,
    typical_variance,
)
from alliance_longitudinal.methods.meta.result import MetaAnalysis
from alliance_longitudinal.sentences import say

Method = Literal["REML", "ML", "DL", "PM"]
Test = Literal["z", "knapp-hartung"]
#: With fewer studies their spread is hardly known.
FEW = 5


def meta_analysis(
    effects: Any,
    variances: Any,
    study: Any = None,
    moderators: pd.DataFrame | None = None,
    method: Method = "REML",
    test: Test = "z",
) -> MetaAnalysis:
    """Mean effect of studies whose true effects differ.

    ``y_i ~ N(x_i'b, tau2 + v_i)`` with known sampling variances ``v_i`` (DerSimonian & Laird 1986; Viechtbauer
    2005, doi 10.3102/10769986030003261). With ``study``, a study may have several effects:
    ``y_is ~ x_is'b + u_s + w_is``, with variances between studies and between the effects of a study (three
    levels; Konstantopoulos 2011, doi 10.1002/jrsm.35).

    Parameters
    ----------
    effects, variances : sequence of float
        Effects on a scale where their errors are approximately normal (for correlations, Fisher's z; see
        `from_correlations`), and their sampling variances.
    study : sequence, optional
        Study of each effect. The model then has three levels, and the method must be REML or ML.
    moderators : DataFrame, optional
        Columns on which effects may depend, with rows in the order of the effects. Numbers enter as they are,
        so centre them. Each value of a text or category column except the first gets a term ``column[value]``.
    method : {"REML", "ML", "DL", "PM"}
        How the variance of true effects is estimated: by restricted or full maximum likelihood, or by the
        method of DerSimonian and Laird or of Paule and Mandel.
    test : {"z", "knapp-hartung"}
        Normal distribution, or t with ``k - p`` degrees of freedom. With t, a two-level model has the standard
        error of Knapp & Hartung (2003, doi 10.1002/sim.1482), and a three-level model has its own. The
        prediction interval uses the same quantile.

    Notes
    -----
    The prediction interval takes the estimated variance of true effects as known. With few studies (about 10 or
    fewer) that variance is uncertain and is often estimated as zero. The interval then contains the true effect
    of a new study less often than its nominal level, most of all with the normal quantile (Partlett & Riley
    2017, doi 10.1002/sim.7140).

    Returns
    -------
    MetaAnalysis
        ``mu, se, df, conf_int()``, ``tau2``, ``sigma2``, ``q``, ``i2``, ``prediction_interval()``, ``cluster_robust()``,
        ``place(effect, variance)``.

    Raises
    ------
    DataError
        If lengths differ, values are missing or invalid, there are too few effects, terms are linearly
        dependent, or levels cannot be separated.

    Examples
    --------
    >>> from alliance_longitudinal import methods
    >>> z, v = methods.from_correlations([0.35, 0.21, 0.28, 0.05, 0.40], [60, 120, 45, 200, 38])
    >>> found = methods.meta_analysis(z, v)
    >>> round(found.mu, 3), round(found.tau2, 4)
    (0.229, 0.0128)
    >>> round(found.place(0.5, 0.02).z, 2)
    1.39
    """
    _choose("method", method, ("REML", "ML", "DL", "PM"))
    _choose("test", test, ("z", "knapp-hartung"))
    y, v = _numbers(effects, "effects"), _numbers(variances, "variances")
    _check(y, v)
    names, x = _design(moderators, len(y))
    three = study is not None
    evidence = Evidence(y, v, x, _studies(study, len(y)))
    _refuse(evidence, names, three, method)
    certified = True
    if three:
        a, b, certified = between_studies(evidence, method == "REML")
        sigma2 = {"study": a, "effect": b}
    else:
        a, b = 0.0, between_effects(evidence, method)
        sigma2 = {"effect": b}
    k, p = x.shape
    point = at(evidence, a, b, method != "ML")
    t_test = test == "knapp-hartung"
    scale = max(point.quadratic, 0.0) / (k - p) if t_test and not three else 1.0  # equal effects: rounding
    q, typical = cochran_q(evidence), typical_variance(evidence)
    total = sum(sigma2.values()) + typical
    levels = {name: 100 * value / total for name, value in sigma2.items()}
    return MetaAnalysis(
        params=pd.Series(point.beta, index=names),
        covariance=scale * point.cov,
        dof=float(k - p) if t_test else np.inf,
        findings=_findings(evidence, sum(sigma2.values()), certified),
        sigma2=sigma2,
        q=q,
        q_df=k - p,
        q_p=float(distributions.chi2.sf(q, k - p)),
        i2=sum(levels.values()),
        i2_levels=levels,
        llf=point.llf if method in ("REML", "ML") else float("nan"),
        k=k,
        studies=evidence.studies,
        method=method,
        test=test,
        evidence=evidence,
    )


def _choose(name: str, given: object, known: tuple[str, ...]) -> None:
    if given not in known:
        raise DataError(f"{name} is {given!r}; it is one of {', '.join(known)}.")


def _numbers(values: Any, name: str) -> Floats:
    try:
        out = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"{name} has to hold numbers.") from None
    if out.ndim != 1:
        raise DataError(f"{name} has to be one column of numbers.")
    if not np.isfinite(out).all():
        n = int((~np.isfinite(out)).sum())
        raise DataError(
            f"{n} of the {name} {'is' if n == 1 else 'are'} missing or infinite. Leave these effects out."
        )
    return out


def _check(y: Floats, v: Floats) -> None:
    if len(y) != len(v):
        raise DataError(
            f"There are {len(y)} effects and {len(v)} variances. Give one variance for each effect."
        )
    if len(y) and not (v > 0).all():
        raise DataError(f"A variance is {v[~(v > 0)][0]:g}. Sampling variances are above 0.")


def _studies(study: Any, k: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    if study is None:
        return np.arange(k, dtype=np.int64)
    ids = list(study)
    if len(ids) != k:
        raise DataError(
            f"There are {k} effects and {len(ids)} values of study. Give the study of each effect."
        )
    return groups(pd.DataFrame({"study": pd.Series(ids, dtype=object)}), "study")[0]


def _design(moderators: pd.DataFrame | None, k: int) -> tuple[list[str], Floats]:
    """Names of the coefficients and the matrix of the moderators."""
    names, columns = ["Intercept"], [np.ones(k)]
    if moderators is not None:
        if not isinstance(moderators, pd.DataFrame):
            raise DataError("moderators has to be a frame with one row for each effect.")
        if len(moderators) != k:
            raise DataError(
                f"There are {k} effects, and moderators has {len(moderators)} rows. Give one row for each."
            )
        for name, column in moderators.items():
            if column.isna().any():
                raise DataError(f"Moderator {name!r} has missing values. Leave these effects out.")
            if pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
                names.append(str(name))
                columns.append(_numbers(column.to_numpy(dtype=float), f"values of {name}"))
            else:
                levels = pd.Categorical(column).remove_unused_categories().categories
                names += [f"{name}[{level}]" for level in levels[1:]]
                columns += [(column == level).to_numpy(dtype=float) for level in levels[1:]]
    return names, np.column_stack(columns)


def _refuse(e: Evidence, names: list[str], three: bool, method: str) -> None:
    k, p = e.x.shape
    if k <= p:
        raise DataError(
            f"There {'is' if k == 1 else 'are'} {k} effect{'' if k == 1 else 's'} for {p} "
            f"coefficient{'' if p == 1 else 's'}; at least {p + 1} are needed."
        )
    if np.linalg.matrix_rank(e.x) < p:
        raise DataError(f"The terms {', '.join(names)} depend on each other. Leave out a moderator.")
    if not three:
        return
    if method not in ("REML", "ML"):
        raise DataError(f"With study, the method is REML or ML; {method} is for one effect per study.")
    if e.studies < 2:
        raise DataError("All effects are of one study; how much studies differ cannot be estimated.")
    if e.studies == k:
        raise DataError(
            "Each study has one effect, so that effects of a study cannot be compared. Leave out study."
        )


def _findings(e: Evidence, tau2: float, certified: bool) -> tuple[Finding, ...]:
    found = []
    if not certified:
        found.append(
            Finding("not_converged", "failed", "The variances did not converge. Do not use these numbers.")
        )
    if e.studies < FEW:
        found.append(
            Finding(
                "few_studies",
                "caution",
                say(
                    "With {n:noun}, how much true effects differ is hardly known; the prediction interval is rough.",
                    n=Number(e.studies, "integer", "study", "studies"),
                ),
            )
        )
    if tau2 == 0:
        found.append(
            Finding(
                "no_spread",
                "info",
                "True effects were estimated to be equal; with few studies that is often so by chance.",
            )
        )
    return tuple(found)
