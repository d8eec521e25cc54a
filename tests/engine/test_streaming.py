"""Fits from batches: the numbers of the fit in memory, whatever the batches; and what cannot be had from batches."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pyarrow.dataset
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH, three_levels
from inside.engine_sources import learn_recipe
from inside.engine_statistics import gather, sums
from sockets import sweep_sockets

#: Sums in another order: differences of rounding, relative to a deviance of thousands.
SAME = 1e-9


@pytest.fixture(scope="module")
def frame():
    """Three levels, a category whose last level is rare, missing values, rows in disorder."""
    frame = three_levels(3, outer=40, inner=8, rows=9)
    frame["mode"] = np.where(frame["item"] == 1, "b", "a")
    frame.loc[len(frame) - 4 :, "mode"] = "z, seen late"
    frame.loc[5:9, "rating"] = np.nan
    frame.loc[9:12, "week"] = np.nan
    frame["y"] += 500
    return frame.sample(frac=1, random_state=0)


def assert_agree(ours, memory):
    assert ours.deviance == pytest.approx(memory.deviance, rel=SAME)
    np.testing.assert_allclose(ours.params, memory.params, rtol=1e-8)
    np.testing.assert_allclose(ours.bse, memory.bse, rtol=1e-8)
    np.testing.assert_allclose(ours.df, memory.df, rtol=1e-6)
    np.testing.assert_allclose(ours.varcorr["vcov"], memory.varcorr["vcov"], rtol=1e-6)
    assert (ours.nobs, ours.n_dropped) == (memory.nobs, memory.n_dropped)
    assert list(ours.params.index) == list(memory.params.index)
    assert ours.findings == memory.findings
    for group, effects in memory.random_effects.items():
        pd.testing.assert_frame_equal(
            ours.random_effects[group], effects, rtol=1e-6, atol=1e-8, check_index_type=False
        )


@pytest.mark.parametrize("batch_rows", [113, 10**6])
@pytest.mark.parametrize("fixed", ["week * rating + arm", "week + mode", "np.log(w) + week"])
def test_odd_batches_equal_memory(tmp_path, frame, batch_rows, fixed):
    formula = f"y ~ {fixed} + (1 + week | outer/inner)"
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=90)
    model = al.MixedModel.from_parquet(formula, tmp_path / "rows.parquet", batch_rows=batch_rows)
    assert_agree(model.fit(), al.MixedModel.from_formula(formula, frame).fit())
    assert (model.n, model.n_dropped) == (len(frame) - 8, 8) if "rating" in fixed else True


@pytest.mark.parametrize("options", [{"weights": "w"}, {"offset": "w"}, {"weights": "w", "offset": "arm"}])
@pytest.mark.parametrize(
    "random", ["(1 + week | unique) + (1 | outer)", "(week || outer/inner)", "(0 + week | outer)"]
)
def test_weights_offsets_and_other_terms(tmp_path, frame, options, random):
    formula = f"y ~ week * rating + {random}"
    for number, part in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[part].to_parquet(tmp_path / f"part-{number}.parquet")
    ours = al.MixedModel.from_parquet(formula, tmp_path, batch_rows=250, **options).fit()
    assert_agree(ours, al.MixedModel.from_formula(formula, frame, **options).fit())


def test_every_row_a_batch(tmp_path, frame):
    frame = frame.head(150)
    frame.to_parquet(tmp_path / "rows.parquet")
    formula = "y ~ week + (1 | outer)"
    ours = al.MixedModel.from_parquet(formula, tmp_path / "rows.parquet", batch_rows=1).fit()
    assert_agree(ours, al.MixedModel.from_formula(formula, frame).fit())


def test_a_data_set_and_kenward_roger_and_predictions(tmp_path, frame):
    frame.to_parquet(tmp_path / "rows.parquet")
    data = pyarrow.dataset.dataset(tmp_path / "rows.parquet")
    ours = al.MixedModel.from_parquet(GROWTH, data, batch_rows=164).fit(df="kenward-roger")
    memory = al.MixedModel.from_formula(GROWTH, frame).fit(df="kenward-roger")
    assert_agree(ours, memory)
    pd.testing.assert_series_equal(ours.predict(frame), memory.predict(frame), rtol=1e-8)


def test_units_of_misleading_first_rows_are_bettered(tmp_path, frame):
    frame = frame.sort_values("week", na_position="last").reset_index(drop=True)
    frame.loc[5000 // 10 :, "y"] += 1e6
    frame.loc[5000 // 10 :, "rating"] *= 1e6
    frame.to_parquet(tmp_path / "rows.parquet")
    ours = al.MixedModel.from_parquet(GROWTH, tmp_path / "rows.parquet", batch_rows=200).fit()
    assert_agree(ours, al.MixedModel.from_formula(GROWTH, frame).fit())


def test_columns_that_are_combinations_of_others_are_dropped(tmp_path, frame):
    frame = frame.assign(twice=2 * frame["week"], late=np.where(frame.index > 700, 1.0, 0.0))
    formula = "y ~ week + twice + late + (1 | outer/inner)"
    frame.sort_index().to_parquet(tmp_path / "rows.parquet")
    ours = al.MixedModel.from_parquet(formula, tmp_path / "rows.parquet", batch_rows=164).fit()
    assert_agree(ours, al.MixedModel.from_formula(formula, frame).fit())


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_ids_at_the_ends_of_their_type(tmp_path, frame, dtype):
    info = np.iinfo(dtype)
    codes = pd.factorize(frame["unique"])[0].astype(dtype)
    low, high = (codes + info.min).astype(dtype), (info.max - codes).astype(dtype)
    frame = frame.assign(
        client=np.where(codes % 2 == 0, low, high), outer=frame["outer"].astype("int64") - 2**62
    )
    frame.to_parquet(tmp_path / "rows.parquet")
    formula = "y ~ week + (1 | client) + (1 | outer)"
    ours = al.MixedModel.from_parquet(formula, tmp_path / "rows.parquet", batch_rows=133).fit()
    assert_agree(ours, al.MixedModel.from_formula(formula, frame).fit())
    assert ours.random_effects["client"].index.dtype == np.dtype(dtype)


def test_groups_merge_however_often_they_are_merged(frame, monkeypatch):
    rng = np.random.default_rng(0)
    parts = [
        sums.Sums(
            pd.DataFrame({"a": rng.choice(50, 20, replace=False)}),
            rng.normal(size=(20, 3)),
            rng.integers(1, 9, 20),
        )
        for _ in range(30)
    ]
    gathered = sums.Gathered()
    for part in parts:
        gathered.add(part)
        if len(gathered.waiting) > 3:
            gathered.settle()
    ours, whole = gathered.settle(), sums.merge(list(parts))
    assert list(ours.labels["a"]) == sorted(set(whole.labels["a"]))
    np.testing.assert_allclose(ours.values, whole.values, atol=1e-12)
    np.testing.assert_array_equal(ours.counts, whole.counts)


def test_what_rows_would_be_needed_for_is_said(tmp_path, frame):
    frame.to_parquet(tmp_path / "rows.parquet")
    result = al.MixedModel.from_parquet(GROWTH, tmp_path / "rows.parquet").fit()
    for ask in (
        lambda: result.fittedvalues,
        lambda: result.resid,
        lambda: result.predict(),
        lambda: result.simulate(),
    ):
        with pytest.raises(al.FitError, match=r"made from batches and keeps no rows. Ask .* batch by batch"):
            ask()


def test_the_bootstrap_needs_no_rows(tmp_path, frame):
    frame.to_parquet(tmp_path / "rows.parquet")
    result = al.MixedModel.from_parquet("y ~ week + (1 | outer/inner)", tmp_path / "rows.parquet").fit()
    made = result.bootstrap(40, seed=1)
    assert made.n_failed == 0
    # The spread of 40 draws is known to about a tenth.
    np.testing.assert_allclose(made.params.std(), result.bse, rtol=0.35)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ center(week) + (1 | outer)", r"'center\(week\)' depends on all rows, .* Make it a column"),
        ("y ~ weeks + (1 | outer)", r"Column 'weeks' .* Did you mean 'week'"),
        ("y ~ week + (1 | outer) + (1 | item)", r"groupings outer and item are not nested .* fit in memory"),
        ("y ~ nothing + (1 | outer)", r"No row of .* has a value in every column"),
        ("y ~ y + (1 | outer)", r"predicts the response exactly"),
        (
            "y ~ nearly + (1 | outer)",
            r"predicts the response exactly",
        ),  # rounding errors left, on every processor
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, frame, formula, message):
    nearly = frame["y"] * (1 + 1e-12 * np.cos(np.arange(len(frame))))
    frame.assign(nothing=np.nan, nearly=nearly).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises((al.FitError, al.FormulaError), match=message):
        al.MixedModel.from_parquet(formula, tmp_path / "rows.parquet", batch_rows=100)


def test_infinite_values_are_named(tmp_path, frame):
    frame.assign(week=frame["week"].replace(3.0, np.inf)).reset_index(drop=True).to_parquet(
        tmp_path / "r.parquet"
    )
    with pytest.raises(al.FitError, match=r"'week' has \d+ values? that (are|is) not finite"):
        al.MixedModel.from_parquet("y ~ week + (1 | outer)", tmp_path / "r.parquet", batch_rows=100)


def test_a_value_that_is_infinite_late_is_named_too(tmp_path):
    frame = three_levels(3, outer=60).assign(extra=1.0 * np.arange(len(three_levels(3, outer=60))))
    frame.loc[len(frame) - 3, "extra"] = np.inf
    frame = pd.concat([frame.iloc[:-10]] * 20 + [frame.iloc[-10:]], ignore_index=True)
    frame["extra"] = frame["extra"] + 0.001 * np.arange(len(frame))
    frame.to_parquet(tmp_path / "r.parquet")
    place = int(np.flatnonzero(np.isinf(frame["extra"]))[0])
    with pytest.raises(
        al.FitError, match=rf"'extra' has 1 values that are not finite .* in its row {place}\. Correct"
    ):
        al.MixedModel.from_parquet("y ~ extra + (1 | outer)", tmp_path / "r.parquet", batch_rows=512)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("nowhere.parquet", {}, r"There is no file or folder '.*nowhere.parquet'"),
        ("text.parquet", {}, r"text.parquet' cannot be read as Parquet: "),
        ("text.parquet", {"batch_rows": 0}, r"batch_rows must be at least 1, not 0"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, data, options, message):
    (tmp_path / "text.parquet").write_text("this is no Parquet")
    with pytest.raises(al.FitError, match=message):
        al.MixedModel.from_parquet("y ~ 1 + (1 | g)", tmp_path / data, **options)


def test_effects_that_depend_on_each_other_are_refused(tmp_path, frame):
    frame.assign(twice=2 * frame["week"]).to_parquet(tmp_path / "r.parquet")
    with pytest.raises(al.FitError, match="linearly dependent"):
        al.MixedModel.from_parquet("y ~ 1 + (week + twice | outer)", tmp_path / "r.parquet")


def test_dask_in_this_process(frame):
    dask = pytest.importorskip("dask")
    parts = [dask.delayed(frame.iloc[at]) for at in np.array_split(np.arange(len(frame)), 5)]
    ours = al.MixedModel.from_dask(GROWTH, parts).fit()
    assert_agree(ours, al.MixedModel.from_formula(GROWTH, frame).fit())


def test_dask_takes_frames_only():
    with pytest.raises(
        al.FitError, match="takes a Dask data frame or a list of delayed pandas frames, not int"
    ):
        al.MixedModel.from_dask(GROWTH, 3)


def failing_part():
    """A partition that cannot be made."""
    raise RuntimeError("the file is gone")


def test_partitions_that_fail_are_said(frame):
    dask = pytest.importorskip("dask")
    whole = dask.delayed(frame)
    for parts, message in (
        (
            [whole, dask.delayed(failing_part)()],
            r"Partition 2 could not be computed: RuntimeError: the file is gone\.",
        ),
        (
            [dask.delayed(failing_part)()],
            r"Partition 1 could not be computed: RuntimeError: the file is gone\.",
        ),
        (
            [whole, dask.delayed(frame.drop(columns="week"))],
            "A partition has no column 'week'. Give all partitions",
        ),
        ([dask.delayed(3)], "A partition must be a pandas DataFrame, not int"),
        ([whole, dask.delayed(3)], "A partition must be a pandas DataFrame, not int"),
    ):
        with pytest.raises(al.FitError, match=message):
            al.MixedModel.from_dask(GROWTH, parts)
    with pytest.raises(al.FitError, match="scheduler='threads' is not a connection to a cluster"):
        al.MixedModel.from_dask(GROWTH, [whole], scheduler="threads")


def test_without_dask_it_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dask.delayed", None)
    with pytest.raises(al.FitError, match=r"from_dask needs Dask, .* extra .dask."):
        al.MixedModel.from_dask(GROWTH, [])


def slow_part(frame, seconds):
    """A partition that takes a while, so that its worker can be killed over it."""
    import time

    time.sleep(seconds)
    return frame


def test_a_cluster_that_loses_a_worker_gives_the_same(frame):
    pytest.importorskip("distributed")
    import dask
    from dask.distributed import Client, LocalCluster

    expected = al.MixedModel.from_formula(GROWTH, frame).fit()
    pieces = np.array_split(np.arange(len(frame)), 8)
    parts = [dask.delayed(slow_part, pure=False)(frame.iloc[at], 0.25) for at in pieces]
    patient = dask.config.set(
        {"distributed.comm.timeouts.connect": "120s", "distributed.comm.timeouts.tcp": "120s"}
    )
    with (
        patient,
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        victim = next(iter(cluster.workers.values())).pid
        timer = threading.Timer(1.2, os.kill, (victim, signal.SIGKILL))
        timer.start()
        found = al.MixedModel.from_dask(GROWTH, parts, scheduler=client).fit()
        assert not timer.is_alive()  # it died in the middle of the run
        assert_agree(found, expected)
        assert victim not in [worker.pid for worker in cluster.workers.values()]
    sweep_sockets()


def test_sums_of_a_source_do_not_depend_on_its_batches(tmp_path, frame):
    from inside.engine_sources import parquet_source

    frame.to_parquet(tmp_path / "rows.parquet")
    totals = []
    for batch in (130, 10**6):
        source = parquet_source(tmp_path / "rows.parquet", batch)
        totals.append(gather(learn_recipe(GROWTH, source, None, None), source))
    one, two = totals
    assert int(one.sums.counts.sum()) == int(two.sums.counts.sum()) == len(frame) - one.lost
    np.testing.assert_allclose(one.exact.beta, two.exact.beta, rtol=1e-10)
    assert one.missing == two.missing
