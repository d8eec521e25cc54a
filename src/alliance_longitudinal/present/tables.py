"""A table as a frozen description; rendering comes last and elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from alliance_longitudinal.labels import row as row_text

Kind = Literal["text", "number", "estimate", "p", "integer", "count", "percent", "df"]
Section = Literal["answer", "sample", "results", "sensitivity", "checks", "models"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its key in the data, its heading, and how its cells are formatted.

    Attributes
    ----------
    kind : str
        ``count`` is a number of people or rows; what may not be shown to outsiders is found by it.
    total : str
        Key of the column of the same row that this count is a part of.
    of : str
        Key of the count of people or rows that this number rests on. For a share of people (``percent``) it is the count of
        the part, whose ``total`` names the whole, or the count of the whole.
    modelled : bool
        Whether a share is a model's, a simulation's or a quantile's: it may rest on the people of ``of``, but counts none.

    Examples
    --------
    >>> Column("share", "Improved", "percent", of="improved")
    Column(key='share', label='Improved', kind='percent', total='', of='improved', modelled=False)
    """

    key: str
    label: str
    kind: Kind = "text"
    total: str = ""
    of: str = ""
    modelled: bool = False

    def to_dict(self) -> dict[str, str]:
        """Plain data."""
        return {"key": self.key, "label": self.label, "kind": self.kind}


def plain(value: Any) -> Any:
    """A cell as JSON has it: missing and infinite become None, NumPy scalars become Python's."""
    item = getattr(value, "item", None)
    if callable(item):
        value = item()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and not -float("inf") < value < float("inf"):
        return None
    return value


@dataclass(frozen=True, slots=True)
class Table:
    r"""Rows with named, formatted columns, a title and a note.

    Attributes
    ----------
    name : str
        File name of its CSV, without ending.
    section : str
        Where a report shows it.
    row_ids : tuple of str
        Id of the estimate that each row shows, where rows show estimates.
    single_people : bool
        Whether a row is about one client or one therapist: then the table is not for outsiders.

    Examples
    --------
    >>> frame = pd.DataFrame({"method": ["points"], "improved": [157], "n": [898]}).eval("share = improved / n")
    >>> columns = [
    ...     Column("method", "Method"),
    ...     Column("improved", "Improved", "count", total="n"),
    ...     Column("n", "Of clients", "count"),
    ...     Column("share", "Share", "percent", of="improved"),
    ... ]
    >>> table = Table.from_frame("change", "Change", "results", frame, columns)
    >>> table.formatted().iloc[0].tolist()
    ['points', '157', '898', '17\xa0%']
    """

    name: str
    title: str
    section: Section
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""
    row_ids: tuple[str, ...] = ()
    single_people: bool = False

    @classmethod
    def from_frame(
        cls,
        name: str,
        title: str,
        section: Section,
        frame: pd.DataFrame,
        columns: list[Column],
        note: str = "",
        row_ids: tuple[str, ...] = (),
        single_people: bool = False,
    ) -> "Table":
        """Take the listed columns of ``frame``."""
        rows = tuple(
            tuple(plain(v) for v in row)
            for row in frame[[c.key for c in columns]].itertuples(index=False, name=None)
        )
        return cls(name, title, section, tuple(columns), rows, note, row_ids, single_people)

    @classmethod
    def from_rows(
        cls,
        name: str,
        title: str,
        section: Section,
        rows: Sequence[Mapping[str, Any]],
        columns: Sequence[Column],
        note: str = "",
        single_people: bool = False,
    ) -> "Table":
        """From mappings of keys to cells; a frame would make plain texts of sentences that hold values."""
        cells = tuple(tuple(plain(row[c.key]) for c in columns) for row in rows)
        return cls(name, title, section, tuple(columns), cells, note, single_people=single_people)

    def to_frame(self) -> pd.DataFrame:
        """The table's values at full precision."""
        return pd.DataFrame(list(self.rows), columns=[c.key for c in self.columns])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "name": self.name,
            "title": self.title,
            "section": self.section,
            "columns": [c.to_dict() for c in self.columns],
            "rows": [list(r) for r in self.rows],
            "note": self.note,
        }

    def formatted(self) -> pd.DataFrame:
        """The table as text, the way a reader sees it."""
        keys, kinds = [c.key for c in self.columns], [c.kind for c in self.columns]
        shown = [row_text(row, keys, kinds) for row in self.rows]
        return pd.DataFrame(shown, columns=[c.label for c in self.columns])

    def _repr_html_(self) -> str:
        caption = f"<p><b>{_escape(self.title)}</b></p>"
        note = f"<p><small>{_escape(self.note)}</small></p>" if self.note else ""
        return caption + str(self.formatted().to_html(index=False, border=0)) + note

    def __repr__(self) -> str:
        return f"{self.title}\n{self.formatted().to_string(index=False)}\n{self.note}".rstrip()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
