"""Profile likelihood: lme4's intervals, and brute force on dense matrices for what lme4 does not profile."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError
from engine.designs import three_levels
from inside.engine_fit import package
from inside.engine_inference import Rest, charts, constrained, profile, profile_names, share
from inside.engine_inference import surface as surfaces
from inside.engine_linalg import dense

REFERENCE = Path(__file__).parents[1] / "reference"
LME4 = json.loads((REFERENCE / "profile.json").read_text(encoding="utf-8"))
CUT = stats.chi2.ppf(0.95, 1)
SLOPES = "y ~ week + arm + (1 + week | unit)"


def small(name):
    return pd.read_csv(REFERENCE / "small" / f"{name.lower()}.csv")


@pytest.fixture(scope="module")
def slopes():
    return al.MixedModel.from_formula(SLOPES, small("three_level")).fit()


def renamed(name):
    """lme4's name of a parameter as ours."""
    if name.startswith("sd_"):
        effect, group = name[3:].split("|")
        return f"sd({effect.strip('()')})|{group}"
    if name.startswith("cor_"):
        effects, group = name[4:].split("|")
        second, first = effects.split(".")
        return f"cor({first.strip('()')},{second.strip('()')})|{group}"
    return "Intercept" if name == "(Intercept)" else name


@pytest.mark.parametrize("model", LME4["profiles"], ids=lambda m: m["data"])
def test_intervals_are_those_of_lme4(model):
    res = al.MixedModel.from_formula(model["formula"], small(model["data"]), crossed=True).fit(reml=False)
    assert res.deviance == pytest.approx(model["deviance"], abs=1e-6)
    limits = res.conf_int(method="profile")
    ours = limits.loc[[renamed(name) for name in model["parameters"]]]
    assert len(ours) == len(limits)
    # lme4 interpolates between points of its grid; it cannot see below a standard deviation of zero.
    scale = (ours["upper"] - ours["lower"]).to_numpy()
    assert np.abs((ours["lower"] - model["lower"]) / scale).max() < 1e-4
    assert np.abs((ours["upper"] - model["upper"]) / scale).max() < 1e-4
    assert set(limits["criterion"]) == {"ML"}


def test_sleep_study_has_the_published_intervals():
    res = al.MixedModel.from_formula("Reaction ~ Days + (Days | Subject)", small("sleepstudy")).fit(
        reml=False
    )
    limits = res.conf_int(method="profile")[["lower", "upper"]]
    expected = [
        [237.6807, 265.1295],
        [7.3587, 13.5759],
        [14.3814, 37.7160],
        [3.8012, 8.7534],
        [-0.4815, 0.6850],
        [22.8983, 28.8580],
    ]
    np.testing.assert_allclose(limits, expected, atol=6e-5)  # the figures have four decimals


def dense_deviance(fit, psi, scale, reml):
    terms = [(t.z, fit.design.factors[t.factor].codes, m) for t, m in zip(fit.design.terms, psi, strict=True)]
    v = dense.marginal_covariance(terms, scale, fit.design.weights, len(fit.design.y))
    return dense.deviance(fit.design.y, fit.design.x, v, reml)


def brute_force(fit, constraint, value):
    """Least restricted deviance of an intercept-slope model with a quantity held, by a general optimiser."""

    def psi(theta):
        low = np.array([[theta[0], 0], [theta[1], theta[2]]])
        return low @ low.T

    def scale(x):
        return np.exp(np.clip(x[3], -50, 50))  # trial steps go anywhere

    def deviance(x):
        try:
            return dense_deviance(fit, [psi(x)], scale(x), True)
        except np.linalg.LinAlgError:  # a trial step without residual variance
            return 1e6

    start = np.linalg.cholesky(fit.psi[0] + 1e-3 * np.eye(2))
    best = np.inf
    for tilt in (0.0, 0.4):
        x0 = [start[0, 0], start[1, 0] + tilt, start[1, 1], np.log(fit.scale)]
        found = optimize.minimize(
            deviance,
            x0,
            method="SLSQP",
            constraints={"type": "eq", "fun": lambda x: constraint(psi(x), scale(x)) - value},
            options={"ftol": 1e-13, "maxiter": 500},
        )
        if abs(constraint(psi(found.x), scale(found.x)) - value) < 1e-6:
            best = min(best, found.fun)
    return best


