"""Response surfaces: an outcome by two ratings of the same thing, and whether their agreement matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.engine import distributions
from alliance_longitudinal.errors import AllianceError, DataError
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.basics.estimates import Estimates
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.rows import check_varies, complete_rows
from alliance_longitudinal.sentences import say

#: Rows: weights of b0, x, z, x2, xz, z2 in a1 to a5.
_CONTRASTS = np.array(
    [
        [0, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [0, 1, -1, 0, 0, 0],
        [0, 0, 0, 1, -1, 1],
        [0, 0, 0, 1, 0, -1],
    ],
    dtype=float,
)
_NAMES = ("a1", "a2", "a3", "a4", "a5")
#: Ratio of standard deviations from which two ratings hardly share a scale.
_UNLIKE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class ResponseSurface(Estimates):
    """A surface of second degree along the line where both ratings agree and the line where they are opposite.

    Attributes
    ----------
    coefficients : Series
        ``b0, x, z, x2, xz, z2``.
    stationary : pair of float
        Where the surface is level, ``(x, z)``; missing where there is no such point.
    ridge : pair of float
        ``(p10, p11)``: the first principal axis is ``z = p10 + p11 x``; where outcomes are best (or worst) along every
        crossing line, if the surface is arched.
    ridge_se : pair of float
        Their standard errors by the delta method.
    conditions : dict of str to bool
        The four conditions of congruence: see `response_surface`.
    n, n_dropped : int
        Rows used, and left out for a missing value; 0 where only coefficients were given.
    """

    coefficients: pd.Series
    stationary: tuple[float, float]
    ridge: tuple[float, float]
    ridge_se: tuple[float, float]
    conditions: dict[str, bool]
    n: int = 0
    n_dropped: int = 0

    @property
    def congruence(self) -> bool:
        """Whether all four conditions hold: outcomes are best where both ratings agree, whatever their level."""
        return all(self.conditions.values())

    def _title(self) -> str:
        return "Response surface"

    def _facts(self) -> list[str]:
        rows = [f"{self.n} rows, {self.n_dropped} without a value"] if self.n else []
        p10, p11 = self.ridge
        held = ", ".join(f"{name} {'holds' if held else 'fails'}" for name, held in self.conditions.items())
        return [
            *rows,
            f"Level at ({self.stationary[0]:.4g}, {self.stationary[1]:.4g}); ridge z = {p10:.4g} + {p11:.4g} x",
            f"Congruence: {'yes' if self.congruence else 'no'} ({held})",
        ]


def response_surface(
    params: "Sequence[float] | Floats | pd.Series", cov: Any, *, dof: "float | Floats" = np.inf
) -> ResponseSurface:
    """Features of the surface ``y = b0 + b1 x + b2 z + b3 x^2 + b4 x z + b5 z^2``.

    ``a1 = b1 + b2`` and ``a2 = b3 + b4 + b5`` are the slope and curvature where both ratings agree (``x = z``).
    ``a3 = b1 - b2`` and ``a4 = b3 - b4 + b5`` are those where the ratings are opposite (``x = -z``), and
    ``a5 = b3 - b5`` (Edwards & Parry 1993, doi 10.2307/256822). The first principal axis goes through the
    stationary point with the slope ``p11 = (b5 - b3 + sqrt((b3 - b5)^2 + b4^2)) / b4``.

    Agreement itself matters (congruence) only if four conditions hold (Humberg, Nestler & Back 2019, doi
    10.1177/1948550618757600): the interval of ``p10`` contains 0, that of ``p11`` contains 1, that of ``a4``
    lies below 0, and that of ``a3`` contains 0. An interval that contains a value does not prove it: in small
    samples the conditions are met too easily.

    Parameters
    ----------
    params : sequence of float
        ``b0, x, z, x2, xz, z2`` in this order.
    cov : array of shape (6, 6)
        Their covariance.
    dof : float or array of shape (5,)
        Degrees of freedom of ``a1`` to ``a5``; infinite for the normal distribution.

    Returns
    -------
    ResponseSurface
        ``params`` are ``a1`` to ``a5``.

    Raises
    ------
    DataError
        If there are not six coefficients with a covariance matrix, or a number is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from alliance_longitudinal import methods
    >>> surface = methods.response_surface([3, 0.4, 0.2, -0.10, 0.15, -0.05], np.eye(6) * 0.001)
    >>> surface.params.round(3)[["a1", "a3", "a4"]].to_dict()
    {'a1': 0.6, 'a3': 0.2, 'a4': -0.3}
    >>> [round(x, 3) for x in (*surface.stationary, *surface.ridge)]
    [-28.0, -40.0, -1.152, 1.387]
    """
    b, v = _six(params, cov)
    estimates, covariance = _CONTRASTS @ b, _CONTRASTS @ v @ _CONTRASTS.T
    axis = _axis(b)
    gradient = _gradient(b)
    axis_se = np.sqrt(np.einsum("ij,jk,ik->i", gradient, v, gradient))
    t = np.broadcast_to(distributions.t.ppf(0.975, dof), (5,))
    half = t * np.sqrt(np.diag(covariance))
    conditions = {
        "p10 = 0": bool(abs(axis[2]) <= t.max() * axis_se[0]),
        "p11 = 1": bool(abs(axis[3] - 1) <= t.max() * axis_se[1]),
        "a4 < 0": bool(estimates[3] + half[3] < 0),
        "a3 = 0": bool(abs(estimates[2]) <= half[2]),
    }
    return ResponseSurface(
        params=pd.Series(estimates, index=_NAMES, name="estimate"),
        covariance=covariance,
        dof=dof,
        coefficients=pd.Series(b, index=["b0", "x", "z", "x2", "xz", "z2"]),
        stationary=(axis[0], axis[1]),
        ridge=(axis[2], axis[3]),
        ridge_se=(float(axis_se[0]), float(axis_se[1])),
        conditions=conditions,
    )


def response_surface_fit(
    frame: pd.DataFrame, y: str, x: str, z: str, group: str | None = None
) -> ResponseSurface:
    """Fit a response surface and return its features.

    Without ``group``, the fit is by least squares, with t tests on ``n - 6`` degrees of freedom. With
    ``group``, it is by REML with a random intercept for each group, and Satterthwaite's degrees of freedom for
    each feature. The ratings are used as they are, so first centre both at the same value, such as the midpoint
    of their scale. See `response_surface` for the features.

    Parameters
    ----------
    frame : DataFrame
        One row per case. Not changed. Rows with a missing value are left out.
    y, x, z : str
        Outcome, and two ratings on the same scale.
    group : str, optional
        Column of therapists.

    Returns
    -------
    ResponseSurface

    Raises
    ------
    DataError
        If columns are missing, fewer than seven rows are complete, or the ratings do not determine a surface.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from alliance_longitudinal import methods
    >>> rng = np.random.default_rng(3)
    >>> frame = pd.DataFrame(rng.normal(size=(200, 2)), columns=["client", "therapist"])
    >>> frame["outcome"] = -((frame["client"] - frame["therapist"]) ** 2) + rng.normal(size=200)
    >>> surface = methods.response_surface_fit(frame, "outcome", "client", "therapist")
    >>> surface.congruence
    True
    """
    ids = {} if group is None else {"group": group}
    rows = complete_rows(frame, {"y": y, "x": x, "z": z}, ids, least=7)
    for name, column in (("x", x), ("z", z)):
        check_varies(rows.values(name), column, "A response surface needs ratings that vary.")
    check_varies(rows.values("y"), y, "There is nothing to explain.")
    design = _design(rows.values("x"), rows.values("z"))
    if np.linalg.matrix_rank(design / np.maximum(np.abs(design).max(axis=0), 1e-300)) < 6:
        raise DataError(
            f"{x!r} and {z!r} take too few different values together. A surface of second degree needs at least three values of each "
            "that do not determine each other."
        )
    if group is None:
        b, v, dof = _least_squares(design, rows.values("y"))
        found = response_surface(b, v, dof=dof)
        fit_findings: tuple[Finding, ...] = ()
    else:
        found, fit_findings = _mixed(rows.data, design)
    return _with(
        found,
        len(rows.data),
        rows.n_dropped,
        (*_findings(rows.values("x"), rows.values("z"), x, z), *fit_findings),
    )


def _with(found: ResponseSurface, n: int, dropped: int, findings: tuple[Finding, ...]) -> ResponseSurface:
    from dataclasses import replace

    return replace(found, n=n, n_dropped=dropped, findings=findings)


def _design(x: Floats, z: Floats) -> Floats:
    return np.column_stack([np.ones(len(x)), x, z, x * x, x * z, z * z])


def _least_squares(design: Floats, y: Floats) -> tuple[Floats, Floats, float]:
    b = np.linalg.lstsq(design, y, rcond=None)[0]
    df = len(y) - design.shape[1]
    inverse: Floats = np.linalg.inv(np.linalg.qr(design, mode="r"))
    return (
        np.asarray(b, dtype=np.float64),
        float(np.sum((y - design @ b) ** 2) / df) * inverse @ inverse.T,
        float(df),
    )


def _mixed(data: pd.DataFrame, design: Floats) -> tuple[ResponseSurface, tuple[Finding, ...]]:
    from alliance_longitudinal.engine import MixedModel

    names = ["x", "z", "x2", "xz", "z2"]
    rows = data.assign(**dict(zip(names, design[:, 1:].T, strict=True)))
    try:
        model = MixedModel.from_formula(f"y ~ {' + '.join(names)} + (1 | group)", rows).fit()
    except AllianceError as problem:
        raise DataError(
            f"The surface with differences between groups cannot be fitted: {problem}"
        ) from problem
    table = model.contrast(_CONTRASTS, list(_NAMES))
    dof = table["df"].to_numpy(float)
    return response_surface(model.params.to_numpy(float), model.cov_params(), dof=dof), model.findings


def _six(params: Any, cov: Any) -> tuple[Floats, Floats]:
    try:
        b, v = np.asarray(params, dtype=float), np.asarray(cov, dtype=float)
    except (TypeError, ValueError):
        raise DataError(
            "params and cov have to hold numbers: six coefficients and their covariance."
        ) from None
    if b.shape != (6,) or v.shape != (6, 6):
        raise DataError(
            f"A response surface has six coefficients in the order b0, x, z, x2, xz, z2 and a 6 by 6 covariance; params has "
            f"{b.size} and cov is {' by '.join(map(str, v.shape)) or 'one number'}."
        )
    if not (np.isfinite(b).all() and np.isfinite(v).all()):
        raise DataError("A coefficient or a covariance of the response surface is missing or infinite.")
    size = float(np.abs(v).max())
    if not np.allclose(v, v.T, rtol=1e-6, atol=1e-9 * size) or np.linalg.eigvalsh(v)[0] < -1e-8 * size:
        raise DataError("cov is not a covariance: it is not symmetric, or gives a negative variance.")
    return b, v


def _axis(b: Floats) -> tuple[float, float, float, float]:
    """Stationary point and first principal axis: ``x0, z0, p10, p11``; missing where there are none."""
    _, b1, b2, b3, b4, b5 = b
    det = 4 * b3 * b5 - b4 * b4
    root = float(np.hypot(b3 - b5, b4))
    scale = max(abs(b3), abs(b4), abs(b5))
    if abs(det) <= 1e-14 * scale**2:
        x0 = z0 = float("nan")
    else:
        x0, z0 = (b2 * b4 - 2 * b1 * b5) / det, (b1 * b4 - 2 * b2 * b3) / det
    if (
        b4 == 0
    ):  # axes parallel to those of the ratings: level if it is the axis of x, upright (no slope) otherwise
        p11 = 0.0 if b3 > b5 else float("nan")
    elif b5 >= b3:
        p11 = (b5 - b3 + root) / b4
    else:
        p11 = b4 / (b3 - b5 + root)  # the same number without cancellation
    return float(x0), float(z0), float(z0 - p11 * x0), float(p11)


def _gradient(b: Floats) -> Floats:
    """Derivatives of p10 and p11 by the coefficients, shape (2, 6), by central differences."""
    out = np.empty((2, 6))
    for i in range(6):
        h = 1e-5 * max(abs(b[i]), 1e-3 * float(np.abs(b[1:]).max()), 1e-12)
        up, down = b.copy(), b.copy()
        up[i] += h
        down[i] -= h
        out[:, i] = (np.array(_axis(up)[2:]) - np.array(_axis(down)[2:])) / (2 * h)
    return out


def _findings(x: Floats, z: Floats, x_name: str, z_name: str) -> tuple[Finding, ...]:
    sds = float(np.std(x, ddof=1)), float(np.std(z, ddof=1))
    apart = abs(float(x.mean() - z.mean())) > _UNLIKE * max(sds)
    if max(sds) <= _UNLIKE * min(sds) and not apart:
        return ()
    message = say(
        "{x} (mean {mx}, SD {sx}) and {z} (mean {mz}, SD {sz}) hardly share a scale in {n:noun}. Agreement means something only "
        "if equal numbers mean the same.",
        x=x_name,
        z=z_name,
        mx=Number(float(x.mean()), n=len(x)),
        mz=Number(float(z.mean()), n=len(z)),
        sx=Number(sds[0], n=len(x)),
        sz=Number(sds[1], n=len(z)),
        n=Count(len(x), "row"),
    )
    return (Finding("unlike_scales", "caution", message),)
