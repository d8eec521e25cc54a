"""What many tests mean: how many of a batch's main estimates are significant, and how many still are after correction."""

from collections.abc import Mapping, Sequence
from typing import Any

from alliance_longitudinal.language import decimal_mark, noun, tell

ALPHA = 0.05


def multiplicity(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Counts over the main estimates that have a p value; None if fewer than two have.

    Returns
    -------
    dict or None
        ``tests``, ``significant`` (p < .05), ``expected`` (of so many tests if there were no effect anywhere), ``holm``
        (significant after Holm's correction), ``adjusted`` (folder to corrected p), ``sentence``.
    """
    found = [(row["folder"], row["estimate"].get("p")) for row in rows if row["estimate"] is not None]
    tested = [(folder, float(p)) for folder, p in found if p is not None]
    if len(tested) < 2:
        return None
    import numpy as np

    from alliance_longitudinal.engine.inference.adjust import holm

    adjusted = holm(np.array([p for _, p in tested]))
    significant = sum(p < ALPHA for _, p in tested)
    left = int((adjusted < ALPHA).sum())
    expected = ALPHA * len(tested)
    sentence = tell(
        "Of {tests} main estimates, {significant} {have} p below .05. If there were no effect anywhere, about {expected} would. "
        "After correction for all {tests} tests (Holm), {left} {are} left.",
        tests=len(tested),
        significant=significant,
        have=noun("has", "have", single=significant == 1),
        expected=decimal_mark(f"{expected:.2g}"),
        left=left,
        are=noun("is", "are", single=left == 1),
    )
    return {
        "tests": len(tested),
        "significant": significant,
        "expected": expected,
        "holm": left,
        "adjusted": {folder: float(p) for (folder, _), p in zip(tested, adjusted, strict=True)},
        "sentence": sentence,
    }
