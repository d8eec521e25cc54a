"""What a result may show to outsiders. It works on values, tables and figures, and knows no analysis."""

from alliance_longitudinal.analyses.disclosure.result import for_audience

__all__ = ["for_audience"]
