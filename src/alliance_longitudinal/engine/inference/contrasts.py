"""Linear combinations of coefficients as users write them."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.errors import FitError


def read_contrasts(
    contrasts: object, names: tuple[str, ...], labels: list[str] | None
) -> tuple[Array, list[str]]:
    """Contrast rows from an array, a mapping of terms to weights, or a list of either.

    Raises
    ------
    FitError
        Unknown term or wrong length.
    """
    if isinstance(contrasts, pd.DataFrame):
        labels = labels or [str(label) for label in contrasts.index]
        contrasts = [row.to_dict() for _, row in contrasts.iterrows()]
    if isinstance(contrasts, dict):
        contrasts = [contrasts]
    if isinstance(contrasts, list) and all(isinstance(row, dict) for row in contrasts):
        unknown = sorted({str(t) for row in contrasts for t in row if t not in names})
        if unknown:
            raise FitError(f"No coefficient is called {', '.join(unknown)}. There are: {', '.join(names)}.")
        rows = np.array([[float(row.get(name, 0.0)) for name in names] for row in contrasts])
    else:
        rows = np.atleast_2d(np.asarray(contrasts, dtype=float))
    if rows.shape[1] != len(names):
        raise FitError(
            f"A contrast needs {len(names)} weights, one for each of {', '.join(names)}; got {rows.shape[1]}."
        )
    if not np.any(rows != 0, axis=1).all():
        raise FitError(
            "A contrast with only zero weights tests nothing. Give at least one coefficient a weight."
        )
    labels = labels or [_label(row, names) for row in rows]
    if len(labels) != len(rows):
        raise FitError(f"There are {len(rows)} contrasts and {len(labels)} labels; give one label for each.")
    return rows, list(labels)


def _label(row: Array, names: tuple[str, ...]) -> str:
    parts = [f"{weight:+g} {name}" for weight, name in zip(row, names, strict=True) if weight]
    return " ".join(parts).replace("+1 ", "+ ").replace("-1 ", "- ").removeprefix("+ ")
