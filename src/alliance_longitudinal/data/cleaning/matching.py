"""Ids of one table held against those of another: who is in only one of them, and whether they are written alike."""

import re
import unicodedata
from collections.abc import Sequence

from alliance_longitudinal.data.cells.problems import Problems, some

_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_POINT_ZERO = re.compile(r"(?<=[0-9])\.0+$")
#: How spreadsheets show long numbers.
_POWER = re.compile(r"[0-9](\.[0-9]+)?e\+?[0-9]{1,2}")


def bare(text: str) -> str:
    """An id without what people and spreadsheets mistype: capitals, blanks, unseen marks, leading zeros, other digits and dashes, 1E+06."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc"))
        text = "".join("-" if unicodedata.category(c) == "Pd" or c == "\u2212" else c for c in text)
    text = "".join(text.casefold().split())
    if _POWER.fullmatch(text) and float(text).is_integer():
        return str(int(float(text)))
    return _ZEROS.sub("", text) if "0" in text else text


def written_otherwise(ids: Sequence[str], listed: Sequence[str]) -> dict[str, str]:
    """For those of ``ids`` that are not ``listed``: the listed id that differs only in how it is written."""
    known = {_POINT_ZERO.sub("", bare(text)): text for text in listed}
    there = set(listed)
    absent = (text for text in ids if text not in there)
    return {text: known[key] for text in absent if (key := _POINT_ZERO.sub("", bare(text))) in known}


def refuse_strangers(
    ids: Sequence[str], listed: Sequence[str], who: str, file: str, table: str, problems: Problems
) -> None:
    """Report that not one of ``ids`` is ``listed``, or that most would be if they were written alike.

    Parameters
    ----------
    who : str
        ``client`` or ``therapist``.
    file, table : str
        The sessions' file, and the file that lists.
    """
    absent = set(ids) - set(listed)
    if not ids or not absent:
        return
    otherwise = written_otherwise(ids, listed)
    if len(otherwise) >= max(2, 0.5 * len(ids)) or (otherwise and len(absent) == len(ids)):
        dropped = any(text.lstrip("0") != text for text in (*otherwise, *otherwise.values()))
        zeros = " Excel drops leading zeros unless the column is formatted as text." if dropped else ""
        pairs = [f"{mine!r} there and {theirs!r} in {table}" for mine, theirs in sorted(otherwise.items())]
        problems.add(
            "ids_written_otherwise",
            f"{len(otherwise)} of {len(ids)} {who} ids are written differently in {table}: {some(pairs, 3)}.",
            f"write them in the same way (they are compared as text: 7 is not 007, and A1 is not a1).{zeros}",
            file=file,
        )
    elif len(absent) == len(ids):
        problems.add(
            "no_common_ids",
            f"none of its {who}s is in {table}, which has ids such as {some(sorted(listed), 3)}.",
            f"correct the columns that hold the {who} ids, or remove {table} from the study file.",
            file=file,
        )
