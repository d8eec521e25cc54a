"""The command line: sentences, data, exit statuses; and that asking for help is quick."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from alliance_longitudinal import __version__, cli

COMMANDS = ("check", "report", "batch", "verify", "demo", "instruments")


def _heavy_after(argument: str) -> str:
    code = (
        "import sys\nfrom alliance_longitudinal import cli\n"
        f"try:\n    cli.main([{argument!r}])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'numpy', 'matplotlib', 'papermill', 'pydantic', 'rich', 'scipy'}\n"
        "print('heavy:', sorted(heavy & sys.modules.keys()))"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_loads_nothing_heavy(argument: str) -> None:
    assert _heavy_after(argument).endswith("heavy: []\n")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)
    assert "0 success, 1 the data or a report failed, 2 wrong use" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"alliance_longitudinal {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["chek", "x"],
        ["report", "demo"],
        ["report", "demo", "--notebook", "early_alliance", "--out", "x", "--deadline", "0"],
        ["batch", "b.yaml", "--out", "x", "--jobs", "none"],
    ],
)
def test_wrong_use_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage: alliance" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (
            ["--notebook", "early_aliance"],
            2,
            "There is no notebook 'early_aliance'. Did you mean 'early_alliance'?",
        ),
        (
            ["--notebook", "early_alliance", "-p", "windw=1,5"],
            2,
            "There is no parameter 'windw'. Did you mean 'window'?",
        ),
        (
            ["--notebook", "early_alliance", "-p", "window"],
            2,
            "write a parameter as name=value, such as -p window=1,5.",
        ),
        (
            ["--notebook", "early_alliance", "-p", "window=1", "-p", "window=2"],
            2,
            "-p window is given twice.",
        ),
        (
            ["--notebook", "early_alliance", "--audience", "shareable", "-p", "audience=internal"],
            2,
            "--audience shareable and -p audience=internal contradict each other.",
        ),
        (["--notebook", "early_alliance", "-p", "window=soon"], 2, "The early window 'soon' cannot be read."),
    ],
)
def test_wrong_requests_are_sentences(
    words: list[str], status: int, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", "demo", *words, "--out", str(tmp_path / "out")]) == status
    said = capsys.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["check"], ["report", "--notebook", "early_alliance", "--out", "x"]])
def test_a_missing_study_is_status_1(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    name, *options = command
    assert cli.main([name, "nowhere/study.yaml", *options]) == 1
    assert capsys.readouterr().err.startswith("The study file nowhere/study.yaml does not exist.")


def test_a_problem_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "nowhere.yaml", "--json"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["ok"] is False
    assert told["error"]["kind"] == "StudyError"
    assert told["error"]["message"].startswith("The study file nowhere.yaml does not exist.")
    assert said.err == ""


def test_data_problems_as_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", str(tmp_path / "demo")]) == 0
    table = tmp_path / "demo" / "sessions.csv"
    rows = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join([*rows, rows[1]]))  # the first row once more
    capsys.readouterr()
    assert cli.main(["check", str(tmp_path / "demo" / "study.yaml"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["error"]["kind"] == "DataError"
    assert told["problems"]
    assert {"file", "row", "column", "message", "remedy"} <= told["problems"][0].keys()


def test_a_report_on_broken_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from inside.data_demo import write_demo

    study = write_demo(tmp_path / "demo")
    table = tmp_path / "demo" / "sessions.csv"
    table.write_bytes(b"".join(table.read_bytes().splitlines(keepends=True)[:1]))  # the headers alone
    words = [
        "report",
        str(study),
        "--notebook",
        "variance_partition",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    assert cli.main(words) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["error"]["kind"] == "DataError"
    assert told["problems"]
    assert not (tmp_path / "out" / "report.html").exists()


def test_check_of_the_demonstration_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "demo"]) == 0
    assert "900 clients of 30 therapists" in capsys.readouterr().out
    assert cli.main(["check", "demo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_demo_writes_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", str(tmp_path / "demo")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "demo" / "study.yaml")
    assert cli.main(["demo", str(tmp_path / "demo")]) == 1
    assert "nothing was written" in capsys.readouterr().err


def test_instruments(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["instruments"]) == 0
    assert "WAI-SR" in capsys.readouterr().out
    assert cli.main(["instruments", "--json"]) == 0
    assert {row["id"] for row in json.loads(capsys.readouterr().out)} >= {"wai_sr", "phq_9"}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "alliance_longitudinal.cli", "instruments"]
    ended = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_one_instrument(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["instruments", "oq_45_2"]) == 0
    shown = capsys.readouterr().out
    for line in (
        "OQ-45.2 (oq_45_2)",
        "  reversed items             1, 12, 13, 20, 21, 24, 31, 37, 43 [S10]",
        "  total                      sum of the items, 0 to 180 [S68]",
        "  cut-off                    symptom_distress >= 36: clinical range [S70]",
    ):
        assert line in shown.splitlines()
    assert "  S10   https://vi.scribd.com/document/357559782/OQ45-Scoring-doc" in shown
    assert cli.main(["instruments", "oq_45_2", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["instrument"]
    assert (known["id"], known["reverse"][:2], known["evidence"]["reverse key"]) == (
        "oq_45_2",
        [1, 12],
        ["S10"],
    )
    assert cli.main(["instruments", "oq45"]) == 1
    assert "There is no instrument 'oq45'. Did you mean 'oq_45_2'?" in capsys.readouterr().err


def test_instruments_of_ones_own(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = root / "tests" / "fixtures" / "implement_gad" / "instruments"
    assert cli.main(["instruments", "wai_9", "--folder", str(folder)]) == 0
    assert "tutorial https://github.com/PsychometricsMZ/dsem_tutorial" in capsys.readouterr().out
    assert cli.main(["instruments", "--check", str(folder / "wai_9.yaml")]) == 0
    assert capsys.readouterr().out.startswith("WAI-9 (wai_9)")
    wrong = (folder / "wai_9.yaml").read_text(encoding="utf-8")
    wrong = wrong.replace("[7, 8, 9]", "[7, 8, 10]").replace(
        "min: 1, max: 5, evidence: [inf", "min: 1, max: 6, evidence: [inf", 1
    )
    (tmp_path / "mine.yaml").write_text(wrong, encoding="utf-8")
    assert cli.main(["instruments", "--check", str(tmp_path / "mine.yaml")]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "The instrument file mine.yaml has 3 mistakes:",
        "  line 13: 'bond' names items [10], but the form has items 1 to 9.",
        "  line 14: the subscales do not cover every item exactly once, though 'partition' says so.",
        "  line 15: the total ranges from 1 to 5, but 9 items of 1 to 6 under the rule 'mean' give 1 to 6.",
    ]


def test_a_fault_of_ours_is_a_sentence_and_a_private_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from alliance_longitudinal import measures

    def broken(_folders: object) -> None:
        raise ZeroDivisionError("canary-4711")

    monkeypatch.setattr(measures, "instruments", broken)
    assert cli.main(["instruments"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Unexpected error (ZeroDivisionError).")
    assert "canary" not in said
    assert "Traceback" not in said
    log = Path(said.split("The details are in ")[1].split(". That file")[0])
    assert "canary-4711" in log.read_text(encoding="utf-8")
    if sys.platform != "win32":
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
    log.unlink()
    with pytest.raises(ZeroDivisionError):
        cli.main(["instruments", "--debug"])
