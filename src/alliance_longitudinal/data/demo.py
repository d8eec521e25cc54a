"""The demonstration study: the simulated clinic group written as the messy export that a clinic has.

Semicolons, decimal commas, day-first dates, an old Windows encoding, several codes for "missing", item columns side
by side, rows in order of date, a few clients who changed therapist. The files are bundled (``demo_files/``); this
module made them, and a test makes them again and compares every byte.
"""

import errno
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from alliance_longitudinal.data.synthetic import SIMULATED_NOTE
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.simulation import ClinicTruth, simulate_clinic

DEMO_SEED = 2026
#: Name that stands for the bundled study.
DEMO = "demo"
_BUNDLED = Path(__file__).with_name("demo_files")
_SITES = ("Nord", "Süd", "Stadtmitte")
_MISSING_CODES = ("", "k.A.", "-99", "NA")
_TRANSFERRED = 3

_STUDY_FILE = f"""# A study file says where the tables are and what their columns mean. Copy it and edit it for your own export.
study: "Demonstration clinic group"
simulated:
  note: "{SIMULATED_NOTE}"
  truth: truth.yaml          # the parameters that made the data; leave 'simulated' out for real data

tables:
  sessions:                  # one row per client and session
    file: sessions.csv
    columns:
      client: ClientNo
      therapist: Therapist
      clinic: Site
      session: SessionNo     # 0 = intake
      date: Date
  clients:                   # optional: one row per client, for baseline covariates
    file: clients.csv
    columns:
      client: ClientNo

dialect:                     # how the files are written
  separator: ";"
  decimal: ","
  encoding: cp1252
  dates: day-first
  missing: ["", "k.A.", "-99", "NA"]

measures:
  alliance:                  # the name is yours; it becomes a column of study.sessions
    instrument: wai_sr       # see: alliance instruments
    rater: client
    items: "WAI_{{item}}"
    timing: end              # filled in after the session
  phq9:
    instrument: phq_9
    rater: client
    total: PHQ9_total
    timing: start

baseline: [Age, Sex]
early_window: [1, 5]         # sessions that count as early
transfers: first             # a client with several therapists is analysed under the first
"""

_README = f"""Demonstration study
===================

{SIMULATED_NOTE}

sessions.csv   the export: one row per client and session (semicolons, decimal commas, day-first dates)
clients.csv    age and sex; they are unrelated to everything else
truth.yaml     the true parameters
study.yaml     tells the package how to read the export; edit it for your own files

alliance check study.yaml
alliance report study.yaml --notebook early_alliance --out my_report
"""


def demo_study_path() -> Path:
    """The study file of the bundled demonstration study."""
    return _BUNDLED / "study.yaml"


def is_demo(study: str | Path) -> bool:
    """Whether ``study`` means the bundled demonstration study."""
    return str(study) == DEMO and not Path(DEMO).exists()


def study_file_path(study: str | Path) -> Path:
    """Where the study file is; ``"demo"`` is the bundled one unless a file of that name exists."""
    return demo_study_path() if is_demo(study) else Path(study)


def write_demo(folder: str | Path) -> Path:
    """Copy the demonstration study into ``folder``, to be looked at and edited.

    Returns
    -------
    Path
        The copied study file.

    Raises
    ------
    StudyError
        If one of the files exists there already (nothing is overwritten), or the folder cannot be written.
    """
    target = Path(folder)
    names = sorted(p.name for p in _BUNDLED.iterdir() if p.is_file())
    there = [name for name in names if (target / name).exists()]
    if there:
        raise StudyError(
            f"{target} already holds {there[0]!r}; nothing was written. Name another folder, such as {target}_2."
        )
    new = not target.exists()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copyfile(_BUNDLED / name, target / name)
    except OSError as error:
        with suppress(OSError):  # nothing half-written stays behind
            for name in names:
                (target / name).unlink(missing_ok=True)
            if new:
                target.rmdir()
        full = error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
        why = "the disk is full" if full else error.strerror or type(error).__name__
        raise StudyError(
            f"The demonstration study cannot be written to {target}: {why}. Name another folder."
        ) from error
    return target / "study.yaml"


