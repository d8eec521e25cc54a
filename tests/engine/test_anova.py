"""Joint tests of every term: lmerTest's type III, hypotheses by hand, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import FitError

REFERENCE = Path(__file__).parents[1] / "reference"
LMERTEST = json.loads((REFERENCE / "anova.json").read_text(encoding="utf-8"))["models"]


def small(name):
    return pd.read_csv(REFERENCE / "small" / f"{name}.csv")


@pytest.mark.parametrize("model", LMERTEST, ids=lambda m: m["formula"])
def test_joint_tests_are_those_of_lmertest(model):
    table = al.MixedModel.from_formula(model["formula"], small(model["data"])).fit().anova()
    listed = {k: np.atleast_1d(model[k]) for k in ("term", "F", "df_num", "df_den", "p")}
    expected = pd.DataFrame(listed).set_index("term")
    assert [set(t.split(":")) for t in table["term"]] == [set(t.split(":")) for t in expected.index]
    # lme4's optimum is good to six digits of the variances; degrees of freedom are numerical derivatives there.
    np.testing.assert_allclose(table[["F", "df_num"]], expected[["F", "df_num"]], rtol=2e-5)
    np.testing.assert_allclose(table["df_den"], expected["df_den"], rtol=2e-4)
    np.testing.assert_allclose(table["p"], expected["p"], rtol=1e-3)


@pytest.mark.parametrize(
    "recode", [lambda c: c, lambda c: c.map({k: f"{9 - i}" for i, k in enumerate(sorted(c.unique()))})]
)
@pytest.mark.parametrize("arm", ["arm", "C(arm)", "C(arm, contr.sum)"])
def test_the_coding_of_categories_does_not_matter(arm, recode):
    frame = small("arms")
    first = al.MixedModel.from_formula("y ~ x * arm + sex + (1 | group)", frame).fit().anova()
    again = (
        al.MixedModel.from_formula(
            f"y ~ x * {arm} + sex + (1 | group)",
            frame.assign(arm=recode(frame["arm"]), sex=recode(frame["sex"])),
        )
        .fit()
        .anova()
    )
    np.testing.assert_allclose(again[["F", "df_num"]], first[["F", "df_num"]], rtol=1e-6)
    # Satterthwaite's degrees of freedom of a joint test depend a little on the basis, in lmerTest, too.
    np.testing.assert_allclose(again["df_den"], first["df_den"], rtol=1e-3)


def test_terms_without_categories_are_their_coefficients():
    res = al.MixedModel.from_formula("Reaction ~ Days + (Days | Subject)", small("sleepstudy")).fit(
        df="kenward-roger"
    )
    table = res.anova()
    assert table["term"].tolist() == ["Days"]
    assert table.loc[0, "F"] == pytest.approx(res.tvalues["Days"] ** 2)
    assert table.loc[0, "df_den"] == pytest.approx(res.df["Days"])


def test_what_has_no_unique_test_is_refused():
    frame = small("arms")
    holes = frame[~((frame["arm"] == frame["arm"].iloc[0]) & (frame["sex"] == "f"))]
    with pytest.raises(FitError, match=r"anova\(\) needs a fixed part of which no column was left out"):
        al.MixedModel.from_formula("y ~ arm * sex + (1 | group)", holes).fit().anova()
    counts = al.MixedModel.from_formula(
        "n ~ arm + (1 | group)", frame.assign(n=1 + frame.index % 3), family="poisson"
    )
    with pytest.raises(FitError, match=r"'anova' is not available for generalised models. Ask f_test\(\)"):
        counts.fit().anova()
