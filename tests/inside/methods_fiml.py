"""Inside `methods.fiml`: likelihoods that are checked by brute force."""

from alliance_longitudinal.methods.fiml.fit import srmr
from alliance_longitudinal.methods.fiml.likelihood import deviance, local
from alliance_longitudinal.methods.fiml.optimum import minimise
from alliance_longitudinal.methods.fiml.patterns import Pattern, Patterns, patterns
from alliance_longitudinal.methods.fiml.saturated import saturated

__all__ = ["Pattern", "Patterns", "deviance", "local", "minimise", "patterns", "saturated", "srmr"]
