"""Formula and data frame to arrays, and the same recipe for new data."""

import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.arrays import Array, Mask
from alliance_longitudinal.engine.design.columns import (
    beyond_spline,
    check_columns_exist,
    of_the_fit,
    readable,
    refuse_names,
    response_column,
    text_for_numbers,
    unknown_category,
)
from alliance_longitudinal.engine.design.formula import ParsedFormula, parse
from alliance_longitudinal.engine.design.groups import Factor, factor
from alliance_longitudinal.engine.design.idioms import refuse_idioms
from alliance_longitudinal.engine.design.membership import MultipleMembership
from alliance_longitudinal.engine.design.missing import complete_rows, missing_of
from alliance_longitudinal.engine.design.plain import PlainSpec, recipe_of, required_of
from alliance_longitudinal.engine.design.terms import RandomTerm, expand
from alliance_longitudinal.engine.design.values import check_finite, offset_of, weights_of
from alliance_longitudinal.engine.linalg.matrices import independent_columns, unseen_directions
from alliance_longitudinal.errors import FitError, FormulaError

_NAMES = re.compile(r"`([^`]+)`|(?<![\w.])([^\W\d]\w*)(?!\s*(?:\(|=[^=]))")


@dataclass(frozen=True, slots=True)
class TermDesign:
    """Random effects that share one covariance matrix.

    Attributes
    ----------
    group : str
        Name of the grouping factor.
    factor : int
        Its position in `Design.factors`.
    names : tuple of str
        Names of the q effects.
    z : ndarray, shape (n, q)
        Their values; the term's design matrix is this, spread over the groups.
    """

    group: str
    factor: int
    names: tuple[str, ...]
    z: Array


@dataclass(frozen=True, slots=True, repr=False)
class Design:
    """Everything a fit needs, as arrays over the n complete rows in the order of the data.

    Attributes
    ----------
    y : ndarray, shape (n,)
    x : ndarray, shape (n, p)
        Linearly independent columns of the fixed part.
    names, dropped : tuple of str
        Names of the columns of ``x``, and of those that were left out as combinations of others.
    terms, factors
        Random effects and their groupings.
    weights : ndarray, shape (n,), or None
        Prior weights: the residual variance of row i is scale / weight.
    offset : ndarray, shape (n,), or None
        Known part of the expected response (of the linear predictor in a generalised model).
    extra : dict of str to Series
        Other columns that the model needs in its complete rows, such as the order of repeated measurements.
    kept : ndarray of bool, shape (N,)
        Which rows of the data are complete.
    index : Index
        Row labels of the complete rows.
    missing : dict of str to (int, int)
        By column that lacks values: rows without one, and rows that lack nothing else.
    """

    y: Array
    x: Array
    names: tuple[str, ...]
    dropped: tuple[str, ...]
    terms: tuple[TermDesign, ...]
    factors: tuple[Factor, ...]
    weights: Array | None
    offset: Array | None
    extra: dict[str, pd.Series]
    kept: Mask
    index: pd.Index
    missing: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Rows used."""
        return len(self.y)

    @property
    def lost(self) -> int:
        """Rows left out because a used value is missing."""
        return int((~self.kept).sum())

    @property
    def centred(self) -> Array:
        """Response without its offset, shape (n,)."""
        return self.y if self.offset is None else self.y - self.offset


@dataclass(frozen=True, slots=True)
class RandomSpec:
    """Recipe of one random term for new data: formulaic's specification and which columns form the groups."""

    effects: Any
    group: str
    columns: tuple[str, ...]
    correlated: bool


@dataclass(frozen=True, slots=True)
class DesignSpec:
    """Recipe of a design, learned from the data of the fit (levels of categories, means of ``center(x)``)."""

    formula: str
    response: str
    fixed: Any
    names: tuple[str, ...]
    random: tuple[RandomSpec, ...]
    used_fixed: tuple[str, ...]
    used_random: tuple[tuple[str, ...], ...]
    offset: str | None = None
    weights: str | None = None
    membership: tuple[tuple[str, MultipleMembership], ...] = ()
    #: Directions of all columns of the fixed part on which the data say nothing; none where no column was left out.
    unseen: Array | None = field(default=None, compare=False, repr=False)


