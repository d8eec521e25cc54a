"""Model matrices of plain numbers without formulaic's work over the rows.

A formula of numeric columns and their products, such as ``week * rating``, means the same for every data set. What it
means is read here if it is a plain sum, else asked of formulaic once, on a small table, and kept; the columns are then
multiplied here. Formulaic itself is loaded only where it is needed: that takes longer than most fits.
"""

import keyword
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Names that formulaic knows as functions, so that only it can say what they mean in a formula.
FUNCTIONS = frozenset(
    [
        "C",
        "Diff",
        "Helmert",
        "I",
        "Poly",
        "Q",
        "Sum",
        "Treatment",
        "bs",
        "cc",
        "center",
        "contr",
        "cr",
        "cs",
        "exp",
        "exp10",
        "exp2",
        "hashed",
        "lag",
        "log",
        "log10",
        "log2",
        "np",
        "poly",
        "scale",
        "standardize",
    ]
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Columns of a model matrix as products of data columns.

    Attributes
    ----------
    spec : ModelSpec or PlainSpec
        Formulaic's own, for new data, or what becomes it.
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


@dataclass(frozen=True, slots=True)
class PlainSpec:
    """Formulaic's specification of a plain sum, made when something of it is asked for.

    Attributes
    ----------
    text : str
    names : tuple of str
        Data columns, sorted.
    """

    text: str
    names: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        learned = _learn(self.text, self.names)
        assert learned is not None  # read plainly, so formulaic can read it too
        return getattr(learned.spec, name)


@lru_cache(maxsize=256)
def read_sum(text: str) -> tuple[tuple[str, ...], ...] | None:
    """Products in formulaic's order of a plain sum: ``a + b``, ``a * b``, ``a + a:b``, ``0 + a``; None for more."""
    first, *rest = (piece.strip() for piece in text.split("+"))
    products: list[tuple[str, ...]] = [] if first == "0" else [()]
    for piece in rest if first in ("0", "1") else [first, *rest]:
        mark = ":" if ":" in piece else "*"
        names = tuple(name.strip() for name in piece.split(mark))
        if len(set(names)) < len(names) or len(names) > 2 or not all(map(_is_plain, names)):
            return None
        products += [*((name,) for name in names if mark == "*"), *([names] if len(names) == 2 else [])]
    made = tuple(sorted(dict.fromkeys(products), key=len))
    return made if len({frozenset(product) for product in made}) == len(made) else None


def _is_plain(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in FUNCTIONS and not keyword.iskeyword(name)


@lru_cache(maxsize=256)
def required_of(text: str) -> frozenset[str]:
    """Variables that a formula needs, as formulaic sees them."""
    products = read_sum(text)
    if products is not None:
        return frozenset(name for product in products for name in product)
    from formulaic import Formula

    return frozenset(map(str, Formula(text).required_variables))


def recipe_of(text: str, rows: pd.DataFrame) -> Recipe | None:
    """The recipe of a formula over numeric columns; None for a formula that needs more than products."""
    names = tuple(sorted(required_of(text)))
    if not all(name in rows.columns and _is_number(rows[name].dtype) for name in names):
        return None
    products = read_sum(text)
    if products:
        titles = tuple(":".join(product) or "Intercept" for product in products)
        return Recipe(PlainSpec(text, names), titles, products)
    return _learn(text, names)


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
