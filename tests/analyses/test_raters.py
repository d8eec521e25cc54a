"""Raters of the alliance: numbers against the methods on the same rows, simulated truths, and what the report says without an answer."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import alliance_longitudinal as al
from alliance_longitudinal import methods
from alliance_longitudinal.analyses.kit import Draft
from alliance_longitudinal.data import simulated_study
from alliance_longitudinal.simulation import ClinicTruth
from analyses.declared import with_covariates
from analyses.studies import value, with_sessions
from inside.analyses_raters import Surface, surface_tables

#: Therapists differ enough for their correlations to be estimated; without halo the therapist follows at .5 at every level.
BASE = {"alliance_therapist_sd": 4.0, "therapist_rating_style_sd": 3.0}
SIZE = {"therapists": 16, "clients": 200}
ALL = ("therapist", "clinician")


def clinic(seed: int, raters: tuple[str, ...] = ALL, **truth: float) -> al.Study:
    """Totals without errors of items, so that a session's rating is what was felt."""
    return simulated_study(seed, ClinicTruth(**{**SIZE, **BASE, **truth}), items=False, raters=raters)


def alone(study: al.Study) -> al.Study:
    """The study without therapists, which is quicker where they do not matter."""
    return replace(
        study,
        _sessions=study.sessions.drop(columns="therapist"),
        _clients=study.clients.drop(columns="therapist"),
    )


def codes(result: al.AnalysisResult) -> set[str]:
    return {n.code for n in result.notes}


@pytest.fixture(scope="module")
def study() -> al.Study:
    return clinic(1, halo_alliance=3.0, halo_symptoms=2.0)


@pytest.fixture(scope="module")
def found(study: al.Study) -> al.AnalysisResult:
    return al.raters(study)


@pytest.fixture(scope="module")
def rows(study: al.Study) -> pd.DataFrame:
    """Sessions that both rated."""
    columns = ["client", "therapist", "session", "alliance", "alliance_therapist"]
    return study.sessions[columns].dropna().rename(columns={"alliance": "c", "alliance_therapist": "t"})


def test_gap_and_tracking_are_those_of_the_mixed_model_on_the_same_rows(found, rows) -> None:
    center, mean = rows["c"].mean(), rows.groupby("client")["c"].transform("mean")
    data = rows.assign(
        y=rows["t"] - center,
        within=rows["c"] - mean,
        between=mean - center,
        time=rows["session"] - rows["session"].mean(),
    )
    formula = "y ~ within + between + time + (1 + within | therapist/client)"
    direct = al.MixedModel.from_formula(formula, data).fit()
    limits = direct.conf_int()
    for name, term in {
        "gap": "Intercept",
        "gap_change": "time",
        "tracking_within": "within",
        "tracking_between": "between",
    }.items():
        assert value(found, name) == pytest.approx(direct.params[term], rel=1e-6)
        assert value(found, name, "ci_low") == pytest.approx(limits.loc[term, "lower"], rel=1e-5)
    sd = np.sqrt((rows["c"].var() + rows["t"].var()) / 2)
    assert value(found, "gap_d") == pytest.approx(value(found, "gap") / sd)
    assert (
        "When the client rated a session one point higher than usual, the therapist's rating was higher ("
        in found.answer[2]
    )
    assert "The therapist rated the alliance lower than the client, by" in found.answer[0]
    assert "Igra et al. 2020" in found.answer[1]


def test_without_therapists_it_is_truth_and_bias() -> None:
    study = alone(clinic(2, clients=90))
    result = al.raters(study)
    pairs = study.sessions.dropna(subset=["alliance", "alliance_therapist"])
    direct = methods.truth_and_bias(pairs, "alliance_therapist", "alliance", person="client", time="session")
    for name, term in (
        ("gap", "directional"),
        ("tracking_within", "tracking_within"),
        ("tracking_between", "tracking_between"),
        ("gap_change", "time"),
    ):
        assert value(result, name) == pytest.approx(direct.params[term], abs=2e-3)
        assert value(result, name, "se") == pytest.approx(direct.bse[term], rel=0.02)
    assert "no_therapist_level" in codes(result)
    assert "recip_general" not in set(result.estimates["id"])
    assert "Therapists" not in dict(result.facts) or dict(result.facts)["Therapists"] == "not known"


