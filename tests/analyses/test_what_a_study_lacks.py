"""``al.list_analyses(study)`` says for every analysis what a study lacks, without fitting anything."""

from pathlib import Path

import pytest

import alliance_longitudinal as al
from alliance_longitudinal.cli import main
from inside import CROSS_LAGGED, FIT_FIRST

STUDY = """study: Small
tables:
  sessions: {{file: s.csv, columns: {{client: c, session: n{more}}}}}
measures:
{measures}
"""
ALLIANCE, SYMPTOMS = "  w: {instrument: wai_sr, total: w}\n", "  p: {instrument: phq_9, total: p}\n"


def _study(folder: Path, clients: int, measures: str, more: str = "") -> Path:
    rows = [
        f"c{i},t{i % 4},{s},{20 + (i * 7 + s * 3) % 30},{20 - s - i % 5}"
        for i in range(clients)
        for s in range(9)
    ]
    (folder / "s.csv").write_text("\n".join(["c,t,n,w,p", *rows]) + "\n", encoding="utf-8")
    path = folder / "study.yaml"
    path.write_text(STUDY.format(more=more, measures=measures), encoding="utf-8")
    return path


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fitted(*_: object, **__: object) -> None:
        raise AssertionError("a model was asked for")

    for place in (FIT_FIRST, CROSS_LAGGED):
        monkeypatch.setattr(place, fitted)


def test_the_demonstration_study_lacks_nothing() -> None:
    missing = al.list_analyses(al.load_study("demo", forms=True))["missing"]
    assert missing.index.tolist() == sorted(al.list_analyses().index)
    own = [
        "early_alliance",
        "measurement",
        "data_quality",
        "variance_partition",
        "reliable_change",
        "sudden_gains",
    ]
    assert missing.loc[own].tolist() == [""] * len(own)


def test_asking_fits_no_model_of_a_report(no_fit: None) -> None:
    missing = al.list_analyses(al.load_study("demo", forms=True))["missing"]
    assert missing[["early_alliance", "variance_partition", "lagged_effects"]].tolist() == [""] * 3


@pytest.mark.parametrize(
    ("name", "measures", "more", "clients", "words"),
    [
        ("early_alliance", SYMPTOMS, ", therapist: t", 40, "The study has no alliance measure."),
        ("early_alliance", ALLIANCE + SYMPTOMS, "", 40, ""),
        ("planning", ALLIANCE + SYMPTOMS, "", 40, "The study names no therapists"),
        ("early_alliance", ALLIANCE + SYMPTOMS, ", therapist: t", 8, "8 clients can be analysed; the early-alliance"),
        ("reliable_change", ALLIANCE, "", 40, "The study has no"),
        ("reliable_change", SYMPTOMS, "", 4, "4 clients can be analysed; the analysis of reliable change in PHQ-9 needs at least"),
        ("reliable_change", SYMPTOMS, "", 40, ""),
        ("data_quality", SYMPTOMS, "", 3, ""),
    ],
)  # fmt: skip
def test_what_is_missing_is_what_the_report_would_say(
    tmp_path: Path, name: str, measures: str, more: str, clients: int, words: str
) -> None:
    study = al.load_study(_study(tmp_path, clients, measures, more), forms=True)
    missing = al.list_analyses(study).loc[name, "missing"]
    assert missing.startswith(words)
    assert bool(missing) == bool(words)


def test_an_analysis_that_was_asked_still_runs(tmp_path: Path) -> None:
    """Asking leaves nothing behind that would stop the next call."""
    study = al.load_study(_study(tmp_path, 40, SYMPTOMS))
    assert al.list_analyses(study).loc["reliable_change", "missing"] == ""
    assert len(al.reliable_change(study).estimates) > 0


def test_the_command_line_lists_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(_study(tmp_path, 40, SYMPTOMS))]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("early_alliance:"))
    assert "    Not with these data: The study has no alliance measure." in " ".join(lines[at : at + 5])
    at = next(i for i, line in enumerate(lines) if line.startswith("reliable_change:"))
    assert "    Can be answered with these data." in lines[at : at + 5]
