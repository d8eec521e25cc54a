"""Ruptures and repairs: simulated clinics with and without them, the rules behind the numbers, what few data give."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import with_sessions


def clinic(seed, **truth):
    return simulated_study(
        seed, ClinicTruth(**({"therapists": 12, "clients": 180, "alliance_by_improvement": 0.0} | truth))
    )


@pytest.fixture(scope="module")
def quiet():
    return al.alliance_events(clinic(1), simulations=100)


def numbers(result):
    return result.estimates.set_index("id")


def test_where_nobody_has_a_rupture_there_are_no_more_than_expected(quiet):
    found = numbers(quiet)
    for rule in ("drop_1sd", "drop_2sd", "chart", "residual_2sd"):
        expected = found.loc[f"expected_{rule}"]
        assert expected["ci_low"] <= found.loc[f"n_{rule}", "estimate"] <= expected["ci_high"]
    assert any(n.code == "events_within_noise" for n in quiet.notes)
    assert "no more than expected" in quiet.answer[2]
    assert found.loc["outcome_events", "ci_low"] < 0 < found.loc["outcome_events", "ci_high"]


def test_planted_ruptures_are_more_than_expected():
    study = clinic(2, rupture_chance=0.06, rupture_depth=22.0, rupture_length=2, rupture_repaired=1.0)
    result = al.alliance_events(study, simulations=100, points=12)
    found = numbers(result)
    # Deep ruptures widen the spread from which fluctuation is simulated: charts and lines show them, falls do not.
    for rule in ("chart", "residual_2sd"):
        assert found.loc[f"n_{rule}", "estimate"] > 2 * found.loc[f"expected_{rule}", "ci_high"]
        assert not found.loc[f"excess_{rule}", "ci_low"] < 2
    assert found.loc["repaired", "ci_low"] > found.loc["repaired_expected", "estimate"]
    assert any(n.code == "other_rules_find_more" for n in result.notes)
    assert any(
        s.startswith("Other rules found more ruptures than expected: ")
        and "the client's own control chart" in s
        for s in result.answer
    )
    assert result.parameters["points"] == 12


def test_the_numbers_are_those_of_the_method(quiet):
    rows = quiet.study.sessions.dropna(subset=["alliance"])
    rows = rows[rows.groupby("client")["session"].transform("size") >= 8]
    found = numbers(quiet)
    for rule, arguments in (
        ("drop_1sd", {}),
        ("chart", {"rule": "chart"}),
        ("residual_2sd", {"rule": "residual", "size_sd": 2}),
    ):
        by_hand = methods.find_ruptures(rows, "alliance", min_ratings=8, **arguments)
        assert found.loc[f"n_{rule}", "estimate"] == len(by_hand.events)
        assert found.loc[f"n_{rule}", "n"] == by_hand.transitions
    drop = methods.find_ruptures(rows, "alliance", min_ratings=8)
    assert found.loc["rate", "estimate"] == pytest.approx(len(drop.events) / drop.transitions)
    assert found.loc["repaired", "estimate"] == pytest.approx(drop.repaired)
    assert found.loc["clients", "estimate"] == pytest.approx(
        drop.events["client"].nunique() / rows["client"].nunique()
    )
    line = methods.find_ruptures(rows, "alliance", min_ratings=8, rule="residual", size_sd=2)
    assert found.loc["kappa_drop_1sd_residual_2sd", "estimate"] == pytest.approx(drop.agreement(line))


def test_outcome_is_related_to_ruptures_in_ten_ratings_and_to_the_share_repaired(quiet):
    """The mixed models on rows made by hand; clients' deviations are from the mean of the therapist's clients."""
    sessions = quiet.study.sessions.sort_values(["client", "session"])
    rows = sessions.dropna(subset=["alliance"])
    rows = rows[rows.groupby("client")["session"].transform("size") >= 8]
    drop = methods.find_ruptures(rows, "alliance", min_ratings=8)
    scored = sessions.dropna(subset=["phq9"]).groupby("client")["phq9"].agg(["first", "last", "size"])
    clients = scored[scored["size"] > 1].loc[lambda f: f.index.isin(rows["client"])]
    clients["judged"] = drop.marks().groupby("person").size()
    clients = clients.dropna(subset=["judged"])
    found = drop.events.groupby("client")["repaired"]
    clients["rate"] = (10 * found.size() / clients["judged"]).reindex(clients.index).fillna(0)
    clients["repaired"] = found.mean()
    clients["therapist"] = rows.groupby("client")["therapist"].first()
    mean = clients.groupby("therapist")["rate"].transform("mean")
    lines = {k: np.polyfit(own["session"], own["alliance"], 1)[0] for k, own in rows.groupby("client")}
    data = clients.assign(
        change=clients["last"] - clients["first"],
        intake=clients["first"],
        alliance=rows.groupby("client")["alliance"].mean(),
        trend=pd.Series(lines),
        within=clients["rate"] - mean,
        between=mean,
    ).reset_index()
    events = al.MixedModel.from_formula(
        "change ~ within + between + alliance + trend + intake + (1 | therapist)", data
    ).fit()
    repaired = al.MixedModel.from_formula(
        "change ~ repaired + alliance + trend + intake + (1 | therapist)", data.dropna(subset=["repaired"])
    ).fit()
    table = numbers(quiet)
    for name, fit, term in (
        ("outcome_events", events.with_errors("CR2", "therapist"), "within"),
        ("outcome_events_between", events, "between"),
        ("outcome_repaired", repaired.with_errors("CR2", "therapist"), "repaired"),
    ):
        assert table.loc[name, "estimate"] == pytest.approx(fit.params[term], rel=1e-5)
        assert table.loc[name, "se"] == pytest.approx(fit.bse[term], rel=1e-4)
    for name, fit in (("events", events), ("repaired", repaired)):
        for term in ("alliance", "trend", "intake"):
            assert quiet.models[name].params[term] == pytest.approx(fit.params[term], rel=1e-5)


def test_the_same_seed_gives_the_same_result_and_the_study_is_unchanged(quiet):
    study = clinic(1)
    kept = study.sessions.copy()
    again = al.alliance_events(study, simulations=100)
    pd.testing.assert_frame_equal(again.estimates, quiet.estimates)
    pd.testing.assert_frame_equal(study.sessions, kept)


def test_tables_and_figures_are_there(quiet):
    assert [t.name for t in quiet.tables][1:7] == [
        "ruptures",
        "rules",
        "agreement",
        "by_phase",
        "by_session",
        "outcome",
    ]
    assert list(quiet.figures)[:2] == ["found_and_expected", "repairs"]  # checks come behind them
    assert any(n.code == "rules_disagree" for n in quiet.notes)
    assert "12 or more" not in quiet.methods
    assert "8 or more ratings" in quiet.methods


def test_with_too_few_ratings_the_report_says_what_is_missing():
    result = al.alliance_events(clinic(3, clients=60), min_ratings=30, simulations=50)
    assert result.status["code"] == "underpowered"
    assert (
        "0 clients can be analysed; the analysis of ruptures in WAI-SR needs at least 20." in result.answer[0]
    )
    assert result.estimates.empty


def test_equal_ratings_have_no_ruptures():
    study = clinic(3, clients=60)
    sessions = study.sessions
    equal = with_sessions(
        study, sessions.assign(alliance=sessions["alliance"].where(sessions["alliance"].isna(), 40.0))
    )
    result = al.alliance_events(equal, simulations=50)
    assert result.status["code"] == "underpowered"
    assert "All ratings of WAI-SR are equal, so there are no ruptures to find." in result.answer[0]


def test_clients_without_consecutive_ratings_cannot_have_a_fall():
    study = clinic(3, clients=60)
    sessions = study.sessions
    some = sessions["client"].isin(sorted(sessions["client"].unique())[::6])
    apart = with_sessions(
        study, sessions.assign(session=sessions["session"].where(~some, 2 * sessions["session"]))
    )
    found = numbers(al.alliance_events(apart, simulations=50))
    rated = sessions.dropna(subset=["alliance"])
    enough = rated[rated.groupby("client")["session"].transform("size") >= 8]
    consecutive = enough[~some.loc[enough.index]]
    assert found.loc["clients", "n"] == consecutive["client"].nunique() < enough["client"].nunique()


def test_without_outcome_scores_there_is_no_relation_to_outcome():
    study = clinic(4, therapists=8, clients=100)
    sessions = study.sessions
    sessions.loc[sessions["session"] > 0, "phq9"] = np.nan
    result = al.alliance_events(with_sessions(study, sessions), simulations=50)
    assert any(n.code == "few_outcomes" for n in result.notes)
    assert "outcome_events" not in set(result.estimates["id"])


def test_impossible_parameters_are_refused():
    with pytest.raises(StudyError, match="Parameter 'points': input should be greater than 0; got -1"):
        al.alliance_events(clinic(1), points=-1)
    with pytest.raises(StudyError, match="Parameter 'min_ratings'"):
        al.alliance_events(clinic(1), min_ratings=2)


def test_few_ruptures_and_repairs_that_follow_improvement_are_said():
    rare = al.alliance_events(clinic(5), points=26, simulations=50)
    if 0 < numbers(rare).loc["n_points", "estimate"] < 20:
        assert any(n.code == "few_events" for n in rare.notes)
    feedback = al.alliance_events(al.load_study("demo"), simulations=50)
    effect = numbers(feedback).loc["outcome_repaired"]
    clear = effect["ci_low"] > 0 or effect["ci_high"] < 0
    assert clear == any(n.code == "repair_follows_improvement" for n in feedback.notes)


def test_the_table_of_rules_judges_by_the_exact_numbers() -> None:
    """The demonstration study's 16 signals lie within 5 to 19; shown to outsiders as 20 they would seem to be more."""
    study = al.load_study("demo")
    for audience in ("internal", "shareable"):
        table = al.alliance_events(study, audience=audience).table("rules").to_frame()
        assert set(table["verdict"]) == {"not clearly different"}
    inside = al.alliance_events(study).table("rules").to_frame()
    assert ((inside["low"] <= inside["found"]) & (inside["found"] <= inside["high"])).all()


