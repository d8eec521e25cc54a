"""What the tables of a study are read from, hashed: each file of a folder or pattern, and the rows of a database."""

import hashlib
from pathlib import Path

from alliance_longitudinal.data.cells.dialect import Dialect
from alliance_longitudinal.data.cells.problems import Problems
from alliance_longitudinal.data.readers.files import find_files
from alliance_longitudinal.data.study_file.format import StudyFile
from alliance_longitudinal.data.study_file.plan import declared_dialect
from alliance_longitudinal.data.study_file.table_blocks import Database, Table
from alliance_longitudinal.strict_yaml import read_document, validate


def table_hashes(path: Path) -> dict[str, str]:
    """SHA-256 of everything that the tables of the study file at ``path`` are read from.

    Files by their path relative to the study file's folder, with forward slashes; a database on a server as
    ``database NAME: TABLE OR QUERY``, by the rows that it returns now, in whatever order.

    Raises
    ------
    StudyError
        If the study file is wrong.
    DataError
        If a database cannot be read. A file that is not there is left out.
    """
    file = validate(read_document(path, "study file"), StudyFile, "study file")
    hashes: dict[str, str] = {}
    for block in (file.tables.sessions, file.tables.clients, file.tables.therapists):
        if block is None:
            continue
        if block.database is not None:
            name = f"database {block.database.database}: {block.table or block.query}"
            hashes[name] = _rows_of(block.database, block, declared_dialect(file), file.study)
            continue
        for found in _files_of(path.parent, block):
            with found.open("rb") as opened:
                hashes[_name(path.parent, found)] = hashlib.file_digest(opened, "sha256").hexdigest()
    return hashes


def _files_of(folder: Path, block: Table) -> list[Path]:
    found = find_files(folder, str(block.file))
    if block.redcap is not None and block.redcap.dictionary is not None:
        found.append(folder / block.redcap.dictionary)
    return [file for file in found if file.is_file()]


def _name(folder: Path, file: Path) -> str:
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def _rows_of(database: Database, block: Table, dialect: Dialect, title: str) -> str:
    from alliance_longitudinal.data.readers.database import read_postgresql

    problems = Problems(title)
    sheet = read_postgresql(database, block, dialect, problems)
    problems.raise_if_any()
    assert sheet is not None
    return sheet.sha256
