"""The measurement analysis of a study: what is said, and what is said to be missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import AnalysisResult, Study, measurement
from alliance_longitudinal.data import Measure
from alliance_longitudinal.errors import StudyError
from analyses.studies import value, with_sessions
from inside.analyses_measurement import Answers, Found, _improper, compare, side_by_side, words
from inside.data_demo import demo_study_path
from inside.methods_fiml import patterns, saturated
from inside.methods_psychometrics import Model, correlated_factors, fit_factors

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "implement_gad"
DATA = "implement_gad_sessions_rescaled.csv"
ITEMS = 6
SUBSCALES = {"goal": (1, 2, 3), "bond": (4, 5, 6)} | {f"item_{k}": (k,) for k in range(1, ITEMS + 1)}


def simulated(
    clinic: Study, clients: int = 200, sessions: int = 4, seed: int = 3, shift: float = 0.0
) -> Study:
    """Two correlated factors of three items; ``shift`` adds to item 2 from session 2 on, which breaks equal intercepts."""
    rng = np.random.default_rng(seed)
    trait = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], clients)
    rows = []
    for c in range(clients):
        for s in range(1, sessions + 1):
            now = trait[c] + rng.multivariate_normal([0, 0], [[0.5, 0.2], [0.2, 0.5]])
            answers = np.repeat(now, 3) * np.tile([1.0, 0.8, 0.9], 2) + rng.normal(0, 0.6, ITEMS)
            answers[1] += shift * (s >= 2)
            rows.append((f"c{c}", f"t{c % 10}", s, float(s), *answers))
    names = [f"wai_item_{k}" for k in range(1, ITEMS + 1)]
    frame = pd.DataFrame(rows, columns=["client", "therapist", "session", "week", *names])
    frame["wai"] = frame[names].sum(axis=1)
    frame["wai_goal"], frame["wai_bond"] = frame[names[:3]].sum(axis=1), frame[names[3:]].sum(axis=1)
    holes = rng.random((len(frame), ITEMS)) < 0.05
    frame[names] = frame[names].mask(holes)
    old = clinic.measures["alliance"]
    instrument = replace(old.instrument, label="Test alliance", n_items=ITEMS, subscales=SUBSCALES)
    measures = {"wai": Measure("wai", "alliance", "client", instrument)}
    return replace(clinic, measures=measures, _sessions=frame, early_window=(1, 3))


@pytest.fixture(scope="module")
def study(clinic: Study) -> Study:
    return simulated(clinic)


@pytest.fixture(scope="module")
def result(study: Study) -> AnalysisResult:
    return measurement(study, sessions=(1, 3))


def test_reliability_is_that_of_the_simulation(result: AnalysisResult) -> None:
    """Alpha of two scales with loadings 1, .8 and .9, factors of variance 1.5 and covariance .7, residual variance .36."""
    items = 2 * (1 + 0.8**2 + 0.9**2) * 1.5 + 6 * 0.36
    total = 2 * 2.7**2 * (1.5 + 0.7) + 6 * 0.36
    true = 6 / 5 * (1 - items / total)
    low, high = (value(result, "alpha_session_1", end) for end in ("ci_low", "ci_high"))
    assert low < true < high
    assert high - low < 0.08  # 200 clients
    # Change: per answer, sessions within clients vary by 0.49 * (mean loading)^2 * (0.5 + 0.2) / 2 + ...; between 0 and 1.
    within, between = value(result, "change_Rcn"), value(result, "change_RkRn")
    assert 0.5 < within < value(result, "alpha_session_1")
    assert within < between < 1


def test_two_factors_fit_and_one_does_not(result: AnalysisResult) -> None:
    table = result.table("factor_models").to_frame()
    first = table[table["where"] == "session 1"].set_index("model")
    assert first.loc["2 correlated factors", "p"] > 0.001
    assert first.loc["2 correlated factors", "cfi"] > 0.97 > first.loc["one factor", "cfi"]
    assert first.loc["2 correlated factors", "bic"] < first.loc["one factor", "bic"]


def test_invariance_holds_where_it_was_simulated(result: AnalysisResult) -> None:
    table = result.table("invariance").to_frame()
    assert list(table["verdict"]) == ["–", "holds", "holds"]
    assert "means may be compared" in " ".join(result.answer)


def test_shifted_intercept_is_found(clinic: Study) -> None:
    result = measurement(simulated(clinic, shift=1.2), sessions=(1, 3))
    assert list(result.table("invariance").to_frame()["verdict"]) == ["–", "holds", "does not hold"]
    assert "intercepts differ" in " ".join(result.answer)


def test_subscales_correlate_as_simulated(result: AnalysisResult) -> None:
    """Between clients .5 (n = 200: three standard errors are .16); ten therapists who do not differ."""
    assert value(result, "r_goal_bond_client") == pytest.approx(0.5, abs=0.16)


@pytest.mark.parametrize(
    ("name", "unit"), [("reliability", "reliability"), ("level_correlations", "correlation")]
)
def test_tables_show_the_estimates_of_their_kind(result: AnalysisResult, name: str, unit: str) -> None:
    shown = result.table(name).to_frame()
    own = result.estimates[result.estimates["unit"] == unit]
    assert shown["label"].tolist() == own["label"].tolist()
    np.testing.assert_allclose(shown["estimate"].astype(float), own["estimate"], equal_nan=True)
    assert len(own) >= 2


def test_the_study_is_left_unchanged(study: Study, result: AnalysisResult) -> None:
    before = study.sessions
    measurement(study, sessions=(1,))
    pd.testing.assert_frame_equal(before, study.sessions)
    names = set(study.sessions["client"])
    said = {str(cell) for t in result.tables for row in t.rows for cell in row}
    assert not names & said


def test_without_items_the_analysis_says_so(clinic: Study) -> None:
    result = measurement(clinic)
    assert "has totals or subscales of WAI-SR, not the answers to its items" in result.answer[0]
    assert "no_items" in {f.code for f in result.notes}
    assert "alpha_session_1" not in set(result.estimates["id"])


def test_items_that_a_study_keeps_are_used() -> None:
    """The demonstration study, read with its answers: alpha is that of the raw export's complete forms."""
    path = demo_study_path()
    result = measurement(al.load_study(path, forms=True), sessions=(1, 3))
    raw = pd.read_csv(
        path.parent / "sessions.csv",
        sep=";",
        encoding="cp1252",
        na_values=["k.A.", "-99"],
        dtype={"ClientNo": str},
    )
    items = [f"WAI_{k}" for k in range(1, 13)]
    for session in (1, 3):
        x = raw.loc[raw["SessionNo"] == session, items].dropna()
        alpha = 12 / 11 * (1 - x.var().sum() / x.sum(axis=1).var())
        assert value(result, f"alpha_session_{session}") == pytest.approx(alpha, abs=1e-9)


