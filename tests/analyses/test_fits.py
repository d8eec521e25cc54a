"""The rule that chooses the model looks at the design, never at the estimates."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal.analyses.kit import ENDPOINT, GROWTH, LEVEL, fit_first
from alliance_longitudinal.errors import FitError
from inside.analyses_kit import too_few_for
from inside.methods_basics import inference


def rows(therapists: int, clients: int, scores: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = therapists * clients
    client = np.repeat(np.arange(n), scores)
    y = rng.normal(0, 1, n)[client] + rng.normal(0, 1, n * scores)
    return pd.DataFrame(
        {
            "therapist": [f"t{c // clients}" for c in client],
            "client": [f"c{c}" for c in client],
            "weeks": np.tile(np.arange(scores, dtype=float), n),
            "y": y,
        }
    )


@pytest.mark.parametrize(
    ("therapists", "clients", "scores", "chosen"),
    [
        (6, 8, 5, "(1 + weeks | therapist/client)"),
        (6, 8, 2, "(1 | therapist/client)"),
        (4, 10, 5, "(1 + weeks | client)"),
        (4, 10, 2, "(1 | client)"),
        (30, 1, 5, "(1 + weeks | client)"),  # one client each: therapist and client are the same
    ],
)
def test_the_fullest_structure_that_the_design_carries(
    therapists: int, clients: int, scores: int, chosen: str
) -> None:
    frame = rows(therapists, clients, scores)
    carried = [s.terms for s in GROWTH if not too_few_for(s, frame)]
    assert carried[0] == chosen


def test_a_variance_of_zero_stays_in_the_model() -> None:
    """No therapist differences were simulated; the therapist level is kept all the same."""
    found = [fit_first("m", "Model", "y ~ weeks", rows(6, 8, 5, seed), LEVEL) for seed in range(6)]
    assert {f.structure.terms for f in found} == {"(1 | therapist/client)"}
    assert any(f.result.singular for f in found)


def test_without_therapist_level_the_end_point_is_least_squares() -> None:
    frame = rows(3, 10, 1)
    found = fit_first("end", "End", "y ~ weeks", frame.assign(weeks=np.arange(30.0)), ENDPOINT)
    slope, *_ = np.polyfit(np.arange(30.0), frame["y"], 1)
    row = found.combination({"weeks": 1.0})
    assert not found.mixed
    assert row["estimate"] == pytest.approx(slope)
    assert row["df"] == 28


def test_nothing_fits_is_one_sentence_with_every_reason() -> None:
    frame = rows(6, 8, 5).assign(y=1.0)
    with pytest.raises(
        FitError, match=r"No version of the model 'Level' can be fitted\. .*therapists and between clients: "
    ):
        fit_first("level", "Level", "y ~ weeks", frame, LEVEL)


def test_t_inference_by_hand() -> None:
    row = inference.t_inference(2.0, 1.0, 10.0)
    assert row["ci_low"] == pytest.approx(2 - 2.228138852)  # t table, 10 df
    assert row["p"] == pytest.approx(0.073388, abs=1e-6)
