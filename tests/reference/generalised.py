"""The models of ``generalised.json`` and the comparison of a fit with its reference (see ``make_generalised.R``)."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from alliance_longitudinal import GeneralisedResults, MixedModel

HERE = Path(__file__).resolve().parent
#: Large data sets, written by make_generalised.R where R is at hand; not committed.
SCRATCH = HERE.parents[1] / "build" / "reference_data"

#: Orders of categories that are not alphabetical.
_ORDERS = {
    "Salamanders": {
        "mined": ["yes", "no"],
        "spp": ["GP", "PR", "DM", "EC-A", "EC-L", "DES-L", "DF"],
    }
}


class Tolerance(NamedTuple):
    """Absolute, in shares of a standard error, and relative."""

    deviance: float
    estimate: float
    se: float
    variance: float


#: glmmTMB's optima are polished, on its own exact gradient; the file has 12 digits. clmm stops at a tolerance of its inner
#: search. lme4's are polished without a gradient.
TOLERANCES = {
    "glmmTMB": Tolerance(1e-7, 1e-6, 2e-6, 2e-6),
    "ordinal": Tolerance(2e-7, 5e-4, 5e-6, 2e-4),
    "lme4": Tolerance(1e-6, 1e-5, 1e-5, 1e-5),
}


class GeneralisedFigure(NamedTuple):
    """One number beside its reference."""

    model: str
    quantity: str
    reference: float
    ours: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the two are as near as the reference is exact."""
        return abs(self.ours - self.reference) <= self.tolerance


def reference() -> dict[str, Any]:
    """``versions`` and ``models`` as written by make_generalised.R."""
    return dict(json.loads((HERE / "generalised.json").read_text(encoding="utf-8")))


def rows(data: str) -> pd.DataFrame:
    """The data set, from the repository or from this machine.

    Raises
    ------
    FileNotFoundError
        It is one of the large ones, and R has not written it here.
    """
    small = HERE / "small" / f"{data}.csv"
    frame = pd.read_csv(small if small.exists() else SCRATCH / f"{data}.csv")
    for column, order in _ORDERS.get(data, {}).items():
        frame[column] = pd.Categorical(frame[column], order)
    return frame


def at_hand(data: str) -> bool:
    """Whether the rows of this data set are on this machine."""
    try:
        rows(data)
    except FileNotFoundError:
        return False
    return True


def fit(model: Mapping[str, Any]) -> GeneralisedResults:
    """Fit a model of the reference."""
    stated = MixedModel.from_formula(
        model["formula"],
        rows(model["data"]),
        family=model["family"],
        link=model.get("link"),
        weights=model.get("weights"),
        offset=model.get("offset"),
        crossed=True,
    )
    return stated.fit(n_agq=model["n_agq"])


def figures(model: Mapping[str, Any], result: GeneralisedResults) -> Iterator[GeneralisedFigure]:
    """Every number of the reference beside ours."""
    tolerance, name = TOLERANCES[model["program"]], model["name"]
    yield GeneralisedFigure(name, "rows", model["nobs"], result.nobs, 0)
    if "deviance" in model:
        yield GeneralisedFigure(
            name, "-2 log-likelihood", model["deviance"], result.deviance, tolerance.deviance
        )
    for term, estimate, se, ours, our_se in zip(
        result.params.index,
        model["params"].values(),
        model["bse"].values(),
        result.params,
        result.bse,
        strict=True,
    ):
        yield GeneralisedFigure(name, f"{term}: estimate", estimate, ours, tolerance.estimate * our_se)
        # Under Laplace's method clmm's second derivatives are rough: they are off by up to 2 % beside dense ones.
        if not (model["program"] == "ordinal" and model["n_agq"] == 1):
            yield GeneralisedFigure(name, f"{term}: SE", se, our_se, tolerance.se * se)
    yield from _components(model, result, tolerance)
    if model.get("log_dispersion") is not None:
        se = model["log_dispersion_se"]
        ours = float(np.log(result.dispersion))
        yield GeneralisedFigure(name, "log theta", model["log_dispersion"], ours, tolerance.estimate * se)
        yield GeneralisedFigure(name, "log theta: SE", se, result.log_dispersion_se, tolerance.se * se)


def _components(
    model: Mapping[str, Any], result: GeneralisedResults, tolerance: Tolerance
) -> Iterator[GeneralisedFigure]:
    ours = {}
    for row in result.varcorr.itertuples():
        pair = tuple(sorted((row.term1, row.term2 if isinstance(row.term2, str) else row.term1)))
        ours[(row.group.split(":")[0], *pair)] = row.vcov
    theirs = {}
    for row in model["varcorr"]:
        pair = sorted(t.replace("(Intercept)", "Intercept") for t in (row["term1"], row["term2"]))
        theirs[(row["group"].split(":")[0], *pair)] = row["vcov"]
    if set(ours) != set(theirs):
        raise ValueError(f"{model['name']}: components {sorted(ours)} instead of {sorted(theirs)}")
    for (group, first, second), value in theirs.items():
        scale = np.sqrt(theirs[group, first, first] * theirs[group, second, second])
        kind = "variance" if first == second else "covariance"
        label = f"{group} {first} {'' if first == second else second + ' '}{kind}"
        # A variance at its boundary is zero in ours and a rounding error in theirs.
        limit = tolerance.variance * max(scale, 1e-2)
        yield GeneralisedFigure(model["name"], label, value, ours[group, first, second], limit)
