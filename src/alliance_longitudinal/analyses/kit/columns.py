"""Columns that most tables of estimates have."""

from alliance_longitudinal.present import Column

_NUMBERS = (("estimate", "Estimate"), ("ci_low", "95 % low"), ("ci_high", "95 % high"))
#: An estimate with its limits, in its own unit, from ``n`` people or rows.
ESTIMATE = tuple(Column(key, label, "number", of="n") for key, label in _NUMBERS)
#: The same for shares of people or rows, of whom ``n`` is the whole.
SHARE = tuple(Column(key, label, "percent", of="n") for key, label in _NUMBERS)
#: The same for shares of a variance, which count nobody.
PERCENT = tuple(Column(key, label, "percent", modelled=True) for key, label in _NUMBERS)
#: How many people or rows an estimate rests on.
COUNT = Column("n", "n", "count")
#: What a test of an estimate rests on.
TEST = (
    Column("se", "SE", "number", of="n"),
    Column("df", "df", "df"),
    Column("p", "p", "p"),
    COUNT,
)
