"""Columns that most tables of estimates have."""

from alliance_longitudinal.present import Column

#: An estimate with its limits, in its own unit.
ESTIMATE = (
    Column("estimate", "Estimate", "number"),
    Column("ci_low", "95 % low", "number"),
    Column("ci_high", "95 % high", "number"),
)
#: The same for shares.
PERCENT = tuple(Column(c.key, c.label, "percent") for c in ESTIMATE)
#: What a test of it rests on.
TEST = (
    Column("se", "SE", "number"),
    Column("df", "df", "df"),
    Column("p", "p", "p"),
    Column("n", "n", "count"),
)
