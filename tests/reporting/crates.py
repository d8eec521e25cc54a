"""What the RO-Crate Metadata Specification 1.1 and Process Run Crate 0.5 demand, as far as a program can see it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

CRATE = "ro-crate-metadata.json"
_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")


def crate_problems(folder: Path) -> list[str]:
    """Sentences on what is not as the specifications demand; empty if all is well."""
    return list(_problems(folder, json.loads((folder / CRATE).read_text(encoding="utf-8"))))


def _problems(folder: Path, crate: dict[str, Any]) -> Iterator[str]:
    if "https://w3id.org/ro/crate/1.1/context" not in crate["@context"]:
        yield "the context is not that of RO-Crate 1.1"
    graph = crate["@graph"]
    by_id = {e["@id"]: e for e in graph}
    if len(by_id) != len(graph):
        yield "an @id is there twice"
    about, root = by_id[CRATE], by_id["./"]
    if about["@type"] != "CreativeWork" or about["about"] != {"@id": "./"}:
        yield "the metadata file does not describe itself"
    if about["conformsTo"] != {"@id": "https://w3id.org/ro/crate/1.1"}:
        yield "the metadata file does not name the specification"
    if root["@type"] != "Dataset":
        yield "the root is no Dataset"
    yield from (
        f"the root has no {k}" for k in ("name", "description", "license", "datePublished") if not root.get(k)
    )
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", root["datePublished"]):
        yield "the date is not in ISO form"
    yield from _entities(folder, graph, by_id)
    listed = set(_listed("./", by_id))
    files = {e["@id"] for e in graph if e["@type"] in ("File", "Dataset") and e["@id"] != "./"}
    yield from (f"{one} is not part of the root" for one in files - listed)
    yield from (f"{one} is no data entity" for one in listed - files)
    mentioned = {m["@id"] for m in root["mentions"]}
    actions = [e for e in graph if e["@type"] == "CreateAction"]
    yield from (f"{a['@id']} is not mentioned" for a in actions if a["@id"] not in mentioned)
    for action in actions:
        if by_id[action["instrument"]["@id"]]["@type"] != "SoftwareApplication":
            yield f"{action['@id']} has no software"


def _entities(folder: Path, graph: list[dict[str, Any]], by_id: dict[str, Any]) -> Iterator[str]:
    for entity in graph:
        name = entity["@id"]
        if not entity.get("@type") or not _URI.fullmatch(name):
            yield f"{name} is no entity"
        if name != CRATE and not entity.get("name") and entity["@type"] != "PropertyValue":
            yield f"{name} has no name"
        for target in _references(entity):
            if target not in by_id and not target.startswith(("http://", "https://")):
                yield f"{name} refers to {target}, which is not there"
        path = folder / unquote(name)
        if entity["@type"] == "File" and not path.is_file():
            yield f"the file {name} is not there"
        if entity["@type"] == "Dataset" and not (name.endswith("/") and path.is_dir()):
            yield f"the folder {name} is not there"


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _references(one)
    elif isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        else:
            for key, one in value.items():
                if key != "@id":
                    yield from _references(one)


def _listed(name: str, by_id: dict[str, Any]) -> Iterator[str]:
    for part in by_id[name].get("hasPart", ()):
        yield part["@id"]
        yield from _listed(part["@id"], by_id)
