"""Paths by way of the alliance: simulated chains at each level, models made by hand, and what too few data give."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study, methods
from alliance_longitudinal.data import Measure
from alliance_longitudinal.measures import load_instruments
from alliance_longitudinal.simulation import ChainTruth, ClinicTruth, simulate_chain
from analyses.studies import simulated_study, value, with_sessions

KNOWN = ChainTruth()
A, B, COV, DIRECT = KNOWN.a, KNOWN.b, KNOWN.cov_ab, KNOWN.direct


def chain(seed: int, clients: int = 80, therapists: int = 10, sessions: int = 11) -> Study:
    """Empathy of a session moves the next session's alliance, and this the symptoms one session later; paths differ by client."""
    base = simulated_study(
        1, ClinicTruth(therapists=therapists, clients=max(clients, 5 * therapists)), items=False
    )
    frame = simulate_chain(seed, clients, therapists, sessions)
    registry = load_instruments()
    empathy = Measure("empathy", "empathy", "client", registry["blri_os_40"], timing="end")
    people = frame[["client", "therapist"]].drop_duplicates(ignore_index=True)
    return replace(base, measures={**base.measures, "empathy": empathy}, _sessions=frame, _clients=people)


@pytest.fixture(scope="module")
def study() -> Study:
    return chain(4)


@pytest.fixture(scope="module")
def result(study):
    return al.mechanisms(study, cause="empathy", detrend="mean")


def steps_by_hand(study: Study) -> pd.DataFrame:
    out = []
    for client, own in study.sessions.groupby("client"):
        s = own.set_index("session")
        for t in s.index:
            if t - 1 in s.index and t - 2 in s.index:
                out.append((client, s.loc[t - 2, "empathy"], s.loc[t - 1, "alliance"], s.loc[t, "phq9"]))
    rows = pd.DataFrame(out, columns=["client", "x", "m", "y"]).dropna()
    for name in ("x", "m", "y"):
        rows[name] -= rows.groupby("client")[name].transform("mean")
    return rows


def test_the_chain_within_clients_is_found_again(result):
    truth = {"a": A, "b": B, "cov_ab": COV, "indirect_within": A * B + COV, "direct": DIRECT}
    for name, wanted in truth.items():
        assert abs(value(result, name) - wanted) < 3 * value(result, name, "se"), name
    assert value(result, "indirect_within", "ci_high") < 0
    assert value(result, "total") == pytest.approx(value(result, "indirect_within") + value(result, "direct"))


def test_within_is_the_method_on_steps_made_by_hand(study, result):
    rows = steps_by_hand(study)
    found = methods.mediate(rows, "x", "m", "y", "client", seed=20_260_101)
    for ours, name in (("a", "a"), ("b", "b"), ("cov_ab", "cov_ab"), ("indirect_within", "indirect")):
        assert value(result, ours) == pytest.approx(found.params[name], rel=1e-6)
        assert value(result, ours, "ci_low") == pytest.approx(found.conf_int().loc[name, "lower"], rel=1e-5)
    sd = rows["x"].std()
    assert value(result, "indirect_within_per_sd") == pytest.approx(sd * found.params["indirect"], rel=1e-6)
    t = (found.params["b"] + found.params["cov_ab"] / found.params["a"]) * found.sigma["m"] / found.sigma["y"]
    assert value(result, "rho_zero") == pytest.approx(t / np.hypot(1, t), rel=1e-6)


def test_a_common_course_and_own_lines_are_taken_out(study):
    """A parabola that all clients share changes nothing; nor do lines of single clients if those are taken out."""
    sessions = study.sessions
    t = sessions["session"] - 6.0
    bent = with_sessions(
        study,
        sessions.assign(
            empathy=sessions["empathy"] + 0.5 * t + 0.05 * t**2, phq9=sessions["phq9"] - 0.4 * t + 0.03 * t**2
        ),
    )
    plain, same, other = (
        al.mechanisms(s, cause="empathy", detrend=d)
        for s, d in ((study, "common"), (bent, "common"), (bent, "mean"))
    )
    assert value(same, "indirect_within") == pytest.approx(value(plain, "indirect_within"), rel=1e-4)
    assert abs(value(other, "total") - value(plain, "total")) > 0.02
    slopes = pd.Series(np.random.default_rng(1).normal(0, 0.5, 80), index=sorted(sessions["client"].unique()))
    own = sessions["client"].map(slopes) * t
    tilted = with_sessions(
        study, sessions.assign(alliance=sessions["alliance"] + own, phq9=sessions["phq9"] + own)
    )
    first, second = (al.mechanisms(s, cause="empathy", detrend="client") for s in (study, tilted))
    assert value(second, "indirect_within") == pytest.approx(value(first, "indirect_within"), rel=1e-4)


