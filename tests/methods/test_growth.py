"""Shapes of courses and expected courses: lme4, Fieller by inversion, the multivariate normal, and simulated truth."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from inside.methods_growth import CLASSES, CourseTime, classes, course_class, turning_point

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "growth.json").read_text(encoding="utf-8"))
COURSES = pd.read_csv(FOLDER / "small" / "courses.csv")


@pytest.fixture(scope="module")
def shapes():
    return methods.growth_shapes(COURSES, "y", "t", "person")


def test_the_shapes_are_those_of_lme4(shapes):
    for name, reference in REFERENCE["fits"].items():
        row = shapes.table.loc[name]
        # lme4 stops within about 1e-6 of the optimum.
        np.testing.assert_allclose(row[["llf", "aic", "bic"]].to_numpy(float), [reference[k] for k in ("llf", "aic", "bic")], atol=1e-4)  # fmt: skip
    np.testing.assert_allclose(shapes.knots, REFERENCE["knots"], rtol=1e-12)
    assert list(shapes.table["aic"]) == sorted(shapes.table["aic"])
    assert shapes.best == shapes.table.index[0]
    assert shapes.table["delta_aic"].iloc[0] == 0
    assert any(f.code == "other_random_part" for f in shapes.findings)
    assert "382 rows of 50 persons" in shapes.summary()


def test_the_turning_point_and_fieller_s_limits(shapes):
    found = shapes.turning_point
    assert found.estimate == pytest.approx(REFERENCE["turning"], abs=1e-5)
    # R found them by inverting the test of b1 + 2 t b2 = 0.
    np.testing.assert_allclose(found.fieller, REFERENCE["fieller"], atol=1e-4)
    assert found.delta[0] < found.estimate < found.delta[1]
    assert sum(found.delta) / 2 == pytest.approx(found.estimate)
    assert found.kind == "highest"
    # The same point, wherever time begins.
    later = methods.growth_shapes(COURSES.assign(t=COURSES["t"] + 10), "y", "t", "person", ["quadratic"])
    assert later.turning_point.estimate == pytest.approx(found.estimate + 10, abs=1e-5)


def test_where_the_curve_could_be_straight_fieller_s_limits_are_open():
    open_ended = turning_point(1.0, -0.02, 0.01, 0.0, 0.01**2 * 9)
    assert open_ended.fieller == (-np.inf, np.inf)
    low, high = open_ended.excluded
    z2 = 1.959963984540054**2
    for t in (low, high):
        assert (1 - 0.04 * t) ** 2 == pytest.approx(z2 * (0.01 + 4 * t * t * 9e-4))
    assert low < 0 < high
    nothing = turning_point(0.01, -0.02, 1.0, 0.0, 1.0)
    assert (nothing.fieller, nothing.excluded) == ((-np.inf, np.inf), None)


def test_fieller_s_limits_cover():
    rng = np.random.default_rng(1)
    v = np.array([[0.02, -0.002], [-0.002, 0.0006]])
    draws = rng.multivariate_normal([1, -0.1], v, 4000)
    hits = []
    for b1, b2 in draws:
        found = turning_point(b1, b2, v[0, 0], v[0, 1], v[1, 1])
        if np.isinf(found.fieller[0]):
            hits.append(found.excluded is None or not found.excluded[0] < 5 < found.excluded[1])
        else:
            hits.append(found.fieller[0] <= 5 <= found.fieller[1])
    assert abs(np.mean(hits) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 4000)


def courses(seed, shape, n=60, t=8):
    rng = np.random.default_rng(seed)
    person, time = np.repeat(np.arange(n), t), np.tile(np.arange(t), n)
    mean = {
        "linear": 0.3 * time,
        "log": 1.2 * np.log1p(time),
        "quadratic": 1.2 * time - 0.15 * time**2,
        "piecewise": 0.9 * np.minimum(time, 2) - 0.8 * np.clip(time - 2, 0, 3),
    }[shape]
    slope = np.log1p(time) if shape == "log" else time
    y = (
        4
        + mean
        + rng.normal(0, 0.6, n)[person]
        + rng.normal(0, 0.08, n)[person] * slope
        + rng.normal(0, 0.4, n * t)
    )
    return pd.DataFrame({"p": person, "t": time, "y": y})


@pytest.mark.parametrize("shape", ["linear", "log", "quadratic", "piecewise"])
def test_the_true_shape_is_recovered(shape):
    knots = [2, 5]
    best = [methods.growth_shapes(courses(s, shape), "y", "t", "p", knots=knots).best for s in range(4)]
    assert best.count(shape) >= 3


def test_single_courses_are_classified_as_by_hand():
    rng = np.random.default_rng(3)
    t = np.arange(9.0)
    clear = {"flat": 0 * t, "linear": 2 * t, "u": (t - 4) ** 2, "inverted_u": -((t - 4) ** 2)}
    for name, mean in clear.items():
        found = [course_class(t, mean + rng.normal(0, 0.5, 9)) for _ in range(100)]
        assert found.count(name) >= 85  # a flat course looks straight or curved by chance now and then
    frame = courses(1, "quadratic")
    shapes = methods.growth_shapes(frame, "y", "t", "p", ["linear"])
    counts = shapes.classify()
    by_hand = dict.fromkeys(counts, 0)
    for _, rows in frame.groupby("p"):
        values = []
        for degree in range(3):
            b = np.polyfit(rows["t"], rows["y"], degree)
            k, rss = degree + 2, ((rows["y"] - np.polyval(b, rows["t"])) ** 2).sum()
            values.append((8 * np.log(rss / 8) + 2 * k + 2 * k * (k + 1) / (8 - k - 1), b[0]))
        at = min(range(3), key=lambda i: values[i][0])
        by_hand[("flat", "linear", "u" if values[2][1] > 0 else "inverted_u")[at]] += 1
    assert counts == by_hand
    assert sum(methods.growth_shapes(COURSES, "y", "t", "person", ["linear"]).classify(8).values()) == int(
        (COURSES.groupby("person").size() >= 8).sum()
    )


def test_shapes_that_cannot_be_fitted_are_said():
    frame = courses(1, "linear")
    two_times = frame[frame["t"].isin([0, 1, 2])]
    found = methods.growth_shapes(two_times, "y", "t", "p", ["linear", "quadratic"])
    assert repr(found).startswith("<GrowthShapes: ")
    with pytest.raises(
        DataError, match=r"The turning point is that of the quadratic shape\. Put 'quadratic' into shapes\."
    ):
        _ = methods.growth_shapes(frame, "y", "t", "p", "linear").turning_point
    with pytest.raises(DataError, match="min_ratings is 4; it is a number of ratings, at least 6"):
        found.classify(4)


LINE = courses(2, "linear", 12, 4)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (LINE, {"time": "tt"}, "The frame has no column 'tt'. Did you mean 't'?"),
        (LINE, {"shapes": ["cubic"]}, "shapes holds 'cubic'; it holds some of linear, log, quadratic, piecewise."),
        (LINE, {"shapes": []}, "shapes is empty. Name at least one shape."),
        (LINE.assign(t=LINE["t"] - 1), {}, "'t' goes down to -1. The log shape needs times from 0 on."),
        (LINE.assign(t=1.0), {}, "All values of 't' are equal. A course needs different times."),
        (LINE.assign(y=1.0), {}, "All values of 'y' are equal. All shapes fit a course that never changes."),
        (LINE, {"knots": [9]}, "The knots 9 do not cut the times 0 to 3 into phases with values. Give other knots, or leave the piecewise shape out."),
        (LINE, {"knots": []}, "The knots (none) do not cut the times 0 to 3 into phases with values. Give other knots, or leave the piecewise shape out."),
        (LINE, {"knots": 9}, "The knots 9 do not cut the times 0 to 3 into phases with values. Give other knots, or leave the piecewise shape out."),
        (LINE, {"knots": ["a"]}, "knots is 'a'; it is times within the course."),
        (LINE.assign(p=range(48)), {}, "Courses need at least three persons with several times each. Check 'p' and 't'."),
        (LINE.assign(y=LINE["t"] * 2.0), {"shapes": ["linear"]}, "No shape can be fitted: "),
    ],
)  # fmt: skip
def test_what_shapes_refuse(frame, given, message):
    with pytest.raises(DataError) as caught:
        methods.growth_shapes(frame, **({"y": "y", "time": "t", "person": "p"} | given))
    assert str(caught.value).startswith(message)


# ---------------------------------------------------------------- expected courses


def test_the_archive_and_a_prediction_against_lme4_and_the_multivariate_normal():
    course = methods.ExpectedCourse.fit(COURSES, "y", "intake", "t", "person")
    reference = REFERENCE["expected"]
    np.testing.assert_allclose(course.params.to_numpy(), reference["coef"], rtol=1e-4)
    np.testing.assert_allclose(course.bse.to_numpy(), reference["se"], rtol=1e-3)
    new = pd.DataFrame({"t": [0, 1, 3, 4], "y": [4.2, 4.6, 5.1, np.nan], "intake": 4.2})
    found = course.predict(new, [5, 8])
    np.testing.assert_allclose(found["mean"], reference["mean"], rtol=1e-4)
    np.testing.assert_allclose(found["sd"], reference["sd"], rtol=1e-3)
    half = 1.2815515655446004 * found["sd"]
    band = course.predict(new, [5, 8], band=0.8)
    np.testing.assert_allclose(
        band[["lower", "upper"]], np.column_stack([found["mean"] - half, found["mean"] + half])
    )
    one = course.predict(new.iloc[[1, 0, 2]], 5)
    np.testing.assert_allclose(one["mean"], found["mean"][:1], rtol=1e-12)


def test_a_spline_is_that_of_lme4_with_splines_ns():
    course = methods.ExpectedCourse.fit(COURSES, "y", "intake", "t", "person", shape="spline3")
    reference = REFERENCE["spline"]
    assert list(course.params.index) == ["Intercept", "intake", "s1", "s2", "s3"]
    nobody = pd.DataFrame({"t": [0], "y": [np.nan], "intake": 4.2})
    np.testing.assert_allclose(course.predict(nobody, range(10))["mean"], reference["mean"], rtol=1e-4)
    np.testing.assert_allclose(course.predict(nobody, [5, 8])["sd"], reference["sd0"], rtol=1e-3)
    new = pd.DataFrame({"t": [0, 1, 3], "y": [4.2, 4.6, 5.1], "intake": 4.2})
    found = course.predict(new, [5, 8])
    np.testing.assert_allclose(found["mean"], reference["after"], rtol=1e-4)
    np.testing.assert_allclose(found["sd"], reference["sd"], rtol=1e-3)


@pytest.mark.parametrize("times", [(0, 1, 2, 3, 4, 5, 6, 7), (0, 0, 0, 0, 0, 0, 1, 2, 9)])
def test_a_spline_has_natural_ends_and_different_knots(times):
    """Inside, SciPy's natural cubic interpolant through the knots; outside, straight. Knots differ although most times are equal."""
    from scipy.interpolate import CubicSpline

    clock = CourseTime.of("spline3", np.array(times, dtype=float), "t")
    assert len(set(clock.knots)) == 4
    at = np.linspace(clock.knots[0], clock.knots[-1], 40)
    columns = clock.mean(at)
    for column, values in zip(columns.T, clock.mean(np.array(clock.knots)).T, strict=True):
        np.testing.assert_allclose(
            column, CubicSpline(clock.knots, values, bc_type="natural")(at), atol=1e-10
        )
    assert np.linalg.matrix_rank(np.column_stack([np.ones(40), columns])) == 4
    for edge in (clock.knots[-1] + np.array([0.0, 1, 2]), clock.knots[0] - np.array([0.0, 1, 2])):
        np.testing.assert_allclose(np.diff(clock.mean(edge), 2, axis=0), 0, atol=1e-9)


