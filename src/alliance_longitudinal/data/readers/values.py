"""A typed value as the text that a person would read, from which the dialect reads the same value again."""

import datetime
import decimal
import math
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.texts import Texts


def value_text(value: Any, dialect: Dialect) -> str:
    """``value`` as text: whole numbers without ``.0``, others with the declared decimal mark, dates as ISO dates."""
    if value is None or value is pd.NaT:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).upper()
    if isinstance(value, float | np.floating):
        return _float_text(float(value), dialect)
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            return "" if value.is_nan() else str(value)
        whole = value == value.to_integral_value()
        return str(int(value)) if whole else format(value, "f").replace(".", dialect.decimal)
    if isinstance(value, datetime.datetime):
        return value.date().isoformat()
    if isinstance(value, bytes):
        return _bytes_text(value)
    return str(value)


def _bytes_text(value: bytes) -> str:
    """Bytes as text where they are text, else in hexadecimal, so that different bytes stay different."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return text if text.isprintable() else f"0x{value.hex()}"


def series_texts(values: "pd.Series[Any]", dialect: Dialect) -> Texts:
    """A column of a data frame as text; each distinct value is written once."""
    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    words = [*(value_text(value, dialect) for value in distinct), ""]
    return Texts.coded(np.where(codes < 0, len(distinct), codes).astype(np.int32), words)


def _float_text(value: float, dialect: Dialect) -> str:
    if math.isnan(value):
        return ""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value).replace(".", dialect.decimal)
