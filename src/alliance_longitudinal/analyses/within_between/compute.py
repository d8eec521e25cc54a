"""The models of within and between, and their estimates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from alliance_longitudinal.analyses.kit import (
    LEVEL,
    Draft,
    Estimate,
    Fitted,
    Structure,
    fit_first,
    therapist_df,
    with_own_effect,
)
from alliance_longitudinal.analyses.within_between.design import Detrend, Pairs, Treatment
from alliance_longitudinal.errors import FitError
from alliance_longitudinal.sentences import told

EFFECT = "the effect of the alliance within clients"
WAYS: tuple[Detrend, ...] = ("none", "common", "client", "lines")
#: What each way to remove time is called in labels.
TIME = {
    "none": "time not adjusted for",
    "common": "common course of all clients",
    "client": "a course for each client",
    "lines": "each client's line removed from alliance and outcome",
}


def structures(pairs: Pairs, detrend: Detrend, *, slopes: bool) -> tuple[Structure, ...]:
    """Random parts from the fullest on: levels of therapists and clients, courses of clients, effects of their own."""
    term = "lines" if detrend == "lines" else "within"
    own_course = detrend in ("client", "lines")
    level = "(1 + time | {c})" if own_course else "(1 | {c})"
    words = "level and course differ between clients" if own_course else "level differs between clients"
    two: tuple[Structure, ...] = (
        Structure(
            f"{level} + (0 + {term} | {{c}})".format(c="client"),
            f"{words}; {EFFECT} differs between clients; no therapist level",
            False,
            True,
        ),
        Structure(level.format(c="client"), f"{words}; no therapist level", False, own_course),
    )
    two = two if slopes else two[1:]
    if not pairs.between:
        return two if not own_course else (*two, LEVEL[1])
    inner = level.format(c="therapist:client")
    plain = Structure(
        f"(1 | therapist) + {inner}", f"level differs between therapists; {words}", True, own_course
    )
    if not slopes:
        return (plain, *two)
    full = Structure(
        f"(1 | therapist) + {inner} + (0 + {term} | therapist:client)",
        f"level differs between therapists; {words}; {EFFECT} differs between clients",
        True,
        True,
    )
    return (*with_own_effect((full,), term, EFFECT), plain, *two)


def fit_version(
    draft: Draft,
    pairs: Pairs,
    detrend: Detrend,
    name: str,
    title: str,
    *,
    slopes: bool,
    length: bool = True,
    needed: bool = False,
) -> Fitted | None:
    """One model; None (and a finding) if it cannot be fitted, unless it is ``needed``."""
    fixed = "y ~ " + " + ".join(pairs.terms(detrend, length=length))
    random = structures(pairs, detrend, slopes=slopes)
    if needed:
        return _with_robust(draft, draft.fit(name, title, fixed, pairs.rows, random))
    try:
        fitted = fit_first(name, title, fixed, pairs.rows, random)
    except FitError as error:
        draft.find("version_not_fitted", "caution", "{title}: {why}", title, title=title, why=told(error))
        return None
    draft.uses(fitted)
    return _with_robust(draft, fitted)


def _with_robust(draft: Draft, fitted: Fitted) -> Fitted:
    """With errors that hold if the effect between clients differs between therapists, and within clients where the model lets none differ."""
    found = draft.robust(fitted, other=True)
    return fitted if found is fitted else replace(fitted, robust=found)


def estimate_all(draft: Draft, pairs: Pairs, unit: str, *, slopes: bool) -> Fitted:
    """Every version's effects; the model with the common course is returned."""
    main = fit_version(
        draft, pairs, "common", "common", f"Time: {TIME['common']}", slopes=slopes, needed=True
    )
    assert main is not None
    found: list[Estimate] = []
    beside: list[Estimate] = []
    for d in WAYS:
        fitted = main if d == "common" else fit_version(draft, pairs, d, d, f"Time: {TIME[d]}", slopes=slopes)
        if fitted is None:
            continue
        ids = {"within": f"within_{d}"}
        found += level_estimates(pairs, fitted, d, unit, ids, TIME[d])
        if d != "lines":
            ids = {k: k if d == "common" else f"{k}_detrend_{d}" for k in pairs.levels}
            beside += level_estimates(pairs, fitted, d, unit, ids, TIME[d])
    beside.sort(key=lambda e: (e.id not in pairs.levels, "therapist" in e.id))
    draft.estimate(*found, *beside, *context_estimates(pairs, main, unit))
    sd = slope_sd(main, pairs.n_clients, unit)
    draft.estimate(*([] if sd is None else [sd]), *_other_models(draft, pairs, unit, slopes=slopes))
    return main


