"""Files: where the definitions and notebooks of the package are, and whether reading a file can end.

In a checkout they stand at the top level (``data_schema/``, ``notebooks/``); in an installed wheel they
are inside the package under ``_shipped``.
"""

import stat
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Folder ``name`` (``"data_schema"`` or ``"notebooks"``) of this installation.

    Raises
    ------
    FileNotFoundError
        If the installation is incomplete.
    """
    candidates = (_PACKAGE / "_shipped" / name, _PACKAGE.parents[1] / name)
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"The folder {name!r} of alliance_longitudinal is missing; install the package again."
    )


def is_regular(path: Path) -> bool:
    """Whether reading ``path`` can end: it is a file (or a folder, or nothing), and no device, pipe or socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return True  # what is wrong with it is said where it is opened
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
