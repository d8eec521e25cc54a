"""The public data sets of ``public.json``: lme4, lmerTest, pbkrtest and clubSandwich at one polished optimum."""

import json
from functools import cache
from typing import Any

import pandas as pd

import alliance_longitudinal as al
from reference.catalogue import HERE, SCRATCH, SHARED, by_term, figures, term_of
from reference.figures import Figure, Table, Topic, beside, where_at_hand
from reference.topics.lme4_models import TOLERANCE, described

#: Files that are not named as the data.
FILES = {
    "exam": "Exam",
    "chem97": "Chem97",
    "btheb": "BtheB",
    "math_achieve": "MathAchieve",
    "insteval": "InstEval",
}
#: Groups as text: numbers of subjects are names.
TYPES = {"Subject": str, "subject": str, "therapist": str, "client": str, "rat": str, "mare": str}
#: Of pbkrtest and clubSandwich: both are exact functions of lme4's variances, which are good to 1e-5.
SMALL_SAMPLE = 2e-5


@cache
def known() -> dict[str, Any]:
    """``versions``, ``models`` and ``profile`` as written by make_public.R."""
    return dict(json.loads((HERE / "public.json").read_text(encoding="utf-8")))


def model_named(name: str) -> dict[str, Any]:
    """One model of the reference."""
    return next(model for model in known()["models"] if model["name"] == name)


def rows(data: str) -> pd.DataFrame:
    """A data set, from the repository, from beside it, or from what make_public.R wrote here.

    Raises
    ------
    FileNotFoundError
        It is not on this machine.
    """
    name = f"{FILES.get(data, data)}.csv"
    folders = (HERE / "small", SHARED, SCRATCH)
    path = next((folder / name for folder in folders if (folder / name).exists()), SCRATCH / name)
    frame = pd.read_csv(path, dtype=TYPES)
    if data == "orthodont":  # boys are the reference
        frame["sex"] = pd.Categorical(frame["sex"], ["Male", "Female"])
    return frame


@cache
def stated(name: str) -> al.MixedModel:
    """The model, not fitted."""
    model = model_named(name)
    return al.MixedModel.from_formula(model["formula"], rows(model["data"]), crossed=True)


@cache
def fitted(name: str, kind: str = "satterthwaite") -> al.MixedModelResults:
    """A fit with Satterthwaite's or Kenward and Roger's degrees of freedom, with CR2 errors, or by ML ("ml")."""
    model = model_named(name)
    if kind == "ml":
        return stated(name).fit(reml=False)
    if kind == "cr2":
        return stated(name).fit(cov_type="CR2", cov_groups=model["cr2"]["clusters"])
    return stated(name).fit(reml=model["reml"], df=kind)


def table(model: dict[str, Any]) -> Table:
    """Every figure of one model."""
    name, versions = model["name"], known()["versions"]
    result = fitted(name)
    found = figures(model, result)
    for key, kind, program in (("kr", "kenward-roger", "pbkrtest"), ("cr2", "cr2", "clubSandwich")):
        if model.get(key):
            found += _small_sample(
                model[key], fitted(name, kind), key.upper(), f"{program} {versions[program]}"
            )
    if model.get("joint"):
        found += _joint(model["joint"], name)
    program = f"lme4 {versions['lme4']}, lmerTest {versions['lmerTest']}"
    return Table(name, described(model, result), program, tuple(found))


def _small_sample(
    theirs: dict[str, Any], ours: al.MixedModelResults, label: str, program: str
) -> list[Figure]:
    terms = by_term(ours)
    found = []
    for column, values in (("se", ours.bse), ("df", ours.df)):
        order = [terms[term_of(term)] for term in theirs[column]]
        names = [f"{term}: {label} {'SE' if column == 'se' else 'df'}" for term in order]
        found += beside(names, theirs[column].values(), values[order], rtol=SMALL_SAMPLE, program=program)
    return found


def _joint(theirs: dict[str, Any], name: str) -> list[Figure]:
    versions, found = known()["versions"], []
    for key, kind, program in (
        ("satterthwaite", "satterthwaite", "lmerTest"),
        ("kr", "kenward-roger", "pbkrtest"),
    ):
        result = fitted(name, kind)
        terms = by_term(result)
        test = result.f_test([{terms[term_of(term)]: 1.0} for term in theirs["terms"]])
        label = "Kenward-Roger" if key == "kr" else "Satterthwaite"
        mine = {"f": test.statistic, "df_den": test.df_den, "scale": test.scale}
        names = [f"joint test, {label}: {figure}" for figure in theirs[key]]
        # lmerTest's denominator rests on numerical derivatives.
        rtol = 2e-4 if key == "satterthwaite" else 5 * SMALL_SAMPLE
        found += beside(
            names,
            theirs[key].values(),
            [mine[k] for k in theirs[key]],
            rtol=rtol,
            program=f"{program} {versions[program]}",
        )
    return found


def topic() -> Topic:
    """Every model whose rows are here."""
    tables, absent = where_at_hand(known()["models"], lambda model: str(model["name"]), table)
    return Topic(
        "Public data sets, with small-sample corrections",
        f"lme4 on R {known()['versions']['R']}, polished, then lmerTest, pbkrtest (Kenward-Roger) and clubSandwich (CR2) "
        "at that optimum (`make_public.R`).",
        f"{TOLERANCE} Kenward-Roger and CR2 are exact functions of the variances: {SMALL_SAMPLE:g} of their value, five "
        "times that in a joint test.",
        tables,
        absent,
    )
