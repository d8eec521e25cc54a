"""Who drops out, a second time in R from the same rows: odds and hazards, with the last scores and with those before them.

``python tests/analyses/test_dropout_r.py`` writes the rows for tests/reference/make_dropout.R.
"""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import Study
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from reference.catalogue import HERE

WANTED = json.loads((HERE / "dropout.json").read_text())["cases"]
LEAVE = {
    "dropout_intercept": -2.0,
    "dropout_by_alliance": 0.06,
    "planned_chance": 0.03,
    "planned_by_session": 0.15,
}


def made() -> Study:
    """150 clients of unknown therapists, of whom about half drop out."""
    study = simulated_study(11, ClinicTruth(therapists=10, clients=150, **LEAVE))
    return replace(
        study,
        _sessions=study.sessions.assign(therapist=None),
        _clients=study.clients.assign(therapist=None),
    )


@pytest.fixture(scope="module")
def study() -> Study:
    return made()


@pytest.mark.parametrize("case", WANTED, ids=lambda c: f"{c['link']}-{c['lag']}")
def test_as_glm(case: dict[str, Any], study: Study) -> None:
    result = al.dropout(study, lag=case["lag"], link=case["link"])
    model = result.models["dropout"]
    assert int(model.nobs) == case["n"]
    assert sum(str(name).startswith("step") for name in model.params.index) == case["steps"]
    assert -2 * model.llf == pytest.approx(case["deviance"], rel=1e-9)
    ours = result.estimates.set_index("id")
    ids = ["drop_alliance_within", "drop_alliance_client", "drop_severity"]
    np.testing.assert_allclose(ours.loc[ids, "estimate"].astype(float), case["estimate"], rtol=1e-5)
    np.testing.assert_allclose(ours.loc[ids, "se"].astype(float), case["se"], rtol=1e-4)


def test_hazards_have_words_of_their_own_and_no_d(study: Study) -> None:
    result = al.dropout(study, lag=2, link="cloglog")
    ids = set(result.estimates["id"])
    assert {"hr_alliance_within", "hr_alliance_client", "hr_severity"} <= ids
    assert not {i for i in ids if i.startswith("or_")} | ({"d_equivalent"} & ids)
    table = result.estimates.set_index("id")
    change = (
        np.log(table.loc["hr_alliance_client", "estimate"]) / table.loc["drop_alliance_client", "estimate"]
    )
    assert change < 0  # per SD lower
    assert table.loc["drop_alliance_client", "unit"].startswith("log hazard per ")
    said = " ".join(map(str, result.answer))
    assert "the hazard of dropping out 2 sessions later was" in said
    assert said.count("the hazard of dropping out was") == 1
    assert "Scores up to 2 sessions before the one at risk enter." in result.methods
    assert "Prentice & Gloeckler" in result.methods
    assert result.table("hazard").title == "Hazard of dropping out before the next session"


def test_a_hazard_that_separates_is_said(study: Study) -> None:
    """Whoever leaves has a score that nobody else has."""
    sessions, clients = study.sessions, study.clients.set_index("client")
    leaves = sessions["client"].map(clients["ending"]).eq("dropout")
    alliance = (
        sessions["alliance"].where(~leaves, 12.0).where(leaves, 50 + sessions["client"].str[-1].eq("1"))
    )
    result = al.dropout(replace(study, _sessions=sessions.assign(alliance=alliance)), link="cloglog")
    assert "The model of dropout has no finite estimate" in str(result.answer[0])


@pytest.mark.parametrize(("options", "message"), [({"lag": 0}, "lag"), ({"link": "probit"}, "link")])
def test_wrong_requests(study: Study, options: dict[str, Any], message: str) -> None:
    with pytest.raises(al.StudyError, match=message):
        al.dropout(study, **options)


if __name__ == "__main__":
    own = made()
    rows = own.sessions.merge(own.clients[["client", "ending"]], on="client")
    rows = rows[["client", "session", "alliance", "phq9", "ending"]]
    pd.DataFrame(rows).to_csv(HERE / "small" / "leaving.csv", index=False, float_format="%.10g")
