"""Accuracy of risks and warnings: pROC, glm and clubSandwich, brute force, what is refused."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

REFERENCE = Path(__file__).parents[1] / "reference"
R = json.loads((REFERENCE / "prediction.json").read_text())
D = pd.read_csv(REFERENCE / "small" / "risks.csv")


def test_areas_and_their_difference_are_those_of_proc():
    found = methods.risk_accuracy(D["event"], D["risk"], other=D["other"])
    assert found.params["auc"] == pytest.approx(R["auc"], abs=1e-10)
    assert found.bse["auc"] == pytest.approx(R["auc_se"], abs=1e-10)
    assert found.params["delta_auc"] == pytest.approx(R["delta"], abs=1e-10)
    assert found.tvalues["delta_auc"] == pytest.approx(abs(R["z"]), rel=1e-8)
    assert found.dof == np.inf
    low, high = found.conf_int().loc["auc"]
    half = 1.959963984540054 * R["auc_se"] / (R["auc"] * (1 - R["auc"]))
    middle = np.log(R["auc"] / (1 - R["auc"]))
    np.testing.assert_allclose([low, high], 1 / (1 + np.exp([half - middle, -half - middle])), rtol=1e-9)


def test_with_clusters_errors_are_those_of_obuchowski_and_clubsandwich():
    found = methods.risk_accuracy(D["event"], D["risk"], other=D["other"], cluster=D["therapist"])
    np.testing.assert_allclose(found.bse[["auc", "auc_other"]], R["clustered_se"], rtol=1e-9)
    assert found.params["brier"] == pytest.approx(R["brier"], abs=1e-10)
    for name in ("slope", "intercept"):
        assert found.params[f"calibration_{name}"] == pytest.approx(R[name], rel=1e-8)
        assert found.bse[f"calibration_{name}"] == pytest.approx(R[f"{name}_se"], rel=1e-6)
    assert (found.dof, found.n, found.events, found.clusters) == (15, 240, 73, 16)
    assert found.brier_constant == pytest.approx(73 / 240 * (1 - 73 / 240))
    assert "73 events among 240 persons in 16 clusters" in found.summary()


def test_areas_count_pairs_and_ties_half():
    rng = np.random.default_rng(3)
    risk, event = rng.integers(1, 6, 40) / 10, rng.random(40) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a, b in product(risk[event], risk[~event])]
    assert methods.risk_accuracy(event, risk).params["auc"] == pytest.approx(np.mean(pairs))


def test_predictive_values_are_those_of_mercaldo():
    found = methods.flag_accuracy(D["event"], D["risk"] > 0.4).table
    assert found.loc["sensitivity", "estimate"] == pytest.approx(R["sensitivity"])
    assert found.loc["specificity", "estimate"] == pytest.approx(R["specificity"])
    for name in ("ppv_5", "ppv_10"):
        np.testing.assert_allclose(
            found.loc[name, ["estimate", "low", "high"]].astype(float), R[name], rtol=1e-9
        )
    flagged = D["risk"] > 0.4
    assert found.loc["ppv", "estimate"] == pytest.approx(D.loc[flagged, "event"].mean())
    assert found.loc["npv", "estimate"] == pytest.approx(1 - D.loc[~flagged, "event"].mean())
    assert found["n"].tolist() == [73, 167, 63, 177, 240, 240]


def test_clusters_widen_intervals_of_a_warning():
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(20), 25)
    event = rng.random(500) < (1 / (1 + np.exp(1 - rng.normal(0, 1, 20))))[cluster]
    flag = rng.random(500) < np.where(event, 0.6, 0.2) * rng.uniform(0, 1, 20)[cluster]
    alone = methods.flag_accuracy(event, flag)
    together = methods.flag_accuracy(event, flag, cluster=cluster)
    for name in ("specificity", "ppv_10"):
        a, b = (x.table.loc[name, "high"] - x.table.loc[name, "low"] for x in (alone, together))
        assert b > 1.1 * a
    assert together.table["estimate"].equals(alone.table["estimate"])
    assert "of 500 persons flagged" in together.summary()
    assert repr(together) == "<FlagAccuracy: 500 persons; use .table>"
    assert next(iter(together.tidy())) == "term"


def test_where_nobody_is_flagged_there_is_no_predictive_value():
    found = methods.flag_accuracy([0, 1, 0, 1], [0, 0, 0, 0]).table
    assert found.loc["sensitivity", "estimate"] == 0
    assert "ppv" not in found.index
    assert np.isnan(found.loc["ppv_5", "estimate"])
    wrong = methods.flag_accuracy([0, 1, 0, 1], [1, 0, 0, 0]).table
    assert wrong.loc["ppv_5", "estimate"] == 0
    assert np.isnan(wrong.loc["ppv_5", "high"])


def test_cross_fitted_risks_are_those_of_the_other_folds():
    import statsmodels.api as sm

    fold = np.arange(len(D)) % 4
    x = np.log(D["risk"] / (1 - D["risk"])).to_numpy()
    found = methods.cross_fitted(D["event"], np.column_stack([x, D["other"]]), fold)
    design = sm.add_constant(np.column_stack([x, D["other"]]))
    for k in range(4):
        fit = sm.Logit(D["event"][fold != k], design[fold != k]).fit(disp=0)
        np.testing.assert_allclose(found[fold == k], fit.predict(design[fold == k]), rtol=1e-6)


@pytest.mark.parametrize(
    ("event", "risk", "given", "message"),
    [
        ([0, 2], [0.1, 0.2], {}, "event holds values other than 0 and 1. Leave out persons whose end is not known."),
        ([0, 0], [0.1, 0.2], {}, "The event happened to everybody or to nobody, so accuracy cannot be computed."),
        ([0, 1], [0.1, 1.2], {}, "risk needs one probability from 0 to 1 for each person."),
        ([0, 1], [0.1, 0.2], {"other": [0.1]}, "other needs one probability from 0 to 1 for each person."),
        ([0, 1], [0.1, 0.1], {}, "All risks are equal, so they cannot tell who has the event."),
        ([0, 1], [0.1, 0.2], {"cluster": [1]}, "cluster needs one value for each person."),
        ([0, 1], [0.1, 0.2], {"cluster": [1, None]}, "cluster is missing for some persons. Give each of them a value of their own."),
        ([0, 1], [0.1, 0.2], {"cluster": [1, 1]}, "All persons are in one cluster, so their accuracy has no error that could be estimated."),
        ([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.8], {}, "The logistic model has no finite solution: a predictor separates the events from the others."),
    ],
)  # fmt: skip
def test_what_accuracy_refuses(event, risk, given, message):
    with pytest.raises(DataError) as caught:
        methods.risk_accuracy(event, risk, **given)
    assert str(caught.value) == message


def test_what_warnings_and_folds_refuse():
    with pytest.raises(DataError, match=r"^flag needs 0 or 1 for each person\.$"):
        methods.flag_accuracy([0, 1], [0, 2])
    with pytest.raises(DataError, match=r"^prevalence is 5; it is shares between 0 and 1, such as 0\.05\.$"):
        methods.flag_accuracy([0, 1], [0, 1], prevalence=5)
    with pytest.raises(DataError, match=r"^columns and fold need one value for each person, without missing"):
        methods.cross_fitted([0, 1], [0.1, np.nan], [1, 2])
    with pytest.raises(DataError, match=r"^The persons outside of a fold all have the same end"):
        methods.cross_fitted([0, 1, 1], [0.1, 0.2, 0.3], [1, 2, 2])


def archive(seed, n=150):
    rng = np.random.default_rng(seed)
    person, week = np.repeat(np.arange(n), 7), np.tile(np.arange(1, 8), n)
    intake, age = rng.normal(15, 4, n), rng.normal(0, 1, n)
    u = rng.multivariate_normal([0, -3], [[4, -1], [-1, 1.2]], n)
    y = 2 + 0.8 * intake[person] + 1.5 * age[person] + u[person, 0] + u[person, 1] * np.log1p(week)
    return pd.DataFrame({"c": person, "w": week, "i": intake[person], "age": age[person], "th": person % 12, "y": y + rng.normal(0, 2, len(y))})  # fmt: skip


def test_left_out_persons_are_predicted_by_an_archive_without_them():
    frame = archive(1)
    found = methods.held_out_courses(frame, "y", "i", "w", "c", "th", folds=3, after=(0, 3), at=7, seed=4, covariates=["age"])  # fmt: skip
    one = found.persons[(found.persons["after"] == 3) & (found.persons["fold"] == 1)]
    out = frame["c"].isin(one["person"])
    course = methods.ExpectedCourse.fit(frame[~out], "y", "i", "w", "c", "th", covariates=["age"])
    for row in one.head(5).itertuples():
        so_far = frame[(frame["c"] == row.person) & (frame["w"] <= 3)]
        by_hand = course.predict(so_far, 7).iloc[0]
        assert (row.mean, row.sd) == pytest.approx((by_hand["mean"], by_hand["sd"]), rel=1e-10)
        nothing = course.predict(so_far.assign(y=np.nan), 3).iloc[0]
        assert (row.expected, row.expected_sd) == pytest.approx((nothing["mean"], nothing["sd"]), rel=1e-10)
        assert (row.n, row.time, row.score) == (3, 3, so_far["y"].iloc[-1])
    table = found.accuracy((0.8,))
    scores = found.scores[found.scores["after"] == 3]
    assert table.loc[3, "rmse"] == pytest.approx(np.sqrt(((scores["score"] - scores["mean"]) ** 2).mean()))
    assert table.loc[3, "cover80"] == pytest.approx(found.within(3, 0.8).mean())
    assert found.rmse(3)["estimate"] == pytest.approx(table.loc[3, "rmse"])
    assert found.rmse(3)["low"] < table.loc[3, "rmse"] < found.rmse(3)["high"]
    by_therapist = found.rmse(3, frame.groupby("c")["th"].first())
    assert by_therapist["df"] == 11
    assert repr(found) == f"<HeldOutCourses: {len(found.scores)} predicted scores; use .accuracy()>"
    # Only rows after the first score up to 0 are there: nobody has one.
    assert not (found.persons["after"] == 0).any()


def test_a_covariate_that_matters_makes_predictions_better():
    frame = archive(2)
    with_age, without = (
        methods.held_out_courses(frame, "y", "i", "w", "c", folds=3, after=0, covariates=names).accuracy().loc[0, "rmse"]
        for names in (["age"], ())
    )  # fmt: skip
    assert with_age < without
    course = methods.ExpectedCourse.fit(frame, "y", "i", "w", "c", covariates=["age"])
    assert course.params["x0"] == pytest.approx(1.5, abs=4 * course.bse["x0"])


def test_the_chance_of_a_score_beyond_a_limit_is_normal():
    from scipy.stats import norm

    above = methods.chance_beyond(np.array([10.0]), np.array([3.0]), np.array([14.5]), above=True)
    assert above[0] == pytest.approx(norm.sf(1.5))
    below = methods.chance_beyond(np.array([10.0]), np.array([3.0]), np.array([14.5]), above=False)
    assert above[0] + below[0] == pytest.approx(1)


def test_added_value_is_the_difference_of_cross_fitted_areas_with_a_jackknife_over_clusters():
    import statsmodels.api as sm

    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(9), 30)
    x, z = rng.normal(size=(2, 270))
    event = rng.random(270) < 1 / (1 + np.exp(-x - 0.6 * z - rng.normal(0, 0.4, 9)[cluster]))
    fold = rng.permutation(270) % 3
    found = methods.added_value(event, 1 / (1 + np.exp(-x)), z, fold=fold, cluster=cluster)

    def difference(keep):
        area = []
        for columns in (x[:, None], np.column_stack([x, z])):
            risk = methods.cross_fitted(event[keep], columns[keep], fold[keep])
            area.append(methods.risk_accuracy(event[keep], risk).params["auc"])
        return area[1] - area[0]

    every = difference(np.ones(270, dtype=bool))
    left = np.array([difference(cluster != g) for g in range(9)])
    assert found.params["delta_auc"] == pytest.approx(every, abs=1e-9)
    assert found.bse["delta_auc"] == pytest.approx(
        np.sqrt(8 / 9 * ((left - left.mean()) ** 2).sum()), rel=1e-6
    )
    fit = sm.Logit(event.astype(float), sm.add_constant(np.column_stack([x, z / z.std(ddof=1)]))).fit(disp=0)
    assert found.params["log_odds"] == pytest.approx(fit.params[2], rel=1e-6)
    scores = sm.add_constant(np.column_stack([x, z / z.std(ddof=1)])) * (event - fit.predict())[:, None]
    sums = np.array([scores[cluster == g].sum(axis=0) for g in range(9)])
    bread = np.linalg.inv(-fit.model.hessian(fit.params))
    assert found.bse["log_odds"] == pytest.approx(
        np.sqrt((bread @ sums.T @ sums @ bread * 9 / 8)[2, 2]), rel=1e-6
    )
    assert found.dof.tolist() == [8, 8, 8, 8]
    assert "What a predictor adds to a risk" in found.summary()
    from scipy.stats import t

    area, se = found.params["auc"], found.bse["auc"]
    middle, half = np.log(area / (1 - area)), t.ppf(0.975, 8) * se / (area * (1 - area))
    limits = 1 / (1 + np.exp([half - middle, -half - middle]))
    assert found.conf_int().loc["auc"].tolist() == pytest.approx(limits.tolist(), abs=1e-9)


def test_many_clusters_are_left_out_in_groups():
    rng = np.random.default_rng(5)
    x, z = rng.normal(size=(2, 300))
    event = rng.random(300) < 1 / (1 + np.exp(-x - z))
    found = methods.added_value(event, 1 / (1 + np.exp(-x)), z, fold=np.arange(300) % 3)
    assert found.dof.tolist() == [np.inf, np.inf, 39, np.inf]
    assert found.conf_int().loc["delta_auc", "lower"] > 0


def test_what_added_value_refuses():
    with pytest.raises(
        DataError, match=r"^predictor and fold need one value for each person, without missing"
    ):
        methods.added_value([0, 1], [0.1, 0.2], [1.0, np.nan], fold=[1, 2])
    with pytest.raises(
        DataError, match=r"^All values of the predictor are equal, so it cannot add anything\.$"
    ):
        methods.added_value([0, 1], [0.1, 0.2], [1.0, 1.0], fold=[1, 2])
