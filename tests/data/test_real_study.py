"""The real data beside the checkout: read as its README says, and nothing lost."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from alliance_longitudinal.data import describe_study, load_study

ITEMS = [f"wai_{scale}{i}" for scale in ("task", "goal", "bond") for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def raw(shared_data):
    return pd.read_csv(
        shared_data / "implement_gad_sessions_rescaled.csv", dtype={"client": str, "therapist": str}
    ).sort_values(["client", "session"], ignore_index=True)


@pytest.fixture(scope="module")
def study(raw, root, shared_data, tmp_path_factory):
    """The committed study file, pointed at the data wherever the checkout stands."""
    source = root / "tests" / "fixtures" / "implement_gad"
    folder = tmp_path_factory.mktemp("implement")
    text = (source / "study.yaml").read_text(encoding="utf-8")
    name = "implement_gad_sessions_rescaled.csv"
    assert f"../../../../shared/data/{name}" in text
    text = text.replace(f"../../../../shared/data/{name}", str(shared_data / name))
    (folder / "study.yaml").write_text(
        text.replace("instruments/", str(source / "instruments")), encoding="utf-8"
    )
    return load_study(folder / "study.yaml")


def test_counts_of_the_readme(study):
    assert study.sessions["client"].nunique() == 57
    assert study.sessions["therapist"].nunique() == 13
    assert study.sessions["session"].max() == 15
    assert len(study.sessions) == 855


def test_inputs_of_the_null_models(study, raw):
    """wai = item mean if at least five of nine are answered; bai = the total as given."""
    items = raw[ITEMS]
    wai = items.mean(axis=1).where(items.notna().sum(axis=1) >= 5)
    np.testing.assert_allclose(study.sessions["wai"], wai, rtol=1e-14)
    assert_array_equal(study.sessions["bai"], raw["bai_total"])
    assert_array_equal(study.sessions["client"], raw["client"])
    assert_array_equal(study.sessions["therapist"], raw["therapist"])


def test_what_the_reader_has_to_know(study):
    assert [f.code for f in study.findings] == [
        "time_is_session_number",
        "instrument_status",
        "unscored_forms",
        "completed_forms",
        "instrument_status",
        "total_as_given",
    ]
    assert "57 clients of 13 therapists; 855 sessions." in describe_study(study)
