"""The report as a row of blocks, in the order and with the numbers of the page.

Two things of the page are not in a document: the data behind each figure and the executed notebook. The document says so.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from alliance_longitudinal.labels import number
from alliance_longitudinal.language import ENGLISH, is_translated, language, noun, translated
from alliance_longitudinal.reporting.page.blocks import (
    PAGE_WIDTH,
    TALLEST,
    Block,
    Bullets,
    Facts,
    FigureBlock,
    Heading,
    Paragraph,
    ReportModel,
    TableBlock,
)
from alliance_longitudinal.reporting.page.checklist import checklist, checklist_table
from alliance_longitudinal.reporting.page.flow import Box, flow_boxes
from alliance_longitudinal.reporting.page.render import (
    SEVERITY_LABELS,
    all_estimates,
    merged_findings,
    simulated_words,
)
from alliance_longitudinal.reporting.page.table_text import text_rows
from alliance_longitudinal.reporting.page.unbroken import unbroken
from alliance_longitudinal.reporting.record.arguments import as_argument
from alliance_longitudinal.reporting.record.main import main_of

#: What a report in another language says of its words, by whether the analysis is translated.
_TRANSLATED = {
    True: "All sentences of this analysis are translated; names of models, the executed notebook, the checklist and findings about the data may still be English.",
    False: "The sentences of this analysis are not translated yet; they are English.",
}
_VIEW_BOX = re.compile(r'viewBox="([-0-9. ]+)"')


def report_model(results: Mapping[str, Any], known: Mapping[str, Any], folder: Path) -> ReportModel:
    """The report of ``results``, whose pictures are in ``folder/figures``.

    Parameters
    ----------
    results : mapping
        The content of ``results.json``.
    known : mapping
        What the page says of how it was made.
    folder : Path

    Raises
    ------
    ReportError
        If the sample flow does not add up.
    """
    numbered = _Numbered(results, folder)
    version = known["versions"]["alliance-longitudinal"]
    return ReportModel(
        title=results["title"],
        study=results["study"]["title"],
        status=results["status"]["label"],
        made=known["started"],
        footer=f"{results['study']['title']} · {translated('report')} {known['key'][:8]} · alliance_longitudinal {version}",
        blocks=tuple(_turned(list(_blocks(results, known, numbered)))),
    )


def _turned(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks; a heading before a wide table goes onto the table's page."""
    for block, following in pairwise([*blocks, Heading("")]):
        wide = isinstance(following, TableBlock) and following.wide
        yield replace(block, wide=True) if isinstance(block, Heading) and wide else block


class _Numbered:
    """Gives figures and tables of a section the numbers that the page gives them."""

    def __init__(self, results: Mapping[str, Any], folder: Path) -> None:
        self._results = results
        self._folder = folder
        self._counts = {"figure": 0, "table": 0}

    def main(self) -> Iterator[Block]:
        """The main figure."""
        name = self._results["main_figure"]
        yield from (self._figure(f) for f in self._results["figures"] if f["name"] == name)

    def section(self, section: str, kinds: Sequence[str] = ("figure", "table")) -> Iterator[Block]:
        """Figures, then tables of a section."""
        main = self._results["main_figure"]
        if "figure" in kinds:
            figures = [f for f in self._results["figures"] if f["section"] == section and f["name"] != main]
            yield from map(self._figure, figures)
        if "table" in kinds:
            for t in self._results["tables"]:
                if t["section"] == section:
                    yield table_block(t, self._next("table"))

    def _next(self, kind: str) -> int:
        self._counts[kind] += 1
        return self._counts[kind]

    def _figure(self, f: Mapping[str, Any]) -> FigureBlock:
        title, caption, alt, reading = (unbroken(f[k]) for k in ("title", "caption", "alt", "how_to_read"))
        picture = self._folder / "figures" / f"{f['name']}.svg"
        return FigureBlock(self._next("figure"), title, caption, alt, reading, picture, _width(picture))


#: Points of 1/72 inch in a cm; and the letters of pictures, drawn for a screen, are a little larger than those of a page.
_POINTS_PER_CM, _SMALLER = 72 / 2.54, 0.9


def _width(picture: Path) -> float:
    """How wide a picture is on paper, in cm: as large as it was drawn, less where it would be too wide or too tall."""
    found = _VIEW_BOX.search(picture.read_text(encoding="utf-8", errors="replace"))
    sides = [float(n) for n in found[1].split()] if found else []
    if len(sides) != 4 or min(sides[2:]) <= 0:
        return PAGE_WIDTH
    drawn = sides[2] / _POINTS_PER_CM * _SMALLER
    return round(min(PAGE_WIDTH, drawn, TALLEST * sides[2] / sides[3]), 2)