def make_demo_files(folder: Path, seed: int = DEMO_SEED) -> None:
    """Simulate the clinic group and write the five files of the demonstration study into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = ClinicTruth()
    rng = np.random.default_rng([seed, 1])
    sessions = simulate_clinic(seed, truth).sessions
    _write(folder / "sessions.csv", _export(rng, sessions), "cp1252")
    _write(folder / "clients.csv", _clients(rng, sessions), "cp1252")
    lines = [f"{name}: {value}" for name, value in truth.to_dict().items()]
    text = "# True parameters of the simulated clinic group; help(alliance_longitudinal.ClinicTruth) tells what they mean.\n"
    (folder / "truth.yaml").write_text(text + f"seed: {seed}\n" + "\n".join(lines) + "\n", encoding="utf-8")
    (folder / "study.yaml").write_text(_STUDY_FILE, encoding="utf-8")
    (folder / "README.txt").write_text(_README, encoding="utf-8")


def _write(path: Path, frame: pd.DataFrame, encoding: str) -> None:
    frame.to_csv(path, sep=";", index=False, encoding=encoding, lineterminator="\r\n")


def _export(rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    """The session table as text, the way an old practice system writes it."""
    clients = sessions["client"].unique()
    first = pd.Timestamp("2023-01-09") + pd.to_timedelta(rng.integers(0, 500, len(clients)), unit="D")
    start = sessions["client"].map(dict(zip(clients, first, strict=True)))
    date = start + pd.to_timedelta(7 * sessions["week"], unit="D")
    site = sessions["therapist"].str[1:].astype(int).sub(1).floordiv(10).map(dict(enumerate(_SITES)))
    out = pd.DataFrame(
        {
            "ClientNo": sessions["client"],
            "Therapist": _with_transfers(rng, sessions),
            "Site": site,
            "SessionNo": sessions["session"].astype(str),
            "Date": date.dt.strftime("%d.%m.%Y"),
        }
    )
    for k in range(1, 13):
        out[f"WAI_{k}"] = _as_text(rng, sessions[f"wai_{k}"])
    out["PHQ9_total"] = _as_text(rng, sessions["phq9"])
    order = np.lexsort((sessions["client"], date))
    return out.iloc[order]


def _with_transfers(rng: np.random.Generator, sessions: pd.DataFrame) -> pd.Series:
    """A few clients go on with a colleague from session 9."""
    long = sessions.loc[sessions["session"] >= 12, "client"].unique()
    moved = set(rng.choice(long, _TRANSFERRED, replace=False))
    number = sessions["therapist"].str[1:].astype(int)
    colleague = "T" + ((number - 1) // 10 * 10 + number % 10 + 1).astype(str).str.zfill(2)
    later = sessions["client"].isin(moved) & (sessions["session"] >= 9)
    return sessions["therapist"].where(~later, colleague)


def _as_text(rng: np.random.Generator, values: pd.Series) -> pd.Series:
    """Whole numbers as text, and one of the codes for "missing" where there is none."""
    codes = pd.Series(rng.choice(_MISSING_CODES, len(values), p=[0.7, 0.1, 0.1, 0.1]), index=values.index)
    return values.map(lambda v: f"{v:.0f}").where(values.notna(), codes)


def _clients(rng: np.random.Generator, sessions: pd.DataFrame) -> pd.DataFrame:
    ids = sessions["client"].unique()
    age = np.clip(rng.normal(38, 12, len(ids)), 18, 80)
    return pd.DataFrame(
        {
            "ClientNo": ids,
            "Age": [f"{a:.1f}".replace(".", ",") for a in age],
            "Sex": rng.choice(["f", "m"], len(ids), p=[0.66, 0.34]),
        }
    )
