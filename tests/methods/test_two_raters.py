"""Truth and bias, actor and partner, one with many: published figures, nlme and lmerTest, and simulated truth."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from inside.methods_basics import deviances, solve, two_scores

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "dyads.json").read_text(encoding="utf-8"))
PAIRS = pd.read_csv(FOLDER / "small" / "pairs.csv")
TRACKING = pd.read_csv(FOLDER / "small" / "tracking.csv")


def covers(found, truth):
    limits = found.conf_int().loc[list(truth)]
    return (limits["lower"] <= pd.Series(truth)) & (pd.Series(truth) <= limits["upper"])


def check_coverage(hits, n):
    """95 % within three Monte Carlo errors."""
    assert (np.abs(np.mean(hits, axis=0) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / n)).all(), np.mean(hits, axis=0)


# ---------------------------------------------------------------- truth and bias


def test_tracking_is_that_of_lmertest():
    found = methods.truth_and_bias(TRACKING, "therapist", "client", "person", "time")
    split, total = REFERENCE["split"], REFERENCE["total"]
    where = {"directional": (split, 0), "truth": (total, 1), "tracking_within": (split, 1), "tracking_between": (split, 2), "time": (split, 3)}  # fmt: skip
    for name, (fit, k) in where.items():
        # lme4 stops within about 1e-6 of the optimum; degrees of freedom are more sensitive.
        assert found.params[name] == pytest.approx(fit["est"][k], rel=1e-4)
        assert found.bse[name] == pytest.approx(fit["se"][k], rel=1e-4)
        assert found.tidy().set_index("term")["df"][name] == pytest.approx(fit["df"][k], rel=2e-3)
    assert found.center == pytest.approx(TRACKING["client"].mean())
    assert np.isnan(found.cov_params().loc["truth", "directional"])
    assert f"{len(TRACKING)} rows of 40 persons" in found.summary()


def test_without_repeated_rows_it_is_least_squares():
    once = TRACKING.groupby("person", as_index=False).mean()
    found = methods.truth_and_bias(once, "therapist", "client", time="time")
    x = np.column_stack(
        [np.ones(len(once)), once["client"] - once["client"].mean(), once["time"] - once["time"].mean()]
    )
    b, *_ = np.linalg.lstsq(x, once["therapist"] - once["client"].mean(), rcond=None)
    np.testing.assert_allclose(found.params.to_numpy(), b, rtol=1e-9)
    same = methods.truth_and_bias(once, "therapist", "client", "person", "time")
    np.testing.assert_allclose(same.params.to_numpy(), b, rtol=1e-9)
    # A rater who is half a point lower and follows with weight 1 is exactly that.
    exact = methods.truth_and_bias(once.assign(j=once["client"] - 0.5), "j", "client")
    np.testing.assert_allclose(exact.params.to_numpy(), [-0.5, 1], rtol=1e-9)


def test_gap_and_tracking_are_recovered_with_their_coverage():
    truth, hits, n_sim = {"directional": -0.4, "tracking_within": 0.3, "tracking_between": 0.6}, [], 80
    found = []
    for seed in range(n_sim):
        rng = np.random.default_rng(seed)
        person = np.repeat(np.arange(30), 6)
        m, w = rng.normal(0, 0.7, 30)[person], rng.normal(0, 0.6, 180)
        j = 5 - 0.4 + 0.6 * m + (0.3 + rng.normal(0, 0.2, 30)[person]) * w + rng.normal(0, 0.4, 30)[person]
        frame = pd.DataFrame({"person": person, "c": 5 + m + w, "t": j + rng.normal(0, 0.4, 180)})
        # The truth of the split is that of the persons' means: centre by hand, so that 5 is the grand mean.
        split = methods.truth_and_bias(frame, "t", "c", "person")
        shift = (split.center - 5) * (1 - 0.6)
        hits.append(covers(split, truth | {"directional": -0.4 - shift}))
        found.append(split.params[list(truth)])
    error = np.std(found, axis=0) / np.sqrt(n_sim)
    # The persons' means hold a sixth of the within variance: between is 0.6 less its share of the difference.
    share = 0.49 / (0.49 + 0.36 / 6)
    wanted = np.array([-0.4, 0.3, share * 0.6 + (1 - share) * 0.3])
    assert (np.abs(np.mean(found, axis=0) - wanted) < 4 * error + [0.01, 0, 0]).all()
    check_coverage(np.array(hits)[:, 1], n_sim)


# ---------------------------------------------------------------- actor and partner


def test_the_published_figures_of_couples(shared_data):
    """Acitelli's couples (R package dyadr): printed with four digits."""
    frame = pd.read_csv(shared_data / "acitelli_couples_pairwise.csv")
    found = methods.actor_partner(frame, "Satisfaction_A", "Tension_A", "SelfPos_P", "Partnum", "CoupleID")
    got = [found.actor, found.bse["actor"], found.partner, found.bse["partner"], found.rho, found.sigma]
    np.testing.assert_allclose(got, [-0.3454, 0.0329, -0.0656, 0.0516, 0.4715, 0.4053], atol=5.1e-5)
    other = methods.actor_partner(frame, "Satisfaction_A", "OtherPos_A", "OtherPos_P", "Partnum", "CoupleID")
    got = [other.actor, other.bse["actor"], other.partner, other.bse["partner"], other.rho]
    np.testing.assert_allclose(got, [0.4004, 0.0473, 0.2880, 0.0473, 0.4693], atol=5.1e-5)
    for fit, name in ((found, "tension"), (other, "other")):
        np.testing.assert_allclose(fit.params.to_numpy(), REFERENCE[name]["coef"], rtol=1e-5)
        np.testing.assert_allclose(fit.bse.to_numpy(), REFERENCE[name]["se"], rtol=1e-5)
        assert fit.llf == pytest.approx(REFERENCE[name]["llf"], abs=1e-6)


