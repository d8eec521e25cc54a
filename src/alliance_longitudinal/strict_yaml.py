"""Reads the YAML files that people write (study, instrument, batch) and says what is wrong in words.

YAML 1.2, so that ``NO`` and ``1E5`` in quotes or out stay what was written; a key given twice is refused;
where text is wanted, ``007`` stays ``007``. All mistakes of a file come in one error, each with its line.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.labels import another_name
from alliance_longitudinal.resources import is_regular

Location = tuple[str | int, ...]
SHOWN_NAMES = 15
#: More places than any file that a person writes; anchors that repeat each other would make billions of them.
MOST_PLACES = 100_000

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its plain data, and for each place in it the line and the text as written."""

    path: Path
    data: Any
    lines: Mapping[Location, int]
    texts: Mapping[Location, str]

    def line(self, location: Location) -> int:
        """Line of ``location``, or of the nearest place around it that the file has."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


def read_document(path: Path, what: str) -> Document:
    """Read one YAML document.

    Parameters
    ----------
    path : Path
    what : str
        What the file is for the reader, such as ``"study file"``.

    Raises
    ------
    StudyError
        If the file is missing, is not UTF-8, is not YAML, gives a key twice, or repeats itself without end.
    """
    if re.match(r"[a-z]\w+:/", str(path)):
        raise StudyError(
            f"{path.name} is on an address, and addresses are not read. Download the {what} and give its path."
        )
    if not is_regular(path):
        raise StudyError(f"{path} is not a file. Give the path of the {what}, a file that ends in .yaml.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StudyError(f"The {what} {path} does not exist. {_neighbours(path)}") from None
    except IsADirectoryError:
        raise StudyError(
            f"{path} is a folder. Give the path of the {what}, a file that ends in .yaml."
        ) from None
    except UnicodeDecodeError as error:
        raise StudyError(
            f"The {what} {path.name} is not UTF-8 text (byte {error.start + 1}). "
            "Save it as UTF-8 in your editor."
        ) from None
    try:
        data, places = _parsed(text)
    except MarkedYAMLError as error:
        raise StudyError(_syntax_message(path, what, error)) from None
    except (YAMLError, ValueError) as error:
        raise StudyError(f"The {what} {path.name} cannot be read as YAML: {error}") from None
    except RecursionError:
        data, places = None, [((), 0, None)] * (MOST_PLACES + 1)
    if len(places) > MOST_PLACES:
        told = "is nested too deeply, or its anchors (& and *) repeat each other. Write it without anchors."
        raise StudyError(f"The {what} {path.name} {told}")
    texts = {location: scalar for location, _, scalar in places if scalar is not None}
    return Document(path, deepcopy(data), {location: line for location, line, _ in places}, texts)


@lru_cache(maxsize=16)  # each report of a batch asks four times for its study file, which takes 10 to 30 ms
def _parsed(text: str) -> tuple[Any, list[tuple[Location, int, str | None]]]:
    """The data of a YAML text and its places, at most one more than are allowed."""
    yaml = YAML(typ="safe", pure=True)
    node = yaml.compose(text)
    data = None if node is None else yaml.constructor.construct_document(node)
    return data, [] if node is None else list(islice(_places(node), MOST_PLACES + 1))


def validate(document: Document, model: type[Model], what: str) -> Model:
    """Check ``document`` against ``model`` and return the model.

    Where the model wants text, a number or truth value counts as the text that the file has.

    Raises
    ------
    StudyError
        Listing every mistake with its line, and for an unknown key the nearest right one.
    """
    checked, mistakes = examine(document, model, what)
    raise_mistakes(document, what, mistakes)
    assert checked is not None  # else there was a mistake
    return checked


class Misfits(ValueError):
    """Several sentences about one block, each a mistake of its own."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = tuple(sentences)


def examine(
    document: Document, model: type[Model], what: str
) -> tuple[Model | None, list[tuple[Location, str]]]:
    """The model of ``document`` and its mistakes, also those that show only once the others are out of the way.

    Entries with a mistake are taken out and the rest is looked at again, so that a wrong word in one block hides
    nothing in another. What is left of the document, if it makes a model, is returned with the mistakes: a help to
    find more of them, and nothing to work with.

    Raises
    ------
    StudyError
        If the document holds no mapping.
    """
    if not isinstance(document.data, dict):
        raise StudyError(f"The {what} {document.path.name} is empty or is not a list of 'key: value' lines.")
    _as_written(document.data, document, _errors(document.data, model))
    rest, gone = deepcopy(document.data), set[Location]()
    mistakes: dict[tuple[Location, str], None] = {}
    for _ in range(MOST_LOOKS):
        errors = _errors(rest, model)
        if not errors:
            return model.model_validate(rest), list(mistakes)
        if all(not e["loc"] and isinstance(e.get("ctx", {}).get("error"), Misfits) for e in errors):
            told = [sentence for error in errors for sentence in _sentences(error, model, gone)]
            return model.model_validate(rest, context=ALLOW_MISFITS), [*mistakes, *(((), s) for s in told)]
        for error in _one_choice(errors):
            if not _follows(error, gone):
                told = _sentences(error, model, gone)
                mistakes |= {(error["loc"], sentence): None for sentence in told}
        places = {_take_out(rest, error) for error in errors}
        if () in places:
            break
        gone |= places
    return None, list(mistakes)


