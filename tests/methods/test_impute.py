"""`methods.impute` and `delta_adjusted` against pan, jomo and mice, exact conditional moments, and known deltas."""

import json

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError, FitError
from inside.engine_resampling import Posterior
from reference.catalogue import HERE as REFERENCE

WANTED = json.loads((REFERENCE / "imputation.json").read_text())
GROWTH = "y ~ week * arm + (1 + week | client)"


def dropout() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "small" / "dropout.csv")


def pooled(copies, formula=GROWTH):
    return al.pool([al.MixedModel.from_formula(formula, copy).fit() for copy in copies])


def clinic(seed: int = 1) -> pd.DataFrame:
    """Therapists, clients and sessions, some of them missing."""
    rng = np.random.default_rng(seed)
    t, c = np.repeat(np.arange(8), 20), np.repeat(np.arange(32), 5)
    week = np.tile(np.arange(5.0), 32)
    y = 10 - week + rng.normal(0, 4, 8)[t] + rng.normal(0, 2, 32)[c] + rng.normal(0, 1.2, 32)[c] * week
    y += rng.normal(0, 1.5, 160)
    y[rng.random(160) < 0.2] = np.nan
    return pd.DataFrame({"therapist": t, "client": c, "week": week, "y": y})


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ week + (1 + week | client) + (1 | therapist)",
        "y ~ week + (1 | client) + (1 | week)",
        "y ~ week + (1 | client) + (1 | team)",
    ],
)
def test_given_the_variances_parameters_and_effects_have_their_exact_joint_distribution(formula):
    """Mean and covariance of Henderson's equations, nested, crossed and with two therapists a client."""
    data = clinic()
    data["y"] += np.tile([3.0, -2, 2, -3, 0], 32) * ("| week" in formula)
    teams, n = {}, 1500
    if "team" in formula:
        data = clinic(2)
        data["second"] = (data["therapist"] + 1 + data["client"] % 3) % 8
        teams, n = {"membership": {"team": al.MultipleMembership(["therapist", "second"])}}, 400
    fit = al.MixedModel.from_formula(formula, data, **teams).fit().fit
    design = fit.design
    columns, precision = [design.x], [np.zeros((2, 2))]
    for term, psi in zip(design.terms, fit.psi, strict=True):
        factor = design.factors[term.factor]
        member = factor.share.toarray()
        columns.append(np.einsum("ng,nq->ngq", member, term.z).reshape(len(member), -1))
        precision.append(np.kron(np.eye(factor.size), np.linalg.inv(psi)))
    w = np.hstack(columns)
    total = w.T @ w / fit.scale
    place = 0
    for part in precision:
        total[place : place + len(part), place : place + len(part)] += part
        place += len(part)
    covariance = np.linalg.inv(total)
    mean = covariance @ (w.T @ design.y) / fit.scale
    posterior, rng = Posterior.of(fit, variances=False), np.random.default_rng(2)
    draws = (posterior.draw(rng) for _ in range(n))
    drawn = np.array([np.concatenate([d.beta, *(e.ravel() for e in d.effects)]) for d in draws])
    z = (drawn.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / n)
    assert np.abs(z).max() < 4
    root = np.linalg.inv(np.linalg.cholesky(covariance))
    np.testing.assert_allclose(
        np.cov((drawn @ root.T).T), np.eye(len(mean)), atol=4 * np.sqrt(2 / n)
    )  # 4 errors of a variance


@pytest.fixture(scope="module")
def copies():
    data = dropout()
    return methods.impute(al.MixedModel.from_formula(GROWTH, data).fit(), data, m=200, seed=3)


