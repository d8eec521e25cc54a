"""Real session data: 57 clients with generalised anxiety, 13 therapists (`../shared/data`, README there).

The reference figures are independent fits by lme4 1.1-31 on scores on the scale ``bai / 10``, ``time = session - 1``.
"""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "implement_gad"
DATA = "implement_gad_sessions_rescaled.csv"


@pytest.fixture(scope="module")
def study_file(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study file beside a copy of the real data."""
    folder = tmp_path_factory.mktemp("gad")
    for path in FIXTURE.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(FIXTURE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    text = (folder / "study.yaml").read_text(encoding="utf-8")
    line = next(row for row in text.splitlines() if DATA in row)
    name = line.split("file:")[1].split("#")[0].strip()
    (folder / "study.yaml").write_text(text.replace(name, DATA), encoding="utf-8")
    (folder / DATA).write_bytes((shared_data / DATA).read_bytes())
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def study(study_file: Path) -> Study:
    return al.load_study(study_file)


@pytest.fixture(scope="module")
def rows(study: Study) -> pd.DataFrame:
    """Scores on the scale of the reference fits, and the pairs alliance(t), symptoms(t + 1)."""
    frame = study.sessions.assign(bai=lambda d: d["bai"] / 10, time=lambda d: d["session"] - 1.0)
    for name in ("wai", "bai"):
        following = frame[["client", "session", name]].assign(session=frame["session"] - 1)
        frame = frame.merge(
            following.rename(columns={name: f"{name}_next"}), on=["client", "session"], how="left"
        )
    return frame


def variances(result: al.MixedModelResults) -> dict[str, float]:
    table = result.varcorr
    return dict(zip(table["group"], table["vcov"], strict=True))


def within_between(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    mean = frame.groupby("client")[name].transform("mean")
    return frame.assign(within=frame[name] - mean, between=mean)


def test_null_model_of_alliance(rows: pd.DataFrame) -> None:
    fit = al.MixedModel.from_formula("wai ~ 1 + (1 | therapist/client)", rows).fit()
    found = variances(fit)
    assert fit.params["Intercept"] == pytest.approx(3.958, abs=5e-4)
    assert found["client:therapist"] == pytest.approx(0.2564, abs=5e-5)
    assert found["therapist"] == pytest.approx(0.0067, abs=5e-5)
    assert found["Residual"] == pytest.approx(0.1368, abs=5e-5)


def test_null_model_of_symptoms_has_its_therapist_variance_at_the_boundary(rows: pd.DataFrame) -> None:
    fit = al.MixedModel.from_formula("bai ~ 1 + (1 | therapist/client)", rows).fit()
    found = variances(fit)
    assert found["client:therapist"] == pytest.approx(0.590, abs=5e-4)
    assert found["Residual"] == pytest.approx(0.476, abs=5e-4)
    assert found["therapist"] == pytest.approx(0, abs=1e-8)
    assert fit.converged
    assert fit.singular
    assert "boundary" in fit.convergence


@pytest.mark.parametrize(("name", "level", "slope"), [("wai", 3.729, 0.0355), ("bai", 1.894, -0.0785)])
def test_growth(rows: pd.DataFrame, name: str, level: float, slope: float) -> None:
    fit = al.MixedModel.from_formula(f"{name} ~ time + (1 + time | client)", rows).fit()
    # printed to three and four digits
    assert fit.params["Intercept"] == pytest.approx(level, abs=5e-4)
    assert fit.params["time"] == pytest.approx(slope, abs=5e-5)


#: What is predicted, by what (split by client), given what: rows, then coefficients and standard errors as published.
LAGGED = {
    "alliance to next symptoms": (
        "bai_next",
        "wai",
        "time",
        651,
        {"within": (-0.0231, 0.0762), "between": (0.0770, 0.2070)},
    ),
    "given symptoms now": (
        "bai_next",
        "wai",
        "bai + time",
        636,
        {"within": (0.0527, 0.0739), "bai": (0.4537, 0.0340)},
    ),
    "symptoms to alliance after": ("wai", "bai", "time", 696, {"within": (-0.0505, 0.0215)}),
}


@pytest.mark.parametrize("name", LAGGED)
def test_within_and_between_clients(rows: pd.DataFrame, name: str) -> None:
    outcome, predictor, given, n, published = LAGGED[name]
    used = [outcome, predictor, *given.split(" + ")]
    pairs = within_between(rows, predictor).dropna(subset=used)  # the client's mean is of all own ratings
    fit = al.MixedModel.from_formula(f"{outcome} ~ within + between + {given} + (1 | client)", pairs).fit()
    assert fit.nobs == n
    for term, (estimate, se) in published.items():
        # printed to four digits
        assert (fit.params[term], fit.bse[term]) == (
            pytest.approx(estimate, abs=5e-5),
            pytest.approx(se, abs=5e-5),
        )


@pytest.fixture(scope="module")
def early(study: Study) -> AnalysisResult:
    return al.early_alliance(study, sensitivity=False)


def test_thirteen_therapists_are_too_few_for_a_therapist_effect(early: AnalysisResult) -> None:
    assert early.status["code"] == "underpowered"
    assert "13 therapists are too few to estimate differences between therapists" in early.answer[1]
    assert any(
        "13 therapists are too few to estimate how therapists differ" in reason
        for reason in early.status["reasons"]
    )


def test_the_effect_of_alliance_is_open_here(early: AnalysisResult) -> None:
    """The README warns that alliance has no effect in these data: the answer must not claim one."""
    within = early.estimates.set_index("id").loc["slope_within"]
    assert within["ci_low"] < 0 < within["ci_high"]
    assert "so it is not clear whether" in early.answer[0]


def test_the_variance_partition_runs_on_real_data(study: Study) -> None:
    result = al.variance_partition(study)
    shares = result.estimates.set_index("id")["estimate"]
    assert shares["level_wai_client"] > shares["level_wai_therapist"]
    assert result.status["code"] == "underpowered"
    assert "linear course over sessions" in result.methods  # the file has neither dates nor weeks


def alliance(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "alliance_longitudinal.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_check_on_the_command_line(study_file: Path) -> None:
    check = alliance("check", study_file)
    assert check.returncode == 0, check.stderr
    assert "57 clients" in check.stdout


@pytest.mark.slow
@pytest.mark.parametrize("notebook", ["early_alliance", "variance_partition"])
def test_both_reports_on_the_command_line(study_file: Path, tmp_path: Path, notebook: str) -> None:
    report = alliance("report", study_file, "--notebook", notebook, "--out", tmp_path / "report")
    assert report.returncode == 0, report.stderr
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8").replace("\xa0", " ")
    assert "13 therapists are too few to estimate how therapists differ" in page
    assert "Underpowered" in page


def test_falls_and_course_of_the_alliance_on_real_data(study: Study) -> None:
    """Falls counted by hand, and the AIC of a line by a mixed model of its own."""
    rated = study.sessions.dropna(subset=["wai"]).sort_values(["client", "session"])
    often = rated[rated.groupby("client")["session"].transform("size") >= 8]
    by = often.groupby("client")
    sd = (by["wai"].var(ddof=0) * by.size()).sum() / (len(often) - by.ngroups)
    before = by[["session", "wai"]].shift()
    consecutive = often["session"].eq(before["session"] + 1)
    falls = int((consecutive & (before["wai"] - often["wai"] > sd**0.5)).sum())
    events = al.alliance_events(study, simulations=50).estimates.set_index("id")
    assert events.loc["n_drop_1sd", ["estimate", "n"]].tolist() == [falls, consecutive.sum()]
    course = al.alliance_course(study, shapes=("linear", "log")).estimates.set_index("id")
    line = al.MixedModel.from_formula(
        "wai ~ time + (1 + time | client)", rated.assign(time=rated["session"] - 1)
    ).fit(reml=False)
    assert course.loc["aic_linear", "estimate"] == pytest.approx(line.aic, abs=1e-4)
