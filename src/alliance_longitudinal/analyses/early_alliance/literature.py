"""The correlation of early alliance and outcome as published studies compute it."""

import numpy as np

from alliance_longitudinal.analyses.kit import Estimate
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign, differs
from alliance_longitudinal.errors import DataError
from alliance_longitudinal.methods.basics.frames import Floats
from alliance_longitudinal.methods.basics.inference import t_inference


def literature_estimates(design: EarlyDesign) -> list[Estimate]:
    """``r_zero`` and ``r_intake``: correlation of early alliance with the last score, plain and given intake severity.

    Published studies correlate clients and ignore therapists; the estimate does, too, so that it can be compared. Its interval
    does not. r is a mean of ``z_x z_y - r (z_x^2 + z_y^2) / 2`` over clients but for terms that vanish (its influence function);
    the standard error is the cluster-robust (CR2) one of that mean over therapists, carried to Fisher's z by the delta method.
    """
    clients = design.clients
    early, end = clients["early"].to_numpy(float), clients["end"].to_numpy(float)
    intake = clients["intake"].to_numpy(float)
    out = [_correlation(design, "r_zero", "not adjusted", early, end)]
    if differs(clients["intake"]):
        left = [_residual(v, intake) for v in (early, end)]
        out.append(_correlation(design, "r_intake", "given intake severity", *left))
    return [e for e in out if e is not None]


def _residual(y: Floats, x: Floats) -> Floats:
    ones = np.column_stack([np.ones_like(x), x])
    return np.asarray(y - ones @ np.linalg.lstsq(ones, y, rcond=None)[0])


def _correlation(design: EarlyDesign, identity: str, words: str, x: Floats, y: Floats) -> Estimate | None:
    from alliance_longitudinal.methods import clustered_slope

    if x.std() == 0 or y.std() == 0:
        return None
    x, y = (x - x.mean()) / x.std(), design.choices.good_sign * (y - y.mean()) / y.std()
    r = float(np.clip(np.mean(x * y), -1 + 1e-12, 1 - 1e-12))
    influence = x * y - r * (x**2 + y**2) / 2
    try:
        cell = clustered_slope(
            influence, np.ones((len(x), 1)), design.clients["therapist"].to_numpy(), column=0
        )
    except DataError:
        return None  # a single therapist: there is no robust error
    z = t_inference(float(np.arctanh(r)), cell.se / (1 - r * r), cell.df)
    return Estimate(
        identity,
        f"As in published studies: early alliance and last score, {words}",
        r,
        float("nan"),
        cell.df,
        float(np.tanh(z["ci_low"])),
        float(np.tanh(z["ci_high"])),
        z["p"],
        design.n_clients,
        "all",
        "r",
    )
