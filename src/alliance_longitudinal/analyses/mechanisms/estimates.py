"""The paths as estimates, by their ids."""

from collections.abc import Sequence
from dataclasses import replace

from alliance_longitudinal.analyses.kit import Estimate
from alliance_longitudinal.analyses.mechanisms.compute import Paths
from alliance_longitudinal.analyses.mechanisms.design import Asked, Cause
from alliance_longitudinal.analyses.mechanisms.pair import Row


def estimates_of(paths: Paths, cause: Cause, asked: Asked, *, main: bool) -> list[Estimate]:
    """Every path as an estimate; those of the main level have ids without its name."""
    a, y = asked.alliance.instrument.label, asked.outcome.instrument.label
    x = cause.label
    tail = paths.suffix if main else f"_{paths.kind}{paths.suffix}"
    points = f"{y} points{paths.rate}"
    words = {
        "a": (f"{x} to alliance (a)", f"{a} points per point of {x}"),
        "b": (f"Alliance to {y}, given {x} (b)", f"{points} per {a} point"),
        "direct": (f"{x} to {y}, given the alliance (direct)", f"{points} per point of {x}"),
        "cov_ab": ("Covariance of a and b between clients", f"{points} per point of {x}"),
        "indirect": (f"{x} by way of the alliance to {y} (indirect)", f"{points} per point of {x}"),
        "total": (f"{x} to {y} (total)", f"{points} per point of {x}"),
        "prop": ("Indirect path as a share of the total", "ratio"),
    }
    out = []
    for name, (label, unit) in words.items():
        if name in paths.rows:
            identity = f"indirect_{paths.kind}{paths.suffix}" if name == "indirect" else f"{name}{tail}"
            where = "" if name == "cov_ab" else f", {place(paths)}"  # it says itself between whom
            made = _estimate(identity, f"{label}{where}", paths.rows[name], paths, unit)
            out.append(replace(made, n=paths.n_first) if name == "a" and paths.n_first else made)
    out += scaled(paths, cause, asked, main=main)
    if paths.confounding is not None:
        out.append(
            Estimate(
                f"rho_zero{tail}",
                f"Correlation of errors at which the indirect path is zero, {place(paths)}",
                paths.confounding.rho_zero,
                n=paths.n,
                level=paths.level,
                unit="r",
            )
        )
    return out


def place(paths: Paths) -> str:
    """At which level, in words."""
    how = {"session": "within clients", "client": "between clients", "therapist": "between therapists"}[
        paths.level
    ]
    if paths.suffix:
        how += " (latent means)" if paths.latent else " (observed means)"
    return how


def scaled(paths: Paths, cause: Cause, asked: Asked, *, main: bool) -> list[Estimate]:
    """Indirect, direct and total path for one standard deviation of the cause, over the follow-up: ``..._per_sd``."""
    tail = paths.suffix if main else f"_{paths.kind}{paths.suffix}"
    out = []
    for name, label in (
        ("indirect", "By way of the alliance"),
        ("direct", "Not by way of the alliance"),
        ("total", "In all"),
    ):
        if name in paths.rows:
            identity = f"indirect_{paths.kind}{paths.suffix}" if name == "indirect" else f"{name}{tail}"
            out.append(
                _estimate(
                    f"{identity}_per_sd",
                    f"{label}, {place(paths)}",
                    paths.rows[name],
                    paths,
                    f"{asked.outcome.instrument.label} points",
                    paths.sd * paths.times,
                )
            )
    return out


def _estimate(identity: str, label: str, row: Row, paths: Paths, unit: str, factor: float = 1.0) -> Estimate:
    return Estimate(
        identity,
        label,
        factor * row["estimate"],
        se=factor * row["se"],
        df=row["df"],
        ci_low=factor * row["ci_low"],
        ci_high=factor * row["ci_high"],
        p=row["p"],
        n=paths.n,
        level=paths.level,
        unit=unit,
    )


def shown(every: Sequence[Paths]) -> list[Paths]:
    """The paths that the answer is about: without the second looks."""
    return [p for p in every if not p.suffix]
