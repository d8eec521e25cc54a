"""What if clients who left went on worse than the model expects: completed scores moved by a delta, and the tipping point."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.early_alliance.compute import EarlyModels, effect_estimate
from alliance_longitudinal.analyses.kit import (
    COUNT,
    ESTIMATE,
    Count,
    Draft,
    Estimate,
    Number,
    Share,
    estimate_frame,
    joined,
    say,
)
from alliance_longitudinal.analyses.kit.early_design import EarlyDesign
from alliance_longitudinal.analyses.kit.fits import therapist_df
from alliance_longitudinal.errors import AllianceError
from alliance_longitudinal.present import Column, FigureSpec, plots

if TYPE_CHECKING:
    from alliance_longitudinal.methods.missing.tipping import DeltaEffects

WITHIN, BETWEEN = "weeks:early_client", "weeks:early_therapist"
#: Fewest clients who left for whom scores are filled in.
MIN_LEFT = 10
#: Copies of each delta whose variances are estimated.
REFITS = 6
#: More clients than this without a score after two thirds of the horizon are many.
MANY_LEFT = 0.3
PLANNED = "planned"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for.

    Attributes
    ----------
    deltas : tuple of float
        Points worse than expected at the horizon.
    m : int
        Completed copies.
    seed : int
    """

    deltas: tuple[float, ...]
    m: int
    seed: int


def delta_effects_of(
    draft: Draft, design: EarlyDesign, models: EarlyModels, weeks: float, asked: Asked
) -> FigureSpec | None:
    """Effects under each delta, the delta at which the answer would change, and a figure to be shown after the main one."""
    growth, main = models.growth, draft["slope_within"]
    left = leavers(draft, design, weeks)
    if growth is None or main is None or not growth.mixed:
        return None
    if len(left) < MIN_LEFT:
        draft.find(
            "few_left",
            "info",
            "{n:noun} left before {time} {horizon} after the window other than by a planned end. Scores after leaving are filled in only "
            "where at least {needed} clients left, so the report does not show what would follow if those who left had done worse.",
            "leaving",
            n=Count(len(left), "client"),
            time=design.choices.time,
            horizon=Number(weeks, "integer"),
            needed=Number(MIN_LEFT, "integer"),
        )
        return None
    deltas = tuple(sorted({0.0, *asked.deltas}))
    try:
        every, apart = _completed(design, models, weeks, left, deltas, asked)
    except AllianceError:
        draft.find(
            "no_imputation",
            "info",
            "Scores after leaving could not be filled in, because the model of the completed scores cannot be fitted.",
            "leaving",
        )
        return None
    rows = _estimates(design, every, deltas)
    rows += [e for found, suffix, words in apart for e in _apart(design, found, suffix, words)]
    tipping = every.tipping(WITHIN)
    y = design.choices.outcome.instrument.label
    unit = f"{y} points"
    draft.estimate(
        *rows,
        Estimate(
            "tipping_within",
            f"Tipping point: points worse at {design.choices.time} {weeks:.0f} at which the effect {design.among} is no longer clear",
            tipping,
            n=main.n,
            level="client",
            unit=unit,
        ),
    )
    clear = main.ci_low > 0 or main.ci_high < 0
    draft.table_of(
        "deltas",
        "If clients who left did worse than expected",
        "sensitivity",
        [main, *rows],
        [Column("label", "Effect"), *ESTIMATE, COUNT],
        _note(design, weeks, tipping, clear=clear, top=max(deltas), m=asked.m),
    )
    _tell(draft, main, rows, tipping, left, weeks, design, max(deltas))
    draft.cite("carpenter2013", "rubin1987", "barnard1999")
    return _figure(rows, main, weeks, design)


def leavers(draft: Draft, design: EarlyDesign, weeks: float) -> "pd.Series[float]":
    """Last time with a score of the clients who left before the horizon; those with a planned end did not leave."""
    last = design.rows.groupby("client")["weeks"].max()
    left = last[last < weeks]
    clients = draft.study.clients
    if "ending" in clients:
        ending = clients.drop_duplicates("client").set_index("client")["ending"]
        left = left[~left.index.map(ending).isin([PLANNED])]
    return left


def completed_rows(design: EarlyDesign, weeks: float, left: "pd.Series[float]") -> pd.DataFrame:
    """The observed rows, and a row without a score for each whole unit of time after a leaver's last score up to the horizon."""
    more = [
        (client, time)
        for client, last in left.items()
        for time in np.arange(np.floor(last) + 1, np.floor(weeks) + 1)
    ]
    columns = ["client", "therapist", *design.predictors(split=True), *design.covariates]
    new = pd.DataFrame(more, columns=["client", "weeks"]).merge(
        design.clients[columns], on="client", how="left"
    )
    known = [c for c in design.rows.columns if c in new or c == "y"]
    frame = pd.concat([design.rows[known], new.assign(y=np.nan)[known]], ignore_index=True)
    return frame.assign(left=frame["client"].isin(left.index).astype(int))


