"""The files that a study is read from, found and hashed without reading the data."""

from contextlib import suppress
from pathlib import Path

from alliance_longitudinal.data.inputs import table_hashes
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.reporting.record.hashing import file_hash
from alliance_longitudinal.strict_yaml import read_document

#: Name that stands for the bundled demonstration study.
DEMO = "demo"


def study_file(study: str | Path) -> Path:
    """Absolute path of a study file; ``"demo"`` is the bundled one unless a file of that name exists.

    Raises
    ------
    StudyError
        If there is no such file.
    """
    if is_demo(study):
        from alliance_longitudinal.data.demo import demo_study_path

        return demo_study_path()
    path = Path(study).expanduser()
    if not path.is_file():
        read_document(path, "study file")
    return path.resolve()


def is_demo(study: str | Path) -> bool:
    """Whether ``study`` means the bundled demonstration study."""
    return str(study) == DEMO and not Path(study).is_file()


def study_argument(study: str | Path) -> str:
    """What the notebook and the command to run again get: ``"demo"`` or the absolute path."""
    return DEMO if is_demo(study) else str(study_file(study))


def stated_in(study: str | Path) -> dict[str, str]:
    """What the study file states for the report, under ``reporting``, by key; nothing if it cannot be read."""
    with suppress(StudyError, OSError):
        data = read_document(study_file(study), "study file").data
        block = data.get("reporting") if isinstance(data, dict) else None
        if isinstance(block, dict):
            return {
                str(key): str(value).strip() for key, value in block.items() if value and str(value).strip()
            }
    return {}


def input_hashes(study: str | Path) -> dict[str, str]:
    """SHA-256 of the study file and of everything that it is read from, by name relative to the study file's folder.

    Whatever text in the study file names a file that is there counts; folders, patterns and databases are hashed by
    what they hold.

    Raises
    ------
    DataError
        If a database cannot be read.
    """
    path = study_file(study)
    document = read_document(path, "study file")
    hashes = {path.name: file_hash(path)}
    for text in sorted(set(document.texts.values())):
        try:
            named = path.parent / text
            if text and named.is_file():
                hashes[text] = file_hash(named)
        except (OSError, ValueError):  # a long sentence or a NUL is no file name
            continue
    with suppress(StudyError):  # told in full, with everything else that is wrong, when the study is loaded
        hashes |= table_hashes(path)
    return hashes
