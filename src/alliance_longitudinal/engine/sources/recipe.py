"""How every batch is read: the formula, settled once for all batches."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from alliance_longitudinal.engine.arrays import Array
from alliance_longitudinal.engine.design.columns import is_category
from alliance_longitudinal.engine.design.design import (
    Design,
    DesignSpec,
    columns_used,
    learn,
    matrix_of,
    response_of,
    without_columns,
)
from alliance_longitudinal.engine.design.formula import parse
from alliance_longitudinal.engine.design.missing import complete_rows, missing_of
from alliance_longitudinal.engine.design.plain import recipe_of
from alliance_longitudinal.engine.design.terms import expand
from alliance_longitudinal.engine.design.values import offset_of, weights_of
from alliance_longitudinal.engine.sources.source import Source
from alliance_longitudinal.errors import FitError, FormulaError

#: Complete rows that the formula is learned from, and that give the provisional units.
LEARN = 4096


@dataclass(frozen=True, slots=True)
class BatchRows:
    """Complete rows of one batch.

    Attributes
    ----------
    columns : ndarray, shape (k, m)
        Distinct columns of the fixed part, then of the random effects.
    y : ndarray, shape (m,)
        Response without its offset.
    root : ndarray, shape (m,) or (0,)
        Roots of the prior weights.
    groups : DataFrame, m rows
        Grouping columns.
    lost : int
        BatchRows left out.
    missing : dict
        See `Design.missing`.
    """

    columns: Array
    y: Array
    root: Array
    groups: pd.DataFrame
    lost: int
    missing: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The formula, with the levels of its categories in all batches.

    Attributes
    ----------
    spec : DesignSpec
    example : Design
        Of the rows that the formula was learned from; names and terms are those of all rows.
    categories : dict of str to CategoricalDtype
    used : tuple of str
        Columns that must be complete.
    grouping : tuple of str
        Columns that form the groups.
    combined : dict of str to ndarray, shape (k,)
        Random effects that are combinations of the distinct columns, such as an intercept beside all categories of
        the fixed part.
    """

    spec: DesignSpec
    example: Design
    categories: dict[str, pd.CategoricalDtype]
    used: tuple[str, ...]
    grouping: tuple[str, ...]
    combined: dict[str, Array] = field(default_factory=dict)

    @property
    def fixed_names(self) -> tuple[str, ...]:
        """All columns of the fixed part, before combinations of others are left out."""
        return tuple(map(str, self.spec.fixed.column_names))

    def keeping(self, names: tuple[str, ...]) -> "Recipe":
        """The recipe with these columns of the fixed part; the others are combinations of them."""
        lost = tuple(name for name in self.fixed_names if name not in names)
        dropped = (*lost, *without_columns(self.spec.fixed))
        spec = replace(self.spec, names=names)
        return replace(self, spec=spec, example=replace(self.example, names=names, dropped=dropped))

    @property
    def distinct(self) -> tuple[str, ...]:
        """Names of the distinct columns: the fixed part, then random effects that are not combinations of others."""
        effects = (name for term in self.example.terms for name in term.names)
        return tuple(dict.fromkeys([*self.spec.names, *(n for n in effects if n not in self.combined)]))

    def loadings(self) -> list[Array]:
        """Each term's effects as combinations of the distinct columns, shape (k, q)."""
        names = self.distinct
        plain = dict(zip(names, np.eye(len(names)), strict=True))
        return [
            np.stack([(plain | self.combined)[n] for n in term.names], axis=1) for term in self.example.terms
        ]

    def read(self, batch: pd.DataFrame) -> BatchRows:
        """Columns of the model over the complete rows of a batch."""
        batch = settled(self.categories, batch)
        kept = complete_rows(batch, list(self.used))
        rows = batch if kept.all() else batch.loc[kept]
        rows = _plain_numbers(rows)
        names = self.distinct
        columns = np.empty((len(names), len(rows)))
        y, root = np.empty(0), np.empty(0)
        if len(rows):
            self._fill(columns, names, rows)
            y = response_of(self.spec.response, rows, self.used)
            y = y - offset_of(rows[self.spec.offset]) if self.spec.offset else y
            root = np.sqrt(weights_of(rows[self.spec.weights])) if self.spec.weights else root
        return BatchRows(
            columns,
            y,
            root,
            rows[list(self.grouping)],
            int((~kept).sum()),
            {} if kept.all() else missing_of(batch[list(self.used)]),
        )

    def _fill(self, columns: Array, names: tuple[str, ...], rows: pd.DataFrame) -> None:
        parsed = parse(self.spec.formula)
        texts = [parsed.fixed, *(term.effects for term in expand(parsed))]
        parts = zip(texts, [self.spec.fixed, *(term.effects for term in self.spec.random)], strict=True)
        done: set[str] = set()
        for text, spec in parts:
            here, values = _matrix(text, spec, rows)
            for j, name in enumerate(here):
                if name in names and name not in done:
                    done.add(name)
                    columns[names.index(name)] = values[:, j]
        if len(done) < len(names):
            absent = next(name for name in names if name not in done)
            raise FitError(
                f"One batch has no column {absent!r}: a column of the data has another type there than in the first batch. "
                "Give every batch the same types."
            )
        bad = np.flatnonzero(~np.isfinite(columns.sum(axis=1)))
        for j in bad.tolist():
            first = np.flatnonzero(~np.isfinite(columns[j]))
            if len(first):
                raise FitError(
                    f"{names[j]!r} has {len(first)} values that are not finite in one batch; the first is "
                    f"{columns[j][first[0]]} in its row {rows.index[first[0]]}. Correct it or leave it empty."
                )