def test_words_of_a_chain_within(result):
    assert result.answer[0].startswith(
        "Within clients, after sessions with BLRI-OS-40 one standard deviation ("
    )
    assert "WAI-SR at the next session was higher (" in result.answer[0]
    assert "one session later was lower (" in result.answer[0]
    assert "is clearly not zero" not in result.answer[0]
    assert "so it is clearly not zero." in result.answer[1]
    assert result.answer[2].startswith(
        "Something unmeasured that moves both the alliance and the outcome could account"
    )
    codes = {n.code for n in result.notes}
    assert {"feedback", "no_order_between"} <= codes
    text = " ".join([*result.answer, result.methods, *(n.message for n in result.notes)]).lower()
    for causal in (" causes ", "leads to", " led to ", "mediates", "because of the alliance", "transmits"):
        assert causal not in text
    assert [t.name for t in result.tables][1:4] == ["paths_per_sd", "paths", "confounding"]
    assert [f.name for f in result.figure_specs][:2] == ["paths", "confounding"]  # checks come behind them


# ---------------------------------------------------------------- causes of clients and of therapists

TRUTH = ClinicTruth(
    therapists=40, clients=800, attachment_avoidance=-2.0, within=-0.05, empathy=3.0, between=-0.05
)


def clinic(seed: int, truth: ClinicTruth = TRUTH) -> Study:
    made, plain = al.simulate_clinic(seed, truth, items=False), simulated_study(seed, truth, items=False)
    clients = plain.clients.merge(made.clients[["client", "attachment_avoidance"]], on="client")
    clients = clients.rename(columns={"attachment_avoidance": "avoidance"})
    clients["kind"] = np.where(np.arange(len(clients)) % 2, "b", "a")
    clients["three"] = np.array(["a", "b", "c"])[np.arange(len(clients)) % 3]
    return replace(
        plain,
        covariates=("avoidance", "kind", "three"),
        therapist_covariates=("empathy",),
        _clients=clients,
        _therapists=made.therapists[["therapist", "empathy"]],
    )


@pytest.fixture(scope="module")
def clinics() -> Study:
    return clinic(2)


@pytest.fixture(scope="module")
def of_clients(clinics):
    return al.mechanisms(clinics, cause="avoidance")


def test_a_cause_of_clients_is_found_again(of_clients):
    """Avoidance lowers the alliance by 2 points per SD, and a point of it the weekly change by .05."""
    assert abs(value(of_clients, "a") + 2.0) < 3 * value(of_clients, "a", "se")
    assert abs(value(of_clients, "b") + 0.05) < 3 * value(of_clients, "b", "se")
    assert abs(value(of_clients, "direct")) < 3 * value(of_clients, "direct", "se")
    assert (
        value(of_clients, "indirect_between", "ci_low")
        < 0.1
        < value(of_clients, "indirect_between", "ci_high")
    )
    assert 0.5 < value(of_clients, "prop") < 1.6
    assert dict(of_clients.facts)["Cause"] == "avoidance"


def test_the_product_and_its_interval_are_those_of_the_two_models(of_clients):
    first, second = of_clients.models["alliance"], of_clients.models["outcome"]
    a, b = first.params["x_client"], second.params["weeks:early_client"]
    assert value(of_clients, "indirect_between") == pytest.approx(a * b)
    assert (value(of_clients, "a", "n"), value(of_clients, "b", "n")) == (first.nobs, second.nobs)
    # Errors that hold if paths differ between therapists, with their degrees of freedom.
    errors, df = [], []
    for model, term in ((first, "x_client"), (second, "weeks:early_client")):
        robust = model.with_errors("CR2", "therapist")
        errors.append(robust.bse[term])
        df.append(robust.df[term])
    low, high = methods.product_interval(a, errors[0], b, errors[1], 0.05, *df)
    assert value(of_clients, "indirect_between", "ci_low") == pytest.approx(low)
    assert value(of_clients, "indirect_between", "ci_high") == pytest.approx(high)
    assert "cluster-robust standard errors (CR2" in of_clients.methods
    v = second.varcorr
    slopes = v[v["term2"].isna() & (v["term1"] == "weeks") & v["group"].str.contains("client")]["sdcor"].iloc[
        0
    ]
    t = b * np.sqrt(first.scale) / slopes
    assert value(of_clients, "rho_zero") == pytest.approx(t / np.hypot(1, t))


