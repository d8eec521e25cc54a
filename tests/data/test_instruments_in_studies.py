"""What a study may ask of an instrument whose facts are not all known, or which has no total."""

import numpy as np
import pytest

from alliance_longitudinal.data import load_study
from alliance_longitudinal.errors import DataError, StudyError

STUDY = """\
study: Instruments
tables:
  sessions:
    file: sessions.csv
    columns: {client: client, therapist: therapist, session: session}
measures:
  x: MEASURE
"""


def load(folder, measure, columns):
    """A study of two clients with two sessions each; ``columns`` maps headers to four values."""
    (folder / "study.yaml").write_text(STUDY.replace("MEASURE", measure))
    rows = [["client", "therapist", "session", *columns]]
    for k, (client, session) in enumerate([("a", 1), ("a", 2), ("b", 1), ("b", 2)]):
        rows.append([client, "t", str(session), *(str(values[k]) for values in columns.values())])
    (folder / "sessions.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    return load_study(folder / "study.yaml")


def items(count, value=1, **other):
    return {f"i{k}": other.get(f"i{k}", [value] * 4) for k in range(1, count + 1)}


@pytest.mark.parametrize(
    ("measure", "count", "words"),
    [
        ("instrument: calpas_24, items: 'i{item}'", 24, "CALPAS-24: which items are reversed is not known"),
        (
            "instrument: tasa, rater: adolescent, items: 'i{item}'",
            12,
            "TASA: how many items it has is not known",
        ),
        (
            "instrument: gcq_s, items: 'i{item}'",
            12,
            "has no total, only the scales engaged, avoiding, conflict",
        ),
        (
            "instrument: tars_marziali, total: i1",
            1,
            "whether a higher score of TARS is better or worse is not",
        ),
        (
            "instrument: hrsd_17, total: i1",
            1,
            "HRSD-17 is filled in by the clinician; the form of the client",
        ),
    ],
)
def test_what_is_not_known_is_refused_with_the_line(measure, count, words, tmp_path):
    with pytest.raises(StudyError, match=words) as caught:
        load(tmp_path, f"{{{measure}}}", items(count))
    assert "\n  line 7: " in str(caught.value)


def test_totals_of_an_incomplete_instrument_are_taken_as_given(tmp_path):
    study = load(tmp_path, "{instrument: calpas_24, total: i1}", {"i1": [1, 4, 5.5, 7]})
    assert study.sessions["x"].tolist() == [1, 4, 5.5, 7]
    said = {f.code: f.message for f in study.findings}
    assert said["instrument_status"].startswith(
        "The definition of CALPAS-24 was not fully checked against the manual (status 'incomplete')"
    )
    assert "total_as_given" in said
    with pytest.raises(DataError, match=r"outside the range of CALPAS-24 \(the total: 1 to 7\)"):
        load(tmp_path, "{instrument: calpas_24, total: i1}", {"i1": [1, 4, 5.5, 8]})


def test_range_of_a_total_that_is_not_known_cannot_be_checked(tmp_path):
    study = load(tmp_path, "{instrument: sai_6, total: i1}", {"i1": [1, 400, -5, 7]})
    assert study.sessions["x"].tolist() == [1, 400, -5, 7]


def test_items_are_held_against_their_own_range(tmp_path):
    measure = "{instrument: hrsd_17, rater: clinician, items: 'i{item}'}"
    study = load(tmp_path, measure, items(17, i4=[0, 1, 2, 2]))
    assert study.sessions["x"].tolist() == [16, 17, 18, 18]
    with pytest.raises(DataError, match=r"outside the range of HRSD-17 \(items: 0 to 4 \(items 4, 5"):
        load(tmp_path, measure, items(17, i4=[0, 1, 2, 3]))


def test_scales_reach_the_sessions(tmp_path):
    study = load(
        tmp_path, "{instrument: core_om, items: 'i{item}', entry: prescored}", items(34, 2, i6=[4, 4, 0, 0])
    )
    np.testing.assert_allclose(study.sessions["x"], np.array([70, 70, 66, 66]) / 34, rtol=1e-15)
    np.testing.assert_allclose(study.sessions["x_risk"], np.array([14, 14, 10, 10]) / 6, rtol=1e-15)
    np.testing.assert_allclose(
        study.sessions["x_clinical_score"], np.array([70, 70, 66, 66]) / 3.4, rtol=1e-14
    )


def test_a_given_total_is_not_blamed_for_keys_of_items(tmp_path):
    study = load(tmp_path, "{instrument: oq_45_2, total: i1}", {"i1": [10, 40, 55, 70]})
    message = next(f.message for f in study.findings if f.code == "instrument_status")
    assert "cut-off (total, clinical range)" in message
    assert not [word for word in ("subscale", "reverse key", "missing-item") if word in message]
