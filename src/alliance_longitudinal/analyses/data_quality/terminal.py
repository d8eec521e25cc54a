"""The checks for the person who holds the files: with the rows that were found, which no report may name."""

from typing import Any

import numpy as np

from alliance_longitudinal.analyses.data_quality.check import Check
from alliance_longitudinal.data.cells.problems import printable, some
from alliance_longitudinal.data.study import Study

#: Rows of one check that the text names, and that the data hold.
SHOWN, KEPT = 8, 1000


def check_lines(study: Study, checks: list[Check]) -> list[str]:
    """Every check in a line; below what was found, its rows, its rule and what to do."""
    labels = {m.name: m.label for m in study.measures.values()}
    out = ["", "Checks of the data (fine, look, problem, not checked):"]
    for c in checks:
        about = f", {labels.get(c.about, c.about)}" if c.about else ""
        out.append(f"  {c.verdict:<11}  {c.title}{about}: {c.result}")
        if c.verdict in ("look", "problem"):
            where = _rows_in_words(study, c)
            out += [f"{'':15}{where}"] if where else []
            names = some([printable(name, 40) for name in c.who], SHOWN)
            whose = "Client" if c.unit == "form" else c.unit.capitalize()
            out += [f"{'':15}{whose}: {names}."] if names else []
            out += [f"{'':15}Rule: {c.rule}", f"{'':15}What to do: {c.do}"]
    return out


def check_records(study: Study, checks: list[Check]) -> list[dict[str, Any]]:
    """The same as plain data."""
    names = ("id", "title", "about", "verdict", "unit", "n", "found", "result", "rule", "do", "reference")
    return [
        {name: getattr(c, name) for name in names}
        | {"who": list(c.who[:KEPT]), "rows": [{"file": f, "row": r} for f, r in _places(study, c, KEPT)]}
        for c in checks
    ]


def _rows_in_words(study: Study, check: Check) -> str:
    places = _places(study, check, SHOWN)
    if not places:
        return ""
    files = list(dict.fromkeys(f for f, _ in places))
    parts = [f"{', '.join(str(r) for g, r in places if g == f)} of {f}" for f in files]
    more = len(check.rows) - len(places)
    return f"Rows {'; '.join(parts)}{f'; and {more} more' if more > 0 else ''}."


def _places(study: Study, check: Check, limit: int) -> list[tuple[str, int]]:
    """File and row of the first ``limit`` sessions that a check found."""
    forms = study.forms
    if forms is None or not len(check.rows):
        return []
    first = np.full(len(study.sessions), -1)
    first[forms.session[::-1]] = np.arange(len(forms.session))[::-1]
    rows = (int(first[r]) for r in check.rows[:limit])
    return [(forms.places.file(k), forms.places.row(k)) for k in rows if k >= 0]
