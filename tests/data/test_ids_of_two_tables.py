"""Ids of the sessions and the clients table that are written otherwise, or have nothing in common."""

import pytest
from openpyxl import Workbook

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError
from data.small import findings, study_file

IDS = ["0001", "0002", "0003", "0010"]


def two_tables(folder, listed, ids=IDS, roles="client: c"):
    table = "c,t,n,p\n" + "".join(f"{i},a,1,10\n" for i in ids)
    path = study_file(folder, table, "baseline: [age]")
    (folder / "c.csv").write_text("c,age\n" + "".join(f"{i},30\n" for i in listed))
    block = f"  clients: {{file: c.csv, columns: {{{roles}}}}}\nmeasures:"
    path.write_text(path.read_text().replace("measures:", block))
    return path


@pytest.mark.parametrize(
    ("ids", "listed", "pair"),
    [
        (IDS, ["1", "2", "3", "10"], "'0001' there and '1' in c.csv"),
        (IDS, ["1.0", "2.0", "3.0", "10.0"], "'0001' there and '1.0' in c.csv"),
        (["a1", "a2"], ["A1", "A2"], "'a1' there and 'A1' in c.csv"),
        (["P 1", "P 2"], ["P1", "P2"], "'P 1' there and 'P1' in c.csv"),
        (["1", "2", "3"], ["01", "02", "3"], "'1' there and '01' in c.csv"),
        (["7"], ["007"], "'7' there and '007' in c.csv"),
        (["１", "２"], ["1", "2"], "'１' there and '1' in c.csv"),
    ],
)
def test_ids_that_differ_only_in_how_they_are_written(tmp_path, ids, listed, pair):
    with pytest.raises(DataError) as caught:
        load_study(two_tables(tmp_path, listed, ids))
    assert "client ids are written differently in c.csv: " in str(caught.value)
    assert pair in str(caught.value)
    zeros = any(text.startswith("0") for text in (*ids, *listed))
    assert ("Excel drops leading zeros" in str(caught.value)) == zeros
    assert "(they are compared as text: 7 is not 007, and A1 is not a1)." in str(caught.value)


def test_a_workbook_that_dropped_the_zeros(tmp_path):
    path = two_tables(tmp_path, [])
    book = Workbook()
    book.active.append(["c", "age"])
    for i in IDS:
        book.active.append([int(i), 30])
    book.save(tmp_path / "c.xlsx")
    path.write_text(path.read_text().replace("c.csv", "c.xlsx"))
    with pytest.raises(DataError, match=r"4 of 4 client ids are written differently in c\.xlsx"):
        load_study(path)


def test_no_id_in_common(tmp_path):
    with pytest.raises(
        DataError, match=r"s\.csv: none of its clients is in c\.csv, which has ids such as X, Y"
    ):
        load_study(two_tables(tmp_path, ["X", "Y"]))


def test_one_of_many_in_another_spelling_is_a_finding(tmp_path):
    study = load_study(two_tables(tmp_path, ["0001", "0002", "3", "0010"]))
    message = findings(study)["clients_without_baseline"]
    assert message.startswith("1 client with sessions is not in the clients table")
    assert "'0003' in the sessions table and '3' in the clients table" in message


def test_ids_that_agree_say_nothing(tmp_path):
    assert "clients_without_baseline" not in findings(load_study(two_tables(tmp_path, IDS)))
