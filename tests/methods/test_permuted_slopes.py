"""Curves of permuted data, all permutations at once: against plain loops, brute force and the engine."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from inside.methods_probing import Held, of_persons


def rows(seed: int, n: int = 60, groups: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), n // groups)
    z = rng.normal(size=n)
    x = np.column_stack([0.5 * z + rng.normal(size=n), z])
    y = 0.8 * z + rng.normal(size=groups)[g] + rng.normal(size=n)
    centred = pd.DataFrame(np.column_stack([y, x])).groupby(g).transform(lambda v: v - v.mean()).to_numpy()
    return centred[:, 0], centred[:, 1:], g


def test_permutations_of_some_persons_follow_those_of_all():
    """A person who is not there is passed over; by hand, for each permutation and person."""
    groups = np.repeat(["a", "b", "c"], [5, 4, 1])
    drawn = methods.shuffles(groups, n_perm=40, seed=3)
    assert drawn.n_perm == 40
    assert "<Shuffles: 40 permutations of 10 persons>" in repr(drawn)
    for onward in drawn.onward:
        assert sorted(onward) == list(range(10))
        assert (groups[onward] == groups).all()
    members = np.array([1, 0, 1, 1, 0, 1, 1, 0, 1, 1], dtype=bool)
    found = drawn.of(members)
    places = np.flatnonzero(members)
    for onward, order in zip(drawn.onward, found, strict=True):
        for k, person in enumerate(places):
            now = onward[person]
            while not members[now]:
                now = onward[now]
            assert places[order[k]] == now
    back = drawn.of(members, back=True)
    np.testing.assert_array_equal(np.take_along_axis(found, back, axis=1), np.tile(np.arange(7), (40, 1)))
    np.testing.assert_array_equal(drawn.of(np.ones(10, dtype=bool)), drawn.onward)


def test_every_order_of_the_members_is_as_likely():
    drawn = methods.shuffles(["x"] * 6, n_perm=2400, seed=5)
    seen = pd.Series([tuple(order) for order in drawn.of(np.array([True, False, True, False, True, False]))])
    assert len(seen.value_counts()) == 6
    assert stats.chisquare(seen.value_counts()).pvalue > 0.001


def test_more_sets_of_members_than_are_remembered():
    drawn = methods.shuffles(["x"] * 8, n_perm=5, seed=5)
    members = np.arange(8) < 5
    first = drawn.of(members)
    for k in range(12):
        drawn.of(np.arange(8) != k % 8)
    np.testing.assert_array_equal(drawn.of(members), first)


def test_permuted_slopes_are_those_of_a_loop():
    y, x, g = rows(1)
    drawn = methods.shuffles(g, n_perm=25, seed=2)
    found = methods.permuted_slopes(y, x, g, drawn.onward, column=0)
    z = x[:, [1]]
    fitted = z @ np.linalg.lstsq(z, y, rcond=None)[0]
    for order, row in zip(drawn.onward, found, strict=True):
        again = methods.clustered_slope(fitted + (y - fitted)[order], x, g, column=0)
        np.testing.assert_allclose(row, again, rtol=1e-10)


def test_without_other_columns_it_is_a_permutation_of_the_predictor():
    y, x, g = rows(2)
    drawn = methods.shuffles(g, n_perm=10, seed=2)
    found = methods.permuted_slopes(y, x[:, :1], g, drawn.onward, column=0)
    back = np.argsort(drawn.onward, axis=1)
    for order, row in zip(back, found, strict=True):
        np.testing.assert_allclose(row, methods.clustered_slope(y, x[order, :1], g, column=0), rtol=1e-10)


def test_a_curve_of_all_permutations_at_once_is_that_of_one_after_the_other():
    y, x, g = rows(3)
    frame = pd.DataFrame({"y": y, "a": x[:, 0], "g": g})
    drawn = methods.shuffles(g, n_perm=19, seed=4)
    choices = [{"limit": 1.0}, {"limit": 9.0}, {"limit": 0.001}]

    def of(data, choice):
        kept = (frame["a"].abs() < choice["limit"]).to_numpy()
        return kept, data["y"].to_numpy()[kept], frame[["a"]].to_numpy()[kept], g[kept]

    def run(data, choice):
        kept, *rest = of(data, choice)
        return (np.nan, np.nan, np.nan, 0) if kept.sum() < 10 else methods.clustered_slope(*rest, 0)

    def permuted(data, choice):
        kept, *rest = of(data, choice)
        return None if kept.sum() < 10 else methods.permuted_slopes(*rest, drawn.of(kept), 0)

    found = methods.specification_curve(frame, choices, run, permuted=permuted, n_perm=19)
    assert found.draws.shape == (19, 3, 4)
    assert np.isnan(found.draws[:, 2, 0]).all()
    t = found.draws[:, :2, 0] / found.draws[:, :2, 1]
    assert found.p_mean_t == (1 + sum(abs(t.mean(axis=1)) >= abs(found.mean_t))) / 20
    np.testing.assert_allclose(found.permuted["median"], np.median(found.draws[:, :2, 0], axis=1))
    # One question alone, judged by the same permutations.
    one = found.part([True, False, False])
    assert len(one.table) == 1
    assert one.p_median == (1 + sum(abs(found.draws[:, 0, 0]) >= abs(one.median))) / 20
    assert one.table["estimate"].iloc[0] == found.table["estimate"].iloc[0]
    pd.testing.assert_frame_equal(
        found.part([1]).table.reset_index(drop=True), found.table.iloc[[1]].reset_index(drop=True)
    )
    with pytest.raises(DataError, match=r"^No specification could be estimated; all estimates are missing.$"):
        found.part([2])
    band = found.null_band(0.9)
    assert len(band) == 2
    low = np.quantile(np.sort(found.draws[:, :2, 0], axis=1), 0.05, axis=0)
    np.testing.assert_allclose(band["lower"], low)
    alone = methods.specification_curve(frame, choices[:2], run)
    assert alone.null_band().isna().all(axis=None)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: methods.shuffles(["a", None], 5), "groups has missing values. Leave these persons out."),
        (lambda: methods.shuffles(["a", "b"], 0), "n_perm is 0; it is the number of permutations"),
        (
            lambda: methods.permuted_slopes([1.0, 2.0], np.ones((3, 1)), [1, 2, 3], np.zeros((2, 3), int), 0),
            "y needs a number for each row of x.",
        ),
        (
            lambda: methods.permuted_slopes(
                [1.0, 2.0, 4.0], np.ones((3, 1)), [1, 2, 3], np.zeros((2, 4), int), 0
            ),
            "orders have 4 columns, and y has 3 rows.",
        ),
        (
            lambda: methods.specification_curve(
                pd.DataFrame(),
                [1],
                lambda *_: (1.0, 1.0, 5.0, 9),
                n_perm=3,
                permuted=lambda *_: np.zeros((2, 4)),
            ),
            "permuted has to return estimate, se, df and n of each of 3 permutations; for 1 it returned the shape (2, 4).",
        ),
        (
            lambda: methods.specification_curve(
                pd.DataFrame(),
                [1],
                lambda *_: (1.0, 1.0, 5.0, 9),
                lambda f, _: f,
                3,
                permuted=lambda *_: None,
            ),
            "Give permute or permuted, not both.",
        ),
    ],
)
def test_what_is_refused(call, words):
    with pytest.raises(DataError) as caught:
        call()
    assert words in str(caught.value)


@pytest.fixture(scope="module")
def courses() -> pd.DataFrame:
    """Courses of clients of therapists; the effect of x on the course differs between therapists."""
    rng = np.random.default_rng(1)
    therapists, clients = 25, 200
    g = np.repeat(np.arange(therapists), clients // therapists)
    x = rng.normal(size=clients)
    x -= pd.Series(x).groupby(g).transform("mean").to_numpy()
    z = rng.normal(size=clients) + 0.3 * x
    u, own = rng.normal(size=(therapists, 2)) * [1, 0.3], 0.3 * rng.normal(size=therapists)
    b = rng.normal(size=(clients, 2)) * [2, 0.5]
    parts = []
    for i in range(clients):
        week = np.arange(rng.integers(2, 7))
        slope = -0.5 + u[g[i], 1] + b[i, 1] + (own[g[i]] - 0.2) * x[i]
        y = 10 + 0.5 * z[i] + u[g[i], 0] + b[i, 0] + week * slope + 2 * rng.normal(size=len(week))
        parts.append(
            pd.DataFrame({"client": i, "therapist": g[i], "weeks": week, "y": y, "x": x[i], "z": z[i]})
        )
    return pd.concat(parts, ignore_index=True)


def covariance(table: pd.DataFrame, group: str) -> np.ndarray:
    out, place = np.zeros((2, 2)), {"Intercept": 0, "weeks": 1}
    for r in table[table["group"] == group].itertuples():
        if r.term1 in place:
            i = place[r.term1]
            j = i if pd.isna(r.term2) else place[r.term2]
            out[i, j] = out[j, i] = r.vcov
    return out


@pytest.mark.parametrize(
    ("random", "client"),
    [
        ("(1 + weeks | therapist/client)", "client:therapist"),
        ("(1 + weeks | therapist/client) + (0 + weeks:x | therapist)", "client:therapist"),
        ("(1 + weeks | client)", "client"),
        ("(1 | therapist/client)", "client:therapist"),
    ],
)
def test_held_variances_give_the_engines_estimate_and_error(courses, random, client):
    fit = al.MixedModel.from_formula(f"y ~ weeks * (x + z) + {random}", courses).fit()
    table = fit.varcorr
    own = table.loc[table["term1"] == "weeks:x", "vcov"]
    people = courses.groupby("client").first()
    information, score = of_persons(
        courses["y"].to_numpy(float),
        np.column_stack([np.ones(len(courses)), courses["weeks"]]),
        courses["client"].to_numpy(),
        covariance(table, client),
        float(table.loc[table["group"] == "Residual", "vcov"].iloc[0]),
    )
    held = Held(
        information,
        score,
        people["therapist"].to_numpy(),
        covariance(table, "therapist"),
        float(own.iloc[0]) if len(own) else 0.0,
        np.column_stack([np.ones(len(people)), people["z"]]),
    )
    versions = np.stack([people["x"], people["x"][::-1]])
    estimate, se = held.slopes(versions)
    assert estimate[0] == pytest.approx(fit.params["weeks:x"], rel=1e-6)
    assert se[0] == pytest.approx(fit.bse["weeks:x"], rel=1e-6)
    # Another version of the predictor, by n by n matrices.
    moved = courses.assign(x=courses["client"].map(pd.Series(versions[1], index=people.index)))
    assert (estimate[1], se[1]) == pytest.approx(brute(moved, held, table, client), rel=1e-8)


def brute(data: pd.DataFrame, held: Held, table: pd.DataFrame, client: str) -> tuple[float, float]:
    """Generalised least squares with the whole covariance matrix."""
    basis = np.column_stack([np.ones(len(data)), data["weeks"]])
    same_client = data["client"].to_numpy()[:, None] == data["client"].to_numpy()
    same_therapist = data["therapist"].to_numpy()[:, None] == data["therapist"].to_numpy()
    v = same_client * (basis @ covariance(table, client) @ basis.T)
    v = v + same_therapist * (basis @ held.between @ basis.T)
    own = data["weeks"].to_numpy() * data["x"].to_numpy()
    v = v + same_therapist * held.own * np.outer(own, own)
    v += float(table.loc[table["group"] == "Residual", "vcov"].iloc[0]) * np.eye(len(data))
    x = np.column_stack([basis, basis * data[["z"]].to_numpy(), basis * data[["x"]].to_numpy()])
    inverse = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    beta = inverse @ x.T @ np.linalg.solve(v, data["y"].to_numpy(float))
    return float(beta[-1]), float(np.sqrt(inverse[-1, -1]))
