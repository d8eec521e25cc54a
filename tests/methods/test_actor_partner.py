"""Actor and partner effects with covariates, therapists and missing members: lme4, lavaan, brute force, and simulated truth."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError, FitError

FOLDER = Path(__file__).parents[1] / "reference"
REFERENCE = json.loads((FOLDER / "dyads_fiml.json").read_text(encoding="utf-8"))
COUPLES = pd.read_csv(FOLDER / "small" / "couples.csv")
WHOLE = pd.read_csv(FOLDER / "small" / "couples_whole.csv")
#: Who is a person: the rows of a case are different people.
ASK = {"y": "y", "x": "x", "partner_x": "partner", "person": "person", "case": "case", "covariates": "c"}


def people(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(person=frame["role"])


def test_a_therapist_level_is_that_of_lme4():
    found = methods.actor_partner(people(WHOLE), **ASK, group="therapist")
    wanted = REFERENCE["mixed"]
    np.testing.assert_allclose(found.params.to_numpy(), wanted["est"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.bse.to_numpy(), wanted["se"], rtol=1e-4)
    assert found.llf == pytest.approx(wanted["llf"], abs=1e-5)
    sd = {row["grp"]: row["sdcor"] for row in wanted["sd"]}
    assert found.group_sd == pytest.approx(sd["therapist"], rel=1e-3)
    assert found.sigma == pytest.approx(np.hypot(sd["case"], sd["Residual"]), rel=1e-4)
    assert found.rho == pytest.approx(sd["case"] ** 2 / (sd["case"] ** 2 + sd["Residual"] ** 2), rel=1e-3)
    assert list(found.params.index) == ["intercept", "actor", "partner", "c"]


def dense(theta: np.ndarray, frame: pd.DataFrame) -> float:
    """-2 restricted log-likelihood of the model by role with therapists, by one dense covariance matrix."""
    s1, s2, rho, tau = np.exp(theta[0]), np.exp(theta[1]), np.tanh(theta[2]), np.exp(theta[3])
    first = (frame["role"] == "a").to_numpy(float)
    sd = np.where(first == 1, s1, s2)
    same = frame["case"].to_numpy()[:, None] == frame["case"].to_numpy()
    v = np.where(same, rho, 0.0) * np.outer(sd, sd)
    v[np.diag_indices(len(v))] = sd**2
    v += tau**2 * (frame["therapist"].to_numpy()[:, None] == frame["therapist"].to_numpy())
    plain = np.column_stack([np.ones(len(frame)), frame[["x", "partner", "c"]]])
    x = np.column_stack([plain[:, [k]] * np.column_stack([first, 1 - first]) for k in range(4)])
    inner = np.linalg.solve(v, np.column_stack([x, frame["y"]]))
    xx, xy = x.T @ inner[:, :-1], x.T @ inner[:, -1]
    rest = frame["y"].to_numpy() - x @ np.linalg.solve(xx, xy)
    n, p = x.shape
    return float(
        np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(xx)[1]
        + rest @ np.linalg.solve(v, rest)
        + (n - p) * np.log(2 * np.pi)
    )


def test_roles_and_therapists_have_the_lowest_criterion_of_a_dense_matrix():
    frame = people(WHOLE[WHOLE["case"] <= 60]).reset_index(drop=True)
    found = methods.actor_partner(frame, **ASK, role="role", group="therapist")
    at = [*np.log(found.sigma.to_numpy()), np.arctanh(found.rho), np.log(found.group_sd)]
    assert dense(np.array(at), frame) == pytest.approx(-2 * found.llf, abs=1e-6)
    best = optimize.minimize(dense, at, args=(frame,), method="Nelder-Mead", options={"maxiter": 400})
    assert best.fun > -2 * found.llf - 1e-4
    assert found.distinguishable is not None
    assert found.distinguishable.df == 5  # intercept, actor, partner, the covariate, the variance


@pytest.mark.parametrize(("role", "name"), [("role", "apart"), (None, "alike")])
def test_full_information_is_that_of_lavaan(role, name):
    found = methods.actor_partner(people(COUPLES), **ASK, role=role, missing="fiml")
    wanted = REFERENCE[name]
    p = len(found.params)
    np.testing.assert_allclose(found.params.to_numpy(), wanted["est"][:p], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.bse.to_numpy(), wanted["se"][:p], rtol=1e-3)
    assert found.llf == pytest.approx(wanted["llf"], abs=1e-4)
    variances = wanted["est"][p:-1]
    np.testing.assert_allclose(np.atleast_1d(found.sigma) ** 2, variances, rtol=1e-3)
    assert found.rho == pytest.approx(wanted["est"][-1] / np.sqrt(variances[0] * variances[-1]), rel=1e-3)
    if role:
        assert found.distinguishable.chi2 == pytest.approx(REFERENCE["ratio"], abs=1e-3)
        assert found.distinguishable.df == 5
        assert list(found.actor.index) == ["a", "b"]


def test_errors_by_therapist_are_those_of_lavaan():
    found = methods.actor_partner(people(COUPLES), **ASK, role="role", group="therapist", missing="fiml")
    wanted = REFERENCE["by_therapist"]
    np.testing.assert_allclose(found.bse.to_numpy(), wanted["se"][:8], rtol=1e-4)
    assert found.dof == 23
    np.testing.assert_allclose(found.params.to_numpy(), wanted["est"][:8], rtol=1e-4, atol=1e-5)


def test_errors_for_few_groups_are_those_of_leaving_each_out():
    """One Newton step from the estimates is close to a new fit without the therapist."""
    frame = people(COUPLES)
    found = methods.actor_partner(frame, **ASK, group="therapist", missing="fiml", few=True)
    groups = frame["therapist"].unique()
    fits = [
        methods.actor_partner(frame[frame["therapist"] != j], **ASK, missing="fiml").params for j in groups
    ]
    off = np.array([fit - found.params for fit in fits])
    refitted = np.sqrt((off**2).sum(axis=0) * (len(groups) - 1) / len(groups))
    np.testing.assert_allclose(found.bse.to_numpy(), refitted, rtol=0.04)
    np.testing.assert_allclose(found.bse[["actor", "partner"]], refitted[1:3], rtol=0.01)
    assert found.dof == 23


def test_one_group_cannot_be_left_out():
    one = people(COUPLES).assign(therapist="t")
    with pytest.raises(
        FitError, match=re.escape("Without one of the groups the model cannot be fitted. Give more")
    ):
        methods.actor_partner(one, **ASK, group="therapist", missing="fiml", few=True)


def test_errors_for_few_cases_count_the_coefficients():
    plain = methods.actor_partner(people(COUPLES), **ASK, role="role", missing="fiml")
    few = methods.actor_partner(people(COUPLES), **ASK, role="role", missing="fiml", few=True)
    wide = COUPLES.pivot(index="case", columns="role", values="y")
    both = int(wide.notna().all(axis=1).sum())
    np.testing.assert_allclose(few.bse, plain.bse * np.sqrt(both / (both - 4)))
    assert few.dof == both - 4
    assert plain.dof == np.inf
    chi2, df, _ = plain.distinguishable
    assert few.distinguishable_few.chi2 == pytest.approx(
        chi2 * (1 - 5 / both)
    )  # four coefficients, half of two roles
    assert few.distinguishable_few.p == pytest.approx(stats.chi2.sf(chi2 * (1 - 5 / both), df))


def test_with_all_values_full_information_is_maximum_likelihood():
    """The order of persons without roles does not matter; with all values the estimates are close to those of REML."""
    frame = people(WHOLE)
    swapped = frame.sort_values(["case", "role"], ascending=[True, False])
    one = methods.actor_partner(frame, **ASK, missing="fiml")
    two = methods.actor_partner(swapped, **ASK, missing="fiml")
    np.testing.assert_allclose(one.params, two.params, atol=1e-6)
    reml = methods.actor_partner(frame, **ASK)
    np.testing.assert_allclose(one.params, reml.params, atol=0.01)
    np.testing.assert_allclose(one.bse, reml.bse, rtol=0.05)


def test_outcomes_missing_by_the_other_member_s_outcome_bias_neither():
    """Missing at random by what is observed of the case: rows are likelihood too, as long as the ratings are there. Ten sets."""
    found = {"listwise": [], "fiml": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 300)
        y = 0.5 * x + 0.2 * x[:, ::-1] + rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 300)
        frame = pd.DataFrame(
            {
                "case": np.repeat(np.arange(300), 2),
                "person": np.tile(["a", "b"], 300),
                "x": x.ravel(),
                "p": x[:, ::-1].ravel(),
                "y": y.ravel(),
            }
        )
        frame.loc[(frame["person"] == "b") & np.repeat(y[:, 0] < -0.3, 2), "y"] = np.nan
        for missing, values in found.items():
            fit = methods.actor_partner(
                frame, "y", "x", "p", "person", "case", role="person", missing=missing
            )
            values.append([fit.params["intercept_b"], fit.actor["b"], fit.partner["b"]])
    mean = {k: np.mean(v, axis=0) for k, v in found.items()}
    np.testing.assert_allclose(mean["fiml"], [0, 0.5, 0.2], atol=0.06)
    np.testing.assert_allclose(mean["listwise"], [0, 0.5, 0.2], atol=0.06)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"missing": "drop"}, "missing is 'drop'. It is 'listwise' or 'fiml'."),
        ({"therapist": range(len(WHOLE))}, {"group": "therapist"}, "A case lies in more than one therapist. Give each case one therapist."),
        ({"c": WHOLE["x"]}, {}, "'x' and 'partner' determine each other or a covariate. Their effects cannot be separated."),
        ({"y": 1.0}, {"missing": "fiml"}, "All values of 'y' are equal."),
        ({"case": WHOLE["case"] % 40, "person": range(len(WHOLE)), "role": "a"}, {"missing": "fiml"}, "missing='fiml' needs cases of two members."),
        ({"y": WHOLE["y"].where(WHOLE["case"] > 116)}, {"missing": "fiml"}, "Fewer than six cases have the outcomes of both members."),
    ],
)  # fmt: skip
def test_what_cannot_be_answered(change, options, message):
    frame = people(WHOLE).assign(**change)
    with pytest.raises(DataError, match=re.escape(message)):
        methods.actor_partner(frame, **ASK, **options)
