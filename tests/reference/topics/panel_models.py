"""Panels and latent group means beside lavaan, plm and lme4 (``panel.json``, ``dynamic.json``, ``latent.json``)."""

import json
from typing import Any

import pandas as pd

from alliance_longitudinal import methods
from methods.test_dynamic_panel import FOLDER, GMM, ML, SMALL
from methods.test_latent_contextual import drawn as members
from methods.test_riclpm import CASES
from methods.test_riclpm import drawn as sessions
from reference.figures import Figure, Table, Topic, beside

LAVAAN, PLM = "lavaan 0.6.14", "plm 2.6.2"


def _read(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def _cross_lagged(name: str) -> Table:
    occasions, options = CASES[name]
    them = _read("panel")["riclpm"][name]
    found = methods.riclpm(sessions(occasions), "x", "y", person="id", occasion="t", **options)
    theirs = pd.DataFrame({"est": them["est"], "se": them["se"]}, index=them["names"]).loc[found.params.index]
    names = list(found.params.index)
    figures = beside([f"{n}: estimate" for n in names], theirs["est"], found.params, 0, 2e-4)
    figures += beside([f"{n}: SE" for n in names], theirs["se"], found.bse, 1e-3, 0)
    figures.append(Figure("log-likelihood", them["fit"]["logl"], found.llf, 1e-4))
    return Table(
        f"Cross-lagged panel: {name}", f"`{options}`, {occasions} occasions.", LAVAAN, tuple(figures)
    )


def _likelihood(name: str) -> Table:
    times, options, theirs = ML[name]
    them = _read("panel")["dpm"][name]
    frame = pd.read_csv(SMALL / "panel.csv")
    found = methods.dynamic_panel(frame[frame["t"] <= times], "y", person="id", time="t", **options)
    table = pd.DataFrame({"est": them["est"], "se": them["se"]}, index=them["names"]).loc[theirs]
    names = list(found.params.index)
    figures = beside([f"{n}: estimate" for n in names], table["est"], found.params, 0, 1e-4)
    figures += beside([f"{n}: SE" for n in names], table["se"], found.bse, 1e-3, 0)
    figures.append(Figure("log-likelihood", them["fit"]["logl"], found.llf, 1e-4))
    return Table(
        f"Dynamic panel by likelihood: {name}", f"`{options}`, {times} times.", LAVAAN, tuple(figures)
    )


def _instruments(name: str) -> Table:
    them = _read("dynamic")[name]
    kind = "difference-gmm" if "_d_" in name else "system-gmm"
    frame = pd.read_csv(SMALL / "dynamic.csv")
    found = methods.dynamic_panel(frame, "n", person="firm", time="year", method=kind, **GMM[name])
    k, names = len(found.params), list(found.params.index)
    figures = beside([f"{n}: estimate" for n in names], them["est"][:k], found.params, 1e-9, 0)
    figures += beside([f"{n}: SE" for n in names], them["se"][:k], found.bse, 1e-9, 0)
    tests = {"hansen": "hansen", "sargan": "own", "m1": "m1", "m2": "m2"}
    figures += beside(
        list(tests), [them[t] for t in tests.values()], [found.tests[t] for t in tests], 1e-8, 0
    )
    return Table(f"Dynamic panel by instruments: {name}", f"`{GMM[name]}`", PLM, tuple(figures))


def _latent(name: str, options: dict[str, str]) -> Table:
    them = _read("latent")[name]
    found = methods.latent_contextual(members(), "y", "x", "g", **options)
    names = list(found.params.index)
    figures = beside([f"{n}: estimate" for n in names], them["est"], found.params, 1e-5, 0)
    figures += beside([f"{n}: SE" for n in names], them["se"], found.bse, 1e-4, 0)
    return Table(f"Latent contextual effect: {name}", "331 members of 60 groups.", LAVAAN, tuple(figures))


def topic() -> Topic:
    """The section."""
    tables = [
        *map(_cross_lagged, (c for c in CASES)),
        *map(_likelihood, ML),
        *map(_instruments, ("pre_d_onestep", "pre_d_twosteps", "pre_ld_twosteps", "times_ld_onestep")),
        _latent("plain", {}),
        _latent("both", {"within": "w", "between": "v"}),
    ]
    return Topic(
        "Panels and latent group means",
        "`make_panel.R`, `make_dynamic.R` and `make_latent.R` made the reference from panels that they draw.",
        "lavaan differentiates the observed information numerically, to about four digits; plm's figures agree to ten.",
        tuple(tables),
    )
