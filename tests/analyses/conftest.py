"""Studies in memory, made once."""

import pytest

import alliance_longitudinal as al
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.analyses.early_alliance import early_alliance
from alliance_longitudinal.analyses.result import AnalysisResult
from alliance_longitudinal.data.study import Study
from alliance_longitudinal.data.synthetic import simulated_study
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


@pytest.fixture(scope="session")
def shared_results(awkward_study: Study) -> dict[str, tuple[AnalysisResult, AnalysisResult]]:
    """Each analysis of the awkward study as the owner of the data sees it, and as it may be shared."""
    norms = {"reliability": 0.84, "cutoff": 10.0}
    early = early_alliance(awkward_study)
    shares = al.variance_partition(awkward_study)
    change = al.reliable_change(awkward_study, **norms)
    gains = al.sudden_gains(awkward_study, points=4, simulations=20)
    return {
        "early_alliance": (early, for_audience(early, "shareable")),
        "variance_partition": (shares, for_audience(shares, "shareable")),
        "sudden_gains": (
            gains,
            al.sudden_gains(awkward_study, points=4, simulations=20, audience="shareable"),
        ),
        # these two leave things out by themselves, so they are asked from the start
        "reliable_change": (change, al.reliable_change(awkward_study, **norms, audience="shareable")),
    }
