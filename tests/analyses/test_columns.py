"""Columns say what their numbers rest on: by it, outsiders are shown no count that is too small."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult
from alliance_longitudinal.present import Column
from analyses.quality_studies import clean_frame, planted
from analyses.studies import QUICK
from inside.analyses_registry import REGISTRY

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AnalysisResult]:
    """Every analysis of a study with items, totals and dates."""
    study = planted(tmp_path_factory.mktemp("columns") / Path("study"), clean_frame())
    return {name: getattr(al, name)(study, **QUICK.get(name, {})) for name in REGISTRY}


def shown(result: AnalysisResult) -> Iterator[tuple[str, tuple[Column, ...], Rows]]:
    """Tables and the data of figures: name, columns, rows."""
    for table in result.tables:
        keys = [c.key for c in table.columns]
        yield table.name, table.columns, [dict(zip(keys, r, strict=True)) for r in table.rows]
    for spec in result.figure_specs:
        rows: Any = spec.data.to_dict("records")
        yield f"figure {spec.name}", spec.columns, rows


@pytest.mark.parametrize("name", REGISTRY)
def test_what_a_number_rests_on_is_counted_beside_it(name: str, results: dict[str, AnalysisResult]) -> None:
    wrong = []
    for where, columns, _ in shown(results[name]):
        kinds = {c.key: c.kind for c in columns}
        for c in columns:
            wrong += [
                f"{where}: {c.key} is of {k!r}" for k in (c.of, c.total) if k and kinds.get(k) != "count"
            ]
            if c.kind == "percent" and not (c.of or c.modelled):
                wrong.append(f"{where}: {c.key} does not say of whom it is the share")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_header_counts_as_the_table_of_the_sample(name: str, results: dict[str, AnalysisResult]) -> None:
    """Therapists of the header are those whose clients the table describes, not its clients or rows."""
    result = results[name]
    header = dict(result.facts).get("Therapists")
    tables = [t.to_frame().set_index("what") for t in result.tables if t.name == "sample"]
    if header is None or not tables or "Therapists" not in tables[0].index:
        return
    assert str(header) == str(tables[0].loc["Therapists"].iloc[0])


@pytest.mark.parametrize("name", REGISTRY)
def test_a_share_is_the_part_of_the_whole_that_it_names(
    name: str, results: dict[str, AnalysisResult]
) -> None:
    for where, columns, rows in shown(results[name]):
        by_key = {c.key: c for c in columns}
        for c in columns:
            if c.kind != "percent" or c.modelled or c.key.endswith(("_low", "_high")):
                continue
            total = by_key[c.of].total
            for row in rows:
                if not isinstance(row[c.key], float) or row[c.key] != row[c.key]:
                    continue
                if total:
                    assert row[c.key] == pytest.approx(row[c.of] / row[total], rel=1e-12), where
                elif "expected" not in str(row):  # a mean over simulated data
                    part = row[c.key] * row[c.of]
                    assert part == pytest.approx(round(part), abs=1e-6), where


def test_the_bands_of_the_course_are_as_wide_as_their_standard_errors_say(
    results: dict[str, AnalysisResult],
) -> None:
    """One df for all: the middle third used to have the widest band with the smallest standard error."""
    result = results["early_alliance"]
    lines = next(f for f in result.figure_specs if f.name == "course").data.query("kind == 'model'")
    lines = lines[~lines["label"].str.contains("of therapists", regex=False)]  # those are of the other part
    growth = result.models["growth"].with_errors("CR2", "therapist")  # fewer than 20 therapists
    half = ((lines["high"] - lines["low"]) / 2).astype(float).to_numpy()
    start = lines.groupby("group").head(1)
    centres = {
        int(g): float(label.split("(")[1].split()[0].replace("\u2212", "-"))
        for g, label in zip(start["group"], start["label"], strict=True)
    }
    se = [
        float(
            growth.contrast(
                {
                    "Intercept": 1.0,
                    "weeks": w,
                    "early_client": centres[g],
                    "weeks:early_client": centres[g] * w,
                }
            ).iloc[0]["se"]
        )
        for g, w in zip(lines["group"], lines["weeks"], strict=True)
    ]
    quantile = half / se
    # the labels give the centres to one decimal, so the errors agree to about a hundredth
    assert quantile == pytest.approx(quantile.mean(), rel=0.02)
