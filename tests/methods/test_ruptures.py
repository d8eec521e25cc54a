"""Control charts and ruptures: published figures, plain loops, series that only fluctuate, planted ruptures."""

import numpy as np
import pandas as pd
import pytest

from alliance_longitudinal import methods
from alliance_longitudinal.errors import DataError

SERIES = [62, 64, 63, 66, 65, 64, 55, 61, 66, 67, 68, 67]
RULES = ["drop", "chart", "residual"]


def ratings(n=40, sessions=8, rho=0.4, seed=1, spread=0.0, missing=0.0):
    """Persons whose ratings only fluctuate; variances differ between persons by ``spread``."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, sessions))
    for t in range(1, sessions):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    x = 20 + 3 * x * np.exp(rng.normal(0, spread, (n, 1))) + rng.normal(0, 4, (n, 1))
    frame = pd.DataFrame(
        {
            "client": np.repeat([f"c{i}" for i in range(n)], sessions),
            "session": np.tile(np.arange(1, sessions + 1), n),
            "wai": x.round(1).ravel(),
        }
    )
    frame.loc[rng.random(len(frame)) < missing, "wai"] = np.nan
    return frame.sample(frac=1, random_state=seed)


def by_loop(frame, rule, size, size_sd, within, to_sd, least):
    """Person by person and rating by rating, as the words of the contract say it."""
    known = frame.dropna().sort_values(["client", "session"])
    persons = {c: g[["session", "wai"]].to_numpy() for c, g in known.groupby("client")}
    squares = sum(float(((v[:, 1] - v[:, 1].mean()) ** 2).sum()) for v in persons.values())
    sd = (squares / (len(known) - len(persons))) ** 0.5
    events, chances = [], 0
    for client, v in persons.items():
        t, y, n = v[:, 0], v[:, 1], len(v)
        if n < least:
            continue
        if rule == "chart":
            limit = 3 * np.mean([abs(y[i] - y[i - 1]) for i in range(1, n)]) / 1.1283791670955126
        elif rule == "residual":
            b = np.polyfit(t, y, 1)
            line = np.polyval(b, t)
            limit = size or size_sd * (((y - line) ** 2).sum() / (n - 2)) ** 0.5
        else:
            limit = size or size_sd * sd
        for i in range(n):
            if rule == "drop":
                if i == 0 or t[i] != t[i - 1] + 1:
                    continue
                target = np.full(n, y[i - 1])
            else:
                target = np.full(n, y.mean()) if rule == "chart" else line
            chances += 1
            if target[i] - y[i] > limit + 1e-9:
                back = any(
                    y[k] >= target[k] - to_sd * sd - 1e-9 for k in range(i + 1, min(i + 1 + within, n))
                )
                events.append((client, t[i], target[i], y[i], back))
    return sorted(events), chances, sd


@pytest.mark.parametrize("missing", [0.0, 0.25])
@pytest.mark.parametrize(("size", "size_sd", "within", "to_sd"), [(None, 1.0, 3, 0.25), (None, 0.5, 1, 0.0), (2.5, 1.0, 20, 1.0)])  # fmt: skip
@pytest.mark.parametrize("rule", RULES)
def test_the_rules_are_those_of_a_plain_loop(rule, size, size_sd, within, to_sd, missing):
    if rule == "chart":
        size = None
    frame = ratings(missing=missing)
    kept = frame.copy()
    least = 3 if rule == "residual" else 2
    found = methods.find_ruptures(
        frame, "wai", rule=rule, size=size, size_sd=size_sd, repair_within=within, repair_to_sd=to_sd
    )
    events, chances, sd = by_loop(frame, rule, size, size_sd, within, to_sd, least)
    assert events or rule == "chart"
    rows = found.events[["client", "session", "before", "score", "repaired"]].sort_values(
        ["client", "session"]
    )
    assert [tuple(r) for r in rows[["client", "session", "repaired"]].to_numpy()] == [
        (c, t, back) for c, t, _, _, back in events
    ]
    np.testing.assert_allclose(
        rows[["before", "score"]].to_numpy(), np.array([e[2:4] for e in events]).reshape(-1, 2)
    )
    np.testing.assert_allclose(found.events["drop"], found.events["before"] - found.events["score"])
    assert (found.transitions, found.sd) == (chances, pytest.approx(sd, rel=1e-12))
    pd.testing.assert_frame_equal(frame, kept)


def test_a_person_needs_the_ratings_that_were_asked_for():
    frame = ratings(missing=0.3)
    n = frame.dropna().groupby("client")["wai"].size()
    found = methods.find_ruptures(frame, "wai", rule="residual", min_ratings=6)
    assert found.persons == int((n >= 6).sum())
    assert found.transitions == int(n[n >= 6].sum())


def test_the_published_control_chart():
    chart = methods.control_chart(SERIES)
    # Printed with six digits beside the design (methods.md 7a).
    np.testing.assert_allclose(
        [chart.center, chart.mean_range, chart.sigma, chart.lower, chart.upper],
        [64, 2.818182, 2.497550, 56.5074, 71.4926],
        atol=5e-5,
    )
    assert chart.signals == (6,)
    early = methods.control_chart(pd.Series(SERIES, index=range(1, 13)), baseline=6)
    # Printed with the rounded factor 2.66 for 3 / 1.128379 = 2.65868.
    np.testing.assert_allclose([early.lower, early.upper], [59.744, 68.256], atol=0.0014 * early.mean_range)
    assert early.signals == (7,)
    assert methods.control_chart(SERIES, baseline=slice(0, 6)).lower == early.lower


def test_a_chart_passes_over_missing_values_and_has_no_signal_where_nothing_varies():
    with_gap = [62, None, 64, 63, np.nan]
    assert methods.control_chart(with_gap).mean_range == 1.5
    flat = methods.control_chart([0.1 + 0.2, 0.3, 0.3])
    assert flat.signals == ()


def test_the_chance_of_a_drop_against_simulated_pairs():
    rng = np.random.default_rng(2)
    first = rng.standard_normal(400_000)
    for k, rho in [(1, 0.0), (1, 0.6), (0.5, -0.3), (0, 0.9)]:
        second = rho * first + np.sqrt(1 - rho**2) * rng.standard_normal(len(first))
        p = methods.chance_of_drop(k, rho)
        assert abs(float(np.mean(first - second > k)) - p) < 4 * np.sqrt(0.25 / len(first))
    # analyses.md 6: .24 under white noise, .20 at .3, .13 at .6
    assert [round(methods.chance_of_drop(1, r), 2) for r in (0, 0.3, 0.6)] == [0.24, 0.20, 0.13]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("rho", "spread", "missing"), [(0.0, 0.0, 0.0), (0.5, 0.0, 0.15), (0.6, 0.4, 0.0)])
def test_series_that_only_fluctuate_have_as_many_events_as_expected(rule, rho, spread, missing):
    observed, expected, inside, repaired, by_chance = [], [], [], [], []
    for seed in range(40):
        frame = ratings(80, rho=rho, seed=seed, spread=spread, missing=missing)
        found = methods.find_ruptures(frame, "wai", rule=rule, min_ratings=4, n_series=100, seed=seed)
        low, high = found.expected_limits
        observed.append(len(found.events))
        expected.append(found.expected)
        inside.append(low <= len(found.events) <= high)
        repaired.append(int(found.events["repaired"].sum()))
        by_chance.append(found.expected_repaired * len(found.events))
    # Persons' variances are lognormal here and not inverse chi-squared as in the simulated series: up to a tenth.
    error = 3 * np.std(np.subtract(observed, expected)) / np.sqrt(40)
    assert abs(np.mean(observed) - np.mean(expected)) < error + (0.1 * np.mean(observed) if spread else 0)
    assert np.mean(inside) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 40)
    error = 3 * np.std(np.subtract(repaired, by_chance)) / np.sqrt(40)
    assert abs(np.mean(repaired) - np.mean(by_chance)) < error + (0.1 * np.mean(repaired) if spread else 0)


def test_planted_ruptures_are_found_and_stand_out():
    frame = ratings(100, sessions=10, rho=0.2, seed=3)
    wide = frame.pivot(index="client", columns="session", values="wai")
    hit = wide.index[:60]
    wide.loc[hit, 5] = wide.loc[hit, 4] - 15
    wide.loc[hit, [6, 7]] = wide.loc[hit, [4, 4]].to_numpy()
    found = methods.find_ruptures(
        wide.reset_index().melt("client", value_name="wai"), "wai", size=12, n_series=200
    )
    there = found.events[found.events["session"] == 5]
    assert set(there["client"]) == set(hit)
    assert there["repaired"].all()
    # The ruptures count to the fluctuation that is simulated, so that the excess is cautious.
    assert len(found.events) > 1.4 * found.expected_limits[1]
    assert found.findings == ()
    assert found.excess == pytest.approx(len(found.events) / found.expected)


def test_agreement_is_kappa_over_the_ratings_that_both_rules_judge():
    frame = ratings(60, seed=4)
    drop, line = (methods.find_ruptures(frame, "wai", rule=rule) for rule in ("drop", "residual"))
    marks = {m: f.marks().set_index(["person", "session"])["event"] for m, f in (("a", drop), ("b", line))}
    both = pd.concat(marks, axis=1).dropna().astype(bool)
    assert len(both) == 60 * 7
    agree = float((both["a"] == both["b"]).mean())
    chance = sum(float((both["a"] == v).mean() * (both["b"] == v).mean()) for v in (True, False))
    assert drop.agreement(line) == pytest.approx((agree - chance) / (1 - chance))
    assert drop.agreement(drop) == pytest.approx(1)


def test_the_kappa_of_a_published_table():
    """Fleiss, Cohen & Everitt's arithmetic by hand: 20 both, 5 only the first, 10 only the second, 15 neither: kappa .4."""
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    frames = []
    for marks in (a, b):
        rows = [(i, s, x) for i, m in enumerate(marks) for s, x in ((1, 10.0), (2, 0.0 if m else 10.0))]
        frames.append(pd.DataFrame(rows, columns=["client", "session", "wai"]))
    first, second = (methods.find_ruptures(f, "wai", size=5) for f in frames)
    assert first.agreement(second) == pytest.approx(0.4)