def learn(
    formula: str,
    frame: pd.DataFrame,
    weights: str | None = None,
    offset: str | None = None,
    extra: tuple[str, ...] = (),
) -> tuple[DesignSpec, Design]:
    """Read the formula against the data.

    Parameters
    ----------
    formula : str
    frame : DataFrame
        Not changed.
    weights : str, optional
        Column of prior weights.
    offset : str, optional
        Column of the known part of the expected response.
    extra : tuple of str
        Further columns that must be complete; kept in `Design.extra`.

    Raises
    ------
    FormulaError, FitError
        Unknown column, nothing left after dropping incomplete rows, values that are not finite.
    """
    parsed = parse(formula)
    terms = expand(parsed)
    if not isinstance(frame, pd.DataFrame):
        raise FitError(f"The data must be a pandas DataFrame, not {type(frame).__name__}.")
    used_y, used_x, used_z = columns_used(parsed, terms, frame)
    named = [c for c in (weights, offset, *extra) if c]
    used = list(dict.fromkeys([*used_y, *used_x, *(c for z in used_z for c in z), *named]))
    check_columns_exist(used, frame, formula)
    refuse_names(used_x, used_z, terms)
    kept = complete_rows(frame, used)
    if not kept.any():
        empty = [c for c in used if frame[c].isna().all()]
        why = f" Column {empty[0]!r} has no value at all." if empty else ""
        raise FitError(f"No row has a value in every column that the formula uses ({', '.join(used)}).{why}")
    rows = frame if kept.all() else frame.loc[kept, used]
    y = response_of(parsed.response, rows, used_y)
    x_names, x, fixed_spec = model_matrix(parsed.fixed, rows, used_x)
    if x.shape[1] == 0:
        raise FormulaError(
            f"The fixed part of {formula!r} has no column. Give it at least an intercept: y ~ 1 + ..."
        )
    columns = independent_columns(x)
    names = tuple(x_names[j] for j in columns)
    dropped = tuple(name for j, name in enumerate(x_names) if j not in columns)
    constant = without_columns(fixed_spec)
    factors, designs, specs = _random(terms, used_z, rows)
    unseen = unseen_directions(x) if dropped else None
    spec = DesignSpec(
        formula, parsed.response, fixed_spec, names, specs, used_x, used_z, offset, weights, unseen=unseen
    )
    return spec, Design(
        y=y,
        x=x if not dropped else x[:, columns],
        names=names,
        dropped=(*dropped, *constant),
        terms=designs,
        factors=factors,
        weights=weights_of(rows[weights]) if weights else None,
        offset=offset_of(rows[offset]) if offset else None,
        extra={name: rows[name] for name in extra},
        kept=kept,
        index=rows.index,
        missing=missing_of(frame[used]) if not kept.all() else {},
    )


