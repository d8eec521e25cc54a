"""The page: opens offline, runs nothing, can be read by everybody, and says what the results say."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from alliance_longitudinal.errors import ReportError
from alliance_longitudinal.reporting import Report
from inside.reporting_page import csv_text, no_break, whole, write_report
from inside.reporting_run import read_results, results_schema
from reporting import tiny
from reporting.page import Page, lint

KNOWN = {
    "analysis": "tiny",
    "command": "alliance report",
    "environment": {"blas": "blas 1", "lapack": "lapack 1", "threads": {"OMP_NUM_THREADS": "1"}},
    "inputs": {"sessions.csv": "0" * 64},
    "key": "abcdef0123456789",
    "machine": {"python": "3.11", "system": "Linux", "machine": "x86_64"},
    "notebook": {"name": "tiny.ipynb", "sha256": "1" * 64, "modified": False},
    "package_sha256": "2" * 64,
    "started": "2026-01-02T03:04:05+00:00",
    "versions": {"alliance-longitudinal": "0.1.0"},
}


def _staged(folder: Path, results: dict[str, Any]) -> Path:
    (folder / "figures").mkdir()
    for figure in tiny.sample_results()["figures"]:
        (folder / "figures" / f"{figure['name']}.svg").write_text(tiny.SVG)
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return folder


def _page(folder: Path, results: dict[str, Any], cells: list[dict[str, Any]] | None = None) -> str:
    write_report(_staged(folder, results), results, {"cells": cells or []}, KNOWN)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(good: Report) -> str:
    return good.page.read_text(encoding="utf-8")


def test_the_page_is_offline_inert_and_accessible(text: str) -> None:
    assert lint(text) == []


def test_the_parts_stand_in_their_order(text: str) -> None:
    sections = [a["id"] for a in Page(text).all("section")]
    assert sections == [
        *("answer", "sample", "methods", "results", "sensitivity"),
        *("checks", "limits", "checklist", "provenance", "notebook"),
    ]


def test_the_page_says_what_the_results_say(text: str) -> None:
    words = " ".join("".join(Page(text).words).split())
    results = tiny.sample_results()
    for sentence in (
        *results["answer"],
        *results["methods"]["paragraphs"],
        *results["methods"]["references"],
        *results["limits"],
        *(f["message"] for f in results["findings"]),
        *(f["how_to_read"] for f in results["figures"]),
        results["question"],
        results["status"]["label"],
        results["status"]["reasons"][0],
        results["study"]["title"],
        "Simulated clinic group with known parameters; no real person stands behind it.",
        "Simulated data.",
        "10 clients · 3 therapists · 40 sessions",
        "−2 clients, −8 sessions",
    ):
        assert " ".join(sentence.split()) in words, sentence


def test_findings_come_gravest_first(text: str) -> None:
    words = "".join(Page(text).words).replace("\xa0", " ")
    places = [words.index(f["message"]) for f in tiny.sample_results()["findings"]]
    assert places == sorted(places)


def test_the_same_finding_at_several_places_is_said_once(tmp_path: Path) -> None:
    results = tiny.sample_results()
    finding = results["findings"][0] | {"message": "A variance is zero.", "severity": "caution"}
    results["findings"] = [finding | {"where": place} for place in ("model A", "model B", "model A")]
    words = "".join(Page(_page(tmp_path, results)).words)
    assert words.count("A variance is zero.") == 1
    assert "model A; model B" in words


def test_cautions_are_counted_in_the_head_and_graver_reasons_are_said(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    results = tiny.sample_results()
    reason = results["status"]["reasons"][0]
    assert f"<li>{whole(reason)}</li>" in _page(tmp_path / "few", results)
    results["status"] = {"code": "caution", "label": "Complete, with cautions", "reasons": [reason] * 3}
    finding = results["findings"][0] | {"severity": "caution"}
    results["findings"] = [
        finding | {"message": said, "where": place} for said, place in (("A.", "a"), ("B.", "a"), ("A.", "b"))
    ]
    page = _page(tmp_path, results)
    assert f"<li>{whole(reason)}</li>" not in page
    assert '2 cautions: see <a href="#checks">Checks and findings</a>' in page


def test_clients_do_not_appear(text: str) -> None:
    assert "canary-0" not in text
    assert "canary-4711" in text, "in the folded code of the notebook; shows that the search works"


def test_the_real_study_has_no_banner(tmp_path: Path) -> None:
    results = tiny.sample_results()
    results["study"] |= {"simulated": False, "simulated_note": None}
    assert "Simulated data" not in _page(tmp_path, results)


def test_a_bare_result_still_makes_a_sound_page(tmp_path: Path) -> None:
    results = tiny.sample_results() | {"flow": [], "findings": [], "limits": [], "estimates": [], "facts": []}
    results |= {"methods": {"paragraphs": [], "references": []}}
    results["tables"] = [t for t in results["tables"] if t["section"] == "results"]
    results["figures"] = results["figures"][:1]
    page = _page(tmp_path, results)
    assert lint(page) == []
    assert "The checks found nothing unusual." in page


def test_the_flow_counts_therapists_only_where_the_study_names_some(tmp_path: Path) -> None:
    results = tiny.sample_results()
    (tmp_path / "named").mkdir()
    page = _page(tmp_path / "named", results).replace("\N{NO-BREAK SPACE}", " ")
    assert "10 clients · 3 therapists · 40 sessions" in page
    results["flow"] = [step | {"therapists_in": 0, "therapists_out": 0} for step in results["flow"]]
    page = _page(tmp_path, results).replace("\N{NO-BREAK SPACE}", " ")
    assert "10 clients · 40 sessions" in page
    assert "Each box counts the clients and sessions that remain" in page


NO_RESULTS = "There are no results, for the reason given in the answer."


@pytest.mark.parametrize("empty", [True, False])
def test_a_report_without_results_says_so_where_they_would_stand(tmp_path: Path, empty: bool) -> None:
    results = tiny.sample_results()
    if empty:
        results = results | {"tables": [], "figures": [], "estimates": [], "main_figure": None}
    assert (NO_RESULTS in _page(tmp_path, results)) == empty


def test_outputs_of_the_notebook_are_text_and_pictures_only(tmp_path: Path) -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "\x1b[31mred\x1b[0m"},
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "QUJD\nREVG"}},
        {
            "output_type": "execute_result",
            "metadata": {},
            "data": {"text/html": "<script>alert('canary')</script>", "text/plain": "<Result>"},
        },
        {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": "canary()"}},
    ]
    page = _page(tmp_path, tiny.sample_results(), [{"cell_type": "code", "source": "x", "outputs": outputs}])
    assert lint(page) == []
    assert "alert(&#39;canary&#39;)" not in page
    assert "canary()" not in page
    assert '<pre tabindex="0" class="output words">red</pre>' in page
    assert "data:image/png;base64,QUJDREVG" in page
    assert "&lt;Result&gt;" in page


def test_a_figure_that_the_notebook_shows_is_not_on_the_page_twice(tmp_path: Path) -> None:
    results = tiny.sample_results()
    shown = [
        {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": picture}}
        for picture in (tiny.SVG, tiny.SVG.replace("</svg>", "<g/></svg>"))
    ]
    page = _page(tmp_path, results, [{"cell_type": "code", "source": "x", "outputs": shown}])
    assert lint(page) == []
    last = results["figures"][-1]
    assert f'The figure shown above: <a href="#figure-{last["name"]}">{last["title"]}</a>' in page
    assert page.count("data:image/svg+xml") == len(results["figures"]) + 1  # one of the cell's own


def test_downloads_hold_full_precision_and_no_formula(text: str) -> None:
    links = {a["download"]: a["href"] for a in Page(text).all("a") if "download" in a}
    assert {"effects.csv", "shares.csv", "estimates.csv", "trajectories.csv"} <= links.keys()
    body = unquote(links["effects.csv"].split(",", 1)[1]).lstrip("\ufeff")
    rows = list(csv.reader(io.StringIO(body)))
    assert rows[1] == ["Within therapists", "-0.0213", "0.0046", "-0.0303", "-0.0123", "731.2", "4.1e-06"]
    assert rows[3][0] == '\'=HYPERLINK("evil")'


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_would_be_a_formula_is_disarmed(start: str) -> None:
    table = {
        "columns": [{"key": "a", "label": f"{start}x", "kind": "text"}],
        "rows": [[f"{start}1"], [-1.5], [None]],
    }
    rows = list(csv.reader(io.StringIO(csv_text(table), newline="")))
    assert rows == [[f"'{start}x"], [f"'{start}1"], ["-1.5"], [""]]


def test_the_schema_is_one_and_takes_the_sample(tmp_path: Path) -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(results_schema())
    assert read_results(_staged(tmp_path, tiny.sample_results())) == tiny.sample_results()


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("schema",), "2", "schema: breaks the rule 'const'"),
        (("answer",), [], "answer: breaks the rule 'minItems'"),
        (("figures", 0, "alt"), "", "figures/0/alt: breaks the rule 'minLength'"),
        (("figures", 0, "name"), "../../etc", "figures/0/name: breaks the rule 'pattern'"),
        (("estimates", 0, "p"), 1.5, "estimates/0/p: breaks the rule 'anyOf'"),
        (("estimates", 0, "se"), "big", "estimates/0/se: breaks the rule 'type'"),
        (("main_figure",), "other", "The main figure 'other' is not among the figures"),
        (("figures", 0, "name"), "no_picture", "published no picture of these figures: no_picture"),
    ],
)
def test_results_that_break_the_schema_are_named(
    tmp_path: Path, path: tuple[str | int, ...], value: Any, sentence: str
) -> None:
    results: Any = tiny.sample_results()
    place = results
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ReportError) as caught:
        read_results(_staged(tmp_path, results))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": Infinity}', "{"])
def test_results_must_be_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(ReportError, match="is not valid JSON"):
        read_results(tmp_path)


@pytest.mark.parametrize(
    ("audience", "sentence"),
    [
        (
            "shareable",
            "Shareable. Counts of people are rounded, and small ones are hidden.",
        ),
        (
            "internal",
            "Internal. Only for people who may see the data. To share it, make the report again with --audience shareable.",
        ),
    ],
)
def test_the_page_says_for_whom_it_is(tmp_path: Path, audience: str, sentence: str) -> None:
    results = tiny.sample_results()
    results["parameters"]["audience"] = audience
    text = _page(tmp_path, results)
    assert sentence in " ".join("".join(Page(text).words).split())
    assert lint(text) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("improved by 3.1 points in 12 weeks", "improved by 3.1\xa0points in 12\xa0weeks"),
        ("95 % interval 1 % to 2 %", "95\xa0% interval 1\xa0% to 2\xa0%"),
        ("of 10 clients; 3 clientele", "of 10\xa0clients; 3 clientele"),
        ("PHQ-9 points", "PHQ-9\xa0points"),
        (None, None),
    ],
)
def test_no_line_ends_between_a_number_and_its_unit(text: str | None, shown: str | None) -> None:
    assert no_break(text) == shown
