"""Several raters of one session, one subscale as a measure, and raters without a form of their own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError
from alliance_longitudinal.measures import find_instrument, score
from data.builders import write

STUDY = """\
study: Raters
tables:
  sessions:
    file: sessions.csv
    columns: {client: client, therapist: therapist, session: session, date: date, rater: who}
measures:
  observed: {instrument: wai_o, rater: observer, total: wai, rows: [o1, o2, o3], average: true}
  phq9: {instrument: phq_9, total: phq, rows: [self]}
"""

TABLE = """\
client,therapist,session,date,who,wai,phq
a,T,1,2024-01-01,o2,101,
a,T,1,2024-01-01,o1,100,
a,T,1,,self,7,12
a,T,2,2024-01-08,self,,10
b,T,1,2024-01-02,o1,90,
b,T,1,2024-01-02,o2,91,
b,T,1,2024-01-02,o3,95,3
"""


def messages(study):
    return {f.code: f.message for f in study.findings}


def _wai_o(text):
    """The study with a questionnaire for observers that has a total with a known range."""
    return text.replace("wai_o", "wai_36")


def test_mean_over_observers(tmp_path):
    study = load_study(write(tmp_path, study=_wai_o(STUDY), table=TABLE.replace("self,7,", "self,,")))
    sessions = study.sessions
    assert sessions[["client", "session"]].values.tolist() == [["a", 1], ["a", 2], ["b", 1]]
    assert_array_equal(sessions["observed"], [100.5, np.nan, 92])
    assert_array_equal(sessions["observed_raters"], [2, 0, 3])
    assert_array_equal(sessions["phq9"], [12, 10, np.nan])  # o3's own entry is not the client's
    assert_allclose(sessions["week"], [0, 1, 0])
    assert "phq9_raters" not in sessions
    assert messages(study)["mean_over_raters"].startswith(
        "WAI (observer) is the mean over 2 to 3 raters per session (median 2.5)"
    )
    step = study.flow.steps[-1]
    assert (step.step, step.rows_in, step.rows_out) == ("sessions", 7, 3)


def test_order_of_rows_does_not_matter(tmp_path):
    text = TABLE.replace("self,7,", "self,,")
    lines = text.splitlines()
    other = "\n".join([lines[0], *reversed(lines[1:])])
    one = load_study(write(tmp_path, study=_wai_o(STUDY), table=text)).sessions
    assert one.equals(load_study(write(tmp_path, study=_wai_o(STUDY), table=other)).sessions)


def test_sessions_numbered_by_date_with_several_raters(tmp_path):
    study = _wai_o(STUDY).replace("session: session, ", "")
    table = TABLE.replace("self,7,", "self,,").replace("a,T,1,,self", "a,T,1,2024-01-01,self")
    sessions = load_study(write(tmp_path, study=study, table=table)).sessions
    assert_array_equal(sessions["session"], [1, 2, 1])
    assert_array_equal(sessions["observed"], [100.5, np.nan, 92])


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ((STUDY, ", average: true", ""), "several rows of a session hold 'observed'"),
        ((STUDY, "rows: [self]", "rows: [client]"), "no row is by the rater 'client', whom 'phq9' names"),
        ((TABLE, "o1,100", "o2,100"), "the same rater has more than one row for a session"),
        ((TABLE, "o1,100", ",100"), "who filled in the row is missing"),
        ((TABLE, "2024-01-02,o3", "2024-01-03,o3"), "a client has the same session in more than one row"),
    ],
)  # fmt: skip
def test_rows_that_do_not_fit(change, phrase, tmp_path):
    text, old, new = change
    assert old in text
    study = _wai_o(text.replace(old, new) if text == STUDY else STUDY)
    table = (text.replace(old, new) if text == TABLE else TABLE).replace("self,7,", "self,,")
    with pytest.raises(DataError) as caught:
        load_study(write(tmp_path, study=study, table=table))
    assert phrase in str(caught.value)


def test_rows_need_a_column_of_raters(tmp_path):
    with pytest.raises(StudyError, match="observed, phq9: 'rows' and 'average' need a column 'rater'"):
        load_study(write(tmp_path, study=_wai_o(STUDY).replace(", rater: who", ""), table=TABLE))


SCALE = """\
study: Bond
tables:
  sessions:
    file: sessions.csv
    columns: {client: client, therapist: therapist, session: session}
