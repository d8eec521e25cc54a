"""From sessions to the rows and predictors of a model: windows, landmarks, centring."""

from alliance_longitudinal.timing.centering import split_by_therapist
from alliance_longitudinal.timing.landmark import Landmark, landmark
from alliance_longitudinal.timing.window import TimeWindow

__all__ = ["Landmark", "TimeWindow", "landmark", "split_by_therapist"]
