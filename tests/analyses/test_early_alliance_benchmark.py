"""The clinic's correlation placed among published ones with a known spread, and what a benchmark has to say."""

import numpy as np
import pytest
from scipy import stats

import alliance_longitudinal as al
from alliance_longitudinal import Study
from analyses.studies import value

GIVEN = "mu=0.28, se=0.012, tau2=0.025, k=295, source=A review, 2018"


@pytest.mark.parametrize(
    "asked", [GIVEN, {"mu": 0.28, "se": 0.012, "tau2": 0.025, "k": 295, "source": "A review, 2018"}]
)
def test_the_place_by_hand_and_by_meta_analysis(clinic: Study, asked: object) -> None:
    found = al.early_alliance(clinic, benchmark=asked, sensitivity=False)
    z = np.arctanh(value(found, "r_zero"))
    half = (np.arctanh(value(found, "r_zero", "ci_high")) - np.arctanh(value(found, "r_zero", "ci_low"))) / 2
    v = (half / stats.t.ppf(0.975, value(found, "r_zero", "df"))) ** 2
    mu = np.arctanh(0.28)
    assert value(found, "bench_percentile") == pytest.approx(
        stats.norm.cdf((z - mu) / np.sqrt(0.025 + 0.012**2 + v)), rel=1e-6
    )
    drawn = mu + 0.025 / (0.025 + v) * (z - mu)
    assert value(found, "r_shrunken") == pytest.approx(np.tanh(drawn), rel=1e-6)
    error = np.sqrt(0.025 * v / (0.025 + v) + (v / (0.025 + v) * 0.012) ** 2)
    assert value(found, "r_shrunken", "ci_low") == pytest.approx(np.tanh(drawn - 1.959964 * error), rel=1e-6)
    said = next(
        s for s in found.answer if s.startswith("Computed as in published studies, the correlation is")
    )
    assert "within the range expected of studies of this size" in said
    table = next(t for t in found.tables if t.name == "correlations")
    assert "Benchmark: A review, 2018 (benchmark, not this study)" in table.to_frame()["label"].tolist()
    assert table.note.endswith("Published: A review, 2018.")
    assert found.parameters["benchmark"] == GIVEN


def test_shrinkage_is_that_of_a_meta_analysis() -> None:
    """`methods.meta_analysis(...).place` with the same mean, spread and error."""
    from inside.analyses_kit import given_benchmark, place

    rng = np.random.default_rng(1)
    variances = np.full(40, 0.01)
    z = 0.28 + rng.normal(0, np.sqrt(0.03), 40)
    found = al.methods.meta_analysis(z, variances)
    mine = given_benchmark(f"mu={np.tanh(found.mu)}, se={found.se}, tau2={found.tau2}")
    percentile, r, low, high = place(mine, 0.5, 0.02)
    theirs = found.place(0.5, 0.02)
    assert percentile == pytest.approx(stats.norm.cdf(theirs.z), rel=1e-6)
    assert np.arctanh(r) == pytest.approx(theirs.shrunken, rel=1e-6)
    assert low < r < high


def test_an_unusual_clinic_is_outside(clinic: Study) -> None:
    found = al.early_alliance(clinic, benchmark="mu=-0.5, se=0.01, tau2=0.001", sensitivity=False)
    assert any("It lies outside the range expected" in s for s in found.answer)
    plain = al.early_alliance(clinic, benchmark="none", sensitivity=False)
    assert "bench_percentile" not in set(plain.estimates["id"])
    assert (
        "give a benchmark with tau2 to place it"
        in next(t for t in plain.tables if t.name == "correlations").note
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("mu=0.3, se=0.01", "Parameter 'benchmark': tau2 is missing; give it as mu=0.278"),
        (
            "mu=0.3, se=0.01, tau=0.1",
            "Parameter 'benchmark': there is no 'tau' in a benchmark; give it as mu=0.278",
        ),
        ("mu=x, se=0.01, tau2=0.1", "Parameter 'benchmark': mu, se, tau2 and k are numbers; give it as"),
        (
            "mu=1.2, se=0.01, tau2=0.1",
            "Parameter 'benchmark': mu is a correlation between -1 and 1, and neither se nor tau2 is below 0",
        ),
    ],
)
def test_benchmarks_that_cannot_be_used(clinic: Study, asked: str, words: str) -> None:
    with pytest.raises(al.StudyError) as error:
        al.early_alliance(clinic, benchmark=asked)
    assert str(error.value).startswith(words)
