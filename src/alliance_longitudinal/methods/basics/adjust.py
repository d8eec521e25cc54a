"""p values of several tests together."""

import numpy as np

from alliance_longitudinal.methods.basics.frames import Floats


def benjamini_hochberg(p: Floats) -> Floats:
    """P adjusted for the false discovery rate (Benjamini & Hochberg 1995), in their order; shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    n = len(p)
    order = np.argsort(p)
    steps = p[order] * n / np.arange(1, n + 1)
    adjusted = np.minimum.accumulate(steps[::-1])[::-1]
    out = np.empty(n)
    out[order] = np.minimum(adjusted, 1.0)
    return out