def test_the_scores_so_far_can_be_left_aside():
    frame = archive(2)
    plain = methods.held_out_courses(frame, "y", "i", "w", "c", folds=3, after=[3], update=False)
    updated = methods.held_out_courses(frame, "y", "i", "w", "c", folds=3, after=[0, 3])
    first = updated.scores[(updated.scores["after"] == 0) & (updated.scores["time"] > 3)]
    assert updated.accuracy().loc[3, "rmse"] < plain.accuracy().loc[3, "rmse"]
    assert len(plain.scores) == len(first) == updated.accuracy().loc[3, "n"]
    course = methods.ExpectedCourse.fit(frame, "y", "i", "w", "c")
    people = course.prospects(frame, 3, 7, update=False)
    alone = course.predict(frame[frame["c"] == "c4"].head(1).assign(y=np.nan), 7)
    row = people[people["person"] == "c4"].iloc[0]
    assert (row["mean"], row["sd"]) == pytest.approx((alone["mean"][0], alone["sd"][0]))
    assert row["score"] == frame[frame["c"].eq("c4") & frame["w"].le(3)]["y"].iloc[-1]


def archive(seed, n=120, therapists=15, tau=1.0):
    rng = np.random.default_rng(seed)
    person, week = np.repeat(np.arange(n), 8), np.tile(np.arange(8), n)
    intake, th = rng.normal(15, 4, n), np.arange(n) % therapists
    u = rng.multivariate_normal([0, -3], [[6, -1], [-1, 1.5]], n)
    v = rng.normal(0, tau, therapists)[th]
    y = (
        3
        + 0.8 * intake[person]
        + (u[:, 0] + v)[person]
        + u[person, 1] * np.log1p(week)
        + rng.normal(0, 2, len(week))
    )
    return pd.DataFrame(
        {
            "c": [f"c{i}" for i in person],
            "th": [f"T{i}" for i in th[person]],
            "w": week,
            "i": intake[person],
            "y": y,
        }
    )


