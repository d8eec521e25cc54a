"""Finds the definitions and notebooks that travel with the package.

In a checkout they stand at the top level (``data_schema/``, ``notebooks/``); in an installed wheel they
are inside the package under ``_shipped``.
"""

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
