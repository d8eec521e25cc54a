"""The generator does what its text says: known effects are there before any of our models sees the data."""

from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from alliance_longitudinal.data.demo import DEMO_SEED, demo_study_path, make_demo_files, write_demo
from alliance_longitudinal.data.synthetic import ClinicTruth, session_table, simulate_clinic_group
from alliance_longitudinal.errors import StudyError

BIG = ClinicTruth(therapists=300, clients=9_000)


def test_same_seed_same_data_other_seed_other_data() -> None:
    first, again, other = (session_table(simulate_clinic_group(s)) for s in (1, 1, 2))
    assert first.equals(again)
    assert not first["phq9"].equals(other["phq9"])


def test_client_slopes_follow_the_equation() -> None:
    """Least-squares slopes of each client after session 5, regressed on the predictors, give the parameters."""
    clinic = simulate_clinic_group(5, BIG)
    early = clinic.wai[:, 1:6].sum(axis=2)
    complete = (
        ~np.isnan(early).any(axis=1) & (clinic.attended[:, 6:].sum(axis=1) >= 4) & ~np.isnan(clinic.phq[:, 5])
    )
    rows, slopes, weights = np.flatnonzero(complete), [], []
    for i in rows:
        there = clinic.attended[i, 6:] & ~np.isnan(clinic.phq[i, 6:])
        weeks, y = clinic.weeks[i, 6:][there], clinic.phq[i, 6:][there]
        slopes.append(np.polyfit(weeks, y, 1)[0])
        weights.append(((weeks - weeks.mean()) ** 2).sum())
    mean = early[rows].mean(axis=1)
    therapist = clinic.client_therapist[rows]
    of_therapist = np.bincount(therapist, mean)[therapist] / np.bincount(therapist)[therapist]
    change = clinic.phq[rows, 5] - clinic.phq[rows, 0]
    x = sm.add_constant(np.column_stack([mean - of_therapist, of_therapist, clinic.phq[rows, 0], change]))
    variance = BIG.error_sd**2 / np.array(weights) + BIG.client_slope_sd**2 + BIG.therapist_slope_sd**2
    fit = sm.WLS(np.array(slopes), x, weights=1 / variance).fit()
    truth = [BIG.within, BIG.between, BIG.intake_effect, BIG.change_effect]
    # Rounding and the floor of 0 shrink slopes by a few per cent; three standard errors plus 8 % allow for it.
    allowed = 3 * fit.bse[1:] + 0.08 * np.abs(truth)
    assert (np.abs(fit.params[1:] - truth) < allowed).all(), (fit.params[1:], truth, allowed)


def test_severe_clients_leave_earlier() -> None:
    table = session_table(simulate_clinic_group(6, BIG))
    left = table.groupby("client")["session"].max() < 5
    intake = table[table["session"] == 0].set_index("client")["phq9"]
    assert intake[left].mean() > intake[~left].mean() + 0.5


def test_the_bundled_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    make_demo_files(tmp_path, DEMO_SEED)
    bundled = demo_study_path().parent
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in bundled.iterdir())
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (bundled / path.name).read_bytes(), path.name


def test_write_demo_never_overwrites(tmp_path: Path) -> None:
    assert write_demo(tmp_path / "demo") == tmp_path / "demo" / "study.yaml"
    with pytest.raises(
        StudyError, match=r"already holds 'README\.txt'; nothing was written\. Name another folder"
    ):
        write_demo(tmp_path / "demo")
