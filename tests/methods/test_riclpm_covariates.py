"""Constant covariates in the random-intercept cross-lagged panel model: lavaan, least squares, a known truth, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import DataError, methods
from reference.catalogue import HERE

WANTED = json.loads((HERE / "riclpm_covariates.json").read_text())
CASES = {
    "one": (4, ["c"], {}),
    "two": (4, ["c", "d"], {}),
    "slopes": (5, ["c"], {"random_slopes": True}),
    "clustered": (4, ["c"], {"cluster": "therapist"}),
}


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """The panel of the reference, with a second covariate that some persons lack."""
    long = pd.read_csv(HERE / "small" / "panel.csv")
    d = ((7 * long["id"]) % 5 < 2).astype(float)
    return long.assign(d=d.where(long["id"] % 11 != 0))


@pytest.mark.parametrize("case", CASES)
def test_as_lavaan(case: str, panel: pd.DataFrame) -> None:
    """Full-information maximum likelihood of measures and covariates; the effects of covariates, too."""
    occasions, covariates, options = CASES[case]
    wanted = WANTED[case]
    found = methods.riclpm(
        panel[panel["t"] <= occasions], "x", "y", "id", "t", covariates=covariates, **options
    )
    assert found.converged
    assert found.df == wanted["fit"]["df"]
    assert found.llf == pytest.approx(wanted["fit"]["logl"], abs=1e-5)
    assert found.aic == pytest.approx(wanted["fit"]["aic"], abs=1e-4)
    known = pd.DataFrame({"est": wanted["est"], "se": wanted["se"]}, index=wanted["names"])
    shared = [name for name in known.index if name in found.all_params.index]
    assert {"x_to_y", "y_to_x", "c_on_x_1", f"c_on_y_{occasions}"} <= set(shared)
    se = np.sqrt(np.diag(found.all_covariance))[found.all_params.index.get_indexer(shared)]
    # lavaan stops where its own criterion is flat: estimates to about 1e-4 of a standard error.
    np.testing.assert_allclose(
        (found.all_params[shared] - known.loc[shared, "est"]) / known.loc[shared, "se"], 0, atol=2e-3
    )
    np.testing.assert_allclose(se, known.loc[shared, "se"], rtol=2e-3)


def test_of_complete_data_it_is_the_model_of_the_residuals(panel: pd.DataFrame) -> None:
    """Effects that are free at each occasion take out what least squares takes out (Frisch and Waugh)."""
    rows = panel[panel["t"] <= 4]
    wide = (
        rows.pivot(index="id", columns="t", values=["x", "y"]).swaplevel(axis=1).sort_index(axis=1).dropna()
    )
    design = np.column_stack([np.ones(len(wide)), rows.groupby("id")["c"].first()[wide.index]])
    values = wide.to_numpy()
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    plain = methods.riclpm_from_moments(rest.T @ rest / len(rest), nobs=len(rest))
    found = methods.riclpm(rows[rows["id"].isin(wide.index)], "x", "y", "id", "t", covariates=["c"])
    np.testing.assert_allclose(found.params, plain.params, atol=1e-5)
    np.testing.assert_allclose(found.bse, plain.bse, rtol=1e-4)
    assert found.chi2 == pytest.approx(plain.chi2, abs=1e-4)


def test_what_a_covariate_does_over_time_is_taken_out() -> None:
    """Older persons rise in x and fall in y, occasion by occasion: without age this looks like an effect of x on y (which is 0)."""
    rng = np.random.default_rng(3)
    n, times = 2000, 5
    age, wx, wy = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
    level = rng.normal(size=(n, 2))
    parts = []
    for t in range(times):
        x, y = level[:, 0] + wx + 0.4 * t * age, level[:, 1] + wy - 0.4 * t * age
        parts.append(pd.DataFrame({"id": np.arange(n), "t": t, "x": x, "y": y, "age": age}))
        wx, wy = 0.3 * wx + rng.normal(size=n), 0.3 * wy + rng.normal(size=n)
    frame = pd.concat(parts)
    biased = methods.riclpm(frame, "x", "y", "id", "t")
    found = methods.riclpm(frame, "x", "y", "id", "t", covariates="age")
    assert biased.params["x_to_y"] < -0.05
    assert abs(found.params["x_to_y"]) < 3 * found.bse["x_to_y"]
    assert found.params["ar_x"] == pytest.approx(0.3, abs=3 * found.bse["ar_x"])
    own = found.all_params[[f"age_on_x_{t + 1}" for t in range(times)]]
    np.testing.assert_allclose(own, 0.4 * np.arange(times), atol=0.15)


@pytest.mark.parametrize(
    ("change", "names", "message"),
    [
        ({}, ["z"], "Column 'z' changes within a person, so it is not constant. Take it as a third process"),
        (
            {"e": 1.0},
            ["e"],
            "Column 'e' has the same value for everybody, so it explains nothing. Leave it out.",
        ),
        ({"twice": "c"}, ["c", "twice"], "The columns 'c', 'twice' determine one another in these persons."),
        ({}, ["c", "c"], "Column 'c' is named twice in the covariates. Name it once."),
        ({}, ["nobody"], "The frame has no column 'nobody'"),
    ],
)
def test_what_is_refused(panel: pd.DataFrame, change: dict, names: list[str], message: str) -> None:
    frame = panel.assign(**{k: panel[v] if isinstance(v, str) else v for k, v in change.items()})
    with pytest.raises(DataError, match=message):
        methods.riclpm(frame, "x", "y", "id", "t", covariates=names)
