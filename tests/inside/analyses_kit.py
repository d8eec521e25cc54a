"""Inside `analyses.kit`: rules of structure and norms that are known, on plain frames."""

from alliance_longitudinal.analyses.kit import references
from alliance_longitudinal.analyses.kit.fits import too_few_for
from alliance_longitudinal.analyses.kit.norms import Given, known_norms
from alliance_longitudinal.analyses.kit.shares import Shares, with_failures

__all__ = ["Given", "Shares", "known_norms", "references", "too_few_for", "with_failures"]
