"""The same effects in outcome points: each times the standard deviation of its own part of the alliance."""

import numpy as np
import pytest

from alliance_longitudinal import Study
from alliance_longitudinal.analyses.kit import Estimate
from analyses.studies import early_design, with_sessions
from inside.analyses_early_alliance import point_estimates
from inside.analyses_kit import EarlyDesign


@pytest.fixture(scope="module")
def design(clinic: Study) -> EarlyDesign:
    return early_design(clinic)


def test_change_is_described_over_whole_weeks_and_at_least_one(clinic: Study, design: EarlyDesign) -> None:
    assert design.typical_followup == np.floor(design.clients["weeks_followed"].median()) > 2
    hours = clinic.sessions.assign(week=lambda d: d["week"] / 168)
    assert early_design(with_sessions(clinic, hours)).typical_followup == 1


def _effect(id_: str, estimate: float) -> Estimate:
    return Estimate(id_, id_, estimate, 0.1 * abs(estimate), 20.0, estimate - 0.5, estimate + 0.5, 0.01)


def test_each_part_has_its_own_standard_deviation(design: EarlyDesign) -> None:
    early = design.clients["early"]
    means = early.groupby(design.clients["therapist"]).transform("mean")
    of_therapists = early.groupby(design.clients["therapist"]).mean().std()
    sds = {"within": (early - means).std(), "between": of_therapists, "total": early.std()}
    assert len({round(sd, 3) for sd in sds.values()}) == 3, "so that one cannot stand for another"
    effects = [_effect(f"{kind}_{part}", -0.02) for kind in ("slope", "end") for part in sds]
    found = {e.id: e for e in point_estimates(effects, design, weeks=8.0)}
    for part, sd in sds.items():
        for kind, times in (("slope", 8.0), ("end", 1.0)):
            e = found[f"{kind}_{part}_per_sd"]
            ours = [e.estimate, e.se, e.ci_low, e.ci_high]
            np.testing.assert_allclose(ours, np.array([-0.02, 0.002, -0.52, 0.48]) * sd * times, rtol=1e-12)
            assert e.p == 0.01
