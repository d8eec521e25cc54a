"""Studies in memory, made once."""

import pytest

from alliance_longitudinal.analyses.analysis_result import AnalysisResult
from alliance_longitudinal.analyses.early_alliance import early_alliance
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
from alliance_longitudinal.simulation import ClinicTruth

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
    """The default analysis of ``clinic`` with the fewest bootstrap samples."""
    return early_alliance(clinic, n_boot=50)
