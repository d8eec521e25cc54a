"""Figures of R for what is asked of a fit once it is there (see ``make_after.R``)."""

import json
from pathlib import Path

import pandas as pd

import alliance_longitudinal as al

REFERENCE = Path(__file__).parents[1] / "reference"
FIGURES = json.loads((REFERENCE / "after.json").read_text(encoding="utf-8"))


def rows(name):
    """One of the small data sets."""
    return pd.read_csv(REFERENCE / "small" / f"{name}.csv")


def fit(formula, data, **options):
    return al.MixedModel.from_formula(formula, data, crossed=True).fit(**options)