#: Context of a validation in which blocks that are right one by one need not fit together.
ALLOW_MISFITS = {"misfits": "allowed"}
#: How often a file is looked at again without what was wrong; more than the blocks that are nested in each other.
MOST_LOOKS = 12


def _errors(data: Any, model: type[BaseModel]) -> Any:
    try:
        model.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _follows(error: Any, gone: Collection[Location]) -> bool:
    """Whether an error is only there because something inside its place was taken out."""
    place = error["loc"]
    if any(out and place[: len(out)] == out for out in gone):
        return True
    if error["type"] not in ("missing", "too_short", "value_error"):
        return False
    inside = any(out[: len(place)] == place for out in gone)
    return inside and (error["type"] != "value_error" or bool(place))


def _sentences(error: Any, model: type[BaseModel], gone: Collection[Location]) -> list[str]:
    """What to say of an error; of several sentences about the whole, those that name nothing that was taken out."""
    raised = error.get("ctx", {}).get("error")
    if not isinstance(raised, Misfits):
        return [_mistake(error, model)]
    names = {repr(out[-1]) for out in gone} | {f"{out[-1]}:" for out in gone}
    return [sentence for sentence in raised.sentences if not any(name in sentence for name in names)]


def _take_out(data: Any, error: Any) -> Location:
    """Take the entry with an error out of ``data``; where it was, which is () if that would be everything."""
    if error["type"] == "missing" and len(error["loc"]) == 1:
        data[error["loc"][0]] = "?"  # a text in the place of a title, so that the rest can be looked at
        return tuple(error["loc"])
    steps = error["loc"][:-1] if error["type"] == "missing" else error["loc"]
    path: list[str | int] = []
    holder, here = None, data
    for step in steps:
        known = isinstance(here, dict) and step in here
        if not known and not (isinstance(here, list) and isinstance(step, int) and step < len(here)):
            break
        holder, here = here, here[step]
        path.append(step)
    if holder is None:
        return ()
    if isinstance(holder, list):  # the places of the others stay what they are
        path.pop()
        return _take_out(data, {"loc": tuple(path), "type": "value_error"}) if path else ()
    del holder[path[-1]]
    return tuple(path)


def raise_mistakes(document: Document, what: str, mistakes: list[tuple[Location, str]]) -> None:
    """Raise one :class:`StudyError` for all ``mistakes`` (location, sentence), if there are any."""
    if not mistakes:
        return
    placed = ((location or _named_in(sentence, document), sentence) for location, sentence in mistakes)
    numbered = sorted((document.line(place) if place else 0, sentence) for place, sentence in placed)
    lines = [
        f"  line {line}: {sentence}" if line else f"  {sentence}"
        for line, sentence in dict.fromkeys(numbered)
    ]
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    raise StudyError("\n".join([f"The {what} {document.path.name} has {count}:", *lines]))


def _named_in(sentence: str, document: Document) -> Location:
    """The place of the first block that a sentence about the whole file quotes, and of what it quotes inside it."""
    place: Location = ()
    for quoted in re.findall(r"'([\w: ]+)'", sentence):
        for key in quoted.split(": "):
            if (*place, key) in document.lines:
                place = (*place, key)
    return place


def nearest(word: str, known: list[str]) -> str:
    """A hint with the nearest word among ``known``, or all of them when none is near."""
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if match:
        return f"Did you mean {match[0]!r}?"
    more = ", ..." if len(known) > SHOWN_NAMES else ""
    return f"Known: {', '.join(map(repr, known[:SHOWN_NAMES]))}{more}." if known else ""


