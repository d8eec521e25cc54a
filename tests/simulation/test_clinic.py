"""The generator does what its text says: known effects are there before any of our models sees the data."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import alliance_longitudinal as al
from alliance_longitudinal import ClinicTruth, simulate_clinic

BIG = ClinicTruth(therapists=300, clients=9_000)


def test_same_seed_same_data_other_seed_other_data() -> None:
    first, again, other = (simulate_clinic(s).sessions for s in (1, 1, 2))
    assert first.equals(again)
    assert not first["phq9"].equals(other["phq9"])


def test_client_slopes_follow_the_equation() -> None:
    """Least-squares slopes of each client after session 5, regressed on the predictors, give the parameters."""
    clinic = simulate_clinic(5, BIG)
    early = clinic.wai[:, 1:6].sum(axis=2)
    complete = (
        ~np.isnan(early).any(axis=1) & (clinic.attended[:, 6:].sum(axis=1) >= 4) & ~np.isnan(clinic.phq[:, 5])
    )
    rows, slopes, weights = np.flatnonzero(complete), [], []
    for i in rows:
        there = clinic.attended[i, 6:] & ~np.isnan(clinic.phq[i, 6:])
        weeks, y = clinic.weeks[i, 6:][there], clinic.phq[i, 6:][there]
        slopes.append(np.polyfit(weeks, y, 1)[0])
        weights.append(((weeks - weeks.mean()) ** 2).sum())
    mean = early[rows].mean(axis=1)
    therapist = clinic.people.therapist[rows]
    of_therapist = np.bincount(therapist, mean)[therapist] / np.bincount(therapist)[therapist]
    change = clinic.phq[rows, 5] - clinic.phq[rows, 0]
    x = sm.add_constant(np.column_stack([mean - of_therapist, of_therapist, clinic.phq[rows, 0], change]))
    variance = BIG.error_sd**2 / np.array(weights) + BIG.client_slope_sd**2 + BIG.therapist_slope_sd**2
    fit = sm.WLS(np.array(slopes), x, weights=1 / variance).fit()
    truth = [BIG.within, BIG.between, BIG.intake_effect, BIG.change_effect]
    # Rounding and the floor of 0 shrink slopes by a few per cent; three standard errors plus 8 % allow for it.
    allowed = 3 * fit.bse[1:] + 0.08 * np.abs(truth)
    assert (np.abs(fit.params[1:] - truth) < allowed).all(), (fit.params[1:], truth, allowed)


def test_severe_clients_leave_earlier() -> None:
    table = simulate_clinic(6, BIG).sessions
    left = table.groupby("client")["session"].max() < 5
    intake = table[table["session"] == 0].set_index("client")["phq9"]
    assert intake[left].mean() > intake[~left].mean() + 0.5


def clinic(**parameters):
    """A large clinic with totals only, seed 7."""
    return simulate_clinic(7, items=False, therapists=300, clients=9_000, **parameters)


@pytest.fixture(scope="module")
def plain():
    return clinic()


def first_rating(made):
    return made.sessions.query("session == 1").set_index("client")["wai"]


def test_what_is_switched_on_leaves_the_rest_as_it_was(plain):
    """Streams of their own: more raters, other people, the same clients, weeks and symptoms up to the window's end."""
    more = clinic(raters=("therapist", "observer", "carer", "clinician"), group_size=6)
    pd.testing.assert_frame_equal(more.sessions[plain.sessions.columns], plain.sessions)
    bonded = clinic(attachment_anxiety=-1.0)
    np.testing.assert_array_equal(bonded.weeks, plain.weeks)
    np.testing.assert_array_equal(bonded.phq[:, 0], plain.phq[:, 0])


