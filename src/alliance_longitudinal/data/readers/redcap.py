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

from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.cells.texts import Texts, objects
from alliance_longitudinal.data.readers.redcap_rows import (
    EVENT,
    FORM,
    INSTANCE,
    Arranged,
    Export,
    RecordRoles,
    arranged_rows,
    plain,
)
from alliance_longitudinal.data.readers.sheet import Sheet
from alliance_longitudinal.data.study_file.table_blocks import Redcap
from alliance_longitudinal.resources import is_regular

_ON_SCREEN = {"event name": EVENT, "repeat instrument": FORM, "repeat instance": INSTANCE}
_FIELD, _LABEL, _TYPE, _FORM = "Variable / Field Name", "Field Label", "Field Type", "Form Name"
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
    form: str = ""


def read_dictionary(path: Path, problems: Problems) -> dict[str, Field] | None:
    """The fields of a data dictionary by name; None, and a problem, if it cannot be read."""
    try:
        if not is_regular(path):
            raise OSError
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error):
        message = "the data dictionary is not there, or is not CSV text in UTF-8."
        problems.add("redcap_dictionary", message, "download it from REDCap again.", file=path.name)
        return None
    if not rows or _FIELD not in rows[0] or _TYPE not in rows[0]:
        message = f"the file is not a REDCap data dictionary; it has no column {_FIELD!r}."
        problems.add("redcap_dictionary", message, "download it from REDCap again.", file=path.name)
        return None
    fields = {}
    for row in rows:
        kind, name = (row.get(_TYPE) or "").strip(), (row.get(_FIELD) or "").strip()
        choices = _FIXED.get(kind) or (_choices(row.get(_CHOICES) or "") if kind in _LISTED else {})
        fields[name] = Field(
            name, (row.get(_LABEL) or "").strip(), kind, choices, (row.get(_FORM) or "").strip()
        )
    return fields


_LISTED = ("radio", "dropdown", "checkbox")
#: Name of one box of a checkbox field, and what boxes hold that were not exported as their labels.
_A_BOX, _TICKED = re.compile(r"[a-z][a-z0-9_]*___[a-z0-9_]+"), {"0", "1", "Checked", "Unchecked"}


def arrange(
    table: Export, block: Redcap, roles: RecordRoles, fields: Mapping[str, Field], problems: Problems
) -> Arranged | None:
    """The rows of an export that are sessions; None, and a problem, if they cannot be found.

    What holds for the whole record (therapist, baseline) and stands in one of its rows, such as that of the intake
    form, is filled in where the session's own row is empty; only where all rows of the record agree on it.
    """
    sheet = coded(table.name, named(table.sheet, fields), fields, problems)
    _report_unknown_boxes(table.name, sheet, roles, fields, problems)
    return arranged_rows(replace(table, sheet=sheet), block, roles, problems)


def named(sheet: Sheet, fields: Mapping[str, Field]) -> Sheet:
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


def coded(name: str, sheet: Sheet, fields: Mapping[str, Field], problems: Problems) -> Sheet:
    """Answers that were exported as labels, as their codes; and what the codes mean."""
    columns, labels = [], {}
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        codes, known = _meaning(header, fields)
        box = _box_of(header, fields)
        if box is not None and _ticked_by_label(column, box, sheet, fields):
            columns.append(_from_ticks(header, column, box, sheet, fields, name, problems))
            labels[header] = known
            continue
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
    """Word -> code for the words of a column that are labels; None if codes and labels cannot be distinguished."""
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


def _box_of(header: str, fields: Mapping[str, Field]) -> tuple[Field, str] | None:
    """The checkbox field that a column is one box of, and the label of that box."""
    field = fields.get(header.split("___")[0])
    if field is None or field.kind != "checkbox" or "___" not in header:
        return None
    label = next((text for code, text in field.choices.items() if _box(field.name, code) == header), None)
    return None if label is None else (field, label)


def _ticked_by_label(
    column: Texts, box: tuple[Field, str], sheet: Sheet, fields: Mapping[str, Field]
) -> bool:
    """Whether the box was exported as its label where it is ticked and empty where it is not.

    A box that nobody ticked is empty altogether; then another box of the same field decides.
    """
    field, label = box
    words = {word for word in column.present() if word}
    if words:
        return words == {label} and label not in _TICKED
    others = [(c, _box_of(h, fields)) for h, c in zip(sheet.headers, sheet.columns, strict=True)]
    return any(
        other is not None
        and other[0] is field
        and c.present()
        and {w for w in c.present() if w} == {other[1]}
        for c, other in others
    )


def _report_unknown_boxes(
    name: str, sheet: Sheet, roles: RecordRoles, fields: Mapping[str, Field], problems: Problems
) -> None:
    """Report a box that is in no dictionary and holds one word or nothing, which may mean that it is not ticked."""
    if roles.client not in sheet.headers:  # reported with the other missing columns
        return
    records = sheet.columns[sheet.headers.index(roles.client)]
    for header, column in zip(sheet.headers, sheet.columns, strict=True):
        if header not in roles.used or not _A_BOX.fullmatch(header) or header.split("___")[0] in fields:
            continue
        words = {word for word in column.present() if word}
        ticked = set(records.take(~column.empty).present())
        if len(words) == 1 and not words & _TICKED and ticked < set(records.present()):
            problems.add(
                "redcap_checkbox",
                f"{header!r} looks like a box of a checkbox field. It is empty or has "
                f"{min(words)!r}. Without the data dictionary an empty cell may mean that the box "
                "is not ticked, or that nobody was asked.",
                "download the data dictionary and name it under 'redcap: dictionary', or export the data as raw values.",
                file=name,
                column=header,
            )


def _from_ticks(
    header: str,
    column: Texts,
    box: tuple[Field, str],
    sheet: Sheet,
    fields: Mapping[str, Field],
    name: str,
    problems: Problems,
) -> Texts:
    """1 where the box is ticked, 0 where its form was filled in and it is not, else empty."""
    field, _ = box
    done = f"{plain(field.form)}_complete"
    own = [
        c
        for h, c in zip(sheet.headers, sheet.columns, strict=True)
        if field.form
        and (h == done or getattr(fields.get(h.split("___")[0]), "form", "") == field.form)
        and h != sheet.headers[0]  # the record's id is in every row
    ]
    if not own:
        problems.add(
            "redcap_checkbox",
            f"in {header!r}, a ticked box holds its label and a box that is not ticked is empty, and the dictionary does not "
            "say to which form it belongs, so an empty cell may mean either that or that nobody was asked.",
            "export the data as raw values, or download the whole data dictionary again.",
            file=name,
            column=header,
        )
        return column
    filled = np.zeros(len(column), dtype=bool)
    for other in own:
        filled |= ~other.empty
    codes = np.where(~column.empty, 1, np.where(filled, 0, 2)).astype(np.int32)
    return Texts(codes, objects(["0", "1", ""]))


def _choices(text: str) -> dict[str, str]:
    """``0, Not at all | 1, Several days`` as a mapping."""
    pairs = (choice.split(",", 1) for choice in text.split("|"))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def _box(name: str, code: str) -> str:
    """Name of the column of one checkbox, as REDCap writes it."""
    return f"{name}___{re.sub('[^a-z0-9]', '_', code.lower())}"
