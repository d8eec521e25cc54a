"""The examples of docs/study_file.md work as they stand there."""

import re
from pathlib import Path

import pytest
from openpyxl import Workbook
from ruamel.yaml import YAML

from alliance_longitudinal.data import load_study
from alliance_longitudinal.measures import check_instrument_file
from inside.data_demo import write_demo
from inside.data_study_file import read_plan as read_study_plan
from inside.reporting_batch import read_plan


@pytest.fixture(scope="module")
def examples() -> list[str]:
    page = Path(__file__).parents[2] / "docs" / "study_file.md"
    return re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)


def test_the_wide_workbook(examples: list[str], tmp_path: Path) -> None:
    book = Workbook()
    sessions, clients = book.create_sheet("Sessions"), book.create_sheet("Clients")
    sessions.append(["Export of 2024-05-01"])
    sessions.append(["Code", "Therapist", "Date_S1", "GAD7_S1", "WAI_S1", "Date_S2", "GAD7_S2", "WAI_S2"])
    sessions.append(["007", "Müller", "2024-01-08", 12, "44,5", "2024-01-15", "n/a", "-"])
    clients.append(["Code", "Age"])
    clients.append(["007", "33,5"])
    book.save(tmp_path / "export.xlsx")
    (tmp_path / "study.yaml").write_text(examples[1], encoding="utf-8")
    study = load_study(tmp_path / "study.yaml")
    assert study.sessions["therapist"].tolist() == ["Müller", "Müller"]
    assert study.sessions["alliance"].tolist()[0] == 44.5
    assert study.sessions["anxiety"].tolist()[0] == 12.0
    assert study.sessions[["alliance", "anxiety"]].iloc[1].isna().all()


def test_the_instrument_of_ones_own(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "instruments.md"
    (text,) = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    (tmp_path / "my_instruments").mkdir()
    path = tmp_path / "my_instruments" / "mood_4.yaml"
    path.write_text(text, encoding="utf-8")
    assert check_instrument_file(path).label == "Mood-4"
    (tmp_path / "s.csv").write_text("c,t,n,m1,m2,m3,m4\n1,a,1,3,0,2,1\n1,a,2,1,2,,3\n", encoding="utf-8")
    study_file = (
        "study: Own\ninstruments: my_instruments\nmeasures: {mood: {instrument: mood_4, items: 'm{item}'}}\n"
        "tables: {sessions: {file: s.csv, columns: {client: c, therapist: t, session: n}}}\n"
    )
    (tmp_path / "study.yaml").write_text(study_file, encoding="utf-8")
    # 3 + (3 - 0) + 2 + 1; and 1 + (3 - 2) + 3 of three items, times 4/3.
    assert load_study(tmp_path / "study.yaml").sessions["mood"].tolist() == pytest.approx([9, 20 / 3])


def test_the_batch_file(examples: list[str], tmp_path: Path) -> None:
    write_demo(tmp_path / "my_clinic")
    (tmp_path / "batch.yaml").write_text(examples[-1], encoding="utf-8")
    plan = read_plan(tmp_path / "batch.yaml")
    assert [len(plan.combinations), *(row["status"] for row in plan.skipped)] == [5, "excluded"]


def test_the_other_examples_are_parts_of_a_sound_study_file(examples: list[str], tmp_path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    whole = {
        "study": "Example",
        "tables": {
            "sessions": {"file": "s.csv", "columns": {"client": "c", "therapist": "t", "session": "n"}}
        },
        "measures": {"anxiety": {"instrument": "gad_7", "total": "GAD7"}},
    }
    parts = [yaml.load(text) for text in (examples[0], *examples[2:-1])]
    assert len(parts) == 11
    for part in parts:
        with (tmp_path / "study.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(whole | part, file)
        assert read_study_plan(tmp_path / "study.yaml").measures