def test_scores_are_simulated_on_the_scale():
    frame = ratings(30, seed=6)
    frame["wai"] = frame["wai"].clip(upper=22).round()
    free = methods.find_ruptures(frame, "wai", size=3, n_series=50)
    bound = methods.find_ruptures(frame, "wai", size=3, n_series=50, limits=(0, 22), step=1)
    assert bound.expected < free.expected
    again = methods.find_ruptures(frame, "wai", size=3, n_series=50, limits=(0, 22), step=1)
    pd.testing.assert_frame_equal(bound.null, again.null)


def test_ratings_without_fluctuation_and_ratings_with_a_trend_have_an_answer():
    flat = pd.DataFrame({"client": [1, 1, 2, 2], "session": [1, 2, 1, 2], "wai": [3.0, 3.0, 4.0, 4.0]})
    found = methods.find_ruptures(flat, "wai")
    assert (len(found.events), found.expected, found.sd) == (0, 0.0, 0.0)
    assert np.isnan(found.excess)
    assert np.isnan(found.repaired)
    assert np.isnan(found.expected_repaired)
    assert "0 events were found by rule drop" in found.findings[0].message
    assert np.isnan(found.agreement(found))
    rising = ratings(20, seed=1).assign(wai=lambda d: d["wai"] * 0.01 + d["session"])
    assert methods.find_ruptures(rising, "wai").rho == 0.95
    alternating = pd.DataFrame({"client": 1, "session": range(8), "wai": [0.0, 1.0] * 4})
    assert methods.find_ruptures(alternating, "wai").rho == -0.9
    apart = pd.DataFrame({"client": 1, "session": [1, 3, 5, 7], "wai": [1.0, 2.0, 4.0, 1.0]})
    assert methods.find_ruptures(apart, "wai", rule="chart").rho == 0.0


