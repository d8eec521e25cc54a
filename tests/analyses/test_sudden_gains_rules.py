"""The criteria: published figures, an independent count by loops, and each rule at its edge."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.errors import DataError
from inside.methods_psychometrics import Rules, around, rci_points, sudden

SMALL = Path(__file__).parents[1] / "reference" / "small"
#: t for a two-sided 5 % and 4, 3, 2 degrees of freedom, as Tang and DeRubeis and Lutz et al. (2013) print it.
PRINTED_T = {4: 2.776, 3: 3.182, 2: 4.303}


def long(wide: np.ndarray) -> pd.DataFrame:
    """Clients in rows and sessions 1, 2, ... in columns, as one row a client and session."""
    clients, sessions = np.indices(wide.shape)
    return pd.DataFrame(
        {"client": clients.ravel(), "session": sessions.ravel() + 1, "score": wide.ravel().astype(float)}
    )


def bdi_sessions() -> pd.DataFrame:
    """Sessions 1 to 12 of the 43 cases of sgdata."""
    wide = pd.read_csv(SMALL / "sgdata.csv", usecols=["id", *(f"bdi_s{k}" for k in range(1, 13))])
    frame = wide.melt("id", var_name="session", value_name="score").rename(columns={"id": "client"})
    return frame.assign(session=frame["session"].str.removeprefix("bdi_s").astype(int))


@pytest.fixture(scope="module")
def sgdata() -> pd.DataFrame:
    return bdi_sessions()


def test_published_gains(sgdata: pd.DataFrame) -> None:
    """sgdata, cutoff 7: the vignette and printed tests of suddengains 0.7.2."""
    found = al.find_sudden_gains(sgdata, 7)
    gains = found[found["gain"]]
    per = gains.groupby("client").size()
    assert len(gains) == 24
    assert list(per.index) == [1, 3, 4, 5, 9, 10, 12, 13, 14, 18, 39, 40, 41, 42, 43]
    assert 100 * len(per) / sgdata["client"].nunique() == pytest.approx(34.88, abs=0.005)
    assert int((per > 1).sum()) == 8
    assert 100 * gains["client"].map(per).gt(1).mean() == pytest.approx(70.83, abs=0.005)
    counts = gains.groupby("session").size().reindex(range(2, 11), fill_value=0)
    assert list(counts) == [3, 8, 1, 3, 1, 2, 5, 1, 0]
    assert int(gains["reversed"].sum()) == 4
    size = gains["before"] - gains["after"]
    np.testing.assert_allclose([size.mean(), size.std()], [11, 3.43], atol=0.005)
    first = size.groupby(gains["client"]).first()
    np.testing.assert_allclose([first.mean(), first.std()], [11.4, 3.98], atol=0.005)


@pytest.mark.parametrize(("stability", "n"), [("adjusted", 24), ("fixed", 26), ("none", 30)])
def test_published_variants(sgdata: pd.DataFrame, stability: str, n: int) -> None:
    """One critical value of 2.776 wherever: 26; criteria 1 and 2 alone: 30. A t-test finds more than criterion 3."""
    assert al.find_sudden_gains(sgdata, 7, stability=stability)["gain"].sum() == n
    t_test = al.find_sudden_gains(sgdata, 7, stability="t-test")["gain"].sum()
    assert 24 < t_test < 30


def test_published_losses(sgdata: pd.DataFrame) -> None:
    """3, with or without criterion 2 (which holds always there, and here asks for a quarter)."""
    assert al.find_sudden_gains(sgdata, 7)["loss"].sum() == 3
    assert al.find_sudden_gains(sgdata, 7, share=None)["loss"].sum() == 3


def test_published_cutoffs() -> None:
    """define_crit1_cutoff(sd 10.5, reliability .931), and with the SD of bdi_s0: six printed decimals."""
    assert rci_points(10.5, 0.931) == pytest.approx(7.645131, abs=6e-7)
    sd = pd.read_csv(SMALL / "sgdata.csv")["bdi_s0"].std()
    assert sd == pytest.approx(6.396073, abs=6e-7)
    assert rci_points(sd, 0.931) == pytest.approx(4.657030, abs=6e-7)


def by_loops(
    wide: np.ndarray, points: float, share: float | None, stability: str, sign: int
) -> set[tuple[int, int]]:
    """Client and session N of each event, from the definition, one value at a time."""
    out = set()
    for client, row in enumerate(wide):
        for n, (before, after) in enumerate(pairwise(row)):
            pre = [v for v in row[max(0, n - 2) : n + 1] if v == v]
            post = [v for v in row[n + 1 : n + 4] if v == v]
            if before != before or after != after or len(pre) < 2 or len(post) < 2:
                continue
            met = sign * (before - after) >= points
            if share is not None:
                met = met and sign * (before - after) >= share * before
            if stability != "none":
                df = len(pre) + len(post) - 2
                t = PRINTED_T[4 if stability == "fixed" else df]
                pooled = (len(pre) - 1) * np.var(pre, ddof=1) + (len(post) - 1) * np.var(post, ddof=1)
                limit = t * np.sqrt(pooled / df)
                if stability == "t-test":
                    limit *= np.sqrt(1 / len(pre) + 1 / len(post))
                met = met and sign * (np.mean(pre) - np.mean(post)) > limit
            if met:
                out.add((client, n + 1))
    return out


@pytest.mark.parametrize("stability", ["adjusted", "fixed", "t-test", "none"])
@pytest.mark.parametrize("share", [0.25, None])
@pytest.mark.parametrize("higher_is_better", [False, True])
def test_as_counted_by_loops(stability: str, share: float | None, higher_is_better: bool) -> None:
    rng = np.random.default_rng(41)
    level = rng.integers(5, 35, (80, 1)) - np.where(
        np.arange(12) > rng.integers(2, 12, (80, 1)), rng.integers(-14, 15, (80, 1)), 0
    )
    wide = np.clip(level + rng.integers(-2, 3, (80, 12)), 0, None).astype(float)
    wide[rng.random(wide.shape) < 0.15] = np.nan
    found = al.find_sudden_gains(
        long(wide), 5, share=share, stability=stability, higher_is_better=higher_is_better
    )
    for name, sign in (("gain", -1 if higher_is_better else 1), ("loss", 1 if higher_is_better else -1)):
        ours = {(int(c), int(s)) for c, s in found.loc[found[name], ["client", "session"]].to_numpy()}
        assert ours == by_loops(wide, 5, share, stability, sign)
        assert ours


def test_rows_in_any_order_and_missing_rows_are_the_same() -> None:
    wide = np.array([[20, 21, 20, 10, 9, np.nan, 10], [np.nan, 18, 19, 8, 8, 9, 8]])
    frame = long(wide)
    before = frame.copy()
    one = al.find_sudden_gains(frame, 7)
    other = al.find_sudden_gains(frame.dropna().sample(frac=1, random_state=1), 7)
    pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(frame, before)
    assert one.loc[one["gain"], ["client", "session"]].to_numpy().tolist() == [[0, 3], [1, 3]]


@pytest.mark.parametrize(
    ("row", "gain"),
    [
        ([20, 20, 20, 13, 13, 13], True),  # exactly 7 points
        ([20, 20, 20, 13.1, 13, 13], False),
        ([28, 28, 28, 21, 21, 21], True),  # exactly a quarter
        ([29, 29, 29, 22, 22, 22], False),
        (
            [5.3, 5.3, 5.3 + 7, 5.3, 0, 0],
            True,
        ),  # 12.3 - 5.3 is 7 less something in binary; see also criterion 3
        ([20, 20, 20, np.nan, 10, 10], False),  # no score at N + 1
        ([np.nan, np.nan, 20, 10, 10, 10], False),  # one score before
        ([np.nan, 20, 20, 10, 10, np.nan], True),
        ([20, np.nan, 20, 10, np.nan, np.nan], False),  # one score after
    ],
)
def test_each_rule_at_its_edge(row: list[float], gain: bool) -> None:
    stability = "none" if row[0] == 5.3 else "adjusted"
    found = al.find_sudden_gains(long(np.array([row])), 7, stability=stability)
    assert found.loc[found["session"].eq(3), "gain"].tolist() == ([] if np.isnan(row[3]) else [gain])


@pytest.mark.parametrize(("missing", "df"), [([], 4), ([0], 3), ([0, 5], 2)])
def test_critical_values_are_the_printed_ones(missing: list[int], df: int) -> None:
    """A gain whose means differ by just more, or less, than t times the pooled SD; three printed decimals."""
    row = np.array([1.0, -1.0, 0.0, 0.0, 1.0, -1.0])
    row[missing] = np.nan
    pre, post = row[:3][~np.isnan(row[:3])], row[3:][~np.isnan(row[3:])]
    spread = np.sqrt((((pre - pre.mean()) ** 2).sum() + ((post - post.mean()) ** 2).sum()) / df)
    for factor, met in ((PRINTED_T[df] + 1e-3, True), (PRINTED_T[df] - 1e-3, False)):
        moved = row + np.repeat([factor * spread - pre.mean() + post.mean(), 0.0], 3)
        rules = Rules(points=1e-6, share=None)
        assert sudden(around(moved[None]), rules, fall=True).tolist() == [met]


def test_criterion_three_is_no_t_test() -> None:
    """Means 10 and 3.5 with a pooled SD of 2.5: 6.5 is below 2.776 * 2.5 and above that times sqrt(2 / 3)."""
    frame = long(np.array([[7.5, 12.5, 10.0, 1.0, 6.0, 3.5]]))
    assert not al.find_sudden_gains(frame, 5)["gain"].any()
    assert al.find_sudden_gains(frame, 5, stability="t-test")["gain"].sum() == 1


def test_a_loss_has_to_be_a_quarter_too() -> None:
    """A rise from 40 to 47 is 17.5 %; from 20 to 27 it is 35 %."""
    wide = np.array([[40, 40, 40, 47, 47, 47], [20, 20, 20, 27, 27, 27]])
    found = al.find_sudden_gains(long(wide), 7)
    assert found.loc[found["loss"], "client"].tolist() == [1]
    assert al.find_sudden_gains(long(wide), 7, share=None)["loss"].sum() == 2
    assert not found["gain"].any()


@pytest.mark.parametrize(
    ("later", "back"), [([10, 10, 10, 15], False), ([10, 10, 10, 15.5], True), ([15.5, 10, 10, 10], True)]
)
def test_reversed_means_more_than_half_at_any_later_session(later: list[float], back: bool) -> None:
    found = al.find_sudden_gains(long(np.array([[20, 20, 20, 10, *later]])), 7, stability="none")
    assert found.loc[found["gain"], "reversed"].tolist() == [back]


def test_sessions_count_and_not_rows() -> None:
    """Session 3 and 5 are no neighbours."""
    frame = pd.DataFrame({"client": "a", "session": [1, 2, 3, 5, 6, 7], "score": [20.0, 20, 20, 10, 10, 10]})
    assert al.find_sudden_gains(frame, 7)["session"].tolist() == [1, 2, 5, 6]
    assert not al.find_sudden_gains(frame, 7)["gain"].any()
    assert len(al.find_sudden_gains(frame.iloc[:0], 7)) == 0


FRAME = pd.DataFrame({"client": ["a", "a"], "session": [1, 2], "score": [5.0, 6.0]})


@pytest.mark.parametrize(
    ("frame", "known", "text"),
    [
        (FRAME.drop(columns="session"), {}, "need the columns client, session, score; there is no session"),
        (FRAME.assign(session=[1, 1.5]), {}, "need whole session numbers and finite scores"),
        (FRAME.assign(score=[1, np.inf]), {}, "need whole session numbers and finite scores"),
        (
            FRAME.assign(session=1),
            {},
            "1 score belongs to a session that already has a score, such as session 1 of client a. Keep one score",
        ),
        (FRAME, {"points": 0}, "points is 0; a sudden change needs more than 0 points"),
        (FRAME, {"share": 25}, "share is 25; it lies between 0 and 1"),
        (FRAME, {"alpha": 5}, "alpha is 5; it lies between 0 and 1"),
        (FRAME, {"stability": "t"}, "stability is 't'; it is one of adjusted, fixed, t-test, none"),
    ],
)
def test_what_cannot_be_is_said(frame: pd.DataFrame, known: dict[str, object], text: str) -> None:
    with pytest.raises(DataError, match=text):
        al.find_sudden_gains(frame, **({"points": 7} | known))
