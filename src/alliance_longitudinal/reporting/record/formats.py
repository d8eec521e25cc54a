"""The documents that a report can have beside its page, and what each needs."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.strict_yaml import nearest

PAGE = "html"
#: Format -> the packages that make it; those that are not in every installation are in the extra ``documents``.
FORMATS: Mapping[str, tuple[str, ...]] = {
    "docx": ("docx", "typst"),
    "pdf": ("typst",),
    "xlsx": (),
    "tex": (),
    "parquet": (),
}
EXTRA = "documents"


def check_formats(wanted: Sequence[str]) -> list[str]:
    """The formats beside the page, each once, in a fixed order.

    Raises
    ------
    UsageError
        If there is no such format, or what makes it is not installed.

    Examples
    --------
    >>> check_formats(["html", "parquet", "xlsx", "xlsx"])
    ['xlsx', 'parquet']
    """
    for name in wanted:
        if name not in (PAGE, *FORMATS):
            raise UsageError(f"There is no format {name!r}. {nearest(name, [PAGE, *FORMATS])}")
        missing = [package for package in FORMATS.get(name, ()) if find_spec(package) is None]
        if missing:
            raise UsageError(
                f"The format {name} needs {' and '.join(missing)}, which is not installed. Install it with: "
                f"pip install 'alliance-longitudinal[{EXTRA}]'."
            )
    return [name for name in FORMATS if name in wanted]


def formats_in(text: str) -> list[str]:
    """The formats of a list such as ``html,docx``."""
    return [name.strip().lower() for name in text.split(",") if name.strip()]
