"""Arms, moderated effects, attachment with experience, and competing ends: each truth is found again in the data."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import alliance_longitudinal as al
from alliance_longitudinal import simulate_clinic
from alliance_longitudinal.simulation import ChainTruth, simulate_chain

NEUTRAL = {
    "avoidance_by_experience": 0.0, "arm_share": 0.0, "arm_alliance": 3.0, "arm_slope": 1.0, "within_by_arm": 1.0,
    "within_by_avoidance": 0.0, "dropout_therapist_sd": 0.0, "planned_chance": 0.0, "planned_by_session": 1.0,
}  # fmt: skip


def test_what_is_off_leaves_the_data_as_they_were():
    plain, named = simulate_clinic(1), simulate_clinic(1, **NEUTRAL)
    assert plain.sessions.equals(named.sessions)
    assert plain.clients.equals(named.clients)
    assert "end" not in plain.clients
    assert "arm" not in plain.sessions


def test_arms_and_ends_leave_intake_and_weeks_as_they_were():
    plain = simulate_clinic(2, items=False)
    other = simulate_clinic(2, items=False, arm_share=0.5, arm_alliance=2.0, planned_chance=0.05)
    np.testing.assert_array_equal(plain.weeks, other.weeks)
    np.testing.assert_array_equal(plain.phq[:, 0], other.phq[:, 0])
    assert set(other.sessions["arm"]) == {0, 1}
    assert set(other.clients["end"].dropna()) == {"planned", "dropout"}


def test_attachment_counts_differently_with_experienced_therapists_and_arms_move_the_alliance():
    made = simulate_clinic(
        7, items=False, therapists=300, clients=9_000,
        attachment_avoidance=-1.5, experience=0.8, avoidance_by_experience=1.2, arm_share=0.4, arm_alliance=2.0,
    )  # fmt: skip
    people = made.clients.merge(made.therapists, on="therapist").set_index("client")
    y = made.sessions.query("session == 1").set_index("client")["wai"].dropna()
    rows = people.loc[y.index]
    x = pd.DataFrame(
        {
            "avoidance": rows["attachment_avoidance"],
            "experience": rows["experience"],
            "product": rows["attachment_avoidance"] * rows["experience"],
            "arm": rows["arm"].astype(float),
        }
    )
    groups = pd.factorize(rows["therapist"])[0]
    fit = sm.OLS(y, sm.add_constant(x)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert abs(rows["arm"].mean() - 0.4) < 0.02
    wanted = pd.Series({"avoidance": -1.5, "experience": 0.8, "product": 1.2, "arm": 2.0})
    assert (abs(fit.params[wanted.index] - wanted) < 3 * fit.bse[wanted.index]).all()


def test_the_effect_of_the_alliance_differs_by_arm_and_attachment():
    """Slopes of clients after session 5 on their early alliance, the arm, attachment and the products."""
    truth = {
        "within": -0.02,
        "within_by_arm": -0.04,
        "within_by_avoidance": 0.03,
        "arm_share": 0.5,
        "arm_slope": -0.2,
    }
    clinic = simulate_clinic(
        5, items=False, therapists=100, clients=6_000, **truth,
        intake_mean=13.5, early_rate=0.0, slope=0.0, dropout_intercept=-9.0,
    )  # fmt: skip
    early = pd.DataFrame(clinic.wai[:, 1:6]).mean(axis=1).to_numpy()
    weeks = np.where(np.isnan(clinic.phq) | ~clinic.attended, np.nan, clinic.weeks)[:, 6:]
    y = np.where(np.isnan(weeks), np.nan, clinic.phq[:, 6:])
    keep = (np.sum(~np.isnan(weeks), axis=1) >= 4) & ~np.isnan(early) & ~np.isnan(clinic.phq[:, 5])
    weeks, y, early = weeks[keep], y[keep], early[keep]
    centred = weeks - np.nanmean(weeks, axis=1, keepdims=True)
    squares = np.nansum(centred**2, axis=1)
    slope = np.nansum(centred * y, axis=1) / squares
    therapist, people = clinic.people.therapist[keep], clinic.people
    means = np.bincount(therapist, early) / np.bincount(therapist)
    own = early - means[therapist]
    arm, avoidance = people.arm[keep].astype(float), people.avoidance[keep]
    x = np.column_stack(
        [own, own * arm, own * avoidance, arm, avoidance, means[therapist], clinic.phq[keep, 0],
         clinic.phq[keep, 5] - clinic.phq[keep, 0]]
    )  # fmt: skip
    weights = 1 / (2.2**2 / squares + 0.16**2 + 0.08**2)
    fit = sm.WLS(slope, sm.add_constant(x), weights=weights).fit()
    wanted = np.array([-0.02, -0.04, 0.03, -0.2])
    # The mean of the forms that are there is the early mean with error, the ends of the scale shrink slopes: 8 percent.
    assert (np.abs(fit.params[1:5] - wanted) < 3 * fit.bse[1:5] + 0.08 * np.abs(wanted)).all()


def test_competing_ends_give_back_the_logit_of_leaving_and_its_sd():
    """Of those who do not end as planned, leaving has the coefficient and the therapists' SD that were asked for."""
    made = simulate_clinic(
        3, items=False, therapists=200, clients=12_000, sessions=16,
        dropout_intercept=-3.0, dropout_by_severity=0.0, dropout_by_alliance=0.08, dropout_therapist_sd=0.6,
        planned_chance=0.03, planned_by_session=0.15,
    )  # fmt: skip
    rows = made.sessions.merge(made.clients[["client", "end"]], on="client", suffixes=("_row", ""))
    assert (rows["end"].fillna("") == rows["end_row"].fillna("")).all()
    last = rows.groupby("client")["session"].transform("max")
    rows = rows[(rows["session"] >= 1) & (rows["session"] < 16)]
    ends = (rows["session"] == last[rows.index]) & rows["end"].notna()
    planned = ends & (rows["end"] == "planned")
    rates = planned.groupby(rows["session"]).mean()
    logit = np.log(rates / (1 - rates))
    assert abs(np.polyfit(rates.index, logit, 1)[0] - 0.15) < 0.03
    assert abs(rates.loc[1] - 0.03) < 0.006
    stay = rows[~planned].assign(left=(ends & ~planned)[~planned].astype(float)).dropna(subset=["wai"])
    stay["low"] = 43.0 - stay["wai"]
    within = stay["low"] - stay.groupby("therapist")["low"].transform("mean")
    fit = sm.Logit(stay["left"], sm.add_constant(within)).fit(disp=0)
    assert (
        abs(fit.params.iloc[1] - 0.08) < 0.012
    )  # without the therapists' part it is a few percent nearer zero
    model = al.MixedModel.from_formula("left ~ low + (1 | therapist)", stay, family="binomial").fit()
    assert abs(model.params["low"] - 0.08) < 3 * model.bse["low"]
    assert abs(model.params["Intercept"] + 3.0) < 4 * model.bse["Intercept"]
    sd = model.varcorr["sdcor"].iloc[0]
    assert abs(sd - 0.6) < 3 * 0.6 / np.sqrt(2 * 199) * 1.5