def test_attachment_and_therapist_factors_move_the_alliance():
    """Regression of the first rating on what clients and therapists bring gives the parameters (three SE)."""
    made = clinic(attachment_anxiety=-1.0, attachment_avoidance=-1.5, personality_disorder=-3.0, empathy=1.2)
    people = made.clients.merge(made.therapists, on="therapist").set_index("client")
    y = first_rating(made).dropna()
    x = people.loc[y.index, ["attachment_anxiety", "attachment_avoidance", "personality_disorder", "empathy"]]
    fit = sm.OLS(y, sm.add_constant(x.astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": people.loc[y.index, "therapist"]}
    )
    assert (np.abs(fit.params[1:] - [-1.0, -1.5, -3.0, 1.2]) < 3 * fit.bse[1:]).all(), fit.params
    assert np.corrcoef(x["attachment_anxiety"], x["attachment_avoidance"])[0, 1] == pytest.approx(
        0.2, abs=0.03
    )


def within(frame, columns):
    """Residuals of each client's own line in weeks (projected out with intercept and slope)."""
    out = frame[columns].to_numpy(dtype=float).copy()
    for rows in frame.groupby("client").indices.values():
        x = np.column_stack([np.ones(len(rows)), frame["week"].to_numpy()[rows]])
        out[rows] -= x @ np.linalg.lstsq(x, out[rows], rcond=None)[0]
    return out


@pytest.mark.parametrize("size", [0.0, -0.15])
def test_last_sessions_alliance_moves_symptoms(size):
    """Within-client regression on last session's rating; growth by improvement off, so that the rating is exogenous.

    Rounding and the floor of the PHQ-9 shrink the effect by a few per cent: three standard errors plus 8 %.
    """
    made = simulate_clinic(
        8, items=False, therapists=60, clients=1_500, lagged_alliance=size, alliance_by_improvement=0.0
    )
    rows = made.sessions.sort_values(["client", "session"])
    rows["last"] = rows.groupby("client")["wai"].shift()
    rows = rows.query("session > 6").dropna(subset=["last", "phq9"])
    rows = rows[rows.groupby("client")["week"].transform("size") >= 4].reset_index(drop=True)
    y, x = within(rows, ["phq9", "last"]).T
    slope = x @ y / (x @ x)
    error = np.sqrt(((y - slope * x) ** 2).sum() / (len(x) - 3 * rows["client"].nunique()) / (x @ x))
    assert abs(slope - size) < 3 * error + 0.08 * abs(size)


def test_todays_symptoms_move_the_alliance():
    made = simulate_clinic(
        9, items=False, therapists=60, clients=1_500, lagged_symptoms=-0.5, alliance_by_improvement=0.0
    )
    rows = made.sessions.query("session > 5").dropna(subset=["wai", "phq9"]).reset_index(drop=True)
    rows = rows[rows.groupby("client")["week"].transform("size") >= 4].reset_index(drop=True)
    y, x = within(rows, ["wai", "phq9"]).T
    assert x @ y / (x @ x) == pytest.approx(-0.5, abs=0.05)  # rounding of both adds error to x


def test_a_halo_raises_the_same_source_correlation_only():
    """Raters of their own do not share it (Podsakoff et al. 2012)."""
    raters = ("observer", "clinician")
    without, with_halo = (
        clinic(raters=raters, halo_alliance=a, halo_symptoms=b).sessions.query("session == 3")
        for a, b in [(0.0, 0.0), (4.0, 2.0)]
    )

    def correlation(frame, a, b):
        return frame[[a, b]].corr().iloc[0, 1]

    assert correlation(with_halo, "wai", "phq9") < correlation(without, "wai", "phq9") - 0.15
    for a, b in [("wai_observer", "phq9_clinician"), ("wai_observer", "phq9")]:
        assert correlation(with_halo, a, b) == pytest.approx(correlation(without, a, b), abs=0.03)


def test_raters_have_their_bias_and_accuracy():
    truth = {"therapist_rating_bias": -4.0, "therapist_rating_accuracy": 0.5, "observer_accuracy": 0.7}
    made = clinic(raters=("therapist", "observer"), alliance_mean=40.0, **truth)
    rows = made.sessions.query("session == 2").dropna()
    assert rows["wai_therapist"].mean() - 40 == pytest.approx(-4.0 + 0.5 * (rows["wai"].mean() - 40), abs=0.4)
    for rater, slope in [("therapist", 0.5), ("observer", 0.7)]:
        x = rows["wai"] - rows["wai"].mean()
        assert (x @ rows[f"wai_{rater}"]) / (x @ x) == pytest.approx(slope, abs=0.03)


def test_ruptures_cost_the_alliance_and_are_repaired_as_often_as_said():
    made = clinic(rupture_chance=0.05, rupture_depth=9.0, rupture_length=3, rupture_repaired=0.6)
    loss = made.ruptures.loss
    broke = (loss[:, 2:-3] == 9) & (loss[:, 1:-4] == 0)
    at_risk = loss[:, 1:-4] == 0
    assert broke.sum() / at_risk.sum() == pytest.approx(0.05, abs=0.003)
    later = loss[:, 5:][broke]
    assert np.isin(later, [0.0, 9.0]).mean() > 0.9  # repaired after three sessions, or as broken as before
    assert (later == 9).mean() == pytest.approx(0.4, abs=0.03)
    rows = made.sessions
    assert rows.groupby("rupture")["wai"].mean().diff().iloc[-1] < -5


@pytest.mark.parametrize(
    ("parameter", "value", "seen"),
    [("dropout_by_alliance", 0.10, "alliance"), ("dropout_by_rupture", 1.5, "rupture")],
)
def test_dropout_depends_on_what_it_is_told_to(parameter, value, seen):
    """Logistic regression of leaving between sessions 6 and 7 on everything that may matter gives the parameters."""
    made = clinic(rupture_chance=0.1, **{parameter: value})
    rows = np.flatnonzero(made.attended[:, 6] & ~np.isnan(made.phq[:, 6]) & ~np.isnan(made.wai[:, 6]))
    x = pd.DataFrame(
        {
            "reported": made.phq[rows, 6] - 12,
            "alliance": made.truth.alliance_mean - made.wai[rows, 6],
            "rupture": made.ruptures.open[rows, 6].astype(float),
        }
    )
    fit = sm.Logit(1.0 - made.attended[rows, 7], sm.add_constant(x)).fit(disp=0)
    assert abs(fit.params[seen] - value) < 3 * fit.bse[seen]


def test_dropout_that_is_not_at_random_hides_the_worst_scores():
    """With the same draws, scores of those who stay are lower if leaving depends on the score that is then missed."""
    at_random, hidden = (clinic(dropout_by_today=value) for value in (0.0, 0.3))
    there = hidden.attended[:, 12] & at_random.attended[:, 12]
    only_at_random = at_random.attended[:, 12] & ~hidden.attended[:, 12]
    assert np.nanmean(at_random.phq[only_at_random, 12]) > np.nanmean(at_random.phq[there, 12]) + 1


def test_groups_and_families_share_alliance():
    """Intraclass correlation within therapist from pair products of the first rating, around the therapist's mean."""
    made = clinic(group_size=5, group_alliance_sd=4.0, alliance_therapist_sd=0.0)
    y = first_rating(made).dropna()
    group = made.clients.set_index("client").loc[y.index, "group"]
    y = y - y.mean()
    sums, squares = y.groupby(group).sum(), (y**2).groupby(group).sum()
    pairs = y.groupby(group).size()
    covariance = (sums**2 - squares).sum() / (pairs * (pairs - 1)).sum()
    assert covariance == pytest.approx(16, abs=2)
    sizes = made.clients.groupby(["therapist", "group"]).size()
    assert sizes.max() == 5
    assert made.clients.groupby("group")["therapist"].nunique().max() == 1


def test_totals_are_as_the_items_sum(plain):
    items = simulate_clinic(7, therapists=300, clients=9_000).sessions
    names = [f"wai_{k}" for k in range(1, 13)]
    sums = items.query("session == 1")[names].sum(axis=1, min_count=12).dropna()
    totals = plain.sessions.query("session == 1")["wai"].dropna()
    assert sums.mean() == pytest.approx(totals.mean(), abs=0.3)
    assert sums.std() == pytest.approx(totals.std(), rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"within": "much"}, "within of a simulated clinic must be a finite number, not 'much'"),
        ({"slope": float("nan")}, "slope of a simulated clinic must be a finite number, not nan"),
        (
            {"therapists": 2.5},
            "therapists of a simulated clinic must be a whole number of at least 1, not 2.5",
        ),
        ({"rupture_chance": 2}, "rupture_chance of a simulated clinic must lie between 0 and 1, not at 2"),
        ({"error_sd": -1}, "error_sd of a simulated clinic is a standard deviation and cannot be -1"),
        ({"client_cor": 1.5}, "client_cor of a simulated clinic is a correlation and cannot be 1.5"),
        (
            {"clients": 20},
            "20 clients are too few for 30 therapists, because every therapist has at least five. Ask for at least 150",
        ),
        ({"withn": 1}, "A simulated clinic has no parameter 'withn'. Did you mean 'within'?"),
        ({"xyzzy": 1}, "A simulated clinic has no parameter 'xyzzy'. See help"),
        ({"sessions": 4}, "A simulated treatment has at least 8 sessions, not 4"),
        (
            {"raters": ("dog",)},
            "A simulated clinic has no rater 'dog'; there are therapist, observer, carer, clinician",
        ),
        (
            {"truth": ClinicTruth(), "within": 0},
            "either a ClinicTruth or single parameters by name, not both",
        ),
    ],
)
def test_impossible_clinics_are_refused(arguments, text):
    with pytest.raises(al.DataError, match=text.replace("(", r"\(").replace("?", r"\?")):
        simulate_clinic(1, **arguments)


