"""`methods.cumulative_incidence` against R's survival, a jackknife, plain counts, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from reference.catalogue import HERE as REFERENCE

WANTED = json.loads((REFERENCE / "cumulative_incidence.json").read_text())


def ends() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "small" / "ends.csv")


@pytest.mark.parametrize("which", ["all", "a", "clustered"])
def test_it_is_what_survival_finds(which):
    data = ends()
    cluster = "therapist" if which == "clustered" else None
    if which == "a":
        table = methods.cumulative_incidence(data, "sessions", "end", group="arm").table
        table = table[table["group"] == "a"]
    else:
        table = methods.cumulative_incidence(data, "sessions", "end", cluster=cluster).table
    wanted = WANTED[which]
    for kind in ("left", "planned"):
        own = table[table["event"] == kind]
        np.testing.assert_array_equal(own["time"], wanted["time"])
        np.testing.assert_array_equal(own["at_risk"], wanted["risk"])
        np.testing.assert_allclose(own["estimate"], wanted[kind], rtol=1e-10)
        np.testing.assert_allclose(own["se"], wanted[f"se_{kind}"], rtol=1e-9)
    own = table[table["event"] == "left"]
    if which == "clustered":  # survival has no limits with these errors
        return
    np.testing.assert_allclose(
        own[["lower", "upper"]], np.transpose([wanted["low"], wanted["high"]]), rtol=1e-9
    )


def test_without_censoring_it_is_the_share_of_people():
    data = ends().dropna()
    table = methods.cumulative_incidence(data, "sessions", "end").table
    for _, row in table.iterrows():
        share = ((data["sessions"] <= row["time"]) & (data["end"] == row["event"])).mean()
        assert row["estimate"] == pytest.approx(share, rel=1e-12)
        assert row["se"] == pytest.approx(np.sqrt(share * (1 - share) / len(data)), rel=1e-10)


def test_all_ends_together_are_one_less_kaplan_and_meier():
    data = ends()
    together = methods.cumulative_incidence(data, "sessions", "end").table.groupby("time")["estimate"].sum()
    survival = 1.0
    for time, cumulated in together.items():
        survival *= (
            1 - ((data["sessions"] == time) & data["end"].notna()).sum() / (data["sessions"] >= time).sum()
        )
        assert cumulated == pytest.approx(1 - survival, rel=1e-12)


def test_the_value_at_a_time_is_that_of_the_last_end_before():
    found = methods.cumulative_incidence(ends(), "sessions", "end", group="arm")
    at = found.at(8.5)
    assert at[["group", "event"]].to_numpy().tolist() == [[g, e] for g in "ab" for e in ("left", "planned")]
    for _, row in at.iterrows():
        own = found.table[(found.table["group"] == row["group"]) & (found.table["event"] == row["event"])]
        assert row["estimate"] == own.loc[own["time"] <= 8.5, "estimate"].iloc[-1]
    before = found.at(0.5)
    assert before[["estimate", "se", "lower", "upper"]].eq(0).all(axis=None)
    assert repr(found) == "<CumulativeIncidence: left, planned; use .summary()>"
    assert found.summary().startswith("Cumulative incidence (Aalen and Johansen)\n\ngroup")


GOOD = pd.DataFrame({"t": [1.0, 2, 3], "end": ["left", None, " planned "]})


def test_a_group_in_which_nobody_ended_has_its_last_time():
    data = pd.concat([GOOD.assign(g="x"), pd.DataFrame({"t": [4.0, 5], "end": [None, None], "g": "y"})])
    found = methods.cumulative_incidence(data, "t", "end", group="g")
    none = found.table[found.table["group"] == "y"]
    assert none["time"].tolist() == [5, 5]
    assert none[["estimate", "se"]].eq(0).all(axis=None)
    assert found.events == ("left", "planned")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (pd.array([1, 0, None, 1], dtype="Int64"), [0, 1]),
        (pd.array([True, False, None, True], dtype="boolean"), [False, True]),
        ([" a", "b", None, "a"], ["a", "b"]),
        (["a", 2, None, 1], [1, 2, "a"]),
        (pd.Categorical(["b", "a", None, "b"], ["z", "b", "a"]), ["b", "a"]),
    ],
)
def test_groups_of_any_type_with_missing_values(values, wanted):
    data = pd.DataFrame({"t": [1.0, 2, 3, 4], "end": "left", "g": values})
    found = methods.cumulative_incidence(data, "t", "end", group="g").table
    assert list(found["group"].drop_duplicates()) == wanted
    by_group = found.groupby("group")["events"].sum()
    assert by_group.sum() == 3
    assert all(by_group[value] == 2 for value in wanted[:1] if value in ("a", "b"))


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (GOOD.assign(g=np.nan), {"group": "g"}, "Column 'g' is missing in every row. Leave group out."),
        (GOOD, {"event": "ends"}, "The frame has no column 'ends'. Did you mean 'end'?"),
        (GOOD.assign(t=[1, -2, 3]), {}, "Column 't' holds -2. Times are 0 or more."),
        (GOOD.assign(t=[1, np.nan, 3]), {}, "Column 't' is missing in 1 row. Fill or drop it."),
        (GOOD.assign(end=None), {}, "Column 'end' has no end of any kind; nothing can be cumulated."),
        (GOOD, {"alpha": 0}, "alpha is 0; it lies between 0 and 1, and 0.05 gives 95 % intervals."),
    ],
)
def test_what_cannot_be_meant_is_said(frame, given, message):
    with pytest.raises(DataError) as error:
        methods.cumulative_incidence(frame, **({"time": "t", "event": "end"} | given))
    assert str(error.value) == message


def test_people_of_one_cluster_count_as_single_people():
    """Of one therapist the sum of all influences is zero, which is no error; a group of one therapist beside another too."""
    frame = pd.DataFrame(
        {"t": [1, 2, 2, 3, 4, 4], "end": ["a", "a", None, "b", "a", None], "who": "x", "g": list("uuuvvv")}
    )
    for group in (None, "g"):
        ours = methods.cumulative_incidence(frame, "t", "end", group=group, cluster="who").table
        alone = methods.cumulative_incidence(frame, "t", "end", group=group).table
        pd.testing.assert_frame_equal(ours, alone)
        assert (ours["se"] > 0).any()


def test_few_clusters_widen_errors_and_limits():
    """The factor and the t quantile by hand; infinitely many clusters are the plain version."""
    data = ends()
    plain = methods.cumulative_incidence(data, "sessions", "end", cluster="arm").table
    few = methods.cumulative_incidence(data, "sessions", "end", cluster="arm", few=True).table
    n = data["arm"].nunique()
    np.testing.assert_allclose(few["se"], plain["se"] * np.sqrt(n / (n - 1)), rtol=1e-12)
    np.testing.assert_array_equal(few["estimate"], plain["estimate"])
    inside = (few["estimate"] > 0) & (few["se"] > 0)
    f, se = few.loc[inside, "estimate"], few.loc[inside, "se"]
    width = stats.t.isf(0.025, n - 1) * se / (f * np.abs(np.log(f)))
    np.testing.assert_allclose(few.loc[inside, "upper"], f ** np.exp(-width), rtol=1e-9)
    np.testing.assert_allclose(few.loc[inside, "lower"], f ** np.exp(width), rtol=1e-9)


def test_limits_of_few_clusters_cover():
    """Six therapists whose clients' chances differ: shares without censoring, whose truth is known; plain limits cover too rarely."""
    rng, covered = np.random.default_rng(5), np.zeros(2)
    for _ in range(200):
        chance = rng.beta(2, 3, 6)
        frame = pd.DataFrame(
            {
                "who": np.repeat(range(6), 10),
                "t": 1.0,
                "end": np.where(rng.random(60) < np.repeat(chance, 10), "left", None),
            }
        )
        for k in (0, 1):
            row = methods.cumulative_incidence(frame, "t", "end", cluster="who", few=bool(k)).table.iloc[0]
            covered[k] += row["lower"] <= 0.4 <= row["upper"]
    error = np.sqrt(0.95 * 0.05 / 200)
    assert covered[1] / 200 == pytest.approx(0.95, abs=3 * error)
    assert covered[0] / 200 < 0.9
