"""Inside `present.plots`: the style that figures share."""

from alliance_longitudinal.present import plots
from alliance_longitudinal.present.plots import style

__all__ = ["plots", "style"]
