"""`methods.pattern_mixture` against lme4 on two trials, the known truth, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError
from reference.catalogue import HERE as REFERENCE

WANTED = json.loads((REFERENCE / "pattern_mixture.json").read_text())


def compare(found, wanted):
    """lme4's optimum is known to about seven digits."""
    for name in ("completers", "difference", "average"):
        np.testing.assert_allclose([found.params[name], found.bse[name]], wanted[name], rtol=2e-6)
    assert (found.share, found.n_persons) == (pytest.approx(wanted["share"]), wanted["n"])


def test_a_trial_in_which_the_answer_depends_on_who_left(shared_data):
    rows = pd.read_csv(shared_data / "reframed.csv")
    rows = rows[rows["month"] != "Post-Rx"]
    rows = rows.assign(month=rows["month"].astype(int))
    rows = rows[rows["month"] <= 12]
    rows = rows.assign(lg=np.log(rows["month"] + 1), rx=(rows["grp"] == "RO-DBT").astype(float))
    stayed = rows.loc[(rows["month"] == 12) & rows["phq9"].notna(), "patient"]
    rows = rows.assign(left=~rows["patient"].isin(stayed))
    found = methods.pattern_mixture("phq9 ~ lg * rx + (1 + lg | patient)", rows, "left", "lg:rx", "patient")
    compare(found, WANTED["reframed"])
    # As published in the specification.
    assert [round(x, 3) for x in (found.params["completers"], found.params["average"], found.bse["average"])] == [
        -1.144, -0.555, 0.404,
    ]  # fmt: skip
    turned = methods.pattern_mixture("phq9 ~ lg * rx + (1 + lg | patient)", rows, "left", "rx:lg", "patient")
    assert turned.params.equals(found.params)


def test_a_trial_of_computerised_therapy(shared_data):
    wide = pd.read_csv(shared_data / "beat_the_blues_bdi.csv").rename(columns={"bdi.pre": "pre"})
    wide["left"] = wide["bdi.8m"].isna()
    months = {f"bdi.{month}m": month for month in (2, 3, 5, 8)}
    long = wide.melt(["id", "treatment", "pre", "left"], list(months), value_name="bdi")
    long["time"], long["trt"] = long["variable"].map(months), (long["treatment"] == "BtheB") * 1.0
    found = methods.pattern_mixture("bdi ~ pre + time + trt + (1 | id)", long, "left", "trt", "id")
    compare(found, WANTED["blues"])
    assert found.model.formula == "bdi ~ (pre + time + trt) * left + (1 | id)"
    assert "People: 97, 46.4 % with pattern 1" in found.summary()


def trial(seed: int, n: int = 120) -> pd.DataFrame:
    """Clients of whom a third leaves after the second of five weeks; their slope is -1, that of the others -2."""
    rng = np.random.default_rng(seed)
    left = (rng.random(n) < 1 / 3).astype(int)
    data = pd.DataFrame(
        {"client": np.repeat(range(n), 5), "week": np.tile(range(5), n), "left": np.repeat(left, 5)}
    )
    slope = np.where(data["left"] == 1, -1.0, -2.0)
    own = np.repeat(rng.normal(0, 3, n), 5)
    data["y"] = 18 + own + slope * data["week"] + rng.normal(0, 2, len(data))
    return data[(data["left"] == 0) | (data["week"] < 3)]


def test_the_average_over_patterns_is_that_of_all_people():
    """The truth is -2 + 1 / 3: 150 data sets, of which 95 % are to be covered."""
    covered, estimates = [], []
    for seed in range(150):
        found = methods.pattern_mixture("y ~ week + (1 | client)", trial(seed), "left", "week", "client")
        low, high = found.conf_int().loc["average"]
        covered.append(low <= -5 / 3 <= high)
        estimates.append(found.params["average"])
    spread = np.std(estimates, ddof=1)
    assert abs(np.mean(estimates) + 5 / 3) < 3 * spread / np.sqrt(150)
    assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 150)


def test_errors_by_cluster_are_those_of_the_model_with_both_patterns():
    data = trial(2)
    data["site"] = data["client"] % 12
    found = methods.pattern_mixture(
        "y ~ week + (1 | client)", data, "left", "week", "client", cov_groups="site"
    )
    direct = al.MixedModel.from_formula("y ~ week * left + (1 | client)", data).fit(
        reml=False, cov_type="CR2", cov_groups="site"
    )
    assert found.bse["completers"] == pytest.approx(direct.bse["week"], rel=1e-8)
    assert found.bse["difference"] == pytest.approx(direct.bse["week:left"], rel=1e-8)


def test_random_slopes_and_quoted_names_are_kept():
    data = trial(1).rename(columns={"left": "left early", "client": "the client"})
    found = methods.pattern_mixture(
        "y ~ week + (1 + week || `the client`)", data, "left early", "week", "the client", reml=True
    )
    assert found.model.reml
    assert found.model.formula == "y ~ (week) * `left early` + (1 + week || `the client`)"
    few = data[
        data["the client"].isin([*data.loc[data["left early"] == 1, "the client"].unique()[:4], *range(30)])
    ]
    few = few[~((few["left early"] == 1) & (few["the client"] > 20))]
    found = methods.pattern_mixture("y ~ week + (1 | `the client`)", few, "left early", "week", "the client")
    smaller = int(few.groupby("the client")["left early"].first().sum())
    assert found.findings[-1].message == (
        f"One of the patterns has only {smaller} people; what is estimated for it alone is uncertain."
    )


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        ({"left": 2}, {}, "Column 'left' holds 2. A pattern is 0 or 1."),
        ({"left": 0}, {}, "Column 'left' is 0 for everybody; there is only one pattern."),
        ({}, {"term": "weeks"}, "The model has no coefficient 'weeks'. There are: Intercept, week."),
        (
            {},
            {"formula": "y ~ 0 + week + (1 | client)"},
            "The formula has no intercept. Leave out 0 or - 1, so that patterns can differ in it.",
        ),
        ({}, {"pattern": "gone"}, "The frame has no column 'gone'. There are: client, week, left, y."),
        (
            {"left": lambda d: (d["week"] > 1) * 1},
            {},
            "Column 'left' differs between rows of client 0. It says the same in all rows of a client.",
        ),
    ],
)
def test_what_cannot_be_meant_is_said(change, given, message):
    usual = {"formula": "y ~ week + (1 | client)", "pattern": "left", "term": "week", "person": "client"}
    with pytest.raises(DataError) as error:
        methods.pattern_mixture(frame=trial(1).assign(**change), **(usual | given))
    assert str(error.value) == message


def test_a_difference_that_the_data_do_not_hold():
    data = trial(1)
    data = data[(data["left"] == 0) | (data["week"] == 0)]
    with pytest.raises(DataError) as error:
        methods.pattern_mixture("y ~ week + (1 | client)", data, "left", "week", "client")
    assert str(error.value) == (
        "In people with pattern 1 the data say nothing of 'week', so that it has no difference."
    )