def test_a_covariate_moves_the_expected_score_by_its_coefficient():
    frame = archive(1, tau=3.0)
    frame["x"] = frame["c"].map({c: (k % 7) - 3.0 for k, c in enumerate(frame["c"].unique())})
    frame["y"] += 1.5 * frame["x"]
    course = methods.ExpectedCourse.fit(frame, "y", "i", "w", "c", covariates=["x"])
    new = pd.DataFrame({"w": [0], "y": [np.nan], "i": [15.0], "x": [0.0]})
    low, high = (course.predict(new.assign(x=x), [0, 4])["mean"] for x in (0.0, 2.0))
    np.testing.assert_allclose(high - low, 2 * course.params["x0"], rtol=1e-9)
    assert course.params["x0"] > 0.5


def test_a_covariate_that_others_determine_changes_nothing():
    rng = np.random.default_rng(3)
    person, week = np.repeat(range(60), 5), np.tile(range(1, 6), 60)
    x, intake = rng.normal(size=60), rng.normal(15, 4, 60)
    y = intake[person] + x[person] - 0.5 * week + rng.normal(0, 1, 300) + rng.normal(0, 1, 60)[person]
    frame = pd.DataFrame({"c": person, "w": week, "i": intake[person], "x": x[person], "y": y})
    names = ("y", "i", "w", "c")
    one = methods.ExpectedCourse.fit(frame, *names, covariates=["x"])
    two = methods.ExpectedCourse.fit(frame.assign(z=3 * frame["x"] + 20), *names, covariates=["x", "z"])
    new = frame[frame["c"] == 0].assign(z=3 * x[0] + 20)
    pd.testing.assert_frame_equal(two.predict(new, at=[8]), one.predict(new, at=[8]), rtol=1e-6)


