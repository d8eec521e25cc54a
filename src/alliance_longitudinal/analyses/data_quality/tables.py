"""The tables of the data-quality report."""

import pandas as pd

from alliance_longitudinal.analyses.data_quality.check import VERDICTS, Check
from alliance_longitudinal.analyses.data_quality.completion import by_therapist
from alliance_longitudinal.analyses.data_quality.predict import Answered
from alliance_longitudinal.analyses.data_quality.records import Filled, Records
from alliance_longitudinal.analyses.kit import Estimate, estimate_frame
from alliance_longitudinal.counts import Things
from alliance_longitudinal.present import Column, Table


def quality_tables(
    records: Records, checks: list[Check], answered: list[Answered], filled: list[Filled]
) -> tuple[Table, ...]:
    """What to look at, every check, its rule, therapists, and the models."""
    labels = {m.name: m.label for m in records.measures}
    found = [_look(checks, labels), _all(checks, labels), _therapists(filled)]
    found += [_predictors(answered), _models(answered), _rules(checks, labels)]
    return tuple(t for t in found if t is not None)


def _about(check: Check, labels: dict[str, str]) -> str:
    return labels.get(check.about, check.about) or "all rows"


def _looked_at(check: Check, labels: dict[str, str]) -> str:
    """What was counted, and of which measure or column."""
    units = f"{check.unit}s"
    if not check.about:
        return units if check.n else "all rows"
    return f"{units}, {labels.get(check.about, check.about)}"


def _look(checks: list[Check], labels: dict[str, str]) -> Table | None:
    wanted = sorted(
        (c for c in checks if c.verdict in ("look", "problem")), key=lambda c: -VERDICTS.index(c.verdict)
    )
    if not wanted:
        return None
    rows = [
        {"title": c.title, "about": _about(c, labels), "verdict": c.verdict, "result": c.result, "do": c.do}
        for c in wanted
    ]
    columns = [
        Column("title", "Check"),
        Column("about", "Of"),
        Column("verdict", "Verdict"),
        Column("result", "Result"),
        Column("do", "What to do"),
    ]
    note = (
        "People who have the data can see the rows, therapists and clients with the command 'alliance check'."
    )
    return Table.from_rows("to_look_at", "What to look at", "answer", rows, columns, note)


def _all(checks: list[Check], labels: dict[str, str]) -> Table:
    rows = [
        {
            "title": c.title,
            "about": _looked_at(c, labels),
            "verdict": c.verdict,
            "n": _counted(c, c.n),
            "found": _counted(c, c.found),
            "others": _counted(c, c.n - c.found),
            "share": c.share if c.verdict != "not checked" else None,
        }
        for c in checks
    ]
    columns = [
        Column("title", "Check"),
        Column("about", "Of"),
        Column("verdict", "Verdict"),
        Column("n", "Checked", "count"),
        Column("found", "Found", "count", total="n"),
        Column("others", "Not found", "count", total="n"),
        Column("share", "Share found", "percent", of="found"),
    ]
    note = (
        "Not checked: the study does not have the data that the check needs. The table of rules says which."
    )
    return Table.from_frame(
        "checks", "Every check", "results", pd.DataFrame(rows).astype(object), columns, note
    )


def _counted(check: Check, n: int) -> int | None:
    """The number in a cell: of people, or of therapists and numbers of sessions, which are no secret."""
    if check.verdict == "not checked":
        return None
    return n if check.of_people else Things(n)


def _rules(checks: list[Check], labels: dict[str, str]) -> Table:
    """Each check's rule once, with the measures that have it."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for c in checks:
        rule = c.rule or f"Not checked: {c.means}"
        rows.setdefault((c.title, rule, c.do), []).append(_about(c, labels))
    said = [
        {"title": title, "about": ", ".join(dict.fromkeys(about)), "rule": rule, "do": do}
        for (title, rule, do), about in rows.items()
    ]
    columns = [
        Column("title", "Check"),
        Column("about", "Of"),
        Column("rule", "Rule"),
        Column("do", "What to do if it finds something"),
    ]
    return Table.from_rows("rules", "The rule of each check", "checks", said, columns)


def _therapists(filled: list[Filled]) -> Table | None:
    """How completion differs between therapists, without any of them."""
    rows = []
    for one in filled:
        shares = by_therapist(one)["share"]
        if len(shares) >= 5:
            quartiles = shares.quantile([0.25, 0.5, 0.75]).tolist()
            rows.append(
                {
                    "measure": one.measure.label,
                    "n": len(shares),
                    "low": quartiles[0],
                    "mid": quartiles[1],
                    "high": quartiles[2],
                }
            )
    if not rows:
        return None
    columns = [
        Column("measure", "Measure"),
        Column("n", "Therapists", "integer"),
        Column("low", "Lower quartile", "percent", modelled=True),
        Column("mid", "Median", "percent", modelled=True),
        Column("high", "Upper quartile", "percent", modelled=True),
    ]
    note = "Share of completed forms among the expected ones, for therapists with at least ten clients."
    return Table.from_frame(
        "therapists", "Completed forms, over therapists", "results", pd.DataFrame(rows), columns, note
    )


def _predictors(answered: list[Answered]) -> Table | None:
    estimates: list[Estimate] = [e for a in answered for e in a.estimates]
    if not estimates:
        return None
    columns = [
        Column("label", "Outcome and predictor"),
        Column("estimate", "Odds ratio", "estimate", of="n"),
        Column("ci_low", "95 % low", "estimate", of="n"),
        Column("ci_high", "95 % high", "estimate", of="n"),
        Column("p", "p", "p"),
        Column("n", "Rows", "count"),
    ]
    note = (
        "Per standard deviation of the predictor. Above 1: the higher the predictor, the more often "
        "the form is missing or the client ends treatment."
    )
    return Table.from_frame(
        "predictors",
        "What predicts missing forms and the end of treatment",
        "results",
        estimate_frame(estimates),
        columns,
        note,
    )


def _models(answered: list[Answered]) -> Table | None:
    rows = [
        {
            "title": a.question.title,
            "formula": a.formula,
            "nobs": int(a.result.nobs),
            "therapist_sd": _therapist_sd(a),
            "optimum": "verified, a variance at its boundary" if a.result.singular else "verified",
        }
        for a in answered
        if a.result is not None
    ]
    if not rows:
        return None
    columns = [
        Column("title", "Model"),
        Column("formula", "Formula"),
        Column("nobs", "Rows", "count"),
        Column("therapist_sd", "SD between therapists", "number", of="nobs"),
        Column("optimum", "Optimum"),
    ]
    note = (
        "Logistic mixed models by maximum likelihood (Laplace). The SD is that of the therapists' "
        "log odds: 0.5 means that the odds of two therapists typically differ by a factor of 1.6."
    )
    return Table.from_frame(
        "models", "Every model that was fitted", "models", pd.DataFrame(rows), columns, note
    )


def _therapist_sd(answered: Answered) -> float:
    assert answered.result is not None
    table = answered.result.varcorr
    own = table.loc[table["group"] == "therapist", "sdcor"]
    return float(own.iloc[0]) if len(own) else float("nan")
