"""``al.plot`` and the methods that call it: what is drawn are the numbers that the object has."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    frame = al.simulate_clinic(3, clients=60, therapists=6, items=False).sessions
    return frame.assign(site=np.where(frame["client"].astype(int) % 2, "north", "south"))


@pytest.fixture(scope="module")
def fit(rows: pd.DataFrame) -> al.MixedModelResults:
    return al.MixedModel.from_formula("phq9 ~ week * wai + site + (1 | therapist/client)", rows).fit()


def test_effects_are_the_marginal_means(fit: al.MixedModelResults, rows: pd.DataFrame) -> None:
    (ax,) = fit.plot("effects", term="week").axes
    x, y = ax.lines[0].get_data()
    assert (x[0], x[-1]) == (rows["week"].min(), rows["week"].max())
    wanted = fit.means("week", at={"week": list(x)}).frame
    np.testing.assert_allclose(y, wanted["estimate"], rtol=1e-12)
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(wanted["lower"].min())
    assert band.max() == pytest.approx(wanted["upper"].max())


def test_effects_by_a_number_are_at_the_mean_and_one_sd(fit: al.MixedModelResults) -> None:
    figure = fit.plot("effects", term="week", by="wai", at={"site": "north"})
    mean, sd = fit.data["wai"].mean(), fit.data["wai"].std()
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        f"wai {mean + k * sd:.3g}" for k in (-1, 0, 1)
    ]
    top = figure.axes[0].lines[2].get_ydata()
    wanted = fit.means(["week"], at={"week": [0.0], "wai": mean + sd, "site": "north"}).frame["estimate"]
    assert top[0] == pytest.approx(wanted.iloc[0])
    assert figure.alt == "Expected phq9 over week, with 95 % bands."


def test_effects_of_a_category_are_marks(fit: al.MixedModelResults) -> None:
    (ax,) = fit.plot("effects", term="site").axes
    marks = [c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 2]
    assert sorted(marks[-1][:, 0]) == pytest.approx(sorted(fit.means("site").frame["estimate"]))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["site south", "site north"]


def test_the_caterpillar_has_the_modes_in_order(fit: al.MixedModelResults) -> None:
    (ax,) = fit.plot("caterpillar").axes  # of therapists, the grouping with fewest levels
    drawn = ax.collections[-1].get_offsets()[:, 1]
    np.testing.assert_allclose(drawn, np.sort(fit.random_effects["therapist"]["Intercept"]), rtol=1e-10)


def test_residuals_are_standardised_beside_normal_quantiles(fit: al.MixedModelResults) -> None:
    left, right = fit.plot("residuals").axes
    np.testing.assert_allclose(left.collections[0].get_offsets()[:, 0], fit.fittedvalues, rtol=1e-12)
    np.testing.assert_allclose(left.collections[0].get_offsets()[:, 1], fit.residuals("pearson"), rtol=1e-12)
    quantiles = right.collections[0].get_offsets()
    assert (np.diff(quantiles[:, 0]) > 0).all()
    assert quantiles[:, 1].max() == pytest.approx(fit.residuals("pearson").max(), abs=0.1)


def test_profiles_cross_at_the_limits(rows: pd.DataFrame) -> None:
    small = al.MixedModel.from_formula("phq9 ~ week + (1 | client)", rows).fit()
    ax = small.plot("profile", which="week").axes[0]
    line = next(found for found in ax.lines if len(found.get_xdata()) > 2)
    x, z = line.get_data()
    limits = small.conf_int(method="profile").loc["week"]
    assert np.interp(-1.96, z, x) == pytest.approx(limits["lower"], rel=1e-3)
    assert np.interp(1.96, z, x) == pytest.approx(limits["upper"], rel=1e-3)


def test_means_draw_themselves(fit: al.MixedModelResults) -> None:
    means = fit.means(["week", "site"], at={"week": [0, 5, 10]})
    figure = means.plot()
    assert len(figure.axes[0].lines) == 2
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["site north", "site south"]


def test_a_study_draws_one_client_or_all() -> None:
    study = al.load_study("demo")
    figure = study.plot(client="0001", measures="phq9")
    (ax,) = figure.axes
    own = study.sessions.query("client == '0001'").dropna(subset="phq9")
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), own["phq9"])
    first, second = study.plot().axes
    assert (first.get_ylabel(), second.get_ylabel()) == ("WAI-SR (client)", "PHQ-9 (client)")
    at_intake = study.sessions.query("session == 0")["phq9"].median()
    assert second.lines[0].get_ydata()[0] == at_intake
    assert first.get_xlim() == second.get_xlim()
    with pytest.raises(al.FitError, match="The study has no client 'x'"):
        study.plot(client="x")
    with pytest.raises(al.FitError, match=r"The study has no measure 'phq'. It has: alliance, phq9"):
        study.plot(measures=["phq"])
    bare = study.sessions.assign(phq9=np.nan)
    holder = type("Holder", (), {"sessions": bare, "measures": study.measures})()
    with pytest.raises(al.FitError, match="There is no score to draw"):
        al.plot(holder, measures="phq9")


def test_what_cannot_be_drawn_is_said(fit: al.MixedModelResults, rows: pd.DataFrame) -> None:
    with pytest.raises(
        al.FitError, match=r"no picture 'forest' of this MixedModelResults. There are: effects, caterpillar"
    ):
        fit.plot("forest")
    with pytest.raises(al.FitError, match=r"There is no variable 'weeks'. There are: week, wai, site"):
        fit.plot("effects", term="weeks")
    with pytest.raises(
        al.FitError, match=r"There is no grouping 'clinic'. There are: therapist, client:therapist"
    ):
        fit.plot("caterpillar", group="clinic")
    with pytest.raises(al.FitError, match="nothing to draw of this int"):
        al.plot(3)
    with pytest.raises(al.FitError, match="does not have its data"):
        replace(fit, data=None).plot("effects")


def test_an_analysis_draws_its_figures_by_name() -> None:
    result = al.data_quality(al.load_study("demo", forms=True))
    name = result.figure_specs[0].name
    assert result.plot().alt == result.plot(name).alt == result.figure_specs[0].alt
    with pytest.raises(al.FitError, match="There is no picture 'x' of this AnalysisResult"):
        result.plot("x")


def test_fits_and_studies_load_no_pictures_until_one_is_asked_for() -> None:
    code = (
        "import sys, alliance_longitudinal as al\n"
        "al.MixedModel, al.Study, al.plot\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
