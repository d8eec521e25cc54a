"""Blocks of the study file that contradict themselves, each with its sentence."""

import keyring
import pytest
from keyring.errors import KeyringError

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.builders import HEADER, STUDY, write

SERVER = "database: {host: h, database: d, user: u PASSWORD}\n    table: t"


@pytest.mark.parametrize(
    ("study", "phrase"),
    [
        (
            STUDY.replace(
                "file: sessions.csv", SERVER.replace(" PASSWORD", ", password: {env: A, keyring: b}")
            ),
            "give either 'env' or 'keyring'",
        ),
        (
            STUDY.replace("file: sessions.csv", "database: {host: h, database: d, user: u}"),
            "a database needs 'table' or 'query'",
        ),
        (
            STUDY.replace(", session: session", ", rater: who").replace(
                "    columns", '    layout: wide\n    wide: {pattern: "{column}_{session}"}\n    columns'
            ),
            "in a wide table raters are side by side",
        ),
        (
            STUDY.replace(", session: session", "").replace(
                "    columns", '    layout: wide\n    wide: {pattern: "{column}_{session}"}\n    columns'
            )
            + "episodes: {after_days: 90}\n",
            "'episodes' needs a long table",
        ),
        (
            STUDY.replace("client: client", "client: client, ending: e").replace(
                "measures:", "  clients: {file: c.csv, columns: {client: id, ending: e}}\nmeasures:"
            )
            + "ending: {planned: x}\n",
            "both tables name an 'ending' column",
        ),
        (STUDY.replace("  phq9:", "  episode:"), "the name 'episode' is taken"),
        (
            STUDY.replace("file: sessions.csv", "file: sessions.csv\n    table: visits"),
            "sessions.csv is one table; take out 'table', which is for databases.",
        ),
        (STUDY + "small_cells: 0\n", "'small_cells' is 0; it must be 1 or more."),
        (STUDY + "episodes: {after_days: -3}\n", "'episodes.after_days' is -3; it must be 1 or more."),
        (
            STUDY.replace("instrument: phq_9,", "instrument: phq_9, rater: dog,"),
            "has 1 mistake:\n  line 7: 'measures.phq9.rater' is 'dog'; it must be 'client', 'therapist', 'observer', "
            "'clinician', 'caregiver', 'child', 'adolescent', 'partner', 'parent', 'sibling', 'family_member', "
            "'group_member' or 'supervisor'.",
        ),
    ],
)
def test_block_that_contradicts_itself(study, phrase, tmp_path):
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, study=study))
    assert phrase in str(caught.value)


def test_key_store_that_cannot_be_opened(tmp_path, monkeypatch):
    def locked(service, user):
        raise KeyringError

    monkeypatch.setattr(keyring, "get_password", locked)
    study = STUDY.replace("file: sessions.csv", SERVER.replace(" PASSWORD", ", password: {keyring: b}"))
    with pytest.raises(DataError, match="the system's key store cannot be opened"):
        load_study(write(tmp_path, study=study))


@pytest.mark.parametrize(
    ("line", "phrase"),
    [
        ('a,"T"1,1,2024-01-01,9', "text follows a closing quotation mark"),
        ('"' + "x" * 140_000, "a field is too long for a table"),
    ],
)
def test_quotation_marks_that_go_wrong(line, phrase, tmp_path):
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, table=f"{HEADER}\n{line}\n"))
    assert phrase in str(caught.value)
    assert caught.value.problems[0]["row"] == 2