def test_the_scores_so_far_count_with_those_of_the_therapist():
    """A person of a therapist whose clients score high is expected to be high, also given the person's own scores."""
    frame = archive(1, tau=3.0)
    course = methods.ExpectedCourse.fit(frame, "y", "i", "w", "c", therapist="th")
    effect = course.model.random_effects["therapist"]["Intercept"]
    ids = list(dict.fromkeys(frame["th"]))
    top, bottom = (ids[int(str(g)[1:])] for g in (effect.idxmax(), effect.idxmin()))
    known = pd.DataFrame({"w": [0, 1], "y": [14.0, 13.0], "i": [15.0, 15.0]})
    high, low = (course.predict(known.assign(th=t), 6)["mean"][0] for t in (top, bottom))
    unknown = course.predict(known, 6)["mean"][0]
    assert low < unknown < high


def test_knots_in_any_order_are_the_same_phases():
    frame = courses(1, "quadratic")
    frame["t"] *= 10
    one, other = (methods.growth_shapes(frame, "y", "t", "p", ["piecewise"], k) for k in ((41, 26), (26, 41)))
    pd.testing.assert_frame_equal(one.table, other.table)


def test_therapists_of_the_archive_shift_the_prediction_and_unknown_ones_widen_it():
    frame = archive(1, tau=3.0)
    course = methods.ExpectedCourse.fit(frame, "y", "i", "w", "c", therapist="th")
    v, table = course.model.random_effects["therapist"]["Intercept"], course.model.varcorr

    def get(group, term):
        rows = table[(table["group"] == group) & (table["term1"] == term) & table["term2"].isna()]
        return float(rows["vcov"].iloc[0])

    person = next(g for g in course.model.groups if "person" in g)
    nobody = pd.DataFrame({"w": [0], "y": [np.nan], "i": [15.0]})
    b = course.params
    at_start = course.predict(nobody, 0)
    assert at_start["mean"][0] == pytest.approx(b["Intercept"] + 15 * b["intake"])
    variance = get(person, "Intercept") + get("therapist", "Intercept") + course.model.scale
    assert at_start["sd"][0] == pytest.approx(np.sqrt(variance), rel=1e-9)
    known = course.predict(nobody.assign(th="T3"), 0)
    assert known["mean"][0] - at_start["mean"][0] == pytest.approx(
        v[f"g{list(dict.fromkeys(frame['th'])).index('T3')}"], rel=1e-9
    )
    assert known["sd"][0] < at_start["sd"][0]
    assert course.predict(nobody.assign(th="new"), 0)["sd"][0] == pytest.approx(at_start["sd"][0])


