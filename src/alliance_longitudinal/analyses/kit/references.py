"""References by key; each is written once, in ``references.yaml``, in one style."""

from functools import cache
from pathlib import Path
from typing import Any

from alliance_longitudinal.strict_yaml import read_document


@cache
def _known() -> dict[str, dict[str, Any]]:
    return dict(read_document(Path(__file__).with_name("references.yaml"), "list of references").data)


def keys() -> tuple[str, ...]:
    """Every key there is."""
    return tuple(_known())


def reference(key: str) -> str:
    """The whole reference, as a methods section prints it.

    Examples
    --------
    >>> reference("raudenbush2002")
    'Raudenbush, S. W., & Bryk, A. S. (2002). Hierarchical linear models (2nd ed.). Sage.'
    """
    found = _known()[key]
    return f"{found['text']} doi {found['doi']}" if "doi" in found else str(found["text"])


def short(*names: str) -> str:
    """References as a finding names its source: authors, year and doi.

    Examples
    --------
    >>> short("luedtke2008")
    'Lüdtke et al. 2008, doi 10.1037/a0012869'
    """
    found = [_known()[name] for name in names]
    return "; ".join(f"{f['short']}, doi {f['doi']}" if "doi" in f else str(f["short"]) for f in found)
