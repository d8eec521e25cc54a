"""Which rows belong together for cluster-robust standard errors."""

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.design.design import Design
from alliance_longitudinal.engine.design.groups import Factor, factor, parents
from alliance_longitudinal.errors import FitError, FormulaError


def clusters_of(design: Design, data: pd.DataFrame, column: str) -> Factor:
    """Clusters by a column of the data, over the rows of the design.

    Raises
    ------
    FormulaError
        There is no such column.
    FitError
        Prior weights, missing values, fewer than two clusters, or groups that reach across clusters.
    """
    if column not in data.columns:
        raise FormulaError(
            f"cov_groups={column!r} is not a column of the data. There are: {', '.join(map(str, data.columns))}."
        )
    if design.weights is not None:
        raise FitError(
            "Cluster-robust standard errors are not available for a fit with weights. Leave out one of the two."
        )
    rows = data.loc[design.kept, [column]]
    missing = np.flatnonzero(rows[column].isna())
    if len(missing):
        raise FitError(
            f"{len(missing)} rows of the fit have no value in cov_groups={column!r}, the first is row "
            f"{rows.index[missing[0]]}. Fill them in or drop those rows."
        )
    clusters = factor(rows, (column,))
    if clusters.size < 2:
        raise FitError(
            f"All rows lie in one cluster of {column!r} ({clusters.levels[0]!r}); robust errors need several clusters."
        )
    for group in design.factors:
        row, member = np.nonzero(group.members >= 0)
        if parents(group.members[row, member], clusters.codes[row], group.size) is None:
            raise FitError(
                f"Clusters must hold whole groups, but levels of {group.name!r} occur in several clusters of {column!r}. "
                "Choose a grouping at or above the top level of the random effects; for crossed groupings and several memberships there is "
                "mostly none."
            )
    return clusters