def test_the_simulated_truth_comes_back(found) -> None:
    """Five clinics without halo. The therapist's rating has slope .5 on the felt alliance and lies 3 points lower at its mean 43."""
    tables = []
    for seed in range(11, 16):
        study = alone(clinic(seed, raters=("therapist",), therapist_rating_style_sd=0.0))
        felt = study.sessions.dropna(subset=["alliance", "alliance_therapist"])["alliance"].mean()
        result = al.raters(study)
        tables.append(result.estimates.set_index("id")["estimate"])
        tables[-1]["off"] = value(result, "gap") - (-3 - 0.5 * (felt - 43))
    table = pd.DataFrame(tables)
    mean, error = table.mean(), table.std() / np.sqrt(len(table))
    # Rounding to whole points adds 1/12 to variances: under 1 % of the tracking.
    assert mean["tracking_within"] == pytest.approx(0.5, abs=0.005 + 3.5 * error["tracking_within"])
    assert mean["tracking_between"] == pytest.approx(0.5, abs=0.02 + 3.5 * error["tracking_between"])
    assert abs(mean["off"]) < 3.5 * error["off"]
    assert error["tracking_within"] < 0.03
    # With halo: therapists' true correlation is .5 * 4^2 / (4 sqrt(.5^2 4^2 + 3^2)) = .55, and its interval is wide.
    row = found.estimates.set_index("id").loc["recip_general"]
    assert row["ci_low"] < 0.55 < row["ci_high"]
    # Sessions: felt 3, halo 3 sqrt(.5); the therapist's error 4: .5 * 9 / sqrt((9 + 4.5) (.25 * 9 + 16)) = .29 at least, for more is
    # shared where the alliance follows improvement.
    assert 0.27 < value(found, "recip_session") < 0.42


def test_reciprocities_are_those_of_one_with_many(found, rows) -> None:
    ids = rows[["client", "therapist", "session"]]
    long = pd.concat(
        [ids.assign(role="client", rating=rows["c"]), ids.assign(role="therapist", rating=rows["t"])]
    )
    direct = methods.one_with_many(long, "rating", "role", "therapist", "client", "session")
    for name in ("recip_dyadic", "recip_general", "recip_session"):
        assert value(found, name) == pytest.approx(direct.params[name], abs=1e-3)
    low, high = direct.profile("recip_dyadic")
    assert value(found, "recip_dyadic", "ci_low") == pytest.approx(low, abs=2e-3)
    assert value(found, "recip_dyadic", "ci_high") == pytest.approx(high, abs=2e-3)
    shares = found.table("variances").to_frame()
    np.testing.assert_allclose(shares[["s_0", "s_1"]].sum(), 1)
    np.testing.assert_allclose(shares["v_0"], direct.variances["client"], rtol=1e-3)


def by_hand(study: al.Study, outcomes: tuple[str, ...] = ("phq9", "phq9_clinician")) -> pd.DataFrame:
    """Early means, and scores at and after the end of the window, improvement positive."""
    s = study.sessions.sort_values(["client", "session"])
    early, late = s[s["session"].between(1, 5)], s[s["session"] > 5]
    upto = s[s["session"] <= 5]
    out = early.groupby("client")[["alliance", "alliance_therapist"]].mean()
    out["therapist"] = s.groupby("client")["therapist"].first()
    for name in outcomes:
        out[f"start_{name}"] = upto.groupby("client")[name].last()
        out[f"end_{name}"] = -late.groupby("client")[name].last()
    out = out.dropna()
    return out[out.groupby("therapist")["alliance"].transform("size") >= 2].reset_index()


