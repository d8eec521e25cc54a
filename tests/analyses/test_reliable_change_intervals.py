"""The interval of a proportion of clients who share therapists."""

import numpy as np
import pytest

from inside.methods_basics import proportion, wilson


def test_wilson_interval() -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857), table I: 81/263, 15/148, 0/20, 1/29."""
    ours = [wilson(k / n, n) for k, n in [(81, 263), (15, 148), (0, 20), (1, 29)]]
    published = [(0.2553, 0.3662), (0.0624, 0.1605), (0.0, 0.1611), (0.0061, 0.1718)]
    np.testing.assert_allclose(ours, published, atol=5.1e-5)


def test_without_clusters_it_is_wilsons() -> None:
    hits = np.arange(30) < 12
    p = proportion(hits)
    np.testing.assert_allclose([p.low, p.high], wilson(0.4, 30), rtol=1e-12)
    assert p.n_effective == pytest.approx(30)
    alone = proportion(hits, np.array(["t1"] * 30, dtype=object))
    assert (alone.low, alone.high) == (p.low, p.high)


def brute_cr2(hits: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """CR2 and Satterthwaite df of an intercept from whole matrices (Pustejovsky & Tipton 2018, equations 8 and 11)."""
    n = len(hits)
    hat = np.full((n, n), 1 / n)
    rest = np.eye(n) - hat
    y = hits.astype(float)
    vectors = []
    for name in np.unique(clusters):
        own = clusters == name
        values, basis = np.linalg.eigh(rest[np.ix_(own, own)])
        adjust = basis @ np.diag(values**-0.5) @ basis.T
        vectors.append(rest[:, own] @ adjust @ np.full(own.sum(), 1 / n))
    variance = sum((v @ y) ** 2 for v in vectors)
    gram = np.array([[a @ b for b in vectors] for a in vectors])
    return float(variance), float(np.trace(gram) ** 2 / np.sum(gram**2))


def test_closed_form_of_cr2() -> None:
    rng = np.random.default_rng(4)
    clusters = np.repeat(["a", "b", "c", "d", "e"], [2, 9, 5, 1, 13]).astype(object)
    hits = rng.random(30) < 0.4
    p = proportion(hits, clusters)
    np.testing.assert_allclose([p.se**2, p.df], brute_cr2(hits, clusters), rtol=1e-12)


def test_equal_clusters_have_one_df_less_than_clusters() -> None:
    clusters = np.repeat(np.arange(8), 5).astype(object)
    hits = np.random.default_rng(1).random(40) < 0.5
    assert proportion(hits, clusters).df == pytest.approx(7)


@pytest.mark.parametrize("hits", [np.zeros(25, bool), np.ones(25, bool)])
def test_nobody_or_everybody(hits: np.ndarray) -> None:
    p = proportion(hits, np.repeat(np.arange(5), 5).astype(object))
    assert 0 <= p.low < p.high <= 1
    assert p.high - p.low > 0.1


@pytest.mark.parametrize(
    ("therapists", "mean", "share", "icc"), [(10, 8, 0.5, 0.1), (20, 10, 0.1, 0.1), (12, 15, 0.4, 0.2)]
)
def test_coverage(therapists: int, mean: int, share: float, icc: float) -> None:
    """95 % of intervals hold the truth (Monte Carlo error of 500: 1 %); at most a little too many.

    Intervals that take clients as independent hold it in 70 to 90 % here.
    """
    rng = np.random.default_rng([therapists, mean])
    inside, naive = [], []
    for _ in range(500):
        sizes = 1 + rng.poisson(mean - 1, therapists)
        own = rng.beta(share * (1 / icc - 1), (1 - share) * (1 / icc - 1), therapists)
        clusters = np.repeat(np.arange(therapists), sizes)
        hits = rng.random(len(clusters)) < own[clusters]
        p = proportion(hits, clusters.astype(object))
        inside.append(p.low <= share <= p.high)
        low, high = wilson(p.estimate, len(hits))
        naive.append(low <= share <= high)
    assert 0.93 <= np.mean(inside) <= 0.985
    assert np.mean(naive) < 0.90