def _completed(
    design: EarlyDesign,
    models: EarlyModels,
    weeks: float,
    left: "pd.Series[float]",
    deltas: tuple[float, ...],
    asked: Asked,
) -> "tuple[DeltaEffects, list[tuple[DeltaEffects, str, str]]]":
    """All leavers moved by each delta; and by the largest only those below, and only those above, their therapist's mean alliance."""
    from alliance_longitudinal.methods import impute
    from alliance_longitudinal.methods.missing.tipping import delta_effects

    growth = models.growth
    assert growth is not None
    frame = completed_rows(design, weeks, left)
    present = set(growth.result.params.index)
    terms = [t for t in (WITHIN, BETWEEN) if t in present]
    bound = therapist_df(design.n_therapists, design.therapist_predictors())
    df = {WITHIN: float(growth.judged.combination({WITHIN: 1.0})["df"])} if WITHIN in terms else {}
    if BETWEEN in terms:
        df[BETWEEN] = float(growth.combination({BETWEEN: 1.0}, bound)["df"])
    worse = 1.0 if design.choices.outcome.instrument.direction != "higher_better" else -1.0
    copies = impute(growth.result, frame, asked.m, asked.seed)

    def run(moved: pd.DataFrame, points: tuple[float, ...]) -> "DeltaEffects":
        found = delta_effects(
            growth.result,
            moved,
            terms,
            [worse * d for d in points],
            person="client",
            time="weeks",
            left="left",
            horizon=float(np.floor(weeks)),
            df=df,
            m=asked.m,
            refits=min(REFITS, asked.m),
            seed=asked.seed,
            copies=copies,
            cov_groups={WITHIN: "therapist"} if growth.robust is not None and WITHIN in terms else None,
        )
        return replace(found, table=found.table.assign(delta=worse * found.table["delta"]))

    every = run(frame, deltas)
    top = max(deltas)
    apart = []
    usual = "their therapist's mean" if design.n_therapists else "the mean of all clients"
    if top > 0 and "early_client" in frame:
        for suffix, words, chosen in (
            ("below", f"only those with an alliance below {usual}", frame["early_client"] < 0),
            ("above", f"only those with an alliance above {usual}", frame["early_client"] > 0),
        ):
            if int(frame.loc[chosen & frame["left"].eq(1), "client"].nunique()) >= MIN_LEFT:
                apart.append((run(frame.assign(left=frame["left"].where(chosen, 0)), (top,)), suffix, words))
    return every, apart


def _estimates(design: EarlyDesign, found: "DeltaEffects", deltas: tuple[float, ...]) -> list[Estimate]:
    out = []
    for delta in deltas:
        for effect, term in (("within", WITHIN), ("between", BETWEEN)):
            row = _row(found, term, delta)
            if row is not None:
                words = f", those who left {_points(delta)}"
                out.append(effect_estimate(design, "slope", effect, row, f"_delta_{_name(delta)}", words))
    return out


def _apart(design: EarlyDesign, found: "DeltaEffects", suffix: str, words: str) -> list[Estimate]:
    delta = float(found.table["delta"].iloc[0])
    row = _row(found, WITHIN, delta)
    if row is None:
        return []
    return [
        effect_estimate(
            design, "slope", "within", row, f"_delta_{_name(delta)}_{suffix}", f", {words} {_points(delta)}"
        )
    ]


def _row(found: "DeltaEffects", term: str, delta: float) -> dict[str, float] | None:
    own = found.table[(found.table["term"] == term) & (found.table["delta"] == delta)]
    if own.empty:
        return None
    first = own.iloc[0]
    return {k: float(first[k]) for k in ("estimate", "se", "df", "ci_low", "ci_high", "p")}


def _points(delta: float) -> str:
    """A delta in words."""
    if delta == 0:
        return "as expected"
    size = f"{abs(delta):g} point{'' if abs(delta) == 1 else 's'}"
    return f"{size} {'worse' if delta > 0 else 'better'}"


def _name(delta: float) -> str:
    """A delta as a part of an id: 2, -2, 0.5."""
    return f"{delta:g}"