def _plain_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """Complete rows without the types that can hold missing numbers, so that every batch has the same types."""
    masked = {
        name: dtype.numpy_dtype
        for name, dtype in rows.dtypes.items()
        if hasattr(dtype, "numpy_dtype") and is_numeric_dtype(dtype)
    }
    return rows.astype(masked) if masked else rows


def _matrix(text: str, spec: object, rows: pd.DataFrame) -> tuple[tuple[str, ...], Array]:
    simple = recipe_of(text, rows)
    if simple is not None:
        return simple.names, simple.columns(rows)
    table = matrix_of(spec, rows)
    return tuple(map(str, table.columns)), table.to_numpy(dtype=float)


def settled(categories: dict[str, pd.CategoricalDtype], batch: pd.DataFrame) -> pd.DataFrame:
    """A batch whose categories have all their levels."""
    return batch.astype(categories) if categories else batch


def learn_recipe(formula: str, source: Source, weights: str | None, offset: str | None) -> Recipe:
    """Settle the formula: levels of categories over all batches, columns on the first complete rows.

    Raises
    ------
    FormulaError
        As in memory; and a transformation whose meaning depends on all rows.
    FitError
        No complete row.
    """
    parsed = parse(formula)
    terms = expand(parsed)
    empty = pd.DataFrame(columns=list(source.columns))
    used_y, used_x, used_z = columns_used(parsed, terms, empty)
    named = [c for c in (weights, offset) if c]
    used = tuple(dict.fromkeys([*used_y, *used_x, *(c for z in used_z for c in z), *named]))
    absent = [c for c in used if c not in source.columns]
    if absent:
        learn(formula, empty, weights, offset)  # names the nearest columns
    grouping = tuple(dict.fromkeys(c for term in terms for c in term.columns))
    effects = tuple(c for c in used if c not in grouping or c in {*used_x, *used_y})
    categories = _levels(source, effects)
    numbers = tuple(c for c in effects if c not in categories and is_category(formula, c))
    sample = _sample(source, used, categories, numbers)
    spec, example = learn(formula, sample, weights, offset)
    _refuse_stateful(spec)
    return Recipe(spec, example, categories, used, grouping)


