"""Expected courses: simulated clinics, the methods behind the numbers, one client, what few data give, what is refused."""

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

#: Courses that differ much, so that many deteriorate.
VARIED = {"client_slope_sd": 0.45, "slope": 0.05, "early_rate": 0.0, "early_rate_sd": 0.6}


def clinic(seed, therapists=12, clients=300, **truth):
    """Each client's weeks count from another day: time is that since the client's first session."""
    study = simulated_study(
        seed, ClinicTruth(therapists=therapists, clients=clients, **(VARIED | truth)), items=False
    )
    sessions = study.sessions
    later = pd.factorize(sessions["client"])[0] % 5
    return replace(study, _sessions=sessions.assign(week=sessions["week"] + later))


@pytest.fixture(scope="module")
def study():
    return clinic(1)


@pytest.fixture(scope="module")
def small():
    return clinic(1, therapists=8, clients=90)


@pytest.fixture(scope="module")
def result(study):
    return al.expected_course(study, folds=4, seed=3)


def numbers(found):
    return found.estimates.set_index("id")


def rows_of(study, name="phq9"):
    """The archive's rows by hand: time since the client's first session, scores after the first one."""
    rows = study.sessions.dropna(subset=[name]).copy()
    start = study.sessions.groupby("client")["week"].min()
    rows["t"] = rows["week"] - rows["client"].map(start)
    rows["first"] = rows.groupby("client")[name].transform("first")
    return rows[rows.duplicated("client")]


def ends_by_hand(study):
    rows = rows_of(study)
    last = rows.groupby("client").tail(1).set_index("client")
    return pd.DataFrame({"event": last["phq9"] - last["first"] >= 6, "last": last["t"]})


def test_bands_are_those_of_left_out_clients(study, result):
    rows = rows_of(study)
    names = ("phq9", "first", "t", "client", "therapist")
    found = numbers(result)
    table = methods.ExpectedCourse.cross_validate(rows, *names, folds=4, seed=3)
    by = methods.ExpectedCourse.cross_validate(rows, *names, folds=4, seed=3, by="therapist")
    for k in (0, 2, 4):
        for name in ("cover80", "cover95", "rmse"):
            assert found.loc[f"{name}_k{k}", "estimate"] == pytest.approx(table.loc[k, name], rel=1e-9)
            assert found.loc[f"{name}_k{k}_therapist", "estimate"] == pytest.approx(by.loc[k, name], rel=1e-9)
    alliance = methods.ExpectedCourse.cross_validate(
        rows_of(study, "alliance"), "alliance", *names[1:], folds=4, seed=3
    )
    assert found.loc["rmse_alliance_k4", "estimate"] == pytest.approx(alliance.loc[4, "rmse"], rel=1e-9)
    assert found.loc["cover80_k4", "n"] == table.loc[4, "n"]


def test_bands_cover_as_many_scores_as_they_promise(result):
    found = numbers(result)
    for name in ("cover80_k0", "cover80_k2", "cover80_k0_therapist", "cover80_alliance_k4"):
        # The simulated courses are no logarithm of time: two percentage points beside the interval are allowed.
        assert found.loc[name, "ci_low"] - 0.02 < 0.8 < found.loc[name, "ci_high"] + 0.02
    assert found.loc["rmse_k4", "estimate"] < found.loc["rmse_k0", "estimate"]


