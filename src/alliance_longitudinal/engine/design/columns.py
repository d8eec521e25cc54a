"""Columns as the formula's reader takes them: texts of any storage, and a sentence for what is neither number nor text."""

import re
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.engine.design.terms import RandomTerm
from alliance_longitudinal.errors import FormulaError

#: What pandas calls objects that are numbers or times.
_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "complex")
_TIMES = ("datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period")


def check_columns_exist(used: list[str], frame: pd.DataFrame, formula: str) -> None:
    """Refuse a formula that names a column the data do not have, or have twice.

    Raises
    ------
    FormulaError
        With the nearest names.
    """
    known = [str(c) for c in frame.columns]
    for name in used:
        if name not in frame.columns:
            dotted = [c for c in known if c.startswith(f"{name}.") and c in formula]
            near = get_close_matches(name, known, n=3, cutoff=0.5)
            hint = (
                f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are: {', '.join(known)}."
            )
            hint = f"A name with a dot is written in backticks: `{dotted[0]}`." if dotted else hint
            raise FormulaError(f"Column {name!r} of the formula {formula!r} is not in the data. {hint}")
        if known.count(name) > 1:
            raise FormulaError(
                f"Column {name!r} occurs {known.count(name)} times in the data; rename one of them."
            )


#: Text with more different values than this, most of them numbers, is a column of numbers that holds a few words.
FEW_CODES, MOSTLY = 10, 0.8


def readable(frame: pd.DataFrame, names: tuple[str, ...], text: str | None = None) -> pd.DataFrame:
    """The frame with columns that formulaic understands; the one that is given is not changed.

    Texts in pandas' or Arrow's own storage become plain ones, truth values kept as objects become truth values: formulaic
    would take the first for numbers, the second for categories.

    Parameters
    ----------
    text : str, optional
        Part of a formula whose columns have to be numbers or categories.

    Raises
    ------
    FormulaError
        A column of ``text`` holds times, complex numbers, or numbers kept as objects.
    """
    changed = {}
    for name in names:
        if name not in frame.columns or isinstance(frame[name], pd.DataFrame):
            continue
        column = frame[name]
        plain = _plain(column)
        if text is not None and _mentions(text, name):
            _refuse_odd(plain, name, text)
        if plain is not column:
            changed[name] = plain
    return frame.assign(**changed) if changed else frame


def is_category(text: str, name: str) -> bool:
    """Whether a part of a formula takes a column as categories: ``C(name)``."""
    return re.search(rf"\bC\(\s*`?{re.escape(name)}`?\s*[,)]", text) is not None


def is_real(column: pd.Series) -> bool:
    """Whether a column holds real numbers or truth values."""
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column))