def test_truth_lists_what_was_switched_on():
    assert "empathy" not in ClinicTruth().to_dict()
    assert ClinicTruth(empathy=1.0).to_dict()["empathy"] == 1.0
    assert ClinicTruth().to_dict()["within"] == -0.02


def later_slopes(clinic):
    """Therapist, mean early alliance, weekly change after session 5 less what intake and early change do, by client."""
    truth, rows = clinic.truth, []
    early = pd.DataFrame(clinic.wai[:, 1:6]).mean(axis=1).to_numpy()  # of the forms that are there
    for i in np.flatnonzero(clinic.attended[:, 6:].sum(axis=1) >= 4):
        there = clinic.attended[i, 6:] & ~np.isnan(clinic.phq[i, 6:])
        if there.sum() >= 4 and not np.isnan([early[i], clinic.phq[i, 5]]).any():
            slope = np.polyfit(clinic.weeks[i, 6:][there], clinic.phq[i, 6:][there], 1)[0]
            y0, change = clinic.phq[i, 0], clinic.phq[i, 5] - clinic.phq[i, 0]
            rows.append(
                (
                    clinic.people.therapist[i],
                    early[i],
                    slope - truth.intake_effect * y0 - truth.change_effect * change,
                )
            )
    return pd.DataFrame(rows, columns=["therapist", "early", "slope"])