def test_warnings_and_risks_are_those_of_the_methods(study, result):
    rows, ends, found = rows_of(study), ends_by_hand(study), numbers(result)
    names = ("phq9", "first", "t", "client", "therapist")
    held = methods.held_out_courses(rows, *names, folds=4, seed=3)
    people = held.persons[held.persons["after"] == 4].set_index("person").join(ends)
    people = people[people["last"] > 4]
    cluster = study.clients.set_index("client")["therapist"].reindex(people.index)
    flag = people["score"] > people["expected"] + 1.2815515655446004 * people["expected_sd"]
    warning = methods.flag_accuracy(people["event"], flag, cluster=cluster).table
    for name in warning.index:
        pd.testing.assert_series_equal(
            found.loc[name, ["estimate", "ci_low", "ci_high"]].astype(float),
            warning.loc[name, ["estimate", "low", "high"]].astype(float),
            check_index=False,
            check_names=False,
        )
    at = float(rows.groupby("client")["t"].max().median())
    assert held.at == at
    # Whole scores: six points or more are more than five and a half.
    risk = methods.chance_beyond(people["mean"], people["sd"], people["intake"] + 5.5, above=True)
    accuracy = methods.risk_accuracy(people["event"], risk, cluster=cluster)
    for name in ("auc", "brier", "calibration_slope", "calibration_intercept"):
        assert found.loc[name, "estimate"] == pytest.approx(accuracy.params[name], rel=1e-9)
        assert found.loc[name, "se"] == pytest.approx(accuracy.bse[name], rel=1e-9)
    assert found.loc["deteriorated", "estimate"] == pytest.approx(people["event"].mean())
    assert found.loc["flagged", "estimate"] == pytest.approx(flag.mean())


def test_what_the_alliance_adds_is_compared_fairly(study, result):
    rows, ends = rows_of(study), ends_by_hand(study)
    held = methods.held_out_courses(rows, "phq9", "first", "t", "client", "therapist", folds=4, seed=3)
    people = held.persons[held.persons["after"] == 4].set_index("person").join(ends)
    people = people[people["last"] > 4]
    ratings = study.sessions.dropna(subset=["alliance"])
    start = study.sessions.groupby("client")["week"].min()
    early = ratings[ratings["week"] - ratings["client"].map(start) <= 4]
    people["alliance"] = early.groupby("client")["alliance"].mean()
    people = people.dropna(subset=["alliance"])
    risk = methods.chance_beyond(people["mean"], people["sd"], people["intake"] + 5.5, above=True).clip(
        1e-6, 1 - 1e-6
    )
    cluster = study.clients.set_index("client")["therapist"].reindex(people.index)
    given = {"fold": people["fold"], "cluster": cluster}
    by_hand = methods.added_value(people["event"], risk, people["alliance"], **given)
    found = numbers(result)
    for term in ("estimate", "se"):
        value = by_hand.params if term == "estimate" else by_hand.bse
        assert found.loc["delta_auc_alliance", term] == pytest.approx(value["delta_auc"], abs=1e-9)
    assert found.loc["or_alliance", "estimate"] == pytest.approx(np.exp(-by_hand.params["log_odds"]))
    assert found.loc["or_alliance", "ci_high"] == pytest.approx(
        np.exp(-by_hand.conf_int().loc["log_odds", "lower"])
    )
    assert found.loc["auc_alliance", "n"] == len(people)


def test_the_alliance_helps_where_it_goes_with_later_change():
    """With a strong effect of the alliance on the later course its added value is positive, without one about zero."""
    added = {}
    for effect in (0.0, -0.08):
        found = al.expected_course(
            clinic(5, clients=400, within=effect, between=effect), folds=3, holdout="client"
        )
        added[effect] = numbers(found).loc["delta_auc_alliance", "estimate"]
    assert added[-0.08] > 0.02
    assert found.answer[-1].startswith(
        "With the same symptoms so far, clients with a lower alliance deteriorated more often"
    )
    assert abs(added[0.0]) < 0.02


def test_tables_figures_and_words(result):
    assert [t.name for t in result.tables][1:7] == ["bands", "warning", "risk", "shapes", "where", "tripod"]
    assert list(result.figures) == ["course", "calibration"]
    assert "log(weeks + 1)" in result.methods
    assert "in a second round all clients of a therapist were left out together" in result.methods
    said = result.answer[0]
    assert said.startswith(
        "With the PHQ-9 scores of the first 4 weeks, the band that should hold 80\u00a0% of later scores held"
    )
    tripod = result.table("tripod").to_frame().set_index("item")["here"]
    assert "deteriorated by the last score (6.00 points; instrument file" in tripod["Outcome"]
    where = result.table("where").to_frame()
    assert where["n"].iloc[:3].sum() == where["n"].iloc[3:].sum() == numbers(result).loc["cover80_k4", "n"]
    assert result.parameters["decide"] == 4
    shapes = result.table("shapes").to_frame()
    assert set(shapes["shape"]) == {"log (this report)", "spline3"}
    assert [c.label for c in result.table("shapes").columns][1] == "Scores known up to"


