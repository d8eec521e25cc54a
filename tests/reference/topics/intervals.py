"""Profile intervals of lme4, tests of variances of RLRsim (``profile.json``) and shares of performance (``shares.json``)."""

import json
from typing import Any

import numpy as np

import alliance_longitudinal as al
from engine.test_profile import LME4, REFERENCE, renamed, small
from engine.test_variance_tests import fit as crossed_fit
from reference.figures import Figure, Table, Topic, beside, where_at_hand
from reference.topics import public_data

#: Share of an interval's width: lme4 interpolates between points of its grid.
OF_WIDTH = 1e-4
#: Why a limit is not lme4's; tests/reference/test_public.py repeats the search.
REASONS = {
    (
        "BtheB, slopes: profile",
        "sd(Intercept)|subject: lower limit",
    ): "lme4 interpolates on its default grid; by a search "
    "apart from this engine the deviance rises by 3.8415 at ours, as it should",
}


def _limits(model: dict[str, Any], result: al.MixedModelResults) -> list[Figure]:
    ours = result.conf_int(method="profile").loc[[renamed(name) for name in model["parameters"]]]
    found = []
    for name, lower, upper, theirs in zip(
        ours.index,
        ours["lower"],
        ours["upper"],
        zip(model["lower"], model["upper"], strict=True),
        strict=True,
    ):
        tolerance = OF_WIDTH * (upper - lower)
        for end, mine, value in zip(("lower", "upper"), (lower, upper), theirs, strict=True):
            # Where lme4's profile ends before the cut, it has no limit.
            if value is not None and np.isfinite(float(value)):
                found.append(Figure(f"{name}: {end} limit", float(value), float(mine), tolerance))
    return found


def _profiles(program: str) -> list[Table]:
    tables = []
    for model in LME4["profiles"]:
        result = al.MixedModel.from_formula(model["formula"], small(model["data"]), crossed=True).fit(
            reml=False
        )
        found = [
            Figure("criterion", model["deviance"], result.deviance, 1e-6),
            *_limits(model, result),
        ]
        tables.append(Table(f"{model['data']}: profile", f"`{model['formula']}`, ML.", program, tuple(found)))
    return tables


def _trial(name: str) -> Table:
    model = public_data.known()["profile"]
    found = _limits(model, public_data.fitted(name))
    program = f"lme4 {public_data.known()['versions']['lme4']}, its default grid"
    return Table("BtheB, slopes: profile", f"`{model['formula']}`, ML.", program, tuple(found))


def _tests(program: str) -> list[Table]:
    tables = []
    for test in LME4["tests"]:
        rows = crossed_fit(test["full"], small(test["data"])).variance_tests("exact", n_sim=20_000, seed=1)
        row = rows.iloc[int(np.argmin(np.abs(rows["statistic"] - test["statistic"])))]
        # Ours from 20,000 draws; with other effects RLRsim takes them, and we their relative variance, as known.
        spread = 5 * np.sqrt(test["p"] / 20_000) if test["null"] is None else 0.02
        found = (
            Figure("restricted likelihood ratio", test["statistic"], float(row["statistic"]), 2e-5),
            Figure("p", test["p"], float(row["p"]), spread),
        )
        tables.append(
            Table(f"{test['data']}: test of a variance", f"`{test['full']}`, REML.", program, found)
        )
    return tables


def _shares() -> list[Table]:
    known = json.loads((REFERENCE / "shares.json").read_text(encoding="utf-8"))
    tables = []
    for model in known["models"]:
        result = al.MixedModel.from_formula(model["formula"], small(model["data"]), crossed=True).fit()
        icc = result.icc().set_index("group")["icc"]
        found = beside(
            ["R2, marginal", "R2, conditional"],
            [model["marginal"], model["conditional"]],
            result.r2(),
            0,
            1e-6,
        )
        found += beside(["ICC, all groups"], [model["adjusted"]], [icc.drop("Residual").sum()], 0, 1e-6)
        groups = model["groups"] or {}
        found += beside([f"ICC, {g}" for g in groups], groups.values(), [icc[g] for g in groups], 0, 1e-6)
        program = f"performance {known['versions']['performance']}"
        tables.append(
            Table(f"{model['data']}: shares", f"`{model['formula']}`, REML.", program, tuple(found))
        )
    return tables


def topic() -> Topic:
    """Profiles, tests and shares."""
    versions = LME4["versions"]
    trial, absent = where_at_hand(["BtheB, slopes, ML"], str, _trial)
    return Topic(
        "Profile intervals, tests of variances, shares of variance",
        f"lme4's profiles on R {versions['R']} with a fine grid, RLRsim's restricted likelihood-ratio tests with 100,000 draws "
        "(`make_profile.R`), performance's R2 and ICC (`make_shares.R`).",
        f"{OF_WIDTH:g} of an interval's width, because lme4 interpolates between grid points; p values within five Monte "
        "Carlo errors, or 0.02 where the two approximate differently; 1e-6 in a share.",
        (*_profiles(f"lme4 {versions['lme4']}"), *trial, *_tests(f"RLRsim {versions['RLRsim']}"), *_shares()),
        absent,
    )
