"""REDCap exports: repeating forms, events, checkbox fields, and answers exported as labels.

Only what the study file says is done: without its ``redcap`` block an export is a table like any other.
"""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alliance_longitudinal.data.cells.problems import Problems, some
from alliance_longitudinal.data.cells.texts import Texts
from alliance_longitudinal.data.readers.sheet import Sheet
from alliance_longitudinal.data.study_file.table_blocks import Redcap

EVENT, FORM, INSTANCE = "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"
_ON_SCREEN = {"event name": EVENT, "repeat instrument": FORM, "repeat instance": INSTANCE}
_FIELD, _LABEL, _TYPE = "Variable / Field Name", "Field Label", "Field Type"
_CHOICES = "Choices, Calculations, OR Slider Labels"
_FIXED = {
    "yesno": {"0": "No", "1": "Yes"},
    "truefalse": {"0": "False", "1": "True"},
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a data dictionary; ``choices`` maps a code to its label."""

    name: str
    label: str
    kind: str
    choices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordRoles:
    """Headers of the record's id, and of what holds for a record as a whole."""

    client: str
    constant: frozenset[str]


def read_dictionary(path: Path, problems: Problems) -> dict[str, Field] | None:
    """The fields of a data dictionary by name; None, and a problem, if it cannot be read."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error):
        message = "the data dictionary is not there, or is not CSV text in UTF-8."
        problems.add("redcap_dictionary", message, "download it from REDCap again.", file=path.name)
        return None
    if not rows or _FIELD not in rows[0] or _TYPE not in rows[0]:
        message = f"the file is no REDCap data dictionary; it has no column {_FIELD!r}."
        problems.add("redcap_dictionary", message, "download it from REDCap again.", file=path.name)
        return None
    fields = {}
    for row in rows:
        kind, name = (row.get(_TYPE) or "").strip(), (row.get(_FIELD) or "").strip()
        choices = _FIXED.get(kind) or (_choices(row.get(_CHOICES) or "") if kind in _LISTED else {})
        fields[name] = Field(name, (row.get(_LABEL) or "").strip(), kind, choices)
    return fields


_LISTED = ("radio", "dropdown", "checkbox")


def arrange(
    name: str,
    sheet: Sheet,
    block: Redcap,
    roles: RecordRoles,
    fields: Mapping[str, Field],
    problems: Problems,
) -> tuple[Sheet, NDArray[np.bool_]] | None:
    """The rows of ``sheet`` that are sessions, and which rows of it those are; None, and a problem, if that fails.

    What holds for the whole record (therapist, baseline) and stands in one of its rows, such as that of the intake
    form, is filled in where the session's own row is empty; only where all rows of the record agree on it.
    """
    sheet = _coded(name, _named(sheet, fields), fields, problems)
    keep = np.ones(len(sheet), dtype=bool)
    if block.instrument is not None:
        keep &= _of_form(name, sheet, block.instrument, problems)
    if block.events is not None:
        chosen = _numbered_by_event(name, sheet, block.events, problems)
        if chosen is None:
            return None
        sheet, of_event = chosen
        keep &= of_event
    if problems:
        return None
    if not keep.any():
        message = "no row belongs to the form and events that the study file names."
        problems.add("redcap_rows", message, "correct 'redcap' in the study file.", file=name)
        return None
    if roles.client not in sheet.headers:  # reported with the other missing columns
        return sheet, np.ones(len(sheet), dtype=bool)
    return _filled_from_record(sheet, roles, keep), keep


def _named(sheet: Sheet, fields: Mapping[str, Field]) -> Sheet:
    """Headers that are labels, replaced by the names of their fields where that is unambiguous."""
    labels: dict[str, list[str]] = {}
    for field in fields.values():
        if field.kind == "checkbox":
            for code, choice in field.choices.items():
                labels.setdefault(f"{field.label} (choice={choice})", []).append(_box(field.name, code))
        else:
            labels.setdefault(field.label, []).append(field.name)

    def name(header: str) -> str:
        if header.lower() in _ON_SCREEN:
            return _ON_SCREEN[header.lower()]
        names = labels.get(header, [])
        return names[0] if len(names) == 1 and header not in fields else header

    return replace(sheet, headers=tuple(map(name, sheet.headers)))


def _coded(name: str, sheet: Sheet, fields: Mapping[str, Field], problems: Problems) -> Sheet:
    """Answers that were exported as labels, as their codes; and what the codes mean."""
    columns, labels = [], {}
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        codes, known = _meaning(header, fields)
        recode = _codes_of_words({word for word in column.present() if word}, codes, known)
        if recode is None:
            example = next(word for word in column.present() if codes.get(word, word) != word)
            problems.add(
                "redcap_labels",
                f"in {header!r}, {example!r} is both a code and the label of the code {codes[example]!r}, and all answers "
                "can be read as either.",
                "export the data as raw values, and take out 'redcap: dictionary'; or use other labels.",
                file=name,
                column=header,
            )
        columns.append(column.replaced(_Recode(recode)) if recode else column)
        if known:
            labels[header] = known
    return replace(sheet, columns=tuple(columns), labels=labels)


def _codes_of_words(
    words: set[str], codes: Mapping[str, str], labels: Mapping[str, str]
) -> Mapping[str, str] | None:
    """Word -> code for the words of a column that are labels; None if codes and labels cannot be told apart."""
    if words <= set(labels):  # as in a raw export
        unclear = words <= set(codes) and any(codes[word] != word for word in words)
        return None if unclear else {}
    if words <= set(codes):
        return codes
    return {label: code for label, code in codes.items() if label not in labels}


class _Recode(dict[str, str]):
    """Words to other words; those that it does not hold stay."""

    def __missing__(self, word: str) -> str:
        return word

    def __call__(self, word: str) -> str:
        return self[word]


def _meaning(header: str, fields: Mapping[str, Field]) -> tuple[dict[str, str], Mapping[str, str]]:
    """Label -> code of a column (labels that stand for one code only), and code -> label."""
    field = fields.get(header)
    if field is None:
        base = header.split("___")[0]
        if "___" in header and base in fields and fields[base].kind == "checkbox":
            return {"Checked": "1", "Unchecked": "0"}, {"0": "Unchecked", "1": "Checked"}
        return {}, {}
    labels = list(field.choices.values())
    codes = {label: code for code, label in field.choices.items() if labels.count(label) == 1}
    return codes, field.choices


def _of_form(name: str, sheet: Sheet, form: str, problems: Problems) -> NDArray[np.bool_]:
    if FORM not in sheet.headers:
        message = f"there is no column {FORM!r}, so no repeating form can be told from the others."
        problems.add("redcap_rows", message, "take out 'redcap: instrument'.", file=name, column=FORM)
        return np.zeros(len(sheet), dtype=bool)
    column = sheet.columns[sheet.headers.index(FORM)]
    wanted = _plain(form)
    own = column.where(lambda word: _plain(word) == wanted)
    if not own.any():
        forms = [word for word in column.present() if word]
        message = f"no row belongs to the repeating form {form!r}; there are {some(forms, 10) or 'none'}."
        problems.add("redcap_rows", message, "correct 'redcap: instrument'.", file=name, column=FORM)
    return own


def _numbered_by_event(
    name: str, sheet: Sheet, events: Mapping[str, int], problems: Problems
) -> tuple[Sheet, NDArray[np.bool_]] | None:
    """The sheet with session numbers in place of the events' names, and which rows belong to one of them."""
    if EVENT not in sheet.headers:
        message = f"there is no column {EVENT!r}."
        problems.add("redcap_rows", message, "take out 'redcap: events'.", file=name, column=EVENT)
        return None
    at = sheet.headers.index(EVENT)
    column = sheet.columns[at]
    absent = sorted(set(events) - set(column.words))
    if absent:
        there = some([word for word in column.present() if word], 10)
        message = f"no row belongs to the event {absent[0]!r}; there are {there}."
        problems.add("redcap_rows", message, "correct 'redcap: events'.", file=name, column=EVENT)
        return None
    numbers = column.replaced(lambda word: str(events[word]) if word in events else "")
    columns = (*sheet.columns[:at], numbers, *sheet.columns[at + 1 :])
    return replace(sheet, columns=columns), ~numbers.empty


def _filled_from_record(sheet: Sheet, roles: RecordRoles, keep: NDArray[np.bool_]) -> Sheet:
    """The rows ``keep``, with what holds for their whole record where their own cell is empty."""
    records = sheet.columns[sheet.headers.index(roles.client)].codes
    columns = []
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        own = column.take(keep)
        blank = own.empty
        if header not in roles.constant or not blank.any():
            columns.append(own)
            continue
        said = _agreed(records, column)[records[keep]]
        columns.append(Texts(np.where(blank & (said >= 0), said, own.codes).astype(np.int32), own.words))
    return replace(sheet, columns=tuple(columns))


def _agreed(records: NDArray[np.int32], column: Texts) -> NDArray[np.int64]:
    """For each record the code of the one value that its rows have; -1 without one or with several."""
    filled = ~column.empty
    n = int(records.max()) + 1
    low, high = np.full(n, np.iinfo(np.int32).max, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    np.minimum.at(low, records[filled], column.codes[filled])
    np.maximum.at(high, records[filled], column.codes[filled])
    return np.where(low == high, high, -1)


def _choices(text: str) -> dict[str, str]:
    """``0, Not at all | 1, Several days`` as a mapping."""
    pairs = (choice.split(",", 1) for choice in text.split("|"))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def _box(name: str, code: str) -> str:
    """Name of the column of one checkbox, as REDCap writes it."""
    return f"{name}___{re.sub('[^a-z0-9]', '_', code.lower())}"


def _plain(text: str) -> str:
    """A form's name or its label, alike."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
