"""Every kind of fit is asked every question: a finite answer, or a sentence that names the reason."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from engine.designs import three_levels

GROWTH = "y ~ week * arm + (1 + week | outer/inner)"
PLAIN = "y ~ week * arm + (1 | outer/inner)"
COUNTS = "count ~ week + arm + (1 | outer)"
LEADERS = {"leader": al.MultipleMembership(["outer", "second"], ["w1", "w2"])}


@pytest.fixture(scope="module")
def frame():
    frame = three_levels(11, outer=7, inner=4, rows=5)
    rng = np.random.default_rng(1)
    frame["arm"] = np.where(frame["arm"] == 1, "a", "b")
    frame["off"] = rng.normal(size=len(frame))
    frame["second"] = (frame["outer"].where(rng.random(len(frame)) < 0.3) + 1) % 7
    frame["w1"], frame["w2"] = (
        np.where(frame["second"].isna(), 1.0, 0.6),
        np.where(frame["second"].isna(), np.nan, 0.4),
    )
    frame["count"] = rng.poisson(2, len(frame))
    frame["level"] = pd.Categorical(rng.choice(["low", "mid", "top"], len(frame)), ordered=True)
    return frame


@pytest.fixture(scope="module")
def path(frame, tmp_path_factory):
    where = tmp_path_factory.mktemp("rows") / "rows.parquet"
    frame.assign(inner=frame["unique"]).drop(columns="level").to_parquet(where)
    return where


def fit(formula, frame, options=None, **model):
    return al.MixedModel.from_formula(formula, frame, **model).fit(**(options or {}))


KINDS = {
    "nested": lambda frame, _: fit(GROWTH, frame),
    "maximum likelihood": lambda frame, _: fit(GROWTH, frame, {"reml": False}, weights="w"),
    "kenward-roger": lambda frame, _: fit(PLAIN, frame, {"df": "kenward-roger"}, offset="off"),
    "normal": lambda frame, _: fit("y ~ week * arm + (1 + week || unique)", frame, {"df": "normal"}),
    "CR2": lambda frame, _: fit(PLAIN, frame, {"cov_type": "CR2", "cov_groups": "outer"}),
    "crossed": lambda frame, _: fit("y ~ week * arm + (1 + week | unique) + (1 | item)", frame),
    "members": lambda frame, _: fit(
        "y ~ week * arm + (1 | unique) + (1 | leader)", frame, membership=LEADERS
    ),
    "AR1": lambda frame, _: fit(PLAIN, frame, residual=al.AR1("week")),
    "strata": lambda frame, _: fit(PLAIN, frame, residual=al.VarIdent("arm")),
    "batches": lambda _, path: al.MixedModel.from_parquet(GROWTH, path).fit(),
    "counts": lambda frame, _: fit(COUNTS, frame, family="poisson"),
    "ordered": lambda frame, _: fit("level ~ week + (1 | outer)", frame, family="ordinal"),
}

#: A question -> how it is asked of a fit; ``new`` are rows of a known, a partly new and a new group.
QUESTIONS = {
    "cov_params": lambda res, _: res.cov_params(),
    "wald": lambda res, _: res.conf_int(),
    "profile": lambda res, _: res.conf_int(method="profile", which=[res.params.index[-1]]),
    "paths": lambda res, _: res.profile([res.params.index[-1]]),
    "bootstrap": lambda res, _: res.conf_int(method="bootstrap", n_boot=3, seed=1),
    "cluster": lambda res, _: res.conf_int(method="bootstrap", n_boot=3, seed=1, kind="cluster"),
    "case": lambda res, _: res.bootstrap(3, seed=1, kind="case").params,
    "bca": lambda res, _: res.conf_int(method="bootstrap", n_boot=20, seed=1, interval="bca")[
        ["lower", "upper"]
    ].iloc[0],
    "contrast": lambda res, _: res.contrast({res.params.index[-1]: 1.0}),
    "f_test": lambda res, _: res.f_test(np.eye(len(res.params))[-2:]),
    "means": lambda res, _: res.means(["arm", "week"], at={"week": [0, 3]}, by="week").pairs().dropna(axis=1),
    "slopes": lambda res, _: res.slopes("week", "arm").pairs(),
    "variance_tests": lambda res, _: res.variance_tests("mixture"),
    "predict": lambda res, new: res.predict(new),
    "predict_fixed": lambda res, new: res.predict(new, groups=False),
    "predict_rows": lambda res, _: res.predict(),
    "confidence": lambda res, new: res.predict(new, interval="confidence"),
    "prediction": lambda res, new: res.predict(new, interval="prediction"),
    "prediction_boot": lambda res, new: res.predict(new, interval="prediction", n_boot=3, seed=1),
    "simulate": lambda res, _: res.simulate(1, seed=1),
    "refit": lambda res, _: res.refit(res.simulate(1, seed=1).iloc[:, 0]).params,
    "influence": lambda res, _: res.influence(res.groups[-1]).params,
    "influence_fixed": lambda res, _: res.influence(res.groups[-1], "fixed").params,
    "residuals": lambda res, _: res.residuals("whitened"),
    "envelope": lambda res, _: res.envelope(n=19, seed=1).frame,
    "caterpillar": lambda res, _: res.caterpillar(res.groups[-1], n_draws=20).frame,
    "caterpillar_fixed": lambda res, _: (
        res.caterpillar(res.groups[-1], n_draws=20, fixed_uncertainty=True).frame
    ),
    "icc": lambda res, _: res.icc(),
    "icc_at": lambda res, _: res.icc(at={"week": 2}),
    "icc_boot": lambda res, _: res.icc(3, seed=1),
    "r2": lambda res, _: res.r2(),
    "tidy": lambda res, _: res.tidy(),
    "summary": lambda res, _: len(res.summary()) + len(res._repr_html_()),
    "to_dict": lambda res, _: len(json.dumps(res.to_dict(), allow_nan=False)),
    "effects": lambda res, _: (res.random_effects, res.random_effects_sd),
    "fitted": lambda res, _: res.fittedvalues,
    "resid": lambda res, _: res.resid,
    "structure": lambda res, _: res.residual_parameters,
    "dropped": lambda res, _: res.dropped_rows,
    "pool": lambda res, _: al.pool([res, res]).tidy(),
    "scale": lambda res, _: (res.deviance, res.aic, res.bic, res.scale),
}

_ROWS = "keeps no rows|need the data of the fit|need the rows|needs rows"
_NESTED = "nested in the next|nested in each other|Use method='refit'"
_SLOPE = "which has no random slope"
_LINEAR = "not available for generalised models"

#: Kind -> reason -> the questions that are refused for it; every other question has a finite answer.
REFUSED = {
    "kenward-roger": {_SLOPE: "icc_at"},
    "CR2": {_SLOPE: "icc_at"},
    "crossed": {_NESTED: "cluster case bca influence_fixed"},
    "members": {_NESTED: "cluster case bca influence_fixed", _SLOPE: "icc_at"},
    "AR1": {
        "bootstrap is not available for a fit with residual|BCa intervals": "cluster case bca",
        _NESTED: "influence_fixed",
        _SLOPE: "icc_at",
    },
    "strata": {
        "bootstrap is not available for a fit with residual|BCa intervals": "cluster case bca",
        _NESTED: "influence_fixed",
        _SLOPE: "icc_at",
    },
    "batches": {
        _ROWS: "cluster case bca means slopes predict_rows confidence prediction prediction_boot simulate refit influence "
        "influence_fixed residuals envelope caterpillar_fixed fitted resid"
    },
    "counts": {
        _LINEAR: "paths cluster case bca means slopes variance_tests confidence prediction prediction_boot refit influence "
        "influence_fixed residuals envelope caterpillar caterpillar_fixed icc icc_at icc_boot r2 resid structure scale",
    },
}
REFUSED["ordered"] = {
    reason: " ".join(q for q in each.split() if q not in ("icc", "icc_boot"))
    for reason, each in REFUSED["counts"].items()
}

#: Infinite on purpose: degrees of freedom of normal tests; and what a family has not.
INFINITE = {"df", "dispersion", "df_den"}


def numbers(value):
    """All numbers of an answer, but those that are infinite on purpose."""
    match value:
        case pd.DataFrame():
            return np.concatenate([numbers(value[c]) for c in value if c not in INFINITE] or [np.zeros(0)])
        case pd.Series() | np.ndarray():
            return np.asarray(value, dtype=float).ravel() if value.dtype.kind == "f" else np.zeros(0)
        case dict():
            return np.concatenate([numbers(each) for each in value.values()])
        case tuple():
            return np.concatenate([numbers(each) for each in value])
        case float() | int():
            return np.array([float(value)])
    assert dataclasses.is_dataclass(value)
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name not in INFINITE}
    return numbers({k: v for k, v in fields.items() if isinstance(v, float)})


@pytest.mark.parametrize("kind", KINDS)
def test_every_question_has_a_finite_answer_or_a_reason(kind, frame, path):
    res = KINDS[kind](frame, path)
    new = frame.head(3).assign(outer=[0, 0, 77], inner=[0, 55, 0], second=np.nan, w1=1.0, w2=np.nan)
    new["unique"] = ["0-0", "0-55", "77-0"]
    if kind == "batches":
        new["inner"] = new["unique"]
    reasons = {q: reason for reason, each in REFUSED.get(kind, {}).items() for q in each.split()}
    wrong = []
    for question, ask in QUESTIONS.items():
        try:
            found = numbers(ask(res, new))
        except al.FitError as error:
            if not any(part in str(error) for part in reasons.get(question, "not refused").split("|")):
                wrong.append(f"{question}: {error}")
            continue
        if question in reasons:
            wrong.append(f"{question}: answered, but said to be refused")
        elif not np.isfinite(found).all():
            wrong.append(f"{question}: not finite")
    assert not wrong, "\n".join(wrong)


def test_two_kinds_of_fit_are_not_compared(frame, path):
    linear, counts = KINDS["nested"](frame, path), KINDS["counts"](frame, path)
    for one, other in ((linear, counts), (counts, linear)):
        with pytest.raises(al.FitError, match=r"compares two fits of the same kind; these are a .* and a "):
            one.lrt(other)


def test_counts_with_different_offsets_are_not_compared(frame, path):
    one = KINDS["counts"](frame, path)
    other = fit("count ~ week + (1 | outer)", frame, family="poisson", offset="off")
    with pytest.raises(al.FitError, match="different offsets"):
        one.lrt(other)


def test_what_only_linear_models_have_is_absent_elsewhere(frame, path):
    counts = KINDS["counts"](frame, path)
    assert not hasattr(counts, "r2")
    with pytest.raises(AttributeError, match="has no attribute 'iccs'"):
        counts.iccs  # noqa: B018


def test_a_variable_of_means_may_be_named_twice(frame, path):
    res = KINDS["nested"](frame, path)
    twice = res.means(["arm", "week", "arm"], at={"week": [0, 3]}, by="week")
    once = res.means("arm", at={"week": [0, 3]}, by="week")
    pd.testing.assert_frame_equal(twice.frame, once.frame)


def test_small_strata_are_named_only_where_there_are_strata():
    frame = three_levels(2, outer=3, inner=1, rows=3)
    res = fit("y ~ 1 + (1 | outer)", frame, {"require_certificate": False}, residual=al.CAR1("week"))
    assert len(frame) < 10
    assert not any(found.code == "few_rows_in_stratum" for found in res.findings)
