"""Packages that only some studies need: each belongs to an extra, which the sentence about its absence names."""

from importlib import import_module

from alliance_longitudinal.data.cells.problems import Problems

#: Extra -> the packages that it brings for reading; pyproject.toml holds the same, a test compares.
EXTRAS = {
    "spss": ("pyreadstat",),
    "databases": ("duckdb", "sqlalchemy", "psycopg", "keyring"),
}


def missing_extra(package: str, what: str) -> tuple[str, str] | None:
    """What is wrong and what to do where ``package`` is not installed; None where it is.

    Parameters
    ----------
    package : str
        Name of one of the packages of :data:`EXTRAS`.
    what : str
        What needs it, as the beginning of a sentence, such as ``"Reading SPSS files"``.
    """
    try:
        import_module(package)
    except ImportError:
        extra = next(name for name, packages in EXTRAS.items() if package in packages)
        return (
            f"{what} needs {package}, which is not installed.",
            f"Install it with: pip install 'alliance-longitudinal[{extra}]'.",
        )
    return None


def refuse_missing_extra(package: str, what: str, file: str, problems: Problems) -> bool:
    """Report that ``package`` is not installed; whether that is so."""
    found = missing_extra(package, what)
    if found is not None:
        message, remedy = found
        problems.add("missing_package", message, remedy, file=file)
    return found is not None
