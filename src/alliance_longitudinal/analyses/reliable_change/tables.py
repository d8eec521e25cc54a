"""The tables of the reliable-change report."""

import pandas as pd

from alliance_longitudinal.analyses.kit import SHARE, Count, Draft, Estimate, Number, estimate_frame, say
from alliance_longitudinal.analyses.kit.norms import KnownNorms
from alliance_longitudinal.analyses.reliable_change.compute import AllMethods
from alliance_longitudinal.methods.psychometrics.change.categories import CATEGORIES, WHAT
from alliance_longitudinal.methods.psychometrics.change.joint import OUTCOMES
from alliance_longitudinal.present import Column, Table

#: What each method does, in words for a clinician.
METHOD_WORDS = {
    "points": "published points of reliable change",
    "JT": "Jacobson-Truax: change compared with the error of a difference",
    "GLN": "Gulliksen-Lord-Novick: corrected for regression to the mean",
    "HLL": "Hsu-Linn-Lord: corrected for regression to the mean, compared with the average change",
    "EN": "Edwards-Nunnally: corrected for regression to the mean, error of one score",
    "NK": "Nunnally-Kotsch: corrected for regression to the mean, two reliabilities",
    "HA": "Hageman-Arrindell: true scores, partly compared with the average change",
    "HLM": "mixed model: rate of change compared with the average rate",
}


def change_tables(
    draft: Draft, methods: AllMethods, known: KnownNorms, by_therapist: tuple[pd.DataFrame, int]
) -> None:
    """In reading order; the first is the one a notebook shows beside the answer."""
    draft.show(
        _main(methods, draft.estimates),
        _by_method(methods),
        _joint(draft.estimates),
        _indices(methods),
        _norms(known),
        _therapists(*by_therapist),
        _refused(methods),
    )


def _main(methods: AllMethods, estimates: list[Estimate]) -> Table:
    frame = estimate_frame(estimates)
    rows = frame[frame["id"].str.startswith(f"{methods.main}_")].copy()
    counts = methods.chosen.counts
    names = rows["id"].str.removeprefix(f"{methods.main}_")
    rows["category"] = rows["label"].str.removeprefix(f"{methods.main}: ")
    rows["meaning"] = names.map(WHAT).fillna("")
    if methods.chosen.cut is None:
        rows["meaning"] = names.map({"improved": "reliably better", "deteriorated": "reliably worse"}).fillna(
            rows["meaning"]
        )
    rows["count"] = names.map(counts).astype(object).where(names.isin(counts), None)
    columns = [
        Column("category", "Category"),
        Column("meaning", "Meaning"),
        Column("count", "Clients", "count", total="n"),
        Column("n", "Of clients", "count"),
        *SHARE,
    ]
    note = say(
        "Method {method}: {words}. {n:noun}. Wilson intervals with the effective number of "
        "clients, because clients of the same therapist may be alike (cluster-robust errors, "
        "Satterthwaite df).",
        method=methods.main,
        words=METHOD_WORDS[methods.main],
        n=Count(methods.chosen.n, "client"),
    )
    return Table.from_frame(
        "change_categories",
        "Categories of change",
        "answer",
        rows,
        columns,
        note,
        row_ids=tuple(rows["id"]),
    )


def _by_method(methods: AllMethods) -> Table:
    rows = []
    for name, change in methods.done.items():
        counts = change.counts
        row: dict[str, object] = {"method": name, "words": METHOD_WORDS[name], "n": change.n}
        rows.append(row | {c: counts.get(c) for c in CATEGORIES})
    columns = [
        Column("method", "Method"),
        Column("words", "What it does"),
        Column("n", "Clients", "count"),
        *(Column(c, c.title(), "count", total="n") for c in CATEGORIES),
    ]
    note = (
        "All methods classify the same clients (HLM: only those with three or more scores). HLL, "
        "HLM and in part HA compare a client with the average change of this sample. There, "
        "'deteriorated' means less improvement than average, not necessarily worse than before."
    )
    return Table.from_frame(
        "change_by_method",
        "Clients in each category, by method",
        "sensitivity",
        pd.DataFrame(rows),
        columns,
        note,
    )