# --- who repairs, phases, and recorded ruptures -------------------------------------------------------------------------


def series(seed, clients=160, therapists=16, sessions=15, by_experience=0.0):
    """Clients whose alliance is flat with noise and one deep fall; it is regained at once or never, by the therapist's experience."""
    rng = np.random.default_rng(seed)
    experience = rng.normal(10, 4, therapists)
    rows = []
    for c in range(clients):
        t = c % therapists
        score = 45 + rng.normal(0, 1, sessions)
        at = int(rng.integers(3, 14))
        back = rng.random() < 1 / (1 + np.exp(-by_experience * (experience[t] - 10) / 4))
        score[at : (at + 1 if back else sessions)] -= 9
        rows += [
            {"client": f"c{c:03}", "therapist": f"T{t:02}", "session": s + 1, "week": s + 1.0, "alliance": round(score[s]),
             "phq9": float(rng.integers(4, 20)), "rupture": "yes" if s == at else "no", "depth": float(s == at)}
            for s in range(sessions)
        ]  # fmt: skip
    frame = pd.DataFrame(rows)
    base = clinic(1, clients=60)
    people = pd.DataFrame({"client": frame["client"].unique()})
    people["therapist"] = people["client"].map(frame.groupby("client")["therapist"].first())
    helpers = pd.DataFrame({"therapist": [f"T{t:02}" for t in range(therapists)], "experience": experience})
    return replace(
        with_sessions(base, frame),
        _clients=people.assign(anxiety=rng.normal(0, 1, len(people))),
        covariates=("anxiety",),
        _therapists=helpers,
        therapist_covariates=("experience",),
        session_covariates=("rupture", "depth"),
    )