def test_roles_against_nlme(shared_data):
    frame = pd.read_csv(shared_data / "acitelli_couples_pairwise.csv")
    found = methods.actor_partner(
        frame, "Satisfaction_A", "OtherPos_A", "OtherPos_P", "Partnum", "CoupleID", role="Gender"
    )
    reference = REFERENCE["apart"]
    np.testing.assert_allclose(found.params.to_numpy(), reference["coef"], rtol=2e-4)
    np.testing.assert_allclose(found.bse.to_numpy(), reference["se"], rtol=2e-4)
    assert found.llf == pytest.approx(reference["llf"], abs=1e-5)
    assert found.rho == pytest.approx(reference["cor"], rel=1e-4)
    np.testing.assert_allclose(found.sigma.to_numpy(), REFERENCE["apart_sd"], rtol=1e-4)
    assert found.distinguishable.chi2 == pytest.approx(REFERENCE["ratio"], abs=1e-4)
    assert found.distinguishable.df == 4
    assert list(found.actor.index) == ["Wife", "Husband"]
    assert "Roles differ: chi2(4) = 7.28, p = 0.1220" in found.summary()


def couples(seed, n=40, partner=0.2, rho=0.3, alone=0):
    rng = np.random.default_rng(seed)
    x = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], n)
    e = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], n)
    y = 1 + 0.5 * x + partner * x[:, ::-1] + e
    frame = pd.DataFrame({"couple": np.repeat(np.arange(n), 2), "who": np.tile(["w", "m"], n), "x": x.ravel(), "px": x[:, ::-1].ravel(), "y": y.ravel()})  # fmt: skip
    frame.loc[frame.index[: 2 * alone : 2], "y"] = np.nan
    return frame


@pytest.mark.parametrize(("partner", "rho"), [(0.0, 0.5), (0.2, -0.4)])
def test_actor_and_partner_effects_are_recovered_with_their_coverage(partner, rho):
    truth, hits, found, n_sim = {"intercept": 1.0, "actor": 0.5, "partner": partner}, [], [], 100
    for seed in range(n_sim):
        fit = methods.actor_partner(couples(seed, 20, partner, rho), "y", "x", "px", "who", "couple")
        hits.append(covers(fit, truth))
        found.append([*fit.params, fit.rho])
    error = np.std(found, axis=0) / np.sqrt(n_sim)
    assert (np.abs(np.mean(found, axis=0) - [1, 0.5, partner, rho]) < 3.5 * error + [0, 0, 0, 0.02]).all()
    check_coverage(hits, n_sim)


