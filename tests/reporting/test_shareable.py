"""One real report for outsiders, made from files: no planted name and no planted small count in anything of its folder."""

import base64
import json
import re
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import UsageError
from alliance_longitudinal.reporting import Report, public, run_report, verify_report
from inside.reporting_record import names_to_hide, without_names

STUDY = """\
study: Praxis am Fluss
tables:
  sessions:
    file: visits.csv
    columns: {client: who, therapist: by, session: session, week: week, ending: end}
transfers: first
ending: {planned: [done], dropout: [stopped], other: [moved]}
measures:
  alliance: {instrument: wai_sr, total: wai}
  phq9: {instrument: phq_9, total: phq9}
baseline: [job]
"""
#: Whole words that stand nowhere but in the planted cells.
CANARY = re.compile(rb"zebra", re.IGNORECASE)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """160 clients: 4 changed therapist, 6 stopped, 3 moved; ids, a free text and a baseline word are planted."""
    folder = tmp_path_factory.mktemp("shareable") / 'Zebra "Straße"'
    folder.mkdir()
    rows = al.simulate_clinic(8, clients=160, therapists=8, items=False).sessions
    number = rows["client"].astype(int)
    rows = rows.assign(
        who="zebra-" + rows["client"],
        by="zebra " + rows["therapist"],
        end=number.map(lambda k: "stopped" if k <= 6 else "moved" if k <= 9 else "done"),
        job=number.map(lambda k: "zebra keeper" if k == 17 else "other"),
        note="told of a zebra",
    )
    last = rows.groupby("client")["session"].transform("max") == rows["session"]
    rows.loc[last & number.between(21, 24), "by"] = "zebra locum"
    rows.drop(columns=["client", "therapist"]).to_csv(folder / "visits.csv", index=False)
    (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    asked = {"audience": "shareable", "reliability": 0.84, "cutoff": 10}
    formats = ["docx", "pdf", "xlsx", "tex", "parquet"]
    report = run_report(folder / "study.yaml", "reliable_change", asked, folder / "out", formats=formats)
    assert report.ok, report.error
    return report


def _contents(folder: Path) -> dict[str, bytes]:
    """Every file, and what is packed into it as base64."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        packed = re.findall(rb"[A-Za-z0-9+/]{80,}={0,2}", content.replace(b"\\n", b""))
        if path.suffix in {".docx", ".xlsx"}:
            with zipfile.ZipFile(path) as archive:
                content = b"\n".join(archive.read(name) for name in archive.namelist())
            content += re.sub(
                rb"<[^>]*>", b"", content
            )  # the text that people read, whatever runs it is split into
        content += b"".join(_unpacked(content)) if path.suffix == ".pdf" else b""
        parts = [base64.b64decode(p + b"=" * (-len(p) % 4)) for p in packed if len(p) % 4 != 1]
        found[str(path.relative_to(folder))] = b"\n".join([content, *parts])
    return found


def _unpacked(pdf: bytes) -> Iterator[bytes]:
    """The compressed parts of a PDF, and the text of its pages (drawn as numbers of glyphs) where pdftotext is here."""
    for start in re.finditer(rb"stream\r?\n", pdf):
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(pdf[start.end() :])
    if shutil.which("pdftotext"):
        yield subprocess.run(
            ["pdftotext", "-raw", "-", "-"], input=pdf, capture_output=True, check=True
        ).stdout


def test_no_planted_name_is_in_the_folder(report: Report) -> None:
    contents = _contents(report.folder)
    assert {"report.html", "report.ipynb", "results.json", "manifest.json"} <= set(contents)
    assert {"report.docx", "report.pdf", "tables.xlsx", "tables/estimates.parquet"} <= set(contents)
    assert [name for name, content in contents.items() if CANARY.search(content)] == []


def test_the_planted_counts_are_told_nowhere(report: Report) -> None:
    messages = {
        f["code"]: f["message"] for f in json.loads((report.folder / "results.json").read_text())["findings"]
    }
    assert messages["transfers"].startswith("Fewer than 10 clients changed therapist. In the analysis the")
    assert "by dropout for fewer than 10, in another way for fewer than 10;" in messages["endings"]
    for name, content in _contents(report.folder).items():
        text = content.decode("utf-8", errors="replace").replace("\xa0", " ")
        for told in ("4 clients changed", "by dropout for 6", "in another way for 3", "for 151 clients"):
            assert told not in text, name


def test_the_folder_says_for_whom_it_is(report: Report) -> None:
    manifest = json.loads((report.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"]["audience"] == "shareable"
    assert "<b>Shareable.</b>" in report.page.read_text(encoding="utf-8")


def test_no_path_and_no_name_of_a_file_is_in_the_folder(report: Report) -> None:
    """Case: paths of the study file and of the output, and names of the data's files, stood in page and manifest."""
    source = report.folder.parent
    names = (
        str(source),
        str(report.folder),
        source.name,
        "visits.csv",
        "study.yaml",
        str(Path.home()),
        "/tmp/",
    )
    for name, content in _contents(report.folder).items():
        text = content.decode("utf-8", errors="replace").replace("\xa0", " ")
        assert [told for told in names if told in text] == [], name
    manifest = json.loads((report.folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["study"] == "STUDY.yaml"
    assert list(manifest["inputs"]) == ["input 1", "input 2"]
    assert manifest["command"].startswith("alliance report STUDY.yaml --notebook reliable_change ")
    assert manifest["command"].endswith(" --format html,docx,pdf,xlsx,tex,parquet --out DIR")


def test_a_shared_report_is_verified_with_the_study_file_named(report: Report) -> None:
    with pytest.raises(UsageError, match="is a shareable report, which does not say where its study file is"):
        verify_report(report.folder)
    found = verify_report(report.folder, study=report.folder.parent / "study.yaml")
    assert (found.problems, found.notes) == ((), ())
    assert found.compared > 100


KNOWN = {
    "analysis": "tiny",
    "study": "/home/ann/Clinic & Sons/study.yaml",
    "parameters": {"audience": "shareable", "clinic": None},
    "inputs": {"study.yaml": "b", "data/Müller.xlsx": "a"},
    "notebook": {"argument": "/home/ann/tiny_ann.ipynb", "name": "tiny_ann.ipynb", "sha256": "c"},
}


@pytest.mark.parametrize(
    "text",
    [
        "read from /home/ann/Clinic & Sons/study.yaml",
        "read from /home/ann/Clinic &amp; Sons/study.yaml",
        "sheet 1 of data/Müller.xlsx",
        json.dumps("Müller.xlsx has 3 rows"),
        "/out/folder/report.html by tiny_ann.ipynb",
        'source = "data/M\\xfcller.xlsx"',
        json.dumps('source = "data/M\\xfcller.xlsx"'),
    ],
)
def test_names_are_found_in_every_form(text: str) -> None:
    hidden = names_to_hide(KNOWN, Path("/home/ann/tiny_ann.ipynb"), Path("/out/folder"))
    left = json.dumps(without_names({"a": [text, 1, None]}, hidden), ensure_ascii=False)
    assert not any(word in left for word in ("ann", "Sons", "ller", "/out", "study.yaml")), left


def test_a_report_for_insiders_keeps_its_paths() -> None:
    known = KNOWN | {"parameters": {"audience": "internal"}}
    assert public(known) == known
    assert names_to_hide(known, Path("x")) == {}


def test_an_own_notebook_is_not_named_to_outsiders() -> None:
    shown = public(KNOWN)
    assert shown["notebook"] == {"argument": "NOTEBOOK.ipynb", "name": "NOTEBOOK.ipynb", "sha256": "c"}
    assert shown["inputs"] == {"input 1": "a", "input 2": "b"}