def test_a_spline_with_other_bands_and_without_the_scores_so_far(small):
    """Three parameters at once: each number is that of the methods with the same ones."""
    client = str(small.sessions["client"].iloc[0])
    given = {"time": "spline3", "bands": "0.9,0.6", "update": False, "holdout": "client", "client": client}
    found = al.expected_course(small, folds=3, seed=3, alliance_predictor=False, **given)
    names = ("phq9", "first", "t", "client", "therapist", "spline3")
    held = methods.held_out_courses(rows_of(small), *names, folds=3, seed=3, update=False)
    table, own = held.accuracy((0.9, 0.6)), numbers(found)
    for k in (0, 2, 4):
        for name in ("cover90", "cover60", "rmse"):
            assert own.loc[f"{name}_k{k}", "estimate"] == pytest.approx(table.loc[k, name], rel=1e-9)
    assert not any("therapist" in i or "alliance" in i or i.startswith("cover80") for i in own.index)
    codes = {n.code for n in found.notes}
    assert not codes & {"no_alliance", "therapists_not_left_out"}
    assert found.parameters["bands"] == [0.9, 0.6]
    assert found.main == "cover90_k0"
    text = " ".join(found.answer)
    assert "From the first PHQ-9 score alone, for scores later than 4 weeks after the start, the band" in text
    assert "From the first score, " in text
    assert "that should hold 90\u00a0% of later scores" in text
    flag = held.persons[held.persons["after"] == 4]
    z = (flag["score"] - flag["expected"]) / flag["expected_sd"]
    last = rows_of(small).groupby("client")["t"].max()
    flagged = z[flag["person"].map(last).to_numpy() > 4] > 1.6448536269514722
    assert own.loc["flagged", "estimate"] == pytest.approx(flagged.mean())
    assert "natural cubic spline of weeks with three degrees of freedom" in found.methods
    assert "a random intercept and slope of log(weeks + 1) for each client" in found.methods
    assert "Scores later than 0, 2, 4 weeks were predicted" in found.methods
    assert "Harrell" in found.methods
    assert set(found.table("shapes").to_frame()["shape"]) == {"spline3 (this report)", "log"}
    assert "cover60" in found.table("bands").to_frame()
    assert found.table("bands").to_frame()["after"].tolist() == [
        "first score only",
        "first score only; scores after 2",
        "first score only; scores after 4",
    ]


def test_the_study_is_unchanged_and_the_same_seed_gives_the_same(study, result):
    kept = study.sessions.copy()
    again = al.expected_course(study, folds=4, seed=3)
    pd.testing.assert_frame_equal(again.estimates, result.estimates)
    pd.testing.assert_frame_equal(study.sessions, kept)


def test_outsiders_see_rounded_numbers_and_no_single_client(small):
    shown = al.expected_course(small, folds=3, audience="shareable")
    assert shown.table("warning").to_frame()["n"].map(lambda n: n == "hidden" or n % 10 == 0).all()
    assert "single people" not in " ".join(n.message for n in shown.notes)


def test_a_client_beside_a_model_of_all_others(small):
    study = small
    rows = rows_of(study)
    size = rows.groupby("client").size()
    client = str(size[size >= 6].index[0])
    found = al.expected_course(study, folds=3, client=client)
    names = ("phq9", "first", "t", "client", "therapist")
    course = methods.ExpectedCourse.fit(rows[rows["client"] != client], *names)
    own = rows[rows["client"] == client]
    table = found.table("client_symptoms").to_frame()
    assert table["score"].tolist()[1:] == own["phq9"].tolist()
    nothing = own.head(1).assign(phq9=np.nan)
    by_hand = course.predict(nothing, own["t"].to_numpy(float), band=0.8)
    np.testing.assert_allclose(table["mean"].iloc[1:].astype(float), by_hand["mean"], rtol=1e-9)
    np.testing.assert_allclose(table["high"].iloc[1:].astype(float), by_hand["upper"].clip(0, 27), rtol=1e-9)
    inside = (own["phq9"].to_numpy() <= by_hand["upper"]) & (own["phq9"].to_numpy() >= by_hand["lower"])
    assert (table["where"].iloc[1:] == "within the band").tolist() == inside.tolist()
    assert list(found.figures)[:2] == ["client_symptoms", "client_alliance"]
    assert (
        found.answer[0] == "This report is about one client. It is for the people who treat this client only."
    )
    assert f"after the start, is {own['phq9'].iloc[-1]:.0f}. From the first score" in found.answer[1]
    assert next(t for t in found.tables if t.name == "client_alliance").single_people
    alt = next(f for f in found.figure_specs if f.name == "client_symptoms").alt
    assert alt.startswith(f"The client's PHQ-9: {table['score'].iloc[0]:.1f} at 0 weeks, ")
    assert alt.count(" at ") == len(table)