@pytest.fixture(scope="module")
def recorded():
    study = series(1, by_experience=1.5)
    given = {"simulations": 50, "points": 6, "marker": "rupture", "repair_by": ["experience", "anxiety"]}
    return study, al.alliance_events(study, **given)


def test_experienced_therapists_repair_more_where_it_is_planted(recorded):
    study, result = recorded
    found = numbers(result)
    assert found.loc["repair_experience", "ci_low"] > 1
    assert found.loc["repair_anxiety", "ci_low"] < 1 < found.loc["repair_anxiety", "ci_high"]
    rows = study.sessions
    events = methods.find_ruptures(rows, "alliance", size=6, min_ratings=8)
    used = events.events[events.events["later"] >= 3].copy()
    past = [
        rows[(rows["client"] == r.client) & (rows["session"] < r.session)]["alliance"].mean()
        for r in used.itertuples()
    ]
    used["before"] = (used["before"] - past) / events.sd
    share = used["session"] / 15
    used["middle"], used["last"] = (
        ((share > 1 / 3 + 1e-9) & (share <= 2 / 3 + 1e-9)).astype(float),
        (share > 2 / 3 + 1e-9).astype(float),
    )
    people = study.clients.set_index("client")
    used["therapist"] = used["client"].map(people["therapist"])
    used["anxiety"] = used["client"].map(people["anxiety"])
    used["experience"] = used["therapist"].map(study.therapists.set_index("therapist")["experience"])
    used["repaired"] = used["repaired"].astype(float)
    model = al.MixedModel.from_formula(
        "repaired ~ before + middle + last + experience + anxiety + (1 | therapist)", used, family="binomial"
    ).fit()
    sd = used.drop_duplicates("therapist")["experience"].std()
    assert found.loc["repair_experience", "estimate"] == pytest.approx(
        np.exp(sd * model.params["experience"]), rel=1e-4
    )
    low, high = np.exp(sd * model.conf_int().loc["experience"])
    assert found.loc["repair_experience", ["ci_low", "ci_high"]].astype(float).tolist() == pytest.approx(
        [low, high], rel=1e-3
    )
    assert found.loc["repair_phase_middle", "estimate"] == pytest.approx(
        np.exp(model.params["middle"]), rel=1e-3
    )
    assert found.loc["repair_before", "n"] == len(used)
    assert "one SD higher" in found.loc["repair_experience", "label"]
    assert "the covariates that were asked for" in result.methods


