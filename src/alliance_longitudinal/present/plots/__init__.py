"""Pictures by kind: functions of plain frames that return a new matplotlib Figure. Nothing is shown or saved here."""

from alliance_longitudinal.present.plots.caterpillar import caterpillar
from alliance_longitudinal.present.plots.curve import curve
from alliance_longitudinal.present.plots.forest import forest
from alliance_longitudinal.present.plots.heat import heat
from alliance_longitudinal.present.plots.histogram import histogram
from alliance_longitudinal.present.plots.lines import lines
from alliance_longitudinal.present.plots.paths import paths
from alliance_longitudinal.present.plots.points import points
from alliance_longitudinal.present.plots.stacked import stacked

__all__ = ["caterpillar", "curve", "forest", "heat", "histogram", "lines", "paths", "points", "stacked"]