def test_who_is_there_at_the_last_session_has_no_end():
    made = simulate_clinic(4, items=False, planned_chance=0.02, sessions=10, dropout_intercept=-5.0)
    last = made.sessions.groupby("client")["session"].max()
    ends = made.clients.set_index("client")["end"]
    assert (last[ends.isna()] == 10).all()
    assert (last[ends == "dropout"] < 10).all()
    assert ends.isna().sum() > 300


def test_a_chance_above_one_is_refused():
    with pytest.raises(
        al.DataError, match=r"^planned_chance of a simulated clinic must lie between 0 and 1, not at 1.5"
    ):
        simulate_clinic(1, planned_chance=1.5)


def test_cases_of_a_therapist_change_the_alliance_and_the_slope():
    """Ten more cases before a client add the given points; nothing changes for a therapist's first case."""
    from dataclasses import replace as changed

    plain = simulate_clinic(1, therapists=5, clients=100, items=False)
    made = simulate_clinic(1, changed(plain.truth, alliance_by_case=3.0, slope_by_case=-0.2), items=False)
    people = made.clients
    assert people.groupby("therapist")["case"].apply(lambda c: c.tolist() == list(range(1, len(c) + 1))).all()
    before = (people["case"] - 1).to_numpy() / 10
    assert np.allclose(made.people.alliance - plain.people.alliance, 3.0 * before)
    assert np.allclose(made.people.slope - plain.people.slope, -0.2 * before)
    assert "case" not in plain.clients
    differ = simulate_clinic(1, changed(plain.truth, case_therapist_sd=2.0), items=False)
    own = (differ.people.alliance - plain.people.alliance)[before > 0] / before[before > 0]
    assert len(set(own.round(6))) == 5


