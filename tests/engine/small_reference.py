"""Figures of pbkrtest and clubSandwich, with the synthetic rows they were made on (see ``make_kr_cr2.R``)."""

import json
from pathlib import Path

import pandas as pd

import alliance_longitudinal as al

REFERENCE = Path(__file__).parents[1] / "reference"
MODELS = json.loads((REFERENCE / "kr_cr2.json").read_text(encoding="utf-8"))["models"]


def name(model):
    return f"{model['data']}: {model['formula']}"


def fit(model, **options):
    frame = pd.read_csv(REFERENCE / "small" / f"{model['data']}.csv")
    formula = model["formula"]
    return al.MixedModel.from_formula(formula, frame, weights=model["weights"]).fit(**options)


def in_order(res, model):
    """Names of the reference's terms here."""
    ours = {frozenset(term.split(":")): term for term in res.params.index}
    return [ours[frozenset(term.replace("(Intercept)", "Intercept").split(":"))] for term in model["terms"]]


def joint(res, model):
    """The reference's joint test by name."""
    return res.f_test([{term: 1.0} for term in model["joint"]])
