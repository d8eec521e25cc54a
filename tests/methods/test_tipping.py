"""Effects under many deltas beside a fit to every copy, the tipping point, weights of those who stayed, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import alliance_longitudinal as al
from alliance_longitudinal.errors import DataError
from inside.methods_missing import DeltaEffects, delta_effects, staying_weights, weighted_course

DF = {"week:x": 60.0}


@pytest.fixture(scope="module")
def leaving() -> tuple[pd.DataFrame, al.MixedModelResults]:
    """80 clients of 10 therapists over six weeks; some leave, more of those with a low x."""
    rng = np.random.default_rng(4)
    parts = []
    for i in range(80):
        x, level, slope = rng.normal(), 2 * rng.normal(), 0.4 * rng.normal()
        stay = 6 if rng.random() < 1 / (1 + np.exp(-0.5 - x)) else int(rng.integers(3, 6))
        week = np.arange(7)
        y = 15 + level + (slope - 0.5 - 0.3 * x) * week + 1.5 * rng.normal(size=7)
        y[week > stay] = np.nan
        parts.append(
            pd.DataFrame(
                {"client": i, "therapist": i % 10, "week": week, "x": x, "y": y, "left": int(stay < 6)}
            )
        )
    frame = pd.concat(parts, ignore_index=True)
    model = al.MixedModel.from_formula("y ~ week * x + (1 + week | client)", frame.dropna()).fit()
    return frame, model


@pytest.fixture(scope="module")
def found(leaving) -> DeltaEffects:
    frame, model = leaving
    return delta_effects(
        model,
        frame,
        ["week:x"],
        (0, 2, 6),
        person="client",
        time="week",
        left="left",
        horizon=6,
        df=DF,
        m=12,
        refits=6,
    )


def test_rows_that_are_in_no_model_change_nothing(leaving, found):
    """A person without x, in the middle of the frame."""
    frame, model = leaving
    nobody = frame.head(7).assign(client=999, x=np.nan, y=12.0, left=0)
    wider = pd.concat([frame[:280], nobody, frame[280:]], ignore_index=True)
    asked = {"person": "client", "time": "week", "left": "left", "horizon": 6, "df": DF, "m": 12, "refits": 6}
    again = delta_effects(model, wider, ["week:x"], (0, 2, 6), **asked)
    pd.testing.assert_frame_equal(again.table, found.table, rtol=1e-6)


@pytest.mark.parametrize("delta", [0.0, 6.0])
def test_they_are_nearly_those_of_a_fit_to_every_copy(leaving, found, delta):
    frame, model = leaving
    copies = al.methods.delta_adjusted(model, frame, "client", "week", "left", delta, horizon=6, m=12)
    fits = [al.MixedModel.from_formula("y ~ week * x + (1 + week | client)", copy).fit() for copy in copies]
    pooled = al.pool(fits)
    row = found.table[found.table["delta"] == delta].iloc[0]
    se = pooled.bse["week:x"]
    assert row["estimate"] == pytest.approx(pooled.params["week:x"], abs=0.02 * se)
    assert row["se"] == pytest.approx(se, rel=0.03)
    within = np.mean([f.bse["week:x"] ** 2 for f in fits])
    between = np.var([f.params["week:x"] for f in fits], ddof=1)
    share = (1 + 1 / 12) * between / (within + (1 + 1 / 12) * between)
    assert row["fmi"] == pytest.approx(share, abs=0.03)
    # Barnard and Rubin (1999), equations 3 and 4.
    old, observed = 11 / row["fmi"] ** 2, 61 / 63 * 60 * (1 - row["fmi"])
    assert row["df"] == pytest.approx(1 / (1 / old + 1 / observed), rel=1e-10)


def test_all_refits_are_the_mean_of_all_errors(leaving):
    """With every copy fitted the variance within is that of Rubin's rules exactly."""
    frame, model = leaving
    every = delta_effects(
        model,
        frame,
        ["week:x"],
        (0,),
        person="client",
        time="week",
        left="left",
        horizon=6,
        df=DF,
        m=3,
        refits=3,
    )
    copies = al.methods.impute(model, frame, m=3)
    fits = [al.MixedModel.from_formula("y ~ week * x + (1 + week | client)", c).fit() for c in copies]
    row = every.table.iloc[0]
    assert (1 - row["fmi"]) * row["se"] ** 2 == pytest.approx(
        np.mean([f.bse["week:x"] ** 2 for f in fits]), rel=1e-6
    )
    robust = delta_effects(
        model,
        frame,
        ["week:x", "x"],
        (0,),
        person="client",
        time="week",
        left="left",
        horizon=6,
        df=DF | {"x": 60.0},
        m=3,
        refits=3,
        cov_groups={"week:x": "therapist"},
    )
    first, second = robust.table.iloc[0], robust.table.iloc[1]
    errors = [f.with_errors("CR2", "therapist").bse["week:x"] ** 2 for f in fits]
    assert (1 - first["fmi"]) * first["se"] ** 2 == pytest.approx(np.mean(errors), rel=1e-6)
    usual = np.mean([f.bse["x"] ** 2 for f in fits])
    assert (1 - second["fmi"]) * second["se"] ** 2 == pytest.approx(usual, rel=1e-6)