def test_sources_are_those_of_the_method_on_the_same_clients(study, found) -> None:
    frame = by_hand(study)
    direct = methods.by_source(
        frame,
        {"client": "alliance", "therapist": "alliance_therapist"},
        {"client": "end_phq9", "clinician": "end_phq9_clinician"},
        ["start_phq9", "start_phq9_clinician"],
        group="therapist",
    )
    limits = direct.conf_int()
    for name, term in {
        "same_source": "same",
        "cross_source": "cross",
        "source_difference": "difference",
        "cross_source_corrected": "corrected",
        "source_therapist_clinician": "r_therapist_clinician",
        "agreement_alliance": "agreement_x",
        "agreement_outcome": "agreement_y",
    }.items():
        assert value(found, name) == pytest.approx(direct.params[term])
        assert value(found, name, "ci_high") == pytest.approx(limits.loc[term, "upper"])
    # The corrected number rests on both correlations between raters, and the answer gives both.
    told = next(a for a in found.answer if "the mean of these two could be up to about" in a)
    assert told.startswith(
        "With the alliance rated by the therapist and the outcome by the client, the correlation was"
    )
    assert f"{value(found, 'source_therapist_client'):.2f}"[-3:] in told
    centred = {
        name: frame[name] - frame.groupby("therapist")[name].transform("mean")
        for name in ("alliance", "alliance_therapist")
    }
    sides = [
        frame.assign(side=side, y=frame[y], x=centred[x], partner=centred[z], person=frame["client"] + side)
        for side, y, x, z in (
            ("c", "end_phq9", "alliance", "alliance_therapist"),
            ("t", "end_phq9_clinician", "alliance_therapist", "alliance"),
        )
    ]
    starts = ["start_phq9", "start_phq9_clinician"]
    both = methods.actor_partner(
        pd.concat(sides),
        "y",
        "x",
        "partner",
        "person",
        "client",
        "side",
        covariates=starts,
        group="therapist",
    )
    for name in ("actor_c", "partner_c", "actor_t", "partner_t"):
        assert value(found, name) == pytest.approx(both.params[name], rel=1e-4, abs=1e-6)
        assert value(found, name, "se") == pytest.approx(both.bse[name], rel=1e-3)
    assert value(found, "roles_differ_p") == pytest.approx(both.distinguishable_few.p, abs=1e-4)


def test_with_one_outcome_both_raters_are_in_a_mixed_model() -> None:
    study = clinic(7, clients=120, raters=("therapist",))
    result = al.raters(study)
    frame = by_hand(study, ("phq9",))
    for name in ("alliance", "alliance_therapist"):
        frame[f"{name}_w"] = frame[name] - frame.groupby("therapist")[name].transform("mean")
    formula = "end_phq9 ~ alliance_w + alliance_therapist_w + start_phq9 + (1 | therapist)"
    model = al.MixedModel.from_formula(formula, frame).fit()
    assert value(result, "actor_c") == pytest.approx(model.params["alliance_w"], rel=1e-4, abs=1e-6)
    assert value(result, "partner_c") == pytest.approx(
        model.params["alliance_therapist_w"], rel=1e-4, abs=1e-6
    )
    assert "actor_t" not in set(result.estimates["id"])
    assert "one_outcome_rater" in codes(result)


def test_a_halo_of_the_client_raises_the_same_source_only() -> None:
    """A = a + h and Y = y + h': what the client adds to early alliance and to later symptoms is in the same-source row only."""
    plain = alone(clinic(21))
    sessions = plain.sessions
    halo = dict(zip(sessions["client"].unique(), np.random.default_rng(1).normal(size=200), strict=True))
    h = sessions["client"].map(halo).astype(float)
    sessions["alliance"] += 5 * h
    sessions["phq9"] -= (3 * h).where(sessions["session"] > 5, 0)
    before, after = al.raters(plain), al.raters(with_sessions(plain, sessions))
    assert value(after, "same_source") > value(before, "same_source") + 0.15
    assert value(after, "cross_source") < value(before, "cross_source")
    assert value(after, "source_difference", "ci_low") > 0
    # The halo lowers the cross-source correlation by what raters no longer see alike; the correction takes that back.
    assert value(after, "agreement_alliance") < value(before, "agreement_alliance")
    assert value(after, "cross_source_corrected") == pytest.approx(
        value(before, "cross_source_corrected"), abs=0.12
    )
    assert "With alliance and outcome both rated by the client, their correlation was" in " ".join(
        after.answer
    )