def test_recorded_ruptures_stand_beside_the_rules(recorded):
    study, result = recorded
    found = numbers(result)
    assert found.loc["n_marker", "estimate"] == 160
    assert found.loc["rate_marker", "estimate"] == pytest.approx(1 / 15)
    rows = study.sessions.sort_values(["client", "session"])
    centre = rows[rows["rupture"] == "no"].groupby("client")["alliance"].mean()
    sd = methods.find_ruptures(rows, "alliance", size=6, min_ratings=8).sd
    back = 0
    for client, own in rows.groupby("client"):
        at = int(own.loc[own["rupture"] == "yes", "session"].iloc[0])
        later = own[own["session"].between(at + 1, at + 3)]
        back += bool((later["alliance"] >= centre[client] - 0.25 * sd).any())
    assert found.loc["repaired_marker", "estimate"] == pytest.approx(back / 160)
    drop = methods.find_ruptures(rows, "alliance", size=6, min_ratings=8)
    marks = drop.marks().merge(
        rows[["client", "session", "rupture"]], left_on=["person", "session"], right_on=["client", "session"]
    )
    starts = marks["rupture"].eq("yes")
    assert found.loc["marker_found", "estimate"] == pytest.approx(marks.loc[starts, "event"].mean())
    agree = (marks["event"] == starts).mean()
    chance = marks["event"].mean() * starts.mean() + (1 - marks["event"].mean()) * (1 - starts.mean())
    assert found.loc["kappa_points_marker", "estimate"] == pytest.approx((agree - chance) / (1 - chance))
    assert found.loc["marker_alliance", "ci_high"] < -4
    assert any(
        s.startswith("The record 'rupture' marks the beginning of 160 ruptures in sessions with 2")
        for s in result.answer
    )
    assert any(
        s.startswith("In sessions with a mark, clients rated the alliance lower than in their other sessions")
        for s in result.answer
    )
    assert "Ruptures recorded by rupture begin with the first of a run of marked sessions." in result.methods
    assert [t.name for t in result.tables if t.name in ("marker", "who_repairs", "by_phase")] == [
        "by_phase",
        "marker",
        "who_repairs",
    ]


def test_a_number_is_a_marker_as_well_and_a_run_of_marks_is_one_rupture():
    study = series(2, clients=60, therapists=6)
    rows = study.sessions
    rows["depth"] = rows["depth"].groupby(rows["client"]).transform(lambda x: x + x.shift(fill_value=0))
    found = numbers(al.alliance_events(with_sessions(study, rows), simulations=50, marker="depth"))
    assert found.loc["n_marker", "estimate"] == 60
    assert found.loc["rate_marker", "estimate"] == pytest.approx(120 / len(rows))
    rng = np.random.default_rng(1)  # marks that have nothing to do with the ratings
    random = with_sessions(study, rows.assign(depth=rng.permutation(rows["depth"].to_numpy())))
    said = al.alliance_events(random, simulations=50, marker="depth").answer
    assert said[-1].startswith(
        "In sessions with a mark, clients did not rate the alliance clearly differently from their other sessions ("
    )
    rows["depth"] = 0.0
    none = al.alliance_events(with_sessions(study, rows), simulations=50, marker="depth")
    assert "No rated session has a mark of depth, so this rule finds nothing." in [
        n.message for n in none.notes
    ]


