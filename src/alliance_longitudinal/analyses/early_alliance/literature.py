"""The correlation of early alliance and outcome as published studies compute it."""

import numpy as np

from alliance_longitudinal.analyses.kit import (
    Draft,
    Estimate,
    Number,
    each_alone,
)
from alliance_longitudinal.analyses.kit.benchmarks import Benchmark, place
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
            influence, np.ones((len(x), 1)), each_alone(design.clients)["therapist"].to_numpy(), column=0
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


#: Percentiles outside these are unusual among studies of this size.
UNUSUAL = (0.025, 0.975)


def placement_estimates(found: list[Estimate], benchmark: Benchmark) -> list[Estimate]:
    """``bench_percentile`` and ``r_shrunken``: where the unadjusted correlation lies among studies of this size."""
    own = next((e for e in found if e.id == "r_zero"), None)
    if own is None or not benchmark.placed:
        return []
    from alliance_longitudinal.engine import distributions

    z = float(np.arctanh(own.estimate))
    half = float(np.arctanh(own.ci_high) - np.arctanh(own.ci_low)) / 2
    se = half / float(distributions.t.ppf(0.975, own.df))
    percentile, r, low, high = place(benchmark, z, se**2)
    return [
        Estimate(
            "bench_percentile",
            "Place among studies of this size: share of them that would have a lower correlation",
            percentile,
            n=own.n,
            unit="percentile",
        ),
        Estimate(
            "r_shrunken",
            "As in published studies, drawn towards their mean",
            r,
            ci_low=low,
            ci_high=high,
            n=own.n,
            unit="r",
        ),
    ]


def say_placement(draft: Draft) -> None:
    """A sentence of the answer, where a benchmark was given that allows it."""
    own, share = draft["r_zero"], draft["bench_percentile"]
    if own is None or share is None:
        return
    usual = UNUSUAL[0] <= share.estimate <= UNUSUAL[1]
    draft.say(
        "Computed as in published studies, the correlation is {r}. It lies {where} the range expected of studies of this size: {share} of "
        "them would have a lower one.",
        r=own.number(),
        where="within" if usual else "outside",
        share=Number(share.estimate, "percent", n=own.n),
    )