def test_pooled_estimates_are_those_of_pan_jomo_and_mice(copies):
    found = pooled(copies)
    between = found.bse * np.sqrt(found.lambda_ / 200)  # Monte Carlo error of our means
    for program in ("pan", "jomo"):
        off = (found.params.to_numpy() - np.array(WANTED[program]["estimate"])) / between.to_numpy()
        assert np.abs(off).max() < 4 * np.sqrt(1.5)  # theirs has 400
        # Their priors of the variances differ from ours by a few percent of a standard error.
        np.testing.assert_allclose(found.bse, WANTED[program]["se"], rtol=0.05)
        np.testing.assert_allclose(found.fmi, WANTED[program]["fmi"], atol=0.09)
    np.testing.assert_allclose(found.params, WANTED["mice"]["estimate"], atol=0.1)
    # At random, pooling gives what the likelihood of the observed scores gives.
    np.testing.assert_allclose(found.params, WANTED["reml"]["estimate"], atol=4 * between.max())
    np.testing.assert_allclose(found.bse, WANTED["reml"]["se"], rtol=0.05)


def test_what_is_drawn_for_each_person_is_distributed_as_by_pan(copies):
    data = dropout()
    rows = (data["y"].isna() & (data["week"] == 4)).to_numpy()
    drawn = np.array([copy["y"].to_numpy()[rows] for copy in copies])
    mean, sd = np.array(WANTED["last"]["mean"]), np.array(WANTED["last"]["sd"])
    assert np.abs((drawn.mean(axis=0) - mean) / (sd * np.sqrt(1 / 200 + 1 / 400))).max() < 4.5
    np.testing.assert_allclose(drawn.std(axis=0, ddof=1).mean(), sd.mean(), rtol=0.05)


def test_observed_scores_and_all_else_stay(copies):
    data = dropout()
    observed = data["y"].notna()
    for copy in copies[:3]:
        pd.testing.assert_frame_equal(copy[observed], data[observed])
        pd.testing.assert_frame_equal(copy.drop(columns="y"), data.drop(columns="y"))
        assert copy["y"].notna().all()
    assert data["y"].isna().sum() == WANTED["missing"]
    again = methods.impute(al.MixedModel.from_formula(GROWTH, data), data, m=2, seed=3)
    pd.testing.assert_frame_equal(again[1], copies[1])


def test_people_without_any_score_share_new_effects():
    """Their scores vary with each other as those of a new client of a known therapist do."""
    data = clinic()
    data["y"] = data["y"].where(data["client"] != 31)
    result = al.MixedModel.from_formula("y ~ week + (1 | client) + (1 | therapist)", data).fit()
    drawn = np.array([c["y"].to_numpy()[-5:] for c in methods.impute(result, data, m=300, seed=1)])
    client, therapist = result.varcorr["vcov"][:2]
    covariance = np.cov(drawn.T)
    off = covariance[~np.eye(5, dtype=bool)].mean()
    known = result.random_effects_sd["therapist"].loc[7].iloc[0] ** 2
    assert client * 0.75 < off < (client + known) * 1.5
    assert therapist > 0
    np.testing.assert_allclose(np.diag(covariance).mean() - off, result.scale, rtol=0.15)
    expected = result.predict(data).to_numpy()[-5:]
    np.testing.assert_allclose(
        drawn.mean(axis=0), expected, atol=4 * np.sqrt(np.diag(covariance).max() / 600)
    )


def test_residual_variances_are_drawn_by_reml():
    """Scores missing at random vary around what the fit expects as its prediction intervals say: 11 terms of 40 rows."""
    rng = np.random.default_rng(4)
    names = [f"x{j}" for j in range(10)]
    data = pd.DataFrame(rng.normal(size=(60, 10)), columns=names).assign(client=np.repeat(range(12), 5))
    data["y"] = np.repeat(rng.normal(0, 2, 12), 5) + rng.normal(size=60)
    data.loc[data.index % 5 > 2, "y"] = np.nan
    formula = "y ~ " + " + ".join(names) + " + (1 | client)"
    result = al.MixedModel.from_formula(formula, data).fit()
    lost = data["y"].isna()
    drawn = np.array([copy["y"][lost] for copy in methods.impute(result, data, m=200, seed=1)])
    se = result.predict(data[lost], interval="prediction")["se"]
    assert (drawn.var(axis=0, ddof=1) / se**2).mean() == pytest.approx(1, abs=0.1)