def matrix_of(spec: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Apply a learned specification to complete rows of new data.

    Raises
    ------
    FormulaError
        A category was not in the data of the fit.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            rows = readable(frame, tuple(map(str, frame.columns)))
            return pd.DataFrame(of_the_fit(spec).get_model_matrix(rows, na_action="raise"))
        except Exception as error:
            why = text_for_numbers(spec, frame) or unknown_category(spec, frame) or beyond_spline(spec, frame)
            line = _first_line(error)
            lost = re.search(r"factor `(.+?)`\. \[RuntimeWarning", line)
            if lost and not why:
                why = f"{lost[1]!r} has no result for some rows of the new data. Correct their values or leave the rows out."
            raise FormulaError(why or f"The new data do not fit the model: {line}") from error


def without_columns(spec: Any) -> tuple[str, ...]:
    """Terms of a specification that give no column: categories of one level, and what is made of them alone."""
    if isinstance(spec, PlainSpec):
        return ()
    return tuple(
        str(part.term) for part in spec.structure or () if not part.columns and str(part.term) != "0"
    )


def split_effects(table: pd.DataFrame, correlated: bool) -> list[tuple[tuple[str, ...], Array]]:
    """Names and values of each block of effects: one block, or one for each column under ``||``."""
    return _blocks(tuple(str(c) for c in table.columns), _numbers(table), correlated)


def _blocks(names: tuple[str, ...], values: Array, correlated: bool) -> list[tuple[tuple[str, ...], Array]]:
    if correlated:
        return [(names, values)]
    return [((name,), values[:, [j]]) for j, name in enumerate(names)]


def columns_used(
    parsed: ParsedFormula, terms: tuple[RandomTerm, ...], frame: pd.DataFrame
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Columns that the response, the fixed part and each random term use."""
    refuse_idioms(parsed.text, tuple(map(str, frame.columns)))

    def effects(text: str) -> tuple[str, ...]:
        try:
            required: set[str] = set(required_of(text))
        except Exception as error:
            why = _first_line(error)
            how = (
                " Write conditions and calculations inside I(...), as in I(x > 0)."
                if "operator" in why
                else ""
            )
            raise FormulaError(f"The part {text!r} of the formula cannot be read: {why}{how}") from error
        found = _NAMES.findall(text)
        plain_names = {plain for _, plain in found}
        for quoted, _ in found:  # formulaic reads `a.b` as an attribute of a
            if "." in quoted:
                required = (required - ({quoted.split(".")[0]} - plain_names)) | {quoted}
        mentioned = [quoted or plain for quoted, plain in found]
        named = [m for m in mentioned if m in required or m in frame.columns]
        return tuple(dict.fromkeys([*named, *sorted(required - set(named))]))

    return (
        effects(f"0 + {parsed.response}"),
        effects(parsed.fixed),
        tuple((*effects(term.effects), *term.columns) for term in terms),
    )


def model_matrix(text: str, rows: pd.DataFrame, used: tuple[str, ...]) -> tuple[tuple[str, ...], Array, Any]:
    """Names, columns (n, k) and specification of one part of the formula."""
    recipe = recipe_of(text, rows)
    if recipe is None:
        rows = readable(rows, tuple(dict.fromkeys(used)), text)
    if recipe is not None:
        names, values, spec = recipe.names, recipe.columns(rows), recipe.spec
    else:
        from formulaic import Formula

        try:
            with np.errstate(all="ignore"):  # what is not finite is refused below
                table = Formula(text).get_model_matrix(rows[list(dict.fromkeys(used))], na_action="ignore")
        except Exception as error:
            raise FormulaError(
                f"The part {text!r} of the formula cannot be computed: {_in_our_words(_first_line(error))}"
            ) from error
        names, values, spec = tuple(map(str, table.columns)), _numbers(table), table.model_spec
    for j, name in enumerate(names):
        check_finite(values[:, j], name, rows.index)
    return names, values, spec


def _in_our_words(line: str) -> str:
    """A sentence of formulaic about a reference level, in words of the formula."""
    found = re.fullmatch(r"Value `(.+?)` for `\w+\.base` is not among the provided levels\.", line)
    return f"the column has no value {found[1]} to be the reference." if found else line


def _numbers(table: pd.DataFrame) -> Array:
    """Values of a model matrix, column by column in memory."""
    return np.asfortranarray(pd.DataFrame(table).to_numpy(dtype=float))


def response_of(text: str, rows: pd.DataFrame, used: tuple[str, ...]) -> Array:
    """Values of the response, shape (n,)."""
    if text in rows.columns:
        rows = response_column(rows, text)
    _, values, _ = model_matrix(f"0 + {text}", rows, used)
    if values.shape[1] != 1:
        raise FormulaError(f"The response {text!r} gives {values.shape[1]} columns; it must give one.")
    return values[:, 0]


def _random(
    terms: tuple[RandomTerm, ...], used: tuple[tuple[str, ...], ...], rows: pd.DataFrame
) -> tuple[tuple[Factor, ...], tuple[TermDesign, ...], tuple[RandomSpec, ...]]:
    factors: dict[frozenset[str], Factor] = {}
    designs: list[TermDesign] = []
    specs: list[RandomSpec] = []
    matrices: dict[str, tuple[tuple[str, ...], Array, Any]] = {}
    for term, names in zip(terms, used, strict=True):
        key = frozenset(term.columns)
        if key not in factors:
            factors[key] = factor(rows, term.columns)
        if term.effects not in matrices:
            matrices[term.effects] = model_matrix(term.effects, rows, names)
        columns, values, spec = matrices[term.effects]
        if not columns:
            raise FormulaError(
                f"The random term over {term.group!r} has no effect; write (1 | {term.group})."
            )
        constant = without_columns(spec)
        if constant:
            raise FormulaError(
                f"{constant[0]!r} has one category only in the rows used, so that it has no random effect over {term.group!r}. "
                "Leave it out of that term."
            )
        if not term.correlated:
            _refuse_categories(term, [n for n in names if n not in term.columns], rows)
        group = factors[key].name
        specs.append(RandomSpec(spec, group, factors[key].columns, term.correlated))
        for block_names, z in _blocks(columns, values, term.correlated):
            designs.append(TermDesign(group, list(factors).index(key), block_names, z))
    return tuple(factors.values()), tuple(designs), tuple(specs)


def _refuse_categories(term: RandomTerm, names: list[str], rows: pd.DataFrame) -> None:
    for name in names:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            raise FormulaError(
                f"'||' over {term.group!r} cannot split the categories of {name!r}: the result would depend on which "
                "category is the reference. Use '|', or make your own 0/1 columns."
            )


def _first_line(error: BaseException) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m|[⧛⧚]", "", str(error)).strip()
    return text.splitlines()[0] if text else type(error).__name__