def test_the_surface_is_least_squares_where_there_are_no_therapists(study) -> None:
    result = al.raters(alone(study), outcome="phq9")
    frame = by_hand(study)
    middle = frame[["alliance", "alliance_therapist"]].to_numpy().mean()
    x, z = frame["alliance"] - middle, frame["alliance_therapist"] - middle
    data = frame.assign(x=x, z=z)
    fit = smf.ols(
        "end_phq9 ~ x + z + I(x**2) + I(x*z) + I(z**2) + start_phq9 + start_phq9_clinician", data
    ).fit()
    b, v = fit.params.iloc[:6], fit.cov_params().iloc[:6, :6]
    direct = methods.response_surface(b.to_numpy(), v.to_numpy(), dof=fit.df_resid)
    for name in ("a1", "a2", "a3", "a4", "a5"):
        assert value(result, name) == pytest.approx(direct.params[name], rel=1e-6)
        assert value(result, name, "ci_low") == pytest.approx(direct.conf_int().loc[name, "lower"], rel=1e-6)
    assert direct.congruence == ("compatible with the view that agreement" in " ".join(result.answer))


@pytest.mark.parametrize(("bend", "held"), [(1.0, "yes"), (0.01, "not known")])
def test_a_ridge_that_nobody_can_place_has_no_numbers(study, bend, held) -> None:
    """The less a surface bends, the less is known of its ridge."""
    b, v = np.array([10, 0.0, 0.0, -bend, 2 * bend, -bend]), np.diag([0.1] + [0.01] * 5)
    draft = Draft(study)
    surface_tables(draft, [], Surface(methods.response_surface(b, v), None, 300))
    table = draft.tables[-1].to_frame().set_index("what")
    ridge = table.loc["The ridge lies where both ratings are equal"]
    assert ridge["held"] == held
    assert pd.isna(ridge["value"]) == (held == "not known")


def test_congruence_is_claimed_only_if_it_is_there(study) -> None:
    """Outcome made worse by the squared difference of the ratings: all four conditions hold, and the report warns of them."""
    sessions = study.sessions
    early = sessions[sessions["session"].between(1, 5)].groupby("client")[["alliance", "alliance_therapist"]]
    apart = early.mean().diff(axis=1).iloc[:, -1]
    rng = np.random.default_rng(1)
    late = sessions["session"] > 5
    made = 3 + 0.05 * sessions["client"].map(apart).astype(float) ** 2 + rng.normal(0, 1, len(sessions))
    sessions.loc[late, "phq9"] = made[late]
    result = al.raters(with_sessions(study, sessions))
    assert "compatible with the view that agreement itself matters" in result.answer[-1]
    assert "congruence_is_weak" in codes(result)
    assert set(result.table("congruence").to_frame()["held"]) == {"yes"}
    assert value(result, "a4", "ci_high") < 0
    assert {"a4_clustered", "a3_clustered"} <= set(result.estimates["id"])


