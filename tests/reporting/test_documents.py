"""Documents beside the page: the page's words, numbers and captions in Word and PDF, its tables for other programs."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pandas as pd
import pytest
from docx.oxml.ns import qn

from alliance_longitudinal.errors import ReportError, UsageError
from alliance_longitudinal.reporting import (
    Report,
    latex,
    pdf_document,
    report_model,
    table_block,
    verify_report,
    word_document,
    workbook,
)
from inside.reporting_record import formats
from reporting import tiny
from reporting.conftest import Lab
from reporting.page import Page

FORMATS = ("docx", "pdf", "xlsx", "tex", "parquet")


@pytest.fixture(scope="module")
def made(lab: Lab) -> Report:
    report = lab.report(lab.folder / "reports" / "documents", formats=FORMATS)
    assert report.ok, report.error
    return report


@pytest.fixture(scope="module")
def results(made: Report) -> dict[str, Any]:
    return dict(json.loads((made.folder / "results.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def known(made: Report) -> dict[str, Any]:
    return dict(json.loads((made.folder / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def word(made: Report) -> Any:
    return docx.Document(str(made.folder / "report.docx"))


def _plain(text: str) -> str:
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def _words(document: Any) -> str:
    """All text of a Word document's body, fields and tables with it."""
    texts = [t.text or "" for t in document.element.body.iter(qn("w:t"))]
    return _plain("".join(texts))


def test_the_documents_are_beside_the_page_and_come_out_again(made: Report, lab: Lab) -> None:
    files = {p.relative_to(made.folder).as_posix() for p in made.folder.rglob("*") if p.is_file()}
    assert {
        "report.docx",
        "report.pdf",
        "tables.xlsx",
        "tables/effects.tex",
        "tables/estimates.parquet",
    } <= files
    manifest = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["formats"] == list(FORMATS)
    assert "--format html,docx,pdf,xlsx,tex,parquet" in manifest["command"]
    found = verify_report(made.folder, registry=tiny.REGISTRY, notebooks=lab.folder)
    assert (found.problems, found.notes) == ((), ())


def test_an_altered_document_is_named(made: Report, lab: Lab, tmp_path: Path) -> None:
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    with (copy / "report.pdf").open("ab") as file:
        file.write(b" ")
    found = verify_report(copy, registry=tiny.REGISTRY, notebooks=lab.folder)
    assert found.problems == ("report.pdf differs from the one made again.",)


def test_word_says_what_the_page_says(word: Any, results: dict[str, Any]) -> None:
    words = _words(word)
    said = [
        results["title"],
        results["study"]["title"],
        results["question"],
        *results["answer"],
        *results["methods"]["paragraphs"],
        *results["methods"]["references"],
        *results["limits"],
        *(f["message"] for f in results["findings"]),
        *(f["how_to_read"] for f in results["figures"]),
        *(f["caption"] for f in results["figures"]),
        *(str(label) for label, _ in results["facts"]),
    ]
    assert [text for text in said if _plain(text) not in words] == []


def test_figures_and_tables_have_the_numbers_of_the_page(word: Any, made: Report) -> None:
    page = Page(made.page.read_text(encoding="utf-8"))
    text = _plain("".join(page.words))
    captions = [
        _plain("".join(t.text or "" for t in p._p.iter(qn("w:t"))))
        for p in word.paragraphs
        if p.style.name == "Caption"
    ]
    numbered = [c for c in captions if re.match(r"(Table|Figure) \d+\. ", c)]
    assert [c for c in numbered if c not in text] == []
    assert len([c for c in numbered if c.startswith("Figure")]) == 3
    on_page = set(re.findall(r"Table \d+\.", text))
    assert {c.split(". ")[0] + "." for c in numbered if c.startswith("Table")} == on_page


def test_tables_are_tables_with_a_head_that_is_repeated(word: Any, results: dict[str, Any]) -> None:
    wanted = table_block(results["tables"][0])
    table = next(t for t in word.tables if tuple(c.text for c in t.rows[0].cells) == wanted.heads)
    assert [tuple(c.text for c in row.cells) for row in table.rows[1:]] == list(wanted.rows)
    assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
    assert table.rows[1]._tr.trPr.find(qn("w:tblHeader")) is None
    assert table._tbl.tblPr.find(qn("w:tblCaption")).get(qn("w:val")).endswith(wanted.title)


def test_pictures_say_what_they_show(word: Any, results: dict[str, Any]) -> None:
    alts = [shape._inline.docPr.get("descr") for shape in word.inline_shapes]
    assert sorted(map(_plain, alts)) == sorted(_plain(f["alt"]) for f in results["figures"])


