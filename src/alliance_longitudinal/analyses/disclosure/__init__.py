"""What a result may show to outsiders. It works on values, tables and figures, and knows no analysis."""

from alliance_longitudinal.analyses.disclosure.cells import HIDDEN, safe_row
from alliance_longitudinal.analyses.disclosure.estimates import safe_estimates
from alliance_longitudinal.analyses.disclosure.flow import safe_flow
from alliance_longitudinal.analyses.disclosure.result import for_audience

__all__ = ["HIDDEN", "for_audience", "safe_estimates", "safe_flow", "safe_row"]
