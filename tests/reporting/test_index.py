"""A batch's index as a product: every cell, clinics pooled partially, many tests, what changed and why."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.language import in_language_here, translated
from alliance_longitudinal.reporting import run_batch
from inside.reporting_batch import (
    Overview,
    baseline,
    changes,
    forests,
    index_csv,
    multiplicity,
    pools,
    summary,
    write_index,
)
from reporting import tiny
from reporting.conftest import Lab
from reporting.crates import CRATE, crate_problems
from reporting.page import Page, lint


def _row(
    study: str, at: float, se: float = 0.1, *, p: float | None = None, **parameters: Any
) -> dict[str, Any]:
    label = ", ".join([study, *(f"{k} {v}" for k, v in parameters.items())])
    estimate = {
        **{"id": "slope", "label": "Within", "unit": "points", "estimate": at, "se": se, "df": 50.0},
        **{"ci_low": at - 1.96 * se, "ci_high": at + 1.96 * se, "p": p, "n": 100, "level": "client"},
    }
    return {
        **{
            "label": label,
            "study": study,
            "notebook": "tiny",
            "parameters": parameters,
            "folder": re.sub("[^a-z0-9]+", "-", label.lower()),
        },
        **{"key": label, "status": "complete", "kept": False, "error": None, "seconds": 1.0},
        **{"result_status": {"code": "complete", "label": "Complete"}, "estimate": estimate, "made_of": {}},
    }


CLINICS = [("A", -0.9, 0.2), ("B", -0.2, 0.1), ("C", -0.5, 0.15), ("D", 0.3, 0.3), ("E", -0.7, 0.12)]


def test_clinics_are_pooled_with_a_prediction_interval_and_drawn_to_their_mean() -> None:
    (pool,) = pools([_row(*c) for c in CLINICS])
    y, s = np.array([c[1] for c in CLINICS]), np.array([c[2] for c in CLINICS])

    def criterion(tau2: float) -> float:
        """-2 REML log-likelihood."""
        w = 1 / (s**2 + tau2)
        mu = (w * y).sum() / w.sum()
        return float(-np.log(w).sum() + np.log(w.sum()) + (w * (y - mu) ** 2).sum())

    grid = np.linspace(0, 1, 200_001)
    tau2 = grid[np.argmin([criterion(t) for t in grid])]
    w = 1 / (s**2 + tau2)
    mu = (w * y).sum() / w.sum()
    assert pool["tau"] ** 2 == pytest.approx(tau2, abs=1e-5)
    assert pool["mu"] == pytest.approx(mu, abs=1e-4)
    assert pool["shrunken"]["d"] == pytest.approx(mu + tau2 / (tau2 + 0.09) * (0.3 - mu), abs=1e-4)
    assert pool["prediction_low"] < pool["ci_low"] < pool["mu"] < pool["ci_high"] < pool["prediction_high"]
    assert (pool["k"], pool["levels"]) == (5, 2)


def test_clinics_within_studies_have_three_levels() -> None:
    rows = [
        _row(f"study {s}", 0.1 * s + 0.05 * c, 0.1, clinic=f"clinic {c}") for s in range(4) for c in range(3)
    ]
    (pool,) = pools(rows)
    assert (pool["k"], pool["studies"], pool["levels"]) == (12, 4, 3)
    direct = al.methods.meta_analysis(
        [r["estimate"]["estimate"] for r in rows],
        [r["estimate"]["se"] ** 2 for r in rows],
        study=[r["study"] for r in rows],
        test="knapp-hartung",
    )
    assert pool["mu"] == direct.mu
    assert (pool["prediction_low"], pool["prediction_high"]) == direct.prediction_interval()


def test_only_different_people_are_pooled() -> None:
    windows = [_row(s, -0.5, window=w) for s in "ABC" for w in ("1,3", "1,5")]
    assert [p["settings"] for p in pools(windows)] == ["window 1,3", "window 1,5"]
    assert all(len(p["members"]) == 3 for p in pools(windows))
    assert pools([_row("A", -0.5, window=w) for w in ("1,3", "1,5", "1,7")]) == []
    whole = [_row("A", -0.5, clinic=c) for c in (None, "x", "y", "z")]
    assert pools(whole)[0]["members"] == ["a-clinic-x", "a-clinic-y", "a-clinic-z"]
    units = [_row("A", 1), _row("B", 2) | {"estimate": {**_row("B", 2)["estimate"], "unit": "SD"}}]
    assert pools(units) == []


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([_row("A", 1), _row("B", 2)], "Not pooled: fewer than 3 clinics."),
        (
            [
                _row("A", 1),
                _row("B", 2),
                _row("C", 3) | {"estimate": {**_row("C", 3)["estimate"], "se": None}},
            ],
            "Not pooled: these estimates have no standard errors.",
        ),
        (
            [
                _row("A", 1),
                _row("B", 2),
                _row("C", 3) | {"estimate": {**_row("C", 3)["estimate"], "ci_high": 4.0}},
            ],
            "Not pooled: the intervals are not symmetric, so a mean on this scale would be wrong.",
        ),
    ],
)
def test_what_is_not_pooled_says_why(rows: list[dict[str, Any]], sentence: str, tmp_path: Path) -> None:
    (pool,) = pools(rows)
    assert pool["why_not"] == sentence
    (forest,) = forests(rows, [pool])
    assert (forest["pool"], forest["why_not"]) == (None, sentence)
    write_index(tmp_path, Overview(rows, pools=[pool]))
    page = (tmp_path / "index.html").read_text(encoding="utf-8").replace("\xa0", " ")
    assert sentence in page


def test_an_error_of_the_pooling_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise al.DataError("Too odd.")

    monkeypatch.setattr(al.methods, "meta_analysis", refuse)
    assert pools([_row(*c) for c in CLINICS])[0]["why_not"] == "Not pooled: Too odd."


def test_many_tests_are_corrected_by_holm() -> None:
    rows = [_row(n, 1, p=p) for n, p in zip("ABCD", (0.01, 0.04, 0.03, 0.2), strict=True)]
    found = multiplicity(rows)
    assert found is not None
    assert list(found["adjusted"].values()) == pytest.approx([0.04, 0.09, 0.09, 0.2])
    assert (found["tests"], found["significant"], found["holm"]) == (4, 3, 1)
    assert found["sentence"].startswith(
        "Of 4 main estimates, 3 have p below .05. If there were no effect anywhere, about 0.2 would."
    )
    assert multiplicity(rows[:1]) is None
    assert multiplicity([_row("A", 1), _row("B", 1)]) is None


def test_the_page_draws_the_pool_and_a_funnel_to_scale(tmp_path: Path) -> None:
    rows = [_row(*c, p=0.001) for c in CLINICS]
    found = pools(rows)
    (forest,) = forests(rows, found)
    pool = found[0]
    low = min(0.0, pool["prediction_low"], *(r["estimate"]["ci_low"] for r in rows))
    high = max(0.0, pool["prediction_high"], *(r["estimate"]["ci_high"] for r in rows))
    assert forest["pool"]["at"] == pytest.approx(4 + 92 * (pool["mu"] - low) / (high - low), abs=0.01)
    assert forest["pool"]["far_low"] == pytest.approx(
        4 + 92 * (pool["prediction_low"] - low) / (high - low), abs=0.01
    )
    outside = sum(abs(e - pool["mu"]) > 1.96 * s for _, e, s in CLINICS)
    assert (forest["funnel"]["outside"], len(forest["funnel"]["points"])) == (outside, 5)
    deepest = max(forest["funnel"]["points"], key=lambda point: point[1])
    assert deepest[2] == "D"  # the least precise clinic is lowest
    write_index(tmp_path, Overview(rows, pools=found, many=multiplicity(rows)))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert lint(page, sorts=True) == []
    words = " ".join("".join(Page(page).words).split())
    assert "Mean of 5 clinics" in words
    assert "A new clinic (95 % prediction)" in words
    assert f"{outside} of 5 lie outside" in words
    assert "After correction for all 5 tests (Holm), 5 are left." in words


def test_the_csv_has_every_cell_at_full_precision_and_no_formula() -> None:
    skipped = {
        **_row("=cmd()", 0, window="1,3"),
        "status": "excluded",
        "error": "Left out.",
        "estimate": None,
        "folder": "",
    }
    rows = [_row("A", 1 / 3, p=0.01, window="1,5"), _row("B", 0.5, p=0.5)]
    text = index_csv(Overview(rows, [skipped], many=multiplicity(rows)))
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["study"] for line in lines] == ["A", "B", "'=cmd()"]
    assert float(lines[0]["estimate"]) == 1 / 3
    assert float(lines[0]["p_holm"]) == 0.02
    assert (lines[0]["window"], lines[1]["window"]) == ("1,5", "")
    assert (lines[2]["status"], lines[2]["reason"], lines[2]["estimate"]) == ("excluded", "Left out.", "")


def test_what_changed_and_why() -> None:
    made = {"data": "1", "study_file": "1", "notebook": "1", "package": "1", "numpy": "2.0", "python": "3.11"}
    then = [_row(n, 1.0) | {"made_of": made} for n in "ABCDEF"]
    now = [row | {} for row in then if row["study"] != "F"]
    now[1] |= {
        "key": "new",
        "made_of": made | {"data": "2"},
        "estimate": {**now[1]["estimate"], "estimate": 2.0},
    }
    now[2] |= {"key": "new", "made_of": made | {"package": "2", "numpy": "2.1"}}
    now[3] |= {"key": "new"}
    now[4] |= {"status": "failed", "error": "Too few.", "estimate": None}
    now.append(_row("G", 1.0))
    lines = {line.pop("label"): line for line in changes(summary(then), now)}
    assert lines == {
        "B (tiny)": {"what": "made again", "why": "The data changed.", "before": "1.00", "now": "2.00"},
        "C (tiny)": {
            "what": "made again",
            "why": "This package and numpy changed.",
            "before": "1.00",
            "now": "1.00",
        },
        "D (tiny)": {
            "what": "made again",
            "why": "A parameter of the analysis, or its default, has changed.",
            "before": "1.00",
            "now": "1.00",
        },
        "E (tiny)": {"what": "failed", "why": "Too few.", "before": "1.00", "now": ""},
        "F (tiny)": {
            "what": "gone",
            "why": "The batch file no longer asks for it.",
            "before": "1.00",
            "now": "",
        },
        "G (tiny)": {
            "what": "new",
            "why": "The batch file did not ask for it before.",
            "before": "",
            "now": "1.00",
        },
    }
    assert changes(None, now) == []
    back = [{**now[4], "status": "complete", "error": None, "estimate": then[4]["estimate"], "made_of": made}]
    assert changes(summary([now[4]]), back)[0]["what"] == "complete now"


def test_a_second_run_says_what_changed_and_keeps_the_rest(lab: Lab, tmp_path: Path) -> None:
    def run(label: str) -> dict[str, Any]:
        (tmp_path / "grid.yaml").write_text(
            f"studies: {{A: a/study.yaml, B: b/study.yaml}}\nnotebook: tiny\nparameters: {{label: [one, {label}]}}\n"
            "exclude: [{study: B, label: one}]\n",
            encoding="utf-8",
        )
        known = {"registry": tiny.REGISTRY, "notebooks": lab.folder}
        batch = run_batch(tmp_path / "grid.yaml", tmp_path / "out", jobs=2, **known)
        assert batch.ok, [row["error"] for row in batch.rows]
        page = batch.page.read_text(encoding="utf-8")
        assert lint(page, sorts=True) == []
        return dict(json.loads((tmp_path / "out" / "batch.json").read_text(encoding="utf-8"))) | {
            "page": page
        }

    tiny.write_study(tmp_path / "a")
    tiny.write_study(tmp_path / "b", (3.0, 4.0))
    first = run("two")
    assert first["changes"] == []
    assert "What changed since the last run" not in first["page"]
    assert [row["error"] for row in first["not_run"]] == ["The batch file excludes study B, label one."]
    assert "The batch file excludes study B, label one." in first["page"]
    assert "Nothing: every report is as it was." in run("two")["page"]
    tiny.write_study(tmp_path / "b", (3.0, 5.0))
    third = run("two")
    (line,) = third["changes"]
    assert line == {
        "label": "B, label two (tiny)",
        "what": "made again",
        "why": "The data changed.",
        "before": "3.50",
        "now": "4.00",
    }
    assert baseline(tmp_path / "out") is not None
    assert crate_problems(tmp_path / "out") == []
    crate = tmp_path / "out" / CRATE
    before = crate.read_bytes()
    run("two")
    assert crate.read_bytes() == before
    assert str(tmp_path).encode() not in before
    crate.write_bytes(before.replace(b'"datePublished": "2', b'"datePublished": "1'))
    run("two")  # another day: the same reports keep theirs
    assert b'"datePublished": "1' in crate.read_bytes()
    fourth = run("three")
    assert {c["what"] for c in fourth["changes"]} == {"new", "gone"}


def _everything(folder: Path) -> str:
    """An index that has each of its parts and sentences."""
    rows = [_row(*c, p=0.01 * k) for k, c in enumerate(CLINICS, 1)]
    rows.append(_row("X", 0.2) | {"status": "failed", "error": "canary", "estimate": None})
    rows.append(_row("Y", 0.2) | {"status": "waiting", "estimate": None})
    skipped = [
        _row("Z", 0.2) | {"status": state, "error": "canary", "estimate": None}
        for state in ("excluded", "same")
    ]
    before = summary(
        [_row("A", 1.0) | {"key": "older", "made_of": {"data": "x", "package": "y"}}, _row("Gone", 1.0)]
    )
    overview = Overview(
        *(rows, skipped, ["canary"], pools(rows), multiplicity(rows), changes(before, rows), before, True)
    )
    write_index(folder, overview)
    other = folder / "old"
    other.mkdir(exist_ok=True)
    (other / "manifest.json").write_text("{}")
    write_index(folder, overview)
    return (folder / "index.html").read_text(encoding="utf-8")


def test_the_german_index_has_no_english_left(tmp_path: Path) -> None:
    """Every text of the page, titles and descriptions of pictures too, is another one in German, but for names and numbers."""
    english = _texts(_everything(tmp_path))
    with in_language_here("de"):
        page = _everything(tmp_path)
    german = _texts(page)
    names = {"tiny", "canary", "Within", "Complete", "index.csv", "batch.json", ", points", "p, Holm", "p"}
    kept = {t for t in english & german if re.search("[A-Za-z]{2}", t.replace("(tiny)", ""))} - names
    assert kept - {"(X ): canary", "(X (tiny)): canary", "Gone (tiny)"} == set()
    with in_language_here("de"):
        assert translated("This page is in English.") in page
        assert f" {translated('this package')}." in page
    assert "−0,9" in page
    assert lint(page.replace('<html lang="de">', '<html lang="en">'), sorts=True) == []


def _texts(page: str) -> set[str]:
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    said = re.findall(r">([^<>]+)<", body) + re.findall(r'(?:aria-label|title)="([^"]+)"', body)
    return {text.replace("\N{NO-BREAK SPACE}", " ").strip() for text in said} - {""}
