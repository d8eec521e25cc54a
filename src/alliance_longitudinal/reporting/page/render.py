"""Writes ``report.html``: one file that opens offline and runs no script."""

import base64
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alliance_longitudinal.findings import SEVERITIES
from alliance_longitudinal.labels import NO_BREAK, number
from alliance_longitudinal.language import is_translated, language, noun, tell, translated
from alliance_longitudinal.reporting.page.appendix import notebook_cells
from alliance_longitudinal.reporting.page.checklist import checklist, checklist_table
from alliance_longitudinal.reporting.page.flow import flow_boxes
from alliance_longitudinal.reporting.page.items import WORDS
from alliance_longitudinal.reporting.page.table_text import download_link, text_rows
from alliance_longitudinal.reporting.page.unbroken import whole
from alliance_longitudinal.reporting.record.arguments import as_argument
from alliance_longitudinal.reporting.record.main import main_of

_ESTIMATE_COLUMNS = (
    ("id", "Identifier", "text"),
    ("label", "Estimate", "text"),
    ("estimate", "Value", "estimate"),
    ("se", "SE", "estimate"),
    ("df", "df", "df"),
    ("ci_low", "95 % low", "estimate"),
    ("ci_high", "to", "estimate"),
    ("p", "p", "p"),
    ("n", "n", "integer"),
    ("level", "Level", "text"),
    ("unit", "Unit", "text"),
)
#: The space after a number, before what it is a number of.
_NUMBER_AND_UNIT = re.compile(
    r"(?<=\d) (?=(?:%|points?|days?|weeks?|months?|sessions?|clients?|therapists?)(?!\w))"
)
SEVERITY_LABELS = {
    "failed": "Failed",
    "underpowered": "Underpowered",
    "caution": "Caution",
    "info": "For information",
}


def write_report(
    stage: Path, results: Mapping[str, Any], notebook: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    """Render the report from its results, its pictures in ``stage`` and the executed notebook."""
    plan = known.get("plan")
    items = checklist(results, known.get("stated", {}), plan)
    pictures = {f["name"]: _picture(stage / "figures" / f"{f['name']}.svg") for f in results["figures"]}
    page = template("report.html.j2").render(
        r=results,
        known=known,
        boxes=flow_boxes(results["flow"]),
        pictures=pictures,
        findings=merged_findings(results["findings"]),
        severity_labels=SEVERITY_LABELS,
        all_estimates=all_estimates(results["estimates"]),
        cells=notebook_cells(notebook, {picture: name for name, picture in pictures.items()}),
        titles={f["name"]: f["title"] for f in results["figures"]},
        numbers=_Numbers(),
        simulated_words=simulated_words,
        plan=plan,
        planned=None if plan is None else main_of(results, plan["main_estimate"]),
        items=items,
        state_words=WORDS,
        checklist_table=checklist_table(items),
        complete=is_translated(results["analysis"]),
    )
    (stage / "report.html").write_text(page, encoding="utf-8")


def template(name: str) -> Any:
    """A template of this package; everything put into it is escaped, and a missing name is an error."""
    return _environment(language()).get_template(name)


@cache
def _environment(lang: str) -> Environment:
    """What templates of a language share; made once, because a template takes longer to compile than to fill."""
    environment = Environment(
        loader=PackageLoader("alliance_longitudinal.reporting.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=no_break,
    )
    environment.filters |= {
        "text_rows": text_rows,
        "download_link": download_link,
        "number": number,
        "whole": whole,
        "argument": as_argument,
        "first_sentence": _first_sentence,
        "capital": _capital,
    }
    style = Path(__file__).with_name("templates") / "style.css"
    environment.globals |= {"_": translated, "tell": tell, "noun": noun, "lang": lang}
    environment.globals["style"] = Markup(style.read_text(encoding="utf-8"))
    return environment


def no_break(value: Any) -> Any:
    """Text of which no line ends between a number and its percent sign or its unit."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _NUMBER_AND_UNIT.sub(NO_BREAK, value)
    return value


def merged_findings(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Gravest first; what was found in the same words at several places is said once, with all places."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for f in sorted(findings, key=lambda f: -SEVERITIES.index(f["severity"])):
        said = merged.setdefault((f["severity"], f["message"]), {**f, "where": ""})
        said["where"] = "; ".join(dict.fromkeys(filter(None, (*said["where"].split("; "), f["where"]))))
    return list(merged.values())


def _first_sentence(text: str) -> str:
    """The first sentence of a finding, for the head of the page; all of it is under the checks."""
    return re.split(r"(?<=[a-z)]\.) (?=[A-Z])", text, maxsplit=1)[0]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def simulated_words(note: str | None) -> str:
    """The study's own note after the words "Simulated data", which it may say itself."""
    words = translated(note or "").removeprefix(translated("Simulated data")).lstrip(":. ")
    return _capital(words) or translated("These numbers come from no real clinic, therapist or client.")


def _picture(path: Path) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def all_estimates(estimates: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every estimate as a table in the form of ``results.json``."""
    return {
        "name": "estimates",
        "title": translated("Every estimate of this report"),
        "columns": [
            {"key": k, "label": translated(label), "kind": kind} for k, label, kind in _ESTIMATE_COLUMNS
        ],
        "rows": [[_words(e[k], k) for k, _, _ in _ESTIMATE_COLUMNS] for e in estimates],
        "note": translated("results.json and the CSV file have full precision."),
    }


def _words(value: Any, key: str) -> Any:
    return translated(value) if key in ("level", "unit") and isinstance(value, str) else value


class _Numbers:
    """Counts figures and tables in the order in which the page shows them."""

    def __init__(self) -> None:
        self._counts = {"figure": 0, "table": 0}

    def next(self, kind: str) -> int:
        self._counts[kind] += 1
        return self._counts[kind]
