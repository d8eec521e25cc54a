"""Rows copied to another client: of a whole client, and rows that agree by chance only."""

from pathlib import Path

import numpy as np
import pandas as pd

import alliance_longitudinal as al

NAMES = ("phq_9", "gad_7", "bdi_ii", "core_10", "bai")


def totals(clients: int, sessions: int, highest: int) -> pd.DataFrame:
    """As many sessions of each client, with five totals from 4 to ``highest`` that are due to chance."""
    rng = np.random.default_rng(3)
    rows = pd.DataFrame(
        {"c": np.repeat(np.arange(clients), sessions), "n": np.tile(np.arange(sessions), clients)}
    )
    return rows.assign(**{name: rng.integers(4, highest + 1, len(rows)) for name in NAMES})


def told(folder: Path, rows: pd.DataFrame) -> tuple[str, str, str]:
    """Verdict, number of agreeing rows, and what the report says of chance."""
    rows.to_csv(folder / "rows.csv", index=False)
    listed = "".join(f"  {name}: {{instrument: {name}, total: {name}}}\n" for name in NAMES)
    file = "tables:\n  sessions: {file: rows.csv, columns: {client: c, session: n}}\nmeasures:\n"
    (folder / "study.yaml").write_text(f"study: Totals\n{file}{listed}", encoding="utf-8")
    result = al.data_quality(al.load_study(folder / "study.yaml"), models=False)
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