def test_what_the_gap_depends_on(study) -> None:
    declared = with_covariates(study)
    sessions, therapists = declared.sessions, declared.therapists
    years = sessions["therapist"].map(therapists.set_index("therapist")["experience"])
    sessions["alliance_therapist"] += 0.3 * years.astype(float)
    sessions["alliance_therapist"] += 4.0 * sessions["client"].map(
        declared.clients.set_index("client")["arm"].eq("IPT")
    ).astype(float)
    planted = with_sessions(declared, sessions)
    result = al.raters(planted, moderators=["experience", "arm", "session"])
    for name, truth in (("gap_by_experience", 0.3), ("gap_by_arm_IPT", 4.0)):
        row = result.estimates.set_index("id").loc[name]
        assert abs(row["estimate"] - truth) < 3.5 * row["se"]
        assert row["se"] < truth
    ids = set(result.estimates["id"])
    levels = result.estimates.set_index("id")["level"]
    assert levels[["gap_by_experience", "gap_by_arm_IPT", "tracking_by_session"]].tolist() == [
        "therapist",
        "client",
        "session",
    ]
    assert {"tracking_by_experience", "tracking_by_arm_IPT", "tracking_by_session"} <= ids
    assert (
        value(result, "tracking_by_experience", "ci_low")
        < 0
        < value(result, "tracking_by_experience", "ci_high")
    )
    with pytest.raises(
        al.StudyError, match="Parameter 'moderators': the study has no covariate 'experiance'"
    ):
        al.raters(planted, moderators="experiance")


def test_groups_and_covariates(study) -> None:
    declared = with_covariates(study)
    result = al.raters(declared, covariates="age", by="arm")
    ids = set(result.estimates["id"])
    assert {"gap_CBT", "gap_IPT", "gap_IPT_difference", "tracking_within_IPT_difference"} <= ids
    low, high = (value(result, "gap_IPT_difference", k) for k in ("ci_low", "ci_high"))
    assert low < value(result, "gap_IPT") - value(result, "gap_CBT") < high
    assert "cov_age" in result.models["gap"].params.index
    assert dict(result.facts)["Adjusted for"] == "age"


def with_form(study: al.Study, name: str, **changes: object) -> al.Study:
    """The therapist's form is another questionnaire."""
    measure = study.measures["alliance_therapist"]
    form = replace(measure.instrument, id=name, label=name.upper(), **changes)
    measures = {**study.measures, "alliance_therapist": replace(measure, instrument=form)}
    return replace(study, measures=measures)


def test_forms_with_other_items_give_no_gap_and_no_surface(study) -> None:
    other = with_form(study, "wai_t")
    result = al.raters(other)
    study = alone(study)
    ids = set(result.estimates["id"])
    assert not ids & {"gap", "gap_d", "gap_change", "difference_change", "a4"}
    assert {"tracking_within", "recip_dyadic", "same_source"} <= ids
    note = next(n for n in result.notes if n.code == "not_commensurable")
    assert note.message.startswith(
        "WAI-SR (client) and WAI_T (therapist) are different forms, so equal numbers may not mean the same. The report gives neither"
    )
    stated = al.raters(with_form(study, "wai_t"), items="stated")
    assert value(stated, "gap") < 0
    with pytest.raises(al.StudyError, match="cannot have the same items, because the number of items is 12"):
        al.raters(with_form(study, "wai_t", n_items=10), items="stated")
    form, client = with_form(study, "wai_t"), study.measures["alliance"]
    unknown = replace(client, instrument=replace(client.instrument, response_max=None))
    unknown_range = replace(form, measures={**form.measures, "alliance": unknown})
    with pytest.raises(al.StudyError, match=r"the highest answer of WAI-SR \(client\) is not known"):
        al.raters(unknown_range, items="stated")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"raters": "mother"},
            r"has no alliance measure or rater 'mother'. It has: alliance \(client\), alliance_therapist",
        ),
        ({"raters": ("client", "therapist", "client")}, "Parameter 'raters': give two raters, not 3"),
        (
            {"raters": ("client", "alliance")},
            "alliance and alliance are both by the client. Compare two different raters",
        ),
        (
            {"raters": ("therapist", "client"), "alliance": "alliance"},
            "begins with 'alliance_therapist', but 'alliance' is 'alliance'",
        ),
        ({"items": "same"}, "Parameter 'items'"),
        ({"outcome": "bdi"}, "no symptoms measure 'bdi'"),
        ({"by": "arm"}, "Parameter 'by'"),
    ],
)
def test_wrong_requests_are_refused(study, options: dict, message: str) -> None:
    with pytest.raises(al.StudyError, match=message):
        al.raters(study, **options)


