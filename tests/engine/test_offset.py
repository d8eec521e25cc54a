"""A known part of the response: the same fit as to the response without it."""

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import three_levels

FORMULA = "y ~ week + (1 + week | outer)"


@pytest.fixture(scope="module")
def frame():
    frame = three_levels(6, outer=10)
    return frame.assign(known=3 + 2 * frame["week"] - frame["rating"])


@pytest.fixture(scope="module")
def fitted(frame):
    return al.MixedModel.from_formula(FORMULA, frame, offset="known").fit()


def test_it_is_the_fit_to_the_response_without_it(frame, fitted):
    plain = al.MixedModel.from_formula(FORMULA, frame.assign(y=frame["y"] - frame["known"])).fit()
    assert fitted.deviance == pytest.approx(plain.deviance, abs=1e-9)
    pd.testing.assert_series_equal(fitted.params, plain.params, rtol=1e-8)
    pd.testing.assert_frame_equal(fitted.varcorr, plain.varcorr, rtol=1e-7)
    pd.testing.assert_series_equal(
        fitted.fittedvalues, plain.fittedvalues + frame["known"], check_names=False
    )
    pd.testing.assert_series_equal(fitted.resid, plain.resid, rtol=1e-6)
    drawn = plain.simulate(2, seed=1).add(frame["known"], axis=0)
    pd.testing.assert_frame_equal(fitted.simulate(2, seed=1), drawn)


def test_predictions_need_it_and_add_it(frame, fitted):
    new = pd.DataFrame({"week": [1.0, 2.0], "outer": [3, 99], "known": [10.0, np.nan]})
    predicted = fitted.predict(new, groups=False)
    assert predicted[0] == pytest.approx(fitted.params @ [1, 1] + 10)
    assert np.isnan(predicted[1])
    np.testing.assert_allclose(fitted.predict(frame), fitted.fittedvalues)
    np.testing.assert_allclose(fitted.predict(groups=False), fitted.predict(frame, groups=False))
    with pytest.raises(al.FormulaError, match=r"new data have no column 'known'; the model needs it"):
        fitted.predict(new.drop(columns="known"))


def test_crossed_fits_have_it_too(frame):
    formula = "y ~ week + (1 | unique) + (1 | item)"
    with_it = al.MixedModel.from_formula(formula, frame, offset="known", crossed=True).fit()
    plain = al.MixedModel.from_formula(
        formula, frame.assign(y=frame["y"] - frame["known"]), crossed=True
    ).fit()
    assert with_it.deviance == pytest.approx(plain.deviance, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"known": "x"}, al.FormulaError, r"The offset 'known' is not numeric; its first value is 'x'"),
        (
            {"known": np.inf},
            al.FitError,
            r"'known' has \d+ values that are not finite; the first is inf in row 0",
        ),
        ({"known": np.nan}, al.FitError, r"No row has a value .* Column 'known' has no value at all"),
    ],
)
def test_an_offset_that_cannot_be_is_refused(frame, change, error, message):
    with pytest.raises(error, match=message):
        al.MixedModel.from_formula(FORMULA, frame.assign(**change), offset="known")
    with pytest.raises(al.FormulaError, match=r"Column 'knwon' .* Did you mean 'known'"):
        al.MixedModel.from_formula(FORMULA, frame, offset="knwon")


def test_rows_without_it_are_left_out(frame):
    frame = frame.copy()
    frame.loc[[2, 5], "known"] = np.nan
    assert al.MixedModel.from_formula(FORMULA, frame, offset="known").fit().n_dropped == 2


def test_the_summary_names_it(fitted):
    assert "Offset: known" in fitted.summary()
    assert "known" in fitted._repr_html_()


def test_models_with_different_offsets_are_not_compared(frame, fitted):
    small = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame)
    with pytest.raises(al.FitError, match=r"offset"):
        fitted.lrt(small.fit())
    same = al.MixedModel.from_formula("y ~ week + (1 | outer)", frame, offset="known").fit()
    assert fitted.lrt(same).df == 2
