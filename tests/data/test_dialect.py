"""Text becomes a number or a date only under the declared dialect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from inside.data_cells import Dialect, Texts


def text(*values):
    return Texts.of(values)


@pytest.mark.parametrize(
    ("dialect", "value", "expected"),
    [
        (Dialect(), "5.5", 5.5),
        (Dialect(), "1e3", 1000),
        (Dialect(), "+.5", 0.5),
        (Dialect(), "5.", 5),
        (Dialect(), "5,5", None),
        (Dialect(), "1.234,5", None),
        (Dialect(), "inf", None),
        (Dialect(), "nan", None),
        (Dialect(), "1e999", None),
        (Dialect(), "0x1F", None),
        (Dialect(), "1_000", None),
        (Dialect(), "\u0663", None),  # an Arabic three
        (Dialect(), "12 34", None),
        (Dialect(decimal=","), "5,5", 5.5),
        (Dialect(decimal=","), "1.234", None),  # would be 1.234 or 1234
        (Dialect(decimal=",", thousands="."), "1.234", 1234),
        (Dialect(decimal=",", thousands="."), "1.234.567,25", 1234567.25),
        (Dialect(decimal=",", thousands="."), "1.23", None),
        (Dialect(decimal=",", thousands="."), "12345", 12345),
        (Dialect(thousands="'"), "1'234.5", 1234.5),
        (Dialect(missing=("", "-99")), "-99.00", "missing"),
        (Dialect(missing=("", "k.A.")), "k.A.", "missing"),
        (Dialect(missing=("", "-99")), "NA", None),
        (Dialect(missing=("-99",)), "", "missing"),
    ],
)
def test_numbers(dialect, value, expected):
    values, bad = dialect.numbers(text(value))
    assert bad[0] == (expected is None)
    assert_array_equal(values, [np.nan if expected in (None, "missing") else expected])
    assert dialect.is_missing(text(value))[0] == (expected == "missing")


@pytest.mark.parametrize(
    ("order", "value", "expected"),
    [
        ("day-first", "03/04/2024", "2024-04-03"),
        ("month-first", "03/04/2024", "2024-03-04"),
        ("iso", "03/04/2024", None),
        ("day-first", "2024-03-04", "2024-03-04"),
        ("month-first", "2024-03-04T09:15:00Z", "2024-03-04"),
        ("day-first", "3.4.24 9:15", "2024-04-03"),
        ("day-first", "3.4.98", "1998-04-03"),
        ("day-first", "13/04/2024", "2024-04-13"),
        ("month-first", "13/04/2024", None),
        ("day-first", "31.04.2024", None),
        ("day-first", "4.3", None),
        ("iso", "20240304", None),
        ("iso", "2024-3-4", "2024-03-04"),
    ],
)
def test_dates(order, value, expected):
    days, bad = Dialect(dates=order).days(text(value))
    assert bad[0] == (expected is None)
    assert_array_equal(days, np.array([expected or "NaT"], dtype="datetime64[D]"))


def test_orders_that_read_a_whole_column():
    assert Dialect().orders_that_read(text("03/04/2024", "", "NA")) == ["day-first", "month-first"]
    assert Dialect().orders_that_read(text("03/04/2024", "13/04/2024")) == ["day-first"]
    assert Dialect().orders_that_read(text("")) == []


@given(st.dates(), st.sampled_from(["day-first", "month-first", "iso"]))
def test_iso_dates_are_read_under_each_order(day, order):
    days, bad = Dialect(dates=order).days(text(day.isoformat()))
    assert not bad[0]
    assert days[0] == np.datetime64(day)


@given(st.floats(-1e9, 1e9).map(lambda v: round(v, 4)))
def test_numbers_survive_both_decimal_marks(number):
    point = f"{number:.4f}"
    assert Dialect().numbers(text(point))[0][0] == number
    assert (
        Dialect(decimal=",", thousands=".").numbers(text(f"{number:,.4f}".translate({44: 46, 46: 44})))[0][0]
        == number
    )


@given(st.text(max_size=12))
def test_any_text_is_a_number_missing_or_bad(value):
    values, bad = Dialect(decimal=",", thousands=".").numbers(text(value.strip()))
    assert not (bad[0] and np.isfinite(values[0]))