@pytest.mark.parametrize(("kind", "same"), [(int, 3), (int, 3.0), (int, "3"), (float, 3), (str, " 3")])
def test_a_therapist_is_the_same_whatever_the_type_of_the_column(kind, same):
    """A missing value elsewhere makes numbers of an int column floats: 3.0 is still therapist 3."""
    frame = archive(1, tau=3.0)
    frame["th"] = frame["th"].str.removeprefix("T").astype(kind)
    course = methods.ExpectedCourse.fit(frame, "y", "i", "w", "c", therapist="th")
    nobody = pd.DataFrame({"w": [0.0], "y": [np.nan], "i": [15.0]})
    effect = course.model.random_effects["therapist"]["Intercept"]
    place = list(dict.fromkeys(frame["th"])).index(kind(3))
    shift = course.predict(nobody.assign(th=[same]), 0)["mean"][0] - course.predict(nobody, 0)["mean"][0]
    assert shift == pytest.approx(effect[f"g{place}"], rel=1e-9)
    assert abs(shift) > 0.01  # not that of an unknown therapist, which is zero


def test_a_person_has_one_therapist_when_predicted():
    course = methods.ExpectedCourse.fit(archive(1, tau=3.0), "y", "i", "w", "c", therapist="th")
    new = pd.DataFrame({"w": [0.0, 1.0], "y": [5.0, 6.0], "i": 15.0, "th": ["T1", "T2"]})
    with pytest.raises(
        DataError, match=r"^scores_so_far holds several therapists\. Predict with one therapist at a time\.$"
    ):
        course.predict(new, 3)