def _sample(
    source: Source,
    used: tuple[str, ...],
    categories: dict[str, pd.CategoricalDtype],
    numbers: tuple[str, ...],
) -> pd.DataFrame:
    """The first complete rows, and one for each value of numbers that are categories, as in ``C(x)``."""
    parts: list[pd.DataFrame] = []
    for part in source.map(partial(_complete_head, used), used):
        parts.append(part)
        if sum(map(len, parts)) >= LEARN:
            break
    for name in numbers:
        every = pd.concat(source.map(partial(_one_of_each, used, name), used), ignore_index=True)
        parts.append(every.drop_duplicates(name))
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(used))
    if not len(rows):
        raise FitError(
            f"No row of {source.words} has a value in every column that the formula uses ({', '.join(used)})."
        )
    return settled(categories, rows)


def _complete_head(used: tuple[str, ...], batch: pd.DataFrame) -> pd.DataFrame:
    rows = batch.loc[complete_rows(batch, list(used)), list(used)]
    return rows.iloc[:: max(1, len(rows) // LEARN)]


def _one_of_each(used: tuple[str, ...], name: str, batch: pd.DataFrame) -> pd.DataFrame:
    """A complete row for each value of a column."""
    return batch.loc[complete_rows(batch, list(used)), list(used)].drop_duplicates(name)


def _levels(source: Source, columns: tuple[str, ...]) -> dict[str, pd.CategoricalDtype]:
    """Levels of the columns that are not numbers, over all batches."""
    kinds = next(iter(source.map(_texts, columns)), ())
    texts = tuple(c for c in columns if c in kinds)
    if not texts:
        return {}
    found: dict[str, list[tuple[pd.Index, bool]]] = {name: [] for name in texts}
    for part in source.map(partial(_distinct, texts), texts):
        for name, levels in part.items():
            found[name].append(levels)
    return {name: _dtype(name, parts) for name, parts in found.items()}


def _texts(batch: pd.DataFrame) -> tuple[str, ...]:
    """Columns that are neither numbers nor times, which have no categories."""
    return tuple(
        str(c) for c, dtype in batch.dtypes.items() if not (is_numeric_dtype(dtype) or dtype.kind in "mM")
    )


def _distinct(columns: tuple[str, ...], batch: pd.DataFrame) -> dict[str, tuple[pd.Index, bool]]:
    """Levels of each column in a batch, and whether they have an order."""
    out = {}
    for name in columns:
        column = batch[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            out[name] = pd.Index(column.cat.categories), bool(column.cat.ordered)
        else:
            out[name] = pd.Index(column.dropna().unique()), False
    return out


def _dtype(name: str, parts: list[tuple[pd.Index, bool]]) -> pd.CategoricalDtype:
    """All levels of a column: ordered ones in their order, others sorted."""
    levels = [part for part, _ in parts]
    if not all(ordered for _, ordered in parts):
        return pd.CategoricalDtype(_union(levels))
    longest = max(levels, key=len)
    for part in levels:
        if not part.equals(longest[longest.isin(part)]):
            raise FormulaError(
                f"The ordered categories of {name!r} are not the same in all batches ({', '.join(map(str, part))}; "
                f"{', '.join(map(str, longest))}). Write the data with one order of all categories."
            )
    return pd.CategoricalDtype(longest, ordered=True)


def _union(parts: Iterable[pd.Index]) -> pd.Index:
    """All levels: categories in their order, other labels sorted."""
    parts = list(parts)
    if all(part.equals(parts[0]) for part in parts):
        first = parts[0]
        return first if first.is_monotonic_increasing else _sorted(first)
    levels = parts[0]
    for part in parts[1:]:
        levels = levels.append(part[~part.isin(levels)])
    return _sorted(levels)


def _sorted(levels: pd.Index) -> pd.Index:
    return levels.sort_values()


def _refuse_stateful(spec: DesignSpec) -> None:
    for part in [spec.fixed, *(term.effects for term in spec.random)]:
        state = getattr(part, "transform_state", None)
        if state:
            raise FormulaError(
                f"{next(iter(state))!r} depends on all rows, which are never at hand together here. Make it a column of "
                "the data first, and name that column in the formula."
            )
