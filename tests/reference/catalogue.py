"""The models of ``lme4.json``, their data, and the comparison of a fit with its reference.

The data are prepared here once more, independently of ``make_reference.R``.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliance_longitudinal import MixedModelResults
from reference.figures import Figure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHARED = ROOT.parent / "shared" / "data"
#: Rows of lme4's own data sets, written by make_reference.R where R is at hand; not committed.
SCRATCH = ROOT / "build" / "reference_data"

# Davies and Goldsmith (1972), and Box and Tiao (1973): six batches of five.
_DYESTUFF = """1545 1440 1440 1520 1580 1540 1555 1490 1560 1495 1595 1550 1605 1510 1560
1445 1440 1595 1465 1545 1595 1630 1515 1635 1625 1520 1455 1450 1480 1445"""
_DYESTUFF2 = """7.298 3.846 2.434 9.566 7.99 5.22 6.556 .608 11.788 -.892 .11 10.386 13.434 5.51 8.166
2.212 4.852 7.092 9.288 4.98 .282 9.014 4.458 9.446 7.198 1.722 4.782 8.106 .758 3.758"""

#: Tolerances. The polished optima are known to about 1e-10 in the criterion, which is quadratic around them: about
#: 1e-5 of a standard error in the variance parameters. lmerTest differentiates numerically: its df are rougher.
CRITERION = 1e-8
OF_A_STANDARD_ERROR = 1e-5
RELATIVE_VARIANCE = 5e-5
RELATIVE_SE = 1e-5
RELATIVE_DF = 2e-4


def reference() -> dict[str, Any]:
    """``versions`` and ``models`` as written by make_reference.R."""
    return dict(json.loads((HERE / "lme4.json").read_text(encoding="utf-8")))


def exact() -> dict[str, Any]:
    """Optima known to ten digits and more, by model name."""
    return dict(json.loads((HERE / "exact.json").read_text(encoding="utf-8")))


def _batches(text: str) -> pd.DataFrame:
    return pd.DataFrame({"Batch": np.repeat(list("ABCDEF"), 5), "Yield": np.array(text.split(), dtype=float)})


def _gad() -> pd.DataFrame:
    """Anxiety clients by session: alliance item mean (5 of 9 answered at least), BAI total / 10, next BAI."""
    raw = pd.read_csv(SHARED / "implement_gad_sessions_rescaled.csv", dtype={"client": str, "therapist": str})
    items = raw.filter(regex=r"^wai_(task|goal|bond)[1-3]$")
    data = raw[["client", "therapist", "session"]].assign(
        time=raw["session"] - 1,
        wai=items.mean(axis=1).where(items.notna().sum(axis=1) >= 5),
        bai=raw["bai_total"] / 10,
    )
    following = data[["client", "session", "bai"]].assign(session=data["session"] - 1)
    return data.merge(following.rename(columns={"bai": "bai_next"}), on=["client", "session"], how="left")


def _split(predictor: str, used: list[str]) -> pd.DataFrame:
    """Within and between part of a predictor; the client's mean is over all of the client's ratings."""
    data = _gad()
    between = data.groupby("client")[predictor].transform("mean")
    return data.assign(between=between, within=data[predictor] - between).dropna(subset=used)


def _shared(name: str, **types: type) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(SHARED / f"{name}.csv", dtype=types)


def _lme4(name: str, **types: type) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(SCRATCH / f"{name}.csv", dtype=types)


DATA: Mapping[str, Callable[[], pd.DataFrame]] = {
    "dyestuff": lambda: _batches(_DYESTUFF),
    "dyestuff2": lambda: _batches(_DYESTUFF2),
    "sleepstudy": _lme4("sleepstudy", Subject=str),
    "pastes": _lme4("Pastes"),
    "penicillin": _lme4("Penicillin"),
    "sleepstudy_unbalanced": _shared("sleepstudy_unbalanced", Subject=str),
    "rom_sim": _shared("rom_sim", th=str, cl=str),
    "three_level_growth": _shared("three_level_growth", therapist=str, client=str),
    "gad": _gad,
    "gad_next": lambda: _split("wai", ["wai", "bai_next"]),
    "gad_next_bai": lambda: _split("wai", ["wai", "bai_next", "bai"]),
    "gad_same": lambda: _split("bai", ["wai", "bai"]),
}


def at_hand(data: str) -> bool:
    """Whether the rows of this data set are on this machine."""
    try:
        DATA[data]()
    except FileNotFoundError:
        return False
    return True


def figures(model: Mapping[str, Any], result: MixedModelResults) -> list[Figure]:
    """Every number of the reference beside ours."""
    found = [
        Figure("rows", model["nobs"], result.nobs, 0),
        Figure("criterion", model["criterion"], result.deviance, CRITERION),
    ]
    ours = by_term(result)
    for name, value in model["params"].items():
        term, se, df = ours[term_of(name)], model["bse"][name], (model.get("df") or {}).get(name)
        found.append(Figure(f"{term}: estimate", value, result.params[term], OF_A_STANDARD_ERROR * se))
        found.append(Figure(f"{term}: SE", se, result.bse[term], RELATIVE_SE * se))
        if (
            df is not None and not model["singular"]
        ):  # at the boundary lmerTest's numerical derivatives mean nothing
            found.append(Figure(f"{term}: df", df, result.df[term], RELATIVE_DF * df))
    return found + _variances(model, result)


def _variances(model: Mapping[str, Any], result: MixedModelResults) -> list[Figure]:
    ours = {_component(r.group, r.term1, r.term2): r.vcov for r in result.varcorr.itertuples()}
    theirs = {_component(r["grp"], r["var1"], r["var2"]): r["vcov"] for r in model["varcorr"]}
    if set(ours) != set(theirs):
        raise ValueError(f"{model['name']}: components {sorted(ours)} instead of {sorted(theirs)}")
    found = []
    for (group, first, second), value in theirs.items():
        scale = np.sqrt(theirs[group, first, first] * theirs[group, second, second])
        # A variance at its boundary is zero in ours and a rounding error in lme4.
        tolerance = RELATIVE_VARIANCE * max(scale, 1e-3 * theirs["Residual", "", ""])
        kind = "variance" if first == second else "covariance"
        label = " ".join(filter(None, [group, first, "" if first == second else second, kind]))
        found.append(Figure(label, value, ours[group, first, second], tolerance))
    return found


def by_term(result: MixedModelResults) -> dict[str, str]:
    """Our names of the fixed effects by their plain ones."""
    return {term_of(term): term for term in result.params.index}


def term_of(name: str) -> str:
    """One name for ``week:alliance`` and ``alliance:week``, for the intercept's two, and for a category's two."""
    plain = name.replace("(Intercept)", "Intercept").replace("[T.", "").replace("]", "")
    return ":".join(sorted(plain.split(":")))


def _component(group: str, first: Any, second: Any) -> tuple[str, str, str]:
    """A variance or covariance, however its group and terms are ordered."""
    terms = [term_of(t) for t in (first, second) if isinstance(t, str)]
    low, high = (min(terms), max(terms)) if terms else ("", "")
    return term_of(re.sub(r"\.\d+$", "", group)), low, high