def with_course(study, scores, alliance=None):
    """The study with one client's PHQ-9 scores (and ratings) replaced."""
    rows = study.sessions
    size = rows.groupby("client").size()
    client = size[size >= len(scores)].index[0]
    place = rows.index[rows["client"] == client]
    out = rows.copy()
    out.loc[place[len(scores) :], ["phq9", "alliance"]] = np.nan
    out.loc[place[: len(scores)], "phq9"] = scores
    if alliance is not None:
        out.loc[place[: len(scores)], "alliance"] = alliance
    return with_sessions(study, out), str(client)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([15, 18, 22, 25, 27], "This is worse than expected. Check the score with the client"),
        ([20, 14, 8, 2, 0], "This is better than expected."),
        ([14, 14, 13, 14, 13], "The course is as expected."),
    ],
)
def test_words_for_a_client(small, scores, words):
    changed, client = with_course(small, scores, [50, 50, 50, 49, 20])
    found = al.expected_course(changed, folds=3, client=client, holdout="client")
    text = " ".join(found.answer)
    assert words in text
    assert " to have deteriorated by then (" in text
    assert "The rating is worse than the band. Talk about the alliance" in text
    before = found.table("client_symptoms").to_frame()["where"].iloc[1:-1]
    worse = int((before == "worse than the band").sum())
    said = f"Of the {len(before)} PHQ-9 scores between the first and the last, {worse} {'was' if worse == 1 else 'were'} worse than the band"
    assert (said in text) == (worse > 0)
    assert worse == (2 if scores[-1] == 27 else 0)
    judged = "ppv" in set(found.estimates["id"])
    assert ("Among the clients of this study with a warning at 4 weeks" in text) == (
        scores[-1] == 27 and judged
    )


def test_a_client_with_one_score_and_one_rating(small):
    changed, client = with_course(small, [15, np.nan, np.nan], [np.nan, 40, np.nan])
    text = " ".join(al.expected_course(changed, folds=3, client=client, holdout="client").answer)
    assert "There is only the first PHQ-9 (15), so nothing can be compared yet." in text
    assert "There is only one rating of the alliance (WAI-SR 40)." in text
    changed, client = with_course(small, [15, 18, np.nan], [np.nan, 40, np.nan])
    clients = changed.clients.assign(age=lambda d: 30.0 + np.arange(len(d)) % 9)
    old = replace(changed, covariates=("age",), _clients=clients)
    given = al.expected_course(old, folds=3, client=client, holdout="client", covariates="age")
    assert " is 18. From the first score" in given.answer[1]
    changed, client = with_course(small, [np.nan, np.nan, np.nan])
    with pytest.raises(StudyError, match=f"client '{client}' has no PHQ-9 score, or no value of a covariate"):
        al.expected_course(changed, folds=3, client=client, holdout="client")


def test_a_client_is_not_for_outsiders_and_has_to_be_there(study):
    client = str(study.sessions["client"].iloc[0])
    with pytest.raises(
        StudyError, match="Parameter 'client': a report on one client is for the people who treat this client"
    ):
        al.expected_course(study, client=client, audience="shareable")
    with pytest.raises(StudyError, match="Parameter 'client': the data have no client 'nobody'"):
        al.expected_course(study, client="nobody")