def test_scores_at_random_leave_the_slope_unbiased_and_covered():
    """60 trials in which leaving follows the last score; intervals of 10 copies cover as often as they say."""
    covered, estimates = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({"client": np.repeat(range(50), 4), "week": np.tile(range(4), 50)})
        y = np.repeat(rng.normal(18, 3, 50), 4) - 1.5 * data["week"] + rng.normal(0, 2, 200)
        table = y.to_numpy().reshape(50, 4).copy()
        for week in range(1, 3):
            leaves = ~np.isnan(table[:, week]) & (rng.random(50) < 1 / (1 + np.exp(6 - 0.3 * table[:, week])))
            table[leaves, week + 1 :] = np.nan
        data["y"] = table.ravel()
        model = al.MixedModel.from_formula("y ~ week + (1 | client)", data)
        found = pooled(methods.impute(model, data, m=10, seed=seed), "y ~ week + (1 | client)")
        low, high = found.conf_int().loc["week"]
        covered += low <= -1.5 <= high
        estimates.append(found.params["week"])
    assert abs(np.mean(estimates) + 1.5) < 3 * np.std(estimates) / np.sqrt(60)
    assert covered >= 60 * 0.95 - 3 * np.sqrt(60 * 0.95 * 0.05)


def by_loop(data, delta, horizon, by=None):
    """What is added in each row that is filled in."""
    out = np.zeros(len(data))
    for i, row in data.reset_index(drop=True).iterrows():
        if not np.isnan(row["y"]) or not row["left"]:
            continue
        own = data[data["client"] == row["client"]]
        seen = own.loc[own["y"].notna(), "week"]
        last = seen.max() if len(seen) else own["week"].min()
        size = delta if by is None else delta[row[by]]
        if horizon > last and row["week"] > last:
            out[i] = size * min(1.0, (row["week"] - last) / (horizon - last))
    return out


@pytest.mark.parametrize("horizon", [2.5, 4, 6])
def test_delta_is_added_in_proportion_to_the_time_since_leaving(horizon):
    data = dropout().assign(left=lambda d: d["client"].isin(d.loc[d["y"].isna(), "client"]))
    data.loc[data["client"] == 5, ["y", "left"]] = [np.nan, True]  # never seen
    data.loc[data["client"] == 7, "left"] = False
    data.loc[(data["client"] == 7) & (data["week"] > 2), "y"] = np.nan
    data["half"] = np.where(data["client"] % 2 == 0, "low", "high")
    model = al.MixedModel.from_formula(GROWTH, data).fit()
    usual = methods.impute(model, data, m=2, seed=4)
    deltas = {"low": 3.0, "high": -1.0}
    for delta, by in ((2.5, None), (0, None), (deltas, "half")):
        moved = methods.delta_adjusted(model, data, "client", "week", "left", delta, horizon, by, m=2, seed=4)
        for one, other in zip(usual, moved, strict=True):
            added = (other["y"] - one["y"]).to_numpy()
            np.testing.assert_allclose(added, by_loop(data, delta, horizon, by), atol=1e-12)


def test_copies_that_are_there_are_moved_without_drawing_again():
    data = dropout().assign(left=lambda d: d["client"].isin(d.loc[d["y"].isna(), "client"]))
    model = al.MixedModel.from_formula(GROWTH, data).fit()
    usual = methods.impute(model, data, m=3, seed=6)
    given = ("client", "week", "left", 3.0, 4)
    moved = methods.delta_adjusted(model, data, *given, copies=usual)
    for one, other in zip(moved, methods.delta_adjusted(model, data, *given, m=3, seed=6), strict=True):
        pd.testing.assert_frame_equal(one, other)
    for wrong in ([data], [usual[0].iloc[1:]], [usual[0].reset_index(drop=True).set_index("week")]):
        with pytest.raises(DataError) as error:
            methods.delta_adjusted(model, data, *given, copies=wrong)
        assert str(error.value) == (
            "copies are not those that impute gave for this frame. Leave them out, or impute this frame."
        )