measures:
  bond: {instrument: wai_sr, scale: bond, items: "w{item}"}
  given: {instrument: wai_sr, scale: bond, total: b}
"""


def forms(n, seed=1):
    items = np.random.default_rng(seed).integers(1, 6, (n, 12)).astype(float)
    items[0, :] = np.nan
    items[1, 2] = np.nan  # item 3 belongs to the bond
    return items


def scale_table(items, numbers):
    header = ",".join(["client,therapist,session,b", *(f"w{k}" for k in numbers)])
    lines = [
        ",".join(
            [f"c{i},T,1,{4 + i % 17}", *("" if np.isnan(row[k - 1]) else f"{row[k - 1]:g}" for k in numbers)]
        )
        for i, row in enumerate(items)
    ]
    return "\n".join([header, *lines])


def test_one_subscale_needs_only_its_own_items(tmp_path):
    instrument = find_instrument("wai_sr")
    numbers, items = instrument.subscales["bond"], forms(20)
    study = load_study(write(tmp_path, study=SCALE, table=scale_table(items, numbers)))
    expected = score(items, instrument).subscales["bond"]
    found = study.sessions.set_index("client").loc[[f"c{i}" for i in range(20)], "bond"]
    assert_array_equal(found, expected)
    measure = study.measures["bond"]
    assert measure.label == "WAI-SR bond (client)"
    assert measure.instrument.total_range == (4, 20)
    assert measure.instrument.direction == "higher_better"
    assert [c for c in study.sessions if c.startswith("bond")] == ["bond"]
    assert messages(study)["unscored_forms"].startswith("1 of 19 forms of WAI-SR bond (client)")


def test_whole_form_may_be_named_for_one_subscale(tmp_path):
    items = forms(20)
    study = SCALE.replace('"w{item}"', str([f"w{k}" for k in range(1, 13)]))
    numbers = find_instrument("wai_sr").subscales["bond"]
    few = load_study(write(tmp_path / "few", study=SCALE, table=scale_table(items, numbers))).sessions
    all_ = load_study(write(tmp_path / "all", study=study, table=scale_table(items, range(1, 13)))).sessions
    assert_array_equal(few["bond"], all_["bond"])


def test_given_total_of_a_subscale_is_held_to_its_range(tmp_path):
    numbers = find_instrument("wai_sr").subscales["bond"]
    table = scale_table(forms(20), numbers).replace("c2,T,1,6", "c2,T,1,21")
    with pytest.raises(DataError, match=r"outside the range of WAI-SR bond \(the total: 4 to 20\)"):
        load_study(write(tmp_path, study=SCALE, table=table))


@pytest.mark.parametrize(
    ("old", "new", "phrase"),
    [
        ("scale: bond, items", "scale: bnd, items", "WAI-SR has no scale 'bnd'. Did you mean 'bond'?"),
        ('"w{item}"', "[a, b]", "WAI-SR has 12 items (4 in the scale bond), but 2 columns are named"),
        ("wai_sr, scale: bond, total", "wai_sr, rater: partner, total", "say which: 'form: client'"),
        ("wai_sr, scale: bond, total", "wai_sr, rater: partner, form: observer, total", "has no form for the observer"),
    ],
)  # fmt: skip
def test_measures_that_do_not_fit(old, new, phrase, tmp_path):
    assert old in SCALE
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, study=SCALE.replace(old, new), table="x"))
    assert phrase in str(caught.value)


def test_form_of_the_client_filled_in_by_a_partner(tmp_path):
    study = SCALE.replace("scale: bond, total: b", "rater: partner, form: client, total: b")
    table = scale_table(forms(5), find_instrument("wai_sr").subscales["bond"])
    study = load_study(write(tmp_path, study=study, table=table.replace(",T,1,", ",T,1,2")))
    assert study.measures["given"].label == "WAI-SR (partner)"
    assert (
        "Scoring key, cut-offs and norms are those of the client form"
        in messages(study)["form_of_another_rater"]
    )
