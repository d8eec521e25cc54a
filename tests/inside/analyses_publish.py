"""Inside `analyses.publish`: the name of a variable that the report's process sets."""

from alliance_longitudinal.analyses.publish import STAGE_VARIABLE

__all__ = ["STAGE_VARIABLE"]