def test_word_has_a_language_a_title_and_no_author(word: Any, results: dict[str, Any]) -> None:
    assert word.core_properties.title == results["title"]
    assert word.core_properties.author == ""
    assert 'w:lang w:val="en-GB"' in word.styles["Normal"].element.xml
    levels = [int(p.style.name[-1]) for p in word.paragraphs if p.style.name.startswith("Heading")]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_the_same_report_gives_the_same_bytes(
    made: Report, results: dict[str, Any], known: dict[str, Any]
) -> None:
    model = report_model(results, known, made.folder)
    assert word_document(model) == word_document(model)
    assert pdf_document(model) == pdf_document(model)
    with zipfile.ZipFile(made.folder / "report.docx") as archive:
        assert {m.date_time for m in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_pdf_is_tagged_for_screen_readers(made: Report) -> None:
    content = (made.folder / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"StructTreeRoot" in content
    assert b"pdfuaid:part" in content


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not here")
def test_the_pdf_says_what_the_page_says(made: Report, results: dict[str, Any]) -> None:
    command = ["pdftotext", "-raw", str(made.folder / "report.pdf"), "-"]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    found = re.sub(r"\W", "", text)  # lines end where the page does
    said = [*results["answer"], *results["methods"]["references"], *results["limits"], results["title"]]
    assert [s for s in said if re.sub(r"\W", "", s) not in found] == []


def test_a_figure_that_says_nothing_is_refused(
    made: Report, results: dict[str, Any], known: dict[str, Any]
) -> None:
    mute = results | {"figures": [f | {"alt": ""} for f in results["figures"]]}
    with pytest.raises(ReportError, match=r"The PDF could not be made: .*alt"):
        pdf_document(report_model(mute, known, made.folder))


def test_a_report_without_results_says_so(
    made: Report, results: dict[str, Any], known: dict[str, Any]
) -> None:
    empty = results | {"tables": [], "figures": [], "estimates": [], "main_figure": None}
    text = _words(docx.Document(io.BytesIO(word_document(report_model(empty, known, made.folder)))))
    assert "There are no results, for the reason given in the answer." in text


def test_text_is_never_code(made: Report, results: dict[str, Any], known: dict[str, Any]) -> None:
    hostile = (
        '#panic("x") *a* $x_$ \\ [b] @c <d> `e` \x00\x0b \ufffe ' + "\N{RIGHT-TO-LEFT OVERRIDE}{{ 7*7 }}"
    )
    odd = results | {"answer": [hostile], "title": hostile, "limits": [hostile]}
    model = report_model(odd, known, made.folder)
    assert pdf_document(model).startswith(b"%PDF-")
    text = _words(docx.Document(io.BytesIO(word_document(model))))
    assert '#panic("x") *a* $x_$ \\ [b] @c <d> `e`' in text


def test_letters_that_no_known_font_has_do_not_stop_the_pdf(
    made: Report, results: dict[str, Any], known: dict[str, Any]
) -> None:
    model = report_model(results | {"answer": ["治疗联盟 और गठबंधन"]}, known, made.folder)
    content = pdf_document(model)
    assert b"StructTreeRoot" in content
    assert b"pdfuaid:part" not in content


def test_the_workbook_has_every_table_and_no_formula(made: Report, results: dict[str, Any]) -> None:
    book = openpyxl.load_workbook(made.folder / "tables.xlsx")
    assert book.sheetnames == [*(t["name"] for t in results["tables"]), "estimates"]
    sheet = book["estimates"]
    assert sheet["A1"].value == "Every estimate of this report"
    assert sheet.cell(4, 3).value == pytest.approx(results["estimates"][0]["estimate"], rel=1e-15)
    table = {
        "name": "x" * 40,
        "title": "=1+1",
        "columns": [{"key": "a", "label": "=A1", "kind": "text"}],
        "rows": [["=cmd()"]],
    }
    content = workbook([table, table])
    again = openpyxl.load_workbook(io.BytesIO(content))
    assert again.sheetnames == ["x" * 31, "x" * 29 + "-2"]
    assert [again["x" * 31][cell].data_type for cell in ("A1", "A3", "A4")] == ["s", "s", "s"]
    assert again["x" * 31]["A4"].value == "=cmd()"
    assert workbook([table, table]) == content


def test_latex_is_the_table_as_it_is_shown() -> None:
    table = {
        "name": "odd",
        "title": "50 % & more_of #1",
        "columns": [
            {"key": "label", "label": "What {is}", "kind": "text"},
            {"key": "x", "label": "p", "kind": "p"},
        ],
        "rows": [["a~b^c\\d", 0.0004], ["$1", -0.5]],
        "note": "A note.",
    }
    lines = latex(table_block(table)).splitlines()
    assert r"\caption{50~\% \& more\_of \#1}" in lines
    assert r"\begin{tabular}{lr}" in lines
    assert r"What \{is\} & p \\" in lines
    assert r"a\textasciitilde{}b\textasciicircum{}c\textbackslash{}d & \textless{}~.001 \\" in lines
    assert r"\par\footnotesize\textit{Note.} A note." in lines


def test_parquet_has_numbers_as_numbers(made: Report, results: dict[str, Any]) -> None:
    frame = pd.read_parquet(made.folder / "tables" / "estimates.parquet")
    assert frame["estimate"].tolist() == [e["estimate"] for e in results["estimates"]]
    assert frame["id"].tolist() == [e["id"] for e in results["estimates"]]


def test_a_format_that_is_not_there_is_said(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"There is no format 'doc'. Did you mean 'docx'\?"):
        lab.report(tmp_path / "out", formats=["doc"])
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs docx and typst, which is not installed. .*\[documents\]"):
        lab.report(tmp_path / "out", formats=["docx"])
    assert not (tmp_path / "out").exists()
