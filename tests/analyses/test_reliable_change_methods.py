"""Seven methods against published counts, an independent computation in R, and worked examples."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import classify_change
from alliance_longitudinal.errors import DataError, FitError, StudyError
from inside.methods_psychometrics import METHODS, ChangeCategories, Functional, Moments, cutoff

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "change.json").read_text(encoding="utf-8"))
#: Counts that the R package clinicalsignificance prints for HAM-D of claus_2020, times 1 and 4, r = .80, functional
#: M 8, SD 8, cut-off c (its tests/testthat/_snaps/cs_combined.md).
PUBLISHED = {
    "JT": (26, 3, 10, 1, 0),
    "EN": (26, 6, 5, 3, 0),
    "GLN": (26, 3, 10, 1, 0),
    "NK": (26, 2, 11, 1, 0),
    "HA": (23, 9, 7, 1, 0),
    "HLL": (12, 0, 16, 11, 1),
    "HLM": (10, 1, 20, 9, 0),
}
SETS = {
    "claus_hamd": ("claus_2020.csv", "id", "time", "hamd", 1, 4, 0.80, 0.5),
    "jacobson_gds": ("jacobson_1989.csv", "subject", "time", "gds", "pre", "post", 0.85, 0.75),
    "jacobson_das": ("jacobson_1989.csv", "subject", "time", "das", "pre", "post", 0.88, 0.80),
    "hechler": ("hechler_2014.csv", "patient", "measurement", "disability", 1, 2, 0.86, 0.80),
}


def wide(folder: Path, name: str) -> pd.DataFrame:
    file, client, time, score, first, last, _, _ = SETS[name]
    long = pd.read_csv(folder / file)
    table = long[long[time].isin([first, last])].pivot(index=client, columns=time, values=score)
    return table.rename(columns={first: "pre", last: "post"})


def claus(folder: Path, method: str, **other: object) -> ChangeCategories:
    known = {"cutoff": "c", "m_functional": 8, "sd_functional": 8} | other
    if method == "HLM":
        return classify_change(
            pd.read_csv(folder / "claus_2020.csv"), "HLM", client="id", score="hamd", **known
        )
    return classify_change(wide(folder, "claus_hamd"), method, reliability=0.8, reliability_post=0.5, **known)


@pytest.mark.parametrize("method", sorted(PUBLISHED))
def test_published_counts(shared_data: Path, method: str) -> None:
    change = claus(shared_data, method)
    assert tuple(change.counts.values()) == PUBLISHED[method]
    assert change.n == 40


def test_published_internals(shared_data: Path) -> None:
    """Printed to seven digits in our fact sheet, the points of change with z = 1.96."""
    change = claus(shared_data, "JT")
    m = change.moments
    assert change.index is not None
    assert change.cut is not None
    ours = [m.mean, m.sd, m.mean_post, m.sd_post, m.s_diff, 1.96 * m.s_diff, change.cut.value]
    published = [24.85, 3.340121, 14.975, 7.711089, 2.112478, 4.140457, 19.887]
    np.testing.assert_allclose(ours, published, atol=6e-6)


def test_published_group_level(shared_data: Path) -> None:
    """Printed as 0.90 and 0.76."""
    found = claus(shared_data, "HA").group_level
    np.testing.assert_allclose([found["changed"], found["functional"]], [0.90, 0.76], atol=0.005)
    assert claus(shared_data, "JT").group_level == {}


@pytest.mark.parametrize("name", sorted(SETS))
@pytest.mark.parametrize("method", ["JT", "GLN", "HLL", "EN", "NK", "HA"])
def test_indices_as_computed_in_r(shared_data: Path, name: str, method: str) -> None:
    """R computes in double precision and prints twelve digits."""
    *_, r, r_post = SETS[name]
    change = classify_change(wide(shared_data, name), method, reliability=r, reliability_post=r_post)
    rci = change.frame["rci"].dropna().to_numpy()
    them = REFERENCE[name]["rci"][method]
    ours = [rci.sum(), (rci**2).sum(), *rci[:3]]
    np.testing.assert_allclose(ours, [them["sum"], them["squares"], *them["first"]], rtol=1e-9, atol=1e-9)
    assert change.n == REFERENCE[name]["n"]


def test_slopes_as_lme4_has_them(shared_data: Path) -> None:
    """lme4 stops within about 1e-6 of the optimum; the ratio of mode to SD moves by 1e-4 with it."""
    slopes = claus(shared_data, "HLM").slopes
    assert slopes is not None
    them = REFERENCE["claus_hlm"]
    ours = slopes.frame.set_index("client")["rci"].loc[them["id"]]
    np.testing.assert_allclose(ours, them["rci"], atol=2e-4)
    assert slopes.average == pytest.approx(them["average"], abs=1e-5)


def test_who_crosses_the_cutoff_by_hageman_and_arrindell() -> None:
    """CS_INDIV (1999) by hand: the estimated true score after treatment lies beyond the cut-off by 1.645 of its errors."""
    rng = np.random.default_rng(3)
    pre = rng.normal(20, 6, 300)
    post = pre * 0.5 + rng.normal(3, 5, 300)
    change = classify_change(pd.DataFrame({"pre": pre, "post": post}), "HA", reliability=0.8, cutoff=14.0)
    error = pre.std(ddof=1) * np.sqrt(1 - 0.8)
    r = 1 - error**2 / post.var(ddof=1)
    beyond = (post.mean() + (post - post.mean()) * r - 14.0) / (np.sqrt(r) * error)
    better = (change.frame["rci"] < -1.645).to_numpy()
    recovered = better & (pre > 14) & (beyond < -1.645)
    assert change.frame["category"].eq("recovered").tolist() == recovered.tolist()
    assert 10 < recovered.sum() < (better & (pre > 14) & (post < 14)).sum()


def moments(sd: float, r: float) -> Moments:
    return Moments(mean=47.5, sd=sd, mean_post=32.5, sd_post=sd, correlation=0.5, reliability=r)


@pytest.mark.parametrize(
    ("sd", "r", "printed"),
    [
        (10.5, 0.931, (2.758124, 3.900577, 7.645131, 6.416449)),
        (0.75, 0.94, (0.183712, 0.259808, 0.509223, 0.427384)),
        (7.5, 0.80, (3.354102, 4.743416, 9.297096, 7.802920)),
    ],
)
def test_arithmetic_of_the_fact_sheet(sd: float, r: float, printed: tuple[float, ...]) -> None:
    """SEM, S_diff and the points with z = 1.96 and 1.645; six printed decimals."""
    m = moments(sd, r)
    np.testing.assert_allclose([m.sem, m.s_diff, 1.96 * m.s_diff, 1.645 * m.s_diff], printed, atol=6e-7)


def test_worked_example_of_jacobson_and_truax() -> None:
    """RC = (32.5 - 47.5) / 4.74 = -3.16 (1991, p. 14)."""
    frame = pd.DataFrame({"pre": [47.5, 40.0, 55.0], "post": [32.5, 41.0, 50.0]})
    change = classify_change(frame, "JT", reliability=0.80, sd=7.5)
    assert change.frame["rci"].iloc[0] == pytest.approx(-3.16, abs=0.005)
    assert list(change.frame["category"]) == ["improved", "unchanged", "unchanged"]


@pytest.mark.parametrize(("kind", "value"), [("a", 8.0), ("b", 16.0), ("c", 12.8)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_cutoffs(kind: str, value: float, mirrored: bool) -> None:
    """Clinical M 20, SD 6; functional M 8, SD 4. A scale turned round has its cut-offs turned round."""
    sign = -1 if mirrored else 1
    m = Moments(mean=sign * 20, sd=6, mean_post=0, sd_post=1, correlation=0)
    cut = cutoff(kind, m, Functional(sign * 8, 4), direction=-sign)
    assert cut.value == pytest.approx(sign * value)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "HLM"])
def test_a_scale_turned_round_gives_the_same_categories(shared_data: Path, method: str) -> None:
    known = {"reliability": 0.8, "reliability_post": 0.5, "points": 4.0, "sd_functional": 8}
    frame = wide(shared_data, "claus_hamd")
    one = classify_change(frame, method, cutoff="c", m_functional=8, **known)
    other = classify_change(60 - frame, method, cutoff="c", m_functional=52, higher_is_better=True, **known)
    assert list(one.frame["category"].dropna()) == list(other.frame["category"].dropna())


def test_exactly_the_critical_value_is_not_reliable() -> None:
    """Jacobson and Truax (1991): RC greater than 1.96, in size."""
    frame = pd.DataFrame({"pre": [20.0, 21.0, 0.0, 0.0], "post": [0.0, 0.0, 20.0, 21.0]})
    known = {"reliability": 0.5, "sd": 10.0}
    z = classify_change(frame, "JT", **known).frame["rci"].abs().iloc[0]
    assert z == pytest.approx(2.0)
    at = classify_change(frame, "JT", z=z, **known)
    assert list(at.frame["category"]) == ["unchanged", "improved", "unchanged", "deteriorated"]
    below = classify_change(frame, "JT", z=z - 1e-6, **known)
    assert list(below.frame["category"]) == ["improved", "improved", "deteriorated", "deteriorated"]


@pytest.mark.parametrize("higher_is_better", [False, True])
def test_the_cut_off_itself_belongs_to_neither_range(higher_is_better: bool) -> None:
    """Who begins or ends exactly there has not crossed it."""
    frame = pd.DataFrame(
        {"pre": [16.0, 10.0, 10.5, 4.0, 10.0, 9.5], "post": [10.0, 4.0, 4.0, 10.0, 16.0, 16.0]}
    )
    if higher_is_better:
        frame = 20 - frame
    change = classify_change(frame, "points", points=6, cutoff=10.0, higher_is_better=higher_is_better)
    expected = ["improved", "improved", "recovered", "deteriorated", "deteriorated", "harmed"]
    assert list(change.frame["category"]) == expected


def test_exactly_the_published_points_are_reliable() -> None:
    frame = pd.DataFrame({"pre": [16.0, 16.0, 16.0, 5.3], "post": [10.0, 11.0, 22.0, 11.3]})
    change = classify_change(frame, "points", points=6, cutoff=9.5)
    assert list(change.frame["category"]) == ["improved", "unchanged", "deteriorated", "harmed"]


def test_a_missing_score_has_no_category_and_the_input_stays() -> None:
    frame = pd.DataFrame({"pre": [20.0, 22, 25, 30], "post": [10.0, np.nan, 24, 31]}, index=list("abcd"))
    before = frame.copy()
    change = classify_change(frame, "JT", reliability=0.9)
    assert change.frame["category"].isna().tolist() == [False, True, False, False]
    assert change.n == 3
    pd.testing.assert_frame_equal(frame, before)


FRAME = pd.DataFrame({"pre": [20.0, 22, 25, 30], "post": [10.0, 15, 24, 31]})


@pytest.mark.parametrize(
    ("method", "known", "text"),
    [
        ("JT", {}, "The reliability of the instrument is not known.*Give reliability="),
        ("NK", {"reliability": 0.8}, "Method NK needs a second reliability"),
        ("points", {}, "Method 'points' needs the published points"),
        ("JT", {"reliability": 1.2}, "reliability is 1.2; it lies between 0 and 1"),
        ("JT", {"reliability": 0.8, "sd": -1.0}, "sd is -1; it has to be above 0"),
        (
            "JT",
            {"reliability": 0.8, "cutoff": "c"},
            "Cut-off 'c' needs the mean and the standard deviation of people",
        ),
        ("HA", {"reliability": 0.01}, "Method HA cannot be used: with a reliability of 0.01"),
        ("HLM", {}, "Method HLM needs the columns client, time, score; there is no client, time, score"),
        ("JT", {"reliability": 0.8, "pre": "before"}, "needs the columns before, post; there is no before"),
    ],
)
def test_what_is_missing_is_said(method: str, known: dict[str, object], text: str) -> None:
    with pytest.raises(DataError, match=text):
        classify_change(FRAME, method, **known)


def test_more_that_is_refused() -> None:
    with pytest.raises(StudyError, match="There is no method 'XY'"):
        classify_change(FRAME, "XY")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="Only 2 clients have a score before and after"):
        classify_change(FRAME.head(2), "JT", reliability=0.8)
    same = FRAME.assign(pre=20.0)
    with pytest.raises(DataError, match="Method JT cannot be used: its standard error is zero"):
        classify_change(same, "JT", reliability=0.8)
    narrow = pd.DataFrame({"pre": [10.0, 30, 20, 40, 5], "post": [21.0, 20, 20.5, 19, 21]})
    with pytest.raises(DataError, match=r"Method HA cannot be used: a standard deviation of .* is no larger"):
        classify_change(narrow, "HA", reliability=0.9, cutoff="a")


def test_slopes_need_clients_and_differences() -> None:
    one = pd.DataFrame({"client": ["a"] * 4, "time": range(4), "score": [1.0, 2, 3, 5]})
    with pytest.raises(
        DataError, match="Method HLM needs at least 10 clients with 3 or more scores; there is 1"
    ):
        classify_change(one, "HLM")
    rng = np.random.default_rng(0)
    client = np.repeat(np.arange(20), 4)
    level = np.repeat(rng.normal(0, 5, 20), 4)
    wobble = np.tile([1.0, -1, -1, 1], 20)  # no slope in it, for anybody
    alike = pd.DataFrame({"client": client, "time": np.tile(np.arange(4.0), 20), "score": level + wobble})
    with pytest.raises(FitError, match="finds no differences between clients in their rate of change"):
        classify_change(alike, "HLM")
