"""Sums of groups in a file: the numbers of a fit in memory, whatever the order of the rows; and nothing left behind."""

import errno
import gc
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH, three_levels
from inside.engine_search import profiled
from inside.engine_sources import Spill, spill
from inside.engine_statistics import ChunkedBlocks, chunked

#: Chunks and batches add up in another order: differences of rounding.
SAME = 1e-9


@pytest.fixture(scope="module")
def frame():
    """Three levels in order of the groups, enough top groups for a search that starts from a sample."""
    frame = three_levels(3, outer=170, inner=4, rows=5)
    frame["y"] += 500
    return frame


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces of some dozen groups, so that small data take many."""
    monkeypatch.setattr(spill, "PIECE", 20_000)
    monkeypatch.setattr(chunked, "PIECE", 200_000)


def both(path, frame, formula, batch_rows=150):
    """The model with its sums in memory and in a file."""
    frame.to_parquet(path / "rows.parquet")
    read = [
        al.MixedModel.from_parquet(formula, path / "rows.parquet", batch_rows=batch_rows, memory=memory)
        for memory in (10**9, 0)
    ]
    assert isinstance(read[1].blocks, ChunkedBlocks)
    return read


ORDERS = {
    "in order": lambda frame: frame,
    "a group comes back": lambda frame: pd.concat([frame.iloc[3:], frame.iloc[:3]]),
    "by week": lambda frame: frame.sort_values("week", kind="stable"),
    "top groups backwards": lambda frame: frame.sort_values("outer", ascending=False, kind="stable"),
}


@pytest.mark.parametrize("order", ORDERS)
def test_a_file_equals_memory(tmp_path, frame, small_pieces, order):
    memory, filed = both(tmp_path, ORDERS[order](frame).reset_index(drop=True), GROWTH)
    assert len(filed.blocks.chunks) > 5
    relative = [np.array([[0.8, 0.1], [0.1, 0.3]]), np.array([[1.1, -0.2], [-0.2, 0.5]])]
    ours, theirs = (profiled(m.blocks, relative, True) for m in (filed, memory))
    assert ours.value == pytest.approx(theirs.value, rel=SAME)
    for name in ("gradient", "hessian", "beta", "cov_x", "dt_x"):
        a, b = getattr(ours, name), getattr(theirs, name)
        np.testing.assert_allclose(a, b, rtol=SAME, atol=SAME * np.abs(b).max(), err_msg=name)
    ours, theirs = filed.fit(), memory.fit()
    assert ours.deviance == pytest.approx(theirs.deviance, rel=SAME)
    np.testing.assert_allclose(ours.params, theirs.params, rtol=SAME)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=1e-8)
    np.testing.assert_allclose(ours.df, theirs.df, rtol=1e-6)
    for group, effects in theirs.random_effects.items():
        pd.testing.assert_frame_equal(ours.random_effects[group], effects, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "formula", ["y ~ week + (1 + week | unique)", "y ~ week + (1 | inner:outer) + (1 | outer)"]
)
def test_one_level_and_ids_whose_order_is_not_that_of_elimination(tmp_path, frame, small_pieces, formula):
    memory, filed = (model.fit() for model in both(tmp_path, frame, formula))
    assert filed.deviance == pytest.approx(memory.deviance, rel=SAME)
    np.testing.assert_allclose(filed.params, memory.params, rtol=SAME)
    for group, effects in memory.random_effects.items():
        pd.testing.assert_frame_equal(filed.random_effects[group], effects, rtol=1e-6, atol=1e-8)


def test_rows_are_regrouped_from_file_to_file(small_pieces):
    rng = np.random.default_rng(0)
    places = np.append(rng.permutation(3000), rng.integers(0, 3000, 4000))
    values = rng.normal(size=(7000, 4))
    rows = Spill(4)
    for part in np.array_split(values, 9):
        rows.append(part)
    expected = np.zeros((3000, 4))
    np.add.at(expected, places, values)
    made = rows.regrouped(places, 3000)
    np.testing.assert_allclose(made.read(0, 3000), expected, atol=1e-12)
    np.testing.assert_allclose(made.total(), values.sum(axis=0), atol=1e-10)
    some = np.array([0, 5, 999, 2999])
    np.testing.assert_array_equal(made.take(some), made.read(0, 3000)[some])
    assert made.regrouped(np.arange(3000), 3000) is made


def open_files():
    """Open files of this process where the system tells."""
    told = Path("/proc/self/fd")
    return len(list(told.iterdir())) if told.is_dir() else 0


def test_nothing_is_left_behind(tmp_path, frame, small_pieces, monkeypatch):
    folder = tmp_path / "room"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    gc.collect()
    before = open_files()
    _, filed = both(tmp_path, frame, "y ~ week + (1 | outer/inner)")
    filed.fit()
    del filed, _
    with pytest.raises(al.FitError, match="not nested"):
        al.MixedModel.from_parquet(
            "y ~ week + (1 | outer) + (1 | item)", tmp_path / "rows.parquet", batch_rows=100, memory=0
        )
    gc.collect()
    assert not list(folder.iterdir())
    assert open_files() <= before


def test_a_full_disk_is_said(tmp_path, frame, monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(
        al.FitError, match=r"temporary file .* No space left on device\. Make room .* TMPDIR, or read"
    ):
        al.MixedModel.from_parquet(GROWTH, tmp_path / "rows.parquet", memory=0)


def test_a_file_that_may_not_grow_is_said_once(tmp_path, frame, monkeypatch):
    """A real file that meets the limit of the system while it is written, and again when it is closed."""
    resource = pytest.importorskip("resource")
    frame.to_parquet(tmp_path / "rows.parquet")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    unraised = []
    monkeypatch.setattr("sys.unraisablehook", unraised.append)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        said = ""
        try:  # pytest.raises would keep the file open
            al.MixedModel.from_parquet(GROWTH, tmp_path / "rows.parquet", batch_rows=100, memory=0)
        except al.FitError as error:
            said = str(error)
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert re.search(r"temporary file .* cannot be written: File too large\. Make room", said)
    assert not unraised
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path, frame, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(al.FitError, match=r"nowhere' cannot be written: No such file or directory"):
        Spill(3)


def test_draws_need_memory(tmp_path, frame):
    _, filed = both(tmp_path, frame, "y ~ week + (1 | outer/inner)")
    result = filed.fit()
    for kind in ("parametric", "cluster"):
        with pytest.raises(
            al.FitError, match=r"bootstrap needs the sums of all \d+ innermost groups in memory"
        ):
            result.bootstrap(2, kind=kind, seed=1)
