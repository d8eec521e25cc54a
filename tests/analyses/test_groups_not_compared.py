"""Groups with enough clients that cannot be compared: each report says why, and does not say that they are small."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import with_covariates
from analyses.studies import with_sessions
from inside import PARTITION_TESTS


@pytest.fixture(scope="module")
def study() -> al.Study:
    """Clients of the first three of sixteen therapists are in the arm IPT, all others in CBT."""
    made = with_covariates(
        simulated_study(5, ClinicTruth(therapists=16, clients=320), items=False, raters=("therapist",))
    )
    clients = made.clients
    clients["case"] = clients.groupby("therapist").cumcount() + 1.0
    first = sorted(clients["therapist"].unique())[:3]
    clients["arm"] = np.where(clients["therapist"].isin(first), "IPT", "CBT")
    return replace(made, covariates=("case",), _clients=clients)


def never_better(own: pd.DataFrame) -> pd.DataFrame:
    return own.assign(phq9=own["phq9"].where(own["phq9"].isna(), 12.0))


def always_alike(own: pd.DataFrame) -> pd.DataFrame:
    return own.assign(alliance=own.groupby("client")["alliance"].transform("mean"))


def rated_once(own: pd.DataFrame) -> pd.DataFrame:
    return own.assign(alliance=own["alliance"].where(own["session"] == 3))


def hardly_rated(own: pd.DataFrame) -> pd.DataFrame:
    return own.assign(alliance=own["alliance"].where(own["client"].isin(own["client"].unique()[:15])))


def unchanged(own: pd.DataFrame) -> pd.DataFrame:
    return own


@pytest.mark.parametrize(
    ("name", "change", "asked", "why"),
    [
        ("dose", never_better, {}, "has no client who improved reliably, so the report does not compare it."),
        (
            "within_between",
            always_alike,
            {"random_slope": "no"},
            "has no client whose alliance differs between sessions, so",
        ),
        (
            "mechanisms",
            unchanged,
            {"cause": "experience"},
            "has fewer than 10 therapists, so the report does not compare it.",
        ),
        ("raters", rated_once, {}, "has too few clients with several sessions that both rated, so"),
        (
            "therapist_development",
            unchanged,
            {"case_number": "case"},
            "has too few therapists with several cases, or only equal scores, so the report does not compare it.",
        ),
        (
            "variance_partition",
            hardly_rated,
            {"n_sim": 100},
            "has fewer than 20 clients with scores of WAI-SR (client), so the report does not compare its shares of WAI-SR (client).",
        ),
    ],
)
def test_the_reason_is_not_the_number_of_clients(
    study: al.Study,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    asked: dict[str, Any],
    why: str,
) -> None:
    monkeypatch.setattr(Draft, "checks", lambda *_, **__: None)  # these take longer than everything else
    monkeypatch.setattr(PARTITION_TESTS, lambda *_: [])
    sessions = study.sessions
    inside = sessions["client"].isin(study.clients.query("arm == 'IPT'")["client"])
    own = with_sessions(study, pd.concat([sessions[~inside], change(sessions[inside])]).sort_index())
    result = getattr(al, name)(own, by="arm", **asked)
    codes = [n.code for n in result.notes]
    assert "small_group" not in codes
    message = next(n.message for n in result.notes if n.code == "group_not_compared")
    assert message.startswith(f"arm IPT {why}")


def test_a_group_whose_ratings_are_all_equal_has_no_multiverse(study: al.Study) -> None:
    inside = study.sessions["client"].isin(study.clients.query("arm == 'IPT'")["client"])
    equal = study.sessions.assign(alliance=lambda d: d["alliance"].mask(inside & d["alliance"].notna(), 40.0))
    quick: dict[str, Any] = {"windows": "1-5", "adjust": "change", "outcomes": "last", "n_perm": 19}
    result = al.multiverse(with_sessions(study, equal), by="arm", **quick)
    assert "small_group" not in {n.code for n in result.notes}
    assert "The models of arm IPT could not be fitted, so the report gives no estimate for this group." in [
        n.message for n in result.notes
    ]
