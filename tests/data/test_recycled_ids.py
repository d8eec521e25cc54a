"""Client ids that start again at each therapist are not taken for clients who changed therapist."""

import pytest

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError
from data.small import findings, small_study, study_file


def rows(ids, *, therapists="ab", sessions=(1, 2, 3), gone=()):
    """A table in which each therapist has the clients ``ids``, without the rows ``gone`` (therapist, id, session)."""
    lines = ["c,t,n,d,p"]
    for k, therapist in enumerate(therapists):
        for client in ids:
            for n in sessions:
                if (therapist, client, n) not in gone:
                    lines.append(f"{client},{therapist},{n},2024-0{n}-{k + 1:02d},10")
    return "\n".join(lines) + "\n"


IDS = {
    "numbers": ["1", "2", "3"],
    "prefixed": ["P1", "P2", "P3"],
    "letters": ["A", "B", "C"],
    "with gaps": ["1", "3", "8"],
    "zeros": ["01", "02", "03"],
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
@pytest.mark.parametrize("more", ["", "transfers: first", "transfers: longest"])
def test_the_same_session_numbers_under_two_therapists_are_refused(tmp_path, ids, more):
    table = rows(ids, gone={("a", ids[0], 1), ("b", ids[1], 2)})
    with pytest.raises(DataError, match="it seems to belong to different people") as caught:
        load_study(study_file(tmp_path, table, more))
    assert "'client_ids: within-therapist'" in str(caught.value)


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS)
def test_numbered_by_date_they_are_said(tmp_path, ids):
    """Two people of one id would be one series of sessions in order of date; nothing overlaps, but it goes back and forth."""
    columns = "client: c, therapist: t, date: d"
    with pytest.raises(DataError, match="a client has more than one therapist"):
        load_study(study_file(tmp_path, rows(ids), columns=columns))
    found = findings(small_study(tmp_path, rows(ids), "transfers: first", columns=columns))
    assert found["recycled_client_ids"].startswith(
        "3 of 3 clients have several therapists, and 3 of them change back and forth"
    )
    study = small_study(tmp_path, rows(ids), "client_ids: within-therapist", columns=columns)
    assert study.clients["client"].tolist() == sorted(f"{t}/{i}" for t in "ab" for i in ids)


def test_rows_that_are_missing_so_that_no_number_overlaps(tmp_path):
    gone = {("a", i, n) for i in "123" for n in (2, 3)} | {("b", i, 1) for i in "123"}
    found = findings(small_study(tmp_path, rows("123", gone=gone), "transfers: first"))
    assert "3 of 3 clients have several therapists, and 0 of them" in found["recycled_client_ids"]


def test_one_client_of_many_who_changed_is_a_transfer_and_no_more(tmp_path):
    table = rows([str(i) for i in range(10)], therapists="a") + "3,b,4,2024-04-01,9\n"
    found = findings(small_study(tmp_path, table, "transfers: last"))
    assert found["transfers"].startswith("1 client changed therapist")
    assert "recycled_client_ids" not in found
