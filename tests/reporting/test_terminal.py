"""Titles and names reach a terminal as text: nothing steers it, nothing turns its words around."""

import json
from pathlib import Path

import pytest

from alliance_longitudinal.cli import main
from inside.reporting_record import harmless
from inside.reporting_run import report_progress

STEERING = {
    "\x1b[2J": "\\x1b[2J",  # clears the screen
    "\x9b31m": "\\x9b31m",  # the same lead-in as one character
    "\u202egnp.exe": "\\u202egnp.exe",  # turns the text around
    "\u2067x": "\\u2067x",  # an isolate that does
    "\x07\x08\r": "\\x07\\x08\\x0d",  # bell, backspace, back to the line's start
    "\u2028y": "\\u2028y",  # another line
}


@pytest.mark.parametrize("text", STEERING)
def test_what_steers_a_terminal_is_spelt_out(text: str) -> None:
    assert harmless(f"Süd {text}") == f"Süd {STEERING[text]}"


def test_what_people_write_stays() -> None:
    text = "Süd\tNord\nΩ العربية 東京 \N{GRINNING FACE}"
    assert harmless(text) == text


@pytest.mark.parametrize("text", STEERING)
def test_a_title_does_not_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    rows = "\n".join(f"c{i},t,{s},{10 + s}" for i in range(3) for s in range(3))
    (tmp_path / "sessions.csv").write_text(f"client,therapist,session,phq\n{rows}\n", encoding="utf-8")
    study = {
        "study": f"Clinic {text}",
        "tables": {
            "sessions": {
                "file": "sessions.csv",
                "columns": {k: k for k in ("client", "therapist", "session")},
            }
        },
        "measures": {"symptoms": {"instrument": "phq_9", "total": "phq"}},
    }
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(study), encoding="utf-8")
    main(["check", str(path)])
    shown = capsys.readouterr()
    assert not set(text) & set("\x1b\x9b\u202e\u2067\x07\u2028") & set(shown.out + shown.err)
    assert STEERING[text].rstrip("y") in shown.out + shown.err or "character" in shown.err


def test_the_data_for_programs_stay_the_same_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = tmp_path / "no\u202esuch\x9b.yaml"
    assert main(["check", str(odd), "--json"]) == 1
    out = capsys.readouterr().out
    assert not set("\u202e\x9b") & set(out)
    assert odd.name in json.loads(out)["error"]["message"]


def test_progress_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    with report_progress("a\x1b[2J") as on_event:
        on_event({"event": "rendering"})
    assert capsys.readouterr().err == "a\\x1b[2J: writing the report\n"
