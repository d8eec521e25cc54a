"""Episodes of care, endings, groups and families, gaps."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from data.builders import STUDY, write

#: Client a comes twice (numbers go on), b twice (numbers start again), c once with a long pause.
RETURNS = """\
client,therapist,session,date,phq9
a,T1,0,2024-01-01,20
a,T1,1,2024-01-08,18
a,T1,2,2024-12-01,19
a,T1,3,2024-12-08,17
b,T2,0,2024-01-01,15
b,T2,1,2024-01-10,14
b,T3,0,2024-09-01,16
b,T3,1,2024-09-09,12
c,T2,0,2024-01-01,9
c,T2,1,2024-03-20,8
"""


def returning(folder, rule, study=STUDY, table=RETURNS):
    return load_study(write(folder, study=study + f"episodes: {{{rule}}}\n", table=table))


def messages(study):
    return {f.code: f.message for f in study.findings}


def test_without_a_rule_a_second_intake_is_refused(tmp_path):
    with pytest.raises(DataError, match="see 'episodes'"):
        load_study(write(tmp_path, table=RETURNS))


def test_first_episode(tmp_path):
    study = returning(tmp_path, "after_days: 180")
    assert_array_equal(study.sessions["phq9"], [20, 18, 15, 14, 9, 8])
    assert set(study.sessions["episode"]) == {1}
    step = study.flow.steps[-1]
    assert (step.step, step.rows_in, step.rows_out) == ("first episode of care of each client", 10, 6)
    assert messages(study)["episodes"] == (
        "2 clients have more than one episode of care, 5 episodes in total (a new one begins after a pause of more "
        "than 180 days); only the first is analysed."
    )


def test_last_episode_is_counted_from_its_own_start(tmp_path):
    study = returning(tmp_path, "after_days: 180, analyse: last")
    assert_array_equal(study.sessions["phq9"], [19, 17, 16, 12, 9, 8])
    assert_array_equal(study.sessions["session"], [0, 1, 0, 1, 0, 1])
    assert_array_equal(study.sessions["episode"], [2, 2, 2, 2, 1, 1])
    assert_array_equal(study.sessions["week"], [0, 1, 0, 8 / 7, 0, 79 / 7])


@pytest.mark.parametrize(("days", "episodes"), [(327, [1, 1, 2, 2]), (328, [1, 1, 1, 1])])
def test_a_pause_of_exactly_after_days_is_no_new_episode(tmp_path, days, episodes):
    """From 8 January to 1 December 2024 are 328 days; a new episode begins after a pause of more."""
    alone = "".join(line for line in RETURNS.splitlines(keepends=True) if line[:2] in ("cl", "a,"))
    study = returning(tmp_path, f"after_days: {days}, analyse: each", table=alone)
    assert_array_equal(study.sessions["episode"], episodes)


@pytest.mark.parametrize("first", [3, 2])
def test_episodes_whose_session_numbers_meet_have_no_known_order(tmp_path, first):
    """Without dates, words are in order of the session numbers; if these start again or meet, it is not known."""
    table = "client,therapist,session,ep,phq9\n" + "".join(
        f"a,T1,{n},{word},{10 + n}\n"
        for word, numbers in (("spring", (1, 2, 3)), ("autumn", (first, 5)))
        for n in numbers
    )
    study = STUDY.replace(", date: date", "").replace("client: client", "client: client, episode: ep")
    with pytest.raises(DataError, match="the order of a client's episodes is not known"):
        returning(tmp_path, "analyse: first", study=study, table=table)
    later = table.replace(f",{first},autumn", ",4,autumn")
    kept = returning(tmp_path, "analyse: first", study=study, table=later).sessions
    assert_array_equal(kept["phq9"], [11, 12, 13])


def test_each_episode_is_a_client(tmp_path):
    study = returning(
        tmp_path, "after_days: 180, analyse: each", STUDY + "baseline: {start: start}\n",
        RETURNS.replace("phq9\n", "phq9,start\n", 1).replace("T1,2,2024-12-01,19", "T1,2,2024-12-01,19,5"),
    )  # fmt: skip
    assert study.clients["client"].tolist() == ["a", "a (episode 2)", "b", "b (episode 2)", "c"]
    assert study.clients["therapist"].tolist() == ["T1", "T1", "T2", "T3", "T2"]
    assert study.clients["start"].isna().tolist() == [True, False, True, True, True]
    assert_array_equal(study.sessions["session"], [0, 1] * 5)
    assert "as if the episodes of one person were independent" in messages(study)["episodes"]


def test_episodes_begin_at_intake_and_take_their_baseline_from_the_person(tmp_path):
    study = STUDY.replace(
        "measures:", "  clients: {file: c.csv, columns: {client: id}}\nbaseline: [age]\nmeasures:"
    )
    (tmp_path / "c.csv").write_text("id,age\na,30\nb,40\nc,50\n")
    loaded = returning(tmp_path, "at_intake: true, analyse: each", study)
    assert loaded.clients["client"].tolist() == ["a", "b", "b (episode 2)", "c"]
    assert_array_equal(loaded.clients["age"], [30, 40, 40, 50])


def test_episodes_by_a_column_with_sessions_numbered_by_date(tmp_path):
    study = STUDY.replace("session: session, ", "").replace("client: client", "client: client, episode: ep")
    table = "client,therapist,date,phq9,ep\n" + "".join(
        f"a,T,2024-0{month}-01,{month},{ep}\n" for month, ep in [(3, "y"), (1, "x"), (2, "x"), (4, "y")]
    )
    loaded = returning(tmp_path, "analyse: last", study, table)
    assert_array_equal(loaded.sessions["phq9"], [3, 4])
    assert_array_equal(loaded.sessions["session"], [1, 2])


def test_episode_without_a_date(tmp_path):
    with pytest.raises(DataError, match="so its episode of care is not known"):
        returning(tmp_path, "after_days: 30", table=RETURNS.replace("2024-01-08", ""))


@pytest.mark.parametrize(
    ("study", "phrase"),
    [
        (STUDY + "episodes: {analyse: first}\n", "'episodes' needs 'after_days', 'at_intake: true', or a column"),
        (
            STUDY.replace(", date: date", "") + "episodes: {after_days: 9}\n",
            "'episodes: after_days' needs a 'date' column",
        ),
        (
            STUDY.replace("session: session, ", "") + "episodes: {at_intake: true}\n",
            "'episodes: at_intake' needs a 'session' column",
        ),
        (STUDY.replace("client: client", "client: client, episode: e"), "needs a block 'episodes: {analyse: first}'"),
        (STUDY + "ending: {planned: [x]}\n", "an 'ending' column and the words of the block 'ending' belong"),
        (STUDY.replace("client: client", "client: client, ending: e"), "belong together"),
        (STUDY + "ending: {planned: [x], dropout_below: 3}\n", "give either words under 'planned'"),
        (STUDY + "ending: {planned: [x], other: [x]}\n", "'x' is there twice"),
    ],
)  # fmt: skip
def test_blocks_that_do_not_fit(study, phrase, tmp_path):
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, study=study))
    assert phrase in str(caught.value)


def test_long_gaps_are_noticed(tmp_path):
    table = "client,therapist,session,date,phq9\na,T,1,2024-01-01,9\na,T,2,2024-08-01,9\nb,T,1,2024-08-01,1\n"
    study = load_study(write(tmp_path, table=table))
    assert messages(study)["long_gaps"].startswith("1 client paused for more than 26 weeks")
    assert "episodes: {after_days: 182}" in messages(study)["long_gaps"]


ENDINGS = "ending: {planned: [completed], dropout: [stopped coming, moved?], other: ongoing}\n"


def test_endings_by_words(tmp_path):
    study = STUDY.replace("client: client", "client: client, ending: end") + ENDINGS
    table = (
        "client,therapist,session,date,phq9,end\na,T,1,2024-01-01,9,\na,T,2,2024-01-02,9,completed\n"
        "b,T,1,2024-01-01,9,stopped coming\nc,T,1,2024-01-01,9,NA\nd,T,1,2024-01-01,9,ongoing\n"
    )
    loaded = load_study(write(tmp_path, study=study, table=table))
    assert loaded.clients["ending"].fillna("?").tolist() == ["planned", "dropout", "?", "other"]
    assert messages(loaded)["endings"] == (
        "Treatment ended as planned for 1 client, by dropout for 1, in another way for 1; for 1 it is not known "
        "(by the study file's words)."
    )
    with pytest.raises(DataError, match="the word for how a treatment ended is not in the study file"):
        load_study(write(tmp_path, study=study, table=table.replace("ongoing", "on going")))


def test_endings_of_the_clients_table(tmp_path):
    study = STUDY.replace(
        "measures:", "  clients: {file: c.csv, columns: {client: id, ending: end, family: fam}}\nmeasures:"
    )
    (tmp_path / "c.csv").write_text("id,end,fam\n007,completed,F1\nNA,moved?,F1\n1E5,,\n")
    loaded = load_study(write(tmp_path, study=study + ENDINGS))
    assert loaded.clients["client"].tolist() == ["007", "1E5", "NA"]
    assert loaded.clients["ending"].fillna("?").tolist() == ["planned", "?", "dropout"]
    assert loaded.clients["family"].fillna("?").tolist() == ["F1", "?", "F1"]
    assert loaded.sessions["family"].fillna("?").tolist() == ["F1", "F1", "?", "?", "F1", "F1"]
    (tmp_path / "c.csv").write_text("id,end,fam\n007,done,F1\n")
    with pytest.raises(
        DataError, match=r"(?s)c.csv: the word for how a treatment ended.*row 2, column 'end': 'done'"
    ):
        load_study(tmp_path / "study.yaml")


def test_endings_by_number_of_sessions(tmp_path):
    loaded = load_study(write(tmp_path, study=STUDY + "ending: {dropout_below: 3}\n", table=(
        "client,therapist,session,date,phq9\na,T,0,2024-01-01,9\na,T,1,2024-01-02,9\na,T,2,2024-01-03,9\n"
        "b,T,1,2024-01-01,9\nb,T,2,2024-01-02,9\nb,T,3,2024-01-03,9\n"
    )))  # fmt: skip
    assert loaded.clients["ending"].tolist() == ["dropout", "planned"]  # intake is not a session of treatment
    assert "fewer than 3 sessions count as dropout" in messages(loaded)["endings"]


def test_groups_and_families_are_carried(tmp_path):
    study = STUDY.replace("client: client", "client: client, group: g, family: f")
    table = (
        "client,therapist,session,date,phq9,g,f\na,T,1,2024-01-01,9,G1,F\na,T,2,2024-01-02,9,,F\n"
        "b,T,1,2024-01-01,9,G2,\n"
    )
    sessions = load_study(write(tmp_path, study=study, table=table)).sessions
    assert list(sessions.columns[:5]) == ["client", "therapist", "group", "family", "session"]
    assert sessions["group"].fillna("?").tolist() == ["G1", "?", "G2"]
    assert sessions["family"].fillna("?").tolist() == ["F", "F", "?"]


def test_dates_decide_the_order_in_which_episodes_are_counted(tmp_path):
    """Rows in any order give the same study."""
    lines = RETURNS.splitlines()
    order = np.random.default_rng(3).permutation(len(lines) - 1)
    shuffled = "\n".join([lines[0], *(lines[1 + i] for i in order)])
    one = returning(tmp_path, "after_days: 180, analyse: each").sessions
    assert one.equals(returning(tmp_path, "after_days: 180, analyse: each", table=shuffled).sessions)
