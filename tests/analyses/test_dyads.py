"""Couples, families and carers: published figures, the simulated truth, missing members by choice, and what is said."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.studies import value, with_sessions

BASE = simulated_study(1, ClinicTruth(therapists=5, clients=25), items=False)


def couples(
    seed: int,
    actor: tuple[float, float] = (-0.4, -0.4),
    partner: tuple[float, float] = (-0.2, -0.2),
    *,
    cases: int = 150,
    therapists: int = 25,
    split: float = 0.0,
    leave: float | None = None,
) -> al.Study:
    """Couples in therapy: ratings at sessions 1 to 3, outcomes at 0 and 6; roles w and m. The therapist, the couple and the own
    first score add to the outcome; ``split`` is the effect of how far apart the members are."""
    rng = np.random.default_rng(seed)
    therapist = np.arange(cases) % therapists
    x = rng.multivariate_normal([0, 0], [[16, 6], [6, 16]], cases)
    first = rng.normal(16, 4, (cases, 2)) - 0.2 * x
    y = 0.6 * first + np.array(actor) * x + np.array(partner) * x[:, ::-1]
    y = y + split * np.abs(x[:, [0]] - x[:, [1]])
    y = (
        y
        + rng.normal(0, 1, therapists)[therapist][:, None]
        + rng.normal(0, 1.5, (cases, 1))
        + rng.normal(0, 2, (cases, 2))
    )
    gap = np.abs(x[:, 0] - x[:, 1])
    chance = np.zeros(cases) if leave is None else 1 / (1 + np.exp(2.0 - leave * (gap - gap.mean())))
    end = np.full(cases, 10)
    for session in range(7, 11):
        end = np.where((end == 10) & (rng.random(cases) < chance), session - 1, end)
    rows = []
    for k, role in enumerate("wm"):
        for session in range(11):
            there = session <= end
            rated = 43 + x[:, k] + (rng.normal(0, 0.5, cases) if session in (1, 2, 3) else 0)
            rows.append(
                pd.DataFrame(
                    {
                        "client": [f"{role}{i}" for i in range(cases)],
                        "family": [f"F{i:03d}" for i in range(cases)],
                        "therapist": [f"t{j}" for j in therapist],
                        "session": session,
                        "week": float(session),
                        "alliance": rated if session in (1, 2, 3) else np.nan,
                        "phq9": first[:, k] if session == 0 else y[:, k] if session == 6 else np.nan,
                        "role": role,
                    }
                )[there]
            )
    data = pd.concat(rows, ignore_index=True)
    people = data[["client", "therapist", "role"]].drop_duplicates(ignore_index=True)
    ending = data.groupby("client")["session"].max()
    if leave is not None:
        people["ending"] = np.where(people["client"].map(ending) < 10, "dropout", "planned")
    return replace(
        BASE,
        _sessions=data.drop(columns="role"),
        _clients=people,
        covariates=("role",),
        early_window=(1, 3),
    )


@pytest.fixture(scope="module")
def study() -> al.Study:
    """Couples whose effects differ by role."""
    return couples(1, actor=(-0.6, -0.3), partner=(-0.3, 0.0), leave=0.4)


@pytest.fixture(scope="module")
def found(study: al.Study) -> al.AnalysisResult:
    return al.dyads(study, role="role")


def people_of(study: al.Study) -> pd.DataFrame:
    """Members by joins only."""
    s = study.sessions
    early = s[s["session"].between(1, 3)].groupby("client")["alliance"].mean()
    wide = s.drop_duplicates("client")[["client", "family", "therapist"]].set_index("client")
    first = s[s["session"].eq(0)].set_index("client")["phq9"]
    last = s[s["session"].eq(6)].set_index("client")["phq9"]
    wide = wide.assign(x=early, first=first, y=last).reset_index()
    other = wide[["family", "client", "x"]].merge(wide[["family", "client", "x"]], on="family")
    other = other[other["client_x"] != other["client_y"]].set_index("client_x")["x_y"]
    return wide.assign(partner=wide["client"].map(other), role=wide["client"].str[0])


def test_numbers_are_those_of_the_method_on_rows_made_by_hand(study, found) -> None:
    rows = people_of(study)
    call = {"covariates": "first", "group": "therapist"}
    apart = methods.actor_partner(rows, "y", "x", "partner", "client", "family", "role", **call)
    alike = methods.actor_partner(rows, "y", "x", "partner", "client", "family", **call)
    for role in "wm":
        for part in ("actor", "partner"):
            assert value(found, f"{part}_{role}") == pytest.approx(apart.params[f"{part}_{role}"], rel=1e-6)
            assert value(found, f"{part}_{role}", "se") == pytest.approx(
                apart.bse[f"{part}_{role}"], rel=1e-5
            )
        difference = apart.params[f"actor_{role}"] - apart.params[f"partner_{role}"]
        assert value(found, f"actor_minus_partner_{role}") == pytest.approx(difference, rel=1e-6)
    assert value(found, "actor") == pytest.approx(alike.params["actor"], rel=1e-6)
    assert value(found, "rho") == pytest.approx(apart.rho, abs=1e-5)
    assert value(found, "distinguishable", "p") == pytest.approx(apart.distinguishable_few.p, rel=1e-4)
    assert value(found, "distinguishable") == pytest.approx(apart.distinguishable_few.chi2, rel=1e-4)
    limits = alike.conf_int().loc["partner"]
    assert value(found, "partner", "ci_low") == pytest.approx(limits["lower"], rel=1e-4)


def test_the_variance_of_a_difference_holds_the_covariance(study, found) -> None:
    rows = people_of(study)
    alike = methods.actor_partner(
        rows, "y", "x", "partner", "client", "family", covariates="first", group="therapist"
    )
    v = alike.cov_params()
    wanted = np.sqrt(v.loc["actor", "actor"] + v.loc["partner", "partner"] - 2 * v.loc["actor", "partner"])
    assert value(found, "actor_minus_partner", "se") == pytest.approx(wanted, rel=1e-5)


def test_the_published_figures_of_couples(shared_data) -> None:
    """Acitelli's couples (R package dyadr): own and partner's view of the other, and satisfaction; printed with four digits."""
    frame = pd.read_csv(shared_data / "acitelli_couples_pairwise.csv")
    one = {"client": frame.index.astype(str), "family": frame["CoupleID"].astype(str), "week": 0.0}
    rated = pd.DataFrame(one | {"session": 1, "alliance": frame["OtherPos_A"], "phq9": np.nan})
    scored = pd.DataFrame(one | {"session": 2, "alliance": np.nan, "phq9": frame["Satisfaction_A"]})
    sessions = pd.concat([rated, scored], ignore_index=True)
    study = replace(
        BASE, _sessions=sessions, _clients=sessions[["client"]].drop_duplicates(), early_window=(1, 1)
    )
    result = al.dyads(study, adjust_intake=False)
    got = [value(result, n, c) for n in ("actor", "partner") for c in ("estimate", "se")] + [
        value(result, "rho")
    ]
    np.testing.assert_allclose(got, [0.4004, 0.0473, 0.2880, 0.0473, 0.4693], atol=5.1e-5)


@pytest.mark.parametrize("partner", [0.0, -0.2])
def test_the_truth_is_given_back(partner: float) -> None:
    """Six studies: means within 3.5 Monte Carlo errors (ratings have an error of .3, a hundredth of their variance)."""
    names = ["actor", "partner"]
    draws = []
    for seed in range(6):
        result = al.dyads(couples(seed, partner=(partner, partner)))
        draws.append([value(result, n) for n in names])
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
    assert (np.abs(np.mean(draws, axis=0) - [-0.4, partner]) < 3.5 * error + 0.005).all()


def test_a_split_alliance_and_the_mean_are_in_one_model() -> None:
    result = al.dyads(couples(3, split=0.5), role="role")
    assert value(result, "split") == pytest.approx(0.5, abs=3 * value(result, "split", "se"))
    assert value(result, "split", "ci_low") > 0.2
    assert value(result, "split_mean") == pytest.approx(-0.6, abs=3 * value(result, "split_mean", "se"))
    assert result.models["split"].formula.startswith("y ~ mean + split + signed + role + intake")
    assert "with members one point further apart (a split alliance), the last PHQ-9 was higher" in " ".join(
        result.answer
    )


def test_signed_differences_are_of_the_first_role_less_the_second(study, found) -> None:
    rows = people_of(study)
    wide = rows.pivot(index="family", columns="role", values="x")
    table = pd.DataFrame(
        {"mean": wide.mean(axis=1), "split": (wide["w"] - wide["m"]).abs(), "signed": wide["m"] - wide["w"]}
    )
    data = rows.merge(table, left_on="family", right_index=True)
    model = al.MixedModel.from_formula(
        "y ~ mean + split + signed + role + first + (1 | therapist/family)", data
    ).fit()
    for name, term in (("split_mean", "mean"), ("split", "split"), ("split_signed", "signed")):
        assert value(found, name) == pytest.approx(model.params[term], rel=1e-4), name
        robust = model.with_errors("CR2", "therapist").bse[term]
        assert value(found, name, "se") == pytest.approx(robust, rel=1e-3), name


def test_the_alliance_of_the_members_with_one_another() -> None:
    study = couples(4)
    sessions = study.sessions
    of = {f: k for k, f in enumerate(sessions["family"].unique())}
    shared = np.random.default_rng(4).normal(30, 5, len(of))[sessions["family"].map(of)]
    sessions["system"] = np.where(sessions["session"].between(1, 3), shared, np.nan)
    sessions.loc[sessions["session"].eq(6), "phq9"] += 0.3 * shared[sessions["session"].eq(6)]
    measure = replace(study.measures["alliance"], name="system")
    study = replace(study, _sessions=sessions, measures={**study.measures, "system": measure})
    result = al.dyads(study, system="system")
    assert value(result, "shared_purpose") == pytest.approx(
        0.3, abs=3 * value(result, "shared_purpose", "se")
    )
    assert value(result, "shared_purpose", "se") < 0.05


def test_dropout_of_cases_by_split(study, found) -> None:
    """Truth: .4 log odds per point of the split; cases leave after the window only."""
    assert value(found, "retention_split") == pytest.approx(
        0.4, abs=3 * value(found, "retention_split", "se")
    )
    assert "the odds that the case dropped out at the next session were higher (odds ratio" in " ".join(
        found.answer
    )
    assert value(found, "or_retention_split") == pytest.approx(np.exp(value(found, "retention_split")))
    rows = people_of(study)
    wide = rows.pivot(index="family", columns="role", values="x")
    last = study.sessions.groupby("family")["session"].max()
    at = [
        (f, t, float(last[f] < 10 and t == last[f] + 1))
        for f in wide.index
        for t in range(4, min(last[f] + 1, 10) + 1)
    ]
    data = pd.DataFrame(at, columns=["case", "t", "left"])
    data["split"] = data["case"].map((wide["w"] - wide["m"]).abs())
    data["mean"] = data["case"].map(wide.mean(axis=1))
    data["therapist"] = data["case"].map(rows.groupby("family")["therapist"].first())
    model = al.GeneralisedModel.from_formula(
        "left ~ t + mean + split + (1 | therapist)", data, family="binomial"
    ).fit()
    assert value(found, "retention_split") == pytest.approx(model.params["split"], rel=1e-3)
    assert value(found, "retention_mean", "n") == len(data)


def test_without_endings_dropout_is_not_analysed_and_few_dropouts_are_said() -> None:
    codes = {n.code: n.message for n in al.dyads(couples(5)).notes}
    assert codes["retention_unknown"].startswith("The study records no endings")
    rare = couples(6, leave=0.0, cases=30, therapists=6)
    rare = replace(rare, _clients=rare.clients.assign(ending="planned"))
    codes = {n.code: n.message for n in al.dyads(rare).notes}
    assert codes["few_dropouts"].startswith("Too few cases dropped out")
    assert codes["few_cases"].startswith("30 cases are few")


def with_holes(study: al.Study) -> al.Study:
    """Six couples lose one outcome, four one member, three all ratings of one member."""
    s = study.sessions
    s.loc[s["session"].eq(6) & s["client"].isin([f"w{i}" for i in range(6)]), "phq9"] = np.nan
    s.loc[s["client"].isin([f"w{i}" for i in range(20, 23)]), "alliance"] = np.nan
    return with_sessions(study, s[~s["client"].isin([f"m{i}" for i in range(10, 14)])].reset_index(drop=True))


def test_a_missing_member_is_a_choice(study) -> None:
    holes = with_holes(study)
    with pytest.raises(al.StudyError) as error:
        al.dyads(holes)
    assert str(error.value) == (
        "In 13 of 150 cases a member or a score of a member is missing. Choose what happens to them: missing='drop' leaves these "
        "cases out, missing='fiml' uses the scores that are there."
    )
    dropped = al.dyads(holes, missing="drop", role="role")
    assert dict(dropped.facts)["Cases"] == "137"
    rows = people_of(holes).dropna()
    rows = rows[rows.groupby("family")["client"].transform("size") == 2]
    wanted = methods.actor_partner(
        rows, "y", "x", "partner", "client", "family", "role", covariates="first", group="therapist"
    )
    assert value(dropped, "partner_m") == pytest.approx(wanted.params["partner_m"], rel=1e-6)
    full = al.dyads(holes, missing="fiml", role="role")
    assert dict(full.facts)["Cases"] == "150"
    wanted = methods.actor_partner(
        people_of(holes),
        "y",
        "x",
        "partner",
        "client",
        "family",
        "role",
        covariates="first",
        group="therapist",
        missing="fiml",
        few=True,
    )
    assert value(full, "partner_m") == pytest.approx(wanted.params["partner_m"], rel=1e-5)
    assert value(full, "partner_m", "se") == pytest.approx(wanted.bse["partner_m"], rel=1e-4)
    note = next(n for n in full.notes if n.code == "members_missing")
    assert (
        note.message.startswith("In 8.7 % of the cases a member or a score is missing.")
        or "%" in note.message
    )
    assert "full-information maximum likelihood" in str(full.methods)


def test_two_raters_of_one_client_are_a_case(study) -> None:
    """Adolescents and carers side by side give the numbers of the same people as clients of one family."""
    rows = study.sessions
    w, m = (rows[rows["client"].str.startswith(r)].assign(client=lambda f: f["family"]) for r in "wm")
    wide = w.merge(
        m[["client", "session", "alliance", "phq9"]], on=["client", "session"], suffixes=("", "_carer")
    )
    wide = wide.drop(columns="family").rename(columns={"alliance_carer": "given", "phq9_carer": "seen"})
    carer = {
        "given": replace(study.measures["alliance"], name="given", rater="parent"),
        "seen": replace(study.measures["phq9"], name="seen", rater="parent"),
    }
    side = replace(
        study,
        _sessions=wide,
        _clients=wide[["client", "therapist"]].drop_duplicates(),
        covariates=(),
        measures={**study.measures, **carer},
    )
    result = al.dyads(side, partner_alliance="given", partner_outcome="seen")
    direct = al.dyads(study, role="role")
    for part in ("actor", "partner"):
        assert value(result, f"{part}_client") == pytest.approx(value(direct, f"{part}_w"), rel=1e-6)
        assert value(result, f"{part}_parent") == pytest.approx(value(direct, f"{part}_m"), rel=1e-6)
    assert "The cases are clients with two raters, the client and the parent." in str(result.methods)
    other = replace(carer["seen"], instrument=replace(study.measures["phq9"].instrument, id="other"))
    apart = al.dyads(
        replace(side, measures={**side.measures, "seen": other}),
        partner_alliance="given",
        partner_outcome="seen",
    )
    ids = set(apart.estimates["id"])
    assert {"actor_client", "partner_parent", "actor_minus_partner_parent", "rho"} <= ids
    assert not {"actor", "distinguishable", "split"} & ids
    note = next(n for n in apart.notes if n.code == "different_scales")
    assert note.message.startswith("The two members filled in different questionnaires")
    for options, message in (
        ({"partner_alliance": "given"}, "Give partner_alliance and partner_outcome together, or neither."),
        ({"partner_alliance": "alliance", "partner_outcome": "seen"}, "are both rated by the client"),
        (
            {"partner_alliance": "given", "partner_outcome": "seen", "role": "role"},
            "the raters are the roles. Take it out.",
        ),
    ):
        with pytest.raises(al.StudyError, match=message):
            al.dyads(side, **options)


def test_families_of_three_use_the_mean_of_the_others(study) -> None:
    s = study.sessions
    some = [f"F{i:03d}" for i in range(30)]
    third = s[s["client"].str.startswith("w") & s["family"].isin(some)]
    third = third.assign(
        client="k" + third["client"].str[1:], alliance=third["alliance"] - 3, phq9=third["phq9"] + 1
    )
    more = pd.concat([s, third], ignore_index=True)
    people = more[["client", "therapist"]].drop_duplicates(ignore_index=True)
    result = al.dyads(replace(study, _sessions=more, _clients=people))
    note = next(n for n in result.notes if n.code == "larger_cases")
    assert note.message.startswith("30 cases have more than two members.")
    with_role = replace(
        study, _sessions=more, _clients=people.assign(role=people["client"].str[0].replace("k", "m"))
    )
    kept = al.dyads(with_role, role="role", missing="drop")
    assert dict(kept.facts)["Cases"] == "120"
    assert any("two members with the same role" in step.reason for step in kept.flow.steps)
    told = al.dyads(replace(study, _sessions=more, _clients=people), missing="fiml")
    assert "missing='fiml' needs cases of two members" in told.answer[0]


def test_groups_of_whole_cases_are_compared(study) -> None:
    arm = study.clients["client"].str[1:].astype(int) % 2
    armed = replace(study, _clients=study.clients.assign(arm=np.where(arm == 0, "A", "B")))
    result = al.dyads(armed, by="arm", covariates=("arm",))
    assert {"actor_A", "actor_B", "actor_B_difference", "partner_B_difference"} <= set(result.estimates["id"])
    with pytest.raises(
        al.StudyError, match=r"members of one case differ in role\. Compare groups of whole cases"
    ):
        al.dyads(study, by="role")


def test_wrong_requests_and_too_little_data(study, clinic: al.Study) -> None:
    with pytest.raises(
        al.StudyError,
        match=r"'sex' is not a covariate of clients with two categories\. Choose one of: role\.",
    ):
        al.dyads(study, role="sex")
    with pytest.raises(al.StudyError, match="Parameter 'missing'"):
        al.dyads(study, missing="mean")
    assert "names no couples or families" in al.dyads(clinic).answer[0]
    s = study.sessions
    few = with_sessions(study, s[s["family"].isin([f"F{i:03d}" for i in range(15)])].reset_index(drop=True))
    assert "15 cases have outcome scores of two members" in al.dyads(few).answer[0]
    equal = with_sessions(study, s.assign(alliance=s["alliance"].where(s["alliance"].isna(), 40.0)))
    assert "The ratings of WAI-SR do not differ" in al.dyads(equal).answer[0]


def test_without_therapists_and_with_few_of_them(study) -> None:
    s = study.sessions.drop(columns="therapist")
    alone = replace(study, _sessions=s, _clients=study.clients.drop(columns="therapist"))
    result = al.dyads(alone)
    assert dict(result.facts)["Therapists"] == "not known"
    rows = people_of(study)
    wanted = methods.actor_partner(rows, "y", "x", "partner", "client", "family", covariates="first")
    assert value(result, "actor") == pytest.approx(wanted.params["actor"], rel=1e-6)
    two = with_sessions(
        study,
        study.sessions.assign(
            therapist=lambda f: "t" + f["family"].str[-1].isin(list("01")).astype(int).astype(str)
        ),
    )
    note = next(n for n in al.dyads(two).notes if n.code == "no_therapist_level")
    assert note.message.startswith("Too few therapists have two or more cases")


def test_the_answer_and_both_audiences(study, found) -> None:
    assert found.answer[0].startswith(
        "Outcome of m: with one more point of the member's own early WAI-SR, the last PHQ-9 was lower ("
    )
    assert any(s.startswith("The roles differ (likelihood-ratio test") for s in found.answer)
    shown = al.dyads(study, role="role", audience="shareable")
    assert dict(shown.facts)["Cases"] == "About 150"
    assert list(shown.estimates["id"]) == list(found.estimates["id"])
    before = study.sessions
    al.dyads(study)
    pd.testing.assert_frame_equal(before, study.sessions)
