"""Inside `engine.resampling`: seeds and draws."""

from alliance_longitudinal.engine.resampling import bootstrap, draws, refits, regroup, structured
from alliance_longitudinal.engine.resampling.posterior import Posterior
from alliance_longitudinal.engine.resampling.refits import start_of

__all__ = ["Posterior", "bootstrap", "draws", "refits", "regroup", "start_of", "structured"]