def test_answers_entered_raw_are_turned_round(tmp_path: Path) -> None:
    """CORE-10's items 2 and 3 run against the others: alpha is that of the answers after reversal."""
    rng = np.random.default_rng(5)
    n = 90
    felt = rng.normal(0, 1, n)[:, None] + rng.normal(0, 0.7, (n, 10))
    scored = pd.DataFrame(np.clip(np.round(2 + felt), 0, 4), columns=[f"i{k}" for k in range(1, 11)])
    raw = scored.assign(i2=4 - scored["i2"], i3=4 - scored["i3"])
    raw.insert(0, "client", [f"c{k}" for k in range(n)])
    raw.insert(1, "therapist", [f"t{k % 6}" for k in range(n)])
    raw.insert(2, "session", 1)
    raw.sample(frac=1, random_state=1).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "study.yaml").write_text(
        "study: reversed items\ntables:\n  sessions:\n    file: rows.csv\n    columns: {client: client, therapist: therapist, "
        "session: session}\nmeasures:\n  core: {instrument: core_10, rater: client, items: 'i{item}', entry: raw}\n",
        encoding="utf-8",
    )
    result = measurement(al.load_study(tmp_path / "study.yaml", forms=True), measure="core", sessions=(1,))
    alpha = 10 / 9 * (1 - scored.var().sum() / scored.sum(axis=1).var())
    assert value(result, "alpha_session_1") == pytest.approx(alpha, abs=1e-9)


def test_constant_items_and_few_forms_are_said(study: Study) -> None:
    sessions = study.sessions
    sessions["wai_item_6"] = 3.0
    keep = sessions["client"].isin([f"c{k}" for k in range(25)])
    result = measurement(with_sessions(study, sessions[keep].reset_index(drop=True)), sessions=(1, 3))
    codes = {f.code for f in result.notes}
    assert {"constant_items", "few_clients_for_invariance"} <= codes
    assert any("item 6" in f.message for f in result.notes if f.code == "constant_items")
    # Three items of goal are too many for 25 clients; two varying ones of bond at two sessions determine no model.
    assert "invariance_not_tested" in codes
    assert "invariance" not in {t.name for t in result.tables}
    few = sessions[keep & (sessions["session"].ne(3) | sessions["client"].isin(["c0", "c1", "c2"]))]
    result = measurement(with_sessions(study, few.reset_index(drop=True)), sessions=(1, 3))
    assert "few_forms" in {f.code for f in result.notes}


