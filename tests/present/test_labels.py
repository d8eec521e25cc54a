import math

import pytest

from alliance_longitudinal import labels


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "number", "–"),
        (math.nan, "p", "–"),
        (0.0, "number", "0"),
        (-0.01234, "number", "−0.0123"),
        (0.2, "number", "0.200"),
        (-1.234, "number", "−1.23"),
        (12.34, "number", "12.3"),
        (1234.5, "number", "1234"),
        (0.0004, "p", "< .001"),
        (0.00099, "p", "< .001"),
        (0.001, "p", ".001"),
        (0.008, "p", ".008"),
        (0.0456, "p", ".046"),
        (1.0, "p", "1.000"),
        (0.256, "percent", "26\xa0%"),
        (0.0256, "percent", "2.6\xa0%"),
        (0, "percent", "0\xa0%"),
        (12369, "integer", "12\u202f369"),
        (9.26, "df", "9.3"),
        (812.6, "df", "813"),
        (-math.inf, "number", "−∞"),
        ("007", "number", "007"),
        (True, "text", "True"),
    ],
)
def test_number(value: object, kind: str, text: str) -> None:
    assert labels.number(value, kind) == text


def test_small_numbers_keep_three_digits_and_their_sign() -> None:
    assert labels.number(-0.00006789) == "−0.0001"
    assert labels.number(0.00001) == "0.000"


def test_words() -> None:
    assert labels.listing(["a"]) == "a"
    assert labels.listing(["a", "b", "c"]) == "a, b and c"
    assert labels.count(1, "client") == "1 client"
    assert labels.count(57, "client") == "57 clients"
    assert labels.interval(-0.1, 2.0) == "−0.10 to 2.00"
    assert labels.interval(0.783, 1.25) == "0.78 to 1.25"
    assert labels.interval(0.009, 0.086, "percent") == "0.9\xa0% to 8.6\xa0%"
    assert labels.interval(0.1, math.inf) == "0.100 to ∞"


def test_a_value_and_its_interval_have_equal_decimals() -> None:
    assert labels.with_interval(0.904, 0.518, 1.29) == ("0.90", "0.52 to 1.29")
    assert labels.with_interval(-0.0004, -0.0284, -0.0001) == ("−0.0004", "−0.0284 to −0.0001")
    assert labels.with_interval(-0.001, -150.0, 160.0) == ("0", "−150 to 160")
    assert labels.with_interval(0.5, -math.inf, 2.0) == ("0.500", "−∞ to 2.00")


def test_a_row_shows_an_estimate_like_its_interval_and_other_numbers_by_themselves() -> None:
    keys = ["label", "estimate", "ci_low", "ci_high", "se", "slope", "slope_low", "slope_high", "p"]
    kinds = ["text", *["number"] * 7, "p"]
    values = ["a", -1.01, -1.25, -0.783, 0.123, 0.0372, -0.321, 0.142, 0.5]
    shown = ["a", "−1.01", "−1.25", "−0.78", "0.123", "0.037", "−0.321", "0.142", ".500"]
    assert labels.row(values, keys, kinds) == shown
    assert labels.row(["a", 0.783, None, 1.25], keys[:4], kinds[:4]) == ["a", "0.783", "–", "1.25"]
