"""The same model on another response."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al

FORMULA = "y ~ week + arm + (1 + week | outer/inner)"


@pytest.mark.parametrize(
    "options", [{}, {"df": "kenward-roger"}, {"cov_type": "CR2", "cov_groups": "outer"}, {"reml": False}]
)
def test_a_refit_is_a_fit(frame, options):
    data = frame.copy()
    data.loc[data.index[4], "week"] = np.nan
    res = al.MixedModel.from_formula(FORMULA, data, offset="rating").fit(**options)
    new = res.simulate(1, seed=3)[0]
    expected = al.MixedModel.from_formula(FORMULA, data.assign(y=new), offset="rating").fit(**options)
    for response in (
        new,
        new.sample(frac=1, random_state=1),
        new.to_numpy(),
        new.reindex(data.index),
        new.reindex(data.index).to_numpy(),
    ):
        got = res.refit(response)
        pd.testing.assert_series_equal(got.params, expected.params)
        pd.testing.assert_series_equal(got.df, expected.df)
        pd.testing.assert_series_equal(got.fittedvalues, expected.fittedvalues)
        assert got.deviance == pytest.approx(expected.deviance, rel=1e-12)
        assert got.formula == res.formula


def test_refusals(frame):
    res = al.MixedModel.from_formula(FORMULA, frame).fit()
    with pytest.raises(al.FitError, match=r"new response has shape \(3,\); the fit has 206 rows"):
        res.refit([1, 2, 3])
    with pytest.raises(al.FitError, match="1 values that are not finite, the first in row 7"):
        res.refit(frame["y"].where(frame.index != 7))
    with pytest.raises(al.FitError, match="labels of the new response do not name the 206 rows of the fit"):
        res.refit(frame["y"].iloc[1:])
    robust = al.MixedModel.from_formula(FORMULA, frame).fit(cov_type="CR2", cov_groups="outer", df="normal")
    with pytest.raises(al.FitError, match=r"df='normal' cannot be refitted"):
        robust.refit(frame["y"])
