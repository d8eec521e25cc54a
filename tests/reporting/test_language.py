"""A second language through the sentence templates: German for the page and for every sentence of one analysis."""

import ast
import json
import re
import string
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, cli
from alliance_longitudinal.counts import Count, Number, Outsiders, Share
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import StudyError, UsageError
from alliance_longitudinal.labels import number
from alliance_longitudinal.language import check_language, in_language, languages, translated
from alliance_longitudinal.reporting import run_batch
from alliance_longitudinal.sentences import say
from alliance_longitudinal.simulation import ClinicTruth
from reporting import tiny
from reporting.conftest import Lab

PACKAGE = Path(al.__file__).parent
GERMAN = json.loads((PACKAGE / "languages" / "de.json").read_text(encoding="utf-8"))
#: What `variance_partition` says, and the modules of the kit that speak for it.
SOURCES = [
    *sorted((PACKAGE / "analyses" / "variance_partition").glob("*.py")),
    *(
        PACKAGE / "analyses" / "kit" / f"{name}.py"
        for name in (
            "checks",
            "fits",
            "model_checks",
            "characteristics",
            "sample",
            "selection",
            "shares",
            "versions",
        )
    ),
    PACKAGE / "analyses" / "disclosure" / "result.py",
]
#: Call -> the places of texts among its arguments, and their names.
TEXTS = {
    "say": ((0,), ()),
    "find": ((2,), ()),
    "too_little": ((0,), ()),
    "Finding": ((2,), ("message",)),
    "Column": ((1,), ("label",)),
    "from_rows": ((1, 5), ("note",)),
    "from_frame": ((1, 5), ("note",)),
    "table_of": ((1, 5), ("note",)),
    "FigureSpec": ((), ("title", "caption", "alt", "how_to_read")),
    "fact": ((0,), ()),
    "translated": ((0,), ()),
    "tell": ((0,), ()),
}


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def said(path: Path) -> Iterator[str]:
    """The texts that a module writes out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            places, names = TEXTS.get(name, ((), ()))
            found = [node.args[k] for k in places if k < len(node.args)]
            for each in [*found, *(k.value for k in node.keywords if k.arg in names)]:
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value:
                    yield each.value


def test_every_translation_has_the_values_of_its_template() -> None:
    wrong = [k for k, text in GERMAN["texts"].items() if "{" in k and fields(k) != fields(text)]
    assert wrong == []
    assert all(len(forms) == 2 for forms in GERMAN["nouns"].values())


def test_no_sentence_of_the_analysis_is_missing() -> None:
    missing = {
        f"{path.name}: {text}" for path in SOURCES for text in said(path) if text not in GERMAN["texts"]
    }
    assert missing == set()


def test_no_word_of_the_page_is_missing() -> None:
    folder = PACKAGE / "reporting" / "page" / "templates"
    words = {
        word
        for name in ("report.html.j2", "parts.html.j2", "index.html.j2")
        for call in re.findall(r"(?:_|tell)\(([^)]*)\)", (folder / name).read_text(encoding="utf-8"))
        for word in re.findall(r'"([^"]+)"', call)
    }
    assert len(words) > 60
    assert {word for word in words if word not in GERMAN["texts"]} - {
        *("#", "Word", "PDF", "docx"),
        *GERMAN["nouns"],
        "reports",
    } == set()


def test_no_sentence_of_a_batch_is_missing() -> None:
    found = {text for path in (PACKAGE / "reporting" / "batch").glob("*.py") for text in said(path)}
    assert len(found) > 15
    assert found - GERMAN["texts"].keys() == set()


def test_the_words_are_the_same_everywhere() -> None:
    """Klient:innen and Therapeut:innen, never another word for them."""
    text = json.dumps([*GERMAN["texts"].values(), *GERMAN["nouns"].values()], ensure_ascii=False)
    assert (
        re.findall(r"Patient\w*|Klienten\w*|Klientin\w*|Therapeuten\w*|Therapeutin\w*|Behandlerin\w*", text)
        == []
    )


@pytest.fixture(scope="module")
def results() -> tuple[AnalysisResult, AnalysisResult]:
    study = simulated_study(4, ClinicTruth(therapists=12, clients=120))
    english = al.variance_partition(study)
    with in_language("de"):
        german = al.variance_partition(study)
        german.to_dict()
    return english, german


def test_the_numbers_are_the_same_and_the_sentences_are_german(
    results: tuple[AnalysisResult, AnalysisResult],
) -> None:
    english, german = results
    same = ["id", "estimate", "se", "df", "ci_low", "ci_high", "p", "n", "level", "unit"]
    assert german.estimates[same].equals(english.estimates[same])
    assert german.main == english.main
    assert german.answer[0].startswith("Von den Unterschieden im WAI-SR-Niveau liegen ")
    assert "95-%-Intervall" in german.answer[0]
    shares = re.findall(r"\d+(?:[.,]\d+)? %", " ".join(german.answer).replace("\xa0", " "))
    assert [s.replace(",", ".") for s in shares] == re.findall(
        r"\d+(?:\.\d+)? %", " ".join(english.answer).replace("\xa0", " ").replace("95 % interval", "95-%")
    )
    own = {f.code for f in english.notes if f.where != "phq9"}
    texts = {f.code: f.message for f in german.notes if f.code in own}
    assert "moderate_therapists" in texts or "few_therapists" in texts
    kept = {f.message for f in english.notes}
    untranslated = [code for code, text in texts.items() if text in kept and code != "simulated"]
    assert untranslated == []
    for old, new in zip(english.tables, german.tables, strict=True):
        assert new.title != old.title
        assert new.note != old.note or not old.note
    for old, new in zip(english.figure_specs, german.figure_specs, strict=True):
        assert (new.title, new.caption, new.alt) != (old.title, old.caption, old.alt)
    assert not set(english.methods_parts.paragraphs) & set(german.methods_parts.paragraphs)
    assert not set(english.limits) & set(german.limits)


def test_outsiders_read_rounded_numbers_in_their_language() -> None:
    with in_language("de"):
        told = say("{n:noun} {n:has|have} left.", n=Count(3, "client")).for_outsiders(Outsiders(10))
        assert told == "Fewer than 10 clients have left."  # without a translation all of it stays English
        known = say("{n:noun}", n=Count(3, "client")).for_outsiders(Outsiders(10))
        assert known == "Weniger als 10 Klient:innen"
        assert Share(2, 100).text("", Outsiders(10)) == "ein kleiner Anteil"
        assert Number(0.25, low=-0.5, high=1.0).text("interval", None) == "\u22120,50 bis 1,00"
        assert (number(0.0004, "p"), number(0.04, "p"), number(1234.5)) == ("< 0,001", "0,040", "1234")
    assert (number(0.0004, "p"), number(0.04, "p"), number(0.04)) == ("< .001", ".040", "0.0400")
    assert translated("Results") == "Results"


def test_a_language_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert languages() == ("en", "de")
    with pytest.raises(UsageError) as caught:
        check_language("fr")
    assert str(caught.value) == "There is no language 'fr' for reports. Choose from: en, de."
    words = ["report", "demo", "--notebook", "data_quality", "--out", "x"]
    assert cli.main([*words, "--language", "fr"]) == 2
    assert "There is no language 'fr' for reports. Choose from: en, de." in capsys.readouterr().err
    monkeypatch.setenv("ALLIANCE_LANGUAGE", "de")
    with in_language("en"):
        assert translated("Results") == "Results"
    assert translated("Results") == "Ergebnisse"


def test_a_report_in_german_says_what_is_not_translated(lab: Lab, tmp_path: Path) -> None:
    page = lab.report(tmp_path / "de", language="de").page.read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert '<h2 id="h-answer">Die Antwort</h2>' in page
    assert "Die Sätze dieser Analyse sind noch nicht übersetzt; sie sind englisch." in page
    assert "<b>Abbildung 1.</b>" in page
    manifest = json.loads((tmp_path / "de" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["language"] == "de"
    assert "--language de" in manifest["command"]


def test_the_documents_are_in_the_language_of_the_report(lab: Lab, tmp_path: Path) -> None:
    pytest.importorskip("docx")
    pytest.importorskip("typst")
    report = lab.report(tmp_path / "de", language="de", formats=["docx", "pdf"])
    assert report.ok, report.error
    with zipfile.ZipFile(tmp_path / "de" / "report.docx") as packed:
        word = packed.read("word/document.xml").decode()
        assert 'w:val="de-DE"' in packed.read("word/styles.xml").decode()
    for words in (
        *(
            "Die Antwort",
            "Abbildung ",
            "Tabelle ",
            GERMAN["texts"]["How to read it."],
            "Anhang: Herkunft",
            "Vor diesem Schritt ausgeschlossen",
        ),
        "Die Sätze dieser Analyse sind noch nicht übersetzt; sie sind englisch.",
    ):
        assert words in word, words
    for words in (
        ">Appendix:",
        ">Figure ",
        ">Table ",
        "Left out before",
    ):
        assert words not in word, words
    assert b"/Lang(de)" in (tmp_path / "de" / "report.pdf").read_bytes()


def test_no_word_of_the_documents_is_missing() -> None:
    words = {
        word
        for name in ("model", "blocks", "word")
        for call in ast.walk(
            ast.parse((PACKAGE / "reporting" / "page" / f"{name}.py").read_text(encoding="utf-8"))
        )
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "translated"
        for word in (n.value for a in call.args for n in ast.walk(a) if isinstance(n, ast.Constant))
        if isinstance(word, str) and word
    }
    assert len(words) > 40
    assert words - set(GERMAN["texts"]) == {"severity"}  # a key of what is translated


def test_a_batch_in_another_language(lab: Lab, tmp_path: Path) -> None:
    grid = {"study": str(lab.study), "notebook": "tiny", "language": "de"}
    (tmp_path / "grid.yaml").write_text(json.dumps(grid), encoding="utf-8")
    batch = run_batch(tmp_path / "grid.yaml", tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)
    assert batch.ok
    page = (tmp_path / "out" / batch.rows[0]["folder"] / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in index
    assert "1 Berichte nebeneinander" in index
    (tmp_path / "grid.yaml").write_text(json.dumps(grid | {"language": "fr"}), encoding="utf-8")
    with pytest.raises(StudyError, match=r"There is no language 'fr' for reports\. Choose from: en, de\."):
        run_batch(tmp_path / "grid.yaml", tmp_path / "out", registry=tiny.REGISTRY, notebooks=lab.folder)
