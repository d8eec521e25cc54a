"""From the options of a fit to its method of inference."""

from alliance_longitudinal.engine.fit import MixedFit
from alliance_longitudinal.engine.inference import Inference
from alliance_longitudinal.engine.kenward_roger import kenward_roger
from alliance_longitudinal.engine.options import FitOptions
from alliance_longitudinal.engine.satterthwaite import Normal, Satterthwaite


def inference_of(fit: MixedFit, options: FitOptions) -> Inference:
    """The method that the options name."""
    if options.df == "kenward-roger":
        return kenward_roger(fit)
    return Normal(fit.beta, fit.cov) if options.df == "normal" else Satterthwaite(fit)
