"""SHA-256 of files, of plain data, of this package; the names of the files in a report's folder."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_hash(data: Any) -> str:
    """SHA-256 of plain data; the order of keys does not matter."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def folder_hashes(folder: Path) -> dict[str, str]:
    """Hash of every file under ``folder`` but the manifest, by its path with forward slashes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    names = {p.relative_to(folder).as_posix(): p for p in files}
    return {name: file_hash(path) for name, path in names.items() if name != MANIFEST}


@cache
def package_hash() -> str:
    """Hash of this package's source as installed, definitions included: another line of code, another key."""
    from alliance_longitudinal import resources

    package = Path(resources.__file__).parent
    roots = {"package": package, "data_schema": resources.shipped("data_schema")}
    wanted = {".py", ".yaml", ".json", ".j2", ".css", ".typ", ".js"}
    hashes = {
        f"{label}/{p.relative_to(root).as_posix()}": file_hash(p)
        for label, root in roots.items()
        for p in sorted(root.rglob("*"))
        if p.suffix in wanted
        and "_shipped" not in p.relative_to(package if label == "package" else root).parts
    }
    return data_hash(hashes)
