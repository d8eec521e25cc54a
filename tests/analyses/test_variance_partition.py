from dataclasses import replace

import numpy as np
import pytest

from alliance_longitudinal import AnalysisResult, Study, variance_partition
from analyses.studies import value, with_sessions


@pytest.fixture(scope="module")
def partition(clinic: Study) -> AnalysisResult:
    return variance_partition(clinic)


@pytest.mark.parametrize("measure", ["alliance", "phq9"])
def test_shares_of_each_measure_add_up(partition: AnalysisResult, measure: str) -> None:
    level = [value(partition, f"level_{measure}_{k}") for k in ("therapist", "client", "session")]
    change = [value(partition, f"change_{measure}_{k}") for k in ("therapist", "client")]
    np.testing.assert_allclose([sum(level), sum(change)], 1, rtol=1e-12)
    assert min(level + change) >= 0


def test_variances_behind_the_shares(partition: AnalysisResult) -> None:
    """The shares are those of the variances that the report prints."""
    table = partition.table("variances").to_frame()
    level = table[table["model"] == "WAI-SR level"].set_index("group")["vcov"]
    shares = [value(partition, f"level_alliance_{k}") for k in ("therapist", "client", "session")]
    ours = [level["therapist"], level["client:therapist"], level["Residual"]]
    np.testing.assert_allclose(shares, np.array(ours) / sum(ours), rtol=1e-12)


def test_therapists_differ_in_alliance_as_simulated(partition: AnalysisResult) -> None:
    """True SD between therapists is 2.2 points; with 24 therapists its estimate has a standard error of about 0.45."""
    table = partition.table("variances").to_frame()
    row = table[(table["model"] == "WAI-SR level") & (table["group"] == "therapist")]
    assert float(row["sdcor"].iloc[0]) == pytest.approx(2.2, abs=3 * 0.45)


def test_methods_say_what_was_fitted(partition: AnalysisResult) -> None:
    assert (
        "WAI-SR course and PHQ-9 course: level and rate of change differ between therapists and between clients"
        in partition.methods
    )


def test_answer_names_both_measures(partition: AnalysisResult) -> None:
    assert len(partition.answer) == 2
    assert "WAI-SR" in partition.answer[0]
    assert "PHQ-9" in partition.answer[1]


def test_three_therapists_are_not_a_level(few: Study) -> None:
    result = variance_partition(few)
    assert not result.estimates["id"].str.contains("therapist").any()
    assert "too few therapists" in result.answer[0]
    assert "WAI-SR level and PHQ-9 level: level differs between clients; no therapist level" in result.methods
    assert result.status["code"] == "underpowered"


def test_with_nobody_rated_the_report_says_so(clinic: Study) -> None:
    sessions = clinic.sessions.assign(alliance=np.nan)
    result = variance_partition(with_sessions(clinic, sessions))
    assert result.status["code"] == "underpowered"
    assert result.answer == (
        "There are too few data for an answer. 0 clients can be analysed; the variance partition of WAI-SR needs at least 20. "
        "Analyse more clients together.",
    )
    assert result.estimates.empty
    assert "too few data" in result._repr_html_()


@pytest.mark.parametrize(("only", "other"), [("phq9", "alliance"), ("alliance", "symptoms")])
def test_a_study_with_one_kind_of_measure_is_divided_for_it(
    clinic: Study, partition: AnalysisResult, only: str, other: str
) -> None:
    """The same numbers as beside the other measure, as far as the same rows have a score; and it is said."""
    study = replace(clinic, measures={only: clinic.measures[only]})
    result = variance_partition(study)
    assert [e for e in result.estimates["id"] if only not in e] == []
    both = partition.estimates.set_index("id")
    own = result.estimates.set_index("id")
    np.testing.assert_allclose(own["estimate"], both.loc[own.index, "estimate"], rtol=1e-6)
    (note,) = (f.message for f in result.notes if f.code == "one_measure")
    assert note.startswith(f"The study has no {other} measure, so the report is about ")
