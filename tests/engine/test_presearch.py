"""A large fit starts at the optimum of a sample of its top groups; the answer is that of the full search."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import GROWTH, face_of, three_levels
from inside.engine_design import design, groups
from inside.engine_search import presearch, profiled, search
from inside.engine_statistics import basis
from inside.engine_statistics import nested as blocks

SMALL = Path(__file__).parents[1] / "reference" / "small"


def large(formula=GROWTH, outer=200, truth=(1.0, 1.0)):
    _, made = design.learn(formula, three_levels(8, outer=outer, inner=6, truth=truth))
    made_basis = basis.in_one_pass(made, groups.chain_of(list(made.factors)))
    return made_basis, blocks.build(made, made_basis)


@pytest.mark.parametrize(
    "formula", [GROWTH, "y ~ week + (1 + week | unique)", "y ~ week + (week || outer/inner)"]
)
@pytest.mark.parametrize("truth", [(1.0, 1.0), (0.0, 1.0)])
def test_the_optimum_is_that_of_the_full_search(formula, truth):
    made_basis, made = large(formula, truth=truth)
    face = face_of(made_basis, made)
    evaluate = presearch.Remembered(made, True)
    ours = presearch.find(evaluate, face, False)
    full = search(lambda relative, order: profiled(made, relative, True, order), face, True)
    assert np.isnan(ours.starts[0])
    assert ours.best.certificate.holds
    assert ours.best.value == pytest.approx(full.best.value, abs=1e-8)
    assert ours.best.face.ranks == full.best.face.ranks
    for a, b in zip(ours.best.relative, full.best.relative, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    if truth[0]:
        assert ours.evaluations < full.evaluations


def test_a_sample_is_whole_top_groups():
    _, made = large()
    some = presearch.sample(made)
    assert some.levels[-1].size == 50
    assert some.levels[0].size == len(some.w) == len(some.products.packed) == some.levels[0].starts[-1]
    outer = some.levels[1].labels
    assert len(np.unique(outer)) == 50
    for place, label in enumerate(outer):
        (there,) = np.flatnonzero(made.levels[1].labels == label)
        a, b = some.levels[0].starts[place : place + 2]
        c, d = made.levels[0].starts[there : there + 2]
        np.testing.assert_array_equal(some.w[a:b], made.w[c:d])
        np.testing.assert_allclose(some.s[place], made.s[there], atol=1e-9)


def test_few_top_groups_and_small_fits_have_no_sample():
    made_basis, made = large(outer=100)
    assert presearch.sample(made) is None
    assert presearch.sample_start(made, face_of(made_basis, made), True) is None


def test_a_sample_without_a_column_is_no_start():
    frame = three_levels(8, outer=200, inner=6)
    frame["rare"] = np.where(frame["outer"] == 1, frame["week"] - 1.0, 0.0)
    _, made = design.learn("y ~ week + rare + (1 | outer/inner)", frame)
    made_basis = basis.in_one_pass(made, groups.chain_of(list(made.factors)))
    made_blocks = blocks.build(made, made_basis)
    assert presearch.sample_start(made_blocks, face_of(made_basis, made_blocks), True) is None


def test_the_last_evaluations_are_remembered():
    made_basis, made = large()
    evaluate = presearch.Remembered(made, True)
    relative = [np.eye(len(b)) for b in made_basis.b]
    assert evaluate(relative, 2) is evaluate([d.copy() for d in relative], 1)
    assert evaluate([2 * d for d in relative], 1).value != evaluate(relative, 2).value


def test_moments_of_balanced_groups_are_nearly_the_optimum():
    frame = pd.read_csv(SMALL / "sleepstudy.csv")
    fit = al.MixedModel.from_formula("Reaction ~ Days + (Days | Subject)", frame).fit().fit
    start = presearch.moment_start(fit.blocks, fit.record.best.face)
    # Balanced, but the fixed effects take a degree of freedom: off by 1 in 18 groups.
    np.testing.assert_allclose(start[0], fit.record.best.relative[0], rtol=0.1)
    assert np.isnan(fit.record.starts[0])
    apart = al.MixedModel.from_formula("Reaction ~ Days + (Days || Subject)", frame).fit().fit
    both = presearch.moment_start(apart.blocks, apart.record.best.face)
    assert [d.shape for d in both] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("formula", "rows"),
    [
        ("Reaction ~ Days + (Days | Subject)", lambda d: d.groupby("Subject").head(2)),  # nothing left over
        ("Reaction ~ Days + (Days | Subject)", lambda d: d.drop(index=range(1, 10))),  # one row in a group
        ("Reaction ~ 1 + (1 | Days/Subject)", lambda d: d),  # two levels
    ],
)
def test_where_moments_say_nothing_the_search_starts_as_ever(formula, rows):
    frame = rows(pd.read_csv(SMALL / "sleepstudy.csv"))
    if "Days/" in formula:
        frame = frame.loc[frame.index.repeat(2)].assign(
            Reaction=lambda d: d["Reaction"] + np.arange(len(d)) % 2
        )
    made_design = design.learn(formula, frame)[1]
    made_basis = basis.build(made_design)
    made = blocks.build(made_design, made_basis)
    assert presearch.moment_start(made, face_of(made_basis, made)) is None


def two_crossed(rows=4000, levels=(80, 60), sd=(0.8, 0.5), seed=5):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(k, size=rows) for k in levels)
    y = rng.normal(size=levels[0])[a] * sd[0] + rng.normal(size=levels[1])[b] * sd[1] + rng.normal(size=rows)
    return pd.DataFrame({"y": 3 + y, "a": a, "b": b})


@pytest.mark.parametrize(
    "sd", [(0.8, 0.5), (0.0, 0.7), (0.0, 0.0), (6.0, 0.1)], ids=["both", "second", "none", "very different"]
)
def test_crossed_factors_start_at_their_moments_and_end_at_the_same_optimum(sd, monkeypatch):
    model = al.MixedModel.from_formula("y ~ 1 + (1 | a) + (1 | b)", two_crossed(sd=sd), crossed=True)
    res = model.fit()
    start = presearch.moment_start(res.fit.blocks, face_of(res.fit.basis, res.fit.blocks))
    monkeypatch.setattr(presearch, "moment_start", lambda *_: None)
    plain = model.fit()
    assert res.deviance == pytest.approx(plain.deviance, abs=1e-8)
    np.testing.assert_allclose(np.ravel(res.fit.psi), np.ravel(plain.fit.psi), rtol=1e-6, atol=1e-9)
    assert res.optimization.evaluations <= plain.optimization.evaluations
    if min(sd) > 0.2:  # inside, near the truth: no more than half the way
        found = [float(d[0, 0]) for d in res.fit.record.best.relative]
        np.testing.assert_allclose([float(d[0, 0]) for d in start], found, rtol=0.15)
        assert res.optimization.evaluations <= 5 < plain.optimization.evaluations


def test_crossed_slopes_have_no_moments():
    frame = two_crossed(rows=600)
    frame["t"] = np.arange(600) % 5.0
    res = al.MixedModel.from_formula("y ~ t + (t | a) + (1 | b)", frame, crossed=True).fit()
    assert presearch.moment_start(res.fit.blocks, face_of(res.fit.basis, res.fit.blocks)) is None