def test_equal_roles_are_found_to_differ_in_five_percent():
    """With 20 couples the uncorrected statistic is a quarter too large on average."""
    fits = [
        methods.actor_partner(couples(s, 20), "y", "x", "px", "who", "couple", role="who") for s in range(60)
    ]
    few = np.array([fit.distinguishable_few for fit in fits])
    assert abs(np.mean(few[:, 2] < 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 60)
    error = np.sqrt(2 * 4 / 60)  # of the mean of 60 chi-squares with 4 degrees of freedom
    assert abs(few[:, 0].mean() - 4) < 2 * error
    assert np.mean([fit.distinguishable.chi2 for fit in fits]) > 4 + 2 * error


def test_a_member_left_alone_stays_and_is_said():
    found = methods.actor_partner(couples(1, alone=6), "y", "x", "px", "who", "couple")
    assert (found.n, found.cases, found.n_dropped) == (74, 40, 6)
    assert found.findings[0].message == (
        "6 cases have one member with all values. They add to the effects, but not to the correlation within a couple."
    )
    order = couples(1, alone=6).sample(frac=1, random_state=1)
    again = methods.actor_partner(order, "y", "x", "px", "who", "couple")
    np.testing.assert_allclose(again.params.to_numpy(), found.params.to_numpy(), rtol=1e-6)


# ---------------------------------------------------------------- one with many


def test_sessions_against_nlme():
    found = methods.one_with_many(PAIRS, "rating", "role", "therapist", "client", "session")
    reference = REFERENCE["with_sessions"]
    np.testing.assert_allclose(found.params[["mean_client", "mean_therapist"]], reference["mean"], rtol=1e-6)
    np.testing.assert_allclose(found.bse[["mean_client", "mean_therapist"]], reference["se"], rtol=1e-4)
    assert found.llf == pytest.approx(reference["llf"], abs=1e-5)
    client, therapist = (np.array(level) for level in reference["levels"])
    for level, cov in (("client", client), ("therapist", therapist)):
        row = found.variances.loc[level]
        np.testing.assert_allclose(
            row[["client", "therapist", "cov"]], [cov[0, 0], cov[1, 1], cov[0, 1]], rtol=1e-3
        )
    np.testing.assert_allclose(found.variances.loc["session", ["client", "therapist"]], reference["residual"], rtol=1e-3)  # fmt: skip
    assert found.params["recip_session"] == pytest.approx(reference["residual_cor"], rel=1e-3)


def test_one_rating_each_against_nlme():
    found = methods.one_with_many(PAIRS[PAIRS["session"] == 2], "rating", "role", "therapist", "client")
    reference = REFERENCE["without"]
    assert found.llf == pytest.approx(reference["llf"], abs=1e-5)
    np.testing.assert_allclose(found.params[["mean_client", "mean_therapist"]], reference["mean"], rtol=1e-5)
    np.testing.assert_allclose(
        found.variances.loc["client", ["client", "therapist"]], reference["residual"], rtol=2e-3
    )
    assert found.recip_dyadic == pytest.approx(reference["residual_cor"], rel=2e-3)
    cov = np.array(reference["levels"][0])
    assert found.recip_general == pytest.approx(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]), rel=2e-3)
    assert found.findings[0].code == "few_therapists"
    assert "124 ratings of 69 clients by 14 therapists" in found.summary()


def dense(frame, roots_by_level):
    """-2 restricted log-likelihood from the whole covariance matrix."""
    rows = frame.dropna().reset_index(drop=True)
    r = (rows["role"] == "t").to_numpy().astype(int)
    v = np.zeros((len(rows), len(rows)))
    for keys, cov in roots_by_level:
        same = (rows[keys].to_numpy()[:, None] == rows[keys].to_numpy()[None]).all(axis=2)
        v += same * cov[r[:, None], r[None]]
    x = np.column_stack([1 - r, r]).astype(float)
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    y = rows["y"].to_numpy()
    left = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    return (len(y) - 2) * np.log(2 * np.pi) + np.linalg.slogdet(v)[1] + left @ inverse @ left + np.linalg.slogdet(information)[1]  # fmt: skip


