"""Studies in memory, made once."""

import pytest

from alliance_longitudinal import AnalysisResult, Study, early_alliance
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import awkward

SMALL = ClinicTruth(therapists=24, clients=360)


@pytest.fixture(scope="session")
def clinic() -> Study:
    """24 therapists, 360 clients."""
    return simulated_study(11, SMALL)


@pytest.fixture(scope="session")
def few() -> Study:
    """Three therapists: no therapist level can be carried."""
    return simulated_study(12, ClinicTruth(therapists=3, clients=90))


@pytest.fixture(scope="session")
def early(clinic: Study) -> AnalysisResult:
    """The default analysis of ``clinic``."""
    return early_alliance(clinic)


@pytest.fixture(scope="session")
def awkward_study() -> Study:
    """240 clients with small counts of many kinds."""
    return awkward()