def test_the_answer_moves_by_delta_times_the_share_that_left():
    """The mean of the last week moves by delta times the share of clients without a score there."""
    data = dropout().assign(left=lambda d: d["client"].isin(d.loc[d["y"].isna(), "client"]))
    model = al.MixedModel.from_formula(GROWTH, data).fit()
    last = data["week"] == 4
    share = data.loc[last, "y"].isna().mean()
    usual = np.mean([c.loc[last, "y"].mean() for c in methods.impute(model, data, m=5)])
    moved = methods.delta_adjusted(model, data, "client", "week", "left", 3.0, horizon=4, m=5)
    assert np.mean([c.loc[last, "y"].mean() for c in moved]) - usual == pytest.approx(3 * share)


GOOD = pd.DataFrame(
    {"client": list("aaabbbcccddd"), "week": [0, 1, 2] * 4, "left": [0] * 3 + [1] * 3 + [0] * 6, "g": list("xxxyyyxxxyyy")}
).assign(y=[18.0, 15, 11, 14, np.nan, np.nan, 20, 18, 17, 12, 9, np.nan])  # fmt: skip
FORMULA = "y ~ week + (1 | client)"


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (GOOD, {"m": 1}, "m is 1; it is the number of completed copies, 2 or more."),
        (GOOD, {"m": 2.5}, "m is 2.5; it is the number of completed copies, 2 or more."),
        (GOOD.dropna(), {}, "Column 'y' has no missing value; there is nothing to fill in."),
        (GOOD.drop(columns="y"), {}, "The frame has no column 'y'. There are: client, week, left, g."),
        (
            GOOD.assign(week=GOOD["week"].where(GOOD["y"].notna())),
            {},
            "3 rows without 'y' have no value in a column that the model needs. Fill these columns first, or leave the rows "
            "out.",
        ),
        (
            GOOD,
            {"model": "y ~ week"},
            "Scores are drawn from a linear mixed model or its results, not from a str.",
        ),
    ],
)
def test_what_cannot_be_filled_in_is_said(frame, given, message):
    model = al.MixedModel.from_formula(FORMULA, GOOD)
    with pytest.raises(DataError) as error:
        methods.impute(**({"model": model, "frame": frame} | given))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (GOOD, {"horizon": np.inf}, "horizon is inf; it is the time at which all of delta is reached, a number."),
        (GOOD, {"delta": {"x": 1}}, "delta is {'x': 1}; without by it is one number of points."),
        (GOOD, {"by": "g"}, "delta is 2; with by it is a mapping of the values of 'g' to points."),
        (
            GOOD,
            {"by": "g", "delta": {"x": 1}},
            "delta has no points for 'y' in column 'g'. Give each value some, 0 for none.",
        ),
        (
            GOOD,
            {"by": "g", "delta": {"x": 1, "y": "2"}},
            "delta holds '2'; it maps the values of 'g' to numbers of points.",
        ),
        (GOOD.assign(left=GOOD["left"] * 3), {}, "Column 'left' holds 3. It says whether a person left: 0 or 1."),
        (
            GOOD.assign(left=GOOD["week"].clip(0, 1)),
            {},
            "Column 'left' differs between rows of client a. It says the same in all rows of a client.",
        ),
    ],
)  # fmt: skip
def test_a_delta_that_cannot_be_meant_is_said(frame, given, message):
    usual = {"person": "client", "time": "week", "left": "left", "delta": 2, "horizon": 2}
    model = al.MixedModel.from_formula(FORMULA, GOOD)
    with pytest.raises(DataError) as error:
        methods.delta_adjusted(model, frame, **(usual | given))
    assert str(error.value) == message


def test_a_structure_of_the_residuals_is_refused():
    data = dropout()
    model = al.MixedModel.from_formula("y ~ week + (1 | client)", data, residual=al.AR1("week"))
    with pytest.raises(
        FitError, match=r"^Drawing unobserved responses is not available for a fit with residual="
    ):
        methods.impute(model, data)
