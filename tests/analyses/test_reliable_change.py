"""The analysis of a study: who is counted, what is said, and what is not shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import AnalysisResult, Study, reliable_change
from alliance_longitudinal.analyses.disclosure import for_audience
from alliance_longitudinal.data import Measure, SampleFlow
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.labels import number
from alliance_longitudinal.measures import load_instruments
from alliance_longitudinal.present import Column
from analyses.studies import shuffled, value, with_sessions
from inside.analyses_kit import Given, known_norms
from inside.methods_basics import proportion

REGISTRY = load_instruments()


@pytest.fixture(scope="module")
def change(clinic: Study) -> AnalysisResult:
    return reliable_change(
        clinic, reliability=0.84, reliability_post=0.8, cutoff="c", m_functional=4, sd_functional=4
    )


def two_measures(rows: list[tuple[float, float, float, float]]) -> Study:
    """Clients with PHQ-9 before and after, GAD-7 before and after; each client has one of two therapists."""
    parts = []
    for k, (p0, p1, g0, g1) in enumerate(rows):
        for session, phq, gad in ((0, p0, g0), (5, p1, g1)):
            parts.append((f"c{k:03d}", f"t{k % 2}", session, float(session), phq, gad))
    sessions = pd.DataFrame(parts, columns=["client", "therapist", "session", "week", "phq", "gad"])
    return Study(
        title="Two measures",
        measures={
            "phq": Measure("phq", "symptoms", "client", REGISTRY["phq_9"]),
            "gad": Measure("gad", "symptoms", "client", REGISTRY["gad_7"]),
        },
        early_window=(1, 5),
        covariates=(),
        flow=SampleFlow().record(sessions, sessions, "rows", ""),
        findings=(),
        sources=(),
        simulated=None,
        _sessions=sessions,
        _clients=sessions[["client", "therapist"]].drop_duplicates(ignore_index=True),
    )


def test_every_method_is_there(change: AnalysisResult) -> None:
    table = change.table("change_by_method").to_frame().set_index("method")
    assert list(table.index) == ["points", "JT", "GLN", "HLL", "EN", "NK", "HA", "HLM"]
    counts = table[["recovered", "improved", "unchanged", "deteriorated", "harmed"]].sum(axis=1)
    np.testing.assert_array_equal(counts, table["n"])
    assert change.parameters["method"] == "JT"


def test_shares_are_counts(change: AnalysisResult) -> None:
    counts = change.table("change_by_method").to_frame().set_index("method").loc["JT"]
    shares = [
        value(change, f"JT_{c}") for c in ("recovered", "improved", "unchanged", "deteriorated", "harmed")
    ]
    np.testing.assert_allclose(
        shares,
        counts[["recovered", "improved", "unchanged", "deteriorated", "harmed"]].to_numpy(float)
        / counts["n"],
    )
    assert value(change, "JT_better") == pytest.approx(shares[0] + shares[1])
    assert (
        value(change, "JT_better", "ci_low")
        < value(change, "JT_better")
        < value(change, "JT_better", "ci_high")
    )


def test_the_methods_that_differ_most_are_said_with_their_shares(change: AnalysisResult) -> None:
    counts = change.table("change_by_method").to_frame().set_index("method")
    shares = (counts["recovered"].fillna(0) + counts["improved"]) / counts["n"]
    least, most = shares.idxmin(), shares.idxmax()
    assert shares[most] - shares[least] >= 0.1
    (said,) = [f.message for f in change.notes if f.code == "methods_disagree"]
    expected = [f"{number(shares[name], 'percent')} by {name}" for name in (least, most)]
    assert f"depends on the method: {', '.join(expected)}." in said


def test_methods_that_agree_need_no_word() -> None:
    alike = [(15.0, 3.0, 12.0, 4.0)] * 12 + [(15.0, 15.0, 9.0, 7.0)] * 12
    result = reliable_change(two_measures(alike), outcome="phq", reliability=0.9, sd=6.0)
    counts = result.table("change_by_method").to_frame()
    shares = (counts["recovered"].fillna(0) + counts["improved"]) / counts["n"]
    assert shares.tolist() == [0.5] * len(counts)
    assert "methods_disagree" not in {f.code for f in result.notes}


def test_recovery_of_those_in_the_clinical_range_is_clustered_by_therapist() -> None:
    """Only who was in the clinical range can recover; limits respect that clients share therapists."""
    rng = np.random.default_rng(8)
    recovers = np.repeat([0.1, 0.5, 0.9, 0.2, 0.8, 0.4], 12) > rng.random(72)
    clinical = np.arange(72) % 4 > 0
    pre = np.where(clinical, 18.0, 7.0)
    post = np.where(clinical & recovers, 5.0, np.where(clinical, 17.0, 6.0))
    study = two_measures([(a, b, 5.0, 5.0) for a, b in zip(pre, post, strict=True)])
    therapist = np.repeat([f"t{k}" for k in range(6)], 12)
    names = pd.Series(therapist, index=study.clients["client"])
    owned = with_sessions(
        study, study.sessions.assign(therapist=lambda s: s["client"].map(names).astype(object))
    )
    result = reliable_change(owned, outcome="phq", cutoff=10.0)
    expected = proportion(recovers[clinical], therapist[clinical].astype(object))
    found = result.estimates.set_index("id").loc["points_recovered_of_clinical"]
    np.testing.assert_allclose(
        found[["estimate", "se", "df", "ci_low", "ci_high", "n"]].astype(float),
        [expected.estimate, expected.se, expected.df, expected.low, expected.high, 54],
        rtol=1e-12,
    )
    assert expected.df < 6  # 53 if clients were taken for independent, and the limits much narrower
    assert value(result, "points_recovered") == pytest.approx((recovers & clinical).mean())


def test_order_and_names_do_not_matter(clinic: Study, change: AnalysisResult) -> None:
    other = shuffled(clinic)
    sessions = other.sessions.sort_values(["client", "session"], ignore_index=True)
    again = reliable_change(
        with_sessions(other, sessions),
        reliability=0.84,
        reliability_post=0.8,
        cutoff="c",
        m_functional=4,
        sd_functional=4,
    )
    mine, theirs = (r.estimates.set_index("id")["estimate"] for r in (change, again))
    # HLM's index crosses its critical value by the last digits of an optimum at most for one client.
    pd.testing.assert_series_equal(mine, theirs, atol=1.1 / 300)


def test_the_study_is_left_unchanged(clinic: Study) -> None:
    before = clinic.sessions
    reliable_change(clinic)
    pd.testing.assert_frame_equal(before, clinic.sessions)


def test_scores_that_never_change_are_unchanged_and_drawn(clinic: Study) -> None:
    """Warnings are errors here: the map of one single score has room around it."""
    same = with_sessions(clinic, clinic.sessions.assign(phq9=10.0))
    result = reliable_change(same)
    assert (value(result, "points_better"), value(result, "points_worse")) == (0, 0)
    low, high = result.figures["change_map"].axes[0].get_xlim()
    assert low < 10 < high


def test_published_points_without_a_reliability(clinic: Study) -> None:
    result = reliable_change(clinic)
    assert result.parameters["method"] == "points"
    assert result.answer[0].startswith("By published points of reliable change, ")
    assert result.table("change_refused").to_frame()["method"].tolist() == ["JT, GLN, HLL, EN, HA", "NK"]
    codes = {f.code for f in result.notes}
    assert {"change_norms_unchecked", "relative_methods"} <= codes
    norms = result.table("change_norms").to_frame().set_index("what")
    assert norms.loc["Points of reliable change", "source"].startswith(
        "instrument file: NHS Talking Therapies manual"
    )
    sessions = (
        clinic.sessions.dropna(subset=["phq9"]).groupby("client")["phq9"].agg(["first", "last", "size"])
    )
    two = sessions[sessions["size"] >= 2]
    better = (two["first"] - two["last"] >= 6).mean()
    assert value(result, "points_better") == pytest.approx(better)


def test_the_circles_of_the_map_are_the_clients_of_the_table(change: AnalysisResult) -> None:
    """Circles below the band used to hold fewer clients than the table counted as improved."""
    spec = next(f for f in change.figure_specs if f.name == "change_map")
    circles = spec.data[spec.data["kind"] == "clients"]
    drawn = circles.groupby("category")["n"].sum()
    table = change.table("change_categories").to_frame().set_index("category")["count"].dropna()
    assert drawn.to_dict() == table[table > 0].to_dict()
    band = spec.data[spec.data["kind"] == "band"]
    edge = np.interp(circles["pre"].astype(float), band["pre"], band["low"].astype(float))
    better = circles["category"].isin(["recovered", "improved"])
    assert (better == (circles["post"] <= edge)).all()


def test_outsiders_see_no_client_as_a_row_or_a_point(clinic: Study) -> None:
    change = reliable_change(clinic, reliability=0.84, audience="shareable")
    assert [f.name for f in change.figure_specs] == ["change_by_method"]
    bars = change.figure_specs[0].data
    assert (bars["n"] % clinic.small_cells == 0).all()
    rows = {r["method"]: r for r in change.table("change_by_method").to_frame().to_dict("records")}
    for method, part, n in zip(bars["bar"], bars["part"], bars["n"], strict=True):
        assert rows[method.removeprefix("published ").split(" (")[0]][part] == n
    names = set(clinic.clients["client"]) | set(clinic.clients["therapist"])
    said = {str(cell) for t in change.tables for row in t.rows for cell in row}
    assert not names & said


def test_therapists_are_shown_without_names_and_small_cells(clinic: Study) -> None:
    few = replace(clinic, small_cells=2)
    table = reliable_change(few).table("change_by_therapist").to_frame()
    assert list(table.columns) == ["n", "share", "share_low", "share_high"]
    assert (table["n"] * table["share"]).min() >= 2 - 1e-9
    assert (table["n"] * (1 - table["share"])).min() >= 2 - 1e-9
    shared = reliable_change(few, audience="shareable")
    assert "change_by_therapist" not in [t.name for t in shared.tables]
    (said,) = [f.message for f in shared.notes if f.code == "shareable"]
    assert "2 tables and figures were left out" in said  # it, and the map of clients
    many = replace(clinic, small_cells=1000)
    assert "change_by_therapist" not in [t.name for t in reliable_change(many).tables]


def test_as_many_clients_as_may_be_counted_are_enough_to_share() -> None:
    study = replace(two_measures([(15, 5, 12, 4)] * 12 + [(11, 9, 9, 7)] * 12), small_cells=24)
    assert reliable_change(study, outcome="phq", audience="shareable").flow.steps[-1].clients_out == 24
    with pytest.raises(StudyError, match="'small_cells: 25' in the study file"):
        reliable_change(replace(study, small_cells=25), outcome="phq", audience="shareable")


def test_marks_of_a_few_people_are_left_out_of_a_figure_for_outsiders() -> None:
    internal = reliable_change(two_measures([(15, 5, 12, 4)] * 12 + [(11, 9, 9, 7)] * 12), outcome="phq")
    data = pd.DataFrame(
        {"kind": ["a", "b", "c"], "n": [24, 9, 0], "mean": [2.0, 3.0, None], "order": [3, 1, 2]}
    )
    columns = (
        Column("kind", "Kind"),
        Column("n", "Clients", "count"),
        Column("mean", "Mean", "number", of="n"),
    )
    bars = replace(internal.figure_specs[0], name="bars", data=data, columns=columns, single_people=False)
    dots = replace(bars, name="dots", data=data.iloc[[1]])
    shared = for_audience(replace(internal, figure_specs=(bars, dots)), "shareable")
    (shown,) = shared.figure_specs
    assert shown.name == "bars"
    assert shown.data.to_dict("list")["kind"] == ["a", "c"]
    assert shown.data["n"].tolist() == [20, 0]
    assert shown.data["order"].tolist() == [3, 2]


def test_joint_recovery_follows_the_rules() -> None:
    """PHQ-9: caseness from 10, six points; GAD-7: caseness from 8, four points."""
    rows = [
        (15, 5, 12, 4),  # case, recovered, reliably improved
        (15, 9, 12, 8),  # still a case by GAD-7, reliably improved
        (11, 9, 7, 7),  # recovered without reliable change
        (15, 5, 6, 10),  # better in one, worse in the other: neither; still a case
        (9, 15, 7, 7),  # no case before; reliably worse
        (9, 9, 7, 7),  # no case
    ]
    result = reliable_change(two_measures(rows * 4), outcome="phq", joint="gad")
    found = {k: value(result, f"joint_{k}") for k in ("caseness", "recovery", "reliable_improvement")}
    assert found == pytest.approx({"caseness": 4 / 6, "recovery": 2 / 4, "reliable_improvement": 2 / 6})
    assert value(result, "joint_reliable_recovery") == pytest.approx(1 / 4)
    assert value(result, "joint_reliable_deterioration") == pytest.approx(1 / 6)
    assert value(result, "joint_recovery", "n") == 16
    names = ["caseness", "recovery", "reliable_improvement", "reliable_deterioration", "reliable_recovery"]
    shown = result.table("joint_recovery").to_frame()["estimate"]
    assert shown.tolist() == [value(result, f"joint_{name}") for name in names]
    assert "before treatment, 50\xa0%" in result.answer[-1]
    assert "Gyani" in result.methods


def test_sessions_before_and_after(clinic: Study) -> None:
    result = reliable_change(clinic, first=0, last=5)
    sessions = clinic.sessions.dropna(subset=["phq9"]).set_index("client")
    pre = sessions.loc[sessions["session"].eq(0), "phq9"]
    post = sessions.loc[sessions["session"].eq(5), "phq9"]
    both = pd.concat([pre, post], axis=1, keys=["pre", "post"]).dropna()
    assert value(result, "points_better", "n") == len(both)
    assert value(result, "points_better") == pytest.approx(((both["pre"] - both["post"]) >= 6).mean())


def test_a_higher_better_instrument() -> None:
    measure = Measure("ors", "symptoms", "client", REGISTRY["ors"])
    known = known_norms(measure, Given(cutoff=25.0))
    assert known.norms.direction == 1
    cut = known.norms.cut
    assert cut.clinical(np.array([24.0, 25.0])).tolist() == [True, False]  # type: ignore[union-attr]
    assert known.norms.points == 5


def test_an_operator_that_names_the_healthy_side() -> None:
    """HRSD-17: remission is a score of 7 or less, so 8 is clinical."""
    cut = known_norms(Measure("h", "symptoms", "clinician", REGISTRY["hrsd_17"]), Given()).norms.cut
    assert cut.clinical(np.array([7.0, 7.5, 8.0])).tolist() == [False, True, True]  # type: ignore[union-attr]


def test_between_several_cutoffs_the_user_chooses() -> None:
    known = known_norms(Measure("pcl", "symptoms", "client", REGISTRY["pcl_5"]), Given(reliability=0.9))
    assert known.norms.cut is None
    assert known.norms.points is None


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"method": "NK"}, "Parameter 'method': NK cannot be used here. Method NK needs"),
        ({"method": "RCI"}, "Parameter 'method'"),
        ({"first": 5, "last": 5}, "session 5 is not after session 5"),
        ({"joint": "phq9"}, "'phq9' is the outcome itself"),
        ({"joint": "gad"}, "no symptoms measure 'gad'"),
        ({"reliability": 1.0}, "Parameter 'reliability'"),
    ],
)
def test_refused_parameters(clinic: Study, asked: dict[str, object], text: str) -> None:
    with pytest.raises(StudyError, match=text):
        reliable_change(clinic, **asked)  # type: ignore[arg-type]


def swapped(study: Study, **changes: object) -> Study:
    """The study with other facts about its symptom measure."""
    measure = study.measures["phq9"]
    other = replace(measure, instrument=replace(measure.instrument, **changes))
    return replace(study, measures=dict(study.measures) | {"phq9": other})


def test_an_instrument_of_which_too_little_is_known(clinic: Study) -> None:
    with pytest.raises(
        StudyError,
        match="The instrument file of PHQ-9 has neither a reliability nor points of reliable change",
    ):
        reliable_change(swapped(clinic, reliable_changes=()))
    with pytest.raises(StudyError, match="does not know whether a higher total of PHQ-9 is better"):
        reliable_change(swapped(clinic, direction="unknown"))
    without = reliable_change(swapped(clinic, cutoffs=()))
    assert {f.code for f in without.notes} >= {"no_cutoff"}
    assert not without.estimates["id"].str.contains("recovered").any()
    study = two_measures([(15, 5, 12, 4)] * 12 + [(11, 9, 9, 7)] * 12)
    gad = study.measures["gad"]
    for facts, text in (
        ({"cutoffs": ()}, "Recovery on both measures needs a cut-off and points of reliable change for each"),
        (
            {"reliable_changes": ()},
            "Recovery on both measures needs points of reliable change or a reliability of GAD-7",
        ),
    ):
        bare = replace(gad, instrument=replace(gad.instrument, **facts))  # type: ignore[arg-type]
        with pytest.raises(StudyError, match=text):
            reliable_change(replace(study, measures=dict(study.measures) | {"gad": bare}), joint="gad")


def test_few_clients_are_said(clinic: Study) -> None:
    sessions = clinic.sessions
    names = sessions["client"].unique()
    five = reliable_change(with_sessions(clinic, sessions[sessions["client"].isin(names[:5])]))
    assert five.status["code"] == "underpowered"
    assert (
        "5 clients can be analysed; the analysis of reliable change in PHQ-9 needs at least 10"
        in five.answer[0]
    )
    assert five.estimates.empty
    result = reliable_change(with_sessions(clinic, sessions[sessions["client"].isin(names[:20])]))
    assert {f.code for f in result.notes} >= {"few_clients", "few_clusters"}


def test_truth_of_a_simulation() -> None:
    """True scores do not change: by method JT with the true SD and reliability, 2.5 % each way are called reliable."""
    rng = np.random.default_rng(6)
    n, sd, r = 4000, 6.0, 0.8
    true = 18 + rng.normal(0, sd * np.sqrt(r), n)
    scores = true[:, None] + rng.normal(0, sd * np.sqrt(1 - r), (n, 2))
    rows = [(a, b, 5.0, 5.0) for a, b in scores]
    result = reliable_change(two_measures(rows), outcome="phq", reliability=r, sd=sd, cutoff=10.0)
    # Monte Carlo error of a share of 2.5 % in 4000 is 0.25 %.
    assert value(result, "JT_better") == pytest.approx(0.025, abs=3 * 0.0025)
    assert value(result, "JT_worse") == pytest.approx(0.025, abs=3 * 0.0025)