def test_items_that_say_nothing_more_are_said(study: Study) -> None:
    """No answer varies; one does; two columns are the same."""
    names = [f"wai_item_{k}" for k in range(1, ITEMS + 1)]
    for varying in (0, 1):
        sessions = study.sessions
        sessions[names[varying:]] = 3.0
        result = measurement(with_sessions(study, sessions), sessions=(1, 3))
        assert {"constant_items", "few_items"} <= {f.code for f in result.notes}
        assert not {"reliability", "invariance"} & {t.name for t in result.tables}
    sessions = study.sessions
    sessions["wai_item_2"] = sessions["wai_item_1"]
    result = measurement(with_sessions(study, sessions), sessions=(1, 3))
    said = {f.code: f.message for f in result.notes}
    assert (
        "Some answers are determined by others (item 1, item 2), as where the same column was given twice"
        in said["factor_model_failed"]
    )
    assert said["invariance_not_tested"].startswith(
        "Invariance was not tested (goal, bond, over sessions): Some answers"
    )
    assert "alpha_session_1" in set(result.estimates["id"])


def test_a_subscale_that_cannot_be_tested_leaves_the_next_one_tested(study: Study) -> None:
    """50 clients are too few for both subscales at once; the first has two equal columns, the second is sound."""
    sessions = study.sessions
    sessions["wai_item_2"] = sessions["wai_item_1"]
    some = sessions[sessions["client"].isin([f"c{k}" for k in range(50)])].reset_index(drop=True)
    result = measurement(with_sessions(study, some), sessions=(1, 3))
    assert {"subscales_alone", "invariance_not_tested"} <= {f.code for f in result.notes}
    assert result.table("invariance").to_frame()["what"].tolist() == ["bond, over sessions"] * 3


def test_two_items_at_two_occasions_do_not_determine_a_model(study: Study) -> None:
    """15 parameters against 14 moments; until now such a model was fitted and judged."""
    sessions = study.sessions
    sessions[["wai_item_3", "wai_item_5", "wai_item_6"]] = 3.0
    wai = study.measures["wai"]
    pair = replace(wai, instrument=replace(wai.instrument, subscales={"goal": (1, 2, 3)}))
    result = measurement(replace(study, _sessions=sessions, measures={"wai": pair}), sessions=(1, 3))
    said = {f.code: f.message for f in result.notes}
    assert (
        "4 answers do not determine a model with 15 parameters. A subscale needs three items"
        in said["invariance_not_tested"]
    )
    assert "invariance" not in {t.name for t in result.tables}


def test_an_impossible_value_is_said() -> None:
    rng = np.random.default_rng(1)
    x = rng.multivariate_normal(np.zeros(3), [[1, 0.9, 0.5], [0.9, 1, 0.2], [0.5, 0.2, 1]], 200)
    data, items = patterns(x), ["a", "b", "c"]
    fit = fit_factors(data, correlated_factors({"f": items}, items, data), saturated(data))
    found = Found(
        models=[Model("one factor", "session 1", fit), Model("bad", "x", replace(fit, converged=False))]
    )
    _improper(found)
    assert [f.code for f in found.findings] == ["improper_solution", "factor_model_not_converged"]
    assert "the residual variance of a is negative" in found.findings[0].message


def test_subscales_that_are_one_are_also_tested_as_one() -> None:
    """Six answers to one factor in two subscales, which correlate beyond 1 in about half of such samples."""
    rng = np.random.default_rng(2)
    items = tuple(f"item {k}" for k in range(1, 7))
    trait = rng.normal(size=(300, 1)) + rng.normal(0, 0.5, (300, 2))
    rows = [
        pd.DataFrame(trait[:, [s]] + rng.normal(0, 0.7, (300, 6)), columns=items).assign(
            client=range(300), session=s
        )
        for s in (0, 1)
    ]
    frame = pd.concat(rows, ignore_index=True)
    found = Found()
    answers = Answers(frame, items, (), {"goal": items[:3], "bond": items[3:]})
    compare(
        found,
        side_by_side(frame, items, [0, 1]),
        answers,
        ["session 0", "session 1"],
        "Test",
        "over sessions",
    )
    assert [s.where for s in found.steps] == ["goal, bond, over sessions"] * 3 + [
        "one factor, over sessions"
    ] * 3
    assert any(s.fit.improper for s in found.steps[:3])
    assert not any(s.fit.improper for s in found.steps[3:])
    assert [f.code for f in found.findings] == ["subscales_not_distinguished"]
    first, second = words.verdicts(found)
    assert first == (
        "Measurement invariance (goal, bond, over sessions): loadings and intercepts are equal enough, so means may be compared (but the "
        "models have improper solutions, so this is uncertain)."
    )
    assert second.startswith(
        "Measurement invariance (one factor, over sessions): loadings and intercepts are equal enough"
    )