def pairs(seed, therapists=40, clients=6, general=0.5, dyadic=0.4, sessions=1, missing=0.0):
    rng = np.random.default_rng(seed)
    th = np.repeat(np.arange(therapists), clients)
    u = rng.multivariate_normal([0, 0], [[0.3, 0.3 * general], [0.3 * general, 0.3]], therapists)[th]
    p = rng.multivariate_normal([5, 4.6], [[0.7, 0.7 * dyadic], [0.7 * dyadic, 0.7]], len(th))
    rows = []
    for s in range(sessions):
        e = rng.normal(0, 0.4 if sessions > 1 else 0, p.shape)
        for k, role in enumerate("ct"):
            rows.append(
                pd.DataFrame(
                    {"th": th, "cl": np.arange(len(th)), "s": s, "role": role, "y": (u + p + e)[:, k]}
                )
            )
    frame = pd.concat(rows, ignore_index=True)
    frame.loc[rng.random(len(frame)) < missing, "y"] = np.nan
    return frame


def test_the_likelihood_is_that_of_the_whole_matrix():
    frame = pairs(3, 6, 4, sessions=3, missing=0.3)
    found = methods.one_with_many(frame, "y", "role", "th", "cl", "s")
    v = found.variances
    levels = []
    for level, keys in (("therapist", ["th"]), ("client", ["th", "cl"]), ("session", ["th", "cl", "s"])):
        row = v.loc[level]
        levels.append((keys, np.array([[row["c"], row["cov"]], [row["cov"], row["t"]]])))
    assert dense(frame, levels) == pytest.approx(-2 * found.llf, rel=1e-9)


def test_reciprocities_are_recovered_with_their_coverage():
    truth, hits, found, n_sim = {"mean_c": 5.0, "mean_t": 4.6, "recip_dyadic": 0.4}, [], [], 80
    general = []
    for seed in range(n_sim):
        fit = methods.one_with_many(pairs(seed), "y", "role", "th", "cl")
        hits.append(covers(fit, truth))
        found.append(fit.params[list(truth)])
        general.append([fit.recip_general, *fit.conf_int().loc["recip_general"]])
    error = np.std(found, axis=0) / np.sqrt(n_sim)
    assert (np.abs(np.mean(found, axis=0) - list(truth.values())) < 3.5 * error + [0, 0, 0.01]).all()
    check_coverage(hits, n_sim)
    general = np.array(general)
    there = ~np.isnan(general[:, 1])
    assert there.mean() > 0.9
    # Forty therapists: Wald limits on Fisher's scale are approximate.
    assert np.mean((general[there, 1] <= 0.5) & (general[there, 2] >= 0.5)) > 0.85


def test_profile_limits_lie_where_the_deviance_has_risen_by_the_quantile():
    frame = pairs(5, 30, 5)
    found = methods.one_with_many(frame, "y", "role", "th", "cl")
    low, high = found.profile("recip_dyadic")
    wald = found.conf_int().loc["recip_dyadic"]
    np.testing.assert_allclose([low, high], wald, atol=0.03)
    assert low < found.recip_dyadic < high
    low, high = found.profile("recip_general")
    assert -1 <= low < found.recip_general < high <= 1


