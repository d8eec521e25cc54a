"""From the options of a fit to its method of inference."""

from alliance_longitudinal.engine.design.groups import Factor
from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference.cluster_robust import cluster_robust
from alliance_longitudinal.engine.inference.kenward_roger import kenward_roger
from alliance_longitudinal.engine.inference.protocol import Inference
from alliance_longitudinal.engine.inference.satterthwaite import Normal, Satterthwaite
from alliance_longitudinal.engine.options import FitOptions


def inference_of(fit: MixedFit, options: FitOptions, clusters: Factor | None) -> Inference:
    """The method that the options name; ``clusters`` for the cluster-robust ones."""
    if clusters is not None:
        robust = cluster_robust(fit, options.cov_type, clusters)
        if options.df == "satterthwaite":
            return robust
        words = f"Cluster-robust ({robust.kind}) standard errors, {clusters.size} clusters of {clusters.name}, and tests from the normal distribution."
        return Normal(fit.beta, robust.cov, words, robust.findings)
    if options.df == "kenward-roger":
        return kenward_roger(fit)
    return Normal(fit.beta, fit.cov) if options.df == "normal" else Satterthwaite(fit)