def test_few_events_give_bands_but_no_accuracy():
    found = al.expected_course(
        clinic(2, clients=80, client_slope_sd=0.05, slope=-0.3, early_rate_sd=0.1), folds=3
    )
    note = next(n for n in found.notes if n.code == "accuracy_not_judged")
    assert (
        "At least 20 with the event and 20 without it are needed, so accuracy cannot be judged."
        in note.message
    )
    ids = set(found.estimates["id"])
    assert "cover80_k4" in ids
    assert "deteriorated" in ids
    assert not ids & {"auc", "sensitivity", "ppv_5", "delta_auc_alliance"}
    assert list(found.figures) == ["course"]


def test_not_improved_is_another_event(small):
    study = small
    found = al.expected_course(study, folds=3, event="not_improved", points=5)
    rows = rows_of(study)
    last = rows.groupby("client").tail(1).set_index("client")
    happened = last["phq9"] - last["first"] > -5
    expected = happened[last["t"] > 4]
    some = rows[rows["t"] <= 4]["client"].unique()
    assert numbers(found).loc["not_improved", "estimate"] == pytest.approx(
        expected[expected.index.isin(some)].mean()
    )
    assert any("did not improve reliably by their last score" in s for s in found.answer)


def test_a_scale_on_which_higher_is_better_is_turned_round(study, result):
    sessions = study.sessions.copy()
    sessions["phq9"] = 27 - sessions["phq9"]
    instrument = replace(study.measures["phq9"].instrument, direction="higher_better")
    measures = dict(study.measures) | {"phq9": replace(study.measures["phq9"], instrument=instrument)}
    turned = al.expected_course(replace(with_sessions(study, sessions), measures=measures), folds=4, seed=3)
    plain = result
    for name in ("auc", "sensitivity", "specificity", "cover80_k4", "rmse_k4", "deteriorated"):
        assert numbers(turned).loc[name, "estimate"] == pytest.approx(
            numbers(plain).loc[name, "estimate"], rel=1e-6
        )


def test_without_therapists_alliance_or_rule(small):
    study = small
    alone = replace(
        with_sessions(study, study.sessions.assign(therapist=None)),
        _clients=study.clients.assign(therapist=None),
    )
    found = al.expected_course(alone, folds=3)
    assert any(n.code == "therapists_not_left_out" for n in found.notes)
    assert not any(str(i).endswith("_therapist") for i in found.estimates["id"])
    measures = {"phq9": study.measures["phq9"]}
    without = al.expected_course(replace(study, measures=measures), folds=3)
    assert any(n.code == "no_alliance" for n in without.notes)
    assert "delta_auc_alliance" not in set(without.estimates["id"])
    instrument = replace(study.measures["phq9"].instrument, reliable_changes=(), reliabilities=())
    bare = replace(study, measures={"phq9": replace(study.measures["phq9"], instrument=instrument)})
    assert any(n.code == "no_rule" for n in al.expected_course(bare, folds=3).notes)


def test_too_few_clients_or_equal_scores_give_a_report_that_says_so():
    small = al.expected_course(clinic(4, therapists=6, clients=30))
    assert small.status["code"] == "underpowered"
    assert "the expected course of PHQ-9 needs at least 50" in small.answer[0]
    flat = clinic(4, therapists=6, clients=60)
    same = al.expected_course(with_sessions(flat, flat.sessions.assign(phq9=12.0)))
    assert same.status["code"] == "underpowered"
    assert "All scores of PHQ-9 are equal, so nothing can be related to them." in same.answer[0]
    rated_once = with_sessions(flat, flat.sessions.assign(alliance=40.0))
    note = next(
        n for n in al.expected_course(rated_once, folds=3).notes if n.code == "alliance_not_predicted"
    )
    assert note.message.startswith(
        "The course of WAI-SR cannot be predicted from these data: All values of 'score'"
    )