def response_column(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with a response of numbers; truth values in any storage are numbers.

    Raises
    ------
    FormulaError
        It holds something else, with what to do.
    """
    frame = readable(frame, (name,))
    column = frame[name]
    if is_real(column):
        return frame
    first = column.iloc[0]
    kind = pd.api.types.infer_dtype(column.astype(object), skipna=True)
    if kind in _NUMBERS and kind != "complex":
        raise FormulaError(
            f"The response {name!r} holds numbers kept as {column.dtype} (the first is {first}). Turn them into numbers with "
            "pandas.to_numeric."
        )
    shown = repr(first.item() if isinstance(first, np.generic) else first)
    raise FormulaError(
        f"The response {name!r} is not numeric; its first value is {shown}. Of two answers make 0 and 1, such as "
        f"(data[{name!r}] == {shown}).astype(int); ordered answers are for family='ordinal', as an ordered categorical."
    )


def _plain(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    stored = isinstance(dtype, pd.StringDtype) and str(dtype) != "str"
    if stored or (isinstance(dtype, pd.ArrowDtype) and dtype.kind not in "iuf"):
        column = column.astype(object)
    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=False) == "boolean":
        column = column.astype(bool)
    return column


def _refuse_odd(column: pd.Series, name: str, text: str) -> None:
    kind = column.dtype.kind if isinstance(column.dtype, np.dtype) else ""
    objects = pd.api.types.infer_dtype(column, skipna=True) if kind == "O" else ""
    first = column.iloc[0] if len(column) else None
    if kind == "c" or objects == "complex":
        raise FormulaError(
            f"The column {name!r} holds complex numbers (the first is {first!r}); take a real one."
        )
    if is_category(text, name):
        return
    if (
        kind in ("M", "m")
        or objects in _TIMES
        or isinstance(column.dtype, pd.DatetimeTZDtype | pd.PeriodDtype)
    ):
        raise FormulaError(
            f"The column {name!r} holds times or dates (the first is {first}); the model needs numbers, such as days since "
            f"a start. Make them before, or write C({name}) for categories."
        )
    if objects in _NUMBERS:
        raise FormulaError(
            f"The column {name!r} holds numbers kept as objects (the first is {first!r}), which would be taken for "
            f"categories. Turn them into numbers with pandas.to_numeric, or write C({name}) for categories."
        )
    _refuse_numbers_as_text(column, name)


def _refuse_numbers_as_text(column: pd.Series, name: str) -> None:
    """A column of numbers that a few words have made text would become one category for each number."""
    if isinstance(column.dtype, pd.CategoricalDtype) or not pd.api.types.is_string_dtype(column):
        return
    values = column.dropna().unique()
    if len(values) <= FEW_CODES:
        return
    numbers = int(pd.to_numeric(pd.Series(values, dtype=object), errors="coerce").notna().sum())
    if MOSTLY * len(values) <= numbers < len(values):  # codes that are all numbers may be text on purpose
        raise FormulaError(
            f"The column {name!r} is text with {len(values)} different values, of which {numbers} are numbers; as text each would "
            f"be a category. Turn it into numbers with pandas.to_numeric(..., errors='coerce'), or write C({name}) for categories."
        )


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def refuse_names(
    used_x: tuple[str, ...], used_z: tuple[tuple[str, ...], ...], terms: tuple[RandomTerm, ...]
) -> None:
    """Refuse columns whose names are those of a model's own parts.

    Raises
    ------
    FormulaError
        A column is called ``Intercept`` or ``1``, or a grouping ``Residual``.
    """
    effects = {
        *used_x,
        *(name for used, t in zip(used_z, terms, strict=True) for name in {*used} - {*t.columns}),
    }
    for name, what in (
        ("Intercept", "name of the model's intercept"),
        ("1", "sign for the intercept in a formula"),
    ):
        if name in effects:
            raise FormulaError(f"A column cannot be called {name!r}, the {what}. Rename it in the data.")
    if any(term.group == "Residual" for term in terms):
        raise FormulaError(
            "A grouping cannot be called 'Residual', the name of the residual in tables. Rename it in the data."
        )


def of_the_fit(spec: Any) -> Any:
    """A specification whose learned levels and ranges new data cannot overwrite.

    Formulaic writes what it sees in new data into the specification even where it then fails, and specifications of equal
    formulas are shared between fits.
    """
    return spec.update(
        encoder_state=deepcopy(spec.encoder_state), transform_state=deepcopy(spec.transform_state)
    )


def text_for_numbers(spec: Any, frame: pd.DataFrame) -> str:
    """A sentence about the first column of new rows that holds no numbers where the fit had them; empty if none does."""
    for factor_, (kind, _) in spec.encoder_state.items():
        names = [str(name) for name in spec.factor_variables.get(factor_, ()) if str(name) in frame.columns]
        if getattr(kind, "value", kind) != "numerical":
            continue
        for name in names:
            if not is_real(_plain(frame[name])):
                return (
                    f"Column {name!r} of the new data holds '{frame[name].dropna().iloc[0]}'; in the data of the fit it "
                    "held numbers or truth values. Give it in the same form."
                )
    return ""


def unknown_category(spec: Any, frame: pd.DataFrame) -> str:
    """A sentence about the first category of new rows that the fit does not know; empty if there is none."""
    for factor_, (_, state) in spec.encoder_state.items():
        known = state.get("categories")
        names = [str(name) for name in spec.factor_variables.get(factor_, ()) if str(name) in frame.columns]
        if known is None or len(names) != 1:
            continue
        new = frame.loc[~frame[names[0]].isin(list(known)), names[0]]
        if len(new):
            first = new.iloc[0].item() if isinstance(new.iloc[0], np.generic) else new.iloc[0]
            same_text = str(first) in set(map(str, known))
            why = " Text and numbers differ: give the values in the same form." if same_text else ""
            return (
                f"Column {names[0]!r} of the new data has the value {first!r}, which the fit does not know. "
                f"Known are: {', '.join(map(repr if same_text else str, known))}.{why}"
            )
    return ""


def beyond_spline(spec: Any, frame: pd.DataFrame) -> str:
    """A sentence about the first value of new rows that a spline of the fit does not reach; empty if there is none."""
    for factor_, state in spec.transform_state.items():
        low, high = (state.get(f"{end}_bound") for end in ("lower", "upper"))
        names = [str(name) for name in spec.factor_variables.get(factor_, ()) if str(name) in frame.columns]
        if low is None or high is None or len(names) != 1:
            continue
        beyond = frame.loc[~frame[names[0]].between(low, high), names[0]]
        if len(beyond):
            return (
                f"Column {names[0]!r} of the new data goes beyond the range of the fit, {low:g} to {high:g}, in {len(beyond)} "
                f"row{'s' if len(beyond) > 1 else ''}; the first value is {beyond.iloc[0]:g}. {factor_} says nothing there. Predict within the range, or fit cr() in place "
                "of bs(): it goes on as a straight line."
            )
    return ""
