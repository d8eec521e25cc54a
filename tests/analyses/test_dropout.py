"""Who drops out: the truth of simulated clinics, plain counts, nothing from the future, and what too few data give."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import simulated_study, value, with_sessions
from inside.analyses_dropout import bands, leaving_of, third_of

LEAVE = {
    "dropout_intercept": -3.0, "dropout_by_severity": 0.0, "dropout_by_alliance": 0.06, "dropout_therapist_sd": 0.6,
    "planned_chance": 0.03, "planned_by_session": 0.15,
}  # fmt: skip


@pytest.fixture(scope="module")
def study():
    """Planned ends rise with the session; the logit of leaving is -3 less .06 per point of the last alliance."""
    return simulated_study(4, ClinicTruth(therapists=50, clients=1_500, **LEAVE))


@pytest.fixture(scope="module")
def result(study):
    return al.dropout(study)


def test_the_truth_of_competing_ends_is_found_again(result):
    for name in ("drop_alliance_within", "drop_alliance_client"):
        # The alliance that was felt decides, its rating predicts: a rating that is missing makes the last one older.
        assert abs(value(result, name) + 0.06) < 3 * value(result, name, "se") + 0.004
    assert value(result, "drop_therapist_sd", "ci_low") < 0.6 < value(result, "drop_therapist_sd", "ci_high")
    assert abs(value(result, "drop_severity")) < 3 * value(result, "drop_severity", "se")
    for name in ("planned_alliance_within", "planned_alliance_client"):
        assert abs(value(result, name)) < 3.5 * value(result, name, "se")


def test_odds_ratios_and_the_size_d_are_those_of_the_coefficients(result):
    b, se = value(result, "drop_alliance_client"), value(result, "drop_alliance_client", "se")
    ratio = value(result, "or_alliance_client")
    sd = -np.log(ratio) / b
    assert 3 < sd < 12
    assert value(result, "or_alliance_client", "ci_high") == pytest.approx(
        np.exp(-sd * (b - 1.959964 * se)), rel=1e-6
    )
    assert value(result, "d_equivalent") == pytest.approx(np.log(ratio))
    assert (
        value(result, "d_equivalent", "ci_low")
        < value(result, "d_equivalent")
        < value(result, "d_equivalent", "ci_high")
    )


def test_the_answer_and_the_tables(result):
    assert result.answer[0].startswith("Before session 8, ")
    assert "one SD below the client's own mean so far, the odds of dropping out were" in result.answer[1]
    assert "times as high" in result.answer[2]
    assert result.answer[3].startswith(
        "As a standardised difference between clients who dropped out and the others, "
    )
    assert [t.name for t in result.tables][1:5] == ["odds", "effects", "planned", "definitions"]
    assert [f.name for f in result.figure_specs] == ["incidence", "hazard"]
    labels = result.estimates.set_index("id")["label"]
    ends = [
        labels[f"or_{name}"].rpartition(": ")[2]
        for name in ("alliance_within", "alliance_client", "severity")
    ]
    assert ends == ["one SD lower", "one SD lower", "one SD higher"]
    begin = result.figure_specs[0].data.groupby("label").first()  # nobody has left
    assert len(begin) == 3
    assert (begin[["estimate", "low", "high"]] == 0).all(axis=None)
    assert dict(result.facts)["Dropout means"] == "the ending that the study records"


def test_shares_are_plain_counts(study, result):
    """Definitions by loops; the cumulative incidence by those who left by then, where nobody is censored before."""
    sessions, clients = study.sessions, study.clients
    rated = sessions[sessions["session"].ge(1) & sessions["alliance"].notna()]["client"].unique()
    last = sessions[sessions["client"].isin(rated)].groupby("client")["session"].max()
    end = clients.set_index("client")["ending"].reindex(last.index)
    assert value(result, "rate_recorded") == pytest.approx((end == "dropout").mean())
    assert value(result, "rate_not_planned") == pytest.approx((end != "planned").mean())
    assert value(result, "rate_fewer_than_k") == pytest.approx((last < 8).mean())
    assert value(result, "rate_one_session") == pytest.approx((last <= 1).mean())
    gone = ((end == "dropout") & (last + 1 <= 8)).mean()
    assert value(result, "cif_drop_8") == pytest.approx(gone)
    assert value(al.dropout(study, k=5), "cif_drop_5") < gone


def test_without_recorded_ends_few_sessions_count_as_dropout(study):
    plain = replace(study, _clients=study.clients.drop(columns="ending"))
    found, asked = al.dropout(plain), al.dropout(study, ends="few_sessions")
    pd.testing.assert_frame_equal(found.estimates, asked.estimates)
    assert "rate_recorded" not in set(found.estimates["id"])
    assert value(found, "cif_drop_8") == pytest.approx(value(found, "rate_fewer_than_k"))
    note = next(n for n in found.notes if n.code == "dropout_by_rule")
    assert note.message == (
        "This report does not use how treatments ended. Clients with fewer than 8 sessions count as dropouts, including "
        "those with a short planned treatment or a treatment that has just begun."
    )
    assert dict(found.facts)["Dropout means"] == "fewer than 8 sessions"


def test_nothing_that_is_rated_later_changes_an_earlier_row(study):
    """With ratings after session 6 spoilt, the rows at risk up to session 7 are the same."""
    from alliance_longitudinal.analyses.kit import Draft

    def rows(some):
        draft = Draft(some)
        a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
        found = leaving_of(draft, draft.sessions, a, y, 8, True).rows
        return found.loc[found["period"] <= 7, ["client", "period", "within", "mean_so_far", "y", "dropout"]]

    spoilt = study.sessions
    later = spoilt["session"] >= 7
    spoilt.loc[later, ["alliance", "phq9"]] = 12.0
    pd.testing.assert_frame_equal(rows(with_sessions(study, spoilt)), rows(study))
    own = rows(study)
    one = own[own["client"] == own["client"].iloc[0]]
    seen = study.sessions[study.sessions["client"] == one["client"].iloc[0]].set_index("session")["alliance"]
    for _, row in one.iterrows():
        before = seen[(seen.index < row["period"]) & (seen.index >= 1)].dropna()
        assert row["mean_so_far"] == pytest.approx(before.mean())
        assert row["within"] == pytest.approx(before.iloc[-1] - before.mean())


def test_the_study_is_left_as_it_was(study, result):
    before = study.sessions.copy()
    again = al.dropout(study)
    pd.testing.assert_frame_equal(study.sessions, before)
    pd.testing.assert_frame_equal(again.estimates, result.estimates)


def test_covariates_enter_the_model(study):
    clients = study.clients.assign(age=np.random.default_rng(1).normal(40, 10, len(study.clients)))
    found = al.dropout(replace(study, _clients=clients, covariates=("age",)), covariates=["age"])
    assert "cov_age" in found.models["dropout"].params.index
    assert abs(value(found, "drop_alliance_client") + 0.06) < 0.03


def test_without_therapists_each_client_counts_alone():
    study = simulated_study(6, ClinicTruth(therapists=30, clients=600, **LEAVE))
    alone = replace(
        study,
        _sessions=study.sessions.drop(columns="therapist"),
        _clients=study.clients.drop(columns="therapist"),
    )
    found = al.dropout(alone)
    assert "drop_therapist_sd" not in set(found.estimates["id"])
    assert value(found, "drop_alliance_client") < 0
    assert dict(found.facts)["Therapists"] == "not known"


def test_ends_of_one_kind_only_give_a_report_without_an_answer(study):
    stayed = study.clients.assign(ending="planned")
    found = al.dropout(replace(study, _clients=stayed))
    assert found.answer[0] == (
        "There are too few data for an answer. 0 clients dropped out after an alliance score, and a model of dropout needs "
        "at least 10."
    )
    assert found.estimates.empty


def test_equal_ratings_cannot_predict(study):
    sessions = study.sessions
    sessions["alliance"] = sessions["alliance"].where(sessions["alliance"].isna(), 40.0)
    found = al.dropout(with_sessions(study, sessions))
    assert found.answer[0].endswith(
        "The scores of WAI-SR do not differ, so they cannot predict who drops out."
    )


def test_data_that_end_before_session_k_are_no_dropouts(study):
    short = with_sessions(study, study.sessions[study.sessions["session"] <= 3].reset_index(drop=True))
    found = al.dropout(short, ends="few_sessions")
    assert (
        "No client has 8 sessions or more, so by the rule few_sessions everybody dropped out."
        in found.answer[0]
    )


def test_one_therapist_leaves_the_errors_of_single_clients(study, result):
    """Errors by a single therapist would be zero, and the interval a point."""
    one = with_sessions(study, study.sessions.assign(therapist="T"))
    found = (
        al.dropout(replace(one, _clients=one.clients.assign(therapist="T")))
        .estimates.set_index("id")
        .loc["cif_drop_8"]
    )
    p = found["estimate"]
    assert p == result.estimates.set_index("id").loc["cif_drop_8", "estimate"]
    assert found["ci_high"] - found["ci_low"] == pytest.approx(
        2 * 1.96 * np.sqrt(p * (1 - p) / found["n"]), rel=0.2
    )


def test_few_clients_and_few_events_are_said():
    small = simulated_study(7, ClinicTruth(therapists=3, clients=18, **LEAVE))
    assert (
        "18 clients can be analysed; the dropout analysis needs at least 20." in al.dropout(small).answer[0]
    )
    more = simulated_study(8, ClinicTruth(therapists=12, clients=120, **LEAVE))
    found = al.dropout(more)
    note = next(n for n in found.notes if n.code == "few_events")
    assert "dropouts per coefficient, estimates are uncertain." in note.message


def test_ends_that_are_not_recorded_cannot_be_asked_for(study):
    plain = replace(study, _clients=study.clients.drop(columns="ending"))
    with pytest.raises(al.StudyError) as error:
        al.dropout(plain, ends="recorded")
    assert str(error.value) == (
        "Parameter 'ends': the study does not record how treatments ended. Name the column 'ending' in the study file, or "
        "use ends='few_sessions'."
    )
    with pytest.raises(al.StudyError, match="Parameter 'k'"):
        al.dropout(plain, k=2)


def test_steps_of_the_baseline_hold_enough_dropouts():
    period = pd.Series([2] * 10 + [3] * 10 + [4] * 10 + [5] * 10 + [6] * 10)
    event = pd.Series(([1.0] * 6 + [0.0] * 4) + ([1.0] * 2 + [0.0] * 8) * 3 + [0.0] * 10)
    steps = bands(period, event)
    assert list(steps.cat.categories) == ["session 2", "sessions 3 to 6"]
    assert event.groupby(steps, observed=True).sum().tolist() == [6, 6]
    none = bands(period, event * 0)
    assert list(none.cat.categories) == ["sessions 2 to 6"]


def test_equal_first_ratings_are_in_one_third():
    thirds = third_of(pd.Series([1.0, 1, 1, 2, 3, 3, 4, 5, 6]))
    assert thirds.astype(str).tolist() == ["lowest third"] * 3 + ["middle third"] * 3 + ["highest third"] * 3


def test_d_is_the_difference_of_the_means_in_standard_deviations(study, result):
    """Of the mean so far, between the sessions before a dropout and those before another session."""
    from alliance_longitudinal.analyses.kit import Draft

    draft = Draft(study)
    a, y = draft.measure("alliance", None), draft.measure("symptoms", None)
    rows = leaving_of(draft, draft.sessions, a, y, 8, True).rows
    left = rows.loc[rows["dropout"].eq(1), "mean_so_far"]
    stayed = rows.loc[~rows["ended"], "mean_so_far"]
    observed = (stayed.mean() - left.mean()) / rows["mean_so_far"].std()
    # The model also adjusts for session, last rating and therapist; two standard errors of d are about .1.
    assert value(result, "d_equivalent") == pytest.approx(
        observed, abs=2 * value(result, "d_equivalent", "se")
    )
    assert value(result, "d_equivalent") > 0.75 * observed > 0.15


def test_groups_are_compared_by_their_own_models(study):
    """Each group's numbers are those of a report on this group alone."""
    clients = study.clients.assign(site=np.where(np.arange(len(study.clients)) % 3 == 0, "A", "B"))
    sites = replace(study, _clients=clients, covariates=("site",))
    both, alone = al.dropout(sites, by="site"), al.dropout(sites, by="site=B")
    for name in ("rate_recorded", "drop_alliance_within", "drop_alliance_client"):
        # The optimiser stops where one more step would change nothing that is shown.
        assert value(both, f"{name}_B") == pytest.approx(value(alone, name), rel=1e-4)
        assert value(both, f"{name}_B_difference") == pytest.approx(
            value(both, f"{name}_B") - value(both, f"{name}_A")
        )
    assert {"by_group", "effects_by_group"} <= {t.name for t in both.tables}
    assert {"dropout_A", "dropout_B"} <= set(both.models)


