"""Linear combinations of coefficients as users write them."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import DesignSpec
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
        values: object = [[row.get(name, 0.0) for name in names] for row in contrasts]
    else:
        values = contrasts
    try:
        rows = np.atleast_2d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        raise FitError(
            f"Contrasts are weights of coefficients, by name or in order, not {contrasts!r}."
        ) from None
    if rows.shape[1] != len(names):
        raise FitError(
            f"A contrast needs {len(names)} weights, one for each of {', '.join(names)}; got {rows.shape[1]}."
        )
    if not np.isfinite(rows).all():
        raise FitError("A weight of a contrast is missing or infinite. Give each coefficient a number.")
    if not (len(rows) and np.any(rows != 0, axis=1).all()):
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


def is_terms(contrasts: object) -> bool:
    """Whether terms are named, and not weights of coefficients."""
    several = (
        isinstance(contrasts, list) and len(contrasts) > 0 and all(isinstance(c, str) for c in contrasts)
    )
    return isinstance(contrasts, str) or several


def term_rows(terms: str | list[str], spec: DesignSpec, names: tuple[str, ...]) -> Array:
    """One contrast for each coefficient of some terms of the fixed part: ``arm`` stands for all its categories.

    Raises
    ------
    FitError
        A term is not in the fixed part, or all its coefficients were left out.
    """
    known = terms_of(spec)
    wanted = [terms] if isinstance(terms, str) else terms
    columns: list[str] = []
    for term in wanted:
        if term not in known and term not in names:
            raise FitError(f"No term or coefficient is called {term!r}. The terms are: {', '.join(known)}.")
        columns += known.get(term, [term])
    rows = np.array(
        [[float(name == column) for name in names] for column in dict.fromkeys(columns) if column in names]
    )
    if not len(rows):
        raise FitError(
            f"All coefficients of {', '.join(wanted)} were left out of the model; there is nothing to test."
        )
    return rows


def terms_of(spec: DesignSpec) -> dict[str, list[str]]:
    """Columns of each term of the fixed part."""
    names = list(map(str, spec.fixed.column_names))
    return {
        "Intercept" if str(term) == "1" else str(term): [names[i] for i in places]
        for term, places in spec.fixed.term_indices.items()
    }