def test_raters_with_the_same_items(study: Study) -> None:
    """The therapist sees the same factors with another mean; invariance over raters is tested at the first session."""
    rng = np.random.default_rng(4)
    sessions = study.sessions
    for k in range(1, ITEMS + 1):
        sessions[f"other_item_{k}"] = sessions[f"wai_item_{k}"] + rng.normal(0.3, 0.5, len(sessions))
    wai = study.measures["wai"]
    both = replace(
        study,
        _sessions=sessions,
        measures={"wai": wai, "other": replace(wai, name="other", rater="therapist")},
    )
    result = measurement(both, sessions=(1,), other="other")
    table = result.table("invariance").to_frame()
    assert set(table["what"]) == {"goal, bond, between raters at session 1"}
    assert len(table) == 3
    with pytest.raises(StudyError, match="does not have the same item answers as Test alliance"):
        measurement(both, other="wai")


def test_observers_of_the_same_sessions(study: Study) -> None:
    rng = np.random.default_rng(4)
    sessions = study.sessions
    for name in ("one", "two", "three"):
        sessions[name] = sessions["wai"] + rng.normal(0, 2, len(sessions))
    wai = study.measures["wai"]
    measures = {n: replace(wai, name=n, rater="observer") for n in ("one", "two", "three")}
    result = measurement(replace(study, _sessions=sessions, measures=measures), measure="one")
    signal = sessions["wai"].var()
    assert value(result, "icc_2_k") == pytest.approx(signal / (signal + 4 / 3), abs=0.02)
    assert "Shrout" in result.methods
    sessions["one_raters"] = 2
    alone = replace(study, _sessions=sessions, measures={"one": measures["one"]})
    result = measurement(alone, measure="one")
    said = {f.code: f.message for f in result.notes}
    assert (
        "is the mean of several raters, so their agreement cannot be computed. Also define one measure per rater"
        in said["raters_averaged"]
    )


@pytest.mark.parametrize(
    ("asked", "error", "text"),
    [
        ({"measure": "way"}, StudyError, "The study has no measure 'way'. It has: wai"),
        (
            {"sessions": (1, 99)},
            StudyError,
            "nobody filled in the form at session 99. Sessions with forms: 1, 2, 3, 4",
        ),
        ({"sessions": "1,1"}, StudyError, "a session is named twice"),
        ({"other": "wai"}, StudyError, "does not have the same item answers"),
    ],
)
def test_refused_parameters(
    study: Study, asked: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        measurement(study, **asked)  # type: ignore[arg-type]


def test_few_clients_are_said(study: Study) -> None:
    sessions = study.sessions
    few = measurement(with_sessions(study, sessions[sessions["client"].isin([f"c{k}" for k in range(5)])]))
    assert few.status["code"] == "underpowered"
    assert "5 clients can be analysed; this analysis of Test alliance needs at least 20" in few.answer[0]


@pytest.fixture(scope="module")
def gad(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real data with an instrument file that keeps the items as scales of their own."""
    folder = tmp_path_factory.mktemp("gad_items")
    (folder / "instruments").mkdir()
    study = (FIXTURE / "study.yaml").read_text(encoding="utf-8")
    name = next(row for row in study.splitlines() if DATA in row).split("file:")[1].strip()
    (folder / "study.yaml").write_text(study.replace(name, DATA), encoding="utf-8")
    own = "".join(f"  item_{k}: {{items: [{k}], evidence: [tutorial]}}\n" for k in range(1, 10))
    text = (FIXTURE / "instruments" / "wai_9.yaml").read_text(encoding="utf-8")
    text = text.replace("partition: true\n", f"{own}partition: false\n")
    (folder / "instruments" / "wai_9.yaml").write_text(text, encoding="utf-8")
    (folder / DATA).write_bytes((shared_data / DATA).read_bytes())
    return folder / "study.yaml"


def test_real_answers(gad: Path) -> None:
    """Alpha of the nine items .84, .86, .95 at sessions 1, 3, 15 (README of the data)."""
    result = measurement(al.load_study(gad), sessions=(1, 3, 15))
    alphas = [value(result, f"alpha_session_{s}") for s in (1, 3, 15)]
    np.testing.assert_allclose(alphas, [0.84, 0.86, 0.95], atol=0.005)
    table = result.table("invariance").to_frame()
    assert set(table["what"]) == {f"{s}, over sessions" for s in ("task", "goal", "bond")}
    assert {"subscales_alone", "few_clients_for_factors"} <= {f.code for f in result.notes}