def _neighbours(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {folder} either."
    names = sorted(p.name for p in folder.iterdir() if p.suffix in {".yaml", ".yml"})
    return f"The folder has: {', '.join(names[:8])}." if names else "The folder has no .yaml file."


def _syntax_message(path: Path, what: str, error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
    problem = error.problem or error.context or "not YAML"
    if "duplicate key" in problem:
        key = problem.split('"')[1] if '"' in problem else problem
        return f"The {what} {path.name}, {where}: the key {key!r} is given twice. Keep one of them."
    if "escape" in problem:  # a Windows path in double quotes
        problem = (
            "inside double quotes a backslash begins a special character. Write the path with / in place of \\, or put it "
            "in single quotes"
        )
    if "\\t" in problem or "'\t'" in problem:
        problem = "a tab is used for indenting; use spaces"
    return f"The {what} {path.name} is not valid YAML at {where}: {problem}."


def _places(node: Node, location: Location = ()) -> Iterator[tuple[Location, int, str | None]]:
    yield location, node.start_mark.line + 1, node.value if isinstance(node, ScalarNode) else None
    if isinstance(node, MappingNode):
        for key, value in node.value:
            for place, line, scalar in _places(value, (*location, str(key.value))):
                own = place == (*location, str(key.value))
                yield place, key.start_mark.line + 1 if own else line, scalar
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _places(value, (*location, index))


def _as_written(data: Any, document: Document, errors: Any) -> bool:
    """Put the file's own text where the model wants text; whether anything was put."""
    changed = False
    for error in errors:
        location = _as_in_file(error["loc"], document)
        if error["type"] != "string_type" or error["input"] is None or location not in document.texts:
            continue
        target = data
        for step in location[:-1]:
            target = target[step]
        target[location[-1]] = document.texts[location]
        changed = True
    return changed


def _as_in_file(location: Location, document: Document) -> Location:
    """``location`` without the zeros of lists of one for which the file has the one alone."""
    place: Location = ()
    for step in location:
        if step != 0 or (*place, step) in document.lines:
            place = (*place, step)
    return place


def _one_choice(errors: Any) -> list[dict[str, Any]]:
    """Errors of a value that fits none of several lists of words as one error with all the words."""
    out: dict[Any, dict[str, Any]] = {}
    for error in errors:
        location = error["loc"]
        lists = location and error["type"] == "literal_error" and str(location[-1]).startswith("literal[")
        place = location[:-1] if lists else location
        if lists and place in out:
            expected = f"{out[place]['ctx']['expected']}, {error['ctx']['expected']}".replace(" or ", ", ")
            head, _, last = expected.rpartition(", ")
            out[place]["ctx"] = {"expected": f"{head} or {last}"}
        else:
            out[place if lists else (location, len(out))] = dict(error) | {"loc": place}
    return list(out.values())


_COUNTED = {
    "too_long": ("max_length", "at most {} values"),
    "too_short": ("min_length", "at least {} values"),
    "string_too_long": ("max_length", "at most {} characters"),
    "string_too_short": ("min_length", "at least {} characters"),
}
_BOUNDS = {"greater_than_equal": ("ge", "or more"), "less_than_equal": ("le", "or less")}


def _mistake(error: Any, model: type[BaseModel]) -> str:
    location = error["loc"]
    key = ".".join(str(step) for step in location)
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return f"unknown key {key!r}. {nearest(str(location[-1]), _keys_at(model, location[:-1]))}"
    if kind == "missing":
        return f"the key {key!r} is missing."
    if kind == "literal_error":
        return f"{key!r} is {given!r}; it must be {error['ctx']['expected']}."
    if kind == "invalid_key":
        return f"the key {given!r} is not text."
    if kind == "string_pattern_mismatch" and "[key]" in location:
        offered = another_name(str(given)) if {"covariates", "baseline"} & set(location) else ""
        return f"the name {given!r} has to be of letters (a to z), digits and '_', and begin with a letter.{offered}"
    if kind in _COUNTED:
        bound, words = _COUNTED[kind]
        return f"{key!r} is {given!r}; it must have {words.format(error['ctx'][bound])}."
    if kind == "value_error":
        detail = str(error["ctx"]["error"])
        return f"{key!r}: {detail}" if key else detail
    wanted = {
        "string_type": "text",
        "int_type": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "list_type": "a list, such as [a, b]",
        **dict.fromkeys(
            ("dict_type", "model_type", "model_attributes_type"), "a block of 'key: value' lines"
        ),
    }.get(kind)
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        wanted = f"{error['ctx'][bound]:g} {words}"
    if wanted:
        return f"{key!r} is {given!r}; it must be {wanted}."
    return f"{key!r} is {given!r}: {error['msg']}."


def _keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """Keys that are right at ``location`` inside ``model``."""
    kind: Any = model
    for step in location:
        kind = _inside(kind, step)
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _inside(kind: Any, step: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(step))
        kind = field.annotation if field else None
    elif get_origin(kind) in (dict, list):
        kind = get_args(kind)[-1]
    if get_origin(kind) in (Union, UnionType):
        kind = next((a for a in get_args(kind) if a is not type(None)), None)
    return kind
