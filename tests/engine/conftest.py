"""Fits that several test files share."""

import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH, three_levels


@pytest.fixture(scope="session")
def frame():
    return three_levels(4, outer=12, inner=6, rows=7)


@pytest.fixture(scope="session")
def growth(frame):
    """A fit of three-level growth data with random slopes at both levels."""
    return al.MixedModel.from_formula(GROWTH, frame).fit()


@pytest.fixture(scope="session")
def three_level_growth(shared_data):
    """The data set whose exact optimum is known."""
    return (
        pd.read_csv(shared_data / "three_level_growth.csv")
        .drop(columns=["client"])
        .rename(columns={"cid": "client"})
    )
