"""Power by therapists and clients."""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from alliance_longitudinal.analyses.kit import Number, joined, say
from alliance_longitudinal.analyses.planning.compute import Planned, curves
from alliance_longitudinal.present import Column, FigureSpec, plots

if TYPE_CHECKING:
    from alliance_longitudinal.methods.planning.simulate import SimulatedPlan

_TITLES = {
    "within": "Power for the effect of the alliance within therapists",
    "between": "Power for the effect of the alliance between therapists",
    "therapists": "Power for differences between therapists",
}


def power_figure(planned: Planned, effect: str, found: "dict[int, SimulatedPlan]") -> FigureSpec:
    """Curves of closed forms by clients of each therapist, and points of the simulated studies."""
    rows = [
        {"label": f"caseload {n}", "therapists": j, "power": p, "kind": "model", "n": 1}
        for n, j, p in curves(planned, effect)
    ]
    mean = max(2, round(planned.plan.clients / planned.plan.therapists))
    own = f"caseload {mean}"
    simulated = []
    for j, study in found.items() if effect in planned.effects else ():
        power = float(study.table({effect: planned.effects[effect]}).loc[effect, "power"])
        simulated.append({"label": own, "therapists": j, "power": power, "kind": "observed", "n": 1})
    data = pd.DataFrame([*rows, *simulated]).sort_values(["label", "kind"], key=_in_order, kind="stable")
    last = data[data["kind"] == "model"].groupby("label", sort=False).tail(1)
    said = [
        say(
            "{label}, {j:noun}: {p}",
            label=r.label,
            j=Number(r.therapists, "integer", "therapist"),
            p=Number(r.power, "percent"),
        )
        for r in last.itertuples()
    ]
    return FigureSpec(
        name=f"power_{effect}",
        title=_TITLES[effect],
        caption="Lines: power by the number of therapists, for several caseloads (clients of each), by closed forms."
        + (
            " Points: simulated studies with the planned caseloads, dropout and missing scores."
            if simulated
            else ""
        ),
        alt=f"{_TITLES[effect]}. " + joined(said, "; ") + ".",
        how_to_read="Follow the line of your caseload to the wanted power, and read the number of therapists below.",
        section="answer",
        data=data.reset_index(drop=True),
        columns=(
            Column("label", "Caseload"),
            Column("therapists", "Therapists", "integer"),
            Column("kind", "Closed form or simulated"),
            Column("power", "Power", "percent", modelled=True),
            Column("n", "Weight", "integer"),
        ),
        draw=partial(
            plots.lines,
            x="therapists",
            y="power",
            by="label",
            band=True,
            limits=(0, 1.02),
            percent=True,
            x_label="Therapists",
            y_label="Power",
        ),
    )


def _in_order(values: "pd.Series[str]") -> "pd.Series[int]":
    """Labels by their number of clients, the model's rows before the simulated ones."""
    if values.name == "kind":
        return values.eq("observed").astype(int)
    return values.str.split().str[-1].astype(int)
