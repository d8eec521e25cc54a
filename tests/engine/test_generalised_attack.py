"""Generalised models on data that break other programs: the right number, or a sentence."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import alliance_longitudinal as al
from inside.engine_families import ROUGH
from inside.engine_inference import bootstrap_intervals


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    n = 160
    group = np.repeat(np.arange(20), 8)
    data = pd.DataFrame({"g": group, "h": group // 5, "x": rng.normal(size=n)})
    effect = rng.normal(size=20)[group]
    data["y"] = (rng.random(n) < special.expit(0.5 * data["x"] + effect)).astype(int)
    data["count"] = rng.poisson(np.exp(0.5 + 0.3 * data["x"] + 0.5 * effect))
    data["grade"] = np.digitize(0.5 * data["x"] + effect + rng.logistic(size=n), [-1, 0, 1])
    return data


def fit(frame, formula="y ~ x + (1 | g)", family="binomial", n_agq=1, **options):
    return al.MixedModel.from_formula(formula, frame, family=family, **options).fit(n_agq=n_agq)


INFINITE = r"variance of the effects over .* goes to infinity, .* Leave out the random term"


@pytest.mark.parametrize("n_agq", [1, 25])
@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_groups_whose_responses_are_all_alike_have_no_finite_variance(frame, n_agq, link):
    alike = frame.assign(y=(frame["g"] % 3 == 0).astype(int))
    with pytest.raises(al.FitError, match=INFINITE):
        fit(alike, n_agq=n_agq, link=link)


def test_the_same_where_predictors_and_groups_do_it_together_and_for_grades(frame):
    ladder = (frame["g"] - 10) + frame["x"] / 10
    # x orders the responses within the groups around the middle, so that no group need be all alike
    with pytest.raises(al.FitError, match=INFINITE):
        fit(frame.assign(y=(ladder + 5 * frame["x"] > 0).astype(int)))
    with pytest.raises(al.FitError, match=INFINITE):
        fit(frame.assign(grade=frame["g"] % 4), "grade ~ x + (1 | g)", "ordinal")
    with pytest.raises(al.FitError, match="'g:h' and 'h' goes to infinity"):
        fit(frame.assign(y=(frame["g"] % 3 == 0).astype(int)), "y ~ x + (1 | h/g)")


def test_an_infinite_variance_is_a_finding_where_the_fit_is_wanted_all_the_same(frame):
    alike = frame.assign(y=(frame["g"] % 3 == 0).astype(int))
    loose = al.MixedModel.from_formula("y ~ 1 + (1 | g)", alike, family="binomial").fit(
        require_certificate=False
    )
    assert not loose.converged
    assert loose.convergence.startswith("The variance of the effects over 'g' goes to infinity")
    assert [(f.code, f.severity) for f in loose.findings if f.code == "separation"] == [
        ("separation", "failed")
    ]


def test_pairs_that_agree_have_no_finite_variance_however_laplace_ends():
    """The likelihood of pairs that agree rises with the variance for ever, that of a client with one answer stays.

    With few answers a group, Laplace's method ends at a finite variance all the same.
    """
    group = np.repeat(np.arange(20), 2)
    pairs = pd.DataFrame({"g": group, "y": group % 2})
    with pytest.raises(al.FitError, match=INFINITE):
        fit(pairs, "y ~ 1 + (1 | g)")
    more = pd.concat([pairs, pd.DataFrame({"g": range(20, 24), "y": [0, 1, 0, 1]})], ignore_index=True)
    res = fit(more, "y ~ 1 + (1 | g)")
    assert 7.2 < res.varcorr["sdcor"].iloc[0] < 8
    (rough,) = (f for f in res.findings if f.code == "rough_approximation")
    assert rough.message.endswith("Fit with n_agq=25.")
    with pytest.raises(al.FitError, match=INFINITE):
        fit(more, "y ~ 1 + (1 | g)", n_agq=25)


def test_one_mixed_group_makes_the_variance_finite(frame):
    """The likelihood falls for large variances again, as a plain sum over a fine grid shows."""
    almost = frame.assign(y=np.where(frame["g"] == 4, frame.index % 2, (frame["g"] % 3 == 0).astype(int)))
    res = fit(almost, "y ~ 1 + (1 | g)", n_agq=51)
    assert res.converged
    u = np.linspace(-9, 9, 40_001)
    weight = stats.norm.logpdf(u) + np.log(u[1] - u[0])
    events, size = (almost.groupby("g")["y"].agg(f).to_numpy()[:, None] for f in ("sum", "size"))

    def deviance(beta, sd):
        eta = beta + sd * u
        rows = events * special.log_expit(eta) + (size - events) * special.log_expit(-eta)
        return -2 * special.logsumexp(rows + weight, axis=1).sum()

    beta, sd = res.params.iloc[0], res.varcorr["sdcor"][0]
    assert deviance(beta, sd) == pytest.approx(res.deviance, abs=0.2)
    # 51 nodes are few for so wide a distribution
    assert "do not determine" in {f.code: f.message for f in res.findings}["rough_approximation"]
    assert deviance(beta * 30, sd * 30) > deviance(beta, sd) + 2


def test_a_rough_approximation_is_said_and_a_good_one_is_not(frame):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 4)
    x = rng.normal(size=240)
    y = (rng.random(240) < special.expit(0.3 + 0.7 * x + 3 * rng.normal(size=60)[group])).astype(int)
    wide = pd.DataFrame({"g": group, "x": x, "y": y})
    rough = {f.code: f.message for f in fit(wide).findings}
    assert "Laplace's method is not accurate enough" in rough["rough_approximation"]
    assert "Fit with n_agq=25" in rough["rough_approximation"]
    few = {f.code: f.message for f in fit(wide, n_agq=3).findings}
    assert "Quadrature with 3 nodes is not accurate enough" in few["rough_approximation"]
    ours, good = fit(wide), fit(wide, n_agq=25)
    for res in (good, fit(frame), fit(frame, "count ~ x + (1 | h/g)", "poisson")):
        assert "rough_approximation" not in [f.code for f in res.findings]
    # what is said is about what happens
    steps = np.abs(np.log(ours.varcorr["sdcor"][0] / good.varcorr["sdcor"][0]))
    assert steps > ROUGH / 4


def test_responses_in_every_storage_that_means_the_same(frame):
    expected = fit(frame).params
    for column in (
        frame["y"] == 1,
        (frame["y"] == 1).astype("boolean"),
        (frame["y"] == 1).astype("bool[pyarrow]"),
        (frame["y"] == 1).astype(object),
        frame["y"].astype("UInt8"),
        frame["y"].astype("double[pyarrow]"),
    ):
        pd.testing.assert_series_equal(fit(frame.assign(y=column)).params, expected)
    gone = fit(frame.assign(y=(frame["y"] == 1).astype("boolean").mask(frame.index == 3)))
    pd.testing.assert_series_equal(gone.params, fit(frame.drop(index=3)).params)
    assert gone.n_dropped == 1


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            lambda y: y.map({0: "no", 1: "yes"}),
            r"not numeric; its first value is '(yes|no)'\. .*\(data\['y'\] == '",
        ),
        (
            lambda y: y.astype("category"),
            r"numbers kept as category \(the first is [01]\)\. .* pandas.to_numeric",
        ),
        (lambda y: y.astype(object).where(y.index > 0), r"numbers kept as object \(the first is [01]\)"),
        (lambda y: y.astype(complex), r"not numeric; its first value is \([01]\+0j\)"),
        (
            lambda y: y.map({0: pd.Timestamp(0), 1: pd.Timestamp(1)}),
            r"not numeric; its first value is Timestamp",
        ),
    ],
)
def test_responses_that_are_no_numbers_are_told_what_to_do(frame, column, message):
    with pytest.raises(al.FormulaError, match=message):
        fit(frame.assign(y=column(frame["y"])))


def test_numbers_of_numpy_and_new_data_that_are_no_frame(frame):
    res = fit(frame, n_agq=np.int64(5))
    assert res.n_agq == 5
    with pytest.raises(al.FitError, match="The new data must be a pandas DataFrame, not list"):
        res.predict([1.0])


def test_minute_units_and_huge_counts_give_no_warning(frame):
    small = fit(frame.assign(x=1e-12 * frame["x"]))
    assert "inf" in small.summary()
    assert small.deviance == pytest.approx(fit(frame).deviance, rel=1e-10)
    for family in ("poisson", "negative-binomial"):
        many = fit(frame.assign(count=1e6 * frame["count"]), "count ~ x + (1 | g)", family)
        assert many.converged
        assert "rough_approximation" not in [f.code for f in many.findings]
        with pytest.raises(al.FitError, match=r"Look for extreme values|No optimum could be verified"):
            fit(frame.assign(count=1e15 * frame["count"]), "count ~ x + (1 | g)", family)


def test_shares_of_the_latent_variance(frame, monkeypatch):
    """Of one intercept: sd^2 / (sd^2 + pi^2 / 3), or pi^2 / 6 for the extreme-value distribution."""
    for formula, family, link, residual in (
        ("y ~ x + (1 | g)", "binomial", None, np.pi**2 / 3),
        ("y ~ x + (1 | g)", "binomial", "cloglog", np.pi**2 / 6),
        ("grade ~ x + (1 | g)", "ordinal", None, np.pi**2 / 3),
    ):
        res = fit(frame, formula, family, link=link)
        variance = res.varcorr["vcov"][0]
        table = res.icc().set_index("group")
        assert table.loc["g", "icc"] == pytest.approx(variance / (variance + residual), rel=1e-12)
        assert table["icc"].sum() == pytest.approx(1, rel=1e-12)
    res = fit(frame, n_agq=9)
    sd = res.conf_int(method="profile", which=["sd(Intercept)|g"])[["lower", "upper"]].iloc[0]
    found = res.icc(method="profile")
    np.testing.assert_allclose(found.loc[0, ["lower", "upper"]].astype(float), sd**2 / (sd**2 + np.pi**2 / 3))
    np.testing.assert_allclose(
        found.loc[1, ["upper", "lower"]].astype(float), 1 - found.loc[0, ["lower", "upper"]].astype(float)
    )
    boot = res.icc(n_boot=20, seed=1)
    asked, bootstrap = [], type(res).bootstrap
    monkeypatch.setattr(
        type(res), "bootstrap", lambda res, n, seed: asked.append(n) or bootstrap(res, 20, seed)
    )
    pd.testing.assert_frame_equal(res.icc(method="bootstrap", seed=1), boot)
    assert asked == [1000]
    assert (boot["lower"] < boot["icc"]).all()
    assert (boot["icc"] < boot["upper"]).all()


def test_shares_with_slopes_are_means_over_the_rows(frame):
    res = fit(frame, "y ~ x + (1 + x | h) + (1 | g)")
    z = np.column_stack([np.ones(len(frame)), frame["x"]])
    psi = res.fit.psi[[t.group for t in res.fit.design.terms].index("h")]
    table = res.icc().set_index("group")
    assert table.loc["h", "variance"] == pytest.approx(np.mean([row @ psi @ row for row in z]), rel=1e-10)
    for ask, message in (
        (lambda: res.icc(method="profile"), "generalised models with one random effect only"),
        (
            lambda: res.icc(method="wald"),
            r"method='wald' is not available; there is 'profile' and 'bootstrap'",
        ),
        (lambda: res.icc(at={"x": 1}), r"icc\(at=\.\.\.\) is not available for generalised models"),
        (
            lambda: fit(frame, "count ~ x + (1 | g)", "poisson").icc(),
            "not available for generalised models of counts",
        ),
    ):
        with pytest.raises(al.FitError, match=message):
            ask()


def test_replicates_whose_estimates_run_off_count_as_failed(frame):
    """A cell with one response of another kind: in every third replicate or so there is none."""
    arm = np.where(frame.index % 16 == 0, "b", "a")
    y = np.where(arm == "b", 1, frame["y"])
    y[0] = 0
    res = fit(frame.assign(arm=arm, y=y), "y ~ arm + (1 | g)")
    boot = res.bootstrap(30, seed=1)
    assert 3 <= boot.n_failed <= 20
    assert boot.params["arm[T.b]"].max() < 12
    limits = res.conf_int(method="bootstrap", n_boot=30, seed=1)
    assert (limits["note"].str.startswith(f"{boot.n_failed} of 30 refits failed")).all()
    assert "too narrow" in boot.findings[0].message
    none = replace(boot, n_failed=29)
    with pytest.raises(
        al.FitError, match=r"Only 1 of 30 refits have finite estimates, .* Leave out the term"
    ):
        bootstrap_intervals(res.fit, none, 0.05)


def test_a_category_without_rows_is_a_finding():
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(20), 8)
    latent = rng.normal(size=20)[group] + rng.logistic(size=160)
    grade = np.array(["low", "middle", "high"])[np.digitize(latent, [-0.7, 0.7])]
    order = ["never", "low", "middle", "high"]
    frame = pd.DataFrame({"y": pd.Categorical(grade, order, ordered=True), "g": group})
    result = al.MixedModel.from_formula("y ~ 1 + (1 | g)", frame, family="ordinal").fit()
    found = next(f for f in result.findings if f.code == "empty_category")
    assert found.message.startswith(
        "No row has the response 'never'. A category without rows has no threshold"
    )
    used = frame.assign(y=frame["y"].cat.remove_unused_categories())
    full = al.MixedModel.from_formula("y ~ 1 + (1 | g)", used, family="ordinal").fit()
    assert "empty_category" not in {f.code for f in full.findings}
    assert full.deviance == result.deviance