def test_limits_by_brute_force_where_a_variance_may_go_to_zero():
    # Few therapists who differ little from one side: on the way to the limits this variance may go to zero, where the
    # deviance is flat. Searches without limits ran away from there, or stayed there although the lowest place was elsewhere.
    frame = pairs(30, 8, 5)
    mean = frame.groupby(["role", "th"])["y"].transform("mean")
    frame["y"] -= 0.25 * mean * frame["role"].eq("t")
    found = methods.one_with_many(frame, "y", "role", "th", "cl")
    wide = frame.pivot(index=["cl", "th"], columns="role", values="y").reset_index()
    data = two_scores(*(wide[r].to_numpy(float) for r in "ct"), wide["th"].to_numpy(), (), np.ones((8, 1)))

    def rise(r):
        def deviance(free):
            sd, cor = np.exp(free[:4]).reshape(2, 2), [np.tanh(free[4]), r]
            pair, therapist = (np.outer(s, s) * [[1, c], [c, 1]] for s, c in zip(sd[::-1], cor, strict=True))
            return solve(data, pair, [therapist], reml=True).deviance

        starts = [[-1.0, b, -0.2, -0.2, 0.3] for b in (-0.6, -2.5)]
        options = {"xatol": 1e-3, "fatol": 1e-4}
        ends = [optimize.minimize(deviance, x, method="Nelder-Mead", options=options).fun for x in starts]
        return min(ends) + 2 * found.llf

    low, high = found.profile("recip_general")
    # Limits are looked for to .0005 on Fisher's scale, which changes the deviance by less than .01.
    assert rise(low) == pytest.approx(stats.chi2.ppf(0.95, 1), abs=0.01)
    assert high == 1
    assert rise(0.9999) < stats.chi2.ppf(0.95, 1)


def test_a_variance_of_zero_is_said_and_has_profile_limits():
    frame = pairs(2, 30, 5, general=0)
    frame["y"] -= frame.groupby(["th", "role"])["y"].transform("mean") - frame.groupby("role")["y"].transform(
        "mean"
    )
    found = methods.one_with_many(frame, "y", "role", "th", "cl")
    assert np.isnan(found.recip_general)
    assert np.isnan(found.conf_int().loc["recip_general"]).all()
    assert found.findings[0].message.startswith("At the level of the therapist a variance is zero")
    with pytest.raises(
        DataError, match=r"name is 'x'; profile limits are those of recip_dyadic or recip_general\."
    ):
        found.profile("x")


def test_the_order_of_rows_changes_nothing():
    frame = pairs(4, missing=0.1)
    a = methods.one_with_many(frame, "y", "role", "th", "cl")
    b = methods.one_with_many(frame.sample(frac=1, random_state=2), "y", "role", "th", "cl")
    np.testing.assert_allclose(a.params.sort_index().to_numpy(), b.params.sort_index().to_numpy(), rtol=1e-4)


C, P = couples(7, 10), pairs(1, 6, 4)
AP = {"y": "y", "x": "x", "partner_x": "px", "person": "who", "case": "couple"}
OM = {"rating": "y", "role": "role", "therapist": "th", "client": "cl"}
TB = {"judgment": "therapist", "truth": "client"}