def test_the_second_look_has_latent_client_means(clinics, of_clients):
    sessions = clinics.sessions.sort_values(["client", "session"])
    found = of_clients.estimates.set_index("id")
    assert {"indirect_between_latent", "a_between_latent"} <= set(found.index)
    lagged = methods.lag(sessions, ["alliance"])
    first = sessions[sessions["session"] <= 5].dropna(subset=["phq9"]).groupby("client")["phq9"].first()
    rows = pd.DataFrame(
        {
            "g": lagged["client"],
            "x": lagged["client"].map(clinics.clients.set_index("client")["avoidance"]),
            "m": lagged["alliance_lag"],
            "y": lagged["phq9"] - lagged["client"].map(first),
        }
    )
    last = sessions.groupby("client")["session"].max()
    scored = sessions[(sessions["session"] > 5) & sessions["phq9"].notna()]["client"].unique()
    two = sessions[sessions["session"] <= 5].groupby("client")["phq9"].count()
    kept = [c for c in scored if last[c] >= 5 and two[c] >= 2]
    latent = methods.latent_mediation(rows[rows["g"].isin(kept)].dropna(), "x", "m", "y", "g")
    assert found.loc["indirect_between_latent", "estimate"] == pytest.approx(
        latent.params["indirect"], rel=1e-3
    )


def test_a_cause_of_therapists_names_their_number(clinics):
    found = al.mechanisms(clinics)
    assert found.parameters["cause"] == "empathy"
    assert abs(value(found, "a") - 3.0) < 3 * value(found, "a", "se")
    assert "40 therapists" in found.answer[0]
    note = next(n for n in found.notes if n.code == "path_of_few_therapists")
    assert "rests on 40 therapists" in note.message
    assert value(found, "a", "df") == 37
    assert {"indirect_between", "indirect_between_observed"} <= set(found.estimates["id"])
    assert (
        value(found, "indirect_between_observed_per_sd") < 0
    )  # more empathy, better alliance, more improvement
    assert found.estimates.set_index("id").loc["indirect_between", "level"] == "therapist"
    first, second = found.models["alliance_therapist"].params, found.models["outcome_therapist"].params
    a, b = first["x_therapist"], second["weeks:early_therapist"]
    assert value(found, "a_between_observed") == pytest.approx(a)
    assert value(found, "b_between_observed") == pytest.approx(b)
    assert value(found, "indirect_between_observed") == pytest.approx(a * b)


def test_two_categories_are_a_cause_and_three_are_not(clinics):
    small = clinic(3, replace(TRUTH, therapists=8, clients=120))
    found = al.mechanisms(small, cause="kind")
    assert dict(found.facts)["Cause"] == "kind: b"
    with pytest.raises(al.StudyError) as error:
        al.mechanisms(small, cause="three")
    assert str(error.value) == (
        "Parameter 'cause': three has 3 categories. A path needs a number or two categories."
    )
    few = al.mechanisms(small, cause="empathy")
    assert few.answer[0].endswith(
        "A path between therapists needs at least 10 therapists, and these data have fewer."
    )


def test_groups_are_compared_by_their_own_models():
    small = clinic(5, replace(TRUTH, therapists=10, clients=200))
    clients = small.clients
    clients.loc[clients.index[clients["kind"].eq("a")][:15], "kind"] = "aa"
    small = replace(small, _clients=clients)
    both = al.mechanisms(small, cause="avoidance", by="kind")
    alone = al.mechanisms(small, cause="avoidance", by="kind=b")
    assert value(both, "indirect_between_b") == pytest.approx(value(alone, "indirect_between"), rel=1e-3)
    assert "indirect_between_b_difference" in set(both.estimates["id"])
    assert next(n for n in both.notes if n.code == "small_group").message.startswith(
        "kind aa has fewer than 40"
    )


def test_covariates_enter_both_models():
    small = clinic(6, replace(TRUTH, therapists=10, clients=150))
    found = al.mechanisms(small, cause="avoidance", covariates=["kind"])
    assert "cov_kind_b" in found.models["alliance"].params.index
    assert "weeks:cov_kind_b" in found.models["outcome"].params.index


# ---------------------------------------------------------------- too little, and wrong requests


