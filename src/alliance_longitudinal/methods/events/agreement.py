"""Agreement of two ways to mark the same ratings."""

import numpy as np

from alliance_longitudinal.methods.events.ratings import Bools


def kappa(a: Bools, b: Bools) -> float:
    """Cohen's kappa of two marks of the same ratings, shape (n,).

    ``(p - c) / (1 - c)``, ``p`` the share of ratings on which they agree and ``c`` what agreement by chance would be (Cohen 1960,
    doi 10.1177/001316446002000104). Missing where chance alone would make them agree on everything.
    """
    chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return float((np.mean(a == b) - chance) / (1 - chance)) if chance < 1 else float("nan")