def test_groups_and_covariates(small):
    study = small
    clients = study.clients.assign(
        site=["A", "B"] * (len(study.clients) // 2), age=np.arange(len(study.clients)) % 40
    )
    named = replace(study, _clients=clients, covariates=("site", "age"))
    both = al.expected_course(named, folds=3, by="site", covariates=["age"])
    assert {"cover80_A", "cover80_B", "cover80_B_difference", "flagged_A"} <= set(both.estimates["id"])
    assert len(both.models["symptoms_course"].params) == 4


def test_bands_that_are_off_and_risks_that_are_too_extreme_are_said():
    """Many scores at zero: normal bands are too wide there."""
    study = clinic(7, therapists=6, clients=100)
    sessions = study.sessions.copy()
    later = sessions["session"] > 0
    rng = np.random.default_rng(1)
    sessions.loc[later, "phq9"] = np.where(rng.random(later.sum()) < 0.9, 3.0, 27.0)
    found = al.expected_course(with_sessions(study, sessions), folds=3)
    note = next(n for n in found.notes if n.code == "band_off")
    assert "so it is too wide. Try another shape of time." in note.message


def test_impossible_parameters_are_refused(study):
    for given, message in (
        ({"after": (-1, 4)}, "Parameter 'after': -1 is before the first score"),
        ({"decide": 3}, r"Parameter 'decide': 3 is not one of the times in 'after' \(0, 2, 4\) from 1 on"),
        ({"after": "0", "decide": None}, "Parameter 'decide': 0 is not one of the times"),
        ({"time": "cubic"}, "Parameter 'time'"),
        ({"bands": (0.4,)}, "Parameter 'bands'"),
        ({"bands": ()}, "Parameter 'bands'"),
        ({"holdout": "clinic"}, "Parameter 'holdout'"),
        ({"outcome": "bdi"}, "The study has no symptoms measure 'bdi'"),
        ({"folds": 1}, "Parameter 'folds'"),
    ):
        with pytest.raises(StudyError, match=message):
            al.expected_course(study, **given)
    assert list(al.expected_course(study, after="0,3", folds=3).parameters["after"]) == [0, 3]


def test_a_covariate_of_sessions_is_refused(tmp_path):
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "Client": np.repeat([f"c{i:03}" for i in range(60)], 5),
            "Session": np.tile(range(5), 60),
            "PHQ": rng.integers(5, 25, 300),
            "Adh": rng.integers(1, 6, 300),
        }
    )
    rows.to_csv(tmp_path / "s.csv", index=False)
    (tmp_path / "study.yaml").write_text(
        "study: T\ntables:\n  sessions:\n    file: s.csv\n    columns: {client: Client, session: Session}\n"
        "measures: {phq9: {instrument: phq_9, total: PHQ}}\ncovariates: {session: {adherence: Adh}}\n"
    )
    loaded = al.load_study(tmp_path / "study.yaml")
    with pytest.raises(StudyError, match="Parameter 'covariates': adherence is a covariate of sessions"):
        al.expected_course(loaded, covariates=["adherence"])


def test_rare_scores_move_the_times_up_to_which_scores_are_known(small):
    rows = small.sessions.assign(week=small.sessions["week"] * 5)
    rare = with_sessions(small, rows)
    found = al.expected_course(rare, folds=3, holdout="client")
    later = rows.dropna(subset=["phq9"])
    later = later[later.duplicated("client")]
    place = later.groupby("client").cumcount()
    start = later["client"].map(rows.groupby("client")["week"].min())
    times = [float(np.ceil((later["week"] - start)[place == k].median())) for k in (0, 1)]
    assert found.parameters["after"] == [0.0, *times]
    assert found.parameters["decide"] == times[1]
    nobody = al.expected_course(rare, folds=3, after=(0, 2), holdout="client")
    note = next(n for n in nobody.notes if n.code == "nobody_judged")
    assert note.message.startswith("No client has a PHQ-9 score up to the time of the warning and one later.")
    assert "deteriorated" not in set(nobody.estimates["id"])


def test_a_report_on_one_client_names_no_other_and_one_without_names_none(small):
    clients = sorted(small.sessions["client"].unique())
    named = str(al.expected_course(small, folds=3, client=clients[3], holdout="client").to_dict())
    plain = str(al.expected_course(small, folds=3, holdout="client").to_dict())
    assert f"'client': '{clients[3]}'" in named
    for client in clients:
        assert f"'{client}'" not in plain
        assert client == clients[3] or f"'{client}'" not in named