def _joint(estimates: list[Estimate]) -> Table | None:
    rows = [e for e in estimates if e.id in OUTCOMES]
    if not rows:
        return None
    columns = [Column("label", "Outcome"), *SHARE, Column("n", "Of clients", "count")]
    note = (
        "Counted by the rules of English routine services. Recovery: below caseness on both "
        "measures after treatment, among clients who were at caseness on at least one before. "
        "Improvement and deterioration are shares of all clients."
    )
    frame = estimate_frame(rows)
    return Table.from_frame(
        "joint_recovery",
        "Both measures together",
        "results",
        frame,
        columns,
        note,
        row_ids=tuple(frame["id"]),
    )


def _indices(methods: AllMethods) -> Table:
    rows = []
    for name, change in methods.done.items():
        index, cut, m = change.index, change.cut, change.moments
        rows.append(
            {
                "method": name,
                "n": change.n,
                "expected": None if index is None else index.slope,
                "se": None if index is None or name == "points" else index.se,
                "points": None if index is None else index.points,
                "cut": None if cut is None else cut.value,
                "kind": "none" if cut is None else cut.kind,
                "mean": m.mean,
                "sd": m.sd,
                "mean_post": m.mean_post,
                "sd_post": m.sd_post,
            }
        )
    columns = [
        Column("method", "Method"),
        Column("n", "Clients", "count"),
        Column("expected", "Expected change of the score after, per point before", "number", of="n"),
        Column("se", "Standard error", "number", of="n"),
        Column("points", "Reliable from (points)", "number", of="n"),
        Column("cut", "Cut-off", "number"),
        Column("kind", "Kind"),
        Column("mean", "Mean before", "number", of="n"),
        Column("sd", "SD before", "number", of="n"),
        Column("mean_post", "Mean after", "number", of="n"),
        Column("sd_post", "SD after", "number", of="n"),
    ]
    note = (
        "Reliable from: the smallest reliable difference from the score that the method expects after "
        "treatment."
    )
    return Table.from_frame(
        "change_indices", "What each method computes with", "checks", pd.DataFrame(rows), columns, note
    )


def _norms(known: KnownNorms) -> Table | None:
    if not known.facts:
        return None
    rows = pd.DataFrame([{"what": f.what, "value": f.value, "source": f.source} for f in known.facts])
    columns = [Column("what", "Fact"), Column("value", "Value", "number"), Column("source", "From")]
    return Table.from_frame(
        "change_norms", "Facts about the instrument, and their sources", "checks", rows, columns
    )


def _therapists(frame: pd.DataFrame, too_few: int) -> Table | None:
    if frame.empty:
        return None
    columns = [
        Column("n", "Clients", "count"),
        Column("share", "Reliably better", "percent", of="n"),
        Column("share_low", "95 % low", "percent", of="n"),
        Column("share_high", "95 % high", "percent", of="n"),
    ]
    note = say(
        "One row per therapist, without names. Therapists with too few clients who are reliably "
        "better, or too few who are not, are left out ({few:noun}). This is not a ranking: "
        "intervals overlap, and clients were not assigned to therapists at random.",
        few=Number(too_few, "integer", "therapist"),
    )
    return Table.from_frame(
        "change_by_therapist",
        "Reliable improvement by therapist",
        "results",
        frame,
        columns,
        note,
        single_people=True,
    )


def _refused(methods: AllMethods) -> Table | None:
    if not methods.refused:
        return None
    same: dict[str, list[str]] = {}
    for method, why in methods.refused.items():
        same.setdefault(why, []).append(method)
    rows = [{"method": ", ".join(names), "why": why} for why, names in same.items()]
    columns = [Column("method", "Method"), Column("why", "Why not")]
    return Table.from_rows("change_refused", "Methods that could not be used", "checks", rows, columns)
