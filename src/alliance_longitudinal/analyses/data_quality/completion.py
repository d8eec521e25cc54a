"""Whether the forms are there: by session, by therapist, and item by item."""

import numpy as np
import pandas as pd

from alliance_longitudinal.analyses.data_quality.check import Check, not_checked, verdict_of
from alliance_longitudinal.analyses.data_quality.records import ENOUGH_CLIENTS, Filled, Records
from alliance_longitudinal.labels import listing

#: Forms that may be missing; beyond the second, what is left speaks of those who fill forms in.
SOME_MISSING, MANY_MISSING = 0.20, 0.50
#: Clients of a therapist from which a share is told.
CASELOAD = 10
_UNANSWERED = (0.05, 0.20)


def completion_checks(records: Records, filled: list[Filled]) -> list[Check]:
    """All checks of completion."""
    out = [_overall(f) for f in filled]
    out += [_by_time(records, f) for f in filled]
    out += [_by_therapist(f) for f in filled]
    out += [_items(records, f) for f in filled]
    return out


def by_time(filled: Filled) -> pd.DataFrame:
    """``at, expected, present, missing, share`` of one measure, by session number or planned time."""
    counts = filled.forms.groupby("at")["made"].agg(expected="size", present="sum").reset_index()
    counts["missing"] = counts["expected"] - counts["present"]
    return counts.assign(share=counts["present"] / counts["expected"])


def by_therapist(filled: Filled) -> pd.DataFrame:
    """``clients, expected, present, share`` by therapist, for those with at least 10 clients who were to fill it in."""
    groups = filled.forms.groupby("therapist")
    counts = pd.DataFrame(
        {
            "clients": groups["client"].nunique(),
            "expected": groups.size(),
            "present": groups["made"].sum(),
        }
    )
    counts = counts[counts["clients"] >= CASELOAD]
    return counts.assign(share=counts["present"] / counts["expected"])


def _overall(filled: Filled) -> Check:
    forms = filled.forms
    n, missing = len(forms), int((~forms["made"]).sum())
    if filled.scheduled:
        rule = (
            "all assessments that the schedule plans for a client up to the last date of the study, "
            "attended or not."
        )
    else:
        rule = (
            "attended sessions at which the form was planned (session numbers at which at least 5 % of "
            "the clients have it)."
        )
    lost = forms[~forms["made"]]
    return Check(
        "completion",
        "Missing forms",
        filled.measure.name,
        "form",
        n,
        missing,
        verdict_of(missing / n if n else 1.0, SOME_MISSING, MANY_MISSING),
        f"Look from 20 % missing, problem from 50 %, among {rule}",
        "Ask when and by whom forms are given to clients. Report whose forms are missing. Use "
        "models that allow unequal numbers of forms.",
        rows=lost.loc[lost["row"] >= 0, "row"].to_numpy(np.intp),
        who=tuple(lost.loc[lost["row"] < 0, "client"].unique()),
    )


def _by_time(records: Records, filled: Filled) -> Check:
    counts = by_time(filled)
    large = counts[counts["expected"] >= ENOUGH_CLIENTS]
    low = [f"{at:g}" for at in large.loc[large["share"] < 1 - SOME_MISSING, "at"]]
    said = listing(low[:6]) + (" and later ones" if len(low) > 6 else "") if low else ""
    what = "planned time" if filled.scheduled else "session number"
    unit = f" ({records.study.time_unit})" if filled.scheduled else ""
    return Check(
        "completion_session",
        "Missing forms by planned time" if filled.scheduled else "Missing forms by session",
        filled.measure.name,
        what,
        len(large),
        len(low),
        "look" if low else "fine",
        f"Look if more than 20 % are missing at any {what} with at least {ENOUGH_CLIENTS} expected forms.",
        "Choose an early window and outcome sessions at which the form is given. Find out why it "
        "is not given at the others.",
        f"Many are missing at {what} {said}{unit}." if low else "",
    )


def _by_therapist(filled: Filled) -> Check:
    counts = by_therapist(filled)
    title = "Missing forms by therapist"
    if counts.empty:
        why = f"No therapist has {CASELOAD} clients or more."
        return not_checked("completion_therapist", title, filled.measure.name, why)
    overall = float(filled.forms["made"].mean())
    low = (counts["share"] < 0.5) | (counts["share"] < overall - 0.20)
    return Check(
        "completion_therapist",
        title,
        filled.measure.name,
        "therapist",
        len(counts),
        int(low.sum()),
        verdict_of(float(low.mean()), 0.0, 0.25),
        f"Look if any therapist with at least {CASELOAD} clients has fewer than half of the forms, "
        "or a share 20 percentage points below that of all therapists. Problem if a quarter of "
        "these therapists do.",
        "Ask these therapists what prevents them from giving the form. Compare results with and "
        "without their clients.",
        who=tuple(counts.index[low]),
    )


def _items(records: Records, filled: Filled) -> Check:
    name, forms = filled.measure.name, records.study.forms
    title = "Unanswered items"
    if forms is None or name not in forms.answers:
        return not_checked(
            "unanswered",
            title,
            name,
            "The study has no answers to single items.",
            "Export the items, not only the total.",
        )
    rows, answers = own_answers(records, name)
    open_items = np.isnan(answers)
    some = open_items.any(axis=1)
    share = open_items.mean(axis=0) if len(answers) else np.zeros(answers.shape[1])
    means = ""
    if some.any():
        worst = int(np.argmax(share))
        means = f"Most often item {forms.items[name][worst]}."
    return Check(
        "unanswered",
        title,
        name,
        "form",
        len(answers),
        int(some.sum()),
        verdict_of(float(some.mean()) if len(some) else 0.0, *_UNANSWERED),
        "Look if more than 5 % of the forms have an unanswered item, problem if more than 20 %.",
        "Find out whether clients skip one item or one page. The rule for unanswered items decides "
        "which of these forms have a score.",
        means,
        rows=rows[some],
    )


def own_answers(records: Records, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``study.sessions`` and answers, shape (m, items), of the filled-in forms of the chosen sessions."""
    forms = records.study.forms
    assert forms is not None  # asked by the caller
    answers = forms.answers[name]
    keep = ~np.isnan(answers).all(axis=1)
    if len(records.sessions) < records.n_of_study:
        chosen = np.zeros(records.n_of_study, dtype=bool)
        chosen[records.rows] = True
        keep &= chosen[forms.session]
    used = np.flatnonzero(keep)
    used = used[np.argsort(forms.session[used], kind="stable")]
    return forms.session[used], answers[used]