def test_one_time_and_one_band_need_no_list():
    course = methods.ExpectedCourse.fit(A, "y", "i", "w", "c")
    pd.testing.assert_frame_equal(course.validate(A, 2, 0.9), course.validate(A, [2], [0.9]))


def test_validation_is_the_prediction_of_each_person_one_by_one():
    course = methods.ExpectedCourse.fit(archive(1), "y", "i", "w", "c")
    new = archive(2, 20).sample(frac=1, random_state=1)
    new.loc[new.index[:5], "y"] = np.nan
    found = course.validate(new, after=(0, 2))
    for after in (0, 2):
        errors, inside = [], []
        for _, rows in new.groupby("c"):
            rows = rows.dropna()
            later = rows[rows["w"] > after]
            seen = rows.assign(y=rows["y"].where(rows["w"] <= after))
            one = course.predict(seen, later["w"].to_numpy(), band=0.8)
            errors += list(later["y"].to_numpy() - one["mean"])
            inside += list((one["lower"] <= later["y"].to_numpy()) & (later["y"].to_numpy() <= one["upper"]))
        row = found.loc[after]
        assert row["n"] == len(errors)
        np.testing.assert_allclose(row[["rmse", "mae", "cover80"]].to_numpy(float), [np.sqrt(np.mean(np.square(errors))), np.mean(np.abs(errors)), np.mean(inside)], rtol=1e-9)  # fmt: skip


def test_bands_cover_persons_who_were_left_out():
    frame = archive(3, 200, tau=0.0)
    found = methods.ExpectedCourse.cross_validate(frame, "y", "i", "w", "c", folds=4)
    # Scores of a person go together: the error is that of 200 persons.
    for name, share in (("cover80", 0.80), ("cover95", 0.95)):
        assert (np.abs(found[name] - share) < 3 * np.sqrt(share * (1 - share) / 200)).all()
    assert found["rmse"].is_monotonic_decreasing
    by = methods.ExpectedCourse.cross_validate(
        archive(4, 150), "y", "i", "w", "c", "th", folds=3, by="therapist", after=[2]
    )
    assert abs(by["cover95"].iloc[0] - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 15)


def test_a_straight_shape_is_that_of_straight_courses():
    frame = courses(1, "linear").assign(i=4.0)
    frame["i"] += frame["p"] % 5
    course = methods.ExpectedCourse.fit(frame, "y", "i", "t", "p", shape="linear")
    assert course.params["f"] == pytest.approx(0.3, abs=0.05)
    assert "Expected course, linear shape" in course.summary()
    assert list(course.tidy()["term"]) == ["Intercept", "intake", "f"]
    assert course.conf_int().loc["f", "lower"] < 0.3 < course.conf_int().loc["f", "upper"]
    assert repr(course) == "<ExpectedCourse: linear shape; 480 scores; use .predict(scores, at)>"
    assert isinstance(course.findings, tuple)


A = archive(5, 30)


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (A, {"shape": "spline"}, "shape is 'spline'; it is one of log, linear, spline3."),
        (A.assign(w=A["w"] % 3), {"shape": "spline3"}, "'w' holds 3 different times. The spline3 shape needs at least four."),
        (A.assign(w=A["w"] - 1), {"shape": "spline3"}, "'w' goes down to -1. The spline3 shape needs times from 0 on."),
        (A, {"intake": "in"}, "The frame has no column 'in'. Did you mean 'i'?"),
        (A.assign(w=A["w"] - 1), {}, "'w' goes down to -1. The log shape needs times from 0 on."),
        (A.assign(i=1.0), {}, "All values of 'i' are equal. An expected course needs values that vary."),
        (A[A["c"] < "c15"], {}, "An archive needs at least ten persons with several scores; there are 7."),
        (A.assign(y=A["i"] + A["w"]), {"shape": "linear"}, "The expected course cannot be fitted: "),
    ],
)  # fmt: skip
def test_what_an_archive_refuses(frame, given, message):
    with pytest.raises(DataError) as caught:
        methods.ExpectedCourse.fit(frame, **({"y": "y", "intake": "i", "time": "w", "person": "c"} | given))
    assert str(caught.value).startswith(message)


