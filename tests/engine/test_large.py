"""A large fit by every quick way together: the numbers of the plain way, whatever the threads and kinds of id."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from inside import MANY_LEAVES
from inside.engine_linalg import kernels
from inside.engine_statistics import basis

FORMULA = "y ~ week * a + (1 + week | outer/inner)"


@pytest.fixture(scope="module")
def frame():
    """200 top groups of 20 groups of 4 rows; ids as text."""
    rng = np.random.default_rng(4)
    outer, inner = np.repeat(np.arange(200), 80), np.repeat(np.arange(4000), 4)
    week, a = np.tile(np.arange(4.0), 4000) + rng.normal(size=16_000), rng.normal(size=4000)[inner]
    b, c = rng.normal(size=(200, 2)), rng.normal(size=(4000, 2))
    y = (
        9
        + a * week
        + b[outer, 0]
        + c[inner, 0]
        + (b[outer, 1] + c[inner, 1]) * week
        + rng.normal(size=16_000)
    )
    return pd.DataFrame({"y": y, "week": week, "a": a, "outer": outer, "inner": inner})


def test_the_quick_way_is_the_plain_way(frame, monkeypatch):
    quick = al.MixedModel.from_formula(FORMULA, frame).fit(df="kenward-roger")
    assert quick.fit.blocks.products is not None
    for module in (kernels, basis):
        monkeypatch.setattr(module, "MANY_LEAVES", 10**9)
    monkeypatch.setattr(MANY_LEAVES, 10**9)
    plain = al.MixedModel.from_formula(FORMULA, frame).fit(df="kenward-roger")
    assert plain.fit.blocks.products is None
    assert quick.deviance == pytest.approx(plain.deviance, rel=1e-11)
    # Both optima are certified to a decrement of 1e-10 of the deviance.
    np.testing.assert_allclose(quick.params, plain.params, rtol=1e-7)
    np.testing.assert_allclose(quick.bse, plain.bse, rtol=1e-6)
    np.testing.assert_allclose(quick.df, plain.df, rtol=1e-5)
    np.testing.assert_allclose(quick.varcorr["vcov"], plain.varcorr["vcov"], rtol=1e-5)
    np.testing.assert_allclose(quick.fittedvalues, plain.fittedvalues, atol=1e-5)


@pytest.mark.parametrize("kind", ["text", "category", "shuffled"])
def test_kinds_and_order_of_ids_do_not_matter(frame, kind):
    expected = al.MixedModel.from_formula(FORMULA, frame).fit()
    other = frame.assign(outer="o" + frame["outer"].astype(str), inner="i" + frame["inner"].astype(str))
    if kind == "category":
        other = other.astype({"outer": "category", "inner": "category"})
    if kind == "shuffled":
        other = frame.sample(frac=1, random_state=0)
    found = al.MixedModel.from_formula(FORMULA, other).fit()
    assert found.deviance == pytest.approx(expected.deviance, rel=1e-11)
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-7)


def test_the_number_of_threads_does_not_change_a_digit(frame, tmp_path):
    frame.to_parquet(tmp_path / "rows.parquet")
    code = (
        "import json, sys, pandas as pd, alliance_longitudinal as al;"
        f"r = al.MixedModel.from_formula({FORMULA!r}, pd.read_parquet(sys.argv[1])).fit();"
        "b = r.bootstrap(6, seed=1);"
        "print(json.dumps([r.deviance, *r.params, *r.bse, *r.df, *r.varcorr['vcov'], *b.params.to_numpy().ravel(),"
        " *b.varcorr.to_numpy().ravel()]))"
    )
    found = []
    for threads in ("1", "2"):
        environment = __import__("os").environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-c", code, str(tmp_path / "rows.parquet")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