def test_raters_by_kind_and_the_other_way_round(study, found) -> None:
    small = alone(clinic(3, clients=100, raters=("therapist", "observer")))
    result = al.raters(small, raters=("observer", "client"))
    assert result.parameters["raters"] == ["alliance_observer", "alliance"]
    assert "The client rated the alliance" in result.answer[0] or "did not clearly differ" in result.answer[0]
    assert "Igra" not in " ".join(result.answer)
    # The client rated the outcome, and is the second rater of the alliance here.
    assert value(result, "same_source") == value(result, "source_client_client")
    assert value(result, "cross_source") == value(result, "source_observer_client")
    neither = al.raters(small, raters=("observer", "therapist"))
    assert "no_same_source" in codes(neither)
    assert found.parameters["raters"] == ["alliance", "alliance_therapist"]


def test_one_rater_is_a_report_that_says_so() -> None:
    result = al.raters(simulated_study(1, ClinicTruth(therapists=6, clients=40)))
    assert result.status["code"] == "underpowered"
    assert "Only one rater (client) rated the alliance in this study" in result.answer[0]
    assert result.estimates.empty


def test_too_few_clients_equal_ratings_and_single_sessions() -> None:
    study = clinic(4, clients=80)
    sessions = study.sessions
    few = sessions.copy()
    few.loc[few["client"].isin(sorted(few["client"].unique())[15:]), "alliance_therapist"] = np.nan
    result = al.raters(with_sessions(study, few))
    assert "15 clients can be analysed; the comparison of raters needs at least 20" in result.answer[0]
    flat = al.raters(with_sessions(study, sessions.assign(alliance_therapist=40.0)))
    assert "All ratings by the therapist are equal" in flat.answer[0]
    once = sessions.copy()
    once.loc[once["session"] != 3, "alliance_therapist"] = np.nan
    single = al.raters(with_sessions(study, once))
    assert "no_several_sessions" in codes(single)
    ids = set(single.estimates["id"])
    assert {"gap", "tracking_between"} <= ids
    assert not ids & {"tracking_within", "gap_change", "recip_session"}


def test_few_therapists_few_outcomes_and_raters_who_disagree() -> None:
    study = clinic(5, therapists=8, clients=90, raters=("therapist",))
    sessions = study.sessions
    rng = np.random.default_rng(1)
    sessions["alliance_therapist"] = rng.integers(20, 60, len(sessions)).astype(float)
    result = al.raters(with_sessions(study, sessions))
    assert {"not_clustered", "one_outcome_rater", "raters_disagree", "recip_not_determined"} <= codes(result)
    # Ratings by chance: nothing is known of what therapists' means have in common, and no number is given.
    assert "recip_general" not in set(result.estimates["id"])
    note = next(n for n in result.notes if n.code == "recip_not_determined")
    assert "therapists go together: almost any correlation is compatible" in note.message
    small = al.raters(alone(clinic(8, therapists=9, clients=48)))
    assert "few_for_surface" in codes(small)
    assert "a4" not in set(small.estimates["id"])
    assert "same_source" in set(small.estimates["id"])
    lost = sessions.copy()
    lost.loc[lost["session"] > 5, "phq9"] = np.nan
    none = al.raters(alone(with_sessions(study, lost)))
    assert "few_for_sources" in codes(none)
    assert "same_source" not in set(none.estimates["id"])
    without = replace(study, measures={k: m for k, m in study.measures.items() if m.construct == "alliance"})
    assert "no_outcome" in codes(al.raters(alone(without)))


def test_both_audiences_and_the_study_is_unchanged(study) -> None:
    kept = study.sessions.copy()
    al.raters(alone(study))
    pd.testing.assert_frame_equal(study.sessions, kept)
    shared = al.raters(study, audience="shareable")
    assert [t.name for t in shared.tables][1:3] == ["gap", "sources"]
    assert list(shared.figures) == ["difference", "sources"]
    assert shared.estimates["n"].dropna().mod(10).isin([0]).mean() > 0.5
    assert "cross-source" in shared.table("sources").note
