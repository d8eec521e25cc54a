"""A clean study in files, with room to plant trouble in it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import alliance_longitudinal as al

ITEMS = [f"wai_{k}" for k in range(1, 13)]
STUDY = """\
study: Planted clinic
tables:
  sessions:
    file: sessions.csv
    columns: {{client: client, therapist: therapist, session: session, date: date{more}}}
measures:
  alliance: {{instrument: wai_s, items: "wai_{{item}}", timing: end}}
  phq9: {{instrument: phq_9, total: phq9}}
baseline: [age]
"""
Plant = Callable[[pd.DataFrame, np.random.Generator], None]


def clean_frame(seed: int = 7, **truth: float) -> pd.DataFrame:
    """240 clients of 12 therapists on weekdays; items 4 and 10 stand in the file as the form prints them."""
    clinic = al.simulate_clinic(
        seed, therapists=12, clients=240, **{"dropout_by_severity": 0.0, "dropout_intercept": -3.0, **truth}
    )
    frame = clinic.sessions
    person = frame["client"].astype(int)
    start = pd.Timestamp("2022-01-03") + pd.to_timedelta(7 * (person % 45) + person % 5, unit="D")
    frame["date"] = start + pd.to_timedelta(7 * frame["session"], unit="D")
    frame["age"] = 20 + (person * 7) % 45
    frame[["wai_4", "wai_10"]] = 8 - frame[["wai_4", "wai_10"]]
    return frame.drop(columns="week")


def planted(folder: Path, frame: pd.DataFrame, plant: Plant | None = None) -> al.Study:
    """The study of ``frame`` after ``plant`` has changed a copy of it."""
    frame = frame.copy()
    if plant is not None:
        plant(frame, np.random.default_rng(3))
    folder.mkdir(parents=True, exist_ok=True)
    out = frame.assign(date=frame["date"].dt.strftime("%Y-%m-%d"))
    for column in [*ITEMS, "phq9"]:
        out[column] = out[column].map(lambda v: "" if pd.isna(v) else f"{v:g}")
    out.to_csv(folder / "sessions.csv", index=False)
    more = ", mode: mode" if "mode" in frame else ""
    (folder / "study.yaml").write_text(STUDY.format(more=more), encoding="utf-8")
    return al.load_study(folder / "study.yaml", forms=True)