def _other_models(draft: Draft, pairs: Pairs, unit: str, *, slopes: bool) -> list[Estimate]:
    """Two levels instead of three, and the common course without the mean session of clients and therapists."""
    out: list[Estimate] = []
    two = pairs.two_level()
    for d in WAYS[:3] if pairs.between else ():
        fitted = fit_version(draft, two, d, f"{d}_two_level", f"Two levels; {TIME[d]}", slopes=slopes)
        if fitted is not None:
            ids = {"within": f"within_{d}_two_level"}
            ids |= {"client": "client_two_level"} if d == "common" else {}
            out += level_estimates(two, fitted, d, unit, ids, f"two levels, {TIME[d]}")
    title = f"Time: {TIME['common']}, not adjusted for the mean session"
    fitted = fit_version(draft, pairs, "common", "course_only", title, slopes=slopes, length=False)
    if fitted is not None:
        ids = {level: f"{level}_course_only" for level in pairs.levels}
        words = f"{TIME['common']}, not adjusted for the mean session"
        out += level_estimates(pairs, fitted, "common", unit, ids, words)
    return out


def level_estimates(
    pairs: Pairs, fitted: Fitted, detrend: Detrend, unit: str, ids: dict[str, str], words: str
) -> list[Estimate]:
    """Effects of a model; ``ids`` names those that are wanted: ``within``, ``client``, ``therapist``."""
    rows = pairs.rows
    df = therapist_df(pairs.n_therapists, pairs.therapist_terms(detrend))
    whole = "clients of one therapist" if pairs.between else "clients"
    wanted = {
        "within": (
            "lines" if detrend == "lines" else "within",
            "Within clients: better than usual",
            len(rows),
            "session",
            np.inf,
        ),
        "client": ("alliance_client", f"Between {whole}", pairs.n_clients, "client", np.inf),
        "therapist": (
            "alliance_therapist",
            "Between therapists, observed means",
            pairs.n_therapists,
            "therapist",
            df,
        ),
    }
    out = []
    for key, identity in ids.items():
        term, label, n, level, most = wanted[key]
        if term in fitted.result.params.index:
            own = key == "therapist" or (key == "within" and fitted.structure.own_effect)
            model = fitted if own else fitted.judged
            out.append(_combined(model, {term: 1.0}, identity, f"{label}; {words}", n, level, unit, most))
    return out


def context_estimates(pairs: Pairs, fitted: Fitted, unit: str) -> list[Estimate]:
    """How much an effect at one level differs from that at the level below."""
    df = therapist_df(pairs.n_therapists, pairs.therapist_terms("common"))
    found = [
        (
            "context_client",
            {"alliance_client": 1.0, "within": -1.0},
            "Between clients less within clients",
            pairs.n_clients,
            "client",
            np.inf,
        )
    ]
    if pairs.between:
        label = "Between therapists less between their clients"
        weights = {"alliance_therapist": 1.0, "alliance_client": -1.0}
        found.append(("context_therapist", weights, label, pairs.n_therapists, "therapist", df))
    terms = set(fitted.result.params.index)
    return [
        _combined(
            fitted.judged if level == "client" else fitted, weights, identity, label, n, level, unit, most
        )
        for identity, weights, label, n, level, most in found
        if terms >= set(weights)
    ]


def _combined(
    fitted: Fitted,
    weights: dict[str, float],
    identity: str,
    label: str,
    n: int,
    level: str,
    unit: str,
    most: float,
) -> Estimate:
    row = fitted.combination(weights, most)
    numbers = {k: row[k] for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}
    return Estimate(identity, label, n=n, level=level, unit=unit, **numbers)


def slope_group(fitted: Fitted) -> str | None:
    """The grouping of clients whose effects of the alliance differ in the model; None if it has none."""
    if not fitted.mixed:
        return None
    table = fitted.result.varcorr
    own = table[(table["term1"] == "within") & table["term2"].isna() & table["group"].str.contains("client")]
    return None if own.empty else str(own["group"].iloc[0])


def slope_sd(fitted: Fitted, n: int, unit: str) -> Estimate | None:
    """Standard deviation between clients of the effect within them, with its profile interval."""
    group = slope_group(fitted)
    if group is None:
        return None
    table = fitted.result.varcorr
    sd = float(table.loc[(table["group"] == group) & (table["term1"] == "within"), "sdcor"].iloc[0])
    name = f"sd(within)|{group}"
    limits = fitted.result.conf_int(method="profile", which=[name]).loc[name]
    return Estimate(
        "within_sd",
        "How much the effect within clients differs between clients (standard deviation)",
        sd,
        ci_low=float(limits["lower"]),
        ci_high=float(limits["upper"]),
        n=n,
        level="client",
        unit=unit,
    )


def outlier_estimates(
    draft: Draft,
    pairs: Pairs,
    treatments: Sequence[Treatment],
    words: dict[str, str],
    unit: str,
    *,
    slopes: bool,
) -> list[Estimate]:
    """The three effects with the common course under each treatment of outlying alliance scores."""
    out: list[Estimate] = []
    for treatment in treatments:
        if treatment == "keep":
            continue
        treated = pairs.treated(treatment)
        title = f"Common course; {words[treatment]}"
        fitted = fit_version(draft, treated, "common", f"common_{treatment}", title, slopes=slopes)
        if fitted is not None:
            ids = {"within": f"within_common_{treatment}"}
            ids |= {level: f"{level}_{treatment}" for level in pairs.levels}
            out += level_estimates(treated, fitted, "common", unit, ids, words[treatment])
    return out
