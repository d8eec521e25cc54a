"""Rows copied to another client (a whole client, and rows that agree by chance only), and the same answer to all items."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from inside.analyses_data_quality import quality_checks

NAMES = ("phq_9", "gad_7", "bdi_ii", "core_10", "bai")


def totals(clients: int, sessions: int, highest: int) -> pd.DataFrame:
    """As many sessions of each client, with five totals from 4 to ``highest`` that are due to chance."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        {"c": np.repeat(np.arange(clients), sessions), "n": np.tile(np.arange(sessions), clients)}
    )
    return rows.assign(**{name: rng.integers(4, highest + 1, len(rows)) for name in NAMES})


def study_of(folder: Path, rows: pd.DataFrame) -> al.Study:
    rows.to_csv(folder / "rows.csv", index=False)
    listed = "".join(f"  {name}: {{instrument: {name}, total: {name}}}\n" for name in NAMES)
    file = "tables:\n  sessions: {file: rows.csv, columns: {client: c, session: n}}\nmeasures:\n"
    (folder / "study.yaml").write_text(f"study: Totals\n{file}{listed}", encoding="utf-8")
    return al.load_study(folder / "study.yaml")


def told(folder: Path, rows: pd.DataFrame) -> tuple[str, int, str]:
    """Verdict, number of agreeing rows, and what the report says of chance."""
    result = al.data_quality(study_of(folder, rows), models=False)
    row = result.table("checks").to_frame().set_index("title").loc["Rows copied to another client"]
    message = next((n.message for n in result.notes if n.code == "quality_copied"), "")
    return row["verdict"], int(row["found"]), message


def test_a_whole_client_who_is_there_twice_is_found(tmp_path: Path) -> None:
    """Both have the same rows at the same sessions; by chance hardly any two rows agree in five totals."""
    rows = totals(40, 6, 17)
    rows.loc[rows["c"] == 1, list(NAMES)] = rows.loc[rows["c"] == 0, list(NAMES)].to_numpy()
    verdict, found, message = told(tmp_path, rows)
    assert (verdict, found) == ("problem", 12)
    assert "12 of 240 rows" in message
    assert "By chance alone about 0 would agree." in message


def test_rows_that_agree_by_chance_are_no_copies(tmp_path: Path) -> None:
    """All clients have as many sessions; five totals of two values each agree in one of 32 cases."""
    verdict, found, _ = told(tmp_path, totals(6, 40, 5))
    assert (verdict, found > 20) == ("fine", True)


def test_the_number_of_rows_that_agree_by_chance(tmp_path: Path) -> None:
    """Two clients with one of three rows at each of sixty sessions, by all ways to move one of them by up to four."""
    three = np.array([[4, 5, 6, 7, 8], [8, 7, 6, 5, 4], [5, 8, 4, 6, 7]])
    which = np.random.default_rng(5).integers(0, 3, (2, 60))
    rows = totals(2, 60, 5)
    rows[list(NAMES)] = three[which.ravel()]
    (check,) = (c for c in quality_checks(study_of(tmp_path, rows), models=False) if c.id == "copied")
    by_chance = int(re.findall(r"By chance alone about (\d+) would agree", check.result)[0])
    moved = [2 * (which[0] == np.roll(which[1], k)).sum() for k in (-4, -3, -2, -1, 1, 2, 3, 4)]
    assert by_chance == pytest.approx(np.mean(moved), abs=6)


def test_the_same_answer_to_all_items_counts_unless_it_is_the_end_of_a_scale(tmp_path: Path) -> None:
    """The PHQ-9 has no reversed items: nought throughout is an honest answer of somebody without symptoms."""
    rng = np.random.default_rng(4)
    items = [f"p{k}" for k in range(1, 10)]
    rows = pd.DataFrame({"c": np.repeat(np.arange(40), 3), "n": np.tile([1, 2, 3], 40)})
    rows[items] = rng.integers(0, 4, (len(rows), 9))
    rows["p1"], rows["p2"] = 1, 2
    rows.loc[:19, items], rows.loc[20:31, items] = 0, 2
    rows.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "study.yaml").write_text(
        "study: Forms\ntables:\n  sessions: {file: rows.csv, columns: {client: c, session: n}}\n"
        "measures:\n  phq9: {instrument: phq_9, items: 'p{item}'}\n",
        encoding="utf-8",
    )
    result = al.data_quality(al.load_study(tmp_path / "study.yaml", forms=True), models=False)
    row = result.table("checks").to_frame().set_index("title").loc["Straight-lining"]
    assert (row["n"], row["found"]) == (120, 12)