def test_the_tipping_point_lies_on_straight_lines_between_deltas():
    table = pd.DataFrame(
        {
            "delta": [-2.0, 0.0, 1.0, 3.0],
            "term": "b",
            "estimate": [-3.0, -2.0, -1.5, -0.5],
            "ci_low": [-4.0, -3.0, -2.5, -2.0],
            "ci_high": [-2.0, -1.0, -0.5, 1.0],
        }
    )
    assert DeltaEffects(table, 5, 2).tipping("b") == pytest.approx(1 + 2 * 0.5 / 1.5)
    mirrored = table.assign(estimate=-table["estimate"], ci_low=-table["ci_high"], ci_high=-table["ci_low"])
    assert DeltaEffects(mirrored, 5, 2).tipping("b") == pytest.approx(1 + 2 * 0.5 / 1.5)
    assert np.isnan(DeltaEffects(table[table["delta"] < 3], 5, 2).tipping("b"))
    assert np.isnan(DeltaEffects(table.assign(ci_high=0.1), 5, 2).tipping("b"))
    assert np.isnan(DeltaEffects(table[table["delta"] > 0], 5, 2).tipping("b"))


def test_too_few_refits_are_refused(leaving):
    frame, model = leaving
    with pytest.raises(DataError) as error:
        delta_effects(
            model,
            frame,
            ["week:x"],
            (0,),
            person="client",
            time="week",
            left="left",
            horizon=6,
            df=DF,
            m=5,
            refits=1,
        )
    assert str(error.value) == "refits is 1; it lies between 2 and the number of copies, 5."


def test_weights_are_those_of_two_logistic_regressions():
    rng = np.random.default_rng(2)
    n = 400
    severe = rng.normal(size=n)
    rows = []
    for i in range(n):
        for period in (2, 3, 4):
            gone = rng.random() < 1 / (1 + np.exp(2 - severe[i]))
            rows.append((i, period, int(gone), severe[i]))
            if gone:
                break
    periods = pd.DataFrame(rows, columns=["client", "period", "event", "severe"])
    found = staying_weights(periods, "client", "period", "event", ["severe"], truncate=0.0)
    times = pd.get_dummies(periods["period"], dtype=float)
    full = sm.Logit(periods["event"], times.assign(severe=periods["severe"])).fit(disp=0).predict()
    plain = sm.Logit(periods["event"], times).fit(disp=0).predict()
    ratio = pd.Series((1 - plain) / (1 - full)).groupby(periods["client"]).prod()
    stayed = periods.groupby("client")["event"].max() == 0
    np.testing.assert_allclose(found, ratio[stayed], rtol=1e-6)
    # Weighted, those who stayed are like everybody; truncation moves the ends only.
    assert abs(np.average(severe[found.index], weights=found)) < abs(severe[found.index].mean()) / 3
    cut = staying_weights(periods, "client", "period", "event", ["severe"])
    assert cut.max() == pytest.approx(found.quantile(0.99))
    assert (cut[found < found.quantile(0.98)] >= found[found < found.quantile(0.98)]).all()


def test_no_leaver_and_separated_leavers_are_refused():
    some = pd.DataFrame({"client": range(40), "period": 2, "event": 0, "x": np.arange(40.0)})
    with pytest.raises(DataError, match=r"^Nobody left, or nobody stayed; there is nothing to weight for.$"):
        staying_weights(some, "client", "period", "event", ["x"])
    apart = some.assign(event=(some["x"] > 19).astype(int))
    with pytest.raises(DataError) as error:
        staying_weights(apart, "client", "period", "event", ["x"])
    assert str(error.value) == (
        "The regression of leaving did not converge: some predictor separates those who left."
    )


def test_a_weight_of_two_is_a_person_twice(leaving):
    """Weights of one are the engine's estimates; a weight of two is that of two copies of the person."""
    frame, model = leaving
    seen = frame.dropna().reset_index(drop=True)
    basis = np.column_stack([np.ones(len(seen)), seen["week"]])
    x = np.column_stack([basis, basis * seen[["x"]].to_numpy()])
    table = model.varcorr
    g = np.array([[table["vcov"][0], table["vcov"][2]], [table["vcov"][2], table["vcov"][1]]])
    sigma2 = float(table["vcov"].iloc[-1])
    codes = seen["client"].to_numpy()
    y = seen["y"].to_numpy(float)
    ones = weighted_course(y, x, basis, codes, g, sigma2, np.ones(80))
    beta = np.linalg.lstsq(ones[1], ones[0], rcond=None)[0]
    np.testing.assert_allclose(beta, model.params, rtol=1e-6)
    weights = np.where(np.arange(80) < 20, 2.0, 1.0)
    twice = weighted_course(y, x, basis, codes, g, sigma2, weights)
    again = codes < 20
    stacked = np.concatenate([codes, codes[again] + 80])
    more = weighted_course(
        np.concatenate([y, y[again]]),
        np.concatenate([x, x[again]]),
        np.concatenate([basis, basis[again]]),
        pd.factorize(stacked)[0],
        g,
        sigma2,
        np.ones(100),
    )
    np.testing.assert_allclose(
        np.linalg.lstsq(twice[1], twice[0], rcond=None)[0],
        np.linalg.lstsq(more[1], more[0], rcond=None)[0],
        rtol=1e-8,
    )
