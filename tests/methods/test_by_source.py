"""Correlations by source: against dummy regressions, a jackknife over clusters, and a known truth."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

A = {"client": "a_client", "therapist": "a_therapist"}
Y = {"client": "y_client", "clinician": "y_clinician"}


def ratings(
    seed: int, n: int = 400, therapists: int = 40, halo: float = 1.0, y_validity: float = 1.0
) -> pd.DataFrame:
    """Alliance and change as their raters see them; a therapist's clients and style have something in common."""
    rng = np.random.default_rng(seed)
    therapist = rng.integers(0, therapists, n)
    alliance, shared, intake = rng.normal(size=(3, n))
    change = 0.5 * alliance + 0.4 * intake + rng.normal(size=n)
    style = rng.normal(size=(3, therapists))[:, therapist]
    return pd.DataFrame(
        {
            "therapist": therapist,
            "intake": intake,
            "a_client": alliance + halo * shared + style[0] + rng.normal(0, 0.5, n),
            "a_therapist": 0.7 * alliance + style[1] + rng.normal(size=n),
            "y_client": change + halo * shared + style[2],
            "y_clinician": y_validity * change + rng.normal(size=n),
        }
    )


def test_the_correlations_are_those_of_dummy_regressions() -> None:
    frame = ratings(1)
    found = methods.by_source(frame, A, Y, ["intake"], group="therapist")
    design = pd.get_dummies(frame["therapist"]).astype(float).assign(intake=frame["intake"]).to_numpy()
    columns = [*A.values(), *Y.values()]
    values = frame[columns].to_numpy()
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    r = pd.DataFrame(np.corrcoef(rest.T), columns, columns)
    for rater, a in A.items():
        for other, y in Y.items():
            assert found.params[f"r_{rater}_{other}"] == pytest.approx(r.loc[a, y], abs=1e-12)
    assert found.params["agreement_x"] == pytest.approx(r.loc["a_client", "a_therapist"])
    assert found.params["agreement_y"] == pytest.approx(r.loc["y_client", "y_clinician"])
    assert found.params["difference"] == pytest.approx(
        r.loc["a_client", "y_client"] - r.loc["a_client", "y_clinician"]
    )
    top = r.loc["a_client", "y_clinician"] * r.loc["a_therapist", "y_client"]
    below = found.params["agreement_x"] * found.params["agreement_y"]
    assert found.params["corrected"] == pytest.approx(np.sqrt(top / below))
    assert found.pair == ("client", "clinician")
    assert (found.n, found.clusters) == (400, 40)


def test_the_errors_are_those_of_a_jackknife_over_therapists() -> None:
    """Forty clusters: the linear errors and the jackknife's differ by a few percent."""
    frame = ratings(2)
    found = methods.by_source(frame, A, Y, ["intake"], group="therapist")
    left = [
        methods.by_source(frame[frame["therapist"] != t], A, Y, ["intake"], group="therapist").params
        for t in frame["therapist"].unique()
    ]
    table = pd.DataFrame(left)
    jackknife = np.sqrt((len(left) - 1) / len(left) * ((table - table.mean()) ** 2).sum())
    np.testing.assert_allclose(found.bse, jackknife, rtol=0.12)


def test_without_clusters_the_error_of_a_normal_correlation_is_the_textbooks() -> None:
    rng = np.random.default_rng(3)
    z = rng.multivariate_normal(np.zeros(3), [[1, 0.5, 0.4], [0.5, 1, 0.3], [0.4, 0.3, 1]], 20_000)
    frame = pd.DataFrame(z, columns=["a", "b", "y"])
    found = methods.by_source(frame, {"client": "a", "therapist": "b"}, {"client": "y"})
    assert found.bse["same"] == pytest.approx((1 - 0.4**2) / np.sqrt(20_000), rel=0.03)
    # Pearson & Filon: covariance of two correlations that share y.
    r_ay, r_by, r_ab = (found.params[k] for k in ("same", "cross", "agreement_x"))
    shared = r_ab * (1 - r_ay**2 - r_by**2) - 0.5 * r_ay * r_by * (1 - r_ay**2 - r_by**2 - r_ab**2)
    variance = ((1 - r_ay**2) ** 2 + (1 - r_by**2) ** 2 - 2 * shared) / 20_000
    assert found.bse["difference"] == pytest.approx(np.sqrt(variance), rel=0.05)
    assert found.params["corrected"] == pytest.approx(r_by / np.sqrt(r_ab))


def test_the_truth_without_halo_comes_back_and_raters_of_unequal_validity_do_not_matter() -> None:
    """Corr(alliance, change given intake) = .5 / sqrt(1.25) = .447; the clinician sees less of the change than the client."""
    found = methods.by_source(ratings(4, 40_000, 400, y_validity=0.5), A, Y, ["intake"], group="therapist")
    assert found.params["corrected"] == pytest.approx(0.5 / np.sqrt(1.25), abs=0.02)
    assert found.params["cross"] < 0.2 < 0.44 < found.params["same"]
    plain = methods.by_source(ratings(4, 40_000, 400, halo=0.0), A, Y, ["intake"], group="therapist")
    assert plain.params["same"] < 0.5


def test_intervals_cover_the_difference() -> None:
    """200 samples of 300 clients and 30 therapists: 95 % within three Monte Carlo errors (4.6 points)."""
    large = methods.by_source(ratings(0, 200_000, 2_000), A, Y, ["intake"], group="therapist").params
    hits = dict.fromkeys(("same", "cross", "difference", "corrected"), 0)
    for seed in range(200):
        limits = methods.by_source(
            ratings(seed + 10, 300, 30), A, Y, ["intake"], group="therapist"
        ).conf_int()
        for name in hits:
            low, high = limits.loc[name]
            hits[name] += bool(not low > large[name] and not high < large[name])
    assert all(0.904 * 200 <= n <= 0.996 * 200 for n in hits.values()), hits


def test_raters_who_do_not_agree_give_no_correction() -> None:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "y"])
    frame["b"] -= 0.5 * frame["a"]
    found = methods.by_source(frame, {"client": "a", "therapist": "b"}, {"client": "y"})
    assert np.isnan(found.params["corrected"])
    assert [f.code for f in found.findings] == ["not_corrected"]
    assert "cannot be corrected" in found.findings[0].message
    assert "Correlations by source" in found.summary()


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ({"client": "a_client"}, {"client": "y_client"}, "x and y have one rater each"),
        (A, {"clinician": "y_clinician"}, "The first rater of x is 'client' and that of y is 'clinician'"),
        ({"client": "flat", "therapist": "a_therapist"}, Y, "All values of 'flat' are equal. A correlation"),
        ({"client": "style", "therapist": "a_therapist"}, Y, "Nothing of 'style' is left within groups"),
    ],
)
def test_what_cannot_be_compared_is_refused(x: dict, y: dict, message: str) -> None:
    frame = ratings(6).assign(flat=1.0, style=lambda d: d["therapist"].astype(float))
    with pytest.raises(DataError, match=message):
        methods.by_source(frame, x, y, group="therapist")


def test_few_clusters_are_refused() -> None:
    with pytest.raises(DataError, match="400 complete rows in 3 clusters are too few"):
        methods.by_source(ratings(7, therapists=3), A, Y, group="therapist")
