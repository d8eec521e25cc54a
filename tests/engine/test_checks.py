"""Bad input gets a sentence; trouble in data or fit becomes a finding."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.counts import Outsiders
from alliance_longitudinal.sentences import for_outsiders
from engine.designs import three_levels


@pytest.fixture
def frame():
    return three_levels(2)


def fit(formula, frame, **options):
    return al.MixedModel.from_formula(formula, frame, **options).fit()


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        (
            "y ~ weak + (1 | outer)",
            al.FormulaError,
            r"Column 'weak' .* is not in the data. Did you mean 'week'",
        ),
        ("y ~ week + (1 | outre)", al.FormulaError, r"Column 'outre' .* Did you mean 'outer'"),
        ("z ~ week + (1 | outer)", al.FormulaError, r"Column 'z' .* There are: outer, unique,"),
        (
            "unique ~ week + (1 | outer)",
            al.FormulaError,
            r"response 'unique' is not numeric; its first value is '0-0'",
        ),
        ("y ~ 0 + (1 | outer)", al.FormulaError, r"fixed part of .* has no column"),
        ("y ~ week + (0 | outer)", al.FormulaError, r"random term over 'outer' has no effect"),
        (
            "y ~ nosuch(week) + (1 | outer)",
            al.FormulaError,
            r"nosuch\(\) is not a function that formulas know",
        ),
        (
            "y ~ np.log(unique) + (1 | outer)",
            al.FormulaError,
            r"part 'np.log\(unique\)' of the formula cannot be comp",
        ),
        ("y ~ week * ) + (1 | outer)", al.FormulaError, r"This '\)' closes nothing"),
        ("y ~ week ** + (1 | outer)", al.FormulaError, r"part 'week \*\*' of the formula cannot be read"),
        (
            "y ~ week + (1 + unique || outer)",
            al.FormulaError,
            r"'\|\|' over 'outer' cannot split .* 'unique'",
        ),
        ("y ~ week + (1 | one)", al.FitError, r"grouping 'one' has one level only"),
        ("y ~ week + (1 | row)", al.FitError, r"\(Intercept \| row\) has \d+ random effects for \d+ rows"),
        ("y ~ week + (1 + week + rating + w | unique)", al.FitError, r"has \d+ random effects for \d+ rows"),
        (
            "y ~ week + (1 | outer) + (1 + week | outer)",
            al.FitError,
            r"effect 'Intercept' varies over 'outer' in two",
        ),
        (
            "y ~ week + (1 | outer) + (1 | same)",
            al.FitError,
            r"'outer' and 'same' divide the rows in the same way",
        ),
        (
            "y ~ week + (1 + week + twice | outer)",
            al.FitError,
            r"linearly dependent: twice is constant zero or a comb",
        ),
        ("flat ~ week + (1 | outer)", al.FitError, r"response has the same value, 3, in all \d+ rows"),
        ("twice ~ week + (1 | outer)", al.FitError, r"fixed part predicts the response exactly"),
        ("steps ~ 1 + (1 | unique)", al.FitError, r"residual variance goes to zero"),
    ],
)
def test_a_model_that_cannot_be_is_refused(frame, formula, error, message):
    frame = frame.assign(
        one="a", row=range(len(frame)), same=frame["outer"] + 100, twice=2 * frame["week"], flat=3.0
    )
    frame["steps"] = frame.groupby("unique").ngroup().astype(float) ** 2
    with pytest.raises(error, match=message):
        fit(formula, frame)


def test_values_that_are_not_finite_are_counted_and_shown(frame):
    frame.loc[[3, 7], "rating"] = np.inf
    with pytest.raises(
        al.FitError, match=r"'rating' has 2 values that are not finite; the first is inf in row 3"
    ):
        fit("y ~ rating + (1 | outer)", frame)
    frame["rating"] = 1.0
    frame.loc[4, "rating"] = -1.0
    with (
        pytest.raises(
            al.FitError, match=r"'np.log\(rating\)' has 1 value that is not finite; the first is nan in row 4"
        ),
        np.errstate(invalid="ignore"),
    ):
        fit("y ~ np.log(rating) + (1 | outer)", frame)


def test_weights_must_be_positive(frame):
    frame.loc[5, "w"] = 0
    with pytest.raises(
        al.FitError, match=r"weights in 'w' must be above zero; 1 are not, the first in row 5"
    ):
        fit("y ~ week + (1 | outer)", frame, weights="w")


def test_too_few_rows(frame):
    with pytest.raises(al.FitError, match=r"3 complete rows are too few to estimate 3 fixed effects"):
        fit("y ~ week + w + (1 | outer)", frame.iloc[[0, 1, 10]])
    with pytest.raises(al.FitError, match=r"No row has a value .* Column 'rating' has no value at all"):
        fit("y ~ rating + (1 | outer)", frame.assign(rating=np.nan))
    with pytest.raises(al.FitError, match="must be a pandas DataFrame, not dict"):
        fit("y ~ rating + (1 | outer)", {"y": [1]})
    doubled = pd.concat([frame, frame[["week"]]], axis=1)
    with pytest.raises(al.FormulaError, match="Column 'week' occurs 2 times"):
        fit("y ~ week + (1 | outer)", doubled)


def test_ids_that_start_again_are_refused_with_the_two_ways_to_write_it(frame):
    with pytest.raises(al.FitError) as caught:
        fit("y ~ week + (1 | outer) + (1 | inner)", frame)
    assert "start again at 0 within the levels of 'outer'" in str(caught.value)
    assert "(1 | outer/inner)" in str(caught.value)
    assert "crossed=True" in str(caught.value)
    assert fit("y ~ week + (1 | outer) + (1 | inner)", frame, crossed=True).converged
    assert fit("y ~ week + (1 | outer) + (1 | unique)", frame).converged


def test_one_row_a_pair_is_a_crossed_design_and_not_refused():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        [(p, s, p % 3 + s + rng.normal()) for p in range(12) for s in range(6)], columns=["p", "s", "y"]
    )
    assert fit("y ~ 1 + (1 | p) + (1 | s)", frame).groups == ("p", "s")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m: m.fit(df="kenward"),
            r"df='kenward' is not available; there is 'satterthwaite', 'kenward-roger' and 'normal'",
        ),
        (lambda m: m.fit(df="satterthwait"), r"Did you mean 'satterthwaite'\?"),
        (
            lambda m: m.fit(cov_type="CR3"),
            r"cov_type='CR3' is not available; there is 'model', 'CR0' and 'CR2'",
        ),
        (
            lambda m: m.fit().conf_int(method="profil"),
            r"method='profil' is not available; .*Did you mean 'profile'\?",
        ),
        (lambda m: m.fit().bootstrap(1), r"needs at least 2 replicates, not 1"),
        (lambda m: m.fit().simulate(0), r"number of draws must be at least 1, not 0"),
    ],
)
def test_an_option_of_a_later_version_is_named(frame, call, message):
    with pytest.raises(al.FitError, match=message):
        call(al.MixedModel.from_formula("y ~ week + (1 | outer)", frame))


def test_a_family_or_residual_that_there_is_not_is_named(frame):
    with pytest.raises(
        al.FitError, match=r"family='binomal' is not available; there is 'gaussian'.*mean 'binomial'"
    ):
        fit("y ~ week + (1 | outer)", frame, family="binomal")
    with pytest.raises(al.FitError, match="residual='AR1' is not available"):
        fit("y ~ week + (1 | outer)", frame, residual="AR1")


def test_dropped_rows_dropped_columns_and_few_levels_are_findings(frame):
    frame.loc[[1, 4, 6], "rating"] = np.nan
    before = frame.copy()
    res = fit(
        "y ~ week + rating + twice + (1 | outer) + (1 | item)",
        frame.assign(twice=2 * frame["week"]),
        crossed=True,
    )
    pd.testing.assert_frame_equal(frame, before)
    assert list(res.params.index) == ["Intercept", "week", "rating"]
    found = {f.code: f for f in res.findings}
    assert found["rows_dropped"].message.startswith(f"3 of {len(frame)} rows have a missing value")
    assert found["rank_deficient"].message.endswith("are left out: twice.")
    assert found["few_levels"].where == "item"
    assert "item has 4 levels. Fewer than 5" in found["few_levels"].message
    assert res.n_dropped == 3
    assert "(3 left out for missing values)" in res.summary()
    assert all(f.message in res.summary() for f in res.findings)


def test_outsiders_read_no_small_count_in_findings(frame):
    frame.loc[[1, 4, 6], "rating"] = np.nan
    res = fit("y ~ week + rating + (1 | outer) + (1 | item)", frame, crossed=True)
    found = {f.code: for_outsiders(f.message, Outsiders(10)) for f in res.findings}
    assert found["rows_dropped"].startswith("Fewer than 10 of about ")
    assert found["rows_dropped"].endswith("left out (missing: rating in fewer than 10 rows).")
    assert found["few_levels"].startswith("item has fewer than 10 levels. Fewer than 5 are too few")


def test_units_in_several_groups_are_a_finding(frame):
    frame.loc[frame["unique"] == frame["unique"].iloc[0], "outer"] = [0, 1, 1, 1, 1, 1][
        : (frame["unique"] == "0-0").sum()
    ]
    res = fit("y ~ week + (1 | outer) + (1 | unique)", frame)
    message = next(f.message for f in res.findings if f.code == "partly_crossed")
    assert message.startswith(
        f"1 of {frame['unique'].nunique()} levels of unique occurs in more than one level of outer"
    )


def test_a_fit_that_is_not_certified_is_an_error_unless_asked_for(frame):
    frame["steps"] = frame.groupby("unique").ngroup().astype(float) ** 2
    model = al.MixedModel.from_formula("steps ~ 1 + (1 | unique)", frame)
    loose = model.fit(require_certificate=False)
    assert not loose.converged
    assert "failed" in {f.severity for f in loose.findings}
    assert "residual variance goes to zero" in loose.convergence


def test_more_correlated_effects_than_memory_holds_are_refused():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(900, 15)), columns=[f"v{i}" for i in range(15)])
    frame = frame.assign(g=np.repeat(np.arange(30), 30), y=rng.normal(size=900))
    slopes = " + ".join(f"v{i}" for i in range(15))
    with pytest.raises(
        al.FitError, match=r"'g' has 16 correlated effects with 136 variances and covariances; at most 14"
    ):
        al.MixedModel.from_formula(f"y ~ v1 + (1 + {slopes} | g)", frame).fit()