def test_a_chain_has_its_paths():
    """Each client's own least squares, over many sessions: means, covariance and direct effect of the paths."""
    truth = ChainTruth(a=0.4, b=-0.5, path_sd=0.3, cov_ab=-0.06, direct=-0.2)
    rows = simulate_chain(3, clients=300, therapists=5, sessions=60, truth=truth)
    assert rows.groupby("therapist")["client"].nunique().tolist() == [60] * 5
    own = []
    for _, client in rows.groupby("client"):
        x, m, y = client[["empathy", "alliance", "phq9"]].to_numpy().T
        ones, t = np.ones(58), np.arange(58)
        a = np.linalg.lstsq(np.column_stack([ones, x[1:-1]]), m[2:])[0][1]
        b, direct = np.linalg.lstsq(np.column_stack([ones, m[1:-1], x[:-2], t]), y[2:])[0][1:3]
        own.append((a, b, direct))
    a, b, direct = np.array(own).T
    error = truth.path_sd / np.sqrt(300)
    assert abs(a.mean() - 0.4) < 4 * error
    assert abs(b.mean() + 0.5) < 4 * error
    assert abs(direct.mean() + 0.2) < 0.03
    assert np.cov(a, b)[0, 1] == pytest.approx(-0.06, abs=0.025)
    assert truth.indirect == pytest.approx(0.4 * -0.5 - 0.06)


def test_a_chain_with_feedback_has_an_alliance_that_follows_the_symptoms():
    """Each client's least squares over many sessions give the feedback back; without it nothing changes, and the paths stay."""
    truth = ChainTruth(feedback=-0.5)
    rows = simulate_chain(4, clients=60, therapists=5, sessions=80, truth=truth)
    plain = simulate_chain(4, clients=60, therapists=5, sessions=80)
    pd.testing.assert_frame_equal(
        plain, simulate_chain(4, clients=60, therapists=5, sessions=80, truth=ChainTruth(feedback=0.0))
    )
    np.testing.assert_array_equal(rows["empathy"], plain["empathy"])
    found = {}
    for name, frame in (("plain", plain), ("feedback", rows)):
        own = []
        for _, client in frame.groupby("client"):
            x, m, y = client[["empathy", "alliance", "phq9"]].to_numpy().T
            ones, t = np.ones(79), np.arange(79)
            own.append(np.linalg.lstsq(np.column_stack([ones, x[:-1], y[:-1], t]), m[1:])[0][1:3])
        found[name] = np.mean(own, axis=0)
    assert found["plain"][1] == pytest.approx(0.0, abs=0.03)
    assert found["feedback"][1] == pytest.approx(-0.5, abs=0.03)
    assert found["feedback"][0] == pytest.approx(truth.a, abs=0.12)