def test_what_is_missing_is_said(study):
    plain = simulated_study(1, ClinicTruth(therapists=8, clients=80), items=False)
    nothing = al.mechanisms(plain)
    assert nothing.answer[0].startswith(
        "There are too few data for an answer. The study names no cause that may come before the alliance"
    )
    # Another rater's alliance is no cause of the alliance, but it can be asked for, under a name of its own.
    second = replace(plain.measures["alliance"], name="seen", rater="therapist")
    seen = replace(
        plain,
        measures={**plain.measures, "seen": second},
        _sessions=plain.sessions.assign(seen=plain.sessions["alliance"] + 1),
    )
    assert "names no cause that may come before the alliance" in al.mechanisms(seen).answer[0]
    same = al.mechanisms(seen, cause="seen")
    assert dict(same.facts)["Cause"] == "WAI-SR (therapist)"
    # This rating is the client's plus one, so the alliance is predicted exactly: a sentence, not a division by zero.
    note = next(n for n in same.notes if n.code == "path_not_fitted")
    assert "the robust variance of a contrast is zero, so it has no degrees of freedom" in note.message
    equal = with_sessions(chain(1), chain(1).sessions.assign(phq9=12.0))
    assert al.mechanisms(equal, cause="empathy").answer[0] == (
        "There are too few data for an answer. All scores of PHQ-9 are equal, so nothing can be related to them. "
        "Check that the study file names the right columns."
    )
    few = al.mechanisms(chain(1, clients=30, therapists=6), cause="empathy")
    assert "a path by way of the alliance needs at least 40." in few.answer[0]
    flat = with_sessions(study, study.sessions.assign(empathy=3.0))
    assert (
        al.mechanisms(flat, cause="empathy")
        .answer[0]
        .endswith(" is the same for all analysed clients, so there is no path from it or through it.")
    )


def test_a_measure_with_single_scores_is_one_of_clients(study):
    once = study.sessions
    once["empathy"] = once["empathy"].where(once["session"] == 0)
    found = al.mechanisms(with_sessions(study, once), cause="empathy")
    assert "indirect_within" not in set(found.estimates["id"])
    assert dict(found.facts)["Cause"].endswith(", first score")
    assert "order_of_cause" in {n.code for n in found.notes}


def test_a_path_that_cannot_be_fitted_is_named(study):
    """The next session's alliance is the cause again, without any error."""
    sessions = study.sessions.sort_values(["client", "session"])
    sessions["alliance"] = sessions.groupby("client")["empathy"].shift(1).fillna(sessions["empathy"])
    found = al.mechanisms(with_sessions(study, sessions), cause="empathy", detrend="mean")
    note = next(n for n in found.notes if n.code == "path_not_fitted")
    assert note.message.startswith("The path within clients could not be estimated: ")


def test_wrong_causes_name_what_there_is(study, clinics):
    with pytest.raises(al.StudyError) as error:
        al.mechanisms(study, cause="alliance")
    assert str(error.value) == (
        "Parameter 'cause': alliance is the alliance or the outcome of this analysis. The cause is another measure or a "
        "covariate."
    )
    with pytest.raises(
        al.StudyError, match=r"the study has no measure or covariate 'avoidanc'. Did you mean 'avoidance'"
    ):
        al.mechanisms(clinics, cause="avoidanc")
    mode = replace(study, session_covariates=("mode",), _sessions=study.sessions.assign(mode="video"))
    with pytest.raises(
        al.StudyError, match=r"mode is a category of sessions. A path within clients needs a number"
    ):
        al.mechanisms(mode, cause="mode")


def test_a_covariate_of_sessions_is_a_cause(study):
    renamed = study.sessions.rename(columns={"empathy": "warmth"})
    own = replace(
        study,
        measures={k: m for k, m in study.measures.items() if k != "empathy"},
        session_covariates=("warmth",),
        _sessions=renamed,
    )
    found = al.mechanisms(own, cause="warmth", detrend="mean")
    assert value(found, "a") == pytest.approx(
        value(al.mechanisms(study, cause="empathy", detrend="mean"), "a")
    )


@pytest.mark.parametrize("audience", ["internal", "shareable"])
def test_both_audiences_and_the_study_left_alone(study, audience):
    before = study.sessions.copy()
    found = al.mechanisms(study, cause="empathy", audience=audience)
    assert found.answer[0].startswith("Within clients, after sessions with ")
    pd.testing.assert_frame_equal(study.sessions, before)


def test_both_models_between_clients_are_checked(result):
    """The indirect path is a product: each of its two paths without any one therapist."""
    table = result.table("model_checks").to_frame().replace("−", "-", regex=True)
    for (_, row), name in zip(table.iterrows(), ("a_between", "b_between"), strict=True):
        shown = float(row["whole"])
        assert shown == pytest.approx(value(result, name), rel=0.01)
        low, high = (float(x) for x in row["range"].split(" to "))
        assert low < shown < high
    names = [f.name for f in result.figure_specs]
    assert {"residuals_outcome", "without_outcome"} <= set(names)
    assert "residuals_alliance" not in names
    assert "internal reports check the model of each of the two" in result.methods
