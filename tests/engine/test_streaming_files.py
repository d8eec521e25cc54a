"""What Parquet files look like in clinics: folders by year, several exports, odd types; and files that go wrong."""

import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import alliance_longitudinal as al
from engine.designs import three_levels
from inside.engine_sources import ParquetSource

FORMULA = "y ~ week + mode + (1 + week | outer/inner)"


@pytest.fixture(scope="module")
def frame():
    frame = three_levels(5, outer=30, inner=5, rows=6)
    frame["mode"] = np.where(frame["item"] == 1, "b", "a")
    return frame.sample(frac=1, random_state=0).reset_index(drop=True)


def assert_agree(ours, memory):
    """The order of sums differs: rounding, relative to a deviance of thousands."""
    assert ours.deviance == pytest.approx(memory.deviance, rel=1e-9)
    pd.testing.assert_series_equal(ours.params, memory.params, rtol=1e-7)
    pd.testing.assert_series_equal(ours.bse, memory.bse, rtol=1e-7)
    np.testing.assert_allclose(ours.varcorr["vcov"], memory.varcorr["vcov"], rtol=1e-6)
    assert (ours.nobs, ours.n_dropped, ours.n_groups) == (memory.nobs, memory.n_dropped, memory.n_groups)
    for group, effects in memory.random_effects.items():
        found = ours.random_effects[group].copy()
        found.index = found.index.astype(effects.index.dtype) if found.index.nlevels == 1 else found.index
        pd.testing.assert_frame_equal(
            found.loc[effects.index], effects, rtol=1e-6, atol=1e-8, check_index_type=False
        )


def assert_both_agree(path, frame, formula=FORMULA, batch_rows=97, memory=None):
    """Fit from files and in memory, and compare."""
    ours = al.MixedModel.from_parquet(formula, path, batch_rows=batch_rows).fit()
    assert_agree(ours, al.MixedModel.from_formula(formula, frame if memory is None else memory).fit())
    return ours


@pytest.mark.parametrize("column", ["mode", "outer"])
def test_folders_that_are_a_column(tmp_path, frame, column):
    frame.to_parquet(tmp_path / "all", partition_cols=[column], index=False)
    (tmp_path / "all" / "_SUCCESS").write_text("")
    assert_both_agree(tmp_path / "all", frame)


def write(folder, frame, change, name="{}.parquet"):
    """Two files, the second after a change."""
    folder.mkdir()
    half = len(frame) // 2
    frame.iloc[:half].to_parquet(folder / name.format("a"), index=False)
    change(frame.iloc[half:].copy()).to_parquet(folder / name.format("b"), index=False)
    return folder


def test_files_whose_types_differ(tmp_path, frame):
    whole = frame.assign(week=frame["week"].astype(int), nothing=pd.Series([None] * len(frame), dtype=object))
    half = len(whole) // 2
    assert_both_agree(
        write(tmp_path / "more digits", whole, lambda rows: rows.assign(week=rows["week"] + 0.5)),
        frame,
        memory=frame.assign(week=frame["week"].where(frame.index < half, frame["week"] + 0.5)),
    )
    said = whole.assign(mode=whole["mode"].where(whole.index >= half, None))
    assert_both_agree(write(tmp_path / "texts late", said, lambda rows: rows), said)
    new = whole.assign(extra=whole["rating"].where(whole.index >= half))
    folder = tmp_path / "a column late"
    write(folder, new, lambda rows: rows)
    new.iloc[:half].drop(columns="extra").to_parquet(folder / "a.parquet", index=False)
    assert_both_agree(folder, new, "y ~ extra + (1 | outer)")


def test_a_type_that_changes_in_a_column_nobody_uses_does_no_harm(tmp_path, frame):
    assert_both_agree(write(tmp_path / "all", frame, lambda rows: rows.assign(rating="text")), frame)
    with pytest.raises(al.FitError, match=r"all' cannot be read as Parquet: Failed to parse string: 'text'"):
        al.MixedModel.from_parquet("y ~ rating + (1 | outer)", tmp_path / "all")