def table_block(table: Mapping[str, Any], count: int = 0) -> TableBlock:
    """A table of ``results.json`` as text."""
    return TableBlock(
        table["name"],
        count,
        unbroken(table["title"]),
        tuple(unbroken(c["label"]) for c in table["columns"]),
        tuple(c["kind"] != "text" for c in table["columns"]),
        tuple(tuple(map(unbroken, row)) for row in text_rows(table)),
        unbroken(table.get("note", "")),
    )


def _blocks(results: Mapping[str, Any], known: Mapping[str, Any], numbered: _Numbered) -> Iterator[Block]:
    yield from _head(results, known)
    yield Heading(translated("The answer"))
    yield from (Paragraph(unbroken(s), "answer") for s in results["answer"])
    yield from numbered.main()
    yield from numbered.section("answer")
    yield Heading(translated("Who is in the analysis"))
    yield from _flow(results)
    yield from numbered.section("sample", ["table"])
    yield Heading(translated("Methods"))
    yield from _plan(known.get("plan"), results)
    yield from (Paragraph(unbroken(p)) for p in results["methods"]["paragraphs"])
    yield Heading(translated("Results"))
    shown = tuple(numbered.section("results"))
    models = tuple(numbered.section("models", ["table"]))
    if not (results["estimates"] or shown or models):
        yield Paragraph(translated("There are no results, for the reason given in the answer."))
    yield from shown
    if any(x["section"] == "sensitivity" for x in (*results["tables"], *results["figures"])):
        yield Heading(translated("Sensitivity"))
        yield Paragraph(translated("How much does the answer depend on these choices?"))
        yield from numbered.section("sensitivity")
    yield Heading(translated("Checks and findings"))
    yield from _findings(results)
    yield from numbered.section("checks")
    yield Heading(translated("Limits"))
    yield from _limits(results)
    if results["methods"]["references"]:
        yield Heading(translated("References"))
        yield from (Paragraph(unbroken(r), "reference") for r in results["methods"]["references"])
    yield from _appendix(results, known, models)


def _head(results: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Block]:
    if results["study"]["simulated"]:
        yield Paragraph(
            simulated_words(results["study"]["simulated_note"]), "warning", translated("Simulated data.")
        )
    audience = results["parameters"].get("audience")
    if audience == "shareable":
        yield Paragraph(
            translated("Counts of people are rounded, and small ones are hidden."),
            "warning",
            translated("Shareable."),
        )
    elif audience is not None:
        words = translated("Only for people who may see the data. To share it, make the report again with")
        yield Paragraph(f"{words} --audience shareable.", "warning", translated("Internal."))
    yield Paragraph(unbroken(results["question"]), "question")
    reasons = " ".join(results["status"]["reasons"]) if results["status"]["code"] != "caution" else ""
    yield Paragraph(unbroken(reasons or _cautions(results)), "body", f"{results['status']['label']}.")
    yield Facts(tuple((label, _fact(value)) for label, value in results["facts"]))
    complete = is_translated(results["analysis"])
    if language() != ENGLISH:
        yield Paragraph(
            f"{translated('This report is in English.')} {translated(_TRANSLATED[complete])}", "note"
        )
    plan = known.get("plan")
    if plan is not None:
        frozen = (
            f"{translated('The plan was frozen on')} {plan['created'][:10]} ({plan['plan_sha256'][:12]})."
        )
        yield Paragraph(frozen, "body", _kept(plan))
        if plan["deviations"]:
            rows = tuple((d["parameter"], d["planned"], d["used"]) for d in plan["deviations"])
            heads = tuple(map(translated, ("What", "Planned", "Used")))
            yield TableBlock(
                "deviations", 0, translated("Deviations from the plan"), heads, (False,) * 3, rows
            )


def _kept(plan: Mapping[str, Any]) -> str:
    if plan["as_planned"]:
        return translated("As planned.")
    n = len(plan["deviations"])
    return f"{n} {noun('deviation', '', single=n == 1)} {translated('from the plan')}."


def _cautions(results: Mapping[str, Any]) -> str:
    n = sum(f["severity"] == "caution" for f in merged_findings(results["findings"]))
    if not n:
        return ""
    see = f"{translated('see')} {translated('Checks and findings')}"
    return f"{n} {translated('caution' if n == 1 else 'cautions')}: {see}."


def _fact(value: Any) -> str:
    if isinstance(value, int | float):
        return number(value, "integer" if value == int(value) else "number")
    return unbroken(value) if value is not None else "–"


def _flow(results: Mapping[str, Any]) -> Iterator[Block]:
    boxes = flow_boxes(results["flow"])
    if not boxes:
        yield Paragraph(translated("The analysis used all data."))
        return
    few = results["parameters"].get("audience") == "shareable"
    counted: dict[str, Callable[[Box], int]] = {"Clients": lambda b: b.clients}
    if any(b.therapists for b in boxes):  # a study may name none
        counted["Therapists"] = lambda b: b.therapists
    counted["Sessions"] = lambda b: b.rows
    heads = tuple(map(translated, ("Step", *counted, "Left out before this step", "Why")))
    rows = tuple(
        (
            unbroken(b.step[:1].upper() + b.step[1:]),
            *(number(count(b), "integer") for count in counted.values()),
            _lost(b, few=few),
            unbroken(b.reason),
        )
        for b in boxes
    )
    numeric = (False, *(True for _ in counted), False, False)
    yield TableBlock(
        "sample_flow",
        0,
        translated("Who remained after each step, and why others were left out"),
        heads,
        numeric,
        rows,
    )


