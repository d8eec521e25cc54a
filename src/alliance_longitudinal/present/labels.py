"""Numbers and names as people read them; they are defined in ``alliance_longitudinal.labels``."""

from alliance_longitudinal.labels import MINUS, count, interval, listing, number, row, with_interval

__all__ = ["MINUS", "count", "interval", "listing", "number", "row", "with_interval"]