def test_what_predictions_refuse():
    course = methods.ExpectedCourse.fit(A, "y", "i", "w", "c")
    new = pd.DataFrame({"w": [0.0, 1.0], "y": [5.0, 6.0], "i": 15.0})
    for frame, at, band, message in [
        (new.assign(i=[1.0, 2.0]), 3, 0.9, "scores_so_far holds several persons or intake scores. Predict one person at a time."),
        (new.assign(c=["a", "b"]), 3, 0.9, "scores_so_far holds several persons or intake scores. Predict one person at a time."),
        (new.assign(w=[0, np.nan]), 3, 0.9, "Column 'w' is missing where a score is there."),
        (new, -1, 0.9, "at is -1; it is times, finite numbers."),
        (new, 3, 90, "band is 90; it is a share between 0 and 1, such as 0.95."),
    ]:  # fmt: skip
        with pytest.raises(DataError) as caught:
            course.predict(frame, at, band)
        assert str(caught.value) == message
    with pytest.raises(DataError, match=r"No score is later than 99\. Choose earlier times for after\."):
        course.validate(A, after=[99])
    with pytest.raises(DataError, match="bands is 2; it is shares between 0 and 1"):
        course.validate(A, bands=[2])
    with pytest.raises(
        DataError,
        match="by is 'therapist'; it is 'person', or 'therapist' where a column of therapists is named",
    ):
        methods.ExpectedCourse.cross_validate(A, "y", "i", "w", "c", by="therapist")
    with pytest.raises(DataError, match="folds is 1; it is a number of folds, at least 2"):
        methods.ExpectedCourse.cross_validate(A, "y", "i", "w", "c", folds=1)
    with pytest.raises(DataError, match="40 folds need as many values of 'c'; there are 30"):
        methods.ExpectedCourse.cross_validate(A, "y", "i", "w", "c", folds=40)


def test_confusion_is_what_simulated_courses_show() -> None:
    """Courses with known sizes: the sizes come back, and the diagonal is what classifying fresh courses gives."""
    rng = np.random.default_rng(1)
    person, time = np.repeat(np.arange(300), 12), np.tile(np.arange(12.0), 300)
    slope, curve = 0.25 * rng.choice([-1, 1], 300), 0.06 * rng.choice([-1, 1], 300)
    x = time - time.mean()
    kind = person % 3
    y = 10 + np.where(kind == 0, 0, np.where(kind == 1, slope[person] * x, curve[person] * x**2))
    frame = pd.DataFrame({"person": person, "t": time, "y": y + 0.7 * rng.normal(size=len(y))})
    found = methods.growth_shapes(frame, "y", "t", "person", ["linear"]).confusion(n=20)
    assert found.sigma == pytest.approx(0.7, rel=0.03)
    assert found.slope == pytest.approx(0.25 * np.sqrt(1 / 3), rel=0.1)
    assert found.curvature == pytest.approx(0.06 * np.sqrt(1 / 3), rel=0.1)
    np.testing.assert_allclose(found.matrix.sum(axis=1), 1)
    assert (found.persons, found.n) == (300, 20)
    own = np.arange(12.0)
    centred = own - own.mean()
    means = {"flat": 0 * own, "linear": found.slope * centred, "u": found.curvature * centred**2}
    for name, mean in means.items():
        hits = [course_class(own, mean + found.sigma * rng.normal(size=12)) == name for _ in range(1500)]
        # Binomial errors of 1,500 and of 6,000 courses: about .014.
        assert found.matrix.loc[name, name] == pytest.approx(np.mean(hits), abs=0.045)
    assert found.wrong["flat"] == pytest.approx(1 - found.matrix.loc["flat", "flat"])


