"""What a reader of a cross-lagged panel model has to know: whether it converged, and which variances are zero or negative."""

from collections.abc import Sequence

import numpy as np

from alliance_longitudinal.counts import Count, Number
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.methods.fiml.fit import MomentFit
from alliance_longitudinal.methods.fiml.structure import Structure
from alliance_longitudinal.methods.panel.cross_lagged_model import Options
from alliance_longitudinal.sentences import say


def problems(fit: MomentFit, spec: Structure, labels: Sequence[str], options: Options) -> list[Finding]:
    """What a reader of the numbers has to know."""
    out = []
    if not fit.certificate.valid:
        out.append(
            Finding(
                "not_converged", "failed", say("The model did not converge. {why}", why=fit.certificate.text)
            )
        )
    if not np.isfinite(fit.chi2):
        out.append(
            Finding(
                "no_fit_test",
                "caution",
                "The data do not determine a saturated model, so the fit of the model is not tested: too few persons have values "
                "at the same occasions.",
            )
        )
    n, q = Count(fit.n, "person"), Number(len(spec.names), "integer")
    if fit.n < 2 * len(spec.names):
        out.append(
            Finding(
                "few_persons",
                "caution",
                say(
                    "{n:noun} {n:is|are} few for {q} parameters. Equal variances, or fewer occasions, need fewer.",
                    n=n,
                    q=q,
                ),
            )
        )
    return [*out, *_improper(fit, spec, labels, options)]


def _improper(fit: MomentFit, spec: Structure, labels: Sequence[str], options: Options) -> list[Finding]:
    out = []
    for kind, there, what in (
        ("ri", options.random_intercepts, "level"),
        ("rs", options.random_slopes, "slope"),
    ):
        for a in labels if there else ():
            value = float(fit.params[f"var_{kind}_{a}"])
            if value <= 1e-8 * float(fit.params[f"var_first_{a}"]):
                out.append(
                    Finding(
                        f"no_stable_{what}s",
                        "caution",
                        say(
                            "The variance of the persons' {what}s in {a} is estimated at {value}, so it is taken as zero: these data "
                            "show no stable differences between persons in it, and the model is the ordinary cross-lagged one there.",
                            what=what,
                            a=a,
                            value=Number(value, "number"),
                        ),
                    )
                )
    matrix = spec.arrays(fit.free)["factor_cov"]
    if not out and np.linalg.eigvalsh(matrix)[0] < -1e-8 * float(np.diag(matrix).max()):
        out.append(
            Finding(
                "improper_solution",
                "caution",
                "Improper solution: a variance is negative, or a correlation is beyond its limits. The model asks too much of these "
                "data, or does not hold.",
            )
        )
    return out