def test_decimals_are_numbers_and_dictionaries_are_labels(tmp_path, frame):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for name, column in (
        ("rating", table["rating"].cast(pa.decimal128(24, 16), safe=False)),
        ("outer", table["outer"].cast(pa.string()).dictionary_encode()),
        ("mode", table["mode"].dictionary_encode()),
    ):
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=90)
    memory = frame.assign(outer=frame["outer"].astype(str))
    assert_both_agree(tmp_path / "rows.parquet", frame, "y ~ rating + mode + (1 | outer)", memory=memory)


def test_the_order_of_categories_is_kept(tmp_path, frame):
    levels = ["low", "mid", "high"]
    chosen = np.random.default_rng(0).choice(levels, len(frame))
    frame = frame.assign(dose=pd.Categorical(chosen, levels, ordered=True))
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=90)
    found = assert_both_agree(tmp_path / "rows.parquet", frame, "y ~ dose + (1 | outer)")
    assert list(found.params.index) == ["Intercept", "dose[T.mid]", "dose[T.high]"]
    pieces = [
        frame.iloc[:200],
        frame.iloc[200:].assign(dose=lambda d: d["dose"].cat.reorder_categories(levels[::-1])),
    ]
    dask = pytest.importorskip("dask")
    with pytest.raises(
        al.FormulaError,
        match=r"ordered categories of 'dose' are not the same in all batches \(high, mid, low; low",
    ):
        al.MixedModel.from_dask("y ~ dose + (1 | outer)", [dask.delayed(piece) for piece in pieces])


def test_long_ids_keep_their_digits_beside_missing_ones(tmp_path, frame):
    ids = (frame["outer"] + 2**60).astype("Int64")
    ids[3] = pd.NA
    frame = frame.assign(outer=ids, arm=frame["arm"].astype("boolean").mask(frame.index == 200))
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=90)
    found = assert_both_agree(tmp_path / "rows.parquet", frame, "y ~ week + arm + (1 | outer)")
    assert found.random_effects["outer"].index.dtype == np.int64


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ C(week) + (1 + week | outer/inner)",
        "y ~ 0 + mode + (1 + week | outer)",
        "y ~ week + (1 + I(week - 2) | outer)",
    ],
)
def test_random_effects_that_are_combinations_of_the_fixed_part(tmp_path, frame, formula):
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=90)
    assert_both_agree(tmp_path / "rows.parquet", frame, formula)


@pytest.mark.parametrize(
    ("formula", "change", "message"),
    [
        ("y ~ week + (1 | outer)", {"outer": 1}, "The grouping 'outer' has one level only"),
        ("y ~ week + (1 | row)", {}, r"\(Intercept \| row\) has \d+ random effects for \d+ rows"),
        ("y ~ week + (1 | outer) + (1 | same)", {}, "'outer' and 'same' divide the rows in the same way"),
    ],
)
def test_designs_that_are_refused_in_memory_are_refused_here(tmp_path, frame, formula, change, message):
    frame = frame.assign(row=frame.index, same=frame["outer"], **change)
    frame.to_parquet(tmp_path / "rows.parquet")
    for read in (
        lambda: al.MixedModel.from_parquet(formula, tmp_path / "rows.parquet", batch_rows=100).fit(),
        lambda: al.MixedModel.from_formula(formula, frame).fit(),
    ):
        with pytest.raises(al.FitError, match=message):
            read()


def test_too_few_rows(tmp_path, frame):
    frame.head(3).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(
        al.FitError, match="3 complete rows are too few to estimate 3 fixed effects, the random effects"
    ):
        al.MixedModel.from_parquet("y ~ week + rating + (1 | outer)", tmp_path / "rows.parquet")


def test_times_have_no_categories(tmp_path, frame):
    frame.assign(day=pd.Timestamp("2020-01-01")).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(al.FormulaError, match="column 'day' holds times or dates"):
        al.MixedModel.from_parquet("y ~ week + day + (1 | outer)", tmp_path / "rows.parquet")


