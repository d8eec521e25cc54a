"""Every sentence by which a generalised model is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from inside.engine_families import Criterion, covariance_of_params, search, words
from inside.engine_generalised_fit import generalised_fit as fitting


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    n = 120
    data = pd.DataFrame({"g": np.repeat([f"g{i}" for i in range(20)], 6), "x": rng.normal(size=n)})
    data["h"] = np.repeat([f"h{i}" for i in range(5)], 24)
    data["item"] = np.tile(list("abcdef"), 20)
    data["y"] = rng.integers(0, 2, n)
    data["trials"] = 4.0
    data["share"] = rng.integers(0, 5, n) / 4
    data["count"] = rng.poisson(2, n)
    data["grade"] = rng.integers(1, 4, n)
    data["arm"] = np.where(np.arange(n) % 3 == 0, "b", "a")
    return data


def model(frame, formula="y ~ x + (1 | g)", family="binomial", **options):
    return al.MixedModel.from_formula(formula, frame, family=family, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"family": "binomail"},
            r"family='binomail' is not available.*'ordinal'\. Did you mean 'binomial'\?",
        ),
        (
            {"family": "gaussian", "link": "log"},
            r"link='log' is not available for family='gaussian'.*identity link",
        ),
        (
            {"link": "probit"},
            r"link='probit' is not available for family='binomial'; there is 'logit' and 'cloglog'",
        ),
        (
            {"family": "poisson", "link": "logit"},
            r"link='logit' is not available for family='poisson'; there is 'log'",
        ),
        (
            {"family": "poisson", "weights": "trials"},
            r"weights='trials' are numbers of trials.*offset='\.\.\.' with its log",
        ),
        ({"residual": "AR1"}, r"residual='AR1' belongs to linear mixed models"),
        (
            {"formula": "count ~ x + (1 | g)"},
            r"must be 0 or 1; 'count' is not in \d+ rows, first in row \d+ \(\d+\)",
        ),
        (
            {"formula": "share ~ x + (1 | g)"},
            r"must be 0 or 1; 'share' is not in.*weights='\.\.\.' with the number of trials",
        ),
        (
            {"formula": "x ~ 1 + (1 | g)", "weights": "trials"},
            r"share of successes; 'x' times the number of trials is not a whole number.*Divide",
        ),
        (
            {"formula": "x ~ 1 + (1 | g)", "family": "poisson"},
            r"whole numbers from 0; 'x' is not in 120 rows.*offset",
        ),
        (
            {"formula": "x ~ 1 + (1 | g)", "family": "ordinal"},
            r"ordered categorical or whole numbers; 'x' is not",
        ),
        (
            {"formula": "y ~ 1 + (1 | g)", "family": "ordinal"},
            r"'y' has 2 categories in the data; it needs at least 3",
        ),
    ],
)
def test_options_and_responses_that_do_not_go_together(frame, options, message):
    with pytest.raises(al.FitError, match=message):
        model(frame, **options)


def test_responses_without_any_difference(frame):
    with pytest.raises(al.FitError, match="The response 'y' is 1 in every row"):
        model(frame.assign(y=1))
    with pytest.raises(al.FitError, match="The response 'y' is 0 in every row"):
        model(frame.assign(y=0))
    with pytest.raises(al.FitError, match="The counts 'count' are 0 in every row"):
        model(frame.assign(count=0), "count ~ x + (1 | g)", "negative-binomial")
    with pytest.raises(al.FitError, match="'grade' has 1 category in the data"):
        model(frame.assign(grade=2), "grade ~ x + (1 | g)", "ordinal")


def test_trials_that_are_not_whole_and_categories_without_order(frame):
    odd = frame.assign(trials=frame["trials"].mask(frame.index == 3, 2.5))
    with pytest.raises(
        al.FitError, match=r"trials in 'trials' must be whole; 1 are not, the first in row 3 \(2.5\)"
    ):
        model(odd, "share ~ x + (1 | g)", weights="trials")
    with pytest.raises(
        al.FormulaError, match=r"categories of 'arm' have no order \(a, b\).*ordered categorical"
    ):
        model(frame.assign(arm=frame["arm"].astype("category")), "arm ~ x + (1 | g)", "ordinal")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reml": True}, r"no restricted likelihood \(REML\).*fitted by maximum likelihood"),
        ({"df": "kenward-roger"}, r"df='kenward-roger' belongs to linear mixed models.*method='bootstrap'"),
        ({"cov_type": "CR2"}, r"cov_type='CR2' is not available for generalised models"),
        ({"n_agq": 8}, r"n_agq=8 is not available; the number of nodes is odd, from 1 .* to 51"),
        ({"n_agq": 0}, r"n_agq=0 is not available"),
        ({"n_agq": 53}, r"n_agq=53 is not available"),
        ({"n_agq": 3.0}, r"n_agq=3.0 is not available"),
    ],
)
def test_options_of_the_fit(frame, options, message):
    with pytest.raises(al.FitError, match=message):
        model(frame).fit(**options)


@pytest.mark.parametrize(
    "formula", ["y ~ x + (1 + x | g)", "y ~ x + (1 | g) + (1 | item)", "y ~ x + (1 || g) + (0 + x | g)"]
)
def test_quadrature_of_slopes_and_crossed_groupings_is_refused(frame, formula):
    with pytest.raises(
        al.FitError, match=r"n_agq=5 is for one random effect over one grouping.*Fit with n_agq=1"
    ):
        model(frame, formula).fit(n_agq=5)


def test_multiple_membership_is_refused(frame):
    stated = model(frame)
    factor = stated.design.factors[0]
    several = replace(factor, codes=np.stack([factor.codes, factor.codes[::-1]], axis=1))
    with pytest.raises(al.FitError, match="Multiple membership is not available for generalised models"):
        replace(stated, design=replace(stated.design, factors=(several,))).fit()


def test_designs_that_cannot_be_fitted(frame):
    own = frame.assign(row=[f"r{i}" for i in range(len(frame))])
    with pytest.raises(
        al.FitError, match=r"\(Intercept \| row\) has 120 random effects for 120 rows; one response"
    ):
        model(own, "y ~ x + (1 | row)").fit()
    few = frame.iloc[[0, 6, 12]].assign(grade=[1, 2, 3])
    with pytest.raises(
        al.FitError, match="3 complete rows are too few to estimate 3 fixed effects and thresholds"
    ):
        model(few, "grade ~ x + (1 | g)", "ordinal").fit()
    with pytest.raises(al.FitError, match="random effects over 'g' are linearly dependent: I"):
        model(frame, "y ~ x + (1 + x + I(2 * x) | g)").fit()
    with pytest.raises(al.FitError, match="'h' has one level only"):
        model(frame.assign(h="one"), "y ~ x + (1 | h)").fit()


def test_a_term_that_separates_the_responses_is_named(frame):
    separated = frame.assign(y=np.where(frame["arm"] == "b", 0, frame["y"]))
    stated = model(separated, "y ~ x + arm + (1 | g)")
    with pytest.raises(al.FitError, match=r"estimate of 'arm\[T.b\]' goes to infinity, because it separates"):
        stated.fit()
    loose = stated.fit(require_certificate=False)
    assert not loose.converged
    assert loose.convergence.startswith("The estimate of 'arm[T.b]' goes to infinity")
    found = {f.code: f for f in loose.findings}
    assert found["separation"].severity == "failed"
    assert found["separation"].where == "arm[T.b]"


def test_separation_is_seen_in_counts_in_categories_and_in_pairs_of_terms(frame):
    counts = frame.assign(count=np.where(frame["arm"] == "b", 0, frame["count"]))
    with pytest.raises(al.FitError, match=r"estimate of 'arm\[T.b\]' goes to infinity"):
        model(counts, "count ~ x + arm + (1 | g)", "poisson").fit()
    graded = frame.assign(grade=np.digitize(frame["x"], [-0.5, 0.5]))
    with pytest.raises(al.FitError, match="estimate of 'x' goes to infinity"):
        model(graded, "grade ~ x + (1 | g)", "ordinal").fit()
    # Alone, the dose separates the grades: thresholds and estimate go down together. What adds to it is not named.
    dose = np.where(frame["arm"] == "b", 2.0, 1.0)
    lowest = frame.assign(
        dose=dose,
        more=(dose == 2) * np.where(frame.index % 2, 1.0, -0.25),
        grade=np.where(dose == 2, 1, frame["grade"]),
    )
    with pytest.raises(al.FitError, match="estimate of 'dose' goes to infinity, because it separates"):
        model(lowest, "grade ~ dose + more + (1 | g)", "ordinal").fit()
    z = np.random.default_rng(1).normal(size=len(frame))
    both = frame.assign(z=z, y=(frame["x"] + 2 * z > 0).astype(int))
    with pytest.raises(
        al.FitError, match="estimate of 'x' and 'z' goes to infinity, because their combination"
    ):
        model(both, "y ~ x + z + (1 | g)").fit()


def test_extreme_values_leave_no_likelihood(frame):
    huge = frame.assign(known=np.where(frame.index == 0, 800.0, 0.0))
    with pytest.raises(al.FitError, match="likelihood cannot be computed even without random effects"):
        model(huge, "count ~ x + (1 | g)", "poisson", offset="known").fit()


def test_a_search_without_a_certified_optimum_is_an_error_unless_asked_for(frame, monkeypatch):
    stated = model(frame)

    def stopped(criterion, face, fixed):
        record = search(criterion, face, fixed)
        certificate = replace(record.best.certificate, descent=-0.1)
        return replace(record, best=replace(record.best, certificate=certificate))

    monkeypatch.setattr(fitting, "search", stopped)
    with pytest.raises(
        al.FitError,
        match=r"No optimum could be verified after \d+ evaluations \(Newton.*off the boundary -0.1\)",
    ):
        stated.fit()
    loose = stated.fit(require_certificate=False)
    assert not loose.converged
    with pytest.raises(al.FitError, match="Profile intervals need a verified optimum"):
        loose.conf_int(method="profile")
    assert "not_converged" in {f.code for f in loose.findings}


def test_modes_that_are_not_found_and_a_flat_likelihood_are_said(frame):
    fit = model(frame).fit().fit
    criterion = Criterion(fit.problem, 1)
    lost = replace(fit.record.best.certificate, decrement=np.inf)
    record = replace(fit.record, best=replace(fit.record.best, value=np.inf, certificate=lost))
    assert words.convergence(fit.design, record).startswith("The search for the random effects' modes failed")
    flat = replace(fit.problem, x=np.column_stack([fit.problem.x, fit.problem.x[:, 0]]))
    params = np.insert(fit.record.best.params, 2, 0.0)
    criterion = Criterion(flat, 1)
    with pytest.raises(
        al.FitError, match="likelihood is flat in some direction of the parameters, so there are no standard"
    ):
        covariance_of_params(criterion.hessian(fit.record.best.face, params))


def test_other_questions_are_refused_with_the_reason(frame):
    one = model(frame).fit()
    small = model(frame, "y ~ 1 + (1 | g)").fit()
    with pytest.raises(
        al.FitError, match=r"different families or links \(binomial, cloglog; binomial, logit\)"
    ):
        one.lrt(model(frame, "y ~ 1 + (1 | g)", link="cloglog").fit())
    with pytest.raises(al.FitError, match="approximated with 3 and 1 nodes"):
        one.lrt(model(frame, "y ~ 1 + (1 | g)").fit(n_agq=3))
    with pytest.raises(al.FitError, match=r"not fitted to the same rows \(114 and 120\)"):
        one.lrt(model(frame.iloc[6:], "y ~ 1 + (1 | g)").fit())
    with pytest.raises(al.FitError, match="the same number of parameters"):
        one.lrt(model(frame, "y ~ I(x**2) + (1 | g)").fit())
    with pytest.raises(al.FitError, match="not nested: each has a term"):
        model(frame, "y ~ x + I(x**2) + (1 | g)").fit().lrt(model(frame, "y ~ arm + (1 | g)").fit())
    with pytest.raises(al.FitError, match="method='likelihood' is not available for generalised models"):
        small.conf_int(method="likelihood")
    with pytest.raises(
        al.FitError, match=r"There is no parameter 'z' to profile. There are: Intercept, sd\(Intercept\)\|g"
    ):
        small.conf_int(method="profile", which=["z"])
    with pytest.raises(al.FitError, match="scale='odds' is not available; there is 'response' and 'linear'"):
        small.predict(scale="odds")
    with pytest.raises(al.FitError, match="number of draws must be at least 1, not 0"):
        small.simulate(0)
    with pytest.raises(al.FitError, match="at least 2 replicates, not 1"):
        small.bootstrap(1)