def test_a_group_with_few_dropouts_is_named(study):
    clients = study.clients
    left = clients.loc[clients["ending"].eq("dropout"), "client"]
    few = [*left.iloc[:3], *clients.loc[~clients["client"].isin(left), "client"].iloc[:40]]
    sites = clients.assign(site=np.where(clients["client"].isin(few), "A", "B"))
    found = al.dropout(replace(study, _clients=sites, covariates=("site",)), by="site")
    note = next(n for n in found.notes if n.code == "small_group")
    assert note.message == (
        "In site A fewer than 10 clients dropped out after an alliance score, so the report does not relate dropout to "
        "the alliance in this group."
    )
    assert "effects_by_group" not in {t.name for t in found.tables}


def test_a_group_whose_model_has_no_estimate_is_named():
    """In site A the last rating of those who leave is low, and no other is."""
    study = simulated_study(4, ClinicTruth(therapists=20, clients=500, **LEAVE))
    sessions, clients = study.sessions, study.clients
    of = clients.assign(site=np.where(np.arange(len(clients)) % 5 == 0, "A", "B"))
    inside = sessions["client"].isin(of.loc[of["site"].eq("A"), "client"])
    gone = sessions["client"].map(clients.set_index("client")["ending"]).eq("dropout")
    last = sessions["session"].eq(sessions.groupby("client")["session"].transform("max"))
    low = (gone & last)[inside]
    sessions.loc[inside, "alliance"] = np.where(low, 20.0, 50.0) + sessions["session"][inside] % 3
    found = al.dropout(replace(with_sessions(study, sessions), _clients=of, covariates=("site",)), by="site")
    note = next(n for n in found.notes if n.code == "group_not_fitted")
    assert note.message.startswith("The model of site A could not be fitted: ")