def test_ruptures_are_counted_by_third_of_treatment(quiet):
    found = numbers(quiet)
    rows = quiet.study.sessions.dropna(subset=["alliance"])
    rows = rows[rows.groupby("client")["session"].transform("size") >= 8]
    marks = methods.find_ruptures(rows, "alliance", min_ratings=8).marks()
    share = marks["session"] / marks["person"].map(rows.groupby("client")["session"].max())
    third = np.ceil(3 * share - 1e-9)
    for k, name in enumerate(("rate_first", "rate_middle", "rate_last"), start=1):
        assert found.loc[name, "estimate"] == pytest.approx(marks.loc[third == k, "event"].mean())
        assert found.loc[name, "n"] == (third == k).sum()
    assert any(s.startswith("One standard deviation (SD) within clients is ") for s in quiet.answer)


def test_more_ruptures_late_in_treatment_are_said():
    study = series(3, clients=80, therapists=8)
    rows = study.sessions
    rng = np.random.default_rng(3)
    late = rows["session"] > 10
    rows.loc[late, "alliance"] -= np.where(rng.random(late.sum()) < 0.4, 12.0, 0.0)
    found = al.alliance_events(with_sessions(study, rows), simulations=50, points=6)
    note = next(n for n in found.notes if n.code == "ruptures_by_phase")
    assert note.message.startswith("Ruptures are more frequent in the last third of treatment (")


def test_few_repairs_or_none_give_no_model():
    study = series(4, clients=40, therapists=8)
    found = al.alliance_events(study, simulations=50, points=6)
    note = next(n for n in found.notes if n.code == "repairs_too_few")
    assert "A model of who repairs needs at least 20 of the rarer kind." in note.message
    assert "repair_phase_last" not in set(found.estimates["id"])


def test_markers_and_predictors_that_are_none_are_refused():
    study = series(5, clients=40, therapists=8)
    for given, message in (
        (
            {"marker": "ruptur"},
            r"Parameter 'marker': the study has no covariate of sessions 'ruptur'. It has: rupture, depth\.",
        ),
        ({"marker": "anxiety"}, "Parameter 'marker': the study has no covariate of sessions 'anxiety'"),
        (
            {"repair_by": ["depth"]},
            "Parameter 'repair_by': depth is a covariate of sessions. Name covariates of clients or therapists",
        ),
        (
            {"repair_by": "experienc"},
            "Parameter 'repair_by': the study has no covariate 'experienc'. Did you mean 'experience'?",
        ),
    ):
        with pytest.raises(StudyError, match=message):
            al.alliance_events(study, simulations=50, **given)
    rows = study.sessions
    rows["rupture"] = ["a", "b", "c"] * (len(rows) // 3)
    with pytest.raises(StudyError, match=r"Parameter 'marker': rupture has 3 categories\. A marker has two"):
        al.alliance_events(with_sessions(study, rows), simulations=50, marker="rupture")
    bare = replace(study, session_covariates=())
    with pytest.raises(StudyError, match=r"It has none\. Name the column under 'covariates: session:'"):
        al.alliance_events(bare, simulations=50, marker="rupture")


def test_the_models_of_change_are_checked_and_the_share_of_clients_cannot_be(quiet):
    table = quiet.table("model_checks").to_frame().set_index("title").replace("−", "-", regex=True)
    for title, name in (("Change and ruptures", "outcome_events"), ("Change and repair", "outcome_repaired")):
        shown = float(table.loc[title, "whole"])
        assert shown == pytest.approx(numbers(quiet).loc[name, "estimate"], rel=0.01)
        low, high = (float(x) for x in table.loc[title, "range"].split(" to "))
        assert low < shown < high
    names = [f.name for f in quiet.figure_specs]
    assert {"residuals_events", "without_events"} <= set(names)
    assert "residuals_repaired" not in names
    assert (
        "a share of clients, which has no residuals to look at; internal reports check the models of change"
        in quiet.methods
    )
