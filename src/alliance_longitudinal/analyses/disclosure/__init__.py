"""What a result may show to outsiders: small counts, and whatever they could be worked out from, are hidden."""

from alliance_longitudinal.analyses.disclosure.apply import for_audience, protected

__all__ = ["for_audience", "protected"]
