"""The figures of ``printed.toml``: known before this engine was written, and typed as they were printed.

A quantity is one of::

    [ml] criterion                     -2 log-likelihood (restricted, unless the model is fitted by ML)
    estimate TERM, SE TERM, df TERM    with KR or CR2 before SE and df
    [KR] F, [KR] F df                  of the model's joint test
    variance GROUP [TERM], covariance GROUP TERM TERM, correlation GROUP TERM TERM, sd GROUP
    ICC GROUP, exact ICC lower|upper   of a balanced one-way layout
    mode GROUP LEVEL TERM, profile NAME lower|upper, test EFFECT, residual phi|ratio, dispersion
"""

import tomllib
from collections.abc import Callable
from functools import cache
from typing import Any

import pandas as pd

import alliance_longitudinal as al
from engine import test_residuals_nlme as nlme
from inside.methods_basics import exact_icc_interval
from reference import catalogue, generalised
from reference.catalogue import HERE, by_term, term_of
from reference.figures import Figure, Table, Topic, printed, where_at_hand
from reference.topics import public_data

KINDS = {"KR": "kenward-roger", "CR2": "cr2", "ml": "ml"}


@cache
def known() -> dict[str, Any]:
    """``programs`` by short name, and ``printed``."""
    return tomllib.loads((HERE / "printed.toml").read_text(encoding="utf-8"))


@cache
def _of_lme4(name: str, reml: bool) -> al.MixedModelResults:
    model = next(m for m in catalogue.reference()["models"] if m["name"] == name)
    data = catalogue.DATA[model["data"]]()
    return al.MixedModel.from_formula(model["formula"], data).fit(reml=model["reml"] and reml)


@cache
def fitted(name: str, kind: str = "satterthwaite") -> Any:
    """The fit of a model of public.json, generalised.json, residuals.json ("data structure") or lme4.json.

    Raises
    ------
    FileNotFoundError
        Its rows are not on this machine.
    """
    if name in (m["name"] for m in public_data.known()["models"]):
        return public_data.fitted(name, kind)
    if name in (m["name"] for m in generalised.reference()["models"]):
        return generalised.fit(next(m for m in generalised.reference()["models"] if m["name"] == name))
    for at, model in enumerate(nlme.MODELS):
        structure = model["residual"]
        if name == f"{model['data']} {structure['kind']}" and model["reml"]:
            return nlme.fitted(at)[1]
    return _of_lme4(name, kind != "ml")


def _term(result: Any, name: str) -> str:
    """A term by its place, by its plain name, or by the start of a category's name."""
    names = list(result.params.index)
    if name.isdigit():
        return str(names[int(name) - 1])
    plain = by_term(result)
    return plain.get(term_of(name)) or next(n for n in names if n.startswith(name))


def _component(result: Any, words: list[str], column: str) -> float:
    """Of ``GROUP [TERM [TERM]]``; a group may be named by its innermost factor."""
    group, *terms = words
    terms = terms or ["Intercept"]
    pair = {terms[0], terms[-1]}
    for row in result.varcorr.itertuples():
        theirs = {row.term1, row.term2 if isinstance(row.term2, str) else row.term1}
        named = {row.group, row.group.split(":")[0], ":".join(sorted(row.group.split(":")))}
        if group == "Residual" == row.group or (
            (group in named or term_of(group) in named) and theirs == pair
        ):
            return float(getattr(row, column))
    raise KeyError(f"no component {words} in {result.varcorr}")


def _joint(name: str, kind: str) -> Any:
    result, terms = fitted(name, kind), public_data.model_named(name)["joint"]["terms"]
    return result.f_test([{_term(result, t): 1.0} for t in terms])


def _mode(result: Any, group: str, level: str, effect: str) -> float:
    return float(result.random_effects[group].loc[level, effect])


def _exact_icc(result: Any, end: str) -> float:
    design = result.fit.design
    interval = exact_icc_interval(pd.Series(design.y), pd.Series(design.factors[0].codes))
    return float(interval[end == "upper"])


def _profile(result: Any, words: str) -> float:
    name, end = words.rsplit(" ", 1)
    return float(result.conf_int(method="profile").loc[name, end])


def _test(result: Any, effect: str) -> float:
    """The restricted statistic of a variance; ``slopes given intercepts`` is that of the second effect."""
    table = result.variance_tests("exact", n_sim=1000, seed=1)
    return float(table["statistic"].iloc[-1 if effect.startswith("slopes") else 0])


def _residual(result: Any, which: str) -> float:
    value = float(result.residual_parameters["estimate"].iloc[0])
    # The other stratum is the reference.
    return 1 / value if which == "ratio" else value


#: First word of a quantity -> its value, from the fit and the other words.
VALUES: dict[str, Callable[[Any, str], float]] = {
    "criterion": lambda r, _: r.deviance,
    "estimate": lambda r, w: r.params[_term(r, w)],
    "SE": lambda r, w: r.bse[_term(r, w)],
    "df": lambda r, w: r.df[_term(r, w)],
    "variance": lambda r, w: _component(r, w.split(), "vcov"),
    "covariance": lambda r, w: _component(r, w.split(), "vcov"),
    "correlation": lambda r, w: _component(r, w.split(), "sdcor"),
    "sd": lambda r, w: _component(r, w.split(), "sdcor"),
    "ICC": lambda r, w: r.icc().set_index("group")["icc"][w],
    "mode": lambda r, w: _mode(r, *w.split()),
    "exact": lambda r, w: _exact_icc(r, w.split()[-1]),
    "profile": _profile,
    "test": _test,
    "residual": _residual,
    "dispersion": lambda r, _: r.dispersion,
}


def value(model: str, quantity: str) -> float:
    """Ours."""
    first, _, rest = quantity.partition(" ")
    kind = KINDS.get(first, "satterthwaite")
    first, _, rest = rest.partition(" ") if first in KINDS else (first, "", rest)
    if first == "F":
        test = _joint(model, kind)
        return float(test.df_den if rest == "df" else test.statistic)
    return float(VALUES[first](fitted(model, kind), rest))


def figures(entry: dict[str, Any]) -> list[Figure]:
    """All figures of one program for one model."""
    program, units = known()["programs"][entry["program"]], entry.get("units", 0.6)
    return [
        printed(quantity, text, value(entry["model"], quantity), program, units)
        for quantity, text in entry["figures"].items()
    ]


def reasons() -> dict[tuple[str, str], str]:
    """Why a figure is not ours, by model and quantity."""
    return {
        (entry["model"], quantity): why
        for entry in known()["printed"]
        for quantity, why in entry.get("differ", {}).items()
    }


def _table(model: str) -> Table:
    entries = [entry for entry in known()["printed"] if entry["model"] == model]
    found = [figure for entry in entries for figure in figures(entry)]
    wide = [
        f"{entry['program']}: within {entry['units']:g} units of the last digit ({entry['why']})."
        for entry in entries
        if "units" in entry
    ]
    return Table(model, " ".join(wide), "", tuple(found))


def topic() -> Topic:
    """Every model whose rows are here."""
    models = list(dict.fromkeys(entry["model"] for entry in known()["printed"]))
    tables, absent = where_at_hand(models, str, _table)
    return Topic(
        "Figures known beforehand",
        "Optima of an independent Newton search to ten digits and more, and figures of R programs printed years or "
        "settings apart (`printed.toml`); restricted likelihood ratio tests are named by the effect that is left out.",
        "Half a unit of the last printed digit, and a tenth for rounding twice; where more is allowed, the table says why.",
        tables,
        absent,
    )