QUANTITIES = {
    "sd(Intercept)|unit": lambda p, _: np.sqrt(p[0, 0]),
    "sd(week)|unit": lambda p, _: np.sqrt(p[1, 1]),
    "cor(Intercept,week)|unit": lambda p, _: p[0, 1] / np.sqrt(p[0, 0] * p[1, 1] + 1e-12),
    "sigma": lambda _, s: np.sqrt(s),
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_restricted_profiles_are_the_least_deviances_of_brute_force(slopes, name):
    path = slopes.profile(name)
    assert (path["parameter"] == name).all()
    at = path.iloc[[2]]
    for _, row in at.iterrows():
        expected = brute_force(slopes.fit, QUANTITIES[name], row["value"])
        # SLSQP stops at a constraint violation of 1e-6; no worse than brute force, and never below it by more.
        assert row["deviance"] == pytest.approx(expected, abs=2e-4)
    np.testing.assert_allclose(path["zeta"] ** 2, path["deviance"] - slopes.deviance, atol=1e-8)
    assert (np.diff(path["value"]) > 0).all()


def test_limits_lie_exactly_at_the_cut(slopes):
    limits = slopes.conf_int(method="profile", alpha=0.1, which=["sigma", "sd(Intercept)|unit"])
    assert set(limits["criterion"]) == {"REML"}
    assert (limits["note"] == "").all()
    for name, row in limits.iterrows():
        chart = profile_names.variance_parameters(slopes.fit)[name].chart()
        made = constrained.Profile.of(
            slopes.fit.blocks, True, chart, list(slopes.fit.record.best.relative), np.zeros(0), False
        )
        for value in (row["lower"], row["upper"]):
            h = np.log(value) if name == "sigma" else value
            rise = made.rise(made.at(h, made.best))
            assert rise == pytest.approx(stats.chi2.ppf(0.9, 1), abs=1e-6)


def test_coefficients_are_profiled_by_maximum_likelihood(slopes):
    by_ml = al.MixedModel.from_formula(SLOPES, small("three_level")).fit(reml=False)
    limits = slopes.conf_int(method="profile", which=["week", "arm"])
    assert set(limits["criterion"]) == {"ML"}
    np.testing.assert_allclose(
        limits[["lower", "upper"]],
        by_ml.conf_int(method="profile").loc[["week", "arm"], ["lower", "upper"]],
        atol=1e-6,
    )
    frame = small("three_level")
    for value in limits.loc["week", ["lower", "upper"]]:
        held = frame.assign(y=frame["y"] - value * frame["week"])
        without = al.MixedModel.from_formula("y ~ arm + (1 + week | unit)", held).fit(reml=False)
        # Newton's last step to the cut is taken unseen: its error is the square of 1e-4.
        assert without.deviance - by_ml.deviance == pytest.approx(CUT, abs=1e-6)
    path = slopes.profile("week")
    assert path["deviance"].min() == pytest.approx(by_ml.deviance, abs=1e-8)
    assert path.loc[path["zeta"] == 0, "value"].item() == pytest.approx(by_ml.params["week"], abs=1e-6)


def test_ends_that_are_not_reached_say_why():
    res = al.MixedModel.from_formula("strength ~ 1 + (1 | batch/cask)", small("Pastes")).fit()
    row = res.conf_int(method="profile").loc["sd(Intercept)|batch"]
    assert row["lower"] == 0
    assert row["note"].startswith(
        "lower limit: a standard deviation of 0 is not excluded, the deviance rises by"
    )
    null = al.MixedModel.from_formula("strength ~ 1 + (1 | batch:cask)", small("Pastes")).fit()
    assert f"rises by {null.deviance - res.deviance:.2f}, less than 3.84" in row["note"]
    boundary = al.MixedModel.from_formula("Yield ~ 1 + (1 | Batch)", small("Dyestuff2")).fit()
    row = boundary.conf_int(method="profile").loc["sd(Intercept)|Batch"]
    assert row["lower"] == 0
    assert row["upper"] > 0
    assert row["note"] == "lower limit: a standard deviation of 0 is the estimate"


def test_a_perfect_correlation_and_one_with_a_zero_variance():
    frame = small("three_level")
    res = al.MixedModel.from_formula("y ~ week + arm + (week | outer) + (week | unit)", frame).fit(reml=False)
    limits = res.conf_int(method="profile")
    row = limits.loc["cor(Intercept,week)|outer"]
    assert res.varcorr["sdcor"][2] == pytest.approx(1)
    assert tuple(row[["lower", "upper"]]) == (-1, 1)
    # The deviance cannot rise above that of a slope variance of zero, where the correlation has no meaning.
    zero = al.MixedModel.from_formula("y ~ week + arm + (1 | outer) + (week | unit)", frame).fit(reml=False)
    rise = f"rises by {zero.deviance - res.deviance:.2f}, less than 3.84"
    assert row["note"].startswith("lower limit: a correlation of -1 is not excluded, the deviance " + rise)
    assert row["note"].endswith("upper limit: a correlation of 1 is the estimate")
    flat = three_levels(3, outer=30, inner=3, truth=(1.0, 0.0))
    none = al.MixedModel.from_formula("y ~ week + (1 | outer) + (1 + week | unique)", flat).fit()
    assert none.singular
    sd = none.varcorr["sdcor"]
    if sd[1] == 0 or sd[2] == 0:
        row = none.conf_int(method="profile", which="cor(Intercept,week)|unique").iloc[0]
        assert np.isnan(row["lower"])
        assert row["note"] == "not defined: one of the standard deviations is estimated as zero"


def test_intervals_do_not_depend_on_units_or_origin(slopes):
    frame = small("three_level")
    shifted = frame.assign(y=frame["y"] * 10, week=frame["week"] + 30)
    res = al.MixedModel.from_formula(SLOPES, shifted).fit()
    for name, factor in {"sigma": 10, "sd(week)|unit": 10, "week": 10, "arm": 10}.items():
        ours = slopes.conf_int(method="profile", which=name)[["lower", "upper"]] * factor
        np.testing.assert_allclose(
            res.conf_int(method="profile", which=name)[["lower", "upper"]], ours, rtol=1e-6
        )


@pytest.mark.parametrize("kind", ["sd", "cor", "sigma", "share"])
def test_derivatives_in_the_coordinates(slopes, kind):
    fit = slopes.fit
    face, effects = fit.record.best.face.full(), np.linalg.inv(fit.basis.b[0])
    chart = {
        "sd": lambda: charts.standard_deviation(face, 0, effects, 1, fit.basis.y_scale),
        "cor": lambda: charts.correlation(face, 0, effects, 0, 1),
        "sigma": lambda: charts.residual_deviation(face, fit.basis.y_scale),
        "share": lambda: share(face, [0], [effects.T @ np.diag([1.0, 3.0]) @ effects], Rest(0.8)),
    }[kind]()
    back = surfaces.turned_back(chart)
    relative = list(fit.record.best.relative)
    u = chart.start(relative, fit.criterion.rss / fit.criterion.nu, np.zeros(0))
    np.testing.assert_allclose(chart.relative(u)[0], relative[0], atol=1e-9)
    u = u * (1 + 0.1 * np.random.default_rng(1).normal(size=len(u)))

    def surface(at, order):
        return surfaces.surface(fit.blocks, True, chart, at, order, back)

    _, gradient, hessian = surface(u, 2)
    steps = 1e-5 * np.eye(len(u))
    slope = np.array([(surface(u + d, 0)[0] - surface(u - d, 0)[0]) / 2e-5 for d in steps])
    bend = np.array([(surface(u + d, 1)[1] - surface(u - d, 1)[1]) / 2e-5 for d in steps])
    np.testing.assert_allclose(gradient, slope, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, bend, atol=1e-6 * np.abs(hessian).max())


def test_a_lower_optimum_on_the_way_is_taken_and_said():
    frame = small("three_level")
    fit = al.MixedModel.from_formula(SLOPES, frame).fit()
    moved = tuple(1.5 * d for d in fit.fit.record.best.relative)
    record = replace(fit.fit.record, best=replace(fit.fit.record.best, relative=moved))
    bad = package(fit.fit.design, fit.fit.basis, fit.fit.blocks, True, record)
    limits = profile.profile_intervals(bad, "sigma", 0.05)
    expected = fit.conf_int(method="profile", which="sigma")
    np.testing.assert_allclose(limits[["lower", "upper"]], expected[["lower", "upper"]], rtol=1e-6)
    assert "deviance units above a better optimum found on the way" in limits["note"].iloc[0]


def test_unknown_parameters_and_levels_are_refused(slopes):
    with pytest.raises(
        FitError, match=r"The fit has no parameter 'sd\(weak\)\|unit'; it has Intercept, .*Did you mean"
    ):
        slopes.conf_int(method="profile", which="sd(weak)|unit")
    with pytest.raises(FitError, match=r"alpha must be between 0 and 1, not 95; 0.05 gives 95 % intervals"):
        slopes.conf_int(95, method="profile", which="sigma")


@pytest.mark.parametrize(
    ("name", "rise", "lower", "upper", "note"),
    [
        ("sd(week)|unit", 1e-5, 0, np.inf, "not identified: the likelihood is flat"),
        (
            "sigma",
            0.5,
            0,
            np.inf,
            "upper limit not identified: the deviance rises by 0.50, less than 3.84, up to",
        ),
        ("cor(Intercept,week)|unit", 1e-5, -1, 1, "not identified: the likelihood is flat"),
    ],
)
def test_flat_profiles_are_said_to_be_not_identified(slopes, monkeypatch, name, rise, lower, upper, note):
    def end(profile, side, cut):
        bound = profile.chart.high if side > 0 else profile.chart.low
        return constrained.End(bound if np.isfinite(bound) else side * 3.0, rise, False)

    monkeypatch.setattr(constrained.Profile, "end", end)
    row = slopes.conf_int(method="profile", which=name).iloc[0]
    assert note in row["note"]
    assert row["lower"] == lower
    assert row["upper"] == upper


def test_a_jump_of_the_profile_is_no_limit(slopes, monkeypatch):
    """A search that is lost beyond some point says so, and a trial outside the parameter space steps back."""
    honest = constrained.Profile.at
    made = slopes.conf_int(method="profile", which="sigma").iloc[0]

    def at(profile, h, near):
        point = honest(profile, min(h, np.log(made["upper"]) - 0.01), near)
        return point if h < np.log(made["upper"]) - 0.01 else replace(point, value=np.inf)

    def checked(profile, here, end, side, cut):
        return end

    monkeypatch.setattr(constrained.Profile, "at", at)
    monkeypatch.setattr(constrained.Profile, "_checked", checked)
    row = slopes.conf_int(method="profile", which="sigma").iloc[0]
    assert row["lower"] == pytest.approx(made["lower"], rel=1e-6)
    assert row["upper"] == np.inf
    assert row["note"].startswith("upper limit not identified: the deviance rises by 3")


def test_trial_of_slopes_where_lme4_gives_a_bad_profile(shared_data):
    """Beat the Blues (Proudfoot et al. 2003): lme4 warns of a non-monotonic profile of the correlation."""
    wide = pd.read_csv(shared_data / "beat_the_blues_bdi.csv").rename(columns={"bdi.pre": "pre"})
    frame = wide.melt(
        ["id", "drug", "length", "treatment", "pre"], value_name="bdi", var_name="time"
    ).dropna()
    frame["time"] = frame["time"].str[4].astype(int)
    model = al.MixedModel.from_formula("bdi ~ pre + time + treatment + drug + length + (time | id)", frame)
    res = model.fit(reml=False)
    assert res.deviance == pytest.approx(1871.037799, abs=1e-6)
    limits = res.conf_int(method="profile")
    lme4 = {
        "Intercept": (-1.1653543, 7.6463084),
        "pre": (0.4856156, 0.7981200),
        "time": (-1.0159264, -0.3891714),
        "sd(Intercept)|id": (5.3925036, 9.0226417),
        "sigma": (4.3529626, 5.5366846),
    }
    for name, (lower, upper) in lme4.items():
        assert limits.loc[name, "upper"] == pytest.approx(upper, abs=1e-3)
        # lme4 interpolates; its lower limit of the first deviation lies 0.0013 too high.
        assert limits.loc[name, "lower"] == pytest.approx(lower, abs=2e-3)
    rise = model.fit(reml=False).lrt(
        al.MixedModel.from_formula(model.formula.replace("(time | id)", "(1 | id)"), frame).fit(reml=False)
    )
    assert limits.loc["sd(time)|id", "lower"] == 0
    assert f"rises by {rise.statistic:.2f}, less than 3.84" in limits.loc["sd(time)|id", "note"]
    row = limits.loc["cor(Intercept,time)|id"]
    assert (row["lower"], row["upper"]) == (-1, 1)
    assert row["note"].count("is not excluded") == 2


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_lower_limits_agree_with_tests_of_the_same_variance(seed):
    """A limit is zero where the model without the effect is not rejected, also at boundaries and with few groups."""
    truth = [(1, 1), (0, 1), (1, 0.1), (0.2, 0.2)][seed % 4]
    frame = three_levels(
        seed, outer=(5, 8, 14)[seed % 3], inner=4, rows=6, truth=truth, unit=(1, 30, 1 / 52)[seed % 3]
    )
    part = (
        "(1 + week | outer/inner)",
        "(1 | outer) + (1 + week | unique)",
        "(1 + week || outer) + (1 | unique)",
    )
    res = al.MixedModel.from_formula(f"y ~ week + {part[seed % 3]}", frame).fit()
    limits = res.conf_int(method="profile")
    estimates = pd.Series([*res.params, *res.varcorr["sdcor"]], index=limits.index).iloc[len(res.params) :]
    # A coefficient's interval is about maximum likelihood; that of a correlation without variances is missing.
    inside = limits.loc[estimates.index]
    assert (~(inside["lower"] > estimates + 1e-6)).all()
    assert (~(inside["upper"] < estimates - 1e-6)).all()
    checked = 0
    for row in res.variance_tests("mixture").itertuples():
        name = f"sd({row.effects})|{row.group}"
        if name in limits.index:
            checked += 1
            assert (limits.loc[name, "lower"] == 0) == (row.statistic < CUT)
    assert checked
