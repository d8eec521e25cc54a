"""Forest and funnel plots of a batch as positions on a page, for a template that needs no script."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from alliance_longitudinal.labels import interval, number, with_interval
from alliance_longitudinal.reporting.batch.pools import has_interval

Row = Mapping[str, Any]
_EDGE, _ROOM = 4.0, 92.0
#: Words of an axis that are nearer would run into each other.
_CROWDED = 18
#: The fewest clinics for a funnel.
_FUNNEL = 5
_FUNNEL_HEIGHT = 60.0
_NORMAL = 1.96


def forests(rows: Sequence[Row], pools: Sequence[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """One forest plot for each pool over clinics, then one for each estimate and unit of the other reports.

    Returns
    -------
    list of dict
        ``title``, ``unit``, ``zero`` (position or None), ``ticks`` (position and text), ``lines``, ``pool`` (None, or the
        pooled numbers with their positions) and ``funnel`` (None, or its points); positions are percentages of the width.
    """
    by_folder = {row["folder"]: row for row in rows if has_interval(row)}
    found = [
        _forest(p["title"], p["unit"], [by_folder[folder] for folder in p["members"]], p)
        for p in pools
        if set(p["members"]) <= by_folder.keys()
    ]
    pooled = {folder for p in pools for folder in p["members"]}
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if has_interval(row) and row["folder"] not in pooled:
            estimate = row["estimate"]
            groups.setdefault((estimate["label"], estimate["unit"] or ""), []).append(row)
    return found + [_forest(label, unit, members, None) for (label, unit), members in groups.items()]


def _forest(title: str, unit: str, rows: Sequence[Row], pool: Mapping[str, Any] | None) -> dict[str, Any]:
    ends = [row["estimate"][k] for row in rows for k in ("ci_low", "ci_high")]
    whole = pool is not None and "mu" in pool
    if pool is not None and whole:
        ends += [pool["prediction_low"], pool["prediction_high"], pool["ci_low"], pool["ci_high"]]
    low, high = float(min(0.0, *ends)), float(max(0.0, *ends))
    width = (high - low) or 1.0

    def place(value: float) -> float:
        return round(_EDGE + _ROOM * (value - low) / width, 2)

    ticks = sorted({low, 0.0, high})
    # Words that would run into each other are left out; zero always stays.
    crowded = {a if b == 0 else b for a, b in pairwise(ticks) if place(b) - place(a) < _CROWDED}
    shrunken = pool["shrunken"] if pool is not None and whole else {}
    return {
        "title": title,
        "unit": unit,
        "settings": pool["settings"] if pool is not None else "",
        "zero": place(0.0),
        "ticks": [(place(t), number(t, "estimate")) for t in ticks if t not in crowded],
        "lines": [_line(row, place, shrunken) for row in rows],
        "pool": _pool(pool, place) if pool is not None and whole else None,
        "why_not": pool.get("why_not", "") if pool is not None else "",
        "funnel": _funnel(rows, pool) if pool is not None and whole and len(rows) >= _FUNNEL else None,
    }


def _line(row: Row, place: Any, shrunken: Mapping[str, float]) -> dict[str, Any]:
    e = row["estimate"]
    shown, limits = with_interval(e["estimate"], e["ci_low"], e["ci_high"])
    line = {
        "label": row["label"],
        "folder": row["folder"],
        "at": place(e["estimate"]),
        "low": place(e["ci_low"]),
        "high": place(e["ci_high"]),
        "estimate": shown,
        "interval": limits,
    }
    if row["folder"] in shrunken:
        value = shrunken[row["folder"]]
        line |= {"shrunken": number(value, "estimate"), "shrunken_at": place(value)}
    return line


def _pool(pool: Mapping[str, Any], place: Any) -> dict[str, Any]:
    mean, limits = with_interval(pool["mu"], pool["ci_low"], pool["ci_high"])
    return {
        "k": pool["k"],
        "studies": pool["studies"],
        "levels": pool["levels"],
        "at": place(pool["mu"]),
        "low": place(pool["ci_low"]),
        "high": place(pool["ci_high"]),
        "far_low": place(pool["prediction_low"]),
        "far_high": place(pool["prediction_high"]),
        "estimate": mean,
        "interval": limits,
        "prediction": interval(pool["prediction_low"], pool["prediction_high"]),
        "tau": number(pool["tau"], "estimate"),
        "i2": number(pool["i2"] / 100, "percent"),
        "q_p": number(pool["q_p"], "p"),
        "notes": pool["notes"],
    }


def _funnel(rows: Sequence[Row], pool: Mapping[str, Any]) -> dict[str, Any]:
    """Estimates by their standard errors, with the lines between which 95 % would lie if all clinics were alike."""
    errors = [float(row["estimate"]["se"]) for row in rows]
    values = [float(row["estimate"]["estimate"]) for row in rows]
    mean, deepest = float(pool["mu"]), max(errors)
    half = max(_NORMAL * deepest, *(abs(v - mean) for v in values)) * 1.05

    def x(value: float) -> float:
        return round(50 + 46 * (value - mean) / half, 2)

    def y(error: float) -> float:
        return round(4 + (_FUNNEL_HEIGHT - 8) * error / deepest, 2)

    return {
        "points": [(x(v), y(s), row["label"]) for v, s, row in zip(values, errors, rows, strict=True)],
        "apex": (x(pool["mu"]), y(0.0)),
        "feet": (x(pool["mu"] - _NORMAL * deepest), x(pool["mu"] + _NORMAL * deepest), y(deepest)),
        "outside": sum(abs(v - pool["mu"]) > _NORMAL * s for v, s in zip(values, errors, strict=True)),
        "k": len(rows),
    }
