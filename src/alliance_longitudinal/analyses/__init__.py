"""One research question a file or folder; the only place where the clinic track and the model track meet."""

from alliance_longitudinal.analyses.publish import publish
from alliance_longitudinal.analyses.result import AnalysisResult

__all__ = ["AnalysisResult", "publish"]
