"""Each check finds what was planted, says how much, names the rows, and is silent on clean data."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from analyses.quality_studies import ITEMS, clean_frame, planted
from inside.analyses_data_quality import check_lines, check_records, quality_checks

TODAY = date(2026, 1, 1)
#: Rows that a planted trouble touches are chosen by a generator with a fixed seed.
SAME_DAY_ROWS = 25


@pytest.fixture(scope="module")
def frame():
    return clean_frame()


@pytest.fixture(scope="module")
def clean(frame, tmp_path_factory):
    return planted(tmp_path_factory.mktemp("clean"), frame)


def some(frame, rng, share, where=None):
    """Labels of a random share of the rows."""
    rows = frame.index if where is None else frame.index[where]
    return rng.choice(rows, int(share * len(rows)), replace=False)


def missing_forms(frame, rng):
    frame.loc[some(frame, rng, 0.6), ITEMS] = np.nan


def missing_late(frame, rng):
    frame.loc[some(frame, rng, 0.5, frame["session"] == 4), "phq9"] = np.nan


def missing_therapist(frame, rng):
    frame.loc[some(frame, rng, 0.7, frame["therapist"] == "T03"), "phq9"] = np.nan


def open_item(frame, rng):
    frame.loc[some(frame, rng, 0.3), "wai_7"] = np.nan


def stopped(frame, rng):
    people = rng.choice(frame["client"].unique(), 90, replace=False)
    frame.loc[frame["client"].isin(people) & (frame["session"] >= 2), "phq9"] = np.nan


def fractions(frame, rng):
    frame.loc[some(frame, rng, 0.004, frame["phq9"] < 20), "phq9"] += 0.5


def half_answers(frame, rng):
    frame.loc[some(frame, rng, 0.01, frame["wai_1"].notna()), "wai_1"] = 2.5


def ages(frame, rng):
    frame.loc[frame["client"].isin(["0001", "0002", "0003"]), "age"] = 999


def floor(frame, rng):
    frame.loc[some(frame, rng, 0.2), "phq9"] = 0


def ceiling(frame, rng):
    rows = some(frame, rng, 0.25, frame["session"] > 0)
    frame.loc[rows, ITEMS] = 7
    frame.loc[rows, ["wai_4", "wai_10"]] = 1


def jumps(frame, rng):
    frame.loc[some(frame, rng, 0.05, frame["phq9"] <= 8), "phq9"] = 27


def straight(frame, rng):
    frame.loc[some(frame, rng, 0.15, frame["session"] > 0), ITEMS] = 3


def long_string(frame, rng):
    rows = some(frame, rng, 0.15, frame["session"] > 0)
    frame.loc[rows, ITEMS[:9]] = 2
    frame.loc[rows, ITEMS[9:]] = [[5, 4, 5]]


def repeated(frame, rng):
    rows = some(frame, rng, 0.2, frame["session"] > 1)
    before = frame[ITEMS].shift()
    rows = rows[before.loc[rows].notna().all(axis=1)]
    frame.loc[rows, ITEMS] = before.loc[rows]


def copied(frame, rng):
    full = frame[frame[ITEMS].notna().all(axis=1)]
    days = full.groupby("date")["client"].transform("size")
    for _day, rows in list(full[days >= 2].groupby("date"))[:SAME_DAY_ROWS]:
        first, second = rows.index[:2]
        frame.loc[second, [*ITEMS, "phq9"]] = frame.loc[first, [*ITEMS, "phq9"]]


def no_dates(frame, rng):
    frame.loc[some(frame, rng, 0.01), "date"] = pd.NaT


def future(frame, rng):
    last = frame.drop_duplicates("client", keep="last").index[:4]
    frame.loc[last, "date"] += pd.DateOffset(years=30)


def weekends(frame, rng):
    for _, rows in list(frame.groupby("client"))[:60]:
        frame.loc[rows.index, "date"] += pd.Timedelta(days=5 - rows["date"].iloc[0].day_of_week)


def same_day(frame, rng):
    rows = some(frame, rng, 0.03, frame["session"] > 0)
    frame.loc[rows, "date"] = frame["date"].shift()[rows]


def heap(frame, rng):
    frame.loc[frame["session"] == 0, "date"] = pd.Timestamp("2021-12-31")


def gaps(frame, rng):
    people = frame["client"].unique()[:15]
    frame.loc[frame["client"].isin(people) & (frame["session"] >= 1), "date"] += pd.Timedelta(days=700)


def modes(frame, rng):
    late = (frame["session"] >= 3) & frame["client"].isin(frame["client"].unique()[:100])
    frame["mode"] = np.where(late, "tablet", "paper")
    frame.loc[late, "phq9"] = (frame.loc[late, "phq9"] + 5).clip(upper=27)


def constant(frame, rng):
    """Everybody has 11 points, and each client the answers of the first rated session at all sessions."""
    frame["phq9"] = frame["phq9"].mask(frame["phq9"].notna(), 11)
    first = frame.groupby("client")[ITEMS].transform("first")
    frame[ITEMS] = first.where(frame[ITEMS].notna())


def one_rater(frame, rng):
    own = frame["therapist"] == "T03"
    frame.loc[own & frame["phq9"].notna(), "phq9"] = 9
    other = frame.index[(frame["therapist"] == "T04") & frame["phq9"].notna()]
    frame.loc[other, "phq9"] = 9
    frame.loc[other[0], "phq9"] = 8


#: Troubles that do not touch each other share a study.
PLANTS = (
    {
        missing_forms: {"completion-alliance": "problem"},
        fractions: {"fractions-phq9": "look"},
        half_answers: {"fractions-alliance": "look"},
        ages: {"far_baseline-age": "look"},
        no_dates: {"date_missing": "look"},
    },
    {
        missing_late: {"completion_session-phq9": "look"},
        open_item: {"unanswered-alliance": "problem"},
        future: {"date_future": "look"},
    },
    {
        missing_therapist: {"completion_therapist-phq9": "look"},
        straight: {"straight-alliance": "problem"},
        weekends: {"weekends": "look"},
    },
    {
        stopped: {"stopped-phq9": "problem"},
        long_string: {"long_string-alliance": "look"},
        same_day: {"same_day": "look"},
    },
    {floor: {"floor-phq9": "look"}, repeated: {"repeated-alliance": "look"}, heap: {"date_heap": "look"}},
    {jumps: {"jumps-phq9": "look"}, ceiling: {"ceiling-alliance": "look"}, gaps: {"gaps": "look"}},
    {copied: {"copied": "problem"}},
    {constant: {"same_score-phq9": "problem", "same_client-alliance": "problem"}},
    {one_rater: {"same_therapist-phq9": "look"}},
    {modes: {"mode": "look", "mode_step-phq9": "problem"}},
)
EXPECTED = [{key: v for verdicts in group.values() for key, v in verdicts.items()} for group in PLANTS]


def by_key(study, **options):
    return {c.key: c for c in quality_checks(study, today=TODAY, **options)}


def test_clean_data_pass_in_silence(clean):
    checks = quality_checks(clean, today=TODAY)
    assert [(c.key, c.result) for c in checks if c.verdict in ("look", "problem")] == []
    made = {c.key for c in checks if c.verdict == "fine"}
    assert {key for group in EXPECTED for key in group} - made == {"mode", "mode_step-phq9"}
    assert {"range-phq9", "duplicates", "date_order", "predict_missing-alliance", "predict_leaving"} <= made


@pytest.mark.parametrize(("group", "expected"), list(zip(PLANTS, EXPECTED, strict=True)))
def test_planted_trouble_is_found(group, expected, frame, tmp_path):
    def plant(frame, rng):
        for one in group:
            one(frame, rng)

    found = by_key(planted(tmp_path, frame, plant), models=False)
    assert {key: found[key].verdict for key in expected} == expected
    for key in expected:
        assert found[key].found > 0
        assert found[key].rule
        assert found[key].do


def test_counts_and_rows_are_those_that_were_planted(frame, clean, tmp_path):
    def several(frame, rng):
        no_dates(frame, rng)
        fractions(frame, rng)
        ages(frame, rng)

    expected = frame.copy()
    several(expected, np.random.default_rng(3))
    study = planted(tmp_path, frame, several)
    found = by_key(study, models=False)
    no_date, odd = expected.index[expected["date"].isna()], expected.index[expected["phq9"] % 1 == 0.5]
    told = {c["id"]: [r["row"] for r in c["rows"]] for c in check_records(study, list(found.values()))}
    assert told["date_missing"] == [k + 2 for k in no_date]  # row 1 holds the headers
    assert told["fractions"] == [k + 2 for k in odd]
    assert found["fractions-phq9"].found == len(odd)
    assert found["far_baseline-age"].who == ("0001", "0002", "0003")
    text = "\n".join(check_lines(study, list(found.values())))
    assert f"Rows {', '.join(str(k + 2) for k in odd[:8])} of sessions.csv" in text
    assert "Client: 0001, 0002, 0003." in text
    assert "999" not in text.replace("1 999", "")


def test_rows_of_dates_that_lie_ahead_are_named(frame, clean):
    dates = pd.to_datetime(frame["date"])
    today = dates.sort_values().iloc[-4]
    checks = list(quality_checks(clean, today=today, models=False))
    ahead = frame.index[dates > today]
    assert len(ahead) >= 1
    (told,) = (c["rows"] for c in check_records(clean, checks) if c["id"] == "date_future")
    assert [r["row"] for r in told] == [k + 2 for k in ahead]


def test_scores_that_do_not_differ_are_named(frame, tmp_path):
    study = planted(tmp_path, frame, constant)
    checks = quality_checks(study, today=TODAY, models=False)
    found = {c.key: c for c in checks}
    same = found["same_score-phq9"]
    assert (same.n, same.found) == (study.sessions["phq9"].notna().sum(),) * 2
    n = f"{same.n:,}".replace(",", "\u202f")
    assert same.result == f"{n} of {n} scores (100\u00a0%)."
    for key in ("same_client-phq9", "same_therapist-phq9"):
        assert (found[key].verdict, found[key].result) == (
            "not checked",
            "All scores of the measure are the same.",
        )
    rated = study.sessions.dropna(subset="alliance").groupby("client").size()
    client = found["same_client-alliance"]
    assert (client.n, client.found) == ((rated >= 3).sum(),) * 2
    assert set(client.who) == set(rated.index[rated >= 3])
    assert found["same_score-alliance"].verdict == "fine"
    result = al.data_quality(study, models=False, today=TODAY)
    (note,) = (n for n in result.notes if n.code == "quality_same_score")
    assert note.severity == "caution"
    assert note.message == (
        f"Scores that are all the same: {n} of {n} scores (100\u00a0%). Look in the export whether the study file names the right "
        "column. A constant or a default value may have been exported in its place."
    )
    assert "11" not in note.message.replace(n, "")


def test_a_rater_with_one_score_is_named_in_the_terminal_only(frame, tmp_path):
    """T03 gives 9 to all; T04 once 8."""
    study = planted(tmp_path, frame, one_rater)
    checks = quality_checks(study, today=TODAY, models=False)
    (check,) = (c for c in checks if c.key == "same_therapist-phq9")
    own = study.sessions[study.sessions["therapist"].eq("T03") & study.sessions["phq9"].notna()]
    assert (check.n, check.found, check.who, len(check.rows)) == (12, 1, ("T03",), len(own))
    assert "Therapist: T03." in "\n".join(check_lines(study, checks))
    assert "T03" not in str(al.data_quality(study, models=False, today=TODAY).to_dict()["tables"])


def test_what_is_too_little_to_call_the_same(frame, tmp_path):
    """Two clients with the same two scores, one therapist with nine scores, one client with any number of them."""

    def reasons(rows):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        checks = quality_checks(planted(folder, rows), today=TODAY, models=False)
        return {c.id: (c.verdict, c.result) for c in checks if c.about == "phq9" and c.id.startswith("same_")}

    people = sorted(frame["client"].unique())
    two = frame[frame["client"].isin(people[:4]) & (frame["session"] <= 1)].assign(phq9=[3, 4] * 4)
    assert reasons(two) == {
        "same_score": ("fine", "None of 8 scores."),
        "same_client": ("not checked", "Fewer than five clients have three or more scores."),
        "same_therapist": ("not checked", "No therapist has ten scores of two or more clients."),
    }
    one = frame[frame["client"] == people[0]].assign(phq9=5)
    assert set(reasons(one).values()) == {("not checked", "Fewer than two clients have a score.")}


def test_answers_read_off_a_line_need_not_be_whole(frame, tmp_path):
    def line(frame, rng):
        frame[ITEMS] = (frame[ITEMS] + rng.uniform(-0.4, 0.4, frame[ITEMS].shape)).clip(1, 7)

    found = by_key(planted(tmp_path, frame, line), models=False)["fractions-alliance"]
    assert (found.verdict, found.found) == ("not checked", 0)


def test_straight_lining_does_not_hide_copies(frame, tmp_path):
    def both(frame, rng):
        copied(frame, rng)
        rows = some(frame, rng, 0.3, frame["session"] > 0)
        frame.loc[rows, ITEMS] = 3

    assert by_key(planted(tmp_path, frame, both), models=False)["copied"].verdict == "problem"


def test_therapists_without_forms_are_named_in_the_terminal_only(frame, tmp_path):
    def forgets(frame, rng):
        frame.loc[(frame["therapist"] == frame["therapist"].iloc[0]) & (frame["session"] > 0), ITEMS] = None

    study = planted(tmp_path, frame, forgets)
    checks = quality_checks(study, today=TODAY, models=False)
    [check] = [c for c in checks if c.key == "completion_therapist-alliance"]
    name = frame["therapist"].iloc[0]
    assert (check.verdict, check.who) == ("look", (name,))
    assert f"Therapist: {name}." in "\n".join(check_lines(study, checks))
    assert name not in str(al.data_quality(study, models=False, today=TODAY).to_dict()["tables"])


def test_straight_lining_counts_the_planted_forms(frame, clean, tmp_path):
    changed = frame.copy()
    straight(changed, np.random.default_rng(3))
    study = planted(tmp_path, frame, straight)
    same = (changed[ITEMS].max(axis=1) == changed[ITEMS].min(axis=1)) & (
        changed[ITEMS].notna().sum(axis=1) >= 10
    )
    assert by_key(study, models=False)["straight-alliance"].found == same.sum()


def test_completion_and_floor_are_the_true_shares(frame, clean):
    found = by_key(clean, models=False)
    attended = frame["session"] > 0
    missing = frame.loc[attended, ITEMS].isna().all(axis=1)
    assert (found["completion-alliance"].n, found["completion-alliance"].found) == (
        attended.sum(),
        missing.sum(),
    )
    scores = frame["phq9"].dropna()
    assert (found["ceiling-phq9"].n, found["ceiling-phq9"].found) == (len(scores), (scores == 27).sum())
    first = frame.sort_values("session").groupby("client").head(1)["phq9"].dropna()
    share = f"{100 * (first == 27).mean():.1f}"
    assert (first == 27).sum() > 1
    assert found["ceiling-phq9"].means == f"At the first session {share}\xa0%."


def test_the_low_session_and_the_open_item_are_named(frame, tmp_path):
    late = by_key(planted(tmp_path / "a", frame, missing_late), models=False)["completion_session-phq9"]
    assert (late.found, late.means) == (1, "Many are missing at session number 4.")
    item = by_key(planted(tmp_path / "b", frame, open_item), models=False)["unanswered-alliance"]
    assert item.means == "Most often item 7."


def test_without_the_answers_checks_say_why_they_were_not_made(clean, tmp_path):
    study = planted(tmp_path, clean_frame())
    bare = al.load_study(tmp_path / "study.yaml")
    assert study.forms is not None
    assert bare.forms is None
    found = by_key(bare, models=False)
    assert found["straight-alliance"].verdict == "not checked"
    assert found["straight-alliance"].result == "The study has no answers to single items."
    assert found["mode"].result == "The study names no column that says how forms were filled in."
    assert check_records(bare, list(found.values()))[0]["rows"] == []


def totals_only(folder, clients, measures):
    """A study of two sessions per client and as many totals, each of its own kind."""
    rng, names = np.random.default_rng(3), ["phq_9", "gad_7", "bdi_ii", "core_10", "bai"][:measures]
    rows = pd.DataFrame({"c": np.repeat(np.arange(clients), 2), "n": np.tile([1, 2], clients)})
    for name in names:
        rows[name] = rng.integers(4, 18, len(rows))
    rows.to_csv(folder / "rows.csv", index=False)
    listed = "\n".join(f"  {name}: {{instrument: {name}, total: {name}}}" for name in names)
    text = (
        "study: Totals\ntables:\n  sessions: {file: rows.csv, columns: {client: c, session: n}}\nmeasures:\n"
    )
    (folder / "study.yaml").write_text(text + listed + "\n", encoding="utf-8")
    return al.load_study(folder / "study.yaml")


@pytest.mark.parametrize(("clients", "checked"), [(29, False), (30, True)])
def test_thirty_changes_are_enough_to_know_how_much_they_vary(tmp_path, clients, checked):
    found = by_key(totals_only(tmp_path, clients, 1), models=False)["jumps-phq_9"]
    assert (found.verdict != "not checked") == checked
    assert (found.result == f"None of {clients} changes.") == checked


@pytest.mark.parametrize(("measures", "checked"), [(4, False), (5, True)])
def test_five_totals_are_enough_to_tell_copies_from_chance(tmp_path, measures, checked):
    found = by_key(totals_only(tmp_path, 30, measures), models=False)["copied"]
    assert (found.result == "Too few answers per row to distinguish copies from chance.") != checked
