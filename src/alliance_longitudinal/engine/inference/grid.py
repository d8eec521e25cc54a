"""The reference grid: values of the fixed part's variables at which expected responses are compared.

As in emmeans (Lenth): every level of each categorical variable, and each numeric one at its mean over the rows used,
unless other values are asked for. Unlike there, a numeric variable with two values is numeric, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.design import DesignSpec, matrix_of
from alliance_longitudinal.errors import FitError


@dataclass(frozen=True, slots=True)
class Grid:
    """Points of the fixed part's variables.

    Attributes
    ----------
    spec : DesignSpec
    rows : DataFrame
        Rows of the fit.
    points : DataFrame
        One row a point.
    factors : tuple of str
        Categorical variables.
    unseen : ndarray, shape (P, d)
        Directions of all columns of the fixed part, also those left out, on which the data say nothing.
    """

    spec: DesignSpec
    rows: pd.DataFrame
    points: pd.DataFrame
    factors: tuple[str, ...]
    unseen: Array

    def functions(self, points: pd.DataFrame) -> tuple[Array, Array]:
        """Rows of the fixed part (r, p) and their parts in unseen directions (r, d)."""
        full = matrix_of(self.spec.fixed, points)
        return full[list(self.spec.names)].to_numpy(dtype=float), full.to_numpy(dtype=float) @ self.unseen

    def weights(self, averaged: Sequence[str], kind: str) -> Array:
        """Weight of each point, by the rows' frequencies of the categories it is averaged over if proportional."""
        over = [name for name in averaged if name in self.factors]
        if kind == "equal" or not over:
            return np.ones(len(self.points))
        counts = self.rows.groupby(over, observed=True).size()
        keys = self.points[over]
        labels = keys[over[0]] if len(over) == 1 else pd.MultiIndex.from_frame(keys)
        return np.asarray(counts.reindex(pd.Index(labels)).fillna(0.0), dtype=float)


def reference_grid(spec: DesignSpec, rows: pd.DataFrame, at: Mapping[str, Any] | None) -> Grid:
    """Grid over all variables of the fixed part.

    Parameters
    ----------
    rows : DataFrame
        Rows of the fit.
    at : mapping of variable to value or values, optional

    Raises
    ------
    FitError
        ``at`` names a variable that is not in the fixed part, or a category that is not in the data.
    """
    at = dict(at or {})
    variables = [name for name in spec.used_fixed if name in rows.columns]
    unknown = [name for name in at if name not in variables]
    if unknown:
        raise FitError(
            f"at= names {', '.join(map(repr, unknown))}, not in the fixed part. There are: {', '.join(variables) or 'none'}."
        )
    factors = categorical(spec, rows, variables)
    values = {}
    for name in variables:
        column = rows[name]
        if name in at:
            values[name] = _asked(name, at[name], column if name in factors else None)
        else:
            values[name] = _levels(column) if name in factors else [float(column.mean())]
    index = pd.MultiIndex.from_product(values.values(), names=list(values)) if values else None
    points = index.to_frame(index=False) if index is not None else pd.DataFrame(index=range(1))
    for name in points.columns:
        if isinstance(rows[name].dtype, pd.CategoricalDtype):
            points[name] = points[name].astype(rows[name].dtype)
    unseen = np.zeros((len(spec.fixed.column_names), 0)) if spec.unseen is None else spec.unseen
    return Grid(spec, rows, points, factors, unseen)


def categorical(spec: DesignSpec, rows: pd.DataFrame, variables: list[str]) -> tuple[str, ...]:
    """Variables that enter as categories, by their type or by ``C(...)``."""
    coded: set[str] = set()
    for factor, names in spec.fixed.factor_variables.items():
        state = spec.fixed.encoder_state.get(str(factor))
        if state is not None and "categorical" in str(state[0].value):
            coded |= {str(name) for name in names}
    return tuple(
        name
        for name in variables
        if name in coded
        or not pd.api.types.is_numeric_dtype(rows[name])
        or pd.api.types.is_bool_dtype(rows[name])
    )


def _levels(column: pd.Series) -> list[Any]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [level for level in column.cat.categories if (column == level).any()]
    return sorted(column.unique())


def _asked(name: str, wanted: Any, column: pd.Series | None) -> list[Any]:
    values = [wanted] if isinstance(wanted, str) or not np.iterable(wanted) else list(wanted)
    if column is not None:
        levels = _levels(column)
        unknown = [value for value in values if value not in levels]
        if unknown:
            raise FitError(
                f"{name!r} has no category {', '.join(map(repr, unknown))}. There are: {', '.join(map(str, levels))}."
            )
    if not values:
        raise FitError(f"at= gives no value for {name!r}.")
    return values