@pytest.mark.parametrize(
    ("call", "frame", "given", "message"),
    [
        ("actor_partner", C, {"x": "xx"}, "The frame has no column 'xx'. Did you mean 'x'?"),
        ("actor_partner", C, {"partner_x": "x"}, "Column 'x' is named twice in the arguments. Name it once."),
        ("actor_partner", C.assign(who="w"), {}, "10 rows repeat a couple and who that another row has, such as couple 0 at who 0. Keep one row for each."),
        ("actor_partner", C.assign(who=range(20), r="w"), {"role": "r"}, "Column 'r' holds one role only. Leave role out."),
        ("actor_partner", C.assign(couple=range(20)), {}, "No couple has two members with all values. Actor and partner effects need pairs."),
        ("actor_partner", C.assign(px=-C["x"]), {}, "'x' and 'px' determine each other. Their effects cannot be separated."),
        ("actor_partner", C.assign(y=1.0), {}, "All values of 'y' are equal. Actor and partner effects need values that differ between persons."),
        ("actor_partner", C.assign(y=C["y"].where(C["who"].eq("w") | C["couple"].lt(1))), {"role": "who"}, "Too few persons of one who have all values. Leave role out, or give more cases."),
        ("actor_partner", C.head(4), {}, "4 rows have a value in each of 'y', 'x' and 'px'. At least 6 are needed."),
        ("one_with_many", P, {"rating": "z"}, "The frame has no column 'z'. There are: th, cl, s, role, y."),
        ("one_with_many", P.assign(role="c"), {}, "Column 'role' holds 1 roles. One with many needs two: who rates."),
        ("one_with_many", pd.concat([P, P.tail(1)]), {}, "1 rating repeats a role of one cl. Keep one, or name the column of sessions."),
        ("one_with_many", pd.concat([P, P.tail(2)]), {"session": "s"}, "2 ratings repeat a role of one cl and s. Keep one."),
        ("one_with_many", P.assign(cl=P["cl"] % 4), {}, "A cl has several values of 'th'. Where ids start again at each th, join both columns first."),
        ("one_with_many", P[P["th"] < 2], {}, "There are 2 ths with ratings. At least three are needed."),
        ("one_with_many", P, {"session": "s"}, "Too few ratings from both sides: no cl with several sessions rated by both. Check the column of roles."),
        ("one_with_many", P[P["role"].eq("c") | P["cl"].eq(1)], {}, "Too few ratings from both sides: no th with several cls rated by both. Check the column of roles."),
        ("truth_and_bias", TRACKING, {"truth": "clients"}, "The frame has no column 'clients'. Did you mean 'client'?"),
        ("truth_and_bias", TRACKING.assign(client=5.0), {}, "All values of 'client' are equal. Nobody can follow a truth that does not change."),
        ("truth_and_bias", TRACKING.assign(therapist=5.0), {}, "All values of 'therapist' are equal. A judgment that never changes follows nothing."),
        ("truth_and_bias", TRACKING.assign(time=1), {"time": "time"}, "All values of 'time' are equal. Leave time out."),
        ("truth_and_bias", TRACKING.assign(time=TRACKING["client"]), {"time": "time"}, "Truth and time determine each other. Leave time out, or give more rows."),
        ("truth_and_bias", TRACKING.assign(client=TRACKING["person"]), {"person": "person"}, "Column 'person' is named twice"),
        ("truth_and_bias", TRACKING.assign(client=1.0 * TRACKING["person"]), {"person": "person"}, "The truth does not vary within persons. Leave person out, or average each person's rows."),
        ("truth_and_bias", TRACKING.assign(client=TRACKING["client"] - TRACKING.groupby("person")["client"].transform("mean")), {"person": "person"}, "The truth does not vary between persons. Leave person out, or average each person's rows."),
        ("truth_and_bias", TRACKING.head(3), {}, "3 rows have a value in each of 'therapist' and 'client'. At least 4 are needed."),
        ("truth_and_bias", TRACKING.assign(therapist=2 * TRACKING["client"]), {"person": "person"}, "The judgments of persons with several rows cannot be modelled: "),
    ],
)  # fmt: skip
def test_what_is_refused(call, frame, given, message):
    good = {"actor_partner": AP, "one_with_many": OM, "truth_and_bias": TB}[call]
    if "named twice" in message and call == "truth_and_bias":
        given = {"truth": "person", "person": "person"}
    with pytest.raises(DataError) as caught:
        getattr(methods, call)(frame, **(good | given))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("sessions", [False, True])
def test_the_likelihood_at_many_covariances_is_that_at_each(sessions: bool) -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 96))
    first[3] = second[7] = second[50] = np.nan
    client, therapist = np.arange(96) // 2, np.arange(48) // 4
    lowest, parents = (client, (therapist,)) if sessions else (therapist[client], ())
    data = two_scores(first, second, lowest, parents, np.column_stack([np.ones(12), np.arange(12)]))
    roots = rng.normal(size=(7, 2 + sessions, 2, 2))
    covs = roots @ np.swapaxes(roots, -1, -2) + 0.1 * np.eye(2)
    covs[2, 0] = [[1.0, 2.0], [2.0, 1.0]]  # no covariance
    found = deviances(data, covs[:, 0], [covs[:, k] for k in range(1, covs.shape[1])])
    expected = [solve(data, c[0], list(c[1:]), reml=True).deviance for c in covs]
    assert expected[2] == np.inf
    np.testing.assert_allclose(found, expected, rtol=1e-12)