def test_the_text_of_a_result():
    found = methods.find_ruptures(ratings(), "wai", n_series=50)
    assert "expected_repaired" in found.summary()
    assert repr(found) == f"<Ruptures: rule drop; {len(found.events)} events; use .summary()>"
    n, low, high = len(found.events), *found.expected_limits
    assert low <= n <= high
    assert found.findings[0].message == (
        f"{n} events were found by rule drop, and random fluctuation alone would produce {found.expected:.1f} "
        f"({low:.0f} to {high:.0f}): they are not evidence of ruptures."
    )


GOOD = pd.DataFrame({"client": [1, 1, 1], "session": [1, 2, 3], "wai": [4.0, 5.0, 3.0]})


@pytest.mark.parametrize(
    ("frame", "given", "message"),
    [
        (GOOD, {"score": "w"}, "The frame has no column 'w'. Did you mean 'wai'?"),
        (GOOD, {"rule": "dip"}, "rule is 'dip'; it is one of drop, chart, residual."),
        (GOOD, {"size": 0}, "size is 0; it is a number of points, more than 0."),
        (GOOD, {"size": 3, "rule": "chart"}, "size is 3, but rule 'chart' takes its limits from the ranges of each series."),
        (GOOD, {"size_sd": -1}, "size_sd is -1; it is a number of standard deviations, more than 0."),
        (GOOD, {"repair_within": 0}, "repair_within is 0; it is a number of ratings, at least 1."),
        (GOOD, {"repair_to_sd": "near"}, "repair_to_sd is 'near'; it is a number of standard deviations, at least 0."),
        (GOOD, {"rule": "residual", "min_ratings": 2}, "min_ratings is 2; it is a number of ratings, for rule 'residual' at least 3."),
        (GOOD, {"n_series": 0}, "n_series is 0; it is a number of simulated sets, at least 1."),
        (GOOD, {"limits": (5, 1)}, "limits are 5 and 1; the lowest score comes first."),
        (GOOD, {"limits": 5}, "limits is 5; it is a pair of the lowest and the highest score."),
        (GOOD, {"limits": (1, 2, 3)}, "limits is (1, 2, 3); it is a pair of the lowest and the highest score."),
        (GOOD, {"limits": (None, 1)}, "limits is None; it is a pair of the lowest and the highest score."),
        (GOOD, {"step": 0}, "step is 0; it is the distance of two scores, more than 0."),
        (GOOD, {"rule": "chart", "min_ratings": 8}, "No client has 8 ratings. Rule 'chart' has nothing to judge."),
        (GOOD, {"min_ratings": 8}, "No client has two consecutive sessions with ratings and 8 in all. Rule 'drop' has nothing to judge."),
        (GOOD.assign(session=[1, 3, 5]), {}, "No client has two consecutive sessions with ratings. Rule 'drop' has nothing to judge."),
        (GOOD.assign(session=[1, 2, 2.5]), {}, "Column 'session' holds 2.5. Sessions are whole numbers, so that neighbours are known."),
        (GOOD.assign(client=[1, 2, 3]), {}, "No client has two ratings of 'wai'. Ruptures need at least two ratings of a client."),
        (GOOD.assign(session=[1, 2, 2]), {}, "1 row repeats a client and session that another row has, such as client 1 at session 2. Keep one row for each."),
    ],
)  # fmt: skip
def test_what_is_refused(frame, given, message):
    with pytest.raises(DataError) as caught:
        methods.find_ruptures(frame, **({"score": "wai"} | given))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": []}, "values is empty. A control chart needs at least two values."),
        ({"values": [1, None]}, "A control chart needs at least two values; 1 is there."),
        ({"values": [None, None]}, "A control chart needs at least two values; 0 are there."),
        ({"values": None}, "A control chart needs at least two values; 0 are there."),
        ({"values": [1, 2], "baseline": slice("a", "b")}, "baseline is slice('a', 'b', None); it is the number of first values, from 2 to 2, or a slice."),
        ({"values": [1, "x"]}, "Column 'values' holds 'x'. It has to hold numbers."),
        ({"values": [1, 2], "baseline": 3}, "baseline is 3; it is the number of first values, from 2 to 2, or a slice."),
        ({"values": [1, 2], "baseline": "all"}, "baseline is 'all'; it is the number of first values, from 2 to 2, or a slice."),
    ],
)  # fmt: skip
def test_what_a_chart_refuses(given, message):
    with pytest.raises(DataError) as caught:
        methods.control_chart(**given)
    assert str(caught.value) == message


def test_what_the_chance_of_a_drop_refuses():
    with pytest.raises(DataError, match=r"rho is 1; it is a correlation, above -1 and below 1\."):
        methods.chance_of_drop(1, 1)
    with pytest.raises(DataError, match=r"k is -1; it is a size in standard deviations, at least 0\."):
        methods.chance_of_drop(-1, 0)


def test_rules_found_in_different_frames_share_no_rating():
    a = methods.find_ruptures(GOOD, "wai")
    b = methods.find_ruptures(GOOD.assign(client=2), "wai")
    with pytest.raises(
        DataError, match=r"No rating was judged by both rules\. Find the events of both in the same frame\."
    ):
        a.agreement(b)
    for odd in (3, None):
        with pytest.raises(
            DataError, match=f"other is {odd}. Give the result of find_ruptures with another rule"
        ):
            a.agreement(odd)
