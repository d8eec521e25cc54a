"""The few distributions of the engine are those of scipy.stats, at the ends of their ranges too."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from inside.engine_distributions import distributions

X = np.array([-40.0, -3, -1e-9, 0, 0.5, 2, 8, 200, np.inf, -np.inf, np.nan])
P = np.array([0.0, 1e-12, 0.025, 0.5, 0.975, 1.0])


@pytest.mark.parametrize("df", [0.3, 1.0, 2.5, 17.0, 1e6, np.inf])
def test_student_and_fisher(df):
    np.testing.assert_allclose(distributions.t.sf(X, df), stats.t.sf(X, df), rtol=1e-12)
    np.testing.assert_allclose(distributions.t.ppf(P, df), stats.t.ppf(P, df), rtol=1e-12)
    expected = stats.chi2.sf(3 * X, 3) if np.isinf(df) else stats.f.sf(X, 3, df)
    np.testing.assert_allclose(distributions.f.sf(X, 3, df), expected, rtol=1e-12)


def test_normal_and_chi_square():
    np.testing.assert_allclose(distributions.norm.cdf(X), stats.norm.cdf(X), rtol=1e-12)
    np.testing.assert_allclose(distributions.norm.sf(X), stats.norm.sf(X), rtol=1e-12)
    np.testing.assert_allclose(distributions.norm.ppf(P), stats.norm.ppf(P), rtol=1e-12)
    np.testing.assert_allclose(
        distributions.chi2.sf(X, [[1], [4.5]]), stats.chi2.sf(X, [[1], [4.5]]), rtol=1e-12
    )
    np.testing.assert_allclose(distributions.chi2.ppf(P, 2), stats.chi2.ppf(P, 2), rtol=1e-12)


def test_quantiles_of_fisher_and_counts_of_poisson():
    for q in (0.025, 0.5, 0.975):
        for df in (1.0, 7.5, 1e4):
            np.testing.assert_allclose(distributions.f.ppf(q, 3, df), stats.f.ppf(q, 3, df), rtol=1e-12)
    counts = np.array([-1.0, 0, 0.5, 2, 11, 300])
    for mean in (0.0, 0.4, 7.0, 250.0):
        np.testing.assert_allclose(
            distributions.poisson.sf(counts, mean), stats.poisson.sf(counts, mean), rtol=1e-12
        )


def test_the_rest_comes_from_scipy():
    assert distributions.rankdata([3, 1, 2]).tolist() == [3, 1, 2]


def test_a_model_does_not_load_scipy_stats_nor_the_compiler():
    code = (
        "import sys, pandas as pd, alliance_longitudinal as al;"
        "d = pd.DataFrame({'y': [3.0, 5, 4, 8, 6, 7], 'g': list('aabbcc')});"
        "al.MixedModel.from_formula('y ~ 1 + (1 | g)', d).fit().summary();"
        "print([m for m in ('scipy.stats', 'numba', 'statsmodels', 'pyarrow.dataset', 'dask') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