def test_many_courses_at_once_get_the_classes_of_one_by_one() -> None:
    rng = np.random.default_rng(2)
    t = np.array([0, 1, 2, 4, 7, 8, 9.0, 13])
    x = t - t.mean()
    y = (
        30
        + rng.normal(size=(300, 8))
        + rng.choice([-0.1, 0, 0.1], 300)[:, None] * x**2
        + rng.normal(0, 0.3, (300, 1)) * x
    )
    names = np.array(CLASSES)[classes(x, y)]
    assert list(names) == [course_class(t, row) for row in y]
    assert set(names) == set(CLASSES)


def test_where_error_explains_all_there_are_no_courses_to_confuse() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {"person": np.repeat(np.arange(40), 8), "t": np.tile(np.arange(8.0), 40), "y": rng.normal(size=320)}
    )
    shapes = methods.growth_shapes(frame, "y", "t", "person", ["linear"])
    found = shapes.confusion(n=10)
    assert found.curvature == 0 or found.wrong["u"] > 0.5
    assert found.matrix.loc["flat", "flat"] > 0.7
    assert shapes.confusion(min_ratings=9).persons == 0
    with pytest.raises(DataError, match="n is 0; it is a number of simulated courses, at least 1"):
        shapes.confusion(n=0)
    with pytest.raises(DataError, match="min_ratings is 5"):
        shapes.confusion(min_ratings=5)


def straight(seed: int, bend: float = 0.0) -> pd.DataFrame:
    """Courses of 60 persons over 8 times whose average is a straight line, or bent."""
    rng = np.random.default_rng(seed)
    person, t = np.repeat(range(60), 8), np.tile(np.arange(8.0), 60)
    own = rng.normal(0, [2, 0.3], (60, 2))[person]
    y = 10 + own[:, 0] + (0.4 + own[:, 1]) * t + bend * (t - 3.5) ** 2 + rng.normal(0, 1.5, 480)
    return pd.DataFrame({"person": person, "t": t, "y": y})


def test_a_straight_line_is_tested_against_richer_shapes() -> None:
    """By the log-likelihoods of both fits; none where the line or no richer shape is best."""
    found = methods.growth_shapes(straight(1, bend=0.15), "y", "t", "person", ("linear", "quadratic", "log"))
    test = found.against_line()
    fits = found.fits
    statistic = 2 * (fits["quadratic"].llf - fits["linear"].llf)
    assert test.statistic == pytest.approx(statistic)
    assert test.df == 1
    assert test.p == pytest.approx(stats.chi2.sf(statistic, 1))  # one richer shape
    assert test.p < 0.001
    both = methods.growth_shapes(
        straight(1, bend=0.15), "y", "t", "person", ("linear", "quadratic", "piecewise"), knots=(3,)
    )
    assert both.against_line().p == pytest.approx(
        2
        * stats.chi2.sf(
            both.against_line().statistic,
            both.table.loc[both.best, "parameters"] - both.table.loc["linear", "parameters"],
        )
    )
    assert (
        methods.growth_shapes(straight(1, bend=0.15), "y", "t", "person", ("log", "quadratic")).against_line()
        is None
    )


def test_a_true_line_is_rarely_rejected_though_the_aic_often_prefers_another() -> None:
    bent = rejected = 0
    for seed in range(40):
        found = methods.growth_shapes(
            straight(seed), "y", "t", "person", ("linear", "quadratic", "piecewise"), knots=(3,)
        )
        test = found.against_line()
        bent += test is not None
        rejected += test is not None and test.p < 0.05
    assert 5 <= bent <= 18  # of 40, a quarter to a third is expected
    assert rejected <= 5  # 2 are expected at most
