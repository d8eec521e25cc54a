"""Random designs, well and ill behaved: the numbers of the dense likelihood, or a sentence; never anything else."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alliance_longitudinal as al
from engine.crossing_designs import MEMBERSHIP, PARTS, crossing_frame, crossing_of, dense_deviance, learned
from engine.designs import random_relative
from inside.engine_search import profiled

TROUBLE = [
    "none",
    "constant",
    "collinear",
    "missing",
    "infinite",
    "one group",
    "more columns than rows",
    "one row a group",
    "huge ids",
    "constant response",
    "empty categories",
    "single row",
]


def refused(call):
    """What a call returns, or the sentence by which it is refused."""
    try:
        return call()
    except (al.FitError, al.FormulaError) as error:
        return str(error)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    part=st.sampled_from(PARTS),
    reml=st.booleans(),
    weights=st.sampled_from([None, "w"]),
    units=st.integers(3, 15),
    rows=st.integers(1, 4),
)
def test_random_designs_equal_the_dense_likelihood(seed, part, reml, weights, units, rows):
    frame = crossing_frame(seed, units=units, rows=rows, moved=min(2, units))
    made = refused(lambda: crossing_of(f"y ~ t + {part}", frame, weights))
    if isinstance(made, str):
        assert made.endswith((".", "..."))
        return
    design, basis, made = made
    relative = random_relative(basis, np.random.default_rng(seed), zero=bool(seed % 2))
    criterion = profiled(made, relative, reml, 1)
    if not np.isfinite(criterion.value):  # no residual is left
        assert len(frame) <= design.x.shape[1] + 1
        return
    oracle, ours, _, _ = dense_deviance(design, basis, criterion, relative, reml)
    assert ours == pytest.approx(oracle, abs=1e-8)


def troubled(trouble, seed):
    frame = crossing_frame(seed, units=9, rows=3)
    rng = np.random.default_rng(seed)
    match trouble:
        case "constant":
            frame["x"] = 7.0
        case "collinear":
            frame["x"] = 2 * frame["t"] - 1
        case "missing":
            frame[["x", "t", "y", "l1"][seed % 4]] = np.nan
        case "infinite":
            frame.loc[frame.index[-1], ["x", "y"][seed % 2]] = np.inf
        case "one group":
            frame[["unit", "outer", "item"][seed % 3]] = 1
        case "more columns than rows":
            frame["x"] = [f"category {i}" for i in range(len(frame))]
        case "one row a group":
            frame["unit"] = np.arange(len(frame))
        case "huge ids":
            number = (frame["unit"] - 2**62).to_numpy()
            high = np.uint64(2**64 - 1) - number.astype(np.uint64)
            frame["unit"] = high if seed % 2 else np.iinfo(np.int64).min + number
            frame["outer"] = np.iinfo(np.int64).min + frame["outer"]
        case "constant response":
            frame["y"] = 4.0
        case "empty categories":
            frame["item"] = pd.Categorical(frame["item"], categories=[f"i{j}" for j in range(20)])
            frame["outer"] = frame["outer"].astype("Int64")
        case "single row":
            frame = frame.iloc[[rng.integers(len(frame))]]
    return frame


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), part=st.sampled_from(PARTS), trouble=st.sampled_from(TROUBLE))
def test_trouble_gets_a_fit_or_a_sentence(seed, part, trouble):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        frame = troubled(trouble, seed)
    formula = f"y ~ t + x + {part}"
    used = {name: how for name, how in MEMBERSHIP.items() if name in formula}
    res = refused(
        lambda: al.MixedModel.from_formula(formula, frame, membership=used or None, crossed=True).fit()
    )
    if isinstance(res, str):
        assert res.endswith((".", "?"))
        assert not any(word in res for word in ("Traceback", "dtype", "ndarray", "LinAlg", "shape"))
        return
    assert res.converged
    assert np.isfinite(res.deviance)
    assert np.isfinite(res.fittedvalues).all()
    design = learned(formula, frame)
    assert len(design.y) == res.nobs
    np.testing.assert_allclose(res.predict(frame).dropna(), res.fittedvalues, atol=1e-6)


def test_huge_ids_are_kept_apart():
    frame = crossing_frame(4)
    top = np.array([2**64 - 1 - i for i in range(len(frame))], dtype="uint64")
    low = frame.assign(unit=top[frame["unit"] - 2**62])
    formula = "y ~ t + (1 | unit) + (1 | item)"
    one = al.MixedModel.from_formula(formula, frame).fit()
    other = al.MixedModel.from_formula(formula, low).fit()
    assert one.deviance == pytest.approx(other.deviance, abs=1e-8)
    assert set(other.random_effects["unit"].index) == set(low["unit"])
