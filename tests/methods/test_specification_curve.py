"""`methods.specification_curve` against plain loops, its error rate without an effect, and what it refuses."""

import itertools
import json
import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from reference.catalogue import HERE as REFERENCE


def clients(seed: int, n: int = 120, groups: int = 12, slope: float = 0.0) -> pd.DataFrame:
    """Clients of therapists with an early score, a later one that goes with it, and an outcome."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), n // groups)
    early = rng.normal(size=groups)[g] + rng.normal(size=n)
    later = 0.8 * early + 0.6 * rng.normal(size=n)
    pre = rng.normal(size=n)
    y = slope * early + 0.5 * pre + rng.normal(size=groups)[g] + rng.normal(size=n)
    return pd.DataFrame({"g": g, "early": early, "later": later, "pre": pre, "y": y})


CHOICES = [
    {"score": score, "adjust": adjust, "limit": limit}
    for score, adjust, limit in itertools.product(("early", "later"), ((), ("pre",)), (1.0, 9.0))
]


def run(rows: pd.DataFrame, choice: dict) -> methods.clustered_slope:
    rows = rows[rows["pre"].abs() < choice["limit"]]
    own = rows[[choice["score"], *choice["adjust"], "y"]]
    own = (own - own.groupby(rows["g"]).transform("mean")).to_numpy()
    return methods.clustered_slope(own[:, -1], np.column_stack([np.ones(len(own)), own[:, :-1]]), rows["g"])


def test_the_statistics_and_their_p_are_those_of_a_loop():
    data = clients(1, slope=-0.2)
    kept = data.copy()
    permute = methods.permuter(["early", "later"], within="g")
    found = methods.specification_curve(data, CHOICES, run, permute, n_perm=39, seed=5)
    cells = [run(data, choice) for choice in CHOICES]
    table = found.table
    assert list(table) == [
        "score", "adjust", "limit", "estimate", "se", "df", "n", "t", "p", "lower", "upper", "significant",
    ]  # fmt: skip
    np.testing.assert_array_equal(table[["estimate", "se", "df", "n"]], np.array(cells))
    half = stats.t.ppf(0.975, table["df"]) * table["se"]
    np.testing.assert_allclose(table["upper"] - table["estimate"], half, rtol=1e-12)
    np.testing.assert_allclose(table["p"], 2 * stats.t.sf(abs(table["t"]), table["df"]), rtol=1e-12)

    def three(rows):
        each = [run(rows, choice) for choice in CHOICES]
        t = np.array([c.estimate / c.se for c in each])
        p = np.array([2 * stats.t.sf(abs(s), c.df) for s, c in zip(t, each, strict=True)])
        median = np.median([c.estimate for c in each])
        return abs(median), sum((p < 0.05) & (np.sign(t) == np.sign(median))), abs(t.mean())

    own, rng = three(data), np.random.default_rng(5)
    null = np.array([three(permute(data, rng)) for _ in range(39)])
    wanted = [(1 + sum(null[:, i] >= own[i])) / 40 for i in range(3)]
    assert [found.p_median, found.p_significant, found.p_mean_t] == pytest.approx(wanted, abs=1e-15)
    assert abs(found.median) == pytest.approx(own[0])
    assert found.n_significant == own[1]
    assert found.expected_significant == pytest.approx(null[:, 1].mean())
    same = np.mean([np.sign(c.estimate) == np.sign(found.median) for c in cells])
    assert found.share_same_sign == same
    assert list(found.tidy()["estimate"]) == sorted(table["estimate"])
    pd.testing.assert_frame_equal(data, kept)
    again = methods.specification_curve(data, pd.DataFrame(CHOICES), run, permute, n_perm=39, seed=5)
    assert again.p_mean_t == found.p_mean_t


def test_without_an_effect_the_joint_test_rejects_as_often_as_it_says():
    """200 data sets with strong differences between groups: 19 permutations reject at .05 in one of 20."""
    choices = [{"score": "early", "adjust": (), "limit": 9.0}, {"score": "later", "adjust": (), "limit": 9.0}]
    permute = methods.permuter(["early", "later"], within="g")
    p = []
    for seed in range(200):
        data = clients(seed, n=48, groups=6)
        data -= data.groupby("g").transform("mean").assign(g=0)  # shuffling within groups leaves it centred
        found = methods.specification_curve(data, choices, quick, permute, n_perm=19, seed=seed)
        p.append((found.p_median, found.p_significant, found.p_mean_t))
    shares = np.mean(np.array(p) <= 0.05, axis=0)
    error = 3 * np.sqrt(0.05 * 0.95 / 200)
    assert abs(shares[0] - 0.05) < error
    assert abs(shares[2] - 0.05) < error
    assert shares[1] < 0.05 + error  # a count has ties
    # Uniform on 0.05, 0.10, ... 1.
    expected = np.full(20, 10.0)
    for i in (0, 2):
        seen = np.bincount(np.rint(20 * np.array(p)[:, i]).astype(int), minlength=21)[1:]
        assert stats.chisquare(seen, expected).pvalue > 0.001


def quick(rows: pd.DataFrame, choice: dict) -> tuple[float, float, float, int]:
    """A slope within groups with the usual error: enough for the error rate."""
    x, y = rows[choice["score"]].to_numpy(), rows["y"].to_numpy()
    df = len(x) - 6 - 1
    slope = x @ y / (x @ x)
    rest = y - slope * x
    return slope, float(np.sqrt(rest @ rest / df / (x @ x))), df, len(x)


def test_an_effect_is_found():
    found = methods.specification_curve(
        clients(3, slope=-0.5), CHOICES, run, methods.permuter(["early", "later"], within="g"), n_perm=99
    )
    assert found.p_median == found.p_mean_t == 0.01
    assert found.share_same_sign == 1


def test_shuffling_keeps_rows_and_groups_together():
    data = clients(2)
    moved = methods.permuter(["early", "later"], within="g")(data, np.random.default_rng(1))
    assert not np.array_equal(moved["early"], data["early"])
    for _, rows in data.groupby("g"):
        before = rows[["early", "later"]].sort_values("early").to_numpy()
        after = moved.loc[rows.index, ["early", "later"]].sort_values("early").to_numpy()
        np.testing.assert_array_equal(after, before)
    pd.testing.assert_frame_equal(moved[["g", "pre", "y"]], data[["g", "pre", "y"]])
    everywhere = methods.permuter("early")(data, np.random.default_rng(1))
    assert sorted(everywhere["early"]) == sorted(data["early"])


def test_groups_without_an_id_are_refused():
    rows = pd.DataFrame({"a": [1, 2, 3], "g": ["x", None, "x"]})
    with pytest.raises(DataError, match=r"^Column 'g' is missing in 1 row. Fill or drop it.$"):
        methods.permuter("a", within="g")(rows, np.random.default_rng(1))


def test_every_order_within_groups_is_as_likely():
    rows = pd.DataFrame({"a": [1, 2, 3], "g": "x"})
    permute, rng = methods.permuter("a", within="g"), np.random.default_rng(4)
    seen = pd.Series([tuple(permute(rows, rng)["a"]) for _ in range(1200)]).value_counts()
    assert len(seen) == 6
    assert stats.chisquare(seen).pvalue > 0.001


def test_the_share_of_each_choice_in_a_balanced_grid_adds_up():
    def additive(_rows, choice):
        return 3.0 * (choice["a"] == "x") + choice["b"], 1.0, 10, 50

    choices = [{"a": a, "b": b, "same": 1} for a in "xy" for b in (0.0, 1.0, 2.0)]
    found = methods.specification_curve(clients(1), choices, additive).by_choice()
    assert found[["choice", "options"]].to_numpy().tolist() == [["a", 2], ["b", 3]]
    np.testing.assert_allclose(found["share"], [2.25 / (2.25 + 2 / 3), (2 / 3) / (2.25 + 2 / 3)], rtol=1e-12)


def test_without_permutation_there_is_no_joint_test_and_missing_cells_are_said():
    cells = {
        1: (0.5, 0.1, 20, 30),
        2: {"estimate": np.nan, "se": np.nan, "df": 1, "n": 2},
        3: (-0.1, 0.1, 20, 30),
    }
    found = methods.specification_curve(clients(1), [1, 2, 3], lambda _, which: cells[which])
    assert found.table["specification"].tolist() == [1, 2, 3]
    assert np.isnan([found.p_median, found.p_significant, found.p_mean_t]).all()
    assert (found.median, found.n_significant, found.share_same_sign) == (0.2, 1, 0.5)
    assert found.findings[0].message == "1 specification could not be estimated and is not counted."
    text = found.summary()
    assert text.startswith(
        "Specification curve of 3 specifications\nMedian estimate 0.2; 50 % have its sign; 1 of 3"
    )
    assert repr(found) == "<SpecificationCurve: 3 specifications, median 0.2; use .summary()>"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"specifications": []}, "There is no specification. Give at least one."),
        ({"n_perm": 0}, "n_perm is 0; it is the number of permutations, 1 or more."),
        ({"n_perm": 9.5}, "n_perm is 9.5; it is the number of permutations, 1 or more."),
        (
            {"specifications": [{"n": 1}]},
            "A choice is called 'n', which is a column of the table. Rename it.",
        ),
        (
            {"run": lambda *_: (1.0, 2.0)},
            "run has to return estimate, se, df and n; for 1 it returned (1.0, 2.0).",
        ),
        ({"run": lambda *_: None}, "run has to return estimate, se, df and n; for 1 it returned None."),
        (
            {"run": lambda *_: (np.nan, np.nan, 1, 1)},
            "No specification could be estimated; all estimates are missing.",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(given, message):
    usual = {"specifications": [1], "run": lambda *_: (1.0, 0.5, 10, 20)}
    with pytest.raises(DataError) as error:
        methods.specification_curve(clients(1), **(usual | given))
    assert str(error.value) == message


MODERATED = pd.read_csv(REFERENCE / "small" / "moderated.csv")
WANTED = json.loads((REFERENCE / "clustered_slope.json").read_text())


@pytest.mark.parametrize("which", ["balanced", "unbalanced"])
def test_robust_slopes_as_clubsandwich_has_them(which):
    rows = MODERATED
    if which == "unbalanced":
        rows = rows[~(rows["g"].isin([1, 2]) & ((np.arange(len(rows)) + 1) % 3 > 0))]
    columns = [np.ones(len(rows)), rows["x"], rows["m"]]
    columns += [rows["x"] * rows["m"]] if which == "balanced" else []
    found = [
        methods.clustered_slope(rows["y"], np.column_stack(columns), rows["g"], i)
        for i in range(len(columns))
    ]
    wanted = WANTED[which]
    for i, name in enumerate(("beta", "se", "df")):
        np.testing.assert_allclose([cell[i] for cell in found], wanted[name], rtol=1e-10)
    assert found[0].n == len(rows)


def test_ten_thousand_robust_slopes_take_seconds():
    """A multiverse of 144 cells and 500 permutations is 72,000 of them."""
    data = clients(1, n=900, groups=30)
    x = np.column_stack([np.ones(900), data[["early", "pre", "later"]]])
    start = time.process_time()
    for _ in range(200):
        methods.clustered_slope(data["y"], x, data["g"])
    assert (time.process_time() - start) / 200 < 0.004  # 0.5 ms on a quiet machine


@pytest.mark.parametrize(
    ("rows", "x", "groups", "message"),
    [
        (2, np.ones((2, 2)), [1, 2], "2 rows in 2 groups are too few for 2 coefficients with robust errors."),
        (9, np.column_stack([np.ones(9), range(9)]), [1] * 9, "9 rows in 1 group are too few for 2 coefficients with robust errors."),
        (9, np.ones((9, 2)), [1, 2, 3] * 3, "The columns of x depend on each other. Leave one out."),
        (
            9,
            np.column_stack([np.ones(9), [1.0, 2, 3] + [0.0] * 6, [1.0] * 3 + [0.0] * 6]),
            np.repeat([1, 2, 3], 3),
            "The coefficient depends on a single group, so that its robust error is zero.",
        ),
    ],
)  # fmt: skip
def test_robust_slopes_that_there_are_not(rows, x, groups, message):
    with pytest.raises(DataError) as error:
        methods.clustered_slope(np.arange(rows), x, groups)
    assert str(error.value) == message


X = np.column_stack([np.ones(6), [1.0, 2, 3, 4, 5, 6]])
Y = np.array([1.0, 2.5, 2, 4, 5.5, 5])
ROWS = "y, x and groups need one row for each observation, and x its columns, one of them ones."
ABSENT = "y, x or groups has missing or infinite values. Leave these rows out."


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": X[:, 1]}, ROWS),
        ({"y": Y[:5]}, ROWS),
        ({"groups": list("aabb")}, ROWS),
        ({"column": 2}, "column is 2; x has 2 columns, counted from 0."),
        ({"y": np.where(Y == 4, np.nan, Y)}, ABSENT),
        ({"x": np.where(X == 4, np.nan, X)}, ABSENT),
        ({"groups": ["a", "a", None, "b", "c", "c"]}, ABSENT),
        ({"groups": [1, 1, np.nan, 2, 3, 3]}, ABSENT),
    ],
)
def test_rows_that_a_robust_slope_cannot_use(given, message):
    with pytest.raises(DataError) as error:
        methods.clustered_slope(**({"y": Y, "x": X, "groups": list("aabbcc")} | given))
    assert str(error.value) == message


def test_labels_of_groups_do_not_matter():
    wanted = methods.clustered_slope(Y, X, list("aabbcc"))
    np.testing.assert_allclose(methods.clustered_slope(Y, X, [9, 9, "x", "x", 1, 1]), wanted, rtol=1e-12)