def _note(design: EarlyDesign, weeks: float, tipping: float, *, clear: bool, top: float, m: int) -> str:
    if not clear:
        verdict = "The main interval includes zero, so there is no clear effect that could be lost."
    elif np.isnan(tipping):
        verdict = f"The interval {design.among} does not reach zero up to {top:g} points."
    else:
        verdict = f"The interval {design.among} reaches zero at {tipping:.1f} points: the tipping point."
    return (
        f"Scores after leaving, up to {design.choices.time} {weeks:.0f}, were filled in {m} times from the model of the course and made "
        f"worse by so many points at {design.choices.time} {weeks:.0f}, in proportion before. The first row uses the observed scores alone. "
        f"{verdict} Where rows say so, only some of those who left were moved: if leaving meant something else for clients with a good "
        "and with a poor alliance, the effect moves much more. Clients whose end was planned were not filled in."
    )


def _figure(rows: list[Estimate], main: Estimate, weeks: float, design: EarlyDesign) -> FigureSpec:
    """Effect within therapists by delta."""
    time, among = design.choices.time, design.among
    shown = [main, *(e for e in rows if e.id.startswith("slope_within_"))]
    names = ["observed scores only", *(_row_name(e) for e in shown[1:])]
    said = [say("{name} {e} ({e:interval})", name=n, e=e.number()) for n, e in zip(names, shown, strict=True)]
    data = estimate_frame(shown)[["estimate", "ci_low", "ci_high", "n"]]
    data.insert(0, "label", names)
    return FigureSpec(
        name="deltas",
        title="If clients who left did worse than expected",
        caption=f"Points: effect of early alliance {among} if the scores of clients who left had been so many points worse at {time} "
        f"{weeks:.0f} than expected; lines: 95 % intervals.",
        alt=f"Effect {among}: " + joined(said, "; ") + ".",
        how_to_read="Where a line reaches zero, the answer would no longer be clear.",
        section="sensitivity",
        data=data,
        columns=(Column("label", "Those who left"), *ESTIMATE, COUNT),
        draw=partial(plots.forest, x_label=main.unit),
    )


def _row_name(e: Estimate) -> str:
    """What the label of an estimate says of those who left."""
    words = e.label.partition(", ")[2].rpartition(" (")[0]
    for part in ("below", "above"):
        if e.id.endswith(f"_{part}"):
            whose, points = ("the mean", words.rpartition(" clients ")[2])
            if "therapist" in words:
                whose, points = ("the therapist's mean", words.rpartition(" mean ")[2])
            return f"{points}, only those {part} {whose}"
    return words.removeprefix("those who left ")


def many_left(draft: Draft, design: EarlyDesign, weeks: float) -> None:
    """Whether many clients have no score late in the horizon."""
    gone = int((leavers(draft, design, weeks) < 2 * weeks / 3).sum())
    if gone <= MANY_LEFT * design.n_clients:
        return
    draft.find(
        "many_left",
        "caution",
        "{gone:noun} ({share}) {gone:has|have} no outcome score in the last third of the {weeks} {time}s after the window. What their "
        "scores would have been is an assumption; see the rows with other assumptions.",
        "leaving",
        gone=Count(gone, "client"),
        share=Share(gone, design.n_clients),
        weeks=Number(weeks, "integer"),
        time=design.choices.time,
    )


def _tell(
    draft: Draft,
    main: Estimate,
    rows: list[Estimate],
    tipping: float,
    left: "pd.Series[float]",
    weeks: float,
    design: EarlyDesign,
    top: float,
) -> None:
    """The answer's sentence on leaving, where there is an effect that could be lost."""
    if not (main.ci_low > 0 or main.ci_high < 0):
        return
    start = say(
        "If all clients who left before {time} {weeks} ({n:noun}) had gone on worse than the model expects,",
        n=Count(len(left), "client"),
        time=design.choices.time,
        weeks=Number(weeks, "integer"),
    )
    if np.isnan(tipping):
        last = next(e for e in rows if e.id == f"slope_within_delta_{_name(top)}")
        turned = last.ci_low <= 0 <= last.ci_high
        if not turned:
            points = Number(top, "integer" if top == int(top) else "number")
            draft.say(
                "{start} by up to {top} points, the effect{within} would still be clear.",
                start=start,
                within=" within therapists" if draft.therapists_known else "",
                top=points,
            )
            _tell_apart(draft, rows, points)
        return
    draft.say(
        "{start} the effect{within} would no longer be clear from {points} points on.",
        start=start,
        within=" within therapists" if draft.therapists_known else "",
        points=Number(tipping),
    )


def _tell_apart(draft: Draft, rows: list[Estimate], top: Number) -> None:
    """That the effect would be lost if only some of those who left had gone on worse."""
    for part, words in (("above", "better"), ("below", "poorer")):
        if any(e.id.endswith(f"_{part}") and e.ci_low <= 0 <= e.ci_high for e in rows):
            draft.say(
                "It would no longer be clear if only those with a {words} alliance than {usual} had gone on {top} points worse.",
                words=words,
                usual="usual for their therapist" if draft.therapists_known else "the average",
                top=top,
            )