def test_batches_of_different_types_are_refused(frame):
    dask = pytest.importorskip("dask")
    pieces = [frame.iloc[:200].assign(mode=1.0), frame.iloc[200:]]
    with pytest.raises(al.FitError, match=r"One batch has no column 'mode\[T.a\]': .* another type there"):
        al.MixedModel.from_dask("y ~ mode + (1 | outer)", [dask.delayed(piece) for piece in pieces])


def test_files_that_are_no_parquet_and_files_that_are_broken(tmp_path, frame):
    folder = write(tmp_path / "all", frame, lambda rows: rows)
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(
        al.FitError, match=r"all' cannot be read as Parquet: .*notes.txt.* Take out of a folder"
    ):
        al.MixedModel.from_parquet(FORMULA, folder)
    (folder / "notes.txt").unlink()
    whole = (folder / "b.parquet").read_bytes()
    middle = len(whole) // 3
    (folder / "b.parquet").write_bytes(whole[:middle] + bytes(400) + whole[middle + 400 :])
    with pytest.raises(al.FitError, match=r"all' cannot be read as Parquet: .* write the file again"):
        al.MixedModel.from_parquet(FORMULA, folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(al.FitError, match=r"folder '.*empty' has no file in it"):
        al.MixedModel.from_parquet(FORMULA, tmp_path / "empty")
    with pytest.raises(al.FitError, match=r"takes the path of a Parquet file or folder, .* not int"):
        al.MixedModel.from_parquet(FORMULA, 3)


@pytest.mark.parametrize("then", ["replaced", "removed"])
def test_a_file_that_changes_between_two_passes_is_noticed(tmp_path, frame, monkeypatch, then):
    path, other = tmp_path / "rows.parquet", tmp_path / "other.parquet"
    frame.to_parquet(path)
    frame.head(400).to_parquet(other)
    passes, before = [], ParquetSource.map

    def changing(self, task, columns):
        passes.append(columns)
        if len(passes) == 3:
            shutil.copy(other, path) if then == "replaced" else path.unlink()
        return before(self, task, columns)

    monkeypatch.setattr(ParquetSource, "map", changing)
    with pytest.raises(
        al.FitError, match=r"rows.parquet was changed or removed while it was being read\. Wait"
    ):
        al.MixedModel.from_parquet(FORMULA, path)


INTERRUPTED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
sys.path[:0] = {path!r}
from alliance_longitudinal.engine.sources.spill import Spill
append = Spill.append
def slow(self, values):
    append(self, values)
    print("written", flush=True)
    time.sleep(30)
Spill.append = slow
import alliance_longitudinal as al
al.MixedModel.from_parquet({formula!r}, {file!r}, batch_rows=100, memory=0)
"""


def test_an_interrupted_run_leaves_no_file(tmp_path, frame):
    frame.to_parquet(tmp_path / "rows.parquet")
    room = tmp_path / "room"
    room.mkdir()
    text = INTERRUPTED.format(path=sys.path, formula=FORMULA, file=str(tmp_path / "rows.parquet"))
    with subprocess.Popen(
        [sys.executable, "-c", text],
        env={"TMPDIR": str(room), "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout.readline() == "written\n"
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode != 0
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert not list(room.iterdir())


def test_nested_models_are_compared_as_in_memory(tmp_path, frame):
    path = tmp_path / "rows.parquet"
    frame = frame.assign(y=frame["y"] - frame["y"].mean())  # a sum that cancels
    frame.to_parquet(path)
    small, large = "y ~ week + (1 | outer)", "y ~ week + mode + (1 + week | outer)"

    def fit(formula, batch_rows=10**6, reml=False, file=path, **options):
        return al.MixedModel.from_parquet(formula, file, batch_rows=batch_rows, **options).fit(reml=reml)

    def memory(formula, reml=False):
        return al.MixedModel.from_formula(formula, frame).fit(reml=reml)

    ours, theirs = fit(large, 31).lrt(fit(small)), memory(large).lrt(memory(small))
    assert ours.statistic == pytest.approx(theirs.statistic, abs=1e-6)
    assert (ours.df, ours.distribution) == (theirs.df, theirs.distribution)
    slope = "y ~ week + (1 + week | outer)"
    ours, theirs = (
        fit(slope, reml=True).lrt(fit(small, 31, reml=True)),
        memory(slope, True).lrt(memory(small, True)),
    )
    assert ours.p == pytest.approx(theirs.p, rel=1e-5)
    other = tmp_path / "other.parquet"
    frame.assign(y=frame["y"] + 1e-5 * (frame.index == 7)).to_parquet(other)
    gone = tmp_path / "gone.parquet"
    frame.assign(rating=frame["rating"].where(frame.index > 3)).to_parquet(gone)
    for one, two, message in (
        (fit(large), fit(small, file=other), r"not fitted to the same rows \(321 and 321\)"),
        (
            fit("y ~ rating + (1 | outer)", file=gone),
            fit("y ~ 1 + (1 | outer)", file=gone),
            r"\(321 and 317\)",
        ),
        (fit(large), fit(small, weights="w"), "not fitted to the same rows"),
        (fit(large), memory(small), "made from batches and the other from rows in memory"),
        (fit(large), fit(small, reml=True), "by REML and the other by maximum likelihood"),
        (fit(large, reml=True), fit(small, reml=True), "different fixed parts cannot be compared by REML"),
        (fit(large), fit("y ~ rating + (1 | outer)"), "not nested"),
        (fit("y ~ week + (1 | outer)"), fit("y ~ rating + (1 | outer)"), "the same number of parameters"),
    ):
        with pytest.raises(al.FitError, match=message):
            one.lrt(two)


def test_shares_of_variance_as_in_memory(tmp_path, frame):
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=90)
    ours = al.MixedModel.from_parquet(FORMULA, tmp_path / "rows.parquet", batch_rows=70).fit()
    theirs = al.MixedModel.from_formula(FORMULA, frame).fit()
    pd.testing.assert_frame_equal(ours.icc(), theirs.icc(), rtol=1e-6)
    pd.testing.assert_series_equal(ours.r2(), theirs.r2(), rtol=1e-6)
    weighted = al.MixedModel.from_parquet(FORMULA, tmp_path / "rows.parquet", weights="w").fit()
    bare = al.MixedModel.from_parquet("y ~ 0 + week + (1 | outer)", tmp_path / "rows.parquet").fit()
    for ask in (weighted.icc, weighted.r2, bare.r2):
        with pytest.raises(al.FitError, match="keeps no rows"):
            ask()


def test_cluster_robust_errors_need_rows(tmp_path, frame):
    frame.to_parquet(tmp_path / "rows.parquet")
    model = al.MixedModel.from_parquet(FORMULA, tmp_path / "rows.parquet")
    with pytest.raises(
        al.FitError, match=r"cov_type='CR2': cluster-robust errors need rows, .* from_formula"
    ):
        model.fit(cov_type="CR2", cov_groups="outer")


@pytest.mark.parametrize(
    "formula", ["y ~ C(kind) + kind + (1 | outer)", "y ~ C(kind, Treatment(2)) + (kind | outer)"]
)
def test_numbers_that_are_categories_may_come_late(tmp_path, frame, formula):
    """The formula is learned from the first 4096 rows; a value that comes later is a category like the others."""
    rng = np.random.default_rng(2)
    many = pd.concat([frame] * 14, ignore_index=True)
    many["y"] += rng.normal(size=len(many))
    many["kind"] = rng.integers(1, 4, len(many))
    many.loc[len(many) - 40 :, "kind"] = 9
    assert len(many) > 4200
    many.to_parquet(tmp_path / "rows.parquet", row_group_size=500)
    found = assert_both_agree(tmp_path / "rows.parquet", many, formula, batch_rows=500)
    assert any(name.endswith("[T.9]") for name in found.params.index)
