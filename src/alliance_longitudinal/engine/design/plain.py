"""Model matrices of plain numbers without formulaic's work over the rows.

A formula of numeric columns and their products, such as ``week * rating``, means the same for every data set. What it
means is asked of formulaic once, on a small table, and kept; the columns are then multiplied here.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Columns of a model matrix as products of data columns.

    Attributes
    ----------
    spec : ModelSpec
        Formulaic's own, for new data.
    names : tuple of str
    products : tuple of tuple of str
        Data columns that are multiplied to each column; none for the intercept.
    """

    spec: Any
    names: tuple[str, ...]
    products: tuple[tuple[str, ...], ...]

    def columns(self, rows: pd.DataFrame) -> Array:
        """The matrix over complete rows, shape (n, k), column by column in memory."""
        out = np.empty((len(rows), len(self.names)), order="F")
        for j, names in enumerate(self.products):
            if not names:
                out[:, j] = 1.0
                continue
            out[:, j] = rows[names[0]].to_numpy()
            for name in names[1:]:
                out[:, j] *= rows[name].to_numpy()
        return out


@lru_cache(maxsize=256)
def required_of(text: str) -> frozenset[str]:
    """Variables that a formula needs, as formulaic sees them."""
    from formulaic import Formula

    return frozenset(map(str, Formula(text).required_variables))


def recipe_of(text: str, rows: pd.DataFrame) -> Recipe | None:
    """The recipe of a formula over numeric columns; None for a formula that needs more than products."""
    names = tuple(sorted(required_of(text)))
    if all(name in rows.columns and _is_number(rows[name].dtype) for name in names):
        return _learn(text, names)
    return None


def _is_number(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


@lru_cache(maxsize=256)
def _learn(text: str, names: tuple[str, ...]) -> Recipe | None:
    """Ask formulaic; accept only what our own products reproduce on numbers without a common factor."""
    from formulaic import Formula

    rng = np.random.default_rng(0)
    toy = pd.DataFrame({name: rng.uniform(1, 2, 7) for name in names}, index=range(7))
    try:
        table = Formula(text).get_model_matrix(toy, na_action="ignore")
    except Exception:  # the full data will say what is wrong
        return None
    spec = table.model_spec
    products = []
    for term in spec.terms:
        factors = [str(factor.expr) for factor in term.factors]
        products.append(tuple(name for name in factors if name != "1"))
    if len(products) != len(spec.column_names) or any(n not in names for some in products for n in some):
        return None
    made = Recipe(spec, tuple(map(str, spec.column_names)), tuple(products))
    same = np.array_equal(np.asarray(table, dtype=float), made.columns(toy))
    return made if same else None
