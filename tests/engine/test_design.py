"""Data as people have them: categories, text, nullable types, odd names, any index."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH
from inside.engine_design import learn
from inside.engine_linalg import block_diagonal, independent_columns

SAME = {
    "categories, some empty": lambda f: f.assign(
        outer=pd.Categorical(f["outer"], categories=range(20)),
        inner=f["inner"].astype(str).astype("category"),
    ),
    "text": lambda f: f.assign(outer=f["outer"].astype("string"), inner=f["inner"].astype("string")),
    "nullable": lambda f: f.assign(outer=f["outer"].astype("Int64"), y=f["y"].astype("Float64")),
    "truth values": lambda f: f.assign(arm=f["arm"].astype(bool)),
    "truth values as objects": lambda f: f.assign(arm=f["arm"].astype(bool).astype(object)),
    "text of pandas as covariate": lambda f: f.assign(
        arm=pd.Series(np.where(f["arm"] == 1, "b", "a"), index=f.index, dtype="string")
    ),
    "text of Arrow as covariate": lambda f: f.assign(
        arm=pd.Series(np.where(f["arm"] == 1, "b", "a"), index=f.index).astype(pd.ArrowDtype(pa.string()))
    ),
    "Arrow's dictionaries": lambda f: f.assign(
        arm=pd.Series(np.where(f["arm"] == 1, "b", "a"), index=f.index).astype(
            pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))
        )
    ),
    "a category as covariate": lambda f: f.assign(arm=np.where(f["arm"] == 1, "b", "a")),
    "dates as groups": lambda f: f.assign(
        outer=pd.Timestamp("2020-01-01") + pd.to_timedelta(f["outer"], unit="D")
    ),
    "an index that repeats": lambda f: f.set_axis([0] * len(f)),
    "an index of two levels": lambda f: f.set_index(["outer", "inner"], drop=False).rename_axis([None, None]),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_data_in_other_types_give_the_same_fit(frame, growth, name):
    data = SAME[name](frame)
    res = al.MixedModel.from_formula(GROWTH, data).fit()
    assert res.deviance == pytest.approx(growth.deviance, abs=1e-9)
    np.testing.assert_allclose(res.params, growth.params, rtol=1e-9)
    np.testing.assert_allclose(res.predict(data), growth.fittedvalues, atol=1e-9)
    assert res.resid.index.equals(data.index)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            lambda week: pd.Timestamp("2020-01-01") + pd.to_timedelta(week, unit="D"),
            "holds times or dates .*2020-01-01",
        ),
        (lambda week: pd.to_timedelta(week, unit="D"), r"holds times or dates .*write C\(week\)"),
        (lambda week: [date(2020, 1, 1 + int(w)) for w in week], "holds times or dates .*2020-01-01"),
        (lambda week: pd.PeriodIndex.from_ordinals(week.astype(int), freq="M"), "holds times or dates"),
        (lambda week: week.astype(object), r"numbers kept as objects \(the first is 0.*pandas.to_numeric"),
        (lambda week: week + 0j, r"holds complex numbers .*take a real one"),
    ],
    ids=["dates", "durations", "dates as objects", "months", "objects", "complex"],
)
def test_a_covariate_that_is_neither_number_nor_category_is_refused(frame, column, message):
    odd = frame.assign(week=column(frame["week"]))
    for formula in (GROWTH, "y ~ arm + (1 + week | outer)"):
        with pytest.raises(al.FormulaError, match=message):
            al.MixedModel.from_formula(formula, odd)
    if "complex" not in message:
        res = al.MixedModel.from_formula("y ~ C(week) + (1 | outer)", odd).fit()
        assert len(res.params) == frame["week"].nunique()


@pytest.mark.parametrize("word", ["n/a", "", "unknown"])
def test_a_column_of_numbers_with_a_word_in_it_is_refused(frame, word):
    """As text each number would become a category; ids of groups and a few codes stay what they are."""
    ages = pd.Series([20 + i % 40 for i in range(len(frame))], index=frame.index).astype(str)
    ages.iloc[3] = word
    with pytest.raises(
        al.FormulaError, match=r"'age' is text with 41 .* of which 40 are numbers; .*to_numeric"
    ):
        al.MixedModel.from_formula("y ~ week + age + (1 | outer)", frame.assign(age=ages))
    al.MixedModel.from_formula("y ~ week + C(age) + (1 | outer)", frame.assign(age=ages))
    al.MixedModel.from_formula("y ~ week + age + (1 | outer)", frame.assign(age=ages.astype("category")))
    few = frame.assign(
        outer=pd.factorize(frame["outer"])[0].astype(str), code=[str(i % 7) for i in range(len(frame))]
    )
    assert len(al.MixedModel.from_formula("y ~ code + (1 | outer)", few).fit().params) == 7


def test_a_name_with_a_dot_needs_backticks(frame):
    with pytest.raises(al.FormulaError, match=r"Column 'week' .* name with a dot .* backticks: `week.no`"):
        al.MixedModel.from_formula(
            GROWTH.replace("week", "week.no"), frame.rename(columns={"week": "week.no"})
        )


@pytest.mark.parametrize("kind", ["weights", "offset"])
def test_weights_and_offsets_are_real_numbers(frame, kind):
    for column in (frame["w"] + 0j, frame["w"].astype(str), pd.to_timedelta(frame["w"], unit="D")):
        with pytest.raises(al.FormulaError, match=rf"The {kind} .*'odd' (is|are) not numeric; .*first"):
            al.MixedModel.from_formula(GROWTH, frame.assign(odd=column), **{kind: "odd"})


@pytest.mark.parametrize("name", ["my week", "week.no", "wk-1"])
def test_columns_with_odd_names_are_quoted(frame, growth, name):
    formula = GROWTH.replace("week", f"`{name}`")
    res = al.MixedModel.from_formula(formula, frame.rename(columns={"week": name})).fit()
    assert res.deviance == pytest.approx(growth.deviance, abs=1e-9)


def test_every_used_column_may_be_missing(frame):
    holes = frame.astype({"outer": float})
    for row, column in enumerate(["y", "week", "rating", "arm", "outer", "inner", "w"]):
        holes[column] = holes[column].astype(float)
        holes.loc[row, column] = np.nan
    holes.loc[20, "item"] = 99
    _, design = learn(GROWTH, holes, "w")
    assert design.kept.tolist() == [False] * 7 + [True] * (len(frame) - 7)
    assert design.index.tolist() == list(range(7, len(frame)))


def test_transformed_columns_count_as_used(frame):
    holes = frame.assign(week=frame["week"].where(frame.index > 2))
    for formula in (
        "y ~ poly(week, 2) + (1 | outer)",
        "y ~ 1 + (0 + center(week) | outer)",
        "y ~ I(week**2) + (1 | outer)",
    ):
        assert al.MixedModel.from_formula(formula, holes).fit().n_dropped == 3


def test_the_later_of_dependent_columns_goes():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 30))
    columns = np.column_stack([np.ones(30), a, 2 * a + 1, b, np.zeros(30), a + b])
    assert independent_columns(columns) == [0, 1, 3]
    # A calendar year is nearly constant, and yet not dependent on the intercept.
    assert independent_columns(np.column_stack([np.ones(30), 2000 + a, 738000 + b])) == [0, 1, 2]


def test_blocks_are_stacked_along_the_diagonal():
    out = block_diagonal([np.ones((1, 1)), 2 * np.ones((2, 2))])
    np.testing.assert_array_equal(out, [[1, 0, 0], [0, 2, 2], [0, 2, 2]])
