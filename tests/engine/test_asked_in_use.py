"""What users ask in other ways than the reference does: values instead of names, terms instead of weights, other libraries' habits."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError, FormulaError
from engine.designs import three_levels


@pytest.fixture(scope="module")
def rows():
    frame = three_levels(2, outer=12, inner=4, rows=6)
    rng = np.random.default_rng(3)
    kinds = np.array(["one", "two", "three"])
    return frame.assign(
        w=rng.uniform(0.5, 2, len(frame)), known=rng.normal(size=len(frame)), kind=kinds[frame["inner"] % 3]
    )


@pytest.mark.parametrize("as_given", [lambda c: c, lambda c: c.to_numpy(), list])
@pytest.mark.parametrize("argument", ["weights", "offset"])
def test_weights_and_offsets_may_be_values(rows, argument, as_given):
    column = rows["w" if argument == "weights" else "known"]
    named = al.MixedModel.from_formula("y ~ week + (1 | outer)", rows, **{argument: column.name}).fit()
    given = al.MixedModel.from_formula("y ~ week + (1 | outer)", rows, **{argument: as_given(column)}).fit()
    pd.testing.assert_series_equal(given.params, named.params)
    pd.testing.assert_series_equal(given.bse, named.bse)
    counts = rows.assign(count=np.random.default_rng(1).poisson(2, len(rows)))
    if argument == "offset":
        formula = "count ~ week + (1 | outer)"
        named = al.MixedModel.from_formula(formula, counts, family="poisson", offset="known").fit()
        given = al.MixedModel.from_formula(formula, counts, family="poisson", offset=as_given(column)).fit()
        pd.testing.assert_series_equal(given.params, named.params)


def test_values_that_do_not_belong_to_the_rows_are_refused(rows):
    with pytest.raises(
        FitError, match=r"weights= needs one value for each of the \d+ rows of the data.* shape \(3,\)"
    ):
        al.MixedModel.from_formula("y ~ week + (1 | outer)", rows, weights=np.ones(3))
    with pytest.raises(FitError, match="offset= is a Series whose row labels differ"):
        al.MixedModel.from_formula("y ~ week + (1 | outer)", rows, offset=rows["known"].iloc[::-1])


def test_a_joint_test_takes_names_of_terms(rows):
    res = al.MixedModel.from_formula("y ~ week * kind + (1 | outer)", rows).fit()
    by_weights = res.f_test([{"kind[T.three]": 1}, {"kind[T.two]": 1}])
    assert res.f_test("kind") == by_weights
    both = res.f_test(["kind", "week:kind"])
    assert both.df_num == 4
    assert res.f_test("kind[T.two]") == res.f_test({"kind[T.two]": 1})
    with pytest.raises(
        FitError,
        match=r"No term or coefficient is called 'arms'. The terms are: Intercept, week, kind, week:kind",
    ):
        res.f_test("arms")
    with pytest.raises(FitError, match="A weight of a contrast is missing or infinite"):
        res.f_test({"week": np.nan})
    with pytest.raises(FitError, match="Contrasts are weights of coefficients"):
        res.contrast("week")
    counts = rows.assign(count=np.random.default_rng(1).poisson(2, len(rows)))
    fit = al.MixedModel.from_formula("count ~ kind + (1 | outer)", counts, family="poisson").fit()
    assert fit.f_test("kind").df_num == 2


def test_a_term_that_was_left_out_tests_nothing(rows):
    res = al.MixedModel.from_formula(
        "y ~ week + twice + (1 | outer)", rows.assign(twice=2 * rows["week"])
    ).fit()
    with pytest.raises(FitError, match="All coefficients of twice were left out of the model"):
        res.f_test("twice")


def test_a_grouping_under_two_names_is_one(rows):
    """No label of ``unique`` recurs: (1 | outer/unique) is (1 | outer) + (1 | unique)."""

    def fit(formula):
        return al.MixedModel.from_formula(formula, rows).fit(reml=False)

    small = fit("y ~ week + (1 | unique)")
    nested, plain = (
        fit("y ~ week + (1 | outer/unique)").lrt(small),
        fit("y ~ week + (1 | outer) + (1 | unique)").lrt(small),
    )
    assert nested.statistic == pytest.approx(plain.statistic, abs=1e-8)
    assert (nested.df, nested.distribution, nested.note) == (plain.df, plain.distribution, plain.note)
    with pytest.raises(FitError, match="not nested"):  # inner labels recur in every outer group
        fit("y ~ week + (1 | outer/inner)").lrt(fit("y ~ week + (1 | inner)"))


def test_a_test_of_a_fixed_effect_between_few_groups_points_to_the_f_test(rows):
    one, two = (
        al.MixedModel.from_formula(f, rows).fit(reml=False)
        for f in ("y ~ 1 + (1 | outer)", "y ~ week + (1 | outer)")
    )
    assert two.lrt(one).note.startswith(
        "For a fixed effect that differs between few groups this test rejects too often"
    )
    with pytest.raises(FitError, match="The models have different responses"):
        two.lrt(al.MixedModel.from_formula("w ~ 1 + (1 | outer)", rows).fit(reml=False))


def test_sentences_of_other_libraries_are_ours(rows):
    res = al.MixedModel.from_formula("y ~ kind + (1 | outer)", rows).fit()
    with pytest.raises(
        FormulaError,
        match=r"Column 'kind' of the new data has the value 'four', which the fit does not know. Known are: one, three, two",
    ):
        res.predict(rows.head(1).assign(kind="four"))
    with pytest.raises(
        FormulaError, match=r"'.' for all other columns is not available. Write the columns out"
    ):
        al.MixedModel.from_formula("y ~ . + (1 | outer)", rows)
    with pytest.raises(FormulaError, match=r"it has no '\|'"):
        al.MixedModel.from_formula("y | w ~ week + (1 | outer)", rows)


def test_what_a_notebook_shows_holds_no_data(rows):
    """A model before its fit, a fit, and the text of a summary as the last expression of a cell."""
    marked = rows.assign(y=rows["y"].round(1) + 0.0012345, count=np.arange(len(rows)) % 7)
    model = al.MixedModel.from_formula("y ~ week + (1 | outer/inner)", marked)
    counts = al.MixedModel.from_formula("count ~ week + (1 | outer)", marked, family="poisson")
    n, groups = len(rows), rows["unique"].nunique()
    assert repr(model) == (
        f"<MixedModel: y ~ week + (1 | outer/inner); {n} rows; groups: inner:outer {groups}, outer 12; "
        "not fitted yet, use .fit()>"
    )
    assert repr(counts) == (
        f"<GeneralisedModel: count ~ week + (1 | outer); {n} rows; groups: outer 12; not fitted yet, use .fit()>"
    )
    res, other = model.fit(), counts.fit()
    for shown in (res, res.fit, res.fit.design, model.design, other, other.fit, other.fit.response):
        assert len(repr(shown)) < 200
        assert "12345" not in repr(shown)
    for each in (res, other, al.pool([res, res])):
        assert repr(each.summary()) == str(each.summary()) == str(each)
        assert isinstance(each.summary(), str)
    lost = al.MixedModel.from_formula(
        "y ~ week + (1 | outer)", marked.assign(week=marked["week"].where(marked.index > 2))
    )
    assert "(3 left out for missing values)" in repr(lost)
