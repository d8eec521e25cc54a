"""Whether counts vary more than Poisson counts of the same means."""

import numpy as np

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.statistics.modes import Modes
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import say

#: Standard errors of Pearson's statistic, and its least size per degree of freedom, from which it is said.
_FAR, _LARGE = 4.0, 1.2


def overdispersion(
    design: Design, y: Array, beta: Array, modes: tuple[Modes, ...], psi: tuple[Array, ...]
) -> tuple[Finding, ...]:
    """A finding where Pearson's statistic of a Poisson model is far above its degrees of freedom.

    Given its mean ``mu``, a squared Pearson residual has mean 1 and variance ``2 + 1 / mu``. Each random effect costs the part
    of a degree of freedom by which the data narrow it down.
    """
    eta = design.x @ beta + (0.0 if design.offset is None else design.offset)
    used = float(design.x.shape[1])
    for term, mode, variance in zip(design.terms, modes, psi, strict=True):
        codes = design.factors[term.factor].codes
        eta = eta + np.einsum("nq,nq->n", term.z, mode.values[codes])
        known = np.diag(variance) > 0
        spread = np.einsum("jqq->jq", mode.variances)[:, known] / np.diag(variance)[known]
        used += float(np.sum(np.clip(1 - spread, 0, 1)))
    mean = np.exp(eta)
    left = len(y) - used
    statistic = float(np.sum((y - mean) ** 2 / mean))
    if left < 10 or statistic - left < _FAR * np.sqrt(np.sum(2 + 1 / mean)) or statistic < _LARGE * left:
        return ()
    return (
        Finding(
            "overdispersion",
            "caution",
            say(
                "The counts vary more than the model allows: Pearson's statistic is {ratio} times its degrees of freedom. "
                "Standard errors are then too small. Use family='negative-binomial'.",
                ratio=f"{statistic / left:.2g}",
            ),
            reference="Bolker et al. (2009), doi 10.1016/j.tree.2008.10.008",
        ),
    )