def _lost(b: Box, *, few: bool) -> str:
    if not b.reason:
        return ""
    if not (b.rows_lost or b.clients_lost):
        return translated("none or a few" if few else "none")
    clients = f"{_counted(b.clients_lost, 'client')}, " if b.clients_lost else ""
    return unbroken(clients + _counted(b.rows_lost, "session"))


def _counted(n: int, word: str) -> str:
    return f"{number(-n, 'integer')} {noun(word, '', single=abs(n) == 1)}"


def _plan(plan: Mapping[str, Any] | None, results: Mapping[str, Any]) -> Iterator[Block]:
    if plan is None:
        return
    found = main_of(results, plan["main_estimate"])
    main = (
        f"{plan['main_estimate'] or translated('that of the analysis')}: {translated('not in this report')}"
    )
    if found is not None:
        limits = (
            f", {translated('95 % interval')} {number(found['ci_low'], 'estimate')} {translated('to')} "
            f"{number(found['ci_high'], 'estimate')}"
            if found["ci_low"] is not None
            else ""
        )
        value = number(found["estimate"], "estimate")
        main = unbroken(f"{found['label']} ({found['id']}): {value}{limits} {found['unit'] or ''}".strip())
    yield Heading(translated("The plan"), 2)
    yield Facts(
        (
            (translated("Hypotheses"), unbroken(" ".join(plan["hypotheses"])) or translated("none stated")),
            (translated("Main estimate"), main),
            (translated("Several tests"), unbroken(plan["multiplicity"])),
            (
                translated("Data seen before planning"),
                unbroken(plan["data_seen"]) or translated("nothing stated"),
            ),
        )
    )
    yield Heading(translated("How it was done"), 2)


def _findings(results: Mapping[str, Any]) -> Iterator[Block]:
    found = merged_findings(results["findings"])
    if not found:
        yield Paragraph(translated("The checks found nothing unusual."))
        return
    items = []
    for f in found:
        where = f" ({f['where']})" if f["where"] else ""
        source = f" {f['reference']}" if f["reference"] else ""
        items.append(
            (f"{translated(SEVERITY_LABELS[f['severity']])}{where}:", unbroken(f["message"] + source))
        )
    yield Bullets(tuple(items))


def _limits(results: Mapping[str, Any]) -> Iterator[Block]:
    if results["limits"]:
        yield Bullets(tuple(("", unbroken(text)) for text in results["limits"]))
    else:
        yield Paragraph(translated("The analysis states no limits of its own."))


def _appendix(
    results: Mapping[str, Any], known: Mapping[str, Any], models: tuple[Block, ...]
) -> Iterator[Block]:
    if models:
        yield Heading(translated("Appendix: every model that was fitted"))
        yield from models
    if results["estimates"]:
        yield Heading(translated("Appendix: every estimate of this report"))
        yield table_block(all_estimates(results["estimates"]))
    yield Heading(translated("Appendix: reporting checklist"))
    yield table_block(checklist_table(checklist(results, known.get("stated", {}), known.get("plan"))))
    yield Heading(translated("Appendix: provenance"))
    words = (
        "The page report.html in the same folder also has the data behind each figure and the executed notebook, and "
        "manifest.json a fingerprint of every file."
    )
    yield Paragraph(translated(words))
    yield Paragraph(known["command"], "code")
    blas = known["environment"].get("blas", "")
    yield Facts(
        (
            (translated("Analysis"), known["analysis"]),
            (translated("Started (UTC)"), known["started"]),
            (
                translated("Seed"),
                translated("none: nothing here is random")
                if results["seed"] is None
                else str(results["seed"]),
            ),
            *(
                (f"{translated('Parameter')} {k}", "–" if v is None else as_argument(v))
                for k, v in results["parameters"].items()
            ),
            (
                "Python",
                f"{known['machine']['python']} ({known['machine']['system']}, {known['machine']['machine']})",
            ),
            (translated("Linear algebra"), blas),
            (
                translated("Packages"),
                ", ".join(f"{name} {version}" for name, version in known["versions"].items()),
            ),
            *((f"{translated('SHA-256 of')} {name}", sha256) for name, sha256 in known["inputs"].items()),
            (f"{translated('SHA-256 of notebook')} {known['notebook']['name']}", known["notebook"]["sha256"]),
            (translated("SHA-256 of package source"), known["package_sha256"]),
            (translated("Report key"), known["key"]),
        )
    )