def test_therapists_differ_in_the_effect_of_the_alliance_by_the_given_sd() -> None:
    """Moments: the variance of the therapists' own estimates is that of their effects and of sampling."""
    estimates = {}
    for sd in (0.0, 0.04):
        frame = later_slopes(
            simulate_clinic(
                3, ClinicTruth(therapists=150, clients=9_000, within_therapist_sd=sd), items=False
            )
        )
        own, errors = [], []
        for _, part in frame.groupby("therapist"):
            x = part["early"] - part["early"].mean()
            b = (x @ part["slope"]) / (x @ x)
            rest = part["slope"] - part["slope"].mean() - b * x
            own.append(b)
            errors.append(rest @ rest / (len(part) - 2) / (x @ x))
        estimates[sd] = np.var(own, ddof=1) - np.mean(errors), np.mean(own), np.mean(errors)
    # Three standard errors of a variance over 150 therapists, which is that of their effects and of sampling.
    for sd, (variance, _, sampling) in estimates.items():
        assert abs(variance - sd**2) < 3 * np.sqrt(2 / 149) * (sd**2 + sampling)
    assert abs(estimates[0.04][1] - estimates[0.0][1]) < 3 * 0.04 / np.sqrt(150)


def test_clients_that_are_not_observed_make_the_therapist_s_mean_an_estimate() -> None:
    """Of 4 among 40 clients the mean has the reliability lambda; its effect lies between those of the two levels."""
    truth = {"therapists": 300, "clients": 12_000, "within": 0.0, "between": -0.06, "dropout_intercept": -9.0}
    truth |= {"intake_mean": 13.5, "early_rate": 0.0, "slope": 0.0}  # far from the ends of the scale
    whole = later_slopes(simulate_clinic(4, ClinicTruth(**truth), items=False))
    clinic = simulate_clinic(4, ClinicTruth(**truth, observed_share=0.1), items=False)
    part = later_slopes(clinic)

    def between(frame):
        means = frame.groupby("therapist")[["early", "slope"]].mean()
        return np.polyfit(means["early"], means["slope"], 1)[0]

    mean_of_all = whole.groupby("therapist")["early"].mean()
    seen = part.groupby("therapist")["early"].mean()
    reliability = np.polyfit(seen, mean_of_all.reindex(seen.index), 1)[
        0
    ]  # share of the observed mean that is the whole one's
    assert 0.2 < reliability < 0.75
    assert abs(between(whole) - -0.06) < 0.01
    assert abs(between(part) - -0.06 * reliability) < 0.015
    assert clinic.clients["therapist"].nunique() == clinic.sessions["therapist"].nunique() == 300
    assert len(clinic.clients) == clinic.sessions["client"].nunique() < 0.15 * 12_000
    assert set(clinic.sessions["client"]) == set(clinic.clients["client"])


def test_every_client_is_observed_by_default_and_the_seed_means_what_it_did() -> None:
    plain, named = simulate_clinic(1), simulate_clinic(1, observed_share=1.0, within_therapist_sd=0.0)
    assert plain.sessions.equals(named.sessions)
    assert len(plain.clients) == 900
    with pytest.raises(al.DataError, match="observed_share of a simulated clinic must lie between 0 and 1"):
        ClinicTruth(observed_share=1.5)
