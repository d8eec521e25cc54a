"""The model of truth and bias: one rater's judgments against another's, who is higher and who follows whom."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.errors import AllianceError, DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.rows import Rows, check_varies, complete_rows


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class TruthAndBias(Estimates):
    """Directional difference and tracking.

    Attributes
    ----------
    center : float
        Grand mean of the truth, from which both are measured.
    n, persons, n_dropped : int
        Rows used, persons, and rows left out for a missing value.
    models : tuple
        The mixed models; empty for least squares.
    """

    center: float
    n: int
    persons: int
    n_dropped: int
    models: tuple[Any, ...] = ()

    def _title(self) -> str:
        return "Truth and bias"

    def _facts(self) -> list[str]:
        return [
            f"{self.n} rows of {self.persons} persons, {self.n_dropped} rows without a value; centred at {self.center:.4g}"
        ]


def truth_and_bias(
    frame: pd.DataFrame, judgment: str, truth: str, person: str | None = None, time: str | None = None
) -> TruthAndBias:
    """Compare one rater's judgments with another rater's, which are taken as the truth.

    ``J - c = directional + truth (T - c) + time (t - mean t) + e`` with ``c`` the grand mean of the truth T
    (West & Kenny 2011, doi 10.1037/a0022936): ``directional`` is how much higher the judgments are than the
    truth, and ``truth`` is how closely they follow it. If persons have several rows, the person's intercept is
    random. A second model then splits the truth into the person's mean minus ``c`` (``tracking_between``) and
    the rest (``tracking_within``). The slope of the rest is random between persons if the data allow it.
    ``directional`` is that of the second model, and ``truth`` is a mixture of both slopes.

    Parameters
    ----------
    frame : DataFrame
        One row per rating occasion, or per person. Not changed. Rows with a missing value are left out.
    judgment, truth : str
        Columns: for example the therapist's and the client's rating.
    person : str, optional
        Column of persons (or dyads) with several rows; without it rows are independent.
    time : str, optional
        Column of time. The estimate ``time`` is how the difference changes per unit.

    Returns
    -------
    TruthAndBias

    Raises
    ------
    DataError
        If columns are missing, a rating does not vary, or the model cannot be fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> ratings = pd.DataFrame({"client": [4.0, 5.0, 6.0, 5.0], "therapist": [3.6, 4.0, 4.5, 4.1]})
    >>> methods.truth_and_bias(ratings, "therapist", "client").params.round(3).to_dict()
    {'directional': -0.95, 'truth': 0.45}
    """
    numeric = {"j": judgment, "t": truth} | ({} if time is None else {"time": time})
    rows = complete_rows(frame, numeric, {} if person is None else {"person": person}, least=4)
    check_varies(rows.values("t"), truth, "Nobody can follow a truth that does not change.")
    check_varies(rows.values("j"), judgment, "A judgment that never changes follows nothing.")
    if time is not None:
        check_varies(rows.values("time"), time, "Leave time out.")
    center = float(rows.values("t").mean())
    data = rows.data.assign(j=rows.values("j") - center, t=rows.values("t") - center)
    if time is not None:
        data["time"] -= data["time"].mean()
    several = person is not None and bool(data["person"].duplicated().any())
    trend = [] if time is None else ["time"]
    return _several(data, trend, center, rows) if several else _single(data, trend, center, rows)


def _single(data: pd.DataFrame, trend: list[str], center: float, rows: Rows) -> TruthAndBias:
    """Least squares."""
    x = np.column_stack([np.ones(len(data)), data["t"], *(data[name] for name in trend)])
    df = len(data) - x.shape[1]
    if df < 1 or np.linalg.matrix_rank(x) < x.shape[1]:
        raise DataError("Truth and time determine each other. Leave time out, or give more rows.")
    b = np.linalg.lstsq(x, data["j"], rcond=None)[0]
    s2 = float(np.sum((data["j"] - x @ b) ** 2)) / df
    return TruthAndBias(
        params=pd.Series(b, index=["directional", "truth", *trend], name="estimate"),
        covariance=s2 * np.linalg.inv(x.T @ x),
        dof=float(df),
        center=center,
        n=len(data),
        persons=len(data),
        n_dropped=rows.n_dropped,
    )


def _several(data: pd.DataFrame, trend: list[str], center: float, rows: Rows) -> TruthAndBias:
    """Two mixed models: the truth as it is, and its parts."""
    mean = data.groupby("person")["t"].transform("mean")
    data = data.assign(between=mean, within=data["t"] - mean)
    for name, why in (("within", "within persons"), ("between", "between persons")):
        if np.ptp(data[name]) < 1e-12:
            raise DataError(
                f"The truth does not vary {why}. Leave person out, or average each person's rows."
            )
    more = "".join(f" + {name}" for name in trend)
    split = _fit(f"j ~ within + between{more}", data)
    total = _fit(f"j ~ t{more}", data)
    names = ["directional", "truth", "tracking_within", "tracking_between", *trend]
    terms = [
        (split, "Intercept"),
        (total, "t"),
        (split, "within"),
        (split, "between"),
        *((split, name) for name in trend),
    ]
    cov = np.full((len(terms), len(terms)), np.nan)
    for i, (one, a) in enumerate(terms):
        for k, (other, b) in enumerate(terms):
            if one is other:
                cov[i, k] = one.cov_params().loc[a, b]
    found: dict[str, Finding] = {f.code: f for model in (split, total) for f in model.findings}
    return TruthAndBias(
        params=pd.Series([float(m.params[a]) for m, a in terms], index=names, name="estimate"),
        covariance=cov,
        dof=np.array([float(m.df[a]) for m, a in terms]),
        findings=tuple(found.values()),
        center=center,
        n=len(data),
        persons=int(data["person"].nunique()),
        n_dropped=rows.n_dropped,
        models=(split, total),
    )


def _fit(fixed: str, data: pd.DataFrame) -> Any:
    """With random slopes of the within part, if they can be estimated; otherwise with random intercepts."""
    from alliance_longitudinal.engine import MixedModel

    problem: AllianceError | None = None
    for random in ("(1 + within | person)", "(1 | person)"):
        try:
            fitted = MixedModel.from_formula(f"{fixed} + {random}", data).fit()
        except AllianceError as error:
            problem = error
            continue
        if not fitted.singular or random == "(1 | person)":
            return fitted
    raise DataError(f"The judgments of persons with several rows cannot be modelled: {problem}") from problem
